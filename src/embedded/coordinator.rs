//! The requests of consumer groups, between the wire and the state machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::dispatch::Call;
use super::groups::{Join, JoinRefused, Phase};
use super::offsets::{Committed, Offsets, Place};

/// The longest words a client may leave with an offset, as in Kafka.
const LONGEST_METADATA: usize = 4096;
/// The bits of read, delete and describe.
const GROUP_OPERATIONS: i32 = 0b1_0100_1000;
const NOT_ASKED: i32 = i32::MIN;

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

fn optional(text: &Option<StrBytes>) -> Option<&str> {
    text.as_ref().map(StrBytes::as_str)
}

fn milliseconds(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn code(result: &Result<(), ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

/// Joins a group; answered when all members have.
pub(super) async fn join(call: &Call<'_>, request: JoinGroupRequest) -> JoinGroupResponse {
    let session = milliseconds(request.session_timeout_ms);
    let join = Join {
        group: request.group_id.to_string(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|i| i.to_string()),
        client: (call.client.clone(), call.peer.client_address.clone()),
        session,
        rebalance: if call.version >= 1 { milliseconds(request.rebalance_timeout_ms) } else { session },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(|p| (p.name.to_string(), p.metadata)).collect(),
        id_first: call.version >= 4,
    };
    let later = call.core.groups.lock().join(join, Instant::now());
    call.core.group_work.notify_one();
    // A lost answer means that the same member has asked again elsewhere.
    let error = ResponseError::UnknownMemberId;
    let refused = JoinRefused { error, member: request.member_id.to_string() };
    match later.await.unwrap_or(Err(refused)) {
        Ok(joined) => {
            let member = |(id, instance, metadata): (String, Option<String>, bytes::Bytes)| {
                let member = JoinGroupResponseMember::default().with_member_id(text(id)).with_metadata(metadata);
                if call.version >= 5 { member.with_group_instance_id(instance.map(text)) } else { member }
            };
            let response = JoinGroupResponse::default()
                .with_generation_id(joined.generation)
                .with_protocol_name(Some(text(joined.protocol)))
                .with_leader(text(joined.leader))
                .with_member_id(text(joined.member))
                .with_members(joined.members.into_iter().map(member).collect());
            if call.version >= 7 { response.with_protocol_type(Some(text(joined.protocol_type))) } else { response }
        }
        Err(refused) => JoinGroupResponse::default()
            .with_error_code(refused.error.code())
            .with_generation_id(-1)
            .with_protocol_name((call.version < 7).then(StrBytes::default))
            .with_member_id(text(refused.member)),
    }
}

/// Hands out the shares; answered when the leader has spoken.
pub(super) async fn sync(call: &Call<'_>, request: SyncGroupRequest) -> SyncGroupResponse {
    let shares = request.assignments.into_iter().map(|a| (a.member_id.to_string(), a.assignment)).collect();
    let later = call.core.groups.lock().sync(
        &request.group_id,
        (&request.member_id, optional(&request.group_instance_id), request.generation_id),
        (optional(&request.protocol_type), optional(&request.protocol_name)),
        shares,
        Instant::now(),
    );
    call.core.group_work.notify_one();
    match later.await.unwrap_or(Err(ResponseError::RebalanceInProgress)) {
        Ok(synced) => {
            let response = SyncGroupResponse::default().with_assignment(synced.assignment);
            if call.version < 5 {
                return response;
            }
            response
                .with_protocol_type(Some(text(synced.protocol_type)))
                .with_protocol_name(Some(text(synced.protocol)))
        }
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// A sign of life.
pub(super) fn heartbeat(call: &Call<'_>, request: HeartbeatRequest) -> HeartbeatResponse {
    let result = call.core.groups.lock().heartbeat(
        &request.group_id,
        &request.member_id,
        optional(&request.group_instance_id),
        request.generation_id,
        Instant::now(),
    );
    HeartbeatResponse::default().with_error_code(code(&result))
}

/// Members go.
pub(super) fn leave(call: &Call<'_>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let now = Instant::now();
    let mut groups = call.core.groups.lock();
    let response = if call.version < 3 {
        let result = groups.leave(&request.group_id, &request.member_id, None, now);
        LeaveGroupResponse::default().with_error_code(code(&result.map(|_| ())))
    } else {
        let one = |member: MemberIdentity| {
            let instance = optional(&member.group_instance_id);
            let result = groups.leave(&request.group_id, &member.member_id, instance, now);
            let id = result.as_ref().map_or(member.member_id.clone(), |id| text(id.clone()));
            let response = MemberResponse::default().with_member_id(id);
            response.with_group_instance_id(member.group_instance_id.clone()).with_error_code(code(&result.map(|_| ())))
        };
        LeaveGroupResponse::default().with_members(request.members.into_iter().map(one).collect())
    };
    drop(groups);
    call.core.group_work.notify_one();
    response
}

/// Commits offsets.
pub(super) fn commit(call: &Call<'_>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group = request.group_id.as_str();
    let allowed = call.core.groups.lock().check_commit(
        group,
        &request.member_id,
        optional(&request.group_instance_id),
        request.generation_id_or_member_epoch,
        Instant::now(),
    );
    let judge = |topic: &TopicName, wanted: &OffsetCommitRequestPartition| {
        allowed?;
        if call.core.partition(topic, wanted.partition_index).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let metadata = optional(&wanted.committed_metadata).unwrap_or_default();
        if metadata.len() > LONGEST_METADATA {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        let epoch = if call.version >= 6 { wanted.committed_leader_epoch } else { -1 };
        Ok(Committed { offset: wanted.committed_offset, epoch, metadata: metadata.to_owned() })
    };
    let mut commits = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let error = match judge(&topic.name, wanted) {
                Ok(committed) => {
                    commits.push(((topic.name.to_string(), wanted.partition_index), committed));
                    0
                }
                Err(error) => error.code(),
            };
            let response = OffsetCommitResponsePartition::default().with_partition_index(wanted.partition_index);
            partitions.push(response.with_error_code(error));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    let written = if commits.is_empty() { Ok(()) } else { call.core.offsets.lock().commit(group, commits) };
    if let Err(e) = written {
        log::error!("embedded broker: offsets of group '{group}' could not be written: {e}");
        let accepted = topics.iter_mut().flat_map(|t| &mut t.partitions).filter(|p| p.error_code == 0);
        accepted.for_each(|p| p.error_code = ResponseError::CoordinatorNotAvailable.code());
    }
    OffsetCommitResponse::default().with_topics(topics)
}

/// The committed offsets that were asked for (`None`: all of the group), by topic.
fn lookup(
    offsets: &Offsets,
    group: &str,
    wanted: Option<Vec<(TopicName, Vec<i32>)>>,
) -> Vec<(TopicName, Vec<(i32, Committed)>)> {
    let Some(wanted) = wanted else {
        let mut topics: BTreeMap<&String, Vec<(i32, Committed)>> = BTreeMap::new();
        for ((topic, partition), committed) in offsets.of_group(group) {
            topics.entry(topic).or_default().push((*partition, committed.clone()));
        }
        return topics.into_iter().map(|(topic, found)| (TopicName(text(topic.clone())), found)).collect();
    };
    let none = Committed { offset: -1, epoch: -1, metadata: String::new() };
    let find = |(topic, partitions): (TopicName, Vec<i32>)| {
        let name = topic.to_string();
        let one = |p: i32| (p, offsets.get(group, &(name.clone(), p)).cloned().unwrap_or_else(|| none.clone()));
        (topic, partitions.into_iter().map(one).collect())
    };
    wanted.into_iter().map(find).collect()
}

/// The committed offsets of one group or several.
pub(super) fn committed(call: &Call<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let offsets = call.core.offsets.lock();
    if call.version >= 8 {
        let groups = request.groups.into_iter().map(|group| {
            let wanted = group.topics.map(|topics| topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
            let topics = lookup(&offsets, &group.group_id, wanted).into_iter().map(|(name, partitions)| {
                let partition = |(index, found): (i32, Committed)| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(index)
                        .with_committed_offset(found.offset)
                        .with_committed_leader_epoch(found.epoch)
                        .with_metadata(Some(text(found.metadata)))
                };
                let partitions = partitions.into_iter().map(partition).collect();
                OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
            });
            let topics = topics.collect();
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let wanted = request.topics.map(|topics| topics.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
    let topics = lookup(&offsets, &request.group_id, wanted).into_iter().map(|(name, partitions)| {
        let partition = |(index, found): (i32, Committed)| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(found.offset)
                .with_committed_leader_epoch(if call.version >= 5 { found.epoch } else { -1 })
                .with_metadata(Some(text(found.metadata)))
        };
        let partitions = partitions.into_iter().map(partition).collect();
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

/// Forgets single offsets of a group that no longer reads the topic.
pub(super) fn delete_offsets(call: &Call<'_>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = request.group_id.as_str();
    let members = call.core.groups.lock().describe(group).map(|view| !view.members.is_empty());
    let mut offsets = call.core.offsets.lock();
    if members.is_none() && !offsets.has_group(group) {
        return OffsetDeleteResponse::default().with_error_code(ResponseError::GroupIdNotFound.code());
    }
    let mut places: Vec<Place> = Vec::new();
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for partition in topic.partitions {
            // Which topics the members read only they know; as long as there are any, nothing is taken from them.
            let error = if members == Some(true) { ResponseError::GroupSubscribedToTopic.code() } else { 0 };
            if error == 0 {
                places.push((topic.name.to_string(), partition.partition_index));
            }
            let response = OffsetDeleteResponsePartition::default().with_partition_index(partition.partition_index);
            partitions.push(response.with_error_code(error));
        }
        topics.push(OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    let error = match offsets.forget(group, places) {
        Ok(()) => 0,
        Err(e) => {
            log::error!("embedded broker: offsets of group '{group}' could not be deleted: {e}");
            ResponseError::CoordinatorNotAvailable.code()
        }
    };
    OffsetDeleteResponse::default().with_error_code(error).with_topics(topics)
}

/// All groups, with members or only with offsets.
pub(super) fn list(call: &Call<'_>, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut found: BTreeMap<String, (Phase, String)> = BTreeMap::new();
    for group in call.core.offsets.lock().groups() {
        found.insert(group.clone(), (Phase::Empty, String::new()));
    }
    for (name, phase, protocol_type) in call.core.groups.lock().list() {
        found.insert(name.clone(), (phase, protocol_type.to_owned()));
    }
    let asked = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let groups = found
        .into_iter()
        .filter(|(_, (phase, _))| {
            asked(&request.states_filter, phase.name()) && asked(&request.types_filter, "classic")
        })
        .map(|(name, (phase, protocol_type))| {
            let group =
                ListedGroup::default().with_group_id(GroupId(text(name))).with_protocol_type(text(protocol_type));
            let group = if call.version >= 4 { group.with_group_state(text(phase.name())) } else { group };
            if call.version >= 5 { group.with_group_type(text("classic")) } else { group }
        });
    ListGroupsResponse::default().with_groups(groups.collect())
}

/// Groups with their members.
pub(super) fn describe(call: &Call<'_>, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { NOT_ASKED };
    let one = |group: GroupId| {
        let view = call.core.groups.lock().describe(&group);
        let response = DescribedGroup::default().with_group_id(group.clone()).with_authorized_operations(operations);
        let Some(view) = view else {
            if call.core.offsets.lock().has_group(&group) {
                return response.with_group_state(text(Phase::Empty.name()));
            }
            let response = response.with_group_state(text("Dead"));
            if call.version < 6 {
                return response;
            }
            let message = format!("Group {} not found.", group.as_str());
            return response
                .with_error_code(ResponseError::GroupIdNotFound.code())
                .with_error_message(Some(text(message)));
        };
        let member = |m: super::groups::MemberView| {
            let member = DescribedGroupMember::default()
                .with_member_id(text(m.member))
                .with_client_id(text(m.client.0))
                .with_client_host(text(format!("/{}", m.client.1)))
                .with_member_metadata(m.metadata)
                .with_member_assignment(m.assignment);
            if call.version >= 4 { member.with_group_instance_id(m.instance.map(text)) } else { member }
        };
        response
            .with_group_state(text(view.phase.name()))
            .with_protocol_type(text(view.protocol_type))
            .with_protocol_data(text(view.protocol))
            .with_members(view.members.into_iter().map(member).collect())
    };
    DescribeGroupsResponse::default().with_groups(request.groups.into_iter().map(one).collect())
}

/// Deletes groups without members, with what they have committed.
pub(super) fn delete(call: &Call<'_>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let one = |group: GroupId| {
        let mut groups = call.core.groups.lock();
        let mut offsets = call.core.offsets.lock();
        let known = groups.describe(&group).is_some() || offsets.has_group(&group);
        let result = if !known {
            Err(ResponseError::GroupIdNotFound)
        } else if !groups.delete(&group) {
            Err(ResponseError::NonEmptyGroup)
        } else {
            offsets.forget_group(&group).map_err(|e| {
                log::error!("embedded broker: offsets of group '{}' could not be deleted: {e}", group.as_str());
                ResponseError::CoordinatorNotAvailable
            })
        };
        DeletableGroupResult::default().with_group_id(group).with_error_code(code(&result))
    };
    DeleteGroupsResponse::default().with_results(request.groups_names.into_iter().map(one).collect())
}
