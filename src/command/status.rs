//! `status`: how each pipeline is, in a line for people and an exit code for cron.

use super::history::{
    Align, WIDTH, complain, moment, narrow, number, place, say_there_is_none, table,
};
use super::print;
use crate::cli::help::wrapped;
use crate::cli::history::StatusAsked;
use crate::config::WrittenOptions;
use crate::console::logging;
use crate::ledger::{self, PipelineHistory, RunRow, Standing, now};
use crate::outcome::Outcome;
use crate::shown::Line;

/// One that nobody expects, and that has not run for so long, is most likely no longer in use.
const IN_USE_S: f64 = 30.0 * 86_400.0;

pub fn run(asked: &StatusAsked, written: WrittenOptions) -> Outcome {
    let place = match place(written, &asked.pipelines) {
        Ok(place) => place,
        Err(outcome) => return outcome,
    };
    let found = match ledger::read(&place.path, ledger::pipelines) {
        Err(missing) => return complain(&missing),
        Ok(found) => found.unwrap_or_default(),
    };
    let now = now();
    let is_shown = |pipeline: &PipelineHistory| {
        let is_named = asked.pipelines.contains(&pipeline.pipeline_id);
        let is_in_use = pipeline.expected_interval_s.is_some()
            || pipeline.last_began_at.is_some_and(|at| now - at < IN_USE_S);
        is_named || asked.pipelines.is_empty() && (asked.is_all || is_in_use)
    };
    let lines: Vec<StatusLine> = found
        .into_iter()
        .filter(is_shown)
        .map(|pipeline| StatusLine::of(&pipeline.judged(now), now))
        .collect();
    // A name that is mistyped in a monitor must not look well.
    let is_missing = |name: &&String| lines.iter().all(|line| line.pipeline != **name);
    let missing: Vec<&String> = asked.pipelines.iter().filter(is_missing).collect();
    for name in &missing {
        let message =
            format!("the pipeline '{}' has no run in '{}'", Line(name), place.path.display());
        logging::complain(&message);
    }
    if lines.is_empty() && missing.is_empty() {
        say_there_is_none(&place.path);
        return Outcome::Complete;
    }
    let printed = if lines.is_empty() { Outcome::Complete } else { print(&shown(&lines)) };
    match printed {
        Outcome::Complete
            if lines.iter().any(|line| line.needs_somebody) || !missing.is_empty() =>
        {
            Outcome::Data
        }
        printed => printed,
    }
}

/// What is said of a pipeline.
#[derive(Debug, PartialEq)]
struct StatusLine {
    pipeline: String,
    state: String,
    last_success: String,
    records: String,
    rejected: String,
    due: String,
    reason: Option<String>,
    needs_somebody: bool,
}

impl StatusLine {
    fn of(pipeline: &PipelineHistory, now: f64) -> StatusLine {
        let standing =
            |wanted: Standing| pipeline.open.iter().find(|run| run.standing(now) == wanted);
        let (running, killed) = (standing(Standing::Running), standing(Standing::Killed));
        let is_killed = killed.is_some_and(|killed| is_later(killed, pipeline.last.as_ref()))
            && running.is_none();
        let failed =
            pipeline.last.as_ref().filter(|run| run.outcome.as_deref() != Some("complete"));
        let due_in = due_in(pipeline, now);
        let is_due = due_in.is_some_and(|due_in| due_in < 0.0) && running.is_none();
        let state = match (running, failed) {
            (Some(run), _) => format!("running {}", narrow(now - run.started_at)),
            _ if is_killed => "killed".to_string(),
            (None, Some(run)) => run.outcome.clone().unwrap_or_default(),
            _ if is_due => "due".to_string(),
            _ => "ok".to_string(),
        };
        let of_killed = killed.filter(|_| is_killed).map(|run| {
            format!("killed: its last sign of life was at {} UTC", moment(run.heartbeat_at))
        });
        let reason = of_killed.or_else(|| failed.filter(|_| !is_killed).map(reason));
        let complete = pipeline.last_complete.as_ref();
        StatusLine {
            pipeline: pipeline.pipeline_id.clone(),
            state,
            last_success: pipeline.last_success_at.map_or("never".to_string(), moment),
            records: number(complete.and_then(RunRow::processed)),
            rejected: number(complete.and_then(|run| run.failed)),
            due: due_in.map(due_words).unwrap_or_default(),
            reason,
            needs_somebody: failed.is_some() || is_killed || is_due,
        }
    }
}

fn is_later(run: &RunRow, than: Option<&RunRow>) -> bool {
    than.is_none_or(|than| run.started_at > than.started_at)
}

fn reason(run: &RunRow) -> String {
    let code = run.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
    let error = run.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} UTC{code}{error}", moment(run.finished_at.unwrap_or(run.started_at)))
}

/// Seconds until the next success is late, by `--expect-every` behind the last one. A schedule is not kept
/// to the second, and a run takes its time.
fn due_in(pipeline: &PipelineHistory, now: f64) -> Option<f64> {
    let interval = pipeline.expected_interval_s?;
    let took = pipeline.last_complete.as_ref().and_then(|run| run.duration_s).unwrap_or_default();
    let since = pipeline.last_success_at.or(pipeline.first_run_at)?;
    Some(since + interval * 1.1 + took - now)
}

fn due_words(due_in: f64) -> String {
    match due_in < 0.0 {
        true => format!("{} ago", narrow(-due_in)),
        false => format!("in {}", narrow(due_in)),
    }
}

fn shown(lines: &[StatusLine]) -> String {
    let heads = [
        ("PIPELINE", Align::Left),
        ("STATE", Align::Left),
        ("LAST SUCCESS", Align::Left),
        ("RECORDS", Align::Right),
        ("REJECTED", Align::Right),
        ("DUE", Align::Right),
    ];
    let row = |line: &StatusLine| {
        [&line.pipeline, &line.state, &line.last_success, &line.records, &line.rejected, &line.due]
            .map(String::clone)
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let rows = table(heads, 0, &rows);
    let mut out = String::new();
    let reasons = std::iter::once(None).chain(lines.iter().map(|line| line.reason.as_deref()));
    for (row, reason) in rows.iter().zip(reasons) {
        out.push_str(&format!("{row}\n"));
        for part in wrapped(&Line(reason.unwrap_or_default()).to_string(), WIDTH - 4) {
            out.push_str(&format!("    {part}\n"));
        }
    }
    out
}
