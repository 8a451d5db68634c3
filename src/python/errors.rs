//! The core's errors as the exceptions of `telewire.errors`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::{Error, ErrorKind};

/// The exception for an error. Python has the classes, so that they can inherit from `ValueError` and the like.
pub(super) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let (kafka_code, retriable) = match error {
        Error::Kafka { code, retriable, .. } => (code.as_str(), *retriable),
        Error::Denied { code, .. } => (*code, false),
        Error::Unreachable { .. } => ("", true),
        _ => ("", false),
    };
    let left = if let Error::FlushTimeout { left, .. } = error { *left } else { 0 };
    build(py, kind(error.kind()), error.code(), &error.to_string(), kafka_code, retriable, left)
}

/// A panic of the core: a mistake of ours, told as an ordinary exception with what is known about it.
pub(super) fn internal(py: Python<'_>, what: &str, panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    let message = format!("{what}: internal error in telewire ({text}); please report it with the lines of its log");
    build(py, "internal", "internal", &message, "", false, 0)
}

/// An argument that cannot be used.
pub(super) fn invalid(py: Python<'_>, message: impl Into<String>) -> PyErr {
    raise(py, &Error::Invalid(message.into()))
}

fn build(
    py: Python<'_>,
    kind: &str,
    code: &str,
    message: &str,
    kafka_code: &str,
    retriable: bool,
    left: usize,
) -> PyErr {
    static FROM_CORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = FROM_CORE
        .get_or_try_init(py, || py.import("telewire.errors")?.getattr("from_core").map(Bound::unbind))
        .and_then(|from_core| from_core.bind(py).call1((kind, code, message, kafka_code, retriable, left)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Kafka => "kafka",
        ErrorKind::Decode => "decode",
        ErrorKind::Session => "session",
        ErrorKind::Format => "format",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Closed => "closed",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::Io => "io",
    }
}
