//! Sequence numbers of idempotent producers, per partition: duplicates are recognised, gaps are refused.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use super::batch::Header;
use super::refusal::Refusal;

/// Batches a producer may have in flight, and so the number that can come twice.
const REMEMBERED: usize = 5;
/// Milliseconds after which a silent producer is forgotten, as in Kafka.
const FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, Copy)]
struct Accepted {
    first: i32,
    last: i32,
    base_offset: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Accepted>,
    last_seen_ms: i64,
}

/// What the log has to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It continues the producer's sequence, or comes from a producer without sequences.
    Append,
    /// It is already in the log, at this offset.
    Duplicate(i64),
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(super) struct Producers {
    known: HashMap<i64, Producer>,
}

impl Producers {
    /// Judges a batch by its producer, epoch and sequence.
    pub(super) fn check(&self, header: &Header) -> Result<Verdict, Refusal> {
        if header.producer_id < 0 {
            return Ok(Verdict::Append);
        }
        let (id, epoch, first) = (header.producer_id, header.producer_epoch, header.base_sequence);
        if first < 0 || epoch < 0 {
            let text = format!("producer {id} sent epoch {epoch} and sequence {first}; neither may be negative");
            return Err(Refusal::new(ResponseError::InvalidRecord, text));
        }
        // As in Kafka: a producer that is not known here (its records were deleted, or it was silent for a day) may go on.
        let Some(producer) = self.known.get(&id) else { return Ok(Verdict::Append) };
        if epoch < producer.epoch {
            let text = format!("producer {id} has epoch {}, the batch has the older epoch {epoch}", producer.epoch);
            return Err(Refusal::new(ResponseError::InvalidProducerEpoch, text));
        }
        if epoch > producer.epoch {
            if first == 0 {
                return Ok(Verdict::Append);
            }
            let text = format!("producer {id} began epoch {epoch} with sequence {first}; it has to begin with 0");
            return Err(Refusal::new(ResponseError::OutOfOrderSequenceNumber, text));
        }
        if let Some(seen) = producer.batches.iter().find(|b| b.first == first && b.last == header.last_sequence()) {
            return Ok(Verdict::Duplicate(seen.base_offset));
        }
        let Some(latest) = producer.batches.back() else { return Ok(Verdict::Append) };
        let expected = if latest.last == i32::MAX { 0 } else { latest.last + 1 };
        if first == expected {
            return Ok(Verdict::Append);
        }
        let text = format!("producer {id} epoch {epoch} sent sequence {first}; {expected} comes next");
        Err(Refusal::new(ResponseError::OutOfOrderSequenceNumber, text))
    }

    /// Takes note of a batch that is in the log now.
    pub(super) fn appended(&mut self, header: &Header, base_offset: i64, now_ms: i64) {
        if header.producer_id < 0 {
            return;
        }
        let fresh = || Producer { epoch: header.producer_epoch, batches: VecDeque::new(), last_seen_ms: now_ms };
        let producer = self.known.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            *producer = fresh();
        }
        producer.last_seen_ms = now_ms;
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Accepted { first: header.base_sequence, last: header.last_sequence(), base_offset });
    }

    /// Forgets producers that have been silent for a day.
    pub(super) fn expire(&mut self, now_ms: i64) {
        self.known.retain(|_, p| now_ms.saturating_sub(p.last_seen_ms) < FORGET_AFTER_MS);
    }

    /// The largest producer id seen, so that none is handed out twice. Ids that this broker would never reach are not its
    /// own, and must not use up the others.
    pub(super) fn largest_id(&self) -> Option<i64> {
        self.known.keys().copied().filter(|id| *id < i64::MAX / 2).max()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::batch::tests::batch;
    use super::*;

    fn header(epoch: i16, sequence: i32, count: usize) -> Header {
        Header::parse(&batch(&vec![1; count], b"", Some((7, epoch, sequence)))).unwrap()
    }

    fn with(batches: &[(i16, i32, usize)]) -> Producers {
        let mut producers = Producers::default();
        let mut offset = 0;
        for (epoch, sequence, count) in batches {
            let header = header(*epoch, *sequence, *count);
            assert_eq!(producers.check(&header), Ok(Verdict::Append));
            producers.appended(&header, offset, 0);
            offset += *count as i64;
        }
        producers
    }

    #[test]
    fn any_of_the_last_five_batches_sent_again_is_answered_with_its_first_offset() {
        let producers = with(&[(0, 0, 10), (0, 10, 1), (0, 11, 1), (0, 12, 1), (0, 13, 1), (0, 14, 2)]);
        assert_eq!(producers.check(&header(0, 10, 1)), Ok(Verdict::Duplicate(10)));
        assert_eq!(producers.check(&header(0, 14, 2)), Ok(Verdict::Duplicate(14)));
        let forgotten = producers.check(&header(0, 0, 10)).unwrap_err();
        assert_eq!(forgotten.error, ResponseError::OutOfOrderSequenceNumber);
    }

    #[test]
    fn a_gap_in_the_sequence_is_refused_and_the_next_in_line_is_not() {
        let producers = with(&[(0, 0, 3)]);
        let refusal = producers.check(&header(0, 4, 1)).unwrap_err();
        assert_eq!(refusal.error, ResponseError::OutOfOrderSequenceNumber);
        assert!(refusal.message.contains("3 comes next"), "{}", refusal.message);
        assert_eq!(producers.check(&header(0, 3, 1)), Ok(Verdict::Append));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_shuts_the_old_one_out() {
        let mut producers = with(&[(0, 0, 3)]);
        assert_eq!(producers.check(&header(1, 3, 1)).unwrap_err().error, ResponseError::OutOfOrderSequenceNumber);
        let begin = header(1, 0, 1);
        assert_eq!(producers.check(&begin), Ok(Verdict::Append));
        producers.appended(&begin, 3, 0);
        assert_eq!(producers.check(&header(0, 3, 1)).unwrap_err().error, ResponseError::InvalidProducerEpoch);
    }

    #[test]
    fn sequences_continue_at_zero_after_the_largest_number() {
        let producers = with(&[(0, i32::MAX, 1)]);
        assert_eq!(producers.check(&header(0, 0, 1)), Ok(Verdict::Append));
    }

    #[test]
    fn a_silent_producer_is_forgotten_after_a_day() {
        let mut producers = with(&[(0, 0, 1)]);
        producers.expire(FORGET_AFTER_MS - 1);
        assert_eq!(producers.largest_id(), Some(7));
        producers.expire(FORGET_AFTER_MS);
        assert_eq!(producers.largest_id(), None);
    }
}
