//! What a run tells by OTLP, read back by others: its trace from a real Jaeger, and the messages by the
//! reference classes.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::collector::{Taken, attribute};
use crate::support::jaeger::Jaeger;
use crate::support::orders::orders;
use crate::support::receiver::{Arrival, HttpReceiver, Reply};
use crate::support::scripted_elastic::{Fault, Kind, Like, Script};
use crate::support::told::{Numbers, numbers, numbers_on};
use crate::support::{LedgerFile, needs, workdir};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
const PARENT: &str = "b7ad6b7169203331";
/// The trace of the parent is kept, and the parent is known to be in another process.
const SAMPLED_BELOW_A_REMOTE_PARENT: u64 = 0x301;

#[test]
fn a_jaeger_has_the_trace_of_a_run_with_its_retries() {
    let binary = needs!("jaeger");
    let workdir = workdir!();
    let jaeger = Jaeger::start(&binary, &workdir);
    for (protocol, address, id) in [
        ("http/protobuf", format!("{}/v1/traces", jaeger.http), "0af7651916cd43dd8448eb211c80319c"),
        ("grpc", jaeger.grpc.clone(), "0af7651916cd43dd8448eb211c80319d"),
    ] {
        let script = Script::small(Like::Elasticsearch9, 1_200);
        let server = script.fault(Kind::Page, 2, Fault::Status(503, "")).start();
        let command = server.read_by(&workdir).args(["--output-file", "out.jsonl"]);
        let command = command.args(["--batch-size", "300", "--pipeline-id", "orders"]);
        let command = command.env(ENDPOINT, format!("http://{address}")).env(PROTOCOL, protocol);
        let command = command.env("OTEL_RESOURCE_ATTRIBUTES", "team=na%C3%AFve%2Cdata");
        let command = command.env("TRACEPARENT", format!("00-{id}-{PARENT}-01"));
        command.args(["--require-report"]).run().assert_code(0);
        let trace = jaeger.trace(id);

        let run = trace.span("run");
        assert_eq!(run["parentSpanId"], PARENT, "{protocol}");
        assert_eq!(run["flags"], SAMPLED_BELOW_A_REMOTE_PARENT, "{protocol}");
        assert_eq!(run.get("status").and_then(|status| status.get("code")), None, "{protocol}");
        for (name, value) in [
            ("flowgauge.pipeline.id", "orders"),
            ("flowgauge.source", "elasticsearch"),
            ("flowgauge.outcome", "complete"),
            ("flowgauge.exit_code", "0"),
            ("flowgauge.records.read", "1200"),
            ("flowgauge.records.inserted", "1200"),
            ("flowgauge.records.failed", "0"),
        ] {
            assert_eq!(attribute(&run, name), value, "{protocol} {name}");
        }
        let resource = &trace.spans[0][0]["resource"];
        assert_eq!(attribute(resource, "team"), "naïve,data", "{protocol}");

        trace.assert_nested();
        let spans = trace.all_spans();
        for (name, count) in
            [("open", 1), ("fetch", 1), ("convert", 1), ("insert", 1), ("batch", 4)]
        {
            let found: Vec<&Value> = spans.iter().filter(|span| span["name"] == name).collect();
            assert_eq!(found.len(), count, "{protocol} {name}");
            for span in found {
                assert_eq!(span["parentSpanId"], run["spanId"], "{protocol} {name}");
                // It warns of what is not as it should be.
                assert_eq!(attribute(span, "@jaeger@warnings"), "", "{protocol} {name}");
            }
        }
        assert_eq!(spans.len(), 9, "{protocol}");
        let batches = spans.iter().filter(|span| span["name"] == "batch");
        let records = batches.map(|batch| attribute(batch, "flowgauge.records"));
        assert_eq!(records.map(|records| records.parse::<u64>().unwrap()).sum::<u64>(), 1_200);

        let fetch = trace.span("fetch");
        let events = fetch["events"].as_array().unwrap();
        let names: Vec<&Value> = events.iter().map(|event| &event["name"]).collect();
        assert_eq!(names, ["exception", "retry"], "{protocol}");
        assert_eq!(attribute(&events[1], "flowgauge.attempt"), "1", "{protocol}");
        for event in events {
            assert_eq!(attribute(event, "exception.type"), "overloaded", "{protocol}");
            assert!(attribute(event, "exception.message").contains("503"), "{protocol} {event}");
        }
        assert_eq!(trace.span("insert").get("events"), None, "{protocol}");
    }
}

#[test]
fn a_jaeger_shows_that_a_run_failed() {
    let binary = needs!("jaeger");
    let workdir = workdir!();
    let jaeger = Jaeger::start(&binary, &workdir);
    let command = orders(&workdir, 7, 2).args(["--max-errors", "1"]);
    let command = command.env(ENDPOINT, format!("http://{}/v1/traces", jaeger.http));
    command.run().assert_code(3);
    let id = LedgerFile::of(&workdir).texts("SELECT trace_id FROM runs").remove(0);
    let trace = jaeger.trace(&id);
    trace.assert_nested();
    let run = trace.span("run");
    // By the enumeration of OTLP, 2 is an error.
    assert_eq!(run["status"]["code"], 2, "{run}");
    let why = run["status"]["message"].as_str().unwrap();
    assert!(why.contains("--max-errors"), "{run}");
    assert_eq!(attribute(&run, "flowgauge.outcome"), "data", "{run}");
    assert_eq!(run.get("parentSpanId"), None, "{run}");
}

/// All that a run says of itself, as others read it; they write the same bytes again.
#[test]
fn the_reference_classes_read_every_message() {
    let decoder = needs!("opentelemetry_proto");
    let workdir = workdir!();
    let taken = Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for temporality in ["cumulative", "delta"] {
        let receiver = HttpReceiver::start(taken);
        let command = orders(&workdir, 900, 3).args(["--max-errors", "10", "--batch-size", "100"]);
        let command = command.args(["--metrics-textfile", "run.prom", "--expect-every", "24h"]);
        let command =
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", receiver.address));
        let command = command.env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality);
        let command = command.env("OTEL_RESOURCE_ATTRIBUTES", "team=na%C3%AFve%2Cdata");
        let command = command.env("TRACEPARENT", format!("00-{}-{PARENT}-01", "1a".repeat(16)));
        command.args(["--require-report"]).run().assert_code(0);

        let mut told = Taken::default();
        for arrival in receiver.rest() {
            let (signal, key, kept) = match arrival.head.starts_with("POST /v1/metrics ") {
                true => ("metrics", "resourceMetrics", &mut told.metrics),
                false => ("traces", "resourceSpans", &mut told.spans),
            };
            let mut message = decoded(&decoder, signal, &arrival);
            let Value::Array(resources) = message[key].take() else { panic!("{message}") };
            assert_eq!(attribute(&resources[0]["resource"], "team"), "naïve,data");
            kept.push(resources);
        }
        // Counters and histograms of all deltas are those of the run; all else is of its end.
        let last = told.metrics.len() - 1;
        let mut found = Numbers::new();
        for message in 0..=last {
            for (key, value) in told.numbers(message) {
                let counts = temporality == "delta" && told.is_delta(message, &key.0);
                let earlier = found.remove(&key).filter(|_| counts).unwrap_or_default();
                found.insert(key, earlier + value);
            }
        }
        let expected = numbers_on(&workdir.read("run.prom"), "orders");
        assert!(expected.len() > 100, "{}", expected.len());
        for (key, value) in &expected {
            let found = found.remove(key);
            // Sums of differences of fractions.
            let is_same = found.is_some_and(|found| (found - value).abs() <= value.abs() * 1e-9);
            assert!(is_same, "{temporality} {key:?}: {value} and {found:?}");
        }
        assert_eq!(found, Numbers::new(), "{temporality}");

        assert_eq!(told.spans.len(), 1, "{temporality}");
        told.assert_nested();
        assert_eq!(attribute(&told.span("run"), "flowgauge.records.inserted"), "897");
        let batches = told.all_spans().iter().filter(|span| span["name"] == "batch").count();
        assert_eq!(batches, 9, "{temporality}");
    }
}

/// As JSON, by the decoder; it fails at what the classes do not know.
#[track_caller]
fn decoded(decoder: &str, signal: &str, arrival: &Arrival) -> Value {
    let classes = std::env::var("FLOWGAUGE_TEST_OPENTELEMETRY_PROTO_CLASSES").unwrap();
    let mut python = Command::new("python3");
    python.args([decoder, signal]).env("PYTHONPATH", classes);
    python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&arrival.body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Taken {
    fn metrics(&self, message: usize) -> impl Iterator<Item = &Value> {
        let scopes = self.metrics[message]
            .iter()
            .flat_map(|resource| resource["scopeMetrics"].as_array().unwrap());
        scopes.flat_map(|scope| scope["metrics"].as_array().unwrap())
    }

    fn is_delta(&self, message: usize, series: &str) -> bool {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end));
        let mut named = self.metrics(message).filter(|metric| {
            metric["name"] == series || base.is_some_and(|base| metric["name"] == base)
        });
        named.any(|metric| {
            ["sum", "histogram"].iter().any(|kind| {
                metric[kind]["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_DELTA"
            })
        })
    }

    /// Those of the message, under the names that a page of Prometheus has for them.
    fn numbers(&self, message: usize) -> Numbers {
        let mut samples = Vec::new();
        for metric in self.metrics(message) {
            let name = metric["name"].as_str().unwrap();
            for kind in ["sum", "gauge", "histogram", "summary"] {
                for point in metric[kind]["dataPoints"].as_array().into_iter().flatten() {
                    samples.extend(series(name, kind, point));
                }
            }
        }
        numbers(samples.into_iter())
    }
}

type Sample = (String, BTreeMap<String, String>, f64);

fn series(name: &str, kind: &str, point: &Value) -> Vec<Sample> {
    let attributes = point["attributes"].as_array().into_iter().flatten();
    let text = |one: &Value| one["value"]["stringValue"].as_str().unwrap().to_string();
    let labels: BTreeMap<String, String> =
        attributes.map(|one| (one["key"].as_str().unwrap().to_string(), text(one))).collect();
    let sample = |end: &str, value: f64| (format!("{name}{end}"), labels.clone(), value);
    let bounded = |end: &str, bound: &str, at: f64, value: f64| {
        let mut labels = labels.clone();
        labels.insert(bound.to_string(), at.to_string());
        (format!("{name}{end}"), labels, value)
    };
    match kind {
        "histogram" => {
            let bounds = point["explicitBounds"].as_array().unwrap().iter().map(number);
            let counts = point["bucketCounts"].as_array().unwrap().iter().map(number);
            let mut below = 0.0;
            let buckets = bounds.chain([f64::INFINITY]).zip(counts).map(|(bound, count)| {
                below += count;
                bounded("_bucket", "le", bound, below)
            });
            let mut samples: Vec<Sample> = buckets.collect();
            samples.push(sample("_count", number(&point["count"])));
            samples.push(sample("_sum", number(&point["sum"])));
            samples
        }
        "summary" => {
            let quantiles = point["quantileValues"].as_array().into_iter().flatten();
            let quantiles = quantiles.map(|one| {
                bounded("", "quantile", number(&one["quantile"]), number(&one["value"]))
            });
            let mut samples: Vec<Sample> = quantiles.collect();
            samples.push(sample("_count", number(&point["count"])));
            samples.push(sample("_sum", number(&point["sum"])));
            samples
        }
        _ => {
            let value = ["asInt", "asDouble"].iter().find_map(|kind| point.get(kind)).unwrap();
            vec![sample("", number(value))]
        }
    }
}

/// Whole numbers are texts, and zeros are left out.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        Value::Null => 0.0,
        other => other.as_f64().unwrap(),
    }
}
