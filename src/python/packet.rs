//! One packet that was read: the record as it came, its envelope looked at, its content unopened until asked for.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::boundary::{self, Held};
use super::{errors, samples};
use crate::error::Error;
use crate::packet::{Head, PacketType};
use crate::stream;
use crate::sync::Mutex;

/// Identifiers by data source and id, as the tuples that samples carry.
type Known = HashMap<Arc<str>, HashMap<u64, Py<PyTuple>>>;

/// Where packets find the data formats they name: the client they were read with, and what it has already said.
pub(super) struct Formats {
    pub(super) client: Held<stream::Client>,
    /// A definition never changes.
    known: Mutex<Known>,
}

impl Formats {
    pub(super) fn new(client: stream::Client) -> Self {
        Self { client: Held::new(client), known: Mutex::default() }
    }

    /// The identifiers behind an id.
    pub(super) fn parameters<'py>(
        &self,
        py: Python<'py>,
        data_source: &Arc<str>,
        id: u64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let known = |known: &Known| {
            known.get(data_source).and_then(|ids| ids.get(&id)).map(|tuple| tuple.clone_ref(py).into_bound(py))
        };
        if let Some(tuple) = known(&self.known.lock()) {
            return Ok(tuple);
        }
        let (client, source) = (self.client.get(py)?.clone(), data_source.clone());
        let names = boundary::wait(py, "looking up a data format", move || client.parameters_of(&source, id))?;
        let tuple = PyTuple::new(py, names.iter())?;
        self.known.lock().entry(data_source.clone()).or_default().insert(id, tuple.clone().unbind());
        Ok(tuple)
    }
}

/// A packet as it was read. Opened only as far as somebody asks.
#[pyclass(frozen, module = "telewire")]
pub(super) struct Packet {
    origin: Arc<stream::Origin>,
    #[pyo3(get)]
    offset: i64,
    timestamp_ms: i64,
    head: Option<Head>,
    formats: Arc<Formats>,
    // Made Python's own when it is asked for: most programs let go of it at once, and memory that is used again is still
    // in the processor's cache.
    payload: Bytes,
}

impl Packet {
    pub(super) fn new(record: stream::Packet, formats: Arc<Formats>) -> Self {
        Self {
            origin: record.origin,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            head: record.head,
            formats,
            payload: record.payload,
        }
    }

    /// The packet as the core has it.
    pub(super) fn record(&self) -> stream::Packet {
        stream::Packet {
            origin: self.origin.clone(),
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            head: self.head,
            payload: self.payload.clone(),
        }
    }

    /// Topic, partition and offset.
    pub(super) fn source(&self) -> (&str, i32, i64) {
        (&self.origin.topic, self.origin.partition, self.offset)
    }

    fn type_name(&self) -> &str {
        self.head.as_ref().map_or("", |head| head.type_name(&self.payload))
    }

    fn inner(&self) -> &[u8] {
        self.head.as_ref().map_or(&[], |head| head.content(&self.payload))
    }

    fn place(&self) -> String {
        let (topic, partition, offset) = self.source();
        format!("{topic} partition {partition} offset {offset}")
    }
}

#[pymethods]
impl Packet {
    /// Type of the content, such as `PeriodicData`; empty for a record that is no packet.
    #[getter]
    fn r#type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        // There are few types and many packets.
        PyString::intern(py, self.type_name())
    }

    /// The session it was written for: the record's key.
    #[getter]
    fn session_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, &self.origin.session.key)
    }

    /// The session the packet itself names; readers go by `session_key`.
    #[getter]
    fn named_session_key(&self) -> &str {
        self.head.as_ref().map_or("", |head| head.session_key(&self.payload))
    }

    #[getter]
    fn data_source<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, &self.origin.session.data_source)
    }

    /// Stream it was read from; `""` is the main stream.
    #[getter]
    fn stream<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, &self.origin.stream)
    }

    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, &self.origin.topic)
    }

    #[getter]
    fn partition(&self) -> i32 {
        self.origin.partition
    }

    /// When it was submitted, in ns since the Unix epoch: the record's time, whole milliseconds.
    #[getter]
    fn submit_time_ns(&self) -> Option<i64> {
        (self.timestamp_ms >= 0).then(|| self.timestamp_ms.saturating_mul(1_000_000))
    }

    /// The same in UTC.
    #[getter]
    fn submit_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static FROM_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let from_ns = FROM_NS
            .get_or_try_init(py, || py.import("telewire.session_info")?.getattr("from_ns").map(Bound::unbind))?;
        from_ns.bind(py).call1((self.submit_time_ns(),))
    }

    #[getter]
    fn is_essential(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.is_essential)
    }

    /// The writer's counter, 0 when unused.
    #[getter]
    fn id(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.id)
    }

    /// The whole packet as it was read.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.payload)
    }

    /// The inner message, serialised.
    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner())
    }

    /// Why the record is no packet; None for every packet that is one.
    #[getter]
    fn error(&self) -> Option<String> {
        self.fault().map(|fault| fault.to_string())
    }

    /// The inner message as a protobuf object, None for a type of somebody's own.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static MESSAGE_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let message_of = MESSAGE_OF
            .get_or_try_init(py, || py.import("telewire.packet")?.getattr("message_of").map(Bound::unbind))?;
        message_of.bind(py).call1((self.type_name(), self.content(py), self.source()))
    }

    /// The samples as columns, None for a packet without samples.
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let kind = PacketType::parse(self.type_name());
        if !kind.is_samples() {
            return Ok(None);
        }
        let content = self.inner();
        let found = samples::decode(py, kind, content, &self.origin.session.data_source, &self.formats)
            .map_err(|fault| self.located(py, fault))?;
        static SAMPLES_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let samples_of = SAMPLES_OF
            .get_or_try_init(py, || py.import("telewire.packet")?.getattr("samples_of").map(Bound::unbind))?;
        samples_of.bind(py).call1((found,)).map(Some)
    }

    fn __repr__(&self) -> String {
        match self.head {
            Some(_) => format!("<Packet {} at {}>", self.type_name(), self.place()),
            None => format!("<Packet (undecodable) at {}>", self.place()),
        }
    }
}

impl Packet {
    /// Why it is no packet, if it is none.
    fn fault(&self) -> Option<Error> {
        if self.head.is_some() {
            return None;
        }
        Head::peek(&self.payload).err()
    }

    fn located(&self, py: Python<'_>, fault: samples::Fault) -> PyErr {
        match fault {
            samples::Fault::Python(error) => error,
            samples::Fault::Core(error) => self.locate(py, error),
        }
    }

    /// The exception for what is wrong with this packet, with the packet's place.
    pub(super) fn locate(&self, py: Python<'_>, error: Error) -> PyErr {
        let Error::Decode { what, reason } = error else { return errors::raise(py, &error) };
        let located = Error::Decode { what: format!("{what} at {}", self.place()), reason };
        let raised = errors::raise(py, &located);
        // A program that wants to look at the record needs its place and bytes, not only words about them.
        let bytes = if self.head.is_some() { self.content(py) } else { self.data(py) };
        let value = raised.value(py);
        let filled = value
            .setattr("topic", &*self.origin.topic)
            .and_then(|()| value.setattr("partition", self.origin.partition))
            .and_then(|()| value.setattr("offset", self.offset))
            .and_then(|()| value.setattr("data", bytes));
        filled.err().unwrap_or(raised)
    }
}

/// The message of a packet type, such as `EventPacket` for `Event` and its older spellings; None for others.
#[pyfunction]
pub(super) fn message_name(type_name: &str) -> Option<String> {
    match PacketType::parse(type_name) {
        PacketType::Other => None,
        PacketType::SystemStatusMessage => Some("SystemStatusMessage".into()),
        known => Some(format!("{}Packet", known.name())),
    }
}
