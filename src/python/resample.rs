//! Resampling: windows or columns go in, blocks on a grid come out, and NumPy looks into their memory.

use std::panic::RefUnwindSafe;
use std::sync::Arc;

use numpy::ndarray::{ArrayView1, ArrayView2, ShapeBuilder};
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::arrow;
use super::boundary;
use super::errors;
use super::windows::Window;
use crate::error::{Error, Result};
use crate::pipeline::{
    self, Aggregate, Columns, Gaps, Grid, GridTable, PointTable, ResampleOptions, Samples, SlideValues,
};
use crate::sync::Mutex;

const AGGREGATES: [(&str, Aggregate); 7] = [
    ("first", Aggregate::First),
    ("last", Aggregate::Last),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("mean", Aggregate::Mean),
    ("count", Aggregate::Count),
    ("linear", Aggregate::Linear),
];

/// Those of the parameters that have samples here which are numbers.
#[pyfunction]
pub(super) fn numeric_parameters<'py>(
    py: Python<'py>,
    given: &Bound<'py, PyAny>,
    parameters: Vec<String>,
) -> PyResult<Bound<'py, PyList>> {
    let window = window(given)?;
    let slide = window.get().slide();
    let is_numeric =
        |name: &&String| slide.column_of(name).is_some_and(|column| !matches!(column.values, SlideValues::Str(_)));
    PyList::new(py, parameters.iter().filter(is_numeric))
}

/// A whole number of ns, or so many Hz.
#[derive(FromPyObject)]
pub(super) enum GridSpec {
    Period(u64),
    Rate(f64),
}

impl GridSpec {
    fn grid(&self) -> Result<Grid> {
        match *self {
            Self::Period(period_ns) => Grid::from_period(period_ns),
            Self::Rate(rate_hz) => Grid::from_rate(rate_hz),
        }
    }
}

fn aggregate(name: &str) -> Result<Aggregate> {
    let found = AGGREGATES.iter().find(|(known, _)| *known == name);
    found.map(|(_, aggregate)| *aggregate).ok_or_else(|| {
        let known = AGGREGATES.map(|(known, _)| known).join(", ");
        Error::Invalid(format!("there is no aggregate '{name}'; there are {known}"))
    })
}

pub(super) fn name_of(aggregate: Aggregate) -> &'static str {
    AGGREGATES.iter().find(|(_, known)| *known == aggregate).map_or("value", |(name, _)| name)
}

fn gaps(name: &str, longest_ns: u64) -> Result<Gaps> {
    match name {
        "nan" => Ok(Gaps::Empty),
        "hold" => Ok(Gaps::Hold { longest_ns }),
        "linear" => Ok(Gaps::Linear { longest_ns }),
        _ => Err(Error::Invalid(format!("gaps must be nan, hold or linear, not '{name}'"))),
    }
}

fn names(given: Vec<String>) -> Vec<Arc<str>> {
    given.into_iter().map(Into::into).collect()
}

/// A column of Python's: contiguous arrays of one length.
struct Given<'py> {
    times: PyReadonlyArray1<'py, u64>,
    values: Values<'py>,
    status: Option<PyReadonlyArray1<'py, u8>>,
}

enum Values<'py> {
    F64(PyReadonlyArray1<'py, f64>),
    I32(PyReadonlyArray1<'py, i32>),
    Bool(PyReadonlyArray1<'py, bool>),
}

impl<'py> Given<'py> {
    fn new(
        times: PyReadonlyArray1<'py, u64>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray1<'py, u8>>,
    ) -> PyResult<Self> {
        let values = if let Ok(array) = values.cast::<PyArray1<i32>>() {
            Values::I32(array.try_readonly()?)
        } else if let Ok(array) = values.cast::<PyArray1<bool>>() {
            Values::Bool(array.try_readonly()?)
        } else {
            Values::F64(values.cast::<PyArray1<f64>>()?.try_readonly()?)
        };
        Ok(Self { times, values, status })
    }

    fn samples(&self) -> PyResult<Samples<'_>> {
        let values = match &self.values {
            Values::F64(values) => SlideValues::F64(values.as_slice()?),
            Values::I32(values) => SlideValues::I32(values.as_slice()?),
            Values::Bool(values) => SlideValues::Bool(values.as_slice()?),
        };
        Ok((self.times.as_slice()?, values, self.status.as_ref().map(|status| status.as_slice()).transpose()?))
    }
}

fn window<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Window>> {
    // The public class holds the core's.
    Ok(given.getattr("_core")?.cast_into::<Window>()?)
}

fn tuple<'py>(py: Python<'py>, names: &[Arc<str>]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, names.iter().map(|name| &**name))
}

// ---------------------------------------------------------------------------------------------------------- resampling

/// Resamples the parameters of one session.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct Resampler {
    resampler: Mutex<pipeline::Resampler>,
}

#[pymethods]
impl Resampler {
    #[new]
    #[pyo3(signature = (parameters, grid, *, aggregates, gaps, longest_gap_ns, longest_line_ns, delivery))]
    #[expect(clippy::too_many_arguments, reason = "named by Python")]
    fn new(
        py: Python<'_>,
        parameters: Vec<String>,
        grid: GridSpec,
        aggregates: Vec<String>,
        gaps: &str,
        longest_gap_ns: u64,
        longest_line_ns: u64,
        delivery: Option<GridSpec>,
    ) -> PyResult<Self> {
        let made = options(&grid, &aggregates, gaps, longest_gap_ns, longest_line_ns, delivery.as_ref())
            .and_then(|options| pipeline::Resampler::new(&names(parameters), options));
        let resampler = made.map_err(|error| errors::raise(py, &error))?;
        Ok(Self { resampler: Mutex::new(resampler) })
    }

    #[getter]
    fn rate_hz(&self) -> f64 {
        self.resampler.lock().grid().rate_hz()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let names = self.resampler.lock().parameters().clone();
        tuple(py, &names)
    }

    /// How often holding ended because of a long gap.
    #[getter]
    fn expired(&self) -> u64 {
        self.resampler.lock().expired()
    }

    fn add(&self, py: Python<'_>, parameters: Vec<String>) -> PyResult<()> {
        let parameters = names(parameters);
        boundary::quick(py, "resampling", || self.resampler.lock().add(&parameters))
    }

    fn begin_at(&self, frontier_ns: u64) {
        self.resampler.lock().begin_at(frontier_ns);
    }

    fn take(&self, py: Python<'_>, given: &Bound<'_, PyAny>) -> PyResult<()> {
        let window = window(given)?;
        let slide = window.get().slide();
        boundary::quick(py, "resampling", || self.resampler.lock().take(slide))
    }

    #[pyo3(signature = (index, times, values, status))]
    fn take_column<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        times: PyReadonlyArray1<'py, u64>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray1<'py, u8>>,
    ) -> PyResult<()> {
        let given = Given::new(times, values, status)?;
        let samples = given.samples()?;
        boundary::quick(py, "resampling", || self.resampler.lock().take_column(index, samples))
    }

    fn advance(&self, py: Python<'_>, frontier_ns: u64) -> PyResult<()> {
        boundary::quick(py, "resampling", || {
            self.resampler.lock().advance(frontier_ns);
            Ok(())
        })
    }

    fn finish(&self, py: Python<'_>, partial: bool) -> PyResult<()> {
        boundary::quick(py, "resampling", || {
            self.resampler.lock().finish(partial);
            Ok(())
        })
    }

    fn next_block(&self, py: Python<'_>) -> PyResult<Option<GridBlock>> {
        let table = boundary::quick(py, "resampling", || Ok(self.resampler.lock().next_block()))?;
        Ok(table.map(GridBlock::new))
    }
}

fn options(
    grid: &GridSpec,
    aggregates: &[String],
    gap_name: &str,
    longest_gap_ns: u64,
    longest_line_ns: u64,
    delivery: Option<&GridSpec>,
) -> Result<ResampleOptions> {
    Ok(ResampleOptions {
        grid: grid.grid()?,
        aggregates: aggregates.iter().map(|name| aggregate(name)).collect::<Result<_>>()?,
        gaps: gaps(gap_name, longest_gap_ns)?,
        longest_line_ns,
        delivery: delivery.map(GridSpec::grid).transpose()?,
    })
}

/// Resamples columns that are there as a whole: `(times, values, status)` for each parameter.
#[pyfunction]
#[pyo3(signature = (parameters, columns, grid, *, aggregates, gaps, longest_gap_ns, longest_line_ns))]
#[expect(clippy::too_many_arguments, reason = "named by Python")]
pub(super) fn resample<'py>(
    py: Python<'py>,
    parameters: Vec<String>,
    columns: &Bound<'py, PyList>,
    grid: GridSpec,
    aggregates: Vec<String>,
    gaps: &str,
    longest_gap_ns: u64,
    longest_line_ns: u64,
) -> PyResult<GridBlock> {
    type Column<'py> = (PyReadonlyArray1<'py, u64>, Bound<'py, PyAny>, Option<PyReadonlyArray1<'py, u8>>);
    let mut given = Vec::with_capacity(columns.len());
    for column in columns {
        let (times, values, status): Column<'py> = column.extract()?;
        given.push(Given::new(times, &values, status)?);
    }
    let samples: Vec<Samples<'_>> = given.iter().map(Given::samples).collect::<PyResult<_>>()?;
    let parameters = names(parameters);
    let table = boundary::quick(py, "resampling", || {
        let options = options(&grid, &aggregates, gaps, longest_gap_ns, longest_line_ns, None)?;
        pipeline::resample(&parameters, &samples, options)
    })?;
    Ok(GridBlock::new(table))
}

/// Intervals of a grid and what the points in them come to.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct GridBlock {
    table: Arc<GridTable>,
}

// Nothing in a table is ever left half done: it is not changed any more.
impl RefUnwindSafe for GridBlock {}

impl GridBlock {
    fn new(table: GridTable) -> Self {
        Self { table: Arc::new(table) }
    }
}

#[pymethods]
impl GridBlock {
    fn __len__(&self) -> usize {
        self.table.len()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.table.parameters())
    }

    #[getter]
    fn aggregates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.table.aggregates().iter().map(|&aggregate| name_of(aggregate)))
    }

    #[getter]
    fn delivery(&self) -> Option<(u64, u64)> {
        self.table.delivery()
    }

    /// Beginnings and ends of the intervals.
    fn bounds<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let table = &this.get().table;
        Ok((times(this.as_any(), table.starts())?, times(this.as_any(), table.ends())?))
    }

    /// The values of an aggregate (n, p); None if it was not asked for, or counts.
    fn values<'py>(this: &Bound<'py, Self>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let table = &this.get().table;
        let Some(&aggregate) = table.aggregates().iter().find(|&&aggregate| name_of(aggregate) == name) else {
            return Ok(None);
        };
        table.values(aggregate).map(|columns| shown2(this.as_any(), columns)).transpose()
    }

    /// Numbers of points (n, p).
    fn counts<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        shown2(this.as_any(), this.get().table.counts())
    }

    /// Where values were filled in (n, p); None if nothing ever is.
    fn filled<'py>(this: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        this.get().table.filled().map(|columns| shown2(this.as_any(), columns)).transpose()
    }

    fn arrow_schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::schema_capsule(py, &arrow::grid_schema(&self.table))
    }

    /// The capsules of Arrow's C data interface: schema, and array.
    fn arrow_array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        arrow::array_capsules(py, arrow::grid_batch(py, &self.table)?)
    }

    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let batch = arrow::grid_batch(py, &self.table)?;
        arrow::stream_capsule(py, batch.schema(), vec![batch])
    }
}

// -------------------------------------------------------------------------------------------------------------- points

/// Sorts the points of the parameters of one session into the intervals of a grid.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct PointBatcher {
    batches: Mutex<pipeline::PointBatches>,
}

#[pymethods]
impl PointBatcher {
    #[new]
    #[pyo3(signature = (parameters, grid, *, delivery))]
    fn new(py: Python<'_>, parameters: Vec<String>, grid: GridSpec, delivery: Option<GridSpec>) -> PyResult<Self> {
        let make = || {
            let delivery = delivery.as_ref().map(GridSpec::grid).transpose()?;
            pipeline::PointBatches::new(&names(parameters), grid.grid()?, delivery)
        };
        let batches = make().map_err(|error| errors::raise(py, &error))?;
        Ok(Self { batches: Mutex::new(batches) })
    }

    #[getter]
    fn rate_hz(&self) -> f64 {
        self.batches.lock().grid().rate_hz()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let names = self.batches.lock().parameters().clone();
        tuple(py, &names)
    }

    fn add(&self, py: Python<'_>, parameters: Vec<String>) -> PyResult<()> {
        let parameters = names(parameters);
        boundary::quick(py, "batching", || self.batches.lock().add(&parameters))
    }

    fn begin_at(&self, frontier_ns: u64) {
        self.batches.lock().begin_at(frontier_ns);
    }

    fn take(&self, py: Python<'_>, given: &Bound<'_, PyAny>) -> PyResult<()> {
        let window = window(given)?;
        let slide = window.get().slide();
        boundary::quick(py, "batching", || self.batches.lock().take(slide))
    }

    #[pyo3(signature = (index, times, values, status))]
    fn take_column<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        times: PyReadonlyArray1<'py, u64>,
        values: &Bound<'py, PyAny>,
        status: Option<PyReadonlyArray1<'py, u8>>,
    ) -> PyResult<()> {
        let given = Given::new(times, values, status)?;
        let samples = given.samples()?;
        boundary::quick(py, "batching", || self.batches.lock().take_column(index, samples))
    }

    fn advance(&self, py: Python<'_>, frontier_ns: u64) -> PyResult<()> {
        boundary::quick(py, "batching", || {
            self.batches.lock().advance(frontier_ns);
            Ok(())
        })
    }

    fn finish(&self, py: Python<'_>, partial: bool) -> PyResult<()> {
        boundary::quick(py, "batching", || {
            self.batches.lock().finish(partial);
            Ok(())
        })
    }

    fn next_block(&self, py: Python<'_>) -> PyResult<Option<PointBlock>> {
        let table = boundary::quick(py, "batching", || Ok(self.batches.lock().next_block()))?;
        Ok(table.map(|table| PointBlock { table }))
    }
}

/// Intervals of a grid and the points in them.
#[pyclass(frozen, module = "telewire._core")]
pub(super) struct PointBlock {
    table: PointTable,
}

/// Times, values, statuses, offsets, and the last point before.
type PointArrays<'py> =
    (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Bound<'py, PyAny>, Option<(u64, f64, u8)>);

#[pymethods]
impl PointBlock {
    fn __len__(&self) -> usize {
        self.table.len()
    }

    /// How many points there are, of all parameters.
    #[getter]
    fn points(&self) -> usize {
        self.table.points()
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.table.parameters())
    }

    #[getter]
    fn delivery(&self) -> Option<(u64, u64)> {
        self.table.delivery()
    }

    /// Beginnings and ends of the intervals.
    fn bounds<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let table = &this.get().table;
        Ok((times(this.as_any(), table.starts())?, times(this.as_any(), table.ends())?))
    }

    /// The intervals with values (p, n) that were made of the points.
    fn with_values(&self, py: Python<'_>, values: PyReadonlyArray2<'_, f64>) -> PyResult<GridBlock> {
        let values = values.as_slice()?.to_vec();
        let table = self.table.with_values(values).map_err(|error| errors::raise(py, &error))?;
        Ok(GridBlock::new(table))
    }

    /// The points of one parameter.
    fn column<'py>(this: &Bound<'py, Self>, index: usize) -> PyResult<Option<PointArrays<'py>>> {
        let Some(column) = this.get().table.column(index) else { return Ok(None) };
        let owner = this.as_any();
        let before = column.before.map(|point| (point.time_ns, point.value, point.status));
        Ok(Some((
            times(owner, column.times)?,
            shown(owner, column.values)?,
            column.status.map(|status| shown(owner, status)).transpose()?,
            shown(owner, column.offsets)?,
            before,
        )))
    }
}

/// Times beyond the year 2262 wrap, as they do in every int64 of nanoseconds.
fn times<'py>(owner: &Bound<'py, PyAny>, data: &[u64]) -> PyResult<Bound<'py, PyAny>> {
    shown(owner, data)?.call_method1("view", ("int64",))
}

/// An array over memory of `owner`, a frozen object whose tables nobody changes.
fn shown<'py, T: Element>(owner: &Bound<'py, PyAny>, data: &[T]) -> PyResult<Bound<'py, PyAny>> {
    let view = ArrayView1::from(data);
    // SAFETY: the memory is that of a table inside `owner`, which nobody changes or moves while `owner` lives, and the
    // array keeps it alive.
    let array = unsafe { PyArray1::borrow_from_array(&view, owner.clone()) };
    array.call_method1("setflags", (false,))?;
    Ok(array.into_any())
}

fn shown2<'py, T: Element>(owner: &Bound<'py, PyAny>, columns: Columns<'_, T>) -> PyResult<Bound<'py, PyAny>> {
    let shape = (columns.rows, columns.columns).strides((1, columns.stride.max(1)));
    let view = ArrayView2::from_shape(shape, columns.data)
        .map_err(|error| errors::internal(owner.py(), "block", &error.to_string()))?;
    // SAFETY: as in `shown`.
    let array = unsafe { PyArray2::borrow_from_array(&view, owner.clone()) };
    array.call_method1("setflags", (false,))?;
    Ok(array.into_any())
}
