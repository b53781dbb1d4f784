//! `--summary-json`: that it never shows the run before, is always whole, and keeps nobody waiting.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::faulty_disk::FaultyDisk;
use crate::support::{Flowgauge, Trial, Workdir, eventually, needs, workdir};

/// What the run before said.
const BEFORE: &str = r#"{"pipeline_id":"default","run_id":"b","outcome":"complete","exit_code":0,"records":{},"final":true}"#;

fn summary(workdir: &Workdir) -> Value {
    serde_json::from_str(&workdir.read("summary.json")).unwrap()
}

#[test]
fn a_summary_says_that_the_run_is_on_and_then_how_it_ended() {
    let workdir = workdir!();
    workdir.write("summary.json", BEFORE);
    let args = "--csv-file - --output-file out.jsonl --summary-json summary.json";
    let program = workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open();
    let mut running = program.spawn();
    let begun = eventually("a summary of this run", || {
        // Whoever reads finds one whole summary, whenever that is.
        let summary = summary(&workdir);
        (summary["run_id"] != "b").then_some(summary)
    });
    assert_eq!(
        [&begun["outcome"], &begun["exit_code"], &begun["final"], &begun["error"]],
        [&json!("running"), &Value::Null, &json!(false), &Value::Null]
    );
    assert_eq!((&begun["pipeline_id"], &begun["published"]), (&json!("default"), &json!(false)));
    running.close_stdin();
    running.finish().assert_code(0);
    let ended = summary(&workdir);
    assert_eq!(ended["run_id"], begun["run_id"]);
    assert_eq!(
        [&ended["outcome"], &ended["exit_code"], &ended["final"]],
        [&json!("complete"), &json!(0), &json!(true)]
    );
    assert_eq!(workdir.names(), ["out.jsonl", "summary.json"]);
}

/// Also where there was no run to speak of.
#[test]
fn a_run_that_is_refused_replaces_the_summary_of_the_one_before() {
    for (args, code, outcome, error) in [
        ("--csv-file in.csv --output-file in.csv", 2, "usage", "is the input 'in.csv' itself"),
        ("--csv-file gone.csv --output-file out.jsonl", 2, "usage", "cannot open 'gone.csv'"),
        ("--csv-file in.csv --output-file out.jsonl --workers x", 2, "usage", "--workers"),
        ("--csv-file in.csv", 2, "usage", "--sink-type"),
        ("--csv-flie in.csv", 2, "usage", "--csv-flie"),
        ("--csv-file in.csv --config sync.toml", 2, "usage", "batch_size"),
        ("night --config syncs.toml", 2, "usage", "there is no pipeline 'night'"),
        ("--csv-file in.csv --output-file gone/out.jsonl", 2, "usage", "cannot write 'gone/out"),
        ("--csv-file in.csv --output-file out.jsonl --rejects gone/x", 2, "usage", "'gone/x'"),
        ("--csv-file empty.csv --output-file out.jsonl", 3, "data", "the file is empty"),
    ] {
        let mut trial = Trial::csv(workdir!(), "a\n1\n")
            .file("empty.csv", "")
            .file("sync.toml", "batch_size = 0\noutput_file = 'out.jsonl'\n")
            .file("syncs.toml", "[pipelines.day]\noutput_file = 'out.jsonl'\n")
            .file("summary.json", BEFORE);
        // Trial adds the usual ends where none is named.
        for arg in ["run"].into_iter().chain(args.split(' ')) {
            trial = trial.arg(arg);
        }
        let mut verdict = trial.with("--summary-json summary.json").run().ends_with(code);
        let summary = summary(&verdict.workdir);
        assert_eq!(
            [&summary["outcome"], &summary["exit_code"], &summary["final"]],
            [&json!(outcome), &json!(code), &json!(true)],
            "{args}"
        );
        assert!(summary["error"].as_str().unwrap().contains(error), "{summary}");
        verdict.explain("summary.json");
    }
}

#[test]
fn a_second_run_says_that_it_was_the_second() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl";
    let mut first =
        workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open().spawn();
    let lock = workdir.path(".out.jsonl.lock");
    eventually("the lock", || lock.exists().then_some(()));
    workdir.write("summary.json", BEFORE);
    let args = "--csv-file - --output-file out.jsonl --summary-json summary.json";
    workdir.flowgauge().args(args.split(' ')).run().assert_code(75);
    assert_eq!(summary(&workdir)["outcome"], "locked");
    first.close_stdin();
    first.finish().assert_code(0);
}

/// A mistake is no licence to replace whatever was named.
#[test]
fn a_run_that_is_refused_replaces_nothing_but_a_summary() {
    for args in [
        "--csv-file in.csv --output-file out.jsonl --workers x --summary-json in.csv",
        "--csv-file in.csv --output-file out.jsonl --workers x --summary-json x.json",
        "--csv-file gone.csv --output-file out.jsonl --summary-json x.json",
        "--csv-flie in.csv --output-file out.jsonl --summary-json x.json",
        "--jsonl-flie b.json --output-file out.jsonl --summary-json=./b.json",
        // Summaries of other runs are data, too.
        "--jsonl-file b.json --output-file o.jsonl --workers x --summary-json b.json",
        "--jsonl-file b.json --output-file o.jsonl --summary-json ./b.json",
        "--jsonl-file b.json --jsonl-file gone --output-file o.jsonl --summary-json b.json",
        "--jsonl-file [b].json --output-file o.jsonl --workers x --summary-json b.json",
        "--jsonl-file in.csv --output-file b.json --summary-json b.json",
    ] {
        // A verdict sees every file that changed.
        Trial::csv(workdir!(), "a\n1\n")
            .file("x.json", "{\"outcome\":\"precious\"}")
            .file("b.json", BEFORE)
            .with(&format!("run {args}"))
            .run()
            .ends_with(2);
    }
}

#[test]
fn a_summary_that_cannot_be_written_is_known_before_the_run() {
    Trial::csv(workdir!(), "a\n1\n")
        .with("--summary-json gone/summary.json")
        .run()
        .ends_with(2)
        .says("cannot write 'gone/summary.json'")
        .says("the directory of --summary-json");
}

fn pipe(workdir: &Workdir) -> std::path::PathBuf {
    let path = workdir.path("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// Once with patience, and once by a signal.
#[test]
fn a_pipe_that_nobody_reads_keeps_no_run() {
    for is_stopped in [false, true] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        pipe(&workdir);
        let args = "--csv-file in.csv --output-file out.jsonl --summary-json pipe";
        let mut running = workdir.flowgauge().args(args.split(' ')).spawn();
        running.wait_for_line("read 1 = inserted 1");
        if is_stopped {
            running.signal(Signal::TERM);
        }
        let why = if is_stopped { "stopped by a signal" } else { "nobody reads it" };
        running
            .finish()
            .assert_code(5)
            .assert_stderr_has("the summary is missing: cannot write to 'pipe'")
            .assert_stderr_has(why);
        workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
    }
}

#[test]
fn a_pipe_gets_one_summary_whole() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let path = pipe(&workdir);
    let reader = std::thread::spawn(move || read(&path));
    let args = "--csv-file in.csv --output-file out.jsonl --summary-json pipe";
    workdir.flowgauge().args(args.split(' ')).run().assert_code(0);
    let told: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    assert_eq!((&told["outcome"], &told["final"]), (&json!("complete"), &json!(true)));
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The data is there, and nobody takes the summary.
#[test]
fn a_full_standard_output_leaves_the_run_open_to_signals() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file out.jsonl --summary-json -";
    let mut running = workdir.flowgauge().args(args.split(' ')).stdout_full().spawn();
    running.wait_for_line("read 1 = inserted 1");
    running.signal(Signal::TERM);
    running.wait_for_line("the summary is missing: cannot write to standard output");
    running.finish().assert_code(5);
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
}

/// A file that is open already is not replaced: whoever has it open would never see the summary. What
/// was written to it before stays.
#[test]
fn a_file_that_is_open_already_gets_one_summary_at_its_end() {
    for (redirected, name, before) in [
        ("> f", "/dev/stdout", ""),
        (">> f", "/dev/stdout", "before\n"),
        ("2> f", "/dev/stderr", ""),
        ("2>> f", "/proc/self/fd/2", "before\n"),
        ("> f 2>&1", "/dev/fd/1", ""),
        ("3> f", "/dev/fd/3", ""),
        ("3>> f", "link", "before\n"),
        ("> f", "f", ""),
        ("2>> f", "./f", "before\n"),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        workdir.write("f", before);
        symlink("/dev/fd/3", workdir.path("link")).unwrap();
        let script = format!("exec \"$0\" \"$@\" {redirected}");
        let args = format!("--csv-file in.csv --output-file o.jsonl --summary-json {name}");
        let shell = Flowgauge::new("/bin/bash", &workdir);
        let shell = shell.args(["-c", &script, env!("CARGO_BIN_EXE_flowgauge")]);
        let inode = fs::metadata(workdir.path("f")).unwrap().ino();
        shell.args(args.split(' ')).run().assert_code(0);
        assert_eq!(fs::metadata(workdir.path("f")).unwrap().ino(), inode, "{redirected}");
        let text = workdir.read("f");
        assert!(text.starts_with(before), "{redirected} {name}: {text}");
        let begin = text.find("{\n").unwrap_or_else(|| panic!("{redirected} {name}: {text}"));
        let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
        let told = values.next().unwrap().unwrap();
        assert_eq!((&told["outcome"], &told["final"]), (&json!("complete"), &json!(true)));
        assert_eq!(text.matches("\"run_id\"").count(), 1, "{redirected} {name}: {text}");
        // For the test itself it leads somewhere else.
        fs::remove_file(workdir.path("link")).unwrap();
        assert_eq!(workdir.names(), ["f", "in.csv", "o.jsonl"]);
    }
}

/// The thread that hears signals is not the one that writes to it.
#[test]
fn a_disk_that_hangs_leaves_the_run_open_to_signals() {
    let disk = FaultyDisk::new(&needs!("cc"));
    // Names are given to the summary at the start, to the output, and to the summary at its end.
    for (fault, hangs, code, said, names) in [
        ("create:1:hang", "create", 143, "cannot write 'summary.json'", &["in.csv"][..]),
        (
            "rename:3:hang",
            "rename",
            5,
            "the summary is missing: cannot write 'summary.json': stopped by a signal",
            &["in.csv", "out.jsonl", "summary.json"][..],
        ),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        let args = "--csv-file in.csv --output-file out.jsonl --summary-json summary.json";
        let program = workdir.flowgauge().args(args.split(' '));
        let running = disk.put_under(program, &workdir, fault).spawn();
        eventually("a call that hangs", || {
            disk.failed().iter().any(|failed| failed.call == hangs).then_some(())
        });
        running.signal(Signal::TERM);
        running.finish().assert_code(code).assert_stderr_has(said);
        let is_kept = |name: &String| !name.starts_with('.');
        let kept: Vec<String> = workdir.names().into_iter().filter(is_kept).collect();
        assert_eq!(kept, names, "{fault}");
    }
}

/// A run that is waited for in vain is still this one.
#[test]
fn a_signal_before_the_run_has_begun_replaces_the_summary_of_the_one_before() {
    for secret in ["--db-pass-file pipe", "--config pipe"] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        workdir.write("summary.json", BEFORE);
        let path = pipe(&workdir);
        let args = format!("--csv-file in.csv --db-table t --summary-json summary.json {secret}");
        let running = workdir.flowgauge().args(args.split(' ')).spawn();
        // It can be opened once the program has it open, too.
        let writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
        running.signal(Signal::TERM);
        running.finish().assert_code(143);
        drop(writer);
        let summary = summary(&workdir);
        assert_eq!(
            [&summary["outcome"], &summary["exit_code"], &summary["final"]],
            [&json!("terminated"), &json!(143), &json!(true)],
            "{secret}"
        );
        assert_eq!(summary["error"], "SIGTERM: stopped before the run began");
        assert_eq!(workdir.names(), ["in.csv", "pipe", "summary.json"]);
    }
}
