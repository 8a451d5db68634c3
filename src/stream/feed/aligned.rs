//! Alignment of what a feed gives: the gate of each session, what is known of partitions it waits for, and how much is
//! held back at most.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Active, Feed, Part, Place, StreamState, TICK, start_stream};
use crate::error::Printable;
use crate::kafka::Consumer;
use crate::pipeline::Aligner;
use crate::stream::queue::is_on;
use crate::stream::reader::{Item, Packet};

/// For how long a partition is waited for that gives neither a record nor word that there is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// After the reader has not listened for so long, because its queue was full, what it knows of the ends may be old:
/// librdkafka's queue was full as well, and then it fetches nothing.
const DEAF: Duration = Duration::from_millis(200);
/// So long it listens to an empty queue of librdkafka before it believes in ends again: the broker keeps an answer back for
/// up to 100 ms, and each says where the partition ends.
const RELISTEN: Duration = Duration::from_millis(300);
/// How much is held back before partitions are paused, when the queue has no limit of its own, and at least.
const DEFAULT_BUDGET: usize = 32 << 20;
const LEAST_BUDGET: usize = 256 << 10;
/// What pausing cannot prevent: packets that were under way, and sessions that wait for each other. Beyond this, order
/// gives way to memory.
const OVERDRAFT: usize = 128 << 20;

/// What is known of the packets that a partition may have for us.
#[derive(Default, Clone, Copy)]
pub(super) struct Supply {
    /// None lay between our position and this offset, the partition's end, when the broker last said something.
    end: Option<i64>,
    /// The broker has said something since reading began here.
    heard: bool,
    /// It has not, for so long that nobody waits for it any more.
    given_up: bool,
    /// What is known of the end is from before the reader could not listen for a while.
    stale: bool,
    /// Not fetched: it is far ahead of the others.
    pub(super) paused: bool,
    /// Whether it was caught up when that was last looked at, and in which round.
    looked: (u64, bool),
}

impl Supply {
    /// A record came, or word that there is none before this offset.
    pub(super) fn hear(&mut self, end: Option<i64>) {
        // A record may have lain in librdkafka's queue for as long as the reader did not listen: it is no news of the end.
        *self = Self { end, heard: true, paused: self.paused, stale: self.stale, ..Self::default() };
    }

    /// Whether there is nothing behind this position. `latest` is where the partition ended when librdkafka last had an
    /// answer of the broker: what was in it may still lie in librdkafka's queue.
    fn is_at_end(&mut self, position: i64, latest: Option<i64>) -> bool {
        if self.stale {
            return false;
        }
        if self.end.is_none() && self.heard {
            // Word of the end comes with the next answer, for which the broker has up to 100 ms. The last one says as
            // well where the partition ends, but from before reading began here it may be any old one.
            self.end = latest.filter(|latest| position >= *latest);
        }
        // What came since is waited for; if it is of a transaction that stays open, as long as our patience lasts.
        self.end.is_some_and(|end| latest.is_none_or(|latest| latest <= end))
    }
}

/// For how long a session's gate has waited, and where the partitions stood that it waits for.
#[derive(Default, Clone, Copy)]
pub(super) struct Stuck {
    since: Duration,
    at: i64,
}

/// What a feed knows of alignment.
pub(super) struct Gate {
    /// The turn of the switch that was followed last.
    turn: u64,
    /// Bytes that may be held back before partitions are paused.
    budget: usize,
    /// Items and bytes that were last said to be held.
    said: (usize, usize),
    /// When the gates were last opened as far as they go.
    opened: Instant,
    /// Packets could come since then.
    pub(super) listening: bool,
    /// All of librdkafka's packets were taken when it was last asked for some.
    pub(super) drained: bool,
    /// For how long ends are not believed in yet; see [`RELISTEN`].
    unsure: Duration,
    /// How often they were.
    round: u64,
    /// Some partitions are paused.
    pausing: bool,
    warned: bool,
}

impl Gate {
    pub(super) fn new(turn: u64, buffer_bytes: usize, now: Instant) -> Self {
        let budget = if buffer_bytes == 0 { DEFAULT_BUDGET } else { (buffer_bytes / 2).max(LEAST_BUDGET) };
        Self {
            turn,
            budget,
            said: (0, 0),
            opened: now,
            listening: false,
            drained: false,
            unsure: Duration::ZERO,
            round: 0,
            pausing: false,
            warned: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        is_on(self.turn)
    }

    /// How many packets may be fetched at once: a part of the budget, because all may be of one partition, but not too few.
    pub(super) fn most(&self, packet_bytes: usize) -> usize {
        if self.is_on() { (self.budget / 8 / packet_bytes).max(16) } else { usize::MAX }
    }
}

/// Puts a packet into its partition's lane, and what follows it.
pub(super) fn hold(aligner: &mut Aligner<Item>, slot: usize, packet: Packet, follower: Option<Item>) {
    let latest = packet.latest_ns();
    let item = Item::Packet(packet);
    aligner.push(slot, latest, item.size(), item);
    if let Some(item) = follower {
        aligner.push(slot, None, item.size(), item);
    }
}

/// Whether a partition has nothing that a session would have to wait for. It is looked at once in a round.
fn caught_up(consumer: &Consumer, part: &mut Part, place: &Place, round: u64) -> bool {
    if part.supply.given_up || place.end.is_some_and(|end| part.position.max(place.next) >= end) {
        return true;
    }
    if part.supply.looked.0 != round {
        let latest = consumer.end_of(&part.place);
        part.supply.looked = (round, part.supply.is_at_end(part.position, latest));
    }
    part.supply.looked.1
}

fn give(item: Item, streams: &mut BTreeMap<Arc<str>, StreamState>, out: &mut Vec<Item>) {
    if let Item::Packet(packet) = &item
        && let Some(state) = streams.get_mut(&packet.stream)
    {
        start_stream(state, packet, out);
    }
    out.push(item);
}

impl Active {
    /// Gives each partition a lane, once there are several.
    pub(super) fn align(&mut self) {
        if self.places.len() > 1 || self.aligner.is_some() {
            let aligner = self.aligner.get_or_insert_default();
            self.places.keys().for_each(|slot| aligner.open(*slot));
        }
    }

    pub(super) fn holds_back(&self) -> bool {
        self.aligner.as_ref().is_some_and(|aligner| !aligner.is_empty())
    }

    /// Gives out what is about the session as a whole, behind what is held of it.
    pub(super) fn follow(&mut self, item: Item, out: &mut Vec<Item>) {
        match &mut self.aligner {
            Some(aligner) if !aligner.is_empty() => aligner.follow(item.size(), item),
            _ => out.push(item),
        }
    }

    /// Gives out all that is held, without waiting for anything.
    pub(super) fn let_everything_out(&mut self, out: &mut Vec<Item>) {
        while let Some(item) = self.aligner.as_mut().and_then(Aligner::pop_any) {
            give(item, &mut self.streams, out);
        }
    }

    fn held_bytes(&self) -> usize {
        self.aligner.as_ref().map_or(0, Aligner::size)
    }
}

impl Feed {
    /// Does what the switch of the reader asks for, if it was turned.
    pub(super) fn follow_switch(&mut self) {
        let turn = self.core.queue.turn();
        if turn == self.gate.turn {
            return;
        }
        match (self.gate.is_on(), is_on(turn)) {
            (false, true) => {
                // What was fetched last first reaches the queue, so that all of it comes back in its order.
                self.pass_on();
                self.sessions.values_mut().for_each(Active::align);
                self.take_back();
            }
            (true, false) => {
                self.let_all_out();
                self.sessions.values_mut().for_each(|active| active.aligner = None);
                self.pause_far_ahead();
            }
            _ => {}
        }
        self.gate.turn = turn;
        self.core.queue.follow(self.source, turn);
    }

    /// What was queued before alignment was switched on, and is still there, goes through the gates, too.
    fn take_back(&mut self) {
        let sessions = &self.sessions;
        let ours = |key: &str| sessions.get(key).is_some_and(|active| active.aligner.is_some() && !active.done);
        let items = self.core.queue.take_back(|item| match item {
            Item::Packet(packet) => ours(&packet.session.key),
            Item::CoverageCursor { session, .. } => ours(&session.key),
            Item::StreamStarted(stream) | Item::StreamCompleted(stream) => ours(&stream.session.key),
            Item::SessionUpdated(info) => ours(&info.key),
            // The beginning stays where it is, before all that is put in again, and associations behind it.
            Item::SessionStarted(_) | Item::Associated { .. } | Item::SessionCompleted { .. } => false,
        });
        let mut last = None;
        for item in items {
            match item {
                Item::Packet(packet) => {
                    let slot = self.slot(&packet.topic, packet.partition);
                    let active = self.sessions.get_mut(&*packet.session.key);
                    let aligner = active.and_then(|active| active.aligner.as_mut());
                    match (slot, aligner) {
                        (Some(slot), Some(aligner)) => hold(aligner, slot, packet, None),
                        _ => self.out.push(Item::Packet(packet)),
                    }
                    last = slot;
                }
                Item::CoverageCursor { ref session, .. } => {
                    let active = self.sessions.get_mut(&*session.key);
                    match (last, active.and_then(|active| active.aligner.as_mut())) {
                        (Some(slot), Some(aligner)) => aligner.push(slot, None, item.size(), item),
                        _ => self.out.push(item),
                    }
                }
                // Both are reported again when their time comes.
                Item::StreamStarted(stream) => self.state_of(&stream, |state| state.started = false),
                Item::StreamCompleted(stream) => self.state_of(&stream, |state| state.completed = false),
                Item::SessionUpdated(ref info) => match self.sessions.get_mut(&info.key) {
                    Some(active) => active.follow(item, &mut self.out),
                    None => self.out.push(item),
                },
                other => self.out.push(other),
            }
        }
    }

    fn state_of(&mut self, stream: &crate::stream::StreamRef, change: impl FnOnce(&mut StreamState)) {
        let active = self.sessions.get_mut(&*stream.session.key);
        if let Some(state) = active.and_then(|active| active.streams.get_mut(&stream.stream)) {
            change(state);
        }
    }

    /// Gives out all that is held back.
    pub(super) fn let_all_out(&mut self) {
        self.sessions.values_mut().for_each(|active| active.let_everything_out(&mut self.out));
        self.say_held();
    }

    /// Gives out what needs no waiting, as far as the queue has room.
    pub(super) fn let_out(&mut self) {
        if !self.gate.is_on() {
            return;
        }
        let passed = self.now.duration_since(self.gate.opened).min(TICK * 2);
        self.gate.opened = self.now;
        let passed = if std::mem::take(&mut self.gate.listening) { passed } else { Duration::ZERO };
        self.listen_again(passed);
        self.gate.round += 1;
        let round = self.gate.round;
        let (mut packets, mut bytes) = self.core.queue.space();
        for item in &self.out {
            packets = packets.saturating_sub(usize::from(matches!(item, Item::Packet(_))));
            bytes = bytes.saturating_sub(item.size());
        }
        let total: usize = self.sessions.values().map(Active::held_bytes).sum();
        let mut excess = total.saturating_sub(self.gate.budget * 2 + OVERDRAFT);
        if excess > 0 && !std::mem::replace(&mut self.gate.warned, true) {
            log::warn!(
                "{} MiB are held back to align streams, and those that are behind have more than that still to come: some \
                 packets come unaligned",
                total >> 20
            );
        }
        for active in self.sessions.values_mut().filter(|active| active.holds_back()) {
            let Active { aligner: Some(aligner), places, streams, stuck, info, .. } = active else { continue };
            let mut moved = false;
            while packets > 0 && bytes > 0 {
                let force = excess > 0;
                let item = aligner.pop(|slot| {
                    let part = self.parts.get_mut(slot);
                    let known = part.zip(places.get(&slot));
                    force || known.is_none_or(|(part, place)| caught_up(&self.consumer, part, place, round))
                });
                let Some(item) = item else {
                    if moved || !stuck.wait(aligner, &mut self.parts, places, passed) {
                        break;
                    }
                    log::warn!(
                        "session '{}': some of its streams give no packets for {} s: the others do not wait for them",
                        Printable(&info.key),
                        PATIENCE.as_secs()
                    );
                    continue;
                };
                moved = true;
                packets -= usize::from(matches!(item, Item::Packet(_)));
                bytes = bytes.saturating_sub(item.size());
                excess = excess.saturating_sub(item.size());
                give(item, streams, &mut self.out);
            }
            if moved {
                *stuck = Stuck::default();
            }
        }
        self.pause_far_ahead();
        self.say_held();
    }

    /// The queue has room again after so long.
    pub(super) fn was_deaf(&mut self, time: Duration) {
        if time >= DEAF {
            self.gate.unsure = RELISTEN;
            self.parts.iter_mut().for_each(|part| part.supply.stale = true);
        }
    }

    /// Counts the time in which the broker's answers were heard, until what they say of ends is believed again.
    fn listen_again(&mut self, passed: Duration) {
        if self.gate.unsure.is_zero() || !self.gate.drained {
            return;
        }
        self.gate.unsure = self.gate.unsure.saturating_sub(passed);
        if self.gate.unsure.is_zero() {
            self.parts.iter_mut().for_each(|part| part.supply.stale = false);
        }
    }

    /// Pauses partitions that are far ahead once much is held back, but none that somebody waits for, and resumes those of
    /// which little is left.
    fn pause_far_ahead(&mut self) {
        let total: usize = self.sessions.values().map(Active::held_bytes).sum();
        if !self.gate.pausing && total < self.gate.budget {
            return;
        }
        let aligners = || self.sessions.values().filter_map(|active| active.aligner.as_ref());
        let lanes: Vec<(usize, usize)> = aligners().flat_map(Aligner::lanes).collect();
        let wanted: HashSet<usize> = aligners().flat_map(Aligner::waits_for).collect();
        let share = self.gate.budget / lanes.len().max(1);
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (slot, part) in self.parts.iter_mut().enumerate() {
            let held: usize = lanes.iter().filter(|(lane, _)| *lane == slot).map(|(_, size)| size).sum();
            if part.supply.paused {
                if wanted.contains(&slot) || held < share / 2 {
                    resume.push(slot);
                }
            } else if total >= self.gate.budget && held >= share.max(1) && !wanted.contains(&slot) {
                pause.push(slot);
            }
        }
        self.pause_slots(&pause, true);
        self.pause_slots(&resume, false);
        self.gate.pausing = self.parts.iter().any(|part| part.supply.paused);
    }

    fn pause_slots(&mut self, slots: &[usize], on: bool) {
        let places: Vec<_> =
            slots.iter().filter_map(|slot| self.parts.get(*slot)).map(|part| part.place.clone()).collect();
        // While the queue is full everything is paused anyway, and resumed without those that are paused here.
        let outcome = if on || !self.paused { self.consumer.pause(&places, on) } else { Ok(()) };
        if let Err(error) = outcome {
            log::warn!("{error}");
        }
        for slot in slots {
            if let Some(part) = self.parts.get_mut(*slot) {
                // What is remembered of its end is from before.
                part.supply = Supply { paused: on, ..Supply::default() };
            }
        }
    }

    /// Reading of a partition begins somewhere else: what was known of its end does not hold any more.
    pub(super) fn begin_anew(&mut self, slot: usize) {
        if self.parts.get(slot).is_some_and(|part| part.supply.paused) {
            self.pause_slots(&[slot], false);
        }
        if let Some(part) = self.parts.get_mut(slot) {
            part.supply = Supply::default();
        }
    }

    /// Tells the reader how much is held back.
    fn say_held(&mut self) {
        let aligners = || self.sessions.values().filter_map(|active| active.aligner.as_ref());
        let held = (aligners().map(Aligner::len).sum(), aligners().map(Aligner::size).sum());
        let said = std::mem::replace(&mut self.gate.said, held);
        let set = |count: &AtomicUsize, now: usize, before: usize| {
            // Several feeds share it; each adds what has changed, and wrapping subtracts.
            count.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        };
        set(&self.core.held.0, held.0, said.0);
        set(&self.core.held.1, held.1, said.1);
    }
}

impl Stuck {
    /// Counts time in which nothing could be given out. True when the patience is at its end: nobody waits any more for
    /// the partitions that are behind.
    fn wait(
        &mut self,
        aligner: &Aligner<Item>,
        parts: &mut [Part],
        places: &BTreeMap<usize, Place>,
        passed: Duration,
    ) -> bool {
        let behind: Vec<usize> = aligner.waits_for().filter(|slot| places.contains_key(slot)).collect();
        let at = behind.iter().filter_map(|slot| parts.get(*slot)).map(|part| part.position).sum();
        if at != self.at {
            *self = Self { since: Duration::ZERO, at };
        }
        self.since += passed;
        if self.since < PATIENCE {
            return false;
        }
        *self = Self::default();
        behind.into_iter().for_each(|slot| {
            if let Some(part) = parts.get_mut(slot) {
                part.supply.given_up = true;
            }
        });
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kafka::TopicPartition;
    use crate::stream::reader::{Origin, SessionRef, StreamRef};

    /// A gate with a lane that holds something and one that is empty, and their partitions.
    fn waiting() -> (Aligner<Item>, Vec<Part>, BTreeMap<usize, Place>) {
        let session = Arc::new(SessionRef { key: "k".into(), data_source: "d".into() });
        let mut aligner = Aligner::new();
        let (mut parts, mut places) = (Vec::new(), BTreeMap::new());
        for slot in 0..2 {
            let topic: Arc<str> = format!("t{slot}").into();
            let place = TopicPartition::new(topic.clone(), 0);
            parts.push(Part { users: 1, ..Part::new(place, 7, None) });
            let origin = Origin { session: session.clone(), stream: topic.clone(), topic: topic.clone(), partition: 0 };
            let origin = (Arc::new(origin), 0);
            places.insert(slot, Place { stream: topic, next: 0, origin, captured: 0, end: None });
            aligner.open(slot);
        }
        let stream = StreamRef { session, stream: "t0".into() };
        aligner.push(0, Some(5), 100, Item::StreamStarted(stream));
        (aligner, parts, places)
    }

    #[test]
    fn a_partition_that_says_nothing_is_waited_for_only_so_long_and_again_once_it_has_spoken() {
        let (aligner, mut parts, places) = waiting();
        let mut stuck = Stuck::default();
        let tick = PATIENCE / 4;
        for _ in 0..3 {
            assert!(!stuck.wait(&aligner, &mut parts, &places, tick));
        }
        assert!(stuck.wait(&aligner, &mut parts, &places, tick));
        assert!(parts[1].supply.given_up && !parts[0].supply.given_up);
        parts[1].supply.hear(None);
        assert!(!parts[1].supply.given_up);
    }

    #[test]
    fn what_lies_in_librdkafkas_queue_has_still_to_come() {
        let mut supply = Supply::default();
        assert!(!supply.is_at_end(7, Some(7)), "an answer from before reading began here");
        supply.hear(None);
        assert!(!supply.is_at_end(6, Some(7)));
        assert!(supply.is_at_end(7, Some(7)));
        assert!(!supply.is_at_end(7, Some(9)), "two more were fetched");
        supply.hear(None);
        assert!(supply.is_at_end(9, Some(9)));
    }

    #[test]
    fn an_end_from_before_the_reader_stopped_listening_is_not_believed_in() {
        let mut supply = Supply::default();
        supply.hear(Some(9));
        assert!(supply.is_at_end(9, Some(9)));
        supply.stale = true;
        assert!(!supply.is_at_end(9, Some(9)), "the partition may have gone on meanwhile");
        supply.hear(None);
        assert!(!supply.is_at_end(10, Some(10)), "a record that librdkafka had fetched long before");
        supply.stale = false;
        assert!(supply.is_at_end(10, Some(10)));
        assert!(!supply.is_at_end(10, Some(60)), "and in fact it had");
    }

    #[test]
    fn the_end_that_the_broker_tells_counts_until_the_partition_goes_on() {
        let mut supply = Supply::default();
        supply.hear(Some(9));
        assert!(supply.is_at_end(7, Some(9)));
        assert!(!supply.is_at_end(7, Some(10)));
    }

    #[test]
    fn a_partition_that_gets_on_is_waited_for_however_long_it_takes() {
        let (aligner, mut parts, places) = waiting();
        let mut stuck = Stuck::default();
        for _ in 0..100 {
            assert!(!stuck.wait(&aligner, &mut parts, &places, PATIENCE / 2));
            // Records of other sessions.
            parts[1].position += 1;
        }
    }

    #[test]
    fn time_in_which_nothing_could_come_does_not_count() {
        let (aligner, mut parts, places) = waiting();
        let mut stuck = Stuck::default();
        for _ in 0..1_000 {
            assert!(!stuck.wait(&aligner, &mut parts, &places, Duration::ZERO));
        }
    }
}
