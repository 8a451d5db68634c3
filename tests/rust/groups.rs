//! Readers of a group: nothing is lost while the group forms, and the leading edge is where reading was asked for.

use std::time::{Duration, Instant};

use telewire::stream::{Batch, Item, LiveStart, ReadOptions, Reader, Reading};

use crate::support::*;

fn group(id: &str) -> ReadOptions {
    ReadOptions {
        reading: Reading::Live,
        data_source: Some("CarA".into()),
        group_id: id.into(),
        ..ReadOptions::default()
    }
}

fn until(reader: &Reader, done: impl Fn(&Item) -> bool) -> Vec<Item> {
    let mut items = Vec::new();
    let begin = Instant::now();
    while !items.iter().any(&done) {
        assert!(begin.elapsed() < DEADLINE, "so far {items:?}");
        match reader.next_batch(1000, Duration::from_millis(100)).unwrap() {
            Batch::Items(more) => items.extend(more),
            Batch::Empty => {}
            Batch::End => panic!("the reader ended after {items:?}"),
        }
    }
    items
}

#[test]
fn a_session_that_ends_while_the_group_still_forms_is_read_whole() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "S", &info.key, &packet(&info.key, "one", false)).unwrap();
    let reader = client.read(group(&format!("g-{domain}"))).unwrap();
    packets.write("CarA", "S", &info.key, &packet(&info.key, "two", false)).unwrap();
    client.end_session(&info.key).unwrap();
    let items = until(&reader, |item| matches!(item, Item::SessionCompleted { .. }));
    let found: Vec<String> = texts(items).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["one", "two"]);
}

#[test]
fn the_leading_edge_of_a_group_skips_what_was_there_when_reading_began() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "S", &info.key, &packet(&info.key, "before", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let options = ReadOptions { live_start: LiveStart::LeadingEdge, ..group(&format!("g-{domain}")) };
    let reader = client.read(options).unwrap();
    until(&reader, |item| matches!(item, Item::SessionStarted(_)));
    packets.write("CarA", "S", &info.key, &packet(&info.key, "after", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let found: Vec<String> = read_packets(&reader, 1).iter().map(|packet| text(packet).1).collect();
    assert_eq!(found, ["after"]);
}

#[test]
fn the_share_of_a_member_that_leaves_is_read_by_the_others_also_after_the_session_ended() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    for stream in ["A", "B"] {
        packets.write("CarA", stream, &info.key, &packet(&info.key, stream, false)).unwrap();
    }
    client.end_session(&info.key).unwrap();
    let streams = |list: &[&str]| ReadOptions {
        streams: list.iter().map(|name| (*name).to_string()).collect(),
        exclude_main: true,
        ..group(&format!("g-{domain}"))
    };
    // A live session on the same streams keeps both readers busy with the group.
    let next = client.create_session(&new_session("CarA", "FP2")).unwrap();
    for i in 0..20 {
        for stream in ["A", "B"] {
            packets.write("CarA", stream, &next.key, &packet(&next.key, &format!("{stream}{i}"), false)).unwrap();
        }
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let first = connect(&domain).read(streams(&["A", "B"])).unwrap();
    // All 40 come to the only member; it stores none of them.
    assert_eq!(read_packets(&first, 40).len(), 40);
    let second = connect(&domain).read(streams(&["A", "B"])).unwrap();
    until(&second, |item| matches!(item, Item::SessionStarted(_)));
    let taken = until(&second, |item| matches!(item, Item::Packet(_)));
    client.end_session(&next.key).unwrap();
    let mut items = taken;
    items.extend(until(&second, |item| matches!(item, Item::SessionCompleted { .. })));
    // The session is complete for the second member; the first leaves without having stored anything.
    first.close(DEADLINE);
    let begin = Instant::now();
    loop {
        let mut found: Vec<String> = texts(items.clone()).into_iter().map(|(_, text)| text).collect();
        found.sort();
        found.dedup();
        if found.len() == 40 {
            return;
        }
        assert!(begin.elapsed() < DEADLINE, "only {found:?}");
        if let Batch::Items(more) = second.next_batch(1000, Duration::from_millis(100)).unwrap() {
            items.extend(more);
        }
    }
}

#[test]
fn a_session_that_becomes_known_late_is_not_skipped_by_offsets_stored_for_another() {
    let domain = domain();
    let client = connect(&domain);
    let first = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    let late = telewire::session::new_session_key();
    packets.write("CarA", "S", &first.key, &packet(&first.key, "zero", false)).unwrap();
    packets.write("CarA", "S", &late, &packet(&late, "late", false)).unwrap();
    packets.write("CarA", "S", &first.key, &packet(&first.key, "two", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let id = format!("g-{domain}");
    let reader = connect(&domain).read(group(&id)).unwrap();
    let taken = read_packets(&reader, 2);
    reader.store(&taken[1]).unwrap();
    reader.commit().unwrap();
    // Now the session that lies between the two becomes known, and is read but not handled.
    let offsets = telewire::session::Offsets::from_iter([((taken[0].topic.clone(), 0), 1)]);
    let begin = telewire::session::new_session_packet(&late, &new_session("CarA", "FP2"), &offsets, &client.layout());
    packets.write_info(&begin, telewire::stream::InfoType::SessionInfo).unwrap();
    assert_eq!(text(&read_packets(&reader, 1)[0]).1, "late");
    // Handling the other session's packet once more must not skip it either.
    reader.store(&taken[1]).unwrap();
    reader.commit().unwrap();
    reader.close(DEADLINE);
    let second = connect(&domain).read(group(&id)).unwrap();
    let found: Vec<String> = read_packets(&second, 2).iter().map(|packet| text(packet).1).collect();
    assert_eq!(found, ["late", "two"]);
}
