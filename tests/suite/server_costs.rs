//! What the servers at both ends cost, as a scrape tells it when the run is over.

use crate::support::database::{Database, Server, on_both};
use crate::support::exposition::Scrape;
use crate::support::program::Flowgauge;
use crate::support::scripted_elastic::{Kind, Like, Script, small};
use crate::support::{Load, workdir};

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

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    what_a_database_is_asked_is_timed
    a_lock_that_others_hold_is_a_wait_of_its_own
    changes_of_the_table_are_timed_by_what_they_are
}

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

const WAITS: &str = "pipeline_stage_wait_seconds_total";

fn waited(scrape: &Scrape, stage: &str, what: &str) -> Option<f64> {
    scrape.find(WAITS, &[("stage", stage), ("for", what)])
}

/// The server says when it gives up; how long a statement waited that went on in the end, only it knows.
fn a_lock_that_others_hold_is_a_wait_of_its_own(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT)");
    let holder = database.connect();
    holder.run("START TRANSACTION");
    holder.run("INSERT INTO t VALUES (3, 0)");
    let load = Load::csv(&database, workdir!(), "k,v\n1,1\n2,2\n3,3\n4,4\n");
    // The server gives up after a second.
    let load = load.with("--mode insert --lanes 1 --db-timeout 2s --metrics-port 0");
    let command = load.program().args(["--metrics-until-scraped", "--metrics-linger", "60s"]);
    let mut run = command.spawn();
    let address = run.metrics_address();
    run.wait_for_line("1205");
    let amid = Scrape::of(&address);
    holder.run("ROLLBACK");
    run.wait_for_line("the last numbers are served");
    let scrape = Scrape::of(&address);
    load.ended(run.finish()).completes().counts("read 4, inserted 4");
    assert!(waited(&amid, "insert", "lock") > Some(0.9), "{:?}", waited(&amid, "insert", "lock"));
    let locked = waited(&scrape, "insert", "lock").unwrap();
    let retries = [("stage", "insert"), ("error_type", "lock_timeout")];
    let retries = scrape.value("pipeline_retries_total", &retries);
    assert!(locked > 0.9 * retries && retries > 0.0, "{locked} s in {retries} tries");
    // What a lane did is one or the other: neither is in the other, and both are in what it was there.
    let busy = scrape.value("pipeline_stage_busy_seconds_total", &[("stage", "insert")]);
    let others = ["input", "output", "retry"].map(|what| waited(&scrape, "insert", what).unwrap());
    let all = locked + busy + others.iter().sum::<f64>();
    let took = scrape.value("pipeline_last_run_duration_seconds", &[]);
    assert!(all <= took, "{all} of {took} s");
}

fn changes_of_the_table_are_timed_by_what_they_are(server: &Server) {
    let database = Database::new(server);
    let workdir = workdir!();
    workdir.write("in.csv", "id\n1\n2\n");
    let command = database.flowgauge(&workdir).args(["--csv-file", "in.csv", "--db-table", "t"]);
    let scrape = scraped(command.arg("--create-table"));
    let name = "pipeline_schema_operation_duration_seconds_count";
    let of = |operation, status| scrape.find(name, &[("operation", operation), ("status", status)]);
    assert_eq!(of("create_table", "ok"), Some(1.0));
    assert_eq!(of("create_state_tables", "ok"), Some(1.0));
    assert_eq!(of("create_table", "failed"), Some(0.0));
    assert_eq!(of("add_columns", "ok"), Some(0.0));
}

#[test]
fn files_are_timed_one_by_one() {
    let workdir = workdir!();
    workdir.write("1.csv", "id\n1\n");
    workdir.write("2.csv", "id\n2\n3\n");
    workdir.write("3.csv", "id\n");
    let command = workdir.flowgauge().args(["--csv-file", "?.csv", "--output-file", "o.jsonl"]);
    let scrape = scraped(command);
    assert_eq!(scrape.value("pipeline_file_duration_seconds_count", &[]), 3.0);
    assert_eq!(scrape.value("pipeline_files_processed_total", &[]), 3.0);
}

#[test]
fn what_the_ledger_is_asked_is_timed() {
    let workdir = workdir!();
    workdir.write("in.csv", "id\n1\n");
    let command = || workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.jsonl"]);
    let scrape = scraped(command());
    let queries = "pipeline_ledger_queries_total";
    let reads = scrape.value(queries, &[("operation", "read")]);
    assert_eq!(reads, 1.0);
    let duration = "pipeline_ledger_query_duration_seconds";
    assert_eq!(count(&scrape, duration, "read"), Some(reads));
    let writes = scrape.value(queries, &[("operation", "write")]);
    assert!(writes >= 1.0);
    assert_eq!(count(&scrape, duration, "write"), Some(writes));
    assert_eq!(scrape.value("pipeline_ledger_queue_depth", &[]), 0.0);
    let without = scraped(command().arg("--no-ledger"));
    assert!(!without.text.contains("pipeline_ledger_"), "{}", without.text);
}

/// From a file into a file nothing is tried again. All parts of the balance are there, to be summed.
#[test]
fn series_that_cannot_move_are_left_out() {
    let workdir = workdir!();
    workdir.write("in.csv", "id\n1\n");
    let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.jsonl"]);
    let scrape = scraped(command);
    for name in [
        "pipeline_retries_total",
        "pipeline_rate_limited_total",
        "pipeline_sql_connections",
        "pipeline_http_requests_in_flight",
        "pipeline_schema_operations_total",
    ] {
        assert_eq!(scrape.series(name).count(), 0, "{name}");
    }
    assert_eq!(scrape.value("pipeline_records_updated_total", &[]), 0.0);
    assert_eq!(scrape.value("pipeline_records_skipped_total", &[("reason", "duplicate")]), 0.0);
    assert_eq!(scrape.find("pipeline_records_skipped_total", &[("reason", "filtered")]), None);
    for (stage, what, is_there) in [
        ("fetch", "output", true),
        ("fetch", "retry", false),
        ("convert", "input", true),
        ("convert", "throttle", false),
        ("insert", "throttle", true),
        ("insert", "retry", false),
        ("insert", "lock", false),
    ] {
        assert_eq!(waited(&scrape, stage, what).is_some(), is_there, "{stage} {what}");
    }
    let errors = |stage| {
        scrape.series("pipeline_errors_total").filter(move |s| s.label("stage") == Some(stage))
    };
    assert!(errors("fetch").any(|sample| sample.label("error_type") == Some("parse")));
    assert!(!errors("fetch").any(|sample| sample.label("error_type") == Some("auth")));
    assert!(!errors("insert").any(|sample| sample.label("error_type") == Some("deadlock")));

    let server = Script::new(Like::Elasticsearch9, small(5)).start();
    let scrape = scraped(server.read_by(&workdir).args(["--output-file", "o.jsonl"]));
    assert_eq!(scrape.series("pipeline_file_duration_seconds_count").count(), 0);
    assert_eq!(scrape.series("pipeline_files_processed_total").count(), 0);
    assert_eq!(waited(&scrape, "fetch", "retry"), Some(0.0));
    assert_eq!(scrape.value("pipeline_rate_limited_total", &[("stage", "fetch")]), 0.0);
}
