//! What must hold of the folds of sessions and data formats, whatever records come in whatever order.

use std::collections::HashMap;

use prost::Message;
use telewire::format::{Definition, FormatKind, FormatTable, definition_packet};
use telewire::packet::Envelope;
use telewire::proto::open_data as od;
use telewire::session::{Record, SessionChange, SessionTable};

const KEYS: [&str; 4] = ["a", "b", "\u{1b}[2J", "c:0"];
const NAMES: [&str; 4] = ["x", "", "y\u{202e}", "Data.a.s:1"];

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// Small ones most often, and now and then one from the ends.
    fn number(&mut self) -> u64 {
        let byte = self.next();
        match byte >> 6 {
            0 | 1 => u64::from(byte),
            2 => u64::MAX - u64::from(byte & 63),
            _ => 1 << (byte & 63),
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn name(&mut self) -> String {
        NAMES[usize::from(self.next() % 4)].to_owned()
    }

    fn names(&mut self) -> Vec<String> {
        let count = self.next() % 4;
        (0..count).map(|_| KEYS[usize::from(self.next() % 4)].to_owned()).collect()
    }
}

fn time(bytes: &mut Bytes<'_>) -> Option<prost_types::Timestamp> {
    let byte = bytes.next();
    (byte & 1 == 1).then(|| prost_types::Timestamp { seconds: bytes.number() as i64, nanos: bytes.number() as i32 })
}

fn info(bytes: &mut Bytes<'_>) -> od::SessionInfoPacket {
    od::SessionInfoPacket {
        data_source: bytes.name(),
        identifier: bytes.name(),
        version: u32::from(bytes.next() % 3),
        associate_session_keys: bytes.names(),
        details: (0..bytes.next() % 4).map(|_| (bytes.name(), bytes.name())).collect(),
        creation_time: time(bytes),
        termination_time: time(bytes),
        ..Default::default()
    }
}

fn offsets(bytes: &mut Bytes<'_>) -> std::collections::BTreeMap<String, i64> {
    (0..bytes.next() % 3).map(|_| (bytes.name(), bytes.number() as i64)).collect()
}

/// A topic of sessions that is made of the bytes: well-formed records, contradicting ones, and rubbish.
pub(crate) fn sessions(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut table = SessionTable::new();
    let mut told: HashMap<String, bool> = HashMap::new();
    let mut records = 0_u64;
    while !bytes.0.is_empty() {
        let what = bytes.next();
        let key = KEYS[usize::from(what >> 6)];
        let (type_name, content) = match what % 8 {
            0 | 1 => {
                let packet = od::NewSessionPacket {
                    data_source: bytes.name(),
                    session_info: (what & 8 == 0).then(|| info(&mut bytes)),
                    creation_time: time(&mut bytes),
                    topic_partition_offsets: offsets(&mut bytes),
                    ..Default::default()
                };
                ("NewSession", packet.encode_to_vec())
            }
            2 | 3 => ("SessionInfo", info(&mut bytes).encode_to_vec()),
            4 => {
                let termination_time = time(&mut bytes);
                let packet = od::EndOfSessionPacket {
                    termination_time,
                    topic_partition_offsets: offsets(&mut bytes),
                    ..Default::default()
                };
                ("EndOfSessionPacket", packet.encode_to_vec())
            }
            5 => (["NewSession", "SessionInfo", "EndOfSession", "Other"][usize::from(what >> 3) % 4], {
                let count = usize::from(bytes.next() % 32);
                bytes.take(count).to_vec()
            }),
            _ => ("", Vec::new()),
        };
        let packet = Envelope { type_name, session_key: key, content: &content, ..Envelope::default() }.encode();
        let rubbish = usize::from(bytes.next() % 32);
        let value = match what % 8 {
            6 => Some(bytes.take(rubbish)),
            7 => None,
            _ => Some(packet.as_slice()),
        };
        let record = Record {
            partition: i32::from(what & 16 == 0),
            offset: bytes.number() as i64,
            timestamp_ms: bytes.number() as i64,
            key: (what & 32 == 0).then_some(key.as_bytes()),
            value,
        };
        records += 1;
        for change in table.apply(&record) {
            note(&mut told, change);
        }
        assert!(table.apply(&record).is_empty(), "a duplicate changes nothing");
    }
    let all = table.all();
    assert_eq!(all.len(), told.len());
    assert_eq!(table.len(), told.len());
    for session in &all {
        assert_eq!(told.get(&session.key), Some(&session.ended));
        assert!(session.ended || session.end_offsets.is_empty());
        assert_eq!(table.get(&session.key).as_ref(), Some(session));
    }
    assert!(table.ignored().total() <= 2 * records * (4 + 1));
}

/// Started first and once, ended once and for ever.
fn note(told: &mut HashMap<String, bool>, change: SessionChange) {
    match change {
        SessionChange::Started(info) => {
            assert!(!info.ended);
            assert_eq!(told.insert(info.key.clone(), false), None);
        }
        SessionChange::Updated(info) => assert_eq!(told.get(&info.key), Some(&info.ended)),
        SessionChange::Ended(info) => {
            assert!(info.ended);
            assert_eq!(told.insert(info.key.clone(), true), Some(false));
        }
        SessionChange::Associated { main, associate } => {
            assert!(told.contains_key(&main.key) && told.contains_key(&associate.key));
            assert!(main.key != associate.key && main.associates.contains(&associate.key));
        }
    }
}

/// A topic of definitions that is made of the bytes.
pub(crate) fn formats(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut table = FormatTable::new("Car");
    let mut first: HashMap<(FormatKind, u64), Definition> = HashMap::new();
    while !bytes.0.is_empty() {
        let what = bytes.next();
        let id = bytes.number();
        let names = bytes.names();
        let kind = if what & 1 == 0 { FormatKind::Parameters } else { FormatKind::Event };
        let value = match what >> 6 {
            0 | 1 => definition_packet(kind, id, &names),
            2 => {
                let content = bytes.take(usize::from(what & 31));
                let type_name = if what & 32 == 0 { "DataFormatDefinition" } else { "DataFormatConfiguration" };
                Envelope { type_name, content, ..Envelope::default() }.encode()
            }
            _ => bytes.take(usize::from(what & 31)).to_vec(),
        };
        let before = table.undecodable() + table.conflicts();
        for change in table.apply(&value) {
            let place = (change.definition.kind(), change.id);
            assert_eq!(first.insert(place, change.definition), None, "the first definition of an id stays");
        }
        assert!(table.apply(&value).is_empty());
        assert!(table.undecodable() + table.conflicts() >= before);
    }
    for ((kind, id), definition) in &first {
        assert_eq!(table.info(*kind, *id).unwrap().kind, *kind);
        let usable = match definition {
            Definition::Parameters(list) => {
                assert_eq!(table.parameters(*id).as_ref(), Some(list));
                assert_ne!(first.get(&(*kind, table.free_id(*kind, list))), Some(definition));
                table.id_of_parameters(list)
            }
            Definition::Event(event) => {
                assert_eq!(table.event(*id).as_ref(), Some(event));
                table.id_of_event(event)
            }
        };
        match usable {
            Some(usable) => assert_eq!(first.get(&(*kind, usable)), Some(definition)),
            None => assert_eq!(*id, 0),
        }
    }
}
