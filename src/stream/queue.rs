//! The queue between a reader's thread and whoever takes from it: bounded in bytes, told when it is full, never dropping.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::reader::Item;
use crate::error::{Error, Result};
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
    items: VecDeque<Item>,
    bytes: usize,
    packets: usize,
    /// Threads that still put something in.
    sources: usize,
    /// The last items that were taken may still be under way: nobody has asked for more.
    busy: bool,
    closed: bool,
    failure: Option<Error>,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
    most_bytes: usize,
    most_packets: usize,
}

/// A limit, of which 0 means that there is none.
fn unless_zero(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

impl Queue {
    pub(crate) fn new(most_bytes: usize, most_packets: usize, sources: usize) -> Self {
        Self {
            state: Mutex::new(State { sources, ..State::default() }),
            filled: Condvar::new(),
            drained: Condvar::new(),
            most_bytes: unless_zero(most_bytes),
            most_packets: unless_zero(most_packets),
        }
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
        for item in items.drain(..) {
            state.bytes += item.size();
            state.packets += usize::from(matches!(item, Item::Packet(_)));
            state.items.push_back(item);
        }
        drop(state);
        self.filled.notify_all();
    }

    /// How many more packets may be fetched now.
    pub(crate) fn room(&self) -> usize {
        let state = self.state.lock();
        if self.full(&state) { 0 } else { self.most_packets.saturating_sub(state.packets) }
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
        state.items.is_empty() && !state.busy
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    /// One source has nothing more to give.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.sources = state.sources.saturating_sub(1);
        drop(state);
        self.filled.notify_all();
    }

    /// Reading cannot go on; what is queued is still given out first.
    pub(crate) fn fail(&self, error: Error) {
        self.state.lock().failure.get_or_insert(error);
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

    /// Up to `most` items, as soon as there is one.
    pub(crate) fn take(&self, most: usize, timeout: Duration) -> Result<Batch> {
        let deadline = after(timeout);
        let mut state = self.state.lock();
        state.busy = false;
        loop {
            if !state.items.is_empty() {
                state.busy = true;
                let count = state.items.len().min(most.max(1));
                let items: Vec<Item> = state.items.drain(..count).collect();
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
            if self.filled.wait_until(&mut state, deadline).timed_out() && state.items.is_empty() {
                return Ok(Batch::Empty);
            }
        }
    }
}
