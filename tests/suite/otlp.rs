//! A run in OpenTelemetry: its numbers and its spans, as a real Collector took them, and receivers that do
//! not answer as they should.

use std::io::Write;

use serde_json::Value;

use crate::support::collector::{Collector, attribute};
use crate::support::https::certificate;
use crate::support::ledger::LedgerFile;
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::{Flowgauge, Workdir, needs, workdir};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const COMPRESSION: &str = "OTEL_EXPORTER_OTLP_COMPRESSION";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Seven records, two of which are short of a field.
fn orders(workdir: &Workdir) -> Flowgauge {
    workdir.write("orders.csv", "id,name\n1,a\n2,b\nx\n3,c\ny\n4,d\n5,e\n");
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--output-file"]);
    let command = command.args(["out.jsonl", "--pipeline-id", "orders", "--batch-size", "3"]);
    command.args(["--max-errors", "2", "--summary-json", "summary.json"])
}

/// The row of a route: whether it was told, and why not.
#[track_caller]
fn report(workdir: &Workdir, route: &str) -> (bool, String) {
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    let rows = summary["reports"].as_array().unwrap();
    let row = rows.iter().find(|row| row["route"] == route);
    let row = row.unwrap_or_else(|| panic!("no {route} in {rows:?}"));
    (row["ok"].as_bool().unwrap(), row["reason"].as_str().unwrap_or_default().to_string())
}

#[test]
fn a_collector_has_the_numbers_and_the_spans_of_a_run() {
    let binary = needs!("otel_collector");
    let workdir = workdir!();
    certificate(&workdir);
    let plain = Collector::start(&binary, &workdir, "");
    let tls = ", tls: {cert_file: cert.pem, key_file: key.pem}";
    let secure = Collector::start(&binary, &workdir, tls);
    for (collector, scheme, protocol, compression) in [
        (&plain, "http", "http/protobuf", ""),
        (&plain, "http", "http/protobuf", "gzip"),
        (&plain, "http", "grpc", ""),
        (&plain, "http", "grpc", "gzip"),
        (&secure, "https", "http/protobuf", ""),
        (&secure, "https", "grpc", "gzip"),
    ] {
        let address = if protocol == "grpc" { &collector.grpc } else { &collector.http };
        let address = address.replace("127.0.0.1", "localhost");
        let command = orders(&workdir).env(ENDPOINT, format!("{scheme}://{address}"));
        let command = command.env(PROTOCOL, protocol).env(COMPRESSION, compression);
        let command = command.env(CERTIFICATE, "cert.pem").env("TRACEPARENT", PARENT);
        let finished = command.args(["--require-report"]).run();
        finished.assert_code(0);
        let taken = collector.taken();
        let what = format!("{scheme} {protocol} {compression}");
        // Zeros, unless the run was over before they were sent, and the end.
        let last = taken.metrics.len() - 1;
        assert!(last < 2, "{what}");
        let results = [("inserted", 5.0), ("failed", 2.0), ("updated", 0.0)];
        for (result, records) in results {
            let labels = [("result", result), ("pipeline_id", "orders")];
            let name = "pipeline_last_run_records";
            assert_eq!(taken.number(last, name, &labels), Some(records), "{what} {result}");
        }
        for (message, records) in [(last, 7.0), (0, if last > 0 { 0.0 } else { 7.0 })] {
            let name = "pipeline_records_read_total";
            assert_eq!(taken.number(message, name, &[]), Some(records), "{what}");
        }
        assert_eq!(taken.spans.len(), 1, "{what}");
        let run = taken.span("run");
        assert_eq!(
            (&run["traceId"], &run["parentSpanId"]),
            (&TRACE.into(), &"b7ad6b7169203331".into())
        );
        assert_eq!(attribute(&run, "flowgauge.records.inserted"), "5");
        assert_eq!(attribute(&run, "flowgauge.outcome"), "complete");
        assert!(attribute(&taken.spans[0][0]["resource"], "service.name") == "flowgauge");
        taken.assert_nested();
        let batches = taken.points(last, "pipeline_batch_duration_seconds");
        let exemplars = batches[0]["exemplars"].as_array().unwrap();
        assert_eq!(exemplars.len(), 3, "three batches");
        let slowest = taken.all_spans().into_iter().filter(|span| span["name"] == "batch");
        let slowest: Vec<Value> = slowest.map(|span| span["spanId"].clone()).collect();
        assert!(exemplars.iter().all(|one| slowest.contains(&one["spanId"])), "{exemplars:?}");
    }
    assert_eq!(LedgerFile::of(&workdir).texts("SELECT DISTINCT trace_id FROM runs"), [TRACE]);
}

#[test]
fn deltas_sum_up_to_the_run() {
    let binary = needs!("otel_collector");
    let workdir = workdir!();
    let collector = Collector::start(&binary, &workdir, "");
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--pipeline-id", "orders", "--batch-size", "1"]);
    let command = command.env(ENDPOINT, format!("http://{}", collector.http));
    let command = command.env(TEMPORALITY, "Delta").env("OTEL_METRIC_EXPORT_INTERVAL", "20");
    let mut run = command.stdin_open().spawn();
    let mut stdin = run.stdin();
    // Nothing is open before a pipe has brought as much as is looked at first.
    let long = format!("{{\"id\":\"{}\"}}\n", "x".repeat(1000)).repeat(300);
    stdin.write_all(long.as_bytes()).unwrap();
    let mut taken = collector.first_taken();
    for id in 0..50 {
        stdin.write_all(format!("{{\"id\":{id}}}\n").as_bytes()).unwrap();
        taken.metrics.extend(collector.taken().metrics);
    }
    drop(stdin);
    run.finish().assert_code(0);
    taken.metrics.extend(collector.taken().metrics);
    assert!(taken.metrics.len() >= 2);
    let all = 0..taken.metrics.len();
    let read = |message| taken.number(message, "pipeline_records_read_total", &[]);
    assert_eq!(all.clone().filter_map(read).sum::<f64>(), 350.0);
    let batches = |message| {
        let points = taken.points(message, "pipeline_batch_duration_seconds");
        // None stands for zero.
        let count = |point: &Value| point["count"].as_str().map_or(0, |text| text.parse().unwrap());
        points.iter().map(count).sum::<u64>()
    };
    assert_eq!(all.map(batches).sum::<u64>(), 350);
}

/// What a receiver does changes nothing about the data: it is a line, and a row in the summary.
#[test]
fn receivers_that_do_not_take_it() {
    let workdir = workdir!();
    for (reply, protocol, why) in [
        (Reply::Bytes("HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\nno"), "", "answered 400: no"),
        (Reply::Bytes("HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n"), "", "answered 413"),
        (
            Reply::Bytes("HTTP/1.1 429 Wait\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"),
            "",
            "answered 429",
        ),
        (
            Reply::Bytes(
                "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\n\u{8}\u{8}\u{3}\u{12}\u{4}full",
            ),
            "",
            "took all but 3 ",
        ),
        (
            Reply::Bytes("HTTP/1.1 302 No\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"),
            "",
            "redirects",
        ),
        (Reply::Closed, "", "cannot be reached"),
        (Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "grpc", "cannot be reached"),
        (Reply::Nothing, "", "did not answer within 0.3 s"),
    ] {
        let receiver = HttpReceiver::start(reply);
        let command = orders(&workdir).env(ENDPOINT, format!("http://{}", receiver.address));
        let command = command.env(PROTOCOL, protocol).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
        let finished = command.run();
        finished.assert_code(0);
        for route in ["otlp_metrics", "otlp_traces"] {
            let (is_told, reason) = report(&workdir, route);
            assert!(!is_told && reason.contains(why), "{route}: {reason}, not {why}\n{finished}");
        }
        assert_eq!(workdir.read("out.jsonl").lines().count(), 5);
    }
}

#[test]
fn nobody_there_is_one_line_and_a_failure_where_reports_are_required() {
    let workdir = workdir!();
    let away = |command: Flowgauge| {
        let command =
            command.env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:9/v1/metrics");
        command.run()
    };
    away(orders(&workdir)).assert_code(0);
    assert!(report(&workdir, "otlp_metrics").1.contains("cannot be reached"));
    away(orders(&workdir).args(["--require-report"])).assert_code(6);
    assert_eq!(workdir.read("out.jsonl").lines().count(), 5);
}

#[test]
fn variables_that_mean_nothing_are_passed_over_with_a_line() {
    let workdir = workdir!();
    let command = orders(&workdir).env("TRACEPARENT", "what");
    let finished = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense s3cret").run();
    finished.assert_code(0);
    finished.assert_stderr_has("TRACEPARENT is no trace context");
    finished.assert_stderr_has("OTEL_EXPORTER_OTLP_ENDPOINT is ignored");
    assert!(!finished.stderr.contains("s3cret"), "{finished}");
}

/// A server repeats the address that it was asked at, and that holds a secret.
#[test]
fn the_value_of_a_variable_is_in_no_span() {
    let workdir = workdir!();
    let echo = HttpReceiver::start(Reply::Echo("HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\n"));
    let traces = HttpReceiver::start(Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let config = format!(
        "source_type = 'elasticsearch'\nes_url = 'http://{}/${{TOKEN}}'\nes_index = 'i'\n\
         output_file = 'o.jsonl'\n",
        echo.address
    );
    workdir.write("syncs.toml", config);
    let command = workdir.flowgauge().args(["--config", "syncs.toml"]).env("TOKEN", "geheim-4711");
    let endpoint = format!("http://{}", traces.address);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint).run();
    let told = traces.next().text();
    assert!(told.contains("exception") && !told.contains("geheim-4711"), "{told}");
}

#[test]
fn lines_for_machines_name_the_trace() {
    let workdir = workdir!();
    let finished = orders(&workdir).args(["--log-format", "json"]).env("TRACEPARENT", PARENT).run();
    finished.assert_code(0);
    let lines = finished.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let traces: Vec<Value> = lines.map(|line| line["trace_id"].clone()).collect();
    assert!(traces.len() > 1 && traces.iter().all(|trace| trace == TRACE), "{traces:?}");
}
