//! A lane's task: takes prepared segments, commits them with retries, has accepted ones made
//! durable, and hands their receipts on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::Run;
use super::allowance::{Account, SegmentAllowance};
use super::overlap::KeysInFlight;
use super::pool::Pools;
use super::retry::{Reaction, Tries, persist, reaction};
use super::settle::{Durable, Settling};
use super::stop::Failure;
use super::unclear::InHand;
use super::worker::Prepared;
use crate::error::{Error, Result};
use crate::event::{Event, Stage, Wait, tell_failure};
use crate::sink::{Allowance, Commit, Lane, Receipt};

/// The lanes share one short queue, so that a slow one is not waited for.
pub type Ready = Arc<Mutex<mpsc::Receiver<Prepared>>>;

/// What the lanes of a run have in common.
#[derive(Clone)]
pub struct Lanes {
    pub run: Arc<Run>,
    pub pools: Arc<Pools>,
    pub account: Arc<Account>,
    pub keys: Arc<KeysInFlight>,
    pub settling: Arc<Settling>,
    pub settle: mpsc::Sender<Durable>,
}

pub struct LaneTask {
    shared: Lanes,
    lane: Box<dyn Lane>,
    /// Oldest first.
    accepted: VecDeque<Accepted>,
    /// Bytes accepted since the last mark was started.
    unmarked_bytes: u64,
    /// Memory that accepted segments hold until they are durable.
    kept_bytes: usize,
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

/// The share of the memory that is worth a mark of its own: what was rejected of segments is kept until
/// they are durable, and may be nearly all of them.
const KEPT_SHARE: usize = 64;

/// How long to wait before a server that wants to be left alone is asked again.
const HELD_BACK: Duration = Duration::from_millis(500);

/// Opens a lane, trying again as `retry` says.
pub async fn open(run: &Run) -> Result<Box<dyn Lane>> {
    let open = async || Arc::clone(&run.sink).open().await;
    persist(run.retry, &run.observer, Stage::Insert, open).await
}

impl LaneTask {
    pub fn new(shared: Lanes, lane: Box<dyn Lane>) -> LaneTask {
        let mark_due = tokio::time::Instant::now() + shared.run.mark.age;
        LaneTask {
            shared,
            lane,
            accepted: VecDeque::new(),
            unmarked_bytes: 0,
            kept_bytes: 0,
            mark_due,
        }
    }

    /// Writes what the sequencer lets through until there is no more, and has it made durable.
    pub async fn serve(mut self, ready: Ready) -> std::result::Result<(), Failure> {
        loop {
            let asked = Instant::now();
            let has_accepted = !self.accepted.is_empty();
            let may_take = self.accepted.len() < ACCEPTED_MAX;
            let next = tokio::select! {
                receipts = self.lane.marked(), if has_accepted => {
                    self.idled(may_take, asked.elapsed());
                    self.became_durable(receipts).await?;
                    if self.keeps_much() {
                        self.mark().await?;
                    }
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
            if is_due
                || is_full
                || self.keeps_much()
                || self.unmarked_bytes >= self.shared.run.mark.bytes
            {
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

    async fn take(&mut self, segment: Prepared) -> std::result::Result<(), Failure> {
        self.wait_while_held_back().await?;
        let committed = Instant::now();
        let allowance = SegmentAllowance::new(&self.shared.account);
        let mut in_hand = InHand::new(segment, &self.shared.settling);
        let commit = self.commit(&mut in_hand, &allowance).await?;
        let insert = committed.elapsed();
        // In hand until there is a place for it: one that is let go of here is looked for.
        let place = match commit {
            Commit::Durable(_) => {
                self.shared.keys.leave(in_hand.outgoing().ticket);
                Some(self.place_to_settle().await?)
            }
            Commit::Accepted | Commit::TooManyRejected(_) => None,
        };
        let mut segment = in_hand.take();
        let bytes = segment.outgoing.payload.bytes.len() as u64;
        // Not shared with a server any more, so this is the buffer itself.
        self.shared.pools.payloads.give(std::mem::take(&mut segment.outgoing.payload.bytes).into());
        match commit {
            Commit::Durable(receipt) => {
                if receipt.refused.is_empty()
                    && let Some(buffer) = segment.take_source()
                {
                    self.shared.pools.segments.give(buffer);
                }
                if let Some(place) = place {
                    place.send(Durable { segment, receipt, insert });
                }
            }
            Commit::Accepted => {
                // A segment of which nothing is written counts, too, else it would never be marked.
                self.unmarked_bytes += bytes.max(1);
                let kept = segment.kept_bytes();
                match &mut segment.reservation {
                    Some(reservation) if kept > 0 => reservation.settle(kept),
                    reservation => *reservation = None,
                }
                self.kept_bytes += kept;
                self.accepted.push_back(Accepted { segment, committed });
            }
            Commit::TooManyRejected(refused) => {
                // What it was allowed at an earlier try, it did not use.
                allowance.allows(0);
                let late = segment.refused_late(&self.shared.run, refused)?;
                self.shared.settling.leave_evidence(segment, late);
                return Err(Failure::TooManyRejected);
            }
        }
        Ok(())
    }

    async fn wait_while_held_back(&mut self) -> Result<()> {
        let run = Arc::clone(&self.shared.run);
        let mut tries = Tries::new(run.retry, &run.observer, Stage::Insert);
        loop {
            match self.lane.is_held_back().await {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    tries.restart();
                    let asked = Instant::now();
                    tokio::time::sleep(HELD_BACK).await;
                    self.waited(Wait::Throttle, asked.elapsed());
                }
                Err(error) => tries.wait(error).await?,
            }
        }
    }

    fn keeps_much(&self) -> bool {
        let memory = self.shared.run.vitals.memory_budget_bytes as usize;
        self.kept_bytes >= memory / KEPT_SHARE && self.kept_bytes > 0
    }

    async fn mark(&mut self) -> Result<()> {
        let started = Instant::now();
        let is_started = self.lane.mark().await?;
        self.shared.run.observer.notice(&Event::Committed { took: started.elapsed() });
        if is_started {
            self.unmarked_bytes = 0;
            self.kept_bytes = 0;
        }
        self.mark_due = tokio::time::Instant::now() + self.shared.run.mark.age;
        Ok(())
    }

    async fn became_durable(&mut self, receipts: Result<Vec<Receipt>>) -> Result<()> {
        let observer = Arc::clone(&self.shared.run.observer);
        let receipts =
            receipts.map_err(|error| tell_failure(&*observer, Stage::Insert, error, true))?;
        for receipt in receipts {
            let Some(Accepted { segment, committed }) = self.accepted.pop_front() else {
                return Err(Error::internal("a lane made more segments durable than it was given"));
            };
            let insert = committed.elapsed();
            let place = self.place_to_settle().await?;
            place.send(Durable { segment, receipt, insert });
        }
        Ok(())
    }

    async fn place_to_settle(&mut self) -> Result<mpsc::OwnedPermit<Durable>> {
        let asked = Instant::now();
        let place = self.shared.settle.clone().reserve_owned().await;
        self.waited(Wait::Output, asked.elapsed());
        place.map_err(|_| Error::internal("the room that settles segments is closed"))
    }

    /// Commits a segment, trying again as `retry` says. Once an answer was lost, the segment is
    /// looked for, however often that takes, before it is sent again.
    async fn commit(&mut self, segment: &mut InHand, allowance: &dyn Allowance) -> Result<Commit> {
        let run = Arc::clone(&self.shared.run);
        let mut tries = Tries::new(run.retry, &run.observer, Stage::Insert);
        let mut must_look = false;
        loop {
            let started = Instant::now();
            let outcome = if must_look {
                match self.lane.find(segment.outgoing()).await {
                    Ok(Some(commit)) => return Ok(commit),
                    Ok(None) => {
                        must_look = false;
                        segment.came_back();
                        continue;
                    }
                    Err(error) => Err(error),
                }
            } else {
                self.lane.commit(segment.send(), allowance).await
            };
            // The wait for a lock is told with the failure.
            let locked = outcome.as_ref().err().and_then(Error::lock_wait).unwrap_or_default();
            let took = started.elapsed().saturating_sub(locked);
            run.observer.notice(&Event::Committed { took });
            match outcome {
                Ok(commit) => return Ok(commit),
                Err(error) => {
                    must_look |= reaction(error.kind) == Reaction::LookFirst;
                    if !must_look {
                        segment.came_back();
                    }
                    tries.wait(error).await?;
                }
            }
        }
    }

    /// Who could not have taken more was busy with the disk.
    fn idled(&self, could_take: bool, took: Duration) {
        match could_take {
            true => self.waited(Wait::Input, took),
            false => self.shared.run.observer.notice(&Event::Committed { took }),
        }
    }

    fn waited(&self, wait: Wait, took: Duration) {
        self.shared.run.observer.notice(&Event::Waited { stage: Stage::Insert, wait, took });
    }
}
