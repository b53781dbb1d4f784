//! What a search server may answer to each question of a run, beside what it should: the run asks
//! again, goes another way, or says in one line what is to be done.
//!
//! The server is scripted.

use rustix::process::Signal;

use crate::support::database::{Database, Server};
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, ScriptedElastic, Sending};
use crate::support::scripted_elastic::{byte, lines, small};
use crate::support::{Finished, Workdir, needs, workdir};

const DOCUMENTS: usize = 600;

/// The program, told to read from somewhere.
fn reading(workdir: &Workdir, address: &str, args: &[&str]) -> Finished {
    let program = workdir.flowgauge().args(["--es-index", "orders", "--es-meta", "none"]);
    let program = program.args(["--output-file", "out.jsonl", "--es-url", address]);
    let program = program.env("FLOWGAUGE_ES_PASS", "hunter2").args(args);
    let finished = program.run();
    assert!(!finished.stderr.contains("hunter2"), "{finished}");
    finished
}

fn script(like: Like) -> Script {
    Script::small(like, DOCUMENTS)
}

#[track_caller]
fn run(server: &ScriptedElastic, workdir: &Workdir, args: &[&str]) -> Finished {
    let page = if args.contains(&"--batch-size") { &[][..] } else { &["--batch-size", "300"] };
    let program = server.read_by(workdir).args(["--output-file", "out.jsonl"]);
    program.args(page).args(args).run()
}

/// All documents arrive, and this was said on the way.
#[track_caller]
fn check_complete(script: Script, args: &[&str], words: &str) {
    let (server, workdir) = (script.start(), workdir!());
    let finished = run(&server, &workdir, args);
    finished.assert_code(0).assert_stderr_has(words);
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    assert_eq!(server.left_open(), 0, "{finished}: {:?}", server.asked());
}

/// The run ends with one line that says this, and leaves nothing behind here or there.
#[track_caller]
fn check_ends(script: Script, args: &[&str], code: i32, words: &[&str]) {
    let (server, workdir) = (script.start(), workdir!());
    let finished = run(&server, &workdir, args);
    finished.assert_code(code);
    for words in words {
        finished.assert_stderr_has(words);
    }
    let errors = finished.stderr.lines().filter(|line| line.starts_with("flowgauge: ")).count();
    assert_eq!(errors, 1, "{finished}");
    assert!(!workdir.exists("out.jsonl"), "{finished}");
    assert_eq!(server.left_open(), 0, "{finished}: {:?}", server.asked());
}

#[test]
fn a_strange_answer_to_a_question_is_asked_for_again() {
    let counting = "the documents of 'orders' could not be counted on all shards";
    for (kind, fault, words) in [
        (Kind::Mapping, Fault::Html(200), "the mapping of 'orders': the answer is no JSON"),
        (Kind::OpenPoint, Fault::Html(200), "a snapshot to read from: the answer is no JSON"),
        (Kind::OpenPoint, Fault::SHARD_FAILED, "a snapshot to read from: 1 shards failed"),
        (Kind::Count, Fault::Html(200), "counting: the answer is no JSON"),
        (Kind::Count, Fault::TIMED_OUT, counting),
        (Kind::Count, Fault::SHARD_FAILED, counting),
        (Kind::Count, Fault::Instead("\"eq\"", "\"gte\""), counting),
        (Kind::Count, Fault::Instead("\"value\":600", "\"value\":null"), counting),
    ] {
        check_complete(script(Like::Elasticsearch9).fault(kind, 1, fault), &[], words);
    }
}

/// Nobody can close what has no name.
#[test]
fn a_snapshot_without_a_name_is_asked_for_again() {
    let nameless = Fault::Instead("\"id\":", "\"name\":");
    let server = script(Like::Elasticsearch9).fault(Kind::OpenPoint, 1, nameless).start();
    let workdir = workdir!();
    let finished = run(&server, &workdir, &[]);
    finished.assert_code(0).assert_stderr_has("the answer does not name one");
    assert_eq!(server.left_open(), 1, "{finished}");
}

#[test]
fn an_answer_that_is_packed_wrongly_is_asked_for_again() {
    for (kind, header, words) in [
        (Kind::Page, "br", "the answer is packed in a way that was not asked for"),
        (Kind::Page, "gzip", "the answer cannot be unpacked"),
        (Kind::Count, "br", "the answer is packed in a way that was not asked for"),
        (Kind::Count, "x-gzip", "the answer cannot be unpacked"),
    ] {
        let fault = Fault::Headed("content-encoding", header);
        let script = script(Like::Elasticsearch9).fault(kind, 1, fault);
        check_complete(script, &[], words);
    }
    let as_it_is = Fault::Headed("content-encoding", "Identity");
    check_complete(script(Like::Elasticsearch9).always(Kind::Page, 1, as_it_is), &[], "");
}

#[test]
fn a_server_that_does_not_do_something_is_read_in_another_way() {
    let no_handler = Fault::Status(400, r#"{"error":"no handler found for uri"}"#);
    let no_order = Fault::Status(
        400,
        r#"{"error":{"type":"x","reason":"No mapping found for [_shard_doc] in order to sort on"}}"#,
    );
    for (like, kind, fault, points) in [
        (Like::Elasticsearch9, Kind::OpenPoint, no_handler.clone(), 1),
        (Like::OpenSearch3, Kind::OpenPoint, no_handler.clone(), 1),
        (Like::OpenSearch3, Kind::Count, no_order, 1),
    ] {
        let server = script(like).fault(kind, 1, fault).start();
        let workdir = workdir!();
        run(&server, &workdir, &[]).assert_code(0);
        workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
        assert_eq!(server.asked_for(Kind::OpenPoint).len(), points);
        assert_ne!(server.asked_for(Kind::ScrollOn).len(), 0, "{like:?} {kind:?}");
        assert_eq!(server.left_open(), 0, "{like:?} {kind:?}");
    }
    // Who says nothing of itself, or nothing that can be read, is tried.
    let silent = script(Like::Elasticsearch9).always(Kind::Info, 1, Fault::Html(200));
    check_complete(silent, &[], "");
    check_complete(script(Like::Elasticsearch9).fault(Kind::Other, 1, Fault::Html(200)), &[], "");
    for fault in [Fault::Status(503, ""), Fault::Sent(Sending::Nothing)] {
        // Only a note would be made of it.
        let script = script(Like::Elasticsearch9).shards(2).fault(Kind::Count, 2, fault);
        let (server, workdir) = (script.start(), workdir!());
        run(&server, &workdir, &["--es-slices", "1"]).assert_code(0);
        workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
    }
    // Vectors are asked for in words that it does not know.
    let vectors = r#"{"orders":{"mappings":{"properties":{"v":{"type":"dense_vector"}}}}}"#;
    let script = script(Like::Elasticsearch9)
        .fault(Kind::Mapping, 1, Fault::Body(vectors.as_bytes().into()))
        .fault(Kind::KeepAlive, 1, Fault::Status(400, r#"{"error":"unknown field"}"#));
    check_complete(script, &[], "");
}

/// The server's clock, as it answers when it is asked for it.
const CLOCK: &str = r#"{"aggregations":{"now":{"buckets":[{"from":1.7e12}]}}}"#;

fn body(text: &str) -> Fault {
    Fault::Body(text.as_bytes().into())
}

#[test]
fn now_becomes_an_instant_where_the_server_says_enough() {
    let of_d = ["--es-query", r#"{"range":{"d":{"lt":"now"}}}"#];
    let date = r#"{"mappings":{"d":{"mapping":{"d":{"type":"date"}}}}}"#;
    let both = format!(r#"{{"a":{date},"b":{date}}}"#);
    let script = || script(Like::Elasticsearch9);
    // The mapping of the field is asked for behind the settings, and the clock last.
    let pinned = script().fault(Kind::Other, 2, body(&both)).fault(Kind::KeepAlive, 1, body(CLOCK));
    let server = pinned.start();
    run(&server, &workdir!(), &of_d).assert_code(0);
    assert_ne!(server.asked_for(Kind::OpenPoint).len(), 0);
    let timeless = script()
        .fault(Kind::Other, 2, body(&both))
        .fault(Kind::KeepAlive, 1, body("{}"))
        .fault(Kind::Other, 4, body(&both))
        .fault(Kind::KeepAlive, 2, body(CLOCK));
    check_complete(timeless, &of_d, "the time of the server: the answer does not hold it");
    // A field whose mapping cannot be asked for by its name, and one whose mapping may not be seen.
    for query in [r#"{"range":{"a,b":{"lt":"now"}}}"#, r#"{"range":{"d":{"lt":"now"}}}"#] {
        let script = script().always(Kind::Other, 2, Fault::Status(403, "{}")).fault(
            Kind::KeepAlive,
            1,
            body(CLOCK),
        );
        check_complete(script, &["--es-query", query], "is read by one scroll without slices");
    }
}

#[test]
fn names_of_indices_are_told_as_far_as_they_may_be_seen() {
    let many: Vec<String> =
        (10..35).map(|n| format!(r#""i{n}":{{"aliases":{{"a{n}":{{}}}}}}"#)).collect();
    let many = format!("{{{}}}", many.join(","));
    let named = "there are a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29 and 30 more";
    for (answer, words) in [
        (body(&many), named),
        (body(r#"{".kibana":{"aliases":{".hidden":{}}}}"#), "has no index that may be seen"),
        (Fault::Html(200), "no such index"),
        (Fault::Status(403, "{}"), "no such index"),
        (Fault::Sent(Sending::Nothing), "no such index"),
    ] {
        let script = script(Like::Elasticsearch9).always(Kind::Other, 1, answer);
        check_ends(script, &["--es-index", "nope"], 2, &["no such index", words]);
    }
    let server = script(Like::Elasticsearch9).start();
    let args = ["--source-type", "elasticsearch", "--output-file", "out.jsonl", "--es-url"];
    let finished = workdir!().flowgauge().args(args).arg(&server.address).run();
    finished.assert_code(2).assert_stderr_has("no index is named");
    finished.assert_stderr_has("set --es-index; there are orders");
}

#[test]
fn what_the_user_can_mend_is_said() {
    let keep_alive = r#"{"error":{"type":"illegal_argument_exception","reason":"Keep alive for request (2d) is too large. It must be less than (1d)."}}"#;
    let script = || script(Like::Elasticsearch9);
    let too_long = script().fault(Kind::OpenPoint, 1, Fault::Status(400, keep_alive));
    check_ends(too_long, &[], 2, &["Keep alive for request (2d)", "lower --es-keep-alive"]);
    let lost = script().fault(Kind::Info, 1, Fault::Status(302, ""));
    check_ends(lost, &[], 2, &["redirects to no other place, which is not followed (302)"]);
    check_ends(script(), &["--es-ca", "none.pem"], 2, &["'none.pem' cannot be read", "--es-ca"]);
    let heavy = format!(r#"{{"a":[{}{{}}]}}"#, "{},".repeat(1 << 20));
    for kind in [Kind::OpenPoint, Kind::Count] {
        let script = script().always(kind, 1, body(&heavy));
        let (server, workdir) = (script.start(), workdir!());
        let finished = run(&server, &workdir, &["--memory-limit", "64MiB"]);
        finished.assert_code(2).assert_stderr_has("is larger than");
    }
    let strange = script().fault(Kind::Page, 2, Fault::Instead("\"sort\":[", "\"sort\":[\"x\","));
    check_ends(strange, &[], 3, &["hits are sorted by something that was not asked for"]);
    let gone = Fault::Status(404, r#"{"error":{"type":"index_not_found_exception"}}"#);
    let deleted = script().fault(Kind::Page, 2, Fault::Expired).always(Kind::Other, 2, gone);
    check_ends(deleted, &[], 4, &["an index was deleted or closed while it was read"]);
}

#[test]
fn a_file_of_certificates_has_to_hold_one() {
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no PEM\n"] {
        let (server, workdir) = (script(Like::Elasticsearch9).start(), workdir!());
        workdir.write("ca.pem", text);
        let finished = run(&server, &workdir, &["--es-ca", "ca.pem"]);
        finished.assert_code(2).assert_stderr_has("--es-ca");
        assert!(server.asked().is_empty(), "{finished}");
    }
}

#[test]
fn a_server_without_tls_is_told_from_one_that_cannot_be_trusted() {
    let server = script(Like::Elasticsearch9).start();
    let workdir = workdir!();
    let address = format!("https://{}", server.address);
    let finished = reading(&workdir, &address, &["--es-insecure"]);
    finished.assert_code(2).assert_stderr_has("does not speak TLS");
    finished.assert_stderr_has("write http:// in --es-url");
    // Nothing is encrypted, so there is nothing to be careful about.
    let finished = reading(&workdir, &server.address, &["--es-insecure"]);
    finished.assert_code(0);
    assert!(!finished.stderr.contains("certificates are not checked"), "{finished}");
}

#[test]
fn one_user_is_enough() {
    let server = script(Like::Elasticsearch9).start();
    let address = format!("you:secret@{}", server.address);
    let finished = reading(&workdir!(), &address, &["--es-user", "me"]);
    finished.assert_code(2).assert_stderr_has("--es-url holds a user, and other options name one");
    assert!(server.asked().is_empty() && !finished.stderr.contains("secret"), "{finished}");
}

/// By a proxy, as the environment says, which stands for a server elsewhere.
#[test]
fn credentials_that_anyone_could_read_are_warned_of() {
    let elsewhere = "http://elastic.example:9200";
    let server = script(Like::Elasticsearch9).below(elsewhere).start();
    let workdir = workdir!();
    let proxy = server.address.strip_suffix(elsewhere).unwrap();
    let program = workdir.flowgauge().args(["--es-index", "orders", "--es-meta", "none"]);
    let program = program.args(["--output-file", "out.jsonl", "--es-user", "me"]);
    let program = program.env("FLOWGAUGE_ES_PASS", "hunter2").args(["--es-url", elsewhere]);
    let finished = program.env("http_proxy", format!("http://{proxy}")).run();
    finished.assert_code(0).assert_stderr_has(
        "credentials are sent to 'http://elastic.example:9200' without encryption",
    );
    assert!(!finished.stderr.contains("hunter2"), "{finished}");
    workdir.assert_file("out.jsonl", &lines(&small(DOCUMENTS)));
}

/// Another document is no JSON than a moment ago, so it was the network; the third answer is well.
#[test]
fn documents_that_are_bent_on_their_way_are_not_rejected() {
    let bent = |comment| Fault::Instead("\"name\":", comment);
    let script = script(Like::Elasticsearch9).fault(Kind::Page, 2, bent("/* a */\"name\":")).fault(
        Kind::Page,
        3,
        bent("/* b */\"name\":"),
    );
    check_complete(script, &[], "other documents of it are no JSON than a moment ago");
}

#[test]
fn scrolls_may_be_called_something_else_with_each_page() {
    let script = || script(Like::Elasticsearch710).always(Kind::ScrollOn, 1, Fault::Renamed);
    check_complete(script(), &["--batch-size", "5"], "");
    // Each segment has a page of some slices only.
    let (server, workdir) = (script().start(), workdir!());
    run(&server, &workdir, &["--batch-size", "2", "--es-slices", "3"]).assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), DOCUMENTS);
    assert_eq!(server.left_open(), 0);
}

#[test]
fn a_scroll_is_opened_again_where_its_first_page_is_broken() {
    for fault in [Fault::Sent(Sending::WrongLength(-5)), Fault::Sent(Sending::Cut)] {
        let script = script(Like::Elasticsearch710).fault(Kind::Page, 1, fault);
        check_complete(script, &[], "WARN");
    }
    let script = script(Like::Elasticsearch710).fault(Kind::Sample, 1, Fault::TIMED_OUT);
    check_complete(script, &[], "the search timed out at the server");
}

fn padded(lengths: impl Iterator<Item = usize>) -> Vec<(String, String)> {
    let document = |(n, length): (usize, usize)| {
        (format!("d{n}"), format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(length)))
    };
    lengths.enumerate().map(document).collect()
}

/// Pages of a scroll have one size, which the first documents tell.
#[test]
fn pages_of_a_scroll_fit_the_first_documents() {
    for length in [60_000, 2_000_000] {
        let documents = padded(std::iter::repeat_n(length, 20));
        let server = Script::new(Like::Elasticsearch710, documents.clone()).start();
        let workdir = workdir!();
        run(&server, &workdir, &["--batch-bytes", "1MiB"]).assert_code(0);
        assert!(workdir.read("out.jsonl") == lines(&documents), "{length}");
        assert_eq!(server.left_open(), 0);
    }
    let lengths = (0..140).map(|n| if n < 100 { 10 } else { 600_000 });
    let script = Script::new(Like::Elasticsearch710, padded(lengths));
    let words = ["bytes for a page of", "gives no page of a scroll twice", "lower --batch-size"];
    check_ends(script, &["--batch-bytes", "1MiB"], 3, &words);
}

/// A document that hides its end is weighed all the same, and ends a scroll.
#[test]
fn a_scroll_whose_first_documents_cannot_be_read_is_ended_by_them() {
    let mut documents = small(30);
    documents[3].1 = "{\"n\":1} // hidden }}]}}\"".to_owned();
    let script = Script::new(Like::Elasticsearch710, documents);
    check_ends(script, &[], 3, &["holds a document that is no JSON and hides its own end"]);
}

/// The scroll that an answer opens is closed also when nobody reads the answer any more.
#[test]
fn a_scroll_that_is_opened_after_a_signal_is_closed() {
    for (fault, args) in [
        (Fault::Held, &[][..]),
        (Fault::Held, &["--es-compress"]),
        (Fault::Sent(Sending::Stalled), &[]),
        (Fault::Status(503, ""), &[]),
    ] {
        let (server, workdir) = (
            script(Like::Elasticsearch710).always(Kind::Page, 1, fault.clone()).start(),
            workdir!(),
        );
        let program = server.read_by(&workdir).args(["--output-file", "out.jsonl"]).args(args);
        let mut running = program.spawn();
        server.wait_for(Kind::Page, 1);
        running.signal(Signal::TERM);
        running.wait_for_line("SIGTERM");
        server.release();
        running.finish().assert_code(143);
        assert_eq!(server.left_open(), 0, "{fault:?} {args:?}: {:?}", server.asked());
    }
}

/// What is looked at before a table is made is what a run would read, so a document that is rejected
/// then keeps nobody from looking at the others.
#[test]
fn a_table_is_made_of_the_documents_that_can_be_read() {
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    let client = database.connect();
    let unservable = r#"{"error":{"type":"not_x_content_exception","reason":"no"},"status":500}"#;
    for (bad, fault) in [
        (format!("{{\"n\":\"{}\"}}", byte(0xC0)), None),
        ("{\"n\":4} // hidden }}]}}\"".to_owned(), None),
        ("{\"n\":4 /* comment */}".to_owned(), None),
        (format!("{{\"n\":1,\"name\":\"{}\"}}", "y".repeat(3_000_000)), None),
        ("{\"n\":3}".to_owned(), Some(Fault::TIMED_OUT)),
        ("{\"n\":3}".to_owned(), Some(Fault::Status(503, ""))),
        ("{\"n\":3}".to_owned(), Some(Fault::Status(500, unservable))),
    ] {
        let (mut documents, workdir) = (small(30), workdir!());
        documents[3].1 = bad;
        let mut script = Script::new(Like::Elasticsearch9, documents);
        if let Some(fault) = &fault {
            script = script.fault(Kind::Sample, 1, fault.clone());
        }
        let server = script.start();
        let args = ["--es-index", "orders", "--db-table", "t", "--create-table", "--key", "_id"];
        let program = database.flowgauge(&workdir).args(args).args(["--es-url", &server.address]);
        let program = program.args(["--max-errors", "1", "--batch-bytes", "1MiB"]);
        let finished = program.args(["--rejects", "rejects.jsonl"]).run();
        finished.assert_code(0);
        let is_rejected = workdir.exists("rejects.jsonl");
        let rejects = if is_rejected { workdir.read("rejects.jsonl") } else { String::new() };
        let kept = rejects.lines().count() as u64;
        assert_eq!(client.number("SELECT COUNT(*) FROM t") + kept, 30, "{finished}");
        assert_eq!(client.number("SELECT COUNT(*) FROM t WHERE n = 29 AND name = 'name 29'"), 1);
        assert_eq!(server.left_open(), 0, "{finished}");
        client.run("DROP TABLE t");
    }
}
