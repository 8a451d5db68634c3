//! Merging columns of packets into slides, on one core, samples already in memory.
//!
//! `cargo bench --no-default-features --bench merge`; see benches/README.md.
#![allow(missing_docs, unreachable_pub, dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod measuring;

use std::sync::Arc;

use measuring::{Contestant, Options, Random, Report, keep, timed};
use serde_json::json;
use telewire::packet::{
    ColumnBlock, ColumnRef, Decoder, FormatRef, PacketType, Strided, ValuesRef, Wanted, encode_periodic, encode_rows,
};
use telewire::pipeline::{MergeOptions, Merger, ParameterId, StreamId};

const NS_PER_S: u64 = 1_000_000_000;
/// A multiple of the slides' length, so that the first one is whole.
const BEGIN_NS: u64 = 1_700_000_100 * NS_PER_S;
const WINDOW_NS: u64 = 3 * NS_PER_S;
const PERCENT: u32 = 5;

/// What a session looks like.
#[derive(Clone, Copy)]
struct Shape {
    parameters: usize,
    rate_hz: u64,
    /// Of each packet; parameters are shared out among so many formats.
    columns: usize,
    rows: usize,
    order: Order,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Periodic packets in order.
    Time,
    /// Periodic packets, those of each two seconds in turned order.
    Turned,
    /// Packets of rows, the last row first.
    RowsTurned,
    /// Every sample twice.
    Twice,
}

impl Shape {
    fn interval_ns(self) -> u64 {
        NS_PER_S / self.rate_hz
    }

    /// Samples of one packet of each format.
    fn samples_a_turn(self) -> usize {
        self.parameters * self.rows
    }

    fn formats(self) -> usize {
        self.parameters / self.columns
    }
}

/// Makes packets of a shape and reads them into blocks.
struct Source {
    shape: Shape,
    values: Vec<f64>,
    bytes: Vec<u8>,
    decoder: Decoder,
}

impl Source {
    fn new(shape: Shape) -> Self {
        let mut random = Random::new();
        let values = (0..shape.columns * shape.rows).map(|_| random.value(0.0)).collect();
        Self { shape, values, bytes: Vec::new(), decoder: Decoder::new() }
    }

    /// The packet of a turn, in whichever format.
    fn read(&mut self, turn: usize, block: &mut ColumnBlock) {
        let Shape { columns, rows, order, .. } = self.shape;
        let columns: Vec<ColumnRef<'_>> = (0..columns)
            .map(|column| ColumnRef::valid(ValuesRef::F64(Strided::new(&self.values, column * rows, 1, rows).unwrap())))
            .collect();
        let interval_ns = self.shape.interval_ns();
        let start_ns = BEGIN_NS + (turn * rows) as u64 * interval_ns;
        let format = FormatRef::Id(7);
        self.bytes.clear();
        let kind = if order == Order::RowsTurned {
            let times: Vec<u64> = (0..rows as u64).rev().map(|row| start_ns + row * interval_ns).collect();
            encode_rows(&mut self.bytes, &format, &times, &columns).unwrap();
            PacketType::RowData
        } else {
            encode_periodic(&mut self.bytes, &format, start_ns, interval_ns as u32, &columns).unwrap();
            PacketType::PeriodicData
        };
        block.clear();
        self.decoder.open(kind, &self.bytes).unwrap().append_to(block, Wanted::All).unwrap();
    }

    /// Packets of at least so many samples: which format each is of, and its block.
    fn blocks(&mut self, samples: usize) -> Vec<(usize, ColumnBlock)> {
        let mut turns: Vec<usize> = (0..samples.div_ceil(self.shape.samples_a_turn())).collect();
        if self.shape.order == Order::Turned {
            let two_seconds = (2 * self.shape.rate_hz as usize / self.shape.rows).max(2);
            turns.chunks_mut(two_seconds).for_each(<[usize]>::reverse);
        }
        let again = 1 + usize::from(self.shape.order == Order::Twice);
        let mut blocks = Vec::new();
        for turn in turns {
            for _ in 0..again {
                for format in 0..self.shape.formats() {
                    let mut block = ColumnBlock::new();
                    self.read(turn, &mut block);
                    blocks.push((format, block));
                }
            }
        }
        blocks
    }
}

/// A merger that knows the parameters of each format.
struct Session {
    merger: Merger<()>,
    streams: Vec<StreamId>,
    formats: Vec<Vec<ParameterId>>,
    slides: Vec<telewire::pipeline::Slide<()>>,
    given: u64,
    most_bytes: usize,
}

impl Session {
    fn new(shape: Shape) -> Self {
        let mut merger = Merger::new(MergeOptions::new(WINDOW_NS, PERCENT).unwrap());
        let mut formats = vec![Vec::new(); shape.formats()];
        for index in 0..shape.parameters {
            // Like those of a car, in no order: neighbours of a format are none in a slide.
            let name: Arc<str> = format!("p{:05}:Chassis", index * 7919 % 100_003).into();
            formats[index % shape.formats()].push(merger.parameter(&name));
        }
        let streams = (0..shape.formats()).map(|format| merger.stream(&format!("s{}", format % 4).into())).collect();
        Self { merger, streams, formats, slides: Vec::new(), given: 0, most_bytes: 0 }
    }

    fn take(&mut self, format: usize, block: &ColumnBlock) {
        self.merger.samples(self.streams[format], &self.formats[format], block, &mut self.slides);
        self.consume();
    }

    fn consume(&mut self) {
        for slide in self.slides.drain(..) {
            self.given += slide.len() as u64;
            keep(&slide);
        }
    }

    fn finish(&mut self) {
        self.merger.finish(&mut self.slides);
        self.consume();
        let counts = self.merger.counts();
        assert_eq!((counts.delivered, counts.late), (self.given, 0));
        assert_eq!(counts.delivered + counts.replaced, counts.received);
    }
}

/// Rates of a session of the shape, and the most memory that its merger holds.
fn case(report: &mut Report, name: &str, shape: Shape) {
    let blocks = Source::new(shape).blocks(report.bytes() / 16);
    let samples = blocks.iter().map(|(_, block)| block.len() * block.width()).sum();
    let run = || {
        let mut session = Session::new(shape);
        blocks.iter().for_each(|(format, block)| session.take(*format, block));
        session.finish();
        assert_eq!(session.merger.counts().received, samples as u64);
    };
    report.case(name, samples, vec![Contestant::new("telewire", run)]);
}

/// A long session in ten parts: time per sample and most memory of each part. The first one fills the window.
fn long(report: &mut Report, name: &str, shape: Shape) {
    const PARTS: usize = 10;
    // Clocks are read once for so many samples.
    const STRETCH: usize = 100_000;
    let turns = STRETCH.div_ceil(shape.samples_a_turn());
    let stretches = (report.bytes() / (turns * shape.samples_a_turn())).div_ceil(PARTS);
    let (mut source, mut session) = (Source::new(shape), Session::new(shape));
    // All formats of a turn bring the same samples.
    let mut blocks = vec![ColumnBlock::new(); turns];
    let mut parts = Vec::new();
    println!("\n{name}");
    for part in 0..PARTS {
        let (mut seconds, mut most) = (0.0, (0, 0));
        for stretch in part * stretches..(part + 1) * stretches {
            for (turn, block) in blocks.iter_mut().enumerate() {
                source.read(stretch * turns + turn, block);
            }
            seconds += timed(|| {
                for block in &blocks {
                    (0..shape.formats()).for_each(|format| session.take(format, block));
                }
            });
            most = most.max(session.merger.buffered());
        }
        let samples = stretches * turns * shape.samples_a_turn();
        let rate = samples as f64 / seconds / 1e6;
        println!(
            "  part {:>2}: {rate:>4.0} M samples/s, at most {} samples in {} kB, {:.1} bytes a sample",
            part + 1,
            most.0,
            most.1 >> 10,
            most.1 as f64 / most.0 as f64
        );
        parts.push(json!({ "samples": samples, "million_samples_per_s": rate,
            "most_samples_held": most.0, "most_bytes_held": most.1 }));
    }
    session.finish();
    report.figures(name, json!({ "parts": parts }));
}

fn main() {
    let mut report = Report::new("Merge packets into slides of 150 ms, window 3 s", Options::from_arguments());
    let car = Shape { parameters: 1000, rate_hz: 100, columns: 100, rows: 100, order: Order::Time };
    let of = |parameters: usize| Shape { parameters, columns: 10, ..car };
    let cases = [
        ("1,000 parameters x 100 Hz, packets 100 columns x 1 s", car),
        ("1,000 parameters x 100 Hz, packets 1,000 columns x 1 s", Shape { columns: 1000, ..car }),
        ("1,000 parameters x 100 Hz, packets 100 columns x 0.1 s", Shape { rows: 10, ..car }),
        ("1,000 parameters x 100 Hz, packets 10 columns x 1 row", Shape { columns: 10, rows: 1, ..car }),
        ("1,000 parameters x 1 kHz, packets 100 columns x 0.1 s", Shape { rate_hz: 1000, ..car }),
        ("packets in turned order", Shape { rows: 10, order: Order::Turned, ..car }),
        ("rows of each packet in turned order", Shape { order: Order::RowsTurned, ..car }),
        ("every sample twice", Shape { order: Order::Twice, ..car }),
        ("10 parameters x 100 Hz, packets 10 columns x 1 s", of(10)),
        ("100 parameters x 100 Hz, packets 10 columns x 1 s", of(100)),
        ("1,000 parameters x 100 Hz, packets 10 columns x 1 s", of(1000)),
        ("10,000 parameters x 100 Hz, packets 10 columns x 1 s", of(10_000)),
    ];
    for (name, shape) in cases.into_iter().filter(|(name, _)| report.wants(name)).collect::<Vec<_>>() {
        case(&mut report, name, shape);
    }
    let long_cases = [
        ("long session of 10 parameters", of(10)),
        ("long session of 100 parameters", of(100)),
        ("long session of 1,000 parameters", of(1000)),
        ("long session of 10,000 parameters", of(10_000)),
    ];
    for (name, shape) in long_cases {
        if report.wants(name) {
            long(&mut report, name, shape);
        }
    }
    report.finish();
}
