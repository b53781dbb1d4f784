//! Several nodes of one cluster, some of which fail: what one of them does not give is asked for at
//! the next, and a run ends only where none of them helps.
//!
//! The nodes are scripted and share one cluster.

use crate::support::exposition::Scrape;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, Sending, lines, small};
use crate::support::{Finished, Workdir, workdir};

const DOCUMENTS: usize = 1_200;
const PAGES: &str = "--batch-size 300 --output-file out.jsonl";

fn script() -> Script {
    Script::small(Like::Elasticsearch9, DOCUMENTS)
}

/// A run that is told of these nodes, and what it counted.
#[track_caller]
fn run(workdir: &Workdir, nodes: &[String]) -> (Finished, Scrape) {
    let args = format!("--es-index orders --es-url {} --es-meta none {PAGES}", nodes.join(","));
    let program = workdir.flowgauge().args(args.split(' '));
    let program = program.args(["--metrics-port", "0", "--summary-json", "-"]);
    let mut running = program.stdout_full().spawn();
    let address = running.metrics_address();
    running.wait_for_line("  read ");
    let scrape = Scrape::of(&address);
    (running.finish(), scrape)
}

fn retries(scrape: &Scrape) -> f64 {
    scrape.series("pipeline_retries_total").map(|series| series.value).sum()
}

/// Two nodes of three fail, in a way of their own; the third gives everything.
#[track_caller]
fn check_left(fault: fn(Kind) -> Option<Fault>, retried: f64) {
    let workdir = workdir!();
    let mut server = script().start();
    let bad = [server.node(fault), server.node(fault)];
    let nodes = [bad[0].clone(), bad[1].clone(), server.address.clone()];
    let (finished, scrape) = run(&workdir, &nodes);
    finished.assert_code(0);
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    assert!(retries(&scrape) <= retried, "{finished}");
    // Once they have failed, nobody asks them again while there is another one.
    let asked = server.asked();
    for node in [2, 3] {
        let failed = asked.iter().filter(|asked| {
            asked.node == node && asked.kind != Kind::Close && fault(asked.kind).is_some()
        });
        assert_eq!(failed.count(), 1, "node {node}: {finished}");
    }
    assert_eq!(server.left_open(), 0);
}

#[test]
fn a_node_that_fails_is_left_from_the_start() {
    check_left(|_| Some(Fault::Status(503, "{}")), 0.0);
    check_left(|_| Some(Fault::Rejected), 0.0);
    check_left(|_| Some(Fault::Html(502)), 0.0);
    check_left(|_| Some(Fault::Html(200)), 0.0);
    check_left(|_| Some(Fault::Sent(Sending::Cut)), 0.0);
    check_left(|_| Some(Fault::Sent(Sending::Nothing)), 0.0);
}

#[test]
fn a_node_that_gives_no_pages_is_left() {
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Status(503, "{}")), 0.0);
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Breaker(429, "TRANSIENT")), 0.0);
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Status(504, "")), 0.0);
    // That a page is broken is found out while it is read, and then it is tried again.
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Html(200)), 2.0);
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Sent(Sending::Cut)), 2.0);
    check_left(|kind| (kind == Kind::Page).then_some(Fault::Sent(Sending::WrongLength(-5))), 2.0);
}

#[test]
fn a_node_that_redirects_is_said_and_not_passed_over() {
    let workdir = workdir!();
    let mut server = script().start();
    let other = server.node(|_| Some(Fault::Redirect(301, "https://elsewhere.example/")));
    let url = format!("{other},{}", server.address);
    let args = ["--es-index", "orders", "--es-url", &url, "--output-file", "out.jsonl"];
    let finished = workdir.flowgauge().args(args).run();
    finished.assert_code(2).assert_stderr_has("redirects to 'https://elsewhere.example/'");
}

#[test]
fn shards_that_are_missing_are_said() {
    let workdir = workdir!();
    let server = script().fault(Kind::Page, 2, Fault::MissingShards).start();
    let (finished, scrape) = run(&workdir, std::slice::from_ref(&server.address));
    finished.assert_code(0);
    finished.assert_stderr_has("Search rejected due to missing shards [[orders][0]]");
    let labels = [("stage", "fetch"), ("error_type", "partial_result")];
    assert_eq!(scrape.value("pipeline_retries_total", &labels), 1.0);
}

/// Without that the wait would be a quarter of a second at most.
#[test]
fn a_server_that_says_when_to_come_again_is_asked_then() {
    let workdir = workdir!();
    let server = script().fault(Kind::Page, 2, Fault::Later(429, "2")).start();
    let (finished, _) = run(&workdir, std::slice::from_ref(&server.address));
    finished.assert_code(0);
    finished.assert_stderr_has("attempt 2 in 2.0 s");
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
}
