//! Where logs begin and end, what lies at a time, and deleting what lies before an offset.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use super::batch::LEADER_EPOCH;
use super::core::unknown_topic;
use super::dispatch::Call;
use super::fetch::check_epoch;
use super::refusal::Refusal;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LATEST_BY_TIME: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// Offsets by name (earliest, latest, ...) or by time.
pub(super) fn list_offsets(call: &Call<'_>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topic = |topic: kafka_protocol::messages::list_offsets_request::ListOffsetsTopic| {
        let one = |wanted: &ListOffsetsPartition| {
            let response = ListOffsetsPartitionResponse::default().with_partition_index(wanted.partition_index);
            match offset_of(call, &topic.name, wanted) {
                Ok(Some((offset, timestamp))) => {
                    let epoch = if call.version >= 4 { LEADER_EPOCH } else { -1 };
                    response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
                }
                Ok(None) => response.with_offset(-1).with_timestamp(-1),
                Err(refusal) => response.with_error_code(refusal.code()).with_offset(-1).with_timestamp(-1),
            }
        };
        let partitions = topic.partitions.iter().map(one).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    ListOffsetsResponse::default().with_topics(request.topics.into_iter().map(topic).collect())
}

fn offset_of(call: &Call<'_>, topic: &str, wanted: &ListOffsetsPartition) -> Result<Option<(i64, i64)>, Refusal> {
    let partition = call.core.partition(topic, wanted.partition_index).ok_or_else(|| unknown_topic(topic))?;
    check_epoch(wanted.current_leader_epoch)?;
    let (start, end) = partition.bounds();
    match wanted.timestamp {
        LATEST => Ok(Some((end, -1))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some((start, -1))),
        LATEST_BY_TIME => partition.latest_by_time(),
        LATEST_TIERED => Ok(None),
        timestamp if timestamp >= 0 => partition.first_at_or_after(timestamp),
        other => Err(Refusal::new(ResponseError::UnsupportedVersion, format!("no offset is named {other}"))),
    }
}

/// Where the records of a leader's time end. There was never another leader.
pub(super) fn offset_for_leader_epoch(
    call: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let one = |topic: &str, wanted: &OffsetForLeaderPartition| {
        let response = EpochEndOffset::default().with_partition(wanted.partition);
        let found = call.core.partition(topic, wanted.partition).ok_or_else(|| unknown_topic(topic));
        match found.and_then(|p| check_epoch(wanted.current_leader_epoch).map(|()| p)) {
            Ok(partition) if wanted.leader_epoch == LEADER_EPOCH => {
                response.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.bounds().1)
            }
            Ok(_) => response.with_leader_epoch(-1).with_end_offset(-1),
            Err(refusal) => response.with_error_code(refusal.code()).with_leader_epoch(-1).with_end_offset(-1),
        }
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| one(&topic.topic, p)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

/// Deletes the records before an offset.
pub(super) fn delete_records(call: &Call<'_>, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics: Vec<DeleteRecordsTopicResult> = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let found = call.core.partition(&topic.name, wanted.partition_index);
                let result = found
                    .ok_or_else(|| unknown_topic(&topic.name))
                    .and_then(|partition| partition.delete_before(wanted.offset));
                let response = DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
                match result {
                    Ok(start) => response.with_low_watermark(start),
                    Err(refusal) => response.with_error_code(refusal.code()).with_low_watermark(-1),
                }
            });
            let partitions = partitions.collect();
            DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
        })
        .collect();
    if let Err(e) = call.core.save_starts() {
        log::error!("embedded broker: the logs' first offsets could not be saved: {e}");
    }
    DeleteRecordsResponse::default().with_topics(topics)
}
