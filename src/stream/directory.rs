//! The live picture of sessions and formats: one thread follows their topics and feeds the folds.
//!
//! A question is answered "up to date": the end offset of the topic is taken first, and the answer waits until that
//! offset has been read. That is deterministic, unlike waiting for silence.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::FormatNews;
use super::layout_search::LayoutSearch;
use super::oversight::clock_warning;
use super::watch::{Watch, Watchers};
use crate::error::{Error, Result};
use crate::format::FormatTable;
use crate::interrupt;
use crate::kafka::admin::{Topics, wanted_still};
use crate::kafka::consumer::Message;
use crate::kafka::{Admin, Consumer, Event, Settings, Start, Statistics, TopicPartition, Trouble};
use crate::packet::{Envelope, PacketType};
use crate::session::{Record, SessionChange, SessionFilter, SessionInfo, SessionTable};
use crate::sync::{Condvar, Mutex};
use crate::time::{after, now_ns};
use crate::topic::Layout;

/// How often the follower looks for topics that somebody waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// librdkafka tries again after a second where a right lacked: it may have been given meanwhile.
const RIGHT_AGAIN: Duration = Duration::from_millis(1500);

/// How often records that are passed over are spoken of; all of them are counted.
const SPEAK_AGAIN: Duration = Duration::from_secs(30);

/// What the topics of a followed kind feed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Sessions,
    Formats(Arc<str>),
}

struct State {
    sessions: SessionTable,
    formats: HashMap<String, FormatTable>,
    roles: HashMap<String, Role>,
    /// The next offset to be read of every followed partition.
    positions: HashMap<TopicPartition, i64>,
    session_watchers: Watchers<SessionChange>,
    /// Where partitions about sessions ended when they were taken up, and when that was, in ms of our clock.
    edges: HashMap<TopicPartition, (i64, i64)>,
    /// Data sources whose clocks were told of.
    wrong_clocks: HashSet<String>,
    format_watchers: Watchers<FormatNews>,
    failure: Option<Error>,
    /// Topics that we may not read, until something comes from them.
    denied: HashMap<String, Error>,
    /// Records passed over that were spoken of, and when that was.
    told: (u64, Option<Instant>),
}

impl State {
    /// Warns of records that were passed over since the last time, now and then.
    fn tell_of_passed_over(&mut self) {
        let formats = self.formats.values();
        let (undecodable, conflicts) = formats.fold((0, 0), |(undecodable, conflicts), table| {
            (undecodable + table.undecodable(), conflicts + table.conflicts())
        });
        let ignored = self.sessions.ignored();
        let total = ignored.total() + undecodable + conflicts;
        if total == self.told.0 || self.told.1.is_some_and(|at| at.elapsed() < SPEAK_AGAIN) {
            return;
        }
        log::warn!(
            "{} records of sessions and {undecodable} of data formats cannot be used and were passed over so far, \
             {conflicts} definitions contradict earlier ones; the last of a session: {}",
            ignored.total(),
            ignored.last_reason.as_deref().unwrap_or("none")
        );
        self.told = (total, Some(Instant::now()));
    }
}

impl State {
    /// A clock that is far off is told of once for each data source, and of no more than a thousand.
    fn compare_clocks(&mut self, message: &Message<'_>, change: &SessionChange) {
        let (SessionChange::Started(info) | SessionChange::Updated(info) | SessionChange::Ended(info)) = change else {
            return;
        };
        let edge = self.edges.get(&TopicPartition::new(message.topic, message.partition));
        let since = edge.filter(|(end, _)| message.offset >= *end).map(|(_, at)| *at);
        if let Some(warning) = clock_warning(&info.data_source, message.timestamp_ms, now_ms(), since)
            && self.wrong_clocks.len() < 1000
            && self.wrong_clocks.insert(info.data_source.clone())
        {
            log::warn!("{warning}");
        }
    }
}

fn now_ms() -> i64 {
    i64::try_from(now_ns() / 1_000_000).unwrap_or(i64::MAX)
}

struct Shared {
    consumer: Consumer,
    admin: Arc<Admin>,
    layout: Arc<LayoutSearch>,
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

/// Follows sessions and formats.
pub(crate) struct Directory {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Directory {
    pub(crate) fn start(settings: &Settings, admin: Arc<Admin>, layout: Arc<LayoutSearch>) -> Result<Self> {
        let shared = Arc::new(Shared {
            consumer: Consumer::new(settings, None)?,
            admin,
            layout,
            state: Mutex::new(State {
                sessions: SessionTable::new(),
                formats: HashMap::new(),
                roles: HashMap::new(),
                positions: HashMap::new(),
                session_watchers: Watchers::default(),
                edges: HashMap::new(),
                wrong_clocks: HashSet::new(),
                format_watchers: Watchers::default(),
                failure: None,
                denied: HashMap::new(),
                told: (0, None),
            }),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let follower = shared.clone();
        let thread = std::thread::Builder::new()
            .name("telewire-state".into())
            .spawn(move || {
                // A question that is under way when the directory closes is called off.
                let stopped = follower.clone();
                interrupt::with_hook(move || stopped.stop.load(Ordering::Acquire), || follower.run());
            })
            .map_err(|error| Error::io("starting the thread that follows sessions", &error))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Reads the session-info topic up to the end it has now. Returns whether there is such a topic.
    pub(crate) fn refresh_sessions(&self) -> Result<bool> {
        let topic = self.shared.layout.with(Layout::session_info);
        self.refresh(&topic, &Role::Sessions)
    }

    /// Reads the definitions of a data source up to the end they have now.
    pub(crate) fn refresh_formats(&self, data_source: &str) -> Result<()> {
        let topic = self.shared.layout.with(|layout| layout.essentials(data_source))?;
        self.shared.table_for(data_source);
        self.refresh(&topic, &Role::Formats(data_source.into())).map(|_| ())
    }

    fn refresh(&self, topic: &str, role: &Role) -> Result<bool> {
        let mut topics = self.shared.admin.topics(Duration::from_secs(60))?;
        if !topics.contains_key(topic) {
            topics = self.shared.admin.topics(Duration::ZERO)?;
        }
        let (begin, waited) = (Instant::now(), self.shared.admin.timeout());
        while !topics.contains_key(topic) {
            match self.shared.admin.exists_by_now(topic, "Read", format!("reading topic '{topic}'")) {
                Ok(false) => return Ok(false),
                Err(error @ Error::Denied { .. }) => return Err(error),
                Err(error) if begin.elapsed() > waited => return Err(error),
                Ok(true) if begin.elapsed() > waited => {
                    return Err(Error::Timeout { what: format!("listing topic '{topic}'"), waited });
                }
                Ok(true) | Err(_) => {}
            }
            // The listing comes from another broker, which may learn of the topic later.
            std::thread::sleep(Duration::from_millis(20));
            if self.shared.stop.load(Ordering::Acquire) {
                return Err(Error::Closed("the client".into()));
            }
            wanted_still()?;
            topics = self.shared.admin.topics(Duration::ZERO)?;
        }
        let ends = self.shared.follow_all(&topics, topic, role)?;
        self.wait(topic, &ends)?;
        Ok(true)
    }

    /// Waits until these partitions of a topic have been read up to these offsets.
    fn wait(&self, topic: &str, ends: &[(TopicPartition, i64)]) -> Result<()> {
        let timeout = self.shared.admin.timeout();
        let deadline = after(timeout);
        let patience = after(RIGHT_AGAIN.min(timeout));
        let mut state = self.shared.state.lock();
        loop {
            if self.shared.stop.load(Ordering::Acquire) {
                return Err(Error::Closed("the client".into()));
            }
            if let Some(error) = &state.failure {
                return Err(error.clone());
            }
            let behind = |(place, end): &&(TopicPartition, i64)| state.positions.get(place).is_none_or(|at| at < end);
            if ends.iter().find(behind).is_none() {
                return Ok(());
            }
            let now = Instant::now();
            if now >= patience
                && let Some(error) = state.denied.get(topic)
            {
                return Err(error.clone());
            }
            let until = if now < patience { patience } else { deadline };
            if self.shared.changed.wait_until(&mut state, until).timed_out() && until == deadline {
                let what = match self.shared.consumer.problem() {
                    Some(problem) => format!("reading '{topic}' to its end ({problem})"),
                    None => format!("reading '{topic}' to its end"),
                };
                return Err(Error::Timeout { what, waited: timeout });
            }
        }
    }

    /// The failures of its connections, by `host:port`.
    pub(crate) fn failures(&self) -> HashMap<String, Trouble> {
        self.shared.consumer.context().failures()
    }

    pub(crate) fn statistics(&self) -> Option<Statistics> {
        self.shared.consumer.context().statistics()
    }

    /// Why it does not follow any more.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.state.lock().failure.clone()
    }

    /// How many sessions and formats are known of each data source.
    pub(crate) fn known(&self) -> BTreeMap<String, (usize, usize)> {
        let state = self.shared.state.lock();
        let mut known: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for info in state.sessions.iter() {
            known.entry(info.data_source.clone()).or_default().0 += 1;
        }
        for (data_source, table) in &state.formats {
            known.entry(data_source.clone()).or_default().1 += table.all().len();
        }
        known
    }

    pub(crate) fn session(&self, key: &str) -> Option<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.get(key)
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.all()
    }

    /// The sessions that a filter takes.
    pub(crate) fn find(&self, filter: &SessionFilter<'_>) -> Vec<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.find(filter)
    }

    /// The sessions that name this one as theirs.
    pub(crate) fn associated_with(&self, key: &str) -> Vec<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.associated_with(key)
    }

    /// Looks at the formats of a data source, as far as they have been read.
    pub(crate) fn formats<T>(&self, data_source: &str, look: impl FnOnce(&FormatTable) -> T) -> Option<T> {
        self.shared.state.lock().formats.get(data_source).map(look)
    }

    /// Every change of sessions from now on.
    pub(crate) fn watch_sessions(&self) -> Watch<SessionChange> {
        let mut state = self.shared.state.lock();
        let watch = state.session_watchers.watch();
        self.cut_off(&mut state);
        watch
    }

    /// Every new format of every data source from now on.
    pub(crate) fn watch_formats(&self) -> Result<Watch<FormatNews>> {
        // What is there now is no news: it is read first, all data sources side by side.
        let topics = self.shared.admin.topics(Duration::ZERO)?;
        let mut followed = Vec::new();
        for (data_source, topic) in self.shared.format_topics(&topics) {
            let ends = self.shared.follow_all(&topics, &topic, &Role::Formats(data_source))?;
            followed.push((topic, ends));
        }
        for (topic, ends) in followed {
            self.wait(&topic, &ends)?;
        }
        let mut state = self.shared.state.lock();
        let watch = state.format_watchers.watch();
        self.cut_off(&mut state);
        Ok(watch)
    }

    /// The sessions known now, and every change from now on, without a gap in between; for several readers at once, which
    /// all start from the same moment.
    pub(crate) fn watch_together(&self, count: usize) -> Vec<(Vec<Arc<SessionInfo>>, Watch<SessionChange>)> {
        let mut state = self.shared.state.lock();
        let sessions = state.sessions.all();
        let watching = (0..count).map(|_| (sessions.clone(), state.session_watchers.watch())).collect();
        self.cut_off(&mut state);
        watching
    }

    /// After the end of the directory nobody hears of anything any more.
    fn cut_off(&self, state: &mut State) {
        if self.shared.stop.load(Ordering::Acquire) {
            state.session_watchers.clear();
            state.format_watchers.clear();
        }
    }

    pub(crate) fn close(&self, deadline: Duration) {
        self.shared.stop.store(true, Ordering::Release);
        // Under the lock, so that a waiter that has just looked at `stop` is not missed.
        self.cut_off(&mut self.shared.state.lock());
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            join(thread, deadline);
        }
    }
}

/// Joins a thread, but not longer than this; a thread that does not end is left behind and said so.
pub(crate) fn join(thread: JoinHandle<()>, deadline: Duration) -> bool {
    if thread.thread().id() == std::thread::current().id() {
        return true; // Closed from inside itself: it ends when its caller returns.
    }
    let name = thread.thread().name().unwrap_or("a thread").to_string();
    let end = after(deadline);
    while !thread.is_finished() {
        if Instant::now() >= end {
            log::error!("{name} did not end within {} s and is left behind", deadline.as_secs_f64());
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if thread.join().is_err() {
        log::error!("{name} ended by a panic");
        return false;
    }
    true
}

impl Shared {
    fn table_for(&self, data_source: &str) {
        let mut state = self.state.lock();
        if !state.formats.contains_key(data_source) {
            state.formats.insert(data_source.to_string(), FormatTable::new(data_source));
        }
    }

    /// The topics of definitions among these, with their data sources.
    fn format_topics(&self, topics: &Topics) -> Vec<(Arc<str>, String)> {
        self.layout.with(|layout| {
            let names = layout.data_sources(topics.keys().map(String::as_str));
            let topic = |name: &String| layout.essentials(name).ok().filter(|topic| topics.contains_key(topic));
            names.iter().filter_map(|name| Some((name.as_str().into(), topic(name)?))).collect()
        })
    }

    /// Follows each partition of a topic from its beginning; returns where they end now.
    fn follow_all(&self, topics: &Topics, topic: &str, role: &Role) -> Result<Vec<(TopicPartition, i64)>> {
        if let Role::Formats(data_source) = role {
            self.table_for(data_source);
        }
        let mut ends = Vec::new();
        let asked_ms = now_ms();
        let count = topics.get(topic).copied().unwrap_or(0);
        let marks = self.admin.watermarks_of((0..count).map(|partition| TopicPartition::new(topic, partition)))?;
        for (place, (low, high)) in marks {
            if *role == Role::Sessions {
                self.state.lock().edges.entry(place.clone()).or_insert((high, asked_ms));
            }
            self.follow(&place, low, role)?;
            ends.push((place, high));
        }
        Ok(ends)
    }

    fn follow(&self, place: &TopicPartition, low: i64, role: &Role) -> Result<()> {
        {
            let mut state = self.state.lock();
            state.roles.entry(place.topic.to_string()).or_insert_with(|| role.clone());
            if state.positions.contains_key(place) {
                return Ok(());
            }
            state.positions.insert(place.clone(), low);
        }
        self.consumer.add(&[Start { place: place.clone(), offset: low }])
    }

    fn run(&self) {
        let mut looked = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            let count = self.consumer.poll(Duration::from_millis(50), 2000, &mut |event| self.on_event(event));
            if count > 0 {
                self.state.lock().tell_of_passed_over();
                self.changed.notify_all();
            }
            if looked.elapsed() >= LOOK_AGAIN {
                looked = Instant::now();
                self.look_for_topics();
            }
        }
        self.changed.notify_all();
    }

    /// Topics that somebody watches and that did not exist: perhaps they do now.
    fn look_for_topics(&self) {
        let session_info = self.layout.with(Layout::session_info);
        let (sessions, formats) = {
            let mut state = self.state.lock();
            let sessions = !state.roles.contains_key(&session_info) && !state.session_watchers.is_empty();
            (sessions, !state.format_watchers.is_empty())
        };
        if !sessions && !formats {
            return;
        }
        let Some(topics) = self.admin.glance_back(LOOK_AGAIN / 2, LOOK_AGAIN / 2) else { return };
        // The first writer may have chosen another layout than the one assumed so far.
        self.layout.look(topics.keys().map(String::as_str));
        let mut wanted = Vec::new();
        if sessions {
            wanted.push((Role::Sessions, self.layout.with(Layout::session_info)));
        }
        if formats {
            let of_formats = self.format_topics(&topics);
            wanted.extend(of_formats.into_iter().map(|(name, topic)| (Role::Formats(name), topic)));
        }
        {
            let mut state = self.state.lock();
            wanted.retain(|(_, topic)| topics.contains_key(topic) && !state.roles.contains_key(topic));
            if !wanted.is_empty() {
                state.failure = None;
            }
        }
        for (role, topic) in wanted {
            if let Err(error) = self.follow_all(&topics, &topic, &role) {
                log::warn!("cannot follow '{topic}' yet: {error}");
            }
        }
    }

    fn on_event(&self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.on_message(&message),
            Event::End { topic, partition, offset } => {
                let mut state = self.state.lock();
                state.denied.remove(topic);
                if let Some(at) = state.positions.get_mut(&TopicPartition::new(topic, partition)) {
                    *at = (*at).max(offset);
                }
            }
            Event::Error { error: error @ Error::Denied { .. }, topic: Some(topic), .. } => {
                log::warn!("{error}");
                self.state.lock().denied.insert(topic, error);
            }
            Event::Error { error, fatal: true, .. } => {
                log::error!("following sessions and formats ended: {error}");
                self.state.lock().failure = Some(error);
            }
            Event::Error { error, .. } => log::debug!("following sessions and formats: {error}"),
            Event::Assigned(_) | Event::Revoked(_) => {}
        }
    }

    fn on_message(&self, message: &Message<'_>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if !state.denied.is_empty() {
            state.denied.remove(message.topic);
        }
        match state.roles.get(message.topic) {
            Some(Role::Sessions) => {
                let record = Record {
                    partition: message.partition,
                    offset: message.offset,
                    timestamp_ms: message.timestamp_ms,
                    key: message.key,
                    value: message.value,
                };
                let changes = state.sessions.apply(&record);
                if let Some(change) = changes.first() {
                    state.compare_clocks(message, change);
                }
                for change in changes {
                    state.session_watchers.tell(&change);
                }
            }
            Some(Role::Formats(data_source)) => {
                let definition = message.value.filter(|value| {
                    // Configurations and markers pass by here too: only definitions are decoded.
                    Envelope::peek(value).is_ok_and(|envelope| {
                        matches!(
                            PacketType::parse(envelope.type_name),
                            PacketType::DataFormatDefinition | PacketType::DataFormatConfiguration
                        )
                    })
                });
                if let (Some(value), Some(table)) = (definition, state.formats.get_mut(&**data_source)) {
                    for change in table.apply(value) {
                        let Some(format) = table.info(change.definition.kind(), change.id) else { continue };
                        state.format_watchers.tell(&FormatNews {
                            data_source: data_source.clone(),
                            format,
                            id: change.id,
                        });
                    }
                }
            }
            None => {}
        }
        if let Some(at) = state.positions.get_mut(&TopicPartition::new(message.topic, message.partition)) {
            *at = message.offset + 1;
        }
    }
}

/// The data sources with sessions in a listing, in order of appearance.
pub(crate) fn data_sources_of(sessions: &[Arc<SessionInfo>]) -> Vec<String> {
    let mut seen = HashSet::new();
    sessions.iter().map(|info| &info.data_source).filter(|name| seen.insert((*name).clone())).cloned().collect()
}
