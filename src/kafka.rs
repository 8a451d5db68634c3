//! The only floor that talks to a broker: settings, topics and watermarks, the producer, the consumer.
//!
//! librdkafka does the protocol. What is ours is how it is configured, what becomes of its errors, and the two places
//! where its events enter the house: [`consumer`] and [`producer`].

pub mod admin;
mod certificate;
pub mod config;
pub mod consumer;
mod context;
mod lifeline;
mod offsets;
mod pem;
pub mod producer;
pub mod topic_settings;

pub use admin::{Admin, Seen};
pub use config::{Security, Settings};
pub use consumer::{Consumer, Event, Start};
pub use context::{Statistics, Trouble};
pub use producer::{Fate, Origin, Outbox, OutboxHealth, Outcome, Ticket, WriteCounts, Written};

use std::fmt;
use std::sync::Arc;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic, self.partition)
    }
}
