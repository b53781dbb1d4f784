//! Runs of one pipeline, `orders`, that end in every way, and what their summaries say.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use super::receiver::Reply;
use super::told::{Told, told};
use super::{Finished, Flowgauge, Workdir};

/// Runs, one after the other, that have to be told of exactly.
pub const RUNS: usize = 25;

pub const ACCEPTED: Reply = Reply::Bytes("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");

pub fn rows(count: usize) -> String {
    (0..count).fold("id,name\n".to_string(), |rows, id| format!("{rows}{id},name {id}\n"))
}

/// A run of `count` records, `rejected` of which are short of a field.
pub fn orders(workdir: &Workdir, count: usize, rejected: usize) -> Flowgauge {
    orders_as("orders", workdir, count, rejected)
}

pub fn orders_as(id: &str, workdir: &Workdir, count: usize, rejected: usize) -> Flowgauge {
    let broken = (0..rejected).map(|id| format!("{id}\n")).collect::<String>();
    workdir.write("orders.csv", rows(count - rejected) + &broken);
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--output-file"]);
    command.args(["out.jsonl", "--pipeline-id", id, "--summary-json", "summary.json"])
}

pub fn summary(workdir: &Workdir) -> Value {
    serde_json::from_str(&workdir.read("summary.json")).unwrap()
}

/// The row of a route: whether it was told, and why not.
#[track_caller]
pub fn report(workdir: &Workdir, route: &str) -> (bool, String) {
    let summary = summary(workdir);
    let rows = summary["reports"].as_array().unwrap();
    let row = rows.iter().find(|row| row["route"] == route);
    let row = row.unwrap_or_else(|| panic!("no {route} in {rows:?}"));
    (row["ok"].as_bool().unwrap(), row["reason"].as_str().unwrap_or_default().to_string())
}

/// Runs that end in every way that leaves something to tell, each with what its summary says.
pub fn every_end(workdir: &Workdir, tell: impl Fn(Flowgauge) -> Flowgauge, heard: impl Fn(&Told)) {
    let end = |finished: Finished, code: i32, outcome: &str| {
        finished.assert_code(code);
        let summary = summary(workdir);
        assert_eq!(summary["outcome"], outcome);
        let of = |result: &str| summary["records"][result].as_u64().unwrap() as usize;
        heard(&told(outcome, of("inserted"), of("failed")));
    };
    end(tell(orders(workdir, 7, 2).args(["--max-errors", "2"])).run(), 0, "complete");
    end(tell(orders(workdir, 7, 3).args(["--max-errors", "1"])).run(), 3, "data");
    let piped = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let piped = piped.args(["--pipeline-id", "orders", "--summary-json", "summary.json"]);
    let mut run = tell(piped).stdin_open().spawn();
    let mut stdin = run.stdin();
    stdin.write_all(sampled().as_bytes()).unwrap();
    run.wait_for_line("orders: jsonl");
    run.signal(Signal::TERM);
    run.wait_for_line("SIGTERM");
    end(run.finish(), 143, "terminated");
    let refused = workdir.flowgauge().args(["--csv-file", "absent.csv", "--output-file"]);
    let refused = refused.args(["out.jsonl", "--pipeline-id", "orders"]);
    end(tell(refused.args(["--summary-json", "summary.json"])).run(), 2, "usage");
}

/// 300 records, more than a source samples of standard input before it starts.
pub fn sampled() -> String {
    format!("{{\"a\":\"{}\"}}\n", "x".repeat(1000)).repeat(300)
}
