//! How a client and its readers are doing. Asking costs a few locks and never waits for a broker: see [`super::pulse`].

use std::collections::HashMap;
use std::sync::Arc;

use super::pulse::Answers;
use super::reader::ReadCounts;
use crate::kafka::{OutboxHealth, Statistics, TopicPartition, Trouble};

/// What a reader is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReaderState {
    /// It has not begun yet.
    #[default]
    Starting,
    /// Packets come, or are still to come.
    Reading,
    /// Everything that the broker has was read.
    CaughtUp,
    /// Its buffer has been full for a while: the program takes packets more slowly than they come.
    Paused,
    /// The broker of some of its partitions does not answer.
    WaitingForBroker,
    /// The group is sharing its partitions anew.
    Rebalancing,
    /// Everything that was to be read was read.
    Done,
    /// It ended by an error.
    Failed,
    /// It was closed.
    Closed,
}

/// How far behind the end a reader is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub place: TopicPartition,
    /// The data source.
    pub data_source: Arc<str>,
    /// The stream; empty for the main stream and for essentials.
    pub stream: Arc<str>,
    /// The next offset to be fetched.
    pub position: i64,
    /// Where the partition ended; `None` while that is not known.
    pub end: Option<i64>,
    /// When the end was last heard of, in nanoseconds since the Unix epoch.
    pub known_ns: Option<u64>,
    /// When the record read last was written, in nanoseconds since the Unix epoch.
    pub newest_ns: Option<u64>,
}

/// Packets and bytes of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A data source and a stream.
pub type StreamName = (Arc<str>, Arc<str>);

/// Packets and bytes by data source and stream.
pub type Tallies = HashMap<StreamName, Tally>;

/// How a reader is doing.
#[derive(Debug, Clone)]
pub struct ReaderHealth {
    /// Its number among the readers of its client, from 1.
    pub number: u64,
    /// What it reads, in words.
    pub what: String,
    /// Whether it reads essentials.
    pub essentials: bool,
    /// What it is doing.
    pub state: ReaderState,
    /// Since when, in nanoseconds since the Unix epoch.
    pub since_ns: u64,
    /// Each of its partitions.
    pub lags: Vec<Lag>,
    /// Packets that wait to be taken, and those held back for alignment.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// As many packets fit; 0 for no limit.
    pub most: usize,
    /// As many bytes fit; 0 for no limit.
    pub most_bytes: usize,
    /// What was read.
    pub counts: ReadCounts,
    /// What was read of each stream.
    pub read: Tallies,
    /// What the program has taken of each stream.
    pub delivered: Tallies,
    /// What last went wrong.
    pub last_error: Option<Trouble>,
}

/// The connection to a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerHealth {
    /// `host:port`.
    pub address: String,
    /// Its number in the cluster; -1 while that is not known.
    pub id: i32,
    /// Whether it is there.
    pub up: bool,
    /// Since when, in nanoseconds since the Unix epoch.
    pub since_ns: u64,
    /// The last failure of a connection to it.
    pub last_error: Option<Trouble>,
}

/// How a client is doing.
#[derive(Debug, Clone)]
pub struct Health {
    /// Whether it was closed.
    pub closed: bool,
    /// When this was found.
    pub at_ns: u64,
    /// When a broker last answered; 0 for never.
    pub answered_ns: u64,
    /// Since when no broker answers, if so.
    pub silent_since_ns: Option<u64>,
    /// The brokers, by address.
    pub brokers: Vec<BrokerHealth>,
    /// Its writers, once there was one.
    pub writers: Option<OutboxHealth>,
    /// Its readers that are still there.
    pub readers: Vec<ReaderHealth>,
    /// Why sessions and formats cannot be followed any more.
    pub directory_error: Option<String>,
}

/// The last statistics of one native client, under its name.
pub type NamedStatistics = (String, Statistics);

/// A partition as its feed sees it.
#[derive(Debug, Clone)]
pub(crate) struct PartVital {
    pub(crate) place: TopicPartition,
    pub(crate) of: StreamName,
    pub(crate) position: i64,
    pub(crate) end: Option<i64>,
    pub(crate) heard_ns: Option<u64>,
    pub(crate) newest_ns: Option<u64>,
}

/// What a feed tells of itself, a few times a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedVitals {
    /// Of itself; what depends on the broker is judged by whoever asks.
    pub(crate) state: ReaderState,
    pub(crate) since_ns: u64,
    /// When it last heard of its broker, by records or by the ends of partitions.
    pub(crate) heard_ns: u64,
    /// Since when sessions cannot be taken up because the broker does not answer.
    pub(crate) held_up_ns: Option<u64>,
    pub(crate) parts: Vec<PartVital>,
}

impl FeedVitals {
    /// Goes on in another state; the same one goes on since when it began.
    pub(crate) fn turn(&mut self, state: ReaderState, now: u64) {
        if self.state != state || self.since_ns == 0 {
            (self.state, self.since_ns) = (state, now);
        }
    }

    pub(crate) fn lags(&self, answers: &Answers) -> Vec<Lag> {
        let lag = |part: &PartVital| {
            let asked = answers.ends.get(&part.place).filter(|end| end.offset >= 0);
            Lag {
                place: part.place.clone(),
                data_source: part.of.0.clone(),
                stream: part.of.1.clone(),
                position: part.position,
                end: part.end.max(asked.map(|end| end.offset)),
                known_ns: part.heard_ns.max(asked.map(|end| end.at_ns)),
                newest_ns: part.newest_ns,
            }
        };
        self.parts.iter().map(lag).collect()
    }

    /// The state, with what the broker says, and since when.
    pub(crate) fn judged(&self, answers: &Answers, failed_ns: Option<u64>, now: u64) -> (ReaderState, u64) {
        use ReaderState as S;
        if !matches!(self.state, S::Starting | S::Reading | S::CaughtUp | S::Rebalancing) {
            return (self.state, self.since_ns);
        }
        let silent = self
            .parts
            .iter()
            .filter_map(|part| answers.ends.get(&part.place))
            .map(|end| end.at_ns)
            .filter(|at_ns| answers.is_silent(*at_ns, now))
            .min();
        let cluster = Some(answers.answered_ns).filter(|at_ns| answers.is_silent(*at_ns, now));
        // A failure that nothing was heard after, and no answer either.
        let failed = failed_ns.filter(|at_ns| *at_ns > self.heard_ns && *at_ns > answers.answered_ns);
        let asking = answers.asking_since_ns;
        let asked_long = asking > 0 && now.saturating_sub(asking) >= super::pulse::SILENCE_NS;
        let failed = failed.filter(|_| !asked_long);
        match silent.or(cluster).map(|at_ns| at_ns.max(asking)).or(failed).or(self.held_up_ns) {
            Some(since) => (S::WaitingForBroker, since),
            None => {
                let behind = |lag: &Lag| lag.end.is_none_or(|end| lag.position < end);
                if self.state == S::CaughtUp && self.lags(answers).iter().any(behind) {
                    return (S::Reading, self.since_ns);
                }
                (self.state, self.since_ns)
            }
        }
    }
}

/// Of several feeds of a reader, the one whose state says most.
pub(crate) fn weightier(states: impl Iterator<Item = (ReaderState, u64)>) -> Option<(ReaderState, u64)> {
    use ReaderState as S;
    let weight = |state: ReaderState| match state {
        S::Closed => 8,
        S::Failed => 7,
        S::WaitingForBroker => 6,
        S::Paused => 5,
        S::Rebalancing => 4,
        S::Reading => 3,
        S::Starting => 2,
        S::CaughtUp => 1,
        S::Done => 0,
    };
    states.max_by_key(|(state, _)| weight(*state))
}

#[cfg(test)]
mod tests {
    use super::super::pulse::{End, SILENCE_NS};
    use super::*;

    fn vitals(state: ReaderState, position: i64, end: i64) -> FeedVitals {
        let place = TopicPartition::new("t", 0);
        let part = PartVital {
            place,
            of: ("d".into(), "s".into()),
            position,
            end: Some(end),
            heard_ns: Some(5),
            newest_ns: None,
        };
        FeedVitals { state, since_ns: 3, heard_ns: 5, held_up_ns: None, parts: vec![part] }
    }

    fn answers(end: i64, at_ns: u64) -> Answers {
        let ends = [(TopicPartition::new("t", 0), End { offset: end, at_ns })].into();
        Answers { asking_since_ns: 1, answered_ns: at_ns, ends, ..Answers::default() }
    }

    #[test]
    fn the_younger_word_of_the_end_counts_and_says_its_age() {
        let lags = vitals(ReaderState::Reading, 7, 9).lags(&answers(20, 50));
        assert_eq!((lags[0].end, lags[0].known_ns), (Some(20), Some(50)));
        let lags = vitals(ReaderState::Reading, 7, 9).lags(&Answers::default());
        assert_eq!((lags[0].end, lags[0].known_ns), (Some(9), Some(5)));
    }

    #[test]
    fn a_reader_that_believes_itself_caught_up_is_reading_when_the_broker_has_more() {
        let judged = vitals(ReaderState::CaughtUp, 9, 9).judged(&answers(10, 50), None, 60);
        assert_eq!(judged.0, ReaderState::Reading);
        assert_eq!(vitals(ReaderState::CaughtUp, 9, 9).judged(&answers(9, 50), None, 60), (ReaderState::CaughtUp, 3));
    }

    #[test]
    fn a_broker_that_was_asked_and_says_nothing_is_waited_for_since_its_last_answer() {
        let judged = vitals(ReaderState::CaughtUp, 9, 9).judged(&answers(9, 50), None, 50 + SILENCE_NS);
        assert_eq!(judged, (ReaderState::WaitingForBroker, 50));
        // A slow program is told first: it has packets enough.
        let judged = vitals(ReaderState::Paused, 8, 9).judged(&answers(9, 50), None, 50 + SILENCE_NS);
        assert_eq!(judged.0, ReaderState::Paused);
    }

    #[test]
    fn a_failure_counts_until_something_is_heard_again() {
        let unasked = Answers::default();
        let reading = vitals(ReaderState::Reading, 8, 9);
        assert_eq!(reading.judged(&unasked, Some(7), 8), (ReaderState::WaitingForBroker, 7));
        assert_eq!(reading.judged(&unasked, Some(4), 8), (ReaderState::Reading, 3));
        assert_eq!(reading.judged(&answers(9, 50), Some(7), 60), (ReaderState::Reading, 3));
    }

    #[test]
    fn the_same_state_goes_on_since_it_began() {
        let mut vitals = FeedVitals::default();
        vitals.turn(ReaderState::Starting, 1);
        vitals.turn(ReaderState::Reading, 2);
        vitals.turn(ReaderState::Reading, 3);
        assert_eq!(vitals.since_ns, 2);
    }
}
