//! What holds for every run that comes to its end: the same bytes however the work is shared, what
//! is said, and where rejected records go.

use std::fs;

use serde_json::Value;

use crate::support::trial::rejected;
use crate::support::{Trial, workdir};

/// Records of many sizes, with quotes, line ends and some that are rejected.
fn mixed() -> String {
    let row = |row: usize| match row % 50 {
        7 => format!("{row},\"two\nlines, {}\"\n", "\"\"x".repeat(row % 9)),
        23 => format!("{row}\n"),
        31 => format!("{row},{}\n", "long ".repeat(row % 400)),
        _ => format!("{row},text\n"),
    };
    "a,b\n".to_owned() + &(0..3_000).map(row).collect::<String>()
}

/// Output and rejected records of a run over `mixed`.
fn outcome(args: &str, output: &str) -> (Vec<u8>, String) {
    let mut verdict = Trial::csv(workdir!(), mixed())
        .with(&format!("--csv-file in.csv --max-errors 60 --rejects bad.jsonl {args}"))
        .with(&format!("--output-file {output}"))
        .run()
        .completes()
        .says("read 3,000 = inserted 2,940 + updated 0 + skipped 0 + failed 60");
    verdict.explain(output);
    verdict.explain("bad.jsonl");
    let bytes = fs::read(verdict.workdir.path(output)).unwrap();
    (bytes, verdict.workdir.read("bad.jsonl"))
}

#[test]
fn workers_and_batches_do_not_show_in_the_output() {
    let expected = outcome("--workers 1", "out.jsonl");
    assert_eq!(expected.0.iter().filter(|&&byte| byte == b'\n').count(), 2_940);
    for args in [
        "--workers 2",
        "--workers 7",
        "--workers 1 --batch-size 1",
        "--workers 7 --batch-size 13",
        "--workers 7 --batch-bytes 64",
        "--workers 2 --batch-bytes 1000 --lanes 9",
        "--workers 3 --batch-size 100 --memory-limit 8MiB",
    ] {
        assert!(outcome(args, "out.jsonl") == expected, "{args}");
    }
}

/// Each batch is a member of its own, so only the limits of batches show.
#[test]
fn workers_do_not_show_in_compressed_bytes() {
    for output in ["out.jsonl.gz", "out.csv.zst"] {
        let expected = outcome("--workers 1 --batch-size 100", output);
        for workers in ["--workers 2", "--workers 7"] {
            assert!(outcome(&format!("{workers} --batch-size 100"), output) == expected);
        }
    }
}

#[test]
fn quiet_says_nothing_on_success_and_one_line_on_failure() {
    let done = Trial::csv(workdir!(), "a\n1\n\n").with("--quiet").run().completes();
    done.finished.assert_stderr("").assert_stdout("");
    done.writes(&[r#"{"a":"1"}"#]);
    let within =
        Trial::csv(workdir!(), "a,b\n1\n").with("--quiet --max-errors 1").run().completes();
    within.finished.assert_stderr("");
    within.writes(&[]).rejects(&["2:4 parse 1"]);
    let failed = Trial::csv(workdir!(), "a,b\n1\n").with("--quiet").run().ends_with(3);
    failed.finished.assert_stderr_has(
        "flowgauge: in.csv, line 2, byte 4: 1 field where there are 2 columns; 1 record was rejected and --max-errors is 0; see them in '",
    );
    assert_eq!(failed.finished.stderr.lines().count(), 1, "{}", failed.finished);
    failed.rejects(&["2:4 parse 1"]);
}

/// `bad` rejected records among `good` others.
fn with_bad(good: usize, bad: usize) -> String {
    "a,b\n".to_owned() + &"1,x\n".repeat(good) + &"2\n".repeat(bad)
}

#[test]
fn the_budget_is_a_number_or_a_share() {
    for (good, bad, budget, is_within) in [
        (1, 0, "0", true),
        (1, 1, "0", false),
        (1, 2, "2", true),
        (1, 3, "2", false),
        (0, 3, "3", true),
        (98, 2, "2%", true),
        (97, 3, "2%", false),
        (199, 1, "0.5%", true),
        (0, 3, "100%", true),
        (10, 0, "0%", true),
        (9_999, 1, "0%", false),
        (9_900, 100, "1%", true),
        (10_900, 101, "0.9%", false),
    ] {
        let trial = Trial::csv(workdir!(), with_bad(good, bad));
        let mut verdict = trial.with(&format!("--rejects bad.jsonl --max-errors {budget}")).run();
        let what = format!("{bad} of {} with {budget}: {}", good + bad, verdict.finished);
        assert_eq!(verdict.finished.code(), Some(if is_within { 0 } else { 3 }), "{what}");
        assert_eq!(verdict.workdir.exists("out.jsonl"), is_within, "{what}");
        // Over budget the rejected records are the explanation.
        assert_eq!(verdict.workdir.read("bad.jsonl").lines().count(), bad, "{what}");
        if !is_within {
            let records = if bad == 1 { "1 record was" } else { &format!("{bad} records were") };
            verdict = verdict.says(&format!("{records} rejected and --max-errors is {budget}"));
        }
        verdict.explain("out.jsonl");
        verdict.explain("bad.jsonl");
    }
}

/// A share is judged when there are enough records for one, not only at the end.
#[test]
fn a_share_that_is_far_exceeded_ends_the_run_early() {
    let mut verdict = Trial::csv(workdir!(), with_bad(0, 100_000))
        .with("--max-errors 1% --batch-size 5000 --rejects bad.jsonl --workers 1")
        .run()
        .ends_with(3)
        .says("10000 records were rejected and --max-errors is 1%");
    // The segments before, and the one that was too much.
    assert_eq!(verdict.workdir.read("bad.jsonl").lines().count(), 10_000);
    verdict.explain("bad.jsonl");
}

#[test]
fn named_rejects_are_there_also_when_there_are_none() {
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--rejects bad.jsonl")
        .run()
        .completes()
        .says_not("rejected records")
        .writes(&[r#"{"a":"1","b":"x"}"#])
        .writes_file("bad.jsonl", "");
    let mut verdict = Trial::csv(workdir!(), "a,b\n1\n")
        .with("--rejects bad.jsonl --max-errors 1")
        .run()
        .completes()
        .says("rejected records: bad.jsonl")
        .writes(&[]);
    assert_eq!(rejected(&verdict.workdir.read("bad.jsonl")), "2:4 parse 1");
    verdict.explain("bad.jsonl");
}

#[test]
fn rejects_without_a_name_are_in_the_state_directory_under_that_of_the_pipeline() {
    let mut verdict = Trial::csv(workdir!(), "a,b\n1\n")
        .with("--max-errors 1 --state-dir elsewhere --pipeline-id a/b")
        .run()
        .completes()
        .says("rejected records: elsewhere/rejects/a_b-")
        .writes(&[]);
    let is_ours = |name: &String| name.starts_with("elsewhere/rejects/a_b-");
    let name = verdict.workdir.names().into_iter().find(is_ours).unwrap();
    verdict.explain(&name);
}

#[test]
fn rejects_that_cannot_be_written_are_refused_before_anything_is_read() {
    for (args, words) in [
        ("--rejects gone/bad.jsonl", "check that the directory of --rejects exists"),
        ("--rejects folder", "'folder' is a directory; name a file in it, such as --rejects"),
        ("--rejects /dev/null", "'/dev/null' is no regular file"),
        ("--state-dir in.csv", "choose another place with --rejects or --state-dir"),
    ] {
        let trial = Trial::csv(workdir!(), "").file("folder/x", "").with(args);
        trial.run().ends_with(2).says(words);
    }
}

/// What is no file is written to, and not replaced by one.
#[test]
fn a_summary_may_go_to_a_device() {
    Trial::csv(workdir!(), "a\n1\n")
        .with("--summary-json /dev/stderr")
        .run()
        .completes()
        .writes(&["{\"a\":\"1\"}"])
        .says("\"outcome\": \"complete\"");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_summary_agrees_with_the_files() {
    let mut verdict = Trial::csv(workdir!(), mixed())
        .with("--max-errors 3% --summary-json summary.json --rejects bad.jsonl --pipeline-id night")
        .run()
        .completes();
    let workdir = &verdict.workdir;
    let summary = json(&workdir.read("summary.json"));
    let records = &summary["records"];
    assert_eq!(records["read"], 3_000);
    assert_eq!(records["processed"], 3_000);
    assert_eq!(records["inserted"], workdir.read("out.jsonl").lines().count());
    assert_eq!(records["failed"], workdir.read("bad.jsonl").lines().count());
    assert_eq!(records["residual"], 0);
    assert_eq!(summary["rejected"]["parse"], 60);
    assert_eq!(summary["bytes"]["written"], workdir.read("out.jsonl").len());
    assert_eq!(summary["bytes"]["read"], workdir.read("in.csv").len() - "a,b\n".len());
    assert_eq!(summary["files"]["processed"], 1);
    assert_eq!(summary["outcome"], "complete");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["published"], true);
    assert_eq!(summary["output"], "out.jsonl");
    assert_eq!(summary["rejects_file"], "bad.jsonl");
    assert_eq!(summary["pipeline_id"], "night");
    ["summary.json", "out.jsonl", "bad.jsonl"].iter().for_each(|name| verdict.explain(name));
}

#[test]
fn a_summary_on_standard_output_is_alone_there() {
    let verdict = Trial::csv(workdir!(), "a\n1\n").with("--summary-json -").run().completes();
    assert_eq!(json(&verdict.finished.stdout)["records"]["inserted"], 1);
    verdict.writes(&[r#"{"a":"1"}"#]);
    Trial::csv(workdir!(), "a\n1\n")
        .with("--csv-file in.csv --output-file - --summary-json -")
        .run()
        .ends_with(2)
        .says("standard output is taken by --output-file");
}

/// Whoever reads the summary must not find yesterday's.
#[test]
fn every_failure_writes_the_summary() {
    for (text, code, outcome, error) in [
        ("", 3, "data", "the file is empty"),
        ("a,b\n1\n", 3, "data", "1 field where there are 2 columns"),
        ("a;b\n", 2, "usage", "found 1 column"),
    ] {
        let mut verdict = Trial::csv(workdir!(), text)
            .file("summary.json", "yesterday")
            .with("--summary-json summary.json --rejects bad.jsonl")
            .run()
            .ends_with(code);
        let summary = json(&verdict.workdir.read("summary.json"));
        assert_eq!(summary["outcome"], outcome);
        assert_eq!(summary["exit_code"], code);
        assert_eq!(summary["published"], false);
        assert!(summary["error"].as_str().unwrap().contains(error), "{summary}");
        ["summary.json", "bad.jsonl"].iter().for_each(|name| verdict.explain(name));
    }
}

#[test]
fn a_json_log_is_json_line_by_line() {
    for (text, code) in [("a,b\n1,x\n\n2\n", 0), ("a,b\n1\n2\n", 3), ("", 3)] {
        let mut verdict = Trial::csv(workdir!(), text)
            .file("out.jsonl", "old\n")
            .with("--log-format json --max-errors 1 --rejects bad.jsonl --metrics-port 0")
            .env("FLOWGAUGE_LANES", "1")
            .run()
            .ends_with(code);
        let lines: Vec<Value> = verdict.finished.stderr.lines().map(json).collect();
        assert!(!lines.is_empty());
        for line in &lines {
            assert!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
        }
        let last = lines.last().unwrap();
        assert_eq!(last["level"], if code == 0 { "INFO" } else { "ERROR" }, "{last}");
        ["out.jsonl", "bad.jsonl"].iter().for_each(|name| verdict.explain(name));
    }
}

#[test]
fn the_log_level_is_obeyed() {
    for (level, has_warning, has_info) in
        [("error", false, false), ("warn", true, false), ("info", true, true)]
    {
        let verdict = Trial::csv(workdir!(), "a\n1\n\n")
            .with(&format!("--log-level {level}"))
            .run()
            .completes()
            .writes(&[r#"{"a":"1"}"#]);
        assert_eq!(verdict.finished.stderr.contains("WARN "), has_warning, "{level}");
        assert_eq!(verdict.finished.stderr.contains("INFO "), has_info, "{level}");
    }
}
