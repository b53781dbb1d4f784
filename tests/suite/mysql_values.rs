//! Every type of column with what just fits into it and what does not: a value is in the table as it
//! was in the file, or its row is rejected with the reason and its place.

use crate::support::{Database, Load, Server, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    integers
    decimals
    floats
    bits_and_booleans
    text_in_utf8mb4
    text_in_narrower_character_sets
    bytes
    members
    json_documents
}

/// A value, and what the server gives back for it, or the type of the error it is rejected with.
pub type Case<'a> = (&'a str, Result<&'a str, &'a str>);

pub const TYPE: Result<&str, &str> = Err("type_mismatch");
pub const RANGE: Result<&str, &str> = Err("out_of_range");
const LARGE: Result<&str, &str> = Err("too_large");
const ENCODING: Result<&str, &str> = Err("encoding");

pub struct Check<'a> {
    pub server: &'a Server,
    /// An expression of the column `v`.
    pub shown: &'a str,
    pub args: &'a str,
}

impl<'a> Check<'a> {
    pub fn on(server: &'a Server) -> Check<'a> {
        Check { server, shown: "CAST(v AS CHAR)", args: "" }
    }

    /// Text as the digits of its UTF-8.
    fn text(server: &'a Server) -> Check<'a> {
        Check { shown: "HEX(CONVERT(v USING utf8mb4))", ..Check::on(server) }
    }

    fn hex(server: &'a Server) -> Check<'a> {
        Check { shown: "HEX(v)", ..Check::on(server) }
    }

    /// Cases as fields of CSV.
    #[track_caller]
    pub fn csv(&self, column: &str, cases: &[Case<'_>]) {
        let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let lines = (2..).zip(cases).map(|(n, (text, _))| format!("{n},{}\n", field(text)));
        let text: String = ["n,v\n".to_string()].into_iter().chain(lines).collect();
        self.load(column, cases, 2, |database| Load::csv(database, workdir!(), &text));
    }

    /// Cases as JSON.
    #[track_caller]
    fn json(&self, column: &str, cases: &[Case<'_>]) {
        let lines = (1..).zip(cases).map(|(n, (json, _))| format!("{{\"n\":{n},\"v\":{json}}}\n"));
        let text: String = lines.collect();
        self.load(column, cases, 1, |database| Load::jsonl(database, workdir!(), &text));
    }

    #[track_caller]
    fn load(
        &self,
        column: &str,
        cases: &[Case<'_>],
        first_line: u64,
        load: impl for<'d> FnOnce(&'d Database) -> Load<'d>,
    ) {
        let database = Database::new(self.server);
        database.client.run(format!("CREATE TABLE t (n INT PRIMARY KEY, v {column})"));
        let loaded = load(&database).with("--max-errors 100").with(self.args).run().completes();
        let stored = database.client.rows(&format!("SELECT n, {} FROM t ORDER BY n", self.shown));
        let rejects = loaded.rejects();
        let mut found: Vec<(u64, Result<&str, &str>)> = Vec::new();
        for row in &stored {
            let line = row[0].as_ref().unwrap().parse().unwrap();
            found.push((line, Ok(row[1].as_deref().unwrap_or("NULL"))));
        }
        for reject in &rejects {
            assert!(reject.column == "v" && !reject.reason.is_empty(), "{column}: {reject:?}");
            found.push((reject.line, Err(&reject.error_type)));
        }
        found.sort();
        let expected = (first_line..).zip(cases).map(|(line, (_, expected))| (line, *expected));
        let differs = |(found, (expected, case)): (&(u64, _), (_, &Case<'_>))| {
            (*found != expected).then(|| format!("{:?} gives {:?}", case.0, found.1))
        };
        let differences: Vec<String> =
            found.iter().zip(expected.zip(cases)).filter_map(differs).collect();
        let all = found.len() == cases.len();
        assert!(all && differences.is_empty(), "{column}: {differences:#?} {}", loaded.finished);
    }
}

fn same<'a>(values: &[&'a str]) -> Vec<Case<'a>> {
    values.iter().map(|value| (*value, Ok(*value))).collect()
}

fn all<'a>(values: &[&'a str], error: Result<&'static str, &'static str>) -> Vec<Case<'a>> {
    values.iter().map(|value| (*value, error)).collect()
}

fn integers(server: &Server) {
    for (column, least, most, beneath, beyond) in [
        ("TINYINT", "-128", "127", "-129", "128"),
        ("TINYINT UNSIGNED", "0", "255", "-1", "256"),
        ("SMALLINT", "-32768", "32767", "-32769", "32768"),
        ("SMALLINT UNSIGNED", "0", "65535", "-1", "65536"),
        ("MEDIUMINT", "-8388608", "8388607", "-8388609", "8388608"),
        ("MEDIUMINT UNSIGNED", "0", "16777215", "-1", "16777216"),
        ("INT", "-2147483648", "2147483647", "-2147483649", "2147483648"),
        ("INT UNSIGNED", "0", "4294967295", "-1", "4294967296"),
        (
            "BIGINT",
            "-9223372036854775808",
            "9223372036854775807",
            "-9223372036854775809",
            "9223372036854775808",
        ),
        ("BIGINT UNSIGNED", "0", "18446744073709551615", "-1", "18446744073709551616"),
    ] {
        let cases: &[Case<'_>] = &[
            (least, Ok(least)),
            (most, Ok(most)),
            (beneath, RANGE),
            (beyond, RANGE),
            ("99999999999999999999999999", RANGE),
            ("0", Ok("0")),
            ("1.0", Ok("1")),
            ("1e1", Ok("10")),
            ("1.5", TYPE),
        ];
        Check::on(server).json(column, cases);
        let words = ["x", " 1", "1 ", "0x10", "1,000", "--5", "1_000", "NaN", "\u{661}", "1\0"];
        let mut words = all(&words, TYPE);
        words.push(("", Ok("NULL")));
        Check::on(server).csv(column, &[cases, &words].concat());
    }
    let json: &[Case<'_>] = &[
        ("true", Ok("1")),
        ("false", Ok("0")),
        ("null", Ok("NULL")),
        ("\"12\"", Ok("12")),
        ("\"\"", TYPE),
        ("[1]", TYPE),
        ("{\"a\":1}", TYPE),
    ];
    Check::on(server).json("INT", json);
}

fn decimals(server: &Server) {
    let long = "12345678901234567890123456789012345.123456789012345678901234567890";
    let nines = "99999999999999999999999999999999999.999999999999999999999999999999";
    let cases: &[Case<'_>] = &[
        (long, Ok(long)),
        (nines, Ok(nines)),
        ("100000000000000000000000000000000000", RANGE),
        ("0.1234567890123456789012345678901", RANGE),
        ("0.1234567890123456789012345678900", Ok("0.123456789012345678901234567890")),
        ("-0.000000000000000000000000000001", Ok("-0.000000000000000000000000000001")),
        ("1e-30", Ok("0.000000000000000000000000000001")),
        ("1e-31", RANGE),
        ("1E34", Ok("10000000000000000000000000000000000.000000000000000000000000000000")),
        ("1e35", RANGE),
    ];
    Check::on(server).json("DECIMAL(65,30)", cases);
    let words = all(&["NaN", "Infinity", "1.2.3", "1,5", "e5", "0x1", " 1"], TYPE);
    Check::on(server).csv("DECIMAL(65,30)", &[cases, &words].concat());
    Check::on(server).csv(
        "DECIMAL(5,2) UNSIGNED",
        &[
            ("999.99", Ok("999.99")),
            ("1000", RANGE),
            ("1.005", RANGE),
            ("1.500", Ok("1.50")),
            ("-1", RANGE),
        ],
    );
    let rounding = |args| Check { args, ..Check::on(server) };
    rounding("--fraction round")
        .csv("DECIMAL(5,2)", &[("1.005", Ok("1.01")), ("-1.005", Ok("-1.01")), ("999.995", RANGE)]);
    rounding("--fraction truncate").csv(
        "DECIMAL(5,2)",
        &[("1.009", Ok("1.00")), ("-1.009", Ok("-1.00")), ("999.999", Ok("999.99"))],
    );
}

fn floats(server: &Server) {
    let doubles = ["0.1", "-1.5e-300", "1.7976931348623157e308", "2.2250738585072014e-308", "3"];
    let mut cases = same(&doubles);
    cases.extend([("1e400", RANGE), ("5e-324", Ok("5e-324")), ("1e-400", RANGE)]);
    let same_number = Check { shown: "CAST(v AS CHAR)", ..Check::on(server) };
    same_number.json("DOUBLE", &cases);
    cases.extend(all(&["NaN", "Infinity", "-inf", "1.5x"], TYPE));
    same_number.csv("DOUBLE", &cases);
    // What the server prints of a FLOAT has six digits.
    let float = Check { shown: "CAST(v + 0e0 AS CHAR)", ..Check::on(server) };
    float.json(
        "FLOAT",
        &[
            ("0.5", Ok("0.5")),
            ("16777216", Ok("16777216")),
            ("3.4028234663852886e38", Ok("3.4028234663852886e38")),
            ("3.5e38", RANGE),
        ],
    );
}

fn bits_and_booleans(server: &Server) {
    let bits = Check { shown: "CAST(v + 0 AS CHAR)", ..Check::on(server) };
    bits.json(
        "BIT(1)",
        &[
            ("true", Ok("1")),
            ("false", Ok("0")),
            ("1", Ok("1")),
            ("2", RANGE),
            ("-1", RANGE),
            ("null", Ok("NULL")),
        ],
    );
    bits.json(
        "BIT(9)",
        &[("511", Ok("511")), ("512", RANGE), ("10", Ok("10")), ("9", Ok("9")), ("92", Ok("92"))],
    );
    bits.csv(
        "BIT(64)",
        &[
            ("18446744073709551615", Ok("18446744073709551615")),
            ("18446744073709551616", RANGE),
            ("0", Ok("0")),
            ("x", TYPE),
        ],
    );
    let words: &[Case<'_>] = &[
        ("true", Ok("1")),
        ("FALSE", Ok("0")),
        ("1", Ok("1")),
        ("0", Ok("0")),
        ("yes", TYPE),
        ("t", TYPE),
        ("", Ok("NULL")),
    ];
    Check::on(server).csv("BOOL", words);
    Check::on(server).json("BOOL", &[("true", Ok("1")), ("false", Ok("0")), ("128", RANGE)]);
}

fn text_in_utf8mb4(server: &Server) {
    let text = Check::text(server);
    for column in ["VARCHAR(3)", "CHAR(3)"] {
        text.csv(
            column,
            &[
                ("abc", Ok("616263")),
                ("äöü", Ok("C3A4C3B6C3BC")),
                ("👍👍👍", Ok("F09F918DF09F918DF09F918D")),
                ("abcd", LARGE),
                ("👍👍👍👍", LARGE),
                ("", Ok("")),
                ("\\N", Ok("5C4E")),
                ("\t\n\r", Ok("090A0D")),
                ("\0\u{1a}'", Ok("001A27")),
                ("\\", Ok("5C")),
                ("\",", Ok("222C")),
                ("e\u{301}", Ok("65CC81")),
            ],
        );
    }
    text.csv("VARCHAR(3)", &[("a  ", Ok("612020")), ("abc ", LARGE)]);
    text.csv("CHAR(3)", &[("a  ", RANGE), (" a", Ok("2061"))]);
    let fits = "x".repeat(255);
    let (hex, larger) = ("78".repeat(255), "x".repeat(256));
    text.csv("TINYTEXT", &[(&fits, Ok(&hex)), (&larger, LARGE), (&"ä".repeat(128), LARGE)]);
    let length = Check { shown: "CAST(LENGTH(v) AS CHAR)", ..Check::on(server) };
    length.csv(
        "TEXT",
        &[
            (&"x".repeat(65535), Ok("65535")),
            (&"x".repeat(65536), LARGE),
            (&"ä".repeat(32768), LARGE),
        ],
    );
    length.csv("MEDIUMTEXT", &[(&"\\".repeat(1_000_000), Ok("1000000"))]);
    text.json(
        "TEXT",
        &[
            ("\"a\\u0000\\ud83d\\udc4d\"", Ok("6100F09F918D")),
            ("1.50", Ok("312E3530")),
            ("true", Ok("74727565")),
            ("\"\"", Ok("")),
            ("null", Ok("NULL")),
            ("[1]", TYPE),
            ("{}", TYPE),
        ],
    );
}

fn text_in_narrower_character_sets(server: &Server) {
    let text = Check::text(server);
    text.csv(
        "VARCHAR(3) CHARACTER SET latin1",
        &[
            ("äöü", Ok("C3A4C3B6C3BC")),
            ("€", Ok("E282AC")),
            ("ł", ENCODING),
            ("👍", ENCODING),
            ("äöüä", LARGE),
            ("\\\t\n", Ok("5C090A")),
        ],
    );
    text.csv(
        "VARCHAR(3) CHARACTER SET utf8mb3",
        &[("äł中", Ok("C3A4C582E4B8AD")), ("👍", ENCODING)],
    );
    text.csv("VARCHAR(3) CHARACTER SET ascii", &[("a\\", Ok("615C")), ("ä", ENCODING)]);
    for charset in ["latin2", "utf16", "sjis", "cp1251"] {
        let column = format!("VARCHAR(3) CHARACTER SET {charset}");
        let (letter, hex) = match charset {
            "latin2" => ("ł", "C582"),
            "cp1251" => ("ж", "D0B6"),
            _ => ("表", "E8A1A8"),
        };
        // The second byte of that letter in sjis is a backslash.
        text.csv(&column, &[(letter, Ok(hex)), ("a\\b", Ok("615C62")), ("\t\n", Ok("090A"))]);
    }
    // What only the server knows, it is asked beforehand.
    text.csv(
        "VARCHAR(3) CHARACTER SET latin2",
        &[("a", Ok("61")), ("中", ENCODING), ("ł", Ok("C582")), ("👍", ENCODING)],
    );
    text.csv("VARCHAR(3) CHARACTER SET cp1251", &[("中", ENCODING), ("ä", ENCODING)]);
}

fn bytes(server: &Server) {
    let raw = Check::hex(server);
    raw.csv(
        "VARBINARY(3)",
        &[
            ("abc", Ok("616263")),
            ("ä", Ok("C3A4")),
            ("ää", LARGE),
            ("", Ok("")),
            ("\0\\N", Ok("005C4E")),
        ],
    );
    raw.csv("BLOB", &[("\t\n\r\0\u{1a}\\'\"", Ok("090A0D001A5C2722"))]);
    raw.json("BLOB", &[("\"\\u0000\\n\"", Ok("000A")), ("\"\"", Ok(""))]);
    let of = |args| Check { args, ..Check::hex(server) };
    of("--db-binary hex").csv(
        "VARBINARY(3)",
        &[("00ff5C", Ok("00FF5C")), ("0", TYPE), ("0g", TYPE), ("00112233", LARGE), ("", Ok(""))],
    );
    of("--db-binary base64")
        .csv("BLOB", &[("AP9c", Ok("00FF5C")), ("/w==", Ok("FF")), ("A", TYPE), ("*", TYPE)]);
    // What is shorter is filled up with NUL, which is not what was there.
    of("--db-binary hex")
        .csv("BINARY(2)", &[("0001", Ok("0001")), ("000102", LARGE), ("00", LARGE)]);
}

fn members(server: &Server) {
    let text = Check::on(server);
    text.csv(
        "ENUM('small','LARGE','a,b','')",
        &[
            ("small", Ok("small")),
            ("LARGE", Ok("LARGE")),
            ("a,b", Ok("a,b")),
            ("", Ok("")),
            ("medium", TYPE),
            ("1", TYPE),
        ],
    );
    text.csv("ENUM('x','1')", &[("1", Ok("1")), ("", Ok("NULL")), ("2", TYPE)]);
    text.csv(
        "SET('a','b','c')",
        &[("a,c", Ok("a,c")), ("c,a", Ok("a,c")), ("", Ok("")), ("a,d", TYPE), ("3", TYPE)],
    );
    text.json(
        "SET('a','b','c')",
        &[("[\"c\",\"a\"]", Ok("a,c")), ("[]", Ok("")), ("[1]", TYPE), ("\"b\"", Ok("b"))],
    );
}

fn json_documents(server: &Server) {
    let json = Check { shown: "HEX(v)", ..Check::on(server) };
    json.json(
        "JSON",
        &[
            ("1", Ok("31")),
            ("\"x\"", Ok("227822")),
            ("[]", Ok("5B5D")),
            ("null", Ok("NULL")),
            ("true", Ok("74727565")),
            ("\"1\"", Ok("223122")),
            ("\"\"", Ok("2222")),
        ],
    );
    let back = |path: &'static str| Check { shown: path, ..Check::on(server) };
    let of = |path| back(path);
    // JSON_UNQUOTE of MariaDB 11.4 gives no more than three bytes a letter.
    of("JSON_VALUE(v, '$.a')").json("JSON", &[("{\"a\":\"ä👍\\n\\\\\"}", Ok("ä👍\n\\"))]);
    of("JSON_UNQUOTE(JSON_EXTRACT(v, '$.a'))").json(
        "JSON",
        &[
            ("{\"a\":18446744073709551615}", Ok("18446744073709551615")),
            ("{\"a\":1.5}", Ok("1.5")),
            ("{\"a\":{\"b\":[1,2]},\"c\":{}}", Ok("{\"b\": [1, 2]}")),
        ],
    );
    json.csv(
        "JSON",
        &[
            ("[1]", Ok("5B315D")),
            ("nul", TYPE),
            ("{", TYPE),
            ("", Ok("NULL")),
            ("\"x\"", Ok("227822")),
        ],
    );
    let number: Result<&str, &str> = match server.is_mariadb {
        true => Ok("12345678901234567890123"),
        false => RANGE,
    };
    of("CAST(v AS CHAR)").json("JSON", &[("12345678901234567890123", number), ("0.1", Ok("0.1"))]);
    // MySQL keeps one of two equal keys.
    of("CAST(v AS CHAR)").json("JSON", &[("{\"a\":1,\"a\":2}", Err("duplicate_key"))]);
}
