//! Objects in objects as columns of their own: those that are missing, those that are an array, very
//! deep ones, and those that are written with dots in their names.

use serde_json::json;

use crate::support::indices::Indices;
use crate::support::{Database, Load, Server, Workdir, needs, test_name, workdir};

const TABLE: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, `o.a` INT DEFAULT 7, `o.p.x` INT DEFAULT 8, j JSON)";
const ROWS: &str = "SELECT id, `o.a`, `o.p.x`, j FROM t ORDER BY id";

/// What holds for files and servers: a document, and its row or the column it is rejected for.
const DOCUMENTS: &[(&str, Result<&str, &str>)] = &[
    (r#"{"id":1,"o":{"a":1,"p":{"x":2}}}"#, Ok("1|1|2|NULL")),
    (r#"{"id":2,"o":null}"#, Ok("2|NULL|NULL|NULL")),
    (r#"{"id":3,"o":[]}"#, Ok("3|NULL|NULL|NULL")),
    (r#"{"id":4,"o":[null, null ]}"#, Ok("4|NULL|NULL|NULL")),
    (r#"{"id":5,"o":{"a":5,"p":null}}"#, Ok("5|5|NULL|NULL")),
    (r#"{"id":6,"o":{}}"#, Ok("6|7|8|NULL")),
    (r#"{"id":7}"#, Ok("7|7|8|NULL")),
    (r#"{"id":8,"o.a":8}"#, Ok("8|8|8|NULL")),
    (r#"{"id":9,"o.p":{"x":9},"o":{"a":1}}"#, Ok("9|1|9|NULL")),
    (r#"{"id":10,"o.p.x":10,"j":{"k":1}}"#, Ok("10|7|10|{\"k\":1}")),
    (r#"{"id":11,"o":[{"a":1},{"a":2}]}"#, Err("o")),
    (r#"{"id":12,"o":{"a":1,"p":[{"x":2}]}}"#, Err("o.p")),
    (r#"{"id":13,"o":{"a":1},"o.a":2}"#, Err("o.a")),
    (r#"{"id":14,"o.p":null,"o":{"p":{"x":2}}}"#, Err("o.p.x")),
    (r#"{"id":15,"o":{"a":1},"o":null}"#, Err("o")),
];

fn rows() -> Vec<String> {
    let rows = DOCUMENTS.iter().filter_map(|(_, row)| row.ok());
    rows.map(|row| row.replace("\":", "\": ")).collect()
}

/// MariaDB gives JSON back in the words it got.
#[track_caller]
fn assert_rows(database: &Database, expected: &[String]) {
    let found = database.client.lines(ROWS);
    let found: Vec<String> =
        found.iter().map(|row| row.replace("\": ", "\":").replace("\":", "\": ")).collect();
    assert_eq!(found, expected);
}

fn columns_refused() -> Vec<&'static str> {
    DOCUMENTS.iter().filter_map(|(_, row)| row.err()).collect()
}

#[test]
fn objects_of_files() {
    let server = Server::mariadb(needs!("mariadb"));
    let database = Database::new(&server);
    database.client.run(TABLE);
    // Where objects end is known of servers only: what the first records have is a field.
    let first = format!("{}\n", DOCUMENTS[0].0).repeat(8_000);
    let taken = DOCUMENTS[1..].iter().filter(|(document, _)| !document.contains("\"j\""));
    let lines: Vec<&str> = taken.map(|(document, _)| *document).collect();
    let loaded = Load::jsonl(&database, workdir!(), first + &lines.join("\n"))
        .with("--flatten --max-errors 5 --mode skip")
        .run()
        .completes()
        .counts("read 8013, inserted 9, duplicate 7999, failed 5");
    let columns: Vec<String> = loaded.rejects().into_iter().map(|one| one.column).collect();
    assert_eq!(columns, columns_refused());
    let expected: Vec<String> = rows().into_iter().filter(|row| row.ends_with("NULL")).collect();
    assert_rows(&database, &expected);
}

/// The first records decide which fields there are: a missing object is none.
#[test]
fn a_missing_object_is_no_field_of_a_file() {
    let workdir = workdir!();
    for missing in ["null", "[]", "[ null]"] {
        let text =
            format!("{{\"id\":1,\"o\":{missing}}}\n{{\"o\":{{\"a\":1}},\"id\":2,\"z\":[]}}\n");
        workdir.write("in.jsonl", text);
        let args = "--jsonl-file in.jsonl --output-file out.csv --flatten";
        workdir.flowgauge().args(args.split(' ')).run().assert_code(0);
        workdir.assert_file("out.csv", "id,o.a,z\n1,,\n2,1,[]\n");
    }
}

/// Deep enough for the stack of any thread, and a field beside it.
fn deep(levels: usize) -> String {
    format!("{{\"id\":1,\"d\":{}1{}}}", "{\"d\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn deep_objects_of_files_end_no_run() {
    let workdir = workdir!();
    for levels in [127, 4_000, 100_000] {
        workdir.write("in.jsonl", format!("{{\"id\":2}}\n{}\n", deep(levels)));
        let run = |args: &str| {
            let program = workdir.flowgauge().args(["--jsonl-file", "in.jsonl", "--flatten"]);
            program.args(args.split(' ')).run()
        };
        workdir.put_away("rejects.jsonl");
        // Nobody looks into what nobody asked for.
        run("--select id --output-file chosen.csv").assert_code(0);
        workdir.assert_file("chosen.csv", "id\n2\n1\n");
        let finished = run("--output-file all.csv --max-errors 1 --rejects rejects.jsonl");
        finished.assert_code(0);
        if levels > 128 {
            workdir.assert_file("all.csv", "id\n2\n");
            let rejects = workdir.read("rejects.jsonl");
            assert!(rejects.contains("nested deeper than 128 levels"), "{finished}");
            assert!(rejects.contains("\"column\":\"d\""), "{finished}");
        } else {
            assert!(workdir.read("all.csv").contains("\n1,1\n"), "{finished}");
        }
    }
}

#[test]
fn deep_objects_are_rejected_for_a_table() {
    let server = Server::mysql(needs!("mysql"));
    let database = Database::new(&server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY)");
    let load = |args: &str| {
        database.client.run("DELETE FROM t");
        let text = format!("{{\"id\":2}}\n{}\n{{\"id\":3}}\n", deep(4_000));
        Load::jsonl(&database, workdir!(), text).with("--flatten").with(args).run().completes()
    };
    load("--max-errors 1").rejected(&["2:d too_large"]).counts("read 3, inserted 2, failed 1");
    load("--new-fields ignore").counts("read 3, inserted 3");
    load("--select id").counts("read 3, inserted 3");
}

#[track_caller]
fn check_objects(indices: &Indices, server: &Server, workdir: &Workdir) {
    let properties = json!({
        "id": { "type": "integer" },
        "o": { "properties": {
            "a": { "type": "integer" },
            "p": { "properties": { "x": { "type": "integer" } } },
        } },
        "j": { "type": "object", "enabled": false },
    });
    let index = indices.make("objects", json!({ "mappings": { "properties": properties } }));
    // A field twice in one object is refused by the server.
    let taken = |(document, _): &&(&str, _)| !document.contains("\"id\":15");
    let documents: Vec<(String, String)> = (1..)
        .zip(DOCUMENTS.iter().filter(taken))
        .map(|(n, (document, _))| (format!("d{n}"), document.to_string()))
        .collect();
    indices.fill(&index, &documents);
    let database = Database::new(server);
    database.client.run(TABLE);
    let load = |index: &str, args: &str| {
        let program = database.flowgauge(workdir).args(["--es-index", index]);
        let program =
            program.args(["--es-url", &indices.address, "--source-type", "elasticsearch"]);
        program.args(args.split(' ').filter(|arg| !arg.is_empty())).run()
    };
    let finished = load(&index, "--db-table t --flatten --max-errors 4");
    finished.assert_code(0).assert_stderr_has("failed 4");
    assert_rows(&database, &rows());

    // Without --flatten a field with a dot in its name is a part of the column above it.
    database.client.run("CREATE TABLE w (id INT PRIMARY KEY, o JSON, j JSON)");
    let whole: &[(&str, Result<&str, &str>)] = &[
        (r#"{"id":1,"o":{"a":1,"p":{"x":2}}}"#, Ok(r#"1|{"a": 1, "p": {"x": 2}}|NULL"#)),
        (r#"{"id":2,"o.a":1}"#, Ok(r#"2|{"a": 1}|NULL"#)),
        (r#"{"o.p.x":3,"id":3,"o.a":1}"#, Ok(r#"3|{"a": 1, "p": {"x": 3}}|NULL"#)),
        (r#"{"id":4,"o.p":{"x":4},"o.a":null}"#, Ok(r#"4|{"a": null, "p": {"x": 4}}|NULL"#)),
        (r#"{"id":5,"j.k.l":[1, "é\n"],"o":null}"#, Ok(r#"5|NULL|{"k": {"l": [1, "é\n"]}}"#)),
        (r#"{"id":6,"o":{"p":{"x":1}},"o.a":2}"#, Err("o")),
        (r#"{"id":7,"o.a":1,"o":null}"#, Err("o")),
        (r#"{"id":8,"o.p.x":1,"o.p":{"x":1}}"#, Err("o")),
    ];
    let index = indices.make("dots", json!({ "mappings": { "properties": properties } }));
    let documents: Vec<(String, String)> = (1..)
        .zip(whole)
        .map(|(n, (document, _))| (format!("w{n}"), document.to_string()))
        .collect();
    indices.fill(&index, &documents);
    let finished = load(&index, "--db-table w --max-errors 3 --rejects whole.jsonl");
    finished.assert_code(0).assert_stderr_has("failed 3");
    let shown = database.client.lines("SELECT * FROM w ORDER BY id");
    let shown: Vec<String> = shown
        .iter()
        .map(|row| row.replace("\": ", "\":").replace(',', ", ").replace("\":", "\": "))
        .map(|row| row.replace(",  ", ", "))
        .collect();
    let expected: Vec<&str> = whole.iter().filter_map(|(_, row)| row.ok()).collect();
    assert_eq!(shown, expected);
    assert_eq!(workdir.read("whole.jsonl").matches("\"column\":\"o\"").count(), 3);
    // Fields that nobody chose are none that is missing.
    load(&index, "--db-table w --mode upsert --select id").assert_code(0);
}

#[test]
fn objects_of_elasticsearch() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    check_objects(&indices, &Server::mysql(needs!("mysql")), &workdir!());
}

#[test]
fn objects_of_elasticsearch_8() {
    let indices = Indices::new(needs!("elasticsearch8"), test_name!());
    check_objects(&indices, &Server::mariadb11(needs!("mariadb11")), &workdir!());
}

#[test]
fn objects_of_elasticsearch_7_10() {
    let indices = Indices::new(needs!("elasticsearch710"), test_name!());
    check_objects(&indices, &Server::mariadb(needs!("mariadb")), &workdir!());
}

#[test]
fn objects_of_opensearch() {
    let indices = Indices::new(needs!("opensearch"), test_name!());
    check_objects(&indices, &Server::mariadb(needs!("mariadb")), &workdir!());
}

#[test]
fn objects_of_opensearch_2() {
    let indices = Indices::new(needs!("opensearch2"), test_name!());
    check_objects(&indices, &Server::mysql(needs!("mysql")), &workdir!());
}

/// Fields whose names have dots in the mapping itself.
#[test]
fn names_with_dots_in_the_mapping() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let workdir = workdir!();
    let properties = json!({ "o.a": { "type": "integer" }, "o.b": { "type": "keyword" } });
    let mappings = json!({ "subobjects": false, "properties": properties });
    let index = indices.make("named", json!({ "mappings": mappings }));
    let documents = [r#"{"o.a":1,"o.b":"x"}"#, r#"{"o":{"a":2},"o.b":"y"}"#, r#"{"o":{"b":"z"}}"#];
    let documents: Vec<(String, String)> =
        (1..).zip(documents).map(|(n, text)| (n.to_string(), text.to_owned())).collect();
    indices.fill(&index, &documents);
    for args in ["", "--flatten", "--select o.a,o.b"] {
        let program = indices.read_by(&workdir, &index).args(["--output-file", "out.csv"]);
        program.args(args.split(' ').filter(|arg| !arg.is_empty())).run().assert_code(0);
        let mut lines: Vec<String> = workdir.read("out.csv").lines().map(str::to_owned).collect();
        lines.sort_unstable();
        assert_eq!(lines, [",z", "1,x", "2,y", "o.a,o.b"], "{args}");
    }
}

/// As deep as an old server takes it, in an object that it does not look into.
#[test]
fn deep_objects_of_elasticsearch_7_end_no_run() {
    let indices = Indices::new(needs!("elasticsearch7"), test_name!());
    let workdir = workdir!();
    let properties =
        json!({ "id": { "type": "integer" }, "d": { "type": "object", "enabled": false } });
    let index = indices.make("deep", json!({ "mappings": { "properties": properties } }));
    let other = deep(4_000).replacen("\"d\"", "\"e\"", 1);
    let mappings = json!({ "dynamic": false, "properties": { "id": { "type": "integer" } } });
    let unmapped = indices.make("unmapped", json!({ "mappings": mappings }));
    indices.fill(&index, &[("1".to_owned(), deep(4_000))]);
    indices.fill(&unmapped, &[("1".to_owned(), other), ("2".to_owned(), "{\"id\":2}".to_owned())]);
    let run =
        |index: &str, args: &str| indices.read_by(&workdir, index).args(args.split(' ')).run();
    run(&index, "--flatten --output-file out.csv").assert_code(0);
    assert!(workdir.read("out.csv").starts_with("d,id\n\"{\"\"d\"\":{"));
    let args = "--flatten --output-file out.csv --max-errors 1 --rejects rejects.jsonl";
    run(&unmapped, args).assert_code(0);
    workdir.assert_file("out.csv", "id\n2\n");
    assert!(workdir.read("rejects.jsonl").contains("nested deeper than 128 levels"));
}
