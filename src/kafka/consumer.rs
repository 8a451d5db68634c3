//! The consumer: librdkafka's events as they come, borrowed, with the topic of every end of partition.
//!
//! rdkafka's own consumer hands out one message at a time, names only the partition number at the end of a partition,
//! and waits in steps of 100 ms when it is dropped. A reader follows many topics whose partition is always 0 and is
//! opened and closed for every session, so librdkafka is called directly here, on rdkafka's client. With `offsets`, which
//! asks in the same way, this is where the floor's `unsafe` is.

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};
use rdkafka::{ClientConfig, ClientContext as _, Offset, TopicPartitionList};

use super::TopicPartition;
use super::admin::{ONE_TRY, code_error, creation_error, kafka_error, wanted_still};
use super::certificate;
use super::config::Settings;
use super::context::{Context, What};
use super::lifeline::Lifeline;
use super::offsets::Question;
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// Where to begin with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Which partition.
    pub place: TopicPartition,
    /// The first offset to read.
    pub offset: i64,
}

/// A record as librdkafka holds it; gone when the callback returns.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's time, in milliseconds since the Unix epoch; -1 when it has none.
    pub timestamp_ms: i64,
    /// The key; `None` for a null key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` for a null value.
    pub value: Option<&'a [u8]>,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A record.
    Message(Message<'a>),
    /// Everything up to this offset has been read.
    End {
        /// The topic.
        topic: &'a str,
        /// The partition.
        partition: i32,
        /// The offset that the next record will have.
        offset: i64,
    },
    /// The group gives us these partitions; they must be taken with [`Consumer::take`].
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions away; they must be let go with [`Consumer::release`].
    Revoked(Vec<TopicPartition>),
    /// Something failed; librdkafka goes on by itself unless it is fatal.
    Error {
        /// What failed.
        error: Error,
        /// The topic it is about, if any.
        topic: Option<String>,
        /// Whether this consumer is of no use any more.
        fatal: bool,
    },
}

/// How many messages librdkafka hands out at once.
const BATCH: usize = 512;

/// How long the leaders of new topics are waited for before reading begins.
const LEADERS: Duration = Duration::from_millis(500);

/// A consumer of partitions that we choose, or that a group gives us. Dropping it commits what is stored, leaves the
/// group and waits for that.
pub struct Consumer {
    // Declared first, dropped first: librdkafka wants its queues back before the client goes.
    queue: Queue,
    /// What is no record: errors and statistics. Without a group they have a queue of their own, so that they can be
    /// heard while nobody takes records, instead of piling up between them.
    words: Option<Queue>,
    client: Client<Context>,
    lifeline: Lifeline,
    /// The group's id. Its rebalances come as events, which only a poll for single events hands out.
    group: Option<String>,
    /// Topics whose leaders librdkafka has been told to learn.
    known: Mutex<HashSet<Arc<str>>>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Consumer")
    }
}

pub(super) struct Queue(pub(super) *mut rdk::rd_kafka_queue_t);

// SAFETY: librdkafka's queues may be used and destroyed from any thread.
unsafe impl Send for Queue {}
// SAFETY: as above; polling and destroying take locks inside librdkafka.
unsafe impl Sync for Queue {}

impl Queue {
    /// A queue of our own.
    ///
    /// # Safety
    /// `client` is a valid handle, and outlives the queue.
    pub(super) unsafe fn new(client: *mut rdk::rd_kafka_t) -> Self {
        // SAFETY: by the contract of this function; librdkafka always gives a queue.
        Self(unsafe { rdk::rd_kafka_queue_new(client) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the pointer came from librdkafka with a reference of our own, is not null, and is destroyed once.
        unsafe { rdk::rd_kafka_queue_destroy(self.0) }
    }
}

pub(super) struct EventPtr(pub(super) *mut rdk::rd_kafka_event_t);

impl Drop for EventPtr {
    fn drop(&mut self) {
        // SAFETY: the pointer came from rd_kafka_queue_poll, is not null, and is destroyed once.
        unsafe { rdk::rd_kafka_event_destroy(self.0) }
    }
}

/// Messages of a batch, each owned by us.
struct MessagePtrs<'a>(&'a [*mut rdk::rd_kafka_message_t]);

impl Drop for MessagePtrs<'_> {
    fn drop(&mut self) {
        for message in self.0 {
            // SAFETY: librdkafka filled in these pointers, they are not null, and each is destroyed once.
            unsafe { rdk::rd_kafka_message_destroy(*message) }
        }
    }
}

impl Consumer {
    /// A consumer; of a group when one is named.
    ///
    /// # Errors
    /// [`Error::Config`] for properties that librdkafka does not take.
    pub fn new(settings: &Settings, group: Option<&str>) -> Result<Self> {
        Self::start(&settings.consumer(group)?, group, "consumer")
    }

    /// [`Consumer::new`] with a configuration of another purpose; without a group id it only asks questions.
    pub(super) fn start(config: &ClientConfig, group: Option<&str>, purpose: &str) -> Result<Self> {
        let failed = |error: &KafkaError| creation_error(purpose, config, error);
        let native = config.create_native_config().map_err(|error| failed(&error))?;
        certificate::explain_refusals(config, &native);
        // SAFETY: the configuration is valid until the client takes it over; the callbacks have the types librdkafka asks
        // for, and the context they are given is the client's own, which lives as long as the client.
        unsafe {
            let events = rdk::RD_KAFKA_EVENT_REBALANCE | rdk::RD_KAFKA_EVENT_OFFSET_COMMIT;
            let events = events | rdk::RD_KAFKA_EVENT_STATS | rdk::RD_KAFKA_EVENT_ERROR;
            rdk::rd_kafka_conf_set_events(native.ptr(), events);
            // While messages are taken in batches, whatever lies between them goes to these.
            rdk::rd_kafka_conf_set_log_cb(native.ptr(), Some(on_log));
            rdk::rd_kafka_conf_set_error_cb(native.ptr(), Some(on_error));
            rdk::rd_kafka_conf_set_stats_cb(native.ptr(), Some(on_statistics));
        }
        let context = if group.is_none() { Context::of_one_alone(config) } else { Context::of(config) };
        let client =
            Client::new(config, native, RDKafkaType::RD_KAFKA_CONSUMER, context).map_err(|error| failed(&error))?;
        // SAFETY: the handle is valid while `client` lives; the queue reference is counted by librdkafka and released in
        // Queue::drop, before `client` is dropped.
        let (queue, words) = unsafe {
            match (group, config.get("group.id")) {
                (Some(_), _) => {
                    rdk::rd_kafka_poll_set_consumer(client.native_ptr());
                    (rdk::rd_kafka_queue_get_consumer(client.native_ptr()), None)
                }
                (None, Some(_)) => {
                    let words = rdk::rd_kafka_queue_get_main(client.native_ptr());
                    (rdk::rd_kafka_queue_get_consumer(client.native_ptr()), Some(words))
                }
                // Without any group id there are no records, and librdkafka has no queue for them.
                (None, None) => (rdk::rd_kafka_queue_get_main(client.native_ptr()), None),
            }
        };
        if queue.is_null() || words.is_some_and(|words| words.is_null()) {
            return Err(Error::Config("consumer: librdkafka offers no queue for it".into()));
        }
        let (queue, words) = (Queue(queue), words.map(Queue));
        let lifeline = Lifeline::new(config.get("bootstrap.servers").unwrap_or_default());
        Ok(Self { queue, words, client, lifeline, group: group.map(str::to_owned), known: Mutex::default() })
    }

    /// The client of librdkafka, for questions.
    pub(super) fn client(&self) -> &Client<Context> {
        &self.client
    }

    /// The first offset whose record is not older than a time, in milliseconds; none where there is no such record.
    pub(super) fn offset_at(
        &self,
        place: &TopicPartition,
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Option<i64>> {
        let operation = format!("looking up a time in {place}");
        let (list, code) = in_short_tries(timeout, |wait| {
            let list = offsets(&[Start { place: place.clone(), offset: timestamp_ms }])?;
            // SAFETY: both handles are valid; librdkafka writes the offsets into the list.
            let code = unsafe { rdk::rd_kafka_offsets_for_times(self.client.native_ptr(), list.ptr(), wait) };
            Ok((list, code))
        })?;
        done(&operation, code)?;
        let Some(found) = list.find_partition(&place.topic, place.partition) else { return Ok(None) };
        found.error().map_err(|error| self.refusal(operation, "Describe", &place.topic, &error))?;
        Ok(if let Offset::Offset(offset) = found.offset() { Some(offset) } else { None })
    }

    /// The error of an operation on a topic for which this right is needed.
    pub(super) fn refusal(&self, operation: String, right: &'static str, topic: &str, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                self.client.context().denied(operation, right, What::Topic(topic))
            }
            _ => kafka_error(operation, error),
        }
    }

    /// Adds partitions to those being read.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn add(&self, starts: &[Start]) -> Result<()> {
        if starts.is_empty() {
            return Ok(());
        }
        self.learn_leaders(starts);
        let list = offsets(starts)?;
        self.incremental_assign(&list, "assigning partitions")
    }

    fn incremental_assign(&self, list: &TopicPartitionList, operation: &str) -> Result<()> {
        // SAFETY: both handles are valid; librdkafka copies the list.
        checked(operation, unsafe { rdk::rd_kafka_incremental_assign(self.client.native_ptr(), list.ptr()) })
    }

    fn incremental_unassign(&self, list: &TopicPartitionList, operation: &str) -> Result<()> {
        // SAFETY: both handles are valid; librdkafka copies the list.
        checked(operation, unsafe { rdk::rd_kafka_incremental_unassign(self.client.native_ptr(), list.ptr()) })
    }

    /// librdkafka looks for the leaders of new topics once a second. Asked for beforehand, they are in its cache and
    /// fetching begins at once.
    fn learn_leaders(&self, starts: &[Start]) {
        let new: Vec<&TopicPartition> = {
            let mut known = self.known.lock();
            starts.iter().map(|start| &start.place).filter(|place| known.insert(place.topic.clone())).collect()
        };
        let Some((first, others)) = new.split_first() else { return };
        // The first answer also tells which brokers there are, and librdkafka's threads need a moment to take that in: a
        // question that arrives together with it finds no leader and is not asked again.
        if let Err(error) = self.client.fetch_metadata(Some(&first.topic), LEADERS) {
            log::debug!("the leader of '{}' is not known yet: {error}", first.topic);
        }
        if others.is_empty() {
            return;
        }
        // All others at once. What the leaders answer is not needed, but then they are known.
        let others = others.iter().copied();
        let answered = Question::ask(&self.client, others.clone(), Offset::End, LEADERS)
            .map_or(0, |question| question.wait().len());
        if answered < others.len() {
            log::debug!("{} of {} new topics have no known leader yet", others.len() - answered, others.len());
        }
    }

    /// Stops reading partitions.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn remove(&self, places: &[TopicPartition]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        self.incremental_unassign(&partitions(places), "giving up partitions")
    }

    /// Reads a partition from another offset on. What was fetched beyond it is dropped by librdkafka.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn rewind(&self, start: &Start) -> Result<()> {
        self.remove(std::slice::from_ref(&start.place))?;
        self.add(std::slice::from_ref(start))
    }

    /// [`Consumer::rewind`] for a partition that a group gave us.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn seek(&self, start: &Start, timeout: Duration) -> Result<()> {
        let operation = format!("going back in {}", start.place);
        let list = offsets(std::slice::from_ref(start))?;
        let wait = millis(timeout);
        // SAFETY: both handles are valid; librdkafka writes the outcome of each partition into the list.
        checked(&operation, unsafe { rdk::rd_kafka_seek_partitions(self.client.native_ptr(), list.ptr(), wait) })?;
        list.elements()
            .iter()
            .try_for_each(|element| element.error().map_err(|error| kafka_error(operation.clone(), &error)))
    }

    /// Stops and resumes fetching, without leaving the group or losing the place.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn pause(&self, places: &[TopicPartition], on: bool) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let list = partitions(places);
        let call = if on { rdk::rd_kafka_pause_partitions } else { rdk::rd_kafka_resume_partitions };
        // SAFETY: both handles are valid; librdkafka writes the outcome of each partition into the list.
        done("pausing partitions", unsafe { call(self.client.native_ptr(), list.ptr()) })
    }

    /// Where a partition ended when its broker last answered a fetch; `None` before it has. Nothing is asked for it.
    #[must_use]
    pub fn end_of(&self, place: &TopicPartition) -> Option<i64> {
        self.marks_of(place).1
    }

    /// Where a partition began and ended when its broker last answered a fetch.
    #[must_use]
    pub fn marks_of(&self, place: &TopicPartition) -> (Option<i64>, Option<i64>) {
        let Ok(topic) = CString::new(&*place.topic) else { return (None, None) };
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the handle and the name are valid; librdkafka writes both offsets from what it remembers.
        let code = unsafe {
            let client = self.client.native_ptr();
            rdk::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), place.partition, &mut low, &mut high)
        };
        let known = |offset| (code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && offset >= 0).then_some(offset);
        (known(low), known(high))
    }

    /// Joins the group for these topics.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn subscribe(&self, topics: &[&str]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(topics.len());
        for topic in topics {
            list.add_topic_unassigned(topic);
        }
        // SAFETY: both handles are valid; librdkafka copies the list.
        done("joining the group", unsafe { rdk::rd_kafka_subscribe(self.client.native_ptr(), list.ptr()) })
    }

    /// What the group has stored for these partitions; `None` where it has nothing.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the coordinator refuses or does not answer.
    pub fn committed(
        &self,
        places: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, Option<i64>)>> {
        let operation = "reading the group's offsets";
        let (list, code) = in_short_tries(timeout, |wait| {
            let list = partitions(places);
            // SAFETY: both handles are valid; librdkafka writes the offsets into the list.
            let code = unsafe { rdk::rd_kafka_committed(self.client.native_ptr(), list.ptr(), wait) };
            Ok((list, code))
        })?;
        self.done_by_group(operation, code)?;
        list.elements()
            .iter()
            .map(|element| {
                let failed = |error| self.refusal(operation.into(), "Read", element.topic(), &error);
                element.error().map_err(failed)?;
                let offset = match element.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                };
                Ok((TopicPartition::new(element.topic(), element.partition()), offset))
            })
            .collect()
    }

    /// [`done`], of something that the group's coordinator was asked for.
    fn done_by_group(&self, operation: &str, code: RDKafkaRespErr) -> Result<()> {
        match (code, &self.group) {
            (RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, Some(group)) => {
                Err(self.client.context().denied(operation, "Read", What::Group(group)))
            }
            _ => done(operation, code),
        }
    }

    /// Takes partitions that the group assigned, from these offsets.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn take(&self, starts: &[Start]) -> Result<()> {
        let list = offsets(starts)?;
        let operation = "taking the group's partitions";
        if self.is_cooperative() {
            return self.incremental_assign(&list, operation);
        }
        // SAFETY: both handles are valid; librdkafka copies the list.
        done(operation, unsafe { rdk::rd_kafka_assign(self.client.native_ptr(), list.ptr()) })
    }

    /// Lets go of partitions that the group took away.
    ///
    /// # Errors
    /// [`Error::Kafka`] when librdkafka refuses.
    pub fn release(&self, places: &[TopicPartition]) -> Result<()> {
        let operation = "letting go of the group's partitions";
        if self.is_cooperative() {
            return self.incremental_unassign(&partitions(places), operation);
        }
        // SAFETY: the handle is valid; no list means no partitions.
        done(operation, unsafe { rdk::rd_kafka_assign(self.client.native_ptr(), std::ptr::null()) })
    }

    /// Whether the group's members hand over single partitions, instead of all of them at every rebalance.
    fn is_cooperative(&self) -> bool {
        // SAFETY: the handle is valid; the name is one of librdkafka's constants, or null.
        unsafe { text(rdk::rd_kafka_rebalance_protocol(self.client.native_ptr())) == "COOPERATIVE" }
    }

    /// Remembers that everything below an offset was handled; committed once a second and when the consumer closes. False
    /// for a partition that is not ours: nothing is remembered, whoever has it now keeps its own books.
    ///
    /// # Errors
    /// [`Error::Kafka`] for a place that cannot be.
    pub fn store(&self, place: &TopicPartition, next_offset: i64) -> Result<bool> {
        let start = Start { place: place.clone(), offset: next_offset };
        let list = offsets(std::slice::from_ref(&start))?;
        // SAFETY: both handles are valid; librdkafka writes the outcome of each partition into the list.
        match unsafe { rdk::rd_kafka_offsets_store(self.client.native_ptr(), list.ptr()) } {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__STATE => Ok(false),
            code => done(&format!("storing the offset of {place}"), code).map(|()| true),
        }
    }

    /// Goes back behind an offset that was stored or committed before: what follows is to be handled again after a
    /// restart. Storing alone would not do, because librdkafka commits only what lies further on.
    ///
    /// # Errors
    /// [`Error::Kafka`] for a place that cannot be.
    pub fn take_back(&self, start: &Start) -> Result<()> {
        if !self.store(&start.place, start.offset)? {
            return Ok(());
        }
        let list = offsets(std::slice::from_ref(start))?;
        // SAFETY: both handles are valid; librdkafka copies the list and, by the last argument, does not wait.
        let code = unsafe { rdk::rd_kafka_commit(self.client.native_ptr(), list.ptr(), 1) };
        done(&format!("committing an earlier offset of {}", start.place), code)
    }

    /// Commits what is stored, and waits for the answer. librdkafka's own wait takes as long as the session time-out
    /// when the coordinator is away, whatever the caller's deadline.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is no answer in this time; librdkafka goes on trying for a while.
    /// [`Error::Kafka`] when the coordinator refuses.
    pub fn commit(&self, timeout: Duration) -> Result<()> {
        let failed = |code: RDKafkaRespErr| match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__NO_OFFSET => Ok(()),
            code => self.done_by_group("committing the group's offsets", code),
        };
        let client = self.client.native_ptr();
        // SAFETY: the handle is valid while self lives, and the queue goes at the end of this function.
        let answers = unsafe { Queue::new(client) };
        // SAFETY: both handles are valid; a null list means what is stored, and no callback means an event on the queue.
        failed(unsafe { rdk::rd_kafka_commit_queue(client, std::ptr::null(), answers.0, None, std::ptr::null_mut()) })?;
        let wait = millis(timeout);
        // SAFETY: the queue is valid; the event, if any, is released by EventPtr::drop.
        let event = unsafe { rdk::rd_kafka_queue_poll(answers.0, wait) };
        if event.is_null() {
            return Err(Error::Timeout { what: "committing the group's offsets".into(), waited: timeout });
        }
        let event = EventPtr(event);
        // SAFETY: the event is valid until EventPtr is dropped.
        failed(unsafe { rdk::rd_kafka_event_error(event.0) })
    }

    /// Waits up to `timeout` for the first event, then takes what is there, at most `most` events. Returns how many.
    pub fn poll(&self, timeout: Duration, most: usize, sink: &mut dyn FnMut(Event<'_>)) -> usize {
        self.hear(sink);
        let mut count = 0;
        let mut wait = millis(timeout);
        while count < most {
            // SAFETY: the queue is valid while self lives.
            let event = unsafe { rdk::rd_kafka_queue_poll(self.queue.0, wait) };
            if event.is_null() {
                break;
            }
            wait = 0;
            count += self.handle(&EventPtr(event), sink);
            if self.group.is_none() {
                count += self.take_batches(most.saturating_sub(count), sink);
            }
        }
        count
    }

    /// Takes in errors and statistics, without a record. [`Consumer::poll`] does that too; whoever does not poll for long
    /// calls this meanwhile. Of a member of a group, which has to poll anyhow, there is nothing to hear.
    pub fn hear(&self, sink: &mut dyn FnMut(Event<'_>)) {
        self.lifeline.look(&self.client);
        let Some(words) = &self.words else { return };
        loop {
            // SAFETY: the queue is valid while self lives.
            let event = unsafe { rdk::rd_kafka_queue_poll(words.0, 0) };
            if event.is_null() {
                return;
            }
            self.handle(&EventPtr(event), sink);
        }
    }

    /// Ends a [`Consumer::poll`] that waits on another thread, or the next one.
    pub fn wake(&self) {
        // SAFETY: the queue is valid while self lives, and may be told so from any thread.
        unsafe { rdk::rd_kafka_queue_yield(self.queue.0) }
    }

    /// Takes the messages that are there. librdkafka hands out a batch with less work than as many events.
    fn take_batches(&self, most: usize, sink: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut messages: [*mut rdk::rd_kafka_message_t; BATCH] = [std::ptr::null_mut(); BATCH];
        let mut count = 0;
        while count < most {
            let wanted = BATCH.min(most - count);
            // SAFETY: the queue is valid while self lives, and there is room for as many pointers as are asked for.
            let found = unsafe { rdk::rd_kafka_consume_batch_queue(self.queue.0, 0, messages.as_mut_ptr(), wanted) };
            let Some(found) = usize::try_from(found).ok().filter(|found| *found > 0) else { break };
            let batch = MessagePtrs(&messages[..found]);
            let mut topic = (std::ptr::null_mut(), "");
            for message in batch.0 {
                // SAFETY: the messages are valid until `batch` is dropped, and so are the names of their topics.
                unsafe {
                    let message = &**message;
                    // Nearly always that of the message before.
                    if message.rkt != topic.0 {
                        topic = (message.rkt, topic_of(message));
                    }
                    self.deliver(message, topic.1, sink);
                }
            }
            count += found;
            if found < wanted {
                break;
            }
        }
        count
    }

    fn handle(&self, event: &EventPtr, sink: &mut dyn FnMut(Event<'_>)) -> usize {
        // SAFETY: the event is valid until EventPtr is dropped; the accessors used for each type are the documented ones.
        unsafe {
            match rdk::rd_kafka_event_type(event.0) {
                rdk::RD_KAFKA_EVENT_FETCH => {
                    let mut count = 0;
                    loop {
                        let message = rdk::rd_kafka_event_message_next(event.0);
                        if message.is_null() {
                            return count;
                        }
                        count += 1;
                        self.deliver(&*message, topic_of(&*message), sink);
                    }
                }
                rdk::RD_KAFKA_EVENT_ERROR => {
                    let code = rdk::rd_kafka_event_error(event.0);
                    let fatal = rdk::rd_kafka_event_error_is_fatal(event.0) != 0;
                    let place = rdk::rd_kafka_event_topic_partition(event.0);
                    if !place.is_null() && !fatal {
                        let topic = text((*place).topic);
                        match code {
                            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                                sink(Event::End { topic, partition: (*place).partition, offset: (*place).offset });
                            }
                            _ => self.report_of(code, topic, sink),
                        }
                    } else if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF {
                        self.report(code, text(rdk::rd_kafka_event_error_string(event.0)).to_string(), fatal, sink);
                    }
                    if !place.is_null() {
                        rdk::rd_kafka_topic_partition_destroy(place);
                    }
                    1
                }
                rdk::RD_KAFKA_EVENT_REBALANCE => {
                    let places = list(rdk::rd_kafka_event_topic_partition_list(event.0));
                    match rdk::rd_kafka_event_error(event.0) {
                        RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => sink(Event::Assigned(places)),
                        _ => sink(Event::Revoked(places)),
                    }
                    1
                }
                rdk::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                    let code = rdk::rd_kafka_event_error(event.0);
                    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
                        && code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__NO_OFFSET
                    {
                        log::warn!("offsets were not committed: {}", text(rdk::rd_kafka_err2str(code)));
                    }
                    0
                }
                rdk::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (std::ptr::null(), std::ptr::null(), 0);
                    if rdk::rd_kafka_event_log(event.0, &mut facility, &mut line, &mut level) == 0 {
                        self.client.context().log(log_level(level), text(facility).trim(), text(line).trim());
                    }
                    0
                }
                rdk::RD_KAFKA_EVENT_STATS => {
                    let json = rdk::rd_kafka_event_stats(event.0);
                    if !json.is_null() {
                        self.client.context().stats_raw(CStr::from_ptr(json).to_bytes());
                    }
                    0
                }
                _ => 0,
            }
        }
    }

    fn report(&self, code: RDKafkaRespErr, reason: String, fatal: bool, sink: &mut dyn FnMut(Event<'_>)) {
        let error = KafkaError::MessageConsumption(code.into());
        // Remembered and passed on to the log there, once.
        self.client.context().error(error.clone(), &reason);
        let error = match (code, &self.group) {
            (RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, Some(group)) => {
                self.client.context().denied("reading", "Read", What::Group(group))
            }
            _ => {
                let Error::Kafka { code, retriable, .. } = kafka_error(String::new(), &error) else { return };
                Error::Kafka { operation: "reading".into(), reason, code, retriable }
            }
        };
        sink(Event::Error { error, topic: None, fatal });
    }

    /// Something is wrong with one topic.
    fn report_of(&self, code: RDKafkaRespErr, topic: &str, sink: &mut dyn FnMut(Event<'_>)) {
        let error = KafkaError::MessageConsumption(code.into());
        let error = self.refusal(format!("reading topic '{topic}'"), "Read", topic, &error);
        sink(Event::Error { error, topic: Some(topic.to_string()), fatal: false });
    }

    /// SAFETY contract: `message` is a valid message that outlives the call, and `topic` is its topic.
    unsafe fn deliver(&self, message: &rdk::rd_kafka_message_t, topic: &str, sink: &mut dyn FnMut(Event<'_>)) {
        // SAFETY: by the contract of this function, all pointers of the message are valid for their stated lengths; the
        // payload of an error is its text.
        unsafe {
            match message.err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                    sink(Event::End { topic, partition: message.partition, offset: message.offset });
                    return;
                }
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__FATAL => {
                    let reason = text(rdk::rd_kafka_message_errstr(message)).to_string();
                    self.report(message.err, reason, true, sink);
                    return;
                }
                code if topic.is_empty() => {
                    let reason = text(rdk::rd_kafka_message_errstr(message)).to_string();
                    self.report(code, reason, false, sink);
                    return;
                }
                code => {
                    self.report_of(code, topic, sink);
                    return;
                }
            }
            let mut kind = rdk::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp_ms = rdk::rd_kafka_message_timestamp(message, &mut kind);
            sink(Event::Message(Message {
                topic,
                partition: message.partition,
                offset: message.offset,
                timestamp_ms,
                key: bytes(message.key, message.key_len),
                value: bytes(message.payload, message.len),
            }));
        }
    }

    /// What its client is heard of.
    pub(crate) fn context(&self) -> &Context {
        self.client.context()
    }

    /// The last problem with the connection, in words.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.client.context().problem().map(|problem| problem.reason)
    }
}

/// SAFETY contract: librdkafka calls it with no client, or one whose opaque is its [`Context`], and with texts.
unsafe extern "C" fn on_log(
    client: *const rdk::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if client.is_null() {
        return;
    }
    // SAFETY: by the contract of this function.
    unsafe {
        if let Some(context) = rdk::rd_kafka_opaque(client).cast::<Context>().as_ref() {
            context.log(log_level(level), text(facility).trim(), text(line).trim());
        }
    }
}

/// SAFETY contract: as [`on_log`].
unsafe extern "C" fn on_error(_: *mut rdk::rd_kafka_t, code: c_int, reason: *const c_char, context: *mut c_void) {
    // SAFETY: by the contract of this function.
    unsafe {
        if let (Some(context), Ok(code)) = (context.cast::<Context>().as_ref(), RDKafkaRespErr::try_from(code)) {
            context.error(KafkaError::MessageConsumption(code.into()), text(reason));
        }
    }
}

/// SAFETY contract: as [`on_log`], with as many bytes as `length` says. Returning 0 leaves them to librdkafka.
unsafe extern "C" fn on_statistics(
    _: *mut rdk::rd_kafka_t,
    json: *mut c_char,
    length: usize,
    context: *mut c_void,
) -> c_int {
    // SAFETY: by the contract of this function.
    unsafe {
        if let (Some(context), Some(json)) = (context.cast::<Context>().as_ref(), bytes(json.cast(), length)) {
            context.stats_raw(json);
        }
    }
    0
}

pub(super) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// Asks in short tries, so that it can be called off, until there is an answer or the time is over.
fn in_short_tries(
    timeout: Duration,
    ask: impl Fn(c_int) -> Result<(TopicPartitionList, RDKafkaRespErr)>,
) -> Result<(TopicPartitionList, RDKafkaRespErr)> {
    let begin = Instant::now();
    loop {
        let left = timeout.saturating_sub(begin.elapsed()).max(Duration::from_millis(100));
        let (list, code) = ask(millis(left.min(ONE_TRY)))?;
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT || begin.elapsed() >= timeout {
            return Ok((list, code));
        }
        wanted_still()?;
    }
}

fn done(operation: &str, code: RDKafkaRespErr) -> Result<()> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code_error(operation.into(), code.into())),
    }
}

/// [`done`] for the calls that answer with an error object of their own, which is destroyed here.
fn checked(operation: &str, error: *mut rdk::rd_kafka_error_t) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error came from librdkafka, is not null, and is destroyed once, after its last use.
    unsafe {
        let code = rdk::rd_kafka_error_code(error);
        rdk::rd_kafka_error_destroy(error);
        done(operation, code)
    }
}

/// The topic of a message; empty for errors that are about none.
///
/// SAFETY contract: `message` is a valid message.
unsafe fn topic_of(message: &rdk::rd_kafka_message_t) -> &str {
    // SAFETY: by the contract of this function: a message keeps its topic, and the topic its name.
    if message.rkt.is_null() { "" } else { unsafe { text(rdk::rd_kafka_topic_name(message.rkt)) } }
}

/// SAFETY contract: `data` is null or valid for `length` bytes for the lifetime chosen by the caller.
unsafe fn bytes<'a>(data: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the contract of this function.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) })
}

/// SAFETY contract: `data` is null or a zero-terminated text that lives for the lifetime chosen by the caller.
pub(super) unsafe fn text<'a>(data: *const std::ffi::c_char) -> &'a str {
    if data.is_null() {
        return "";
    }
    // SAFETY: by the contract of this function.
    unsafe { CStr::from_ptr(data) }.to_str().unwrap_or("")
}

/// SAFETY contract: `list` is null or a valid list of librdkafka.
unsafe fn list(list: *mut rdk::rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract of this function, `elems` has `cnt` entries.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count).map(|i| &*(*list).elems.add(i)).map(|e| TopicPartition::new(text(e.topic), e.partition)).collect()
    }
}

/// librdkafka's numbers are those of syslog.
fn log_level(number: i32) -> RDKafkaLogLevel {
    match number {
        ..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}

fn partitions(places: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for place in places {
        list.add_partition(&place.topic, place.partition);
    }
    list
}

fn offsets(starts: &[Start]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(starts.len());
    for start in starts {
        list.add_partition_offset(&start.place.topic, start.place.partition, Offset::Offset(start.offset))
            .map_err(|error| kafka_error(format!("offset {} of {}", start.offset, start.place), &error))?;
    }
    Ok(list)
}
