//! Fetch requests: whole batches from many partitions, waiting for new ones if there are too few.
//!
//! The codec writes the frame of the answer; the batches go to the socket from the log as they are, without being copied
//! into it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use kafka_protocol::protocol::Encodable;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::batch::LEADER_EPOCH;
use super::dispatch::{Call, Outcome};
use super::frame::{self, Answer};
use super::partition::{Partition, Read};
use super::refusal::Refusal;

/// The most bytes of one answer, whatever the client would take: it bounds what slow clients can hold of the memory.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The longest wait for new records.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

static TURN: AtomicUsize = AtomicUsize::new(0);

struct Wanted<'a> {
    topic: usize,
    request: &'a FetchPartition,
    partition: Result<Arc<Partition>, Refusal>,
}

/// Reads, and waits for more if the client wants to.
pub(super) async fn fetch(call: &Call<'_>, request: FetchRequest) -> io::Result<Outcome> {
    if request.session_id != 0 {
        // Sessions are declined by the id 0, so nobody can have one.
        let response = FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code());
        return Answer::encode(call.correlation, call.version, &response).map(Outcome::Answer);
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or(0).min(MOST_BYTES);
    let most = usize::try_from(request.max_bytes).unwrap_or(0).min(MOST_BYTES);
    let wanted = find(call, &request);
    let notify = Arc::new(Notify::new());
    loop {
        // Waiting is arranged before reading, so that nothing can come in between unnoticed.
        if enough > 0 && !wait.is_zero() {
            for partition in wanted.iter().filter_map(|w| w.partition.as_ref().ok()) {
                partition.tell(&notify);
            }
        }
        let results = read(&wanted, most);
        let bytes: usize = results.iter().flatten().map(Read::bytes).sum();
        let failed = results.iter().any(Result::is_err);
        let over = wanted.is_empty() && wait.is_zero();
        if bytes >= enough || failed || over || timeout_at(deadline, notify.notified()).await.is_err() {
            return answer(call, &request, &wanted, results).map(Outcome::Answer);
        }
    }
}

fn find<'a>(call: &Call<'_>, request: &'a FetchRequest) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    for (at, topic) in request.topics.iter().enumerate() {
        let (found, unknown) = if call.version >= 13 {
            (call.core.topic_with_id(topic.topic_id), ResponseError::UnknownTopicId)
        } else {
            (call.core.topic(&topic.topic), ResponseError::UnknownTopicOrPartition)
        };
        for request in &topic.partitions {
            let partition = match &found {
                None => Err(unknown.into()),
                Some(topic) => {
                    let partition = topic.partition(request.partition);
                    partition.ok_or_else(|| ResponseError::UnknownTopicOrPartition.into())
                }
            };
            let partition = partition.and_then(|p| check_epoch(request.current_leader_epoch).map(|()| p));
            wanted.push(Wanted { topic: at, request, partition });
        }
    }
    wanted
}

/// What a client believes about the leader must not be newer than the truth.
pub(super) fn check_epoch(current_leader_epoch: i32) -> Result<(), Refusal> {
    if current_leader_epoch > LEADER_EPOCH { Err(ResponseError::UnknownLeaderEpoch.into()) } else { Ok(()) }
}

/// Every partition in its place, read beginning with another one each time: a client that always names the busiest first
/// still gets the others.
fn read(wanted: &[Wanted<'_>], most: usize) -> Vec<Result<Read, Refusal>> {
    let nothing = || Err(ResponseError::UnknownServerError.into());
    let mut results: Vec<Result<Read, Refusal>> = wanted.iter().map(|_| nothing()).collect();
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let mut left = most;
    let mut first = true;
    for step in 0..wanted.len() {
        let at = (turn + step) % wanted.len();
        let Wanted { request, partition, .. } = &wanted[at];
        let limit = usize::try_from(request.partition_max_bytes).unwrap_or(0).min(left);
        results[at] = partition.clone().and_then(|p| p.read(request.fetch_offset, limit, first));
        if let Ok(read) = &results[at] {
            first &= read.pieces.is_empty();
            left = left.saturating_sub(read.bytes());
        }
    }
    results
}

fn answer(
    call: &Call<'_>,
    request: &FetchRequest,
    wanted: &[Wanted<'_>],
    results: Vec<Result<Read, Refusal>>,
) -> io::Result<Answer> {
    let flexible = call.version >= 12;
    let mut pieces = Vec::new();
    let mut bytes = BytesMut::with_capacity(128 + 64 * wanted.len());
    frame::header::<FetchResponse>(&mut bytes, call.correlation, call.version)?;
    open(&mut bytes, &FetchResponse::default(), call.version, flexible)?;
    put_length(&mut bytes, request.topics.len(), flexible)?;
    let mut rest = wanted.iter().zip(results).peekable();
    for (at, topic) in request.topics.iter().enumerate() {
        let head = FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_topic_id(topic.topic_id);
        open(&mut bytes, &head, call.version, flexible)?;
        put_length(&mut bytes, topic.partitions.len(), flexible)?;
        while let Some((wanted, result)) = rest.next_if(|(w, _)| w.topic == at) {
            let (data, batches) = describe(wanted.request, result);
            open(&mut bytes, &data, call.version, flexible)?;
            put_length(&mut bytes, batches.iter().map(Bytes::len).sum(), flexible)?;
            if !batches.is_empty() {
                pieces.push(bytes.split().freeze());
                pieces.extend(batches);
            }
            close(&mut bytes, flexible);
        }
        close(&mut bytes, flexible);
    }
    close(&mut bytes, flexible);
    pieces.push(bytes.freeze());
    Ok(Answer { pieces })
}

fn describe(request: &FetchPartition, result: Result<Read, Refusal>) -> (PartitionData, Vec<Bytes>) {
    let data = PartitionData::default().with_partition_index(request.partition).with_records(Some(Bytes::new()));
    match result {
        Ok(read) => {
            let data = data.with_high_watermark(read.end).with_last_stable_offset(read.end);
            (data.with_log_start_offset(read.start), read.pieces)
        }
        Err(refusal) => {
            let data = data.with_error_code(refusal.code()).with_high_watermark(-1).with_last_stable_offset(-1);
            (data.with_log_start_offset(-1), Vec::new())
        }
    }
}

/// Writes a structure of the codec up to its last field, which is empty in `message`: an array or bytes, whose length and
/// content follow.
fn open(bytes: &mut BytesMut, message: &impl Encodable, version: i16, flexible: bool) -> io::Result<()> {
    message.encode(bytes, version).map_err(io::Error::other)?;
    // Compact: the length 0 and the number of tagged fields; otherwise a length of four bytes.
    let end: &[u8] = if flexible { &[1, 0] } else { &[0; 4] };
    if !bytes.ends_with(end) {
        return Err(io::Error::other("the codec wrote an unexpected end"));
    }
    bytes.truncate(bytes.len() - end.len());
    Ok(())
}

fn put_length(bytes: &mut BytesMut, length: usize, flexible: bool) -> io::Result<()> {
    let length = u32::try_from(length).map_err(io::Error::other)?;
    if !flexible {
        bytes.put_u32(length);
        return Ok(());
    }
    let mut left = length + 1;
    while left >= 0x80 {
        bytes.put_u8(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.put_u8(left as u8);
    Ok(())
}

/// Ends a structure: no tagged fields.
fn close(bytes: &mut BytesMut, flexible: bool) {
    if flexible {
        bytes.put_u8(0);
    }
}
