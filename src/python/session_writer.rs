//! A session being written, and its streams.

use std::collections::{BTreeMap, HashSet};

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::arrays::{self, Given};
use super::boundary::{self, Held};
use super::errors;
use super::info::SessionInfo;
use super::packet_writer::{OutcomeParts, flushed_parts};
use crate::error::Result;
use crate::packet::ColumnRef;
use crate::stream::{self, CanFrame, ErrorRecord, Marker};
use crate::sync::Mutex;

/// Writes one session.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct SessionWriter {
    writer: Held<stream::SessionWriter>,
    key: String,
}

impl SessionWriter {
    pub(super) fn new(writer: stream::SessionWriter) -> Self {
        Self { key: writer.key().to_string(), writer: Held::new(writer) }
    }

    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        what: &str,
        call: impl FnOnce(stream::SessionWriter) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let writer = self.writer.get(py)?.clone();
        boundary::wait(py, what, move || call(writer))
    }
}

#[pymethods]
impl SessionWriter {
    #[getter]
    fn key(&self) -> &str {
        &self.key
    }

    fn info(&self, py: Python<'_>) -> PyResult<SessionInfo> {
        let writer = self.writer.get(py)?;
        Ok(SessionInfo::new(py.detach(|| writer.info())))
    }

    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, "ended", |writer| Ok(writer.is_ended()))
    }

    fn configure(&self, py: Python<'_>, configuration: PyBackedBytes) -> PyResult<()> {
        self.with(py, "configure", move |writer| writer.configure(&configuration))
    }

    fn stream(&self, py: Python<'_>, name: String) -> PyResult<StreamWriter> {
        let writer = self.with(py, "stream", move |writer| writer.stream(&name))?;
        Ok(StreamWriter { writer: Held::new(writer), ready: Mutex::default() })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a marker")]
    fn marker(
        &self,
        py: Python<'_>,
        timestamp_ns: u64,
        end_ns: Option<u64>,
        label: String,
        r#type: String,
        description: String,
        source: String,
        value: i64,
    ) -> PyResult<Vec<u64>> {
        let end_ns = end_ns.unwrap_or(0);
        let marker = Marker { timestamp_ns, end_ns, label, kind: r#type, description, source, value };
        self.with(py, "marker", move |writer| writer.marker(&marker))
    }

    fn coverage_cursor(&self, py: Python<'_>, time_ns: u64) -> PyResult<u64> {
        self.with(py, "coverage_cursor", move |writer| writer.coverage_cursor(time_ns))
    }

    fn update_identifier(&self, py: Python<'_>, identifier: String) -> PyResult<SessionInfo> {
        self.with(py, "update_identifier", move |writer| writer.update_identifier(&identifier)).map(SessionInfo::new)
    }

    fn update_details(&self, py: Python<'_>, details: BTreeMap<String, String>) -> PyResult<SessionInfo> {
        self.with(py, "update_details", move |writer| writer.update_details(details)).map(SessionInfo::new)
    }

    fn add_associate(&self, py: Python<'_>, associate_key: String) -> PyResult<SessionInfo> {
        self.with(py, "add_associate", move |writer| writer.add_associate(&associate_key)).map(SessionInfo::new)
    }

    fn flush<'py>(&self, py: Python<'py>, timeout_s: f64) -> PyResult<(u64, Vec<OutcomeParts<'py>>, usize)> {
        let timeout = boundary::seconds(py, "timeout_s", timeout_s)?;
        let flushed = self.with(py, "flush", move |writer| writer.flush(timeout))?;
        Ok(flushed_parts(py, flushed))
    }

    fn end(&self, py: Python<'_>, reason: Option<String>) -> PyResult<SessionInfo> {
        self.with(py, "end", move |writer| writer.end(reason.as_deref())).map(SessionInfo::new)
    }
}

/// Writes to one stream of a session.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct StreamWriter {
    writer: Held<stream::StreamWriter>,
    /// Lists and events whose formats are registered: only the first use of each waits for the broker.
    ready: Mutex<HashSet<Vec<String>>>,
}

impl StreamWriter {
    /// Writes columns: borrowed from the arrays, or copied when the call may wait for the broker, so that Ctrl-C can
    /// leave it behind.
    fn columns<'py>(
        &self,
        py: Python<'py>,
        parameters: Vec<String>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray2<'py, u8>>,
        call: impl FnOnce(&stream::StreamWriter, &[String], &[ColumnRef<'_>]) -> Result<Vec<u64>> + Send + 'static,
    ) -> PyResult<Vec<u64>> {
        let writer = self.writer.get(py)?;
        let given = Given::new(values, status)?;
        if self.ready.lock().contains(&parameters) {
            return given
                .with(py, |columns| boundary::borrowing(py, "write", || call(writer, &parameters, columns)))?;
        }
        let copies = given.with(py, arrays::copies)?;
        let writer = writer.clone();
        let (tickets, parameters) = boundary::wait(py, "write", move || {
            arrays::with_copies(&copies, |columns| call(&writer, &parameters, columns))
                .map(|tickets| (tickets, parameters))
        })?;
        self.ready.lock().insert(parameters);
        Ok(tickets)
    }
}

#[pymethods]
impl StreamWriter {
    fn write_periodic<'py>(
        &self,
        py: Python<'py>,
        parameters: Vec<String>,
        start_ns: u64,
        interval_ns: u64,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray2<'py, u8>>,
    ) -> PyResult<Vec<u64>> {
        self.columns(py, parameters, values, status, move |writer, parameters, columns| {
            writer.write_periodic(parameters, start_ns, interval_ns, columns)
        })
    }

    fn write_rows<'py>(
        &self,
        py: Python<'py>,
        parameters: Vec<String>,
        timestamps_ns: PyReadonlyArray1<'py, u64>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray2<'py, u8>>,
    ) -> PyResult<Vec<u64>> {
        let times = timestamps_ns.as_slice()?.to_vec();
        self.columns(py, parameters, values, status, move |writer, parameters, columns| {
            writer.write_rows(parameters, &times, columns)
        })
    }

    fn write_synchro<'py>(
        &self,
        py: Python<'py>,
        parameters: Vec<String>,
        start_ns: u64,
        intervals_ns: PyReadonlyArray1<'py, u64>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray2<'py, u8>>,
    ) -> PyResult<Vec<u64>> {
        let intervals = intervals_ns.as_slice()?.to_vec();
        self.columns(py, parameters, values, status, move |writer, parameters, columns| {
            writer.write_synchro(parameters, start_ns, &intervals, columns)
        })
    }

    fn event(&self, py: Python<'_>, identifier: String, timestamp_ns: u64, values: Vec<f64>) -> PyResult<u64> {
        let writer = self.writer.get(py)?;
        // A list of one parameter never hides here: an event's list has the empty name in front.
        let known = vec![String::new(), identifier.clone()];
        if self.ready.lock().contains(&known) {
            return boundary::borrowing(py, "event", || writer.event(&identifier, timestamp_ns, &values));
        }
        let writer = writer.clone();
        let ticket = boundary::wait(py, "event", move || writer.event(&identifier, timestamp_ns, &values))?;
        self.ready.lock().insert(known);
        Ok(ticket)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an error")]
    fn error(
        &self,
        py: Python<'_>,
        identifier: String,
        timestamp_ns: u64,
        application: String,
        group: String,
        name: String,
        description: String,
        r#type: &str,
        status: &str,
    ) -> PyResult<u64> {
        let logged = choice(py, "type of an error", r#type, ("current", "logged"))?;
        let cleared = choice(py, "status of an error", status, ("set", "cleared"))?;
        let record = ErrorRecord { identifier, timestamp_ns, application, group, name, description, logged, cleared };
        let writer = self.writer.get(py)?;
        boundary::borrowing(py, "error", || writer.error(&record))
    }

    fn can(
        &self,
        py: Python<'_>,
        timestamp_ns: u64,
        bus: u32,
        can_id: u32,
        payload: &[u8],
        direction: Option<&str>,
    ) -> PyResult<u64> {
        let received = direction
            .map(|direction| choice(py, "direction of a CAN frame", direction, ("transmit", "receive")))
            .transpose()?;
        let frame = CanFrame { timestamp_ns, bus, can_id, payload: payload.to_vec(), received };
        let writer = self.writer.get(py)?;
        boundary::borrowing(py, "can", || writer.can(&frame))
    }

    fn packet(&self, py: Python<'_>, r#type: &str, content: &[u8], is_essential: bool) -> PyResult<u64> {
        let writer = self.writer.get(py)?;
        boundary::borrowing(py, "packet", || writer.packet(r#type, content, is_essential))
    }
}

/// Whether the second of two words was given.
fn choice(py: Python<'_>, what: &str, given: &str, (first, second): (&str, &str)) -> PyResult<bool> {
    if given == first || given == second {
        return Ok(given == second);
    }
    Err(errors::invalid(py, format!("{what} must be {first} or {second}, not '{given}'")))
}
