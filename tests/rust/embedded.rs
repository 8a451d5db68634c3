//! The embedded broker seen by librdkafka and by hostile sockets, in memory and in a folder, alive and killed.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use telewire::embedded::{Broker, BrokerOptions, attach};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(options: BrokerOptions) -> Broker {
    Broker::start(options).unwrap()
}

fn in_memory() -> Broker {
    start(BrokerOptions::default())
}

fn in_folder(path: &Path) -> Broker {
    start(BrokerOptions { data: Some(path.to_path_buf()), ..BrokerOptions::default() })
}

fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("message.timeout.ms", "15000");
    config
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn admin(address: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", address).create().unwrap()
}

fn create_topic(address: &str, name: &str, partitions: i32) {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let made = block_on(admin(address).create_topics([&topic], &AdminOptions::new())).unwrap();
    assert_eq!(made, [Ok(name.to_owned())]);
}

/// Collects the outcome of every record.
#[derive(Default)]
struct Outcomes(std::sync::Mutex<Vec<Result<(i32, i64), RDKafkaErrorCode>>>);

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap()),
        };
        self.0.lock().unwrap().push(outcome);
    }
}

type Sender = BaseProducer<Outcomes>;

fn producer(address: &str, settings: &[(&str, &str)]) -> Sender {
    let mut config = config(address);
    config.set("enable.idempotence", "true");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create_with_context(Outcomes::default()).unwrap()
}

fn outcomes(producer: &Sender) -> Vec<Result<(i32, i64), RDKafkaErrorCode>> {
    producer.flush(PATIENCE).unwrap();
    std::mem::take(&mut *producer.context().0.lock().unwrap())
}

fn send(producer: &Sender, topic: &str, partition: i32, key: &str, value: &[u8], time: i64) {
    let mut record = BaseRecord::to(topic).partition(partition).key(key).payload(value).timestamp(time);
    while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) = producer.send(record) {
        record = back;
        producer.poll(Duration::from_millis(10));
    }
}

/// Sends `count` records and checks that all of them were acknowledged.
fn fill(address: &str, topic: &str, partition: i32, range: std::ops::Range<usize>) {
    let producer = producer(address, &[]);
    for n in range.clone() {
        send(&producer, topic, partition, &n.to_string(), format!("value {n}").as_bytes(), 1_000_000 + n as i64);
    }
    let outcomes = outcomes(&producer);
    assert_eq!(outcomes.len(), range.len());
    assert!(outcomes.iter().all(Result::is_ok));
}

fn consumer(address: &str, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", group).set("auto.offset.reset", "earliest");
    config.set("session.timeout.ms", "6000").set("enable.auto.commit", "false").set("fetch.wait.max.ms", "100");
    config.create().unwrap()
}

/// Keys of the next `count` records.
fn keys(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let (mut found, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while found.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came", found.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            found.push(String::from_utf8(message.unwrap().key().unwrap().to_vec()).unwrap());
        }
    }
    found
}

fn assigned(address: &str, topic: &str, partition: i32, offset: Offset) -> BaseConsumer {
    let consumer = consumer(address, "nobody");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    consumer.assign(&list).unwrap();
    consumer
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_broker_answers_within_50_ms_of_the_call() {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let broker = in_memory();
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        // ApiVersions version 0, correlation 1, no client id.
        stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]).unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[test]
fn records_come_back_whole_in_every_compression() {
    let folder = tempfile::tempdir().unwrap();
    for broker in [in_memory(), in_folder(folder.path())] {
        let address = broker.address();
        create_topic(&address, "t", 1);
        let kinds = ["none", "gzip", "snappy", "lz4", "zstd"];
        for kind in kinds {
            let producer = producer(&address, &[("compression.type", kind), ("linger.ms", "50")]);
            for n in 0..100_i64 {
                let value = format!("{kind} {n} {}", "x".repeat(500));
                let headers = OwnedHeaders::new().insert(Header { key: "kind", value: Some(kind) });
                let record = BaseRecord::to("t").partition(0).key(kind).payload(&value).timestamp(5_000 + n);
                producer.send(record.headers(headers)).unwrap();
            }
            assert!(outcomes(&producer).iter().all(Result::is_ok));
        }
        let consumer = assigned(&address, "t", 0, Offset::Beginning);
        for (at, kind) in kinds.iter().flat_map(|k| std::iter::repeat_n(k, 100)).enumerate() {
            let n = at as i64 % 100;
            let message = consumer.poll(PATIENCE).unwrap().unwrap();
            assert_eq!(message.key().unwrap(), kind.as_bytes());
            assert_eq!(message.payload().unwrap(), format!("{kind} {n} {}", "x".repeat(500)).as_bytes());
            assert_eq!(message.timestamp().to_millis(), Some(5_000 + n));
            assert_eq!(message.offset(), at as i64);
            assert_eq!(message.headers().unwrap().get(0).value.unwrap(), kind.as_bytes());
        }
    }
}

#[test]
fn reading_begins_in_the_middle_of_a_batch_at_an_offset_or_a_time() {
    let broker = in_memory();
    create_topic(&broker.address(), "t", 1);
    fill(&broker.address(), "t", 0, 0..1_000);
    for offset in [1, 499, 998] {
        let consumer = assigned(&broker.address(), "t", 0, Offset::Offset(offset));
        assert_eq!(keys(&consumer, 2), numbers(offset as usize..offset as usize + 2));
    }
    let consumer = consumer(&broker.address(), "times");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(1_000_321)).unwrap();
    let found = consumer.offsets_for_times(list, PATIENCE).unwrap();
    assert_eq!(found.elements()[0].offset(), Offset::Offset(321));
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (0, 1_000));
}

#[test]
fn a_waiting_reader_gets_a_record_at_once() {
    let broker = in_memory();
    create_topic(&broker.address(), "t", 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", "g").set("fetch.wait.max.ms", "10000");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let producer = producer(&broker.address(), &[("linger.ms", "0")]);
    send(&producer, "t", 0, "first", b"", 1);
    assert_eq!(keys(&consumer, 1), ["first"]);
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        assert!(consumer.poll(Duration::from_millis(50)).is_none());
        let begun = Instant::now();
        send(&producer, "t", 0, "next", b"", 1);
        producer.poll(Duration::ZERO);
        keys(&consumer, 1);
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

#[test]
fn nobody_creates_topics_by_asking_unless_the_broker_and_the_client_agree() {
    for broker_agrees in [false, true] {
        let broker = start(BrokerOptions { auto_create_topics: broker_agrees, ..BrokerOptions::default() });
        // librdkafka's consumers never agree, its producers always do.
        let consumer = consumer(&broker.address(), "g");
        consumer.subscribe(&["wanted"]).unwrap();
        let answer = consumer.poll(PATIENCE).unwrap();
        assert_eq!(answer.err().and_then(|e| e.rdkafka_error_code()), Some(RDKafkaErrorCode::UnknownTopicOrPartition));
        assert_eq!(broker.stats().topics, 0);
        let producer = producer(&broker.address(), &[("message.timeout.ms", "1500")]);
        producer.send(BaseRecord::to("wanted").key("k").payload("v")).unwrap();
        assert_eq!(outcomes(&producer)[0].is_ok(), broker_agrees);
        assert_eq!(broker.stats().topics, usize::from(broker_agrees));
    }
}

#[test]
fn a_group_shares_partitions_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = in_folder(folder.path());
    create_topic(&broker.address(), "t", 4);
    (0..4).for_each(|partition| fill(&broker.address(), "t", partition, 0..50));
    {
        let consumers = [consumer(&broker.address(), "g"), consumer(&broker.address(), "g")];
        consumers.iter().for_each(|c| c.subscribe(&["t"]).unwrap());
        let mut seen = 0;
        until("both have a share and all records came", || {
            for consumer in &consumers {
                if let Some(message) = consumer.poll(Duration::from_millis(10)) {
                    let message = message.unwrap();
                    // Refused when the shares have just changed; the record then comes again, to the one or the other.
                    let _ = consumer.commit_message(&message, CommitMode::Sync);
                    seen += 1;
                }
            }
            let shares: Vec<usize> = consumers.iter().map(|c| c.assignment().unwrap().count()).collect();
            shares == [2, 2] && seen >= 200
        });
    }
    for restart in [false, true] {
        if restart {
            drop(broker);
            broker = in_folder(folder.path());
        }
        let consumer = consumer(&broker.address(), "g");
        let mut list = TopicPartitionList::new();
        list.add_partition_range("t", 0, 3);
        let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
        assert!(committed.elements().iter().all(|e| e.offset() == Offset::Offset(50)), "{committed:?}");
    }
    fill(&broker.address(), "t", 2, 50..53);
    let consumer = consumer(&broker.address(), "g");
    consumer.subscribe(&["t"]).unwrap();
    assert_eq!(keys(&consumer, 3), numbers(50..53));
}

#[test]
fn a_restart_with_a_folder_keeps_records_settings_and_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = |broker: &Broker| {
        let client = admin(&broker.address());
        client.inner().fetch_cluster_id(PATIENCE).unwrap()
    };
    let broker = in_folder(folder.path());
    create_topic(&broker.address(), "t", 2);
    fill(&broker.address(), "t", 1, 0..500);
    let (before, id) = (broker.stats(), cluster(&broker));
    broker.stop();
    broker.stop();
    assert!(TcpStream::connect(broker.address()).is_err());
    let broker = in_folder(folder.path());
    assert_eq!((broker.stats().records, broker.stats().bytes), (before.records, before.bytes));
    assert_eq!(cluster(&broker), id);
    let consumer = assigned(&broker.address(), "t", 1, Offset::Beginning);
    assert_eq!(keys(&consumer, 500), numbers(0..500));
    let refused = Broker::start(BrokerOptions { data: Some(folder.path().into()), ..BrokerOptions::default() });
    assert!(refused.unwrap_err().to_string().contains(&broker.address()));
}

/// Not a test: another process with a broker, started by the tests below. It says where it is and stays until its input ends.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn child() {
    let Ok(folder) = std::env::var("EMBEDDED_TEST_FOLDER") else { return };
    let shared = attach(&format!("embedded://{folder}")).unwrap();
    std::io::stderr().write_all(format!("{} {}\n", shared.address(), shared.is_owner()).as_bytes()).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A broker in a process of its own, its address, and whether the process owns it.
fn spawn(folder: &Path) -> (Child, String, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["embedded::child", "--exact", "--ignored", "--nocapture"])
        .env("EMBEDDED_TEST_FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let (address, owner) = line.trim().split_once(' ').expect(&line);
    (child, address.to_owned(), owner == "true")
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_a_torn_tail_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address, owner) = spawn(folder.path());
    assert!(owner);
    create_topic(&address, "t", 1);
    fill(&address, "t", 0, 0..2_000);
    {
        let consumer = consumer(&address, "g");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(1_234)).unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let log = folder.path().join("t-0/00000000000000000000.log");
    let whole = std::fs::read(&log).unwrap();
    OpenOptions::new().append(true).open(&log).unwrap().write_all(&whole[..whole.len().min(100)]).unwrap();
    let offsets = folder.path().join("committed-offsets.log");
    OpenOptions::new().append(true).open(offsets).unwrap().write_all(b"12345678 {\"c\"").unwrap();

    let broker = in_folder(folder.path());
    assert_eq!(std::fs::metadata(&log).unwrap().len(), whole.len() as u64);
    let consumer = assigned(&broker.address(), "t", 0, Offset::Beginning);
    assert_eq!(keys(&consumer, 2_000), numbers(0..2_000));
    let mut list = TopicPartitionList::new();
    list.add_partition("t", 0);
    let group = self::consumer(&broker.address(), "g");
    let committed = group.committed_offsets(list, PATIENCE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(1_234));
    fill(&broker.address(), "t", 0, 2_000..2_010);
    assert_eq!(keys(&consumer, 10), numbers(2_000..2_010));
}

#[test]
fn a_second_process_attaches_to_the_folders_broker_and_takes_over_when_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded://{}", folder.path().display());
    let (mut child, address, owner) = spawn(folder.path());
    assert!(owner);
    create_topic(&address, "t", 1);
    fill(&address, "t", 0, 0..10);
    let here = attach(&url).unwrap();
    assert_eq!((here.address(), here.is_owner()), (address.clone(), false));
    // The end of its input ends the child in an orderly manner.
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("clean-stop.json").exists());
    let here = attach(&url).unwrap();
    assert!(here.is_owner());
    let consumer = assigned(&here.address(), "t", 0, Offset::Beginning);
    assert_eq!(keys(&consumer, 10), numbers(0..10));
    let (mut other, address, owner) = spawn(folder.path());
    assert_eq!((address, owner), (here.address(), false));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_full_budget_fails_at_once_and_loses_nothing_until_room_is_made() {
    let broker = start(BrokerOptions { memory_budget: 1_000_000, ..BrokerOptions::default() });
    let address = broker.address();
    create_topic(&address, "t", 1);
    create_topic(&address, "other", 1);
    let producer = producer(&address, &[("batch.num.messages", "10"), ("linger.ms", "0")]);
    let begun = Instant::now();
    for n in 0..2_000 {
        send(&producer, "t", 0, &n.to_string(), &[7; 1_000], 1);
    }
    let results = outcomes(&producer);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(results.len(), 2_000);
    let stored = results.iter().filter(|r| r.is_ok()).count();
    assert!((500..1_000).contains(&stored), "{stored}");
    assert!(results.contains(&Err(RDKafkaErrorCode::PolicyViolation)), "{results:?}");
    let consumer = assigned(&address, "t", 0, Offset::Beginning);
    keys(&consumer, stored);
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (0, stored as i64));
    block_on(admin(&address).delete_topics(&["t"], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    assert_eq!(broker.stats().bytes, 0);
    fill(&address, "other", 0, 0..100);
}

#[test]
fn kafkas_limit_for_one_batch_holds() {
    let broker = in_memory();
    create_topic(&broker.address(), "t", 1);
    let producer = producer(&broker.address(), &[("message.max.bytes", "5000000"), ("compression.type", "none")]);
    // 1,048,588 bytes less the batch's header (61) and the record's own (length 3, attributes, time, offset, key 1+1,
    // value's length 3, headers 1).
    let fits = 1_048_588 - 61 - 12;
    for (size, expected) in [(fits, None), (fits + 1, Some(RDKafkaErrorCode::MessageSizeTooLarge))] {
        send(&producer, "t", 0, "k", &vec![1; size], 1);
        assert_eq!(outcomes(&producer)[0].err(), expected, "{size}");
    }
}

#[test]
fn deleted_records_stay_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let broker = in_folder(folder.path());
    create_topic(&broker.address(), "t", 1);
    fill(&broker.address(), "t", 0, 0..100);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(60)).unwrap();
    block_on(admin(&broker.address()).delete_records(&list, &AdminOptions::new())).unwrap();
    drop(broker);
    let broker = in_folder(folder.path());
    let consumer = assigned(&broker.address(), "t", 0, Offset::Beginning);
    assert_eq!(keys(&consumer, 40), numbers(60..100));
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (60, 100));
}

#[test]
fn retention_deletes_what_is_old_and_moves_the_first_offset() {
    let folder = tempfile::tempdir().unwrap();
    let data = [None, Some(folder.path().to_path_buf())];
    for data in data {
        let retention = Some(Duration::from_millis(500));
        let broker = start(BrokerOptions { data, retention, ..BrokerOptions::default() });
        create_topic(&broker.address(), "t", 1);
        // Times of 1970: old from the beginning.
        fill(&broker.address(), "t", 0, 0..10);
        until("old records are deleted", || broker.stats().records == 0);
        let consumer = consumer(&broker.address(), "g");
        assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (10, 10));
    }
}

#[test]
fn stopping_is_quick_with_readers_that_wait_and_with_connections_that_say_nothing() {
    let broker = in_memory();
    create_topic(&broker.address(), "t", 1);
    let silent = TcpStream::connect(broker.address()).unwrap();
    let consumer = assigned(&broker.address(), "t", 0, Offset::Beginning);
    assert!(consumer.poll(Duration::from_millis(300)).is_none());
    let begun = Instant::now();
    broker.stop();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn transactions_are_refused_at_once_and_for_good() {
    let broker = in_memory();
    let producer = producer(&broker.address(), &[("transactional.id", "tx")]);
    let begun = Instant::now();
    let error = producer.init_transactions(PATIENCE).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(error.to_string().contains("does not support transactions"), "{error}");
}

/// Resident memory of this process in bytes; nothing where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    status.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

#[test]
fn hostile_connections_neither_stop_the_broker_nor_take_its_memory() {
    let broker = in_memory();
    create_topic(&broker.address(), "t", 1);
    let before = resident();
    let produce_claim = [&(100_u32 << 20).to_be_bytes()[..], &[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff]].concat();
    // Metadata version 9 that claims to name 2^32 topics.
    let count_claim = [0, 0, 0, 18, 0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let attacks: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
        &[0x7f, 0xff, 0xff, 0xff, 0, 0],
        &[0xff; 64],
        &[0, 0, 0, 0],
        &[0, 0, 0, 8, 0x12, 0x34, 0, 0, 0, 0, 0, 0],
        &count_claim,
        &produce_claim,
    ];
    let mut open = Vec::new();
    for attack in attacks.iter().cycle().take(400) {
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        stream.write_all(attack).unwrap();
        open.push(stream);
    }
    // Half-open: the first bytes of a length, then nothing.
    for _ in 0..100 {
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        stream.write_all(&[0, 0]).unwrap();
        open.push(stream);
    }
    fill(&broker.address(), "t", 0, 0..100);
    let consumer = assigned(&broker.address(), "t", 0, Offset::Beginning);
    assert_eq!(keys(&consumer, 100), numbers(0..100));
    if let (Some(before), Some(after)) = (before, resident()) {
        // Other tests run in this process, too; what a false claim would take is far beyond this.
        assert!(after.saturating_sub(before) < 500 << 20, "{before} {after}");
    }
    drop(open);
    until("closed connections are forgotten", || broker.stats().connections < 10);
}
