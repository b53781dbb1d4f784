//! Terminals, pipes and disks behind standard error that are full, closed, stopped or gone at random, and
//! signals at random moments: what a run does, and what it says of itself in files, is that of a run with
//! a good terminal.
//!
//! `FLOWGAUGE_SOAK_SEED` begins elsewhere, `FLOWGAUGE_SOAK_SECONDS` goes on for as long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::stopping::signals;
use crate::support::chance::Chance;
use crate::support::{Outlet, Workdir, workdir};

/// Most of them wait for a terminal for two seconds, so they wait together.
const TRIALS_AT_ONCE: u64 = 12;
const TRIALS: u64 = 60;
const SIGNAL_TRIALS: u64 = 80;

impl Chance {
    fn outlet(&mut self) -> Outlet {
        let bytes = if self.is_one_in(3) { 0 } else { self.below(2_000) };
        self.pick(&[
            Outlet::GoneAfter(bytes),
            Outlet::Room(bytes),
            Outlet::RoomNonBlocking(bytes),
            Outlet::FullDisk,
            Outlet::Closed,
            Outlet::Terminal,
            Outlet::TerminalUnread,
            Outlet::TerminalGoneAfter(bytes),
        ])
    }

    fn input(&mut self) -> String {
        let rows = self.pick(&[0, 1, 30, 3_000]);
        let mut text = "a,b\n".to_owned();
        for row in 0..rows {
            text += if self.is_one_in(50) { "one\n" } else { "1,2\n" };
            text += &format!("{row},text of {row}\n");
        }
        text
    }

    fn arguments(&mut self) -> String {
        let run = "--csv-file in.csv --output-file out.jsonl --rejects rejects.jsonl --summary-json summary.json";
        let mut arguments = match self.below(12) {
            0 => "--help".to_owned(),
            1 => "--nonsense".to_owned(),
            2 => format!("{run} --csv-file missing.csv"),
            3 => "check --csv-file in.csv --output-file out.jsonl".to_owned(),
            4 => String::new(),
            _ => run.to_owned(),
        };
        if arguments.contains("in.csv") {
            for choice in [
                ["--quiet", "--log-format json"],
                ["--log-level debug", "--log-level warn"],
                ["--max-errors 100%", "--max-errors 10"],
                ["--workers 1", "--workers 7"],
                ["--batch-bytes 512B", "--types a=int"],
                ["--metrics-port 0", "--csv-ragged pad"],
            ] {
                if self.is_one_in(2) {
                    arguments = format!("{arguments} {}", self.pick(&choice));
                }
            }
        }
        arguments
    }
}

/// What is left of a run when it is over.
#[derive(Debug, PartialEq)]
struct Left {
    code: Option<i32>,
    stdout: String,
    files: Vec<(String, String)>,
    summary: Option<Value>,
}

/// What does not depend on time, or on what there was to be seen.
fn lasting(summary: &str) -> Value {
    let summary: Value = serde_json::from_str(summary).unwrap();
    let always = ["pipeline_id", "outcome", "exit_code", "error", "published", "output"];
    // How far the reader was ahead where a run ends early is its own affair.
    let complete =
        ["records", "rejected", "rejects_file", "fields_ignored", "bytes", "files", "batches"];
    let is_complete = summary["outcome"] == "complete";
    let names = always.iter().chain(complete.iter().filter(|_| is_complete));
    names.map(|name| (name.to_string(), summary[*name].clone())).collect()
}

fn left(workdir: &Workdir, code: Option<i32>, stdout: String) -> Left {
    let is_summary = |name: &&String| *name == "summary.json";
    let names = workdir.names();
    let summary = names.iter().find(is_summary).map(|name| lasting(&workdir.read(name)));
    let others = names.iter().filter(|name| !is_summary(name));
    let files = others.map(|name| (name.clone(), workdir.read(name))).collect();
    Left { code, stdout, files, summary }
}

fn trial(seed: u64) {
    let mut chance = Chance::new(seed);
    chance.below(1);
    let (input, arguments) = (chance.input(), chance.arguments());
    let (outlet, is_stopped) = (chance.outlet(), chance.is_one_in(4));
    let pause = chance.below(20_000);
    let run = |outlet: Outlet, is_stopped: bool| {
        let workdir = workdir!();
        workdir.write("in.csv", &input);
        workdir.write("out.jsonl", "old\n");
        let (program, held) = outlet.flowgauge(&workdir);
        let running = program.args(arguments.split_whitespace()).spawn();
        if is_stopped {
            spend(pause);
            running.signal(Signal::STOP);
            running.signal(Signal::CONT);
        }
        let finished = running.finish();
        drop(held);
        left(&workdir, finished.code(), finished.stdout)
    };
    let good = run(Outlet::Read, false);
    let said = format!("seed {seed}, {outlet:?}, stopped {is_stopped}, {arguments}");
    assert!(matches!(good.code, Some(0 | 2 | 3)), "{said}: {good:?}");
    let hostile = run(outlet, is_stopped);
    assert!(hostile == good, "{said}\n{}", difference(&good, &hostile));
}

/// Without the files that are the same.
fn difference(good: &Left, hostile: &Left) -> String {
    let short = |left: &Left, other: &Left| {
        let files: Vec<_> = left.files.iter().filter(|file| !other.files.contains(file)).collect();
        format!("code {:?}, stdout {:?}, {files:?}, {:?}", left.code, left.stdout, left.summary)
    };
    format!("good: {}\nhostile: {}", short(good, hostile), short(hostile, good))
}

/// A moment of a process that is on its way: it cannot be waited for.
fn spend(microseconds: usize) {
    let end = Instant::now() + Duration::from_micros(microseconds as u64);
    while Instant::now() < end {
        thread::yield_now();
    }
}

fn trial_of_signals(seed: u64) {
    let mut chance = Chance::new(seed);
    chance.below(1);
    let workdir = workdir!();
    let rows = chance.pick(&[1, 2_000, 20_000]);
    let lines = (0..rows).map(|row| format!("{row},text of {row}\n"));
    workdir.write("in.csv", ["a,b\n".to_owned()].into_iter().chain(lines).collect::<String>());
    workdir.write("out.jsonl", "old\n");
    let outlet = chance.pick(&[Outlet::Read, Outlet::Room(0), Outlet::Room(500), Outlet::FullDisk]);
    let check = if chance.is_one_in(5) { "check " } else { "" };
    let arguments = format!("{check}--csv-file in.csv --output-file out.jsonl --batch-bytes 4KiB");
    let kinds: Vec<Signal> = signals().map(|(signal, ..)| signal).collect();
    let signals: Vec<Signal> = (0..1 + chance.below(3)).map(|_| chance.pick(&kinds)).collect();
    let said = format!("seed {seed}, {outlet:?}, {signals:?}, {rows} rows, {arguments}");
    let (program, held) = outlet.flowgauge(&workdir);
    let running = program.args(arguments.split(' ')).spawn();
    let mut pause = chance.pick(&[300, 3_000, 30_000, 300_000]);
    for signal in &signals {
        spend(chance.below(pause));
        running.signal(*signal);
        pause = 3_000;
    }
    let finished = running.finish();
    drop(held);
    let said = format!("{said}: {finished}");
    // Before the program itself has begun, the system ends it.
    let is_cause = |signal: &Signal| match finished.signal() {
        Some(number) => number == signal.as_raw(),
        None => finished.code() == Some(128 + signal.as_raw()),
    };
    assert!(finished.code() == Some(0) || signals.iter().any(is_cause), "{said}");
    assert_eq!(workdir.names(), ["in.csv", "out.jsonl"], "{said}");
    let is_complete = finished.code() == Some(0) && check.is_empty();
    let expected = if is_complete { rows } else { 1 };
    let written = workdir.read("out.jsonl");
    assert_eq!(written.lines().count(), expected, "{said}");
    assert_eq!(written == "old\n", !is_complete, "{said}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn soak(trials: u64, trial: impl Fn(u64) + Sync) {
    let seed = number("FLOWGAUGE_SOAK_SEED").unwrap_or(1);
    let seconds = number("FLOWGAUGE_SOAK_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let one_after_the_other = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let is_over = match seconds {
                Some(seconds) => begun.elapsed() >= seconds,
                None => number >= trials,
            };
            if is_over {
                return;
            }
            trial(seed.wrapping_add(number));
        }
    };
    thread::scope(|scope| {
        (0..TRIALS_AT_ONCE).for_each(|_| drop(scope.spawn(one_after_the_other)));
    });
}

#[test]
fn whatever_becomes_of_the_terminal_the_run_is_the_same() {
    soak(TRIALS, trial);
}

#[test]
fn a_signal_at_any_moment_leaves_nothing_behind() {
    soak(SIGNAL_TRIALS, trial_of_signals);
}
