//! Arrays over the core's memory; columns from NumPy without copying: float64 tables and columns of any stride, int32, bool, and lists of text.
//! `telewire.columns` has brought them into these shapes.

use numpy::ndarray::ArrayView1;
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::errors;
use crate::error::Result;
use crate::packet::{self, ColumnRef, Strided, ValuesRef};

/// A read-only array over memory of the core.
///
/// # Safety
/// Nobody may change, move or free the memory for as long as `owner` lives, which the array keeps alive.
pub(super) unsafe fn shown<'py, T: Element>(owner: Bound<'py, PyAny>, data: &[T]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: as the caller promises.
    let array = unsafe { PyArray1::borrow_from_array(&ArrayView1::from(data), owner) };
    read_only(array.into_any())
}

/// The array, which cannot be written any more.
pub(super) fn read_only(array: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    array.call_method1("setflags", (false,))?;
    Ok(array)
}

/// What was given, kept alive and borrowed while it is written.
pub(super) struct Given<'py> {
    values: Values<'py>,
    status: Option<PyReadonlyArray2<'py, u8>>,
}

enum Values<'py> {
    Table(PyReadonlyArray2<'py, f64>),
    Columns(Vec<Column<'py>>),
}

enum Column<'py> {
    F64(PyReadonlyArray1<'py, f64>),
    I32(PyReadonlyArray1<'py, i32>),
    Bool(PyReadonlyArray1<'py, bool>),
    Text(Vec<String>),
}

impl<'py> Given<'py> {
    /// Takes a float64 table of shape (n, p) or a list of p columns, and a status of shape (n, p) or `None`.
    pub(super) fn new(values: &Bound<'py, PyAny>, status: Option<PyReadonlyArray2<'py, u8>>) -> PyResult<Self> {
        let values = if let Ok(table) = values.cast::<PyArray2<f64>>() {
            Values::Table(usable2(table)?.try_readonly()?)
        } else {
            let list = values.cast::<PyList>()?;
            Values::Columns(list.iter().map(|column| Column::new(&column)).collect::<PyResult<_>>()?)
        };
        Ok(Self { values, status })
    }

    /// Calls `call` with the columns. Nothing in them touches the interpreter, so it may be detached.
    pub(super) fn with<R>(&self, py: Python<'py>, call: impl FnOnce(&[ColumnRef<'_>]) -> R) -> PyResult<R> {
        let texts: Vec<Vec<&str>> = match &self.values {
            Values::Columns(columns) => columns
                .iter()
                .map(|column| match column {
                    Column::Text(texts) => texts.iter().map(String::as_str).collect(),
                    _ => Vec::new(),
                })
                .collect(),
            Values::Table(_) => Vec::new(),
        };
        let columns = self.columns(&texts).map_err(|error| errors::raise(py, &error))?;
        Ok(call(&columns))
    }

    fn columns<'a>(&'a self, texts: &'a [Vec<&'a str>]) -> Result<Vec<ColumnRef<'a>>> {
        let status = self.status.as_ref().map(Table::of);
        let column = |index: usize, values| {
            let status = status.as_ref().map(|status| status.column(index)).transpose()?;
            Ok(ColumnRef { values, status })
        };
        match &self.values {
            Values::Table(table) => {
                let table = Table::of(table);
                (0..table.shape.1).map(|index| column(index, ValuesRef::F64(table.column(index)?))).collect()
            }
            Values::Columns(columns) => {
                let filled = columns.iter().zip(texts).enumerate();
                filled.map(|(index, (values, texts))| column(index, values.values(texts)?)).collect()
            }
        }
    }
}

impl<'py> Column<'py> {
    fn new(given: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(array) = given.cast::<PyArray1<f64>>() {
            Ok(Self::F64(usable1(array)?.try_readonly()?))
        } else if let Ok(array) = given.cast::<PyArray1<i32>>() {
            Ok(Self::I32(usable1(array)?.try_readonly()?))
        } else if let Ok(array) = given.cast::<PyArray1<bool>>() {
            Ok(Self::Bool(usable1(array)?.try_readonly()?))
        } else {
            Ok(Self::Text(given.extract()?))
        }
    }

    fn values<'a>(&'a self, texts: &'a [&'a str]) -> Result<ValuesRef<'a>> {
        Ok(match self {
            Self::F64(array) => ValuesRef::F64(column(array)?),
            Self::I32(array) => ValuesRef::I32(column(array)?),
            Self::Bool(array) => ValuesRef::Bool(column(array)?),
            Self::Text(_) => ValuesRef::Str(texts),
        })
    }
}

/// A two-dimensional array as one slice that spans all its elements, and its steps in elements.
struct Table<'a, T> {
    data: &'a [T],
    shape: (usize, usize),
    steps: (usize, usize),
}

impl<'a, T: Element> Table<'a, T> {
    fn of(array: &'a PyReadonlyArray2<'_, T>) -> Self {
        let shape = (array.shape()[0], array.shape()[1]);
        let steps = (steps::<T>(array.strides()[0]), steps::<T>(array.strides()[1]));
        let len = if shape.0 == 0 || shape.1 == 0 { 0 } else { (shape.0 - 1) * steps.0 + (shape.1 - 1) * steps.1 + 1 };
        Self { data: span(array.data(), len), shape, steps }
    }

    fn column(&self, index: usize) -> Result<Strided<'a, T>> {
        Strided::new(self.data, index * self.steps.1, self.steps.0, self.shape.0)
    }
}

fn column<'a, T: Element>(array: &'a PyReadonlyArray1<'_, T>) -> Result<Strided<'a, T>> {
    let (len, step) = (array.shape()[0], steps::<T>(array.strides()[0]));
    let data = span(array.data(), if len == 0 { 0 } else { (len - 1) * step + 1 });
    Strided::new(data, 0, step, len)
}

fn span<'a, T: Element>(first: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: `usable1`/`usable2` let only aligned arrays pass whose strides are whole, non-negative elements, so that
    // `len` elements from the first one lie inside the array's one allocation; NumPy initialises what it allocates. The
    // array is kept alive and marked as read by the PyReadonlyArray that the caller borrows from for the slice's life.
    unsafe { std::slice::from_raw_parts(first, len) }
}

fn steps<T>(stride: isize) -> usize {
    stride.unsigned_abs() / size_of::<T>()
}

fn is_usable<T>(aligned: bool, strides: &[isize]) -> bool {
    aligned && strides.iter().all(|&stride| stride >= 0 && stride.unsigned_abs() % size_of::<T>() == 0)
}

/// The array, or a copy of it when it runs backwards or is not aligned.
fn usable1<'py, T: Element>(array: &Bound<'py, PyArray1<T>>) -> PyResult<Bound<'py, PyArray1<T>>> {
    if is_usable::<T>(array.is_aligned(), array.strides()) {
        return Ok(array.clone());
    }
    Ok(array.call_method0("copy")?.cast_into()?)
}

fn usable2<'py, T: Element>(array: &Bound<'py, PyArray2<T>>) -> PyResult<Bound<'py, PyArray2<T>>> {
    if is_usable::<T>(array.is_aligned(), array.strides()) {
        return Ok(array.clone());
    }
    Ok(array.call_method0("copy")?.cast_into()?)
}

/// Columns of their own, for a call that outlives the arrays.
pub(super) fn copies(columns: &[ColumnRef<'_>]) -> Vec<packet::Column> {
    columns
        .iter()
        .map(|column| packet::Column {
            values: match &column.values {
                ValuesRef::F64(values) => packet::Values::F64(values.iter().copied().collect()),
                ValuesRef::I32(values) => packet::Values::I32(values.iter().copied().collect()),
                ValuesRef::Bool(values) => packet::Values::Bool(values.iter().copied().collect()),
                ValuesRef::Str(values) => packet::Values::Str(values.iter().map(ToString::to_string).collect()),
            },
            status: column.status.as_ref().map(|status| status.iter().copied().collect()),
        })
        .collect()
}

/// Calls `call` with copied columns.
pub(super) fn with_copies<R>(columns: &[packet::Column], call: impl FnOnce(&[ColumnRef<'_>]) -> R) -> R {
    let texts: Vec<Vec<&str>> = columns
        .iter()
        .map(|column| match &column.values {
            packet::Values::Str(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect();
    let borrowed: Vec<ColumnRef<'_>> = columns
        .iter()
        .zip(&texts)
        .map(|(column, texts)| ColumnRef {
            values: match &column.values {
                packet::Values::F64(values) => ValuesRef::F64(values.into()),
                packet::Values::I32(values) => ValuesRef::I32(values.into()),
                packet::Values::Bool(values) => ValuesRef::Bool(values.into()),
                packet::Values::Str(_) => ValuesRef::Str(texts),
            },
            status: column.status.as_ref().map(Into::into),
        })
        .collect();
    call(&borrowed)
}
