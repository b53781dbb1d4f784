//! What a column of the server is.

pub mod charset;
mod kind;
mod preset;
mod quoted;

#[cfg(test)]
mod tests;

pub use charset::{Charset, Repertoire};
pub use kind::{ColumnKind, Digits, Limit, MemberList, TextColumn, is_doubtful};
pub use preset::Preset;

use std::sync::Arc;

use super::escape;
use crate::error::{Error, Result};

/// What a row of information_schema.COLUMNS says of a column, as the server wrote it.
#[derive(Clone, Debug, Default)]
pub struct ColumnDefinition {
    pub name: String,
    pub ordinal: u32,
    /// COLUMN_TYPE, such as `int(10) unsigned`.
    pub column_type: String,
    /// DATA_TYPE, such as `int`.
    pub data_type: String,
    pub is_nullable: bool,
    pub column_default: Option<String>,
    pub extra: String,
    pub character_set: Option<String>,
    pub collation: Option<String>,
    /// What the server said of the character set, where it had to be asked.
    pub repertoire: Option<Arc<Repertoire>>,
    /// The names of an ENUM or a SET, where COLUMN_TYPE does not show them for certain.
    pub members: Option<Vec<String>>,
    /// Places of names for which the server takes one in front of them, by the collation.
    pub shadowed: Vec<usize>,
    /// CHARACTER_MAXIMUM_LENGTH.
    pub characters_max: Option<u64>,
    /// CHARACTER_OCTET_LENGTH.
    pub octets_max: Option<u64>,
    pub numeric_precision: Option<u64>,
    pub numeric_scale: Option<u64>,
    pub datetime_precision: Option<u64>,
    /// COLUMN_COMMENT.
    pub comment: String,
    /// MariaDB quotes defaults that are literals, and has types of its own.
    pub is_mariadb: bool,
    /// `CHECK (json_valid(column))`: what JSON is in MariaDB.
    pub has_json_check: bool,
    /// TIMESTAMP reaches 2106: MariaDB from 11.5 on, on 64-bit machines.
    pub has_long_timestamps: bool,
}

/// A column of the table, as far as values need to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub ordinal: u32,
    pub kind: ColumnKind,
    pub is_nullable: bool,
    /// What a row without a value for this column gets.
    pub preset: Preset,
    /// The default is the same for each row. Else it may be made of other columns.
    pub has_fixed_default: bool,
    pub is_generated: bool,
    pub is_auto_increment: bool,
    /// A row without a value gets the next number, of AUTO_INCREMENT or of a sequence.
    pub is_numbered: bool,
    pub is_invisible: bool,
    /// ON UPDATE CURRENT_TIMESTAMP: an update that does not name it shows in it.
    pub is_updated_by_server: bool,
    /// Two values are equal for the server exactly when `put` makes the same bytes of them.
    pub is_key_binary: bool,
    /// Its type was chosen for how values of a sample were written.
    pub is_guessed: bool,
    pub is_mariadb: bool,
}

/// What the comment of a column begins with whose type is a guess. An ALTER that changes the type takes
/// it away.
pub const GUESSED: &str = "type guessed by flowgauge from ";

/// How a field of LOAD DATA gets into its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The column itself is named.
    Direct,
    /// Through a variable: `SET c = CONVERT(@v USING utf8mb4)`. Without it MySQL's JSON fails with
    /// 3144, a column of latin1 stores the bytes of UTF-8 with no warning, and MariaDB takes an
    /// address of 16 characters for the 16 bytes of an INET6.
    Convert,
}

impl Column {
    pub fn new(definition: &ColumnDefinition) -> Result<Column> {
        let kind = ColumnKind::of(definition).map_err(|reason| {
            Error::config(format!(
                "cannot read the type of column '{}', '{}': {reason}",
                definition.name, definition.column_type
            ))
        })?;
        let extra = definition.extra.to_ascii_lowercase();
        let is_auto_increment = extra.contains("auto_increment");
        Ok(Column {
            name: definition.name.clone(),
            ordinal: definition.ordinal,
            is_nullable: definition.is_nullable,
            is_generated: extra.contains("virtual generated")
                || extra.contains("stored generated")
                || extra.contains("persistent generated"),
            is_auto_increment,
            is_invisible: extra.contains("invisible"),
            is_key_binary: kind.is_key_binary(definition.collation.as_deref().unwrap_or_default()),
            is_guessed: definition.comment.starts_with(GUESSED),
            is_mariadb: definition.is_mariadb,
            preset: Preset::of(definition, &extra),
            is_numbered: is_auto_increment || preset::is_of_sequence(definition),
            has_fixed_default: preset::is_fixed(definition, &extra),
            is_updated_by_server: extra.contains("on update"),
            kind,
        })
    }

    /// Whether values can be written to it at all; to be asked for each column that is meant to be.
    pub fn check_writable(&self) -> Result<()> {
        if self.is_generated {
            return Err(Error::config(format!(
                "column '{}' is generated by the server",
                self.name
            ))
            .help("leave it out of the columns"));
        }
        match &self.kind {
            ColumnKind::Unsupported(name) => Err(Error::config(format!(
                "column '{}' is of type {name}, which cannot be written",
                self.name
            ))
            .help("leave it out of the columns")),
            _ if self.charset().is_some_and(Charset::is_to_be_learned) => Err(Error::config(format!(
                "column '{}' has the character set {}, of which the server does not say what it \
                 keeps",
                self.name,
                self.charset().map_or("", Charset::name),
            ))
            .help("leave it out of the columns, or give it another character set")),
            _ => Ok(()),
        }
    }

    pub fn transfer(&self) -> Transfer {
        let charset = match &self.kind {
            ColumnKind::Json { .. } if !self.is_mariadb => return Transfer::Convert,
            ColumnKind::Uuid | ColumnKind::Inet4 | ColumnKind::Inet6 => return Transfer::Convert,
            ColumnKind::Text(text) => &text.charset,
            ColumnKind::Enum(members) | ColumnKind::Set(members) => &members.charset,
            ColumnKind::Json { charset } => charset,
            _ => return Transfer::Direct,
        };
        if charset.takes_utf8_bytes() { Transfer::Direct } else { Transfer::Convert }
    }

    /// The character set in which the column keeps text that is checked character by character.
    pub fn charset(&self) -> Option<&Charset> {
        match &self.kind {
            ColumnKind::Text(text) => Some(&text.charset),
            ColumnKind::Json { charset } => Some(charset),
            _ => None,
        }
    }

    /// What `put` appends never holds a byte that LOAD DATA wants escaped.
    pub fn is_plain(&self) -> bool {
        use ColumnKind::*;
        match &self.kind {
            Integer { .. } | Bool | Decimal { .. } | Float { .. } | Uuid | Inet4 | Inet6 => true,
            Date | Time { .. } | DateTime { .. } | Timestamp { .. } | Year => true,
            Bit { .. } | Text(_) | Binary { .. } | Enum(_) | Set(_) | Json { .. } => false,
            Unsupported(_) => false,
        }
    }

    /// Appends what `put` made as an SQL literal of this column.
    pub fn literal(&self, out: &mut Vec<u8>, value: &[u8]) {
        match self.kind {
            ColumnKind::Binary { .. } | ColumnKind::Bit { .. } => {
                escape::binary_literal(out, value)
            }
            _ => escape::text_literal(out, value),
        }
    }
}
