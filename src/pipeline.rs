//! Samples in order of time: merged from packets of several streams, and brought to grids.
//!
//! Pure machines of event time: no threads, no clock, no Kafka. Columns in, columns out; the same samples give the same
//! output however they were packed.

mod align;
mod cells;
mod eligible;
mod grid;
mod lane;
mod merge;
mod names;
mod pile;
mod points;
mod resample;
mod schedule;
mod slide;

#[cfg(test)]
mod resample_tests;

pub use align::Aligner;
pub use grid::{Boundaries, Grid};
pub use merge::{MergeCounts, MergeOptions, Merger, ParameterId, StreamId};
pub use points::{Point, PointBatches, PointColumn, PointTable};
pub use resample::{Aggregate, Columns, Gaps, GridTable, ResampleOptions, Resampler, Samples, resample};
pub use slide::{Other, OtherKind, Slide, SlideBuilder, SlideColumn, SlideValues, Value};

#[cfg(test)]
mod conformance_tests;
