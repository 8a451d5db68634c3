//! Making definitions: which lists are allowed, which id they get, and the packet that says so.

use std::collections::HashSet;

use prost::Message;
use sha2::{Digest, Sha256};

use super::FormatKind;
use crate::error::{Error, Printable, Result};
use crate::packet::{Envelope, PacketType};
use crate::proto::open_data::data_format_definition_packet::Format;
use crate::proto::open_data::{DataFormatDefinitionPacket, DataFormatType, ParameterList};

/// Whether these identifiers can be a data format: at least one, none empty, none twice.
pub fn check_identifiers(identifiers: &[impl AsRef<str>]) -> Result<()> {
    if identifiers.is_empty() {
        return Err(Error::InvalidFormat("it is empty; name at least one identifier".to_owned()));
    }
    let mut seen = HashSet::with_capacity(identifiers.len());
    for (index, identifier) in identifiers.iter().map(AsRef::as_ref).enumerate() {
        if identifier.is_empty() {
            return Err(Error::InvalidFormat(format!("the identifier at index {index} is empty; name it")));
        }
        if !seen.insert(identifier) {
            let text = format!("'{}' is named twice, again at index {index}; name it once", Printable(identifier));
            return Err(Error::InvalidFormat(text));
        }
    }
    Ok(())
}

/// The id for a new data format: the same in every process, so that two racing writers agree.
///
/// SHA-256 over these bytes: one byte for the kind (1 parameters, 2 event, as `DataFormatType` numbers them); the data
/// source; then the identifiers in order. Every string is its length in bytes as 4 bytes big-endian, then its UTF-8.
/// The first 8 bytes of the digest, big-endian, without the highest bit, are the id; 0 becomes 1.
///
/// Only writers make ids. A reader takes them from definitions: those of other programs are made differently.
#[must_use]
pub fn format_id(kind: FormatKind, data_source: &str, identifiers: &[impl AsRef<str>]) -> u64 {
    let mut digest = Sha256::new();
    digest.update([number(kind) as u8]);
    for text in std::iter::once(data_source).chain(identifiers.iter().map(AsRef::as_ref)) {
        // Longer strings than 4 GiB cannot be sent: a packet is smaller.
        digest.update((text.len() as u32).to_be_bytes());
        digest.update(text.as_bytes());
    }
    let first = digest.finalize().iter().take(8).fold(0_u64, |id, byte| id << 8 | u64::from(*byte));
    (first & (u64::MAX >> 1)).max(1)
}

/// The packet that defines a data format. It is essential, belongs to no session, and has the packet id 0; for an
/// event, the first identifier counts.
#[must_use]
pub fn definition_packet(kind: FormatKind, id: u64, identifiers: &[impl AsRef<str>]) -> Vec<u8> {
    let mut names = identifiers.iter().map(|name| name.as_ref().to_owned());
    let format = match kind {
        FormatKind::Parameters => {
            Format::ParameterIdentifiers(ParameterList { parameter_identifiers: names.collect() })
        }
        FormatKind::Event => Format::EventIdentifier(names.next().unwrap_or_default()),
    };
    let content = DataFormatDefinitionPacket { identifier: id, r#type: number(kind).into(), format: Some(format) };
    let content = content.encode_to_vec();
    let type_name = PacketType::DataFormatDefinition.name();
    Envelope { type_name, session_key: "", is_essential: true, content: &content, id: 0 }.encode()
}

fn number(kind: FormatKind) -> DataFormatType {
    match kind {
        FormatKind::Parameters => DataFormatType::Parameter,
        FormatKind::Event => DataFormatType::Event,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::proto::open_data::Packet;
    use FormatKind::{Event, Parameters};

    #[test]
    fn lists_that_cannot_be_a_format_are_refused() {
        check_identifiers(&["a", "b", "A"]).unwrap();
        assert!(check_identifiers(&[""; 0]).is_err());
        assert!(check_identifiers(&["a", ""]).unwrap_err().to_string().contains("index 1"));
        assert!(check_identifiers(&["a", "b", "a"]).unwrap_err().to_string().contains("'a'"));
    }

    #[test]
    fn ids_are_the_documented_bytes_of_the_documented_hash() {
        let bytes = b"\x01\x00\x00\x00\x03Car\x00\x00\x00\x01a\x00\x00\x00\x02bc";
        let digest = Sha256::digest(bytes);
        let expected = u64::from_be_bytes(digest[..8].try_into().unwrap()) & 0x7fff_ffff_ffff_ffff;
        assert_eq!(format_id(Parameters, "Car", &["a", "bc"]), expected);
    }

    #[test]
    fn a_definition_is_an_essential_packet_of_no_session() {
        let packet = Packet::decode(definition_packet(Parameters, 9, &["a", "b"]).as_slice()).unwrap();
        let head = (packet.r#type.as_str(), packet.session_key.as_str(), packet.is_essential, packet.id);
        assert_eq!(head, ("DataFormatDefinition", "", true, 0));
        let definition = DataFormatDefinitionPacket::decode(&*packet.content).unwrap();
        assert_eq!((definition.identifier, definition.r#type), (9, 1));
        let list = ParameterList { parameter_identifiers: vec!["a".into(), "b".into()] };
        assert_eq!(definition.format, Some(Format::ParameterIdentifiers(list)));
        let packet = Packet::decode(definition_packet(Event, 9, &["Lap"]).as_slice()).unwrap();
        let definition = DataFormatDefinitionPacket::decode(&*packet.content).unwrap();
        assert_eq!((definition.r#type, definition.format), (2, Some(Format::EventIdentifier("Lap".into()))));
    }

    #[test]
    fn ids_differ_with_everything_that_makes_a_format() {
        let ids = [
            format_id(Parameters, "Car", &["a", "b"]),
            format_id(Parameters, "Car", &["b", "a"]),
            format_id(Parameters, "Car", &["ab"]),
            format_id(Parameters, "Car", &["a,b"]),
            format_id(Parameters, "Ca", &["ra", "b"]),
            format_id(Parameters, "Car", &["a"]),
            format_id(Event, "Car", &["a"]),
        ];
        let distinct: HashSet<u64> = ids.into();
        assert_eq!(distinct.len(), ids.len());
        assert!(ids.iter().all(|id| *id > 0 && *id <= i64::MAX as u64));
    }
}
