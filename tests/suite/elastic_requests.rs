//! What a search server is asked on the way: who asks, which snapshot, from where, and how much at a
//! time. The server is scripted and remembers all of it.

use crate::support::scripted_elastic::{
    Asked, Fault, Kind, Like, Script, ScriptedElastic, Sending, lines, small,
};
use crate::support::{Finished, Workdir, workdir};

#[track_caller]
fn run(server: &ScriptedElastic, workdir: &Workdir, args: &str) -> Finished {
    let program = server.read_by(workdir).args(["--output-file", "out.jsonl"]);
    program.args(args.split(' ').filter(|arg| !arg.is_empty())).run()
}

/// All documents, in any order.
#[track_caller]
fn assert_has(workdir: &Workdir, documents: &[(String, String)]) {
    let text = workdir.read("out.jsonl");
    let mut found: Vec<&str> = text.lines().collect();
    let mut expected: Vec<&str> = documents.iter().map(|(_, source)| source.as_str()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert!(found == expected, "{} lines, not {}", found.len(), expected.len());
}

fn fields<'a>(asked: &'a [Asked], name: &str) -> Vec<Option<&'a str>> {
    asked.iter().map(|asked| asked.field(name)).collect()
}

fn size(asked: &Asked) -> u64 {
    asked.field("size").unwrap().parse().unwrap()
}

#[test]
fn slices_share_one_snapshot_and_sort_keys_come_back_as_they_went() {
    for (like, args) in [
        (Like::Elasticsearch9, ""),
        (Like::OpenSearch3, ""),
        (Like::Elasticsearch9, "--es-slices 7"),
        (Like::Elasticsearch710, ""),
        (Like::Elasticsearch710, "--es-slices 3"),
    ] {
        let workdir = workdir!();
        let documents = small(5_000);
        let server = Script::new(like, documents.clone()).shards(3).start();
        let finished = run(&server, &workdir, &format!("--batch-size 400 {args}"));
        finished.assert_code(0);
        assert_has(&workdir, &documents);
        assert_eq!(server.left_open(), 0, "{like:?}: {finished}");
        let opened = server.asked_for(Kind::OpenPoint);
        let good = opened.iter().filter(|asked| asked.status == 200).count();
        assert_eq!(good, usize::from(like != Like::Elasticsearch710), "{like:?}");
        for page in server.asked_for(Kind::Page) {
            assert_eq!(page.status, 200, "{like:?}: {:?}", page.request);
            let scrolls = like == Like::Elasticsearch710;
            let sort =
                if scrolls { r#"["_doc"]"# } else { r#"[{"_doc":"asc"},{"_shard_doc":"asc"}]"# };
            assert_eq!(page.field("sort"), Some(sort), "{like:?}");
            assert!(page.request.parameters.contains("allow_partial_search_results=false"));
        }
    }
}

/// While one slice learns of it, pages of others are on their way with the old name.
#[test]
fn a_name_that_changes_while_others_ask_is_no_loss() {
    let workdir = workdir!();
    let documents = small(6_000);
    let script = Script::new(Like::OpenSearch3, documents.clone()).shards(4);
    let server = script.faults(Kind::Page, 3, 40, Fault::Renamed).start();
    run(&server, &workdir, "--batch-size 100").assert_code(0);
    assert_has(&workdir, &documents);
    assert_eq!(server.left_open(), 0);
}

#[test]
fn the_newest_name_of_the_snapshot_is_used_and_closed() {
    let workdir = workdir!();
    let documents = small(1_200);
    let script = Script::new(Like::Elasticsearch9, documents.clone());
    let script = script.fault(Kind::Count, 1, Fault::Renamed).fault(Kind::Page, 5, Fault::Renamed);
    let server = script.faults(Kind::Page, 2, 3, Fault::Renamed).start();
    run(&server, &workdir, "--batch-size 300").assert_code(0);
    assert_has(&workdir, &documents);
    let close = &server.asked_for(Kind::Close)[0].request.body;
    // One name at opening, and four others later.
    assert!(close.contains("point-5"), "{close}");
    assert_eq!(server.left_open(), 0);
    assert!(server.asked().iter().all(|asked| asked.status != 404), "{:?}", server.asked());
}

/// A proxy may have the server somewhere below.
#[test]
fn an_address_may_hold_a_path() {
    for like in [Like::Elasticsearch9, Like::OpenSearch3, Like::Elasticsearch710] {
        let workdir = workdir!();
        let documents = small(1_200);
        let server = Script::new(like, documents.clone()).below("/search/es").start();
        run(&server, &workdir, "--batch-size 300").assert_code(0);
        assert_has(&workdir, &documents);
        assert_eq!(server.left_open(), 0, "{like:?}");
    }
}

#[test]
fn credentials_go_with_every_request() {
    for (args, header) in [
        ("--es-user me --es-pass-file secret", "Basic bWU6aHVudGVyMg=="),
        ("--es-api-key-file secret", "ApiKey hunter2"),
        ("--es-token-file secret", "Bearer hunter2"),
    ] {
        for like in [Like::Elasticsearch9, Like::OpenSearch3, Like::Elasticsearch710] {
            let workdir = workdir!();
            workdir.write("secret", "hunter2\n");
            let server = Script::small(like, 100).authorization(header).start();
            let finished = run(&server, &workdir, &format!("{args} --log-level debug"));
            finished.assert_code(0);
            assert!(!format!("{finished}").contains("hunter2"), "{finished}");
            assert!(server.asked().len() > 4);
            assert!(server.asked().iter().all(|asked| asked.status != 401));
        }
    }
}

#[test]
fn a_user_in_the_address_logs_in_and_is_not_shown() {
    let workdir = workdir!();
    let server = Script::small(Like::Elasticsearch9, 10).authorization("Basic bWU6aHVudGVyMg==");
    let server = server.start();
    let url = format!("http://me:hunter2@{}", server.address);
    let args =
        "--es-index orders --output-file out.jsonl --log-level debug --summary-json - --es-url";
    let finished = workdir.flowgauge().args(args.split(' ')).arg(&url).run();
    finished.assert_code(0);
    assert!(!finished.stderr.contains("hunter2"), "{finished}");
    assert!(!finished.stdout.contains("hunter2"), "{finished}");
}

/// Real servers refuse such documents, but for half of a surrogate pair. rows 47, 52, 55
#[test]
fn a_document_that_cannot_be_taken_apart_is_rejected_and_the_snapshot_closed() {
    for (source, args, words) in [
        (r#"{"a":1,"a":2}"#, "--select n,a", "the field occurs twice in one object"),
        (r#"{"a":"\ud800"}"#, "--select n,a", "half of a surrogate pair"),
        (r#"{"a.b":1,"a":{"b":2}}"#, "--select n,a.b --flatten", "a.b"),
    ] {
        let workdir = workdir!();
        let mut documents = small(1_000);
        documents[700].1 = source.to_owned();
        let server = Script::new(Like::Elasticsearch9, documents).start();
        let args = format!("{args} --batch-size 100 --rejects rejects.jsonl");
        let finished = run(&server, &workdir, &args);
        finished.assert_code(3).assert_stderr_has("orders, _id 'd700', column '");
        finished.assert_stderr_has(words);
        assert!(!workdir.exists("out.jsonl"), "{finished}");
        assert_eq!(server.left_open(), 0, "{finished}");
    }
}

#[test]
fn a_page_that_is_too_large_is_asked_for_again_from_the_same_place() {
    // The first pages grow on small documents, and then come large ones.
    let mut documents = small(1_500);
    let large =
        |n: usize| (format!("large{n}"), format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(90_000)));
    documents.extend((0..40).map(large));
    for (args, packed) in
        [("--batch-bytes 1MiB", false), ("--batch-bytes 1MiB --es-compress", true)]
    {
        let workdir = workdir!();
        let server = Script::new(Like::Elasticsearch9, documents.clone()).start();
        run(&server, &workdir, args).assert_code(0);
        assert!(workdir.read("out.jsonl") == lines(&documents), "{args}");
        let pages = server.asked_for(Kind::Page);
        let after = fields(&pages, "search_after");
        let halved = pages.windows(2).zip(after.windows(2));
        let halved: Vec<(u64, u64)> = halved
            .filter(|(_, after)| after[0] == after[1])
            .map(|(pages, _)| (size(&pages[0]), size(&pages[1])))
            .collect();
        assert!(!halved.is_empty(), "{after:?}");
        assert!(halved.iter().all(|(asked, again)| again * 2 <= *asked), "{halved:?}");
        let wants = |page: &Asked| page.request.header("accept-encoding") == Some("gzip");
        assert!(pages.iter().all(|page| wants(page) == packed), "{args}");
    }
}

/// A page of each slice is a segment, and some of these have no room beside others.
#[test]
fn large_documents_in_several_slices_are_all_there() {
    let body = |n: usize| match n % 50 {
        49 => 900_000,
        40..49 => 60_000,
        _ => 10,
    };
    let document =
        |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(body(n))));
    let documents: Vec<(String, String)> = (0..600).map(document).collect();
    for args in ["", "--es-compress", "--batch-size 2"] {
        let workdir = workdir!();
        let server = Script::new(Like::Elasticsearch9, documents.clone()).shards(3).start();
        run(&server, &workdir, format!("{args} --batch-bytes 1MiB").trim()).assert_code(0);
        assert_has(&workdir, &documents);
    }
}

#[test]
fn a_breaker_makes_pages_smaller() {
    let workdir = workdir!();
    let documents = small(1_200);
    let script = Script::new(Like::Elasticsearch9, documents.clone());
    let server = script.faults(Kind::Page, 2, 3, Fault::Breaker(429, "TRANSIENT")).start();
    run(&server, &workdir, "--batch-size 300").assert_code(0);
    assert_has(&workdir, &documents);
    let sizes: Vec<u64> = server.asked_for(Kind::Page)[1..4].iter().map(size).collect();
    assert_eq!(sizes, [300, 150, 75]);
}

/// Everything but the first page that was read is gone with a page of a scroll.
#[test]
fn a_page_of_a_scroll_that_is_lost_ends_the_run() {
    for (fault, code) in [
        (Fault::Status(503, ""), 4),
        (Fault::Sent(Sending::Cut), 4),
        (Fault::TIMED_OUT, 4),
        (Fault::SHARD_FAILED, 4),
        (Fault::Expired, 4),
        (Fault::Empty, 3),
    ] {
        let workdir = workdir!();
        let script = Script::small(Like::Elasticsearch710, 1_200);
        let server = script.fault(Kind::ScrollOn, 1, fault.clone()).start();
        let finished = run(&server, &workdir, "--batch-size 300");
        finished.assert_code(code);
        assert!(workdir.names().is_empty(), "{fault:?}: {finished}");
        assert_eq!(
            finished.stderr.lines().filter(|line| line.starts_with("flowgauge: ")).count(),
            1
        );
        assert_eq!(server.left_open(), 0, "{fault:?}");
    }
}

#[test]
fn the_beginning_of_a_scroll_is_tried_again() {
    for kind in [Kind::Sample, Kind::Page] {
        let workdir = workdir!();
        let documents = small(1_200);
        let script = Script::new(Like::Elasticsearch710, documents.clone());
        let server = script.fault(kind, 1, Fault::Status(503, "")).start();
        run(&server, &workdir, "--batch-size 300").assert_code(0).assert_stderr_has("(503)");
        assert_has(&workdir, &documents);
    }
}

#[test]
fn a_snapshot_is_kept_while_nobody_takes_what_was_read() {
    let workdir = workdir!();
    // More than the run may keep in memory and the pipe holds.
    let padded = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"pad\":\"{:1000}\"}}", ""));
    let documents: Vec<(String, String)> = (0..20_000).map(padded).collect();
    let script = Script::new(Like::Elasticsearch9, documents.clone());
    // The name changes while only keeping is asked for.
    let script = script.faults(Kind::KeepAlive, 1, 2, Fault::Renamed);
    // One that fails is asked for again before the snapshot is gone.
    let server = script.fault(Kind::KeepAlive, 3, Fault::Status(503, "")).start();
    let args = "--output-file - --batch-size 1000 --memory-limit 8MiB --es-keep-alive 1500ms";
    let mut running = server.read_by(&workdir).args(args.split(' ')).hold_stdout().spawn();
    running.wait_for_first_byte();
    server.wait_for(Kind::KeepAlive, 5);
    running.finish().assert_code(0).assert_stdout(&lines(&documents));
    assert_eq!(server.left_open(), 0);
    let kept = server.asked_for(Kind::KeepAlive);
    let is_other = |(at, asked): (usize, &Asked)| at != 2 && asked.status != 200;
    assert!(!kept.iter().enumerate().any(is_other), "{kept:?}");
}

/// Documents of 1 MB, more of them than there may be memory.
#[test]
fn memory_stays_within_bounds_also_with_large_documents() {
    let body = "z".repeat(1_000_000);
    let large = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"x\":\"{body}\"}}"));
    check_memory((0..200).map(large).collect(), 1);
}

/// A segment may be a page of each slice, but not the largest document of each.
#[test]
fn memory_stays_within_bounds_also_with_the_largest_documents_of_many_slices() {
    let body = "z".repeat(3_500_000);
    let large = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"x\":\"{body}\"}}"));
    check_memory((0..48).map(large).collect(), 16);
}

#[track_caller]
fn check_memory(documents: Vec<(String, String)>, slices: usize) {
    const BOUND_KIB: u64 = 160 << 10;
    let workdir = workdir!();
    let script = Script::new(Like::Elasticsearch9, documents.clone()).shards(slices);
    let server = script.start();
    let args = format!(
        "--output-file out.jsonl --memory-limit 64MiB --summary-json - --es-slices {slices}"
    );
    let mut running = server.read_by(&workdir).args(args.split(' ')).stdout_full().spawn();
    running.wait_for_line("  read ");
    let peak = running.peak_kib().unwrap();
    running.finish().assert_code(0);
    assert_has(&workdir, &documents);
    assert!(peak < BOUND_KIB, "{} MiB", peak >> 10);
}

#[test]
fn a_document_that_is_too_large_is_named() {
    let workdir = workdir!();
    let mut documents = small(100);
    // One that is noticed when it has come, and one that does not come to its end.
    for (like, length) in [
        (Like::Elasticsearch9, 300_000),
        (Like::Elasticsearch710, 300_000),
        (Like::Elasticsearch9, 3_000_000),
    ] {
        documents[77].1 = format!("{{\"x\":\"{}\"}}", "y".repeat(length));
        let server = Script::new(like, documents.clone()).start();
        let finished = run(&server, &workdir, "--max-record-bytes 200000");
        finished.assert_code(3).assert_stderr_has("d77");
        finished.assert_stderr_has("a document is larger than 200000 bytes");
        finished.assert_stderr_has("raise --max-record-bytes");
        assert!(workdir.names().is_empty(), "{:?}", workdir.names());
        assert_eq!(server.left_open(), 0, "{like:?}");
    }
}

#[test]
fn aliases_that_may_not_be_seen_are_read_by_one_scroll() {
    let refused = Fault::Status(403, "{}");
    let script = Script::small(Like::Elasticsearch9, 30).faults(Kind::Other, 1, 99, refused);
    let (server, workdir) = (script.start(), workdir!());
    let args = "--source-type elasticsearch --es-index * --output-file out.jsonl --es-url";
    let finished = workdir.flowgauge().args(args.split(' ')).arg(&server.address).run();
    finished
        .assert_code(0)
        .assert_stderr_has("the filter of an alias, which may not be seen (/_alias/*: status 403)")
        .assert_stderr_has("is read by one scroll without slices");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 30);
    assert!(server.asked_for(Kind::OpenPoint).is_empty());
}
