//! Encoding columns to packets of samples, on one core, against a loop that knows that all samples are 13 bytes long and
//! against copying the result.
//!
//! `cargo bench --no-default-features --bench encode`; see benches/README.md.
#![allow(missing_docs, unreachable_pub, dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod limits;
mod measuring;
mod values;

use measuring::{Contestant, Options, Random, Report, keep};
use telewire::packet::{ColumnRef, FormatRef, PacketType, Strided, encode_periodic, encode_rows, encode_synchro};
use values::{Kind, Values, Worth};

const FORMAT: FormatRef<'_> = FormatRef::Id(0x1234_5678_9abc_def1);
const START_NS: u64 = 1_700_000_000_000_000_000;
const ROWS: usize = 100;

/// How a table lies in memory.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Row after row, as NumPy's arrays are by default.
    C,
    /// Column after column.
    F,
}

struct Case {
    kind: PacketType,
    width: usize,
    order: Order,
    values: Values,
    status: Option<Vec<u8>>,
    times: Vec<u64>,
    intervals: Vec<u32>,
}

impl Case {
    fn new(kind: PacketType, width: usize, order: Order, values: Kind, worth: Worth, bytes: usize) -> Self {
        let mut random = Random::new();
        // The bytes that are read and written by a round.
        let tables = (bytes / 13 / (width * ROWS)).max(1);
        let values = Values::new(values, tables * width * ROWS, &mut random);
        let status = worth.statuses(tables * width * ROWS, &mut random);
        let times = (0..ROWS as u64).map(|row| START_NS + row * 10_000_000).collect();
        Self { kind, width, order, values, status, times, intervals: vec![10_000_000; ROWS - 1] }
    }

    /// Gives each table's columns to `each`.
    fn tables(&self, mut each: impl FnMut(&[ColumnRef<'_>])) {
        let mut columns = Vec::with_capacity(self.width);
        for table in (0..self.values.len()).step_by(self.width * ROWS) {
            columns.clear();
            columns.extend((0..self.width).map(|column| {
                let (offset, stride) = if self.order == Order::C { (column, self.width) } else { (column * ROWS, 1) };
                let status = self.status.as_ref();
                ColumnRef {
                    values: self.values.column(table + offset, stride, ROWS),
                    status: status.map(|status| Strided::new(status, table + offset, stride, ROWS).unwrap()),
                }
            }));
            each(&columns);
        }
    }

    fn encode(&self, out: &mut Vec<u8>, columns: &[ColumnRef<'_>]) {
        match self.kind {
            PacketType::PeriodicData => encode_periodic(out, &FORMAT, START_NS, 10_000_000, columns),
            PacketType::SynchroData => encode_synchro(out, &FORMAT, START_NS, &self.intervals, columns),
            _ => encode_rows(out, &FORMAT, &self.times, columns),
        }
        .unwrap();
    }

    fn ours(&self) -> impl FnMut() {
        let mut out = Vec::new();
        move || {
            self.tables(|columns| {
                out.clear();
                self.encode(&mut out, columns);
                keep(&out);
            });
        }
    }

    fn limit(&self, values: &[f64]) -> impl FnMut() {
        let mut out = vec![0; 13 * self.width * ROWS];
        move || {
            for table in values.chunks(self.width * ROWS) {
                limits::write_full_samples(table, &mut out);
                keep(&out);
            }
        }
    }

    fn copy(&self) -> impl FnMut() {
        let mut bytes = Vec::new();
        let mut packets = Vec::new();
        self.tables(|columns| {
            let begin = bytes.len();
            self.encode(&mut bytes, columns);
            packets.push(begin..bytes.len());
        });
        let mut out = Vec::new();
        move || {
            for packet in &packets {
                out.clear();
                out.extend_from_slice(&bytes[packet.clone()]);
                keep(&out);
            }
        }
    }
}

fn main() {
    let options = Options::from_arguments();
    let mut report = Report::new("Encode columns to packets", options);
    let cases = [
        ("periodic 10x100, no zeros", PacketType::PeriodicData, 10, Order::F, 0.0),
        ("periodic 100x100, no zeros", PacketType::PeriodicData, 100, Order::F, 0.0),
        ("periodic 10x100, no zeros, table in row order", PacketType::PeriodicData, 10, Order::C, 0.0),
        ("periodic 10x100, half zeros", PacketType::PeriodicData, 10, Order::F, 0.5),
        ("synchro 10x100, no zeros", PacketType::SynchroData, 10, Order::F, 0.0),
        ("rows 10x100, no zeros, table in row order", PacketType::RowData, 10, Order::C, 0.0),
        ("rows 10x100, no zeros, table in column order", PacketType::RowData, 10, Order::F, 0.0),
        ("rows 10x100, half zeros, table in row order", PacketType::RowData, 10, Order::C, 0.5),
    ];
    let others = [
        ("periodic 10x100, one in twenty not valid", Kind::Doubles(0.0), Worth::Mixed),
        ("periodic 10x100, each status its own", Kind::Doubles(0.0), Worth::Own),
        ("periodic 10x100, no status", Kind::Doubles(0.0), Worth::Absent),
        ("periodic 10x100, integers", Kind::Integers, Worth::Valid),
        ("periodic 10x100, booleans", Kind::Booleans, Worth::Valid),
        ("periodic 10x100, texts", Kind::Texts, Worth::Valid),
    ];
    let doubles = cases
        .into_iter()
        .map(|(name, kind, width, order, zeros)| (name, kind, width, order, Kind::Doubles(zeros), Worth::Valid));
    let others =
        others.into_iter().map(|(name, values, worth)| (name, PacketType::PeriodicData, 10, Order::F, values, worth));
    for (name, kind, width, order, values, worth) in doubles.chain(others) {
        if !report.wants(name) {
            continue;
        }
        let case = Case::new(kind, width, order, values, worth, report.bytes());
        let mut contestants = vec![Contestant::new("telewire", case.ours())];
        if let Values::Doubles(known) = &case.values
            && (values, worth) == (Kind::Doubles(0.0), Worth::Valid)
        {
            contestants.push(Contestant::new("loop that knows all of it", case.limit(known)));
        }
        contestants.push(Contestant::new("copy of the result", case.copy()));
        report.case(name, case.values.len(), contestants);
    }
    report.finish();
}
