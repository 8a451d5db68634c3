//! The two layouts of topics, classic and domain, and what lies where in them.

use super::names::{check_data_source, check_domain, check_stream, check_topic};
use crate::error::{Error, Result};

/// The highest partition a mapping may name. Kafka has no such limit, but a slip of the keyboard here would make it
/// create that many partitions.
const HIGHEST_PARTITION: i32 = 9_999;

/// The pseudo data source under which classic servers book info packets.
const INFO: &str = "Info";

/// Which names the topics have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LayoutKind {
    /// Servers before 2026: `SessionInfo`, `<DS>`, `<DS>.<Stream>`, `<DS>_essential`.
    Classic,
    /// Servers since 2026: `[<D>.]Sys.SessionInfo`, `[<D>.]Data.<DS>`, `[<D>.]Essential.<DS>`.
    #[default]
    Domain,
}

/// How the topic of a named stream is called in the domain layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NamedStreamForm {
    /// `[<D>.]Data.<DS>.<Stream>`.
    #[default]
    A,
    /// `[<D>.]Data.<Stream>`, shared by all data sources.
    B,
}

/// Where named streams live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// One topic for each stream.
    #[default]
    TopicBased,
    /// One topic for each data source, one of its partitions for each stream.
    PartitionBased,
}

/// The rule from (data source, stream) to topic and partition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Classic or domain names.
    pub kind: LayoutKind,
    /// The prefix of all topics in the domain layout, without the dot; the classic layout has none and ignores it.
    pub domain: String,
    /// How named streams are called in the domain layout.
    pub form: NamedStreamForm,
    /// Topics or partitions for named streams.
    pub strategy: Strategy,
    /// Stream and partition, for [`Strategy::PartitionBased`]; partition 0 is the main stream.
    pub partition_mappings: Vec<(String, i32)>,
}

/// Where a stream lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition in it.
    pub partition: i32,
    /// Whether the stream has this place for itself. `false` for a stream that the partition mappings do not know:
    /// its packets go to the main stream, and its name is lost on the way.
    pub mapped: bool,
}

impl Layout {
    /// Whether the layout can be used: a legal domain, and mappings of distinct streams to distinct partitions from 1.
    pub fn validate(&self) -> Result<()> {
        if self.kind == LayoutKind::Domain {
            check_domain(&self.domain)?;
            check_topic(&self.session_info())?;
        }
        for (i, (stream, partition)) in self.partition_mappings.iter().enumerate() {
            if stream.is_empty() && *partition == 0 {
                continue;
            }
            if stream.is_empty() {
                let text = format!("the main stream is partition 0 and cannot be mapped to partition {partition}");
                return Err(Error::Config(text));
            }
            check_stream(stream)?;
            if *partition < 1 || *partition > HIGHEST_PARTITION {
                return Err(Error::Config(format!(
                    "stream '{stream}' is mapped to partition {partition}; use 1 to {HIGHEST_PARTITION} (0 is the main stream)"
                )));
            }
            for (other, taken) in &self.partition_mappings[..i] {
                if other == stream {
                    return Err(Error::Config(format!("stream '{stream}' is mapped twice; keep one of the mappings")));
                }
                if taken == partition {
                    return Err(Error::Config(format!(
                        "streams '{other}' and '{stream}' are both mapped to partition {partition}; give each its own"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Where the stream of a data source lives; `""` is the main stream.
    ///
    /// For reading and writing alike, so a foreign name that we would not choose is placed as long as it is
    /// unambiguous; [`Layout::creation`] is stricter.
    pub fn place(&self, data_source: &str, stream: &str) -> Result<Place> {
        let main = self.main(data_source)?;
        if stream.is_empty() {
            return Ok(Place { topic: main, partition: 0, mapped: true });
        }
        if self.strategy == Strategy::PartitionBased {
            let partition = self.partition_mappings.iter().find(|(name, _)| name == stream).map(|(_, p)| *p);
            return Ok(Place { topic: main, partition: partition.unwrap_or(0), mapped: partition.is_some() });
        }
        let refused =
            |reason: &str| Err(Error::Name { what: "stream", name: stream.to_owned(), reason: reason.to_owned() });
        if stream.contains('.') {
            return refused("contains a dot, which separates data source and stream; use '_' or '-'");
        }
        let topic = match (self.kind, self.form) {
            (LayoutKind::Classic, _) if stream == "essential" => {
                return refused("collides with the essentials topic of its data source; use another name");
            }
            (LayoutKind::Classic, _) => format!("{data_source}.{stream}"),
            (LayoutKind::Domain, NamedStreamForm::A) => self.prefixed(&["Data.", data_source, ".", stream]),
            (LayoutKind::Domain, NamedStreamForm::B) if stream == data_source => {
                return refused("has the name of its data source, whose main topic it would share; use another name");
            }
            (LayoutKind::Domain, NamedStreamForm::B) => self.prefixed(&["Data.", stream]),
        };
        check_topic(&topic)?;
        Ok(Place { topic, partition: 0, mapped: true })
    }

    /// The essentials topic of a data source; everything in it is in partition 0.
    pub fn essentials(&self, data_source: &str) -> Result<String> {
        self.checked(
            data_source,
            match self.kind {
                LayoutKind::Classic => format!("{data_source}_essential"),
                LayoutKind::Domain => self.prefixed(&["Essential.", data_source]),
            },
        )
    }

    /// The session-info topic, one for all data sources.
    #[must_use]
    pub fn session_info(&self) -> String {
        match self.kind {
            LayoutKind::Classic => "SessionInfo".to_owned(),
            LayoutKind::Domain => self.prefixed(&["Sys.SessionInfo"]),
        }
    }

    /// The topic of system status packets.
    #[must_use]
    pub fn status(&self) -> String {
        match self.kind {
            LayoutKind::Classic => "SystemStatus".to_owned(),
            LayoutKind::Domain => self.prefixed(&["Sys.Status"]),
        }
    }

    /// The topic to create before a stream is written, and how many partitions it needs.
    ///
    /// Topics are always created explicitly: session and offset logic addresses partition 0, so every topic has one
    /// partition, except a main topic whose partitions are streams. Checks the names as a writer must
    /// ([`check_data_source`], [`check_stream`]).
    pub fn creation(&self, data_source: &str, stream: &str) -> Result<(String, i32)> {
        check_data_source(data_source)?;
        if !stream.is_empty() {
            check_stream(stream)?;
        }
        let topic = self.place(data_source, stream)?.topic;
        let partitions = match self.strategy {
            Strategy::TopicBased => 1,
            Strategy::PartitionBased => {
                self.partition_mappings.iter().map(|(_, p)| p.saturating_add(1)).max().unwrap_or(1).max(1)
            }
        };
        Ok((topic, partitions))
    }

    /// The named streams of a data source: among the existing topics, or, partition-based, those mapped. The main
    /// stream is not listed. Exact and case-sensitive; in the order of the topics.
    ///
    /// Form B cannot tell a stream from the main topic of another data source, so it lists both: reading a topic too
    /// many costs time, one too few costs data (records are told apart by their key anyway).
    pub fn streams_of<'t>(&self, data_source: &str, topics: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        if self.strategy == Strategy::PartitionBased {
            return self.partition_mappings.iter().filter(|(s, _)| !s.is_empty()).map(|(s, _)| s.clone()).collect();
        }
        let mut streams: Vec<String> = Vec::new();
        for stream in topics.into_iter().filter_map(|topic| self.named_stream(data_source, topic)) {
            if !streams.iter().any(|known| known == stream) {
                streams.push(stream.to_owned());
            }
        }
        streams
    }

    /// The stream of a data source that lives at a place, the inverse of [`Layout::place`]; `None` if none does.
    ///
    /// Topic-based, foreign topics may have several partitions: all of them belong to the stream.
    #[must_use]
    pub fn stream_label(&self, data_source: &str, topic: &str, partition: i32) -> Option<String> {
        let is_main = self.main(data_source).is_ok_and(|main| main == topic);
        match self.strategy {
            Strategy::TopicBased if is_main => Some(String::new()),
            Strategy::TopicBased => self.named_stream(data_source, topic).map(str::to_owned),
            Strategy::PartitionBased if !is_main => None,
            Strategy::PartitionBased if partition == 0 => Some(String::new()),
            Strategy::PartitionBased => {
                self.partition_mappings.iter().find(|(_, p)| *p == partition).map(|(stream, _)| stream.clone())
            }
        }
    }

    /// The data sources that have an essentials topic, sorted.
    ///
    /// `Info` is hidden: classic servers create it for info packets. Show it if a session names it.
    pub fn data_sources<'t>(&self, topics: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        let prefix = self.prefixed(&["Essential."]);
        let mut found: Vec<String> = topics
            .into_iter()
            .filter_map(|topic| match self.kind {
                LayoutKind::Classic => topic.strip_suffix("_essential"),
                LayoutKind::Domain => topic.strip_prefix(prefix.as_str()),
            })
            .filter(|name| !name.is_empty() && *name != INFO)
            .map(str::to_owned)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The key of `topic_partition_offsets` in session packets: `<topic>:<partition>`.
    #[must_use]
    pub fn offset_key(topic: &str, partition: i32) -> String {
        format!("{topic}:{partition}")
    }

    /// Topic and partition from a key of `topic_partition_offsets`; a bare topic means partition 0.
    ///
    /// What follows a colon without being a partition stays in the name: no topic is called so, and it matches none.
    #[must_use]
    pub fn parse_offset_key(key: &str) -> (String, i32) {
        match key.rsplit_once(':').map(|(topic, partition)| (topic, partition.parse::<i32>())) {
            Some((topic, Ok(partition))) => (topic.to_owned(), partition),
            _ => (key.to_owned(), 0),
        }
    }

    fn main(&self, data_source: &str) -> Result<String> {
        self.checked(
            data_source,
            match self.kind {
                LayoutKind::Classic => data_source.to_owned(),
                LayoutKind::Domain => self.prefixed(&["Data.", data_source]),
            },
        )
    }

    /// The named stream that has `topic` for itself, in the topic-based layouts.
    fn named_stream<'t>(&self, data_source: &str, topic: &'t str) -> Option<&'t str> {
        let stream = match (self.kind, self.form) {
            (LayoutKind::Classic, _) => topic.strip_prefix(data_source)?.strip_prefix('.')?,
            (LayoutKind::Domain, NamedStreamForm::A) => {
                self.unprefixed(topic)?.strip_prefix("Data.")?.strip_prefix(data_source)?.strip_prefix('.')?
            }
            (LayoutKind::Domain, NamedStreamForm::B) => {
                let stream = self.unprefixed(topic)?.strip_prefix("Data.")?;
                (stream != data_source).then_some(stream)?
            }
        };
        let placeable = self.kind == LayoutKind::Domain || stream != "essential";
        (placeable && !stream.is_empty() && !stream.contains('.')).then_some(stream)
    }

    fn checked(&self, data_source: &str, topic: String) -> Result<String> {
        if data_source.is_empty() {
            let reason = "is empty; name the data source, for example 'Default'".to_owned();
            return Err(Error::Name { what: "data source", name: String::new(), reason });
        }
        check_topic(&topic).map_err(|error| match error {
            Error::Name { reason, .. } => Error::Name { what: "data source", name: data_source.to_owned(), reason },
            other => other,
        })?;
        Ok(topic)
    }

    fn prefixed(&self, parts: &[&str]) -> String {
        let mut name = String::with_capacity(self.domain.len() + 1 + parts.iter().map(|p| p.len()).sum::<usize>());
        if !self.domain.is_empty() {
            name.push_str(&self.domain);
            name.push('.');
        }
        parts.iter().for_each(|part| name.push_str(part));
        name
    }

    fn unprefixed<'t>(&self, topic: &'t str) -> Option<&'t str> {
        super::detect::without_domain(&self.domain, topic)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::Strategy;
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn classic() -> Layout {
        Layout { kind: LayoutKind::Classic, ..Layout::default() }
    }

    fn domain(domain: &str, form: NamedStreamForm) -> Layout {
        Layout { domain: domain.into(), form, ..Layout::default() }
    }

    fn mapped(kind: LayoutKind) -> Layout {
        let partition_mappings = vec![("Stream1".to_owned(), 1), ("Stream2".to_owned(), 4)];
        Layout { kind, strategy: Strategy::PartitionBased, partition_mappings, ..Layout::default() }
    }

    #[test]
    fn topics_are_those_of_the_published_table() {
        use NamedStreamForm::{A, B};
        let rows = [
            (classic(), ["Default", "Default.Stream1", "Default_essential", "SessionInfo", "SystemStatus"]),
            (
                domain("", A),
                ["Data.Default", "Data.Default.Stream1", "Essential.Default", "Sys.SessionInfo", "Sys.Status"],
            ),
            (domain("", B), ["Data.Default", "Data.Stream1", "Essential.Default", "Sys.SessionInfo", "Sys.Status"]),
            (
                domain("POC", A),
                [
                    "POC.Data.Default",
                    "POC.Data.Default.Stream1",
                    "POC.Essential.Default",
                    "POC.Sys.SessionInfo",
                    "POC.Sys.Status",
                ],
            ),
            (
                domain("POC", B),
                [
                    "POC.Data.Default",
                    "POC.Data.Stream1",
                    "POC.Essential.Default",
                    "POC.Sys.SessionInfo",
                    "POC.Sys.Status",
                ],
            ),
        ];
        for (layout, [main, named, essentials, session_info, status]) in rows {
            layout.validate().unwrap();
            assert_eq!(layout.place("Default", "").unwrap(), Place { topic: main.into(), partition: 0, mapped: true });
            let named = Place { topic: named.into(), partition: 0, mapped: true };
            assert_eq!(layout.place("Default", "Stream1").unwrap(), named);
            assert_eq!(layout.essentials("Default").unwrap(), essentials);
            assert_eq!(layout.session_info(), session_info);
            assert_eq!(layout.status(), status);
            assert_eq!(layout.creation("Default", "Stream1").unwrap(), (named.topic, 1));
        }
    }

    #[test]
    fn conformance_1_streams_go_to_their_mapped_partition_and_unmapped_ones_to_the_main_stream() {
        for (kind, main) in [(LayoutKind::Classic, "Default"), (LayoutKind::Domain, "Data.Default")] {
            let layout = mapped(kind);
            layout.validate().unwrap();
            let place = |stream| layout.place("Default", stream).unwrap();
            assert_eq!(place(""), Place { topic: main.into(), partition: 0, mapped: true });
            assert_eq!(place("Stream2"), Place { topic: main.into(), partition: 4, mapped: true });
            assert_eq!(place("Unknown"), Place { topic: main.into(), partition: 0, mapped: false });
            assert_eq!(layout.creation("Default", "Stream1").unwrap(), (main.to_owned(), 5));
            assert_eq!(layout.stream_label("Default", main, 4).as_deref(), Some("Stream2"));
            assert_eq!(layout.stream_label("Default", main, 0).as_deref(), Some(""));
            assert_eq!(layout.stream_label("Default", main, 3), None);
            assert_eq!(layout.streams_of("Default", ["Default.X", "Data.Default.X"]), ["Stream1", "Stream2"]);
        }
    }

    #[test]
    fn conformance_11_domain_topics_are_exactly_as_configured() {
        let layout = domain("POC", NamedStreamForm::A);
        let topics = [
            "POC.Data.Default.Stream1",
            "POC.Data.Default.a.b",
            "POC.Data.default.lower",
            "POC.Data.Default2.Stream9",
            "POC.Data.Default",
            "Data.Default.Other",
            "POC.Essential.Default",
            "POC.Data.Default.",
        ];
        assert_eq!(layout.streams_of("Default", topics), ["Stream1"]);
        assert_eq!(layout.data_sources(topics), ["Default"]);
        let shared = domain("POC", NamedStreamForm::B);
        assert_eq!(shared.streams_of("Default", ["POC.Data.Stream1", "POC.Data.Default", "Data.X"]), ["Stream1"]);
    }

    #[test]
    fn the_pseudo_data_source_of_classic_servers_is_hidden() {
        let topics = ["Info", "Info_essential", "Default_essential", "Car.1_essential", "_essential", "Essential.X"];
        assert_eq!(classic().data_sources(topics), ["Car.1", "Default"]);
    }

    #[test]
    fn names_that_would_share_a_topic_with_something_else_are_refused() {
        assert!(classic().place("Default", "essential").is_err());
        assert!(classic().creation("Default_essential", "").is_err());
        assert!(domain("", NamedStreamForm::A).creation("Default", "essential").is_err());
        assert!(domain("", NamedStreamForm::B).place("Default", "Default").is_err());
        assert!(classic().place("Default", "a.b").is_err());
        let text = classic().place("", "x").unwrap_err().to_string();
        assert!(text.contains("data source"), "{text}");
        let text = domain("", NamedStreamForm::A).place("Car 1", "").unwrap_err().to_string();
        assert!(text.contains("data source 'Car 1'"), "{text}");
    }

    #[test]
    fn mappings_that_cannot_be_told_apart_are_refused() {
        let with = |mappings: &[(&str, i32)]| Layout {
            strategy: Strategy::PartitionBased,
            partition_mappings: mappings.iter().map(|(s, p)| ((*s).to_owned(), *p)).collect(),
            ..Layout::default()
        };
        with(&[("", 0), ("a", 1), ("b", 2)]).validate().unwrap();
        for wrong in [
            &[("a", 0)][..],
            &[("a", -1)],
            &[("a", i32::MAX)],
            &[("a", 1), ("a", 2)],
            &[("a", 1), ("b", 1)],
            &[("", 1)],
            &[("a.b", 1)],
        ] {
            assert!(with(wrong).validate().is_err(), "{wrong:?}");
        }
        assert!(domain("has space", NamedStreamForm::A).validate().is_err());
        assert!(domain(&"x".repeat(240), NamedStreamForm::A).validate().is_err());
    }

    #[test]
    fn offset_keys_name_topic_and_partition() {
        assert_eq!(Layout::offset_key("Default_essential", 0), "Default_essential:0");
        assert_eq!(Layout::parse_offset_key("Data.Default:3"), ("Data.Default".into(), 3));
        assert_eq!(Layout::parse_offset_key("Data.Default"), ("Data.Default".into(), 0));
        assert_eq!(Layout::parse_offset_key("Data.Default:x"), ("Data.Default:x".into(), 0));
    }

    proptest! {
        #[test]
        fn every_listed_stream_has_its_place_where_it_was_found(
            topic in "(POC\\.)?(Data\\.)?(Car|Car2)?[.a]?(essential|Stream1|Car)?",
            is_classic in any::<bool>(), is_b in any::<bool>(), in_domain in any::<bool>(),
        ) {
            let layout = Layout {
                kind: if is_classic { LayoutKind::Classic } else { LayoutKind::Domain },
                domain: if in_domain { "POC".into() } else { String::new() },
                form: if is_b { NamedStreamForm::B } else { NamedStreamForm::A },
                ..Layout::default()
            };
            for stream in layout.streams_of("Car", [topic.as_str()]) {
                prop_assert_eq!(layout.place("Car", &stream).map(|place| place.topic), Ok(topic.clone()));
            }
        }

        #[test]
        fn the_label_of_a_place_is_the_stream_that_was_placed(
            source in "[A-Za-z0-9_-]{1,12}", stream in "[A-Za-z0-9_-]{0,12}", prefix in "[A-Za-z]{0,5}",
            is_classic in any::<bool>(), is_b in any::<bool>(),
        ) {
            let layout = Layout {
                kind: if is_classic { LayoutKind::Classic } else { LayoutKind::Domain },
                domain: prefix,
                form: if is_b { NamedStreamForm::B } else { NamedStreamForm::A },
                ..Layout::default()
            };
            if let Ok(place) = layout.place(&source, &stream) {
                prop_assert_eq!(layout.stream_label(&source, &place.topic, place.partition), Some(stream.clone()));
                let listed = layout.streams_of(&source, [place.topic.as_str()]);
                prop_assert_eq!(listed.is_empty(), stream.is_empty());
            }
        }
    }
}
