//! Receivers of OTLP that answer otherwise than all is well: what is sent again, what is not, and what is
//! said of it, as the specification of OTLP has it. What may have been taken is never counted twice.

use std::io::Write;
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::Reason;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message;

use crate::support::grpc_receiver::{GrpcReceiver, GrpcReply, Headers, framed};
use crate::support::orders::{orders, report};
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::{Workdir, workdir};

const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// As receivers of OTLP say it: three were not taken, because it is full.
const PARTIAL: &[u8] = b"\n\x08\x08\x03\x12\x04full";
const GRPC: Headers = &[("content-type", "application/grpc")];
const ACCEPTED: Headers = &[("grpc-status", "0")];

const fn refused(status: &'static str) -> [(&'static str, &'static str); 2] {
    [("content-type", "application/grpc"), ("grpc-status", status)]
}

const UNKNOWN: Headers = &refused("2");
const INVALID_ARGUMENT: Headers = &refused("3");
const INTERNAL: Headers = &refused("13");
const RESOURCE_EXHAUSTED: Headers = &refused("8");
const UNAVAILABLE: Headers = &refused("14");
/// `google.rpc.Status` with a `RetryInfo` of 60 s.
const UNAVAILABLE_FOR_LONG: Headers = &[
    ("content-type", "application/grpc"),
    ("grpc-status", "14"),
    (
        "grpc-status-details-bin",
        "CA4SBGZ1bGwaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIPA",
    ),
];
/// The same with one that no clock reaches.
const UNAVAILABLE_FOR_EVER: Headers = &[
    ("content-type", "application/grpc"),
    ("grpc-status", "14"),
    (
        "grpc-status-details-bin",
        "CA4SBGZ1bGwaOAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIMCgoI//////////9/",
    ),
];
/// The same with one of 10 ms.
const EXHAUSTED_FOR_NOW: Headers = &[
    ("content-type", "application/grpc"),
    ("grpc-status", "8"),
    (
        "grpc-status-details-bin",
        "CAgSBGZ1bGwaMwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIHCgUQgK3iBA",
    ),
];

/// A receiver that speaks one or the other.
enum Hostile {
    Http(HttpReceiver),
    Grpc(GrpcReceiver),
}

#[derive(Clone, Debug)]
enum Answer {
    Http(Reply),
    Grpc(GrpcReply),
}

fn http(answer: &'static str) -> Answer {
    Answer::Http(Reply::Bytes(answer))
}

/// A success with this kind of body.
fn body(kind: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    Answer::Http(Reply::Raw([head.as_bytes(), body].concat().leak()))
}

fn grpc(headers: Headers) -> Answer {
    Answer::Grpc(GrpcReply::Headers(headers))
}

fn call(headers: Headers, body: Bytes, trailers: Option<Headers>) -> Answer {
    Answer::Grpc(GrpcReply::Body(headers, body, trailers))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Hostile {
    fn start(answer: &Answer) -> Hostile {
        match answer {
            Answer::Http(reply) => Hostile::Http(HttpReceiver::start(*reply)),
            Answer::Grpc(reply) => Hostile::Grpc(GrpcReceiver::start(reply.clone())),
        }
    }

    fn protocol(&self) -> &'static str {
        match self {
            Hostile::Http(_) => "http/protobuf",
            Hostile::Grpc(_) => "grpc",
        }
    }

    fn url(&self) -> String {
        match self {
            Hostile::Http(receiver) => format!("http://{}/v1/x", receiver.address),
            Hostile::Grpc(receiver) => format!("http://{}", receiver.address),
        }
    }

    /// What came so far and was not looked at.
    fn rest(&self) -> Vec<Vec<u8>> {
        match self {
            Hostile::Http(receiver) => {
                receiver.rest().into_iter().map(|arrival| arrival.body).collect()
            }
            Hostile::Grpc(receiver) => receiver.rest(),
        }
    }

    #[track_caller]
    fn next(&self) -> Vec<u8> {
        match self {
            Hostile::Http(receiver) => receiver.next().body,
            Hostile::Grpc(receiver) => receiver.next(),
        }
    }

    /// What a message says was read.
    fn read(&self, body: &[u8]) -> i64 {
        let body = match self {
            Hostile::Http(_) => body,
            Hostile::Grpc(_) => &body[5..],
        };
        let message = ExportMetricsServiceRequest::decode(body).unwrap();
        let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
        let metric = metrics.iter().find(|metric| metric.name == "pipeline_records_read_total");
        let Some(metric::Data::Sum(sum)) = metric.and_then(|metric| metric.data.as_ref()) else {
            panic!("nothing was read");
        };
        match sum.data_points[0].value {
            Some(number_data_point::Value::AsInt(value)) => value,
            other => panic!("{other:?}"),
        }
    }
}

/// What each message of a run says was read: 300 records, a message that says so, 50 more, the end.
#[track_caller]
fn deltas(workdir: &Workdir, name: usize, answer: &Answer) -> Vec<i64> {
    let receiver = Hostile::start(answer);
    let output = format!("out-{name}.jsonl");
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", &output]);
    let id = format!("orders-{name}");
    let command = command.args(["--pipeline-id", &id, "--batch-size", "1"]);
    let command = command.env(METRICS, receiver.url()).env(PROTOCOL, receiver.protocol());
    let command = command.env(TEMPORALITY, "delta").env("OTEL_METRIC_EXPORT_INTERVAL", "1000");
    let mut run = command.stdin_open().spawn();
    let mut stdin = run.stdin();
    // Nothing is open before a pipe has brought as much as is looked at first.
    let long = format!("{{\"id\":\"{}\"}}\n", "x".repeat(1000)).repeat(300);
    stdin.write_all(long.as_bytes()).unwrap();
    let mut read = Vec::new();
    while read.last().is_none_or(|read| *read == 0) {
        read.push(receiver.read(&receiver.next()));
    }
    stdin.write_all("{\"id\":\"x\"}\n".repeat(50).as_bytes()).unwrap();
    drop(stdin);
    run.finish().assert_code(0);
    read.extend(receiver.rest().iter().map(|body| receiver.read(body)));
    read
}

#[test]
fn what_may_have_been_taken_is_in_no_later_delta() {
    let workdir = workdir!();
    let huge = Bytes::from(vec![0; 5 << 20]);
    let answers = [
        body("content-type: application/x-protobuf", PARTIAL),
        http("HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        http("HTTP/1.1 504 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Answer::Http(Reply::Closed),
        call(GRPC, framed(false, PARTIAL), Some(ACCEPTED)),
        grpc(UNKNOWN),
        grpc(INTERNAL),
        grpc(RESOURCE_EXHAUSTED),
        // No word of how it ended.
        grpc(GRPC),
        call(GRPC, framed(false, b""), None),
        call(GRPC, huge, Some(ACCEPTED)),
        Answer::Grpc(GrpcReply::Reset(Reason::INTERNAL_ERROR)),
    ];
    thread::scope(|scope| {
        for (name, answer) in answers.iter().enumerate() {
            let workdir = &workdir;
            scope.spawn(move || {
                let read = deltas(workdir, name, answer);
                assert_eq!(read.iter().sum::<i64>(), 350, "{answer:?}: {read:?}");
            });
        }
    });
}

#[test]
fn what_was_refused_is_in_the_next_delta() {
    let workdir = workdir!();
    let answers = [
        http("HTTP/1.1 400 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        http("HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        grpc(INVALID_ARGUMENT),
        grpc(UNAVAILABLE),
        grpc(EXHAUSTED_FOR_NOW),
    ];
    thread::scope(|scope| {
        for (name, answer) in answers.iter().enumerate() {
            let workdir = &workdir;
            scope.spawn(move || {
                let read = deltas(workdir, name, answer);
                assert_eq!(read.last(), Some(&350), "{answer:?}: {read:?}");
            });
        }
    });
}

#[test]
fn only_what_can_be_sent_again_is() {
    let workdir = workdir!();
    for (answer, is_again) in [
        (http("HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), true),
        (http("HTTP/1.1 429 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), true),
        (http("HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), false),
        (http("HTTP/1.1 400 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), false),
        (
            http(
                "HTTP/1.1 503 No\r\nretry-after: Tue, 31 Dec 2199 23:59:59 GMT\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n",
            ),
            false,
        ),
        (body("content-type: application/x-protobuf", PARTIAL), false),
        (grpc(UNAVAILABLE), true),
        (grpc(UNAVAILABLE_FOR_LONG), false),
        (grpc(UNAVAILABLE_FOR_EVER), false),
        (grpc(EXHAUSTED_FOR_NOW), true),
        (grpc(RESOURCE_EXHAUSTED), false),
        (grpc(INVALID_ARGUMENT), false),
        (grpc(INTERNAL), false),
        (call(GRPC, framed(false, PARTIAL), Some(ACCEPTED)), false),
    ] {
        let receiver = Hostile::start(&answer);
        let command = orders(&workdir, 3, 0).env(TRACES, receiver.url());
        command.env(PROTOCOL, receiver.protocol()).run().assert_code(0);
        assert!(!report(&workdir, "otlp_traces").0, "{answer:?}");
        assert_eq!(receiver.rest().len() > 1, is_again, "{answer:?}");
    }
}

/// Numbers that count since the start may arrive twice, and still the specification has it so.
#[test]
fn an_internal_error_is_not_asked_for_again() {
    let workdir = workdir!();
    let error = "HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let receiver = HttpReceiver::start(Reply::Bytes(error));
    let endpoint = format!("http://{}/v1/metrics", receiver.address);
    orders(&workdir, 3, 0).env(METRICS, endpoint).run().assert_code(0);
    assert!(report(&workdir, "otlp_metrics").1.contains("answered 500"));
    // Zeros, unless the run was over before they were sent, and the end.
    let arrived = receiver.rest().len();
    assert!((1..=2).contains(&arrived), "{arrived}");
}

#[test]
fn what_receivers_say_is_understood() {
    let workdir = workdir!();
    let huge = vec![0; 5 << 20];
    let page = b"<html>Log in</html>";
    let json = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"full"}}"#;
    let refusal = "HTTP/1.1 400 No\r\ncontent-type: application/x-protobuf\r\ncontent-length: 13\r\n\
                   connection: close\r\n\r\n\u{8}\u{3}\u{12}\u{9}bad point";
    let wordy: Headers = Box::leak(Box::new([
        ("content-type", "application/grpc"),
        ("grpc-status", "3"),
        ("grpc-message", "bad%20%C3%BCber%0A".repeat(500).leak()),
    ]));
    for (answer, told) in [
        (http(refusal), "answered 400: bad point"),
        (body("content-type: application/x-protobuf", PARTIAL), "took all but 3 spans: full"),
        (body("content-type: application/json", json), "took all but 3 spans: full"),
        (
            body("content-type: application/x-protobuf\r\ncontent-encoding: gzip", &gzip(PARTIAL)),
            "took all but 3 spans: full",
        ),
        (body("content-type: text/html", page), "answered with a page"),
        (
            http(
                "HTTP/1.1 404 No\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: 6\r\n\
                 connection: close\r\n\r\n<html>",
            ),
            "answered 404",
        ),
        (body("content-type: application/x-protobuf", &huge), "answered with more than 4 MiB"),
        (body("content-type: application/x-protobuf", b""), ""),
        (body("content-type: application/json", b"{}"), ""),
        (body("content-type: text/plain", b"OK"), ""),
        (call(GRPC, framed(false, PARTIAL), Some(ACCEPTED)), "took all but 3 spans: full"),
        (
            call(
                &[("content-type", "application/grpc"), ("grpc-encoding", "gzip")],
                framed(true, &gzip(PARTIAL)),
                Some(ACCEPTED),
            ),
            "took all but 3 spans: full",
        ),
        (call(GRPC, huge.clone().into(), Some(ACCEPTED)), "answered with more than 4 MiB"),
        (call(GRPC, framed(false, b""), Some(ACCEPTED)), ""),
        (call(GRPC, framed(false, b""), None), "did not say how the call ended"),
        (grpc(GRPC), "did not say how the call ended"),
        (grpc(&[("content-type", "text/html")]), "not as gRPC does"),
        (grpc(wordy), "answered INVALID_ARGUMENT: bad über bad"),
    ] {
        let receiver = Hostile::start(&answer);
        let command = orders(&workdir, 3, 0).env(TRACES, receiver.url());
        let finished = command.env(PROTOCOL, receiver.protocol()).run();
        finished.assert_code(0);
        let (is_told, reason) = report(&workdir, "otlp_traces");
        let shown = format!("{answer:?}").chars().take(200).collect::<String>();
        assert_eq!(is_told, told.is_empty(), "{shown}: {reason}");
        assert!(reason.contains(told) && reason.len() < 400, "{shown}: {reason}, not {told}");
        let is_all = ["spans", "point", "404"].iter().any(|word| told.contains(word));
        assert!(reason.ends_with(told) || !is_all, "{shown}: {reason}");
    }
}
