//! Values in the text of an INSERT, and how long one may be.

use crate::sink::mysql::column::{self, Column};

/// About 2,000 rows of ten columns. Longer statements cost both sides more memory and no less time.
pub const STATEMENT_BYTES_MAX: usize = 256 << 10;

/// As digits where it is a number: in quotes the server would take it for text first.
pub fn append_value(sql: &mut Vec<u8>, column: &Column, text: &[u8]) {
    match is_number(column, text) {
        true => sql.extend_from_slice(text),
        false => column.literal(sql, text),
    }
}

fn is_number(column: &Column, text: &[u8]) -> bool {
    matches!(
        column.kind,
        column::ColumnKind::Integer { .. }
            | column::ColumnKind::Bool
            | column::ColumnKind::Decimal { .. }
    ) && !text.is_empty()
        && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'.'))
}
