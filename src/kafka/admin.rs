//! Questions to the cluster: is it there, which topics, which offsets; and the explicit creation of topics.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, Offset};

use super::TopicPartition;
use super::config::{Settings, is_secret};
use super::consumer::Consumer;
use super::context::{Context, Weight, What};
use super::lifeline::Lifeline;
use super::offsets::Question;
use super::pem;
use super::topic_settings::{SettingsQuestion, TopicSettings};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::sync::Mutex;
use crate::time::now_ns;
use crate::topic;

/// The topics of a cluster and how many partitions each has.
pub type Topics = Arc<BTreeMap<String, i32>>;

/// How long one question may take before it is asked again.
pub(super) const ONE_TRY: Duration = Duration::from_millis(1500);
/// How long a topic that was just created may be unknown to some broker, and one that was just deleted still known.
const SETTLING: Duration = Duration::from_secs(2);

/// Asks the cluster. Shared by everything a client starts.
pub struct Admin {
    /// Answers questions; its problems are heard when it is polled.
    client: Consumer,
    /// Creates topics; made when it is first needed, because most programs find theirs.
    creator: OnceLock<(AdminClient<Context>, Lifeline)>,
    config: ClientConfig,
    brokers: String,
    /// How long a question may take; see [`Admin::set_timeout`].
    timeout: Mutex<Duration>,
    /// The last listing and when it was made.
    topics: Mutex<Option<(Instant, Topics)>>,
    /// The brokers, as the last answer names them.
    seen: Mutex<Seen>,
}

/// The brokers that an answer named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// When, in nanoseconds since the Unix epoch; 0 for never.
    pub at_ns: u64,
    /// The number and the `host:port` of each.
    pub brokers: Vec<(i32, String)>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

impl Admin {
    /// Prepares the client; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Config`] for properties that librdkafka does not take.
    pub fn new(settings: &Settings, timeout: Duration) -> Result<Self> {
        let config = settings.admin()?;
        let client = Consumer::start(&config, None, "Kafka client")?;
        let brokers = settings.brokers.clone();
        Ok(Self {
            client,
            creator: OnceLock::new(),
            config,
            brokers,
            timeout: Mutex::new(timeout),
            topics: Mutex::new(None),
            seen: Mutex::default(),
        })
    }

    /// The addresses the client was given.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// How long a question may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        *self.timeout.lock()
    }

    /// From now on a question may take so long: connecting may have another limit than what follows.
    pub fn set_timeout(&self, timeout: Duration) {
        *self.timeout.lock() = timeout;
    }

    /// Waits until a broker answers.
    ///
    /// # Errors
    /// [`Error::Authentication`] as soon as a broker refuses us; [`Error::Unreachable`] when the time is over.
    pub fn probe(&self) -> Result<Topics> {
        let begin = Instant::now();
        let mut wait = Duration::from_millis(250);
        loop {
            // The last try ends with the time; it is given long enough for an answer from next door.
            let left = self.timeout().saturating_sub(begin.elapsed()).max(Duration::from_millis(100));
            match self.fetch_topics(wait.min(left)) {
                Ok(topics) => return Ok(topics),
                Err(error) => self.give_up_or_go_on(begin, &error)?,
            }
            wait = (wait * 2).min(ONE_TRY);
        }
    }

    /// After a failed try: an error when there is no use in another one.
    fn give_up_or_go_on(&self, begin: Instant, error: &KafkaError) -> Result<()> {
        self.listen(Duration::from_millis(20));
        let problem = self.client.client().context().problem();
        if let Some(problem) = problem.as_ref().filter(|problem| problem.weight >= Weight::Refused) {
            return Err(Error::Authentication { brokers: self.brokers.clone(), reason: problem.reason.clone() });
        }
        wanted_still()?;
        let timeout = self.timeout();
        if begin.elapsed() < timeout {
            std::thread::sleep(Duration::from_millis(50));
            return Ok(());
        }
        let silence = || format!("{error}; nothing that answers listens there, or what listens does not speak Kafka");
        let reason = problem.map_or_else(silence, |problem| problem.reason);
        Err(Error::Unreachable { brokers: self.brokers.clone(), waited: timeout, reason })
    }

    /// Before a question: takes in what librdkafka has to say, which would pile up, and sees that it has somebody to ask.
    fn listen(&self, time: Duration) {
        // What comes back is errors that the context has heard already.
        self.client.poll(time, usize::MAX, &mut |_| {});
    }

    fn fetch_topics(&self, wait: Duration) -> std::result::Result<Topics, KafkaError> {
        self.listen(Duration::ZERO);
        let metadata = self.client.client().fetch_metadata(None, wait)?;
        self.see(&metadata);
        // A broker answered: what went wrong before explains nothing that comes later.
        self.client.client().context().forget();
        let topics: BTreeMap<String, i32> = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
            .map(|topic| (topic.name().to_string(), i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)))
            .collect();
        let topics = Arc::new(topics);
        *self.topics.lock() = Some((Instant::now(), topics.clone()));
        Ok(topics)
    }

    fn see(&self, metadata: &Metadata) {
        let mut brokers: Vec<(i32, String)> =
            metadata.brokers().iter().map(|broker| (broker.id(), address(broker.host(), broker.port()))).collect();
        brokers.sort_unstable();
        *self.seen.lock() = Seen { at_ns: now_ns(), brokers };
    }

    /// The brokers, as the last answer named them. Nothing is asked for it.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Asks which brokers there are, with a topic's name because the answer is short then; one try.
    #[must_use]
    pub fn look(&self, topic: &str, wait: Duration) -> bool {
        self.listen(Duration::ZERO);
        let answer = self.client.client().fetch_metadata(Some(topic), wait);
        if let Ok(metadata) = &answer {
            self.see(metadata);
        }
        answer.is_ok()
    }

    /// The ends of those partitions whose brokers answer at once; one try.
    #[must_use]
    pub fn ends(
        &self,
        places: impl IntoIterator<Item = TopicPartition>,
        wait: Duration,
    ) -> HashMap<TopicPartition, i64> {
        let places: BTreeSet<TopicPartition> = places.into_iter().collect();
        if places.is_empty() {
            return HashMap::new();
        }
        let question = Question::ask(self.client.client(), &places, Offset::End, wait);
        question.inspect_err(|error| log::debug!("asking for offsets: {error}")).map(Question::wait).unwrap_or_default()
    }

    pub(crate) fn context(&self) -> &Context {
        self.client.client().context()
    }

    /// The cluster's topics, not older than `age`.
    ///
    /// # Errors
    /// As [`Admin::probe`].
    pub fn topics(&self, age: Duration) -> Result<Topics> {
        if let Some((at, topics)) = self.topics.lock().as_ref()
            && at.elapsed() < age
        {
            return Ok(topics.clone());
        }
        self.probe()
    }

    /// The cluster's topics if it says so at once: one try, no error.
    #[must_use]
    pub fn glance(&self, wait: Duration) -> Option<Topics> {
        self.fetch_topics(wait).ok()
    }

    /// [`Admin::glance`], unless there is a listing not older than `age`.
    #[must_use]
    pub fn glance_back(&self, age: Duration, wait: Duration) -> Option<Topics> {
        let known = self.topics.lock().as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, topics)| topics.clone());
        known.or_else(|| self.glance(wait))
    }

    /// Whether the broker that has a partition answers, or any broker when none is named: one try.
    #[must_use]
    pub fn answers(&self, place: Option<&TopicPartition>, wait: Duration) -> bool {
        let Some(place) = place else { return self.glance(wait).is_some() };
        self.listen(Duration::ZERO);
        match self.client.client().fetch_watermarks(&place.topic, place.partition, wait) {
            Ok(_) => true,
            Err(error) => matches!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::TopicAuthorizationFailed)
            ),
        }
    }

    /// The first offset and the one after the last.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the broker refuses or the topic does not exist (any more), [`Error::Unreachable`] when it
    /// does not answer.
    pub fn watermarks(&self, place: &TopicPartition) -> Result<(i64, i64)> {
        let begin = Instant::now();
        loop {
            match self.client.client().fetch_watermarks(&place.topic, place.partition, ONE_TRY) {
                Ok(marks) => return Ok(marks),
                Err(error) => {
                    let code = error.rdkafka_error_code();
                    let passing = matches!(
                        code,
                        Some(
                            RDKafkaErrorCode::OperationTimedOut
                                | RDKafkaErrorCode::BrokerTransportFailure
                                | RDKafkaErrorCode::AllBrokersDown
                                | RDKafkaErrorCode::RequestTimedOut
                                | RDKafkaErrorCode::NotLeaderForPartition
                                | RDKafkaErrorCode::LeaderNotAvailable
                                // A topic that was just created may not have reached this broker.
                                | RDKafkaErrorCode::UnknownPartition
                                | RDKafkaErrorCode::UnknownTopicOrPartition
                        )
                    );
                    if !passing {
                        let operation = format!("reading the offsets of {place}");
                        return Err(self.client.refusal(operation, "Describe", &place.topic, &error));
                    }
                    if begin.elapsed() >= SETTLING && self.is_missing(place) {
                        let code = RDKafkaErrorCode::UnknownTopicOrPartition;
                        return Err(code_error(format!("reading the offsets of {place}"), code));
                    }
                    self.give_up_or_go_on(begin, &error)?;
                }
            }
        }
    }

    /// Whether the cluster says that there is no such partition.
    fn is_missing(&self, place: &TopicPartition) -> bool {
        let topics = self.glance(ONE_TRY);
        topics.is_some_and(|topics| topics.get(&*place.topic).is_none_or(|count| *count <= place.partition))
    }

    /// [`Admin::watermarks`] of many partitions, in one question to each broker that leads some of them.
    ///
    /// # Errors
    /// As [`Admin::watermarks`], of the first partition that has none.
    pub fn watermarks_of(
        &self,
        places: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<HashMap<TopicPartition, (i64, i64)>> {
        let places: BTreeSet<TopicPartition> = places.into_iter().collect();
        let lows = self.ask(&places, Offset::Beginning);
        let highs = self.ask(&places, Offset::End);
        let (lows, highs) = (wait(lows), wait(highs));
        let marks = |place: TopicPartition| {
            wanted_still()?;
            let marks = match (lows.get(&place), highs.get(&place)) {
                (Some(low), Some(high)) => ((*low).min(*high), *high),
                // One by one it is tried again, and said what is wrong.
                _ => self.watermarks(&place)?,
            };
            Ok((place, marks))
        };
        places.into_iter().map(marks).collect()
    }

    fn ask(&self, places: &BTreeSet<TopicPartition>, wanted: Offset) -> Option<Question<'_>> {
        if places.is_empty() {
            return None;
        }
        let question = Question::ask(self.client.client(), places, wanted, ONE_TRY);
        question.inspect_err(|error| log::debug!("asking for offsets: {error}")).ok()
    }

    /// The first offsets whose records are not older than a time, in milliseconds; none where there is no such record.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the broker refuses or does not answer.
    pub fn offsets_at(
        &self,
        places: impl IntoIterator<Item = TopicPartition>,
        timestamp_ms: i64,
    ) -> Result<HashMap<TopicPartition, Option<i64>>> {
        let places: BTreeSet<TopicPartition> = places.into_iter().collect();
        let found = wait(self.ask(&places, Offset::Offset(timestamp_ms)));
        let offset = |place: TopicPartition| {
            wanted_still()?;
            let offset = match found.get(&place) {
                Some(offset) => (*offset >= 0).then_some(*offset),
                None => self.client.offset_at(&place, timestamp_ms, self.timeout())?,
            };
            Ok((place, offset))
        };
        places.into_iter().map(offset).collect()
    }

    /// Why a listing leaves a topic out: it lists only what we have some right on, and what was there at its time. True
    /// when the topic is there by now, so that the listing is out of date; false when it does not exist.
    ///
    /// # Errors
    /// [`Error::Denied`] when it is hidden from us, with the right that was to be used, which includes that of seeing the
    /// topic; [`Error::Kafka`] when no broker says, in one try.
    pub fn exists_by_now(&self, topic: &str, right: &'static str, operation: String) -> Result<bool> {
        use RDKafkaRespErr::*;
        // Session info may name anything, and what cannot be a topic is none.
        if topic::check_topic(topic).is_err() {
            return Ok(false);
        }
        let client = self.client.client();
        let metadata = match client.fetch_metadata(Some(topic), ONE_TRY) {
            Ok(metadata) => metadata,
            Err(error) => return Err(kafka_error(operation, &error)),
        };
        let error = metadata.topics().iter().find(|found| found.name() == topic).map(MetadataTopic::error);
        match error {
            None | Some(Some(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART | RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)) => Ok(false),
            Some(Some(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)) => {
                Err(client.context().denied(operation, right, What::Topic(topic)))
            }
            // Being made, or without a leader at the moment, it is there too.
            Some(None | Some(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)) => Ok(true),
            Some(Some(code)) => Err(code_error(operation, code.into())),
        }
    }

    /// The settings of these topics, as far as the broker tells: not of topics that do not exist or that we may not ask
    /// about.
    pub fn topic_settings<'t>(&self, topics: impl IntoIterator<Item = &'t str>) -> BTreeMap<String, TopicSettings> {
        let question = SettingsQuestion::ask(self.client.client(), topics, ONE_TRY);
        let begin = Instant::now();
        while begin.elapsed() < ONE_TRY && !crate::interrupt::requested() {
            if let Some(found) = question.answer(Duration::from_millis(50)) {
                return found.into_iter().collect();
            }
        }
        BTreeMap::new()
    }

    fn creator(&self) -> Result<&AdminClient<Context>> {
        if let Some((creator, lifeline)) = self.creator.get() {
            lifeline.look(creator.inner());
            return Ok(creator);
        }
        let new = AdminClient::from_config_and_context(&self.config, Context::of(&self.config))
            .map_err(|error| creation_error("Kafka client", &self.config, &error))?;
        Ok(&self.creator.get_or_init(|| (new, Lifeline::new(&self.brokers))).0)
    }

    /// Makes sure a topic exists, creating it with so many partitions if it does not, and waits until it can be used.
    ///
    /// Without the right to create, an existing topic is all that is needed: an administrator can make topics beforehand.
    ///
    /// # Errors
    /// [`Error::Name`] for names Kafka refuses, [`Error::Denied`] for a topic that we may not write or create,
    /// [`Error::Kafka`] when the broker refuses the creation.
    pub fn ensure_topic(&self, name: &str, partitions: i32) -> Result<()> {
        topic::check_topic(name)?;
        let known = self.topics(Duration::from_secs(30))?;
        if known.contains_key(name) {
            return Ok(());
        }
        let known = self.probe()?;
        if known.contains_key(name) {
            return Ok(());
        }
        if let Some(other) = topic::colliding(name, known.keys().map(String::as_str)) {
            return Err(Error::Name {
                what: "topic",
                name: name.into(),
                reason: format!(
                    "differs only in '.' and '_' from the existing topic '{other}', which Kafka refuses; choose another name"
                ),
            });
        }
        match self.exists_by_now(name, "Write", format!("writing to topic '{name}'")) {
            // Or it was deleted, and the broker that said so has not heard of it.
            Ok(true) if self.is_listed_within(name, SETTLING)? => return Ok(()),
            Err(error @ Error::Denied { .. }) => return Err(error),
            // Whether a broker that did not say so can create it shows.
            Ok(_) | Err(_) => {}
        }
        // The broker's default replication (needs Kafka 2.4 or later).
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        let timeout = self.timeout();
        let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
        let creator = self.creator()?;
        let outcome = futures_executor::block_on(creator.create_topics([&new], &options))
            .map_err(|error| kafka_error(format!("creating topic '{name}'"), &error))?;
        match outcome.into_iter().next() {
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
            Some(Err((_, code))) => {
                let rightless = matches!(
                    code,
                    RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed
                );
                let operation = format!("creating topic '{name}'");
                return Err(match rightless {
                    true => self.client.client().context().denied(operation, "Create", What::Topic(name)),
                    false => code_error(operation, code),
                });
            }
        }
        match self.is_listed_within(name, timeout)? {
            true => Ok(()),
            false => Err(Error::Timeout { what: format!("creation of topic '{name}'"), waited: timeout }),
        }
    }

    /// Waits until the listing has a topic, at most this long; true when it has.
    fn is_listed_within(&self, name: &str, time: Duration) -> Result<bool> {
        let begin = Instant::now();
        while !self.fetch_topics(ONE_TRY).is_ok_and(|topics| topics.contains_key(name)) {
            wanted_still()?;
            if begin.elapsed() > time {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

/// `host:port`, with the brackets that an IPv6 address needs.
fn address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An error once whoever asks has called the question off.
pub(crate) fn wanted_still() -> Result<()> {
    if interrupt::requested() { Err(Error::Interrupted("waiting for the broker".into())) } else { Ok(()) }
}

fn wait(question: Option<Question<'_>>) -> HashMap<TopicPartition, i64> {
    question.map(Question::wait).unwrap_or_default()
}

/// An error of librdkafka about an operation, with Kafka's name of it and a hint where there is one.
pub(crate) fn kafka_error(operation: String, error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(code) => code_error(operation, code),
        None => Error::Kafka { operation, reason: error.to_string(), code: "UNKNOWN".into(), retriable: false },
    }
}

/// [`kafka_error`] from the bare code.
pub(crate) fn code_error(operation: String, code: RDKafkaErrorCode) -> Error {
    let hint = match code {
        RDKafkaErrorCode::UnknownTopicOrPartition => "; it does not exist, or was deleted a moment ago",
        RDKafkaErrorCode::InvalidReplicationFactor => "; the cluster's default replication is more than it has brokers",
        _ => "",
    };
    let retriable = matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
    );
    Error::Kafka { operation, reason: format!("{code}{hint}"), code: format!("{code:?}"), retriable }
}

/// What librdkafka said when a client could not be made: nearly always a property it does not know or take.
pub(crate) fn creation_error(what: &str, config: &ClientConfig, error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) if is_secret(key) && !value.is_empty() => {
            // librdkafka may repeat the value in its reason.
            Error::Config(format!("{what}: property '{key}' = '***': {}", reason.replace(value.as_str(), "***")))
        }
        KafkaError::ClientConfig(_, reason, key, value) => {
            Error::Config(format!("{what}: property '{key}' = '{value}': {reason}"))
        }
        KafkaError::ClientCreation(reason) => {
            pem::explain(config, reason).unwrap_or_else(|| Error::Config(format!("{what}: {reason}")))
        }
        other => Error::Config(format!("{what}: {other}")),
    }
}
