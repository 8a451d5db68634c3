//! Log lines of the core on their way to Python: a bounded ring that any thread fills and one Python thread drains.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Metadata, Record};
use pyo3::prelude::*;

use super::boundary;
use crate::sync::{Condvar, Mutex};
use crate::time::after;

/// Lines that wait at most; beyond them the oldest give way, and the loss is reported.
const LINES: usize = 4096;
/// A forked child may inherit the lock in a locked state; a line is not worth a hang.
const PATIENCE: Duration = Duration::from_millis(20);

/// Level (error 1 … trace 5), target, message, seconds since the epoch, thread, names and values.
type Line = (usize, String, String, f64, String, Vec<(String, String)>);

/// The names and values of a line, such as the session it is about.
struct Fields(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

struct Ring {
    lines: Mutex<VecDeque<Line>>,
    filled: Condvar,
    lost: AtomicU64,
    /// Of all time.
    all_lost: AtomicU64,
    done: AtomicBool,
}

static RING: Ring = Ring {
    lines: Mutex::new(VecDeque::new()),
    filled: Condvar::new(),
    lost: AtomicU64::new(0),
    all_lost: AtomicU64::new(0),
    done: AtomicBool::new(false),
};

impl Ring {
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.all_lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl log::Log for Ring {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || self.done.load(Ordering::Relaxed) {
            return;
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let thread = std::thread::current().name().unwrap_or("native").to_string();
        let mut fields = Fields(Vec::new());
        // It never fails: ours does not.
        let _ = record.key_values().visit(&mut fields);
        let (level, target) = (record.level() as usize, record.target().to_string());
        let line = (level, target, record.args().to_string(), seconds, thread, fields.0);
        let lines = match boundary::is_home() {
            true => Some(self.lines.lock()),
            false => self.lines.try_lock_until(after(PATIENCE)),
        };
        let Some(mut lines) = lines else {
            self.lose();
            return;
        };
        if lines.len() >= LINES {
            lines.pop_front();
            self.lose();
        }
        lines.push_back(line);
        drop(lines);
        self.filled.notify_one();
    }

    fn flush(&self) {}
}

/// Makes the ring the process's logger, once. In a Rust program with a logger of its own, that one stays.
pub(super) fn install() {
    if log::set_logger(&RING).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
    // A panic reaches its caller as an exception; where it happened belongs into the log, not onto somebody's terminal.
    std::panic::set_hook(Box::new(|panic| log::error!("internal error: {panic}")));
}

/// No more lines are taken; a waiting drain returns.
pub(super) fn finish() {
    RING.done.store(true, Ordering::Release);
    RING.filled.notify_all();
}

/// How much is logged at all: error 1, warning 2, info 3, debug 4, trace 5.
#[pyfunction]
pub(super) fn set_log_level(level: usize) {
    log::set_max_level(match level {
        0 => LevelFilter::Off,
        1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
}

/// How many lines were lost since the program began, because more came than Python took.
#[pyfunction]
pub(super) fn lost_logs() -> u64 {
    RING.all_lost.load(Ordering::Relaxed)
}

/// The lines that wait, after at most `timeout_s` seconds; `None` when there will be no more.
#[pyfunction]
pub(super) fn take_logs(py: Python<'_>, timeout_s: f64) -> PyResult<Option<Vec<Line>>> {
    let timeout = boundary::seconds(py, "timeout_s", timeout_s)?;
    Ok(py.detach(|| {
        let mut lines = RING.lines.try_lock_until(after(timeout))?;
        if lines.is_empty() && !RING.done.load(Ordering::Acquire) {
            RING.filled.wait_for(&mut lines, timeout);
        }
        let mut taken: Vec<Line> = lines.drain(..).collect();
        drop(lines);
        if taken.is_empty() && RING.done.load(Ordering::Acquire) {
            return None;
        }
        let lost = RING.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            let message = format!("{lost} log lines were lost: more came than Python took");
            let fields = vec![("lost".into(), lost.to_string())];
            taken.push((Level::Warn as usize, "telewire".into(), message, seconds, "telewire-log".into(), fields));
        }
        Some(taken)
    }))
}
