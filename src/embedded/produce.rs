//! Produce requests, and the ids of idempotent producers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
};

use super::batch::{Fault, Header};
use super::core::now_ms;
use super::dispatch::{Call, Outcome};
use super::frame::Answer;
use super::partition::Appended;
use super::records;
use super::refusal::Refusal;
use super::topics::Topic;

const NO_TRANSACTIONS: &str =
    "the embedded broker does not support transactions; use Apache Kafka, or no transactional.id";

/// Appends the batches of a request, each on its own.
pub(super) fn produce(call: &Call<'_>, request: ProduceRequest) -> io::Result<Outcome> {
    let whole = if !matches!(request.acks, -1..=1) {
        let text = format!("acks={}; it can be 0, 1 or all", request.acks);
        Err(Refusal::new(ResponseError::InvalidRequiredAcks, text))
    } else if request.transactional_id.is_some() {
        Err(Refusal::new(ResponseError::TransactionalIdAuthorizationFailed, NO_TRANSACTIONS))
    } else {
        Ok(())
    };
    let now = now_ms();
    let mut failed = None;
    let mut allowance = records::DECOMPRESSED_TOGETHER;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for data in request.topic_data {
        let topic = whole.clone().and_then(|()| find(call, &data.name, data.topic_id));
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for partition in data.partition_data {
            let index = partition.index;
            let result = topic.clone().and_then(|topic| append(call, &topic, partition, now, &mut allowance));
            partitions.push(respond(index, &result));
            failed = failed.or(result.err());
        }
        let response = TopicProduceResponse::default().with_name(data.name).with_topic_id(data.topic_id);
        responses.push(response.with_partition_responses(partitions));
    }
    if request.acks == 0 {
        // The client waits for no answer: closing the connection is the only way to tell it.
        return Ok(failed.map_or(Outcome::Silence, |refusal| Outcome::Close(format!("acks=0: {}", refusal.message))));
    }
    let response = ProduceResponse::default().with_responses(responses);
    Answer::encode(call.correlation, call.version, &response).map(Outcome::Answer)
}

fn find(call: &Call<'_>, name: &str, id: uuid::Uuid) -> Result<Arc<Topic>, Refusal> {
    if call.version >= 13 {
        return call.core.topic_with_id(id).ok_or_else(|| ResponseError::UnknownTopicId.into());
    }
    call.core.topic(name).ok_or_else(|| super::core::unknown_topic(name))
}

fn append(
    call: &Call<'_>,
    topic: &Topic,
    data: PartitionProduceData,
    now_ms: i64,
    allowance: &mut u64,
) -> Result<Appended, Refusal> {
    let partition = topic.partition(data.index).ok_or_else(|| {
        let text = format!("topic '{}' has no partition {}", topic.name, data.index);
        Refusal::new(ResponseError::UnknownTopicOrPartition, text)
    })?;
    let batch = data.records.unwrap_or_default();
    let header = check(&batch, topic.rules().max_message_bytes, &topic.name)?;
    if let Err(fault) = records::check(&batch, &header, allowance) {
        return Err(Refusal::new(ResponseError::InvalidRecord, fault));
    }
    partition.append(&header, &batch, call.shared, now_ms)
}

/// Whether these bytes are one whole batch that may be stored.
fn check(batch: &Bytes, limit: usize, topic: &str) -> Result<Header, Refusal> {
    let refuse = |error, text: String| Err(Refusal::new(error, text));
    let header = match Header::parse(batch) {
        Ok(header) => header,
        Err(fault @ Fault::Magic(_)) => return refuse(ResponseError::InvalidRecord, fault.to_string()),
        Err(fault) => return refuse(ResponseError::CorruptMessage, fault.to_string()),
    };
    if header.length > limit {
        let text = format!(
            "a batch of {} bytes exceeds {limit} bytes, the max.message.bytes of topic '{topic}'",
            header.length
        );
        return refuse(ResponseError::MessageTooLarge, text);
    }
    if let Err(fault) = header.verify(batch) {
        return refuse(ResponseError::CorruptMessage, fault.to_string());
    }
    if batch.len() != header.length {
        let text = "a partition of a produce request holds exactly one batch".to_owned();
        return refuse(ResponseError::InvalidRecord, text);
    }
    if header.is_transactional() || header.is_control() {
        return refuse(ResponseError::InvalidTxnState, NO_TRANSACTIONS.to_owned());
    }
    if header.count <= 0 || header.last_offset_delta != header.count - 1 {
        let text = format!("{} records with a last offset of {}", header.count, header.last_offset_delta);
        return refuse(ResponseError::InvalidRecord, text);
    }
    if header.compression() > 4 || header.is_append_time() {
        let text = format!("attributes {:#06x} are not for a producer to send", header.attributes);
        return refuse(ResponseError::InvalidRecord, text);
    }
    Ok(header)
}

fn respond(index: i32, result: &Result<Appended, Refusal>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index).with_log_append_time_ms(-1);
    match result {
        Ok(at) => response.with_base_offset(at.base_offset).with_log_start_offset(at.log_start),
        Err(refusal) => {
            let response = response.with_error_code(refusal.code()).with_error_message(refusal.text());
            response.with_base_offset(-1).with_log_start_offset(-1)
        }
    }
}

/// Gives an idempotent producer its id.
pub(super) fn init_producer_id(call: &Call<'_>, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let id = if request.transactional_id.is_some() {
        log::warn!("embedded broker: client '{}': {NO_TRANSACTIONS}", call.client);
        Err(Refusal::new(ResponseError::TransactionalIdAuthorizationFailed, NO_TRANSACTIONS))
    } else {
        call.core.next_producer_id()
    };
    match id {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(refusal) => InitProducerIdResponse::default()
            .with_error_code(refusal.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}

/// The sentence for whoever asks for the coordinator of a transaction.
pub(super) fn no_transactions() -> Refusal {
    Refusal::new(ResponseError::TransactionalIdAuthorizationFailed, NO_TRANSACTIONS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::batch::tests::{batch, wrap};
    use super::*;

    fn refused(bytes: Vec<u8>) -> ResponseError {
        check(&Bytes::from(bytes), 1_000, "t").unwrap_err().error
    }

    #[test]
    fn one_whole_batch_within_the_limit_is_taken() {
        assert!(check(&Bytes::from(batch(&[1, 2], b"x", None)), 1_000, "t").is_ok());
        let exactly = batch(&[1], &[0; 500], None);
        let limit = exactly.len();
        assert!(check(&Bytes::from(exactly.clone()), limit, "t").is_ok());
        let over = check(&Bytes::from(exactly), limit - 1, "t").unwrap_err();
        assert_eq!(over.error, ResponseError::MessageTooLarge);
        assert!(over.message.contains(&limit.to_string()) && over.message.contains(&(limit - 1).to_string()));
    }

    #[test]
    fn everything_else_is_refused_with_kafkas_error() {
        let good = batch(&[1, 2], b"x", None);
        assert_eq!(refused(Vec::new()), ResponseError::CorruptMessage);
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(refused(flipped), ResponseError::CorruptMessage);
        let mut old = good.clone();
        old[16] = 0;
        assert_eq!(refused(old), ResponseError::InvalidRecord);
        assert_eq!(refused([good.clone(), good].concat()), ResponseError::InvalidRecord);
        assert_eq!(refused(wrap(&[1], 1 << 4, b"x", None)), ResponseError::InvalidTxnState);
        assert_eq!(refused(wrap(&[1], 1 << 5, b"x", None)), ResponseError::InvalidTxnState);
        assert_eq!(refused(wrap(&[1], 5, b"x", None)), ResponseError::InvalidRecord);
        assert_eq!(refused(wrap(&[1], 8, b"x", None)), ResponseError::InvalidRecord);
    }
}
