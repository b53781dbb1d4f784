//! A source in memory, for tests and benches: lines of text, one record each.

use std::sync::Arc;

use super::{Cursor, Decode, Host, SegmentLimit, Source, Split, Tally, Wanted};
use crate::error::{Error, Result};
use crate::event::Expected;
use crate::record::{
    ErrorType, Field, Flush, Interval, Place, Places, Rejected, Rows, Segment, Shape,
};

/// Splits of lines. A line that begins with `!` is rejected by the decoder; a split fails at a line
/// `?`. A line `*` breaks the decoder, a line `**` the reader; at a line `#` the decoder ends the run.
pub struct MemorySource {
    splits: Vec<Split>,
    texts: Vec<String>,
    limit: SegmentLimit,
    /// Said by the cursor to be in each split beyond what it hands out, to test the balance.
    pub miscount: u64,
    pub readers: usize,
}

impl MemorySource {
    pub fn new(texts: &[&str], records_max: u64) -> MemorySource {
        MemorySource {
            splits: (0..texts.len()).map(|split| Split::file(&format!("split {split}"))).collect(),
            texts: texts.iter().map(|text| text.to_string()).collect(),
            limit: SegmentLimit { records: records_max, bytes: 1 << 20, record_bytes: 1 << 20 },
            miscount: 0,
            readers: 1,
        }
    }
}

impl Source for MemorySource {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, split: usize, limit: SegmentLimit) -> Result<Box<dyn Cursor + '_>> {
        let records_max = self.limit.records.min(limit.records);
        Ok(Box::new(LineCursor { source: self, split, records_max, at: 0, records: 0 }))
    }

    fn readers(&self) -> usize {
        self.readers
    }

    fn fields(&self) -> &[Field] {
        &[]
    }

    fn decoder(&self, _wanted: &Wanted) -> Result<Arc<dyn Decode>> {
        Ok(Arc::new(LineDecode))
    }

    fn expected(&self) -> Expected {
        let records = self.texts.iter().map(|text| text.lines().count() as u64).sum();
        Expected { records: Some(records), stored_bytes: None }
    }
}

struct LineCursor<'a> {
    source: &'a MemorySource,
    split: usize,
    records_max: u64,
    at: usize,
    records: u64,
}

impl Cursor for LineCursor<'_> {
    fn next(&mut self, mut buffer: Vec<u8>, _host: &mut dyn Host) -> Result<Option<Segment>> {
        let rest = &self.source.texts[self.split][self.at..];
        let taken: String = rest.split_inclusive('\n').take(self.records_max as usize).collect();
        if taken.is_empty() {
            return Ok(None);
        }
        if taken.trim_end() == "?" {
            return Err(Error::data(ErrorType::Other, "the split fails here")
                .at(Place::split(&self.source.splits[self.split].name)));
        }
        assert!(!taken.contains("**"), "the reader was told to break");
        buffer.extend_from_slice(taken.as_bytes());
        let records = taken.lines().count() as u64;
        let segment = Segment {
            interval: Interval::bytes(self.split, self.at as u64, (self.at + taken.len()) as u64),
            first_record: self.records + 1,
            first_line: self.records + 1,
            records,
            bytes: buffer,
            flaws: Vec::new(),
            flush: if taken.len() == rest.len() { Flush::End } else { Flush::Records },
        };
        self.at += taken.len();
        self.records += records;
        Ok(Some(segment))
    }

    fn tally(&self) -> Tally {
        let (records, bytes) = (self.records + self.source.miscount, self.at as u64);
        Tally { records, stored_bytes: bytes, decoded_bytes: bytes }
    }
}

struct LineDecode;

impl Decode for LineDecode {
    fn shape(&self) -> Shape {
        Shape::Columns(["line".to_string()].into())
    }

    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()> {
        let split = format!("split {}", segment.interval.split);
        let mut places = Places::new(&split, segment);
        let mut offset = 0;
        for (index, line) in (0..).zip(segment.bytes.split_inclusive(|&byte| byte == b'\n')) {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            assert!(text != b"*", "the decoder was told to break");
            if text == b"#" {
                return Err(Error::data(ErrorType::Parse, "the decoder was told to stop"));
            }
            if text.starts_with(b"!") {
                rows.rejected.push(Rejected {
                    place: places.of(index, offset),
                    error_type: ErrorType::Parse,
                    reason: "begins with '!'".to_string(),
                    raw: text.to_vec(),
                });
            } else {
                rows.begin(index, offset);
                rows.text(text);
            }
            offset += line.len();
        }
        Ok(())
    }
}
