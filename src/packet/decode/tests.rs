//! What the decoder reads: what the encoders wrote, what prost writes, and everything else protobuf allows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use prost::Message;

use super::super::samples_for_tests::{Table, any_format, any_table, prost_column, prost_format, prost_rows};
use super::super::wire::{put_bytes, put_varint};
use super::super::{
    Column, ColumnView, FormatRef, SampleFormat, Timebase, Times, Values, encode_periodic, encode_rows, encode_synchro,
    status,
};
use super::*;
use crate::proto::open_data as od;

/// A length-delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, number, bytes);
    out
}

/// A number field.
fn number(number: u8, value: u64) -> Vec<u8> {
    let mut out = vec![number << 3];
    put_varint(&mut out, value);
    out
}

/// A field of eight bytes.
fn fixed(number: u8, value: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

/// A sample of a double.
fn double(value: f64, worth: u64) -> Vec<u8> {
    field(1, &[fixed(1, value.to_bits()), number(2, worth)].concat())
}

fn int(value: u64) -> Vec<u8> {
    field(1, &[number(1, value), number(2, 1)].concat())
}

fn periodic(parts: &[Vec<u8>]) -> Result<Samples> {
    decode_samples(PacketType::PeriodicData, &parts.concat())
}

fn rows(parts: &[Vec<u8>]) -> Result<Samples> {
    decode_samples(PacketType::RowData, &parts.concat())
}

fn reason(outcome: Result<Samples>) -> String {
    match outcome.unwrap_err() {
        Error::Decode { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

/// A table as it comes back: statuses that are all valid are not kept.
fn normal(table: &Table) -> Vec<Column> {
    let plain = |status: &Vec<u8>| status.iter().all(|&worth| worth == status::VALID);
    table
        .columns
        .iter()
        .map(|column| Column { values: column.values.clone(), status: column.status.clone().filter(|s| !plain(s)) })
        .collect()
}

/// Equal bit for bit: -0.0 is not 0.0.
fn assert_same(read: &[Column], given: &[Column]) -> std::result::Result<(), TestCaseError> {
    prop_assert_eq!(read, given);
    for (read, given) in read.iter().zip(given) {
        if let (Values::F64(read), Values::F64(given)) = (&read.values, &given.values) {
            prop_assert!(read.iter().zip(given).all(|(read, given)| read.to_bits() == given.to_bits()));
        }
    }
    Ok(())
}

fn expected_format(format: &FormatRef<'_>) -> SampleFormat {
    match format {
        FormatRef::Id(id) => SampleFormat::Id(*id),
        FormatRef::Parameters(names) => SampleFormat::Parameters(names.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn an_empty_packet_has_no_format_and_no_samples() {
    for kind in [PacketType::PeriodicData, PacketType::RowData, PacketType::SynchroData] {
        let samples = decode_samples(kind, &[]).unwrap();
        assert_eq!(samples.format, SampleFormat::Missing);
        assert!(samples.times.is_empty() && samples.columns.is_empty());
    }
    assert!(matches!(decode_samples(PacketType::Marker, &[]), Err(Error::Invalid(_))));
}

#[test]
fn a_format_in_pieces_is_merged_and_its_last_case_counts() {
    let names = |names: &[&str]| field(2, &names.iter().flat_map(|n| field(1, n.as_bytes())).collect::<Vec<_>>());
    let column = field(4, &field(1, &double(1.0, 1)));
    let read = |pieces: &[Vec<u8>], columns: usize| {
        let mut parts: Vec<_> = pieces.iter().map(|piece| field(1, piece)).collect();
        parts.extend(vec![column.clone(); columns]);
        periodic(&parts).unwrap().format
    };
    let list = |names: &[&str]| SampleFormat::Parameters(names.iter().map(ToString::to_string).collect());
    assert_eq!(read(&[names(&["a"]), names(&["b", "c"])], 3), list(&["a", "b", "c"]));
    assert_eq!(read(&[[names(&["a"]), names(&["b"])].concat()], 2), list(&["a", "b"]));
    assert_eq!(read(&[names(&["a"]), number(1, 9)], 1), SampleFormat::Id(9));
    assert_eq!(read(&[names(&["a"]), number(1, 0), names(&["b"])], 1), list(&["b"]));
    assert_eq!(read(&[number(1, 0), vec![]], 1), SampleFormat::Id(0));
    assert_eq!(read(&[vec![]], 1), SampleFormat::Missing);
}

#[test]
fn a_column_in_pieces_is_merged_and_another_type_replaces_it() {
    let two = field(4, &[field(1, &double(1.0, 1)), field(1, &double(2.0, 2))].concat());
    let samples = periodic(&[two]).unwrap();
    assert_eq!(samples.columns, [Column { values: Values::F64(vec![1.0, 2.0]), status: Some(vec![1, 2]) }]);
    let replaced = field(4, &[field(1, &double(1.0, 3)), field(2, &int(5))].concat());
    let samples = periodic(&[replaced]).unwrap();
    assert_eq!(samples.columns, [Column { values: Values::I32(vec![5]), status: None }]);
}

#[test]
fn samples_of_odd_shape_among_common_ones_are_read_in_order() {
    let odd = [
        double(1.0, 1),
        field(1, &number(2, 1)),
        double(2.0, 1),
        // Status first, the value twice, an unknown field and one of the wrong type.
        field(1, &[number(2, 2), fixed(1, 0), fixed(1, 3.0_f64.to_bits()), number(1, 9), field(7, b"x")].concat()),
        field(1, &[]),
        number(1, 3),
        double(-0.0, 1),
        double(4.0, 77),
        field(1, &[fixed(1, 5.0_f64.to_bits()), number(2, u64::from(u32::MAX) + 2)].concat()),
    ];
    let samples = periodic(&[field(4, &field(1, &odd.concat()))]).unwrap();
    let expected = Column {
        values: Values::F64(vec![1.0, 0.0, 2.0, 3.0, 0.0, -0.0, 4.0, 5.0]),
        status: Some(vec![1, 1, 1, 2, 0, 1, 3, 1]),
    };
    assert_same(&samples.columns, &[expected]).unwrap();
}

#[test]
fn numbers_wider_than_their_field_are_cut_as_protobuf_cuts_them() {
    let column = field(4, &field(2, &[int(u64::MAX), int((1 << 40) + 3)].concat()));
    let samples = periodic(&[number(3, (1 << 32) + 10), column]).unwrap();
    assert_eq!(samples.columns[0].values, Values::I32(vec![-1, 3]));
    assert_eq!(samples.times, Timebase::Range { start_ns: 0, interval_ns: 10, len: 2 });
}

#[test]
fn timestamps_and_intervals_are_read_packed_and_single() {
    let row = field(3, &field(1, &double(1.0, 1)));
    let times = [fixed(2, 5), field(2, &[7_u64.to_le_bytes(), 8_u64.to_le_bytes()].concat()), field(2, &[])];
    let samples = rows(&[times.concat(), row.repeat(3)]).unwrap();
    assert_eq!(samples.times, Timebase::Explicit(vec![5, 7, 8]));
    assert_eq!(reason(rows(&[field(2, &[0; 9])])), "packed numbers of the wrong length (byte 2)");

    let column = field(4, &field(1, &double(1.0, 1).repeat(4)));
    let content = [fixed(2, 100), number(3, 1), field(3, &[0x82, 0x80, 0x00, 3]), column].concat();
    let samples = decode_samples(PacketType::SynchroData, &content).unwrap();
    assert_eq!(samples.times, Timebase::Explicit(vec![100, 101, 103, 106]));
}

#[test]
fn rows_of_numbers_of_different_types_become_doubles() {
    let row = |list: u8, samples: Vec<u8>| field(3, &field(list, &samples));
    let samples = rows(&[
        field(2, &[0; 24]),
        row(2, [int(7), field(1, &number(1, 8))].concat()),
        row(1, [double(1.5, 2), double(2.5, 1)].concat()),
        row(3, [int(1), int(0)].concat()),
    ])
    .unwrap();
    let column =
        |values: [f64; 3], worth: [u8; 3]| Column { values: Values::F64(values.into()), status: Some(worth.into()) };
    assert_eq!(samples.columns[0], column([7.0, 1.5, 1.0], [1, 2, 1]));
    assert_eq!(samples.columns[1], column([8.0, 2.5, 0.0], [0, 1, 1]));
    let id_after_names = rows(&[field(1, &field(2, &field(1, b"a"))), field(1, &number(1, 9))]).unwrap();
    assert!(id_after_names.columns.is_empty(), "names that a number replaced are no columns");
    let texts = rows(&[field(2, &[0; 16]), row(1, double(1.0, 1)), row(4, field(1, b""))]);
    assert_eq!(reason(texts), "row 1 mixes texts and numbers with the rows before it");
}

#[test]
fn what_does_not_fit_together_is_named() {
    let column = |samples: usize| field(4, &field(1, &double(1.0, 1).repeat(samples)));
    assert_eq!(reason(periodic(&[column(3), column(3), column(2)])), "column 2 has 2 samples, column 0 has 3");
    assert_eq!(reason(periodic(&[column(3), field(4, &[])])), "column 1 has 0 samples, column 0 has 3");
    let names = field(1, &field(2, &field(1, b"a")));
    assert_eq!(reason(periodic(&[names.clone(), column(1), column(1)])), "2 columns for 1 parameters");
    assert_eq!(
        reason(periodic(&[fixed(2, u64::MAX - 1), number(3, 2), column(2)])),
        "2 samples every 2 ns from 18446744073709551614 ns go beyond 64 bits"
    );
    let synchro = |parts: &[Vec<u8>]| decode_samples(PacketType::SynchroData, &parts.concat());
    assert_eq!(
        reason(synchro(&[number(3, 1), column(3)])),
        "1 intervals for 3 samples, expected one fewer than samples"
    );
    assert_eq!(
        reason(synchro(&[fixed(2, u64::MAX), number(3, 1), column(2)])),
        "interval 0 goes beyond 64 bits of nanoseconds"
    );
    let row = |width: usize| field(3, &field(1, &double(1.0, 1).repeat(width)));
    assert_eq!(reason(rows(&[fixed(2, 1), row(1), row(1)])), "2 rows for 1 timestamps");
    assert_eq!(reason(rows(&[field(2, &[0; 16]), row(2), row(1)])), "row 1 has 1 values, row 0 has 2");
    assert_eq!(reason(rows(&[field(2, &[0; 16]), row(2), field(3, &[])])), "row 1 has 0 values, row 0 has 2");
    assert_eq!(reason(rows(&[names, fixed(2, 1), row(2)])), "row 0 has 2 values for 1 parameters");
}

#[test]
fn errors_of_the_wire_tell_the_packet_and_the_offset() {
    let error = periodic(&[number(3, 1), vec![0x22, 4, 0x0a, 9, 0, 0]]).unwrap_err();
    assert_eq!(error.to_string(), "PeriodicData cannot be decoded: the bytes end inside a field (byte 6)");
    assert_eq!(
        reason(periodic(&[field(4, &field(4, &field(1, &field(1, &[0xff]))))])),
        "text that is not UTF-8 (byte 8)"
    );
}

/// Appends a packet to a block.
fn append(block: &mut ColumnBlock, kind: PacketType, content: &[u8], wanted: Wanted<'_>) -> Result<Appended> {
    Decoder::new().open(kind, content)?.append_to(block, wanted)
}

fn append_periodic(block: &mut ColumnBlock, parts: &[Vec<u8>]) -> Result<Appended> {
    append(block, PacketType::PeriodicData, &parts.concat(), Wanted::All)
}

fn doubles_of(block: &ColumnBlock, column: usize) -> &[f64] {
    match block.column(column) {
        Some(ColumnView::F64(values)) => values,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_packet_that_is_unlike_those_in_the_block_is_left_out_and_the_block_stays_as_it_was() {
    let column = field(4, &field(1, &double(1.0, 1)));
    let ints = field(4, &field(2, &int(5)));
    let names = field(1, &field(2, &field(1, b"a")));
    let first = [number(3, 10), column.clone()];
    let unlike = [
        ("interval", PacketType::PeriodicData, vec![number(3, 11), column.clone()], Wanted::All),
        ("width", PacketType::PeriodicData, vec![number(3, 10), column.clone(), column.clone()], Wanted::All),
        ("type", PacketType::PeriodicData, vec![number(3, 10), ints], Wanted::All),
        ("format", PacketType::PeriodicData, vec![names, number(3, 10), column.clone()], Wanted::All),
        ("number", PacketType::PeriodicData, vec![field(1, &number(1, 0)), number(3, 10), column.clone()], Wanted::All),
        ("kind", PacketType::SynchroData, vec![column.clone()], Wanted::All),
        (
            "selection",
            PacketType::PeriodicData,
            vec![number(3, 10), column.clone(), column.clone()],
            Wanted::Columns(&[0]),
        ),
    ];
    for (what, kind, parts, wanted) in unlike {
        let mut block = ColumnBlock::new();
        append_periodic(&mut block, &first).unwrap();
        let before = block.to_samples();
        assert_eq!(append(&mut block, kind, &parts.concat(), wanted), Ok(Appended::Differs), "{what}");
        assert_eq!(block.to_samples(), before, "{what}");
        // Alone it is welcome.
        block.clear();
        assert_eq!(append(&mut block, kind, &parts.concat(), wanted), Ok(Appended::Rows(1)), "{what}");
    }
}

#[test]
fn a_packet_that_is_wrong_leaves_the_block_as_it_was() {
    let text = |text: &str| field(1, &[field(1, text.as_bytes()), number(2, 1)].concat());
    let column = |worth: u64, samples: usize| field(4, &field(1, &double(1.0, worth).repeat(samples)));
    let texts = |samples: usize| field(4, &field(4, &text("abc").repeat(samples)));
    let mut block = ColumnBlock::new();
    append_periodic(&mut block, &[column(1, 3), texts(3), column(1, 3)]).unwrap();
    let before = block.to_samples();
    let broken = vec![0x22, 9, 0x0a, 7, 0x0a];
    for wrong in [
        // The statuses and texts come before what is wrong.
        vec![column(2, 200), texts(200), column(1, 199)],
        vec![column(2, 1), texts(2), column(1, 1)],
        vec![column(3, 2), texts(2), column(1, 2), fixed(2, u64::MAX), number(3, 0)],
        vec![column(2, 2), texts(2), broken],
    ] {
        let outcome = append_periodic(&mut block, &wrong);
        if wrong.len() == 5 {
            assert_eq!(outcome, Ok(Appended::Rows(2)));
            block.clear();
            append_periodic(&mut block, &[column(1, 3), texts(3), column(1, 3)]).unwrap();
        } else {
            assert!(matches!(outcome, Err(Error::Decode { .. })), "{outcome:?}");
        }
        assert_eq!(block.to_samples(), before);
        assert_eq!(block.status(), None);
    }
    append_periodic(&mut block, &[column(1, 1), texts(1), column(2, 1)]).unwrap();
    assert_eq!(block.column_status(0), Some(&[1; 4][..]));
    assert_eq!(block.column_status(2), Some(&[1, 1, 1, 2][..]));
    let Some(ColumnView::Str(read)) = block.column(1) else { panic!() };
    assert_eq!(read.iter().collect::<Vec<_>>(), ["abc"; 4]);
}

#[test]
fn rows_that_became_doubles_fit_others_that_do() {
    let row = |list: u8, sample: Vec<u8>| field(3, &field(list, &sample));
    let mixed = [field(2, &[0; 16]), row(2, int(7)), row(1, double(1.5, 1))].concat();
    let integers = [field(2, &[0; 8]), row(2, int(7))].concat();
    let mut block = ColumnBlock::new();
    for rows in [2, 4] {
        assert_eq!(append(&mut block, PacketType::RowData, &mixed, Wanted::All), Ok(Appended::Rows(2)));
        assert_eq!(block.len(), rows);
    }
    assert_eq!(append(&mut block, PacketType::RowData, &integers, Wanted::All), Ok(Appended::Differs));
    assert_eq!(doubles_of(&block, 0), [7.0, 1.5, 7.0, 1.5]);
    block.clear();
    append(&mut block, PacketType::RowData, &integers, Wanted::All).unwrap();
    assert_eq!(append(&mut block, PacketType::RowData, &mixed, Wanted::All), Ok(Appended::Differs));
    assert_eq!(block.column(0), Some(ColumnView::I32(&[7])));
}

#[test]
fn periodic_packets_that_follow_each_other_are_one_range_of_time() {
    let packet = |start: u64, samples: usize| {
        vec![fixed(2, start), number(3, 10), field(4, &field(1, &double(start as f64, 1).repeat(samples)))]
    };
    let mut block = ColumnBlock::new();
    for (start, samples) in [(100, 3), (130, 100), (1130, 1), (1150, 2), (1170, 0)] {
        append_periodic(&mut block, &packet(start, samples)).unwrap();
    }
    let ranges =
        [TimeRange { start_ns: 100, interval_ns: 10, len: 104 }, TimeRange { start_ns: 1150, interval_ns: 10, len: 2 }];
    assert_eq!(block.times(), Times::Ranges(&ranges));
    let expected = [vec![100.0; 3], vec![130.0; 100], vec![1130.0], vec![1150.0; 2]].concat();
    assert_eq!(doubles_of(&block, 0), expected);
    assert_eq!(block.status(), None);
}

#[test]
fn what_is_wrong_in_an_unwanted_column_is_not_looked_at() {
    let good = field(4, &field(1, &double(1.0, 1)));
    let content = [good.clone(), field(4, &[0xff]), good].concat();
    let mut block = ColumnBlock::new();
    let wanted = Wanted::Columns(&[0, 2]);
    assert_eq!(append(&mut block, PacketType::PeriodicData, &content, wanted), Ok(Appended::Rows(1)));
    assert_eq!((block.width(), block.selected()), (2, &[0, 2][..]));
    assert!(append(&mut ColumnBlock::new(), PacketType::PeriodicData, &content, Wanted::All).is_err());
}

#[test]
fn all_doubles_of_a_block_are_one_table_in_column_order() {
    let column = |value: f64| field(4, &field(1, &double(value, 1).repeat(70)));
    let mut block = ColumnBlock::new();
    append_periodic(&mut block, &[column(1.0), column(2.0)]).unwrap();
    let table = block.doubles().unwrap();
    assert_eq!((table.rows, table.columns, table.data.len()), (70, 2, table.stride + 70));
    assert_eq!((table.data[69], table.data[table.stride], table.data[table.stride + 69]), (1.0, 2.0, 2.0));
    block.clear();
    append_periodic(&mut block, &[column(1.0), field(4, &field(2, &int(5).repeat(70)))]).unwrap();
    assert_eq!(block.doubles(), None);
    assert_eq!(block.column(1), Some(ColumnView::I32(&[5; 70])));
}

/// Bytes of memory that decoded samples hold.
fn held(samples: &Samples) -> usize {
    let names = match &samples.format {
        SampleFormat::Parameters(names) => {
            names.capacity() * size_of::<String>() + names.iter().map(String::capacity).sum::<usize>()
        }
        _ => 0,
    };
    let column = |column: &Column| {
        column.status.as_ref().map_or(0, Vec::capacity)
            + match &column.values {
                Values::F64(values) => values.capacity() * 8,
                Values::I32(values) => values.capacity() * 4,
                Values::Bool(values) => values.capacity(),
                Values::Str(values) => {
                    values.capacity() * size_of::<String>() + values.iter().map(String::capacity).sum::<usize>()
                }
            }
    };
    names + samples.columns.capacity() * size_of::<Column>() + samples.columns.iter().map(column).sum::<usize>()
}

#[test]
fn the_emptiest_samples_columns_and_names_take_memory_in_proportion() {
    const COUNT: usize = 100_000;
    let empty = |number: u8| field(number, &[]).repeat(COUNT);
    let names = field(1, &field(2, &empty(1)));
    let hostile = [
        (PacketType::PeriodicData, empty(4)),
        (PacketType::PeriodicData, field(4, &field(1, &empty(1)))),
        (PacketType::PeriodicData, field(4, &field(4, &empty(1)))),
        (PacketType::RowData, [fixed(2, 1), field(3, &field(4, &empty(1)))].concat()),
        (PacketType::RowData, names),
    ];
    for (kind, content) in hostile {
        let samples = decode_samples(kind, &content).unwrap();
        let held = held(&samples);
        assert!(held <= 100 * content.len(), "{held} bytes for {} of {kind}", content.len());
    }
}

proptest! {
    #[test]
    fn periodic_packets_survive_the_round_trip(
        table in any_table(false), format in any_format(), start_ns in 0..=u64::MAX >> 1, interval_ns in any::<u32>(),
    ) {
        let format = format.as_ref_for(table.width());
        let mut out = Vec::new();
        table.with_columns(|columns| encode_periodic(&mut out, &format, start_ns, interval_ns, columns)).unwrap();
        let samples = decode_samples(PacketType::PeriodicData, &out).unwrap();
        prop_assert_eq!(samples.format, expected_format(&format));
        prop_assert_eq!(samples.times, Timebase::Range { start_ns, interval_ns, len: table.rows() });
        assert_same(&samples.columns, &normal(&table))?;
    }

    #[test]
    fn row_packets_survive_the_round_trip(table in any_table(true), format in any_format(), seed in any::<u64>()) {
        let format = format.as_ref_for(table.width());
        let timestamps: Vec<u64> = (0..table.rows() as u64).map(|i| seed.wrapping_mul(i)).collect();
        let mut out = Vec::new();
        table.with_columns(|columns| encode_rows(&mut out, &format, &timestamps, columns)).unwrap();
        let samples = decode_samples(PacketType::RowData, &out).unwrap();
        prop_assert_eq!(samples.format, expected_format(&format));
        prop_assert_eq!(samples.times, Timebase::Explicit(timestamps));
        if table.rows() > 0 {
            assert_same(&samples.columns, &normal(&table))?;
        }
    }

    #[test]
    fn synchro_packets_survive_the_round_trip(
        table in any_table(false), format in any_format(), start_ns in 0..=u64::MAX >> 1, seed in any::<u32>(),
    ) {
        let format = format.as_ref_for(table.width());
        let intervals: Vec<u32> = (1..table.rows() as u32).map(|i| seed.wrapping_mul(i)).collect();
        let mut out = Vec::new();
        table.with_columns(|columns| encode_synchro(&mut out, &format, start_ns, &intervals, columns)).unwrap();
        let samples = decode_samples(PacketType::SynchroData, &out).unwrap();
        let mut times = Vec::new();
        let mut now = start_ns;
        for index in 0..table.rows() {
            times.push(now);
            now += u64::from(intervals.get(index).copied().unwrap_or(0));
        }
        prop_assert_eq!(samples.times, Timebase::Explicit(times));
        assert_same(&samples.columns, &normal(&table))?;
    }

    /// Where prost and we both accept damaged bytes, both see the same samples.
    #[test]
    fn damaged_periodic_packets_mean_what_they_mean_to_prost(
        table in any_table(false), format in any_format(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let format = format.as_ref_for(table.width());
        let mut bytes = od::PeriodicDataPacket {
            data_format: Some(prost_format(&format)),
            start_time: 1,
            interval: 2,
            columns: table.columns.iter().map(prost_column).collect(),
        }.encode_to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let (Ok(samples), Ok(message)) =
            (decode_samples(PacketType::PeriodicData, &bytes), od::PeriodicDataPacket::decode(&bytes[..]))
        else {
            return Ok(());
        };
        prop_assert_eq!(samples.columns.len(), message.columns.len());
        for (column, expected) in samples.columns.iter().zip(&message.columns) {
            if expected.list.is_none() {
                prop_assert!(column.values.is_empty());
                continue;
            }
            // Through the messages' text, where NaN equals NaN.
            let mut again = prost_column(column);
            let mut expected = expected.clone();
            for column in [&mut again, &mut expected] {
                known_statuses(column);
            }
            prop_assert_eq!(format!("{again:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn damaged_row_packets_never_panic_and_keep_their_shape(
        table in any_table(true),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let timestamps = vec![1; table.rows()];
        let rows = prost_rows(&table);
        let mut bytes = od::RowDataPacket { data_format: None, timestamps, rows }.encode_to_vec();
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        if let Ok(samples) = decode_samples(PacketType::RowData, &bytes) {
            for column in &samples.columns {
                prop_assert_eq!(column.values.len(), samples.times.len());
                prop_assert!(column.status.as_ref().is_none_or(|status| status.len() == samples.times.len()));
            }
        }
    }

    /// However packets are cut and whatever was in the block before: its samples are theirs, one after the other.
    #[test]
    fn packets_in_one_block_are_their_samples_one_after_the_other(
        tables in proptest::collection::vec(any_table(true), 1..6), form in 0..3_u8, some in any::<bool>(),
    ) {
        let kind = [PacketType::PeriodicData, PacketType::SynchroData, PacketType::RowData][usize::from(form)];
        let (mut decoder, mut block) = (Decoder::new(), ColumnBlock::new());
        let mut expected: Option<Vec<Column>> = None;
        for table in &tables {
            let mut out = Vec::new();
            let times = vec![1; table.rows()];
            let intervals = vec![1; table.rows().saturating_sub(1)];
            table.with_columns(|columns| match kind {
                PacketType::PeriodicData => encode_periodic(&mut out, &FormatRef::Id(1), 1, 2, columns),
                PacketType::SynchroData => encode_synchro(&mut out, &FormatRef::Id(1), 1, &intervals, columns),
                _ => encode_rows(&mut out, &FormatRef::Id(1), &times, columns),
            }).unwrap();
            let last = [table.width() as u32 - 1];
            let wanted = if some { Wanted::Columns(&last) } else { Wanted::All };
            let mut packet = decoder.open(kind, &out).unwrap();
            let appended = packet.append_to(&mut block, wanted).unwrap();
            let read: Vec<Column> = table.columns.iter().skip(if some { table.width() - 1 } else { 0 }).cloned().collect();
            if appended == Appended::Differs {
                block.clear();
                expected = None;
                packet.append_to(&mut block, wanted).unwrap();
            }
            if table.rows() == 0 {
                continue;
            }
            match &mut expected {
                Some(columns) => columns.iter_mut().zip(&read).for_each(|(column, more)| extend(column, more)),
                None => expected = Some(read),
            }
            let expected = normal(&Table { columns: expected.clone().unwrap() });
            assert_same(&block.to_samples().columns, &expected)?;
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for kind in [PacketType::PeriodicData, PacketType::RowData, PacketType::SynchroData] {
            let _ = decode_samples(kind, &bytes);
        }
    }
}

/// Appends a column to one of the same type.
fn extend(column: &mut Column, more: &Column) {
    if column.status.is_some() || more.status.is_some() {
        let all = |column: &Column| column.status.clone().unwrap_or_else(|| vec![status::VALID; column.values.len()]);
        column.status = Some([all(column), all(more)].concat());
    }
    match (&mut column.values, &more.values) {
        (Values::F64(values), Values::F64(more)) => values.extend(more),
        (Values::I32(values), Values::I32(more)) => values.extend(more),
        (Values::Bool(values), Values::Bool(more)) => values.extend(more),
        (Values::Str(values), Values::Str(more)) => values.extend(more.iter().cloned()),
        (values, more) => panic!("{more:?} after {values:?}"),
    }
}

/// Statuses the schema does not know, as we read them.
fn known_statuses(column: &mut od::SampleColumn) {
    use od::sample_column::List;
    let known = |status: &mut i32| *status = if (0..=3).contains(status) { *status } else { 3 };
    match column.list.as_mut().unwrap() {
        List::DoubleSamples(list) => list.samples.iter_mut().for_each(|sample| known(&mut sample.status)),
        List::Int32Samples(list) => list.samples.iter_mut().for_each(|sample| known(&mut sample.status)),
        List::BoolSamples(list) => list.samples.iter_mut().for_each(|sample| known(&mut sample.status)),
        List::StringSamples(list) => list.samples.iter_mut().for_each(|sample| known(&mut sample.status)),
    }
}

#[test]
fn the_times_of_a_packet_can_be_had_whether_or_not_its_parts_fit_together() {
    let times_of = |kind: PacketType, content: &[u8]| {
        let mut decoder = Decoder::new();
        let opened = decoder.open(kind, content).is_ok();
        let mut times = Vec::new();
        decoder.times_into(kind, content, &mut times);
        (opened, times)
    };
    let column = |samples: usize| field(4, &field(1, &double(1.0, 1).repeat(samples)));
    let periodic = [fixed(2, 100), number(3, 10), column(1), column(3)].concat();
    assert_eq!(times_of(PacketType::PeriodicData, &periodic), (true, vec![100, 110, 120]));
    let beyond = [fixed(2, u64::MAX - 10), number(3, 10), column(3)].concat();
    assert_eq!(times_of(PacketType::PeriodicData, &beyond), (true, vec![]));
    let beyond = [fixed(2, u64::MAX), number(3, 10), column(2)].concat();
    assert_eq!(times_of(PacketType::SynchroData, &beyond), (true, vec![]));
    let rows = [fixed(2, 7), fixed(2, 5)].concat();
    assert_eq!(times_of(PacketType::RowData, &rows), (false, vec![7, 5]));
    let synchro = [fixed(2, 100), number(3, 10), number(3, 1), column(1)].concat();
    assert_eq!(times_of(PacketType::SynchroData, &synchro), (true, vec![100, 110, 111]));
    assert_eq!(times_of(PacketType::SynchroData, &fixed(2, 100)), (true, vec![]));
    assert_eq!(times_of(PacketType::PeriodicData, &[0xff]), (false, vec![]));
}
