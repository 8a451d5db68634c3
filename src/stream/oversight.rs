//! What an operator wants to know: when a session last had a record, whether retention forgets sessions, whether clocks
//! agree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::error::{Printable, Result};
use crate::interrupt;
use crate::kafka::{Consumer, Event, Start, TopicPartition};
use crate::session::SessionInfo;
use crate::time::after;
use crate::topic;

/// How many records are looked at in front of each place where a session may have ended.
const TAIL: i64 = 200;
/// In how many places of a partition: its end, and in front of the sessions that began there later, the newest first.
const PLACES: usize = 8;
/// A record that is so much ahead of our clock was written by another one.
const AHEAD_MS: i64 = 60_000;
/// A record may lie in its writer's queue during an outage, so one from before we began is told of only beyond this.
const BEHIND_MS: i64 = 900_000;

impl Client {
    /// The time of the last record in the streams and essentials of sessions, in nanoseconds since the Unix epoch, by
    /// session key: for sessions whose writer is gone. Sessions without such a record are not in it.
    ///
    /// Looked at are the last 200 records of each partition, and the last 200 before each later session began there. Where
    /// sessions overlap by more than that, the time found may be an earlier one.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`], [`crate::Error::Timeout`], [`crate::Error::Closed`].
    pub fn last_records(&self, keys: &[String]) -> Result<HashMap<String, u64>> {
        self.refresh_sessions()?;
        let wanted: Vec<_> = keys.iter().filter_map(|key| self.inner.directory.session(key)).collect();
        let mut last = HashMap::new();
        if wanted.is_empty() {
            return Ok(last);
        }
        let mut tails = self.tails(&wanted)?;
        let consumer = Consumer::new(&self.inner.settings.fetching_ahead(1 << 20), None)?;
        let deadline = after(self.inner.timeout);
        for turn in 0..PLACES {
            let mut round: HashMap<TopicPartition, i64> = HashMap::new();
            let mut starts = Vec::new();
            for (place, tail) in &mut tails {
                tail.sessions.retain(|key| !tail.found.contains(key));
                if let Some(end) = (!tail.sessions.is_empty()).then(|| tail.ends.pop_last()).flatten() {
                    starts.push(Start { place: place.clone(), offset: (end - TAIL).max(tail.low) });
                    round.insert(place.clone(), end);
                }
            }
            // All partitions have a place in the first turn, so those of later turns are being read already.
            if turn == 0 {
                consumer.add(&starts)?;
            } else {
                starts.iter().try_for_each(|start| consumer.rewind(start))?;
            }
            while !round.is_empty() && Instant::now() < deadline && !interrupt::requested() {
                consumer.poll(Duration::from_millis(50), 1000, &mut |event| match event {
                    Event::Message(message) => {
                        let place = TopicPartition::new(message.topic, message.partition);
                        let Some(end) = round.get(&place).copied() else { return };
                        if let (Some(key), Some(tail), true) = (
                            message.key.and_then(|key| std::str::from_utf8(key).ok()),
                            tails.get_mut(&place),
                            message.offset < end,
                        ) && tail.sessions.contains(key)
                        {
                            tail.found.insert(key.to_string());
                            let time = u64::try_from(message.timestamp_ms).unwrap_or(0).saturating_mul(1_000_000);
                            let newest: &mut u64 = last.entry(key.to_string()).or_default();
                            *newest = time.max(*newest);
                        }
                        if message.offset + 1 >= end {
                            round.remove(&place);
                        }
                    }
                    Event::End { topic, partition, .. } => {
                        round.remove(&TopicPartition::new(topic, partition));
                    }
                    Event::Error { error, topic, .. } => {
                        log::debug!("looking for last records: {error}");
                        round.retain(|place, _| topic.as_deref() != Some(&*place.topic));
                    }
                    Event::Assigned(_) | Event::Revoked(_) => {}
                });
            }
        }
        Ok(last)
    }

    /// Where sessions may have ended, by partition.
    fn tails(&self, wanted: &[std::sync::Arc<SessionInfo>]) -> Result<BTreeMap<TopicPartition, Tail>> {
        let layout = self.layout();
        let topics = self.inner.admin.topics(Duration::from_secs(1))?;
        let mut tails: BTreeMap<TopicPartition, Tail> = BTreeMap::new();
        for info in wanted {
            let source = &info.data_source;
            let mut places = Vec::new();
            if let Ok(main) = layout.place(source, "") {
                places.push((main.topic, main.partition));
            }
            places.extend(layout.essentials(source).ok().map(|topic| (topic, 0)));
            for stream in layout.streams_of(source, topics.keys().map(String::as_str)) {
                places.extend(layout.place(source, &stream).ok().map(|place| (place.topic, place.partition)));
            }
            for (topic, partition) in places {
                if topics.get(&topic).is_some_and(|count| *count > partition) {
                    let tail = tails.entry(TopicPartition::new(topic, partition)).or_default();
                    tail.sessions.insert(info.key.clone());
                }
            }
        }
        // Who may see sessions but not their data still gets the sessions.
        let marks = self.inner.admin.watermarks_of(tails.keys().cloned()).unwrap_or_else(|error| {
            log::debug!("looking for last records: {error}");
            HashMap::new()
        });
        let others = self.inner.directory.sessions();
        for (place, tail) in &mut tails {
            let (low, high) = marks.get(place).copied().unwrap_or_default();
            tail.low = low;
            let named = (place.topic.to_string(), place.partition);
            tail.ends = others.iter().filter_map(|info| info.start_offsets.get(&named).copied()).collect();
            tail.ends.retain(|end| *end > low && *end < high);
            if high > low {
                tail.ends.insert(high);
            }
        }
        tails.retain(|_, tail| !tail.ends.is_empty());
        Ok(tails)
    }

    /// What an administrator should change so that the sessions of a data source are not forgotten before their data:
    /// topics that are compacted, or keep their records for too short a time. Empty where all is well, and where the
    /// broker does not tell (it asks for the right to describe settings).
    ///
    /// # Errors
    /// [`crate::Error::Name`], [`crate::Error::Unreachable`], [`crate::Error::Closed`].
    pub fn retention_warnings(&self, data_source: &str) -> Result<Vec<String>> {
        topic::check_data_source(data_source)?;
        let listing = self.inner.admin.topics(Duration::from_secs(1))?;
        let layout = self.layout();
        let mut names = BTreeSet::from([layout.session_info(), layout.essentials(data_source)?]);
        names.insert(layout.place(data_source, "")?.topic);
        for stream in layout.streams_of(data_source, listing.keys().map(String::as_str)) {
            names.insert(layout.place(data_source, &stream)?.topic);
        }
        names.retain(|name| listing.contains_key(name));
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let settings = self.inner.admin.topic_settings(names.iter().map(String::as_str));
        Ok(topic::erased_too_early(&layout, data_source, &settings))
    }
}

/// Where to look in a partition, and for which sessions.
#[derive(Default)]
struct Tail {
    low: i64,
    ends: BTreeSet<i64>,
    sessions: BTreeSet<String>,
    found: BTreeSet<String>,
}

/// A warning when a record about a session of a data source cannot have been written at its time by our clock: it is
/// ahead of now, or was appended after `since_ms` and says it is much older.
pub(crate) fn clock_warning(source: &str, record_ms: i64, now_ms: i64, since_ms: Option<i64>) -> Option<String> {
    let source = Printable(source);
    if record_ms > now_ms.saturating_add(AHEAD_MS) {
        let seconds = (record_ms - now_ms) / 1000;
        return Some(format!(
            "a record about a session of data source '{source}' is {seconds} s ahead of this machine's clock: one of the \
             two clocks is wrong; synchronise them"
        ));
    }
    let since = since_ms?;
    if record_ms >= 0 && record_ms < since.saturating_sub(BEHIND_MS) {
        let seconds = (since - record_ms) / 1000;
        return Some(format!(
            "a new record about a session of data source '{source}' says it is {seconds} s old by this machine's clock: one \
             of the two clocks is wrong, or its writer had no broker for so long; synchronise the clocks"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn clocks_that_are_a_little_apart_and_old_records_are_in_order() {
        assert_eq!(clock_warning("Car", NOW + 59_000, NOW, Some(NOW)), None);
        assert_eq!(clock_warning("Car", NOW - 600_000, NOW, Some(NOW)), None);
        assert_eq!(clock_warning("Car", 1, NOW, None), None);
        assert_eq!(clock_warning("Car", -1, NOW, Some(NOW)), None);
    }

    #[test]
    fn clocks_far_ahead_and_far_behind_are_told_with_the_difference() {
        let ahead = clock_warning("Car", NOW + 3_600_000, NOW, None).unwrap_or_default();
        assert!(ahead.contains("'Car'") && ahead.contains("3600 s ahead"), "{ahead}");
        let behind = clock_warning("Car", NOW - 7_200_000, NOW + 5, Some(NOW)).unwrap_or_default();
        assert!(behind.contains("7200 s old"), "{behind}");
    }
}
