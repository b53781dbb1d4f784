//! Every metric on one page: its name, type and labels, what it means, and where its value is read.
//!
//! The names are a contract with dashboards and alerts. Every series also carries `pipeline_id`.
//! Counters and histograms stand at 0 from the start, because the first sample of a counter adds
//! nothing to `increase()`; a gauge whose value is unknown is absent.

use crate::event::{Counter, RunState, Stage, Wait};
use crate::ledger::PipelineHistory;
use crate::observe::connections::ConnectionEnd;
use crate::observe::ledger_metrics::LEDGER_METRICS;
use crate::observe::scrape::{
    Sample, Scrape, distribution, latencies, maybe, one, quantiles, sample, sizes,
};
pub use crate::observe::series::SeriesType;
use crate::outcome::Outcome;
use crate::record::ErrorType;
use crate::report::Latencies;
use crate::report::counters::COUNTERS;

/// One line of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: SeriesType,
    /// The labels it has beside `pipeline_id`.
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// Its series in one reading; none while it is unknown.
    read: Read,
}

type ReadBy = for<'a> fn(&'a Scrape<'a>) -> Vec<Sample<'a>>;

#[derive(Clone, Copy, Debug)]
enum Read {
    By(ReadBy),
    Counter(Counter),
}

impl Metric {
    pub fn read<'a>(&self, now: &'a Scrape<'a>) -> Vec<Sample<'a>> {
        match self.read {
            Read::By(read) => read(now),
            Read::Counter(counter) => {
                let (count, reads_files) = (now.run.counted(counter), now.identity.reads_files());
                maybe((count > 0 || reads_files).then_some(count))
            }
        }
    }
}

/// With the counters that have no other rule than their row: those of files.
pub const CATALOGUE: &[Metric] = &with_counters::<{ LISTED.len() + counters_shown() }>();

const LISTED: &[Metric] = &[
    // Records. Inserted means durable: committed, or covered by an fsync.
    counter(
        "pipeline_records_read_total",
        &[],
        "Records found by the source itself, counted apart from everything downstream.",
        |now| one(now.run.records_read),
    ),
    counter(
        "pipeline_records_processed_total",
        &[],
        "Records settled, whatever became of them.",
        |now| one(now.run.counts.processed()),
    ),
    counter(
        "pipeline_records_inserted_total",
        &[],
        "New rows or lines, durable in the sink.",
        |now| one(now.run.counts.inserted),
    ),
    counter(
        "pipeline_records_updated_total",
        &[],
        "Rows changed by an upsert, durable in the sink.",
        |now| one(now.run.counts.updated),
    ),
    counter(
        "pipeline_records_skipped_total",
        &["reason"],
        "Records left out on purpose, by reason.",
        |now| {
            let counts = &now.run.counts;
            let filtered = (counts.filtered > 0).then(|| sample(&["filtered"], counts.filtered));
            let by_key = [
                sample(&["duplicate"], counts.duplicate),
                sample(&["unchanged"], counts.unchanged),
            ];
            by_key.into_iter().chain(filtered).collect()
        },
    ),
    counter(
        "pipeline_records_failed_total",
        &[],
        "Records rejected, each in the reject file with its reason.",
        |now| one(now.run.counts.failed),
    ),
    gauge(
        "pipeline_records_residual",
        &[],
        "Records read and not yet settled; anything but 0 after a complete run is a bug.",
        |now| one(now.run.residual()),
    ),
    gauge(
        "pipeline_records_expected",
        &[],
        "Records the source said it has; absent while unknown.",
        |now| maybe(now.run.records_expected),
    ),
    gauge(
        "pipeline_progress_ratio",
        &[],
        "Share of the source that is done, from 0 to 1; absent while unknown.",
        |now| maybe(now.run.progress()),
    ),
    gauge(
        "pipeline_eta_seconds",
        &[],
        "Time left at the average rate so far; absent while unknown, while nothing moves for 5 s, and after the end.",
        |now| maybe(now.run.eta().filter(|_| now.run.outcome.is_none())),
    ),
    // What went wrong.
    counter(
        "pipeline_errors_total",
        &["stage", "error_type"],
        "Errors and rejected records, by stage and type.",
        |now| {
            by_error(&now.run.errors, |stage, error_type| now.identity.may_fail(stage, error_type))
        },
    ),
    counter(
        "pipeline_retries_total",
        &["stage", "error_type"],
        "Attempts that were made again, by stage and the type of the error before.",
        |now| by_error(&now.run.retries, |stage, _| now.identity.may_retry(stage)),
    ),
    counter(
        "pipeline_rate_limited_total",
        &["stage"],
        "Times the other side asked for less, by stage.",
        |now| {
            let stages = Stage::ALL.into_iter().zip(now.run.rate_limited);
            stages
                .filter(|(stage, count)| now.identity.may_retry(*stage) || *count > 0)
                .map(|(stage, count)| sample(&[stage.as_str()], count))
                .collect()
        },
    ),
    // Other servers.
    counter(
        "pipeline_http_requests_total",
        &["operation", "code"],
        "Requests to Elasticsearch, by what for and by answer; none where no answer came.",
        |now| {
            let requests = now.run.requests.iter().filter(|_| now.identity.asks_search_server());
            requests.map(|&(what, code, count)| sample(&[what.as_str(), code], count)).collect()
        },
    ),
    Metric {
        name: "pipeline_http_request_duration_seconds",
        kind: SeriesType::Histogram,
        labels: &["operation"],
        help: "Time from a request to Elasticsearch until its answer begins, by what for.",
        read: Read::By(|now| {
            let latencies =
                now.run.request_latencies.iter().filter(|_| now.identity.asks_search_server());
            latencies.map(|(what, took)| distribution(&[what.as_str()], took)).collect()
        }),
    },
    gauge(
        "pipeline_http_requests_in_flight",
        &[],
        "Requests to Elasticsearch that are under way.",
        |now| maybe(now.identity.asks_search_server().then_some(now.run.requests_in_flight)),
    ),
    Metric {
        name: "pipeline_sql_duration_seconds",
        kind: SeriesType::Histogram,
        labels: &["operation"],
        help: "Time of what the lanes ask the database, by what for.",
        read: Read::By(|now| {
            let latencies = now.run.sql_latencies.iter().filter(|_| now.identity.asks_database());
            latencies.map(|(what, took)| distribution(&[what.as_str()], took)).collect()
        }),
    },
    gauge("pipeline_sql_connections", &[], "Connections of the lanes to the database.", |now| {
        maybe(now.identity.asks_database().then_some(now.run.sql_connections))
    }),
    counter(
        "pipeline_schema_operations_total",
        &["operation", "status"],
        "Changes of the target's shape, by what and whether they were done.",
        |now| {
            let changes = schema_changes(now);
            changes.map(|(labels, took)| sample(&labels, took.count)).collect()
        },
    ),
    Metric {
        name: "pipeline_schema_operation_duration_seconds",
        kind: SeriesType::Histogram,
        labels: &["operation", "status"],
        help: "Time to change the target's shape, by what and whether it was done.",
        read: Read::By(|now| {
            let changes = schema_changes(now);
            changes.map(|(labels, took)| distribution(&labels, took)).collect()
        }),
    },
    // The history of runs.
    counter(
        "pipeline_ledger_queries_total",
        &["operation"],
        "What the run asked its ledger, by what for; absent without one.",
        |now| {
            let asked = now.run.ledger_latencies.iter().filter(|_| now.identity.has_ledger);
            asked.map(|(what, took)| sample(&[what.as_str()], took.count)).collect()
        },
    ),
    Metric {
        name: "pipeline_ledger_query_duration_seconds",
        kind: SeriesType::Histogram,
        labels: &["operation"],
        help: "Time of what the run asked its ledger, waiting for other runs included; absent without one.",
        read: Read::By(|now| {
            let asked = now.run.ledger_latencies.iter().filter(|_| now.identity.has_ledger);
            asked.map(|(what, took)| distribution(&[what.as_str()], took)).collect()
        }),
    },
    gauge(
        "pipeline_ledger_queue_depth",
        &[],
        "What the ledger was given and has not taken yet; absent without one.",
        |now| maybe(now.identity.has_ledger.then_some(now.run.ledger_queue_depth)),
    ),
    // Latencies and sizes.
    histogram(
        "pipeline_fetch_duration_seconds",
        "Time to read one batch from the source.",
        |now| latencies(&now.run.fetch),
    ),
    histogram("pipeline_insert_duration_seconds", "Time to make one batch durable.", |now| {
        latencies(&now.run.insert)
    }),
    histogram(
        "pipeline_batch_duration_seconds",
        "Time from taking one batch off the queue until it is settled.",
        |now| latencies(&now.run.batch),
    ),
    histogram(
        "pipeline_run_duration_seconds",
        "Time of a whole run, observed once at its end.",
        |now| latencies(&now.run.run),
    ),
    Metric {
        name: "pipeline_stage_latency_seconds",
        kind: SeriesType::Summary,
        labels: &["stage"],
        help: "Latencies of fetch, insert and batch as quantiles over the whole run.",
        read: Read::By(|now| {
            vec![
                quantiles("fetch", &now.run.fetch),
                quantiles("insert", &now.run.insert),
                quantiles("batch", &now.run.batch),
            ]
        }),
    },
    histogram("pipeline_batch_size_records", "Records in one batch.", |now| {
        sizes(&now.run.batch_records)
    }),
    histogram("pipeline_batch_size_bytes", "Bytes of the source in one batch.", |now| {
        sizes(&now.run.batch_bytes)
    }),
    counter(
        "pipeline_bytes_read_total",
        &["format"],
        "Bytes read from the source, after decompression.",
        |now| vec![sample(&[now.identity.source_format], now.run.bytes_read)],
    ),
    counter(
        "pipeline_bytes_written_total",
        &["format"],
        "Bytes made durable in the sink.",
        |now| vec![sample(&[now.identity.sink_format], now.run.bytes_written)],
    ),
    // The moment.
    gauge("pipeline_active_workers", &[], "Workers that are working now.", |now| {
        one(now.vitals.active_workers.get())
    }),
    gauge("pipeline_workers", &[], "Workers configured.", |now| one(now.vitals.worker_count)),
    gauge("pipeline_queue_depth", &[], "Batches waiting in the queue.", |now| {
        one(now.vitals.queue_depth.get())
    }),
    gauge("pipeline_queue_capacity", &[], "Batches the queue can hold.", |now| {
        one(now.vitals.queue_capacity)
    }),
    gauge("pipeline_queue_bytes", &[], "Bytes waiting in the queue.", |now| {
        one(now.vitals.queue_bytes.get())
    }),
    gauge("pipeline_memory_budget_bytes", &[], "Bytes the records in flight may take.", |now| {
        one(now.vitals.memory_budget_bytes)
    }),
    gauge("pipeline_memory_used_bytes", &[], "Bytes the records in flight take now.", |now| {
        one(now.vitals.memory_used_bytes.get())
    }),
    gauge(
        "pipeline_stage_threads",
        &["stage"],
        "Readers, workers and lanes of the run; 0 before they are there.",
        |now| {
            let threads = Stage::ALL.iter().zip(now.run.threads);
            threads.map(|(stage, threads)| sample(&[stage.as_str()], threads)).collect()
        },
    ),
    counter(
        "pipeline_stage_busy_seconds_total",
        &["stage"],
        "Time each stage worked, summed over its threads.",
        |now| Stage::ALL.iter().map(|s| sample(&[s.as_str()], now.run.stage(*s).busy)).collect(),
    ),
    counter(
        "pipeline_stage_wait_seconds_total",
        &["stage", "for"],
        "Time each stage waited, by what for, summed over its threads.",
        stage_waits,
    ),
    gauge("pipeline_state", &["state"], "State of the run: exactly one series is 1.", |now| {
        RunState::ALL.iter().map(|s| sample(&[s.as_str()], *s == now.run.state)).collect()
    }),
    gauge(
        "pipeline_published",
        &[],
        "Whether the output is public as a whole, 1 or 0; absent while the run is on.",
        |now| maybe(now.run.is_published),
    ),
    // Files; others are among the counters of the report.
    Metric {
        name: "pipeline_file_duration_seconds",
        kind: SeriesType::Histogram,
        labels: &[],
        help: "Time from opening a file of the source until all of it is settled; absent without files.",
        read: Read::By(|now| {
            let read = now.identity.reads_files().then(|| latencies(&now.run.file));
            read.unwrap_or_default()
        }),
    },
    // The run that ended last, for rules about scheduled runs: one before this one, until this one has ended.
    gauge(
        LAST_OUTCOME,
        &["outcome"],
        "How the pipeline's last run ended: exactly one series is 1; absent while none is known.",
        last_outcome,
    ),
    gauge(
        LAST_DURATION,
        &[],
        "How long the pipeline's last run took; absent while none is known.",
        |now| match now.last_outcome() {
            Some(_) => one(now.run.elapsed),
            None => before(now, LAST_DURATION),
        },
    ),
    gauge(
        LAST_RECORDS,
        &["result"],
        "Records of the pipeline's last run by what became of them; absent while none is known.",
        last_records,
    ),
    gauge(
        LAST_COMPLETION,
        &[],
        "When the pipeline's last run ended, however it did; absent while none is known.",
        |now| match now.last_outcome() {
            Some(_) => maybe(now.ended_at),
            None => before(now, LAST_COMPLETION),
        },
    ),
    gauge(
        LAST_SUCCESS,
        &[],
        "When a run of the pipeline was complete last; absent while none is known.",
        |now| match now.last_outcome() {
            Some(Outcome::Complete) => maybe(now.ended_at),
            _ => before(now, LAST_SUCCESS),
        },
    ),
    gauge(
        FIRST_RUN,
        &[],
        "When the first run of the pipeline began, for pipelines that never were complete; absent without a ledger.",
        |now| match now.past {
            Some(past) if past.first_run_at.is_none() => one(now.started_at),
            _ => before(now, FIRST_RUN),
        },
    ),
    counter(
        RUNS,
        &["outcome"],
        "Runs of the pipeline by how they ended, over all time; absent without a ledger.",
        runs,
    ),
    gauge("pipeline_start_timestamp_seconds", &[], "When the run started.", |now| {
        one(now.started_at)
    }),
    gauge(
        "pipeline_expected_interval_seconds",
        &[],
        "How often a run is expected; absent without --expect-every.",
        |now| maybe(now.identity.expected_interval),
    ),
    gauge(
        "pipeline_build_info",
        &["version", "revision"],
        "Always 1; the labels say what is running.",
        |now| vec![sample(&[now.identity.version, now.identity.revision], 1)],
    ),
    counter(
        "pipeline_metrics_connections_total",
        &["result"],
        "Connections to the metrics port that are over, by how they ended.",
        |now| {
            let ends = ConnectionEnd::ALL.iter();
            ends.map(|end| sample(&[end.as_str()], now.connections.of(*end))).collect()
        },
    ),
    // The process. A number the kernel does not give is absent.
    counter("process_cpu_seconds_total", &[], "CPU time of the process, user and system.", |now| {
        maybe(now.process.cpu_seconds)
    }),
    gauge("process_resident_memory_bytes", &[], "Resident memory of the process.", |now| {
        maybe(now.process.resident_bytes)
    }),
    gauge("process_virtual_memory_bytes", &[], "Virtual memory of the process.", |now| {
        maybe(now.process.virtual_bytes)
    }),
    gauge("process_open_fds", &[], "File descriptors the process has open.", |now| {
        maybe(now.process.open_fds)
    }),
    gauge("process_max_fds", &[], "File descriptors the process may have open.", |now| {
        maybe(now.process.max_fds)
    }),
    gauge("process_threads", &[], "Threads of the process.", |now| maybe(now.process.threads)),
    gauge("process_start_time_seconds", &[], "When the process started.", |now| {
        maybe(now.process.start_seconds)
    }),
    counter(
        "process_io_read_bytes_total",
        &[],
        "Bytes the process made the storage read; the page cache is not storage.",
        |now| maybe(now.process.read_bytes),
    ),
    counter(
        "process_io_written_bytes_total",
        &[],
        "Bytes the process made the storage write.",
        |now| maybe(now.process.written_bytes),
    ),
];

const fn counters_shown() -> usize {
    let (mut shown, mut index) = (0, 0);
    while index < COUNTERS.len() {
        shown += COUNTERS[index].metric.is_some() as usize;
        index += 1;
    }
    shown
}

/// A loop over them all, in the words that a constant may be made of.
const fn with_counters<const N: usize>() -> [Metric; N] {
    let mut all = [LISTED[0]; N];
    let mut length = 0;
    while length < LISTED.len() {
        all[length] = LISTED[length];
        length += 1;
    }
    let mut index = 0;
    while index < COUNTERS.len() {
        if let Some((name, help)) = COUNTERS[index].metric {
            let read = Read::Counter(COUNTERS[index].counter);
            all[length] = Metric { name, kind: SeriesType::Counter, labels: &[], help, read };
            length += 1;
        }
        index += 1;
    }
    all
}

/// The catalogue as the lines of a Markdown table, in its own order.
pub fn describe() -> String {
    let mut page = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for Metric { name, kind, labels, help, .. } in CATALOGUE {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, labels) = (kind.as_str(), labels.join(", "));
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    page
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: ReadBy,
) -> Metric {
    Metric { name, kind: SeriesType::Counter, labels, help, read: Read::By(read) }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: ReadBy,
) -> Metric {
    Metric { name, kind: SeriesType::Gauge, labels, help, read: Read::By(read) }
}

const fn histogram(name: &'static str, help: &'static str, read: ReadBy) -> Metric {
    Metric { name, kind: SeriesType::Histogram, labels: &[], help, read: Read::By(read) }
}

fn by_error(
    counts: &[(Stage, ErrorType, u64)],
    can_move: impl Fn(Stage, ErrorType) -> bool,
) -> Vec<Sample<'_>> {
    let series = counts.iter();
    series
        .filter(|(stage, error, count)| *count > 0 || can_move(*stage, *error))
        .map(|(stage, error, count)| sample(&[stage.as_str(), error.as_str()], *count))
        .collect()
}

fn schema_changes<'a>(
    now: &'a Scrape<'a>,
) -> impl Iterator<Item = ([&'static str; 2], &'a Latencies)> {
    let changes = now.run.schema_changes.iter().filter(|_| now.identity.asks_database());
    changes.map(|(what, is_done, took)| {
        ([what.as_str(), if *is_done { "ok" } else { "failed" }], took)
    })
}

fn stage_waits<'a>(now: &'a Scrape<'a>) -> Vec<Sample<'a>> {
    let mut series = Vec::new();
    for stage in Stage::ALL {
        for wait in Wait::ALL {
            let waited = now.run.stage(stage).waited(wait);
            if waited.is_zero() && !now.identity.may_wait(stage, wait) {
                continue;
            }
            series.push(sample(&[stage.as_str(), wait.as_str()], waited));
        }
    }
    series
}

const LAST_OUTCOME: &str = "pipeline_last_run_outcome";
const LAST_DURATION: &str = "pipeline_last_run_duration_seconds";
const LAST_RECORDS: &str = "pipeline_last_run_records";
const LAST_COMPLETION: &str = "pipeline_last_completion_timestamp_seconds";
const LAST_SUCCESS: &str = "pipeline_last_success_timestamp_seconds";
const FIRST_RUN: &str = "pipeline_first_run_timestamp_seconds";
const RUNS: &str = "pipeline_runs_total";

/// What the ledger has under this name.
fn before<'a>(now: &'a Scrape<'a>, name: &str) -> Vec<Sample<'a>> {
    let metric = LEDGER_METRICS.iter().find(|metric| metric.name == name);
    let series = metric.zip(now.past).map(|(metric, past)| metric.series(past));
    let series = series.into_iter().flatten();
    series.map(|(labels, number)| sample(&labels, number)).collect()
}

fn last_outcome<'a>(now: &'a Scrape<'a>) -> Vec<Sample<'a>> {
    let Some(outcome) = now.last_outcome() else { return before(now, LAST_OUTCOME) };
    PipelineHistory::outcomes().map(|other| sample(&[other], other == outcome.as_str())).collect()
}

fn last_records<'a>(now: &'a Scrape<'a>) -> Vec<Sample<'a>> {
    if now.last_outcome().is_none() {
        return before(now, LAST_RECORDS);
    }
    let counts = &now.run.counts;
    vec![
        sample(&["inserted"], counts.inserted),
        sample(&["updated"], counts.updated),
        sample(&["skipped"], counts.skipped()),
        sample(&["failed"], counts.failed),
    ]
}

/// With this one from its end on, as the ledger has it then.
fn runs<'a>(now: &'a Scrape<'a>) -> Vec<Sample<'a>> {
    let Some(past) = now.past else { return Vec::new() };
    let ended = now.run.outcome.map(Outcome::as_str);
    let before = |outcome: &str| {
        let found = past.totals.iter().find(|(known, _)| known == outcome);
        found.map_or(0, |(_, runs)| *runs)
    };
    let with_this = |outcome| before(outcome) + i64::from(ended == Some(outcome));
    PipelineHistory::outcomes()
        .map(|outcome| sample(&[outcome], with_this(outcome) as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let mut names = HashSet::new();
        for metric in CATALOGUE {
            let name = metric.name;
            assert!(names.insert(name), "{name} stands twice");
            assert!(name.starts_with("pipeline_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == SeriesType::Counter, "{name}");
            for taken in ["_count", "_sum", "_bucket", "_created"] {
                assert!(!name.ends_with(taken), "{name}");
            }
            assert!(!metric.labels.contains(&"pipeline_id"), "{name}");
            assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{name}");
        }
    }

    #[test]
    fn the_description_has_a_line_for_each() {
        let page = describe();
        assert_eq!(page.lines().count(), CATALOGUE.len() + 2);
        assert!(page.contains("| `pipeline_retries_total` | counter | `stage`, `error_type` | "));
        assert!(page.contains("| `pipeline_workers` | gauge |  | Workers configured. |"));
    }
}
