//! What a running broker holds: topics, groups, offsets, producer ids, and the folder they are kept in, if there is one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;
use uuid::Uuid;

use super::BrokerOptions;
use super::configs::{Given, Rules};
use super::disk::CleanEnd;
use super::folder::{Folder, State, TopicState};
use super::groups::Groups;
use super::memory::Budget;
use super::offsets::Offsets;
use super::partition::Partition;
use super::refusal::Refusal;
use super::topics::{Registry, Topic};
use crate::error::{Error, Result};
use crate::sync::{Mutex, RwLock};

/// Partitions that one request may create, as in Kafka.
const MOST_PER_REQUEST: i32 = 10_000;
/// Partitions that a broker may have.
const MOST_PARTITIONS: usize = 100_000;
/// Producer ids are reserved in blocks, so that a restart never hands one out again.
const ID_BLOCK: i64 = 1_000;

/// The broker without its sockets.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) cluster_id: String,
    pub(super) auto_create: bool,
    pub(super) default_partitions: i32,
    pub(super) retention_ms: Option<i64>,
    pub(super) groups: Mutex<Groups>,
    /// Told when a group has something to do earlier than before.
    pub(super) group_work: Notify,
    pub(super) offsets: Mutex<Offsets>,
    pub(super) connections: AtomicUsize,
    registry: RwLock<Registry>,
    /// Held while topics are created, changed or deleted.
    admin: Mutex<ProducerIds>,
    budget: Arc<Budget>,
    folder: Option<Folder>,
    /// Held by whoever tidies up or closes; true once the broker is closed.
    closed: Mutex<bool>,
}

#[derive(Debug)]
struct ProducerIds {
    next: i64,
    reserved: i64,
}

impl Core {
    /// Opens the folder, or begins in memory.
    pub(super) fn open(options: &BrokerOptions, folder: Option<Folder>) -> Result<Self> {
        let mut state = folder.as_ref().map_or(Ok(State::default()), Folder::load)?;
        if state.cluster_id.is_empty() {
            state.cluster_id = Uuid::new_v4().to_string();
        }
        let retention_ms = options.retention.map(|r| i64::try_from(r.as_millis()).unwrap_or(i64::MAX));
        let mut core = Self {
            cluster_id: state.cluster_id.clone(),
            auto_create: options.auto_create_topics,
            default_partitions: options.default_partitions.max(1),
            retention_ms,
            groups: Mutex::default(),
            group_work: Notify::new(),
            offsets: Mutex::new(Offsets::in_memory()),
            connections: AtomicUsize::new(0),
            registry: RwLock::default(),
            admin: Mutex::new(ProducerIds { next: state.next_producer_id, reserved: state.next_producer_id }),
            budget: Arc::new(Budget::new(options.memory_budget)),
            folder: None,
            closed: Mutex::new(false),
        };
        if let Some(folder) = folder {
            let path = folder.path().display().to_string();
            core.recover(&folder, &state)
                .map_err(|e| Error::io(format!("folder '{path}' of the embedded broker"), &e))?;
            core.folder = Some(folder);
        }
        Ok(core)
    }

    fn recover(&mut self, folder: &Folder, state: &State) -> io::Result<()> {
        folder.sweep()?;
        self.offsets = Mutex::new(Offsets::open(&folder.offsets())?);
        let (starts, clean, now) = (folder.load_starts(), folder.take_clean(), now_ms());
        let mut registry = Registry::default();
        let mut largest = -1;
        for known in &state.topics {
            let rules = Rules::new(&known.configs, self.retention_ms);
            let open = |index: i32| {
                let path = folder.partition(&known.name, index);
                let start = starts.get(&(known.name.clone(), index)).copied().unwrap_or(0);
                let end = clean.get(&format!("{}-{index}", known.name)).copied();
                Partition::in_folder(&known.name, index, &path, rules.segment_bytes, start, end, now).map(Arc::new)
            };
            let partitions = (0..known.partitions).map(open).collect::<io::Result<Vec<_>>>()?;
            largest = partitions.iter().filter_map(|p| p.largest_producer_id()).fold(largest, i64::max);
            registry.insert(Arc::new(Topic::new(&known.name, known.id, partitions, known.configs.clone(), rules)));
        }
        let next = state.next_producer_id.max(largest + 1);
        self.admin = Mutex::new(ProducerIds { next, reserved: next });
        self.registry = RwLock::new(registry);
        folder.save(&self.state(next, None))
    }

    fn state(&self, next_producer_id: i64, without: Option<&str>) -> State {
        let registry = self.registry.read();
        let topic = |t: &Arc<Topic>| TopicState {
            name: t.name.clone(),
            id: t.id,
            partitions: i32::try_from(t.partition_count()).unwrap_or(i32::MAX),
            configs: t.given(),
        };
        let topics = registry.all().filter(|t| without != Some(&t.name)).map(topic).collect();
        State { cluster_id: self.cluster_id.clone(), next_producer_id, topics }
    }

    fn save(&self, ids: &ProducerIds, without: Option<&str>) -> std::result::Result<(), Refusal> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.save(&self.state(ids.reserved, without)).map_err(|e| storage(&e))
    }

    /// The folder, if there is one.
    pub(super) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// The topic of that name.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.registry.read().named(name).cloned()
    }

    /// The topic of that id.
    pub(super) fn topic_with_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.registry.read().with_id(id).cloned()
    }

    /// All topics in the order of their names.
    pub(super) fn topics(&self) -> Vec<Arc<Topic>> {
        self.registry.read().all().cloned().collect()
    }

    /// How many topics there are.
    pub(super) fn topic_count(&self) -> usize {
        self.registry.read().len()
    }

    /// A partition by topic name and number.
    pub(super) fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.registry.read().named(topic)?.partition(index)
    }

    /// Creates a topic, or only says whether it could be created.
    pub(super) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        given: Given,
        validate_only: bool,
    ) -> std::result::Result<Arc<Topic>, Refusal> {
        let ids = self.admin.lock();
        self.registry.read().check_free(name)?;
        for (setting, value) in &given {
            super::configs::check(setting, value)?;
        }
        self.check_count(partitions)?;
        let rules = Rules::new(&given, self.retention_ms);
        let made =
            if validate_only { Vec::new() } else { self.make_partitions(name, 0..partitions, rules.segment_bytes)? };
        let topic = Arc::new(Topic::new(name, Uuid::new_v4(), made, given, rules));
        if !validate_only {
            self.registry.write().insert(Arc::clone(&topic));
            if let Err(refusal) = self.save(&ids, None) {
                self.registry.write().remove(name);
                return Err(refusal);
            }
        }
        Ok(topic)
    }

    fn check_count(&self, more: i32) -> std::result::Result<(), Refusal> {
        if more <= 0 {
            let text = format!("Number of partitions must be larger than 0, not {more}.");
            return Err(Refusal::new(ResponseError::InvalidPartitions, text));
        }
        let now: usize = self.topics().iter().map(|t| t.partition_count()).sum();
        if more > MOST_PER_REQUEST || now + more as usize > MOST_PARTITIONS {
            let text = format!(
                "{more} partitions are too many: at most {MOST_PER_REQUEST} at once and {MOST_PARTITIONS} in all, {now} exist"
            );
            return Err(Refusal::new(ResponseError::PolicyViolation, text));
        }
        Ok(())
    }

    fn make_partitions(
        &self,
        name: &str,
        indexes: std::ops::Range<i32>,
        segment_bytes: u64,
    ) -> std::result::Result<Vec<Arc<Partition>>, Refusal> {
        let make = |index: i32| match &self.folder {
            None => Ok(Arc::new(Partition::in_memory(name, index, &self.budget))),
            Some(folder) => {
                let path = folder.partition(name, index);
                let made = Partition::in_folder(name, index, &path, segment_bytes, 0, None, now_ms());
                let made = made.map_err(|e| storage(&e))?;
                if made.bytes() > 0 {
                    let text = format!("{} holds records of an unknown topic; move it away", path.display());
                    return Err(Refusal::new(ResponseError::KafkaStorageError, text));
                }
                Ok(Arc::new(made))
            }
        };
        indexes.map(make).collect()
    }

    /// Adds partitions until there are `count`, or only says whether that could be done.
    pub(super) fn extend_topic(&self, name: &str, count: i32, validate_only: bool) -> std::result::Result<(), Refusal> {
        let ids = self.admin.lock();
        let topic = self.topic(name).ok_or_else(|| unknown_topic(name))?;
        let now = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
        if count <= now {
            let text = match count {
                _ if count == now => format!("Topic already has {now} partition(s)."),
                _ => format!("The topic {name} currently has {now} partition(s); {count} would not be an increase."),
            };
            return Err(Refusal::new(ResponseError::InvalidPartitions, text));
        }
        self.check_count(count - now)?;
        if validate_only {
            return Ok(());
        }
        topic.extend(self.make_partitions(name, now..count, topic.rules().segment_bytes)?);
        self.save(&ids, None)
    }

    /// Replaces a topic's settings, or only says whether they are allowed.
    pub(super) fn configure(&self, name: &str, given: Given, validate_only: bool) -> std::result::Result<(), Refusal> {
        let ids = self.admin.lock();
        let topic = self.topic(name).ok_or_else(|| unknown_topic(name))?;
        for (setting, value) in &given {
            super::configs::check(setting, value)?;
        }
        if validate_only {
            return Ok(());
        }
        let rules = Rules::new(&given, self.retention_ms);
        topic.configure(given, rules);
        self.save(&ids, None)
    }

    /// Deletes a topic with its records and what groups have committed for it.
    pub(super) fn delete_topic(&self, name: &str) -> std::result::Result<(), Refusal> {
        let ids = self.admin.lock();
        let topic = self.topic(name).ok_or_else(|| unknown_topic(name))?;
        for partition in topic.partitions() {
            partition.delete();
            if let Some(folder) = &self.folder {
                folder.remove_partition(name, partition.index()).map_err(|e| storage(&e))?;
            }
        }
        self.save(&ids, Some(name))?;
        self.registry.write().remove(name);
        self.offsets.lock().forget_topic(name).map_err(|e| storage(&e))?;
        drop(ids);
        self.save_starts().map_err(|e| storage(&e))
    }

    /// Writes down where the logs begin, after records were deleted.
    pub(super) fn save_starts(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut starts = BTreeMap::new();
        for topic in self.topics() {
            for partition in topic.partitions() {
                let (start, _) = partition.bounds();
                if start > 0 {
                    starts.insert((topic.name.clone(), partition.index()), start);
                }
            }
        }
        folder.save_starts(&starts)
    }

    /// A producer id that nobody has had.
    pub(super) fn next_producer_id(&self) -> std::result::Result<i64, Refusal> {
        let mut ids = self.admin.lock();
        if ids.next >= ids.reserved {
            ids.reserved = ids.next + ID_BLOCK;
            self.save(&ids, None)?;
        }
        let id = ids.next;
        ids.next += 1;
        Ok(id)
    }

    /// Deletes what retention no longer keeps, and drops silent members of groups.
    pub(super) fn retain(&self, now_ms: i64) {
        let closed = self.closed.lock();
        if *closed {
            return;
        }
        let mut moved = false;
        for topic in self.topics() {
            let retention = topic.rules().retention;
            for partition in topic.partitions() {
                match partition.retain(retention, now_ms) {
                    Ok(changed) => moved |= changed,
                    Err(e) => log::warn!("embedded broker: retention of {}-{}: {e}", topic.name, partition.index()),
                }
            }
        }
        if moved && let Err(e) = self.save_starts() {
            log::warn!("embedded broker: the logs' first offsets could not be saved: {e}");
        }
        self.groups.lock().tick(Instant::now());
    }

    /// Forces everything that was written to the disk.
    pub(super) fn sync(&self) {
        let closed = self.closed.lock();
        if !*closed && self.folder.is_some() {
            self.sync_all();
        }
    }

    fn sync_all(&self) {
        let offsets = self.offsets.lock().take_unsynced();
        if let Some(Err(e)) = offsets.map(|f| f.sync_data()) {
            log::warn!("embedded broker: committed offsets could not be forced to the disk: {e}");
        }
        for topic in self.topics() {
            for partition in topic.partitions() {
                if let Err(e) = partition.sync() {
                    log::warn!(
                        "embedded broker: {}-{} could not be forced to the disk: {e}",
                        topic.name,
                        partition.index()
                    );
                }
            }
        }
    }

    /// The last deed of an orderly stop; nothing may be written afterwards.
    pub(super) fn close(&self) {
        let mut closed = self.closed.lock();
        *closed = true;
        let Some(folder) = &self.folder else { return };
        self.sync_all();
        let mut ends: BTreeMap<String, CleanEnd> = BTreeMap::new();
        for topic in self.topics() {
            for partition in topic.partitions() {
                ends.extend(partition.clean_end().map(|end| (format!("{}-{}", topic.name, partition.index()), end)));
            }
        }
        let done = self.save_starts().and_then(|()| folder.save_clean(&ends)).and_then(|()| folder.withdraw());
        let done = done.and_then(|()| folder.release());
        if let Err(e) = done {
            log::warn!("embedded broker: folder '{}' was not closed cleanly: {e}", folder.path().display());
        }
    }
}

/// Milliseconds since the epoch, as records have them.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// The refusal for a topic that is not there.
pub(super) fn unknown_topic(name: &str) -> Refusal {
    let text = format!("topic '{}' does not exist", crate::error::Printable(name));
    Refusal::new(ResponseError::UnknownTopicOrPartition, text)
}

fn storage(error: &io::Error) -> Refusal {
    log::error!("embedded broker: {error}");
    Refusal::new(ResponseError::KafkaStorageError, format!("the embedded broker's folder: {error}"))
}
