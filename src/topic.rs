//! Names: (domain, data source, stream) to topic and partition and back, for both layouts of the platform.
//!
//! [`Layout`] is the whole rule; [`names`] says which names may be used, [`detect`](mod@detect) finds out what a
//! cluster already uses. Nothing here talks to Kafka.

pub mod detect;
mod layout;
pub mod names;
mod retention;

pub use detect::{Detected, detect, detect_form};
pub use layout::{Layout, LayoutKind, NamedStreamForm, Place, Strategy};
pub use names::{check_data_source, check_group_id, check_stream, check_topic, colliding};
pub use retention::erased_too_early;
