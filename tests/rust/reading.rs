//! Readers: live, historic, patterns, streams, groups, and when they are complete.

use std::time::{Duration, Instant};

use telewire::stream::{Batch, Completion, Inactivity, Item, LiveStart, ReadOptions, Reading};

use crate::support::*;

fn live(data_source: &str) -> ReadOptions {
    ReadOptions { reading: Reading::Live, data_source: Some(data_source.into()), ..ReadOptions::default() }
}

fn historic(data_source: &str) -> ReadOptions {
    ReadOptions { reading: Reading::Historic, ..live(data_source) }
}

#[test]
fn a_live_reader_gets_every_packet_in_order_sees_the_end_and_stops() {
    let domain = domain();
    let writer = connect(&domain);
    let info = writer.create_session(&new_session("CarA", "FP1")).unwrap();
    let reader = connect(&domain).read(by_key(&info.key)).unwrap();
    let key = info.key.clone();
    let thread = std::thread::spawn(move || {
        let packets = writer.writer().unwrap();
        for i in 0..2_000 {
            let stream = if i % 2 == 0 { "" } else { "Odd" };
            packets.write("CarA", stream, &key, &packet(&key, &i.to_string(), false)).unwrap();
            if i % 100 == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        writer.end_session(&key).unwrap();
    });
    let items = read_all(&reader);
    thread.join().unwrap();
    let of = |stream: &str| -> Vec<String> {
        texts(items.clone()).into_iter().filter(|(name, _)| name == stream).map(|(_, text)| text).collect()
    };
    assert_eq!(of(""), (0..2_000).step_by(2).map(|i: i32| i.to_string()).collect::<Vec<_>>());
    assert_eq!(of("Odd"), (1..2_000).step_by(2).map(|i: i32| i.to_string()).collect::<Vec<_>>());
    assert!(matches!(items.last(), Some(Item::SessionCompleted { by: Completion::EndOffsets, info }) if info.ended));
}

#[test]
fn events_come_in_their_order_around_the_packets() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "a", false)).unwrap();
    client.end_session(&info.key).unwrap();
    let items = read_all(&client.read(by_key(&info.key)).unwrap());
    assert_eq!(
        items.iter().map(name).collect::<Vec<_>>(),
        ["session started", "stream '' started", "'' Test", "stream '' completed", "session completed by EndOffsets"]
    );
}

#[test]
fn conformance_1_packets_come_back_with_stream_content_and_submit_time() {
    let domain = domain();
    let topics = connect(&domain);
    let partitions = partitioned(&format!("{domain}P"), &[("One", 1), ("Two", 2)]);
    for (client, unknown) in [(topics, None), (partitions, Some("Three"))] {
        let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
        let packets = client.writer().unwrap();
        for stream in ["", "One", "Two"].into_iter().chain(unknown) {
            packets.write("CarA", stream, &info.key, &packet(&info.key, &format!("<{stream}>"), false)).unwrap();
        }
        client.end_session(&info.key).unwrap();
        let items = read_all(&client.read(by_key(&info.key)).unwrap());
        for packet in packets_of(items.clone()) {
            let age = telewire::time::now_ns() / 1_000_000 - u64::try_from(packet.timestamp_ms).unwrap();
            assert!(age < 60_000, "submitted {age} ms ago");
        }
        let mut found = texts(items);
        found.sort();
        // A stream without a mapping arrives as the main stream.
        let label = |stream: &str| if stream == "Three" { String::new() } else { stream.to_string() };
        let mut expected: Vec<(String, String)> = ["", "One", "Two"]
            .into_iter()
            .chain(unknown)
            .map(|stream| (label(stream), format!("<{stream}>")))
            .collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn conformance_2_only_packets_whose_kafka_key_is_the_session_key_are_delivered() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", "other", &packet(&info.key, "says it is ours", false)).unwrap();
    packets.write("CarA", "", &info.key, &packet("other", "says it is not", false)).unwrap();
    client.end_session(&info.key).unwrap();
    let found = texts(read_all(&client.read(by_key(&info.key)).unwrap()));
    assert_eq!(found, [(String::new(), "says it is not".to_string())]);
}

#[test]
fn a_historic_read_is_complete_and_stops_by_itself_session_after_session() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let mut expected = Vec::new();
    for run in 0..3 {
        let info = client.create_session(&new_session("CarA", &format!("Run {run}"))).unwrap();
        for i in 0..200 {
            let text = format!("{run}/{i}");
            packets.write("CarA", "S", &info.key, &packet(&info.key, &text, false)).unwrap();
            expected.push(("S".to_string(), text));
        }
        client.end_session(&info.key).unwrap();
    }
    // A live session of the same car is not history.
    client.create_session(&new_session("CarA", "Run live")).unwrap();
    let items = read_all(&connect(&domain).read(historic("CarA")).unwrap());
    assert_eq!(items.iter().filter(|item| matches!(item, Item::SessionCompleted { .. })).count(), 3);
    assert_eq!(texts(items), expected);
    let one = ReadOptions { pattern: "*1".into(), ..historic("CarA") };
    assert_eq!(texts(read_all(&client.read(one).unwrap())), expected[200..400]);
}

#[test]
fn nothing_to_read_as_history_ends_at_once() {
    let client = connect(&domain());
    let begin = Instant::now();
    assert!(read_all(&client.read(historic("CarA")).unwrap()).is_empty());
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_live_reader_by_pattern_takes_up_later_sessions_and_those_renamed_into_the_pattern() {
    let domain = domain();
    let client = connect(&domain);
    let options = ReadOptions { pattern: "Race*".into(), ..live("CarA") };
    let reader = connect(&domain).read(options).unwrap();
    let other = client.create_session(&new_session("CarA", "Practice")).unwrap();
    let race = client.create_session(&new_session("CarA", "Race 1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &other.key, &packet(&other.key, "early", false)).unwrap();
    packets.write("CarA", "", &race.key, &packet(&race.key, "race", false)).unwrap();
    let first = read_packets(&reader, 1);
    assert_eq!(text(&first[0]).1, "race");
    client.update_identifier(&other.key, "Race 2").unwrap();
    let second = read_packets(&reader, 1);
    assert_eq!(text(&second[0]).1, "early", "a session that matches later is read from its beginning");
}

#[test]
fn the_leading_edge_skips_what_was_there_and_nothing_after() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "before", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let reader = client.read(ReadOptions { live_start: LiveStart::LeadingEdge, ..live("CarA") }).unwrap();
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < DEADLINE);
        if let Batch::Items(items) = reader.next_batch(1, Duration::from_millis(100)).unwrap() {
            assert_eq!(name(&items[0]), "session started");
            break;
        }
    }
    packets.write("CarA", "", &info.key, &packet(&info.key, "after", false)).unwrap();
    packets.write("CarA", "New", &info.key, &packet(&info.key, "new stream", false)).unwrap();
    let mut found: Vec<String> = read_packets(&reader, 2).iter().map(|packet| text(packet).1).collect();
    found.sort();
    assert_eq!(found, ["after", "new stream"]);
}

#[test]
fn streams_are_chosen_left_out_and_waited_for() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    for stream in ["", "A", "B", "C"] {
        packets.write("CarA", stream, &info.key, &packet(&info.key, stream, false)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    let read = |options: ReadOptions| {
        let mut found: Vec<String> =
            texts(read_all(&client.read(options).unwrap())).into_iter().map(|(stream, _)| stream).collect();
        found.sort();
        found
    };
    let all = by_key(&info.key);
    assert_eq!(read(ReadOptions { streams: names(&["A"]), ..all.clone() }), names(&["", "A"]));
    assert_eq!(read(ReadOptions { streams: names(&["A"]), exclude_main: true, ..all.clone() }), names(&["A"]));
    assert_eq!(read(ReadOptions { excluded_streams: names(&["A", ""]), ..all.clone() }), names(&["B", "C"]));
    let both = ReadOptions { streams: names(&["A", "B"]), excluded_streams: names(&["A"]), ..all };
    assert_eq!(read(both), names(&["", "B"]));
}

#[test]
fn a_full_buffer_pauses_fetching_and_drops_nothing() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    for i in 0..3_000 {
        packets.write("CarA", "S", &info.key, &packet(&info.key, &i.to_string(), false)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    let reader = client.read(ReadOptions { buffer_packets: 10, ..by_key(&info.key) }).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(reader.queued() <= 20, "{} items wait", reader.queued());
    let found: Vec<String> = texts(read_all(&reader)).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, (0..3_000).map(|i: i32| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn silence_completes_a_session_only_when_asked_to() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let options = ReadOptions { inactivity: Inactivity::After(Duration::from_millis(300)), ..by_key(&info.key) };
    let items = read_all(&client.read(options).unwrap());
    assert!(matches!(items.last(), Some(Item::SessionCompleted { by: Completion::Inactivity, .. })), "{items:?}");
}

#[test]
fn a_session_that_does_not_exist_yet_is_waited_for() {
    let domain = domain();
    let client = connect(&domain);
    let key = telewire::session::new_session_key();
    let reader = connect(&domain).read(by_key(&key)).unwrap();
    let packets = client.writer().unwrap();
    let layout = client.layout();
    let begin = telewire::session::new_session_packet(&key, &new_session("CarA", "x"), &Default::default(), &layout);
    packets.write("CarA", "", &key, &packet(&key, "written before the record", false)).unwrap();
    packets.write_info(&begin, telewire::stream::InfoType::SessionInfo).unwrap();
    packets.write("CarA", "", &key, &packet(&key, "and after", false)).unwrap();
    let found: Vec<String> = read_packets(&reader, 2).iter().map(|packet| text(packet).1).collect();
    assert_eq!(found, ["written before the record", "and after"]);
}

#[test]
fn sessions_that_share_a_partition_are_told_apart_and_each_is_complete() {
    let domain = domain();
    let client = connect(&domain);
    let a = client.create_session(&new_session("CarA", "A")).unwrap();
    let reader = connect(&domain).read(live("CarA")).unwrap();
    let packets = client.writer().unwrap();
    let mut others = vec![a];
    for run in 0..4 {
        for i in 0..50 {
            for info in &others {
                let text = format!("{}:{run}/{i}", info.identifier);
                packets.write("CarA", "S", &info.key, &packet(&info.key, &text, false)).unwrap();
            }
        }
        others.push(client.create_session(&new_session("CarA", &format!("B{run}"))).unwrap());
    }
    for info in &others {
        client.end_session(&info.key).unwrap();
    }
    let mut items = Vec::new();
    let begin = Instant::now();
    while items.iter().filter(|item| matches!(item, Item::SessionCompleted { .. })).count() < others.len() {
        assert!(begin.elapsed() < DEADLINE, "{:?}", items.iter().map(name).collect::<Vec<_>>());
        if let Batch::Items(more) = reader.next_batch(1000, Duration::from_millis(100)).unwrap() {
            items.extend(more);
        }
    }
    for (index, info) in others.iter().enumerate() {
        let of_session: Vec<Item> = items
            .iter()
            .filter(|item| matches!(item, Item::Packet(packet) if *packet.session.key == info.key))
            .cloned()
            .collect();
        let expected: Vec<String> = (index..4)
            .flat_map(|run| (0..50).map(move |i| (run, i)))
            .map(|(run, i)| format!("{}:{run}/{i}", info.identifier))
            .collect();
        assert_eq!(texts(of_session).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_group_resumes_behind_what_was_handled_and_shares_the_streams() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let write = |range: std::ops::Range<i32>| {
        for i in range {
            packets.write("CarA", "S", &info.key, &packet(&info.key, &i.to_string(), false)).unwrap();
        }
        packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    };
    write(0..100);
    let group = || ReadOptions { group_id: format!("g-{domain}"), ..live("CarA") };
    let first = connect(&domain).read(group()).unwrap();
    let taken = read_packets(&first, 40);
    assert_eq!(text(&taken[0]).1, "0", "without a commit a group reads from the beginning");
    first.store(&taken[29]).unwrap();
    first.close(DEADLINE);
    write(100..120);
    let second = connect(&domain).read(group()).unwrap();
    let found: Vec<String> = read_packets(&second, 90).iter().map(|packet| text(packet).1).collect();
    assert_eq!(found, (30..120).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_group_reads_what_sessions_wrote_and_ended_while_none_of_its_members_was_there() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let group = || ReadOptions { group_id: format!("g-{domain}"), ..live("CarA") };
    let half = client.create_session(&new_session("CarA", "half read")).unwrap();
    packets.write("CarA", "S", &half.key, &packet(&half.key, "handled", false)).unwrap();
    let reader = connect(&domain).read(group()).unwrap();
    let taken = read_packets(&reader, 1);
    reader.store(&taken[0]).unwrap();
    reader.close(DEADLINE);

    packets.write("CarA", "S", &half.key, &packet(&half.key, "tail", false)).unwrap();
    client.end_session(&half.key).unwrap();
    let whole = client.create_session(&new_session("CarA", "never seen")).unwrap();
    packets.write("CarA", "S", &whole.key, &packet(&whole.key, "whole", false)).unwrap();
    client.end_session(&whole.key).unwrap();

    let reader = connect(&domain).read(group()).unwrap();
    let found: Vec<String> = read_packets(&reader, 2).iter().map(|packet| text(packet).1).collect();
    assert_eq!(found, ["tail", "whole"]);
}

#[test]
fn a_group_id_with_history_or_without_a_data_source_is_refused() {
    let client = connect(&domain());
    for options in [
        ReadOptions { group_id: "g".into(), ..historic("CarA") },
        ReadOptions { group_id: "g".into(), data_source: None, ..live("CarA") },
        ReadOptions { group_id: "not legal".into(), ..live("CarA") },
        ReadOptions::default(),
    ] {
        assert!(client.read(options).is_err());
    }
}

#[test]
fn a_reader_that_names_a_stream_without_a_partition_gets_the_error() {
    let client = partitioned(&domain(), &[("One", 1)]);
    let error = client.read(ReadOptions { streams: vec!["Two".into()], ..live("CarA") }).unwrap_err();
    assert_eq!(error.code(), "unmapped_stream");
}

/// Item 10: offsets 0, absolute, missing, beyond the end and below what retention has left. (The end of the topic as a
/// start is `the_leading_edge_skips_what_was_there_and_nothing_after`.)
#[test]
fn conformance_10_start_offsets_are_taken_as_given_and_clamped_to_what_exists() {
    use telewire::session::Offsets;
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let topic = format!("{domain}.Data.CarA");
    let at = |offset: i64| Offsets::from_iter([((topic.clone(), 0), offset)]);
    // Five keys in turn, four records each: offsets 0 to 19.
    let sessions =
        [("zero", at(0)), ("absolute", at(7)), ("missing", Offsets::default()), ("beyond", at(1_000)), ("gone", at(2))];
    for round in 0..4 {
        for (key, _) in &sessions {
            packets.write("CarA", "", key, &packet(key, &format!("{key} {round}"), false)).unwrap();
            packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
        }
    }
    for (key, offsets) in &sessions {
        let begin = telewire::session::new_session_packet(key, &new_session("CarA", key), offsets, &client.layout());
        packets.write_info(&begin, telewire::stream::InfoType::SessionInfo).unwrap();
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    for (key, _) in &sessions {
        client.end_session(key).unwrap();
    }
    let read = |key: &str| -> Vec<String> {
        texts(read_all(&client.read(by_key(key)).unwrap())).into_iter().map(|(_, text)| text).collect()
    };
    let rounds = |key: &str, from: i32| (from..4).map(|round| format!("{key} {round}")).collect::<Vec<_>>();
    assert_eq!(read("zero"), rounds("zero", 0));
    // Its records lie at 1, 6, 11, 16; it begins at 7.
    assert_eq!(read("absolute"), rounds("absolute", 2));
    assert_eq!(read("missing"), rounds("missing", 0));
    assert_eq!(read("beyond"), Vec::<String>::new());

    delete_before(&topic, 10);
    // Its records lie at 4, 9, 14, 19; it began at 2, and 10 is the first that is left.
    assert_eq!(read("gone"), rounds("gone", 2));
}

fn delete_before(topic: &str, offset: i64) {
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic, 0, rdkafka::Offset::Offset(offset)).unwrap();
    futures_executor::block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
}

#[test]
fn a_coverage_cursor_follows_its_packet() {
    let client = connect(&domain());
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    session.coverage_cursor(123_456_789).unwrap();
    session.end(None).unwrap();
    let names: Vec<String> = read_all(&client.read(by_key(session.key())).unwrap()).iter().map(name).collect();
    let at = names.iter().position(|name| name == "cursor 123456789").unwrap();
    assert_eq!(names[at - 1], "'' CoverageCursorInfo");
}

#[test]
fn closing_a_reader_that_waits_takes_a_moment_from_any_thread() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let reader = std::sync::Arc::new(client.read(by_key(&info.key)).unwrap());
    let waiting = reader.clone();
    let thread = std::thread::spawn(move || {
        loop {
            if matches!(waiting.next_batch(10, Duration::from_secs(20)).unwrap(), Batch::End) {
                return;
            }
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    reader.close(Duration::from_secs(5));
    reader.close(Duration::from_secs(5));
    thread.join().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[test]
fn closing_the_client_ends_its_readers_and_refuses_everything_after() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let reader = client.read(by_key(&info.key)).unwrap();
    client.close(Duration::from_secs(5)).unwrap();
    assert!(read_all(&reader).len() <= 1);
    let closed = client.sessions(None).unwrap_err();
    assert_eq!(closed.code(), "closed");
    assert_eq!(client.close(Duration::from_secs(5)).unwrap().left, 0);
}

#[test]
fn a_session_in_a_state_that_the_mode_does_not_read_is_left_alone() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let begin = |identifier: &str| {
        let info = client.create_session(&new_session("CarA", identifier)).unwrap();
        packets.write("CarA", "", &info.key, &packet(&info.key, identifier, false)).unwrap();
        info.key.clone()
    };
    let (ended, live) = (begin("ended"), begin("live"));
    client.end_session(&ended).unwrap();
    let reading = |key: &str, reading| client.read(ReadOptions { reading, ..by_key(key) }).unwrap();
    for (key, mode) in [(&*ended, Reading::Live), (&*live, Reading::Historic), ("nobody", Reading::Historic)] {
        assert_eq!(read_all(&reading(key, mode)).len(), 0, "{key} {mode:?}");
    }
    // The other ways round they are read, also by both.
    for (key, mode) in [(&*ended, Reading::Historic), (&*ended, Reading::Both)] {
        assert_eq!(texts(read_all(&reading(key, mode))), [(String::new(), "ended".to_string())]);
    }
    let readers = [reading(&live, Reading::Live), reading(&live, Reading::Both)];
    client.end_session(&live).unwrap();
    for reader in readers {
        assert_eq!(texts(read_all(&reader)), [(String::new(), "live".to_string())]);
    }
}

#[test]
fn both_waits_for_a_session_that_does_not_exist_yet() {
    let domain = domain();
    let client = connect(&domain);
    let key = telewire::session::new_session_key();
    let reader = client.read(ReadOptions { reading: Reading::Both, ..by_key(&key) }).unwrap();
    let layout = client.layout();
    let record = telewire::session::new_session_packet(&key, &new_session("CarA", "x"), &Default::default(), &layout);
    let packets = client.writer().unwrap();
    packets.write_info(&record, telewire::stream::InfoType::SessionInfo).unwrap();
    packets.write("CarA", "", &key, &packet(&key, "x", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    client.end_session(&key).unwrap();
    assert_eq!(texts(read_all(&reader)), [(String::new(), "x".to_string())]);
}

#[test]
fn a_listed_stream_that_does_not_exist_is_waited_for_and_names_are_exact() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let options = ReadOptions { streams: vec!["Late".into()], exclude_main: true, ..by_key(&info.key) };
    let reader = client.read(options).unwrap();
    let packets = client.writer().unwrap();
    for stream in ["", "late", "Latest", "Late"] {
        packets.write("CarA", stream, &info.key, &packet(&info.key, stream, true)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    assert_eq!(texts(read_all(&reader)), [("Late".to_string(), "Late".to_string())]);
}

#[test]
fn associations_that_are_there_when_a_session_is_taken_up_are_told_from_both_sides() {
    let client = connect(&domain());
    let virtual_car = client.create_session(&new_session("CarV", "Virtual")).unwrap();
    let mut new = new_session("CarA", "FP1");
    new.associates = vec![virtual_car.key.clone(), "nobody".into()];
    let main = client.create_session(&new).unwrap();
    for key in [&main.key, &virtual_car.key] {
        client.end_session(key).unwrap();
        let items = read_all(&client.read(by_key(key)).unwrap());
        let told: Vec<(&str, &str)> = items
            .iter()
            .filter_map(|item| match item {
                Item::Associated { main, associate } => Some((main.key.as_str(), associate.key.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(told, [(main.key.as_str(), virtual_car.key.as_str())]);
        assert!(matches!(items.first(), Some(Item::SessionStarted(info)) if info.key == *key));
    }
}

#[test]
fn silence_does_not_count_while_whoever_takes_the_packets_is_busy_with_them() {
    const SILENCE: Duration = Duration::from_secs(2);
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let write = |content: &str| {
        packets.write("CarA", "", &info.key, &packet(&info.key, content, false)).unwrap();
        packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    };
    write("a");
    let options = ReadOptions { inactivity: Inactivity::After(SILENCE), ..by_key(&info.key) };
    let busy = client.read(options.clone()).unwrap();
    let away = client.read(ReadOptions { buffer_packets: 1, ..options }).unwrap();
    assert_eq!(text(&read_packets(&busy, 1)[0]).1, "a");
    // One reader's taker works on what it got; from the other one nobody takes anything, and its queue is full.
    std::thread::sleep(SILENCE * 2);
    write("b");
    assert_eq!(text(&read_packets(&busy, 1)[0]).1, "b");
    for (reader, expected) in [(away, vec!["a", "b"]), (busy, vec![])] {
        // Now somebody waits, and nothing comes.
        let items = read_all(&reader);
        assert!(matches!(items.last(), Some(Item::SessionCompleted { by: Completion::Inactivity, .. })), "{items:?}");
        let found: Vec<String> = texts(items).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn without_limits_everything_waits_to_be_taken() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    for i in 0..6_000 {
        packets.write("CarA", "", &info.key, &packet(&info.key, &i.to_string(), false)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    let reader = client.read(ReadOptions { buffer_bytes: 0, ..by_key(&info.key) }).unwrap();
    let begin = Instant::now();
    while reader.queued() < 6_000 {
        assert!(begin.elapsed() < DEADLINE, "{} packets wait", reader.queued());
        std::thread::sleep(Duration::from_millis(20));
    }
    let few = client.read(ReadOptions { buffer_bytes: 0, buffer_packets: 10, ..by_key(&info.key) }).unwrap();
    assert_eq!(texts(read_all(&few)).len(), 6_000);
    assert_eq!(texts(read_all(&reader)).len(), 6_000);
}

#[test]
fn many_partitions_asked_at_once_answer_as_each_does_alone() {
    use telewire::kafka::{Admin, Settings, TopicPartition};
    let client = connect(&domain());
    let packets = client.writer().unwrap();
    let layout = client.layout();
    let streams: Vec<String> = (0..20).map(|i| format!("S{i}")).collect();
    for (i, stream) in streams.iter().enumerate() {
        for _ in 0..=i {
            packets.write("CarA", stream, "k", &packet("k", "x", false)).unwrap();
        }
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let place = |stream: &String| TopicPartition::new(layout.place("CarA", stream).unwrap().topic, 0);
    let places: Vec<TopicPartition> = streams.iter().map(place).collect();
    let admin = Admin::new(&Settings { brokers: brokers(), ..Settings::default() }, DEADLINE).unwrap();
    let twice = places.iter().chain(&places).cloned();
    let marks = admin.watermarks_of(twice).unwrap();
    assert_eq!(marks.len(), places.len());
    for (i, place) in places.iter().enumerate() {
        assert_eq!(marks[place], (0, i as i64 + 1));
        assert_eq!(marks[place], admin.watermarks(place).unwrap());
    }
    assert!(admin.offsets_at(places.clone(), 0).unwrap().values().all(|offset| *offset == Some(0)));
    let later = i64::MAX / 2;
    assert!(admin.offsets_at(places.clone(), later).unwrap().values().all(Option::is_none));
    assert!(admin.watermarks_of([]).unwrap().is_empty());
    let missing = TopicPartition::new(format!("{}.deleted", client.layout().place("CarA", "").unwrap().topic), 0);
    let error = admin.watermarks_of(places.into_iter().chain([missing])).unwrap_err();
    assert!(error.to_string().contains(".deleted"), "{error}");
}

#[test]
fn a_topic_that_a_listing_left_out_is_told_apart_by_whether_it_is_there_by_now() {
    use telewire::kafka::{Admin, Settings};
    let admin = Admin::new(&Settings { brokers: brokers(), ..Settings::default() }, DEADLINE).unwrap();
    let topic = format!("{}.Late", domain());
    let exists = || admin.exists_by_now(&topic, "Read", "reading".into()).unwrap();
    assert!(!exists());
    assert!(!admin.topics(Duration::ZERO).unwrap().contains_key(&topic), "asking does not make it");
    admin.ensure_topic(&topic, 1).unwrap();
    assert!(exists());
}
