//! A broker that goes away and comes back: while reading, writing and closing.

use std::path::Path;
use std::time::{Duration, Instant};

use telewire::embedded::{Broker, BrokerOptions};
use telewire::stream::{Batch, Client, ClientOptions, Completion, Fate, Inactivity, Item, ReadOptions, Reading};

use crate::support::*;

/// Starts a broker on a folder; `port` 0 takes a free one.
fn start(folder: &Path, port: u16) -> Broker {
    let begin = Instant::now();
    loop {
        let options = BrokerOptions { port, data: Some(folder.to_path_buf()), ..BrokerOptions::default() };
        match Broker::start(options) {
            Ok(broker) => return broker,
            Err(error) => assert!(begin.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn port(broker: &Broker) -> u16 {
    broker.address().rsplit(':').next().unwrap().parse().unwrap()
}

fn live() -> ReadOptions {
    ReadOptions { reading: Reading::Live, data_source: Some("CarA".into()), ..ReadOptions::default() }
}

#[test]
fn writing_and_reading_go_on_after_an_outage_without_loss_doubling_or_disorder() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let port = port(&broker);
    let client = Client::connect(ClientOptions::new(broker.address())).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let reader = client.read(by_key(&info.key)).unwrap();
    let write = |range: std::ops::Range<i32>| {
        for i in range {
            packets.write("CarA", "", &info.key, &packet(&info.key, &i.to_string(), false)).unwrap();
        }
    };
    write(0..500);
    assert_eq!(read_packets(&reader, 500).len(), 500);
    drop(broker);
    write(500..1_000);
    std::thread::sleep(Duration::from_millis(1_500));
    let broker = start(folder.path(), port);
    let healed = Instant::now();
    write(1_000..1_500);
    let found: Vec<String> = read_packets(&reader, 1_000).iter().map(|packet| text(packet).1).collect();
    assert!(healed.elapsed() < Duration::from_secs(10), "{:?}", healed.elapsed());
    assert_eq!(found, (500..1_500).map(|i| i.to_string()).collect::<Vec<_>>());
    client.end_session(&info.key).unwrap();
    let rest = read_all(&reader);
    assert!(texts(rest.clone()).is_empty(), "{rest:?}");
    assert!(matches!(rest.last(), Some(Item::SessionCompleted { .. })));
    client.close(DEADLINE).unwrap();
    drop(broker);
}

#[test]
fn a_historic_read_goes_on_after_an_outage_in_its_middle() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let port = port(&broker);
    let client = Client::connect(ClientOptions::new(broker.address())).unwrap();
    let mut keys = Vec::new();
    for run in 0..3 {
        let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
        let packets = client.writer().unwrap();
        for i in 0..300 {
            packets.write("CarA", "S", &info.key, &packet(&info.key, &format!("{run}/{i}"), false)).unwrap();
        }
        client.end_session(&info.key).unwrap();
        keys.push(info.key.clone());
    }
    let options = ReadOptions { buffer_packets: 10, reading: Reading::Historic, ..live() };
    let reader = client.read(options).unwrap();
    let mut found = read_packets(&reader, 20);
    drop(broker);
    let reading = std::thread::spawn(move || {
        found.extend(packets_of(read_all(&reader)));
        found
    });
    std::thread::sleep(Duration::from_millis(1_500));
    let broker = start(folder.path(), port);
    let found: Vec<String> = reading.join().unwrap().iter().map(|packet| text(packet).1).collect();
    let expected: Vec<String> = (0..3).flat_map(|run| (0..300).map(move |i| format!("{run}/{i}"))).collect();
    assert_eq!(found, expected);
    client.close(DEADLINE).unwrap();
    drop(broker);
}

#[test]
fn closing_without_a_broker_keeps_its_deadline_and_gives_every_packet_an_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let client = Client::connect(ClientOptions::new(broker.address())).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "there", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let reader = client.read(by_key(&info.key)).unwrap();
    let group = client.read(ReadOptions { group_id: "g".into(), ..live() }).unwrap();
    let taken = read_packets(&group, 1);
    group.store(&taken[0]).unwrap();
    drop(broker);
    for i in 0..10 {
        packets.write("CarA", "", &info.key, &packet(&info.key, &i.to_string(), false)).unwrap();
    }
    let asking = client.clone();
    let waiting = std::thread::spawn(move || asking.create_session(&new_session("CarA", "FP2")));
    let begin = Instant::now();
    let report = client.close(Duration::from_secs(1)).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!((report.failed.len(), report.left), (10, 0), "{report:?}");
    for outcome in &report.failed {
        assert_ne!(outcome.fate, Fate::Persisted);
        assert!(outcome.payload.is_some());
    }
    assert!(waiting.join().unwrap().is_err());
    for reader in [reader, group] {
        let begin = Instant::now();
        while !matches!(reader.next_batch(10, Duration::from_millis(100)).unwrap(), Batch::End) {
            assert!(begin.elapsed() < DEADLINE);
        }
        drop(reader);
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    }
}

#[test]
fn committing_a_groups_offsets_without_a_broker_ends_in_the_clients_time() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let options = ClientOptions { timeout: Duration::from_secs(3), ..ClientOptions::new(broker.address()) };
    let client = Client::connect(options).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "there", false)).unwrap();
    let group = client.read(ReadOptions { group_id: "g".into(), ..live() }).unwrap();
    let taken = read_packets(&group, 1);
    drop(broker);
    group.store(&taken[0]).unwrap();
    let begin = Instant::now();
    let outcome = group.commit();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(outcome.unwrap_err().code(), "timeout");
    let begin = Instant::now();
    group.close(Duration::from_secs(1));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    client.close(Duration::from_secs(1)).unwrap();
    drop((packets, group, client));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

/// Sessions of so many packets each, ended.
fn history(client: &Client, sessions: usize, packets_each: usize) {
    let packets = client.writer().unwrap();
    for run in 0..sessions {
        let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
        for i in 0..packets_each {
            packets.write("CarA", "S", &info.key, &packet(&info.key, &format!("{run}/{i}"), false)).unwrap();
        }
        client.end_session(&info.key).unwrap();
    }
}

#[test]
fn an_outage_is_no_silence() {
    const SILENCE: Duration = Duration::from_secs(2);
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let port = port(&broker);
    let client = Client::connect(ClientOptions::new(broker.address())).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let options = ReadOptions { inactivity: Inactivity::After(SILENCE), ..by_key(&info.key) };
    let reader = client.read(options).unwrap();
    let begin = Instant::now();
    while !matches!(reader.next_batch(10, Duration::from_millis(50)).unwrap(), Batch::Items(_)) {
        assert!(begin.elapsed() < DEADLINE, "the session was not taken up");
    }
    drop(broker);
    let away = Instant::now();
    while away.elapsed() < SILENCE * 3 {
        let batch = reader.next_batch(10, Duration::from_millis(50)).unwrap();
        assert!(matches!(batch, Batch::Empty), "{batch:?}");
    }
    let broker = start(folder.path(), port);
    // Now it answers, and nothing comes.
    let items = read_all(&reader);
    assert!(matches!(items[..], [Item::SessionCompleted { by: Completion::Inactivity, .. }]), "{items:?}");
    client.close(DEADLINE).unwrap();
    drop(broker);
}

#[test]
fn closing_a_reader_calls_off_its_question_to_a_broker_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path(), 0);
    let options = ClientOptions { timeout: Duration::from_secs(60), ..ClientOptions::new(broker.address()) };
    let client = Client::connect(options).unwrap();
    history(&client, 2, 30);
    let reader = client.read(ReadOptions { buffer_packets: 10, reading: Reading::Historic, ..live() }).unwrap();
    read_packets(&reader, 10);
    drop(broker);
    // The rest of the first session is in memory. Then the reader asks for the topics of the second.
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < DEADLINE, "the first session was not completed");
        let Batch::Items(items) = reader.next_batch(10, Duration::from_millis(50)).unwrap() else { continue };
        if items.iter().any(|item| matches!(item, Item::SessionCompleted { .. })) {
            break;
        }
    }
    let begin = Instant::now();
    reader.close(Duration::from_secs(40));
    assert!(begin.elapsed() < Duration::from_secs(10), "closing took {:?}", begin.elapsed());
    client.close(Duration::from_secs(1)).unwrap();
}
