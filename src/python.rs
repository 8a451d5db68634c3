//! The extension module `telewire._core`: the stream floor for Python. Bindings only; whatever decides something lives
//! below, whatever is friendly lives in `python/telewire`.
//!
//! Nothing waits while it is attached to the interpreter, and no native thread ever attaches: Python's own threads come
//! and fetch ([`boundary`]).

mod arrays;
mod arrow;
mod blocks;
mod boundary;
mod broker;
mod client;
mod codec;
mod errors;
mod health;
mod info;
mod lists;
mod logs;
mod packet;
mod packet_writer;
mod reader;
mod resample;
mod samples;
mod session_writer;
mod watch;
mod windows;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The extension module.
#[pymodule(gil_used = false)]
#[pyo3(name = "_core")]
mod core_module {
    #[pymodule_export]
    use super::arrow::{import_arrow, long_table};
    #[pymodule_export]
    use super::blocks::{Block, Blocks};
    #[pymodule_export]
    use super::broker::Broker;
    #[pymodule_export]
    use super::client::{Client, connect};
    #[pymodule_export]
    use super::codec::{decode_contents, encode_periodic_content, encode_rows_content, encode_synchro_content};
    #[pymodule_export]
    use super::info::SessionInfo;
    #[pymodule_export]
    use super::logs::{lost_logs, set_log_level, take_logs};
    #[pymodule_export]
    use super::packet::{Packet, message_name};
    #[pymodule_export]
    use super::packet_writer::PacketWriter;
    #[pymodule_export]
    use super::reader::{Event, Reader};
    #[pymodule_export]
    use super::resample::{GridBlock, PointBatcher, PointBlock, Resampler, numeric_parameters, resample};
    #[pymodule_export]
    use super::session_writer::{SessionWriter, StreamWriter};
    #[pymodule_export]
    use super::watch::{FormatWatch, SessionWatch};
    #[pymodule_export]
    use super::windows::{Merger, Window, Windows};
    #[pymodule_export]
    use super::{build_info, shutdown, version};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        if super::boundary::settle() {
            // SAFETY: the function lives as long as the process: this library is never unloaded. What it does needs no Python.
            // There is room for 32 of them; without a place, what Python drops last is not waited for, as nothing else is.
            unsafe { pyo3::ffi::Py_AtExit(Some(super::at_the_very_end)) };
        }
        super::logs::install();
        Ok(())
    }
}

/// The package's version.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// What this build is made of, by name.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item("telewire", version())?;
    facts.set_item("librdkafka", rdkafka::util::get_rdkafka_version().1)?;
    facts.set_item("librdkafka features", features().unwrap_or_default())?;
    facts.set_item("openssl", openssl())?;
    facts.set_item("rustc", env!("TELEWIRE_RUSTC"))?;
    facts.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "optimised" })?;
    facts.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    Ok(facts)
}

/// What librdkafka was built with, by its own account.
fn features() -> Option<String> {
    rdkafka::ClientConfig::new().create_native_config().ok()?.get("builtin.features").ok()
}

/// Version of the OpenSSL inside.
fn openssl() -> String {
    unsafe extern "C" {
        safe fn OpenSSL_version(which: std::ffi::c_int) -> *const std::ffi::c_char;
    }
    let text = OpenSSL_version(0);
    if text.is_null() {
        return "unknown".into();
    }
    // SAFETY: OpenSSL answers with a text that ends in zero, is part of the library, and is never changed or freed.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// How long things that nobody has closed are given for it at exit.
const LAST_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// Called by Python as the very last thing, after the program's own variables were dropped.
extern "C" fn at_the_very_end() {
    boundary::await_returned(LAST_WAIT);
}

/// Called once at exit, after everything was closed: waits for what is still being given back, ends the wait of the thread
/// that drains the logs, and stops the broker behind `embedded://`.
#[pyfunction]
fn shutdown(py: Python<'_>) -> PyResult<()> {
    let returned = boundary::wait(py, "giving back what is not used any more", || {
        boundary::await_returned(LAST_WAIT);
        Ok(())
    });
    // From here on nobody listens, and clients that lose their broker at exit are no news.
    logs::finish();
    if !boundary::is_home() {
        return returned;
    }
    returned.and(boundary::wait(py, "stopping the embedded broker", || {
        crate::embedded::stop_in_memory();
        Ok(())
    }))
}
