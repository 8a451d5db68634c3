//! Every request in every version that the broker offers, from the client's half of the codec to its answer and back; and
//! the same requests damaged in every byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request as Message, StrBytes};

use super::batch::tests::batch;
use super::configs::Given;
use super::core::Core;
use super::dispatch::{self, Outcome, Peer};
use super::frame::Request;
use super::{BrokerOptions, api, shape};

const CORRELATION: i32 = 4711;

fn text(s: &'static str) -> StrBytes {
    StrBytes::from_static_str(s)
}

fn topic_name() -> TopicName {
    TopicName(text("t"))
}

fn peer() -> Peer {
    Peer { host: "127.0.0.1".into(), port: 9092, client_address: "127.0.0.1".into() }
}

/// A broker without sockets, with a topic `t` of two partitions.
fn core() -> Arc<Core> {
    let core = Core::open(&BrokerOptions::default(), None).unwrap();
    core.create_topic("t", 2, Given::new(), false).unwrap();
    Arc::new(core)
}

fn encoded<R: Message>(version: i16, request: &R) -> Bytes {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let header = header.with_correlation_id(CORRELATION).with_client_id(Some(text("test")));
    header.encode(&mut bytes, R::header_version(version)).unwrap();
    request.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

/// Hands a request in and lets the groups' clock run meanwhile.
async fn handle(core: &Arc<Core>, bytes: Bytes) -> Outcome {
    let request = Request { shared: bytes.len(), bytes };
    let clock = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            core.groups.lock().tick(Instant::now());
        }
    };
    let peer = peer();
    tokio::select! {
        outcome = dispatch::handle(core, &peer, request) => outcome.unwrap(),
        () = clock => unreachable!(),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn ask<R: Message>(core: &Arc<Core>, version: i16, request: &R) -> R::Response {
    let bytes = encoded(version, request);
    let header = usize::from(R::header_version(version) >= 2);
    let body = bytes.slice(8 + 2 + "test".len() + header..);
    assert_eq!(shape::check(ApiKey::try_from(R::KEY).unwrap(), version, &body), Ok(()), "{} {version}", R::KEY);
    let Outcome::Answer(answer) = handle(core, bytes).await else { panic!("no answer to {} {version}", R::KEY) };
    let mut whole = Bytes::from(answer.pieces.concat());
    let header = ResponseHeader::decode(&mut whole, R::Response::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, CORRELATION);
    let response = R::Response::decode(&mut whole, version).unwrap();
    assert_eq!(whole.remaining(), 0, "{} {version}", R::KEY);
    response
}

fn versions(key: ApiKey) -> Vec<i16> {
    let versions: Vec<i16> = api::all_answered().filter(|(k, _)| *k == key).map(|(_, v)| v).collect();
    assert!(!versions.is_empty());
    versions
}

fn produce(version: i16, id: uuid::Uuid, acks: i16) -> ProduceRequest {
    let data = produce_request::PartitionProduceData::default().with_index(1);
    let data = data.with_records(Some(Bytes::from(batch(&[10, 20, 30], b"value", None))));
    let topic = produce_request::TopicProduceData::default().with_partition_data(vec![data]);
    let topic = if version >= 13 { topic.with_topic_id(id) } else { topic.with_name(topic_name()) };
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn fetch(version: i16, id: uuid::Uuid, offset: i64) -> FetchRequest {
    let wanted = |index| {
        let partition = fetch_request::FetchPartition::default().with_partition(index).with_fetch_offset(offset);
        partition.with_partition_max_bytes(1 << 20)
    };
    let topic = fetch_request::FetchTopic::default().with_partitions(vec![wanted(0), wanted(1)]);
    let topic = if version >= 13 { topic.with_topic_id(id) } else { topic.with_topic(topic_name()) };
    let request = FetchRequest::default().with_max_wait_ms(5).with_min_bytes(1).with_max_bytes(1 << 20);
    request.with_topics(vec![topic])
}

/// What only another broker would say, in tagged fields.
fn fetch_of_a_replica(version: i16, id: uuid::Uuid) -> FetchRequest {
    let mut request = fetch(version, id, 0).with_max_wait_ms(0).with_cluster_id(Some(text("c")));
    if version >= 15 {
        let state = fetch_request::ReplicaState::default().with_replica_id(BrokerId(7)).with_replica_epoch(1);
        request = request.with_replica_state(state);
    }
    for partition in request.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        if version >= 17 {
            partition.replica_directory_id = uuid::Uuid::from_u128(0x0303_0303_0303_0303_0303_0303_0303_0303);
        }
        if version >= 18 {
            partition.high_watermark = 0x0303_0303_0303_0303;
        }
    }
    request
}

fn list_offsets(version: i16, timestamp: i64) -> ListOffsetsRequest {
    let partition = list_offsets_request::ListOffsetsPartition::default().with_partition_index(1);
    let topic = list_offsets_request::ListOffsetsTopic::default().with_name(topic_name());
    let topic = topic.with_partitions(vec![partition.with_timestamp(timestamp)]);
    let request = ListOffsetsRequest::default().with_topics(vec![topic]);
    if version >= 10 { request.with_timeout_ms(1000) } else { request }
}

fn join(version: i16, member: &StrBytes) -> JoinGroupRequest {
    let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
    let request = JoinGroupRequest::default().with_group_id(GroupId(text("g"))).with_session_timeout_ms(10_000);
    let request = request.with_member_id(member.clone()).with_protocol_type(text("consumer"));
    let request = request.with_protocols(vec![protocol.with_metadata(Bytes::from_static(b"me"))]);
    if version >= 1 { request.with_rebalance_timeout_ms(10_000) } else { request }
}

fn sync(version: i16, member: &StrBytes, generation: i32) -> SyncGroupRequest {
    let share = sync_group_request::SyncGroupRequestAssignment::default().with_member_id(member.clone());
    let request = SyncGroupRequest::default().with_group_id(GroupId(text("g"))).with_generation_id(generation);
    let request = request.with_member_id(member.clone());
    let request = request.with_assignments(vec![share.with_assignment(Bytes::from_static(b"share"))]);
    if version < 5 {
        return request;
    }
    request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
}

fn commit(version: i16, offset: i64) -> OffsetCommitRequest {
    let partition = offset_commit_request::OffsetCommitRequestPartition::default().with_partition_index(1);
    let partition = partition.with_committed_offset(offset).with_committed_metadata(Some(text("note")));
    let topic = offset_commit_request::OffsetCommitRequestTopic::default().with_name(topic_name());
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text("c")));
    let request = request.with_generation_id_or_member_epoch(-1);
    let request = request.with_topics(vec![topic.with_partitions(vec![partition])]);
    if version >= 7 { request.with_group_instance_id(None) } else { request }
}

fn offset_fetch(version: i16, all: bool) -> OffsetFetchRequest {
    if version >= 8 {
        let topic = offset_fetch_request::OffsetFetchRequestTopics::default().with_name(topic_name());
        let topics = (!all).then(|| vec![topic.with_partition_indexes(vec![0, 1])]);
        let group = offset_fetch_request::OffsetFetchRequestGroup::default().with_group_id(GroupId(text("c")));
        return OffsetFetchRequest::default().with_groups(vec![group.with_topics(topics)]);
    }
    let topic = offset_fetch_request::OffsetFetchRequestTopic::default().with_name(topic_name());
    let topics = (!all).then(|| vec![topic.with_partition_indexes(vec![0, 1])]);
    OffsetFetchRequest::default().with_group_id(GroupId(text("c"))).with_topics(topics)
}

fn create(name: &'static str, partitions: i32) -> CreateTopicsRequest {
    let config = create_topics_request::CreatableTopicConfig::default().with_name(text("retention.ms"));
    let topic = create_topics_request::CreatableTopic::default().with_name(TopicName(text(name)));
    let topic = topic.with_num_partitions(partitions).with_replication_factor(1);
    let topic = topic.with_configs(vec![config.with_value(Some(text("12345678")))]);
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
}

fn delete_topic(version: i16, name: &'static str) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(1000);
    if version >= 6 {
        let topic = delete_topics_request::DeleteTopicState::default().with_name(Some(TopicName(text(name))));
        return request.with_topics(vec![topic]);
    }
    request.with_topic_names(vec![TopicName(text(name))])
}

fn metadata(version: i16, name: Option<&'static str>) -> MetadataRequest {
    let topic = |name| metadata_request::MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    let all = if version == 0 { Some(Vec::new()) } else { None };
    let request = MetadataRequest::default().with_topics(name.map(|n| vec![topic(n)]).or(all));
    if version >= 8 { request.with_include_topic_authorized_operations(true) } else { request }
}

#[test]
fn what_is_produced_in_any_version_is_fetched_in_any_version() {
    run(async {
        let core = core();
        let id = core.topic("t").unwrap().id;
        for (count, version) in versions(ApiKey::Produce).into_iter().enumerate() {
            let response = ask(&core, version, &produce(version, id, -1)).await;
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!((partition.index, partition.error_code), (1, 0), "version {version}");
            assert_eq!(partition.base_offset, 3 * count as i64);
        }
        let end = core.partition("t", 1).unwrap().bounds().1;
        for version in versions(ApiKey::Fetch) {
            let response = ask(&core, version, &fetch(version, id, 1)).await;
            let topic = &response.responses[0];
            if version >= 13 {
                assert_eq!(topic.topic_id, id)
            } else {
                assert_eq!(topic.topic, topic_name())
            }
            let [empty, full] = &topic.partitions[..] else { panic!("two partitions") };
            // Partition 0 is empty: offset 1 lies behind its end.
            assert_eq!(empty.error_code, ResponseError::OffsetOutOfRange.code());
            assert_eq!((full.error_code, full.high_watermark), (0, end), "version {version}");
            let records = full.records.as_ref().unwrap();
            let mut expected = Vec::new();
            for n in 0..end / 3 {
                let mut bytes = batch(&[10, 20, 30], b"value", None);
                bytes[..8].copy_from_slice(&(n * 3).to_be_bytes());
                bytes[12..16].fill(0);
                expected.extend(bytes);
            }
            assert_eq!(records[..], expected[..], "version {version}: from the middle of the first batch to the end");
        }
    });
}

#[test]
fn a_fetch_waits_for_the_next_record_and_no_longer() {
    run(async {
        let core = core();
        let id = core.topic("t").unwrap().id;
        let mut request = fetch(12, id, 0).with_max_wait_ms(60_000);
        let begun = Instant::now();
        let asking = ask(&core, 12, &request);
        let writing = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            ask(&core, 9, &produce(9, id, 1)).await
        };
        let (response, _) = tokio::join!(asking, writing);
        assert!((50..5_000).contains(&begun.elapsed().as_millis()));
        assert!(response.responses[0].partitions[1].records.as_ref().is_some_and(|r| !r.is_empty()));
        request = fetch(12, id, 3).with_max_wait_ms(50);
        request.topics[0].partitions.remove(0);
        let begun = Instant::now();
        let response = ask(&core, 12, &request).await;
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert!(response.responses[0].partitions[0].records.as_ref().is_some_and(Bytes::is_empty));
    });
}

#[test]
fn offsets_are_answered_in_every_version() {
    run(async {
        let core = core();
        let id = core.topic("t").unwrap().id;
        ask(&core, 9, &produce(9, id, 1)).await;
        for version in versions(ApiKey::ListOffsets) {
            for (timestamp, offset) in [(-1, 3), (-2, 0), (0, 0), (11, 1), (30, 2), (31, -1)] {
                let response = ask(&core, version, &list_offsets(version, timestamp)).await;
                let found = &response.topics[0].partitions[0];
                assert_eq!((found.error_code, found.offset), (0, offset), "version {version}, time {timestamp}");
            }
        }
        for version in versions(ApiKey::OffsetForLeaderEpoch) {
            let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default().with_partition(1);
            let topic = offset_for_leader_epoch_request::OffsetForLeaderTopic::default().with_topic(topic_name());
            let topic = topic.with_partitions(vec![partition.with_leader_epoch(0)]);
            let response = ask(&core, version, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic])).await;
            assert_eq!(response.topics[0].partitions[0].end_offset, 3);
        }
        for (version, offset) in versions(ApiKey::DeleteRecords).into_iter().zip(1..) {
            let partition = delete_records_request::DeleteRecordsPartition::default().with_partition_index(1);
            let topic = delete_records_request::DeleteRecordsTopic::default().with_name(topic_name());
            let topic = topic.with_partitions(vec![partition.with_offset(offset)]);
            let response = ask(&core, version, &DeleteRecordsRequest::default().with_topics(vec![topic])).await;
            assert_eq!(response.topics[0].partitions[0].low_watermark, offset);
        }
    });
}

#[test]
fn a_group_lives_its_life_in_every_version() {
    run(async {
        let core = core();
        let later = |versions: Vec<i16>, at: usize| versions[at.min(versions.len() - 1)];
        for (at, version) in versions(ApiKey::JoinGroup).into_iter().enumerate() {
            let mut joined = ask(&core, version, &join(version, &StrBytes::default())).await;
            if version >= 4 {
                assert_eq!(joined.error_code, ResponseError::MemberIdRequired.code());
                joined = ask(&core, version, &join(version, &joined.member_id)).await;
            }
            assert_eq!(joined.error_code, 0, "version {version}");
            assert_eq!((joined.leader == joined.member_id, joined.members.len()), (true, 1));
            let (member, generation) = (joined.member_id, joined.generation_id);
            let v = later(versions(ApiKey::SyncGroup), at);
            let synced = ask(&core, v, &sync(v, &member, generation)).await;
            assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"share"[..]));
            let v = later(versions(ApiKey::Heartbeat), at);
            let heartbeat = HeartbeatRequest::default().with_group_id(GroupId(text("g")));
            let heartbeat = heartbeat.with_generation_id(generation).with_member_id(member.clone());
            assert_eq!(ask(&core, v, &heartbeat).await.error_code, 0);
            let v = later(versions(ApiKey::DescribeGroups), at);
            let describe = DescribeGroupsRequest::default().with_groups(vec![GroupId(text("g"))]);
            let described = ask(&core, v, &describe).await;
            assert_eq!(described.groups[0].group_state, text("Stable"));
            assert_eq!(&described.groups[0].members[0].member_assignment[..], b"share");
            let v = later(versions(ApiKey::ListGroups), at);
            assert_eq!(ask(&core, v, &ListGroupsRequest::default()).await.groups.len(), 1);
            let v = later(versions(ApiKey::LeaveGroup), at);
            let leave = LeaveGroupRequest::default().with_group_id(GroupId(text("g")));
            let leave = if v < 3 {
                leave.with_member_id(member)
            } else {
                let gone = leave_group_request::MemberIdentity::default().with_member_id(member);
                leave.with_members(vec![gone])
            };
            let left = ask(&core, v, &leave).await;
            assert_eq!((left.error_code, left.members.iter().any(|m| m.error_code != 0)), (0, false));
        }
        for version in versions(ApiKey::DeleteGroups) {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("g"))]);
            let deleted = ask(&core, version, &request).await;
            let expected = if version == 0 { 0 } else { ResponseError::GroupIdNotFound.code() };
            assert_eq!(deleted.results[0].error_code, expected);
        }
    });
}

#[test]
fn offsets_are_committed_and_found_again_in_every_version() {
    run(async {
        let core = core();
        for (version, offset) in versions(ApiKey::OffsetCommit).into_iter().zip(100..) {
            let response = ask(&core, version, &commit(version, offset)).await;
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
            for version in versions(ApiKey::OffsetFetch) {
                let response = ask(&core, version, &offset_fetch(version, false)).await;
                let found: Vec<i64> = if version >= 8 {
                    response.groups[0].topics[0].partitions.iter().map(|p| p.committed_offset).collect()
                } else {
                    response.topics[0].partitions.iter().map(|p| p.committed_offset).collect()
                };
                assert_eq!(found, [-1, offset], "version {version}");
                if version >= 2 {
                    let response = ask(&core, version, &offset_fetch(version, true)).await;
                    assert_eq!(
                        response.topics.len() + response.groups.iter().map(|g| g.topics.len()).sum::<usize>(),
                        1
                    );
                }
            }
        }
        let partition = offset_delete_request::OffsetDeleteRequestPartition::default().with_partition_index(1);
        let topic = offset_delete_request::OffsetDeleteRequestTopic::default().with_name(topic_name());
        let request = OffsetDeleteRequest::default().with_group_id(GroupId(text("c")));
        let request = request.with_topics(vec![topic.with_partitions(vec![partition])]);
        assert_eq!(ask(&core, 0, &request).await.topics[0].partitions[0].error_code, 0);
        assert_eq!(ask(&core, 0, &request).await.error_code, ResponseError::GroupIdNotFound.code());
    });
}

#[test]
fn topics_are_made_described_extended_and_deleted_in_every_version() {
    run(async {
        let core = core();
        for version in versions(ApiKey::CreateTopics) {
            let made = ask(&core, version, &create("made", 2)).await;
            assert_eq!(made.topics[0].error_code, 0, "version {version}");
            let again = ask(&core, version, &create("made", 2)).await;
            assert_eq!(again.topics[0].error_code, ResponseError::TopicAlreadyExists.code());
            for version in versions(ApiKey::Metadata) {
                let response = ask(&core, version, &metadata(version, None)).await;
                assert_eq!((response.topics.len(), response.brokers.len()), (2, 1), "version {version}");
                let response = ask(&core, version, &metadata(version, Some("made"))).await;
                assert_eq!((response.topics[0].error_code, response.topics[0].partitions.len()), (0, 2));
                let response = ask(&core, version, &metadata(version, Some("missing"))).await;
                assert_eq!(response.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
            }
            for version in versions(ApiKey::CreatePartitions) {
                let count = core.topic("made").unwrap().partition_count() as i32 + 1;
                let topic = create_partitions_request::CreatePartitionsTopic::default();
                let topic = topic.with_name(TopicName(text("made"))).with_count(count).with_assignments(None);
                let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
                assert_eq!(ask(&core, version, &request).await.results[0].error_code, 0);
            }
            let last = versions(ApiKey::DeleteTopics).into_iter().last().unwrap();
            for version in versions(ApiKey::DeleteTopics) {
                assert_eq!(ask(&core, version, &delete_topic(version, "made")).await.responses[0].error_code, 0);
                if version < last {
                    ask(&core, 2, &create("made", 1)).await;
                }
            }
        }
    });
}

#[test]
fn settings_are_described_and_changed_in_every_version() {
    run(async {
        let core = core();
        let describe = || {
            let resource = describe_configs_request::DescribeConfigsResource::default().with_resource_type(2);
            let resource = resource.with_resource_name(text("t"));
            let resource = resource.with_configuration_keys(Some(vec![text("retention.ms")]));
            DescribeConfigsRequest::default().with_resources(vec![resource])
        };
        let value = async |version| {
            let response = ask(&core, version, &describe()).await;
            response.results[0].configs[0].value.clone().unwrap().to_string()
        };
        for version in versions(ApiKey::DescribeConfigs) {
            assert_eq!(value(version).await, "-1");
        }
        for version in versions(ApiKey::IncrementalAlterConfigs) {
            let config = incremental_alter_configs_request::AlterableConfig::default().with_name(text("retention.ms"));
            let resource = incremental_alter_configs_request::AlterConfigsResource::default().with_resource_type(2);
            let resource = resource.with_resource_name(text("t"));
            let resource = resource.with_configs(vec![config.with_value(Some(text("777")))]);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            assert_eq!(ask(&core, version, &request).await.responses[0].error_code, 0);
            assert_eq!(value(1).await, "777");
        }
        for version in versions(ApiKey::AlterConfigs) {
            let config = alter_configs_request::AlterableConfig::default().with_name(text("retention.ms"));
            let resource = alter_configs_request::AlterConfigsResource::default().with_resource_type(2);
            let resource = resource.with_resource_name(text("t"));
            let resource = resource.with_configs(vec![config.with_value(Some(text("888")))]);
            let request = AlterConfigsRequest::default().with_resources(vec![resource]);
            assert_eq!(ask(&core, version, &request).await.responses[0].error_code, 0);
            assert_eq!(value(1).await, "888");
        }
        let broker = describe_configs_request::DescribeConfigsResource::default().with_resource_type(4);
        let request = DescribeConfigsRequest::default().with_resources(vec![broker.with_resource_name(text("1"))]);
        assert!(!ask(&core, 4, &request).await.results[0].configs.is_empty());
    });
}

#[test]
fn the_rest_is_answered_in_every_version() {
    run(async {
        let core = core();
        for version in versions(ApiKey::ApiVersions) {
            let request = ApiVersionsRequest::default();
            let request = if version >= 3 { request.with_client_software_name(text("x")) } else { request };
            let response = ask(&core, version, &request).await;
            assert_eq!((response.error_code, response.api_keys.is_empty()), (0, false));
        }
        for version in versions(ApiKey::DescribeCluster) {
            let request = DescribeClusterRequest::default().with_endpoint_type(1);
            let response = ask(&core, version, &request).await;
            assert_eq!((response.error_code, response.brokers.len()), (0, 1));
        }
        for version in versions(ApiKey::FindCoordinator) {
            for (kind, expected) in [(0, 0), (1, ResponseError::TransactionalIdAuthorizationFailed.code())] {
                if version == 0 && kind == 1 {
                    continue;
                }
                let request = FindCoordinatorRequest::default().with_key_type(kind);
                let request = if version >= 4 {
                    request.with_coordinator_keys(vec![text("k")])
                } else {
                    request.with_key(text("k"))
                };
                let response = ask(&core, version, &request).await;
                let error = response.coordinators.first().map_or(response.error_code, |c| c.error_code);
                assert_eq!(error, expected, "version {version}");
            }
        }
        for (version, id) in versions(ApiKey::InitProducerId).into_iter().zip(0..) {
            let request = InitProducerIdRequest::default().with_transactional_id(None);
            assert_eq!(ask(&core, version, &request).await.producer_id, id);
            let request = request.with_transactional_id(Some(TransactionalId(text("tx"))));
            let refused = ask(&core, version, &request).await.error_code;
            assert_eq!(refused, ResponseError::TransactionalIdAuthorizationFailed.code());
        }
        for version in versions(ApiKey::SaslHandshake) {
            let request = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
            assert_eq!(ask(&core, version, &request).await.error_code, ResponseError::IllegalSaslState.code());
        }
    });
}

#[test]
fn a_newer_client_is_told_the_table_and_an_old_or_foreign_one_is_let_go() {
    run(async {
        let core = core();
        let mut newer = encoded(4, &ApiVersionsRequest::default().with_client_software_name(text("x"))).to_vec();
        newer[3] = 99;
        let Outcome::Answer(answer) = handle(&core, newer.into()).await else { panic!("no answer") };
        let mut whole = Bytes::from(answer.pieces.concat());
        whole.advance(4);
        let response = ApiVersionsResponse::decode(&mut whole, 0).unwrap();
        assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
        assert!(!response.api_keys.is_empty());
        for (kind, version) in [(0_i16, 2_i16), (1, 3), (9999, 0), (68, 0), (-1, 0)] {
            let bytes = [&kind.to_be_bytes()[..], &version.to_be_bytes(), &[0; 20]].concat();
            assert!(matches!(handle(&core, bytes.into()).await, Outcome::Close(_)), "{kind} {version}");
        }
    });
}

#[test]
fn without_acks_there_is_silence_and_a_failure_closes_the_connection() {
    run(async {
        let core = core();
        let id = core.topic("t").unwrap().id;
        assert!(matches!(handle(&core, encoded(9, &produce(9, id, 0))).await, Outcome::Silence));
        let mut failing = produce(9, id, 0);
        failing.topic_data[0].name = TopicName(text("missing"));
        assert!(matches!(handle(&core, encoded(9, &failing)).await, Outcome::Close(_)));
        let odd = ask(&core, 9, &produce(9, id, 7)).await;
        let error = odd.responses[0].partition_responses[0].error_code;
        assert_eq!(error, ResponseError::InvalidRequiredAcks.code());
    });
}

#[test]
fn damaged_requests_are_answered_or_let_go_and_never_take_memory_on_their_word() {
    let id = uuid::Uuid::nil();
    let m = StrBytes::default();
    let mut requests = Vec::new();
    for (key, v) in api::all_answered() {
        let bytes = match key {
            ApiKey::Produce => encoded(v, &produce(v, id, 1)),
            ApiKey::Fetch if v >= 12 => encoded(v, &fetch_of_a_replica(v, id)),
            ApiKey::Fetch => encoded(v, &fetch(v, id, 0).with_max_wait_ms(0)),
            ApiKey::ListOffsets => encoded(v, &list_offsets(v, 5)),
            ApiKey::Metadata => encoded(v, &metadata(v, Some("t"))),
            ApiKey::OffsetCommit => encoded(v, &commit(v, 5)),
            ApiKey::OffsetFetch => encoded(v, &offset_fetch(v, false)),
            ApiKey::JoinGroup => encoded(v, &join(v, &m)),
            ApiKey::SyncGroup => encoded(v, &sync(v, &m, 1)),
            ApiKey::CreateTopics => encoded(v, &create("other", 1)),
            ApiKey::DeleteTopics => encoded(v, &delete_topic(v, "other")),
            _ => continue,
        };
        requests.push(bytes);
    }
    run(async {
        let core = core();
        for good in requests {
            for at in 0..good.len() {
                for damage in [0x00, 0x7f, 0x80, 0xff] {
                    let mut bad = good.to_vec();
                    bad[at] = damage;
                    // A request that waits for something else than damage is not what is looked for.
                    let waits = Duration::from_millis(1);
                    let _ = tokio::time::timeout(waits, handle(&core, bad.into())).await;
                }
                if at >= 8 {
                    let _ = tokio::time::timeout(Duration::from_millis(1), handle(&core, good.slice(..at))).await;
                }
            }
        }
    });
}

#[test]
fn a_tagged_field_is_as_long_as_it_says_or_the_request_is_refused() {
    for version in versions(ApiKey::Fetch).into_iter().filter(|version| *version >= 12) {
        let mut body = BytesMut::new();
        fetch_of_a_replica(version, uuid::Uuid::nil()).encode(&mut body, version).unwrap();
        assert_eq!(shape::check(ApiKey::Fetch, version, &body), Ok(()), "{version}");
        // The directory's field comes behind its partition: two fields, the first of 16 bytes. One that claims to be longer would
        // hide what the codec reads next.
        let field = [2, 0, 16, 3, 3, 3];
        if let Some(at) = body.windows(field.len()).position(|bytes| bytes == field) {
            for lie in [0, 15, 17, 24] {
                let mut bad = body.clone();
                bad[at + 2] = lie;
                assert_eq!(shape::check(ApiKey::Fetch, version, &bad), Err(shape::Malformed), "{version} {lie}");
            }
        }
        if let Some(at) = body.windows(field.len()).position(|bytes| bytes == field) {
            // A field's number of 33 bits: 4294967296, of which 32 bits are 0.
            let mut bad = body.clone().freeze().to_vec();
            bad.splice(at + 1..at + 2, [0x80, 0x80, 0x80, 0x80, 0x10]);
            assert_eq!(shape::check(ApiKey::Fetch, version, &bad), Err(shape::Malformed), "{version}");
        }
        assert_eq!(body.windows(field.len()).any(|bytes| bytes == field), version >= 18);
    }
}
