//! Character encodings of text files.
//!
//! Encodings whose bytes could hide a delimiter or a line end - UTF-16, Shift_JIS and the like -
//! are turned into UTF-8 before record boundaries are looked for. Single-byte encodings agree with
//! ASCII there, so their values are turned in the workers, in parallel.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, unless a byte order mark says UTF-16.
    #[default]
    Auto,
    /// UTF-8 whatever the file begins with; its own mark is taken off.
    Utf8,
    /// Decoded value by value in the workers.
    SingleByte(&'static encoding_rs::Encoding),
    /// Decoded as a stream, before the scan.
    Stream(&'static encoding_rs::Encoding),
}

impl Encoding {
    pub fn from_label(label: &str) -> Option<Encoding> {
        if label.eq_ignore_ascii_case("auto") {
            return Some(Encoding::Auto);
        }
        // Plain "UTF-16" means little endian to the WHATWG; a mark, if there is one, decides.
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
        Some(if encoding == encoding_rs::UTF_8 {
            Encoding::Utf8
        } else if encoding.is_single_byte() {
            Encoding::SingleByte(encoding)
        } else {
            Encoding::Stream(encoding)
        })
    }
}

/// A stream in UTF-8 of a stream in another encoding. What cannot be decoded is an error and never
/// replaced.
pub struct Transcode<R> {
    inner: R,
    decoder: Decoder,
    encoding: &'static encoding_rs::Encoding,
    raw: Vec<u8>,
    raw_position: u64,
    text: Vec<u8>,
    text_used: usize,
    ended: bool,
}

const RAW_BYTES: usize = 64 * 1024;

impl<R: Read> Transcode<R> {
    pub fn new(inner: R, encoding: &'static encoding_rs::Encoding) -> Transcode<R> {
        Transcode {
            inner,
            decoder: encoding.new_decoder_with_bom_removal(),
            encoding,
            raw: Vec::new(),
            raw_position: 0,
            text: Vec::new(),
            text_used: 0,
            ended: false,
        }
    }

    /// Decodes the next block; `text` has room for the worst case, so the block is used up.
    fn refill(&mut self) -> io::Result<()> {
        self.raw.clear();
        self.inner.by_ref().take(RAW_BYTES as u64).read_to_end(&mut self.raw)?;
        self.ended = self.raw.is_empty();
        let room = self.decoder.max_utf8_buffer_length_without_replacement(self.raw.len());
        self.text.resize(room.unwrap_or(RAW_BYTES * 4), 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw, &mut self.text, self.ended);
        self.text.truncate(written);
        self.text_used = 0;
        if let DecoderResult::Malformed(length, after) = result {
            let behind = self.raw_position + read as u64;
            let at = behind.saturating_sub(u64::from(length) + u64::from(after));
            let cause = NotDecodable { encoding: self.encoding.name(), at };
            return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
        }
        self.raw_position += self.raw.len() as u64;
        Ok(())
    }
}

impl<R: Read> Read for Transcode<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.text_used == self.text.len() && !self.ended {
            self.refill()?;
        }
        let count = out.len().min(self.text.len() - self.text_used);
        out[..count].copy_from_slice(&self.text[self.text_used..self.text_used + count]);
        self.text_used += count;
        Ok(count)
    }
}

/// Bytes that are not text in the encoding the file is said to have.
#[derive(Debug)]
pub struct NotDecodable {
    encoding: &'static str,
    pub at: u64,
}

impl std::fmt::Display for NotDecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {} of the file is not {}", self.at, self.encoding)
    }
}

impl std::error::Error for NotDecodable {}

/// Appends a value in a single-byte encoding to `out` as UTF-8, or says that it is not one.
pub fn decode_value(
    encoding: &'static encoding_rs::Encoding,
    value: &[u8],
    out: &mut Vec<u8>,
) -> std::result::Result<(), NotText> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(value.len()).unwrap_or(0);
    let start = out.len();
    out.resize(start + room, 0);
    let (result, _, written) =
        decoder.decode_to_utf8_without_replacement(value, &mut out[start..], true);
    out.truncate(start + written);
    match result {
        DecoderResult::InputEmpty => Ok(()),
        DecoderResult::Malformed(..) | DecoderResult::OutputFull => Err(NotText),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct NotText;

#[cfg(test)]
mod tests {
    use super::*;

    fn transcode(label: &str, bytes: &[u8]) -> io::Result<String> {
        let Some(Encoding::Stream(encoding)) = Encoding::from_label(label) else {
            panic!("{label} is no stream encoding");
        };
        let mut text = String::new();
        Transcode::new(bytes, encoding).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn labels_choose_where_the_decoding_happens() {
        assert_eq!(Encoding::from_label("auto"), Some(Encoding::Auto));
        assert_eq!(Encoding::from_label("UTF-8"), Some(Encoding::Utf8));
        for single in ["latin1", "windows-1252", "ISO-8859-15"] {
            assert!(matches!(Encoding::from_label(single), Some(Encoding::SingleByte(_))));
        }
        for stream in ["utf-16le", "utf-16be", "shift_jis"] {
            assert!(matches!(Encoding::from_label(stream), Some(Encoding::Stream(_))));
        }
        assert_eq!(Encoding::from_label("klingon"), None);
    }

    #[test]
    fn a_stream_is_decoded_across_block_ends() {
        let text: String = "a\u{e9}\u{1f600}\n".repeat(RAW_BYTES / 5);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(transcode("utf-16le", &bytes).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_decoded_is_named_and_never_replaced() {
        let mut bytes: Vec<u8> = "ab".encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend(0xd800_u16.to_le_bytes());
        bytes.extend(u16::to_le_bytes(b'c'.into()));
        let error = transcode("utf-16le", &bytes).unwrap_err();
        assert_eq!(error.to_string(), "byte 4 of the file is not UTF-16LE");
    }

    #[test]
    fn values_in_one_byte_a_character() {
        let mut out = b"x".to_vec();
        let latin = encoding_rs::Encoding::for_label(b"latin1").unwrap();
        decode_value(latin, b"caf\xe9 \x80", &mut out).unwrap();
        assert_eq!(out, "xcafé €".as_bytes());
    }
}
