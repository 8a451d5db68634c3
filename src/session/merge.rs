//! One session while it is folded: which record set which field, so that neither duplicates nor records that arrive
//! early (our own, applied when they are acknowledged) change the outcome.
//!
//! The rule for every field: the last record of the topic that gives it a value wins, and `NewSession` is older than
//! all of them. The rule for the end: the first record wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SessionInfo;
use super::offsets::{Offsets, TopicNames};
use super::table::{Ignored, MOST_DETAILS};
use crate::error::Printable;
use crate::proto::open_data::{EndOfSessionPacket, NewSessionPacket, SessionInfoPacket};
use crate::time::{duration_from_proto, from_proto};

const NS_PER_MS: u64 = 1_000_000;

/// Where a record lies on the topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
}

impl Position {
    /// Whether this record is later than another one. Within a partition Kafka's order counts; foreign topics may have
    /// several partitions, between which only the clock is left.
    fn is_after(self, other: Self) -> bool {
        if self.partition == other.partition {
            self.offset > other.offset
        } else {
            (self.timestamp_ms, self.partition) > (other.timestamp_ms, other.partition)
        }
    }

    fn time_ns(self) -> Option<u64> {
        u64::try_from(self.timestamp_ms).ok().map(|ms| ms.saturating_mul(NS_PER_MS))
    }
}

/// Moves a stamp forward; `false` if a later record has been there.
fn advance(stamp: &mut Option<Position>, at: Position) -> bool {
    let later = stamp.is_none_or(|earlier| at.is_after(earlier));
    if later {
        *stamp = Some(at);
    }
    later
}

/// Which `SessionInfo` record set which field; `None` where `NewSession` did.
#[derive(Debug, Clone, Default)]
struct Stamps {
    identifier: Option<Position>,
    kind: Option<Position>,
    version: Option<Position>,
    associates: Option<Position>,
    utc_offset: Option<Position>,
    created: Option<Position>,
    terminated: Option<Position>,
    details: BTreeMap<String, Position>,
}

/// The end record that counts.
#[derive(Debug, Clone, Copy)]
struct End {
    at: Position,
    termination_ns: Option<u64>,
}

/// A session in the fold; one whose `NewSession` has not come yet is an orphan.
#[derive(Debug)]
pub(super) struct Entry {
    info: Arc<SessionInfo>,
    /// Most sessions are never updated: they carry no stamps.
    stamps: Option<Box<Stamps>>,
    end: Option<End>,
    /// The end that a `SessionInfo` announced.
    announced_end_ns: Option<u64>,
}

impl Entry {
    /// An orphan.
    pub(super) fn new(key: &str) -> Self {
        let info = SessionInfo {
            key: key.to_owned(),
            data_source: String::new(),
            identifier: String::new(),
            kind: String::new(),
            version: 0,
            associates: Vec::new(),
            details: BTreeMap::new(),
            utc_offset_ns: 0,
            created_ns: None,
            ended_ns: None,
            ended: false,
            start_offsets: Offsets::new(),
            end_offsets: Offsets::new(),
            last_record_ns: 0,
            order: 0,
        };
        Self { info: Arc::new(info), stamps: None, end: None, announced_end_ns: None }
    }

    pub(super) fn info(&self) -> &Arc<SessionInfo> {
        &self.info
    }

    /// Notes that a record of this session was seen.
    pub(super) fn seen(&mut self, at: Position) {
        if let Some(time) = at.time_ns().filter(|time| *time > self.info.last_record_ns) {
            Arc::make_mut(&mut self.info).last_record_ns = time;
        }
    }

    /// Makes the orphan a session. Fields that a `SessionInfo` already set stay.
    pub(super) fn start(&mut self, packet: NewSessionPacket, at: Position, order: u64, names: &mut TopicNames) {
        let initial = packet.session_info.unwrap_or_default();
        let untouched = Stamps::default();
        let stamps = self.stamps.as_deref().unwrap_or(&untouched);
        let info = Arc::make_mut(&mut self.info);
        info.order = order;
        // The vendor's own sample leaves the inner data source empty; the outer one counts.
        info.data_source = if packet.data_source.is_empty() { initial.data_source } else { packet.data_source };
        info.start_offsets = names.offsets(packet.topic_partition_offsets);
        if stamps.identifier.is_none() {
            info.identifier = initial.identifier;
        }
        if stamps.kind.is_none() {
            info.kind = initial.r#type;
        }
        if stamps.version.is_none() {
            info.version = initial.version;
        }
        if stamps.associates.is_none() {
            info.associates = initial.associate_session_keys;
        }
        for (name, value) in initial.details {
            info.details.entry(name).or_insert(value);
        }
        if stamps.utc_offset.is_none() {
            let offset = packet.utc_offset.or(initial.utc_offset);
            info.utc_offset_ns = offset.as_ref().map_or(0, duration_from_proto);
        }
        if stamps.created.is_none() {
            let created = packet.creation_time.or(initial.creation_time);
            info.created_ns = created.as_ref().and_then(from_proto).or_else(|| at.time_ns());
        }
        if stamps.terminated.is_none() {
            self.announced_end_ns = initial.termination_time.as_ref().and_then(from_proto);
        }
        self.set_end();
    }

    /// Merges a `SessionInfo`. Returns whether any value is another one now.
    pub(super) fn update(&mut self, packet: SessionInfoPacket, at: Position, ignored: &mut Ignored) -> bool {
        let before = Arc::clone(&self.info);
        let stamps = self.stamps.get_or_insert_default();
        let info = Arc::make_mut(&mut self.info);
        if !packet.identifier.is_empty() && advance(&mut stamps.identifier, at) {
            info.identifier = packet.identifier;
        }
        if !packet.r#type.is_empty() && advance(&mut stamps.kind, at) {
            info.kind = packet.r#type;
        }
        if packet.version > 0 && advance(&mut stamps.version, at) {
            info.version = packet.version;
        }
        if !packet.associate_session_keys.is_empty() && advance(&mut stamps.associates, at) {
            info.associates = packet.associate_session_keys;
        }
        for (name, value) in packet.details {
            if info.details.len() >= MOST_DETAILS && !info.details.contains_key(&name) {
                ignored.details_dropped += 1;
                ignored.last_reason =
                    Some(format!("session '{}' has {MOST_DETAILS} details already", Printable(&info.key)));
                continue;
            }
            let mut stamp = stamps.details.get(&name).copied();
            if advance(&mut stamp, at) {
                stamps.details.insert(name.clone(), at);
                info.details.insert(name, value);
            }
        }
        if let Some(offset) = packet.utc_offset.as_ref()
            && advance(&mut stamps.utc_offset, at)
        {
            info.utc_offset_ns = duration_from_proto(offset);
        }
        if let Some(created) = packet.creation_time.as_ref().and_then(from_proto)
            && advance(&mut stamps.created, at)
        {
            info.created_ns = Some(created);
        }
        if let Some(ended) = packet.termination_time.as_ref().and_then(from_proto)
            && advance(&mut stamps.terminated, at)
        {
            self.announced_end_ns = Some(ended);
        }
        self.set_end();
        *before != *self.info
    }

    /// Merges an `EndOfSession`; only the first one of the topic counts. Returns whether any value is another one now.
    pub(super) fn finish(&mut self, packet: EndOfSessionPacket, at: Position, names: &mut TopicNames) -> bool {
        if self.end.is_some_and(|first| !first.at.is_after(at)) {
            return false;
        }
        let before = Arc::clone(&self.info);
        self.end = Some(End { at, termination_ns: packet.termination_time.as_ref().and_then(from_proto) });
        Arc::make_mut(&mut self.info).end_offsets = names.offsets(packet.topic_partition_offsets);
        self.set_end();
        *before != *self.info
    }

    /// The session as it was before its end, for the event that it started.
    pub(super) fn info_before_end(&self) -> Arc<SessionInfo> {
        if !self.info.ended {
            return Arc::clone(&self.info);
        }
        let mut live = SessionInfo::clone(&self.info);
        live.ended = false;
        live.ended_ns = self.announced_end_ns;
        live.end_offsets = Offsets::new();
        Arc::new(live)
    }

    /// The end from the end record, whose time wins over an announced one; the record's own time is the last resort.
    fn set_end(&mut self) {
        let info = Arc::make_mut(&mut self.info);
        match self.end {
            Some(end) => {
                info.ended = true;
                info.ended_ns = end.termination_ns.or(self.announced_end_ns).or_else(|| end.at.time_ns());
            }
            None => info.ended_ns = self.announced_end_ns,
        }
    }
}
