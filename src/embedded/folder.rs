//! The folder of a broker: who owns it, which topics it holds, where their logs begin.
//!
//! Beside Kafka's log folders there are a few small files of our own. Each one is replaced as a whole (written elsewhere,
//! forced to the disk, renamed), so that a crash leaves the old or the new one.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::configs::Given;
use super::disk::CleanEnd;
use crate::error::{Error, Result};

const LOCK: &str = "broker.lock";
const ADDRESS: &str = "broker.address";
const STATE: &str = "topics.json";
const CLEAN: &str = "clean-stop.json";
const CHECKPOINT: &str = "log-start-offset-checkpoint";
const OFFSETS: &str = "committed-offsets.log";
const DELETED: &str = "-delete";

/// What the broker knows beside the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The cluster's id, kept over restarts.
    pub cluster_id: String,
    /// Producer ids from here on were never handed out.
    pub next_producer_id: i64,
    /// The topics.
    pub topics: Vec<TopicState>,
}

/// What the broker knows about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopicState {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// The settings that were given a value.
    #[serde(default)]
    pub configs: Given,
}

/// A folder that this process owns until it is released or the value is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Takes the folder, creating it if need be; `None` when another broker has it.
    pub(super) fn take(path: &Path) -> Result<Option<Self>> {
        let failed = |e: &io::Error| Error::io(format!("folder '{}' of the embedded broker", path.display()), e);
        fs::create_dir_all(path).map_err(|e| failed(&e))?;
        let path = path.canonicalize().map_err(|e| failed(&e))?;
        let mut options = OpenOptions::new();
        let lock = options.read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
        let lock = lock.map_err(|e| failed(&e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(failed(&e)),
        }
        // An address left behind by a broker that was killed must not lead anyone astray while this one starts.
        remove_if_there(&path.join(ADDRESS)).map_err(|e| failed(&e))?;
        Ok(Some(Self { path, lock }))
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where committed offsets are kept.
    pub(super) fn offsets(&self) -> PathBuf {
        self.path.join(OFFSETS)
    }

    /// The folder of a partition.
    pub(super) fn partition(&self, topic: &str, index: i32) -> PathBuf {
        self.path.join(format!("{topic}-{index}"))
    }

    /// Tells other processes where the broker is to be found.
    pub(super) fn announce(&self, address: &str) -> io::Result<()> {
        replace(&self.path.join(ADDRESS), address.as_bytes())
    }

    /// The address is no longer good.
    pub(super) fn withdraw(&self) -> io::Result<()> {
        remove_if_there(&self.path.join(ADDRESS))
    }

    /// Leaves the folder to the next broker; nothing may be written afterwards.
    pub(super) fn release(&self) -> io::Result<()> {
        self.lock.unlock()
    }

    /// What was saved last.
    pub(super) fn load(&self) -> Result<State> {
        let path = self.path.join(STATE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let text = format!("{} cannot be read: {e}; restore it, or use an empty folder", path.display());
                Error::Embedded(text)
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(e) => Err(Error::io(path.display().to_string(), &e)),
        }
    }

    /// Saves what the broker knows; it is on the disk when this returns.
    pub(super) fn save(&self, state: &State) -> io::Result<()> {
        replace(&self.path.join(STATE), &serde_json::to_vec_pretty(state).map_err(io::Error::other)?)
    }

    /// First offsets that deleting records has left, by topic and partition. The file has Kafka's name and format.
    pub(super) fn load_starts(&self) -> BTreeMap<(String, i32), i64> {
        let text = fs::read_to_string(self.path.join(CHECKPOINT)).unwrap_or_default();
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let (topic, partition, offset) = (words.next()?, words.next()?, words.next()?);
            Some(((topic.to_owned(), partition.parse().ok()?), offset.parse().ok()?))
        };
        text.lines().skip(2).filter_map(parse).collect()
    }

    /// Saves the first offsets.
    pub(super) fn save_starts(&self, starts: &BTreeMap<(String, i32), i64>) -> io::Result<()> {
        let mut text = format!("0\n{}\n", starts.len());
        for ((topic, partition), offset) in starts {
            text.push_str(&format!("{topic} {partition} {offset}\n"));
        }
        replace(&self.path.join(CHECKPOINT), text.as_bytes())
    }

    /// What the last orderly stop wrote down; it holds only once, and only until something is written.
    pub(super) fn take_clean(&self) -> BTreeMap<String, CleanEnd> {
        let path = self.path.join(CLEAN);
        let ends: BTreeMap<String, (i64, u64)> =
            fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if let Err(e) = remove_if_there(&path) {
            log::warn!("embedded broker: {}: {e}", path.display());
            return BTreeMap::new();
        }
        ends.into_iter().map(|(name, (base, size))| (name, CleanEnd { base, size })).collect()
    }

    /// Writes down where the logs end, at an orderly stop.
    pub(super) fn save_clean(&self, ends: &BTreeMap<String, CleanEnd>) -> io::Result<()> {
        let ends: BTreeMap<&String, (i64, u64)> = ends.iter().map(|(name, end)| (name, (end.base, end.size))).collect();
        replace(&self.path.join(CLEAN), &serde_json::to_vec(&ends).map_err(io::Error::other)?)
    }

    /// Removes a partition's folder. It is renamed first: what a crash leaves is recognised at the next start.
    pub(super) fn remove_partition(&self, topic: &str, index: i32) -> io::Result<()> {
        let folder = self.partition(topic, index);
        let doomed = self.path.join(format!("{}{DELETED}", Uuid::new_v4()));
        match fs::rename(&folder, &doomed) {
            Ok(()) => fs::remove_dir_all(doomed),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Finishes deletions that a crash has interrupted.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let doomed =
                name.to_str().and_then(|n| n.strip_suffix(DELETED)).is_some_and(|n| Uuid::parse_str(n).is_ok());
            if doomed {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The address that the owner of a folder has announced.
pub(super) fn announced(path: &Path) -> Option<String> {
    fs::read_to_string(path.join(ADDRESS)).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Replaces a file as a whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&fresh, path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(&root.path().join("deep/er")).unwrap().unwrap();
        assert!(Folder::take(folder.path()).unwrap().is_none());
        folder.announce("127.0.0.1:1").unwrap();
        assert_eq!(announced(folder.path()).as_deref(), Some("127.0.0.1:1"));
        let path = folder.path().to_path_buf();
        drop(folder);
        let _again = Folder::take(&path).unwrap().unwrap();
        assert_eq!(announced(&path), None);
    }

    #[test]
    fn state_starts_and_clean_ends_come_back() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(root.path()).unwrap().unwrap();
        assert_eq!(folder.load().unwrap(), State::default());
        let configs = Given::from([("retention.ms".to_owned(), "5".to_owned())]);
        let topic = TopicState { name: "t.x".into(), id: Uuid::new_v4(), partitions: 3, configs };
        let state = State { cluster_id: "c".into(), next_producer_id: 9, topics: vec![topic] };
        folder.save(&state).unwrap();
        assert_eq!(folder.load().unwrap(), state);

        let starts = BTreeMap::from([(("t.x".to_owned(), 2), 17)]);
        folder.save_starts(&starts).unwrap();
        assert_eq!(folder.load_starts(), starts);

        let ends = BTreeMap::from([("t.x-2".to_owned(), CleanEnd { base: 3, size: 99 })]);
        folder.save_clean(&ends).unwrap();
        assert_eq!(folder.take_clean(), ends);
        assert!(folder.take_clean().is_empty());
    }

    #[test]
    fn a_damaged_state_is_an_error_that_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(root.path()).unwrap().unwrap();
        fs::write(root.path().join(STATE), "{ half").unwrap();
        assert!(folder.load().unwrap_err().to_string().contains(STATE));
    }

    #[test]
    fn interrupted_deletions_are_finished_and_nothing_else_is_touched() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(root.path()).unwrap().unwrap();
        let doomed = root.path().join(format!("{}{DELETED}", Uuid::new_v4()));
        let mine = root.path().join("holiday-pictures-delete");
        fs::create_dir(&doomed).unwrap();
        fs::create_dir(&mine).unwrap();
        folder.sweep().unwrap();
        assert!(!doomed.exists() && mine.exists());
    }
}
