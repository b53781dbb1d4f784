//! A cursor over a text file: reads ahead, asks the format where records end, and hands out
//! segments of whole records.

use super::stream::Stream;
use crate::error::{Error, Result};
use crate::record::{ErrorType, Flaw, Flush, Interval, Place, Segment, lines_in};
use crate::source::{Cursor, Host, SegmentLimit, Tally};

/// Where records end: the only thing the sequential part of a text source knows about its format.
pub trait Boundaries: Send {
    /// Looks through `bytes`, which begin at a record, for at most `records_max` whole records.
    /// `is_last` says that nothing follows `bytes`; without it, a record whose end may still
    /// change with what follows is left for later.
    fn scan(&self, bytes: &[u8], is_last: bool, records_max: u64) -> Scan;
}

/// What a look through some bytes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Just behind the last whole record, and what can be skipped after it.
    pub end: usize,
    pub records: u64,
    /// Line ends before `end`.
    pub lines: u64,
    pub blank_lines: u64,
    /// A carriage return by itself ended this many lines.
    pub lone_returns: u64,
    pub flaws: Vec<(u64, Flaw)>,
    /// Where a quote was opened that is not closed in `bytes`.
    pub open_quote: Option<usize>,
}

/// Where in the stream the first record begins, counted in all three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub byte: u64,
    pub line: u64,
}

pub struct FileCursor<B> {
    split: usize,
    stream: Stream,
    boundaries: B,
    limit: SegmentLimit,
    /// Read but not handed out: `ahead[used..]`.
    ahead: Vec<u8>,
    used: usize,
    is_ended: bool,
    byte: u64,
    line: u64,
    records: u64,
    oddities: Oddities,
}

/// Things that are read without complaint but worth a word at the end.
#[derive(Default)]
struct Oddities {
    blank_lines: u64,
    lone_returns: u64,
}

impl<B: Boundaries> FileCursor<B> {
    /// Goes on behind `ahead`, which was read from `stream` already and begins at `start`.
    pub fn new(
        split: usize,
        stream: Stream,
        boundaries: B,
        limit: SegmentLimit,
        ahead: Vec<u8>,
        start: Start,
    ) -> FileCursor<B> {
        // A record that fits a segment is then within its own limit, too.
        let limit = SegmentLimit { bytes: limit.bytes.min(limit.record_bytes), ..limit };
        FileCursor {
            split,
            stream,
            boundaries,
            limit,
            ahead,
            used: 0,
            is_ended: false,
            byte: start.byte,
            line: start.line,
            records: 0,
            oddities: Oddities::default(),
        }
    }

    /// What was read ahead often holds a whole segment already, when `--batch-size` is small.
    /// Cutting it out in place saves copying the rest back and forth.
    fn cut_from_ahead(&mut self, buffer: &mut Vec<u8>) -> Option<Segment> {
        let pending = &self.ahead[self.used..];
        let window = &pending[..pending.len().min(self.limit.bytes)];
        let is_last = self.is_ended && window.len() == pending.len();
        let scan = self.boundaries.scan(window, is_last, self.limit.records);
        let is_full =
            scan.records == self.limit.records || window.len() == self.limit.bytes || self.is_ended;
        if !is_full || scan.end == 0 {
            return None;
        }
        buffer.extend_from_slice(&window[..scan.end]);
        self.used += scan.end;
        let flush = self.reason(&scan, is_last && self.used == self.ahead.len());
        Some(self.segment(std::mem::take(buffer), scan, flush))
    }

    fn reason(&self, scan: &Scan, is_end: bool) -> Flush {
        if is_end {
            Flush::End
        } else if scan.records == self.limit.records {
            Flush::Records
        } else if scan.end > self.limit.bytes {
            Flush::Large
        } else {
            Flush::Bytes
        }
    }

    fn segment(&mut self, bytes: Vec<u8>, scan: Scan, flush: Flush) -> Segment {
        let segment = Segment {
            interval: Interval::bytes(self.split, self.byte, self.byte + bytes.len() as u64),
            first_record: self.records + 1,
            first_line: self.line,
            records: scan.records,
            bytes,
            flaws: scan.flaws,
            flush,
        };
        self.byte += segment.bytes.len() as u64;
        self.line += scan.lines;
        self.records += scan.records;
        self.oddities.blank_lines += scan.blank_lines;
        self.oddities.lone_returns += scan.lone_returns;
        segment
    }

    fn place(&self, bytes: &[u8], offset: usize) -> Place {
        Place {
            record: Some(self.records + 1),
            line: Some(self.line + lines_in(&bytes[..offset])),
            byte: Some(self.byte + offset as u64),
            ..Place::split(self.stream.name())
        }
    }

    fn never_closed(&self, bytes: &[u8], quote: usize) -> Error {
        Error::data(ErrorType::Parse, "a quote is opened here and never closed")
            .at(self.place(bytes, quote))
            .help("close it, or set --csv-quote to the file's quote character, 'none' for none")
    }

    fn too_large(&self, bytes: &[u8], open_quote: Option<usize>) -> Error {
        let limit = self.limit.record_bytes;
        let (what, at, help) = match open_quote {
            Some(quote) => (
                format!("a quote is opened here and not closed within {limit} bytes"),
                quote,
                "close it, or set --csv-quote to 'none', or raise --max-record-bytes",
            ),
            None => (
                format!("the record is larger than {limit} bytes"),
                0,
                "raise --max-record-bytes if it is meant to be",
            ),
        };
        Error::data(ErrorType::TooLarge, what).at(self.place(bytes, at)).help(help)
    }

    fn say_oddities(&self) {
        let name = self.stream.name();
        let Oddities { blank_lines, lone_returns } = self.oddities;
        if blank_lines > 0 {
            match blank_lines {
                1 => tracing::warn!("'{name}' holds a blank line, which is no record"),
                _ => {
                    tracing::warn!("'{name}' holds {blank_lines} blank lines, which are no records")
                }
            }
        }
        if self.stream.may_be_cut() {
            tracing::warn!(
                "'{name}' ends amid a line and was written to less than a minute ago: where somebody still writes it, its \
                 last record is half of one; files that get their name when they are complete are never read too early"
            );
        }
        if lone_returns > 0 {
            tracing::warn!("'{name}' ends {lone_returns} lines with a carriage return alone");
        }
    }
}

impl<B: Boundaries> Cursor for FileCursor<B> {
    fn next(&mut self, mut buffer: Vec<u8>, host: &mut dyn Host) -> Result<Option<Segment>> {
        if let Some(segment) = self.cut_from_ahead(&mut buffer) {
            return Ok(Some(segment));
        }
        buffer.extend_from_slice(&self.ahead[self.used..]);
        self.ahead.clear();
        self.used = 0;
        // What was read behind a large record is no reason to keep as much memory.
        self.ahead.shrink_to(self.limit.bytes);
        let mut target = self.limit.bytes.max(buffer.len() + 1);
        loop {
            if !self.is_ended {
                buffer.reserve_exact(target.saturating_sub(buffer.len()));
                self.is_ended = !self.stream.fill(&mut buffer, target)?;
            }
            // More than a segment is here only because its first record is larger than one.
            let is_large = buffer.len() > self.limit.bytes;
            let records_max = if is_large { 1 } else { self.limit.records };
            let scan = self.boundaries.scan(&buffer, self.is_ended, records_max);
            if scan.end > self.limit.record_bytes {
                return Err(self.too_large(&buffer, None));
            }
            if scan.end > 0 {
                self.ahead.extend_from_slice(&buffer[scan.end..]);
                buffer.truncate(scan.end);
                if is_large {
                    buffer.shrink_to_fit();
                }
                let flush = self.reason(&scan, self.is_ended && self.ahead.is_empty());
                return Ok(Some(self.segment(buffer, scan, flush)));
            }
            if buffer.is_empty() {
                self.say_oddities();
                return Ok(None);
            }
            if self.is_ended {
                // The formats end every record at the end of the file but one in an open quote.
                return Err(self.never_closed(&buffer, scan.open_quote.unwrap_or(0)));
            }
            if buffer.len() > self.limit.record_bytes {
                return Err(self.too_large(&buffer, scan.open_quote));
            }
            target = (buffer.len() * 2).min(self.limit.record_bytes + 1);
            if !host.room(target, 1) {
                return Ok(None);
            }
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            records: self.records,
            stored_bytes: self.stream.stored_bytes(),
            decoded_bytes: self.stream.decoded_bytes(),
        }
    }
}
