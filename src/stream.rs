//! What users hold: the client, its writers and readers, and the live picture of sessions and formats behind them.
//!
//! A [`Client`] owns one connection for questions, one producer for all its writers, and one thread that follows the
//! session-info topic and the definitions of formats. Each [`Reader`] owns its consumer (two when it reads ended and
//! live sessions at once), however many sessions it follows: records are told apart by their key.

mod blocks;
mod client;
mod directory;
mod feed;
mod formats;
mod health;
mod layout_search;
mod merging;
mod moment;
mod options;
mod oversight;
mod pulse;
mod queue;
mod reader;
mod realign;
mod selection;
mod session_writer;
mod slides;
mod watch;
mod writer;

pub use blocks::{Block, BlockCounts, BlockOptions, Blocks, Piece, Step};
pub use client::{Client, FormatNews, FormatWatch, SessionWatch};
pub use formats::UnknownFormat;
pub use health::{BrokerHealth, Health, Lag, NamedStatistics, ReaderHealth, ReaderState, StreamName, Tallies, Tally};
pub use merging::{Input, Merged, Merging, MergingCounts, MergingOptions};
pub use options::{ClientOptions, Inactivity, LayoutChoice, LiveStart, OnOutage, ReadOptions, Reading};
pub use queue::Batch;
pub use reader::{Completion, Item, Origin, Packet, ReadCounts, Reader, SessionRef, StreamRef};
pub use session_writer::{CanFrame, ErrorRecord, Marker, SessionWriter, StreamWriter};
pub use slides::{SlideStep, Slides};
pub use writer::{Flushed, InfoType, PacketWriter};

pub use crate::kafka::{Fate, OutboxHealth, Outcome, Security, Statistics, Ticket, Trouble, WriteCounts, Written};
