//! `--new-fields add`: the table gets columns for fields that have none, where the server adds them without
//! touching a row; the ALTER that a person may run instead.

use serde_json::json;

use crate::support::indices::Indices;
use crate::support::mysql_proxy::{Cut, MysqlProxy};
use crate::support::{Database, Load, Server, needs, on_both, test_name, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    new_fields_of_a_file_get_columns
    types_of_new_columns_are_those_of_a_new_table
    a_table_that_would_be_copied_is_left_alone
    a_refusal_has_the_statement_to_paste
    a_check_shows_the_columns_and_adds_none
    a_new_field_amid_the_run_ends_it
    rows_that_are_there_have_null
    columns_of_fields_in_objects_are_named_as_asked
    without_flatten_a_name_with_a_dot_is_a_field
    an_array_starves_no_column_of_its_parts
    an_object_that_is_null_is_no_new_field
    guesses_of_new_columns_are_remembered
    two_runs_that_add_columns_at_once_complete
    a_check_knows_what_cannot_be_added
    texts_that_are_too_long_for_a_row_are_stored_beside_it
    a_field_called_as_a_generated_column_is_left_out
    fields_that_differ_in_case_alone_are_no_new_columns
}

const COLUMNS: &str = "SELECT CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE, ' ', IS_NULLABLE) FROM \
    information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' ORDER BY \
    ORDINAL_POSITION";

fn columns(database: &Database) -> Vec<String> {
    database.client.lines(COLUMNS)
}

fn new_fields_of_a_file_get_columns(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT) DEFAULT CHARSET=utf8mb4");
    let load = |text: &str| Load::csv(&database, workdir!(), text).with("--new-fields add --infer");
    load("id,v\n1,a\n").run().completes().says_not("added");
    let run = load("id,v,amount,`odd\n2,b,12,ä\n").run().completes();
    run.says("columns 'amount', '`odd' were added, their types chosen from the first record");
    // MariaDB shows a width.
    let types: Vec<String> =
        columns(&database)[2..].iter().map(|column| column.replace("(20)", "")).collect();
    assert_eq!(types, ["amount bigint YES", "`odd longtext YES"]);
    // Another night, with the columns in place.
    load("id,v,amount,`odd\n3,c,13,x\n").run().completes().says_not("were added");
    let rows = database.client.lines("SELECT * FROM t ORDER BY id");
    assert_eq!(rows, ["1|a|NULL|NULL", "2|b|12|ä", "3|c|13|x"]);
}

fn fields_that_differ_in_case_alone_are_no_new_columns(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, a TEXT) DEFAULT CHARSET=utf8mb4");
    let csv = |args: &str| {
        let load = Load::csv(&database, workdir!(), "id,a,A\n1,x,y\n").with("--infer");
        load.with(args).run()
    };
    for args in ["", "--new-fields add"] {
        let refused = csv(args).ends_with(2);
        let refused = refused
            .says("the fields 'a' and 'A' both go into column 'a'; the server does not tell");
        refused.says_not("ADD COLUMN").says_not("add the column");
    }
    csv("--new-fields ignore").completes().says("field 'A' is left out");
    // The same amid the run.
    let late = "{\"id\":1,\"a\":\"x\"}\n".repeat(20_000) + "{\"id\":3,\"A\":\"y\"}\n";
    let ended = Load::jsonl(&database, workdir!(), late).run().ends_with(3);
    ended
        .says("differs from that of another in upper and lower case alone")
        .says_not("add the column");
    assert_eq!(database.client.lines("SELECT * FROM t"), ["1|x"]);
}

/// Names that differ in case are one to the server, so no column could be added for it.
fn a_field_called_as_a_generated_column_is_left_out(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, g INT AS (id + 1) STORED)");
    for args in ["", "--new-fields add"] {
        let load = Load::jsonl(&database, workdir!(), "{\"id\":1,\"G\":5}\n").with("--mode upsert");
        let run = load.with(args).run().completes();
        run.says("field 'G' is left out: the server generates that column");
    }
    assert_eq!(database.client.lines("SELECT id, g FROM t"), ["1|2"]);
}

fn columns_of_fields_in_objects_are_named_as_asked(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, o_a INT) DEFAULT CHARSET=utf8mb4");
    let load = |text: &str, more: &str| {
        let load = Load::jsonl(&database, workdir!(), text);
        load.with("--flatten --flatten-separator _ --mode upsert").with(more)
    };
    let text = "{\"id\":1,\"o\":{\"a\":1,\"b\":2}}\n";
    load(text, "").run().ends_with(2).says("ADD COLUMN `o_b`");
    load(text, "--new-fields add").run().completes().says("columns 'o_b' were added");
    load(text, "--new-fields add").run().completes().says_not("were added");
    assert_eq!(database.client.lines("SELECT * FROM t"), ["1|1|2"]);
}

fn without_flatten_a_name_with_a_dot_is_a_field(server: &Server) {
    let database = Database::new(server);
    Load::jsonl(&database, workdir!(), "{\"a\":1,\"a.b\":2}\n")
        .with("--create-table")
        .run()
        .completes()
        .says_not("something else in others");
    assert_eq!(database.client.lines("SELECT `a`, `a.b` FROM t"), ["1|2"]);
}

fn types_of_new_columns_are_those_of_a_new_table(server: &Server) {
    let database = Database::new(server);
    let record = |id: usize| {
        format!(
            "{{\"id\":{id},\"text\":\"a\",\"n\":{id},\"half\":0.5,\"flag\":true,\"tags\":[1,\"b\"],\
             \"day\":\"2026-11-26\",\"at\":\"2026-11-26T20:00:00Z\",\"o\":{{\"a\":1}}}}\n"
        )
    };
    let text: String = (1..20).map(record).collect();
    let types = "--types day=date,at=datetime(3)";
    Load::jsonl(&database, workdir!(), &text)
        .with("--create-table --key id")
        .with(types)
        .run()
        .completes();
    let created = columns(&database);
    database.client.run("DROP TABLE t");
    database.client.run("CREATE TABLE t (id BIGINT PRIMARY KEY) DEFAULT CHARSET=utf8mb4");
    Load::jsonl(&database, workdir!(), &text)
        .with("--new-fields add --mode skip")
        .with(types)
        .run()
        .completes()
        .counts("read 19, inserted 19");
    assert_eq!(columns(&database)[1..], created[1..]);
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t WHERE day = '2026-11-26'"), 19);
}

fn a_table_that_would_be_copied_is_left_alone(server: &Server) {
    let database = Database::new(server);
    database.client.run(
        "CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB ROW_FORMAT=COMPRESSED DEFAULT CHARSET=utf8mb4",
    );
    database.client.run("INSERT INTO t VALUES (1)");
    let text = "id,a,b\n2,7,x\n";
    let load = || Load::csv(&database, workdir!(), text).with("--new-fields add --infer");
    let run = load().run().ends_with(2);
    let name = format!("`{}`.`t`", database.name);
    let alter =
        format!("ALTER TABLE {name} ADD COLUMN `a` BIGINT NULL, ADD COLUMN `b` LONGTEXT NULL");
    run.says("columns for the new fields 'a', 'b' cannot be added at once (ALGORITHM=INSTANT)")
        .says("it cannot do that without copying the table (error 1845)")
        .says(&alter)
        .says("--new-fields ignore");
    assert_eq!(columns(&database).len(), 1);
    // As a person would.
    database.client.run(&alter);
    load().run().completes();
    assert_eq!(database.client.lines("SELECT * FROM t ORDER BY id"), ["1|NULL|NULL", "2|7|x"]);
}

fn a_refusal_has_the_statement_to_paste(server: &Server) {
    let database = Database::new(server);
    // Its own texts are narrower than what may come.
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT) DEFAULT CHARSET=latin1");
    let text = "{\"id\":1,\"late\":\"Ж\",\"n\":2,\"list\":[1]}\n";
    let run = Load::jsonl(&database, workdir!(), text).run().ends_with(2);
    let name = format!("`{}`.`t`", database.name);
    let alter = format!(
        "ALTER TABLE {name} ADD COLUMN `late` LONGTEXT CHARACTER SET utf8mb4 NULL, \
         ADD COLUMN `n` BIGINT NULL, ADD COLUMN `list` JSON NULL"
    );
    run.says("there is no column for fields 'late', 'n', 'list'")
        .says(&format!("add the columns with --new-fields add or by '{alter}'"));
    assert_eq!(columns(&database).len(), 2);
    database.client.run(&alter);
    Load::jsonl(&database, workdir!(), text).run().completes();
    assert_eq!(database.client.lines("SELECT id, late, n FROM t"), ["1|Ж|2"]);
}

fn a_check_shows_the_columns_and_adds_none(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY) DEFAULT CHARSET=utf8mb4");
    let workdir = workdir!();
    workdir.write("in.csv", "id,a\n1,2\n");
    let checked = database
        .flowgauge(&workdir)
        .args([
            "check",
            "--csv-file",
            "in.csv",
            "--db-table",
            "t",
            "--new-fields",
            "add",
            "--infer",
        ])
        .spawn()
        .finish();
    checked.assert_code(0);
    checked.assert_stdout_has("would add columns").assert_stdout_has("ADD COLUMN `a` BIGINT NULL");
    assert_eq!(columns(&database).len(), 1);
}

/// A field that neither the header nor the sample has says nothing of its type.
fn a_new_field_amid_the_run_ends_it(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY) DEFAULT CHARSET=utf8mb4");
    let text = (0..30_000).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>()
        + "{\"id\":30000,\"late\":1}\n";
    Load::jsonl(&database, workdir!(), &text)
        .with("--new-fields add")
        .run()
        .ends_with(3)
        .says("'late'");
    assert_eq!(columns(&database).len(), 1);
}

fn rows_that_are_there_have_null(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, v INT) DEFAULT CHARSET=utf8mb4");
    database.client.run("INSERT INTO t VALUES (1, 1), (2, 2)");
    Load::csv(&database, workdir!(), "id,v,w\n2,20,5\n3,30,6\n")
        .with("--new-fields add --mode upsert")
        .run()
        .completes()
        .counts("read 2, inserted 1, updated 1");
    let rows = database.client.lines("SELECT * FROM t ORDER BY id");
    assert_eq!(rows, ["1|1|NULL", "2|20|5", "3|30|6"]);
}

/// A column `o` would take every object, and its column `o.a` would get nothing any more.
fn an_array_starves_no_column_of_its_parts(server: &Server) {
    for (args, column) in [("", "o.a"), ("--flatten-separator _", "o_a")] {
        let database = Database::new(server);
        database.client.run(format!("CREATE TABLE t (id INT PRIMARY KEY, `{column}` INT)"));
        database.client.run("INSERT INTO t VALUES (1, 1)");
        let text = "{\"id\":1,\"o\":{\"a\":10}}\n{\"id\":2,\"o\":[{\"a\":2}]}\n\
                    {\"id\":3,\"o\":{\"a\":30,\"b\":5},\"late\":4}\n";
        let load = |new_fields: &str| {
            Load::jsonl(&database, workdir!(), text)
                .with("--flatten --mode upsert --max-errors 1")
                .with(args)
                .with(new_fields)
                .run()
        };
        load("").ends_with(2).says("ADD COLUMN `late` BIGINT").says_not("COLUMN `o` ");
        let run = load("--new-fields add").says("'late'");
        run.rejected(&["2:o type_mismatch"]).counts("read 3, inserted 1, updated 1, failed 1");
        assert_eq!(columns(&database).len(), 4, "{:?}", columns(&database));
        let rows =
            database.client.lines(&format!("SELECT id, `{column}`, late FROM t ORDER BY id"));
        assert_eq!(rows, ["1|10|NULL", "3|30|4"]);
    }
    // Where all that is sampled are arrays.
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, `o.a` INT)");
    Load::jsonl(&database, workdir!(), "{\"id\":1,\"o\":[{\"a\":2}]}\n{\"id\":2}\n")
        .with("--flatten --mode upsert --max-errors 1 --new-fields add")
        .run()
        .rejected(&["1:o type_mismatch"])
        .counts("read 2, inserted 1, failed 1");
    assert_eq!(columns(&database).len(), 2);
}

/// Where the first records have nothing but null of it, its columns are what tells that it is an object.
fn an_object_that_is_null_is_no_new_field(server: &Server) {
    for (args, column) in [("", "o.a"), ("--flatten-separator _", "o_a")] {
        let database = Database::new(server);
        database.client.run(format!("CREATE TABLE t (id INT PRIMARY KEY, `{column}` INT)"));
        let load = |new_fields: &str| {
            let load = Load::jsonl(&database, workdir!(), "{\"id\":1,\"o\":null}\n");
            load.with("--flatten --mode upsert").with(args).with(new_fields).run()
        };
        load("").completes().counts("read 1, inserted 1");
        load("--new-fields add").completes().counts("read 1, unchanged 1");
        assert_eq!(columns(&database).len(), 2);
    }
}

/// As in a table that `--create-table` makes: `007` is no integer, on no night.
fn guesses_of_new_columns_are_remembered(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY) DEFAULT CHARSET=utf8mb4");
    let load = |text: &str, args: &str| {
        let load = Load::csv(&database, workdir!(), text).with("--mode upsert --max-errors 9");
        load.with(args).run()
    };
    let add = "--new-fields add --infer --types said=int";
    load("id,n,said,v,at\n1,7,7,x,2024-01-02T03:04:05Z\n", add).completes();
    let comments = "SELECT GROUP_CONCAT(COLUMN_COMMENT ORDER BY ORDINAL_POSITION SEPARATOR ';') FROM \
        information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't'";
    let guess = "type guessed by flowgauge from the first record";
    assert_eq!(database.client.text(comments), format!(";{guess};;;{guess}: times with an offset"));
    let run = load("id,n,said,v,at\n2,007,007,007,2024-01-02T03:04:05\n3,007,7,x,\n", "");
    run.counts("read 2, failed 2").rejected(&["2:n type_mismatch", "3:n type_mismatch"]);
    let run = load("id,at\n2,2024-01-02T03:04:05\n3,2024-01-02 03:04:05+00:00\n", "");
    let run = run.counts("read 2, inserted 1, failed 1").rejected(&["2:at type_mismatch"]);
    let reason = &run.rejects()[0].reason;
    for part in ["without an offset", "--source-zone", "--types at=text"] {
        assert!(reason.contains(part), "{reason}");
    }
    load("id,said,v\n4,007,007\n", "").counts("read 1, inserted 1");
    assert_eq!(database.client.lines("SELECT said, v FROM t WHERE id = 4"), ["7|007"]);
}

/// Another one has added a column that this one wants to add, too, a moment before.
fn two_runs_that_add_columns_at_once_complete(server: &Server) {
    for fields in ["id,both,own", "id,both"] {
        let database = Database::new(server);
        let client = &database.client;
        client.run("CREATE TABLE t (id INT PRIMARY KEY) DEFAULT CHARSET=utf8mb4");
        client.run(
            "CREATE PROCEDURE instead() BEGIN ALTER TABLE t ADD COLUMN `both` INT, ADD COLUMN other INT; \
             SIGNAL SQLSTATE '42S21' SET MYSQL_ERRNO = 1060, MESSAGE_TEXT = 'twice'; END",
        );
        let proxy = MysqlProxy::new(server, Cut::InsteadOfAlter);
        let row = if fields == "id,both" { "1,2" } else { "1,2,3" };
        Load::csv(&database, workdir!(), format!("{fields}\n{row}\n"))
            .with("--new-fields add --mode skip --db-host 127.0.0.1 --db-port")
            .arg(&proxy.port.to_string())
            .run()
            .completes()
            .counts("read 1, inserted 1");
        assert!(proxy.has_cut());
        assert_eq!(columns(&database).len(), fields.split(',').count() + 1);
        assert_eq!(client.lines("SELECT `both` FROM t"), ["2"]);
    }
}

fn a_check_knows_what_cannot_be_added(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    let check = || {
        let load = Load::csv(&database, workdir!(), "id,a\n1,2\n");
        load.with("check --new-fields add --infer --allow-non-transactional").run()
    };
    for (table, why) in [
        ("(id INT PRIMARY KEY) ROW_FORMAT=COMPRESSED", "it has ROW_FORMAT=COMPRESSED"),
        ("(id INT PRIMARY KEY) ENGINE=MyISAM", "its engine is not InnoDB"),
        ("(id INT PRIMARY KEY, v TEXT, FULLTEXT KEY (v))", "it has a FULLTEXT key"),
    ] {
        client.run("DROP TABLE IF EXISTS t");
        client.run(format!("CREATE TABLE t {table}"));
        check()
            .ends_with(2)
            .says("cannot be added at once")
            .says(why)
            .says("ADD COLUMN `a` BIGINT NULL");
        // As a run finds out.
        let load = Load::csv(&database, workdir!(), "id,a\n1,2\n");
        let run = load.with("--new-fields add --infer --allow-non-transactional").run();
        run.ends_with(2).says("cannot be added at once");
    }
    client.run("DROP TABLE t");
    client.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT COMMENT 'FULLTEXT KEY ROW_FORMAT=COMPRESSED')",
    );
    let name = &database.name;
    let rights = |rights: &str| {
        client.run(format!("REVOKE ALL ON {name}.* FROM {name}@'%'"));
        client.run(format!("GRANT {rights} ON {name}.* TO {name}@'%'"));
    };
    rights("SELECT, INSERT, UPDATE, DELETE, CREATE");
    let checked = check().ends_with(2).says("the account lacks a right: ALTER");
    checked.finished.assert_stdout_has("COMMENT 'type guessed by flowgauge from the first record'");
    rights("SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER");
    check().ends_with(0);
    assert_eq!(columns(&database).len(), 2);
    // A table that is made today gets its new fields another night.
    client.run("DROP TABLE t");
    let night = |lacks: bool| {
        let load = Load::csv(&database, workdir!(), "id,a\n1,2\n");
        let checked =
            load.with("check --new-fields add --create-table --infer --key id --mode upsert").run();
        let later = "a later run could not add columns for new fields";
        let words = format!("warning: no right to ALTER {name}.t: {later}");
        let checked = checked.ends_with(0);
        assert_eq!(checked.finished.stdout.contains(&words), lacks, "{}", checked.finished.stdout);
    };
    night(false);
    rights("SELECT, INSERT, UPDATE, DELETE, CREATE");
    night(true);
    let load = Load::csv(&database, workdir!(), "id,a\n1,2\n");
    let run = load.with("--create-table --infer --key id --mode upsert").run().ends_with(0);
    run.says("without a temporary table, which is slower: the account has no right to CREATE TEMPORARY TABLES");
}

fn texts_that_are_too_long_for_a_row_are_stored_beside_it(server: &Server) {
    let database = Database::new(server);
    database
        .client
        .run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(16000)) DEFAULT CHARSET=utf8mb4");
    let load = || {
        let load = Load::csv(&database, workdir!(), "id,a\n1,x\n");
        load.with("--new-fields add --mode skip --types a=varchar(900)")
    };
    load().with("check").run().ends_with(0);
    load().run().completes();
    assert_eq!(columns(&database)[2], "a text YES");
}

/// An index whose documents have got fields and values since the last night.
#[track_caller]
fn check_another_night(indices: &Indices, server: &Server) {
    let index = indices.make("orders", json!({}));
    let documents = |texts: &[&str]| {
        let ids = ["a", "b", "c"].into_iter().map(str::to_string);
        ids.zip(texts.iter().map(|text| text.to_string())).collect::<Vec<_>>()
    };
    indices.fill(&index, &documents(&["{\"n\":1}", "{\"n\":2}"]));
    indices.refresh(&index);
    let database = Database::new(server);
    let workdir = workdir!();
    let night = |args: &str| {
        let flowgauge = database.flowgauge(&workdir).args(["--es-url", &indices.address]);
        let flowgauge = flowgauge.args(["--es-index", &index, "--db-table", "t"]);
        flowgauge.args(args.split(' ')).spawn().finish()
    };
    night("--create-table --mode upsert").assert_code(0);
    let later = [
        "{\"n\":1}",
        "{\"n\":20,\"labels\":[\"x\",\"y\"],\"size\":7}",
        "{\"n\":3,\"labels\":\"z\",\"note\":\"ä\"}",
    ];
    indices.fill(&index, &documents(&later));
    indices.refresh(&index);
    night("--mode upsert").assert_code(2).assert_stderr_has("ADD COLUMN `labels` JSON NULL");
    let added = night("--mode upsert --new-fields add");
    added.assert_code(0).assert_stderr_has("columns 'labels', 'note', 'size' were added");
    let rows = database.client.lines("SELECT CAST(_id AS CHAR), n, labels, size, note FROM t");
    assert_eq!(
        rows,
        ["a|1|NULL|NULL|NULL", "b|20|[\"x\", \"y\"]|7|NULL", "c|3|\"z\"|NULL|ä"].map(|row| {
            if server.is_mariadb { row.replace("\", \"", "\",\"") } else { row.to_string() }
        })
    );
}

#[test]
fn another_night_of_an_index_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    check_another_night(&indices, &Server::mysql(needs!("mysql")));
}

#[test]
fn another_night_of_an_index_into_mariadb() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    check_another_night(&indices, &Server::mariadb(needs!("mariadb")));
}
