//! Fields that records lack: what the server makes of the columns, and what stays as it is.

use crate::support::{Database, Load, Server, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    an_upsert_sets_what_the_record_has
    columns_that_no_field_goes_into_are_never_touched
    what_a_record_lacks_is_reset_where_that_is_wanted
    equal_keys_with_different_fields_go_one_after_another
    a_default_is_what_the_server_makes_of_it
    absent_numbers_are_the_servers_next
    a_number_may_meet_another
    used_up_numbers_are_no_duplicates
    a_key_with_a_part_of_the_server_is_met
    a_field_that_turns_up_late_has_its_column
    many_sets_of_fields_are_as_one_at_a_time
    tables_with_our_own_names_are_written_to
    a_table_as_wide_as_a_row_may_be
    rows_with_equal_prefixes_are_the_same
    updates_that_show_are_made_one_after_another
    a_null_that_stays_is_unchanged
    numbers_that_run_out_reject_their_records
    a_trigger_that_meets_a_key_elsewhere_makes_no_duplicate
    a_default_may_be_made_of_other_columns
    zero_is_zero_beside_values_that_are_converted
    numbers_are_used_up_at_the_end_of_the_widest_type
    numbers_of_a_sequence_are_the_servers
    text_of_a_key_is_set_whole_where_rows_are_counted
    a_row_may_be_there_by_the_default_of_its_key
    a_row_that_is_passed_over_is_not_counted_as_another
    a_number_that_was_given_is_not_said_by_another_record
}

/// Every way that rows can take.
const WAYS: [&str; 4] =
    ["", "--batch-size 2 --lanes 4", "--no-load-data", "--no-load-data --batch-size 3"];

fn an_upsert_sets_what_the_record_has(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, a INT, b VARCHAR(9) DEFAULT 'x', c INT DEFAULT 3)",
    );
    for way in WAYS {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 10, 'own', 100), (2, 20, 'own', 200)");
        let text = "{\"k\":1,\"a\":11}\n{\"k\":2,\"b\":null}\n{\"k\":3,\"a\":30}\n{\"k\":4}\n";
        let loaded = Load::jsonl(&database, workdir!(), text)
            .with("--mode upsert")
            .with(way)
            .run()
            .completes();
        let expected = ["1|11|own|100", "2|20|NULL|200", "3|30|x|3", "4|NULL|x|3"];
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{way}");
        // `c` is in no record, so nobody knows of it.
        assert_eq!(loaded.summary()["values_kept"], 5, "{way}");
    }
}

fn columns_that_no_field_goes_into_are_never_touched(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, n INT, v INT, own VARCHAR(9), state VARCHAR(9) NOT NULL DEFAULT 'new')",
    );
    for missing in ["keep", "default"] {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 1, 1, 'mine', 'done')");
        let text = "{\"k\":1,\"n\":5}\n{\"k\":2,\"n\":6}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode upsert --missing")
            .with(missing)
            .run()
            .completes();
        let expected = ["1|5|1|mine|done", "2|6|NULL|NULL|new"];
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{missing}");
    }
}

fn what_a_record_lacks_is_reset_where_that_is_wanted(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, a INT, b VARCHAR(9) DEFAULT 'x', j JSON DEFAULT (json_array(1)), own INT)",
    );
    for way in WAYS {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 10, 'y', '{}', 7), (2, 20, 'y', '{}', 8)");
        let text = "{\"k\":1,\"a\":11}\n{\"k\":2,\"b\":\"z\"}\n{\"k\":3,\"j\":[]}\n{\"k\":4}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode upsert --missing default")
            .with(way)
            .run()
            .completes();
        let expected = ["1|11|x|[1]|7", "2|NULL|z|[1]|8", "3|NULL|x|[]|NULL", "4|NULL|x|[1]|NULL"];
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{way}");
    }
}

fn equal_keys_with_different_fields_go_one_after_another(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, a INT DEFAULT 1, b INT DEFAULT 2)");
    let text = "{\"k\":1,\"a\":10}\n{\"k\":1,\"b\":20}\n{\"k\":2,\"b\":5}\n{\"k\":1,\"a\":null}\n";
    for way in WAYS {
        client.run("DELETE FROM t");
        Load::jsonl(&database, workdir!(), text).with("--mode upsert").with(way).run().completes();
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), ["1|NULL|20", "2|1|5"], "{way}");
        client.run("DELETE FROM t");
        let skipped = Load::jsonl(&database, workdir!(), text).with("--mode skip").with(way);
        skipped.run().completes().counts("read 4, inserted 2, duplicate 2");
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), ["1|10|2", "2|1|5"], "{way}");
    }
}

fn a_default_is_what_the_server_makes_of_it(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("SET NAMES utf8mb4");
    client.run("SET time_zone = '+05:00'");
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET utf8mb4 DEFAULT '😀x', \
         f FLOAT DEFAULT 1234567.8, ts TIMESTAMP NULL DEFAULT '2020-01-01 12:00:00', \
         b VARBINARY(9) DEFAULT 0x00FF, w INT)",
    );
    client.run("INSERT INTO t (k, w) VALUES (0, 0)");
    let looked = "SELECT COUNT(DISTINCT HEX(v), f + 0e0, ts, HEX(b)), COUNT(*) FROM t";
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("DELETE FROM t WHERE k > 0");
        let text = "{\"k\":1}\n{\"k\":2,\"w\":1}\n{\"k\":3}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode")
            .with(mode)
            .with(way)
            .run()
            .completes();
        assert_eq!(client.lines(looked), ["1|4"], "{mode} {way}");
        client.run("DELETE FROM t WHERE k > 0");
        // Beside records that have them.
        let text = "{\"k\":1}\n{\"k\":2,\"v\":\"a\",\"f\":1,\"b\":\"b\"}\n{\"k\":3}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode")
            .with(mode)
            .with(way)
            .run()
            .completes();
        assert_eq!(client.lines(looked), ["2|4"], "{mode} {way}");
    }
}

fn absent_numbers_are_the_servers_next(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)");
    let text: String = ["{\"id\":1000,\"v\":-1}\n".to_string()]
        .into_iter()
        .chain((1..7).map(|v| format!("{{\"v\":{v}}}\n")))
        .collect();
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("TRUNCATE TABLE t");
        Load::jsonl(&database, workdir!(), &text)
            .with("--mode")
            .with(mode)
            .with(way)
            .run()
            .completes()
            .counts("read 7, inserted 7");
        let expected = ["-1|1", "1|1", "2|1", "3|1", "4|1", "5|1", "6|1"];
        let found =
            client.lines("SELECT v, COUNT(*) FROM t WHERE id >= 1000 GROUP BY v ORDER BY v");
        assert_eq!(found, expected, "{mode} {way}");
    }
}

/// A document says a number that the server has given to another.
fn a_number_may_meet_another(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)");
    let text = "{\"id\":5,\"v\":0}\n{\"v\":1}\n{\"id\":6,\"v\":2}\n{\"v\":3}\n";
    for (mode, counts, expected) in [
        ("skip", "read 4, inserted 3, duplicate 1", ["5|0", "6|1", "7|3"]),
        ("upsert", "read 4, inserted 3, failed 1", ["5|0", "6|1", "7|3"]),
        ("insert", "read 4, inserted 3, failed 1", ["5|0", "6|1", "7|3"]),
    ] {
        // One row a batch, so that numbers are as if they came one at a time.
        for way in ["--batch-size 1 --lanes 4", "--batch-size 1 --no-load-data"] {
            client.run("TRUNCATE TABLE t");
            let load = Load::jsonl(&database, workdir!(), text).with("--max-errors 1 --mode");
            load.with(mode).with(way).run().completes().counts(counts);
            assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), expected, "{mode} {way}");
        }
    }
}

fn used_up_numbers_are_no_duplicates(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id TINYINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(9) NOT NULL UNIQUE, v INT)",
    );
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        for (rows, new) in [(&["a,1", "b,2", "z,3"][..], 2), (&["z,3"], 0)] {
            client.run("DELETE FROM t");
            client.run("INSERT INTO t VALUES (127, 'z', 99)");
            let text = format!("k,v\n{}\n", rows.join("\n"));
            let loaded = Load::csv(&database, workdir!(), &text)
                .with("--max-errors 9 --mode")
                .with(mode)
                .with(way)
                .run()
                .completes();
            let failed = loaded.summary()["records"]["failed"].as_u64().unwrap();
            // MariaDB looks for a number before it looks whether the row is there.
            let may_fail = *mode == "insert" || server.is_mariadb;
            let expected = new..=new + u64::from(may_fail);
            assert!(expected.contains(&failed), "{mode} {way} {rows:?}: {failed}");
            let is_updated = *mode == "upsert" && failed == new;
            let z = if is_updated { "127|z|3" } else { "127|z|99" };
            assert_eq!(client.lines("SELECT * FROM t"), [z], "{mode} {way}");
        }
    }
}

fn a_key_with_a_part_of_the_server_is_met(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let columns = "k VARCHAR(9) PRIMARY KEY, v INT, w INT";
    client.run(format!(
        "CREATE TABLE t ({columns}, day DATE DEFAULT (current_date), UNIQUE u (day, v))"
    ));
    client.run(format!("CREATE TABLE x ({columns}, s VARBINARY(5) DEFAULT 'ab', UNIQUE u (s, v))"));
    for (table, way) in ["t", "x"].iter().flat_map(|table| WAYS.map(|way| (table, way))) {
        client.run(format!("DELETE FROM {table}"));
        let loaded = Load::csv(&database, workdir!(), "k,v,w\na,1,10\nb,1,20\na,1,30\n")
            .with("--mode upsert --max-errors 1 --db-table")
            .with(table)
            .with(way)
            .run()
            .completes();
        let found = client.lines(&format!("SELECT k, v, w FROM {table}"));
        assert_eq!(found, ["a|1|30"], "{table} {way}");
        let rejects = loaded.rejects();
        assert_eq!((rejects[0].line, rejects[0].error_type.as_str()), (3, "duplicate_key"));
    }
}

fn a_field_that_turns_up_late_has_its_column(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad TEXT, ts DATETIME DEFAULT CURRENT_TIMESTAMP)",
    );
    let pad = "x".repeat(1000);
    let rows = (0..600).map(|id| format!("{{\"id\":{id},\"v\":1,\"pad\":\"{pad}\"}}\n"));
    let late = "{\"id\":600,\"v\":1,\"ts\":\"2001-02-03 04:05:06\"}\n".to_string();
    let text: String = rows.chain([late]).collect();
    for new_fields in ["refuse", "ignore"] {
        client.run("DELETE FROM t");
        Load::jsonl(&database, workdir!(), &text)
            .with("--new-fields")
            .with(new_fields)
            .run()
            .completes()
            .counts("read 601, inserted 601");
        let ts = client.text("SELECT ts FROM t WHERE id = 600");
        assert_eq!(ts, "2001-02-03 04:05:06", "{new_fields}");
    }
}

fn many_sets_of_fields_are_as_one_at_a_time(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let columns = "(k INT PRIMARY KEY, a INT DEFAULT 1, b INT, c VARCHAR(9) NOT NULL DEFAULT 'c', \
                   d INT DEFAULT (1 + 1), e INT, f INT DEFAULT 0)";
    client.run(format!("CREATE TABLE t {columns}"));
    client.run(format!("CREATE TABLE o {columns}"));
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let rows: Vec<Vec<(&str, String)>> = (0..400)
        .map(|_| {
            let mut row = vec![("k", next(250).to_string())];
            for name in ["a", "b", "c", "d", "e", "f"] {
                match next(4) {
                    0 => {}
                    1 if name != "c" => row.push((name, "null".to_string())),
                    _ => row.push((name, next(9).to_string())),
                }
            }
            row
        })
        .collect();
    let line = |row: &Vec<(&str, String)>| {
        let fields: Vec<String> =
            row.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    let text: String = rows.iter().map(line).collect();
    for mode in ["skip", "upsert"] {
        client.run("DELETE FROM o");
        for row in &rows {
            let part = |of: fn(&(&str, String)) -> String| row.iter().map(of).collect::<Vec<_>>();
            let updates = match mode {
                "skip" => vec!["o.k = o.k".to_string()],
                _ => part(|(name, _)| format!("{name} = VALUES({name})")),
            };
            client.run(format!(
                "INSERT INTO o ({}) VALUES ({}) ON DUPLICATE KEY UPDATE {}",
                part(|(name, _)| name.to_string()).join(", "),
                part(|(_, value)| value.clone()).join(", "),
                updates.join(", ")
            ));
        }
        let expected = client.lines("SELECT * FROM o ORDER BY k");
        for way in ["", "--batch-size 20 --lanes 4", "--batch-size 50 --no-load-data"] {
            client.run("DELETE FROM t");
            Load::jsonl(&database, workdir!(), &text)
                .with("--mode")
                .with(mode)
                .with(way)
                .run()
                .completes();
            assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{mode} {way}");
        }
    }
}

fn tables_with_our_own_names_are_written_to(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for table in ["flowgauge_staging", "flowgauge_new", "flowgauge_row", "flowgauge_rank"] {
        client.run(format!("CREATE TABLE {table} (k INT PRIMARY KEY, v INT)"));
        for way in WAYS {
            client.run(format!("DELETE FROM {table}"));
            Load::csv(&database, workdir!(), "k,v\n1,1\n2,2\n1,3\n")
                .with("--mode upsert --db-table")
                .with(table)
                .with(way)
                .run()
                .completes();
            let found = client.lines(&format!("SELECT * FROM {table} ORDER BY k"));
            assert_eq!(found, ["1|3", "2|2"], "{table} {way}");
        }
    }
    let load = Load::csv(&database, workdir!(), "job\nx\n").with("--mode insert --db-table");
    load.with("flowgauge_jobs").run().ends_with(2).says("flowgauge keeps its own state in it");
}

fn a_table_as_wide_as_a_row_may_be(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(16382) CHARACTER SET utf8mb4 NOT NULL)",
    );
    Load::csv(&database, workdir!(), "id,v\n1,a\n2,b\n1,c\n")
        .with("--mode upsert")
        .run()
        .completes();
    assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), ["1|c", "2|b"]);
}

fn rows_with_equal_prefixes_are_the_same(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client
        .run("CREATE TABLE t (c VARCHAR(9) NOT NULL, v INT, u INT, UNIQUE p (c(1)), UNIQUE q (u))");
    for way in WAYS {
        client.run("DELETE FROM t");
        Load::csv(&database, workdir!(), "c,v,u\nax,1,1\nay,2,2\nbx,3,3\n")
            .with("--mode upsert --key c")
            .with(way)
            .run()
            .completes();
        assert_eq!(client.lines("SELECT * FROM t ORDER BY c"), ["ay|2|2", "bx|3|3"], "{way}");
    }
}

/// The server counts it as new where the column has another default.
fn a_null_that_stays_is_unchanged(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k VARCHAR(9) PRIMARY KEY, v INT DEFAULT 5, u INT UNIQUE)");
    for (key, way) in ["", "--key k"].iter().flat_map(|key| WAYS.map(|way| (key, way))) {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES ('a', NULL, 1), ('b', NULL, 2), ('c', 7, 3), ('d', 8, 4)");
        let (select, rows) = match *key {
            "" => ("--select k,v", "k,v\na,\nb,\nc,7\nd,9\ne,1\n"),
            _ => ("--select k,v,u", "k,v,u\na,,1\nb,,2\nc,7,3\nd,9,4\ne,1,5\n"),
        };
        let load = Load::csv(&database, workdir!(), rows).with("--mode upsert").with(select);
        load.with(key)
            .with(way)
            .run()
            .completes()
            .counts("read 5, inserted 1, updated 1, unchanged 3");
        let expected = ["a|NULL", "b|NULL", "c|7", "d|9", "e|1"];
        assert_eq!(client.lines("SELECT k, v FROM t ORDER BY k"), expected, "{key} {way}");
    }
}

fn numbers_that_run_out_reject_their_records(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id TINYINT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, v INT)");
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("TRUNCATE TABLE t");
        client.run("ALTER TABLE t AUTO_INCREMENT = 127");
        let text = "{\"k\":1}\n{\"k\":2}\n{\"k\":3}\n";
        let load = Load::jsonl(&database, workdir!(), text).with("--key k --max-errors 9 --mode");
        let loaded = load.with(mode).with(way).run().completes();
        // In MariaDB the last number may be gone with a try that was rolled back.
        let rows = client.lines("SELECT * FROM t");
        assert!(
            rows == ["127|1|NULL"] || server.is_mariadb && rows.is_empty(),
            "{mode} {way}: {rows:?}"
        );
        assert_eq!(loaded.summary()["records"]["failed"], 3 - rows.len(), "{mode} {way}");
    }
}

/// In a table of the same name: a server may say no more of it than that.
fn a_trigger_that_meets_a_key_elsewhere_makes_no_duplicate(server: &Server) {
    let (database, audit) = (Database::new(server), Database::new(server));
    let client = &database.client;
    audit.client.run("CREATE TABLE t (id INT PRIMARY KEY)");
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    client.run(format!(
        "CREATE DEFINER = root@'127.0.0.1' TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO {}.t VALUES (NEW.v)",
        audit.name
    ));
    client.run("CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v + 100");
    for way in WAYS {
        client.run("DELETE FROM t");
        audit.client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (9, 9)");
        let text =
            "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":1}\n{\"id\":3,\"v\":3}\n{\"id\":9,\"v\":7}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode skip --max-errors 1")
            .with(way)
            .run()
            .completes()
            .counts("read 4, inserted 2, duplicate 1, failed 1");
        assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), ["1|1", "3|3", "9|9"], "{way}");
        // All of them are there: the short way.
        let again = "{\"id\":3,\"v\":1}\n{\"id\":1,\"v\":1}\n";
        let load = Load::jsonl(&database, workdir!(), again).with("--mode skip").with(way);
        load.run().completes().counts("read 2, duplicate 2");
    }
}

/// The second row of a key is an update, which shows in a column of its own; and with several unique
/// keys it may make way for another row.
fn updates_that_show_are_made_one_after_another(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, v INT, ts TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP)",
    );
    client.run("CREATE TABLE x (k INT PRIMARY KEY, u INT UNIQUE)");
    for way in WAYS {
        client.run("DELETE FROM t");
        client.run("DELETE FROM x");
        Load::csv(&database, workdir!(), "k,v\n1,1\n2,2\n1,3\n")
            .with("--mode upsert")
            .with(way)
            .run()
            .completes();
        let found = client.lines("SELECT k, v, ts IS NULL FROM t ORDER BY k");
        assert_eq!(found, ["1|3|0", "2|2|1"], "{way}");
        let loaded = Load::csv(&database, workdir!(), "k,u\n1,5\n2,5\n1,6\n")
            .with("--mode upsert --key k --max-errors 1 --db-table x")
            .with(way)
            .run()
            .completes();
        assert_eq!(loaded.rejects()[0].line, 3, "{way}");
        assert_eq!(client.lines("SELECT * FROM x"), ["1|6"], "{way}");
    }
}

fn a_default_may_be_made_of_other_columns(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT PRIMARY KEY, b INT DEFAULT (a * 10), a INT DEFAULT 3, z INT DEFAULT (a + 1))",
    );
    let text = "{\"k\":1,\"a\":5}\n{\"k\":2}\n{\"k\":3,\"b\":7}\n{\"k\":4,\"a\":6,\"b\":1}\n";
    let expected = ["1|50|5|6", "2|30|3|4", "3|7|3|4", "4|1|6|7"];
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("DELETE FROM t");
        let load = Load::jsonl(&database, workdir!(), text).with("--mode").with(mode).with(way);
        load.run().completes();
        assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), expected, "{mode} {way}");
    }
    // It is made when the row is, of what the first record says.
    let text = "{\"k\":1,\"a\":1}\n{\"k\":2,\"a\":9,\"b\":0}\n{\"k\":1,\"a\":2}\n";
    for way in WAYS {
        client.run("DELETE FROM t");
        Load::jsonl(&database, workdir!(), text).with("--mode upsert").with(way).run().completes();
        let found = client.lines("SELECT * FROM t ORDER BY k");
        assert_eq!(found, ["1|10|2|2", "2|0|9|10"], "{way}");
    }
}

fn zero_is_zero_beside_values_that_are_converted(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let converted = if server.is_mariadb { "UUID" } else { "JSON" };
    client.run(format!(
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, w VARCHAR(9) CHARACTER SET latin1, c {converted})"
    ));
    client.run(
        "CREATE TABLE x (w VARCHAR(9) CHARACTER SET latin1 PRIMARY KEY, id INT AUTO_INCREMENT, KEY (id))",
    );
    client.run("CREATE TABLE y (id INT AUTO_INCREMENT PRIMARY KEY, w VARCHAR(9), c INT)");
    client.run("CREATE TRIGGER i BEFORE INSERT ON y FOR EACH ROW SET NEW.c = 1");
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        for table in ["t", "x", "y"] {
            client.run(format!("TRUNCATE TABLE {table}"));
            let text = "{\"id\":0,\"w\":\"a\"}\n{\"id\":1,\"w\":\"b\"}\n{\"id\":-7,\"w\":\"c\"}\n{\"w\":\"d\"}\n";
            let load = Load::jsonl(&database, workdir!(), text).with("--mode").with(mode);
            let load = load.with(way).with("--db-table").with(table);
            load.run().completes().counts("read 4, inserted 4");
            let found = client.lines(&format!("SELECT w, id FROM {table} ORDER BY w"));
            assert_eq!(found, ["a|0", "b|1", "c|-7", "d|2"], "{table} {mode} {way}");
        }
    }
}

/// There the server says so in a way of its own.
fn numbers_are_used_up_at_the_end_of_the_widest_type(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)");
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (18446744073709551615, 0)");
        let text = "{\"id\":5,\"v\":1}\n{\"v\":2}\n{\"id\":6,\"v\":3}\n";
        let loaded = Load::jsonl(&database, workdir!(), text)
            .with("--max-errors 1 --mode")
            .with(mode)
            .with(way)
            .run()
            .completes()
            .counts("read 3, inserted 2, failed 1");
        let rejects = loaded.rejects();
        let reason = "the numbers of an AUTO_INCREMENT column are used up (mysql error 1467)";
        assert_eq!((rejects[0].line, rejects[0].reason.as_str()), (2, reason), "{mode} {way}");
    }
}

fn numbers_of_a_sequence_are_the_servers(server: &Server) {
    if !server.is_mariadb {
        return;
    }
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE SEQUENCE numbers");
    client.run("CREATE TABLE t (id INT PRIMARY KEY DEFAULT (NEXTVAL(numbers)), v INT)");
    for (mode, way) in
        ["insert", "skip", "upsert"].iter().flat_map(|mode| WAYS.map(|way| (mode, way)))
    {
        client.run("DELETE FROM t");
        client.run("SELECT SETVAL(numbers, 1, 0)");
        // Every number that the server may come to is there.
        client.run("INSERT INTO t (id, v) SELECT seq, 100 FROM seq_1_to_900");
        let text = "{\"id\":1000,\"v\":1}\n{\"v\":2}\n{\"v\":3}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--max-errors 2 --mode")
            .with(mode)
            .with(way)
            .run()
            .completes()
            .counts("read 3, inserted 1, failed 2");
        let found = client.lines("SELECT v, COUNT(*) FROM t GROUP BY v ORDER BY v");
        assert_eq!(found, ["1|1", "100|900"], "{mode} {way}");
    }
}

/// MariaDB gives the old bytes for what a statement has set before.
fn text_of_a_key_is_set_whole_where_rows_are_counted(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (c TEXT NOT NULL, v INT DEFAULT 5, UNIQUE p (c(1)))");
    for way in WAYS {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES ('äa', 3), ('bbb', 4)");
        let text = "{\"c\":\"A\",\"v\":3}\n{\"c\":\"B\",\"v\":null}\n";
        Load::jsonl(&database, workdir!(), text).with("--mode upsert").with(way).run().completes();
        assert_eq!(client.lines("SELECT c, v FROM t ORDER BY c"), ["A|3", "B|NULL"], "{way}");
    }
}

/// Where triggers run, the row is looked for in the table.
fn a_row_may_be_there_by_the_default_of_its_key(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT, c ENUM('a', 'it''s') NOT NULL DEFAULT 'it''s', v INT, PRIMARY KEY (k, c))",
    );
    client.run("CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v + 100");
    for way in WAYS {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (3, 'it''s', 1)");
        let text = "{\"k\":3}\n{\"k\":3,\"c\":\"a\",\"v\":2}\n{\"k\":3,\"v\":3}\n{\"k\":4}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode skip")
            .with(way)
            .run()
            .completes()
            .counts("read 4, inserted 2, duplicate 2");
        let expected = ["3|a|2", "3|it's|1", "4|it's|NULL"];
        assert_eq!(
            client.lines("SELECT k, c, v FROM t ORDER BY k, c = 'a' DESC"),
            expected,
            "{way}"
        );
    }
}

/// A NULL in a column with another default, set to itself, counts as an update.
fn a_row_that_is_passed_over_is_not_counted_as_another(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (k INT DEFAULT 2 UNIQUE, id INT NOT NULL PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT '2001-02-03 04:05:06' ON UPDATE CURRENT_TIMESTAMP)",
    );
    client.run("CREATE TABLE u (k INT DEFAULT 2 UNIQUE, id INT DEFAULT 3 UNIQUE)");
    for (table, way) in ["t", "u"].iter().flat_map(|table| WAYS.map(|way| (table, way))) {
        client.run(format!("DELETE FROM {table}"));
        let text =
            "{\"id\":1,\"k\":null}\n{\"id\":1,\"k\":3}\n{\"id\":4,\"k\":4}\n{\"id\":1,\"k\":4}\n";
        Load::jsonl(&database, workdir!(), text)
            .with("--mode skip --key k --db-table")
            .with(table)
            .with(way)
            .run()
            .completes()
            .counts("read 4, inserted 2, duplicate 2");
        let found = client.lines(&format!("SELECT k, id FROM {table} ORDER BY id"));
        assert_eq!(found, ["NULL|1", "4|4"], "{table} {way}");
        if *table == "t" {
            let changed = "SELECT COUNT(*) FROM t WHERE at <> '2001-02-03 04:05:06'";
            assert_eq!(client.number(changed), 0, "{way}");
        }
    }
}

fn a_number_that_was_given_is_not_said_by_another_record(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, w INT)");
    for way in WAYS {
        client.run("TRUNCATE TABLE t");
        client.run("INSERT INTO t VALUES (1, 1, 1), (10, 10, 10)");
        let text = "{\"v\":2}\n{\"v\":3}\n{\"id\":11,\"v\":4}\n{\"id\":1,\"v\":5}\n{\"id\":12,\"v\":6,\"w\":6}\n\
                    {\"id\":500,\"v\":7}\n{\"v\":8}\n{\"id\":500,\"v\":9}\n{\"id\":501,\"v\":10}\n";
        let loaded = Load::jsonl(&database, workdir!(), text)
            .with("--mode upsert --max-errors 9")
            .with(way)
            .run()
            .completes()
            .rejected(&["3:id duplicate_key", "5:id duplicate_key", "9:id duplicate_key"])
            .counts("read 9, inserted 4, updated 2, failed 3");
        let reason = "the server may have given this number to another record of this run";
        assert_eq!(loaded.rejects()[0].reason, reason);
        let expected = ["1|5|1", "10|10|10", "11|2|NULL", "12|3|NULL", "500|9|NULL", "501|8|NULL"];
        assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), expected, "{way}");
    }
}
