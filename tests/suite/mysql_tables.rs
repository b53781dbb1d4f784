//! What a table does beside holding rows: foreign keys and checks that an account hardly sees,
//! definitions that change in the middle, versions, periods, indexes over expressions.

use std::io::Write;

use crate::support::load::Loaded;
use crate::support::{Database, Load, Server, Workdir, eventually, on_both, workdir};

on_both! { needs!("mariadb"), needs!("mysql");
    foreign_keys_are_seen_by_accounts_with_rights_on_the_table
    rows_that_refer_to_each_other_keep_their_order
    checks_are_seen_by_accounts_with_rights_on_the_table
    json_is_json_to_accounts_with_rights_on_the_table
    rights_on_columns_are_enough_for_a_careful_load
    keys_may_have_any_name
    a_column_that_is_altered_in_the_middle_ends_the_run
    a_key_that_is_added_in_the_middle_ends_the_run
    an_alter_that_changes_nothing_for_us_is_let_pass
    a_trigger_that_is_added_in_the_middle_ends_the_run
    an_empty_file_is_a_complete_load
}

/// Rights on the table, and those on the state tables.
fn grant(database: &Database, rights: &str) {
    let (name, client) = (&database.name, &database.client);
    client.run("CREATE TABLE first (id INT PRIMARY KEY)");
    Load::csv(database, workdir!(), "id\n1\n").with("--db-table first").run().completes();
    client.run(format!("REVOKE ALL ON {name}.* FROM {name}@'%'"));
    client.run(format!("GRANT {rights} ON {name}.t TO {name}@'%'"));
    client.run(format!("GRANT SELECT, INSERT, UPDATE ON {name}.flowgauge_jobs TO {name}@'%'"));
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
    for (table, key) in [("t", "it's"), ("n'm.o", "a' at row 3"), ("t", "a``b"), ("t", "for key 'x'")] {
        client.run(format!("CREATE TABLE `{table}` (k INT PRIMARY KEY, u INT, UNIQUE `{key}` (u))"));
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
    let client = &database.client;
    let load = Load::stdin(database, workdir).with("--batch-size 1000 --lanes 1").with(args);
    let mut running = load.program().stdin_open().spawn();
    let mut input = running.stdin();
    let rows = |batch: usize| {
        (batch * BATCH..(batch + 1) * BATCH).map(|n| row(n) + "\n").collect::<String>()
    };
    input.write_all(b"id,v\n").unwrap();
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
    "--mode insert",
    "--mode skip",
    "--mode skip --no-load-data",
    "--mode upsert",
    "--mode upsert --no-load-data",
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

fn an_alter_that_changes_nothing_for_us_is_let_pass(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    for way in WAYS {
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
