//! Arrow's C data interface, as capsules: blocks and long tables out, columns in. No Arrow library of Python is needed.

use std::ffi::CStr;
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayReader, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, RecordBatch,
    RecordBatchIterator, StringArray, StructArray, TimestampNanosecondArray, UInt8Array, UInt32Array, make_array,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use numpy::{Element, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList, PyTuple};

use super::{arrays, errors};
use crate::packet::{ColumnView, Times, ValueType, status};
use crate::pipeline::{Aggregate, GridTable};
use crate::stream::Block;

/// Name of the column of times.
const TIME: &str = "timestamp";
const UTC: &str = "UTC";

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()))
}

pub(super) fn failed(py: Python<'_>, error: &ArrowError) -> PyErr {
    errors::invalid(py, format!("Arrow: {error}"))
}

/// Keeps a block or a table alive for Arrow's buffers.
struct Owner<B>(#[expect(dead_code, reason = "kept alive")] Arc<B>);

// Nothing in a block or a table is ever left half done: it is not changed any more.
impl<B> RefUnwindSafe for Owner<B> {}

fn buffer<B: Send + Sync + 'static, T>(owner: &Arc<B>, data: &[T]) -> Buffer {
    let pointer = NonNull::from(data).cast::<u8>();
    // SAFETY: the memory is the owner's, which is not changed or moved any more, and the buffer keeps the owner alive.
    unsafe { Buffer::from_custom_allocation(pointer, size_of_val(data), Arc::new(Owner(owner.clone()))) }
}

/// A value that was not measured, or measured wrong, is null.
fn nulls(statuses: Option<&[u8]>) -> Option<NullBuffer> {
    let statuses = statuses?;
    if !statuses.iter().any(|&worth| is_null(worth)) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(statuses.len(), |index| !is_null(statuses[index]))))
}

/// The columns of a block's table: the time, then one for each parameter.
pub(super) fn schema_of(block: &Block) -> SchemaRef {
    let columns = block.columns();
    let mut fields = vec![Field::new(TIME, time_type(), false)];
    for (index, name) in block.parameters.iter().enumerate() {
        let value_type = match columns.column_type(index) {
            Some(ValueType::I32) => DataType::Int32,
            Some(ValueType::Bool) => DataType::Boolean,
            Some(ValueType::Str) => DataType::Utf8,
            Some(ValueType::F64) | None => DataType::Float64,
        };
        fields.push(Field::new(name, value_type, true));
    }
    Arc::new(Schema::new(fields))
}

/// A block as a record batch that shares its memory.
pub(super) fn batch_of(py: Python<'_>, block: &Arc<Block>) -> PyResult<RecordBatch> {
    py.detach(|| share(block)).map_err(|error| failed(py, &error))
}

fn share(block: &Arc<Block>) -> Result<RecordBatch, ArrowError> {
    let columns = block.columns();
    let len = columns.len();
    let times: ScalarBuffer<i64> = match columns.times() {
        Times::Explicit(times) => ScalarBuffer::new(buffer(block, times), 0, len),
        times @ Times::Ranges(_) => {
            let mut out = Vec::with_capacity(len);
            times.append_to(&mut out);
            out.into()
        }
    };
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(TimestampNanosecondArray::try_new(times, None)?.with_timezone(UTC))];
    for index in 0..columns.width() {
        let nulls = nulls(columns.column_status(index));
        arrays.push(match columns.column(index) {
            Some(ColumnView::F64(values)) => {
                Arc::new(Float64Array::try_new(ScalarBuffer::new(buffer(block, values), 0, len), nulls)?)
            }
            Some(ColumnView::I32(values)) => {
                Arc::new(Int32Array::try_new(ScalarBuffer::new(buffer(block, values), 0, len), nulls)?)
            }
            Some(ColumnView::Bool(values)) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            Some(ColumnView::Str(texts)) => {
                let offsets = ScalarBuffer::new(buffer(block, texts.offsets()), 0, len + 1);
                let text = buffer(block, texts.text().as_bytes());
                Arc::new(StringArray::try_new(OffsetBuffer::new(offsets), text, nulls)?)
            }
            None => continue,
        });
    }
    RecordBatch::try_new(schema_of(block), arrays)
}

/// The columns of a grid's table: the time, then for each parameter one for each aggregate, named after both if there
/// are several.
pub(super) fn grid_schema(table: &GridTable) -> SchemaRef {
    let mut fields = vec![Field::new(TIME, time_type(), false)];
    for parameter in table.parameters().iter() {
        for &aggregate in table.aggregates() {
            let name = match table.aggregates() {
                [_] => parameter.to_string(),
                _ => format!("{parameter}_{}", super::resample::name_of(aggregate)),
            };
            let count = aggregate == Aggregate::Count;
            let value_type = if count { DataType::UInt32 } else { DataType::Float64 };
            fields.push(Field::new(name, value_type, !count));
        }
    }
    Arc::new(Schema::new(fields))
}

/// A grid's table as a record batch that shares its memory; NaN is null.
pub(super) fn grid_batch(py: Python<'_>, table: &Arc<GridTable>) -> PyResult<RecordBatch> {
    let share = || {
        let len = table.len();
        let times: ScalarBuffer<i64> = ScalarBuffer::new(buffer(table, table.starts()), 0, len);
        let mut arrays: Vec<ArrayRef> =
            vec![Arc::new(TimestampNanosecondArray::try_new(times, None)?.with_timezone(UTC))];
        for index in 0..table.parameters().len() {
            for &aggregate in table.aggregates() {
                arrays.push(match table.values(aggregate) {
                    Some(columns) => {
                        let values = columns.column(index);
                        let nulls = values
                            .iter()
                            .any(|value| value.is_nan())
                            .then(|| NullBuffer::new(BooleanBuffer::collect_bool(len, |row| !values[row].is_nan())));
                        Arc::new(Float64Array::try_new(ScalarBuffer::new(buffer(table, values), 0, len), nulls)?)
                    }
                    None => {
                        let counts = table.counts().column(index);
                        Arc::new(UInt32Array::try_new(ScalarBuffer::new(buffer(table, counts), 0, len), None)?)
                    }
                });
            }
        }
        RecordBatch::try_new(grid_schema(table), arrays)
    };
    py.detach(share).map_err(|error| failed(py, &error))
}

/// A capsule of a schema.
pub(super) fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyAny>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(|error| failed(py, &error))?;
    Ok(PyCapsule::new_with_value(py, schema, c"arrow_schema")?.into_any())
}

/// Capsules of a record batch: its schema, and its columns as one struct array.
pub(super) fn array_capsules(py: Python<'_>, batch: RecordBatch) -> PyResult<Bound<'_, PyTuple>> {
    let schema = batch.schema();
    let (array, _) = to_ffi(&StructArray::from(batch).to_data()).map_err(|error| failed(py, &error))?;
    let array = PyCapsule::new_with_value(py, array, c"arrow_array")?.into_any();
    PyTuple::new(py, [schema_capsule(py, &schema)?, array])
}

/// A capsule of a stream of record batches.
pub(super) fn stream_capsule(
    py: Python<'_>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'_, PyAny>> {
    let batches = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(batches));
    Ok(PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?.into_any())
}

/// Whether a value of this status is null in tables.
pub(super) fn is_null(worth: u8) -> bool {
    worth == status::MISSING || worth == status::ERROR
}

/// Rows of a long table: one for each sample.
pub(super) struct Long<T> {
    pub(super) times: Vec<i64>,
    /// The places of the parameters among the names.
    pub(super) codes: Vec<i32>,
    pub(super) values: Vec<f64>,
    /// The values that are text, `None` for the others; as a whole `None` if none is.
    pub(super) texts: Option<Vec<Option<T>>>,
    pub(super) status: Vec<u8>,
}

/// The columns of a long table: time, parameter, value, text if there is any, status.
pub(super) fn long_schema(has_text: bool) -> SchemaRef {
    let parameter = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut fields = vec![
        Field::new(TIME, time_type(), false),
        Field::new("parameter", parameter, false),
        Field::new("value", DataType::Float64, true),
    ];
    if has_text {
        fields.push(Field::new("text", DataType::Utf8, true));
    }
    fields.push(Field::new("status", DataType::UInt8, false));
    Arc::new(Schema::new(fields))
}

/// Rows of a long table as a record batch. `names` are the parameters, an array of text.
pub(super) fn long_batch<T: AsRef<str>>(
    schema: SchemaRef,
    names: ArrayRef,
    long: Long<T>,
) -> Result<RecordBatch, ArrowError> {
    let Long { times, codes, values, texts, status } = long;
    let len = times.len();
    let nulls = nulls(Some(&status));
    let is_text = |row: usize| texts.as_ref().is_some_and(|texts| texts[row].is_some());
    let numbers = match &texts {
        None => nulls.clone(),
        Some(_) => {
            let there = |row: usize| !is_text(row) && !is_null(status[row]);
            Some(NullBuffer::new(BooleanBuffer::collect_bool(len, there)))
        }
    };
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(TimestampNanosecondArray::from(times).with_timezone(UTC)),
        Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(codes), names)?),
        Arc::new(Float64Array::try_new(values.into(), numbers)?),
    ];
    if schema.column_with_name("text").is_some() {
        arrays.push(match &texts {
            Some(texts) => {
                let there = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                let texts = texts.iter().enumerate();
                Arc::new(texts.map(|(row, text)| text.as_ref().filter(|_| there(row))).collect::<StringArray>())
            }
            None => Arc::new(StringArray::new_null(len)),
        });
    }
    arrays.push(Arc::new(UInt8Array::from(status)));
    RecordBatch::try_new(schema, arrays)
}

/// One parameter of a long table.
#[derive(FromPyObject)]
struct LongColumn<'py>(
    PyReadonlyArray1<'py, i64>,
    Option<PyReadonlyArray1<'py, f64>>,
    Option<Vec<String>>,
    Option<PyReadonlyArray1<'py, u8>>,
);

/// A stream with one record batch per parameter: time, parameter, value, text if there is any, status.
#[pyfunction]
pub(super) fn long_table<'py>(
    py: Python<'py>,
    parameters: Vec<String>,
    columns: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyAny>> {
    let columns: Vec<LongColumn<'py>> = columns.extract()?;
    let names: ArrayRef = Arc::new(StringArray::from(parameters));
    let schema = long_schema(columns.iter().any(|column| column.2.is_some()));
    let mut batches = Vec::with_capacity(columns.len());
    for (index, LongColumn(times, values, texts, statuses)) in (0_i32..).zip(columns) {
        let times = times.as_slice()?.to_vec();
        let len = times.len();
        let status = match statuses {
            Some(statuses) => statuses.as_slice()?.to_vec(),
            None => vec![status::VALID; len],
        };
        let values = match values {
            Some(values) => values.as_slice()?.to_vec(),
            None => vec![f64::NAN; len],
        };
        let texts = texts.map(|texts| texts.into_iter().map(Some).collect());
        let long = Long { times, codes: vec![index; len], values, texts, status };
        let made = py.detach(|| long_batch(schema.clone(), names.clone(), long));
        batches.push(made.map_err(|error| failed(py, &error))?);
    }
    stream_capsule(py, schema, batches)
}

// ------------------------------------------------------------------------------------------------------------ in

/// Keeps an imported array alive for the NumPy array that shows its values.
#[pyclass(frozen, module = "telewire._core")]
struct Imported(#[expect(dead_code, reason = "kept alive")] ArrayRef);

/// The columns of anything that gives Arrow capsules: `(name, chunks)` for each, a chunk being `(values, mask, unit)`.
/// Values of numbers are NumPy arrays over Arrow's own memory, booleans an array, text a list; the mask is None when
/// nothing is null, and the unit is that of times and durations. A single array has the empty name.
#[pyfunction]
pub(super) fn import_arrow<'py>(py: Python<'py>, given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let (names, batches) = read(py, given)?;
    let columns = PyList::empty(py);
    for (index, name) in names.iter().enumerate() {
        let chunks = PyList::empty(py);
        for batch in &batches {
            if let Some(array) = batch.get(index) {
                chunks.append(chunk(py, name, array)?)?;
            }
        }
        columns.append((name, chunks))?;
    }
    Ok(columns)
}

type Batches = (Vec<String>, Vec<Vec<ArrayRef>>);

fn read(py: Python<'_>, given: &Bound<'_, PyAny>) -> PyResult<Batches> {
    if given.hasattr("__arrow_c_stream__")? {
        let capsule = given.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?;
        let stream: NonNull<FFI_ArrowArrayStream> = pointer(&capsule, c"arrow_array_stream")?;
        // SAFETY: the capsule's name says what it holds, by Arrow's PyCapsule protocol; the stream is moved out, and
        // what is left behind is a released one, which the capsule's destructor passes over.
        let reader = unsafe { ArrayStreamReader::from_raw(stream.as_ptr()) }.map_err(|error| failed(py, &error))?;
        let names = names_of(reader.field().data_type());
        let arrays: Result<Vec<ArrayRef>, ArrowError> = reader.collect();
        return Ok((names, arrays.map_err(|error| failed(py, &error))?.into_iter().map(columns_of).collect()));
    }
    let pair = given.call_method0("__arrow_c_array__")?.cast_into::<PyTuple>()?;
    let schema = pair.get_item(0)?.cast_into::<PyCapsule>()?;
    let array = pair.get_item(1)?.cast_into::<PyCapsule>()?;
    let schema: NonNull<FFI_ArrowSchema> = pointer(&schema, c"arrow_schema")?;
    let array: NonNull<FFI_ArrowArray> = pointer(&array, c"arrow_array")?;
    // SAFETY: as above; the schema stays in its capsule, which lives in `pair` until the end of this function, and both
    // came together from one call, so they fit each other.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
    let array = make_array(data.map_err(|error| failed(py, &error))?);
    Ok((names_of(array.data_type()), vec![columns_of(array)]))
}

/// The names of a table's columns; a plain array is one column without a name.
fn names_of(kind: &DataType) -> Vec<String> {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|field| field.name().clone()).collect(),
        _ => vec![String::new()],
    }
}

fn columns_of(array: ArrayRef) -> Vec<ArrayRef> {
    match array.as_any().downcast_ref::<StructArray>() {
        Some(table) => table.columns().to_vec(),
        None => vec![array],
    }
}

fn pointer<T>(capsule: &Bound<'_, PyCapsule>, name: &CStr) -> PyResult<NonNull<T>> {
    Ok(capsule.pointer_checked(Some(name))?.cast())
}

/// `(values, mask, unit)` of one array.
fn chunk<'py>(py: Python<'py>, name: &str, array: &ArrayRef) -> PyResult<Bound<'py, PyTuple>> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = texts(dictionary.values().as_ref());
        if let Some(values) = values {
            let keys = dictionary.normalized_keys();
            let text = |row: usize| if dictionary.is_valid(row) { values[keys[row]].as_str() } else { "" };
            let list = PyList::new(py, (0..array.len()).map(text))?;
            return (list, mask(py, array), py.None()).into_pyobject(py);
        }
    }
    if let Some(texts) = texts(array.as_ref()) {
        return (PyList::new(py, texts)?, mask(py, array), py.None()).into_pyobject(py);
    }
    if let Some(bools) = array.as_boolean_opt() {
        let values = PyArray1::from_vec(py, bools.values().iter().collect::<Vec<bool>>());
        return (values, mask(py, array), py.None()).into_pyobject(py);
    }
    let mut unit = None;
    let values = match array.data_type() {
        DataType::Float64 => shown::<f64>(py, array)?,
        DataType::Float32 => shown::<f32>(py, array)?,
        DataType::Int8 => shown::<i8>(py, array)?,
        DataType::Int16 => shown::<i16>(py, array)?,
        DataType::Int32 => shown::<i32>(py, array)?,
        DataType::Int64 => shown::<i64>(py, array)?,
        DataType::UInt8 => shown::<u8>(py, array)?,
        DataType::UInt16 => shown::<u16>(py, array)?,
        DataType::UInt32 => shown::<u32>(py, array)?,
        DataType::UInt64 => shown::<u64>(py, array)?,
        DataType::Timestamp(of, _) | DataType::Duration(of) => {
            unit = Some(match of {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "us",
                TimeUnit::Nanosecond => "ns",
            });
            shown::<i64>(py, array)?
        }
        other => {
            let message = format!("column '{name}' has Arrow type {other}; values are numbers, booleans or text");
            return Err(errors::invalid(py, message));
        }
    };
    (values, mask(py, array), unit).into_pyobject(py)
}

/// Numbers as a NumPy array over Arrow's memory.
fn shown<'py, T: Element + ArrowNativeType>(py: Python<'py>, array: &ArrayRef) -> PyResult<Bound<'py, PyAny>> {
    let data = array.to_data();
    let values = data.buffers().first().map_or(&[][..], |buffer| buffer.typed_data::<T>());
    let values = values.get(data.offset()..data.offset() + data.len()).unwrap_or_default();
    let owner = Bound::new(py, Imported(array.clone()))?;
    // SAFETY: the values are in buffers of the array, which Arrow never changes, and which `owner` keeps alive.
    unsafe { arrays::shown(owner.into_any(), values) }
}

/// The texts of an array of text, null as the empty one; `None` for other types.
fn texts(array: &dyn Array) -> Option<Vec<String>> {
    let own = |text: Option<&str>| text.unwrap_or_default().to_string();
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(texts.iter().map(own).collect());
    }
    if let Some(texts) = array.as_string_opt::<i64>() {
        return Some(texts.iter().map(own).collect());
    }
    array.as_string_view_opt().map(|texts| texts.iter().map(own).collect())
}

/// True where a value is null; `None` when none is.
fn mask<'py>(py: Python<'py>, array: &ArrayRef) -> Option<Bound<'py, PyArray1<bool>>> {
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(PyArray1::from_vec(py, nulls.iter().map(|there| !there).collect()))
}
