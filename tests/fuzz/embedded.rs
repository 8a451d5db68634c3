//! What must hold of requests to the embedded broker and of the batches in them, whatever bytes they are.
//!
//! The rooms of the broker that look at bytes before anybody believes them are compiled in here as they are: the whole
//! broker would bring librdkafka and sockets along.

#[path = "../../src/embedded/api.rs"]
mod api;
#[path = "../../src/embedded/batch.rs"]
mod batch;
#[path = "../../src/embedded/record_times.rs"]
mod record_times;
#[path = "../../src/embedded/records.rs"]
mod records;
#[path = "../../src/embedded/shape.rs"]
mod shape;

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;

/// A request as it comes behind its length: kind, version, correlation, header, body.
pub(crate) fn request(data: &[u8]) {
    let Some((&[k0, k1, v0, v1, ..], _)) = data.split_first_chunk::<8>() else { return };
    let version = i16::from_be_bytes([v0, v1]);
    let Ok(key) = ApiKey::try_from(i16::from_be_bytes([k0, k1])) else { return };
    if !api::answers(key, version) {
        return;
    }
    let mut bytes = Bytes::copy_from_slice(data);
    if RequestHeader::decode(&mut bytes, key.request_header_version(version)).is_err() {
        return;
    }
    if shape::check(key, version, &bytes).is_err() {
        return;
    }
    // What passed is decoded without taking memory on its word; codec.rs counts it.
    match key {
        ApiKey::Produce => decoded::<ProduceRequest>(bytes, version),
        ApiKey::Fetch => decoded::<FetchRequest>(bytes, version),
        ApiKey::ListOffsets => decoded::<ListOffsetsRequest>(bytes, version),
        ApiKey::Metadata => decoded::<MetadataRequest>(bytes, version),
        ApiKey::OffsetCommit => decoded::<OffsetCommitRequest>(bytes, version),
        ApiKey::OffsetFetch => decoded::<OffsetFetchRequest>(bytes, version),
        ApiKey::FindCoordinator => decoded::<FindCoordinatorRequest>(bytes, version),
        ApiKey::JoinGroup => decoded::<JoinGroupRequest>(bytes, version),
        ApiKey::Heartbeat => decoded::<HeartbeatRequest>(bytes, version),
        ApiKey::LeaveGroup => decoded::<LeaveGroupRequest>(bytes, version),
        ApiKey::SyncGroup => decoded::<SyncGroupRequest>(bytes, version),
        ApiKey::DescribeGroups => decoded::<DescribeGroupsRequest>(bytes, version),
        ApiKey::ListGroups => decoded::<ListGroupsRequest>(bytes, version),
        ApiKey::SaslHandshake => decoded::<SaslHandshakeRequest>(bytes, version),
        ApiKey::ApiVersions => decoded::<ApiVersionsRequest>(bytes, version),
        ApiKey::CreateTopics => decoded::<CreateTopicsRequest>(bytes, version),
        ApiKey::DeleteTopics => decoded::<DeleteTopicsRequest>(bytes, version),
        ApiKey::DeleteRecords => decoded::<DeleteRecordsRequest>(bytes, version),
        ApiKey::InitProducerId => decoded::<InitProducerIdRequest>(bytes, version),
        ApiKey::OffsetForLeaderEpoch => decoded::<OffsetForLeaderEpochRequest>(bytes, version),
        ApiKey::DescribeConfigs => decoded::<DescribeConfigsRequest>(bytes, version),
        ApiKey::AlterConfigs => decoded::<AlterConfigsRequest>(bytes, version),
        ApiKey::CreatePartitions => decoded::<CreatePartitionsRequest>(bytes, version),
        ApiKey::DeleteGroups => decoded::<DeleteGroupsRequest>(bytes, version),
        ApiKey::IncrementalAlterConfigs => decoded::<IncrementalAlterConfigsRequest>(bytes, version),
        ApiKey::OffsetDelete => decoded::<OffsetDeleteRequest>(bytes, version),
        ApiKey::DescribeCluster => decoded::<DescribeClusterRequest>(bytes, version),
        other => unreachable!("{other:?} is answered and not tried here"),
    }
}

/// Decoded or refused; nothing else happens. Whether the codec could write it again is not asked: the broker never does.
fn decoded<R: Decodable>(mut body: Bytes, version: i16) {
    let _ = R::decode(&mut body, version);
}

/// A batch as a producer sends it. Its checksum is made right, or the fuzzer would see nothing behind it.
pub(crate) fn records(data: &[u8]) {
    let Ok(header) = batch::Header::parse(data) else { return };
    if header.length > data.len() {
        assert_eq!(header.verify(data), Err(batch::Fault::Short));
        return;
    }
    let (mut allowance, most) = (1 << 20, 1 << 20);
    let outcome = records::check(data, &header, &mut allowance);
    assert!(allowance <= most);
    let earliest = record_times::first_at_or_after(data, &header, header.base_offset, i64::MIN);
    if outcome.is_ok() {
        // What is taken is found again by its time.
        if !header.is_append_time() && header.base_offset >= 0 && header.count > 0 {
            assert_eq!(earliest.unwrap().map(|(offset, _)| offset), Some(header.base_offset));
        }
        assert!(header.count >= 0);
    }
    let _ = record_times::first_at_or_after(data, &header, i64::MIN, i64::MAX);
}
