//! Tables that --create-table makes: of what a sample of the records has, and of what --types says.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::database::on_both;
use crate::support::indices::Indices;
use crate::support::load::Loaded;
use crate::support::{Database, Finished, Load, Server, Workdir, needs, test_name, workdir};

on_both! {
    needs!("mariadb"), needs!("mysql"), needs!("mariadb11");
    what_comes_late_is_in_the_sample
    a_guess_that_fails_says_so
    codes_that_come_late_are_no_numbers
    few_values_that_make_a_column_text_are_said
    times_are_known_in_text
    types_decide_columns
    a_format_of_days_makes_a_date_and_a_comma_a_decimal
    check_tries_records_against_the_table
    names_in_objects_are_joined
    keys_have_room_for_the_longest_text
    a_pipe_and_several_files_are_looked_at
    times_of_one_form_take_no_others
    a_first_night_without_records_makes_no_table
    names_of_fields_have_a_bound
}

/// Each column of `t` as `name type`.
fn columns(database: &Database) -> Vec<String> {
    let sql = "SELECT CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE) FROM information_schema.COLUMNS \
               WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION";
    let plain = |line: String| {
        let line = line.replace("bigint(20)", "bigint");
        // What JSON is to MariaDB.
        if database.server.is_mariadb { line.replace("j longtext", "j json") } else { line }
    };
    database.client.lines(sql).into_iter().map(plain).collect()
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (1..=count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{}", line(n));
        text
    })
}

fn what_comes_late_is_in_the_sample(server: &Server) {
    let database = Database::new(server);
    // Of 300 bytes each: 9,000 of them are far beyond the first 256 KiB.
    let pad = "x".repeat(260);
    let mut text = lines(9_000, |n| format!("{{\"id\":{n},\"a\":0.5,\"pad\":\"{pad}\"}}"));
    text += "{\"id\":9001,\"a\":0.5,\"points\":[1,2],\"loyalty\":\"gold\"}\n";
    // And what no sample has.
    text += &lines(2_000, |n| format!("{{\"id\":{},\"a\":1}}", 20_000 + n));
    text += "{\"id\":30000,\"a\":0.30000000000000004}\n";
    for _night in 0..2 {
        let load = Load::jsonl(&database, workdir!(), &text);
        load.with("--create-table --key id").run().completes();
    }
    let sql = "SELECT a + 0, points, loyalty FROM t WHERE id IN (9001, 30000) ORDER BY id";
    let found = database.client.lines(sql);
    assert!(found[0].ends_with("|gold"), "{found:?}");
    assert!(found[1].starts_with("0.30000000000000004"), "{found:?}");
}

fn a_guess_that_fails_says_so(server: &Server) {
    let database = Database::new(server);
    let text = format!("id,n\n{}20000,1.5\n", lines(12_000, |n| format!("{n},{n}")));
    let load = |args: &str| {
        let load = Load::csv(&database, workdir!(), &text);
        load.with("--infer --create-table --key id --mode upsert").with(args).run()
    };
    let remedy = format!("ALTER TABLE `{}`.`t` MODIFY `n` DECIMAL(40,20)", database.name);
    load("")
        .ends_with(3)
        .says("by a guess from the first 10,000 records")
        .says(&remedy)
        .says("--types 'n=decimal(40,20)'");
    // On the next night, too, until somebody says what it is to be.
    load("").ends_with(3).says("by a guess from the first 10,000 records");
    database.client.run(&remedy);
    let comment = "SELECT GROUP_CONCAT(COLUMN_COMMENT ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS \
                   WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't'";
    let expected = "type guessed by flowgauge from the first 10,000 records,";
    assert_eq!(database.client.text(comment), expected);
    load("").completes();
    database.client.run("DROP TABLE t");
    load("--types n=decimal(40,20)").completes();
    // What the user said is no guess.
    database.client.run("DROP TABLE t");
    load("--types n=int").ends_with(3).says_not("guess");
}

/// As `007` in the sample would have made a text of the column.
fn codes_that_come_late_are_no_numbers(server: &Server) {
    let database = Database::new(server);
    let first = lines(10_000, |n| format!("{n},{n}.5,true"));
    let late = "007,1,true\n1e2,1,true\n20000,007.5,true\n20001,1,1\n20002,2,FALSE\n";
    let load = |text: String| {
        let load = Load::csv(&database, workdir!(), &text);
        load.with("--infer --create-table --key id --mode upsert --max-errors 10").run().completes()
    };
    load(format!("id,n,b\n{first}{late}")).counts("read 10005, inserted 10001, failed 4");
    // Nor on another night.
    load(format!("id,n,b\n{late}")).counts("read 5, unchanged 1, failed 4");
    assert_eq!(database.client.lines("SELECT n + 0e0 FROM t WHERE id = 7"), ["7.5"]);
}

fn few_values_that_make_a_column_text_are_said(server: &Server) {
    let database = Database::new(server);
    let day = |n| if n == 700 { "31.12.2025" } else { "2025-12-31" };
    // And one that is text as a rule.
    let word = |n| if n % 10 == 0 { "x" } else { "7" };
    let text =
        "id,day,word\n".to_string() + &lines(2000, |n| format!("{n},{},{}", day(n), word(n)));
    let load = |args: &str| {
        let load = Load::csv(&database, workdir!(), &text).with("--infer --create-table --key id");
        load.with(args)
    };
    let doubt =
        "column 'day' is text because of 1 of 2,000 values; --types 'day=date' rejects such";
    let workdir = workdir!();
    workdir.write("in.csv", &text);
    let args = "check --csv-file in.csv --db-table t --infer --create-table --key id";
    let checked = database.flowgauge(&workdir).args(args.split(' ')).spawn().finish();
    checked.assert_stdout_has(doubt);
    load("").run().completes().says(doubt).says_not("'word'");
    // Once it is there, it is as somebody left it.
    load("--mode upsert").run().completes().says_not("because of");
    database.client.run("DROP TABLE t");
    let run = load("--types day=date --max-errors 1").run();
    run.says_not("because of").rejected(&["701:day type_mismatch"]);
}

fn times_are_known_in_text(server: &Server) {
    let database = Database::new(server);
    let csv = "id,day,at,point,clock,us,wide,flag\n\
        1,2024-02-29,2024-02-29 10:11,2024-02-29T10:11:12+02:00,10:11:12,01/02/2024,0.1,True\n\
        2,,,,,,,\n\
        3,1999-12-31,2024-02-29T10:11:12.123456,2024-02-29T10:11:12Z,23:59:59.5,03/04/2024,12345678901234567890.5,false\n";
    let made = [
        "id bigint",
        "day date",
        "at datetime(6)",
        "point datetime(6)",
        "clock time(6)",
        "us longtext",
        "wide decimal(40,20)",
        "flag tinyint(1)",
    ];
    for _night in 0..2 {
        let load = Load::csv(&database, workdir!(), csv);
        load.with("--infer --create-table --key id").run().completes();
    }
    assert_eq!(columns(&database), made);
    let sql = "SELECT day, at, point, clock FROM t ORDER BY id";
    assert_eq!(
        database.client.lines(sql),
        [
            "2024-02-29|2024-02-29 10:11:00.000000|2024-02-29 08:11:12.000000|10:11:12.000000",
            "NULL|NULL|NULL|NULL",
            "1999-12-31|2024-02-29 10:11:12.123456|2024-02-29 10:11:12.000000|23:59:59.500000",
        ]
    );
    // The same as documents, in which a number is a number.
    database.client.run("DROP TABLE t");
    let documents = "{\"id\":1,\"day\":\"2024-02-29\",\"at\":\"2024-02-29 10:11\",\"point\":\"2024-02-29T10:11:12Z\",\"clock\":\"10:11:12\",\"us\":\"01/02/2024\",\"wide\":12345678901234567890.5,\"flag\":true}\n";
    let load = Load::jsonl(&database, workdir!(), documents);
    load.with("--create-table --key id").run().completes();
    assert_eq!(columns(&database), made);
    // Without a word, text stays text.
    database.client.run("DROP TABLE t");
    Load::csv(&database, workdir!(), csv).with("--create-table --key id").run().completes();
    assert_eq!(columns(&database)[1..3], ["day longtext", "at longtext"]);
}

const TYPES: &str = "id=bigint unsigned,day=date,at=datetime(3),n=decimal(12,2),v=varchar(7),j=json,b=bool,f=float,e=epoch_ms,t=time(0)";

const TYPED: [&str; 10] = [
    "id bigint unsigned",
    "day date",
    "at datetime(3)",
    "n decimal(12,2)",
    "v varchar(7)",
    "j json",
    "b tinyint(1)",
    "f double",
    "e datetime(3)",
    "t time",
];

fn types_decide_columns(server: &Server) {
    let database = Database::new(server);
    let csv = "id,day,at,n,v,j,b,f,e,t\n7,2024-01-02,2024-01-02 03:04:05,1.5,x,\"[1]\",1,2,1500,10:11:12\n";
    let run =
        |load: Load<'_>| load.with("--create-table --key id --types").arg(TYPES).run().completes();
    run(Load::csv(&database, workdir!(), csv));
    assert_eq!(columns(&database), TYPED);
    let row = database.client.lines("SELECT day, at, n, v, b, f, e, t FROM t");
    assert_eq!(
        row,
        ["2024-01-02|2024-01-02 03:04:05.000|1.50|x|1|2|1970-01-01 00:00:01.500|10:11:12"]
    );
    database.client.run("DROP TABLE t");
    let document = "{\"id\":7,\"day\":\"2024-01-02\",\"at\":\"2024-01-02 03:04:05\",\"n\":1.5,\"v\":\"x\",\"j\":[1],\"b\":true,\"f\":2,\"e\":1500,\"t\":\"10:11:12\"}\n";
    run(Load::jsonl(&database, workdir!(), document));
    assert_eq!(columns(&database), TYPED);
    // Into the table that is there now.
    run(Load::jsonl(&database, workdir!(), document));
    // Some field may still come.
    database.client.run("DROP TABLE t");
    let load = Load::jsonl(&database, workdir!(), "{\"id\":1,\"late\":2}\n");
    load.with("--create-table --key id --types late=varchar(9),id=int").run().completes();
    assert_eq!(columns(&database), ["id bigint", "late varchar(9)"]);
}

/// Of the day that was written, wherever clocks stand.
fn a_format_of_days_makes_a_date_and_a_comma_a_decimal(server: &Server) {
    let database = Database::new(server);
    let types = "day=date:dd.MM.yyyy,at=date:dd.MM.yyyy HH:mm,either=date:yyyyMMdd||epoch_millis,n=decimal(12,2):comma";
    let run = |load: Load<'_>, types: &str| {
        let zones = "--source-zone Europe/Berlin --db-datetime-zone America/New_York";
        let load = load.with("--create-table --key id").with(zones).arg("--types").arg(types);
        load.run().completes();
        let columns = columns(&database);
        let rows = database.client.lines("SELECT * FROM t");
        database.client.run("DROP TABLE t");
        (columns, rows)
    };
    let csv = "id;day;at;either;n\n7;01.03.2024;01.03.2024 00:30;20240301;-1.234,5\n";
    let load = Load::csv(&database, workdir!(), csv).with("--csv-delimiter ;");
    let (columns, rows) = run(load, types);
    assert_eq!(
        columns[1..],
        ["day date", "at datetime(3)", "either datetime(3)", "n decimal(12,2)"]
    );
    assert_eq!(rows, ["7|2024-03-01|2024-02-29 18:30:00.000|2024-02-29 18:00:00.000|-1234.50"]);
    let document = "{\"id\":7,\"day\":\"01.03.2024\"}\n";
    let (columns, rows) = run(Load::jsonl(&database, workdir!(), document), "day=date:dd.MM.yyyy");
    assert_eq!((&columns[1][..], &rows[0][..]), ("day date", "7|2024-03-01"));
}

fn check_tries_records_against_the_table(server: &Server) {
    let database = Database::new(server);
    let text = "id,n,name\n1,1,a\n2,x,b\n3,3,c\n";
    let load = |args: &str| Load::csv(&database, workdir!(), text).with(args).run();
    let args = "--create-table --key id --infer --types n=int";
    let looked = load(&format!("check {args}")).ends_with(3);
    looked.finished.assert_stdout_has("1 of them would be rejected; --max-errors is 0");
    looked.finished.assert_stdout_has("would create");
    let looked = load(&format!("check {args} --max-errors 1")).ends_with(0);
    looked.finished.assert_stdout_has("not a");
    let about = |looked: &Loaded| {
        let lines = looked.finished.stdout.lines();
        let table = lines.skip_while(|line| !line.trim_start().starts_with("field ")).skip(1);
        let names = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        table.take_while(|line| !line.is_empty()).map(names).collect::<Vec<_>>()
    };
    let before = about(&looked);
    assert_eq!(before.len(), 3, "{}", looked.finished);
    // Nothing is left of a look.
    assert!(database.client.lines("SHOW TABLES").is_empty());
    load(args).ends_with(3);
    database.client.run("DROP TABLE t");
    load(&format!("{args} --max-errors 1")).ends_with(0);
    assert_eq!(about(&load("check --infer --max-errors 1")).len(), before.len());
    // Every type there is looks the same beforehand and when it is there.
    let all = "{\"id\":1,\"i\":1,\"u\":18446744073709551615,\"d\":0.5,\"f\":1e9,\"b\":true,\"t\":\"x\",\"j\":[1],\"day\":\"2024-01-02\",\"at\":\"2024-01-02 03:04\",\"k\":\"k\"}\n";
    database.client.run("DROP TABLE t");
    let look = || {
        let load = Load::jsonl(&database, workdir!(), all);
        load.with("check --create-table --key id,k --types t=varchar(9)").run().ends_with(0)
    };
    let mapping = |looked: &Loaded| {
        let lines = looked.finished.stdout.lines();
        let lines = lines.skip_while(|line| !line.trim_start().starts_with("field "));
        let table = lines.take_while(|line| !line.is_empty());
        // Widths of numbers say nothing, and what a field is called is of the sample.
        let plain = |line: &str| {
            let cells: Vec<&str> =
                line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
            cells.get(2..).unwrap_or_default().join("|").replace("(20)", "")
        };
        table.map(plain).collect::<Vec<_>>()
    };
    let before = mapping(&look());
    let load = Load::jsonl(&database, workdir!(), all);
    load.with("--create-table --key id,k --types t=varchar(9)").run().completes();
    assert_eq!(before, mapping(&look()));
}

fn names_in_objects_are_joined(server: &Server) {
    let database = Database::new(server);
    let text = "{\"id\":1,\"o\":{\"a\":1,\"p\":{\"x\":2}}}\n{\"id\":2,\"o\":null}\n";
    let load = |text: &str, args: &str| {
        let load = Load::jsonl(&database, workdir!(), text);
        load.with("--flatten --flatten-separator _ --key id").with(args).run()
    };
    load(text, "--create-table").completes();
    assert_eq!(columns(&database), ["id bigint", "o_a bigint", "o_p_x bigint"]);
    // A column whose field comes late.
    let late = lines(3_000, |n| format!("{{\"id\":{n},\"pad\":\"{}\"}}", "x".repeat(200)));
    let late = format!(
        "{late}{{\"id\":5000,\"o\":{{\"a\":7,\"p\":{{\"x\":8}}}},\"pad\":\"\"}}\n{{\"id\":5001,\"o\":null}}\n"
    );
    database.client.run("ALTER TABLE t ADD pad LONGTEXT");
    load(&late, "").completes();
    assert_eq!(database.client.lines("SELECT o_a, o_p_x FROM t WHERE id = 5000"), ["7|8"]);
    load("{\"id\":6000,\"o\":{\"a\":9}}\n", "--select id,o_a").completes();
    load("{\"id\":6001,\"o\":{\"a\":9}}\n", "--select id,o_a=o.a").completes();
    assert_eq!(database.client.lines("SELECT o_a FROM t WHERE id >= 6000"), ["9", "9"]);
    // Two fields that would be one column.
    load("{\"id\":1,\"o\":{\"a\":1},\"o_a\":2}\n", "")
        .ends_with(2)
        .says("the fields 'o.a' and 'o_a' both go into column 'o_a'");
    database.client.run("DROP TABLE t");
    load("{\"id\":1,\"o\":{\"a\":1},\"o_a\":2}\n", "--create-table")
        .ends_with(2)
        .says("the fields 'o.a' and 'o_a' would both be column 'o_a'");
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, o_a INT, pad LONGTEXT)");
    let meet = late.lines().take(3_000).fold(String::new(), |text, line| text + line + "\n");
    load(&(meet + "{\"id\":9000,\"o\":{\"a\":1},\"o_a\":2}\n"), "")
        .ends_with(3)
        .says("'o_a'")
        .says("both go into this column");
}

#[test]
fn names_in_objects_are_joined_in_files() {
    let workdir = workdir!();
    workdir.write("in.jsonl", "{\"id\":1,\"o\":{\"a\":1}}\n");
    workdir.write("met.jsonl", "{\"id\":1,\"o\":{\"a\":1},\"o_a\":2}\n");
    let run = |file: &str, args: &[&str]| {
        let program = workdir.flowgauge().args(["--jsonl-file", file, "--output-file", "out.csv"]);
        program.args(args).run()
    };
    run("in.jsonl", &["--flatten", "--flatten-separator", "__"]).assert_code(0);
    workdir.assert_file("out.csv", "id,o__a\n1,1\n");
    run("met.jsonl", &["--flatten", "--flatten-separator", "_"])
        .assert_code(2)
        .assert_stderr_has("the fields 'o.a' and 'o_a' would both be column 'o_a'");
    run("in.jsonl", &["--flatten-separator", "_"])
        .assert_code(2)
        .assert_stderr_has("without --flatten there are no such names");
}

fn keys_have_room_for_the_longest_text(server: &Server) {
    let database = Database::new(server);
    let key = |length: usize| format!("k,v\n{},1\n", "k".repeat(length));
    let load =
        |text: &str| Load::csv(&database, workdir!(), text).with("--create-table --key k").run();
    load(&key(300)).completes();
    assert_eq!(columns(&database)[0], "k varchar(600)");
    database.client.run("DROP TABLE t");
    load(&key(3)).completes();
    assert_eq!(columns(&database)[0], "k varchar(191)");
    database.client.run("DROP TABLE t");
    load(&key(800)).ends_with(2).says("'k' cannot be part of a key");
}

fn a_pipe_and_several_files_are_looked_at(server: &Server) {
    let database = Database::new(server);
    // What was read of a pipe for the sample is not lost.
    let text = lines(12_000, |n| format!("{{\"id\":{n},\"a\":{n}}}")) + "{\"id\":0,\"b\":1.5}\n";
    let early = format!("{{\"id\":-1,\"b\":2.5}}\n{text}");
    let load = Load::stdin_jsonl(&database, workdir!()).with("--create-table --key id");
    let finished = load.program().stdin(early).run();
    load.ended(finished).completes();
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 12_002);
    database.client.run("DROP TABLE t");
    let csv = format!("id,n\n{}", lines(3_000, |n| format!("{n},{n}.5")));
    let load = Load::stdin(&database, workdir!()).with("--create-table --infer --key id");
    let finished = load.program().stdin(csv).run();
    load.ended(finished).completes();
    assert_eq!(columns(&database), ["id bigint", "n decimal(40,20)"]);
    database.client.run("DROP TABLE t");
    // Each file has its share; their columns stand in different places.
    let load = Load::csv(&database, workdir!(), "id,n\n1,1\n2,2\n");
    load.workdir.write("b.csv", "n,id\n2.5,3\n");
    load.workdir.write("c.csv", "n,id\n,4\n");
    load.with("--csv-file b.csv --csv-file c.csv --infer --create-table --key id")
        .run()
        .completes();
    assert_eq!(columns(&database), ["id bigint", "n decimal(40,20)"]);
}

/// Where the sample has times with an offset and local ones, the column is a text.
fn times_of_one_form_take_no_others(server: &Server) {
    let database = Database::new(server);
    let load = |text: &str, args: &str| {
        let load = Load::csv(&database, workdir!(), format!("id,at,point\n{text}"));
        let load = load.with("--infer --create-table --key id --mode upsert --max-errors 9");
        load.with(args).run()
    };
    load("1,2024-01-02 03:04,2024-01-02T03:04:05+02:00\n", "").completes();
    assert_eq!(columns(&database)[1..], ["at datetime(6)", "point datetime(6)"]);
    let late = "2,2024-01-02T03:04:05Z,\n3,,2024-01-02 03:04\n4,2024-01-02,\n5,,2024-01-02T03:04:05-0300\n";
    let run = load(late, "").counts("read 4, inserted 2, failed 2");
    let run = run.rejected(&["2:at type_mismatch", "3:point type_mismatch"]);
    let reasons: Vec<String> = run.rejects().into_iter().map(|one| one.reason).collect();
    assert!(reasons[0].contains("a time with an offset, and those"), "{reasons:?}");
    assert!(reasons[0].contains("by a guess from the first record"), "{reasons:?}");
    assert!(reasons[1].contains("a time without an offset, and those"), "{reasons:?}");
    // By a zone, all of them are points in time.
    load(late, "--source-zone +01:00").counts("read 4, inserted 2, updated 1, unchanged 1");
    assert_eq!(
        database.client.lines("SELECT at, point FROM t WHERE id IN (2, 3) ORDER BY id"),
        ["2024-01-02 03:04:05.000000|NULL", "NULL|2024-01-02 02:04:00.000000"]
    );
    // What somebody said is no guess.
    database.client.run("ALTER TABLE t MODIFY at DATETIME(6)");
    load("2,2024-01-02T03:04:05Z,\n", "").counts("read 1, unchanged 1");
}

fn a_first_night_without_records_makes_no_table(server: &Server) {
    let database = Database::new(server);
    let workdir = workdir!();
    workdir.write("zero.csv", "");
    workdir.write("header.csv", "id,n\n");
    workdir.write("zero.jsonl", "\n");
    let run = |args: &str| {
        let program = database.flowgauge(&workdir).args(["--db-table", "t", "--create-table"]);
        program.args(args.split(' ')).args(["--summary-json", "s.json"]).run()
    };
    let has_table = || !database.client.lines("SHOW TABLES LIKE 't'").is_empty();
    for args in [
        "--csv-file none*.csv --infer",
        "--csv-file none*.csv",
        "--csv-file zero.csv --infer --key id",
        "--csv-file header.csv --infer --key id --mode upsert",
        "--csv-file header.csv --infer --key id --types id=int",
        "--jsonl-file zero.jsonl --key id",
        "--jsonl-file zero.jsonl --key id --types id=int --flatten",
        "--jsonl-file none*.jsonl --select id,n",
    ] {
        let finished = run(&format!("{args} --allow-empty"));
        finished
            .assert_code(0)
            .assert_stderr_has("is not created: there is no record to choose its columns from");
        let summary: Value = serde_json::from_str(&workdir.read("s.json")).unwrap();
        assert_eq!(
            (&summary["outcome"], &summary["records"]["read"]),
            (&json!("complete"), &json!(0))
        );
        assert!(!has_table(), "{args}");
        let checked =
            database.flowgauge(&workdir).args(["check", "--db-table", "t", "--create-table"]);
        let checked = checked.args(format!("{args} --allow-empty").split(' ')).run();
        checked.assert_code(0).assert_stdout_has("there is no record to choose its columns from");
    }
    let run_of_nothing = run("--csv-file header.csv --infer --key id");
    run_of_nothing.assert_code(2).assert_stderr_has("--allow-empty");
    assert!(!has_table());
    // Nothing has to be guessed.
    for args in [
        "--csv-file header.csv --key id",
        "--csv-file header.csv --infer --key id --types id=int,n=int",
    ] {
        run(args).assert_code(0);
        assert_eq!(columns(&database).len(), 2);
        database.client.run("DROP TABLE t");
    }
    // What is no record is rejected, and not passed over.
    workdir.write("zero.jsonl", "{\n");
    run("--jsonl-file zero.jsonl --allow-empty").assert_code(3);
    workdir.write("zero.jsonl", "{\"id\":1}\n");
    run("--jsonl-file zero.jsonl --key id --allow-empty").assert_code(0);
    assert_eq!(database.client.number("SELECT id FROM t"), 1);
}

fn names_of_fields_have_a_bound(server: &Server) {
    let database = Database::new(server);
    let text = lines(300, |n| {
        let ids: Vec<String> = (0..100).map(|id| format!("\"u{n}x{id}\":1")).collect();
        format!("{{\"id\":{n},\"by_user\":{{{}}}}}", ids.join(","))
    });
    let load = |args: &str| {
        let load = Load::jsonl(&database, workdir!(), &text).with("--create-table --key id");
        load.with(args).run()
    };
    load("--flatten").ends_with(2).says("a table of 10000 columns").says("--select");
    load("--flatten --select id,u=by_user.u1x1")
        .completes()
        .says("have more fields than the 10,000 whose names are kept");
    database.client.run("DROP TABLE t");
    load("").completes().says_not("whose names");
    assert_eq!(columns(&database).len(), 2);
}

/// Documents into table `t`.
fn load(
    indices: &Indices,
    database: &Database,
    workdir: &Workdir,
    index: &str,
    args: &[&str],
) -> Finished {
    let mut verb: Vec<&str> = Vec::new();
    let rest = match args.first() {
        Some(&"check") => {
            verb.push("check");
            &args[1..]
        }
        _ => args,
    };
    database
        .flowgauge(workdir)
        .args(verb)
        .args(["--source-type", "elasticsearch", "--es-url", &indices.address, "--es-index", index])
        .args(["--db-table", "t", "--rejects", "rejects.jsonl"])
        .args(rest)
        .run()
}

fn fill(indices: &Indices, index: &str, documents: &[Value]) {
    let documents: Vec<(String, String)> =
        (1..).zip(documents).map(|(n, document)| (format!("d{n}"), document.to_string())).collect();
    indices.fill(index, &documents);
}

/// Documents that say otherwise than their mapping, each in its own way, among many that do not.
fn differing(indices: &Indices) -> String {
    let mappings = json!({ "dynamic": false, "properties": {
        "tags": { "type": "keyword" },
        "code": { "type": "keyword", "ignore_above": 4 },
        "n": { "type": "integer" },
        "big": { "type": "byte", "ignore_malformed": true },
        "f": { "type": "double" },
        "d": { "type": "date", "ignore_malformed": true },
        "at": { "type": "date" },
        "nanos": { "type": "date_nanos" },
        "flag": { "type": "boolean" },
        "plain": { "type": "long" },
        "o": { "properties": { "x": { "type": "keyword" } } },
    } });
    let index = indices.make("differing", json!({ "mappings": mappings }));
    let plain = json!({ "tags": "a", "code": "abcd", "n": 1, "big": 1, "f": 0.5, "d": "2024-01-02", "at": 1500, "nanos": "2024-01-02T03:04:05Z", "flag": true, "plain": "12", "o": { "x": "y" } });
    let mut documents = vec![plain; 1_600];
    documents.push(json!({ "tags": ["a", "b"], "code": "abcdefgh", "n": 1.7, "big": "no number" }));
    documents
        .push(json!({ "f": 9_007_199_254_740_993_u64, "d": "02.01.2024", "extra": "not mapped" }));
    documents.push(json!({ "at": "2024-01-02T03:04:05.123456Z", "nanos": "2024-01-02T03:04:05.123456789Z", "flag": "" }));
    documents.push(json!({ "o": [{ "x": "y" }, { "x": "z" }] }));
    fill(indices, &index, &documents);
    index
}

fn documents_differ_from_their_mapping(indices: &Indices, server: &Server) {
    let (database, workdir) = (Database::new(server), workdir!());
    let index = differing(indices);
    load(indices, &database, &workdir, &index, &["check", "--create-table"])
        .assert_code(0)
        .assert_stdout_has("field 'tags' is keyword in the mapping, and documents have arrays or objects there: its column is json")
        .assert_stdout_has("none of them would be rejected");
    for _night in 0..2 {
        load(indices, &database, &workdir, &index, &["--create-table"]).assert_code(0);
    }
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 1_604);
    let made = columns(&database);
    let has = |column: &str| assert!(made.iter().any(|made| made == column), "{column}: {made:?}");
    [
        "code longtext",
        "n decimal(40,20)",
        "big longtext",
        "f decimal(40,20)",
        "d longtext",
        "at datetime(6)",
        "nanos longtext",
        "flag longtext",
        "plain bigint",
        "extra longtext",
    ]
    .into_iter()
    .for_each(has);
    let sql = "SELECT COUNT(*) FROM t WHERE JSON_LENGTH(tags) = 2 OR code = 'abcdefgh'";
    assert_eq!(database.client.number(sql), 1);

    // An object that is an array in some documents is a column of its own.
    database.client.run("DROP TABLE t");
    for _night in 0..2 {
        load(indices, &database, &workdir, &index, &["--create-table", "--flatten"]).assert_code(0);
    }
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t WHERE JSON_LENGTH(o) = 2"), 1);

    // What the user says goes before the mapping and before the sample.
    database.client.run("DROP TABLE t");
    let types = "tags=json,code=varchar(8),n=decimal(12,2),plain=bigint unsigned,nothere=int";
    load(indices, &database, &workdir, &index, &["--create-table", "--types", types])
        .assert_code(2)
        .assert_stderr_has("--types names 'nothere'");
    let types = types.replace(",nothere=int", ",extra=varchar(99)");
    load(indices, &database, &workdir, &index, &["--create-table", "--types", &types])
        .assert_code(0);
    let made = columns(&database);
    for column in
        ["code varchar(8)", "n decimal(12,2)", "plain bigint unsigned", "extra varchar(99)"]
    {
        assert!(made.iter().any(|made| made == column), "{column}: {made:?}");
    }
}

#[test]
fn documents_of_elasticsearch_7_into_mariadb() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    documents_differ_from_their_mapping(&indices, &Server::mariadb(needs!("mariadb")));
}

#[test]
fn documents_of_elasticsearch_8_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch8"), test_name!());
    documents_differ_from_their_mapping(&indices, &Server::mysql(needs!("mysql")));
}

#[test]
fn documents_of_opensearch_into_mysql() {
    let indices = Indices::new(needs!("opensearch2"), test_name!());
    documents_differ_from_their_mapping(&indices, &Server::mysql(needs!("mysql")));
}

#[test]
fn a_wildcard_that_no_index_matches_makes_no_table() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let server = Server::mariadb(needs!("mariadb"));
    let (database, workdir) = (Database::new(&server), workdir!());
    let index = indices.name("none-*");
    load(&indices, &database, &workdir, &index, &["--create-table", "--allow-empty"])
        .assert_code(0)
        .assert_stderr_has("there is no record to choose its columns from");
    assert!(database.client.lines("SHOW TABLES LIKE 't'").is_empty());
}

/// The sample is of both ends of each index, also where an alias stands for them.
#[test]
fn each_index_is_looked_at_from_both_ends() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let server = Server::mariadb(needs!("mariadb"));
    let (database, workdir) = (Database::new(&server), workdir!());
    let mappings =
        json!({ "properties": { "tags": { "type": "keyword" }, "n": { "type": "long" } } });
    for (short, at) in [("a", 0), ("b", 3_999)] {
        let body = json!({ "settings": { "number_of_shards": 1 }, "mappings": mappings });
        let index = indices.make(short, body);
        let mut documents = vec![json!({ "tags": "x", "n": 1 }); 4_000];
        documents[at] = if at == 0 { json!({ "tags": ["x"] }) } else { json!({ "n": 1.5 }) };
        fill(&indices, &index, &documents);
    }
    let alias = indices.name("both");
    let (a, b) = (indices.name("a"), indices.name("b"));
    let add = |index: &str| json!({ "add": { "index": index, "alias": alias } });
    indices.ask("POST", "/_aliases", &json!({ "actions": [add(&a), add(&b)] }).to_string());
    load(&indices, &database, &workdir, &alias, &["--create-table"]).assert_code(0);
    assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 8_000);
    assert!(columns(&database).contains(&"n decimal(40,20)".to_string()));
}
