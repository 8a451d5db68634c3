//! The samples of packets as NumPy arrays.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::packet::Formats;
use crate::error::{Error, Result};
use crate::packet::{Appended, ColumnBlock, ColumnView, Decoder, PacketFormat, PacketType, Times, Wanted, status};

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

/// A thread keeps no more bytes than this between two calls.
const KEPT: usize = 16 << 20;

thread_local! {
    static WORK: Cell<Option<Box<Work>>> = const { Cell::new(None) };
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
    Ok(arrays(py, block, parameters.into_any())?)
}

/// (parameters, times, values (p, n), columns of other types than double by index, status (p, n), time base, interval),
/// as `telewire.packet.samples_of` expects it.
pub(super) fn arrays<'py>(
    py: Python<'py>,
    block: &ColumnBlock,
    parameters: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyTuple>> {
    let (width, rows) = (block.width(), block.len());
    let (interval, base) = match (block.times(), block.kind()) {
        (Times::Ranges(ranges), _) => (ranges.first().map(|range| range.interval_ns), "periodic"),
        (_, Some(PacketType::SynchroData)) => (None, "synchro"),
        _ => (None, "rows"),
    };
    let mut times = Vec::with_capacity(rows);
    block.times().append_to(&mut times);
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
    let tuple = (
        parameters,
        PyArray1::from_vec(py, times),
        table(py, values, shape)?,
        typed,
        table(py, statuses, shape)?,
        base,
        interval,
    );
    tuple.into_pyobject(py)
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
