//! The embedded broker against Apache Kafka with the same client: produce and consume, and what the embedded one costs.
//!
//! Each broker is a process of its own, and the client is librdkafka without a language above it, so that as little as
//! possible of what is measured is the client. Rounds are interleaved; the figure is the geometric mean of the medians of
//! the paired ratios over all sizes and directions. See benches/README.md.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod client;
mod process;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use client::Client;
use process::{BrokerProcess, cpu_s, thread_cpu_s};
use report::{Cell, Figures, Timing};

/// Bytes of a record, and how many of them are a round.
const SIZES: [(usize, usize); 3] = [(200, 1_000_000), (1_000, 300_000), (10_000, 40_000)];
/// The first rounds warm the client and the other broker's compiler up.
const WARM_UP: usize = 6;

const HELP: &str = "\
cargo bench --bench brokers -- [OPTIONS]
  --brokers HOST:PORT   Apache Kafka (default: TELEWIRE_TEST_BROKERS)
  --kafka-pid PID       its process, for its CPU time (default: TELEWIRE_KAFKA_PID)
  --rounds N            measured rounds (15)
  --json FILE           write all figures into this file
  --quick               few records, one round: to see that it runs, not to measure
";

struct Options {
    brokers: Option<String>,
    kafka_pid: Option<u32>,
    rounds: usize,
    json: Option<PathBuf>,
    quick: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let pid = std::env::var("TELEWIRE_KAFKA_PID").ok().and_then(|pid| pid.parse().ok());
        let brokers = std::env::var("TELEWIRE_TEST_BROKERS").ok();
        let mut options = Self { brokers, kafka_pid: pid, rounds: 15, json: None, quick: false };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            let number =
                |text: String| text.parse::<u32>().map_err(|_| format!("{name}: '{text}' is not a positive number"));
            match name.as_str() {
                "--brokers" => (options.brokers, options.kafka_pid) = (Some(value()?), None),
                "--kafka-pid" => options.kafka_pid = Some(number(value()?)?),
                "--rounds" => options.rounds = number(value()?)?.max(1) as usize,
                "--json" => options.json = Some(value()?.into()),
                "--quick" => (options.quick, options.rounds) = (true, 1),
                "--bench" => {}
                _ => return Err(format!("unknown option {name}\n{HELP}")),
            }
        }
        Ok(options)
    }
}

/// One of the two brokers with its client, and its process, if known.
struct Side {
    client: Client,
    pid: Option<u32>,
}

impl Side {
    /// Runs `work` and takes the time.
    fn timed(&self, work: impl FnOnce(&Client)) -> Timing {
        let (threads_before, broker_before) = (thread_cpu_s(), self.pid.and_then(cpu_s));
        let begun = Instant::now();
        work(&self.client);
        let wall_s = begun.elapsed().as_secs_f64();
        let (threads_after, broker_after) = (thread_cpu_s(), self.pid.and_then(cpu_s));
        let spent = |(thread, after): (&_, &f64)| after - threads_before.get(thread).unwrap_or(&0.0);
        let spent: Vec<f64> = threads_after.iter().map(spent).collect();
        Timing {
            wall_s,
            client_cpu_s: spent.iter().sum(),
            client_thread_s: spent.into_iter().fold(0.0, f64::max),
            broker_cpu_s: broker_after.zip(broker_before).map(|(after, before)| after - before),
        }
    }
}

fn measure(ours: &Side, theirs: &Side, options: &Options) -> Vec<Cell> {
    let sizes = SIZES.map(|(size, count)| (size, if options.quick { 200 } else { count }));
    let mut cells: Vec<Cell> =
        sizes.iter().flat_map(|(size, count)| ["produce", "consume"].map(|d| Cell::new(d, *size, *count))).collect();
    let warm_up = if options.quick { 0 } else { WARM_UP };
    for round in 0..warm_up + options.rounds {
        for (at, (size, count)) in sizes.into_iter().enumerate() {
            let sides = [ours, theirs];
            let topics = sides.map(|side| side.client.new_topic(&format!("bench-{round}-{size}")));
            // The brokers take turns in being first.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let timing = sides[which].timed(|client| client.produce(&topics[which], size, count));
                if round >= warm_up {
                    cells[2 * at].rounds[which].push(timing);
                }
            }
            for which in order {
                let reader = sides[which].client.reader(&topics[which]);
                let timing = sides[which].timed(|_| reader.consume(size, count));
                if round >= warm_up {
                    cells[2 * at + 1].rounds[which].push(timing);
                }
            }
            // So that the rounds fill neither memory nor disk.
            for (side, topic) in sides.iter().zip(&topics) {
                side.client.delete_topic(topic);
            }
        }
    }
    cells
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // This program is also the process of the embedded broker.
    match arguments.first().map(String::as_str) {
        Some("serve") => return process::serve(),
        Some("cost") => return process::print_cost(),
        _ => {}
    }
    // `cargo bench` says `--bench` to every bench. `cargo test` does not; what else it says is for tests.
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let given = if measures { arguments } else { vec!["--quick".to_owned()] };
    let options = match Options::parse(given.into_iter()) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    let Some(mut address) = options.brokers.clone() else {
        eprintln!(
            "no Apache Kafka: run this under `python3 scripts/kafka.py run --jvm=-XX:TieredStopAtLevel=4 -- …`, \
             or give --brokers host:port"
        );
        return ExitCode::FAILURE;
    };
    // Tests may be told to do without Apache Kafka. Two embedded brokers teach nothing, but show that the bench runs.
    let instead = telewire::embedded::is_embedded_url(&address).then(BrokerProcess::start);
    if let Some(instead) = &instead {
        address.clone_from(&instead.address);
    }
    let costs = process::costs(if options.quick { 1 } else { options.rounds });
    let embedded = BrokerProcess::start();
    let ours = Side { client: Client::new(&embedded.address), pid: Some(embedded.pid()) };
    let theirs = Side { client: Client::new(&address), pid: options.kafka_pid };
    let figures = Figures { rounds: options.rounds, cells: measure(&ours, &theirs, &options), costs };
    println!("{figures}");
    let json = figures.json();
    if let Some(path) = options.json {
        std::fs::write(path, json).expect("the file of --json can be written");
    }
    ExitCode::SUCCESS
}
