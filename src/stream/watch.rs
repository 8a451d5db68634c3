//! Watches: who hears of changes, and until when.

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use parking_lot::Mutex;

use crate::error::{Error, Result};

/// Everybody who hears of changes of one kind.
pub(crate) struct Watchers<T> {
    /// Where changes go, and a channel that is cut off when its watch was closed.
    open: Vec<(Sender<T>, Receiver<Infallible>)>,
}

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Self { open: Vec::new() }
    }
}

impl<T: Clone> Watchers<T> {
    /// A watch that hears of everything from now on.
    pub(crate) fn watch(&mut self) -> Watch<T> {
        let (gate, closed) = crossbeam_channel::bounded(0);
        let changes = self.add(closed.clone());
        Watch { changes, gate: Mutex::new(Some(gate)), closed }
    }

    /// A bare receiver, for whoever drops it when it has heard enough.
    pub(crate) fn subscribe(&mut self) -> Receiver<T> {
        self.add(crossbeam_channel::never())
    }

    fn add(&mut self, closed: Receiver<Infallible>) -> Receiver<T> {
        let (sender, changes) = crossbeam_channel::unbounded();
        self.open.push((sender, closed));
        changes
    }

    pub(crate) fn tell(&mut self, change: &T) {
        self.open.retain(|(sender, closed)| is_open(closed) && sender.send(change.clone()).is_ok());
    }

    /// Whether nobody listens.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.open.retain(|(_, closed)| is_open(closed));
        self.open.is_empty()
    }

    /// Cuts everybody off.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }
}

fn is_open(closed: &Receiver<Infallible>) -> bool {
    !matches!(closed.try_recv(), Err(TryRecvError::Disconnected))
}

/// One who hears of changes. Does not keep the client open.
pub(crate) struct Watch<T> {
    changes: Receiver<T>,
    gate: Mutex<Option<Sender<Infallible>>>,
    closed: Receiver<Infallible>,
}

impl<T> Watch<T> {
    /// The next change, `None` when there was none in this time; `what` is the watch's name in errors.
    pub(crate) fn next(&self, what: &str, timeout: Duration) -> Result<Option<T>> {
        let closed = || Err(Error::Closed(what.into()));
        if !is_open(&self.closed) {
            return closed();
        }
        crossbeam_channel::select! {
            recv(self.closed) -> _ => closed(),
            recv(self.changes) -> change => match change {
                Ok(change) => Ok(Some(change)),
                Err(_) => Err(Error::Closed(format!("the client of {what}"))),
            },
            default(timeout) => Ok(None),
        }
    }

    /// Ends the watch: whoever waits for a change is told at once, and no further ones are kept.
    pub(crate) fn close(&self) {
        self.gate.lock().take();
        while self.changes.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_closed_watch_keeps_nothing_and_its_waiter_is_told_at_once() {
        let mut watchers = Watchers::default();
        let (watch, other) = (watchers.watch(), watchers.watch());
        watchers.tell(&1);
        assert_eq!(watch.next("the watch", Duration::ZERO).unwrap(), Some(1));
        watchers.tell(&2);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                while watch.next("the watch", Duration::from_secs(60)).is_ok() {}
                std::time::Instant::now()
            });
            watch.close();
            let begin = std::time::Instant::now();
            assert!(waiter.join().unwrap().saturating_duration_since(begin) < Duration::from_secs(30));
        });
        watchers.tell(&3);
        assert!(watch.changes.is_empty());
        assert_eq!(watch.next("the watch", Duration::ZERO).unwrap_err(), Error::Closed("the watch".into()));
        assert_eq!(other.next("the watch", Duration::ZERO).unwrap(), Some(1));
        assert!(!watchers.is_empty());
        drop(other);
        watchers.tell(&4);
        assert!(watchers.is_empty());
    }

    #[test]
    fn a_watch_that_is_cut_off_gives_what_it_has_first() {
        let mut watchers = Watchers::default();
        let watch = watchers.watch();
        watchers.tell(&1);
        watchers.clear();
        assert_eq!(watch.next("the watch", Duration::ZERO).unwrap(), Some(1));
        assert_eq!(
            watch.next("the watch", Duration::ZERO).unwrap_err(),
            Error::Closed("the client of the watch".into())
        );
    }
}
