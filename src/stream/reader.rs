//! The reader: packets of sessions in order, and everything that happens to those sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::Client;
use super::directory::join;
use super::feed::{Feed, Scope};
use super::health::{FeedVitals, ReaderHealth, ReaderState, StreamName, Tallies, weightier};
use super::options::{ReadOptions, Reading};
use super::pulse::Answers;
use super::queue::{Batch, Queue};
use crate::error::{Error, Result};
use crate::kafka::{Consumer, Start, Statistics, TopicPartition, Trouble};
use crate::packet::{Head, latest_ns};
use crate::session::{Pattern, SessionInfo};
use crate::sync::Mutex;
use crate::time::{after, now_ns};
use crate::topic;

/// A session, as far as each of its packets names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRef {
    /// The session key.
    pub key: Arc<str>,
    /// Its data source.
    pub data_source: Arc<str>,
}

/// A stream of a session; `""` is the main stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRef {
    /// The session.
    pub session: Arc<SessionRef>,
    /// The stream's name.
    pub stream: Arc<str>,
}

/// Where packets come from. Those of one partition and session that were fetched together share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The session that the records' key names.
    pub session: Arc<SessionRef>,
    /// The stream; `""` for the main stream and for essentials.
    pub stream: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

/// A packet as it lay on the topic.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// Its offset there.
    pub offset: i64,
    /// When it was submitted (Kafka's record time), in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The fields of its envelope; `None` for a record that is no packet.
    pub head: Option<Head>,
    /// The serialised `Packet`, untouched.
    pub payload: Bytes,
}

impl Packet {
    /// The highest time it carries, as far as [`latest_ns`] finds one.
    pub(crate) fn latest_ns(&self) -> Option<u64> {
        let head = self.head.as_ref()?;
        latest_ns(head.packet_type(&self.payload), head.content(&self.payload))
    }
}

impl std::ops::Deref for Packet {
    type Target = Origin;

    fn deref(&self) -> &Origin {
        &self.origin
    }
}

/// How a session's reading came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Everything up to the end offsets was read.
    EndOffsets,
    /// Nothing came for the inactivity time.
    Inactivity,
}

/// What a reader gives, in order.
#[derive(Debug, Clone)]
pub enum Item {
    /// Reading of a session begins; before its first packet.
    SessionStarted(Arc<SessionInfo>),
    /// Before the first packet of a stream of a session.
    StreamStarted(StreamRef),
    /// A packet.
    Packet(Packet),
    /// Everything before this time has arrived; follows the packet that said so.
    CoverageCursor {
        /// The session.
        session: Arc<SessionRef>,
        /// The time, in nanoseconds since the Unix epoch.
        time_ns: u64,
    },
    /// The information of a session being read has changed.
    SessionUpdated(Arc<SessionInfo>),
    /// Two sessions belong together, one of which is being read.
    Associated {
        /// The session that names the other.
        main: Arc<SessionInfo>,
        /// The other.
        associate: Arc<SessionInfo>,
    },
    /// After the last packet of a stream.
    StreamCompleted(StreamRef),
    /// After all of its streams.
    SessionCompleted {
        /// The session as last seen.
        info: Arc<SessionInfo>,
        /// How it came to its end.
        by: Completion,
    },
}

impl Item {
    /// What an item counts for against the queue's limit.
    pub(crate) fn size(&self) -> usize {
        // A packet's own fields and its place in the queue, beside its bytes.
        const FIXED: usize = 128;
        match self {
            Self::Packet(packet) => FIXED + packet.payload.len(),
            // Nobody else keeps what a later update has made out of date.
            Self::SessionUpdated(info) => FIXED + info.footprint(),
            Self::Associated { main, associate } => FIXED + main.footprint() + associate.footprint(),
            _ => FIXED,
        }
    }
}

/// How much was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Packets given out or waiting to be.
    pub packets: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Records whose value is not a `Packet`; they are given out as they are.
    pub undecodable: u64,
    /// Records of other sessions on the same topics.
    pub skipped: u64,
    /// Records among those whose key is no text, and so no session's.
    pub foreign: u64,
    /// Records that retention had deleted before they could be read: the only way to lose any.
    pub lost: u64,
    /// Questions to the broker that had to be asked again before reading could begin or go on.
    pub retried: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) undecodable: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) foreign: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) retried: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, counts: ReadCounts) {
        let ReadCounts { packets, bytes, undecodable, skipped, foreign, lost, retried } = counts;
        let read = [(&self.packets, packets), (&self.bytes, bytes), (&self.undecodable, undecodable)];
        let passed = [(&self.skipped, skipped), (&self.foreign, foreign), (&self.lost, lost), (&self.retried, retried)];
        for (counter, count) in read.into_iter().chain(passed) {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

/// How far the packets of a group's partition were handled.
#[derive(Default)]
struct Handled {
    /// What was stored last.
    stored: Option<i64>,
    /// The partition is read again from the first offset on, for a session that became known late: until a packet at or
    /// beyond the second was handled, nothing beyond the first may be stored.
    again: Option<(i64, i64)>,
}

/// What the reader's handle and its threads share.
pub(crate) struct ReaderCore {
    pub(crate) queue: Queue,
    pub(crate) stop: AtomicBool,
    /// Items that wait for packets of other streams, and their bytes.
    pub(crate) held: (AtomicUsize, AtomicUsize),
    pub(crate) counters: Counters,
    /// The consumer of a group, for storing offsets.
    pub(crate) group: Mutex<Option<Arc<Consumer>>>,
    /// Those that a close must not wait for while they poll.
    pub(crate) consumers: Mutex<Vec<Weak<Consumer>>>,
    handled: Mutex<HashMap<TopicPartition, Handled>>,
    /// How long a request to the group's coordinator may take.
    timeout: Duration,
    /// Its number among the readers of its client.
    number: u64,
    /// What it reads, in words.
    what: String,
    essentials: bool,
    /// What each feed tells of itself.
    vitals: Vec<Mutex<FeedVitals>>,
    /// What was read and what was taken, by data source and stream.
    pub(crate) read: Mutex<Tallies>,
    delivered: Mutex<Tallies>,
    last_error: Mutex<Option<Trouble>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl ReaderCore {
    /// Something that the health of the reader is to tell.
    pub(crate) fn note(&self, reason: String) {
        *self.last_error.lock() = Some(Trouble { reason, at_ns: now_ns() });
    }

    /// A feed tells how it is doing.
    pub(crate) fn tell(&self, source: usize, change: impl FnOnce(&mut FeedVitals)) {
        if let Some(vitals) = self.vitals.get(source) {
            change(&mut vitals.lock());
        }
    }

    /// The partitions that are being read.
    pub(crate) fn places(&self) -> Vec<TopicPartition> {
        self.vitals
            .iter()
            .flat_map(|vitals| vitals.lock().parts.iter().map(|part| part.place.clone()).collect::<Vec<_>>())
            .collect()
    }

    /// How the reader is doing, with the broker's last answers.
    pub(crate) fn health(&self, answers: &Answers, now: u64) -> ReaderHealth {
        let consumers: Vec<Arc<Consumer>> = self.consumers.lock().iter().filter_map(Weak::upgrade).collect();
        let failures = consumers.iter().flat_map(|consumer| consumer.context().failures().into_values());
        let failed_ns = failures.map(|trouble| trouble.at_ns).max();
        let heard = consumers.iter().filter_map(|consumer| consumer.context().last());
        let last_error = heard.chain(self.last_error.lock().clone()).max_by_key(|trouble| trouble.at_ns);
        let vitals: Vec<FeedVitals> = self.vitals.iter().map(|vitals| vitals.lock().clone()).collect();
        let judged = weightier(vitals.iter().map(|vitals| vitals.judged(answers, failed_ns, now)));
        let (packets, bytes) = self.queue.fill();
        let held = (self.held.0.load(Ordering::Relaxed), self.held.1.load(Ordering::Relaxed));
        let (state, since_ns) = judged.unwrap_or((ReaderState::Starting, now));
        let unlimited = |limit: usize| if limit == usize::MAX { 0 } else { limit };
        ReaderHealth {
            number: self.number,
            what: self.what.clone(),
            essentials: self.essentials,
            state,
            since_ns,
            lags: vitals.iter().flat_map(|vitals| vitals.lags(answers)).collect(),
            queued: packets + held.0,
            queued_bytes: bytes + held.1,
            most: unlimited(self.queue.most_packets()),
            most_bytes: unlimited(self.queue.most_bytes()),
            counts: self.counts(),
            read: self.read.lock().clone(),
            delivered: self.delivered.lock().clone(),
            last_error,
        }
    }

    /// The failures of its connections, by `host:port`.
    pub(crate) fn failures(&self) -> Vec<(String, Trouble)> {
        let consumers = self.consumers.lock();
        consumers.iter().filter_map(Weak::upgrade).flat_map(|consumer| consumer.context().failures()).collect()
    }

    /// The last statistics of its native clients.
    pub(crate) fn statistics(&self) -> Vec<(String, Statistics)> {
        let consumers = self.consumers.lock();
        let found = consumers.iter().filter_map(Weak::upgrade).filter_map(|consumer| consumer.context().statistics());
        found.enumerate().map(|(index, statistics)| (self.name(index), statistics)).collect()
    }

    /// The name of one of its native clients.
    fn name(&self, index: usize) -> String {
        if index == 0 { format!("reader-{}", self.number) } else { format!("reader-{}-{}", self.number, index + 1) }
    }

    fn counts(&self) -> ReadCounts {
        let counters = &self.counters;
        ReadCounts {
            packets: counters.packets.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            undecodable: counters.undecodable.load(Ordering::Relaxed),
            skipped: counters.skipped.load(Ordering::Relaxed),
            foreign: counters.foreign.load(Ordering::Relaxed),
            lost: counters.lost.load(Ordering::Relaxed),
            retried: counters.retried.load(Ordering::Relaxed),
        }
    }

    /// Counts what the program takes. Packets of a stream come in runs, which share what they come from.
    fn take(&self, items: &[Item]) {
        let mut delivered = self.delivered.lock();
        let mut packets =
            items.iter().filter_map(|item| if let Item::Packet(packet) = item { Some(packet) } else { None });
        let Some(mut last) = packets.next() else { return };
        let (mut count, mut bytes) = (1, last.payload.len());
        let mut book = |packet: &Packet, count: u64, bytes: usize| {
            let name: StreamName = (packet.session.data_source.clone(), packet.stream.clone());
            let tally = delivered.entry(name).or_default();
            tally.packets += count;
            tally.bytes += bytes as u64;
        };
        for packet in packets {
            let same = Arc::ptr_eq(&packet.origin, &last.origin) || packet.origin == last.origin;
            if !same {
                book(last, count, bytes);
                (count, bytes) = (0, 0);
            }
            last = packet;
            count += 1;
            bytes += packet.payload.len();
        }
        book(last, count, bytes);
    }

    /// A group's partition is read again from this offset on; it had been read up to `position`.
    pub(crate) fn read_again(&self, consumer: &Consumer, start: &Start, position: i64) -> Result<()> {
        let mut all = self.handled.lock();
        let handled = all.entry(start.place.clone()).or_default();
        let (floor, until) = handled.again.unwrap_or((start.offset, position));
        handled.again = Some((floor.min(start.offset), until.max(position)));
        if handled.stored.is_some_and(|stored| stored > start.offset) {
            consumer.take_back(start)?;
            handled.stored = Some(start.offset);
        }
        Ok(())
    }

    /// A partition that the group took away; whoever has it next keeps its own books.
    pub(crate) fn forget(&self, place: &TopicPartition) {
        self.handled.lock().remove(place);
    }

    fn store(&self, consumer: &Consumer, place: TopicPartition, offset: i64) -> Result<()> {
        let mut all = self.handled.lock();
        let mut next = offset + 1;
        let again = all.get(&place).and_then(|handled| handled.again);
        if let Some((floor, until)) = again
            && offset < until
        {
            next = next.min(floor);
        }
        if !consumer.store(&place, next)? {
            log::debug!("the group has given {place} to another reader, which reads it again from what was committed");
            return Ok(());
        }
        let handled = all.entry(place).or_default();
        handled.stored = Some(next);
        handled.again = again.filter(|(_, until)| offset < *until);
        Ok(())
    }

    pub(crate) fn close(&self, deadline: Duration) {
        self.stop.store(true, Ordering::Release);
        for vitals in &self.vitals {
            vitals.lock().turn(ReaderState::Closed, now_ns());
        }
        self.queue.close();
        for consumer in std::mem::take(&mut *self.consumers.lock()) {
            if let Some(consumer) = consumer.upgrade() {
                consumer.wake();
            }
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        let end = after(deadline);
        let left = || end.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
        for thread in threads {
            join(thread, left());
        }
        let Some(consumer) = self.group.lock().take() else { return };
        // Leaving a group waits for its coordinator, and that one may be away.
        let leaving = std::thread::Builder::new().name("telewire-leave".into()).spawn(move || drop(consumer));
        match leaving {
            Ok(thread) => {
                join(thread, left());
            }
            Err(error) => log::warn!("leaving the group was not waited for: {error}"),
        }
    }
}

/// What a reader stands on, and what its threads will do. Everything that can be refused is refused here, before a thread
/// is started.
pub(super) fn prepare(client: Client, options: ReadOptions, number: u64) -> Result<(Arc<ReaderCore>, Vec<Feed>)> {
    check(&client, &options)?;
    let pattern = Pattern::new(if options.pattern.is_empty() { "*" } else { &options.pattern })?;
    let scopes: &[Scope] = match options.reading {
        Reading::Session => &[Scope::Named],
        Reading::Live => &[Scope::Live],
        Reading::Historic => &[Scope::Historic],
        // One session is either of the two, and the other one of them has nothing to wait for.
        Reading::Both if options.session_key.is_some() => &[Scope::Named],
        Reading::Both => &[Scope::Historic, Scope::Live],
    };
    let core = Arc::new(ReaderCore {
        queue: Queue::new(options.queue_bytes(), options.buffer_packets, scopes.len(), options.aligned),
        stop: AtomicBool::new(false),
        held: Default::default(),
        counters: Counters::default(),
        group: Mutex::new(None),
        consumers: Mutex::default(),
        handled: Mutex::default(),
        timeout: client.timeout(),
        threads: Mutex::default(),
        number,
        what: describe(&options),
        essentials: options.essentials,
        vitals: scopes.iter().map(|_| Mutex::new(FeedVitals { since_ns: now_ns(), ..FeedVitals::default() })).collect(),
        read: Mutex::default(),
        delivered: Mutex::default(),
        last_error: Mutex::default(),
    });
    let options = Arc::new(options);
    client.refresh_sessions()?;
    // One picture for all: a session that ends meanwhile is either history or live, never both or neither.
    let pictures = client.inner.directory.watch_together(scopes.len());
    let feeds: Result<Vec<Feed>> = scopes
        .iter()
        .zip(pictures)
        .enumerate()
        .map(|(source, (scope, picture))| {
            let ahead = options.ahead_bytes(scopes.len());
            let place = (*scope, source);
            Feed::new(client.clone(), core.clone(), options.clone(), pattern.clone(), place, picture, ahead)
        })
        .collect();
    Ok((core, feeds?))
}

/// Reads sessions. Closed when it is dropped.
pub struct Reader {
    core: Arc<ReaderCore>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.core.close(Duration::from_secs(5));
    }
}

impl Reader {
    pub(crate) fn start(client: Client, options: ReadOptions, number: u64) -> Result<Self> {
        let (core, feeds) = prepare(client, options, number)?;
        let reader = Self { core: core.clone() };
        for feed in feeds {
            let thread = std::thread::Builder::new()
                .name("telewire-reader".into())
                .spawn(move || feed.run())
                .map_err(|error| Error::io("starting a reader's thread", &error))?;
            core.threads.lock().push(thread);
        }
        Ok(reader)
    }

    /// How many bytes may wait in its queue.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.core.queue.most_bytes()
    }

    pub(crate) fn downgrade(&self) -> Weak<ReaderCore> {
        Arc::downgrade(&self.core)
    }

    /// Up to `most` items, as soon as there is one; waits at most `timeout`.
    ///
    /// # Errors
    /// What ended the reading; what was read before it is given out first.
    pub fn next_batch(&self, most: usize, timeout: Duration) -> Result<Batch> {
        let batch = self.core.queue.take(most, timeout)?;
        if let Batch::Items(items) = &batch {
            self.core.take(items);
        }
        Ok(batch)
    }

    /// Its number among the readers of its client, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.core.number
    }

    pub(crate) fn core(&self) -> &ReaderCore {
        &self.core
    }

    /// For a reader of a group: everything up to this packet was handled, a restart begins behind it. Nothing is stored
    /// when the group has taken the partition away meanwhile; whoever has it now reads the packet again.
    ///
    /// # Errors
    /// [`Error::Kafka`] for a place that cannot be.
    pub fn store(&self, packet: &Packet) -> Result<()> {
        self.store_offset(&packet.topic, packet.partition, packet.offset)
    }

    /// [`Reader::store`] by the packet's place.
    ///
    /// # Errors
    /// As [`Reader::store`].
    pub fn store_offset(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let group = self.core.group.lock().clone();
        match group {
            Some(consumer) => self.core.store(&consumer, TopicPartition::new(topic, partition), offset),
            None => Ok(()),
        }
    }

    /// Commits what was stored, and waits for it.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the coordinator refuses, [`Error::Timeout`] when it does not answer in the client's time.
    pub fn commit(&self) -> Result<()> {
        let group = self.core.group.lock().clone();
        group.map_or(Ok(()), |consumer| consumer.commit(self.core.timeout))
    }

    /// Whether the streams of each session are kept together in time: no stream runs ahead of the others.
    ///
    /// Streams are separate on the broker, and a replay may deliver much of one before another begins. Aligned, the packet
    /// that comes next is the one by which its stream gets least far in time, and a stream that still has packets on the
    /// broker is waited for; one that has none, or whose broker does not answer for 5 s, is not. The order within a
    /// stream stays. It may be switched at any time and holds for everything that was not taken yet.
    ///
    /// Partitions that are far ahead are fetched no further once half of the buffer is held back. Where that is not enough,
    /// at most the buffer and 128 MiB are held back, and what comes then comes unaligned.
    pub fn set_aligned(&self, on: bool) {
        self.core.queue.set_aligned(on);
    }

    /// Whether [`Reader::set_aligned`] is on.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        self.core.queue.is_aligned()
    }

    /// Stops reading. What was not taken is given up; a group keeps the offsets that were stored.
    pub fn close(&self, deadline: Duration) {
        self.core.close(deadline);
    }

    /// Whether the reader was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.queue.is_closed()
    }

    /// Items that wait to be taken, those that are held back for alignment included.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.core.queue.len() + self.core.held.0.load(Ordering::Relaxed)
    }

    /// The bytes of packets that are held back until other streams have got as far; see [`Reader::set_aligned`].
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.core.held.1.load(Ordering::Relaxed)
    }

    /// How much was read so far.
    #[must_use]
    pub fn counts(&self) -> ReadCounts {
        self.core.counts()
    }
}

/// What a reader with these options reads, in words.
fn describe(options: &ReadOptions) -> String {
    let essentials = if options.essentials { "essentials of " } else { "" };
    match (&options.session_key, &options.data_source) {
        (Some(key), _) => format!("{essentials}session {key}"),
        (None, Some(data_source)) => format!("{essentials}sessions of {data_source} like {}", options.pattern),
        (None, None) => format!("{essentials}sessions like {}", options.pattern),
    }
}

fn check(client: &Client, options: &ReadOptions) -> Result<()> {
    let key = options.session_key.as_deref().unwrap_or_default();
    if options.reading == Reading::Session && key.is_empty() {
        return Err(Error::Invalid(
            "which session? give its key, or choose live, historic or both to read by data source and pattern".into(),
        ));
    }
    if let Some(name) = options.data_source.as_deref() {
        topic::check_data_source(name)?;
    }
    if !options.group_id.is_empty() {
        topic::check_group_id(&options.group_id)?;
        if options.reading != Reading::Live {
            return Err(Error::Invalid(
                "a group id is for live reading: its members share the partitions, and an ended session is read whole by one reader".into(),
            ));
        }
        if options.data_source.is_none() {
            return Err(Error::Invalid("a group id needs a data source: the group shares its topics".into()));
        }
    }
    let layout = client.layout();
    let excluded = |name: &String| options.excluded_streams.contains(name);
    for name in options.streams.iter().filter(|name| !name.is_empty() && !excluded(name)) {
        topic::check_stream(name)?;
        let any_source = options.data_source.as_deref().unwrap_or("any");
        if !layout.place(any_source, name)?.mapped {
            return Err(Error::UnmappedStream(name.clone()));
        }
    }
    Ok(())
}
