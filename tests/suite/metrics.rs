//! What a scrape of a run says: at its start, while it runs, and when it is over. And that nobody
//! who asks for it can disturb the run.
//!
//! A run is held where it is to be looked at: at its start by standard input that brings nothing,
//! on its way by standard input that stays open, and at its end by a summary that finds no room on
//! standard output.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::program::Running;
use crate::support::sockets::{has_ipv6, listening_ports};
use crate::support::{Flowgauge, Workdir, assert_same_text, eventually, http, workdir};

/// Seven records in three batches of at most three; the fifth is short of a field.
const ORDERS: &str = "id,name\n1,a\n2,b\n3,c\n4,d\n5\n6,f\n7,g\n";

/// More than a source samples of standard input before it starts.
const SAMPLE_BYTES: usize = 300 * 1024;

fn orders(workdir: &Workdir) -> Flowgauge {
    workdir.write("orders.csv", ORDERS);
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--output-file"]);
    let command = command.args(["out.jsonl", "--max-errors", "1", "--batch-size", "3"]);
    command.args(["--workers", "1", "--lanes", "1", "--pipeline-id", "orders"])
}

fn from_stdin(workdir: &Workdir) -> Flowgauge {
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    command.args(["--metrics-port", "0", "--log-level", "debug"]).stdin_open()
}

/// A run that is over and waits to write its summary.
#[track_caller]
fn ended(command: Flowgauge) -> (Running, String) {
    let mut run =
        command.args(["--metrics-port", "0", "--summary-json", "-"]).stdout_full().spawn();
    let address = run.metrics_address();
    // The last line of the summary on standard error.
    run.wait_for_line("  read ");
    (run, address)
}

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |mut lines, number| {
        writeln!(lines, "{{\"number\":\"{number:09}\"}}").unwrap();
        lines
    })
}

#[track_caller]
fn info(address: &str) -> Value {
    let answer = http::get(address, "/info").unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn ready(address: &str) -> (u16, String) {
    let answer = http::get(address, "/ready").unwrap();
    (answer.status, answer.text().trim().to_string())
}

/// A page in which everything that differs from run to run is a star: each number of a family in
/// seconds but for how many there were and the interval that was asked for, each number of the
/// process, and what was built. Counts of records, batches, files and bytes stay.
fn normalised(page: &str) -> String {
    let mut lines = String::new();
    for line in page.lines() {
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let is_count = name.ends_with("_count") || labels.contains("le=\"+Inf\"");
        let is_time = name.contains("_seconds") && !is_count;
        let varies = is_time && name != "pipeline_expected_interval_seconds";
        let line = match line {
            _ if line.starts_with('#') => line.to_string(),
            _ if name == "pipeline_build_info" => {
                "pipeline_build_info{version=\"*\",revision=\"*\",pipeline_id=\"orders\"} 1".into()
            }
            _ if varies || name.starts_with("process_") => format!("{series} *"),
            // Whether old runs were removed by then.
            _ if name.starts_with("pipeline_ledger_") => format!("{series} *"),
            _ => line.to_string(),
        };
        lines += &line;
        lines.push('\n');
    }
    lines
}

#[test]
fn a_finished_run_is_the_golden_file() {
    let workdir = workdir!();
    let (run, address) = ended(orders(&workdir).args(["--expect-every", "24h"]));
    let actual = normalised(&Scrape::of(&address).text);
    run.finish().assert_code(0);

    let root = env!("CARGO_MANIFEST_DIR");
    let golden = std::fs::read_to_string(format!("{root}/tests/golden/metrics.txt"));
    let expected = golden.unwrap_or_default();
    if expected != actual {
        let found = format!("{}/metrics.txt", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&found, &actual).unwrap();
        eprintln!("names are a contract; if the change is meant: cp {found} tests/golden/");
    }
    assert_same_text("tests/golden/metrics.txt", &expected, &actual);
}

#[test]
fn at_the_start_every_counter_and_histogram_stands_at_0() {
    let workdir = workdir!();
    let mut run = from_stdin(&workdir).spawn();
    let address = run.metrics_address();
    let scrape = Scrape::of(&address);
    assert_eq!(scrape.state(), "starting");

    let ours = |family: &&str| family.starts_with("pipeline_") && !family.contains("ledger");
    let counters: Vec<&str> = scrape.families("counter").into_iter().filter(ours).collect();
    assert!(counters.len() > 10, "{counters:?}");
    for counter in counters {
        let values: Vec<f64> = scrape.series(counter).map(|sample| sample.value).collect();
        assert!(!values.is_empty() && values.iter().all(|value| *value == 0.0), "{counter}");
    }
    let histograms = scrape.families("histogram");
    assert_eq!(histograms.len(), 8, "{histograms:?}");
    // The ledger may have been asked by now.
    for family in histograms.into_iter().filter(|family| !family.contains("ledger")) {
        assert_eq!(scrape.value(&format!("{family}_count"), &[]), 0.0);
        assert_eq!(scrape.value(&format!("{family}_sum"), &[]), 0.0);
        assert!(scrape.series(&format!("{family}_bucket")).all(|bucket| bucket.value == 0.0));
    }
    for unknown in ["last_run_outcome", "last_completion_timestamp_seconds", "progress_ratio"] {
        let name = format!("pipeline_{unknown}");
        assert_eq!(scrape.series(&name).count(), 0, "{name} is not known yet");
    }
}

#[test]
fn all_who_count_records_agree() {
    let workdir = workdir!();
    let (run, address) = ended(orders(&workdir));
    let scrape = Scrape::of(&address);
    let info = info(&address);
    let finished = run.finish();
    finished.assert_code(0);
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();

    let of_scrape = |name: &str| scrape.value(&format!("pipeline_records_{name}_total"), &[]);
    let of = |json: &Value, name: &str| json["records"][name].as_f64().unwrap();
    for (name, count) in
        [("read", 7.0), ("processed", 7.0), ("inserted", 6.0), ("updated", 0.0), ("failed", 1.0)]
    {
        let told = [of_scrape(name), of(&info, name), of(&summary, name)];
        assert_eq!(told, [count; 3], "{name}: metrics, info, summary");
    }
    assert_eq!(workdir.read("out.jsonl").lines().count(), 6);
    let rejects = summary["rejects_file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(rejects).unwrap().lines().count(), 1);

    assert_eq!(scrape.value("pipeline_records_residual", &[]), 0.0);
    assert_eq!(scrape.value("pipeline_last_run_records", &[("result", "inserted")]), 6.0);
    assert_eq!(scrape.value("pipeline_last_run_records", &[("result", "failed")]), 1.0);
    let skipped: f64 = scrape.series("pipeline_records_skipped_total").map(|s| s.value).sum();
    assert_eq!((skipped, of(&info, "skipped")), (0.0, 0.0));
    let written = scrape.value("pipeline_bytes_written_total", &[]);
    assert_eq!(written, workdir.read("out.jsonl").len() as f64);
    assert_eq!(Some(written), summary["bytes"]["written"].as_f64());

    assert_eq!(info["outcome"], summary["outcome"]);
    assert_eq!((&info["published"], &info["run_id"]), (&summary["published"], &summary["run_id"]));
    let complete = [("outcome", "complete")];
    assert_eq!(scrape.value("pipeline_last_run_outcome", &complete), 1.0);
    let took = scrape.value("pipeline_last_run_duration_seconds", &[]);
    assert_eq!(Some(took), summary["duration_seconds"].as_f64());
    assert_eq!(Some(took), info["elapsed_seconds"].as_f64());
}

#[test]
fn a_run_that_failed_says_so() {
    let workdir = workdir!();
    workdir.write("orders.csv", ORDERS);
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--batch-size", "3"]);
    let (run, address) = ended(command.args(["--output-file", "out.jsonl"]));
    let scrape = Scrape::of(&address);
    let info = info(&address);
    assert_eq!((scrape.state(), info["state"].as_str()), ("error", Some("error")));
    assert_eq!(scrape.value("pipeline_last_run_outcome", &[("outcome", "data")]), 1.0);
    assert_eq!(scrape.value("pipeline_last_run_outcome", &[("outcome", "complete")]), 0.0);
    assert_eq!((&info["outcome"], &info["published"]), (&"data".into(), &false.into()));
    assert_eq!(ready(&address), (503, "error".to_string()));
    run.finish().assert_code(3);
}

#[test]
fn an_error_that_ends_a_run_is_counted() {
    let workdir = workdir!();
    workdir.write("orders.csv", "id,name\n1,a\n2,\"b\n");
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--batch-size", "1"]);
    let (run, address) = ended(command.args(["--output-file", "out.jsonl"]));
    let scrape = Scrape::of(&address);
    let parse = [("stage", "fetch"), ("error_type", "parse")];
    assert_eq!(scrape.value("pipeline_errors_total", &parse), 1.0);
    assert_eq!(scrape.value("pipeline_files_failed_total", &[]), 1.0);
    run.finish().assert_code(3);

    let refusing = from_stdin(&workdir).args(["--if-exists", "refuse", "--summary-json", "-"]);
    let mut run = refusing.stdout_full().spawn();
    let address = run.metrics_address();
    let mut stdin = run.stdin();
    stdin.write_all(lines(SAMPLE_BYTES / 20).as_bytes()).unwrap();
    run.wait_for_line("state: running");
    workdir.write("out.jsonl", "somebody else's");
    drop(stdin);
    run.wait_for_line("  read ");
    let scrape = Scrape::of(&address);
    let other = [("stage", "insert"), ("error_type", "other")];
    assert_eq!(scrape.value("pipeline_errors_total", &other), 1.0);
    run.finish().assert_code(2);
    workdir.assert_file("out.jsonl", "somebody else's");
}

#[test]
fn a_run_is_ready_while_it_runs() {
    let workdir = workdir!();
    let mut run = from_stdin(&workdir).spawn();
    let address = run.metrics_address();
    assert_eq!(ready(&address), (503, "starting".to_string()));
    let mut stdin = run.stdin();
    stdin.write_all(lines(SAMPLE_BYTES / 20).as_bytes()).unwrap();
    run.wait_for_line("state: running");
    assert_eq!(ready(&address), (200, "running".to_string()));
    assert_eq!(Scrape::of(&address).state(), "running");
    drop(stdin);
    run.finish().assert_code(0);

    let (run, address) = ended(orders(&workdir));
    assert_eq!(ready(&address), (503, "stopped".to_string()));
    assert_eq!(http::get(&address, "/health").unwrap().status, 200);
    run.finish().assert_code(0);
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let workdir = workdir!();
    let (run, address) = ended(orders(&workdir));
    let page =
        |accept: &str| http::request(&address, "GET", "/metrics", &[("accept", accept)]).unwrap();
    // What Prometheus 2 sends.
    let open = page(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    );
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(kind));
    assert!(open.text().ends_with("\n# EOF\n"), "{}", open.text());
    let series = "{pipeline_id=\"orders\"} ";
    assert!(open.text().contains(&format!("\npipeline_records_read_total{series}7\n")));
    assert!(open.text().contains(&format!("\npipeline_records_read_created{series}")));

    let text = page("text/plain");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!text.text().contains("_created") && !text.text().contains("# EOF"));

    // The same series in both, but for what only one of them can say.
    let names = |page: &str| {
        let scrape = Scrape::parse(page);
        let own = scrape.samples.into_iter().filter(|sample| !sample.name.ends_with("_created"));
        own.map(|sample| (sample.name, sample.labels.len())).fold(
            BTreeMap::new(),
            |mut names, name| {
                *names.entry(name).or_insert(0) += 1;
                names
            },
        )
    };
    assert_eq!(names(open.text()), names(text.text()));
    run.finish().assert_code(0);
}

#[test]
fn what_is_not_there_is_answered_with_words() {
    let workdir = workdir!();
    let (run, address) = ended(orders(&workdir));
    let index = http::get(&address, "/").unwrap();
    for page in ["/metrics", "/health", "/ready", "/info"] {
        assert!(index.text().contains(page), "{}", index.text());
    }
    let nothing = http::get(&address, "/metric").unwrap();
    assert_eq!(nothing.status, 404);
    assert!(nothing.text().contains("there is no such page"), "{}", nothing.text());
    assert!(nothing.text().contains("/metrics"), "{}", nothing.text());
    let posted = http::request(&address, "POST", "/metrics", &[]).unwrap();
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert!(posted.text().contains("GET and HEAD"), "{}", posted.text());
    let head = http::request(&address, "HEAD", "/metrics", &[]).unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    run.finish().assert_code(0);
}

#[test]
fn without_a_port_nothing_listens() {
    let workdir = workdir!();
    let command = orders(&workdir).args(["--summary-json", "-"]).stdout_full();
    let mut run = command.spawn();
    run.wait_for_line("  read ");
    assert!(listening_ports(run.id()).is_empty());
    run.finish().assert_code(0);

    let (run, address) = ended(orders(&workdir));
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(listening_ports(run.id()), [port]);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    run.finish().assert_code(0);
}

#[test]
fn a_port_in_use_is_said_before_anything_is_read_or_written() {
    let workdir = workdir!();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let command = orders(&workdir).args(["--metrics-port", &port.to_string()]);
    let command = command.args(["--summary-json", "summary.json"]);
    let finished = command.run();
    finished.assert_code(2).assert_stdout("").assert_stderr(&format!(
        "flowgauge: port {port} on '127.0.0.1' is in use by another process; \
         choose another --metrics-port\n"
    ));
    // All there is of it is the summary that was asked for.
    assert_eq!(workdir.names(), ["orders.csv", "summary.json"]);
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    assert_eq!((&summary["outcome"], &summary["records"]["read"]), (&"usage".into(), &0.into()));
}

#[test]
fn ipv6_is_an_address_as_any_other() {
    if !has_ipv6() {
        eprintln!("not run: this machine has no IPv6");
        return;
    }
    let workdir = workdir!();
    for host in ["::1", "[::1]"] {
        let (run, address) = ended(orders(&workdir).args(["--metrics-host", host]));
        assert!(address.starts_with("[::1]:"), "{address}");
        assert_eq!(Scrape::of(&address).state(), "stopped");
        run.finish().assert_code(0);
    }
}

#[test]
fn clients_that_never_read_do_not_stop_a_run() {
    let workdir = workdir!();
    let mut run = from_stdin(&workdir).spawn();
    let address = run.metrics_address();
    let mut clients = Vec::new();
    // More than the server serves at once; every third says nothing at all.
    for number in 0..40 {
        let mut client = TcpStream::connect(&address).unwrap();
        if number % 3 > 0 {
            // Turned away where there are too many.
            drop(client.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"));
        }
        clients.push(client);
    }
    let text = lines(SAMPLE_BYTES / 10);
    let mut stdin = run.stdin();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    run.finish().assert_code(0);
    assert_eq!(workdir.read("out.jsonl").len(), text.len());
    drop(clients);
}

#[test]
fn two_hundred_scrapes_are_answered_while_it_waits_and_while_it_moves_data() {
    let workdir = workdir!();
    let mut run = from_stdin(&workdir).args(["--batch-bytes", "4KiB"]).spawn();
    let address = run.metrics_address();
    for _ in 0..200 {
        assert_eq!(Scrape::of(&address).value("pipeline_records_read_total", &[]), 0.0);
    }
    let mut stdin = run.stdin();
    let some = lines(1_000);
    let mut before = Scrape::of(&address);
    for _ in 0..200 {
        stdin.write_all(some.as_bytes()).unwrap();
        let scrape = Scrape::of(&address);
        let value = |scrape: &Scrape, name: &str| {
            scrape.value(&format!("pipeline_records_{name}_total"), &[])
        };
        for name in ["read", "processed", "inserted"] {
            assert!(value(&scrape, name) >= value(&before, name), "{name} went back");
        }
        assert!(value(&scrape, "processed") <= value(&scrape, "read"));
        before = scrape;
    }
    drop(stdin);
    run.finish().assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), 200_000);
}

/// What could not even be opened is a run all the same, and whoever scrapes is told how it ended.
#[test]
fn a_run_that_is_refused_shows_its_error_until_its_end() {
    let workdir = workdir!();
    workdir.write("orders.csv", "");
    let command =
        workdir.flowgauge().args(["--csv-file", "orders.csv", "--output-file", "out.csv"]);
    let command = command.args(["--metrics-port", "0", "--summary-json", "-"]);
    let mut run = command.stdout_full().spawn();
    let address = run.metrics_address();
    run.wait_for_line("flowgauge: ");
    let scrape = Scrape::of(&address);
    assert_eq!(scrape.state(), "error");
    let error = [("stage", "fetch"), ("error_type", "parse")];
    assert_eq!(scrape.value("pipeline_errors_total", &error), 1.0);
    assert_eq!(scrape.value("pipeline_last_run_outcome", &[("outcome", "data")]), 1.0);
    assert_eq!(scrape.value("pipeline_published", &[]), 0.0);
    assert_eq!(info(&address)["outcome"], "data");
    run.finish().assert_code(3);
}

/// A run of an hour says for an hour how the one before it went.
#[test]
fn until_its_end_a_run_shows_the_one_that_ended_before() {
    let workdir = workdir!();
    workdir.write("in.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    let before = ["--jsonl-file", "in.jsonl", "--output-file", "out.jsonl"];
    workdir.flowgauge().args(before).run().assert_code(0);
    let refused = ["--jsonl-file", "gone.jsonl", "--output-file", "out.jsonl"];
    workdir.flowgauge().args(refused).run().assert_code(2);
    let mut run = from_stdin(&workdir).spawn();
    let address = run.metrics_address();
    let shown =
        |name: &str, outcome: &str| Scrape::of(&address).find(name, &[("outcome", outcome)]);
    // Once its ledger is open.
    eventually("the runs before", || shown("pipeline_runs_total", "complete"));
    let scrape = Scrape::of(&address);
    let value = |name: &str| scrape.value(name, &[]);
    assert_eq!(shown("pipeline_runs_total", "complete"), Some(1.0));
    assert_eq!(shown("pipeline_runs_total", "usage"), Some(1.0));
    assert_eq!(shown("pipeline_runs_total", "lost"), Some(0.0));
    assert_eq!(shown("pipeline_last_run_outcome", "usage"), Some(1.0));
    assert_eq!(shown("pipeline_last_run_outcome", "complete"), Some(0.0));
    let times = ["first_run", "last_success", "last_completion", "start"];
    let times = times.map(|name| value(&format!("pipeline_{name}_timestamp_seconds")));
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(value("pipeline_records_read_total"), 0.0);
    run.close_stdin();
    let ended = run.finish();
    ended.assert_code(3);
}
