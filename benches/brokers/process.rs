//! The embedded broker as a process of its own, what starting it costs, and the CPU time of processes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use telewire::embedded::{Broker, BrokerOptions};

/// Clock ticks of /proc per second: the same on every architecture of Linux that Rust is made for.
const TICKS_PER_S: f64 = 100.0;

/// The embedded broker in a process of its own, until this is dropped.
pub(crate) struct BrokerProcess {
    child: Child,
    pub(crate) address: String,
}

impl BrokerProcess {
    pub(crate) fn start() -> Self {
        let mut child = again("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        // Its standard input closes, which ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// This program with another task.
fn again(task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(task);
    command
}

#[cfg(unix)]
unsafe extern "C" {
    // SAFETY: takes nothing and touches no memory of ours.
    safe fn setsid() -> i32;
}

/// Serves until standard input closes.
pub(crate) fn serve() -> ExitCode {
    // Linux shares a busy machine out among sessions. `scripts/kafka.py` gives Apache Kafka one of its own; in the client's
    // this broker would have to share the client's part.
    #[cfg(unix)]
    setsid();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    println!("{}", broker.address());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    ExitCode::SUCCESS
}

/// What starting a broker costs a process: milliseconds until it answers, megabytes of memory.
pub(crate) struct Cost {
    pub(crate) answered_ms: f64,
    pub(crate) rss_added_mb: Option<f64>,
}

/// The cost of starting a broker, each in a new process.
pub(crate) fn costs(rounds: usize) -> Vec<Cost> {
    let measure = |_| {
        let output = again("cost").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (answered_ms, rss_added_mb) = text.trim().split_once(' ').unwrap();
        Cost { answered_ms: answered_ms.parse().unwrap(), rss_added_mb: rss_added_mb.parse().ok() }
    };
    (0..rounds).map(measure).collect()
}

/// Measures the cost in this process.
pub(crate) fn print_cost() -> ExitCode {
    let before = rss_mb();
    let begun = Instant::now();
    let broker = Broker::start(BrokerOptions::default()).unwrap();
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    // ApiVersions version 0 of a nameless client, the first thing that every client asks.
    stream.write_all(b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x05\x00\x00").unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    let answered_ms = begun.elapsed().as_secs_f64() * 1e3;
    let added = before.and_then(|before| Some((rss_mb()? - before).to_string()));
    println!("{answered_ms} {}", added.as_deref().unwrap_or("unknown"));
    ExitCode::SUCCESS
}

fn rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Seconds of CPU time that each thread of this process has taken until now, where /proc tells.
pub(crate) fn thread_cpu_s() -> HashMap<OsString, f64> {
    let mut times = HashMap::new();
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // Nanoseconds, unlike the ticks of `stat`. A thread may end meanwhile.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        if let Some(nanoseconds) = text.split(' ').next().and_then(|first| first.parse::<f64>().ok()) {
            times.insert(thread.file_name(), nanoseconds / 1e9);
        }
    }
    times
}

/// Seconds of CPU time that all threads of a process have taken, where /proc tells.
pub(crate) fn cpu_s(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything; user and system time are the 12th and 13th behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |at: usize| fields.split_whitespace().nth(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}
