//! The figures: medians and spread of paired rounds, as a table and as JSON.

use std::fmt;

use serde::Serialize;
use serde_json::json;

use crate::process::Cost;

/// One measurement.
#[derive(Clone, Serialize)]
pub(crate) struct Timing {
    pub(crate) wall_s: f64,
    /// CPU time of all threads of the client.
    pub(crate) client_cpu_s: f64,
    /// CPU time of its busiest thread: near the wall time, the client is what bounds.
    pub(crate) client_thread_s: f64,
    /// CPU time of the broker's process, if it is known.
    pub(crate) broker_cpu_s: Option<f64>,
}

/// One size in one direction: the rounds of the embedded broker and, in the same order, those of Apache Kafka.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) direction: &'static str,
    pub(crate) record_bytes: usize,
    pub(crate) records: usize,
    pub(crate) rounds: [Vec<Timing>; 2],
}

impl Cell {
    pub(crate) fn new(direction: &'static str, record_bytes: usize, records: usize) -> Self {
        Self { direction, record_bytes, records, rounds: [Vec::new(), Vec::new()] }
    }

    /// How many times as fast the embedded broker is, by each round's two wall times.
    fn ratio(&self) -> Spread {
        let [ours, theirs] = &self.rounds;
        Spread::of(ours.iter().zip(theirs).map(|(a, b)| b.wall_s / a.wall_s))
    }

    fn megabytes_per_s(&self, which: usize) -> f64 {
        let wall = Spread::of(self.rounds[which].iter().map(|t| t.wall_s)).median;
        (self.record_bytes * self.records) as f64 / wall / 1e6
    }

    /// The part of the wall time that the client's busiest thread works, in percent over all rounds.
    fn busy(&self, which: usize) -> f64 {
        let total = |of: fn(&Timing) -> f64| self.rounds[which].iter().map(of).sum::<f64>();
        100.0 * total(|t| t.client_thread_s) / total(|t| t.wall_s)
    }

    /// Microseconds of CPU per record, over all rounds: the clock of processes is too coarse for one.
    fn cpu_us(&self, which: usize, of: fn(&Timing) -> Option<f64>) -> Option<f64> {
        let total: Option<f64> = self.rounds[which].iter().map(of).sum();
        Some(total? / (self.records * self.rounds[which].len()) as f64 * 1e6)
    }
}

/// Everything that was measured.
pub(crate) struct Figures {
    pub(crate) rounds: usize,
    pub(crate) cells: Vec<Cell>,
    pub(crate) costs: Vec<Cost>,
}

impl Figures {
    fn geometric_mean(&self) -> f64 {
        let logarithms: f64 = self.cells.iter().map(|cell| cell.ratio().median.ln()).sum();
        (logarithms / self.cells.len() as f64).exp()
    }

    fn answered_ms(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.answered_ms))
    }

    fn rss_added_mb(&self) -> Option<Spread> {
        let all: Option<Vec<f64>> = self.costs.iter().map(|cost| cost.rss_added_mb).collect();
        all.map(|all| Spread::of(all.into_iter()))
    }

    pub(crate) fn json(&self) -> String {
        let cells: Vec<_> = self.cells.iter().map(|cell| json!({"cell": cell, "ratio": cell.ratio()})).collect();
        let figures = json!({
            "bench": "brokers",
            "rounds": self.rounds,
            "machine": Machine::here(),
            "geometric_mean": self.geometric_mean(),
            "cells": cells,
            "answered_ms": self.answered_ms(),
            "rss_added_mb": self.rss_added_mb(),
        });
        format!("{figures:#}\n")
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "embedded broker and Apache Kafka, {} rounds", self.rounds)?;
        let (ours, theirs) = ("embedded", "Kafka");
        let (busy, client, broker) = ("busy thread", "client us/rec.", "broker us/rec.");
        writeln!(f, "{:16} {:>16} {:>21} {busy:>15} {client:>15} {broker:>15}", "", "MB/s", "")?;
        write!(f, "{:>8} {:7} {ours:>9} {theirs:>6} {:>21}", "record", "", "times as fast")?;
        writeln!(f, " {ours:>9} {theirs:>5} {ours:>9} {theirs:>5} {ours:>9} {theirs:>5}")?;
        for cell in &self.cells {
            let (size, direction, ratio) = (cell.record_bytes, cell.direction, cell.ratio().to_string());
            let [ours, theirs] = [0, 1].map(|which| cell.megabytes_per_s(which));
            write!(f, "{size:>6} B {direction} {ours:>9.0} {theirs:>6.0} {ratio:>21}")?;
            let [ours, theirs] = [0, 1].map(|which| cell.busy(which));
            write!(f, " {ours:>8.0}% {theirs:>4.0}%")?;
            for of in [|t: &Timing| Some(t.client_cpu_s), |t: &Timing| t.broker_cpu_s] {
                let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
                write!(f, " {:>9} {:>5}", shown(cell.cpu_us(0, of)), shown(cell.cpu_us(1, of)))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "geometric mean of the medians: {:.2}", self.geometric_mean())?;
        write!(f, "embedded broker: answers after {} ms", self.answered_ms())?;
        if let Some(added) = self.rss_added_mb() {
            write!(f, ", adds {added} MB of memory")?;
        }
        write!(f, "\n{}", Machine::here())
    }
}

/// Median with quartiles of several rounds.
#[derive(Serialize)]
struct Spread {
    median: f64,
    lower_quartile: f64,
    upper_quartile: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let quantile = |part: f64| {
            let at = part * (values.len() - 1) as f64;
            let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
            below + (above - below) * at.fract()
        };
        Self { median: quantile(0.5), lower_quartile: quantile(0.25), upper_quartile: quantile(0.75) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.lower_quartile, self.upper_quartile)
    }
}

/// On what it ran: a figure without this is worth nothing.
#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    load: String,
    system: &'static str,
    librdkafka: String,
    telewire: &'static str,
}

impl Machine {
    fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let model =
            |text: String| Some(text.lines().find(|l| l.starts_with("model name"))?.split_once(": ")?.1.to_owned());
        Self {
            cpu: model(read("/proc/cpuinfo")).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            system: std::env::consts::OS,
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            telewire: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, load, system, librdkafka, telewire } = self;
        write!(f, "{cpu}, {cores} cores, load {load}, {system}; librdkafka {librdkafka}, telewire {telewire}")
    }
}
