//! What a table does beside holding rows: foreign keys and checks that an account hardly sees,
//! definitions that change in the middle, versions, periods, indexes over expressions.

use std::io::Write;

use crate::support::load::Loaded;
use crate::support::{
    Database, Load, PrivateServer, Server, Workdir, eventually, on_both, workdir,
};

on_both! { needs!("mariadb"), needs!("mysql");
    foreign_keys_are_seen_by_accounts_with_rights_on_the_table
    rows_that_refer_to_each_other_keep_their_order
    checks_are_seen_by_accounts_with_rights_on_the_table
    json_is_json_to_accounts_with_rights_on_the_table
    rights_on_columns_are_enough_for_a_careful_load
    keys_may_have_any_name
    a_column_that_is_altered_in_the_middle_ends_the_run
    a_key_that_is_added_in_the_middle_ends_the_run
    an_engine_that_takes_nothing_back_is_said
    an_alter_that_changes_nothing_for_us_is_let_pass
    columns_that_documents_do_not_know_may_be_added
    a_trigger_that_is_added_in_the_middle_ends_the_run
    an_empty_file_is_a_complete_load
    triggers_that_the_account_cannot_see_are_reckoned_with
    sessions_mean_the_same_whatever_the_server_is_set_to
    prepared_statements_that_are_too_many_are_waited_for
}

mod only_mariadb {
    use crate::support::needs;

    #[test]
    fn versions_are_counted_right() {
        super::versions_are_counted_right(&super::Server::mariadb(needs!("mariadb")));
    }

    #[test]
    fn periods_that_overlap_are_no_duplicates() {
        super::periods_that_overlap_are_no_duplicates(&super::Server::mariadb(needs!("mariadb")));
    }
}

mod only_mysql {
    use crate::support::needs;

    #[test]
    fn what_an_index_over_an_expression_does_not_take_is_rejected() {
        super::what_an_index_over_an_expression_does_not_take_is_rejected(&super::Server::mysql(
            needs!("mysql"),
        ));
    }

    #[test]
    fn a_unique_key_over_arrays_tells_duplicates() {
        super::a_unique_key_over_arrays_tells_duplicates(&super::Server::mysql(needs!("mysql")));
    }
}

/// Rights on the table, and those on the state tables.
fn grant(database: &Database, rights: &str) {
    let (name, client) = (&database.name, &database.client);
    client.run("CREATE TABLE first (id INT PRIMARY KEY)");
    Load::csv(database, workdir!(), "id\n1\n").with("--db-table first").run().completes();
    client.run(format!("REVOKE ALL ON {name}.* FROM {name}@'%'"));
    client.run(format!("GRANT {rights} ON {name}.t TO {name}@'%'"));
    for table in ["flowgauge_jobs", "flowgauge_heartbeats"] {
        client.run(format!("GRANT SELECT, INSERT, UPDATE ON {name}.{table} TO {name}@'%'"));
    }
    client.run(format!("GRANT SELECT, INSERT, DELETE ON {name}.flowgauge_segments TO {name}@'%'"));
}

const DOCUMENTED: &str = "SELECT, INSERT, UPDATE";

fn foreign_keys_are_seen_by_accounts_with_rights_on_the_table(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE p (id INT PRIMARY KEY)");
    client.run("INSERT INTO p VALUES (1), (3)");
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT, FOREIGN KEY (v) REFERENCES p (id))");
    grant(&database, DOCUMENTED);
    for mode in ["skip", "upsert", "insert"] {
        client.run("DELETE FROM t");
        Load::csv(&database, workdir!(), "id,v\n1,1\n2,77\n3,3\n")
            .with("--max-errors 1 --mode")
            .with(mode)
            .run()
            .completes()
            .rejected(&["3: constraint"])
            .counts("read 3, inserted 2, failed 1");
        assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), ["1|1", "3|3"], "{mode}");
    }
}

fn rows_that_refer_to_each_other_keep_their_order(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT, FOREIGN KEY (v) REFERENCES t (id))");
    grant(&database, DOCUMENTED);
    for mode in ["skip", "upsert", "insert"] {
        client.run("UPDATE t SET v = NULL");
        client.run("DELETE FROM t");
        Load::csv(&database, workdir!(), "id,v\n5,\n1,5\n3,1\n2,3\n")
            .with("--lanes 4 --batch-size 2 --mode")
            .with(mode)
            .run()
            .completes()
            .counts("read 4, inserted 4");
        assert_eq!(client.number("SELECT COUNT(*) FROM t"), 4, "{mode}");
    }
}

fn checks_are_seen_by_accounts_with_rights_on_the_table(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT CHECK (v < 10), CONSTRAINT `it's` CHECK (id < 10))");
    grant(&database, DOCUMENTED);
    Load::csv(&database, workdir!(), "id,v\n1,1\n2,77\n3,3\n33,3\n")
        .with("--max-errors 2 --mode skip")
        .run()
        .completes()
        .rejected(&["3: constraint", "5: constraint"])
        .counts("read 4, inserted 2, failed 2");
}

fn json_is_json_to_accounts_with_rights_on_the_table(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, j JSON)");
    grant(&database, DOCUMENTED);
    Load::jsonl(&database, workdir!(), "{\"id\":1,\"j\":{\"a\":[1]}}\n{\"id\":2,\"j\":\"x\"}\n")
        .run()
        .completes()
        .counts("read 2, inserted 2");
    let sql = "SELECT JSON_EXTRACT(j, '$.a[0]'), JSON_TYPE(j) FROM t ORDER BY id";
    assert_eq!(client.lines(sql), ["1|OBJECT", "NULL|STRING"]);
}

fn rights_on_columns_are_enough_for_a_careful_load(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE p (id INT PRIMARY KEY)");
    client.run("INSERT INTO p VALUES (1), (3)");
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, hidden INT DEFAULT 7, \
         FOREIGN KEY (v) REFERENCES p (id), CHECK (id < 10))",
    );
    grant(&database, "SELECT (id, v), INSERT (id, v), UPDATE (id, v)");
    for mode in ["insert", "skip"] {
        client.run("DELETE FROM t");
        Load::csv(&database, workdir!(), "id,v\n1,1\n2,77\n3,3\n33,3\n")
            .with("--max-errors 2 --mode")
            .with(mode)
            .run()
            .completes()
            .rejected(&["3: constraint", "5: constraint"])
            .counts("read 4, inserted 2, failed 2");
        assert_eq!(client.lines("SELECT * FROM t ORDER BY id"), ["1|1|7", "3|3|7"], "{mode}");
    }
    Load::csv(&database, workdir!(), "id,v\n1,1\n3,1\n4,1\n")
        .with("--mode skip")
        .run()
        .completes()
        .counts("read 3, inserted 1, duplicate 2");
    // It might meet another row by a key that is not seen.
    Load::csv(&database, workdir!(), "id,v\n1,1\n")
        .with("--mode upsert")
        .run()
        .ends_with(2)
        .says("does not see all of table")
        .says("grant SELECT on the table");
}

fn keys_may_have_any_name(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for (table, key) in
        [("t", "it's"), ("n'm.o", "a' at row 3"), ("t", "a``b"), ("t", "for key 'x'")]
    {
        client
            .run(format!("CREATE TABLE `{table}` (k INT PRIMARY KEY, u INT, UNIQUE `{key}` (u))"));
        client.run(format!(
            "CREATE TRIGGER b BEFORE UPDATE ON `{table}` FOR EACH ROW SET NEW.u = OLD.u + 100"
        ));
        client.run(format!("INSERT INTO `{table}` VALUES (1, 1), (2, 2)"));
        Load::csv(&database, workdir!(), "k,u\n1,5\n3,2\n4,4\n")
            .arg("--db-table")
            .arg(&format!("`{table}`"))
            .with("--mode skip")
            .run()
            .completes()
            .counts("read 3, inserted 1, duplicate 2");
        let lines = client.lines(&format!("SELECT * FROM `{table}` ORDER BY k"));
        assert_eq!(lines, ["1|1", "2|2", "4|4"], "{table} {key}");
        client.run(format!("DROP TABLE `{table}`"));
    }
}

const BATCH: usize = 1000;
const BATCHES: usize = 40;

/// Rows that come over a pipe, and a change of the table when some of them are committed. Rows come
/// after it.
#[track_caller]
fn altered(
    database: &Database,
    workdir: Workdir,
    args: &str,
    row: fn(usize) -> String,
    alter: &[&str],
) -> Loaded {
    let load = Load::stdin(database, workdir);
    altered_amid(load, "id,v\n", args, row, alter)
}

#[track_caller]
fn altered_amid<'a>(
    load: Load<'a>,
    header: &str,
    args: &str,
    row: fn(usize) -> String,
    alter: &[&str],
) -> Loaded {
    let client = &load.database.client;
    let load = load.with("--batch-size 1000").with(args);
    let mut running = load.program().stdin_open().spawn();
    let mut input = running.stdin();
    let rows = |batch: usize| {
        (batch * BATCH..(batch + 1) * BATCH).map(|n| row(n) + "\n").collect::<String>()
    };
    input.write_all(header.as_bytes()).unwrap();
    for batch in 0..BATCHES {
        input.write_all(rows(batch).as_bytes()).unwrap();
    }
    eventually("a committed batch", || {
        (client.number("SELECT COUNT(*) FROM t") >= BATCH as u64).then_some(())
    });
    for sql in alter {
        client.run(sql);
    }
    let mut last = rows(BATCHES);
    last.push_str(&rows(BATCHES + 1));
    // The run may have ended by now.
    drop(input.write_all(last.as_bytes()));
    drop(input);
    load.ended(running.finish())
}

const WAYS: [&str; 5] = [
    "--lanes 1 --mode insert",
    "--lanes 1 --mode skip",
    "--lanes 1 --mode skip --no-load-data",
    "--lanes 1 --mode upsert",
    "--lanes 1 --mode upsert --no-load-data",
];

fn a_column_that_is_altered_in_the_middle_ends_the_run(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for way in WAYS {
        client.run("DROP TABLE IF EXISTS t");
        client.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(60))");
        altered(
            &database,
            workdir!(),
            way,
            |n| format!("{n},é{n}"),
            &["ALTER TABLE t MODIFY v VARCHAR(60) CHARACTER SET latin1"],
        )
        .ends_with(3)
        .says("was altered during the run: column 'v' was varchar(60) utf8mb4")
        .says("and is varchar(60) latin1");
        let bent = "SELECT COUNT(*) FROM t WHERE CONVERT(v USING utf8mb4) <> CONCAT('é', id)";
        assert_eq!(client.number(bent), 0, "{way}");
    }
}

fn a_key_that_is_added_in_the_middle_ends_the_run(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for way in WAYS {
        client.run("DROP TABLE IF EXISTS t");
        client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
        // From the last batches on, values are there already.
        let row = |n| format!("{n},{}", if n < BATCHES * BATCH { n } else { n - BATCHES * BATCH });
        altered(&database, workdir!(), way, row, &["ALTER TABLE t ADD UNIQUE u (v)"])
            .ends_with(3)
            .says("was altered during the run: unique key 'u' is new");
        let sql = "SELECT COUNT(*) FROM t WHERE id <> v";
        assert_eq!(client.number(sql), 0, "{way}");
    }
}

fn an_engine_that_takes_nothing_back_is_said(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for args in ["", "--allow-non-transactional"] {
        client.run("DROP TABLE IF EXISTS t");
        client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
        let args = format!("--lanes 1 --mode skip {args}");
        altered(
            &database,
            workdir!(),
            &args,
            |n| format!("{n},1"),
            &["ALTER TABLE t ENGINE=MyISAM"],
        )
        .ends_with(3)
        .says("its engine was InnoDB and is MyISAM, which does not take back the batch");
    }
}

fn an_alter_that_changes_nothing_for_us_is_let_pass(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for way in WAYS {
        let way = &way.replace("--lanes 1", "--lanes 4");
        client.run("DROP TABLE IF EXISTS t");
        client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
        altered(
            &database,
            workdir!(),
            way,
            |n| format!("{n},{n}"),
            &[
                "ALTER TABLE t ADD INDEX i (v)",
                "ALTER TABLE t ADD w INT NOT NULL DEFAULT 5 FIRST",
                "ALTER TABLE t PARTITION BY KEY (id) PARTITIONS 3",
            ],
        )
        .completes()
        .counts("read 42000, inserted 42000");
        assert_eq!(client.number("SELECT COUNT(*) FROM t WHERE v = id AND w = 5"), 42_000, "{way}");
    }
}

fn columns_that_documents_do_not_know_may_be_added(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    let alter = ["ALTER TABLE t ADD w INT", "ALTER TABLE t ADD x INT DEFAULT 5 FIRST"];
    let row = |n| format!("{{\"id\":{n},\"v\":{n}}}");
    let load = Load::stdin_jsonl(&database, workdir!());
    altered_amid(load, "", "--mode upsert --lanes 2", row, &alter)
        .completes()
        .counts("read 42000, inserted 42000");
    assert_eq!(client.number("SELECT COUNT(*) FROM t WHERE x = 5 AND w IS NULL"), 42_000);
    client.run("DROP TABLE t");
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    let load = Load::stdin_jsonl(&database, workdir!());
    altered_amid(load, "", "--mode upsert --lanes 2", row, &["ALTER TABLE t DROP v"])
        .ends_with(3)
        .says("was altered during the run: column 'v' is gone");
}

fn a_trigger_that_is_added_in_the_middle_ends_the_run(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    let trigger = "CREATE TRIGGER late BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 0";
    altered(&database, workdir!(), "--mode skip", |n| format!("{n},{n}"), &[trigger])
        .ends_with(3)
        .says("was altered during the run: trigger 'late' is new");
}

fn an_empty_file_is_a_complete_load(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)");
    client.run("INSERT INTO t VALUES (1, 1)");
    for args in ["", "--mode upsert", "--mode insert", "--mode skip --key id", "--select id,v"] {
        Load::csv(&database, workdir!(), "")
            .with("--allow-empty")
            .with(args)
            .run()
            .completes()
            .counts("");
        assert_eq!(client.lines("SELECT * FROM t"), ["1|1"]);
    }
    Load::csv(&database, workdir!(), "").run().ends_with(3);
}

fn versions_are_counted_right(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let text: String = (0..50).map(|n| format!("{},{n}\n", n % 10)).collect();
    let text = format!("k,v\n{text}");
    for options in [
        "WITH SYSTEM VERSIONING",
        "WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME \
         (PARTITION h HISTORY, PARTITION c CURRENT)",
    ] {
        client.run("DROP TABLE IF EXISTS t");
        client.run(format!("CREATE TABLE t (k INT PRIMARY KEY, v INT) {options}"));
        for args in ["", "--no-load-data"] {
            client.run("DELETE FROM t");
            client.run("DELETE HISTORY FROM t");
            client.run("INSERT INTO t VALUES (1, 100)");
            let load = |mode| {
                Load::csv(&database, workdir!(), &text).with(args).with(mode).run().completes()
            };
            load("--mode skip").counts("read 50, inserted 9, duplicate 41");
            let versions = "SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL";
            assert_eq!(client.number(versions), 10, "{options} {args}");
            assert_eq!(client.number("SELECT v FROM t WHERE k = 1"), 100);
            load("--mode skip").counts("read 50, duplicate 50");
            assert_eq!(client.number(versions), 10, "{options} {args}");
            // To the server a row that is set to itself is a version, too.
            drop(load("--mode upsert"));
            let last = "SELECT COUNT(*), MIN(v), MAX(v) FROM t";
            assert_eq!(client.lines(last), ["10|40|49"], "{options} {args}");
        }
    }
}

fn periods_that_overlap_are_no_duplicates(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, k INT, s DATE, e DATE, PERIOD FOR p (s, e), \
         UNIQUE u (k, p WITHOUT OVERLAPS))",
    );
    client.run("INSERT INTO t VALUES (1, 1, '2020-01-01', '2020-02-01')");
    let text = "id,k,s,e\n1,1,2020-01-01,2020-02-01\n2,1,2020-01-15,2020-03-01\n\
                3,2,2020-01-15,2020-03-01\n4,2,2020-02-15,2020-04-01\n5,3,2020-05-01,2020-04-01\n";
    for args in ["", "--no-load-data"] {
        client.run("DELETE FROM t WHERE id > 1");
        Load::csv(&database, workdir!(), text)
            .with("--mode skip --max-errors 3")
            .with(args)
            .run()
            .completes()
            .rejected(&["3: duplicate_key", "5: duplicate_key", "6: constraint"])
            .counts("read 5, inserted 1, duplicate 1, failed 3");
        assert_eq!(client.lines("SELECT id FROM t ORDER BY id"), ["1", "3"]);
    }
    Load::csv(&database, workdir!(), text)
        .with("--mode upsert")
        .run()
        .ends_with(2)
        .says("key 'u' WITHOUT OVERLAPS");
}

fn what_an_index_over_an_expression_does_not_take_is_rejected(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, j JSON, INDEX ((CAST(j->>'$.x' AS UNSIGNED))), \
         INDEX ((CAST(j->>'$.d' AS DECIMAL(3, 1)))), INDEX ((CAST(j->'$.c' AS CHAR(3) ARRAY))), \
         INDEX ((CAST(j->'$.n' AS UNSIGNED ARRAY))))",
    );
    let many: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    let documents = [
        r#"{"x":1}"#.to_string(),
        r#"{"x":"abc"}"#.to_string(),
        r#"{"x":99999999999999999999999}"#.to_string(),
        r#"{"d":1e300}"#.to_string(),
        r#"{"c":["abcdef"]}"#.to_string(),
        r#"{"n":["x"]}"#.to_string(),
        r#"{"n":[-1]}"#.to_string(),
        r#"{"n":{}}"#.to_string(),
        format!(r#"{{"n":[{}]}}"#, many.join(",")),
        r#"{"x":2,"d":2.5,"c":["a"],"n":[1,2]}"#.to_string(),
    ];
    let line = |(id, document): (usize, &String)| format!("{{\"id\":{id},\"j\":{document}}}\n");
    let text: String = documents.iter().enumerate().map(line).collect();
    for mode in ["insert", "skip", "upsert"] {
        client.run("DELETE FROM t");
        let loaded = Load::jsonl(&database, workdir!(), &text)
            .with("--max-errors 8 --mode")
            .with(mode)
            .run()
            .completes()
            .counts("read 10, inserted 2, failed 8");
        let mut lines: Vec<u64> = loaded.rejects().iter().map(|one| one.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9], "{mode}");
        assert_eq!(client.lines("SELECT id FROM t ORDER BY id"), ["0", "9"], "{mode}");
    }
}

fn a_unique_key_over_arrays_tells_duplicates(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, j JSON, UNIQUE u ((CAST(j->'$.a' AS UNSIGNED ARRAY))))",
    );
    let text = "{\"id\":1,\"j\":{\"a\":[7]}}\n{\"id\":2,\"j\":{\"a\":[2,3]}}\n\
                {\"id\":3,\"j\":{\"a\":[4]}}\n{\"id\":4,\"j\":{\"a\":[4,5]}}\n";
    for args in ["", "--no-load-data"] {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, '{\"a\": [1, 2]}')");
        Load::jsonl(&database, workdir!(), text)
            .with("--mode skip")
            .with(args)
            .run()
            .completes()
            .counts("read 4, inserted 1, duplicate 3");
        assert_eq!(client.lines("SELECT id, j->'$.a' FROM t ORDER BY id"), ["1|[1, 2]", "3|[4]"]);
        client.run("DELETE FROM t WHERE id > 1");
        Load::jsonl(&database, workdir!(), text)
            .with("--mode upsert --key id --max-errors 1")
            .with(args)
            .run()
            .completes()
            .rejected(&["4: duplicate_key"])
            .counts("read 4, inserted 2, updated 1, failed 1");
        let expected = ["1|[7]", "2|[2, 3]", "3|[4]"];
        assert_eq!(client.lines("SELECT id, j->'$.a' FROM t ORDER BY id"), expected);
    }
}

fn triggers_that_the_account_cannot_see_are_reckoned_with(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    client.run("CREATE TABLE log (n INT AUTO_INCREMENT PRIMARY KEY, id INT)");
    client.run(
        "CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.v = 77 THEN \
         SIGNAL SQLSTATE '45000'; END IF; END",
    );
    client.run(
        "CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW INSERT INTO log (id) VALUES (NEW.id)",
    );
    client.run("CREATE TRIGGER u AFTER UPDATE ON t FOR EACH ROW INSERT INTO log (id) VALUES (-1)");
    grant(&database, DOCUMENTED);
    for args in ["", "--no-load-data"] {
        client.run("DELETE FROM t");
        client.run("DELETE FROM log");
        client.run("INSERT INTO t VALUES (9, 1)");
        client.run("DELETE FROM log");
        Load::csv(&database, workdir!(), "id,v\n3,3\n2,77\n9,5\n1,1\n")
            .with("--mode skip --max-errors 1")
            .with(args)
            .run()
            .completes()
            .rejected(&["3: constraint"])
            .counts("read 4, inserted 2, duplicate 1, failed 1");
        assert_eq!(client.lines("SELECT id FROM t ORDER BY id"), ["1", "3", "9"]);
        // In the order of the source, and no update.
        assert_eq!(client.lines("SELECT id FROM log ORDER BY n"), ["3", "1"], "{args}");
        let rows = |count| (0..count).map(|n| format!("{n},{n}\n")).collect::<String>();
        Load::csv(&database, workdir!(), format!("id,v\n{}", rows(77)))
            .with("--mode skip")
            .with(args)
            .run()
            .completes()
            .counts("read 77, inserted 74, duplicate 3");
        // So many that the server does not keep a warning for each.
        Load::csv(&database, workdir!(), format!("id,v\n{}", rows(77).repeat(40)))
            .with("--mode skip")
            .with(args)
            .run()
            .completes()
            .counts("read 3080, duplicate 3080");
        assert_eq!(client.number("SELECT COUNT(*) FROM log WHERE id = -1"), 0, "{args}");
    }
}

const HOSTILE: &[&str] = &[
    "sql_select_limit = 1",
    "max_join_size = 1",
    "completion_type = 'RELEASE'",
    "sql_quote_show_create = 0",
    "sql_auto_is_null = 1",
    "sql_safe_updates = 1",
    "sql_warnings = 1",
    "foreign_key_checks = 0",
    "unique_checks = 0",
    "autocommit = 0",
    "max_sort_length = 8",
    "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT'",
    "time_zone = '+05:00'",
    "default_week_format = 3",
    "div_precision_increment = 0",
    "group_concat_max_len = 4",
    "character_set_connection = latin1",
    "collation_connection = latin1_swedish_ci",
    "lc_messages = 'de_DE'",
    "transaction_isolation = 'SERIALIZABLE'",
    "tx_isolation = 'SERIALIZABLE'",
    "transaction_read_only = 1",
    "tx_read_only = 1",
    "check_constraint_checks = 0",
    "old_mode = 'NO_DUP_KEY_WARNINGS_WITH_IGNORE'",
    "explicit_defaults_for_timestamp = 0",
    "show_create_table_verbosity = 1",
    "show_gipk_in_create_table_and_information_schema = 0",
    "low_priority_updates = 1",
    "big_tables = 1",
    "default_storage_engine = 'MyISAM'",
    "default_tmp_storage_engine = 'MyISAM'",
];

fn sessions_mean_the_same_whatever_the_server_is_set_to(server: &Server) {
    let private = PrivateServer::start(server, workdir!(), &[]);
    let root = private.server.connect();
    let database = Database::new(&private.server);
    let client = &database.client;
    client.run("CREATE TABLE p (id INT PRIMARY KEY)");
    client.run("INSERT INTO p VALUES (1), (3)");
    client.run(
        "CREATE TABLE t (id INT, u VARCHAR(700) NOT NULL, v INT CHECK (v < 100), j JSON, \
         at TIMESTAMP NULL, PRIMARY KEY (u), FOREIGN KEY (id) REFERENCES p (id))",
    );
    // What one kind of server does not know is for the other.
    let mut set = 0;
    for setting in HOSTILE {
        set += u32::from(root.try_run(format!("SET GLOBAL {setting}")).is_ok());
    }
    assert!(set > 20, "{set}");
    // The settings are for new connections: those of the test are older.
    let long = "x".repeat(600);
    for (mode, count) in
        [("insert", "inserted 3"), ("skip", "inserted 3"), ("upsert", "inserted 3")]
    {
        client.run("DELETE FROM t");
        let text = format!(
            "id,u,v,j,at\n1,{long}1,1,{{}},2020-01-01 00:00:00\n2,{long}2,2,{{}},\n\
             3,{long}2,3,{{}},\n,{long}3,3,[],\n3,y,100,{{}},\n"
        );
        Load::csv(&database, workdir!(), text)
            .with("--source-zone UTC --max-errors 2 --mode")
            .with(mode)
            .run()
            .completes()
            .rejected(&["3: constraint", "6: constraint"])
            .counts(&format!("read 5, {count}, failed 2"));
        let sql = "SELECT RIGHT(u, 1), id, UNIX_TIMESTAMP(at) FROM t ORDER BY u";
        assert_eq!(client.lines(sql), ["1|1|1577836800", "2|3|NULL", "3|NULL|NULL"], "{mode}");
    }
    assert_eq!(client.number("SELECT COUNT(*) FROM flowgauge_segments"), 0);
}

fn prepared_statements_that_are_too_many_are_waited_for(server: &Server) {
    let private = PrivateServer::start(server, workdir!(), &[]);
    let database = Database::new(&private.server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY)");
    let load = || Load::csv(&database, workdir!(), "id\n1\n");
    client.run("SET GLOBAL max_prepared_stmt_count = 0");
    let load = load();
    let mut running = load.program().spawn();
    running.wait_for_line("1461");
    client.run("SET GLOBAL max_prepared_stmt_count = 1000");
    load.ended(running.finish()).completes().counts("read 1, inserted 1");
}
