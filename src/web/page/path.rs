//! The path of the records: source, queue, workers, lanes, sink, each with what passes it and how busy it is.

use super::{count, derived, figure, per_second, percent, section, unknown};
use crate::draw::plot::bar;
use crate::draw::{Element, element};
use crate::report::text;
use crate::web::live::view::{StageView, View};

pub fn path(view: &View) -> Element {
    let [fetch, convert, insert] = &view.stages[..] else { return element("div") };
    let rooms =
        [source(view, fetch), queue(view), workers(view, convert), lanes(view, insert), sink(view)];
    section("path", "Path").child(element("ol").class("path").children(rooms))
}

fn source(view: &View, stage: &StageView) -> Element {
    let bytes = format!("pipeline_bytes_read_total{{format=\"{}\"}}", view.source.format);
    let read = figure(bytes, view.bytes.read as f64, text::bytes(view.bytes.read));
    room(
        view.source.kind,
        "source",
        rate(view.read_per_second, view, view.records.read, "rate of pipeline_records_read_total"),
    )
    .class(limit(stage))
    .child(bar_of(stage))
    .child(busy(view, stage))
    .child(element("p").child(read).text(" read"))
}

fn queue(view: &View) -> Element {
    let queue = &view.queue;
    let fill = queue.depth as f64 / queue.capacity.max(1) as f64;
    let waiting = element("span").child(count("pipeline_queue_depth", queue.depth)).child(
        element("small").text(" of ").child(count("pipeline_queue_capacity", queue.capacity)),
    );
    let bytes = figure("pipeline_queue_bytes", queue.bytes as f64, text::bytes(queue.bytes));
    room("queue", "batches waiting", waiting)
        .class("room")
        .child(bar(fill, "level"))
        .child(element("p").text(percent(fill)).text(" full"))
        .child(element("p").child(bytes))
}

fn workers(view: &View, stage: &StageView) -> Element {
    let workers = &view.workers;
    let working = element("span")
        .child(count("pipeline_active_workers", workers.active))
        .child(element("small").text(" of ").child(count("pipeline_workers", workers.configured)));
    room("workers", "at work", working)
        .class(limit(stage))
        .child(bar_of(stage))
        .child(busy(view, stage))
}

fn lanes(view: &View, stage: &StageView) -> Element {
    let latency = &view.latency_seconds.insert;
    let series = "pipeline_stage_latency_seconds{stage=\"insert\",quantile=\"0.95\"}";
    let slow = latency.p95.map_or_else(unknown, |p95| figure(series, p95, super::seconds(p95)));
    let open = count("pipeline_stage_threads{stage=\"insert\"}", view.lanes);
    room("lanes", "writing", element("span").child(open))
        .class(limit(stage))
        .child(bar_of(stage))
        .child(busy(view, stage))
        .child(element("p").text("95 % of batches in ").child(slow))
}

fn sink(view: &View) -> Element {
    let bytes = format!("pipeline_bytes_written_total{{format=\"{}\"}}", view.sink.format);
    let written = figure(bytes, view.bytes.written as f64, text::bytes(view.bytes.written));
    let records = view.records.inserted + view.records.updated;
    let origin = "rate of pipeline_records_inserted_total and pipeline_records_updated_total";
    room(view.sink.kind, "sink", rate(view.written_per_second, view, records, origin))
        .class("room")
        .child(bar(view.progress_ratio.unwrap_or_default(), "level"))
        .child(element("p").text(match view.progress_ratio {
            Some(progress) => {
                format!("{} of the source", percent((progress * 100.0).floor() / 100.0))
            }
            None => "end of the source unknown".to_string(),
        }))
        .child(element("p").child(written).text(" written"))
}

/// Records a second: of the last seconds where the run is on, else of all of it.
fn rate(now: Option<f64>, view: &View, records: u64, origin: &str) -> Element {
    let average = records as f64 / view.elapsed_seconds.max(1e-9);
    derived(origin.to_string(), per_second(now.unwrap_or(average)))
}

fn room(name: &str, what: &str, number: Element) -> Element {
    element("li")
        .child(element("h3").text(name))
        .child(element("p").class("what").text(what))
        .child(element("p").class("big").child(number))
}

fn limit(stage: &StageView) -> &'static str {
    if stage.is_limit { "room limit" } else { "room" }
}

fn bar_of(stage: &StageView) -> Element {
    bar(stage.busy_share.unwrap_or_default(), "fill")
}

/// `83 % busy, waits for input`, and whether it is the limit.
fn busy(view: &View, stage: &StageView) -> Element {
    let Some(share) = stage.busy_share else {
        return element("p").class("quiet").text("nothing done yet");
    };
    let origin = format!("share of pipeline_stage_busy_seconds_total{{stage=\"{}\"}}", stage.stage);
    let mut line = element("p").child(derived(origin, percent(share))).text(" busy");
    if stage.is_limit {
        let words = match view.limit.as_ref().and_then(|limit| limit.held_back_by) {
            Some("retry") => "waits to try again",
            Some("lock") => "others hold locks",
            Some(_) => "held back by settings",
            None => "the limit",
        };
        line = line.text(", ").child(element("strong").text(words));
    } else if let Some(wait) = longest_wait(stage) {
        line = line.text(format!(", waits for {wait}"));
    }
    line
}

fn longest_wait(stage: &StageView) -> Option<&'static str> {
    let waits = &stage.wait_seconds;
    let all = [
        (waits.input, "input"),
        (waits.output, "room behind it"),
        (waits.retry, "another try"),
        (waits.throttle, "its allowance"),
        (waits.lock, "locks of others"),
    ];
    let longest = all.into_iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
    (longest.0 > stage.busy_seconds * 0.05).then_some(longest.1)
}
