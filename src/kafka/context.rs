//! What librdkafka says on the side: its log lines and errors, remembered for the message a user sees, and passed on
//! to `log` without flooding it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The same line is passed on once in this time.
const QUIET: Duration = Duration::from_secs(30);

/// The last problem a client met.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) reason: String,
    /// The broker answered and refused who we are, or TLS could not be agreed on.
    pub(crate) refused: bool,
}

/// Listens to one client of librdkafka.
#[derive(Default)]
pub(crate) struct Context {
    problem: Mutex<Option<Problem>>,
    lines: Mutex<HashMap<u64, Instant>>,
}

impl Context {
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
        log::trace!(target: "telewire::kafka::statistics", "{}", String::from_utf8_lossy(statistics));
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
    fn the_same_line_is_passed_on_once() {
        let context = Context::default();
        assert!(context.is_news("broker 1 down after 17 ms"));
        assert!(!context.is_news("broker 1 down after 18 ms"));
        assert!(context.is_news("another line"));
        assert!(context.is_news("[thrd:1]: 127.0.0.1:9/1: Connect failed: refused (after 0ms in state CONNECT)"));
        assert!(!context.is_news("127.0.0.1:9/1: Connect failed: refused (after 2ms in state CONNECT, 1 suppressed)"));
    }
}
