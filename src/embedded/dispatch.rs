//! From a request's bytes to the room that answers it.

use std::io;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, RequestHeader, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::core::Core;
use super::frame::{Answer, Request};
use super::{admin, api, coordinator, fetch, list_offsets, metadata, produce, shape};

/// The number of the only broker of the cluster.
pub(super) const NODE: i32 = 1;

/// Who is asking, and where the broker is for them.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The host under which this client reaches the broker.
    pub host: String,
    /// The port under which this client reaches the broker.
    pub port: i32,
    /// Where the client connects from.
    pub client_address: String,
}

/// What follows from a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer to be sent.
    Answer(Answer),
    /// The client wants no answer.
    Silence,
    /// The connection cannot go on; why.
    Close(String),
}

/// The parts of a request that every room needs.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) peer: &'a Peer,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) client: String,
    /// Bytes of memory that keeping a part of the request keeps alive.
    pub(super) shared: usize,
}

/// Answers one request.
pub(super) async fn handle(core: &Arc<Core>, peer: &Peer, request: Request) -> io::Result<Outcome> {
    let Request { mut bytes, shared } = request;
    // Requests have at least eight bytes: kind, version, correlation.
    let (kind, version) = (i16::from_be_bytes([bytes[0], bytes[1]]), i16::from_be_bytes([bytes[2], bytes[3]]));
    let correlation = i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let Ok(key) = ApiKey::try_from(kind) else {
        return Ok(Outcome::Close(format!("request of unknown kind {kind}: not Kafka's protocol?")));
    };
    if key == ApiKey::ApiVersions && !api::answers(key, version) {
        // A newer client learns from the oldest form of the answer what it may ask.
        return Answer::encode(correlation, 0, &api::table(true)).map(Outcome::Answer);
    }
    if !api::answers(key, version) {
        return Ok(Outcome::Close(format!("{key:?} version {version} is not supported by the embedded broker")));
    }
    let header = match RequestHeader::decode(&mut bytes, key.request_header_version(version)) {
        Ok(header) => header,
        Err(e) => return Ok(Outcome::Close(format!("header of {key:?}: {e}"))),
    };
    if shape::check(key, version, &bytes).is_err() {
        return Ok(Outcome::Close(format!("{key:?} version {version} is malformed")));
    }
    let client = header.client_id.map(|id| id.to_string()).unwrap_or_default();
    let call = Call { core, peer, version, correlation, client, shared };
    match route(&call, key, &mut bytes).await {
        Ok(outcome) => Ok(outcome),
        Err(e) => Ok(Outcome::Close(format!("{key:?} version {version}: {e}"))),
    }
}

async fn route(call: &Call<'_>, key: ApiKey, body: &mut bytes::Bytes) -> io::Result<Outcome> {
    match key {
        ApiKey::Produce => produce::produce(call, decode(call, body)?),
        ApiKey::Fetch => fetch::fetch(call, decode(call, body)?).await,
        ApiKey::ApiVersions => {
            decode::<ApiVersionsRequest>(call, body)?;
            encode(call, &api::table(false))
        }
        ApiKey::SaslHandshake => encode(call, &no_sasl(call, decode(call, body)?)),
        ApiKey::Metadata => encode(call, &metadata::metadata(call, decode(call, body)?)),
        ApiKey::DescribeCluster => encode(call, &metadata::describe_cluster(call, decode(call, body)?)),
        ApiKey::FindCoordinator => encode(call, &metadata::find_coordinator(call, decode(call, body)?)),
        ApiKey::ListOffsets => {
            let request = decode(call, body)?;
            // Offsets by time look into batches, for as many partitions as the request names.
            let response = beside_others(|| list_offsets::list_offsets(call, request));
            encode(call, &response)
        }
        ApiKey::OffsetForLeaderEpoch => encode(call, &list_offsets::offset_for_leader_epoch(call, decode(call, body)?)),
        ApiKey::DeleteRecords => encode(call, &list_offsets::delete_records(call, decode(call, body)?)),
        ApiKey::InitProducerId => encode(call, &produce::init_producer_id(call, decode(call, body)?)),
        ApiKey::CreateTopics => encode(call, &admin::create_topics(call, decode(call, body)?)),
        ApiKey::DeleteTopics => encode(call, &admin::delete_topics(call, decode(call, body)?)),
        ApiKey::CreatePartitions => encode(call, &admin::create_partitions(call, decode(call, body)?)),
        ApiKey::DescribeConfigs => encode(call, &admin::describe_configs(call, decode(call, body)?)),
        ApiKey::AlterConfigs => encode(call, &admin::alter_configs(call, decode(call, body)?)),
        ApiKey::IncrementalAlterConfigs => encode(call, &admin::incremental_alter_configs(call, decode(call, body)?)),
        ApiKey::JoinGroup => {
            let response = coordinator::join(call, decode(call, body)?).await;
            encode(call, &response)
        }
        ApiKey::SyncGroup => {
            let response = coordinator::sync(call, decode(call, body)?).await;
            encode(call, &response)
        }
        ApiKey::Heartbeat => encode(call, &coordinator::heartbeat(call, decode(call, body)?)),
        ApiKey::LeaveGroup => encode(call, &coordinator::leave(call, decode(call, body)?)),
        ApiKey::OffsetCommit => encode(call, &coordinator::commit(call, decode(call, body)?)),
        ApiKey::OffsetFetch => encode(call, &coordinator::committed(call, decode(call, body)?)),
        ApiKey::OffsetDelete => encode(call, &coordinator::delete_offsets(call, decode(call, body)?)),
        ApiKey::ListGroups => encode(call, &coordinator::list(call, decode(call, body)?)),
        ApiKey::DescribeGroups => encode(call, &coordinator::describe(call, decode(call, body)?)),
        ApiKey::DeleteGroups => encode(call, &coordinator::delete(call, decode(call, body)?)),
        // The table of answered requests names no others.
        _ => Ok(Outcome::Close(format!("{key:?} is not supported by the embedded broker"))),
    }
}

/// Work that may take a while, without keeping other connections from this thread.
fn beside_others<T>(work: impl FnOnce() -> T) -> T {
    // Tests have a single thread, which cannot be left.
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn decode<R: Decodable>(call: &Call<'_>, body: &mut bytes::Bytes) -> io::Result<R> {
    R::decode(body, call.version).map_err(io::Error::other)
}

fn encode<A: Encodable + HeaderVersion>(call: &Call<'_>, response: &A) -> io::Result<Outcome> {
    Answer::encode(call.correlation, call.version, response).map(Outcome::Answer)
}

/// The broker knows no users; a client that brings one is told so instead of being left waiting.
fn no_sasl(_: &Call<'_>, _: SaslHandshakeRequest) -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}
