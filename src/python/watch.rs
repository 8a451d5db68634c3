//! Changes of sessions and new data formats, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use super::boundary::{self, Held};
use super::info::{FormatParts, SessionInfo, format_parts};
use crate::error::{ErrorKind, Result};
use crate::session::SessionChange;
use crate::stream;

/// A watch of the stream floor, as Python holds it.
struct Watching<W: Send + Sync + 'static> {
    watch: Held<Arc<W>>,
    closed: AtomicBool,
}

impl<W: Send + Sync + 'static> Watching<W> {
    fn new(watch: W) -> Self {
        Self { watch: Held::new(Arc::new(watch)), closed: AtomicBool::new(false) }
    }

    /// The next thing, or None after the time-out or when closed.
    fn next<T: Send>(
        &self,
        py: Python<'_>,
        what: &str,
        timeout_s: Option<f64>,
        next: impl Fn(&W, std::time::Duration) -> Result<Option<T>> + Send + Sync,
    ) -> PyResult<Option<T>> {
        let watch = self.watch.get(py)?;
        let timeout = timeout_s.map(|timeout_s| boundary::seconds(py, "timeout_s", timeout_s)).transpose()?;
        let found = boundary::poll(py, what, timeout, |slice| -> Result<_> {
            match next(watch, slice) {
                Ok(found) => Ok(found.map(Some)),
                Err(error) if error.kind() == ErrorKind::Closed => {
                    self.closed.store(true, Ordering::Release);
                    Ok(Some(None))
                }
                Err(error) => Err(error),
            }
        })?;
        Ok(found.flatten())
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self, py: Python<'_>, close: impl Fn(&W) + Send + Sync) -> PyResult<()> {
        let watch = self.watch.get(py)?;
        self.closed.store(true, Ordering::Release);
        py.detach(|| close(watch));
        Ok(())
    }
}

/// What happens to sessions from now on.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct SessionWatch(Watching<stream::SessionWatch>);

impl SessionWatch {
    pub(super) fn new(watch: stream::SessionWatch) -> Self {
        Self(Watching::new(watch))
    }
}

#[pymethods]
impl SessionWatch {
    /// (kind, session, associate), or None after the time-out or when closed.
    fn next(
        &self,
        py: Python<'_>,
        timeout_s: Option<f64>,
    ) -> PyResult<Option<(&'static str, SessionInfo, Option<SessionInfo>)>> {
        let found = self.0.next(py, "waiting for a change of sessions", timeout_s, stream::SessionWatch::next)?;
        Ok(found.map(|change| match change {
            SessionChange::Started(info) => ("started", SessionInfo::new(info), None),
            SessionChange::Updated(info) => ("updated", SessionInfo::new(info), None),
            SessionChange::Ended(info) => ("ended", SessionInfo::new(info), None),
            SessionChange::Associated { main, associate } => {
                ("associated", SessionInfo::new(main), Some(SessionInfo::new(associate)))
            }
        }))
    }

    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.close(py, stream::SessionWatch::close)
    }
}

/// Data formats that become known from now on.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct FormatWatch(Watching<stream::FormatWatch>);

impl FormatWatch {
    pub(super) fn new(watch: stream::FormatWatch) -> Self {
        Self(Watching::new(watch))
    }
}

#[pymethods]
impl FormatWatch {
    /// (data source, format, new id), or None after the time-out or when closed.
    fn next(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<(String, FormatParts, u64)>> {
        let found = self.0.next(py, "waiting for a data format", timeout_s, stream::FormatWatch::next)?;
        Ok(found.map(|news| (news.data_source.to_string(), format_parts(news.format), news.id)))
    }

    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.close(py, stream::FormatWatch::close)
    }
}
