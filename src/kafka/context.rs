//! What librdkafka says on the side: its log lines and errors, remembered for the message a user sees and for the health
//! of its client, and passed on to `log` without flooding it; and its statistics, of which the last are kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;

use crate::time::now_ns;

/// The same line is passed on once in this time.
const QUIET: Duration = Duration::from_secs(30);

/// The last problem a client met.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) reason: String,
    /// The broker answered and refused who we are, or TLS could not be agreed on.
    pub(crate) refused: bool,
}

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What, in words.
    pub reason: String,
    /// When, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
}

/// librdkafka's statistics of one client, as it told them last.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// When, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// The JSON that librdkafka documents as STATISTICS.md.
    pub json: Arc<str>,
    /// Requests that were sent again, to all brokers.
    pub retried: u64,
}

/// The part of the statistics that is looked into here.
#[derive(Deserialize)]
struct Figures {
    #[serde(default)]
    brokers: HashMap<String, BrokerFigures>,
}

#[derive(Deserialize)]
struct BrokerFigures {
    #[serde(default)]
    txretries: u64,
}

/// Listens to one client of librdkafka.
#[derive(Default)]
pub(crate) struct Context {
    problem: Mutex<Option<Problem>>,
    lines: Mutex<HashMap<u64, Instant>>,
    /// The last problem, also when it is over.
    last: Mutex<Option<Trouble>>,
    /// The last failure of the connection to each broker, by `host:port`.
    failures: Mutex<HashMap<String, Trouble>>,
    statistics: Mutex<Option<Statistics>>,
}

impl Context {
    /// The last problem, also when it is over.
    pub(crate) fn last(&self) -> Option<Trouble> {
        self.last.lock().clone()
    }

    /// The last failure of the connection to each broker, by `host:port`.
    pub(crate) fn failures(&self) -> HashMap<String, Trouble> {
        self.failures.lock().clone()
    }

    /// What librdkafka told last; nothing while `statistics.interval.ms` is 0.
    pub(crate) fn statistics(&self) -> Option<Statistics> {
        self.statistics.lock().clone()
    }

    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.lock().clone()
    }

    pub(crate) fn forget(&self) {
        *self.problem.lock() = None;
    }

    fn remember(&self, text: &str) {
        let refused =
            ["SSL handshake failed", "SASL", "Authentication", "authentication", "possibly connecting to SSL"]
                .iter()
                .any(|sign| text.contains(sign));
        let trouble = Trouble { reason: explain(text), at_ns: now_ns() };
        if let Some(broker) = broker_of(text) {
            self.failures.lock().insert(broker.to_string(), trouble.clone());
        }
        *self.last.lock() = Some(trouble);
        let mut problem = self.problem.lock();
        // A refusal explains more than the disconnect that follows it.
        if problem.as_ref().is_none_or(|old| !old.refused || refused) {
            *problem = Some(Problem { reason: explain(text), refused });
        }
    }

    /// Whether a line like this was not passed on a moment ago. Digits, the name of a thread in front and the time in
    /// brackets behind do not make it another line, so a failure that is logged and also reported is passed on once.
    fn is_news(&self, text: &str) -> bool {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        let core = text.split_once("]: ").map_or(text, |(_, rest)| rest);
        let core = core.split(" (after ").next().unwrap_or(core);
        core.chars().filter(|c| !c.is_ascii_digit()).for_each(|c| c.hash(&mut hasher));
        let mut lines = self.lines.lock();
        let now = Instant::now();
        if lines.len() > 200 {
            lines.retain(|_, at| now.duration_since(*at) < QUIET);
        }
        let last = lines.insert(hasher.finish(), now);
        last.is_none_or(|at| now.duration_since(at) >= QUIET)
    }
}

/// The `host:port` that a line is about: they begin with it and the broker's number, behind the name of the thread.
fn broker_of(text: &str) -> Option<&str> {
    let text = text.split_once("]: ").map_or(text, |(_, rest)| rest);
    let (name, _) = text.split_once(": ")?;
    let (address, _) = name.rsplit_once('/')?;
    let address = address.split_once("://").map_or(address, |(_, address)| address);
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok()).then_some(address)
}

/// librdkafka's line without its thread names, with a remedy where the cause is known.
fn explain(text: &str) -> String {
    let text = text.split_once("]: ").map_or(text, |(_, rest)| rest).trim();
    let hint = if text.contains("possibly connecting to SSL") || text.contains("wrong version number") {
        "; one side speaks TLS and the other does not: check the security protocol and the port"
    } else if text.contains("Connection refused") {
        "; is a broker listening there? check host and port"
    } else if text.contains("resolve") {
        "; the host name is not known: check its spelling"
    } else if text.contains("certificate verify failed") || text.contains("unable to get local issuer") {
        "; the broker's certificate is not trusted: give the authority's PEM file as ssl_ca_location"
    } else if text.contains("SASL") || text.contains("uthentication") {
        "; check user name, password and mechanism"
    } else {
        ""
    };
    format!("{text}{hint}")
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if facility == "CONFWARN" {
            // One set of properties serves producers and consumers; that one of them ignores some is no news.
            log::debug!(target: "telewire::kafka", "{text}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                self.remember(text);
                if self.is_news(text) {
                    log::warn!(target: "telewire::kafka", "{facility}: {text}");
                }
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                if facility == "FAIL" {
                    self.remember(text);
                }
                if self.is_news(text) {
                    log::info!(target: "telewire::kafka", "{facility}: {text}");
                }
            }
            RDKafkaLogLevel::Debug => log::debug!(target: "telewire::kafka", "{facility}: {text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Of brokers that are all down, each one's own failure was said before, and says more. The end of a partition is no
        // failure; it comes here when a consumer that had reached one is closed.
        if matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::PartitionEOF))
        {
            return;
        }
        self.remember(reason);
        if self.is_news(reason) {
            log::warn!(target: "telewire::kafka", "{error}: {reason}");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let json = String::from_utf8_lossy(statistics);
        log::trace!(target: "telewire::kafka::statistics", "{json}");
        let figures = serde_json::from_str::<Figures>(&json);
        let retried = figures.map_or(0, |figures| figures.brokers.values().map(|broker| broker.txretries).sum());
        *self.statistics.lock() = Some(Statistics { at_ns: now_ns(), json: json.into(), retried });
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refusal_is_not_hidden_by_the_disconnect_after_it() {
        let context = Context::default();
        context.remember("[thrd:sasl]: 1/bootstrap: SASL authentication error: bad password");
        context.remember("[thrd:x]: 1/bootstrap: Disconnected");
        let problem = context.problem().unwrap();
        assert!(problem.refused);
        assert!(problem.reason.contains("check user name"));
    }

    #[test]
    fn the_end_of_a_partition_is_no_problem_of_the_connection() {
        let context = Context::default();
        context
            .error(KafkaError::Global(RDKafkaErrorCode::PartitionEOF), "Fetch from broker 1 reached end of partition");
        assert!(context.problem().is_none());
        context.error(KafkaError::Global(RDKafkaErrorCode::Authentication), "no such user");
        assert!(context.problem().is_some());
    }

    #[test]
    fn a_failure_is_remembered_for_the_broker_it_is_about() {
        let context = Context::default();
        for (line, broker) in [
            ("[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Disconnected (after 3000ms in state UP)", "127.0.0.1:9092"),
            ("sasl_ssl://kafka-2.example:9093/bootstrap: SASL authentication error: no", "kafka-2.example:9093"),
            ("[::1]:9092/7: Connect to ipv6#[::1]:9092 failed: Connection refused", "[::1]:9092"),
        ] {
            context.remember(line);
            assert!(context.failures().contains_key(broker), "{line}");
        }
        context.remember("GroupCoordinator: telewire: no coordinator");
        assert_eq!(context.failures().len(), 3);
        assert!(context.last().unwrap().reason.contains("no coordinator"));
    }

    #[test]
    fn the_last_statistics_are_kept_with_what_was_sent_again() {
        let context = Context::default();
        assert!(context.statistics().is_none());
        context.stats_raw(br#"{"brokers": {"a:1/1": {"txretries": 2}, "b:1/2": {"txretries": 3}}, "topics": {}}"#);
        let found = context.statistics().unwrap();
        assert_eq!(found.retried, 5);
        assert!(found.json.starts_with('{') && found.at_ns > 0);
    }

    #[test]
    fn the_same_line_is_passed_on_once() {
        let context = Context::default();
        assert!(context.is_news("broker 1 down after 17 ms"));
        assert!(!context.is_news("broker 1 down after 18 ms"));
        assert!(context.is_news("another line"));
        assert!(context.is_news("[thrd:1]: 127.0.0.1:9/1: Connect failed: refused (after 0ms in state CONNECT)"));
        assert!(!context.is_news("127.0.0.1:9/1: Connect failed: refused (after 2ms in state CONNECT, 1 suppressed)"));
    }
}
