//! What must hold for any session that is merged, whatever arrives when.

use std::collections::BTreeMap;
use std::sync::Arc;

use telewire::packet::{
    ColumnBlock, ColumnRef, Decoder, FormatRef, PacketType, Strided, ValuesRef, Wanted, encode_periodic, encode_rows,
    status,
};
use telewire::pipeline::{MergeOptions, Merger, Other, OtherKind, Slide, SlideValues, Value};

const NAMES: [&str; 4] = ["b", "", "ä", "a"];

/// Numbers out of the bytes; zeros when there are none left.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// Times close to each other, now and then far away.
    fn time(&mut self) -> u64 {
        let (low, high) = (u64::from(self.next()), u64::from(self.next()));
        match high >> 6 {
            0 | 1 => 1000 + (high & 15) * 64 + low,
            2 => u64::MAX - low,
            _ => low << (high & 63),
        }
    }
}

/// What waits for its slide: by time and name what came last.
type Waiting = BTreeMap<(u64, &'static str), (Value, u8)>;

/// A merger, and what it is held against.
struct Session {
    options: MergeOptions,
    merger: Merger<usize>,
    waiting: Waiting,
    late: u64,
    others: usize,
    others_given: usize,
    end_ns: u64,
    finished: bool,
}

/// A session that is made of the bytes.
pub(crate) fn merge(data: &[u8]) {
    let mut bytes = Bytes(data);
    let window_ns = u64::from(bytes.next()) + 1;
    let window_ns = if window_ns > 200 { window_ns << 50 } else { window_ns };
    let options = MergeOptions::new(window_ns, u32::from(bytes.next() % 100) + 1).unwrap();
    let mut session = Session {
        options,
        merger: Merger::new(options),
        waiting: BTreeMap::new(),
        late: 0,
        others: 0,
        others_given: 0,
        end_ns: 0,
        finished: false,
    };
    while !bytes.0.is_empty() {
        session.step(&mut bytes);
    }
    session.finish();
}

impl Session {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.next();
        let stream = self.merger.stream(&["s", "t"][usize::from(what >> 7)].into());
        let mut out = Vec::new();
        match what % 8 {
            0 => {
                let kinds = [OtherKind::Event, OtherKind::Error, OtherKind::Can, OtherKind::Marker];
                let kind = kinds[usize::from(what >> 3) % 4];
                let other = Other { kind, identifier: "o".into(), time_ns: bytes.time(), item: self.others };
                self.others += 1;
                self.merger.other(stream, other, &mut out);
            }
            1 => self.merger.advance(stream, bytes.time(), &mut out),
            2 if what >> 3 == 0 => return self.finish(),
            _ => {
                let (names, block, times, samples) = packet(what, bytes);
                let ids: Vec<_> = names.iter().map(|&name| self.merger.parameter(&name.into())).collect();
                let frontier = self.merger.frontier().unwrap_or(0);
                for ((name, column), row) in
                    names.iter().zip(&samples).flat_map(|column| (0..times.len()).map(move |row| (column, row)))
                {
                    if times[row] < frontier {
                        self.late += 1;
                    } else {
                        self.waiting.insert((times[row], *name), column[row].clone());
                    }
                }
                self.merger.samples(stream, &ids, &block, &mut out);
            }
        }
        self.take(&out);
        if let (Some(clock), Some(frontier), false) = (self.merger.clock(), self.merger.frontier(), self.finished) {
            assert!(frontier <= clock && clock - frontier < self.options.window_ns);
            assert_eq!(frontier % self.options.slide_ns, 0);
        }
    }

    fn finish(&mut self) {
        let mut out = Vec::new();
        self.merger.finish(&mut out);
        self.take(&out);
        assert!(self.waiting.is_empty());
        assert_eq!(self.others, self.others_given);
        let counts = self.merger.counts();
        assert_eq!(counts.delivered + counts.late + counts.replaced, counts.received);
        assert_eq!((counts.late, self.merger.buffered().0), (self.late, 0));
        self.finished = true;
    }

    /// Slides follow each other, and each holds just what waited for it.
    fn take(&mut self, slides: &[Slide<usize>]) {
        for slide in slides {
            let (start, end) = (slide.start_ns(), slide.end_ns());
            assert!(start >= self.end_ns && !slide.is_empty());
            assert!(end == u64::MAX || end - start == self.options.slide_ns);
            self.end_ns = end;
            let mut given: Waiting = BTreeMap::new();
            let mut before: Option<&Arc<str>> = None;
            for column in slide.columns() {
                assert!(before < Some(column.name) && column.times.is_sorted_by(|a, b| a < b));
                before = Some(column.name);
                let name = *NAMES.iter().find(|name| ***name == **column.name).unwrap();
                for (row, &time) in column.times.iter().enumerate() {
                    assert!(time >= start && (time < end || end == u64::MAX));
                    let worth = column.status.map_or(status::VALID, |status| status[row]);
                    given.insert((time, name), (value(column.values, row), worth));
                }
            }
            // Only the slide of the very last time has an end that belongs to it.
            let last = start.checked_add(self.options.slide_ns).is_none();
            let later = if last { BTreeMap::new() } else { self.waiting.split_off(&(end, "")) };
            let due = std::mem::replace(&mut self.waiting, later);
            assert_eq!(given, due);
            self.others_given += slide.others().len();
        }
    }
}

fn value(values: SlideValues<'_>, row: usize) -> Value {
    match values {
        SlideValues::F64(values) => Value::F64(values[row]),
        SlideValues::I32(values) => Value::I32(values[row]),
        SlideValues::Bool(values) => Value::Bool(values[row]),
        SlideValues::Str(values) => Value::Str(values[row].clone()),
        SlideValues::Mixed(values) => values[row].clone(),
    }
}

/// Parameters, block, times, and the columns once more.
type Made = (Vec<&'static str>, ColumnBlock, Vec<u64>, Vec<Vec<(Value, u8)>>);

/// A packet of rows or a periodic one, of columns of one type.
fn packet(what: u8, bytes: &mut Bytes<'_>) -> Made {
    let shape = bytes.next();
    let (width, rows) = (usize::from(shape % 4) + 1, usize::from(shape >> 2) % 12 + 1);
    let names: Vec<&'static str> = (0..width).map(|_| NAMES[usize::from(bytes.next() % 4)]).collect();
    let periodic = what % 8 > 4;
    let times: Vec<u64> = if periodic {
        let (start, interval) = (bytes.time().min(u64::MAX - 12 * 255), u64::from(bytes.next()));
        (0..rows as u64).map(|row| start + row * interval).collect()
    } else {
        (0..rows).map(|_| bytes.time()).collect()
    };
    let draws: Vec<u8> = (0..width * rows).map(|_| bytes.next()).collect();
    let worth = shape >> 7 == 1;
    let statuses: Vec<u8> = draws.iter().map(|draw| draw % 4).collect();
    let doubles: Vec<f64> = draws.iter().copied().map(f64::from).collect();
    let ints: Vec<i32> = draws.iter().copied().map(i32::from).collect();
    let bools: Vec<bool> = draws.iter().map(|draw| draw % 2 == 0).collect();
    let texts: Vec<String> = draws.iter().map(|draw| (draw / 64).to_string()).collect();
    let listed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let kind = (what >> 3) % 4;
    let columns: Vec<ColumnRef<'_>> = (0..width)
        .map(|column| ColumnRef {
            values: match kind {
                0 => ValuesRef::F64(Strided::new(&doubles, column * rows, 1, rows).unwrap()),
                1 => ValuesRef::I32(Strided::new(&ints, column * rows, 1, rows).unwrap()),
                2 => ValuesRef::Bool(Strided::new(&bools, column * rows, 1, rows).unwrap()),
                _ => ValuesRef::Str(&listed[column * rows..(column + 1) * rows]),
            },
            status: worth.then(|| Strided::new(&statuses, column * rows, 1, rows).unwrap()),
        })
        .collect();
    let (format, mut content) = (FormatRef::Id(1), Vec::new());
    let kind_of_packet = if periodic {
        let interval = times.get(1).map_or(0, |next| next - times[0]);
        encode_periodic(&mut content, &format, times[0], interval as u32, &columns).unwrap();
        PacketType::PeriodicData
    } else {
        encode_rows(&mut content, &format, &times, &columns).unwrap();
        PacketType::RowData
    };
    let mut block = ColumnBlock::new();
    Decoder::new().open(kind_of_packet, &content).unwrap().append_to(&mut block, Wanted::All).unwrap();
    let sample = |at: usize| {
        let value = match kind {
            0 => Value::F64(doubles[at]),
            1 => Value::I32(ints[at]),
            2 => Value::Bool(bools[at]),
            _ => Value::Str(texts[at].as_str().into()),
        };
        (value, if worth { statuses[at] } else { status::VALID })
    };
    let samples = (0..width).map(|column| (0..rows).map(|row| sample(column * rows + row)).collect()).collect();
    (names, block, times, samples)
}
