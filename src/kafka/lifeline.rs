//! Gives librdkafka brokers to ask when it has forgotten all it knew.
//!
//! A broker that stood still until its cluster counted it out answers, when it goes on, with topics and without a broker.
//! librdkafka (2.12.1) then lets go of every broker, of those it was configured with too, and the end of that answer calls
//! off its own return to them (`metadata.recovery.strategy`). Whom it does not know it cannot ask: it would stay like that
//! for good, often without a word. It can be told by the controller, whom such an answer does not name either; what
//! librdkafka was configured with is then added again.

use std::ffi::CString;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;

use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};

/// How often is looked.
const TURN: Duration = Duration::from_millis(500);

/// The pause after the first addition, and the longest one: each is twice the one before, because librdkafka remembers what
/// is added, and goes on by itself where it still knows a broker.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Looks after the brokers of one client.
pub(super) struct Lifeline {
    brokers: CString,
    state: Mutex<State>,
}

struct State {
    /// Before then nothing is to be done.
    next: Instant,
    pause: Duration,
}

impl Lifeline {
    /// For a client that is made now with these brokers.
    pub(super) fn new(brokers: &str) -> Self {
        // An address holds no zero: librdkafka has read them, or refuses them.
        let brokers = CString::new(brokers).unwrap_or_default();
        Self { brokers, state: Mutex::new(State { next: Instant::now() + PAUSES.0, pause: PAUSES.0 }) }
    }

    /// Adds the brokers again if the client has forgotten them. Does nothing if it looked a moment ago, and never waits.
    pub(super) fn look<C: ClientContext>(&self, client: &Client<C>) {
        let now = Instant::now();
        // Another thread looks.
        let Some(mut state) = self.state.try_lock() else { return };
        if now < state.next {
            return;
        }
        // SAFETY: the handle is valid while the client is borrowed; without a time-out this reads what librdkafka remembers.
        let controller = unsafe { rdk::rd_kafka_controllerid(client.native_ptr(), 0) };
        if controller >= 0 {
            *state = State { next: now + TURN, pause: PAUSES.0 };
            return;
        }
        // SAFETY: as above; the text ends with a zero, and librdkafka copies it.
        let count = unsafe { rdk::rd_kafka_brokers_add(client.native_ptr(), self.brokers.as_ptr()) };
        log::debug!(target: "telewire::kafka", "no broker is known: the {count} that were given are added again");
        *state = State { next: now + state.pause, pause: (state.pause * 2).min(PAUSES.1) };
    }
}

/// Looks after the brokers of what nobody polls, from a thread that ends with it.
pub(super) struct Lookout {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Calls `look` now and then for as long as its subject lives, which is dropped after what is returned.
    pub(super) fn new<T: Send + Sync + 'static>(subject: Weak<T>, look: impl Fn(&T) + Send + 'static) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let told = stop.clone();
        let run = move || {
            let (stopped, changed) = &*told;
            let mut stopped = stopped.lock();
            while !*stopped {
                changed.wait_for(&mut stopped, TURN);
                let Some(subject) = subject.upgrade() else { return };
                look(&subject);
            }
        };
        let started = std::thread::Builder::new().name("telewire-lookout".into()).spawn(run);
        let thread = started.map_err(|error| Error::io("starting the thread that looks after the brokers", &error))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It waits for nothing but the word to stop.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::context::Context;

    /// A client that knows no broker, as one that has forgotten all.
    fn lost() -> BaseConsumer<Context> {
        BaseConsumer::from_config_and_context(&ClientConfig::new(), Context::default()).unwrap()
    }

    fn due(lifeline: &Lifeline) {
        lifeline.state.lock().next = Instant::now();
    }

    #[test]
    fn a_client_that_knows_no_broker_finds_those_it_was_given() {
        let brokers = MockCluster::new(1).unwrap();
        let client = lost();
        let lifeline = Lifeline::new(&brokers.bootstrap_servers());
        lifeline.look(client.client());
        assert!(client.fetch_metadata(None, Duration::from_millis(50)).is_err(), "it may still find them by itself");
        due(&lifeline);
        lifeline.look(client.client());
        let metadata = client.fetch_metadata(None, Duration::from_secs(10)).unwrap();
        assert_eq!(metadata.brokers().len(), 1);
        assert_eq!(lifeline.state.lock().pause, PAUSES.0 * 2);
        due(&lifeline);
        lifeline.look(client.client());
        assert_eq!(lifeline.state.lock().pause, PAUSES.0, "it is found, and the next time will be a first one");
    }

    #[test]
    fn brokers_that_stay_away_are_added_more_and_more_rarely() {
        let client = lost();
        let lifeline = Lifeline::new("127.0.0.1:1");
        let pauses: Vec<u64> = (0..8)
            .map(|_| {
                due(&lifeline);
                lifeline.look(client.client());
                lifeline.state.lock().pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_lookout_looks_until_it_is_dropped() {
        let looks = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = |looks: &std::sync::atomic::AtomicU64| looks.load(std::sync::atomic::Ordering::Acquire);
        let lookout = Lookout::new(Arc::downgrade(&looks), |looks| {
            looks.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        });
        let deadline = Instant::now() + Duration::from_secs(20);
        while count(&looks) < 2 {
            assert!(Instant::now() < deadline, "nobody looks");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(lookout);
        assert_eq!(Arc::strong_count(&looks), 1, "the thread has ended");
    }
}
