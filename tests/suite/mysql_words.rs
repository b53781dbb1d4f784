//! What a run into a table says of itself: what it will do and what holds for it, who has its job, the
//! tables it makes, and what `check` says of all that.

use crate::support::{Database, Load, Server, eventually, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    the_first_line_says_what_will_be_done_and_what_holds
    nobody_is_told_of_a_password_that_was_not_given
    state_tables_are_named_when_they_are_made
    who_has_the_job_is_said_and_check_warns
    statistics_that_are_stale_are_no_count
}

fn the_first_line_says_what_will_be_done_and_what_holds(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT)");
    database.client.run("CREATE TABLE nullable (k INT UNIQUE, v INT)");
    database.client.run("CREATE TABLE keyless (k INT, v INT)");
    for (args, words) in [
        ("--mode upsert", "upsert on k; every batch is written once, starting again is safe; "),
        (
            "",
            "skip on k (the default with the key PRIMARY (k): rows that are there stay); every batch",
        ),
        (
            "--mode insert",
            "insert; every batch is written once, a second run would reject the rows",
        ),
        (
            "--db-table nullable --mode upsert",
            "safe for records that have a value for the whole key",
        ),
        (
            "--db-table keyless",
            "a second run would write every row again: empty the table before it",
        ),
    ] {
        for log in ["text", "json"] {
            for table in ["t", "keyless"] {
                database.client.run(format!("DELETE FROM {table}"));
            }
            Load::csv(&database, workdir!(), "k,v\n1,1\n")
                .with(args)
                .with(&format!("--log-format {log}"))
                .run()
                .completes()
                .says("default: csv in.csv into mysql ")
                .says(words);
        }
    }
}

fn nobody_is_told_of_a_password_that_was_not_given(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let loaded = Load::csv(&database, workdir!(), "k\n1\n").env("FLOWGAUGE_DB_PASS", "").run();
    loaded
        .ends_with(2)
        .says("it does not let this user in without a password (error 1045)")
        .says("--db-pass-file");
    // One that is wrong is another thing.
    let loaded = Load::csv(&database, workdir!(), "k\n1\n").env("FLOWGAUGE_DB_PASS", "wrong").run();
    loaded.ends_with(2).says("in with this password (error 1045)");
}

fn state_tables_are_named_when_they_are_made(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let load = || Load::csv(&database, workdir!(), "k\n1\n").run().completes();
    let name = &database.name;
    load().says(&format!(
        "created the state tables {name}.flowgauge_jobs, {name}.flowgauge_segments and \
         {name}.flowgauge_heartbeats"
    ));
    let again = load();
    assert!(!again.finished.stderr.contains("state tables"), "{}", again.finished);
}

/// The first run is held by a row that the test has locked.
fn who_has_the_job_is_said_and_check_warns(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let holder = database.connect();
    holder.run("START TRANSACTION");
    holder.run("INSERT INTO t VALUES (1)");
    let first = Load::csv(&database, workdir!(), "k\n1\n");
    let running = first.program().spawn();
    eventually("the job to be taken", || {
        let sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                   AND TABLE_NAME = 'flowgauge_jobs'";
        let is_there = database.client.number(sql) == 1;
        (is_there && database.client.number("SELECT COUNT(*) FROM flowgauge_jobs") == 1)
            .then_some(())
    });
    first.workdir.write("other/.keep", "");
    let other = ["--rejects", "other/rejects.jsonl", "--summary-json", "other/summary.json"];
    let second = first.program().args(other).run();
    second.assert_code(75).assert_stderr_has("another run of this job is at work: connection ");
    second.assert_stderr_has(" (host ").assert_stderr_has(", since 20");
    let looked = first.program().args(["check"]).args(other).run();
    looked.assert_code(0);
    looked.assert_stdout_has(
        "warning: a run that begins now would end with exit code 75: another run of this job is at work",
    );
    holder.run("ROLLBACK");
    first.ended(running.finish()).completes().counts("read 1, inserted 1");
}

fn statistics_that_are_stale_are_no_count(server: &Server) {
    let database = Database::new(server);
    // Without statistics of its own until somebody asks for them.
    database.client.run(
        "CREATE TABLE t (k INT PRIMARY KEY) ENGINE=InnoDB STATS_PERSISTENT=1 STATS_AUTO_RECALC=0",
    );
    database.client.run("INSERT INTO t VALUES (1), (2), (3)");
    let looked = Load::csv(&database, workdir!(), "k\n1\n").program().args(["check"]).run();
    looked.assert_code(0);
    assert!(!looked.stdout.contains("about 0 rows"), "{looked}");
}
