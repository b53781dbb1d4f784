//! The text of a value to what it means, or the reason why it cannot be that. Pure.
//!
//! CSV has only text, and text it stays unless somebody said otherwise. Nothing is cut, rounded or
//! guessed here: a number keeps its exact words, and a value that does not fit rejects its record.

pub mod amount;
pub mod date;
mod decimal_comma;
pub mod number;

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::record::{ColumnType, Dates, ErrorType, Rows};

/// What a column of text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Int,
    Decimal,
    Float,
    Bool,
    Json,
}

impl Type {
    pub const ALL: [Type; 6] =
        [Type::Text, Type::Int, Type::Decimal, Type::Float, Type::Bool, Type::Json];

    pub fn as_str(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Int => "int",
            Type::Decimal => "decimal",
            Type::Float => "float",
            Type::Bool => "bool",
            Type::Json => "json",
        }
    }

    /// How the values of such a column are read. A time stays the text that it is.
    pub fn of(column_type: ColumnType) -> Type {
        match column_type {
            ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Base64 => Type::Text,
            ColumnType::Date | ColumnType::DateTime(_) | ColumnType::Time(_) => Type::Text,
            ColumnType::Int { .. } => Type::Int,
            ColumnType::Decimal { .. } => Type::Decimal,
            ColumnType::Double => Type::Float,
            ColumnType::Bool => Type::Bool,
            ColumnType::Json => Type::Json,
        }
    }

    fn fits(self, value: &[u8]) -> bool {
        match self {
            Type::Text => true,
            Type::Int => number::is_int(value),
            Type::Decimal => number::is_decimal(value),
            Type::Float => number::is_number(value),
            Type::Bool => parse_bool(value).is_some(),
            Type::Json => compact_json(value).is_ok(),
        }
    }
}

/// Whether types are guessed from a sample, where nobody says them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Infer {
    #[default]
    No,
    /// Values are what was guessed, or reject their record.
    Values,
    /// Only a table that is made is made of guesses.
    Columns,
}

/// What the user said about types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typing {
    pub declared: Vec<(String, Type)>,
    /// What columns are to be that are made for these.
    pub columns: Vec<(String, ColumnType)>,
    /// Those of the declared columns whose decimals have a comma.
    pub commas: Vec<String>,
    /// Columns of times, and how these are written. What a sink of text gets is the text.
    pub dates: Vec<(String, Dates)>,
    pub infer: Infer,
}

/// Why a value is not what its column holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit {
    pub error_type: ErrorType,
    pub reason: String,
}

/// How the values of a run's columns are understood.
#[derive(Clone, Debug)]
pub struct Values {
    columns: Vec<Column>,
    /// This text is NULL, in every column.
    null: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: Type,
    is_declared: bool,
    /// Its numbers have a decimal comma, and may have points between groups of three digits.
    has_comma: bool,
    /// Records that the type was guessed from; else 0.
    guessed_from: u64,
}

impl Values {
    pub fn text(columns: &[String], null: Option<String>) -> Values {
        let column = |name: &String| Column {
            name: name.clone(),
            kind: Type::Text,
            is_declared: false,
            has_comma: false,
            guessed_from: 0,
        };
        Values { columns: columns.iter().map(column).collect(), null: null.map(String::into_bytes) }
    }

    pub fn set(&mut self, declared: &[(String, Type)]) -> Result<()> {
        let mut columns: HashMap<String, &mut Column> = HashMap::with_capacity(self.columns.len());
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        for column in &mut self.columns {
            columns.insert(column.name.clone(), column);
        }
        let mut unknown = Vec::new();
        for (name, kind) in declared {
            let Some(column) = columns.get_mut(name) else {
                unknown.push(format!("'{}'", name.escape_debug()));
                continue;
            };
            column.kind = *kind;
            column.is_declared = true;
        }
        let which = match unknown.len() {
            0 => return Ok(()),
            1 => "which is no column",
            _ => "which are no columns",
        };
        Err(Error::config(format!("--types names {}, {which}", listed(&unknown))).help(format!(
            "the columns are {}, by the names of the source and not by those that --select gives",
            listed(&names)
        )))
    }

    /// Columns that were declared, and have a decimal comma.
    pub fn read_commas(&mut self, names: &[String]) {
        for column in self.columns.iter_mut().filter(|column| names.contains(&column.name)) {
            column.has_comma = true;
        }
    }

    /// The same for some of the columns, in this order.
    pub fn of(&self, names: &[String]) -> Values {
        let columns: HashMap<&str, &Column> =
            self.columns.iter().map(|column| (column.name.as_str(), column)).collect();
        let column = |name: &String| columns.get(name.as_str()).copied().cloned();
        let null = self.null.clone();
        Values { columns: names.iter().filter_map(column).collect(), null }
    }

    pub fn kinds(&self) -> impl Iterator<Item = (&str, Type)> {
        self.columns.iter().map(|column| (column.name.as_str(), column.kind))
    }

    /// Values can be stored without a look at each.
    pub fn are_all_plain_text(&self) -> bool {
        self.null.is_none() && self.columns.iter().all(|column| column.kind == Type::Text)
    }

    /// Stores a value, which is UTF-8, as its column's type.
    pub fn put(
        &self,
        column: usize,
        value: &[u8],
        rows: &mut Rows,
    ) -> std::result::Result<(), Unfit> {
        self.put_as_said(column, value, rows).map_err(|unfit| self.guessed(column, unfit))
    }

    fn put_as_said(
        &self,
        column: usize,
        value: &[u8],
        rows: &mut Rows,
    ) -> std::result::Result<(), Unfit> {
        if self.is_null(value) {
            rows.null();
            return Ok(());
        }
        let Column { kind, has_comma, .. } = self.columns[column];
        if kind != Type::Text && value.is_empty() {
            rows.null();
            return Ok(());
        }
        match kind {
            Type::Text => rows.text(value),
            Type::Decimal if has_comma => {
                rows.number(&decimal_comma::plain(value).ok_or_else(unfit_for_comma)?);
            }
            Type::Int | Type::Decimal | Type::Float => {
                if !kind.fits(value) {
                    return Err(match kind != Type::Int && has_decimal_comma(value) {
                        true => unfit_comma(),
                        false => unfit(kind),
                    });
                }
                rows.number(value);
            }
            Type::Bool => rows.bool(parse_bool(value).ok_or_else(|| unfit(kind))?),
            Type::Json => {
                let compact = compact_json(value).map_err(|cause| Unfit {
                    error_type: ErrorType::TypeMismatch,
                    reason: format!("not valid JSON: {cause}"),
                })?;
                rows.json(&compact);
            }
        }
        Ok(())
    }

    /// Takes guesses over for the columns whose type nobody declared, in the order of the columns.
    pub fn adopt(&mut self, guesses: impl Iterator<Item = Type>, records: u64) {
        for (column, kind) in self.columns.iter_mut().zip(guesses) {
            if !column.is_declared {
                column.kind = kind;
                column.guessed_from = records;
            }
        }
    }

    /// What a person is told of a value that is not what was guessed of its column.
    fn guessed(&self, column: usize, unfit: Unfit) -> Unfit {
        let Column { name, guessed_from, .. } = &self.columns[column];
        if *guessed_from == 0 {
            return unfit;
        }
        let reason = format!(
            "{}; its type was guessed from the first {guessed_from} records: say --types {name}=text, or what it is",
            unfit.reason
        );
        Unfit { reason, ..unfit }
    }

    pub fn is_null(&self, value: &[u8]) -> bool {
        self.null.as_deref() == Some(value)
    }
}

/// Names in a message; of very many the first.
pub fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

const NAMES_SHOWN: usize = 20;

fn unfit(kind: Type) -> Unfit {
    let reason = match kind {
        Type::Int => "not an int: digits with an optional minus, no leading zeros, no separators",
        Type::Decimal => "not a decimal: digits, a point and digits, no separators, no exponent",
        Type::Float => "not a number as JSON writes it",
        Type::Bool => "not a bool: true, false, 1 or 0",
        Type::Json => "not valid JSON",
        Type::Text => "not text",
    };
    Unfit { error_type: ErrorType::TypeMismatch, reason: reason.to_string() }
}

/// `1.234,50`: digits, points between them, and a comma.
fn has_decimal_comma(value: &[u8]) -> bool {
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_digit());
    let value = value.strip_prefix(b"-").unwrap_or(value);
    let mut parts = value.split(|&byte| byte == b',');
    let (Some(whole), Some(fraction), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    is_digits(fraction) && whole.split(|&byte| byte == b'.').all(is_digits)
}

fn unfit_comma() -> Unfit {
    let reason = "a number with a comma: --types COLUMN=decimal:comma reads it";
    Unfit { error_type: ErrorType::TypeMismatch, reason: reason.to_string() }
}

fn unfit_for_comma() -> Unfit {
    let reason = "not a decimal with a comma: digits, or groups of three with points between them, a comma and digits";
    Unfit { error_type: ErrorType::TypeMismatch, reason: reason.to_string() }
}

fn parse_bool(value: &[u8]) -> Option<bool> {
    match value {
        b"1" => Some(true),
        b"0" => Some(false),
        _ if value.eq_ignore_ascii_case(b"true") => Some(true),
        _ if value.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// A JSON value on one line, otherwise in its own words.
pub fn compact_json(value: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let text = std::str::from_utf8(value).map_err(|_| "not UTF-8".to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|cause| cause.to_string())?;
    Ok(without_line_ends(text.trim().as_bytes()))
}

/// In valid JSON a line end stands only between tokens, where any white space will do.
pub fn without_line_ends(json: &[u8]) -> Vec<u8> {
    json.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Shape, Value};

    fn put(kind: Type, null: Option<&str>, value: &str) -> std::result::Result<String, String> {
        let columns = vec!["a".to_string()];
        let mut values = Values::text(&columns, null.map(String::from));
        values.set(&[("a".to_string(), kind)]).unwrap();
        let mut rows = Rows::new(Shape::Columns(columns.into()));
        rows.begin(0, 0);
        values.put(0, value.as_bytes(), &mut rows).map_err(|unfit| unfit.reason)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(match rows.row(0).next().unwrap() {
            Value::Null => "NULL".to_string(),
            Value::Absent => "ABSENT".to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Text(bytes) => format!("'{}'", text(bytes)),
            Value::Number(bytes) | Value::Json(bytes) => text(bytes),
        })
    }

    #[test]
    fn values_keep_their_words_or_are_refused() {
        for (kind, value, expected) in [
            (Type::Text, "", Some("''")),
            (Type::Text, " 1 ", Some("' 1 '")),
            (Type::Int, "", Some("NULL")),
            (Type::Int, "-0", Some("-0")),
            (Type::Int, "12345678901234567890123", Some("12345678901234567890123")),
            (Type::Int, "007", None),
            (Type::Int, "1.0", None),
            (Type::Decimal, "0.10", Some("0.10")),
            (Type::Decimal, "1,234.5", None),
            (Type::Decimal, "1e3", None),
            (Type::Float, "1e3", Some("1e3")),
            (Type::Float, "NaN", None),
            (Type::Bool, "TRUE", Some("true")),
            (Type::Bool, "0", Some("false")),
            (Type::Bool, "yes", None),
            (Type::Json, "{\"a\": 1,\n \"b\":[1.50]}", Some("{\"a\": 1, \"b\":[1.50]}")),
            (Type::Json, "{\"a\":}", None),
        ] {
            let found = put(kind, None, value).ok();
            assert_eq!(found.as_deref(), expected, "{kind:?} {value:?}");
        }
    }

    #[test]
    fn the_null_text_is_null_everywhere() {
        assert_eq!(put(Type::Text, Some("\\N"), "\\N").unwrap(), "NULL");
        assert_eq!(put(Type::Text, Some(""), "").unwrap(), "NULL");
        assert_eq!(put(Type::Int, Some("-"), "-").unwrap(), "NULL");
        assert_eq!(put(Type::Text, Some("\\N"), "").unwrap(), "''");
    }

    #[test]
    fn a_guess_that_fails_says_so() {
        let mut values = Values::text(&["n".to_string()], None);
        values.adopt([Type::Int].into_iter(), 7);
        let mut rows = Rows::new(Shape::Columns(["n".to_string()].into()));
        let unfit = values.put(0, b"1.5", &mut rows).unwrap_err();
        assert!(unfit.reason.contains("guessed from the first 7 records: say --types n=text"));
    }

    #[test]
    fn a_declared_type_is_not_guessed_over() {
        let mut values = Values::text(&["zip".to_string()], None);
        values.set(&[("zip".to_string(), Type::Text)]).unwrap();
        values.adopt([Type::Int].into_iter(), 1);
        assert_eq!(values.kinds().next(), Some(("zip", Type::Text)));
    }
}
