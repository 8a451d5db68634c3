//! What the codec and the merger promise about any bytes and about memory: the fuzz corpora replayed, and every
//! allocation counted.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use telewire::packet::{
    ColumnBlock, ColumnRef, Decoder, FormatRef, PacketType, Strided, ValuesRef, Wanted, encode_periodic, encode_rows,
    encode_synchro,
};

#[path = "../fuzz/checks.rs"]
mod checks;
#[cfg(feature = "kafka")]
#[path = "../fuzz/embedded.rs"]
#[allow(dead_code)]
mod embedded;
#[path = "../fuzz/folds.rs"]
mod folds;
#[path = "../fuzz/grids.rs"]
mod grids;
#[path = "../fuzz/merging.rs"]
mod merging;
#[path = "../fuzz/packets.rs"]
mod packets;

/// The system's allocator, with a note of what each thread asks it for.
struct Counting;

thread_local! {
    /// Calls, and the most bytes held at a time, of this thread.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn note(calls: usize, bytes: isize) {
    CALLS.set(CALLS.get() + calls);
    HELD.set(HELD.get() + bytes);
    MOST.set(MOST.get().max(HELD.get()));
}

// SAFETY: every call goes to the system's allocator unchanged; the notes allocate nothing and need no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as isize);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist side by side for a moment.
        note(1, size as isize);
        note(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` asks for memory, and the most bytes it holds on top of what was there.
fn counted<R>(run: impl FnOnce() -> R) -> (R, usize, usize) {
    let (calls, held) = (CALLS.get(), HELD.get());
    MOST.set(held);
    let result = run();
    (result, CALLS.get() - calls, (MOST.get() - held).unsigned_abs())
}

/// Runs a check over every file of its corpus.
fn replay(name: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} files in {}", files.len(), folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| check(&bytes));
        assert!(outcome.is_ok(), "{} fails", file.display());
    }
}

#[test]
fn the_corpus_of_envelopes_passes() {
    replay("envelope", checks::envelope);
}

#[test]
fn the_corpus_of_periodic_packets_passes() {
    replay("periodic", checks::periodic);
}

#[test]
fn the_corpus_of_rows_passes() {
    replay("rows", checks::rows);
}

#[test]
fn the_corpus_of_synchro_packets_passes() {
    replay("synchro", checks::synchro);
}

#[test]
fn the_corpus_of_written_packets_passes() {
    replay("written", checks::written);
}

#[test]
fn the_corpus_of_merged_sessions_passes() {
    replay("merge", merging::merge);
}

#[test]
fn the_corpus_of_packets_of_every_type_passes() {
    replay("packet", packets::packet);
}

#[test]
fn the_corpus_of_names_of_topics_passes() {
    replay("names", packets::names);
}

#[test]
fn the_corpus_of_session_records_passes() {
    replay("sessions", folds::sessions);
}

#[test]
fn the_corpus_of_format_definitions_passes() {
    replay("formats", folds::formats);
}

#[test]
fn the_corpus_of_grids_passes() {
    replay("grid", grids::grid);
}

#[cfg(feature = "kafka")]
#[test]
fn the_corpus_of_requests_to_the_embedded_broker_passes() {
    replay("request", embedded::request);
}

#[cfg(feature = "kafka")]
#[test]
fn the_corpus_of_record_batches_passes() {
    replay("records", embedded::records);
}

#[cfg(feature = "kafka")]
#[test]
fn requests_take_memory_in_proportion_to_their_bytes_whatever_they_claim() {
    // Kind, version, correlation, no client id; then claims of counts and lengths in every place of the body.
    for (kind, version) in (0..70_i16).flat_map(|kind| (0..20_i16).map(move |version| (kind, version))) {
        for fill in [0x00_u8, 0x01, 0x02, 0x0f, 0x7f, 0x80, 0xff] {
            for zeros in 0..40 {
                let mut bytes = [&kind.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 1, 0xff, 0xff]].concat();
                bytes.resize(bytes.len() + zeros, 0);
                bytes.resize(bytes.len() + 24, fill);
                let (_, _, most) = counted(|| embedded::request(&bytes));
                assert!(most <= 64 << 10, "{most} bytes for a request of {}: {bytes:02x?}", bytes.len());
            }
        }
    }
}

/// Packets of every kind as cars send them, with zeros and statuses among the samples.
fn packets() -> Vec<(PacketType, Vec<u8>)> {
    let value = |index: usize| if index.is_multiple_of(3) { 0.0 } else { index as f64 };
    let values: Vec<f64> = (0..1000).map(value).collect();
    let status: Vec<u8> = (0..1000).map(|index| u8::from(index % 7 > 0)).collect();
    let numbers: Vec<i32> = (0..100).collect();
    let texts: Vec<&str> = (0..100).map(|index| if index % 2 == 0 { "Out Lap" } else { "" }).collect();
    let mut columns: Vec<ColumnRef<'_>> = (0..9)
        .map(|column| ColumnRef {
            values: ValuesRef::F64(Strided::new(&values, column, 10, 100).unwrap()),
            status: Some(Strided::new(&status, column, 10, 100).unwrap()),
        })
        .collect();
    let format = FormatRef::Parameters(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    let (mut rows, mut periodic, mut synchro) = (Vec::new(), Vec::new(), Vec::new());
    encode_rows(&mut rows, &format, &[5; 100], &columns).unwrap();
    columns.push(ColumnRef::valid(ValuesRef::I32(Strided::from(&numbers))));
    columns.push(ColumnRef::valid(ValuesRef::Str(&texts)));
    encode_periodic(&mut periodic, &FormatRef::Id(7), 1, 2, &columns).unwrap();
    encode_synchro(&mut synchro, &FormatRef::Id(7), 1, &[300; 99], &columns).unwrap();
    vec![(PacketType::PeriodicData, periodic), (PacketType::SynchroData, synchro), (PacketType::RowData, rows)]
}

#[test]
fn a_block_that_has_seen_its_packets_takes_them_again_without_allocating() {
    for (kind, content) in packets() {
        for wanted in [Wanted::All, Wanted::Columns(&[1, 8])] {
            let (mut decoder, mut block) = (Decoder::new(), ColumnBlock::new());
            let mut fill = || {
                block.clear();
                for _ in 0..20 {
                    decoder.open(kind, &content).unwrap().append_to(&mut block, wanted).unwrap();
                }
                assert_eq!(block.len(), 2000);
            };
            fill();
            let ((), calls, _) = counted(fill);
            assert_eq!(calls, 0, "{kind} {wanted:?}");
        }
    }
}

#[test]
fn an_encoder_with_a_used_buffer_does_not_allocate() {
    let values = vec![1.5; 1000];
    let columns: Vec<ColumnRef<'_>> = (0..10)
        .map(|column| ColumnRef::valid(ValuesRef::F64(Strided::new(&values, column, 10, 100).unwrap())))
        .collect();
    let mut out = Vec::new();
    let mut write = || {
        out.clear();
        encode_periodic(&mut out, &FormatRef::Id(7), 1, 2, &columns).unwrap();
        out.clear();
        encode_rows(&mut out, &FormatRef::Id(7), &[5; 100], &columns).unwrap();
    };
    write();
    assert_eq!(counted(write).1, 0);
}

/// A length-delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut rest = bytes.len();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(bytes);
    out
}

#[test]
fn hostile_packets_take_memory_in_proportion_to_their_bytes() {
    const COUNT: usize = 50_000;
    let empty = |number: u8| field(number, &[]);
    let many = |part: &[u8]| part.repeat(COUNT);
    let timestamps = field(2, &vec![0; 8 * (COUNT + 1)]);
    let long_column = field(4, &field(1, &many(&empty(1))));
    let long_text_column = field(4, &field(4, &many(&empty(1))));
    let odd = [8, 1, 10, 0];
    let hostile = [
        ("columns without samples", PacketType::PeriodicData, many(&empty(4))),
        ("columns of one sample", PacketType::PeriodicData, many(&field(4, &field(1, &empty(1))))),
        ("one long column of empty samples", PacketType::PeriodicData, long_column.clone()),
        ("one long column of empty texts", PacketType::SynchroData, long_text_column.clone()),
        ("one long column, many short ones", PacketType::PeriodicData, [long_column.clone(), many(&empty(4))].concat()),
        (
            "many columns that claim a long one's length",
            PacketType::PeriodicData,
            [field(4, &field(1, &empty(1).repeat(200))), field(4, &[0x0a, 0xff, 0xff, 0xff, 0x7f]).repeat(COUNT)]
                .concat(),
        ),
        ("names", PacketType::RowData, field(1, &field(2, &many(&empty(1))))),
        (
            "a wide row, many empty ones",
            PacketType::RowData,
            [timestamps.clone(), field(3, &field(1, &many(&empty(1)))), many(&empty(3))].concat(),
        ),
        ("rows without samples", PacketType::RowData, [field(2, &vec![0; 8 * COUNT]), many(&empty(3))].concat()),
        (
            "a wide row of texts",
            PacketType::RowData,
            [field(2, &[0; 8]), field(3, &field(4, &many(&empty(1))))].concat(),
        ),
        ("intervals", PacketType::SynchroData, field(3, &[1; COUNT])),
        ("lists that replace each other", PacketType::PeriodicData, field(4, &many(&odd))),
        ("a length beyond the end", PacketType::PeriodicData, vec![0x22, 0xff, 0xff, 0xff, 0x7f, 0x0a]),
    ];
    for (name, kind, content) in hostile {
        let (_, _, most) = counted(|| {
            let (mut decoder, mut block) = (Decoder::new(), ColumnBlock::new());
            drop(decoder.open(kind, &content).and_then(|mut packet| packet.append_to(&mut block, Wanted::All)));
        });
        // While a buffer grows, the old one is there too.
        assert!(most <= 4096 + 48 * content.len(), "{name}: {most} bytes for a packet of {}", content.len());
    }
}
