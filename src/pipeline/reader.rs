//! The sequential part of a run: one cursor after another, segment after segment onto the queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Run, pool::Pool};
use crate::error::{Error, Result};
use crate::event::{Event, FileEnd, Stage, Wait};
use crate::pipeline::budget::{Budget, Reservation};
use crate::pipeline::queue::Queue;
use crate::pipeline::settle::Ledger;
use crate::source::{Host, Tally};

/// What the source says it held, when all of it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadToEnd {
    pub records: u64,
}

pub struct Reader<'a> {
    pub run: &'a Run,
    pub queue: &'a Queue,
    pub budget: &'a Arc<Budget>,
    pub pool: &'a Pool,
    pub ledger: &'a Ledger,
    /// Columns of a row.
    pub width: usize,
    /// Bytes of text that a byte of source may become.
    pub text_growth: usize,
}

impl Reader<'_> {
    /// Reads all splits in order. None when it was stopped before the end.
    pub fn read(&self) -> Result<Option<ReadToEnd>> {
        let mut end = ReadToEnd::default();
        let mut stored_before = 0;
        let mut tickets = 0;
        for split in 0..self.run.source.splits().len() {
            let Some(tally) = self.read_split(split, stored_before, &mut tickets)? else {
                return Ok(None);
            };
            end.records += tally.records;
            stored_before += tally.stored_bytes;
            self.ledger.split_ended(split, tickets);
        }
        Ok(Some(end))
    }

    fn read_split(
        &self,
        split: usize,
        stored_before: u64,
        tickets: &mut u64,
    ) -> Result<Option<Tally>> {
        let observer = &self.run.observer;
        let failed = |error: Error| {
            let error_type = error.error_type;
            observer.notice(&Event::Failed { stage: Stage::Fetch, error_type });
            observer.notice(&Event::FileEnded(FileEnd::Failed));
            error
        };
        let mut cursor = self.run.source.open(split).map_err(failed)?;
        loop {
            if self.run.stop.is_stopping() {
                return Ok(None);
            }
            let asked = Instant::now();
            let worst = self.footprint(self.run.limit.bytes, self.run.limit.records);
            let Some(mut reservation) = self.budget.reserve(worst) else { return Ok(None) };
            self.waited(asked.elapsed());
            let started = Instant::now();
            let mut host =
                ReaderHost { reader: self, reservation: &mut reservation, waited: Duration::ZERO };
            let segment = cursor.next(self.pool.take(), &mut host).map_err(failed)?;
            let waited = host.waited;
            let took = started.elapsed().saturating_sub(waited);
            self.waited(waited);
            let Some(segment) = segment else {
                let is_over = self.budget.is_closed();
                return Ok((!is_over).then(|| cursor.tally()));
            };
            reservation.shrink(self.footprint(segment.bytes.len(), segment.records));
            observer.notice(&Event::Fetched {
                records: segment.records,
                bytes: segment.bytes.len() as u64,
                stored_position: stored_before + cursor.tally().stored_bytes,
                took,
                flush: segment.flush,
            });
            let asked = Instant::now();
            if !self.queue.push(segment, reservation) {
                return Ok(None);
            }
            self.waited(asked.elapsed());
            *tickets += 1;
        }
    }

    /// What a segment needs at worst, all the way: its bytes, its rows, and what is prepared of
    /// them or kept of them as rejected.
    fn footprint(&self, bytes: usize, records: u64) -> usize {
        let records = records.min(bytes as u64);
        let text = bytes * self.text_growth;
        let cells = records as usize * (self.width * CELL_BYTES + ROW_BYTES);
        // A record that travels alone may be nothing but delimiters, and is looked at as a whole.
        let is_large = bytes > self.run.limit.bytes;
        let fields = if is_large { bytes * FIELD_BYTES } else { 0 };
        bytes + text + cells + fields + self.run.sink.footprint(text, records)
    }

    fn waited(&self, took: Duration) {
        self.run.observer.notice(&Event::Waited { stage: Stage::Fetch, wait: Wait::Output, took });
    }
}

/// One packed cell of `Rows`.
const CELL_BYTES: usize = 4;
/// Offset and index of a row's record.
const ROW_BYTES: usize = 8;
/// What the csv crate keeps of each field of the record it is at, growing by doubling.
const FIELD_BYTES: usize = 12;

/// What a cursor is offered.
struct ReaderHost<'a> {
    reader: &'a Reader<'a>,
    reservation: &'a mut Reservation,
    waited: Duration,
}

impl Host for ReaderHost<'_> {
    fn room(&mut self, bytes: usize, records: u64) -> bool {
        let asked = Instant::now();
        self.reservation.grow(self.reader.footprint(bytes, records));
        self.waited += asked.elapsed();
        !self.reader.budget.is_closed()
    }

    fn is_stopping(&self) -> bool {
        self.reader.run.stop.is_stopping()
    }

    fn tell(&mut self, event: Event) {
        self.reader.run.observer.notice(&event);
    }
}
