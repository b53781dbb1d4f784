//! What a careful reader feared of the sink mysql: refusals that look like duplicates, triggers that
//! run where nothing is to change, transactions that end behind our back.

use crate::support::mysql_proxy::{Cut, MysqlProxy};
use crate::support::{Database, Load, Server, on_both, workdir};

on_both! { needs!("mariadb"), needs!("mysql"), needs!("mariadb11");
    text_that_has_to_be_json_is_no_duplicate
    a_row_that_is_there_stays_as_it_is_whatever_triggers_do
    a_trigger_that_is_not_seen_changes_nothing
    what_a_trigger_inserts_twice_is_no_duplicate
    state_tables_have_to_be_innodb
    columns_may_be_called_as_ours
    a_segment_may_be_refused_almost_wholly
    a_transaction_that_the_server_ended_is_done_again
    what_a_try_refused_is_no_burden_for_the_next
    a_token_of_many_refusals_is_read_back
    a_run_does_not_lock_itself_out
}

fn text_that_has_to_be_json_is_no_duplicate(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (id INT PRIMARY KEY, doc VARCHAR(2000) CHECK (json_valid(doc)))");
    client.run("INSERT INTO t VALUES (1, '{}')");
    for args in ["", "--no-load-data"] {
        client.run("DELETE FROM t WHERE id > 1");
        Load::csv(&database, workdir!(), "id,doc\n7,not json\n1,[]\n8,[]\n")
            .with("--mode skip --max-errors 1")
            .with(args)
            .run()
            .completes()
            .rejected(&["2: constraint"])
            .counts("read 3, inserted 1, duplicate 1, failed 1");
    }
}

fn a_row_that_is_there_stays_as_it_is_whatever_triggers_do(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT, u INT UNIQUE)");
    client.run("CREATE TABLE log (k INT)");
    client.run("CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = OLD.v + 100");
    client.run("CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW INSERT INTO log VALUES (NEW.k)");
    for args in ["", "--no-load-data", "--batch-size 2 --lanes 4"] {
        client.run("DELETE FROM t");
        client.run("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (9, 9, 9)");
        let text = "k,v,u\n1,5,5\n3,3,3\n2,6,6\n4,4,4\n4,5,7\n5,5,9\n6,6,6\n";
        let loaded = Load::csv(&database, workdir!(), text)
            .with("--mode skip")
            .with(args)
            .run()
            .completes()
            .counts("read 7, inserted 3, duplicate 4");
        let expected = ["1|1|1", "2|2|2", "3|3|3", "4|4|4", "6|6|6", "9|9|9"];
        let lines = client.lines("SELECT * FROM t ORDER BY k");
        assert_eq!(lines, expected, "{args} {}", loaded.finished);
        assert_eq!(client.number("SELECT COUNT(*) FROM log"), 0);
    }
}

fn a_trigger_that_is_not_seen_changes_nothing(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT, CHECK (v < 1000))");
    client.run("CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = OLD.v + 100");
    client.run("INSERT INTO t VALUES (1, 1), (2, 2)");
    client.run(format!("REVOKE TRIGGER ON {0}.* FROM {0}@'%'", database.name));
    for text in ["k,v\n3,3\n1,5\n2,6\n", "k,v\n1,5\n"] {
        Load::csv(&database, workdir!(), text).with("--mode skip").run().completes();
        assert_eq!(client.lines("SELECT * FROM t WHERE k < 3 ORDER BY k"), ["1|1", "2|2"]);
    }
}

/// The key has the same name as that of the table.
fn what_a_trigger_inserts_twice_is_no_duplicate(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v INT)");
    client.run("CREATE TABLE log (v INT PRIMARY KEY)");
    client.run("CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.v)");
    client.run("CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = 100");
    client.run("INSERT INTO t VALUES (1, 1)");
    Load::csv(&database, workdir!(), "k,v\n1,2\n2,2\n3,1\n4,4\n")
        .with("--mode skip --max-errors 1")
        .run()
        .completes()
        .rejected(&["4: duplicate_key"])
        .counts("read 4, inserted 2, duplicate 1, failed 1");
    assert_eq!(client.lines("SELECT * FROM t ORDER BY k"), ["1|1", "2|2", "4|4"]);
}

fn state_tables_have_to_be_innodb(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let load = || Load::csv(&database, workdir!(), "k\n1\n").run();
    load().completes();
    client.run("ALTER TABLE flowgauge_segments ENGINE = MyISAM");
    load().ends_with(2).says("flowgauge_segments").says("MyISAM").says("InnoDB");
    client.run("ALTER TABLE flowgauge_segments ENGINE = InnoDB");
    load().completes();
}

fn columns_may_be_called_as_ours(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k VARCHAR(9) PRIMARY KEY, flowgauge_rank INT, flowgauge_new INT)");
    let text = "k,flowgauge_rank,flowgauge_new\na,1,1\nb,2,2\nA,3,3\n";
    Load::csv(&database, workdir!(), text)
        .with("--mode upsert")
        .run()
        .completes()
        .counts("read 3, inserted 2, duplicate 1")
        .says_not("slower");
    let sql = "SELECT LOWER(k), flowgauge_rank, flowgauge_new FROM t ORDER BY k";
    assert_eq!(client.lines(sql), ["a|3|3", "b|2|2"]);
}

fn a_segment_may_be_refused_almost_wholly(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client
        .run("CREATE TABLE t (k INT PRIMARY KEY, CONSTRAINT a_rather_long_name CHECK (k % 3 = 0))");
    let lines: String = (0..9000).map(|k| format!("{k}\n")).collect();
    Load::csv(&database, workdir!(), format!("k\n{lines}"))
        .with("--max-errors 6000 --mode insert --batch-size 9000")
        .run()
        .completes()
        .counts("read 9000, inserted 3000, failed 6000");
}

/// Where it rolls back all that was written, and says that one statement failed.
fn a_transaction_that_the_server_ended_is_done_again(server: &Server) {
    for (code, state) in [(1206, "HY000"), (1317, "70100"), (1364, "HY000"), (1062, "23000")] {
        for (number, args) in [(1, ""), (3, ""), (4, "--no-load-data"), (5, "--no-load-data")] {
            let database = Database::new(server);
            let client = &database.client;
            client.run("CREATE TABLE t (k INT, CHECK (k <> 25))");
            client.run(format!(
                "CREATE PROCEDURE instead() BEGIN ROLLBACK; SIGNAL SQLSTATE '{state}' \
                 SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'over'; END"
            ));
            let lines: String = (0..40).map(|k| format!("{k}\n")).collect();
            let proxy = MysqlProxy::new(server, Cut::Instead(number));
            let loaded = Load::csv(&database, workdir!(), format!("k\n{lines}"))
                .with("--mode insert --max-errors 1 --lanes 1 --db-host 127.0.0.1 --db-port")
                .arg(&proxy.port.to_string())
                .with(args)
                .run()
                .completes()
                .rejected(&["27: constraint"])
                .counts("read 40, inserted 39, failed 1");
            assert!(proxy.has_cut(), "{number} {}", loaded.finished);
            let sql = "SELECT COUNT(*), COUNT(DISTINCT k), MAX(k) FROM t";
            assert_eq!(client.lines(sql), ["39|39|39"], "{code} {number} {}", loaded.finished);
        }
    }
}

/// The first try refuses a row and is broken off; the second finds nothing to refuse.
fn what_a_try_refused_is_no_burden_for_the_next(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT)");
    client.run("CREATE TABLE once (n INT) ENGINE = MyISAM");
    // What is written without a transaction stays when the rows are taken back.
    client.run(
        "CREATE TRIGGER i BEFORE INSERT ON t FOR EACH ROW BEGIN \
         IF NEW.k = 5 AND (SELECT COUNT(*) FROM once) < 3 THEN INSERT INTO once VALUES (1); \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not yet'; END IF; \
         IF NEW.k = 7 AND (SELECT COUNT(*) FROM once) < 4 THEN INSERT INTO once VALUES (1); \
         SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'again'; END IF; \
         IF NEW.k = 25 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END",
    );
    let lines: String = (0..40).map(|k| format!("{k}\n")).collect();
    Load::csv(&database, workdir!(), format!("k\n{lines}"))
        .with("--mode insert --max-errors 1 --lanes 1 --batch-size 10 --no-load-data")
        .run()
        .completes()
        .rejected(&["27: constraint"])
        .counts("read 40, inserted 39, failed 1");
}

/// Of more rows than a token explains, it still knows which.
fn a_token_of_many_refusals_is_read_back(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, CHECK (k % 3 = 0))");
    let proxy = MysqlProxy::new(server, Cut::AfterCommit(1));
    let lines: String = (0..9000).map(|k| format!("{k}\n")).collect();
    let loaded = Load::csv(&database, workdir!(), format!("k\n{lines}"))
        .with("--max-errors 6000 --mode insert --batch-size 9000 --db-host 127.0.0.1 --db-port")
        .arg(&proxy.port.to_string())
        .run()
        .completes()
        .counts("read 9000, inserted 3000, failed 6000");
    assert!(proxy.has_cut());
    let mut found: Vec<u64> = loaded.rejects().iter().map(|reject| reject.line).collect();
    found.sort();
    let expected: Vec<u64> = (0..9000).filter(|k| k % 3 != 0).map(|k| k + 2).collect();
    assert_eq!(found, expected);
}

/// What it needs beside the lock is held by others for a while.
fn a_run_does_not_lock_itself_out(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    Load::csv(&database, workdir!(), "k\n1\n").run().completes();
    client.run("START TRANSACTION");
    client.rows("SELECT * FROM flowgauge_jobs FOR UPDATE");
    let load = Load::csv(&database, workdir!(), "k\n2\n").with("--db-timeout 2s");
    let mut running = load.program().spawn();
    running.wait_for_line("1205");
    running.wait_for_line("1205");
    client.run("ROLLBACK");
    load.ended(running.finish()).completes().counts("read 1, inserted 1");
}
