//! The types of columns that are made.

use crate::record::{ColumnType, Field, FieldKind};
use crate::sink::mysql::rules::Times;
use crate::sink::mysql::{ColumnDefinition, Server};

/// A type to be, by what decides about sizes and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
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

impl Type {
    pub(super) fn of(field: &Field, is_untyped: bool) -> Type {
        if let Some(column_type) = field.column_type {
            return Type::said(column_type);
        }
        match field.kind {
            FieldKind::Unknown if is_untyped => Type::LongText,
            FieldKind::Unknown | FieldKind::Json => Type::Json,
            FieldKind::Text => Type::LongText,
            FieldKind::Keyword(characters) => Type::text_of(characters),
            FieldKind::Int(bits) => match bits {
                0..=8 => Type::Plain("TINYINT", 1),
                9..=16 => Type::Plain("SMALLINT", 2),
                17..=32 => Type::Plain("INT", 4),
                33..=64 => Type::Plain("BIGINT", 8),
                _ => Type::Decimal(65, 0),
            },
            FieldKind::Unsigned(bits) => match bits {
                0..=8 => Type::Plain("TINYINT UNSIGNED", 1),
                9..=16 => Type::Plain("SMALLINT UNSIGNED", 2),
                17..=32 => Type::Plain("INT UNSIGNED", 4),
                33..=64 => Type::Plain("BIGINT UNSIGNED", 8),
                _ => Type::Decimal(65, 0),
            },
            FieldKind::Decimal => Type::said(ColumnType::DECIMAL),
            // Records hold a number as it was sent, with more digits than an index of 32 bits keeps.
            FieldKind::Float(_) => Type::Plain("DOUBLE", 8),
            FieldKind::Bool => Type::Plain("TINYINT(1)", 1),
            FieldKind::Time if field.origin.contains("nanos") => Type::DateTime(6),
            FieldKind::Time => match Times::of(field) {
                Ok(Times::By(format)) if format.fraction_digits() > 3 => Type::DateTime(6),
                _ => Type::DateTime(3),
            },
            FieldKind::Base64 => Type::LongBlob,
        }
    }

    pub(super) fn said(column_type: ColumnType) -> Type {
        match column_type {
            ColumnType::Text => Type::LongText,
            ColumnType::Varchar(characters) => Type::Characters(characters),
            ColumnType::Int { is_unsigned: false } => Type::Plain("BIGINT", 8),
            ColumnType::Int { is_unsigned: true } => Type::Plain("BIGINT UNSIGNED", 8),
            ColumnType::Decimal { digits, fraction } => Type::Decimal(digits, fraction),
            ColumnType::Double => Type::Plain("DOUBLE", 8),
            ColumnType::Bool => Type::Plain("TINYINT(1)", 1),
            ColumnType::Date => Type::Plain("DATE", 3),
            ColumnType::DateTime(digits) => Type::DateTime(digits),
            ColumnType::Time(digits) => Type::Time(digits),
            ColumnType::Json => Type::Json,
        }
    }

    /// Whether there are values that it does not take, whatever the rules.
    pub(super) fn is_limited(self) -> bool {
        !matches!(self, Type::LongText | Type::LongBlob | Type::Json)
    }

    /// Whether its values are times, which somebody has to know how to read.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Type::DateTime(_) | Type::Time(_) | Type::Plain("DATE", _))
    }

    fn text_of(characters: u32) -> Type {
        match characters {
            0..=CHARACTERS_MAX => Type::Characters(characters.max(1)),
            _ if u64::from(characters) * CHARACTER_BYTES <= TEXT_BYTES_MAX => Type::Text,
            _ => Type::LongText,
        }
    }

    /// What it is as part of a key, which is never NULL and holds all of its value. Of `characters` is
    /// the longest text that was seen; another may be as long again.
    pub(super) fn as_key(self, characters: u64) -> Type {
        match self {
            Type::Text | Type::LongText if characters > u64::from(KEY_CHARACTERS_MAX) => self,
            Type::Text | Type::LongText => {
                let room = (2 * characters).min(u64::from(KEY_CHARACTERS_MAX)) as u32;
                Type::Characters(room.max(KEY_CHARACTERS))
            }
            other => other,
        }
    }

    pub(super) fn key_bytes(self) -> Option<u64> {
        match self {
            // Numbers that differ in their text may be equal to the server.
            Type::Plain("DOUBLE", _) => None,
            Type::Plain(_, bytes) => Some(bytes),
            Type::Decimal(..) | Type::DateTime(_) | Type::Time(_) => Some(self.row_bytes()),
            Type::Characters(characters) => Some(u64::from(characters) * CHARACTER_BYTES),
            Type::Bytes(bytes) => Some(u64::from(bytes)),
            Type::Text | Type::LongText | Type::LongBlob | Type::Json => None,
        }
    }

    /// What it takes of the row at most.
    pub(super) fn row_bytes(self) -> u64 {
        const LENGTH: u64 = 2;
        const POINTER: u64 = 12;
        match self {
            Type::Plain(_, bytes) => bytes,
            Type::Decimal(digits, fraction) => {
                // Nine digits take four bytes, on each side of the point.
                let bytes =
                    |digits: u8| u64::from(digits / 9) * 4 + u64::from(digits % 9).div_ceil(2);
                bytes(digits - fraction) + bytes(fraction)
            }
            Type::DateTime(digits) => 5 + u64::from(digits).div_ceil(2),
            Type::Time(digits) => 3 + u64::from(digits).div_ceil(2),
            Type::Characters(characters) => u64::from(characters) * CHARACTER_BYTES + LENGTH,
            Type::Bytes(bytes) => u64::from(bytes) + LENGTH,
            Type::Text | Type::LongText | Type::LongBlob | Type::Json => POINTER,
        }
    }

    pub(super) fn beside_the_row(self) -> Type {
        match self {
            Type::Characters(_) => Type::Text,
            other => other,
        }
    }

    /// Keys compare as bytes: the usual collations take different ids for the same.
    pub(super) fn sql(self, is_key: bool, server: &Server) -> String {
        match self {
            Type::Plain(name, _) => name.to_string(),
            Type::Decimal(digits, fraction) => format!("DECIMAL({digits},{fraction})"),
            Type::DateTime(0) => "DATETIME".to_string(),
            Type::DateTime(digits) => format!("DATETIME({digits})"),
            Type::Time(0) => "TIME".to_string(),
            Type::Time(digits) => format!("TIME({digits})"),
            Type::Characters(characters) if is_key => {
                let collation = key_collation(server);
                format!("VARCHAR({characters}) CHARACTER SET utf8mb4 COLLATE {collation}")
            }
            Type::Characters(characters) => format!("VARCHAR({characters})"),
            Type::Bytes(bytes) => format!("VARBINARY({bytes})"),
            Type::Text => "TEXT".to_string(),
            Type::LongText => "LONGTEXT".to_string(),
            Type::LongBlob => "LONGBLOB".to_string(),
            Type::Json => "JSON".to_string(),
        }
    }
}

/// By its bytes, and without taking spaces off the end.
fn key_collation(server: &Server) -> &'static str {
    match server.is_mariadb {
        true => "utf8mb4_nopad_bin",
        false if server.version >= (8, 0, 17) => "utf8mb4_0900_bin",
        false => "utf8mb4_bin",
    }
}

impl Type {
    /// What the server will say of such a column.
    pub(super) fn definition(self, is_key: bool, server: &Server) -> ColumnDefinition {
        let sql = self.sql(is_key, server).to_ascii_lowercase();
        let (column_type, _) = sql.split_once(" character set").unwrap_or((&sql, ""));
        let (data_type, _) = column_type.split_once(['(', ' ']).unwrap_or((column_type, ""));
        let is_json = self == Type::Json;
        let characters = |bytes: u64| (Some(bytes / CHARACTER_BYTES), Some(bytes));
        let is_long_text = self == Type::LongText || is_json;
        let (characters_max, octets_max) = match self {
            Type::Characters(length) => characters(u64::from(length) * CHARACTER_BYTES),
            Type::Bytes(length) => (Some(u64::from(length)), Some(u64::from(length))),
            Type::Text => (Some(TEXT_BYTES_MAX), Some(TEXT_BYTES_MAX)),
            _ if is_long_text || self == Type::LongBlob => {
                (Some(u32::MAX.into()), Some(u32::MAX.into()))
            }
            _ => (None, None),
        };
        let (numeric_precision, numeric_scale) = match self {
            Type::Decimal(digits, fraction) => (Some(digits.into()), Some(fraction.into())),
            _ => (None, None),
        };
        let datetime_precision = match self {
            Type::DateTime(digits) | Type::Time(digits) => Some(digits.into()),
            _ => None,
        };
        let is_text = matches!(self, Type::Characters(_) | Type::Text) || is_long_text;
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
