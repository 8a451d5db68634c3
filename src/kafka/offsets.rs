//! Offsets of many partitions in one question to each broker that leads some of them.
//!
//! rdkafka asks for the ends of one partition at a time, each question after the answer to the one before. The admin call
//! of librdkafka behind this file takes a list, finds all leaders in one request, and does not block whoever asks.

use std::collections::HashMap;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::TopicPartition;
use super::consumer::{EventPtr, Queue, millis, text};
use super::context::Context;
use crate::interrupt;

/// How often a wait asks whether it was called off.
const TURN: Duration = Duration::from_millis(50);

/// A question that is under way. Several may be, and they are answered side by side.
pub(super) struct Question<'a> {
    queue: Queue,
    until: Instant,
    /// The queue has to go before the client.
    client: PhantomData<&'a Client<Context>>,
}

impl<'a> Question<'a> {
    /// Asks for an offset of each partition, none of them twice: the first ([`Offset::Beginning`]), the one after the last
    /// ([`Offset::End`], open transactions included), or that of the first record not older than a time in milliseconds
    /// ([`Offset::Offset`]).
    pub(super) fn ask<'p>(
        client: &'a Client<Context>,
        places: impl IntoIterator<Item = &'p TopicPartition>,
        wanted: Offset,
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        let mut list = TopicPartitionList::new();
        for place in places {
            list.add_partition_offset(&place.topic, place.partition, wanted)?;
        }
        let mut reason: [c_char; 200] = [0; 200];
        // SAFETY: the client's handle is valid while `client` is borrowed; the options are released here, once, after their
        // last use, and the new queue by Queue::drop, which comes before the client goes. librdkafka copies list and
        // options, and writes no more into `reason` than its length, with a zero behind it.
        let queue = unsafe {
            let rk = client.native_ptr();
            let queue = Queue::new(rk);
            let options = rdk::rd_kafka_AdminOptions_new(rk, rdk::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS);
            let wait = millis(timeout);
            let code = rdk::rd_kafka_AdminOptions_set_request_timeout(options, wait, reason.as_mut_ptr(), reason.len());
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                log::debug!("asking for offsets: {}", CStr::from_ptr(reason.as_ptr()).to_string_lossy());
            }
            rdk::rd_kafka_ListOffsets(rk, list.ptr(), options, queue.0);
            rdk::rd_kafka_AdminOptions_destroy(options);
            queue
        };
        Ok(Self { queue, until: Instant::now() + timeout, client: PhantomData })
    }

    /// The offsets of the partitions that were answered in time; -1 where no record is as young as the time asked for.
    pub(super) fn wait(self) -> HashMap<TopicPartition, i64> {
        let event = loop {
            let left = self.until.saturating_duration_since(Instant::now());
            // SAFETY: the queue is valid while self lives; the event, if any, is released by EventPtr::drop.
            let event = unsafe { rdk::rd_kafka_queue_poll(self.queue.0, millis(left.min(TURN))) };
            if !event.is_null() {
                break EventPtr(event);
            }
            if left.is_zero() || interrupt::requested() {
                return HashMap::new();
            }
        };
        let mut found = HashMap::new();
        // SAFETY: the event lives until the end of this function, and with it the result and all of its entries, of which
        // there are as many as `count` says; the accessor gives null for an event of another type.
        unsafe {
            let code = rdk::rd_kafka_event_error(event.0);
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                log::debug!("asking for offsets: {}", text(rdk::rd_kafka_event_error_string(event.0)));
            }
            let result = rdk::rd_kafka_event_ListOffsets_result(event.0);
            if result.is_null() {
                return found;
            }
            let mut count = 0;
            let entries = rdk::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for i in 0..count {
                let entry = &*rdk::rd_kafka_ListOffsetsResultInfo_topic_partition(*entries.add(i));
                // A partition whose leader did not answer keeps an offset further below.
                if entry.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && entry.offset >= -1 {
                    found.insert(TopicPartition::new(text(entry.topic), entry.partition), entry.offset);
                }
            }
        }
        found
    }
}
