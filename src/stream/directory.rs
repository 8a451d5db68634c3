//! The live picture of sessions and formats: one thread follows their topics and feeds the folds.
//!
//! A question is answered "up to date": the end offset of the topic is taken first, and the answer waits until that
//! offset has been read. That is deterministic, unlike waiting for silence.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::format::FormatTable;
use crate::kafka::consumer::Message;
use crate::kafka::{Admin, Consumer, Event, Settings, Start, TopicPartition};
use crate::packet::{Envelope, PacketType};
use crate::session::{Record, SessionChange, SessionInfo, SessionTable};
use crate::time::after;
use crate::topic::Layout;

/// How often the follower looks for a session-info topic that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the topics of a followed kind feed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Sessions,
    Formats(String),
}

struct State {
    sessions: SessionTable,
    formats: HashMap<String, FormatTable>,
    roles: HashMap<String, Role>,
    /// The next offset to be read of every followed partition.
    positions: HashMap<TopicPartition, i64>,
    watchers: Vec<Sender<SessionChange>>,
    failure: Option<Error>,
}

struct Shared {
    consumer: Consumer,
    admin: Arc<Admin>,
    layout: Arc<Mutex<Layout>>,
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

/// Follows sessions and formats.
pub(crate) struct Directory {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    timeout: Duration,
}

impl Directory {
    pub(crate) fn start(
        settings: &Settings,
        admin: Arc<Admin>,
        layout: Arc<Mutex<Layout>>,
        timeout: Duration,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            consumer: Consumer::new(settings, None)?,
            admin,
            layout,
            state: Mutex::new(State {
                sessions: SessionTable::new(),
                formats: HashMap::new(),
                roles: HashMap::new(),
                positions: HashMap::new(),
                watchers: Vec::new(),
                failure: None,
            }),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let follower = shared.clone();
        let thread = std::thread::Builder::new()
            .name("telewire-state".into())
            .spawn(move || follower.run())
            .map_err(|error| Error::io("starting the thread that follows sessions", &error))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), timeout })
    }

    /// Reads the session-info topic up to the end it has now. Returns whether there is such a topic.
    pub(crate) fn refresh_sessions(&self) -> Result<bool> {
        let topic = self.shared.layout.lock().session_info();
        self.refresh(&topic, &Role::Sessions)
    }

    /// Reads the definitions of a data source up to the end they have now.
    pub(crate) fn refresh_formats(&self, data_source: &str) -> Result<()> {
        let topic = self.shared.layout.lock().essentials(data_source)?;
        self.shared
            .state
            .lock()
            .formats
            .entry(data_source.to_string())
            .or_insert_with(|| FormatTable::new(data_source));
        self.refresh(&topic, &Role::Formats(data_source.to_string())).map(|_| ())
    }

    fn refresh(&self, topic: &str, role: &Role) -> Result<bool> {
        let mut topics = self.shared.admin.topics(Duration::from_secs(60))?;
        if !topics.contains_key(topic) {
            topics = self.shared.admin.topics(Duration::ZERO)?;
        }
        let Some(count) = topics.get(topic).copied() else { return Ok(false) };
        let mut ends = Vec::new();
        for partition in 0..count {
            let place = TopicPartition::new(topic, partition);
            let (low, high) = self.shared.admin.watermarks(&place)?;
            self.shared.follow(&place, low, role)?;
            ends.push((place, high));
        }
        let deadline = after(self.timeout);
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
                return Ok(true);
            }
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                let what = match self.shared.consumer.problem() {
                    Some(problem) => format!("reading '{topic}' to its end ({problem})"),
                    None => format!("reading '{topic}' to its end"),
                };
                return Err(Error::Timeout { what, waited: self.timeout });
            }
        }
    }

    pub(crate) fn session(&self, key: &str) -> Option<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.get(key)
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<SessionInfo>> {
        self.shared.state.lock().sessions.all()
    }

    /// Looks at the formats of a data source, as far as they have been read.
    pub(crate) fn formats<T>(&self, data_source: &str, look: impl FnOnce(&FormatTable) -> T) -> Option<T> {
        self.shared.state.lock().formats.get(data_source).map(look)
    }

    /// The sessions known now, and every change from now on, without a gap in between.
    pub(crate) fn watch(&self) -> (Vec<Arc<SessionInfo>>, Receiver<SessionChange>) {
        let mut state = self.shared.state.lock();
        (state.sessions.all(), self.subscribe(&mut state))
    }

    /// [`Directory::watch`] for several at once: all start from the same moment.
    pub(crate) fn watch_together(&self, count: usize) -> Vec<(Vec<Arc<SessionInfo>>, Receiver<SessionChange>)> {
        let mut state = self.shared.state.lock();
        let sessions = state.sessions.all();
        (0..count).map(|_| (sessions.clone(), self.subscribe(&mut state))).collect()
    }

    /// After the end of the directory, the receiver is cut off at once.
    fn subscribe(&self, state: &mut State) -> Receiver<SessionChange> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        if !self.shared.stop.load(Ordering::Acquire) {
            state.watchers.push(sender);
        }
        receiver
    }

    pub(crate) fn close(&self, deadline: Duration) {
        self.shared.stop.store(true, Ordering::Release);
        // Under the lock, so that a waiter that has just looked at `stop` is not missed.
        self.shared.state.lock().watchers.clear();
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
                self.changed.notify_all();
            }
            if looked.elapsed() >= LOOK_AGAIN {
                looked = Instant::now();
                self.look_for_sessions();
            }
        }
        self.changed.notify_all();
    }

    /// Somebody watches sessions, and the topic did not exist: perhaps it does now.
    fn look_for_sessions(&self) {
        let topic = self.layout.lock().session_info();
        {
            let mut state = self.state.lock();
            if state.roles.contains_key(&topic) || state.watchers.is_empty() {
                return;
            }
            state.failure = None;
        }
        let Ok(topics) = self.admin.topics(LOOK_AGAIN / 2) else { return };
        let Some(count) = topics.get(&topic) else { return };
        for partition in 0..*count {
            let place = TopicPartition::new(topic.as_str(), partition);
            let followed = self.admin.watermarks(&place).and_then(|(low, _)| self.follow(&place, low, &Role::Sessions));
            if let Err(error) = followed {
                log::warn!("cannot follow '{topic}' yet: {error}");
            }
        }
    }

    fn on_event(&self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.on_message(&message),
            Event::End { topic, partition, offset } => {
                let mut state = self.state.lock();
                if let Some(at) = state.positions.get_mut(&TopicPartition::new(topic, partition)) {
                    *at = (*at).max(offset);
                }
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
        match state.roles.get(message.topic) {
            Some(Role::Sessions) => {
                let record = Record {
                    partition: message.partition,
                    offset: message.offset,
                    timestamp_ms: message.timestamp_ms,
                    key: message.key,
                    value: message.value,
                };
                for change in state.sessions.apply(&record) {
                    state.watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
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
                if let (Some(value), Some(table)) = (definition, state.formats.get_mut(data_source)) {
                    table.apply(value);
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
