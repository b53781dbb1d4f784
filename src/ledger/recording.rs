//! What is written of one run: who it is, its last numbers, how it ended. All of it are last values under
//! keys that are bounded, so a run that takes a week writes as many rows as one of a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use procfs::process::Process;
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};

use super::{BegunRun, address, standing, totals};
use crate::event::{Stage, Wait};
use crate::host::host_name;
use crate::outcome::Outcome;
use crate::record::ErrorType;
use crate::report::{Latencies, RejectedColumn, Report, RouteReport, RunNumbers, bottleneck};
use crate::secret::by_name;

/// How a run ended.
#[derive(Debug)]
pub struct EndedRun {
    pub outcome: Outcome,
    pub error: Option<String>,
    pub rejects_path: Option<String>,
    pub numbers: RunNumbers,
    /// As everybody else is told it.
    pub ended_at: Option<f64>,
}

impl EndedRun {
    pub fn of(report: &Report) -> EndedRun {
        EndedRun {
            outcome: report.outcome,
            error: report.error.clone(),
            rejects_path: report.rejects.clone(),
            numbers: report.run.clone(),
            ended_at: report.ended_at_seconds,
        }
    }
}

/// CPU time of this process, of which a run is what comes after its begin.
pub fn cpu_seconds() -> f64 {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9
}

fn peak_rss_bytes() -> Option<i64> {
    let peak_kib = Process::myself().and_then(|process| process.status()).ok()?.vmhwm?;
    Some(int(peak_kib * 1024))
}

pub fn begin(connection: &Connection, run: &BegunRun, now: f64) -> rusqlite::Result<()> {
    totals::begin(connection, &run.pipeline_id, run.started_at)?;
    connection
        .prepare_cached(
            "INSERT INTO runs (run_id, pipeline_id, started_at, heartbeat_at, version, host, pid, source,
                 source_name, sink, target, mode, fingerprint, settings, expected_interval_s, trace_id,
                 pid_namespace, boot_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            run.run_id,
            run.pipeline_id,
            run.started_at,
            now,
            run.version,
            host_name(),
            std::process::id(),
            run.source,
            run.source_name,
            run.sink,
            run.target,
            run.mode,
            run.fingerprint,
            run.settings,
            run.expected_interval.map(|interval| interval.as_secs_f64()),
            run.trace_id,
            standing::pid_namespace(),
            standing::boot_id(),
        ])?;
    if let Some(url) = &run.metrics_url {
        address::write(connection, &run.run_id, url)?;
    }
    Ok(())
}

/// A sign of life, with the numbers of the moment.
pub fn heartbeat(
    connection: &Connection,
    run: &BegunRun,
    numbers: &RunNumbers,
    cpu_s: f64,
    now: f64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE runs SET heartbeat_at = ?2 WHERE run_id = ?1")?
        .execute(params![run.run_id, now])?;
    write_numbers(connection, &run.run_id, numbers, cpu_s, None)
}

pub fn end(
    connection: &Connection,
    run: &BegunRun,
    ended: &EndedRun,
    cpu_s: f64,
    now: f64,
) -> rusqlite::Result<()> {
    let outcome = ended.outcome.as_str();
    let ended_at = ended.ended_at.unwrap_or(now);
    let before: Option<String> = connection
        .prepare_cached("SELECT outcome FROM runs WHERE run_id = ?1")?
        .query_row([&run.run_id], |row| row.get(0))?;
    connection
        .prepare_cached(
            "UPDATE runs SET heartbeat_at = ?2, finished_at = ?7, outcome = ?3, exit_code = ?4, error = ?5,
                 rejects_path = ?6
             WHERE run_id = ?1",
        )?
        .execute(params![
            run.run_id,
            now,
            outcome,
            ended.outcome.exit_code(),
            ended.error,
            ended.rejects_path,
            ended_at,
        ])?;
    write_numbers(connection, &run.run_id, &ended.numbers, cpu_s, Some(ended_at))?;
    // One that was taken for lost was counted as that, and counters do not go down.
    match before.as_deref() {
        Some(totals::LOST) => Ok(()),
        _ => totals::raise(connection, &run.pipeline_id, outcome, ended_at),
    }
}

/// What its program says at its end, which may be more than how its data ended.
pub fn exits_with(connection: &Connection, run_id: &str, exit: Outcome) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE runs SET exit_code = ?2 WHERE run_id = ?1")?
        .execute(params![run_id, exit.exit_code()])?;
    Ok(())
}

/// Who was told of it.
pub fn told(connection: &Connection, run_id: &str, told: &[RouteReport]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO reports (run_id, route, ok, reason) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for RouteReport { route, reason, .. } in told {
        let shown = reason.as_deref().map(by_name);
        insert.execute(params![run_id, route, reason.is_none(), shown])?;
    }
    Ok(())
}

fn write_numbers(
    connection: &Connection,
    run_id: &str,
    numbers: &RunNumbers,
    cpu_s: f64,
    finished_at: Option<f64>,
) -> rusqlite::Result<()> {
    write_summary(connection, run_id, numbers, cpu_s, finished_at)?;
    write_stages(connection, run_id, numbers)?;
    let mut error = connection.prepare_cached(
        "INSERT OR REPLACE INTO errors (run_id, stage, error_type, count, first_at, last_at, last_message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (stage, error_type, count) in numbers.errors.iter().filter(|(.., count)| *count > 0) {
        // Rejected records are counted and have their messages elsewhere.
        let last = numbers
            .last_errors
            .iter()
            .find(|last| last.stage == *stage && last.error_type == *error_type);
        error.execute(params![
            run_id,
            stage.as_str(),
            error_type.as_str(),
            int(*count),
            last.map(|last| seconds(last.first_at)),
            last.map(|last| seconds(last.last_at)),
            last.map(|last| by_name(&last.message)),
        ])?;
    }
    let mut rejects = connection.prepare_cached(
        "INSERT OR REPLACE INTO rejects_summary (run_id, \"column\", error_type, count, first_place)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for RejectedColumn { column, error_type, records, first_place } in &numbers.rejected_columns {
        let column = column.as_deref().unwrap_or_default();
        let place = by_name(first_place);
        rejects.execute(params![run_id, column, error_type.as_str(), int(*records), place])?;
    }
    Ok(())
}

fn write_summary(
    connection: &Connection,
    run_id: &str,
    numbers: &RunNumbers,
    cpu_s: f64,
    finished_at: Option<f64>,
) -> rusqlite::Result<()> {
    let counts = &numbers.counts;
    let is_corrupt =
        |error_type: &ErrorType| matches!(error_type, ErrorType::Parse | ErrorType::Encoding);
    let corrupt = numbers.rejected.iter().filter(|(error_type, _)| is_corrupt(error_type));
    let corrupt: u64 = corrupt.map(|(_, count)| count).sum();
    let as_it_should_be = counts.inserted + counts.updated + counts.duplicate + counts.unchanged;
    let yield_pct = (numbers.records_read > 0)
        .then(|| as_it_should_be as f64 / numbers.records_read as f64 * 100.0);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO run_summary (run_id, read, inserted, updated, duplicate, unchanged,
                 filtered, failed, residual, bytes_read, bytes_written, duration_s, cpu_s, peak_rss_bytes,
                 verdict, yield_pct, corruption_count, finished_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            run_id,
            int(numbers.records_read),
            int(counts.inserted),
            int(counts.updated),
            int(counts.duplicate),
            int(counts.unchanged),
            int(counts.filtered),
            int(counts.failed),
            int(numbers.residual()),
            int(numbers.bytes_read),
            int(numbers.bytes_written),
            numbers.elapsed.as_secs_f64(),
            cpu_s,
            peak_rss_bytes(),
            bottleneck(numbers).map(|bottleneck| bottleneck.stage.as_str()),
            yield_pct,
            int(corrupt),
            finished_at,
        ])?;
    Ok(())
}

fn write_stages(
    connection: &Connection,
    run_id: &str,
    numbers: &RunNumbers,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO stage_summary (run_id, stage, busy_s, wait_input_s, wait_output_s,
             wait_retry_s, wait_throttle_s, count, p50_s, p95_s, p99_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for stage in Stage::ALL {
        let time = numbers.stage(stage);
        let latencies = match stage {
            Stage::Fetch => Some(&numbers.fetch),
            Stage::Insert => Some(&numbers.insert),
            Stage::Convert => None,
        };
        let waited = |wait: Wait| time.waited(wait).as_secs_f64();
        statement.execute(params![
            run_id,
            stage.as_str(),
            time.busy.as_secs_f64(),
            waited(Wait::Input),
            waited(Wait::Output),
            waited(Wait::Retry),
            waited(Wait::Throttle),
            latencies.map(|latencies| int(latencies.count)),
            latencies.and_then(|it| known(it, it.p50)),
            latencies.and_then(|it| known(it, it.p95)),
            latencies.and_then(|it| known(it, it.p99)),
        ])?;
    }
    // A batch from the queue until it was durable, which is no stage of its own.
    let batch = &numbers.batch;
    let nothing: Option<f64> = None;
    statement.execute(params![
        run_id,
        "batch",
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        int(batch.count),
        known(batch, batch.p50),
        known(batch, batch.p95),
        known(batch, batch.p99),
    ])?;
    Ok(())
}

/// Of nothing there is no quantile.
fn known(latencies: &Latencies, quantile: Duration) -> Option<f64> {
    (latencies.count > 0).then_some(quantile.as_secs_f64())
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// SQLite counts to 2^63.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
