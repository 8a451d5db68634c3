//! The settings of topics and of the broker, with Kafka's names, types and defaults, and which of them do something here.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;

use super::partition::Retention;
use super::refusal::Refusal;

/// Kafka's limit for one batch, its header included.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_588;
/// Bytes of one log file: small enough for retention to have something to delete.
pub(super) const SEGMENT_BYTES: u64 = 128 * 1024 * 1024;

/// The type of a setting, by its number in `DescribeConfigs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Boolean,
    /// One of these words; none listed means any text.
    Text(&'static [&'static str]),
    /// A number of 32 bits, at least this.
    Int(i64),
    /// A number of 64 bits, at least this.
    Long(i64),
    /// A fraction between 0 and 1.
    Double,
    /// Words of these, separated by commas; none listed means any.
    List(&'static [&'static str]),
}

impl Kind {
    /// The number of the type on the wire.
    pub(super) fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text(_) => 2,
            Self::Int(_) => 3,
            Self::Long(_) => 5,
            Self::Double => 6,
            Self::List(_) => 7,
        }
    }

    fn allows(self, value: &str) -> bool {
        let number = |least: i64, most: i64| value.trim().parse::<i64>().is_ok_and(|n| (least..=most).contains(&n));
        match self {
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Text(words) => words.is_empty() || words.contains(&value),
            Self::Int(least) => number(least, i64::from(i32::MAX)),
            Self::Long(least) => number(least, i64::MAX),
            Self::Double => value.trim().parse::<f64>().is_ok_and(|n| (0.0..=1.0).contains(&n)),
            Self::List(words) => words.is_empty() || value.split(',').all(|word| words.contains(&word.trim())),
        }
    }
}

/// One setting of a topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Its type and range.
    pub kind: Kind,
    /// Its default.
    pub default: &'static str,
}

const fn setting(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, kind, default }
}

/// The settings a topic can have, in alphabetical order. Batches are kept as they came, so the values that would have the
/// broker rewrite them are not among the allowed ones.
pub(super) const TOPIC_SETTINGS: &[Setting] = &[
    setting("cleanup.policy", Kind::List(&["delete", "compact"]), "delete"),
    setting("compression.gzip.level", Kind::Int(-1), "-1"),
    setting("compression.lz4.level", Kind::Int(1), "9"),
    setting("compression.type", Kind::Text(&["producer"]), "producer"),
    setting("compression.zstd.level", Kind::Int(-131_072), "3"),
    setting("delete.retention.ms", Kind::Long(0), "86400000"),
    setting("file.delete.delay.ms", Kind::Long(0), "60000"),
    setting("flush.messages", Kind::Long(1), "9223372036854775807"),
    setting("flush.ms", Kind::Long(0), "9223372036854775807"),
    setting("index.interval.bytes", Kind::Int(0), "4096"),
    setting("max.compaction.lag.ms", Kind::Long(1), "9223372036854775807"),
    setting("max.message.bytes", Kind::Int(0), "1048588"),
    setting("message.timestamp.after.max.ms", Kind::Long(0), "9223372036854775807"),
    setting("message.timestamp.before.max.ms", Kind::Long(0), "9223372036854775807"),
    setting("message.timestamp.type", Kind::Text(&["CreateTime"]), "CreateTime"),
    setting("min.cleanable.dirty.ratio", Kind::Double, "0.5"),
    setting("min.compaction.lag.ms", Kind::Long(0), "0"),
    setting("min.insync.replicas", Kind::Int(1), "1"),
    setting("preallocate", Kind::Boolean, "false"),
    setting("retention.bytes", Kind::Long(-1), "-1"),
    setting("retention.ms", Kind::Long(-1), "-1"),
    setting("segment.bytes", Kind::Int(14), "134217728"),
    setting("segment.index.bytes", Kind::Int(4), "10485760"),
    setting("segment.jitter.ms", Kind::Long(0), "0"),
    setting("segment.ms", Kind::Long(1), "604800000"),
    setting("unclean.leader.election.enable", Kind::Boolean, "false"),
];

/// A topic's settings that were given a value.
pub(super) type Given = BTreeMap<String, String>;

/// The setting of that name, if its value is allowed.
pub(super) fn check(name: &str, value: &str) -> Result<&'static Setting, Refusal> {
    let refuse = |text: String| Refusal::new(ResponseError::InvalidConfig, text);
    let found = TOPIC_SETTINGS.iter().find(|s| s.name == name);
    let setting = found.ok_or_else(|| refuse(format!("unknown topic setting '{name}'")))?;
    if setting.kind.allows(value) {
        return Ok(setting);
    }
    let allowed = match setting.kind {
        Kind::Boolean => "true or false".to_owned(),
        Kind::Text(words) | Kind::List(words) => {
            format!("{}; the embedded broker keeps batches as they came", words.join(" or "))
        }
        Kind::Int(least) | Kind::Long(least) => format!("a whole number, at least {least}"),
        Kind::Double => "a number between 0 and 1".to_owned(),
    };
    Err(refuse(format!("value '{value}' of topic setting '{name}' is not allowed here; allowed is {allowed}")))
}

/// What the given settings mean for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// The longest batch.
    pub max_message_bytes: usize,
    /// When a new log file begins.
    pub segment_bytes: u64,
    /// What is deleted.
    pub retention: Retention,
}

impl Rules {
    /// The rules of a topic, with the broker's own retention where the topic does not say otherwise.
    pub(super) fn new(given: &Given, broker_retention_ms: Option<i64>) -> Self {
        let number = |name: &str| given.get(name).and_then(|v| v.trim().parse::<i64>().ok());
        let deletes = given.get("cleanup.policy").is_none_or(|p| p.split(',').any(|word| word.trim() == "delete"));
        let age_ms = number("retention.ms").or(broker_retention_ms).filter(|ms| *ms >= 0 && deletes);
        let bytes = number("retention.bytes").and_then(|b| u64::try_from(b).ok()).filter(|_| deletes);
        let positive = |name: &str| number(name).and_then(|n| u64::try_from(n).ok());
        Self {
            max_message_bytes: positive("max.message.bytes").map_or(MAX_MESSAGE_BYTES, |n| n as usize),
            segment_bytes: positive("segment.bytes").unwrap_or(SEGMENT_BYTES),
            retention: Retention { age_ms, bytes },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn every_default_is_allowed_and_names_are_in_order() {
        for setting in TOPIC_SETTINGS {
            assert!(check(setting.name, setting.default).is_ok(), "{}", setting.name);
        }
        assert!(TOPIC_SETTINGS.is_sorted_by_key(|s| s.name));
    }

    #[test]
    fn what_the_broker_cannot_do_is_refused_with_the_reason() {
        let refusal = check("message.timestamp.type", "LogAppendTime").unwrap_err();
        assert!(refusal.message.contains("keeps batches as they came"), "{}", refusal.message);
        assert!(check("retention.ms", "soon").unwrap_err().message.contains("whole number"));
        assert!(check("no.such.thing", "1").unwrap_err().message.contains("no.such.thing"));
        assert_eq!(check("max.message.bytes", "-1").unwrap_err().error, ResponseError::InvalidConfig);
    }

    #[test]
    fn a_topics_own_retention_wins_over_the_brokers() {
        let retention = |pairs: &[(&str, &str)], broker| Rules::new(&given(pairs), broker).retention;
        assert_eq!(retention(&[], None), Retention::default());
        assert_eq!(retention(&[], Some(5)).age_ms, Some(5));
        assert_eq!(retention(&[("retention.ms", "7")], Some(5)).age_ms, Some(7));
        assert_eq!(retention(&[("retention.ms", "-1")], Some(5)).age_ms, None);
        assert_eq!(retention(&[("cleanup.policy", "compact")], Some(5)).age_ms, None);
        assert_eq!(retention(&[("retention.bytes", "9")], None).bytes, Some(9));
    }
}
