//! Topics exactly as configured, and layouts learnt from what is there.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use telewire::session::SessionChange;
use telewire::stream::{Client, ClientOptions, LayoutChoice, ReadOptions};
use telewire::topic::{LayoutKind, NamedStreamForm};

use crate::support::*;

fn topics_with(part: &str) -> Vec<(String, usize)> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    let metadata = consumer.fetch_metadata(None, DEADLINE).unwrap();
    let mut topics: Vec<(String, usize)> = metadata
        .topics()
        .iter()
        .filter(|topic| topic.name().contains(part))
        .map(|topic| (topic.name().to_string(), topic.partitions().len()))
        .collect();
    topics.sort();
    topics
}

fn write_one(client: &Client, data_source: &str, stream: &str) -> String {
    let info = client.create_session(&new_session(data_source, "FP1")).unwrap();
    client.writer().unwrap().write(data_source, stream, &info.key, &packet(&info.key, "x", true)).unwrap();
    client.end_session(&info.key).unwrap();
    info.key.clone()
}

#[test]
fn conformance_11_domain_layout_topics_are_exactly_as_configured() {
    let domain = domain();
    write_one(&connect(&domain), "CarA", "Chassis");
    let expected: Vec<(String, usize)> = ["Data.CarA.Chassis", "Essential.CarA", "Sys.SessionInfo"]
        .iter()
        .map(|name| (format!("{domain}.{name}"), 1))
        .collect();
    assert_eq!(topics_with(&domain), expected);
}

#[test]
fn conformance_11_partitions_are_created_as_mapped_and_everything_else_has_one() {
    let domain = domain();
    write_one(&partitioned(&domain, &[("One", 1), ("Four", 4)]), "CarA", "One");
    let expected = [("Data.CarA", 5), ("Essential.CarA", 1), ("Sys.SessionInfo", 1)];
    assert_eq!(topics_with(&domain), expected.map(|(name, count)| (format!("{domain}.{name}"), count)));
}

#[test]
fn classic_layout_topics_are_exactly_as_configured() {
    let options = ClientOptions { layout: LayoutChoice::Classic, ..options("") };
    let client = Client::connect(options).unwrap();
    let source = domain();
    let key = write_one(&client, &source, "Chassis");
    let mut expected = vec![(format!("{source}.Chassis"), 1), (format!("{source}_essential"), 1)];
    expected.sort();
    assert_eq!(topics_with(&source), expected);
    assert!(topics_with("SessionInfo").iter().any(|(name, _)| name == "SessionInfo"));
    assert_eq!(texts(read_all(&client.read(by_key(&key)).unwrap())).len(), 1);
}

#[test]
fn conformance_11_the_form_of_named_streams_is_learnt_from_sessions_of_others() {
    for (form, expected) in [(NamedStreamForm::A, "CarA"), (NamedStreamForm::B, "CarA")] {
        let domain = domain();
        let foreign = Client::connect(ClientOptions { named_stream_form: Some(form), ..options(&domain) }).unwrap();
        write_one(&foreign, expected, "Chassis");
        // The stream exists now, so the next session's offsets name its topic.
        let key = write_one(&foreign, expected, "Chassis");
        let auto = ClientOptions { layout: LayoutChoice::Auto, ..options(&domain) };
        let client = Client::connect(auto).unwrap();
        assert_eq!(client.layout().form, form);
        let found = texts(read_all(&client.read(by_key(&key)).unwrap()));
        assert_eq!(found, [("Chassis".to_string(), "x".to_string())]);
    }
}

#[test]
fn a_reader_on_an_empty_cluster_finds_the_layout_when_somebody_writes() {
    let domain = domain();
    let auto = ClientOptions { layout: LayoutChoice::Auto, ..options(&domain) };
    let early = Client::connect(auto).unwrap();
    assert!(early.sessions(None).unwrap().is_empty());
    let live = ReadOptions {
        reading: telewire::stream::Reading::Live,
        data_source: Some("CarA".into()),
        ..ReadOptions::default()
    };
    let reader = early.read(live).unwrap();
    let writer = connect(&domain);
    let info = writer.create_session(&new_session("CarA", "FP1")).unwrap();
    writer.writer().unwrap().write("CarA", "", &info.key, &packet(&info.key, "x", false)).unwrap();
    assert_eq!(read_packets(&reader, 1).len(), 1);
    assert_eq!(early.layout().kind, LayoutKind::Domain);
    assert_eq!(early.sessions(Some("CarA")).unwrap().len(), 1);
}

#[test]
fn readers_create_no_topics() {
    let domain = domain();
    let client = connect(&domain);
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let before = topics_with(&domain);
    let options = ReadOptions { streams: vec!["Nowhere".into()], ..by_key(&info.key) };
    let reader = client.read(options).unwrap();
    client.end_session(&info.key).unwrap();
    read_all(&reader);
    assert_eq!(client.parameters_of("CarB", 1).unwrap_err().code(), "unknown_format");
    assert_eq!(topics_with(&domain), before);
}

#[test]
fn a_watch_on_an_empty_cluster_finds_the_layout_that_the_first_writer_chose() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded://{}", folder.path().join("data").display());
    let watching = Client::connect(ClientOptions::new(url.clone())).unwrap();
    let (sessions, formats) = (watching.watch_sessions().unwrap(), watching.watch_formats().unwrap());
    let classic = ClientOptions { layout: LayoutChoice::Classic, ..ClientOptions::new(url) };
    let client = Client::connect(classic).unwrap();
    let info = client.create_session(&new_session("CarA", "FP1")).unwrap();
    let id = client.event_format("CarA", "Pit:App").unwrap();
    let change = sessions.next(DEADLINE).unwrap();
    assert!(matches!(change, Some(SessionChange::Started(seen)) if seen.key == info.key));
    assert_eq!(formats.next(DEADLINE).unwrap().map(|news| news.id), Some(id));
    assert_eq!(watching.layout().kind, LayoutKind::Classic);
}
