//! What the servers at both ends cost, as a scrape tells it when the run is over.

use crate::support::database::{Database, Server, on_both};
use crate::support::exposition::Scrape;
use crate::support::program::Flowgauge;
use crate::support::scripted_elastic::{Kind, Like, Script, small};
use crate::support::workdir;

/// The last scrape: the run waits to write its summary.
#[track_caller]
fn scraped(command: Flowgauge) -> Scrape {
    let mut run =
        command.args(["--metrics-port", "0", "--summary-json", "-"]).stdout_full().spawn();
    let address = run.metrics_address();
    run.wait_for_line("  read ");
    let scrape = Scrape::of(&address);
    run.finish().assert_code(0);
    scrape
}

fn count(scrape: &Scrape, name: &str, operation: &str) -> Option<f64> {
    scrape.find(&format!("{name}_count"), &[("operation", operation)])
}

on_both! { needs!("mariadb"), needs!("mysql"); what_a_database_is_asked_is_timed }

fn what_a_database_is_asked_is_timed(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY)");
    for (args, moves) in [
        ("--mode skip", "load_data"),
        ("--mode skip --no-load-data", "insert_rows"),
        ("--mode upsert", "merge_rows"),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "id\n1\n2\n3\n");
        let command =
            database.flowgauge(&workdir).args(["--csv-file", "in.csv", "--db-table", "t"]);
        let scrape = scraped(command.args(args.split(' ')).args(["--lanes", "1"]));
        let of = |operation| count(&scrape, "pipeline_sql_duration_seconds", operation);
        for operation in ["connect", moves, "commit"] {
            assert_eq!(of(operation), Some(1.0), "{args}: {operation}");
        }
        assert!(of("statement") > Some(1.0), "{args}");
        assert_eq!(scrape.value("pipeline_sql_connections", &[]), 0.0, "{args}");
        assert_eq!(count(&scrape, "pipeline_http_request_duration_seconds", "search"), None);
    }
}

#[test]
fn what_a_search_server_is_asked_is_timed() {
    let workdir = workdir!();
    let server = Script::new(Like::Elasticsearch9, small(500)).start();
    let command = server.read_by(&workdir).args(["--output-file", "o.jsonl"]);
    let scrape = scraped(command.args(["--batch-size", "100"]));
    let pages = server.asked_for(Kind::Page).len() as f64;
    let timed = count(&scrape, "pipeline_http_request_duration_seconds", "search");
    assert_eq!(timed, Some(pages));
    assert_eq!(scrape.value("pipeline_http_requests_in_flight", &[]), 0.0);
    assert_eq!(count(&scrape, "pipeline_sql_duration_seconds", "commit"), None);
}
