//! The metrics of a run: takes readings of it, and shows one in the formats that Prometheus reads: asks
//! every line of the catalogue for its series, and hands both to the encoders.
//!
//! The registry is a value that is made for each reading, so that none is shown in parts.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::{Registry, TextEncoder, proto};
use tokio::sync::watch;

use crate::event::RunIdentity;
use crate::ledger::Past;
use crate::observe::catalogue::{CATALOGUE, Metric, SeriesType};
use crate::observe::connections::ConnectionCounts;
use crate::observe::moment::Moment;
use crate::observe::openmetrics::{self, Exemplars};
use crate::observe::reading::Reading;
use crate::observe::scrape::{Sample, SampleValue, Scrape};
use crate::observe::series::pair;
use crate::observe::stats::Stats;
use crate::observe::timeline::Timeline;
use crate::report::{Latencies, Sizes};

/// The metrics of one run.
pub struct Metrics {
    stats: Arc<Stats>,
    identity: Arc<RunIdentity>,
    past: Arc<Past>,
    timeline: Arc<Timeline>,
    connections: ConnectionCounts,
    /// Of the reading that was taken last.
    number: AtomicU64,
    descriptions: Vec<Desc>,
    /// From the end of the run on.
    last: watch::Sender<Option<Arc<Reading>>>,
}

impl Metrics {
    pub fn new(stats: Arc<Stats>, identity: Arc<RunIdentity>, past: Arc<Past>) -> Metrics {
        let timeline = Arc::new(Timeline::new(stats.started_at()));
        Metrics {
            stats,
            identity,
            past,
            timeline,
            connections: ConnectionCounts::default(),
            number: AtomicU64::default(),
            descriptions: describe(),
            last: watch::Sender::default(),
        }
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// It has to be told of the run, as `stats` has.
    pub fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    pub fn identity(&self) -> &RunIdentity {
        &self.identity
    }

    pub fn connections(&self) -> &ConnectionCounts {
        &self.connections
    }

    /// What is shown from now on: the run has ended, and all who ask are given the same.
    pub fn freeze(&self) {
        self.last.send_modify(|last| {
            last.get_or_insert_with(|| Arc::new(self.take().last()));
        });
    }

    /// Has the last reading once the run has ended.
    pub fn last(&self) -> watch::Receiver<Option<Arc<Reading>>> {
        self.last.subscribe()
    }

    /// Of now, or of the end of a run that has ended.
    pub fn reading(&self) -> Arc<Reading> {
        self.last.borrow().clone().unwrap_or_else(|| Arc::new(self.take()))
    }

    fn take(&self) -> Reading {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        Reading::take(number, &self.stats, &self.identity, &self.connections, &self.past)
    }

    fn families(&self, reading: &Arc<Reading>) -> Vec<proto::MetricFamily> {
        let everywhere = [("pipeline_id".to_string(), self.identity.pipeline_id.clone())];
        let registry = Registry::new_custom(None, Some(HashMap::from(everywhere)))
            .expect("a registry without prefix takes any label");
        let reading = Arc::clone(reading);
        let shown = ReadingCollector { reading, descriptions: self.descriptions.clone() };
        registry.register(Box::new(shown)).expect("every name in the catalogue stands once");
        registry.gather()
    }

    /// The text format 0.0.4.
    pub fn text(&self, reading: &Arc<Reading>) -> String {
        let families = self.families(reading);
        TextEncoder::new().encode_to_string(&families).expect("no gathered family is empty")
    }

    /// What leaves by itself. Of a run that has ended it is that of its end, whenever it is taken.
    pub fn moment(&self) -> Moment {
        let reading = self.reading();
        let taken_at = reading.ended_at.unwrap_or(reading.taken_at);
        Moment::of(&self.families(&reading), taken_at, self.timeline.now())
    }

    /// OpenMetrics 1.0, which also says since when it counts.
    pub fn openmetrics(&self, reading: &Arc<Reading>) -> String {
        // Only of a trace that somebody is told.
        let trace = self.identity.trace.as_ref().filter(|trace| trace.is_sampled);
        let exemplars =
            trace.map(|trace| Exemplars { trace: trace.trace, timeline: self.timeline.now() });
        let families = self.families(reading);
        openmetrics::encode(&families, self.stats.started_at(), exemplars.as_ref())
    }
}

struct ReadingCollector {
    reading: Arc<Reading>,
    descriptions: Vec<Desc>,
}

impl Collector for ReadingCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let now = self.reading.scrape();
        CATALOGUE.iter().map(|metric| family(metric, &now)).collect()
    }
}

fn describe() -> Vec<Desc> {
    let describe = |metric: &Metric| {
        let labels = metric.labels.iter().map(|label| label.to_string()).collect();
        Desc::new(metric.name.to_string(), metric.help.to_string(), labels, HashMap::new())
            .expect("every line of the catalogue is valid")
    };
    CATALOGUE.iter().map(describe).collect()
}

fn family<'a>(metric: &Metric, now: &'a Scrape<'a>) -> proto::MetricFamily {
    let samples = metric.read(now);
    let mut family = proto::MetricFamily::default();
    family.set_name(metric.name.to_string());
    family.set_help(metric.help.to_string());
    family.set_field_type(match metric.kind {
        SeriesType::Counter => proto::MetricType::COUNTER,
        SeriesType::Gauge => proto::MetricType::GAUGE,
        SeriesType::Histogram => proto::MetricType::HISTOGRAM,
        SeriesType::Summary => proto::MetricType::SUMMARY,
    });
    family.set_metric(samples.iter().map(|sample| series(metric, sample)).collect());
    family
}

fn series(metric: &Metric, sample: &Sample) -> proto::Metric {
    debug_assert_eq!(metric.labels.len(), sample.labels.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(&sample.labels);
    let mut series =
        proto::Metric::from_label(labels.map(|(name, value)| pair(name, value)).collect());
    match sample.value {
        SampleValue::Number(number) if metric.kind == SeriesType::Counter => {
            let mut counter = proto::Counter::default();
            counter.set_value(number);
            series.set_counter(counter);
        }
        SampleValue::Number(number) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(number);
            series.set_gauge(gauge);
        }
        SampleValue::Latencies(Latencies { count, sum, buckets, .. }) => {
            series.set_histogram(histogram(*count, sum.as_secs_f64(), buckets));
        }
        SampleValue::Sizes(Sizes { count, sum, buckets }) => {
            series.set_histogram(histogram(*count, *sum as f64, buckets));
        }
        SampleValue::Quantiles(latencies) => series.set_summary(summary(latencies)),
    }
    series
}

fn histogram(count: u64, sum: f64, buckets: &[(f64, u64)]) -> proto::Histogram {
    let bucket = |&(bound, count): &(f64, u64)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    };
    let mut histogram = proto::Histogram::default();
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    histogram.set_bucket(buckets.iter().map(bucket).collect());
    histogram
}

/// Quantiles of nothing are NaN, as in the client libraries.
fn summary(latencies: &Latencies) -> proto::Summary {
    let quantile = |(rank, value): (f64, std::time::Duration)| {
        let mut quantile = proto::Quantile::default();
        quantile.set_quantile(rank);
        quantile.set_value(if latencies.count == 0 { f64::NAN } else { value.as_secs_f64() });
        quantile
    };
    let ranks = [(0.5, latencies.p50), (0.95, latencies.p95), (0.99, latencies.p99)];
    let mut summary = proto::Summary::default();
    summary.set_sample_count(latencies.count);
    summary.set_sample_sum(latencies.sum.as_secs_f64());
    summary.set_quantile(ranks.map(quantile).to_vec());
    summary
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Event, Expected, Observer, RunState, Stage, Vitals};
    use crate::outcome::Outcome;
    use crate::record::{Counts, ErrorType, Flush, Interval};

    pub fn metrics() -> (Arc<Stats>, Metrics) {
        let vitals = Vitals { worker_count: 4, queue_capacity: 8, ..Vitals::default() };
        let stats = Arc::new(Stats::new(Arc::new(vitals)));
        let identity = RunIdentity {
            pipeline_id: "nightly \"a\\b\"\nc".to_string(),
            run_id: "0190".to_string(),
            source: "csv",
            sink: "file",
            source_format: "csv",
            sink_format: "jsonl",
            version: "1.2.3",
            revision: "abc",
            expected_interval: None,
            has_ledger: false,
            trace: None,
        };
        (stats.clone(), Metrics::new(stats, Arc::new(identity), Arc::default()))
    }

    /// A run in which something of everything happened.
    pub fn run(stats: &Stats) {
        let took = Duration::from_millis(20);
        for event in [
            Event::Entered(RunState::Running),
            Event::Opened(Expected { records: Some(4), stored_bytes: None }),
            Event::Fetched { records: 4, bytes: 70, stored_position: 70, took, flush: Flush::End },
            Event::Rejected {
                stage: Stage::Convert,
                error_type: ErrorType::Null,
                column: Some("b".to_string()),
                records: 1,
                reason: "a.csv, line 2: no value".to_string(),
                first_place: "a.csv, line 2".to_string(),
            },
            Event::Settled {
                interval: Interval::bytes(0, 0, 70),
                counts: Counts { inserted: 3, failed: 1, ..Counts::default() },
                bytes: 70,
                bytes_written: 90,
                insert: took,
                batch: 2 * took,
            },
            Event::Entered(RunState::Stopped),
            Event::Ended {
                outcome: Outcome::Complete,
                error: None,
                is_published: true,
                took: 3 * took,
            },
        ] {
            stats.notice(&event);
        }
    }

    /// The value of a series without its label `pipeline_id`; quoted as in the text format.
    fn value(page: &str, series: &str) -> Option<String> {
        let own = r#"pipeline_id="nightly \"a\\b\"\nc""#;
        let labelled = match series.strip_suffix('}') {
            Some(start) if series.contains("le=") || series.contains("quantile=") => {
                let at = start.find("le=").into_iter().chain(start.find("quantile=")).min()?;
                format!("{}{own},{}}} ", &start[..at], &start[at..])
            }
            Some(start) => format!("{start},{own}}} "),
            None => format!("{series}{{{own}}} "),
        };
        page.lines().find_map(|line| line.strip_prefix(&labelled)).map(str::to_string)
    }

    #[track_caller]
    fn check(page: &str, expected: &[(&str, &str)]) {
        for (series, number) in expected {
            assert_eq!(value(page, series).as_deref(), Some(*number), "{series} in\n{page}");
        }
    }

    #[test]
    fn before_anything_happened_counters_are_zero_and_the_unknown_is_absent() {
        let metrics = metrics().1;
        let page = metrics.text(&metrics.reading());
        check(
            &page,
            &[
                ("pipeline_records_read_total", "0"),
                ("pipeline_records_skipped_total{reason=\"unchanged\"}", "0"),
                ("pipeline_errors_total{stage=\"insert\",error_type=\"disk\"}", "0"),
                ("pipeline_stage_wait_seconds_total{stage=\"fetch\",for=\"output\"}", "0"),
                ("pipeline_bytes_read_total{format=\"csv\"}", "0"),
                ("pipeline_bytes_written_total{format=\"jsonl\"}", "0"),
                ("pipeline_fetch_duration_seconds_bucket{le=\"0.001\"}", "0"),
                ("pipeline_run_duration_seconds_count", "0"),
                ("pipeline_stage_latency_seconds{stage=\"batch\",quantile=\"0.5\"}", "NaN"),
                ("pipeline_files_processed_total", "0"),
                ("pipeline_file_duration_seconds_count", "0"),
                ("pipeline_state{state=\"starting\"}", "1"),
                ("pipeline_state{state=\"error\"}", "0"),
                ("pipeline_workers", "4"),
                ("pipeline_build_info{version=\"1.2.3\",revision=\"abc\"}", "1"),
            ],
        );
        for metric in CATALOGUE {
            let present =
                page.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.as_str()));
            let unknown = [
                "http_",
                "sql_",
                "schema_operation",
                "ledger_",
                "retries",
                "rate_limited",
                "last_",
                "first_run",
                "runs_total",
                "published",
                "expected",
                "progress",
                "eta",
                "process_",
            ];
            let may_be_unknown = unknown.iter().any(|part| metric.name.contains(part));
            assert!(present || may_be_unknown, "{}", metric.name);
        }
        for absent in [
            "last_run",
            "published",
            "last_completion",
            "records_expected",
            "progress",
            "eta",
            "interval",
        ] {
            assert!(!page.contains(&format!("pipeline_{absent}")), "{absent}");
        }
    }

    #[test]
    fn after_a_run_its_numbers_stand_there() {
        let (stats, metrics) = metrics();
        run(&stats);
        check(
            &metrics.text(&metrics.reading()),
            &[
                ("pipeline_records_read_total", "4"),
                ("pipeline_records_processed_total", "4"),
                ("pipeline_records_inserted_total", "3"),
                ("pipeline_records_failed_total", "1"),
                ("pipeline_records_residual", "0"),
                ("pipeline_errors_total{stage=\"convert\",error_type=\"null\"}", "1"),
                ("pipeline_insert_duration_seconds_bucket{le=\"0.01\"}", "0"),
                ("pipeline_insert_duration_seconds_bucket{le=\"0.025\"}", "1"),
                ("pipeline_insert_duration_seconds_bucket{le=\"+Inf\"}", "1"),
                ("pipeline_insert_duration_seconds_sum", "0.02"),
                ("pipeline_batch_size_bytes_sum", "70"),
                ("pipeline_stage_busy_seconds_total{stage=\"fetch\"}", "0.02"),
                ("pipeline_progress_ratio", "1"),
                ("pipeline_state{state=\"starting\"}", "0"),
                ("pipeline_state{state=\"stopped\"}", "1"),
                ("pipeline_last_run_outcome{outcome=\"complete\"}", "1"),
                ("pipeline_last_run_outcome{outcome=\"data\"}", "0"),
                ("pipeline_last_run_duration_seconds", "0.06"),
                ("pipeline_last_run_records{result=\"inserted\"}", "3"),
                ("pipeline_run_duration_seconds_bucket{le=\"1\"}", "1"),
            ],
        );
    }

    #[test]
    fn histograms_have_at_most_fifteen_buckets() {
        let metrics = metrics().1;
        for family in metrics.families(&metrics.reading()) {
            for metric in family.get_metric() {
                let bounded = metric.get_histogram().get_bucket().len();
                assert!(bounded < 15, "{} and one for infinity", family.name());
            }
        }
    }

    #[test]
    fn two_pages_of_an_ended_run_are_the_same() {
        let (stats, metrics) = metrics();
        run(&stats);
        let page = || {
            let text = metrics.text(&metrics.reading());
            let own = text.lines().filter(|line| !line.starts_with("process_"));
            own.map(str::to_string).collect::<Vec<_>>()
        };
        assert_eq!(page(), page());
    }

    #[test]
    fn every_sample_of_the_text_format_stands_in_openmetrics() {
        let (stats, metrics) = metrics();
        run(&stats);
        // Both pages from one gathering: the process goes on between two.
        let families = metrics.families(&metrics.reading());
        let text = TextEncoder::new().encode_to_string(&families).unwrap();
        let open = openmetrics::encode(&families, stats.started_at(), None);
        let open: Vec<&str> = open.lines().collect();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(samples.len() > 200);
        for sample in samples {
            assert!(open.contains(&with_canonical_bound(sample).as_str()), "{sample}");
        }
    }

    /// OpenMetrics wants `le="1.0"` where the text format writes `le="1"`.
    fn with_canonical_bound(sample: &str) -> String {
        let Some((before, rest)) = sample.split_once("le=\"") else { return sample.to_string() };
        let Some((bound, after)) = rest.split_once('"') else { return sample.to_string() };
        let whole = bound.bytes().all(|byte| byte.is_ascii_digit());
        format!("{before}le=\"{bound}{}\"{after}", if whole { ".0" } else { "" })
    }
}
