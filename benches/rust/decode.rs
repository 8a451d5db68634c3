//! Decoding packets of samples into columns, on one core, against the limit loop on the same bytes.
//!
//! `cargo bench --no-default-features --bench decode`; see benches/README.md.
#![allow(missing_docs, unreachable_pub, dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod limits;
mod measuring;
mod values;

use std::ops::Range;

use measuring::{Contestant, Options, Random, Report, keep};
use telewire::packet::{
    Appended, ColumnBlock, ColumnRef, Decoder, FormatRef, PacketType, Strided, Wanted, encode_periodic, encode_rows,
    encode_synchro,
};
use values::{Kind, Values, Worth};

/// Samples of a block that takes many packets: half a megabyte of doubles, which the processor's cache holds.
const BLOCK: usize = 65_536;

/// Packets of one shape, one after the other, with what the limit loops are told about them.
struct Packets {
    kind: PacketType,
    bytes: Vec<u8>,
    packets: Vec<Range<usize>>,
    /// Where each list of samples lies, and how many there are in it.
    lists: Vec<(Range<usize>, usize)>,
    samples: usize,
}

/// What samples of a case look like.
#[derive(Clone, Copy)]
struct Shape {
    kind: PacketType,
    columns: usize,
    rows: usize,
    values: Kind,
    worth: Worth,
}

impl Packets {
    /// At least `bytes` of them.
    fn new(shape: Shape, bytes: usize) -> Self {
        let Shape { kind, columns, rows, values, worth } = shape;
        let mut random = Random::new();
        let mut found = Self { kind, bytes: Vec::new(), packets: Vec::new(), lists: Vec::new(), samples: 0 };
        let mut start_ns = 1_700_000_000_000_000_000;
        while found.bytes.len() < bytes {
            let values = Values::new(values, columns * rows, &mut random);
            let status = worth.statuses(columns * rows, &mut random);
            let table: Vec<ColumnRef<'_>> = (0..columns)
                .map(|column| ColumnRef {
                    values: values.column(column * rows, 1, rows),
                    status: status.as_ref().map(|status| Strided::new(status, column * rows, 1, rows).unwrap()),
                })
                .collect();
            let begin = found.bytes.len();
            let (format, out) = (FormatRef::Id(0x1234_5678_9abc_def1), &mut found.bytes);
            match kind {
                PacketType::PeriodicData => encode_periodic(out, &format, start_ns, 10_000_000, &table).unwrap(),
                PacketType::SynchroData => {
                    encode_synchro(out, &format, start_ns, &vec![10_000_000; rows - 1], &table).unwrap();
                }
                _ => {
                    let times: Vec<u64> = (0..rows as u64).map(|row| start_ns + row * 10_000_000).collect();
                    encode_rows(out, &format, &times, &table).unwrap();
                }
            }
            start_ns += 10_000_000 * rows as u64;
            found.packets.push(begin..found.bytes.len());
            found.find_lists(begin);
            found.samples += columns * rows;
        }
        // The limit loops read 16 bytes wherever a sample may begin.
        found.bytes.extend([0; 16]);
        found
    }

    /// Notes where the lists of the packet that begins here lie.
    fn find_lists(&mut self, begin: usize) {
        let mut at = begin;
        let length = |at: &mut usize| {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = self.bytes[*at];
                *at += 1;
                value |= usize::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        };
        let list_field = if self.kind == PacketType::RowData { 3 } else { 4 };
        while at < self.bytes.len() {
            let tag = self.bytes[at];
            at += 1;
            match (tag >> 3, tag & 7) {
                (_, 0) => drop(length(&mut at)),
                (_, 1) => at += 8,
                (number, _) if number == list_field => {
                    length(&mut at);
                    at += 1;
                    let list = length(&mut at);
                    let mut samples = 0;
                    let mut sample = at;
                    while sample < at + list {
                        sample += 2 + usize::from(self.bytes[sample + 1]);
                        samples += 1;
                    }
                    self.lists.push((at..at + list, samples));
                    at += list;
                }
                _ => at += length(&mut at),
            }
        }
    }

    fn ours(&self, wanted: Wanted<'_>, packets_per_block: usize) -> impl FnMut() {
        let (mut decoder, mut block) = (Decoder::new(), ColumnBlock::new());
        move || {
            for packets in self.packets.chunks(packets_per_block) {
                block.clear();
                for packet in packets {
                    let mut packet = decoder.open(self.kind, &self.bytes[packet.clone()]).unwrap();
                    assert!(matches!(packet.append_to(&mut block, wanted).unwrap(), Appended::Rows(_)));
                }
                keep(&block);
            }
        }
    }

    fn limit(&self) -> impl FnMut() {
        let most = self.lists.iter().map(|(_, samples)| *samples).max().unwrap();
        let per_packet = self.lists.len() / self.packets.len();
        let (mut values, mut status) = (vec![0.0; most * per_packet], vec![0; most * per_packet]);
        let plain = self.lists.iter().all(|(list, samples)| list.len() == 13 * samples);
        move || {
            for packet in self.lists.chunks(per_packet) {
                for (((list, samples), values), status) in
                    packet.iter().zip(values.chunks_mut(most)).zip(status.chunks_mut(most))
                {
                    let (values, status) = (&mut values[..*samples], &mut status[..*samples]);
                    let right = if plain {
                        limits::full_samples(&self.bytes[list.clone()], values, status)
                    } else {
                        limits::both_shapes(&self.bytes[list.start..], values, status)
                    };
                    assert!(right);
                }
                keep((&values, &status));
            }
        }
    }

    fn copy(&self) -> impl FnMut() {
        let most = self.lists.iter().map(|(_, samples)| *samples).max().unwrap();
        let per_packet = self.lists.len() / self.packets.len();
        let mut values = vec![0.0; most * per_packet];
        move || {
            for packet in self.lists.chunks(per_packet) {
                for ((list, _), values) in packet.iter().zip(values.chunks_mut(most)) {
                    limits::copy_values(&self.bytes[list.clone()], values);
                }
                keep(&values);
            }
        }
    }
}

fn main() {
    let options = Options::from_arguments();
    let mut report = Report::new("Decode packets into columns", options);
    let typed =
        |columns, values| Shape { kind: PacketType::PeriodicData, columns, rows: 100, values, worth: Worth::Valid };
    let periodic = |columns, zeros| typed(columns, Kind::Doubles(zeros));
    let rows = |columns, zeros| Shape { kind: PacketType::RowData, ..periodic(columns, zeros) };
    let synchro = |columns, zeros| Shape { kind: PacketType::SynchroData, ..periodic(columns, zeros) };
    let cases = [
        ("periodic 10x100, no zeros", periodic(10, 0.0)),
        ("periodic 100x100, no zeros", periodic(100, 0.0)),
        ("periodic 10x100, half zeros", periodic(10, 0.5)),
        ("periodic 100x100, half zeros", periodic(100, 0.5)),
        ("periodic 10x100, 5 % zeros", periodic(10, 0.05)),
        ("periodic 10x100, all zeros", periodic(10, 1.0)),
        ("periodic 10x100, one in twenty not valid", Shape { worth: Worth::Mixed, ..periodic(10, 0.0) }),
        ("periodic 10x100, each status its own", Shape { worth: Worth::Own, ..periodic(10, 0.0) }),
        ("periodic 10x100, no status", Shape { worth: Worth::Absent, ..periodic(10, 0.0) }),
        ("periodic 10x100, integers", typed(10, Kind::Integers)),
        ("periodic 10x100, booleans", typed(10, Kind::Booleans)),
        ("periodic 10x100, texts", typed(10, Kind::Texts)),
        ("synchro 10x100, no zeros", synchro(10, 0.0)),
        ("synchro 10x100, half zeros", synchro(10, 0.5)),
        ("rows 10x100, no zeros", rows(10, 0.0)),
        ("rows 100x100, no zeros", rows(100, 0.0)),
        ("rows 10x100, half zeros", rows(10, 0.5)),
    ];
    for (name, shape) in cases.into_iter().filter(|(name, _)| report.wants(name)).collect::<Vec<_>>() {
        let packets = Packets::new(shape, report.bytes());
        let mut contestants = vec![Contestant::new("telewire", packets.ours(Wanted::All, 1))];
        // The loops know doubles that are all valid.
        let known = if shape.worth == Worth::Valid { shape.values } else { Kind::Texts };
        if let Kind::Doubles(zeros) = known {
            let name = if zeros == 0.0 { "limit loop" } else { "branch-free loop for both shapes" };
            contestants.push(Contestant::new(name, packets.limit()));
        }
        if known == Kind::Doubles(0.0) {
            contestants.push(Contestant::new("copy of the values, unchecked", packets.copy()));
        }
        let per_block = BLOCK / (shape.columns * shape.rows);
        contestants.push(Contestant::new("telewire, many packets to a block", packets.ours(Wanted::All, per_block)));
        contestants
            .push(Contestant::new("telewire, one column of all", packets.ours(Wanted::Columns(&[3]), per_block)));
        report.case(name, packets.samples, contestants);
    }
    report.finish();
}
