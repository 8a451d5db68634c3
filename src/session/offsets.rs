//! Offsets of a session by topic and partition, kept small: a client remembers every session of its broker.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::topic::Layout;

/// Offsets by topic and partition, in the order of both.
///
/// It reads like a `BTreeMap<(Arc<str>, i32), i64>`. A map costs half a kilobyte from its first entry on, this one
/// 32 bytes for each; and sessions of one table share the names of their topics.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Offsets(Box<[Row]>);

/// Topic and partition, and the offset there.
type Row = ((Arc<str>, i32), i64);

impl Offsets {
    /// No offsets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The offset of a partition of a topic.
    #[must_use]
    pub fn get(&self, place: &(impl AsRef<str>, i32)) -> Option<&i64> {
        let wanted = (place.0.as_ref(), place.1);
        let found = self.0.binary_search_by(|((topic, partition), _)| (&**topic, *partition).cmp(&wanted));
        found.ok().map(|index| &self.0[index].1)
    }

    /// Whether there is an offset for this partition of a topic.
    #[must_use]
    pub fn contains_key(&self, place: &(impl AsRef<str>, i32)) -> bool {
        self.get(place).is_some()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&(Arc<str>, i32), &i64)> {
        self.0.iter().map(|(place, offset)| (place, offset))
    }

    /// Topics and partitions, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &(Arc<str>, i32)> {
        self.0.iter().map(|(place, _)| place)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Arc<str>>> FromIterator<((T, i32), i64)> for Offsets {
    /// Of several offsets for one place the last one stays.
    fn from_iter<I: IntoIterator<Item = ((T, i32), i64)>>(offsets: I) -> Self {
        let sorted: BTreeMap<(Arc<str>, i32), i64> =
            offsets.into_iter().map(|((topic, partition), offset)| ((topic.into(), partition), offset)).collect();
        Self(sorted.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Offsets {
    type Item = (&'a (Arc<str>, i32), &'a i64);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, Row>, fn(&'a Row) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(place, offset)| (place, offset))
    }
}

impl fmt::Debug for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// The names of topics that occur in offsets, each kept once.
#[derive(Debug, Default)]
pub(super) struct TopicNames(HashSet<Arc<str>>);

impl TopicNames {
    /// The offsets of a session packet. A topic named with and without its partition 0 has the offset of the former.
    pub(super) fn offsets(&mut self, wire: BTreeMap<String, i64>) -> Offsets {
        // In the order of the keys a bare topic comes first, so the one with the partition stays.
        wire.into_iter()
            .map(|(key, offset)| {
                let (topic, partition) = Layout::parse_offset_key(&key);
                ((self.shared(topic), partition), offset)
            })
            .collect()
    }

    fn shared(&mut self, topic: String) -> Arc<str> {
        if let Some(known) = self.0.get(topic.as_str()) {
            return Arc::clone(known);
        }
        let new: Arc<str> = topic.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn bare_topics_mean_partition_0_and_names_are_shared() {
        let mut names = TopicNames::default();
        let wire = [("A", 1), ("A:0", 2), ("A:1", 3), ("B", 4)].map(|(key, offset)| (key.to_owned(), offset));
        let offsets = names.offsets(wire.into());
        let expected: Offsets = [(("A", 0), 2), (("A", 1), 3), (("B", 0), 4)].into_iter().collect();
        assert_eq!(offsets, expected);
        assert_eq!(names.0.len(), 2);
        assert_eq!(format!("{offsets:?}"), r#"{("A", 0): 2, ("A", 1): 3, ("B", 0): 4}"#);
    }

    proptest! {
        #[test]
        fn offsets_are_found_as_in_a_map(
            map in btree_map(("[ab]{0,2}", 0..3), any::<i64>(), 0..9), topic in "[ab]{0,2}", partition in 0..3,
        ) {
            let offsets: Offsets = map.clone().into_iter().collect();
            prop_assert_eq!(offsets.get(&(topic.as_str(), partition)), map.get(&(topic.clone(), partition)));
            prop_assert_eq!(offsets.contains_key(&(topic.clone(), partition)), map.contains_key(&(topic, partition)));
            prop_assert_eq!((offsets.len(), offsets.is_empty()), (map.len(), map.is_empty()));
            let listed: Vec<(String, i32, i64)> =
                offsets.iter().map(|((topic, partition), offset)| (topic.to_string(), *partition, *offset)).collect();
            let expected: Vec<(String, i32, i64)> = map.into_iter().map(|((t, p), offset)| (t, p, offset)).collect();
            prop_assert_eq!(listed, expected);
            prop_assert_eq!(offsets.keys().count(), (&offsets).into_iter().count());
        }
    }
}
