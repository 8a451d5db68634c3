//! telewire: sessions of telemetry on Apache Kafka, written and read at the speed of the wire.
//!
//! The map of the house, from the ground up. A file imports from its own floor or from a lower one, never upwards.
//!
//! | Floor | Rooms | For |
//! |---|---|---|
//! | ground | [`error`], [`time`], [`interrupt`], `sync` | one error enum; nanoseconds; waits that can be called off; locks |
//! | first | [`proto`], [`packet`], [`topic`] | the wire: messages, one packet without I/O, names of topics |
//! | second | [`session`], [`format`](mod@format), [`pipeline`] | state as pure folds: no threads, no clock, no Kafka |
//! | third | `kafka`, `embedded` | the only rooms that talk to a broker, and a broker of our own |
//! | fourth | `stream` | what users hold: client, writers, readers, live directories |
//! | roof | `python` | bindings, and nothing else |

#![warn(missing_docs)]

pub mod error;
pub mod interrupt;
mod sync;
pub mod time;

pub mod packet;
pub mod proto;
pub mod topic;

pub mod format;
pub mod pipeline;
pub mod session;

#[cfg(feature = "kafka")]
pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "kafka")]
pub mod stream;

#[cfg(feature = "python")]
mod python;

pub use error::{Error, ErrorKind, Result};
