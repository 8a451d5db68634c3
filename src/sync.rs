//! Locks: those of the standard library, which a panicking thread does not poison here.
//!
//! Each waits on itself. Locks that keep their waiting threads in one table of the whole process (as parking_lot's do) would
//! not do: a forked child inherits that table as it is at this moment, with places in it that are locked for ever or lead
//! into the stacks of threads that are gone, and a client that is made in the child hangs or crashes on it.

// Without the upper floors, what only they need lies idle.
#![cfg_attr(not(feature = "python"), allow(dead_code))]

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often a lock that is waited for with a deadline is tried.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// Something that one thread at a time may touch.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

/// The right to touch it, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(Option<std::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Nothing when somebody else has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard(Some(guard))),
            Err(TryLockError::Poisoned(poisoned)) => Some(MutexGuard(Some(poisoned.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Nothing when somebody else has it for so long: in a forked child perhaps for ever.
    pub(crate) fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        loop {
            let guard = self.try_lock();
            if guard.is_some() || Instant::now() >= deadline {
                return guard;
            }
            std::thread::sleep(TRY_AGAIN);
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(guard) => guard,
            None => unreachable!("only a condition variable takes it out, and puts it back"),
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(guard) => guard,
            None => unreachable!("only a condition variable takes it out, and puts it back"),
        }
    }
}

/// Something that one thread at a time may write, and many may read.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(std::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> std::sync::RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> std::sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that wait for a change of what a [`Mutex`] guards.
#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

/// How a wait ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited {
    timed_out: bool,
}

impl Waited {
    pub(crate) fn timed_out(self) -> bool {
        self.timed_out
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Gives the lock back until somebody notifies, at most this long. May also return without either.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> Waited {
        let Some(held) = guard.0.take() else { return Waited { timed_out: true } };
        let (held, outcome) = self.0.wait_timeout(held, timeout).unwrap_or_else(PoisonError::into_inner);
        guard.0 = Some(held);
        Waited { timed_out: outcome.timed_out() }
    }

    /// [`Condvar::wait_for`], until this time.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> Waited {
        self.wait_for(guard, deadline.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_lock_is_as_good_as_before_after_a_thread_panicked_with_it() {
        let (mutex, shared) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(1)));
        let (held, written) = (mutex.clone(), shared.clone());
        let panicked = std::thread::spawn(move || {
            let (mut one, mut other) = (held.lock(), written.write());
            (*one, *other) = (2, 2);
            panic!("with both");
        });
        panicked.join().unwrap_err();
        assert_eq!(*mutex.lock(), 2);
        assert_eq!(*mutex.try_lock().unwrap(), 2);
        assert_eq!(*shared.read(), 2);
        assert_eq!(*shared.write(), 2);
        let mut guard = mutex.lock();
        assert!(Condvar::new().wait_for(&mut guard, Duration::from_millis(1)).timed_out());
        assert_eq!(*guard, 2);
    }

    #[test]
    fn a_lock_that_somebody_has_is_tried_and_waited_for() {
        let mutex = Mutex::new(());
        let (changed, state) = (Condvar::new(), Mutex::new(false));
        std::thread::scope(|scope| {
            let held = mutex.lock();
            assert!(scope.spawn(|| mutex.try_lock().is_none()).join().unwrap());
            scope.spawn(|| {
                drop(mutex.lock());
                *state.lock() = true;
                changed.notify_all();
            });
            drop(held);
            let mut state = state.lock();
            while !*state {
                assert!(!changed.wait_until(&mut state, Instant::now() + Duration::from_secs(30)).timed_out());
            }
        });
    }
}
