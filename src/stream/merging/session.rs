//! One session of many that are merged: its re-order buffer, the packets that wait for their data format, and what is
//! still known after its end.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque, btree_map};
use std::sync::Arc;

use super::MergingCounts;
use super::contents::What;
use super::positions::Until;
use crate::error::Printable;
use crate::packet::ColumnBlock;
use crate::pipeline::{MergeOptions, Merger, Other, ParameterId, Slide};
use crate::stream::formats::{Resolved, UnknownFormat};
use crate::stream::reader::{Packet, SessionRef};
use crate::time::{Clock, NS_PER_SECOND};

/// Samples so much ahead of the clock are told of.
const AHEAD_NS: u64 = 3600 * NS_PER_SECOND;

/// Formats whose parameters' numbers are remembered at most.
const MOST_FORMATS: usize = 4096;

/// A packet whose data format nobody has defined yet.
pub(super) struct Pending {
    pub(super) packet: Packet,
    pub(super) what: What,
    pub(super) format: UnknownFormat,
    /// Its format must be known when a slide with this time is given out.
    pub(super) lowest: u64,
    /// Whether that time is a sample's.
    pub(super) is_sample: bool,
}

/// Packets that wait for their data format, in order of arrival.
#[derive(Default)]
struct Waiting {
    packets: VecDeque<Pending>,
    /// How many name each format.
    formats: HashMap<UnknownFormat, usize>,
    /// How many have each lowest time: of samples, and of what is none.
    samples: BTreeMap<u64, usize>,
    others: BTreeMap<u64, usize>,
}

impl Waiting {
    fn push(&mut self, pending: Pending) {
        *self.formats.entry(pending.format.clone()).or_default() += 1;
        let times = if pending.is_sample { &mut self.samples } else { &mut self.others };
        *times.entry(pending.lowest).or_default() += 1;
        self.packets.push_back(pending);
    }

    fn remove(&mut self, index: usize) -> Option<Pending> {
        let pending = self.packets.remove(index)?;
        if let Entry::Occupied(mut format) = self.formats.entry(pending.format.clone()) {
            *format.get_mut() -= 1;
            if *format.get() == 0 {
                format.remove();
            }
        }
        let times = if pending.is_sample { &mut self.samples } else { &mut self.others };
        if let btree_map::Entry::Occupied(mut time) = times.entry(pending.lowest) {
            *time.get_mut() -= 1;
            if *time.get() == 0 {
                time.remove();
            }
        }
        Some(pending)
    }

    fn lowest(&self) -> Option<u64> {
        let first = |times: &BTreeMap<u64, usize>| times.keys().next().copied();
        first(&self.samples).into_iter().chain(first(&self.others)).min()
    }
}

/// A session that is under way.
struct Open {
    merger: Merger<Packet>,
    /// The numbers of a format's parameters, by the address of the format, which is held beside them.
    parameters: HashMap<usize, (Arc<Resolved>, Vec<ParameterId>)>,
    waiting: Waiting,
    /// The lowest sample so far; not kept once there is a frontier.
    lowest: Option<u64>,
    told_ahead: bool,
    told_late: HashSet<Arc<str>>,
    late: u64,
}

impl Open {
    fn new(options: MergeOptions) -> Self {
        Self {
            merger: Merger::new(options),
            parameters: HashMap::new(),
            waiting: Waiting::default(),
            lowest: None,
            told_ahead: false,
            told_late: HashSet::new(),
            late: 0,
        }
    }
}

pub(super) struct Session {
    pub(super) name: Arc<SessionRef>,
    /// `None` before the first packet, and after the end.
    open: Option<Box<Open>>,
    /// How often it has ended: one that was completed by silence may go on.
    pub(super) generation: u32,
    /// Of those of its lives that have ended, and what is counted here.
    pub(super) counts: MergingCounts,
    last_times: Vec<(Arc<str>, u64)>,
    late: Vec<(Arc<str>, u64)>,
    frontier: Option<u64>,
}

impl Session {
    pub(super) fn new(name: Arc<SessionRef>) -> Self {
        Self {
            name,
            open: None,
            generation: 0,
            counts: MergingCounts::default(),
            last_times: Vec::new(),
            late: Vec::new(),
            frontier: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn opened(&mut self, options: MergeOptions) -> &mut Open {
        self.open.get_or_insert_with(|| Box::new(Open::new(options)))
    }

    // ---------------------------------------------------------------------------------------------------------- in

    pub(super) fn samples(
        &mut self,
        options: MergeOptions,
        packet: &Packet,
        resolved: &Arc<Resolved>,
        block: &ColumnBlock,
        lowest: u64,
        out: &mut Vec<Slide<Packet>>,
    ) {
        let Open { merger, parameters, lowest: first, .. } = self.opened(options);
        if parameters.len() >= MOST_FORMATS {
            // Names that packets bring themselves may change with every one; the numbers stay the same.
            parameters.clear();
        }
        let (_, parameters) = parameters.entry(Arc::as_ptr(resolved) as usize).or_insert_with(|| {
            let numbers = resolved.shared_names().iter().map(|name| merger.parameter(name)).collect();
            (resolved.clone(), numbers)
        });
        if merger.frontier().is_none() {
            *first = Some(first.map_or(lowest, |first| first.min(lowest)));
        }
        let stream = merger.stream(&packet.stream);
        merger.samples(stream, parameters, block, out);
    }

    pub(super) fn other(
        &mut self,
        options: MergeOptions,
        stream: &Arc<str>,
        other: Other<Packet>,
        out: &mut Vec<Slide<Packet>>,
    ) {
        let merger = &mut self.opened(options).merger;
        let stream = merger.stream(stream);
        merger.other(stream, other, out);
    }

    /// Whether the lowest sample still has a say in where the first slide begins.
    pub(super) fn is_before_first(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.merger.frontier().is_none())
    }

    /// Samples that nobody wants.
    pub(super) fn pass_over(
        &mut self,
        options: MergeOptions,
        stream: &Arc<str>,
        (lowest, highest): (Option<u64>, u64),
        out: &mut Vec<Slide<Packet>>,
    ) {
        let Open { merger, lowest: first, .. } = self.opened(options);
        if merger.frontier().is_none() {
            *first = first.iter().copied().chain(lowest).min();
        }
        let stream = merger.stream(stream);
        merger.pass_over(stream, lowest, highest, out);
    }

    pub(super) fn advance(
        &mut self,
        options: MergeOptions,
        stream: &Arc<str>,
        time_ns: u64,
        out: &mut Vec<Slide<Packet>>,
    ) {
        let merger = &mut self.opened(options).merger;
        let stream = merger.stream(stream);
        merger.advance(stream, time_ns, out);
    }

    // ----------------------------------------------------------------------------------------- packets that wait

    pub(super) fn waits(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.waiting.packets.is_empty())
    }

    /// Whether a packet waits that a slide before `due` needs.
    pub(super) fn waits_before(&self, due: u64) -> bool {
        self.open.as_ref().and_then(|open| open.waiting.lowest()).is_some_and(|lowest| lowest < due)
    }

    /// The formats that packets wait for.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = &UnknownFormat> {
        self.open.iter().flat_map(|open| open.waiting.formats.keys())
    }

    pub(super) fn pending(&self, index: usize) -> Option<&Pending> {
        self.open.as_ref()?.waiting.packets.get(index)
    }

    pub(super) fn take_pending(&mut self, index: usize) -> Option<Pending> {
        self.open.as_mut()?.waiting.remove(index)
    }

    pub(super) fn keep(&mut self, options: MergeOptions, pending: Pending) {
        self.opened(options).waiting.push(pending);
    }

    /// The lowest of some times that is not late.
    pub(super) fn lowest_of(&self, times: &[u64]) -> Option<u64> {
        let frontier = self.frontier().unwrap_or_default();
        times.iter().copied().filter(|&time| time >= frontier).min()
    }

    /// Where the frontier will be once a packet with these times is fed, the waiting ones' samples included; `None` if
    /// there will be none.
    pub(super) fn frontier_after(&self, options: MergeOptions, lowest: Option<u64>, highest: u64) -> Option<u64> {
        let MergeOptions { window_ns, slide_ns } = options;
        let open = self.open.as_ref();
        let clock = open.and_then(|open| open.merger.clock()).unwrap_or_default().max(highest);
        let frontier = open.and_then(|open| open.merger.frontier()).or_else(|| {
            let waiting = open.and_then(|open| open.waiting.samples.keys().next().copied());
            let lowest = waiting.into_iter().chain(lowest).chain(open.and_then(|open| open.lowest)).min()?;
            Some(lowest / slide_ns * slide_ns)
        })?;
        let ahead = clock.saturating_sub(frontier);
        let slides = if ahead < window_ns { 0 } else { (ahead - window_ns) / slide_ns + 1 };
        (slides > 0).then(|| frontier.saturating_add(slides.saturating_mul(slide_ns)))
    }

    // -------------------------------------------------------------------------------------------------------- the end

    pub(super) fn finish(&mut self, out: &mut Vec<Slide<Packet>>) {
        if let Some(open) = &mut self.open {
            open.merger.finish(out);
        }
    }

    /// Lets go of everything but what is asked for later; gives back how often it has ended now.
    pub(super) fn end(&mut self) -> u32 {
        let Some(open) = self.open.take() else { return self.generation };
        let mut times = BTreeMap::new();
        std::mem::take(&mut self.last_times)
            .into_iter()
            .for_each(|(stream, time)| keep_highest(&mut times, stream, time));
        open.merger.last_times().for_each(|(stream, time)| keep_highest(&mut times, stream.clone(), time));
        self.last_times = times.into_iter().collect();
        let mut late: BTreeMap<Arc<str>, u64> = std::mem::take(&mut self.late).into_iter().collect();
        open.merger.late_by_stream().for_each(|(stream, count)| *late.entry(stream.clone()).or_default() += count);
        self.late = late.into_iter().collect();
        self.frontier = open.merger.frontier().or(self.frontier);
        add(&mut self.counts, &open.merger);
        self.generation += 1;
        self.generation
    }

    /// Ends without giving out what is left.
    pub(super) fn drop_all(&mut self) {
        self.end();
        let MergingCounts { received, delivered, late, replaced, dropped, .. } = self.counts;
        self.counts.dropped += received.saturating_sub(delivered + late + replaced + dropped);
    }

    // ---------------------------------------------------------------------------------------------------- what is asked

    pub(super) fn frontier(&self) -> Option<u64> {
        self.open.as_ref().map_or(self.frontier, |open| open.merger.frontier())
    }

    pub(super) fn add_last_times(&self, found: &mut BTreeMap<Arc<str>, u64>) {
        self.last_times.iter().for_each(|(stream, time)| keep_highest(found, stream.clone(), *time));
        if let Some(open) = &self.open {
            open.merger.last_times().for_each(|(stream, time)| keep_highest(found, stream.clone(), time));
        }
    }

    pub(super) fn add_late(&self, found: &mut BTreeMap<(Arc<str>, Arc<str>), u64>) {
        let now = self.open.iter().flat_map(|open| open.merger.late_by_stream());
        for (stream, count) in self.late.iter().map(|(stream, count)| (stream, *count)).chain(now) {
            *found.entry((self.name.data_source.clone(), stream.clone())).or_default() += count;
        }
    }

    pub(super) fn add_counts(&self, all: &mut MergingCounts) {
        let counts = &self.counts;
        all.slides += counts.slides;
        all.received += counts.received;
        all.delivered += counts.delivered;
        all.late += counts.late;
        all.replaced += counts.replaced;
        all.dropped += counts.dropped;
        all.others += counts.others;
        all.late_others += counts.late_others;
        all.unreadable += counts.unreadable;
        all.unresolved += counts.unresolved;
        if let Some(open) = &self.open {
            add(all, &open.merger);
            all.buffered += open.merger.buffered().0 as u64;
        }
    }

    /// When an event, error, CAN frame or marker has been given out: one that is late comes with the next slide.
    pub(super) fn until_other(&self, time_ns: u64) -> Until {
        match self.frontier().filter(|_| self.is_open()) {
            Some(frontier) if time_ns < frontier => Until::Slides(self.counts.slides + 1),
            _ => Until::Frontier(time_ns),
        }
    }

    /// Tells once of samples that came late, and of a clock that is wrong here or where the data comes from.
    pub(super) fn warn(&mut self, window_ns: u64, highest: u64, clock: &dyn Clock) {
        let Some(open) = &mut self.open else { return };
        let key = Printable(&self.name.key);
        let late = open.merger.counts().late;
        if late > open.late {
            open.late = late;
            for (stream, _) in open.merger.late_by_stream() {
                if open.told_late.insert(stream.clone()) {
                    log::warn!(
                        "samples on stream '{}' of session '{key}' come more than {} s after newer ones: they are given \
                         up and counted as late; a longer window waits for them",
                        Printable(stream),
                        window_ns as f64 / NS_PER_SECOND as f64
                    );
                }
            }
        }
        if !open.told_ahead && highest > AHEAD_NS && highest - AHEAD_NS > clock.now_ns() {
            open.told_ahead = true;
            log::warn!(
                "session '{key}' has samples more than an hour ahead of this machine's clock: one of the two clocks is \
                 wrong, and samples that come after them with right times will be late"
            );
        }
    }
}

fn keep_highest(times: &mut BTreeMap<Arc<str>, u64>, stream: Arc<str>, time: u64) {
    let known = times.entry(stream).or_default();
    *known = time.max(*known);
}

fn add(all: &mut MergingCounts, merger: &Merger<Packet>) {
    let counts = merger.counts();
    all.received += counts.received;
    all.delivered += counts.delivered;
    all.late += counts.late;
    all.replaced += counts.replaced;
    all.others += counts.others;
    all.late_others += counts.late_others;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct At(u64);

    impl Clock for At {
        fn now_ns(&self) -> u64 {
            self.0
        }
    }

    const OPTIONS: MergeOptions = MergeOptions { window_ns: 1000, slide_ns: 200 };

    fn session() -> Session {
        Session::new(Arc::new(SessionRef { key: "k".into(), data_source: "d".into() }))
    }

    #[test]
    fn samples_far_ahead_of_the_clock_are_told_of_once() {
        let mut session = session();
        session.advance(OPTIONS, &"s".into(), 1, &mut Vec::new());
        let told = |session: &Session| session.open.as_ref().unwrap().told_ahead;
        session.warn(1000, AHEAD_NS + 500, &At(500));
        assert!(!told(&session));
        session.warn(1000, AHEAD_NS + 501, &At(500));
        assert!(told(&session));
    }

    #[test]
    fn the_frontier_is_foreseen_as_the_rule_moves_it() {
        let mut session = session();
        let stream: Arc<str> = "s".into();
        let mut out = Vec::new();
        assert_eq!(session.frontier_after(OPTIONS, Some(1050), 1999), None);
        assert_eq!(session.frontier_after(OPTIONS, Some(1050), 2000), Some(1200));
        assert_eq!(session.frontier_after(OPTIONS, Some(1050), 2400), Some(1600));
        assert_eq!(session.frontier_after(OPTIONS, None, 9999), None);
        // Another stream is ahead already.
        session.advance(OPTIONS, &stream, 2400, &mut out);
        assert_eq!(session.frontier_after(OPTIONS, Some(1050), 1100), Some(1600));
        assert!(out.is_empty());
    }

    #[test]
    fn what_is_asked_for_later_outlives_the_end() {
        let mut session = session();
        let stream: Arc<str> = "s".into();
        session.advance(OPTIONS, &stream, 2400, &mut Vec::new());
        assert_eq!(session.end(), 1);
        assert!(!session.is_open());
        session.advance(OPTIONS, &stream, 1000, &mut Vec::new());
        let mut times = BTreeMap::new();
        session.add_last_times(&mut times);
        assert_eq!(times, BTreeMap::from([(stream, 2400)]));
        assert_eq!((session.end(), session.end()), (2, 2));
    }
}
