//! Walks a request before it is decoded and refuses counts that cannot be true.
//!
//! The codec reserves memory for as many elements as a request claims to have. A few hostile bytes could claim billions, and
//! a reservation that fails ends the process. Here every count is held against the bytes that are left and against a bound.

use kafka_protocol::messages::ApiKey;

/// Elements that the arrays of one request may have together.
const MOST_ELEMENTS: usize = 250_000;
/// Tagged fields in one place; nobody sends more than a few.
const MOST_TAGS: usize = 64;

/// The request is not what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

type Step<T = ()> = Result<T, Malformed>;

struct Walk<'a> {
    left: &'a [u8],
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn skip(&mut self, bytes: usize) -> Step {
        self.left = self.left.get(bytes..).ok_or(Malformed)?;
        Ok(())
    }

    fn fixed<const N: usize>(&mut self) -> Step<[u8; N]> {
        let (first, rest) = self.left.split_first_chunk::<N>().ok_or(Malformed)?;
        self.left = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Step<usize> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed::<1>()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // The codec would drop what is beyond 32 bits, and so read another number.
                return u32::try_from(value).map(|value| value as usize).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }

    /// A length or count; nothing for null.
    fn length(&mut self, short: bool) -> Step<Option<usize>> {
        if self.flexible {
            return Ok(self.varint()?.checked_sub(1));
        }
        let length =
            if short { i32::from(i16::from_be_bytes(self.fixed()?)) } else { i32::from_be_bytes(self.fixed()?) };
        if length < -1 { Err(Malformed) } else { Ok(usize::try_from(length).ok()) }
    }

    fn string(&mut self) -> Step {
        let length = self.length(true)?.unwrap_or(0);
        self.skip(length)
    }

    fn bytes(&mut self) -> Step {
        let length = self.length(false)?.unwrap_or(0);
        self.skip(length)
    }

    fn tags(&mut self) -> Step {
        self.tags_and(|_, _| Ok(false))
    }

    /// Tagged fields, some of them known to the codec: it goes on where such a field ends, not where the field says that it
    /// does, so both must be the same. `known` walks over the content of those, and says whether it was one.
    fn tags_and(&mut self, known: impl Fn(&mut Walk<'_>, usize) -> Step<bool>) -> Step {
        if !self.flexible {
            return Ok(());
        }
        let count = self.varint()?;
        if count > MOST_TAGS {
            return Err(Malformed);
        }
        for _ in 0..count {
            let tag = self.varint()?;
            let size = self.varint()?;
            let content = self.left.get(..size).ok_or(Malformed)?;
            let mut field = Walk { left: content, flexible: true, elements: 0 };
            if known(&mut field, tag)? && !field.left.is_empty() {
                return Err(Malformed);
            }
            self.skip(size)?;
        }
        Ok(())
    }

    /// An array of plain values of `size` bytes.
    fn plain_array(&mut self, size: usize) -> Step {
        let count = self.count()?;
        self.skip(count.checked_mul(size).ok_or(Malformed)?)
    }

    fn strings(&mut self) -> Step {
        for _ in 0..self.count()? {
            self.string()?;
        }
        Ok(())
    }

    /// An array of structures, each with its tagged fields at the end.
    fn array(&mut self, each: impl FnMut(&mut Self) -> Step) -> Step {
        self.array_and(each, |_, _| Ok(false))
    }

    /// The same with tagged fields that the codec knows; see [`Walk::tags_and`].
    fn array_and(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Step,
        known: impl Fn(&mut Walk<'_>, usize) -> Step<bool>,
    ) -> Step {
        for _ in 0..self.count()? {
            each(self)?;
            self.tags_and(&known)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Step<usize> {
        let count = self.length(false)?.unwrap_or(0);
        self.elements = self.elements.saturating_add(count);
        if count > self.left.len() || self.elements > MOST_ELEMENTS { Err(Malformed) } else { Ok(count) }
    }

    fn when(&mut self, condition: bool, bytes: usize) -> Step {
        if condition { self.skip(bytes) } else { Ok(()) }
    }
}

/// Whether the body of a request can be decoded without believing a false count.
pub(super) fn check(key: ApiKey, version: i16, body: &[u8]) -> Result<(), Malformed> {
    let v = version;
    // Header version 2 (1 for the oldest) goes with flexible bodies.
    let flexible = key.request_header_version(v) >= 2;
    let mut w = Walk { left: body, flexible, elements: 0 };
    match key {
        ApiKey::Produce => {
            w.string()?;
            w.skip(6)?;
            w.array(|w| {
                topic(w, v >= 13)?;
                w.array(|w| {
                    w.skip(4)?;
                    w.bytes()
                })
            })?;
        }
        ApiKey::Fetch => {
            w.when(v <= 14, 4)?;
            w.skip(13)?;
            w.when(v >= 7, 8)?;
            let partition = 4 + 4 * usize::from(v >= 9) + 8 + 4 * usize::from(v >= 12) + 8 * usize::from(v >= 5) + 4;
            w.array(|w| {
                topic(w, v >= 13)?;
                w.array_and(
                    |w| w.skip(partition),
                    |w, tag| match tag {
                        // The directory of the replica that asks, and how far that one has come.
                        0 => w.skip(16).map(|()| true),
                        1 => w.skip(8).map(|()| true),
                        _ => Ok(false),
                    },
                )
            })?;
            if v >= 7 {
                w.array(|w| {
                    topic(w, v >= 13)?;
                    w.plain_array(4)
                })?;
            }
            if v >= 11 {
                w.string()?;
            }
            return w.tags_and(|w, tag| match tag {
                // The cluster, and the replica that asks.
                0 => w.string().map(|()| true),
                1 => {
                    w.skip(12)?;
                    w.tags().map(|()| true)
                }
                _ => Ok(false),
            });
        }
        ApiKey::ListOffsets => {
            w.skip(4)?;
            w.when(v >= 2, 1)?;
            named(&mut w, 12 + 4 * usize::from(v >= 4))?;
            w.when(v >= 10, 4)?;
        }
        ApiKey::Metadata => {
            w.array_or_strings(v >= 9, |w| {
                w.when(v >= 10, 16)?;
                w.string()
            })?;
            w.when(v >= 4, 1)?;
            w.when((8..=10).contains(&v), 1)?;
            w.when(v >= 8, 1)?;
        }
        ApiKey::OffsetCommit => {
            w.string()?;
            w.skip(4)?;
            w.string()?;
            if v >= 7 {
                w.string()?;
            }
            w.when(v <= 4, 8)?;
            w.array(|w| {
                w.string()?;
                w.array(|w| {
                    w.skip(12 + 4 * usize::from(v >= 6))?;
                    w.string()
                })
            })?;
        }
        ApiKey::OffsetFetch => {
            let topics = |w: &mut Walk<'_>| {
                w.array(|w| {
                    w.string()?;
                    w.plain_array(4)
                })
            };
            if v <= 7 {
                w.string()?;
                topics(&mut w)?;
            } else {
                w.array(|w| {
                    w.string()?;
                    if v >= 9 {
                        w.string()?;
                        w.skip(4)?;
                    }
                    topics(w)
                })?;
            }
            w.when(v >= 7, 1)?;
        }
        ApiKey::FindCoordinator => {
            if v <= 3 {
                w.string()?;
            }
            w.when(v >= 1, 1)?;
            if v >= 4 {
                w.strings()?;
            }
        }
        ApiKey::JoinGroup => {
            w.string()?;
            w.skip(4 + 4 * usize::from(v >= 1))?;
            w.string()?;
            if v >= 5 {
                w.string()?;
            }
            w.string()?;
            w.array(|w| {
                w.string()?;
                w.bytes()
            })?;
            if v >= 8 {
                w.string()?;
            }
        }
        ApiKey::Heartbeat => {
            w.string()?;
            w.skip(4)?;
            w.string()?;
            if v >= 3 {
                w.string()?;
            }
        }
        ApiKey::LeaveGroup => {
            w.string()?;
            if v <= 2 {
                w.string()?;
            } else {
                w.array(|w| {
                    w.string()?;
                    w.string()?;
                    if v >= 5 { w.string() } else { Ok(()) }
                })?;
            }
        }
        ApiKey::SyncGroup => {
            w.string()?;
            w.skip(4)?;
            w.string()?;
            if v >= 3 {
                w.string()?;
            }
            if v >= 5 {
                w.string()?;
                w.string()?;
            }
            w.array(|w| {
                w.string()?;
                w.bytes()
            })?;
        }
        ApiKey::DescribeGroups => {
            w.strings()?;
            w.when(v >= 3, 1)?;
        }
        ApiKey::ListGroups => {
            if v >= 4 {
                w.strings()?;
            }
            if v >= 5 {
                w.strings()?;
            }
        }
        ApiKey::SaslHandshake => w.string()?,
        ApiKey::ApiVersions if v >= 3 => {
            w.string()?;
            w.string()?;
        }
        ApiKey::CreateTopics => {
            w.array(|w| {
                w.string()?;
                w.skip(6)?;
                w.array(|w| {
                    w.skip(4)?;
                    w.plain_array(4)
                })?;
                w.array(|w| {
                    w.string()?;
                    w.string()
                })
            })?;
            w.skip(5)?;
        }
        ApiKey::DeleteTopics => {
            w.array_or_strings(v >= 6, |w| {
                w.string()?;
                w.skip(16)
            })?;
            w.skip(4)?;
        }
        ApiKey::DeleteRecords => {
            named(&mut w, 12)?;
            w.skip(4)?;
        }
        ApiKey::InitProducerId => {
            w.string()?;
            w.skip(4 + 10 * usize::from(v >= 3))?;
        }
        ApiKey::OffsetForLeaderEpoch => {
            w.when(v >= 3, 4)?;
            named(&mut w, 12)?;
        }
        ApiKey::DescribeConfigs => {
            w.array(|w| {
                w.skip(1)?;
                w.string()?;
                w.strings()
            })?;
            w.skip(1 + usize::from(v >= 3))?;
        }
        ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => {
            let operation = usize::from(key == ApiKey::IncrementalAlterConfigs);
            w.array(|w| {
                w.skip(1)?;
                w.string()?;
                w.array(|w| {
                    w.string()?;
                    w.skip(operation)?;
                    w.string()
                })
            })?;
            w.skip(1)?;
        }
        ApiKey::CreatePartitions => {
            w.array(|w| {
                w.string()?;
                w.skip(4)?;
                w.array(|w| w.plain_array(4))
            })?;
            w.skip(5)?;
        }
        ApiKey::DeleteGroups => w.strings()?,
        ApiKey::OffsetDelete => {
            w.string()?;
            named(&mut w, 4)?;
        }
        ApiKey::DescribeCluster => w.skip(1 + usize::from(v >= 1) + usize::from(v >= 2))?,
        _ => {}
    }
    w.tags()
}

impl Walk<'_> {
    /// What began as a list of names and became a list of structures.
    fn array_or_strings(&mut self, structures: bool, each: impl FnMut(&mut Self) -> Step) -> Step {
        if structures { self.array(each) } else { self.strings() }
    }
}

fn topic(w: &mut Walk<'_>, by_id: bool) -> Step {
    if by_id { w.skip(16) } else { w.string() }
}

/// Topics by name, each with partitions of `size` bytes.
fn named(w: &mut Walk<'_>, size: usize) -> Step {
    w.array(|w| {
        w.string()?;
        w.array(|w| w.skip(size))
    })
}
