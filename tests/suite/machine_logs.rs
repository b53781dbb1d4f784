//! What machines read of a run: the log as JSON, priorities for the journal, the numbers in the summary.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::support::{Finished, Workdir, eventually, workdir};

fn lines(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[track_caller]
fn of_event<'a>(lines: &'a [Value], event: &str) -> &'a Value {
    lines.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event}"))
}

fn rejecting(workdir: &Workdir, args: &str) -> Finished {
    workdir.write("in.csv", "id,name\n1,a\n2\n3,c\n");
    let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.jsonl"]);
    command.args(["--pipeline-id", "nightly"]).args(args.split(' ')).run()
}

#[test]
fn lines_of_a_log_as_json_have_fields_of_their_own() {
    let workdir = workdir!();
    let run = rejecting(&workdir, "--log-format json --max-errors 1 --summary-json s.json");
    run.assert_code(0);
    let lines = lines(&run.stderr);
    let summary: Value = serde_json::from_str(&workdir.read("s.json")).unwrap();
    for line in &lines {
        assert_eq!(line["pipeline_id"], "nightly", "{line}");
        assert_eq!(line["run_id"], summary["run_id"], "{line}");
    }
    assert_eq!(of_event(&lines, "started")["level"], "INFO");
    assert_eq!(of_event(&lines, "rejected")["error_type"], "parse");
    let ended = of_event(&lines, "ended");
    assert_eq!((&ended["outcome"], &ended["exit_code"]), (&"complete".into(), &0.into()));
    assert_eq!(ended["records"], 3);
    // An object, and not a text that holds one.
    assert_eq!(ended["summary"]["records"], summary["records"]);

    let refused = rejecting(&workdir, "--log-format json --quiet");
    refused.assert_code(3);
    let lines = self::lines(&refused.stderr);
    let error = of_event(&lines, "error");
    assert_eq!((&error["error_type"], &error["exit_code"]), (&"parse".into(), &3.into()));
    assert_eq!(error["pipeline_id"], "nightly");
}

#[test]
fn the_summary_has_errors_by_stage_and_type_with_their_last_words() {
    let workdir = workdir!();
    rejecting(&workdir, "--max-errors 1 --summary-json s.json").assert_code(0);
    let summary: Value = serde_json::from_str(&workdir.read("s.json")).unwrap();
    assert_eq!(summary["schema_version"], 1);
    let parse = &summary["errors"]["convert"]["parse"];
    assert_eq!(parse["count"], 1, "{summary}");
    let message = parse["last_message"].as_str().unwrap();
    assert!(message.starts_with("in.csv, line 3, byte 12: 1 field"), "{message}");
    let at = |name: &str| parse[name].as_f64().unwrap();
    assert!(at("first_at_seconds") >= summary["started_at_seconds"].as_f64().unwrap());
    assert!(at("first_at_seconds") <= at("last_at_seconds"));
    assert_eq!(summary["retries"], serde_json::json!({}));
}

/// systemd names the journal's socket by device and inode; a file can stand in for it.
#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let workdir = workdir!();
    workdir.write("in.csv", "id,name\n1\n");
    let path = workdir.path("journal");
    let journal = File::create(&path).unwrap();
    let found = journal.metadata().unwrap();
    for (named, prefix) in
        [(format!("{}:{}", found.dev(), found.ino()), "<3>flowgauge: "), ("8:1".to_string(), "")]
    {
        journal.set_len(0).unwrap();
        let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.csv"]);
        let command = command.env("JOURNAL_STREAM", named);
        command.stderr(journal.try_clone().unwrap()).run().assert_code(3);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.trim_start_matches('\0');
        assert_eq!(text.contains("<6>"), !prefix.is_empty(), "{text}");
        assert!(text.lines().any(|line| line.starts_with(prefix)), "{text}");
    }
}

#[test]
fn a_signal_is_said_however_quiet_a_run_is() {
    let workdir = workdir!();
    let command = workdir.flowgauge().args(["--csv-file", "-", "--output-file", "o.jsonl"]);
    let mut run = command.args(["--quiet"]).stdin_open().spawn();
    let hidden = workdir.path(".o.jsonl.part");
    eventually("its hidden file", || hidden.exists().then_some(()));
    run.signal(rustix::process::Signal::TERM);
    run.wait_for_line("SIGTERM: finishing what was read; a second signal stops at once");
    run.finish().assert_code(143);
}

/// Also where it is not that of the error which the line is about.
#[test]
fn every_line_of_an_error_has_the_exit_code_of_the_program() {
    let push = "--metrics-push http://127.0.0.1:1 --require-report";
    for (args, count, code) in [
        (format!("--max-errors 1 {push}"), 1, 6),
        ("--max-errors 1 --ledger /dev/null --require-ledger".to_string(), 1, 6),
        (format!("--max-errors 0 {push}"), 2, 3),
    ] {
        let run = rejecting(&workdir!(), &format!("--quiet --log-format json {args}"));
        run.assert_code(code);
        let lines = lines(&run.stderr);
        let errors: Vec<&Value> = lines.iter().filter(|line| line["event"] == "error").collect();
        assert_eq!(errors.len(), count, "{}", run.stderr);
        assert!(errors.iter().all(|line| line["exit_code"] == code), "{}", run.stderr);
    }
}
