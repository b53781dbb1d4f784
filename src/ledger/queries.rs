//! What the verbs, the exporter and a run that begins want to know of runs before.

use rusqlite::{Connection, Row, ToSql, params, params_from_iter};
use serde::Serialize;

use super::schema::version;
use super::standing::{REASON, RunProcess, SILENT_S, Standing};
use super::totals::{LOST, outcomes};

/// A run with its last numbers, under the names of the tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunRow {
    pub run_id: String,
    pub pipeline_id: String,
    pub started_at: f64,
    pub heartbeat_at: f64,
    pub finished_at: Option<f64>,
    pub outcome: Option<String>,
    pub exit_code: Option<i64>,
    pub error: Option<String>,
    pub version: String,
    pub host: String,
    pub pid: i64,
    #[serde(skip)]
    pub pid_namespace: Option<String>,
    #[serde(skip)]
    pub boot_id: Option<String>,
    pub source: String,
    pub source_name: String,
    pub sink: String,
    pub target: Option<String>,
    pub mode: Option<String>,
    pub fingerprint: String,
    pub expected_interval_s: Option<f64>,
    pub trace_id: Option<String>,
    pub rejects_path: Option<String>,
    pub read: Option<i64>,
    pub inserted: Option<i64>,
    pub updated: Option<i64>,
    pub duplicate: Option<i64>,
    pub unchanged: Option<i64>,
    pub filtered: Option<i64>,
    pub failed: Option<i64>,
    pub residual: Option<i64>,
    pub bytes_read: Option<i64>,
    pub bytes_written: Option<i64>,
    pub duration_s: Option<f64>,
    pub cpu_s: Option<f64>,
    pub peak_rss_bytes: Option<i64>,
    pub verdict: Option<String>,
    pub yield_pct: Option<f64>,
    pub corruption_count: Option<i64>,
}

impl RunRow {
    /// Records that were taken, whatever became of them but being rejected.
    pub fn taken(&self) -> Option<u64> {
        let parts = [self.inserted, self.updated, self.duplicate, self.unchanged, self.filtered];
        let known: Option<Vec<i64>> = parts.into_iter().collect();
        known.map(|parts| parts.into_iter().sum::<i64>().unsigned_abs())
    }
}

const COLUMNS: &str = "runs.run_id, pipeline_id, started_at, heartbeat_at, runs.finished_at, outcome,
    exit_code, error, version, host, pid, source, source_name, sink, target, mode, fingerprint,
    expected_interval_s, trace_id, rejects_path, read, inserted, updated, duplicate, unchanged, filtered,
    failed, residual, bytes_read, bytes_written, duration_s, cpu_s, peak_rss_bytes, verdict, yield_pct,
    corruption_count";

/// Who only reads a ledger of an earlier version cannot make it one of today.
fn select(connection: &Connection) -> rusqlite::Result<String> {
    let processes = match version(connection)? {
        0 | 1 => "NULL, NULL",
        _ => "pid_namespace, boot_id",
    };
    Ok(format!(
        "SELECT {COLUMNS}, {processes} FROM runs LEFT JOIN run_summary ON run_summary.run_id = runs.run_id"
    ))
}

impl RunRow {
    fn of(row: &Row<'_>) -> rusqlite::Result<RunRow> {
        Ok(RunRow {
            run_id: row.get(0)?,
            pipeline_id: row.get(1)?,
            started_at: row.get(2)?,
            heartbeat_at: row.get(3)?,
            finished_at: row.get(4)?,
            outcome: row.get(5)?,
            exit_code: row.get(6)?,
            error: row.get(7)?,
            version: row.get(8)?,
            host: row.get(9)?,
            pid: row.get(10)?,
            source: row.get(11)?,
            source_name: row.get(12)?,
            sink: row.get(13)?,
            target: row.get(14)?,
            mode: row.get(15)?,
            fingerprint: row.get(16)?,
            expected_interval_s: row.get(17)?,
            trace_id: row.get(18)?,
            rejects_path: row.get(19)?,
            read: row.get(20)?,
            inserted: row.get(21)?,
            updated: row.get(22)?,
            duplicate: row.get(23)?,
            unchanged: row.get(24)?,
            filtered: row.get(25)?,
            failed: row.get(26)?,
            residual: row.get(27)?,
            bytes_read: row.get(28)?,
            bytes_written: row.get(29)?,
            duration_s: row.get(30)?,
            cpu_s: row.get(31)?,
            peak_rss_bytes: row.get(32)?,
            verdict: row.get(33)?,
            yield_pct: row.get(34)?,
            corruption_count: row.get(35)?,
            pid_namespace: row.get(36)?,
            boot_id: row.get(37)?,
        })
    }

    pub fn standing(&self, now: f64) -> Standing {
        match &self.outcome {
            Some(_) => Standing::Ended,
            None if self.process().is_gone(now) => Standing::Killed,
            None => Standing::Running,
        }
    }

    pub fn process(&self) -> RunProcess<'_> {
        RunProcess {
            host: &self.host,
            pid: self.pid,
            pid_namespace: self.pid_namespace.as_deref(),
            boot_id: self.boot_id.as_deref(),
            heartbeat_at: self.heartbeat_at,
        }
    }

    /// Whether its process is there, be it that it has ended and waits for something.
    pub fn has_process(&self, now: f64) -> bool {
        !self.process().is_gone(now)
    }

    /// Whether the next run would write that it is lost.
    fn is_lost(&self, now: f64) -> bool {
        now - self.heartbeat_at > SILENT_S && self.standing(now) == Standing::Killed
    }

    fn into_lost(self) -> RunRow {
        RunRow {
            outcome: Some(LOST.to_string()),
            finished_at: Some(self.heartbeat_at),
            error: Some(REASON.to_string()),
            ..self
        }
    }

    pub fn skipped(&self) -> Option<i64> {
        Some(self.duplicate? + self.unchanged? + self.filtered?)
    }

    /// Settled records.
    pub fn processed(&self) -> Option<i64> {
        Some(self.inserted? + self.updated? + self.skipped()? + self.failed?)
    }
}

/// Which runs are listed, the last one first.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub pipelines: Vec<String>,
    /// Seconds since the epoch.
    pub since: Option<f64>,
    pub failed_only: bool,
    pub last: Option<u64>,
}

pub fn runs(connection: &Connection, filter: &RunFilter) -> rusqlite::Result<Vec<RunRow>> {
    let mut conditions = vec!["1".to_string()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if !filter.pipelines.is_empty() {
        let marks = vec!["?"; filter.pipelines.len()].join(", ");
        conditions.push(format!("pipeline_id IN ({marks})"));
        values.extend(filter.pipelines.iter().map(|it| Box::new(it.clone()) as Box<dyn ToSql>));
    }
    if let Some(since) = filter.since {
        conditions.push("started_at >= ?".to_string());
        values.push(Box::new(since));
    }
    if filter.failed_only {
        conditions.push("outcome <> 'complete'".to_string());
    }
    let last = filter.last.map_or(-1, |last| i64::try_from(last).unwrap_or(i64::MAX));
    values.push(Box::new(last));
    let select = select(connection)?;
    let sql = format!(
        "{select} WHERE {} ORDER BY started_at DESC, runs.run_id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), RunRow::of)?;
    rows.collect()
}

/// Of one run, beside its row.
#[derive(Clone, Debug, Serialize)]
pub struct RunDetails {
    #[serde(flatten)]
    pub run: RunRow,
    pub settings: String,
    pub stages: Vec<StageRow>,
    pub errors: Vec<ErrorRow>,
    pub rejects: Vec<RejectsRow>,
    pub reports: Vec<ReportRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct StageRow {
    pub stage: String,
    pub busy_s: Option<f64>,
    pub wait_input_s: Option<f64>,
    pub wait_output_s: Option<f64>,
    pub wait_retry_s: Option<f64>,
    pub wait_throttle_s: Option<f64>,
    pub count: Option<i64>,
    pub p50_s: Option<f64>,
    pub p95_s: Option<f64>,
    pub p99_s: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ErrorRow {
    pub stage: String,
    pub error_type: String,
    pub count: i64,
    pub first_at: Option<f64>,
    pub last_at: Option<f64>,
    pub last_message: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RejectsRow {
    pub column: String,
    pub error_type: String,
    pub count: i64,
    pub first_place: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReportRow {
    pub route: String,
    pub ok: bool,
    pub reason: Option<String>,
}

impl RunDetails {
    pub fn of(connection: &Connection, run: RunRow) -> rusqlite::Result<RunDetails> {
        let id = run.run_id.clone();
        let settings =
            connection.query_row("SELECT settings FROM runs WHERE run_id = ?1", [&id], |row| {
                row.get(0)
            })?;
        let stages = all(
            connection,
            "SELECT stage, busy_s, wait_input_s, wait_output_s, wait_retry_s, wait_throttle_s, count,
                 p50_s, p95_s, p99_s
             FROM stage_summary WHERE run_id = ?1
             ORDER BY CASE stage WHEN 'fetch' THEN 0 WHEN 'convert' THEN 1 WHEN 'insert' THEN 2 ELSE 3 END",
            &id,
            |row| {
                Ok(StageRow {
                    stage: row.get(0)?,
                    busy_s: row.get(1)?,
                    wait_input_s: row.get(2)?,
                    wait_output_s: row.get(3)?,
                    wait_retry_s: row.get(4)?,
                    wait_throttle_s: row.get(5)?,
                    count: row.get(6)?,
                    p50_s: row.get(7)?,
                    p95_s: row.get(8)?,
                    p99_s: row.get(9)?,
                })
            },
        )?;
        let errors = all(
            connection,
            "SELECT stage, error_type, count, first_at, last_at, last_message FROM errors
             WHERE run_id = ?1 ORDER BY count DESC, stage, error_type",
            &id,
            |row| {
                Ok(ErrorRow {
                    stage: row.get(0)?,
                    error_type: row.get(1)?,
                    count: row.get(2)?,
                    first_at: row.get(3)?,
                    last_at: row.get(4)?,
                    last_message: row.get(5)?,
                })
            },
        )?;
        let rejects = all(
            connection,
            "SELECT \"column\", error_type, count, first_place FROM rejects_summary
             WHERE run_id = ?1 ORDER BY count DESC, \"column\", error_type",
            &id,
            |row| {
                Ok(RejectsRow {
                    column: row.get(0)?,
                    error_type: row.get(1)?,
                    count: row.get(2)?,
                    first_place: row.get(3)?,
                })
            },
        )?;
        let reports = all(
            connection,
            "SELECT route, ok, reason FROM reports WHERE run_id = ?1 ORDER BY route",
            &id,
            |row| Ok(ReportRow { route: row.get(0)?, ok: row.get(1)?, reason: row.get(2)? }),
        )?;
        Ok(RunDetails { run, settings, stages, errors, rejects, reports })
    }
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    run_id: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([run_id], read)?;
    rows.collect()
}

/// Runs whose id begins like this, two at most: more say no more.
pub fn runs_named(connection: &Connection, prefix: &str) -> rusqlite::Result<Vec<RunRow>> {
    let select = select(connection)?;
    let sql = format!("{select} WHERE substr(runs.run_id, 1, length(?1)) = ?1 LIMIT 2");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([prefix], RunRow::of)?;
    rows.collect()
}

/// What is known of a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineHistory {
    pub pipeline_id: String,
    /// The run that ended last, but for those that found another one at work.
    pub last: Option<RunRow>,
    pub last_complete: Option<RunRow>,
    /// Runs without an end, the last one first.
    pub open: Vec<RunRow>,
    /// How many runs ended how, over all time.
    pub totals: Vec<(String, i64)>,
    pub first_run_at: Option<f64>,
    /// It outlives the row of that run.
    pub last_success_at: Option<f64>,
    /// Of the run that began last.
    pub expected_interval_s: Option<f64>,
    pub last_began_at: Option<f64>,
    /// Its runs, whatever became of them, the last one first: so many as a page shows.
    pub recent: Vec<RunRow>,
}

/// A run that is on or was lost in vain does not say how the pipeline is.
const LAST_ENDED: &str =
    "WHERE pipeline_id = ?1 AND outcome IS NOT NULL AND outcome NOT IN ('locked', 'skipped')
    ORDER BY started_at DESC, runs.run_id DESC LIMIT 1";
const LAST_COMPLETE: &str = "WHERE pipeline_id = ?1 AND outcome = 'complete' ORDER BY started_at DESC, runs.run_id DESC LIMIT 1";
const RECENT: &str = "WHERE pipeline_id = ?1 ORDER BY started_at DESC, runs.run_id DESC LIMIT 30";
const OPEN: &str = "WHERE pipeline_id = ?1 AND outcome IS NULL ORDER BY started_at DESC, runs.run_id DESC LIMIT 100";

impl PipelineHistory {
    /// Every way in which a run may have ended.
    pub fn outcomes() -> impl Iterator<Item = &'static str> {
        outcomes()
    }

    pub fn of(connection: &Connection, pipeline_id: &str) -> rusqlite::Result<PipelineHistory> {
        let find = |which: &str| of_one(connection, which, pipeline_id);
        let totals: Vec<(String, i64)> = connection
            .prepare_cached(
                "SELECT outcome, runs FROM totals WHERE pipeline_id = ?1 ORDER BY outcome",
            )?
            .query_map([pipeline_id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let (first_run_at, last_success_at) = connection
            .prepare_cached(
                "SELECT min(since), max(last_at) FILTER (WHERE outcome = 'complete') FROM totals
                 WHERE pipeline_id = ?1",
            )?
            .query_row([pipeline_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let began: Option<(f64, Option<f64>)> = connection
            .prepare_cached(
                "SELECT started_at, expected_interval_s FROM runs WHERE pipeline_id = ?1
                 ORDER BY started_at DESC LIMIT 1",
            )?
            .query_map([pipeline_id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .next()
            .transpose()?;
        Ok(PipelineHistory {
            pipeline_id: pipeline_id.to_string(),
            last: find(LAST_ENDED)?.into_iter().next(),
            last_complete: find(LAST_COMPLETE)?.into_iter().next(),
            open: find(OPEN)?,
            totals,
            first_run_at,
            last_success_at,
            expected_interval_s: began.and_then(|(_, interval)| interval),
            last_began_at: began.map(|(at, _)| at),
            recent: find(RECENT)?,
        })
    }
}

impl PipelineHistory {
    /// The same with runs that are lost as the next run will write it.
    pub fn judged(mut self, now: f64) -> PipelineHistory {
        let (lost, open): (Vec<_>, Vec<_>) =
            self.open.into_iter().partition(|run| run.is_lost(now));
        self.open = open;
        if let Some((_, runs)) = self.totals.iter_mut().find(|(outcome, _)| outcome == LOST) {
            *runs += lost.len() as i64;
        }
        let is_later =
            |run: &RunRow| self.last.as_ref().is_none_or(|last| run.started_at > last.started_at);
        // They come the last one first.
        if let Some(run) = lost.into_iter().next().filter(is_later) {
            self.last = Some(run.into_lost());
        }
        self
    }
}

/// Runs that are lost, whether that is written or not, whose last sign of life is not older than `since`.
pub fn lost_runs(connection: &Connection, since: f64, now: f64) -> rusqlite::Result<Vec<RunRow>> {
    let written = "WHERE outcome = 'lost' AND heartbeat_at >= ?1 ORDER BY heartbeat_at";
    let written: Vec<RunRow> = of_one(connection, written, since)?;
    let silent = silent(connection, now)?.into_iter();
    let unwritten = silent.filter(|run| run.heartbeat_at >= since && run.is_lost(now));
    Ok(written.into_iter().chain(unwritten.map(RunRow::into_lost)).collect())
}

/// Runs without an end that have given no sign of life for a while.
pub fn silent(connection: &Connection, now: f64) -> rusqlite::Result<Vec<RunRow>> {
    of_one(connection, "WHERE outcome IS NULL AND heartbeat_at < ?1", now - SILENT_S)
}

fn of_one(
    connection: &Connection,
    which: &str,
    value: impl ToSql,
) -> rusqlite::Result<Vec<RunRow>> {
    let mut statement = connection.prepare_cached(&format!("{} {which}", select(connection)?))?;
    let rows = statement.query_map([value], RunRow::of)?;
    rows.collect()
}

/// Of every pipeline that ever ran, by name.
pub fn pipelines(connection: &Connection) -> rusqlite::Result<Vec<PipelineHistory>> {
    let names: Vec<String> = connection
        .prepare("SELECT DISTINCT pipeline_id FROM totals ORDER BY pipeline_id")?
        .query_map(params![], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    names.iter().map(|name| PipelineHistory::of(connection, name)).collect()
}
