//! Generated tables of samples, and the same tables as prost's messages: shared by the tests of both directions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::columns::{Column, ColumnRef, FormatRef, Strided, Values, ValuesRef, status};
use crate::proto::open_data as od;

/// Columns of one length.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
}

impl Table {
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// prost drops negative zeros, so its bytes are no measure then.
    pub(super) fn has_negative_zero(&self) -> bool {
        self.columns.iter().any(|column| {
            matches!(&column.values, Values::F64(values)
                if values.iter().any(|value| value.to_bits() == (-0.0_f64).to_bits()))
        })
    }

    /// The columns as the encoders want them.
    pub(super) fn with_columns<R>(&self, run: impl FnOnce(&[ColumnRef<'_>]) -> R) -> R {
        let texts: Vec<Vec<&str>> = self
            .columns
            .iter()
            .map(|column| match &column.values {
                Values::Str(values) => values.iter().map(String::as_str).collect(),
                _ => Vec::new(),
            })
            .collect();
        let columns: Vec<ColumnRef<'_>> = self
            .columns
            .iter()
            .zip(&texts)
            .map(|(column, texts)| ColumnRef {
                values: match &column.values {
                    Values::F64(values) => ValuesRef::F64(Strided::from(values)),
                    Values::I32(values) => ValuesRef::I32(Strided::from(values)),
                    Values::Bool(values) => ValuesRef::Bool(Strided::from(values)),
                    Values::Str(_) => ValuesRef::Str(texts),
                },
                status: column.status.as_ref().map(Strided::from),
            })
            .collect();
        run(&columns)
    }
}

fn any_column(kind: u8, rows: usize) -> impl Strategy<Value = Column> {
    use proptest::collection::vec;
    let number = prop_oneof![Just(0.0), Just(-0.0), Just(f64::INFINITY), Just(1.5), proptest::num::f64::NORMAL];
    let values = match kind {
        0 => vec(number, rows).prop_map(Values::F64).boxed(),
        1 => vec(prop_oneof![Just(0), Just(-1), any::<i32>()], rows).prop_map(Values::I32).boxed(),
        2 => vec(any::<bool>(), rows).prop_map(Values::Bool).boxed(),
        _ => vec("\\PC{0,8}|[a-z]{120,140}", rows).prop_map(Values::Str).boxed(),
    };
    let worth = prop_oneof![Just(None), vec(0_u8..=3, rows).prop_map(Some)];
    (values, worth).prop_map(|(values, status)| Column { values, status })
}

/// Any table; `one_type` for packets of rows.
pub(super) fn any_table(one_type: bool) -> impl Strategy<Value = Table> {
    (1_usize..5, 0_usize..20, proptest::collection::vec(0_u8..4, 4)).prop_flat_map(move |(width, rows, kinds)| {
        (0..width)
            .map(|index| any_column(kinds[if one_type { 0 } else { index }], rows))
            .collect::<Vec<_>>()
            .prop_map(|columns| Table { columns })
    })
}

/// A format by number or, if `id` is `None`, by identifiers.
#[derive(Debug, Clone)]
pub(super) struct AnyFormat {
    id: Option<u64>,
}

impl AnyFormat {
    pub(super) fn as_ref_for(&self, width: usize) -> FormatRef<'static> {
        const NAMES: &[&str] = &["vCar:Chassis", "", "nEngine:Controller", "°C", "e", "f"];
        match self.id {
            Some(id) => FormatRef::Id(id),
            None => FormatRef::Parameters(&NAMES[..width]),
        }
    }
}

pub(super) fn any_format() -> impl Strategy<Value = AnyFormat> {
    prop_oneof![Just(None), Just(Some(0)), any::<u64>().prop_map(Some)].prop_map(|id| AnyFormat { id })
}

pub(super) fn prost_format(format: &FormatRef<'_>) -> od::SampleDataFormat {
    use od::sample_data_format::Format;
    let format = match format {
        FormatRef::Id(id) => Format::DataFormatIdentifier(*id),
        FormatRef::Parameters(names) => Format::ParameterIdentifiers(od::ParameterList {
            parameter_identifiers: names.iter().map(ToString::to_string).collect(),
        }),
    };
    od::SampleDataFormat { format: Some(format) }
}

macro_rules! samples {
    ($values:expr, $status:expr, $sample:ident, $list:ident) => {
        od::$list {
            samples: $values
                .iter()
                .enumerate()
                .map(|(index, value)| od::$sample {
                    value: value.clone(),
                    status: i32::from($status.as_ref().map_or(status::VALID, |status| status[index])),
                })
                .collect(),
        }
    };
}

pub(super) fn prost_column(column: &Column) -> od::SampleColumn {
    use od::sample_column::List;
    let list = match &column.values {
        Values::F64(values) => List::DoubleSamples(samples!(values, column.status, DoubleSample, DoubleSampleList)),
        Values::I32(values) => List::Int32Samples(samples!(values, column.status, Int32Sample, Int32SampleList)),
        Values::Bool(values) => List::BoolSamples(samples!(values, column.status, BoolSample, BoolSampleList)),
        Values::Str(values) => List::StringSamples(samples!(values, column.status, StringSample, StringSampleList)),
    };
    od::SampleColumn { list: Some(list) }
}

/// The rows of a table whose columns are of one type.
pub(super) fn prost_rows(table: &Table) -> Vec<od::SampleRow> {
    use od::sample_column::List as C;
    use od::sample_row::List as R;
    let columns: Vec<_> = table.columns.iter().map(|column| prost_column(column).list.unwrap()).collect();
    macro_rules! pick {
        ($row:expr, $variant:ident, $list:ident) => {
            R::$variant(od::$list {
                samples: columns
                    .iter()
                    .filter_map(
                        |column| if let C::$variant(list) = column { Some(list.samples[$row].clone()) } else { None },
                    )
                    .collect(),
            })
        };
    }
    (0..table.rows())
        .map(|row| od::SampleRow {
            list: Some(match &columns[0] {
                C::DoubleSamples(_) => pick!(row, DoubleSamples, DoubleSampleList),
                C::Int32Samples(_) => pick!(row, Int32Samples, Int32SampleList),
                C::BoolSamples(_) => pick!(row, BoolSamples, BoolSampleList),
                C::StringSamples(_) => pick!(row, StringSamples, StringSampleList),
            }),
        })
        .collect()
}
