//! Values: what stands in the source, what a plain statement writes instead, and what the manual says
//! becomes of it.

use std::fmt::Write as _;

use super::kind::Kind;
use crate::support::chance::Chance;

/// What the manual of the program says of a value in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken, unless the server refuses it.
    Taken,
    /// It may be rejected; taken, it is what the statement says.
    Unsaid,
    /// It must be rejected: what a server makes of it is something else.
    Rejected,
}

#[derive(Clone, Debug)]
pub struct Value {
    /// As JSON, which any value can be.
    pub json: String,
    /// As a field of CSV, where that can say it.
    pub csv: Option<String>,
    /// As the plain statement writes it.
    pub sql: String,
    pub verdict: Verdict,
    /// The text that a column of text has to give back.
    pub text: Option<String>,
}

impl Value {
    /// CSV has no null but the text that an option names.
    pub fn null() -> Value {
        let (json, sql) = ("null".to_string(), "NULL".to_string());
        Value { json, csv: None, sql, verdict: Verdict::Taken, text: None }
    }

    pub fn padding(text: &str) -> Value {
        Value {
            text: Some(text.to_string()),
            ..Value::worded(text, sql_text(text), Verdict::Taken)
        }
    }

    /// An empty field is empty text in columns of text and NULL in others.
    pub fn empty_field(kind: &Kind) -> Value {
        let text = match kind {
            Kind::Text { .. } => Some(String::new()),
            _ => None,
        };
        let is_text = match kind {
            Kind::Text { .. } | Kind::Set => true,
            Kind::Binary { is_fixed, .. } => !is_fixed,
            _ => false,
        };
        let sql = if is_text { "''" } else { "NULL" };
        let csv = Some(String::new());
        Value { json: "\"\"".to_string(), csv, sql: sql.to_string(), verdict: Verdict::Taken, text }
    }

    /// Only JSON tells it apart.
    fn typed(json: impl Into<String>, sql: impl Into<String>, verdict: Verdict) -> Value {
        Value { json: json.into(), csv: None, sql: sql.into(), verdict, text: None }
    }

    /// A word of CSV and a text of JSON.
    fn worded(word: &str, sql: impl Into<String>, verdict: Verdict) -> Value {
        let csv = Some(word.to_string());
        Value { json: json_text(word), csv, sql: sql.into(), verdict, text: None }
    }

    /// Digits, which JSON may put into quotes or not.
    fn counted(word: &str, sql: impl Into<String>, verdict: Verdict, chance: &mut Chance) -> Value {
        let mut value = Value::worded(word, sql, verdict);
        let is_json = serde_json::from_str::<serde_json::Number>(word).is_ok();
        if is_json && chance.percent(70) {
            value.json = word.to_string();
        }
        value
    }
}

pub fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Text as a literal, whatever is in it.
pub fn sql_text(text: &str) -> String {
    let is_plain = |character: char| !character.is_control() && !"'\\".contains(character);
    match text.chars().all(is_plain) {
        true => format!("'{text}'"),
        false => format!("_utf8mb4 {}", sql_bytes(text.as_bytes())),
    }
}

pub fn sql_bytes(bytes: &[u8]) -> String {
    let mut hex = String::from("X'");
    for byte in bytes {
        write!(hex, "{byte:02X}").unwrap();
    }
    hex + "'"
}

use Verdict::{Rejected, Taken, Unsaid};

/// A value for a column: mostly one that fits, often a borderline one, now and then a wrong one.
pub fn some(kind: &Kind, chance: &mut Chance) -> Value {
    if chance.percent(3) {
        return stranger(kind, chance);
    }
    match kind {
        Kind::Bool => match chance.below(4) {
            0 => Value::typed(chance.pick(&["true", "false"]), "", Taken).with_bool(),
            1 => truth(chance),
            _ => integer(8, false, chance),
        },
        Kind::Int { bits, is_unsigned } => match chance.below(12) {
            0 => Value::typed(chance.pick(&["true", "false"]), "", Taken).with_bool(),
            _ => integer(*bits, *is_unsigned, chance),
        },
        Kind::Bit { bits } => integer(*bits, true, chance),
        Kind::Decimal { digits, behind } => decimal(*digits, *behind, chance),
        Kind::Float => float(chance),
        Kind::Double => double(chance),
        Kind::Text { .. } => text(kind, chance),
        Kind::Binary { bytes_max, is_fixed } => binary(*bytes_max, *is_fixed, chance),
        Kind::Enum => member(chance),
        Kind::Set => members(chance),
        Kind::Json => json(chance),
        Kind::Date => day(chance),
        Kind::DateTime { fraction } => moment(*fraction, false, chance),
        Kind::Timestamp { fraction } => moment(*fraction, true, chance),
        Kind::Time { fraction } => time(*fraction, chance),
        Kind::Year => year(chance),
        Kind::Uuid | Kind::Inet4 | Kind::Inet6 => address(kind, chance),
    }
}

impl Value {
    fn with_bool(mut self) -> Value {
        self.sql = if self.json == "true" { "1" } else { "0" }.to_string();
        self
    }
}

fn truth(chance: &mut Chance) -> Value {
    let (word, sql) = chance.pick(&[("true", "1"), ("false", "0")]);
    Value::worded(word, sql, Taken)
}

/// What no column of this type takes.
fn stranger(kind: &Kind, chance: &mut Chance) -> Value {
    match kind {
        Kind::Json => Value::typed(r#"{"a":1,"a":2}"#, "NULL", Rejected),
        Kind::Text { .. } | Kind::Binary { .. } => {
            Value::typed(chance.pick(&[r#"{"a":1}"#, "[1]"]), "NULL", Rejected)
        }
        Kind::Set => Value::typed(r#"{"a":1}"#, "NULL", Rejected),
        Kind::Enum => Value::worded("zz", "NULL", Rejected),
        _ => match chance.below(3) {
            0 => Value::typed(chance.pick(&[r#"{"a":1}"#, "[]"]), "NULL", Rejected),
            1 => Value::worded("12abc", "NULL", Rejected),
            _ => Value::worded("x", "NULL", Rejected),
        },
    }
}

fn integer(bits: u8, is_unsigned: bool, chance: &mut Chance) -> Value {
    let all = (1_i128 << bits) - 1;
    let (least, most) = if is_unsigned { (0, all) } else { (-(all / 2) - 1, all / 2) };
    let number = match chance.below(20) {
        0 => least,
        1 => most,
        2 => most - 1,
        3 => return outside(chance.pick(&[least - 1, most + 1]), chance),
        4 => return Value::counted("1.5", "NULL", Rejected, chance),
        _ => (chance.below(5) as i128).min(most),
    };
    let sql = number.to_string();
    match chance.below(12) {
        0 => Value::counted(&format!("{number}.0"), sql, Taken, chance),
        1 => Value::counted(&format!("{number}.000e0"), sql, Unsaid, chance),
        2 if number >= 0 => Value::worded(&format!("+{number}"), sql, Unsaid),
        3 if number >= 0 => Value::worded(&format!("00{number}"), sql, Unsaid),
        _ => Value::counted(&number.to_string(), sql, Taken, chance),
    }
}

fn outside(number: i128, chance: &mut Chance) -> Value {
    Value::counted(&number.to_string(), "NULL", Rejected, chance)
}

fn decimal(digits: u8, behind: u8, chance: &mut Chance) -> Value {
    let front = usize::from(digits - behind);
    let behind = usize::from(behind);
    match chance.below(12) {
        0 => Value::counted(&format!("1{}", "0".repeat(front)), "NULL", Rejected, chance),
        1 => Value::counted(&format!("0.{}1", "0".repeat(behind)), "NULL", Rejected, chance),
        2 => {
            let most = format!("-{}.{}", "9".repeat(front.max(1)), "9".repeat(behind.max(1)));
            let verdict = if front == 0 || behind == 0 { Rejected } else { Taken };
            Value::counted(&most, most.clone(), verdict, chance)
        }
        3 if front >= 3 => Value::counted("1e2", "100", Taken, chance),
        4 => Value::counted("0.000000000000", "0", Unsaid, chance),
        5 if front > 0 && behind > 0 => {
            let zeros = "0".repeat(behind + 3);
            Value::counted(&format!("1.5{zeros}"), "1.5", Unsaid, chance)
        }
        _ if front == 0 => Value::counted("0", "0", Taken, chance),
        _ => {
            let whole = chance.below(4);
            Value::counted(&whole.to_string(), whole.to_string(), Taken, chance)
        }
    }
}

fn float(chance: &mut Chance) -> Value {
    let (word, verdict) = chance.pick(&[
        ("0.5", Taken),
        ("1", Taken),
        ("-2.25", Taken),
        ("0", Taken),
        ("16777216", Taken),
        ("0.1", Taken),
        ("3.25e2", Taken),
        ("1e10", Unsaid),
        ("1234567.8", Unsaid),
        ("-0.0", Unsaid),
        ("1e-45", Unsaid),
        ("0.123456789012", Unsaid),
        ("16777217", Rejected),
        ("1e39", Rejected),
        ("-1e400", Rejected),
    ]);
    Value::counted(word, sql_text(word), verdict, chance)
}

fn double(chance: &mut Chance) -> Value {
    let (word, verdict) = chance.pick(&[
        ("0.5", Taken),
        ("1", Taken),
        ("-2.25", Taken),
        ("0", Taken),
        ("0.1", Taken),
        ("1e308", Taken),
        ("1234567.8", Taken),
        ("9007199254740992", Taken),
        ("90.42857142857143", Taken),
        ("-0.0", Unsaid),
        ("5e-324", Unsaid),
        ("0.1234567890123456789", Unsaid),
        ("9007199254740993", Rejected),
        ("1e309", Rejected),
    ]);
    Value::counted(word, sql_text(word), verdict, chance)
}

const TEXTS: &[&str] = &[
    "a",
    "A",
    "a",
    "b",
    "B",
    "ab",
    "ä",
    "Ä",
    "é",
    "e\u{301}",
    "ß",
    "ss",
    "x y",
    "a ",
    " a",
    "",
    "0",
    "01",
    "it's",
    "a\"b",
    "a,b",
    "a\\b",
    "\\N",
    "NULL",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\u{0}",
    "a\u{0}",
    "\u{1a}",
    "中",
    "日本",
    "ア",
    "я",
    "€",
    "ก",
    "😀",
    "😀x",
    "\u{200d}",
    "\u{feff}a",
    "ı",
    "İ",
    "ǆ",
];

fn text(kind: &Kind, chance: &mut Chance) -> Value {
    let Kind::Text { characters_max, bytes_max, is_fixed, .. } = kind else { unreachable!() };
    let mut word = match chance.below(20) {
        0..=7 => TEXTS[chance.below(6)].to_string(),
        8..=15 => chance.pick(TEXTS).to_string(),
        16 => {
            let word = chance.pick(&["12", "1.50", "true", "-0", "1e2"]);
            let mut value = Value::worded(word, sql_text(word), Taken);
            value.json = word.to_string();
            value.text = Some(word.to_string());
            return value;
        }
        _ => {
            let letter = chance.pick(&["a", "é", "中", "😀"]);
            let most = match (characters_max, bytes_max) {
                (Some(most), _) => *most,
                (None, Some(most)) if *most < 1000 => *most / chance.pick(&[1, letter.len(), 2]),
                _ => 300,
            };
            let end = chance.pick(&["", "", "", "b", " ", "   "]);
            let length = most + chance.pick(&[0, 0, 1]);
            letter.repeat(length.saturating_sub(end.len())) + end
        }
    };
    let verdict = if *is_fixed && word.ends_with(' ') { Rejected } else { Taken };
    if chance.percent(2) {
        word = "中".repeat(127) + "a   ";
    }
    let mut value = Value::worded(&word, sql_text(&word), verdict);
    if chance.percent(10) {
        value.json = escaped(&word);
    }
    value.text = Some(word);
    value
}

/// In other words the same text.
fn escaped(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

fn binary(bytes_max: usize, is_fixed: bool, chance: &mut Chance) -> Value {
    let (word, verdict) = match (is_fixed, chance.below(5)) {
        (true, 0) => ("a".to_string(), if bytes_max == 1 { Taken } else { Unsaid }),
        (true, _) => (chance.pick(&["a", "b", "\\"]).repeat(bytes_max), Taken),
        (false, 0) => ("x".repeat(bytes_max.min(400) + 1), Taken),
        (false, 1) => ("x".repeat(bytes_max.min(400)), Taken),
        _ => (chance.pick(&["a", "A", "ä", "b", "a ", "\u{0}", "\\N", "a\nb"]).to_string(), Taken),
    };
    Value::worded(&word, sql_bytes(word.as_bytes()), verdict)
}

/// What every ENUM and SET here has.
pub const MEMBERS: &[&str] = &["a", "b", "x y", "it's", "C"];

fn member(chance: &mut Chance) -> Value {
    match chance.below(12) {
        0 => Value::worded("A", "NULL", Rejected),
        1 => Value::worded("1", "NULL", Rejected),
        _ => {
            let member = chance.pick(MEMBERS);
            Value::worded(member, sql_text(member), Taken)
        }
    }
}

fn members(chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::worded("a,zz", "NULL", Rejected),
        1 => Value::worded("b,a", "'a,b'", Unsaid),
        2 => Value::typed(r#"["a","C"]"#, "'a,C'", Taken),
        3 => Value::worded("", "''", Taken),
        4 => Value::worded("B", "NULL", Rejected),
        _ => {
            let some = chance.pick(&["a", "b", "a,b", "x y,C"]);
            Value::worded(some, sql_text(some), Taken)
        }
    }
}

fn json(chance: &mut Chance) -> Value {
    let (words, verdict) = chance.pick(&[
        (r#"{"a":1}"#, Taken),
        (r#"{"b": [1, 2, {"c": null}], "a": "ä😀"}"#, Taken),
        ("[]", Taken),
        ("{}", Taken),
        ("[true,false,null]", Taken),
        (r#""x""#, Taken),
        (r#""ä\n\"\\""#, Taken),
        (r#"{"k":"\u00e4\n"}"#, Taken),
        ("12", Taken),
        ("-1.5", Taken),
        ("true", Taken),
        ("[1e2]", Unsaid),
        ("[1.0]", Unsaid),
        ("[18446744073709551615]", Unsaid),
        ("[90.42857142857143]", Unsaid),
        ("[123456789012345678901234567890]", Unsaid),
    ]);
    let mut value = Value::worded(words, sql_text(words), verdict);
    value.json = words.to_string();
    value
}

fn day(chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::worded("2023-02-29", "NULL", Rejected),
        1 => Value::worded("2025-03-01 10:00:00", "NULL", Rejected),
        2 => Value::worded("2025-03-01T00:00:00", "'2025-03-01'", Unsaid),
        3 => Value::typed("5", "NULL", Rejected),
        _ => {
            let day = chance.pick(&[
                "2020-01-01",
                "2025-03-01",
                "2024-02-29",
                "1000-01-01",
                "9999-12-31",
            ]);
            Value::worded(day, format!("'{day}'"), Taken)
        }
    }
}

/// A column of points in time wants an offset; one without keeps what the clock says.
fn moment(fraction: u8, is_point: bool, chance: &mut Chance) -> Value {
    let long = format!("2020-01-01T12:00:00.{}1Z", "0".repeat(fraction.into()));
    match chance.below(14) {
        0 => Value::worded("2023-02-29T10:00:00Z", "NULL", Rejected),
        1 => Value::worded("2025-03-01T25:00:00Z", "NULL", Rejected),
        2 if fraction < 6 => Value::worded(&long, "NULL", Rejected),
        3 => Value::worded("2025-03-01T10:00:00+02:00", "'2025-03-01 08:00:00'", Taken),
        4 => Value::typed("true", "NULL", Rejected),
        5 if fraction >= 3 => {
            Value::worded("2001-02-03T04:05:06.789Z", "'2001-02-03 04:05:06.789'", Taken)
        }
        6 if is_point => Value::worded("2025-03-01 10:00:00", "NULL", Rejected),
        6 => Value::worded("2025-03-01 10:00:00", "'2025-03-01 10:00:00'", Taken),
        7 if is_point => Value::worded("1969-12-31T23:59:59Z", "NULL", Rejected),
        7 => Value::worded("9999-12-31T23:59:59", "'9999-12-31 23:59:59'", Taken),
        8 if is_point => Value::worded("2038-01-19T03:14:07Z", "'2038-01-19 03:14:07'", Taken),
        8 => Value::worded("1000-01-01T00:00:00", "'1000-01-01 00:00:00'", Taken),
        9 => Value::worded("2020-01-01T12:00:00.000Z", "'2020-01-01 12:00:00'", Taken),
        _ => {
            let day = chance.pick(&["2020-01-01", "2021-06-05", "2024-02-29"]);
            Value::worded(&format!("{day}T12:00:00Z"), format!("'{day} 12:00:00'"), Taken)
        }
    }
}

fn time(fraction: u8, chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::worded("839:00:00", "NULL", Rejected),
        1 => Value::worded("10:60:00", "NULL", Rejected),
        2 => Value::worded("10:11", "'10:11:00'", Taken),
        3 => Value::worded("-838:59:59", "'-838:59:59'", Taken),
        4 if fraction >= 3 => Value::worded("10:11:12.345", "'10:11:12.345'", Taken),
        4 => Value::worded("10:11:12.3456789", "NULL", Rejected),
        5 => Value::typed("5", "NULL", Rejected),
        _ => {
            let time = chance.pick(&["10:11:12", "00:00:00", "838:59:59", "23:59:59"]);
            Value::worded(time, format!("'{time}'"), Taken)
        }
    }
}

fn year(chance: &mut Chance) -> Value {
    let (word, verdict) = chance.pick(&[
        ("2020", Taken),
        ("2021", Taken),
        ("1901", Taken),
        ("2155", Taken),
        ("1900", Rejected),
        ("2156", Rejected),
        ("25", Rejected),
    ]);
    Value::counted(word, word, verdict, chance)
}

fn address(kind: &Kind, chance: &mut Chance) -> Value {
    let some: &[(&str, Verdict)] = match kind {
        Kind::Uuid => &[
            ("123e4567-e89b-12d3-a456-426614174000", Taken),
            ("123E4567-E89B-12D3-A456-426614174000", Taken),
            ("123e4567e89b12d3a456426614174001", Unsaid),
            ("00000000-0000-0000-0000-000000000000", Taken),
            ("123e4567-e89b-12d3-a456-42661417400", Rejected),
        ],
        Kind::Inet4 => &[
            ("1.2.3.4", Taken),
            ("255.255.255.255", Taken),
            ("0.0.0.0", Taken),
            ("1.2.3.400", Rejected),
        ],
        _ => &[
            ("2001:db8::1:2:33", Taken),
            ("::1", Taken),
            ("2001:0db8::0001", Taken),
            ("2001:db8::1", Taken),
            ("::ffff:1.2.3.4", Unsaid),
            ("::", Taken),
            ("2001:db8:::1", Rejected),
        ],
    };
    let (word, verdict) = chance.pick(some);
    Value::worded(word, format!("'{word}'"), verdict)
}
