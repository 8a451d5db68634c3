//! Sockets and threads: one task per connection, one request at a time per connection, in order, as Kafka does it.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::complaints::Complaints;
use super::core::{Core, now_ms};
use super::dispatch::{self, Outcome, Peer};
use super::frame::{self, Reader};
use crate::error::{Error, Result};
use crate::sync::Mutex;

const THREADS: usize = 2;
/// Connections at a time. For one more, the one that has said nothing for longest is closed.
const MOST_CONNECTIONS: usize = 2_000;
/// A client that has asked something is left alone for so long before it counts as silent.
const LEFT_ALONE_MS: u64 = 1_000;
/// How long requests in progress may take to end when the broker stops.
const GRACE: Duration = Duration::from_secs(1);
/// Everything about stopping is over after this.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
const SYNC_EVERY: Duration = Duration::from_secs(1);
const RETAIN_EVERY: Duration = Duration::from_secs(30);

/// The running sockets and threads of a broker.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    running: Mutex<Option<(Runtime, mpsc::Receiver<()>)>>,
    /// A forked child has this value too, but not the threads.
    process: u32,
}

impl Server {
    /// Binds and serves. The socket accepts connections when this returns.
    pub(super) fn start(core: &Arc<Core>, host: &str, port: u16, advertised: Option<(String, u16)>) -> Result<Self> {
        let failed = |e: &io::Error| Error::io(format!("address {host}:{port} of the embedded broker"), e);
        let listener = StdListener::bind((host, port)).map_err(|e| failed(&e))?;
        let address = listener.local_addr().map_err(|e| failed(&e))?;
        listener.set_nonblocking(true).map_err(|e| failed(&e))?;
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(THREADS).thread_name("telewire-broker").enable_all();
        let runtime = threads.build().map_err(|e| Error::io("threads of the embedded broker", &e))?;
        let (stop, stopped) = watch::channel(false);
        let (done, finished) = mpsc::channel();
        let shared = Shared {
            core: Arc::clone(core),
            host: host.to_owned(),
            port: address.port(),
            advertised,
            large: Arc::new(frame::room_for_large_requests()),
            complaints: Arc::default(),
            begun: Instant::now(),
        };
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(|e| failed(&e))?
        };
        runtime.spawn(async move {
            serve(listener, shared, stopped).await;
            // The receiver is gone when the deadline has passed.
            let _ = done.send(());
        });
        let running = Mutex::new(Some((runtime, finished)));
        Ok(Self { address, stop, running, process: std::process::id() })
    }

    /// Where the socket is bound.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving; `true` for the call that did it. Returns within five seconds.
    pub(super) fn stop(&self) -> bool {
        if self.process != std::process::id() {
            return false;
        }
        let Some((runtime, finished)) = self.running.lock().take() else { return false };
        let begun = Instant::now();
        self.stop.send_replace(true);
        if finished.recv_timeout(STOP_DEADLINE).is_err() {
            log::warn!("embedded broker: connections did not end within {STOP_DEADLINE:?}");
        }
        log::debug!("embedded broker: stopped within {:?}", begun.elapsed());
        // Waiting for the threads is not allowed everywhere a broker may be dropped; nothing of ours is left on them.
        runtime.shutdown_background();
        true
    }
}

#[derive(Clone)]
struct Shared {
    core: Arc<Core>,
    host: String,
    port: u16,
    advertised: Option<(String, u16)>,
    large: Arc<Semaphore>,
    complaints: Arc<Complaints>,
    /// Times are counted from here.
    begun: Instant,
}

/// A connection as the listener sees it.
struct Guest {
    peer: SocketAddr,
    silence: Arc<Silence>,
    handle: AbortHandle,
}

/// Since when a connection has said nothing.
#[derive(Debug)]
struct Silence(AtomicU64);

impl Silence {
    /// Its request is being answered.
    const BUSY: u64 = u64::MAX;
    /// It has asked something before: the lowest bit.
    const KNOWN: u64 = 1;

    /// Of a connection that was accepted at this time, in ms.
    fn of_stranger(ms: u64) -> Self {
        Self(AtomicU64::new(ms << 1))
    }

    fn busy(&self) {
        self.0.store(Self::BUSY, Ordering::Relaxed);
    }

    fn answered(&self, ms: u64) {
        self.0.store(ms << 1 | Self::KNOWN, Ordering::Relaxed);
    }

    /// Who goes first: connections that never asked anything, by age, then those that have been silent for longest. Nobody
    /// who waits for an answer, or had one a moment ago.
    fn rank(&self, now_ms: u64) -> Option<(bool, u64)> {
        let state = self.0.load(Ordering::Relaxed);
        let (known, since) = (state & Self::KNOWN != 0, state >> 1);
        let spared = state == Self::BUSY || (known && now_ms.saturating_sub(since) < LEFT_ALONE_MS);
        (!spared).then_some((known, since))
    }
}

/// Counts a connection for as long as there is one, however it ends.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections.
#[derive(Default)]
struct Guests {
    tasks: JoinSet<()>,
    all: HashMap<Id, Guest>,
}

impl Guests {
    /// Takes note of the end of one.
    async fn next_end(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.all.remove(&id)),
            Some(Err(error)) => drop(self.all.remove(&error.id())),
            None => {}
        }
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr, shared: &Shared, stopped: &watch::Receiver<bool>) {
        let silence = Arc::new(Silence::of_stranger(shared.ms()));
        let task = connection(stream, peer, shared.clone(), stopped.clone(), Arc::clone(&silence));
        let handle = self.tasks.spawn(task);
        self.all.insert(handle.id(), Guest { peer, silence, handle });
    }

    /// Closes the connection that can best be done without; `false` if there is none.
    fn make_room(&mut self, shared: &Shared, why: &str) -> bool {
        let now = shared.ms();
        let ranked = self.all.iter().filter_map(|(id, guest)| Some((guest.silence.rank(now)?, *id)));
        let Some((_, id)) = ranked.min_by_key(|(rank, _)| *rank) else { return false };
        if let Some(guest) = self.all.remove(&id) {
            guest.handle.abort();
            let peer = guest.peer;
            shared.complaints.say(format_args!("connection of {peer} closed, which said nothing for longest: {why}"));
        }
        true
    }
}

async fn serve(listener: TcpListener, shared: Shared, mut stopped: watch::Receiver<bool>) {
    let mut guests = Guests::default();
    let mut chores = JoinSet::new();
    chores.spawn(group_timer(Arc::clone(&shared.core)));
    chores.spawn(housekeeping(Arc::clone(&shared.core)));
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => break,
            () = guests.next_end(), if !guests.tasks.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let full = guests.all.len() >= MOST_CONNECTIONS;
                if full && !guests.make_room(&shared, &format!("{MOST_CONNECTIONS} connections are open")) {
                    shared.complaints.say(format_args!("{peer} turned away: {MOST_CONNECTIONS} connections are busy"));
                } else {
                    guests.welcome(stream, peer, &shared, &stopped);
                }
            }
            Err(e) => {
                shared.complaints.say(format_args!("no connection could be accepted: {e}"));
                // Out of file handles, most likely: one connection less helps, trying again at once does not.
                guests.make_room(&shared, &e.to_string());
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    stop_listening(listener);
    chores.shutdown().await;
    let mut connections = guests.tasks;
    let ended = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        connections.shutdown().await;
    }
}

/// Frees the port, also when a forked child holds a copy of the socket: then closing alone would leave it listening, with
/// nobody to answer.
fn stop_listening(listener: TcpListener) {
    #[cfg(unix)]
    if let Ok(listener) = listener.into_std() {
        let socket = std::net::TcpStream::from(std::os::fd::OwnedFd::from(listener));
        if let Err(e) = socket.shutdown(std::net::Shutdown::Both) {
            log::debug!("embedded broker: the port is left to the system: {e}");
        }
    }
    #[cfg(not(unix))]
    drop(listener);
}

async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    shared: Shared,
    mut stopped: watch::Receiver<bool>,
    silence: Arc<Silence>,
) {
    let _counted = Counted::new(&shared.core.connections);
    let ended = tokio::select! {
        ended = converse(&mut stream, peer, &shared, &silence) => ended,
        _ = stopped.changed() => Ok(()),
    };
    // Said, and not left to closing: a forked child may hold a copy of the socket.
    let _ = stream.shutdown().await;
    match ended {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            shared.complaints.say(format_args!("connection of {peer} closed: {e}"));
        }
        Err(e) => log::debug!("embedded broker: connection of {peer} ended: {e}"),
    }
}

impl Shared {
    /// Milliseconds since the broker began.
    fn ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX >> 1)
    }
}

async fn converse(stream: &mut TcpStream, peer: SocketAddr, shared: &Shared, silence: &Silence) -> io::Result<()> {
    // Answers are written in one go; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let unspecified = shared.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let (host, port) = match &shared.advertised {
        Some(told) => told.clone(),
        // Bound to every address, the broker is where this client has found it.
        None if unspecified => (local.ip().to_string(), shared.port),
        None => (shared.host.clone(), shared.port),
    };
    let peer = Peer { host, port: i32::from(port), client_address: peer.ip().to_string() };
    let mut reader = Reader::default();
    while let Some(request) = reader.next(stream, &shared.large).await? {
        silence.busy();
        let outcome = tokio::select! {
            biased;
            outcome = dispatch::handle(&shared.core, &peer, request) => outcome?,
            () = hung_up(stream) => return Ok(()),
        };
        match outcome {
            Outcome::Answer(answer) => answer.write(stream).await?,
            Outcome::Silence => {}
            Outcome::Close(reason) => return Err(io::Error::new(io::ErrorKind::InvalidData, reason)),
        }
        silence.answered(shared.ms());
    }
    Ok(())
}

/// Ends when the client goes away while its request waits for something.
async fn hung_up(stream: &TcpStream) {
    if stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
        // The next request is already here; it will be read in its turn.
        std::future::pending::<()>().await;
    }
}

async fn group_timer(core: Arc<Core>) {
    loop {
        let due = core.groups.lock().next_due();
        let sleep = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => core.groups.lock().tick(Instant::now()),
            () = core.group_work.notified() => {}
        }
    }
}

async fn housekeeping(core: Arc<Core>) {
    // A quarter of the retention, so that nothing stays much longer than promised.
    let quarter = core.retention_ms.map(|ms| Duration::from_millis(u64::try_from(ms / 4).unwrap_or(0)));
    let retain_every = quarter.map_or(RETAIN_EVERY, |q| q.clamp(Duration::from_millis(100), RETAIN_EVERY));
    let (mut retain, mut sync) = (interval(retain_every), interval(SYNC_EVERY));
    retain.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let on_disk = core.folder().is_some();
    loop {
        let syncs = tokio::select! {
            _ = retain.tick() => false,
            _ = sync.tick(), if on_disk => true,
        };
        let core = Arc::clone(&core);
        // Forcing bytes to a disk can take a second; the connections go on meanwhile.
        let work = move || if syncs { core.sync() } else { core.retain(now_ms()) };
        if tokio::task::spawn_blocking(work).await.is_err() {
            log::error!("embedded broker: housekeeping failed");
        }
    }
}
