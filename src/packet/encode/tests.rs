//! What the encoders write, against prost and against the counted lengths.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use prost::Message;

use super::super::samples_for_tests::{Table, any_format, any_table, prost_column, prost_format, prost_rows};
use super::super::{Column, Strided, Values, status};
use super::*;
use crate::proto::open_data as od;

const ID: FormatRef<'_> = FormatRef::Id(7);

fn periodic(format: &FormatRef<'_>, columns: &[ColumnRef<'_>]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    encode_periodic(&mut out, format, 1, 2, columns).map(|()| out)
}

fn valid(values: &[f64]) -> ColumnRef<'_> {
    ColumnRef::valid(ValuesRef::F64(Strided::from(values)))
}

#[test]
fn a_valid_double_takes_thirteen_bytes_and_a_zero_four() {
    let bytes = periodic(&ID, &[valid(&[1.0, 0.0])]).unwrap();
    assert_eq!(bytes[..15], [0x0a, 2, 0x08, 7, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x18, 2]);
    assert_eq!(bytes[15..19], [0x22, 19, 0x0a, 17]);
    assert_eq!(bytes[19..32], [0x0a, 11, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 1]);
    assert_eq!(bytes[32..], [0x0a, 2, 0x10, 1]);
}

#[test]
fn negative_zero_and_the_bits_of_nan_are_written() {
    for value in [-0.0, f64::NAN, f64::from_bits(0x7ff8_0000_dead_beef)] {
        let bytes = periodic(&ID, &[valid(&[value])]).unwrap();
        assert_eq!(bytes[bytes.len() - 10..bytes.len() - 2], value.to_bits().to_le_bytes());
    }
}

#[test]
fn format_zero_is_written_because_the_case_counts() {
    let bytes = periodic(&FormatRef::Id(0), &[]).unwrap();
    assert_eq!(bytes[..4], [0x0a, 2, 0x08, 0]);
}

#[test]
fn columns_of_unequal_length_are_refused_by_index_and_lengths() {
    let error = periodic(&ID, &[valid(&[1.0, 2.0]), valid(&[1.0])]).unwrap_err().to_string();
    assert_eq!(error, "column 1 has 1 values, expected 2 (as many as column 0)");
    let status = [status::VALID];
    let column = ColumnRef { status: Some(Strided::from(&status)), ..valid(&[1.0, 2.0]) };
    let error = periodic(&ID, &[column]).unwrap_err().to_string();
    assert_eq!(error, "column 0 has 2 values and 1 statuses; give one per value, or none");
    let error = periodic(&FormatRef::Parameters(&["a", "b"]), &[valid(&[1.0])]).unwrap_err().to_string();
    assert!(error.starts_with("1 columns for a data format of 2 parameters"), "{error}");
}

#[test]
fn rows_and_synchro_packets_must_fit_their_times() {
    let mut out = vec![9];
    let error = encode_rows(&mut out, &ID, &[1, 2, 3], &[valid(&[1.0])]).unwrap_err().to_string();
    assert_eq!(error, "column 0 has 1 values, expected 3 (one per timestamp)");
    let error = encode_synchro(&mut out, &ID, 1, &[5], &[valid(&[1.0])]).unwrap_err().to_string();
    assert_eq!(error, "column 0 has 1 values, expected 2 (one more than intervals)");
    let error = encode_synchro(&mut out, &ID, 1, &[], &[valid(&[1.0, 2.0])]).unwrap_err().to_string();
    assert_eq!(error, "column 0 has 2 values, expected 1 (one more than intervals)");
    assert_eq!(out, [9], "a refused packet leaves no bytes");
    encode_synchro(&mut out, &ID, 1, &[], &[valid(&[])]).unwrap();
    encode_synchro(&mut out, &ID, 1, &[], &[valid(&[1.0])]).unwrap();
}

#[test]
fn a_row_holds_one_type_for_all_parameters() {
    let ints = [1];
    let columns = [valid(&[1.0]), ColumnRef::valid(ValuesRef::I32(Strided::from(&ints)))];
    let error = encode_rows(&mut Vec::new(), &ID, &[1], &columns).unwrap_err().to_string();
    assert!(error.contains("column 1 holds int32 values and column 0 double values"), "{error}");
    assert!(rows_len(&ID, &[1], &columns).is_err());
}

#[test]
fn a_strided_column_is_written_like_a_copy_of_it() {
    let table: Vec<f64> = (0..30).map(f64::from).collect();
    let strided = Strided::new(&table, 1, 3, 10).unwrap();
    let copy: Vec<f64> = strided.iter().copied().collect();
    assert_eq!(
        periodic(&ID, &[ColumnRef::valid(ValuesRef::F64(strided))]).unwrap(),
        periodic(&ID, &[valid(&copy)]).unwrap()
    );
}

fn check_bound(table: &Table, format: &FormatRef<'_>, length: usize) -> std::result::Result<(), TestCaseError> {
    table.with_columns(|columns| {
        let bound = fixed_bytes(format, columns) + table.rows() * bytes_per_row(columns);
        prop_assert!(length <= bound, "{length} bytes, at most {bound} were foretold");
        Ok(())
    })
}

/// Statuses are bytes, whatever the schema names: those from 128 on take two bytes on the wire.
#[test]
fn a_status_of_any_byte_and_a_list_of_any_length_are_written_as_prost_writes_them() {
    for rows in [0, 1, 7, 8, 9, 10, 11, 31, 32, 33, 200, 1260, 1300] {
        for (every, statuses) in [(1, None), (2, Some(4)), (3, Some(256)), (1, Some(200)), (usize::MAX, None)] {
            let values: Vec<f64> = (0..rows).map(|row| if row % every == 0 { row as f64 + 0.5 } else { 0.0 }).collect();
            let status: Option<Vec<u8>> = statuses.map(|most| (0..rows).map(|row| (row % most) as u8).collect());
            let column = Column { values: Values::F64(values), status };
            let table = Table { columns: vec![column; 2] };
            let mut out = Vec::new();
            table.with_columns(|columns| {
                encode_periodic(&mut out, &ID, 1, 2, columns).unwrap();
                assert_eq!(out.len(), periodic_len(&ID, 1, 2, columns));
            });
            let expected = od::PeriodicDataPacket {
                data_format: Some(prost_format(&ID)),
                start_time: 1,
                interval: 2,
                columns: table.columns.iter().map(prost_column).collect(),
            };
            assert_eq!(out, expected.encode_to_vec());

            let times = vec![1; rows];
            out.clear();
            table.with_columns(|columns| encode_rows(&mut out, &ID, &times, columns)).unwrap();
            let data_format = Some(prost_format(&ID));
            let expected = od::RowDataPacket { data_format, timestamps: times, rows: prost_rows(&table) };
            assert_eq!(out, expected.encode_to_vec());
        }
    }
}

proptest! {
    #[test]
    fn periodic_packets_say_to_prost_what_was_given(
        table in any_table(false), format in any_format(), start in any::<u64>(), interval in any::<u32>(),
    ) {
        let format = format.as_ref_for(table.width());
        let mut out = Vec::new();
        table.with_columns(|columns| {
            encode_periodic(&mut out, &format, start, interval, columns).unwrap();
            prop_assert_eq!(out.len(), periodic_len(&format, start, interval, columns));
            Ok(())
        })?;
        check_bound(&table, &format, out.len())?;
        let expected = od::PeriodicDataPacket {
            data_format: Some(prost_format(&format)),
            start_time: start,
            interval,
            columns: table.columns.iter().map(prost_column).collect(),
        };
        prop_assert_eq!(&od::PeriodicDataPacket::decode(&out[..]).unwrap(), &expected);
        if !table.has_negative_zero() {
            prop_assert_eq!(out, expected.encode_to_vec());
        }
    }

    #[test]
    fn synchro_packets_say_to_prost_what_was_given(
        table in any_table(false), format in any_format(), start in any::<u64>(), seed in any::<u32>(),
    ) {
        let format = format.as_ref_for(table.width());
        let intervals: Vec<u32> = (1..table.rows() as u32).map(|i| seed.wrapping_mul(i) >> (i % 32)).collect();
        let mut out = Vec::new();
        table.with_columns(|columns| {
            encode_synchro(&mut out, &format, start, &intervals, columns).unwrap();
            prop_assert_eq!(out.len(), synchro_len(&format, start, &intervals, columns));
            Ok(())
        })?;
        check_bound(&table, &format, out.len())?;
        let expected = od::SynchroDataPacket {
            data_format: Some(prost_format(&format)),
            start_time: start,
            intervals,
            columns: table.columns.iter().map(prost_column).collect(),
        };
        prop_assert_eq!(&od::SynchroDataPacket::decode(&out[..]).unwrap(), &expected);
        if !table.has_negative_zero() {
            prop_assert_eq!(out, expected.encode_to_vec());
        }
    }

    #[test]
    fn row_packets_say_to_prost_what_was_given(
        table in any_table(true), format in any_format(), seed in any::<u64>(),
    ) {
        let format = format.as_ref_for(table.width());
        let timestamps: Vec<u64> = (0..table.rows() as u64).map(|i| seed.wrapping_mul(i)).collect();
        let mut out = Vec::new();
        table.with_columns(|columns| {
            encode_rows(&mut out, &format, &timestamps, columns).unwrap();
            prop_assert_eq!(out.len(), rows_len(&format, &timestamps, columns).unwrap());
            Ok(())
        })?;
        check_bound(&table, &format, out.len())?;
        let rows = prost_rows(&table);
        let expected = od::RowDataPacket { data_format: Some(prost_format(&format)), timestamps, rows };
        prop_assert_eq!(&od::RowDataPacket::decode(&out[..]).unwrap(), &expected);
        if !table.has_negative_zero() {
            prop_assert_eq!(out, expected.encode_to_vec());
        }
    }
}
