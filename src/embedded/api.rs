//! Which requests are answered, and in which versions: Kafka 4's table, as far as clients need it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

/// Kafka 4 offers the first versions of Produce, which it does not answer, for the sake of older clients that would not
/// believe in features otherwise; so does this broker.
const OLDEST_ANSWERED_PRODUCE: i16 = 3;

/// Request, oldest version, newest version. Everything newer for groups (KIP-848), transactions, quotas, access rights and
/// replication is missing on purpose.
const TABLE: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 0, 13),
    (ApiKey::Fetch, 4, 18),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 2),
];

/// Whether a request of this kind and version is answered.
pub(super) fn answers(key: ApiKey, version: i16) -> bool {
    let offered = TABLE.iter().any(|(k, oldest, newest)| *k == key && (*oldest..=*newest).contains(&version));
    offered && !(key == ApiKey::Produce && version < OLDEST_ANSWERED_PRODUCE)
}

/// The table as clients ask for it; `unknown_version` when they asked in a version that is not known here.
pub(super) fn table(unknown_version: bool) -> ApiVersionsResponse {
    let entry = |(key, oldest, newest): &(ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(*key as i16).with_min_version(*oldest).with_max_version(*newest)
    };
    let error = if unknown_version { ResponseError::UnsupportedVersion.code() } else { 0 };
    ApiVersionsResponse::default().with_error_code(error).with_api_keys(TABLE.iter().map(entry).collect())
}

/// The kinds and versions that are answered, one by one.
#[cfg(test)]
pub(super) fn all_answered() -> impl Iterator<Item = (ApiKey, i16)> {
    TABLE
        .iter()
        .flat_map(|(key, oldest, newest)| (*oldest..=*newest).map(|v| (*key, v)))
        .filter(|(k, v)| answers(*k, *v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_produce_requests_are_offered_but_not_answered() {
        assert!(table(false).api_keys.iter().any(|a| a.api_key == 0 && a.min_version == 0));
        assert!(!answers(ApiKey::Produce, 2));
        assert!(answers(ApiKey::Produce, 3));
    }

    #[test]
    fn newer_groups_and_transactions_are_not_offered() {
        for key in [ApiKey::ConsumerGroupHeartbeat, ApiKey::AddPartitionsToTxn, ApiKey::EndTxn, ApiKey::CreateAcls] {
            assert!((0..20).all(|version| !answers(key, version)), "{key:?}");
        }
    }

    #[test]
    fn every_version_in_the_table_can_be_read() {
        for (key, version) in all_answered() {
            let range = key.valid_versions();
            assert!((range.min..=range.max).contains(&version), "{key:?} {version}");
        }
    }
}
