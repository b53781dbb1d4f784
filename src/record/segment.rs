//! An interval of a split, and the records in it.

use std::sync::Arc;

/// Why the source ended a segment where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `--batch-size` records were in it.
    Records,
    /// The next record would have taken it over `--batch-bytes`.
    Bytes,
    /// One record larger than `--batch-bytes` travels alone.
    Large,
    /// The split ended.
    End,
}

/// Something the boundary scan saw in a record that the decoder would let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `"a"b`: text between a closing quote and the next delimiter.
    TextAfterQuote,
    /// `a"b`: a quote inside a field that does not begin with one.
    StrayQuote,
}

/// A place between two records of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Offset in the decoded stream.
    Byte(u64),
    /// What a server sorts by, in its own words.
    Key(Arc<[u8]>),
}

/// `[from, to)` of one split: what a commit, its rejected records and a saved position are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Index into what `Source::splits` named.
    pub split: usize,
    pub from: Position,
    pub to: Position,
}

impl Interval {
    pub fn bytes(split: usize, from: u64, to: u64) -> Interval {
        Interval { split, from: Position::Byte(from), to: Position::Byte(to) }
    }
}

/// The records of an interval: the unit of parallel work, of a batch and of a commit.
///
/// Segments of a split are disjoint, in order, and cover it.
#[derive(Debug)]
pub struct Segment {
    pub interval: Interval,
    /// Number of the first record in the split, counted from 1.
    pub first_record: u64,
    /// Line on which the segment begins, counted from 1.
    pub first_line: u64,
    /// Records in the segment as the source counted them; the decoder must find as many.
    pub records: u64,
    pub bytes: Vec<u8>,
    /// Flaws by the index of their record within the segment, ascending.
    pub flaws: Vec<(u64, Flaw)>,
    pub flush: Flush,
}

impl Segment {
    /// Offset of its first byte in the decoded stream, where there is one.
    pub fn first_byte(&self) -> Option<u64> {
        match self.interval.from {
            Position::Byte(byte) => Some(byte),
            Position::Key(_) => None,
        }
    }
}

/// Line ends in `bytes`, which are not cut between CR and LF: LF, CRLF or a lone CR, each once.
pub fn lines_in(bytes: &[u8]) -> u64 {
    let line_feeds = memchr::memchr_iter(b'\n', bytes).count();
    let lone_returns =
        memchr::memchr_iter(b'\r', bytes).filter(|&at| bytes.get(at + 1) != Some(&b'\n')).count();
    (line_feeds + lone_returns) as u64
}

/// A record without what ends its line.
pub fn without_line_end(record: &[u8]) -> &[u8] {
    let end = record.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
    &record[..end.map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for (text, lines) in [
            ("", 0),
            ("a", 0),
            ("a\n", 1),
            ("a\r\nb\r\n", 2),
            ("a\rb\rc", 2),
            ("a\r", 1),
            ("\n\r\n", 2),
        ] {
            assert_eq!(lines_in(text.as_bytes()), lines, "{text:?}");
        }
    }
}
