//! Connections that are killed, locks that others hold, servers that go and come back, and runs that
//! are stopped, killed, or started twice: whole segments are in the table, and none twice.
//!
//! A run is held at a known place by a row that the test has locked.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::database::{Client, SECRET};
use crate::support::load::has_secret;
use crate::support::program::Running;
use crate::support::{
    Database, Flowgauge, Load, PrivateServer, Server, eventually, http, needs, on_both, workdir,
};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    a_killed_connection_is_replaced
    a_deadlock_is_tried_again
    a_lock_that_takes_too_long_is_asked_for_again
    a_batch_that_is_too_slow_goes_in_smaller_parts
    a_second_run_of_the_job_is_told_so
    a_signal_leaves_whole_segments
    a_run_that_may_not_wait_leaves_whole_segments
    a_killed_run_leaves_whole_segments_and_no_lock
    a_run_takes_over_from_one_that_the_server_still_has
    a_run_without_its_guard_keeps_its_job
    a_run_that_is_not_heard_of_loses_its_job
    a_job_is_held_before_anything_is_decided
    a_server_may_go_and_come_back
    the_password_is_nowhere
    what_a_full_disk_costs_of_rejected_records_is_told_in_numbers
}

#[test]
fn galera() {
    let server = Server::mariadb(needs!("galera"));
    let database = Database::new(&server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET latin1)");
    let text = format!("k,v\n{}", (0..2000).map(|k| format!("{k},ä{k}\n")).collect::<String>());
    let load = |args: &str| {
        Load::csv(&database, workdir!(), &text).with("--batch-size 300 --lanes 2").with(args)
    };
    load("").run().completes().counts("read 2000, inserted 2000");
    load("--mode upsert").run().completes().counts("read 2000, unchanged 2000");
    load("--mode skip").run().completes().counts("read 2000, duplicate 2000");
    assert_eq!(
        database
            .client
            .number("SELECT COUNT(*) FROM t WHERE CONVERT(v USING utf8mb4) = CONCAT('ä', k)"),
        2000
    );
    // Where LOAD DATA would be cut into several transactions, it is not used.
    let root = server.connect();
    root.run("SET GLOBAL wsrep_load_data_splitting = ON");
    database.client.run("DELETE FROM t");
    let loaded = load("").run();
    root.run("SET GLOBAL wsrep_load_data_splitting = OFF");
    loaded.completes().says("rows go by INSERT").says("wsrep_load_data_splitting");
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 2000);
}

const ROWS: u64 = 200;
const SEGMENT: u64 = 20;
/// In the sixth segment.
const HELD: u64 = 110;

fn text() -> String {
    let lines = (0..ROWS).map(|k| format!("{k},{k}\n"));
    ["k,v\n".to_string()].into_iter().chain(lines).collect()
}

fn database(server: &Server) -> Database {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT)");
    database
}

fn load(database: &Database) -> Load<'_> {
    Load::csv(database, workdir!(), text()).with("--batch-size 20 --lanes 1 --workers 1")
}

/// A client of the test that has a row of the sixth segment, and has done much, so that a server
/// rather ends somebody else's transaction.
fn hold(database: &Database) -> Client {
    let client = database.connect();
    client.run("CREATE TABLE IF NOT EXISTS weight (k INT AUTO_INCREMENT PRIMARY KEY)");
    client.run("START TRANSACTION");
    let rows = vec!["()"; 500].join(",");
    client.run(format!("INSERT INTO weight VALUES {rows}"));
    client.run(format!("INSERT INTO t VALUES ({HELD}, 0)"));
    client
}

/// Starts it, and waits until it waits for the row.
#[track_caller]
fn begin(load: &Load<'_>) -> (Running, u32) {
    let running = load.program().spawn();
    let waiter = load.database.wait_for_waiter();
    (running, waiter)
}

fn keys(database: &Database) -> Vec<u64> {
    let lines = database.client.lines("SELECT k FROM t ORDER BY k");
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

#[track_caller]
fn assert_whole(database: &Database) {
    let all: Vec<u64> = (0..ROWS).collect();
    assert_eq!(keys(database), all);
}

/// A run after all that loads the rest, which shows that nothing is locked any more.
#[track_caller]
fn assert_goes_on(database: &Database) {
    eventually("the connections to go", || database.connections().is_empty().then_some(()));
    load(database).run().completes();
    assert_whole(database);
    let tokens = database.client.number("SELECT COUNT(*) FROM flowgauge_segments");
    assert_eq!((tokens, database.client.number("SELECT COUNT(*) FROM flowgauge_jobs")), (0, 1));
}

fn a_killed_connection_is_replaced(server: &Server) {
    for kill in ["KILL", "KILL QUERY"] {
        let database = database(server);
        let holder = hold(&database);
        let load = load(&database).with("--mode insert");
        let (mut running, waiter) = begin(&load);
        database.client.run(format!("{kill} {waiter}"));
        if kill == "KILL" {
            running.wait_for_line("attempt 2");
        }
        holder.run("ROLLBACK");
        load.ended(running.finish()).completes().counts("read 200, inserted 200");
        assert_whole(&database);
    }
    // The one that holds the job's lock.
    let database = database(server);
    let holder = hold(&database);
    let load = load(&database).with("--mode insert");
    let (running, waiter) = begin(&load);
    for id in database.connections().into_iter().filter(|id| *id != waiter) {
        database.client.run(format!("KILL {id}"));
    }
    holder.run("ROLLBACK");
    load.ended(running.finish()).completes().counts("read 200, inserted 200");
    assert_goes_on(&database);
}

fn a_deadlock_is_tried_again(server: &Server) {
    for args in ["--mode insert", "--mode upsert", "--mode insert --no-load-data"] {
        let database = database(server);
        let holder = hold(&database);
        let load = load(&database).with(args);
        let (mut running, _) = begin(&load);
        // The run has this row, and waits for ours.
        holder.run("INSERT INTO t VALUES (101, 0)");
        running.wait_for_line("1213");
        holder.run("ROLLBACK");
        load.ended(running.finish()).completes().counts("read 200, inserted 200");
        assert_whole(&database);
    }
}

fn a_lock_that_takes_too_long_is_asked_for_again(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let load = load(&database).with("--mode insert --db-timeout 2s");
    let (mut running, _) = begin(&load);
    running.wait_for_line("1205");
    holder.run("ROLLBACK");
    load.ended(running.finish()).completes().counts("read 200, inserted 200");
    assert_whole(&database);
}

fn a_second_run_of_the_job_is_told_so(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let first = load(&database);
    let (running, _) = begin(&first);
    // The same source, with another file for what is rejected.
    first.workdir.write("other/.keep", "");
    let other = ["--rejects", "other/rejects.jsonl", "--summary-json", "other/summary.json"];
    let second = first.program().args(other).run();
    second.assert_code(75).assert_stderr_has("another run of this job is at work");
    holder.run("ROLLBACK");
    first.ended(running.finish()).completes().counts("read 200, inserted 200");
    assert_whole(&database);
}

fn a_signal_leaves_whole_segments(server: &Server) {
    let database = database(server);
    database.client.run("INSERT INTO t VALUES (0, 0)");
    let holder = hold(&database);
    // A source that has not come to its end, and more of it than is read before the run begins.
    let lines = (0..60_000).map(|k| format!("{k},{k}\n"));
    let text: String = ["k,v\n".to_string()].into_iter().chain(lines).collect();
    let load = Load::stdin(&database, workdir!()).with("--batch-size 2000 --lanes 1 --workers 1");
    let mut running = load.program().stdin(text).keep_stdin_open().spawn();
    database.wait_for_waiter();
    running.signal(Signal::TERM);
    running.wait_for_line("SIGTERM");
    holder.run("ROLLBACK");
    let loaded =
        load.ended(running.finish()).ends_with(143).says("and stay there, 1 there already");
    let there = keys(&database);
    // It finishes what it has read.
    let whole: Vec<u64> = (0..there.len() as u64).collect();
    assert!(
        there == whole && !there.is_empty() && there.len().is_multiple_of(2000),
        "{}",
        there.len()
    );
    assert_eq!(loaded.summary()["records"]["inserted"], there.len() - 1);
    self::load(&database).run().completes().counts("read 200, duplicate 200");
}

fn a_run_that_may_not_wait_leaves_whole_segments(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let load = load(&database).with("--drain-timeout 1s");
    let (running, _) = begin(&load);
    running.signal(Signal::TERM);
    let loaded = load.ended(running.finish()).ends_with(143);
    assert_eq!(loaded.summary()["records"]["inserted"], HELD / SEGMENT * SEGMENT);
    assert_eq!(keys(&database).len() as u64, HELD / SEGMENT * SEGMENT);
    holder.run("ROLLBACK");
    assert_goes_on(&database);
}

fn a_killed_run_leaves_whole_segments_and_no_lock(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let load = load(&database);
    let (running, _) = begin(&load);
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal(), Some(9));
    assert_eq!(keys(&database).len() as u64, HELD / SEGMENT * SEGMENT);
    holder.run("ROLLBACK");
    eventually("the connections to go", || database.connections().is_empty().then_some(()));
    assert_eq!(keys(&database).len() as u64, HELD / SEGMENT * SEGMENT);
    assert_goes_on(&database);
}

/// A statement that waits does not notice that its client is gone.
fn a_run_takes_over_from_one_that_the_server_still_has(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let first = load(&database);
    let (running, waiter) = begin(&first);
    running.signal(Signal::KILL);
    running.finish();
    eventually("the lock of the job to go", || (database.connections() == [waiter]).then_some(()));
    // It may be alive, and have lost its guard's connection only.
    first.program().run().assert_code(75).assert_stderr_has("writes for it");
    is_not_heard_of(&database);
    let second = first.program().args(["--db-timeout", "4s"]).spawn();
    eventually("the old lane to be ended", || {
        (!database.connections().contains(&waiter)).then_some(())
    });
    holder.run("ROLLBACK");
    second.finish().assert_code(0);
    assert_whole(&database);
}

/// As if the run had said nothing for half a minute.
fn is_not_heard_of(database: &Database) {
    let sql = "UPDATE flowgauge_heartbeats SET beat_at = beat_at - INTERVAL 31 SECOND";
    database.client.run(sql);
}

fn a_run_without_its_guard_keeps_its_job(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let first = load(&database).with("--mode insert");
    let (running, waiter) = begin(&first);
    for id in database.connections().into_iter().filter(|id| *id != waiter) {
        database.client.run(format!("KILL {id}"));
    }
    let second = first.program().args(["--rejects", "2.jsonl", "--summary-json", "2.json"]).run();
    second.assert_code(75).assert_stderr_has("another run of this job is at work");
    holder.run("ROLLBACK");
    first.ended(running.finish()).completes().counts("read 200, inserted 200");
    assert_goes_on(&database);
}

/// Its connections stay, as when its machine is gone.
fn a_run_that_is_not_heard_of_loses_its_job(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let first = load(&database);
    let (running, _) = begin(&first);
    running.signal(Signal::STOP);
    let second = || {
        let args = ["--rejects", "2.jsonl", "--summary-json", "2.json"];
        first.program().args(args).run()
    };
    second().assert_code(75).assert_stderr_has("holds it");
    is_not_heard_of(&database);
    holder.run("ROLLBACK");
    second().assert_code(0);
    assert_whole(&database);
    running.signal(Signal::CONT);
    first.ended(running.finish()).ends_with(75).says("another run took this job over");
    assert_whole(&database);
}

/// The second is told before it creates a table, or reads anything.
fn a_job_is_held_before_anything_is_decided(server: &Server) {
    let database = Database::new(server);
    let load = || Load::stdin(&database, workdir!()).with("--create-table --infer --key k");
    let text = "k,v\n1,1\n";
    load().program().stdin(text).run().assert_code(0);
    database.client.run("DROP TABLE t");
    let first = load();
    let mut running = first.program().stdin_open().spawn();
    let lock = "SELECT COALESCE(IS_USED_LOCK(CONCAT('flowgauge:', job)), 0) FROM flowgauge_jobs";
    eventually("the job to be taken", || (database.client.number(lock) > 0).then_some(()));
    let second = load().program().stdin(text).run();
    second.assert_code(75).assert_stderr_has("another run of this job is at work");
    assert_eq!(database.client.lines("SHOW TABLES LIKE 't'"), [""; 0]);
    // A look takes nothing.
    let look = load();
    let check = look.workdir.flowgauge().args(["check", "--csv-file", "-", "--create-table"]);
    let check = check.args(["--infer", "--key", "k", "--db-table", "t", "--db-url"]);
    let check = check.arg(database.url()).env("FLOWGAUGE_DB_PASS", SECRET);
    check.stdin(text).run().assert_code(0);
    running.stdin().write_all(text.as_bytes()).unwrap();
    first.ended(running.finish()).completes().counts("read 1, inserted 1");
    // A run that ends before it writes gives the job back.
    load().program().stdin("k,v,w\n1,1,1\n").run().assert_code(2);
    load().program().stdin(text).run().assert_code(0);
}

fn a_server_may_go_and_come_back(server: &Server) {
    let mut private = PrivateServer::start(server, workdir!(), &[]);
    for is_killed in [false, true] {
        let database = database(&private.server);
        let holder = hold(&database);
        let load = load(&database).with("--mode insert");
        let (mut running, _) = begin(&load);
        if is_killed {
            private.kill();
        } else {
            private.stop();
        }
        running.wait_for_line("attempt 2");
        drop(holder);
        private.begin();
        private.await_answer();
        load.ended(running.finish()).completes().counts("read 200, inserted 200");
        let client = private.server.connect();
        let sql = format!("SELECT COUNT(*), SUM(k) FROM {}.t", database.name);
        assert_eq!(client.lines(&sql), ["200|19900"]);
    }
}

fn the_password_is_nowhere(server: &Server) {
    let database = database(server);
    let holder = hold(&database);
    let load = load(&database)
        .with("--metrics-port 0 --log-level debug --log-format json")
        .env("RUST_LOG", "trace");
    let mut running = load.program().spawn();
    let line = running.wait_for_line("metrics on http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let (address, _) = rest.split_once("/metrics").unwrap();
    let waiter = database.wait_for_waiter();
    for path in ["/metrics", "/info", "/health", "/ready", "/"] {
        let answer = http::get(address, path).unwrap();
        assert!(!has_secret(&answer.body), "{path}: {}", answer.text());
    }
    let list = database.client.lines("SHOW FULL PROCESSLIST").join("\n");
    assert!(!has_secret(list.as_bytes()), "{list}");
    database.client.run(format!("KILL {waiter}"));
    holder.run("ROLLBACK");
    load.ended(running.finish()).completes();
}

/// Each row takes the server a while, and all of them more than a statement may take.
fn a_batch_that_is_too_slow_goes_in_smaller_parts(server: &Server) {
    for args in ["--mode insert", "--mode insert --no-load-data", "--mode upsert"] {
        let database = database(server);
        database.client.run(
            "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v + SLEEP(0.015)",
        );
        let load = Load::csv(&database, workdir!(), text())
            .with("--batch-size 100 --lanes 1 --db-timeout 1s")
            .with(args);
        load.run()
            .completes()
            .counts("read 200, inserted 200")
            .says("no answer within 1 s")
            .says("INSERT of fewer rows");
        assert_whole(&database);
    }
}

/// The rows beside them are in the table, and stay there.
fn what_a_full_disk_costs_of_rejected_records_is_told_in_numbers(server: &Server) {
    let database = database(server);
    let workdir = workdir!();
    let rows = (0..400).map(|k| format!("{k},{k}\n{k},bad\n"));
    workdir.write("in.csv", format!("k,v\n{}", rows.collect::<String>()));
    let script = format!("ulimit -f 24; exec {} \"$@\"", env!("CARGO_BIN_EXE_flowgauge"));
    let url = database.url();
    let args = format!(
        "--csv-file in.csv --db-table t --db-url {url} --db-pass {SECRET} --rejects bad.jsonl \
         --max-errors 100% --batch-size 100 --lanes 1 --workers 1 --summary-json summary.json"
    );
    let shell = Flowgauge::new("/bin/bash", &workdir).args(["-c", &script, "bash"]);
    let finished = shell.args(args.split(' ')).run();
    finished.assert_code(5).assert_stderr_has("cannot write 'bad.jsonl'");
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let kept = workdir.read("bad.jsonl").lines().count() as u64;
    let lost = number(&summary["rejects_lost"]);
    assert!(kept > 0 && lost > 0, "{summary}");
    assert_eq!(number(&summary["records"]["failed"]), kept);
    assert_eq!(number(&summary["rejected"]["type_mismatch"]), kept);
    assert!(number(&summary["records"]["residual"]) >= lost, "{summary}");
    finished.assert_stderr_has(&format!("{lost} rejected records are in no file"));
    let inserted = number(&summary["records"]["inserted"]);
    assert_eq!(inserted, database.client.number("SELECT COUNT(*) FROM t"));
    assert_eq!(number(&summary["records"]["processed"]), inserted + kept);
}
