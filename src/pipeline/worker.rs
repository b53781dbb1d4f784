//! A worker: decode, convert and prepare, one segment after another. A thread, because it computes.

use std::time::Instant;

use tokio::sync::mpsc;

use super::Run;
use super::footprint::REJECTED_BYTES;
use super::pool::Pools;
use super::queue::{Queue, QueuedSegment};
use crate::error::{Error, Result};
use crate::event::{Counter, Event, Stage, Wait, tell_failure};
use crate::pipeline::budget::Reservation;
use crate::record::{Places, Rejected, Rows, Segment, without_line_end};
use crate::sink::{Outgoing, Refused};
use crate::source::Decode;

/// A segment that is ready for a lane.
pub struct Prepared {
    pub outgoing: Outgoing,
    pub rejected: Vec<Rejected>,
    /// Records and bytes of the segment, as the source counted them.
    pub records: u64,
    pub bytes: u64,
    /// When it left the queue.
    pub started: Instant,
    /// Kept where the lane may still refuse rows.
    pub origin: Option<RowOrigin>,
    /// None once its memory was given back.
    pub reservation: Option<Reservation>,
}

/// What is needed to say of a row where it came from, after its rows are gone: few are ever asked
/// for, and they are decoded again then.
pub struct RowOrigin {
    segment: Segment,
    /// Indices of the rows that are not in the payload, ascending.
    left_out: Vec<usize>,
    /// Indices of those that are, where they are in another order.
    order: Option<Vec<u32>>,
}

pub struct Worker<'a> {
    pub run: &'a Run,
    pub pools: &'a Pools,
}

impl Worker<'_> {
    pub fn work(&self, queue: &Queue, prepared: &mpsc::Sender<Prepared>) -> Result<()> {
        let run = self.run;
        let decoder = &*run.decoder;
        loop {
            let asked = Instant::now();
            let queued = queue.pop();
            self.waited(Wait::Input, asked);
            let Some(queued) = queued else { return Ok(()) };
            run.vitals.active_workers.add(1);
            let started = Instant::now();
            let rows = self.pools.rows.take();
            let mut rows = rows.unwrap_or_else(|| Rows::new(decoder.shape()));
            let outcome = self.prepare(decoder, queued, &mut rows, started);
            self.pools.rows.give(rows);
            run.observer.notice(&Event::Prepared { took: started.elapsed() });
            run.vitals.active_workers.sub(1);
            let outcome =
                outcome.map_err(|error| tell_failure(&*run.observer, Stage::Convert, error, true));
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
        queued: QueuedSegment,
        rows: &mut Rows,
        started: Instant,
    ) -> Result<Prepared> {
        let run = self.run;
        let QueuedSegment { ticket, segment, mut reservation } = queued;
        rows.clear();
        rows.expect(segment.bytes.len(), segment.records);
        decoder.decode(&segment, rows)?;
        let found = (rows.len() + rows.rejected.len()) as u64;
        if found != segment.records {
            let message =
                format!("the scan counted {} records and the decoder {found}", segment.records);
            let name = &run.source.splits()[segment.interval.split].name;
            return Err(Error::internal(message).at(Places::new(name, &segment).of(0, 0)));
        }
        let mut refused = Vec::new();
        let buffer = self.pools.payloads.take().unwrap_or_default();
        let reused = buffer.capacity();
        let mut payload = run.sink.prepare(rows, buffer, &mut refused)?;
        let (records, bytes) = (segment.records, segment.bytes.len() as u64);
        let interval = segment.interval.clone();
        let mut rejected = std::mem::take(&mut rows.rejected);
        let mut left_out: Vec<usize> = refused.iter().map(|refused| refused.row).collect();
        left_out.sort_unstable();
        let name = &run.source.splits()[segment.interval.split].name;
        rejected.extend(reject(&*run.decoder, name, &segment, rows, refused));
        rejected.sort_by_key(|rejected| rejected.place.record);
        let origin = if run.sink.refuses_late() {
            Some(RowOrigin { segment, left_out, order: payload.order.take() })
        } else {
            self.pools.segments.give(segment.bytes);
            None
        };
        if rows.fields_ignored > 0 {
            run.observer.notice(&Event::Counted(Counter::FieldsIgnored, rows.fields_ignored));
        }
        let kept: usize = rejected.iter().map(|rejected| rejected.raw.len() + REJECTED_BYTES).sum();
        let source = origin.as_ref().map_or(0, |origin| origin.segment.bytes.capacity());
        let keys = std::mem::size_of_val(&payload.keys[..]);
        let order = origin.as_ref().and_then(|origin| origin.order.as_deref());
        let order = order.map_or(0, std::mem::size_of_val);
        let commit = run.sink.commit_footprint(&payload);
        reservation.settle(source + payload.bytes.len().max(reused) + keys + order + kept + commit);
        let reservation = Some(reservation);
        Ok(Prepared {
            outgoing: Outgoing { ticket, interval, payload },
            rejected,
            records,
            bytes,
            started,
            origin,
            reservation,
        })
    }
}

impl Prepared {
    /// Nobody will ask where a row came from: the segment's buffer.
    pub fn take_source(&mut self) -> Option<Vec<u8>> {
        self.origin.take().map(|origin| origin.segment.bytes)
    }

    /// The memory of what is kept of it once its payload is gone.
    pub fn kept_bytes(&self) -> usize {
        let source = self.origin.as_ref().map_or(0, |origin| origin.segment.bytes.capacity());
        let order = self.origin.as_ref().and_then(|origin| origin.order.as_deref());
        let rejected = self.rejected.iter().map(|rejected| rejected.raw.len() + REJECTED_BYTES);
        source + order.map_or(0, std::mem::size_of_val) + rejected.sum::<usize>()
    }

    /// What the sink refused of the payload, told and with its places.
    pub fn refused_late(&self, run: &Run, mut refused: Vec<Refused>) -> Result<Vec<Rejected>> {
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let Some(RowOrigin { segment, left_out, order }) = &self.origin else {
            let message = "a lane refused a row, which its sink said it never does";
            return Err(Error::internal(message));
        };
        let mut rows = Rows::new(run.decoder.shape());
        run.decoder.decode(segment, &mut rows)?;
        let in_payload: Vec<usize> = match order {
            Some(order) => order.iter().map(|row| *row as usize).collect(),
            None => (0..rows.len()).filter(|row| left_out.binary_search(row).is_err()).collect(),
        };
        for refused in &mut refused {
            refused.row = *in_payload
                .get(refused.row)
                .ok_or_else(|| Error::internal("a lane refused a row that it was not given"))?;
        }
        let name = &run.source.splits()[segment.interval.split].name;
        let rejected = reject(&*run.decoder, name, segment, &rows, refused);
        rejected.iter().for_each(|rejected| (run.on_rejected)(rejected));
        Ok(rejected)
    }
}

/// The records behind the rows that the sink refused, in their order.
pub fn reject(
    decoder: &dyn Decode,
    name: &str,
    segment: &Segment,
    rows: &Rows,
    mut refused: Vec<Refused>,
) -> Vec<Rejected> {
    refused.sort_by_key(|refused| refused.row);
    let mut places = Places::new(name, segment);
    let mut rejected = Vec::new();
    for refused in refused {
        let start = rows.offset(refused.row);
        let end = decoder.record_end(&segment.bytes, start);
        let raw = without_line_end(&segment.bytes[start..end]).to_vec();
        let place = decoder.locate(&raw, places.of(rows.record(refused.row), start));
        rejected.push(Rejected {
            place: match refused.column {
                Some(column) => place.column(column),
                None => place,
            },
            error_type: refused.error_type,
            reason: refused.reason,
            raw,
        });
    }
    rejected
}
