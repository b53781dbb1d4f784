//! What a mapping says of a field, held against the values that documents have. Elasticsearch keeps a
//! document as it was sent: a field that is a keyword may be an array, a long may be "12" or 1.7, and
//! what is malformed is kept where the mapping says so.

use super::choice::{decimal, of_numbers};
use super::numbers::Numbers;
use super::shape::Shape;
use crate::record::{ColumnType, FieldKind};

/// How the values of a field of dates were read, by its format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dated {
    /// Some value is no date.
    pub has_others: bool,
    /// The most digits of a second.
    pub fraction: u8,
}

/// The type that a column needs to take all values, and what they are that the mapping does not say;
/// none where they are what it says.
pub fn widened(kind: FieldKind, shape: &Shape, dated: Dated) -> Option<(ColumnType, &'static str)> {
    match kind {
        FieldKind::Unknown | FieldKind::Json => None,
        _ if shape.has_json => Some((ColumnType::Json, "arrays or objects")),
        FieldKind::Text => None,
        FieldKind::Keyword(characters) => (shape.characters() > u64::from(characters))
            .then_some((ColumnType::Text, "longer texts")),
        FieldKind::Bool => {
            let is_bool = shape.texts.is_none_or(|texts| texts.all.bool);
            (!is_bool || shape.numbers.is_some()).then_some((ColumnType::Text, "other values"))
        }
        FieldKind::Base64 => {
            let has_others = shape.numbers.is_some() || shape.has_bools;
            has_others.then_some((ColumnType::Text, "other values"))
        }
        FieldKind::Time if dated.has_others || shape.has_bools => {
            Some((ColumnType::Text, "values that are no dates by its format"))
        }
        // The seventh digit would have to go.
        FieldKind::Time if dated.fraction > 6 => {
            Some((ColumnType::Text, "times of more than 6 digits of a second"))
        }
        FieldKind::Time => (dated.fraction > 3)
            .then_some((ColumnType::DateTime(6), "times of more than 3 digits of a second")),
        FieldKind::Int(_) | FieldKind::Unsigned(_) | FieldKind::Decimal | FieldKind::Float(_) => {
            widened_number(kind, shape)
        }
    }
}

fn widened_number(kind: FieldKind, shape: &Shape) -> Option<(ColumnType, &'static str)> {
    let texts = shape.texts;
    if shape.has_bools || texts.is_some_and(|texts| !texts.all.amount) {
        return Some((ColumnType::Text, "values that are no numbers"));
    }
    let numbers = texts.map_or(Numbers::NONE, |texts| texts.numbers);
    let numbers = numbers.join(shape.numbers.unwrap_or(Numbers::NONE));
    let fits = match kind {
        FieldKind::Int(bits) if bits <= 64 => numbers.fit(bits, false),
        FieldKind::Unsigned(bits) if bits <= 64 => numbers.fit(bits, true),
        FieldKind::Float(_) => numbers.are_doubles,
        FieldKind::Decimal => decimal(&numbers) == Some(ColumnType::DECIMAL),
        _ => numbers.fraction == 0 && numbers.whole <= 65,
    };
    if fits {
        return None;
    }
    match kind {
        FieldKind::Float(_) => Some((
            decimal(&numbers).unwrap_or(ColumnType::Text),
            "numbers of more digits than a double keeps",
        )),
        _ if numbers.fraction > 0 => {
            let numbers = Numbers { has_point: true, ..numbers };
            Some((of_numbers(&numbers), "numbers with digits behind the point"))
        }
        // 5.0 is a whole number.
        _ => {
            let numbers = Numbers { has_point: false, ..numbers };
            Some((of_numbers(&numbers), "larger numbers"))
        }
    }
}
