//! The type of a column that takes the values of a shape.
//!
//! The rule is to take all that was seen, and then as much as costs nothing: a text has no limit, an
//! integer 64 bits, a time six digits of a second. Only of numbers with a point there is something to
//! weigh. DECIMAL is exact and sums well, but ends somewhere; DOUBLE takes every number that a program
//! computed, and not one with more digits than it has. So short ones are DECIMAL(40,20), which takes a
//! later 0.30000000000000004 as well, and those that look computed - an exponent, more than 15 digits -
//! are DOUBLE where that keeps each of them.

use super::numbers::Numbers;
use super::shape::{Shape, Texts};
use crate::record::ColumnType;

/// What the values of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Text and nothing else, as in CSV. Nothing is where there is no text.
    Text,
    /// JSON, in which `"1"` is no number.
    Json,
}

/// Decimal digits that every double has.
const DOUBLE_DIGITS: u64 = 15;

/// None where nothing was seen.
pub fn column_type(shape: &Shape, origin: Origin) -> Option<ColumnType> {
    Some(match (shape.texts, shape.numbers, shape.has_bools, shape.has_json) {
        (_, _, _, true) => ColumnType::Json,
        (Some(texts), None, false, false) => of_texts(&texts, origin),
        (None, Some(numbers), false, false) => of_numbers(&numbers),
        (None, None, true, false) => ColumnType::Bool,
        (None, None, false, false) => return None,
        // A column of JSON would keep them apart, and be worse to ask.
        _ => ColumnType::Text,
    })
}

fn of_texts(texts: &Texts, origin: Origin) -> ColumnType {
    let all = texts.all;
    match origin {
        Origin::Text if all.number => of_numbers(&texts.numbers),
        Origin::Text if all.bool => ColumnType::Bool,
        _ if all.day => ColumnType::Date,
        _ if all.clock || all.point => ColumnType::DateTime(6),
        _ if all.time_of_day => ColumnType::Time(6),
        _ => ColumnType::Text,
    }
}

/// Types for a column that turned out not to take a value, the best first.
pub fn remedies(shape: &Shape) -> Vec<ColumnType> {
    let mut remedies = Vec::new();
    // `007` is an amount, and may be a code.
    let is_number = shape.texts.is_none_or(|texts| texts.all.number);
    let numbers = shape.numbers.or(shape.texts.map(|texts| texts.numbers));
    if let Some(numbers) = numbers.filter(|_| is_number) {
        remedies.push(of_numbers(&Numbers { has_point: true, ..numbers }));
        if numbers.are_doubles {
            remedies.push(ColumnType::Double);
        }
        remedies.extend(decimal(&numbers));
    }
    remedies.push(if shape.has_json { ColumnType::Json } else { ColumnType::Text });
    remedies
}

pub(super) fn of_numbers(numbers: &Numbers) -> ColumnType {
    if !numbers.has_point {
        return match numbers {
            _ if numbers.fit(64, false) => ColumnType::Int { is_unsigned: false },
            _ if numbers.fit(64, true) => ColumnType::Int { is_unsigned: true },
            _ if numbers.whole <= 65 => ColumnType::Decimal { digits: 65, fraction: 0 },
            _ => ColumnType::Text,
        };
    }
    let looks_computed = numbers.has_exponent || numbers.stated > DOUBLE_DIGITS;
    if looks_computed && numbers.are_doubles {
        return ColumnType::Double;
    }
    match decimal(numbers) {
        Some(decimal) => decimal,
        None if numbers.are_doubles => ColumnType::Double,
        None => ColumnType::Text,
    }
}

/// The usual one, or else the widest.
pub(super) fn decimal(numbers: &Numbers) -> Option<ColumnType> {
    [ColumnType::DECIMAL, ColumnType::WIDE_DECIMAL].into_iter().find(|decimal| match decimal {
        ColumnType::Decimal { digits, fraction } => {
            numbers.whole <= u64::from(digits - fraction)
                && numbers.fraction <= u64::from(*fraction)
        }
        _ => false,
    })
}
