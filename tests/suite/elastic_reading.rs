//! How an index is read: queries that hold the time of day, documents that are no JSON, hits that do not
//! come in order, what the server keeps for us, and documents that share their name.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::database::{Database, Server};
use crate::support::indices::Indices;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, Sending, byte, lines, small};
use crate::support::{Finished, Workdir, http, needs, test_name, workdir};

macro_rules! indices {
    ($address:expr) => {
        Indices::new($address, test_name!())
    };
}

/// The program's own words for the instant that it read by, in milliseconds.
#[track_caller]
fn instant_of(finished: &Finished) -> i64 {
    let (_, rest) = finished.stderr.split_once("'now' in the query is ").unwrap();
    let words = rest.split_whitespace().next().unwrap();
    words.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

const MOMENTS: i64 = 30_000;
/// Between two documents, in milliseconds.
const STEP: i64 = 4;

/// Documents over two minutes until about now, in no order, and the moment of the first of them.
fn over_time(indices: &Indices) -> (String, i64) {
    let index = indices.make(
        "moments",
        json!({
            "settings": { "number_of_shards": 2 },
            "mappings": { "properties": {
                "d": { "type": "date" },
                "e": { "type": "date", "format": "epoch_second" },
                "y": { "type": "date", "format": "yyyyMMdd" },
                "word": { "type": "keyword" },
            } }
        }),
    );
    let first = jiff::Timestamp::now().as_millisecond() - (MOMENTS - 2_500) * STEP;
    let document = |n: i64| {
        // A step that shares no factor with their number goes through all of them.
        let at = first + (n * 7_919 % MOMENTS) * STEP;
        let source = json!({ "d": at, "e": at / 1000, "at": at, "word": "now" });
        (format!("{n}"), source.to_string())
    };
    let documents: Vec<(String, String)> = (0..MOMENTS).map(document).collect();
    indices.fill(&index, &documents);
    (index, first)
}

#[track_caller]
fn moments(workdir: &Workdir) -> Vec<i64> {
    let text = workdir.read("out.jsonl");
    let moment = |line: &str| serde_json::from_str::<Value>(line).unwrap()["at"].as_i64().unwrap();
    let mut found: Vec<i64> = text.lines().map(moment).collect();
    found.sort_unstable();
    found
}

#[track_caller]
fn read(indices: &Indices, workdir: &Workdir, index: &str, query: &Value, args: &str) -> Finished {
    let program = indices.read_by(workdir, index).args(["--output-file", "out.jsonl"]);
    let program = program.args(["--batch-size", "200", "--es-query", &query.to_string()]);
    program.args(args.split(' ').filter(|arg| !arg.is_empty())).run()
}

#[track_caller]
fn check_now(indices: &Indices, workdir: &Workdir) {
    let (index, first) = over_time(indices);
    let expected = |from: i64, to: i64| -> Vec<i64> {
        (0..MOMENTS).map(|n| first + n * STEP).filter(|at| (from..to).contains(at)).collect()
    };
    let range = |field: &str, bounds: Value| json!({ "range": { field: bounds } });
    for args in ["", "--es-slices 3"] {
        let query = range("d", json!({ "gte": "now-100s", "lt": "now-20s" }));
        let finished = read(indices, workdir, &index, &query, args);
        finished.assert_code(0);
        let now = instant_of(&finished);
        let found = moments(workdir);
        assert!(found == expected(now - 100_000, now - 20_000), "{} documents", found.len());
        assert!(!found.is_empty());
    }
    // Seconds in its own format, under other clauses.
    let seconds = range("e", json!({ "gt": "now-90s" }));
    let query = json!({ "query": { "bool": {
        "filter": [seconds, range("word", json!({ "lte": "now" })), { "term": { "word": "now" } }]
    } } });
    let finished = read(indices, workdir, &index, &query, "");
    finished.assert_code(0);
    let now = instant_of(&finished);
    let after = |at: &i64| at / 1000 * 1000 > now - 90_000;
    let all = expected(0, i64::MAX);
    let expected: Vec<i64> = all.into_iter().filter(after).collect();
    assert!(moments(workdir) == expected, "{} of {}", moments(workdir).len(), expected.len());

    // Where it is not understood, one scroll without holes.
    for query in [
        json!({ "query_string": { "query": "d:[now-100s TO now-20s]" } }),
        json!({ "bool": { "must": { "simple_query_string": { "query": "now", "fields": ["word"] } } } }),
    ] {
        let finished = read(indices, workdir, &index, &query, "--es-slices 3");
        finished.assert_code(0).assert_stderr_has("is read by one scroll without slices");
        let found = moments(workdir);
        assert!(found.windows(2).all(|pair| pair[0] + STEP == pair[1]), "{query}");
        assert!(!found.is_empty());
    }
    // So also in the filter of an alias.
    let alias = indices.name("recent");
    let add = json!({ "actions": [{ "add": {
        "index": index, "alias": alias, "filter": range("d", json!({ "gte": "now-100s" }))
    } }] });
    indices.ask("POST", "/_aliases", &add.to_string());
    let finished = read(indices, workdir, &alias, &json!({ "match_all": {} }), "");
    finished.assert_code(0).assert_stderr_has("may hold 'now'");
    assert!(moments(workdir).windows(2).all(|pair| pair[0] + STEP == pair[1]));
    // What the server does not take, it still refuses.
    let query = range("d", json!({ "gte": "now-1x" }));
    read(indices, workdir, &index, &query, "").assert_code(2).assert_stderr_has("(400)");
}

#[test]
fn now_is_one_instant_on_elasticsearch() {
    check_now(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn now_is_one_instant_on_elasticsearch_7() {
    check_now(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn now_is_one_instant_on_elasticsearch_7_10() {
    check_now(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn now_is_one_instant_on_opensearch() {
    check_now(&indices!(needs!("opensearch")), &workdir!());
}

/// Days that are rounded, up and down, in zones and in formats without a time: what the server says of
/// the same query.
#[track_caller]
fn check_rounding(indices: &Indices, workdir: &Workdir) {
    let date = |format: &str| json!({ "type": "date", "format": format });
    let fields = json!({
        "d": { "type": "date" }, "y": date("yyyyMMdd"), "e": date("epoch_second"),
        "n": { "type": "date_nanos" }, "r": { "type": "date_range" },
    });
    let index = indices.make("days", json!({ "mappings": { "properties": fields } }));
    let now = jiff::Timestamp::now().as_second();
    let document = |n: i64| {
        let at = jiff::Timestamp::from_second(now / 3600 * 3600 + (n - 300) * 1800).unwrap();
        let words = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let source = json!({
            "d": words, "n": words, "r": { "gte": words, "lte": words },
            "y": at.strftime("%Y%m%d").to_string(), "e": at.as_second(),
        });
        (format!("{n}"), source.to_string())
    };
    indices.fill(&index, &(0..600).map(document).collect::<Vec<_>>());
    for field in ["d", "y", "e", "n", "r"] {
        for bounds in [
            json!({ "gte": "now/d" }),
            json!({ "gt": "now-1d/d", "lte": "now/d", "time_zone": "+05:30" }),
            json!({ "lt": "now+1d/d", "time_zone": "America/New_York" }),
            json!({ "lte": "now-3d/w" }),
        ] {
            let query = json!({ "range": { field: bounds } });
            let body = json!({ "query": query }).to_string();
            let counted = indices.ask("POST", &format!("/{index}/_count"), &body);
            let counted: Value = serde_json::from_str(&counted).unwrap();
            let finished = read(indices, workdir, &index, &query, "");
            finished.assert_code(0).assert_stderr_has("'now' in the query is ");
            let found = workdir.read("out.jsonl").lines().count();
            assert_eq!(Some(found as u64), counted["count"].as_u64(), "{query}");
        }
    }
}

#[test]
fn rounded_days_keep_their_meaning() {
    let workdir = workdir!();
    let servers = [
        needs!("elasticsearch"),
        needs!("elasticsearch7"),
        needs!("elasticsearch710"),
        needs!("opensearch"),
    ];
    for address in servers {
        check_rounding(&indices!(address), &workdir);
    }
}

/// What servers take and serve, though it is no JSON; all but the last leave their end to be seen.
const POISON: &[(&str, &[u8])] = &[
    ("surrogates", b"{\"a\":\"\xED\xA0\xBD\xED\xB8\x80\"}"),
    ("overlong", b"{\"a\":\"\xC0\x80\"}"),
    ("beyond", b"{\"a\":\"\xF7\xBF\xBF\xBF\"}"),
    ("name", b"{\"\xED\xA0\xBD\":1}"),
    ("comment", b"{\"a\":1 /* c } \" */}"),
    ("line", b"{\"a\":1 // c } \"\n}"),
    ("order mark", b"\xEF\xBB\xBF{\"a\":1}"),
    ("hidden end", b"{\"a\":1} // c"),
];

#[track_caller]
fn put(indices: &Indices, index: &str, id: &str, source: &[u8]) {
    let path = format!("/{index}/_doc/{}", id.replace(' ', "%20"));
    let headers = [("content-type", "application/json")];
    let answer = http::send(&indices.address, "PUT", &path, &headers, source).unwrap();
    assert!(answer.status == 201, "{id}: {}", answer.status);
}

/// Documents at which these servers fail themselves.
#[track_caller]
fn check_unservable(indices: &Indices, workdir: &Workdir) {
    let good = small(1_500);
    let index = indices.filled("unservable", 2, &good[..700]);
    let sources: [&[u8]; 3] = [b"/* c */{\"a\":1}", b"// c\n{\"a\":1}", b"\xEF\xBB\xBF/**/{}"];
    for (number, source) in sources.iter().enumerate() {
        put(indices, &index, &format!("bad{number}"), source);
    }
    indices.fill(&index, &good[700..]);
    workdir.put_away("rejects.jsonl");
    let args = "--max-errors 10 --rejects rejects.jsonl --batch-size 500 --output-file out.jsonl";
    let finished = indices.read_by(workdir, &index).args(args.split(' ')).run();
    finished.assert_code(0);
    assert_eq!(workdir.read("out.jsonl").lines().count(), good.len(), "{finished}");
    let found = rejects(workdir);
    let mut ids: Vec<&str> = found.iter().map(|line| line["_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["bad0", "bad1", "bad2"]);
    // A scroll cannot look for them.
    let query = r#"{"wrapper":{"query":"eyJtYXRjaF9hbGwiOnt9fQ=="}}"#;
    let program = indices.read_by(workdir, &index).args(["--es-query", query]);
    let finished = program.args(["--output-file", "out.jsonl"]).run();
    finished.assert_code(3).assert_stderr_has("the server cannot give one of its documents");
}

#[test]
fn a_document_that_elasticsearch_cannot_give_is_rejected() {
    check_unservable(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn a_document_that_elasticsearch_8_cannot_give_is_rejected() {
    check_unservable(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[track_caller]
fn check_without_fields(indices: &Indices, workdir: &Workdir) {
    let filled = indices.filled("some-filled", 2, &small(30));
    indices.make("some-empty", json!({}));
    let both = filled.replace("filled", "*");
    for args in ["--es-slices 1", "--es-slices 3"] {
        assert_eq!(indices.lines(workdir, &both, args).len(), 30, "{args}");
    }
    let alias = indices.name("alias");
    let add = json!({ "index": indices.name("some-empty"), "alias": alias });
    indices.ask("POST", "/_aliases", &json!({ "actions": [{ "add": add }] }).to_string());
    assert_eq!(indices.lines(workdir, &alias, "").len(), 0);
}

#[test]
fn an_index_without_fields_beside_others() {
    check_without_fields(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn an_index_without_fields_beside_others_on_opensearch() {
    check_without_fields(&indices!(needs!("opensearch")), &workdir!());
}

#[test]
fn an_index_without_fields_beside_others_on_opensearch_2() {
    check_without_fields(&indices!(needs!("opensearch2")), &workdir!());
}

fn rejects(workdir: &Workdir) -> Vec<Value> {
    let text = workdir.read("rejects.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn raw(reject: &Value) -> Vec<u8> {
    match reject["raw_base64"].as_str() {
        Some(encoded) => BASE64_STANDARD.decode(encoded).unwrap(),
        None => reject["raw"].as_str().unwrap().as_bytes().to_vec(),
    }
}

#[track_caller]
fn check_poison(indices: &Indices, workdir: &Workdir, has_points: bool) {
    let good = small(3_000);
    let index = indices.filled("poison", 2, &good[..1_500]);
    let poison = if has_points { POISON } else { &POISON[..POISON.len() - 1] };
    for (id, source) in poison {
        put(indices, &index, id, source);
    }
    indices.fill(&index, &good[1_500..]);
    let args = "--max-errors 10 --rejects rejects.jsonl --batch-size 500";
    for more in ["", "--select _id,n"] {
        workdir.put_away("rejects.jsonl");
        let program = indices.read_by(workdir, &index).args(args.split(' '));
        let program = program.args(["--output-file", "out.jsonl"]);
        let finished = program.args(more.split(' ').filter(|arg| !arg.is_empty())).run();
        finished.assert_code(0);
        assert_eq!(workdir.read("out.jsonl").lines().count(), good.len(), "{finished}");
        let found = rejects(workdir);
        let mut ids: Vec<&str> = found.iter().map(|line| line["_id"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = poison.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected);
        for reject in &found {
            assert_eq!(reject["source"], index.as_str());
            let (_, source) = poison.iter().find(|(id, _)| reject["_id"] == *id).unwrap();
            let raw = raw(reject);
            let holds = raw.windows(source.len()).any(|part| part == *source);
            assert!(holds, "{reject}");
            assert_eq!(reject.get("raw_base64").is_some(), std::str::from_utf8(&raw).is_err());
        }
    }
    // None is put up with, and it is known which.
    let finished = indices.read_by(workdir, &index).args(["--output-file", "none.jsonl"]).run();
    finished.assert_code(3).assert_stderr_has("_id '");
}

#[test]
fn a_document_that_is_no_json_is_rejected_on_elasticsearch() {
    check_poison(&indices!(needs!("elasticsearch")), &workdir!(), true);
}

#[test]
fn a_document_that_is_no_json_is_rejected_on_elasticsearch_7() {
    check_poison(&indices!(needs!("elasticsearch7")), &workdir!(), true);
}

#[test]
fn a_document_that_is_no_json_is_rejected_on_elasticsearch_7_10() {
    check_poison(&indices!(needs!("elasticsearch710")), &workdir!(), false);
}

#[test]
fn a_document_that_is_no_json_is_rejected_on_opensearch() {
    check_poison(&indices!(needs!("opensearch")), &workdir!(), true);
}

/// A scroll cannot go back to look for it.
#[test]
fn a_document_that_hides_its_end_ends_a_scroll() {
    let indices = indices!(needs!("elasticsearch710"));
    let workdir = workdir!();
    let index = indices.filled("hidden", 1, &small(100));
    put(&indices, &index, "hidden end", b"{\"a\":1} // c");
    indices.refresh(&index);
    let finished = indices.read_by(&workdir, &index).args(["--output-file", "out.jsonl"]).run();
    finished.assert_code(3).assert_stderr_has("holds a document that is no JSON");
    assert!(!workdir.exists("out.jsonl"));
}

#[track_caller]
fn check_halves(indices: &Indices, workdir: &Workdir) {
    let properties = json!({ "n": { "type": "integer" } });
    let index = indices.make("halves", json!({ "mappings": { "properties": properties } }));
    let documents: Vec<(String, String)> = [
        ("good", r#"{"n":1}"#),
        ("value", r#"{"n":2,"text":"\ud800"}"#),
        ("twice", r#"{"n":3,"text":"\ude00\ud800x"}"#),
        ("field", r#"{"n":4,"\ud800":1}"#),
        ("pair", r#"{"n":5,"text":"\ud83d\ude00"}"#),
    ]
    .iter()
    .map(|(id, source)| ((*id).to_owned(), (*source).to_owned()))
    .collect();
    indices.fill(&index, &documents);
    let mut expected: Vec<String> = documents.iter().map(|(_, source)| source.clone()).collect();
    expected.sort_unstable();
    assert_eq!(indices.lines(workdir, &index, ""), expected);
    workdir.put_away("rejects.jsonl");
    let args = "--max-errors 9 --rejects rejects.jsonl --select n,text --output-file out.csv";
    let finished = indices.read_by(workdir, &index).args(args.split(' ')).run();
    finished.assert_code(0).assert_stderr_has("a field whose name holds half of a surrogate pair");
    let mut ids: Vec<String> =
        rejects(workdir).iter().map(|line| line["_id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["field", "twice", "value"]);
    let mut rows: Vec<String> = workdir.read("out.csv").lines().map(str::to_owned).collect();
    rows.sort_unstable();
    assert_eq!(rows, ["1,", "5,😀", "n,text"]);
}

#[test]
fn halves_of_surrogate_pairs_are_copied_and_become_no_columns() {
    let workdir = workdir!();
    for address in [needs!("elasticsearch"), needs!("elasticsearch710"), needs!("opensearch")] {
        check_halves(&indices!(address), &workdir);
    }
}

/// Two indices count their shards from the same number there.
#[test]
fn several_indices_of_opensearch_are_read_in_small_pages() {
    let indices = indices!(needs!("opensearch"));
    let workdir = workdir!();
    let documents = small(6_000);
    let names: Vec<String> = [3, 2, 1]
        .iter()
        .map(|shards| {
            let some = &documents[(*shards as usize - 1) * 2_000..][..2_000];
            indices.filled(&format!("part-{shards}"), *shards, some)
        })
        .collect();
    let mut expected: Vec<&str> = documents.iter().map(|(_, source)| source.as_str()).collect();
    expected.sort_unstable();
    for args in ["--es-slices 1", "--es-slices 2", "--es-slices 7"] {
        let args = format!("{args} --batch-size 333");
        let found = indices.lines(&workdir, &names.join(","), &args);
        assert!(found == expected, "{args}: {} documents", found.len());
    }
}

const PAGES: &str = "--batch-size 300 --output-file out.jsonl";

#[track_caller]
fn check_disorder(script: Script, words: &str) {
    let workdir = workdir!();
    let server = script.start();
    let finished = server.read_by(&workdir).args(PAGES.split(' ')).run();
    finished.assert_code(3).assert_stderr_has(words);
    assert!(workdir.names().is_empty(), "{:?}", workdir.names());
    assert_eq!(server.left_open(), 0, "{finished}");
    let pages = server.asked_for(Kind::Page).len() + server.asked_for(Kind::ScrollOn).len();
    assert!(pages <= 8, "{pages} pages");
}

#[test]
fn hits_that_come_again_end_the_run() {
    for like in [Like::Elasticsearch9, Like::OpenSearch3] {
        let script = Script::small(like, 3_000).always(Kind::Page, 3, Fault::FromStart);
        check_disorder(script, "hits come in another order than was asked for in 'orders'");
    }
    let script = Script::small(Like::Elasticsearch710, 3_000);
    let script = script.always(Kind::ScrollOn, 2, Fault::FromStart);
    check_disorder(script, "hits come in another order than was asked for in 'orders'");
}

fn leaked(text: String) -> &'static str {
    text.leak()
}

/// One hit of the second page in place of the next one: the count is right.
#[test]
fn a_hit_in_place_of_another_ends_the_run() {
    let hit = |n: usize, shard: usize| {
        let key = ((1_usize << 22) + shard) << 32 | n;
        format!(
            "\"_id\":\"d{n}\",\"_score\":null,\"_source\":{{\"n\":{n},\"name\":\"name {n}\"}},\"sort\":[{n},{key}]"
        )
    };
    let fault = Fault::Instead(leaked(hit(401, 0)), leaked(hit(400, 0)));
    let script = Script::small(Like::Elasticsearch9, 3_000).fault(Kind::Page, 2, fault);
    check_disorder(script, "a hit comes twice in 'orders'");
    let scrolled = |n: usize| {
        format!(
            "\"_id\":\"d{n}\",\"_score\":null,\"_source\":{{\"n\":{n},\"name\":\"name {n}\"}},\"sort\":[{n}]"
        )
    };
    let fault = Fault::Instead(leaked(scrolled(401)), leaked(scrolled(400)));
    let script = Script::small(Like::Elasticsearch710, 3_000).fault(Kind::ScrollOn, 1, fault);
    check_disorder(script, "a hit comes twice in 'orders'");
}

/// It says there are fewer than it gives, as one that goes round in circles does in the end.
#[test]
fn more_hits_than_there_are_end_the_run() {
    let fault = Fault::Instead("\"value\":3000", "\"value\":700");
    let script = Script::small(Like::Elasticsearch9, 3_000);
    let script = script.fault(Kind::Count, 1, fault.clone());
    check_disorder(script, "'orders' holds 700 documents, but more are delivered");
    let script = Script::small(Like::Elasticsearch710, 3_000).fault(Kind::Page, 1, fault);
    check_disorder(script, "'orders' holds 700 documents, but more are delivered");
}

#[test]
fn scrolls_that_do_not_count_are_closed() {
    let cut = Fault::Sent(Sending::Cut);
    for fault in [Fault::TIMED_OUT, Fault::SHARD_FAILED, Fault::WITHOUT_SOURCE, cut] {
        let workdir = workdir!();
        let script = Script::small(Like::Elasticsearch710, 1_200).shards(1);
        let server = script.faults(Kind::Page, 1, 4, fault.clone()).start();
        let finished = server.read_by(&workdir).args(PAGES.split(' ')).run();
        finished.assert_code(0);
        workdir.assert_file("out.jsonl", &lines(&small(1_200)));
        assert_eq!(server.left_open(), 0, "{fault:?}");
        // Each before the next is opened.
        assert_eq!(server.asked_for(Kind::Close).len(), 5, "{fault:?}");
    }
}

#[test]
fn what_a_signal_leaves_behind_is_closed() {
    for (like, kind) in [
        (Like::Elasticsearch9, Kind::OpenPoint),
        (Like::Elasticsearch9, Kind::Count),
        (Like::OpenSearch3, Kind::Count),
        (Like::Elasticsearch9, Kind::Page),
        (Like::Elasticsearch710, Kind::Page),
    ] {
        let workdir = workdir!();
        let server = Script::small(like, 1_200).fault(kind, 1, Fault::Held).start();
        let running = server.read_by(&workdir).args(PAGES.split(' ')).spawn();
        server.wait_for(kind, 1);
        running.signal(Signal::TERM);
        server.release();
        running.finish().assert_code(143);
        assert_eq!(server.left_open(), 0, "{like:?} {kind:?}: {:?}", server.asked());
    }
}

#[test]
fn what_a_signal_leaves_behind_of_a_check_is_closed() {
    for (like, kind) in [
        (Like::Elasticsearch9, Kind::OpenPoint),
        (Like::OpenSearch3, Kind::Count),
        (Like::Elasticsearch9, Kind::Page),
        (Like::Elasticsearch710, Kind::Page),
    ] {
        let workdir = workdir!();
        let server = Script::small(like, 1_200).fault(kind, 1, Fault::Held).start();
        let args = ["--es-index", "orders", "--es-url", &server.address];
        let program = workdir.flowgauge().arg("check").args(args);
        let running = program.args(["--output-file", "out.jsonl"]).spawn();
        server.wait_for(kind, 1);
        running.signal(Signal::TERM);
        server.release();
        running.finish().assert_code(143);
        assert_eq!(server.left_open(), 0, "{like:?} {kind:?}: {:?}", server.asked());
    }
}

/// The server does not even answer what was asked last.
#[test]
fn a_signal_while_documents_are_looked_at_leaves_nothing_open() {
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    for (verb, like) in [("run", Like::Elasticsearch9), ("check", Like::OpenSearch3)] {
        let workdir = workdir!();
        let server = Script::small(like, 1_200).fault(Kind::Sample, 1, Fault::Held).start();
        let args = ["--es-index", "orders", "--db-table", "t", "--create-table", "--es-url"];
        let program = database.flowgauge(&workdir).arg(verb).args(args).arg(&server.address);
        let running = program.spawn();
        server.wait_for(Kind::Sample, 1);
        running.signal(Signal::TERM);
        running.finish().assert_code(143);
        assert_eq!(server.left_open(), 0, "{verb}: {:?}", server.asked());
        server.release();
    }
}

#[test]
fn check_leaves_nothing_open() {
    for like in [Like::Elasticsearch9, Like::OpenSearch3, Like::Elasticsearch710] {
        for (kind, fault) in [
            (Kind::Count, Fault::Status(400, "{}")),
            (Kind::Page, Fault::Status(503, "{}")),
            (Kind::Page, Fault::TIMED_OUT),
            (Kind::Close, Fault::Status(500, "")),
        ] {
            let workdir = workdir!();
            let is_closing = kind == Kind::Close;
            let server = Script::small(like, 1_200).always(kind, 1, fault.clone()).start();
            let args = ["--es-index", "orders", "--es-url", &server.address];
            let program = workdir.flowgauge().arg("check").args(args);
            let finished = program.args(["--output-file", "out.jsonl"]).run();
            assert_eq!(finished.code() == Some(0), is_closing, "{finished}");
            assert!(is_closing || server.left_open() == 0, "{like:?} {fault:?}: {finished}");
        }
    }
}

#[test]
fn fewer_scrolls_than_slices_are_read_one_after_the_other() {
    let workdir = workdir!();
    let documents = small(2_000);
    let script = Script::new(Like::Elasticsearch710, documents.clone()).scrolls_max(2);
    let server = script.start();
    let args = format!("{PAGES} --es-slices 5");
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(0).assert_stderr_has("search.max_open_scroll_context");
    let mut found: Vec<String> = workdir.read("out.jsonl").lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = documents.into_iter().map(|(_, source)| source).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert!(found == expected, "{} documents", found.len());
    assert_eq!(server.left_open(), 0);
}

#[test]
fn what_cannot_be_read_in_slices_is_read_as_one() {
    let workdir = workdir!();
    let documents = small(2_000);
    for like in [Like::Elasticsearch710, Like::OpenSearch3] {
        let server = Script::new(like, documents.clone()).unsliced().start();
        let args = format!("{PAGES} --es-slices 4");
        let finished = server.read_by(&workdir).args(args.split(' ')).run();
        finished.assert_code(0).assert_stderr_has("it is read as one");
        workdir.assert_file("out.jsonl", &lines(&documents));
        assert_eq!(server.left_open(), 0);
    }
}

#[test]
fn an_index_without_a_mapping_does_not_keep_others_from_being_read() {
    let workdir = workdir!();
    for address in [needs!("opensearch"), needs!("opensearch2"), needs!("elasticsearch")] {
        let indices = indices!(address);
        let empty = indices.make("empty", json!({}));
        let other = indices.filled("other", 1, &small(100));
        for args in ["", "--es-slices 1", "--es-slices 2"] {
            let found = indices.lines(&workdir, &format!("{empty},{other}"), args);
            assert_eq!(found.len(), 100, "{args}");
        }
    }
}

/// A page that is bent on its way is asked for once more, and no document of it is rejected.
#[test]
fn a_page_that_was_bent_rejects_nothing() {
    let bent = leaked(format!("\"name {}7\"", byte(0xC0)));
    for like in [Like::Elasticsearch9, Like::OpenSearch3] {
        let workdir = workdir!();
        let fault = Fault::Instead("\"name 7\"", bent);
        let server = Script::small(like, 1_200).fault(Kind::Page, 1, fault).start();
        let finished = server.read_by(&workdir).args(PAGES.split(' ')).run();
        finished.assert_code(0);
        workdir.assert_file("out.jsonl", &lines(&small(1_200)));
    }
}

/// Its page is asked for twice, and no more.
#[test]
fn a_document_that_is_bad_each_time_is_rejected() {
    let workdir = workdir!();
    let bent = leaked(format!("\"name {}7\"", byte(0xC0)));
    let mut documents = small(1_200);
    documents[7].1 = documents[7].1.replace("\"name 7\"", bent);
    let server = Script::new(Like::Elasticsearch9, documents).start();
    let args = format!("{PAGES} --max-errors 1 --rejects rejects.jsonl");
    let finished = server.read_by(&workdir).args(args.split(' ')).run();
    finished.assert_code(0);
    assert_eq!(rejects(&workdir).len(), 1);
    assert_eq!(rejects(&workdir)[0]["_id"], "d7");
    let beginnings = server
        .asked_for(Kind::Page)
        .iter()
        .filter(|page| page.field("search_after").is_none())
        .count();
    assert_eq!(beginnings, 2, "{finished}");
}

#[track_caller]
fn check_deleted(indices: &Indices, workdir: &Workdir) {
    let padded = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"pad\":\"{:1000}\"}}", ""));
    let documents: Vec<(String, String)> = (0..20_000).map(padded).collect();
    let index = indices.filled("deleted", 1, &documents);
    let args = "--output-file - --batch-size 500 --memory-limit 8MiB";
    let mut running = indices.read_by(workdir, &index).args(args.split(' ')).hold_stdout().spawn();
    running.wait_for_first_byte();
    indices.ask("DELETE", &format!("/{index}"), "");
    let finished = running.finish();
    // Servers say that the index is gone, or, while they remove it, that the snapshot is.
    finished.assert_code(4).assert_stderr_has(&index).assert_stderr_has("run again");
    assert!(!finished.stderr.contains("set --es-index"), "{finished}");
}

#[test]
fn an_index_that_is_deleted_while_it_is_read_is_named() {
    let workdir = workdir!();
    let new = [needs!("elasticsearch"), needs!("elasticsearch7"), needs!("opensearch")];
    for address in new.into_iter().chain([needs!("elasticsearch710")]) {
        check_deleted(&indices!(address), &workdir);
    }
}

/// Into a table whose key is `_id` alone.
#[track_caller]
fn into_table(indices: &Indices, database: &Database, workdir: &Workdir, index: &str) -> Finished {
    let source =
        ["--source-type", "elasticsearch", "--es-url", &indices.address, "--es-index", index];
    database
        .flowgauge(workdir)
        .args(source)
        .args(["--sink-type", "mysql", "--db-table", "docs"])
        .run()
}

#[test]
fn documents_that_share_their_name_are_said() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    database.client.run("CREATE TABLE docs (_id VARBINARY(512) PRIMARY KEY, n INT)");
    let index = indices.filled("routed", 5, &[]);
    for (n, routing) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        let path = format!("/{index}/_doc/same?routing={routing}");
        indices.ask("PUT", &path, &format!("{{\"n\":{n}}}"));
    }
    indices.refresh(&index);
    let finished = into_table(&indices, &database, &workdir, &index);
    finished.assert_code(0).assert_stderr_has("with a routing of their own");
    finished.assert_stderr_has("records met a row with their key");

    let other = indices.filled("other", 1, &[("same".to_owned(), "{\"n\":9}".to_owned())]);
    let both = format!("{index},{other}");
    let finished = into_table(&indices, &database, &workdir, &both);
    finished.assert_code(0).assert_stderr_has("is 2 indices, and documents of several that share");

    let check = database.flowgauge(&workdir).arg("check").args(["--es-url", &indices.address]);
    let finished = check.args(["--es-index", &both, "--db-table", "docs"]).run();
    finished.assert_code(0).assert_stdout_has("warning: ").assert_stdout_has("share an _id");

    // One shard holds an `_id` once, and so does one index without routings.
    let finished = into_table(&indices, &database, &workdir, &other);
    finished.assert_code(0);
    assert!(!finished.stderr.contains("only one of them stays"), "{finished}");
}
