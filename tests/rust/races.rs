//! Calls that meet: of several threads, of a close and what it interrupts, of a session's end and the reader's start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use telewire::stream::{Batch, ClientOptions, Item, LayoutChoice, ReadOptions, Reading};

use crate::support::*;

#[test]
fn changes_of_one_session_from_several_threads_all_stay() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    std::thread::scope(|scope| {
        for i in 0..8 {
            let (client, key) = (&client, &info.key);
            scope.spawn(move || client.add_associate(key, &format!("associate-{i}")).unwrap());
        }
    });
    let found: BTreeSet<String> = client.session(&info.key).unwrap().associates.iter().cloned().collect();
    assert_eq!(found, (0..8).map(|i| format!("associate-{i}")).collect());
}

#[test]
fn a_packet_accepted_while_the_client_closes_has_its_outcome_and_a_later_one_is_refused() {
    for _ in 0..10 {
        let client = connect(&domain());
        let packets = client.writer().unwrap();
        packets.write("CarA", "", "k", &packet("k", "first", false)).unwrap();
        let accepted = Arc::new(AtomicU64::new(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (packets, accepted) = (packets.clone(), accepted.clone());
                scope.spawn(move || {
                    loop {
                        match packets.write("CarA", "", "k", &packet("k", "more", false)) {
                            Ok(_) => accepted.fetch_add(1, Ordering::AcqRel),
                            Err(error) => return assert_eq!(error.code(), "closed"),
                        };
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(client.close(DEADLINE).unwrap().left, 0);
        });
        let counts = packets.counts();
        assert_eq!(counts.delivered, accepted.load(Ordering::Acquire), "{counts:?}");
        assert_eq!(client.writer().unwrap_err().code(), "closed");
    }
}

#[test]
fn a_session_that_ends_while_a_reader_of_both_starts_is_read_exactly_once() {
    let domain = domain();
    let writer = connect(&domain);
    let reading = connect(&domain);
    for round in 0..15 {
        let source = format!("Car{round}");
        let info = writer.create_session(&new_session(&source, "FP1")).unwrap();
        let packets = writer.writer().unwrap();
        packets.write(&source, "", &info.key, &packet(&info.key, "x", false)).unwrap();
        let (client, key) = (writer.clone(), info.key.clone());
        let ending = std::thread::spawn(move || client.end_session(&key).unwrap());
        std::thread::sleep(Duration::from_millis(round));
        let options =
            ReadOptions { reading: Reading::Both, data_source: Some(source.clone()), ..ReadOptions::default() };
        let reader = reading.read(options).unwrap();
        ending.join().unwrap();
        let mut items = Vec::new();
        let begin = std::time::Instant::now();
        while !items.iter().any(|item| matches!(item, Item::SessionCompleted { .. })) {
            assert!(begin.elapsed() < DEADLINE, "round {round}: {items:?}");
            if let Batch::Items(more) = reader.next_batch(100, Duration::from_millis(50)).unwrap() {
                items.extend(more);
            }
        }
        if let Batch::Items(more) = reader.next_batch(100, Duration::from_millis(100)).unwrap() {
            items.extend(more);
        }
        assert_eq!(texts(items).len(), 1, "round {round}");
    }
}

#[test]
fn a_wait_too_long_to_count_is_as_good_as_for_ever() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "x", false)).unwrap();
    assert_eq!(packets.flush(Duration::MAX).unwrap().left, 0);
    let reader = client.read(by_key(&info.key)).unwrap();
    assert!(matches!(reader.next_batch(1, Duration::MAX).unwrap(), Batch::Items(_)));
    reader.close(Duration::MAX);
    assert_eq!(client.close(Duration::MAX).unwrap().left, 0);
}

#[test]
fn records_behind_a_sessions_end_are_never_given_out_with_it() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    for stream in ["", "S"] {
        packets.write("CarA", stream, &info.key, &packet(&info.key, "inside", false)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    for stream in ["", "S"] {
        packets.write("CarA", stream, &info.key, &packet(&info.key, "behind", false)).unwrap();
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    for _ in 0..5 {
        let items = read_all(&client.read(by_key(&info.key)).unwrap());
        assert!(texts(items.clone()).iter().all(|(_, text)| text == "inside"), "{items:?}");
        assert_eq!(texts(items).len(), 2);
    }
}

#[test]
fn an_association_is_told_once_however_it_became_known() {
    let domain = domain();
    let client = connect(&domain);
    let other = client.create_session(&new_session("CarB", "FP1")).unwrap();
    let options = ReadOptions { reading: Reading::Live, data_source: Some("CarA".into()), ..ReadOptions::default() };
    let reader = connect(&domain).read(options).unwrap();
    let mut sessions = Vec::new();
    for i in 0..20 {
        let mut new = new_session("CarA", &format!("FP{i}"));
        new.associates.push(other.key.clone());
        let info = client.create_session(&new).unwrap();
        client.end_session(&info.key).unwrap();
        sessions.push(info.key.clone());
    }
    let mut items = Vec::new();
    let begin = std::time::Instant::now();
    while items.iter().filter(|item| matches!(item, Item::SessionCompleted { .. })).count() < sessions.len() {
        assert!(begin.elapsed() < DEADLINE, "{items:?}");
        if let Batch::Items(more) = reader.next_batch(100, Duration::from_millis(50)).unwrap() {
            items.extend(more);
        }
    }
    let mut told: Vec<String> = items
        .iter()
        .filter_map(|item| if let Item::Associated { main, .. } = item { Some(main.key.clone()) } else { None })
        .collect();
    told.sort();
    sessions.sort();
    assert_eq!(told, sessions);
}

#[test]
fn a_reader_on_an_empty_cluster_finds_the_layout_that_the_first_writer_chose() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded://{}", folder.path().join("data").display());
    let reading = telewire::stream::Client::connect(ClientOptions::new(url.clone())).unwrap();
    let options = ReadOptions { reading: Reading::Live, data_source: Some("CarA".into()), ..ReadOptions::default() };
    let reader = reading.read(options).unwrap();
    let classic = ClientOptions { layout: LayoutChoice::Classic, ..ClientOptions::new(url) };
    let client = telewire::stream::Client::connect(classic).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "x", false)).unwrap();
    assert_eq!(text(&read_packets(&reader, 1)[0]).1, "x");
}

#[test]
fn a_thousand_live_sessions_side_by_side_are_each_read_whole() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let layout = client.layout();
    let keys: Vec<String> = (0..1_000).map(|i| format!("session-{i}")).collect();
    for key in &keys {
        let begin = telewire::session::new_session_packet(key, &new_session("CarA", key), &Default::default(), &layout);
        packets.write_info(&begin, telewire::stream::InfoType::SessionInfo).unwrap();
        packets.write("CarA", "", key, &packet(key, key, false)).unwrap();
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let options = ReadOptions { reading: Reading::Live, data_source: Some("CarA".into()), ..ReadOptions::default() };
    let reader = connect(&domain).read(options).unwrap();
    let mut found: Vec<String> = read_packets(&reader, keys.len()).iter().map(|packet| text(packet).1).collect();
    found.sort();
    let mut expected = keys;
    expected.sort();
    assert_eq!(found, expected);
}
