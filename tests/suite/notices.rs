//! What the exporter tells of runs that could not tell it themselves: lost ones, and those that did not come.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::orders::ACCEPTED;
use crate::support::program::Running;
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::secrets::{PASSWORD, PATH, TOKEN};
use crate::support::{Finished, LedgerFile, Workdir, eventually, workdir};

fn exporter(workdir: &Workdir, receiver: &HttpReceiver, args: &str) -> Running {
    let url = format!("http://me:{PASSWORD}@{}/{PATH}", receiver.address);
    let command = workdir.flowgauge().args(["exporter", "--port", "0", "--poll", "20ms"]);
    let command = command.args(["--notify-webhook", &url]).args(args.split_whitespace());
    let mut running = command.spawn();
    running.metrics_address();
    running
}

#[track_caller]
fn ended(running: Running) -> Finished {
    running.signal(Signal::TERM);
    let finished = running.finish();
    finished.assert_code(0);
    for secret in [PASSWORD, PATH, TOKEN] {
        assert!(!finished.stderr.contains(secret), "{secret}: {finished}");
    }
    finished
}

fn complete(workdir: &Workdir, id: &str, args: &str) {
    workdir.write("in.csv", "a\n1\n");
    let run = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "out.jsonl"]);
    run.args(["--pipeline-id", id]).args(args.split_whitespace()).run().assert_code(0);
}

/// A run that was killed so long ago, by its id.
fn killed(workdir: &Workdir, id: &str, seconds_ago: u32) -> String {
    let ledger = LedgerFile::of(workdir);
    let args = ["--csv-file", "-", "--output-file", "killed.jsonl", "--pipeline-id", id];
    let run = workdir.flowgauge().args(args).keep_stdin_open().spawn();
    let of_process = format!("FROM runs WHERE outcome IS NULL AND pid = {}", run.id());
    eventually("the row of the run", || {
        let count = format!("SELECT count(*) {of_process}");
        let rows = ledger.open().query_row(&count, [], |row| row.get(0));
        (rows.unwrap_or(0) == 1).then_some(())
    });
    run.signal(Signal::KILL);
    run.finish();
    let run_id = ledger.text(&format!("SELECT run_id {of_process}"));
    let sql = "UPDATE runs SET started_at = started_at - ?2, heartbeat_at = heartbeat_at - ?2 WHERE run_id = ?1";
    ledger.execute(sql, (&run_id, seconds_ago));
    run_id
}

#[track_caller]
fn assert_nothing_more(receiver: &HttpReceiver) {
    let more: Vec<_> =
        receiver.rest().iter().map(|it| format!("{}{}", it.head, it.text())).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[track_caller]
fn message(receiver: &HttpReceiver) -> Value {
    let arrival = receiver.next();
    assert!(arrival.head.starts_with(&format!("POST /{PATH} ")), "{}", arrival.head);
    serde_json::from_str(&arrival.text()).unwrap()
}

#[test]
fn a_lost_run_is_told_once_also_across_a_restart() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    complete(&workdir, "orders", "");
    let long_ago = killed(&workdir, "orders", 90_000);
    let first = killed(&workdir, "orders", 100);
    let args = "--notify-state told.json --notify-on failure,recovery";
    let running = exporter(&workdir, &receiver, args);
    let told = message(&receiver);
    let reason = "the process ended without a word: it was killed, or the machine went down";
    for (name, value) in [
        ("event", "lost"),
        ("outcome", "lost"),
        ("pipeline_id", "orders"),
        ("run_id", &first),
        ("reason", reason),
    ] {
        assert_eq!(told[name], value, "{told}");
    }
    let text = told["text"].as_str().unwrap();
    assert!(text.starts_with("orders: lost: its last sign of life was at "), "{text}");
    // It is the same run when it is written that it is lost.
    workdir.flowgauge().arg("runs").run().assert_code(0);
    complete(&workdir, "orders", "");
    let back = message(&receiver);
    assert_eq!((&back["event"], &back["outcome"]), (&"recovery".into(), &"complete".into()));
    assert!(back["text"].as_str().unwrap().starts_with("orders: complete again; 1 record"));
    ended(running);
    // What becomes so while nobody is there is told by the next one, however long that takes.
    let second = killed(&workdir, "orders", 5_000);
    let running = exporter(&workdir, &receiver, args);
    assert_eq!(message(&receiver)["run_id"], second.as_str());
    ended(running);
    assert_nothing_more(&receiver);
    // Without a file of its own it tells what became so since it began and shortly before.
    let third = killed(&workdir, "other", 100);
    let running = exporter(&workdir, &receiver, "--pipeline other");
    assert_eq!(message(&receiver)["run_id"], third.as_str());
    ended(running);
    assert_nothing_more(&receiver);
    assert!(!workdir.read("told.json").contains(PASSWORD));
    assert!(workdir.read("told.json").contains(&long_ago), "it was passed over");
}

#[test]
fn runs_that_did_not_come_are_told_once_for_each_that_was_due() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let ledger = LedgerFile::of(&workdir);
    complete(&workdir, "orders", "--expect-every 1h");
    complete(&workdir, "unexpected", "");
    let later = |seconds: u32| {
        ledger.execute(
            "UPDATE runs SET started_at = started_at - ?1, finished_at = finished_at - ?1",
            [seconds],
        );
    };
    // It is late from a tenth of the interval on.
    later(3_500);
    let args = "--notify-state told.json --notify-on failure,recovery";
    let running = exporter(&workdir, &receiver, args);
    later(500);
    let told = message(&receiver);
    for (name, value) in [("event", "missed"), ("pipeline_id", "orders")] {
        assert_eq!(told[name], value, "{told}");
    }
    assert_eq!(
        (&told["missed_in_a_row"], &told["expected_interval_seconds"]),
        (&1.into(), &3600.0.into())
    );
    let text = told["text"].as_str().unwrap();
    assert!(text.starts_with("orders: the run did not come that was due at "), "{text}");
    assert!(
        text.contains("; one is expected every 1 h 00 m; the last complete one was at "),
        "{text}"
    );
    // The next one was due half a minute later than the one that was told.
    later(3_570);
    let told = message(&receiver);
    assert_eq!((&told["event"], &told["missed_in_a_row"]), (&"missed".into(), &2.into()));
    ended(running);
    let running = exporter(&workdir, &receiver, args);
    later(7_195);
    assert_eq!(message(&receiver)["missed_in_a_row"], 4);
    complete(&workdir, "orders", "--expect-every 1h");
    assert_eq!(message(&receiver)["event"], "recovery");
    ended(running);
    assert_nothing_more(&receiver);
}

#[test]
fn a_message_that_was_not_taken_is_sent_again_and_one_that_may_have_been_is_not() {
    let workdir = workdir!();
    let refused = Reply::Bytes("HTTP/1.1 401 No\r\nconnection: close\r\n\r\n");
    let receiver = HttpReceiver::with_replies(vec![refused, Reply::Closed, ACCEPTED]);
    complete(&workdir, "orders", "");
    let first = killed(&workdir, "orders", 200);
    let mut running = exporter(&workdir, &receiver, "--notify-format slack");
    let slack: Value = serde_json::from_str(&receiver.next().text()).unwrap();
    assert_eq!(slack.as_object().unwrap().len(), 1, "{slack}");
    assert!(slack["text"].as_str().unwrap().starts_with("orders: lost: "), "{slack}");
    running.wait_for_line("--notify-webhook: a message did not arrive: ");
    receiver.next();
    running.wait_for_line("--notify-webhook: a message may not have arrived: ");
    let second = killed(&workdir, "orders", 100);
    assert_ne!(first, second);
    receiver.next();
    ended(running);
    assert_nothing_more(&receiver);
}

#[test]
fn settings_of_messages_that_make_no_sense_are_mistakes() {
    let workdir = workdir!();
    workdir.write("notes.json", "my notes\n");
    let hook = "--notify-webhook http://127.0.0.1:1/x";
    for (args, words) in [
        ("--notify-on failure", "it has no meaning without --notify-webhook"),
        ("--notify-state told.json", "--notify-state has no meaning without --notify-webhook"),
        (
            &format!("{hook} --notify-state notes.json"),
            "'notes.json' is not what an exporter has told",
        ),
        (&format!("{hook} --notify-state absent/told.json"), "absent/told.json"),
        (&format!("{hook} --notify-on anomaly"), "'anomaly' is not one of failure, recovery"),
        ("--notify-webhook ftp://h/", "neither http nor https"),
    ] {
        let command = workdir.flowgauge().args(["exporter", "--port", "0"]);
        let finished = command.args(args.split(' ')).run();
        finished.assert_code(2).assert_stderr_has(words);
    }
    workdir.assert_file("notes.json", "my notes\n");
}
