//! What the mappings of real servers say of documents, and what a run and `check` say of it.

use serde_json::{Value, json};

use crate::support::indices::Indices;
use crate::support::{Database, Finished, Server, Workdir, needs, test_name, workdir};

macro_rules! indices {
    ($address:expr) => {
        Indices::new($address, test_name!())
    };
}

fn fill(indices: &Indices, index: &str, documents: &[Value]) {
    let documents: Vec<(String, String)> =
        (1..).zip(documents).map(|(n, document)| (format!("d{n}"), document.to_string())).collect();
    indices.fill(index, &documents);
}

/// Reads into CSV, and gives what was said.
fn read(indices: &Indices, workdir: &Workdir, index: &str, args: &str) -> Finished {
    let program = indices.read_by(workdir, index).args(["--output-file", "out.csv"]);
    program.args(args.split(' ').filter(|arg| !arg.is_empty())).run()
}

/// The same words from a look and from a run.
#[track_caller]
fn assert_said(indices: &Indices, workdir: &Workdir, index: &str, args: &str, words: &str) {
    read(indices, workdir, index, args).assert_code(0).assert_stderr_has(words);
    let program = workdir.flowgauge().args(["check", "--es-url", &indices.address]);
    let program = program.args(["--source-type", "elasticsearch", "--es-index", index]);
    let program = program.args(["--output-file", "out.csv"]);
    let looked = program.args(args.split(' ').filter(|arg| !arg.is_empty())).run();
    looked.assert_code(0).assert_stderr_has(words);
}

#[track_caller]
fn check_runtime(indices: &Indices, workdir: &Workdir) {
    let properties = json!({ "id": { "type": "integer" } });
    let mappings = json!({ "dynamic": "runtime", "properties": properties });
    let index = indices.make("late", json!({ "mappings": mappings }));
    let first = json!({ "id": 1, "n": 5, "t": "x", "o": { "p": { "q": "y" } } });
    fill(indices, &index, &[first, json!({ "id": 2, "o.p.q": "z" })]);
    read(indices, workdir, &index, "--flatten").assert_code(0);
    workdir.assert_file("out.csv", "id,n,o.p.q,t\n1,5,y,x\n2,,z,\n");
    read(indices, workdir, &index, "").assert_code(0);
    let shown = "id,n,o,t\n1,5,\"{\"\"p\"\":{\"\"q\"\":\"\"y\"\"}}\",x\n2,,\"{\"\"p\"\":{\"\"q\"\":\"\"z\"\"}}\",\n";
    workdir.assert_file("out.csv", shown);
}

#[test]
fn runtime_fields_of_elasticsearch() {
    check_runtime(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn runtime_fields_of_elasticsearch_8() {
    check_runtime(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn runtime_fields_of_elasticsearch_7() {
    check_runtime(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[track_caller]
fn check_filtered(indices: &Indices, workdir: &Workdir) {
    let source = json!({ "includes": ["id", "o.*", "d.*.e"], "excludes": ["o.x"] });
    let properties = json!({ "id": { "type": "integer" } });
    let mappings = json!({ "_source": source, "properties": properties });
    let index = indices.make("parts", json!({ "mappings": mappings }));
    let document = json!({ "id": 1, "gone": 5, "o": { "x": 1, "y": 2, "z": { "w": 3 } } });
    fill(indices, &index, &[document, json!({ "id": 2, "d": { "m": { "e": 1, "f": 2 } } })]);
    let words = format!("WARN the index '{index}' keeps only parts of its documents");
    // Just what is kept has a column.
    assert_said(indices, workdir, &index, "--flatten", &words);
    workdir.assert_file("out.csv", "d.m.e,id,o.y,o.z.w\n,1,2,3\n1,2,,\n");
    assert_said(indices, workdir, &index, "", &words);
    let shown =
        "d,id,o\n,1,\"{\"\"y\"\":2,\"\"z\"\":{\"\"w\"\":3}}\"\n\"{\"\"m\"\":{\"\"e\"\":1}}\",2,\n";
    workdir.assert_file("out.csv", shown);
}

#[test]
fn parts_of_documents_of_elasticsearch() {
    check_filtered(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn parts_of_documents_of_elasticsearch_7() {
    check_filtered(&indices!(needs!("elasticsearch7")), &workdir!());
}

#[test]
fn parts_of_documents_of_opensearch() {
    check_filtered(&indices!(needs!("opensearch")), &workdir!());
}

#[test]
fn parts_of_documents_of_opensearch_2() {
    check_filtered(&indices!(needs!("opensearch2")), &workdir!());
}

#[test]
fn a_name_that_no_mapping_has_is_said() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let inner = json!({ "properties": { "x": { "type": "long" } } });
    let properties = json!({ "id": { "type": "integer" }, "o": inner });
    let index = indices.make("named", json!({ "mappings": { "properties": properties } }));
    fill(&indices, &index, &[json!({ "id": 1, "o": { "x": 2 } })]);
    let words = |names: &str| {
        format!("WARN no mapping of '{index}' has a field '{names}', named by --es-fields")
    };
    assert_said(&indices, &workdir, &index, "--es-fields id,nope,o.y", &words("nope', 'o.y"));
    workdir.assert_file("out.csv", "id,o\n1,\n");
    // What was to be left out is in there.
    assert_said(&indices, &workdir, &index, "--es-fields=-O.x", &words("O.x"));
    for args in
        ["", "--es-fields id,o.x", "--es-fields o*", "--es-fields=-o", "--es-fields i*,-o.x"]
    {
        let finished = read(&indices, &workdir, &index, args);
        finished.assert_code(0);
        assert!(!finished.stderr.contains("no mapping"), "{args}: {finished}");
    }
    // Where documents may hold more than the mapping, nobody can know.
    let mappings = json!({ "dynamic": false, "properties": properties });
    let index = indices.make("loose", json!({ "mappings": mappings }));
    fill(&indices, &index, &[json!({ "id": 1, "nope": 2 })]);
    let lines = indices.lines(&workdir, &index, "--es-fields nope");
    assert_eq!(lines, ["{\"nope\":2}"]);
    let finished = read(&indices, &workdir, &index, "--es-fields nope,id --max-errors 1");
    assert!(!finished.stderr.contains("no mapping"), "{finished}");
}

#[track_caller]
fn check_vectors(indices: &Indices, workdir: &Workdir) {
    let vector = json!({ "type": "dense_vector", "dims": 2 });
    let inner = json!({ "properties": { "v": vector } });
    let properties = json!({ "id": { "type": "integer" }, "o": inner, "v": vector });
    let index = indices.make("vectors", json!({ "mappings": { "properties": properties } }));
    let document = json!({ "id": 1, "o": { "v": [0.5, -2.5] }, "v": [0.25, 1.5] });
    fill(indices, &index, &[document]);
    for (args, expected) in [
        ("--flatten", "id,o.v,v\n1,\"[0.5,-2.5]\",\"[0.25,1.5]\"\n"),
        ("--es-fields v", "v\n\"[0.25,1.5]\"\n"),
        ("--es-fields=-v,-o", "id\n1\n"),
    ] {
        read(indices, workdir, &index, args).assert_code(0);
        workdir.assert_file("out.csv", expected);
    }
}

#[test]
fn vectors_are_read_with_their_documents() {
    check_vectors(&indices!(needs!("elasticsearch")), &workdir!());
}

#[test]
fn vectors_are_read_with_their_documents_on_elasticsearch_8() {
    check_vectors(&indices!(needs!("elasticsearch8")), &workdir!());
}

#[test]
fn an_index_whose_settings_keep_no_documents_is_refused() {
    for server in [needs!("elasticsearch"), needs!("elasticsearch8")] {
        let indices = indices!(server);
        let workdir = workdir!();
        let settings = json!({ "index.mapping.source.mode": "disabled" });
        let index = indices.make("blind", json!({ "settings": settings }));
        fill(&indices, &index, &[json!({ "a": 1 })]);
        let words = format!("the index '{index}' does not keep its documents");
        read(&indices, &workdir, &index, "").assert_code(2).assert_stderr_has(&words);
    }
}

#[test]
fn rows_of_deleted_documents_stay_and_a_look_says_so() {
    let indices = indices!(needs!("elasticsearch"));
    let workdir = workdir!();
    let database = Database::new(&Server::mysql(needs!("mysql")));
    database.client.run("CREATE TABLE t (_id VARCHAR(20) PRIMARY KEY, n INT)");
    let index = indices.make("gone", json!({ "mappings": {} }));
    fill(&indices, &index, &[json!({ "n": 1 }), json!({ "n": 2 })]);
    let run = |args: &str| {
        let program = database.flowgauge(&workdir).args(args.split(' '));
        let program = program.args(["--es-url", &indices.address, "--es-index", &index]);
        program.args(["--source-type", "elasticsearch", "--db-table", "t"]).run()
    };
    run("--mode upsert").assert_code(0);
    indices.ask("DELETE", &format!("/{index}/_doc/d1?refresh=true"), "");
    run("--mode upsert").assert_code(0);
    assert_eq!(database.client.lines("SELECT n FROM t ORDER BY n"), ["1", "2"]);
    let looked = run("check --mode upsert");
    looked.assert_code(0);
    let words = "deletes   none: rows stay when the source no longer has their records";
    assert!(looked.stdout.contains(words), "{looked}");
}
