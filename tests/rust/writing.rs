//! Writers: the protocol's order, one outcome per packet, refusals.

use std::time::{Duration, Instant};

use telewire::Error;
use telewire::packet::{PacketType, SampleFormat, Values, decode_samples};
use telewire::stream::{Client, ClientOptions, Fate, Marker};

use crate::support::*;

#[test]
fn a_session_writer_keeps_the_protocols_order_on_every_stream() {
    let domain = domain();
    let client = connect(&domain);
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    session.configure(&configuration(&["v:Chassis"], &["Pit:Chassis"])).unwrap();
    let chassis = session.stream("Chassis").unwrap();
    chassis.write_periodic(&["v:Chassis".into()], 1_000, 10, &[column(&[1.0, 2.0])]).unwrap();
    session.marker(&Marker { timestamp_ns: 1_000, label: "Lap 1".into(), ..Marker::default() }).unwrap();
    chassis.event("Pit:Chassis", 1_005, &[1.0]).unwrap();
    session.end(None).unwrap();

    let items = read_all(&connect(&domain).read(by_key(session.key())).unwrap());
    let of = |stream: &str| -> Vec<String> {
        let packets = packets_of(items.clone());
        packets.iter().filter(|packet| &*packet.stream == stream).map(|packet| text(packet).0).collect()
    };
    assert_eq!(of(""), ["NewSession", "StreamStarted", "Configuration", "Marker", "StreamStopped", "EndOfSession"]);
    assert_eq!(
        of("Chassis"),
        [
            "NewSession",
            "StreamStarted",
            "Configuration",
            "PeriodicData",
            "Marker",
            "Event",
            "StreamStopped",
            "EndOfSession"
        ]
    );
}

#[test]
fn samples_arrive_bit_for_bit_and_a_large_write_is_split() {
    let domain = domain();
    let client = connect(&domain);
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    session.configure(&configuration(&["a:App", "b:App"], &[])).unwrap();
    let stream = session.stream("S").unwrap();
    let names = ["a:App".to_string(), "b:App".to_string()];
    let count = 100_000;
    let a: Vec<f64> = (0..count).map(|i| if i % 7 == 0 { -0.0 } else { f64::from(i).sin() }).collect();
    let b: Vec<f64> = (0..count).map(f64::from).collect();
    let tickets = stream.write_periodic(&names, 5_000, 1_000_000, &[column(&a), column(&b)]).unwrap();
    assert!(tickets.len() > 1, "2.6 MB do not fit one packet");
    session.end(None).unwrap();

    let items = read_all(&client.read(by_key(session.key())).unwrap());
    let (mut got_a, mut got_b, mut next) = (Vec::new(), Vec::new(), 5_000);
    for packet in packets_of(items).iter().filter(|packet| text(packet).0 == "PeriodicData") {
        let envelope = telewire::packet::Envelope::peek(&packet.payload).unwrap();
        let samples = decode_samples(PacketType::PeriodicData, envelope.content).unwrap();
        let SampleFormat::Id(id) = samples.format else { panic!("a registered format is written") };
        assert_eq!(&*client.parameters_of("CarA", id).unwrap(), names.as_slice());
        assert_eq!(samples.times.get(0), Some(next), "start times go on where the last packet ended");
        next += 1_000_000 * samples.times.len() as u64;
        let [Values::F64(x), Values::F64(y)] = [&samples.columns[0].values, &samples.columns[1].values] else {
            panic!("doubles stay doubles")
        };
        got_a.extend_from_slice(x);
        got_b.extend_from_slice(y);
    }
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&got_a), bits(&a));
    assert_eq!(bits(&got_b), bits(&b));
}

#[test]
fn mistakes_are_refused_with_the_reason_and_nothing_is_written() {
    let client = connect(&domain());
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    session.configure(&configuration(&["a:App"], &[])).unwrap();
    let stream = session.stream("S").unwrap();
    let a = ["a:App".to_string()];
    let written = client.writer().unwrap().counts().written;
    let one = [1.0];
    let two = [1.0, 2.0];
    for (error, expected) in [
        (
            stream.write_periodic(&["x:App".into()], 0, 1, &[column(&one)]).unwrap_err(),
            "'x:App' is not in the session's",
        ),
        (stream.write_periodic(&a, 0, 1 << 32, &[column(&one)]).unwrap_err(), "4294967296 ns cannot be written"),
        (stream.write_periodic(&a, 0, 0, &[column(&one)]).unwrap_err(), "interval of 0 ns"),
        (stream.write_periodic(&a, 0, 1, &[column(&[])]).unwrap_err(), "no samples"),
        (stream.write_periodic(&a, 0, 1, &[column(&one), column(&one)]).unwrap_err(), "2 columns of values for 1"),
        (stream.write_rows(&a, &[1], &[column(&two)]).unwrap_err(), "2 values for 1 timestamps"),
        (stream.write_synchro(&a, 0, &[1 << 33], &[column(&two)]).unwrap_err(), "interval 0 is 8589934592 ns"),
        (stream.write_synchro(&a, 0, &[1, 2], &[column(&two)]).unwrap_err(), "need 1 intervals, 2 are given"),
        (stream.write_periodic(&a, u64::MAX, 10, &[column(&two)]).unwrap_err(), "beyond the largest time"),
        (stream.event("Pit:App", 0, &[]).unwrap_err(), "event 'Pit:App' is not in the session's configuration"),
        (session.stream("a.b").map(|_| ()).unwrap_err(), "dot"),
    ] {
        assert!(error.to_string().contains(expected), "{error} should say {expected}");
    }
    assert_eq!(client.writer().unwrap().counts().written, written);
    session.end(None).unwrap();
    let error = stream.write_periodic(&a, 0, 1, &[column(&one)]).unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[test]
fn rows_keep_the_order_given_also_where_time_repeats_or_steps_back() {
    let client = connect(&domain());
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    session.configure(&configuration(&["a:App"], &[])).unwrap();
    let times = [50, 60, 60, 40, 70];
    let values = [1.0, 2.0, 3.0, 4.0, 5.0];
    session.stream("S").unwrap().write_rows(&["a:App".into()], &times, &[column(&values)]).unwrap();
    session.end(None).unwrap();
    let items = read_all(&client.read(by_key(session.key())).unwrap());
    let rows = packets_of(items).into_iter().find(|packet| text(packet).0 == "RowData").unwrap();
    let envelope = telewire::packet::Envelope::peek(&rows.payload).unwrap();
    let samples = decode_samples(PacketType::RowData, envelope.content).unwrap();
    assert_eq!(samples.times.to_vec(), times);
    assert_eq!(samples.columns[0].values, Values::F64(values.to_vec()));
}

#[test]
fn every_packet_gets_exactly_one_outcome_and_flush_counts_them() {
    let client = connect(&domain());
    let packets = client.writer().unwrap();
    packets.track(true);
    let mut tickets: Vec<u64> =
        (0..500).map(|i| packets.write("CarA", "S", "k", &packet("k", &i.to_string(), i % 10 == 0)).unwrap()).collect();
    let flushed = packets.flush(DEADLINE).unwrap();
    assert_eq!((flushed.delivered, flushed.failed.len(), flushed.left), (500, 0, 0));
    let outcomes = packets.outcomes();
    assert!(outcomes.iter().all(|outcome| outcome.fate == Fate::Persisted));
    let mut reported: Vec<u64> = outcomes.iter().map(|outcome| outcome.ticket).collect();
    reported.sort_unstable();
    tickets.sort_unstable();
    assert_eq!(reported, tickets);
    assert!(packets.outcomes().is_empty());
}

#[test]
fn conformance_4_an_essential_packet_appears_once_in_its_stream_and_once_among_the_essentials() {
    let client = connect(&domain());
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let packets = client.writer().unwrap();
    packets.write("CarA", "S", &info.key, &packet(&info.key, "essential", true)).unwrap();
    packets.write("CarA", "S", &info.key, &packet(&info.key, "plain", false)).unwrap();
    client.end_session(&info.key).unwrap();
    let streams = texts(read_all(&client.read(by_key(&info.key)).unwrap()));
    assert_eq!(streams, [("S".to_string(), "essential".to_string()), ("S".to_string(), "plain".to_string())]);
    let options = telewire::stream::ReadOptions { essentials: true, ..by_key(&info.key) };
    let essentials = texts(read_all(&client.read(options).unwrap()));
    assert_eq!(essentials, [(String::new(), "essential".to_string())]);
}

#[test]
fn what_is_no_packet_or_too_large_is_refused_when_it_is_written() {
    let client = connect(&domain());
    let packets = client.writer().unwrap();
    let error = packets.write("CarA", "", "k", b"\xff\xff").unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    let huge = packet("k", &"x".repeat(1_100_000), false);
    let error = packets.write("CarA", "", "k", &huge).unwrap_err();
    assert!(error.to_string().contains("exceeds 1000000 bytes"), "{error}");
    assert_eq!(packets.flush(DEADLINE).unwrap().delivered, 0);
}

#[test]
fn incompressible_packets_near_the_limit_are_all_delivered_to_a_stock_topic() {
    let client = connect(&domain());
    let packets = client.writer().unwrap();
    let mut state = 1_u64;
    for _ in 0..300 {
        let noise: Vec<u8> = (0..13_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let packet = telewire::packet::Envelope {
            type_name: "Noise",
            session_key: "k",
            is_essential: false,
            content: &noise,
            id: 0,
        };
        packets.write("CarA", "", "k", &packet.encode()).unwrap();
    }
    let flushed = packets.flush(DEADLINE).unwrap();
    assert_eq!((flushed.delivered, flushed.failed.len(), flushed.left), (300, 0, 0));
}

#[test]
fn a_session_whose_packets_were_not_all_delivered_says_so_when_it_ends() {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let domain = domain();
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    // A topic made beforehand by somebody who wants small records.
    let topic = format!("{domain}.Data.CarA.S");
    let small = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "1000");
    futures_executor::block_on(admin.create_topics([&small], &AdminOptions::new())).unwrap();

    let client = connect(&domain);
    let session = client.new_session(&new_session("CarA", "FP1")).unwrap();
    let stream = session.stream("S").unwrap();
    let noise: Vec<u8> = (0..5_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    stream.packet("Noise", &noise, false).unwrap();
    let error = session.end(None).unwrap_err();
    assert!(client.session(session.key()).unwrap().ended);
    // Kafka refuses a whole batch, so neighbours of the large packet may be among them.
    let failed = session.flush(DEADLINE).unwrap().failed;
    let expected = format!("{} packets written through this client were not delivered", failed.len());
    assert!(error.to_string().contains(&expected), "{error} should say {expected}");
    assert!(failed.iter().all(|outcome| outcome.fate == Fate::NotPersisted && outcome.error.is_some()));
    assert!(failed.iter().any(|outcome| outcome.payload.as_ref().is_some_and(|payload| payload.len() > 5_000)));
    assert!(session.end(None).is_ok(), "ending twice is no mistake, and the failure was reported");
}

#[test]
fn names_that_kafka_cannot_hold_are_refused_with_the_rule() {
    let client = connect(&domain());
    let packets = client.writer().unwrap();
    for (source, stream) in [("Car A", ""), ("", ""), ("CarA", "a/b"), ("CarA", "a.b"), ("CarA", &"x".repeat(300))] {
        let error = packets.write(source, stream, "k", &packet("k", "x", false)).unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
    }
}

#[test]
fn topics_that_differ_only_in_dot_and_underscore_are_explained() {
    let domain = domain();
    let client = connect(&domain);
    let packets = client.writer().unwrap();
    packets.write("Car_A", "", "k", &packet("k", "x", false)).unwrap();
    let error = packets.write("Car.A", "", "k", &packet("k", "x", false)).unwrap_err();
    assert!(error.to_string().contains("'.' and '_'"), "{error}");
}

#[test]
fn a_broker_that_is_not_there_is_said_within_the_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let begin = Instant::now();
    let options = telewire::stream::ClientOptions {
        timeout: Duration::from_secs(1),
        ..telewire::stream::ClientOptions::new(&address)
    };
    let error = telewire::stream::Client::connect(options).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&address) && error.to_string().contains("refused"), "{error}");
}

#[test]
fn connecting_has_a_limit_of_its_own() {
    let options = ClientOptions {
        timeout: Duration::from_secs(300),
        connect_timeout: Some(Duration::from_secs(1)),
        ..ClientOptions::new("127.0.0.1:1")
    };
    let error = Client::connect(options).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { waited, .. } if *waited == Duration::from_secs(1)), "{error}");
}

#[test]
fn an_end_that_is_tried_again_is_written_once_and_asking_for_it_never_waits() {
    let domain = domain();
    let info = connect(&domain).create_session(&new_session("CarA", "FP1")).unwrap();
    // Packets linger for a minute, so that no end can be delivered in time.
    let client = Client::connect(ClientOptions {
        timeout: Duration::from_secs(1),
        producer: [("linger.ms".to_string(), "60000".to_string())].into(),
        ..options(&domain)
    })
    .unwrap();
    let session = client.resume_session(&info.key).unwrap();
    session.stream("S").unwrap();
    let written = || client.writer().unwrap().counts().written;
    let end = || {
        let error = session.end(None).unwrap_err();
        assert!(matches!(error, Error::FlushTimeout { .. }), "{error}");
        written()
    };
    let first = end();
    std::thread::scope(|scope| {
        let ending = scope.spawn(end);
        let mut longest = Duration::ZERO;
        while !ending.is_finished() {
            let begin = Instant::now();
            assert!(!session.is_ended());
            longest = longest.max(begin.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(longest < Duration::from_millis(700), "asking took {longest:?}");
        assert_eq!(ending.join().unwrap(), first, "nothing new was written");
    });
    // What comes after the end needs another one: on both streams, beside the packet itself.
    session.coverage_cursor(7).unwrap();
    assert_eq!(end(), first + 1 + 4);
    client.close(Duration::from_millis(100)).unwrap();
}
