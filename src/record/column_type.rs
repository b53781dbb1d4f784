//! Types of columns, in the words of `--types`.

use std::fmt;

/// What a column that is made for a field is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Of any length.
    Text,
    /// Text of at most so many characters.
    Varchar(u32),
    /// Integers of 64 bits.
    Int {
        is_unsigned: bool,
    },
    Decimal {
        digits: u8,
        fraction: u8,
    },
    Double,
    Bool,
    Date,
    /// With so many digits of a second.
    DateTime(u8),
    Time(u8),
    Json,
    /// Bytes, which the source has as base64.
    Base64,
}

impl ColumnType {
    /// 20 digits before the point, as many as integers of 64 bits have, and 20 behind it: doubles from
    /// 0.0001 on need no more, written without an exponent.
    pub const DECIMAL: ColumnType = ColumnType::Decimal { digits: 40, fraction: 20 };

    /// The most digits there are, with the most behind the point.
    pub const WIDE_DECIMAL: ColumnType = ColumnType::Decimal { digits: 65, fraction: 30 };
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Text => f.write_str("text"),
            ColumnType::Varchar(characters) => write!(f, "varchar({characters})"),
            ColumnType::Int { is_unsigned: false } => f.write_str("bigint"),
            ColumnType::Int { is_unsigned: true } => f.write_str("bigint unsigned"),
            ColumnType::Decimal { digits, fraction } => write!(f, "decimal({digits},{fraction})"),
            ColumnType::Double => f.write_str("double"),
            ColumnType::Bool => f.write_str("bool"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::DateTime(digits) => write!(f, "datetime({digits})"),
            ColumnType::Time(digits) => write!(f, "time({digits})"),
            ColumnType::Json => f.write_str("json"),
            ColumnType::Base64 => f.write_str("base64"),
        }
    }
}
