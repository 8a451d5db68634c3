//! What librdkafka says on the side: its log lines and errors, remembered for the message a user sees and for the health
//! of its client, and passed on to `log` without flooding it; and its statistics, of which the last are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};
use serde::Deserialize;

use super::{certificate, pem};
use crate::error::{Error, Printable};
use crate::sync::Mutex;
use crate::time::now_ns;

/// The same line is passed on once in this time.
const QUIET: Duration = Duration::from_secs(30);

/// The last problem a client met.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) reason: String,
    pub(crate) weight: Weight,
}

/// How much a problem explains. One that explains more is not replaced by one that explains less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// The connection failed, now; it may succeed the next time.
    Passing,
    /// The broker answered and refused who we are, or TLS could not be agreed on.
    Refused,
    /// The same, and the very reason is known.
    Exact,
}

/// What a client proves of itself: tells refusals apart that librdkafka words alike.
#[derive(Debug, Default)]
struct Proof {
    encrypted: bool,
    /// Where the authorities are that we trust.
    authorities: Option<String>,
    user: Option<String>,
    certificate: Option<String>,
}

impl Proof {
    fn of(config: &ClientConfig) -> Self {
        let protocol = config.get("security.protocol").unwrap_or_default().to_ascii_lowercase();
        let given = |key: &str| config.get(key).filter(|value| !value.is_empty()).map(str::to_owned);
        let encrypted = protocol.ends_with("ssl");
        let file = ["ssl.certificate.location", "ssl.keystore.location"].into_iter().find_map(given);
        let certificate = file.or_else(|| given("ssl.certificate.pem").map(|_| "memory".into()));
        Self {
            encrypted,
            authorities: given("ssl.ca.location"),
            user: given("sasl.username").filter(|_| protocol.starts_with("sasl")),
            certificate: certificate.filter(|_| encrypted),
        }
    }

    /// Which authorities a certificate was held against.
    fn trusted(&self) -> String {
        match self.authorities.as_deref() {
            Some(pem::PROBE) => "; no authorities were found where systems usually keep them".into(),
            Some(path) => format!("; trusted are those in '{}'", Printable(path)),
            None => String::new(),
        }
    }

    /// Whom the broker takes us for.
    fn who(&self) -> String {
        match (&self.user, &self.certificate) {
            (Some(user), _) => format!("user '{}'", Printable(user)),
            (None, Some(file)) => format!("the owner of the certificate in '{}'", Printable(file)),
            (None, None) => "whoever gives no name".into(),
        }
    }
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
    proof: Proof,
    /// Its group id is made up: nobody shares a group, and no right to one is needed.
    alone: bool,
    problem: Mutex<Option<Problem>>,
    lines: Mutex<HashMap<u64, Instant>>,
    /// The last problem, also when it is over.
    last: Mutex<Option<Trouble>>,
    /// The last failure of the connection to each broker, by `host:port`.
    failures: Mutex<HashMap<String, Trouble>>,
    statistics: Mutex<Option<Statistics>>,
}

impl Context {
    /// For a client with this configuration.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        Self { proof: Proof::of(config), ..Self::default() }
    }

    /// The same for a consumer that shares no group.
    pub(crate) fn of_one_alone(config: &ClientConfig) -> Self {
        Self { alone: true, ..Self::of(config) }
    }

    /// Whether an error says something that matters. Of brokers that are all down, each one's own failure was said before,
    /// and says more. The end of a partition is no failure; it comes here when a consumer that had reached one is closed.
    /// A consumer that shares no group asks for its coordinator all the same, and does without.
    pub(crate) fn matters(&self, error: &KafkaError) -> bool {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::PartitionEOF) => false,
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => !self.alone,
            _ => true,
        }
    }

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

    /// The error for a right that lacks.
    pub(crate) fn denied(&self, operation: impl Into<String>, right: &'static str, what: What<'_>) -> Error {
        let code = match what {
            What::Topic(_) => "TOPIC_AUTHORIZATION_FAILED",
            What::Group(_) => "GROUP_AUTHORIZATION_FAILED",
            What::AnyTopic => "CLUSTER_AUTHORIZATION_FAILED",
        };
        Error::Denied { operation: operation.into(), who: self.proof.who(), right, what: what.to_string(), code }
    }

    fn remember(&self, text: &str) {
        let new = self.explain(text);
        let trouble = Trouble { reason: new.reason.clone(), at_ns: now_ns() };
        if let Some(broker) = broker_of(text) {
            self.failures.lock().insert(broker.to_string(), trouble.clone());
        }
        *self.last.lock() = Some(trouble);
        let mut problem = self.problem.lock();
        // A refusal explains more than the disconnect that follows it.
        if problem.as_ref().is_none_or(|old| new.weight >= old.weight) {
            *problem = Some(new);
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

/// What a right is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    Topic(&'a str),
    Group(&'a str),
    /// Kafka gives the idempotent producer its number only to those who may write to some topic.
    AnyTopic,
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic '{}'", Printable(name)),
            Self::Group(name) => write!(f, "group '{}'", Printable(name)),
            Self::AnyTopic => f.write_str("every topic"),
        }
    }
}

/// The milliseconds at the end of librdkafka's line: for how long it had been in a state when it failed.
fn after_ms(text: &str, state: &str) -> Option<u64> {
    let (time, rest) = text.rsplit_once("(after ")?.1.split_once("ms in state ")?;
    rest.starts_with(state).then(|| time.parse().ok())?
}

impl Context {
    /// librdkafka's line without its thread names and counters, with a remedy where the cause is known.
    fn explain(&self, text: &str) -> Problem {
        let text = text.split_once("]: ").map_or(text, |(_, rest)| rest).trim();
        if let Some(mut reason) = certificate::refusal(text) {
            if reason.contains(certificate::UNTRUSTED) {
                reason.push_str(&self.proof.trusted());
            }
            return Problem { reason, weight: Weight::Exact };
        }
        let (weight, hint) = self.hint(text);
        let line = text.rsplit_once(" (after ").map_or(text, |(line, _)| line);
        let reason = if hint.is_empty() { line.to_string() } else { format!("{line}; {hint}") };
        Problem { reason, weight }
    }

    fn hint(&self, text: &str) -> (Weight, &'static str) {
        use Weight::{Exact, Passing, Refused};
        let has = |part: &str| text.contains(part);
        let closed = has("isconnected") || has("Broken pipe") || has("Connection reset");
        if has("No matching issuer found in server trusted") {
            return (
                Exact,
                "our certificate was not sent, because the broker does not accept its authority: give one that the broker's \
                 authority for clients has signed (ssl_certificate_location)",
            );
        }
        if has("SSL alert") || has("alert bad certificate") || has("alert certificate required") {
            return match self.proof.certificate {
                None => (
                    Refused,
                    "the broker asks clients for a certificate and has been given none: give ssl_certificate_location and \
                     ssl_key_location",
                ),
                Some(_) => {
                    (Refused, "the broker refuses our certificate: is it of the right authority, and not expired?")
                }
            };
        }
        if has("wrong version number") || has("PLAINTEXT broker listener") {
            return (Refused, "the listener speaks no TLS: check the security protocol and the port");
        }
        if has("certificate verify failed") {
            return (
                Refused,
                "the broker's certificate is not trusted: give the authority's PEM file as ssl_ca_location",
            );
        }
        if has("Unsupported SASL mechanism") {
            return (Refused, "choose one of these as the SASL mechanism");
        }
        if has("Request not valid in current SASL state") {
            return (
                Refused,
                "this listener asks for no user and password: use protocol plaintext or ssl, or another port of the broker",
            );
        }
        if has("SASL authentication error") || has("SASL SCRAM") {
            return (
                Refused,
                "user name or password is wrong (the broker does not say which), or not meant for this mechanism",
            );
        }
        if has("SASL") || has("uthentication") || has("SSL handshake failed") {
            return (Refused, "check security protocol, user name, password, mechanism and certificates");
        }
        if has("Connection refused") {
            return (Passing, "is a broker listening there? check host and port");
        }
        if has("resolve") {
            return (Passing, "the host name is not known: check its spelling");
        }
        if closed && !self.proof.encrypted && after_ms(text, "APIVERSION_QUERY").is_some() {
            return (
                Passing,
                "if this repeats, the broker's listener may speak TLS, which this client does not: check the security protocol \
                 (ssl, sasl_ssl) and the port",
            );
        }
        if closed && self.proof.user.is_none() && after_ms(text, "UP").is_some_and(|ms| ms < 2000) {
            return (
                Passing,
                "if this repeats, the broker's listener asks for a user and a password: check the security protocol \
                 (sasl_plaintext, sasl_ssl) and the port",
            );
        }
        (Passing, "")
    }
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
        if !self.matters(&error) {
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
        assert_eq!(problem.weight, Weight::Refused);
        assert!(problem.reason.contains("user name or password is wrong"));
    }

    #[test]
    fn the_exact_reason_is_not_hidden_by_the_failed_handshake_after_it() {
        let context = Context::default();
        context.remember("b: Certificate (subject=/CN=b, issuer=/CN=a) verification callback failed: it has expired");
        context.remember("b: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed");
        assert_eq!(context.problem().unwrap().reason, "it has expired (subject=/CN=b, issuer=/CN=a)");
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_with_the_authorities_it_was_held_against() {
        let told = |location: &str| {
            let mut config = ClientConfig::new();
            config.set("ssl.ca.location", location);
            let context = Context::of(&config);
            context.remember("b: Certificate (subject=/CN=b, issuer=/CN=a) verification callback failed: it is signed by an authority that is not trusted here");
            context.problem().unwrap().reason
        };
        assert!(told("/etc/ssl/cert.pem").ends_with("; trusted are those in '/etc/ssl/cert.pem'"));
        assert!(told(pem::PROBE).ends_with("; no authorities were found where systems usually keep them"));
    }

    #[test]
    fn a_closed_connection_is_explained_by_what_the_client_proves() {
        let with = |settings: &[(&str, &str)], line: &str| {
            let mut config = ClientConfig::new();
            settings.iter().for_each(|(key, value)| {
                config.set(*key, *value);
            });
            let context = Context::of(&config);
            context.remember(line);
            context.problem().unwrap().reason
        };
        let early = "h:1/bootstrap: Disconnected: closed by peer (after 1ms in state APIVERSION_QUERY, 1 suppressed)";
        let up = "h:1/bootstrap: Send failed: Broken pipe (after 0ms in state UP)";
        let alert =
            "h:1/bootstrap: Receive failed: ssl/tls alert bad certificate: SSL alert number 42 (after 2ms in state X)";
        assert!(with(&[], early).contains("may speak TLS"));
        assert!(!with(&[("security.protocol", "ssl")], early).contains("may speak TLS"));
        assert!(with(&[], up).contains("asks for a user"));
        assert!(!with(&[], "h: Disconnected (after 45000ms in state UP)").contains("asks for a user"));
        let user = [("security.protocol", "sasl_plaintext"), ("sasl.username", "me")];
        assert!(!with(&user, up).contains("asks for a user"));
        assert!(with(&[("security.protocol", "ssl")], alert).contains("has been given none"));
        let certificate = [("security.protocol", "ssl"), ("ssl.certificate.location", "/c.pem")];
        assert!(with(&certificate, alert).contains("refuses our certificate"));
    }

    #[test]
    fn a_right_that_lacks_is_told_with_whom_and_on_what() {
        let mut config = ClientConfig::new();
        config.set("security.protocol", "SASL_SSL").set("sasl.username", "car");
        let error = Context::of(&config).denied("writing", "Write", What::Topic("T"));
        let text = error.to_string();
        assert_eq!(error.code(), "denied");
        assert!(text.contains("user 'car' lacks the right Write on topic 'T'"), "{text}");
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
    fn the_right_to_a_group_is_missed_by_members_of_one_only() {
        let error = KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed);
        assert!(!Context::of_one_alone(&ClientConfig::new()).matters(&error));
        assert!(Context::of(&ClientConfig::new()).matters(&error));
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
