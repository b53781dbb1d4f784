//! Rejected records of one run are not replaced by the next, nor do they replace what is not theirs.

use serde_json::Value;

use crate::support::trial::rejected;
use crate::support::{Finished, Workdir, workdir};

#[track_caller]
fn run(workdir: &Workdir, args: &str) -> Finished {
    let args = format!("--csv-file in.csv --output-file out.jsonl --max-errors 1 {args}");
    workdir.flowgauge().args(args.split(' ')).run()
}

fn with_one_bad_record() -> Workdir {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1\n2,x\n");
    workdir
}

#[test]
fn a_file_with_records_in_it_ends_the_next_run_before_it_begins() {
    let workdir = with_one_bad_record();
    run(&workdir, "--rejects bad.jsonl")
        .assert_code(0)
        .assert_stderr_has("rejected records: bad.jsonl");
    let kept = workdir.read("bad.jsonl");
    assert_eq!(rejected(&kept), "2:4 parse 1");
    workdir.write("in.csv", "a,b\n3,y\n");
    for verb in ["", "check "] {
        let args = format!("{verb}--csv-file in.csv --output-file out.jsonl --rejects bad.jsonl");
        workdir.flowgauge().args(args.split(' ')).run().assert_code(2).assert_stderr_has(
            "'bad.jsonl' holds records of an earlier run, which are not replaced; move it away, or let each run have a file of its own: --rejects 'bad-{run}.jsonl' ({date} is the day)",
        );
    }
    workdir.assert_file("bad.jsonl", &kept);
    workdir.assert_file("out.jsonl", "{\"a\":\"2\",\"b\":\"x\"}\n");
    // An empty one is nobody's loss, and nothing is said of rejected records where there are none.
    workdir.write("bad.jsonl", "");
    let finished = run(&workdir, "--rejects bad.jsonl --summary-json sum.json");
    finished.assert_code(0);
    assert!(!finished.stderr.contains("rejected records:"), "{finished}");
    workdir.assert_file("bad.jsonl", "");
    let summary: Value = serde_json::from_str(&workdir.read("sum.json")).unwrap();
    assert_eq!(summary["rejects_file"], Value::Null);
}

#[test]
fn a_name_with_the_run_in_it_is_a_file_of_each_run_that_has_some() {
    let workdir = with_one_bad_record();
    for count in [1, 2] {
        let finished = run(&workdir, "--rejects bad-{run}.jsonl --summary-json sum.json");
        finished.assert_code(0);
        let summary: Value = serde_json::from_str(&workdir.read("sum.json")).unwrap();
        let name = format!("bad-{}.jsonl", summary["run_id"].as_str().unwrap());
        assert_eq!(summary["rejects_file"], name.as_str());
        assert_eq!(rejected(&workdir.read(&name)), "2:4 parse 1");
        let names = workdir.names();
        assert_eq!(names.iter().filter(|name| name.starts_with("bad-")).count(), count);
    }
    let before = workdir.names();
    workdir.write("in.csv", "a,b\n3,y\n");
    run(&workdir, "--rejects bad-{run}.jsonl").assert_code(0);
    assert_eq!(workdir.names(), before);
}

#[test]
fn a_name_with_the_day_in_it_is_a_file_of_each_day() {
    let workdir = with_one_bad_record();
    run(&workdir, "--rejects bad-{date}.jsonl").assert_code(0);
    let names = workdir.names();
    let name = names.iter().find(|name| name.starts_with("bad-")).unwrap();
    let day = name.strip_prefix("bad-").unwrap().strip_suffix(".jsonl").unwrap();
    let parts: Vec<_> = day.split('-').map(str::len).collect();
    assert_eq!(parts, [4, 2, 2], "{name}");
    workdir.write("in.csv", "a,b\n3,y\n");
    // Midnight may have come since.
    let finished = run(&workdir, "--rejects bad-{date}.jsonl");
    if finished.status.code() == Some(2) {
        finished.assert_stderr_has(&format!("'{name}' holds records of an earlier run"));
    }
}

/// They would be read as data the next night.
#[test]
fn rejected_records_of_runs_before_are_no_input() {
    let workdir = workdir!();
    workdir.write("in/a.jsonl", "{\"a\":1}\n{\"a\":\n");
    for _ in 0..2 {
        let args = "--jsonl-file in/*.jsonl --output-file out.jsonl --rejects in/bad-{run}.jsonl --max-errors 1";
        workdir.flowgauge().args(args.split(' ')).run().assert_code(0);
        workdir.assert_file("out.jsonl", "{\"a\":1}\n");
    }
}

/// Their names never come again, so another run has to know them.
#[test]
fn what_a_killed_run_left_of_a_file_of_its_own_is_removed() {
    let workdir = with_one_bad_record();
    let args = "--csv-file - --output-file out.jsonl --rejects bad-{run}.jsonl";
    let running = workdir.flowgauge().args(args.split(' ')).keep_stdin_open().spawn();
    let is_left = |name: &String| name.starts_with(".bad-") && name.ends_with(".part");
    crate::support::eventually("the part file", || {
        workdir.names().iter().any(is_left).then_some(())
    });
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    assert!(workdir.names().iter().any(is_left));
    run(&workdir, "--rejects bad-{run}.jsonl")
        .assert_code(0)
        .assert_stderr_has("was left by a run that was killed");
    assert!(!workdir.names().iter().any(|name| name.starts_with(".bad-")), "{:?}", workdir.names());
}

/// It is there since the run began, and whose it is nobody knows.
#[test]
fn a_file_that_takes_the_name_during_the_run_is_left_alone() {
    for (input, text, is_directory) in [
        ("a,b\n1\n2,x\n", "theirs\n", false),
        ("a,b\n1\n2,x\n", "", true),
        ("a,b\n2,x\n", "theirs\n", false),
    ] {
        let workdir = workdir!();
        let args = "--csv-file - --output-file out.jsonl --max-errors 1 --rejects bad.jsonl --summary-json sum.json";
        let program = workdir.flowgauge().args(args.split(' ')).stdin(input).keep_stdin_open();
        let mut running = program.spawn();
        crate::support::eventually("the part file", || {
            workdir.path(".bad.jsonl.part").exists().then_some(())
        });
        match is_directory {
            true => std::fs::create_dir(workdir.path("bad.jsonl")).unwrap(),
            false => drop(workdir.write("bad.jsonl", text)),
        }
        running.close_stdin();
        let finished = running.finish();
        finished.assert_code(0).assert_stderr_has("'bad.jsonl' was put there by somebody else; ");
        workdir.assert_file("out.jsonl", "{\"a\":\"2\",\"b\":\"x\"}\n");
        if !is_directory {
            workdir.assert_file("bad.jsonl", text);
        }
        let summary: Value = serde_json::from_str(&workdir.read("sum.json")).unwrap();
        if !input.contains("1\n") {
            finished.assert_stderr_has("this run has rejected nothing");
            assert_eq!(summary["rejects_file"], Value::Null);
            continue;
        }
        let name = format!("bad.jsonl.{}", summary["run_id"].as_str().unwrap());
        assert_eq!(summary["rejects_file"], name.as_str());
        finished.assert_stderr_has(&format!("the rejected records of this run are in '{name}'"));
        assert_eq!(rejected(&workdir.read(&name)), "2:4 parse 1");
    }
}
