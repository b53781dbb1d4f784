//! Between the workers and the lanes: puts segments back into the order of the source, and lets a
//! segment pass only while the rejected records are within `--max-errors`, as fast as
//! `--max-rows-per-second` says, and when no segment in flight shares a key with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Run;
use super::allowance::Account;
use super::overlap::KeysInFlight;
use super::pace::RowPace;
use super::settle::Settling;
use super::stop::Failure;
use super::worker::Prepared;
use crate::event::{Event, Stage, Wait};
use crate::record::Rejected;

/// What a segment has to get past.
pub struct Sequencer<'a> {
    pub run: &'a Run,
    pub settling: &'a Settling,
    pub account: &'a Account,
    pub keys: &'a KeysInFlight,
    pub pace: RowPace,
}

impl Sequencer<'_> {
    /// Runs until the workers are done, or the budget is exceeded.
    pub async fn sequence(
        mut self,
        mut prepared: mpsc::Receiver<Prepared>,
        lanes: mpsc::Sender<Prepared>,
    ) -> Result<(), Failure> {
        let mut early = BTreeMap::new();
        let mut next_ticket = 0;
        while let Some(arrived) = prepared.recv().await {
            early.insert(arrived.outgoing.ticket, arrived);
            while let Some(next) = early.remove(&next_ticket) {
                next_ticket += 1;
                let mut next = self.judge(next)?;
                self.wait_for_turn(&next).await;
                let outgoing = &mut next.outgoing;
                self.keys.enter(outgoing.ticket, std::mem::take(&mut outgoing.payload.keys)).await;
                if lanes.send(next).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn judge(&self, next: Prepared) -> Result<Prepared, Failure> {
        next.rejected.iter().for_each(|rejected| (self.run.on_rejected)(rejected));
        if self.account.let_pass(next.records, next.rejected.len() as u64) {
            return Ok(next);
        }
        // Its rejected records are kept, because they are the reason that there is no more.
        self.settling.leave_evidence(next, Vec::new());
        Err(Failure::TooManyRejected)
    }

    async fn wait_for_turn(&mut self, next: &Prepared) {
        let wait = self.pace.wait_for(next.outgoing.payload.rows, tokio::time::Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            let (stage, wait, took) = (Stage::Insert, Wait::Throttle, wait);
            self.run.observer.notice(&Event::Waited { stage, wait, took });
        }
    }
}

/// Told of every rejected record as it is decided, so that somebody can be shown the first ones.
pub type OnRejected = Arc<dyn Fn(&Rejected) + Send + Sync>;
