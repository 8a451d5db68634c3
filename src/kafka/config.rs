//! What librdkafka is told: our defaults, the user's properties, and what may not be combined.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::error::{Error, Printable, Result};

/// The default limit of one packet and of one produced batch, in bytes: a stock topic takes 1,048,588 per batch, and
/// Kafka limits the compressed batch, not the packet.
pub const MESSAGE_MAX_BYTES: usize = 1_000_000;

/// Who we are for the broker, and whom we trust. Applied to producers, consumers and administration alike.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`, in any case, with or without the underscore.
    pub protocol: Option<String>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, also as `ScramSha256`.
    pub mechanism: Option<String>,
    /// The user's name.
    pub sasl_username: Option<String>,
    /// The user's password; never shown.
    pub sasl_password: Option<String>,
    /// A PEM file of certificate authorities to trust.
    pub ssl_ca_location: Option<String>,
    /// A PEM file with our certificate.
    pub ssl_certificate_location: Option<String>,
    /// A PEM file with our key.
    pub ssl_key_location: Option<String>,
    /// The key file's password; never shown.
    pub ssl_key_password: Option<String>,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "***");
        f.debug_struct("Security")
            .field("protocol", &self.protocol)
            .field("mechanism", &self.mechanism)
            .field("sasl_username", &self.sasl_username)
            .field("sasl_password", &hidden(&self.sasl_password))
            .field("ssl_ca_location", &self.ssl_ca_location)
            .field("ssl_certificate_location", &self.ssl_certificate_location)
            .field("ssl_key_location", &self.ssl_key_location)
            .field("ssl_key_password", &hidden(&self.ssl_key_password))
            .finish()
    }
}

impl Security {
    /// The librdkafka properties of this section; none when nothing is set.
    ///
    /// # Errors
    /// [`Error::Config`] when certificates are given without a protocol (TLS is not guessed), for an unknown protocol or
    /// mechanism, and for a SASL protocol without user and password.
    pub fn properties(&self) -> Result<Vec<(&'static str, String)>> {
        let given = |field: &Option<String>| field.as_ref().filter(|text| !text.is_empty()).cloned();
        let (user, password) = (given(&self.sasl_username), given(&self.sasl_password));
        let files = [
            ("ssl.ca.location", given(&self.ssl_ca_location)),
            ("ssl.certificate.location", given(&self.ssl_certificate_location)),
            ("ssl.key.location", given(&self.ssl_key_location)),
            ("ssl.key.password", given(&self.ssl_key_password)),
        ];
        let any_file = files.iter().any(|(_, value)| value.is_some());
        let protocol = match given(&self.protocol) {
            Some(text) => match text.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
                "plaintext" => "plaintext",
                "ssl" | "tls" => "ssl",
                "saslplaintext" => "sasl_plaintext",
                "saslssl" => "sasl_ssl",
                _ => {
                    return Err(Error::Config(format!(
                        "security protocol '{text}' is not known; use plaintext, ssl, sasl_plaintext or sasl_ssl"
                    )));
                }
            },
            None if any_file => {
                return Err(Error::Config(
                    "certificates are given but no security protocol; say which: plaintext, ssl, sasl_plaintext or sasl_ssl".into(),
                ));
            }
            None if user.is_some() => "sasl_plaintext",
            None => return Ok(Vec::new()),
        };
        let mut properties = vec![("security.protocol", protocol.to_string())];
        if protocol.starts_with("sasl") {
            let mechanism = match given(&self.mechanism) {
                None => "PLAIN",
                Some(text) => match text.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
                    "plain" => "PLAIN",
                    "scramsha256" => "SCRAM-SHA-256",
                    "scramsha512" => "SCRAM-SHA-512",
                    _ => {
                        return Err(Error::Config(format!(
                            "SASL mechanism '{text}' is not known; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
                        )));
                    }
                },
            };
            let (Some(user), Some(password)) = (user, password) else {
                return Err(Error::Config(format!(
                    "security protocol {protocol} needs sasl_username and sasl_password"
                )));
            };
            properties.push(("sasl.mechanism", mechanism.to_string()));
            properties.push(("sasl.username", user));
            properties.push(("sasl.password", password));
        }
        if protocol.ends_with("ssl") {
            properties.extend(files.into_iter().filter_map(|(key, value)| Some((key, value?))));
        }
        Ok(properties)
    }
}

/// How to reach a broker, and the librdkafka properties that the user changes.
#[derive(Clone, Default)]
pub struct Settings {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Who we are.
    pub security: Security,
    /// librdkafka properties of every client.
    pub common: BTreeMap<String, String>,
    /// librdkafka properties of the producer.
    pub producer: BTreeMap<String, String>,
    /// librdkafka properties of consumers.
    pub consumer: BTreeMap<String, String>,
    /// Undelivered packets are kept and retried for ever instead of failing after `message.timeout.ms`.
    pub wait_for_outage: bool,
    /// How often producers and consumers tell their statistics; zero for never.
    pub statistics: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |map: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            map.iter().map(|(k, v)| (k.clone(), if is_secret(k) { "***".into() } else { v.clone() })).collect()
        };
        f.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("security", &self.security)
            .field("common", &masked(&self.common))
            .field("producer", &masked(&self.producer))
            .field("consumer", &masked(&self.consumer))
            .finish_non_exhaustive()
    }
}

/// Whether a property's value must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "pem", "oauthbearer.config", "jaas"].iter().any(|part| key.contains(part))
}

/// Whether a switch of librdkafka is off.
pub(super) fn is_false(value: &str) -> bool {
    ["false", "f", "0"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// Where systems keep the authorities that they trust: Debian and Ubuntu, Fedora and Red Hat (up to 42, and from 43 on),
/// openSUSE, Alpine and macOS.
const USUAL: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What librdkafka is told where no authority is named, because the OpenSSL that is linked in knows none: the file or folder
/// that OpenSSL's variables name, else the first of the usual files that is good. Without any, librdkafka looks at rarer
/// places, and in the store of Windows.
fn system_authorities(variable: impl Fn(&str) -> Option<String>, good: impl Fn(&str) -> bool) -> String {
    let named = |name: &str| variable(name).filter(|path| !path.is_empty());
    let usual = || USUAL.into_iter().find(|path| good(path)).map(str::to_owned);
    named("SSL_CERT_FILE").or_else(|| named("SSL_CERT_DIR")).or_else(usual).unwrap_or_else(|| super::pem::PROBE.into())
}

/// librdkafka skips what it cannot read in a list of addresses and takes a port modulo 65,536: mistakes are found here.
fn check_brokers(brokers: &str) -> Result<()> {
    let example = "use host:port, several separated by commas, or embedded:// for a broker started here";
    if brokers.trim().is_empty() {
        return Err(Error::Config(format!("no broker given; {example}")));
    }
    for address in brokers.split(',').map(str::trim) {
        if address.contains('@') {
            // Not shown: what stands before it may be a password.
            return Err(Error::Config(
                "a broker address holds no user and password; give them as security settings sasl_username and sasl_password"
                    .into(),
            ));
        }
        // A security protocol may stand in front of the address.
        let place = address.split_once("://").map_or(address, |(_, place)| place);
        // The port stands behind the last colon, unless that colon is part of an IPv6 address.
        let port = place.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if place.is_empty() || place.starts_with(':') || place.contains(char::is_whitespace) || place.contains('/') {
            return Err(Error::Config(format!("broker address '{}' names no host; {example}", Printable(address))));
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err(Error::Config(format!(
                "broker address '{}' has no port from 1 to 65535 behind its colon; {example}",
                Printable(address)
            )));
        }
    }
    Ok(())
}

/// What the property `debug` asks for is told as debug lines, which librdkafka keeps back unless its level says otherwise.
fn let_debug_through(config: &mut ClientConfig) {
    if config.get("debug").is_some_and(|topics| !topics.trim().is_empty()) {
        config.set_log_level(RDKafkaLogLevel::Debug);
    }
}

/// Consumer properties that belong to the reader, not to a file of overrides.
const READERS_OWN: [&str; 6] = [
    "bootstrap.servers",
    "group.id",
    "auto.offset.reset",
    "enable.partition.eof",
    "enable.auto.offset.store",
    "enable.auto.commit",
];

/// Whether a client speaks TLS.
fn is_encrypted(config: &ClientConfig) -> bool {
    config.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"))
}

impl Settings {
    fn base(&self) -> Result<ClientConfig> {
        check_brokers(&self.brokers)?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "telewire")
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.max.ms", "1000")
            // Doubled with each failure. librdkafka also lets half of it pass between its first two connections, which
            // would be most of the time in which a reader is opened.
            .set("reconnect.backoff.ms", "20")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.refresh.interval.ms", "60000")
            // A first look at a topic that was just created elsewhere must not be answered from a negative cache.
            .set("topic.metadata.propagation.max.ms", "5000")
            .set_log_level(RDKafkaLogLevel::Info);
        for (key, value) in self.security.properties()? {
            config.set(key, value);
        }
        for (key, value) in &self.common {
            if key != "bootstrap.servers" {
                config.set(key, value);
            }
        }
        Ok(config)
    }

    /// Completes a configuration with what its security needs, and looks at the files that it names.
    fn secured(mut config: ClientConfig) -> Result<ClientConfig> {
        if config.get("ssl.ca.location").is_none_or(str::is_empty) && config.get("ssl.ca.pem").is_none() {
            let authorities = match is_encrypted(&config) {
                true => system_authorities(|name| std::env::var(name).ok(), super::pem::is_pem),
                false => super::pem::PROBE.into(),
            };
            config.set("ssl.ca.location", authorities);
        }
        if is_encrypted(&config) {
            super::pem::check(&config)?;
        }
        Ok(config)
    }

    /// What a user should know before relying on the connection: checks that were switched off, passwords in the clear.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (whose, properties) in [("kafka", &self.common), ("producer", &self.producer), ("consumer", &self.consumer)]
        {
            let off = properties.get("enable.ssl.certificate.verification").is_some_and(|value| is_false(value));
            if off {
                warnings.push(format!(
                    "enable.ssl.certificate.verification is off (in {whose}): any broker is believed, and whoever stands between \
                     can read and change everything, the password included"
                ));
            }
            let name = properties.get("ssl.endpoint.identification.algorithm");
            if !off && name.is_some_and(|value| value.trim().eq_ignore_ascii_case("none")) {
                warnings.push(format!(
                    "ssl.endpoint.identification.algorithm is none (in {whose}): a certificate of any host is accepted as the \
                     broker's"
                ));
            }
        }
        let config = self.base();
        if config.is_ok_and(|config| {
            config.get("security.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("sasl_plaintext"))
                && config.get("sasl.mechanism").or_else(|| config.get("sasl.mechanisms")) == Some("PLAIN")
        }) {
            warnings.push(
                "security protocol sasl_plaintext with mechanism PLAIN sends the password unencrypted; use sasl_ssl, or a SCRAM \
                 mechanism where there is no TLS"
                    .into(),
            );
        }
        warnings
    }

    /// The producer's configuration and the warnings to log.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that contradict each other.
    pub fn producer(&self) -> Result<(ClientConfig, Vec<String>)> {
        let mut config = self.base()?;
        config.remove("allow.auto.create.topics");
        config.set("statistics.interval.ms", self.statistics.as_millis().to_string());
        let max = MESSAGE_MAX_BYTES.to_string();
        for (key, value) in [
            ("compression.type", "zstd"),
            ("linger.ms", "20"),
            ("batch.size", max.as_str()),
            ("message.max.bytes", max.as_str()),
            ("queue.buffering.max.messages", "2000000"),
            ("queue.buffering.max.kbytes", "2097152"),
            ("message.timeout.ms", if self.wait_for_outage { "0" } else { "600000" }),
        ] {
            config.set(key, value);
        }
        let mut user = self.common.clone();
        user.extend(self.producer.clone());
        user.remove("bootstrap.servers");
        for (key, value) in &user {
            config.set(key, value);
        }
        let asked = |keys: [&str; 2]| keys.iter().find_map(|key| user.get(*key)).map(|v| v.trim().to_ascii_lowercase());
        let acks = asked(["acks", "request.required.acks"]);
        let in_flight = asked(["max.in.flight.requests.per.connection", "max.in.flight"]);
        let mut conflicts = Vec::new();
        if let Some(acks) = acks.filter(|acks| acks != "all" && acks != "-1") {
            conflicts.push(format!("acks={acks}"));
        }
        if let Some(count) = in_flight.filter(|count| count.parse::<u64>().map_or(true, |n| n > 5)) {
            conflicts.push(format!("max.in.flight={count}"));
        }
        let idempotence = user.get("enable.idempotence").map(|v| v.trim().eq_ignore_ascii_case("true"));
        let mut warnings = Vec::new();
        match (idempotence, conflicts.is_empty()) {
            (Some(true), false) => {
                return Err(Error::Config(format!(
                    "enable.idempotence=true cannot live with {}; drop one of them",
                    conflicts.join(" and ")
                )));
            }
            (None, false) => {
                warnings.push(format!(
                    "{} switches the idempotent producer off: packets may be lost, doubled or reordered when the broker fails",
                    conflicts.join(" and ")
                ));
                config.set("enable.idempotence", "false");
            }
            (Some(_), _) => {}
            (None, true) => {
                config.set("enable.idempotence", "true").set("acks", "all");
                config.set("max.in.flight.requests.per.connection", "5");
            }
        }
        let_debug_through(&mut config);
        Ok((Self::secured(config)?, warnings))
    }

    /// The same, with consumers that hold so many bytes ahead of whoever takes them, unless that is set already.
    #[must_use]
    pub fn fetching_ahead(&self, bytes: usize) -> Self {
        let mut settings = self.clone();
        let key = "queued.max.messages.kbytes";
        if !self.common.contains_key(key) {
            settings.consumer.entry(key.into()).or_insert_with(|| (bytes >> 10).max(1).to_string());
        }
        settings
    }

    /// A consumer's configuration: `group` is the user's group id, or none for a private one that commits nothing.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that contradict each other.
    pub fn consumer(&self, group: Option<&str>) -> Result<ClientConfig> {
        let mut config = self.base()?;
        for (key, value) in [
            ("session.timeout.ms", "45000"),
            ("fetch.wait.max.ms", "100"),
            ("statistics.interval.ms", self.statistics.as_millis().to_string().as_str()),
            // librdkafka waits a second after a full queue; a live reader would stall.
            ("fetch.queue.backoff.ms", "20"),
            // And ten times this where a right is missing: reading goes on a second after it was given.
            ("fetch.error.backoff.ms", "100"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ] {
            config.set(key, value);
        }
        for (key, value) in self.common.iter().chain(&self.consumer) {
            if !READERS_OWN.contains(&key.as_str()) {
                config.set(key, value);
            }
        }
        let private = format!("telewire-{}", uuid::Uuid::new_v4());
        config
            .set("group.id", group.unwrap_or(&private))
            .set("enable.partition.eof", "true")
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", if group.is_some() { "true" } else { "false" })
            .set("auto.commit.interval.ms", "1000")
            // Positions are set by us and clamped to what exists; if retention overtakes a reader, nothing newer is skipped.
            .set("auto.offset.reset", "earliest");
        let_debug_through(&mut config);
        Self::secured(config)
    }

    /// The configuration of the client that asks for metadata, watermarks and topics.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that contradict each other.
    pub fn admin(&self) -> Result<ClientConfig> {
        let mut config = self.base()?;
        // Watermarks are the real end of the log, whatever transactions are open.
        config.set("isolation.level", "read_uncommitted");
        // Heard only when something is asked: statistics would pile up in between.
        config.remove("statistics.interval.ms");
        let_debug_through(&mut config);
        Self::secured(config)
    }

    /// The largest packet the producer takes, in bytes.
    #[must_use]
    pub fn message_max_bytes(&self) -> usize {
        let asked = self.producer.get("message.max.bytes").or_else(|| self.common.get("message.max.bytes"));
        asked.and_then(|v| v.parse().ok()).unwrap_or(MESSAGE_MAX_BYTES)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn settings() -> Settings {
        Settings { brokers: "localhost:9092".into(), ..Settings::default() }
    }

    #[test]
    fn the_producer_is_idempotent_and_its_batches_fit_a_stock_topic() {
        let (config, warnings) = settings().producer().unwrap();
        assert_eq!(config.get("enable.idempotence"), Some("true"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("batch.size"), Some("1000000"));
        assert_eq!(config.get("message.max.bytes"), Some("1000000"));
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_consumer_holds_as_much_ahead_as_it_is_told_unless_the_user_has_set_it() {
        let ahead = |settings: &Settings| {
            let config = settings.fetching_ahead(3 << 20).consumer(None).unwrap();
            config.get("queued.max.messages.kbytes").unwrap().to_owned()
        };
        let mut set = settings();
        assert_eq!(ahead(&set), "3072");
        set.common.insert("queued.max.messages.kbytes".into(), "77".into());
        assert_eq!(ahead(&set), "77");
        set.consumer.insert("queued.max.messages.kbytes".into(), "99".into());
        assert_eq!(ahead(&set), "99");
    }

    #[test]
    fn statistics_are_for_clients_that_are_always_heard_and_debug_lines_for_whoever_asks() {
        let mut set = settings();
        set.statistics = Duration::from_secs(5);
        let interval = |config: &ClientConfig| config.get("statistics.interval.ms").map(str::to_owned);
        assert_eq!(interval(&set.producer().unwrap().0).as_deref(), Some("5000"));
        assert_eq!(interval(&set.consumer(None).unwrap()).as_deref(), Some("5000"));
        set.common.insert("statistics.interval.ms".into(), "100".into());
        assert_eq!(interval(&set.consumer(None).unwrap()).as_deref(), Some("100"));
        assert_eq!(interval(&set.admin().unwrap()), None, "nobody polls it, and they would pile up");
        assert!(matches!(set.admin().unwrap().log_level, RDKafkaLogLevel::Info));
        set.consumer.insert("debug".into(), "fetch".into());
        assert!(matches!(set.consumer(None).unwrap().log_level, RDKafkaLogLevel::Debug));
        assert!(matches!(set.admin().unwrap().log_level, RDKafkaLogLevel::Info));
    }

    #[test]
    fn acks_1_switches_idempotence_off_with_a_warning_unless_it_was_asked_for() {
        let mut s = settings();
        s.producer.insert("acks".into(), "1".into());
        let (config, warnings) = s.producer().unwrap();
        assert_eq!(config.get("enable.idempotence"), Some("false"));
        assert!(warnings[0].contains("acks=1"));
        s.producer.insert("enable.idempotence".into(), "true".into());
        assert!(s.producer().unwrap_err().to_string().contains("acks=1"));
    }

    #[test]
    fn a_certificate_authority_alone_does_not_choose_a_protocol() {
        let security = Security { ssl_ca_location: Some("ca.pem".into()), ..Security::default() };
        let message = security.properties().unwrap_err().to_string();
        for choice in ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] {
            assert!(message.contains(choice), "{message}");
        }
    }

    #[test]
    fn user_and_password_alone_mean_sasl_plaintext_with_plain() {
        let security =
            Security { sasl_username: Some("u".into()), sasl_password: Some("p".into()), ..Security::default() };
        let properties = security.properties().unwrap();
        assert!(properties.contains(&("security.protocol", "sasl_plaintext".into())));
        assert!(properties.contains(&("sasl.mechanism", "PLAIN".into())));
    }

    #[test]
    fn addresses_that_librdkafka_would_misread_are_refused() {
        let refused = |brokers: &str| {
            Settings { brokers: brokers.into(), ..Settings::default() }.admin().unwrap_err().to_string()
        };
        for brokers in ["", " ", ":9092", "a:9092,", "host:99999", "host:0", "host:port", "a b:1", "host:9092/x"] {
            assert!(refused(brokers).contains("host:port"), "{brokers}");
        }
        for brokers in ["localhost", "h:1,h:65535", "[::1]:9092", "[::1]", "ssl://h:9093", "kafka-1.example:9092, b:1"]
        {
            assert!(Settings { brokers: brokers.into(), ..Settings::default() }.admin().is_ok(), "{brokers}");
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let mut s = settings();
        s.security.sasl_password = Some("hunter2".into());
        s.common.insert("sasl.password".into(), "hunter2".into());
        assert!(!format!("{s:?}").contains("hunter2"));
    }

    #[test]
    fn the_variables_of_openssl_come_before_the_systems_authorities() {
        let with = |set: &[(&str, &str)], good: &[&str]| {
            let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            system_authorities(variable, |path| good.contains(&path))
        };
        assert_eq!(with(&[], &[]), "probe");
        assert_eq!(with(&[("SSL_CERT_FILE", "")], &[]), "probe");
        assert_eq!(with(&[("SSL_CERT_FILE", "/a.pem"), ("SSL_CERT_DIR", "/certs")], &USUAL), "/a.pem");
        assert_eq!(with(&[("SSL_CERT_DIR", "/certs")], &USUAL), "/certs");
        for path in USUAL {
            assert_eq!(with(&[], &[path]), path);
        }
    }

    #[test]
    fn what_weakens_a_connection_is_warned_about() {
        let warned = |property: (&str, &str)| {
            let common = [(property.0.to_owned(), property.1.to_owned())].into();
            Settings { common, ..settings() }.warnings()
        };
        assert!(settings().warnings().is_empty());
        assert!(warned(("enable.ssl.certificate.verification", "false"))[0].contains("any broker is believed"));
        assert!(warned(("ssl.endpoint.identification.algorithm", "none"))[0].contains("any host"));
        assert!(warned(("ssl.endpoint.identification.algorithm", "https")).is_empty());
        let security =
            Security { sasl_username: Some("u".into()), sasl_password: Some("p".into()), ..Security::default() };
        assert!(Settings { security, ..settings() }.warnings()[0].contains("unencrypted"));
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let s = Settings { brokers: "sasl_ssl://me:hunter2@host:9093".into(), ..Settings::default() };
        let message = s.admin().unwrap_err().to_string();
        assert!(message.contains("sasl_password") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn the_system_store_is_probed_for_certificates_unless_one_is_named() {
        let mut s = settings();
        assert!(s.admin().unwrap().get("ssl.ca.location").is_some());
        s.common.insert("ssl.ca.location".into(), "/x.pem".into());
        assert_eq!(s.admin().unwrap().get("ssl.ca.location"), Some("/x.pem"));
    }
}
