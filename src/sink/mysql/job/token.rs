//! What a token says of its segment: its counts, and which rows were refused. Pure.
//!
//! It stands in the table `..._segments` and goes there in the transaction of the rows, so it is
//! there exactly when they are.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{Counts, ErrorType, Interval, Position};
use crate::sink::mysql::table_name::quoted_text;
use crate::sink::{Receipt, Refused};

/// Rows are explained in a token up to here, and no further than a part of what the server takes at
/// once. Of those beyond, it is said which they are.
const EXPLAINED_BYTES_MAX: usize = 256 << 10;
const EXPLAINED_PART: usize = 8;

/// Names of fields and quotes around one explained row.
const BESIDE_BYTES: usize = 80;

const NOT_EXPLAINED: &str = "the server refused it; the reason was not kept";

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredRefusal<'a> {
    Explained {
        row: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<Cow<'a, str>>,
        error_type: Cow<'a, str>,
        reason: Cow<'a, str>,
    },
    /// Rows from a first on, four to a digit, the first of them its highest bit: a digit of 1 for
    /// each that was refused.
    Others { from: usize, rows: Cow<'a, str> },
}

/// Refused rows as JSON, or none where there are none. At once the server takes `packet_bytes`.
pub fn refused_to_json(refused: &[Refused], packet_bytes: u64) -> Result<Option<String>> {
    if refused.is_empty() {
        return Ok(None);
    }
    let bytes_max = EXPLAINED_BYTES_MAX.min(packet_bytes as usize / EXPLAINED_PART);
    let mut bytes = 0;
    let mut is_explained = |one: &Refused| {
        bytes += BESIDE_BYTES + one.reason.len() + one.column.as_ref().map_or(0, String::len);
        bytes <= bytes_max
    };
    let explained = refused.iter().take_while(|one| is_explained(one)).count();
    let (explained, others) = refused.split_at(explained);
    let mut written: Vec<StoredRefusal<'_>> = explained
        .iter()
        .map(|one| StoredRefusal::Explained {
            row: one.row,
            column: one.column.as_deref().map(Into::into),
            error_type: one.error_type.as_str().into(),
            reason: one.reason.as_str().into(),
        })
        .collect();
    written.extend(others_written(others));
    serde_json::to_string(&written)
        .map(Some)
        .map_err(|cause| Error::internal("refused rows do not become JSON").because(cause))
}

pub fn refused_from_json(json: &str) -> Result<Vec<Refused>> {
    let written: Vec<StoredRefusal<'_>> = serde_json::from_str(json)
        .map_err(|cause| Error::internal("a token's refused rows cannot be read").because(cause))?;
    let mut refused = Vec::with_capacity(written.len());
    for one in written {
        match one {
            StoredRefusal::Explained { row, column, error_type, reason } => {
                let mut all = ErrorType::ALL.into_iter();
                let found = all.find(|one| one.as_str() == error_type);
                refused.push(Refused {
                    row,
                    column: column.map(Into::into),
                    error_type: found.unwrap_or(ErrorType::Other),
                    reason: reason.into(),
                });
            }
            StoredRefusal::Others { from, rows } => refused.extend(others_read(from, &rows)),
        }
    }
    Ok(refused)
}

fn others_written(others: &[Refused]) -> Option<StoredRefusal<'static>> {
    let from = others.iter().map(|one| one.row).min()?;
    let mut digits = Vec::new();
    for one in others {
        let at = one.row - from;
        if digits.len() <= at / 4 {
            digits.resize(at / 4 + 1, 0_u8);
        }
        digits[at / 4] |= 8 >> (at % 4);
    }
    let digits = digits.into_iter().filter_map(|digit| char::from_digit(digit.into(), 16));
    Some(StoredRefusal::Others { from, rows: digits.collect::<String>().into() })
}

fn others_read(from: usize, rows: &str) -> impl Iterator<Item = Refused> {
    let digits = rows.chars().enumerate();
    let rows = digits.flat_map(move |(index, digit)| {
        let digit = digit.to_digit(16).unwrap_or_default();
        let is_in = move |at: &usize| digit & (8 >> at) != 0;
        (0..4).filter(is_in).map(move |at| from + 4 * index + at)
    });
    rows.map(|row| Refused {
        row,
        column: None,
        error_type: ErrorType::Other,
        reason: NOT_EXPLAINED.to_string(),
    })
}

/// The columns that `values` gives, in this order.
pub const COLUMNS: &str = "split, position_from, position_to, \
    inserted, updated, duplicate, unchanged, bytes, refused";

pub fn values(interval: &Interval, receipt: &Receipt, packet_bytes: u64) -> Result<String> {
    let Counts { inserted, updated, duplicate, unchanged, .. } = receipt.counts;
    let Interval { split, from, to } = interval;
    let where_it_is = format!("{split}, {}, {}", position(from), position(to));
    let refused = refused_to_json(&receipt.refused, packet_bytes)?;
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

    const PACKET: u64 = 64 << 20;

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
        assert_eq!(refused_to_json(&[], PACKET).unwrap(), None);
        let two = [one(3, "foreign key 'k' (1452)"), one(9, "")];
        let json = refused_to_json(&two, PACKET).unwrap().unwrap();
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
        let long = "x".repeat(EXPLAINED_BYTES_MAX - 100);
        let json = refused_to_json(&[one(1, &long), one(2, &long)], PACKET).unwrap().unwrap();
        assert!(json.len() < EXPLAINED_BYTES_MAX + 100);
        let back = refused_from_json(&json).unwrap();
        assert_eq!((back[1].row, back[1].reason.as_str()), (2, NOT_EXPLAINED));
        assert_eq!((&back[1].column, back[1].error_type), (&None, ErrorType::Other));

        for (step, packet) in [(1, PACKET), (2, PACKET), (7, 1 << 20), (1, 1 << 20)] {
            let rows: Vec<usize> = (5..100_000).step_by(step).collect();
            let many: Vec<Refused> = rows.iter().map(|row| one(*row, "a reason")).collect();
            let json = refused_to_json(&many, packet).unwrap().unwrap();
            let limit = EXPLAINED_BYTES_MAX.min(packet as usize / EXPLAINED_PART);
            assert!(json.len() < limit + 100_000 / 4 + 100, "{}", json.len());
            let back = refused_from_json(&json).unwrap();
            assert_eq!(back.iter().map(|one| one.row).collect::<Vec<_>>(), rows);
            assert_eq!(back[0].reason, "a reason");
        }
    }

    #[test]
    fn a_token_says_where_and_how_many() {
        let counts =
            Counts { inserted: 1, updated: 2, duplicate: 3, unchanged: 4, ..Counts::default() };
        let receipt = Receipt { counts, bytes_written: 5, refused: Vec::new() };
        let interval = Interval::bytes(7, 0, 99);
        assert_eq!(
            values(&interval, &receipt, PACKET).unwrap(),
            "7, 'byte 0', 'byte 99', 1, 2, 3, 4, 5, NULL"
        );
        let key = Position::Key(b"[1]".as_slice().into());
        let interval = Interval { split: 0, from: Position::Byte(0), to: key };
        assert_eq!(
            values(&interval, &receipt, PACKET).unwrap(),
            "0, 'byte 0', x'5b315d', 1, 2, 3, 4, 5, NULL"
        );
    }
}
