//! Settings of many topics in one question to a broker.
//!
//! rdkafka asks this through a client of its own with threads of its own. librdkafka's call takes any client's handle, and
//! does not block whoever asks.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::time::Duration;

use rdkafka::bindings as rdk;
use rdkafka::client::Client;
use rdkafka::types::RDKafkaRespErr;

use super::consumer::{EventPtr, Queue, millis, text};
use super::context::Context;

/// The settings of a topic, by Kafka's names.
pub type TopicSettings = BTreeMap<String, String>;

/// A question that is under way.
pub struct SettingsQuestion<'a> {
    queue: Queue,
    /// The queue has to go before the client.
    client: PhantomData<&'a Client<Context>>,
}

impl std::fmt::Debug for SettingsQuestion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SettingsQuestion")
    }
}

impl<'a> SettingsQuestion<'a> {
    /// Asks for the settings of these topics.
    pub(super) fn ask<'t>(
        client: &'a Client<Context>,
        topics: impl IntoIterator<Item = &'t str>,
        timeout: Duration,
    ) -> Self {
        let names: Vec<CString> = topics.into_iter().filter_map(|name| CString::new(name).ok()).collect();
        let mut reason: [c_char; 200] = [0; 200];
        // SAFETY: the client's handle is valid while `client` is borrowed. The options and the resources are released here,
        // once, after their last use, and the queue by Queue::drop, which comes before the client goes. librdkafka copies
        // options and resources, and writes no more into `reason` than its length, with a zero behind it.
        let queue = unsafe {
            let rk = client.native_ptr();
            let queue = Queue::new(rk);
            let options =
                rdk::rd_kafka_AdminOptions_new(rk, rdk::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
            rdk::rd_kafka_AdminOptions_set_request_timeout(options, millis(timeout), reason.as_mut_ptr(), reason.len());
            let kind = rdk::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let mut resources: Vec<_> =
                names.iter().map(|name| rdk::rd_kafka_ConfigResource_new(kind, name.as_ptr())).collect();
            rdk::rd_kafka_DescribeConfigs(rk, resources.as_mut_ptr(), resources.len(), options, queue.0);
            rdk::rd_kafka_ConfigResource_destroy_array(resources.as_mut_ptr(), resources.len());
            rdk::rd_kafka_AdminOptions_destroy(options);
            queue
        };
        Self { queue, client: PhantomData }
    }

    /// Waits at most so long for the answer; `None` while there is none. Topics that the broker says nothing about (they
    /// do not exist, or we may not ask) are not in it.
    pub fn answer(&self, timeout: Duration) -> Option<HashMap<String, TopicSettings>> {
        // SAFETY: the queue is valid while self lives; the event, if any, is released by EventPtr::drop.
        let event = unsafe { rdk::rd_kafka_queue_poll(self.queue.0, millis(timeout)) };
        if event.is_null() {
            return None;
        }
        let event = EventPtr(event);
        let mut found = HashMap::new();
        // SAFETY: the event lives until the end of this function, and with it the result, its resources and their entries,
        // of which there are as many as the counts say; the accessor gives null for an event of another type.
        unsafe {
            let result = rdk::rd_kafka_event_DescribeConfigs_result(event.0);
            if rdk::rd_kafka_event_error(event.0) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || result.is_null() {
                log::debug!("asking for settings of topics: {}", text(rdk::rd_kafka_event_error_string(event.0)));
                return Some(found);
            }
            let mut count = 0;
            let resources = rdk::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            for i in 0..count {
                let resource = *resources.add(i);
                let name = text(rdk::rd_kafka_ConfigResource_name(resource)).to_string();
                if rdk::rd_kafka_ConfigResource_error(resource) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    let reason = text(rdk::rd_kafka_ConfigResource_error_string(resource));
                    log::debug!("asking for settings of topic '{name}': {reason}");
                    continue;
                }
                let mut settings = TopicSettings::new();
                let mut many = 0;
                let entries = rdk::rd_kafka_ConfigResource_configs(resource, &mut many);
                for j in 0..many {
                    let entry = *entries.add(j);
                    let key = text(rdk::rd_kafka_ConfigEntry_name(entry));
                    settings.insert(key.to_string(), text(rdk::rd_kafka_ConfigEntry_value(entry)).to_string());
                }
                found.insert(name, settings);
            }
        }
        Some(found)
    }
}
