//! What must hold for any bytes. The fuzz targets run these with ever new bytes, `cargo test` with those of corpus/.
//!
//! prost is the oracle only where it and the decoder both accept: it refuses known fields of another wire type, which
//! Google's protobuf passes over, and has other limits. Google's own word is asked in Python's tests.

use prost::Message;
use telewire::packet::{
    Appended, ColumnBlock, ColumnRef, ColumnView, Decoder, Envelope, FormatRef, PacketFormat, PacketType, Samples,
    Strided, Times, Values, ValuesRef, Wanted, decode_samples, encode_periodic, encode_rows, encode_synchro, status,
};
use telewire::proto::open_data as od;

/// Memory that may be held per byte of input, besides a fixed amount.
const MULTIPLE: usize = 48;
const FIXED: usize = 4096;

/// The outer message.
pub(crate) fn envelope(data: &[u8]) {
    let Ok(envelope) = Envelope::peek(data) else { return };
    if let Ok(packet) = od::Packet::decode(data) {
        assert_eq!(packet.r#type, envelope.type_name);
        assert_eq!(packet.session_key, envelope.session_key);
        assert_eq!(packet.is_essential, envelope.is_essential);
        assert_eq!(packet.content, envelope.content);
        assert_eq!(packet.id, envelope.id);
    }
    let again = envelope.encode();
    assert_eq!(again.len(), envelope.encoded_len());
    assert_eq!(Envelope::peek(&again).as_ref(), Ok(&envelope));
}

/// A periodic packet.
pub(crate) fn periodic(data: &[u8]) {
    let Some(block) = any_samples(PacketType::PeriodicData, data) else { return };
    let Ok(message) = od::PeriodicDataPacket::decode(data) else { return };
    compare_format(&block, message.data_format);
    compare_columns(&block, &message.columns);
    let times: Vec<u64> = block_times(&block);
    let expected = |row: usize| message.start_time + row as u64 * u64::from(message.interval);
    assert!(times.iter().enumerate().all(|(row, time)| *time == expected(row)));
}

/// A synchro packet.
pub(crate) fn synchro(data: &[u8]) {
    let Some(block) = any_samples(PacketType::SynchroData, data) else { return };
    let Ok(message) = od::SynchroDataPacket::decode(data) else { return };
    compare_format(&block, message.data_format);
    compare_columns(&block, &message.columns);
    let mut now = message.start_time;
    for (row, time) in block_times(&block).into_iter().enumerate() {
        assert_eq!(time, now);
        now += u64::from(message.intervals.get(row).copied().unwrap_or(0));
    }
}

/// A packet of rows.
pub(crate) fn rows(data: &[u8]) {
    let Some(block) = any_samples(PacketType::RowData, data) else { return };
    let Ok(message) = od::RowDataPacket::decode(data) else { return };
    compare_format(&block, message.data_format);
    assert_eq!(block_times(&block), message.timestamps);
    assert_eq!(block.len(), message.rows.len());
    for (index, row) in message.rows.iter().enumerate() {
        use od::sample_row::List;
        let row: Vec<(Shown, u8)> = match &row.list {
            None => Vec::new(),
            Some(List::DoubleSamples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::Int32Samples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::BoolSamples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::StringSamples(list)) => {
                list.samples.iter().map(|s| shown(Shown::Text(s.value.clone()), s.status)).collect()
            }
        };
        assert_eq!(row.len(), block.width());
        for (column, (value, worth)) in row.into_iter().enumerate() {
            let read = cell(&block, column, index);
            // Rows of several types become doubles.
            let value = match (&read.0, value) {
                (Shown::Double(_), Shown::Int(value)) => f64::from(value).into(),
                (Shown::Double(_), Shown::Bool(value)) => f64::from(u8::from(value)).into(),
                (_, value) => value,
            };
            assert_eq!(read, (value, worth));
        }
    }
}

/// Samples that are made of the bytes, written, and read again.
pub(crate) fn written(data: &[u8]) {
    let Some((&[width, kinds, step, worth], values)) = data.split_first_chunk() else { return };
    let width = usize::from(width % 5) + 1;
    let rows = values.len() / 8 / width;
    let doubles: Vec<f64> = values.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let ints: Vec<i32> = doubles.iter().map(|value| value.to_bits() as i32).collect();
    let bools: Vec<bool> = ints.iter().map(|value| value % 2 == 0).collect();
    let texts: Vec<String> =
        ints.iter().map(|value| format!("{:.*}", (*value as usize) % 150, "°".repeat(150))).collect();
    let statuses: Vec<u8> = values.to_vec();
    // In row order or in column order.
    let (offset, stride) = if step % 2 == 0 { (1, width) } else { (rows, 1) };
    let one = |column: usize, kind: u8| {
        let at = column * offset;
        let listed: Vec<&str> = (0..rows).map(|row| texts[at + row * stride].as_str()).collect();
        (at, kind % 4, listed)
    };
    for mixed in [false, true] {
        let kinds: Vec<_> = (0..width).map(|c| one(c, if mixed { kinds >> (2 * (c % 4)) } else { kinds })).collect();
        let columns: Vec<ColumnRef<'_>> = kinds
            .iter()
            .map(|(at, kind, listed)| ColumnRef {
                values: match kind {
                    0 => ValuesRef::F64(Strided::new(&doubles, *at, stride, rows).unwrap()),
                    1 => ValuesRef::I32(Strided::new(&ints, *at, stride, rows).unwrap()),
                    2 => ValuesRef::Bool(Strided::new(&bools, *at, stride, rows).unwrap()),
                    _ => ValuesRef::Str(listed),
                },
                status: (worth % 2 == 1).then(|| Strided::new(&statuses, *at, stride, rows).unwrap()),
            })
            .collect();
        let format = FormatRef::Id(u64::from(step));
        let mut out = Vec::new();
        encode_periodic(&mut out, &format, 1, u32::from(step), &columns).unwrap();
        compare_given(&decode_samples(PacketType::PeriodicData, &out).unwrap(), &columns);
        periodic(&out);
        out.clear();
        encode_synchro(&mut out, &format, 1, &vec![u32::from(step); rows.saturating_sub(1)], &columns).unwrap();
        compare_given(&decode_samples(PacketType::SynchroData, &out).unwrap(), &columns);
        synchro(&out);
        out.clear();
        if !mixed {
            encode_rows(&mut out, &format, &vec![u64::from(step); rows], &columns).unwrap();
            rows_again(&out, rows, &columns);
        }
    }
}

fn rows_again(out: &[u8], rows: usize, columns: &[ColumnRef<'_>]) {
    let samples = decode_samples(PacketType::RowData, out).unwrap();
    assert_eq!(samples.times.len(), rows);
    // Without rows nobody says what the columns hold.
    if rows > 0 {
        compare_given(&samples, columns);
    }
    self::rows(out);
}

fn compare_given(samples: &Samples, columns: &[ColumnRef<'_>]) {
    assert_eq!(samples.columns.len(), columns.len());
    for (read, given) in samples.columns.iter().zip(columns) {
        match (&read.values, &given.values) {
            (Values::F64(read), ValuesRef::F64(given)) => {
                assert!(read.iter().map(|v| v.to_bits()).eq(given.iter().map(|v| v.to_bits())));
            }
            (Values::I32(read), ValuesRef::I32(given)) => assert!(read.iter().eq(given.iter())),
            (Values::Bool(read), ValuesRef::Bool(given)) => assert!(read.iter().eq(given.iter())),
            (Values::Str(read), ValuesRef::Str(given)) => assert!(read.iter().eq(given.iter())),
            (read, given) => panic!("{given:?} became {read:?}"),
        }
        let worth = |row: usize| given.status.and_then(|s| s.iter().nth(row).copied()).unwrap_or(status::VALID).min(3);
        let read_worth = |row: usize| read.status.as_ref().map_or(status::VALID, |status| status[row]);
        assert!((0..given.values.len()).all(|row| read_worth(row) == worth(row)));
    }
}

/// Decodes in all the ways there are; the block if the bytes are such a packet.
fn any_samples(kind: PacketType, data: &[u8]) -> Option<ColumnBlock> {
    let (mut decoder, mut block) = (Decoder::new(), ColumnBlock::new());
    let outcome = decoder.open(kind, data).and_then(|mut packet| packet.append_to(&mut block, Wanted::All));
    let held = decoder.bytes_held() + block.bytes_held();
    assert!(held <= FIXED + MULTIPLE * data.len(), "{held} bytes held for a packet of {}", data.len());
    let Ok(appended) = outcome else {
        assert!(block.is_empty() && block.width() == 0);
        return None;
    };
    assert_eq!(appended, Appended::Rows(block.len()));
    let samples = block.to_samples();

    // The same packet again: twice as many samples, or, in a block of something else, none.
    let again = decoder.open(kind, data).and_then(|mut packet| packet.append_to(&mut block, Wanted::All));
    if samples.times.is_empty() {
        assert!(again.is_ok() && block.is_empty());
    } else {
        assert_eq!(again, Ok(appended));
        let twice = block.to_samples();
        for (twice, once) in twice.columns.iter().zip(&samples.columns) {
            assert_eq!(twice.values.len(), 2 * once.values.len());
        }
    }
    block.clear();
    let again = decoder.open(kind, data).and_then(|mut packet| packet.append_to(&mut block, Wanted::All));
    assert_eq!(again, Ok(appended));
    assert_eq!(format!("{:?}", block.to_samples()), format!("{samples:?}"));

    // Some columns are the same columns.
    let some: Vec<u32> = (0..block.width() as u32).filter(|column| column % 3 == 1).collect();
    if !some.is_empty() {
        let mut part = ColumnBlock::new();
        let read = decoder.open(kind, data).and_then(|mut packet| packet.append_to(&mut part, Wanted::Columns(&some)));
        assert_eq!(read, Ok(appended));
        assert_eq!(part.selected(), some);
        for (column, &index) in some.iter().enumerate() {
            for row in 0..block.len() {
                assert_eq!(cell(&part, column, row), cell(&block, index as usize, row));
            }
        }
    }
    Some(block)
}

fn block_times(block: &ColumnBlock) -> Vec<u64> {
    match block.times() {
        Times::Ranges(ranges) => ranges.iter().flat_map(telewire::packet::TimeRange::iter).collect(),
        Times::Explicit(times) => times.to_vec(),
    }
}

/// A value that can be compared: doubles by their bits.
#[derive(Debug, PartialEq)]
enum Shown {
    Double(u64),
    Int(i32),
    Bool(bool),
    Text(String),
}

impl From<f64> for Shown {
    fn from(value: f64) -> Self {
        Self::Double(value.to_bits())
    }
}

impl From<i32> for Shown {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Shown {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A sample of prost's as the decoder shows it: statuses that the schema does not know are errors.
fn shown(value: Shown, worth: i32) -> (Shown, u8) {
    (value, if (0..=3).contains(&worth) { worth as u8 } else { status::ERROR })
}

fn cell(block: &ColumnBlock, column: usize, row: usize) -> (Shown, u8) {
    let value = match block.column(column).unwrap() {
        ColumnView::F64(values) => values[row].into(),
        ColumnView::I32(values) => values[row].into(),
        ColumnView::Bool(values) => values[row].into(),
        ColumnView::Str(values) => Shown::Text(values.get(row).unwrap().into()),
    };
    (value, block.column_status(column).map_or(status::VALID, |status| status[row]))
}

fn compare_format(block: &ColumnBlock, format: Option<od::SampleDataFormat>) {
    use od::sample_data_format::Format;
    match (block.format(), format.and_then(|format| format.format)) {
        (PacketFormat::Missing, None) => {}
        (PacketFormat::Id(id), Some(Format::DataFormatIdentifier(expected))) => assert_eq!(id, expected),
        (PacketFormat::Parameters(names), Some(Format::ParameterIdentifiers(list))) => {
            assert!(names.iter().eq(&list.parameter_identifiers));
        }
        (read, expected) => panic!("format {read:?}, but prost reads {expected:?}"),
    }
}

fn compare_columns(block: &ColumnBlock, columns: &[od::SampleColumn]) {
    use od::sample_column::List;
    assert_eq!(block.width(), columns.len());
    for (index, column) in columns.iter().enumerate() {
        let expected: Vec<(Shown, u8)> = match &column.list {
            None => Vec::new(),
            Some(List::DoubleSamples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::Int32Samples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::BoolSamples(list)) => list.samples.iter().map(|s| shown(s.value.into(), s.status)).collect(),
            Some(List::StringSamples(list)) => {
                list.samples.iter().map(|s| shown(Shown::Text(s.value.clone()), s.status)).collect()
            }
        };
        assert_eq!(block.len(), expected.len());
        for (row, expected) in expected.into_iter().enumerate() {
            assert_eq!(cell(block, index, row), expected);
        }
    }
}
