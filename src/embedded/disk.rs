//! A partition's batches in a folder, in Kafka's own layout: one `.log` file per segment, named by its first offset, batches
//! one after the other. Kafka's dump tool reads it.
//!
//! A batch is in the file (written, not yet forced to the disk) before it is acknowledged, so it survives the death of this
//! process. What lies behind the last whole batch of the newest files was never acknowledged and is cut when the log opens.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::batch::{self, HEADER_BYTES, Header, PREFIX_BYTES};

/// Bytes of log between two entries of the index in memory.
const INDEX_EVERY: u64 = 4096;
/// The newest segments that an unclean end may have left damaged: the one being written and the one before it.
const SUSPECT_SEGMENTS: usize = 2;

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    position: u64,
    /// The latest record from here to the next entry.
    max_timestamp: i64,
}

#[derive(Debug)]
struct Segment {
    base: i64,
    path: PathBuf,
    size: u64,
    max_timestamp: i64,
    /// When the first batch was written, by the clock of the machine; 0 for one that was found.
    begun_ms: i64,
    index: Vec<Entry>,
}

impl Segment {
    fn new(folder: &Path, base: i64) -> Self {
        let path = folder.join(format!("{base:020}.log"));
        Self { base, path, size: 0, max_timestamp: i64::MIN, begun_ms: 0, index: Vec::new() }
    }

    fn note(&mut self, header: &Header) {
        let position = self.size;
        match self.index.last_mut() {
            Some(last) if position - last.position < INDEX_EVERY => {
                last.max_timestamp = last.max_timestamp.max(header.max_timestamp);
            }
            _ => {
                let max_timestamp = header.max_timestamp;
                self.index.push(Entry { offset: header.base_offset, position, max_timestamp });
            }
        }
        self.size += header.length as u64;
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }

    fn position_before(&self, offset: i64) -> u64 {
        let next = self.index.partition_point(|e| e.offset <= offset);
        next.checked_sub(1).map_or(0, |at| self.index[at].position)
    }
}

/// What an orderly stop wrote down about a log: if it still holds, nothing needs to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CleanEnd {
    /// First offset of the newest segment.
    pub base: i64,
    /// Its bytes.
    pub size: u64,
}

/// The batches of one partition.
#[derive(Debug)]
pub(super) struct DiskLog {
    folder: PathBuf,
    segments: Vec<Segment>,
    /// The newest segment's file, opened when it is first needed.
    file: Option<File>,
    segment_bytes: u64,
    unsynced: Vec<File>,
    dirty: bool,
}

impl DiskLog {
    /// Opens or creates the log in `folder`; `each` sees every batch, oldest first. The second value is the next offset.
    pub(super) fn open(
        folder: &Path,
        segment_bytes: u64,
        clean: Option<CleanEnd>,
        mut each: impl FnMut(&Header),
    ) -> io::Result<(Self, i64)> {
        fs::create_dir_all(folder)?;
        let mut bases = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let base = name.to_str().and_then(|n| n.strip_suffix(".log")).filter(|n| n.len() == 20);
            bases.extend(base.and_then(|n| n.parse::<i64>().ok()));
        }
        bases.sort_unstable();
        if bases.is_empty() {
            bases.push(0);
            File::create(Segment::new(folder, 0).path)?;
        }
        let mut end = bases[0];
        let mut segments = Vec::with_capacity(bases.len());
        for (at, base) in bases.iter().enumerate() {
            let newest = at + 1 == bases.len();
            let suspect = at + SUSPECT_SEGMENTS >= bases.len();
            let mut segment = Segment::new(folder, *base);
            let found = fs::metadata(&segment.path)?.len();
            let unchanged = clean.is_some_and(|c| !newest || c == CleanEnd { base: *base, size: found });
            end = end.max(*base);
            let fault = scan(&mut segment, &mut end, suspect && !unchanged, &mut each)?;
            if let Some(fault) = fault {
                let (path, kept, cut) = (segment.path.display(), segment.size, found - segment.size);
                if newest {
                    log::warn!("embedded broker: {path}: {cut} bytes after byte {kept} are cut: {fault}");
                    let file = OpenOptions::new().write(true).open(&segment.path)?;
                    file.set_len(kept)?;
                    file.sync_data()?;
                } else {
                    log::warn!("embedded broker: {path}: {cut} bytes after byte {kept} cannot be read: {fault}");
                }
            }
            segments.push(segment);
        }
        let folder = folder.to_path_buf();
        Ok((Self { folder, segments, file: None, segment_bytes, unsynced: Vec::new(), dirty: false }, end))
    }

    /// Offset of the first batch that is there, or of the next one to come.
    pub(super) fn first_offset(&self) -> i64 {
        self.segments.first().map_or(0, |s| s.base)
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.size).sum()
    }

    /// Changes the size at which a new segment begins.
    pub(super) fn set_segment_bytes(&mut self, segment_bytes: u64) {
        self.segment_bytes = segment_bytes;
    }

    /// Writes a batch behind the others. After an error nothing of it is left.
    pub(super) fn append(&mut self, header: &Header, base_offset: i64, batch: &[u8], now_ms: i64) -> io::Result<()> {
        let size = self.active()?.size;
        if size > 0 && size + header.length as u64 > self.segment_bytes {
            self.roll(base_offset)?;
        }
        let mut bytes = Vec::with_capacity(header.length);
        bytes.extend_from_slice(&batch::prefix(base_offset, header.length));
        bytes.extend_from_slice(batch.get(PREFIX_BYTES..header.length).ok_or(io::ErrorKind::UnexpectedEof)?);
        let size = self.active()?.size;
        let file = self.open_active()?;
        let written = file.seek(SeekFrom::Start(size)).and_then(|_| file.write_all(&bytes));
        if let Err(error) = written {
            // A part of a batch must not stay: the next one would be written behind it, or found there after a restart.
            if file.set_len(size).is_err() {
                self.file = None;
            }
            return Err(error);
        }
        self.dirty = true;
        let segment = self.active()?;
        if segment.size == 0 {
            segment.begun_ms = now_ms;
        }
        segment.note(&Header { base_offset, ..*header });
        Ok(())
    }

    /// Whole batches of one segment, from the one that holds `offset`, up to `max_bytes`; the first one comes even if it is
    /// larger, when `at_least_one` says so.
    pub(super) fn read(&mut self, offset: i64, max_bytes: usize, at_least_one: bool) -> io::Result<Bytes> {
        let first = self.segments.partition_point(|s| s.base <= offset).saturating_sub(1);
        for at in first..self.segments.len() {
            let segment = &self.segments[at];
            let (begin, size) = (segment.position_before(offset), segment.size);
            let window = (max_bytes as u64).saturating_add(2 * INDEX_EVERY).min(size - begin.min(size));
            let mut buffer = Bytes::from(self.read_at(at, begin, window)?);
            let mut position = begin;
            // Whatever lies before the batch that was asked for is skipped.
            loop {
                let header = match Header::parse(&buffer) {
                    Ok(header) => header,
                    Err(_) if position + (HEADER_BYTES as u64) <= size => {
                        buffer = Bytes::from(self.read_at(at, position, HEADER_BYTES as u64)?);
                        Header::parse(&buffer).map_err(|f| io::Error::new(io::ErrorKind::InvalidData, f.to_string()))?
                    }
                    Err(_) => break,
                };
                if header.last_offset() >= offset {
                    return self.whole_batches(at, position, buffer, &header, max_bytes, at_least_one);
                }
                position += header.length as u64;
                buffer = if buffer.len() > header.length { buffer.slice(header.length..) } else { Bytes::new() };
            }
        }
        Ok(Bytes::new())
    }

    fn whole_batches(
        &mut self,
        segment: usize,
        position: u64,
        buffer: Bytes,
        first: &Header,
        max_bytes: usize,
        at_least_one: bool,
    ) -> io::Result<Bytes> {
        if first.length > max_bytes && !at_least_one {
            return Ok(Bytes::new());
        }
        if first.length > buffer.len() {
            return self.read_at(segment, position, first.length as u64).map(Bytes::from);
        }
        let mut end = first.length;
        while let Ok(next) = Header::parse(&buffer[end..]) {
            if end + next.length > buffer.len().min(max_bytes) {
                break;
            }
            end += next.length;
        }
        Ok(buffer.slice(..end))
    }

    /// The first batch at or behind `from_offset` that holds a record as late as `timestamp`, whole.
    pub(super) fn batch_at_or_after(&mut self, from_offset: i64, timestamp: i64) -> io::Result<Option<Bytes>> {
        for at in 0..self.segments.len() {
            let ends_before = self.segments.get(at + 1).is_some_and(|next| next.base <= from_offset);
            if ends_before || self.segments[at].max_timestamp < timestamp {
                continue;
            }
            for entry in 0..self.segments[at].index.len() {
                let segment = &self.segments[at];
                let (begin, late) = (segment.index[entry].position, segment.index[entry].max_timestamp);
                let next = segment.index.get(entry + 1);
                if late < timestamp || next.is_some_and(|n| n.offset <= from_offset) {
                    continue;
                }
                let end = next.map_or(segment.size, |n| n.position);
                let mut position = begin;
                while position < end {
                    let bytes = self.read_at(at, position, (HEADER_BYTES as u64).min(end - position))?;
                    let Ok(header) = Header::parse(&bytes) else { break };
                    if header.max_timestamp >= timestamp && header.last_offset() >= from_offset {
                        return self.read_at(at, position, header.length as u64).map(|b| Some(Bytes::from(b)));
                    }
                    position += header.length as u64;
                }
            }
        }
        Ok(None)
    }

    /// The latest time of any record in the segments that reach behind `from_offset`.
    pub(super) fn max_timestamp(&self, from_offset: i64) -> Option<i64> {
        let reaches = |at: usize| self.segments.get(at + 1).is_none_or(|next| next.base > from_offset);
        let live = self.segments.iter().enumerate().filter(|(at, s)| s.size > 0 && reaches(*at));
        live.map(|(_, s)| s.max_timestamp).max()
    }

    /// Deletes the segments that lie wholly before `offset`; `end` is the log's next offset.
    pub(super) fn drop_before(&mut self, offset: i64, end: i64) -> io::Result<()> {
        if offset >= end && self.active()?.size > 0 {
            self.roll(end)?;
        }
        while self.segments.len() > 1 && self.segments[1].base <= offset {
            fs::remove_file(&self.segments[0].path)?;
            self.segments.remove(0);
        }
        Ok(())
    }

    /// The offset at which the log has to begin to hold no segment that is wholly older than `oldest_ms`, and as few above
    /// `most_bytes` as whole segments allow.
    pub(super) fn retained_from(&self, oldest_ms: Option<i64>, most_bytes: Option<u64>, end: i64) -> Option<i64> {
        let mut left = self.bytes();
        let mut from = None;
        for (at, segment) in self.segments.iter().enumerate().filter(|(_, s)| s.size > 0) {
            let next = self.segments.get(at + 1).map(|s| s.base);
            let old = oldest_ms.is_some_and(|oldest| segment.max_timestamp < oldest);
            let over = most_bytes.is_some_and(|most| next.is_some() && left - segment.size >= most);
            if !old && !over {
                break;
            }
            left -= segment.size;
            from = Some(next.unwrap_or(end));
        }
        from
    }

    /// Begins a new segment if the newest one was begun before `begun_before_ms`, so that age can delete the older part.
    pub(super) fn roll_if_begun_before(&mut self, begun_before_ms: i64, end: i64) -> io::Result<()> {
        let active = self.active()?;
        if active.size > 0 && active.begun_ms < begun_before_ms { self.roll(end) } else { Ok(()) }
    }

    /// Files with bytes that may not have reached the disk; the caller forces them there without holding the log.
    pub(super) fn take_unsynced(&mut self) -> Vec<File> {
        let mut files = std::mem::take(&mut self.unsynced);
        if std::mem::take(&mut self.dirty) {
            files.extend(self.file.as_ref().and_then(|f| f.try_clone().ok()));
        }
        files
    }

    /// Closes the open file, so that the folder can be removed on every system.
    pub(super) fn close(&mut self) {
        self.file = None;
        self.unsynced.clear();
    }

    /// What an orderly stop writes down.
    pub(super) fn clean_end(&self) -> Option<CleanEnd> {
        self.segments.last().map(|s| CleanEnd { base: s.base, size: s.size })
    }

    fn active(&mut self) -> io::Result<&mut Segment> {
        self.segments.last_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_active(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let segment = self.active()?;
                let file =
                    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&segment.path)?;
                // Leftovers of a write that failed and could not be undone.
                file.set_len(segment.size)?;
                file
            }
        };
        Ok(self.file.insert(file))
    }

    fn roll(&mut self, base: i64) -> io::Result<()> {
        let segment = Segment::new(&self.folder, base);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&segment.path)?;
        if let Some(old) = self.file.replace(file) {
            self.unsynced.push(old);
        }
        self.segments.push(segment);
        Ok(())
    }

    fn read_at(&mut self, segment: usize, position: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = vec![0; length];
        if length == 0 {
            return Ok(bytes);
        }
        let mut sealed;
        let file = if segment + 1 == self.segments.len() {
            self.open_active()?
        } else {
            sealed = File::open(&self.segments[segment].path)?;
            &mut sealed
        };
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Walks a segment's batches into its index; the fault that ended the walk early, if one did.
fn scan(
    segment: &mut Segment,
    end: &mut i64,
    verify: bool,
    each: &mut impl FnMut(&Header),
) -> io::Result<Option<String>> {
    let file = File::open(&segment.path)?;
    let size = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut bytes = Vec::new();
    while segment.size < size {
        let left = size - segment.size;
        if left < HEADER_BYTES as u64 {
            return Ok(Some("the batch is cut short".to_owned()));
        }
        bytes.resize(HEADER_BYTES, 0);
        reader.read_exact(&mut bytes)?;
        let header = match Header::parse(&bytes) {
            Ok(header) => header,
            Err(fault) => return Ok(Some(fault.to_string())),
        };
        if header.length as u64 > left {
            return Ok(Some("the batch is cut short".to_owned()));
        }
        if header.base_offset < *end || header.last_offset_delta < 0 {
            return Ok(Some(format!("offset {} comes after offset {}", header.base_offset, *end - 1)));
        }
        let body = header.length - HEADER_BYTES;
        if verify {
            bytes.resize(header.length, 0);
            reader.read_exact(&mut bytes[HEADER_BYTES..])?;
            if let Err(fault) = header.verify(&bytes) {
                return Ok(Some(fault.to_string()));
            }
        } else {
            reader.seek_relative(body as i64)?;
        }
        segment.note(&header);
        *end = header.last_offset() + 1;
        each(&header);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::batch::tests::batch;
    use super::*;

    fn fill(log: &mut DiskLog, from: i64, batches: i64) {
        for n in from..from + batches {
            let bytes = batch(&[n * 10, n * 10 + 1], &[b'x'; 500], None);
            log.append(&Header::parse(&bytes).unwrap(), n * 2, &bytes, 0).unwrap();
        }
    }

    fn open(folder: &Path) -> (DiskLog, i64) {
        DiskLog::open(folder, 8_000, None, |_| ()).unwrap()
    }

    fn offsets(bytes: &[u8]) -> Vec<i64> {
        let (mut at, mut found) = (0, Vec::new());
        while at < bytes.len() {
            let header = Header::parse(&bytes[at..]).unwrap();
            header.verify(&bytes[at..]).unwrap();
            found.push(header.base_offset);
            at += header.length;
        }
        found
    }

    #[test]
    fn every_offset_is_read_from_its_batch_on_also_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, end) = open(folder.path());
        assert_eq!(end, 0);
        fill(&mut log, 0, 40);
        for reopened in [false, true] {
            if reopened {
                let mut seen = 0;
                let (again, end) = DiskLog::open(folder.path(), 8_000, None, |_| seen += 1).unwrap();
                assert_eq!((end, seen), (80, 40));
                log = again;
            }
            assert!(log.segments.len() > 3);
            for offset in 0..80 {
                assert_eq!(offsets(&log.read(offset, 1, true).unwrap()), [offset / 2 * 2], "offset {offset}");
                assert!(log.read(offset, 1, false).unwrap().is_empty());
                let more = offsets(&log.read(offset, 3_000, true).unwrap());
                assert_eq!(more[0], offset / 2 * 2);
                assert!(more.len() <= 3);
            }
            assert!(log.read(80, 1_000, true).unwrap().is_empty());
        }
    }

    #[test]
    fn reading_on_from_the_last_batch_sees_everything_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path());
        fill(&mut log, 0, 40);
        let (mut next, mut seen) = (0, Vec::new());
        while next < 80 {
            let found = offsets(&log.read(next, 2_500, true).unwrap());
            next = found.last().unwrap() + 2;
            seen.extend(found);
        }
        assert_eq!(seen, (0..40).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_tail_is_cut_and_the_log_goes_on_where_it_was_whole() {
        let whole = batch(&[1, 2], &[b'y'; 300], None);
        let mut damaged = whole.clone();
        damaged[..8].copy_from_slice(&10_i64.to_be_bytes());
        *damaged.last_mut().unwrap() ^= 1;
        for tail in [&whole[..7], &whole[..100], &whole[..whole.len() - 1], &damaged, &[0; 64]] {
            let folder = tempfile::tempdir().unwrap();
            let (mut log, _) = open(folder.path());
            fill(&mut log, 0, 5);
            let path = log.segments[0].path.clone();
            let before = fs::metadata(&path).unwrap().len();
            drop(log);
            OpenOptions::new().append(true).open(&path).unwrap().write_all(tail).unwrap();
            let (mut log, end) = open(folder.path());
            assert_eq!(end, 10);
            assert_eq!(fs::metadata(&path).unwrap().len(), before);
            fill(&mut log, 5, 1);
            assert_eq!(offsets(&log.read(8, 10_000, true).unwrap()), [8, 10]);
        }
    }

    #[test]
    fn old_segments_go_and_an_emptied_log_keeps_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path());
        fill(&mut log, 0, 40);
        let second = log.segments[1].base;
        log.drop_before(second + 1, 80).unwrap();
        assert_eq!(log.first_offset(), second);
        log.drop_before(80, 80).unwrap();
        assert_eq!((log.first_offset(), log.bytes()), (80, 0));
        let (mut log, end) = open(folder.path());
        assert_eq!((log.first_offset(), end), (80, 80));
        fill(&mut log, 40, 1);
        assert_eq!(offsets(&log.read(80, 10_000, true).unwrap()), [80]);
    }

    #[test]
    fn times_lead_to_the_first_batch_that_reaches_them() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path());
        fill(&mut log, 0, 40);
        for n in 0..40 {
            let found = log.batch_at_or_after(0, n * 10 + 1).unwrap().unwrap();
            assert_eq!(offsets(&found), [n * 2]);
        }
        let behind = log.batch_at_or_after(61, 5).unwrap().unwrap();
        assert_eq!(offsets(&behind), [60]);
        assert!(log.batch_at_or_after(0, 392).unwrap().is_none());
        assert_eq!(log.max_timestamp(0), Some(391));
    }

    #[test]
    fn age_and_size_free_whole_segments_only() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path());
        fill(&mut log, 0, 40);
        let bases: Vec<i64> = log.segments.iter().map(|s| s.base).collect();
        assert_eq!(log.retained_from(Some(i64::MAX), None, 80), Some(80));
        assert_eq!(log.retained_from(Some(bases[1] * 5 + 1), None, 80), Some(bases[1]));
        assert_eq!(log.retained_from(None, Some(1), 80), Some(*bases.last().unwrap()));
        assert_eq!(log.retained_from(None, Some(u64::MAX), 80), None);
    }
}
