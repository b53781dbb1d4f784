//! The types of columns that are made.

use crate::record::{Field, FieldKind};
use crate::sink::mysql::Server;
use crate::sink::mysql::rules::Times;

/// A type to be, by what decides about sizes and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A name that stands as it is, and the bytes of a value.
    Plain(&'static str, u64),
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

/// 28 digits before the point and 10 behind it: what integers of 64 bits divided by a power of ten
/// need, with room. A number of more digits is rejected, and never rounded.
const DECIMAL: Type = Type::Plain("DECIMAL(38,10)", 18);

impl Type {
    pub(super) fn of(field: &Field, is_untyped: bool) -> Type {
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
                _ => Type::Plain("DECIMAL(65,0)", 30),
            },
            FieldKind::Unsigned(bits) => match bits {
                0..=8 => Type::Plain("TINYINT UNSIGNED", 1),
                9..=16 => Type::Plain("SMALLINT UNSIGNED", 2),
                17..=32 => Type::Plain("INT UNSIGNED", 4),
                33..=64 => Type::Plain("BIGINT UNSIGNED", 8),
                _ => Type::Plain("DECIMAL(65,0)", 30),
            },
            FieldKind::Decimal => DECIMAL,
            // Records hold a number as it was sent, with more digits than an index of 32 bits keeps.
            FieldKind::Float(_) => Type::Plain("DOUBLE", 8),
            FieldKind::Bool => Type::Plain("TINYINT(1)", 1),
            FieldKind::Time if field.origin.contains("nanos") => Type::Plain("DATETIME(6)", 8),
            FieldKind::Time => match Times::of(field) {
                Ok(Times::By(format)) if format.fraction_digits() > 3 => {
                    Type::Plain("DATETIME(6)", 8)
                }
                _ => Type::Plain("DATETIME(3)", 7),
            },
            FieldKind::Base64 => Type::LongBlob,
        }
    }

    fn text_of(characters: u32) -> Type {
        match characters {
            0..=CHARACTERS_MAX => Type::Characters(characters.max(1)),
            _ if u64::from(characters) * CHARACTER_BYTES <= TEXT_BYTES_MAX => Type::Text,
            _ => Type::LongText,
        }
    }

    /// What it is as part of a key, which is never NULL and holds all of its value.
    pub(super) fn as_key(self) -> Type {
        match self {
            Type::Text | Type::LongText => Type::Characters(KEY_CHARACTERS),
            other => other,
        }
    }

    pub(super) fn key_bytes(self) -> Option<u64> {
        match self {
            // Numbers that differ in their text may be equal to the server.
            Type::Plain("DOUBLE", _) => None,
            Type::Plain(_, bytes) => Some(bytes),
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
            Type::Characters(characters) if is_key => {
                let collation = match server.is_mariadb {
                    true => "utf8mb4_nopad_bin",
                    false if server.version >= (8, 0, 17) => "utf8mb4_0900_bin",
                    false => "utf8mb4_bin",
                };
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
