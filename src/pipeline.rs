//! Samples in order of time: merged from packets of several streams, and brought to grids.
//!
//! Pure machines of event time: no threads, no clock, no Kafka. Columns in, columns out; the same samples give the same
//! output however they were packed.

mod align;
mod lane;
mod merge;
mod names;
mod pile;
mod slide;

pub use align::Aligner;
pub use merge::{MergeCounts, MergeOptions, Merger, ParameterId, StreamId};
pub use slide::{Other, OtherKind, Slide, SlideBuilder, SlideColumn, SlideValues, Value};
