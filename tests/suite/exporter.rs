//! The exporter: what is over, for Prometheus, from a ledger that it only reads.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::program::Running;
use crate::support::prometheus::Promtool;
use crate::support::{LedgerFile, Workdir, eventually, http, needs, workdir};

const ARGS: &str = "--csv-file in.csv --output-file out.jsonl --summary-json summary.json";

fn run(workdir: &Workdir, args: &str, code: i32) {
    let run = workdir.flowgauge().args(ARGS.split(' ')).args(args.split_whitespace()).run();
    run.assert_code(code);
}

fn exporter(workdir: &Workdir, args: &str) -> (Running, String) {
    let all = format!("exporter --port 0 --poll 20ms {args}");
    let mut running = workdir.flowgauge().args(all.split_whitespace()).spawn();
    let address = running.metrics_address();
    (running, address)
}

fn scrape(address: &str) -> Scrape {
    let answer = http::get(address, "/metrics").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    Scrape::parse(answer.text())
}

#[test]
fn the_last_run_of_each_pipeline_is_there_with_its_numbers() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,2\nbad\n3,4\n");
    run(&workdir, "--pipeline-id good --max-errors 1 --expect-every 1d", 0);
    let told: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    run(&workdir, "--pipeline-id bad --max-errors 1", 0);
    run(&workdir, "--pipeline-id bad", 3);
    let before = fs::read(workdir.path("state/ledger.sqlite")).unwrap();
    let (running, address) = exporter(&workdir, "");
    let scrape = scrape(&address);
    let good = |name: &str, labels: &[(&str, &str)]| {
        scrape.value(name, &[&[("pipeline_id", "good")], labels].concat())
    };
    assert_eq!(good("pipeline_last_run_outcome", &[("outcome", "complete")]), 1.0);
    assert_eq!(good("pipeline_last_run_outcome", &[("outcome", "lost")]), 0.0);
    assert_eq!(good("pipeline_last_run_records", &[("result", "inserted")]), 2.0);
    assert_eq!(good("pipeline_last_run_records", &[("result", "failed")]), 1.0);
    let took = told["duration_seconds"].as_f64().unwrap();
    assert!((good("pipeline_last_run_duration_seconds", &[]) - took).abs() < 1e-6);
    let started = told["started_at_seconds"].as_f64().unwrap();
    assert!((good("pipeline_start_timestamp_seconds", &[]) - started).abs() < 1e-3);
    assert!((good("pipeline_first_run_timestamp_seconds", &[]) - started).abs() < 1e-3);
    assert!(good("pipeline_last_success_timestamp_seconds", &[]) >= started);
    assert_eq!(good("pipeline_expected_interval_seconds", &[]), 86_400.0);
    assert_eq!(good("pipeline_run_corrupt_records", &[]), 1.0);
    assert!((good("pipeline_run_yield_ratio", &[]) - 2.0 / 3.0).abs() < 1e-9);
    let id = told["run_id"].as_str().unwrap();
    assert_eq!(good("pipeline_run_info", &[("run_id", id), ("outcome", "complete")]), 1.0);
    let bad = |name: &str, labels: &[(&str, &str)]| {
        scrape.value(name, &[&[("pipeline_id", "bad")], labels].concat())
    };
    assert_eq!(bad("pipeline_last_run_outcome", &[("outcome", "data")]), 1.0);
    assert_eq!(bad("pipeline_runs_total", &[("outcome", "data")]), 1.0);
    assert_eq!(bad("pipeline_runs_total", &[("outcome", "complete")]), 1.0);
    assert_eq!(bad("pipeline_runs_total", &[("outcome", "locked")]), 0.0);
    assert_eq!(scrape.value("pipeline_exporter_up", &[]), 1.0);
    assert!(scrape.value("pipeline_exporter_last_read_timestamp_seconds", &[]) > started);
    // Every metric is explained.
    let page =
        fs::read_to_string(format!("{}/docs/history.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for family in [scrape.families("gauge"), scrape.families("counter")].concat() {
        assert!(
            page.contains(&format!("| `{family}` | ")),
            "docs/history.md: nothing about {family}"
        );
    }
    let open = [("accept", "application/openmetrics-text")];
    let open = http::request(&address, "GET", "/metrics", &open).unwrap();
    assert!(open.text().ends_with("# EOF\n") && open.text().contains("pipeline_runs_total{"));
    assert_eq!(http::get(&address, "/ready").unwrap().status, 200);
    assert_eq!(http::get(&address, "/nothing").unwrap().status, 404);
    running.signal(Signal::TERM);
    running.finish().assert_code(0);
    // It has neither written nor left anything.
    assert!(fs::read(workdir.path("state/ledger.sqlite")).unwrap() == before);
    assert!(!workdir.path("state/ledger.sqlite-wal").exists());
    assert!(!workdir.path("state/ledger.sqlite-shm").exists());
}

#[test]
fn a_lost_run_is_seen_before_anybody_has_written_that() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    run(&workdir, "", 0);
    let ledger = LedgerFile::of(&workdir);
    let (running, address) = exporter(&workdir, "--label-run-id");
    let args = "--csv-file - --output-file waiting.jsonl";
    let killed = workdir.flowgauge().args(args.split(' ')).keep_stdin_open().spawn();
    eventually("the row of the run", || {
        let rows = ledger.open().query_row("SELECT count(*) FROM runs", [], |row| row.get(0));
        (rows.unwrap_or(0) == 2).then_some(())
    });
    killed.signal(Signal::KILL);
    killed.finish();
    ledger.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 100 WHERE outcome IS NULL", []);
    let is_lost = |scrape: &Scrape| {
        scrape.find("pipeline_last_run_outcome", &[("outcome", "lost")]) == Some(1.0)
            && scrape.find("pipeline_runs_total", &[("outcome", "lost")]) == Some(1.0)
    };
    let seen = eventually("the lost run", || Some(scrape(&address)).filter(is_lost));
    assert_eq!(ledger.total("default", "lost"), 0.0);
    let id = ledger.text("SELECT run_id FROM runs WHERE outcome IS NULL");
    assert!(seen.series("pipeline_runs_total").all(|series| series.label("run_id") == Some(&id)));
    workdir.flowgauge().arg("runs").run().assert_code(0);
    assert_eq!(ledger.total("default", "lost"), 1.0);
    assert!(is_lost(&scrape(&address)));
    running.signal(Signal::TERM);
    running.finish().assert_code(0);
}

#[test]
fn it_goes_on_when_the_ledger_is_missing_locked_replaced_or_no_ledger() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let (running, address) = exporter(&workdir, "--db state/ledger.sqlite");
    let up = |wanted: f64| {
        eventually("up or down", || {
            let scrape = scrape(&address);
            (scrape.value("pipeline_exporter_up", &[]) == wanted).then_some(scrape)
        })
    };
    up(0.0);
    assert_eq!(http::get(&address, "/ready").unwrap().status, 503);
    run(&workdir, "", 0);
    let complete = [("outcome", "complete")];
    // It may have looked when the run was on.
    eventually("the run", || {
        (up(1.0).value("pipeline_runs_total", &complete) == 1.0).then_some(())
    });
    let ledger = LedgerFile::of(&workdir);
    let holder = ledger.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(up(1.0).value("pipeline_runs_total", &complete), 1.0);
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    fs::write(ledger.path(), "this is no ledger at all, and it is long enough").unwrap();
    // What was known is still told, and that it is old.
    assert_eq!(up(0.0).value("pipeline_runs_total", &complete), 1.0);
    fs::remove_file(ledger.path()).unwrap();
    up(0.0);
    run(&workdir, "--pipeline-id other", 0);
    let scrape = up(1.0);
    assert!(
        scrape.series("pipeline_runs_total").all(|one| one.label("pipeline_id") == Some("other"))
    );
    running.signal(Signal::INT);
    let finished = running.finish();
    finished.assert_code(0).assert_stderr_has("the ledger cannot be read");
    finished.assert_stderr_has("the ledger is read again");
}

#[test]
fn promtool_finds_nothing_to_say() {
    needs!("prometheus");
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    run(&workdir, "--pipeline-id \"quoted\\name\" --expect-every 1d", 0);
    let (_running, address) = exporter(&workdir, "--label-run-id");
    let text = http::get(&address, "/metrics").unwrap();
    let verdict = Promtool::new().check_metrics(text.text());
    assert!(verdict.is_ok(), "{verdict:?}");
}
