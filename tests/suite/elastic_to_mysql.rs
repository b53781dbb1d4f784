//! The user's second command, word for word: from a search server into a table, value by value, while
//! somebody scrapes.

use serde_json::json;

use crate::support::database::{Database, SECRET, Server};
use crate::support::exposition::Scrape;
use crate::support::indices::Indices;
use crate::support::{needs, test_name, workdir};

const COUNT: u64 = 12_000;

/// Documents of everything a table has columns for, and what the table shows of each.
fn documents() -> (Vec<(String, String)>, Vec<String>) {
    (1..=COUNT)
        .map(|n| {
            let id = format!("Doc-{n:05}");
            let cents = n % 100;
            let name = if n % 7 == 0 { "null".to_string() } else { format!("\"näme\\t{n} 😀\"") };
            let tags = format!("[\"a\", {n}]");
            let source = format!(
                "{{\"big\":{},\"price\":{n}.{cents:02},\"name\":{name},\"at\":\"2024-03-01T01:30:00.{:03}+02:00\",\"paid\":{},\"tags\":{tags}}}",
                9_007_199_254_740_992 + n,
                n % 1000,
                n % 2 == 0,
            );
            let name = if n % 7 == 0 { "NULL".to_string() } else { format!("näme\t{n} 😀") };
            let row = format!(
                "{id}|{}|{n}.{cents:02}|{name}|2024-02-29 23:30:00.{:03}|{}|[\"a\", {n}]",
                9_007_199_254_740_992 + n,
                n % 1000,
                u8::from(n % 2 == 0),
            );
            ((id, source), row)
        })
        .unzip()
}

#[track_caller]
fn check(indices: &Indices, server: &Server) {
    let workdir = workdir!();
    let (documents, rows) = documents();
    let index = indices.make("records", json!({
        "settings": { "number_of_shards": 2 },
        "mappings": { "properties": {
            "big": { "type": "long" }, "price": { "type": "double" }, "name": { "type": "text" },
            "at": { "type": "date" }, "paid": { "type": "boolean" },
            "tags": { "type": "object", "enabled": false }
        } }
    }));
    indices.fill(&index, &documents);
    indices.refresh(&index);
    let database = Database::new(server);
    database.client.run(format!(
        "CREATE TABLE `{index}` (_id VARBINARY(512) PRIMARY KEY, big BIGINT, price DECIMAL(12,2), \
         name VARCHAR(40), at DATETIME(3), paid BOOL, tags JSON, \
         loaded TIMESTAMP DEFAULT CURRENT_TIMESTAMP) CHARACTER SET utf8mb4"
    ));
    let command = || {
        let (host, port) = server.address.split_once(':').unwrap();
        let user = &database.name;
        let command = format!(
            "--source_type elasticsearch --es_url {} --sink_type mysql --db_host {host} --db_port {port} --db_user {user} --db_pass {SECRET} --db_name {user} --db_table {index} --metrics-port 0 --pipeline-id prod-es-to-mysql",
            indices.address
        );
        workdir.flowgauge().args(command.split(' '))
    };
    // The summary waits to be written, so the last scrape is of a run that is over.
    let mut run = command().args(["--summary-json", "-"]).stdout_full().spawn();
    let address = run.metrics_address();
    run.wait_for_line("  read ");
    let scrape = Scrape::of(&address);
    let count = COUNT as f64;
    for name in ["read", "processed", "inserted"] {
        assert_eq!(scrape.value(&format!("pipeline_records_{name}_total"), &[]), count, "{name}");
    }
    assert_eq!(scrape.value("pipeline_records_expected", &[]), count);
    let requests =
        scrape.value("pipeline_http_requests_total", &[("operation", "search"), ("code", "200")]);
    assert!(requests > 1.0, "{requests}");
    for (operation, count) in [("create_state_tables", 1.0), ("create_table", 0.0)] {
        let labels = [("operation", operation), ("status", "ok")];
        assert_eq!(scrape.value("pipeline_schema_operations_total", &labels), count);
    }
    run.finish().assert_code(0).assert_stderr_has("prod-es-to-mysql complete");

    let shown = database.client.lines(&format!(
        "SELECT CAST(_id AS CHAR), big, price, name, at, paid, tags FROM `{index}` ORDER BY _id"
    ));
    assert!(shown == rows, "{:?} and not {:?}", shown.first(), rows.first());
    let unset = format!("SELECT COUNT(*) FROM `{index}` WHERE loaded IS NULL");
    assert_eq!(database.client.number(&unset), 0);

    // The second night changes nothing.
    let again = command().run();
    again.assert_code(0).assert_stderr_has("12,000 duplicate");
    assert_eq!(database.client.number(&format!("SELECT COUNT(*) FROM `{index}`")), COUNT);
}

#[test]
fn from_elasticsearch_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    check(&indices, &Server::mysql(needs!("mysql")));
}

#[test]
fn from_opensearch_into_mariadb() {
    let indices = Indices::new(needs!("opensearch"), test_name!());
    check(&indices, &Server::mariadb(needs!("mariadb")));
}

#[test]
fn from_elasticsearch_8() {
    let indices = Indices::new(needs!("elasticsearch8"), test_name!());
    check(&indices, &Server::mariadb11(needs!("mariadb11")));
}

#[test]
fn from_opensearch_2() {
    let indices = Indices::new(needs!("opensearch2"), test_name!());
    check(&indices, &Server::mysql(needs!("mysql")));
}
