//! OpenMetrics 1.0 as text, from the families a registry gathers.
//!
//! The crate `prometheus` knows only the older text format. This one also says since when a
//! counter counts, so that the first sample of a short run is not lost to `rate()`.

use std::time::SystemTime;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use crate::observe::scrape::Number;
use crate::observe::timeline::{Exemplar, RunTimeline};
use crate::trace_context::TraceId;

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Measurements that lead to spans of a trace.
#[derive(Clone, Debug)]
pub struct Exemplars {
    pub trace: TraceId,
    pub timeline: RunTimeline,
}

impl Exemplars {
    /// The slowest of a metric's measurements that are in a bucket, with its span and its time.
    fn of(&self, metric: &str, bucket: (f64, f64)) -> Option<String> {
        let of = self.timeline.exemplars(metric).into_iter();
        let value = |one: &Exemplar| one.value.as_secs_f64();
        let within = of.filter(|one| bucket.0 < value(one) && value(one) <= bucket.1);
        let slowest = within.max_by_key(|one| one.value)?;
        let at = self.timeline.started_at? + slowest.at;
        let (trace, span) = (self.trace, slowest.span);
        let labels = format!("{{trace_id=\"{trace}\",span_id=\"{span}\"}}");
        Some(format!(" # {labels} {} {:.3}", number(value(&slowest)), at.number()))
    }
}

/// The families as one page; everything in them counts since `created`.
pub fn encode(
    families: &[MetricFamily],
    created: SystemTime,
    exemplars: Option<&Exemplars>,
) -> String {
    let mut page = TextPage { text: String::new(), created: created.number(), exemplars };
    families.iter().for_each(|family| page.family(family));
    page.text.push_str("# EOF\n");
    page.text
}

struct TextPage<'a> {
    text: String,
    created: f64,
    exemplars: Option<&'a Exemplars>,
}

impl TextPage<'_> {
    fn family(&mut self, family: &MetricFamily) {
        let (kind, name) = match family.get_field_type() {
            MetricType::COUNTER => {
                ("counter", family.name().strip_suffix("_total").unwrap_or(family.name()))
            }
            MetricType::GAUGE => ("gauge", family.name()),
            MetricType::HISTOGRAM => ("histogram", family.name()),
            MetricType::SUMMARY => ("summary", family.name()),
            MetricType::UNTYPED => ("unknown", family.name()),
        };
        self.put(&["# TYPE ", name, " ", kind, "\n"]);
        self.put(&["# HELP ", name, " ", &escaped(family.help()), "\n"]);
        for metric in family.get_metric() {
            match family.get_field_type() {
                MetricType::COUNTER => self.counter(name, metric),
                MetricType::HISTOGRAM => self.histogram(name, metric),
                MetricType::SUMMARY => self.summary(name, metric),
                MetricType::GAUGE | MetricType::UNTYPED => {
                    self.sample(name, "", metric, None, metric.get_gauge().get_value());
                }
            }
        }
    }

    fn counter(&mut self, name: &str, metric: &Metric) {
        self.sample(name, "_total", metric, None, metric.get_counter().get_value());
        self.sample(name, "_created", metric, None, self.created);
    }

    fn histogram(&mut self, name: &str, metric: &Metric) {
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count() as f64;
        let buckets = histogram.get_bucket().iter();
        let bounded =
            buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count() as f64));
        let mut below = f64::NEG_INFINITY;
        for (bound, count) in bounded.filter(|(bound, _)| bound.is_finite()) {
            self.bucket(name, metric, &canonical(bound), (below, bound), count);
            below = bound;
        }
        self.bucket(name, metric, "+Inf", (below, f64::INFINITY), count);
        self.sample(name, "_sum", metric, None, histogram.get_sample_sum());
        self.sample(name, "_count", metric, None, count);
        self.sample(name, "_created", metric, None, self.created);
    }

    fn summary(&mut self, name: &str, metric: &Metric) {
        let summary = metric.get_summary();
        for quantile in summary.get_quantile() {
            let rank = canonical(quantile.quantile());
            self.sample(name, "", metric, Some(("quantile", &rank)), quantile.value());
        }
        self.sample(name, "_sum", metric, None, summary.sample_sum());
        self.sample(name, "_count", metric, None, summary.sample_count() as f64);
        self.sample(name, "_created", metric, None, self.created);
    }

    fn bucket(&mut self, name: &str, metric: &Metric, bound: &str, bucket: (f64, f64), count: f64) {
        self.sample(name, "_bucket", metric, Some(("le", bound)), count);
        if let Some(exemplar) = self.exemplars.and_then(|all| all.of(name, bucket)) {
            self.text.pop();
            self.put(&[&exemplar, "\n"]);
        }
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        metric: &Metric,
        extra: Option<(&str, &str)>,
        value: f64,
    ) {
        self.put(&[name, suffix]);
        let own = metric.get_label().iter().map(|pair: &LabelPair| (pair.name(), pair.value()));
        let mut separator = "{";
        for (label, value) in own.chain(extra) {
            self.put(&[separator, label, "=\"", &escaped(value), "\""]);
            separator = ",";
        }
        let close = if separator == "{" { " " } else { "} " };
        self.put(&[close, &number(value), "\n"]);
    }

    fn put(&mut self, parts: &[&str]) {
        self.text.extend(parts.iter().copied());
    }
}

/// The same escapes hold in help texts and in label values.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('\n', r"\n").replace('"', r#"\""#)
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_string();
    }
    value.to_string()
}

/// Bounds and quantiles are compared as text, so the format fixes how they are written.
pub fn canonical(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use prometheus::core::Collector;
    use prometheus::{Counter, Gauge, Histogram, HistogramOpts, IntCounterVec, Opts, proto};

    use super::*;

    #[track_caller]
    fn check(families: Vec<MetricFamily>, expected: &str) {
        let created = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(encode(&families, created, None), expected);
    }

    #[test]
    fn nothing_is_an_end_of_file() {
        check(vec![], "# EOF\n");
    }

    #[test]
    fn a_counter_loses_its_suffix_in_the_family_and_keeps_it_in_the_sample() {
        let counter = Counter::new("a_total", "what \"a\" \\ is\nindeed").unwrap();
        counter.inc_by(2.5);
        check(
            counter.collect(),
            "# TYPE a counter\n\
             # HELP a what \\\"a\\\" \\\\ is\\nindeed\n\
             a_total 2.5\n\
             a_created 1.5\n\
             # EOF\n",
        );
    }

    #[test]
    fn label_values_are_escaped() {
        let counters = IntCounterVec::new(Opts::new("b_total", "b"), &["x", "y"]).unwrap();
        counters.with_label_values(&["q\"\\\n", ""]).inc();
        check(
            counters.collect(),
            "# TYPE b counter\n\
             # HELP b b\n\
             b_total{x=\"q\\\"\\\\\\n\",y=\"\"} 1\n\
             b_created{x=\"q\\\"\\\\\\n\",y=\"\"} 1.5\n\
             # EOF\n",
        );
    }

    #[test]
    fn gauges_have_no_beginning() {
        for (value, text) in
            [(0.0, "0"), (-1.5, "-1.5"), (f64::INFINITY, "+Inf"), (f64::NAN, "NaN")]
        {
            let gauge = Gauge::new("g", "g").unwrap();
            gauge.set(value);
            check(gauge.collect(), &format!("# TYPE g gauge\n# HELP g g\ng {text}\n# EOF\n"));
        }
    }

    #[test]
    fn a_histogram_ends_in_infinity_and_writes_its_bounds_as_floats() {
        let options = HistogramOpts::new("h", "h").buckets(vec![0.5, 1.0]);
        let histogram = Histogram::with_opts(options).unwrap();
        histogram.observe(0.75);
        histogram.observe(4.0);
        check(
            histogram.collect(),
            "# TYPE h histogram\n\
             # HELP h h\n\
             h_bucket{le=\"0.5\"} 0\n\
             h_bucket{le=\"1.0\"} 1\n\
             h_bucket{le=\"+Inf\"} 2\n\
             h_sum 4.75\n\
             h_count 2\n\
             h_created 1.5\n\
             # EOF\n",
        );
    }

    #[test]
    fn a_summary_has_quantiles_sum_and_count() {
        let mut quantile = proto::Quantile::default();
        quantile.set_quantile(0.5);
        quantile.set_value(0.25);
        let mut summary = proto::Summary::default();
        summary.set_quantile(vec![quantile]);
        summary.set_sample_count(3);
        summary.set_sample_sum(0.75);
        let mut metric = Metric::default();
        metric.set_summary(summary);
        let mut family = MetricFamily::default();
        family.set_name("s".to_string());
        family.set_help("s".to_string());
        family.set_field_type(MetricType::SUMMARY);
        family.set_metric(vec![metric]);
        check(
            vec![family],
            "# TYPE s summary\n\
             # HELP s s\n\
             s{quantile=\"0.5\"} 0.25\n\
             s_sum 0.75\n\
             s_count 3\n\
             s_created 1.5\n\
             # EOF\n",
        );
    }
}
