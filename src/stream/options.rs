//! What can be chosen when connecting and when reading.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kafka::Security;
use crate::topic::{NamedStreamForm, Strategy};

/// Which of the platform's two ways of naming topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayoutChoice {
    /// Look at the cluster: the one that is in use, and the domain layout on an empty one.
    #[default]
    Auto,
    /// `<data source>`, `SessionInfo`: servers up to mid-2025.
    Classic,
    /// `Data.<data source>`, `Sys.SessionInfo`: servers since 2026.
    Domain,
}

/// What becomes of packets while no broker can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOutage {
    /// They fail after `message.timeout.ms` (600 s) and come back with their payload.
    #[default]
    Fail,
    /// They are kept and retried until they are delivered or the client is closed.
    Wait,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// `host:port`, several separated by commas; `embedded://` or `embedded:///folder` for a broker started here.
    pub brokers: String,
    /// Which names topics have.
    pub layout: LayoutChoice,
    /// The domain in front of the names of the domain layout; may be empty.
    pub domain: String,
    /// The form of named streams' topics in the domain layout; `None` learns it from the sessions that are there.
    pub named_stream_form: Option<NamedStreamForm>,
    /// A topic for each stream, or a partition for each stream.
    pub strategy: Strategy,
    /// Streams and their partitions, for [`Strategy::PartitionBased`].
    pub partition_mappings: Vec<(String, i32)>,
    /// Who we are.
    pub security: Security,
    /// librdkafka properties of every client.
    pub common: BTreeMap<String, String>,
    /// librdkafka properties of the producer.
    pub producer: BTreeMap<String, String>,
    /// librdkafka properties of consumers.
    pub consumer: BTreeMap<String, String>,
    /// How long every synchronous request may take.
    pub timeout: Duration,
    /// How long connecting may take; `None` is the same as `timeout`.
    pub connect_timeout: Option<Duration>,
    /// What becomes of packets while no broker can be reached.
    pub on_outage: OnOutage,
    /// How long to wait after the last packet before a session's end is recorded.
    pub quiet: Duration,
    /// How often librdkafka tells its statistics; zero for never.
    pub statistics: Duration,
}

impl ClientOptions {
    /// The defaults, for these brokers.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            layout: LayoutChoice::Auto,
            domain: String::new(),
            named_stream_form: None,
            strategy: Strategy::TopicBased,
            partition_mappings: Vec::new(),
            security: Security::default(),
            common: BTreeMap::new(),
            producer: BTreeMap::new(),
            consumer: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            connect_timeout: None,
            on_outage: OnOutage::Fail,
            quiet: Duration::ZERO,
            statistics: Duration::from_secs(5),
        }
    }
}

/// Which sessions a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// One session by its key, whatever its state: an ended one to its end, a live one from its beginning on, one that
    /// does not exist yet when it appears.
    #[default]
    Session,
    /// Every matching session that is live, and each later one, side by side.
    Live,
    /// Every matching session that had ended when reading began, one after another.
    Historic,
    /// The ended ones, and beside them the live ones.
    Both,
}

/// Where to begin with a session that was already live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveStart {
    /// At its beginning.
    #[default]
    FromBeginning,
    /// With what comes from now on.
    LeadingEdge,
}

/// When silence counts as a session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inactivity {
    /// 30 s for an ended session; never for a live one, where a warning tells of the silence.
    #[default]
    Default,
    /// Never.
    Never,
    /// After this time, live or ended.
    After(Duration),
}

/// What to read, and how.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Only this session; the pattern is ignored then.
    pub session_key: Option<String>,
    /// Only sessions of this data source.
    pub data_source: Option<String>,
    /// Only sessions whose identifier matches: `*` stands for any text, the rest for itself.
    pub pattern: String,
    /// Which of them.
    pub reading: Reading,
    /// Named streams to read; none means all, those to come included.
    pub streams: Vec<String>,
    /// Leave the main stream out.
    pub exclude_main: bool,
    /// Streams to leave out; `""` is the main stream.
    pub excluded_streams: Vec<String>,
    /// When silence counts as the end.
    pub inactivity: Inactivity,
    /// Where to begin with a session that is already live.
    pub live_start: LiveStart,
    /// How many bytes of packets may wait to be taken before fetching pauses, those that librdkafka holds included; 0 for
    /// no limit.
    pub buffer_bytes: usize,
    /// How many packets may wait to be taken before fetching pauses; 0 for no limit.
    pub buffer_packets: usize,
    /// Share the work with the other readers of this group, and resume where it left off. Live reading only.
    pub group_id: String,
    /// Read the essentials instead of the streams.
    pub essentials: bool,
    /// Begin with the first record that is not older than this (Kafka's record time), in nanoseconds.
    pub from_ns: Option<u64>,
    /// Stop at what was there when the session was taken up, even if it is still live.
    pub until_now: bool,
    /// Keep the streams of each session together in time: see [`super::Reader::set_aligned`].
    pub aligned: bool,
}

impl ReadOptions {
    /// The part of the buffer that librdkafka may fill, for each of so many consumers: it has to be ahead of the reader's
    /// thread, and fetches a megabyte at once.
    pub(crate) fn ahead_bytes(&self, consumers: usize) -> usize {
        let most = 64 << 20;
        if self.buffer_bytes == 0 { most } else { (self.buffer_bytes / 4 / consumers.max(1)).clamp(1 << 20, most) }
    }

    /// The part of the buffer that is the reader's queue; 0 for no limit.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.buffer_bytes - self.buffer_bytes / 4
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            session_key: None,
            data_source: None,
            pattern: "*".into(),
            reading: Reading::Session,
            streams: Vec::new(),
            exclude_main: false,
            excluded_streams: Vec::new(),
            inactivity: Inactivity::Default,
            live_start: LiveStart::FromBeginning,
            buffer_bytes: 64 << 20,
            buffer_packets: 0,
            group_id: String::new(),
            essentials: false,
            from_ns: None,
            until_now: false,
            aligned: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_and_the_queue_share_the_buffer() {
        let shares = |buffer_bytes, consumers| {
            let options = ReadOptions { buffer_bytes, ..ReadOptions::default() };
            (options.ahead_bytes(consumers), options.queue_bytes())
        };
        assert_eq!(shares(64 << 20, 1), (16 << 20, 48 << 20));
        assert_eq!(shares(64 << 20, 2), (8 << 20, 48 << 20));
        // A fetch is a megabyte, and no limit is none for the queue.
        assert_eq!(shares(1 << 20, 1), (1 << 20, 768 << 10));
        assert_eq!(shares(0, 1), (64 << 20, 0));
        assert_eq!(shares(1 << 40, 1).0, 64 << 20);
    }
}
