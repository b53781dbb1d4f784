//! The numbers of a run at one moment, as they leave the process by themselves: as text, and series by
//! series. Both are made of one gathering.

use std::time::SystemTime;

use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::observe::openmetrics::canonical;

/// Whoever collects the text has metrics of its own process, which have these names, too.
const OF_THE_PROCESS: &str = "process_";

#[derive(Clone, Debug)]
pub struct Moment {
    pub taken_at: SystemTime,
    /// The text format 0.0.4, without the metrics of the process.
    pub text: String,
    pub series: Vec<Series>,
}

/// One series and its value. What is not known yet, which is NaN in the text, is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Moment {
    pub fn of(families: &[MetricFamily], taken_at: SystemTime) -> Moment {
        let of_the_run: Vec<MetricFamily> = families
            .iter()
            .filter(|family| !family.name().starts_with(OF_THE_PROCESS))
            .cloned()
            .collect();
        let mut text = Vec::new();
        TextEncoder::new().encode(&of_the_run, &mut text).expect("no gathered family is empty");
        let text = String::from_utf8(text).expect("names and labels are text");
        let mut series = Vec::new();
        families.iter().for_each(|family| flatten(family, &mut series));
        series.retain(|one: &Series| !one.value.is_nan());
        Moment { taken_at, text, series }
    }
}

fn flatten(family: &MetricFamily, all: &mut Vec<Series>) {
    let name = family.name();
    for metric in family.get_metric() {
        let mut put = |suffix: &str, extra: Option<(&str, String)>, value: f64| {
            let own = metric.get_label().iter();
            let own = own.map(|pair| (pair.name().to_string(), pair.value().to_string()));
            let extra = extra.map(|(label, value)| (label.to_string(), value));
            let labels = own.chain(extra).collect();
            all.push(Series { name: format!("{name}{suffix}"), labels, value });
        };
        match family.get_field_type() {
            MetricType::COUNTER => put("", None, metric.get_counter().get_value()),
            MetricType::GAUGE | MetricType::UNTYPED => {
                put("", None, metric.get_gauge().get_value());
            }
            MetricType::HISTOGRAM => histogram(metric, &mut put),
            MetricType::SUMMARY => {
                let summary = metric.get_summary();
                for quantile in summary.get_quantile() {
                    let rank = canonical(quantile.quantile());
                    put("", Some(("quantile", rank)), quantile.value());
                }
                put("_sum", None, summary.sample_sum());
                put("_count", None, summary.sample_count() as f64);
            }
        }
    }
}

fn histogram(metric: &Metric, put: &mut impl FnMut(&str, Option<(&str, String)>, f64)) {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count() as f64;
    for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
        let bound = canonical(bucket.upper_bound());
        put("_bucket", Some(("le", bound)), bucket.cumulative_count() as f64);
    }
    put("_bucket", Some(("le", "+Inf".to_string())), count);
    put("_sum", None, histogram.get_sample_sum());
    put("_count", None, count);
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
        let mut found = moment.series.iter().filter(|series| series.name == name).filter(has);
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
        let of_the_run = moment.series.iter().filter(|one| !one.name.starts_with("process_"));
        assert_eq!(of_the_run.count(), lines);
        assert!(!moment.text.contains("process_"));
        assert!(number(&moment, "process_cpu_seconds_total", None).is_some());
        let everywhere = |one: &Series| one.labels.iter().any(|(name, _)| name == "pipeline_id");
        assert!(moment.series.iter().all(everywhere));
    }

    #[test]
    fn what_is_not_known_is_left_out_of_the_series() {
        let moment = metrics().1.moment();
        assert!(moment.text.contains(" NaN\n"));
        assert!(moment.series.iter().all(|series| !series.value.is_nan()));
        assert_eq!(number(&moment, "pipeline_records_read_total", None), Some(0.0));
    }
}
