//! The body of an answer, read piece by piece up to a limit: servers say no length beforehand, and a
//! page of large documents must not become larger than there is memory.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use super::client::Client;
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

#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Whole,
    TooLarge,
    Over,
}

/// Reads a body into `buffer`. `more` is asked whenever the limit is reached.
pub async fn read(
    client: &Client,
    mut response: reqwest::Response,
    buffer: &mut Vec<u8>,
    limit: usize,
    mut more: impl FnMut(usize) -> More,
) -> Result<Outcome> {
    let encoding = response.headers().get(reqwest::header::CONTENT_ENCODING);
    let is_packed = match encoding.map(|value| value.as_bytes().to_ascii_lowercase()) {
        None => false,
        Some(name) if name == b"identity" => false,
        Some(name) if name == b"gzip" || name == b"x-gzip" => true,
        Some(_) => {
            let message = "the answer is packed in a way that was not asked for";
            return Err(Error::new(Kind::Unavailable, ErrorType::Protocol, message));
        }
    };
    let mut filling = Filling::new(buffer, is_packed);
    let mut limit = limit;
    loop {
        let piece = match tokio::time::timeout(client.timeout(), response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => return filling.ended(),
            Ok(Err(cause)) => return Err(client.broken(&cause)),
            Err(_) => return Err(client.stalled()),
        };
        let step = if is_packed { EXPANDED_AT_ONCE } else { piece.len().max(1) };
        for part in piece.chunks(step) {
            filling.add(part, limit)?;
            while filling.length() > limit {
                match more(filling.length()) {
                    More::UpTo(larger) if larger > limit => limit = larger,
                    More::UpTo(_) | More::No => return Ok(Outcome::TooLarge),
                    More::Over => return Ok(Outcome::Over),
                }
            }
        }
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

    fn ended(&mut self) -> Result<Outcome> {
        match self {
            Filling::Plain(_) => Ok(Outcome::Whole),
            Filling::Packed(decoder) => {
                decoder.try_finish().map(|()| Outcome::Whole).map_err(unpacked)
            }
        }
    }

    fn length(&self) -> usize {
        match self {
            Filling::Plain(buffer) => buffer.len(),
            Filling::Packed(decoder) => decoder.get_ref().len(),
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
