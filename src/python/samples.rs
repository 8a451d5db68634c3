//! The samples of packets as NumPy arrays.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use numpy::ndarray::{ArrayView2, ShapeBuilder};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::packet::Formats;
use crate::error::{Error, Result};
use crate::packet::{
    Appended, ColumnBlock, ColumnView, Decoder, PacketFormat, PacketType, TableView, Times, Wanted, status,
};
use crate::sync::Mutex;

/// Why there are no samples.
pub(super) enum Fault {
    /// The core's reason; the packet adds where it lies.
    Core(Error),
    /// Python's, already raised.
    Python(PyErr),
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

/// What decoding needs, kept by each thread from one call to the next.
#[derive(Default)]
pub(super) struct Work {
    decoder: Decoder,
    block: ColumnBlock,
}

/// A thread keeps no more bytes than this between two calls, and so do all threads together of blocks that arrays lay on.
const KEPT: usize = 16 << 20;

/// How many such blocks are kept.
const KEPT_BLOCKS: usize = 8;

thread_local! {
    static WORK: Cell<Option<Box<Work>>> = const { Cell::new(None) };
}

/// Blocks whose arrays are gone: their memory is warm, and waits for the next packets.
static SPARE: Mutex<Vec<ColumnBlock>> = Mutex::new(Vec::new());

/// A block that arrays lie on. It is never changed, and given back with the last of them.
#[pyclass(frozen, module = "telewire._core", name = "_Block")]
pub(super) struct Owner {
    block: ColumnBlock,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let mut spare = SPARE.lock();
        if spare.len() < KEPT_BLOCKS && spare.iter().chain([&block]).map(ColumnBlock::bytes_held).sum::<usize>() <= KEPT
        {
            spare.push(block);
        }
    }
}

impl Work {
    /// The thread's own, or a new one while that is in use: a signal's handler may decode in the middle of a decode.
    pub(super) fn lend() -> Lent {
        Lent(Some(WORK.take().unwrap_or_default()))
    }

    /// Decodes packets into one block.
    pub(super) fn decode<'a>(
        &mut self,
        contents: impl Iterator<Item = Result<(PacketType, &'a [u8])>>,
        wanted: Wanted<'_>,
    ) -> Result<&ColumnBlock> {
        self.block.clear();
        for (index, content) in contents.enumerate() {
            let (kind, content) = content?;
            match self.decoder.open(kind, content)?.append_to(&mut self.block, wanted)? {
                Appended::Rows(_) => {}
                Appended::Differs => {
                    return Err(Error::Invalid(format!("packet {index} does not fit the block of those before it")));
                }
            }
        }
        Ok(&self.block)
    }
}

/// [`Work`] that goes back to its thread.
pub(super) struct Lent(Option<Box<Work>>);

impl Deref for Lent {
    type Target = Work;

    fn deref(&self) -> &Work {
        match &self.0 {
            Some(work) => work,
            None => unreachable!("taken only when dropped"),
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Work {
        self.0.get_or_insert_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.0.as_ref().is_some_and(|work| work.block.bytes_held() + work.decoder.bytes_held() <= KEPT) {
            WORK.set(self.0.take());
        }
    }
}

/// The samples of one packet, as [`arrays`] gives them, with the identifiers of its parameters.
pub(super) fn decode<'py>(
    py: Python<'py>,
    kind: PacketType,
    content: &[u8],
    data_source: &Arc<str>,
    formats: &Formats,
) -> Result<Bound<'py, PyTuple>, Fault> {
    let mut work = Work::lend();
    let block = py.detach(|| work.decode(std::iter::once(Ok((kind, content))), Wanted::All)).map_err(Fault::Core)?;
    let parameters = names(py, &block.format(), data_source, formats)?;
    if parameters.len() != block.width() {
        return Err(Fault::Core(Error::Decode {
            what: format!("{} packet", kind.name()),
            reason: format!("{} columns for {} parameters", block.width(), parameters.len()),
        }));
    }
    Ok(arrays(py, &mut work, parameters.into_any())?)
}

/// (parameters, times, values (p, n), columns of other types than double by index, status (p, n), time base, interval),
/// as `telewire.packet.samples_of` expects it. Large tables lie on the block itself, small ones are copies, so that who
/// keeps them does not keep a block for each.
pub(super) fn arrays<'py>(
    py: Python<'py>,
    work: &mut Work,
    parameters: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyTuple>> {
    let block = &work.block;
    let used = block.width() * block.len() * size_of::<f64>();
    if block.doubles().is_none() || used < LARGE || used < block.bytes_held() / 4 {
        return copied(py, block, parameters);
    }
    let fresh = SPARE.lock().pop().unwrap_or_default();
    let owner = Bound::new(py, Owner { block: std::mem::replace(&mut work.block, fresh) })?;
    let block = &owner.get().block;
    let values = match block.doubles() {
        Some(table) => lying(&owner, &table)?,
        None => table(py, Vec::new(), [0, 0])?,
    };
    let status = match block.status() {
        Some(table) => lying(&owner, &table)?,
        None => table(py, vec![status::VALID; block.width() * block.len()], [block.width(), block.len()])?,
    };
    finished(py, block, parameters, values, PyDict::new(py), status)
}

/// A table from which on its memory is handed out, in bytes.
const LARGE: usize = 64 << 10;

/// An array that lies on a block.
fn lying<'py, T: numpy::Element>(
    owner: &Bound<'py, Owner>,
    table: &TableView<'_, T>,
) -> PyResult<Bound<'py, PyArray2<T>>> {
    let shape = (table.columns, table.rows).strides((table.stride, 1));
    let view = ArrayView2::from_shape(shape, table.data)
        .map_err(|error| PyErr::new::<pyo3::exceptions::PySystemError, _>(error.to_string()))?;
    // SAFETY: the memory is the block's, which `owner` keeps alive as the array's base and never touches again before it
    // is dropped: `Owner` is frozen and its block private. Columns do not overlap, so whoever writes to the array writes
    // to no other.
    Ok(unsafe { PyArray2::borrow_from_array(&view, owner.clone().into_any()) })
}

/// The samples as arrays of their own.
fn copied<'py>(py: Python<'py>, block: &ColumnBlock, parameters: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let (width, rows) = (block.width(), block.len());
    let mut values = Vec::with_capacity(width * rows);
    let mut statuses = Vec::with_capacity(width * rows);
    let typed = PyDict::new(py);
    for index in 0..width {
        match block.column(index) {
            Some(ColumnView::F64(column)) => values.extend_from_slice(column),
            Some(ColumnView::I32(column)) => {
                values.extend(column.iter().map(|&value| f64::from(value)));
                typed.set_item(index, PyArray1::from_slice(py, column))?;
            }
            Some(ColumnView::Bool(column)) => {
                values.extend(column.iter().map(|&value| f64::from(u8::from(value))));
                typed.set_item(index, PyArray1::from_slice(py, column))?;
            }
            Some(ColumnView::Str(column)) => {
                values.extend(column.iter().map(|_| f64::NAN));
                typed.set_item(index, PyList::new(py, column.iter())?)?;
            }
            None => {}
        }
        match block.column_status(index) {
            Some(status) => statuses.extend_from_slice(status),
            None => statuses.extend(std::iter::repeat_n(status::VALID, rows)),
        }
    }
    let shape = [width, rows];
    finished(py, block, parameters, table(py, values, shape)?, typed, table(py, statuses, shape)?)
}

fn finished<'py>(
    py: Python<'py>,
    block: &ColumnBlock,
    parameters: Bound<'py, PyAny>,
    values: Bound<'py, PyArray2<f64>>,
    typed: Bound<'py, PyDict>,
    status: Bound<'py, PyArray2<u8>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let (interval, base) = match (block.times(), block.kind()) {
        (Times::Ranges(ranges), _) => (ranges.first().map(|range| range.interval_ns), "periodic"),
        (_, Some(PacketType::SynchroData)) => (None, "synchro"),
        _ => (None, "rows"),
    };
    let mut times = Vec::with_capacity(block.len());
    block.times().append_to(&mut times);
    (parameters, PyArray1::from_vec(py, times), values, typed, status, base, interval).into_pyobject(py)
}

fn table<'py, T: numpy::Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: [usize; 2],
) -> PyResult<Bound<'py, PyArray2<T>>> {
    PyArray1::from_vec(py, values).reshape(shape)
}

fn names<'py>(
    py: Python<'py>,
    format: &PacketFormat<'_>,
    data_source: &Arc<str>,
    formats: &Formats,
) -> Result<Bound<'py, PyTuple>, Fault> {
    match format {
        PacketFormat::Parameters(names) => Ok(PyTuple::new(py, names.iter())?),
        PacketFormat::Id(id) => Ok(formats.parameters(py, data_source, *id)?),
        PacketFormat::Missing => {
            Err(Fault::Core(Error::decode("packet of samples", "it does not say which parameters it holds")))
        }
    }
}
