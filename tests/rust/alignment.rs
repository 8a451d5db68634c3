//! Aligned reading: the streams of a session are kept together in time, whatever lies on the broker in which order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use telewire::packet::{Envelope, FormatRef, PacketType, decode_samples, encode_periodic};
use telewire::session::SessionInfo;
use telewire::stream::{
    Batch, Client, Completion, Inactivity, Item, Packet, PacketWriter, ReadOptions, Reader, Reading,
};

use crate::support::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// When the recordings of these tests begin.
const BEGIN: u64 = 1_760_000_000 * SECOND;
/// How far before what came before a packet may begin: its own length.
const LENGTH: u64 = SECOND;

/// A stream: how many samples each packet has, of how many parameters, at which interval.
struct Recorded {
    stream: &'static str,
    samples: usize,
    parameters: usize,
    interval_ns: u64,
}

impl Recorded {
    /// Writes its packets of a stretch of time, one after another without a gap.
    fn write(&self, packets: &PacketWriter, key: &str, stretch: std::ops::Range<u64>) -> usize {
        let length = self.interval_ns * self.samples as u64;
        let names: Vec<String> = (0..self.parameters).map(|index| format!("p{index}:{}", self.stream)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let values: Vec<f64> = (0..self.samples).map(|index| 1.0 + index as f64).collect();
        let columns = vec![column(&values); self.parameters];
        let mut count = 0;
        let mut start = stretch.start;
        while start < stretch.end {
            let mut content = Vec::new();
            let interval = u32::try_from(self.interval_ns).unwrap();
            encode_periodic(&mut content, &FormatRef::Parameters(&names), BEGIN + start, interval, &columns).unwrap();
            let envelope =
                Envelope { type_name: "PeriodicData", session_key: key, is_essential: false, content: &content, id: 0 };
            packets.write("CarA", self.stream, key, &envelope.encode()).unwrap();
            count += 1;
            start += length;
        }
        count
    }
}

/// Four streams of very different sizes and rates.
const FOUR: [Recorded; 4] = [
    Recorded { stream: "", samples: 10, parameters: 2, interval_ns: 10 * MS },
    Recorded { stream: "Wide", samples: 100, parameters: 20, interval_ns: 10 * MS },
    Recorded { stream: "Quick", samples: 20, parameters: 1, interval_ns: MS },
    Recorded { stream: "Slow", samples: 1, parameters: 1, interval_ns: SECOND },
];

fn flush(packets: &PacketWriter) {
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
}

/// An ended session of four streams, each written entirely before the next; and how many packets it has.
fn four_streams(client: &Client, seconds: u64) -> (SessionInfo, usize) {
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let mut count = 0;
    for recorded in &FOUR {
        count += recorded.write(&packets, &info.key, 0..seconds * SECOND);
        flush(&packets);
    }
    client.end_session(&info.key).unwrap();
    (client.session(&info.key).unwrap().as_ref().clone(), count)
}

fn span(packet: &Packet) -> Option<(u64, u64)> {
    let envelope = Envelope::peek(&packet.payload).unwrap();
    let kind = PacketType::parse(envelope.type_name);
    let times = kind.is_samples().then(|| decode_samples(kind, envelope.content).unwrap().times.to_vec())?;
    Some((*times.iter().min()?, *times.iter().max()?))
}

/// Nothing begins earlier than its own length before what came before it, and each stream keeps its order.
fn assert_aligned(packets: &[Packet]) {
    let mut highest = 0;
    let mut offsets: HashMap<(String, i32), i64> = HashMap::new();
    for packet in packets {
        let last = offsets.insert((packet.topic.to_string(), packet.partition), packet.offset);
        assert!(last.is_none_or(|last| last < packet.offset), "'{}' has lost its order", packet.stream);
        let Some((first, last)) = span(packet) else { continue };
        assert!(
            first + LENGTH >= highest,
            "a packet of '{}' begins {} ms before what came before it",
            packet.stream,
            (highest - first) / MS
        );
        highest = highest.max(last);
    }
}

fn aligned(options: ReadOptions) -> ReadOptions {
    ReadOptions { aligned: true, ..options }
}

/// What happened to each stream, in order; packets in a row count once.
fn events_of(items: &[Item], stream: &str) -> Vec<String> {
    let of = items.iter().filter(|item| match item {
        Item::StreamStarted(of) | Item::StreamCompleted(of) => *of.stream == *stream,
        Item::Packet(packet) => *packet.stream == *stream,
        _ => false,
    });
    let mut names: Vec<String> = of.map(name).collect();
    names.dedup();
    names
}

fn assert_whole_and_aligned(items: &[Item], count: usize) {
    let packets = packets_of(items.to_vec());
    assert_eq!(packets.len(), count);
    assert_aligned(&packets);
    for recorded in &FOUR {
        let stream = recorded.stream;
        assert_eq!(
            events_of(items, stream),
            [
                format!("stream '{stream}' started"),
                format!("'{stream}' PeriodicData"),
                format!("stream '{stream}' completed")
            ]
        );
    }
    assert_eq!(name(&items[0]), "session started");
    let last = items.iter().position(|item| matches!(item, Item::SessionCompleted { .. })).unwrap();
    assert!(items[last..].iter().all(|item| !matches!(item, Item::Packet(_) | Item::StreamCompleted(_))));
}

#[test]
fn streams_written_one_after_another_are_replayed_together() {
    let domain = domain();
    let (info, count) = four_streams(&connect(&domain), 60);
    let items = read_all(&connect(&domain).read(aligned(by_key(&info.key))).unwrap());
    assert_whole_and_aligned(&items, count);
    let unaligned = read_all(&connect(&domain).read(by_key(&info.key)).unwrap());
    assert_eq!(packets_of(unaligned).len(), count);
}

#[test]
fn streams_on_partitions_are_replayed_together() {
    let domain = domain();
    // "Quick" and "Slow" have no partition of their own: they lie on the main stream's, one behind the other.
    let client = partitioned(&domain, &[("Wide", 1), ("Other", 2)]);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let mut count = 0;
    for second in 0..60 {
        for recorded in FOUR.iter().filter(|recorded| recorded.stream != "Wide") {
            count += recorded.write(&packets, &info.key, second * SECOND..(second + 1) * SECOND);
        }
    }
    flush(&packets);
    count += FOUR[1].write(&packets, &info.key, 0..60 * SECOND);
    client.end_session(&info.key).unwrap();
    let items = read_all(&client.read(aligned(by_key(&info.key))).unwrap());
    let packets = packets_of(items);
    assert_eq!(packets.len(), count);
    assert_aligned(&packets);
}

#[test]
fn a_pattern_replays_session_after_session_each_together() {
    let domain = domain();
    let client = connect(&domain);
    let counts = [four_streams(&client, 5).1, four_streams(&client, 7).1];
    let options =
        ReadOptions { reading: Reading::Historic, data_source: Some("CarA".into()), ..ReadOptions::default() };
    let items = read_all(&client.read(aligned(options)).unwrap());
    let end = items.iter().position(|item| matches!(item, Item::SessionCompleted { .. })).unwrap();
    let (first, second) = items.split_at(end + 1);
    assert_whole_and_aligned(first, counts[0]);
    assert_whole_and_aligned(second, counts[1]);
}

/// Readers of a live session to which four streams came one after another; all of it lies in their queues.
fn filled_readers(client: &Client, count: usize) -> (SessionInfo, usize, Vec<Reader>) {
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let readers: Vec<Reader> = (0..count).map(|_| client.read(by_key(&info.key)).unwrap()).collect();
    let packets = client.writer().unwrap();
    let mut written = 0;
    let begin = Instant::now();
    for recorded in &FOUR {
        written += recorded.write(&packets, &info.key, 0..30 * SECOND);
        flush(&packets);
        while readers.iter().any(|reader| reader.counts().packets < written as u64) {
            assert!(begin.elapsed() < DEADLINE, "not all of {written} packets came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    (info.as_ref().clone(), written, readers)
}

#[test]
fn what_is_queued_already_is_aligned_too_when_alignment_is_switched_on() {
    let client = connect(&domain());
    let (info, count, readers) = filled_readers(&client, 2);
    readers[0].set_aligned(true);
    assert!(readers[0].is_aligned());
    client.end_session(&info.key).unwrap();
    assert_whole_and_aligned(&read_all(&readers[0]), count);
    // The same without: the streams come one after another, as they were written.
    let mut streams: Vec<String> =
        packets_of(read_all(&readers[1])).iter().map(|packet| packet.stream.to_string()).collect();
    streams.dedup();
    assert_eq!(streams, ["", "Wide", "Quick", "Slow"]);
}

#[test]
fn a_session_that_was_read_to_its_end_before_the_switch_comes_aligned() {
    let client = connect(&domain());
    let (info, count, readers) = filled_readers(&client, 1);
    client.end_session(&info.key).unwrap();
    let begin = Instant::now();
    // Beside the packets: the session's start and end, and those of four streams.
    while readers[0].queued() < count + 10 {
        assert!(begin.elapsed() < DEADLINE, "{} items wait", readers[0].queued());
        std::thread::sleep(Duration::from_millis(5));
    }
    readers[0].set_aligned(true);
    assert_whole_and_aligned(&read_all(&readers[0]), count);
}

#[test]
fn switching_while_reading_loses_nothing_and_keeps_the_order_of_each_stream() {
    let domain = domain();
    let (info, count) = four_streams(&connect(&domain), 60);
    let reader = connect(&domain).read(ReadOptions { buffer_packets: 50, ..by_key(&info.key) }).unwrap();
    let mut items = Vec::new();
    let begin = Instant::now();
    let mut turns = 0;
    loop {
        assert!(begin.elapsed() < DEADLINE, "{} items came", items.len());
        match reader.next_batch(40, Duration::from_millis(100)).unwrap() {
            Batch::Items(more) => items.extend(more),
            Batch::Empty => {}
            Batch::End => break,
        }
        if items.len() / 300 > turns {
            turns += 1;
            reader.set_aligned(turns % 2 == 1);
            if turns % 5 == 0 {
                // Quicker than anybody can follow.
                reader.set_aligned(turns % 2 == 0);
                reader.set_aligned(turns % 2 == 1);
            }
        }
    }
    assert!(turns > 3);
    let packets = packets_of(items.clone());
    assert_eq!(packets.len(), count);
    let mut offsets: HashMap<String, i64> = HashMap::new();
    for packet in &packets {
        assert!(offsets.insert(packet.topic.to_string(), packet.offset).is_none_or(|last| last < packet.offset));
    }
    for recorded in &FOUR {
        assert_eq!(events_of(&items, recorded.stream).len(), 3);
    }
    assert_eq!(reader.held_back(), 0);
}

#[test]
fn memory_stays_bounded_when_a_stream_is_far_ahead() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    // About 13 MB each. What "Late" holds begins when "Early" is nearly at its end, and must wait for all of that.
    let early = Recorded { stream: "Early", samples: 100, parameters: 10, interval_ns: 10 * MS };
    let late = Recorded { stream: "Late", samples: 100, parameters: 10, interval_ns: MS };
    let count = early.write(&packets, &info.key, 0..1_000 * SECOND)
        + late.write(&packets, &info.key, 950 * SECOND..1_050 * SECOND);
    client.end_session(&info.key).unwrap();
    let buffer_bytes = 1 << 20;
    let reader = connect(&domain).read(aligned(ReadOptions { buffer_bytes, ..by_key(&info.key) })).unwrap();
    let (mut read, mut most) = (Vec::new(), 0);
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < 2 * DEADLINE, "{} of {count} packets came", read.len());
        match reader.next_batch(20, Duration::from_millis(100)).unwrap() {
            Batch::Items(items) => read.extend(packets_of(items)),
            Batch::Empty => {}
            Batch::End => break,
        }
        most = most.max(reader.held_back());
    }
    assert_eq!(read.len(), count);
    assert_aligned(&read);
    assert!(most > 100_000, "nothing was held back");
    assert!(most <= buffer_bytes + (buffer_bytes / 2), "{most} bytes were held back");
}

#[test]
fn live_streams_that_are_silent_hold_nobody_back() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    // The partitions of "Never" exist, with records of another session only.
    let other = client.create_session(&new_session("CarA", "before")).unwrap();
    Recorded { stream: "Never", ..FOUR[0] }.write(&packets, &other.key, 0..SECOND);
    flush(&packets);
    client.end_session(&other.key).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let once = Recorded { stream: "Once", ..FOUR[0] }.write(&packets, &info.key, 0..100 * MS);
    assert_eq!(once, 1);
    FOUR[0].write(&packets, &info.key, 0..100 * MS);
    flush(&packets);
    let reader = connect(&domain).read(aligned(by_key(&info.key))).unwrap();
    read_packets(&reader, 2);
    let mut slowest = Duration::ZERO;
    for tenth in 1..30 {
        FOUR[0].write(&packets, &info.key, tenth * 100 * MS..(tenth + 1) * 100 * MS);
        flush(&packets);
        let written = Instant::now();
        read_packets(&reader, 1);
        slowest = slowest.max(written.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    client.end_session(&info.key).unwrap();
    let items = read_all(&reader);
    assert!(matches!(items.last(), Some(Item::SessionCompleted { by: Completion::EndOffsets, .. })), "{items:?}");
}

#[test]
fn an_update_of_the_session_and_a_stream_that_appears_later_fit_in() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let mut count = FOUR[0].write(&packets, &info.key, 0..SECOND) + FOUR[2].write(&packets, &info.key, 0..SECOND);
    flush(&packets);
    let reader = connect(&domain).read(aligned(by_key(&info.key))).unwrap();
    let mut items = Vec::new();
    let begin = Instant::now();
    while packets_of(items.clone()).len() < count {
        assert!(begin.elapsed() < DEADLINE);
        if let Batch::Items(more) = reader.next_batch(1000, Duration::from_millis(100)).unwrap() {
            items.extend(more);
        }
    }
    client.update_identifier(&info.key, "FP1 renamed").unwrap();
    count += FOUR[3].write(&packets, &info.key, 0..10 * SECOND);
    for recorded in [&FOUR[0], &FOUR[2]] {
        count += recorded.write(&packets, &info.key, SECOND..10 * SECOND);
    }
    client.end_session(&info.key).unwrap();
    items.extend(read_all(&reader));
    assert_eq!(packets_of(items.clone()).len(), count);
    let at = |wanted: &str| items.iter().position(|item| name(item) == wanted);
    assert!(at("session updated").unwrap() < at("session completed by EndOffsets").unwrap());
    assert_eq!(events_of(&items, "Slow").len(), 3);
}

#[test]
fn closing_while_packets_are_held_back_does_not_wait_for_them() {
    let domain = domain();
    let (info, _) = four_streams(&connect(&domain), 60);
    let client = connect(&domain);
    let reader = client.read(aligned(ReadOptions { buffer_packets: 10, ..by_key(&info.key) })).unwrap();
    let begin = Instant::now();
    while reader.held_back() == 0 {
        assert!(begin.elapsed() < DEADLINE, "nothing is held back");
        reader.next_batch(1, Duration::from_millis(20)).unwrap();
    }
    assert!(reader.queued() > 0);
    let begin = Instant::now();
    reader.close(DEADLINE);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(reader.is_closed());
}

#[test]
fn reading_until_now_and_until_silence_end_as_they_do_unaligned() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let count: usize = FOUR.iter().map(|recorded| recorded.write(&packets, &info.key, 0..20 * SECOND)).sum();
    flush(&packets);
    let until_now = ReadOptions { until_now: true, ..by_key(&info.key) };
    let items = read_all(&client.read(aligned(until_now)).unwrap());
    assert_whole_and_aligned(&items, count);
    let inactivity = Inactivity::After(Duration::from_millis(800));
    // Whoever takes slowly does not make the session silent: what is held back for him has still to come.
    let options = ReadOptions { inactivity, buffer_packets: 100, ..by_key(&info.key) };
    let reader = client.read(aligned(options)).unwrap();
    let mut items = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1_600) {
        if let Batch::Items(more) = reader.next_batch(10, Duration::from_millis(20)).unwrap() {
            items.extend(more);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(packets_of(items.clone()).len() < count);
    items.extend(read_all(&reader));
    assert_whole_and_aligned(&items, count);
    assert!(matches!(items.last(), Some(Item::SessionCompleted { by: Completion::Inactivity, .. })));
}

#[test]
fn two_live_sessions_on_the_same_partitions_do_not_wait_for_each_other() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let one = client.create_session(&new_session("CarA", "one")).unwrap();
    let two = client.create_session(&new_session("CarA", "two")).unwrap();
    let count: usize = [&one, &two]
        .iter()
        .map(|info| FOUR.iter().map(|recorded| recorded.write(&packets, &info.key, 0..20 * SECOND)).sum::<usize>())
        .sum();
    flush(&packets);
    let live = ReadOptions { reading: Reading::Live, data_source: Some("CarA".into()), ..ReadOptions::default() };
    let reader = connect(&domain).read(aligned(ReadOptions { buffer_bytes: 1 << 18, ..live })).unwrap();
    let read = read_packets(&reader, count);
    for info in [&one, &two] {
        let of: Vec<Packet> = read.iter().filter(|packet| *packet.session.key == info.key).cloned().collect();
        assert_aligned(&of);
    }
}

#[test]
fn a_group_reads_aligned_what_it_was_given() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let count: usize = FOUR.iter().map(|recorded| recorded.write(&packets, &info.key, 0..20 * SECOND)).sum();
    flush(&packets);
    let group = |reader: &Client| -> Reader {
        let options = ReadOptions {
            reading: Reading::Live,
            data_source: Some("CarA".into()),
            group_id: format!("g-{domain}"),
            buffer_bytes: 1 << 18,
            ..ReadOptions::default()
        };
        reader.read(aligned(options)).unwrap()
    };
    let first = group(&connect(&domain));
    let read = read_packets(&first, count);
    assert_aligned(&read);
    for packet in &read[..count / 2] {
        first.store(packet).unwrap();
    }
    first.close(DEADLINE);
    let second = group(&connect(&domain));
    let rest = read_packets(&second, count - count / 2);
    assert_aligned(&rest);
    let place = |packet: &Packet| (packet.topic.to_string(), packet.offset);
    let mut found: Vec<_> = read[..count / 2].iter().chain(&rest).map(place).collect();
    let mut expected: Vec<_> = read.iter().map(place).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
