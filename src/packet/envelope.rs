//! The outer message of every record, `Packet`: read without a copy, written as Google's protobuf writes it.

use super::wire::{Reader, WireResult, WireType, field_len, put_bytes, put_varint, varint_len};
use crate::error::{Error, Result};

/// A packet with its content unopened. Fields as in `ma.streaming.open_data.v1.Packet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Envelope<'a> {
    /// Name of the content's type; [`super::PacketType::parse`] understands it.
    pub type_name: &'a str,
    /// The session it belongs to, or empty.
    pub session_key: &'a str,
    /// Whether a second copy goes to the essentials topic.
    pub is_essential: bool,
    /// The inner message, serialised.
    pub content: &'a [u8],
    /// The producer's counter, 0 when unused.
    pub id: u64,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of a record. Nothing is copied, unknown fields are passed over.
    ///
    /// Every encoding that protobuf allows is accepted: any order, repeated fields (the last one counts), groups.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are not a packet, with the offset of the fault.
    pub fn peek(bytes: &'a [u8]) -> Result<Self> {
        Self::read(bytes).map_err(|error| Error::decode("packet", error))
    }

    fn read(bytes: &'a [u8]) -> WireResult<Self> {
        let mut reader = Reader::new(bytes);
        let mut envelope = Self::default();
        while let Some((number, wire)) = reader.field()? {
            match (number, wire) {
                (1, WireType::Bytes) => envelope.type_name = reader.text()?,
                (2, WireType::Bytes) => envelope.session_key = reader.text()?,
                (3, WireType::Varint) => envelope.is_essential = reader.varint()? != 0,
                (4, WireType::Bytes) => envelope.content = reader.bytes()?,
                (5, WireType::Varint) => envelope.id = reader.varint()?,
                _ => reader.skip(number, wire)?,
            }
        }
        Ok(envelope)
    }

    /// Bytes that [`Self::encode_into`] appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let text = |bytes: &[u8]| if bytes.is_empty() { 0 } else { field_len(bytes.len()) };
        text(self.type_name.as_bytes())
            + text(self.session_key.as_bytes())
            + if self.is_essential { 2 } else { 0 }
            + text(self.content)
            + if self.id == 0 { 0 } else { 1 + varint_len(self.id) }
    }

    /// Appends the packet to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        if !self.type_name.is_empty() {
            put_bytes(out, 1, self.type_name.as_bytes());
        }
        if !self.session_key.is_empty() {
            put_bytes(out, 2, self.session_key.as_bytes());
        }
        if self.is_essential {
            out.extend_from_slice(&[3 << 3, 1]);
        }
        if !self.content.is_empty() {
            put_bytes(out, 4, self.content);
        }
        if self.id != 0 {
            out.push(5 << 3);
            put_varint(out, self.id);
        }
    }

    /// The packet as bytes of their own.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::proto::open_data::Packet;
    use proptest::prelude::*;
    use prost::Message;

    fn owned(envelope: &Envelope<'_>) -> Packet {
        Packet {
            r#type: envelope.type_name.into(),
            session_key: envelope.session_key.into(),
            is_essential: envelope.is_essential,
            content: envelope.content.into(),
            id: envelope.id,
        }
    }

    fn any_packet() -> impl Strategy<Value = Packet> {
        let content = proptest::collection::vec(any::<u8>(), 0..40);
        ("\\PC{0,12}", "\\PC{0,40}", any::<bool>(), content, any::<u64>()).prop_map(
            |(kind, session_key, is_essential, content, id)| Packet {
                r#type: kind,
                session_key,
                is_essential,
                content,
                id,
            },
        )
    }

    #[test]
    fn an_empty_packet_has_no_bytes() {
        assert_eq!(Envelope::peek(&[]).unwrap(), Envelope::default());
        assert!(Envelope::default().encode().is_empty());
    }

    #[test]
    fn the_last_of_repeated_fields_counts_in_any_order() {
        let bytes = [0x28, 1, 0x0a, 1, b'a', 0x22, 1, 7, 0x0a, 1, b'b', 0x28, 2, 0x22, 0, 0x18, 1, 0x18, 0];
        let envelope = Envelope::peek(&bytes).unwrap();
        assert_eq!(envelope, Envelope { type_name: "b", id: 2, ..Envelope::default() });
    }

    #[test]
    fn known_numbers_with_another_wire_type_are_unknown_fields() {
        let bytes = [0x08, 1, 0x1d, 0, 0, 0, 0, 0x23, 0x24, 0x2a, 1, 9, 0x12, 1, b'k'];
        assert_eq!(Envelope::peek(&bytes).unwrap(), Envelope { session_key: "k", ..Envelope::default() });
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_even_when_a_later_field_replaces_it() {
        let error = Envelope::peek(&[0x0a, 1, 0xff, 0x0a, 1, b'a']).unwrap_err();
        assert_eq!(error.to_string(), "packet cannot be decoded: text that is not UTF-8 (byte 2)");
        // Content may be anything.
        assert_eq!(Envelope::peek(&[0x22, 1, 0xff]).unwrap().content, [0xff]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_is_what_prost_writes(packet in any_packet()) {
            let bytes = packet.encode_to_vec();
            let envelope = Envelope::peek(&bytes).unwrap();
            prop_assert_eq!(owned(&envelope), packet);
            prop_assert_eq!(envelope.encoded_len(), bytes.len());
            prop_assert_eq!(envelope.encode(), bytes);
        }

        /// prost refuses known fields of another wire type, which Google's protobuf passes over; so one way only.
        #[test]
        fn mutated_packets_that_prost_reads_are_read_alike(
            packet in any_packet(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = packet.encode_to_vec();
            for (index, byte) in changes {
                if !bytes.is_empty() {
                    let index = index.index(bytes.len());
                    bytes[index] = byte;
                }
            }
            if let (Ok(packet), Ok(envelope)) = (Packet::decode(&bytes[..]), Envelope::peek(&bytes)) {
                prop_assert_eq!(owned(&envelope), packet);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Envelope::peek(&bytes);
        }
    }
}
