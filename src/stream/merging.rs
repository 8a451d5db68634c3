//! Merging: packets of many sessions in, each session's samples in order of time out.
//!
//! Every session has a re-order buffer of its own ([`crate::pipeline::Merger`]), which is fed packet by packet in the
//! order of their coming. Here is what that buffer does not know: what packets are, which data formats they name, and
//! how far a group's positions may move.

mod contents;
mod positions;
mod session;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use self::contents::{Identifier, What, content_of, id_of, other_kind, read_other, span};
use self::positions::{Positions, Until};
use self::session::{Pending, Session};
use super::client::Client;
use super::formats::{Definition, Formats, Found, UnknownFormat, no_format, wrong_width};
use super::reader::{Packet, SessionRef};
use crate::error::{Error, Printable, Result};
use crate::packet::{ColumnBlock, Decoder, Head, PacketType, Wanted, latest_ns};
use crate::pipeline::{MergeOptions, Other, OtherKind, Slide};
use crate::sync::Mutex;
use crate::time::{Clock, SystemClock};

/// What to make of packets.
#[derive(Debug, Clone)]
pub struct MergingOptions {
    /// Identifiers and patterns (`*` is any text) of the parameters to merge; `None` for all. Packets without any of
    /// them still move the time.
    pub parameters: Option<Vec<String>>,
    /// Length of the window and of a slide.
    pub merge: MergeOptions,
    /// Which packets are merged beside the samples.
    pub others: Vec<OtherKind>,
    /// Give out what cannot be read ([`Merged::Unreadable`]); it is counted in any case.
    pub unreadable: bool,
    /// Keep account of positions; see [`Merging::positions`].
    pub grouped: bool,
}

/// What comes in; `E` is what an event is to the caller.
#[derive(Debug)]
pub enum Input<E> {
    /// A packet.
    Packet(Packet),
    /// What is given out in its place among the slides.
    Event(E),
    /// A session is complete: the rest of its samples comes before the event.
    Completed(Arc<SessionRef>, E),
}

/// What comes out, in order.
#[derive(Debug)]
pub enum Merged<E> {
    /// The next slide of a session.
    Slide(Arc<SessionRef>, Arc<Slide<Packet>>),
    /// A packet that says what the parameters are.
    Configuration(Packet),
    /// A record that is no packet, or a packet that cannot be read.
    Unreadable(Packet, Error),
    /// An event that came in.
    Event(E),
}

/// What became of what came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergingCounts {
    /// Slides given out.
    pub slides: u64,
    /// Samples that came, each parameter's counted. At the end delivered + late + replaced + dropped.
    pub received: u64,
    /// Samples given out.
    pub delivered: u64,
    /// Samples older than what had been given out.
    pub late: u64,
    /// Samples in whose place came another of the same parameter and time.
    pub replaced: u64,
    /// Samples that were given up with their session.
    pub dropped: u64,
    /// Samples that wait for their slide.
    pub buffered: u64,
    /// Events, errors, CAN frames and markers that came.
    pub others: u64,
    /// Those of them that were late; they are in the slide that came next.
    pub late_others: u64,
    /// Packets that cannot be read, or whose parts do not fit together.
    pub unreadable: u64,
    /// Packets whose data format nobody had defined in time.
    pub unresolved: u64,
}

/// Merges the packets of many sessions. One thread puts in; all may ask.
pub struct Merging {
    client: Client,
    state: Mutex<State>,
}

impl std::fmt::Debug for Merging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merging").field("counts", &self.counts(None, None)).finish_non_exhaustive()
    }
}

struct State {
    merge: MergeOptions,
    others: Vec<OtherKind>,
    unreadable: bool,
    clock: Arc<dyn Clock>,
    formats: Formats,
    /// Looked up in vain for the packet in hand.
    asked: HashSet<UnknownFormat>,
    /// Of which one packet that cannot be read was told: the data source and its format's number.
    told: HashSet<(Arc<str>, Option<u64>)>,
    decoder: Decoder,
    block: ColumnBlock,
    times: Vec<u64>,
    sessions: Vec<Session>,
    /// Sessions by key; of different data sources there may be several.
    by_key: HashMap<Arc<str>, Vec<usize>>,
    /// That of the packet before.
    last: Option<(Arc<SessionRef>, usize)>,
    positions: Option<Positions>,
    slides: Vec<Slide<Packet>>,
}

impl Merging {
    /// An empty one, which looks formats up with `client`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a pattern cannot be used.
    pub fn new(client: Client, options: &MergingOptions) -> Result<Self> {
        Self::with_clock(client, options, Arc::new(SystemClock))
    }

    /// [`Merging::new`] with a clock for what is ahead of time.
    ///
    /// # Errors
    /// As there.
    pub fn with_clock(client: Client, options: &MergingOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let state = State {
            merge: options.merge,
            others: options.others.clone(),
            unreadable: options.unreadable,
            clock,
            formats: Formats::new(options.parameters.as_deref())?,
            asked: HashSet::new(),
            told: HashSet::new(),
            decoder: Decoder::new(),
            block: ColumnBlock::new(),
            times: Vec::new(),
            sessions: Vec::new(),
            by_key: HashMap::new(),
            last: None,
            positions: options.grouped.then(Positions::default),
            slides: Vec::new(),
        };
        Ok(Self { client, state: Mutex::new(state) })
    }

    /// Takes what is in `inputs` from its front, until it is empty or `most` bytes of packets are taken, and appends what
    /// comes of it to `out`.
    ///
    /// A format that is given back must be looked up ([`Merging::look_up`]) before this is called again.
    pub fn push<E>(
        &self,
        inputs: &mut VecDeque<Input<E>>,
        most: usize,
        out: &mut Vec<Merged<E>>,
    ) -> Option<UnknownFormat> {
        let state = &mut *self.state.lock();
        let mut taken = 0;
        while taken < most
            && let Some(input) = inputs.pop_front()
        {
            let unknown = match input {
                Input::Packet(packet) => {
                    taken += packet.payload.len();
                    state.packet(packet, &self.client, out).map(|(packet, format)| (Input::Packet(packet), format))
                }
                Input::Event(event) => {
                    out.push(Merged::Event(event));
                    None
                }
                Input::Completed(session, event) => match state.complete(&session, &self.client, out) {
                    Some(format) => Some((Input::Completed(session, event), format)),
                    None => {
                        out.push(Merged::Event(event));
                        None
                    }
                },
            };
            if let Some((input, format)) = unknown {
                inputs.push_front(input);
                return Some(format);
            }
            state.asked.clear();
        }
        None
    }

    /// Asks the broker about a format; what it says is remembered.
    pub fn look_up(&self, format: &UnknownFormat) {
        self.remember(format, &Formats::ask(&self.client, format));
    }

    /// [`Merging::look_up`] for readers, which can wait for a right.
    ///
    /// # Errors
    /// [`Error::Denied`] when we may not know: nothing is remembered, and the packets are kept.
    pub(super) fn look_up_if_allowed(&self, format: &UnknownFormat) -> Result<()> {
        self.remember(format, &Formats::ask_if_allowed(&self.client, format)?);
        Ok(())
    }

    fn remember(&self, format: &UnknownFormat, found: &Result<Definition>) {
        let mut state = self.state.lock();
        state.formats.answer(format, found);
        if found.is_err() {
            state.asked.insert(format.clone());
        }
    }

    /// Ends sessions that have not been completed, all or the one with this key: gives out what they still hold.
    ///
    /// A format that is given back must be looked up before this is called again.
    pub fn finish<E>(&self, key: Option<&str>, out: &mut Vec<Merged<E>>) -> Option<UnknownFormat> {
        let state = &mut *self.state.lock();
        for index in state.open(key) {
            let unknown = state.finish(index, &self.client, out);
            if unknown.is_some() {
                return unknown;
            }
            state.asked.clear();
        }
        None
    }

    /// Ends sessions without giving out what they still hold: it is counted as dropped.
    pub fn drop_sessions(&self, key: Option<&str>) {
        let state = &mut *self.state.lock();
        for index in state.open(key) {
            state.sessions[index].drop_all();
        }
    }

    /// Where the next slide of a session begins. `None` before the first, and for sessions not met.
    #[must_use]
    pub fn frontier_ns(&self, data_source: Option<&str>, key: &str) -> Option<u64> {
        let state = self.state.lock();
        state.find(data_source, Some(key)).filter_map(Session::frontier).max()
    }

    /// The highest time seen on each stream of a session, also after its end.
    #[must_use]
    pub fn last_times(&self, data_source: Option<&str>, key: &str) -> BTreeMap<Arc<str>, u64> {
        let state = self.state.lock();
        let mut found = BTreeMap::new();
        for session in state.find(data_source, Some(key)) {
            session.add_last_times(&mut found);
        }
        found
    }

    /// What became of what came in, of all sessions or of some.
    #[must_use]
    pub fn counts(&self, data_source: Option<&str>, key: Option<&str>) -> MergingCounts {
        let state = self.state.lock();
        let mut all = MergingCounts::default();
        state.find(data_source, key).for_each(|session| session.add_counts(&mut all));
        all
    }

    /// Late samples by data source and stream, of those where some were.
    #[must_use]
    pub fn late_by_stream(&self) -> BTreeMap<(Arc<str>, Arc<str>), u64> {
        let state = self.state.lock();
        let mut found = BTreeMap::new();
        state.sessions.iter().for_each(|session| session.add_late(&mut found));
        found
    }

    /// Packets whose data format nobody had defined in time, by data source.
    #[must_use]
    pub fn unresolved(&self) -> BTreeMap<Arc<str>, u64> {
        let state = self.state.lock();
        let mut found = BTreeMap::new();
        for session in state.sessions.iter().filter(|session| session.counts.unresolved > 0) {
            *found.entry(session.name.data_source.clone()).or_default() += session.counts.unresolved;
        }
        found
    }

    /// For groups: the first `count` pieces of those that [`Merging::push`] and [`Merging::finish`] have given out since
    /// [`Merging::begin`] were handled.
    pub fn handled(&self, count: usize) {
        let state = &mut *self.state.lock();
        if let Some(positions) = &mut state.positions {
            positions.handled(count);
        }
    }

    /// For groups: everything that was given out so far was handled, and pieces are counted from here on.
    pub fn begin(&self) {
        let state = &mut *self.state.lock();
        if let Some(positions) = &mut state.positions {
            positions.begin();
        }
    }

    /// For groups: how far each partition was handled since this was asked last, as the offset of the last record. A
    /// packet is handled when all its samples are in slides that were.
    #[must_use]
    pub fn positions(&self) -> Vec<(Arc<str>, i32, i64)> {
        let state = &mut *self.state.lock();
        state.positions.as_mut().map(Positions::take).unwrap_or_default()
    }
}

impl State {
    fn find(&self, data_source: Option<&str>, key: Option<&str>) -> impl Iterator<Item = &Session> {
        let fits = move |session: &&Session| {
            data_source.is_none_or(|wanted| *session.name.data_source == *wanted)
                && key.is_none_or(|wanted| *session.name.key == *wanted)
        };
        let (some, all) = match key {
            Some(key) => (self.by_key.get(key).map(Vec::as_slice).unwrap_or_default(), &[][..]),
            None => (&[][..], &self.sessions[..]),
        };
        some.iter().map(|&index| &self.sessions[index]).chain(all).filter(fits)
    }

    /// Sessions that are under way.
    fn open(&self, key: Option<&str>) -> Vec<usize> {
        let fits = |session: &Session| session.is_open() && key.is_none_or(|key| *session.name.key == *key);
        (0..self.sessions.len()).filter(|&index| fits(&self.sessions[index])).collect()
    }

    fn known(&self, name: &SessionRef) -> Option<usize> {
        let known = self.by_key.get(&name.key)?;
        known.iter().copied().find(|&index| self.sessions[index].name.data_source == name.data_source)
    }

    fn session(&mut self, name: &Arc<SessionRef>) -> usize {
        if let Some((last, index)) = &self.last
            && Arc::ptr_eq(last, name)
        {
            return *index;
        }
        let index = self.known(name).unwrap_or_else(|| {
            self.sessions.push(Session::new(name.clone()));
            let index = self.sessions.len() - 1;
            self.by_key.entry(name.key.clone()).or_default().push(index);
            index
        });
        self.last = Some((name.clone(), index));
        index
    }

    fn packet<E>(
        &mut self,
        packet: Packet,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Option<(Packet, UnknownFormat)> {
        let session = self.session(&packet.session);
        let Some(head) = &packet.head else {
            let error = Head::peek(&packet.payload).err().unwrap_or_else(|| Error::decode("record", "no packet"));
            self.note(&packet, session, Until::Now);
            self.unreadable(packet, session, None, error, out);
            return None;
        };
        let kind = head.packet_type(&packet.payload);
        let what = match other_kind(kind) {
            _ if kind.is_samples() => What::Samples(kind),
            Some(kind) if self.others.contains(&kind) => What::Other(kind),
            _ => {
                self.note(&packet, session, Until::Now);
                if kind == PacketType::Configuration {
                    out.push(Merged::Configuration(packet));
                }
                return None;
            }
        };
        if self.sessions[session].waits()
            && let Some(unknown) = self.make_way(&packet, session, what, client, out)
        {
            return Some((packet, unknown));
        }
        match self.feed(&packet, session, what, client, out) {
            Fed::Into(until) => self.note(&packet, session, until),
            Fed::Unknown(unknown) => return Some((packet, unknown)),
            Fed::Refused(unknown) => return self.keep(packet, session, what, unknown, out),
            Fed::Unreadable(error, format) => {
                self.note(&packet, session, Until::Now);
                let highest = self.times_of(&packet, what).iter().copied().max();
                if let Some(highest) = highest {
                    self.sessions[session].advance(self.merge, &packet.stream, highest, &mut self.slides);
                    self.give_out(session, highest, out);
                }
                self.unreadable(packet, session, format, error, out);
            }
        }
        None
    }

    /// Puts a packet into its session's buffer, whatever else waits there.
    fn feed<E>(
        &mut self,
        packet: &Packet,
        session: usize,
        what: What,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Fed {
        match what {
            What::Samples(kind) => self.feed_samples(packet, session, kind, client, out),
            What::Other(kind) => self.feed_other(packet, session, kind, client, out),
        }
    }

    fn feed_samples<E>(
        &mut self,
        packet: &Packet,
        session: usize,
        kind: PacketType,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Fed {
        let content = content_of(packet);
        let mut opened = match self.decoder.open(kind, content) {
            Ok(opened) => opened,
            Err(error) => return Fed::Unreadable(error, None),
        };
        let id = id_of(opened.format());
        let resolved = match self.formats.find(opened.format(), &packet.session.data_source, client) {
            Found::Known(resolved) => resolved,
            Found::Unknown(unknown) => return Fed::Unknown(unknown),
            Found::Refused(unknown) => return Fed::Refused(unknown),
            Found::Missing => return Fed::Unreadable(no_format(), None),
        };
        if let Some(width) = opened.width()
            && width != resolved.width
        {
            return Fed::Unreadable(wrong_width(kind, width, resolved.width), id);
        }
        if resolved.names.is_empty() {
            // Nobody wants it; its times count all the same.
            if let Some(highest) = latest_ns(kind, content) {
                let times =
                    self.sessions[session].is_before_first().then(|| self.times_of(packet, What::Samples(kind)));
                let lowest = times.and_then(|times| times.iter().copied().min());
                self.sessions[session].pass_over(self.merge, &packet.stream, (lowest, highest), &mut self.slides);
                self.give_out(session, highest, out);
            }
            return Fed::Into(Until::Now);
        }
        self.block.clear();
        let wanted = resolved.columns.as_deref().map_or(Wanted::All, Wanted::Columns);
        if let Err(error) = opened.append_to(&mut self.block, wanted) {
            return Fed::Unreadable(error, id);
        }
        if self.block.is_empty() {
            return Fed::Into(Until::Now);
        }
        if resolved.columns.is_none() && self.block.width() != resolved.width {
            return Fed::Unreadable(wrong_width(kind, self.block.width(), resolved.width), id);
        }
        let Some((lowest, highest)) = span(self.block.times()) else { return Fed::Into(Until::Now) };
        self.sessions[session].samples(self.merge, packet, &resolved, &self.block, lowest, &mut self.slides);
        self.give_out(session, highest, out);
        Fed::Into(Until::Frontier(highest))
    }

    fn feed_other<E>(
        &mut self,
        packet: &Packet,
        session: usize,
        kind: OtherKind,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Fed {
        let (time_ns, identifier) = match read_other(kind, content_of(packet)) {
            Ok(read) => read,
            Err(error) => return Fed::Unreadable(error, None),
        };
        let identifier = match identifier {
            Identifier::Text(text) => text,
            Identifier::Event(id) => match self.formats.event(id, &packet.session.data_source, client) {
                Found::Known(name) => name,
                Found::Unknown(unknown) => return Fed::Unknown(unknown),
                Found::Refused(unknown) => return Fed::Refused(unknown),
                Found::Missing => return Fed::Unreadable(no_format(), None),
            },
        };
        let until = self.sessions[session].until_other(time_ns);
        let other = Other { kind, identifier, time_ns, item: packet.clone() };
        self.sessions[session].other(self.merge, &packet.stream, other, &mut self.slides);
        self.give_out(session, if kind == OtherKind::Marker { 0 } else { time_ns }, out);
        Fed::Into(until)
    }

    /// The times that a packet names, read before it is fed.
    fn times_of(&mut self, packet: &Packet, what: What) -> &[u64] {
        self.times.clear();
        let content = content_of(packet);
        match what {
            What::Samples(kind) => {
                // What is wrong with it is said when it is fed.
                let _ = self.decoder.open(kind, content);
                self.decoder.times_into(kind, content, &mut self.times);
            }
            What::Other(OtherKind::Marker) => {}
            What::Other(kind) => self.times.extend(read_other(kind, content).map(|(time_ns, _)| time_ns)),
        }
        &self.times
    }

    // -------------------------------------------------------------------------------- formats that are not known yet

    /// Before a packet is fed: packets of its format that waited for it come first, and those whose slide it completes.
    fn make_way<E>(
        &mut self,
        packet: &Packet,
        session: usize,
        what: What,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Option<UnknownFormat> {
        let is_sample = matches!(what, What::Samples(_));
        self.times_of(packet, what);
        let of = &self.sessions[session];
        let lowest = if is_sample { of.lowest_of(&self.times) } else { None };
        let highest = self.times.iter().copied().max();
        let due = highest.and_then(|highest| of.frontier_after(self.merge, lowest, highest));
        // Looked at one by one only when there is something to do: there may be as many as come within a window.
        if !due.is_some_and(|due| of.waits_before(due))
            && !of.waits_for().any(|format| self.formats.knows(format, client))
        {
            return None;
        }
        let mut index = 0;
        while let Some(pending) = self.sessions[session].pending(index) {
            let (format, is_due) = (pending.format.clone(), due.is_some_and(|due| pending.lowest < due));
            if !is_due && !self.formats.knows(&format, client) {
                index += 1;
            } else if let Some(unknown) = self.resolve(session, index, client, out) {
                return Some(unknown);
            }
        }
        None
    }

    /// Feeds a packet that waits, or gives it up if its format is still not known after it was asked for once more.
    fn resolve<E>(
        &mut self,
        session: usize,
        index: usize,
        client: &Client,
        out: &mut Vec<Merged<E>>,
    ) -> Option<UnknownFormat> {
        let format = self.sessions[session].pending(index)?.format.clone();
        if !self.formats.knows(&format, client) && !self.asked.contains(&format) {
            self.formats.forgive(&format);
            return Some(format);
        }
        let Pending { packet, what, .. } = self.sessions[session].take_pending(index)?;
        match self.feed(&packet, session, what, client, out) {
            Fed::Into(_) => {}
            Fed::Unknown(format) | Fed::Refused(format) => self.give_up(session, &format),
            Fed::Unreadable(error, format) => self.unreadable(packet, session, format, error, out),
        }
        None
    }

    /// Keeps a packet whose format nobody has defined yet.
    fn keep<E>(
        &mut self,
        packet: Packet,
        session: usize,
        what: What,
        format: UnknownFormat,
        out: &mut Vec<Merged<E>>,
    ) -> Option<(Packet, UnknownFormat)> {
        let highest = self.times_of(&packet, what).iter().copied().max();
        let of = &self.sessions[session];
        let is_sample = matches!(what, What::Samples(_));
        let lowest = if is_sample { of.lowest_of(&self.times) } else { None };
        let due = highest.and_then(|highest| of.frontier_after(self.merge, lowest, highest));
        // Late ones are due with the next slide.
        let own = lowest.or_else(|| of.lowest_of(&self.times)).or(of.frontier()).unwrap_or_default();
        let until = match (what, highest) {
            (What::Other(_), Some(time_ns)) => of.until_other(time_ns),
            (_, Some(highest)) => Until::Frontier(highest),
            (_, None) => Until::Now,
        };
        let is_due = due.is_some_and(|due| own < due);
        if is_due && !self.asked.contains(&format) {
            self.formats.forgive(&format);
            return Some((packet, format));
        }
        self.note(&packet, session, if is_due { Until::Now } else { until });
        let stream = packet.stream.clone();
        if is_due {
            self.give_up(session, &format);
        } else if highest.is_some() {
            self.sessions[session].keep(self.merge, Pending { packet, what, format, lowest: own, is_sample });
        }
        if let Some(highest) = highest {
            self.sessions[session].advance(self.merge, &stream, highest, &mut self.slides);
            self.give_out(session, highest, out);
        }
        None
    }

    fn give_up(&mut self, session: usize, format: &UnknownFormat) {
        self.sessions[session].counts.unresolved += 1;
        if self.formats.warns_first(format) {
            log::warn!(
                "{}: its packets are dropped, because their window is due; they are counted as unresolved",
                format.error()
            );
        }
    }

    // ------------------------------------------------------------------------------------------------------- the end

    fn complete<E>(&mut self, name: &SessionRef, client: &Client, out: &mut Vec<Merged<E>>) -> Option<UnknownFormat> {
        let session = self.known(name)?;
        self.finish(session, client, out)
    }

    fn finish<E>(&mut self, session: usize, client: &Client, out: &mut Vec<Merged<E>>) -> Option<UnknownFormat> {
        while self.sessions[session].waits() {
            let unknown = self.resolve(session, 0, client, out);
            if unknown.is_some() {
                return unknown;
            }
        }
        self.sessions[session].finish(&mut self.slides);
        self.give_out(session, 0, out);
        let generation = self.sessions[session].end();
        if let Some(positions) = &mut self.positions {
            positions.ended(out.len(), session, generation);
        }
        None
    }

    // -------------------------------------------------------------------------------------------------- what is told

    /// Hands the slides on that a session has given out, and looks at what came with time `highest`.
    fn give_out<E>(&mut self, session: usize, highest: u64, out: &mut Vec<Merged<E>>) {
        let of = &mut self.sessions[session];
        for slide in self.slides.drain(..) {
            of.counts.slides += 1;
            let end_ns = slide.end_ns();
            out.push(Merged::Slide(of.name.clone(), Arc::new(slide)));
            if let Some(positions) = &mut self.positions {
                positions.slide(out.len(), session, of.generation, end_ns, of.counts.slides);
            }
        }
        of.warn(self.merge.window_ns, highest, &*self.clock);
    }

    fn unreadable<E>(
        &mut self,
        packet: Packet,
        session: usize,
        format: Option<u64>,
        error: Error,
        out: &mut Vec<Merged<E>>,
    ) {
        self.sessions[session].counts.unreadable += 1;
        if self.told.insert((packet.session.data_source.clone(), format)) {
            let of = format.map(|id| format!(" with data format {id}")).unwrap_or_default();
            log::error!(
                "packet at {} partition {} offset {} cannot be merged: {error}; further packets of data source '{}'{of} \
                 are only counted",
                packet.topic,
                packet.partition,
                packet.offset,
                Printable(&packet.session.data_source)
            );
        }
        if self.unreadable {
            out.push(Merged::Unreadable(packet, error));
        }
    }

    /// Of a group: when the packet's position may be stored.
    fn note(&mut self, packet: &Packet, session: usize, until: Until) {
        if let Some(positions) = &mut self.positions {
            positions.note(packet, session, self.sessions[session].generation, until);
        }
    }
}

/// What became of a packet.
enum Fed {
    /// It is in the buffer, or needs not be.
    Into(Until),
    /// Its format must be looked up first.
    Unknown(UnknownFormat),
    /// Its format was looked up in vain.
    Refused(UnknownFormat),
    /// It cannot be read; with the number of its format.
    Unreadable(Error, Option<u64>),
}
