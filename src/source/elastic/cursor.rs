//! A position in all slices together: a segment is a page of each of them, or several.
//!
//! Documents are spread over the shards by chance, so the pages of all slices hold what was written
//! at about the same time, and often has neighbouring keys. A table that gets them together fills one
//! of its pages after the other, where slices that come one by one split those of the others. And
//! the order of the records does not depend on which slice was faster.

use std::sync::Arc;

use super::reading::Reading;
use super::slice::{Slice, Turn};
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

    /// Asks for a page of each slice. Those of a scroll only where all have their turn in the next
    /// segment: they must not wait for long.
    fn ask_ahead(&mut self) -> Result<()> {
        let all = self.slices.len() as u64 * self.reading.page_records();
        if self.reading.is_scroll() && all > self.reading.limit.records {
            return Ok(());
        }
        self.slices.iter_mut().try_for_each(Slice::ask_ahead)
    }

    /// Whose page is the next; none at the end.
    fn next_slice(&self) -> Option<usize> {
        let count = self.slices.len();
        let mut in_turn = (self.turn..self.turn + count).map(|at| at % count);
        in_turn.find(|at| !self.slices[*at].is_ended())
    }

    /// Why a segment of so much takes no more, if so. `at`: whose page is the next. A round of the
    /// slices is begun only where there is room for all of it: split between two segments, it would
    /// give both the same neighbourhood.
    fn full(&self, at: usize, records: u64, bytes: usize) -> Option<Flush> {
        let begins_round = self.slices[..at].iter().all(Slice::is_ended);
        let until = if begins_round { self.slices.len() } else { at + 1 };
        let next = || self.slices[at..until].iter().filter(|slice| !slice.is_ended());
        let limit = self.reading.limit;
        let more = next().count() as u64 * self.reading.page_records();
        match () {
            () if records == 0 => None,
            () if records + more > limit.records => Some(Flush::Records),
            () if bytes + next().map(Slice::wanted_bytes).sum::<usize>() > limit.bytes => {
                Some(Flush::Bytes)
            }
            () => None,
        }
    }
}

impl Cursor for HitCursor {
    fn next(&mut self, buffer: Vec<u8>, host: &mut dyn Host) -> Result<Option<Segment>> {
        let from = self.position();
        let (mut lines, mut records, mut flush) = (buffer, 0, Flush::End);
        self.ask_ahead()?;
        while let Some(at) = self.next_slice() {
            self.turn = at;
            if let Some(reason) = self.full(at, records, lines.len()) {
                flush = reason;
                break;
            }
            match self.slices[at].read_on(&mut lines, records, host)? {
                Turn::Over => return Ok(None),
                Turn::End => {}
                Turn::Later => {
                    flush = Flush::Bytes;
                    break;
                }
                Turn::Page { records: more } => records += more,
            }
            self.turn = at + 1;
        }
        if records == 0 {
            return Ok(None);
        }
        let is_large = lines.len() > self.reading.limit.bytes;
        let segment = Segment {
            interval: Interval { split: 0, from, to: self.position() },
            first_record: self.records + 1,
            first_line: self.records + 1,
            records,
            bytes: lines,
            flaws: Vec::new(),
            flush: match () {
                () if is_large => Flush::Large,
                () if self.slices.iter().all(Slice::is_near_its_end) => Flush::End,
                () => flush,
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
