//! The topics of a broker: names, ids, partitions, settings.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::configs::{Given, Rules};
use super::partition::Partition;
use super::refusal::Refusal;
use crate::error::Printable;
use crate::sync::RwLock;

const LONGEST_NAME: usize = 249;

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, which no other topic has, not even a later one of the same name.
    pub id: Uuid,
    partitions: RwLock<Vec<Arc<Partition>>>,
    settings: RwLock<(Given, Rules)>,
}

impl Topic {
    /// A topic of these partitions.
    pub(super) fn new(name: &str, id: Uuid, partitions: Vec<Arc<Partition>>, given: Given, rules: Rules) -> Self {
        let (partitions, settings) = (RwLock::new(partitions), RwLock::new((given, rules)));
        Self { name: name.to_owned(), id, partitions, settings }
    }

    /// The name as messages carry it.
    pub(super) fn wire_name(&self) -> TopicName {
        TopicName(StrBytes::from_string(self.name.clone()))
    }

    /// The partition of that number.
    pub(super) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        usize::try_from(index).ok().and_then(|at| self.partitions.read().get(at).cloned())
    }

    /// All partitions in order.
    pub(super) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().clone()
    }

    /// How many partitions there are.
    pub(super) fn partition_count(&self) -> usize {
        self.partitions.read().len()
    }

    /// Adds partitions behind the others.
    pub(super) fn extend(&self, more: Vec<Arc<Partition>>) {
        self.partitions.write().extend(more);
    }

    /// The settings that were given a value.
    pub(super) fn given(&self) -> Given {
        self.settings.read().0.clone()
    }

    /// What the settings mean.
    pub(super) fn rules(&self) -> Rules {
        self.settings.read().1
    }

    /// Replaces the settings.
    pub(super) fn configure(&self, given: Given, rules: Rules) {
        *self.settings.write() = (given, rules);
        for partition in self.partitions.read().iter() {
            partition.set_segment_bytes(rules.segment_bytes);
        }
    }
}

/// All topics, by name and by id.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Registry {
    /// The topic of that name.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic of that id.
    pub(super) fn with_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// How many topics there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Adds a topic whose name was found to be free.
    pub(super) fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    /// Takes a topic out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.by_name.remove(name)?;
        self.by_id.remove(&topic.id);
        Some(topic)
    }

    /// Whether a new topic may have this name.
    pub(super) fn check_free(&self, name: &str) -> Result<(), Refusal> {
        check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(Refusal::new(ResponseError::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        let folded = name.replace('.', "_");
        if let Some(other) = self.by_name.keys().find(|other| other.replace('.', "_") == folded) {
            let text = format!("Topic '{name}' collides with existing topic: {other} ('.' and '_' count as equal)");
            return Err(Refusal::new(ResponseError::InvalidTopicException, text));
        }
        Ok(())
    }
}

/// Kafka's rule for the names of topics.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if name.is_empty() {
        "the empty string is not allowed"
    } else if name == "." || name == ".." {
        "'.' and '..' are not allowed"
    } else if name.len() > LONGEST_NAME {
        "the length exceeds 249 characters"
    } else if !name.chars().all(legal) {
        "only ASCII letters, digits, '.', '_' and '-' are allowed"
    } else {
        return Ok(());
    };
    let text = format!("Topic name '{}' is invalid: {reason}", Printable(name));
    Err(Refusal::new(ResponseError::InvalidTopicException, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn topic(name: &str) -> Arc<Topic> {
        let rules = Rules::new(&Given::new(), None);
        Arc::new(Topic::new(name, Uuid::new_v4(), Vec::new(), Given::new(), rules))
    }

    #[test]
    fn names_follow_kafkas_rules() {
        for good in ["a", "Monza.FP1_essential-2", &"x".repeat(249)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert_eq!(check_name(bad).unwrap_err().error, ResponseError::InvalidTopicException, "{bad}");
        }
    }

    #[test]
    fn names_that_differ_only_in_dot_and_underscore_collide() {
        let mut registry = Registry::default();
        registry.insert(topic("a.b_c"));
        assert_eq!(registry.check_free("a.b_c").unwrap_err().error, ResponseError::TopicAlreadyExists);
        let refusal = registry.check_free("a_b.c").unwrap_err();
        assert_eq!(refusal.error, ResponseError::InvalidTopicException);
        assert!(refusal.message.contains("a.b_c"));
        assert!(registry.check_free("a-b_c").is_ok());
    }

    #[test]
    fn a_removed_topic_is_gone_by_name_and_id() {
        let mut registry = Registry::default();
        let kept = topic("t");
        registry.insert(Arc::clone(&kept));
        assert!(registry.with_id(kept.id).is_some());
        registry.remove("t");
        assert!(registry.named("t").is_none() && registry.with_id(kept.id).is_none());
    }
}
