//! One partition: its log in memory or in a folder, its producers, and who waits for more.

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use super::batch::Header;
use super::disk::{CleanEnd, DiskLog};
use super::memory::{Budget, MemoryLog};
use super::producers::{Producers, Verdict};
use super::record_times;
use super::refusal::Refusal;
use crate::sync::Mutex;

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    /// Offset of its first record.
    pub base_offset: i64,
    /// First offset of the log.
    pub log_start: i64,
}

/// What a read found.
#[derive(Debug)]
pub(super) struct Read {
    /// Whole batches, in pieces that belong together.
    pub pieces: Vec<Bytes>,
    /// First offset of the log.
    pub start: i64,
    /// The next offset to be given.
    pub end: i64,
}

impl Read {
    /// Bytes of all pieces.
    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

/// The rules of retention as they apply to one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Retention {
    /// Records older than this many milliseconds go.
    pub age_ms: Option<i64>,
    /// The oldest go while there are more bytes than this.
    pub bytes: Option<u64>,
}

#[derive(Debug)]
enum Store {
    Memory(MemoryLog),
    Disk(DiskLog),
}

#[derive(Debug)]
struct Log {
    start: i64,
    end: i64,
    store: Store,
    producers: Producers,
    deleted: bool,
}

/// One partition of a topic.
#[derive(Debug)]
pub(super) struct Partition {
    topic: String,
    index: i32,
    log: Mutex<Log>,
    waiting: Mutex<Vec<Weak<Notify>>>,
}

impl Partition {
    /// An empty partition in memory.
    pub(super) fn in_memory(topic: &str, index: i32, budget: &Arc<Budget>) -> Self {
        let store = Store::Memory(MemoryLog::new(Arc::clone(budget)));
        Self::with(topic, index, Log { start: 0, end: 0, store, producers: Producers::default(), deleted: false })
    }

    /// The partition in `folder`, which is created if it is not there. `log_start` is what deleting records has left behind.
    pub(super) fn in_folder(
        topic: &str,
        index: i32,
        folder: &Path,
        segment_bytes: u64,
        log_start: i64,
        clean: Option<CleanEnd>,
        now_ms: i64,
    ) -> io::Result<Self> {
        let mut producers = Producers::default();
        let each = |header: &Header| producers.appended(header, header.base_offset, now_ms);
        let (disk, end) = DiskLog::open(folder, segment_bytes, clean, each)?;
        let start = disk.first_offset().max(log_start).min(end);
        Ok(Self::with(topic, index, Log { start, end, store: Store::Disk(disk), producers, deleted: false }))
    }

    fn with(topic: &str, index: i32, log: Log) -> Self {
        Self { topic: topic.to_owned(), index, log: Mutex::new(log), waiting: Mutex::default() }
    }

    /// The partition's number.
    pub(super) fn index(&self) -> i32 {
        self.index
    }

    /// Appends a batch that was checked for itself; the producer's sequence is checked here. `shared` is the size of the
    /// request that the batch is a part of.
    pub(super) fn append(
        &self,
        header: &Header,
        batch: &Bytes,
        shared: usize,
        now_ms: i64,
    ) -> Result<Appended, Refusal> {
        let mut log = self.log.lock();
        if log.deleted {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        if let Verdict::Duplicate(base_offset) = log.producers.check(header)? {
            return Ok(Appended { base_offset, log_start: log.start });
        }
        let base_offset = log.end;
        match &mut log.store {
            Store::Memory(memory) => {
                if !memory.append(header, base_offset, batch, shared) {
                    return Err(self.out_of_budget(memory));
                }
            }
            Store::Disk(disk) => disk.append(header, base_offset, batch, now_ms).map_err(|e| self.disk_failed(&e))?,
        }
        log.end = base_offset + i64::from(header.last_offset_delta) + 1;
        log.producers.appended(header, base_offset, now_ms);
        let log_start = log.start;
        drop(log);
        self.wake();
        Ok(Appended { base_offset, log_start })
    }

    /// Whole batches from the one that holds `offset` on, up to `max_bytes`.
    pub(super) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Result<Read, Refusal> {
        let mut log = self.log.lock();
        if log.deleted {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        let (start, end) = (log.start, log.end);
        if offset < start || offset > end {
            return Err(ResponseError::OffsetOutOfRange.into());
        }
        let pieces = match &mut log.store {
            _ if offset == end => Vec::new(),
            Store::Memory(memory) => memory.read(offset, max_bytes, at_least_one),
            Store::Disk(disk) => {
                let bytes = disk.read(offset, max_bytes, at_least_one).map_err(|e| self.disk_failed(&e))?;
                if bytes.is_empty() { Vec::new() } else { vec![bytes] }
            }
        };
        Ok(Read { pieces, start, end })
    }

    /// First offset, and the next one to be given.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let log = self.log.lock();
        (log.start, log.end)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        match &self.log.lock().store {
            Store::Memory(memory) => memory.bytes(),
            Store::Disk(disk) => disk.bytes(),
        }
    }

    /// Offset and time of the first record at or after a time in milliseconds.
    pub(super) fn first_at_or_after(&self, timestamp: i64) -> Result<Option<(i64, i64)>, Refusal> {
        let mut from = self.log.lock().start;
        loop {
            let found = match &mut self.log.lock().store {
                Store::Memory(memory) => memory.batch_at_or_after(from, timestamp),
                Store::Disk(disk) => disk.batch_at_or_after(from, timestamp).map_err(|e| self.disk_failed(&e))?,
            };
            let Some(batch) = found else { return Ok(None) };
            let header = Header::parse(&batch).map_err(|f| self.unreadable(&f))?;
            match record_times::first_at_or_after(&batch, &header, from, timestamp) {
                Ok(Some(record)) => return Ok(Some(record)),
                // The late record lies before the log's start: what is left of this batch is earlier.
                Ok(None) => from = header.last_offset() + 1,
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
    }

    /// Offset and time of the latest record by time.
    pub(super) fn latest_by_time(&self) -> Result<Option<(i64, i64)>, Refusal> {
        let latest = {
            let log = self.log.lock();
            match &log.store {
                Store::Memory(memory) => memory.max_timestamp(log.start),
                Store::Disk(disk) => disk.max_timestamp(log.start),
            }
        };
        latest.map_or(Ok(None), |timestamp| self.first_at_or_after(timestamp))
    }

    /// Deletes the records before `offset` (-1: all); the log's new first offset.
    pub(super) fn delete_before(&self, offset: i64) -> Result<i64, Refusal> {
        let mut log = self.log.lock();
        if log.deleted {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        let offset = if offset == -1 { log.end } else { offset };
        if offset < 0 || offset > log.end {
            return Err(ResponseError::OffsetOutOfRange.into());
        }
        self.advance(&mut log, offset).map_err(|e| self.disk_failed(&e))?;
        Ok(log.start)
    }

    /// Deletes what retention no longer keeps; whether the log's first offset moved.
    pub(super) fn retain(&self, retention: Retention, now_ms: i64) -> io::Result<bool> {
        let mut log = self.log.lock();
        if log.deleted {
            return Ok(false);
        }
        log.producers.expire(now_ms);
        let (before, end) = (log.start, log.end);
        let oldest = retention.age_ms.map(|age| now_ms.saturating_sub(age));
        let from = match &mut log.store {
            Store::Memory(memory) => memory.retained_from(oldest, retention.bytes),
            Store::Disk(disk) => {
                let from = disk.retained_from(oldest, retention.bytes, end);
                if let Some(age) = retention.age_ms {
                    disk.roll_if_begun_before(now_ms.saturating_sub(age / 4), end)?;
                }
                from
            }
        };
        if let Some(from) = from {
            self.advance(&mut log, from)?;
        }
        Ok(log.start != before)
    }

    fn advance(&self, log: &mut Log, offset: i64) -> io::Result<()> {
        if offset <= log.start {
            return Ok(());
        }
        log.start = offset;
        let end = log.end;
        match &mut log.store {
            Store::Memory(memory) => memory.drop_before(offset),
            Store::Disk(disk) => disk.drop_before(offset, end)?,
        }
        Ok(())
    }

    /// Changes the size at which a new segment begins.
    pub(super) fn set_segment_bytes(&self, segment_bytes: u64) {
        if let Store::Disk(disk) = &mut self.log.lock().store {
            disk.set_segment_bytes(segment_bytes);
        }
    }

    /// Forces what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        let files = match &mut *self.log.lock() {
            Log { store: Store::Disk(disk), deleted: false, .. } => disk.take_unsynced(),
            _ => return Ok(()),
        };
        files.iter().try_for_each(std::fs::File::sync_data)
    }

    /// What an orderly stop writes down about the log.
    pub(super) fn clean_end(&self) -> Option<CleanEnd> {
        match &self.log.lock().store {
            Store::Memory(_) => None,
            Store::Disk(disk) => disk.clean_end(),
        }
    }

    /// The largest producer id in the log.
    pub(super) fn largest_producer_id(&self) -> Option<i64> {
        self.log.lock().producers.largest_id()
    }

    /// Takes the partition out of service and frees its memory; the caller removes its folder.
    pub(super) fn delete(&self) {
        let mut log = self.log.lock();
        log.deleted = true;
        match &mut log.store {
            Store::Memory(memory) => memory.drop_before(i64::MAX),
            Store::Disk(disk) => disk.close(),
        }
        drop(log);
        self.wake();
    }

    /// `notify` is told when the next batch comes.
    pub(super) fn tell(&self, notify: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|w| w.strong_count() > 0);
        if !waiting.iter().any(|w| w.as_ptr() == Arc::as_ptr(notify)) {
            waiting.push(Arc::downgrade(notify));
        }
    }

    fn wake(&self) {
        for waiter in self.waiting.lock().drain(..) {
            if let Some(notify) = waiter.upgrade() {
                notify.notify_one();
            }
        }
    }

    fn out_of_budget(&self, memory: &MemoryLog) -> Refusal {
        let mib = memory.limit() / (1024 * 1024);
        let text = format!(
            "the embedded broker's memory budget of {mib} MiB is used up: raise the budget, keep the data in a folder \
             (embedded:///folder), set a retention, or delete topics; the records for {}-{} were not stored",
            self.topic, self.index
        );
        if memory.first_refusal() {
            log::warn!("embedded broker: {text}");
        }
        // Not a retriable error: a client would hide it for minutes by trying again.
        Refusal::new(ResponseError::PolicyViolation, text)
    }

    fn disk_failed(&self, error: &io::Error) -> Refusal {
        let text = format!("{}-{}: {error}", self.topic, self.index);
        log::error!("embedded broker: {text}");
        Refusal::new(ResponseError::KafkaStorageError, text)
    }

    fn unreadable(&self, error: &impl std::fmt::Display) -> Refusal {
        Refusal::new(ResponseError::CorruptMessage, format!("{}-{}: {error}", self.topic, self.index))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::batch::tests::batch;
    use super::*;

    fn append(partition: &Partition, times: &[i64], producer: Option<(i64, i16, i32)>) -> Result<Appended, Refusal> {
        let bytes = Bytes::from(batch(times, b"value", producer));
        partition.append(&Header::parse(&bytes).unwrap(), &bytes, bytes.len(), 0)
    }

    fn both(test: impl Fn(&Partition)) {
        test(&Partition::in_memory("t", 0, &Arc::new(Budget::new(u64::MAX))));
        let folder = tempfile::tempdir().unwrap();
        test(&Partition::in_folder("t", 0, folder.path(), 1 << 20, 0, None, 0).unwrap());
    }

    #[test]
    fn a_duplicate_is_answered_with_its_first_offset_and_stored_once() {
        both(|partition| {
            append(partition, &[1, 2], None).unwrap();
            let first = append(partition, &[1, 2], Some((5, 0, 0))).unwrap();
            let again = append(partition, &[1, 2], Some((5, 0, 0))).unwrap();
            assert_eq!((first.base_offset, again.base_offset), (2, 2));
            assert_eq!(partition.bounds(), (0, 4));
            let gap = append(partition, &[1], Some((5, 0, 3))).unwrap_err();
            assert_eq!(gap.error, ResponseError::OutOfOrderSequenceNumber);
        });
    }

    #[test]
    fn producers_are_known_again_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Partition::in_folder("t", 0, folder.path(), 1 << 20, 0, None, 0).unwrap();
        append(&open(), &[1, 2], Some((5, 0, 0))).unwrap();
        let partition = open();
        assert_eq!(append(&partition, &[1, 2], Some((5, 0, 0))).unwrap().base_offset, 0);
        assert_eq!(append(&partition, &[3], Some((5, 0, 2))).unwrap().base_offset, 2);
        assert_eq!(partition.largest_producer_id(), Some(5));
    }

    #[test]
    fn offsets_outside_the_log_are_refused_and_its_end_is_empty() {
        both(|partition| {
            append(partition, &[1, 2, 3], None).unwrap();
            for outside in [-1, 4] {
                assert_eq!(partition.read(outside, 100, true).unwrap_err().error, ResponseError::OffsetOutOfRange);
            }
            assert!(partition.read(3, 100, true).unwrap().pieces.is_empty());
            assert_eq!(partition.delete_before(2), Ok(2));
            assert_eq!(partition.read(1, 100, true).unwrap_err().error, ResponseError::OffsetOutOfRange);
            assert!(partition.read(2, 100, true).unwrap().bytes() > 0);
            assert_eq!(partition.delete_before(-1), Ok(3));
            assert_eq!(partition.delete_before(4).unwrap_err().error, ResponseError::OffsetOutOfRange);
        });
    }

    #[test]
    fn times_are_looked_up_inside_batches_and_only_from_the_start_of_the_log() {
        both(|partition| {
            append(partition, &[100, 300, 200], None).unwrap();
            append(partition, &[250, 260], None).unwrap();
            assert_eq!(partition.first_at_or_after(0), Ok(Some((0, 100))));
            assert_eq!(partition.first_at_or_after(101), Ok(Some((1, 300))));
            assert_eq!(partition.latest_by_time(), Ok(Some((1, 300))));
            partition.delete_before(2).unwrap();
            assert_eq!(partition.first_at_or_after(101), Ok(Some((2, 200))));
            assert_eq!(partition.first_at_or_after(255), Ok(Some((4, 260))));
            assert_eq!(partition.first_at_or_after(301), Ok(None));
        });
    }

    #[test]
    fn retention_by_age_moves_the_start_of_the_log() {
        both(|partition| {
            append(partition, &[1_000], None).unwrap();
            let retention = Retention { age_ms: Some(500), bytes: None };
            assert!(!partition.retain(retention, 1_400).unwrap());
            append(partition, &[2_000], None).unwrap();
            partition.retain(retention, 1_600).unwrap();
            assert!(partition.retain(retention, 3_000).unwrap());
            assert_eq!(partition.bounds(), (2, 2));
        });
    }

    #[test]
    fn a_full_budget_says_what_to_do() {
        let partition = Partition::in_memory("t", 0, &Arc::new(Budget::new(100)));
        let refusal = append(&partition, &[1], None).unwrap_err();
        assert_eq!(refusal.error, ResponseError::PolicyViolation);
        for hint in ["raise the budget", "embedded:///folder", "delete topics"] {
            assert!(refusal.message.contains(hint), "{}", refusal.message);
        }
        assert_eq!(partition.bounds(), (0, 0));
    }
}
