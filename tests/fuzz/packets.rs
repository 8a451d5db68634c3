//! What must hold for the packets of every type, and for names, whatever bytes they are made of.

use prost::Message;
use telewire::packet::{Head, PacketType, decode_message, latest_ns};
use telewire::proto::open_data as od;
use telewire::topic::{Layout, LayoutKind, NamedStreamForm, Strategy, detect, detect_form};

/// A packet of the type that the first byte chooses.
pub(crate) fn packet(data: &[u8]) {
    let Some((&which, content)) = data.split_first() else { return };
    let kind = PacketType::KNOWN[usize::from(which) % PacketType::KNOWN.len()];
    let _ = latest_ns(kind, content);
    if let Ok(head) = Head::peek(content) {
        assert!(head.content(content).len() + head.session_key(content).len() <= content.len());
        let _ = head.packet_type(content);
    }
    match kind {
        PacketType::NewSession => again::<od::NewSessionPacket>(kind, content),
        PacketType::EndOfSession => again::<od::EndOfSessionPacket>(kind, content),
        PacketType::SessionInfo => again::<od::SessionInfoPacket>(kind, content),
        PacketType::Configuration => again::<od::ConfigurationPacket>(kind, content),
        PacketType::Metadata => again::<od::MetadataPacket>(kind, content),
        PacketType::DataFormatDefinition => again::<od::DataFormatDefinitionPacket>(kind, content),
        PacketType::DataFormatConfiguration => again::<od::DataFormatConfigurationPacket>(kind, content),
        PacketType::PeriodicData => again::<od::PeriodicDataPacket>(kind, content),
        PacketType::RowData => again::<od::RowDataPacket>(kind, content),
        PacketType::SynchroData => again::<od::SynchroDataPacket>(kind, content),
        PacketType::Event => again::<od::EventPacket>(kind, content),
        PacketType::Marker => again::<od::MarkerPacket>(kind, content),
        PacketType::Error => again::<od::ErrorPacket>(kind, content),
        PacketType::RawCanData => again::<od::RawCanDataPacket>(kind, content),
        PacketType::CoverageCursorInfo => again::<od::CoverageCursorInfoPacket>(kind, content),
        PacketType::AxisData => again::<od::AxisDataPacket>(kind, content),
        PacketType::MapData => again::<od::MapDataPacket>(kind, content),
        PacketType::StreamStarted => again::<od::StreamStartedPacket>(kind, content),
        PacketType::StreamStopped => again::<od::StreamStoppedPacket>(kind, content),
        PacketType::SystemStatusMessage => again::<od::SystemStatusMessage>(kind, content),
        PacketType::Other => unreachable!("no name chooses it"),
    }
}

/// What was read is written and read again as the same; what was not is an error that names the packet.
fn again<M: Message + Default>(kind: PacketType, content: &[u8]) {
    match decode_message::<M>(kind, content) {
        Ok(message) => {
            let bytes = message.encode_to_vec();
            let twice: M = decode_message(kind, &bytes).unwrap();
            assert_eq!(twice.encode_to_vec(), bytes);
        }
        Err(error) => assert!(error.to_string().starts_with(kind.name())),
    }
}

/// Names out of the bytes as data source, stream, domain and topics, in every layout.
pub(crate) fn names(data: &[u8]) {
    let Some((&shape, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let parts: Vec<&str> = text.split('\n').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let layout = Layout {
        kind: if shape & 1 == 0 { LayoutKind::Domain } else { LayoutKind::Classic },
        domain: part(0).to_owned(),
        form: if shape & 2 == 0 { NamedStreamForm::A } else { NamedStreamForm::B },
        strategy: if shape & 4 == 0 { Strategy::TopicBased } else { Strategy::PartitionBased },
        partition_mappings: vec![(part(2).to_owned(), i32::from(shape)), (part(3).to_owned(), i32::MAX)],
    };
    if let Err(error) = layout.validate() {
        assert!(!error.to_string().chars().any(char::is_control));
    }
    let topics = || parts.iter().copied();
    let (source, stream) = (part(1), part(2));
    let _ = (detect(part(0), topics()), detect_form(part(0), topics().map(|topic| (source, topic))));
    for found in layout.data_sources(topics()) {
        assert!(!found.is_empty());
    }
    let listed = layout.streams_of(source, topics());
    if layout.strategy == Strategy::TopicBased && !source.is_empty() {
        assert!(listed.iter().all(|stream| !stream.contains('.') && !stream.is_empty()));
    }
    for topic in topics() {
        let _ = layout.stream_label(source, topic, i32::from(shape));
        let (name, partition) = Layout::parse_offset_key(topic);
        assert_eq!(Layout::parse_offset_key(&Layout::offset_key(&name, partition)), (name, partition));
    }
    match layout.place(source, stream) {
        // What has a place has a name that Kafka takes.
        Ok(place) => assert!(place.topic.len() <= 249 && place.topic.is_ascii() && !place.topic.contains(['\n', ' '])),
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
    if let Ok((topic, partitions)) = layout.creation(source, stream) {
        assert!(topic.len() <= 249 && partitions > 0);
    }
}
