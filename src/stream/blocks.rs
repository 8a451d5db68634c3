//! Blocks: what a reader gives, with the samples turned into columns.
//!
//! The packets of a fetched batch go into one block for each stream, data format and time base, and the blocks are
//! handed out as soon as the batch is consumed: no sample waits for a block to fill. What is no sample comes beside
//! them; it closes the blocks that it must follow, so that each stream keeps its order.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::client::Client;
use super::formats::{Formats, Found, Resolved, UnknownFormat, no_format, wrong_width};
use super::queue::Batch;
use super::reader::{Item, Packet, Reader, SessionRef, StreamRef};
use crate::error::{Error, Result};
use crate::packet::{Appended, ColumnBlock, Decoder, Head, PacketType, Wanted};
use crate::sync::Mutex;

/// Items fetched at once, at most and at first.
const BATCH: usize = 2048;
const FIRST_BATCH: usize = 64;
/// Blocks that are filled at once at most; what makes more is no telemetry, and each costs memory.
const MOST_OPEN: usize = 1024;
/// Emptied blocks that are kept for their memory.
const MOST_FREE: usize = 64;

/// What to make of packets.
#[derive(Debug, Clone)]
pub struct BlockOptions {
    /// Identifiers and patterns (`*` is any text) of the parameters to read; `None` for all.
    pub parameters: Option<Vec<String>>,
    /// A block is closed when it holds about so many bytes.
    pub most_bytes: usize,
    /// Hand out everything that is no sample, too; without it only configurations come beside the blocks.
    pub others: bool,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { parameters: None, most_bytes: 8 << 20, others: false }
    }
}

/// Samples of one stream, data format and time base of one session.
#[derive(Debug)]
pub struct Block {
    /// The session and stream.
    pub stream: StreamRef,
    /// The parameters of the columns, in their order.
    pub parameters: Arc<[String]>,
    /// How many packets it was made of.
    pub packets: usize,
    columns: Pooled,
}

impl Block {
    /// The samples.
    #[must_use]
    pub fn columns(&self) -> &ColumnBlock {
        &self.columns
    }
}

/// What comes out, in the order of each stream.
#[derive(Debug)]
pub enum Piece {
    /// Samples.
    Block(Arc<Block>),
    /// A packet without samples.
    Packet(Packet),
    /// A record that is no packet, or a packet of samples that cannot be read.
    Unreadable(Packet, Error),
    /// What happened to a session or stream.
    Event(Item),
}

/// The outcome of a step.
#[derive(Debug)]
pub enum Step {
    /// What was read, in order; may be empty when everything was passed over.
    Pieces(Vec<Piece>),
    /// A packet names a data format that must be looked up first: call [`Blocks::look_up`], then step again.
    Unknown(UnknownFormat),
    /// Nothing in this time.
    Empty,
    /// Nothing will come any more.
    End,
}

/// How much went into blocks so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// Blocks handed out.
    pub blocks: u64,
    /// Their samples: rows times columns.
    pub samples: u64,
    /// Packets they were made of.
    pub packets: u64,
    /// Packets of samples without any of the wanted parameters.
    pub unwanted: u64,
    /// Packets of samples that could not be read, and records that are no packets.
    pub unreadable: u64,
}

/// Turns what a reader gives into blocks. Used by one thread at a time.
pub struct Blocks {
    reader: Arc<Reader>,
    client: Client,
    grouped: bool,
    state: Mutex<State>,
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

struct State {
    /// Fetched and not looked at yet.
    items: VecDeque<Item>,
    /// How many to fetch at once: about what a batch takes, by the sizes seen last. What is fetched no longer counts as
    /// waiting in the reader's queue.
    fetch: usize,
    /// A batch has begun; its pieces are handed out together.
    begun: bool,
    /// Bytes of the batch so far, and where it ends: many large packets do not become blocks all at once.
    taken: usize,
    most: usize,
    formats: Formats,
    assembler: Assembler,
    /// Of a group: what to store once so many pieces of the last batch were handled.
    stores: VecDeque<Stored>,
}

/// A position that may be stored when `after` pieces were handled.
struct Stored {
    after: usize,
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl Blocks {
    /// Blocks of a reader. With `grouped`, positions are kept for [`Blocks::handled`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when a pattern cannot be used.
    pub fn new(reader: Arc<Reader>, client: Client, options: &BlockOptions, grouped: bool) -> Result<Self> {
        let state = State {
            items: VecDeque::new(),
            fetch: FIRST_BATCH,
            begun: false,
            taken: 0,
            // The queue is three quarters of the buffer; what becomes blocks at once is an eighth at most.
            most: options.most_bytes.max(1).saturating_mul(2).min(reader.queue_bytes() / 6).max(1),
            formats: Formats::new(options.parameters.as_deref())?,
            assembler: Assembler::new(options, grouped),
            stores: VecDeque::new(),
        };
        Ok(Self { reader, client, grouped, state: Mutex::new(state) })
    }

    /// What is there, as soon as there is something; waits at most `timeout`, and looks formats up where needed.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn next(&self, timeout: Duration) -> Result<Step> {
        loop {
            match self.step(timeout)? {
                Step::Unknown(format) => self.look_up(&format)?,
                other => return Ok(other),
            }
        }
    }

    /// [`Blocks::next`] for callers that must not wait for an answer of the broker here.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn step(&self, timeout: Duration) -> Result<Step> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if !state.begun {
            if state.items.is_empty() {
                match self.reader.next_batch(state.fetch, timeout)? {
                    Batch::Items(items) => state.items.extend(items),
                    Batch::Empty => return Ok(Step::Empty),
                    Batch::End => return Ok(Step::End),
                }
            }
            (state.begun, state.taken) = (true, 0);
            state.formats.forgive_all();
        }
        let (taken_before, mut looked_at) = (state.taken, 0);
        while state.taken < state.most
            && let Some(item) = state.items.pop_front()
        {
            state.taken += item.size();
            looked_at += 1;
            if let Some((item, unknown)) = state.assembler.take(item, &mut state.formats, &self.client) {
                state.items.push_front(item);
                return Ok(Step::Unknown(unknown));
            }
        }
        state.begun = false;
        if let Some(size) = (state.taken - taken_before).checked_div(looked_at).filter(|size| *size > 0) {
            state.fetch = (state.most / size).clamp(1, BATCH);
        }
        let (pieces, stores) = state.assembler.finish();
        state.stores.extend(stores);
        if self.grouped {
            // What nobody wanted needs nobody to handle it.
            self.store(&mut state.stores, 0);
        }
        Ok(Step::Pieces(pieces))
    }

    /// Asks the broker about a format. What it says is remembered; a format that is still unknown makes its packets of
    /// the current batch unreadable.
    ///
    /// # Errors
    /// [`Error::Denied`] when we may not know: nothing is remembered, and the packets are kept for the next call.
    pub fn look_up(&self, format: &UnknownFormat) -> Result<()> {
        let found = Formats::ask_if_allowed(&self.client, format)?;
        let mut state = self.state.lock();
        state.formats.answer(format, &found);
        if let Err(error) = found
            && state.formats.warns_first(format)
        {
            log::warn!("packets of samples cannot be read: {error}");
        }
        Ok(())
    }

    /// For a reader of a group: the first `count` pieces of the last batch were handled.
    pub fn handled(&self, count: usize) {
        if self.grouped {
            self.store(&mut self.state.lock().stores, count);
        }
    }

    fn store(&self, stores: &mut VecDeque<Stored>, count: usize) {
        while stores.front().is_some_and(|stored| stored.after <= count) {
            let Some(stored) = stores.pop_front() else { return };
            if let Err(error) = self.reader.store_offset(&stored.topic, stored.partition, stored.offset) {
                // The partition has gone to another member, which reads these packets again.
                log::debug!("position of {} partition {} not stored: {error}", stored.topic, stored.partition);
            }
        }
    }

    /// How much went into blocks so far.
    #[must_use]
    pub fn counts(&self) -> BlockCounts {
        self.state.lock().assembler.counts
    }
}

// ----------------------------------------------------------------------------------------------------- assembling

/// A block that is being filled.
struct Open {
    session: Arc<SessionRef>,
    stream: Arc<str>,
    resolved: Arc<Resolved>,
    kind: PacketType,
    columns: Box<Pooled>,
    /// Bytes of the packets in it.
    wire: usize,
    packets: usize,
    token: usize,
}

impl Open {
    fn is_of(&self, session: &SessionRef, stream: &str) -> bool {
        *self.stream == *stream && self.session.key == session.key && self.session.data_source == session.data_source
    }

    fn bytes(&self) -> usize {
        // A value and its status for each column, and a time.
        self.wire.max(self.columns.len() * (9 * self.columns.width() + 8))
    }
}

/// Where a packet lay, and which piece it went into.
struct Mark {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    token: Option<usize>,
}

/// What became of a packet of samples.
enum Placed {
    /// The open block with this index has them.
    Into(usize),
    /// A new block has them.
    New(Box<Pooled>, Arc<Resolved>),
    /// Nobody wants them.
    Nowhere,
    /// Its format must be looked up.
    Unknown(UnknownFormat),
}

struct Assembler {
    others: bool,
    grouped: bool,
    most_bytes: usize,
    decoder: Decoder,
    open: Vec<Open>,
    pieces: Vec<Piece>,
    /// Of each piece, by token, its place among the pieces.
    places: Vec<usize>,
    marks: Vec<Mark>,
    pool: Arc<Pool>,
    counts: BlockCounts,
}

impl Assembler {
    fn new(options: &BlockOptions, grouped: bool) -> Self {
        let most_bytes = options.most_bytes.max(1);
        Self {
            others: options.others,
            grouped,
            most_bytes,
            decoder: Decoder::new(),
            open: Vec::new(),
            pieces: Vec::new(),
            places: Vec::new(),
            marks: Vec::new(),
            pool: Arc::new(Pool { free: Mutex::default(), most_bytes: most_bytes.saturating_mul(4) }),
            counts: BlockCounts::default(),
        }
    }

    /// Takes an item; gives it back when its format must be looked up first.
    fn take(&mut self, item: Item, formats: &mut Formats, client: &Client) -> Option<(Item, UnknownFormat)> {
        match item {
            Item::Packet(packet) => {
                let Some(head) = &packet.head else {
                    let error =
                        Head::peek(&packet.payload).err().unwrap_or_else(|| Error::decode("record", "no packet"));
                    self.unreadable(packet, error);
                    return None;
                };
                let kind = PacketType::parse(head.type_name(&packet.payload));
                if !kind.is_samples() {
                    self.other(packet, kind);
                    return None;
                }
                let unknown = self.samples(&packet, kind, head.content(&packet.payload), formats, client)?;
                Some((Item::Packet(packet), unknown))
            }
            event => {
                self.event(event);
                None
            }
        }
    }

    fn samples(
        &mut self,
        packet: &Packet,
        kind: PacketType,
        content: &[u8],
        formats: &mut Formats,
        client: &Client,
    ) -> Option<UnknownFormat> {
        match self.place(packet, kind, content, formats, client) {
            Ok(Placed::Into(index)) => {
                let open = &mut self.open[index];
                open.wire += content.len();
                open.packets += 1;
                let token = open.token;
                self.mark(packet, Some(token));
                self.close_if_full(index);
            }
            Ok(Placed::New(columns, resolved)) => {
                let token = self.token();
                self.mark(packet, Some(token));
                self.open.push(Open {
                    session: packet.session.clone(),
                    stream: packet.stream.clone(),
                    resolved,
                    kind,
                    columns,
                    wire: content.len(),
                    packets: 1,
                    token,
                });
                self.close_if_full(self.open.len() - 1);
            }
            Ok(Placed::Nowhere) => {
                self.counts.unwanted += 1;
                self.mark(packet, None);
            }
            Ok(Placed::Unknown(unknown)) => return Some(unknown),
            Err(error) => self.unreadable(packet.clone(), error),
        }
        None
    }

    /// Puts a packet's samples into a block that is open, or into a new one.
    fn place(
        &mut self,
        packet: &Packet,
        kind: PacketType,
        content: &[u8],
        formats: &mut Formats,
        client: &Client,
    ) -> Result<Placed> {
        let mut opened = self.decoder.open(kind, content)?;
        let resolved = match formats.find(opened.format(), &packet.session.data_source, client) {
            Found::Known(resolved) => resolved,
            Found::Unknown(unknown) => return Ok(Placed::Unknown(unknown)),
            Found::Refused(unknown) => return Err(unknown.error()),
            Found::Missing => return Err(no_format()),
        };
        if let Some(width) = opened.width()
            && width != resolved.width
        {
            return Err(wrong_width(kind, width, resolved.width));
        }
        if resolved.names.is_empty() {
            return Ok(Placed::Nowhere);
        }
        let wanted = resolved.columns.as_deref().map_or(Wanted::All, Wanted::Columns);
        // Several may be open for one format: its packets may come at several rates.
        for (index, open) in self.open.iter_mut().enumerate() {
            let fits = open.kind == kind
                && Arc::ptr_eq(&open.resolved, &resolved)
                && open.is_of(&packet.session, &packet.stream);
            if fits && opened.append_to(open.columns.get_mut(), wanted)? != Appended::Differs {
                return Ok(Placed::Into(index));
            }
        }
        let mut columns = Box::new(self.pool.take(Arc::as_ptr(&resolved) as usize));
        opened.append_to(columns.get_mut(), wanted)?;
        if resolved.columns.is_none() && columns.width() != resolved.width && !columns.is_empty() {
            return Err(wrong_width(kind, columns.width(), resolved.width));
        }
        Ok(Placed::New(columns, resolved))
    }

    fn close_if_full(&mut self, index: usize) {
        if self.open[index].bytes() >= self.most_bytes {
            self.close(index);
        } else if self.open.len() > MOST_OPEN {
            self.close(0);
        }
    }

    fn other(&mut self, packet: Packet, kind: PacketType) {
        if self.others {
            self.close_where(|open| open.is_of(&packet.session, &packet.stream));
        } else if kind != PacketType::Configuration {
            self.mark(&packet, None);
            return;
        }
        let token = self.token();
        self.mark(&packet, Some(token));
        self.emit(token, Piece::Packet(packet));
    }

    fn unreadable(&mut self, packet: Packet, error: Error) {
        self.counts.unreadable += 1;
        if self.others {
            self.close_where(|open| open.is_of(&packet.session, &packet.stream));
        }
        let token = self.token();
        self.mark(&packet, Some(token));
        self.emit(token, Piece::Unreadable(packet, error));
    }

    fn event(&mut self, event: Item) {
        if !self.others {
            return;
        }
        match &event {
            Item::StreamStarted(of) | Item::StreamCompleted(of) => {
                self.close_where(|open| open.is_of(&of.session, &of.stream));
            }
            Item::CoverageCursor { session, .. } => self.close_where(|open| open.session.key == session.key),
            Item::SessionStarted(info) | Item::SessionUpdated(info) | Item::SessionCompleted { info, .. } => {
                self.close_where(|open| *open.session.key == *info.key);
            }
            Item::Associated { .. } | Item::Packet(_) => {}
        }
        let token = self.token();
        self.emit(token, Piece::Event(event));
    }

    fn token(&mut self) -> usize {
        self.places.push(usize::MAX);
        self.places.len() - 1
    }

    fn mark(&mut self, packet: &Packet, token: Option<usize>) {
        if self.grouped {
            let (topic, partition, offset) = (packet.topic.clone(), packet.partition, packet.offset);
            self.marks.push(Mark { topic, partition, offset, token });
        }
    }

    fn emit(&mut self, token: usize, piece: Piece) {
        self.places[token] = self.pieces.len();
        self.pieces.push(piece);
    }

    fn close(&mut self, index: usize) {
        // In the order of their first packets.
        let open = self.open.remove(index);
        if open.columns.is_empty() {
            // Packets without samples: nothing to hand out, and nothing to handle.
            self.places[open.token] = usize::MAX;
            return;
        }
        self.counts.blocks += 1;
        self.counts.samples += (open.columns.len() * open.columns.width()) as u64;
        self.counts.packets += open.packets as u64;
        let block = Arc::new(Block {
            stream: StreamRef { session: open.session, stream: open.stream },
            parameters: open.resolved.names.clone(),
            packets: open.packets,
            columns: *open.columns,
        });
        self.emit(open.token, Piece::Block(block));
    }

    fn close_where(&mut self, which: impl Fn(&Open) -> bool) {
        while let Some(index) = self.open.iter().position(&which) {
            self.close(index);
        }
    }

    /// Ends a batch: every block is handed out.
    fn finish(&mut self) -> (Vec<Piece>, Vec<Stored>) {
        self.close_where(|_| true);
        let stores = self.stores();
        self.places.clear();
        (std::mem::take(&mut self.pieces), stores)
    }

    /// When which position may be stored: a packet's, when the pieces of it and of all before it in its partition were
    /// handled.
    fn stores(&mut self) -> Vec<Stored> {
        let mut latest: HashMap<(Arc<str>, i32), usize> = HashMap::new();
        let mut stores: Vec<Stored> = Vec::new();
        for Mark { topic, partition, offset, token } in self.marks.drain(..) {
            let piece = token.and_then(|token| self.places.get(token)).filter(|&&place| place != usize::MAX);
            let own = piece.map_or(0, |place| place + 1);
            let known = latest.get(&(topic.clone(), partition)).copied();
            match known {
                Some(index) if stores[index].after >= own => stores[index].offset = offset,
                _ => {
                    latest.insert((topic.clone(), partition), stores.len());
                    stores.push(Stored { after: own, topic, partition, offset });
                }
            }
        }
        stores.sort_by_key(|stored| stored.after);
        stores
    }
}

// ----------------------------------------------------------------------------------------------------------- memory

/// Emptied blocks, with the format whose shape they have.
struct Pool {
    free: Mutex<Vec<(usize, ColumnBlock)>>,
    most_bytes: usize,
}

impl Pool {
    fn take(self: &Arc<Self>, shape: usize) -> Pooled {
        let mut free = self.free.lock();
        // Another format's memory would have to be laid out anew; it is taken only when there is plenty.
        let index = free.iter().rposition(|(of, _)| *of == shape).or((free.len() >= MOST_FREE).then_some(0));
        let block = index.map(|index| free.swap_remove(index).1).unwrap_or_default();
        Pooled { block, shape, pool: Arc::downgrade(self) }
    }

    fn give_back(&self, shape: usize, mut block: ColumnBlock) {
        block.clear();
        let mut free = self.free.lock();
        let held: usize = free.iter().map(|(_, block)| block.bytes_held()).sum();
        if free.len() < MOST_FREE && held + block.bytes_held() <= self.most_bytes {
            free.push((shape, block));
        }
    }
}

/// A block whose memory goes back to its pool.
struct Pooled {
    block: ColumnBlock,
    shape: usize,
    pool: Weak<Pool>,
}

impl Pooled {
    fn get_mut(&mut self) -> &mut ColumnBlock {
        &mut self.block
    }
}

impl Deref for Pooled {
    type Target = ColumnBlock;

    fn deref(&self) -> &ColumnBlock {
        &self.block
    }
}

impl std::fmt::Debug for Pooled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {}", self.block.len(), self.block.width())
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(self.shape, std::mem::take(&mut self.block));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_waits_for_all_pieces_that_came_before_it_in_its_partition() {
        let mut assembler = Assembler::new(&BlockOptions::default(), true);
        // Tokens 0 and 1 were emitted in the other order; token 2 held no samples.
        assembler.places = vec![1, 0, usize::MAX];
        let topics: [Arc<str>; 2] = ["a".into(), "b".into()];
        let mut mark = |topic: usize, offset: i64, token: Option<usize>| {
            assembler.marks.push(Mark { topic: topics[topic].clone(), partition: 0, offset, token });
        };
        mark(0, 10, None);
        mark(0, 11, Some(0));
        mark(0, 12, Some(1));
        mark(1, 5, Some(1));
        mark(0, 13, Some(2));
        mark(1, 6, Some(0));
        let stores = assembler.stores();
        let stores: Vec<(usize, &str, i64)> =
            stores.iter().map(|stored| (stored.after, &*stored.topic, stored.offset)).collect();
        assert_eq!(stores, [(0, "a", 10), (1, "b", 5), (2, "a", 13), (2, "b", 6)]);
    }

    #[test]
    fn a_block_s_memory_is_used_again_for_the_same_format() {
        let pool = Arc::new(Pool { free: Mutex::default(), most_bytes: 1 << 20 });
        drop(pool.take(1));
        drop(pool.take(2));
        assert_eq!(pool.free.lock().len(), 2);
        let again = pool.take(1);
        assert_eq!(pool.free.lock().iter().map(|(shape, _)| *shape).collect::<Vec<_>>(), [2]);
        drop(pool);
        drop(again);
    }
}
