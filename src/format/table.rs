//! The fold: definitions in, ids and lists out.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use super::{Definition, FormatChange, FormatInfo, FormatKind, format_id};
use crate::error::Result;
use crate::packet::{Envelope, PacketType, decode_message};
use crate::proto::open_data::data_format_definition_packet::Format;
use crate::proto::open_data::{DataFormatConfigurationPacket, DataFormatDefinitionPacket};

/// The data formats of one data source.
///
/// The first definition of an id wins. A list may have several ids: all of them resolve, the first is the one to use.
/// Lists are compared identifier by identifier, in order.
#[derive(Debug)]
pub struct FormatTable {
    data_source: String,
    /// In the order of discovery.
    formats: Vec<Known>,
    /// Index into `formats` by the hash of the list; few share one.
    by_list: HashMap<u64, Vec<usize>>,
    parameters: HashMap<u64, usize>,
    events: HashMap<u64, usize>,
    hasher: RandomState,
    undecodable: u64,
    conflicts: u64,
}

#[derive(Debug)]
struct Known {
    definition: Definition,
    ids: Vec<u64>,
}

impl Known {
    fn info(&self) -> FormatInfo {
        FormatInfo {
            kind: self.definition.kind(),
            identifiers: match &self.definition {
                Definition::Parameters(list) => list.to_vec(),
                Definition::Event(event) => vec![event.to_string()],
            },
            ids: self.ids.clone(),
        }
    }
}

impl FormatTable {
    /// An empty table.
    #[must_use]
    pub fn new(data_source: impl Into<String>) -> Self {
        Self {
            data_source: data_source.into(),
            formats: Vec::new(),
            by_list: HashMap::new(),
            parameters: HashMap::new(),
            events: HashMap::new(),
            hasher: RandomState::new(),
            undecodable: 0,
            conflicts: 0,
        }
    }

    /// The data source whose formats these are.
    #[must_use]
    pub fn data_source(&self) -> &str {
        &self.data_source
    }

    /// Applies a serialised packet and tells which ids are new. Packets that define nothing are passed over, so the
    /// whole essentials topic may be given; what cannot be decoded is counted.
    pub fn apply(&mut self, value: &[u8]) -> Vec<FormatChange> {
        let Ok(definitions) = definitions_in(value) else {
            self.undecodable += 1;
            return Vec::new();
        };
        definitions.into_iter().filter_map(|packet| self.define(packet)).collect()
    }

    fn define(&mut self, packet: DataFormatDefinitionPacket) -> Option<FormatChange> {
        let id = packet.identifier;
        // The oneof says what it is; the type beside it only repeats that.
        let definition = match packet.format {
            Some(Format::ParameterIdentifiers(list)) => Definition::Parameters(list.parameter_identifiers.into()),
            Some(Format::EventIdentifier(event)) => Definition::Event(event.into()),
            None => {
                self.undecodable += 1;
                return None;
            }
        };
        let ids = match definition.kind() {
            FormatKind::Parameters => &self.parameters,
            FormatKind::Event => &self.events,
        };
        if let Some(&known) = ids.get(&id) {
            if self.formats[known].definition != definition {
                self.conflicts += 1;
            }
            return None;
        }
        let hash = match &definition {
            Definition::Parameters(list) => self.hash(FormatKind::Parameters, list),
            Definition::Event(event) => self.hash(FormatKind::Event, &[event]),
        };
        let bucket = self.by_list.entry(hash).or_default();
        let found = bucket.iter().copied().find(|&i| self.formats[i].definition == definition);
        let index = found.unwrap_or(self.formats.len());
        if found.is_none() {
            bucket.push(index);
            self.formats.push(Known { definition: definition.clone(), ids: Vec::with_capacity(1) });
        }
        self.formats[index].ids.push(id);
        match definition.kind() {
            FormatKind::Parameters => self.parameters.insert(id, index),
            FormatKind::Event => self.events.insert(id, index),
        };
        Some(FormatChange { definition, id, is_new: found.is_none() })
    }

    /// The id to use for a list of parameters: the first that was defined for exactly this list.
    #[must_use]
    pub fn id_of_parameters(&self, identifiers: &[impl AsRef<str>]) -> Option<u64> {
        let bucket = self.by_list.get(&self.hash(FormatKind::Parameters, identifiers))?;
        self.usable_id(bucket, |definition| match definition {
            Definition::Parameters(list) => {
                list.len() == identifiers.len() && list.iter().zip(identifiers).all(|(a, b)| a == b.as_ref())
            }
            Definition::Event(_) => false,
        })
    }

    /// The id to use for an event: the first that was defined for it.
    #[must_use]
    pub fn id_of_event(&self, event: &str) -> Option<u64> {
        let bucket = self.by_list.get(&self.hash(FormatKind::Event, &[event]))?;
        self.usable_id(bucket, |definition| matches!(definition, Definition::Event(name) if **name == *event))
    }

    /// An id 0 of a foreign program resolves but is never used: programs in circulation take it for "no id".
    fn usable_id(&self, bucket: &[usize], matches: impl Fn(&Definition) -> bool) -> Option<u64> {
        let format = bucket.iter().map(|&i| &self.formats[i]).find(|format| matches(&format.definition))?;
        format.ids.iter().copied().find(|id| *id != 0)
    }

    /// The parameters of an id.
    #[must_use]
    pub fn parameters(&self, id: u64) -> Option<Arc<[String]>> {
        match &self.formats[*self.parameters.get(&id)?].definition {
            Definition::Parameters(list) => Some(Arc::clone(list)),
            Definition::Event(_) => None,
        }
    }

    /// The event of an id.
    #[must_use]
    pub fn event(&self, id: u64) -> Option<Arc<str>> {
        match &self.formats[*self.events.get(&id)?].definition {
            Definition::Event(event) => Some(Arc::clone(event)),
            Definition::Parameters(_) => None,
        }
    }

    /// The id for a list or event that has none yet: [`format_id`], or the next number if another list has taken it.
    #[must_use]
    pub fn free_id(&self, kind: FormatKind, identifiers: &[impl AsRef<str>]) -> u64 {
        let taken = match kind {
            FormatKind::Parameters => &self.parameters,
            FormatKind::Event => &self.events,
        };
        let mut id = format_id(kind, &self.data_source, identifiers);
        while taken.contains_key(&id) {
            id = if id == i64::MAX as u64 { 1 } else { id + 1 };
        }
        id
    }

    /// All formats, in the order of discovery.
    #[must_use]
    pub fn all(&self) -> Vec<FormatInfo> {
        self.formats.iter().map(Known::info).collect()
    }

    /// The format that an id stands for.
    #[must_use]
    pub fn info(&self, kind: FormatKind, id: u64) -> Option<FormatInfo> {
        let ids = match kind {
            FormatKind::Parameters => &self.parameters,
            FormatKind::Event => &self.events,
        };
        self.formats.get(*ids.get(&id)?).map(Known::info)
    }

    /// How many packets could not be decoded or defined nothing although they should have.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// How many definitions gave a known id to another list, and lost.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    fn hash(&self, kind: FormatKind, identifiers: &[impl AsRef<str>]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        kind.hash(&mut hasher);
        identifiers.iter().for_each(|name| name.as_ref().hash(&mut hasher));
        hasher.finish()
    }
}

fn definitions_in(value: &[u8]) -> Result<Vec<DataFormatDefinitionPacket>> {
    let envelope = Envelope::peek(value)?;
    match PacketType::parse(envelope.type_name) {
        kind @ PacketType::DataFormatDefinition => Ok(vec![decode_message(kind, envelope.content)?]),
        kind @ PacketType::DataFormatConfiguration => {
            Ok(decode_message::<DataFormatConfigurationPacket>(kind, envelope.content)?.data_formats)
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::format::definition_packet;
    use crate::proto::open_data::Packet;
    use FormatKind::{Event, Parameters};
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use prost::Message;

    fn table(packets: &[(FormatKind, u64, &[&str])]) -> FormatTable {
        let mut table = FormatTable::new("Car");
        for (kind, id, names) in packets {
            table.apply(&definition_packet(*kind, *id, names));
        }
        table
    }

    #[test]
    fn conformance_7_all_ids_of_a_list_resolve_and_the_first_is_returned() {
        let ticks = 639_000_000_000_000_000;
        let mut table = table(&[
            (Parameters, ticks, &["a", "b"]),
            (Parameters, ticks - 5, &["a", "b"]),
            (Event, ticks, &["Lap"]),
            (Event, ticks + 1, &["Lap"]),
        ]);
        for id in [ticks, ticks - 5] {
            assert_eq!(&*table.parameters(id).unwrap(), ["a", "b"]);
        }
        assert_eq!((&*table.event(ticks).unwrap(), &*table.event(ticks + 1).unwrap()), ("Lap", "Lap"));
        assert_eq!(table.id_of_parameters(&["a", "b"]), Some(ticks));
        assert_eq!(table.id_of_event("Lap"), Some(ticks));
        assert_eq!((table.parameters(7), table.event(7)), (None, None));

        assert_eq!(table.id_of_parameters(&["new"]), None);
        let id = table.free_id(Parameters, &["new"]);
        let changes = table.apply(&definition_packet(Parameters, id, &["new"]));
        let definition = Definition::Parameters(["new".to_owned()].into());
        assert_eq!(changes, [FormatChange { definition, id, is_new: true }]);
        assert!(id > 0);
        assert_eq!(table.id_of_parameters(&["new"]), Some(id));
        assert_eq!(&*table.parameters(id).unwrap(), ["new"]);
    }

    #[test]
    fn lists_are_the_same_only_identifier_by_identifier_in_order() {
        let table = table(&[(Parameters, 1, &["a", "b"]), (Parameters, 2, &["a,b"]), (Event, 3, &["a"])]);
        assert_eq!(table.id_of_parameters(&["a", "b"]), Some(1));
        assert_eq!(table.id_of_parameters(&["a,b"]), Some(2));
        assert_eq!(table.id_of_parameters(&["b", "a"]), None);
        assert_eq!(table.id_of_parameters(&["a"]), None);
        assert_eq!(table.id_of_event("b"), None);
    }

    #[test]
    fn the_first_definition_of_an_id_wins_within_its_kind() {
        let mut table = table(&[(Parameters, 1, &["a"]), (Parameters, 1, &["b"]), (Event, 1, &["Lap"])]);
        assert_eq!(&*table.parameters(1).unwrap(), ["a"]);
        assert_eq!(&*table.event(1).unwrap(), "Lap");
        assert_eq!(table.id_of_parameters(&["b"]), None);
        assert_eq!((table.conflicts(), table.all().len()), (1, 2));
        let change = table.apply(&definition_packet(Parameters, 9, &["a"]));
        assert!(!change[0].is_new);
        assert_eq!(table.all()[0].ids, [1, 9]);
    }

    #[test]
    fn an_id_of_zero_resolves_but_is_never_used() {
        let table = table(&[(Parameters, 0, &["a"]), (Event, 0, &["Lap"]), (Event, 4, &["Lap"])]);
        assert_eq!(&*table.parameters(0).unwrap(), ["a"]);
        assert_eq!(table.id_of_parameters(&["a"]), None);
        assert_eq!(table.id_of_event("Lap"), Some(4));
    }

    #[test]
    fn an_id_that_a_foreign_list_has_taken_is_not_given_twice() {
        let mut table = FormatTable::new("Car");
        let id = table.free_id(Parameters, &["a"]);
        assert_eq!(id, format_id(Parameters, "Car", &["a"]));
        table.apply(&definition_packet(Parameters, id, &["other"]));
        assert_eq!(table.free_id(Parameters, &["a"]), id + 1);
        assert_eq!(table.free_id(Event, &["a"]), format_id(Event, "Car", &["a"]));
    }

    fn packet(kind: &str, content: Vec<u8>) -> Vec<u8> {
        Packet { r#type: kind.to_owned(), content, ..Packet::default() }.encode_to_vec()
    }

    #[test]
    fn configuration_packets_and_old_type_names_are_read_and_others_passed_over() {
        let define = |id, event: &str| DataFormatDefinitionPacket {
            identifier: id,
            r#type: 2,
            format: Some(Format::EventIdentifier(event.to_owned())),
        };
        let both =
            DataFormatConfigurationPacket { data_formats: vec![define(1, "a"), define(2, "b")], ..Default::default() };
        let mut table = FormatTable::new("Car");
        assert_eq!(table.apply(&packet("DataFormatConfiguration", both.encode_to_vec())).len(), 2);
        assert_eq!(table.apply(&packet("DataFormatDefinitionPacket", define(3, "c").encode_to_vec())).len(), 1);
        assert!(table.apply(&packet("Configuration", define(4, "d").encode_to_vec())).is_empty());
        assert!(table.apply(&packet("my own", b"{}".to_vec())).is_empty());
        assert_eq!(table.undecodable(), 0);
        assert!(table.apply(b"\xff\xff").is_empty());
        assert!(table.apply(&packet("DataFormatDefinition", b"\xff".to_vec())).is_empty());
        assert_eq!((table.undecodable(), table.all().len()), (2, 3));
    }

    proptest! {
        #[test]
        fn duplicates_of_definitions_change_nothing(
            records in vec((any::<bool>(), 0_u64..6, vec("[ab]", 1..3)), 1..20),
            again in vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 0..20),
        ) {
            let bytes: Vec<Vec<u8>> = records
                .iter()
                .map(|(event, id, names)| definition_packet(if *event { Event } else { Parameters }, *id, names))
                .collect();
            let mut once = FormatTable::new("Car");
            bytes.iter().for_each(|packet| { once.apply(packet); });
            let mut twice = FormatTable::new("Car");
            for (i, packet) in bytes.iter().enumerate() {
                twice.apply(packet);
                for (when, which) in &again {
                    if when.index(bytes.len()) == i {
                        prop_assert!(twice.apply(&bytes[which.index(i + 1)]).is_empty());
                    }
                }
            }
            prop_assert_eq!(once.all(), twice.all());
            for (_, id, _) in &records {
                prop_assert_eq!(once.parameters(*id), twice.parameters(*id));
                prop_assert_eq!(once.event(*id), twice.event(*id));
            }
        }
    }
}
