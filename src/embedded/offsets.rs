//! The offsets that groups have committed; with a folder, in a file that only grows and survives being cut anywhere.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder;

/// The file is written anew when it has this many lines more than four times the offsets that are alive.
const GARBAGE: usize = 10_000;

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Committed {
    /// The next record to be read.
    #[serde(rename = "o")]
    pub offset: i64,
    /// The leader epoch the client sent, or -1.
    #[serde(rename = "e")]
    pub epoch: i32,
    /// The client's own words.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

/// A topic and a partition.
pub(super) type Place = (String, i32);

#[derive(Debug, Serialize, Deserialize)]
enum Change {
    #[serde(rename = "c")]
    Commit {
        #[serde(rename = "g")]
        group: String,
        #[serde(rename = "t")]
        topic: String,
        #[serde(rename = "p")]
        partition: i32,
        #[serde(flatten)]
        committed: Committed,
    },
    #[serde(rename = "x")]
    Forget {
        #[serde(rename = "g")]
        group: String,
        #[serde(rename = "t")]
        topic: String,
        #[serde(rename = "p")]
        partition: i32,
    },
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    lines: usize,
    dirty: bool,
}

/// All committed offsets.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    groups: HashMap<String, BTreeMap<Place, Committed>>,
    journal: Option<Journal>,
}

impl Offsets {
    /// Offsets that live as long as the broker.
    pub(super) fn in_memory() -> Self {
        Self::default()
    }

    /// Offsets kept in a file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut offsets = Self::default();
        let bytes = match std::fs::read(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut good = 0;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let Some(change) = parse(line) else {
                let cut = bytes.len() - good;
                log::warn!("embedded broker: {}: {cut} bytes after byte {good} are cut", path.display());
                break;
            };
            good += line.len();
            offsets.apply(change);
        }
        offsets.rewrite(path)?;
        Ok(offsets)
    }

    /// The offset a group has committed.
    pub(super) fn get(&self, group: &str, place: &Place) -> Option<&Committed> {
        self.groups.get(group)?.get(place)
    }

    /// Everything a group has committed.
    pub(super) fn of_group(&self, group: &str) -> impl Iterator<Item = (&Place, &Committed)> {
        self.groups.get(group).into_iter().flatten()
    }

    /// The groups that have committed anything.
    pub(super) fn groups(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    /// Whether a group has committed anything.
    pub(super) fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Commits; with a file, the offsets are written when this returns.
    pub(super) fn commit(&mut self, group: &str, commits: Vec<(Place, Committed)>) -> io::Result<()> {
        let change =
            |((topic, partition), committed)| Change::Commit { group: group.to_owned(), topic, partition, committed };
        self.write(commits.into_iter().map(change).collect())
    }

    /// Forgets everything of a group.
    pub(super) fn forget_group(&mut self, group: &str) -> io::Result<()> {
        let places: Vec<Place> = self.of_group(group).map(|(place, _)| place.clone()).collect();
        self.forget(group, places)
    }

    /// Forgets some offsets of a group.
    pub(super) fn forget(&mut self, group: &str, places: Vec<Place>) -> io::Result<()> {
        let change = |(topic, partition)| Change::Forget { group: group.to_owned(), topic, partition };
        self.write(places.into_iter().map(change).collect())
    }

    /// Forgets what any group has committed for a topic that was deleted.
    pub(super) fn forget_topic(&mut self, topic: &str) -> io::Result<()> {
        let mut changes = Vec::new();
        for (group, places) in &self.groups {
            for (name, partition) in places.keys().filter(|(name, _)| name == topic) {
                let (group, topic) = (group.clone(), name.clone());
                changes.push(Change::Forget { group, topic, partition: *partition });
            }
        }
        self.write(changes)
    }

    /// The file, if it has bytes that may not have reached the disk; the caller forces them there.
    pub(super) fn take_unsynced(&mut self) -> Option<File> {
        let journal = self.journal.as_mut().filter(|j| j.dirty)?;
        journal.dirty = false;
        journal.file.try_clone().ok()
    }

    fn write(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            let mut text = Vec::new();
            for change in &changes {
                text.extend(line(change)?);
            }
            let written = journal.file.seek(SeekFrom::Start(journal.size)).and_then(|_| journal.file.write_all(&text));
            if let Err(error) = written {
                journal.file.set_len(journal.size)?;
                return Err(error);
            }
            journal.size += text.len() as u64;
            journal.lines += changes.len();
            journal.dirty = true;
        }
        for change in changes {
            self.apply(change);
        }
        let alive: usize = self.groups.values().map(BTreeMap::len).sum();
        if let Some(path) = self.journal.as_ref().filter(|j| j.lines > 4 * alive + GARBAGE).map(|j| j.path.clone()) {
            self.rewrite(&path)?;
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Commit { group, topic, partition, committed } => {
                self.groups.entry(group).or_default().insert((topic, partition), committed);
            }
            Change::Forget { group, topic, partition } => {
                if let Some(places) = self.groups.get_mut(&group) {
                    places.remove(&(topic, partition));
                    if places.is_empty() {
                        self.groups.remove(&group);
                    }
                }
            }
        }
    }

    fn rewrite(&mut self, path: &Path) -> io::Result<()> {
        let mut text = Vec::new();
        let mut lines = 0;
        for (group, places) in &self.groups {
            for ((topic, partition), committed) in places {
                let (group, topic, committed) = (group.clone(), topic.clone(), committed.clone());
                text.extend(line(&Change::Commit { group, topic, partition: *partition, committed })?);
                lines += 1;
            }
        }
        folder::replace(path, &text)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        self.journal = Some(Journal { path: path.to_path_buf(), file, size: text.len() as u64, lines, dirty: false });
        Ok(())
    }
}

fn line(change: &Change) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(change).map_err(io::Error::other)?;
    let mut line = format!("{:08x} ", crc32c::crc32c(&json)).into_bytes();
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

fn parse(line: &[u8]) -> Option<Change> {
    let line = line.strip_suffix(b"\n")?;
    let (crc, json) = line.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(&crc[..8]).ok()?, 16).ok()?;
    (crc32c::crc32c(json) == crc).then(|| serde_json::from_slice(json).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn at(offset: i64) -> Committed {
        Committed { offset, epoch: 0, metadata: "m".into() }
    }

    fn place(partition: i32) -> Place {
        ("t".to_owned(), partition)
    }

    #[test]
    fn committed_offsets_survive_and_the_latest_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let mut offsets = Offsets::open(&path).unwrap();
        offsets.commit("g", vec![(place(0), at(1)), (place(1), at(2))]).unwrap();
        offsets.commit("g", vec![(place(0), at(7))]).unwrap();
        offsets.commit("gone", vec![(place(0), at(7))]).unwrap();
        offsets.forget_group("gone").unwrap();
        let again = Offsets::open(&path).unwrap();
        assert_eq!(again.get("g", &place(0)), Some(&at(7)));
        assert_eq!(again.get("g", &place(1)), Some(&at(2)));
        assert!(!again.has_group("gone"));
    }

    #[test]
    fn a_file_cut_anywhere_keeps_every_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let mut offsets = Offsets::open(&path).unwrap();
        for n in 0..3 {
            offsets.commit("g", vec![(place(n), at(1))]).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let expected = whole[..cut].iter().filter(|b| **b == b'\n').count();
            assert_eq!(Offsets::open(&path).unwrap().of_group("g").count(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let mut offsets = Offsets::open(&path).unwrap();
        for n in 0..3 * GARBAGE as i64 {
            offsets.commit("g", vec![(place(0), at(n))]).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 80 * 2 * GARBAGE as u64);
        assert_eq!(Offsets::open(&path).unwrap().get("g", &place(0)), Some(&at(3 * GARBAGE as i64 - 1)));
    }

    #[test]
    fn a_deleted_topic_takes_its_offsets_along() {
        let mut offsets = Offsets::in_memory();
        offsets.commit("g", vec![(place(0), at(1)), (("u".into(), 0), at(2))]).unwrap();
        offsets.forget_topic("t").unwrap();
        assert_eq!(offsets.of_group("g").count(), 1);
    }
}
