//! The sequential part of a run: one cursor after another, segment after segment onto the queue.
//! A source may have several readers, each at a split of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::footprint::Footprint;
use super::retry::Tries;
use super::{Run, pool::Pool};
use crate::error::{Error, Later, Result};
use crate::event::{Counter, Event, Stage, Wait, tell_failure};
use crate::pipeline::budget::{Budget, Reservation};
use crate::pipeline::queue::Queue;
use crate::pipeline::settle::{Settling, SplitEnd};
use crate::source::{Host, Tally};

/// What the source says it held, when all of it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadToEnd {
    pub records: u64,
}

pub struct Reader<'a> {
    pub run: &'a Arc<Run>,
    pub splits: &'a Splits,
    /// For waiting.
    pub runtime: Handle,
    pub queue: &'a Queue,
    pub budget: &'a Arc<Budget>,
    pub pool: &'a Pool<Vec<u8>>,
    pub settling: &'a Settling,
    pub footprint: &'a Footprint,
}

/// What the readers of a run share: each takes the next split that nobody has taken.
pub struct Splits {
    next: AtomicUsize,
    /// Bytes of the stored input that were consumed, by all of them.
    stored: AtomicU64,
}

impl Splits {
    pub fn new() -> Splits {
        Splits { next: AtomicUsize::new(0), stored: AtomicU64::new(0) }
    }
}

impl Reader<'_> {
    /// Reads split after split. None when it was stopped before the end.
    pub fn read(&self) -> Result<Option<ReadToEnd>> {
        let read = self.read_splits();
        if let Some(on_core) = on_core() {
            self.run.observer.notice(&Event::ReaderEnded { on_core });
        }
        read
    }

    fn read_splits(&self) -> Result<Option<ReadToEnd>> {
        let mut end = ReadToEnd::default();
        loop {
            let split = self.splits.next.fetch_add(1, Ordering::Relaxed);
            let Some(named) = self.run.source.splits().get(split) else { return Ok(Some(end)) };
            let opened = Instant::now();
            let read = self.read_split(split).inspect_err(|_| {
                if named.is_file {
                    self.run.observer.notice(&Event::Counted(Counter::FilesFailed, 1));
                }
            });
            let Some((tally, tickets)) = read? else { return Ok(None) };
            end.records += tally.records;
            self.settling.split_ended(SplitEnd { tickets, split, opened });
        }
    }

    /// What the split held, and the first ticket behind it.
    fn read_split(&self, split: usize) -> Result<Option<(Tally, u64)>> {
        let run = self.run;
        let tries = Tries::new(run.retry, &run.observer, Stage::Fetch);
        let mut host =
            ReaderHost { reader: self, reservation: None, tries, waited: Duration::ZERO };
        let read = self.read_with(split, &mut host);
        read.map_err(|error| tell_failure(&*run.observer, Stage::Fetch, error, true))
    }

    fn read_with(&self, split: usize, host: &mut ReaderHost) -> Result<Option<(Tally, u64)>> {
        let mut cursor = self.run.source.open(split, self.run.limit)?;
        let mut tickets = 0;
        let mut stored_before = 0;
        loop {
            if self.run.stop.is_stopping() {
                return Ok(None);
            }
            let asked = Instant::now();
            let worst = self.footprint.of(self.run.limit.bytes, self.run.limit.records);
            host.reservation = self.budget.reserve(worst);
            if host.reservation.is_none() {
                return Ok(None);
            }
            self.waited(asked.elapsed());
            let started = Instant::now();
            host.waited = Duration::ZERO;
            let segment = cursor.next(self.pool.take().unwrap_or_default(), host)?;
            let took = started.elapsed().saturating_sub(host.waited);
            let Some(segment) = segment else {
                let is_end = !self.run.stop.is_stopping();
                return Ok(is_end.then(|| (cursor.tally(), tickets)));
            };
            let Some(mut reservation) = host.reservation.take() else { return Ok(None) };
            let unused = segment.bytes.capacity() - segment.bytes.len();
            reservation.settle(self.footprint.of(segment.bytes.len(), segment.records) + unused);
            let consumed = cursor.tally().stored_bytes;
            let stored = consumed - std::mem::replace(&mut stored_before, consumed);
            self.run.observer.notice(&Event::Fetched {
                records: segment.records,
                bytes: segment.bytes.len() as u64,
                stored_position: self.splits.stored.fetch_add(stored, Ordering::Relaxed) + stored,
                took,
                flush: segment.flush,
            });
            let asked = Instant::now();
            let Some(ticket) = self.queue.push(segment, reservation) else { return Ok(None) };
            self.waited(asked.elapsed());
            tickets = ticket + 1;
        }
    }

    fn waited(&self, took: Duration) {
        self.run.observer.notice(&Event::Waited { stage: Stage::Fetch, wait: Wait::Output, took });
    }
}

/// How long this thread, which has done nothing else, was on a core or waited for one: it slept for the rest.
fn on_core() -> Option<Duration> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut times = times.split_ascii_whitespace().map(|time| time.parse().ok());
    let (on_core, waited): (u64, u64) = (times.next()??, times.next()??);
    // A kernel that does not count says 0.
    (on_core > 0).then(|| Duration::from_nanos(on_core + waited))
}

/// What a cursor is offered.
struct ReaderHost<'a> {
    reader: &'a Reader<'a>,
    reservation: Option<Reservation>,
    tries: Tries,
    waited: Duration,
}

impl Host for ReaderHost<'_> {
    fn room(&mut self, bytes: usize, records: u64) -> bool {
        let asked = Instant::now();
        if let Some(reservation) = &mut self.reservation {
            reservation.grow(self.reader.footprint.of(bytes, records));
        }
        self.waited += asked.elapsed();
        self.reader.waited(asked.elapsed());
        !self.reader.run.stop.is_stopping()
    }

    fn stopped(&self) -> Later<'static, ()> {
        let run = Arc::clone(self.reader.run);
        Box::pin(async move { run.stop.draining().await })
    }

    fn again(&mut self, error: Error) -> Result<()> {
        let wait = self.tries.next(error)?;
        let asked = Instant::now();
        let stopped = self.stopped();
        self.reader.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped => {}
            }
        });
        let took = asked.elapsed();
        self.waited += took;
        let (stage, wait) = (Stage::Fetch, Wait::Retry);
        self.reader.run.observer.notice(&Event::Waited { stage, wait, took });
        Ok(())
    }

    fn succeeded(&mut self) {
        self.tries.restart();
    }
}
