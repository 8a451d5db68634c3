//! The client: everything that is asked of the brokers goes through [`boundary::wait`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use super::boundary;
use super::errors;
use super::health::Health;
use super::info::{FormatParts, SessionInfo, format_parts};
use super::packet::Formats;
use super::packet_writer::{OutcomeParts, PacketWriter, flushed_parts};
use super::reader::Reader;
use super::session_writer::SessionWriter;
use super::watch::{FormatWatch, SessionWatch};
use super::windows::{self, Merger};
use crate::error::{Error, Result};
use crate::session::{NewSession, SessionFilter};
use crate::stream::{
    self, ClientOptions, Inactivity, LayoutChoice, LiveStart, OnOutage, ReadOptions, Reading, Security,
};
use crate::time::now_ns;
use crate::topic::{LayoutKind, NamedStreamForm, Strategy};

type Properties = BTreeMap<String, String>;
/// Kind, domain, form, strategy, partition mappings.
type LayoutParts = (&'static str, String, &'static str, &'static str, Vec<(String, i32)>);

/// A connection to brokers.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Client {
    formats: Arc<Formats>,
}

/// Connects; the arguments are those of `telewire.Config`, which has checked their words.
#[pyfunction]
#[pyo3(signature = (*, brokers, layout, domain, named_stream_form, strategy, partition_mappings, security, common,
    producer, consumer, timeout_s, connect_timeout_s, quiet_s, on_outage, statistics_s))]
#[expect(clippy::too_many_arguments, reason = "one argument for each setting")]
pub(super) fn connect(
    py: Python<'_>,
    brokers: String,
    layout: &str,
    domain: String,
    named_stream_form: Option<&str>,
    strategy: &str,
    partition_mappings: Vec<(String, i32)>,
    mut security: Properties,
    common: Properties,
    producer: Properties,
    consumer: Properties,
    timeout_s: f64,
    connect_timeout_s: Option<f64>,
    quiet_s: f64,
    on_outage: &str,
    statistics_s: f64,
) -> PyResult<Client> {
    let options = ClientOptions {
        layout: one_of(
            py,
            "layout",
            layout,
            &[("auto", LayoutChoice::Auto), ("classic", LayoutChoice::Classic), ("domain", LayoutChoice::Domain)],
        )?,
        domain,
        named_stream_form: named_stream_form
            .map(|form| one_of(py, "named_stream_form", form, &[("A", NamedStreamForm::A), ("B", NamedStreamForm::B)]))
            .transpose()?,
        strategy: one_of(
            py,
            "strategy",
            strategy,
            &[("topic", Strategy::TopicBased), ("partition", Strategy::PartitionBased)],
        )?,
        partition_mappings,
        security: Security {
            protocol: security.remove("protocol"),
            mechanism: security.remove("mechanism"),
            sasl_username: security.remove("sasl_username"),
            sasl_password: security.remove("sasl_password"),
            ssl_ca_location: security.remove("ssl_ca_location"),
            ssl_certificate_location: security.remove("ssl_certificate_location"),
            ssl_key_location: security.remove("ssl_key_location"),
            ssl_key_password: security.remove("ssl_key_password"),
        },
        common,
        producer,
        consumer,
        timeout: boundary::seconds(py, "timeout_s", timeout_s)?,
        connect_timeout: connect_timeout_s
            .map(|seconds| boundary::seconds(py, "connect_timeout_s", seconds))
            .transpose()?,
        quiet: boundary::seconds(py, "quiet_s", quiet_s)?,
        statistics: boundary::seconds(py, "statistics_s", statistics_s)?,
        on_outage: one_of(py, "on_outage", on_outage, &[("fail", OnOutage::Fail), ("wait", OnOutage::Wait)])?,
        ..ClientOptions::new(brokers)
    };
    let client = boundary::wait(py, "connect", move || stream::Client::connect(options))?;
    Ok(Client { formats: Arc::new(Formats::new(client)) })
}

/// The value behind a word.
fn one_of<T: Copy>(py: Python<'_>, name: &str, given: &str, choices: &[(&str, T)]) -> PyResult<T> {
    choices.iter().find(|(word, _)| *word == given).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        errors::invalid(py, format!("{name} must be one of {}, not '{given}'", words.join(", ")))
    })
}

#[expect(clippy::too_many_arguments, reason = "the fields of a session")]
fn new_session(
    data_source: String,
    identifier: String,
    kind: String,
    version: u32,
    utc_offset_ns: i64,
    details: Properties,
    associates: Vec<String>,
    created_ns: Option<u64>,
) -> NewSession {
    NewSession {
        data_source,
        identifier,
        kind,
        version,
        utc_offset_ns: Some(utc_offset_ns),
        details,
        associates,
        created_ns: created_ns.unwrap_or_else(now_ns),
    }
}

impl Client {
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        what: &str,
        call: impl FnOnce(stream::Client) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let client = self.formats.client.get(py)?.clone();
        if client.is_closed() {
            return Err(errors::raise(py, &Error::Closed("the client".into())));
        }
        boundary::wait(py, what, move || call(client))
    }
}

#[pymethods]
impl Client {
    #[getter]
    fn brokers(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.formats.client.get(py)?.brokers())
    }

    fn layout(&self, py: Python<'_>) -> PyResult<LayoutParts> {
        let layout = self.formats.client.get(py)?.layout();
        let kind = match layout.kind {
            LayoutKind::Classic => "classic",
            LayoutKind::Domain => "domain",
        };
        let form = match layout.form {
            NamedStreamForm::A => "A",
            NamedStreamForm::B => "B",
        };
        let strategy = match layout.strategy {
            Strategy::TopicBased => "topic",
            Strategy::PartitionBased => "partition",
        };
        Ok((kind, layout.domain, form, strategy, layout.partition_mappings))
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.formats.client.get(py)?.is_closed())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a session")]
    fn new_session(
        &self,
        py: Python<'_>,
        data_source: String,
        identifier: String,
        r#type: String,
        version: u32,
        utc_offset_ns: i64,
        details: Properties,
        associates: Vec<String>,
        created_ns: Option<u64>,
    ) -> PyResult<SessionWriter> {
        let new = new_session(data_source, identifier, r#type, version, utc_offset_ns, details, associates, created_ns);
        self.with(py, "create_session", move |client| client.new_session(&new)).map(SessionWriter::new)
    }

    /// The record of a session alone.
    #[expect(clippy::too_many_arguments, reason = "the fields of a session")]
    fn register_session(
        &self,
        py: Python<'_>,
        data_source: String,
        identifier: String,
        r#type: String,
        version: u32,
        utc_offset_ns: i64,
        details: Properties,
        associates: Vec<String>,
        created_ns: Option<u64>,
    ) -> PyResult<SessionInfo> {
        let new = new_session(data_source, identifier, r#type, version, utc_offset_ns, details, associates, created_ns);
        self.with(py, "register_session", move |client| client.create_session(&new)).map(SessionInfo::new)
    }

    fn resume_session(&self, py: Python<'_>, key: String) -> PyResult<SessionWriter> {
        self.with(py, "resume_session", move |client| client.resume_session(&key)).map(SessionWriter::new)
    }

    #[pyo3(signature = (data_source, *, since_ns=None, live=None, limit=None))]
    fn sessions(
        &self,
        py: Python<'_>,
        data_source: Option<String>,
        since_ns: Option<u64>,
        live: Option<bool>,
        limit: Option<usize>,
    ) -> PyResult<Vec<SessionInfo>> {
        let found = self.with(py, "sessions", move |client| {
            client.find_sessions(&SessionFilter { data_source: data_source.as_deref(), since_ns, live, limit })
        })?;
        Ok(found.into_iter().map(SessionInfo::new).collect())
    }

    fn session(&self, py: Python<'_>, key: String) -> PyResult<SessionInfo> {
        self.with(py, "session", move |client| client.session(&key)).map(SessionInfo::new)
    }

    fn watch_sessions(&self, py: Python<'_>) -> PyResult<SessionWatch> {
        self.with(py, "watch_sessions", |client| client.watch_sessions()).map(SessionWatch::new)
    }

    fn watch_formats(&self, py: Python<'_>) -> PyResult<FormatWatch> {
        self.with(py, "watch_formats", |client| client.watch_formats()).map(FormatWatch::new)
    }

    fn end_session(&self, py: Python<'_>, key: String) -> PyResult<SessionInfo> {
        self.with(py, "end_session", move |client| client.end_session(&key)).map(SessionInfo::new)
    }

    fn update_identifier(&self, py: Python<'_>, key: String, identifier: String) -> PyResult<SessionInfo> {
        self.with(py, "update_identifier", move |client| client.update_identifier(&key, &identifier))
            .map(SessionInfo::new)
    }

    fn update_details(&self, py: Python<'_>, key: String, details: Properties) -> PyResult<SessionInfo> {
        self.with(py, "update_details", move |client| client.update_details(&key, details)).map(SessionInfo::new)
    }

    fn add_associate(&self, py: Python<'_>, key: String, associate_key: String) -> PyResult<SessionInfo> {
        self.with(py, "add_associate", move |client| client.add_associate(&key, &associate_key)).map(SessionInfo::new)
    }

    fn parameter_format(&self, py: Python<'_>, data_source: String, parameters: Vec<String>) -> PyResult<u64> {
        self.with(py, "parameter_format", move |client| client.parameter_format(&data_source, &parameters))
    }

    fn event_format(&self, py: Python<'_>, data_source: String, event: String) -> PyResult<u64> {
        self.with(py, "event_format", move |client| client.event_format(&data_source, &event))
    }

    fn parameters_of(&self, py: Python<'_>, data_source: String, id: u64) -> PyResult<Vec<String>> {
        self.with(py, "parameters_of", move |client| client.parameters_of(&data_source, id)).map(|found| found.to_vec())
    }

    fn event_of(&self, py: Python<'_>, data_source: String, id: u64) -> PyResult<String> {
        self.with(py, "event_of", move |client| client.event_of(&data_source, id)).map(|found| found.to_string())
    }

    fn formats(&self, py: Python<'_>, data_source: String) -> PyResult<Vec<FormatParts>> {
        let formats = self.with(py, "formats", move |client| client.formats(&data_source))?;
        Ok(formats.into_iter().map(format_parts).collect())
    }

    fn streams(&self, py: Python<'_>, data_source: String) -> PyResult<Vec<String>> {
        self.with(py, "streams", move |client| client.streams(&data_source))
    }

    fn data_sources(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, "data_sources", |client| client.data_sources())
    }

    fn writer(&self, py: Python<'_>) -> PyResult<PacketWriter> {
        self.with(py, "packet_writer", |client| client.writer()).map(PacketWriter::new)
    }

    #[pyo3(signature = (*, session_key, data_source, pattern, reading, streams, exclude_main, excluded_streams,
        inactivity_s, from_beginning, buffer_bytes, buffer_packets, group_id, essentials, from_ns, until_now,
        skip_undecodable))]
    #[expect(clippy::too_many_arguments, reason = "one argument for each option")]
    fn read(
        &self,
        py: Python<'_>,
        session_key: Option<String>,
        data_source: Option<String>,
        pattern: String,
        reading: &str,
        streams: Vec<String>,
        exclude_main: bool,
        excluded_streams: Vec<String>,
        inactivity_s: Option<f64>,
        from_beginning: bool,
        buffer_bytes: usize,
        buffer_packets: usize,
        group_id: String,
        essentials: bool,
        from_ns: Option<u64>,
        until_now: bool,
        skip_undecodable: bool,
    ) -> PyResult<Reader> {
        let grouped = !group_id.is_empty();
        let options = ReadOptions {
            session_key,
            data_source,
            pattern,
            reading: one_of(
                py,
                "mode",
                reading,
                &[
                    ("session", Reading::Session),
                    ("live", Reading::Live),
                    ("historic", Reading::Historic),
                    ("both", Reading::Both),
                ],
            )?,
            streams,
            exclude_main,
            excluded_streams,
            inactivity: match inactivity_s {
                None => Inactivity::Default,
                Some(seconds) if seconds.is_infinite() => Inactivity::Never,
                Some(seconds) => Inactivity::After(boundary::seconds(py, "inactivity_s", seconds)?),
            },
            live_start: if from_beginning { LiveStart::FromBeginning } else { LiveStart::LeadingEdge },
            buffer_bytes,
            buffer_packets,
            group_id,
            essentials,
            from_ns,
            until_now,
            aligned: false,
        };
        let reader = self.with(py, "read", move |client| client.read(options))?;
        Ok(Reader::new(reader, self.formats.clone(), grouped, skip_undecodable))
    }

    fn last_records(&self, py: Python<'_>, keys: Vec<String>) -> PyResult<HashMap<String, u64>> {
        self.with(py, "last_records", move |client| client.last_records(&keys))
    }

    fn retention_warnings(&self, py: Python<'_>, data_source: String) -> PyResult<Vec<String>> {
        self.with(py, "retention_warnings", move |client| client.retention_warnings(&data_source))
    }

    #[pyo3(signature = (*, parameters, length_ns, slide_ns, others, grouped))]
    fn merger(
        &self,
        py: Python<'_>,
        parameters: Option<Vec<String>>,
        length_ns: u64,
        slide_ns: u64,
        others: Vec<String>,
        grouped: bool,
    ) -> PyResult<Merger> {
        let options = windows::options(parameters, length_ns, slide_ns, &others, false, grouped);
        Merger::new(py, self.formats.clone(), &options)
    }

    /// How it is doing; also after it was closed.
    fn health(&self, py: Python<'_>) -> PyResult<Health> {
        let client = self.formats.client.get(py)?;
        boundary::quick(py, "health", || client.health()).map(Health::from)
    }

    /// (name, time in ns, JSON) of each native client.
    fn statistics(&self, py: Python<'_>) -> PyResult<Vec<(String, u64, String)>> {
        let client = self.formats.client.get(py)?;
        let found = boundary::quick(py, "statistics", || Ok(client.statistics()))?;
        Ok(found.into_iter().map(|(name, found)| (name, found.at_ns, found.json.to_string())).collect())
    }

    /// (data source, stream, packets, bytes) of what was written.
    fn written(&self, py: Python<'_>) -> PyResult<Vec<(String, String, u64, u64)>> {
        let client = self.formats.client.get(py)?;
        let found = boundary::quick(py, "written", || Ok(client.written()))?;
        Ok(found.into_iter().map(|found| (found.data_source, found.stream, found.packets, found.bytes)).collect())
    }

    /// (data source, sessions, data formats) of what is known.
    fn known(&self, py: Python<'_>) -> PyResult<Vec<(String, usize, usize)>> {
        let client = self.formats.client.get(py)?;
        let found = boundary::quick(py, "known", || Ok(client.known()))?;
        Ok(found.into_iter().map(|(name, (sessions, formats))| (name, sessions, formats)).collect())
    }

    fn close<'py>(&self, py: Python<'py>, timeout_s: f64) -> PyResult<(u64, Vec<OutcomeParts<'py>>, usize)> {
        let timeout = boundary::seconds(py, "timeout_s", timeout_s)?.max(Duration::from_millis(10));
        let client = self.formats.client.get(py)?.clone();
        let flushed = boundary::wait(py, "close", move || client.close(timeout))?;
        Ok(flushed_parts(py, flushed))
    }
}
