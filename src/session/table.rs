//! The fold: records of the session-info topic in, sessions and changes out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::merge::{Entry, Position};
use super::offsets::TopicNames;
use super::{Record, SessionChange, SessionInfo};
use crate::error::Result;
use crate::packet::{Envelope, PacketType, decode_message};
use crate::proto::open_data::{EndOfSessionPacket, NewSessionPacket, SessionInfoPacket};

/// How many sessions without a `NewSession` are kept, and how many bytes of their records. Either they were overtaken,
/// then it comes soon, or retention has erased it, then they are forgotten, oldest first.
const MOST_ORPHANS: usize = 10_000;
const MOST_ORPHAN_BYTES: usize = 16 << 20;
/// How many details one session may have. Updates add to them without end, and each update costs a copy of all.
pub(super) const MOST_DETAILS: usize = 10_000;

/// Records that were passed over, and why the last one was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Records without a value or with one that is not the packet it claims to be.
    pub undecodable: u64,
    /// Records without a Kafka key or without a session key.
    pub without_key: u64,
    /// Packets of a type that has nothing to do with sessions, such as status messages.
    pub other_types: u64,
    /// Sessions forgotten because their `NewSession` never came.
    pub orphans_dropped: u64,
    /// Details beyond the 10,000 that one session may have.
    pub details_dropped: u64,
    /// Why the last one was passed over.
    pub last_reason: Option<String>,
}

/// All sessions of a session-info topic.
///
/// Duplicates change nothing, and a record of our own may be applied before earlier ones of its partition: each field
/// has the value of the last record that set it. Updates and ends of a session that has not started yet wait for its
/// start. Nothing that a record contains is an error; see [`SessionTable::ignored`].
#[derive(Debug, Default)]
pub struct SessionTable {
    sessions: HashMap<String, Entry>,
    orphans: HashMap<String, Orphan>,
    /// Orphans by age.
    orphan_ages: BTreeMap<u64, String>,
    orphan_bytes: usize,
    orphans_seen: u64,
    /// Keys that are named as associates, and the sessions that name them: whether or not there is such a session.
    named_by: HashMap<String, BTreeSet<String>>,
    topic_names: TopicNames,
    ignored: Ignored,
}

#[derive(Debug)]
struct Orphan {
    entry: Entry,
    age: u64,
    bytes: usize,
}

enum Change {
    Update(SessionInfoPacket),
    End(EndOfSessionPacket),
}

impl Ignored {
    /// Everything that was passed over, other types of packets aside: those belong to somebody else.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.undecodable + self.without_key + self.orphans_dropped + self.details_dropped
    }
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a record and tells what it changed.
    pub fn apply(&mut self, record: &Record<'_>) -> Vec<SessionChange> {
        let Some(kafka_key) = record.key else {
            self.ignored.without_key += 1;
            return self.pass_over(record, "it has no Kafka key");
        };
        let Some(value) = record.value else {
            self.ignored.undecodable += 1;
            return self.pass_over(record, "it has no value");
        };
        match self.decode_and_apply(record, kafka_key, value) {
            Ok(changes) => changes,
            Err(error) => {
                self.ignored.undecodable += 1;
                self.pass_over(record, &error.to_string())
            }
        }
    }

    fn decode_and_apply(&mut self, record: &Record<'_>, kafka_key: &[u8], value: &[u8]) -> Result<Vec<SessionChange>> {
        let at = Position { partition: record.partition, offset: record.offset, timestamp_ms: record.timestamp_ms };
        let envelope = Envelope::peek(value)?;
        let kind = PacketType::parse(envelope.type_name);
        if !matches!(kind, PacketType::NewSession | PacketType::SessionInfo | PacketType::EndOfSession) {
            self.ignored.other_types += 1;
            return Ok(self.pass_over(record, "its type has nothing to do with sessions"));
        }
        let key = match envelope.session_key {
            "" => std::str::from_utf8(kafka_key).unwrap_or_default(),
            key => key,
        };
        if key.is_empty() {
            self.ignored.without_key += 1;
            return Ok(self.pass_over(record, "it has no session key"));
        }
        let bytes = value.len();
        Ok(match kind {
            PacketType::NewSession => self.start(key, decode_message(kind, envelope.content)?, at),
            PacketType::SessionInfo => {
                self.change(key, Change::Update(decode_message(kind, envelope.content)?), at, bytes)
            }
            _ => self.change(key, Change::End(decode_message(kind, envelope.content)?), at, bytes),
        })
    }

    fn start(&mut self, key: &str, packet: NewSessionPacket, at: Position) -> Vec<SessionChange> {
        if let Some(entry) = self.sessions.get_mut(key) {
            entry.seen(at);
            return Vec::new();
        }
        let mut entry = match self.orphans.remove(key) {
            Some(orphan) => {
                self.orphan_ages.remove(&orphan.age);
                self.orphan_bytes -= orphan.bytes;
                orphan.entry
            }
            None => Entry::new(key),
        };
        entry.seen(at);
        entry.start(packet, at, self.sessions.len() as u64, &mut self.topic_names);
        let info = Arc::clone(entry.info());
        let mut changes = vec![SessionChange::Started(entry.info_before_end())];
        self.sessions.insert(key.to_owned(), entry);
        self.associate(&info, &[], &mut changes);
        for main in self.associated_with(key) {
            changes.push(SessionChange::Associated { main, associate: Arc::clone(&info) });
        }
        if info.ended {
            changes.push(SessionChange::Ended(info));
        }
        changes
    }

    fn change(&mut self, key: &str, change: Change, at: Position, bytes: usize) -> Vec<SessionChange> {
        let Some(entry) = self.sessions.get_mut(key) else {
            self.change_orphan(key, change, at, bytes);
            return Vec::new();
        };
        entry.seen(at);
        let before = Arc::clone(entry.info());
        let changed = match change {
            Change::Update(packet) => entry.update(packet, at, &mut self.ignored),
            Change::End(packet) => entry.finish(packet, at, &mut self.topic_names),
        };
        if !changed {
            return Vec::new();
        }
        let info = Arc::clone(entry.info());
        let mut changes = vec![if info.ended && !before.ended {
            SessionChange::Ended(Arc::clone(&info))
        } else {
            SessionChange::Updated(Arc::clone(&info))
        }];
        self.associate(&info, &before.associates, &mut changes);
        changes
    }

    fn change_orphan(&mut self, key: &str, change: Change, at: Position, bytes: usize) {
        if !self.orphans.contains_key(key) {
            let age = self.orphans_seen;
            self.orphans_seen += 1;
            self.orphan_ages.insert(age, key.to_owned());
            self.orphans.insert(key.to_owned(), Orphan { entry: Entry::new(key), age, bytes: 0 });
        }
        if let Some(orphan) = self.orphans.get_mut(key) {
            orphan.entry.seen(at);
            match change {
                Change::Update(packet) => orphan.entry.update(packet, at, &mut self.ignored),
                Change::End(packet) => orphan.entry.finish(packet, at, &mut self.topic_names),
            };
            orphan.bytes += bytes;
            self.orphan_bytes += bytes;
        }
        while self.orphans.len() > MOST_ORPHANS || self.orphan_bytes > MOST_ORPHAN_BYTES {
            let Some((_, oldest)) = self.orphan_ages.pop_first() else { break };
            if let Some(orphan) = self.orphans.remove(&oldest) {
                self.orphan_bytes -= orphan.bytes;
            }
            self.ignored.orphans_dropped += 1;
            self.ignored.last_reason = Some("the start of a session is missing on the session-info topic".to_owned());
        }
    }

    /// Tells the associations that `main` got since it had `before`, now or when the other session appears.
    fn associate(&mut self, main: &Arc<SessionInfo>, before: &[String], changes: &mut Vec<SessionChange>) {
        if main.associates == before {
            return;
        }
        // By sets: a hostile list has as many entries as fit into a packet.
        let named: HashSet<&str> = main.associates.iter().map(String::as_str).collect();
        for gone in before.iter().filter(|key| !named.contains(key.as_str())) {
            if let Some(mains) = self.named_by.get_mut(gone) {
                mains.remove(&main.key);
                if mains.is_empty() {
                    self.named_by.remove(gone);
                }
            }
        }
        let mut seen: HashSet<&str> = before.iter().map(String::as_str).collect();
        for key in &main.associates {
            // A list may name a session twice, or itself.
            if !seen.insert(key) || *key == main.key {
                continue;
            }
            self.named_by.entry(key.clone()).or_default().insert(main.key.clone());
            if let Some(associate) = self.get(key) {
                changes.push(SessionChange::Associated { main: Arc::clone(main), associate });
            }
        }
    }

    fn pass_over(&mut self, record: &Record<'_>, reason: &str) -> Vec<SessionChange> {
        let place = format!("record at partition {} offset {} passed over: {reason}", record.partition, record.offset);
        self.ignored.last_reason = Some(place);
        Vec::new()
    }

    /// The session with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<SessionInfo>> {
        self.sessions.get(key).map(|entry| Arc::clone(entry.info()))
    }

    /// All sessions by the time of their creation, then in the order of the topic. Sessions without a time come first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<SessionInfo>> {
        self.select(|_| true)
    }

    /// The sessions of a data source, exactly so named, in the order of [`SessionTable::all`].
    #[must_use]
    pub fn of_data_source(&self, data_source: &str) -> Vec<Arc<SessionInfo>> {
        self.select(|info| info.data_source == data_source)
    }

    /// The sessions that have not ended, in the order of [`SessionTable::all`].
    #[must_use]
    pub fn live(&self) -> Vec<Arc<SessionInfo>> {
        self.select(|info| !info.ended)
    }

    /// The sessions that name this one among their associates, in the order of [`SessionTable::all`].
    #[must_use]
    pub fn associated_with(&self, key: &str) -> Vec<Arc<SessionInfo>> {
        let mains = self.named_by.get(key).into_iter().flatten();
        in_order(mains.filter_map(|main| self.get(main)).collect())
    }

    /// The sessions that a filter takes, in the order of [`SessionTable::all`].
    #[must_use]
    pub fn find(&self, filter: &SessionFilter<'_>) -> Vec<Arc<SessionInfo>> {
        let mut found: Vec<&Arc<SessionInfo>> = self.iter().filter(|info| filter.takes(info)).collect();
        if let Some(limit) = filter.limit
            && limit < found.len()
        {
            // Of a million sessions only the newest few are put in order.
            let others = found.len() - limit;
            if limit > 0 {
                found.select_nth_unstable_by_key(others, |info| (info.created_ns, info.order));
            }
            found.drain(..others);
        }
        in_order(found.into_iter().map(Arc::clone).collect())
    }

    /// All sessions, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SessionInfo>> {
        self.sessions.values().map(Entry::info)
    }

    fn select(&self, wanted: impl Fn(&SessionInfo) -> bool) -> Vec<Arc<SessionInfo>> {
        in_order(self.iter().filter(|info| wanted(info)).map(Arc::clone).collect())
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What was passed over.
    #[must_use]
    pub fn ignored(&self) -> &Ignored {
        &self.ignored
    }
}

/// Which sessions are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionFilter<'a> {
    /// Only those of this data source.
    pub data_source: Option<&'a str>,
    /// Only those created at this time or later, or with a record since then, in nanoseconds since the Unix epoch.
    pub since_ns: Option<u64>,
    /// Only live or only ended ones.
    pub live: Option<bool>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

impl SessionFilter<'_> {
    fn takes(&self, info: &SessionInfo) -> bool {
        let last_ns = || info.created_ns.unwrap_or(0).max(info.last_record_ns);
        self.data_source.is_none_or(|name| info.data_source == name)
            && self.live.is_none_or(|live| info.ended != live)
            && self.since_ns.is_none_or(|since| last_ns() >= since)
    }
}

fn in_order(mut found: Vec<Arc<SessionInfo>>) -> Vec<Arc<SessionInfo>> {
    found.sort_unstable_by_key(|info| (info.created_ns, info.order));
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::proto::open_data::Packet;
    use crate::session::{NewSession, Offsets, end_of_session_packet, new_session_packet, session_info_packet};
    use crate::topic::Layout;
    use SessionChange::{Associated, Ended, Started, Updated};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use prost::Message;

    /// A record as it lies on the topic.
    #[derive(Debug, Clone)]
    struct Written {
        partition: i32,
        offset: i64,
        timestamp_ms: i64,
        value: Vec<u8>,
    }

    /// A topic that is written in order.
    #[derive(Debug, Default)]
    struct Topic(Vec<Written>);

    impl Topic {
        fn raw(&mut self, value: Vec<u8>) -> &mut Self {
            let offset = self.0.len() as i64;
            self.0.push(Written { partition: 0, offset, timestamp_ms: 1_000 + offset, value });
            self
        }
        fn packet(&mut self, kind: &str, key: &str, content: &impl Message) -> &mut Self {
            let packet = Packet {
                r#type: kind.to_owned(),
                session_key: key.to_owned(),
                content: content.encode_to_vec(),
                ..Packet::default()
            };
            self.raw(packet.encode_to_vec())
        }
        fn new_session(&mut self, key: &str, associates: &[&str]) -> &mut Self {
            let session_info = Some(SessionInfoPacket { associate_session_keys: owned(associates), ..info("S") });
            let new = NewSessionPacket { data_source: "Car".to_owned(), session_info, ..Default::default() };
            self.packet("NewSession", key, &new)
        }
        fn info(&mut self, key: &str, info: SessionInfoPacket) -> &mut Self {
            self.packet("SessionInfo", key, &info)
        }
        fn end(&mut self, key: &str, offset: i64) -> &mut Self {
            let topic_partition_offsets = BTreeMap::from([("Data.Car:0".to_owned(), offset)]);
            self.packet("EndOfSession", key, &EndOfSessionPacket { topic_partition_offsets, ..Default::default() })
        }
        fn replay(&self) -> (SessionTable, Vec<SessionChange>) {
            let mut table = SessionTable::new();
            let changes = self.0.iter().flat_map(|written| apply(&mut table, written)).collect();
            (table, changes)
        }
    }

    fn apply(table: &mut SessionTable, written: &Written) -> Vec<SessionChange> {
        table.apply(&Record {
            partition: written.partition,
            offset: written.offset,
            timestamp_ms: written.timestamp_ms,
            key: Some(b"kafka key"),
            value: Some(&written.value),
        })
    }

    fn owned(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    fn info(identifier: &str) -> SessionInfoPacket {
        SessionInfoPacket { identifier: identifier.to_owned(), ..Default::default() }
    }

    fn associates(keys: &[&str]) -> SessionInfoPacket {
        SessionInfoPacket { associate_session_keys: owned(keys), ..Default::default() }
    }

    /// The changes in short: what happened to which session.
    fn told(changes: &[SessionChange]) -> Vec<String> {
        let tell = |change: &SessionChange| match change {
            Started(info) => format!("started {}{}", info.key, if info.ended { " ended?" } else { "" }),
            Updated(info) => format!("updated {}", info.key),
            Ended(info) => format!("ended {}{}", info.key, if info.ended { "" } else { " live?" }),
            Associated { main, associate } => format!("associated {} {}", main.key, associate.key),
        };
        changes.iter().map(tell).collect()
    }

    #[test]
    fn conformance_5_session_script_replays_to_one_complete_session_with_two_associates() {
        let mut topic = Topic::default();
        let topic_partition_offsets = BTreeMap::from([("Default:0".to_owned(), 10)]);
        let new = NewSessionPacket { data_source: "Default".into(), topic_partition_offsets, ..Default::default() };
        let typed = SessionInfoPacket { r#type: "Session".into(), version: 2, ..Default::default() };
        topic
            .packet("NewSession", "k", &new)
            .info("k", typed)
            .info("k", info("Race"))
            .info("k", associates(&["a"]))
            .info("k", associates(&["a", "b"]))
            .info("k", associates(&["a", "b"]))
            .end("k", 20);
        let (mut table, changes) = topic.replay();
        assert_eq!(told(&changes), ["started k", "updated k", "updated k", "updated k", "updated k", "ended k"]);
        assert_eq!(table.len(), 1);
        let session = table.get("k").unwrap();
        assert!(session.ended);
        assert_eq!((session.kind.as_str(), session.version, session.identifier.as_str()), ("Session", 2, "Race"));
        assert_eq!(session.associates, ["a", "b"]);
        assert_eq!(session.start_offsets, Offsets::from_iter([(("Default", 0), 10)]));
        assert_eq!(session.end_offsets, Offsets::from_iter([(("Data.Car", 0), 20)]));
        assert_eq!(session.created_ns, Some(1_000_000_000), "the time of its record");

        // Then a session of our own, from creation to end.
        let layout = Layout::default();
        let new = NewSession { data_source: "Default".into(), created_ns: 5, ..NewSession::default() };
        let mut own = Topic(topic.0.clone());
        own.raw(new_session_packet("own", &new, &Offsets::new(), &layout));
        let changes = apply(&mut table, own.0.last().unwrap());
        assert_eq!(told(&changes), ["started own"]);
        let mut session = SessionInfo::clone(&table.get("own").unwrap());
        session.identifier = "Renamed".into();
        session.associates = owned(&["k"]);
        own.raw(session_info_packet(&session));
        let changes = apply(&mut table, own.0.last().unwrap());
        assert_eq!(told(&changes), ["updated own", "associated own k"]);
        own.raw(end_of_session_packet("own", "Default", &Offsets::new(), 77, &layout));
        let changes = apply(&mut table, own.0.last().unwrap());
        assert_eq!(told(&changes), ["ended own"]);
        let session = table.get("own").unwrap();
        assert_eq!((session.identifier.as_str(), session.created_ns, session.ended_ns), ("Renamed", Some(5), Some(77)));
        let keys: Vec<_> = table.all().iter().map(|info| info.key.clone()).collect();
        assert_eq!(keys, ["own", "k"], "by creation time");
    }

    #[test]
    fn an_update_replaces_what_it_gives_and_keeps_the_rest() {
        let mut topic = Topic::default();
        let details = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        topic.new_session("k", &["a"]);
        topic.info("k", SessionInfoPacket { details: details(&[("x", "1"), ("y", "1")]), ..info("Race") });
        topic.info("k", SessionInfoPacket { details: details(&[("x", "2")]), version: 3, ..Default::default() });
        topic.info("k", SessionInfoPacket { data_source: "Other".into(), ..Default::default() });
        topic.info("k", info("Race"));
        let (table, changes) = topic.replay();
        assert_eq!(told(&changes), ["started k", "updated k", "updated k"], "updates without effect are not told");
        let session = table.get("k").unwrap();
        assert_eq!((session.identifier.as_str(), session.version, session.data_source.as_str()), ("Race", 3, "Car"));
        assert_eq!(session.details, details(&[("x", "2"), ("y", "1")]));
        assert_eq!(session.associates, ["a"]);
    }

    #[test]
    fn times_and_utc_offset_are_replaced_when_present_and_the_end_record_wins() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let mut topic = Topic::default();
        topic.new_session("k", &[]);
        let times = SessionInfoPacket {
            creation_time: at(1),
            termination_time: at(9),
            utc_offset: Some(prost_types::Duration { seconds: -60, nanos: 0 }),
            ..Default::default()
        };
        topic.info("k", times.clone()).info("k", info("x"));
        let session = topic.replay().0.get("k").unwrap();
        assert_eq!((session.created_ns, session.ended_ns), (Some(1_000_000_000), Some(9_000_000_000)));
        assert_eq!((session.utc_offset_ns, session.ended), (-60_000_000_000, false));
        topic.packet("EndOfSession", "k", &EndOfSessionPacket { termination_time: at(5), ..Default::default() });
        topic.info("k", times);
        assert_eq!(topic.replay().0.get("k").unwrap().ended_ns, Some(5_000_000_000));
    }

    #[test]
    fn the_first_end_wins() {
        let mut topic = Topic::default();
        topic.new_session("k", &[]).end("k", 10).end("k", 99);
        let (table, changes) = topic.replay();
        assert_eq!(told(&changes), ["started k", "ended k"]);
        assert_eq!(table.get("k").unwrap().end_offsets.get(&("Data.Car", 0)), Some(&10));
        assert!(table.live().is_empty());
        topic.info("k", info("late"));
        assert_eq!(told(&topic.replay().1), ["started k", "ended k", "updated k"]);
    }

    #[test]
    fn what_overtakes_the_start_of_a_session_is_applied_when_it_starts() {
        let mut topic = Topic::default();
        let details = |value: &str| BTreeMap::from([("weather".to_owned(), value.to_owned())]);
        topic.info("k", SessionInfoPacket { details: details("rain"), ..info("Race") }).end("k", 10);
        let (table, changes) = topic.replay();
        assert!(changes.is_empty() && table.is_empty() && table.get("k").is_none(), "without a start it is not listed");
        let session_info = Some(SessionInfoPacket { details: details("dry"), ..associates(&["b"]) });
        let new = NewSessionPacket { data_source: "Car".into(), session_info, ..Default::default() };
        topic.packet("NewSession", "k", &new).new_session("b", &[]);
        let (table, changes) = topic.replay();
        assert_eq!(told(&changes), ["started k", "ended k", "started b", "associated k b"]);
        let session = table.get("k").unwrap();
        assert!(session.ended);
        assert_eq!((session.identifier.as_str(), session.data_source.as_str()), ("Race", "Car"));
        assert_eq!(session.details, details("rain"));
        assert!(matches!(&changes[0], Started(info) if info.end_offsets.is_empty() && info.identifier == "Race"));
    }

    #[test]
    fn associations_are_told_once_both_sessions_are_known() {
        let mut topic = Topic::default();
        topic.new_session("a", &[]).new_session("k", &["a", "b", "a", "k"]);
        assert_eq!(told(&topic.replay().1), ["started a", "started k", "associated k a"]);
        topic.new_session("b", &[]);
        assert_eq!(told(&topic.replay().1)[3..], ["started b", "associated k b"]);
        topic.end("k", 1).info("k", associates(&["b", "c", "d"])).info("k", associates(&["b", "d"]));
        topic.new_session("c", &[]).new_session("d", &[]);
        let changes = told(&topic.replay().1);
        assert_eq!(changes[5..], ["ended k", "updated k", "updated k", "started c", "started d", "associated k d"]);
    }

    #[test]
    fn conformance_12_null_keys_and_foreign_records_are_counted_and_never_stop_the_fold() {
        let mut table = SessionTable::new();
        let packet = |kind: &str, key: &str, content: &[u8]| {
            let packet =
                Packet { r#type: kind.into(), session_key: key.into(), content: content.into(), ..Default::default() };
            packet.encode_to_vec()
        };
        let good = packet("NewSessionPacket", "", b"");
        type Part<'a> = Option<&'a [u8]>;
        let records: [(Part<'_>, Part<'_>); 7] = [
            (None, Some(&good)),
            (Some(b"k"), None),
            (Some(b"k"), Some(b"\xff\xff")),
            (Some(b"k"), Some(&packet("NewSession", "k", b"\xff"))),
            (Some(b"k"), Some(&packet("SystemStatusMessage", "k", b""))),
            (Some(b""), Some(&good)),
            (Some(b"\xff"), Some(&good)),
        ];
        for (offset, (key, value)) in (0..).zip(records) {
            let changes = table.apply(&Record { partition: 2, offset, timestamp_ms: -1, key, value });
            assert!(changes.is_empty());
        }
        let ignored = table.ignored().clone();
        assert_eq!((ignored.without_key, ignored.undecodable, ignored.other_types), (3, 3, 1));
        assert!(ignored.last_reason.unwrap().contains("partition 2 offset 6"));
        let changes =
            table.apply(&Record { partition: 2, offset: 7, timestamp_ms: -1, key: Some(b"k"), value: Some(&good) });
        assert_eq!(told(&changes), ["started k"], "the old type name and the Kafka key are enough");
        assert_eq!((table.get("k").unwrap().created_ns, table.get("k").unwrap().last_record_ns), (None, 0));
    }

    #[test]
    fn sessions_whose_start_was_erased_are_forgotten_in_the_end() {
        let mut topic = Topic::default();
        for i in 0..=MOST_ORPHANS {
            topic.end(&format!("k{i}"), 1);
        }
        let (mut table, _) = topic.replay();
        assert_eq!((table.orphans.len(), table.orphan_ages.len()), (MOST_ORPHANS, MOST_ORPHANS));
        assert_eq!(table.ignored().orphans_dropped, 1);
        assert!(!table.orphans.contains_key("k0"), "the oldest goes first");
        let bytes = table.orphan_bytes;
        topic.new_session("k5", &[]);
        assert_eq!(told(&apply(&mut table, topic.0.last().unwrap())), ["started k5", "ended k5"]);
        assert!(table.orphan_bytes < bytes && table.orphans.len() == table.orphan_ages.len());
    }

    #[test]
    fn the_bytes_kept_for_erased_sessions_are_bounded() {
        let mut topic = Topic::default();
        for i in 0..40 {
            topic.info(&format!("k{i}"), info(&"x".repeat(1 << 20)));
        }
        let (table, _) = topic.replay();
        assert!(table.orphan_bytes <= MOST_ORPHAN_BYTES && table.orphans.len() == 15);
    }

    #[test]
    fn the_details_of_a_session_are_bounded_and_those_it_has_still_change() {
        let mut topic = Topic::default();
        let details = |from: usize, to: usize, value: &str| SessionInfoPacket {
            details: (from..to).map(|i| (format!("{i:06}"), value.to_owned())).collect(),
            ..Default::default()
        };
        topic.new_session("k", &[]).info("k", details(0, MOST_DETAILS, "a"));
        assert_eq!(topic.replay().0.ignored().details_dropped, 0);
        topic.info("k", details(MOST_DETAILS - 1, MOST_DETAILS + 2, "b"));
        let (table, _) = topic.replay();
        let session = table.get("k").unwrap();
        assert_eq!((session.details.len(), table.ignored().details_dropped), (MOST_DETAILS, 2));
        assert_eq!(session.details[&format!("{:06}", MOST_DETAILS - 1)], "b");
        assert!(table.ignored().last_reason.as_deref().unwrap().contains("10000 details"));
    }

    #[test]
    fn a_packet_full_of_associates_takes_no_time_worth_mentioning() {
        let mut topic = Topic::default();
        let keys: Vec<String> = (0..150_000).map(|i| format!("{i:x}")).collect();
        let many = SessionInfoPacket { associate_session_keys: keys, ..Default::default() };
        let begun = std::time::Instant::now();
        topic.new_session("k", &[]).info("k", many).info("k", associates(&["0"]));
        assert_eq!(topic.replay().0.get("k").unwrap().associates, ["0"]);
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn sessions_are_listed_by_data_source_and_life() {
        let mut topic = Topic::default();
        let other = NewSessionPacket { data_source: "car".into(), ..Default::default() };
        topic.new_session("a", &[]).new_session("b", &[]).packet("NewSession", "c", &other).end("a", 1);
        let table = topic.replay().0;
        let keys = |found: Vec<Arc<SessionInfo>>| found.iter().map(|info| info.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(table.all()), ["a", "b", "c"]);
        assert_eq!(keys(table.of_data_source("Car")), ["a", "b"]);
        assert_eq!(keys(table.live()), ["b", "c"]);
        for limit in 0..5 {
            let newest = table.find(&SessionFilter { limit: Some(limit), ..SessionFilter::default() });
            assert_eq!(newest, table.all()[table.len().saturating_sub(limit)..]);
        }
        let found = |data_source, live| {
            keys(table.find(&SessionFilter { data_source, live, limit: Some(1), ..SessionFilter::default() }))
        };
        assert_eq!(found(None, Some(true)), ["c"]);
        assert_eq!(found(Some("Car"), None), ["b"]);
        assert_eq!(found(Some("Nobody"), None), [""; 0]);
        assert_eq!(table.get("a").unwrap().last_record_ns, 1_003_000_000);
    }

    #[test]
    fn between_partitions_of_a_foreign_topic_the_later_record_wins() {
        let mut topic = Topic::default();
        topic.new_session("k", &[]).info("k", info("second")).info("k", info("first"));
        (topic.0[1].timestamp_ms, topic.0[2].timestamp_ms) = (3_000, 2_000);
        (topic.0[2].partition, topic.0[2].offset) = (1, 0);
        assert_eq!(topic.replay().0.get("k").unwrap().identifier, "second");
    }

    /// Records of few sessions in any order, on a topic of one partition.
    fn topics() -> impl Strategy<Value = Vec<Written>> {
        let key = || prop_oneof![Just("a"), Just("b"), Just("c")];
        let details = btree_map("[xy]", "[0-9]", 0..3);
        let update = (key(), "[A-C]?", vec(key(), 0..3), 0_u32..3, details, any::<Option<i16>>());
        let record = prop_oneof![
            (key(), vec(key(), 0..3)).prop_map(|(key, others)| {
                let mut topic = Topic::default();
                topic.new_session(key, &others);
                topic
            }),
            update.prop_map(|(key, identifier, others, version, details, time)| {
                let time = time.map(|seconds| prost_types::Timestamp { seconds: seconds.into(), nanos: 0 });
                let mut topic = Topic::default();
                topic.info(
                    key,
                    SessionInfoPacket {
                        identifier,
                        version,
                        details,
                        associate_session_keys: owned(&others),
                        creation_time: time,
                        termination_time: time,
                        ..Default::default()
                    },
                );
                topic
            }),
            (key(), 0_i64..9).prop_map(|(key, offset)| {
                let mut topic = Topic::default();
                topic.end(key, offset);
                topic
            }),
        ];
        vec((record, 0_i64..50), 1..24).prop_map(|records| {
            let written = records.into_iter().enumerate().map(|(offset, (mut topic, timestamp_ms))| {
                let value = topic.0.remove(0).value;
                Written { partition: 0, offset: offset as i64, timestamp_ms, value }
            });
            written.collect()
        })
    }

    fn state(table: &SessionTable) -> Vec<Arc<SessionInfo>> {
        table.all()
    }

    proptest! {
        #[test]
        fn duplicates_of_records_change_nothing(
            records in topics(),
            again in vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 0..24),
        ) {
            let (once, told_once) = Topic(records.clone()).replay();
            let (mut twice, mut told_twice) = (SessionTable::new(), Vec::new());
            for (i, written) in records.iter().enumerate() {
                told_twice.extend(apply(&mut twice, written));
                for (when, which) in &again {
                    if when.index(records.len()) == i {
                        let changes = apply(&mut twice, &records[which.index(i + 1)]);
                        prop_assert!(changes.is_empty(), "{:?}", changes);
                    }
                }
            }
            prop_assert_eq!(state(&once), state(&twice));
            prop_assert_eq!(told(&told_once), told(&told_twice));
        }

        #[test]
        fn a_record_of_our_own_applied_before_earlier_ones_gives_the_same_sessions(
            records in topics(), own in any::<proptest::sample::Index>(), when in any::<proptest::sample::Index>(),
        ) {
            let own = own.index(records.len());
            let when = when.index(own + 1);
            let mut early = SessionTable::new();
            for (i, written) in records.iter().enumerate() {
                if i == when {
                    apply(&mut early, &records[own]);
                }
                apply(&mut early, written);
            }
            // A process starts a session once, so a second start of the same key is not this case.
            let by_key = |table: &SessionTable| {
                let mut sessions: Vec<SessionInfo> = state(table).iter().map(|info| SessionInfo::clone(info)).collect();
                sessions.iter_mut().for_each(|info| info.order = 0);
                sessions.sort_by(|a, b| a.key.cmp(&b.key));
                sessions
            };
            let own_packet = Packet::decode(records[own].value.as_slice()).unwrap();
            if own_packet.r#type != "NewSession" {
                prop_assert_eq!(by_key(&Topic(records).replay().0), by_key(&early));
            }
        }
    }
}
