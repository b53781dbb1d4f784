//! What a search server may answer: not more than there is memory for, not for ever, and without
//! the credentials that it was asked with.
//!
//! The server is scripted. Memory is what the process had at most, which the kernel knows.

use std::sync::Arc;

use crate::support::scripted_elastic::{
    Fault, Kind, Like, Script, ScriptedElastic, Sending, lines, small,
};
use crate::support::{Finished, workdir};

const DOCUMENTS: usize = 600;
const SPACES: usize = 400 << 20;

fn script() -> Script {
    Script::small(Like::Elasticsearch9, DOCUMENTS)
}

/// A run, and the most memory it had, in MiB.
#[track_caller]
fn measured(server: &ScriptedElastic, args: &str) -> (Finished, u64) {
    let workdir = workdir!();
    let program = server.read_by(&workdir).args(args.split(' ').filter(|arg| !arg.is_empty()));
    let (finished, peak) = program.args(["--output-file", "out.jsonl"]).spawn().finish_measured();
    (finished, peak >> 10)
}

/// What is asked before the first page has an end, in its own bytes and unpacked.
#[test]
fn an_answer_without_end_is_given_up_before_the_memory_is_full() {
    for (kind, flag) in [
        (Kind::Info, "--es-url"),
        (Kind::Mapping, "--memory-limit"),
        (Kind::Other, "--memory-limit"),
        (Kind::OpenPoint, "--es-index"),
        (Kind::Count, "--es-index"),
    ] {
        for fault in [Fault::Sent(Sending::Padded(SPACES)), Fault::Bomb(SPACES)] {
            let server = script().always(kind, 1, fault.clone()).start();
            let (finished, peak) = measured(&server, "--memory-limit 64MiB");
            finished.assert_code(2).assert_stderr_has("is larger than").assert_stderr_has(flag);
            assert!(peak <= 128, "{kind:?} {fault:?}: {peak} MiB");
        }
    }
}

/// Names are only listed to help.
#[test]
fn a_list_of_names_without_end_is_left_out() {
    let server = script().always(Kind::Other, 1, Fault::Bomb(SPACES)).start();
    let (finished, peak) = measured(&server, "--memory-limit 64MiB --es-index nope");
    finished.assert_code(2).assert_stderr_has("no such index");
    assert!(peak <= 128, "{peak} MiB");
}

/// The fields of a query are not worth the memory either: where they cannot be known, `now` is left to
/// one scroll.
#[test]
fn fields_of_a_query_without_end_are_not_read() {
    let objects = "{},".repeat(9 << 20);
    let fields = format!("{{\"orders\":{{\"mappings\":[{}{{}}]}}}}", objects);
    let clock = br#"{"aggregations":{"now":{"buckets":[{"from":1.7e12}]}}}"#;
    let server = script()
        .fault(Kind::Other, 2, Fault::Body(fields.into_bytes().into()))
        .fault(Kind::KeepAlive, 1, Fault::Body(clock[..].into()))
        .start();
    let query = r#"{"range":{"d":{"lt":"now"}}}"#;
    let (finished, peak) = measured(&server, &format!("--memory-limit 64MiB --es-query {query}"));
    finished.assert_code(0).assert_stderr_has("is read by one scroll");
    assert!(peak <= 128, "{peak} MiB");
}

/// So many indices with so many fields each, called the same in all of them or not.
fn mappings(indices: usize, fields: usize, is_shared: bool) -> Arc<[u8]> {
    let mut text = String::from("{");
    for index in 0..indices {
        let comma = if index > 0 { "," } else { "" };
        text += &format!("{comma}\"orders-{index:06}\":{{\"mappings\":{{\"properties\":{{");
        for field in 0..fields {
            let comma = if field > 0 { "," } else { "" };
            let of = if is_shared { 0 } else { index };
            text += &format!(
                "{comma}\"a_field_{of:06}_{field:06}\":{{\"type\":\"keyword\",\"ignore_above\":256}}"
            );
        }
        text += "}}}";
    }
    text += "}";
    text.into_bytes().into()
}

#[test]
fn mappings_of_a_thousand_indices_are_read_within_the_memory_limit() {
    let body = mappings(1_000, 1_000, true);
    assert!(body.len() > 60_000_000);
    let server = script().always(Kind::Mapping, 1, Fault::Body(body)).start();
    let (finished, peak) = measured(&server, "");
    finished.assert_code(0);
    assert!(peak <= 256 + 64, "{peak} MiB");
    let (finished, peak) = measured(&server, "--memory-limit 64MiB");
    finished.assert_code(2).assert_stderr_has("to '/orders/_mapping' is larger than");
    finished.assert_stderr_has("raise --memory-limit");
    assert!(peak <= 64 + 64, "{peak} MiB");
}

#[test]
fn fields_that_differ_from_index_to_index_are_kept_or_refused() {
    let server =
        script().always(Kind::Mapping, 1, Fault::Body(mappings(300, 1_000, false))).start();
    let (finished, peak) = measured(&server, "--memory-limit 128MiB");
    finished.assert_code(2).assert_stderr_has("--es-fields").assert_stderr_has("--memory-limit");
    assert!(peak <= 128 + 64, "{peak} MiB");
}

#[test]
fn an_index_that_is_hard_to_hold_is_refused() {
    // Each of these takes many times more in memory than on the wire.
    let nested = "{\"\":{\"\":0}},".repeat(400_000);
    let body = format!("{{\"orders\":{{\"mappings\":{{\"x\":[{nested}0]}}}}}}");
    let server = script().always(Kind::Mapping, 1, Fault::Body(body.into_bytes().into())).start();
    let (finished, peak) = measured(&server, "--memory-limit 64MiB");
    finished.assert_code(2).assert_stderr_has("--memory-limit");
    assert!(peak <= 128, "{peak} MiB");
}

/// It always brings something within `--es-timeout`, and never comes to its end.
#[test]
fn a_page_that_trickles_is_given_up() {
    let workdir = workdir!();
    let server = script().fault(Kind::Page, 2, Fault::Sent(Sending::Trickling)).start();
    let args = "--batch-size 300 --output-file out.jsonl --es-timeout 1s";
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(0).assert_stderr_has("did not answer in time; --es-timeout");
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
}

#[test]
fn an_answer_that_trickles_is_given_up_before_the_first_page_too() {
    let workdir = workdir!();
    let server = script().fault(Kind::Mapping, 1, Fault::Sent(Sending::Trickling)).start();
    let args = "--batch-size 300 --output-file out.jsonl --es-timeout 1s";
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(0).assert_stderr_has("did not answer in time; --es-timeout");
}

/// The body of a page lies in the connection while nobody takes what was read before, for longer than
/// an answer may take.
#[test]
fn a_sink_that_is_slow_is_no_fault_of_the_server() {
    let workdir = workdir!();
    let padded = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"pad\":\"{:1000}\"}}", ""));
    let documents: Vec<(String, String)> = (0..20_000).map(padded).collect();
    let server = Script::new(Like::Elasticsearch9, documents.clone()).start();
    let args =
        "--output-file - --memory-limit 8MiB --es-keep-alive 1500ms --es-timeout 1s --es-slices 1";
    let mut running = server.read_by(&workdir).args(args.split(' ')).hold_stdout().spawn();
    running.wait_for_first_byte();
    // Each is half a second after the last one.
    server.wait_for(Kind::KeepAlive, 5);
    let finished = running.finish();
    finished.assert_code(0).assert_stdout(&lines(&documents));
    assert!(!finished.stderr.contains("WARN"), "{finished}");
}

/// A server, or something in front of it, that repeats what it was sent.
#[test]
fn credentials_that_come_back_are_not_shown() {
    const PASSWORD: &str = "hunter2 is \"long\"";
    const BASIC: &str = "bWU6aHVudGVyMiBpcyAibG9uZyI=";
    const KEY: &str = "VuaCfGcBCdbkQm";
    let secrets =
        ["hunter2", "is \"long", BASIC, KEY, "someid", "c29tZWlkOlZ1YUNmR2NCQ2Ria1Ft", "t0ken-of"];
    let ways = [
        vec!["--es-user", "me", "--es-pass-file", "password"],
        vec!["--es-api-key-file", "key"],
        vec!["--es-token-file", "token"],
    ];
    for way in ways {
        for (kind, code, fault) in [
            (Kind::Info, 2, Fault::Echo(401)),
            (Kind::Mapping, 2, Fault::Echo(403)),
            (Kind::OpenPoint, 2, Fault::Echo(403)),
            (Kind::Count, 2, Fault::Echo(400)),
            (Kind::Count, 2, Fault::EchoHtml(413)),
            (Kind::Page, 2, Fault::Echo(400)),
            (Kind::Page, 2, Fault::EchoHtml(400)),
        ] {
            let workdir = workdir!();
            workdir.write("password", PASSWORD);
            workdir.write("key", format!("someid:{KEY}"));
            workdir.write("token", "t0ken-of-someone");
            let server = script().always(kind, 1, fault.clone()).start();
            let program = server.read_by(&workdir).args(&way);
            let args = "--output-file out.jsonl --summary-json - --log-level debug";
            let finished = program.args(args.split(' ')).run();
            finished.assert_code(code).assert_stderr_has("***");
            let said = finished.to_string();
            for secret in secrets {
                assert!(!said.contains(secret), "{secret} {kind:?} {fault:?}: {said}");
            }
        }
        // What is tried again is said on the way.
        let workdir = workdir!();
        workdir.write("password", PASSWORD);
        workdir.write("key", format!("someid:{KEY}"));
        workdir.write("token", "t0ken-of-someone");
        let script = script().fault(Kind::Page, 1, Fault::EchoHtml(502));
        let server = script.fault(Kind::Page, 2, Fault::EchoHtml(200)).start();
        let program = server.read_by(&workdir).args(&way);
        let finished = program.args(["--output-file", "out.jsonl"]).run();
        finished.assert_code(0).assert_stderr_has("***");
        let said = finished.to_string();
        assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
    }
}

#[test]
fn credentials_in_the_address_are_not_shown_either() {
    let workdir = workdir!();
    let server = script().always(Kind::Mapping, 1, Fault::Echo(403)).start();
    let url = format!("http://me:hunter%402@{}", server.address);
    let args = ["--es-url", &url, "--es-index", "orders", "--output-file", "out.jsonl"];
    let finished = workdir.flowgauge().args(args).run();
    finished.assert_code(2).assert_stderr_has("***");
    let said = &finished.stderr;
    assert!(!said.contains("hunter") && !said.contains("bWU6aHVudGVyQDI"), "{said}");
}
