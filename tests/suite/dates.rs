//! Dates on their way into a table: by the format of their mapping, by `--types`, or not at all.

use serde_json::{Value, json};

use crate::support::indices::Indices;
use crate::support::{
    Database, Finished, Load, Server, Workdir, needs, on_both, test_name, workdir,
};

/// By the table that was wrong in silence: a format, values as JSON, and what a DATETIME(3) holds.
const FINDINGS: &[(&str, &[(&str, &str)])] = &[
    ("yyyyMMdd", &[("20240131", "2024-01-31 00:00:00"), ("\"20240131\"", "2024-01-31 00:00:00")]),
    ("basic_date", &[("20240131", "2024-01-31 00:00:00"), ("\"20240131\"", "2024-01-31 00:00:00")]),
    ("yyyyMMddHHmmss", &[("20240131123456", "2024-01-31 12:34:56")]),
    ("yyyyMM", &[("202401", "2024-01-01 00:00:00"), ("\"202402\"", "2024-02-01 00:00:00")]),
    ("ddMMyyyy", &[("31012024", "2024-01-31 00:00:00"), ("\"01022024\"", "2024-02-01 00:00:00")]),
    ("yyyyDDD", &[("2024031", "2024-01-31 00:00:00")]),
    ("yyyy", &[("2024", "2024-01-01 00:00:00"), ("\"2024\"", "2024-01-01 00:00:00")]),
    ("epoch_second||epoch_millis", &[("1700000000", "2023-11-14 22:13:20")]),
    (
        "strict_date_optional_time||epoch_millis",
        &[
            ("2024", "2024-01-01 00:00:00"),
            ("9999", "9999-01-01 00:00:00"),
            ("1700000000123", "2023-11-14 22:13:20.123"),
            ("\"1700000000123\"", "2023-11-14 22:13:20.123"),
            ("\"2024-02-29T10:00:00+02:00\"", "2024-02-29 08:00:00"),
        ],
    ),
    ("yyyy-dd-MM", &[("\"2024-01-02\"", "2024-02-01 00:00:00")]),
    ("EEE, d MMM uuuu HH:mm Z", &[("\"Wed, 31 Jan 2024 10:00 +0200\"", "2024-01-31 08:00:00")]),
];

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    columns_of_text
    documents_of_files
}

#[test]
fn from_elasticsearch_9_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    by_the_mapping(&indices, &Server::mysql(needs!("mysql")), workdir!());
}

#[test]
fn from_elasticsearch_9_into_mariadb() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    by_the_mapping(&indices, &Server::mariadb(needs!("mariadb")), workdir!());
}

#[test]
fn from_elasticsearch_7_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch7"), test_name!());
    by_the_mapping(&indices, &Server::mysql(needs!("mysql")), workdir!());
}

#[test]
fn from_opensearch_into_mariadb() {
    let indices = Indices::new(needs!("opensearch"), test_name!());
    by_the_mapping(&indices, &Server::mariadb(needs!("mariadb")), workdir!());
}

/// An index of one document for each value, each in the field of its format.
fn index_of(indices: &Indices, cases: &[(&str, &[(&str, &str)])]) -> String {
    let mut properties = json!({});
    let mut documents = Vec::new();
    for (field, (format, values)) in cases.iter().enumerate() {
        properties[format!("f{field}")] =
            json!({ "type": "date", "format": format, "ignore_malformed": true });
        for (value, (words, _)) in values.iter().enumerate() {
            documents.push((format!("{field:02}-{value:02}"), format!("{{\"f{field}\":{words}}}")));
        }
    }
    let index = indices.make("dates", json!({ "mappings": { "properties": properties } }));
    indices.fill(&index, &documents);
    index
}

fn into(
    indices: &Indices,
    database: &Database,
    index: &str,
    args: &[&str],
    workdir: &Workdir,
) -> Finished {
    workdir.put_away("rejects.jsonl");
    database
        .flowgauge(workdir)
        .args(["--source-type", "elasticsearch", "--es-url", &indices.address, "--es-index", index])
        .args(["--db-table", "t", "--rejects", "rejects.jsonl"])
        .args(args)
        .run()
}

/// What the column of each document's field holds, in the order of the documents.
fn stored(database: &Database, fields: usize) -> Vec<String> {
    let columns: Vec<String> = (0..fields).map(|field| format!("f{field}")).collect();
    let sql = format!("SELECT COALESCE({}, 'none') FROM t ORDER BY _id", columns.join(", "));
    let without_zeros = |line: String| line.trim_end_matches(".000").to_string();
    database.client.lines(&sql).into_iter().map(without_zeros).collect()
}

fn by_the_mapping(indices: &Indices, server: &Server, workdir: Workdir) {
    let database = Database::new(server);
    let index = index_of(indices, FINDINGS);
    into(indices, &database, &index, &["--create-table"], &workdir).assert_code(0);
    let expected: Vec<&str> =
        FINDINGS.iter().flat_map(|(_, values)| values.iter().map(|(_, stored)| *stored)).collect();
    assert_eq!(stored(&database, FINDINGS.len()), expected);

    // A value that the server indexed its document without is no date to us either.
    let malformed = json!({ "f0": "31.01.2024" }).to_string();
    indices.fill(&index, &[("malformed".to_string(), malformed)]);
    let finished = into(indices, &database, &index, &["--max-errors", "1"], &workdir);
    finished.assert_code(0);
    let rejects = workdir.read("rejects.jsonl");
    assert!(rejects.contains("not a date by the format 'yyyyMMdd'"), "{rejects}");

    // Into a text go the words of the document.
    let check = into(indices, &database, &index, &["check"], &workdir);
    check.assert_stdout_has("read as yyyyMMdd, such as 20240131");
    check.assert_stdout_has("read as ISO 8601, or milliseconds since 1970");
    database.client.run("ALTER TABLE t MODIFY f0 VARCHAR(40)");
    database.client.run("DELETE FROM t");
    into(indices, &database, &index, &[], &workdir).assert_code(0);
    assert_eq!(
        database.client.lines("SELECT f0 FROM t WHERE f0 IS NOT NULL ORDER BY _id"),
        ["20240131", "20240131", "31.01.2024"]
    );
}

#[test]
fn a_format_that_is_not_understood_ends_the_run_before_it_begins() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let server = Server::mysql(needs!("mysql"));
    let workdir = workdir!();
    let database = Database::new(&server);
    for (format, value, words) in [
        ("strict_weekyear_week_day", "2024-W05-3", "the week dates of 'strict_weekyear_week_day'"),
        ("yyyy-MM-dd HH:mm VV", "2024-01-31 10:00 Europe/Berlin", "'VV' in "),
    ] {
        let index = indices.name("unclear");
        let properties = json!({ "d": { "type": "date", "format": format } });
        let body = json!({ "mappings": { "properties": properties } }).to_string();
        indices.ask("PUT", &format!("/{index}"), &body);
        indices.fill(&index, &[("1".to_string(), json!({ "d": value }).to_string())]);
        database
            .client
            .run("CREATE TABLE IF NOT EXISTS t (_id VARBINARY(512) PRIMARY KEY, d DATETIME)");
        let ended = into(&indices, &database, &index, &[], &workdir);
        ended
            .assert_code(2)
            .assert_stderr_has(words)
            .assert_stderr_has("--types FIELD=date:PATTERN");
        // Where it goes into a text, or is said, nothing is in doubt.
        database.client.run("ALTER TABLE t MODIFY d VARCHAR(60)");
        into(&indices, &database, &index, &[], &workdir).assert_code(0);
        assert_eq!(database.client.text("SELECT d FROM t"), value);
        database.client.run("DROP TABLE t");
        let create = into(&indices, &database, &index, &["--create-table"], &workdir);
        create.assert_code(2).assert_stderr_has(words);
        assert!(database.client.try_run("SELECT 1 FROM t").is_err());
        indices.ask("DELETE", &format!("/{index}"), "");
    }
}

#[test]
fn indices_that_differ_in_a_format_need_a_word() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let server = Server::mariadb(needs!("mariadb"));
    let (database, workdir) = (Database::new(&server), workdir!());
    let mapping = |format: &str| json!({ "mappings": { "properties": { "d": { "type": "date", "format": format } } } });
    let one = indices.make("a", mapping("yyyy-MM-dd"));
    let other = indices.make("b", mapping("yyyy-dd-MM"));
    indices.fill(&one, &[("1".to_string(), json!({ "d": "2024-01-02" }).to_string())]);
    indices.fill(&other, &[("2".to_string(), json!({ "d": "2024-01-02" }).to_string())]);
    database.client.run(
        "CREATE TABLE t (_index VARCHAR(255), _id VARCHAR(255), d DATE, PRIMARY KEY (_index, _id))",
    );
    let both = format!("{one},{other}");
    let run = |args: &[&str]| {
        let program = database.flowgauge(&workdir).args(["--source-type", "elasticsearch"]);
        program
            .args(["--es-url", &indices.address, "--es-index", &both, "--db-table", "t"])
            .args(args)
            .run()
    };
    run(&[])
        .assert_code(2)
        .assert_stderr_has(
            "the dates of field 'd': indices differ in their format: 'yyyy-MM-dd' and 'yyyy-dd-MM'",
        )
        .assert_stderr_has("--types FIELD=date:PATTERN");
    run(&["--types", "d=date:yyyy-MM-dd"]).assert_code(0);
    assert_eq!(database.client.lines("SELECT d FROM t ORDER BY _id"), ["2024-01-02", "2024-01-02"]);
    run(&["--types", "nope=epoch_s"])
        .assert_code(2)
        .assert_stderr_has("--types names 'nope', which is no field of the mapping");
}

fn columns_of_text(server: &Server) {
    let database = Database::new(server);
    database.client.run(
        "CREATE TABLE t (n INT PRIMARY KEY, a DATETIME, b DATETIME(3), c DATE, d TIMESTAMP NULL, e VARCHAR(20))",
    );
    let text = "n,a,b,c,d,e\n\
        1,31.01.2024 12:30,1700000000123,20240131,1700000000,31.01.2024\n\
        2,,,,,\n\
        3,2024-01-31 12:30,1,20240131,1,x\n";
    let types =
        "a=date:dd.MM.yyyy HH:mm,b=epoch_ms,c=date:yyyyMMdd,d=epoch_s,n=int,e=date:dd.MM.yyyy";
    let loaded = Load::csv(&database, workdir!(), text)
        .arg("--types")
        .arg(types)
        .with("--max-errors 1")
        .run();
    loaded.finished.assert_code(0);
    assert_eq!(
        database.client.lines("SELECT n, a, b, c, UNIX_TIMESTAMP(d), e FROM t ORDER BY n"),
        [
            "1|2024-01-31 12:30:00|2023-11-14 22:13:20.123|2024-01-31|1700000000|31.01.2024",
            "2|NULL|NULL|NULL|NULL|",
        ]
    );
    let rejects = loaded.workdir.read("rejects.jsonl");
    assert!(rejects.contains("not a date by the format 'dd.MM.yyyy HH:mm'"), "{rejects}");

    // A comma belongs to a pattern where it is quoted, as do other words.
    let loaded = Load::csv(&database, workdir!(), "n,a\n7,\"Wed, 31 Jan 2024 at 9\"\n")
        .arg("--types")
        .arg("a=date:EEE', 'd MMM yyyy' at 'H,n=int")
        .with("--db-datetime-zone Europe/Berlin --source-zone Europe/Berlin")
        .run();
    loaded.finished.assert_code(0);
    assert_eq!(database.client.text("SELECT a FROM t WHERE n = 7"), "2024-01-31 09:00:00");
}

fn documents_of_files(server: &Server) {
    let database = Database::new(server);
    let text = "{\"n\":1,\"a\":20240131,\"b\":\"31/1/2024\",\"o\":{\"c\":1.5}}\n\
        {\"n\":2,\"a\":\"20240229\",\"b\":null,\"o\":{\"c\":1.7e9}}\n";
    let types = ["--types", "a=date:basic_date,b=date:d/M/yyyy", "--types", "o.c=epoch_s"];
    let load = |more: &str| {
        types
            .iter()
            .fold(Load::jsonl(&database, workdir!(), text), |load, arg| load.arg(arg))
            .with(more)
    };
    load("--create-table --key n --flatten").run().finished.assert_code(0);
    assert_eq!(
        database.client.lines("SELECT n, a, b, `o.c` FROM t ORDER BY n"),
        [
            "1|2024-01-31|2024-01-31|1970-01-01 00:00:01.500",
            "2|2024-02-29|NULL|2023-11-14 22:13:20.000",
        ]
    );
    let checked = load("check --flatten").run();
    checked.finished.assert_stdout_has("read as basic_date, such as 20240131");
    checked.finished.assert_stdout_has("read as seconds since 1970");
}

#[test]
fn what_types_may_say() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,d\n1,31.01.2024\n");
    workdir.write("in.jsonl", "{\"d\":\"31.01.2024\"}\n");
    let csv = |types: &str| {
        workdir
            .flowgauge()
            .args(["--csv-file", "in.csv", "--output-file", "-", "--types", types])
            .run()
    };
    // A file gets the text.
    csv("d=date:dd.MM.yyyy,a=int").assert_code(0).assert_stdout("{\"a\":1,\"d\":\"31.01.2024\"}\n");
    for (types, words) in [
        ("d=date:YYYY", "'d=date:YYYY' has 'YYYY' in 'YYYY', which is not read"),
        ("d=date:", "an empty alternative"),
        (
            "d=date",
            "'d=date' is for tables: a file gets the text as it is, whose format date:PATTERN says",
        ),
        ("d=epoch_s,d=int", "'d' is named twice"),
        ("x=epoch_s", "--types names 'x', which is no column"),
    ] {
        csv(types).assert_code(2).assert_stderr_has(words);
    }
    let jsonl = |types: &str| {
        workdir
            .flowgauge()
            .args(["--jsonl-file", "in.jsonl", "--output-file", "-", "--types", types])
            .run()
    };
    jsonl("d=date:dd.MM.yyyy").assert_code(0).assert_stdout("{\"d\":\"31.01.2024\"}\n");
    jsonl("d=int").assert_code(2).assert_stderr_has("'d=bigint' is for CSV");
    let file = json!("types = [\"d=date:EEE, d MMM\", 'a=int']\n");
    let Value::String(file) = file else { return };
    workdir.write("sync.toml", file + "csv_file = 'in.csv'\noutput_file = '-'\n");
    let listed = workdir.flowgauge().args(["run", "--config", "sync.toml"]).run();
    listed.assert_code(0).assert_stdout("{\"a\":1,\"d\":\"31.01.2024\"}\n");
}
