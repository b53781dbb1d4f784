//! What is known of a source's fields before the first record is read.

/// A field, by its name in the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: FieldKind,
    /// In the source's own words, such as `scaled_float`; empty where it has none.
    pub origin: String,
    /// Stands beside the record and not in it, such as `_id`: written only where it is asked for.
    pub is_beside: bool,
}

/// What a field's values are, as far as the source says. A value may still be something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Unknown,
    Text,
    /// Text of at most this many characters.
    Keyword(u32),
    /// Integers of this many bits, with a sign.
    Int(u8),
    /// Integers from 0, of this many bits.
    Unsigned(u8),
    Decimal,
    /// Binary floats of this many bits.
    Float(u8),
    Bool,
    /// Points in time; numbers are time since 1970 in this unit.
    Time(EpochUnit),
    /// Objects, arrays, or anything: JSON in its own words.
    Json,
    /// Bytes as base64.
    Base64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    Seconds,
    Milliseconds,
}

impl Field {
    pub fn new(name: impl Into<String>, kind: FieldKind, origin: impl Into<String>) -> Field {
        Field { name: name.into(), kind, origin: origin.into(), is_beside: false }
    }
}
