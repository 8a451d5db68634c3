//! Changes of sessions, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use super::boundary::{self, Held};
use super::info::SessionInfo;
use crate::error::{ErrorKind, Result};
use crate::session::SessionChange;
use crate::stream;

/// What happens to sessions from now on.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct SessionWatch {
    watch: Held<Arc<stream::SessionWatch>>,
    closed: AtomicBool,
}

impl SessionWatch {
    pub(super) fn new(watch: stream::SessionWatch) -> Self {
        Self { watch: Held::new(Arc::new(watch)), closed: AtomicBool::new(false) }
    }
}

#[pymethods]
impl SessionWatch {
    /// (kind, session, associate's key), or None after the time-out or when closed.
    fn next(
        &self,
        py: Python<'_>,
        timeout_s: Option<f64>,
    ) -> PyResult<Option<(&'static str, SessionInfo, Option<String>)>> {
        let watch = self.watch.get(py)?;
        let timeout = timeout_s.map(|timeout_s| boundary::seconds(py, "timeout_s", timeout_s)).transpose()?;
        let found = boundary::poll(py, "waiting for a change of sessions", timeout, |slice| -> Result<_> {
            match watch.next(slice) {
                Ok(change) => Ok(change.map(Some)),
                Err(error) if error.kind() == ErrorKind::Closed => {
                    self.closed.store(true, Ordering::Release);
                    Ok(Some(None))
                }
                Err(error) => Err(error),
            }
        })?;
        Ok(found.flatten().map(|change| match change {
            SessionChange::Started(info) => ("started", SessionInfo::new(info), None),
            SessionChange::Updated(info) => ("updated", SessionInfo::new(info), None),
            SessionChange::Ended(info) => ("ended", SessionInfo::new(info), None),
            SessionChange::Associated { main, associate } => {
                ("associated", SessionInfo::new(main), Some(associate.key.clone()))
            }
        }))
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let watch = self.watch.get(py)?;
        self.closed.store(true, Ordering::Release);
        py.detach(|| watch.close());
        Ok(())
    }
}
