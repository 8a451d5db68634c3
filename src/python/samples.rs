//! The samples of a packet as NumPy arrays.

use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::packet::Formats;
use crate::error::Error;
use crate::packet::{Column, PacketType, SampleFormat, Timebase, Values, decode_samples, status};

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

/// (parameters, times, values (p, n), columns of other types than double by index, status (p, n), time base, interval),
/// as `telewire.packet.samples_of` expects it.
pub(super) fn decode<'py>(
    py: Python<'py>,
    kind: PacketType,
    content: &[u8],
    data_source: &Arc<str>,
    formats: &Formats,
) -> Result<Bound<'py, PyTuple>, Fault> {
    let samples = py.detach(|| decode_samples(kind, content)).map_err(Fault::Core)?;
    let parameters = names(py, &samples.format, data_source, formats)?;
    if parameters.len() != samples.columns.len() {
        return Err(Fault::Core(Error::Decode {
            what: format!("{} packet", kind.name()),
            reason: format!("{} columns for {} parameters", samples.columns.len(), parameters.len()),
        }));
    }
    let rows = samples.times.len();
    let (interval, base) = match (&samples.times, kind) {
        (Timebase::Range { interval_ns, .. }, _) => (Some(*interval_ns), "periodic"),
        (_, PacketType::SynchroData) => (None, "synchro"),
        _ => (None, "rows"),
    };
    // Times beyond the year 2262 wrap, as they do in every int64 of nanoseconds.
    let times: Vec<i64> = match &samples.times {
        Timebase::Explicit(times) => times.iter().map(|&time| time.cast_signed()).collect(),
        Timebase::Range { start_ns, interval_ns, len } => {
            let step = u64::from(*interval_ns);
            (0..*len as u64).map(|i| start_ns.wrapping_add(i.wrapping_mul(step)).cast_signed()).collect()
        }
    };
    let mut values = Vec::with_capacity(samples.columns.len() * rows);
    let mut statuses = Vec::with_capacity(values.capacity());
    let typed = PyDict::new(py);
    for (index, Column { values: column, status }) in samples.columns.into_iter().enumerate() {
        match &column {
            Values::F64(column) => values.extend_from_slice(column),
            Values::I32(column) => values.extend(column.iter().map(|&value| f64::from(value))),
            Values::Bool(column) => values.extend(column.iter().map(|&value| f64::from(u8::from(value)))),
            Values::Str(column) => values.extend(column.iter().map(|_| f64::NAN)),
        }
        match status {
            Some(status) => statuses.extend_from_slice(&status),
            None => statuses.extend(std::iter::repeat_n(status::VALID, rows)),
        }
        match column {
            Values::F64(_) => {}
            Values::I32(column) => typed.set_item(index, PyArray1::from_vec(py, column))?,
            Values::Bool(column) => typed.set_item(index, PyArray1::from_vec(py, column))?,
            Values::Str(column) => typed.set_item(index, PyList::new(py, column)?)?,
        }
    }
    let shape = [parameters.len(), rows];
    let tuple = (
        parameters,
        PyArray1::from_vec(py, times),
        table(py, values, shape)?,
        typed,
        table(py, statuses, shape)?,
        base,
        interval,
    );
    Ok(tuple.into_pyobject(py)?)
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
    format: &SampleFormat,
    data_source: &Arc<str>,
    formats: &Formats,
) -> Result<Bound<'py, PyTuple>, Fault> {
    match format {
        SampleFormat::Parameters(names) => Ok(PyTuple::new(py, names)?),
        SampleFormat::Id(id) => Ok(formats.parameters(py, data_source, *id)?),
        SampleFormat::Missing => {
            Err(Fault::Core(Error::decode("packet of samples", "it does not say which parameters it holds")))
        }
    }
}
