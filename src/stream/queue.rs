//! The queue between a reader's thread and whoever takes from it: bounded in bytes, told when it is full, never dropping.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::reader::Item;
use super::realign::realign;
use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};
use crate::time::after;

/// What a reader had to give.
#[derive(Debug)]
pub enum Batch {
    /// Some items, in order.
    Items(Vec<Item>),
    /// Nothing in this time.
    Empty,
    /// Everything was read, or the reader was closed: nothing will come any more.
    End,
}

#[derive(Default)]
struct State {
    /// As they were put in: whoever takes as many at once gets them without one being moved. None is empty.
    batches: VecDeque<VecDeque<Item>>,
    /// Of all of them.
    items: usize,
    bytes: usize,
    packets: usize,
    /// Threads that still put something in.
    sources: usize,
    /// The last items that were taken may still be under way: nobody has asked for more.
    busy: bool,
    closed: bool,
    failure: Option<Error>,
    /// To be told once; reading goes on.
    complaint: Option<Error>,
    /// Of each source, which turn of the switch it has followed.
    followed: Vec<u64>,
    /// After which turn the items here were brought into order.
    settled: u64,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
    most_bytes: usize,
    most_packets: usize,
    /// How often alignment was switched: it is on after an odd number. Changes under the state's lock.
    turn: AtomicU64,
}

/// A limit, of which 0 means that there is none.
fn unless_zero(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// Whether alignment is on after so many turns of its switch.
pub(crate) fn is_on(turn: u64) -> bool {
    turn % 2 == 1
}

impl Queue {
    pub(crate) fn new(most_bytes: usize, most_packets: usize, sources: usize, aligned: bool) -> Self {
        let turn = u64::from(aligned);
        Self {
            state: Mutex::new(State { sources, followed: vec![turn; sources], settled: turn, ..State::default() }),
            turn: AtomicU64::new(turn),
            filled: Condvar::new(),
            drained: Condvar::new(),
            most_bytes: unless_zero(most_bytes),
            most_packets: unless_zero(most_packets),
        }
    }

    /// How many bytes it takes before it is full.
    pub(crate) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    fn full(&self, state: &State) -> bool {
        state.bytes >= self.most_bytes || state.packets >= self.most_packets
    }

    /// Takes everything, even beyond the limits: whoever puts in looks at [`Queue::wait_for_room`] before fetching more.
    pub(crate) fn put(&self, items: &mut Vec<Item>) {
        if items.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        if state.closed {
            items.clear();
            return;
        }
        for item in &*items {
            state.bytes += item.size();
            state.packets += usize::from(matches!(item, Item::Packet(_)));
        }
        let room = Vec::with_capacity(items.len());
        let batch = std::mem::replace(items, room);
        state.items += batch.len();
        state.batches.push_back(batch.into());
        drop(state);
        self.filled.notify_all();
    }

    /// How many more packets may be fetched now.
    pub(crate) fn room(&self) -> usize {
        self.space().0
    }

    /// How many more packets, and how many more bytes, may be put in now.
    pub(crate) fn space(&self) -> (usize, usize) {
        let state = self.state.lock();
        if self.full(&state) {
            return (0, 0);
        }
        (self.most_packets.saturating_sub(state.packets), self.most_bytes.saturating_sub(state.bytes))
    }

    /// Switches alignment. What is queued is not given out before every source has had the chance to take back what it
    /// knows more of; the rest is aligned here.
    pub(crate) fn set_aligned(&self, on: bool) {
        let mut state = self.state.lock();
        if self.is_aligned() != on {
            self.turn.fetch_add(1, Ordering::AcqRel);
        }
        self.settle(&mut state);
        drop(state);
        self.filled.notify_all();
    }

    fn settle(&self, state: &mut State) {
        let turn = self.turn();
        if !is_on(turn) || state.settled >= turn || state.followed.iter().any(|followed| *followed < turn) {
            return;
        }
        state.settled = turn;
        let items = realign(std::mem::take(&mut state.batches).into_iter().flatten());
        if !items.is_empty() {
            state.batches.push_back(items);
        }
    }

    pub(crate) fn is_aligned(&self) -> bool {
        is_on(self.turn())
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    /// A source has done what this turn of the switch asks for.
    pub(crate) fn follow(&self, source: usize, turn: u64) {
        let mut state = self.state.lock();
        if let Some(followed) = state.followed.get_mut(source) {
            *followed = turn.max(*followed);
        }
        self.settle(&mut state);
        drop(state);
        self.filled.notify_all();
    }

    /// Takes back what has not been taken yet, as far as `which` says so; the rest keeps its order.
    pub(crate) fn take_back(&self, which: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut back = Vec::new();
        let mut state = self.state.lock();
        for batch in std::mem::take(&mut state.batches) {
            let mut rest = VecDeque::new();
            for item in batch {
                if which(&item) {
                    state.items -= 1;
                    state.bytes -= item.size();
                    state.packets -= usize::from(matches!(item, Item::Packet(_)));
                    back.push(item);
                } else {
                    rest.push_back(item);
                }
            }
            if !rest.is_empty() {
                state.batches.push_back(rest);
            }
        }
        drop(state);
        self.drained.notify_all();
        back
    }

    /// Waits until there is room, at most this long; true when there is.
    pub(crate) fn wait_for_room(&self, timeout: Duration) -> bool {
        let deadline = after(timeout);
        let mut state = self.state.lock();
        while self.full(&state) && !state.closed {
            if self.drained.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        true
    }

    /// Waits until the queue is closed, at most this long.
    pub(crate) fn wait_for_close(&self, timeout: Duration) {
        let deadline = after(timeout);
        let mut state = self.state.lock();
        while !state.closed && !self.drained.wait_until(&mut state, deadline).timed_out() {}
    }

    /// Whether everything that was put in has been taken and handled, and whoever takes waits for more or may do so.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.items == 0 && !state.busy
    }

    /// The packets and bytes that wait.
    pub(crate) fn fill(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.packets, state.bytes)
    }

    /// How many packets it takes before it is full.
    pub(crate) fn most_packets(&self) -> usize {
        self.most_packets
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().items
    }

    /// One source has nothing more to give.
    pub(crate) fn finish(&self, source: usize) {
        let mut state = self.state.lock();
        state.sources = state.sources.saturating_sub(1);
        if let Some(followed) = state.followed.get_mut(source) {
            *followed = u64::MAX;
        }
        self.settle(&mut state);
        drop(state);
        self.filled.notify_all();
    }

    /// Reading cannot go on; what is queued is still given out first.
    pub(crate) fn fail(&self, error: Error) {
        self.state.lock().failure.get_or_insert(error);
        self.filled.notify_all();
    }

    /// Something keeps reading from going on, for now. It is told before what is queued, once.
    pub(crate) fn complain(&self, error: Error) {
        self.state.lock().complaint = Some(error);
        self.filled.notify_all();
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        drop(state);
        self.filled.notify_all();
        self.drained.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Whether a source may still take back what is queued.
    fn is_held(&self, state: &State) -> bool {
        let turn = self.turn();
        is_on(turn) && !state.closed && state.settled < turn
    }

    /// Up to `most` items, as soon as there is one.
    pub(crate) fn take(&self, most: usize, timeout: Duration) -> Result<Batch> {
        let deadline = after(timeout);
        let mut state = self.state.lock();
        state.busy = false;
        loop {
            if self.is_held(&state) {
                if self.filled.wait_until(&mut state, deadline).timed_out() && self.is_held(&state) {
                    return Ok(Batch::Empty);
                }
                continue;
            }
            if let Some(error) = state.complaint.take() {
                return Err(error);
            }
            if let Some(mut front) = state.batches.pop_front() {
                state.busy = true;
                let most = most.max(1);
                let items: Vec<Item> = if front.len() > most {
                    let items = front.drain(..most).collect();
                    state.batches.push_front(front);
                    items
                } else {
                    while state.batches.front().is_some_and(|next| front.len() + next.len() <= most) {
                        front.extend(state.batches.pop_front().into_iter().flatten());
                    }
                    front.into()
                };
                state.items -= items.len();
                for item in &items {
                    state.bytes -= item.size();
                    state.packets -= usize::from(matches!(item, Item::Packet(_)));
                }
                drop(state);
                self.drained.notify_all();
                return Ok(Batch::Items(items));
            }
            if let Some(error) = state.failure.take() {
                state.sources = 0;
                return Err(error);
            }
            if state.closed || state.sources == 0 {
                return Ok(Batch::End);
            }
            let late = self.filled.wait_until(&mut state, deadline).timed_out();
            if late && state.items == 0 && state.complaint.is_none() {
                return Ok(Batch::Empty);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::stream::{SessionRef, StreamRef};

    fn item(number: usize) -> Item {
        let session = Arc::new(SessionRef { key: "k".into(), data_source: "d".into() });
        Item::StreamStarted(StreamRef { session, stream: number.to_string().into() })
    }

    fn taken(queue: &Queue, most: usize) -> Vec<usize> {
        let Batch::Items(items) = queue.take(most, Duration::ZERO).unwrap() else { return Vec::new() };
        let number = |item: Item| match item {
            Item::StreamStarted(stream) => stream.stream.parse().unwrap(),
            other => panic!("{other:?}"),
        };
        items.into_iter().map(number).collect()
    }

    #[test]
    fn items_come_out_in_their_order_whatever_the_sizes_they_are_put_in_and_asked_for() {
        for most in [1, 2, 3, 4, 7, 100] {
            let queue = Queue::new(1 << 20, 0, 1, false);
            let mut next = 0;
            for size in [3, 1, 1, 5, 2, 0, 4] {
                queue.put(&mut (next..next + size).map(item).collect());
                next += size;
            }
            let mut all = Vec::new();
            while queue.len() > 0 {
                let left = next - all.len();
                assert_eq!(queue.len(), left);
                let items = taken(&queue, most);
                assert!((1..=most).contains(&items.len()), "{items:?} of at most {most}");
                all.extend(items);
            }
            assert_eq!(all, (0..next).collect::<Vec<_>>());
            let state = queue.state.lock();
            assert_eq!((state.bytes, state.items), (0, 0));
        }
    }

    #[test]
    fn a_complaint_is_told_once_and_ends_nothing() {
        let queue = Queue::new(1 << 20, 0, 1, false);
        queue.put(&mut vec![item(1)]);
        queue.complain(Error::Invalid("no".into()));
        assert!(queue.take(10, Duration::ZERO).is_err());
        assert_eq!(taken(&queue, 10), [1]);
        assert!(matches!(queue.take(10, Duration::ZERO), Ok(Batch::Empty)));
    }

    #[test]
    fn small_batches_are_given_out_together() {
        let queue = Queue::new(1 << 20, 0, 1, false);
        (0..10).for_each(|number| queue.put(&mut vec![item(number)]));
        assert_eq!(taken(&queue, 8), (0..8).collect::<Vec<_>>());
        assert_eq!(taken(&queue, 8), [8, 9]);
    }
}
