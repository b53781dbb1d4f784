//! The types of columns that are made.

use crate::record::{ColumnType, Field, FieldKind};
use crate::sink::mysql::rules::Times;
use crate::sink::mysql::{ColumnDefinition, ServerInfo};

/// A type to be, by what decides about sizes and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SqlType {
    /// A name that stands as it is, and the bytes of a value.
    Plain(&'static str, u64),
    /// DECIMAL of so many digits, of which so many are behind the point.
    Decimal(u8, u8),
    /// DATETIME and TIME, with so many digits of a second.
    DateTime(u8),
    Time(u8),
    /// VARCHAR of so many characters.
    Characters(u32),
    /// VARBINARY of so many bytes.
    Bytes(u32),
    Text,
    LongText,
    LongBlob,
    Json,
}

/// Longer ones are stored beside the row.
const CHARACTERS_MAX: u32 = 1024;

/// A character of utf8mb4 at most.
const CHARACTER_BYTES: u64 = 4;

/// TEXT; LONGTEXT has no limit that matters.
const TEXT_BYTES_MAX: u64 = 65_535;

/// Texts of unknown length as part of a key: the usual length, and a quarter of what keys can hold.
const KEY_CHARACTERS: u32 = 191;

/// Such texts are the most that a key of one column holds.
const KEY_CHARACTERS_MAX: u32 = 768;

impl SqlType {
    pub(super) fn of(field: &Field, is_untyped: bool) -> SqlType {
        if let Some(column_type) = field.column_type {
            return SqlType::said(column_type);
        }
        match field.kind {
            FieldKind::Unknown if is_untyped => SqlType::LongText,
            FieldKind::Unknown | FieldKind::Json => SqlType::Json,
            FieldKind::Text => SqlType::LongText,
            FieldKind::Keyword(characters) => SqlType::text_of(characters),
            FieldKind::Int(bits) => match bits {
                0..=8 => SqlType::Plain("TINYINT", 1),
                9..=16 => SqlType::Plain("SMALLINT", 2),
                17..=32 => SqlType::Plain("INT", 4),
                33..=64 => SqlType::Plain("BIGINT", 8),
                _ => SqlType::Decimal(65, 0),
            },
            FieldKind::Unsigned(bits) => match bits {
                0..=8 => SqlType::Plain("TINYINT UNSIGNED", 1),
                9..=16 => SqlType::Plain("SMALLINT UNSIGNED", 2),
                17..=32 => SqlType::Plain("INT UNSIGNED", 4),
                33..=64 => SqlType::Plain("BIGINT UNSIGNED", 8),
                _ => SqlType::Decimal(65, 0),
            },
            FieldKind::Decimal => SqlType::said(ColumnType::DECIMAL),
            // Records hold a number as it was sent, with more digits than an index of 32 bits keeps.
            FieldKind::Float(_) => SqlType::Plain("DOUBLE", 8),
            FieldKind::Bool => SqlType::Plain("TINYINT(1)", 1),
            FieldKind::Time if field.origin.contains("nanos") => SqlType::DateTime(6),
            FieldKind::Time => match Times::of(field) {
                Ok(Times::By(format)) if field.is_declared && format.is_of_days() => {
                    SqlType::said(ColumnType::Date)
                }
                Ok(Times::By(format)) if format.fraction_digits() > 3 => SqlType::DateTime(6),
                _ => SqlType::DateTime(3),
            },
            FieldKind::Base64 => SqlType::LongBlob,
        }
    }

    pub(super) fn said(column_type: ColumnType) -> SqlType {
        match column_type {
            ColumnType::Text => SqlType::LongText,
            ColumnType::Varchar(characters) => SqlType::Characters(characters),
            ColumnType::Int { is_unsigned: false } => SqlType::Plain("BIGINT", 8),
            ColumnType::Int { is_unsigned: true } => SqlType::Plain("BIGINT UNSIGNED", 8),
            ColumnType::Decimal { digits, fraction } => SqlType::Decimal(digits, fraction),
            ColumnType::Double => SqlType::Plain("DOUBLE", 8),
            ColumnType::Bool => SqlType::Plain("TINYINT(1)", 1),
            ColumnType::Date => SqlType::Plain("DATE", 3),
            ColumnType::DateTime(digits) => SqlType::DateTime(digits),
            ColumnType::Time(digits) => SqlType::Time(digits),
            ColumnType::Json => SqlType::Json,
            ColumnType::Base64 => SqlType::LongBlob,
        }
    }

    /// Whether there are values that it does not take, whatever the rules.
    pub(super) fn is_limited(self) -> bool {
        !matches!(self, SqlType::LongText | SqlType::LongBlob | SqlType::Json)
    }

    /// Whether its values are times, which somebody has to know how to read.
    pub(super) fn is_time(self) -> bool {
        matches!(self, SqlType::DateTime(_) | SqlType::Time(_) | SqlType::Plain("DATE", _))
    }

    fn text_of(characters: u32) -> SqlType {
        match characters {
            0..=CHARACTERS_MAX => SqlType::Characters(characters.max(1)),
            _ if u64::from(characters) * CHARACTER_BYTES <= TEXT_BYTES_MAX => SqlType::Text,
            _ => SqlType::LongText,
        }
    }

    /// What it is as part of a key, which is never NULL and holds all of its value. Of `characters` is
    /// the longest text that was seen; another may be as long again.
    pub(super) fn as_key(self, characters: u64) -> SqlType {
        match self {
            SqlType::Text | SqlType::LongText if characters > u64::from(KEY_CHARACTERS_MAX) => self,
            SqlType::Text | SqlType::LongText => {
                let room = (2 * characters).min(u64::from(KEY_CHARACTERS_MAX)) as u32;
                SqlType::Characters(room.max(KEY_CHARACTERS))
            }
            other => other,
        }
    }

    pub(super) fn key_bytes(self) -> Option<u64> {
        match self {
            // Numbers that differ in their text may be equal to the server.
            SqlType::Plain("DOUBLE", _) => None,
            SqlType::Plain(_, bytes) => Some(bytes),
            SqlType::Decimal(..) | SqlType::DateTime(_) | SqlType::Time(_) => {
                Some(self.row_bytes())
            }
            SqlType::Characters(characters) => Some(u64::from(characters) * CHARACTER_BYTES),
            SqlType::Bytes(bytes) => Some(u64::from(bytes)),
            SqlType::Text | SqlType::LongText | SqlType::LongBlob | SqlType::Json => None,
        }
    }

    /// It has a character set.
    pub(super) fn is_characters(self) -> bool {
        matches!(self, SqlType::Characters(_) | SqlType::Text | SqlType::LongText)
    }

    /// What it takes of the row at most.
    pub(super) fn row_bytes(self) -> u64 {
        const LENGTH: u64 = 2;
        const POINTER: u64 = 12;
        match self {
            SqlType::Plain(_, bytes) => bytes,
            SqlType::Decimal(digits, fraction) => {
                // Nine digits take four bytes, on each side of the point.
                let bytes =
                    |digits: u8| u64::from(digits / 9) * 4 + u64::from(digits % 9).div_ceil(2);
                bytes(digits - fraction) + bytes(fraction)
            }
            SqlType::DateTime(digits) => 5 + u64::from(digits).div_ceil(2),
            SqlType::Time(digits) => 3 + u64::from(digits).div_ceil(2),
            SqlType::Characters(characters) => u64::from(characters) * CHARACTER_BYTES + LENGTH,
            SqlType::Bytes(bytes) => u64::from(bytes) + LENGTH,
            SqlType::Text | SqlType::LongText | SqlType::LongBlob | SqlType::Json => POINTER,
        }
    }

    pub(super) fn beside_the_row(self) -> SqlType {
        match self {
            SqlType::Characters(_) => SqlType::Text,
            other => other,
        }
    }

    /// Keys compare as bytes: the usual collations take different ids for the same.
    pub(super) fn sql(self, is_key: bool, server: &ServerInfo) -> String {
        match self {
            SqlType::Plain(name, _) => name.to_string(),
            SqlType::Decimal(digits, fraction) => format!("DECIMAL({digits},{fraction})"),
            SqlType::DateTime(0) => "DATETIME".to_string(),
            SqlType::DateTime(digits) => format!("DATETIME({digits})"),
            SqlType::Time(0) => "TIME".to_string(),
            SqlType::Time(digits) => format!("TIME({digits})"),
            SqlType::Characters(characters) if is_key => {
                let collation = key_collation(server);
                format!("VARCHAR({characters}) CHARACTER SET utf8mb4 COLLATE {collation}")
            }
            SqlType::Characters(characters) => format!("VARCHAR({characters})"),
            SqlType::Bytes(bytes) => format!("VARBINARY({bytes})"),
            SqlType::Text => "TEXT".to_string(),
            SqlType::LongText => "LONGTEXT".to_string(),
            SqlType::LongBlob => "LONGBLOB".to_string(),
            SqlType::Json => "JSON".to_string(),
        }
    }
}

/// By its bytes, and without taking spaces off the end.
fn key_collation(server: &ServerInfo) -> &'static str {
    match server.is_mariadb {
        true => "utf8mb4_nopad_bin",
        false if server.version >= (8, 0, 17) => "utf8mb4_0900_bin",
        false => "utf8mb4_bin",
    }
}

impl SqlType {
    /// What the server will say of such a column.
    pub(super) fn definition(self, is_key: bool, server: &ServerInfo) -> ColumnDefinition {
        let sql = self.sql(is_key, server).to_ascii_lowercase();
        let (column_type, _) = sql.split_once(" character set").unwrap_or((&sql, ""));
        let (data_type, _) = column_type.split_once(['(', ' ']).unwrap_or((column_type, ""));
        let is_json = self == SqlType::Json;
        let characters = |bytes: u64| (Some(bytes / CHARACTER_BYTES), Some(bytes));
        let is_long_text = self == SqlType::LongText || is_json;
        let (characters_max, octets_max) = match self {
            SqlType::Characters(length) => characters(u64::from(length) * CHARACTER_BYTES),
            SqlType::Bytes(length) => (Some(u64::from(length)), Some(u64::from(length))),
            SqlType::Text => (Some(TEXT_BYTES_MAX), Some(TEXT_BYTES_MAX)),
            _ if is_long_text || self == SqlType::LongBlob => {
                (Some(u32::MAX.into()), Some(u32::MAX.into()))
            }
            _ => (None, None),
        };
        let (numeric_precision, numeric_scale) = match self {
            SqlType::Decimal(digits, fraction) => (Some(digits.into()), Some(fraction.into())),
            _ => (None, None),
        };
        let datetime_precision = match self {
            SqlType::DateTime(digits) | SqlType::Time(digits) => Some(digits.into()),
            _ => None,
        };
        let is_text = matches!(self, SqlType::Characters(_) | SqlType::Text) || is_long_text;
        let collation = match (is_text, is_key) {
            (false, _) => None,
            (true, true) => Some(key_collation(server).to_string()),
            (true, false) => Some(String::new()),
        };
        let is_mariadb = server.is_mariadb;
        // To MariaDB, JSON is text with a check.
        let (column_type, data_type) = match is_json && is_mariadb {
            true => ("longtext", "longtext"),
            false => (column_type, data_type),
        };
        ColumnDefinition {
            column_type: column_type.to_string(),
            data_type: data_type.to_string(),
            is_nullable: !is_key,
            column_default: (is_mariadb && !is_key).then(|| "NULL".to_string()),
            character_set: is_text.then(|| "utf8mb4".to_string()),
            collation,
            characters_max,
            octets_max,
            numeric_precision,
            numeric_scale,
            datetime_precision,
            is_mariadb,
            has_json_check: is_json && is_mariadb,
            has_long_timestamps: server.has_long_timestamps(),
            ..ColumnDefinition::default()
        }
    }
}
