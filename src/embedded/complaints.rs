//! Lines about clients that misbehave: a few at a time, and how many more there were, so that nobody fills the log.

use std::fmt;
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// Lines within one period.
const MOST_LINES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Period {
    begun: Instant,
    said: u32,
    left_out: u64,
}

/// Warns of clients, with bounds.
#[derive(Debug)]
pub(super) struct Complaints(Mutex<Period>);

impl Default for Complaints {
    fn default() -> Self {
        Self(Mutex::new(Period { begun: Instant::now(), said: 0, left_out: 0 }))
    }
}

impl Complaints {
    /// Says a line, or counts it when there were many lately.
    pub(super) fn say(&self, line: impl fmt::Display) {
        let (says, left_out) = self.decide(Instant::now());
        if left_out > 0 {
            log::warn!("embedded broker: {left_out} more lines about clients were left out");
        }
        if says {
            log::warn!("embedded broker: {line}");
        }
    }

    /// Whether a line is said now, and how many were left out before it.
    fn decide(&self, now: Instant) -> (bool, u64) {
        let mut period = self.0.lock();
        let mut left_out = 0;
        if now.saturating_duration_since(period.begun) >= PERIOD {
            left_out = period.left_out;
            *period = Period { begun: now, said: 0, left_out: 0 };
        }
        let says = period.said < MOST_LINES;
        if says {
            period.said += 1;
        } else {
            period.left_out += 1;
        }
        (says, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_misbehaving_clients_are_a_few_lines_and_a_count() {
        let complaints = Complaints::default();
        let begun = Instant::now();
        let said = (0..1000).filter(|_| complaints.decide(begun).0).count();
        assert_eq!(said, MOST_LINES as usize);
        assert_eq!(complaints.decide(begun + PERIOD), (true, 1000 - u64::from(MOST_LINES)));
        assert_eq!(complaints.decide(begun + PERIOD), (true, 0));
    }
}
