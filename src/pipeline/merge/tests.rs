#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Model, Sample, Shown, state_of};
use super::*;
use crate::packet::{
    ColumnRef, Decoder, FormatRef, PacketType, Strided, ValuesRef, Wanted, encode_periodic, encode_rows, status,
};
use crate::pipeline::{SlideValues, Value};

const MS: u64 = 1_000_000;

/// A column of a packet: its parameter, values of one type, and what each is worth.
#[derive(Debug, Clone)]
struct Column {
    name: &'static str,
    values: Vec<Value>,
    status: Option<Vec<u8>>,
}

/// When the samples of a packet were taken.
#[derive(Debug, Clone)]
enum PacketTime {
    /// A periodic packet for each of start, interval and length.
    Ranges(Vec<(u64, u32, usize)>),
    /// A packet of rows.
    Rows(Vec<u64>),
}

impl PacketTime {
    fn times(&self) -> Vec<u64> {
        match self {
            Self::Rows(times) => times.clone(),
            Self::Ranges(ranges) => ranges
                .iter()
                .flat_map(|&(start, interval, len)| (0..len as u64).map(move |i| start + i * u64::from(interval)))
                .collect(),
        }
    }
}

/// Columns as the decoder gives them, by way of the wire.
fn block(time: &PacketTime, columns: &[Column]) -> ColumnBlock {
    let mut block = ColumnBlock::new();
    let mut append = |kind: PacketType, write: &dyn Fn(&mut Vec<u8>, &[ColumnRef<'_>]), rows: Range<usize>| {
        macro_rules! of {
            ($kind:ident) => {
                |column: &Column| {
                    let of = |value: &Value| if let Value::$kind(value) = value { value.clone() } else { panic!() };
                    column.values[rows.clone()].iter().map(of).collect::<Vec<_>>()
                }
            };
        }
        let (doubles, ints, bools, texts) = (of!(F64), of!(I32), of!(Bool), of!(Str));
        let leaked: Vec<ColumnRef<'static>> = columns
            .iter()
            .map(|column| ColumnRef {
                values: match column.values.get(rows.start) {
                    Some(Value::I32(_)) => ValuesRef::I32(Strided::from(&*ints(column).leak())),
                    Some(Value::Bool(_)) => ValuesRef::Bool(Strided::from(&*bools(column).leak())),
                    Some(Value::Str(_)) => {
                        let texts: Vec<&str> =
                            texts(column).into_iter().map(|text| &*text.to_string().leak()).collect();
                        ValuesRef::Str(texts.leak())
                    }
                    _ => ValuesRef::F64(Strided::from(&*doubles(column).leak())),
                },
                status: column.status.as_ref().map(|status| Strided::from(&*status[rows.clone()].to_vec().leak())),
            })
            .collect();
        let mut bytes = Vec::new();
        write(&mut bytes, &leaked);
        Decoder::new().open(kind, &bytes).unwrap().append_to(&mut block, Wanted::All).unwrap();
    };
    let format = FormatRef::Id(1);
    match time {
        PacketTime::Rows(times) => append(
            PacketType::RowData,
            &|out, columns| encode_rows(out, &format, times, columns).unwrap(),
            0..times.len(),
        ),
        PacketTime::Ranges(ranges) => {
            let mut at = 0;
            for &(start, interval, len) in ranges {
                append(
                    PacketType::PeriodicData,
                    &|out, columns| encode_periodic(out, &format, start, interval, columns).unwrap(),
                    at..at + len,
                );
                at += len;
            }
        }
    }
    assert_eq!(block.len(), time.times().len());
    block
}

/// A merger and the slides it gave out.
struct Run {
    merger: Merger<usize>,
    out: Vec<Slide<usize>>,
}

impl Run {
    fn new(window_ns: u64, percent: u32) -> Self {
        Self { merger: Merger::new(MergeOptions::new(window_ns, percent).unwrap()), out: Vec::new() }
    }

    fn packet(&mut self, stream: &str, time: &PacketTime, columns: &[Column]) {
        let stream = self.merger.stream(&stream.into());
        let parameters: Vec<_> = columns.iter().map(|column| self.merger.parameter(&column.name.into())).collect();
        self.merger.samples(stream, &parameters, &block(time, columns), &mut self.out);
    }

    /// One parameter's doubles.
    fn rows(&mut self, stream: &str, name: &'static str, samples: &[(u64, f64)]) {
        let values = samples.iter().map(|sample| Value::F64(sample.1)).collect();
        let times = PacketTime::Rows(samples.iter().map(|sample| sample.0).collect());
        self.packet(stream, &times, &[Column { name, values, status: None }]);
    }

    fn other(&mut self, kind: OtherKind, identifier: &str, time_ns: u64, item: usize) {
        let stream = self.merger.stream(&"others".into());
        self.merger.other(stream, Other { kind, identifier: identifier.into(), time_ns, item }, &mut self.out);
    }

    fn finish(&mut self) {
        self.merger.finish(&mut self.out);
    }

    /// What was given out since the last call.
    fn take(&mut self) -> Vec<Shown> {
        let shown = self.out.iter().map(Shown::of).collect();
        self.out.clear();
        shown
    }
}

fn doubles(name: &str, samples: &[(u64, f64)]) -> (String, Vec<u64>, Vec<Value>, Vec<u8>) {
    let (times, values) = samples.iter().map(|&(time, value)| (time * MS, Value::F64(value))).unzip();
    (name.to_owned(), times, values, vec![status::VALID; samples.len()])
}

fn slide(start: u64, end: u64, columns: &[(&str, &[(u64, f64)])]) -> Shown {
    let columns = columns.iter().map(|(name, samples)| doubles(name, samples)).collect();
    Shown { start_ns: start * MS, end_ns: end * MS, columns, others: Vec::new() }
}

#[test]
fn the_worked_example_of_two_streams_comes_out_bit_for_bit() {
    let mut run = Run::new(1000 * MS, 20);
    let periodic = |run: &mut Run, start: u64, first: u32| {
        let values = (first..first + 5).map(|value| Value::F64(value.into())).collect();
        let time = PacketTime::Ranges(vec![(start * MS, 100 * MS as u32, 5)]);
        run.packet("s1", &time, &[Column { name: "A", values, status: None }]);
    };
    let rows = |run: &mut Run, samples: [(u64, f64); 2]| {
        run.rows("s2", "B", &samples.map(|(time, value)| (time * MS, value)));
    };
    periodic(&mut run, 1000, 0);
    rows(&mut run, [(1050, 20.0), (1250, 21.0)]);
    periodic(&mut run, 1500, 5);
    assert_eq!((run.merger.clock(), run.merger.frontier()), (Some(1900 * MS), None));
    rows(&mut run, [(1450, 22.0), (1650, 23.0)]);
    assert_eq!(run.take(), []);
    periodic(&mut run, 2000, 10);
    assert_eq!(
        run.take(),
        [
            slide(1000, 1200, &[("A", &[(1000, 0.0), (1100, 1.0)]), ("B", &[(1050, 20.0)])]),
            slide(1200, 1400, &[("A", &[(1200, 2.0), (1300, 3.0)]), ("B", &[(1250, 21.0)])]),
            slide(1400, 1600, &[("A", &[(1400, 4.0), (1500, 5.0)]), ("B", &[(1450, 22.0)])]),
        ]
    );
    assert_eq!((run.merger.clock(), run.merger.frontier()), (Some(2400 * MS), Some(1600 * MS)));
    rows(&mut run, [(1850, 24.0), (950, 99.0)]);
    assert_eq!(run.take(), []);
    assert_eq!(run.merger.late_by_stream().collect::<Vec<_>>(), [(&"s2".into(), 1)]);
    let last: Vec<_> = run.merger.last_times().map(|(name, time)| (name.to_string(), time)).collect();
    assert_eq!(last, [("s1".to_owned(), 2400 * MS), ("s2".to_owned(), 1850 * MS)]);
    run.finish();
    assert_eq!(
        run.take(),
        [
            slide(1600, 1800, &[("A", &[(1600, 6.0), (1700, 7.0)]), ("B", &[(1650, 23.0)])]),
            slide(1800, 2000, &[("A", &[(1800, 8.0), (1900, 9.0)]), ("B", &[(1850, 24.0)])]),
            slide(2000, 2200, &[("A", &[(2000, 10.0), (2100, 11.0)])]),
            slide(2200, 2400, &[("A", &[(2200, 12.0), (2300, 13.0)])]),
            slide(2400, 2600, &[("A", &[(2400, 14.0)])]),
        ]
    );
    assert_eq!(run.merger.frontier(), Some(2600 * MS));
    let counts = run.merger.counts();
    assert_eq!((counts.received, counts.delivered, counts.late, counts.replaced), (21, 20, 1, 0));
}

#[test]
fn the_length_of_a_slide_is_a_part_of_the_window_and_never_nothing() {
    assert_eq!(MergeOptions::new(3_000_000_000, 5).unwrap().slide_ns, 150_000_000);
    assert_eq!(MergeOptions::new(99, 1).unwrap().slide_ns, 1);
    assert_eq!(MergeOptions::new(u64::MAX, 100).unwrap().slide_ns, u64::MAX);
    for (window, percent) in [(0, 5), (1, 0), (1, 101)] {
        assert!(matches!(MergeOptions::new(window, percent), Err(Error::Invalid(_))));
    }
}

#[test]
fn a_gap_of_centuries_takes_no_longer_than_one_of_a_second() {
    let mut run = Run::new(100, 1);
    run.rows("s", "a", &[(5, 1.0)]);
    run.rows("s", "a", &[(u64::MAX - 1000, 2.0)]);
    let stream = run.merger.stream(&"s".into());
    run.merger.advance(stream, u64::MAX, &mut run.out);
    assert_eq!(run.take().iter().map(|slide| slide.start_ns).collect::<Vec<_>>(), [5, u64::MAX - 1000]);
    assert_eq!(run.merger.frontier(), Some(u64::MAX - 99));
    run.other(OtherKind::Marker, "Marker", u64::MAX, 1);
    run.finish();
    assert_eq!(run.take().len(), 1);
}

#[test]
fn the_first_and_the_last_time_there_is_have_their_slides() {
    let mut run = Run::new(1000, 10);
    run.rows("s", "a", &[(0, 1.0), (u64::MAX, 2.0)]);
    run.other(OtherKind::Marker, "Marker", u64::MAX, 7);
    run.finish();
    let slides = run.take();
    let last = u64::MAX / 100 * 100;
    assert_eq!(slides.iter().map(|s| (s.start_ns, s.end_ns)).collect::<Vec<_>>(), [(0, 100), (last, u64::MAX)]);
    assert_eq!(slides[1].columns[0].1, [u64::MAX]);
    assert_eq!(slides[1].others.len(), 1);
    assert_eq!(run.merger.counts().delivered, 2);
    // Whatever comes after the end is late or given out, and breaks nothing.
    run.rows("s", "a", &[(0, 1.0), (u64::MAX, 2.0)]);
    run.finish();
    let counts = run.merger.counts();
    assert_eq!(counts.delivered + counts.late + counts.replaced, counts.received);
}

#[test]
fn a_later_sample_of_the_same_time_replaces_value_type_and_status() {
    let mut run = Run::new(100, 10);
    let at = |times: &[u64]| PacketTime::Rows(times.to_vec());
    let bad = Column { name: "a", values: vec![Value::F64(1.0), Value::F64(2.0)], status: Some(vec![3, 1]) };
    run.packet("s", &at(&[5, 6]), &[bad]);
    run.packet("t", &at(&[5]), &[Column { name: "a", values: vec![Value::I32(7)], status: None }]);
    run.finish();
    let mixed = vec![Value::I32(7), Value::F64(2.0)];
    assert_eq!(run.take()[0].columns, [("a".to_owned(), vec![5, 6], mixed, vec![1, 1])]);
    assert_eq!(run.merger.counts().replaced, 1);

    // All of one type again: no longer mixed, which `Shown` checks.
    run.packet("s", &at(&[25, 26]), &[Column { name: "a", values: vec![Value::Bool(true); 2], status: None }]);
    run.packet("s", &at(&[25, 26]), &[Column { name: "a", values: vec![Value::I32(8); 2], status: Some(vec![2; 2]) }]);
    run.finish();
    assert_eq!(run.take()[0].columns, [("a".to_owned(), vec![25, 26], vec![Value::I32(8); 2], vec![2, 2])]);
}

#[test]
fn a_parameter_named_twice_in_a_packet_keeps_its_last_column() {
    let mut run = Run::new(100, 10);
    let column = |name, value| Column { name, values: vec![Value::F64(value); 3], status: None };
    let time = PacketTime::Rows(vec![3, 1, 3]);
    run.packet("s", &time, &[column("b", 1.0), column("a", 2.0), column("b", 3.0)]);
    run.finish();
    let slides = run.take();
    assert_eq!(slides[0].columns[1].2, [Value::F64(3.0), Value::F64(3.0)]);
    let counts = run.merger.counts();
    assert_eq!((counts.received, counts.delivered, counts.replaced), (9, 4, 5));
}

#[test]
fn doubles_keep_their_bits() {
    let odd = [f64::from_bits(0x7ff8_dead_beef_0001), -0.0, f64::NEG_INFINITY];
    let mut run = Run::new(100, 10);
    run.rows("s", "a", &[(3, odd[2]), (2, odd[1])]);
    run.rows("s", "a", &[(1, odd[0])]);
    run.finish();
    let SlideValues::F64(values) = run.out[0].column(0).unwrap().values else { panic!("no doubles") };
    assert!(values.iter().map(|value| value.to_bits()).eq(odd.map(f64::to_bits)));
}

#[test]
fn what_is_no_sample_and_late_joins_the_next_slide_even_alone() {
    let mut run = Run::new(100, 10);
    run.rows("s", "a", &[(1000, 1.0)]);
    run.rows("s", "a", &[(1150, 2.0)]);
    assert_eq!(run.take().len(), 1);
    assert_eq!(run.merger.frontier(), Some(1060));
    run.other(OtherKind::Marker, "Marker", 3, 1);
    run.other(OtherKind::Event, "late", 2, 2);
    run.other(OtherKind::Event, "due", 1061, 3);
    assert_eq!(run.take(), []);
    run.rows("s", "a", &[(1160, 2.0)]);
    let slides = run.take();
    assert_eq!((slides.len(), slides[0].start_ns, slides[0].end_ns), (1, 1060, 1070));
    assert_eq!(slides[0].others.iter().map(|other| other.item).collect::<Vec<_>>(), [3, 2, 1]);
    let counts = run.merger.counts();
    assert_eq!((counts.others, counts.late_others, counts.late), (3, 2, 0));
}

#[test]
fn others_come_by_kind_identifier_time_and_arrival() {
    let mut run = Run::new(1000, 100);
    let others = [
        (OtherKind::Marker, "Marker", 7, 0),
        (OtherKind::Can, "CAN", 9, 1),
        (OtherKind::Error, "b", 1, 2),
        (OtherKind::Event, "z", 1, 3),
        (OtherKind::Event, "a", 8, 4),
        (OtherKind::Event, "a", 8, 5),
        (OtherKind::Event, "a", 2, 6),
        (OtherKind::Can, "CAN", 3, 7),
        (OtherKind::Marker, "Marker", 2, 8),
    ];
    for (kind, identifier, time, item) in others {
        run.other(kind, identifier, time, item);
    }
    run.finish();
    let slides = run.take();
    assert_eq!(slides[0].others.iter().map(|other| other.item).collect::<Vec<_>>(), [6, 4, 5, 3, 2, 7, 1, 8, 0]);
}

#[test]
fn markers_do_not_move_the_clock_and_others_do_not_begin_the_slides() {
    let mut run = Run::new(100, 10);
    run.other(OtherKind::Event, "e", 5, 0);
    run.rows("s", "a", &[(1000, 1.0)]);
    run.other(OtherKind::Marker, "Marker", 9000, 1);
    assert_eq!((run.merger.clock(), run.merger.frontier(), run.take()), (Some(1000), None, vec![]));
    run.other(OtherKind::Can, "CAN", 1100, 2);
    let slides = run.take();
    assert_eq!((slides.len(), slides[0].start_ns, slides[0].others[0].item), (1, 1000, 0));
    run.finish();
    assert_eq!(run.take().iter().map(|slide| slide.start_ns).collect::<Vec<_>>(), [1100, 9000]);
    assert_eq!(run.merger.frontier(), Some(9010));
}

#[test]
fn late_and_rejected_packets_move_the_clock() {
    let mut run = Run::new(100, 10);
    run.rows("s", "a", &[(1000, 1.0)]);
    // Nothing but late samples, but of another stream: its own clock stands where its samples are.
    run.rows("s", "a", &[(2000, 1.0)]);
    run.rows("t", "a", &[(500, 1.0), (600, 1.0)]);
    assert_eq!(run.merger.last_times().map(|(_, time)| time).collect::<Vec<_>>(), [2000, 600]);
    let stream = run.merger.stream(&"s".into());
    run.merger.advance(stream, 3000, &mut run.out);
    assert_eq!(run.merger.frontier(), Some(2910));
    // Fewer parameters than columns.
    let time = PacketTime::Rows(vec![4000]);
    let column = Column { name: "a", values: vec![Value::F64(1.0)], status: None };
    run.merger.samples(stream, &[], &block(&time, &[column]), &mut run.out);
    assert_eq!((run.merger.clock(), run.merger.frontier()), (Some(4000), Some(3910)));
    let counts = run.merger.counts();
    assert_eq!((counts.received, counts.delivered, counts.late, counts.rejected), (4, 2, 2, 2));
}

#[test]
fn samples_that_are_passed_over_let_the_others_out_as_if_they_were_there() {
    let mut run = Run::new(100, 10);
    let stream = run.merger.stream(&"s".into());
    run.other(OtherKind::Marker, "Marker", 1055, 1);
    run.merger.pass_over(stream, Some(1043), 1050, &mut run.out);
    assert_eq!((run.take().len(), run.merger.frontier()), (0, None));
    run.merger.pass_over(stream, None, 1150, &mut run.out);
    let slides = run.take();
    assert_eq!((slides.len(), slides[0].start_ns, slides[0].others[0].item), (1, 1050, 1));
    assert_eq!(run.merger.frontier(), Some(1060));
    let counts = run.merger.counts();
    assert_eq!((counts.received, counts.others, counts.rejected), (0, 1, 0));
}

#[test]
fn a_session_of_many_windows_holds_no_more_memory_than_one_of_few() {
    let mut run = Run::new(3000, 5);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut held = Vec::new();
    for packet in 0..2000_u64 {
        let columns = names.map(|name| Column { name, values: vec![Value::F64(1.0); 20], status: None });
        run.packet("s", &PacketTime::Ranges(vec![(packet * 200, 10, 20)]), &columns);
        run.out.clear();
        if packet % 500 == 499 {
            held.push(run.merger.buffered());
        }
    }
    assert_eq!(run.merger.counts().late, 0);
    // A window and a packet at most, and beside a fixed part for each value no more than it and its time take.
    let most = names.len() * (3000 + 200) / 10;
    assert!(held.iter().all(|&(samples, bytes)| samples <= most && bytes < 16 * most + 16_384), "{held:?}");
    assert!(held.iter().all(|&(_, bytes)| bytes < held[0].1 + held[0].1 / 10), "{held:?}");
    // A burst is forgotten.
    let columns = names.map(|name| Column { name, values: vec![Value::F64(1.0); 5000], status: None });
    run.packet("s", &PacketTime::Ranges(vec![(400_000, 1, 5000)]), &columns);
    let burst = run.merger.buffered().1;
    for packet in 2030..2200_u64 {
        let columns = names.map(|name| Column { name, values: vec![Value::F64(1.0); 20], status: None });
        run.packet("s", &PacketTime::Ranges(vec![(packet * 200, 10, 20)]), &columns);
        run.out.clear();
    }
    let after = run.merger.buffered().1;
    assert!(after < 3 * held[0].1 && after < burst / 2, "{after} of {burst}, before it {held:?}");
}

#[test]
fn a_packet_sent_again_and_again_takes_no_more_memory() {
    let mut run = Run::new(100_000, 100);
    let columns = ["a", "b"].map(|name| Column { name, values: vec![Value::F64(1.0); 500], status: None });
    let mut most = 0;
    for round in 0..1000 {
        run.packet("s", &PacketTime::Ranges(vec![(0, 10, 500)]), &columns);
        let (samples, bytes) = run.merger.buffered();
        assert!(round < 10 || samples < 10 * 1000, "{samples} samples");
        most = most.max(bytes);
    }
    assert!(most < 1 << 20, "{most} bytes");
    run.finish();
    let counts = run.merger.counts();
    assert_eq!((counts.received, counts.delivered, counts.replaced), (1_000_000, 1000, 999_000));
}

#[test]
fn a_large_slide_of_mixed_types_that_are_replaced_is_given_out_in_one_type() {
    let mut run = Run::new(100_000, 100);
    let one = |value| [Column { name: "b", values: vec![value], status: None }];
    run.packet("s", &PacketTime::Rows(vec![1]), &one(Value::F64(-1.0)));
    run.packet("s", &PacketTime::Rows(vec![2]), &one(Value::I32(7)));
    // So many that it is sorted ahead of time, with "b" mixed.
    let many: Vec<_> = (0..60).map(|row| (row, row as f64)).collect();
    run.rows("s", "a", &many);
    run.packet("s", &PacketTime::Rows(vec![2]), &one(Value::F64(-2.0)));
    run.finish();
    let columns = &run.take()[0].columns;
    assert_eq!(columns[0].2, many.iter().map(|row| Value::F64(row.1)).collect::<Vec<_>>());
    assert_eq!(columns[1].2, [Value::F64(-1.0), Value::F64(-2.0)]);
}

const NAMES: [&str; 5] = ["vCar", "", "a", "ä", "nEngine"];
const STREAMS: [&str; 3] = ["s", "", "t"];

/// What may happen in a session. Times count from a base.
#[derive(Debug, Clone)]
enum Step {
    Packet { stream: usize, time: PacketTime, columns: Vec<(usize, u8, Option<Vec<u8>>)> },
    Other { stream: usize, kind: OtherKind, identifier: usize, time: u64 },
    Advance { stream: usize, time: u64 },
    Finish,
}

fn any_step(horizon: u64) -> impl Strategy<Value = Step> {
    // Packets of one block have the same interval.
    let ranges = (0_u32..7, vec((0..horizon, 1_usize..12), 1..3))
        .prop_map(|(interval, ranges)| ranges.into_iter().map(|(start, len)| (start, interval, len)).collect());
    let time = prop_oneof![
        3 => ranges.prop_map(PacketTime::Ranges),
        1 => vec(0..horizon, 1..12).prop_map(PacketTime::Rows),
        1 => vec(0..horizon, 1..12).prop_map(|mut times| { times.sort_unstable(); PacketTime::Rows(times) }),
    ];
    let column = (0..NAMES.len(), 0_u8..4, proptest::option::weighted(0.3, vec(0_u8..4, 40)));
    let kind =
        prop_oneof![Just(OtherKind::Event), Just(OtherKind::Error), Just(OtherKind::Can), Just(OtherKind::Marker)];
    let stream = 0..STREAMS.len();
    prop_oneof![
        12 => (stream.clone(), time, vec(column, 1..6)).prop_map(|(stream, time, columns)| Step::Packet { stream, time, columns }),
        3 => (stream.clone(), kind, 0_usize..3, 0..horizon + 50)
            .prop_map(|(stream, kind, identifier, time)| Step::Other { stream, kind, identifier, time }),
        1 => (stream, 0..horizon).prop_map(|(stream, time)| Step::Advance { stream, time }),
        1 => Just(Step::Finish),
    ]
}

/// A value that tells its arrival.
fn value(kind: u8, number: usize) -> Value {
    match kind {
        0 => Value::F64(number as f64),
        1 => Value::I32(number as i32),
        2 => Value::Bool(number.is_multiple_of(2)),
        _ => Value::Str((number / 3).to_string().into()),
    }
}

/// Does the same with the merger and the model; they must agree after every step.
fn compare(options: MergeOptions, base: u64, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model::new(options);
    let mut run = Run { merger: Merger::new(options), out: Vec::new() };
    let mut number = 0;
    let mut given = Vec::new();
    for step in steps {
        match step.clone() {
            Step::Packet { stream, time, columns } => {
                let time = match time {
                    PacketTime::Rows(times) => PacketTime::Rows(times.iter().map(|time| base + time).collect()),
                    PacketTime::Ranges(ranges) => {
                        PacketTime::Ranges(ranges.iter().map(|&(start, step, len)| (base + start, step, len)).collect())
                    }
                };
                let times = time.times();
                let first_kind = columns[0].1;
                let mut made = Vec::new();
                let mut samples: Vec<Sample<'_>> = Vec::new();
                for (name, kind, worth) in columns {
                    // Rows are of one type each; here all are of the same.
                    let kind = if matches!(time, PacketTime::Rows(_)) { first_kind } else { kind };
                    let values: Vec<Value> = (0..times.len()).map(|row| value(kind, number + row)).collect();
                    number += times.len();
                    let status = worth.map(|worth| worth[..times.len()].to_vec());
                    for (row, &time) in times.iter().enumerate() {
                        let worth = status.as_ref().map_or(status::VALID, |status| status[row]);
                        samples.push((NAMES[name], time, values[row].clone(), worth));
                    }
                    made.push(Column { name: NAMES[name], values, status });
                }
                run.packet(STREAMS[stream], &time, &made);
                model.packet(STREAMS[stream], &samples, &times);
            }
            Step::Other { stream, kind, identifier, time } => {
                let identifier = match kind {
                    OtherKind::Can => "CAN",
                    OtherKind::Marker => "Marker",
                    _ => NAMES[identifier],
                };
                let other = Other { kind, identifier: identifier.into(), time_ns: base + time, item: number };
                number += 1;
                let id = run.merger.stream(&STREAMS[stream].into());
                run.merger.other(id, other.clone(), &mut run.out);
                model.other(STREAMS[stream], other);
            }
            Step::Advance { stream, time } => {
                let id = run.merger.stream(&STREAMS[stream].into());
                run.merger.advance(id, base + time, &mut run.out);
                model.advance(STREAMS[stream], base + time);
            }
            Step::Finish => {
                run.finish();
                model.finish();
                let counts = run.merger.counts();
                prop_assert_eq!(counts.delivered + counts.late + counts.replaced, counts.received);
            }
        }
        given.extend(run.take());
        prop_assert_eq!(&given[..], model.slides());
        let (mut ours, theirs) = (state_of(&run.merger), model.state());
        // What will be replaced may still count as buffered.
        let (buffered, waiting) = (run.merger.buffered().0 as u64, model.buffered() as u64);
        prop_assert_eq!(ours.0.replaced + buffered, theirs.0.replaced + waiting);
        prop_assert!(buffered >= waiting);
        ours.0.replaced = theirs.0.replaced;
        prop_assert_eq!(ours, theirs);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_session_comes_out_as_the_rule_says(
        window in 1_u64..60,
        percent in 1_u32..=100,
        steps in vec(any_step(200), 1..40),
        far in any::<bool>(),
    ) {
        let steps: Vec<Step> = steps.into_iter().chain([Step::Finish]).collect();
        // Beyond the horizon come ranges and markers; the last slide ends behind them.
        let base = if far { u64::MAX - 500 } else { 1000 };
        compare(MergeOptions::new(window, percent).unwrap(), base, &steps)?;
    }

    #[test]
    fn any_arrival_order_within_the_window_gives_the_same_slides_in_any_packets(
        window in 1_u64..100,
        percent in 1_u32..=100,
        times in vec((0_u64..400, 0_usize..NAMES.len(), any::<u64>(), any::<u64>()), 1..200),
        cuts in vec(1_usize..9, 200),
    ) {
        let options = MergeOptions::new(window, percent).unwrap();
        // No sample twice.
        let mut samples: BTreeMap<(u64, usize), (u64, u64)> = BTreeMap::new();
        for (time, name, a, b) in times {
            samples.insert((time, name), (a, b));
        }
        let slack = options.window_ns - options.slide_ns + 1;
        // Whoever arrives after another one was taken at most the slack before it.
        let arrival = |jitter: fn(&(u64, u64)) -> u64, packed: bool| {
            let mut order: Vec<_> = samples.iter().map(|(key, draw)| (key.0 + jitter(draw) % slack, *key)).collect();
            order.sort_unstable();
            let mut run = Run::new(window, percent);
            let (mut at, mut cuts) = (0, cuts.iter());
            while at < order.len() {
                let (name, most) = (order[at].1.1, if packed { *cuts.next().unwrap() } else { 1 });
                let alike = order[at..].iter().take(most).take_while(|sample| sample.1.1 == name);
                let rows: Vec<_> = alike.map(|sample| (sample.1.0, (sample.1.0 * 7 + name as u64) as f64)).collect();
                run.rows(STREAMS[at % 3], NAMES[name], &rows);
                at += rows.len();
            }
            run.finish();
            (run.take(), run.merger.counts())
        };
        let (in_order, counts) = arrival(|_| 0, false);
        prop_assert_eq!((counts.received, counts.delivered), (samples.len() as u64, samples.len() as u64));
        for (jitter, packed) in [((|draw| draw.0) as fn(&(u64, u64)) -> u64, false), (|draw| draw.1, true), (|_| 0, true)] {
            let (slides, counts) = arrival(jitter, packed);
            prop_assert_eq!(&slides, &in_order);
            prop_assert_eq!((counts.late, counts.delivered), (0, samples.len() as u64));
        }
    }
}
