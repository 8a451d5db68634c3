//! Packets other than samples, through the generated types.

use crate::error::{Error, Result};

/// Decodes a message of [`crate::proto`]. `what` names it in the error, for example by its packet type.
///
/// # Errors
/// [`Error::Decode`] when the bytes are not such a message.
pub fn decode_message<M: prost::Message + Default>(what: impl std::fmt::Display, content: &[u8]) -> Result<M> {
    M::decode(content).map_err(|error| Error::decode(what.to_string(), error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::packet::PacketType;
    use crate::proto::open_data::MarkerPacket;

    #[test]
    fn the_error_names_the_packet() {
        let marker: MarkerPacket = decode_message(PacketType::Marker, &[0x38, 7]).unwrap();
        assert_eq!(marker.value, 7);
        let error = decode_message::<MarkerPacket>(PacketType::Marker, &[0x38]).unwrap_err();
        assert!(error.to_string().starts_with("Marker cannot be decoded"), "{error}");
    }
}
