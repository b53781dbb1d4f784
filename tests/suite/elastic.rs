//! Elasticsearch and OpenSearch of all kinds, read back document by document: how many, from which
//! indices, and which of them.

use std::fs;

use serde_json::{Value, json};

use crate::support::indices::{Indices, with_ids};
use crate::support::scripted_elastic::small;
use crate::support::{Finished, Workdir, needs, test_name, workdir};

macro_rules! indices {
    ($address:expr) => {
        Indices::new($address, test_name!())
    };
}

/// Around the size of the largest page there is, all documents by name and to the byte.
#[track_caller]
fn check_sizes(indices: &Indices, workdir: &Workdir) {
    let documents = small(10_001);
    let index = indices.filled("sizes", 2, &[]);
    let mut filled = 0;
    for size in [0, 1, 9_999, 10_000, 10_001] {
        indices.fill(&index, &documents[filled..size]);
        filled = size;
        let lines = indices.lines(workdir, &index, "--es-meta _id --summary-json summary.json");
        assert!(lines == with_ids(&documents[..size]), "{} lines, not {size}", lines.len());
        let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
        for (name, count) in [("read", size), ("inserted", size), ("failed", 0), ("residual", 0)] {
            assert_eq!(summary["records"][name], count, "{name}: {summary}");
        }
    }
}

#[test]
fn sizes_on_elasticsearch() {
    check_sizes(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn sizes_on_elasticsearch_7() {
    check_sizes(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn sizes_on_elasticsearch_7_10() {
    check_sizes(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn sizes_on_elasticsearch_8() {
    check_sizes(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn sizes_on_opensearch_2() {
    check_sizes(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn sizes_on_opensearch() {
    check_sizes(&indices!(needs!("opensearch")), &workdir!());
}

/// Many pages of each slice, more and fewer slices than shards.
#[track_caller]
fn check_slices(indices: &Indices, workdir: &Workdir) {
    let documents = small(3_000);
    let index = indices.filled("slices", 3, &documents);
    for args in ["", "--es-slices 1", "--es-slices 2", "--es-slices 7", "--es-compress"] {
        let args = format!("{args} --batch-size 100 --es-meta _id");
        let lines = indices.lines(workdir, &index, args.trim());
        assert!(lines == with_ids(&documents), "{args}: {} lines", lines.len());
        // Whichever slice is faster, their pages come in turn.
        let ordered = workdir.read("out.jsonl");
        indices.lines(workdir, &index, &format!("{args} --workers 3"));
        assert!(workdir.read("out.jsonl") == ordered, "{args}: another order");
    }
}

#[test]
fn slices_of_elasticsearch() {
    check_slices(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn slices_of_elasticsearch_7() {
    check_slices(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn slices_of_elasticsearch_7_10() {
    check_slices(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn slices_of_elasticsearch_8() {
    check_slices(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn slices_of_opensearch_2() {
    check_slices(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn slices_of_opensearch() {
    check_slices(&indices!(needs!("opensearch")), &workdir!());
}

#[test]
fn a_quarter_of_a_million_documents() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let documents = small(250_000);
    let index = indices.filled("many", 2, &documents);
    let lines = indices.lines(&workdir, &index, "--es-meta _id");
    assert!(lines == with_ids(&documents), "{} lines", lines.len());
}

#[test]
fn pages_are_no_larger_than_the_index_allows() {
    let new = needs!("elasticsearch");
    let old = needs!("elasticsearch710");
    for address in [new, old] {
        let indices = indices!(address);
        let workdir = workdir!();
        let documents = small(500);
        let index = indices.make("window", json!({ "settings": { "max_result_window": 70 } }));
        indices.fill(&index, &documents);
        let lines = indices.lines(&workdir, &index, "--es-meta _id");
        assert!(lines == with_ids(&documents), "{} lines", lines.len());
    }
}

/// Names of all kinds, on a server with three indices of which two begin alike.
#[track_caller]
fn check_names(indices: &Indices, workdir: &Workdir) {
    let named = |name: &str| vec![("same".to_owned(), format!("{{\"at\":\"{name}\"}}"))];
    let (first, second) = (named("day-1"), named("day-2"));
    let days = [indices.filled("day-1", 1, &first), indices.filled("day-2", 1, &second)];
    let other = indices.filled("other", 1, &named("other"));
    let alias = indices.name("alias");
    let actions = json!([
        { "add": { "index": days[0], "alias": alias } },
        { "add": { "index": other, "alias": alias } },
    ]);
    indices.ask("POST", "/_aliases", &json!({ "actions": actions }).to_string());
    let wildcard = indices.name("day-*");
    for (index, expected) in [
        (days[0].clone(), &["day-1"][..]),
        (format!("{},{other}", days[1]), &["day-2", "other"]),
        (wildcard.clone(), &["day-1", "day-2"]),
        (alias, &["day-1", "other"]),
        (format!("{wildcard},-{}", days[0]), &["day-2"]),
        (format!("{},{wildcard}", days[0]), &["day-1", "day-2"]),
    ] {
        let lines = indices.lines(workdir, &index, "");
        let expected: Vec<String> =
            expected.iter().map(|at| format!("{{\"at\":\"{at}\"}}")).collect();
        assert_eq!(lines, expected, "{index}");
    }
    // One `_id` in two indices is two documents.
    let lines = indices.lines(workdir, &wildcard, "--es-meta _index,_id,_version,_routing");
    let line = |day: usize| {
        let index = &days[day];
        format!(
            "{{\"_index\":\"{index}\",\"_id\":\"same\",\"_version\":1,\"at\":\"day-{}\"}}",
            day + 1
        )
    };
    assert_eq!(lines, [line(0), line(1)]);

    let refused = |index: &str, args: &[&str]| -> Finished {
        let program = indices.read_by(workdir, index).args(["--output-file", "none.jsonl"]);
        program.args(args).run()
    };
    let nothing = indices.name("night-*");
    refused(&nothing, &[])
        .assert_code(2)
        .assert_stderr_has(&format!("no index matches '{nothing}'"));
    refused(&nothing, &["--allow-empty"]).assert_code(0);
    workdir.assert_file("none.jsonl", "");
    fs::remove_file(workdir.path("none.jsonl")).unwrap();
    let missing = indices.name("gone");
    for names in [missing.clone(), format!("{other},{missing}"), format!("{wildcard},{missing}")] {
        let finished = refused(&names, &["--allow-empty"]);
        finished.assert_code(2).assert_stderr_has(&format!("no such index [{missing}]"));
        finished.assert_stderr_has("set --es-index; there are ");
    }
    indices.ask("POST", &format!("/{other}/_close"), "");
    refused(&other, &[]).assert_code(2).assert_stderr_has("the index is closed (400)");
    refused(&other, &[]).assert_stderr_has("open it, or leave it out of --es-index");
    assert!(!workdir.exists("none.jsonl"));
}

#[test]
fn names_on_elasticsearch() {
    check_names(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn names_on_elasticsearch_7() {
    check_names(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn names_on_elasticsearch_7_10() {
    check_names(&indices!(needs!("elasticsearch710")), &workdir!());
}

#[test]
fn names_on_elasticsearch_8() {
    check_names(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn names_on_opensearch_2() {
    check_names(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn names_on_opensearch() {
    check_names(&indices!(needs!("opensearch")), &workdir!());
}

#[test]
fn queries_and_fields_choose_what_is_read() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let source = r#"{"n":1,"a":{"x":1,"y":[{"z":2}]},"ab":"q","c":null}"#;
    let documents =
        [("1".to_owned(), source.to_owned()), ("2".to_owned(), r#"{"n":2}"#.to_owned())];
    let index = indices.filled("chosen", 1, &documents);
    let routed = format!("/{index}/_doc/3?routing=there&refresh=true");
    indices.ask("PUT", &routed, "{\"n\":4}");
    workdir.write("query.json", "{\"query\":\n{\"term\":{\"n\":1}}}\n");
    for (args, expected) in [
        (r#"--es-query {"term":{"n":2}}"#, r#"{"n":2}"#),
        (r#"--es-query {"query":{"term":{"n":2}}}"#, r#"{"n":2}"#),
        ("--es-query @query.json", source),
        (
            "--es-query @query.json --es-fields a*,c",
            r#"{"a":{"x":1,"y":[{"z":2}]},"ab":"q","c":null}"#,
        ),
        ("--es-query @query.json --es-fields a,-a.y", r#"{"a":{"x":1}}"#),
        ("--es-query @query.json --es-fields -a*", r#"{"n":1,"c":null}"#),
        ("--es-query @query.json --select _id,ab,c", r#"{"_id":"1","ab":"q","c":null}"#),
        ("--es-query @query.json --select _id,name", r#"{"_id":"1"}"#),
        ("--es-query @query.json --select _index,n", &format!(r#"{{"_index":"{index}","n":1}}"#)),
        ("--es-query @query.json --flatten --select a.x,a.y", r#"{"a.x":1,"a.y":[{"z":2}]}"#),
        (
            r#"--es-query {"term":{"n":4}} --es-meta _routing,_id"#,
            r#"{"_routing":"there","_id":"3","n":4}"#,
        ),
        (r#"--es-query {"term":{"n":3}}"#, ""),
    ] {
        let lines = indices.lines(&workdir, &index, args);
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<Value> =
            expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, expected, "{args}");
    }
}

#[test]
fn a_query_that_is_wrong_is_said_before_anything_is_read() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let index = indices.filled("asked", 1, &small(1));
    for (query, words) in [
        (r#"{"mach_all":{}}"#, "the server refuses (400): unknown query [mach_all] did you mean"),
        (r#"{"query":{},"size":5}"#, "the query holds 'size' beside 'query'"),
        (r#"{"term":"#, "--es-query"),
        ("[]", "--es-query"),
        ("@gone.json", "gone.json"),
    ] {
        let program = indices.read_by(&workdir, &index).args(["--output-file", "out.jsonl"]);
        program.args(["--es-query", query]).run().assert_code(2).assert_stderr_has(words);
    }
    assert!(workdir.names().is_empty(), "{:?}", workdir.names());
}

/// The user's second command, as far as it is about the source.
#[test]
fn the_users_command_reads() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let documents = small(100);
    let index = indices.filled("records", 1, &documents);
    let command = format!(
        "--source_type elasticsearch --es_url {} --es_index {index} --sink_type file --output_file output.jsonl --metrics-port 0 --pipeline-id prod-es-to-mysql",
        indices.address
    );
    let finished = workdir.flowgauge().args(command.split(' ')).run();
    finished.assert_code(0).assert_stderr_has("prod-es-to-mysql complete");
    assert_eq!(workdir.read("output.jsonl").lines().count(), 100);
}
