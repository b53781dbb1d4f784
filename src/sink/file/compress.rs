//! Compression of encoded segments, each a gzip member or zstd frame of its own: the workers
//! compress in parallel, and a reader of the whole file sees one stream.

use std::io::Write;

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
