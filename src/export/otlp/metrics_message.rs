//! The metrics of a moment as a message. A counter counts since the start of the run, or, where deltas are
//! wanted, since what was taken last. Pure.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::{scope, text};
use crate::export::Temporality;
use crate::observe::{MetricMoment, Moment, Point, PointValue, RunTimeline, SeriesType};
use crate::trace_context::TraceContext;

/// Counts over all runs, which begin with none of them.
const OVER_ALL_RUNS: &str = "pipeline_runs_total";

pub struct Cumulated {
    resource: Resource,
    temporality: Temporality,
    /// The one whose spans are sent as well.
    trace: Option<TraceContext>,
    started_at: SystemTime,
    taken: Taken,
}

/// What was taken last, where deltas are wanted.
#[derive(Clone)]
pub struct Taken {
    at: SystemTime,
    values: HashMap<Name, PointValue>,
}

/// Of a series.
type Name = (String, Vec<(String, String)>);

impl Cumulated {
    /// `zeros` are the numbers of the start.
    pub fn new(
        resource: Resource,
        temporality: Temporality,
        trace: Option<TraceContext>,
        zeros: &Moment,
    ) -> Cumulated {
        let started_at = zeros.taken_at;
        Cumulated {
            resource,
            temporality,
            trace,
            started_at,
            taken: Taken { at: started_at, values: HashMap::new() },
        }
    }

    pub fn temporality(&self) -> Temporality {
        self.temporality
    }

    /// The next delta begins where it did.
    pub fn restore(&mut self, before: Taken) {
        self.taken = before;
    }

    /// The next delta begins here. Gives where this one began.
    pub fn taken(&mut self, moment: &Moment) -> Taken {
        let before = self.taken.clone();
        if self.temporality == Temporality::Cumulative {
            return before;
        }
        self.taken.at = moment.taken_at;
        for metric in moment.metrics.iter().filter(|metric| counts(metric)) {
            for point in &metric.points {
                let name = (metric.name.clone(), point.labels.clone());
                self.taken.values.insert(name, point.value.clone());
            }
        }
        before
    }

    pub fn message(&self, moment: &Moment) -> ExportMetricsServiceRequest {
        let metrics = moment.metrics.iter().filter_map(|metric| self.metric(metric, moment));
        let scope_metrics =
            ScopeMetrics { scope: scope(), metrics: metrics.collect(), ..Default::default() };
        let resource_metrics = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![scope_metrics],
            ..Default::default()
        };
        ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
    }

    fn metric(&self, metric: &MetricMoment, moment: &Moment) -> Option<Metric> {
        let is_delta = self.temporality == Temporality::Delta && counts(metric);
        let (start, temporality) = match is_delta {
            true => (self.taken.at, AggregationTemporality::Delta),
            false => (self.started_at, AggregationTemporality::Cumulative),
        };
        let start = match metric.name == OVER_ALL_RUNS {
            // Since when nobody knows.
            true => 0,
            false => nanoseconds(start),
        };
        // A clock that was set back makes no point that ends before it begins.
        let clock = Clock { start, now: nanoseconds(moment.taken_at).max(start) };
        let points = metric.points.iter().filter_map(|point| {
            let before = is_delta
                .then(|| self.taken.values.get(&(metric.name.clone(), point.labels.clone())))
                .flatten();
            Some((point, since(&point.value, before)?))
        });
        let is_whole = is_of_whole_numbers(&metric.name);
        let data = match metric.kind {
            SeriesType::Counter => metric::Data::Sum(Sum {
                data_points: points
                    .filter_map(|(one, value)| clock.number(is_whole, one, &value))
                    .collect(),
                aggregation_temporality: temporality.into(),
                is_monotonic: true,
            }),
            SeriesType::Gauge => {
                // A gauge is of its moment.
                let clock = Clock { start: 0, ..clock };
                metric::Data::Gauge(Gauge {
                    data_points: points
                        .filter_map(|(one, value)| clock.number(is_whole, one, &value))
                        .collect(),
                })
            }
            SeriesType::Histogram => metric::Data::Histogram(Histogram {
                data_points: points
                    .filter_map(|(one, value)| {
                        let exemplars = self.exemplars(metric, &moment.timeline);
                        clock.histogram(one, &value, exemplars)
                    })
                    .collect(),
                aggregation_temporality: temporality.into(),
            }),
            SeriesType::Summary => metric::Data::Summary(Summary {
                data_points: points.filter_map(|(one, value)| clock.summary(one, &value)).collect(),
            }),
        };
        let is_empty = match &data {
            metric::Data::Sum(sum) => sum.data_points.is_empty(),
            metric::Data::Gauge(gauge) => gauge.data_points.is_empty(),
            metric::Data::Histogram(histogram) => histogram.data_points.is_empty(),
            metric::Data::Summary(summary) => summary.data_points.is_empty(),
            metric::Data::ExponentialHistogram(_) => true,
        };
        (!is_empty).then(|| Metric {
            name: metric.name.clone(),
            description: metric.help.clone(),
            unit: unit(&metric.name).to_string(),
            data: Some(data),
            ..Metric::default()
        })
    }

    /// The slowest batches, which have spans: what was slow on the way may have none, for others were slower.
    /// A delta has those that came since the last time, for the next one counts them no more.
    fn exemplars(&self, metric: &MetricMoment, timeline: &RunTimeline) -> Vec<Exemplar> {
        let (Some(trace), Some(started_at)) = (&self.trace, timeline.started_at) else {
            return Vec::new();
        };
        let since = match self.temporality {
            Temporality::Delta => self.taken.at,
            Temporality::Cumulative if timeline.ended.is_none() => return Vec::new(),
            Temporality::Cumulative => UNIX_EPOCH,
        };
        let of = timeline.exemplars(&metric.name).into_iter();
        let recent = of.filter(|one| started_at + one.at > since);
        recent
            .map(|one| Exemplar {
                time_unix_nano: nanoseconds(started_at + one.at),
                trace_id: trace.trace.0.to_vec(),
                span_id: one.span.0.to_vec(),
                value: Some(exemplar::Value::AsDouble(one.value.as_secs_f64())),
                ..Exemplar::default()
            })
            .collect()
    }
}

/// Receivers take a series that is a whole number now and a fraction later for two.
fn is_of_whole_numbers(name: &str) -> bool {
    !name.contains("_seconds") && !name.contains("_ratio")
}

/// Its value only grows while the run lasts.
fn counts(metric: &MetricMoment) -> bool {
    let grows = matches!(metric.kind, SeriesType::Counter | SeriesType::Histogram);
    grows && metric.name != OVER_ALL_RUNS
}

/// What is more than before; nothing where it cannot be told.
fn since(now: &PointValue, before: Option<&PointValue>) -> Option<PointValue> {
    let Some(before) = before else { return Some(now.clone()) };
    match (now, before) {
        (PointValue::Number(now), PointValue::Number(before)) => {
            Some(PointValue::Number(now - before))
        }
        (
            PointValue::Histogram { count, sum, buckets },
            PointValue::Histogram { count: count_before, sum: sum_before, buckets: earlier },
        ) => {
            let buckets = buckets.iter().zip(earlier);
            let more = |((bound, now), (_, before)): (&(f64, u64), &(f64, u64))| {
                Some((*bound, now.checked_sub(*before)?))
            };
            Some(PointValue::Histogram {
                count: count.checked_sub(*count_before)?,
                sum: sum - sum_before,
                buckets: buckets.map(more).collect::<Option<_>>()?,
            })
        }
        _ => None,
    }
}

/// Nanoseconds since the epoch.
#[derive(Clone, Copy)]
struct Clock {
    start: u64,
    now: u64,
}

impl Clock {
    fn number(self, is_whole: bool, point: &Point, value: &PointValue) -> Option<NumberDataPoint> {
        let PointValue::Number(value) = *value else { return None };
        // What is not known yet.
        if value.is_nan() {
            return None;
        }
        let value = match is_whole {
            true => number_data_point::Value::AsInt(value as i64),
            false => number_data_point::Value::AsDouble(value),
        };
        Some(NumberDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            value: Some(value),
            ..NumberDataPoint::default()
        })
    }

    fn histogram(
        self,
        point: &Point,
        value: &PointValue,
        exemplars: Vec<Exemplar>,
    ) -> Option<HistogramDataPoint> {
        let PointValue::Histogram { count, sum, buckets } = value else { return None };
        // Ours are cumulated, theirs are apart, with one more above the last bound.
        let mut below = 0;
        let mut bucket_counts = Vec::with_capacity(buckets.len() + 1);
        for (_, cumulated) in buckets {
            bucket_counts.push(cumulated.saturating_sub(below));
            below = *cumulated;
        }
        bucket_counts.push(count.saturating_sub(below));
        Some(HistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            count: *count,
            sum: Some(*sum),
            bucket_counts,
            explicit_bounds: buckets.iter().map(|(bound, _)| *bound).collect(),
            exemplars,
            ..HistogramDataPoint::default()
        })
    }

    fn summary(self, point: &Point, value: &PointValue) -> Option<SummaryDataPoint> {
        let PointValue::Summary { count, sum, quantiles } = value else { return None };
        let known = quantiles.iter().filter(|(_, value)| !value.is_nan());
        let values = known.map(|&(quantile, value)| ValueAtQuantile { quantile, value });
        Some(SummaryDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            count: *count,
            sum: *sum,
            quantile_values: values.collect(),
            ..SummaryDataPoint::default()
        })
    }
}

fn attributes(point: &Point) -> Vec<KeyValue> {
    point.labels.iter().map(|(name, value)| text(name, &**value)).collect()
}

/// By the rules of UCUM. Names say it, too.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some("ratio") => "1",
        _ => "",
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Event, Observer};
    use crate::observe::metrics::tests::{metrics, run};
    use crate::record::{Counts, Interval};

    fn find<'a>(message: &'a ExportMetricsServiceRequest, name: &str) -> Option<&'a metric::Data> {
        let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
        metrics.iter().find(|metric| metric.name == name)?.data.as_ref()
    }

    fn sum(message: &ExportMetricsServiceRequest, name: &str) -> (i64, u64, i32) {
        let Some(metric::Data::Sum(sum)) = find(message, name) else { panic!("{name}") };
        let point = &sum.data_points[0];
        let Some(number_data_point::Value::AsInt(value)) = point.value else { panic!("{name}") };
        (value, point.start_time_unix_nano, sum.aggregation_temporality)
    }

    #[test]
    fn a_histogram_has_counts_of_its_own_in_each_bucket() {
        let (stats, metrics) = metrics();
        let zeros = metrics.moment();
        run(&stats);
        let cumulated = Cumulated::new(Resource::default(), Temporality::Cumulative, None, &zeros);
        let moment = metrics.moment();
        let message = cumulated.message(&moment);
        let name = "pipeline_insert_duration_seconds";
        let Some(metric::Data::Histogram(histogram)) = find(&message, name) else { panic!() };
        let point = &histogram.data_points[0];
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        let at = point.bucket_counts.iter().position(|count| *count == 1).unwrap();
        assert!(point.explicit_bounds[at - 1] < 0.02 && 0.02 <= point.explicit_bounds[at]);
        assert_eq!(sum(&message, "pipeline_records_read_total").0, 4);
        assert_eq!(find(&message, "pipeline_eta_seconds"), None, "it is not known");
    }

    #[test]
    fn deltas_sum_up_to_all_of_it() {
        let (stats, metrics) = metrics();
        let zeros = metrics.moment();
        let mut cumulated = Cumulated::new(Resource::default(), Temporality::Delta, None, &zeros);
        let mut all = 0;
        for _ in 0..3 {
            run(&stats);
            let moment = metrics.moment();
            let message = cumulated.message(&moment);
            let (more, start, temporality) = sum(&message, "pipeline_records_read_total");
            assert_eq!(temporality, i32::from(AggregationTemporality::Delta));
            assert_eq!(start, nanoseconds(cumulated.taken.at));
            all += more;
            // One that did not arrive is in the next.
            let again = cumulated.message(&moment);
            assert_eq!(again, message);
            cumulated.taken(&moment);
        }
        assert_eq!(all, 12);
        let nothing_new = cumulated.message(&metrics.moment());
        assert_eq!(sum(&nothing_new, "pipeline_records_read_total").0, 0);
    }

    #[test]
    fn no_point_ends_before_it_begins() {
        let (stats, metrics) = metrics();
        let zeros = metrics.moment();
        run(&stats);
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            let cumulated = Cumulated::new(Resource::default(), temporality, None, &zeros);
            let mut moment = metrics.moment();
            moment.taken_at = zeros.taken_at - Duration::from_secs(60);
            let message = cumulated.message(&moment);
            let name = "pipeline_records_read_total";
            let Some(metric::Data::Sum(sum)) = find(&message, name) else { panic!() };
            let point = &sum.data_points[0];
            assert_eq!(point.time_unix_nano, point.start_time_unix_nano);
        }
    }

    #[test]
    fn exemplars_lead_to_the_spans_of_slow_batches() {
        let (stats, metrics) = metrics();
        let zeros = metrics.moment();
        run(&stats);
        let slow = Duration::from_millis(40);
        metrics.timeline().notice(&Event::Settled {
            interval: Interval::bytes(0, 0, 70),
            counts: Counts::default(),
            bytes: 70,
            bytes_written: 70,
            insert: slow / 2,
            batch: slow,
        });
        let trace = TraceContext::begin();
        let kept = Some(trace.clone());
        let cumulated = Cumulated::new(Resource::default(), Temporality::Cumulative, kept, &zeros);
        let name = "pipeline_batch_duration_seconds";
        let mut moment = metrics.moment();
        let message = cumulated.message(&moment);
        let Some(metric::Data::Histogram(histogram)) = find(&message, name) else { panic!() };
        assert_eq!(histogram.data_points[0].exemplars, []);
        moment.timeline.ended = Some(slow);
        let message = cumulated.message(&moment);
        let Some(metric::Data::Histogram(histogram)) = find(&message, name) else { panic!() };
        let exemplar = &histogram.data_points[0].exemplars[0];
        assert_eq!(exemplar.trace_id, trace.trace.0);
        assert_eq!(exemplar.span_id, moment.timeline.slowest[0].span.0);
        assert_eq!(exemplar.value, Some(exemplar::Value::AsDouble(slow.as_secs_f64())));
    }
}
