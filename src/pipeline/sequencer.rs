//! Between the workers and the lanes: puts segments back into the order of the source, and lets a
//! segment pass only while the rejected records are within `--max-errors`, as fast as
//! `--max-rows-per-second` says, and when no segment in flight shares a key with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Run;
use super::allowance::Account;
use super::overlap::KeysInFlight;
use super::pace::Pace;
use super::worker::Prepared;
use crate::error::Error;
use crate::event::{Event, Stage, Wait};
use crate::record::{ErrorType, Interval, Rejected};

/// How many rejected records an error over budget reports.
const REPORTED_MAX: usize = 100;

/// Too many records were rejected.
#[derive(Debug)]
pub struct OverBudget {
    pub error: Error,
    /// None where all of them were settled.
    pub evidence: Option<Evidence>,
}

/// Rejected records of a segment that was not let through.
#[derive(Debug)]
pub struct Evidence {
    pub interval: Interval,
    pub rejected: Vec<Rejected>,
}

impl OverBudget {
    pub fn new(run: &Run, failed: u64, interval: Interval, mut rejected: Vec<Rejected>) -> Self {
        rejected.truncate(REPORTED_MAX);
        let error = over_budget(run, failed, rejected.first());
        OverBudget { error, evidence: Some(Evidence { interval, rejected }) }
    }
}

/// What a segment has to get past.
pub struct Sequencer<'a> {
    pub run: &'a Run,
    pub account: &'a Account,
    pub keys: &'a KeysInFlight,
    pub pace: Pace,
}

impl Sequencer<'_> {
    /// Runs until the workers are done, or the budget is exceeded.
    pub async fn sequence(
        mut self,
        mut prepared: mpsc::Receiver<Prepared>,
        lanes: mpsc::Sender<Prepared>,
    ) -> Result<(), OverBudget> {
        let mut early = BTreeMap::new();
        let mut next_ticket = 0;
        while let Some(arrived) = prepared.recv().await {
            early.insert(arrived.ticket, arrived);
            while let Some(mut next) = early.remove(&next_ticket) {
                next_ticket += 1;
                self.judge(&mut next)?;
                self.wait_for_turn(&next).await;
                self.keys.enter(next.ticket, std::mem::take(&mut next.payload.keys)).await;
                if lanes.send(next).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn judge(&self, next: &mut Prepared) -> Result<(), OverBudget> {
        let run = self.run;
        for rejected in &next.rejected {
            let error_type = rejected.error_type;
            run.observer.notice(&Event::Rejected { stage: Stage::Convert, error_type });
            (run.on_rejected)(rejected);
        }
        if self.account.let_pass(next.records, next.rejected.len() as u64) {
            return Ok(());
        }
        let evidence = std::mem::take(&mut next.rejected);
        Err(OverBudget::new(run, self.account.failed(), next.interval.clone(), evidence))
    }

    async fn wait_for_turn(&mut self, next: &Prepared) {
        let wait = self.pace.wait_for(next.payload.rows, tokio::time::Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            let (stage, wait, took) = (Stage::Insert, Wait::Throttle, wait);
            self.run.observer.notice(&Event::Waited { stage, wait, took });
        }
    }
}

pub fn over_budget(run: &Run, failed: u64, first: Option<&Rejected>) -> Error {
    let records = if failed == 1 { "record was" } else { "records were" };
    let budget = run.error_budget;
    let message = match first {
        Some(first) => {
            format!("{}; {failed} {records} rejected and --max-errors is {budget}", first.reason)
        }
        None => format!("{failed} {records} rejected and --max-errors is {budget}"),
    };
    let error = Error::data(first.map_or(ErrorType::Other, |first| first.error_type), message);
    match first {
        Some(first) => error.at(first.place.clone()),
        None => error,
    }
}

/// Told of every rejected record as it is decided, so that somebody can be shown the first ones.
pub type OnRejected = Arc<dyn Fn(&Rejected) + Send + Sync>;
