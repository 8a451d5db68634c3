//! The producer: records in, exactly one outcome for each.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::bindings as rdk;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext};

use super::admin::{creation_error, kafka_error};
use super::config::Settings;
use super::context::{Context, Trouble, What};
use super::lifeline::{Lifeline, Lookout};
use crate::error::{Error, Printable, Result};
use crate::sync::{Condvar, Mutex, RwLock};
use crate::time::{after, now_ns};

/// The number of a write; outcomes name it.
pub type Ticket = u64;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The broker has acknowledged it.
    Persisted,
    /// It was sent and no acknowledgement came: it may or may not be there.
    PossiblyPersisted,
    /// It never reached the broker.
    NotPersisted,
}

/// The one outcome of a write.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which write.
    pub ticket: Ticket,
    /// What became of it. Of an essential packet's two records, the worse.
    pub fate: Fate,
    /// Why, when it is not persisted.
    pub error: Option<String>,
    /// Where it was to go.
    pub topic: String,
    /// The packet itself, when it is not persisted, so that it can be written again.
    pub payload: Option<Bytes>,
    /// The data source it was written for; empty for what belongs to none, such as an info packet.
    pub data_source: String,
    /// The stream it was written for; empty for the main stream.
    pub stream: String,
    /// The key of its record, which is its session's.
    pub session_key: String,
    /// Whether it was refused for a right that lacks.
    pub denied: bool,
}

/// What a record was written for: a data source and a stream, by the number that [`Outbox::origin`] gave them. Carried by
/// every record, and looked up only for those whose outcome somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(u32);

impl Origin {
    /// Of records that belong to no data source.
    pub const NONE: Self = Self(u32::MAX);
}

/// How much was written, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteCounts {
    /// Packets accepted.
    pub written: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Packets acknowledged by the broker.
    pub delivered: u64,
    /// Packets that ended otherwise.
    pub failed: u64,
}

/// Bytes beside key and packet that librdkafka counts for a record when it holds it against `message.max.bytes`.
const RECORD: usize = 36;
/// Failed packets keep their payload up to this many bytes; beyond it only the reason is kept.
const KEPT_PAYLOAD: usize = 256 << 20;

/// How much was written of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The data source; empty for what belongs to none.
    pub data_source: String,
    /// The stream; empty for the main stream.
    pub stream: String,
    /// Packets accepted.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How the producer is doing. Nothing is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxHealth {
    /// What was written since the start.
    pub counts: WriteCounts,
    /// Packets without an outcome.
    pub queued: u64,
    /// Bytes of their records.
    pub queued_bytes: u64,
    /// As many records the queue takes.
    pub most: u64,
    /// As many bytes the queue takes.
    pub most_bytes: u64,
    /// Requests that were sent again; `None` without statistics.
    pub retried: Option<u64>,
    /// About when the oldest packet without an outcome was written, in nanoseconds since the Unix epoch: up to
    /// a quarter of a second too early.
    pub oldest_ns: Option<u64>,
    /// What last went wrong with a connection or a packet.
    pub last_error: Option<Trouble>,
}

/// Packets that were written within so long of each other share an epoch.
const EPOCH: Duration = Duration::from_millis(250);

/// The packets of a short time: a flush waits for those of all epochs before it, however much is written meanwhile.
struct Epoch {
    pending: AtomicU64,
    began: Instant,
    began_ns: u64,
}

impl Default for Epoch {
    fn default() -> Self {
        Self { pending: AtomicU64::new(0), began: Instant::now(), began_ns: now_ns() }
    }
}

/// The epochs that no flush has asked for yet.
#[derive(Default)]
struct Epochs {
    current: Arc<Epoch>,
    before: VecDeque<Arc<Epoch>>,
    /// Packets since the clock was last looked at.
    since_look: u32,
}

impl Epochs {
    /// How many packets may come between two looks at the clock.
    const LOOK: u32 = 16;

    /// The epoch of a packet that is written now.
    fn enter(&mut self) -> Arc<Epoch> {
        self.since_look += 1;
        let idle = self.current.pending.load(Ordering::Acquire) == 0;
        if idle || self.since_look >= Self::LOOK {
            self.since_look = 0;
            if self.current.began.elapsed() >= EPOCH {
                let old = std::mem::take(&mut self.current);
                if !idle {
                    self.before.push_back(old);
                }
                // What is settled is of no interest to anybody; in order, as it mostly is.
                while self.before.front().is_some_and(|epoch| epoch.pending.load(Ordering::Acquire) == 0) {
                    self.before.pop_front();
                }
            }
        }
        self.current.pending.fetch_add(1, Ordering::AcqRel);
        self.current.clone()
    }

    /// All of them, for a flush.
    fn take(&mut self) -> impl Iterator<Item = Arc<Epoch>> {
        let current = std::mem::take(&mut self.current);
        std::mem::take(&mut self.before).into_iter().chain(std::iter::once(current))
    }
}

/// What was written for one data source and stream.
#[derive(Default)]
struct Book {
    data_source: String,
    stream: String,
    packets: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Default)]
struct Ledger {
    written: AtomicU64,
    bytes: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    /// Bytes of records without an outcome, keys included.
    under_way: AtomicU64,
    tracking: AtomicBool,
    /// Data sources and streams by [`Origin`].
    origins: RwLock<Vec<Book>>,
    /// What belongs to no data source.
    unowned: Book,
    epochs: Mutex<Epochs>,
    last_failure: Mutex<Option<Trouble>>,
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    failed: Vec<Outcome>,
    kept_bytes: usize,
    outcomes: VecDeque<Outcome>,
    delivered_at_flush: u64,
    /// Epochs that a flush ended and that still have packets under way.
    open: Vec<Arc<Epoch>>,
}

impl Ledger {
    fn names(&self, origin: Origin) -> (String, String) {
        let names = |book: &Book| (book.data_source.clone(), book.stream.clone());
        usize::try_from(origin.0).ok().and_then(|index| self.origins.read().get(index).map(names)).unwrap_or_default()
    }

    /// Books a packet that was queued.
    fn book(&self, origin: Origin, bytes: usize) {
        let origins = self.origins.read();
        let book = usize::try_from(origin.0).ok().and_then(|index| origins.get(index)).unwrap_or(&self.unowned);
        book.packets.fetch_add(1, Ordering::Relaxed);
        book.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// When the oldest packet without an outcome was written, about.
    fn oldest_ns(&self) -> Option<u64> {
        let pending = |epoch: &&Arc<Epoch>| epoch.pending.load(Ordering::Acquire) > 0;
        let flushed = self.state.lock().open.iter().filter(pending).map(|epoch| epoch.began_ns).min();
        let epochs = self.epochs.lock();
        let written = epochs.before.iter().chain([&epochs.current]).find(pending).map(|epoch| epoch.began_ns);
        flushed.into_iter().chain(written).min()
    }

    fn pending(&self) -> u64 {
        // Read in this order, a packet in flight is never missed.
        let done = self.delivered.load(Ordering::Acquire) + self.failed.load(Ordering::Acquire);
        self.written.load(Ordering::Acquire).saturating_sub(done)
    }

    /// Counts a packet in.
    fn enter(&self, bytes: usize) -> Arc<Epoch> {
        self.written.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.epochs.lock().enter()
    }

    /// Takes back a packet that was never queued.
    fn leave(&self, bytes: usize, epoch: &Epoch) {
        self.written.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.release(epoch);
    }

    fn release(&self, epoch: &Epoch) {
        if epoch.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The lock orders this wake-up after a waiter's look at `pending`.
            drop(self.state.lock());
            self.settled.notify_all();
        }
    }

    /// Waits until everything written before now is settled, or the deadline.
    fn wait(&self, timeout: Duration) {
        let deadline = after(timeout);
        // Not under both locks at once: whoever settles a packet takes the other one.
        let before: Vec<Arc<Epoch>> = self.epochs.lock().take().collect();
        let mut state = self.state.lock();
        state.open.extend(before);
        loop {
            state.open.retain(|epoch| epoch.pending.load(Ordering::Acquire) > 0);
            if state.open.is_empty() || self.settled.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    fn settle(&self, mut outcome: Outcome, epoch: &Epoch) {
        let persisted = outcome.fate == Fate::Persisted;
        if !persisted || self.tracking.load(Ordering::Relaxed) {
            let mut state = self.state.lock();
            if self.tracking.load(Ordering::Relaxed) {
                state.outcomes.push_back(outcome.clone());
            }
            if !persisted {
                let reason = outcome.error.clone().unwrap_or_else(|| "no reason given".into());
                let reason = format!("a packet for topic '{}' was not delivered: {reason}", Printable(&outcome.topic));
                *self.last_failure.lock() = Some(Trouble { reason, at_ns: now_ns() });
                log::error!(
                    topic = outcome.topic.as_str(), data_source = outcome.data_source.as_str(),
                    stream = outcome.stream.as_str(), session = outcome.session_key.as_str();
                    "packet for topic '{}' was not delivered: {}",
                    outcome.topic,
                    outcome.error.as_deref().unwrap_or("no reason given")
                );
                let size = outcome.payload.as_ref().map_or(0, Bytes::len);
                if state.kept_bytes + size > KEPT_PAYLOAD {
                    outcome.payload = None;
                } else {
                    state.kept_bytes += size;
                }
                state.failed.push(outcome);
            }
        }
        let counter = if persisted { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::AcqRel);
        self.release(epoch);
    }
}

/// Where the records of one packet report to.
pub(crate) struct Delivery {
    ticket: Ticket,
    origin: Origin,
    /// Of a packet that travels as two records: the first to come back waits here for the other.
    twin: Option<Arc<Mutex<Option<Outcome>>>>,
    epoch: Arc<Epoch>,
    /// Somebody waits for this very packet.
    waiter: Option<crossbeam_channel::Sender<Outcome>>,
}

impl Delivery {
    /// One record came back: with the last one, the packet has its outcome.
    fn finish(&self, ledger: &Ledger, outcome: Outcome) {
        let outcome = match &self.twin {
            None => outcome,
            Some(twin) => {
                let mut first = twin.lock();
                match first.take() {
                    None => {
                        *first = Some(outcome);
                        return;
                    }
                    Some(first) if first.fate > outcome.fate => first,
                    Some(_) => outcome,
                }
            }
        };
        if let Some(waiter) = &self.waiter {
            // A waiter that has given up has dropped its end; the books are kept all the same.
            let _ = waiter.try_send(outcome.clone());
        }
        ledger.settle(outcome, &self.epoch);
    }
}

struct Deliveries {
    context: Arc<Context>,
    ledger: Arc<Ledger>,
    /// The producer's handle, once there is one.
    client: AtomicPtr<rdk::rd_kafka_t>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
    fn stats_raw(&self, statistics: &[u8]) {
        self.context.stats_raw(statistics);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Box<Delivery>) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        let size = message.payload_len() + message.key_len();
        self.ledger.under_way.fetch_sub(size as u64, Ordering::Relaxed);
        let outcome = match result {
            Ok(message) if delivery.twin.is_some() || self.ledger.tracking.load(Ordering::Relaxed) => {
                self.told(&delivery, Fate::Persisted, message)
            }
            // Nobody looks at it.
            Ok(_) => Outcome {
                ticket: delivery.ticket,
                fate: Fate::Persisted,
                error: None,
                topic: String::new(),
                payload: None,
                data_source: String::new(),
                stream: String::new(),
                session_key: String::new(),
                denied: false,
            },
            Err((error, message)) => Outcome {
                error: Some(self.reason(error, message)),
                denied: self.is_denied(error),
                payload: message.payload().map(Bytes::copy_from_slice),
                ..self.told(&delivery, fate_of(message), message)
            },
        };
        delivery.finish(&self.ledger, outcome);
    }
}

impl Deliveries {
    /// An outcome that somebody may look at.
    fn told(&self, delivery: &Delivery, fate: Fate, message: &BorrowedMessage<'_>) -> Outcome {
        let (data_source, stream) = self.ledger.names(delivery.origin);
        Outcome {
            ticket: delivery.ticket,
            fate,
            error: None,
            topic: message.topic().to_string(),
            payload: None,
            data_source,
            stream,
            session_key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
            denied: false,
        }
    }

    fn reason(&self, error: &KafkaError, message: &BorrowedMessage<'_>) -> String {
        match self.is_denied(error) {
            true => self.context.denied("writing", "Write", What::Topic(message.topic())).to_string(),
            false => reason(error),
        }
    }

    /// Whether a record failed for a right that lacks. A producer that is given no number, for a user that may write to no
    /// topic at all, is ended by librdkafka, which throws its records away.
    fn is_denied(&self, error: &KafkaError) -> bool {
        let thrown_away = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight | RDKafkaErrorCode::Fatal)
        );
        is_denied(error) || (thrown_away && self.ended_by() == Some(RDKafkaErrorCode::ClusterAuthorizationFailed))
    }

    /// What has ended the producer, if it was ended.
    fn ended_by(&self) -> Option<RDKafkaErrorCode> {
        let client = self.client.load(Ordering::Acquire);
        if client.is_null() {
            return None;
        }
        let mut text: [c_char; 200] = [0; 200];
        // SAFETY: the handle is that of the producer that reports here, which it does only while it exists; librdkafka
        // writes no more than the length it is told.
        let code = unsafe { rdk::rd_kafka_fatal_error(client, text.as_mut_ptr(), text.len()) };
        (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }
}

fn is_denied(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

fn reason(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => "no broker acknowledged it within message.timeout.ms".into(),
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
            "the client was closed before it could be delivered".into()
        }
        Some(code @ RDKafkaErrorCode::InvalidTimestamp) => format!(
            "{code}; this machine's clock is too far from the broker's: synchronise them \
             (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
        ),
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

fn fate_of(message: &BorrowedMessage<'_>) -> Fate {
    // SAFETY: the pointer is valid while the delivery report is borrowed, and the call only reads the message's status.
    let status = unsafe { rdk::rd_kafka_message_status(message.ptr()) };
    match status {
        rdk::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_PERSISTED => Fate::Persisted,
        rdk::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Fate::NotPersisted,
        rdk::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Fate::PossiblyPersisted,
    }
}

/// One place a record goes to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// What it is written for.
    pub origin: Origin,
}

/// Sends records and keeps the books.
pub struct Outbox {
    /// Dropped before the producer.
    _lookout: Lookout,
    /// Replaced when a missing right has ended it; see [`Outbox::renew`].
    producer: Arc<RwLock<Running>>,
    /// Of all producers that follow each other.
    context: Arc<Context>,
    config: ClientConfig,
    ledger: Arc<Ledger>,
    next: AtomicU64,
    limit: usize,
    /// When topics that we may not write to were last looked at.
    looked: Mutex<HashMap<String, Instant>>,
    /// Limits of librdkafka's queue, in records and bytes.
    most: u64,
    most_bytes: u64,
    closed: AtomicBool,
}

/// A producer, and since when it runs.
struct Running {
    producer: ThreadedProducer<Deliveries>,
    since: Instant,
}

impl Running {
    fn start(config: &ClientConfig, context: &Arc<Context>, ledger: &Arc<Ledger>) -> Result<Self> {
        let deliveries = Deliveries { context: context.clone(), ledger: ledger.clone(), client: AtomicPtr::default() };
        let producer = ThreadedProducer::from_config_and_context(config, deliveries)
            .map_err(|error| creation_error("producer", config, &error))?;
        let client = producer.client();
        client.context().client.store(client.native_ptr(), Ordering::Release);
        Ok(Self { producer, since: Instant::now() })
    }
}

/// A producer that a missing right has ended is not replaced before this time.
const RENEWAL: Duration = Duration::from_secs(1);

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// Starts a producer and its thread.
    ///
    /// # Errors
    /// [`Error::Config`] for properties that librdkafka does not take.
    pub fn new(settings: &Settings) -> Result<Self> {
        let (config, warnings) = settings.producer()?;
        for warning in warnings {
            log::warn!("{warning}");
        }
        let limit_of = |key: &str| config.get(key).and_then(|value| value.trim().parse().ok()).unwrap_or(0);
        let most = limit_of("queue.buffering.max.messages");
        let most_bytes = limit_of("queue.buffering.max.kbytes") << 10;
        let (context, ledger) = (Arc::new(Context::of(&config)), Arc::new(Ledger::default()));
        let producer = Arc::new(RwLock::new(Running::start(&config, &context, &ledger)?));
        let lifeline = Lifeline::new(&settings.brokers);
        let look = move |running: &RwLock<Running>| lifeline.look(running.read().producer.client());
        Ok(Self {
            _lookout: Lookout::new(Arc::downgrade(&producer), look)?,
            producer,
            context,
            config,
            ledger,
            next: AtomicU64::new(1),
            limit: settings.message_max_bytes(),
            looked: Mutex::default(),
            most,
            most_bytes,
            closed: AtomicBool::new(false),
        })
    }

    /// The largest packet that [`Outbox::send`] takes to a topic, key included.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The number of a data source's stream, for [`Target::origin`]; one for each that is asked for.
    #[must_use]
    pub fn origin(&self, data_source: &str, stream: &str) -> Origin {
        let mut origins = self.ledger.origins.write();
        let Ok(number) = u32::try_from(origins.len()) else { return Origin::NONE };
        origins.push(Book { data_source: data_source.into(), stream: stream.into(), ..Book::default() });
        Origin(number)
    }

    /// Queues one packet for one or two places. A full queue is waited for.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::QueueFull`] after `patience`, [`Error::Closed`], [`Error::Kafka`].
    pub fn send(&self, targets: &[Target<'_>], key: &[u8], payload: &[u8], patience: Duration) -> Result<Ticket> {
        self.post(targets, key, payload, patience, None)
    }

    /// [`Outbox::send`], and waits for the outcome.
    ///
    /// # Errors
    /// As [`Outbox::send`]; [`Error::Timeout`] and [`Error::Kafka`] when it was not acknowledged.
    pub fn send_and_wait(
        &self,
        what: &str,
        targets: &[Target<'_>],
        key: &[u8],
        payload: &[u8],
        timeout: Duration,
    ) -> Result<()> {
        let (waiter, outcome) = crossbeam_channel::bounded(1);
        self.post(targets, key, payload, timeout, Some(waiter))?;
        match outcome.recv_timeout(timeout) {
            Ok(Outcome { fate: Fate::Persisted, .. }) => Ok(()),
            Ok(Outcome { denied: true, topic, .. }) => Err(self.denied(what, What::Topic(&topic))),
            Ok(Outcome { error, .. }) => Err(Error::Kafka {
                operation: what.into(),
                reason: error.unwrap_or_else(|| "not acknowledged".into()),
                code: "NOT_DELIVERED".into(),
                retriable: true,
            }),
            Err(_) => Err(Error::Timeout { what: what.into(), waited: timeout }),
        }
    }

    fn post(
        &self,
        targets: &[Target<'_>],
        key: &[u8],
        payload: &[u8],
        patience: Duration,
        waiter: Option<crossbeam_channel::Sender<Outcome>>,
    ) -> Result<Ticket> {
        let size = payload.len() + key.len() + RECORD;
        if size > self.limit {
            let topic = targets.first().map_or_else(String::new, |target| target.topic.to_string());
            return Err(Error::TooLarge { size, limit: self.limit, topic });
        }
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let twin = (targets.len() > 1).then(|| Arc::new(Mutex::new(None)));
        let epoch = self.ledger.enter(payload.len());
        // Looked at after the packet was counted in: either the closing flush waits for it, or it is refused here.
        if self.closed.load(Ordering::Acquire) {
            self.ledger.leave(payload.len(), &epoch);
            return Err(Error::Closed("the client of this writer".into()));
        }
        for (index, target) in targets.iter().enumerate() {
            let delivery = Box::new(Delivery {
                ticket,
                origin: target.origin,
                twin: twin.clone(),
                epoch: epoch.clone(),
                waiter: waiter.clone(),
            });
            let Err((error, delivery)) = self.enqueue(*target, key, payload, delivery, patience) else { continue };
            if index == 0 {
                // Nothing was taken: the call fails and there is no outcome to come.
                self.ledger.leave(payload.len(), &epoch);
                return Err(error);
            }
            // The first record is under way, so the ticket exists, and this record's failure is its outcome.
            let (data_source, stream) = self.ledger.names(target.origin);
            delivery.finish(
                &self.ledger,
                Outcome {
                    ticket,
                    fate: Fate::NotPersisted,
                    error: Some(error.to_string()),
                    topic: target.topic.to_string(),
                    payload: Some(Bytes::copy_from_slice(payload)),
                    data_source,
                    stream,
                    session_key: String::from_utf8_lossy(key).into_owned(),
                    denied: matches!(error, Error::Denied { .. }),
                },
            );
        }
        let origin = targets.first().map_or(Origin::NONE, |target| target.origin);
        self.ledger.book(origin, payload.len());
        Ok(ticket)
    }

    fn enqueue(
        &self,
        target: Target<'_>,
        key: &[u8],
        payload: &[u8],
        delivery: Box<Delivery>,
        patience: Duration,
    ) -> std::result::Result<(), (Error, Box<Delivery>)> {
        let mut record = BaseRecord::with_opaque_to(target.topic, delivery).key(key).payload(payload);
        record.partition = target.partition;
        let begin = Instant::now();
        // Before it is queued: its outcome may come first.
        let size = (key.len() + payload.len()) as u64;
        self.ledger.under_way.fetch_add(size, Ordering::Relaxed);
        let outcome = loop {
            let sent = self.producer.read().producer.send(record);
            match sent {
                Ok(()) => return Ok(()),
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) => {
                    if let Err(error) = self.renew(target.topic) {
                        break (error, back.delivery_opaque);
                    }
                    record = back;
                }
                Err((error, back)) if is_denied(&error) => {
                    if !self.look_again(target.topic) {
                        let operation = format!("writing to topic '{}'", target.topic);
                        break (self.denied(operation, What::Topic(target.topic)), back.delivery_opaque);
                    }
                    record = back;
                }
                Err((error, back)) => {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        let error = kafka_error(format!("writing to topic '{}'", target.topic), &error);
                        break (error, back.delivery_opaque);
                    }
                    if self.closed.load(Ordering::Acquire) {
                        break (Error::Closed("the client of this writer".into()), back.delivery_opaque);
                    }
                    if begin.elapsed() >= patience {
                        let hint = "the broker takes packets more slowly than they are written, or is not reachable";
                        break (Error::QueueFull { waited: patience, hint: hint.into() }, back.delivery_opaque);
                    }
                    if crate::interrupt::requested() {
                        break (Error::Interrupted("writing to a full queue".into()), back.delivery_opaque);
                    }
                    record = back;
                    // The delivery thread makes room; there is no condition to wait on inside librdkafka.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        };
        self.ledger.under_way.fetch_sub(size, Ordering::Relaxed);
        Err(outcome)
    }

    /// The error for a right to write that lacks.
    fn denied(&self, operation: impl Into<String>, what: What<'_>) -> Error {
        self.context.denied(operation, "Write", what)
    }

    /// librdkafka takes no record for a topic that was hidden from us when it last looked, once a minute: it is made to look
    /// again. False when that was done a moment ago.
    fn look_again(&self, topic: &str) -> bool {
        let mut looked = self.looked.lock();
        if looked.get(topic).is_some_and(|at| at.elapsed() < RENEWAL) {
            return false;
        }
        looked.insert(topic.into(), Instant::now());
        drop(looked);
        let answer = self.producer.read().producer.client().fetch_metadata(Some(topic), RENEWAL);
        answer.is_ok_and(|found| found.topics().iter().any(|found| found.error().is_none()))
    }

    /// Replaces a producer that librdkafka has given up because of a missing right: a user that may write to no topic at
    /// all gets no producer's number from the broker, and may be given a right at any time. Everything that was queued has
    /// had its outcome by then, so that no order is changed.
    fn renew(&self, topic: &str) -> Result<()> {
        let operation = format!("writing to topic '{topic}'");
        let mut running = self.producer.write();
        let Some((code, reason)) = running.producer.client().fatal_error() else { return Ok(()) };
        if code != RDKafkaErrorCode::ClusterAuthorizationFailed {
            return Err(Error::Kafka { operation, reason, code: format!("{code:?}"), retriable: false });
        }
        if running.since.elapsed() < RENEWAL {
            return Err(self.denied(operation, What::AnyTopic));
        }
        *running = Running::start(&self.config, &self.context, &self.ledger)?;
        Ok(())
    }

    /// Packets without an outcome yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        usize::try_from(self.ledger.pending()).unwrap_or(usize::MAX)
    }

    /// Waits until every packet has its outcome; returns how many were delivered since the last flush, the ones that
    /// failed since then, and how many are still under way.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> (u64, Vec<Outcome>, usize) {
        self.ledger.wait(timeout);
        let mut state = self.ledger.state.lock();
        let delivered = self.ledger.delivered.load(Ordering::Acquire);
        let since = delivered - state.delivered_at_flush;
        state.delivered_at_flush = delivered;
        state.kept_bytes = 0;
        let failed = std::mem::take(&mut state.failed);
        let left: u64 = state.open.iter().map(|epoch| epoch.pending.load(Ordering::Acquire)).sum();
        drop(state);
        (since, failed, usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Waits until every packet has its outcome, without taking the failed ones from the next [`Outbox::flush`].
    #[must_use]
    pub fn settle(&self, timeout: Duration) -> usize {
        self.ledger.wait(timeout);
        let state = self.ledger.state.lock();
        let left: u64 = state.open.iter().map(|epoch| epoch.pending.load(Ordering::Acquire)).sum();
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// The packets that failed since this was last asked or the last [`Outbox::flush`]: each is told once, here or there.
    #[must_use]
    pub fn failures(&self) -> Vec<Outcome> {
        let mut state = self.ledger.state.lock();
        state.kept_bytes = 0;
        std::mem::take(&mut state.failed)
    }

    /// How many packets failed that nobody has been told of yet.
    #[must_use]
    pub fn unreported(&self) -> usize {
        self.ledger.state.lock().failed.len()
    }

    /// Keeps every outcome for [`Outbox::outcomes`], not only the failed ones.
    pub fn track(&self, on: bool) {
        self.ledger.tracking.store(on, Ordering::Release);
        if !on {
            self.ledger.state.lock().outcomes.clear();
        }
    }

    /// The outcomes since the last call, while tracking.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.ledger.state.lock().outcomes.drain(..).collect()
    }

    /// How much was written so far.
    #[must_use]
    pub fn counts(&self) -> WriteCounts {
        WriteCounts {
            written: self.ledger.written.load(Ordering::Acquire),
            bytes: self.ledger.bytes.load(Ordering::Relaxed),
            delivered: self.ledger.delivered.load(Ordering::Acquire),
            failed: self.ledger.failed.load(Ordering::Acquire),
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> OutboxHealth {
        let context = &self.context;
        let newest = |trouble: &Trouble| trouble.at_ns;
        let last_failure = self.ledger.last_failure.lock().clone();
        OutboxHealth {
            counts: self.counts(),
            queued: self.ledger.pending(),
            queued_bytes: self.ledger.under_way.load(Ordering::Relaxed),
            most: self.most,
            most_bytes: self.most_bytes,
            retried: context.statistics().map(|statistics| statistics.retried),
            oldest_ns: self.ledger.oldest_ns(),
            last_error: context.last().into_iter().chain(last_failure).max_by_key(newest),
        }
    }

    /// What was written of each stream that something was written of; of what belongs to no data source, under no name.
    #[must_use]
    pub fn written(&self) -> Vec<Written> {
        let written = |book: &Book| Written {
            data_source: book.data_source.clone(),
            stream: book.stream.clone(),
            packets: book.packets.load(Ordering::Relaxed),
            bytes: book.bytes.load(Ordering::Relaxed),
        };
        let origins = self.ledger.origins.read();
        origins.iter().chain([&self.ledger.unowned]).map(written).filter(|written| written.packets > 0).collect()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Refuses further packets and gives the queued ones until the deadline.
    #[must_use]
    pub fn close(&self, timeout: Duration) -> (u64, Vec<Outcome>, usize) {
        self.closed.store(true, Ordering::Release);
        let report = self.flush(timeout);
        if report.2 > 0 {
            log::error!("closing with {} packets not delivered", report.2);
            // Their outcomes come now, as not or possibly persisted, instead of never.
            self.producer.read().producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
            let purged = self.flush(Duration::from_secs(1));
            let mut failed = report.1;
            failed.extend(purged.1);
            return (report.0 + purged.0, failed, purged.2);
        }
        report
    }
}
