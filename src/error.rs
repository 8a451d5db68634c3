//! One error for the whole core. Every variant says what failed, on which thing, and what to do about it.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// The result of everything in telewire that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. [`Error::kind`] sorts the variants into the classes that Python raises.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be used.
    #[error("configuration: {0}")]
    Config(String),

    /// An argument that cannot be used; the text names it and the remedy.
    #[error("{0}")]
    Invalid(String),

    /// No broker answered.
    #[error("broker '{brokers}' not reachable within {}: {reason}", Seconds(*.waited))]
    Unreachable {
        /// The addresses that were tried.
        brokers: String,
        /// How long it was tried.
        waited: Duration,
        /// The last thing the client said, with a hint.
        reason: String,
    },

    /// The broker refused who we are, or TLS could not be agreed on.
    #[error("authentication with broker '{brokers}' failed: {reason}")]
    Authentication {
        /// The addresses that were tried.
        brokers: String,
        /// What the client said, with a hint.
        reason: String,
    },

    /// The broker knows who we are and does not allow it. Nothing else is wrong: with the right, it works.
    #[error("{operation} failed: {who} lacks the right {right} on {what}; have an administrator allow it (an ACL)")]
    Denied {
        /// What was tried.
        operation: String,
        /// Whom the broker takes us for, as far as we know.
        who: String,
        /// Kafka's name of the right that lacks, such as `Write`.
        right: &'static str,
        /// On what: `topic '…'`, `group '…'`.
        what: String,
        /// Kafka's name of the error, such as `TOPIC_AUTHORIZATION_FAILED`.
        code: &'static str,
    },

    /// The broker refused an operation.
    #[error("{operation} failed: {reason}")]
    Kafka {
        /// What was tried, on which topic or group.
        operation: String,
        /// The broker's answer.
        reason: String,
        /// Kafka's name of the error, such as `TOPIC_AUTHORIZATION_FAILED`.
        code: String,
        /// Whether the same call may succeed later.
        retriable: bool,
    },

    /// A name that Kafka or the layout does not allow.
    #[error("{what} '{}' {reason}", Printable(.name))]
    Name {
        /// `data source`, `stream`, `topic`, `domain`, `group id`.
        what: &'static str,
        /// The name as given.
        name: String,
        /// Why not, and what is allowed.
        reason: String,
    },

    /// A stream that the partition mappings do not know.
    #[error("stream '{}' has no partition mapping; add it to the partition mappings of the layout", Printable(.0))]
    UnmappedStream(String),

    /// Bytes that are not what they claim to be.
    #[error("{what} cannot be decoded: {reason}")]
    Decode {
        /// Which packet or message.
        what: String,
        /// Where it broke and why.
        reason: String,
    },

    /// A packet over the size the topic takes.
    #[error(
        "packet of {size} bytes exceeds {limit} bytes, the limit of topic '{topic}'; split it, or raise the topic's max.message.bytes"
    )]
    TooLarge {
        /// Bytes of the packet.
        size: usize,
        /// Bytes allowed.
        limit: usize,
        /// The topic it was meant for.
        topic: String,
    },

    /// The producer's queue stayed full.
    #[error("producer queue full for {}: {hint}", Seconds(*.waited))]
    QueueFull {
        /// How long the call waited for room.
        waited: Duration,
        /// What to do.
        hint: String,
    },

    /// A flush that ended before everything was acknowledged.
    #[error("{left} packets not delivered within {}", Seconds(*.waited))]
    FlushTimeout {
        /// Packets without an outcome.
        left: usize,
        /// How long the flush waited.
        waited: Duration,
    },

    /// A session nobody has written.
    #[error("session '{}' not found{}", Printable(.key), InDataSource(.data_source))]
    UnknownSession {
        /// The session key.
        key: String,
        /// The data source it was looked up in, if one was named.
        data_source: Option<String>,
    },

    /// An operation the session's state does not allow.
    #[error("session '{}' {reason}", Printable(.key))]
    Session {
        /// The session key.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },

    /// A data format id nobody has defined.
    #[error("data format {id} not found in data source '{}'", Printable(.data_source))]
    UnknownFormat {
        /// The id.
        id: u64,
        /// The data source it was looked up in.
        data_source: String,
    },

    /// A list of identifiers that cannot be a data format.
    #[error("invalid identifier list: {0}")]
    InvalidFormat(String),

    /// Something did not happen in time.
    #[error("{what} did not finish within {}", Seconds(*.waited))]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },

    /// Used after it was closed.
    #[error("{0} is closed")]
    Closed(String),

    /// A wait that was called off (Ctrl-C, or a close from elsewhere).
    #[error("{0} was interrupted")]
    Interrupted(String),

    /// The embedded broker's memory or disk budget is used up.
    #[error("embedded broker: {0}")]
    Embedded(String),

    /// The operating system refused.
    #[error("{what}: {reason}")]
    Io {
        /// The file, folder or address.
        what: String,
        /// The system's words.
        reason: String,
    },
}

/// The class of an error; each one is an exception type in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting or argument to change.
    Config,
    /// The broker: unreachable, refusing, failing.
    Kafka,
    /// Bytes that cannot be decoded.
    Decode,
    /// Session state.
    Session,
    /// Data formats.
    Format,
    /// Too slow.
    Timeout,
    /// Used after close.
    Closed,
    /// Called off.
    Interrupted,
    /// Everything of the operating system.
    Io,
}

impl Error {
    /// The class this error belongs to.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_)
            | Self::Invalid(_)
            | Self::Name { .. }
            | Self::UnmappedStream(_)
            | Self::TooLarge { .. } => ErrorKind::Config,
            Self::Unreachable { .. }
            | Self::Authentication { .. }
            | Self::Denied { .. }
            | Self::Kafka { .. }
            | Self::Embedded(_) => ErrorKind::Kafka,
            Self::Decode { .. } => ErrorKind::Decode,
            Self::UnknownSession { .. } | Self::Session { .. } => ErrorKind::Session,
            Self::UnknownFormat { .. } | Self::InvalidFormat(_) => ErrorKind::Format,
            Self::QueueFull { .. } | Self::FlushTimeout { .. } | Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Closed(_) => ErrorKind::Closed,
            Self::Interrupted(_) => ErrorKind::Interrupted,
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// A stable name of the variant, for programs and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Invalid(_) => "invalid",
            Self::Unreachable { .. } => "unreachable",
            Self::Authentication { .. } => "authentication",
            Self::Denied { .. } => "denied",
            Self::Kafka { .. } => "kafka",
            Self::Name { .. } => "name",
            Self::UnmappedStream(_) => "unmapped_stream",
            Self::Decode { .. } => "decode",
            Self::TooLarge { .. } => "too_large",
            Self::QueueFull { .. } => "queue_full",
            Self::FlushTimeout { .. } => "flush_timeout",
            Self::UnknownSession { .. } => "unknown_session",
            Self::Session { .. } => "session",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::InvalidFormat(_) => "invalid_format",
            Self::Timeout { .. } => "timeout",
            Self::Closed(_) => "closed",
            Self::Interrupted(_) => "interrupted",
            Self::Embedded(_) => "embedded",
            Self::Io { .. } => "io",
        }
    }

    /// An [`Error::Io`] from the system's error and the thing it happened to.
    #[must_use]
    pub fn io(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self::Io { what: what.into(), reason: error.to_string() }
    }

    /// An [`Error::Decode`].
    #[must_use]
    pub fn decode(what: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Decode { what: what.into(), reason: reason.to_string() }
    }
}

/// A name from outside, made safe for a terminal: what steers one is escaped, long ones are cut.
///
/// Escaped are control characters, the invisible ones that turn the direction of writing or join and hide others, line
/// and paragraph separators, and what is no character at all. Letters of all scripts stay, with their combining marks.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 300;
        for (count, c) in self.0.chars().enumerate() {
            if count == LONGEST {
                return f.write_str("…");
            }
            write_printable(f, c)?;
        }
        Ok(())
    }
}

/// The character, or its escape as in Rust's own texts. Quotes and backslashes steer nothing and stay.
fn write_printable(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if c.is_ascii_graphic() || c == ' ' {
        return f.write_char(c);
    }
    // At the beginning of a text a combining mark would be escaped too; here it stands behind what it belongs to.
    let mut bytes = [b'x', 0, 0, 0, 0];
    let length = c.encode_utf8(&mut bytes[1..]).len();
    let text = std::str::from_utf8(&bytes[..=length]).unwrap_or_default();
    text.escape_debug().skip(1).try_for_each(|c| f.write_char(c))
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", (self.0.as_secs_f64() * 1000.0).round() / 1000.0)
    }
}

struct InDataSource<'a>(&'a Option<String>);

impl fmt::Display for InDataSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " in data source '{}'", Printable(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_thing_and_the_time() {
        let error = Error::UnknownSession { key: "k".into(), data_source: Some("CarA".into()) };
        assert_eq!(error.to_string(), "session 'k' not found in data source 'CarA'");
        let error = Error::FlushTimeout { left: 3, waited: Duration::from_millis(1500) };
        assert_eq!(error.to_string(), "3 packets not delivered within 1.5 s");
    }

    #[test]
    fn control_characters_in_names_never_reach_a_terminal() {
        let error = Error::UnmappedStream("a\u{1b}[2Jb\n".into());
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn invisible_characters_are_shown_and_letters_of_all_scripts_stay() {
        let shown = |text: &str| Printable(text).to_string();
        for (hidden, escape) in [
            ("\u{202e}", "\\u{202e}"),
            ("\u{2066}", "\\u{2066}"),
            ("\u{200b}", "\\u{200b}"),
            ("\u{feff}", "\\u{feff}"),
            ("\u{2028}", "\\u{2028}"),
            ("\u{9b}", "\\u{9b}"),
            ("\u{e000}", "\\u{e000}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\r", "\\r"),
            ("\0", "\\0"),
        ] {
            assert_eq!(shown(&format!("a{hidden}b")), format!("a{escape}b"));
        }
        for plain in ["Zandvoort · größe", "gro\u{308}ße", "速度", "सत्र", "it's \"C:\\x\"", ""] {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(shown(&"x".repeat(301)), format!("{}…", "x".repeat(300)));
        assert_eq!(shown(&"x".repeat(300)), "x".repeat(300));
    }
}
