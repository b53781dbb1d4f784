//! What the limit of a run was: the stage that had the least time to spare. Pure.

use std::time::Duration;

use super::{Report, RunNumbers};
use crate::event::{Stage, Wait};

/// A stage, and the share of its threads' time in which it worked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck {
    pub stage: Stage,
    /// Between 0 and 1.
    pub busy_share: f64,
}

/// The busiest stage. None when no stage had much to do, or nobody would want it faster.
pub fn bottleneck(numbers: &RunNumbers) -> Option<Bottleneck> {
    if numbers.elapsed < WORTH_MIN {
        return None;
    }
    Stage::ALL
        .into_iter()
        .filter_map(|stage| Some(Bottleneck { stage, busy_share: busy_share(numbers, stage)? }))
        .max_by(|one, other| one.busy_share.total_cmp(&other.busy_share))
        // Who was idle most of the time waited for its input, or was over before it began.
        .filter(|bottleneck| {
            numbers.stage(bottleneck.stage).busy.as_secs_f64()
                >= numbers.elapsed.as_secs_f64() * BUSY_SHARE_MIN
        })
}

/// In less time, opening and closing are most of what a run does.
const WORTH_MIN: Duration = Duration::from_secs(1);

/// Of the whole run, by the busiest stage; below it no stage was the limit.
const BUSY_SHARE_MIN: f64 = 0.2;

/// Work over work and waiting, whatever the number of threads.
pub fn busy_share(numbers: &RunNumbers, stage: Stage) -> Option<f64> {
    let time = numbers.stage(stage);
    let waited: f64 = Wait::ALL.iter().map(|wait| time.waited(*wait).as_secs_f64()).sum();
    let busy = time.busy.as_secs_f64();
    (busy > 0.0).then(|| busy / (busy + waited))
}

impl Bottleneck {
    /// In the words of somebody who wants it faster, with what may be done about it.
    pub fn sentence(&self, report: &Report) -> String {
        let percent = (self.busy_share * 100.0).round();
        match self.stage {
            Stage::Fetch => {
                let advice = match report.source {
                    "elasticsearch" => "more --es-slices may help",
                    _ if report.reads_pipe => "what writes to the pipe may be the limit",
                    _ => "faster storage may help",
                };
                format!("reading, the reader {percent} % busy; {advice}")
            }
            Stage::Convert if report.has_idle_cores => {
                format!("converting, the workers {percent} % busy; more --workers may help")
            }
            Stage::Convert => format!("converting, the workers {percent} % busy on all cores"),
            Stage::Insert if report.sink == "mysql" => {
                format!("writing, the lanes {percent} % busy; more --lanes may help")
            }
            Stage::Insert => format!("writing, {percent} % busy; the output is the limit"),
        }
    }
}
