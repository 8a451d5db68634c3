//! Alignment of what is in the queue already: nothing of it has to be waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::reader::Item;
use crate::pipeline::Aligner;

/// A session's items on their way through a gate.
#[derive(Default)]
struct Session {
    aligner: Aligner<Item>,
    /// The lane of each partition.
    lanes: HashMap<(Arc<str>, i32), usize>,
    /// The lane of the last packet.
    last: Option<usize>,
    /// Streams that begin with the next packet of theirs.
    starts: HashMap<Arc<str>, Item>,
}

impl Session {
    fn put(&mut self, item: Item) {
        match item {
            Item::Packet(ref packet) => {
                let lanes = self.lanes.len();
                let lane = *self.lanes.entry((packet.topic.clone(), packet.partition)).or_insert(lanes);
                self.last = Some(lane);
                self.aligner.push(lane, packet.latest_ns(), 0, item);
            }
            Item::StreamStarted(ref stream) => {
                self.starts.insert(stream.stream.clone(), item);
            }
            Item::CoverageCursor { .. } if let Some(lane) = self.last => self.aligner.push(lane, None, 0, item),
            other => self.aligner.follow(other.size(), other),
        }
    }

    fn take(mut self, out: &mut VecDeque<Item>) {
        while let Some(item) = self.aligner.pop_any() {
            let start = match &item {
                Item::Packet(packet) => self.starts.remove(&packet.stream),
                // One without packets here; it must not be lost.
                Item::StreamCompleted(stream) => self.starts.remove(&stream.stream),
                _ => None,
            };
            out.extend(start);
            out.push_back(item);
        }
        out.extend(self.starts.into_values());
    }
}

/// The items in the order in which they come aligned: session after session, each stream in its order.
pub(super) fn realign(items: impl IntoIterator<Item = Item>) -> VecDeque<Item> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut known: HashMap<Arc<str>, usize> = HashMap::new();
    for item in items {
        let key: &str = match &item {
            Item::Packet(packet) => &packet.session.key,
            Item::CoverageCursor { session, .. } => &session.key,
            Item::StreamStarted(stream) | Item::StreamCompleted(stream) => &stream.session.key,
            Item::SessionStarted(info) | Item::SessionUpdated(info) | Item::SessionCompleted { info, .. } => &info.key,
            // It belongs behind the beginning of the one that is read.
            Item::Associated { main, associate }
                if known.contains_key(main.key.as_str()) || !known.contains_key(associate.key.as_str()) =>
            {
                &main.key
            }
            Item::Associated { associate, .. } => &associate.key,
        };
        let index = known.get(key).copied().unwrap_or_else(|| {
            sessions.push(Session::default());
            known.insert(key.into(), sessions.len() - 1);
            sessions.len() - 1
        });
        if let Some(session) = sessions.get_mut(index) {
            session.put(item);
        }
    }
    let mut out = VecDeque::new();
    sessions.into_iter().for_each(|session| session.take(&mut out));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::*;
    use crate::packet::{Envelope, Head};
    use crate::proto::open_data::EventPacket;
    use crate::session::SessionInfo;
    use crate::stream::reader::{Completion, Origin, Packet, SessionRef, StreamRef};

    fn session(key: &str) -> Arc<SessionRef> {
        Arc::new(SessionRef { key: key.into(), data_source: "d".into() })
    }

    fn packet(key: &str, stream: &str, partition: i32, time: u64) -> Item {
        use prost::Message as _;
        let content = EventPacket { timestamp: time, ..Default::default() }.encode_to_vec();
        let envelope =
            Envelope { type_name: "Event", session_key: key, is_essential: false, content: &content, id: time };
        let payload = Bytes::from(envelope.encode());
        let origin = Origin { session: session(key), stream: stream.into(), topic: stream.into(), partition };
        let head = Head::peek(&payload).ok();
        Item::Packet(Packet { origin: Arc::new(origin), offset: 0, timestamp_ms: 0, head, payload })
    }

    fn stream(key: &str, stream: &str) -> StreamRef {
        StreamRef { session: session(key), stream: stream.into() }
    }

    fn name(item: &Item) -> String {
        match item {
            Item::Packet(packet) => format!("{}{}", packet.stream, packet.head.as_ref().unwrap().id),
            Item::StreamStarted(stream) => format!("{} starts", stream.stream),
            Item::StreamCompleted(stream) => format!("{} ends", stream.stream),
            Item::CoverageCursor { time_ns, .. } => format!("cursor {time_ns}"),
            other => format!("{other:?}"),
        }
    }

    fn info(key: &str) -> Arc<SessionInfo> {
        Arc::new(SessionInfo {
            key: key.into(),
            data_source: "d".into(),
            identifier: String::new(),
            kind: String::new(),
            version: 0,
            associates: Vec::new(),
            details: Default::default(),
            utc_offset_ns: 0,
            created_ns: None,
            ended_ns: None,
            ended: true,
            start_offsets: Default::default(),
            end_offsets: Default::default(),
            last_record_ns: 0,
            order: 0,
        })
    }

    #[test]
    fn an_association_stays_with_the_session_that_is_read() {
        let by = Completion::EndOffsets;
        let items = vec![
            Item::SessionStarted(info("read")),
            Item::Associated { main: info("main"), associate: info("read") },
            packet("read", "a", 0, 1),
            Item::SessionCompleted { info: info("read"), by },
        ];
        let kinds = |item: &Item| match item {
            Item::SessionStarted(_) => "started",
            Item::Associated { .. } => "associated",
            Item::Packet(_) => "packet",
            _ => "completed",
        };
        assert_eq!(
            realign(items).iter().map(kinds).collect::<Vec<_>>(),
            ["started", "associated", "packet", "completed"]
        );
    }

    #[test]
    fn packets_come_in_order_of_time_with_their_streams_around_them_and_sessions_one_after_another() {
        let items = vec![
            Item::StreamStarted(stream("one", "a")),
            packet("one", "a", 0, 1),
            packet("one", "a", 0, 4),
            Item::CoverageCursor { session: session("one"), time_ns: 4 },
            packet("two", "z", 0, 0),
            packet("one", "a", 0, 5),
            Item::StreamStarted(stream("one", "b")),
            packet("one", "b", 1, 3),
            packet("one", "b", 0, 2),
            Item::StreamCompleted(stream("one", "b")),
            Item::StreamStarted(stream("two", "nothing")),
        ];
        let names: Vec<String> = realign(items).iter().map(name).collect();
        assert_eq!(
            names,
            ["a starts", "a1", "b starts", "b2", "b3", "a4", "cursor 4", "a5", "b ends", "z0", "nothing starts"]
        );
    }
}
