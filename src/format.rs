//! Data formats as a pure fold over the records of an essentials topic: lists of identifiers to ids and back.
//!
//! A data format gives a number to an ordered list of parameters, or to an event, so that packets need not spell them
//! out. [`FormatTable`] reads definitions, [`definition`] makes them. No Kafka, no threads, no clock.

pub mod definition;
mod table;

use std::sync::Arc;

pub use definition::{check_identifiers, definition_packet, format_id};
pub use table::FormatTable;

/// What a data format stands for. The ids of the two kinds are separate: the same number may exist in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormatKind {
    /// An ordered list of parameters.
    Parameters,
    /// One event.
    Event,
}

/// What an id resolves to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Definition {
    /// The identifiers of the parameters, in the order of the columns.
    Parameters(Arc<[String]>),
    /// The identifier of the event.
    Event(Arc<str>),
}

impl Definition {
    /// Which kind of format it is.
    #[must_use]
    pub fn kind(&self) -> FormatKind {
        match self {
            Self::Parameters(_) => FormatKind::Parameters,
            Self::Event(_) => FormatKind::Event,
        }
    }
}

/// An id that was not known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatChange {
    /// What it resolves to.
    pub definition: Definition,
    /// The id.
    pub id: u64,
    /// Whether the list or event was not known either.
    pub is_new: bool,
}

/// A data format and all its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatInfo {
    /// Parameters or event.
    pub kind: FormatKind,
    /// The parameters in order, or the one event.
    pub identifiers: Vec<String>,
    /// Every id that was defined for it, oldest first.
    pub ids: Vec<u64>,
}
