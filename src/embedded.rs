//! A broker inside the process: it speaks Kafka's protocol on a loopback socket, in memory or with a folder.
//!
//! One node, no replication, no transactions, no access rights. What it does answer, it answers as Apache Kafka 4 would, so
//! that every Kafka client works with it; `api` has the table. The wire codec is the `kafka-protocol` crate's.
//!
//! | Room | For |
//! |---|---|
//! | `server`, `frame`, `complaints` | sockets, threads, frames; what is said of clients that misbehave |
//! | `shape`, `dispatch`, `api` | what is answered, and never believing what a request claims |
//! | `metadata`, `admin`, `produce`, `fetch`, `list_offsets`, `coordinator` | the answers |
//! | `groups`, `offsets` | consumer groups as a state machine; what they committed |
//! | `core`, `topics`, `configs`, `folder` | what there is, and where it is kept |
//! | `partition`, `memory`, `disk`, `producers` | the log |
//! | `batch`, `records`, `record_times` | record batches, which are looked into and kept as they came |

mod admin;
mod api;
mod attach;
mod batch;
mod complaints;
mod configs;
mod coordinator;
mod core;
mod disk;
mod dispatch;
mod fetch;
mod folder;
mod frame;
mod groups;
mod list_offsets;
mod memory;
mod metadata;
mod offsets;
mod partition;
mod produce;
mod producers;
#[cfg(test)]
mod protocol_tests;
mod record_times;
mod records;
mod refusal;
mod server;
mod shape;
mod topics;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use attach::{Attached, attach, is_embedded_url, stop_in_memory};

use self::core::Core;
use crate::error::{Error, Result};
use folder::Folder;
use server::Server;

/// How a broker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerOptions {
    /// The address to bind; loopback unless the broker is to be reached from elsewhere.
    pub host: String,
    /// The port to bind; 0 takes a free one.
    pub port: u16,
    /// Host and port that clients are told to connect to, when they do not reach the bound ones: behind a forwarded port, a
    /// container or a proxy.
    pub advertised: Option<(String, u16)>,
    /// The folder that keeps records, topics and offsets; without one they live in memory.
    pub data: Option<PathBuf>,
    /// Bytes of records that may be held in memory, overhead included. Without meaning when there is a folder.
    pub memory_budget: u64,
    /// Records older than this are deleted, where a topic's own `retention.ms` does not say otherwise.
    pub retention: Option<Duration>,
    /// Whether asking for an unknown topic creates it, for clients that allow it.
    pub auto_create_topics: bool,
    /// Partitions of topics that are created without a number.
    pub default_partitions: i32,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            advertised: None,
            data: None,
            memory_budget: 1024 * 1024 * 1024,
            retention: None,
            auto_create_topics: false,
            default_partitions: 1,
        }
    }
}

/// What a broker holds at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Topics.
    pub topics: usize,
    /// Partitions of all topics.
    pub partitions: usize,
    /// Bytes of record batches, as they are kept.
    pub bytes: u64,
    /// Records between the first and the next offset of all partitions.
    pub records: u64,
    /// Open connections.
    pub connections: usize,
}

/// A running broker. It stops when it is dropped.
#[derive(Debug)]
pub struct Broker {
    core: Arc<Core>,
    server: Server,
    address: String,
}

impl Broker {
    /// Starts a broker; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address or the folder cannot be used, [`Error::Embedded`] if another broker has the folder.
    pub fn start(options: BrokerOptions) -> Result<Self> {
        let folder = options.data.clone();
        Self::start_unless_taken(options)?.ok_or_else(|| {
            let path = folder.unwrap_or_default();
            let address = folder::announced(&path).unwrap_or_else(|| "an unknown address".to_owned());
            let text = format!(
                "folder '{}' is in use by the broker at {address}; use that one, or another folder",
                path.display()
            );
            Error::Embedded(text)
        })
    }

    /// Starts a broker, unless another one has the folder.
    fn start_unless_taken(options: BrokerOptions) -> Result<Option<Self>> {
        let folder = match &options.data {
            None => None,
            Some(path) => match Folder::take(path)? {
                Some(folder) => Some(folder),
                None => return Ok(None),
            },
        };
        let core = Arc::new(Core::open(&options, folder)?);
        let server = Server::start(&core, &options.host, options.port, options.advertised)?;
        let port = server.address().port();
        let any = server.address().ip().is_unspecified();
        let host = if any { "127.0.0.1" } else { options.host.as_str() };
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let broker = Self { core, server, address };
        if let Some(folder) = broker.core.folder() {
            let failed = |e| Error::io(format!("folder '{}' of the embedded broker", folder.path().display()), &e);
            folder.announce(&broker.address).map_err(failed)?;
        }
        log::info!(
            "embedded broker: at {}, {}",
            broker.address,
            match broker.data() {
                Some(path) => format!("in folder '{}'", path.display()),
                None => "in memory".to_owned(),
            }
        );
        if !broker.server.address().ip().is_loopback() {
            log::warn!(
                "embedded broker: listens at {}, where other machines reach it, and asks nobody for a password; it listens on \
                 this machine only with host 127.0.0.1",
                broker.server.address()
            );
        }
        Ok(Some(broker))
    }

    /// Host and port, for `bootstrap.servers`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// The folder, if there is one.
    #[must_use]
    pub fn data(&self) -> Option<&Path> {
        self.core.folder().map(Folder::path)
    }

    /// Stops serving and forces what was written to the disk. Takes at most five seconds and the disk's time; a second call
    /// does nothing.
    pub fn stop(&self) {
        if self.server.stop() {
            self.core.close();
        }
    }

    /// What the broker holds at the moment.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        let mut stats = BrokerStats {
            topics: self.core.topic_count(),
            connections: self.core.connections.load(Ordering::Relaxed),
            ..BrokerStats::default()
        };
        for partition in self.core.topics().iter().flat_map(|topic| topic.partitions()) {
            let (start, end) = partition.bounds();
            stats.partitions += 1;
            stats.records += u64::try_from(end - start).unwrap_or(0);
            stats.bytes += partition.bytes();
        }
        stats
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
