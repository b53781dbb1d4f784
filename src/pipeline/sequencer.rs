//! Between the workers and the lanes: puts segments back into the order of the source, and lets a
//! segment pass only while the rejected records are within `--max-errors`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Run;
use super::settle::Settled;
use super::worker::Prepared;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::record::{ErrorType, Interval, Rejected};

/// How many rejected records a run may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ErrorBudget {
    Count(u64),
    /// Judged once enough records were seen for a share to mean something, and at the end.
    Percent(f64),
}

/// A bad first page should not end a run that allows one percent.
const PERCENT_RECORDS_MIN: u64 = 10_000;

impl ErrorBudget {
    pub fn is_exceeded(&self, failed: u64, records: u64, is_end: bool) -> bool {
        match *self {
            ErrorBudget::Count(max) => failed > max,
            ErrorBudget::Percent(max) => {
                let is_judged = is_end || records >= PERCENT_RECORDS_MIN;
                is_judged && failed as f64 * 100.0 > max * records as f64
            }
        }
    }
}

impl std::fmt::Display for ErrorBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ErrorBudget::Count(max) => write!(f, "{max}"),
            ErrorBudget::Percent(max) => write!(f, "{max}%"),
        }
    }
}

/// How many rejected records an error over budget reports.
const REPORTED_MAX: usize = 100;

/// Too many records were rejected.
pub struct OverBudget {
    pub error: Error,
    /// Rejected records of the segment that was not let through, to be kept as evidence.
    pub evidence: Option<(Interval, Vec<Rejected>)>,
}

/// Runs until the workers are done, or the budget is exceeded.
pub async fn sequence(
    run: &Run,
    mut prepared: mpsc::Receiver<Prepared>,
    mut settled: mpsc::UnboundedReceiver<Settled>,
    lanes: mpsc::Sender<Prepared>,
) -> Result<(), OverBudget> {
    let mut early = BTreeMap::new();
    let mut next_ticket = 0;
    let mut seen = Seen::default();
    while let Some(arrived) = prepared.recv().await {
        early.insert(arrived.ticket, arrived);
        while let Some(mut next) = early.remove(&next_ticket) {
            next_ticket += 1;
            while let Ok(late) = settled.try_recv() {
                seen.judge_late(run, &late)?;
            }
            seen.judge(run, &mut next)?;
            if lanes.send(next).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What has passed so far, in source order.
#[derive(Default)]
struct Seen {
    records: u64,
    failed: u64,
}

impl Seen {
    fn judge(&mut self, run: &Run, next: &mut Prepared) -> Result<(), OverBudget> {
        self.records += next.records;
        self.failed += next.rejected.len() as u64;
        for rejected in &next.rejected {
            let error_type = rejected.error_type;
            run.observer.notice(&Event::Rejected { stage: Stage::Convert, error_type });
            (run.on_rejected)(rejected);
        }
        if !run.error_budget.is_exceeded(self.failed, self.records, false) {
            return Ok(());
        }
        let mut evidence = std::mem::take(&mut next.rejected);
        evidence.truncate(REPORTED_MAX);
        let error = over_budget(run, self.failed, evidence.first());
        Err(OverBudget { error, evidence: Some((next.interval.clone(), evidence)) })
    }

    /// Rows refused at commit are kept already; they only add up here.
    fn judge_late(&mut self, run: &Run, late: &Settled) -> Result<(), OverBudget> {
        self.failed += late.failed_late;
        if !run.error_budget.is_exceeded(self.failed, self.records, false) {
            return Ok(());
        }
        let error = over_budget(run, self.failed, late.first_late.as_ref());
        Err(OverBudget { error, evidence: None })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_judged_when_it_means_something() {
        let one_percent = ErrorBudget::Percent(1.0);
        for (failed, records, is_end, exceeded) in [
            (50, 100, false, false),
            (50, 100, true, true),
            (1, 100, true, false),
            (100, 10_000, false, false),
            (101, 10_000, false, true),
        ] {
            assert_eq!(
                one_percent.is_exceeded(failed, records, is_end),
                exceeded,
                "{failed}/{records}"
            );
        }
        assert!(!ErrorBudget::Count(2).is_exceeded(2, 2, false));
        assert!(ErrorBudget::Count(0).is_exceeded(1, 1_000_000, false));
    }
}
