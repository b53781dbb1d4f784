//! How the run went so far: small plots of its whole time, side by side, so that what happened together is seen
//! together.

use std::time::Duration;

use super::{per_second, section};
use crate::draw::plot::{Curve, curves};
use crate::draw::{Element, element};
use crate::report::text;
use crate::web::live::sentence::spoken;
use crate::web::live::series::{Sample, TimeSeries};
use crate::web::live::view::View;

/// A plot has room for no more; what is between is in the rates.
const POINTS_MAX: usize = 240;

/// Over less, a rate is mostly chance.
const RATE_OF: Duration = Duration::from_secs(1);

pub fn plots(view: &View, series: &TimeSeries) -> Element {
    let mut samples = thinned(series.samples());
    samples.extend(series.latest());
    let lasted = Duration::try_from_secs_f64(view.elapsed_seconds).unwrap_or_default();
    let plot =
        |name: &'static str,
         of: &'static str,
         curves: Vec<Vec<f64>>,
         show: fn(f64) -> String,
         most: Option<f64>| { one(name, of, &samples, curves, show, most, lasted) };
    let rates = |total: fn(&Sample) -> f64| rates(&samples, total);
    let gauge = |value: fn(&Sample) -> f64| samples.iter().map(value).collect::<Vec<_>>();
    let capacity = Some(view.queue.capacity as f64).filter(|capacity| *capacity > 0.0);
    let budget = Some(view.memory.budget_bytes as f64).filter(|budget| *budget > 0.0);
    let all = [
        plot(
            "Records settled",
            "rate of pipeline_records_processed_total, and thin: of pipeline_records_read_total",
            vec![rates(|sample| sample.processed as f64), rates(|sample| sample.read as f64)],
            per_second,
            None,
        ),
        plot(
            "One batch made durable",
            "mean of pipeline_insert_duration_seconds",
            vec![latencies(&samples)],
            super::seconds,
            None,
        ),
        plot(
            "Batches in the queue",
            "pipeline_queue_depth, up to pipeline_queue_capacity",
            vec![gauge(|sample| sample.queue_depth as f64)],
            |depth| text::count(depth.round() as u64),
            capacity,
        ),
        plot(
            "Memory for records",
            "pipeline_memory_used_bytes, up to pipeline_memory_budget_bytes",
            vec![gauge(|sample| sample.memory_used_bytes as f64)],
            |bytes| text::bytes(bytes.max(0.0) as u64),
            budget,
        ),
        plot(
            "Cores at work",
            "rate of process_cpu_seconds_total",
            vec![rates(|sample| sample.cpu_seconds)],
            |cores| format!("{cores:.1}"),
            None,
        ),
        plot(
            "Errors and retries",
            "sum of pipeline_errors_total, and thin: of pipeline_retries_total",
            vec![gauge(|sample| sample.errors as f64), gauge(|sample| sample.retries as f64)],
            |number| text::count(number.round() as u64),
            None,
        ),
    ];
    section("time", "Over time").child(element("div").class("plots").children(all))
}

fn one(
    name: &str,
    of: &str,
    samples: &[Sample],
    all: Vec<Vec<f64>>,
    show: fn(f64) -> String,
    most: Option<f64>,
    lasted: Duration,
) -> Element {
    // Of what is told first: a burst of the other is cut off, so that it does not press this down.
    let highest = all[0].iter().copied().fold(0.0, f64::max);
    let other = all.iter().skip(1).flatten().copied().fold(0.0, f64::max);
    let highest = if highest > 0.0 { highest } else { other };
    let y_max = most.unwrap_or_else(|| round_up(highest));
    let now = all[0].last().map(|value| show(*value)).unwrap_or_default();
    let curve = |(index, values): (usize, Vec<f64>)| Curve {
        class: if index == 0 { "line" } else { "thin" },
        points: samples.iter().map(|sample| sample.at.as_secs_f64()).zip(values).collect(),
    };
    let spoken_label = format!("{name} over time: {now} now, {} at most", show(highest));
    let drawn: Vec<Curve> = all.into_iter().enumerate().map(curve).collect();
    let caption = element("figcaption")
        .child(element("span").class("name").with("title", of).text(name))
        .child(element("span").class("now").text(&now));
    let top = if y_max > 0.0 { show(y_max) } else { String::new() };
    element("figure")
        .child(caption)
        .child(
            element("div")
                .class("frame")
                .child(element("span").class("top").text(top))
                .child(curves(&spoken_label, lasted.as_secs_f64(), y_max, &drawn)),
        )
        .child(
            element("p")
                .class("axis")
                .child(element("span").text("0"))
                .child(element("span").text(spoken(lasted))),
        )
}

/// Each value is that since the sample a second or more before.
fn rates(samples: &[Sample], total: fn(&Sample) -> f64) -> Vec<f64> {
    (0..samples.len())
        .map(|index| {
            let (now, before) = since(samples, index);
            let time = now.at.saturating_sub(before.at).as_secs_f64();
            if time > 0.0 { ((total(&now) - total(&before)) / time).max(0.0) } else { 0.0 }
        })
        .collect()
}

fn latencies(samples: &[Sample]) -> Vec<f64> {
    let mut last = 0.0;
    let mut mean = |index| {
        let (now, before) = since(samples, index);
        let count = now.insert_count.saturating_sub(before.insert_count);
        // Where nothing was written, what was known stays.
        if count > 0 {
            last = now.insert_sum.saturating_sub(before.insert_sum).as_secs_f64() / count as f64;
        }
        last
    };
    (0..samples.len()).map(&mut mean).collect()
}

fn since(samples: &[Sample], index: usize) -> (Sample, Sample) {
    let now = samples[index];
    let is_far = |before: &&Sample| before.at + RATE_OF <= now.at;
    let before = samples[..index].iter().rev().find(is_far).or(samples.first());
    (now, before.copied().unwrap_or_default())
}

/// With the last one, whatever else is left out.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let step = samples.len().div_ceil(POINTS_MAX).max(1);
    samples.iter().rev().step_by(step).rev().copied().collect()
}

/// To 1, 2 or 5 times a power of ten, so that the scale stands still most of the time.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= value * 0.999);
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number() {
        for (value, top) in
            [(0.0, 0.0), (0.7, 1.0), (1.0, 1.0), (1.01, 2.0), (230.0, 500.0), (6e5, 1e6)]
        {
            assert_eq!(round_up(value), top, "{value}");
        }
    }

    #[test]
    fn a_plot_ends_with_what_is_now() {
        let (_, metrics) = crate::observe::metrics::tests::metrics();
        let view = View::of(&metrics.reading(), None);
        let mut series = TimeSeries::default();
        let sample = |quarters: u32, queue_depth| Sample {
            at: Duration::from_millis(250) * quarters,
            queue_depth,
            ..Sample::default()
        };
        (0..100_000).for_each(|quarters| series.add(sample(quarters, 0)));
        series.add(sample(100_000, 7));
        assert_ne!(series.samples().last().unwrap().queue_depth, 7, "it is between two samples");
        let drawn = serde_json::to_string(&plots(&view, &series)).unwrap();
        assert!(drawn.contains("Batches in the queue over time: 7 now"), "{drawn}");
    }

    #[test]
    fn rates_are_those_of_a_second() {
        let sample = |quarters: u32, processed| Sample {
            at: Duration::from_millis(250) * quarters,
            processed,
            ..Sample::default()
        };
        let samples: Vec<Sample> = (0..9).map(|n| sample(n, 10 * u64::from(n))).collect();
        let rates = rates(&samples, |sample| sample.processed as f64);
        assert_eq!((rates[0], rates[4], rates[8]), (0.0, 40.0, 40.0));
        assert_eq!(thinned(&samples), samples);
        let many: Vec<Sample> = (0..479).map(|n| sample(n, 0)).collect();
        let few = thinned(&many);
        assert!(few.len() <= POINTS_MAX && few.last() == many.last(), "{}", few.len());
    }
}
