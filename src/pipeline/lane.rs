//! A lane's task: takes prepared segments, commits them with retries, marks, and hands receipts on.

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
use crate::sink::{Commit, Lane, Mark, Marked, Payload, Receipt};

/// The lanes share one short queue, so that a slow one is not waited for.
pub type Ready = Arc<Mutex<mpsc::Receiver<Prepared>>>;

pub struct LaneTask {
    pub run: Arc<Run>,
    pub lane: Box<dyn Lane>,
    pub pool: Arc<Pool>,
    pub settle: mpsc::Sender<Durable>,
}

/// An accepted segment on its way to being durable. Its memory was given back
/// already, but for what was rejected of it.
struct Accepted {
    segment: Prepared,
    committed: Instant,
}

impl LaneTask {
    pub async fn serve(mut self, ready: Ready) -> Result<()> {
        let mut accepted = VecDeque::new();
        let mut unmarked_bytes = 0;
        let mut mark_due = tokio::time::Instant::now() + self.run.mark.age;
        loop {
            let asked = Instant::now();
            let next = tokio::select! {
                next = async { ready.lock().await.recv().await } => next,
                () = tokio::time::sleep_until(mark_due), if !accepted.is_empty() => {
                    self.waited(Wait::Input, asked.elapsed());
                    self.mark(Mark::Start, &mut accepted).await?;
                    mark_due = tokio::time::Instant::now() + self.run.mark.age;
                    continue;
                }
            };
            self.waited(Wait::Input, asked.elapsed());
            let Some(mut segment) = next else { break };
            let committed = Instant::now();
            match self.commit(&segment.payload).await? {
                Commit::Durable(receipt) => self.durable(segment, receipt, committed).await?,
                Commit::Accepted => {
                    unmarked_bytes += segment.payload.bytes.len() as u64;
                    self.pool.give(std::mem::take(&mut segment.payload.bytes));
                    if segment.rejected.is_empty() {
                        segment.reservation = None;
                    }
                    accepted.push_back(Accepted { segment, committed });
                }
            }
            let is_due = tokio::time::Instant::now() >= mark_due;
            if is_due || unmarked_bytes >= self.run.mark.bytes {
                self.mark(Mark::Start, &mut accepted).await?;
                unmarked_bytes = 0;
                mark_due = tokio::time::Instant::now() + self.run.mark.age;
            }
        }
        if !accepted.is_empty() {
            self.mark(Mark::Wait, &mut accepted).await?;
        }
        match accepted.is_empty() {
            true => Ok(()),
            false => Err(Error::internal("a lane left accepted segments without a receipt")),
        }
    }

    async fn mark(&mut self, mark: Mark, accepted: &mut VecDeque<Accepted>) -> Result<()> {
        let started = Instant::now();
        let Marked { receipts } = self.lane.mark(mark).await?;
        self.run.observer.notice(&Event::Committed { took: started.elapsed() });
        for receipt in receipts {
            let Some(Accepted { segment, committed }) = accepted.pop_front() else {
                return Err(Error::internal("a lane made more segments durable than it was given"));
            };
            self.durable(segment, receipt, committed).await?;
        }
        Ok(())
    }

    async fn durable(
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

    /// Commits a segment, trying again as `retry` says.
    async fn commit(&mut self, payload: &Payload) -> Result<Commit> {
        // The runtime's clock, which a test may let run ahead.
        let first = tokio::time::Instant::now();
        let mut attempt = 0;
        loop {
            let started = Instant::now();
            let outcome = self.lane.commit(payload).await;
            self.run.observer.notice(&Event::Committed { took: started.elapsed() });
            let error = match outcome {
                Ok(commit) => return Ok(commit),
                Err(error) => error,
            };
            self.failed(&error);
            let found = match reaction(error.kind) {
                Reaction::Stop => return Err(error),
                Reaction::Again => None,
                Reaction::LookFirst => self.lane.find(payload).await?,
            };
            if let Some(commit) = found {
                return Ok(commit);
            }
            let Some(wait) = self.run.retry.wait(attempt, first.elapsed(), chance()) else {
                return Err(error);
            };
            attempt += 1;
            self.pause(&error, attempt, wait).await;
        }
    }

    fn failed(&self, error: &Error) {
        let observer = &self.run.observer;
        observer.notice(&Event::Failed { stage: Stage::Insert, error_type: error.error_type });
        if error.kind == Kind::Overloaded {
            observer.notice(&Event::RateLimited { stage: Stage::Insert });
        }
    }

    async fn pause(&mut self, error: &Error, attempt: u32, wait: Duration) {
        let (stage, error_type) = (Stage::Insert, error.error_type);
        self.run.observer.notice(&Event::Retrying { stage, error_type, attempt, wait });
        tokio::time::sleep(wait).await;
        self.waited(Wait::Retry, wait);
    }

    fn waited(&self, wait: Wait, took: Duration) {
        self.run.observer.notice(&Event::Waited { stage: Stage::Insert, wait, took });
    }
}

/// Between 0 and 1. The hasher's keys are random; jitter needs nothing better.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
