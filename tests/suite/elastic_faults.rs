//! A search server that fails: either the run completes with exactly the documents there are and
//! says what it tried again, or it ends with one line and publishes nothing.
//!
//! The server is scripted. Its first page is the second request for a page, where every fault is.

use rustix::process::Signal;

use crate::support::exposition::Scrape;
use crate::support::scripted_elastic::{
    Fault, Kind, Like, Script, ScriptedElastic, Sending, lines, small,
};
use crate::support::{Finished, Workdir, assert_same_text, free_port, workdir};

const DOCUMENTS: usize = 1_200;

/// Pages of 300 in one slice: four, and an empty one.
const PAGES: &str = "--batch-size 300 --output-file out.jsonl";

fn script() -> Script {
    Script::small(Like::Elasticsearch9, DOCUMENTS)
}

/// What a run left when it was over, and what it counted.
struct Ended {
    finished: Finished,
    scrape: Scrape,
}

impl Ended {
    #[track_caller]
    fn of(server: &ScriptedElastic, workdir: &Workdir, args: &str) -> Ended {
        let program = server.read_by(workdir).args(args.split(' '));
        let program = program.args(["--metrics-port", "0", "--summary-json", "-"]);
        // The summary finds no room, so the run waits with it and can be asked.
        let mut running = program.stdout_full().spawn();
        let address = running.metrics_address();
        running.wait_for_line("  read ");
        let scrape = Scrape::of(&address);
        Ended { finished: running.finish(), scrape }
    }

    fn retries(&self, error_type: &str) -> f64 {
        let labels = [("stage", "fetch"), ("error_type", error_type)];
        self.scrape.value("pipeline_retries_total", &labels)
    }

    fn all_retries(&self) -> f64 {
        self.scrape.series("pipeline_retries_total").map(|series| series.value).sum()
    }

    fn requests(&self, operation: &str, code: &str) -> f64 {
        let labels = [("operation", operation), ("code", code)];
        self.scrape.find("pipeline_http_requests_total", &labels).unwrap_or_default()
    }
}

/// One fault in the second page: it is asked for again, from the same place, and all is there.
#[track_caller]
fn check_again(fault: Fault, error_type: &str, code: &str, words: &str) {
    let workdir = workdir!();
    let server = script().fault(Kind::Page, 2, fault.clone()).start();
    let ended = Ended::of(&server, &workdir, PAGES);
    let finished = &ended.finished;
    finished.assert_code(0).assert_stderr_has(words).assert_stderr_has("WARN fetch: ");
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    assert_eq!((ended.retries(error_type), ended.all_retries()), (1.0, 1.0), "{fault:?}");
    assert!(ended.requests("search", code) >= 1.0, "{fault:?}: {}", ended.scrape.text);

    let pages = server.asked_for(Kind::Page);
    let after = |page: usize| pages[page - 1].field("search_after");
    assert!(after(2).is_some() && after(2) == after(3), "{fault:?}");
    assert_eq!(server.asked_for(Kind::OpenPoint).len(), 1, "{fault:?}");
    assert_eq!(server.left_open(), 0, "{fault:?}: {finished}");
}

#[test]
fn a_server_that_has_too_much_to_do_is_asked_again() {
    check_again(Fault::Rejected, "overloaded", "429", "the server has too much to do (429)");
    check_again(Fault::Status(429, ""), "overloaded", "429", "too much to do (429)");
    for status in [429, 503] {
        let words = format!("the server is short of memory ({status}): [parent] Data too large");
        let fault = Fault::Breaker(status, "TRANSIENT");
        check_again(fault, "overloaded", &status.to_string(), &words);
    }
}

#[test]
fn a_failure_on_the_way_is_asked_again() {
    check_again(Fault::Status(503, ""), "overloaded", "503", "the server failed (503)");
    check_again(Fault::Html(502), "connection", "502", "the server failed (502): <html>");
    check_again(Fault::Status(504, "{}"), "timeout", "504", "the server failed (504)");
    check_again(Fault::Status(500, "{}"), "other", "500", "the server failed (500)");
    check_again(Fault::Html(200), "protocol", "200", "the answer is no JSON: <html>");
}

#[test]
fn a_page_in_part_is_no_page() {
    for (fault, words) in [
        (Fault::TIMED_OUT, "the search timed out at the server"),
        (Fault::SHARD_FAILED, "1 of 1 shards answered, 1 failed"),
        (Fault::SHARD_MISSING, "0 of 1 shards answered, 0 failed"),
        (Fault::CLUSTER_SKIPPED, "of other clusters 1 were skipped"),
        (Fault::ENDED_EARLY, "the search was ended early by the server"),
        (Fault::FEWER_SHARDS, "0 shards took part, at the start it was 1"),
    ] {
        check_again(fault, "partial_result", "200", words);
    }
}

#[test]
fn a_hit_without_what_it_must_have_is_no_hit() {
    for (fault, words) in [
        (Fault::WITHOUT_SOURCE, "a hit has no _source; the index 'orders' may not keep"),
        (Fault::WITHOUT_SORT, "a hit has no sort"),
        (Fault::WITHOUT_ID, "a hit has no _id"),
    ] {
        check_again(fault, "protocol", "200", words);
    }
}

#[test]
fn a_body_that_is_cut_is_no_page() {
    for (sending, error_type, code, words) in [
        (Sending::Cut, "connection", "200", "http://127.0.0.1:"),
        (Sending::WrongLength(5), "connection", "200", "http://127.0.0.1:"),
        (Sending::WrongLength(-5), "protocol", "200", "not whole or no JSON"),
        (Sending::Nothing, "connection", "none", "cannot be asked"),
    ] {
        check_again(Fault::Sent(sending), error_type, code, words);
    }
}

#[test]
fn a_server_that_stops_answering_is_given_up_after_a_while() {
    for (sending, code) in [(Sending::Silence, "none"), (Sending::Stalled, "200")] {
        let workdir = workdir!();
        let server = script().fault(Kind::Page, 2, Fault::Sent(sending)).start();
        let ended = Ended::of(&server, &workdir, &format!("{PAGES} --es-timeout 2s"));
        ended.finished.assert_code(0).assert_stderr_has("did not answer in time; --es-timeout");
        workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
        assert!(ended.retries("timeout") >= 1.0);
        assert!(ended.requests("search", code) >= 1.0);
    }
}

/// A page of one slice fails while those of others stand in the same segment.
#[test]
fn a_failure_in_one_slice_takes_nothing_from_the_others() {
    for fault in [
        Fault::Status(503, ""),
        Fault::Html(200),
        Fault::TIMED_OUT,
        Fault::WITHOUT_SORT,
        Fault::Breaker(429, "TRANSIENT"),
        Fault::Sent(Sending::Cut),
        Fault::Sent(Sending::WrongLength(-5)),
    ] {
        for page in [2, 3, 5] {
            let workdir = workdir!();
            let script = script().shards(3).fault(Kind::Page, page, fault.clone());
            let server = script.start();
            let ended = Ended::of(&server, &workdir, PAGES);
            ended.finished.assert_code(0);
            let text = workdir.read("out.jsonl");
            let mut found: Vec<&str> = text.lines().collect();
            found.sort_unstable();
            let expected = lines(&small(DOCUMENTS));
            let mut expected: Vec<&str> = expected.lines().collect();
            expected.sort_unstable();
            assert!(found == expected, "{fault:?} {page}: {} lines", found.len());
            assert_eq!(ended.all_retries(), 1.0, "{fault:?} {page}");
            assert_eq!(server.left_open(), 0, "{fault:?} {page}");
        }
    }
}

#[test]
fn an_answer_that_drips_is_waited_for() {
    let workdir = workdir!();
    let drip = Fault::Sent(Sending::Dripping(7));
    let server = script().always(Kind::Page, 1, drip).start();
    let ended = Ended::of(&server, &workdir, PAGES);
    ended.finished.assert_code(0);
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    assert_eq!(ended.all_retries(), 0.0);
}

#[test]
fn opening_is_tried_again_too() {
    for kind in [Kind::Info, Kind::Mapping, Kind::OpenPoint, Kind::Count] {
        let workdir = workdir!();
        let server = script().fault(kind, 1, Fault::Status(503, "")).start();
        let ended = Ended::of(&server, &workdir, PAGES);
        ended.finished.assert_code(0).assert_stderr_has("the server failed (503)");
        workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
        assert_eq!(ended.retries("overloaded"), 1.0, "{kind:?}");
        assert_eq!(server.left_open(), 0, "{kind:?}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_closed_fails_nothing() {
    let silent = Fault::Sent(Sending::Silence);
    for fault in [Fault::Status(500, ""), Fault::Sent(Sending::Nothing), silent] {
        let workdir = workdir!();
        let server = script().always(Kind::Close, 1, fault).start();
        let finished = server.read_by(&workdir).args(PAGES.split(' ')).run();
        finished.assert_code(0);
        workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    }
}

/// A fault that no other try mends: one line, the old file stays, and the snapshot is closed.
#[track_caller]
fn check_ends(kind: Kind, fault: Fault, code: i32, words: &str) -> String {
    let workdir = workdir!();
    workdir.write("out.jsonl", "old\n");
    workdir.write("password", "hunter2");
    let is_expired = matches!(fault, Fault::Expired);
    let ordinal = if kind == Kind::Page { 2 } else { 1 };
    let server = script()
        .authorization("Basic bWU6aHVudGVyMg==")
        .always(kind, ordinal, fault.clone())
        .start();
    let args = format!("{PAGES} --es-user me --es-pass-file password --summary-json summary.json");
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(code).assert_stderr_has(words);
    let errors = finished.stderr.lines().filter(|line| line.starts_with("flowgauge: ")).count();
    assert_eq!(errors, 1, "{fault:?}: {finished}");
    workdir.assert_file("out.jsonl", "old\n");
    let left: Vec<String> =
        workdir.names().into_iter().filter(|name| name != "summary.json").collect();
    assert_eq!(left, ["out.jsonl", "password"], "{fault:?}");
    let said = format!(
        "{finished}{}",
        if workdir.exists("summary.json") { workdir.read("summary.json") } else { String::new() }
    );
    assert!(!said.contains("hunter2") && !said.contains("bWU6aHVudGVyMg"), "{said}");
    assert!(is_expired || server.left_open() == 0, "{fault:?}: {finished}");
    said
}

#[test]
fn what_no_other_try_mends_ends_the_run_at_once() {
    for (fault, code, words) in [
        (Fault::Status(401, "{}"), 2, "does not accept the credentials (401)"),
        (Fault::Status(403, "{}"), 2, "the user may not do this (403)"),
        (Fault::Status(400, r#"{"error":"no"}"#), 2, "the server refuses (400): no"),
        (Fault::Expired, 4, "the snapshot is gone, it expired or its node was lost (404)"),
        (Fault::Empty, 3, "holds 1,200 documents, but 300 were delivered"),
    ] {
        check_ends(Kind::Page, fault, code, words);
    }
    check_ends(Kind::Info, Fault::Status(401, "{}"), 2, "--es-user");
    check_ends(Kind::OpenPoint, Fault::Status(403, "{}"), 2, "read and view_index_metadata");
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let workdir = workdir!();
    let server = script().authorization("Basic bWU6cmlnaHQ=").start();
    let program = server.read_by(&workdir).args(PAGES.split(' '));
    let finished = program.args(["--es-user", "me"]).env("FLOWGAUGE_ES_PASS", "hunter2").run();
    finished.assert_code(2).assert_stderr_has("does not accept the credentials (401)");
    assert!(!finished.stderr.contains("hunter2"), "{finished}");
    assert!(workdir.names().is_empty(), "{:?}", workdir.names());
}

/// Nobody there learns who asks, or what.
#[test]
fn a_redirect_leads_nowhere_and_its_aim_is_said() {
    let other = script().start();
    let to: &'static str =
        format!("http://you:secret@{}/x?token=secret#secret", other.address).leak();
    let words = format!("redirects to 'http://{}/x', which is not followed", other.address);
    for kind in [Kind::Info, Kind::Mapping, Kind::Other, Kind::OpenPoint, Kind::Count, Kind::Page] {
        for status in [301, 302, 303, 307, 308] {
            let said = check_ends(kind, Fault::Redirect(status, to), 2, &words);
            assert!(said.contains("--es-url") && !said.contains("secret"), "{said}");
        }
    }
    assert!(other.asked().is_empty(), "{:?}", other.asked());
}

/// Servers of version 7 call it permanent whenever little is asked of them, so pages are halved as long
/// as they can be.
#[test]
fn a_breaker_that_is_there_to_stay_ends_the_run_when_pages_are_as_small_as_can_be() {
    let workdir = workdir!();
    let server = script().always(Kind::Page, 2, Fault::Breaker(429, "PERMANENT")).start();
    let args = "--batch-size 2 --output-file out.jsonl";
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(4).assert_stderr_has("the server has not enough memory for it (429)");
    let sizes = server.asked_for(Kind::Page);
    let sizes: Vec<_> = sizes.iter().map(|page| page.field("size")).collect();
    assert_eq!(sizes, [Some("2"), Some("2"), Some("1")]);
    assert!(workdir.names().is_empty(), "{:?}", workdir.names());
    assert_eq!(server.left_open(), 0);
}

#[test]
fn a_node_that_is_not_there_is_passed_over() {
    let workdir = workdir!();
    let server = script().start();
    let nodes = format!("127.0.0.1:{},{}", free_port(), server.address);
    let args = format!("--es-index orders --es-url {nodes} --es-meta none {PAGES}");
    let finished = workdir.flowgauge().args(args.split(' ')).run();
    finished.assert_code(0);
    assert_same_text("out.jsonl", &lines(&small(DOCUMENTS)), &workdir.read("out.jsonl"));
    assert_eq!(server.left_open(), 0);
}

#[test]
fn a_signal_is_heard_while_a_page_is_waited_for_and_while_it_is_tried_again() {
    for fault in [Fault::Held, Fault::Sent(Sending::Stalled), Fault::Status(503, "")] {
        let workdir = workdir!();
        let server = script().always(Kind::Page, 3, fault.clone()).start();
        let mut running = server.read_by(&workdir).args(PAGES.split(' ')).spawn();
        server.wait_for(Kind::Page, 3);
        if matches!(fault, Fault::Status(..)) {
            running.wait_for_line("attempt 2");
        }
        running.signal(Signal::TERM);
        let finished = running.finish();
        finished.assert_code(143).assert_stderr_has("SIGTERM");
        finished.assert_stderr_has("nothing was published");
        assert!(workdir.names().is_empty(), "{:?}", workdir.names());
        // An interruption keeps nothing yet.
        assert_eq!(server.left_open(), 0, "{fault:?}");
    }
}
