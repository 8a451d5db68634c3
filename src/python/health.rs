//! How a client and its readers are doing, as dictionaries from which `telewire.health` makes its dataclasses. None of this
//! waits for a broker.

use pyo3::prelude::*;

use crate::stream::{self, OutboxHealth, ReaderState, StreamName, Tallies, Tally, Trouble};

/// Reason and time.
type TroubleParts = Option<(String, u64)>;

fn trouble(trouble: Option<Trouble>) -> TroubleParts {
    trouble.map(|trouble| (trouble.reason, trouble.at_ns))
}

#[derive(IntoPyObject)]
pub(super) struct Broker {
    address: String,
    id: i32,
    up: bool,
    since_ns: u64,
    last_error: TroubleParts,
}

#[derive(IntoPyObject)]
pub(super) struct Writers {
    written: u64,
    bytes: u64,
    acknowledged: u64,
    failed: u64,
    retried: Option<u64>,
    queued: u64,
    queued_bytes: u64,
    limit: u64,
    limit_bytes: u64,
    oldest_ns: Option<u64>,
    last_error: TroubleParts,
}

#[derive(IntoPyObject)]
struct Lag {
    topic: String,
    partition: i32,
    data_source: String,
    stream: String,
    position: i64,
    end: Option<i64>,
    known_ns: Option<u64>,
    newest_ns: Option<u64>,
}

/// (data source, stream, packets, bytes).
type TallyParts = (String, String, u64, u64);

#[derive(IntoPyObject)]
pub(super) struct Reader {
    number: u64,
    what: String,
    essentials: bool,
    state: &'static str,
    since_ns: u64,
    lags: Vec<Lag>,
    queued: usize,
    queued_bytes: usize,
    limit: usize,
    limit_bytes: usize,
    packets: u64,
    bytes: u64,
    undecodable: u64,
    skipped: u64,
    foreign: u64,
    lost: u64,
    retried: u64,
    read: Vec<TallyParts>,
    delivered: Vec<TallyParts>,
    last_error: TroubleParts,
}

#[derive(IntoPyObject)]
pub(super) struct Health {
    closed: bool,
    at_ns: u64,
    answered_ns: u64,
    silent_since_ns: Option<u64>,
    brokers: Vec<Broker>,
    writers: Option<Writers>,
    readers: Vec<Reader>,
    directory_error: Option<String>,
}

fn tallies(tallies: Tallies) -> Vec<TallyParts> {
    let parts = |((data_source, stream), Tally { packets, bytes }): (StreamName, Tally)| {
        (data_source.to_string(), stream.to_string(), packets, bytes)
    };
    let mut parts: Vec<TallyParts> = tallies.into_iter().map(parts).collect();
    parts.sort_unstable();
    parts
}

fn state(state: ReaderState) -> &'static str {
    match state {
        ReaderState::Starting => "starting",
        ReaderState::Reading => "reading",
        ReaderState::CaughtUp => "caught_up",
        ReaderState::Paused => "paused",
        ReaderState::WaitingForBroker => "waiting_for_broker",
        ReaderState::Rebalancing => "rebalancing",
        ReaderState::Done => "done",
        ReaderState::Failed => "failed",
        ReaderState::Closed => "closed",
    }
}

impl From<stream::ReaderHealth> for Reader {
    fn from(health: stream::ReaderHealth) -> Self {
        let lag = |lag: stream::Lag| Lag {
            topic: lag.place.topic.to_string(),
            partition: lag.place.partition,
            data_source: lag.data_source.to_string(),
            stream: lag.stream.to_string(),
            position: lag.position,
            end: lag.end,
            known_ns: lag.known_ns,
            newest_ns: lag.newest_ns,
        };
        Self {
            number: health.number,
            what: health.what,
            essentials: health.essentials,
            state: state(health.state),
            since_ns: health.since_ns,
            lags: health.lags.into_iter().map(lag).collect(),
            queued: health.queued,
            queued_bytes: health.queued_bytes,
            limit: health.most,
            limit_bytes: health.most_bytes,
            packets: health.counts.packets,
            bytes: health.counts.bytes,
            undecodable: health.counts.undecodable,
            skipped: health.counts.skipped,
            foreign: health.counts.foreign,
            lost: health.counts.lost,
            retried: health.counts.retried,
            read: tallies(health.read),
            delivered: tallies(health.delivered),
            last_error: trouble(health.last_error),
        }
    }
}

impl From<OutboxHealth> for Writers {
    fn from(health: OutboxHealth) -> Self {
        Self {
            written: health.counts.written,
            bytes: health.counts.bytes,
            acknowledged: health.counts.delivered,
            failed: health.counts.failed,
            retried: health.retried,
            queued: health.queued,
            queued_bytes: health.queued_bytes,
            limit: health.most,
            limit_bytes: health.most_bytes,
            oldest_ns: health.oldest_ns,
            last_error: trouble(health.last_error),
        }
    }
}

impl From<stream::Health> for Health {
    fn from(health: stream::Health) -> Self {
        let broker = |broker: stream::BrokerHealth| Broker {
            address: broker.address,
            id: broker.id,
            up: broker.up,
            since_ns: broker.since_ns,
            last_error: trouble(broker.last_error),
        };
        Self {
            closed: health.closed,
            at_ns: health.at_ns,
            answered_ns: health.answered_ns,
            silent_since_ns: health.silent_since_ns,
            brokers: health.brokers.into_iter().map(broker).collect(),
            writers: health.writers.map(Writers::from),
            readers: health.readers.into_iter().map(Reader::from).collect(),
            directory_error: health.directory_error,
        }
    }
}
