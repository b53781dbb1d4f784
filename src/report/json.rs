//! The summary of a run for programs. The names are a contract, like those of the metrics. Pure.

use serde_json::{Value, json};

use super::{Latencies, Report, busy_share, verdict};
use crate::event::{Stage, Wait};

pub fn summary(report: &Report) -> Value {
    let run = &report.run;
    let stage = |stage: Stage| {
        let time = run.stage(stage);
        let waits: serde_json::Map<String, Value> = Wait::ALL
            .iter()
            .map(|wait| (wait.as_str().to_string(), json!(time.waited(*wait).as_secs_f64())))
            .collect();
        json!({
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
    json!({
        "pipeline_id": report.pipeline_id,
        "run_id": report.run_id,
        "version": env!("CARGO_PKG_VERSION"),
        "outcome": report.outcome.as_str(),
        "exit_code": report.outcome.exit_code(),
        "error": report.error,
        "started_at_seconds": report.started_at_seconds,
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
        "fields_ignored": run.fields_ignored,
        "values_kept": run.values_kept,
        "log_lines_dropped": report.log_lines_dropped,
        "rejects_file": report.rejects,
        "published": report.published.is_some(),
        "output": report.published.as_ref().and_then(|published| published.name.clone()),
        "bytes": { "read": run.bytes_read, "written": run.bytes_written },
        "files": { "processed": run.files_processed, "failed": run.files_failed },
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
        "limit": verdict(run).map(|verdict| verdict.stage.as_str()),
    })
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
