//! The pulse of a client: while somebody asks for its health, the brokers are asked once a second whether they are there
//! and where the partitions being read end. Whoever asks for the health only looks at the last answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::directory::join;
use super::layout_search::LayoutSearch;
use super::reader::ReaderCore;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::kafka::{Admin, TopicPartition};
use crate::sync::{Condvar, Mutex};
use crate::time::{NS_PER_SECOND, now_ns};
use crate::topic::Layout;

/// How often the brokers are asked.
const BEAT: Duration = Duration::from_secs(1);
/// For how long they are asked after somebody wanted to know.
const INTEREST_NS: u64 = 120 * NS_PER_SECOND;
/// How long one question may take.
const ONE_TRY: Duration = Duration::from_millis(700);
/// Without an answer for so long although it was asked, a broker counts as away.
pub(crate) const SILENCE_NS: u64 = 5 * NS_PER_SECOND / 2;

/// Where a partition ended, and when that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) offset: i64,
    pub(crate) at_ns: u64,
}

/// What is known of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: i32,
    pub(crate) up: bool,
    pub(crate) since_ns: u64,
}

#[derive(Default)]
pub(crate) struct Answers {
    /// When the present series of questions began; 0 while nobody asks.
    pub(crate) asking_since_ns: u64,
    /// When brokers last answered.
    pub(crate) answered_ns: u64,
    pub(crate) brokers: BTreeMap<String, Known>,
    pub(crate) ends: HashMap<TopicPartition, End>,
}

impl Answers {
    /// Whether something that answered then is silent now: it was asked and did not answer.
    pub(crate) fn is_silent(&self, answered_ns: u64, now: u64) -> bool {
        let asked = self.asking_since_ns;
        asked > 0 && now.saturating_sub(answered_ns.max(asked)) >= SILENCE_NS
    }

    /// The brokers as an answer names them. One that is not named any more has left the cluster's count.
    pub(crate) fn take_in(&mut self, brokers: &[(i32, String)], at_ns: u64) {
        self.answered_ns = self.answered_ns.max(at_ns);
        for (id, address) in brokers {
            let known = self.brokers.entry(address.clone()).or_insert(Known { id: *id, up: true, since_ns: at_ns });
            known.id = *id;
            if !known.up {
                (known.up, known.since_ns) = (true, at_ns);
            }
        }
        for (address, known) in &mut self.brokers {
            if known.up && !brokers.iter().any(|(_, named)| named == address) {
                (known.up, known.since_ns) = (false, at_ns);
            }
        }
    }

    /// Nobody has answered since.
    pub(crate) fn take_silence(&mut self, now: u64) {
        for known in self.brokers.values_mut().filter(|known| known.up) {
            (known.up, known.since_ns) = (false, now);
        }
    }
}

/// What the thread shares with those who ask.
pub(crate) struct Pulse {
    admin: Arc<Admin>,
    layout: Arc<LayoutSearch>,
    readers: Arc<Mutex<Vec<Weak<ReaderCore>>>>,
    pub(crate) answers: Mutex<Answers>,
    /// When somebody last wanted to know.
    wanted_ns: AtomicU64,
    stop: AtomicBool,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pulse {
    pub(crate) fn new(
        admin: Arc<Admin>,
        layout: Arc<LayoutSearch>,
        readers: Arc<Mutex<Vec<Weak<ReaderCore>>>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            admin,
            layout,
            readers,
            answers: Mutex::default(),
            wanted_ns: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            wake: Condvar::new(),
            thread: Mutex::default(),
        })
    }

    /// Somebody wants to know: from now on the brokers are asked for a while. Returns at once.
    pub(crate) fn want(self: &Arc<Self>) -> Result<()> {
        let before = self.wanted_ns.swap(now_ns(), Ordering::AcqRel);
        self.hear_others();
        if now_ns().saturating_sub(before) >= INTEREST_NS {
            // Under the lock, so that a thread that is about to wait is not missed.
            let _answers = self.answers.lock();
            self.wake.notify_all();
        }
        let mut thread = self.thread.lock();
        if thread.is_none() && !self.stop.load(Ordering::Acquire) {
            let pulse = self.clone();
            let asked = self.clone();
            let run = move || {
                interrupt::with_hook(move || asked.stop.load(Ordering::Acquire), || pulse.run());
            };
            let started = std::thread::Builder::new().name("telewire-pulse".into()).spawn(run);
            *thread = Some(started.map_err(|error| Error::io("starting the thread that asks for health", &error))?);
        }
        Ok(())
    }

    /// What other questions of the client were answered counts too.
    fn hear_others(&self) {
        let seen = self.admin.seen();
        if seen.at_ns > 0 {
            let mut answers = self.answers.lock();
            if seen.at_ns > answers.answered_ns {
                answers.take_in(&seen.brokers, seen.at_ns);
            }
        }
    }

    pub(crate) fn close(&self, deadline: Duration) {
        self.stop.store(true, Ordering::Release);
        {
            let _answers = self.answers.lock();
            self.wake.notify_all();
        }
        if let Some(thread) = self.thread.lock().take() {
            join(thread, deadline.max(ONE_TRY * 2));
        }
    }

    fn run(&self) {
        while !self.stop.load(Ordering::Acquire) {
            let begin = Instant::now();
            let now = now_ns();
            let wanted = now.saturating_sub(self.wanted_ns.load(Ordering::Acquire)) < INTEREST_NS;
            let mut answers = self.answers.lock();
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            if !wanted {
                answers.asking_since_ns = 0;
                // What was known ages, and somebody may ask again in a year.
                self.wake.wait_for(&mut answers, Duration::from_secs(3600));
                continue;
            }
            if answers.asking_since_ns == 0 {
                answers.asking_since_ns = now;
            }
            drop(answers);
            self.beat();
            let mut answers = self.answers.lock();
            let rest = BEAT.saturating_sub(begin.elapsed());
            if !self.stop.load(Ordering::Acquire) && !rest.is_zero() {
                self.wake.wait_for(&mut answers, rest);
            }
        }
    }

    fn beat(&self) {
        let topic = self.layout.with(Layout::session_info);
        if self.admin.look(&topic, ONE_TRY) {
            self.hear_others();
        } else {
            let mut answers = self.answers.lock();
            if answers.is_silent(answers.answered_ns, now_ns()) {
                answers.take_silence(now_ns());
            }
        }
        let readers: Vec<Arc<ReaderCore>> = self.readers.lock().iter().filter_map(Weak::upgrade).collect();
        let places: Vec<TopicPartition> = readers.iter().flat_map(|reader| reader.places()).collect();
        drop(readers);
        if places.is_empty() {
            self.answers.lock().ends.clear();
            return;
        }
        let found = self.admin.ends(places.iter().cloned(), ONE_TRY);
        let at_ns = now_ns();
        let mut answers = self.answers.lock();
        // Of partitions that nobody reads any more nothing is kept.
        let mut ends = std::mem::take(&mut answers.ends);
        answers.ends = places
            .into_iter()
            .map(|place| {
                let new = found.get(&place).map(|offset| End { offset: *offset, at_ns });
                // Waited for from now on.
                let old = ends.remove(&place).unwrap_or(End { offset: -1, at_ns });
                (place, new.unwrap_or(old))
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<(i32, String)> {
        vec![(1, "a:1".into()), (2, "b:1".into())]
    }

    #[test]
    fn a_broker_that_is_named_no_more_is_down_since_then_and_up_when_it_is_named_again() {
        let mut answers = Answers::default();
        answers.take_in(&two(), 10);
        answers.take_in(&two()[..1], 20);
        answers.take_in(&two()[..1], 30);
        assert_eq!(answers.brokers["b:1"], Known { id: 2, up: false, since_ns: 20 });
        assert_eq!(answers.brokers["a:1"], Known { id: 1, up: true, since_ns: 10 });
        answers.take_in(&two(), 40);
        assert_eq!(answers.brokers["b:1"], Known { id: 2, up: true, since_ns: 40 });
    }

    #[test]
    fn silence_counts_only_while_somebody_asks() {
        let mut answers = Answers::default();
        answers.take_in(&two(), 10);
        let late = 1000 * NS_PER_SECOND;
        assert!(!answers.is_silent(10, late));
        answers.asking_since_ns = late - 1;
        assert!(!answers.is_silent(10, late));
        assert!(answers.is_silent(10, late + SILENCE_NS));
        answers.take_silence(late + SILENCE_NS);
        assert!(answers.brokers.values().all(|known| !known.up));
    }
}
