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
    buffer: Vec<u8>,
    limit: usize,
    mut more: impl FnMut(usize) -> More,
) -> (Vec<u8>, Result<Outcome>) {
    let encoding = response.headers().get(reqwest::header::CONTENT_ENCODING);
    let is_packed = match encoding.map(|value| value.as_bytes().to_ascii_lowercase()) {
        None => false,
        Some(name) if name == b"identity" => false,
        Some(name) if name == b"gzip" || name == b"x-gzip" => true,
        Some(_) => {
            let message = "the answer is packed in a way that was not asked for";
            let error = Error::new(Kind::Unavailable, ErrorType::Protocol, message);
            return (buffer, Err(error));
        }
    };
    let mut filling = Filling::new(buffer, is_packed);
    let mut limit = limit;
    let outcome = loop {
        let piece = match tokio::time::timeout(client.timeout(), response.chunk()).await {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => break filling.ended(),
            Ok(Err(cause)) => break Err(client.broken(&cause)),
            Err(_) => break Err(client.stalled()),
        };
        let step = if is_packed { EXPANDED_AT_ONCE } else { piece.len().max(1) };
        let mut refused = None;
        for part in piece.chunks(step) {
            if let Err(error) = filling.add(part, limit) {
                refused = Some(Err(error));
                break;
            }
            while filling.buffer().len() > limit && refused.is_none() {
                match more(filling.buffer().len()) {
                    More::UpTo(larger) if larger > limit => limit = larger,
                    More::UpTo(_) | More::No => refused = Some(Ok(Outcome::TooLarge)),
                    More::Over => refused = Some(Ok(Outcome::Over)),
                }
            }
            if refused.is_some() {
                break;
            }
        }
        if let Some(refused) = refused {
            break refused;
        }
    };
    (filling.into_buffer(), outcome)
}

enum Filling {
    Plain(Vec<u8>),
    Packed(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Filling {
    fn new(buffer: Vec<u8>, is_packed: bool) -> Filling {
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

    fn buffer(&self) -> &Vec<u8> {
        match self {
            Filling::Plain(buffer) => buffer,
            Filling::Packed(decoder) => decoder.get_ref(),
        }
    }

    fn into_buffer(self) -> Vec<u8> {
        match self {
            Filling::Plain(buffer) => buffer,
            // What is still in the decoder is of no use after a failure, and nothing after success.
            Filling::Packed(mut decoder) => std::mem::take(decoder.get_mut()),
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
            let mut filling = Filling::new(Vec::new(), false);
            while filling.buffer().len() + piece <= limit {
                filling.add(&vec![b'x'; piece], limit).unwrap();
                assert!(filling.buffer().capacity() <= limit);
            }
            filling.add(&vec![b'x'; piece], limit).unwrap();
            assert!(filling.buffer().capacity() <= limit + piece);
        }
    }
}
