//! The exporter: what is over, for Prometheus, from a ledger that it only reads.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::program::Running;
use crate::support::prometheus::Promtool;
use crate::support::secrets::HASH;
use crate::support::{Flowgauge, LedgerFile, Workdir, eventually, http, https, needs, workdir};

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

/// The first one after the ledger was read.
fn read(address: &str) -> Scrape {
    let is_up = |scrape: &Scrape| scrape.value("pipeline_exporter_up", &[]) == 1.0;
    eventually("the ledger to be read", || Some(scrape(address)).filter(is_up))
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
    let scrape = read(&address);
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
    let (mut running, address) = exporter(&workdir, "--db state/ledger.sqlite");
    // The port comes first: a disk that hangs is seen by whoever scrapes.
    running.wait_for_line("the ledger cannot be read");
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
    read(&address);
    let text = http::get(&address, "/metrics").unwrap();
    let verdict = Promtool::new().check_metrics(text.text());
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[test]
fn its_port_may_be_protected_as_that_of_a_run() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    run(&workdir, "", 0);
    https::certificate(&workdir);
    let config = format!(
        "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{me: '{HASH}'}}\n"
    );
    workdir.write("web.yml", config);
    let all = "exporter --port 0 --host 127.0.0.1 --metrics-web-config web.yml";
    let mut running = workdir.flowgauge().args(all.split(' ')).spawn();
    let line = running.wait_for_line("metrics on https://");
    let address = line.rsplit_once("//").unwrap().1.strip_suffix("/metrics").unwrap().to_string();
    assert_eq!(https::get(&workdir, &address, "/metrics", &[]).unwrap().status, 401);
    let encoded = "bWU6cGE1NXcwcmQtb2YtdGhlLWdhdGV3YXk=";
    let header = ("authorization", format!("Basic {encoded}"));
    let answer = https::get(&workdir, &address, "/metrics", &[(header.0, &header.1)]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(Scrape::parse(answer.text()).find("pipeline_exporter_up", &[]).is_some());
    running.signal(Signal::TERM);
    running.finish().assert_code(0);
    workdir.write("web.yml", "rate_limit: 1\n");
    let refused = workdir.flowgauge().args(all.split(' ')).run();
    refused.assert_code(2).assert_stderr_has("'rate_limit' is not supported");
    let port = address.rsplit_once(':').unwrap().1;
    let holder = std::net::TcpListener::bind(&*address);
    let taken = workdir.flowgauge().args(["exporter", "--port", port]).run();
    taken.assert_code(2).assert_stderr_has("choose another --port");
    drop(holder);
}

/// Another user has the file to read and nothing to write, not even in its directory.
#[test]
fn it_runs_as_another_user_who_may_only_read() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: no other user was tried");
        return;
    }
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    run(&workdir, "", 0);
    let state = workdir.path("state");
    let nobody = 65_534;
    let mode = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(workdir.root(), 0o755);
    let ledger = state.join("ledger.sqlite");
    std::os::unix::fs::chown(&ledger, None, Some(nobody)).unwrap();
    let program = fs::copy(env!("CARGO_BIN_EXE_flowgauge"), workdir.path("flowgauge"));
    program.unwrap();
    mode(&workdir.path("flowgauge"), 0o755);
    let as_nobody = || {
        let id = nobody.to_string();
        let shell = Flowgauge::new("setpriv", &workdir).args(["--reuid", &id, "--regid", &id]);
        let shell = shell.args(["--clear-groups", "./flowgauge", "exporter", "--port", "0"]);
        let mut running = shell.args(["--poll", "20ms", "--ledger", "state/ledger.sqlite"]).spawn();
        let address = running.metrics_address();
        (running, address)
    };
    for (file, folder, is_up) in
        [(0o640, 0o755, 1.0), (0o640, 0o711, 1.0), (0o600, 0o755, 0.0), (0o640, 0o700, 0.0)]
    {
        mode(&ledger, file);
        mode(&state, folder);
        let (mut running, address) = as_nobody();
        match is_up {
            1.0 => assert_eq!(
                read(&address).value("pipeline_runs_total", &[("outcome", "complete")]),
                1.0
            ),
            _ => {
                running.wait_for_line("the ledger cannot be read");
                assert_eq!(scrape(&address).value("pipeline_exporter_up", &[]), 0.0);
            }
        }
        running.signal(Signal::TERM);
        running.finish().assert_code(0);
        mode(&state, 0o755);
        assert!(
            !workdir.exists("state/ledger.sqlite-wal")
                && !workdir.exists("state/ledger.sqlite-shm")
        );
    }
    // While a run is on, what it wrote last is beside the file, of its owner alone.
    mode(&ledger, 0o640);
    let (running, address) = as_nobody();
    read(&address);
    let piped = "--csv-file - --output-file waiting.jsonl --pipeline-id on";
    let on = workdir.flowgauge().args(piped.split(' ')).keep_stdin_open().spawn();
    let began = [("pipeline_id", "on")];
    eventually("the run that is on", || {
        scrape(&address).find("pipeline_start_timestamp_seconds", &began)
    });
    drop(on);
    running.signal(Signal::TERM);
    running.finish().assert_code(0);
}
