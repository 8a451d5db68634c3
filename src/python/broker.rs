//! The embedded broker, held by a Python object.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use super::boundary::{self, Held};
use super::errors;
use crate::embedded::{self, BrokerOptions};
use crate::error::Error;

/// A broker inside this process.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Broker {
    broker: Held<Arc<embedded::Broker>>,
    address: String,
    stopped: AtomicBool,
}

#[pymethods]
impl Broker {
    #[new]
    fn new(
        py: Python<'_>,
        data: Option<PathBuf>,
        host: String,
        port: u16,
        memory_budget: u64,
        retention_s: Option<f64>,
        advertised: Option<(String, u16)>,
    ) -> PyResult<Self> {
        let retention = retention_s.map(|value| boundary::seconds(py, "retention_s", value)).transpose()?;
        let options =
            BrokerOptions { host, port, advertised, data, memory_budget, retention, ..BrokerOptions::default() };
        let broker = boundary::wait(py, "starting the embedded broker", move || embedded::Broker::start(options))?;
        let address = broker.address();
        Ok(Self { broker: Held::new(Arc::new(broker)), address, stopped: AtomicBool::new(false) })
    }

    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    #[getter]
    fn running(&self) -> bool {
        !self.stopped.load(Ordering::Acquire)
    }

    /// Numbers by name: topics, partitions, bytes, records, connections.
    fn stats(&self, py: Python<'_>) -> PyResult<BTreeMap<&'static str, u64>> {
        if !self.running() {
            return Err(errors::raise(py, &Error::Closed("the embedded broker".into())));
        }
        let broker = self.broker.get(py)?;
        let stats = py.detach(|| broker.stats());
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(BTreeMap::from([
            ("topics", count(stats.topics)),
            ("partitions", count(stats.partitions)),
            ("bytes", stats.bytes),
            ("records", stats.records),
            ("connections", count(stats.connections)),
        ]))
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let broker = self.broker.get(py)?.clone();
        self.stopped.store(true, Ordering::Release);
        boundary::wait(py, "stopping the embedded broker", move || {
            broker.stop();
            Ok(())
        })
    }
}
