//! Every metric that is made of the ledger, on one page: what is shown of runs that are over, under the names
//! that they have in a run's own metrics, so that the same alerts work on both.

use std::time::SystemTime;

use prometheus::{TextEncoder, proto};

use crate::ledger::{PipelineHistory, RunRow};
use crate::observe::openmetrics;
use crate::observe::scrape::Number;
use crate::observe::series::{SeriesType, pair};

/// One series of a pipeline: the values of its metric's labels in their order, and its number.
pub type LedgerSeries<'a> = (Vec<&'a str>, f64);

pub struct LedgerMetric {
    pub name: &'static str,
    pub kind: SeriesType,
    /// Beside `pipeline_id`.
    pub labels: &'static [&'static str],
    pub help: &'static str,
    read: for<'a> fn(&'a PipelineHistory) -> Vec<LedgerSeries<'a>>,
}

impl LedgerMetric {
    pub fn series<'a>(&self, pipeline: &'a PipelineHistory) -> Vec<LedgerSeries<'a>> {
        (self.read)(pipeline)
    }
}

pub const LEDGER_METRICS: &[LedgerMetric] = &[
    gauge(
        "pipeline_last_run_outcome",
        &["outcome"],
        "How the last run ended: exactly one series is 1.",
        |pipeline| {
            let last = pipeline.last.as_ref().and_then(|run| run.outcome.as_deref());
            let series = |outcome: &'static str| (vec![outcome], flag(last == Some(outcome)));
            last.map(|_| PipelineHistory::outcomes().map(series).collect()).unwrap_or_default()
        },
    ),
    gauge(
        "pipeline_last_run_records",
        &["result"],
        "Records of the last run by what became of them.",
        |pipeline| {
            let last = pipeline.last.as_ref();
            let of = |result: &'static str, read: fn(&RunRow) -> Option<i64>| {
                last.and_then(read).map(|records| (vec![result], records as f64))
            };
            let results = [
                of("inserted", |run| run.inserted),
                of("updated", |run| run.updated),
                of("skipped", RunRow::skipped),
                of("failed", |run| run.failed),
            ];
            results.into_iter().flatten().collect()
        },
    ),
    gauge("pipeline_last_run_duration_seconds", &[], "How long the last run took.", |pipeline| {
        one(pipeline.last.as_ref().and_then(|run| run.duration_s))
    }),
    gauge(
        "pipeline_last_completion_timestamp_seconds",
        &[],
        "When the last run ended, however it did; of a lost one, its last sign of life.",
        |pipeline| one(pipeline.last.as_ref().and_then(|run| run.finished_at)),
    ),
    gauge(
        "pipeline_last_success_timestamp_seconds",
        &[],
        "When a run was complete last; absent of a pipeline that never was.",
        |pipeline| one(pipeline.last_success_at),
    ),
    gauge(
        "pipeline_first_run_timestamp_seconds",
        &[],
        "When the first run began, for pipelines that never were complete.",
        |pipeline| one(pipeline.first_run_at),
    ),
    gauge(
        "pipeline_start_timestamp_seconds",
        &[],
        "When the run began that began last.",
        |pipeline| one(pipeline.last_began_at),
    ),
    gauge(
        "pipeline_expected_interval_seconds",
        &[],
        "How often a run is expected; absent without --expect-every.",
        |pipeline| one(pipeline.expected_interval_s),
    ),
    counter(
        "pipeline_runs_total",
        &["outcome"],
        "Runs by how they ended, over all time; it goes on when old runs are removed.",
        |pipeline| {
            let totals = pipeline.totals.iter();
            totals.map(|(outcome, runs)| (vec![outcome.as_str()], *runs as f64)).collect()
        },
    ),
    gauge(
        "pipeline_run_yield_ratio",
        &[],
        "Share of the records read in the last run that are in the target as they should be.",
        |pipeline| {
            let share = pipeline.last.as_ref().and_then(|run| run.yield_pct);
            one(share.map(|pct| pct / 100.0))
        },
    ),
    gauge(
        "pipeline_run_corrupt_records",
        &[],
        "Records of the last run that could not be parsed or decoded.",
        |pipeline| {
            one(pipeline.last.as_ref().and_then(|run| run.corruption_count).map(|it| it as f64))
        },
    ),
    gauge(
        "pipeline_run_info",
        &["run_id", "version", "outcome"],
        "Always 1; the labels say which run the last one is.",
        |pipeline| {
            let info = |run: &'_ RunRow| run.outcome.is_some();
            match pipeline.last.as_ref().filter(|run| info(run)) {
                Some(run) => {
                    let outcome = run.outcome.as_deref().unwrap_or_default();
                    vec![(vec![run.run_id.as_str(), run.version.as_str(), outcome], 1.0)]
                }
                None => Vec::new(),
            }
        },
    ),
];

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: for<'a> fn(&'a PipelineHistory) -> Vec<LedgerSeries<'a>>,
) -> LedgerMetric {
    LedgerMetric { name, kind: SeriesType::Gauge, labels, help, read }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: for<'a> fn(&'a PipelineHistory) -> Vec<LedgerSeries<'a>>,
) -> LedgerMetric {
    LedgerMetric { name, kind: SeriesType::Counter, labels, help, read }
}

fn one<'a>(number: Option<f64>) -> Vec<LedgerSeries<'a>> {
    number.map(|number| (Vec::new(), number)).into_iter().collect()
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// What the exporter shows at one moment.
pub struct LedgerScrape<'a> {
    pub pipelines: &'a [PipelineHistory],
    pub labels_run_id: bool,
    /// The ledger can be read.
    pub is_up: bool,
    pub read_at: Option<SystemTime>,
}

impl LedgerScrape<'_> {
    pub fn text(&self) -> String {
        let families = self.families();
        TextEncoder::new().encode_to_string(&families).expect("no family is without a series")
    }

    pub fn openmetrics(&self, since: SystemTime) -> String {
        openmetrics::encode(&self.families(), since, None)
    }

    fn families(&self) -> Vec<proto::MetricFamily> {
        let mut all = families(self.pipelines, self.labels_run_id);
        let help = "1 while the ledger can be read.";
        all.push(own_gauge("pipeline_exporter_up", help, self.is_up.number()));
        if let Some(read_at) = self.read_at {
            let (name, help) =
                ("pipeline_exporter_last_read_timestamp_seconds", "When the ledger was read last.");
            all.push(own_gauge(name, help, read_at.number()));
        }
        all
    }
}

/// The families of all pipelines. Those without a series are left out.
fn families(pipelines: &[PipelineHistory], labels_run_id: bool) -> Vec<proto::MetricFamily> {
    let families = LEDGER_METRICS.iter().map(|metric| {
        let series = pipelines.iter().flat_map(|pipeline| {
            metric.series(pipeline).into_iter().map(move |(values, number)| {
                let mut labels = vec![pair("pipeline_id", &pipeline.pipeline_id)];
                labels.extend(
                    metric.labels.iter().zip(values).map(|(name, value)| pair(name, value)),
                );
                let run = pipeline.last.as_ref().filter(|_| labels_run_id);
                if let Some(run) = run.filter(|_| !metric.labels.contains(&"run_id")) {
                    labels.push(pair("run_id", &run.run_id));
                }
                series_of(metric.kind, labels, number)
            })
        });
        family(metric.name, metric.help, metric.kind, series.collect())
    });
    families.filter(|family| !family.get_metric().is_empty()).collect()
}

/// A gauge of the exporter itself.
fn own_gauge(name: &str, help: &str, number: f64) -> proto::MetricFamily {
    let kind = SeriesType::Gauge;
    family(name, help, kind, vec![series_of(kind, Vec::new(), number)])
}

fn family(
    name: &str,
    help: &str,
    kind: SeriesType,
    series: Vec<proto::Metric>,
) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_string());
    family.set_help(help.to_string());
    family.set_field_type(match kind {
        SeriesType::Counter => proto::MetricType::COUNTER,
        _ => proto::MetricType::GAUGE,
    });
    family.set_metric(series);
    family
}

fn series_of(kind: SeriesType, labels: Vec<proto::LabelPair>, number: f64) -> proto::Metric {
    let mut series = proto::Metric::from_label(labels);
    if kind == SeriesType::Counter {
        let mut counter = proto::Counter::default();
        counter.set_value(number);
        series.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(number);
        series.set_gauge(gauge);
    }
    series
}
