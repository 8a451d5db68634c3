//! The client: one cluster, one layout, everything that is written and read through it.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::directory::{Directory, data_sources_of};
use super::health::{BrokerHealth, Health, NamedStatistics, ReaderHealth};
use super::layout_search::LayoutSearch;
use super::options::{ClientOptions, LayoutChoice, OnOutage, ReadOptions};
use super::pulse::Pulse;
use super::reader::{Reader, ReaderCore};
use super::session_writer::SessionWriter;
use super::watch::{Change, Watch};
use super::writer::{Flushed, PacketWriter, Sender};
use crate::embedded;
use crate::error::{Error, Result};
use crate::format::{FormatInfo, FormatKind, check_identifiers, definition_packet};
use crate::kafka::{Admin, Outbox, Settings, TopicPartition, Trouble, Written};
use crate::session::{self, NewSession, Offsets, SessionChange, SessionFilter, SessionInfo};
use crate::sync::Mutex;
use crate::time::{after, now_ns};
use crate::topic::{self, Layout, LayoutKind, NamedStreamForm, Strategy};

/// A connection to a cluster. Clones are the same client; every call may be made from any thread.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) admin: Arc<Admin>,
    pub(crate) directory: Directory,
    layout: Arc<LayoutSearch>,
    /// Whether the form of named streams was chosen.
    form_chosen: bool,
    sender: Mutex<Option<Arc<Sender>>>,
    readers: Arc<Mutex<Vec<Weak<ReaderCore>>>>,
    pulse: Arc<Pulse>,
    /// Readers so far.
    numbers: AtomicU64,
    /// Data sources whose retention was looked at.
    looked_over: Mutex<HashSet<String>>,
    /// One registration of a format at a time, so that a process never defines a list twice.
    formats: Mutex<()>,
    /// One change of a session's information at a time: each writes the whole of it, on top of what it read before.
    updates: Mutex<()>,
    pub(crate) timeout: Duration,
    quiet: Duration,
    closed: AtomicBool,
    /// Keeps a broker that this client started; the last field, so that it goes last.
    embedded: Mutex<Option<embedded::Attached>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("brokers", &self.brokers()).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects: starts an embedded broker if asked, waits until the cluster answers, finds the layout.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Name`] for settings that cannot be used; [`Error::Unreachable`];
    /// [`Error::Authentication`]; [`Error::Embedded`].
    pub fn connect(options: ClientOptions) -> Result<Self> {
        let layout = Layout {
            kind: if options.layout == LayoutChoice::Classic { LayoutKind::Classic } else { LayoutKind::Domain },
            domain: options.domain.clone(),
            form: options.named_stream_form.unwrap_or(NamedStreamForm::A),
            strategy: options.strategy,
            partition_mappings: options.partition_mappings.clone(),
        };
        layout.validate()?;
        let attached =
            if embedded::is_embedded_url(&options.brokers) { Some(embedded::attach(&options.brokers)?) } else { None };
        let settings = Settings {
            brokers: attached.as_ref().map_or_else(|| options.brokers.clone(), embedded::Attached::address),
            security: options.security.clone(),
            common: options.common.clone(),
            producer: options.producer.clone(),
            consumer: options.consumer.clone(),
            wait_for_outage: options.on_outage == OnOutage::Wait,
            statistics: options.statistics,
        };
        // Both are checked here, so that a wrong property fails the connect and not a later write.
        settings.producer()?;
        let admin = Arc::new(Admin::new(&settings, options.connect_timeout.unwrap_or(options.timeout))?);
        let topics = admin.probe()?;
        for warning in settings.warnings() {
            log::warn!("{warning}");
        }
        let layout = LayoutSearch::new(layout, options.layout);
        layout.look(topics.keys().map(String::as_str));
        let directory = Directory::start(&settings, admin.clone(), layout.clone())?;
        let readers = Arc::new(Mutex::default());
        let pulse = Pulse::new(admin.clone(), layout.clone(), Arc::clone(&readers));
        let client = Self {
            inner: Arc::new(Inner {
                settings,
                admin,
                directory,
                layout,
                form_chosen: options.named_stream_form.is_some(),
                sender: Mutex::new(None),
                readers,
                pulse,
                numbers: AtomicU64::new(0),
                looked_over: Mutex::default(),
                formats: Mutex::default(),
                updates: Mutex::default(),
                timeout: options.timeout,
                quiet: options.quiet,
                closed: AtomicBool::new(false),
                embedded: Mutex::new(attached),
            }),
        };
        client.learn_form()?;
        client.inner.admin.set_timeout(options.timeout);
        Ok(client)
    }

    /// The addresses of the brokers; of an embedded one, where it listens.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.inner.settings.brokers.clone()
    }

    /// The layout in use.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.inner.layout.layout()
    }

    /// How long a synchronous request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    fn open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::Closed("the client".into())) } else { Ok(()) }
    }

    /// A reader on an empty cluster looks again: the first writer may have chosen another layout than the default.
    pub(crate) fn look_for_layout(&self) -> Result<()> {
        if !self.inner.layout.is_known() {
            let topics = self.inner.admin.topics(Duration::from_millis(200))?;
            self.inner.layout.look(topics.keys().map(String::as_str));
        }
        Ok(())
    }

    /// Learns the form of named streams from the offsets in existing sessions, unless it was chosen.
    fn learn_form(&self) -> Result<()> {
        let layout = self.layout();
        if self.inner.form_chosen || layout.kind != LayoutKind::Domain || layout.strategy == Strategy::PartitionBased {
            return Ok(());
        }
        match self.inner.directory.refresh_sessions() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // Said again, and not only here, by everything that needs the right.
            Err(error @ Error::Denied { .. }) => {
                log::warn!("{error}");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let sessions = self.inner.directory.sessions();
        let keys = sessions.iter().flat_map(|info| {
            let offsets = info.start_offsets.keys().chain(info.end_offsets.keys());
            offsets.map(|(topic, partition)| (info.data_source.clone(), Layout::offset_key(topic, *partition)))
        });
        if let Some(form) = topic::detect_form(&layout.domain, keys) {
            self.inner.layout.change(|layout| layout.form = form);
        }
        Ok(())
    }

    /// Reads the session-info topic to its present end.
    pub(crate) fn refresh_sessions(&self) -> Result<()> {
        self.open()?;
        self.look_for_layout()?;
        self.inner.directory.refresh_sessions().map(|_| ())
    }

    /// All sessions, of one data source or of all, ordered by creation; up to date when the call returns.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Timeout`], [`Error::Closed`].
    pub fn sessions(&self, data_source: Option<&str>) -> Result<Vec<Arc<SessionInfo>>> {
        self.find_sessions(&SessionFilter { data_source, ..SessionFilter::default() })
    }

    /// The sessions that a filter takes, ordered by creation; up to date when the call returns.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn find_sessions(&self, filter: &SessionFilter<'_>) -> Result<Vec<Arc<SessionInfo>>> {
        self.refresh_sessions()?;
        Ok(self.inner.directory.find(filter))
    }

    /// One session; up to date when the call returns.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], and as [`Client::sessions`].
    pub fn session(&self, key: &str) -> Result<Arc<SessionInfo>> {
        self.refresh_sessions()?;
        self.inner
            .directory
            .session(key)
            .ok_or_else(|| Error::UnknownSession { key: key.to_string(), data_source: None })
    }

    /// Every change of sessions from now on. Starts and ends are always heard of; of the updates beyond 10,000 changes that
    /// wait, or 16 MiB of them, only the last of each session.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn watch_sessions(&self) -> Result<SessionWatch> {
        self.refresh_sessions()?;
        Ok(SessionWatch { watch: self.inner.directory.watch_sessions() })
    }

    /// Every new data format of every data source from now on, of those that appear later too: each list of parameters
    /// or event once, and once more for each further id that somebody gives it.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn watch_formats(&self) -> Result<FormatWatch> {
        self.open()?;
        self.look_for_layout()?;
        Ok(FormatWatch { watch: self.inner.directory.watch_formats()? })
    }

    /// The producer's side, started when it is first needed.
    pub(crate) fn sender(&self) -> Result<Arc<Sender>> {
        self.open()?;
        let mut sender = self.inner.sender.lock();
        // Looked at again under the lock that `close` takes: a producer that it does not see would never be closed.
        self.open()?;
        if let Some(sender) = sender.as_ref() {
            return Ok(sender.clone());
        }
        if !self.inner.layout.is_known() {
            self.look_for_layout()?;
            if !self.inner.layout.settle() {
                log::info!("the cluster has no sessions yet: writing with the {:?} layout", self.layout().kind);
            }
        }
        let outbox = Outbox::new(&self.inner.settings)?;
        let new =
            Arc::new(Sender::new(outbox, self.inner.admin.clone(), self.inner.layout.clone(), self.inner.timeout));
        *sender = Some(new.clone());
        Ok(new)
    }

    /// A writer of packets.
    ///
    /// # Errors
    /// [`Error::Config`] for producer properties that cannot be used, [`Error::Closed`].
    pub fn writer(&self) -> Result<PacketWriter> {
        Ok(PacketWriter { sender: self.sender()?, _client: self.clone() })
    }

    /// Begins a session: a new key, the present offsets, the record. Nothing is written to the streams; see
    /// [`Client::new_session`] for a writer that does that too.
    ///
    /// # Errors
    /// [`Error::Name`] for a data source that cannot be; [`Error::Timeout`] and [`Error::Kafka`] when the record was not
    /// acknowledged.
    pub fn create_session(&self, new: &NewSession) -> Result<Arc<SessionInfo>> {
        topic::check_data_source(&new.data_source)?;
        let sender = self.sender()?;
        let layout = self.layout();
        let key = session::new_session_key();
        let offsets = self.offsets(&new.data_source)?;
        let packet = session::new_session_packet(&key, new, &offsets, &layout);
        sender.record_session("creating a session", &key, &packet)?;
        self.warn_of_retention(&new.data_source);
        self.inner.layout.settle();
        self.session(&key)
    }

    /// The end offsets of everything a data source has: main stream, essentials, and each named stream that exists.
    fn offsets(&self, data_source: &str) -> Result<Offsets> {
        let layout = self.layout();
        let topics = self.inner.admin.topics(Duration::ZERO)?;
        let main = layout.place(data_source, "")?;
        let mut places = vec![(main.topic, main.partition), (layout.essentials(data_source)?, 0)];
        for stream in layout.streams_of(data_source, topics.keys().map(String::as_str)) {
            let place = layout.place(data_source, &stream)?;
            places.push((place.topic, place.partition));
        }
        let places = places.into_iter().map(|(topic, partition)| TopicPartition::new(topic, partition));
        // A topic that does not exist has no records.
        let exists = |place: &TopicPartition| topics.get(&*place.topic).is_some_and(|count| *count > place.partition);
        let (found, missing): (Vec<TopicPartition>, Vec<TopicPartition>) = places.partition(exists);
        let ends = self.inner.admin.watermarks_of(found)?.into_iter().map(|(place, (_, high))| (place, high));
        let ends = ends.chain(missing.into_iter().map(|place| (place, 0)));
        Ok(ends.map(|(place, high)| ((place.topic, place.partition), high)).collect())
    }

    /// Gives a session another identifier. An empty one changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], and as [`Client::create_session`].
    pub fn update_identifier(&self, key: &str, identifier: &str) -> Result<Arc<SessionInfo>> {
        self.update(key, |info| {
            if !identifier.is_empty() {
                info.identifier = identifier.to_string();
            }
        })
    }

    /// Adds details, or replaces those of the same name. None is ever removed.
    ///
    /// # Errors
    /// As [`Client::update_identifier`].
    pub fn update_details(&self, key: &str, details: BTreeMap<String, String>) -> Result<Arc<SessionInfo>> {
        self.update(key, |info| info.details.extend(details))
    }

    /// Ties another session to this one. The other need not exist yet.
    ///
    /// # Errors
    /// As [`Client::update_identifier`].
    pub fn add_associate(&self, key: &str, associate: &str) -> Result<Arc<SessionInfo>> {
        if associate.is_empty() {
            return Err(Error::Invalid("the key of the associated session must not be empty".into()));
        }
        self.update(key, |info| {
            if !info.associates.iter().any(|known| known == associate) {
                info.associates.push(associate.to_string());
            }
        })
    }

    fn update(&self, key: &str, change: impl FnOnce(&mut SessionInfo)) -> Result<Arc<SessionInfo>> {
        let _one_at_a_time = self.inner.updates.lock();
        let before = self.session(key)?;
        let mut changed = (*before).clone();
        change(&mut changed);
        if changed == *before {
            return Ok(before);
        }
        if before.ended {
            log::warn!("session '{key}' has ended; its information is changed all the same");
        }
        self.sender()?.record_session("updating a session", key, &session::session_info_packet(&changed))?;
        self.session(key)
    }

    /// Ends a session: everything written through this client is delivered first, then the end offsets are taken, then
    /// the end is recorded. Ending an ended session returns it as it is.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::FlushTimeout`] when packets could not be delivered in time, and then the
    /// session is still live; as [`Client::create_session`].
    pub fn end_session(&self, key: &str) -> Result<Arc<SessionInfo>> {
        let info = self.session(key)?;
        if info.ended {
            return Ok(info);
        }
        let sender = self.sender()?;
        let left = sender.outbox.settle(self.inner.timeout);
        if left > 0 {
            return Err(Error::FlushTimeout { left, waited: self.inner.timeout });
        }
        std::thread::sleep(self.inner.quiet);
        let offsets = self.offsets(&info.data_source)?;
        let packet = session::end_of_session_packet(key, &info.data_source, &offsets, now_ns(), &self.layout());
        sender.record_session("ending a session", key, &packet)?;
        self.warn_of_retention(&info.data_source);
        self.session(key)
    }

    /// Says once for each data source what is wrong with the retention of its topics, as soon as they are there.
    fn warn_of_retention(&self, data_source: &str) {
        if self.inner.looked_over.lock().contains(data_source) {
            return;
        }
        let topics = self.inner.admin.topics(Duration::from_secs(1)).unwrap_or_default();
        let main = self.layout().place(data_source, "");
        if !main.is_ok_and(|main| topics.contains_key(&main.topic)) {
            return;
        }
        if self.inner.looked_over.lock().insert(data_source.to_string()) {
            for warning in self.retention_warnings(data_source).unwrap_or_default() {
                log::warn!("{warning}");
            }
        }
    }

    /// The id of a list of parameters, in this order: an existing one, or a new one that is defined by this call.
    ///
    /// # Errors
    /// [`Error::InvalidFormat`] for an empty list, empty or doubled identifiers; as [`Client::create_session`].
    pub fn parameter_format(&self, data_source: &str, parameters: &[impl AsRef<str>]) -> Result<u64> {
        self.format_id(data_source, FormatKind::Parameters, parameters)
    }

    /// The id of an event: an existing one, or a new one that is defined by this call.
    ///
    /// # Errors
    /// As [`Client::parameter_format`].
    pub fn event_format(&self, data_source: &str, event: &str) -> Result<u64> {
        self.format_id(data_source, FormatKind::Event, &[event])
    }

    fn format_id(&self, data_source: &str, kind: FormatKind, identifiers: &[impl AsRef<str>]) -> Result<u64> {
        self.open()?;
        topic::check_data_source(data_source)?;
        check_identifiers(identifiers)?;
        let known = || {
            self.inner
                .directory
                .formats(data_source, |table| match kind {
                    FormatKind::Parameters => table.id_of_parameters(identifiers),
                    FormatKind::Event => identifiers.first().and_then(|event| table.id_of_event(event.as_ref())),
                })
                .flatten()
        };
        if let Some(id) = known() {
            return Ok(id);
        }
        let _one_at_a_time = self.inner.formats.lock();
        self.look_for_layout()?;
        self.inner.directory.refresh_formats(data_source)?;
        if let Some(id) = known() {
            return Ok(id);
        }
        let id = self
            .inner
            .directory
            .formats(data_source, |table| table.free_id(kind, identifiers))
            .unwrap_or_else(|| crate::format::format_id(kind, data_source, identifiers));
        let packet = definition_packet(kind, id, identifiers);
        self.sender()?.send_essential_and_wait("defining a data format", data_source, "", &packet)?;
        self.inner.directory.refresh_formats(data_source)?;
        Ok(known().unwrap_or(id))
    }

    /// The parameters of a data format, in the order of its columns.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], and as [`Client::sessions`].
    pub fn parameters_of(&self, data_source: &str, id: u64) -> Result<Arc<[String]>> {
        self.resolve(data_source, id, |table| table.parameters(id))
    }

    /// The event of a data format.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], and as [`Client::sessions`].
    pub fn event_of(&self, data_source: &str, id: u64) -> Result<Arc<str>> {
        self.resolve(data_source, id, |table| table.event(id))
    }

    fn resolve<T>(
        &self,
        data_source: &str,
        id: u64,
        look: impl Fn(&crate::format::FormatTable) -> Option<T>,
    ) -> Result<T> {
        // What is known stays known after the client was closed: packets taken before can still be looked into.
        if let Some(found) = self.inner.directory.formats(data_source, &look).flatten() {
            return Ok(found);
        }
        self.open()?;
        topic::check_data_source(data_source)?;
        self.look_for_layout()?;
        self.inner.directory.refresh_formats(data_source)?;
        self.inner
            .directory
            .formats(data_source, &look)
            .flatten()
            .ok_or_else(|| Error::UnknownFormat { id, data_source: data_source.to_string() })
    }

    /// Every data format of a data source.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn formats(&self, data_source: &str) -> Result<Vec<FormatInfo>> {
        self.open()?;
        topic::check_data_source(data_source)?;
        self.look_for_layout()?;
        self.inner.directory.refresh_formats(data_source)?;
        Ok(self.inner.directory.formats(data_source, crate::format::FormatTable::all).unwrap_or_default())
    }

    /// The named streams of a data source, sorted as Kafka lists their topics.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn streams(&self, data_source: &str) -> Result<Vec<String>> {
        self.open()?;
        topic::check_data_source(data_source)?;
        self.look_for_layout()?;
        let topics = self.inner.admin.topics(Duration::ZERO)?;
        Ok(self.layout().streams_of(data_source, topics.keys().map(String::as_str)))
    }

    /// The data sources that have topics or sessions.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub fn data_sources(&self) -> Result<Vec<String>> {
        let sessions = self.sessions(None)?;
        let topics = self.inner.admin.topics(Duration::from_secs(1))?;
        let mut names = data_sources_of(&sessions);
        let mut seen: HashSet<String> = names.iter().cloned().collect();
        for name in self.layout().data_sources(topics.keys().map(String::as_str)) {
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Begins a session and returns its writer, which keeps the protocol's order.
    ///
    /// # Errors
    /// As [`Client::create_session`].
    pub fn new_session(&self, new: &NewSession) -> Result<SessionWriter> {
        let info = self.create_session(new)?;
        SessionWriter::begin(self.clone(), info)
    }

    /// Takes up a live session again, for instance after its writer was killed.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::Session`] if it has ended.
    pub fn resume_session(&self, key: &str) -> Result<SessionWriter> {
        let info = self.session(key)?;
        if info.ended {
            return Err(Error::Session {
                key: key.into(),
                reason: "has ended and cannot be taken up again; create a new one".into(),
            });
        }
        SessionWriter::begin(self.clone(), info)
    }

    /// Starts reading.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Name`] for options that cannot be; [`Error::UnmappedStream`]; as
    /// [`Client::sessions`].
    pub fn read(&self, options: ReadOptions) -> Result<Reader> {
        self.open()?;
        self.look_for_layout()?;
        let number = self.inner.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let reader = Reader::start(self.clone(), options, number)?;
        {
            let mut readers = self.inner.readers.lock();
            readers.retain(|known| known.strong_count() > 0);
            readers.push(reader.downgrade());
        }
        // A `close` meanwhile may have missed it; dropping the reader closes it.
        self.open()?;
        Ok(reader)
    }

    /// How the client is doing. Returns at once, whatever the brokers do: what is not known without asking them is asked
    /// by a thread of its own, once a second and for two minutes after this call.
    ///
    /// # Errors
    /// [`Error::Io`] when that thread cannot be started.
    pub fn health(&self) -> Result<Health> {
        let inner = &self.inner;
        let closed = self.is_closed();
        if !closed {
            inner.pulse.want()?;
        }
        let sender = inner.sender.lock().clone();
        let readers: Vec<Arc<ReaderCore>> = inner.readers.lock().iter().filter_map(Weak::upgrade).collect();
        let now = now_ns();
        let mut failures: BTreeMap<String, Trouble> = BTreeMap::new();
        let outbox = sender.as_ref().map(|sender| sender.outbox.context().failures());
        let consumers = readers.iter().flat_map(|reader| reader.failures());
        let own = inner.admin.context().failures().into_iter().chain(inner.directory.failures());
        for (address, trouble) in own.chain(outbox.into_iter().flatten()).chain(consumers) {
            let last = failures.entry(address).or_insert_with(|| trouble.clone());
            if last.at_ns < trouble.at_ns {
                *last = trouble;
            }
        }
        let answers = inner.pulse.answers.lock();
        let silent = answers.is_silent(answers.answered_ns, now);
        let mut brokers: Vec<BrokerHealth> = answers
            .brokers
            .iter()
            .map(|(address, known)| BrokerHealth {
                address: address.clone(),
                id: known.id,
                up: known.up && !silent,
                since_ns: if silent && known.up { answers.answered_ns } else { known.since_ns },
                last_error: failures.remove(address),
            })
            .collect();
        // Addresses that no broker calls its own: what we were given, where nothing answered.
        let never_up = |(address, trouble): (String, Trouble)| BrokerHealth {
            address,
            id: -1,
            up: false,
            since_ns: trouble.at_ns,
            last_error: Some(trouble),
        };
        brokers.extend(failures.into_iter().map(never_up));
        Ok(Health {
            closed,
            at_ns: now,
            answered_ns: answers.answered_ns,
            silent_since_ns: silent.then(|| answers.answered_ns.max(answers.asking_since_ns)),
            brokers,
            writers: sender.map(|sender| sender.outbox.health()),
            readers: readers.iter().map(|reader| reader.health(&answers, now)).collect(),
            directory_error: inner.directory.failure().map(|error| error.to_string()),
        })
    }

    /// How one of its readers is doing; see [`Client::health`].
    ///
    /// # Errors
    /// As [`Client::health`].
    pub fn reader_health(&self, reader: &Reader) -> Result<ReaderHealth> {
        if !self.is_closed() {
            self.inner.pulse.want()?;
        }
        Ok(reader.core().health(&self.inner.pulse.answers.lock(), now_ns()))
    }

    /// The last statistics of each native client, by its name: `directory`, `writers`, `reader-1` and so on. Those that
    /// have told none yet are not there; none ever does with an interval of zero.
    #[must_use]
    pub fn statistics(&self) -> Vec<NamedStatistics> {
        let sender = self.inner.sender.lock().clone();
        let readers: Vec<Arc<ReaderCore>> = self.inner.readers.lock().iter().filter_map(Weak::upgrade).collect();
        let directory = self.inner.directory.statistics().map(|statistics| ("directory".to_string(), statistics));
        let writers = sender.and_then(|sender| sender.outbox.context().statistics());
        let writers = writers.map(|statistics| ("writers".to_string(), statistics));
        let readers = readers.into_iter().flat_map(|reader| reader.statistics());
        directory.into_iter().chain(writers).chain(readers).collect()
    }

    /// What was written of each stream.
    #[must_use]
    pub fn written(&self) -> Vec<Written> {
        let sender = self.inner.sender.lock().clone();
        sender.map(|sender| sender.outbox.written()).unwrap_or_default()
    }

    /// The sessions and the data formats that are known of each data source. Nothing is asked for it.
    #[must_use]
    pub fn known(&self) -> BTreeMap<String, (usize, usize)> {
        self.inner.directory.known()
    }

    /// Delivers what was written, stops all readers, lets go of the broker. Further calls return at once.
    ///
    /// # Errors
    /// None at present; undelivered packets are in the returned report.
    pub fn close(&self, deadline: Duration) -> Result<Flushed> {
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return Ok(Flushed::default());
        }
        let end = after(deadline);
        let left = || end.saturating_duration_since(Instant::now());
        let mut report = Flushed::default();
        let sender = self.inner.sender.lock().take();
        if let Some(sender) = sender {
            let (delivered, failed, pending) = sender.outbox.close(left());
            report = Flushed { delivered, failed, left: pending };
        }
        let readers = std::mem::take(&mut *self.inner.readers.lock());
        for reader in readers.iter().filter_map(Weak::upgrade) {
            reader.close(left().max(Duration::from_millis(200)));
        }
        self.inner.pulse.close(left());
        self.inner.directory.close(left().max(Duration::from_millis(200)));
        drop(self.inner.embedded.lock().take());
        Ok(report)
    }

    /// Whether [`Client::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Acquire) {
            if let Some(sender) = self.sender.lock().take() {
                let _ = sender.outbox.close(Duration::from_secs(5));
            }
            self.pulse.close(Duration::from_secs(2));
            self.directory.close(Duration::from_secs(2));
        }
    }
}

impl Change for SessionChange {
    /// A session, or two of them.
    type Subject = (String, String);

    fn replaces(&self) -> Option<Self::Subject> {
        match self {
            Self::Updated(info) => Some((info.key.clone(), String::new())),
            Self::Associated { main, associate } => Some((main.key.clone(), associate.key.clone())),
            Self::Started(_) | Self::Ended(_) => None,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Updated(info) => info.footprint(),
            Self::Associated { main, associate } => main.footprint() + associate.footprint(),
            Self::Started(_) | Self::Ended(_) => 0,
        }
    }

    fn follows(&self) -> Option<Self::Subject> {
        match self {
            Self::Ended(info) => Some((info.key.clone(), String::new())),
            _ => None,
        }
    }
}

/// Changes of sessions, as they happen.
pub struct SessionWatch {
    watch: Watch<SessionChange>,
}

impl std::fmt::Debug for SessionWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionWatch")
    }
}

impl SessionWatch {
    /// The next change; `None` when there was none in this time.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`SessionWatch::close`], or when the client was closed.
    pub fn next(&self, timeout: Duration) -> Result<Option<SessionChange>> {
        self.watch.next("the watch of sessions", timeout)
    }

    /// Ends the watch; whoever waits in [`SessionWatch::next`] is told at once.
    pub fn close(&self) {
        self.watch.close();
    }
}

/// A data format that has become known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatNews {
    /// The data source whose format it is.
    pub data_source: Arc<str>,
    /// The format with all its ids, the new one last.
    pub format: FormatInfo,
    /// The new id.
    pub id: u64,
}

/// There are as many as there are formats.
impl Change for FormatNews {
    type Subject = ();
}

/// New data formats, as they become known.
pub struct FormatWatch {
    watch: Watch<FormatNews>,
}

impl std::fmt::Debug for FormatWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormatWatch")
    }
}

impl FormatWatch {
    /// The next format or id; `None` when there was none in this time.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`FormatWatch::close`], or when the client was closed.
    pub fn next(&self, timeout: Duration) -> Result<Option<FormatNews>> {
        self.watch.next("the watch of data formats", timeout)
    }

    /// Ends the watch; whoever waits in [`FormatWatch::next`] is told at once.
    pub fn close(&self) {
        self.watch.close();
    }
}
