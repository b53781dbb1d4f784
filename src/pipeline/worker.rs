//! A worker: decode, convert and prepare, one segment after another. A thread, because it computes.

use std::time::Instant;

use tokio::sync::mpsc;

use super::Run;
use super::pool::Pool;
use super::queue::{Job, Queue};
use crate::error::{Error, Result};
use crate::event::{Event, Stage, Wait};
use crate::pipeline::budget::Reservation;
use crate::record::{Interval, Places, Rejected, Rows, Segment, without_line_end};
use crate::sink::{Payload, Refused};
use crate::source::Decode;

/// A segment that is ready for a lane.
pub struct Prepared {
    pub ticket: u64,
    pub interval: Interval,
    pub payload: Payload,
    pub rejected: Vec<Rejected>,
    /// Records and bytes of the segment, as the source counted them.
    pub records: u64,
    pub bytes: u64,
    /// When it left the queue.
    pub started: Instant,
    /// Kept where the lane may still refuse rows.
    pub origin: Option<Origin>,
    /// None once its memory was given back.
    pub reservation: Option<Reservation>,
}

/// What is needed to say of a row where it came from, after its rows are gone.
pub struct Origin {
    segment: Segment,
    /// Where each record of the segment starts.
    starts: Vec<usize>,
    /// The index of each row's record.
    rows: Vec<u64>,
}

pub struct Worker<'a> {
    pub run: &'a Run,
    /// Where the buffers of segments go back to.
    pub segments: &'a Pool,
    /// Where those of payloads come from.
    pub payloads: &'a Pool,
}

impl Worker<'_> {
    pub fn work(
        &self,
        decoder: &dyn Decode,
        queue: &Queue,
        prepared: &mpsc::Sender<Prepared>,
    ) -> Result<()> {
        let run = self.run;
        let mut rows = Rows::new(decoder.shape());
        loop {
            let asked = Instant::now();
            let job = queue.pop();
            self.waited(Wait::Input, asked);
            let Some(job) = job else { return Ok(()) };
            run.vitals.active_workers.add(1);
            let started = Instant::now();
            let outcome = self.prepare(decoder, job, &mut rows, started);
            run.observer.notice(&Event::Prepared { took: started.elapsed() });
            run.vitals.active_workers.sub(1);
            if let Err(error) = &outcome {
                let (stage, error_type) = (Stage::Convert, error.error_type);
                run.observer.notice(&Event::Failed { stage, error_type });
            }
            // One huge record is no reason to keep its memory.
            if rows.held_bytes() > run.limit.bytes * ROWS_KEPT_SHARE {
                rows = Rows::new(decoder.shape());
            }
            let asked = Instant::now();
            if prepared.blocking_send(outcome?).is_err() {
                return Ok(());
            }
            self.waited(Wait::Output, asked);
        }
    }

    fn waited(&self, wait: Wait, since: Instant) {
        let took = since.elapsed();
        self.run.observer.notice(&Event::Waited { stage: Stage::Convert, wait, took });
    }

    fn prepare(
        &self,
        decoder: &dyn Decode,
        job: Job,
        rows: &mut Rows,
        started: Instant,
    ) -> Result<Prepared> {
        let run = self.run;
        let Job { ticket, segment, mut reservation } = job;
        rows.clear();
        decoder.decode(&segment, rows)?;
        let found = (rows.len() + rows.rejected.len()) as u64;
        if found != segment.records {
            let message =
                format!("the scan counted {} records and the decoder {found}", segment.records);
            let name = &run.source.splits()[segment.interval.split].name;
            return Err(Error::internal(message).at(Places::new(name, &segment).of(0, 0)));
        }
        let mut refused = Vec::new();
        let mut payload = run.sink.prepare(rows, self.payloads.take(), &mut refused)?;
        payload.ticket = ticket;
        payload.interval = Some(segment.interval.clone());
        let (records, bytes) = (segment.records, segment.bytes.len() as u64);
        let interval = segment.interval.clone();
        let mut rejected = std::mem::take(&mut rows.rejected);
        let origin = if !refused.is_empty() || run.sink.refuses_late() {
            let origin = Origin::new(segment, rows, &rejected);
            rejected.extend(origin.reject(run, refused));
            rejected.sort_by_key(|rejected| rejected.place.record);
            Some(origin).filter(|_| run.sink.refuses_late())
        } else {
            self.segments.give(segment.bytes);
            None
        };
        if origin.is_none() {
            let kept: usize =
                rejected.iter().map(|rejected| rejected.raw.len() + REJECTED_BYTES).sum();
            reservation.shrink(payload.bytes.len() + kept);
        }
        let reservation = Some(reservation);
        Ok(Prepared {
            ticket,
            interval,
            payload,
            rejected,
            records,
            bytes,
            started,
            origin,
            reservation,
        })
    }
}

/// Rows a worker keeps the memory of, as a multiple of a segment: cells take about as much as text.
const ROWS_KEPT_SHARE: usize = 4;

/// A rejection's place and reason, about.
const REJECTED_BYTES: usize = 256;

impl Origin {
    fn new(segment: Segment, rows: &Rows, rejected: &[Rejected]) -> Origin {
        let mut starts = vec![0; segment.records as usize];
        for row in 0..rows.len() {
            starts[rows.record(row) as usize] = rows.offset(row);
        }
        for place in rejected.iter().map(|rejected| &rejected.place) {
            if let (Some(record), Some(byte), Some(first_byte)) =
                (place.record, place.byte, segment.first_byte())
            {
                starts[(record - segment.first_record) as usize] = (byte - first_byte) as usize;
            }
        }
        Origin { segment, starts, rows: (0..rows.len()).map(|row| rows.record(row)).collect() }
    }

    /// The records behind the rows that the sink refused, in their order.
    pub fn reject(&self, run: &Run, mut refused: Vec<Refused>) -> Vec<Rejected> {
        refused.sort_by_key(|refused| refused.row);
        let name = &run.source.splits()[self.segment.interval.split].name;
        let mut places = Places::new(name, &self.segment);
        let mut rejected = Vec::new();
        for refused in refused {
            let record = self.rows[refused.row];
            let start = self.starts[record as usize];
            let next = self.starts.get(record as usize + 1).copied();
            let end = next.unwrap_or(self.segment.bytes.len());
            let place = places.of(record, start);
            rejected.push(Rejected {
                place: match refused.column {
                    Some(column) => place.column(column),
                    None => place,
                },
                error_type: refused.error_type,
                reason: refused.reason,
                raw: without_line_end(&self.segment.bytes[start..end]).to_vec(),
            });
        }
        rejected
    }
}
