//! Watches: who hears of changes, and until when.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};
use crate::time::after;

/// So many changes wait for whoever watches; beyond that, of changes that make earlier ones worthless only the last waits.
const MANY: usize = 10_000;
/// The same in bytes.
const MUCH: usize = 16 << 20;

/// What can be watched.
pub(crate) trait Change: Clone {
    /// What a change is about.
    type Subject: Hash + Eq;

    /// The subject when this change tells all that an earlier one of the same subject told.
    fn replaces(&self) -> Option<Self::Subject> {
        None
    }

    /// About how many bytes it may keep that nobody else does.
    fn weight(&self) -> usize {
        0
    }

    /// The subject whose earlier changes must be heard before this one.
    fn follows(&self) -> Option<Self::Subject> {
        None
    }
}

/// Everybody who hears of changes of one kind.
pub(crate) struct Watchers<T: Change> {
    open: Vec<Weak<Channel<T>>>,
}

impl<T: Change> Default for Watchers<T> {
    fn default() -> Self {
        Self { open: Vec::new() }
    }
}

impl<T: Change> Drop for Watchers<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T: Change> Watchers<T> {
    /// A watch that hears of everything from now on.
    pub(crate) fn watch(&mut self) -> Watch<T> {
        let channel = Arc::new(Channel { state: Mutex::default(), news: Condvar::new() });
        self.open.push(Arc::downgrade(&channel));
        Watch { channel }
    }

    pub(crate) fn tell(&mut self, change: &T) {
        self.open.retain(|channel| channel.upgrade().is_some_and(|channel| channel.put(change)));
    }

    /// Whether nobody listens.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.open.retain(|channel| channel.upgrade().is_some_and(|channel| channel.state.lock().end.is_none()));
        self.open.is_empty()
    }

    /// Cuts everybody off.
    pub(crate) fn clear(&mut self) {
        self.open.drain(..).filter_map(|channel| channel.upgrade()).for_each(|channel| channel.end(End::CutOff));
    }
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Whoever watched has closed the watch.
    Closed,
    /// There is nothing to watch any more.
    CutOff,
}

struct Channel<T: Change> {
    state: Mutex<State<T>>,
    news: Condvar,
}

struct State<T: Change> {
    changes: VecDeque<T>,
    /// The number of the first of them, of all that were ever put in.
    first: u64,
    /// The numbers of those that a later change may take the place of.
    places: HashMap<T::Subject, u64>,
    /// What they weigh together.
    bytes: usize,
    end: Option<End>,
}

impl<T: Change> Default for State<T> {
    fn default() -> Self {
        Self { changes: VecDeque::new(), first: 0, places: HashMap::new(), bytes: 0, end: None }
    }
}

impl<T: Change> State<T> {
    fn put(&mut self, change: &T) {
        if let Some(subject) = change.follows() {
            self.places.remove(&subject);
        }
        let many = self.changes.len() >= MANY || self.bytes >= MUCH;
        self.bytes += change.weight();
        if (many || !self.places.is_empty())
            && let Some(subject) = change.replaces()
        {
            if !many {
                // It comes behind the one that has a place, which must not tell anything newer than this.
                self.places.remove(&subject);
                self.changes.push_back(change.clone());
                return;
            }
            let number = self.first + self.changes.len() as u64;
            let place = self.places.entry(subject).or_insert(number);
            let index = place.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
            if let Some(earlier) = index.and_then(|index| self.changes.get_mut(index)) {
                self.bytes -= earlier.weight();
                *earlier = change.clone();
                return;
            }
            *place = number;
        }
        self.changes.push_back(change.clone());
    }

    fn take(&mut self) -> Option<T> {
        let change = self.changes.pop_front()?;
        self.first += 1;
        self.bytes -= change.weight();
        if self.changes.is_empty() {
            self.places = HashMap::new();
        }
        Some(change)
    }
}

impl<T: Change> Channel<T> {
    /// False when nobody listens any more.
    fn put(&self, change: &T) -> bool {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return false;
        }
        state.put(change);
        drop(state);
        self.news.notify_one();
        true
    }

    fn end(&self, end: End) {
        let mut state = self.state.lock();
        state.end.get_or_insert(end);
        if end == End::Closed {
            *state = State { end: Some(end), ..State::default() };
        }
        drop(state);
        self.news.notify_all();
    }
}

/// One who hears of changes. Does not keep the client open.
pub(crate) struct Watch<T: Change> {
    channel: Arc<Channel<T>>,
}

impl<T: Change> Watch<T> {
    /// The next change, `None` when there was none in this time; `what` is the watch's name in errors.
    pub(crate) fn next(&self, what: &str, timeout: Duration) -> Result<Option<T>> {
        let deadline = after(timeout);
        let mut state = self.channel.state.lock();
        loop {
            if let Some(change) = state.take() {
                return Ok(Some(change));
            }
            match state.end {
                Some(End::Closed) => return Err(Error::Closed(what.into())),
                Some(End::CutOff) => return Err(Error::Closed(format!("the client of {what}"))),
                None => {}
            }
            if self.channel.news.wait_until(&mut state, deadline).timed_out() {
                return Ok(state.take());
            }
        }
    }

    /// The next change, if there is one already.
    pub(crate) fn try_next(&self) -> Option<T> {
        self.channel.state.lock().take()
    }

    /// Ends the watch: whoever waits for a change is told at once, and no further ones are kept.
    pub(crate) fn close(&self) {
        self.channel.end(End::Closed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Changes of numbered things.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Told {
        Value(u32, u32),
        End(u32),
    }

    impl Change for Told {
        type Subject = u32;

        fn replaces(&self) -> Option<u32> {
            if let Self::Value(subject, _) = self { Some(*subject) } else { None }
        }

        fn weight(&self) -> usize {
            if let Self::Value(_, large @ 1_000_000..) = self { *large as usize } else { 0 }
        }

        fn follows(&self) -> Option<u32> {
            if let Self::End(subject) = self { Some(*subject) } else { None }
        }
    }

    fn value(value: u32) -> Told {
        Told::Value(0, value)
    }

    fn next(watch: &Watch<Told>) -> Result<Option<Told>> {
        watch.next("the watch", Duration::ZERO)
    }

    #[test]
    fn a_closed_watch_keeps_nothing_and_its_waiter_is_told_at_once() {
        let mut watchers = Watchers::default();
        let (watch, other) = (watchers.watch(), watchers.watch());
        watchers.tell(&value(1));
        assert_eq!(next(&watch).unwrap(), Some(value(1)));
        watchers.tell(&value(2));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                while watch.next("the watch", Duration::from_secs(60)).is_ok() {}
                std::time::Instant::now()
            });
            watch.close();
            let begin = std::time::Instant::now();
            assert!(waiter.join().unwrap().saturating_duration_since(begin) < Duration::from_secs(30));
        });
        watchers.tell(&value(3));
        assert!(watch.channel.state.lock().changes.is_empty());
        assert_eq!(next(&watch).unwrap_err(), Error::Closed("the watch".into()));
        assert_eq!(next(&other).unwrap(), Some(value(1)));
        assert!(!watchers.is_empty());
        drop(other);
        watchers.tell(&value(4));
        assert!(watchers.is_empty());
    }

    #[test]
    fn a_watch_that_is_cut_off_gives_what_it_has_first() {
        let mut watchers = Watchers::default();
        let watch = watchers.watch();
        watchers.tell(&value(1));
        drop(watchers);
        assert_eq!(next(&watch).unwrap(), Some(value(1)));
        assert_eq!(next(&watch).unwrap_err(), Error::Closed("the client of the watch".into()));
        watch.close();
        assert_eq!(next(&watch).unwrap_err(), Error::Closed("the watch".into()));
    }

    #[test]
    fn whoever_keeps_up_hears_of_every_change_and_whoever_does_not_of_the_last_ones_in_their_order() {
        let mut watchers = Watchers::default();
        let watch = watchers.watch();
        let many = u32::try_from(MANY).unwrap();
        (0..many).for_each(|i| watchers.tell(&value(i)));
        for subject in [1, 2] {
            (0..1_000).for_each(|i| watchers.tell(&Told::Value(subject, i)));
            watchers.tell(&Told::End(subject));
            (1_000..2_000).for_each(|i| watchers.tell(&Told::Value(subject, i)));
        }
        let mut heard = Vec::new();
        while let Some(change) = next(&watch).unwrap() {
            heard.push(change);
        }
        let last = |subject| [Told::Value(subject, 999), Told::End(subject), Told::Value(subject, 1_999)];
        let all: Vec<Told> = (0..many).map(value).chain(last(1)).chain(last(2)).collect();
        assert_eq!(heard, all);
        // Below the limit and beyond it again: never an older one behind a newer one.
        (0..many).for_each(|i| watchers.tell(&value(i)));
        watchers.tell(&Told::Value(1, 1));
        (0..5).for_each(|i| assert_eq!(watch.try_next(), Some(value(i))));
        (2..100).for_each(|i| watchers.tell(&Told::Value(1, i)));
        let heard: Vec<Told> = std::iter::from_fn(|| watch.try_next()).skip(MANY - 5).collect();
        assert_eq!(heard, [1, 2, 3, 4, 5, 99].map(|i| Told::Value(1, i)));
        // Having caught up, it hears of each again.
        (0..10).for_each(|i| watchers.tell(&Told::Value(1, i)));
        assert_eq!(std::iter::from_fn(|| watch.try_next()).count(), 10);
        assert_eq!(watch.channel.state.lock().bytes, 0);
    }

    #[test]
    fn a_few_large_changes_are_many_too() {
        let mut watchers = Watchers::default();
        let watch = watchers.watch();
        let large = u32::try_from(MUCH / 4).unwrap();
        (0..100).for_each(|i| watchers.tell(&value(large + i)));
        assert_eq!(
            std::iter::from_fn(|| watch.try_next()).collect::<Vec<_>>(),
            [large, large + 1, large + 2, large + 3, large + 99].map(value)
        );
        assert_eq!(watch.channel.state.lock().bytes, 0);
    }
}
