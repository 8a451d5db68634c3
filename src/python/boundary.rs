//! Every wait of Python goes through here: detached from the interpreter, signals looked at every 50 ms, errors and
//! panics mapped, forked children refused.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};
use pyo3::prelude::*;

use super::errors;
use crate::error::{Error, Result};
use crate::interrupt;

/// The longest that a signal goes unnoticed in a wait.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// Runs a call that may block, on a thread of its own, and waits for it detached. On Ctrl-C the call is left behind,
/// where it ends by its own deadline, and the signal's exception is raised.
pub(super) fn wait<T: Send + 'static>(
    py: Python<'_>,
    what: &str,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new()
        .name("telewire-call".into())
        .spawn(move || {
            // The caller may have left: then nobody wants the answer.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(call)));
        })
        .map_err(|error| errors::raise(py, &Error::io("starting a thread", &error)))?;
    loop {
        match py.detach(|| receiver.recv_timeout(SLICE)) {
            Ok(Ok(result)) => return result.map_err(|error| errors::raise(py, &error)),
            Ok(Err(panic)) => return Err(errors::internal(py, what, &*panic)),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(errors::internal(py, what, &"its thread is gone")),
        }
    }
}

/// Runs a short call here, detached: for calls that compute or take a lock, but do not wait for a broker.
pub(super) fn quick<T: Send>(py: Python<'_>, what: &str, call: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(call))) {
        Ok(result) => result.map_err(|error| errors::raise(py, &error)),
        Err(panic) => Err(errors::internal(py, what, &*panic)),
    }
}

/// Runs a call here, detached, that borrows from Python and may wait for room in a queue: such a wait asks for signals
/// through [`interrupt`].
pub(super) fn borrowing<T: Send>(py: Python<'_>, what: &str, call: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let (result, signal) = py.detach(|| {
        let raised = std::rc::Rc::new(std::cell::RefCell::new(None));
        let seen = raised.clone();
        // Only Python's main thread gets an answer other than "no"; it is attached to the interpreter anyhow.
        let ask = move || match Python::attach(|py| py.check_signals()) {
            Ok(()) => false,
            Err(error) => {
                *seen.borrow_mut() = Some(error);
                true
            }
        };
        let result = interrupt::with_hook(ask, || catch_unwind(AssertUnwindSafe(call)));
        (result, raised.take())
    });
    if let Some(signal) = signal {
        return Err(signal);
    }
    match result {
        Ok(result) => result.map_err(|error| errors::raise(py, &error)),
        Err(panic) => Err(errors::internal(py, what, &*panic)),
    }
}

/// Repeats a call that waits for at most the time it is given, until it has something, the time is over, or a signal
/// arrives. `None` waits for ever.
pub(super) fn poll<T: Send>(
    py: Python<'_>,
    what: &str,
    timeout: Option<Duration>,
    mut call: impl FnMut(Duration) -> Result<Option<T>> + Send,
) -> PyResult<Option<T>> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()).min(SLICE));
        if let Some(found) = quick(py, what, || call(left))? {
            return Ok(Some(found));
        }
        py.check_signals()?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(None);
        }
    }
}

/// The process that loaded the module.
static HOME: OnceLock<u32> = OnceLock::new();

/// Remembers which process this is; true for the first time.
pub(super) fn settle() -> bool {
    HOME.set(std::process::id()).is_ok()
}

/// Whether this is the process that loaded the module, and no forked child of it.
pub(super) fn is_home() -> bool {
    HOME.get() == Some(&std::process::id())
}

/// Seconds from Python as a duration.
pub(super) fn seconds(py: Python<'_>, name: &str, value: f64) -> PyResult<Duration> {
    // A year is as good as for ever, and far from where adding to a clock overflows.
    const LONGEST: f64 = 365.0 * 86_400.0;
    if value.is_nan() || value < 0.0 {
        return Err(errors::invalid(py, format!("{name} must be seconds from 0, not {value}")));
    }
    Ok(Duration::from_secs_f64(value.min(LONGEST)))
}

/// Something with threads of its own, held by a Python object.
///
/// A forked child has the memory but not the threads: using it there is an error, and giving it back would wait for
/// threads that do not exist, so it is left alone. In its own process it is given back on a thread of its own, because
/// giving back may wait and Python may run its destructors anywhere.
pub(super) struct Held<T: Send + 'static> {
    thing: ManuallyDrop<T>,
    process: u32,
}

impl<T: Send + 'static> Held<T> {
    pub(super) fn new(thing: T) -> Self {
        Self { thing: ManuallyDrop::new(thing), process: std::process::id() }
    }

    /// The thing, in the process that made it.
    pub(super) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        let here = std::process::id();
        if here == self.process {
            return Ok(&self.thing);
        }
        Err(errors::raise(
            py,
            &Error::Closed(format!(
                "this object belongs to process {}, and process {here} is a forked child of it: its threads do not \
                 exist here. Connect again in the child, or start it with 'spawn'. The object",
                self.process
            )),
        ))
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            return;
        }
        // SAFETY: `thing` is never touched again; this is the only place that takes it, and `drop` runs once.
        let thing = unsafe { ManuallyDrop::take(&mut self.thing) };
        let returning = Returning::new();
        let give_back = move || {
            drop(thing);
            drop(returning);
        };
        // If no thread can be had, the closure is dropped here, and the thing with it: slower, but not lost.
        let _ = std::thread::Builder::new().name("telewire-drop".into()).spawn(give_back);
    }
}

/// How many things are being given back, in the lower half, and by which process, in the upper one: a forked child has none
/// of its parent's threads. No lock: the child could inherit it locked.
static RETURNING: AtomicU64 = AtomicU64::new(0);

/// One of them, as long as it lives.
struct Returning(u32);

impl Returning {
    fn new() -> Self {
        let here = std::process::id();
        Self::count(|now| Some(if of_process(now) == here { now + 1 } else { u64::from(here) << 32 | 1 }));
        Self(here)
    }

    fn count(change: impl Fn(u64) -> Option<u64>) {
        // Nothing to be done about a count that does not change.
        let _ = RETURNING.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        Self::count(|now| (of_process(now) == self.0).then(|| now - 1));
    }
}

fn of_process(now: u64) -> u32 {
    (now >> 32) as u32
}

/// Waits until everything has been given back, at most this long. Threads of librdkafka that are still at work when the
/// process takes its libraries down would run on memory that is gone.
pub(super) fn await_returned(timeout: Duration) {
    let (begin, here) = (Instant::now(), std::process::id());
    let under_way = || {
        let now = RETURNING.load(Ordering::Acquire);
        of_process(now) == here && now as u32 > 0
    };
    while under_way() && begin.elapsed() < timeout {
        std::thread::sleep(Duration::from_millis(2));
    }
}
