//! Where an envelope's fields lie in a packet: looked up once, kept beside the bytes wherever they go.

use super::{Envelope, PacketType};
use crate::error::Result;

/// A part of a packet. Kafka's lengths are 32 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// The place of `part`, which was borrowed from `whole`.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        // An empty part may point anywhere.
        let start = if part.is_empty() { 0 } else { part.as_ptr() as usize - whole.as_ptr() as usize };
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self { start: number(start), len: number(part.len()) }
    }

    /// Empty when the bytes are not those it was made for.
    fn cut(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// The fields of an [`Envelope`] without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    type_name: Span,
    session_key: Span,
    content: Span,
    /// As [`Envelope::is_essential`].
    pub is_essential: bool,
    /// As [`Envelope::id`].
    pub id: u64,
}

impl Head {
    /// Looks at the envelope of a record.
    ///
    /// # Errors
    /// As [`Envelope::peek`].
    pub fn peek(bytes: &[u8]) -> Result<Self> {
        let envelope = Envelope::peek(bytes)?;
        Ok(Self {
            type_name: Span::of(envelope.type_name.as_bytes(), bytes),
            session_key: Span::of(envelope.session_key.as_bytes(), bytes),
            content: Span::of(envelope.content, bytes),
            is_essential: envelope.is_essential,
            id: envelope.id,
        })
    }

    /// Name of the content's type. `bytes` is the record that this head was made from, here and below.
    #[must_use]
    pub fn type_name<'a>(&self, bytes: &'a [u8]) -> &'a str {
        // `Envelope::peek` has seen that it is UTF-8.
        std::str::from_utf8(self.type_name.cut(bytes)).unwrap_or_default()
    }

    /// The type of the content.
    #[must_use]
    pub fn packet_type(&self, bytes: &[u8]) -> PacketType {
        PacketType::parse(self.type_name(bytes))
    }

    /// The session the packet names itself.
    #[must_use]
    pub fn session_key<'a>(&self, bytes: &'a [u8]) -> &'a str {
        std::str::from_utf8(self.session_key.cut(bytes)).unwrap_or_default()
    }

    /// The inner message, serialised.
    #[must_use]
    pub fn content<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.content.cut(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_finds_the_fields_again_also_in_a_copy_of_the_bytes() {
        let envelope =
            Envelope { type_name: "Marker", session_key: "k", is_essential: true, content: &[1, 2, 3], id: 9 };
        let bytes = envelope.encode();
        let head = Head::peek(&bytes).unwrap();
        let copy = bytes.clone();
        assert_eq!((head.type_name(&copy), head.session_key(&copy)), ("Marker", "k"));
        assert_eq!((head.content(&copy), head.is_essential, head.id), (&[1, 2, 3][..], true, 9));
        assert_eq!(head.packet_type(&copy), PacketType::Marker);
    }

    #[test]
    fn absent_fields_are_empty_and_other_bytes_than_its_own_give_nothing() {
        let head = Head::peek(&[]).unwrap();
        assert_eq!((head.type_name(&[]), head.session_key(&[7]), head.content(&[7])), ("", "", &[][..]));
        let bytes = Envelope { content: &[5; 40], ..Envelope::default() }.encode();
        assert!(Head::peek(&bytes).unwrap().content(&[1]).is_empty());
        assert!(Head::peek(&[0xff]).is_err());
    }
}
