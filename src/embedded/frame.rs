//! Requests come in and answers go out as frames: four bytes of length, a header, a body.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest request, as in Kafka.
const LONGEST_REQUEST: usize = 100 * 1024 * 1024;
/// Longer requests get a buffer of their own.
const SHARED_BUFFER: usize = 64 * 1024;
/// Memory for a request is reserved in steps while its bytes arrive, never by what it claims to be.
const LARGEST_STEP: usize = 2 * 1024 * 1024;
/// A connection that says nothing for so long is closed, as in Kafka.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// A request or an answer that does not move for so long is given up.
const STALLED: Duration = Duration::from_secs(60);
/// Beyond that, a request must come at this pace: nobody holds a connection and its memory with a byte now and then.
const SLOWEST_BYTES_PER_S: u64 = 16 * 1024;
/// Memory of large requests is counted in steps of so many bytes.
const STEP: usize = 256 * 1024;
/// Bytes that all large requests in progress may have together.
const LARGE_TOGETHER: usize = 256 * 1024 * 1024;
const SLICES: usize = 64;

/// One request without its length.
#[derive(Debug)]
pub(super) struct Request {
    /// Header and body.
    pub bytes: Bytes,
    /// Bytes of memory that keeping any part of it keeps alive.
    pub shared: usize,
}

/// Reads requests from a connection. What arrives behind a request is kept for the next call.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: BytesMut,
}

impl Reader {
    /// The next request; `None` when the client has closed the connection between two requests.
    pub(super) async fn next(&mut self, stream: &mut TcpStream, large: &Semaphore) -> io::Result<Option<Request>> {
        while self.buffer.len() < 4 {
            let begun = !self.buffer.is_empty();
            self.buffer.reserve(SHARED_BUFFER);
            let read = stream.read_buf(&mut self.buffer);
            let read =
                if begun { in_time(Instant::now() + STALLED, read).await? } else { timeout(IDLE, read).await?? };
            if read == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        let claimed = self.buffer.get_i32();
        let length = usize::try_from(claimed).ok().filter(|l| (8..=LONGEST_REQUEST).contains(l));
        let length = length.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("a request of {claimed} bytes: not Kafka's protocol?"))
        })?;
        let pace = Duration::from_secs(length as u64 / SLOWEST_BYTES_PER_S);
        let patience = Patience { latest: Instant::now() + STALLED + pace };
        if length <= SHARED_BUFFER {
            while self.buffer.len() < length {
                self.buffer.reserve(SHARED_BUFFER);
                patience.more(stream, &mut self.buffer).await?;
            }
            // The buffer is shared with neighbours, so whoever keeps a part has to copy it.
            return Ok(Some(Request { bytes: self.buffer.split_to(length).freeze(), shared: usize::MAX }));
        }
        // Large requests share a bound over all connections: for the bytes that have come, not for those they claim.
        let mut own = BytesMut::with_capacity(length.min(LARGEST_STEP));
        let here = self.buffer.len().min(length);
        own.put_slice(&self.buffer.split_to(here));
        let mut granted = own.len().max(SHARED_BUFFER);
        let mut room = None;
        while own.len() < length {
            if own.len() == granted {
                granted += STEP;
                let step = patience.step(large).await?;
                match &mut room {
                    None => room = Some(step),
                    Some(room) => room.merge(step),
                }
            }
            let left = length - own.len();
            if own.capacity() == own.len() {
                own.reserve(left.min(own.len()));
            }
            let most = left.min(granted - own.len());
            patience.more(stream, &mut (&mut own).limit(most)).await?;
        }
        let shared = if length <= LARGEST_STEP { length } else { usize::MAX };
        Ok(Some(Request { bytes: own.freeze(), shared }))
    }
}

/// How long a request may take to arrive.
struct Patience {
    latest: Instant,
}

impl Patience {
    fn deadline(&self) -> Instant {
        self.latest.min(Instant::now() + STALLED)
    }

    async fn more(&self, stream: &mut TcpStream, buffer: &mut (impl BufMut + Send)) -> io::Result<()> {
        if in_time(self.deadline(), stream.read_buf(buffer)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Room for the next bytes of a large request.
    async fn step<'a>(&self, large: &'a Semaphore) -> io::Result<SemaphorePermit<'a>> {
        in_time(self.deadline(), async { large.acquire().await.map_err(io::Error::other) }).await
    }
}

/// What does not happen in time is the client's fault, and said.
async fn in_time<T>(deadline: Instant, happens: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(deadline, happens).await.unwrap_or_else(|_| {
        let text = format!("a request did not arrive: nothing for {STALLED:?}, or too slowly");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    })
}

/// The steps that all large requests in progress may have together.
pub(super) fn room_for_large_requests() -> Semaphore {
    Semaphore::new(LARGE_TOGETHER / STEP)
}

/// An answer, in pieces that are written one after the other without being copied together.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The bytes behind the length.
    pub pieces: Vec<Bytes>,
}

impl Answer {
    /// An answer from a message of the codec.
    pub(super) fn encode<R: Encodable + HeaderVersion>(correlation: i32, version: i16, body: &R) -> io::Result<Self> {
        let mut bytes = BytesMut::with_capacity(256);
        header::<R>(&mut bytes, correlation, version)?;
        body.encode(&mut bytes, version).map_err(io::Error::other)?;
        Ok(Self { pieces: vec![bytes.freeze()] })
    }

    /// Writes the answer with its length.
    pub(super) async fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        let length: usize = self.pieces.iter().map(Bytes::len).sum();
        let length = i32::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut pieces = Vec::with_capacity(self.pieces.len() + 1);
        pieces.push(Bytes::copy_from_slice(&length.to_be_bytes()));
        pieces.extend(self.pieces.into_iter().filter(|p| !p.is_empty()));
        let mut first = 0;
        while first < pieces.len() {
            let slices: Vec<IoSlice<'_>> = pieces[first..].iter().take(SLICES).map(|p| IoSlice::new(p)).collect();
            let mut written = timeout(STALLED, stream.write_vectored(&slices)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            while first < pieces.len() && written >= pieces[first].len() {
                written -= pieces[first].len();
                first += 1;
            }
            if written > 0 {
                pieces[first].advance(written);
            }
        }
        Ok(())
    }
}

/// Begins an answer of type `R`.
pub(super) fn header<R: HeaderVersion>(bytes: &mut BytesMut, correlation: i32, version: i16) -> io::Result<()> {
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header.encode(bytes, R::header_version(version)).map_err(io::Error::other)
}
