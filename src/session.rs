//! Sessions as a pure fold over the records of the session-info topic.
//!
//! [`SessionTable`] takes records and tells what changed; [`packets`] builds the records that a writer sends; a
//! [`Pattern`] selects sessions by identifier. No Kafka, no threads, no clock: the same records give the same state in
//! any process.

mod merge;
mod offsets;
pub mod packets;
mod pattern;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use offsets::Offsets;
pub use packets::{NewSession, end_of_session_packet, new_session_key, new_session_packet, session_info_packet};
pub use pattern::Pattern;
pub use table::{Ignored, SessionFilter, SessionTable};

/// A record of the session-info topic, as far as the fold looks at it.
///
/// A record that this process wrote itself is applied like any other, once the broker has told its partition and
/// offset; seeing it again on the topic then changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The partition it lies in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its time in milliseconds since the Unix epoch; negative if it has none.
    pub timestamp_ms: i64,
    /// The Kafka key.
    pub key: Option<&'a [u8]>,
    /// The serialised packet.
    pub value: Option<&'a [u8]>,
}

/// What is known about a session. A snapshot: a later update gives a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionInfo {
    /// The session key, which is also the Kafka key of its packets.
    pub key: String,
    /// Who wrote it.
    pub data_source: String,
    /// The name people gave it.
    pub identifier: String,
    /// Its type, a free text; `Session` for ordinary ones.
    pub kind: String,
    /// Its version; 0 if it was not given.
    pub version: u32,
    /// Keys of the sessions associated with it.
    pub associates: Vec<String>,
    /// Free names and values.
    pub details: BTreeMap<String, String>,
    /// Local time minus UTC where it was recorded, in nanoseconds; 0 if unknown.
    pub utc_offset_ns: i64,
    /// When it was created, in nanoseconds since the Unix epoch; the time of its record if the packet does not say.
    pub created_ns: Option<u64>,
    /// When it ended, in nanoseconds since the Unix epoch; the time of the end record if no packet says.
    pub ended_ns: Option<u64>,
    /// Whether an end of the session was recorded. Without it the session is live, even if its writer is gone.
    pub ended: bool,
    /// The end of each stream when the session was created: where reading starts.
    pub start_offsets: Offsets,
    /// The end of each stream when the session ended: where reading is complete. Empty while it is live.
    pub end_offsets: Offsets,
    /// Time of its last record on the session-info topic, in nanoseconds since the Unix epoch; 0 if none had a time.
    pub last_record_ns: u64,
    /// Its place in the order of discovery, from 0.
    pub order: u64,
}

#[cfg(feature = "kafka")]
impl SessionInfo {
    /// About how many bytes of memory it takes.
    pub(crate) fn footprint(&self) -> usize {
        // A place in a list or a tree, beside the text.
        const PLACE: usize = 48;
        let texts = self.associates.iter().map(|text| text.len() + PLACE);
        let details = self.details.iter().map(|(name, value)| name.len() + value.len() + PLACE);
        let offsets = (self.start_offsets.len() + self.end_offsets.len()) * PLACE;
        let names = self.key.len() + self.data_source.len() + self.identifier.len() + self.kind.len();
        size_of::<Self>() + names + texts.chain(details).sum::<usize>() + offsets
    }
}

/// What a record changed. For one session: started, then updates and associations, then ended.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionChange {
    /// A session that was not known before.
    Started(Arc<SessionInfo>),
    /// Some value of a session is another one now. Ended sessions may change too.
    Updated(Arc<SessionInfo>),
    /// A live session ended; raised once.
    Ended(Arc<SessionInfo>),
    /// A session got an associate, and both are known now.
    Associated {
        /// The session that names the other one.
        main: Arc<SessionInfo>,
        /// The session that is named.
        associate: Arc<SessionInfo>,
    },
}
