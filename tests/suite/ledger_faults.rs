//! A ledger that cannot be used: the data and the outcome are those of a run without one, and one line says
//! what is missing.

use std::fs;
use std::io::Write;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Finished, Flowgauge, LedgerFile, Workdir, eventually, workdir};

const ARGS: &str = "--csv-file in.csv --output-file out.jsonl --summary-json summary.json";

fn run(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(ARGS.split(' ')).args(args.split_whitespace()).run()
}

/// The run is as if nothing were wrong, but for one line; where the ledger is required its exit code is 6.
#[track_caller]
fn assert_unaffected(workdir: &Workdir, args: &str, said: &str) {
    for (more, code) in [("", 0), (" --require-ledger", 6)] {
        workdir.put_away("out.jsonl");
        let finished = run(workdir, &format!("{args}{more}"));
        finished.assert_code(code).assert_stderr_has(said);
        workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
        let lines = finished.stderr.lines().filter(|line| line.contains("ledger"));
        assert_eq!(lines.count(), 1, "{finished}");
        let told: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
        assert_eq!(
            (told["outcome"].as_str(), &told["exit_code"]),
            (Some("complete"), &code.into())
        );
        let reports = told["reports"].as_array().unwrap();
        let of_ledger = reports.iter().find(|report| report["route"] == "ledger").unwrap();
        let reason = of_ledger["reason"].as_str();
        assert!(reason.is_some_and(|reason| reason.contains(said)), "{told}");
    }
    // A failure of its own stays what it is.
    let finished = run(workdir, &format!("{args} --require-ledger --csv-file other.csv"));
    finished.assert_code(2);
}

fn with_input(workdir: Workdir) -> Workdir {
    workdir.write("in.csv", "a\n1\n");
    workdir
}

#[test]
fn what_is_somebody_elses_is_left_as_it_is() {
    let workdir = with_input(workdir!());
    workdir.write("notes.txt", "these are my notes, and they are longer than a few bytes\n");
    let foreign = Connection::open(workdir.path("theirs.sqlite")).unwrap();
    foreign.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    drop(foreign);
    run(&workdir, "--ledger newer.sqlite").assert_code(0);
    LedgerFile::at(workdir.path("newer.sqlite"))
        .open()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    fs::create_dir(workdir.path("folder")).unwrap();
    for (name, said) in [
        ("notes.txt", "it is not a ledger: it is no SQLite file"),
        ("theirs.sqlite", "it is a database of another program"),
        ("newer.sqlite", "it was written by a newer flowgauge"),
    ] {
        let before = fs::read(workdir.path(name)).unwrap();
        assert_unaffected(&workdir, &format!("--ledger {name}"), said);
        assert!(fs::read(workdir.path(name)).unwrap() == before, "{name}");
        let beside = workdir.names().into_iter().filter(|it| it.starts_with(name));
        assert_eq!(beside.collect::<Vec<_>>(), [name]);
    }
    for (path, said) in [
        ("folder", "it is not a regular file"),
        ("/dev/null", "it is not a regular file"),
        ("/proc/none/ledger", "it cannot be made"),
        ("in.csv/ledger", "it cannot be made"),
    ] {
        assert_unaffected(&workdir, &format!("--ledger {path}"), said);
    }
    let refused = workdir.flowgauge().args(["runs", "--ledger", "theirs.sqlite"]).run();
    refused.assert_code(5).assert_stderr_has("it is a database of another program");
    let refused = workdir.flowgauge().args(["status", "--ledger", "notes.txt"]).run();
    refused.assert_code(5).assert_stderr_has("it is no SQLite file");
}

#[test]
fn a_damaged_ledger_is_put_aside_and_a_new_one_begun() {
    for damage in ["all", "head", "tables"] {
        let workdir = with_input(workdir!());
        let ledger = LedgerFile::of(&workdir);
        for _ in 0..3 {
            run(&workdir, "").assert_code(0);
        }
        let mut bytes = fs::read(ledger.path()).unwrap();
        match damage {
            "all" => bytes.fill(b'x'),
            "head" => bytes[..64].fill(0xff),
            _ => bytes[4096..].fill(0x55),
        }
        fs::write(ledger.path(), &bytes).unwrap();
        let finished = run(&workdir, "--require-ledger");
        finished.assert_code(0).assert_stderr_has("the ledger was damaged and is now '");
        assert_eq!(ledger.number("SELECT count(*) FROM runs"), 1.0);
        let names = fs::read_dir(workdir.path("state")).unwrap();
        let aside: Vec<_> = names
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter(|name| name.starts_with("ledger.sqlite.damaged-"))
            .collect();
        assert_eq!(aside.len(), 1, "{damage}");
        assert!(fs::read(workdir.path("state").join(&aside[0])).unwrap() == bytes, "{damage}");
        run(&workdir, "").assert_code(0);
        assert_eq!(ledger.total("default", "complete"), 2.0);
    }
}

#[test]
fn a_ledger_that_another_process_holds_costs_two_seconds_and_a_line() {
    let workdir = with_input(workdir!());
    run(&workdir, "").assert_code(0);
    let ledger = LedgerFile::of(&workdir);
    let holder = ledger.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_unaffected(&workdir, "", "it was not written in time");
    // Readers need not wait.
    workdir.flowgauge().arg("runs").run().assert_code(0).assert_stdout_has("complete");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    run(&workdir, "--require-ledger").assert_code(0);
    ledger.assert_sound();
}

#[test]
fn a_second_signal_lets_go_of_a_ledger_that_another_process_holds() {
    let workdir = workdir!();
    let ledger = LedgerFile::of(&workdir);
    let args = ["--csv-file", "-", "--output-file", "o.jsonl", "--pipeline-id", "p"];
    let mut running = workdir.flowgauge().args(args).stdin("a\n1\n").keep_stdin_open().spawn();
    eventually("the row of the run", || {
        let count = || ledger.open().query_row("SELECT count(*) FROM runs", [], |row| row.get(0));
        (ledger.path().exists() && count().unwrap_or(0) == 1).then_some(())
    });
    let holder = ledger.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    running.signal(Signal::TERM);
    running.wait_for_line("STOPPED ");
    running.signal(Signal::TERM);
    running.finish().assert_code(143).assert_stderr_has("a signal came before it was written");
}

#[test]
fn a_disk_without_room_costs_a_line() {
    let workdir = with_input(workdir!());
    let binary = env!("CARGO_BIN_EXE_flowgauge");
    for (more, code) in [("", 0), ("--require-ledger", 6)] {
        let limited = format!("ulimit -f 8; exec {binary} {ARGS} {more}");
        let finished = Flowgauge::new("bash", &workdir).args(["-c", &limited]).run();
        finished.assert_code(code).assert_stderr_has("ledger: incomplete: '");
        workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
    }
}

#[test]
fn a_ledger_that_is_removed_while_it_is_open_is_begun_anew() {
    let workdir = with_input(workdir!());
    let ledger = LedgerFile::of(&workdir);
    let args = "--csv-file - --output-file out.jsonl --require-ledger";
    let mut running =
        workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open().spawn();
    eventually("the row of the run", || {
        let rows = ledger.path().exists().then(|| ledger.open())?;
        let rows = rows.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0));
        (rows.unwrap_or_default() == 1).then_some(())
    });
    for end in ["", "-wal", "-shm"] {
        drop(fs::remove_file(workdir.path(&format!("state/ledger.sqlite{end}"))));
    }
    running.close_stdin();
    let finished = running.finish();
    finished.assert_code(0).assert_stderr_has("was removed while the run was on; it is begun anew");
    assert_eq!(ledger.texts("SELECT outcome FROM runs"), ["complete"]);
    assert_eq!(ledger.total("default", "complete"), 1.0);
    ledger.assert_sound();
}

#[test]
fn without_a_home_there_is_no_place_for_it() {
    let workdir = with_input(workdir!());
    let finished = workdir
        .flowgauge()
        .env("HOME", "")
        .env("FLOWGAUGE_STATE_DIR", "")
        .args(ARGS.split(' '))
        .args(["--rejects", "bad.jsonl"])
        .run();
    // An empty name is a mistake; without any there is none.
    finished.assert_code(2);
    let limited = format!(
        "unset HOME FLOWGAUGE_STATE_DIR; exec {} {ARGS} --rejects bad.jsonl",
        env!("CARGO_BIN_EXE_flowgauge")
    );
    let finished = Flowgauge::new("bash", &workdir).args(["-c", &limited]).run();
    finished.assert_code(0).assert_stderr_has("there is no place for it, because HOME is not set");
}

/// SQLite would read what it kept beside the old one into the new one.
#[test]
fn a_file_that_takes_the_name_of_a_ledger_in_use_is_left_as_it_is() {
    let other: &[u8] = &b"somebody else's text\n".repeat(9_000);
    let workdir = workdir!();
    let mut running = workdir
        .flowgauge()
        .args(["--csv-file", "-", "--output-file", "out.jsonl", "--ledger", "ours.db"])
        .stdin_open()
        .spawn();
    let ledger = LedgerFile::at(workdir.path("ours.db"));
    eventually("the row of the run", || {
        let rows = rusqlite::Connection::open(ledger.path());
        let rows =
            rows.and_then(|it| it.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)));
        (rows.unwrap_or(0) == 1).then_some(())
    });
    let new = workdir.write("theirs", other);
    fs::rename(new, ledger.path()).unwrap();
    running.stdin().write_all(b"a\n1\n").unwrap();
    let ended = running.finish();
    ended.assert_code(0).assert_stderr_has("ledger: incomplete");
    ended.assert_stderr_has("the new one is left as it is");
    assert!(fs::read(ledger.path()).unwrap() == other);
    // Nor is anything left that the next one who opens it would read.
    assert!(!workdir.path("ours.db-wal").exists() && !workdir.path("ours.db-shm").exists());
}

/// A look puts nothing aside and begins nothing.
#[test]
fn a_look_leaves_a_file_that_is_no_ledger_as_it_is() {
    let workdir = workdir!();
    let text = "my own notes, which somebody called so, and which are long enough\n";
    workdir.write("ledger.sqlite", text);
    workdir.write("empty.sqlite", "");
    let blank = rusqlite::Connection::open(workdir.path("blank.sqlite")).unwrap();
    blank.execute_batch("CREATE TABLE t (a); DROP TABLE t;").unwrap();
    drop(blank);
    let before = std::fs::read(workdir.path("blank.sqlite")).unwrap();
    for verb in ["runs", "runs show", "runs prune", "runs check", "status"] {
        for (file, code) in [("ledger.sqlite", 5), ("empty.sqlite", 0), ("blank.sqlite", 0)] {
            let finished = workdir.flowgauge().args(verb.split(' ')).args(["--ledger", file]).run();
            // There is no run to show.
            let is_fine = finished.code() == Some(code) || verb == "runs show";
            assert!(is_fine, "{finished}");
        }
    }
    workdir.assert_file("ledger.sqlite", text);
    workdir.assert_file("empty.sqlite", "");
    assert!(std::fs::read(workdir.path("blank.sqlite")).unwrap() == before);
    let names = workdir.names();
    assert!(names.iter().all(|name| !name.contains("damaged")), "{names:?}");
}
