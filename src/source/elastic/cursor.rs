//! A position in all slices together: a segment is a page of each of them, or several.
//!
//! Documents are spread over the shards by chance, so the pages of all slices hold what was written
//! at about the same time, and often has neighbouring keys. A table that gets them together fills one
//! of its pages after the other, where slices that come one by one split those of the others. And
//! the order of the records does not depend on which slice was faster.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::page_reader::PageReader;
use super::slice::{Slice, Turn};
use crate::error::{Error, Result};
use crate::record::{Flush, Interval, Position, Segment};
use crate::source::{Cursor, Host, Tally};

pub struct HitCursor {
    reader: Arc<PageReader>,
    slices: Vec<Slice>,
    /// Those that the server has no room for as long as others are read.
    waiting: Vec<bool>,
    /// It was said that there are such.
    is_crowded: bool,
    /// Whose page is the next.
    turn: usize,
    /// Records that were handed out.
    records: u64,
}

impl HitCursor {
    pub fn new(reader: Arc<PageReader>) -> HitCursor {
        let mut cursor = HitCursor {
            slices: Vec::new(),
            waiting: Vec::new(),
            is_crowded: false,
            turn: 0,
            records: 0,
            reader,
        };
        cursor.begin();
        cursor
    }

    fn begin(&mut self) {
        let count = self.reader.slices();
        self.slices = (0..count).map(|number| Slice::new(self.reader.clone(), number)).collect();
        self.waiting = vec![false; count];
        self.turn = 0;
    }

    /// Reads as one what cannot be read in slices. Nothing was handed out yet.
    fn begin_whole(&mut self) {
        self.slices.clear();
        self.reader.runtime.block_on(self.reader.snapshot.close_scrolls());
        for counted in [&self.reader.scrolled, &self.reader.delivered] {
            counted.store(0, Ordering::Relaxed);
        }
        self.reader.set_slices(1);
        self.begin();
    }

    /// A slice has ended, which makes room for others.
    fn ended(&mut self, slice: usize) {
        if self.reader.is_scroll() {
            self.reader.runtime.block_on(self.reader.snapshot.close_slice(slice));
            self.waiting.fill(false);
        }
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
        let all = self.slices.len() as u64 * self.reader.page_records();
        if self.reader.is_scroll() && all > self.reader.limit().records {
            return Ok(());
        }
        let slices = self.slices.iter_mut().zip(&self.waiting);
        slices.filter(|(_, waits)| !**waits).try_for_each(|(slice, _)| slice.ask_ahead())
    }

    /// Whose page is the next; none at the end.
    fn next_slice(&self) -> Option<usize> {
        let count = self.slices.len();
        let in_turn = (self.turn..self.turn + count).map(|at| at % count);
        let mut left = in_turn.filter(|at| !self.slices[*at].is_ended());
        // Where all wait, one has to try.
        left.clone().find(|at| !self.waiting[*at]).or_else(|| left.next())
    }

    /// Why a segment of so much takes no more, if so. `at`: whose page is the next. A round of the
    /// slices is begun only where there is room for all of it: split between two segments, it would
    /// give both the same neighbourhood.
    fn full(&self, at: usize, records: u64, bytes: usize) -> Option<Flush> {
        let begins_round = self.slices[..at].iter().all(Slice::is_ended);
        let until = if begins_round { self.slices.len() } else { at + 1 };
        let next = || self.slices[at..until].iter().filter(|slice| !slice.is_ended());
        let limit = self.reader.limit();
        let more = next().count() as u64 * self.reader.page_records();
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
                Turn::End => self.ended(at),
                Turn::Crowded => {
                    if !self.is_crowded {
                        tracing::info!(
                            "the server keeps fewer scrolls than {} slices need, so that some are read after others; lower --es-slices, or raise search.max_open_scroll_context at the server",
                            self.slices.len()
                        );
                    }
                    (self.is_crowded, self.waiting[at]) = (true, true);
                }
                Turn::Unsliced if self.records == 0 => {
                    tracing::info!(
                        "the server cannot read '{}' in slices, because an index has no mapping: it is read as one",
                        self.reader.title
                    );
                    lines.clear();
                    records = 0;
                    self.begin_whole();
                    self.ask_ahead()?;
                    continue;
                }
                Turn::Unsliced => {
                    let message = format!(
                        "the server cannot read '{}' in slices, because an index has no mapping",
                        self.reader.title
                    );
                    return Err(Error::config(message).help("set --es-slices to 1"));
                }
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
        let is_large = lines.len() > self.reader.limit().bytes;
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
        let received_bytes = self.slices.iter().map(Slice::received_bytes).sum();
        Tally {
            records: self.slices.iter().map(Slice::records).sum(),
            stored_bytes: received_bytes,
            decoded_bytes: received_bytes,
        }
    }
}
