//! `runs list`: a line for each run, the last one first.

use std::path::Path;

use serde_json::Value;

use super::super::history::{Align, complain, moment, narrow, number, say_there_is_none, table};
use super::super::print;
use crate::cli::history::{RunsAsked, TableFormat};
use crate::ledger::{self, RunFilter, RunRow, Standing, now};
use crate::outcome::Outcome;
use crate::report::text::bytes;
use crate::shown::Json;

/// More than a screen of them is asked for.
const LAST_IN_TABLE: u64 = 20;

pub fn run(path: &Path, asked: &RunsAsked) -> Outcome {
    let filter = filter(asked);
    let runs = match ledger::read(path, |connection| ledger::runs(connection, &filter)) {
        Err(missing) => return complain(&missing),
        Ok(None) => {
            say_there_is_none(path);
            Vec::new()
        }
        Ok(Some(runs)) => runs,
    };
    match asked.format {
        TableFormat::Table if runs.is_empty() => Outcome::Complete,
        TableFormat::Table => print(&in_table(&runs)),
        TableFormat::Json => print(&format!("{}\n", Json(format!("{:#}", in_json(&runs))))),
        TableFormat::Csv => print(&in_csv(&runs)),
    }
}

fn filter(asked: &RunsAsked) -> RunFilter {
    let by_default = (asked.format == TableFormat::Table).then_some(LAST_IN_TABLE);
    RunFilter {
        pipelines: asked.pipelines.clone(),
        since: asked.since.map(|since| now() - since.as_secs_f64()),
        failed_only: asked.is_failed_only,
        last: asked.last.or(by_default),
    }
}

fn in_table(runs: &[RunRow]) -> String {
    let heads = [
        ("RUN", Align::Left),
        ("UTC", Align::Left),
        ("PIPELINE", Align::Left),
        ("OUTCOME", Align::Left),
        ("RECORDS", Align::Right),
        ("REJECTED", Align::Right),
        ("TIME", Align::Right),
        ("READ", Align::Right),
    ];
    let rows: Vec<_> = runs.iter().map(row).collect();
    let lines = table(heads, 2, &rows);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn row(run: &RunRow) -> [String; 8] {
    let took = run.duration_s.map(narrow).unwrap_or_default();
    let read = run.bytes_read.and_then(|read| u64::try_from(read).ok());
    [
        short_id(run),
        moment(run.started_at),
        run.pipeline_id.clone(),
        outcome(run),
        number(run.processed()),
        number(run.failed),
        took,
        read.map(bytes).unwrap_or_default().replace(' ', ""),
    ]
}

/// As much of an id as parts runs that began in the same second.
fn short_id(run: &RunRow) -> String {
    run.run_id.chars().take(13).collect()
}

pub fn outcome(run: &RunRow) -> String {
    match (run.standing(now()), &run.outcome) {
        (Standing::Ended, Some(outcome)) => outcome.clone(),
        (Standing::Killed, _) => "killed".to_string(),
        _ => "running".to_string(),
    }
}

fn in_json(runs: &[RunRow]) -> Value {
    serde_json::to_value(runs).unwrap_or_default()
}

fn in_csv(runs: &[RunRow]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Without a row there are no names.
    for run in runs {
        if writer.serialize(run).is_err() {
            break;
        }
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
