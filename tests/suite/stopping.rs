//! Runs that end before their end: by a signal, killed, beside another run, or without a reader.

use std::fs;
use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::faulty_disk::FaultyDisk;
use crate::support::program::Running;
use crate::support::{Finished, Flowgauge, Workdir, eventually, http, needs, workdir};

/// More than a run reads before it begins, so that records are under way while standard input
/// stays open.
const RECORDS: usize = 60_000;

fn records() -> String {
    let rows = (0..RECORDS).map(|row| format!("{row:09}\n"));
    ["a\n".to_owned()].into_iter().chain(rows).collect()
}

/// A run whose input brings many records and no end.
fn endless(workdir: &Workdir) -> Flowgauge {
    let args =
        "--csv-file - --output-file out.jsonl --batch-bytes 4KiB --summary-json summary.json";
    workdir.flowgauge().args(args.split(' ')).stdin(records()).keep_stdin_open()
}

/// Starts it, and waits until it has begun to write.
#[track_caller]
fn begin(workdir: &Workdir, program: Flowgauge) -> Running {
    let mut running = program.spawn();
    running.wait_for_line("INFO default: csv - into jsonl out.jsonl");
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file to grow", || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0).then_some(())
    });
    running
}

fn summary(workdir: &Workdir) -> Value {
    serde_json::from_str(&workdir.read("summary.json")).unwrap()
}

const SIGNALS: [(Signal, &str, i32, &str); 3] = [
    (Signal::TERM, "SIGTERM", 143, "terminated"),
    (Signal::INT, "SIGINT", 130, "interrupted"),
    (Signal::HUP, "SIGHUP", 129, "interrupted_hangup"),
];

/// Without SIGHUP where the tests were started with it ignored, as `nohup` does: the program ignores
/// it then, too.
pub fn signals() -> impl Iterator<Item = (Signal, &'static str, i32, &'static str)> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let is_ignored = u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 != 0;
    if is_ignored {
        eprintln!("not run: SIGHUP is ignored here");
    }
    SIGNALS.into_iter().filter(move |(signal, ..)| *signal != Signal::HUP || !is_ignored)
}

#[test]
fn a_signal_in_the_middle_drains_and_publishes_nothing() {
    for (signal, name, code, outcome) in signals() {
        let workdir = workdir!();
        workdir.write("out.jsonl", "old\n");
        let running = begin(&workdir, endless(&workdir));
        running.signal(signal);
        let finished = running.finish();
        finished.assert_code(code);
        finished.assert_stderr_has(&format!(
            "WARN {name}: finishing what was read; a second signal stops at once"
        ));
        finished.assert_stderr_has("nothing was published");
        assert_eq!(workdir.names(), ["out.jsonl", "summary.json"], "{finished}");
        workdir.assert_file("out.jsonl", "old\n");
        let summary = summary(&workdir);
        assert_eq!(summary["outcome"], outcome);
        assert_eq!(summary["exit_code"], code);
        assert_eq!(summary["published"], false);
        assert_eq!(summary["error"], Value::Null);
        // What was read is written.
        let count = |name: &str| summary["records"][name].as_u64().unwrap();
        assert_ne!(count("inserted"), 0);
        assert_eq!(count("residual"), 0, "{summary}");
    }
}

#[test]
fn a_signal_is_heard_while_the_first_record_is_waited_for() {
    for (signal, name, code, outcome) in signals() {
        let workdir = workdir!();
        let args =
            "--csv-file - --output-file out.jsonl --summary-json summary.json --metrics-port 0";
        let program = workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open();
        let mut running = program.spawn();
        running.wait_for_line("metrics on http://");
        // The rejects are opened after the signals are listened to.
        let rejects = workdir.path("state/rejects");
        eventually("the part file", || fs::read_dir(&rejects).ok()?.next().map(|_| ()));
        running.signal(signal);
        running.wait_for_line(name);
        running.finish().assert_code(code);
        assert_eq!(workdir.names(), ["summary.json"]);
        let summary = summary(&workdir);
        assert_eq!(summary["outcome"], outcome);
        assert_eq!(summary["published"], false);
    }
}

#[test]
fn a_signal_is_heard_also_when_records_were_counted() {
    let workdir = workdir!();
    let mut running = endless(&workdir).args(["--metrics-port", "0"]).spawn();
    let line = running.wait_for_line("metrics on http://");
    let address = line.rsplit("http://").next().unwrap().trim_end_matches("/metrics").to_owned();
    eventually("records to be counted", || {
        let page = http::get(&address, "/metrics").ok()?;
        let is_counter = |line: &&str| line.starts_with("pipeline_records_processed_total{");
        let line = page.text().lines().find(is_counter)?.to_owned();
        (line.rsplit(' ').next()?.parse::<f64>().ok()? > 0.0).then_some(())
    });
    running.signal(Signal::TERM);
    running.finish().assert_code(143);
    assert_eq!(workdir.names(), ["summary.json"]);
}

/// Nobody takes what is written, so a drain never ends by itself.
fn stuck(workdir: &Workdir, more: &str) -> Running {
    workdir.write("in.csv", records().repeat(4));
    let args = "--csv-file in.csv --output-file - --summary-json summary.json";
    let program = workdir.flowgauge().args(args.split(' ')).args(more.split(' '));
    let mut running = program.hold_stdout().spawn();
    running.wait_for_first_byte();
    running
}

/// What the reader was waiting with included.
#[test]
fn what_was_read_before_a_signal_is_written_to_an_output_that_is_slow() {
    let workdir = workdir!();
    let mut running = stuck(&workdir, "--batch-bytes 4KiB");
    running.signal(Signal::TERM);
    running.wait_for_line("SIGTERM: finishing what was read");
    let finished = running.finish();
    finished.assert_code(143);
    let summary = summary(&workdir);
    let inserted = summary["records"]["inserted"].as_u64().unwrap();
    assert_eq!(summary["records"]["residual"], 0, "{summary}");
    assert_eq!(finished.stdout.lines().count() as u64, inserted);
    assert!(inserted < 4 * RECORDS as u64, "{inserted}");
}

#[test]
fn a_second_signal_stops_at_once() {
    let workdir = workdir!();
    let mut running = stuck(&workdir, "--drain-timeout 1h");
    running.signal(Signal::TERM);
    running.wait_for_line("SIGTERM: finishing what was read");
    running.signal(Signal::INT);
    running.wait_for_line("stopped before everything that was read could be written");
    let finished = running.finish();
    // The first one says why.
    finished.assert_code(143);
    assert_eq!(workdir.names(), ["in.csv", "summary.json"]);
    assert_eq!(summary(&workdir)["outcome"], "terminated");
}

#[test]
fn a_drain_that_takes_too_long_is_given_up() {
    let workdir = workdir!();
    let mut running = stuck(&workdir, "--drain-timeout 1ms");
    running.signal(Signal::INT);
    running.wait_for_line("stopped before everything that was read could be written");
    running.finish().assert_code(130).assert_stderr_has("the end of --drain-timeout");
    assert_eq!(workdir.names(), ["in.csv", "summary.json"]);
}

#[test]
fn a_hangup_that_nohup_ignores_is_ignored() {
    let workdir = workdir!();
    let script = format!("trap '' HUP; exec {} \"$@\"", env!("CARGO_BIN_EXE_flowgauge"));
    let args = "--csv-file - --output-file out.jsonl --batch-bytes 4KiB";
    let program = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script, "bash"]);
    let program = program.args(args.split(' ')).stdin(records()).keep_stdin_open();
    let mut running = begin(&workdir, program);
    running.signal(Signal::HUP);
    running.close_stdin();
    running.finish().assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), RECORDS);
}

#[test]
fn what_a_killed_run_left_is_taken_over_and_that_is_said() {
    let workdir = workdir!();
    workdir.write("out.jsonl", "old\n");
    let running = begin(&workdir, endless(&workdir));
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal(), Some(9));
    let left = workdir.names();
    assert!(left.contains(&".out.jsonl.part".to_owned()), "{left:?}");
    workdir.assert_file("out.jsonl", "old\n");

    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file out.jsonl";
    let finished = workdir.flowgauge().args(args.split(' ')).run();
    finished.assert_code(0).assert_stderr_has(
        "WARN '.out.jsonl.part' was left by a run that was killed and is started anew",
    );
    // Its rejected records are nobody's, too.
    finished.assert_stderr_has(".part' was left by a run that was killed and is removed");
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
    assert_eq!(workdir.names(), ["in.csv", "out.jsonl", "summary.json"]);
    // All it could say before it was killed.
    assert_eq!(summary(&workdir)["outcome"], "running");
}

#[test]
fn a_second_run_with_the_same_rejects_is_refused_and_leaves_them_alone() {
    let workdir = workdir!();
    let mut first = begin(&workdir, endless(&workdir).args(["--rejects", "bad.jsonl"]));
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file other.jsonl --rejects bad.jsonl";
    let second = workdir.flowgauge().args(args.split(' ')).run();
    second.assert_code(75).assert_stderr_has("another run is writing 'bad.jsonl'");
    first.close_stdin();
    first.finish().assert_code(0);
    assert_eq!(workdir.names(), ["bad.jsonl", "in.csv", "out.jsonl", "summary.json"]);
}

/// The first waits for its header, and holds the output already.
#[test]
fn a_second_run_is_refused_also_while_the_first_waits_for_its_input() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl";
    let mut first =
        workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open().spawn();
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file", || part.exists().then_some(()));
    let second = workdir.flowgauge().args(args.split(' ')).stdin("a\n2\n").run();
    second.assert_code(75).assert_stderr_has("another run is writing 'out.jsonl'");
    first.close_stdin();
    first.finish().assert_code(0);
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
}

/// The header is written before the first record, to a pipe that nobody reads.
#[test]
fn a_header_that_cannot_be_written_keeps_no_signal_from_being_heard() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file - --output-format csv --summary-json summary.json";
    let mut running = workdir.flowgauge().args(args.split(' ')).stdout_full().spawn();
    running.wait_for_line("INFO default: csv in.csv");
    running.signal(Signal::TERM);
    running.wait_for_line("SIGTERM: finishing");
    // Nothing was read, so that one signal is enough.
    running.finish().assert_code(143);
    assert_eq!(summary(&workdir)["outcome"], "terminated");
}

/// A pipe that stalls behind its beginning, while `check` reads its first records.
#[test]
fn a_check_hears_signals_while_it_reads() {
    for (signal, _, code, _) in signals() {
        let workdir = workdir!();
        let args = "check --csv-file - --output-file out.jsonl --batch-bytes 16MiB";
        let mut running = workdir.flowgauge().args(args.split(' ')).stdin_open().spawn();
        let mut stdin = running.stdin();
        // More than is read before it begins, and more than a pipe holds.
        let row = format!("{}\n", "x".repeat(1024));
        stdin.write_all(format!("a\n{}", row.repeat(1024)).as_bytes()).unwrap();
        running.signal(signal);
        running.finish().assert_code(code);
        drop(stdin);
        assert!(workdir.names().is_empty());
    }
}

#[test]
fn a_second_run_with_the_same_output_is_refused_while_the_first_goes_on() {
    let workdir = workdir!();
    let mut first = begin(&workdir, endless(&workdir));
    workdir.write("in.csv", "a\n1\n");
    let second =
        |arguments: &str| -> Finished { workdir.flowgauge().args(arguments.split(' ')).run() };
    for name in ["out.jsonl", "./out.jsonl"] {
        let refused = second(&format!("--csv-file in.csv --output-file {name}"));
        refused
            .assert_code(75)
            .assert_stderr_has(&format!("another run is writing '{name}' (host "))
            .assert_stderr_has(&format!(", pid {}, since 20", first.id()))
            .assert_stderr_has("); wait for it, or choose another --output-file; it has locked '");
        refused.assert_stderr_has(".out.jsonl.lock'");
    }
    second("--csv-file in.csv --output-file other.jsonl").assert_code(0);
    first.close_stdin();
    first.finish().assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), RECORDS);
    second("--csv-file in.csv --output-file out.jsonl").assert_code(0);
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
    assert_eq!(workdir.names(), ["in.csv", "other.jsonl", "out.jsonl", "summary.json"]);
}

/// By a limit on the size of files, which is a full disk to whoever writes.
#[test]
fn a_full_disk_is_exit_5_and_leaves_nothing() {
    for (limit_kib, output) in [(64, "out.jsonl"), (64, "out.csv"), (16, "out.jsonl.gz")] {
        let workdir = workdir!();
        workdir.write("in.csv", records());
        workdir.write(output, "old\n");
        let script =
            format!("ulimit -f {limit_kib}; exec {} \"$@\"", env!("CARGO_BIN_EXE_flowgauge"));
        let args = ["--csv-file", "in.csv", "--batch-bytes", "4KiB", "--output-file", output];
        let program = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script, "bash"]);
        let finished = program.args(args).run();
        finished.assert_code(5);
        finished.assert_stderr_has(&format!("cannot write '{output}': File too large"));
        finished.assert_stderr_has("nothing was published; make room and run again");
        assert_eq!(workdir.names(), ["in.csv", output]);
        workdir.assert_file(output, "old\n");
    }
}

/// Rejected records need room, too, and without them nothing is published.
/// With many segments, too, where lanes find out that nobody settles any more.
#[test]
fn no_room_for_rejected_records_is_exit_5_and_leaves_nothing() {
    for limits in ["--batch-bytes 1MiB", "--batch-bytes 1KiB"] {
        let workdir = workdir!();
        workdir.write("in.csv", "a,b\n".to_owned() + &"1\n".repeat(5_000));
        let script = format!("ulimit -f 64; exec {} \"$@\"", env!("CARGO_BIN_EXE_flowgauge"));
        let args = format!("--csv-file in.csv --output-file out.jsonl --max-errors 5000 {limits}");
        let program = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script, "bash"]);
        let finished = program.args(args.split(' ')).run();
        finished
            .assert_code(5)
            .assert_stderr_has("/rejects/default-")
            .assert_stderr_has("make room and run again");
        assert_eq!(workdir.names(), ["in.csv"]);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run_with_141() {
    let workdir = workdir!();
    workdir.write("in.csv", records());
    let script = format!(
        "{} --csv-file in.csv --output-file - | head -1; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_flowgauge")
    );
    let finished = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script]).run();
    finished.assert_code(141).assert_stdout("{\"a\":\"000000000\"}\n");
    finished.assert_stderr_has("the reader of standard output went away");
    assert_eq!(workdir.names(), ["in.csv"]);
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_read() {
    let workdir = workdir!();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let args = ["--csv-file", "gone.csv", "--output-file", "out.jsonl", "--metrics-port", &port];
    workdir.write("gone.csv", "");
    let finished = workdir.flowgauge().args(args).run();
    finished.assert_code(2).assert_stderr_has(&port);
    assert_eq!(workdir.names(), ["gone.csv"]);
}

/// The rejected record is in the first segment; the reader is in a read that does not end.
#[test]
fn a_run_over_budget_does_not_wait_for_more_input() {
    let workdir = workdir!();
    let program = endless(&workdir).args(["--types", "a=bool", "--rejects", "rejects.jsonl"]);
    let mut running = program.spawn();
    running.wait_for_line("not a bool");
    running.finish().assert_code(3);
    assert_eq!(workdir.names(), ["rejects.jsonl", "summary.json"]);
    let summary: serde_json::Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    let failed = &summary["records"]["failed"];
    assert_eq!(workdir.read("rejects.jsonl").lines().count() as u64, failed.as_u64().unwrap());
}

/// Their neighbours are with the reader of standard output already.
#[test]
fn rejected_records_are_kept_when_the_others_are_public() {
    let workdir = workdir!();
    let input = format!("a,b\nbad\n{}", "1,2\n".repeat(200_000));
    let args = "--csv-file - --output-file - --rejects rejects.jsonl --max-errors 5";
    let program = workdir.flowgauge().args(args.split(' ')).stdin(input).keep_stdin_open();
    let mut running = program.spawn();
    running.wait_for_line("rejected: standard input, line 2");
    running.signal(Signal::TERM);
    running.finish().assert_code(143);
    let rejects = workdir.read("rejects.jsonl");
    assert!(rejects.contains("\"raw\":\"bad\""), "{rejects}");
}

#[test]
fn a_second_run_at_the_same_port_is_told_of_the_output_it_competes_for() {
    let workdir = workdir!();
    let mut first = endless(&workdir).args(["--metrics-port", "0"]).spawn();
    let line = first.wait_for_line("metrics on http://");
    let port = line.trim_end_matches("/metrics").rsplit(':').next().unwrap().to_owned();
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file", || part.exists().then_some(()));
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file out.jsonl --metrics-port";
    let second = workdir.flowgauge().args(args.split(' ')).arg(&port).run();
    second.assert_code(75).assert_stderr_has("another run is writing 'out.jsonl'");
    drop(first);
}

/// Such as a network file system that is gone: nobody can be told to end who is in a call of the kernel.
#[test]
fn a_run_that_hangs_in_the_system_is_ended_by_a_later_signal() {
    let disk = FaultyDisk::new(&needs!("cc"));
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --output-file out.jsonl";
    let program = workdir.flowgauge().args(args.split(' '));
    let mut running = disk.put_under(program, &workdir, "create:1:hang").spawn();
    eventually("a call that hangs", || (!disk.failed().is_empty()).then_some(()));
    eventually("the end", || {
        running.signal(Signal::TERM);
        running.has_ended().then_some(())
    });
    running.finish().assert_code(143).assert_stderr_has("is ended as if it were killed");
}
