//! A backup of an index as JSON lines has what identifies each document and its own bytes, and restores
//! into a table that is equal to one loaded straight from the index, dates included.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::database::{Database, Server};
use crate::support::indices::Indices;
use crate::support::scripted_elastic::{Like, Script};
use crate::support::{Workdir, needs, test_name, workdir};

/// Dates in every form that their mappings take, in documents of odd spacing.
fn documents() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for n in 0..1_200_u64 {
        let (seconds, millis) = (1_709_251_200 + n, n % 1000);
        let plain = match n % 5 {
            0 => format!("\"2024-03-01T01:30:{:02}.{millis:03}+02:00\"", n % 60),
            1 => format!("{}", seconds * 1000 + millis),
            2 => format!("\"{}\"", seconds * 1000 + millis),
            3 => "\"2024-02-29\"".to_string(),
            _ => "null".to_string(),
        };
        let count = if n % 2 == 0 { format!("{seconds}") } else { format!("\"{seconds}\"") };
        let either = match n % 2 {
            0 => format!("\"2023-12-31 23:59:{:02}\"", n % 60),
            _ => format!("{}", seconds * 1000 + millis),
        };
        let day = match n % 2 {
            0 => format!("202401{:02}", 1 + n % 31),
            _ => format!("\"202402{:02}\"", 1 + n % 28),
        };
        let quoted = format!("\"2024-05-06T{:02}:{:02}\"", n % 24, n % 60);
        let nanos = format!("\"2024-03-01T01:30:00.{:06}Z\"", n * 31);
        let rest = if n % 7 == 0 { "" } else { ", \"o\" : { \"b\":[1 ,2], \"a\": 1.50 }" };
        documents.push((
            format!("Id {n}\""),
            format!(
                "{{ \"n\" : {n}.0,\t\"plain\":{plain}, \"count\":{count},\"either\" :{either}, \"day\":{day},\"quoted\":{quoted} ,\"nanos\":{nanos}{rest} }}"
            ),
        ));
    }
    documents
}

fn make(indices: &Indices, documents: &[(String, String)]) -> String {
    let index = indices.make(
        "dates",
        json!({
            "settings": { "number_of_shards": 3 },
            "mappings": { "properties": {
                "n": { "type": "double" },
                "plain": { "type": "date" },
                "count": { "type": "date", "format": "epoch_second" },
                "either": { "type": "date", "format": "yyyy-MM-dd HH:mm:ss||epoch_millis" },
                "day": { "type": "date", "format": "basic_date" },
                "quoted": { "type": "date", "format": "yyyy-MM-dd'T'HH:mm" },
                "nanos": { "type": "date_nanos" },
                "o": { "type": "object", "enabled": false }
            } }
        }),
    );
    indices.fill(&index, documents);
    let routed = r#"{"n":9999 , "plain":"2024-01-01"}"#;
    indices.ask("PUT", &format!("/{index}/_doc/routed?routing=there&refresh=true"), routed);
    index
}

fn unpacked(workdir: &Workdir, name: &str) -> String {
    let packed = std::fs::read(workdir.path(name)).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

#[track_caller]
fn check(indices: &Indices, server: &Server) {
    let workdir = workdir!();
    let documents = documents();
    let index = make(indices, &documents);

    let backup = indices.read_by(&workdir, &index);
    let backup = backup.args(["--output-file", "b.jsonl.gz", "--summary-json", "b.json"]).run();
    backup.assert_code(0);
    let with_id =
        |(id, source): &(String, String)| format!("{{\"_id\":{},{}", json!(id), &source[1..]);
    let routed = r#"{"_id":"routed","_routing":"there","n":9999 , "plain":"2024-01-01"}"#;
    let expected = sorted(documents.iter().map(with_id).chain([routed.to_string()]));
    let lines = sorted(unpacked(&workdir, "b.jsonl.gz").lines().map(str::to_string));
    assert!(lines == expected, "{:?} and not {:?}", lines.first(), expected.first());

    // Without what identifies documents, they are copied as they are.
    let plain = indices.lines(&workdir, &index, "--es-meta none");
    let sources = documents.iter().map(|(_, source)| source.clone());
    let bare = r#"{"n":9999 , "plain":"2024-01-01"}"#.to_string();
    assert!(plain == sorted(sources.chain([bare])));

    let summary: Value = serde_json::from_str(&workdir.read("b.json")).unwrap();
    let types = summary["restore_types"].as_str().unwrap();
    assert_eq!(
        types,
        "count=date:epoch_second,day=date:basic_date,either=date:yyyy-MM-dd HH:mm:ss||epoch_millis,nanos=date:strict_date_optional_time_nanos||epoch_millis,plain=date:strict_date_optional_time||epoch_millis,quoted=date:yyyy-MM-dd'T'HH:mm"
    );
    let last = backup.stderr.trim_end().lines().last().unwrap();
    assert_eq!(last, format!("  restore: add --types \"{types}\""));

    let database = Database::new(server);
    for table in ["restored", "straight"] {
        database.client.run(format!(
            "CREATE TABLE {table} (_id VARBINARY(512) PRIMARY KEY, _routing VARCHAR(40), n DOUBLE, \
             plain DATETIME(3), count DATETIME, either DATETIME(3), day DATETIME, \
             quoted DATETIME, nanos DATETIME(6), o JSON) CHARACTER SET utf8mb4"
        ));
    }
    let into = |table: &str| {
        let table = ["--mode", "upsert", "--db-table", table].map(String::from);
        database.flowgauge(&workdir).args(table)
    };
    let restore = ["--source-type", "jsonl", "--jsonl-file", "b.jsonl.gz", "--types", types];
    into("restored").args(restore).run().assert_code(0);
    let from = ["--source-type", "elasticsearch", "--es-url", &indices.address, "--es-index"];
    into("straight").args(from).arg(&index).run().assert_code(0);
    let rows = |table: &str| database.client.rows(&format!("SELECT * FROM {table} ORDER BY _id"));
    let (restored, straight) = (rows("restored"), rows("straight"));
    assert_eq!(restored.len(), documents.len() + 1);
    for (one, other) in restored.iter().zip(&straight) {
        assert_eq!(one, other);
    }
    // Restoring once more changes nothing.
    into("restored").args(restore).run().assert_code(0);
    assert!(rows("restored") == straight);
}

#[test]
fn of_elasticsearch_8_into_mysql() {
    check(&Indices::new(needs!("elasticsearch8"), test_name!()), &Server::mysql(needs!("mysql")));
}

#[test]
fn of_opensearch_2_into_mariadb() {
    check(
        &Indices::new(needs!("opensearch2"), test_name!()),
        &Server::mariadb11(needs!("mariadb11")),
    );
}

/// JSON has no bytes: the backup has their base64, and `--types` says so.
#[test]
fn bytes_are_restored_as_bytes() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    let workdir = workdir!();
    let index = indices.make(
        "bytes",
        json!({ "mappings": { "properties": { "b": { "type": "binary" }, "n": { "type": "long" } } } }),
    );
    let documents =
        [("1", r#"{"b":"AP8=","n":1}"#), ("2", r#"{"b":"","n":2}"#), ("3", r#"{"n":3}"#)];
    indices.fill(&index, &documents.map(|(id, text)| (id.to_string(), text.to_string())));
    indices.refresh(&index);
    let backup = indices.read_by(&workdir, &index);
    let backup = backup.args(["--output-file", "b.jsonl", "--summary-json", "b.json"]).run();
    backup.assert_code(0).assert_stderr_has("restore: add --types 'b=base64'");
    let into = |table: &str, args: &[&str]| {
        let program = database.flowgauge(&workdir).args(["--db-table", table, "--mode", "upsert"]);
        program.args(args).run().assert_code(0);
        let rows =
            database.client.lines(&format!("SELECT _id, HEX(b), n FROM {table} ORDER BY _id"));
        assert_eq!(rows, ["1|00FF|1", "2||2", "3|NULL|3"], "{table}: {args:?}");
    };
    let straight =
        ["--source-type", "elasticsearch", "--es-url", &indices.address, "--es-index", &index];
    let restore = ["--source-type", "jsonl", "--jsonl-file", "b.jsonl", "--types", "b=base64"];
    into("straight", &[&straight[..], &["--create-table"]].concat());
    into("restored", &[&restore[..], &["--create-table", "--key", "_id"]].concat());
    let made = "CREATE TABLE made (_id VARBINARY(512) PRIMARY KEY, b VARBINARY(9), n INT)";
    database.client.run(made);
    into("made", &restore);
    // And as text in CSV.
    workdir.write("in.csv", "_id,b,n\n1,AP8=,1\n2,,2\n3,,3\n");
    database.client.run("DELETE FROM made");
    let program = database.flowgauge(&workdir).args(["--db-table", "made", "--mode", "upsert"]);
    let program = program.args(["--csv-file", "in.csv", "--types", "b=base64"]);
    program.run().assert_code(0);
    assert_eq!(database.client.text("SELECT HEX(b) FROM made WHERE _id = '1'"), "00FF");
    let refused = workdir.flowgauge().args(["--csv-file", "in.csv", "--types", "b=base64"]);
    refused.args(["--output-file", "-"]).run().assert_code(2).assert_stderr_has("is for tables");
}

/// What a table that is made of the index takes, one that is made of the backup takes, too: digits of a second that the
/// format does not name, and arrays where the mapping speaks of dates and bytes.
#[test]
fn a_table_made_of_the_backup_takes_what_one_made_of_the_index_takes() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    let workdir = workdir!();
    let index = indices.make(
        "finds",
        json!({ "mappings": { "properties": {
            "nanos": { "type": "date_nanos" }, "micros": { "type": "date" }, "days": { "type": "date" },
            "seen": { "type": "date", "format": "dd.MM.yyyy||epoch_millis" },
            "one": { "type": "binary" }, "many": { "type": "binary" }
        } } }),
    );
    let documents = [
        (
            "1",
            r#"{"nanos":"2024-03-01T01:30:00.123456Z","micros":"2024-03-01T01:30:00.000001Z","days":["2024-03-01","2024-03-02"],"seen":"31.12.2023","one":"AP8=","many":["AP8=","AA=="]}"#,
        ),
        (
            "2",
            r#"{"nanos":1709251200123,"micros":"2024-03-01","days":"2024-03-03","seen":[1709251200123],"one":"","many":"AP8="}"#,
        ),
        ("3", r#"{"days":[],"seen":null,"many":null}"#),
    ];
    indices.fill(&index, &documents.map(|(id, text)| (id.to_string(), text.to_string())));
    indices.refresh(&index);
    let backup = indices.read_by(&workdir, &index);
    let backup = backup.args(["--output-file", "b.jsonl", "--summary-json", "b.json"]).run();
    backup.assert_code(0);
    let summary: Value = serde_json::from_str(&workdir.read("b.json")).unwrap();
    let types = summary["restore_types"].as_str().unwrap();

    let straight = ["--es-url", &indices.address, "--es-index", &index];
    let restore = ["--jsonl-file", "b.jsonl", "--key", "_id", "--types", types];
    let columns = "nanos, micros, days, seen, one, many";
    let made = |table: &str, args: &[&str]| {
        let program = database.flowgauge(&workdir).args(["--db-table", table, "--mode", "upsert"]);
        let run = program.args(["--create-table"]).args(args).run();
        run.assert_code(0);
        let types = format!(
            "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = '{table}' AND COLUMN_NAME <> '_id' ORDER BY COLUMN_NAME"
        );
        let rows = format!("SELECT _id, {columns} FROM {table} ORDER BY _id");
        (database.client.lines(&types), database.client.lines(&rows), run.stderr.clone())
    };
    let (straight_types, straight_rows, _) = made("straight", &straight);
    let (restored_types, restored_rows, said) = made("restored", &restore);
    assert_eq!(restored_types, straight_types);
    assert_eq!(restored_rows, straight_rows);
    assert!(straight_types.contains(&"nanos|datetime(6)".to_string()), "{straight_types:?}");
    // An `_id` that no sample has seen may be as long as there are any.
    let long = "x".repeat(512);
    workdir.write("long.jsonl", format!("{{\"_id\":\"{long}\"}}\n"));
    let late = database.flowgauge(&workdir).args(["--db-table", "restored", "--mode", "upsert"]);
    late.args(["--jsonl-file", "long.jsonl"]).run().assert_code(0);
    for name in ["days", "seen", "many"] {
        let words = format!(
            "field '{name}' has arrays or objects beside what --types says of its values: its column is json"
        );
        assert!(said.contains(&words), "{said}");
    }
    // What is said of the column itself is not overruled.
    let column = "days=datetime(3),nanos=datetime(3)";
    let program = database.flowgauge(&workdir).args(["--db-table", "told", "--mode", "upsert"]);
    let program = program.args(["--jsonl-file", "b.jsonl", "--key", "_id", "--types", column]);
    program.arg("--create-table").run().assert_code(3);
}

#[test]
fn documents_of_several_indices_have_the_name_of_theirs() {
    let indices = Indices::new(needs!("elasticsearch8"), test_name!());
    let workdir = workdir!();
    let one = indices.filled("one", 1, &[("1".to_string(), r#"{"n":1}"#.to_string())]);
    let two = indices.filled("two", 1, &[("1".to_string(), "{}".to_string())]);
    let lines = indices.read_by(&workdir, &indices.name("*")).args(["--output-file", "-"]).run();
    lines.assert_code(0);
    assert_eq!(
        sorted(lines.stdout.lines().map(str::to_string)),
        [
            format!(r#"{{"_id":"1","_index":"{one}","n":1}}"#),
            format!(r#"{{"_id":"1","_index":"{two}"}}"#),
        ]
    );
    // No dates, nothing to be said of them.
    assert!(!lines.stderr.contains("restore:"), "{}", lines.stderr);
}

#[test]
fn a_document_that_has_such_a_field_itself_is_rejected() {
    let documents = [
        ("a", r#"{"n":1}"#),
        ("b", r#"{"n":2,"_id":"x"}"#),
        ("c", r#"{"n":3,"\u005frouting":"x"}"#),
        ("d", r#"{"n":4,"o":{"_id":"x"},"t":"_id"}"#),
        ("e", r#"{"n":5,"_index":"x"}"#),
    ];
    let documents = documents.map(|(id, source)| (id.to_string(), source.to_string()));
    let server = Script::new(Like::Elasticsearch9, documents.to_vec()).start();
    let workdir = workdir!();
    let read = |args: &str| {
        let program =
            workdir.flowgauge().args(["--es-url", &server.address, "--es-index", "orders"]);
        program.args(["--output-file", "-"]).args(args.split(' ')).run()
    };
    let run = read("--max-errors 2 --rejects r.jsonl");
    run.assert_code(0).assert_stdout(concat!(
        r#"{"_id":"a","n":1}"#,
        "\n",
        r#"{"_id":"d","n":4,"o":{"_id":"x"},"t":"_id"}"#,
        "\n",
        r#"{"_id":"e","n":5,"_index":"x"}"#,
        "\n",
    ));
    for name in ["_id", "_routing"] {
        run.assert_stderr_has(&format!(
            "the document has a field '{name}' of its own; --es-meta none copies documents as they are"
        ));
    }
    assert_eq!(workdir.read("r.jsonl").lines().count(), 2);
    read("--max-errors 0").assert_code(3);
    let all: String = documents.iter().map(|(_, source)| format!("{source}\n")).collect();
    read("--es-meta none").assert_code(0).assert_stdout(&all);
    read("--es-meta none,_id").assert_code(2).assert_stderr_has("'none' is not one of _id");
}
