//! A reader: batches of packets and events, one crossing of the border for each batch.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::blocks::Blocks;
use super::boundary::{self, Held};
use super::health;
use super::info::SessionInfo;
use super::packet::{Formats, Packet};
use super::windows::{self, Windows};
use crate::packet::Head;
use crate::session;
use crate::stream::{self, Batch, BlockOptions, Completion, Item};
use crate::sync::Mutex;

/// Something that happened between packets.
#[pyclass(frozen, get_all, module = "telewire._core")]
#[derive(Default)]
pub(super) struct Event {
    kind: &'static str,
    session_key: String,
    data_source: String,
    stream: Option<String>,
    info: Option<Py<SessionInfo>>,
    time_ns: Option<u64>,
    associate: Option<String>,
    associate_info: Option<Py<SessionInfo>>,
    by: Option<&'static str>,
}

/// Reads packets.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Reader {
    reader: Held<Arc<stream::Reader>>,
    formats: Arc<Formats>,
    grouped: bool,
    skip_undecodable: bool,
    closed: AtomicBool,
    done: AtomicBool,
    warned: Mutex<HashSet<Arc<str>>>,
}

impl Reader {
    pub(super) fn new(reader: stream::Reader, formats: Arc<Formats>, grouped: bool, skip_undecodable: bool) -> Self {
        Self {
            reader: Held::new(Arc::new(reader)),
            formats,
            grouped,
            skip_undecodable,
            closed: AtomicBool::new(false),
            done: AtomicBool::new(false),
            warned: Mutex::default(),
        }
    }

    pub(super) fn is_grouped(&self) -> bool {
        self.grouped
    }

    /// Whether what cannot be read is passed over.
    pub(super) fn skips_undecodable(&self) -> bool {
        self.skip_undecodable
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Nothing will come any more.
    pub(super) fn finish(&self) {
        self.done.store(true, Ordering::Release);
    }

    /// Whether a record that is no packet is passed over.
    fn skips(&self, record: &stream::Packet) -> bool {
        if !self.skip_undecodable || record.head.is_some() {
            return false;
        }
        if self.warned.lock().insert(record.topic.clone()) {
            let fault = Head::peek(&record.payload).err().map(|fault| fault.to_string()).unwrap_or_default();
            log::warn!(
                topic:% = record.topic, partition = record.partition, offset = record.offset, stream:% = record.stream,
                session:% = record.session.key;
                "record at {} partition {} offset {} is no packet and is skipped: {fault}; further ones of this topic \
                 are only counted, see Reader.counts",
                record.topic,
                record.partition,
                record.offset
            );
        }
        true
    }

    fn convert<'py>(&self, py: Python<'py>, items: Vec<Item>, events: bool) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for item in items {
            match item {
                Item::Packet(record) if self.skips(&record) => {}
                Item::Packet(record) => {
                    list.append(Bound::new(py, Packet::new(record, self.formats.clone()))?)?;
                }
                other if events => list.append(Bound::new(py, event(py, other)?)?)?,
                _ => {}
            }
        }
        Ok(list)
    }
}

#[pymethods]
impl Reader {
    #[getter]
    fn grouped(&self) -> bool {
        self.grouped
    }

    #[getter]
    fn closed(&self) -> bool {
        self.is_closed()
    }

    /// Whether nothing will come any more.
    #[getter]
    fn done(&self) -> bool {
        self.is_done()
    }

    /// Up to `most` items as soon as there is one: a list, an empty list after the time-out, None at the end.
    #[pyo3(signature = (most, timeout_s, *, events))]
    fn next_batch<'py>(
        &self,
        py: Python<'py>,
        most: usize,
        timeout_s: Option<f64>,
        events: bool,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let reader = self.reader.get(py)?;
        let timeout = timeout_s.map(|timeout_s| boundary::seconds(py, "timeout_s", timeout_s)).transpose()?;
        let deadline = timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            let batch = boundary::poll(py, "reading", left, |slice| {
                if self.closed() || self.done() {
                    return Ok(Some(Batch::End));
                }
                match reader.next_batch(most, slice)? {
                    Batch::Empty => Ok(None),
                    batch => Ok(Some(batch)),
                }
            })?;
            match batch {
                None => return Ok(Some(PyList::empty(py))),
                Some(Batch::Items(items)) => {
                    let list = self.convert(py, items, events)?;
                    // A batch of nothing but events nobody wants is no reason to come back early.
                    if !list.is_empty() {
                        return Ok(Some(list));
                    }
                }
                Some(_) => {
                    self.finish();
                    return Ok(None);
                }
            }
        }
    }

    /// What comes from now on, with the samples as blocks of columns.
    #[pyo3(signature = (*, parameters, most_bytes, others))]
    fn blocks(
        this: &Bound<'_, Self>,
        parameters: Option<Vec<String>>,
        most_bytes: usize,
        others: bool,
    ) -> PyResult<Blocks> {
        let reader = this.get();
        let core = reader.reader.get(this.py())?.clone();
        let options = BlockOptions { parameters, most_bytes, others };
        Blocks::new(this.py(), this, core, reader.formats.clone(), &options)
    }

    /// What comes from now on, with the samples merged into windows.
    #[pyo3(signature = (*, parameters, length_ns, slide_ns, others, events))]
    fn windows(
        this: &Bound<'_, Self>,
        parameters: Option<Vec<String>>,
        length_ns: u64,
        slide_ns: u64,
        others: Vec<String>,
        events: bool,
    ) -> PyResult<Windows> {
        let reader = this.get();
        let core = reader.reader.get(this.py())?.clone();
        let raises = !reader.skip_undecodable;
        let options = windows::options(parameters, length_ns, slide_ns, &others, raises, reader.grouped);
        Windows::new(this.py(), this, core, reader.formats.clone(), &options, events)
    }

    /// Everything up to this offset was handled: the group goes on behind it.
    fn store_position(&self, py: Python<'_>, topic: &str, partition: i32, offset: i64) -> PyResult<()> {
        let reader = self.reader.get(py)?;
        boundary::quick(py, "store", || reader.store_offset(topic, partition, offset))
    }

    /// Keeps the streams of each session together in time, or lets each run as it comes.
    fn align(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        let reader = self.reader.get(py)?;
        boundary::quick(py, "align", || {
            reader.set_aligned(on);
            Ok(())
        })
    }

    #[getter]
    fn aligned(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.reader.get(py)?.is_aligned())
    }

    /// This packet was handled: the group goes on behind it.
    fn store(&self, py: Python<'_>, packet: &Bound<'_, Packet>) -> PyResult<()> {
        let reader = self.reader.get(py)?;
        let (topic, partition, offset) = packet.get().source();
        boundary::quick(py, "store", || reader.store_offset(topic, partition, offset))
    }

    /// What was stored reaches the broker now.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        let reader = self.reader.get(py)?.clone();
        boundary::wait(py, "commit", move || reader.commit())
    }

    /// (packets, bytes, undecodable, skipped, foreign, lost, retried).
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64, u64, u64, u64)> {
        let counts = self.reader.get(py)?.counts();
        let stream::ReadCounts { packets, bytes, undecodable, skipped, foreign, lost, retried } = counts;
        Ok((packets, bytes, undecodable, skipped, foreign, lost, retried))
    }

    /// Its number among the readers of its client.
    #[getter]
    fn number(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.reader.get(py)?.number())
    }

    /// How it is doing; also after it was closed.
    fn health(&self, py: Python<'_>) -> PyResult<health::Reader> {
        let reader = self.reader.get(py)?;
        let client = self.formats.client.get(py)?;
        boundary::quick(py, "health", || client.reader_health(reader)).map(health::Reader::from)
    }

    /// Items that wait in memory.
    #[getter]
    fn queued(&self, py: Python<'_>) -> PyResult<usize> {
        let reader = self.reader.get(py)?;
        Ok(py.detach(|| reader.queued()))
    }

    fn close(&self, py: Python<'_>, timeout_s: f64) -> PyResult<()> {
        let timeout = boundary::seconds(py, "timeout_s", timeout_s)?;
        let reader = self.reader.get(py)?.clone();
        self.closed.store(true, Ordering::Release);
        self.done.store(true, Ordering::Release);
        boundary::wait(py, "close", move || {
            reader.close(timeout.max(Duration::from_millis(10)));
            Ok(())
        })
    }
}

/// An item that is no packet.
pub(super) fn event(py: Python<'_>, item: Item) -> PyResult<Event> {
    let about = |kind, info: Arc<session::SessionInfo>| -> PyResult<Event> {
        Ok(Event {
            kind,
            session_key: info.key.clone(),
            data_source: info.data_source.clone(),
            info: Some(Py::new(py, SessionInfo::new(info))?),
            ..Event::default()
        })
    };
    let of_stream = |kind, stream: &stream::StreamRef| Event {
        kind,
        session_key: stream.session.key.to_string(),
        data_source: stream.session.data_source.to_string(),
        stream: Some(stream.stream.to_string()),
        ..Event::default()
    };
    match item {
        Item::SessionStarted(info) => about("session_started", info),
        Item::SessionUpdated(info) => about("session_updated", info),
        Item::SessionCompleted { info, by } => {
            let by = match by {
                Completion::EndOffsets => "end_offsets",
                Completion::Inactivity => "inactivity",
            };
            Ok(Event { by: Some(by), ..about("session_completed", info)? })
        }
        Item::Associated { main, associate } => {
            let key = associate.key.clone();
            let associate_info = Some(Py::new(py, SessionInfo::new(associate))?);
            Ok(Event { associate: Some(key), associate_info, ..about("associated", main)? })
        }
        Item::StreamStarted(stream) => Ok(of_stream("stream_started", &stream)),
        Item::StreamCompleted(stream) => Ok(of_stream("stream_completed", &stream)),
        Item::CoverageCursor { session, time_ns } => Ok(Event {
            kind: "coverage_cursor",
            session_key: session.key.to_string(),
            data_source: session.data_source.to_string(),
            time_ns: Some(time_ns),
            ..Event::default()
        }),
        Item::Packet(_) => Ok(Event::default()),
    }
}
