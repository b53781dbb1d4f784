//! What there is to tell of runs that could not tell it themselves, and what was told of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::command::history::exact_moment;
use crate::export::NoticeEvent;
use crate::ledger::{PipelineHistory, RunRow};
use crate::outcome::Outcome;
use crate::report::text::{counted, duration};
use crate::shown::Line;

/// What is older is news to nobody, such as the lost runs of a ledger that was put in the place of another.
pub const NEWS_S: f64 = 7.0 * 86_400.0;

/// What became so before the exporter began, as long as a restart of a machine takes. Whoever keeps what was told
/// in a file need not guess.
const BEFORE_BEGIN_S: f64 = 900.0;

/// More than any pipeline loses in a week.
const LOST_KEPT_MAX: usize = 10_000;

/// A schedule is not kept to the second.
const SLACK: f64 = 0.1;

/// What is in the ledger at one time.
pub struct Look {
    pub at: f64,
    /// With lost runs judged.
    pub pipelines: Vec<PipelineHistory>,
    /// All of the last days.
    pub lost: Vec<RunRow>,
}

/// One message.
#[derive(Debug, PartialEq)]
pub struct Notice {
    pub pipeline_id: String,
    pub about: About,
    pub message: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// `at` is when it was to be taken for lost.
    Lost {
        run_id: String,
        at: f64,
        heartbeat_at: f64,
    },
    Missed {
        due_at: f64,
    },
    Recovery,
}

/// What was told, so that it is told once. All of it is bounded: by the runs that are lost in some days, and by
/// the pipelines.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Told {
    /// When they were to be taken for lost, by the id of the run.
    lost: BTreeMap<String, f64>,
    /// When the last run that did not come was due, by pipeline.
    missed: BTreeMap<String, f64>,
    /// Pipelines of which no complete run was seen since something was told of them, and since when.
    down: BTreeMap<String, f64>,
}

impl Told {
    /// What was so long before the exporter began is taken for told.
    pub fn pass_over_old(&mut self, look: &Look) {
        let is_old = |at: f64| at < look.at - BEFORE_BEGIN_S;
        for run in &look.lost {
            let at = run.process().lost_at();
            if is_old(at) {
                self.lost.insert(run.run_id.clone(), at);
            }
        }
        for pipeline in &look.pipelines {
            if let Some(missed) = Missed::of(pipeline, look.at).filter(|it| is_old(it.since)) {
                self.missed.insert(pipeline.pipeline_id.clone(), missed.due_at);
            }
        }
    }

    /// What is to be told now, the oldest first.
    pub fn notices(&self, look: &Look, wanted: &[NoticeEvent]) -> Vec<Notice> {
        let mut notices = Vec::new();
        if wanted.contains(&NoticeEvent::Failure) {
            let is_news = |run: &&RunRow| {
                !self.lost.contains_key(&run.run_id) && look.at - run.process().lost_at() < NEWS_S
            };
            notices.extend(look.lost.iter().filter(is_news).map(lost));
            for pipeline in &look.pipelines {
                let told = self.missed.get(&pipeline.pipeline_id);
                let missed = Missed::of(pipeline, look.at);
                // Less than a second is how a number was written.
                let missed = missed.filter(|it| told.is_none_or(|told| it.due_at > told + 0.5));
                notices.extend(missed.map(|missed| missed.notice(pipeline)));
            }
        }
        if !wanted.contains(&NoticeEvent::Recovery) {
            return notices;
        }
        let is_back = |(pipeline, since): &(&PipelineHistory, f64)| {
            pipeline.last.as_ref().is_some_and(|last| {
                last.outcome.as_deref() == Some(Outcome::Complete.as_str())
                    && last.started_at > *since
            })
        };
        let down = look
            .pipelines
            .iter()
            .filter_map(|pipeline| Some((pipeline, *self.down.get(&pipeline.pipeline_id)?)));
        notices.extend(down.filter(is_back).filter_map(|(pipeline, _)| recovery(pipeline)));
        notices
    }

    pub fn note(&mut self, notice: &Notice) {
        let pipeline_id = notice.pipeline_id.clone();
        match &notice.about {
            About::Lost { run_id, at, heartbeat_at } => {
                self.lost.insert(run_id.clone(), *at);
                self.fell(pipeline_id, *heartbeat_at);
            }
            About::Missed { due_at } => {
                self.missed.insert(pipeline_id.clone(), *due_at);
                self.fell(pipeline_id, *due_at);
            }
            About::Recovery => {
                self.down.remove(&pipeline_id);
            }
        }
    }

    fn fell(&mut self, pipeline_id: String, at: f64) {
        let since = self.down.entry(pipeline_id).or_insert(at);
        *since = since.max(at);
    }

    pub fn forget_old(&mut self, now: f64) {
        // They are no news for a day before they are forgotten.
        self.lost.retain(|_, at| now - *at < NEWS_S + 86_400.0);
        while self.lost.len() > LOST_KEPT_MAX {
            let oldest = self.lost.iter().min_by(|a, b| a.1.total_cmp(b.1));
            let Some(oldest) = oldest.map(|(run_id, _)| run_id.clone()) else { return };
            self.lost.remove(&oldest);
        }
    }
}

/// Runs that did not begin when they were due.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Missed {
    /// In a row.
    count: u64,
    /// The last one of them.
    due_at: f64,
    /// When it was too late.
    since: f64,
    interval_s: f64,
}

impl Missed {
    /// By `--expect-every` behind the begin of the last run, whatever became of that: one that failed says so itself,
    /// and one that is on has come.
    fn of(pipeline: &PipelineHistory, now: f64) -> Option<Missed> {
        let interval_s = pipeline.expected_interval_s.filter(|interval| *interval > 0.0)?;
        let began_at = pipeline.last_began_at.filter(|_| pipeline.open.is_empty())?;
        let intervals = |seconds: f64| (seconds / interval_s).floor().max(0.0);
        let due = intervals(now - began_at - SLACK * interval_s);
        // Those that were due while it was on were not missing.
        let ended_at = pipeline.last.as_ref().and_then(|last| last.finished_at);
        let count = due - intervals(ended_at.map_or(0.0, |at| at - began_at));
        let due_at = began_at + due * interval_s;
        let since = due_at + SLACK * interval_s;
        (count >= 1.0).then_some(Missed { count: count as u64, due_at, since, interval_s })
    }

    fn notice(&self, pipeline: &PipelineHistory) -> Notice {
        let Missed { count, due_at, interval_s, .. } = *self;
        let id = &pipeline.pipeline_id;
        let missed = match count {
            1 => format!("the run did not come that was due at {}", utc(due_at)),
            count => format!(
                "{count} runs in a row did not come, the last of which was due at {}",
                utc(due_at)
            ),
        };
        let success = match pipeline.last_success_at {
            Some(at) => format!("the last complete one was at {}", utc(at)),
            None => "none was ever complete".to_string(),
        };
        let every = duration(Duration::try_from_secs_f64(interval_s).unwrap_or_default());
        let text = format!("{}: {missed}; one is expected every {every}; {success}", Line(id));
        let message = json!({
            "version": 1,
            "event": "missed",
            "text": text,
            "pipeline_id": id,
            "due_at_seconds": due_at,
            "missed_in_a_row": count,
            "expected_interval_seconds": interval_s,
            "last_began_at_seconds": pipeline.last_began_at,
            "last_success_at_seconds": pipeline.last_success_at,
        });
        Notice { pipeline_id: id.clone(), about: About::Missed { due_at }, message }
    }
}

fn lost(run: &RunRow) -> Notice {
    let id = &run.pipeline_id;
    let records = run.read.and_then(|read| u64::try_from(read).ok());
    let records = records.map(|read| format!(", after {}", counted(read, "record")));
    let reason = run.error.as_deref().unwrap_or_default();
    let text = format!(
        "{}: lost: its last sign of life was at {}{}; {reason}",
        Line(id),
        utc(run.heartbeat_at),
        records.unwrap_or_default()
    );
    let (run_id, at) = (run.run_id.clone(), run.process().lost_at());
    let about = About::Lost { run_id, at, heartbeat_at: run.heartbeat_at };
    Notice { pipeline_id: id.clone(), about, message: message(run, "lost", text) }
}

fn recovery(pipeline: &PipelineHistory) -> Option<Notice> {
    let run = pipeline.last.as_ref()?;
    let taken = run.taken().unwrap_or_default();
    let text =
        format!("{}: complete again; {} taken", Line(&run.pipeline_id), counted(taken, "record"));
    let message = message(run, NoticeEvent::Recovery.as_str(), text);
    Some(Notice { pipeline_id: run.pipeline_id.clone(), about: About::Recovery, message })
}

/// Under the names of the message that a run sends itself.
fn message(run: &RunRow, event: &str, text: String) -> Value {
    json!({
        "version": 1,
        "event": event,
        "text": text,
        "pipeline_id": run.pipeline_id,
        "run_id": run.run_id,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "reason": run.error,
        "started_at_seconds": run.started_at,
        "duration_seconds": run.duration_s,
        "heartbeat_at_seconds": run.heartbeat_at,
        "host": run.host,
        "records": {
            "read": run.read,
            "inserted": run.inserted,
            "updated": run.updated,
            "skipped": run.skipped(),
            "failed": run.failed,
        },
        "rejects_file": run.rejects_path,
    })
}

fn utc(seconds: f64) -> String {
    format!("{} UTC", exact_moment(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_did_not_come_when_none_began_in_time_and_none_is_on() {
        let began = |seconds_ago: f64| PipelineHistory {
            last_began_at: Some(1e9 - seconds_ago),
            expected_interval_s: Some(100.0),
            ..PipelineHistory::default()
        };
        let ended = |seconds_ago: f64, ended_ago: f64| PipelineHistory {
            last: Some(RunRow { finished_at: Some(1e9 - ended_ago), ..RunRow::default() }),
            ..began(seconds_ago)
        };
        let missed = |pipeline: &PipelineHistory| {
            Missed::of(pipeline, 1e9).map(|it| (it.count, (1e9 - it.due_at).round()))
        };
        for (pipeline, expected) in [
            (began(109.0), None),
            (began(111.0), Some((1, 11.0))),
            (began(209.0), Some((1, 109.0))),
            (began(330.0), Some((3, 30.0))),
            // It was on when two were due, and is over.
            (ended(330.0, 105.0), Some((1, 30.0))),
            (ended(330.0, 5.0), None),
            (ended(330.0, 320.0), Some((3, 30.0))),
            (PipelineHistory { open: vec![RunRow::default()], ..began(330.0) }, None),
            (PipelineHistory { expected_interval_s: None, ..began(330.0) }, None),
            (PipelineHistory { expected_interval_s: Some(0.0), ..began(330.0) }, None),
        ] {
            assert_eq!(missed(&pipeline), expected);
        }
    }
}
