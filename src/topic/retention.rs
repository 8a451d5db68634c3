//! Whether Kafka will erase what sessions are rebuilt from before it erases their data.

use std::collections::BTreeMap;

use super::Layout;
use crate::error::Printable;

/// How long a topic keeps its records; `None` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    ms: Option<u64>,
    bytes: Option<u64>,
    compacted: bool,
}

impl Kept {
    fn of(settings: &BTreeMap<String, String>) -> Self {
        let policy = settings.get("cleanup.policy").map_or("delete", String::as_str);
        let deletes = policy.split(',').any(|word| word.trim() == "delete");
        let limit = |name: &str| settings.get(name).and_then(|value| value.trim().parse().ok()).filter(|_| deletes);
        Self {
            ms: limit("retention.ms"),
            bytes: limit("retention.bytes"),
            compacted: policy.split(',').any(|word| word.trim() == "compact"),
        }
    }
}

/// What an administrator should change: a warning for each topic of sessions or essentials that is compacted or that keeps
/// its records for a shorter time, or in fewer bytes, than some topic of data. `topics` are settings by topic, by Kafka's
/// names; a negative or missing limit means none.
#[must_use]
pub fn erased_too_early(
    layout: &Layout,
    data_source: &str,
    topics: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<String> {
    let essentials = layout.essentials(data_source).unwrap_or_default();
    let about_sessions = [layout.session_info(), essentials];
    let data: Vec<(&String, Kept)> = topics
        .iter()
        .filter(|(topic, _)| !about_sessions.contains(topic))
        .map(|(topic, settings)| (topic, Kept::of(settings)))
        .collect();
    let mut warnings = Vec::new();
    for topic in &about_sessions {
        let Some(kept) = topics.get(topic).map(Kept::of) else { continue };
        if kept.compacted {
            warnings.push(format!(
                "topic '{topic}' is compacted: Kafka erases records that sessions are rebuilt from; set cleanup.policy=delete"
            ));
        }
        let longer = |limit: Option<u64>, other: Option<u64>| limit.is_some_and(|l| other.is_none_or(|o| o > l));
        if let Some((other, theirs)) = data.iter().find(|(_, theirs)| longer(kept.ms, theirs.ms)) {
            warnings.push(format!(
                "topic '{topic}' keeps records for {}, but '{}' for {}: sessions are forgotten while their data is still \
                 there; raise retention.ms of '{topic}'",
                time(kept.ms),
                Printable(other),
                time(theirs.ms),
            ));
        }
        if let Some((other, _)) = data.iter().find(|(_, theirs)| longer(kept.bytes, theirs.bytes)) {
            warnings.push(format!(
                "topic '{topic}' keeps at most {} bytes, '{}' more: sessions may be forgotten while their data is still \
                 there; set retention.bytes=-1 of '{topic}'",
                kept.bytes.unwrap_or(0),
                Printable(other),
            ));
        }
    }
    warnings
}

fn time(ms: Option<u64>) -> String {
    match ms {
        None => "ever".into(),
        Some(ms) if ms >= 2 * 86_400_000 => format!("{:.1} days", ms as f64 / 86_400_000.0),
        Some(ms) if ms >= 2 * 3_600_000 => format!("{:.1} hours", ms as f64 / 3_600_000.0),
        Some(ms) => format!("{} s", ms as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const SESSIONS: &str = "Sys.SessionInfo";
    const ESSENTIALS: &str = "Essential.Car";
    const DATA: &str = "Data.Car.Chassis";

    fn warnings(settings: &[(&str, &str, &str)]) -> Vec<String> {
        let mut topics: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for topic in [SESSIONS, ESSENTIALS, DATA] {
            topics.insert(topic.into(), BTreeMap::from([("retention.ms".into(), "604800000".into())]));
        }
        for (topic, name, value) in settings {
            topics.get_mut(*topic).unwrap().insert((*name).into(), (*value).into());
        }
        erased_too_early(&Layout::default(), "Car", &topics)
    }

    #[test]
    fn topics_that_keep_equally_long_or_sessions_for_longer_are_in_order() {
        assert!(warnings(&[]).is_empty());
        assert!(warnings(&[(SESSIONS, "retention.ms", "-1"), (ESSENTIALS, "retention.ms", "-1")]).is_empty());
        assert!(warnings(&[(DATA, "retention.ms", "1000"), (DATA, "retention.bytes", "1000")]).is_empty());
        assert!(warnings(&[(SESSIONS, "retention.bytes", "-1")]).is_empty());
        let both = [(SESSIONS, "retention.bytes", "5000"), (DATA, "retention.bytes", "5000")];
        assert!(warnings(&both).is_empty());
    }

    #[test]
    fn a_shorter_time_fewer_bytes_and_compaction_are_told_with_the_topic_and_the_setting() {
        let told = warnings(&[(DATA, "retention.ms", "-1")]);
        assert_eq!(told.len(), 2);
        assert!(told[0].contains(SESSIONS) && told[0].contains("7.0 days") && told[0].contains("ever"), "{told:?}");
        assert!(told[1].contains(ESSENTIALS) && told[1].contains("retention.ms"), "{told:?}");
        let told = warnings(&[(SESSIONS, "retention.ms", "3600000")]);
        assert!(told.len() == 1 && told[0].contains("3600 s"), "{told:?}");
        let told = warnings(&[(ESSENTIALS, "retention.bytes", "1000000")]);
        assert!(told.len() == 1 && told[0].contains("retention.bytes"), "{told:?}");
        for policy in ["compact", "compact,delete"] {
            let told = warnings(&[(SESSIONS, "cleanup.policy", policy)]);
            assert!(told.len() == 1 && told[0].contains("cleanup.policy=delete"), "{told:?}");
        }
        // What is only compacted is kept for ever.
        assert_eq!(warnings(&[(DATA, "cleanup.policy", "compact")]).len(), 2);
    }
}
