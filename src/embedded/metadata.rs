//! What there is and where: topics and partitions, the cluster, the coordinator. There is one node, and it is everything.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::batch::LEADER_EPOCH;
use super::configs::Given;
use super::core::unknown_topic;
use super::dispatch::{Call, NODE};
use super::produce;
use super::refusal::Refusal;
use super::topics::{Topic, check_name};

/// Everybody may do everything: the bits of read, write, create, delete, alter, describe, and the two of configs.
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Create, alter, describe, cluster action, both of configs, idempotent write.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// The value for "not asked".
const NOT_ASKED: i32 = i32::MIN;

/// Topics and partitions.
pub(super) fn metadata(call: &Call<'_>, request: MetadataRequest) -> MetadataResponse {
    // The oldest form says "all" by an empty list, the others by none.
    let wanted = request.topics.filter(|topics| call.version > 0 || !topics.is_empty());
    // Before version 4 a client had no say in it.
    let create = call.core.auto_create && (call.version < 4 || request.allow_auto_topic_creation);
    let operations = if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { NOT_ASKED };
    let found: Vec<MetadataResponseTopic> = match wanted {
        None => call.core.topics().iter().map(|t| describe(t, operations)).collect(),
        Some(wanted) => wanted
            .iter()
            .map(|wanted| match find(call, wanted, create) {
                Ok(topic) => describe(&topic, operations),
                Err(refusal) => MetadataResponseTopic::default()
                    .with_error_code(refusal.code())
                    // A topic asked for by its id has no name here; the older forms need one.
                    .with_name(wanted.name.clone().or_else(|| (call.version < 12).then(TopicName::default)))
                    .with_topic_id(wanted.topic_id)
                    .with_topic_authorized_operations(NOT_ASKED),
            })
            .collect(),
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(call.peer.host.clone()))
        .with_port(call.peer.port);
    let asked = (8..=10).contains(&call.version) && request.include_cluster_authorized_operations;
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_string(call.core.cluster_id.clone())))
        .with_controller_id(BrokerId(NODE))
        .with_cluster_authorized_operations(if asked { CLUSTER_OPERATIONS } else { NOT_ASKED })
        .with_topics(found)
}

fn find(call: &Call<'_>, wanted: &MetadataRequestTopic, create: bool) -> Result<Arc<Topic>, Refusal> {
    let Some(name) = wanted.name.as_ref() else {
        return call.core.topic_with_id(wanted.topic_id).ok_or_else(|| ResponseError::UnknownTopicId.into());
    };
    if let Some(topic) = call.core.topic(name) {
        return Ok(topic);
    }
    check_name(name)?;
    if !create {
        return Err(unknown_topic(name));
    }
    match call.core.create_topic(name, call.core.default_partitions, Given::new(), false) {
        // Somebody else was faster.
        Err(refusal) if refusal.error == ResponseError::TopicAlreadyExists => {
            call.core.topic(name).ok_or_else(|| unknown_topic(name))
        }
        other => other,
    }
}

fn describe(topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let partition = |index: usize| {
        MetadataResponsePartition::default()
            .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
            .with_leader_id(BrokerId(NODE))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BrokerId(NODE)])
            .with_isr_nodes(vec![BrokerId(NODE)])
    };
    MetadataResponseTopic::default()
        .with_name(Some(topic.wire_name()))
        .with_topic_id(topic.id)
        .with_partitions((0..topic.partition_count()).map(partition).collect())
        .with_topic_authorized_operations(operations)
}

/// The cluster of one.
pub(super) fn describe_cluster(call: &Call<'_>, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let response =
        DescribeClusterResponse::default().with_cluster_id(StrBytes::from_string(call.core.cluster_id.clone()));
    if call.version >= 1 && request.endpoint_type != 1 {
        let text = "only brokers can be asked for here, not controllers";
        return response
            .with_error_code(ResponseError::MismatchedEndpointType.code())
            .with_error_message(Some(StrBytes::from_static_str(text)));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(call.peer.host.clone()))
        .with_port(call.peer.port);
    let asked = request.include_cluster_authorized_operations;
    response
        .with_controller_id(BrokerId(NODE))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(if asked { CLUSTER_OPERATIONS } else { NOT_ASKED })
}

/// The coordinator of a group is the broker; transactions have none.
pub(super) fn find_coordinator(call: &Call<'_>, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let verdict = match request.key_type {
        0 => Ok(()),
        1 => Err(produce::no_transactions()),
        other => {
            let text = format!("the embedded broker has no coordinator of type {other}");
            Err(Refusal::new(ResponseError::InvalidRequest, text))
        }
    };
    let host = StrBytes::from_string(call.peer.host.clone());
    let (node, host, port) = match &verdict {
        Ok(()) => (BrokerId(NODE), host, call.peer.port),
        Err(_) => (BrokerId(-1), StrBytes::default(), -1),
    };
    let (code, text) = verdict.err().map_or((0, None), |r| (r.code(), r.text()));
    if call.version < 4 {
        let response = FindCoordinatorResponse::default().with_error_code(code).with_node_id(node);
        return response.with_error_message(text).with_host(host).with_port(port);
    }
    let one = |key: StrBytes| {
        let coordinator = Coordinator::default().with_key(key).with_node_id(node).with_host(host.clone());
        coordinator.with_port(port).with_error_code(code).with_error_message(text.clone())
    };
    FindCoordinatorResponse::default().with_coordinators(request.coordinator_keys.into_iter().map(one).collect())
}
