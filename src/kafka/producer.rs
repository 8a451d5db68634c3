//! The producer: records in, exactly one outcome for each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::admin::{creation_error, kafka_error};
use super::config::Settings;
use super::context::Context;
use crate::error::{Error, Result};
use crate::time::after;

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

/// Failed packets keep their payload up to this many bytes; beyond it only the reason is kept.
const KEPT_PAYLOAD: usize = 256 << 20;

/// The packets written between two flushes: a flush waits for those before it, however much is written meanwhile.
#[derive(Default)]
struct Epoch {
    pending: AtomicU64,
}

#[derive(Default)]
struct Ledger {
    written: AtomicU64,
    bytes: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    tracking: AtomicBool,
    /// Data sources and streams by [`Origin`].
    origins: RwLock<Vec<(String, String)>>,
    epoch: Mutex<Arc<Epoch>>,
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
        usize::try_from(origin.0).ok().and_then(|index| self.origins.read().get(index).cloned()).unwrap_or_default()
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
        let epoch = self.epoch.lock();
        epoch.pending.fetch_add(1, Ordering::AcqRel);
        epoch.clone()
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
        let before = std::mem::take(&mut *self.epoch.lock());
        let mut state = self.state.lock();
        state.open.push(before);
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
                log::error!(
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
    context: Context,
    ledger: Arc<Ledger>,
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
            },
            Err((error, message)) => Outcome {
                error: Some(reason(error)),
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
        }
    }
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
    let status = unsafe { rdkafka::bindings::rd_kafka_message_status(message.ptr()) };
    match status {
        rdkafka::bindings::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_PERSISTED => Fate::Persisted,
        rdkafka::bindings::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Fate::NotPersisted,
        rdkafka::bindings::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Fate::PossiblyPersisted,
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
    producer: ThreadedProducer<Deliveries>,
    ledger: Arc<Ledger>,
    next: AtomicU64,
    limit: usize,
    closed: AtomicBool,
}

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
        let ledger = Arc::new(Ledger::default());
        let deliveries = Deliveries { context: Context::default(), ledger: ledger.clone() };
        let producer = ThreadedProducer::from_config_and_context(&config, deliveries)
            .map_err(|error| creation_error("producer", &error))?;
        Ok(Self {
            producer,
            ledger,
            next: AtomicU64::new(1),
            limit: settings.message_max_bytes(),
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
        origins.push((data_source.to_string(), stream.to_string()));
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
        let size = payload.len() + key.len();
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
                },
            );
        }
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
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err((
                            kafka_error(format!("writing to topic '{}'", target.topic), &error),
                            back.delivery_opaque,
                        ));
                    }
                    if self.closed.load(Ordering::Acquire) {
                        return Err((Error::Closed("the client of this writer".into()), back.delivery_opaque));
                    }
                    if begin.elapsed() >= patience {
                        let hint = "the broker takes packets more slowly than they are written, or is not reachable";
                        return Err((Error::QueueFull { waited: patience, hint: hint.into() }, back.delivery_opaque));
                    }
                    if crate::interrupt::requested() {
                        return Err((Error::Interrupted("writing to a full queue".into()), back.delivery_opaque));
                    }
                    record = back;
                    // The delivery thread makes room; there is no condition to wait on inside librdkafka.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
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

    /// Refuses further packets and gives the queued ones until the deadline.
    #[must_use]
    pub fn close(&self, timeout: Duration) -> (u64, Vec<Outcome>, usize) {
        self.closed.store(true, Ordering::Release);
        let report = self.flush(timeout);
        if report.2 > 0 {
            log::error!("closing with {} packets not delivered", report.2);
            // Their outcomes come now, as not or possibly persisted, instead of never.
            self.producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
            let purged = self.flush(Duration::from_secs(1));
            let mut failed = report.1;
            failed.extend(purged.1);
            return (report.0 + purged.0, failed, purged.2);
        }
        report
    }
}
