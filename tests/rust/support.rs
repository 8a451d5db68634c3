//! A broker, a world of its own for each test, and waiting with a deadline.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use telewire::packet::{ColumnRef, Envelope, Strided, ValuesRef};
use telewire::proto::open_data as wire;
use telewire::session::NewSession;
use telewire::stream::{Batch, Client, ClientOptions, Item, LayoutChoice, Packet, ReadOptions, Reader};
use telewire::topic::Strategy;

/// Nothing in these tests takes longer unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The cluster under test: an address, or `embedded://` for the broker of this very process.
pub(crate) fn brokers() -> String {
    static ATTACHED: OnceLock<telewire::embedded::Attached> = OnceLock::new();
    let brokers = std::env::var("TELEWIRE_TEST_BROKERS")
        .expect("TELEWIRE_TEST_BROKERS must name a broker; `python3 scripts/kafka.py run -- cargo test` starts one");
    if telewire::embedded::is_embedded_url(&brokers) {
        return ATTACHED.get_or_init(|| telewire::embedded::attach(&brokers).unwrap()).address();
    }
    brokers
}

/// A domain that no other test and no other run uses.
pub(crate) fn domain() -> String {
    format!("T{}", telewire::session::new_session_key().replace('-', ""))
}

pub(crate) fn options(domain: &str) -> ClientOptions {
    ClientOptions { domain: domain.into(), layout: LayoutChoice::Domain, ..ClientOptions::new(brokers()) }
}

pub(crate) fn connect(domain: &str) -> Client {
    Client::connect(options(domain)).unwrap()
}

pub(crate) fn partitioned(domain: &str, mappings: &[(&str, i32)]) -> Client {
    Client::connect(ClientOptions {
        strategy: Strategy::PartitionBased,
        partition_mappings: mappings.iter().map(|(stream, partition)| ((*stream).to_string(), *partition)).collect(),
        ..options(domain)
    })
    .unwrap()
}

pub(crate) fn new_session(data_source: &str, identifier: &str) -> NewSession {
    NewSession { data_source: data_source.into(), identifier: identifier.into(), ..NewSession::default() }
}

pub(crate) fn by_key(key: &str) -> ReadOptions {
    ReadOptions { session_key: Some(key.into()), ..ReadOptions::default() }
}

/// A packet of a type of our own, with a text as content.
pub(crate) fn packet(key: &str, content: &str, is_essential: bool) -> Vec<u8> {
    Envelope { type_name: "Test", session_key: key, is_essential, content: content.as_bytes(), id: 0 }.encode()
}

pub(crate) fn configuration(parameters: &[&str], events: &[&str]) -> Vec<u8> {
    use prost::Message as _;
    wire::ConfigurationPacket {
        config_id: telewire::session::new_session_key(),
        parameter_definitions: parameters
            .iter()
            .map(|id| wire::ParameterDefinition { identifier: (*id).into(), ..Default::default() })
            .collect(),
        event_definitions: events
            .iter()
            .map(|id| wire::EventDefinition { identifier: (*id).into(), ..Default::default() })
            .collect(),
        ..Default::default()
    }
    .encode_to_vec()
}

pub(crate) fn column(values: &[f64]) -> ColumnRef<'_> {
    ColumnRef::valid(ValuesRef::F64(Strided::new(values, 0, 1, values.len()).unwrap()))
}

/// Everything until the reader ends by itself.
pub(crate) fn read_all(reader: &Reader) -> Vec<Item> {
    let mut items = Vec::new();
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < DEADLINE, "the reader did not end; so far {items:?}");
        match reader.next_batch(1000, Duration::from_millis(100)).unwrap() {
            Batch::Items(more) => items.extend(more),
            Batch::Empty => {}
            Batch::End => return items,
        }
    }
}

/// Items until this many packets have come.
pub(crate) fn read_packets(reader: &Reader, count: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    let begin = Instant::now();
    while packets.len() < count {
        assert!(begin.elapsed() < DEADLINE, "{} of {count} packets came", packets.len());
        match reader.next_batch(count - packets.len(), Duration::from_millis(100)).unwrap() {
            Batch::Items(items) => packets.extend(packets_of(items)),
            Batch::Empty => {}
            Batch::End => panic!("the reader ended after {} of {count} packets", packets.len()),
        }
    }
    packets
}

pub(crate) fn packets_of(items: Vec<Item>) -> Vec<Packet> {
    items.into_iter().filter_map(|item| if let Item::Packet(packet) = item { Some(packet) } else { None }).collect()
}

/// Type and content of a packet, as text.
pub(crate) fn text(packet: &Packet) -> (String, String) {
    let envelope = Envelope::peek(&packet.payload).unwrap();
    (envelope.type_name.to_string(), String::from_utf8_lossy(envelope.content).into_owned())
}

/// The texts of the packets of our own type, per stream, in order.
pub(crate) fn texts(items: Vec<Item>) -> Vec<(String, String)> {
    packets_of(items)
        .iter()
        .filter(|packet| text(packet).0 == "Test")
        .map(|packet| (packet.stream.to_string(), text(packet).1))
        .collect()
}

/// A short name of an item, for comparing orders of events.
pub(crate) fn name(item: &Item) -> String {
    match item {
        Item::SessionStarted(_) => "session started".into(),
        Item::StreamStarted(stream) => format!("stream '{}' started", stream.stream),
        Item::Packet(packet) => format!("'{}' {}", packet.stream, text(packet).0),
        Item::CoverageCursor { time_ns, .. } => format!("cursor {time_ns}"),
        Item::SessionUpdated(_) => "session updated".into(),
        Item::Associated { .. } => "associated".into(),
        Item::StreamCompleted(stream) => format!("stream '{}' completed", stream.stream),
        Item::SessionCompleted { by, .. } => format!("session completed by {by:?}"),
    }
}
