//! Documents of real servers that are not as one hopes: hostile, changed while they are read, not
//! kept, or kept in other words. `row N` is a row of the table of bad inputs.

use serde_json::json;

use crate::support::indices::{Indices, with_ids};
use crate::support::{Workdir, needs, test_name, workdir};

macro_rules! indices {
    ($address:expr) => {
        Indices::new($address, test_name!())
    };
}

fn owned(documents: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, source): &(&str, &str)| ((*id).to_owned(), (*source).to_owned());
    documents.iter().map(owned).collect()
}

/// What every server takes. An empty key, and a key that is there twice, none of them does.
const HOSTILE: &[(&str, &str)] = &[
    // row 47, row 48
    ("nested", r#"{"v":{"a":{"b":[1,{"c":null}]}}}"#),
    ("array", r#"{"v":[1,2]}"#),
    ("dots", r#"{"a.b":1,"a":{"b":2},"v":1}"#),
    // row 49
    ("text", r#"{"v":"1"}"#),
    ("true", r#"{"v":true}"#),
    ("null", r#"{"v":null}"#),
    ("empty", "{}"),
    // row 51
    ("i64", r#"{"v":-9223372036854775808}"#),
    ("u64", r#"{"v":18446744073709551615}"#),
    ("digits", r#"{"v":12345678901234567890123}"#),
    ("zeros", r#"{"v":1.10}"#),
    ("exponent", r#"{"v":1E400}"#),
    // row 53
    ("key", r#"{"a`b\"c\u0000d":1,"v":2}"#),
    // row 55
    ("NUL", r#"{"v":"a\u0000b"}"#),
    ("escapes", r#"{"v":"\/\u00e9\ud83d\ude00é😀"}"#),
    ("csv", r#"{"v":"a,\"b\"\r\nc"}"#),
];

/// What becomes of them in JSON by columns, and in CSV.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("nested", r#""v":{"a":{"b":[1,{"c":null}]}}"#, r#""{""a"":{""b"":[1,{""c"":null}]}}""#),
    ("array", r#""v":[1,2]"#, r#""[1,2]""#),
    ("dots", r#""v":1"#, "1"),
    ("text", r#""v":"1""#, "1"),
    ("true", r#""v":true"#, "true"),
    ("null", r#""v":null"#, ""),
    ("empty", "", ""),
    ("i64", r#""v":-9223372036854775808"#, "-9223372036854775808"),
    ("u64", r#""v":18446744073709551615"#, "18446744073709551615"),
    ("digits", r#""v":12345678901234567890123"#, "12345678901234567890123"),
    ("zeros", r#""v":1.10"#, "1.10"),
    ("exponent", r#""v":1E400"#, "1E400"),
    ("key", r#""v":2"#, "2"),
    ("NUL", r#""v":"a\u0000b""#, "a\0b"),
    ("escapes", r#""v":"/é😀é😀""#, "/é😀é😀"),
    ("csv", r#""v":"a,\"b\"\r\nc""#, "\"a,\"\"b\"\"\r\nc\""),
];

#[track_caller]
fn check_hostile(indices: &Indices, workdir: &Workdir) {
    let mut documents = owned(HOSTILE);
    // row 53, row 54
    documents.push(("long key".to_owned(), format!("{{\"{}\":1}}", "k".repeat(10_000))));
    let fields: Vec<String> = (0..50_000).map(|n| format!("\"f{n}\":{n}")).collect();
    documents.push(("fields".to_owned(), format!("{{{}}}", fields.join(","))));
    documents.push(("large".to_owned(), format!("{{\"w\":\"{}\"}}", "x".repeat(10 << 20))));
    // row 56
    for id in
        ["abc", "ABC", "ábc", "abc ", " abc", "a\u{301}bc", "ß", "ss", "a/b?c#d", "\"q\"", "%20"]
    {
        documents.push((id.to_owned(), format!("{{\"w\":{}}}", json!(id))));
    }
    documents.push(("i".repeat(512), "{\"w\":1}".to_owned()));
    let index = indices.filled("hostile", 1, &documents);
    let lines = indices.lines(workdir, &index, "--es-meta _id");
    assert!(lines == with_ids(&documents), "{} lines", lines.len());

    let ids: Vec<&str> = HOSTILE.iter().map(|(id, _)| *id).collect();
    let query = json!({ "ids": { "values": ids } }).to_string();
    let read = |output: &str| {
        let program = indices.read_by(workdir, &index).args(["--es-query", &query]);
        program.args(["--select", "_id,v", "--output-file", output]).run().assert_code(0);
        workdir.read(output)
    };
    let line = |(id, value, _): &(&str, &str, &str)| {
        let comma = if value.is_empty() { "" } else { "," };
        format!("{{\"_id\":\"{id}\"{comma}{value}}}\n")
    };
    let expected: String = COLUMNS.iter().map(line).collect();
    assert_eq!(read("columns.jsonl"), expected);
    let expected: String = COLUMNS.iter().map(|(id, _, text)| format!("{id},{text}\n")).collect();
    assert_eq!(read("columns.csv"), format!("_id,v\n{expected}"));

    // row 55: half of a pair is kept where nobody looks into documents, and is no text otherwise.
    let half = indices.filled("half", 1, &owned(&[("half", r#"{"v":"\ud800"}"#)]));
    assert_eq!(indices.lines(workdir, &half, ""), [r#"{"v":"\ud800"}"#]);
    let program =
        indices.read_by(workdir, &half).args(["--select", "v", "--output-file", "half.csv"]);
    let finished = program.args(["--rejects", "rejects.jsonl"]).run();
    finished.assert_code(3).assert_stderr_has(&format!(
        "{half}, _id 'half', column 'v': the string holds half of a surrogate pair"
    ));
    assert!(!workdir.exists("half.csv"));
}

#[test]
fn hostile_documents_of_elasticsearch() {
    check_hostile(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn hostile_documents_of_elasticsearch_7() {
    check_hostile(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn hostile_documents_of_elasticsearch_7_10() {
    check_hostile(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn hostile_documents_of_elasticsearch_8() {
    check_hostile(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn hostile_documents_of_opensearch_2() {
    check_hostile(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn hostile_documents_of_opensearch() {
    check_hostile(&indices!(needs!("opensearch")), &workdir!());
}

/// row 54: deeper than a parser that calls itself would survive. OpenSearch refuses more than 20.
#[test]
fn a_deep_document_goes_through_as_it_is() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let source = format!("{{\"v\":{}{}}}", "[".repeat(950), "]".repeat(950));
    let index = indices.filled("deep", 1, &[("1".to_owned(), source.clone())]);
    for args in ["", "--select v"] {
        assert_eq!(indices.lines(&workdir, &index, args).concat(), source, "{args}");
    }
}

#[test]
fn a_document_on_several_lines_becomes_one() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let index = indices.filled("pretty", 1, &[]);
    let pretty = "{\n  \"a\" : [\r\n    1 ,\n 2 ]\n,\n\"b\": \"x y\"\n}\n";
    indices.ask("PUT", &format!("/{index}/_doc/1?refresh=true"), pretty);
    let [line] = &indices.lines(&workdir, &index, "")[..] else { panic!("not one line") };
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(value, json!({ "a": [1, 2], "b": "x y" }));
}

/// What is written, changed and deleted while a run reads is not in what it reads.
#[track_caller]
fn check_snapshot(indices: &Indices, workdir: &Workdir) {
    let pad = "p".repeat(2_000);
    let document = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"pad\":\"{pad}\"}}"));
    let documents: Vec<(String, String)> = (0..10_000).map(document).collect();
    let index = indices.filled("snapshot", 1, &documents);
    let args = "--output-file - --es-meta _id --batch-size 500 --memory-limit 8MiB";
    let program = indices.read_by(workdir, &index).args(args.split(' '));
    let mut running = program.hold_stdout().spawn();
    running.wait_for_first_byte();
    let changed = |n: usize| (format!("d{n}"), "{\"n\":-1}".to_owned());
    let changes: Vec<(String, String)> =
        (0..20_000).filter(|n| n % 3 == 0 || *n >= 10_000).map(changed).collect();
    indices.fill(&index, &changes);
    let deletes: String =
        (5_000..10_000).map(|n| format!("{{\"delete\":{{\"_id\":\"d{n}\"}}}}\n")).collect();
    indices.ask("POST", &format!("/{index}/_bulk?refresh=true&filter_path=errors"), &deletes);
    let finished = running.finish();
    finished.assert_code(0);
    let mut lines: Vec<&str> = finished.stdout.lines().collect();
    lines.sort_unstable();
    assert!(lines == with_ids(&documents), "{} lines", lines.len());
}

#[test]
fn a_snapshot_of_elasticsearch() {
    check_snapshot(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn a_snapshot_of_elasticsearch_7() {
    check_snapshot(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn a_snapshot_of_elasticsearch_7_10() {
    check_snapshot(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn a_snapshot_of_elasticsearch_8() {
    check_snapshot(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn a_snapshot_of_opensearch_2() {
    check_snapshot(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn a_snapshot_of_opensearch() {
    check_snapshot(&indices!(needs!("opensearch")), &workdir!());
}

/// row 46
#[track_caller]
fn check_not_kept(indices: &Indices, workdir: &Workdir) {
    let index = indices.make("blind", json!({ "mappings": { "_source": { "enabled": false } } }));
    indices.fill(&index, &owned(&[("1", "{\"a\":1}")]));
    let finished = indices.read_by(workdir, &index).args(["--output-file", "out.jsonl"]).run();
    finished
        .assert_code(2)
        .assert_stderr_has(&format!("the index '{index}' does not keep its documents"));
    assert!(workdir.names().is_empty());
}

#[test]
fn documents_that_are_not_kept() {
    check_not_kept(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn documents_that_opensearch_does_not_keep() {
    check_not_kept(&indices!(needs!("opensearch")), &workdir!());
}

/// Documents that are written anew from what is indexed: that is said, and they are read.
#[track_caller]
fn check_rewritten(indices: &Indices, workdir: &Workdir, setting: &str, value: serde_json::Value) {
    let properties = json!({
        "b": { "type": "long" },
        "a": { "type": "keyword" },
        "o": { "properties": { "p": { "type": "long" } } },
    });
    let mappings = json!({ "properties": properties });
    let index =
        indices.make("anew", json!({ "settings": { setting: value }, "mappings": mappings }));
    indices.fill(&index, &owned(&[("1", r#"{"o":{"p":[3,1,2]},"b":3,"a":"x"}"#)]));
    let args = ["--output-file", "out.jsonl", "--es-meta", "none"];
    let finished = indices.read_by(workdir, &index).args(args).run();
    finished.assert_code(0);
    finished.assert_stderr_has(&format!(
        "WARN the index '{index}' does not keep documents as they were sent"
    ));
    workdir.assert_file("out.jsonl", "{\"a\":\"x\",\"b\":3,\"o\":{\"p\":[1,2,3]}}\n");
}

#[test]
fn synthetic_documents_of_elasticsearch() {
    let indices = indices!(needs!("elasticsearch"));
    check_rewritten(&indices, &workdir!(), "index.mapping.source.mode", "synthetic".into());
}

#[test]
fn derived_documents_of_opensearch() {
    let indices = indices!(needs!("opensearch"));
    check_rewritten(&indices, &workdir!(), "index.derived_source.enabled", true.into());
}
