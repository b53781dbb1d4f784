//! Runs in Prometheus and VictoriaMetrics by remote write, with zeros and an end.

use serde_json::Value;

use crate::support::orders::{ACCEPTED, RUNS, every_end, orders, report};
use crate::support::prometheus::Prometheus;
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::told::{Told, told, told_by};
use crate::support::{Daemon, Flowgauge, eventually, needs, workdir};

#[test]
fn prometheus_has_every_run_by_remote_write() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let prometheus = Prometheus::start(&binary, &workdir, "global: {}\n");
    let url = format!("http://{}/api/v1/write", prometheus.address);
    let tell = |command: Flowgauge| {
        command.args(["--metrics-remote-write", &url, "--metrics-label", "env=prod"])
    };
    let heard = |expected: &Told| {
        assert_eq!(told_by(|query| prometheus.query(query)).as_ref(), Some(expected));
    };
    for count in 1..=RUNS {
        let finished = tell(orders(&workdir, count, 0)).run();
        finished.assert_code(0);
        assert_eq!(report(&workdir, "remote_write"), (true, String::new()), "{finished}");
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
    // Zeros and an end of each of them.
    let samples = "count_over_time(pipeline_records_read_total{env=\"prod\"}[1h])";
    assert_eq!(prometheus.number(samples), Some(2.0 * (RUNS as f64 + 4.0)));
}

#[test]
fn victoria_metrics_has_every_run_by_remote_write_and_by_import() {
    let binary = needs!("victoria_metrics");
    let workdir = workdir!();
    let args = [
        "-httpListenAddr={address}",
        "-storageDataPath=victoria-data",
        "-search.latencyOffset=0s",
        "-search.disableCache",
    ];
    let server = Daemon::start(&binary, &workdir, &args, "/health");
    let query = |expression: &str| {
        server.get("/internal/force_flush");
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = server.get(&format!("/api/v1/query?query={encoded}"));
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        match answer["data"]["result"].take() {
            Value::Array(series) => series,
            other => panic!("{other}"),
        }
    };
    for (flag, path) in [
        ("--metrics-remote-write", "/api/v1/write"),
        ("--metrics-push", "/api/v1/import/prometheus?extra_label=by=import"),
    ] {
        let url = format!("http://{}{path}", server.address);
        let tell = |command: Flowgauge| command.args([flag, &url]);
        let label = if flag == "--metrics-push" { "import" } else { "" };
        let heard = |expected: &Told| {
            let of_this = |expression: &str| {
                query(&expression.replace("\"orders\"", &format!("\"orders\",by=\"{label}\"")))
            };
            let as_expected = || told_by(of_this).filter(|told| told == expected);
            eventually(&format!("{expected:?} by {flag}"), as_expected);
        };
        for count in 1..=RUNS {
            tell(orders(&workdir, count, 0)).run().assert_code(0);
            heard(&told("complete", count, 0));
        }
        every_end(&workdir, tell, heard);
    }
}

/// The zeros of a start that seemed lost, and an answer that says that something newer is there.
#[test]
fn remote_write_goes_without_zeros_that_are_too_old() {
    let workdir = workdir!();
    let refused = Reply::Bytes(
        "HTTP/1.1 400 Bad\r\ncontent-length: 19\r\nconnection: close\r\n\r\nout of order sample",
    );
    let receiver = HttpReceiver::with_replies(vec![Reply::Closed, refused, ACCEPTED]);
    let url = format!("http://{}/write", receiver.address);
    // Nothing but the end is told: it was refused.
    let command =
        workdir.flowgauge().args(["--csv-file", "absent.csv", "--output-file", "o.jsonl"]);
    let command = command.args(["--summary-json", "summary.json", "--metrics-remote-write", &url]);
    command.run().assert_code(2);
    let sizes: Vec<usize> = (0..3).map(|_| receiver.next().body.len()).collect();
    assert!(sizes[0] == sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
    assert_eq!(report(&workdir, "remote_write"), (true, String::new()));
}
