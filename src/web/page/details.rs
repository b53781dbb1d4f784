//! All that is known beside the first screen, by where it belongs.

use super::{ago, count, figure, seconds, section, unknown};
use crate::draw::{Element, Node, element};
use crate::report::text;
use crate::web::live::view::{OperationView, View};

pub fn details(view: &View) -> Element {
    let groups = [
        Some(source(view)),
        Some(work(view)),
        Some(sink(view)),
        Some(batches(view)),
        requests(view),
        statements(view),
        Some(process(view)),
    ];
    section("details", "Details")
        .child(element("div").class("groups").children(groups.into_iter().flatten()))
}

fn group(name: &str, rows: Vec<(String, Node)>) -> Element {
    let rows = rows.into_iter().map(|(name, value)| {
        element("div").child(element("dt").text(name)).child(element("dd").child(value))
    });
    element("div").child(element("h3").text(name)).child(element("dl").children(rows))
}

fn row(name: impl Into<String>, value: impl Into<Node>) -> (String, Node) {
    (name.into(), value.into())
}

fn source(view: &View) -> Element {
    let mut rows = vec![row("kind", view.source.kind), row("format", view.source.format)];
    rows.push(row(
        "records expected",
        view.records_expected
            .map_or_else(unknown, |expected| count("pipeline_records_expected", expected)),
    ));
    if view.files.processed + view.files.failed > 0 {
        rows.push(row("files read", count("pipeline_files_processed_total", view.files.processed)));
        rows.push(row("files failed", count("pipeline_files_failed_total", view.files.failed)));
    }
    group("Source", rows)
}

fn work(view: &View) -> Element {
    let mut rows = Vec::new();
    for stage in &view.stages {
        let series = format!("pipeline_stage_busy_seconds_total{{stage=\"{}\"}}", stage.stage);
        let name = match stage.stage {
            "fetch" => "reader busy",
            "convert" => "workers busy",
            _ => "lanes busy",
        };
        rows.push(row(name, figure(series, stage.busy_seconds, seconds(stage.busy_seconds))));
    }
    let memory = &view.memory;
    let bytes = |value: u64| text::bytes(value);
    rows.push(row(
        "memory for records",
        element("span")
            .child(figure(
                "pipeline_memory_used_bytes",
                memory.used_bytes as f64,
                bytes(memory.used_bytes),
            ))
            .text(" of ")
            .child(figure(
                "pipeline_memory_budget_bytes",
                memory.budget_bytes as f64,
                bytes(memory.budget_bytes),
            )),
    ));
    group("Work", rows)
}

fn sink(view: &View) -> Element {
    let mut rows = vec![row("kind", view.sink.kind), row("format", view.sink.format)];
    rows.push(row("lanes", count("pipeline_stage_threads{stage=\"insert\"}", view.lanes)));
    if let Some(published) = view.published {
        let words = if published { "yes" } else { "no" };
        rows.push(row(
            "published",
            figure("pipeline_published", f64::from(u8::from(published)), words),
        ));
    }
    for limited in &view.rate_limited {
        let series = format!("pipeline_rate_limited_total{{stage=\"{}\"}}", limited.stage);
        rows.push(row(
            format!("asked for less in {}", limited.stage),
            count(series, limited.count),
        ));
    }
    group("Sink", rows)
}

/// How long one batch takes: half of them, 95 and 99 of a hundred take no longer.
fn batches(view: &View) -> Element {
    let of = &view.latency_seconds;
    let heads = ["", "p50", "p95", "p99"].map(|head| match head {
        "" => element("td"),
        head => element("th").with("scope", "col").text(head),
    });
    let rows = [
        ("read", "fetch", &of.fetch),
        ("durable", "insert", &of.insert),
        ("in all", "batch", &of.batch),
    ];
    let rows = rows.map(|(name, stage, latency)| {
        let quantile = |rank: &str, value: Option<f64>| {
            let series =
                format!("pipeline_stage_latency_seconds{{stage=\"{stage}\",quantile=\"{rank}\"}}");
            element("td").child(maybe(&series, value, seconds))
        };
        element("tr")
            .child(element("th").with("scope", "row").text(name))
            .child(quantile("0.5", latency.p50))
            .child(quantile("0.95", latency.p95))
            .child(quantile("0.99", latency.p99))
    });
    let table = element("table")
        .class("small")
        .child(element("thead").child(element("tr").children(heads)))
        .child(element("tbody").children(rows));
    element("div").child(element("h3").text("Time of a batch")).child(table)
}

fn requests(view: &View) -> Option<Element> {
    let http = view.http.as_ref()?;
    let mut rows =
        vec![row("under way", count("pipeline_http_requests_in_flight", http.in_flight))];
    for request in &http.requests {
        let (what, code) = (request.operation, request.code);
        let series =
            format!("pipeline_http_requests_total{{operation=\"{what}\",code=\"{code}\"}}");
        let name = format!("{}, {}", what.replace('_', " "), code.replace('_', " "));
        rows.push(row(name, count(series, request.count)));
    }
    rows.extend(http.latency_seconds.iter().map(|asked| times(asked, "http_request")));
    Some(group("Requests to Elasticsearch", rows))
}

fn statements(view: &View) -> Option<Element> {
    let sql = view.sql.as_ref()?;
    let mut rows = vec![row("connections", count("pipeline_sql_connections", sql.connections))];
    rows.extend(sql.latency_seconds.iter().map(|asked| times(asked, "sql")));
    for change in &sql.schema_operations {
        let series = format!(
            "pipeline_schema_operations_total{{operation=\"{}\",status=\"{}\"}}",
            change.operation, change.status
        );
        let name = format!("{}, {}", change.operation.replace('_', " "), change.status);
        rows.push(row(name, count(series, change.count)));
    }
    Some(group("Statements to MySQL", rows))
}

/// `118 × 36 ms`
fn times(asked: &OperationView, what: &str) -> (String, Node) {
    let operation = asked.operation;
    let series = format!("pipeline_{what}_duration_seconds");
    let labels = format!("{{operation=\"{operation}\"}}");
    let mean = asked.latency.sum / asked.latency.count.max(1) as f64;
    let both = element("span")
        .child(count(format!("{series}_count{labels}"), asked.latency.count))
        .text(" × ")
        .child(super::derived(format!("mean of {series}{labels}"), seconds(mean)));
    row(operation.replace('_', " "), both)
}

fn process(view: &View) -> Element {
    let process = &view.process;
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    let bytes = |value: f64| text::bytes(value as u64);
    let number = |value: f64| text::count(value as u64);
    let mut rows = vec![
        row("CPU time", maybe("process_cpu_seconds_total", process.cpu_seconds, seconds)),
        row(
            "resident memory",
            maybe("process_resident_memory_bytes", whole(process.resident_bytes), bytes),
        ),
        row("threads", maybe("process_threads", whole(process.threads), number)),
        row("open files", maybe("process_open_fds", whole(process.open_fds), number)),
        row(
            "read from storage",
            maybe("process_io_read_bytes_total", whole(process.read_bytes), bytes),
        ),
        row(
            "written to storage",
            maybe("process_io_written_bytes_total", whole(process.written_bytes), bytes),
        ),
    ];
    if let Some(at) = view.ledger.as_ref().and_then(|ledger| ledger.last_success_at_seconds) {
        rows.push(row("last complete run", ago(view.taken_at_seconds - at)));
    }
    group("Process", rows)
}

/// A number that may be unknown.
fn maybe(series: &str, value: Option<f64>, shown: impl Fn(f64) -> String) -> Element {
    value.map_or_else(unknown, |value| figure(series, value, shown(value)))
}
