//! What a row gets in a column that it has no value for.

use super::quoted::quoted;
use super::{Definition, Kind};

/// A column's DEFAULT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preset {
    /// There is none, and the column does not take NULL either.
    None,
    Null,
    /// What `Column::put` appends for it.
    Literal(Vec<u8>),
    /// Only the server knows it: an expression, the time of the insert, the next number.
    Computed,
}

impl Preset {
    /// A literal that cannot be told for certain is left to the server.
    pub(super) fn of(definition: &Definition, kind: &Kind, extra: &str) -> Preset {
        if extra.contains("generated") {
            return Preset::Computed;
        }
        match definition.column_default.as_deref() {
            None if definition.is_nullable => Preset::Null,
            None => Preset::None,
            Some("NULL") if definition.is_mariadb => Preset::Null,
            Some(text) => literal(definition, kind, text).map_or(Preset::Computed, Preset::Literal),
        }
    }
}

/// MariaDB prints literals in quotes, and numbers and expressions bare. MySQL prints every literal
/// bare; expressions are told by EXTRA, except for the oldest of them.
fn literal(definition: &Definition, kind: &Kind, text: &str) -> Option<Vec<u8>> {
    if let Kind::Bit { bits } = kind {
        return bits_literal(text, *bits);
    }
    if let Kind::Binary { .. } = kind {
        // MariaDB prints such bytes as text and loses some, MySQL stops at the first NUL.
        return None;
    }
    if !definition.is_mariadb {
        let is_time_of_insert = text.to_ascii_lowercase().starts_with("current_timestamp");
        let is_time = matches!(kind, Kind::DateTime { .. } | Kind::Timestamp { .. });
        return (!(is_time && is_time_of_insert)).then(|| text.as_bytes().to_vec());
    }
    if text.starts_with('\'') {
        return match quoted(text)? {
            (value, "") => Some(value.into_bytes()),
            _ => None,
        };
    }
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    is_number.then(|| text.as_bytes().to_vec())
}

/// `b'101'`, as the bytes that a value of the column is.
fn bits_literal(text: &str, bits: u8) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("b'")?.strip_suffix('\'')?;
    let value = u64::from_str_radix(digits, 2).ok()?;
    let bytes = usize::from(bits).div_ceil(8);
    Some(value.to_be_bytes()[8 - bytes..].to_vec())
}
