//! Samples of a slide as Python lists, for programs that take them one by one: where a slide holds a dozen samples of a
//! parameter, an array for each would cost more than they do.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString};

use crate::packet::status;
use crate::pipeline::{Slide, SlideColumn, SlideValues, Value};

/// Times, values and statuses of a parameter.
pub(super) type Lists<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Option<Bound<'py, PyList>>);
/// The distinct times, where the samples of each begin, and of every sample its parameter, value and status.
pub(super) type Rows<'py> =
    (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>, Option<Bound<'py, PyList>>);

/// A column, value by value.
pub(super) fn column<'py>(py: Python<'py>, column: &SlideColumn<'_>) -> PyResult<Lists<'py>> {
    let values = match column.values {
        SlideValues::F64(values) => PyList::new(py, values)?,
        SlideValues::I32(values) => PyList::new(py, values)?,
        SlideValues::Bool(values) => PyList::new(py, values)?,
        SlideValues::Str(texts) => PyList::new(py, texts.iter().map(|text| &**text))?,
        SlideValues::Mixed(values) => PyList::new(py, values.iter().map(|value| mixed(py, value)))?,
    };
    let statuses = column.status.map(|status| numbers(py, status.iter().copied())).transpose()?;
    Ok((PyList::new(py, column.times)?, values, statuses))
}

/// The columns of these parameters, in their order.
pub(super) fn columns<'a, T>(
    slide: &'a Slide<T>,
    parameters: &[Bound<'_, PyString>],
) -> PyResult<Vec<SlideColumn<'a>>> {
    let column = |parameter: &Bound<'_, PyString>| {
        let name = parameter.to_cow()?;
        let unknown = || PyKeyError::new_err(format!("the window has no samples of '{name}'"));
        slide.column_of(&name).ok_or_else(unknown)
    };
    parameters.iter().map(column).collect()
}

/// All samples of the parameters by time, and at one time in the order of the parameters.
pub(super) fn rows<'py, T>(
    py: Python<'py>,
    slide: &Slide<T>,
    parameters: &[Bound<'py, PyString>],
) -> PyResult<Rows<'py>> {
    let columns = columns(slide, parameters)?;
    let (order, offsets) = order_of(&columns);
    let times =
        offsets.iter().filter_map(|&begin| order.get(begin)).map(|&(column, index)| columns[column].times[index]);
    let times = PyList::new(py, times.collect::<Vec<_>>())?;
    let identifiers = PyList::new(py, order.iter().map(|&(column, _)| &parameters[column]))?;
    let values = PyList::new(py, order.iter().map(|&(column, index)| value_at(py, &columns[column].values, index)))?;
    let some = columns.iter().any(|column| column.status.is_some());
    let statuses =
        order.iter().map(|&(column, index)| columns[column].status.map_or(status::VALID, |statuses| statuses[index]));
    let statuses = some.then(|| numbers(py, statuses)).transpose()?;
    Ok((times, PyList::new(py, offsets)?, identifiers, values, statuses))
}

/// The samples by time, as column and place in it; and where each time begins, with the end behind the last.
fn order_of(columns: &[SlideColumn<'_>]) -> (Vec<(usize, usize)>, Vec<usize>) {
    let len = columns.iter().map(|column| column.times.len()).sum();
    let mut order = Vec::with_capacity(len);
    let mut offsets = Vec::new();
    let together = columns.first().filter(|first| columns.iter().all(|column| column.times == first.times));
    if let Some(first) = together {
        for index in 0..first.times.len() {
            offsets.push(order.len());
            order.extend((0..columns.len()).map(|column| (column, index)));
        }
    } else {
        let all = columns.iter().enumerate();
        order.extend(all.flat_map(|(column, found)| (0..found.times.len()).map(move |index| (column, index))));
        let time = |&(column, index): &(usize, usize)| columns[column].times[index];
        order.sort_unstable_by_key(|at| (time(at), at.0));
        let begins = |at: usize| at == 0 || time(&order[at - 1]) != time(&order[at]);
        offsets.extend((0..len).filter(|&at| begins(at)));
    }
    offsets.push(len);
    (order, offsets)
}

fn value_at<'py>(py: Python<'py>, values: &SlideValues<'_>, index: usize) -> Bound<'py, PyAny> {
    match values {
        SlideValues::F64(values) => PyFloat::new(py, values[index]).into_any(),
        SlideValues::I32(values) => whole(py, values[index].into()),
        SlideValues::Bool(values) => PyBool::new(py, values[index]).to_owned().into_any(),
        SlideValues::Str(texts) => PyString::new(py, &texts[index]).into_any(),
        SlideValues::Mixed(values) => mixed(py, &values[index]),
    }
}

fn mixed<'py>(py: Python<'py>, value: &Value) -> Bound<'py, PyAny> {
    match value {
        Value::F64(value) => PyFloat::new(py, *value).into_any(),
        Value::I32(value) => whole(py, (*value).into()),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
    }
}

fn whole(py: Python<'_>, value: i64) -> Bound<'_, PyAny> {
    let Ok(number) = value.into_pyobject(py);
    Bound::<PyInt>::into_any(number)
}

/// A list of numbers; an iterator over bytes would become `bytes`.
fn numbers(py: Python<'_>, found: impl ExactSizeIterator<Item = u8>) -> PyResult<Bound<'_, PyList>> {
    PyList::new(py, found.map(i64::from).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn samples_are_ordered_by_time_and_then_as_their_columns() {
        let names = ["a", "b", "c"].map(Arc::<str>::from);
        let values = SlideValues::F64(&[0.0; 3]);
        let of = |name, times| SlideColumn { name, times, values, status: None };
        let columns = [of(&names[0], &[1, 3]), of(&names[1], &[2, 3, 5]), of(&names[2], &[1])];
        let (order, offsets) = order_of(&columns);
        assert_eq!(order, [(0, 0), (2, 0), (1, 0), (0, 1), (1, 1), (1, 2)]);
        assert_eq!(offsets, [0, 2, 3, 5, 6]);
        let (order, offsets) = order_of(&[of(&names[0], &[1, 3]), of(&names[1], &[1, 3])]);
        assert_eq!(order, [(0, 0), (1, 0), (0, 1), (1, 1)]);
        assert_eq!(offsets, [0, 2, 4]);
        assert_eq!(order_of(&[]), (vec![], vec![0]));
    }
}
