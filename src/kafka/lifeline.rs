//! Gives librdkafka brokers to ask when it has forgotten all it knew.
//!
//! A broker that stood still until its cluster counted it out answers, when it goes on, with topics and without a broker.
//! librdkafka (2.12.1) then lets go of every broker, of those it was configured with too, and the end of that answer calls
//! off its own return to them. Whom it does not know it cannot ask, and it would stay like that for good. All it says is
//! that all brokers are down: what it was configured with is then added again, a moment later and not too often.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::ClientContext;
use rdkafka::bindings as rdk;
use rdkafka::client::Client;

/// librdkafka lets go of its brokers one by one, and one that it still knows is not added.
const SETTLING: Duration = Duration::from_millis(250);

/// So often at most, in a short outage. librdkafka remembers each addition, so in a long one it is done more rarely: after
/// a sixtieth of the time that no broker was heard.
const SELDOM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const SHARE: u32 = 60;

/// Where a context asks for help. What is heard before there is a client, and after it, is of no importance.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// All brokers are down, as far as was heard; beside the lock, because it is looked at with every record.
    is_down: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    client: Option<Handle>,
    brokers: CString,
    /// Since when all brokers are down.
    down: Option<Instant>,
    added: Option<Instant>,
    /// A thread waits to add them.
    waiting: bool,
}

struct Handle(*mut rdk::rd_kafka_t);

// SAFETY: librdkafka's clients may be used from any thread.
unsafe impl Send for Handle {}

impl Line {
    /// All brokers are down: librdkafka may have forgotten them.
    pub(crate) fn pull(&self) {
        let now = Instant::now();
        let mut state = self.0.state.lock();
        let down = *state.down.get_or_insert(now);
        self.0.is_down.store(true, Ordering::Relaxed);
        if state.waiting || state.client.is_none() {
            return;
        }
        let due = due(now, down, state.added);
        let line = self.clone();
        let started = std::thread::Builder::new().name("telewire-lifeline".into()).spawn(move || line.add_at(due));
        match started {
            Ok(_) => state.waiting = true,
            Err(error) => log::warn!("the brokers of a Kafka client could not be added again: {error}"),
        }
    }

    /// A broker was heard.
    pub(crate) fn heard(&self) {
        if self.0.is_down.load(Ordering::Relaxed) {
            let mut state = self.0.state.lock();
            state.down = None;
            self.0.is_down.store(false, Ordering::Relaxed);
        }
    }

    fn add_at(&self, due: Instant) {
        let mut state = self.0.state.lock();
        while state.client.is_some() && Instant::now() < due {
            self.0.changed.wait_until(&mut state, due);
        }
        state.waiting = false;
        let Some(client) = &state.client else { return };
        // SAFETY: whoever drops the client takes it out of the state before, under the lock that is held here; the text ends
        // with a zero. librdkafka takes the call on any thread, and does not wait in it for one of ours.
        let count = unsafe { rdk::rd_kafka_brokers_add(client.0, state.brokers.as_ptr()) };
        log::debug!("all brokers are down: the {count} that were given are added again");
        state.added = Some(Instant::now());
    }
}

/// When they are to be added.
fn due(now: Instant, down: Instant, added: Option<Instant>) -> Instant {
    let pause = (now.duration_since(down) / SHARE).clamp(SELDOM.0, SELDOM.1);
    (now + SETTLING).max(added.map_or(now, |added| added + pause))
}

/// Holds a [`Line`] to its client, and has to be dropped before it.
pub(crate) struct Lifeline(Line);

impl Lifeline {
    /// Holds the line of a client's context to the client.
    ///
    /// # Safety
    /// The client outlives what is returned.
    pub(crate) unsafe fn new<C: ClientContext>(line: &Line, client: &Client<C>, brokers: &str) -> Self {
        let mut state = line.0.state.lock();
        // An address holds no zero: librdkafka has just read them.
        state.brokers = CString::new(brokers).unwrap_or_default();
        state.client = Some(Handle(client.native_ptr()));
        drop(state);
        Self(line.clone())
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.0.state.lock().client = None;
        // A thread that waits ends by itself. It is not waited for: it cannot reach the client any more.
        self.0.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::context::Context;

    #[test]
    fn brokers_are_added_soon_and_the_more_rarely_the_longer_none_was_heard() {
        let down = Instant::now();
        let after = |seconds: u64| down + Duration::from_secs(seconds);
        assert_eq!(due(down, down, None), down + SETTLING);
        assert_eq!(due(after(10), down, None), after(10) + SETTLING);
        assert_eq!(due(after(10), down, Some(after(10))), after(11));
        assert_eq!(due(after(600), down, Some(after(600))), after(610));
        assert_eq!(due(after(86_400), down, Some(after(86_400))), after(86_460));
    }

    /// A client that knows no broker, as one that has forgotten all.
    fn lost() -> (Line, BaseConsumer<Context>) {
        let context = Context::default();
        (context.line.clone(), BaseConsumer::from_config_and_context(&ClientConfig::new(), context).unwrap())
    }

    #[test]
    fn a_client_that_knows_no_broker_finds_those_it_was_given() {
        let brokers = MockCluster::new(1).unwrap();
        let (line, client) = lost();
        // SAFETY: the client is dropped last.
        let lifeline = unsafe { Lifeline::new(&line, client.client(), &brokers.bootstrap_servers()) };
        assert!(client.fetch_metadata(None, Duration::from_millis(50)).is_err());
        line.pull();
        let metadata = client.fetch_metadata(None, Duration::from_secs(10)).unwrap();
        assert_eq!(metadata.brokers().len(), 1);
        drop(lifeline);
    }

    #[test]
    fn statistics_without_a_broker_and_all_brokers_down_are_cries_for_help() {
        let pulled = |cry: &dyn Fn(&Context)| {
            let (line, client) = lost();
            // SAFETY: the client is dropped last.
            let _lifeline = unsafe { Lifeline::new(&line, client.client(), "127.0.0.1:1") };
            cry(client.client().context());
            line.0.state.lock().waiting
        };
        assert!(pulled(&|context| context.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 down")));
        assert!(!pulled(&|context| context.error(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut), "late")));
        let told = |source: &str| format!(r#"{{"brokers": {{"a:1/1": {{"source": "{source}", "state": "DOWN"}}}}}}"#);
        assert!(pulled(&|context| context.stats_raw(told("logical").as_bytes())));
        assert!(!pulled(&|context| context.stats_raw(told("learned").as_bytes())));
        assert!(!pulled(&|context| context.stats_raw(told("configured").as_bytes())));
    }

    #[test]
    fn a_client_that_is_gone_is_left_alone() {
        let (line, client) = lost();
        // SAFETY: the client is dropped last.
        let lifeline = unsafe { Lifeline::new(&line, client.client(), "127.0.0.1:1") };
        line.pull();
        assert!(line.0.state.lock().waiting);
        drop(lifeline);
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(10);
        while line.0.state.lock().waiting {
            assert!(Instant::now() < deadline, "the thread that waits does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(line.0.state.lock().added.is_none());
        line.pull();
        assert!(!line.0.state.lock().waiting, "there is nothing to add brokers to");
    }
}
