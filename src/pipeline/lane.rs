//! A lane's task: takes prepared segments, commits them with retries, has accepted ones made
//! durable, and hands their receipts on.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::Run;
use super::pool::Pool;
use super::retry::{Reaction, reaction};
use super::settle::Durable;
use super::worker::Prepared;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Stage, Wait};
use crate::sink::{Commit, Lane, Payload, Receipt};

/// The lanes share one short queue, so that a slow one is not waited for.
pub type Ready = Arc<Mutex<mpsc::Receiver<Prepared>>>;

pub struct LaneTask {
    run: Arc<Run>,
    lane: Box<dyn Lane>,
    pool: Arc<Pool>,
    settle: mpsc::Sender<Durable>,
    /// Oldest first.
    accepted: VecDeque<Accepted>,
    /// Bytes accepted since the last mark was started.
    unmarked_bytes: u64,
    mark_due: tokio::time::Instant,
}

/// An accepted segment on its way to being durable. Its memory was given back already, but for what
/// was rejected of it.
struct Accepted {
    segment: Prepared,
    committed: Instant,
}

/// Segments that may be accepted and not yet durable: tiny ones must not pile up behind a slow disk.
const ACCEPTED_MAX: usize = 1024;

/// Opens a lane, trying again as `retry` says.
pub async fn open(run: &Run) -> Result<Box<dyn Lane>> {
    let mut retries = Retries::new(run);
    loop {
        match Arc::clone(&run.sink).open().await {
            Ok(lane) => return Ok(lane),
            Err(error) => retries.wait(error).await?,
        }
    }
}

impl LaneTask {
    pub fn new(
        run: Arc<Run>,
        lane: Box<dyn Lane>,
        pool: Arc<Pool>,
        settle: mpsc::Sender<Durable>,
    ) -> LaneTask {
        let mark_due = tokio::time::Instant::now() + run.mark.age;
        LaneTask { run, lane, pool, settle, accepted: VecDeque::new(), unmarked_bytes: 0, mark_due }
    }

    pub async fn serve(mut self, ready: Ready) -> Result<()> {
        loop {
            let asked = Instant::now();
            let has_accepted = !self.accepted.is_empty();
            let may_take = self.accepted.len() < ACCEPTED_MAX;
            let next = tokio::select! {
                receipts = self.lane.marked(), if has_accepted => {
                    self.idled(may_take, asked.elapsed());
                    self.became_durable(receipts).await?;
                    continue;
                }
                next = async { ready.lock().await.recv().await }, if may_take => next,
                () = tokio::time::sleep_until(self.mark_due), if self.unmarked_bytes > 0 => {
                    self.idled(may_take, asked.elapsed());
                    self.mark().await?;
                    continue;
                }
            };
            self.waited(Wait::Input, asked.elapsed());
            let Some(segment) = next else { break };
            self.take(segment).await?;
            let is_due = tokio::time::Instant::now() >= self.mark_due;
            let is_full = self.accepted.len() >= ACCEPTED_MAX;
            if is_due || is_full || self.unmarked_bytes >= self.run.mark.bytes {
                self.mark().await?;
            }
        }
        while !self.accepted.is_empty() {
            self.mark().await?;
            let asked = Instant::now();
            let receipts = self.lane.marked().await;
            self.idled(false, asked.elapsed());
            self.became_durable(receipts).await?;
        }
        Ok(())
    }

    async fn take(&mut self, mut segment: Prepared) -> Result<()> {
        let committed = Instant::now();
        let commit = self.commit(&segment.payload).await?;
        let bytes = segment.payload.bytes.len() as u64;
        self.pool.give(std::mem::take(&mut segment.payload.bytes));
        match commit {
            Commit::Durable(receipt) => self.settle(segment, receipt, committed).await,
            Commit::Accepted => {
                // A segment of which nothing is written counts, too, else it would never be marked.
                self.unmarked_bytes += bytes.max(1);
                if segment.rejected.is_empty() && segment.origin.is_none() {
                    segment.reservation = None;
                }
                self.accepted.push_back(Accepted { segment, committed });
                Ok(())
            }
        }
    }

    async fn mark(&mut self) -> Result<()> {
        let started = Instant::now();
        let is_started = self.lane.mark().await?;
        self.run.observer.notice(&Event::Committed { took: started.elapsed() });
        if is_started {
            self.unmarked_bytes = 0;
        }
        self.mark_due = tokio::time::Instant::now() + self.run.mark.age;
        Ok(())
    }

    async fn became_durable(&mut self, receipts: Result<Vec<Receipt>>) -> Result<()> {
        let receipts = receipts.inspect_err(|error| {
            let (stage, error_type) = (Stage::Insert, error.error_type);
            self.run.observer.notice(&Event::Failed { stage, error_type });
        })?;
        for receipt in receipts {
            let Some(Accepted { segment, committed }) = self.accepted.pop_front() else {
                return Err(Error::internal("a lane made more segments durable than it was given"));
            };
            self.settle(segment, receipt, committed).await?;
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        segment: Prepared,
        receipt: Receipt,
        committed: Instant,
    ) -> Result<()> {
        let insert = committed.elapsed();
        let asked = Instant::now();
        let sent = self.settle.send(Durable { segment, receipt, insert }).await;
        self.waited(Wait::Output, asked.elapsed());
        sent.map_err(|_| Error::internal("the room that settles segments is closed"))
    }

    /// Commits a segment, trying again as `retry` says. Once an answer was lost, the segment is
    /// looked for, however often that takes, before it is sent again.
    async fn commit(&mut self, payload: &Payload) -> Result<Commit> {
        let run = Arc::clone(&self.run);
        let mut retries = Retries::new(&run);
        let mut must_look = false;
        loop {
            let started = Instant::now();
            let outcome = if must_look {
                match self.lane.find(payload).await {
                    Ok(Some(commit)) => return Ok(commit),
                    Ok(None) => {
                        must_look = false;
                        continue;
                    }
                    Err(error) => Err(error),
                }
            } else {
                self.lane.commit(payload).await
            };
            run.observer.notice(&Event::Committed { took: started.elapsed() });
            match outcome {
                Ok(commit) => return Ok(commit),
                Err(error) => {
                    must_look |= reaction(error.kind) == Reaction::LookFirst;
                    retries.wait(error).await?;
                }
            }
        }
    }

    /// Who could not have taken more was busy with the disk.
    fn idled(&self, could_take: bool, took: Duration) {
        match could_take {
            true => self.waited(Wait::Input, took),
            false => self.run.observer.notice(&Event::Committed { took }),
        }
    }

    fn waited(&self, wait: Wait, took: Duration) {
        self.run.observer.notice(&Event::Waited { stage: Stage::Insert, wait, took });
    }
}

/// The tries of one operation, told as they happen.
struct Retries<'a> {
    run: &'a Run,
    /// The runtime's clock, which a test may let run ahead.
    first: tokio::time::Instant,
    attempt: u32,
}

impl Retries<'_> {
    fn new(run: &Run) -> Retries<'_> {
        Retries { run, first: tokio::time::Instant::now(), attempt: 0 }
    }

    /// Waits before the next try, or gives the error back when there is none.
    async fn wait(&mut self, error: Error) -> Result<()> {
        let observer = &self.run.observer;
        let (stage, error_type) = (Stage::Insert, error.error_type);
        observer.notice(&Event::Failed { stage, error_type });
        if error.kind == Kind::Overloaded {
            observer.notice(&Event::RateLimited { stage });
        }
        if reaction(error.kind) == Reaction::Stop {
            return Err(error);
        }
        let Some(wait) = self.run.retry.wait(self.attempt, self.first.elapsed(), chance()) else {
            return Err(error);
        };
        self.attempt += 1;
        let attempt = self.attempt;
        observer.notice(&Event::Retrying { stage, error_type, attempt, wait });
        tokio::time::sleep(wait).await;
        observer.notice(&Event::Waited { stage, wait: Wait::Retry, took: wait });
        Ok(())
    }
}

/// Between 0 and 1. The hasher's keys are random; jitter needs nothing better.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
