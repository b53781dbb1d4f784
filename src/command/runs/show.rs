//! `runs show`: one run, with all that is kept of it.

use std::fmt::Write;
use std::path::Path;

use super::super::history::{Align, complain, exact_moment, narrow, number, table};
use super::super::print;
use super::list::outcome;
use crate::app;
use crate::cli::history::{RunsAsked, TableFormat};
use crate::error::Error;
use crate::ledger::{self, RunDetails, RunFilter, RunRow};
use crate::outcome::Outcome;
use crate::report::text;
use crate::shown::{Json, Line};

pub fn run(path: &Path, asked: &RunsAsked) -> Outcome {
    let wanted = asked.run.as_deref().unwrap_or("last");
    let found = ledger::read(path, |connection| {
        let found = match offset(wanted) {
            Some(offset) => {
                let filter = RunFilter {
                    pipelines: asked.pipelines.clone(),
                    last: Some(offset.saturating_add(1)),
                    ..RunFilter::default()
                };
                let runs = ledger::runs(connection, &filter)?;
                runs.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).collect()
            }
            None => ledger::runs_named(connection, wanted)?,
        };
        let details = found.into_iter().map(|run: RunRow| RunDetails::of(connection, run));
        details.collect::<Result<Vec<_>, _>>()
    });
    let found = match found {
        Err(missing) => return complain(&missing),
        Ok(found) => found.unwrap_or_default(),
    };
    match &found[..] {
        [only] => print(&shown(only, asked.format)),
        [] => refuse(&format!("there is no run '{wanted}'"), path),
        _ => refuse(&format!("several runs begin with '{wanted}'"), path),
    }
}

fn refuse(what: &str, path: &Path) -> Outcome {
    let error = Error::config(format!("{what} in the ledger '{}'", path.display()))
        .help("flowgauge runs lists them; say last, last-1, or the beginning of an id");
    app::complain(&error);
    error.kind.into()
}

/// How many runs there are behind it: `last-2` has two.
fn offset(wanted: &str) -> Option<u64> {
    match wanted.strip_prefix("last")? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

fn shown(run: &RunDetails, format: TableFormat) -> String {
    match format {
        TableFormat::Table | TableFormat::Csv => in_text(run),
        TableFormat::Json => {
            let mut document = serde_json::to_value(run).unwrap_or_default();
            if let Ok(settings) = serde_json::from_str(&run.settings) {
                document["settings"] = settings;
            }
            format!("{}\n", Json(format!("{document:#}")))
        }
    }
}

fn in_text(details: &RunDetails) -> String {
    let run = &details.run;
    let mut out = String::new();
    let mut line = |text: String| {
        // A String takes everything.
        let _ = writeln!(out, "{}", Line(text));
    };
    line(format!("run {} of {}: {}", run.run_id, run.pipeline_id, outcome(run)));
    if let Some(error) = &run.error {
        line(format!("  {error}"));
    }
    let ended = run.finished_at.map(|at| format!(" to {}", exact_moment(at)));
    let took = run.duration_s.map(|seconds| format!(", {}", narrow(seconds)));
    line(format!(
        "  {}{} UTC{}",
        exact_moment(run.started_at),
        ended.unwrap_or_default(),
        took.unwrap_or_default()
    ));
    let target = run.target.as_deref().unwrap_or("standard output");
    let mode = run.mode.as_deref().map(|mode| format!(", {mode}")).unwrap_or_default();
    line(format!("  {} into {} {target}{mode}", run.source_name, run.sink));
    if let Some(code) = run.exit_code {
        line(format!("  exit code {code}, version {}, {} on {}", run.version, run.pid, run.host));
    }
    if let Some(balance) = balance(run) {
        line(format!("  {balance}"));
    }
    if let (Some(read), Some(written)) = (run.bytes_read, run.bytes_written) {
        let bytes = |number: i64| text::bytes(u64::try_from(number).unwrap_or_default());
        let cpu = run.cpu_s.map(|cpu| format!("; {} of CPU", narrow(cpu))).unwrap_or_default();
        let memory = run.peak_rss_bytes.map(|peak| format!(", {} of memory", bytes(peak)));
        line(format!(
            "  {} read, {} written{cpu}{}",
            bytes(read),
            bytes(written),
            memory.unwrap_or_default()
        ));
    }
    if let Some(rejects) = &run.rejects_path {
        line(format!("  rejected records: {rejects}"));
    }
    if let Some(limit) = &run.verdict {
        line(format!("  limit: {limit}"));
    }
    for row in details.rejects.iter().filter(|row| !row.column.is_empty()) {
        let count = number(Some(row.count));
        let place = row.first_place.as_deref().unwrap_or_default();
        let _ = writeln!(out, "  rejected: {count} {}, first {}", row.error_type, Line(place));
    }
    out.push_str(&stages(details));
    out.push_str(&errors(details));
    for report in details.reports.iter().filter(|report| !report.ok) {
        let reason = report.reason.as_deref().unwrap_or_default();
        let _ = writeln!(out, "  not told by {}: {}", Line(&report.route), Line(reason));
    }
    out
}

fn balance(run: &RunRow) -> Option<String> {
    let mut balance = format!(
        "read {} = inserted {} + updated {} + skipped {} + failed {}",
        number(run.read),
        number(run.inserted),
        number(run.updated),
        number(run.skipped()),
        number(run.failed)
    );
    if run.residual? > 0 {
        balance.push_str(&format!(" + not settled {}", number(run.residual)));
    }
    Some(balance)
}

fn stages(details: &RunDetails) -> String {
    let heads = [
        ("  STAGE", Align::Left),
        ("BUSY", Align::Right),
        ("WAITED FOR INPUT", Align::Right),
        ("OUTPUT", Align::Right),
        ("RETRY", Align::Right),
        ("COUNT", Align::Right),
        ("P50", Align::Right),
        ("P95", Align::Right),
        ("P99", Align::Right),
    ];
    let time = |seconds: Option<f64>| seconds.map(narrow).unwrap_or_default();
    let row = |stage: &ledger::StageRow| {
        [
            format!("  {}", stage.stage),
            time(stage.busy_s),
            time(stage.wait_input_s),
            time(stage.wait_output_s),
            time(stage.wait_retry_s),
            number(stage.count),
            time(stage.p50_s),
            time(stage.p95_s),
            time(stage.p99_s),
        ]
    };
    if details.stages.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = details.stages.iter().map(row).collect();
    table(heads, 0, &rows).iter().map(|line| format!("{line}\n")).collect()
}

fn errors(details: &RunDetails) -> String {
    let mut out = String::new();
    for error in &details.errors {
        let last = error.last_at.map(|at| format!(", last at {} UTC", exact_moment(at)));
        let message = error.last_message.as_deref().map(|message| format!(": {message}"));
        let _ = writeln!(
            out,
            "  {} {} in {}{}{}",
            number(Some(error.count)),
            error.error_type,
            error.stage,
            last.unwrap_or_default(),
            Line(message.unwrap_or_default())
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_place_or_its_id() {
        for (wanted, expected) in [
            ("last", Some(0)),
            ("last-3", Some(3)),
            ("last-", None),
            ("0190", None),
            ("lasting", None),
        ] {
            assert_eq!(offset(wanted), expected, "{wanted}");
        }
    }
}
