//! Blocks of columns: NumPy looks into the core's own memory, which lives as long as the last array that shows it.

use std::collections::HashSet;
use std::sync::Arc;

use numpy::ndarray::{ArrayView2, ShapeBuilder};
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::boundary::{self, Held};
use super::errors;
use super::packet::{Formats, Packet};
use super::reader::{Reader, event};
use super::{arrays, arrow};
use crate::packet::{ColumnView, PacketType, TableView, Times};
use crate::stream::{self, BlockOptions, Piece, Step};
use crate::sync::Mutex;

/// Turns what a reader gives into blocks.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Blocks {
    reader: Py<Reader>,
    blocks: Held<Arc<stream::Blocks>>,
    formats: Arc<Formats>,
    warned: Mutex<HashSet<Arc<str>>>,
}

impl Blocks {
    pub(super) fn new(
        py: Python<'_>,
        reader: &Bound<'_, Reader>,
        core: Arc<stream::Reader>,
        formats: Arc<Formats>,
        options: &BlockOptions,
    ) -> PyResult<Self> {
        let client = formats.client.get(py)?.clone();
        let blocks = stream::Blocks::new(core, client, options, reader.get().is_grouped())
            .map_err(|error| errors::raise(py, &error))?;
        let warned = Mutex::default();
        Ok(Self { reader: reader.clone().unbind(), blocks: Held::new(Arc::new(blocks)), formats, warned })
    }

    fn convert<'py>(&self, py: Python<'py>, pieces: Vec<Piece>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for piece in pieces {
            match piece {
                Piece::Block(block) => list.append(Bound::new(py, Block::new(block))?)?,
                Piece::Packet(packet) => list.append(Bound::new(py, Packet::new(packet, self.formats.clone()))?)?,
                Piece::Event(item) => list.append(Bound::new(py, event(py, item)?)?)?,
                Piece::Unreadable(record, error) => {
                    let (topic, partition, offset) = (record.topic.clone(), record.partition, record.offset);
                    let packet = Packet::new(record, self.formats.clone());
                    let first = self.warned.lock().insert(topic.clone());
                    if first && self.reader.get().skips_undecodable() {
                        log::warn!(
                            "record at {topic} partition {partition} offset {offset} cannot be read and is skipped: \
                             {error}; further ones of this topic are only counted, see Blocks.counts"
                        );
                    }
                    let raised = packet.locate(py, error);
                    list.append((Bound::new(py, packet)?, raised))?;
                }
            }
        }
        Ok(list)
    }
}

#[pymethods]
impl Blocks {
    /// What has come, in order: blocks, packets, events, and pairs of a packet and why it cannot be read. An empty list
    /// after the time-out, None at the end.
    fn next_batch<'py>(&self, py: Python<'py>, timeout_s: Option<f64>) -> PyResult<Option<Bound<'py, PyList>>> {
        let blocks = self.blocks.get(py)?;
        let reader = self.reader.get();
        let timeout = timeout_s.map(|timeout_s| boundary::seconds(py, "timeout_s", timeout_s)).transpose()?;
        let deadline = timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            let step = boundary::poll(py, "reading", left, |slice| {
                if reader.is_closed() || reader.is_done() {
                    return Ok(Some(Step::End));
                }
                match blocks.step(slice)? {
                    Step::Empty => Ok(None),
                    step => Ok(Some(step)),
                }
            })?;
            match step {
                None => return Ok(Some(PyList::empty(py))),
                Some(Step::Pieces(pieces)) if pieces.is_empty() => {}
                Some(Step::Pieces(pieces)) => return self.convert(py, pieces).map(Some),
                Some(Step::Unknown(format)) => {
                    let blocks = blocks.clone();
                    boundary::wait(py, "looking up a data format", move || blocks.look_up(&format))?;
                }
                Some(Step::Empty | Step::End) => {
                    reader.finish();
                    return Ok(None);
                }
            }
        }
    }

    /// The first `count` pieces of the last batch were handled: the group goes on behind them.
    fn handled(&self, py: Python<'_>, count: usize) -> PyResult<()> {
        let blocks = self.blocks.get(py)?;
        boundary::quick(py, "store", || {
            blocks.handled(count);
            Ok(())
        })
    }

    /// (blocks, samples, packets, unwanted, unreadable).
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64, u64)> {
        let counts = self.blocks.get(py)?.counts();
        Ok((counts.blocks, counts.samples, counts.packets, counts.unwanted, counts.unreadable))
    }
}

/// The samples of one stream, data format and time base.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Block {
    block: Arc<stream::Block>,
    parameters: PyOnceLock<Py<PyTuple>>,
}

impl Block {
    fn new(block: Arc<stream::Block>) -> Self {
        Self { block, parameters: PyOnceLock::new() }
    }
}

#[pymethods]
impl Block {
    #[getter]
    fn session_key(&self) -> &str {
        &self.block.stream.session.key
    }

    #[getter]
    fn data_source(&self) -> &str {
        &self.block.stream.session.data_source
    }

    #[getter]
    fn stream(&self) -> &str {
        &self.block.stream.stream
    }

    #[getter]
    fn packets(&self) -> usize {
        self.block.packets
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let tuple = self.parameters.get_or_try_init(py, || {
            PyTuple::new(py, self.block.parameters.iter().map(|name| &**name)).map(Bound::unbind)
        })?;
        Ok(tuple.bind(py).clone())
    }

    #[getter]
    fn time_base(&self) -> &'static str {
        match self.block.columns().kind() {
            Some(PacketType::PeriodicData) => "periodic",
            Some(PacketType::SynchroData) => "synchro",
            _ => "rows",
        }
    }

    fn __len__(&self) -> usize {
        self.block.columns().len()
    }

    /// (start, interval, count) of each range of a periodic block.
    fn ranges(&self) -> Vec<(u64, u32, usize)> {
        match self.block.columns().times() {
            Times::Ranges(ranges) => {
                ranges.iter().map(|range| (range.start_ns, range.interval_ns, range.len)).collect()
            }
            Times::Explicit(_) => Vec::new(),
        }
    }

    /// Times in ns: written out for ranges, shown as they lie otherwise.
    fn timestamps_ns<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = this.py();
        match this.get().block.columns().times() {
            Times::Explicit(times) => {
                // Times beyond the year 2262 wrap, as they do in every int64 of nanoseconds.
                vector(this, times)?.call_method1("view", ("int64",))
            }
            times @ Times::Ranges(_) => {
                let mut out = Vec::with_capacity(times.len());
                py.detach(|| times.append_to(&mut out));
                Ok(PyArray1::from_vec(py, out).into_any())
            }
        }
    }

    /// The values (n, p), if all columns are doubles.
    fn doubles<'py>(this: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        this.get().block.columns().doubles().map(|table| table2(this, table)).transpose()
    }

    /// The values (n, p) as doubles, whatever their types: integers and booleans widened, text as NaN.
    fn widened<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let columns = self.block.columns();
        let mut values = Vec::with_capacity(columns.len() * columns.width());
        py.detach(|| {
            for column in (0..columns.width()).filter_map(|index| columns.column(index)) {
                match column {
                    ColumnView::F64(column) => values.extend_from_slice(column),
                    ColumnView::I32(column) => values.extend(column.iter().map(|&value| f64::from(value))),
                    ColumnView::Bool(column) => values.extend(column.iter().map(|&value| f64::from(u8::from(value)))),
                    ColumnView::Str(column) => values.extend(column.iter().map(|_| f64::NAN)),
                }
            }
        });
        let array = PyArray1::from_vec(py, values).reshape([columns.width(), columns.len()])?;
        array.getattr("T")
    }

    /// The statuses (n, p); None when all are valid.
    fn status<'py>(this: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        this.get().block.columns().status().map(|table| table2(this, table)).transpose()
    }

    /// One column in its own type: an array, or a list of text.
    fn column<'py>(this: &Bound<'py, Self>, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = this.py();
        let column = this.get().block.columns().column(index).map(|column| match column {
            ColumnView::F64(values) => vector(this, values),
            ColumnView::I32(values) => vector(this, values),
            ColumnView::Bool(values) => vector(this, values),
            ColumnView::Str(texts) => Ok(PyList::new(py, texts.iter())?.into_any()),
        });
        column.transpose()
    }

    /// The statuses of one column; None when all of the block are valid.
    fn column_status<'py>(this: &Bound<'py, Self>, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        this.get().block.columns().column_status(index).map(|status| vector(this, status)).transpose()
    }

    /// The capsules of Arrow's C data interface: schema, and array.
    fn arrow_array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        arrow::array_capsules(py, arrow::batch_of(py, &self.block)?)
    }

    fn arrow_schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::schema_capsule(py, &arrow::schema_of(&self.block))
    }

    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let batch = arrow::batch_of(py, &self.block)?;
        arrow::stream_capsule(py, batch.schema(), vec![batch])
    }

    /// Where each parameter is among the columns; the first place of one that is there twice.
    fn places<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let places = PyDict::new(py);
        for (index, name) in self.block.parameters.iter().enumerate().rev() {
            places.set_item(name, index)?;
        }
        Ok(places)
    }
}

fn vector<'py, T: Element>(owner: &Bound<'py, Block>, data: &[T]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the memory is the block's, which nobody changes or moves while the Python object that holds it lives.
    unsafe { arrays::shown(owner.clone().into_any(), data) }
}

fn table2<'py, T: Element>(owner: &Bound<'py, Block>, table: TableView<'_, T>) -> PyResult<Bound<'py, PyAny>> {
    let shape = (table.rows, table.columns).strides((1, table.stride.max(1)));
    let view = ArrayView2::from_shape(shape, table.data)
        .map_err(|error| errors::internal(owner.py(), "block", &error.to_string()))?;
    // SAFETY: as in `vector`; the array keeps the object alive.
    let array = unsafe { PyArray2::borrow_from_array(&view, owner.clone().into_any()) };
    arrays::read_only(array.into_any())
}
