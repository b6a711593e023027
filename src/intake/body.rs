//! The body of a request: unpacked, counted twice, and not waited for without end.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut, Payload, block};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::intake::IntakeError;

/// How long a sender may take over a body, whatever its size.
const PATIENCE: Duration = Duration::from_secs(10);

/// For each of so many bytes that have arrived it may take a second longer: half a megabit a second is a poor line, and
/// who sends less takes room from others.
const PER_SECOND: usize = 64 << 10;

/// How long a request waits for room among the bodies in flight: as long as a sender might, since it calls only once.
const ROOM: Duration = Duration::from_secs(20);

/// How many may wait for it. Each keeps its connection, and what the server has read of the body in advance.
const WAITING: usize = 256;

/// Room is given out in pieces of this many bytes.
const PIECE: usize = 1 << 10;

/// The memory that all bodies in flight may take together, whatever arrives.
#[derive(Debug)]
pub(super) struct Room {
    pieces: Arc<Semaphore>,
    seats: Semaphore,
    limit: usize,
}

impl Room {
    /// Room for six bodies of the largest size, `limit` bytes, by default, or for very many of the usual one. On its way to
    /// the store a body is in memory up to four times, and one that is an array of thousands of events seven times; so
    /// this is about a seventh of what is taken at the worst.
    pub(super) fn new(limit: usize) -> Self {
        let all = limit.saturating_mul(5).max(32 << 20);
        let pieces = Arc::new(Semaphore::new((all / PIECE).min(Semaphore::MAX_PERMITS)));
        Self { pieces, seats: Semaphore::new(WAITING), limit }
    }

    /// Waits for the room that the body of `request` may need. It is given back when the permit is dropped.
    pub(super) async fn enter(&self, request: &HttpRequest) -> Result<OwnedSemaphorePermit, IntakeError> {
        let limit = self.limit;
        let told =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let size = match (told, coding(request)?) {
            (Some(told), _) if told > limit => return Err(IntakeError::TooLarge { limit }),
            (Some(told), Coding::Identity) if !request.headers().contains_key(TRANSFER_ENCODING) => told,
            _ => limit,
        };
        let pieces = u32::try_from(size.div_ceil(PIECE)).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.pieces).try_acquire_many_owned(pieces) {
            return Ok(permit);
        }
        let _seat = self.seats.try_acquire().or(Err(IntakeError::Crowded))?;
        match timeout(ROOM, Arc::clone(&self.pieces).acquire_many_owned(pieces)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(IntakeError::Crowded),
        }
    }

    /// Reads the whole body of `request`, of at most the limit, packed and unpacked.
    pub(super) async fn read(&self, request: &HttpRequest, payload: Payload) -> Result<Bytes, IntakeError> {
        let (coding, limit) = (coding(request)?, self.limit);
        let packed = collect(payload, limit).await?;
        let unpacked = match coding {
            Coding::Identity => return Ok(packed),
            // Away from the server's threads: a small packed body may take long to unpack.
            Coding::Gzip => block(move || unpack(MultiGzDecoder::new(&*packed), limit)).await,
            // The standard means zlib by it; some senders leave its two bytes of header out.
            Coding::Deflate if packed.first().is_some_and(|byte| byte & 0x0F == 8) => {
                block(move || unpack(ZlibDecoder::new(&*packed), limit)).await
            }
            Coding::Deflate => block(move || unpack(DeflateDecoder::new(&*packed), limit)).await,
        };
        unpacked.or(Err(IntakeError::BrokenCoding))?
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Deflate,
}

fn coding(request: &HttpRequest) -> Result<Coding, IntakeError> {
    let Some(header) = request.headers().get(CONTENT_ENCODING) else { return Ok(Coding::Identity) };
    match header.to_str().unwrap_or("?").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        _ => Err(IntakeError::UnknownCoding),
    }
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, IntakeError> {
    let mut body = BytesMut::new();
    let begun = Instant::now();
    while let Some(chunk) =
        timeout_at(begun + patience(body.len()), payload.next()).await.or(Err(IntakeError::TooSlow))?
    {
        let chunk = chunk.or(Err(IntakeError::BrokenOff))?;
        if body.len() + chunk.len() > limit {
            return Err(IntakeError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// How long it may take until there is more than the `arrived` bytes.
fn patience(arrived: usize) -> Duration {
    PATIENCE + Duration::from_secs((arrived / PER_SECOND) as u64)
}

/// Unpacks no further than one byte past the limit, whatever the rest would have become.
fn unpack(packed: impl Read, limit: usize) -> Result<Bytes, IntakeError> {
    let mut body = Vec::new();
    let mut packed = packed.take(limit as u64 + 1);
    packed.read_to_end(&mut body).or(Err(IntakeError::BrokenCoding))?;
    if body.len() > limit { Err(IntakeError::TooLarge { limit }) } else { Ok(body.into()) }
}
