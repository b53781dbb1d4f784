//! Compression of encoded segments, each a gzip member or zstd frame of its own: the workers
//! compress in parallel, and a reader of the whole file sees one stream.

use std::io::{Read, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// The compressors' own defaults: more saves little and costs much.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// The memory of a compressor at these levels, about.
const GZIP_BYTES: usize = 512 << 10;
const ZSTD_BYTES: usize = 2 << 20;

impl Compression {
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// None where that is more than `bytes_max`, or was never compressed so.
    pub fn undo(self, bytes: Vec<u8>, bytes_max: u64) -> Option<Vec<u8>> {
        let reader: Box<dyn Read + '_> = match self {
            // Nothing at all is whole in each.
            _ if bytes.is_empty() => return Some(bytes),
            Compression::None => Box::new(&bytes[..]),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(&bytes[..])),
            Compression::Zstd => Box::new(zstd::Decoder::new(&bytes[..]).ok()?),
        };
        let mut plain = Vec::new();
        reader.take(bytes_max + 1).read_to_end(&mut plain).ok()?;
        (plain.len() as u64 <= bytes_max).then_some(plain)
    }

    pub fn apply(self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Compression::None => bytes,
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(
                    Vec::with_capacity(bytes.len() / 4),
                    flate2::Compression::new(GZIP_LEVEL),
                );
                let written = encoder.write_all(&bytes).and_then(|()| encoder.finish());
                written.expect("writing to memory does not fail")
            }
            Compression::Zstd => zstd::bulk::compress(&bytes, ZSTD_LEVEL)
                .expect("compressing from memory to memory does not fail"),
        }
    }

    /// Bytes for the plain and the compressed form together, and for what compresses.
    pub fn footprint(self, encoded: usize) -> usize {
        let both = encoded * 2 + encoded / 128 + 1024;
        match self {
            Compression::None => encoded,
            Compression::Gzip => both + GZIP_BYTES,
            Compression::Zstd => both + ZSTD_BYTES,
        }
    }
}
