//! What the Rust benches share: paired rounds, their medians with spread, the table and the JSON.
//!
//! A round runs every contestant once over the same bytes, in turn; a ratio is the median of the rounds' ratios. Each
//! contestant is one thread that never waits, so the figure is the time that thread was on a processor where the system
//! tells it (Unix), and the clock's elsewhere: what else the machine does counts for nobody.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};

/// Options of every bench: `--rounds N`, `--megabytes N`, `--only PART-OF-A-CASE`, `--json FILE`, `--quick`.
pub struct Options {
    rounds: usize,
    bytes: usize,
    only: String,
    json: Option<String>,
}

impl Options {
    pub fn from_arguments() -> Self {
        let mut options = Self { rounds: 15, bytes: 104_857_600, only: String::new(), json: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = |what: &str| arguments.next().unwrap_or_else(|| panic!("{argument} needs {what}"));
            match argument.as_str() {
                "--rounds" => options.rounds = value("a number").parse().expect("--rounds: a number"),
                "--megabytes" => {
                    let megabytes: usize = value("a number").parse().expect("--megabytes: a number");
                    options.bytes = megabytes << 20;
                }
                "--only" => options.only = value("a part of a case's name"),
                "--json" => options.json = Some(value("a file")),
                "--quick" => (options.rounds, options.bytes) = (1, 1 << 20),
                // Cargo says so to every bench.
                "--bench" => {}
                other => panic!("unknown option {other}"),
            }
        }
        options
    }
}

/// Median with quartiles of several rounds.
struct Spread {
    median: f64,
    lower: f64,
    upper: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (values.len() - 1) as f64;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            low + (high - low) * place.fract()
        };
        Self { median: at(0.5), lower: at(0.25), upper: at(0.75) }
    }

    fn json(&self) -> Value {
        json!({ "median": self.median, "lower_quartile": self.lower, "upper_quartile": self.upper })
    }
}

/// One who does the work, and the name it goes by.
pub struct Contestant<'a> {
    pub name: &'static str,
    pub run: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// The figures of a run, printed as they come.
pub struct Report {
    options: Options,
    cases: Vec<Value>,
}

impl Report {
    pub fn new(title: &str, options: Options) -> Self {
        println!("{title}: {} rounds over {} MB each", options.rounds, options.bytes >> 20);
        Self { options, cases: Vec::new() }
    }

    pub fn wants(&self, case: &str) -> bool {
        case.contains(&self.options.only)
    }

    pub fn bytes(&self) -> usize {
        self.options.bytes
    }

    /// Runs the contestants of a case in paired rounds. The first one is ours; the others are what it is held against.
    pub fn case(&mut self, case: &str, samples: usize, mut contestants: Vec<Contestant<'_>>) {
        let mut seconds = vec![Vec::with_capacity(self.options.rounds); contestants.len()];
        // One round to warm up, which does not count.
        for round in 0..=self.options.rounds {
            for turn in 0..contestants.len() {
                // Nobody always comes after the same one.
                let index = (turn + round) % contestants.len();
                let taken = timed(&mut contestants[index].run);
                if round > 0 {
                    seconds[index].push(taken);
                }
            }
        }
        println!("\n{case} ({samples} samples a round)");
        let mut figures = Vec::new();
        for (contestant, taken) in contestants.iter().zip(&seconds) {
            let rate = Spread::of(taken.iter().map(|taken| samples as f64 / taken / 1e6).collect());
            let best = taken.iter().fold(f64::MAX, |a, &b| a.min(b));
            let best = samples as f64 / best / 1e6;
            let ratio = Spread::of(seconds[0].iter().zip(taken).map(|(ours, theirs)| theirs / ours).collect());
            print!(
                "  {:<34} {:>7.0} M samples/s ({:.0} to {:.0}), best {best:.0}",
                contestant.name, rate.median, rate.lower, rate.upper
            );
            if std::ptr::eq(taken, &seconds[0]) {
                println!();
            } else {
                println!("; ours is {:.2} times as fast ({:.2} to {:.2})", ratio.median, ratio.lower, ratio.upper);
            }
            figures.push(json!({
                "name": contestant.name,
                "million_samples_per_s": rate.json(),
                "best_million_samples_per_s": best,
                "ours_is_times_as_fast": ratio.json(),
                "seconds": taken,
            }));
        }
        self.cases.push(json!({ "case": case, "samples": samples, "contestants": figures }));
    }

    /// Notes figures that are no paired rounds.
    pub fn figures(&mut self, case: &str, figures: Value) {
        self.cases.push(json!({ "case": case, "figures": figures }));
    }

    /// Writes the JSON, if a file was named.
    pub fn finish(self) {
        if let Some(path) = &self.options.json {
            let report = json!({ "rounds": self.options.rounds, "bytes": self.options.bytes, "cases": self.cases });
            std::fs::write(path, format!("{report:#}\n")).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}

/// Seconds that a call took of this thread.
pub fn timed(run: impl FnOnce()) -> f64 {
    let (clock, processor) = (Instant::now(), on_processor_ns());
    run();
    match (processor, on_processor_ns()) {
        (Some(begin), Some(end)) => (end - begin) as f64 / 1e9,
        _ => clock.elapsed().as_secs_f64(),
    }
}

/// Time this thread has been on a processor, if the system tells.
#[cfg(unix)]
fn on_processor_ns() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(not(unix))]
fn on_processor_ns() -> Option<u64> {
    None
}

/// Keeps a result from being optimised away.
pub fn keep<T>(value: T) {
    black_box(value);
}

/// Random numbers that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A double like a sensor's; zero with the given probability.
    pub fn value(&mut self, zeros: f64) -> f64 {
        let draw = self.next();
        if (draw >> 11) as f64 / ((1_u64 << 53) as f64) < zeros { 0.0 } else { 300.0 + (draw & 0xffff) as f64 / 64.0 }
    }
}
