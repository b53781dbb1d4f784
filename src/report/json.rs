//! The summary of a run for programs. The names are a contract, like those of the metrics. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::counters::COUNTERS;
use super::{Latencies, Report, Restore, RouteReport, RunNumbers, bottleneck, busy_share};
use crate::event::{Stage, Wait};
use crate::secret::by_name;

/// Raised when a name changes its meaning or goes; new names come without.
const SCHEMA_VERSION: u64 = 1;

pub fn summary(report: &Report) -> Value {
    let run = &report.run;
    let stage = |stage: Stage| {
        let time = run.stage(stage);
        let waits: serde_json::Map<String, Value> = Wait::ALL
            .iter()
            .map(|wait| (wait.as_str().to_string(), json!(time.waited(*wait).as_secs_f64())))
            .collect();
        json!({
            "threads": run.threads[stage as usize],
            "busy_seconds": time.busy.as_secs_f64(),
            "wait_seconds": waits,
            "busy_share": busy_share(run, stage),
        })
    };
    let counts = &run.counts;
    let rejected: serde_json::Map<String, Value> = run
        .rejected
        .iter()
        .map(|(error_type, failed)| (error_type.as_str().to_string(), json!(failed)))
        .collect();
    let mut summary = json!({
        "schema_version": SCHEMA_VERSION,
        "pipeline_id": report.pipeline_id,
        "run_id": report.run_id,
        "version": env!("CARGO_PKG_VERSION"),
        "outcome": report.outcome.as_str(),
        "exit_code": report.exit().exit_code(),
        "error": report.error,
        "started_at_seconds": report.started_at_seconds,
        "ended_at_seconds": report.ended_at_seconds,
        "duration_seconds": run.elapsed.as_secs_f64(),
        "records": {
            "read": run.records_read,
            "processed": counts.processed(),
            "inserted": counts.inserted,
            "updated": counts.updated,
            "skipped": {
                "duplicate": counts.duplicate,
                "unchanged": counts.unchanged,
                "filtered": counts.filtered,
            },
            "failed": counts.failed,
            "residual": run.residual(),
            "unknown": report.unclear,
        },
        "rejected": rejected,
        "log_lines_dropped": report.log_lines_dropped,
        "rejects_file": report.rejects,
        "rejects_lost": report.rejects_lost,
        "restore_types": report.restore.as_ref().and_then(Restore::types),
        "published": report.published.is_some(),
        "output": report.published.as_ref().and_then(|published| published.name.clone()),
        "bytes": { "read": run.bytes_read, "written": run.bytes_written },
        "stages": {
            "fetch": stage(Stage::Fetch),
            "convert": stage(Stage::Convert),
            "insert": stage(Stage::Insert),
        },
        "latency_seconds": {
            "fetch": latency(&run.fetch),
            "insert": latency(&run.insert),
            "batch": latency(&run.batch),
        },
        "batches": {
            "count": run.batch_records.count,
            "ended_by_records": run.flushes[0],
            "ended_by_bytes": run.flushes[1],
            "ended_by_one_large_record": run.flushes[2],
            "ended_by_end_of_split": run.flushes[3],
        },
        "limit": bottleneck(run).map(|bottleneck| bottleneck.stage.as_str()),
        "errors": errors(run),
        "retries": tree(run.retries.iter().map(|(stage, error_type, count)| {
            ([stage.as_str(), error_type.as_str()], *count)
        })),
        "rate_limited": Stage::ALL
            .iter()
            .zip(run.rate_limited)
            .filter(|(_, count)| *count > 0)
            .map(|(stage, count)| (stage.as_str().to_string(), json!(count)))
            .collect::<Map<_, _>>(),
        "http_requests": tree(
            run.requests.iter().map(|&(operation, code, count)| ([operation.as_str(), code], count))
        ),
        "schema_operations": tree(run.schema_changes.iter().map(|(operation, is_done, took)| {
            ([operation.as_str(), if *is_done { "ok" } else { "failed" }], took.count)
        })),
    });
    let told = |one: &RouteReport| json!({ "route": one.route, "to": one.aim, "ok": one.is_ok(), "reason": one.reason });
    summary["reports"] = report.reports.iter().map(told).collect();
    for row in &COUNTERS {
        let names = row.summary.split('.');
        *names.fold(&mut summary, |object, name| &mut object[name]) =
            json!(run.counted(row.counter));
    }
    summary
}

/// By stage and type, with the last of each.
fn errors(run: &RunNumbers) -> Value {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut errors = Map::new();
    for last in &run.last_errors {
        let is_same = |stage, error_type| stage == last.stage && error_type == last.error_type;
        let counted = run.errors.iter().find(|(stage, error_type, _)| is_same(*stage, *error_type));
        let of_stage = errors.entry(last.stage.as_str()).or_insert_with(|| json!({}));
        of_stage[last.error_type.as_str()] = json!({
            "count": counted.map(|(_, _, count)| count),
            "first_at_seconds": seconds(last.first_at),
            "last_at_seconds": seconds(last.last_at),
            "last_message": by_name(&last.message),
            "last_is_final": last.is_final,
        });
    }
    Value::Object(errors)
}

/// Counts by two names, without those that are 0.
fn tree<'a>(counts: impl Iterator<Item = ([&'a str; 2], u64)>) -> Value {
    let mut tree = Map::new();
    for ([outer, inner], count) in counts.filter(|(_, count)| *count > 0) {
        tree.entry(outer).or_insert_with(|| json!({}))[inner] = json!(count);
    }
    Value::Object(tree)
}

/// How far a run has come that is told in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryPhase {
    Running,
    /// Its data is as it will stay; others are still being told.
    Ended,
    Told,
}

/// The summary as a file that is replaced while the run goes on.
pub fn document(report: &Report, progress: SummaryPhase) -> Value {
    let mut document = summary(report);
    if progress == SummaryPhase::Running {
        document["outcome"] = json!(RUNNING);
        document["exit_code"] = Value::Null;
    }
    document["final"] = json!(progress == SummaryPhase::Told);
    document
}

/// The outcome of a run that has none yet, or was killed.
const RUNNING: &str = "running";

/// Whether a text is the document of a run.
pub fn is_document(text: &[u8]) -> bool {
    let names = ["pipeline_id", "run_id", "outcome", "exit_code", "records"];
    serde_json::from_slice::<Value>(text)
        .is_ok_and(|value| names.iter().all(|name| value.get(name).is_some()))
}

fn latency(latencies: &Latencies) -> Value {
    if latencies.count == 0 {
        return json!({ "count": 0 });
    }
    json!({
        "count": latencies.count,
        "sum": latencies.sum.as_secs_f64(),
        "p50": latencies.p50.as_secs_f64(),
        "p95": latencies.p95.as_secs_f64(),
        "p99": latencies.p99.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_summary_is_taken_for_one() {
        let summary =
            r#"{"pipeline_id":"a","run_id":"b","outcome":"running","exit_code":null,"records":{}}"#;
        assert!(is_document(summary.as_bytes()));
        for other in ["", "{}", "[]", "yesterday", r#"{"run_id":"b","outcome":"complete"}"#] {
            assert!(!is_document(other.as_bytes()), "{other}");
        }
    }
}
