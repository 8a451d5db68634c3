//! Windows of merged samples: NumPy looks into the slide's own memory, which lives as long as the last array that shows
//! it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow_array::StringArray;
use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyTuple};

use super::boundary::{self, Held};
use super::errors;
use super::lists::{self, Lists, Rows};
use super::packet::{Formats, Packet};
use super::reader::{Reader, event};
use super::{arrays, arrow};
use crate::pipeline::{MergeOptions, OtherKind, Slide, SlideColumn, SlideValues, Value};
use crate::stream::{self, Input, Item, Merged, Merging, MergingCounts, MergingOptions, SessionRef, SlideStep, Slides};
use crate::sync::Mutex;

/// What a window's slide is made of.
pub(super) type PacketSlide = Slide<stream::Packet>;

/// Totals, in the order of `telewire.MergeCounts`.
type Totals = (u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);
/// Times and values of many parameters.
type Wide<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);
/// Times, places of the parameters, values, texts, statuses.
type Long<'py> =
    (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Vec<Option<String>>>, Bound<'py, PyAny>);
/// Times, values and statuses of a parameter.
type Column<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// The options of merging; `others` has been checked.
pub(super) fn options(
    parameters: Option<Vec<String>>,
    length_ns: u64,
    slide_ns: u64,
    others: &[String],
    unreadable: bool,
    grouped: bool,
) -> MergingOptions {
    let kinds = [OtherKind::Event, OtherKind::Error, OtherKind::Can, OtherKind::Marker];
    let others = kinds.into_iter().filter(|kind| others.iter().any(|word| word == word_of(*kind))).collect();
    let merge = MergeOptions { window_ns: length_ns.max(1), slide_ns: slide_ns.max(1) };
    MergingOptions { parameters, merge, others, unreadable, grouped }
}

fn word_of(kind: OtherKind) -> &'static str {
    match kind {
        OtherKind::Event => "event",
        OtherKind::Error => "error",
        OtherKind::Can => "can",
        OtherKind::Marker => "marker",
    }
}

fn totals(counts: MergingCounts) -> Totals {
    let MergingCounts { slides, received, delivered, late, replaced, dropped, buffered, .. } = counts;
    let MergingCounts { others, late_others, unreadable, unresolved, .. } = counts;
    (slides, received, delivered, late, replaced, dropped, buffered, others, late_others, unreadable, unresolved)
}

fn texts<K: Into<Arc<str>>>(found: BTreeMap<K, u64>) -> BTreeMap<String, u64> {
    found.into_iter().map(|(key, value)| (key.into().to_string(), value)).collect()
}

fn pairs(found: BTreeMap<(Arc<str>, Arc<str>), u64>) -> BTreeMap<(String, String), u64> {
    found.into_iter().map(|((source, stream), count)| ((source.to_string(), stream.to_string()), count)).collect()
}

// ------------------------------------------------------------------------------------------------------------ reading

/// Turns what a reader gives into windows.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Windows {
    reader: Py<Reader>,
    slides: Held<Arc<Slides>>,
    formats: Arc<Formats>,
}

impl Windows {
    pub(super) fn new(
        py: Python<'_>,
        reader: &Bound<'_, Reader>,
        core: Arc<stream::Reader>,
        formats: Arc<Formats>,
        options: &MergingOptions,
        events: bool,
    ) -> PyResult<Self> {
        let client = formats.client.get(py)?.clone();
        let slides = Slides::new(core, client, options, events).map_err(|error| errors::raise(py, &error))?;
        Ok(Self { reader: reader.clone().unbind(), slides: Held::new(Arc::new(slides)), formats })
    }

    fn convert<'py>(&self, py: Python<'py>, pieces: Vec<Merged<Item>>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for piece in pieces {
            match piece {
                Merged::Event(item) => list.append(Bound::new(py, event(py, item)?)?)?,
                other => append(py, &list, other, &self.formats)?,
            }
        }
        Ok(list)
    }
}

/// Appends what is no event.
fn append<E>(py: Python<'_>, list: &Bound<'_, PyList>, piece: Merged<E>, formats: &Arc<Formats>) -> PyResult<()> {
    match piece {
        Merged::Slide(session, slide) => list.append(Bound::new(py, Window::new(session, slide, formats.clone()))?),
        Merged::Configuration(packet) => list.append(Bound::new(py, Packet::new(packet, formats.clone()))?),
        Merged::Unreadable(record, error) => {
            let packet = Packet::new(record, formats.clone());
            let raised = packet.locate(py, error);
            list.append((Bound::new(py, packet)?, raised))
        }
        Merged::Event(_) => Ok(()),
    }
}

#[pymethods]
impl Windows {
    /// What has come, in order: windows, configurations, events, and pairs of a packet and why it cannot be read. An
    /// empty list after the time-out, None at the end.
    fn next_batch<'py>(&self, py: Python<'py>, timeout_s: Option<f64>) -> PyResult<Option<Bound<'py, PyList>>> {
        let slides = self.slides.get(py)?;
        let reader = self.reader.get();
        let timeout = timeout_s.map(|timeout_s| boundary::seconds(py, "timeout_s", timeout_s)).transpose()?;
        let deadline = timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            let step = boundary::poll(py, "reading", left, |slice| {
                if reader.is_closed() || reader.is_done() {
                    return Ok(Some(SlideStep::End));
                }
                match slides.step(slice)? {
                    SlideStep::Empty => Ok(None),
                    step => Ok(Some(step)),
                }
            })?;
            match step {
                None => return Ok(Some(PyList::empty(py))),
                Some(SlideStep::Pieces(pieces)) if pieces.is_empty() => {}
                Some(SlideStep::Pieces(pieces)) => return self.convert(py, pieces).map(Some),
                Some(SlideStep::Unknown(format)) => {
                    let slides = slides.clone();
                    boundary::wait(py, "looking up a data format", move || slides.look_up(&format))?;
                }
                Some(SlideStep::Empty | SlideStep::End) => {
                    reader.finish();
                    return Ok(None);
                }
            }
        }
    }

    /// The first `count` pieces of the last batch were handled: the group may go on behind what they hold.
    fn handled(&self, py: Python<'_>, count: usize) -> PyResult<()> {
        let slides = self.slides.get(py)?;
        boundary::quick(py, "store", || {
            slides.handled(count);
            Ok(())
        })
    }

    #[pyo3(signature = (data_source, session_key))]
    fn counts(&self, py: Python<'_>, data_source: Option<&str>, session_key: Option<&str>) -> PyResult<Totals> {
        let slides = self.slides.get(py)?;
        Ok(totals(py.detach(|| slides.merging().counts(data_source, session_key))))
    }

    #[pyo3(signature = (data_source, session_key))]
    fn last_times(
        &self,
        py: Python<'_>,
        data_source: Option<&str>,
        session_key: &str,
    ) -> PyResult<BTreeMap<String, u64>> {
        let slides = self.slides.get(py)?;
        Ok(texts(py.detach(|| slides.merging().last_times(data_source, session_key))))
    }

    #[pyo3(signature = (data_source, session_key))]
    fn frontier_ns(&self, py: Python<'_>, data_source: Option<&str>, session_key: &str) -> PyResult<Option<u64>> {
        let slides = self.slides.get(py)?;
        Ok(py.detach(|| slides.merging().frontier_ns(data_source, session_key)))
    }

    fn late_by_stream(&self, py: Python<'_>) -> PyResult<BTreeMap<(String, String), u64>> {
        let slides = self.slides.get(py)?;
        Ok(pairs(py.detach(|| slides.merging().late_by_stream())))
    }
}

// ------------------------------------------------------------------------------------------------------------ merging

/// Merges packets that Python has read.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Merger {
    merging: Held<Arc<Merging>>,
    options: MergeOptions,
    formats: Arc<Formats>,
    /// What a push had not done when it was interrupted; the next one goes on with it.
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    inputs: VecDeque<Input<Py<PyAny>>>,
    pieces: Vec<Merged<Py<PyAny>>>,
}

impl Merger {
    pub(super) fn new(py: Python<'_>, formats: Arc<Formats>, options: &MergingOptions) -> PyResult<Self> {
        let client = formats.client.get(py)?.clone();
        let merging = Merging::new(client, options).map_err(|error| errors::raise(py, &error))?;
        let merging = Held::new(Arc::new(merging));
        Ok(Self { merging, options: options.merge, formats, under_way: Mutex::default() })
    }

    fn convert<'py>(&self, py: Python<'py>, pieces: Vec<Merged<Py<PyAny>>>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for piece in pieces {
            match piece {
                Merged::Event(event) => list.append(event)?,
                other => append(py, &list, other, &self.formats)?,
            }
        }
        Ok(list)
    }

    /// Asks the broker. When Ctrl-C ends the wait, what is under way is kept for the next call.
    fn look_up(&self, py: Python<'_>, state: &mut UnderWay, format: stream::UnknownFormat) -> PyResult<()> {
        let merging = self.merging.get(py)?.clone();
        let asked = boundary::wait(py, "looking up a data format", move || {
            merging.look_up(&format);
            Ok(())
        });
        if asked.is_err() {
            *self.under_way.lock() = std::mem::take(state);
        }
        asked
    }
}

#[pymethods]
impl Merger {
    #[getter]
    fn length_ns(&self) -> u64 {
        self.options.window_ns
    }

    #[getter]
    fn slide_ns(&self) -> u64 {
        self.options.slide_ns
    }

    /// Takes packets and events; gives back windows, configurations and the events, in order.
    fn push<'py>(&self, py: Python<'py>, items: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        let merging = self.merging.get(py)?;
        let inputs = items.into_iter().map(|item| input(&item)).collect::<PyResult<Vec<_>>>()?;
        let mut state = std::mem::take(&mut *self.under_way.lock());
        if state.inputs.is_empty() && state.pieces.is_empty() {
            merging.begin();
        }
        state.inputs.extend(inputs);
        loop {
            let UnderWay { inputs, pieces } = &mut state;
            match boundary::quick(py, "merging", || Ok(merging.push(inputs, usize::MAX, pieces)))? {
                Some(format) => self.look_up(py, &mut state, format)?,
                None => return self.convert(py, state.pieces),
            }
        }
    }

    /// Ends sessions, all or the one with this key: the windows they still hold.
    #[pyo3(signature = (session_key))]
    fn finish<'py>(&self, py: Python<'py>, session_key: Option<&str>) -> PyResult<Bound<'py, PyList>> {
        let merging = self.merging.get(py)?;
        let mut state = std::mem::take(&mut *self.under_way.lock());
        if state.inputs.is_empty() && state.pieces.is_empty() {
            merging.begin();
        }
        loop {
            let UnderWay { inputs, pieces } = &mut state;
            // What an interrupted push has left comes first.
            let finish = || {
                let unknown = merging.push(inputs, usize::MAX, pieces);
                Ok(unknown.or_else(|| merging.finish(session_key, pieces)))
            };
            match boundary::quick(py, "merging", finish)? {
                Some(format) => self.look_up(py, &mut state, format)?,
                None => return self.convert(py, state.pieces),
            }
        }
    }

    #[pyo3(signature = (session_key))]
    fn drop(&self, py: Python<'_>, session_key: Option<&str>) -> PyResult<()> {
        let merging = self.merging.get(py)?;
        boundary::quick(py, "dropping", || {
            merging.drop_sessions(session_key);
            Ok(())
        })
    }

    /// Positions that may be stored now.
    fn handled(&self, py: Python<'_>) -> PyResult<Vec<(String, i32, i64)>> {
        let merging = self.merging.get(py)?;
        let found = py.detach(|| merging.positions());
        Ok(found.into_iter().map(|(topic, partition, offset)| (topic.to_string(), partition, offset)).collect())
    }

    #[pyo3(signature = (data_source, session_key))]
    fn counts(&self, py: Python<'_>, data_source: Option<&str>, session_key: Option<&str>) -> PyResult<Totals> {
        let merging = self.merging.get(py)?;
        Ok(totals(py.detach(|| merging.counts(data_source, session_key))))
    }

    #[pyo3(signature = (data_source, session_key))]
    fn last_times(
        &self,
        py: Python<'_>,
        data_source: Option<&str>,
        session_key: &str,
    ) -> PyResult<BTreeMap<String, u64>> {
        let merging = self.merging.get(py)?;
        Ok(texts(py.detach(|| merging.last_times(data_source, session_key))))
    }

    #[pyo3(signature = (data_source, session_key))]
    fn frontier_ns(&self, py: Python<'_>, data_source: Option<&str>, session_key: &str) -> PyResult<Option<u64>> {
        let merging = self.merging.get(py)?;
        Ok(py.detach(|| merging.frontier_ns(data_source, session_key)))
    }

    fn late_by_stream(&self, py: Python<'_>) -> PyResult<BTreeMap<(String, String), u64>> {
        let merging = self.merging.get(py)?;
        Ok(pairs(py.detach(|| merging.late_by_stream())))
    }

    fn unresolved(&self, py: Python<'_>) -> PyResult<BTreeMap<String, u64>> {
        let merging = self.merging.get(py)?;
        Ok(texts(py.detach(|| merging.unresolved())))
    }
}

/// A packet, or an event of Python's, which is given back as it is.
fn input(item: &Bound<'_, PyAny>) -> PyResult<Input<Py<PyAny>>> {
    if let Ok(packet) = item.cast::<Packet>() {
        return Ok(Input::Packet(packet.get().record()));
    }
    let Ok(kind) = item.getattr("kind") else {
        let shown = item.repr()?;
        let reason = format!("push takes packets and events as Reader.fetch_items gives them, not {shown}");
        return Err(errors::invalid(item.py(), reason));
    };
    let event = item.clone().unbind();
    if kind.extract::<&str>()? != "session_completed" {
        return Ok(Input::Event(event));
    }
    let text = |name: &str| -> PyResult<Arc<str>> { Ok(item.getattr(name)?.extract::<String>()?.into()) };
    let session = SessionRef { key: text("session_key")?, data_source: text("data_source")? };
    Ok(Input::Completed(Arc::new(session), event))
}

// ------------------------------------------------------------------------------------------------------------- window

/// Samples of a session within a span of time.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Window {
    session: Arc<SessionRef>,
    slide: Arc<PacketSlide>,
    formats: Arc<Formats>,
    parameters: PyOnceLock<Py<PyTuple>>,
}

impl Window {
    pub(super) fn new(session: Arc<SessionRef>, slide: Arc<PacketSlide>, formats: Arc<Formats>) -> Self {
        Self { session, slide, formats, parameters: PyOnceLock::new() }
    }

    /// Its samples.
    pub(super) fn slide(&self) -> &Arc<PacketSlide> {
        &self.slide
    }
}

#[pymethods]
impl Window {
    #[getter]
    fn session_key(&self) -> &str {
        &self.session.key
    }

    #[getter]
    fn data_source(&self) -> &str {
        &self.session.data_source
    }

    #[getter]
    fn start_ns(&self) -> u64 {
        self.slide.start_ns()
    }

    #[getter]
    fn end_ns(&self) -> u64 {
        self.slide.end_ns()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let tuple = self.parameters.get_or_try_init(py, || {
            PyTuple::new(py, self.slide.columns().map(|column| &**column.name)).map(Bound::unbind)
        })?;
        Ok(tuple.bind(py).clone())
    }

    fn __len__(&self) -> usize {
        self.slide.len()
    }

    /// Whether the parameter has samples here.
    fn has(&self, parameter: &str) -> bool {
        self.slide.column_of(parameter).is_some()
    }

    /// Times, values and statuses of a parameter: arrays over the slide's memory, and lists of text or of values of
    /// several types. None if it has no sample here.
    fn column<'py>(this: &Bound<'py, Self>, parameter: &str) -> PyResult<Option<Column<'py>>> {
        let py = this.py();
        let Some(column) = this.get().slide().column_of(parameter) else { return Ok(None) };
        // Times beyond the year 2262 wrap, as they do in every int64 of nanoseconds.
        let times = vector(this, column.times)?.call_method1("view", ("int64",))?;
        let values = match column.values {
            SlideValues::F64(values) => vector(this, values)?,
            SlideValues::I32(values) => vector(this, values)?,
            SlideValues::Bool(values) => vector(this, values)?,
            SlideValues::Str(texts) => PyList::new(py, texts.iter().map(|text| &**text))?.into_any(),
            SlideValues::Mixed(values) => {
                let list = PyList::empty(py);
                for value in values {
                    match value {
                        Value::F64(value) => list.append(value)?,
                        Value::I32(value) => list.append(value)?,
                        Value::Bool(value) => list.append(value)?,
                        Value::Str(text) => list.append(&**text)?,
                    }
                }
                list.into_any()
            }
        };
        // The slide has statuses for all of its columns once one of them needs some.
        let status = column.status.filter(|status| status.iter().any(|&worth| worth != crate::packet::status::VALID));
        let status = status.map(|status| vector(this, status)).transpose()?;
        Ok(Some((times, values, status)))
    }

    /// Times, values and statuses of a parameter as lists. None if it has no sample here.
    fn lists<'py>(&self, py: Python<'py>, parameter: &str) -> PyResult<Option<Lists<'py>>> {
        self.slide.column_of(parameter).map(|column| lists::column(py, &column)).transpose()
    }

    /// All samples of the parameters by time.
    fn rows<'py>(&self, py: Python<'py>, parameters: Vec<Bound<'py, PyString>>) -> PyResult<Rows<'py>> {
        lists::rows(py, &self.slide, &parameters)
    }

    /// (kind, identifier, time, packet) of what is no sample, in order.
    fn others<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for other in self.slide.others() {
            let packet = Bound::new(py, Packet::new(other.item.clone(), self.formats.clone()))?;
            list.append((word_of(other.kind), &*other.identifier, other.time_ns, packet))?;
        }
        Ok(list)
    }

    /// The distinct times (n,) of all parameters, or of these, and their values (n, p) as doubles, NaN where there are
    /// none.
    fn wide<'py>(&self, py: Python<'py>, parameters: Option<Vec<Bound<'py, PyString>>>) -> PyResult<Wide<'py>> {
        let columns = match &parameters {
            Some(parameters) => lists::columns(&self.slide, parameters)?,
            None => self.slide.columns().collect(),
        };
        let (times, values) = py.detach(|| wide(&columns));
        let rows = times.len();
        let values = PyArray1::from_vec(py, values).reshape([columns.len(), rows])?.getattr("T")?;
        Ok((PyArray1::from_vec(py, times).into_any(), values))
    }

    /// Times, places of the parameters, values, texts if there are any, and statuses, one row for each sample.
    fn long<'py>(&self, py: Python<'py>) -> PyResult<Long<'py>> {
        let long = py.detach(|| long(&self.slide));
        let there = |worth: &u8| !arrow::is_null(*worth);
        let values = long.values.iter().zip(&long.status);
        let values: Vec<f64> = values.map(|(value, worth)| if there(worth) { *value } else { f64::NAN }).collect();
        let texts = long.texts.map(|texts| {
            let texts = texts.into_iter().zip(&long.status);
            texts.map(|(text, worth)| text.filter(|_| there(worth)).map(|text| text.to_string())).collect()
        });
        Ok((
            PyArray1::from_vec(py, long.times).into_any(),
            PyArray1::from_vec(py, long.codes).into_any(),
            PyArray1::from_vec(py, values).into_any(),
            texts,
            PyArray1::from_vec(py, long.status).into_any(),
        ))
    }

    fn arrow_schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let has_text = self.slide.columns().any(|column| has_text(&column.values));
        arrow::schema_capsule(py, &arrow::long_schema(has_text))
    }

    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let batch = py.detach(|| {
            let names = self.slide.columns().map(|column| Some(&**column.name)).collect::<StringArray>();
            let long = long(&self.slide);
            arrow::long_batch(arrow::long_schema(long.texts.is_some()), Arc::new(names), long)
        });
        let batch = batch.map_err(|error| arrow::failed(py, &error))?;
        arrow::stream_capsule(py, batch.schema(), vec![batch])
    }
}

fn has_text(values: &SlideValues<'_>) -> bool {
    match values {
        SlideValues::Str(_) => true,
        SlideValues::Mixed(values) => values.iter().any(|value| matches!(value, Value::Str(_))),
        SlideValues::F64(_) | SlideValues::I32(_) | SlideValues::Bool(_) => false,
    }
}

/// Calls `each` with every value of a column as a double; text is NaN.
fn doubles(values: &SlideValues<'_>, mut each: impl FnMut(f64)) {
    match values {
        SlideValues::F64(values) => values.iter().for_each(|&value| each(value)),
        SlideValues::I32(values) => values.iter().for_each(|&value| each(f64::from(value))),
        SlideValues::Bool(values) => values.iter().for_each(|&value| each(f64::from(u8::from(value)))),
        SlideValues::Str(values) => values.iter().for_each(|_| each(f64::NAN)),
        SlideValues::Mixed(values) => values.iter().for_each(|value| match value {
            Value::F64(value) => each(*value),
            Value::I32(value) => each(f64::from(*value)),
            Value::Bool(value) => each(f64::from(u8::from(*value))),
            Value::Str(_) => each(f64::NAN),
        }),
    }
}

/// One row for each sample, by parameter.
fn long(slide: &PacketSlide) -> arrow::Long<Arc<str>> {
    let len = slide.len();
    let has_text = slide.columns().any(|column| has_text(&column.values));
    let mut long = arrow::Long {
        times: Vec::with_capacity(len),
        codes: Vec::with_capacity(len),
        values: Vec::with_capacity(len),
        texts: has_text.then(|| Vec::with_capacity(len)),
        status: Vec::with_capacity(len),
    };
    for (code, column) in (0_i32..).zip(slide.columns()) {
        long.times.extend(column.times.iter().map(|time| time.cast_signed()));
        long.codes.resize(long.times.len(), code);
        match column.values {
            SlideValues::F64(values) => long.values.extend_from_slice(values),
            ref values => doubles(values, |value| long.values.push(value)),
        }
        match column.status {
            Some(status) => long.status.extend_from_slice(status),
            None => long.status.resize(long.times.len(), crate::packet::status::VALID),
        }
        if let Some(texts) = &mut long.texts {
            match column.values {
                SlideValues::Str(values) => texts.extend(values.iter().cloned().map(Some)),
                SlideValues::Mixed(values) => texts.extend(values.iter().map(|value| match value {
                    Value::Str(text) => Some(text.clone()),
                    _ => None,
                })),
                _ => texts.resize(long.times.len(), None),
            }
        }
    }
    long
}

/// The distinct times, and the values column after column, NaN where a parameter has none.
fn wide(columns: &[SlideColumn<'_>]) -> (Vec<i64>, Vec<f64>) {
    // Parameters that came together have the same times: each list is taken in once.
    let mut lists: Vec<&[u64]> = columns.iter().map(|column| column.times).collect();
    lists.sort_unstable();
    lists.dedup();
    let mut times = lists.concat();
    if lists.len() > 1 {
        times.sort_unstable();
        times.dedup();
    }
    let rows = times.len();
    let mut all = Vec::with_capacity(rows * columns.len());
    for column in columns {
        let start = all.len();
        if column.times.len() == rows {
            doubles(&column.values, |value| all.push(value));
            continue;
        }
        all.resize(start + rows, f64::NAN);
        let (mut row, mut index) = (0, 0);
        doubles(&column.values, |value| {
            row += times[row..].partition_point(|&time| time < column.times[index]);
            all[start + row] = value;
            index += 1;
        });
    }
    (times.into_iter().map(u64::cast_signed).collect(), all)
}

fn vector<'py, T: Element>(owner: &Bound<'py, Window>, data: &[T]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the memory is the slide's, which nobody changes or moves while the Python object that holds it lives.
    unsafe { arrays::shown(owner.clone().into_any(), data) }
}
