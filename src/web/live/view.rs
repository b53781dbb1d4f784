//! One reading of a run for people: what the page shows and `/run.json` answers with. Pure.
//!
//! Counts are those of `/metrics` under the same number, times are in seconds, and what is not known is null.
//! Names are added in later versions; one that changes its meaning raises `schema_version`.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::sentence::sentence;
use super::series::Rates;
use crate::event::{Counter, Stage, Wait};
use crate::ledger::{PipelineHistory, RunRow};
use crate::observe::reading::Reading;
use crate::observe::scrape::Number;
use crate::report::{Latencies, bottleneck, busy_share};
use crate::secret::by_name;

const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize)]
pub struct View {
    pub schema_version: u32,
    /// Number of the reading, which `/metrics` has in its header `flowgauge-snapshot`.
    pub snapshot: u64,
    /// The run is over and this is the last reading.
    pub is_final: bool,
    pub taken_at_seconds: f64,
    pub pipeline_id: String,
    pub run_id: String,
    pub version: &'static str,
    pub revision: &'static str,
    pub source: EndView,
    pub sink: EndView,
    /// starting, running, draining, stopped, error
    pub state: &'static str,
    /// How it ended: complete, data, unavailable, ...; null while it is on.
    pub outcome: Option<&'static str>,
    pub exit_code: Option<u8>,
    /// Why it did not complete.
    pub error: Option<String>,
    /// The output is public as a whole; null while the run is on.
    pub published: Option<bool>,
    /// All of it in one sentence for people.
    pub sentence: String,
    pub started_at_seconds: f64,
    pub ended_at_seconds: Option<f64>,
    pub elapsed_seconds: f64,
    /// Since something last moved.
    pub quiet_seconds: f64,
    /// Set where nothing has moved for 5 s or more: who is waited for.
    pub silence: Option<String>,
    pub records_expected: Option<u64>,
    /// Between 0 and 1.
    pub progress_ratio: Option<f64>,
    pub eta_seconds: Option<f64>,
    /// Settled records a second, over the last seconds; null before there are any, and after the end.
    pub records_per_second: Option<f64>,
    /// Records read a second, in the same way.
    pub read_per_second: Option<f64>,
    /// Records written a second, those that were rejected or skipped not among them, in the same way.
    pub written_per_second: Option<f64>,
    /// The same over the whole run.
    pub records_per_second_average: f64,
    /// read = inserted + updated + skipped + failed + residual
    pub records: RecordsView,
    /// Rejected records by type; only those that occurred.
    pub rejected: Vec<RejectedView>,
    pub bytes: BytesView,
    /// fetch, convert, insert
    pub stages: Vec<StageView>,
    /// The stage that holds the run back; null where none does.
    pub limit: Option<LimitView>,
    pub workers: WorkersView,
    /// Those that are open, 0 before there are any; and as many as `--lanes` would have at most.
    pub lanes: u64,
    pub lanes_configured: u64,
    pub queue: QueueView,
    pub memory: MemoryView,
    pub latency_seconds: LatenciesView,
    /// Of each kind that occurred, with the last of it.
    pub errors: Vec<ErrorView>,
    /// Only those that occurred.
    pub retries: Vec<RetriesView>,
    /// By stage; only those that occurred.
    pub rate_limited: Vec<RateLimitedView>,
    /// What a search server was asked; null where none is.
    pub http: Option<HttpView>,
    /// What a database was asked; null where none is.
    pub sql: Option<SqlView>,
    pub files: FilesView,
    pub process: ProcessView,
    /// Runs of the pipeline before this one, out of the ledger; null without one.
    pub ledger: Option<LedgerView>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EndView {
    /// As in `--source-type` and `--sink-type`.
    pub kind: &'static str,
    pub format: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct RecordsView {
    pub read: u64,
    pub processed: u64,
    pub inserted: u64,
    pub updated: u64,
    pub skipped: SkippedView,
    pub failed: u64,
    /// Read and not settled: under way.
    pub residual: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct SkippedView {
    pub duplicate: u64,
    pub unchanged: u64,
    pub filtered: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RejectedView {
    pub error_type: &'static str,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct BytesView {
    /// After decompression.
    pub read: u64,
    pub written: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct StageView {
    pub stage: &'static str,
    /// Readers, workers or lanes; busy and wait are summed over them.
    pub threads: u64,
    pub busy_seconds: f64,
    pub wait_seconds: WaitsView,
    /// Of the time of the run for each thread, between 0 and 1; null while it has done nothing.
    pub busy_share: Option<f64>,
    /// It holds the run back.
    pub is_limit: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct WaitsView {
    pub input: f64,
    pub output: f64,
    pub retry: f64,
    pub throttle: f64,
    pub lock: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct LimitView {
    pub stage: &'static str,
    pub busy_share: f64,
    /// retry, throttle or lock, where the stage is not slow but kept waiting.
    pub held_back_by: Option<&'static str>,
    /// Of the time of the run, between 0 and 1.
    pub held_back_share: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkersView {
    pub active: u64,
    pub configured: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct QueueView {
    pub depth: u64,
    pub capacity: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct MemoryView {
    pub used_bytes: u64,
    pub budget_bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct LatenciesView {
    pub fetch: LatencyView,
    pub insert: LatencyView,
    pub batch: LatencyView,
}

/// Quantiles over the whole run, null while there is nothing.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyView {
    pub count: u64,
    pub sum: f64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ErrorView {
    pub stage: &'static str,
    pub error_type: &'static str,
    pub count: u64,
    pub first_at_seconds: f64,
    pub last_at_seconds: f64,
    pub last_message: String,
    /// The last one was not tried again.
    pub is_final: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct RetriesView {
    pub stage: &'static str,
    pub error_type: &'static str,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RateLimitedView {
    pub stage: &'static str,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct HttpView {
    /// Only those that occurred.
    pub requests: Vec<RequestsView>,
    pub latency_seconds: Vec<OperationView>,
    pub in_flight: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RequestsView {
    pub operation: &'static str,
    /// A status, `other_4xx` and the like, or `none` for no answer.
    pub code: &'static str,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct SqlView {
    pub latency_seconds: Vec<OperationView>,
    pub connections: u64,
    pub schema_operations: Vec<SchemaView>,
}

/// Only operations that occurred.
#[derive(Clone, Debug, Serialize)]
pub struct OperationView {
    pub operation: &'static str,
    #[serde(flatten)]
    pub latency: LatencyView,
}

#[derive(Clone, Debug, Serialize)]
pub struct SchemaView {
    pub operation: &'static str,
    /// ok, failed
    pub status: &'static str,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct FilesView {
    pub processed: u64,
    pub failed: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProcessView {
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub open_fds: Option<u64>,
    pub threads: Option<u64>,
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LedgerView {
    pub last_success_at_seconds: Option<f64>,
    /// The last one first.
    pub runs: Vec<EarlierRunView>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EarlierRunView {
    pub run_id: String,
    pub started_at_seconds: f64,
    pub duration_seconds: Option<f64>,
    /// Null of a run without an end.
    pub outcome: Option<String>,
    pub read: Option<i64>,
    pub inserted: Option<i64>,
    pub updated: Option<i64>,
    pub skipped: Option<i64>,
    pub failed: Option<i64>,
}

impl View {
    pub fn of(reading: &Reading, rates: Option<Rates>) -> View {
        let (run, vitals, identity) = (&reading.run, &reading.vitals, &reading.identity);
        let counts = &run.counts;
        let ended = run.outcome;
        let rates = rates.filter(|_| ended.is_none());
        let limit = bottleneck(run).map(|limit| LimitView {
            stage: limit.stage.as_str(),
            busy_share: limit.busy_share,
            held_back_by: limit.held_back.map(|held_back| held_back.by.as_str()),
            held_back_share: limit.held_back.map(|held_back| held_back.share),
        });
        let silence = run.silence().map(|silence| silence.sentence(identity.source, identity.sink));
        let rejected = run.rejected.iter();
        View {
            schema_version: SCHEMA_VERSION,
            snapshot: reading.number,
            is_final: reading.is_final,
            taken_at_seconds: reading.taken_at.number(),
            pipeline_id: identity.pipeline_id.clone(),
            run_id: identity.run_id.clone(),
            version: identity.version,
            revision: identity.revision,
            source: EndView { kind: identity.source, format: identity.source_format },
            sink: EndView { kind: identity.sink, format: identity.sink_format },
            state: run.state.as_str(),
            outcome: ended.map(|outcome| outcome.as_str()),
            exit_code: ended.map(|outcome| outcome.exit_code()),
            error: run.error.as_deref().map(by_name),
            published: run.is_published,
            sentence: sentence(run, identity),
            started_at_seconds: reading.started_at.number(),
            ended_at_seconds: reading.ended_at.map(SystemTime::number),
            elapsed_seconds: run.elapsed.number(),
            quiet_seconds: run.quiet.number(),
            silence,
            records_expected: run.records_expected,
            progress_ratio: run.progress(),
            eta_seconds: run.eta().filter(|_| ended.is_none()).map(Duration::number),
            records_per_second: rates.map(|rates| rates.processed),
            read_per_second: rates.map(|rates| rates.read),
            written_per_second: rates.map(|rates| rates.written),
            records_per_second_average: run.rate(),
            records: RecordsView {
                read: run.records_read,
                processed: counts.processed(),
                inserted: counts.inserted,
                updated: counts.updated,
                skipped: SkippedView {
                    duplicate: counts.duplicate,
                    unchanged: counts.unchanged,
                    filtered: counts.filtered,
                },
                failed: counts.failed,
                residual: run.residual(),
            },
            rejected: rejected
                .map(|&(error_type, count)| RejectedView { error_type: error_type.as_str(), count })
                .collect(),
            bytes: BytesView { read: run.bytes_read, written: run.bytes_written },
            stages: Stage::ALL.map(|stage| stage_view(reading, stage, limit.as_ref())).into(),
            limit,
            workers: WorkersView {
                active: vitals.active_workers.get(),
                configured: vitals.worker_count,
            },
            lanes: run.threads[Stage::Insert as usize],
            lanes_configured: vitals.lane_count,
            queue: QueueView {
                depth: vitals.queue_depth.get(),
                capacity: vitals.queue_capacity,
                bytes: vitals.queue_bytes.get(),
            },
            memory: MemoryView {
                used_bytes: vitals.memory_used_bytes.get(),
                budget_bytes: vitals.memory_budget_bytes,
            },
            latency_seconds: LatenciesView {
                fetch: latency(&run.fetch),
                insert: latency(&run.insert),
                batch: latency(&run.batch),
            },
            errors: errors(reading),
            retries: (run.retries.iter().filter(|(_, _, count)| *count > 0))
                .map(|&(stage, error_type, count)| RetriesView {
                    stage: stage.as_str(),
                    error_type: error_type.as_str(),
                    count,
                })
                .collect(),
            rate_limited: (Stage::ALL.iter().zip(run.rate_limited).filter(|(_, count)| *count > 0))
                .map(|(stage, count)| RateLimitedView { stage: stage.as_str(), count })
                .collect(),
            http: identity.asks_search_server().then(|| http(reading)),
            sql: identity.asks_database().then(|| sql(reading)),
            files: FilesView {
                processed: run.counted(Counter::FilesProcessed),
                failed: run.counted(Counter::FilesFailed),
            },
            process: process(reading),
            ledger: reading.past().map(ledger),
        }
    }
}

fn stage_view(reading: &Reading, stage: Stage, limit: Option<&LimitView>) -> StageView {
    let time = reading.run.stage(stage);
    let waited = |wait| time.waited(wait).number();
    StageView {
        stage: stage.as_str(),
        threads: reading.run.threads[stage as usize],
        busy_seconds: time.busy.number(),
        wait_seconds: WaitsView {
            input: waited(Wait::Input),
            output: waited(Wait::Output),
            retry: waited(Wait::Retry),
            throttle: waited(Wait::Throttle),
            lock: waited(Wait::Lock),
        },
        busy_share: busy_share(&reading.run, stage),
        is_limit: limit.is_some_and(|limit| limit.stage == stage.as_str()),
    }
}

fn latency(latencies: &Latencies) -> LatencyView {
    let quantile = |time: Duration| (latencies.count > 0).then(|| time.number());
    LatencyView {
        count: latencies.count,
        sum: latencies.sum.number(),
        p50: quantile(latencies.p50),
        p95: quantile(latencies.p95),
        p99: quantile(latencies.p99),
    }
}

fn errors(reading: &Reading) -> Vec<ErrorView> {
    let run = &reading.run;
    let count = |stage, error_type| {
        let mut all = run.errors.iter();
        all.find(|counted| (counted.0, counted.1) == (stage, error_type)).map_or(0, |found| found.2)
    };
    let last = run.last_errors.iter();
    last.map(|last| ErrorView {
        stage: last.stage.as_str(),
        error_type: last.error_type.as_str(),
        count: count(last.stage, last.error_type),
        first_at_seconds: last.first_at.number(),
        last_at_seconds: last.last_at.number(),
        last_message: by_name(&last.message),
        is_final: last.is_final,
    })
    .collect()
}

fn operations<'a>(all: impl Iterator<Item = (&'static str, &'a Latencies)>) -> Vec<OperationView> {
    all.filter(|(_, latencies)| latencies.count > 0)
        .map(|(operation, latencies)| OperationView { operation, latency: latency(latencies) })
        .collect()
}

fn http(reading: &Reading) -> HttpView {
    let run = &reading.run;
    let asked = run.request_latencies.iter();
    HttpView {
        requests: (run.requests.iter().filter(|(_, _, count)| *count > 0))
            .map(|&(what, code, count)| RequestsView { operation: what.as_str(), code, count })
            .collect(),
        latency_seconds: operations(asked.map(|(what, took)| (what.as_str(), took))),
        in_flight: run.requests_in_flight,
    }
}

fn sql(reading: &Reading) -> SqlView {
    let run = &reading.run;
    let asked = run.sql_latencies.iter();
    SqlView {
        latency_seconds: operations(asked.map(|(what, took)| (what.as_str(), took))),
        connections: run.sql_connections,
        schema_operations: (run.schema_changes.iter().filter(|(_, _, took)| took.count > 0))
            .map(|(what, is_done, took)| SchemaView {
                operation: what.as_str(),
                status: if *is_done { "ok" } else { "failed" },
                count: took.count,
            })
            .collect(),
    }
}

fn process(reading: &Reading) -> ProcessView {
    let process = &reading.process;
    ProcessView {
        cpu_seconds: process.cpu_seconds,
        resident_bytes: process.resident_bytes,
        open_fds: process.open_fds,
        threads: process.threads,
        read_bytes: process.read_bytes,
        written_bytes: process.written_bytes,
    }
}

fn ledger(past: &PipelineHistory) -> LedgerView {
    LedgerView {
        last_success_at_seconds: past.last_success_at,
        runs: past.recent.iter().map(EarlierRunView::of).collect(),
    }
}

impl EarlierRunView {
    pub fn of(run: &RunRow) -> EarlierRunView {
        EarlierRunView {
            run_id: run.run_id.clone(),
            started_at_seconds: run.started_at,
            duration_seconds: run.duration_s,
            outcome: run.outcome.clone(),
            read: run.read,
            inserted: run.inserted,
            updated: run.updated,
            skipped: run.skipped(),
            failed: run.failed,
        }
    }
}
