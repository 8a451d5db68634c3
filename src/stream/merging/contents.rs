//! What is in packets that are merged: which of them are, their times, and how they name themselves.

use std::sync::Arc;

use crate::error::Result;
use crate::packet::{PacketFormat, PacketType, TimeRange, Times, decode_message};
use crate::pipeline::OtherKind;
use crate::proto::open_data::{ErrorPacket, EventPacket, MarkerPacket, RawCanDataPacket, event_data_format};
use crate::stream::reader::Packet;

/// What a packet that is merged is.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Samples(PacketType),
    Other(OtherKind),
}

pub(super) fn other_kind(kind: PacketType) -> Option<OtherKind> {
    match kind {
        PacketType::Event => Some(OtherKind::Event),
        PacketType::Error => Some(OtherKind::Error),
        PacketType::RawCanData => Some(OtherKind::Can),
        PacketType::Marker => Some(OtherKind::Marker),
        _ => None,
    }
}

pub(super) fn content_of(packet: &Packet) -> &[u8] {
    packet.head.as_ref().map_or(&[], |head| head.content(&packet.payload))
}

pub(super) fn id_of(format: PacketFormat<'_>) -> Option<u64> {
    match format {
        PacketFormat::Id(id) => Some(id),
        PacketFormat::Parameters(_) | PacketFormat::Missing => None,
    }
}

/// The lowest and the highest of times; `None` if there are none.
pub(super) fn span(times: Times<'_>) -> Option<(u64, u64)> {
    let pair = |lowest: Option<u64>, highest: Option<u64>| Some((lowest?, highest?));
    match times {
        Times::Ranges(ranges) => {
            let spans = || ranges.iter().filter_map(TimeRange::span);
            pair(spans().map(|(first, _)| first).min(), spans().map(|(_, last)| last).max())
        }
        Times::Explicit(times) => pair(times.iter().copied().min(), times.iter().copied().max()),
    }
}

/// How a packet that is no sample names itself.
pub(super) enum Identifier {
    Text(Arc<str>),
    /// By the number of its data format.
    Event(u64),
}

/// Time and identifier of a packet that is no sample.
pub(super) fn read_other(kind: OtherKind, content: &[u8]) -> Result<(u64, Identifier)> {
    let text = |text: &str| Identifier::Text(text.into());
    Ok(match kind {
        OtherKind::Event => {
            let event: EventPacket = decode_message(PacketType::Event, content)?;
            let identifier = match event.data_format.and_then(|format| format.format) {
                Some(event_data_format::Format::DataFormatIdentifier(id)) => Identifier::Event(id),
                Some(event_data_format::Format::EventIdentifier(name)) => text(&name),
                None => text(""),
            };
            (event.timestamp, identifier)
        }
        OtherKind::Error => {
            let error: ErrorPacket = decode_message(PacketType::Error, content)?;
            (error.timestamp, text(&error.error_identifier))
        }
        OtherKind::Can => {
            let frame: RawCanDataPacket = decode_message(PacketType::RawCanData, content)?;
            (frame.timestamp, text("CAN"))
        }
        OtherKind::Marker => {
            let marker: MarkerPacket = decode_message(PacketType::Marker, content)?;
            (marker.timestamp, text("Marker"))
        }
    })
}
