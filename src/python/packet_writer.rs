//! Packets one by one, their outcomes, and the shapes in which both reach Python.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::boundary::{self, Held};
use super::errors;
use crate::error::Error;
use crate::stream::{self, Fate, Flushed, InfoType, Outcome};
use crate::sync::Mutex;

/// (ticket, fate, topic, error, payload, data source, stream, session key), as `telewire.packet_writer` expects it.
pub(super) type OutcomeParts<'py> =
    (u64, &'static str, String, Option<String>, Option<Bound<'py, PyBytes>>, String, String, String);

pub(super) fn outcome_parts(py: Python<'_>, outcome: Outcome) -> OutcomeParts<'_> {
    let fate = match outcome.fate {
        Fate::Persisted => "persisted",
        Fate::NotPersisted => "not_persisted",
        Fate::PossiblyPersisted => "possibly_persisted",
    };
    let payload = outcome.payload.map(|payload| PyBytes::new(py, &payload));
    let Outcome { ticket, topic, error, data_source, stream, session_key, .. } = outcome;
    (ticket, fate, topic, error, payload, data_source, stream, session_key)
}

pub(super) fn flushed_parts(py: Python<'_>, flushed: Flushed) -> (u64, Vec<OutcomeParts<'_>>, usize) {
    let failed = flushed.failed.into_iter().map(|outcome| outcome_parts(py, outcome)).collect();
    (flushed.delivered, failed, flushed.left)
}

/// Writes serialised packets.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct PacketWriter {
    writer: Held<stream::PacketWriter>,
    /// Streams whose topics exist: only the first packet of a stream waits for the broker.
    ready: Mutex<HashSet<(String, String)>>,
}

impl PacketWriter {
    pub(super) fn new(writer: stream::PacketWriter) -> Self {
        Self { writer: Held::new(writer), ready: Mutex::default() }
    }
}

#[pymethods]
impl PacketWriter {
    fn write(
        &self,
        py: Python<'_>,
        data_source: String,
        stream: String,
        session_key: &str,
        packet: PyBackedBytes,
    ) -> PyResult<u64> {
        let writer = self.writer.get(py)?;
        let place = (data_source, stream);
        if self.ready.lock().contains(&place) {
            return boundary::borrowing(py, "write", || writer.write(&place.0, &place.1, session_key, &packet));
        }
        let (writer, key) = (writer.clone(), session_key.to_string());
        let (ticket, place) = boundary::wait(py, "write", move || {
            writer.write(&place.0, &place.1, &key, &packet).map(|ticket| (ticket, place))
        })?;
        self.ready.lock().insert(place);
        Ok(ticket)
    }

    fn write_info(&self, py: Python<'_>, packet: PyBackedBytes, info: &str) -> PyResult<u64> {
        let info = match info {
            "unspecified" => InfoType::Unspecified,
            "session_info" => InfoType::SessionInfo,
            "system_status" => InfoType::SystemStatus,
            other => {
                let text = format!("info type must be unspecified, session_info or system_status, not '{other}'");
                return Err(errors::raise(py, &Error::Invalid(text)));
            }
        };
        let writer = self.writer.get(py)?.clone();
        boundary::wait(py, "write_info", move || writer.write_info(&packet, info))
    }

    fn flush<'py>(&self, py: Python<'py>, timeout_s: f64) -> PyResult<(u64, Vec<OutcomeParts<'py>>, usize)> {
        let timeout = boundary::seconds(py, "timeout_s", timeout_s)?;
        let writer = self.writer.get(py)?.clone();
        let flushed = boundary::wait(py, "flush", move || writer.flush(timeout))?;
        Ok(flushed_parts(py, flushed))
    }

    fn track(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.writer.get(py)?.track(on);
        Ok(())
    }

    fn outcomes<'py>(&self, py: Python<'py>) -> PyResult<Vec<OutcomeParts<'py>>> {
        let writer = self.writer.get(py)?;
        let outcomes = py.detach(|| writer.outcomes());
        Ok(outcomes.into_iter().map(|outcome| outcome_parts(py, outcome)).collect())
    }

    fn failures<'py>(&self, py: Python<'py>) -> PyResult<Vec<OutcomeParts<'py>>> {
        let writer = self.writer.get(py)?;
        let failures = py.detach(|| writer.failures());
        Ok(failures.into_iter().map(|outcome| outcome_parts(py, outcome)).collect())
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.writer.get(py)?.pending())
    }

    /// The largest packet in bytes.
    #[getter]
    fn limit(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.writer.get(py)?.limit())
    }

    /// (written, delivered, failed, bytes).
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64)> {
        let counts = self.writer.get(py)?.counts();
        Ok((counts.written, counts.delivered, counts.failed, counts.bytes))
    }
}
