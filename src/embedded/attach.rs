//! `embedded://` addresses: one broker in memory per process, one broker per folder on the machine.

use std::collections::HashMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use super::{Broker, BrokerOptions, folder};
use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard};

const SCHEME: &str = "embedded://";
/// How long the owner of a folder may take to say where it is.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);

static IN_MEMORY: Mutex<Option<Arc<Broker>>> = Mutex::new(None);
static IN_FOLDERS: LazyLock<Mutex<HashMap<PathBuf, Weak<Broker>>>> = LazyLock::new(Mutex::default);

/// A share in an embedded broker of this process, or the address of another process's.
///
/// A broker with a folder stops when the last share in it is dropped; the one in memory does not.
#[derive(Debug, Clone)]
pub struct Attached {
    address: String,
    broker: Option<Arc<Broker>>,
}

impl Attached {
    /// Host and port, for `bootstrap.servers`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Whether the broker runs in this process.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.broker.is_some()
    }
}

/// Whether this is the address of an embedded broker.
#[must_use]
pub fn is_embedded_url(s: &str) -> bool {
    s.starts_with(SCHEME)
}

/// The broker behind `embedded://` (in memory) or `embedded:///folder`; it is started if nobody has done so yet.
///
/// # Errors
///
/// [`Error::Config`] for another kind of address, [`Error::Io`] for a folder that cannot be used, [`Error::Embedded`] for
/// one whose owner does not answer.
pub fn attach(url: &str) -> Result<Attached> {
    let rest = url.strip_prefix(SCHEME).ok_or_else(|| {
        Error::Config(format!(
            "'{url}' is not the address of an embedded broker; use embedded:// or embedded:///folder"
        ))
    })?;
    if rest.is_empty() {
        let mut running = in_time(&IN_MEMORY)?;
        let broker = match &*running {
            Some(broker) => Arc::clone(broker),
            None => Arc::clone(running.insert(Arc::new(Broker::start(BrokerOptions::default())?))),
        };
        return Ok(Attached { address: broker.address(), broker: Some(broker) });
    }
    attach_folder(Path::new(folder_of(rest)))
}

/// `/C:/folder` is how an address names a folder on a drive.
fn folder_of(rest: &str) -> &str {
    match rest.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => &rest[1..],
        _ => rest,
    }
}

/// Stops the process's broker in memory; what it held is gone. The next `embedded://` starts an empty one.
pub fn stop_in_memory() {
    // The lock is not held meanwhile: stopping may take its time.
    let running = IN_MEMORY.lock().take();
    if let Some(broker) = running {
        broker.stop();
    }
}

/// A lock that is held while a broker starts, which takes milliseconds. A child that was forked meanwhile never gets it.
fn in_time<T>(lock: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    lock.try_lock_until(Instant::now() + ANNOUNCED_WITHIN).ok_or_else(|| {
        Error::Embedded(
            "another thread has been starting a broker for too long, or this process was forked meanwhile; start processes with \
             'spawn'"
                .into(),
        )
    })
}

fn attach_folder(path: &Path) -> Result<Attached> {
    let failed = |e: &std::io::Error| Error::io(format!("folder '{}' of the embedded broker", path.display()), e);
    std::fs::create_dir_all(path).map_err(|e| failed(&e))?;
    let path = path.canonicalize().map_err(|e| failed(&e))?;
    let deadline = Instant::now() + ANNOUNCED_WITHIN;
    loop {
        {
            let mut running = in_time(&IN_FOLDERS)?;
            if let Some(broker) = running.get(&path).and_then(Weak::upgrade) {
                return Ok(Attached { address: broker.address(), broker: Some(broker) });
            }
            let options = BrokerOptions { data: Some(path.clone()), ..BrokerOptions::default() };
            if let Some(broker) = Broker::start_unless_taken(options)? {
                let broker = Arc::new(broker);
                running.insert(path, Arc::downgrade(&broker));
                return Ok(Attached { address: broker.address(), broker: Some(broker) });
            }
        }
        // Another process has the folder: it is starting, running or stopping.
        if let Some(address) = folder::announced(&path).filter(|address| answers(address)) {
            return Ok(Attached { address, broker: None });
        }
        if Instant::now() > deadline {
            let text = format!(
                "folder '{}' is in use by another process whose broker does not answer; end that process, or use another folder",
                path.display()
            );
            return Err(Error::Embedded(text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn answers(address: &str) -> bool {
    let Ok(mut found) = address.to_socket_addrs() else { return false };
    found.any(|a| TcpStream::connect_timeout(&a, Duration::from_millis(500)).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn addresses_of_embedded_brokers_are_recognised() {
        assert!(is_embedded_url("embedded://") && is_embedded_url("embedded:///tmp/x"));
        assert!(!is_embedded_url("localhost:9092") && !is_embedded_url("embedded"));
        assert_eq!(attach("localhost:9092").unwrap_err().code(), "config");
        assert_eq!((folder_of("/tmp/x"), folder_of("/C:/x"), folder_of("rel/x")), ("/tmp/x", "C:/x", "rel/x"));
    }

    #[test]
    fn a_folder_is_shared_within_the_process_and_free_after_the_last_share() {
        let root = tempfile::tempdir().unwrap();
        let url = format!("embedded://{}", root.path().join("data").display());
        let one = attach(&url).unwrap();
        let two = attach(&url).unwrap();
        assert_eq!(one.address(), two.address());
        assert!(one.is_owner() && two.is_owner());
        let address = one.address();
        drop(one);
        assert!(answers(&address));
        drop(two);
        assert!(!answers(&address));
        assert!(attach(&url).unwrap().is_owner());
    }

    #[test]
    fn the_broker_in_memory_outlives_its_shares_until_it_is_stopped() {
        let first = attach("embedded://").unwrap().address();
        assert_eq!(attach("embedded://").unwrap().address(), first);
        stop_in_memory();
        assert!(!answers(&first));
    }
}
