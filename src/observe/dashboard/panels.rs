//! What the dashboard shows: its rows, and the panels of each with what they ask Prometheus. Only gauges, and
//! rates of runs that are on: what a run of seconds counted is no increase of anything. Runs that are over
//! are shown by the metrics of the last run, which the exporter keeps.

/// Stands for the choice of pipelines in every query.
pub const PIPELINES: &str = "<pipelines>";

pub struct Row {
    pub title: &'static str,
    pub panels: &'static [Panel],
}

pub struct Panel {
    pub title: &'static str,
    pub description: &'static str,
    pub look: Look,
    pub unit: Unit,
    /// Of 24 columns.
    pub width: u8,
    pub queries: &'static [Query],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Lines over time.
    Lines,
    /// Lines that stand on each other.
    Stacked,
    /// Bars over time.
    Bars,
    /// One large number for each series.
    Number,
    /// The name of the series, in the colour of its value.
    Name,
    /// One bar for each series, from nothing to all.
    Share,
    /// One bar for each series.
    Amounts,
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    PerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    /// From 0 to 1.
    Ratio,
}

pub struct Query {
    pub expression: &'static str,
    pub legend: &'static str,
}

const fn query(expression: &'static str, legend: &'static str) -> Query {
    Query { expression, legend }
}

pub const ROWS: &[Row] = &[
    Row {
        title: "Overview",
        panels: &[
            Panel {
                title: "State",
                description: "What each run that is on is doing. Nothing is here between runs.",
                look: Look::Name,
                unit: Unit::Count,
                width: 6,
                queries: &[query(
                    "max by (pipeline_id, state) (pipeline_state{<pipelines>}) == 1",
                    "{{pipeline_id}}: {{state}}",
                )],
            },
            Panel {
                title: "Progress",
                description: "Share of the source that is durable in the target.",
                look: Look::Share,
                unit: Unit::Ratio,
                width: 6,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_progress_ratio{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Time left",
                description: "At the average rate so far.",
                look: Look::Number,
                unit: Unit::Seconds,
                width: 4,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_eta_seconds{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "How the last run ended",
                description: "complete is good; anything else names what went wrong. The exporter knows it between runs, too.",
                look: Look::Name,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id, outcome) (pipeline_last_run_outcome{<pipelines>}) == 1",
                    "{{pipeline_id}}: {{outcome}}",
                )],
            },
            Panel {
                title: "Since the last success",
                description: "A pipeline that is run with --expect-every is late when this is over twice its interval.",
                look: Look::Number,
                unit: Unit::Seconds,
                width: 6,
                queries: &[query(
                    "time() - max by (pipeline_id) (pipeline_last_success_timestamp_seconds{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Records of the last run",
                description: "The balance: what became of everything that was read.",
                look: Look::Amounts,
                unit: Unit::Count,
                width: 10,
                queries: &[query(
                    "max by (pipeline_id, result) (pipeline_last_run_records{<pipelines>}) > 0",
                    "{{pipeline_id}}: {{result}}",
                )],
            },
            Panel {
                title: "Not accounted for",
                description: "Read and not settled. Under way while a run is on; 0 after a complete one.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_records_residual{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Throughput",
        panels: &[
            Panel {
                title: "Records",
                description: "Read, and durable in the target.",
                look: Look::Lines,
                unit: Unit::PerSecond,
                width: 12,
                queries: &[
                    query(
                        "sum by (pipeline_id) (rate(pipeline_records_read_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} read",
                    ),
                    query(
                        "sum by (pipeline_id) (rate(pipeline_records_processed_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} settled",
                    ),
                ],
            },
            Panel {
                title: "Bytes",
                description: "Of the source after decompression, and of the target.",
                look: Look::Lines,
                unit: Unit::BytesPerSecond,
                width: 12,
                queries: &[
                    query(
                        "sum by (pipeline_id) (rate(pipeline_bytes_read_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} read",
                    ),
                    query(
                        "sum by (pipeline_id) (rate(pipeline_bytes_written_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} written",
                    ),
                ],
            },
            Panel {
                title: "Records in a batch",
                description: "On average.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                queries: &[query(
                    "sum by (pipeline_id) (rate(pipeline_batch_size_records_sum{<pipelines>}[$__rate_interval])) / sum by (pipeline_id) (rate(pipeline_batch_size_records_count{<pipelines>}[$__rate_interval]))",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Read so far",
                description: "Against what the source said it has.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_records_read_total{<pipelines>})",
                        "{{pipeline_id}}",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_records_expected{<pipelines>})",
                        "{{pipeline_id}} expected",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Latency",
        panels: &[
            Panel {
                title: "Fetch",
                description: "To read one batch or page from the source.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                queries: &[
                    query(
                        "histogram_quantile(0.5, sum by (pipeline_id, le) (rate(pipeline_fetch_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                        "{{pipeline_id}} median",
                    ),
                    query(
                        "histogram_quantile(0.95, sum by (pipeline_id, le) (rate(pipeline_fetch_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                        "{{pipeline_id}} 95 %",
                    ),
                ],
            },
            Panel {
                title: "Insert",
                description: "To make one batch durable, retries included.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                queries: &[
                    query(
                        "histogram_quantile(0.5, sum by (pipeline_id, le) (rate(pipeline_insert_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                        "{{pipeline_id}} median",
                    ),
                    query(
                        "histogram_quantile(0.95, sum by (pipeline_id, le) (rate(pipeline_insert_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                        "{{pipeline_id}} 95 %",
                    ),
                ],
            },
            Panel {
                title: "Over the whole run",
                description: "Quantiles over all of the run, as its summary has them.",
                look: Look::Table,
                unit: Unit::Seconds,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id, stage, quantile) (pipeline_stage_latency_seconds{<pipelines>})",
                    "",
                )],
            },
        ],
    },
    Row {
        title: "Errors and rejected records",
        panels: &[
            Panel {
                title: "Errors",
                description: "Of the run that is on, by stage and type; rejected records are among them.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id, stage, error_type) (pipeline_errors_total{<pipelines>}) > 0",
                    "{{pipeline_id}} {{stage}} {{error_type}}",
                )],
            },
            Panel {
                title: "Tried again",
                description: "Attempts that were made again, by the error before.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id, stage, error_type) (pipeline_retries_total{<pipelines>}) > 0",
                    "{{pipeline_id}} {{stage}} {{error_type}}",
                )],
            },
            Panel {
                title: "Rejected records",
                description: "Each is in the reject file with its reason.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_records_failed_total{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Where the time goes",
        panels: &[
            Panel {
                title: "At work",
                description: "Threads of each stage that work, on average. The stage that is at its number of threads is the limit.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "sum by (pipeline_id, stage) (rate(pipeline_stage_busy_seconds_total{<pipelines>}[$__rate_interval]))",
                    "{{pipeline_id}} {{stage}}",
                )],
            },
            Panel {
                title: "Waiting",
                description: "Threads of each stage that wait, and for what.",
                look: Look::Stacked,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "sum by (pipeline_id, stage, for) (rate(pipeline_stage_wait_seconds_total{<pipelines>}[$__rate_interval]))",
                    "{{pipeline_id}} {{stage}} for {{for}}",
                )],
            },
            Panel {
                title: "Queue",
                description: "Batches that wait, against how many may. Full: the target is the limit; empty: the source is.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_queue_depth{<pipelines>})",
                        "{{pipeline_id}}",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_queue_capacity{<pipelines>})",
                        "{{pipeline_id}} at most",
                    ),
                ],
            },
            Panel {
                title: "Memory for records",
                description: "Against --memory-limit.",
                look: Look::Lines,
                unit: Unit::Bytes,
                width: 12,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_memory_used_bytes{<pipelines>})",
                        "{{pipeline_id}}",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_memory_budget_bytes{<pipelines>})",
                        "{{pipeline_id}} at most",
                    ),
                ],
            },
            Panel {
                title: "Workers",
                description: "That convert now, against all.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_active_workers{<pipelines>})",
                        "{{pipeline_id}}",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_workers{<pipelines>})",
                        "{{pipeline_id}} at most",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Servers",
        panels: &[
            Panel {
                title: "Requests to Elasticsearch",
                description: "By what for and by answer.",
                look: Look::Lines,
                unit: Unit::PerSecond,
                width: 8,
                queries: &[query(
                    "sum by (pipeline_id, operation, code) (rate(pipeline_http_requests_total{<pipelines>}[$__rate_interval])) > 0",
                    "{{pipeline_id}} {{operation}} {{code}}",
                )],
            },
            Panel {
                title: "Answers of Elasticsearch",
                description: "95 % of requests are answered within this.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                queries: &[query(
                    "histogram_quantile(0.95, sum by (pipeline_id, operation, le) (rate(pipeline_http_request_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                    "{{pipeline_id}} {{operation}}",
                )],
            },
            Panel {
                title: "Answers of the database",
                description: "95 % of statements take no longer than this.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 8,
                queries: &[query(
                    "histogram_quantile(0.95, sum by (pipeline_id, operation, le) (rate(pipeline_sql_duration_seconds_bucket{<pipelines>}[$__rate_interval])))",
                    "{{pipeline_id}} {{operation}}",
                )],
            },
            Panel {
                title: "Under way",
                description: "Requests and connections at this moment.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                queries: &[
                    query(
                        "max by (pipeline_id) (pipeline_http_requests_in_flight{<pipelines>})",
                        "{{pipeline_id}} requests",
                    ),
                    query(
                        "max by (pipeline_id) (pipeline_sql_connections{<pipelines>})",
                        "{{pipeline_id}} connections",
                    ),
                ],
            },
            Panel {
                title: "Asked for less",
                description: "How often a server was overloaded and said so.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 12,
                queries: &[query(
                    "max by (pipeline_id, stage) (pipeline_rate_limited_total{<pipelines>})",
                    "{{pipeline_id}} {{stage}}",
                )],
            },
        ],
    },
    Row {
        title: "History",
        panels: &[
            Panel {
                title: "Records of each run",
                description: "From the exporter, or from a run that is scraped at its end.",
                look: Look::Bars,
                unit: Unit::Count,
                width: 12,
                queries: &[query(
                    "sum by (pipeline_id) (max by (pipeline_id, result) (pipeline_last_run_records{result!=\"failed\",<pipelines>}))",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "How long each run took",
                description: "From the exporter, or from a run that is scraped at its end.",
                look: Look::Lines,
                unit: Unit::Seconds,
                width: 12,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_last_run_duration_seconds{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Runs by how they ended",
                description: "Over all time, as the ledger counts them.",
                look: Look::Amounts,
                unit: Unit::Count,
                width: 12,
                queries: &[query(
                    "max by (pipeline_id, outcome) (pipeline_runs_total{<pipelines>}) > 0",
                    "{{pipeline_id}}: {{outcome}}",
                )],
            },
            Panel {
                title: "Rejected in each run",
                description: "From the exporter, or from a run that is scraped at its end.",
                look: Look::Bars,
                unit: Unit::Count,
                width: 12,
                queries: &[query(
                    "max by (pipeline_id) (pipeline_last_run_records{result=\"failed\",<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
        ],
    },
    Row {
        title: "Process",
        panels: &[
            Panel {
                title: "CPU",
                description: "Cores in use.",
                look: Look::Lines,
                unit: Unit::Count,
                width: 8,
                queries: &[query(
                    "sum by (pipeline_id) (rate(process_cpu_seconds_total{<pipelines>}[$__rate_interval]))",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Memory",
                description: "Resident.",
                look: Look::Lines,
                unit: Unit::Bytes,
                width: 8,
                queries: &[query(
                    "max by (pipeline_id) (process_resident_memory_bytes{<pipelines>})",
                    "{{pipeline_id}}",
                )],
            },
            Panel {
                title: "Disk",
                description: "What the process made the storage read and write.",
                look: Look::Lines,
                unit: Unit::BytesPerSecond,
                width: 8,
                queries: &[
                    query(
                        "sum by (pipeline_id) (rate(process_io_read_bytes_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} read",
                    ),
                    query(
                        "sum by (pipeline_id) (rate(process_io_written_bytes_total{<pipelines>}[$__rate_interval]))",
                        "{{pipeline_id}} written",
                    ),
                ],
            },
        ],
    },
];
