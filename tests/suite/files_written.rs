//! The files that a run writes are its own: nothing else is opened for writing, emptied, swept away or
//! renamed over, and what cannot be written is known before the run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::program::Running;
use crate::support::{Finished, Flowgauge, Trial, Workdir, eventually, workdir};

const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];

/// The program behind a line of shell, which ends with `exec "$0" "$@"`.
fn through_shell(workdir: &Workdir, script: &str, args: &str) -> Flowgauge {
    let shell = Flowgauge::new("/bin/bash", workdir);
    shell.args(["-c", script, env!("CARGO_BIN_EXE_flowgauge")]).args(args.split(' '))
}

fn run(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(args.split(' ')).run()
}

/// A run that has begun to write and waits for more.
#[track_caller]
fn begun(workdir: &Workdir, args: &str, part: &str) -> Running {
    let rows: String = (0..60_000).map(|row| format!("{row:09}\n")).collect();
    let program = workdir.flowgauge().args("--csv-file - --batch-bytes 4KiB".split(' '));
    let program = program.args(args.split(' ')).stdin(format!("a\n{rows}")).keep_stdin_open();
    let running = program.spawn();
    let part = workdir.path(part);
    eventually("the part file to grow", || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0).then_some(())
    });
    running
}

#[track_caller]
fn kill(running: Running) {
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal(), Some(9));
}

/// What a killed run left, for example.
#[test]
fn an_input_that_is_called_like_a_hidden_file_is_read_and_stays() {
    for name in [".out.jsonl.part", ".out.jsonl.1.part", ".in.csv.part", ".out.jsonl.1.lock"] {
        Trial::new(workdir!())
            .file(name, "{\"a\":\"1\",\"b\":\"x\"}\n")
            .with(&format!("--jsonl-file {name}"))
            .run()
            .completes()
            .writes(ONE_ROW);
    }
    Trial::new(workdir!())
        .file(".out.jsonl.part", "a,b\n1,x\n")
        .with("--csv-file .out.jsonl.part")
        .run()
        .completes()
        .says("'.out.jsonl.part' was not made for this output and is left alone")
        .writes(ONE_ROW);
    // There is but one place for the lock.
    Trial::new(workdir!())
        .file(".out.jsonl.lock", "a,b\n1,x\n")
        .with("--csv-file .out.jsonl.lock")
        .run()
        .ends_with(2)
        .says(
            "'.out.jsonl.lock' is in the way and was not made by flowgauge; give it another name",
        );
}

/// Of a killed run, or of somebody who uses the name for a lock of his own: as old as it is, nobody
/// knows. It is in no run's way, and stays.
#[test]
fn an_old_empty_file_with_the_name_of_the_lock_stays() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    let lock = workdir.write(".out.jsonl.lock", "");
    let long_ago = SystemTime::now() - Duration::from_secs(7_200);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    let before = fs::metadata(&lock).unwrap();
    // Not only the first one leaves it.
    for _ in 0..2 {
        run(&workdir, "--csv-file in.csv --output-file out.jsonl").assert_code(0);
        let after = fs::metadata(&lock).unwrap();
        assert_eq!((before.ino(), 0), (after.ino(), after.len()));
    }
    // What was made a moment ago may be a run's that was killed.
    workdir.write(".other.jsonl.lock", "");
    run(&workdir, "--csv-file in.csv --output-file other.jsonl").assert_code(0);
    assert!(!workdir.exists(".other.jsonl.lock"));
}

/// By a link, a second link or a pipe, which would block whoever opens it.
#[test]
fn what_stands_in_the_place_of_a_hidden_file_is_not_touched() {
    for name in [".out.jsonl.part", ".out.jsonl.lock", ".bad.jsonl.part", ".bad.jsonl.lock"] {
        let code = if name.ends_with(".lock") { 2 } else { 0 };
        for kind in ["link", "second link", "folder", "pipe"] {
            let workdir = workdir!();
            workdir.write("in.csv", "a,b\n1,x\n");
            let precious = workdir.write("precious", "precious\n");
            let place = workdir.path(name);
            match kind {
                "link" => symlink("precious", place).unwrap(),
                "second link" => fs::hard_link(&precious, place).unwrap(),
                "folder" => fs::create_dir(place).unwrap(),
                _ => {
                    let mode = rustix::fs::Mode::RWXU;
                    let fifo = rustix::fs::FileType::Fifo;
                    rustix::fs::mknodat(rustix::fs::CWD, place, fifo, mode, 0).unwrap();
                }
            }
            let before = fs::symlink_metadata(workdir.path(name)).unwrap();
            let finished =
                run(&workdir, "--csv-file in.csv --output-file out.jsonl --rejects bad.jsonl");
            finished.assert_code(code);
            let after = fs::symlink_metadata(workdir.path(name)).unwrap();
            assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
            workdir.assert_file("precious", "precious\n");
            assert_eq!(workdir.exists("out.jsonl"), code == 0, "{finished}");
        }
    }
}

#[test]
fn two_files_of_a_run_share_no_hidden_place() {
    for (args, words) in [
        (
            "--rejects .out.jsonl.part",
            "--rejects '.out.jsonl.part' is a name of the hidden files of --output-file",
        ),
        ("--rejects ./.out.jsonl.lock", "is a name of the hidden files of --output-file"),
        ("--summary-json .out.jsonl.part", "--summary-json '.out.jsonl.part' is a name of the"),
        ("--summary-json .out.jsonl.12.part", "is a name of the hidden files of --output-file"),
        (
            "--output-file .bad.part --rejects bad",
            "--output-file '.bad.part' is a name of the hidden files of --rejects",
        ),
        ("--rejects bad --summary-json .bad.lock", "of the hidden files of --rejects"),
    ] {
        for command in ["", "check --csv-file in.csv --output-file out.jsonl "] {
            let args = format!("{command}{args}");
            if args.matches("--output-file").count() > 1 {
                continue;
            }
            Trial::csv(workdir!(), "a,b\n1,x\n").with(&args).run().ends_with(2).says(words);
        }
    }
}

/// A directory that is reached by a link is the same one.
#[test]
fn one_file_by_two_ways_is_one() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    fs::create_dir(workdir.path("real")).unwrap();
    symlink("real", workdir.path("link")).unwrap();
    for (args, words) in [
        ("--rejects link/out.jsonl", "--rejects and --output-file are both 'link/out.jsonl'"),
        ("--summary-json link/out.jsonl", "--summary-json and --output-file are both"),
        ("--rejects link/.out.jsonl.part", "is a name of the hidden files of --output-file"),
    ] {
        let args = format!("--csv-file in.csv --output-file real/out.jsonl {args}");
        run(&workdir, &args).assert_code(2).assert_stderr_has(words);
        assert_eq!(workdir.names(), ["in.csv"]);
    }
}

/// Configuration, what it includes, certificates and passwords: by any name.
#[test]
fn no_file_that_is_read_is_written() {
    let elastic = "--es-url http://127.0.0.1:1 --es-index i --output-file out.jsonl";
    let csv = "--csv-file in.csv --output-file out.jsonl";
    let mysql = "--csv-file in.csv --db-table t --db-name d --db-host 127.0.0.1 --db-user u";
    for (args, what) in [
        (format!("{csv} --config sync.toml --rejects FILE"), "--config"),
        (format!("{csv} --config other.toml --summary-json FILE"), "--config"),
        (
            "--csv-file in.csv --config sync.toml --output-format csv --output-file FILE"
                .to_string(),
            "--config",
        ),
        (format!("{elastic} --es-ca sync.toml --rejects FILE"), "--es-ca"),
        (format!("{elastic} --es-api-key-file sync.toml --summary-json FILE"), "--es-api-key-file"),
        (
            format!("{elastic} --es-user u --es-pass-file sync.toml --rejects FILE"),
            "--es-pass-file",
        ),
        (format!("{mysql} --db-ca sync.toml --rejects FILE"), "--db-ca"),
        (format!("{mysql} --db-pass-file sync.toml --summary-json FILE"), "--db-pass-file"),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "a,b\n1,x\n");
        let text = "workers = 1\n";
        workdir.write("sync.toml", text);
        workdir.write("other.toml", "include = 'sync.toml'\n");
        symlink("sync.toml", workdir.path("alias")).unwrap();
        fs::hard_link(workdir.path("sync.toml"), workdir.path("twin")).unwrap();
        let names = workdir.names();
        for name in ["sync.toml", "./sync.toml", "alias", "twin"] {
            let finished = run(&workdir, &args.replace("FILE", name));
            finished.assert_code(2);
            finished.assert_stderr_has(&format!("'{name}' is the file of {what} itself"));
            assert_eq!(workdir.names(), names);
            workdir.assert_file("sync.toml", text);
        }
    }
}

#[test]
fn redirected_files_are_kept_apart_too() {
    let workdir = workdir!();
    let text = "a,b\n1,x\n";
    for (redirected, args, words) in [
        ("< in.csv", "--csv-file - --output-file in.csv", "'in.csv' is the input 'standard input'"),
        ("< in.csv", "--csv-file - --output-file - --rejects in.csv", "'in.csv' is the input"),
        (">> in.csv", "--csv-file in.csv --output-file -", "standard output is the input 'in.csv'"),
        (
            ">> in.csv",
            "--csv-file in.csv --output-file out.jsonl --summary-json -",
            "standard output is the input 'in.csv' itself; redirect it",
        ),
        (
            "< in.csv >> bad.jsonl",
            "--csv-file - --output-file - --rejects bad.jsonl",
            "standard output is the file of --rejects itself",
        ),
        (
            "2>> bad.jsonl",
            "--csv-file in.csv --output-file bad.jsonl",
            "standard error is the file of --output-file itself; redirect it",
        ),
        (
            "2>> in.csv",
            "--csv-file in.csv --output-file out.jsonl",
            "standard error is the input 'in.csv' itself",
        ),
    ] {
        workdir.write("in.csv", text);
        workdir.write("bad.jsonl", "");
        let script = format!("exec \"$0\" \"$@\" {redirected}");
        let finished = through_shell(&workdir, &script, args).run();
        finished.assert_code(2);
        // Where standard error leads to one of the files, it says so there.
        let said = ["in.csv", "bad.jsonl"].map(|name| workdir.read(name)).concat();
        assert!(finished.stderr.contains(words) || said.contains(words), "{finished}");
        assert!(workdir.read("in.csv").starts_with(text));
        assert_eq!(workdir.read("in.csv") == text, redirected != "2>> in.csv");
        assert_eq!(workdir.names(), ["bad.jsonl", "in.csv"]);
    }
}

#[test]
fn closed_streams_are_refused_and_not_taken_for_empty_ones() {
    for (redirected, args, words) in [
        (">&-", "--csv-file in.csv --output-file -", "standard output is closed"),
        (">&-", "check --csv-file in.csv --output-file -", "standard output is closed"),
        (
            ">&-",
            "--csv-file in.csv --output-file out.jsonl --summary-json -",
            "and --summary-json is '-'",
        ),
        (
            "<&-",
            "--jsonl-file - --output-file out.jsonl",
            "standard input is closed, or /dev/null opened for writing, too; give it something to read, or name a file in --jsonl-file",
        ),
        ("<&-", "--csv-file in.csv --csv-file - --output-file out.jsonl", "--csv-file"),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "a,b\n1,x\n");
        workdir.write("out.jsonl", "old\n");
        let script = format!("exec \"$0\" \"$@\" {redirected}");
        let finished = through_shell(&workdir, &script, args).run();
        finished.assert_code(2).assert_stderr_has(words);
        workdir.assert_file("out.jsonl", "old\n");
        assert_eq!(workdir.names(), ["in.csv", "out.jsonl"]);
    }
    // Who says /dev/null means it.
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    for (redirected, args) in [
        (">/dev/null", "--csv-file in.csv --output-file -"),
        ("</dev/null", "--jsonl-file - --output-file out.jsonl"),
        (">&- <&-", "--csv-file in.csv --output-file out.jsonl"),
    ] {
        let script = format!("exec \"$0\" \"$@\" {redirected}");
        through_shell(&workdir, &script, args).run().assert_code(0);
    }
}

#[test]
fn a_place_that_cannot_take_the_output_is_known_before_the_run() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    fs::create_dir(workdir.path("folder")).unwrap();
    for (args, words) in [
        ("--output-file new/", "'new/' is the name of a directory; name a file, such as"),
        ("--output-file new/.", "'new/.' is the name of a directory"),
        ("--output-file folder/", "'folder/' is a directory; name a file in it"),
        ("--output-file out.jsonl --rejects new/", "'new/' is the name of a directory"),
        ("--output-file out.jsonl --summary-json new/", "'new/' is the name of a directory"),
        ("--output-file out.jsonl --summary-json folder", "'folder' is a directory"),
        ("--output-file out.jsonl --summary-json gone/s.json", "cannot write 'gone/s.json'"),
        ("--output-file out.jsonl --summary-json gone/s.json", "the directory of --summary-json"),
        ("--output-file out.jsonl --rejects gone/bad.jsonl", "cannot write 'gone/bad.jsonl'"),
        ("--output-file out.jsonl --state-dir in.csv", "choose another place with --rejects or"),
    ] {
        for command in ["run", "check"] {
            let finished = run(&workdir, &format!("{command} --csv-file in.csv {args}"));
            finished.assert_code(2).assert_stderr_has(words);
            assert_eq!(workdir.names(), ["in.csv"]);
        }
    }
    for command in ["run", "check"] {
        let args = [command, "--csv-file", "in.csv", "--output-file", "out.jsonl"];
        let finished = workdir.flowgauge().args(args).args(["--summary-json", ""]).run();
        finished.assert_code(2).assert_stderr_has("name a file, or - for standard output");
    }
}

/// In a mount namespace of its own, where that may be had.
#[test]
fn a_file_that_is_mounted_cannot_be_replaced_and_that_is_known_before_the_run() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    workdir.write("behind", "old\n");
    workdir.write("out.jsonl", "");
    let can = "mount --bind behind out.jsonl";
    let probe = format!("unshare --mount --map-root-user sh -c '{can}'");
    if Flowgauge::new("/bin/bash", &workdir).args(["-c", &probe]).run().code() != Some(0) {
        eprintln!("not run: nothing can be mounted here");
        return;
    }
    for command in ["run", "check"] {
        let script = format!(
            "exec unshare --mount --map-root-user sh -c '{can} && exec \"$0\" \"$@\"' \"$0\" \"$@\""
        );
        let args = format!("{command} --csv-file in.csv --output-file out.jsonl");
        let finished = through_shell(&workdir, &script, &args).run();
        finished.assert_code(2).assert_stderr_has(
            "'out.jsonl' is a mount point of its own, which no other file can replace; mount the directory that holds it",
        );
        workdir.assert_file("behind", "old\n");
        assert_eq!(workdir.names(), ["behind", "in.csv", "out.jsonl"]);
    }
}

/// A name may have 255 bytes, and the hidden ones are longer.
#[test]
fn the_longest_names_are_written() {
    for length in [246, 247, 250, 255] {
        let workdir = workdir!();
        workdir.write("in.csv", "a,b\n1,x\n3\n");
        let name = |first: &str| format!("{first}{}", "x".repeat(length - first.len()));
        let (out, bad, summary) = (name("out"), name("bad"), name("summary"));
        let args = format!(
            "--csv-file in.csv --output-file {out} --rejects {bad} --summary-json {summary} --max-errors 1"
        );
        run(&workdir, &args).assert_code(0);
        workdir.assert_file(&out, &format!("{}\n", ONE_ROW[0]));
        assert_eq!(workdir.names(), [bad, "in.csv".to_string(), out, summary]);
    }
    // Names of files that are made of that of a pipeline, too.
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1\n");
    let args = "--csv-file in.csv --output-file out.jsonl --max-errors 1 --pipeline-id";
    let program = workdir.flowgauge().args(args.split(' ')).arg("漢".repeat(100));
    program.run().assert_code(0).assert_stderr_has("rejected records: ");
}

#[test]
fn killed_runs_leave_one_part_file_at_most() {
    let workdir = workdir!();
    let mut before = Vec::new();
    for _ in 0..3 {
        kill(begun(&workdir, "--output-file out.jsonl --rejects bad.jsonl", ".out.jsonl.part"));
        if before.is_empty() {
            before = workdir.names();
            let left = [".bad.jsonl.lock", ".bad.jsonl.part", ".out.jsonl.lock", ".out.jsonl.part"];
            assert_eq!(before, left);
        }
        assert_eq!(workdir.names(), before);
    }
    // Also where the first place was somebody's.
    let workdir = workdir!();
    workdir.write(".out.jsonl.part", "precious\n");
    for _ in 0..2 {
        kill(begun(&workdir, "--output-file out.jsonl --rejects bad.jsonl", ".out.jsonl.1.part"));
        assert!(!workdir.exists(".out.jsonl.2.part"));
    }
    workdir.write("in.csv", "a,b\n1,x\n");
    run(&workdir, "--csv-file in.csv --output-file out.jsonl --rejects bad.jsonl")
        .assert_code(0)
        .assert_stderr_has("'.out.jsonl.1.part' was left by a run that was killed");
    assert_eq!(workdir.names(), [".out.jsonl.part", "bad.jsonl", "in.csv", "out.jsonl"]);
    workdir.assert_file(".out.jsonl.part", "precious\n");
}

/// Only that of the same name, and only what a run made: the rest may belong to others.
#[test]
fn what_was_not_left_by_a_run_stays() {
    let workdir = workdir!();
    kill(begun(&workdir, "--output-file other.jsonl --rejects bad.jsonl", ".other.jsonl.part"));
    // Something else is there now.
    fs::remove_file(workdir.path(".bad.jsonl.part")).unwrap();
    workdir.write(".bad.jsonl.part", "precious\n");
    let state = "state/rejects/.default-0190f5e0-1c2d-7abc-8def-0123456789ab.jsonl";
    for name in [format!("{state}.part"), format!("{state}.lock"), "state/rejects/.x.part".into()] {
        workdir.write(&name, "precious\n");
    }
    workdir.write("in.csv", "a,b\n1,x\n");
    run(&workdir, "--csv-file in.csv --output-file out.jsonl --rejects bad.jsonl").assert_code(0);
    run(&workdir, "--csv-file in.csv --output-file out.jsonl").assert_code(0);
    workdir.assert_file(".bad.jsonl.part", "precious\n");
    for name in [format!("{state}.part"), format!("{state}.lock"), "state/rejects/.x.part".into()] {
        workdir.assert_file(&name, "precious\n");
    }
    assert!(workdir.exists(".other.jsonl.part") && workdir.exists(".other.jsonl.lock"));
}

#[test]
fn what_a_killed_run_left_is_not_read_and_removed_at_once() {
    let workdir = workdir!();
    kill(begun(&workdir, "--output-file out.jsonl --rejects bad.jsonl", ".out.jsonl.part"));
    let before = fs::metadata(workdir.path(".out.jsonl.part")).unwrap();
    let args =
        "--jsonl-file .out.jsonl.part --output-file out.jsonl --rejects bad.jsonl --max-errors 1";
    run(&workdir, args).assert_code(2).assert_stderr_has(
        "the input '.out.jsonl.part' is what a killed run left of 'out.jsonl', and would be removed; give it another name",
    );
    let after = fs::metadata(workdir.path(".out.jsonl.part")).unwrap();
    assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
    fs::rename(workdir.path(".out.jsonl.part"), workdir.path("left.jsonl")).unwrap();
    run(&workdir, &args.replace(".out.jsonl.part", "left.jsonl")).assert_code(0);
    assert_ne!(workdir.read("out.jsonl").lines().count(), 0);
    assert_eq!(workdir.names(), ["bad.jsonl", "left.jsonl", "out.jsonl"]);
}

/// In a directory of reject files, each of which has a name of its own.
#[test]
fn rejected_records_that_a_killed_run_left_are_not_removed_from_under_their_reader() {
    let workdir = workdir!();
    kill(begun(&workdir, "--output-file out.jsonl", ".out.jsonl.part"));
    let is_left = |name: &String| name.starts_with("state/") && name.ends_with(".part");
    let left = workdir.names().into_iter().find(is_left).unwrap();
    let args = format!("--jsonl-file {left} --output-file other.jsonl");
    run(&workdir, &args).assert_code(2).assert_stderr_has(
        "was left by a run that was killed, and would be removed; give it another name",
    );
    assert!(workdir.exists(&left));
    run(&workdir, &format!("{args} --rejects bad.jsonl")).assert_code(0);
    assert!(workdir.exists(&left));
}

fn is_json_lines(text: &str) -> bool {
    text.ends_with('\n') && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
}

/// Whoever removes them, and whatever takes their place.
#[test]
fn a_run_that_lost_its_hidden_file_publishes_nothing() {
    for lost in [".out.jsonl.part", ".out.jsonl.lock"] {
        let workdir = workdir!();
        workdir.write("out.jsonl", "old\n");
        let mut first = begun(&workdir, "--output-file out.jsonl", ".out.jsonl.part");
        fs::remove_file(workdir.path(lost)).unwrap();
        workdir.write(lost, "somebody's\n");
        first.close_stdin();
        first.finish().assert_code(5).assert_stderr_has(
            "cannot publish 'out.jsonl': its hidden file was removed or replaced by somebody else; nothing was published",
        );
        workdir.assert_file(lost, "somebody's\n");
        workdir.assert_file("out.jsonl", "old\n");
        assert_eq!(workdir.names(), [lost, "out.jsonl"]);
    }
}

#[test]
fn a_second_run_never_publishes_through_the_first() {
    let workdir = workdir!();
    let mut first = begun(&workdir, "--output-file out.jsonl", ".out.jsonl.part");
    fs::remove_file(workdir.path(".out.jsonl.part")).unwrap();
    // The lock is there, so the name is taken.
    run(&workdir, "--csv-file - --output-file out.jsonl").assert_code(75);
    fs::remove_file(workdir.path(".out.jsonl.lock")).unwrap();
    let mut second = begun(&workdir, "--output-file out.jsonl", ".out.jsonl.part");
    first.close_stdin();
    first.finish().assert_code(5);
    assert!(!workdir.exists("out.jsonl"));
    second.close_stdin();
    second.finish().assert_code(0);
    assert!(is_json_lines(&workdir.read("out.jsonl")));
    assert_eq!(workdir.names(), ["out.jsonl"]);
}

/// Each has a reject file of its own, and each sweeps what others left.
#[test]
fn runs_that_start_together_do_not_meet() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    for round in 0..6 {
        kill(begun(&workdir, "--output-file left.jsonl", ".left.jsonl.part"));
        let running: Vec<_> = (0..12)
            .map(|run| {
                let args =
                    format!("--csv-file in.csv --output-file out{round}.{run}.jsonl --quiet");
                workdir.flowgauge().args(args.split(' ')).spawn()
            })
            .collect();
        for run in running {
            run.finish().assert_code(0);
        }
    }
    fs::remove_file(workdir.path(".left.jsonl.part")).unwrap();
    fs::remove_file(workdir.path(".left.jsonl.lock")).unwrap();
    assert!(workdir.names().iter().all(|name| !name.contains(".part") && !name.contains(".lock")));
}

/// Of runs that start together with one output, one writes it.
#[test]
fn of_several_runs_one_has_the_output() {
    let workdir = workdir!();
    for _ in 0..5 {
        let program = || {
            let args = "--csv-file - --output-file out.jsonl";
            workdir.flowgauge().args(args.split(' ')).stdin("a,b\n1,x\n").keep_stdin_open().spawn()
        };
        let mut running: Vec<_> = (0..6).map(|_| program()).collect();
        // Those that are refused end; the other one waits for its input.
        let mut one = None;
        for _ in 0..5 {
            let ended = eventually("a run that ends", || {
                running.iter().position(|run| has_ended(run.id()))
            });
            running.swap_remove(ended).finish().assert_code(75);
        }
        one.replace(running.pop().unwrap());
        let mut one = one.unwrap();
        one.close_stdin();
        one.finish().assert_code(0);
        assert_eq!(workdir.names(), ["out.jsonl"]);
        fs::remove_file(workdir.path("out.jsonl")).unwrap();
    }
}

/// Waited for or not.
fn has_ended(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat"));
    status.map_or(true, |status| status.rsplit(") ").next().unwrap().starts_with('Z'))
}

/// What is with the reader of standard output is no reason to drop what was rejected beside it.
#[test]
fn rejected_records_that_found_room_are_kept_whole_when_the_disk_is_full() {
    for rejects in ["--rejects bad.jsonl", ""] {
        let workdir = workdir!();
        let rows = (0..5_000).map(|row| format!("bad{row}\n{row},x\n"));
        workdir.write("in.csv", format!("a,b\n{}", rows.collect::<String>()));
        let args = format!(
            "--csv-file in.csv --output-file - --max-errors 100% --batch-bytes 4KiB {rejects}"
        );
        let script = "ulimit -f 100; exec \"$0\" \"$@\"";
        let finished = through_shell(&workdir, script, args.trim()).run();
        assert_ne!(finished.code(), Some(0));
        let is_rejects = |name: &String| name.ends_with(".jsonl");
        let names = workdir.names();
        let text = workdir.read(names.iter().find(|name| is_rejects(name)).expect("rejects"));
        assert!(is_json_lines(&text));
        // Of the first ones, each once.
        for (row, line) in text.lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["raw"], format!("bad{row}"));
        }
        assert!(text.len() > 90 * 1024, "{} bytes", text.len());
        assert_eq!(names.iter().filter(|name| Path::new(name).is_absolute()).count(), 0);
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

#[test]
fn a_name_that_is_too_long_is_known_before_the_run() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    let name = format!("{}.jsonl", "x".repeat(250));
    let finished = run(&workdir, &format!("--csv-file in.csv --output-file {name}"));
    finished.assert_code(2).assert_stderr_has("is longer than the 255 bytes");
    assert_eq!(workdir.names(), ["in.csv"]);
}

/// A program that ran as its owner is replaced by data, which is to run as nobody.
#[test]
fn bits_that_change_the_user_are_not_kept() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    workdir.write("out.jsonl", "old");
    let path = workdir.path("out.jsonl");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6750)).unwrap();
    run(&workdir, "--csv-file in.csv --output-file out.jsonl").assert_code(0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o750);
}

/// Whose lock it is decides what can be done about it.
#[test]
fn a_lock_that_a_killed_run_of_another_user_left_is_named_as_such() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    const LOCK: &str = "flowgauge lock: held by the run that writes the file of this name\n";
    let program = env!("CARGO_BIN_EXE_flowgauge");
    // As somebody else, who may have no way to where the program is.
    let script = "exec setpriv --reuid=65534 --regid=65534 --clear-groups bash -c 'exec /proc/self/fd/9 \"$@\"' bash \"$@\" 9< \"$0\"";
    for (mode, said) in [
        (0o644, "'.out.jsonl.lock' was left by a killed run of another user"),
        (0o600, "'.out.jsonl.lock' is the lock of another user, and whether that run goes on"),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        let lock = workdir.write(".out.jsonl.lock", LOCK);
        fs::set_permissions(&lock, fs::Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(workdir.root(), fs::Permissions::from_mode(0o777)).unwrap();
        let shell = Flowgauge::new("/bin/bash", &workdir).args(["-c", script, program]);
        let args = "--csv-file in.csv --output-file out.jsonl --state-dir .";
        let finished = shell.args(args.split(' ')).run();
        finished.assert_code(2).assert_stderr_has(said);
        assert_eq!(workdir.read(".out.jsonl.lock"), LOCK);
    }
}
