//! The codec alone, without a client: contents of packets to arrays and back. For the tests that hold it against Google's
//! protobuf, and for the benches; users reach it through packets and writers.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::arrays::Given;
use super::errors;
use super::samples::{self, Work};
use crate::error::Result;
use crate::packet::{
    ColumnRef, Envelope, FormatRef, PacketFormat, PacketType, Wanted, bytes_per_row, encode_periodic, encode_rows,
    encode_synchro, fixed_bytes,
};

/// Which parameters the columns to write are.
#[derive(FromPyObject)]
pub(super) enum Format {
    Id(u64),
    Parameters(Vec<String>),
}

fn rows(columns: &[ColumnRef<'_>]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

impl Format {
    /// The encoded content as bytes.
    fn write<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray2<'py, u8>>,
        encode: impl FnOnce(&mut Vec<u8>, &FormatRef<'_>, &[ColumnRef<'_>]) -> Result<()>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let given = Given::new(values, status)?;
        let names: Vec<&str> = match self {
            Self::Id(_) => Vec::new(),
            Self::Parameters(names) => names.iter().map(String::as_str).collect(),
        };
        let format = match self {
            Self::Id(id) => FormatRef::Id(*id),
            Self::Parameters(_) => FormatRef::Parameters(&names),
        };
        let mut out = Vec::new();
        let written = given.with(py, |columns| {
            out.reserve(fixed_bytes(&format, columns) + rows(columns) * bytes_per_row(columns));
            encode(&mut out, &format, columns)
        })?;
        written.map_err(|error| errors::raise(py, &error))?;
        Ok(PyBytes::new(py, &out))
    }
}

/// The content of a periodic packet.
#[pyfunction]
#[pyo3(signature = (format, start_ns, interval_ns, values, status=None))]
pub(super) fn encode_periodic_content<'py>(
    py: Python<'py>,
    format: Format,
    start_ns: u64,
    interval_ns: u32,
    values: &Bound<'py, PyAny>,
    status: Option<PyReadonlyArray2<'py, u8>>,
) -> PyResult<Bound<'py, PyBytes>> {
    format
        .write(py, values, status, |out, format, columns| encode_periodic(out, format, start_ns, interval_ns, columns))
}

/// The content of a packet of rows.
#[pyfunction]
#[pyo3(signature = (format, timestamps_ns, values, status=None))]
pub(super) fn encode_rows_content<'py>(
    py: Python<'py>,
    format: Format,
    timestamps_ns: PyReadonlyArray1<'py, u64>,
    values: &Bound<'py, PyAny>,
    status: Option<PyReadonlyArray2<'py, u8>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let times = timestamps_ns.as_slice()?;
    format.write(py, values, status, |out, format, columns| encode_rows(out, format, times, columns))
}

/// The content of a synchro packet.
#[pyfunction]
#[pyo3(signature = (format, start_ns, intervals_ns, values, status=None))]
pub(super) fn encode_synchro_content<'py>(
    py: Python<'py>,
    format: Format,
    start_ns: u64,
    intervals_ns: PyReadonlyArray1<'py, u32>,
    values: &Bound<'py, PyAny>,
    status: Option<PyReadonlyArray2<'py, u8>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let intervals = intervals_ns.as_slice()?;
    format.write(py, values, status, |out, format, columns| encode_synchro(out, format, start_ns, intervals, columns))
}

/// What packets that fit one block hold: (format, times, values, other types, status, time base, interval), with the
/// format as id, tuple of identifiers, or None. With a type, the bytes are contents of packets; with None, whole packets.
/// `wanted` are indices of columns in ascending order.
#[pyfunction]
#[pyo3(signature = (type_name, packets, wanted=None))]
pub(super) fn decode_contents<'py>(
    py: Python<'py>,
    type_name: Option<&str>,
    packets: &Bound<'py, PyList>,
    wanted: Option<Vec<u32>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let packets: Vec<Bound<'_, PyBytes>> = packets.extract()?;
    let bytes: Vec<&[u8]> = packets.iter().map(PyBytesMethods::as_bytes).collect();
    let wanted = wanted.as_deref().map_or(Wanted::All, Wanted::Columns);
    let mut work = Work::lend();
    let decoded = py.detach(|| match type_name {
        Some(name) => {
            let kind = PacketType::parse(name);
            work.decode(bytes.iter().map(|content| Ok((kind, *content))), wanted)
        }
        None => {
            let opened = bytes.iter().map(|packet| {
                Envelope::peek(packet).map(|envelope| (PacketType::parse(envelope.type_name), envelope.content))
            });
            work.decode(opened, wanted)
        }
    });
    let block = decoded.map_err(|error| errors::raise(py, &error))?;
    let format = match block.format() {
        PacketFormat::Missing => py.None().into_bound(py),
        PacketFormat::Id(id) => id.into_pyobject(py)?.into_any(),
        PacketFormat::Parameters(names) => PyTuple::new(py, names.iter())?.into_any(),
    };
    samples::arrays(py, &mut work, format)
}
