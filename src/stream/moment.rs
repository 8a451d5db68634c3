//! What the cluster said at one moment. It is asked once, however many sessions and partitions the answer is for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::options::ReadOptions;
use super::selection::{absent, places};
use crate::error::Result;
use crate::kafka::admin::Topics;
use crate::kafka::{Admin, TopicPartition};
use crate::session::SessionInfo;
use crate::topic::Layout;

pub(crate) struct Moment {
    pub(crate) at: Instant,
    layout: Layout,
    topics: Topics,
    /// What was known of the sessions before the cluster was asked: of a session as it was then, nothing can lie behind
    /// the ends found here.
    known: HashMap<String, Arc<SessionInfo>>,
    /// The named streams that each data source has.
    streams: HashMap<String, Vec<String>>,
    marks: HashMap<TopicPartition, (i64, i64)>,
    times: HashMap<TopicPartition, Option<i64>>,
}

impl Moment {
    pub(crate) fn new(layout: Layout, topics: Topics) -> Self {
        Self {
            at: Instant::now(),
            layout,
            topics,
            known: HashMap::new(),
            streams: HashMap::new(),
            marks: HashMap::new(),
            times: HashMap::new(),
        }
    }

    pub(crate) fn remember(&mut self, sessions: impl IntoIterator<Item = Arc<SessionInfo>>) {
        self.known.extend(sessions.into_iter().map(|info| (info.key.clone(), info)));
    }

    /// Whether this session was known, just as it is now, before the cluster was asked.
    pub(crate) fn holds_for(&self, info: &Arc<SessionInfo>) -> bool {
        self.known.get(&info.key).is_some_and(|known| Arc::ptr_eq(known, info))
    }

    /// The partitions to read of a data source, or of one of its sessions, each with its stream's name.
    pub(crate) fn places(
        &mut self,
        options: &ReadOptions,
        source: &str,
        info: Option<&SessionInfo>,
    ) -> Result<Vec<(TopicPartition, Arc<str>)>> {
        let Self { layout, topics, streams, .. } = self;
        if !streams.contains_key(source) {
            let found = layout.streams_of(source, topics.keys().map(String::as_str));
            streams.insert(source.to_string(), found);
        }
        let streams = streams.get(source).cloned().unwrap_or_default();
        places(layout, topics, streams, options, source, info)
    }

    /// The topics that are to be read and that the cluster does not list; see [`absent`].
    pub(crate) fn absent(
        &self,
        options: &ReadOptions,
        source: &str,
        info: Option<&SessionInfo>,
    ) -> Result<Vec<String>> {
        absent(&self.layout, &self.topics, options, source, info)
    }

    /// Asks where these partitions begin and end, and what lies at a time in milliseconds, as far as that is not known.
    pub(crate) fn learn(&mut self, admin: &Admin, places: &[TopicPartition], from_ms: Option<i64>) -> Result<()> {
        let unknown = places.iter().filter(|place| !self.marks.contains_key(place)).cloned();
        self.marks.extend(admin.watermarks_of(unknown)?);
        if let Some(from_ms) = from_ms {
            let unknown = places.iter().filter(|place| !self.times.contains_key(place)).cloned();
            self.times.extend(admin.offsets_at(unknown, from_ms)?);
        }
        Ok(())
    }

    /// The first offset of a partition and the one after the last; none unless it was learned.
    pub(crate) fn marks(&self, place: &TopicPartition) -> Option<(i64, i64)> {
        self.marks.get(place).copied()
    }

    /// The offset of the first record not older than the time that was asked for; none if there is none.
    pub(crate) fn offset_at(&self, place: &TopicPartition) -> Option<i64> {
        self.times.get(place).copied().flatten()
    }
}
