//! What is said of a run while it runs and at its end: progress, silence, retries, the table.

use rustix::process::Signal;

use crate::support::{Database, Load, Server, Trial, eventually, http, needs, workdir};

/// Far from an end, and nothing comes: no rate is made up, and no time.
#[test]
fn a_source_that_is_silent_is_said() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl";
    // More than is looked at before the run.
    let text = format!("a\n{}", "1\n".repeat(200_000));
    let program = workdir.flowgauge().args(args.split(' ')).stdin(text).keep_stdin_open();
    let mut running = program.spawn();
    let line = running.wait_for_line("nothing new to read for");
    assert!(!line.contains("records/s") && !line.contains("left"), "{line}");
    running.close_stdin();
    running.finish().assert_code(0);
}

#[test]
fn a_run_that_waits_for_its_first_record_says_so() {
    let workdir = workdir!();
    let args = "--csv-file - --output-file out.jsonl";
    let program = workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open();
    let mut running = program.spawn();
    running.wait_for_line("waiting for the first records of the input for");
    running.close_stdin();
    running.finish().assert_code(0).assert_stderr_has("1 record in 'out.jsonl'");
}

/// Everything was read, and two fifths are in the table.
#[test]
fn progress_is_of_what_is_in_the_table() {
    let server = Server::mariadb(needs!("mariadb"));
    let database = Database::new(&server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let holder = database.connect();
    holder.run("START TRANSACTION");
    holder.run("INSERT INTO t VALUES (100)");
    let text = format!("k\n{}", (0..200).map(|k| format!("{k:03}\n")).collect::<String>());
    let load = Load::csv(&database, workdir!(), text)
        .with("--batch-size 40 --lanes 1 --workers 1 --metrics-port 0");
    let mut running = load.program().spawn();
    let address = running.metrics_address();
    database.wait_for_waiter();
    let value = |name: &str| {
        let page = http::get(&address, "/metrics").unwrap().text().to_owned();
        let line = page.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    eventually("everything to be read", || {
        (value("pipeline_records_read_total") == Some(200.0)).then_some(())
    });
    let ratio = eventually("two batches", || {
        value("pipeline_records_processed_total").filter(|records| *records == 80.0)?;
        value("pipeline_progress_ratio")
    });
    assert!((0.39..=0.41).contains(&ratio), "{ratio}");
    holder.run("ROLLBACK");
    running.finish().assert_code(0);
}

#[test]
fn a_server_that_is_not_there_is_connected_to() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file in.csv --db-url mysql://u@127.0.0.1:1/d --db-table t --db-pass p";
    let mut running = workdir.flowgauge().args(args.split(' ')).spawn();
    let line = running.wait_for_line("attempt 2");
    assert!(line.contains("WARN connecting: "), "{line}");
    running.signal(Signal::TERM);
    running.finish().assert_code(143);
}

/// Whoever reads only the beginning of a mail reads that.
#[test]
fn a_run_that_fails_says_so_first() {
    let failed = Trial::csv(workdir!(), "a,b\n1,2\n3\n").run().ends_with(3);
    let mut lines = failed.finished.stderr.lines();
    assert!(lines.any(|line| line.starts_with("FAILED default data in ")), "{}", failed.finished);
    drop(failed.rejects(&["3:8 parse 3"]));
    let complete = Trial::csv(workdir!(), "a\n1\n").run().completes();
    let mut lines = complete.finished.stderr.lines();
    assert!(lines.any(|line| line.starts_with("default complete in ")), "{}", complete.finished);
    drop(complete.writes(&["{\"a\":\"1\"}"]));
}

#[test]
fn the_table_fits_a_terminal_and_a_short_run_has_no_limit() {
    let rows = (0..100_000).map(|row| format!("{row},some text\n")).collect::<String>();
    let mut run = Trial::csv(workdir!(), format!("a,b\n{rows}"))
        .with("--max-errors 5 --batch-size 1000")
        .run()
        .completes();
    let text = &run.finished.stderr;
    let table = text.lines().skip_while(|line| !line.starts_with("  stage ")).take(5);
    let widths: Vec<usize> = table.map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 5, "{text}");
    assert!(widths.iter().all(|width| *width <= 80), "{widths:?} {text}");
    if !text.contains(" s: 100,000 records") {
        assert!(!text.contains("limit:"), "{text}");
    }
    run.explain("out.jsonl");
}
