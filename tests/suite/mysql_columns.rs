//! What columns do beside holding a value: defaults, NULL, numbers of their own, columns that nobody
//! may write; and what holds for every value there is.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};

use crate::support::{Database, Load, Server, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    what_is_absent_gets_the_default_and_null_is_null
    a_default_that_the_server_computes_is_computed
    numbers_of_the_server_are_its_own
    not_null_takes_no_null
    generated_and_invisible_columns
    a_table_that_is_not_there_or_does_not_fit
    names_are_quoted
    any_bytes_come_back
    a_value_is_what_a_strict_insert_makes_of_it
}

fn what_is_absent_gets_the_default_and_null_is_null(server: &Server) {
    let database = Database::new(server);
    database.client.run(
"CREATE TABLE t (n INT PRIMARY KEY, i INT DEFAULT -7, s VARCHAR(20) DEFAULT 'it''s \\\\ \\t', \
         d DATE DEFAULT '2020-02-29', b BIT(9) DEFAULT b'101', e ENUM('a','b') DEFAULT 'b', \
         x VARBINARY(4) DEFAULT 'ab', c INT DEFAULT (1 + 1), o INT, y DECIMAL(5,2) DEFAULT 1.5)",
);
    let all = "\"i\":1,\"s\":\"s\",\"d\":\"2021-01-01\",\"b\":1,\"e\":\"a\",\"x\":\"x\",\"c\":1,\"o\":1,\"y\":1";
    let nulls = "\"i\":null,\"s\":null,\"d\":null,\"b\":null,\"e\":null,\"x\":null,\"c\":null,\"o\":null,\"y\":null";
    let shown = "SELECT n, i, HEX(s), d, b + 0, e, HEX(x), c, o, y FROM t ORDER BY n";
    let given = "|1|73|2021-01-01|1|a|78|1|1|1.00";
    let preset = "|-7|6974277320";
    let preset = format!("{preset}5C2009|2020-02-29|5|b|6162|2|NULL|1.50");
    let null = "|NULL".repeat(9);
    // In one segment some rows have a value and others do not; in others none has.
    for size in [100, 1] {
        let text = format!("{{\"n\":1,{all}}}\n{{\"n\":2}}\n{{\"n\":3,{nulls}}}\n{{\"n\":4}}\n");
        Load::jsonl(&database, workdir!(), text)
            .with(&format!("--batch-size {size}"))
            .run()
            .completes()
            .counts("read 4, inserted 4");
        assert_eq!(
            database.client.lines(shown),
            [format!("1{given}"), format!("2{preset}"), format!("3{null}"), format!("4{preset}")]
        );
        database.client.run("DELETE FROM t");
    }
    // Columns that the file does not have at all.
    Load::csv(&database, workdir!(), "n\n1\n2\n").run().completes();
    assert_eq!(database.client.lines(shown), [format!("1{preset}"), format!("2{preset}")]);
}

fn a_default_that_the_server_computes_is_computed(server: &Server) {
    let database = Database::new(server);
    database.client.run(
        "CREATE TABLE t (n INT PRIMARY KEY, a DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
         b TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
         c VARCHAR(36) NOT NULL DEFAULT (UUID()))",
    );
    let given = "\"a\":\"2020-01-01 00:00:00\",\"b\":\"2020-01-01T00:00:00Z\",\"c\":\"x\"";
    let text = format!("{{\"n\":1}}\n{{\"n\":2,{given}}}\n{{\"n\":3,\"a\":null}}\n");
    Load::jsonl(&database, workdir!(), text)
        .with("--max-errors 1")
        .run()
        .completes()
        .rejected(&["3:a null"]);
    let shown = "SELECT n, a > '2026-01-01' OR a < '2000-01-01', a, b, LENGTH(c) FROM t ORDER BY n";
    let lines = database.client.lines(shown);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("1|1|20") && lines[0].ends_with("|36"), "{lines:?}");
    assert_eq!(lines[1], "2|0|2020-01-01 00:00:00.000000|2020-01-01 00:00:00|1");
}

fn numbers_of_the_server_are_its_own(server: &Server) {
    let database = Database::new(server);
    database
        .client
        .run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, es_id VARBINARY(9) UNIQUE)");
    // The key that counts is the one that is written.
    let load =
        |text: &str| Load::csv(&database, workdir!(), text).with("--lanes 4").run().completes();
    load("es_id\na\nb\n")
        .counts("read 2, inserted 2")
        .says("skip on es_id (the default with the key es_id");
    load("es_id\nb\nc\nc\n").counts("read 3, inserted 1, duplicate 2");
    assert_eq!(database.client.lines("SELECT es_id FROM t ORDER BY id"), ["a", "b", "c"]);
    database.client.run("DELETE FROM t");
    // 0 is a number as any other, and NULL would be another.
    Load::csv(&database, workdir!(), "id,es_id\n0,x\n7,y\n,z\n")
        .with("--mode insert --max-errors 1")
        .run()
        .completes()
        .rejected(&["4:id null"]);
    assert_eq!(database.client.lines("SELECT * FROM t ORDER BY id"), ["0|x", "7|y"]);
}

fn not_null_takes_no_null(server: &Server) {
    let database = Database::new(server);
    database
        .client
        .run("CREATE TABLE t (n INT PRIMARY KEY, v INT NOT NULL DEFAULT 5, w VARCHAR(9) NOT NULL)");
    Load::jsonl(
        &database,
        workdir!(),
        "{\"n\":1,\"v\":null,\"w\":\"\"}\n{\"n\":2,\"w\":\"\"}\n{\"n\":3,\"v\":1}\n{\"n\":4,\"v\":1,\"w\":null}\n",
    )
    .with("--max-errors 3")
    .run()
    .completes()
    .says("column 'v': null, and the column is NOT NULL")
    .rejected(&["1:v null", "3:w null", "4:w null"]);
    assert_eq!(database.client.lines("SELECT * FROM t"), ["2|5|"]);
    Load::csv(&database, workdir!(), "n,v,w\n5,,x\n6,6,\n")
        .with("--max-errors 3")
        .run()
        .completes()
        .says("column 'v': empty, and the column is NOT NULL")
        .rejected(&["2:v null"]);
    assert_eq!(database.client.lines("SELECT * FROM t"), ["2|5|", "6|6|"]);
}

fn generated_and_invisible_columns(server: &Server) {
    let database = Database::new(server);
    let invisible = if server.is_mariadb { "INVISIBLE DEFAULT 3" } else { "DEFAULT 3 INVISIBLE" };
    database.client.run(format!(
        "CREATE TABLE t (n INT PRIMARY KEY, g INT AS (n * 2) STORED, v INT AS (n * 3) VIRTUAL, i INT {invisible})"
    ));
    Load::csv(&database, workdir!(), "n,g,i\n1,9,8\n2,9,\n")
        .run()
        .completes()
        .says("field 'g' is left out: the server generates that column");
    Load::csv(&database, workdir!(), "n\n3\n").run().completes();
    let lines = database.client.lines("SELECT n, g, v, i FROM t ORDER BY n");
    assert_eq!(lines, ["1|2|3|8", "2|4|6|NULL", "3|6|9|3"]);
    Load::csv(&database, workdir!(), "n,x\n4,5\n")
        .with("--select n,g=x")
        .run()
        .ends_with(2)
        .says("column 'g' is generated by the server");
}

fn a_table_that_is_not_there_or_does_not_fit(server: &Server) {
    let database = Database::new(server);
    let load = |text: &str| Load::csv(&database, workdir!(), text);
    load("n\n1\n").run().ends_with(2).says("--create-table");
    load("n\n1\n").with("--db-table nowhere.t").run().ends_with(2).says("(error 1044)");
    database.client.run("CREATE TABLE t (n INT PRIMARY KEY, x INT NOT NULL)");
    load("n\n1\n")
        .run()
        .ends_with(2)
        .says("no field goes into column 'x', which has NOT NULL and no default");
    load("n,x,y,z z\n1,1,1,1\n")
        .run()
        .ends_with(2)
        .says("there is no column for fields 'y', 'z z'")
        .says("--select 'n,x'")
        .says("--new-fields ignore");
    load("n,x,y\n1,1,1\n").with("--select n,x").run().completes();
    load("n,x,y\n2,2,2\n")
        .with("--new-fields ignore")
        .run()
        .completes()
        .says("field 'y' is left out");
    load("a,b\n3,3\n").with("--select n=a,X=b").run().completes();
    load("n,x\n4,4\n").with("--select n,x=q").run().ends_with(2).says("'q'");
    assert_eq!(database.client.lines("SELECT * FROM t"), ["1|1", "2|2", "3|3"]);
    database.client.run("CREATE VIEW w AS SELECT * FROM t");
    load("n,x\n5,5\n").with("--db-table w").run().ends_with(2).says("it is a view");
    // A field that turns up later.
    let late = "{\"n\":5,\"x\":5}\n".to_string()
        + &"{\"n\":5,\"x\":5}\n".repeat(30_000)
        + "{\"n\":6,\"x\":6,\"late\":1}\n";
    Load::jsonl(&database, workdir!(), &late).run().ends_with(3).says("'late'");
    assert_eq!(database.client.lines("SELECT n FROM t WHERE n = 6"), [""; 0]);
    Load::jsonl(&database, workdir!(), &late).with("--new-fields ignore").run().completes();
    assert_eq!(database.client.lines("SELECT x FROM t WHERE n = 6"), ["6"]);
}

fn names_are_quoted(server: &Server) {
    let database = Database::new(server);
    let name = "a`b'c\"d;DROP TABLE e -- ä";
    let quoted = format!("`{}`", name.replace('`', "``"));
    database
        .client
        .run(format!("CREATE TABLE {quoted} ({quoted} VARBINARY(9) PRIMARY KEY, `select` INT)"));
    let text = format!("\"{}\",select\nx,1\ny,2\nx,3\n", name.replace('"', "\"\""));
    for mode in ["skip", "upsert"] {
        Load::csv(&database, workdir!(), &text)
            .with(&format!("--mode {mode}"))
            .arg("--db-table")
            .arg(&quoted)
            .run()
            .completes();
    }
    assert_eq!(database.client.lines(&format!("SELECT * FROM {quoted}")), ["x|3", "y|2"]);
}

/// Values of a strategy, the same in every run.
fn sample<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let config = Config::default();
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn any_bytes_come_back(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (n INT PRIMARY KEY, a LONGBLOB, b LONGBLOB)");
    let special = prop::sample::select(b"\\\t\n\r\0\x1a'\"N,\xff\xc3".to_vec());
    let byte = prop_oneof![3 => special, 1 => any::<u8>()];
    let mut values = sample(prop::collection::vec(byte, 0..40), 500);
    values.push((0..=255).collect());
    values.push((0..=255).rev().flat_map(|byte| [b'\\', byte]).collect());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let neighbour = |n: usize| &values[(n * 7 + 1) % values.len()];
    let expected: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(n, value)| format!("{n}|{}|{}", hex(value), hex(neighbour(n))))
        .collect();
    let text: String = expected.iter().map(|line| line.replace('|', ",") + "\n").collect();
    for args in ["", "--no-load-data", "--mode upsert"] {
        Load::csv(&database, workdir!(), format!("n,a,b\n{text}"))
            .with("--db-binary hex --batch-size 200")
            .with(args)
            .run()
            .completes();
        let found = database.client.lines("SELECT n, HEX(a), HEX(b) FROM t ORDER BY n");
        assert!(found == expected, "{args}");
        database.client.run("UPDATE t SET a = 'other'");
        if args == "--no-load-data" {
            continue;
        }
        database.client.run("DELETE FROM t");
    }
}

/// Another client's strict INSERT of the same text says what a value is. We may refuse more, and
/// what we do take is the same.
fn a_value_is_what_a_strict_insert_makes_of_it(server: &Server) {
    let database = Database::new(server);
    let number = "[-+]?[0-9]{0,4}(\\.[0-9]{0,4})?([eE][-+]?[0-9]{1,2})?";
    let day = "[0-9]{2,4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}";
    let time = "-?[0-9]{1,3}:[0-9]{1,2}(:[0-9]{2}(\\.[0-9]{0,7})?)?";
    let moment = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[ T]([01][0-9]|2[0-4]):[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,7})?";
    let word = "[a-c,1ä中 ]{0,4}";
    let columns = [
        ("TINYINT", number),
        ("SMALLINT UNSIGNED", number),
        ("BIGINT", number),
        ("DECIMAL(6,2)", number),
        ("DOUBLE", number),
        ("DATE", day),
        ("TIME(2)", time),
        ("DATETIME(3)", moment),
        ("YEAR", "[0-9]{1,5}"),
        ("VARCHAR(3)", word),
        ("CHAR(2)", word),
        ("VARCHAR(3) CHARACTER SET latin1", word),
        ("VARCHAR(3) CHARACTER SET latin2", word),
        ("ENUM('a','b','1')", "[abc12]{1,2}"),
        ("SET('a','b','c')", "[abc,]{0,4}"),
    ];
    let mut names = String::from("n");
    let mut definitions = String::from("n INT PRIMARY KEY");
    for (at, (column, _)) in columns.iter().enumerate() {
        names += &format!(",c{at}");
        definitions += &format!(", c{at} {column}");
    }
    database.client.run(format!("CREATE TABLE t ({definitions})"));
    database.client.run(format!("CREATE TABLE o ({definitions})"));
    let oracle = database.connect();
    oracle.run("SET NAMES utf8mb4, sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE', time_zone = '+00:00'");
    // One value a row: the others are NULL.
    let mut text = format!("{names}\n");
    let mut n = 0;
    let (mut taken, mut wanted) = (0, Vec::new());
    for (at, (_, pattern)) in columns.iter().enumerate() {
        let regex = prop::string::string_regex(pattern).unwrap();
        for value in sample(regex, 64) {
            if value.is_empty() {
                continue;
            }
            n += 1;
            let before = ",".repeat(at + 1);
            text += &format!("{n}{before}\"{value}\"{}\n", ",".repeat(columns.len() - 1 - at));
            if oracle.try_run(format!("INSERT INTO o (n, c{at}) VALUES ({n}, '{value}')")).is_ok() {
                taken += 1;
            }
            wanted.push((n, at, value));
        }
    }
    Load::csv(&database, workdir!(), &text)
        .arg("--csv-null=")
        .with("--max-errors 100%")
        .run()
        .completes();
    let rows = |table: &str| -> std::collections::BTreeMap<u64, Vec<Option<String>>> {
        let hex: String =
            (0..columns.len()).map(|at| format!(", HEX(CAST(c{at} AS BINARY))")).collect();
        let rows = database.client.rows(&format!("SELECT n{hex} FROM {table}"));
        rows.into_iter().map(|row| (row[0].as_ref().unwrap().parse().unwrap(), row)).collect()
    };
    let (ours, theirs) = (rows("t"), rows("o"));
    let mut differences = Vec::new();
    for (n, at, value) in &wanted {
        let column = columns[*at].0;
        match (ours.get(n), theirs.get(n)) {
            (Some(our), Some(their)) if our == their => {}
            (Some(our), their) => differences.push(format!(
                "{value:?} in {column} is {:?}, not {:?}",
                our[at + 1],
                their.map(|their| their[at + 1].clone())
            )),
            (None, _) => {}
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    // What both take has to be most of what the server takes, or nothing was compared.
    assert!(ours.len() * 2 > taken, "{} of {taken}", ours.len());
}
