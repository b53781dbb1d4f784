//! Values that a server would take for other ones, most of them without a word.

use std::fmt::Write as _;

use crate::support::load::Reject;
use crate::support::{Database, Load, Server, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    long_text_keeps_its_spaces_in_every_character_set
    characters_that_become_others_are_rejected
    every_character_is_kept_or_rejected
    json_text_is_held_against_its_character_set
    members_beyond_three_bytes_are_known
    members_that_cannot_be_told_are_met_by_nothing
    members_that_the_collation_takes_for_others_are_rejected
    floats_are_kept_digit_by_digit_or_rejected
    floats_with_digits_are_what_was_computed
    json_doubles_are_foreseen
    json_doubles_go_in_as_the_nearest
    objects_go_into_text_in_their_own_words
}

mod addresses {
    use super::{
        addresses_as_keys, addresses_as_long_as_their_bytes, addresses_of_every_length,
        addresses_of_one_kind_load_at_once,
    };
    use crate::support::{Server, needs};

    #[test]
    fn of_every_length() {
        addresses_of_every_length(&Server::mariadb(needs!("mariadb")));
    }

    #[test]
    fn as_long_as_their_bytes() {
        addresses_as_long_as_their_bytes(&Server::mariadb(needs!("mariadb")));
    }

    #[test]
    fn as_keys() {
        addresses_as_keys(&Server::mariadb(needs!("mariadb")));
    }

    #[test]
    fn load_at_once() {
        addresses_of_one_kind_load_at_once(&Server::mariadb(needs!("mariadb")));
    }
}

const WAYS: [&str; 4] =
    ["--mode insert", "--mode skip", "--mode upsert", "--mode upsert --no-load-data"];

fn addresses_of_every_length(server: &Server) {
    let addresses = ["::", "::1", "2001:db8::1:2:33", "1111:2222:33::44", "::ffff:1.2.3.4"];
    let long = "1111:2222:3333:4444:5555:6666:7777:8888";
    for way in WAYS {
        let database = Database::new(server);
        database.client.run("CREATE TABLE t (n INT PRIMARY KEY, a INET6, b INET4, u UUID)");
        let uuid = "0191A0B0-1234-7ABC-8000-0123456789AB";
        let mut text = "n,a,b,u\n".to_string();
        for (n, address) in addresses.iter().chain([&long]).enumerate() {
            writeln!(text, "{n},{address},10.20.30.4{n},{uuid}").unwrap();
        }
        text.push_str("9,,,\n");
        let loaded = Load::csv(&database, workdir!(), &text).with(way).run().completes();
        loaded.counts("read 7, inserted 7");
        let mut expected: Vec<String> = addresses
            .iter()
            .chain([&long])
            .enumerate()
            .map(|(n, address)| format!("{n}|{address}|10.20.30.4{n}|{}", uuid.to_lowercase()))
            .collect();
        expected.push("9|NULL|NULL|NULL".to_string());
        assert_eq!(database.client.lines("SELECT * FROM t ORDER BY n"), expected, "{way}");
    }
}

/// With nothing in the batch that would bring a warning.
fn addresses_as_long_as_their_bytes(server: &Server) {
    for way in WAYS {
        let database = Database::new(server);
        database.client.run("CREATE TABLE t (n INT PRIMARY KEY, a INET6)");
        let text = "n,a\n1,2001:db8::1:2:33\n2,1111:2222:33::44\n";
        Load::csv(&database, workdir!(), text).with(way).run().completes();
        let rows = database.client.lines("SELECT * FROM t ORDER BY n");
        assert_eq!(rows, ["1|2001:db8::1:2:33", "2|1111:2222:33::44"], "{way}");
    }
}

fn addresses_as_keys(server: &Server) {
    for way in ["--mode skip", "--mode upsert", "--mode upsert --no-load-data --lanes 4"] {
        let database = Database::new(server);
        for (column, one, same) in [
            ("INET6", "2001:db8::1:2:33", "2001:0DB8:0:0:0:1:2:33"),
            ("INET6", "::1", "0:0:0:0:0:0:0:1"),
            (
                "UUID",
                "0191a0b0-1234-7abc-8000-0123456789ab",
                "0191A0B0-1234-7ABC-8000-0123456789AB",
            ),
            ("INET4", "10.20.30.40", "10.20.30.40"),
        ] {
            database.client.run("DROP TABLE IF EXISTS t");
            database.client.run(format!("CREATE TABLE t (k {column} PRIMARY KEY, v INT)"));
            database.client.run(format!("INSERT INTO t VALUES ('{one}', 0)"));
            let text = format!("k,v\n{same},1\n{one},2\n");
            Load::csv(&database, workdir!(), &text)
                .with(way)
                .with("--batch-size 1")
                .run()
                .completes();
            let v = if way.contains("skip") { 0 } else { 2 };
            let rows = database.client.lines("SELECT * FROM t");
            assert_eq!(rows, [format!("{one}|{v}")], "{way} {column}");
        }
    }
}

/// A batch that brings a warning is taken back and written again, row by row: then the first
/// numbers are used up.
fn addresses_of_one_kind_load_at_once(server: &Server) {
    for (column, value) in [
        ("INET6", "::1"),
        ("INET4", "10.20.30.40"),
        ("UUID", "0191a0b0-1234-7abc-8000-0123456789ab"),
    ] {
        let database = Database::new(server);
        let sql = format!("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v {column})");
        database.client.run(sql);
        let load = Load::csv(&database, workdir!(), format!("v\n{value}\n{value}\n"));
        load.with("--mode insert").run().completes().counts("read 2, inserted 2");
        let rows = database.client.lines("SELECT * FROM t ORDER BY id");
        assert_eq!(rows, [format!("1|{value}"), format!("2|{value}")]);
    }
}

fn long_text_keeps_its_spaces_in_every_character_set(server: &Server) {
    let mut sets =
        vec!["gbk", "sjis", "big5", "euckr", "cp932", "gb2312", "ujis", "utf16", "utf32"];
    if !database_is_mariadb(server) {
        sets.push("gb18030");
    }
    for charset in sets {
        let database = Database::new(server);
        database
            .client
            .run(format!("CREATE TABLE t (n INT PRIMARY KEY, v TINYTEXT CHARACTER SET {charset})"));
        let bytes =
            database.client.number(&format!("SELECT LENGTH(CONVERT('中' USING {charset}))"));
        let ascii = database.client.number(&format!("SELECT LENGTH(CONVERT('a' USING {charset}))"));
        let most = 255 / bytes;
        let rest = (255 - most * bytes) / ascii;
        let just = format!("{}{}", "中".repeat(most as usize), " ".repeat(rest as usize));
        let spaces = format!("{}a   ", "中".repeat(most as usize - 2));
        let mut text = format!("n,v\n1,{just}\n2,{just} \n3,{spaces}\n");
        writeln!(text, "4,{}a{}", "中".repeat(most as usize), " ".repeat(9)).unwrap();
        let load = Load::csv(&database, workdir!(), &text).with("--max-errors 9");
        let loaded = load.run().completes();
        let fits = (most - 2) * bytes + 4 * ascii <= 255;
        let expected: &[&str] = match fits {
            true => &["2:v too_large", "4:v too_large"],
            false => &["2:v too_large", "3:v too_large", "4:v too_large"],
        };
        let expected: Vec<String> = expected
            .iter()
            .map(|line| {
                let (n, rest) = line.split_once(':').unwrap();
                format!("{}:{rest}", n.parse::<u64>().unwrap() + 1)
            })
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        loaded.rejected(&expected);
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
        let mut rows = vec![format!("1|{}", hex(&just))];
        if fits {
            rows.push(format!("3|{}", hex(&spaces)));
        }
        let found =
            database.client.lines("SELECT n, HEX(CONVERT(v USING utf8mb4)) FROM t ORDER BY n");
        assert_eq!(found, rows, "{charset}");
    }
}

fn database_is_mariadb(server: &Server) -> bool {
    Database::new(server).client.text("SELECT VERSION()").contains("MariaDB")
}

fn characters_that_become_others_are_rejected(server: &Server) {
    for (charset, good, bad) in [
        ("tis620", "ก", "\u{20041}"),
        ("cp932", "晙", "\u{6661}"),
        ("sjis", "\\~表", "¥"),
        ("swe7", "Å", "["),
        ("latin2", "ł", "中"),
    ] {
        let database = Database::new(server);
        database.client.run(format!(
            "CREATE TABLE t (n INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET {charset})"
        ));
        let text = format!("n,v\n1,{good}\n2,a{bad}\n");
        let loaded = Load::csv(&database, workdir!(), &text).with("--max-errors 1").run();
        loaded.completes().rejected(&["3:v encoding"]);
        let rows = database.client.lines("SELECT n, CONVERT(v USING utf8mb4) FROM t");
        assert_eq!(rows, [format!("1|{good}")], "{charset}");
    }
}

/// Characters from everywhere, into every character set of the server.
fn every_character_is_kept_or_rejected(server: &Server) {
    let database = Database::new(server);
    let sets = database.client.rows("SHOW CHARACTER SET");
    let characters: Vec<char> = ('\u{1}'..='\u{17F}')
        .chain(('\u{180}'..='\u{FFFF}').step_by(67))
        .chain(['\u{6661}', '\u{10041}', '\u{20041}', '\u{1F44D}', '\u{10FFFF}'])
        .filter(|character| !matches!(character, '"' | '\r' | '\n'))
        .collect();
    let mut text = "n,v\n".to_string();
    for character in &characters {
        writeln!(text, "{},\"{character}\"", *character as u32).unwrap();
    }
    let sets: Vec<String> = sets.into_iter().filter_map(|row| row[0].clone()).collect();
    assert!(sets.len() > 30);
    for charset in sets.iter().filter(|name| *name != "binary") {
        database.client.run("DROP TABLE IF EXISTS t");
        let sql = format!("CREATE TABLE t (n INT PRIMARY KEY, v TINYTEXT CHARACTER SET {charset})");
        database.client.run(sql);
        let load = Load::csv(&database, workdir!(), &text).with("--max-errors 2000");
        let loaded = load.run().completes();
        let failed = loaded.summary()["records"]["failed"].as_u64().unwrap();
        let stored = database.client.number("SELECT COUNT(*) FROM t");
        assert_eq!(stored + failed, characters.len() as u64);
        let changed = database.client.lines(
            "SELECT n FROM t WHERE CAST(CONVERT(v USING utf8mb4) AS BINARY) <> \
             CAST(CONVERT(CHAR(n USING utf32) USING utf8mb4) AS BINARY)",
        );
        assert_eq!(changed, [""; 0], "{charset}");
        assert!(stored >= 100, "{charset} keeps {stored}");
    }
}

fn json_text_is_held_against_its_character_set(server: &Server) {
    let database = Database::new(server);
    let column = match database_is_mariadb(server) {
        true => "LONGTEXT CHARACTER SET tis620 CHECK (json_valid(v))",
        false => "JSON",
    };
    database.client.run(format!("CREATE TABLE t (n INT PRIMARY KEY, v {column})"));
    let text = "{\"n\":1,\"v\":{\"a\":\"ก\"}}\n{\"n\":2,\"v\":{\"a\":\"\u{20041}\"}}\n{\"n\":3,\"v\":\"\u{20041}\"}\n";
    let loaded = Load::jsonl(&database, workdir!(), text).with("--max-errors 2").run().completes();
    let shown = database.client.lines("SELECT n, CONVERT(v USING utf8mb4) FROM t ORDER BY n");
    if column == "JSON" {
        assert_eq!(shown.len(), 3);
    } else {
        loaded.rejected(&["2:v encoding", "3:v encoding"]);
        assert_eq!(shown, ["1|{\"a\":\"ก\"}"]);
    }
}

const MEMBERS: &str = "CREATE TABLE t (n INT PRIMARY KEY, e ENUM('a','😀','b?','😁') NOT NULL, \
                       s SET('😀','x','😁y'), w ENUM('é','😀') CHARACTER SET utf16) \
                       CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

fn members_beyond_three_bytes_are_known(server: &Server) {
    for args in ["", "--no-load-data", "--mode upsert"] {
        let database = Database::new(server);
        database.client.run(MEMBERS);
        let text =
            "n,e,s,w\n1,😀,\"😁y,😀\",😀\n2,b?,x,é\n3,?,x,é\n4,a,?,é\n5,a,x,?\n6,😂,x,é\n7,😁,,\n";
        let loaded = Load::csv(&database, workdir!(), text).with("--max-errors 9").with(args).run();
        loaded.completes().rejected(&[
            "4:e type_mismatch",
            "5:s type_mismatch",
            "6:w type_mismatch",
            "7:e type_mismatch",
        ]);
        assert_eq!(
            database.client.lines("SELECT * FROM t ORDER BY n"),
            ["1|😀|😀,😁y|😀", "2|b?|x|é", "7|😁||NULL"],
            "{args}"
        );
    }
}

/// Without the right to make a temporary table nobody says what a question mark stands for.
fn members_that_cannot_be_told_are_met_by_nothing(server: &Server) {
    let database = Database::new(server);
    let root = server.connect();
    let name = &database.name;
    database.client.run(MEMBERS);
    root.run(format!("REVOKE ALL ON {name}.* FROM {name}@'%'"));
    root.run(format!("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON {name}.* TO {name}@'%'"));
    let text = "n,e,s,w\n1,😀,x,é\n2,b?,x,é\n3,a,?,é\n4,a,x,é\n";
    let loaded = Load::csv(&database, workdir!(), text).with("--max-errors 9").run();
    let loaded = loaded.completes();
    assert!(loaded.rejects()[0].reason.contains("CREATE TEMPORARY TABLES"), "{}", loaded.finished);
    loaded.rejected(&["2:e type_mismatch", "3:e type_mismatch", "4:s type_mismatch"]);
    assert_eq!(root.lines(&format!("SELECT * FROM {name}.t")), ["4|a|x|é"]);
}

/// Outside strict mode a table may have such; the server then stores the one in front.
fn members_that_the_collation_takes_for_others_are_rejected(server: &Server) {
    let database = Database::new(server);
    database.client.run("SET sql_mode = ''");
    database.client.run(
        "CREATE TABLE t (n INT PRIMARY KEY, e ENUM('a','A','é','e','x'), s SET('b','B','c')) \
         CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    );
    let text = "n,e,s\n1,a,b\n2,A,b\n3,e,b\n4,é,B\n5,é,\"c,b\"\n";
    let loaded = Load::csv(&database, workdir!(), text).with("--max-errors 9").run().completes();
    loaded.rejected(&["3:e type_mismatch", "4:e type_mismatch", "5:s type_mismatch"]);
    let rows = database.client.lines("SELECT * FROM t ORDER BY n");
    assert_eq!(rows, ["1|a|b", "5|é|b,c"]);
}

/// Numbers without an end, from a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number in some words.
    fn words(&mut self) -> String {
        let sign = if self.below(4) == 0 { "-" } else { "" };
        let double = f64::from_bits(self.next());
        match self.below(6) {
            0 if double.is_finite() => format!("{double:e}"),
            1 => format!(
                "{sign}{:?}",
                self.below(1 << 53) as f64 / 10f64.powi(self.below(20) as i32)
            ),
            2 => format!("{sign}{}", self.next() >> self.below(60)),
            3 => format!("{sign}{}.{}", self.below(1 << 30), self.below(1 << 40)),
            4 => format!(
                "{sign}{}",
                f64::from(self.below(99_999) as f32 / (self.below(99) + 1) as f32)
            ),
            _ => {
                let digits = self.next() >> self.below(64);
                format!("{sign}{digits}e{}", self.below(330) as i64 - 320)
            }
        }
    }
}

/// What the server makes of texts that nobody has looked at. Where it is shown by CAST, MySQL
/// prints at most 22 characters of a double; in JSON it prints all.
fn stored_by_server(
    database: &Database,
    column: &str,
    shown: &str,
    texts: &[String],
) -> Vec<String> {
    database.client.run(format!("CREATE TABLE by_server (n INT PRIMARY KEY, v {column})"));
    for (first, some) in texts.chunks(1000).enumerate() {
        let rows = (first * 1000..).zip(some).map(|(n, text)| format!("({n},'{text}')"));
        let rows = rows.collect::<Vec<_>>().join(",");
        database.client.run(format!("INSERT INTO by_server VALUES {rows}"));
    }
    let rows = database.client.rows(&format!("SELECT {shown} FROM by_server ORDER BY n"));
    rows.into_iter().map(|mut row| row.pop().flatten().unwrap()).collect()
}

const DOUBLE: &str = "TRIM(BOTH '[' FROM TRIM(BOTH ']' FROM JSON_ARRAY(v + 0e0)))";

/// Numbers to try, or as many as `FLOWGAUGE_TEST_SAMPLES` says.
fn samples() -> usize {
    let wish = std::env::var("FLOWGAUGE_TEST_SAMPLES").ok();
    wish.and_then(|wish| wish.parse().ok()).unwrap_or(3_000)
}

/// What is kept reads back as it was written, digit by digit; what is rejected the server would
/// have changed.
fn floats_are_kept_digit_by_digit_or_rejected(server: &Server) {
    for (column, seed, is_single) in [("DOUBLE", 1, false), ("FLOAT", 2, true)] {
        let mut numbers = Numbers(seed);
        let mut texts: Vec<String> = (0..samples()).map(|_| numbers.words()).collect();
        for text in
            ["16777217.0", "16777217", "16777216.0", "0.1234567890123456789012", "-0", "-0.0"]
        {
            texts.push(text.to_string());
        }
        // Those that the server refuses, or takes for 0, have tests of their own.
        texts.retain(|text| {
            let value: f64 = text.parse().unwrap();
            let stored = if is_single { f64::from(value as f32) } else { value };
            let largest = if is_single { f64::from(f32::MAX) } else { f64::MAX };
            value.abs() <= largest && (stored != 0.0 || is_same_amount(text, "0"))
        });
        for args in ["", "--no-load-data"] {
            let database = Database::new(server);
            let by_server = stored_by_server(&database, column, DOUBLE, &texts);
            database.client.run(format!("CREATE TABLE t (n INT PRIMARY KEY, v {column})"));
            let lines =
                texts.iter().enumerate().map(|(n, text)| format!("{{\"n\":{n},\"v\":{text}}}\n"));
            let load = Load::jsonl(&database, workdir!(), lines.collect::<String>());
            load.with("--max-errors 1000000").with(args).run().completes();
            let rows = database.client.rows(&format!("SELECT n, {DOUBLE} FROM t ORDER BY n"));
            let mut kept = vec![None; texts.len()];
            for mut row in rows {
                let value = row.pop().flatten().unwrap();
                kept[row.pop().flatten().unwrap().parse::<usize>().unwrap()] = Some(value);
            }
            let mut rejected = 0;
            for ((text, by_server), kept) in texts.iter().zip(&by_server).zip(&kept) {
                let stored: f64 = by_server.parse().unwrap();
                let is_same = printed_alike(text, stored);
                assert_eq!(kept.is_some(), is_same, "{column} {text} is stored as {by_server}");
                match kept {
                    Some(kept) => assert_eq!(
                        kept.parse::<f64>().unwrap().to_bits(),
                        stored.to_bits(),
                        "{text}"
                    ),
                    None => rejected += 1,
                }
            }
            assert!(
                rejected > samples() / 20 && rejected < texts.len() * 9 / 10,
                "{rejected} of {}",
                texts.len()
            );
        }
    }
}

/// Whether a double with as many digits as a text has is that text.
fn printed_alike(text: &str, stored: f64) -> bool {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = mantissa.trim_start_matches('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
    let stated = digits.trim_start_matches('0');
    if stated.is_empty() {
        return stored == 0.0;
    }
    let power: i64 = power.parse().unwrap();
    let first = power + whole.len() as i64 - 1 - (digits.len() - stated.len()) as i64;
    let printed = format!("{:.*e}", stated.len() - 1, stored.abs());
    let (mantissa, power) = printed.split_once('e').unwrap();
    mantissa.replace('.', "") == stated
        && power.parse::<i64>().unwrap() == first
        && (stored < 0.0) == text.starts_with('-')
}

fn floats_with_digits_are_what_was_computed(server: &Server) {
    for (column, seed, whole, scale) in [
        ("FLOAT(7,2)", 3, 100_000, 2),
        ("DOUBLE(18,3)", 4, 1_000_000_000_000_000u64, 3),
        ("FLOAT(12,4)", 5, 100_000_000, 4),
    ] {
        let mut numbers = Numbers(seed);
        let power = 10u64.pow(scale);
        let texts: Vec<String> = (0..2_000)
            .map(|_| {
                let sign = if numbers.below(2) == 0 { "-" } else { "" };
                let units = numbers.below(whole * power) >> numbers.below(30);
                format!("{sign}{}.{:0width$}", units / power, units % power, width = scale as usize)
            })
            .filter(|text| !is_same_amount(text, "0"))
            .collect();
        for args in ["", "--no-load-data"] {
            let database = Database::new(server);
            let by_server = stored_by_server(&database, column, DOUBLE, &texts);
            database.client.run(format!("CREATE TABLE t (n INT PRIMARY KEY, v {column})"));
            let lines =
                texts.iter().enumerate().map(|(n, text)| format!("{{\"n\":{n},\"v\":{text}}}\n"));
            let load = Load::jsonl(&database, workdir!(), lines.collect::<String>());
            load.with("--max-errors 1000000").with(args).run().completes();
            let kept = database.client.lines("SELECT n FROM t ORDER BY n");
            let expected: Vec<String> = texts
                .iter()
                .zip(&by_server)
                .enumerate()
                .filter(|(_, (text, stored))| printed_alike(text, stored.parse().unwrap()))
                .map(|(n, _)| n.to_string())
                .collect();
            assert!(expected.len() > 100);
            assert_eq!(kept, expected, "{column}");
        }
    }
}

/// MariaDB keeps the text. MySQL's numbers are foreseen: those that are kept come out as they are,
/// and each one that is rejected the server would have changed.
fn json_doubles_are_foreseen(server: &Server) {
    let mut numbers = Numbers(6);
    let texts: Vec<String> = (0..samples())
        .map(|_| match numbers.below(3) {
            0 => numbers.words(),
            _ => format!("{:?}", numbers.below(1_000_000) as f64 / (numbers.below(997) + 2) as f64),
        })
        .chain(["90.42857142857143".to_string()])
        .collect();
    let is_mariadb = database_is_mariadb(server);
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (n INT PRIMARY KEY, v JSON)");
    let lines = texts.iter().enumerate().map(|(n, text)| format!("{{\"n\":{n},\"v\":[{text}]}}\n"));
    let load = Load::jsonl(&database, workdir!(), lines.collect::<String>());
    let loaded = load.with("--max-errors 1000000").run().completes();
    let kept = database.client.rows("SELECT n, v FROM t");
    let mut is_kept = vec![false; texts.len()];
    for row in kept {
        let n: usize = row[0].as_ref().unwrap().parse().unwrap();
        is_kept[n] = true;
        let found = row[1].as_ref().unwrap().trim_matches(['[', ']']);
        assert!(is_same_amount(&texts[n], found), "{} became {found}", texts[n]);
    }
    if is_mariadb {
        assert!(is_kept.iter().all(|is_kept| *is_kept));
        return;
    }
    let mut changed = 0;
    for (n, text) in texts.iter().enumerate().filter(|(n, _)| !is_kept[*n]) {
        let sql = format!("INSERT INTO t VALUES ({n}, '[{text}]')");
        // What it calls too large it does not take at all.
        if database.client.try_run(sql).is_ok() {
            let found = database.client.text(&format!("SELECT v FROM t WHERE n = {n}"));
            assert!(!is_same_amount(text, found.trim_matches(['[', ']'])), "{text} was rejected");
            changed += 1;
        }
    }
    assert!(changed > samples() / 20, "{changed}");
    let is_it = |reject: &Reject| reject.reason.contains("reads as the double next to it");
    assert!(loaded.rejects().iter().any(is_it));
}

fn is_same_amount(text: &str, other: &str) -> bool {
    let amount = |text: &str| {
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let sign = if whole.starts_with('-') { "-" } else { "" };
        let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = digits.trim_start_matches('0');
        let shorter = digits.trim_end_matches('0');
        let power = power.parse::<i64>().unwrap() - fraction.len() as i64;
        match shorter {
            "" => (String::new(), 0),
            _ => (format!("{sign}{shorter}"), power + (digits.len() - shorter.len()) as i64),
        }
    };
    amount(text) == amount(other)
}

fn json_doubles_go_in_as_the_nearest(server: &Server) {
    let is_mariadb = database_is_mariadb(server);
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (n INT PRIMARY KEY, v JSON)");
    let text = "{\"n\":1,\"v\":[90.42857142857143,0.1]}\n{\"n\":2,\"v\":0.1234567890123456789012}\n\
                {\"n\":3,\"v\":18446744073709551616}\n{\"n\":4,\"v\":1e-400}\n";
    let load = Load::jsonl(&database, workdir!(), text).with("--max-errors 9");
    let loaded = load.with("--json-doubles nearest").run().completes();
    let rows = database.client.lines("SELECT n, v FROM t ORDER BY n");
    if is_mariadb {
        assert_eq!(rows[0], "1|[90.42857142857143,0.1]");
        assert_eq!(rows.len(), 4);
        loaded.says_not("another double");
        return;
    }
    assert_eq!(rows, ["1|[90.42857142857144, 0.1]", "2|0.12345678901234568"]);
    loaded.says("have more digits than one: 2").rejected(&["3:v out_of_range", "4:v out_of_range"]);
}

fn objects_go_into_text_in_their_own_words(server: &Server) {
    let words = "{\"b\": [90.42857142857143, 1.50],  \"a\":\"\\u00e9\",\"a\":null}";
    for (column, kept) in [("TEXT", true), ("VARCHAR(20)", false), ("JSON", false), ("INT", false)]
    {
        let database = Database::new(server);
        database.client.run(format!("CREATE TABLE t (n INT PRIMARY KEY, v {column})"));
        let text = format!("{{\"n\":1,\"v\":{words}}}\n");
        let load = Load::jsonl(&database, workdir!(), &text).with("--max-errors 1 --json-as-text");
        load.run().completes();
        let rows = database.client.lines("SELECT v FROM t");
        let expected = if kept { vec![words.to_string()] } else { Vec::new() };
        assert_eq!(rows, expected, "{column}");
    }
    let database = Database::new(server);
    let text = format!("{{\"n\":1,\"v\":{words}}}\n{{\"n\":2,\"v\":\"x\"}}\n");
    let load = Load::jsonl(&database, workdir!(), &text);
    load.with("--create-table --json-as-text").run().completes();
    assert_eq!(database.client.lines("SELECT v FROM t ORDER BY n"), [words, "x"]);
}
