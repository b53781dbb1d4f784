//! What the modes leave in the table: what a load one row at a time would, with any number of workers
//! and lanes, and counts that the server vouches for.

use crate::support::exposition::Scrape;
use crate::support::{Database, Load, Server, eventually, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    the_table_is_what_one_row_at_a_time_leaves
    updated_unchanged_and_duplicate_are_told_apart
    without_a_mode_the_table_decides
    a_key_is_chosen_or_refused
    a_row_never_takes_the_place_of_another_by_another_key
    equal_for_the_server_is_equal
    equal_keys_in_other_words_keep_their_order
    order_that_can_be_seen_is_that_of_the_source
    null_is_equal_to_nothing
    what_the_server_refuses_is_rejected_row_by_row
    a_trigger_does_not_disturb_the_counts
    the_budget_of_errors_is_not_exceeded_by_what_is_committed
    rows_that_refer_to_earlier_rows
    a_table_is_created_when_asked_for
    nothing_is_written_while_the_throttle_query_is_true
}

/// Rows `k,v,w` with keys that come again: `k` of 90, `v` and `w` of few.
fn rows() -> Vec<(u64, u64, u64)> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..300).map(|_| (next(90), next(5), next(3))).collect()
}

/// The same rows by statements of one row, and the lines of those that are refused.
fn one_at_a_time(database: &Database, mode: &str, rows: &[(u64, u64, u64)]) -> Vec<u64> {
    let client = &database.client;
    client.run("START TRANSACTION");
    let tail = match mode {
        "insert" => "",
        "skip" => "ON DUPLICATE KEY UPDATE o.k = o.k",
        _ => "ON DUPLICATE KEY UPDATE v = VALUES(v), w = VALUES(w)",
    };
    let mut refused = Vec::new();
    for (line, (k, v, w)) in (2..).zip(rows) {
        let sql = format!("INSERT INTO o (k, v, w) VALUES ('k{k}', {v}, {w}) {tail}");
        if let Err(code) = client.try_run(sql) {
            assert_eq!(code, 1062);
            refused.push(line);
        }
    }
    client.run("COMMIT");
    refused
}

fn the_table_is_what_one_row_at_a_time_leaves(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let columns = "(k VARBINARY(9) PRIMARY KEY, v INT, w INT)";
    client.run(format!("CREATE TABLE t {columns}"));
    client.run(format!("CREATE TABLE o {columns}"));
    let rows = rows();
    let lines = rows.iter().map(|(k, v, w)| format!("k{k},{v},{w}\n"));
    let text: String = ["k,v,w\n".to_string()].into_iter().chain(lines).collect();
    for mode in ["insert", "skip", "upsert"] {
        for table in ["o", "t"] {
            client.run(format!("DELETE FROM {table}"));
            client.run(format!(
                "INSERT INTO {table} VALUES ('k3', 9, 9), ('k89', 1, 1), ('z', 0, 0)"
            ));
        }
        let refused = one_at_a_time(&database, mode, &rows);
        let expected = client.lines("SELECT * FROM o ORDER BY k");
        for args in [
            "--workers 1 --lanes 1 --batch-size 7",
            "--workers 2 --lanes 4 --batch-size 7",
            "--workers 7 --lanes 4 --batch-size 40",
            "--workers 2 --lanes 4",
            "--workers 2 --lanes 4 --batch-size 40 --no-load-data",
        ] {
            client.run("DELETE FROM t");
            client.run("INSERT INTO t VALUES ('k3', 9, 9), ('k89', 1, 1), ('z', 0, 0)");
            let loaded = Load::csv(&database, workdir!(), &text)
                .with("--max-errors 300 --mode")
                .with(mode)
                .with(args)
                .run()
                .completes();
            assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{mode} {args}");
            let rejects = loaded.rejects();
            let mut found: Vec<u64> = rejects.iter().map(|reject| reject.line).collect();
            found.sort();
            assert_eq!(found, refused, "{mode} {args}");
            assert!(
                rejects.iter().all(|reject| reject.error_type == "duplicate_key"),
                "{rejects:?}"
            );
            let records = &loaded.summary()["records"];
            let new = expected.len() as u64 - 3;
            assert_eq!(records["inserted"], new, "{mode} {args}: {records}");
            if mode == "skip" {
                assert_eq!(records["skipped"]["duplicate"], rows.len() as u64 - new, "{args}");
            }
        }
    }
}

fn updated_unchanged_and_duplicate_are_told_apart(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT, rest INT DEFAULT 7)");
    for (args, counts) in [
        ("", "read 7, inserted 2, updated 1, duplicate 2, unchanged 2"),
        // Each row is a segment of its own, so none is a duplicate within one.
        ("--batch-size 1 --lanes 4", "read 7, inserted 2, updated 4, unchanged 1"),
        ("--no-load-data", "read 7, inserted 2, updated 1, duplicate 2, unchanged 2"),
    ] {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)");
        let text = "k,v\n1,1\n2,20\n3,33\n4,4\n5,50\n5,5\n3,3\n";
        Load::csv(&database, workdir!(), text)
            .with("--mode upsert")
            .with(args)
            .run()
            .completes()
            .counts(counts);
        let expected = ["1|1|1", "2|20|2", "3|3|3", "4|4|7", "5|5|7"];
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{args}");
    }
    // All columns are the key: there is nothing to update.
    client.run("CREATE TABLE x (a INT, b INT, PRIMARY KEY (a, b))");
    Load::csv(&database, workdir!(), "a,b\n1,1\n1,2\n1,1\n")
        .with("--mode upsert --db-table x --batch-size 1")
        .run()
        .completes()
        .counts("read 3, inserted 2, unchanged 1");
}

fn without_a_mode_the_table_decides(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (v INT)");
    let load = |args: &str| Load::csv(&database, workdir!(), "v\n1\n1\n").with(args).run();
    load("")
        .completes()
        .says(", insert (the default for an empty table without a key); ")
        .counts("read 2, inserted 2");
    load("").ends_with(2).says("holds rows and has no unique key").says("--mode insert");
    load("--mode skip").ends_with(2).says("has no unique key within the written columns");
    load("--mode upsert").ends_with(2).says("has no unique key within the written columns");
    load("--mode insert").completes();
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 4);
    database.client.run("DELETE FROM t");
    database.client.run("ALTER TABLE t ADD PRIMARY KEY (v)");
    load("")
        .completes()
        .says(", skip on v (the default with the key PRIMARY (v)")
        .counts("read 2, inserted 1, duplicate 1");
    load("--mode insert").ends_with(3).rejected(&["2: duplicate_key", "3: duplicate_key"]);
}

fn a_key_is_chosen_or_refused(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE, c INT, UNIQUE (b, c))");
    let load = |args: &str| Load::csv(&database, workdir!(), "a,b,c\n1,1,1\n").with(args).run();
    load("--mode upsert").ends_with(2).says("several unique keys").says("--key");
    load("--mode upsert --key c").ends_with(2).says("no unique key of exactly these columns");
    load("--mode upsert --key nowhere").ends_with(2).says("has no column 'nowhere'");
    load("--mode upsert --key c,b").completes().counts("read 1, inserted 1");
    load("--mode upsert --key a").completes().counts("read 1, unchanged 1");
    load("--mode skip").completes().counts("read 1, duplicate 1");
    // A key of columns that are not written is none.
    Load::csv(&database, workdir!(), "c\n1\n")
        .with("--mode upsert --select c,b=c")
        .run()
        .ends_with(2);
}

/// INSERT ... ON DUPLICATE KEY UPDATE changes whichever row it meets first.
fn a_row_never_takes_the_place_of_another_by_another_key(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE, c INT)");
    for args in ["", "--no-load-data", "--batch-size 1"] {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 10, 100), (2, 20, 200)");
        // 3 would have the `b` of 1, 2 gets it as well, 4 is new, 1 changes its `b` and 5 takes that.
        let text = "a,b,c\n3,10,7\n2,10,8\n4,40,9\n1,11,5\n5,10,6\n";
        let loaded = Load::csv(&database, workdir!(), text)
            .with("--mode upsert --key a --max-errors 9")
            .with(args)
            .run()
            .completes()
            .rejected(&["2: duplicate_key", "3: duplicate_key"]);
        let lines = client.lines("SELECT * FROM t ORDER BY a");
        assert_eq!(lines, ["1|11|5", "2|20|200", "4|40|9", "5|10|6"], "{}", loaded.finished);
    }
}

fn equal_for_the_server_is_equal(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)");
    let text = "k,v\na,1\nA,2\nb,3\nä,4\nb ,5\n";
    for (mode, size, expected, counts) in [
        ("skip", 100, ["a|1", "b|3"], "read 5, inserted 2, duplicate 3"),
        ("skip", 1, ["a|1", "b|3"], "read 5, inserted 2, duplicate 3"),
        ("upsert", 100, ["ä|4", "b |5"], "read 5, inserted 2, duplicate 3"),
        ("upsert", 1, ["ä|4", "b |5"], "read 5, inserted 2, updated 3"),
    ] {
        client.run("DELETE FROM t");
        let loaded = Load::csv(&database, workdir!(), text)
            .with(&format!("--lanes 4 --mode {mode} --batch-size {size}"))
            .run()
            .completes()
            .says("such as 'a' and 'A'")
            .counts(counts);
        let lines = client.lines("SELECT LOWER(k), v FROM t ORDER BY k");
        assert_eq!(lines, expected, "{mode} {size} {}", loaded.finished);
    }
    client.run("DELETE FROM t");
    Load::csv(&database, workdir!(), text)
        .with("--mode insert --max-errors 3 --lanes 4")
        .run()
        .completes()
        .rejected(&["3: duplicate_key", "5: duplicate_key", "6: duplicate_key"]);
}

/// Rows go into the table in the order of the primary key, and these look like different ones.
fn equal_keys_in_other_words_keep_their_order(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for (kind, keys) in [
        ("INT", ["07", "7", "3"]),
        ("DECIMAL(9,2)", ["7.00", "7", "3"]),
        ("DATE", ["2024-03-02T00:00:00", "2024-03-02", "2024-03-01"]),
        ("DATETIME", ["2024-03-02T10:00:00", "2024-03-02 10:00:00", "2024-03-01 00:00:00"]),
    ] {
        client.run("DROP TABLE IF EXISTS t");
        client.run(format!("CREATE TABLE t (k {kind} PRIMARY KEY, v INT)"));
        let [first, second, lower] = keys;
        let text = format!("k,v\n{first},1\n{second},2\n{lower},3\n");
        for (args, expected) in [
            ("--mode skip", ["3", "1"]),
            ("--mode upsert", ["3", "2"]),
            ("--mode insert --max-errors 1", ["3", "1"]),
        ] {
            client.run("DELETE FROM t");
            let loaded = Load::csv(&database, workdir!(), &text).with(args).run().completes();
            assert_eq!(client.lines("SELECT v FROM t ORDER BY k"), expected, "{kind} {args}");
            if args.contains("insert") {
                loaded.rejected(&["3: duplicate_key"]);
            }
        }
    }
}

/// Numbers that the server gives, and triggers, tell in which order rows came.
fn order_that_can_be_seen_is_that_of_the_source(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let load = || Load::csv(&database, workdir!(), "k,v\n3,a\n1,b\n2,c\n").with("--lanes 1");
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n INT NOT NULL AUTO_INCREMENT UNIQUE)");
    load().run().completes().counts("read 3, inserted 3");
    assert_eq!(client.lines("SELECT k FROM t ORDER BY n"), ["3", "1", "2"]);
    client.run("DROP TABLE t");
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    client.run("CREATE TABLE log (n INT AUTO_INCREMENT PRIMARY KEY, k INT)");
    client
        .run("CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW INSERT INTO log (k) VALUES (NEW.k)");
    load().run().completes().counts("read 3, inserted 3");
    assert_eq!(client.lines("SELECT k FROM log ORDER BY n"), ["3", "1", "2"]);
}

fn null_is_equal_to_nothing(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT, l INT, v INT, UNIQUE (k, l))");
    for (mode, counts) in
        [("skip", "read 5, inserted 4, duplicate 1"), ("upsert", "read 5, inserted 4, duplicate 1")]
    {
        client.run("DELETE FROM t");
        Load::csv(&database, workdir!(), "k,l,v\n1,,1\n1,,2\n,,3\n2,2,4\n2,2,4\n")
            .with(&format!("--mode {mode} --lanes 4"))
            .run()
            .completes()
            .says("takes NULL")
            .counts(counts);
        assert_eq!(client.lines("SELECT v FROM t ORDER BY v"), ["1", "2", "3", "4"]);
    }
}

fn what_the_server_refuses_is_rejected_row_by_row(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let check = if server.is_mariadb { "4025" } else { "3819" };
    client.run("CREATE TABLE parent (id INT PRIMARY KEY)");
    client.run("INSERT INTO parent VALUES (1), (2), (3), (4), (6)");
    for (definition, trigger, number) in [
        ("(k INT PRIMARY KEY, v INT, FOREIGN KEY (k) REFERENCES parent (id))", "", "1452"),
        ("(k INT PRIMARY KEY, v INT, CHECK (k <> 5 AND k < 7))", "", check),
        (
            "(k INT PRIMARY KEY, v INT)",
            "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW BEGIN \
             IF NEW.k = 5 OR NEW.k > 6 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no fives'; \
             END IF; END",
            "1644",
        ),
        (
            "(k INT PRIMARY KEY, v INT) PARTITION BY LIST (k) (PARTITION p VALUES IN (1,2,3,4,6))",
            "",
            "1526",
        ),
    ] {
        client.run("DROP TABLE IF EXISTS t");
        client.run(format!("CREATE TABLE t {definition}"));
        if !trigger.is_empty() {
            client.run(trigger);
        }
        for (mode, args) in [
            ("insert", ""),
            ("skip", ""),
            ("upsert", ""),
            ("insert", "--no-load-data"),
            ("skip", "--batch-size 3 --lanes 4"),
        ] {
            client.run("DELETE FROM t");
            let loaded =
                Load::csv(&database, workdir!(), "k,v\n1,1\n2,2\n5,5\n3,3\n7,7\n4,4\n6,6\n")
                    .with(&format!("--max-errors 2 --mode {mode}"))
                    .with(args)
                    .run()
                    .completes()
                    .says("rejected: in.csv, line 4, byte 12")
                    .says(number)
                    .says_not("no fives")
                    .rejected(&["4: constraint", "6: constraint"])
                    .counts("read 7, inserted 5, failed 2");
            let lines = client.lines("SELECT k FROM t ORDER BY k");
            assert_eq!(lines, ["1", "2", "3", "4", "6"], "{definition} {mode} {}", loaded.finished);
        }
    }
}

/// A trigger adds to what the server says was affected.
fn a_trigger_does_not_disturb_the_counts(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT)");
    client.run("CREATE TABLE log (k INT)");
    client.run("CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.k)");
    client.run("CREATE TRIGGER u AFTER UPDATE ON t FOR EACH ROW INSERT INTO log VALUES (NEW.k)");
    let load = |text: &str, mode: &str| {
        Load::csv(&database, workdir!(), text).with("--mode").with(mode).run().completes()
    };
    load("k,v\n1,1\n2,2\n", "insert").counts("read 2, inserted 2");
    load("k,v\n1,1\n2,3\n3,3\n", "upsert").counts("read 3, inserted 1, updated 1, unchanged 1");
    load("k,v\n1,9\n4,4\n", "skip").counts("read 2, inserted 1, duplicate 1");
    assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), ["1|1", "2|3", "3|3", "4|4"]);
}

fn the_budget_of_errors_is_not_exceeded_by_what_is_committed(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, CHECK (k % 25 <> 24))");
    let lines: String = (0..500).map(|k| format!("{k}\n")).collect();
    for lanes in [1, 4] {
        client.run("DELETE FROM t");
        let loaded = Load::csv(&database, workdir!(), format!("k\n{lines}"))
            .with(&format!("--max-errors 3 --batch-size 10 --lanes {lanes} --mode insert"))
            .run()
            .ends_with(3)
            .says("--max-errors is 3");
        let there: Vec<u64> =
            client.lines("SELECT k FROM t ORDER BY k").iter().map(|k| k.parse().unwrap()).collect();
        let records = loaded.summary()["records"].clone();
        assert_eq!(records["inserted"], there.len(), "{}", loaded.finished);
        // Whole segments, and three rows refused in them at most.
        let segments: std::collections::BTreeSet<u64> = there.iter().map(|k| k / 10).collect();
        let refused =
            |segment: u64| (segment * 10..segment * 10 + 10).filter(|k| k % 25 == 24).count();
        let whole: usize = segments.iter().map(|segment| 10 - refused(*segment)).sum();
        assert_eq!(whole, there.len(), "{there:?}");
        assert!(segments.iter().map(|segment| refused(*segment)).sum::<usize>() <= 3, "{there:?}");
        if lanes == 1 {
            assert!(there.len() <= 99 - 3, "{there:?}");
        }
    }
}

fn rows_that_refer_to_earlier_rows(server: &Server) {
    let database = Database::new(server);
    database
        .client
        .run("CREATE TABLE t (k INT PRIMARY KEY, above INT, FOREIGN KEY (above) REFERENCES t (k))");
    let lines: String = (1..200).map(|k| format!("{k},{}\n", k / 2).replace(",0", ",")).collect();
    Load::csv(&database, workdir!(), format!("k,above\n{lines}"))
        .with("--batch-size 10 --lanes 4 --workers 2")
        .run()
        .completes()
        .says("refers to the table itself")
        .counts("read 199, inserted 199");
}

fn a_table_is_created_when_asked_for(server: &Server) {
    let database = Database::new(server);
    let text = "id,price,name\n1,1.50,x\n2,20.25,\n";
    let load = || Load::csv(&database, workdir!(), text).with("--infer --create-table --key id");
    load().run().completes().counts("read 2, inserted 2");
    let lines = database
        .client
        .lines("SELECT id, price = id * 1.5 OR price = 20.25, name FROM t ORDER BY id");
    assert_eq!(lines, ["1|1|x", "2|1|"]);
    // The key that was asked for is the table's, and the table stays.
    load().run().completes().counts("read 2, duplicate 2");
}

fn nothing_is_written_while_the_throttle_query_is_true(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    database.client.run("CREATE TABLE held_back (n INT)");
    database.client.run("INSERT INTO held_back VALUES (1)");
    let load = Load::csv(&database, workdir!(), "k\n1\n2\n")
        .with("--metrics-port 0 --throttle-query")
        .arg("SELECT COUNT(*) FROM held_back");
    let mut running = load.program().spawn();
    let address = running.metrics_address();
    eventually("the run to wait for the throttle", || {
        let scrape = Scrape::of(&address);
        let waits = scrape.samples.iter().filter(|sample| sample.value > 0.0);
        let is_held =
            waits.into_iter().any(|sample| sample.labels.values().any(|v| v == "throttle"));
        is_held.then_some(())
    });
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 0);
    database.client.run("DELETE FROM held_back");
    load.ended(running.finish()).completes().counts("read 2, inserted 2");
    let wrong = Load::csv(&database, workdir!(), "k\n3\n").with("--throttle-query");
    wrong.arg("SELECT nothing").run().ends_with(2).says("--throttle-query");
}
