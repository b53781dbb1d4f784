//! The history of runs: a row for every one, whatever becomes of it; the commands that look into it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::database::{Database, Server, on_both};
use crate::support::program::Running;
use crate::support::{Finished, LedgerFile, Workdir, eventually, needs, workdir};

const ARGS: &str = "--csv-file in.csv --output-file out.jsonl --summary-json summary.json";

fn run(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(ARGS.split(' ')).args(args.split_whitespace()).run()
}

fn typed(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(args.split_whitespace()).run()
}

fn summary(workdir: &Workdir) -> Value {
    serde_json::from_str(&workdir.read("summary.json")).unwrap()
}

/// The row of the run that the summary is of has the same numbers, one by one, and the totals have it.
#[track_caller]
fn assert_is_in_ledger(workdir: &Workdir, ledger: &LedgerFile) {
    let told = summary(workdir);
    let id = told["run_id"].as_str().unwrap();
    let of_run = |table: &str, column: &str| {
        ledger.text(&format!("SELECT {column} FROM {table} WHERE run_id = '{id}'"))
    };
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_string(),
        other => other.to_string(),
    };
    for (column, expected) in [
        ("pipeline_id", &told["pipeline_id"]),
        ("outcome", &told["outcome"]),
        ("exit_code", &told["exit_code"]),
        ("error", &told["error"]),
        ("version", &told["version"]),
        ("rejects_path", &told["rejects_file"]),
    ] {
        assert_eq!(of_run("runs", column), as_text(expected), "{column}");
    }
    let records = &told["records"];
    for (column, expected) in [
        ("read", &records["read"]),
        ("inserted", &records["inserted"]),
        ("updated", &records["updated"]),
        ("duplicate", &records["skipped"]["duplicate"]),
        ("unchanged", &records["skipped"]["unchanged"]),
        ("filtered", &records["skipped"]["filtered"]),
        ("failed", &records["failed"]),
        ("residual", &records["residual"]),
        ("bytes_read", &told["bytes"]["read"]),
        ("bytes_written", &told["bytes"]["written"]),
        ("verdict", &told["limit"]),
    ] {
        assert_eq!(of_run("run_summary", column), as_text(expected), "{column}");
    }
    let number = |sql: String| ledger.number(&sql);
    let of = |table: &str, column: &str, and: &str| {
        number(format!("SELECT {column} FROM {table} WHERE run_id = '{id}'{and}"))
    };
    // As exactly as JSON is read here.
    let assert_same = |kept: f64, told: &Value| {
        let difference = kept - told.as_f64().unwrap();
        assert!(difference.abs() < 1e-6, "{kept} {told}");
    };
    assert_same(of("run_summary", "duration_s", ""), &told["duration_seconds"]);
    assert_same(of("runs", "started_at", ""), &told["started_at_seconds"]);
    for stage in ["fetch", "convert", "insert"] {
        let and = format!(" AND stage = '{stage}'");
        let told = &told["stages"][stage];
        assert_same(of("stage_summary", "busy_s", &and), &told["busy_seconds"]);
        for wait in ["input", "output", "retry", "throttle"] {
            let waited = of("stage_summary", &format!("wait_{wait}_s"), &and);
            assert_same(waited, &told["wait_seconds"][wait]);
        }
    }
    let failed = number(format!("SELECT total(count) FROM rejects_summary WHERE run_id = '{id}'"));
    let rejected = told["rejected"].as_object().unwrap().values().filter_map(Value::as_f64);
    assert_eq!(failed, rejected.sum::<f64>());
}

#[test]
fn every_run_is_in_the_ledger_with_its_outcome_and_its_numbers() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,2\n3,4\nbad\n5,6\n");
    let ledger = LedgerFile::of(&workdir);
    for (args, code, outcome) in [
        ("--max-errors 1 --expect-every 1d", 0, "complete"),
        ("", 3, "data"),
        ("--max-errors 1", 0, "complete"),
        ("--csv-file other.csv", 2, "usage"),
    ] {
        let finished = run(&workdir, args);
        finished.assert_code(code);
        assert!(!finished.stderr.contains("ledger:"), "{finished}");
        assert_is_in_ledger(&workdir, &ledger);
        assert_eq!(summary(&workdir)["outcome"], outcome);
    }
    ledger.assert_sound();
    let mode = fs::metadata(ledger.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // All is in the one file while nothing runs.
    assert_eq!(fs::read_dir(workdir.path("state")).unwrap().count(), 2);
    assert_eq!(ledger.number("SELECT count(*) FROM runs"), 4.0);
    for (outcome, runs) in [("complete", 2.0), ("data", 1.0), ("usage", 1.0), ("lost", 0.0)] {
        assert_eq!(ledger.total("default", outcome), runs, "{outcome}");
    }
    let settings = ledger.texts("SELECT settings FROM runs ORDER BY started_at");
    assert!(settings[0].contains(r#""max-errors":["1"]"#), "{settings:?}");
    assert_eq!(ledger.texts("SELECT DISTINCT fingerprint FROM runs").len(), 4);
}

#[test]
fn a_run_that_is_refused_by_its_server_is_in_the_ledger_and_its_password_is_not() {
    let address = needs!("mariadb");
    let (host, port) = address.split_once(':').unwrap();
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = format!(
        "--csv-file in.csv --db-host {host} --db-port {port} --db-user root --db-pass wr0ng-s3cret \
         --db-name nowhere --db-table t --mode insert --summary-json summary.json"
    );
    let finished = typed(&workdir, &args);
    assert_ne!(finished.code(), Some(0));
    let ledger = LedgerFile::of(&workdir);
    assert_is_in_ledger(&workdir, &ledger);
    assert_eq!(ledger.text("SELECT mode FROM runs"), "insert");
    assert!(ledger.text("SELECT target FROM runs").contains("nowhere"));
    assert!(ledger.number("SELECT total(count) FROM errors WHERE error_type = 'auth'") >= 1.0);
    let message = ledger.text("SELECT last_message FROM errors WHERE error_type = 'auth'");
    assert!(message.contains("does not let this user in"), "{message}");
    let bytes = fs::read(ledger.path()).unwrap();
    assert!(!bytes.windows(12).any(|part| part == b"wr0ng-s3cret"));
}

/// One that has its row, and waits for its input.
fn waiting(workdir: &Workdir, args: &str, ledger: &LedgerFile) -> Running {
    let before = rows(ledger);
    let all = format!("--csv-file - --output-file waiting.jsonl {args}");
    let running =
        workdir.flowgauge().args(all.split_whitespace()).stdin("a\n1\n").keep_stdin_open().spawn();
    eventually("its output", || workdir.exists(".waiting.jsonl.part").then_some(()));
    eventually("the row of the run", || (rows(ledger) > before).then_some(()));
    running
}

fn rows(ledger: &LedgerFile) -> f64 {
    if !ledger.path().exists() {
        return 0.0;
    }
    let connection = ledger.open();
    connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap_or_default()
}

#[test]
fn a_run_that_finds_another_one_at_work_and_one_that_is_stopped_are_in_the_ledger() {
    let workdir = workdir!();
    let ledger = LedgerFile::of(&workdir);
    let first = waiting(&workdir, "--pipeline-id p --summary-json summary.json", &ledger);
    let second = typed(&workdir, "--pipeline-id p --csv-file - --output-file waiting.jsonl");
    second.assert_code(75);
    typed(&workdir, "runs").assert_code(0).assert_stdout_has("running").assert_stdout_has("locked");
    typed(&workdir, "status").assert_code(0).assert_stdout_has("running");
    first.signal(Signal::TERM);
    first.finish().assert_code(143);
    assert_is_in_ledger(&workdir, &ledger);
    assert_eq!(ledger.total("p", "locked"), 1.0);
    assert_eq!(ledger.total("p", "terminated"), 1.0);
    // What one found that did nothing is no last run.
    let status = typed(&workdir, "status");
    status.assert_code(3).assert_stdout_has("terminated").assert_stdout_has("exit code 143");
}

/// Killed runs are lost once they are silent, which is written once, by whoever comes first.
#[test]
fn a_killed_run_is_lost_once() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let ledger = LedgerFile::of(&workdir);
    for (number, command) in ["runs", "runs prune", ARGS].iter().enumerate() {
        let running = waiting(&workdir, "", &ledger);
        running.signal(Signal::KILL);
        assert_eq!(running.finish().signal(), Some(9));
        // It may only just have been killed.
        typed(&workdir, "runs").assert_stdout_has("killed");
        assert_eq!(ledger.total("default", "lost"), number as f64);
        let is_killed = typed(&workdir, "status");
        is_killed.assert_code(3).assert_stdout_has("killed: its last sign of life");
        ledger.execute(
            "UPDATE runs SET started_at = started_at - 100, heartbeat_at = heartbeat_at - 100
             WHERE outcome IS NULL",
            [],
        );
        typed(&workdir, command).assert_code(0);
        typed(&workdir, command).assert_code(0);
        assert_eq!(ledger.total("default", "lost"), number as f64 + 1.0, "{command}");
    }
    let lost = ledger.texts("SELECT error FROM runs WHERE outcome = 'lost' AND exit_code IS NULL");
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().all(|error| error.contains("killed")), "{lost:?}");
    typed(&workdir, "runs list --failed --last 1").assert_stdout_has("lost");
}

#[test]
fn eight_processes_share_a_ledger() {
    let workdir = workdir!();
    let rows: String = (0..500).map(|row| format!("{row}\n")).collect();
    workdir.write("in.csv", format!("a\n{rows}"));
    let ledger = LedgerFile::of(&workdir);
    for _ in 0..3 {
        let start = |number: usize| {
            let args = format!(
                "--csv-file in.csv --output-file out{number}.jsonl --pipeline-id p{} --require-ledger",
                number % 4
            );
            workdir.flowgauge().args(args.split(' ')).spawn()
        };
        let running: Vec<Running> = (0..8).map(start).collect();
        for one in running {
            one.finish().assert_code(0);
        }
    }
    ledger.assert_sound();
    assert_eq!(ledger.number("SELECT count(*) FROM runs WHERE outcome = 'complete'"), 24.0);
    assert_eq!(ledger.number("SELECT sum(inserted) FROM run_summary"), 12_000.0);
    for pipeline in ["p0", "p1", "p2", "p3"] {
        assert_eq!(ledger.total(pipeline, "complete"), 6.0);
    }
}

/// Wherever it is killed, its row is whole: lost, or with all its numbers, and the file opens.
#[test]
fn a_ledger_survives_fifty_kills() {
    let workdir = workdir!();
    let lines: String = (0..2_000).map(|row| format!("{row}\n")).collect();
    workdir.write("in.csv", format!("a\n{lines}"));
    let ledger = LedgerFile::of(&workdir);
    run(&workdir, "").assert_code(0);
    for number in 0..50u32 {
        let before = rows(&ledger);
        let mut running = workdir.flowgauge().args(ARGS.split(' ')).spawn();
        // Before, at and behind its row, and at its end.
        let is_begun = number % 5 != 0;
        eventually("its row or its end", || {
            (!is_begun || rows(&ledger) > before || running.has_ended()).then_some(())
        });
        for _ in 0..(number % 7) * 3 {
            std::thread::yield_now();
            drop(fs::read(ledger.path()));
        }
        running.signal(Signal::KILL);
        running.finish();
    }
    ledger.assert_sound();
    ledger.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 100 WHERE outcome IS NULL", []);
    typed(&workdir, "runs").assert_code(0);
    ledger.assert_sound();
    let outcomes =
        ledger.texts("SELECT DISTINCT ifnull(outcome, 'none') FROM runs ORDER BY outcome");
    assert!(outcomes.iter().all(|it| it == "lost" || it == "complete"), "{outcomes:?}");
    let whole = "SELECT count(*) FROM runs LEFT JOIN run_summary USING (run_id)
        WHERE outcome = 'complete' AND (inserted IS NOT 2000 OR read IS NOT 2000)";
    assert_eq!(ledger.number(whole), 0.0);
    let (lost, complete) = (ledger.total("default", "lost"), ledger.total("default", "complete"));
    assert_eq!(lost + complete, rows(&ledger));
    assert!(lost > 0.0);
    run(&workdir, "--require-ledger").assert_code(0);
}

#[test]
fn runs_are_listed_and_shown() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,2\nbad\n");
    let none = typed(&workdir, "runs");
    none.assert_code(0).assert_stdout("").assert_stderr_has("there is no run in the ledger");
    typed(&workdir, "runs list --format json").assert_code(0).assert_stdout("[]\n");
    run(&workdir, "--pipeline-id nightly-orders-to-the-archive-of-everything --max-errors 1");
    run(&workdir, "--pipeline-id b").assert_code(3);
    let list = typed(&workdir, "runs");
    list.assert_code(0).assert_stderr("");
    assert_eq!(list.stdout.lines().count(), 3, "{list}");
    assert!(list.stdout.lines().all(|line| line.chars().count() <= 80), "{list}");
    let told = summary(&workdir);
    let id = told["run_id"].as_str().unwrap();
    let lines: Vec<&str> = list.stdout.lines().collect();
    assert!(lines[1].starts_with(&id[..13]) && lines[1].contains(" data "), "{list}");
    // In the order of time, whatever part of the list is asked for.
    for (args, count) in [
        ("--failed", 1),
        ("--pipeline b", 1),
        ("--pipeline b --pipeline c", 1),
        ("--last 1", 1),
        ("--since 1h", 2),
        ("--since 1ms", 0),
    ] {
        let listed = typed(&workdir, &format!("runs list --format json {args}"));
        let listed: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed.len(), count, "{args}");
        let is_it = |run: &Value| run["run_id"] == id && run["failed"] == 1;
        assert!(count != 1 || is_it(&listed[0]), "{args}: {listed:?}");
    }
    let csv = typed(&workdir, "runs --format csv").stdout;
    assert!(csv.starts_with("run_id,pipeline_id,started_at,"), "{csv}");
    assert_eq!(csv.lines().count(), 3);
    for wanted in ["", "last", &id[..18], id] {
        let shown = typed(&workdir, &format!("runs show {wanted}"));
        shown.assert_code(0).assert_stdout_has(&format!("run {id} of b: data"));
        shown.assert_stdout_has("1 parse in convert").assert_stdout_has("exit code 3");
    }
    let shown = typed(&workdir, "runs show last-1 --format json").stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["inserted"], &shown["outcome"]), (&json!(1), &json!("complete")));
    assert_eq!(shown["settings"]["csv-file"], json!(["in.csv"]));
    assert_eq!(shown["stages"].as_array().unwrap().len(), 4);
    for wanted in ["last-2", "0", "x"] {
        let refused = typed(&workdir, &format!("runs show {wanted}"));
        refused.assert_code(2).assert_stderr_has("in the ledger");
    }
    typed(&workdir, "runs nonsense").assert_code(2);
    typed(&workdir, "runs check").assert_code(0).assert_stdout_has("is sound: 2 runs");
    // Nothing was written for who only looks.
    assert_eq!(fs::read_dir(workdir.path("state")).unwrap().count(), 2);
}

#[test]
fn old_runs_are_pruned_and_the_last_ones_and_the_totals_stay() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let ledger = LedgerFile::of(&workdir);
    for _ in 0..4 {
        run(&workdir, "").assert_code(0);
    }
    run(&workdir, "--csv-file other.csv").assert_code(2);
    ledger.execute("UPDATE runs SET started_at = started_at - 10 * 86400", []);
    typed(&workdir, "runs prune").assert_stdout("0 runs removed, 5 kept\n");
    // The last one, and the last complete one.
    typed(&workdir, "runs prune --ledger-keep 9d").assert_stdout("3 runs removed, 2 kept\n");
    assert_eq!(ledger.texts("SELECT outcome FROM runs ORDER BY started_at"), ["complete", "usage"]);
    for table in ["run_summary", "stage_summary"] {
        let left = ledger.number(&format!("SELECT count(DISTINCT run_id) FROM {table}"));
        assert_eq!(left, 2.0, "{table}");
    }
    assert_eq!(ledger.total("default", "complete"), 4.0);
    // A run does the same in passing.
    run(&workdir, "--ledger-keep 9d").assert_code(0);
    run(&workdir, "--ledger-keep 9d").assert_code(0);
    assert_eq!(ledger.texts("SELECT outcome FROM runs"), ["complete", "complete"]);
    assert_eq!(ledger.total("default", "complete"), 6.0);
    ledger.assert_sound();
}

#[test]
fn status_is_a_line_for_each_pipeline_and_an_exit_code() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n2\n");
    let ledger = LedgerFile::of(&workdir);
    let none = typed(&workdir, "status");
    none.assert_code(0).assert_stdout("").assert_stderr_has("there is no run in the ledger");
    run(&workdir, "--pipeline-id good --expect-every 1d").assert_code(0);
    let good = typed(&workdir, "status");
    good.assert_code(0).assert_stdout_has("ok").assert_stdout_has("in 26h");
    run(&workdir, "--pipeline-id bad --csv-file other.csv").assert_code(2);
    let bad = typed(&workdir, "status");
    bad.assert_code(3).assert_stdout_has("never").assert_stdout_has("cannot open 'other.csv'");
    assert!(bad.stdout.lines().all(|line| line.chars().count() <= 80), "{bad}");
    typed(&workdir, "status --pipeline good").assert_code(0);
    // A name that is mistyped in a monitor.
    let missing = typed(&workdir, "status --pipeline good --pipeline god");
    missing
        .assert_code(3)
        .assert_stdout_has("good")
        .assert_stderr_has("the pipeline 'god' has no run in ");
    // The one is late; nobody has waited for the other for long.
    for column in ["started_at", "finished_at", "heartbeat_at"] {
        ledger.execute(&format!("UPDATE runs SET {column} = {column} - 40 * 86400"), []);
    }
    ledger.execute("UPDATE totals SET last_at = last_at - 40 * 86400", []);
    let late = typed(&workdir, "status");
    late.assert_code(3).assert_stdout_has("due").assert_stdout_has(" ago");
    assert!(!late.stdout.contains("bad"), "{late}");
    typed(&workdir, "status --all").assert_code(3).assert_stdout_has("bad");
}

#[test]
fn the_ledger_is_where_settings_say_and_nothing_else_is_read() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    workdir.write(
        "syncs.toml",
        "ledger = \"history/of-all.sqlite\"\n[connections.c]\ndb_pass = \"${NO_SUCH}\"\n\
         [pipelines.one]\ncsv_file = \"in.csv\"\noutput_file = \"out.jsonl\"\n",
    );
    typed(&workdir, "run one -c syncs.toml").assert_code(0);
    assert!(workdir.exists("history/of-all.sqlite") && !workdir.exists("state/ledger.sqlite"));
    typed(&workdir, "runs -c syncs.toml").assert_code(0).assert_stdout_has("one");
    typed(&workdir, "status --ledger history/of-all.sqlite").assert_code(0);
    typed(&workdir, "--ledger history/of-all.sqlite runs check").assert_code(0);
    let none = typed(&workdir, "run one -c syncs.toml --no-ledger");
    none.assert_code(0);
    assert_eq!(LedgerFile::at(workdir.path("history/of-all.sqlite")).total("one", "complete"), 1.0);
    let both = typed(&workdir, "run one -c syncs.toml --no-ledger --require-ledger");
    both.assert_code(2).assert_stderr_has("--no-ledger is given, too");
    let same = run(&workdir, "--ledger out.jsonl");
    same.assert_code(2).assert_stderr_has("--ledger and --output-file are both 'out.jsonl'");
    let input = run(&workdir, "--ledger in.csv");
    input.assert_code(2).assert_stderr_has("choose another --ledger");
    workdir.assert_file("in.csv", "a\n1\n");
}

/// The outcome stays that of the data.
#[test]
fn the_exit_code_in_the_ledger_is_what_the_program_ended_with() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let ledger = LedgerFile::of(&workdir);
    let code = || ledger.number("SELECT exit_code FROM runs ORDER BY started_at DESC LIMIT 1");
    let run =
        |args: &str| typed(&workdir, &format!("--csv-file in.csv --output-file o.jsonl {args}"));
    run("--metrics-push http://127.0.0.1:1 --require-report").assert_code(6);
    assert_eq!(code(), 6.0);
    run("--metrics-push http://127.0.0.1:1").assert_code(0);
    assert_eq!(code(), 0.0);
    // Nobody opens it.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        workdir.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let args = "--csv-file in.csv --output-file o.jsonl --summary-json pipe";
    let mut running = workdir.flowgauge().args(args.split(' ')).spawn();
    running.wait_for_line("read 1 = inserted 1");
    running.signal(Signal::TERM);
    running.finish().assert_code(5);
    assert_eq!(code(), 5.0);
    assert_eq!(ledger.total("default", "complete"), 3.0);
    typed(&workdir, "runs show last").assert_stdout_has("complete").assert_stdout_has("5");
}

/// The number of a process says nothing among others, such as those of a container.
#[test]
fn a_run_of_another_process_namespace_is_on_while_it_gives_signs_of_life() {
    let workdir = workdir!();
    let ledger = LedgerFile::of(&workdir);
    workdir.write("in.csv", "a\n1\n");
    run(&workdir, "--pipeline-id before").assert_code(0);
    let args = ["--csv-file", "-", "--output-file", "killed.jsonl"];
    let killed = workdir.flowgauge().args(args).keep_stdin_open().spawn();
    eventually("its row", || {
        let rows = ledger.open().query_row("SELECT count(*) FROM runs", [], |row| row.get(0));
        (rows.unwrap_or(0) == 2).then_some(())
    });
    killed.signal(Signal::KILL);
    killed.finish();
    let of_killed = "FROM runs WHERE pipeline_id = 'default'";
    let status = || workdir.flowgauge().args(["status", "--pipeline", "default"]).run();
    status().assert_code(3).assert_stdout_has("killed");
    assert!(ledger.text(&format!("SELECT pid_namespace {of_killed}")).starts_with("pid:["));
    for column in ["pid_namespace", "boot_id"] {
        let here = ledger.text(&format!("SELECT {column} {of_killed}"));
        ledger.execute(&format!("UPDATE runs SET {column} = 'another'"), []);
        status().assert_code(0).assert_stdout_has("running");
        ledger.execute(&format!("UPDATE runs SET {column} = ?1"), [here]);
    }
    ledger.execute(
        "UPDATE runs SET pid_namespace = 'another', heartbeat_at = heartbeat_at - 100",
        [],
    );
    workdir.flowgauge().arg("runs").run().assert_code(0);
    status().assert_code(0).assert_stdout_has("running");
    ledger.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 900", []);
    workdir.flowgauge().arg("runs").run().assert_code(0);
    assert_eq!(ledger.text(&format!("SELECT outcome {of_killed}")), "lost");
}

/// A ledger of the version before is read by whoever may not write it, and becomes one of today with the next run.
#[test]
fn a_ledger_of_an_earlier_version_is_read_and_goes_on() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let run =
        || workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.jsonl"]).run();
    run().assert_code(0);
    let ledger = LedgerFile::of(&workdir);
    ledger
        .open()
        .execute_batch(
            "DROP TABLE metrics_addresses; DROP INDEX runs_lost;
             ALTER TABLE runs DROP COLUMN pid_namespace;
             ALTER TABLE runs DROP COLUMN boot_id; PRAGMA user_version = 1;",
        )
        .unwrap();
    workdir.flowgauge().arg("status").run().assert_code(0).assert_stdout_has("ok");
    assert_eq!(ledger.text("PRAGMA user_version"), "1");
    run().assert_code(0);
    assert_eq!(
        ledger.texts("SELECT pid_namespace IS NULL FROM runs ORDER BY started_at"),
        ["1", "0"]
    );
}

on_both! { needs!("mariadb"), needs!("mysql"); rejected_records_are_kept_by_the_column_at_fault }

fn rejected_records_are_kept_by_the_column_at_fault(server: &Server) {
    let workdir = workdir!();
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, small TINYINT, day DATE)");
    workdir
        .write("in.csv", "id,small,day\n1,1,2026-01-01\n2,500,2026-01-01\n3,1,soon\n4,700,\n5\n");
    let args = "--csv-file in.csv --db-table t --max-errors 4";
    database.flowgauge(&workdir).args(args.split(' ')).run().assert_code(0);
    let ledger = LedgerFile::of(&workdir);
    let rows = ledger.texts(
        "SELECT \"column\" || ' ' || error_type || ' ' || count || ' ' || first_place
         FROM rejects_summary ORDER BY 1",
    );
    let expected = [
        " parse 1 in.csv, line 6, byte 61",
        "day type_mismatch 1 in.csv, line 4, byte 45, column 'day'",
        "small out_of_range 2 in.csv, line 3, byte 28, column 'small'",
    ];
    assert_eq!(rows, expected);
}
