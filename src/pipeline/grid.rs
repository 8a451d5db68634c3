//! Grids of time: boundaries counted from the Unix epoch, exact for ever.

use crate::error::{Error, Result};

const LOWEST_HZ: f64 = 1e-6;
const HIGHEST_HZ: f64 = 1e9;

/// Intervals of even length since the Unix epoch: boundary k lies at `floor(k * length)` ns.
///
/// The length is a fraction of whole numbers, so nothing drifts: where it is no whole number of ns, neighbouring
/// intervals differ by one (60 Hz: 0, 16 666 666, 33 333 333, 50 000 000 …).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Length of an interval in ns: `numerator / denominator`, in lowest terms.
    numerator: u64,
    denominator: u64,
}

impl Grid {
    /// A grid of so many intervals a second, rounded to whole micro-hertz.
    ///
    /// # Errors
    ///
    /// The rate is not within one micro-hertz and one gigahertz.
    pub fn from_rate(hertz: f64) -> Result<Self> {
        if !(LOWEST_HZ..=HIGHEST_HZ).contains(&hertz) {
            return Err(Error::Invalid(format!("a rate must be within 1e-6 and 1e9 Hz, not {hertz}")));
        }
        // Ties to even, and in range: at most 10^15.
        Self::from_micro_hertz((hertz * 1e6).round_ties_even() as u64)
    }

    /// A grid of so many intervals in a million seconds.
    ///
    /// # Errors
    ///
    /// The rate is 0 or above one gigahertz.
    pub fn from_micro_hertz(micro_hertz: u64) -> Result<Self> {
        const NS_PER_MEGASECOND: u64 = 1_000_000_000_000_000;
        if !(1..=NS_PER_MEGASECOND).contains(&micro_hertz) {
            return Err(Error::Invalid(format!("a rate must be within 1 and 10^15 micro-hertz, not {micro_hertz}")));
        }
        let common = greatest_common(NS_PER_MEGASECOND, micro_hertz);
        Ok(Self { numerator: NS_PER_MEGASECOND / common, denominator: micro_hertz / common })
    }

    /// A grid of intervals of so many ns.
    ///
    /// # Errors
    ///
    /// The period is 0.
    pub fn from_period(period_ns: u64) -> Result<Self> {
        if period_ns == 0 {
            return Err(Error::Invalid("a period must be at least 1 ns".into()));
        }
        Ok(Self { numerator: period_ns, denominator: 1 })
    }

    /// Intervals a second.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        1e9 * self.denominator as f64 / self.numerator as f64
    }

    /// Boundary k: where interval k begins and interval k - 1 ends. Beyond 64 bits it stays at the last ns there is.
    #[must_use]
    pub fn boundary(&self, k: u64) -> u64 {
        let exact = u128::from(k) * u128::from(self.numerator) / u128::from(self.denominator);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }

    /// The interval that holds a time: `boundary(k) <= time_ns < boundary(k + 1)`.
    #[must_use]
    pub fn index(&self, time_ns: u64) -> u64 {
        let exact = u128::from(time_ns) * u128::from(self.denominator) / u128::from(self.numerator);
        // At most `time_ns`, as no interval is shorter than 1 ns.
        let mut k = exact as u64;
        // The boundaries are rounded down, so a time may lie behind the next one already.
        while k < u64::MAX && self.boundary(k + 1) <= time_ns && self.boundary(k + 1) > self.boundary(k) {
            k += 1;
        }
        k
    }

    /// The first interval that begins at or after a time.
    #[must_use]
    pub fn index_from(&self, time_ns: u64) -> u64 {
        let k = self.index(time_ns);
        if self.boundary(k) < time_ns { k.saturating_add(1) } else { k }
    }

    /// The boundaries from k on.
    #[must_use]
    pub fn boundaries(&self, k: u64) -> Boundaries {
        let exact = u128::from(k) * u128::from(self.numerator);
        let denominator = u128::from(self.denominator);
        Boundaries {
            k,
            at: u64::try_from(exact / denominator).unwrap_or(u64::MAX),
            // Below the denominator, which is 64 bits.
            rest: (exact % denominator) as u64,
            step: self.numerator / self.denominator,
            step_rest: self.numerator % self.denominator,
            denominator: self.denominator,
        }
    }
}

/// Walks along the boundaries of a grid without dividing.
#[derive(Debug, Clone, Copy)]
pub struct Boundaries {
    k: u64,
    at: u64,
    rest: u64,
    step: u64,
    step_rest: u64,
    denominator: u64,
}

impl Boundaries {
    /// Which boundary this is.
    #[must_use]
    pub fn k(&self) -> u64 {
        self.k
    }

    /// Where it lies, in ns.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Goes to the next one.
    pub fn step(&mut self) {
        self.k = self.k.saturating_add(1);
        self.at = self.at.saturating_add(self.step);
        self.rest += self.step_rest;
        if self.rest >= self.denominator {
            self.rest -= self.denominator;
            self.at = self.at.saturating_add(1);
        }
    }
}

fn greatest_common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common(b, a % b) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sixty_hertz_does_not_drift_over_a_million_intervals() {
        let grid = Grid::from_rate(60.0).unwrap();
        let mut walked = grid.boundaries(0);
        for k in 0..=1_000_000_u64 {
            // In thirds of 50 ms, exact in 64 bits.
            let expected = k * 50_000_000 / 3;
            assert_eq!((grid.boundary(k), walked.at(), walked.k()), (expected, expected, k));
            walked.step();
        }
        assert_eq!(grid.boundary(1_000_000), 16_666_666_666_666);
    }

    #[test]
    fn boundaries_count_from_the_epoch() {
        let grid = Grid::from_rate(60.0).unwrap();
        assert_eq!([0, 1, 2, 3].map(|k| grid.boundary(k)), [0, 16_666_666, 33_333_333, 50_000_000]);
        // A time that lies behind a boundary only because boundaries are rounded down.
        assert_eq!((grid.index(16_666_665), grid.index(16_666_666), grid.index(16_666_667)), (0, 1, 1));
        assert_eq!((grid.index_from(0), grid.index_from(1), grid.index_from(16_666_666)), (0, 1, 1));
        assert_eq!(Grid::from_rate(25.0).unwrap(), Grid::from_period(40_000_000).unwrap());
        assert_eq!(Grid::from_rate(0.1 + 0.2).unwrap(), Grid::from_micro_hertz(300_000).unwrap());
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for rate in [0.0, -1.0, 1e-7, 2e9, f64::NAN, f64::INFINITY] {
            assert!(Grid::from_rate(rate).is_err(), "{rate}");
        }
        assert!(Grid::from_period(0).is_err() && Grid::from_micro_hertz(0).is_err());
        assert!((Grid::from_rate(1e9).unwrap().rate_hz() - 1e9).abs() < 1e-3);
    }

    #[test]
    fn the_ends_of_time_are_no_trap() {
        for grid in [Grid::from_rate(1e9), Grid::from_rate(1e-6), Grid::from_rate(60.0), Grid::from_period(u64::MAX)] {
            let grid = grid.unwrap();
            let k = grid.index(u64::MAX);
            assert!(grid.boundary(k.saturating_add(1)) >= grid.boundary(k));
            let mut walked = grid.boundaries(k);
            walked.step();
            assert!(walked.at() >= grid.boundary(k));
        }
    }

    proptest! {
        #[test]
        fn every_time_lies_in_its_interval(
            micro_hertz in 1_u64..=1_000_000_000_000_000,
            time_ns in 0_u64..1 << 62,
        ) {
            let grid = Grid::from_micro_hertz(micro_hertz).unwrap();
            let k = grid.index(time_ns);
            prop_assert!(grid.boundary(k) <= time_ns && time_ns < grid.boundary(k + 1));
            let from = grid.index_from(time_ns);
            prop_assert!(grid.boundary(from) >= time_ns && (from == 0 || grid.boundary(from - 1) < time_ns));
            let mut walked = grid.boundaries(k);
            for step in 0..50 {
                prop_assert_eq!(walked.at(), grid.boundary(k + step));
                walked.step();
            }
        }
    }
}
