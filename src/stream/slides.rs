//! Slides: what a reader gives, merged into the order of the samples' times.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::formats::UnknownFormat;
use super::merging::{Input, Merged, Merging, MergingOptions};
use super::queue::Batch;
use super::reader::{Item, Reader, SessionRef};
use crate::error::Result;
use crate::sync::Mutex;

/// Items fetched at once.
const BATCH: usize = 2048;
/// Bytes of packets that are merged before what came of them is handed out.
const MOST_BYTES: usize = 16 << 20;

/// The outcome of a step.
#[derive(Debug)]
pub enum SlideStep {
    /// What came of what was read, in order; may be empty.
    Pieces(Vec<Merged<Item>>),
    /// A packet names a data format that must be looked up first: call [`Slides::look_up`], then step again.
    Unknown(UnknownFormat),
    /// Nothing in this time.
    Empty,
    /// Nothing will come any more.
    End,
}

/// Turns what a reader gives into slides. Used by one thread at a time; all may ask its [`Slides::merging`].
pub struct Slides {
    reader: Arc<Reader>,
    merging: Merging,
    grouped: bool,
    events: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Fetched and not merged yet.
    inputs: VecDeque<Input<Item>>,
    /// What the step under way has made so far.
    pieces: Vec<Merged<Item>>,
    /// A step is under way: it was left to look a format up.
    begun: bool,
    /// The reader has nothing more.
    ended: bool,
}

impl std::fmt::Debug for Slides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slides").field("merging", &self.merging).finish_non_exhaustive()
    }
}

impl Slides {
    /// Slides of a reader, which keeps the streams of a session together from now on; with `events`, what happens to sessions and streams is given out between them.
    ///
    /// # Errors
    /// As [`Merging::new`].
    pub fn new(reader: Arc<Reader>, client: Client, options: &MergingOptions, events: bool) -> Result<Self> {
        let merging = Merging::new(client, options)?;
        reader.set_aligned(true);
        Ok(Self { reader, merging, grouped: options.grouped, events, state: Mutex::default() })
    }

    /// What the slides are made with.
    #[must_use]
    pub fn merging(&self) -> &Merging {
        &self.merging
    }

    /// What came of what is there, as soon as there is something; waits at most `timeout`.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn step(&self, timeout: Duration) -> Result<SlideStep> {
        let state = &mut *self.state.lock();
        if !state.begun {
            if self.grouped {
                self.merging.begin();
                self.store();
            }
            if state.inputs.is_empty() {
                if state.ended {
                    return Ok(SlideStep::End);
                }
                match self.reader.next_batch(BATCH, timeout)? {
                    Batch::Items(items) => state.inputs.extend(items.into_iter().filter_map(|item| self.input(item))),
                    Batch::Empty => return Ok(SlideStep::Empty),
                    Batch::End => state.ended = true,
                }
            }
            state.begun = true;
        }
        let unknown = if state.inputs.is_empty() && state.ended {
            // Sessions that are not complete, such as a live one that is read up to now. A reader that was closed gives
            // up what was not taken.
            if self.reader.is_closed() { None } else { self.merging.finish(None, &mut state.pieces) }
        } else {
            self.merging.push(&mut state.inputs, MOST_BYTES, &mut state.pieces)
        };
        if let Some(unknown) = unknown {
            return Ok(SlideStep::Unknown(unknown));
        }
        state.begun = false;
        Ok(SlideStep::Pieces(std::mem::take(&mut state.pieces)))
    }

    /// Asks the broker about a format. What it says is remembered.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] when we may not know: the packets are kept for the next call.
    pub fn look_up(&self, format: &UnknownFormat) -> Result<()> {
        self.merging.look_up_if_allowed(format)
    }

    /// For a reader of a group: the first `count` pieces of the last step were handled.
    pub fn handled(&self, count: usize) {
        if self.grouped {
            self.merging.handled(count);
            self.store();
        }
    }

    fn store(&self) {
        for (topic, partition, offset) in self.merging.positions() {
            if let Err(error) = self.reader.store_offset(&topic, partition, offset) {
                // The partition has gone to another member, which reads these packets again.
                log::debug!("position of {topic} partition {partition} not stored: {error}");
            }
        }
    }

    fn input(&self, item: Item) -> Option<Input<Item>> {
        match item {
            Item::Packet(packet) => Some(Input::Packet(packet)),
            Item::SessionCompleted { info, by } => {
                let session =
                    SessionRef { key: info.key.as_str().into(), data_source: info.data_source.as_str().into() };
                Some(Input::Completed(Arc::new(session), Item::SessionCompleted { info, by }))
            }
            event => self.events.then_some(Input::Event(event)),
        }
    }
}
