//! The numbers of a run at one moment, as they leave the process by themselves: as text, metric by metric,
//! and series by series. All are made of one gathering.

use std::time::SystemTime;

use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::observe::openmetrics::canonical;
use crate::observe::series::SeriesType;
use crate::observe::timeline::RunTimeline;

/// Whoever collects the text has metrics of its own process, which have these names, too.
const OF_THE_PROCESS: &str = "process_";

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otlp"), allow(dead_code))]
pub struct Moment {
    pub taken_at: SystemTime,
    /// The text format 0.0.4, without the metrics of the process.
    pub text: String,
    pub metrics: Vec<MetricMoment>,
    pub timeline: RunTimeline,
}

/// One metric of the catalogue with all its points.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricMoment {
    pub name: String,
    pub help: String,
    pub kind: SeriesType,
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub labels: Vec<(String, String)>,
    pub value: PointValue,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PointValue {
    Number(f64),
    /// Counts up to and including each upper bound, cumulative, ascending; infinity is not among them.
    Histogram {
        count: u64,
        sum: f64,
        buckets: Vec<(f64, u64)>,
    },
    /// Ranks and their values, which are NaN where there are none.
    Summary {
        count: u64,
        sum: f64,
        quantiles: Vec<(f64, f64)>,
    },
}

/// One series and its value. What is not known yet, which is NaN in the text, is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Moment {
    pub fn of(families: &[MetricFamily], taken_at: SystemTime, timeline: RunTimeline) -> Moment {
        let of_the_run: Vec<MetricFamily> = families
            .iter()
            .filter(|family| !family.name().starts_with(OF_THE_PROCESS))
            .cloned()
            .collect();
        let mut text = Vec::new();
        TextEncoder::new().encode(&of_the_run, &mut text).expect("no gathered family is empty");
        let text = String::from_utf8(text).expect("names and labels are text");
        let metrics = families.iter().map(metric_moment).collect();
        Moment { taken_at, text, metrics, timeline }
    }

    pub fn series(&self) -> Vec<Series> {
        let mut all = Vec::new();
        self.metrics.iter().for_each(|metric| flatten(metric, &mut all));
        all.retain(|one: &Series| !one.value.is_nan());
        all
    }
}

fn metric_moment(family: &MetricFamily) -> MetricMoment {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => SeriesType::Counter,
        MetricType::GAUGE | MetricType::UNTYPED => SeriesType::Gauge,
        MetricType::HISTOGRAM => SeriesType::Histogram,
        MetricType::SUMMARY => SeriesType::Summary,
    };
    let points = family.get_metric().iter().map(|metric| {
        let labels = metric.get_label().iter();
        let labels = labels.map(|pair| (pair.name().to_string(), pair.value().to_string()));
        Point { labels: labels.collect(), value: point_value(kind, metric) }
    });
    MetricMoment {
        name: family.name().to_string(),
        help: family.help().to_string(),
        kind,
        points: points.collect(),
    }
}

fn point_value(kind: SeriesType, metric: &Metric) -> PointValue {
    match kind {
        SeriesType::Counter => PointValue::Number(metric.get_counter().get_value()),
        SeriesType::Gauge => PointValue::Number(metric.get_gauge().get_value()),
        SeriesType::Histogram => {
            let histogram = metric.get_histogram();
            let bounded = histogram.get_bucket().iter();
            let bounded = bounded.filter(|bucket| bucket.upper_bound().is_finite());
            PointValue::Histogram {
                count: histogram.get_sample_count(),
                sum: histogram.get_sample_sum(),
                buckets: bounded
                    .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
                    .collect(),
            }
        }
        SeriesType::Summary => {
            let summary = metric.get_summary();
            let quantiles = summary.get_quantile().iter();
            PointValue::Summary {
                count: summary.sample_count(),
                sum: summary.sample_sum(),
                quantiles: quantiles.map(|one| (one.quantile(), one.value())).collect(),
            }
        }
    }
}

fn flatten(metric: &MetricMoment, all: &mut Vec<Series>) {
    let name = &metric.name;
    for point in &metric.points {
        let mut put = |suffix: &str, extra: Option<(&str, String)>, value: f64| {
            let extra = extra.map(|(label, value)| (label.to_string(), value));
            let labels = point.labels.iter().cloned().chain(extra).collect();
            all.push(Series { name: format!("{name}{suffix}"), labels, value });
        };
        match &point.value {
            PointValue::Number(number) => put("", None, *number),
            PointValue::Histogram { count, sum, buckets } => {
                for (bound, count) in buckets {
                    put("_bucket", Some(("le", canonical(*bound))), *count as f64);
                }
                put("_bucket", Some(("le", "+Inf".to_string())), *count as f64);
                put("_sum", None, *sum);
                put("_count", None, *count as f64);
            }
            PointValue::Summary { count, sum, quantiles } => {
                for (rank, value) in quantiles {
                    put("", Some(("quantile", canonical(*rank))), *value);
                }
                put("_sum", None, *sum);
                put("_count", None, *count as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::tests::{metrics, run};

    fn number(moment: &Moment, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
        let has = |series: &&Series| {
            let labels = &series.labels;
            label.is_none_or(|(name, value)| labels.iter().any(|(n, v)| n == name && v == value))
        };
        let series = moment.series();
        let mut found = series.iter().filter(|series| series.name == name).filter(has);
        let value = found.next().map(|series| series.value);
        assert!(found.next().is_none(), "several of {name}");
        value
    }

    #[test]
    fn every_number_of_the_text_is_a_series() {
        let (stats, metrics) = metrics();
        run(&stats);
        let moment = metrics.moment();
        for (name, label, value) in [
            ("pipeline_records_read_total", None, Some(4.0)),
            ("pipeline_errors_total", Some(("error_type", "auth")), None),
            ("pipeline_insert_duration_seconds_bucket", Some(("le", "0.025")), Some(1.0)),
            ("pipeline_run_duration_seconds_bucket", Some(("le", "1.0")), Some(1.0)),
            ("pipeline_run_duration_seconds_bucket", Some(("le", "+Inf")), Some(1.0)),
            ("pipeline_insert_duration_seconds_sum", None, Some(0.02)),
            ("pipeline_last_run_outcome", Some(("outcome", "complete")), Some(1.0)),
            ("pipeline_eta_seconds", None, None),
        ] {
            assert_eq!(number(&moment, name, label), value, "{name}");
        }
        let lines = moment.text.lines().filter(|line| !line.starts_with('#')).count();
        let series = moment.series();
        let of_the_run = series.iter().filter(|one| !one.name.starts_with("process_"));
        assert_eq!(of_the_run.count(), lines);
        assert!(!moment.text.contains("process_"));
        assert!(number(&moment, "process_cpu_seconds_total", None).is_some());
        let everywhere = |one: &Series| one.labels.iter().any(|(name, _)| name == "pipeline_id");
        assert!(series.iter().all(everywhere));
    }

    #[test]
    fn what_is_not_known_is_left_out_of_the_series() {
        let moment = metrics().1.moment();
        assert!(moment.text.contains(" NaN\n"));
        assert!(moment.series().iter().all(|series| !series.value.is_nan()));
        assert_eq!(number(&moment, "pipeline_records_read_total", None), Some(0.0));
    }
}
