//! Standard error and standard output that are full, closed, stopped or gone: nobody waits for them, and
//! a run ends as it would have ended. Signals before a run has begun, and panics.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use flowgauge::parts::Style;
use flowgauge::program::{LAST_LINES_MAX, Outcome, panics, standard_error};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, mknodat};
use rustix::process::Signal;
use serde_json::Value;

use super::stopping::signals;
use crate::support::outlet::{Screen, terminal};
use crate::support::{Flowgauge, Outlet, Workdir, eventually, workdir};

const BINARY: &str = env!("CARGO_BIN_EXE_flowgauge");

const BAD_OUTLETS: [Outlet; 7] = [
    Outlet::FullDisk,
    Outlet::Closed,
    Outlet::GoneAfter(0),
    Outlet::GoneAfter(100),
    Outlet::Room(0),
    Outlet::RoomNonBlocking(0),
    Outlet::TerminalGoneAfter(0),
];

fn records(count: usize) -> String {
    (0..count).fold("a\n".to_owned(), |text, row| text + &format!("{row:09}\n"))
}

#[test]
fn standard_error_that_cannot_be_written_changes_nothing() {
    for outlet in BAD_OUTLETS {
        let workdir = workdir!();
        workdir.write("in.csv", "a,b\n1,2\nbad\n3,4\n");
        let args = "--csv-file in.csv --output-file out.jsonl --rejects bad.jsonl --max-errors 1 \
                    --log-level debug --summary-json summary.json";
        let (program, _held) = outlet.flowgauge(&workdir);
        let finished = program.args(args.split_whitespace()).run();
        assert_eq!(finished.code(), Some(0), "{outlet:?}: {finished}");
        workdir.assert_file("out.jsonl", "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n");
        assert_eq!(workdir.read("bad.jsonl").lines().count(), 1);
        let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
        assert_eq!(summary["outcome"], "complete");
        // How many depends on when it was asked.
        assert!(summary["log_lines_dropped"].is_u64(), "{summary}");
    }
}

#[test]
fn an_error_has_its_exit_code_wherever_it_is_said() {
    for outlet in BAD_OUTLETS {
        for (args, code) in [
            ("--csv-file missing.csv --output-file out.jsonl", 2),
            ("--csv-file in.csv --output-file out.jsonl --quiet --log-format json", 3),
            ("--csv-file in.csv --nonsense", 2),
            ("check --csv-file missing.csv --output-file out.jsonl", 2),
            ("", 2),
        ] {
            let workdir = workdir!();
            workdir.write("in.csv", "a,b\nbad\n");
            let (program, _held) = outlet.flowgauge(&workdir);
            let finished = program.args(args.split_whitespace()).run();
            assert_eq!(finished.code(), Some(code), "{outlet:?}, {args}: {finished}");
            assert!(!workdir.exists("out.jsonl"), "{outlet:?}, {args}: {finished}");
            assert!(!workdir.exists(".out.jsonl.part"), "{outlet:?}, {args}: {finished}");
        }
    }
}

#[test]
fn signals_are_heard_while_nobody_reads_standard_error() {
    for outlet in [Outlet::Room(0), Outlet::Room(600), Outlet::TerminalUnread] {
        for signals in [1, 2] {
            let workdir = workdir!();
            let args = "--csv-file - --output-file - --summary-json summary.json \
                        --log-level debug --drain-timeout 1h --batch-bytes 4KiB";
            let (program, _held) = outlet.flowgauge(&workdir);
            let program = program.args(args.split_whitespace()).stdin(records(60_000));
            let mut running = program.keep_stdin_open().hold_stdout().spawn();
            running.wait_for_first_byte();
            (0..signals).for_each(|_| running.signal(Signal::TERM));
            let finished = running.finish();
            assert_eq!(finished.code(), Some(143), "{outlet:?}: {}", finished.status);
            let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
            assert_eq!(summary["outcome"], "terminated");
        }
    }
}

/// The settings are read from a pipe that brings nothing.
#[test]
fn a_signal_before_a_run_has_begun_ends_it_at_once() {
    for (signal, name, code) in [(Signal::TERM, "SIGTERM", 143), (Signal::INT, "SIGINT", 130)] {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        let path = workdir.path("settings.toml");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let args = "--csv-file in.csv --output-file out.jsonl --config settings.toml";
        let running = workdir.flowgauge().args(args.split(' ')).spawn();
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let settings = eventually("somebody who reads the settings", || {
            rustix::fs::open(&path, flags, Mode::empty()).ok()
        });
        running.signal(signal);
        let finished = running.finish();
        finished.assert_code(code);
        finished
            .assert_stderr_has(&format!("flowgauge: {name}: stopped before anything was written"));
        drop(settings);
        fs::remove_file(path).unwrap();
        assert_eq!(workdir.names(), ["in.csv"], "{finished}");
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl --batch-bytes 4KiB";
    let program = workdir.flowgauge().args(args.split(' ')).stdin(records(60_000));
    let mut running = program.keep_stdin_open().spawn();
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file to grow", || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0).then_some(())
    });
    running.signal(Signal::STOP);
    let status = format!("/proc/{}/stat", running.id());
    eventually("the process to stop", || {
        fs::read_to_string(&status).unwrap().contains(") T ").then_some(())
    });
    running.signal(Signal::CONT);
    running.close_stdin();
    running.finish().assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), 60_000);
}

/// A program with a terminal of its own, as `script` and `ssh -t` give one.
fn at_terminal(workdir: &Workdir, program: &[&str], args: &str) -> (Flowgauge, fs::File) {
    let (terminal, shown) = terminal();
    let command = Flowgauge::new("setsid", workdir).arg("--ctty").args(program);
    (command.args(args.split(' ')).terminal(terminal), shown)
}

/// In the background of a terminal that stops who writes from there, and then in the foreground.
#[test]
fn a_run_that_its_terminal_stops_goes_on_in_the_foreground() {
    let workdir = workdir!();
    workdir.write("in.csv", records(1_000));
    let script = "set -m; stty tostop; \"$0\" \"$@\" & \
                  while [ -z \"$(jobs -s)\" ]; do :; done; fg >/dev/null";
    let args = "--csv-file in.csv --output-file out.jsonl";
    let (program, shown) = at_terminal(&workdir, &["bash", "-c", script, BINARY], args);
    let running = program.spawn();
    let text = Screen::watch(shown).all();
    running.finish().assert_code(0);
    assert!(text.contains("INFO default: csv in.csv into jsonl out.jsonl"), "{text}");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 1_000);
}

#[test]
fn a_bar_is_drawn_on_a_terminal_and_is_gone_at_the_end() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl --batch-bytes 4KiB --pipeline-id bar";
    let (terminal, shown) = terminal();
    let program = workdir.flowgauge().args(args.split(' ')).stdin(records(60_000));
    let mut running = program.keep_stdin_open().stderr(terminal).spawn();
    let mut screen = Screen::watch(shown);
    screen.wait_for("records/s");
    running.close_stdin();
    running.finish().assert_code(0);
    let text = screen.all();
    let (_, end) = text.rsplit_once("\r\x1b[2K").unwrap();
    assert!(end.starts_with("bar complete"), "{text}");
    assert!(end.contains("read 60,000 = inserted 60,000"), "{text}");
}

/// Closing it sends SIGHUP, and nothing can be said any more.
#[test]
fn a_terminal_that_is_closed_interrupts_the_run() {
    if !signals().any(|(signal, ..)| signal == Signal::HUP) {
        return;
    }
    let workdir = workdir!();
    let path = workdir.path("in.csv");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let args = "--csv-file - --output-file out.jsonl --summary-json summary.json";
    // Who writes it has it open, too, so it never ends.
    let script = "exec \"$0\" \"$@\" <>in.csv";
    let (program, shown) = at_terminal(&workdir, &["bash", "-c", script, BINARY], args);
    let running = program.spawn();
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file", || part.exists().then_some(()));
    drop(shown);
    running.finish().assert_code(129);
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    assert_eq!(summary["outcome"], "interrupted_hangup");
    assert_eq!(workdir.names(), ["in.csv", "summary.json"]);
}

/// Everything that goes to standard output but data.
#[test]
fn standard_output_that_cannot_be_written_is_no_panic() {
    for args in [
        "--help",
        "--version",
        "man",
        "completions bash",
        "check --csv-file in.csv --output-file o.jsonl",
    ] {
        for (redirection, codes) in [
            (">/dev/full", &[5][..]),
            (">&-", &[0, 5]),
            ("| true", &[0, 141]),
            ("| head -c 1", &[0, 141]),
        ] {
            let workdir = workdir!();
            workdir.write("in.csv", "a\n1\n");
            let script = format!("{BINARY} {args} {redirection}; exit ${{PIPESTATUS[0]}}");
            let finished = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script]).run();
            assert!(codes.contains(&finished.code().unwrap()), "{finished}");
            assert!(!finished.stderr.contains("panicked"), "{finished}");
            assert_eq!(
                finished.stderr.contains("cannot write to standard output"),
                finished.code() == Some(5),
                "{finished}"
            );
        }
    }
}

/// Whoever shares a terminal or a pipe with us may have made it so: there is no error in "not yet".
#[test]
fn streams_that_do_not_block_are_waited_for() {
    let workdir = workdir!();
    let (input, mut feed) = std::io::pipe().unwrap();
    let (mut taken, output) = std::io::pipe().unwrap();
    fcntl_setfl(&input, fcntl_getfl(&input).unwrap() | OFlags::NONBLOCK).unwrap();
    fcntl_setfl(&output, fcntl_getfl(&output).unwrap() | OFlags::NONBLOCK).unwrap();
    let mut command = Command::new(BINARY);
    command.args("--csv-file - --output-file - --quiet".split(' ')).current_dir(workdir.root());
    command.env("FLOWGAUGE_STATE_DIR", workdir.path("state")).stdin(input).stdout(output);
    let mut child = command.spawn().unwrap();
    drop(command);
    // More than either pipe takes, so each side has to wait for the other.
    feed.write_all(records(60_000).as_bytes()).unwrap();
    drop(feed);
    let mut text = String::new();
    taken.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(text.lines().count(), 60_000);
    // Full before it begins.
    let (mut taken, mut output) = std::io::pipe().unwrap();
    fcntl_setfl(&output, fcntl_getfl(&output).unwrap() | OFlags::NONBLOCK).unwrap();
    while output.write(&[b' '; 4096]).is_ok() {}
    let mut child = Command::new(BINARY).arg("--help").stdout(output).spawn().unwrap();
    let mut text = String::new();
    taken.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let whole = workdir.flowgauge().arg("--help").run();
    assert_eq!(text.trim_start(), whole.stdout.trim_start());
}

/// With too few descriptors for what has to be opened.
#[test]
fn a_process_that_may_open_nothing_says_so_in_one_line() {
    for files in 3..24 {
        let workdir = workdir!();
        workdir.write("in.csv", "a\n1\n");
        let script = format!("ulimit -n {files}; exec {BINARY} \"$@\"");
        let args = "--quiet --csv-file in.csv --output-file out.jsonl --metrics-port 0";
        let program = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script, "bash"]);
        let finished = program.args(args.split(' ')).run();
        let code = finished.code();
        assert!(matches!(code, Some(0 | 2 | 4 | 5 | 127)), "{files}: {finished}");
        assert!(finished.stderr.lines().count() <= 1, "{files}: {finished}");
        assert_eq!(workdir.exists("out.jsonl"), code == Some(0), "{files}: {finished}");
        assert!(!workdir.exists(".out.jsonl.part"), "{files}: {finished}");
    }
}

const PANICS: &str = "FLOWGAUGE_TEST_PANICS";

/// This test itself, in a process of its own that does as `main` does.
#[test]
fn a_panic_is_one_line_and_exit_1() {
    if let Ok(how) = env::var(PANICS) {
        panic_as_told(&how);
    }
    for (how, thread) in [("main", "main-like"), ("thread", "worker 7"), ("json", "main-like")] {
        let finished = panicking(how, &[]).output().unwrap();
        let stderr = String::from_utf8(finished.stderr).unwrap();
        assert_eq!(finished.status.code(), Some(1), "{stderr}");
        let [line] = stderr.lines().collect::<Vec<_>>()[..] else { panic!("{stderr}") };
        let line = match how {
            "json" => {
                serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned()
            }
            _ => line.strip_prefix("flowgauge: ").unwrap().to_owned(),
        };
        assert!(
            line.starts_with(&format!(
                "the thread '{thread}' panicked at tests/suite/hostile_terminal.rs:"
            )),
            "{line}"
        );
        assert!(
            line.ends_with(
                ": on purpose, with \"…\"; this is a bug in flowgauge, please report it"
            ),
            "{line}"
        );
    }
    let with_trace = panicking("main", &[("RUST_BACKTRACE", "1")]).output().unwrap();
    assert!(
        String::from_utf8(with_trace.stderr).unwrap().contains("hostile_terminal::panic_as_told")
    );
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(panicking("main", &[]).stderr(full).status().unwrap().code(), Some(1));
}

fn panicking(how: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let test = "suite::hostile_terminal::a_panic_is_one_line_and_exit_1";
    command.args(["--exact", test, "--nocapture"]).env(PANICS, how).stdout(Stdio::null());
    command.env_remove("RUST_BACKTRACE").envs(variables.iter().copied());
    command
}

fn panic_as_told(how: &str) -> ! {
    panics::install();
    if how == "json" {
        standard_error().set_style(Style::Json);
    }
    let name = if how == "thread" { "worker 7" } else { "main-like" };
    let thread = std::thread::Builder::new().name(name.to_owned());
    let outcome = thread
        .spawn(|| panics::caught::<Outcome>(|| panic!("on purpose,\nwith \"a secret\"")))
        .unwrap()
        .join()
        .unwrap();
    // A panic elsewhere does not reach the run.
    let outcome = if how == "thread" { Ok(Outcome::Complete) } else { outcome };
    let outcome = outcome.unwrap_or_else(|error| {
        assert!(panics::was_said(&error));
        error.kind.into()
    });
    standard_error().finish(LAST_LINES_MAX);
    std::process::exit(panics::judged(outcome).exit_code().into())
}
