//! What the limit of a run was: the stage that had the least time to spare. Pure.

use crate::event::{Stage, Wait};
use crate::report::RunNumbers;

/// A stage, and the share of its threads' time in which it worked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck {
    pub stage: Stage,
    /// Between 0 and 1.
    pub busy_share: f64,
}

/// The busiest stage. None when no stage had much to do.
pub fn bottleneck(numbers: &RunNumbers) -> Option<Bottleneck> {
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
    /// In the words of somebody who wants it faster.
    pub fn sentence(&self, source: &str, sink: &str) -> String {
        let percent = (self.busy_share * 100.0).round();
        match self.stage {
            Stage::Fetch if source == "elasticsearch" => format!(
                "reading: the reader was busy {percent} % of its time; Elasticsearch is the limit, more --es-slices may help"
            ),
            Stage::Insert if sink == "mysql" => format!(
                "writing: the lanes were busy {percent} % of their time; MySQL is the limit, more --lanes may help"
            ),
            Stage::Fetch => format!(
                "reading: the reader was busy {percent} % of its time; faster storage or less compression would help"
            ),
            Stage::Convert => format!(
                "converting: the workers were busy {percent} % of their time; more --workers would help where there are cores"
            ),
            Stage::Insert => format!(
                "writing: the lanes were busy {percent} % of their time; the output is the limit"
            ),
        }
    }
}
