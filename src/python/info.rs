//! Sessions and data formats as they reach Python; `telewire.SessionInfo` and `telewire.DataFormat` are made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::format::{FormatInfo, FormatKind};
use crate::session::{self, Offsets};
use crate::topic::Layout;

/// Ids, kind, identifiers.
pub(super) type FormatParts = (Vec<u64>, &'static str, Vec<String>);

pub(super) fn format_parts(format: FormatInfo) -> FormatParts {
    let kind = match format.kind {
        FormatKind::Parameters => "parameters",
        FormatKind::Event => "event",
    };
    (format.ids, kind, format.identifiers)
}

/// What is known about a session.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct SessionInfo {
    info: Arc<session::SessionInfo>,
}

impl SessionInfo {
    pub(super) fn new(info: Arc<session::SessionInfo>) -> Self {
        Self { info }
    }
}

#[pymethods]
impl SessionInfo {
    #[getter]
    fn key(&self) -> &str {
        &self.info.key
    }

    #[getter]
    fn data_source(&self) -> &str {
        &self.info.data_source
    }

    #[getter]
    fn identifier(&self) -> &str {
        &self.info.identifier
    }

    #[getter]
    fn r#type(&self) -> &str {
        &self.info.kind
    }

    #[getter]
    fn version(&self) -> u32 {
        self.info.version
    }

    #[getter]
    fn live(&self) -> bool {
        !self.info.ended
    }

    #[getter]
    fn created_ns(&self) -> Option<u64> {
        self.info.created_ns
    }

    #[getter]
    fn ended_ns(&self) -> Option<u64> {
        self.info.ended_ns
    }

    #[getter]
    fn utc_offset_ns(&self) -> i64 {
        self.info.utc_offset_ns
    }

    #[getter]
    fn details(&self) -> BTreeMap<String, String> {
        self.info.details.clone()
    }

    #[getter]
    fn associates(&self) -> Vec<String> {
        self.info.associates.clone()
    }

    #[getter]
    fn start_offsets(&self) -> BTreeMap<String, i64> {
        by_key(&self.info.start_offsets)
    }

    #[getter]
    fn end_offsets(&self) -> BTreeMap<String, i64> {
        by_key(&self.info.end_offsets)
    }

    #[getter]
    fn last_record_ns(&self) -> Option<u64> {
        (self.info.last_record_ns > 0).then_some(self.info.last_record_ns)
    }
}

fn by_key(offsets: &Offsets) -> BTreeMap<String, i64> {
    offsets.iter().map(|((topic, partition), offset)| (Layout::offset_key(topic, *partition), *offset)).collect()
}
