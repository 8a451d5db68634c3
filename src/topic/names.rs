//! Which names may be used. Kafka's own rules, and ours for names that must work in both layouts.

use crate::error::{Error, Result};

/// The longest name of a topic that Kafka takes.
pub const LONGEST_TOPIC: usize = 249;

const ALLOWED: &str = "letters, digits, '.', '_' and '-'";

fn refused(what: &'static str, name: &str, reason: impl Into<String>) -> Error {
    Error::Name { what, name: name.to_owned(), reason: reason.into() }
}

fn check_characters(what: &'static str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(refused(what, name, format!("is empty; use {ALLOWED}")));
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        Some(c) => {
            Err(refused(what, name, format!("contains {c:?}, which Kafka does not allow in a name; use {ALLOWED}")))
        }
        None => Ok(()),
    }
}

/// Whether Kafka takes this name for a topic: 1 to 249 of `A-Z a-z 0-9 . _ -`, and neither `.` nor `..`.
pub fn check_topic(name: &str) -> Result<()> {
    check_characters("topic", name)?;
    if name == "." || name == ".." {
        return Err(refused("topic", name, "is not a name for Kafka; use at least one letter or digit"));
    }
    if name.len() > LONGEST_TOPIC {
        let reason = format!("has {} characters, Kafka takes {LONGEST_TOPIC}; use shorter names", name.len());
        return Err(refused("topic", name, reason));
    }
    Ok(())
}

/// Whether a data source may be called so, in either layout.
///
/// Dots are allowed. Names that end in `_essential` are not: in the classic layout such a data source would write its
/// data into another one's essentials (`Default_essential`). Nor are the names of that layout's own topics.
pub fn check_data_source(name: &str) -> Result<()> {
    check_characters("data source", name)?;
    if name == "." || name == ".." {
        return Err(refused("data source", name, "is not a name for Kafka; use at least one letter or digit"));
    }
    if let Some(other) = name.strip_suffix("_essential").or_else(|| name.strip_suffix(".essential")) {
        let reason = format!("collides with the essentials topic of data source '{other}'; choose another ending");
        return Err(refused("data source", name, reason));
    }
    if ["SessionInfo", "SystemStatus", "dead-Letter"].contains(&name) {
        return Err(refused("data source", name, "is the name of a topic of the platform itself; use another one"));
    }
    // The longest suffix or prefix that a layout without a domain adds.
    if name.len() > LONGEST_TOPIC - "Essential.".len() {
        let reason = format!("has {} characters, too many for a topic of Kafka; use a shorter name", name.len());
        return Err(refused("data source", name, reason));
    }
    Ok(())
}

/// Whether a named stream may be called so, in either layout.
///
/// A dot would make `A.B.C` ambiguous, and `essential` collides with the essentials topic of the classic layout (Kafka
/// does not tell `Default.essential` from `Default_essential`). The main stream is `""` and not a named one.
pub fn check_stream(name: &str) -> Result<()> {
    check_characters("stream", name)?;
    if name.contains('.') {
        return Err(refused("stream", name, "contains a dot, which separates data source and stream; use '_' or '-'"));
    }
    if name == "essential" {
        return Err(refused("stream", name, "collides with the essentials topic of its data source; use another name"));
    }
    if name.len() > LONGEST_TOPIC {
        let reason = format!("has {} characters, too many for a topic of Kafka; use a shorter name", name.len());
        return Err(refused("stream", name, reason));
    }
    Ok(())
}

/// Whether a domain may be called so. The empty domain is legal: its topics have no prefix.
pub fn check_domain(name: &str) -> Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    check_characters("domain", name)?;
    if name.starts_with('.') || name.ends_with('.') {
        return Err(refused("domain", name, "starts or ends with a dot; the dot before 'Data' is added by itself"));
    }
    Ok(())
}

/// Whether a consumer group may be called so: letters, digits, `.`, `_` and `-`.
pub fn check_group_id(name: &str) -> Result<()> {
    check_characters("group id", name)?;
    if name.len() > LONGEST_TOPIC {
        let reason = format!("has {} characters; use at most {LONGEST_TOPIC}", name.len());
        return Err(refused("group id", name, reason));
    }
    Ok(())
}

/// The existing topic that keeps Kafka from creating `topic`: another name that differs only in `.` and `_`.
pub fn colliding<'t>(topic: &str, existing: impl IntoIterator<Item = &'t str>) -> Option<&'t str> {
    let same = |a: u8, b: u8| a == b || (matches!(a, b'.' | b'_') && matches!(b, b'.' | b'_'));
    existing.into_iter().find(|other| {
        *other != topic && other.len() == topic.len() && other.bytes().zip(topic.bytes()).all(|(a, b)| same(a, b))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_that_kafka_takes_are_taken() {
        for name in ["Default", "a", "Car-1_x.y", "0"] {
            check_topic(name).unwrap();
            check_data_source(name).unwrap();
            check_group_id(name).unwrap();
        }
        check_topic(&"x".repeat(249)).unwrap();
        check_stream("Stream1").unwrap();
        check_domain("").unwrap();
        check_domain("Team.Track").unwrap();
    }

    #[test]
    fn names_that_kafka_refuses_are_refused_with_the_reason() {
        for name in ["", "a b", "a/b", "ä", "a:0", "@stream@::_essential", "a\n"] {
            assert!(check_topic(name).is_err(), "{name:?}");
            assert!(check_data_source(name).is_err(), "{name:?}");
            assert!(check_stream(name).is_err(), "{name:?}");
            assert!(check_group_id(name).is_err(), "{name:?}");
        }
        assert!(check_topic(".").is_err() && check_topic("..").is_err());
        assert!(check_topic(&"x".repeat(250)).is_err());
        assert!(check_data_source(&"x".repeat(249)).is_err());
        assert!(check_domain("POC.").is_err() && check_domain(".POC").is_err());
        let text = check_stream("Stream 1").unwrap_err().to_string();
        assert!(text.contains("stream 'Stream 1'") && text.contains("' '") && text.contains("letters"), "{text}");
    }

    #[test]
    fn streams_with_a_dot_and_names_that_meet_the_essentials_are_refused() {
        assert!(check_stream("a.b").unwrap_err().to_string().contains("dot"));
        assert!(check_stream("essential").unwrap_err().to_string().contains("collides"));
        assert!(check_data_source("Default_essential").unwrap_err().to_string().contains("'Default'"));
        assert!(check_data_source("Default.essential").is_err());
        assert!(check_data_source("SessionInfo").unwrap_err().to_string().contains("platform"));
    }

    #[test]
    fn topics_that_differ_only_in_dots_and_underscores_collide() {
        let existing = ["Data.Default", "Data.Default.Stream1", "Other"];
        assert_eq!(colliding("Data_Default.Stream1", existing), Some("Data.Default.Stream1"));
        assert_eq!(colliding("Data.Default.Stream1", existing), None);
        assert_eq!(colliding("Data-Default", existing), None);
        assert_eq!(colliding("data.default", existing), None);
    }
}
