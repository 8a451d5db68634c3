//! Time as the platform counts it: nanoseconds since the Unix epoch, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub const NS_PER_SECOND: u64 = 1_000_000_000;

/// The longest interval between two periodic or synchro samples that the wire can say (uint32 nanoseconds).
pub const LONGEST_INTERVAL_NS: u64 = u32::MAX as u64;

/// Where "now" comes from; tests put their own.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ns(&self) -> u64 {
        now_ns()
    }
}

/// Nanoseconds since the Unix epoch by the machine's clock.
#[must_use]
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// Nanoseconds since the Unix epoch from a protobuf timestamp; `None` before 1970 or beyond 64 bits.
#[must_use]
pub fn from_proto(t: &prost_types::Timestamp) -> Option<u64> {
    let seconds = u64::try_from(t.seconds).ok()?;
    let nanos = u64::try_from(t.nanos).ok()?;
    seconds.checked_mul(NS_PER_SECOND)?.checked_add(nanos)
}

/// A protobuf timestamp from nanoseconds since the Unix epoch.
#[must_use]
pub fn to_proto(ns: u64) -> prost_types::Timestamp {
    // Both parts fit: u64::MAX / 1e9 < i64::MAX, and the remainder is below 1e9.
    prost_types::Timestamp { seconds: (ns / NS_PER_SECOND) as i64, nanos: (ns % NS_PER_SECOND) as i32 }
}

/// Signed nanoseconds from a protobuf duration, saturating.
#[must_use]
pub fn duration_from_proto(d: &prost_types::Duration) -> i64 {
    d.seconds.saturating_mul(NS_PER_SECOND as i64).saturating_add(i64::from(d.nanos))
}

/// A protobuf duration from signed nanoseconds.
#[must_use]
pub fn duration_to_proto(ns: i64) -> prost_types::Duration {
    prost_types::Duration { seconds: ns / NS_PER_SECOND as i64, nanos: (ns % NS_PER_SECOND as i64) as i32 }
}

/// The moment after this time; one that is too long to be counted is as good as never.
#[must_use]
pub fn after(timeout: Duration) -> std::time::Instant {
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = std::time::Instant::now();
    now.checked_add(timeout).unwrap_or(now + A_YEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_survive_the_round_trip_to_protobuf() {
        for ns in [0, 1, 999_999_999, 1_000_000_000, 1_763_690_000_123_456_789, u64::MAX] {
            assert_eq!(from_proto(&to_proto(ns)), Some(ns));
        }
        assert_eq!(from_proto(&prost_types::Timestamp { seconds: -1, nanos: 0 }), None);
    }

    #[test]
    fn utc_offsets_west_of_greenwich_are_negative() {
        let west = -5 * 3600 * NS_PER_SECOND as i64;
        assert_eq!(duration_from_proto(&duration_to_proto(west)), west);
    }
}
