//! A partition's batches in memory, under a budget that all partitions of a broker share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::{self, Header, PREFIX_BYTES};

/// What a batch costs beside its bytes: its entry here and the allocator's share.
const OVERHEAD: u64 = 96;
/// Smaller bodies are copied into the answer; a piece of its own would cost more than the copy.
const WORTH_A_PIECE: usize = 4096;

/// The bytes all partitions of a broker may hold in memory.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: AtomicU64,
    /// Somebody was refused since room was made last.
    refused: AtomicBool,
}

impl Budget {
    /// Room for `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0), refused: AtomicBool::new(false) }
    }

    fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.refused.store(false, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Stored {
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    /// Everything behind the broker's own 16 bytes.
    body: Bytes,
}

impl Stored {
    fn length(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    fn cost(&self) -> u64 {
        self.length() as u64 + OVERHEAD
    }
}

/// The batches of one partition.
#[derive(Debug)]
pub(super) struct MemoryLog {
    batches: VecDeque<Stored>,
    bytes: u64,
    budget: Arc<Budget>,
}

impl MemoryLog {
    /// An empty log.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, budget }
    }

    /// Bytes of all batches.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that all partitions together may hold.
    pub(super) fn limit(&self) -> u64 {
        self.budget.limit
    }

    /// Whether this is the first refusal since room was made last: the one worth a line in the log.
    pub(super) fn first_refusal(&self) -> bool {
        !self.budget.refused.swap(true, Ordering::Relaxed)
    }

    /// Keeps a batch; `false` when the budget has no room for it. `shared` is the size of the buffer that `batch` is a
    /// part of, which stays in memory as long as the part does.
    pub(super) fn append(&mut self, header: &Header, base_offset: i64, batch: &Bytes, shared: usize) -> bool {
        let body = batch.slice(PREFIX_BYTES..header.length);
        let wasteful = shared > body.len() + body.len() / 8;
        let body = if wasteful { Bytes::copy_from_slice(&body) } else { body };
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        let stored = Stored { base_offset, last_offset, max_timestamp: header.max_timestamp, body };
        if !self.budget.take(stored.cost()) {
            return false;
        }
        self.bytes += stored.length() as u64;
        self.batches.push_back(stored);
        true
    }

    /// Whole batches from the one that holds `offset`, up to `max_bytes`; the first one comes even if it is larger, when
    /// `at_least_one` says so. The pieces put together are the batches.
    pub(super) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Vec<Bytes> {
        let begin = self.batches.partition_point(|b| b.last_offset < offset);
        let (mut pieces, mut small, mut total) = (Vec::new(), BytesMut::new(), 0);
        for (count, stored) in self.batches.range(begin..).enumerate() {
            if total + stored.length() > max_bytes && !(count == 0 && at_least_one) {
                break;
            }
            total += stored.length();
            small.put_slice(&batch::prefix(stored.base_offset, stored.length()));
            if stored.body.len() < WORTH_A_PIECE {
                small.put_slice(&stored.body);
            } else {
                pieces.push(small.split().freeze());
                pieces.push(stored.body.clone());
            }
        }
        if !small.is_empty() {
            pieces.push(small.freeze());
        }
        pieces
    }

    /// The first batch at or behind `from_offset` that holds a record as late as `timestamp`, whole.
    pub(super) fn batch_at_or_after(&self, from_offset: i64, timestamp: i64) -> Option<Bytes> {
        let begin = self.batches.partition_point(|b| b.last_offset < from_offset);
        self.batches.range(begin..).find(|b| b.max_timestamp >= timestamp).map(|stored| {
            let mut whole = BytesMut::with_capacity(stored.length());
            whole.put_slice(&batch::prefix(stored.base_offset, stored.length()));
            whole.put_slice(&stored.body);
            whole.freeze()
        })
    }

    /// The latest time of any record at or behind `from_offset`.
    pub(super) fn max_timestamp(&self, from_offset: i64) -> Option<i64> {
        let begin = self.batches.partition_point(|b| b.last_offset < from_offset);
        self.batches.range(begin..).map(|b| b.max_timestamp).max()
    }

    /// Drops the batches that lie wholly before `offset`.
    pub(super) fn drop_before(&mut self, offset: i64) {
        while self.batches.front().is_some_and(|b| b.last_offset < offset) {
            self.drop_first();
        }
    }

    /// The offset at which the log has to begin to hold nothing older than `oldest_ms` and no more than `most_bytes`.
    pub(super) fn retained_from(&self, oldest_ms: Option<i64>, most_bytes: Option<u64>) -> Option<i64> {
        let mut left = self.bytes;
        let mut from = None;
        for stored in &self.batches {
            let old = oldest_ms.is_some_and(|oldest| stored.max_timestamp < oldest);
            let over = most_bytes.is_some_and(|most| left > most);
            if !old && !over {
                break;
            }
            left -= stored.length() as u64;
            from = Some(stored.last_offset + 1);
        }
        from
    }

    fn drop_first(&mut self) {
        if let Some(stored) = self.batches.pop_front() {
            self.bytes -= stored.length() as u64;
            self.budget.give_back(stored.cost());
        }
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        while !self.batches.is_empty() {
            self.drop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::batch::tests::batch;
    use super::*;

    fn log_of(batches: usize, value: usize, limit: u64) -> (MemoryLog, usize) {
        let mut log = MemoryLog::new(Arc::new(Budget::new(limit)));
        let mut kept = 0;
        for n in 0..batches {
            let bytes = Bytes::from(batch(&[n as i64 * 10, n as i64 * 10 + 1], &vec![b'x'; value], None));
            let header = Header::parse(&bytes).unwrap();
            kept += usize::from(log.append(&header, n as i64 * 2, &bytes, bytes.len()));
        }
        (log, kept)
    }

    fn offsets(pieces: &[Bytes]) -> Vec<i64> {
        let whole: Vec<u8> = pieces.concat();
        let (mut at, mut found) = (0, Vec::new());
        while at < whole.len() {
            let header = Header::parse(&whole[at..]).unwrap();
            header.verify(&whole[at..]).unwrap();
            found.push(header.base_offset);
            at += header.length;
        }
        found
    }

    #[test]
    fn reading_begins_with_the_batch_around_the_offset_and_stops_at_the_limit() {
        for value in [10, 10_000] {
            let (log, _) = log_of(5, value, u64::MAX);
            let one = log.bytes() as usize / 5;
            assert_eq!(offsets(&log.read(0, usize::MAX, true)), [0, 2, 4, 6, 8]);
            assert_eq!(offsets(&log.read(3, usize::MAX, true)), [2, 4, 6, 8]);
            assert_eq!(offsets(&log.read(3, 2 * one, true)), [2, 4]);
            assert_eq!(offsets(&log.read(3, 1, true)), [2]);
            assert!(log.read(3, 1, false).is_empty());
            assert!(log.read(10, usize::MAX, true).is_empty());
        }
    }

    #[test]
    fn a_full_budget_refuses_and_deleting_gives_room() {
        let (mut log, kept) = log_of(10, 1_000, 10_000);
        assert!((4..10).contains(&kept), "{kept}");
        let bytes = Bytes::from(batch(&[1], &[0; 1_000], None));
        let header = Header::parse(&bytes).unwrap();
        assert!(!log.append(&header, 100, &bytes, bytes.len()) || kept < 9);
        log.drop_before(kept as i64 * 2 - 1);
        assert!(log.append(&header, 100, &bytes, bytes.len()));
        let budget = Arc::clone(&log.budget);
        drop(log);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_small_batch_in_a_large_request_does_not_keep_the_request() {
        let mut log = MemoryLog::new(Arc::new(Budget::new(u64::MAX)));
        let whole = batch(&[1], b"small", None);
        let mut request = whole.clone();
        request.resize(100_000, 0);
        let bytes = Bytes::from(request).slice(..whole.len());
        let before = bytes.as_ptr_range();
        log.append(&Header::parse(&bytes).unwrap(), 0, &bytes, 100_000);
        assert!(!before.contains(&log.batches[0].body.as_ptr()));
    }

    #[test]
    fn retention_counts_age_and_bytes_from_the_oldest_batch_on() {
        let (log, _) = log_of(5, 100, u64::MAX);
        assert_eq!(log.retained_from(Some(0), None), None);
        assert_eq!(log.retained_from(Some(12), None), Some(4));
        assert_eq!(log.retained_from(None, Some(log.bytes() / 5 * 2)), Some(6));
        assert_eq!(log.retained_from(Some(i64::MAX), None), Some(10));
    }
}
