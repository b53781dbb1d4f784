//! What a token says of its segment: its counts, and which rows were refused. Pure.
//!
//! It stands in the table `..._segments` and goes there in the transaction of the rows, so it is
//! there exactly when they are.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{Counts, ErrorType, Interval, Position};
use crate::sink::mysql::table_name::quoted_text;
use crate::sink::{Receipt, Refused};

/// Reasons take part in a token up to here. Rows beyond are named and not explained.
const REASONS_BYTES_MAX: usize = 256 << 10;

const NOT_EXPLAINED: &str = "the server refused it; the reason was not kept";

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    row: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<std::borrow::Cow<'a, str>>,
    /// Absent where the reason was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_type: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<std::borrow::Cow<'a, str>>,
}

/// Refused rows as JSON, or none where there are none.
pub fn refused_to_json(refused: &[Refused]) -> Result<Option<String>> {
    if refused.is_empty() {
        return Ok(None);
    }
    let mut bytes = 0;
    let mut written = Vec::with_capacity(refused.len());
    for one in refused {
        bytes += one.reason.len() + one.column.as_ref().map_or(0, String::len);
        let is_explained = bytes <= REASONS_BYTES_MAX;
        written.push(Written {
            row: one.row,
            column: one.column.as_deref().filter(|_| is_explained).map(Into::into),
            error_type: is_explained.then(|| one.error_type.as_str().into()),
            reason: is_explained.then(|| one.reason.as_str().into()),
        });
    }
    serde_json::to_string(&written)
        .map(Some)
        .map_err(|cause| Error::internal("refused rows do not become JSON").because(cause))
}

pub fn refused_from_json(json: &str) -> Result<Vec<Refused>> {
    let written: Vec<Written<'_>> = serde_json::from_str(json)
        .map_err(|cause| Error::internal("a token's refused rows cannot be read").because(cause))?;
    Ok(written.into_iter().map(refused).collect())
}

fn refused(written: Written<'_>) -> Refused {
    let name = written.error_type.as_deref().unwrap_or_default();
    let error_type = ErrorType::ALL.into_iter().find(|error_type| error_type.as_str() == name);
    Refused {
        row: written.row,
        column: written.column.map(Into::into),
        error_type: error_type.unwrap_or(ErrorType::Other),
        reason: written.reason.map_or(NOT_EXPLAINED.to_string(), Into::into),
    }
}

/// The columns that `values` gives, in this order.
pub const COLUMNS: &str = "split, position_from, position_to, \
    inserted, updated, duplicate, unchanged, bytes, refused";

pub fn values(interval: Option<&Interval>, receipt: &Receipt) -> Result<String> {
    let Counts { inserted, updated, duplicate, unchanged, .. } = receipt.counts;
    let where_it_is = match interval {
        Some(Interval { split, from, to }) => {
            format!("{split}, {}, {}", position(from), position(to))
        }
        None => "NULL, NULL, NULL".to_string(),
    };
    let refused = refused_to_json(&receipt.refused)?;
    let refused = refused.map_or("NULL".to_string(), |json| quoted_text(&json));
    Ok(format!(
        "{where_it_is}, {inserted}, {updated}, {duplicate}, {unchanged}, {}, {refused}",
        receipt.bytes_written
    ))
}

/// A byte offset as `byte 17`, a server's sort key in its own words. Those are JSON arrays, so the
/// two cannot be taken for one another.
fn position(position: &Position) -> String {
    match position {
        Position::Byte(byte) => format!("'byte {byte}'"),
        Position::Key(key) => {
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(row: usize, reason: &str) -> Refused {
        Refused {
            row,
            column: Some("a\"b".to_string()),
            error_type: ErrorType::Constraint,
            reason: reason.to_string(),
        }
    }

    #[test]
    fn refused_rows_are_read_back() {
        assert_eq!(refused_to_json(&[]).unwrap(), None);
        let json =
            refused_to_json(&[one(3, "foreign key 'k' (1452)"), one(9, "")]).unwrap().unwrap();
        let back = refused_from_json(&json).unwrap();
        assert_eq!(back.len(), 2);
        assert_eq!((back[0].row, back[0].error_type), (3, ErrorType::Constraint));
        assert_eq!(back[0].column.as_deref(), Some("a\"b"));
        assert_eq!(back[0].reason, "foreign key 'k' (1452)");
        assert_eq!(back[1].row, 9);
        assert!(refused_from_json("[").is_err());
    }

    #[test]
    fn what_a_token_can_hold_has_a_limit_and_rows_are_still_named() {
        let long = "x".repeat(REASONS_BYTES_MAX - 10);
        let json = refused_to_json(&[one(1, &long), one(2, &long)]).unwrap().unwrap();
        assert!(json.len() < REASONS_BYTES_MAX + 100);
        let back = refused_from_json(&json).unwrap();
        assert_eq!((back[1].row, back[1].reason.as_str()), (2, NOT_EXPLAINED));
        assert_eq!((&back[1].column, back[1].error_type), (&None, ErrorType::Other));
    }

    #[test]
    fn a_token_says_where_and_how_many() {
        let counts =
            Counts { inserted: 1, updated: 2, duplicate: 3, unchanged: 4, ..Counts::default() };
        let receipt = Receipt { counts, bytes_written: 5, refused: Vec::new() };
        let interval = Interval::bytes(7, 0, 99);
        assert_eq!(
            values(Some(&interval), &receipt).unwrap(),
            "7, 'byte 0', 'byte 99', 1, 2, 3, 4, 5, NULL"
        );
        let key = Position::Key(b"[1]".as_slice().into());
        let interval = Interval { split: 0, from: Position::Byte(0), to: key };
        assert_eq!(
            values(Some(&interval), &receipt).unwrap(),
            "0, 'byte 0', x'5b315d', 1, 2, 3, 4, 5, NULL"
        );
        assert!(values(None, &receipt).unwrap().starts_with("NULL, NULL, NULL, 1"));
    }
}
