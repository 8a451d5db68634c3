//! How far a group's positions may move: a packet was handled when everything it brought was.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::stream::reader::Packet;

/// When a packet was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// It brought nothing.
    Now,
    /// When slides up to beyond this time were.
    Frontier(u64),
    /// When so many slides of its session were.
    Slides(u64),
}

/// How much of a session was handled.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    generation: u32,
    frontier: u64,
    slides: u64,
}

impl Progress {
    fn covers(&self, entry: &Entry) -> bool {
        match entry.until {
            Until::Now => true,
            _ if self.generation != entry.generation => self.generation > entry.generation,
            Until::Frontier(time) => time < self.frontier,
            Until::Slides(count) => count <= self.slides,
        }
    }
}

struct Entry {
    offset: i64,
    session: usize,
    generation: u32,
    until: Until,
}

#[derive(Default)]
struct Partition {
    entries: VecDeque<Entry>,
}

/// The records of each partition that were not handled yet, and what was given out.
#[derive(Default)]
pub(super) struct Positions {
    partitions: HashMap<(Arc<str>, i32), Partition>,
    progress: HashMap<usize, Progress>,
    /// What will be handled once so many pieces are.
    marks: VecDeque<(usize, usize, Progress)>,
}

impl Positions {
    /// A packet came.
    pub(super) fn note(&mut self, packet: &Packet, session: usize, generation: u32, until: Until) {
        let key = (packet.topic.clone(), packet.partition);
        let entries = &mut self.partitions.entry(key).or_default().entries;
        if entries.back().is_some_and(|last| last.offset >= packet.offset) {
            // The partition is read again from an earlier place on.
            entries.retain(|entry| entry.offset < packet.offset);
        }
        entries.push_back(Entry { offset: packet.offset, session, generation, until });
    }

    /// A slide was given out as the last of `pieces`.
    pub(super) fn slide(&mut self, pieces: usize, session: usize, generation: u32, frontier: u64, slides: u64) {
        self.marks.push_back((pieces, session, Progress { generation, frontier, slides }));
    }

    /// All of a session was given out by the end of `pieces`.
    pub(super) fn ended(&mut self, pieces: usize, session: usize, generation: u32) {
        self.marks.push_back((pieces, session, Progress { generation, ..Progress::default() }));
    }

    /// The first `count` pieces were handled.
    pub(super) fn handled(&mut self, count: usize) {
        while let Some(&(after, session, progress)) = self.marks.front()
            && after <= count
        {
            self.marks.pop_front();
            self.progress.insert(session, progress);
        }
    }

    /// All pieces so far were handled; the next is the first.
    pub(super) fn begin(&mut self) {
        self.handled(usize::MAX);
    }

    /// The last record of each partition up to which all were handled, if it has moved.
    pub(super) fn take(&mut self) -> Vec<(Arc<str>, i32, i64)> {
        let mut found = Vec::new();
        for ((topic, partition), Partition { entries }) in &mut self.partitions {
            let covered = |entry: &Entry| {
                let progress = self.progress.get(&entry.session).copied().unwrap_or_default();
                progress.covers(entry)
            };
            let mut last = None;
            while entries.front().is_some_and(covered) {
                last = entries.pop_front().map(|entry| entry.offset);
            }
            if let Some(offset) = last {
                found.push((topic.clone(), *partition, offset));
            }
        }
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::*;
    use crate::stream::reader::{Origin, SessionRef};

    fn packet(topic: &str, offset: i64) -> Packet {
        let session = Arc::new(SessionRef { key: "k".into(), data_source: "d".into() });
        let origin = Arc::new(Origin { session, stream: "".into(), topic: topic.into(), partition: 0 });
        Packet { origin, offset, timestamp_ms: 0, head: None, payload: Bytes::new() }
    }

    fn taken(positions: &mut Positions) -> Vec<(String, i64)> {
        positions.take().into_iter().map(|(topic, _, offset)| (topic.to_string(), offset)).collect()
    }

    #[test]
    fn a_packet_counts_when_its_samples_and_those_of_all_before_it_were_handled() {
        let mut positions = Positions::default();
        for (offset, until) in [(0, Until::Now), (1, Until::Frontier(150)), (2, Until::Now), (3, Until::Frontier(250))]
        {
            positions.note(&packet("a", offset), 0, 0, until);
        }
        positions.note(&packet("b", 7), 0, 0, Until::Frontier(99));
        assert_eq!(taken(&mut positions), [("a".into(), 0)]);
        positions.slide(1, 0, 0, 100, 1);
        positions.slide(2, 0, 0, 200, 2);
        assert_eq!(taken(&mut positions), []);
        positions.handled(1);
        assert_eq!(taken(&mut positions), [("b".into(), 7)]);
        positions.handled(2);
        assert_eq!(taken(&mut positions), [("a".into(), 2)]);
        positions.ended(3, 0, 1);
        positions.begin();
        assert_eq!(taken(&mut positions), [("a".into(), 3)]);
    }

    #[test]
    fn what_came_late_counts_with_the_slide_that_came_next() {
        let mut positions = Positions::default();
        positions.slide(1, 0, 0, 1000, 1);
        positions.begin();
        positions.note(&packet("a", 0), 0, 0, Until::Slides(2));
        assert_eq!(taken(&mut positions), []);
        positions.slide(1, 0, 0, 1100, 2);
        positions.begin();
        assert_eq!(taken(&mut positions), [("a".into(), 0)]);
    }

    #[test]
    fn a_session_that_goes_on_after_its_end_begins_anew() {
        let mut positions = Positions::default();
        positions.slide(1, 0, 0, 1000, 1);
        positions.ended(1, 0, 1);
        positions.begin();
        positions.note(&packet("a", 0), 0, 1, Until::Frontier(500));
        assert_eq!(taken(&mut positions), []);
        positions.slide(1, 0, 1, 600, 2);
        positions.begin();
        assert_eq!(taken(&mut positions), [("a".into(), 0)]);
    }

    #[test]
    fn a_partition_that_is_read_again_is_noted_again() {
        let mut positions = Positions::default();
        (0..4).for_each(|offset| positions.note(&packet("a", offset), 0, 0, Until::Frontier(100)));
        positions.note(&packet("a", 2), 0, 0, Until::Frontier(100));
        positions.slide(1, 0, 0, 200, 1);
        positions.begin();
        assert_eq!(taken(&mut positions), [("a".into(), 2)]);
    }
}
