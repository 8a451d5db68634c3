//! The thread behind a reader: follows the selected sessions on one consumer, and knows when each is complete.
//!
//! Records are told apart by their key. One partition may serve several sessions: each keeps its own next offset, so
//! going back for one never doubles a packet for another. A session that becomes known after some of its records went
//! by is read again from its start offset.

mod aligned;
mod denied;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::aligned::{Gate, Stuck, Supply, hold};
use self::denied::Denials;
use super::client::Client;
use super::health::{PartVital, ReaderState, StreamName, Tally};
use super::moment::Moment;
use super::options::{Inactivity, LiveStart, ReadOptions};
use super::reader::{Completion, Item, Origin, Packet, ReadCounts, ReaderCore, SessionRef, StreamRef};
use super::watch::Watch;
use crate::error::{Error, ErrorKind, Printable, Result};
use crate::interrupt;
use crate::kafka::admin::Topics;
use crate::kafka::consumer::Message;
use crate::kafka::{Consumer, Event, Start, TopicPartition};
use crate::packet::{Head, PacketType, decode_message};
use crate::pipeline::Aligner;
use crate::proto::open_data::CoverageCursorInfoPacket;
use crate::session::{Pattern, SessionChange, SessionInfo};
use crate::time::now_ns;

/// How long one wait for events lasts; changes of sessions and a stop are seen in between.
const TICK: Duration = Duration::from_millis(20);
/// How often streams that appear later are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How many events are taken before they are passed on: as many as a reader takes at once.
const MOST: usize = 1000;
/// How many changes of sessions are heard before they are passed on.
const MOST_CHANGES: usize = 10_000;
/// Large packets are taken in as many steps as this until the queue is full.
const STEPS: usize = 16;
/// Bytes that a packet may have, before one was seen.
const FIRST_GUESS: usize = 64 << 10;
/// How long a member's last commit is waited for; librdkafka tries again itself when the consumer goes.
const LAST_COMMIT: Duration = Duration::from_secs(2);
/// How often it tells how it is doing.
const TELL: Duration = Duration::from_millis(200);
/// After the queue has been full for so long, the program is slow, not just busy with a batch.
const SLOW: Duration = Duration::from_millis(500);
/// Nanoseconds in a millisecond.
const NS_PER_MS: i64 = 1_000_000;
/// The inactivity time that holds when none is chosen: of ended sessions; live ones are only warned about.
const SILENCE: Duration = Duration::from_secs(30);

/// Which part of a reader's work a feed does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One session by its key, whatever its state.
    Named,
    /// All that are live, side by side.
    Live,
    /// All that have ended, one after another.
    Historic,
}

/// A partition being read.
struct Part {
    place: TopicPartition,
    /// Everything below was polled.
    position: i64,
    /// Where reading began when a group had stored it there; nothing before it is read again.
    resumed_at: Option<i64>,
    users: usize,
    supply: Supply,
    /// Whose packets they are: the first session's that was read here.
    of: Option<StreamName>,
    /// What was read since it was last told.
    tally: Tally,
    /// When the broker last said something of it, in nanoseconds since the Unix epoch.
    heard_ns: Option<u64>,
    /// When the record read last was written, in milliseconds since the Unix epoch.
    newest_ms: Option<i64>,
}

impl Part {
    fn new(place: TopicPartition, position: i64, resumed_at: Option<i64>) -> Self {
        Self {
            place,
            position,
            resumed_at,
            users: 0,
            supply: Supply::default(),
            of: None,
            tally: Tally::default(),
            heard_ns: None,
            newest_ms: None,
        }
    }
}

/// A partition as one session sees it.
struct Place {
    stream: Arc<str>,
    /// The next offset this session has not been given.
    next: i64,
    /// What the packets of this round carry, and the round.
    origin: (Arc<Origin>, u64),
    /// The end of the partition when it was taken up.
    captured: i64,
    end: Option<i64>,
}

#[derive(Default, Clone, Copy)]
struct StreamState {
    started: bool,
    completed: bool,
}

/// Where to begin with a partition for a session.
struct Beginning {
    place: TopicPartition,
    stream: Arc<str>,
    start: i64,
    /// The partition's end at this time.
    high: i64,
}

/// A session being read.
struct Active {
    info: Arc<SessionInfo>,
    reference: Arc<SessionRef>,
    /// By slot of the partition.
    places: BTreeMap<usize, Place>,
    taken: HashSet<TopicPartition>,
    streams: BTreeMap<Arc<str>, StreamState>,
    was_live: bool,
    /// At the leading edge: where each partition that existed then ended when the session was taken up.
    edges: HashMap<TopicPartition, i64>,
    ends_known: bool,
    /// Completed, and kept because the group may still give us a partition with the rest of it.
    done: bool,
    /// For how long nothing came while it could have.
    silent: Duration,
    warned: bool,
    /// Keeps its streams together, where that is asked for and there are several.
    aligner: Option<Aligner<Item>>,
    stuck: Stuck,
}

/// Says that a feed has nothing more to give, however its thread ends.
struct Finished(Arc<ReaderCore>, usize);

impl Drop for Finished {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .queue
                .fail(Error::Invalid("the reader's thread ended by a panic; this is a defect of telewire".into()));
        }
        self.0.queue.finish(self.1);
    }
}

pub(crate) struct Feed {
    client: Client,
    core: Arc<ReaderCore>,
    options: Arc<ReadOptions>,
    pattern: Pattern,
    scope: Scope,
    /// Which of the queue's sources this is.
    source: usize,
    consumer: Arc<Consumer>,
    grouped: bool,
    subscribed: Vec<String>,
    paused: bool,
    /// Bytes of a packet, by the last ones: says how many to take from librdkafka at once, since limits are looked at
    /// before.
    packet_bytes: usize,
    changes: Watch<SessionChange>,
    /// Sessions to take up: those found at the start, and those whose taking up has to be tried again.
    waiting: VecDeque<Arc<SessionInfo>>,
    retry_at: Instant,
    /// Taking up has been tried again at once, because the listing of topics was out of date.
    listed_again: bool,
    /// What was asked for the ended session before: it holds for those that follow at once.
    moment: Option<Moment>,
    sessions: BTreeMap<String, Active>,
    finished: HashSet<String>,
    parts: Vec<Part>,
    free: Vec<usize>,
    slots: HashMap<Arc<str>, HashMap<i32, usize>>,
    /// The slot of the last record: most often it is that of the next one.
    recent: Option<usize>,
    /// Its key, which was seen to be text.
    recent_key: String,
    /// Counts the fetches.
    round: u64,
    /// What was counted since it was last passed on.
    counts: ReadCounts,
    looked: Instant,
    now: Instant,
    /// When silence was last looked at.
    listened: Instant,
    /// When the broker was last asked whether it is there, and whether it was.
    asked: (Instant, bool),
    out: Vec<Item>,
    failure: Option<Error>,
    /// A session that was asked for by key has been read.
    named_done: bool,
    /// Sessions found at the start, until they are taken up: only those are "already live".
    early: HashSet<String>,
    /// Associations that were passed on, by the keys of both sessions.
    associated: HashSet<(String, String)>,
    /// The group has given us our share, perhaps an empty one.
    joined: bool,
    /// It has taken some of it away, and not said yet how it goes on.
    rebalancing: bool,
    gate: Gate,
    denials: Denials,
    /// Since when the queue has been full.
    full_since: Option<Instant>,
    /// When it was last told how it is doing.
    told: Instant,
    /// [`Feed::now`] by the clock on the wall, in nanoseconds since the Unix epoch.
    wall: u64,
    /// When the broker was last heard of.
    heard_ns: u64,
    /// Since when sessions cannot be taken up.
    held_up_ns: Option<u64>,
    /// Up to which offset of a partition its lost records were counted.
    lost_until: HashMap<TopicPartition, i64>,
    /// It was told that there are records without a value.
    told_of_null: bool,
    /// When the ends of sessions are looked for next.
    complete_at: Instant,
}

impl Feed {
    pub(crate) fn new(
        client: Client,
        core: Arc<ReaderCore>,
        options: Arc<ReadOptions>,
        pattern: Pattern,
        (scope, source): (Scope, usize),
        (sessions, changes): (Vec<Arc<SessionInfo>>, Watch<SessionChange>),
        ahead_bytes: usize,
    ) -> Result<Self> {
        let grouped = !options.group_id.is_empty();
        let group = grouped.then_some(options.group_id.as_str());
        let consumer = Arc::new(Consumer::new(&client.inner.settings.fetching_ahead(ahead_bytes), group)?);
        if grouped {
            *core.group.lock() = Some(consumer.clone());
        }
        core.consumers.lock().push(Arc::downgrade(&consumer));
        let now = Instant::now();
        let gate = Gate::new(core.queue.turn(), options.buffer_bytes, now);
        let mut feed = Self {
            client,
            core,
            options,
            pattern,
            scope,
            source,
            consumer,
            grouped,
            subscribed: Vec::new(),
            paused: false,
            packet_bytes: FIRST_GUESS,
            changes,
            waiting: VecDeque::new(),
            retry_at: now,
            listed_again: false,
            moment: None,
            sessions: BTreeMap::new(),
            finished: HashSet::new(),
            parts: Vec::new(),
            free: Vec::new(),
            slots: HashMap::new(),
            recent: None,
            recent_key: String::new(),
            round: 0,
            counts: ReadCounts::default(),
            looked: now - LOOK_AGAIN,
            now,
            listened: now,
            asked: (now - LOOK_AGAIN, true),
            out: Vec::new(),
            failure: None,
            named_done: false,
            early: HashSet::new(),
            associated: HashSet::new(),
            joined: false,
            rebalancing: false,
            gate,
            denials: Denials::default(),
            full_since: None,
            told: now - TELL,
            wall: now_ns(),
            heard_ns: now_ns(),
            held_up_ns: None,
            lost_until: HashMap::new(),
            told_of_null: false,
            complete_at: now,
        };
        feed.waiting = sessions.into_iter().filter(|info| feed.selects(info)).collect();
        feed.early = feed.waiting.iter().map(|info| info.key.clone()).collect();
        feed.check_named()?;
        Ok(feed)
    }

    /// A session asked for by its key that can never be read like this is said at once.
    fn check_named(&mut self) -> Result<()> {
        let Some(key) = self.options.session_key.as_deref() else { return Ok(()) };
        let Some(info) = self.client.inner.directory.session(key) else {
            match self.scope {
                Scope::Historic => {
                    log::warn!("session '{}' does not exist: there is nothing to read as history", Printable(key));
                }
                _ => log::warn!("session '{}' does not exist yet: waiting for it", Printable(key)),
            }
            return Ok(());
        };
        if self.options.data_source.as_deref().is_some_and(|name| name != info.data_source) {
            return Err(Error::UnknownSession { key: key.into(), data_source: self.options.data_source.clone() });
        }
        match self.scope {
            Scope::Live if info.ended => {
                log::warn!("session '{}' has ended: there is nothing to read live", Printable(key));
                // A group may have left some of it unread.
                self.named_done = !self.grouped;
            }
            Scope::Historic if !info.ended => {
                log::warn!("session '{}' has not ended: there is nothing to read as history", Printable(key));
            }
            _ => {}
        }
        Ok(())
    }

    fn matches(&self, info: &SessionInfo) -> bool {
        if let Some(key) = &self.options.session_key {
            return *key == info.key;
        }
        self.options.data_source.as_ref().is_none_or(|name| *name == info.data_source)
            && self.pattern.matches(&info.identifier)
    }

    fn selects(&self, info: &SessionInfo) -> bool {
        let state = match self.scope {
            Scope::Named => true,
            Scope::Live => !info.ended,
            Scope::Historic => info.ended,
        };
        state && self.matches(info)
    }

    pub(crate) fn run(mut self) {
        // Also when this thread panics: whoever waits for items must not wait for ever.
        let _finished = Finished(self.core.clone(), self.source);
        let core = self.core.clone();
        // A question that is under way when the reader is closed is called off.
        let outcome = interrupt::with_hook(move || core.stop.load(Ordering::Acquire), || self.work());
        self.let_all_out();
        self.pass_on();
        self.tell();
        let mut end = ReaderState::Done;
        if let Err(error) = outcome
            && !self.stopped()
        {
            log::error!("reading ended: {error}");
            self.core.note(error.to_string());
            self.core.queue.fail(error);
            end = ReaderState::Failed;
        }
        if !self.stopped() {
            self.core.tell(self.source, |vitals| vitals.turn(end, now_ns()));
        }
        if self.grouped
            && let Err(error) = self.consumer.commit(LAST_COMMIT)
        {
            log::warn!("the group's last offsets were not committed: {error}");
        }
    }

    fn stopped(&self) -> bool {
        self.core.stop.load(Ordering::Acquire)
    }

    fn work(&mut self) -> Result<()> {
        loop {
            if self.stopped() {
                return Ok(());
            }
            self.now = Instant::now();
            self.wall = now_ns();
            if self.now.duration_since(self.told) >= TELL {
                self.told = self.now;
                self.tell();
            }
            self.follow_switch();
            self.take_up_waiting()?;
            self.hear();
            self.look_for_streams();
            self.say_denied();
            self.let_out();
            self.complete();
            self.pass_on();
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            if self.is_done() {
                return Ok(());
            }
            self.fetch();
        }
    }

    fn is_done(&self) -> bool {
        match self.scope {
            Scope::Named => self.named_done,
            Scope::Live => self.named_done && self.options.session_key.is_some(),
            Scope::Historic => self.sessions.is_empty() && self.waiting.is_empty(),
        }
    }

    fn pass_on(&mut self) {
        self.core.counters.add(std::mem::take(&mut self.counts));
        self.core.queue.put(&mut self.out);
    }

    // ---- Telling how it is doing ----

    fn tell(&mut self) {
        let parts = self.slots.values().flat_map(HashMap::values).copied().collect::<Vec<usize>>();
        parts.iter().for_each(|slot| self.tell_tally(*slot));
        let parts = parts.into_iter().filter_map(|slot| self.parts.get(slot)).filter(|part| part.users > 0);
        let vital = |part: &Part| PartVital {
            place: part.place.clone(),
            of: part.of.clone().unwrap_or_default(),
            position: part.position,
            end: self.consumer.end_of(&part.place),
            heard_ns: part.heard_ns,
            newest_ns: part.newest_ms.and_then(|ms| u64::try_from(ms.checked_mul(NS_PER_MS)?).ok()),
        };
        let parts: Vec<PartVital> = parts.map(vital).collect();
        let state = self.state(&parts);
        let (now, heard_ns, held_up_ns) = (self.wall, self.heard_ns, self.held_up_ns);
        let stopped = self.stopped();
        self.core.tell(self.source, |vitals| {
            if !stopped {
                vitals.turn(state, now);
            }
            (vitals.parts, vitals.heard_ns, vitals.held_up_ns) = (parts, heard_ns, held_up_ns);
        });
    }

    fn state(&self, parts: &[PartVital]) -> ReaderState {
        if self.full_since.is_some_and(|since| self.now.duration_since(since) >= SLOW) {
            return ReaderState::Paused;
        }
        if self.grouped && (self.rebalancing || !self.joined) {
            return if self.joined { ReaderState::Rebalancing } else { ReaderState::Starting };
        }
        if self.sessions.is_empty() && !self.waiting.is_empty() {
            return ReaderState::Starting;
        }
        let behind = |part: &PartVital| part.end.is_none_or(|end| part.position < end);
        if parts.iter().any(behind) || self.core.queue.len() > 0 { ReaderState::Reading } else { ReaderState::CaughtUp }
    }

    /// Passes on what was read of a partition.
    fn tell_tally(&mut self, slot: usize) {
        let Some(part) = self.parts.get_mut(slot) else { return };
        let tally = std::mem::take(&mut part.tally);
        if tally.packets > 0 {
            let mut read = self.core.read.lock();
            let total = read.entry(part.of.clone().unwrap_or_default()).or_default();
            total.packets += tally.packets;
            total.bytes += tally.bytes;
        }
    }

    /// Something has to be tried again, because the broker does not answer or refuses.
    fn try_again(&mut self, what: String) {
        log::warn!("{what}");
        self.counts.retried += 1;
        self.core.note(what);
    }

    /// Retention has deleted the records of a partition from one offset to another before they could be read.
    fn lose(&mut self, place: &TopicPartition, from: i64, to: i64) {
        let counted = self.lost_until.entry(place.clone()).or_insert(i64::MIN);
        let from = from.max(*counted);
        if from >= to {
            return;
        }
        *counted = to;
        let count = to - from;
        let what = format!("{count} records of {place} were deleted by retention before they could be read");
        log::error!(topic:% = place.topic, partition = place.partition, lost = count; "{what}");
        self.counts.lost += count.unsigned_abs();
        self.core.note(what);
    }

    // ---- Fetching, as far as there is room ----

    fn fetch(&mut self) {
        let room = self.core.queue.room();
        if room == 0 {
            self.full_since.get_or_insert(self.now);
            self.wait_for_room();
            return;
        }
        if let Some(since) = self.full_since.take() {
            self.was_deaf(self.now.duration_since(since));
        }
        if self.paused {
            self.pause(false);
        }
        if self.sessions.is_empty() && !self.grouped {
            // Nothing is assigned: wait for news of sessions instead.
            match self.changes.next("changes of sessions", TICK) {
                Ok(change) => change.into_iter().for_each(|change| self.on_change(change)),
                // The client was closed: no session will ever come.
                Err(_) => self.core.stop.store(true, Ordering::Release),
            }
            return;
        }
        self.round += 1;
        self.gate.listening = true;
        let consumer = self.consumer.clone();
        let step = self.core.queue.most_bytes() / STEPS / self.packet_bytes;
        let most = room.min(MOST).min(step.max(1)).min(self.gate.most(self.packet_bytes));
        let before = (self.counts.packets, self.counts.bytes);
        let taken = consumer.poll(TICK, most, &mut |event| self.on_event(event));
        self.gate.drained = taken < most;
        if let Some(size) = (self.counts.bytes - before.1).checked_div(self.counts.packets - before.0) {
            // Large ones are remembered for a while: where streams differ, small and large packets take turns.
            let before = self.packet_bytes - self.packet_bytes / 8;
            self.packet_bytes = usize::try_from(size).unwrap_or(usize::MAX).max(before).max(1);
        }
    }

    fn wait_for_room(&mut self) {
        if self.grouped {
            // Members of a group must go on polling, or the group takes their partitions away.
            if !self.paused {
                self.pause(true);
            }
            let consumer = self.consumer.clone();
            consumer.poll(Duration::ZERO, MOST, &mut |event| self.on_event(event));
        } else {
            let consumer = self.consumer.clone();
            consumer.hear(&mut |event| self.on_event(event));
        }
        self.core.queue.wait_for_room(TICK);
    }

    fn pause(&mut self, on: bool) {
        let places: Vec<TopicPartition> = self
            .slots
            .values()
            .flat_map(HashMap::values)
            .filter_map(|slot| self.parts.get(*slot))
            .filter(|part| on || !part.supply.paused)
            .map(|part| part.place.clone())
            .collect();
        match self.consumer.pause(&places, on) {
            Ok(()) => self.paused = on,
            Err(error) => log::warn!("{error}"),
        }
    }

    // ---- Sessions ----

    fn take_up_waiting(&mut self) -> Result<()> {
        let one_by_one = self.scope == Scope::Historic;
        if self.waiting.is_empty() || self.now < self.retry_at || (one_by_one && !self.sessions.is_empty()) {
            return Ok(());
        }
        let mut next = VecDeque::new();
        let mut taken = HashSet::new();
        while let Some(info) = self.waiting.pop_front() {
            let known = self.sessions.contains_key(&info.key) || self.finished.contains(&info.key);
            if !known && taken.insert(info.key.clone()) {
                // What is known now may be newer than what was known when this was queued. What becomes known from here on
                // comes as a change.
                next.push_back(self.client.inner.directory.session(&info.key).unwrap_or(info));
                if one_by_one {
                    break;
                }
            }
        }
        let outcome = self.moment_for(&next).and_then(|mut moment| {
            let outcome = self.take_up_all(&mut next, &mut moment);
            // What has failed may have failed because the cluster has changed.
            self.moment = (one_by_one && outcome.is_ok()).then_some(moment);
            outcome
        });
        let Err(error) = outcome else {
            self.held_up_ns = None;
            self.listed_again = false;
            return Ok(());
        };
        if !matches!(error.kind(), ErrorKind::Kafka | ErrorKind::Timeout) {
            return Err(error);
        }
        let first = next.front().map(|info| info.key.clone()).unwrap_or_default();
        next.append(&mut self.waiting);
        self.waiting = next;
        if std::mem::take(&mut self.denials.outdated) && !std::mem::replace(&mut self.listed_again, true) {
            // Nothing is wrong, and the next listing should have it.
            log::debug!("session '{}' is looked for again: {error}", Printable(&first));
            return Ok(());
        }
        self.try_again(format!("session '{}' cannot be read yet: {error}", Printable(&first)));
        self.held_up_ns.get_or_insert(self.wall);
        self.retry_at = self.now + LOOK_AGAIN;
        Ok(())
    }

    /// What the cluster says after these sessions became known as they are.
    fn moment_for(&mut self, sessions: &VecDeque<Arc<SessionInfo>>) -> Result<Moment> {
        let before = self.moment.take().filter(|moment| moment.at.elapsed() < LOOK_AGAIN);
        if let Some(moment) = before.filter(|moment| sessions.iter().all(|info| moment.holds_for(info))) {
            return Ok(moment);
        }
        let directory = &self.client.inner.directory;
        let follow = self.waiting.iter().take(MOST).filter_map(|info| directory.session(&info.key));
        let known: Vec<Arc<SessionInfo>> = sessions.iter().cloned().chain(follow).collect();
        let mut moment = Moment::new(self.client.layout(), self.client.inner.admin.topics(Duration::ZERO)?);
        moment.remember(known);
        Ok(moment)
    }

    /// Takes the sessions from the front, as far as that succeeds.
    fn take_up_all(&mut self, sessions: &mut VecDeque<Arc<SessionInfo>>, moment: &mut Moment) -> Result<()> {
        let mut wanted = Vec::new();
        for info in &*sessions {
            let edge = self.begins_at_edge(info);
            let places =
                moment.places(&self.options, &info.data_source, Some(info))?.into_iter().map(|(place, _)| place);
            wanted.extend(
                places.filter(|place| edge || !self.grouped || self.slot(&place.topic, place.partition).is_some()),
            );
        }
        moment.learn(&self.client.inner.admin, &wanted, self.earliest_ms())?;
        while let Some(info) = sessions.front() {
            let info = info.clone();
            self.take_up(info, moment)?;
            sessions.pop_front();
        }
        Ok(())
    }

    /// The time from which on records are wanted, in milliseconds.
    fn earliest_ms(&self) -> Option<i64> {
        self.options.from_ns.map(|from_ns| i64::try_from(from_ns.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }

    fn begins_at_edge(&self, info: &SessionInfo) -> bool {
        !info.ended && self.early.contains(&info.key) && self.options.live_start == LiveStart::LeadingEdge
    }

    fn take_up(&mut self, info: Arc<SessionInfo>, moment: &mut Moment) -> Result<()> {
        let was_live = !info.ended;
        let mut active = Active {
            reference: Arc::new(SessionRef {
                key: info.key.as_str().into(),
                data_source: info.data_source.as_str().into(),
            }),
            places: BTreeMap::new(),
            taken: HashSet::new(),
            streams: BTreeMap::new(),
            was_live,
            edges: HashMap::new(),
            ends_known: false,
            done: false,
            silent: Duration::ZERO,
            warned: false,
            aligner: None,
            stuck: Stuck::default(),
            info: info.clone(),
        };
        if self.begins_at_edge(&info) {
            // Also of partitions that the group has not given us yet: the edge is now, not when it does.
            for (place, _) in moment.places(&self.options, &info.data_source, Some(&info))? {
                if let Some((_, high)) = moment.marks(&place) {
                    active.edges.insert(place, high);
                }
            }
        }
        let starts = self.starts(&active, moment)?;
        if let Err(error) = self.add(&mut active, starts) {
            // It is tried again from the start; nothing of this try may stay.
            self.give_back(active);
            return Err(error);
        }
        self.early.remove(&info.key);
        if let Err(error) = self.client.layout().place(&info.data_source, "") {
            log::warn!("session '{}' has nothing to read: {error}", Printable(&info.key));
        }
        self.out.push(Item::SessionStarted(info.clone()));
        for key in &info.associates {
            if let Some(associate) = self.client.inner.directory.session(key) {
                self.pass_on_association(info.clone(), associate);
            }
        }
        for main in self.client.inner.directory.associated_with(&info.key) {
            self.pass_on_association(main, info.clone());
        }
        self.sessions.insert(info.key.clone(), active);
        Ok(())
    }

    /// Once for each pair: an association may be there at the start and among the changes too.
    fn pass_on_association(&mut self, main: Arc<SessionInfo>, associate: Arc<SessionInfo>) {
        if self.associated.insert((main.key.clone(), associate.key.clone())) {
            self.out.push(Item::Associated { main, associate });
        }
    }

    /// A session's partitions that are there to be read and not taken yet.
    fn not_taken(&self, active: &Active, moment: &mut Moment) -> Result<Vec<(TopicPartition, Arc<str>)>> {
        let mut places = moment.places(&self.options, &active.info.data_source, Some(&active.info))?;
        places.retain(|(place, _)| {
            let ours = !self.grouped || self.slot(&place.topic, place.partition).is_some();
            ours && !active.taken.contains(place)
        });
        Ok(places)
    }

    /// Where to begin with each of the partitions that are not taken yet.
    fn starts(&mut self, active: &Active, moment: &mut Moment) -> Result<Vec<Beginning>> {
        let info = &active.info;
        if !self.grouped {
            self.check_hidden(info, moment)?;
        }
        let places = self.not_taken(active, moment)?;
        let unknown: Vec<TopicPartition> = places.iter().map(|(place, _)| place.clone()).collect();
        moment.learn(&self.client.inner.admin, &unknown, self.earliest_ms())?;
        let mut starts = Vec::new();
        for (place, stream) in places {
            let Some((low, high)) = moment.marks(&place) else { continue };
            let recorded = info.start_offsets.get(&(place.topic.clone(), place.partition)).copied();
            let mut start = recorded.unwrap_or(0);
            if let Some(edge) = active.edges.get(&place) {
                start = *edge;
            } else if self.options.from_ns.is_some() {
                start = start.max(moment.offset_at(&place).unwrap_or(high));
            }
            if start < low && recorded.is_some() {
                log::warn!(
                    session = info.key.as_str(), topic:% = place.topic, partition = place.partition;
                    "session '{}': {place} begins at offset {low}, the session at {start}: retention has removed its first records",
                    Printable(&info.key)
                );
                if self.options.from_ns.is_none() && !active.edges.contains_key(&place) {
                    let key = (place.topic.clone(), place.partition);
                    let end = info.end_offsets.get(&key).copied().unwrap_or(low);
                    self.lose(&place, start, low.min(end));
                }
            }
            if start > high {
                log::warn!(
                    session = info.key.as_str(), topic:% = place.topic, partition = place.partition;
                    "session '{}': {place} ends at offset {high}, before the session's start offset {start}: reading from its end",
                    Printable(&info.key)
                );
            }
            starts.push(Beginning { place, stream, start: start.clamp(low, high), high });
        }
        Ok(starts)
    }

    fn add(&mut self, active: &mut Active, starts: Vec<Beginning>) -> Result<()> {
        let unread = starts.iter().filter(|begin| self.slot(&begin.place.topic, begin.place.partition).is_none());
        let new: Vec<Start> = unread.map(|begin| Start { place: begin.place.clone(), offset: begin.start }).collect();
        self.consumer.add(&new)?;
        for Start { place, offset } in new {
            self.open_slot(place, offset, None);
        }
        let mut back = Vec::new();
        for Beginning { place, stream, start, high } in starts {
            let Some(slot) = self.slot(&place.topic, place.partition) else { continue };
            let Some(part) = self.parts.get_mut(slot) else { continue };
            part.users += 1;
            part.of.get_or_insert_with(|| (active.reference.data_source.clone(), stream.clone()));
            back.push((slot, start));
            let next = start.max(part.resumed_at.unwrap_or(0));
            // Told to stop at what is there now, nothing later is waited for.
            let end = (active.ends_known || self.options.until_now).then(|| {
                let key = (place.topic.clone(), place.partition);
                active.info.end_offsets.get(&key).map_or(high, |end| (*end).min(high))
            });
            let origin = Origin {
                session: active.reference.clone(),
                stream: stream.clone(),
                topic: place.topic.clone(),
                partition: place.partition,
            };
            let origin = (Arc::new(origin), self.round);
            active.places.insert(slot, Place { stream: stream.clone(), next, origin, captured: high, end });
            active.streams.entry(stream).or_default();
            active.taken.insert(place);
        }
        if self.gate.is_on() {
            active.align();
        }
        back.into_iter().try_for_each(|(slot, start)| self.go_back(slot, start))
    }

    /// Reads a partition again from an offset that has gone by.
    fn go_back(&mut self, slot: usize, start: i64) -> Result<()> {
        let Some(part) = self.parts.get_mut(slot) else { return Ok(()) };
        let start = start.max(part.resumed_at.unwrap_or(0));
        if part.position <= start {
            return Ok(());
        }
        let start = Start { place: part.place.clone(), offset: start };
        if self.grouped {
            self.consumer.seek(&start, Duration::from_secs(5))?;
            self.core.read_again(&self.consumer, &start, part.position)?;
        } else {
            self.consumer.rewind(&start)?;
        }
        part.position = start.offset;
        self.begin_anew(slot);
        Ok(())
    }

    fn slot(&self, topic: &str, partition: i32) -> Option<usize> {
        let here = |slot: &usize| {
            self.parts.get(*slot).is_some_and(|part| part.place.partition == partition && *part.place.topic == *topic)
        };
        self.recent.filter(here).or_else(|| self.slots.get(topic)?.get(&partition).copied())
    }

    fn open_slot(&mut self, place: TopicPartition, position: i64, resumed_at: Option<i64>) -> usize {
        let part = Part::new(place.clone(), position, resumed_at);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.parts[slot] = part;
                slot
            }
            None => {
                self.parts.push(part);
                self.parts.len() - 1
            }
        };
        self.slots.entry(place.topic).or_default().insert(place.partition, slot);
        slot
    }

    fn close_slot(&mut self, slot: usize) {
        self.recent = None;
        self.tell_tally(slot);
        self.begin_anew(slot);
        if let Some(part) = self.parts.get(slot) {
            if let Some(partitions) = self.slots.get_mut(&part.place.topic) {
                partitions.remove(&part.place.partition);
            }
            self.free.push(slot);
        }
    }

    fn let_go(&mut self, key: &str) {
        let Some(active) = self.sessions.remove(key) else { return };
        self.finished.insert(key.to_string());
        if self.options.session_key.as_deref() == Some(key) {
            self.named_done = true;
        }
        self.give_back(active);
    }

    /// Stops reading the partitions that only this session needed.
    fn give_back(&mut self, active: Active) {
        let mut unused = Vec::new();
        for slot in active.places.into_keys() {
            let Some(part) = self.parts.get_mut(slot) else { continue };
            part.users -= 1;
            if part.users == 0 && !self.grouped {
                unused.push(part.place.clone());
                self.close_slot(slot);
            }
        }
        if let Err(error) = self.consumer.remove(&unused) {
            log::warn!("{error}");
        }
    }

    /// Hears of changes of sessions, as long as there is room for what they give: what is not heard of yet waits in the
    /// watch, which knows what to do with very many.
    fn hear(&mut self) {
        if self.core.queue.room() == 0 {
            return;
        }
        for _ in 0..MOST_CHANGES {
            match self.changes.try_next() {
                Some(change) => self.on_change(change),
                None => break,
            }
        }
    }

    fn on_change(&mut self, change: SessionChange) {
        match change {
            SessionChange::Started(info) => {
                if self.scope != Scope::Historic && self.matches(&info) {
                    self.waiting.push_back(info);
                }
            }
            SessionChange::Updated(info) => {
                if let Some(active) = self.sessions.get_mut(&info.key) {
                    // What was known when the session was taken up may have contained this change.
                    if active.info != info {
                        active.info = info.clone();
                        active.follow(Item::SessionUpdated(info), &mut self.out);
                    }
                } else if self.scope != Scope::Historic && self.selects(&info) {
                    // The identifier may match the pattern only now.
                    self.waiting.push_back(info);
                }
            }
            SessionChange::Ended(info) => {
                if let Some(active) = self.sessions.get_mut(&info.key) {
                    active.info = info;
                    active.ends_known = false;
                    // Now it matters what is there: what was absent is asked for again.
                    self.denials.absent.clear();
                }
            }
            SessionChange::Associated { main, associate } => {
                if self.sessions.contains_key(&main.key) || self.sessions.contains_key(&associate.key) {
                    self.pass_on_association(main, associate);
                }
            }
        }
    }

    /// Streams that appeared since the last look; for a group, topics to share.
    fn look_for_streams(&mut self) {
        if self.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        self.looked = self.now;
        if let Err(error) = self.client.look_for_layout() {
            log::debug!("the layout is not known yet: {error}");
        }
        let live = self.sessions.values().any(|active| !active.info.ended);
        if !live && !self.grouped {
            return;
        }
        let Some(topics) = self.client.inner.admin.glance(Duration::from_millis(500)) else { return };
        if self.grouped {
            self.subscribe(&topics);
        }
        let open = self.sessions.iter().filter(|(_, active)| !active.done);
        let keys = open.map(|(key, _)| key.clone()).collect();
        self.look_for_places(keys, topics);
    }

    /// Takes up, for each of these sessions, the partitions that are not read yet.
    fn look_for_places(&mut self, keys: Vec<String>, topics: Topics) {
        let moment = &mut Moment::new(self.client.layout(), topics);
        if self.learn_for(&keys, moment) {
            for key in keys {
                if self.stopped() {
                    return;
                }
                self.add_new_places(&key, moment);
            }
        }
    }

    /// Asks for all that is not known of these sessions' new partitions in one question; true when that succeeded.
    fn learn_for(&mut self, keys: &[String], moment: &mut Moment) -> bool {
        let mut wanted = Vec::new();
        for active in keys.iter().filter_map(|key| self.sessions.get(key)) {
            // An error is said when the session's turn comes.
            let places = self.not_taken(active, moment).unwrap_or_default();
            wanted.extend(places.into_iter().map(|(place, _)| place));
        }
        let outcome = moment.learn(&self.client.inner.admin, &wanted, self.earliest_ms());
        if let Err(error) = &outcome {
            self.try_again(format!("new streams cannot be read yet: {error}"));
        }
        outcome.is_ok()
    }

    /// Takes up the session's partitions that are not read yet; true when that succeeded. A stream that appears later is
    /// read from its beginning, also at the leading edge.
    fn add_new_places(&mut self, key: &str, moment: &mut Moment) -> bool {
        let Some(mut active) = self.sessions.remove(key) else { return true };
        let added = self.starts(&active, moment).and_then(|starts| self.add(&mut active, starts));
        if let Err(error) = &added
            && !std::mem::take(&mut self.denials.outdated)
        {
            self.try_again(format!("new streams of session '{}' cannot be read yet: {error}", Printable(key)));
        }
        self.sessions.insert(key.to_string(), active);
        added.is_ok()
    }

    // ---- Groups ----

    fn subscribe(&mut self, topics: &Topics) {
        let options = self.options.clone();
        let source = options.data_source.as_deref().unwrap_or_default();
        let mut moment = Moment::new(self.client.layout(), topics.clone());
        let Ok(wanted) = moment.places(&self.options, source, None) else { return };
        // Whoever reads is told there.
        let _ = self.check_hidden_of_group(source, &moment);
        let mut names: Vec<String> = wanted.into_iter().map(|(place, _)| place.topic.to_string()).collect();
        names.sort();
        names.dedup();
        if names.is_empty() || names == self.subscribed {
            return;
        }
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        match self.consumer.subscribe(&list) {
            Ok(()) => self.subscribed = names,
            Err(error) => log::warn!("{error}"),
        }
    }

    /// Where the group left off in each partition, none where it has stored nothing.
    fn stored_starts(&self, assigned: &[TopicPartition]) -> Result<Vec<(Start, Option<i64>)>> {
        let stored = self.consumer.committed(assigned, self.client.timeout())?;
        let marks = self.client.inner.admin.watermarks_of(assigned.iter().cloned())?;
        let mut starts = Vec::new();
        for (place, stored) in stored {
            let Some((low, high)) = marks.get(&place).copied() else { continue };
            let start = match stored {
                Some(stored) => {
                    if stored < low || stored > high {
                        log::warn!(
                            "the group's offset {stored} lies outside {place} ({low} to {high}); going on at the nearest"
                        );
                    }
                    stored.clamp(low, high)
                }
                // Sessions taken up below go back from here to where they begin.
                None => high,
            };
            let resumed = stored.map(|_| start);
            starts.push((Start { place, offset: start }, resumed));
        }
        Ok(starts)
    }

    fn on_assigned(&mut self, assigned: &[TopicPartition]) -> Result<()> {
        let starts = loop {
            match self.stored_starts(assigned) {
                Ok(starts) => break starts,
                // Groups are rebalanced when brokers come and go: just then, a question may stay unanswered.
                Err(error) if matches!(error.kind(), ErrorKind::Kafka | ErrorKind::Timeout) && !self.stopped() => {
                    self.try_again(format!("the group's partitions cannot be read yet: {error}"));
                    if matches!(error, Error::Denied { .. }) {
                        self.core.queue.complain(error);
                    }
                    self.core.queue.wait_for_close(LOOK_AGAIN);
                }
                Err(error) => return Err(error),
            }
        };
        let mut begin: Vec<Start> = starts.iter().map(|(start, _)| start.clone()).collect();
        for (start, (_, resumed)) in begin.iter_mut().zip(&starts) {
            if resumed.is_none() {
                start.offset = self.earliest_wanted(&start.place).unwrap_or(start.offset).min(start.offset);
            }
        }
        self.consumer.take(&begin)?;
        for (start, (_, resumed)) in begin.into_iter().zip(starts) {
            self.open_slot(start.place, start.offset, resumed);
        }
        self.joined = true;
        self.rebalancing = false;
        self.on_allowed("");
        self.take_up_missed(assigned);
        match self.client.inner.admin.topics(Duration::from_secs(1)) {
            // Completed ones too: what we were given now may have the rest of them.
            Ok(topics) => self.look_for_places(self.sessions.keys().cloned().collect(), topics),
            // The next look for streams does it.
            Err(error) => log::warn!("{error}"),
        }
        if self.paused {
            self.pause(true);
        }
        Ok(())
    }

    /// Sessions that ended while no member of the group was there, with records behind what the group has stored.
    fn take_up_missed(&mut self, assigned: &[TopicPartition]) {
        for info in self.client.inner.directory.sessions() {
            let known = self.sessions.contains_key(&info.key) || self.finished.contains(&info.key);
            if !info.ended || known || !self.matches(&info) {
                continue;
            }
            let missed = assigned.iter().any(|place| {
                let slot = self.slot(&place.topic, place.partition);
                let stored = slot.and_then(|slot| self.parts.get(slot)).and_then(|part| part.resumed_at);
                let end = info.end_offsets.get(&(place.topic.clone(), place.partition));
                stored.zip(end).is_some_and(|(stored, end)| stored < *end)
            });
            if missed {
                self.waiting.push_back(info);
            }
        }
    }

    /// The first offset that a session being read wants from a partition.
    fn earliest_wanted(&self, place: &TopicPartition) -> Option<i64> {
        let key = (place.topic.clone(), place.partition);
        let start = |active: &Active| {
            let edge = active.edges.get(place).or_else(|| active.info.start_offsets.get(&key));
            edge.copied().unwrap_or(0)
        };
        self.sessions.values().map(start).min()
    }

    fn on_revoked(&mut self, revoked: &[TopicPartition]) -> Result<()> {
        self.rebalancing = true;
        self.tell();
        if let Err(error) = self.consumer.commit(self.client.timeout()) {
            log::warn!("offsets of partitions that the group takes away were not committed: {error}");
        }
        for place in revoked {
            self.core.forget(place);
            let Some(slot) = self.slot(&place.topic, place.partition) else { continue };
            for active in self.sessions.values_mut() {
                active.places.remove(&slot);
                active.taken.remove(place);
                // Nothing of it was handled: whoever has the partition next reads it again.
                active.aligner.iter_mut().for_each(|aligner| aligner.close(slot).for_each(drop));
            }
            self.close_slot(slot);
        }
        self.consumer.release(revoked)
    }

    // ---- Events ----

    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.on_message(&message),
            Event::End { topic, partition, offset } => {
                if let Some(part) = self.slot(topic, partition).and_then(|slot| self.parts.get_mut(slot)) {
                    part.position = part.position.max(offset);
                    part.supply.hear(Some(offset));
                    part.heard_ns = Some(self.wall);
                    self.heard_ns = self.wall;
                }
                self.on_allowed(topic);
            }
            Event::Assigned(places) => {
                if let Err(error) = self.on_assigned(&places) {
                    self.failure = Some(error);
                }
            }
            Event::Revoked(places) => {
                if let Err(error) = self.on_revoked(&places) {
                    log::warn!("{error}");
                }
            }
            Event::Error { error, fatal: true, .. } => self.failure = Some(error),
            Event::Error { error: error @ Error::Denied { .. }, topic, .. } => {
                self.core.note(error.to_string());
                self.on_denied(topic.as_deref().unwrap_or_default(), error);
            }
            Event::Error { error, topic, .. } => {
                log::debug!("{error}");
                if topic.is_some() {
                    // The connection's failures are remembered with the connection.
                    self.core.note(error.to_string());
                }
            }
        }
    }

    fn on_message(&mut self, message: &Message<'_>) {
        if !self.denials.is_empty() {
            self.on_allowed(message.topic);
        }
        let Some(slot) = self.slot(message.topic, message.partition) else { return };
        self.recent = Some(slot);
        let Some(part) = self.parts.get_mut(slot) else { return };
        if message.offset > part.position {
            self.look_for_loss(slot, message.offset);
        }
        let Some(part) = self.parts.get_mut(slot) else { return };
        part.position = message.offset + 1;
        part.supply.hear(None);
        part.heard_ns = Some(self.wall);
        part.newest_ms = Some(message.timestamp_ms);
        self.heard_ns = self.wall;
        let key = message.key.unwrap_or_default();
        if key != self.recent_key.as_bytes() {
            self.recent_key.clear();
            self.recent_key.push_str(std::str::from_utf8(key).unwrap_or_default());
        }
        let found = self.sessions.get_mut(&self.recent_key).and_then(|active| {
            let Active { places, streams, reference, silent, warned, aligner, .. } = active;
            Some((places.get_mut(&slot)?, streams, reference, silent, warned, aligner))
        });
        let Some((place, streams, reference, silent, warned, aligner)) = found else {
            self.counts.skipped += 1;
            self.counts.foreign += u64::from(self.recent_key.is_empty());
            return;
        };
        // What lies at or beyond the recorded end is not the session's, however much of it was fetched by chance.
        if message.offset < place.next || place.end.is_some_and(|end| message.offset >= end) {
            return;
        }
        place.next = message.offset + 1;
        *silent = Duration::ZERO;
        *warned = false;
        let Some(value) = message.value else {
            self.counts.undecodable += 1;
            if !std::mem::replace(&mut self.told_of_null, true) {
                let (topic, partition, offset) = (message.topic, message.partition, message.offset);
                log::warn!(
                    "a record without a value at {topic} partition {partition} offset {offset} was passed over; further ones are only counted"
                );
            }
            return;
        };
        self.counts.packets += 1;
        self.counts.bytes += value.len() as u64;
        if let Some(part) = self.parts.get_mut(slot) {
            part.tally.packets += 1;
            part.tally.bytes += value.len() as u64;
        }
        let head = Head::peek(value).ok();
        let cursor = match &head {
            Some(head) if head.packet_type(value) == PacketType::CoverageCursorInfo => {
                decode_message::<CoverageCursorInfoPacket>("a coverage cursor", head.content(value)).ok()
            }
            Some(_) => None,
            None => {
                self.counts.undecodable += 1;
                None
            }
        };
        let (origin, round) = &mut place.origin;
        if *round != self.round {
            // One for each fetch: its count of references is then touched by one thread at a time, first by this one and
            // later by whoever takes the packets.
            *origin = Arc::new(Origin::clone(origin));
            *round = self.round;
        }
        let packet = Packet {
            origin: origin.clone(),
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
            head,
            payload: Bytes::copy_from_slice(value),
        };
        let cursor = cursor.map(|cursor| {
            let time_ns = cursor.coverage_cursor_time;
            Item::CoverageCursor { session: reference.clone(), time_ns }
        });
        match aligner {
            Some(aligner) => hold(aligner, slot, packet, cursor),
            None => {
                if let Some(state) = streams.get_mut(&place.stream) {
                    start_stream(state, &packet, &mut self.out);
                }
                self.out.push(Item::Packet(packet));
                self.out.extend(cursor);
            }
        }
    }

    /// Offsets were passed over: markers of transactions and what compaction removed are no loss, but what lies below the
    /// first offset that the broker has is.
    fn look_for_loss(&mut self, slot: usize, offset: i64) {
        let Some(part) = self.parts.get(slot) else { return };
        let (place, position) = (part.place.clone(), part.position);
        if let (Some(low), _) = self.consumer.marks_of(&place) {
            self.lose(&place, position, low.min(offset));
        }
    }

    // ---- Ends ----

    fn complete(&mut self) {
        if self.now < self.complete_at {
            return;
        }
        self.complete_now();
        if self.sessions.len() > MOST {
            // With very many, looking at all of them takes a while: a tenth of the time is spent on that.
            self.complete_at = self.now + self.now.elapsed() * 10;
        }
    }

    fn complete_now(&mut self) {
        self.listen();
        let silence = self.options.inactivity != Inactivity::Never;
        let counts = |active: &Active| silence || active.info.ended || self.options.until_now;
        let open = self.sessions.iter().filter(|(_, active)| !active.done && counts(active));
        let keys: Vec<String> = open.map(|(key, _)| key.clone()).collect();
        self.learn_ends(&keys);
        for key in keys {
            if self.by_offsets(&key) {
                self.finish(&key, Completion::EndOffsets);
            } else if self.by_silence(&key) {
                self.finish(&key, Completion::Inactivity);
            }
        }
    }

    /// Counts the silence of each session. Only time counts in which a packet could have come: the broker answers, and
    /// whoever takes the packets has handled what came before.
    fn listen(&mut self) {
        // What passed while this thread asked the broker something, or got no processor, was not spent waiting for packets.
        let passed = self.now.duration_since(self.listened).min(TICK * 2);
        self.listened = self.now;
        // Nor was what was not allowed.
        if !self.core.queue.is_idle() || !self.denials.is_empty() {
            return;
        }
        // A live session that only a warning awaits is asked for too, until it was given.
        let ever = self.options.inactivity != Inactivity::Never;
        let waiting = self.sessions.values().filter(|active| ever && !active.done && !active.warned);
        let longest = waiting.map(|active| (active.silent, self.patience(active).unwrap_or(SILENCE), active));
        if let Some((silent, patience, active)) = longest.max_by_key(|(silent, ..)| *silent) {
            let period = (patience / 4).min(LOOK_AGAIN);
            if silent >= period && self.now.duration_since(self.asked.0) >= period {
                let unread = active.places.iter().find(|(_, place)| place.end.is_none_or(|end| place.next < end));
                let place = unread.and_then(|(slot, _)| self.parts.get(*slot)).map(|part| &part.place);
                let answers = self.client.inner.admin.answers(place, LOOK_AGAIN / 2);
                if !answers && self.asked.1 {
                    log::warn!("the broker does not answer: this time does not count as the inactivity of sessions");
                }
                self.asked = (Instant::now(), answers);
            }
            if !self.asked.1 {
                return;
            }
        }
        // What is held back has not been handled either.
        let idle = self.sessions.values_mut().filter(|active| !active.holds_back());
        idle.for_each(|active| active.silent += passed);
    }

    /// How long a session may be silent before it counts as complete.
    fn patience(&self, active: &Active) -> Option<Duration> {
        match self.options.inactivity {
            Inactivity::Never => None,
            Inactivity::After(time) => Some(time),
            Inactivity::Default if active.was_live => None,
            Inactivity::Default => Some(SILENCE),
        }
    }

    /// After the end of sessions: where each of their partitions ends, streams that were never looked at included.
    fn learn_ends(&mut self, keys: &[String]) {
        if self.options.until_now || self.now < self.retry_at {
            return;
        }
        let unknown =
            |key: &&String| self.sessions.get(*key).is_some_and(|active| active.info.ended && !active.ends_known);
        let (live, historic): (Vec<String>, Vec<String>) = keys
            .iter()
            .filter(unknown)
            .cloned()
            .partition(|key| self.sessions.get(key).is_some_and(|active| active.was_live));
        for key in &historic {
            if let Some(active) = self.sessions.get_mut(key) {
                learn_ends_from(active, &self.parts, |_, captured| Some(captured));
            }
        }
        if live.is_empty() {
            return;
        }
        let admin = self.client.inner.admin.clone();
        let Some(topics) = admin.glance(Duration::from_millis(1000)) else { return };
        let mut moment = Moment::new(self.client.layout(), topics);
        let taken =
            live.iter().filter_map(|key| self.sessions.get(key)).flat_map(|active| active.taken.iter().cloned());
        let taken: Vec<TopicPartition> = taken.collect();
        if let Err(error) = moment.learn(&admin, &taken, None) {
            log::warn!("the ends of sessions are not known yet: {error}");
            self.retry_at = self.now + LOOK_AGAIN;
            return;
        }
        let mut all = self.learn_for(&live, &mut moment);
        for key in live {
            if self.stopped() {
                return;
            }
            // Without its last streams it must not count as complete.
            all &= self.add_new_places(&key, &mut moment)
                && self.sessions.get_mut(&key).is_none_or(|active| {
                    learn_ends_from(active, &self.parts, |place, _| moment.marks(place).map(|(_, high)| high))
                });
        }
        if !all {
            self.retry_at = self.now + LOOK_AGAIN;
        }
    }

    /// Reports streams that are complete; true when all are.
    fn by_offsets(&mut self, key: &str) -> bool {
        let Some(active) = self.sessions.get_mut(key) else { return false };
        let known = self.options.until_now || (active.info.ended && active.ends_known);
        if !known || (self.grouped && !self.joined) {
            return false;
        }
        let mut open: HashSet<&Arc<str>> = HashSet::new();
        for (slot, place) in &active.places {
            let position = self.parts.get(*slot).map_or(0, |part| part.position);
            let held = active.aligner.as_ref().is_some_and(|aligner| aligner.holds(*slot));
            if held || place.end.is_none_or(|end| position.max(place.next) < end) {
                open.insert(&place.stream);
            }
        }
        for (name, state) in &mut active.streams {
            if state.started && !state.completed && !open.contains(name) {
                state.completed = true;
                self.out
                    .push(Item::StreamCompleted(StreamRef { session: active.reference.clone(), stream: name.clone() }));
            }
        }
        open.is_empty()
    }

    fn by_silence(&mut self, key: &str) -> bool {
        let Some(active) = self.sessions.get(key) else { return false };
        let (silent, patience) = (active.silent, self.patience(active));
        let warn = patience.is_none() && silent >= SILENCE && !active.warned && !active.info.ended;
        if warn && self.options.inactivity != Inactivity::Never {
            let silent_s = silent.as_secs();
            log::warn!(session = key; "no packet of live session '{}' for {silent_s} s; still waiting", Printable(key));
            if let Some(active) = self.sessions.get_mut(key) {
                active.warned = true;
            }
        }
        patience.is_some_and(|patience| silent >= patience)
    }

    fn finish(&mut self, key: &str, by: Completion) {
        let Some(active) = self.sessions.get_mut(key) else { return };
        active.let_everything_out(&mut self.out);
        for (name, state) in &active.streams {
            if state.started && !state.completed {
                self.out
                    .push(Item::StreamCompleted(StreamRef { session: active.reference.clone(), stream: name.clone() }));
            }
        }
        if by == Completion::Inactivity {
            log::warn!(session = key; "no packet of session '{}' for the inactivity time: taken as complete", Printable(key));
        }
        self.out.push(Item::SessionCompleted { info: active.info.clone(), by });
        if self.grouped && self.options.session_key.is_none() {
            // Another member's share of it may come to us yet, when that member leaves.
            if let Some(active) = self.sessions.get_mut(key) {
                active.done = true;
            }
            return;
        }
        self.let_go(key);
    }
}

/// Reports a stream before its first packet.
fn start_stream(state: &mut StreamState, packet: &Packet, out: &mut Vec<Item>) {
    if !state.started {
        state.started = true;
        out.push(Item::StreamStarted(StreamRef { session: packet.session.clone(), stream: packet.stream.clone() }));
    }
}

/// Sets where a session that has ended ends in each of its partitions, which end themselves where `high` says. True when
/// that is known of all.
fn learn_ends_from(active: &mut Active, parts: &[Part], high: impl Fn(&TopicPartition, i64) -> Option<i64>) -> bool {
    for (slot, place) in &mut active.places {
        let Some(part) = parts.get(*slot) else { continue };
        let Some(high) = high(&part.place, place.captured) else { return false };
        let recorded = active.info.end_offsets.get(&(part.place.topic.clone(), part.place.partition)).copied();
        // Beyond the partition's end there is nothing to wait for.
        place.end = Some(recorded.map_or(high, |end| end.min(high)));
    }
    active.ends_known = true;
    true
}
