//! What the dashboard shows: its rows, and the panels of each with what they ask Prometheus, in the words of
//! `expression`. Only gauges, and rates of runs that are on: what a run of seconds counted is no increase of
//! anything. Runs that are over are shown by the metrics of the last run, which the exporter keeps.
//!
//! `max` is over the ways in which one run comes here; of each there is one.

pub struct Row {
    pub title: &'static str,
    /// Of each panel, in lines of Grafana.
    pub height: u32,
    pub panels: &'static [Panel],
}

pub struct Panel {
    pub title: &'static str,
    pub description: &'static str,
    pub look: Look,
    pub unit: Unit,
    /// Of 24 columns.
    pub width: u8,
    /// What stands there where nothing is the usual answer.
    pub nothing: Option<&'static str>,
    pub queries: &'static [Query],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Lines over time.
    Lines,
    /// The same with their names beside them, because there are many.
    ManyLines,
    /// Lines that stand on each other.
    Stacked,
    /// A point for each run, and lines between them.
    Points,
    /// One large number for each series.
    Number,
    /// The name of the series.
    Name,
    /// One bar for each series, from nothing to all.
    Share,
    /// A row for all queries with the same labels, a column for each.
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    RecordsPerSecond,
    RequestsPerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    /// From 0 to 1.
    Ratio,
}

pub struct Query {
    pub expression: &'static str,
    pub legend: &'static str,
    /// Of a column, where it is not the panel's.
    pub unit: Option<Unit>,
}

const fn query(expression: &'static str, legend: &'static str) -> Query {
    Query { expression, legend, unit: None }
}

const fn column(expression: &'static str, legend: &'static str, unit: Unit) -> Query {
    Query { expression, legend, unit: Some(unit) }
}

pub const ROWS: &[Row] = &[
    Row {
        title: "Overview",
        height: 6,
        panels: &[
            Panel {
                title: "Running now",
                // What was pushed a while ago may be of the state before.
                description: "What each run that is on is doing.",
                look: Look::Name,
                unit: Unit::Count,
                width: 6,
                nothing: Some("no run is in progress"),
                queries: &[query(
                    "max by (pipeline_id, state) (pipeline_state{state=\"draining\",<pipelines>} == 1 or pipeline_state{state=\"running\",<pipelines>} == 1 unless on (pipeline_id) pipeline_state{state=\"draining\",<pipelines>} == 1 or pipeline_state{state=\"starting\",<pipelines>} == 1 unless on (pipeline_id) pipeline_state{state=~\"running|draining\",<pipelines>} == 1)",
                    "{{pipeline_id}}: {{state}}",
                )],
            },
            Panel {
                title: "Progress",
                description: "Share of the source that is durable in the target. Nothing where the source does not say how much it has.",
                look: Look::Share,
                unit: Unit::Ratio,
                width: 10,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_progress_ratio{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Time left",
                description: "At the average rate so far.",
                look: Look::Number,
                unit: Unit::Seconds,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_eta_seconds{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "The last run of each pipeline",
                description: "How it ended (complete is good; anything else names what went wrong), how long ago, how long it took, and what became of its records. With --expect-every a pipeline is late when its last success is longer ago than twice its interval.",
                look: Look::Table,
                unit: Unit::Count,
                width: 24,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id, outcome) (pipeline_last_run_outcome{<pipelines>} <latest: outcome>) == 1",
                        "",
                    ),
                    column(
                        "time() - max by (pipeline_id) (pipeline_last_completion_timestamp_seconds{<pipelines>})",
                        "since its end",
                        Unit::Seconds,
                    ),
                    column(
                        "max by (pipeline_id) (pipeline_last_run_duration_seconds{<pipelines>} <latest>)",
                        "took",
                        Unit::Seconds,
                    ),
                    column(
                        "max by (pipeline_id) (pipeline_last_run_records{result=\"inserted\",<pipelines>} <latest: result>)",
                        "inserted",
                        Unit::Count,
                    ),
                    column(
                        "max by (pipeline_id) (pipeline_last_run_records{result=\"updated\",<pipelines>} <latest: result>)",
                        "updated",
                        Unit::Count,
                    ),
                    column(
                        "max by (pipeline_id) (pipeline_last_run_records{result=\"skipped\",<pipelines>} <latest: result>)",
                        "skipped",
                        Unit::Count,
                    ),
                    column(
                        "max by (pipeline_id) (pipeline_last_run_records{result=\"failed\",<pipelines>} <latest: result>)",
                        "rejected",
                        Unit::Count,
                    ),
                    column(
                        "time() - max by (pipeline_id) (pipeline_last_success_timestamp_seconds{<pipelines>})",
                        "since the last success",
                        Unit::Seconds,
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Throughput",
        height: 8,
        panels: &[
            Panel {
                title: "Records",
                description: "Read, and settled: durable in the target, left out, or rejected.",
                look: Look::Lines,
                unit: Unit::RecordsPerSecond,
                width: 12,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id) (rate(pipeline_records_read_total{<pipelines>}[$__rate_interval]) <on>)",
                        "{{pipeline_id}}: read",
                    ),
                    query(
                        "max by (pipeline_id) (rate(pipeline_records_processed_total{<pipelines>}[$__rate_interval]) <on>)",
                        "{{pipeline_id}}: settled",
                    ),
                ],
            },
            Panel {
                title: "Bytes",
                description: "Of the source after decompression, and of the target.",
                look: Look::Lines,
                unit: Unit::BytesPerSecond,
                width: 12,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id) (rate(pipeline_bytes_read_total{<pipelines>}[$__rate_interval]) <on: format>)",
                        "{{pipeline_id}}: read",
                    ),
                    query(
                        "max by (pipeline_id) (rate(pipeline_bytes_written_total{<pipelines>}[$__rate_interval]) <on: format>)",
                        "{{pipeline_id}}: written",
                    ),
                ],
            },
            Panel {
                title: "Records in a batch",
                description: "On average.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (rate(pipeline_batch_size_records_sum{<pipelines>}[$__rate_interval]) / rate(pipeline_batch_size_records_count{<pipelines>}[$__rate_interval]) <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Read so far",
                description: "Against what the source said it has.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_records_read_total{<pipelines>} <on>)",
                        "{{pipeline_id}}",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_records_expected{<pipelines>} <on>)",
                        "{{pipeline_id}}: expected",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Latency",
        height: 8,
        panels: &[
            Panel {
                title: "Fetch",
                description: "To read one batch or page from the source.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                nothing: None,
                queries: &[
                    query(
                        "histogram_quantile(0.5, sum by (pipeline_id, le) (rate(pipeline_fetch_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: le>)) > 0",
                        "{{pipeline_id}}: median",
                    ),
                    query(
                        "histogram_quantile(0.95, sum by (pipeline_id, le) (rate(pipeline_fetch_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: le>)) > 0",
                        "{{pipeline_id}}: 95 %",
                    ),
                ],
            },
            Panel {
                title: "Insert",
                description: "To make one batch durable, retries included.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                nothing: None,
                queries: &[
                    query(
                        "histogram_quantile(0.5, sum by (pipeline_id, le) (rate(pipeline_insert_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: le>)) > 0",
                        "{{pipeline_id}}: median",
                    ),
                    query(
                        "histogram_quantile(0.95, sum by (pipeline_id, le) (rate(pipeline_insert_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: le>)) > 0",
                        "{{pipeline_id}}: 95 %",
                    ),
                ],
            },
            Panel {
                title: "Over the whole run",
                description: "Quantiles over all of the run that began last, as its summary has them.",
                look: Look::Table,
                unit: Unit::Seconds,
                width: 8,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id, stage) (pipeline_stage_latency_seconds{quantile=\"0.5\",<pipelines>} <newest: stage, quantile>)",
                        "median",
                    ),
                    query(
                        "max by (pipeline_id, stage) (pipeline_stage_latency_seconds{quantile=\"0.95\",<pipelines>} <newest: stage, quantile>)",
                        "95 %",
                    ),
                    query(
                        "max by (pipeline_id, stage) (pipeline_stage_latency_seconds{quantile=\"0.99\",<pipelines>} <newest: stage, quantile>)",
                        "99 %",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Errors and rejected records",
        height: 8,
        panels: &[
            Panel {
                title: "Errors",
                description: "Of the run that began last, by stage and type; rejected records are among them.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                nothing: Some("no errors"),
                queries: &[query(
                    "max by (pipeline_id, stage, error_type) (pipeline_errors_total{<pipelines>} <newest: stage, error_type>) > 0",
                    "{{pipeline_id}}: {{stage}}, {{error_type}}",
                )],
            },
            Panel {
                title: "Tried again",
                description: "Attempts of the run that began last that were made again, by the error before.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                nothing: Some("no retries"),
                queries: &[query(
                    "max by (pipeline_id, stage, error_type) (pipeline_retries_total{<pipelines>} <newest: stage, error_type>) > 0",
                    "{{pipeline_id}}: {{stage}}, {{error_type}}",
                )],
            },
            Panel {
                title: "Rejected records",
                description: "Of the run that began last. Each is in the reject file with its reason.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_records_failed_total{<pipelines>} <newest>)",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Where the time goes",
        height: 8,
        panels: &[
            Panel {
                title: "At work",
                description: "Share of the time in which the threads of each stage work. One that is near 100 % is the limit.",
                look: Look::ManyLines,
                unit: Unit::Ratio,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id, stage) (rate(pipeline_stage_busy_seconds_total{<pipelines>}[$__rate_interval]) / (pipeline_stage_threads{<pipelines>} > 0) <on: stage>)",
                    "{{pipeline_id}}: {{stage}}",
                )],
            },
            Panel {
                title: "Waiting",
                description: "Threads of each stage that wait, and for what, where it is more than a hundredth of one.",
                look: Look::Stacked,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id, stage, for) (rate(pipeline_stage_wait_seconds_total{<pipelines>}[$__rate_interval]) <on: stage, for>) > 0.01",
                    "{{pipeline_id}}: {{stage}} for {{for}}",
                )],
            },
            Panel {
                title: "Queue",
                description: "How full it is. Full: what comes behind the reader is the limit; empty: the source is.",
                look: Look::Lines,
                unit: Unit::Ratio,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_queue_depth{<pipelines>} / pipeline_queue_capacity{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Memory for records",
                description: "How much of --memory-limit is in use.",
                look: Look::Lines,
                unit: Unit::Ratio,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_memory_used_bytes{<pipelines>} / pipeline_memory_budget_bytes{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Records under way",
                description: "Read and not settled yet.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_records_residual{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Servers",
        height: 8,
        panels: &[
            Panel {
                title: "Requests to Elasticsearch",
                description: "By what for and by answer.",
                look: Look::Lines,
                unit: Unit::RequestsPerSecond,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id, operation, code) (rate(pipeline_http_requests_total{<pipelines>}[$__rate_interval]) <on: operation, code>) > 0",
                    "{{pipeline_id}}: {{operation}}, {{code}}",
                )],
            },
            Panel {
                title: "Answers of Elasticsearch",
                description: "95 % of requests are answered within this.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 12,
                nothing: None,
                queries: &[query(
                    "histogram_quantile(0.95, sum by (pipeline_id, operation, le) (rate(pipeline_http_request_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: operation, le>)) > 0",
                    "{{pipeline_id}}: {{operation}}",
                )],
            },
            Panel {
                title: "Answers of the database",
                description: "95 % of statements take no longer than this.",
                look: Look::ManyLines,
                unit: Unit::Seconds,
                width: 12,
                nothing: None,
                queries: &[query(
                    "histogram_quantile(0.95, sum by (pipeline_id, operation, le) (rate(pipeline_sql_duration_seconds_bucket{<pipelines>}[$__rate_interval]) <on: operation, le>)) > 0",
                    "{{pipeline_id}}: {{operation}}",
                )],
            },
            Panel {
                title: "Asked for less",
                description: "How often a server was overloaded and said so, in the run that began last.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 6,
                nothing: Some("never"),
                queries: &[query(
                    "max by (pipeline_id, stage) (pipeline_rate_limited_total{<pipelines>} <newest: stage>) > 0",
                    "{{pipeline_id}}: {{stage}}",
                )],
            },
            Panel {
                title: "Under way",
                description: "Requests and connections at this moment.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 6,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_http_requests_in_flight{<pipelines>} <on>)",
                        "{{pipeline_id}}: requests",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_sql_connections{<pipelines>} <on>)",
                        "{{pipeline_id}}: connections",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "History",
        height: 8,
        panels: &[
            Panel {
                title: "Records of each run",
                description: "In the target, or left out because they are there: a point for each run when its end became known.",
                look: Look::Points,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[query(
                    "sum by (pipeline_id) (max by (pipeline_id, result) (pipeline_last_run_records{result!=\"failed\",<pipelines>} <latest: result> <over: result>)) <new>",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "How long each run took",
                description: "A point for each run when its end became known.",
                look: Look::Points,
                unit: Unit::Seconds,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_last_run_duration_seconds{<pipelines>} <latest> <over>) <new>",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Runs by how they ended",
                description: "Over all time, as the ledger counts them.",
                look: Look::Table,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id, outcome) (pipeline_runs_total{<pipelines>}) > 0",
                    "runs",
                )],
            },
            Panel {
                title: "Rejected in each run",
                description: "A point for each run when its end became known.",
                look: Look::Points,
                unit: Unit::Count,
                width: 12,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_last_run_records{result=\"failed\",<pipelines>} <latest: result> <over: result>) <new>",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Process",
        height: 8,
        panels: &[
            Panel {
                title: "CPU",
                description: "Cores in use.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (rate(process_cpu_seconds_total{<pipelines>}[$__rate_interval]) <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Memory",
                description: "Resident.",
                look: Look::Lines,
                unit: Unit::Bytes,
                width: 8,
                nothing: None,
                queries: &[query(
                    "max by (pipeline_id) (process_resident_memory_bytes{<pipelines>} <on>)",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Disk",
                description: "What the process made the storage read and write.",
                look: Look::Lines,
                unit: Unit::BytesPerSecond,
                width: 8,
                nothing: None,
                queries: &[
                    query(
                        "max by (pipeline_id) (rate(process_io_read_bytes_total{<pipelines>}[$__rate_interval]) <on>)",
                        "{{pipeline_id}}: read",
                    ),
                    query(
                        "max by (pipeline_id) (rate(process_io_written_bytes_total{<pipelines>}[$__rate_interval]) <on>)",
                        "{{pipeline_id}}: written",
                    ),
                ],
            },
        ],
    },
];
