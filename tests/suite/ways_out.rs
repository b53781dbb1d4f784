//! How the numbers of a run leave it: a file for node_exporter, a Pushgateway, remote write, a message,
//! and the last scrape. Each into the real counterpart, for runs that end in every way, and into others
//! that do not answer as they should.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::prometheus::{Prometheus, Promtool};
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::{
    Daemon, Finished, Flowgauge, Server, Trial, Workdir, eventually, free_port, needs, on_both,
    workdir,
};

/// Runs, one after the other, that have to be told of exactly.
const RUNS: usize = 25;

const ACCEPTED: Reply = Reply::Bytes("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");

/// What is never to be shown.
const PASSWORD: &str = "pa55w0rd-of-the-gateway";
const TOKEN: &str = "t0ken-of-the-receiver";
const HEADER: &str = "k3y-in-a-header";
const PATH: &str = "s3cret-path";

fn rows(count: usize) -> String {
    (0..count).fold("id,name\n".to_string(), |rows, id| format!("{rows}{id},name {id}\n"))
}

/// A run of `count` records, `rejected` of which are short of a field.
fn orders(workdir: &Workdir, count: usize, rejected: usize) -> Flowgauge {
    orders_as("orders", workdir, count, rejected)
}

fn orders_as(id: &str, workdir: &Workdir, count: usize, rejected: usize) -> Flowgauge {
    let broken = (0..rejected).map(|id| format!("{id}\n")).collect::<String>();
    workdir.write("orders.csv", rows(count - rejected) + &broken);
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--output-file"]);
    command.args(["out.jsonl", "--pipeline-id", id, "--summary-json", "summary.json"])
}

fn summary(workdir: &Workdir) -> Value {
    serde_json::from_str(&workdir.read("summary.json")).unwrap()
}

/// The row of a route: whether it was told, and why not.
#[track_caller]
fn report(workdir: &Workdir, route: &str) -> (bool, String) {
    let summary = summary(workdir);
    let rows = summary["reports"].as_array().unwrap();
    let row = rows.iter().find(|row| row["route"] == route);
    let row = row.unwrap_or_else(|| panic!("no {route} in {rows:?}"));
    (row["ok"].as_bool().unwrap(), row["reason"].as_str().unwrap_or_default().to_string())
}

/// What is told of how a run ended: its outcome, and its records by what became of them.
#[derive(Debug, PartialEq)]
struct Told {
    outcome: String,
    inserted: f64,
    failed: f64,
}

fn told(outcome: &str, inserted: usize, failed: usize) -> Told {
    Told { outcome: outcome.to_string(), inserted: inserted as f64, failed: failed as f64 }
}

/// Of a page in the text format, for the pipeline `orders`.
#[track_caller]
fn told_on(page: &str) -> Told {
    let scrape = Scrape::parse(page);
    let of_orders = [("pipeline_id", "orders")];
    let outcomes = scrape.series("pipeline_last_run_outcome");
    let mut outcomes =
        outcomes.filter(|one| one.value == 1.0 && one.label("pipeline_id") == Some("orders"));
    let outcome =
        outcomes.next().and_then(|one| one.label("outcome")).unwrap_or_default().to_string();
    assert!(outcomes.next().is_none(), "two outcomes");
    let records = |result: &str| {
        scrape.value("pipeline_last_run_records", &[of_orders[0], ("result", result)])
    };
    Told { outcome, inserted: records("inserted"), failed: records("failed") }
}

/// Of whatever answers queries of Prometheus, as `last_over_time` says.
fn told_by(query: impl Fn(&str) -> Vec<Value>) -> Option<Told> {
    let value = |series: &Value| series["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    let outcomes =
        query("last_over_time(pipeline_last_run_outcome{pipeline_id=\"orders\"}[1h]) == 1");
    let outcome = outcomes.first()?["metric"]["outcome"].as_str()?.to_string();
    let records = query("last_over_time(pipeline_last_run_records{pipeline_id=\"orders\"}[1h])");
    let of =
        |result: &str| Some(value(records.iter().find(|one| one["metric"]["result"] == result)?));
    (outcomes.len() == 1).then_some(Told {
        outcome,
        inserted: of("inserted")?,
        failed: of("failed")?,
    })
}

/// Runs that end in every way that leaves something to tell, each with what its summary says.
fn every_end(workdir: &Workdir, tell: impl Fn(Flowgauge) -> Flowgauge, heard: impl Fn(&Told)) {
    let end = |finished: Finished, code: i32, outcome: &str| {
        finished.assert_code(code);
        let summary = summary(workdir);
        assert_eq!(summary["outcome"], outcome);
        let of = |result: &str| summary["records"][result].as_u64().unwrap() as usize;
        heard(&told(outcome, of("inserted"), of("failed")));
    };
    end(tell(orders(workdir, 7, 2).args(["--max-errors", "2"])).run(), 0, "complete");
    end(tell(orders(workdir, 7, 3).args(["--max-errors", "1"])).run(), 3, "data");
    let piped = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let piped = piped.args(["--pipeline-id", "orders", "--summary-json", "summary.json"]);
    let mut run = tell(piped).stdin_open().spawn();
    let mut stdin = run.stdin();
    stdin.write_all(sampled().as_bytes()).unwrap();
    run.wait_for_line("orders: jsonl");
    run.signal(Signal::TERM);
    run.wait_for_line("SIGTERM");
    end(run.finish(), 143, "terminated");
    let refused = workdir.flowgauge().args(["--csv-file", "absent.csv", "--output-file"]);
    let refused = refused.args(["out.jsonl", "--pipeline-id", "orders"]);
    end(tell(refused.args(["--summary-json", "summary.json"])).run(), 2, "usage");
}

/// 300 records, more than a source samples of standard input before it starts.
fn sampled() -> String {
    format!("{{\"a\":\"{}\"}}\n", "x".repeat(1000)).repeat(300)
}

// --- textfile -----------------------------------------------------------------------------------------

#[test]
fn a_textfile_is_valid_and_whole_whatever_the_end() {
    needs!("prometheus");
    let workdir = workdir!();
    let promtool = Promtool::new();
    let tell = |command: Flowgauge| command.args(["--metrics-textfile", "orders.prom"]);
    every_end(&workdir, tell, |expected| {
        let page = workdir.read("orders.prom");
        promtool.check_metrics(&page).unwrap();
        assert_eq!(told_on(&page), *expected);
        assert!(!page.contains("process_"), "node_exporter has metrics of these names");
    });
    assert_eq!(report(&workdir, "textfile"), (true, String::new()));
}

#[test]
fn node_exporter_has_the_numbers_of_every_run() {
    let binary = needs!("node_exporter");
    let workdir = workdir!();
    std::fs::create_dir(workdir.path("textfiles")).unwrap();
    let args = [
        "--collector.disable-defaults",
        "--collector.textfile",
        "--collector.textfile.directory=textfiles",
        "--web.listen-address={address}",
    ];
    let exporter = Daemon::start(&binary, &workdir, &args, "/");
    let tell = |command: Flowgauge| command.args(["--metrics-textfile", "textfiles/orders.prom"]);
    let heard = |expected: &Told| {
        let page = exporter.get("/metrics");
        assert!(page.contains("\nnode_textfile_scrape_error 0\n"), "{page}");
        assert_eq!(told_on(&page), *expected);
    };
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

#[test]
fn a_textfile_that_cannot_be_written_costs_a_line() {
    let workdir = workdir!();
    let file = ["--metrics-textfile", "absent/orders.prom"];
    let finished = orders(&workdir, 3, 0).args(file).run();
    finished.assert_code(0);
    finished.assert_stderr_has("--metrics-textfile: the end of the run did not arrive: ");
    let (is_ok, reason) = report(&workdir, "textfile");
    assert!(!is_ok && reason.contains("absent/orders.prom"), "{reason}");
    let checked = orders(&workdir, 3, 0).args(file).args(["check"]).run();
    checked.assert_code(0);
    assert!(checked.stdout.contains("warning: nobody would be told"), "{}", checked.stdout);
}

// --- push ---------------------------------------------------------------------------------------------

fn pushgateway(binary: &str, workdir: &Workdir) -> Daemon {
    Daemon::start(binary, workdir, &["--web.listen-address={address}"], "/-/ready")
}

#[test]
fn a_pushgateway_has_the_numbers_of_every_run() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    let gateway = pushgateway(&binary, &workdir);
    let url = format!("http://{}", gateway.address);
    let tell = |command: Flowgauge| command.args(["--metrics-push", &url]);
    let heard = |expected: &Told| assert_eq!(told_on(&gateway.get("/metrics")), *expected);
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

#[test]
fn each_pipeline_has_a_group_with_its_labels() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    let gateway = pushgateway(&binary, &workdir);
    let url = format!("http://{}/", gateway.address);
    for id in ["orders", "a/b", "é \"x\" \\", "..", "a=b"] {
        let run = orders_as(id, &workdir, 2, 0).args(["--metrics-push", &url]);
        run.args(["--metrics-label", "env=prod,job=nightly"]).run().assert_code(0);
    }
    let scrape = Scrape::parse(&gateway.get("/metrics"));
    for id in ["orders", "a/b", "é \"x\" \\", "..", "a=b"] {
        let labels = [
            ("pipeline_id", id),
            ("env", "prod"),
            ("job", "nightly"),
            ("instance", ""),
            ("result", "inserted"),
        ];
        assert_eq!(scrape.value("pipeline_last_run_records", &labels), 2.0);
    }
}

#[test]
fn a_push_shows_who_one_is_and_is_tried_again() {
    let workdir = workdir!();
    let replies = vec![
        Reply::Bytes("HTTP/1.1 503 Busy\r\nretry-after: 0\r\nconnection: close\r\n\r\n"),
        ACCEPTED,
    ];
    let receiver = HttpReceiver::with_replies(replies);
    workdir.write("pass", format!("{PASSWORD}\n"));
    let url = format!("http://me@{}/under", receiver.address);
    let command = orders(&workdir, 4, 0).args(["--metrics-push", &url]);
    let command = command.args(["--metrics-push-pass-file", "pass", "--metrics-push-header"]);
    command.args(["X-Scope-OrgID: one, two"]).run().assert_code(0);
    for _ in 0..2 {
        let push = receiver.next();
        let head = &push.head;
        assert!(head.starts_with("PUT /under/metrics/job/flowgauge/pipeline_id/orders "), "{head}");
        assert!(head.contains("x-scope-orgid: one, two\n"), "{head}");
        let basic = "basic bWU6cGE1NXcwcmQtb2YtdGhlLWdhdGV3YXk=";
        assert!(
            head.contains(&format!("authorization: {}\n", basic.replace("basic", "Basic"))),
            "{head}"
        );
        assert_eq!(told_on(&push.text()), told("complete", 4, 0));
    }
    assert_eq!(report(&workdir, "push"), (true, String::new()));
}

/// Of `PASSWORD`, by bcrypt.
const HASH: &str = "$2b$04$Xqx9LuZaTqlleqLoH2Uhd.caCmwsMit.VAFKeZI282.SFK1hkUXaq";

/// A certificate of its own, for this machine.
fn certificate(workdir: &Workdir) {
    let words = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=localhost\n\
                 [ext]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
    workdir.write("openssl.cnf", words);
    let args = "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -config openssl.cnf";
    let made = Command::new("openssl").current_dir(workdir.root()).args(args.split(' ')).output();
    assert!(made.unwrap().status.success());
}

#[test]
fn a_pushgateway_with_tls_and_a_password_takes_who_has_both() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    certificate(&workdir);
    let config = format!(
        "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{me: '{HASH}'}}\n"
    );
    workdir.write("web.yml", config);
    workdir.write("pass", format!("{PASSWORD}\n"));
    let args = ["--web.listen-address={address}", "--web.config.file=web.yml"];
    // Who speaks no TLS is answered with 400.
    let gateway = Daemon::start_until(&binary, &workdir, &args, "/", 400);
    let url = format!("https://me@{}", gateway.address);
    let push = |url: &str, args: &str| {
        let command = orders(&workdir, 5, 0).args(["--require-report", "--metrics-push", url]);
        command.args(args.split(' ')).run()
    };
    push(&url, "--metrics-push-pass-file pass --metrics-push-ca cert.pem").assert_code(0);
    assert_eq!(report(&workdir, "push"), (true, String::new()));
    for (url, args, why) in [
        (url.clone(), "--metrics-push-pass-file pass", "is not trusted"),
        (url.clone(), "--metrics-push-ca cert.pem", "answered 401"),
        (url.replace("me@", ""), "--metrics-push-ca cert.pem", "answered 401"),
        (url.replace("https", "http"), "--metrics-push-pass-file pass", "answered 400"),
    ] {
        let finished = push(&url, args);
        finished.assert_code(6);
        finished.assert_stderr_has(why);
        assert_no_secret(&workdir, &finished);
    }
}

/// It is pushed while the run is on, which stands still.
#[test]
fn an_interval_pushes_on_the_way() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let url = format!("http://{}", receiver.address);
    let command = command.args(["--pipeline-id", "orders", "--metrics-push", &url]);
    let mut run = command.args(["--metrics-push-interval", "1s"]).stdin_open().spawn();
    let mut stdin = run.stdin();
    stdin.write_all(sampled().as_bytes()).unwrap();
    let first = Scrape::parse(&receiver.next().text());
    assert_eq!(first.state(), "running");
    assert_eq!(first.series("pipeline_last_run_outcome").count(), 0);
    drop(stdin);
    run.finish().assert_code(0);
    let last = receiver.rest().pop().unwrap();
    assert_eq!(told_on(&last.text()), told("complete", 300, 0));
}

// --- remote write -------------------------------------------------------------------------------------

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

// --- the last scrape ----------------------------------------------------------------------------------

#[test]
fn prometheus_has_every_run_by_its_last_scrape() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let port = free_port().to_string();
    let config = format!(
        "global:\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\nscrape_configs:\n\
         - job_name: flowgauge\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
    );
    let prometheus = Prometheus::start(&binary, &workdir, &config);
    let tell =
        |command: Flowgauge| command.args(["--metrics-port", &port, "--metrics-until-scraped"]);
    let heard = |expected: &Told| {
        let as_expected =
            || told_by(|query| prometheus.query(query)).filter(|told| told == expected);
        eventually(&format!("{expected:?}"), as_expected);
    };
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        assert_eq!(report(&workdir, "scrape"), (true, String::new()));
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

/// The end of a run is there for whoever comes, and its output is free for the next.
#[test]
fn the_last_numbers_stay_until_they_were_scraped_as_often_as_wanted() {
    let workdir = workdir!();
    let command = orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let mut run = command.args(["--metrics-scrapes", "2", "--require-report"]).spawn();
    let address = run.metrics_address();
    run.wait_for_line("the last numbers are served until they are scraped");
    orders(&workdir, 3, 0).run().assert_code(0);
    for _ in 0..2 {
        assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 3, 0));
    }
    run.finish().assert_code(0);
}

/// Whoever is still to be scraped is not in the way of the next run, which has the port when it is free.
#[test]
fn the_next_run_begins_while_the_last_numbers_wait() {
    let workdir = workdir!();
    let port = free_port().to_string();
    let address = format!("127.0.0.1:{port}");
    let serving = |id, count| {
        let command = orders_as(id, &workdir, count, 0).args(["--metrics-port", &port]);
        command.args(["--metrics-until-scraped", "--metrics-linger", "1h", "--require-report"])
    };
    let mut first = serving("orders", 3).spawn();
    first.wait_for_line("the last numbers are served until they are scraped");
    let kept = format!("port {port} is kept by a run of this pipeline that is over");
    // It does not wait for the port where nobody is to be waited for.
    let between = orders(&workdir, 4, 0).args(["--metrics-port", &port]).run();
    between.assert_code(0);
    between.assert_stderr_has(&kept);
    let other = serving("other", 4).run();
    other.assert_code(2);
    other.assert_stderr_has("is in use by another process");
    let mut second = serving("orders", 5).spawn();
    second.wait_for_line(&kept);
    second.wait_for_line("  read 5 = inserted 5");
    assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 3, 0));
    first.finish().assert_code(0);
    second.wait_for_line("the last numbers are served until they are scraped");
    assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 5, 0));
    second.finish().assert_code(0);
}

#[test]
fn a_scraper_that_never_comes_is_a_missing_report() {
    let workdir = workdir!();
    for (required, code) in [(false, 0), (true, 6)] {
        let command =
            orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
        let command = command.args(["--metrics-linger", "50ms"]);
        let finished = if required { command.args(["--require-report"]) } else { command }.run();
        finished.assert_code(code);
        finished.assert_stderr_has("--metrics-until-scraped: the end of the run did not arrive");
        assert_eq!(summary(&workdir)["exit_code"], code);
        assert_eq!(summary(&workdir)["outcome"], "complete");
        let (is_ok, reason) = report(&workdir, "scrape");
        assert!(!is_ok && reason.starts_with("0 of 1 scrapes"), "{reason}");
    }
    let failed = orders(&workdir, 3, 1).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let failed = failed.args(["--metrics-linger", "50ms", "--require-report"]).run();
    failed.assert_code(3);
}

#[test]
fn a_signal_ends_the_wait_for_a_scrape_and_nothing_else() {
    let workdir = workdir!();
    let command = orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let mut run = command.args(["--metrics-linger", "1h"]).spawn();
    run.wait_for_line("the last numbers are served until they are scraped");
    run.signal(Signal::TERM);
    run.finish().assert_code(0);
    let (is_ok, reason) = report(&workdir, "scrape");
    assert!(!is_ok && reason.contains("a signal ended it"), "{reason}");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 3);
}

// --- all of them --------------------------------------------------------------------------------------

/// Numbers of a run by their names and labels, bounds as numbers.
type Numbers = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn numbers(samples: impl Iterator<Item = (String, BTreeMap<String, String>, f64)>) -> Numbers {
    let mut numbers = Numbers::new();
    for (name, mut labels, value) in samples {
        for bound in ["le", "quantile"] {
            if let Some(text) = labels.get_mut(bound) {
                *text = text.parse::<f64>().unwrap().to_string();
            }
        }
        // Of a Pushgateway.
        labels.retain(|label, _| !["job", "instance"].contains(&label.as_str()));
        let is_own = labels.contains_key("pipeline_id") && name.starts_with("pipeline_");
        if is_own && !value.is_nan() {
            numbers.insert((name, labels), value);
        }
    }
    numbers
}

fn numbers_on(page: &str, id: &str) -> Numbers {
    let samples = Scrape::parse(page).samples.into_iter();
    let of_this = samples.filter(|sample| sample.label("pipeline_id") == Some(id));
    numbers(of_this.map(|sample| (sample.name, sample.labels, sample.value)))
}

/// One moment, number by number, for five kinds of run.
#[test]
fn every_way_out_has_the_same_numbers() {
    let binary = needs!("pushgateway");
    let prometheus = needs!("prometheus");
    let workdir = workdir!();
    let gateway = pushgateway(&binary, &workdir);
    let prometheus = Prometheus::start(&prometheus, &workdir, "global: {}\n");
    let push = format!("http://{}", gateway.address);
    let write = format!("http://{}/api/v1/write", prometheus.address);
    let tell = |command: Flowgauge| {
        let command = command.args(["--metrics-port", "0", "--metrics-until-scraped"]);
        let command = command.args(["--metrics-textfile", "run.prom", "--metrics-push", &push]);
        command.args(["--metrics-remote-write", &write, "--expect-every", "24h"])
    };
    let from = |flag, name, id| {
        let command = workdir.flowgauge().args([flag, name, "--output-file", "from.jsonl"]);
        command.args(["--pipeline-id", id, "--summary-json", "summary.json"])
    };
    for (id, code) in
        [("complete", 0), ("terminated", 143), ("refused", 2), ("rejected", 0), ("over", 3)]
    {
        let command = match id {
            "complete" => orders_as(id, &workdir, 500, 0),
            "rejected" => orders_as(id, &workdir, 9, 2).args(["--max-errors", "2"]),
            "over" => orders_as(id, &workdir, 9, 2),
            "terminated" => from("--jsonl-file", "-", id).stdin_open(),
            _ => from("--csv-file", "absent.csv", id),
        };
        let mut run = tell(command).spawn();
        let address = run.metrics_address();
        if id == "terminated" {
            run.stdin().write_all(sampled().as_bytes()).unwrap();
            run.signal(Signal::TERM);
        }
        run.wait_for_line("the last numbers are served until they are scraped");
        let scraped = numbers_on(&Scrape::of(&address).text, id);
        run.finish().assert_code(code);
        assert!(scraped.len() > 150, "{}", scraped.len());
        assert_eq!(numbers_on(&workdir.read("run.prom"), id), scraped, "{id}, the file");
        assert_eq!(numbers_on(&gateway.get("/metrics"), id), scraped, "{id}, the Pushgateway");
        let series =
            prometheus.query(&format!("{{__name__=~\"pipeline_.+\",pipeline_id=\"{id}\"}}"));
        let written = numbers(series.iter().map(|one| {
            let labels = one["metric"].as_object().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_string();
            let mut labels: BTreeMap<String, String> =
                labels.map(|(name, value)| (name.clone(), text(value))).collect();
            let name = labels.remove("__name__").unwrap();
            (name, labels, text(&one["value"][1]).parse().unwrap())
        }));
        assert_eq!(written, scraped, "{id}, remote write");
        let summary = summary(&workdir);
        for name in ["read", "inserted", "failed"] {
            let id = [("pipeline_id".to_string(), id.to_string())];
            let key = (format!("pipeline_records_{name}_total"), BTreeMap::from(id));
            assert_eq!(Some(scraped[&key]), summary["records"][name].as_f64(), "{name}");
        }
        assert_eq!(summary["exit_code"], code);
    }
}

// --- targets that do not answer as they should --------------------------------------------------------

/// Whatever a target does, the data is there, one line says what is missing, and no secret is in it.
#[test]
fn a_target_that_fails_costs_a_line() {
    let workdir = workdir!();
    workdir.write("pass", PASSWORD);
    workdir.write("token", TOKEN);
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = refusing.local_addr().unwrap().to_string();
    drop(refusing);
    let start = |reply| HttpReceiver::start(reply);
    let receivers = [
        (start(Reply::Closed), "cannot be reached"),
        (start(Reply::Bytes("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n")), "answered 500"),
        (start(Reply::Echo("HTTP/1.1 400 No\r\nconnection: close\r\n\r\n")), "answered 400: "),
        (start(Reply::Bytes("HTTP/1.1 401 No\r\nconnection: close\r\n\r\n")), "answered 401"),
        (
            start(Reply::Bytes(
                "HTTP/1.1 302 Go\r\nlocation: http://127.0.0.1:1/x\r\nconnection: close\r\n\r\n",
            )),
            "redirects (302), which is not followed",
        ),
        (start(Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n")), "cannot be reached"),
    ];
    let mut targets: Vec<(String, &str)> =
        receivers.iter().map(|(receiver, why)| (receiver.address.clone(), *why)).collect();
    targets.push((nobody, "Connection refused"));
    for (address, why) in targets {
        let command = orders(&workdir, 5, 1);
        let push = format!("http://me@{address}/{PATH}");
        let command = command.args(["--metrics-push", &push, "--metrics-push-pass-file", "pass"]);
        let command = command.args(["--metrics-push-header", &format!("X-Key: {HEADER}")]);
        let write = format!("http://{address}/{PATH}?key={HEADER}");
        let command = command.args(["--metrics-remote-write", &write]);
        let command = command.args(["--metrics-remote-write-token-file", "token"]);
        let hook = format!("http://u:{PASSWORD}@{address}/{PATH}");
        let command = command.args(["--notify-webhook", &hook, "--require-report"]);
        let finished = command.run();
        // The outcome of the data goes before what was not told.
        finished.assert_code(3);
        for (flag, route) in [
            ("--metrics-push", "push"),
            ("--metrics-remote-write", "remote_write"),
            ("--notify-webhook", "webhook"),
        ] {
            finished.assert_stderr_has(&format!("{flag}: the end of the run did not arrive: "));
            let (is_ok, reason) = report(&workdir, route);
            assert!(!is_ok && reason.contains(why), "{route} {why}: {reason}");
        }
        assert_no_secret(&workdir, &finished);
    }
}

#[track_caller]
fn assert_no_secret(workdir: &Workdir, finished: &Finished) {
    let said = format!("{}{}{}", finished.stdout, finished.stderr, workdir.read("summary.json"));
    for secret in [PASSWORD, TOKEN, HEADER, PATH, "bWU6"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

/// A run that is complete stays so for whoever hears of it.
#[test]
fn what_has_to_be_told_and_is_not_is_exit_code_6() {
    let workdir = workdir!();
    let receiver =
        HttpReceiver::start(Reply::Bytes("HTTP/1.1 400 No\r\nconnection: close\r\n\r\n"));
    let url = format!("http://{}", receiver.address);
    let file = ["--metrics-textfile", "orders.prom", "--metrics-push", &url];
    orders(&workdir, 5, 0).args(file).run().assert_code(0);
    orders(&workdir, 5, 0).args(file).args(["--require-report"]).run().assert_code(6);
    assert_eq!(told_on(&workdir.read("orders.prom")), told("complete", 5, 0));
    assert_eq!(summary(&workdir)["outcome"], "complete");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 5);
}

/// It has answered nothing, and the second signal lets go of it.
#[test]
fn a_second_signal_lets_go_of_a_target_that_hangs() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(Reply::Nothing);
    let url = format!("http://{}", receiver.address);
    let mut run = orders(&workdir, 5, 0).args(["--metrics-push", &url]).spawn();
    receiver.next();
    run.signal(Signal::TERM);
    run.wait_for_line("SIGTERM");
    run.signal(Signal::TERM);
    run.finish().assert_code(0);
    let (is_ok, reason) = report(&workdir, "push");
    assert!(!is_ok && reason.contains("a second signal ended it"), "{reason}");
}

// --- the message --------------------------------------------------------------------------------------

#[test]
fn a_failure_is_told_once_with_its_reason_and_its_counts() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}/{PATH}", receiver.address);
    orders(&workdir, 5, 0).args(["--notify-webhook", &url]).run().assert_code(0);
    assert_eq!(receiver.rest().len(), 0);
    let rows = summary(&workdir)["reports"].as_array().unwrap().clone();
    assert!(rows.iter().all(|row| row["route"] != "webhook"), "{rows:?}");
    workdir.write("token", TOKEN);
    let failing = orders(&workdir, 5, 2).args(["--notify-webhook", &url]);
    failing.args(["--notify-webhook-token-file", "token"]).run().assert_code(3);
    let arrival = receiver.next();
    assert!(arrival.head.contains(&format!("authorization: Bearer {TOKEN}\n")), "{}", arrival.head);
    assert!(arrival.head.contains("content-type: application/json\n"));
    let message: Value = serde_json::from_str(&arrival.text()).unwrap();
    let summary = summary(&workdir);
    for (name, value) in [("event", "failure"), ("outcome", "data"), ("pipeline_id", "orders")] {
        assert_eq!(message[name], value);
    }
    for name in ["run_id", "exit_code", "duration_seconds", "published", "started_at_seconds"] {
        assert_eq!(message[name], summary[name], "{name}");
    }
    assert_eq!(message["reason"], summary["error"]);
    for name in ["read", "inserted", "updated", "failed"] {
        assert_eq!(message["records"][name], summary["records"][name], "{name}");
    }
    assert!(message["text"].as_str().unwrap().starts_with("orders: data with exit code 3: "));
    assert_eq!(receiver.rest().len(), 0);
}

#[test]
fn the_first_complete_run_after_a_failure_is_told_once() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}", receiver.address);
    let notify = ["--notify-on", "failure,recovery", "--notify-webhook", &url];
    for (rejected, event) in
        [(0, None), (2, Some("failure")), (2, Some("failure")), (0, Some("recovery")), (0, None)]
    {
        let code = if rejected > 0 { 3 } else { 0 };
        orders(&workdir, 5, rejected).args(notify).run().assert_code(code);
        let told: Vec<Value> = receiver
            .rest()
            .iter()
            .map(|arrival| serde_json::from_str(&arrival.text()).unwrap())
            .collect();
        let events: Vec<&str> =
            told.iter().map(|message| message["event"].as_str().unwrap()).collect();
        assert_eq!(events, event.into_iter().collect::<Vec<_>>());
        if event == Some("recovery") {
            assert_eq!(told[0]["outcome_before"], "data");
            assert!(told[0]["text"].as_str().unwrap().starts_with("orders: complete again; "));
        }
    }
}

/// A message that may have arrived is not sent again.
#[test]
fn a_message_is_not_sent_twice() {
    let workdir = workdir!();
    for reply in [Reply::Closed, Reply::Bytes("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n")] {
        let receiver = HttpReceiver::start(reply);
        let url = format!("http://{}", receiver.address);
        orders(&workdir, 5, 2).args(["--notify-webhook", &url]).run().assert_code(3);
        receiver.next();
        assert_eq!(receiver.rest().len(), 0, "{reply:?}");
    }
}

// --- a run that another one keeps from its work -------------------------------------------------------

#[test]
fn a_run_that_is_locked_out_does_not_overwrite_the_numbers_of_the_one_that_is_on() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}", receiver.address);
    let command = || {
        let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
        command.args(["--pipeline-id", "orders"]).stdin_open()
    };
    let mut first = command().args(["--log-level", "debug", "--metrics-port", "0"]).spawn();
    first.metrics_address();
    eventually("its lock", || workdir.exists(".out.jsonl.lock").then_some(()));
    let second = command().args(["--metrics-push", &url, "--metrics-textfile", "orders.prom"]);
    let second = second.args(["--metrics-remote-write", &format!("{url}/write")]);
    let second = second.args(["--notify-webhook", &format!("{url}/hook")]).run();
    second.assert_code(75);
    let told = receiver.next();
    assert!(told.head.starts_with("POST /hook "), "{}", told.head);
    assert_eq!((receiver.rest().len(), workdir.exists("orders.prom")), (0, false));
    drop(first);
}

// --- a table ------------------------------------------------------------------------------------------

on_both! {
    needs!("mariadb"), needs!("mysql");
    a_bad_password_is_told
}

fn a_bad_password_is_told(server: &Server) {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    workdir.write("in.csv", rows(3));
    let url = format!("mysql://nobody-here:{PASSWORD}@{}/absent", server.address);
    let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--db-table", "t"]);
    let command = command.args(["--pipeline-id", "orders", "--db-url", &url]);
    let command = command.args(["--metrics-textfile", "orders.prom", "--notify-webhook"]);
    command.args([&format!("http://{}", receiver.address)]).run().assert_code(2);
    assert_eq!(told_on(&workdir.read("orders.prom")), told("usage", 0, 0));
    let message: Value = serde_json::from_str(&receiver.next().text()).unwrap();
    assert_eq!((&message["outcome"], &message["exit_code"]), (&"usage".into(), &2.into()));
}

// --- settings -----------------------------------------------------------------------------------------

fn one_row(workdir: Workdir) -> Trial {
    Trial::csv(workdir, "id\n1\n")
}

#[test]
fn settings_of_the_ways_out_that_make_no_sense_are_mistakes() {
    let push = "--metrics-push http://h:9091";
    for (args, words) in [
        (
            "--metrics-push localhost:9091",
            "--metrics-push (FLOWGAUGE_METRICS_PUSH, metrics_push): the URL is neither http nor https",
        ),
        ("--metrics-push ftp://u:geheim@h/", "neither http nor https; write http://HOST:PORT/PATH"),
        ("--metrics-push http://u:geheim@/", "no URL"),
        ("--metrics-remote-write http://h:9090", "the URL has no path; write the whole one"),
        ("--notify-webhook https://u:geheim@h/#x", "the URL holds a '#'"),
        ("--metrics-textfile orders.txt", "node_exporter reads only files called NAME.prom"),
        ("--metrics-textfile .prom", "node_exporter reads only files called NAME.prom"),
        ("--metrics-push-interval 15s", "it has no meaning without --metrics-push"),
        (
            "--metrics-label a=b",
            "it has no meaning without --metrics-push or --metrics-remote-write",
        ),
        ("--notify-on failure", "it has no meaning without --notify-webhook"),
        ("--metrics-until-scraped", "it has no meaning without --metrics-port"),
        ("--metrics-linger 5s", "it has no meaning without --metrics-until-scraped"),
        ("--metrics-scrapes 2", "it has no meaning without --metrics-until-scraped"),
        ("--metrics-push-token-file t", "it has no meaning without --metrics-push"),
        (
            "--metrics-port 0 --metrics-until-scraped --metrics-scrapes 0",
            "'0' is not a number from 1",
        ),
        ("--metrics-port 0 --metrics-until-scraped --metrics-linger 0", "'0' is no time at all"),
        (&format!("{push} --metrics-push-interval 10ms"), "'10ms' is less than 1s"),
        (&format!("{push} --metrics-push-pass-file in.csv"), "there is no user in --metrics-push"),
        (&format!("{push} --metrics-push-pass-file absent"), "cannot read 'absent'"),
        (
            &format!("{push} --metrics-push-ca in.csv"),
            "the file holds no certificate in PEM format",
        ),
        (&format!("{push} --metrics-push-header geheim"), "a header is written as 'NAME: VALUE'"),
        (
            &format!("{push} --metrics-push-header Host:geheim"),
            "the header 'host' is not to be set",
        ),
        (&format!("{push} --metrics-label env"), "'env' lacks a value"),
        (&format!("{push} --metrics-label stage=x"), "series have a label 'stage' already"),
        (
            &format!("{push} --metrics-label pipeline_id=x"),
            "series have a label 'pipeline_id' already",
        ),
        (
            &format!("{push} --metrics-label a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1"),
            "more than 8 labels",
        ),
        (
            "--notify-webhook http://h/ --notify-on anomaly",
            "'anomaly' is not one of failure, recovery",
        ),
        ("--notify-webhook http://h/ --notify-on recovery --no-ledger", "leave --no-ledger out"),
        (
            "--metrics-push http://u@h/ --metrics-push-token-file in.csv",
            "one way to log in is enough; --metrics-push has a user",
        ),
    ] {
        for verb in ["check", "run"] {
            let verdict = one_row(workdir!())
                .with(verb)
                .with("--csv-file in.csv --output-file out.jsonl")
                .with(args)
                .run();
            verdict.ends_with(2).says(words).says_not("geheim");
        }
    }
}

/// Nothing that is written may be what is read, and a run that is refused writes neither: before, the
/// input was gone.
#[test]
fn a_textfile_is_no_other_file_of_the_run() {
    let in_the_way = |args: &str| {
        let trial = Trial::new(workdir!()).file("in.prom", "id\n1\n").file("out.prom", "old\n");
        let trial = trial.with("--csv-file in.prom --output-format jsonl --output-file out.prom");
        trial.with(args).run().ends_with(2)
    };
    in_the_way("--metrics-textfile in.prom").says("'in.prom' is the input 'in.prom' itself");
    in_the_way("--metrics-textfile out.prom").says("--metrics-textfile and --output-file are both");
}

#[test]
fn a_textfile_replaces_nothing_but_metrics() {
    let trial =
        one_row(workdir!()).file("notes.prom", "my notes\n").with("--metrics-textfile notes.prom");
    let verdict = trial.run().completes().says("'notes.prom' holds something else than metrics");
    verdict.writes(&["{\"id\":\"1\"}"]);
}
