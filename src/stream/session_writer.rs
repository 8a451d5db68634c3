//! The session writer: keeps the protocol's order, so that a user cannot get it wrong.
//!
//! On every stream it touches: `NewSession`, then the configuration, then data, then `EndOfSession`. Formats are
//! registered once. The end is recorded after everything was delivered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use prost::Message as _;

use super::client::Client;
use super::writer::{Flushed, Sender};
use crate::error::{Error, Printable, Result};
use crate::kafka::Ticket;
use crate::packet::{
    ColumnRef, Envelope, FormatRef, PacketType, bytes_per_row, decode_message, encode_periodic, encode_rows,
    encode_synchro, fixed_bytes,
};
use crate::proto::open_data as wire;
use crate::session::{NewSession, SessionInfo, new_session_packet};
use crate::sync::{Mutex, RwLock};
use crate::time::{LONGEST_INTERVAL_NS, now_ns, to_proto};
use crate::topic::{self, LayoutKind};

/// The detail that tells why a session ended by an exception.
pub(super) const END_REASON: &str = "telewire.end_reason";

/// Bytes that a packet's envelope takes beside its content and key.
const ENVELOPE: usize = 128;

/// A moment or a span with a name; `Lap Trigger` markers divide a session into laps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marker {
    /// The beginning, in nanoseconds since the Unix epoch.
    pub timestamp_ns: u64,
    /// The end; 0 for a moment.
    pub end_ns: u64,
    /// What people read, such as `Lap 5`.
    pub label: String,
    /// The type, such as `Lap Trigger`.
    pub kind: String,
    /// More words.
    pub description: String,
    /// Who set it; for laps the decimal text of a byte, such as `0`.
    pub source: String,
    /// A number; for laps the lap's.
    pub value: i64,
}

/// A fault that was set or cleared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorRecord {
    /// The fault's identifier.
    pub identifier: String,
    /// When, in nanoseconds since the Unix epoch.
    pub timestamp_ns: u64,
    /// The application it belongs to.
    pub application: String,
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// More words.
    pub description: String,
    /// Logged earlier, not current.
    pub logged: bool,
    /// Cleared, not set.
    pub cleared: bool,
}

/// One frame seen on a CAN bus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanFrame {
    /// When, in nanoseconds since the Unix epoch.
    pub timestamp_ns: u64,
    /// The bus's number.
    pub bus: u32,
    /// The frame's id.
    pub can_id: u32,
    /// The frame's bytes.
    pub payload: Vec<u8>,
    /// Whether it was received (`true`) or sent (`false`); `None` when nobody said.
    pub received: Option<bool>,
}

#[derive(Default)]
struct Order {
    /// The configuration so far, in parts that fit a packet.
    configuration: Vec<Vec<u8>>,
    /// Streams that have their `NewSession` and configuration.
    open: BTreeSet<String>,
}

/// Streams that have had their `EndOfSession`, as of a packet id: with a later packet the end has to be written again.
#[derive(Default)]
struct Ending {
    streams: BTreeSet<String>,
    as_of: u64,
}

struct Core {
    client: Client,
    sender: Arc<Sender>,
    key: String,
    data_source: String,
    started: NewSession,
    start_offsets: crate::session::Offsets,
    info: Mutex<Arc<SessionInfo>>,
    order: Mutex<Order>,
    /// Parameters and events of the configuration.
    known: RwLock<(HashSet<String>, HashSet<String>)>,
    formats: RwLock<HashMap<Vec<String>, u64>>,
    events: RwLock<HashMap<String, u64>>,
    next_id: AtomicU64,
    /// True once the session was ended here; writers hold it for reading while they write, and ending for writing.
    ended: RwLock<bool>,
    /// The same for whoever only asks, and must not wait for an end that is under way.
    is_ended: AtomicBool,
    /// What an end that failed has written already.
    ending: Mutex<Ending>,
}

/// Writes one session. Clones are the same writer; any thread may use it.
#[derive(Clone)]
pub struct SessionWriter {
    core: Arc<Core>,
}

/// Writes to one stream of a session.
#[derive(Clone)]
pub struct StreamWriter {
    core: Arc<Core>,
    name: String,
}

impl std::fmt::Debug for SessionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionWriter").field("key", &self.core.key).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamWriter").field("key", &self.core.key).field("stream", &self.name).finish()
    }
}

impl Core {
    fn packet(&self, kind: &str, content: &[u8], is_essential: bool) -> Vec<u8> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Envelope { type_name: kind, session_key: &self.key, is_essential, content, id }.encode()
    }

    fn send(&self, stream: &str, kind: &str, content: &[u8], is_essential: bool) -> Result<Ticket> {
        let packet = self.packet(kind, content, is_essential);
        self.sender.send(&self.data_source, stream, &self.key, &packet, is_essential)
    }

    fn refuse_after_end(&self, ended: bool) -> Result<()> {
        if ended {
            return Err(Error::Session {
                key: self.key.clone(),
                reason: "has ended; nothing can be written to it any more".into(),
            });
        }
        Ok(())
    }

    /// The first packets of a stream, once.
    fn open(&self, stream: &str) -> Result<()> {
        let mut order = self.order.lock();
        if order.open.contains(stream) {
            return Ok(());
        }
        if !stream.is_empty() {
            topic::check_stream(stream)?;
        }
        let layout = self.client.layout();
        let begin = new_session_packet(&self.key, &self.started, &self.start_offsets, &layout);
        self.sender.send(&self.data_source, stream, &self.key, &begin, false)?;
        if layout.kind == LayoutKind::Domain {
            let started = wire::StreamStartedPacket {
                data_source: self.data_source.clone(),
                session_key: self.key.clone(),
                stream_name: stream.to_string(),
                start_time: Some(to_proto(now_ns())),
            };
            self.send(stream, PacketType::StreamStarted.name(), &started.encode_to_vec(), true)?;
        }
        for part in &order.configuration {
            self.send(stream, PacketType::Configuration.name(), part, true)?;
        }
        order.open.insert(stream.to_string());
        Ok(())
    }

    fn everywhere(&self, kind: PacketType, content: &[u8]) -> Result<Vec<Ticket>> {
        let streams: Vec<String> = self.order.lock().open.iter().cloned().collect();
        streams.iter().map(|stream| self.send(stream, kind.name(), content, true)).collect()
    }

    /// `EndOfSession` on every stream in use; not again where a failed end has written it and nothing came after it.
    fn write_ends(&self) -> Result<()> {
        let mut ending = self.ending.lock();
        if ending.as_of != self.next_id.load(Ordering::Relaxed) {
            ending.streams.clear();
        }
        let written = self.write_ends_but(&mut ending.streams);
        ending.as_of = self.next_id.load(Ordering::Relaxed);
        written
    }

    fn write_ends_but(&self, done: &mut BTreeSet<String>) -> Result<()> {
        let layout = self.client.layout();
        let end_ns = now_ns();
        let mut streams = self.order.lock().open.clone();
        streams.retain(|stream| !done.contains(stream));
        for stream in streams {
            if layout.kind == LayoutKind::Domain {
                let stopped = wire::StreamStoppedPacket {
                    data_source: self.data_source.clone(),
                    session_key: self.key.clone(),
                    stream_name: stream.clone(),
                    stop_time: Some(to_proto(end_ns)),
                };
                self.send(&stream, PacketType::StreamStopped.name(), &stopped.encode_to_vec(), true)?;
            }
            let content = wire::EndOfSessionPacket {
                data_source: self.data_source.clone(),
                termination_time: Some(to_proto(end_ns)),
                ..Default::default()
            };
            self.send(&stream, PacketType::EndOfSession.name(), &content.encode_to_vec(), false)?;
            done.insert(stream);
        }
        Ok(())
    }

    fn set_ended(&self, ended: &mut bool) {
        *ended = true;
        self.is_ended.store(true, Ordering::Release);
    }

    fn format(&self, parameters: &[String]) -> Result<u64> {
        if let Some(id) = self.formats.read().get(parameters) {
            return Ok(*id);
        }
        let unknown: Vec<&String> = {
            let known = self.known.read();
            parameters.iter().filter(|parameter| !known.0.contains(*parameter)).collect()
        };
        if let Some(first) = unknown.first() {
            let more = if unknown.len() > 1 { format!(" (and {} more)", unknown.len() - 1) } else { String::new() };
            return Err(Error::Invalid(format!(
                "parameter '{}'{more} is not in the session's configuration; add it with configure() before writing it",
                Printable(first)
            )));
        }
        let id = self.client.parameter_format(&self.data_source, parameters)?;
        self.formats.write().insert(parameters.to_vec(), id);
        Ok(id)
    }

    fn event_format(&self, event: &str) -> Result<u64> {
        if let Some(id) = self.events.read().get(event) {
            return Ok(*id);
        }
        if !self.known.read().1.contains(event) {
            return Err(Error::Invalid(format!(
                "event '{}' is not in the session's configuration; add it with configure() before writing it",
                Printable(event)
            )));
        }
        let id = self.client.event_format(&self.data_source, event)?;
        self.events.write().insert(event.to_string(), id);
        Ok(id)
    }
}

impl SessionWriter {
    pub(crate) fn begin(client: Client, info: Arc<SessionInfo>) -> Result<Self> {
        let sender = client.sender()?;
        let started = NewSession {
            data_source: info.data_source.clone(),
            identifier: info.identifier.clone(),
            kind: info.kind.clone(),
            version: info.version,
            utc_offset_ns: Some(info.utc_offset_ns),
            details: info.details.clone(),
            associates: info.associates.clone(),
            created_ns: info.created_ns.unwrap_or_else(now_ns),
        };
        let core = Core {
            client,
            sender,
            key: info.key.clone(),
            data_source: info.data_source.clone(),
            started,
            start_offsets: info.start_offsets.clone(),
            info: Mutex::new(info),
            order: Mutex::default(),
            known: RwLock::default(),
            formats: RwLock::default(),
            events: RwLock::default(),
            next_id: AtomicU64::new(0),
            ended: RwLock::new(false),
            is_ended: AtomicBool::new(false),
            ending: Mutex::default(),
        };
        core.open("")?;
        Ok(Self { core: Arc::new(core) })
    }

    /// The session as last seen.
    #[must_use]
    pub fn info(&self) -> Arc<SessionInfo> {
        self.core.info.lock().clone()
    }

    /// The session key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.core.key
    }

    /// Adds a configuration (a serialised `ConfigurationPacket`): it is sent on every stream in use now, and on every
    /// later one before its data. One that is too large for a packet is sent in parts.
    ///
    /// # Errors
    /// [`Error::Decode`] for bytes that are no configuration; [`Error::Invalid`] for one without parameters and events
    /// or with a single definition over the size limit; [`Error::Session`] after the end; as
    /// [`super::PacketWriter::write`].
    pub fn configure(&self, configuration: &[u8]) -> Result<()> {
        let core = &*self.core;
        let ended = core.ended.read();
        core.refuse_after_end(*ended)?;
        let decoded: wire::ConfigurationPacket = decode_message("a configuration", configuration)?;
        if decoded.parameter_definitions.is_empty() && decoded.event_definitions.is_empty() {
            return Err(Error::Invalid("a configuration needs at least one parameter or event".into()));
        }
        let parts = split(configuration, &decoded, core.sender.outbox.limit() - ENVELOPE - core.key.len())?;
        let mut order = core.order.lock();
        for stream in order.open.clone() {
            for part in &parts {
                core.send(&stream, PacketType::Configuration.name(), part, true)?;
            }
        }
        order.configuration.extend(parts);
        let mut known = core.known.write();
        known.0.extend(decoded.parameter_definitions.into_iter().map(|definition| definition.identifier));
        known.1.extend(decoded.event_definitions.into_iter().map(|definition| definition.identifier));
        Ok(())
    }

    /// The writer of a stream; `""` is the main stream. The stream begins now.
    ///
    /// # Errors
    /// [`Error::Name`] for names that cannot be; [`Error::UnmappedStream`] when partitions are mapped and this stream is
    /// not; [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn stream(&self, name: &str) -> Result<StreamWriter> {
        let ended = self.core.ended.read();
        self.core.refuse_after_end(*ended)?;
        if !self.core.client.layout().place(&self.core.data_source, name)?.mapped {
            return Err(Error::UnmappedStream(name.to_string()));
        }
        self.core.open(name)?;
        Ok(StreamWriter { core: self.core.clone(), name: name.to_string() })
    }

    /// Sets a marker on the main stream and every stream in use, and among the essentials.
    ///
    /// # Errors
    /// [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn marker(&self, marker: &Marker) -> Result<Vec<Ticket>> {
        let ended = self.core.ended.read();
        self.core.refuse_after_end(*ended)?;
        let content = wire::MarkerPacket {
            timestamp: marker.timestamp_ns,
            end_time: marker.end_ns,
            label: marker.label.clone(),
            r#type: marker.kind.clone(),
            description: marker.description.clone(),
            source: marker.source.clone(),
            value: marker.value,
        };
        self.core.everywhere(PacketType::Marker, &content.encode_to_vec())
    }

    /// Says that everything before a time has been written.
    ///
    /// # Errors
    /// [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn coverage_cursor(&self, time_ns: u64) -> Result<Ticket> {
        let ended = self.core.ended.read();
        self.core.refuse_after_end(*ended)?;
        let content = wire::CoverageCursorInfoPacket {
            data_source: self.core.data_source.clone(),
            coverage_cursor_time: time_ns,
        };
        self.core.send("", PacketType::CoverageCursorInfo.name(), &content.encode_to_vec(), false)
    }

    /// Gives the session another identifier.
    ///
    /// # Errors
    /// As [`Client::update_identifier`].
    pub fn update_identifier(&self, identifier: &str) -> Result<Arc<SessionInfo>> {
        self.keep(self.core.client.update_identifier(&self.core.key, identifier)?)
    }

    /// Adds or replaces details.
    ///
    /// # Errors
    /// As [`Client::update_details`].
    pub fn update_details(&self, details: BTreeMap<String, String>) -> Result<Arc<SessionInfo>> {
        self.keep(self.core.client.update_details(&self.core.key, details)?)
    }

    /// Ties another session to this one.
    ///
    /// # Errors
    /// As [`Client::add_associate`].
    pub fn add_associate(&self, associate: &str) -> Result<Arc<SessionInfo>> {
        self.keep(self.core.client.add_associate(&self.core.key, associate)?)
    }

    fn keep(&self, info: Arc<SessionInfo>) -> Result<Arc<SessionInfo>> {
        *self.core.info.lock() = info.clone();
        Ok(info)
    }

    /// Waits until everything written before this call has its outcome.
    ///
    /// # Errors
    /// As [`super::PacketWriter::flush`].
    pub fn flush(&self, timeout: Duration) -> Result<Flushed> {
        let (delivered, failed, left) = self.core.sender.outbox.flush(timeout);
        Ok(Flushed { delivered, failed, left })
    }

    /// Whether the session was ended here. Does not wait for an [`SessionWriter::end`] that is under way.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.core.is_ended.load(Ordering::Acquire)
    }

    /// Ends the session: `EndOfSession` on every stream in use, everything delivered, end offsets, the record. With a
    /// reason (an exception that ended it), the reason goes into the details first. Ending twice is no mistake.
    ///
    /// # Errors
    /// As [`Client::end_session`]; the session is still live then, and `end` can be called again. [`Error::Session`] when
    /// the session has ended but some packets of this client were not delivered and no flush has reported them yet.
    pub fn end(&self, reason: Option<&str>) -> Result<Arc<SessionInfo>> {
        let core = &*self.core;
        let mut ended = core.ended.write();
        if *ended {
            return Ok(self.info());
        }
        let known = core.client.session(&core.key)?;
        if known.ended {
            // Somebody else ended it; the first end wins.
            core.set_ended(&mut ended);
            return self.keep(known);
        }
        if let Some(reason) = reason {
            core.client.update_details(&core.key, BTreeMap::from([(END_REASON.to_string(), reason.to_string())]))?;
        }
        core.write_ends()?;
        let info = core.client.end_session(&core.key)?;
        core.set_ended(&mut ended);
        let info = self.keep(info)?;
        match core.sender.outbox.unreported() {
            0 => Ok(info),
            failed => Err(Error::Session {
                key: core.key.clone(),
                reason: format!(
                    "has ended, but {failed} packets written through this client were not delivered; flush() returns \
                     them with their bytes and the reasons"
                ),
            }),
        }
    }
}

impl StreamWriter {
    /// The stream's name; `""` is the main stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes samples at a fixed interval: sample `i` of every column was taken at `start_ns + i * interval_ns`.
    /// Column `j` belongs to parameter `j`. More than fits a packet is written in several.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown parameter, lengths that differ, nothing to write, an interval of 0 or above
    /// 4,294,967,295 ns; [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn write_periodic(
        &self,
        parameters: &[String],
        start_ns: u64,
        interval_ns: u64,
        columns: &[ColumnRef<'_>],
    ) -> Result<Vec<Ticket>> {
        let interval = u32::try_from(interval_ns).ok().filter(|interval| *interval > 0).ok_or_else(|| {
            Error::Invalid(format!(
                "an interval of {interval_ns} ns cannot be written: a periodic packet says 1 to {LONGEST_INTERVAL_NS} ns; \
                 write slower samples as rows"
            ))
        })?;
        let samples = columns.first().map_or(0, |column| column.values.len());
        if (samples as u64).checked_mul(interval_ns).and_then(|span| start_ns.checked_add(span)).is_none() {
            return Err(Error::Invalid(format!(
                "{samples} samples every {interval_ns} ns from {start_ns} run beyond the largest time, {} ns",
                u64::MAX
            )));
        }
        self.write_parts(PacketType::PeriodicData, parameters, samples, columns, |out, format, part, columns| {
            let start = start_ns + part.start as u64 * interval_ns;
            encode_periodic(out, format, start, interval, columns)
        })
    }

    /// Writes samples at times of their own, in the order given; times may repeat and step back. All columns of a row
    /// have one type.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown parameter, lengths that differ, nothing to write, columns of several types;
    /// [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn write_rows(
        &self,
        parameters: &[String],
        timestamps_ns: &[u64],
        columns: &[ColumnRef<'_>],
    ) -> Result<Vec<Ticket>> {
        if let Some((index, column)) = columns.iter().enumerate().find(|(_, c)| c.values.len() != timestamps_ns.len()) {
            return Err(Error::Invalid(format!(
                "column {index} has {} values for {} timestamps; a row needs one of each",
                column.values.len(),
                timestamps_ns.len()
            )));
        }
        self.write_parts(PacketType::RowData, parameters, timestamps_ns.len(), columns, |out, format, part, columns| {
            encode_rows(out, format, timestamps_ns.get(part).unwrap_or_default(), columns)
        })
    }

    /// Writes samples taken together at varying intervals: `intervals_ns[i]` lies between sample `i` and `i + 1`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown parameter, lengths that differ, nothing to write, an interval above
    /// 4,294,967,295 ns; [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn write_synchro(
        &self,
        parameters: &[String],
        start_ns: u64,
        intervals_ns: &[u64],
        columns: &[ColumnRef<'_>],
    ) -> Result<Vec<Ticket>> {
        let mut intervals = Vec::with_capacity(intervals_ns.len());
        let mut starts = Vec::with_capacity(intervals_ns.len() + 1);
        let mut time = start_ns;
        starts.push(time);
        for (index, interval) in intervals_ns.iter().enumerate() {
            intervals.push(u32::try_from(*interval).map_err(|_| {
                Error::Invalid(format!(
                    "interval {index} is {interval} ns; a synchro packet says at most {LONGEST_INTERVAL_NS} ns: \
                     write a new packet after the gap, or write rows"
                ))
            })?);
            time = time.checked_add(*interval).ok_or_else(|| {
                Error::Invalid(format!("interval {index} leads beyond the largest time, {} ns", u64::MAX))
            })?;
            starts.push(time);
        }
        let samples = columns.first().map_or(0, |column| column.values.len());
        if samples != starts.len() {
            return Err(Error::Invalid(format!(
                "{samples} samples need {} intervals, {} are given",
                samples.saturating_sub(1),
                intervals.len()
            )));
        }
        self.write_parts(PacketType::SynchroData, parameters, samples, columns, |out, format, part, columns| {
            let between = intervals.get(part.start..part.end - 1).unwrap_or_default();
            let start = starts.get(part.start).copied().unwrap_or(start_ns);
            encode_synchro(out, format, start, between, columns)
        })
    }

    /// Checks, splits to the size limit, encodes and sends.
    fn write_parts(
        &self,
        kind: PacketType,
        parameters: &[String],
        samples: usize,
        columns: &[ColumnRef<'_>],
        encode: impl Fn(&mut Vec<u8>, &FormatRef<'_>, Range<usize>, &[ColumnRef<'_>]) -> Result<()>,
    ) -> Result<Vec<Ticket>> {
        let core = &*self.core;
        let ended = core.ended.read();
        core.refuse_after_end(*ended)?;
        if parameters.len() != columns.len() {
            return Err(Error::Invalid(format!(
                "{} columns of values for {} parameters; each parameter needs its column",
                columns.len(),
                parameters.len()
            )));
        }
        if samples == 0 {
            return Err(Error::Invalid("there are no samples to write".into()));
        }
        let format = FormatRef::Id(core.format(parameters)?);
        let room = core.sender.outbox.limit() - ENVELOPE - 2 * core.key.len();
        let room = room.saturating_sub(fixed_bytes(&format, columns));
        let most = room / bytes_per_row(columns).max(1);
        if most == 0 {
            return Err(Error::TooLarge {
                size: fixed_bytes(&format, columns) + bytes_per_row(columns),
                limit: core.sender.outbox.limit(),
                topic: core.sender.topic(&core.data_source, &self.name),
            });
        }
        let mut content = Vec::new();
        if samples <= most {
            encode(&mut content, &format, 0..samples, columns)?;
            return Ok(vec![core.send(&self.name, kind.name(), &content, false)?]);
        }
        // Encoded before the first is sent: what cannot be written is refused whole.
        let mut parts = Vec::with_capacity(samples.div_ceil(most));
        let mut first = 0;
        while first < samples {
            let part = first..samples.min(first + most);
            let columns: Vec<ColumnRef<'_>> = columns.iter().map(|column| column.part(part.clone())).collect();
            content.clear();
            encode(&mut content, &format, part.clone(), &columns)?;
            parts.push(core.packet(kind.name(), &content, false));
            first = part.end;
        }
        parts.iter().map(|packet| core.sender.send(&core.data_source, &self.name, &core.key, packet, false)).collect()
    }

    /// Writes an event of the configuration, with its raw values.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown event; [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn event(&self, event: &str, timestamp_ns: u64, values: &[f64]) -> Result<Ticket> {
        let ended = self.core.ended.read();
        self.core.refuse_after_end(*ended)?;
        let id = self.core.event_format(event)?;
        let content = wire::EventPacket {
            data_format: Some(wire::EventDataFormat {
                format: Some(wire::event_data_format::Format::DataFormatIdentifier(id)),
            }),
            timestamp: timestamp_ns,
            raw_values: values.to_vec(),
        };
        self.core.send(&self.name, PacketType::Event.name(), &content.encode_to_vec(), false)
    }

    /// Writes a fault that was set or cleared.
    ///
    /// # Errors
    /// [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn error(&self, record: &ErrorRecord) -> Result<Ticket> {
        let kind = if record.logged { wire::ErrorType::Logged } else { wire::ErrorType::Current };
        let status = if record.cleared { wire::ErrorStatus::Cleared } else { wire::ErrorStatus::Set };
        let content = wire::ErrorPacket {
            error_identifier: record.identifier.clone(),
            timestamp: record.timestamp_ns,
            application_name: record.application.clone(),
            group: record.group.clone(),
            name: record.name.clone(),
            description: record.description.clone(),
            r#type: kind as i32,
            status: status as i32,
        };
        self.packet(PacketType::Error.name(), &content.encode_to_vec(), false)
    }

    /// Writes a frame seen on a CAN bus.
    ///
    /// # Errors
    /// [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn can(&self, frame: &CanFrame) -> Result<Ticket> {
        let kind = match frame.received {
            None => wire::CanType::Unspecified,
            Some(true) => wire::CanType::Receive,
            Some(false) => wire::CanType::Transmit,
        };
        let content = wire::RawCanDataPacket {
            timestamp: frame.timestamp_ns,
            bus: frame.bus,
            can_id: frame.can_id,
            payload: frame.payload.clone(),
            r#type: kind as i32,
        };
        self.packet(PacketType::RawCanData.name(), &content.encode_to_vec(), false)
    }

    /// Writes any other packet, also one of a type of your own.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty type; [`Error::Session`] after the end; as [`super::PacketWriter::write`].
    pub fn packet(&self, kind: &str, content: &[u8], is_essential: bool) -> Result<Ticket> {
        let ended = self.core.ended.read();
        self.core.refuse_after_end(*ended)?;
        if kind.is_empty() {
            return Err(Error::Invalid("a packet needs a type".into()));
        }
        self.core.send(&self.name, kind, content, is_essential)
    }
}

/// A configuration as it is, or in parts that fit: the parts share the id and say how many they are.
fn split(whole: &[u8], decoded: &wire::ConfigurationPacket, limit: usize) -> Result<Vec<Vec<u8>>> {
    if whole.len() <= limit {
        return Ok(vec![whole.to_vec()]);
    }
    let empty = wire::ConfigurationPacket {
        config_id: decoded.config_id.clone(),
        // ATLAS wants one top-level group in each packet.
        group_definitions: decoded.group_definitions.clone(),
        partial_packet: true,
        packet_number: u32::MAX,
        total_packet_number: u32::MAX,
        ..Default::default()
    };
    let fixed = empty.encoded_len();
    let mut parts = vec![empty.clone()];
    let mut size = fixed;
    let sizes = decoded.parameter_definitions.iter().map(prost::Message::encoded_len);
    let sizes = sizes.chain(decoded.event_definitions.iter().map(prost::Message::encoded_len));
    for (index, bytes) in sizes.enumerate() {
        let bytes = bytes + 6;
        if fixed + bytes > limit {
            return Err(Error::Invalid(format!(
                "definition {index} of the configuration takes {bytes} bytes beside {fixed} bytes of groups, over the limit of {limit}"
            )));
        }
        if size + bytes > limit {
            parts.push(empty.clone());
            size = fixed;
        }
        size += bytes;
        let Some(part) = parts.last_mut() else { continue };
        let parameters = decoded.parameter_definitions.len();
        match decoded.parameter_definitions.get(index) {
            Some(parameter) => part.parameter_definitions.push(parameter.clone()),
            None => part.event_definitions.extend(decoded.event_definitions.get(index - parameters).cloned()),
        }
    }
    let total = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    for (part, number) in parts.iter_mut().zip(1..) {
        part.packet_number = number;
        part.total_packet_number = total;
        part.partial_packet = number < total;
    }
    Ok(parts.iter().map(prost::Message::encode_to_vec).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_large_configuration_is_split_into_numbered_parts_and_only_the_last_is_not_partial() {
        let parameter = |i: usize| wire::ParameterDefinition { identifier: format!("p{i}:App"), ..Default::default() };
        let event = |i: usize| wire::EventDefinition { identifier: format!("e{i}:App"), ..Default::default() };
        let whole = wire::ConfigurationPacket {
            config_id: "c".into(),
            parameter_definitions: (0..50).map(parameter).collect(),
            event_definitions: (0..5).map(event).collect(),
            group_definitions: vec![wire::GroupDefinition { identifier: "g".into(), ..Default::default() }],
            ..Default::default()
        };
        let parts: Vec<wire::ConfigurationPacket> = split(&whole.encode_to_vec(), &whole, 200)
            .unwrap()
            .iter()
            .map(|part| {
                assert!(part.len() <= 200);
                wire::ConfigurationPacket::decode(part.as_slice()).unwrap()
            })
            .collect();
        assert!(parts.len() > 2);
        let parameters: Vec<_> = parts.iter().flat_map(|part| part.parameter_definitions.clone()).collect();
        let events: Vec<_> = parts.iter().flat_map(|part| part.event_definitions.clone()).collect();
        assert_eq!(parameters, whole.parameter_definitions);
        assert_eq!(events, whole.event_definitions);
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(part.config_id, "c");
            assert_eq!(part.group_definitions.len(), 1);
            assert_eq!(part.packet_number as usize, index + 1);
            assert_eq!(part.total_packet_number as usize, parts.len());
            assert_eq!(part.partial_packet, index + 1 < parts.len());
        }
    }
}
