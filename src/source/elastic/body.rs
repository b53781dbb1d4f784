//! The body of an answer, read piece by piece up to a limit: servers say no length beforehand, and a
//! page of large documents must not become larger than there is memory.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::write::MultiGzDecoder;
use reqwest::Response;

use crate::error::{Error, Kind, Result};
use crate::record::ErrorType;

/// Compressed bytes are expanded in pieces of this size, so that a bomb is noticed while it is small.
const EXPANDED_AT_ONCE: usize = 1024;

/// What to do when a body is larger than its limit.
pub enum More {
    /// Read on up to this many bytes.
    UpTo(usize),
    /// It is not worth it: ask for less.
    No,
    /// The run is over.
    Over,
}

/// How far a body was read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyEnd {
    Whole,
    TooLarge,
    /// The run is over.
    Over,
}

/// Why a body was not read.
pub enum BodyError {
    /// The connection broke off.
    Broken(reqwest::Error),
    TimedOut,
    /// What came is not what the headers promise.
    Encoding(Error),
}

impl From<Error> for BodyError {
    fn from(error: Error) -> BodyError {
        BodyError::Encoding(error)
    }
}

/// Slower than this is no network, but a server that lets us wait.
const BYTES_A_SECOND_MIN: u64 = 16 << 10;

/// Reads a body into `buffer`. `more` is asked whenever the limit is reached. It may take `timeout`
/// beyond what it needs at the lowest speed.
pub async fn read(
    mut response: Response,
    timeout: Duration,
    buffer: &mut Vec<u8>,
    limit: usize,
    mut more: impl FnMut(usize) -> More,
) -> std::result::Result<BodyEnd, BodyError> {
    let is_packed = is_packed(&response)?;
    let mut filling = Filling::new(buffer, is_packed);
    let mut limit = limit;
    let mut patience = Patience::new(timeout);
    loop {
        let asked = Instant::now();
        let piece = match tokio::time::timeout(patience.left(), response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => return Ok(filling.ended()?),
            Ok(Err(cause)) => return Err(BodyError::Broken(cause)),
            Err(_) => return Err(BodyError::TimedOut),
        };
        patience.got(piece.len() as u64, asked.elapsed());
        let step = if is_packed { EXPANDED_AT_ONCE } else { piece.len().max(1) };
        for part in piece.chunks(step) {
            filling.add(part, limit)?;
            while filling.length() > limit {
                match more(filling.length()) {
                    More::UpTo(larger) if larger > limit => limit = larger,
                    More::UpTo(_) | More::No => return Ok(BodyEnd::TooLarge),
                    More::Over => return Ok(BodyEnd::Over),
                }
            }
        }
    }
}

/// Reads a body until `what` finds something in so much of it as has come, and no further than `limit`.
pub async fn find<T>(
    mut response: Response,
    limit: usize,
    what: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let mut buffer = Vec::new();
    let mut filling = Filling::new(&mut buffer, is_packed(&response).ok()?);
    loop {
        let piece = response.chunk().await.ok()?;
        for part in piece.iter().flat_map(|piece| piece.chunks(EXPANDED_AT_ONCE)) {
            if filling.length() < limit {
                filling.add(part, limit).ok()?;
            }
        }
        let is_whole = piece.is_none();
        if is_whole {
            filling.ended().ok()?;
        }
        let found = what(filling.bytes());
        if found.is_some() || is_whole || filling.length() >= limit {
            return found;
        }
    }
}

fn is_packed(response: &Response) -> Result<bool> {
    let encoding = response.headers().get(reqwest::header::CONTENT_ENCODING);
    match encoding.map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"identity") => Ok(false),
        Some(b"gzip" | b"x-gzip") => Ok(true),
        Some(_) => {
            let message = "the answer is packed in a way that was not asked for";
            Err(Error::new(Kind::Unavailable, ErrorType::Protocol, message))
        }
    }
}

/// How long a body may still take. Only the time that it is waited for counts: while nobody takes
/// what was read, it lies in the connection.
struct Patience {
    /// For each piece, and for all of them beyond what they need at the lowest speed.
    most: Duration,
    received: u64,
    waited: Duration,
}

impl Patience {
    fn new(most: Duration) -> Patience {
        Patience { most, received: 0, waited: Duration::ZERO }
    }

    fn got(&mut self, bytes: u64, waited: Duration) {
        self.received += bytes;
        self.waited += waited;
    }

    fn left(&self) -> Duration {
        let needed = Duration::from_millis(self.received * 1000 / BYTES_A_SECOND_MIN);
        (self.most + needed).saturating_sub(self.waited).min(self.most)
    }
}

enum Filling<'a> {
    Plain(&'a mut Vec<u8>),
    Packed(Box<MultiGzDecoder<&'a mut Vec<u8>>>),
}

impl Filling<'_> {
    fn new(buffer: &mut Vec<u8>, is_packed: bool) -> Filling<'_> {
        if is_packed {
            Filling::Packed(Box::new(MultiGzDecoder::new(buffer)))
        } else {
            Filling::Plain(buffer)
        }
    }

    fn add(&mut self, part: &[u8], limit: usize) -> Result<()> {
        match self {
            Filling::Plain(buffer) => {
                make_room(buffer, part.len(), limit);
                buffer.extend_from_slice(part);
                Ok(())
            }
            Filling::Packed(decoder) => decoder.write_all(part).map_err(unpacked),
        }
    }

    fn ended(&mut self) -> Result<BodyEnd> {
        match self {
            Filling::Plain(_) => Ok(BodyEnd::Whole),
            Filling::Packed(decoder) => {
                decoder.try_finish().map(|()| BodyEnd::Whole).map_err(unpacked)
            }
        }
    }

    fn length(&self) -> usize {
        self.bytes().len()
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Filling::Plain(buffer) => buffer,
            Filling::Packed(decoder) => decoder.get_ref(),
        }
    }
}

/// By doubling, but not past the limit, below which most bodies stay: a run pays for what a buffer
/// holds for nothing as often as segments are under way.
fn make_room(buffer: &mut Vec<u8>, more: usize, limit: usize) {
    let needed = buffer.len() + more;
    if needed > buffer.capacity() {
        let wanted = needed.max((2 * buffer.capacity()).min(limit));
        buffer.reserve_exact(wanted - buffer.len());
    }
}

fn unpacked(cause: std::io::Error) -> Error {
    let message = "the answer cannot be unpacked";
    Error::new(Kind::Unavailable, ErrorType::Protocol, message).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_be_slow_but_not_for_ever() {
        let seconds = Duration::from_secs;
        for (received, waited, left) in [
            (0, 0, 3),
            (0, 2, 1),
            (0, 4, 0),
            // A byte a second.
            (3, 3, 0),
            // As fast as a network may be at the worst.
            (100 * BYTES_A_SECOND_MIN, 100, 3),
            (100 * BYTES_A_SECOND_MIN, 102, 1),
            (100 * BYTES_A_SECOND_MIN, 104, 0),
            (100 * BYTES_A_SECOND_MIN, 0, 3),
        ] {
            let mut patience = Patience::new(seconds(3));
            patience.got(received, seconds(waited));
            assert_eq!(patience.left().as_secs(), left, "{received} bytes in {waited} s");
        }
    }

    #[test]
    fn a_buffer_holds_no_more_than_the_limit_until_the_body_is_larger() {
        for piece in [1, 700, 4096, 16 << 10, 100_000] {
            let limit = 1 << 20;
            let mut buffer = Vec::new();
            while buffer.len() + piece <= limit {
                Filling::new(&mut buffer, false).add(&vec![b'x'; piece], limit).unwrap();
                assert!(buffer.capacity() <= limit);
            }
            Filling::new(&mut buffer, false).add(&vec![b'x'; piece], limit).unwrap();
            assert!(buffer.capacity() <= limit + piece);
        }
    }
}
