//! The time by which a packet gets its stream ahead, without decoding its samples.

use super::list;
use crate::packet::packet_type::PacketType;
use crate::packet::wire::{Reader, WireResult, WireType};

/// The highest time that a packet of samples, an event, an error or a CAN frame carries, in ns since the Unix epoch.
///
/// Only the outermost fields are looked at, and of periodic packets how many samples the first column has. What is wrong
/// further inside is not noticed. `None` for packets of other types, packets without samples, and bytes that are no packet.
#[must_use]
pub fn latest_ns(kind: PacketType, content: &[u8]) -> Option<u64> {
    let reader = Reader::new(content);
    let latest = match kind {
        PacketType::PeriodicData => periodic(reader),
        PacketType::RowData => rows(reader),
        PacketType::SynchroData => synchro(reader),
        PacketType::Event | PacketType::Error => instant(reader, 2),
        PacketType::RawCanData => instant(reader, 1),
        _ => Ok(None),
    };
    latest.ok().flatten()
}

fn periodic(mut reader: Reader<'_>) -> WireResult<Option<u64>> {
    let (mut start, mut interval, mut first) = (0_u64, 0, None);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (2, WireType::Fixed64) => start = reader.fixed64()?,
            (3, WireType::Varint) => interval = reader.varint()? as u32,
            (4, WireType::Bytes) if first.is_none() => first = Some(reader.message()?.range()),
            _ => reader.skip(number, wire)?,
        }
    }
    let count = first.map_or(Ok(0), |range| list::count(reader.all(), range))? as u64;
    let last = count.checked_sub(1);
    Ok(last.and_then(|last| start.checked_add(last.checked_mul(u64::from(interval))?)))
}

fn rows(mut reader: Reader<'_>) -> WireResult<Option<u64>> {
    let mut latest = None;
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (2, WireType::Fixed64) => latest = latest.max(Some(reader.fixed64()?)),
            (2, WireType::Bytes) => {
                let (times, _) = reader.packed()?.rest().as_chunks::<8>();
                latest = latest.max(times.iter().map(|bytes| u64::from_le_bytes(*bytes)).max());
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(latest)
}

fn synchro(mut reader: Reader<'_>) -> WireResult<Option<u64>> {
    let (mut start, mut span, mut steps, mut first) = (0_u64, 0_u64, false, None);
    let mut add = |interval: u64| {
        steps = true;
        span = span.saturating_add(u64::from(interval as u32));
    };
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (2, WireType::Fixed64) => start = reader.fixed64()?,
            (3, WireType::Varint) => add(reader.varint()?),
            (3, WireType::Bytes) => {
                let mut packed = reader.packed()?;
                while !packed.rest().is_empty() {
                    add(packed.varint()?);
                }
            }
            (4, WireType::Bytes) if first.is_none() => first = Some(reader.message()?.range()),
            _ => reader.skip(number, wire)?,
        }
    }
    // A single sample has no interval, like none.
    let filled = steps || first.map_or(Ok(0), |range| list::count(reader.all(), range))? > 0;
    Ok(if filled { start.checked_add(span) } else { None })
}

fn instant(mut reader: Reader<'_>, field: u32) -> WireResult<Option<u64>> {
    let mut time = None;
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (found, WireType::Fixed64) if found == field => time = Some(reader.fixed64()?),
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::packet::samples_for_tests::{any_format, any_table};
    use crate::packet::{decode_samples, encode_periodic, encode_rows, encode_synchro};
    use crate::proto::open_data as od;

    fn highest(kind: PacketType, content: &[u8]) -> Option<u64> {
        decode_samples(kind, content).unwrap().times.to_vec().into_iter().max()
    }

    proptest! {
        #[test]
        fn it_is_the_highest_of_the_times_that_decoding_finds(
            table in any_table(false),
            one_type in any_table(true),
            format in any_format(),
            start in 0..u64::MAX / 2,
            steps in proptest::collection::vec(any::<u32>(), 20),
        ) {
            let mut content = Vec::new();
            table.with_columns(|columns| {
                encode_periodic(&mut content, &format.as_ref_for(table.width()), start, steps[0], columns).unwrap();
                prop_assert_eq!(latest_ns(PacketType::PeriodicData, &content), highest(PacketType::PeriodicData, &content));
                content.clear();
                let intervals = &steps[..table.rows().saturating_sub(1)];
                encode_synchro(&mut content, &format.as_ref_for(table.width()), start, intervals, columns).unwrap();
                prop_assert_eq!(latest_ns(PacketType::SynchroData, &content), highest(PacketType::SynchroData, &content));
                Ok(())
            })?;
            content.clear();
            // Not in order: the last is not the latest.
            let times: Vec<u64> = steps[..one_type.rows()].iter().map(|step| start + u64::from(*step)).collect();
            one_type.with_columns(|columns| {
                encode_rows(&mut content, &format.as_ref_for(one_type.width()), &times, columns).unwrap();
                prop_assert_eq!(latest_ns(PacketType::RowData, &content), highest(PacketType::RowData, &content));
                Ok(())
            })?;
        }

        #[test]
        fn any_bytes_have_a_time_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for &kind in PacketType::KNOWN {
                let _ = latest_ns(kind, &bytes);
            }
        }
    }

    #[test]
    fn instants_have_the_time_of_their_packet_and_markers_have_none() {
        let event = od::EventPacket { timestamp: 5, raw_values: vec![1.0], ..Default::default() }.encode_to_vec();
        let error =
            od::ErrorPacket { error_identifier: "e".into(), timestamp: 6, ..Default::default() }.encode_to_vec();
        let frame = od::RawCanDataPacket { timestamp: 7, bus: 1, ..Default::default() }.encode_to_vec();
        let marker = od::MarkerPacket { timestamp: 8, ..Default::default() }.encode_to_vec();
        assert_eq!(latest_ns(PacketType::Event, &event), Some(5));
        assert_eq!(latest_ns(PacketType::Error, &error), Some(6));
        assert_eq!(latest_ns(PacketType::RawCanData, &frame), Some(7));
        assert_eq!(latest_ns(PacketType::Marker, &marker), None);
    }
}
