//! The packets that a writer of sessions sends: whole serialised `Packet` messages for the session-info topic.
//!
//! None of them is essential, and their packet id is 0.

use std::collections::BTreeMap;

use prost::Message;
use uuid::Uuid;

use super::{Offsets, SessionInfo};
use crate::packet::{Envelope, PacketType};
use crate::proto::open_data::{EndOfSessionPacket, NewSessionPacket, SessionInfoPacket};
use crate::time::{duration_to_proto, to_proto};
use crate::topic::Layout;

/// The type of a session that names none.
pub const DEFAULT_KIND: &str = "Session";

/// What a new session is created with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSession {
    /// Who writes it.
    pub data_source: String,
    /// Its name for people.
    pub identifier: String,
    /// Its type; empty means `Session`.
    pub kind: String,
    /// Its version; 0 means 1.
    pub version: u32,
    /// Local time minus UTC in nanoseconds, east positive; `None` if unknown.
    pub utc_offset_ns: Option<i64>,
    /// Free names and values.
    pub details: BTreeMap<String, String>,
    /// Keys of associated sessions.
    pub associates: Vec<String>,
    /// When it was created, in nanoseconds since the Unix epoch.
    pub created_ns: u64,
}

/// A new session key: a random UUID, lower case, with hyphens.
#[must_use]
pub fn new_session_key() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

/// The packet that starts a session.
///
/// `start_offsets` are the ends of the streams now. Main and essentials topic of the data source are always named in
/// the packet, with 0 if they are not in the map (they do not exist yet).
#[must_use]
pub fn new_session_packet(key: &str, new: &NewSession, start_offsets: &Offsets, layout: &Layout) -> Vec<u8> {
    let utc_offset = new.utc_offset_ns.map(duration_to_proto);
    let creation_time = Some(to_proto(new.created_ns));
    let session_info = SessionInfoPacket {
        data_source: new.data_source.clone(),
        identifier: new.identifier.clone(),
        r#type: if new.kind.is_empty() { DEFAULT_KIND.to_owned() } else { new.kind.clone() },
        version: new.version.max(1),
        associate_session_keys: new.associates.clone(),
        details: new.details.clone(),
        utc_offset,
        creation_time,
        termination_time: None,
    };
    let content = NewSessionPacket {
        data_source: new.data_source.clone(),
        topic_partition_offsets: offsets_on_the_wire(&new.data_source, start_offsets, layout),
        utc_offset,
        session_info: Some(session_info),
        creation_time,
    };
    packet(PacketType::NewSession, key, &content)
}

/// The packet that ends a session. `end_offsets` are the ends of its streams after everything was acknowledged.
#[must_use]
pub fn end_of_session_packet(
    key: &str,
    data_source: &str,
    end_offsets: &Offsets,
    ended_ns: u64,
    layout: &Layout,
) -> Vec<u8> {
    let content = EndOfSessionPacket {
        data_source: data_source.to_owned(),
        topic_partition_offsets: offsets_on_the_wire(data_source, end_offsets, layout),
        termination_time: Some(to_proto(ended_ns)),
    };
    packet(PacketType::EndOfSession, key, &content)
}

/// The packet that updates a session: its whole state, not a difference.
#[must_use]
pub fn session_info_packet(info: &SessionInfo) -> Vec<u8> {
    let content = SessionInfoPacket {
        data_source: info.data_source.clone(),
        identifier: info.identifier.clone(),
        r#type: info.kind.clone(),
        version: info.version,
        associate_session_keys: info.associates.clone(),
        details: info.details.clone(),
        utc_offset: (info.utc_offset_ns != 0).then(|| duration_to_proto(info.utc_offset_ns)),
        creation_time: info.created_ns.map(to_proto),
        // A live session has no end to tell, whatever an earlier packet announced.
        termination_time: info.ended_ns.filter(|_| info.ended).map(to_proto),
    };
    packet(PacketType::SessionInfo, &info.key, &content)
}

fn offsets_on_the_wire(data_source: &str, offsets: &Offsets, layout: &Layout) -> BTreeMap<String, i64> {
    let always = [layout.place(data_source, "").map(|place| place.topic), layout.essentials(data_source)];
    let mut wire: BTreeMap<String, i64> =
        always.into_iter().flatten().map(|topic| (Layout::offset_key(&topic, 0), 0)).collect();
    wire.extend(offsets.iter().map(|((topic, partition), offset)| (Layout::offset_key(topic, *partition), *offset)));
    wire
}

fn packet(kind: PacketType, key: &str, content: &impl Message) -> Vec<u8> {
    let content = content.encode_to_vec();
    Envelope { type_name: kind.name(), session_key: key, is_essential: false, content: &content, id: 0 }.encode()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::proto::open_data::Packet;

    #[test]
    fn conformance_6_new_session_keys_parse_as_guid() {
        let key = new_session_key();
        let lengths: Vec<usize> = key.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(key.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{key}");
        assert_eq!(Uuid::parse_str(&key).unwrap().get_version_num(), 4);
        assert_ne!(key, new_session_key());
    }

    #[test]
    fn conformance_5_a_new_session_names_main_essentials_and_each_stream() {
        let layout = Layout::default();
        let new = NewSession { data_source: "Car".into(), utc_offset_ns: Some(-1), ..NewSession::default() };
        let offsets = Offsets::from_iter([(("Data.Car", 0), 10), (("Data.Car.S1", 0), 4)]);
        let outer = Packet::decode(new_session_packet("k", &new, &offsets, &layout).as_slice()).unwrap();
        assert_eq!((outer.r#type.as_str(), outer.session_key.as_str()), ("NewSession", "k"));
        assert!(!outer.is_essential && outer.id == 0);
        let inner = NewSessionPacket::decode(&*outer.content).unwrap();
        let expected = [("Data.Car.S1:0", 4), ("Data.Car:0", 10), ("Essential.Car:0", 0)];
        assert_eq!(inner.topic_partition_offsets, expected.map(|(k, v)| (k.to_owned(), v)).into());
        let info = inner.session_info.unwrap();
        assert_eq!((info.r#type.as_str(), info.version, info.data_source.as_str()), ("Session", 1, "Car"));
        assert_eq!(inner.utc_offset.unwrap().nanos, -1);
    }
}
