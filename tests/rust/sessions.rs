//! Sessions and data formats on a real cluster: created, changed, ended, seen by others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use telewire::Error;
use telewire::packet::Envelope;
use telewire::session::SessionChange;
use telewire::stream::Client;

use crate::support::*;

fn next(watch: &telewire::stream::SessionWatch) -> SessionChange {
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < DEADLINE, "no change of sessions came");
        if let Some(change) = watch.next(Duration::from_millis(100)).unwrap() {
            return change;
        }
    }
}

#[test]
fn a_created_session_is_seen_by_another_client_with_everything_in_it() {
    let domain = domain();
    let (writer, other) = (connect(&domain), connect(&domain));
    let new = telewire::session::NewSession {
        details: BTreeMap::from([("Driver".to_string(), "A. Test".to_string())]),
        version: 3,
        utc_offset_ns: Some(-3_600_000_000_000),
        ..new_session("CarA", "Monza FP1")
    };
    let info = writer.create_session(&new).unwrap();
    let seen = other.session(&info.key).unwrap();
    assert_eq!(seen, info);
    assert_eq!((seen.data_source.as_str(), seen.identifier.as_str()), ("CarA", "Monza FP1"));
    assert_eq!((seen.version, seen.utc_offset_ns), (3, -3_600_000_000_000));
    assert_eq!(seen.details["Driver"], "A. Test");
    assert!(!seen.ended);
}

/// Item 5: offset keys at creation are exactly main, essentials and each stream; then notify, identifier, associate, end.
#[test]
fn conformance_5_session_script_create_notify_update_associate_end_notify() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    packets.write("CarA", "Chassis", "k", &packet("k", "x", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();

    let other = connect(&domain);
    let watch = other.watch_sessions().unwrap();
    let info = client.create_session(&new_session("CarA", "")).unwrap();
    let keys: Vec<(String, i32)> = info.start_offsets.keys().map(|(topic, p)| (topic.to_string(), *p)).collect();
    let mut expected = vec![
        (format!("{domain}.Data.CarA"), 0),
        (format!("{domain}.Data.CarA.Chassis"), 0),
        (format!("{domain}.Essential.CarA"), 0),
    ];
    expected.sort();
    let mut found = keys;
    found.sort();
    assert_eq!(found, expected);
    assert!(matches!(next(&watch), SessionChange::Started(seen) if seen.key == info.key));

    client.update_identifier(&info.key, "Race").unwrap();
    assert!(matches!(next(&watch), SessionChange::Updated(seen) if seen.identifier == "Race"));

    let associate = client.create_session(&new_session("CarA", "Virtual")).unwrap();
    assert!(matches!(next(&watch), SessionChange::Started(_)));
    client.add_associate(&info.key, &associate.key).unwrap();
    assert!(matches!(next(&watch), SessionChange::Updated(seen) if seen.associates == [associate.key.clone()]));
    assert!(matches!(next(&watch), SessionChange::Associated { main, .. } if main.key == info.key));

    let ended = client.end_session(&info.key).unwrap();
    assert!(ended.ended && ended.ended_ns.is_some());
    assert!(matches!(next(&watch), SessionChange::Ended(seen) if seen.key == info.key));
}

#[test]
fn details_are_merged_and_an_empty_identifier_changes_nothing() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let detail = |name: &str, value: &str| BTreeMap::from([(name.to_string(), value.to_string())]);
    client.update_details(&info.key, detail("Tyres", "soft")).unwrap();
    client.update_details(&info.key, detail("Fuel", "90")).unwrap();
    let after = client.update_details(&info.key, detail("Tyres", "hard")).unwrap();
    assert_eq!(after.details.len(), 2);
    assert_eq!(after.details["Tyres"], "hard");
    assert_eq!(client.update_identifier(&info.key, "").unwrap().identifier, "FP1");
}

#[test]
fn a_session_ended_twice_stays_as_it_ended() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let first = client.end_session(&info.key).unwrap();
    let second = client.end_session(&info.key).unwrap();
    assert_eq!(first, second);
    let refused = client.resume_session(&info.key).unwrap_err();
    assert!(refused.to_string().contains("has ended"), "{refused}");
}

#[test]
fn an_unknown_session_is_named_in_the_error() {
    let client = connect(&domain());
    for error in [client.session("nobody").unwrap_err(), client.end_session("nobody").unwrap_err()] {
        assert!(matches!(&error, Error::UnknownSession { key, .. } if key == "nobody"), "{error}");
    }
}

#[test]
fn conformance_6_new_session_keys_parse_as_guid() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "")).unwrap();
    let guid = uuid::Uuid::parse_str(&info.key).unwrap();
    assert_eq!(guid.to_string(), info.key);
}

/// Item 7 on a cluster: pre-existing definitions (one list with two ids) resolve both ids and return the first.
#[test]
fn conformance_7_formats_of_others_resolve_and_new_lists_are_immediately_resolvable() {
    use telewire::format::{FormatKind, definition_packet};
    let domain = domain();
    let foreign = connect(&domain).writer().unwrap();
    for id in [639_000_000_000_000_001, 639_000_000_000_000_002] {
        foreign.write("CarA", "", "", &definition_packet(FormatKind::Parameters, id, &["a:App", "b:App"])).unwrap();
        foreign.write("CarA", "", "", &definition_packet(FormatKind::Event, id, &["Pit:App"])).unwrap();
    }
    foreign.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();

    let client = connect(&domain);
    assert_eq!(client.parameter_format("CarA", &["a:App", "b:App"]).unwrap(), 639_000_000_000_000_001);
    assert_eq!(client.event_format("CarA", "Pit:App").unwrap(), 639_000_000_000_000_001);
    assert_eq!(&*client.parameters_of("CarA", 639_000_000_000_000_002).unwrap(), ["a:App", "b:App"]);
    assert_eq!(&*client.event_of("CarA", 639_000_000_000_000_002).unwrap(), "Pit:App");
    let other_order = client.parameter_format("CarA", &["b:App", "a:App"]).unwrap();
    assert!(other_order > 0 && other_order != 639_000_000_000_000_001);
    assert_eq!(&*client.parameters_of("CarA", other_order).unwrap(), ["b:App", "a:App"]);
    let unknown = client.parameters_of("CarA", 42).unwrap_err();
    assert_eq!(unknown.to_string(), "data format 42 not found in data source 'CarA'");
}

#[test]
fn two_clients_that_register_one_list_at_once_get_one_id() {
    let domain = domain();
    let clients: Vec<Client> = (0..4).map(|_| connect(&domain)).collect();
    let ids: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(|| client.parameter_format("CarA", &["x:App", "y:App"]).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(connect(&domain).parameter_format("CarA", &["x:App", "y:App"]).unwrap(), ids[0]);
}

#[test]
fn sessions_of_classic_servers_and_old_type_names_are_understood() {
    use prost::Message as _;
    use telewire::proto::open_data as wire;
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    let info_packet = |kind: &str, content: Vec<u8>| {
        Envelope { type_name: kind, session_key: "old", is_essential: false, content: &content, id: 0 }.encode()
    };
    let begin = wire::NewSessionPacket {
        data_source: "CarA".into(),
        topic_partition_offsets: BTreeMap::from([("CarA".to_string(), 7)]),
        ..Default::default()
    };
    let named = wire::SessionInfoPacket { identifier: "Old".into(), ..Default::default() };
    let end = wire::EndOfSessionPacket { data_source: "CarA".into(), ..Default::default() };
    for (kind, content) in [
        // The update comes before the session it is about.
        ("SessionInfoPacket", named.encode_to_vec()),
        ("NewSessionPacket", begin.encode_to_vec()),
        ("EndOfSessionPacket", end.encode_to_vec()),
    ] {
        packets.write_info(&info_packet(kind, content), telewire::stream::InfoType::SessionInfo).unwrap();
    }
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let info = client.session("old").unwrap();
    assert_eq!((info.identifier.as_str(), info.ended), ("Old", true));
    assert_eq!(info.start_offsets.get(&("CarA", 0)), Some(&7));
}

#[test]
fn conformance_12_records_of_foreign_producers_are_read_without_error() {
    use rdkafka::ClientConfig;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "", &info.key, &packet(&info.key, "ours", false)).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .set("compression.type", "gzip")
        .set("linger.ms", "50")
        .create()
        .unwrap();
    let topic = format!("{domain}.Data.CarA");
    let session_info = format!("{domain}.Sys.SessionInfo");
    let foreign = packet(&info.key, "foreign", false);
    for target in [&topic, &session_info] {
        // No key, and a value that is no packet.
        producer.send(BaseRecord::<(), [u8]>::to(target).payload(&b"\xff\xff\xff"[..])).unwrap();
        producer.send(BaseRecord::<str, [u8]>::to(target).key("")).unwrap();
    }
    producer.send(BaseRecord::to(&topic).key(&info.key).payload(&foreign)).unwrap();
    producer.send(BaseRecord::to(&topic).key(&info.key).payload(&b"\xff\xff\xff"[..])).unwrap();
    producer.flush(DEADLINE).unwrap();
    client.end_session(&info.key).unwrap();

    let reader = connect(&domain).read(by_key(&info.key)).unwrap();
    let items = read_all(&reader);
    let payloads: Vec<Vec<u8>> = packets_of(items).iter().map(|packet| packet.payload.to_vec()).collect();
    assert_eq!(payloads, [packet(&info.key, "ours", false), foreign, b"\xff\xff\xff".to_vec()]);
    assert_eq!(reader.counts().undecodable, 1);
}

/// A change in short: what happened, the session's identifier, and the other one's.
fn told(change: &SessionChange) -> String {
    match change {
        SessionChange::Started(info) => {
            format!("started {}{}", info.identifier, if info.ended { " ended?" } else { "" })
        }
        SessionChange::Updated(info) => format!("updated {}", info.identifier),
        SessionChange::Ended(info) => format!("ended {}{}", info.identifier, if info.ended { "" } else { " live?" }),
        SessionChange::Associated { main, associate } => {
            format!("associated {} {}", main.identifier, associate.identifier)
        }
    }
}

fn with_associates(identifier: &str, associates: &[&str]) -> telewire::session::NewSession {
    let associates = associates.iter().map(|key| (*key).to_string()).collect();
    telewire::session::NewSession { associates, ..new_session("CarA", identifier) }
}

#[test]
fn changes_of_sessions_are_told_from_now_on_in_order_and_once() {
    let domain = domain();
    let (client, other) = (connect(&domain), connect(&domain));
    let old = client.create_session(&new_session("CarA", "Old")).unwrap();
    let ended = client.create_session(&with_associates("Ended", &[&old.key])).unwrap();
    client.end_session(&ended.key).unwrap();

    let (own, foreign) = (client.watch_sessions().unwrap(), other.watch_sessions().unwrap());
    let later = telewire::session::new_session_key();
    // Deferred until the other session is seen: in the record of creation, and when the main session has ended.
    let new = client.create_session(&with_associates("New", &[&old.key, &ended.key, &later])).unwrap();
    client.add_associate(&ended.key, &later).unwrap();
    // Nothing of this changes anything.
    let before = client.writer().unwrap().counts().written;
    client.update_identifier(&new.key, "").unwrap();
    client.update_identifier(&new.key, "New").unwrap();
    client.update_details(&new.key, BTreeMap::new()).unwrap();
    client.add_associate(&new.key, &old.key).unwrap();
    client.end_session(&ended.key).unwrap();
    assert_eq!(client.writer().unwrap().counts().written, before, "what changes nothing is not written");

    client.update_details(&new.key, BTreeMap::from([("Tyres".to_string(), "soft".to_string())])).unwrap();
    client.end_session(&new.key).unwrap();
    let packets = client.writer().unwrap();
    let record = telewire::session::new_session_packet(
        &later,
        &new_session("CarA", "Later"),
        &telewire::session::Offsets::default(),
        &client.layout(),
    );
    packets.write_info(&record, telewire::stream::InfoType::SessionInfo).unwrap();
    packets.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    client.session(&later).unwrap();
    client.update_identifier(&old.key, "Last").unwrap();

    let expected = [
        "started New",
        "associated New Old",
        "associated New Ended",
        "updated Ended",
        "updated New",
        "ended New",
        "started Later",
        // In the order in which they were created, whoever named it first.
        "associated Ended Later",
        "associated New Later",
        "updated Last",
    ];
    for watch in [&own, &foreign] {
        let found: Vec<String> = expected.iter().map(|_| told(&next(watch))).collect();
        assert_eq!(found, expected);
        assert_eq!(watch.next(Duration::from_millis(200)).unwrap(), None);
    }
}

#[test]
fn a_session_that_began_and_ended_between_two_looks_is_told_as_started_and_ended() {
    let client = connect(&domain());
    let watch = client.watch_sessions().unwrap();
    let packets = client.writer().unwrap();
    let (key, layout) = (telewire::session::new_session_key(), client.layout());
    let nothing = telewire::session::Offsets::default();
    for record in [
        telewire::session::end_of_session_packet(&key, "CarA", &nothing, 7, &layout),
        telewire::session::new_session_packet(&key, &new_session("CarA", "Short"), &nothing, &layout),
    ] {
        packets.write_info(&record, telewire::stream::InfoType::SessionInfo).unwrap();
    }
    assert_eq!([told(&next(&watch)), told(&next(&watch))], ["started Short", "ended Short"]);
    assert_eq!(watch.next(Duration::from_millis(200)).unwrap(), None);
}

#[test]
fn a_closed_watch_is_an_error_and_other_watches_go_on() {
    let client = connect(&domain());
    let (closed, open) = (client.watch_sessions().unwrap(), client.watch_sessions().unwrap());
    closed.close();
    client.create_session(&new_session("CarA", "FP1")).unwrap();
    assert_eq!(closed.next(DEADLINE).unwrap_err(), Error::Closed("the watch of sessions".into()));
    assert_eq!(told(&next(&open)), "started FP1");
}

#[test]
fn a_data_source_that_appears_later_has_its_formats_told() {
    use telewire::format::{FormatKind, definition_packet};
    let domain = domain();
    let client = connect(&domain);
    let foreign = connect(&domain).writer().unwrap();
    let define = |source: &str, id: u64, names: &[&str]| {
        foreign.write(source, "", "", &definition_packet(FormatKind::Parameters, id, names)).unwrap();
        foreign.flush(DEADLINE).unwrap().complete(DEADLINE).unwrap();
    };
    define("CarA", 1, &["a:App"]);
    let watch = client.watch_formats().unwrap();
    let next = || {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < DEADLINE, "no format came");
            if let Some(news) = watch.next(Duration::from_millis(100)).unwrap() {
                return (news.data_source.to_string(), news.id, news.format.identifiers, news.format.ids);
            }
        }
    };
    define("CarB", 5, &["b:App"]);
    assert_eq!(next(), ("CarB".to_string(), 5, vec!["b:App".to_string()], vec![5]));
    // The same again is no news, another id is; and a list that was there before the watch began has one more.
    define("CarB", 5, &["b:App"]);
    define("CarA", 1, &["a:App"]);
    define("CarA", 2, &["a:App"]);
    assert_eq!(next(), ("CarA".to_string(), 2, vec!["a:App".to_string()], vec![1, 2]));
    watch.close();
    assert!(matches!(watch.next(DEADLINE), Err(Error::Closed(_))));
}

#[test]
fn a_topic_that_was_deleted_is_said_to_be_missing() {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let domain = domain();
    let client = connect(&domain);
    client.parameter_format("CarA", &["a:App"]).unwrap();
    let other = connect(&domain);
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    let topic = format!("{domain}.Essential.CarA");
    let deleted = futures_executor::block_on(admin.delete_topics(&[&topic], &AdminOptions::new())).unwrap();
    assert!(deleted[0].is_ok(), "{deleted:?}");
    let begin = Instant::now();
    match other.formats("CarA") {
        // A client that has not listed it yet.
        Ok(formats) => assert!(formats.is_empty()),
        Err(error) => assert!(error.to_string().contains("does not exist"), "{error}"),
    }
    let error = loop {
        match client.formats("CarA") {
            Ok(_) => assert!(begin.elapsed() < DEADLINE, "nobody said that the topic is missing"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Kafka { code, .. } if code == "UnknownTopicOrPartition"), "{error}");
    assert!(error.to_string().contains(&topic) && error.to_string().contains("does not exist"), "{error}");
}
