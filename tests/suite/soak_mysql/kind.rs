//! Types of columns, as a server is told of them and as it is asked for what it has.

use super::value::MEMBERS;
use crate::support::chance::Chance;

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Bool,
    Int {
        bits: u8,
        is_unsigned: bool,
    },
    Bit {
        bits: u8,
    },
    Decimal {
        digits: u8,
        behind: u8,
    },
    Float,
    Double,
    Text {
        name: String,
        characters_max: Option<usize>,
        bytes_max: Option<usize>,
        is_fixed: bool,
        charset: String,
        collation: Option<String>,
    },
    Binary {
        bytes_max: usize,
        is_fixed: bool,
    },
    Enum,
    Set,
    Json,
    Date,
    DateTime {
        fraction: u8,
    },
    Timestamp {
        fraction: u8,
    },
    Time {
        fraction: u8,
    },
    Year,
    Uuid,
    Inet4,
    Inet6,
}

const BITS: [u8; 5] = [8, 16, 24, 32, 64];
const ODD_CHARSETS: [&str; 13] = [
    "latin1", "utf8mb3", "ascii", "ucs2", "utf16", "utf32", "gbk", "sjis", "big5", "euckr",
    "cp932", "tis620", "gb2312",
];

pub fn some(chance: &mut Chance, is_mariadb: bool) -> Kind {
    match chance.below(if is_mariadb { 28 } else { 25 }) {
        0..=3 => Kind::Int { bits: chance.pick(&BITS), is_unsigned: chance.percent(30) },
        4 => Kind::Bool,
        5 => Kind::Bit { bits: chance.pick(&[1, 7, 8, 17, 64]) },
        6 => {
            let (digits, behind) = chance.pick(&[(10, 2), (5, 0), (3, 3), (38, 10), (65, 30)]);
            Kind::Decimal { digits, behind }
        }
        7 => Kind::Float,
        8 => Kind::Double,
        9..=14 => text(chance, is_mariadb),
        15 => Kind::Binary { bytes_max: chance.pick(&[1, 5]), is_fixed: true },
        16 => Kind::Binary { bytes_max: chance.pick(&[1, 9, 255, 65535]), is_fixed: false },
        17 => Kind::Enum,
        18 => Kind::Set,
        19 => Kind::Json,
        20 => Kind::Date,
        21 => Kind::DateTime { fraction: chance.pick(&[0, 3, 6]) },
        22 => Kind::Timestamp { fraction: chance.pick(&[0, 3, 6]) },
        23 => Kind::Time { fraction: chance.pick(&[0, 6]) },
        24 => Kind::Year,
        25 => Kind::Uuid,
        26 => Kind::Inet4,
        _ => Kind::Inet6,
    }
}

fn text(chance: &mut Chance, is_mariadb: bool) -> Kind {
    let (charset, collation) = match chance.below(10) {
        0..=2 => ("utf8mb4", None),
        3..=5 => {
            let own: &[&str] = match is_mariadb {
                true => &["utf8mb4_nopad_bin", "utf8mb4_unicode_nopad_ci"],
                false => &["utf8mb4_0900_bin", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs"],
            };
            let some = ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"];
            ("utf8mb4", Some(chance.pick(&[own, &some].concat()).to_string()))
        }
        _ => (chance.pick(&ODD_CHARSETS), None),
    };
    let length = chance.pick(&[1, 2, 5, 12]);
    let (name, characters_max, bytes_max, is_fixed) = match chance.below(10) {
        0 => (format!("CHAR({length})"), Some(length), None, true),
        1..=5 => (format!("VARCHAR({length})"), Some(length), None, false),
        6 | 7 => ("TINYTEXT".to_string(), None, Some(255), false),
        8 => ("TEXT".to_string(), None, Some(65535), false),
        _ => (chance.pick(&["MEDIUMTEXT", "LONGTEXT"]).to_string(), None, None, false),
    };
    Kind::Text { name, characters_max, bytes_max, is_fixed, charset: charset.into(), collation }
}

impl Kind {
    pub fn sql(&self) -> String {
        let fraction = |name: &str, digits: u8| match digits {
            0 => name.to_string(),
            _ => format!("{name}({digits})"),
        };
        let quoted = || {
            let quote = |member: &&str| format!("'{}'", member.replace('\'', "''"));
            MEMBERS.iter().map(quote).collect::<Vec<_>>().join(",")
        };
        match self {
            Kind::Bool => "TINYINT(1)".to_string(),
            Kind::Int { bits, is_unsigned } => {
                let name = match bits {
                    8 => "TINYINT",
                    16 => "SMALLINT",
                    24 => "MEDIUMINT",
                    32 => "INT",
                    _ => "BIGINT",
                };
                format!("{name}{}", if *is_unsigned { " UNSIGNED" } else { "" })
            }
            Kind::Bit { bits } => format!("BIT({bits})"),
            Kind::Decimal { digits, behind } => format!("DECIMAL({digits},{behind})"),
            Kind::Float => "FLOAT".to_string(),
            Kind::Double => "DOUBLE".to_string(),
            Kind::Text { name, charset, collation, .. } => match collation {
                Some(collation) => format!("{name} CHARACTER SET {charset} COLLATE {collation}"),
                None => format!("{name} CHARACTER SET {charset}"),
            },
            Kind::Binary { bytes_max, is_fixed: true } => format!("BINARY({bytes_max})"),
            Kind::Binary { bytes_max: 65535, .. } => "BLOB".to_string(),
            Kind::Binary { bytes_max: 255, .. } => "TINYBLOB".to_string(),
            Kind::Binary { bytes_max, .. } => format!("VARBINARY({bytes_max})"),
            Kind::Enum => format!("ENUM({})", quoted()),
            Kind::Set => format!("SET({})", quoted()),
            Kind::Json => "JSON".to_string(),
            Kind::Date => "DATE".to_string(),
            Kind::DateTime { fraction: digits } => fraction("DATETIME", *digits),
            Kind::Timestamp { fraction: digits } => fraction("TIMESTAMP", *digits),
            Kind::Time { fraction: digits } => fraction("TIME", *digits),
            Kind::Year => "YEAR".to_string(),
            Kind::Uuid => "UUID".to_string(),
            Kind::Inet4 => "INET4".to_string(),
            Kind::Inet6 => "INET6".to_string(),
        }
    }

    /// Exact, and as text. Times of the test itself have no value of their own.
    pub fn shown(&self, column: &str) -> String {
        match self {
            Kind::Text { .. } | Kind::Binary { .. } | Kind::Bit { .. } | Kind::Enum | Kind::Set => {
                format!("HEX({column})")
            }
            // In its own width a FLOAT is printed with six digits.
            Kind::Float | Kind::Double => format!("CAST({column} * 1e0 AS CHAR)"),
            Kind::DateTime { .. } | Kind::Timestamp { .. } => format!(
                "IF(ABS(TIMESTAMPDIFF(MINUTE, {column}, UTC_TIMESTAMP())) < 20, 'now', CAST({column} AS CHAR))"
            ),
            Kind::Date => format!(
                "IF(ABS(DATEDIFF({column}, UTC_DATE())) < 2, 'today', CAST({column} AS CHAR))"
            ),
            _ => format!("CAST({column} AS CHAR)"),
        }
    }

    /// A key takes only the beginning of it.
    pub fn wants_prefix(&self) -> bool {
        match self {
            Kind::Text { characters_max: None, .. } => true,
            Kind::Binary { bytes_max, .. } => *bytes_max == 65535 || *bytes_max == 255,
            _ => false,
        }
    }

    pub fn takes_prefix(&self) -> bool {
        match self {
            Kind::Text { characters_max, .. } => characters_max.is_none_or(|most| most > 1),
            Kind::Binary { bytes_max, .. } => *bytes_max > 1,
            _ => false,
        }
    }

    pub fn may_be_key(&self) -> bool {
        *self != Kind::Json
    }

    /// What stands behind DEFAULT, and perhaps ON UPDATE.
    pub fn default(&self, is_mariadb: bool, is_key: bool, chance: &mut Chance) -> String {
        let choices: Vec<String> = match self {
            Kind::Bool => words(&["1", "TRUE"]),
            Kind::Int { .. } => words(&["7", "0", "(1 + 2)"]),
            Kind::Bit { .. } => words(&["b'1'"]),
            Kind::Decimal { digits, behind } if digits == behind => words(&["0.125"]),
            Kind::Decimal { behind: 0, .. } => words(&["12", "(3 + 4)"]),
            Kind::Decimal { .. } => words(&["1.50", "(1 / 4)"]),
            Kind::Float => words(&["1234567.8", "0.1", "2"]),
            Kind::Double => words(&["1234567.8", "0.1", "1e100"]),
            Kind::Text { name, charset, .. } => {
                let is_wide = ["utf8mb4", "utf16", "utf32"].contains(&charset.as_str());
                let mut choices = words(&["'x'", "''", "'\\\\'", "''''", "(concat('x', 'y'))"]);
                if is_wide {
                    choices.extend(words(&["'😀x'", "'😀'"]));
                }
                if ["latin1", "utf8mb3"].contains(&charset.as_str()) {
                    choices.extend(words(&["'ä'"]));
                }
                if name.contains("TEXT") && !is_mariadb {
                    choices = words(&["('x')", "(concat('x', 'y'))"]);
                }
                choices
            }
            Kind::Binary { bytes_max: 255 | 65535, .. } if !is_mariadb => {
                words(&["('x')", "(X'00ff')"])
            }
            Kind::Binary { bytes_max, is_fixed: true } => {
                vec![format!("'{}'", "q".repeat(*bytes_max))]
            }
            Kind::Binary { bytes_max: 1, .. } => words(&["'x'"]),
            Kind::Binary { .. } => words(&["'ab'", "''", "(X'00ff')", "'ä'"]),
            Kind::Enum => words(&["'b'", "'it''s'"]),
            Kind::Set => words(&["'a,b'", "''"]),
            Kind::Json if is_mariadb => words(&["'{\"a\":1}'", "(json_object('k', 'ä'))"]),
            Kind::Json => words(&["('{\"a\":1}')", "(json_object('k', 'ä'))"]),
            Kind::Date => words(&["'2020-01-01'", "(current_date)"]),
            Kind::DateTime { fraction } | Kind::Timestamp { fraction } => {
                let now = match fraction {
                    0 => "CURRENT_TIMESTAMP".to_string(),
                    digits => format!("CURRENT_TIMESTAMP({digits})"),
                };
                // Two rows of one second would meet or not, as the clock has it.
                match is_key {
                    true => words(&["'2020-01-01 12:00:00'"]),
                    false => vec![
                        "'2020-01-01 12:00:00'".to_string(),
                        now.clone(),
                        format!("{now} ON UPDATE {now}"),
                        format!("'2001-02-03 04:05:06' ON UPDATE {now}"),
                    ],
                }
            }
            Kind::Time { .. } => words(&["'10:11:12'", "'-01:00:00'"]),
            Kind::Year => words(&["2021", "'2020'"]),
            Kind::Uuid => words(&["'123e4567-e89b-12d3-a456-426614174000'"]),
            Kind::Inet4 => words(&["'1.2.3.4'"]),
            Kind::Inet6 => words(&["'2001:db8::1:2:33'", "'::1'"]),
        };
        // What only the server knows, in a key: most is assumed there.
        let computed: Vec<String> =
            choices.iter().filter(|choice| choice.starts_with('(')).cloned().collect();
        match is_key && !computed.is_empty() && chance.percent(60) {
            true => chance.pick(&computed),
            false => chance.pick(&choices),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}
