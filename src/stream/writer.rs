//! The packet writer: any packet to any stream, for programs that keep the protocol's order themselves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::layout_search::LayoutSearch;
use crate::error::{Error, Printable, Result};
use crate::kafka::producer::Target;
use crate::kafka::{Admin, Origin, Outbox, Outcome, Ticket, WriteCounts};
use crate::packet::Envelope;
use crate::sync::{Mutex, RwLock};
use crate::topic::{self, Layout};

/// Which channel an info packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InfoType {
    /// Not said; it goes where session information goes.
    #[default]
    Unspecified,
    /// To the session-info topic.
    SessionInfo,
    /// To the status topic.
    SystemStatus,
}

/// What a flush found.
#[derive(Debug, Clone, Default)]
pub struct Flushed {
    /// Packets acknowledged since the last flush.
    pub delivered: u64,
    /// Packets that ended otherwise since the last flush or [`PacketWriter::failures`], with their payload.
    pub failed: Vec<Outcome>,
    /// Packets still under way.
    pub left: usize,
}

/// Where packets of one (data source, stream) go.
struct Route {
    topic: String,
    partition: i32,
    essentials: String,
    /// `None` leaves the choice to the key.
    essentials_partition: Option<i32>,
    origin: Origin,
}

impl Route {
    fn data(&self) -> Target<'_> {
        Target { topic: &self.topic, partition: Some(self.partition), origin: self.origin }
    }

    fn copy(&self) -> Target<'_> {
        Target { topic: &self.essentials, partition: self.essentials_partition, origin: self.origin }
    }
}

/// Sends packets to the topics of a layout, creating the topics first. Shared by all writers of a client.
pub(crate) struct Sender {
    pub(crate) outbox: Outbox,
    admin: Arc<Admin>,
    layout: Arc<LayoutSearch>,
    timeout: Duration,
    routes: RwLock<HashMap<String, HashMap<String, Arc<Route>>>>,
    ready: Mutex<HashSet<String>>,
    warned: Mutex<HashSet<String>>,
}

impl Sender {
    pub(crate) fn new(outbox: Outbox, admin: Arc<Admin>, layout: Arc<LayoutSearch>, timeout: Duration) -> Self {
        Self {
            outbox,
            admin,
            layout,
            timeout,
            routes: RwLock::default(),
            ready: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    pub(crate) fn ensure(&self, topic: &str, partitions: i32) -> Result<()> {
        if self.ready.lock().contains(topic) {
            return Ok(());
        }
        self.admin.ensure_topic(topic, partitions)?;
        self.ready.lock().insert(topic.to_string());
        Ok(())
    }

    fn route(&self, data_source: &str, stream: &str) -> Result<Arc<Route>> {
        if let Some(route) = self.routes.read().get(data_source).and_then(|streams| streams.get(stream)) {
            return Ok(route.clone());
        }
        topic::check_data_source(data_source)?;
        let layout = self.layout.layout();
        let place = layout.place(data_source, stream)?;
        if !place.mapped {
            log::warn!(
                "stream '{}' of data source '{}' has no partition mapping; its packets go to the main stream",
                Printable(stream),
                Printable(data_source)
            );
        }
        let (topic, partitions) = layout.creation(data_source, if place.mapped { stream } else { "" })?;
        self.ensure(&topic, partitions)?;
        let essentials = layout.essentials(data_source)?;
        self.ensure(&essentials, 1)?;
        let route = Arc::new(Route {
            topic: place.topic,
            partition: place.partition,
            essentials,
            essentials_partition: (layout.strategy == topic::Strategy::TopicBased).then_some(0),
            origin: self.outbox.origin(data_source, stream),
        });
        self.routes.write().entry(data_source.into()).or_default().insert(stream.into(), route.clone());
        Ok(route)
    }

    /// The topic of a stream, for messages.
    pub(crate) fn topic(&self, data_source: &str, stream: &str) -> String {
        self.layout
            .with(|layout| layout.place(data_source, stream))
            .map_or_else(|_| stream.to_owned(), |place| place.topic)
    }

    /// Packets that are known to be well formed.
    pub(crate) fn send(
        &self,
        data_source: &str,
        stream: &str,
        key: &str,
        packet: &[u8],
        essential: bool,
    ) -> Result<Ticket> {
        let route = self.route(data_source, stream)?;
        if !essential {
            return self.outbox.send(&[route.data()], key.as_bytes(), packet, self.timeout);
        }
        self.outbox.send(&[route.copy(), route.data()], key.as_bytes(), packet, self.timeout)
    }

    /// An essential packet to the main stream, acknowledged on return.
    pub(crate) fn send_essential_and_wait(
        &self,
        what: &str,
        data_source: &str,
        key: &str,
        packet: &[u8],
    ) -> Result<()> {
        let route = self.route(data_source, "")?;
        let targets = [route.copy(), route.data()];
        self.outbox.send_and_wait(what, &targets, key.as_bytes(), packet, self.timeout)
    }

    /// A record on the session-info topic, acknowledged on return.
    pub(crate) fn record_session(&self, what: &str, key: &str, packet: &[u8]) -> Result<()> {
        let topic = self.layout.with(Layout::session_info);
        self.ensure(&topic, 1)?;
        let target = Target { topic: &topic, partition: None, origin: Origin::NONE };
        self.outbox.send_and_wait(what, &[target], key.as_bytes(), packet, self.timeout)
    }
}

/// Writes serialised packets. Clones share one producer; any number of sessions, data sources and threads may use it.
#[derive(Clone)]
pub struct PacketWriter {
    pub(crate) sender: Arc<Sender>,
    /// A writer keeps its client open.
    pub(crate) _client: Client,
}

impl std::fmt::Debug for PacketWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketWriter").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl PacketWriter {
    /// Queues a serialised `Packet` for a stream (`""` is the main stream), with the session key as the record's key.
    /// A packet marked essential goes to the essentials topic as well. While the queue is full the call waits.
    ///
    /// Neither the session nor the stream needs to exist; topics are created as the layout says.
    ///
    /// # Errors
    /// [`Error::Decode`] if the bytes are not a `Packet`; [`Error::Name`] for illegal names; [`Error::TooLarge`];
    /// [`Error::QueueFull`] when the queue stayed full for the client's time-out; [`Error::Closed`]; [`Error::Kafka`].
    pub fn write(&self, data_source: &str, stream: &str, session_key: &str, packet: &[u8]) -> Result<Ticket> {
        let envelope = Envelope::peek(packet)?;
        if envelope.session_key != session_key && self.sender.warned.lock().insert(data_source.to_string()) {
            log::warn!(
                "a packet of data source '{}' says session '{}' but is written for session '{}': readers go by the latter",
                Printable(data_source),
                Printable(envelope.session_key),
                Printable(session_key)
            );
        }
        self.sender.send(data_source, stream, session_key, packet, envelope.is_essential)
    }

    /// Queues a serialised info packet, with its own session key as the record's key.
    ///
    /// # Errors
    /// As [`PacketWriter::write`].
    pub fn write_info(&self, packet: &[u8], info: InfoType) -> Result<Ticket> {
        let envelope = Envelope::peek(packet)?;
        let topic = self.sender.layout.with(|layout| match info {
            InfoType::Unspecified | InfoType::SessionInfo => layout.session_info(),
            InfoType::SystemStatus => layout.status(),
        });
        self.sender.ensure(&topic, 1)?;
        let target = Target { topic: &topic, partition: None, origin: Origin::NONE };
        self.sender.outbox.send(&[target], envelope.session_key.as_bytes(), packet, self.sender.timeout)
    }

    /// Waits until every packet written before this call has its outcome, or the time is over: see [`Flushed::left`].
    ///
    /// # Errors
    /// None at present; the signature leaves room.
    pub fn flush(&self, timeout: Duration) -> Result<Flushed> {
        let (delivered, failed, left) = self.sender.outbox.flush(timeout);
        Ok(Flushed { delivered, failed, left })
    }

    /// Keeps every outcome for [`PacketWriter::outcomes`]. Whoever switches this on must fetch them.
    pub fn track(&self, on: bool) {
        self.sender.outbox.track(on);
    }

    /// The outcomes since the last call, while tracking is on.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.sender.outbox.outcomes()
    }

    /// The packets of all writers of the client that were given up since this was last asked or the last flush: each is
    /// told once, here or there. [`PacketWriter::track`] need not be on.
    #[must_use]
    pub fn failures(&self) -> Vec<Outcome> {
        self.sender.outbox.failures()
    }

    /// Packets without an outcome yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.sender.outbox.pending()
    }

    /// How much was written so far, by all writers of the client.
    #[must_use]
    pub fn counts(&self) -> WriteCounts {
        self.sender.outbox.counts()
    }

    /// The largest packet, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.sender.outbox.limit()
    }
}

impl Flushed {
    /// An error when packets are left or failed, so that `flush(...)?.complete(...)?` means "everything is there".
    ///
    /// # Errors
    /// [`Error::FlushTimeout`] when packets are left, [`Error::Kafka`] when some failed.
    pub fn complete(self, waited: Duration) -> Result<Self> {
        if self.left > 0 {
            return Err(Error::FlushTimeout { left: self.left, waited });
        }
        if let Some(first) = self.failed.first() {
            return Err(Error::Kafka {
                operation: format!("writing {} packets to '{}'", self.failed.len(), first.topic),
                reason: first.error.clone().unwrap_or_default(),
                code: "NOT_DELIVERED".into(),
                retriable: true,
            });
        }
        Ok(self)
    }
}
