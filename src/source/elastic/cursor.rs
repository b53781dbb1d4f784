//! A position in all slices together: a segment is a page of each of them.
//!
//! Documents are spread over the shards by chance, so the pages of all slices hold what was written
//! at about the same time, and often has neighbouring keys. A table that gets them together fills one
//! of its pages after the other, where slices that come one by one split those of the others. And
//! the order of the records does not depend on which slice was faster.

use std::sync::Arc;

use super::reading::Reading;
use super::slice::{Share, Slice, Turn};
use crate::error::Result;
use crate::record::{Flush, Interval, Position, Segment};
use crate::source::{Cursor, Host, Tally};

pub struct HitCursor {
    reading: Arc<Reading>,
    slices: Vec<Slice>,
    /// Whose page is the next.
    turn: usize,
    /// Records that were handed out.
    records: u64,
}

impl HitCursor {
    pub fn new(reading: Arc<Reading>) -> HitCursor {
        let slice = |number| Slice::new(reading.clone(), number);
        HitCursor { slices: (0..reading.slices).map(slice).collect(), turn: 0, records: 0, reading }
    }

    /// What the last hits were sorted by, slice by slice, as JSON.
    fn position(&self) -> Position {
        let mut keys = Vec::new();
        for slice in &self.slices {
            keys.push(if keys.is_empty() { b'[' } else { b',' });
            keys.extend_from_slice(slice.after().unwrap_or(b"null"));
        }
        keys.push(b']');
        Position::Key(keys.into())
    }
}

impl Cursor for HitCursor {
    fn next(&mut self, buffer: Vec<u8>, host: &mut dyn Host) -> Result<Option<Segment>> {
        let from = self.position();
        let (page_bytes, page_records) = (self.reading.page_bytes(), self.reading.page_records());
        let limit = self.reading.limit;
        let (mut lines, mut records, mut has_large) = (buffer, 0, false);
        for slice in &mut self.slices {
            slice.ask_ahead()?;
        }
        let count = self.slices.len();
        for rest in (0..count).rev() {
            let slice = &mut self.slices[self.turn];
            if !slice.is_ended() {
                let others = Share {
                    bytes: lines.len() + rest * page_bytes,
                    records: records + rest as u64 * page_records,
                };
                match slice.read_on(&mut lines, others, host)? {
                    Turn::Over => return Ok(None),
                    Turn::End => {}
                    Turn::Page { records: more, is_large } => {
                        records += more;
                        has_large |= is_large;
                    }
                }
            }
            self.turn = (self.turn + 1) % count;
            if records > 0 && records + page_records > limit.records {
                break;
            }
        }
        if records == 0 {
            // Those that had their turn have ended, and that was all.
            return Ok(None);
        }
        let segment = Segment {
            interval: Interval { split: 0, from, to: self.position() },
            first_record: self.records + 1,
            first_line: self.records + 1,
            records,
            bytes: lines,
            flaws: Vec::new(),
            flush: match () {
                () if has_large => Flush::Large,
                () if self.slices.iter().all(Slice::is_near_its_end) => Flush::End,
                () if records + page_records > limit.records => Flush::Records,
                () => Flush::Bytes,
            },
        };
        self.records += records;
        Ok(Some(segment))
    }

    fn tally(&self) -> Tally {
        Tally {
            records: self.slices.iter().map(Slice::records).sum(),
            stored_bytes: self.slices.iter().map(Slice::received_bytes).sum(),
        }
    }
}
