//! The client of both brokers: librdkafka through its functions for many records at a time, which cost the least per
//! record.

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::bindings as rdk;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

const DEADLINE: Duration = Duration::from_secs(120);
/// Records per call of librdkafka.
const AT_ONCE: usize = 1000;

/// Counts the records that were not stored; librdkafka is told to report no others.
#[derive(Default)]
struct Failures(Arc<AtomicUsize>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Producer and admin client of one broker.
pub(crate) struct Client {
    address: String,
    admin: AdminClient<DefaultClientContext>,
    producer: BaseProducer<Failures>,
    failures: Arc<AtomicUsize>,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let failures = Failures::default();
        let counted = Arc::clone(&failures.0);
        let producer = config(address)
            .set("acks", "all")
            .set("compression.type", "none")
            .set("linger.ms", "5")
            .set("batch.size", "1000000")
            // A round's records all fit.
            .set("queue.buffering.max.messages", "2000000")
            .set("queue.buffering.max.kbytes", "2097151")
            .set("delivery.report.only.error", "true")
            .create_with_context(failures)
            .unwrap();
        Self { address: address.to_owned(), admin: config(address).create().unwrap(), producer, failures: counted }
    }

    /// Creates a topic of one partition. A name is for one process only.
    pub(crate) fn new_topic(&self, name: &str) -> String {
        let name = format!("{name}-{}", uuid::Uuid::new_v4());
        let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
        let made = block_on(self.admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        assert_eq!(made, [Ok(name.clone())]);
        // The producer learns of the topic now, not while the clock runs.
        self.producer.client().fetch_metadata(Some(&name), DEADLINE).unwrap();
        name
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        block_on(self.admin.delete_topics(&[name], &AdminOptions::new())).unwrap();
    }

    /// Writes `count` records of `size` bytes and waits until all are acknowledged.
    pub(crate) fn produce(&self, topic: &str, size: usize, count: usize) {
        let value = incompressible(size);
        let name = CString::new(topic).unwrap();
        let client = self.producer.client().native_ptr();
        // SAFETY: the client outlives the topic, which is destroyed below.
        let topic = unsafe { rdk::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        assert!(!topic.is_null());
        let mut sent = 0;
        while sent < count {
            let many = AT_ONCE.min(count - sent);
            // SAFETY: a message of zeros is one without key and payload, as librdkafka's own clients begin.
            let mut messages = vec![unsafe { std::mem::zeroed::<rdk::rd_kafka_message_t>() }; many];
            for message in &mut messages {
                (message.payload, message.len) = (value.as_ptr().cast_mut().cast(), size);
            }
            // SAFETY: librdkafka neither copies nor frees the value nor writes into it, for the flags are 0; the value
            // outlives the flush below, after which nothing points to it.
            let taken = unsafe {
                rdk::rd_kafka_produce_batch(topic, 0, 0, messages.as_mut_ptr(), i32::try_from(many).unwrap())
            };
            assert_eq!(usize::try_from(taken), Ok(many), "the producer's queue holds a whole round");
            sent += many;
        }
        // SAFETY: made above and not used from here on; the records in flight hold references of their own.
        unsafe { rdk::rd_kafka_topic_destroy(topic) };
        // rdkafka's own flush looks for reports every 100 ms, and here there are none while all goes well.
        // SAFETY: the client is alive.
        let flushed = unsafe { rdk::rd_kafka_flush(client, i32::try_from(DEADLINE.as_millis()).unwrap()) };
        self.producer.poll(Duration::ZERO);
        assert_eq!(flushed, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_eq!(self.failures.load(Ordering::Relaxed), 0, "records were not stored");
    }

    /// A consumer that is connected and knows the topic: finding that out is no throughput.
    pub(crate) fn reader(&self, topic: &str) -> Reader {
        let consumer: BaseConsumer = config(&self.address)
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            // librdkafka's defaults sleep for a second whenever 100,000 messages wait: the faster the broker, the more
            // often. That would measure the sleep.
            .set("queued.min.messages", "1000000")
            .set("fetch.queue.backoff.ms", "1")
            .create()
            .unwrap();
        consumer.fetch_watermarks(topic, 0, DEADLINE).unwrap();
        Reader { consumer, topic: topic.to_owned() }
    }
}

/// Reads one topic once.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topic: String,
}

impl Reader {
    /// Reads `count` records of `size` bytes from the beginning.
    pub(crate) fn consume(&self, size: usize, count: usize) {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(&self.topic, 0, Offset::Beginning).unwrap();
        self.consumer.assign(&partitions).unwrap();
        // SAFETY: the client is alive; the queue is destroyed below.
        let queue = unsafe { rdk::rd_kafka_queue_get_consumer(self.consumer.client().native_ptr()) };
        let mut messages = [ptr::null_mut(); AT_ONCE];
        let (mut read, end) = (0, Instant::now() + DEADLINE);
        while read < count {
            assert!(Instant::now() < end, "{read} of {count} records within {DEADLINE:?}");
            // It waits until it has as many as were asked for, so the last call asks for the rest only.
            let wanted = AT_ONCE.min(count - read);
            // SAFETY: there is room for as many messages; each pointer it writes is a message that is ours to destroy.
            let found = unsafe { rdk::rd_kafka_consume_batch_queue(queue, 1000, messages.as_mut_ptr(), wanted) };
            let found = usize::try_from(found).expect("the consumer works");
            for message in &messages[..found] {
                // SAFETY: one of the messages above, which is destroyed once and not used again.
                unsafe {
                    assert_eq!((**message).err, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
                    assert_eq!((**message).len, size);
                    rdk::rd_kafka_message_destroy(*message);
                }
            }
            read += found;
        }
        // SAFETY: taken above and not used from here on.
        unsafe { rdk::rd_kafka_queue_destroy(queue) };
    }
}

fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    config
}

/// Bytes without a pattern. Nothing compresses here; they are so that nothing below the brokers can either.
fn incompressible(size: usize) -> Vec<u8> {
    std::iter::repeat_with(|| *uuid::Uuid::new_v4().as_bytes()).flatten().take(size).collect()
}
