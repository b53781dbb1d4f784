//! What bytes a value becomes in a column, or why it does not fit.
//!
//! The server rounds, cuts, wraps and replaces, some of it with a note and some without a word.
//! So it is only given what it stores as it is: each value is held against its column here, written
//! in one canonical form, or refused with the limit it broke. Reasons never hold the value itself.

mod binary;
mod decimal;
mod float;
mod integer;
mod json;
mod json_number;
mod members;
mod moment;
mod network;
mod temporal;
mod text;

#[cfg(test)]
mod tests;

use super::column::{Column, ColumnKind};
use super::rules::{self, BinaryText, JsonDoubles, Rules, TextOrigin, Times};
use crate::convert::{Unfit, number};
use crate::record::{ErrorType, Value};

/// What the server is to be given for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The bytes that were appended.
    Text,
    /// The same, and so many numbers in it MySQL makes others of.
    NearText(u64),
    Null,
    /// The record says nothing: `DEFAULT`, or whatever the plan makes of it.
    Default,
}

impl Column {
    /// Appends the bytes that the server is to be given for a value, unescaped. When it does not
    /// fit, or is not written as bytes, nothing is appended.
    pub fn put(&self, value: Value<'_>, rules: &Rules, out: &mut Vec<u8>) -> Result<Put, Unfit> {
        let start = out.len();
        let result = match value {
            Value::Absent => return Ok(Put::Default),
            _ if self.is_generated => Err(unfit(
                ErrorType::TypeMismatch,
                "a value for a column that the server generates",
            )),
            Value::Null => self.null(),
            _ if self.guess.is_some() && !self.is_written_as_guessed(value) => Err(unfit(
                ErrorType::TypeMismatch,
                "written in another way than the values that the column's type was guessed from",
            )),
            Value::Text(text) => self.put_text(text, rules.text, rules, out),
            Value::Number(number) => self.put_number(number, rules, out),
            Value::Bool(value) => self.put_bool(value, rules, out),
            Value::Json(json) => self.put_json(json, rules, out),
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// A guess goes by how values are written, and takes no others: `007` may be a code, and 2 is no bool.
    fn is_written_as_guessed(&self, value: Value<'_>) -> bool {
        match (&self.kind, value) {
            (_, Value::Text(b"")) => true,
            (ColumnKind::Bool, Value::Text(text)) => {
                text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false")
            }
            (ColumnKind::Bool, Value::Number(_)) => false,
            (ColumnKind::Integer { .. }, Value::Text(text)) => number::is_int(text),
            (ColumnKind::Decimal { .. } | ColumnKind::Float { .. }, Value::Text(text)) => {
                number::is_number(text)
            }
            (
                ColumnKind::Integer { .. } | ColumnKind::Decimal { .. } | ColumnKind::Float { .. },
                Value::Bool(_),
            ) => false,
            _ => true,
        }
    }

    fn json(&self, rules: &Rules) -> json::JsonServer {
        let is_near = rules.json_doubles == JsonDoubles::Nearest;
        json::JsonServer { is_mariadb: self.is_mariadb, is_near }
    }

    /// Appends JSON that was checked. Text that MariaDB checks to be JSON has a character set.
    fn put_document(&self, json: &[u8], near: u64, out: &mut Vec<u8>) -> Result<Put, Unfit> {
        if let Some(charset) = self.charset() {
            text::bytes(json, charset)?;
        }
        out.extend_from_slice(json);
        Ok(if near == 0 { Put::Text } else { Put::NearText(near) })
    }

    /// A default is for rows that do not say anything; NULL is something.
    fn null(&self) -> Result<Put, Unfit> {
        match self.is_nullable && !self.is_auto_increment {
            true => Ok(Put::Null),
            false => Err(unfit(ErrorType::Null, "null, and the column is NOT NULL")),
        }
    }

    fn put_text(
        &self,
        text: &[u8],
        origin: TextOrigin,
        rules: &Rules,
        out: &mut Vec<u8>,
    ) -> Result<Put, Unfit> {
        if text.is_empty() && origin == TextOrigin::Untyped && !self.takes_empty_text() {
            return match self.null() {
                Ok(put) => Ok(put),
                Err(_) => Err(unfit(ErrorType::Null, "empty, and the column is NOT NULL")),
            };
        }
        match &self.kind {
            ColumnKind::Json { charset } if origin == TextOrigin::Typed => {
                text::bytes(text, charset)?;
                json::put_string(text, out);
            }
            ColumnKind::Json { .. } => {
                let near = self.json(rules).check_text(text)?;
                return self.put_document(text, near, out);
            }
            ColumnKind::Bool if text.eq_ignore_ascii_case(b"true") => integer::put_bool(true, out),
            ColumnKind::Bool if text.eq_ignore_ascii_case(b"false") => {
                integer::put_bool(false, out)
            }
            ColumnKind::Binary { bytes_max, is_fixed } => {
                binary::put(text, rules.binary, *bytes_max, *is_fixed, out)?;
            }
            _ => self.put_words(text, false, rules, out)?,
        }
        Ok(Put::Text)
    }

    fn put_number(&self, number: &[u8], rules: &Rules, out: &mut Vec<u8>) -> Result<Put, Unfit> {
        match &self.kind {
            ColumnKind::Json { .. } => {
                let near = self.json(rules).check(number)?;
                return self.put_document(number, near, out);
            }
            ColumnKind::Binary { bytes_max, is_fixed } if rules.binary == BinaryText::Raw => {
                binary::put(number, BinaryText::Raw, *bytes_max, *is_fixed, out)?;
            }
            ColumnKind::Binary { .. } => return Err(mismatch("a number")),
            ColumnKind::Time { .. } if !matches!(rules.times, Times::By(_)) => {
                return Err(mismatch("a number"));
            }
            _ => self.put_words(number, true, rules, out)?,
        }
        Ok(Put::Text)
    }

    fn put_bool(&self, value: bool, rules: &Rules, out: &mut Vec<u8>) -> Result<Put, Unfit> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        let digit: &[u8] = if value { b"1" } else { b"0" };
        match &self.kind {
            ColumnKind::Bool | ColumnKind::Integer { .. } | ColumnKind::Bit { .. } => {
                self.put_words(digit, false, rules, out)?;
            }
            ColumnKind::Text(_) | ColumnKind::Enum(_) | ColumnKind::Set(_) => {
                self.put_words(word, false, rules, out)?;
            }
            ColumnKind::Json { .. } => out.extend_from_slice(word),
            _ => return Err(mismatch("a boolean")),
        }
        Ok(Put::Text)
    }

    fn put_json(&self, json: &[u8], rules: &Rules, out: &mut Vec<u8>) -> Result<Put, Unfit> {
        if let ColumnKind::Json { .. } = self.kind {
            let near = self.json(rules).check(json)?;
            return self.put_document(json, near, out);
        }
        let json = json.trim_ascii();
        let not_valid = |_| unfit(ErrorType::TypeMismatch, "not valid JSON");
        match (json.first(), &self.kind) {
            (Some(b'['), ColumnKind::Set(members)) => {
                let names: Vec<String> = serde_json::from_slice(json).map_err(|_| {
                    unfit(ErrorType::TypeMismatch, "an array of other things than text")
                })?;
                members::put_set(names.iter().map(String::as_bytes), members, out)?;
                Ok(Put::Text)
            }
            (Some(b'[' | b'{'), ColumnKind::Text(column)) if rules.json_as_text => {
                text::put(json, column, out)?;
                Ok(Put::Text)
            }
            (Some(b'['), _) => Err(unfit(
                ErrorType::TypeMismatch,
                "an array, and the column is not JSON; make it a JSON column, or a TEXT column with \
                 --json-as-text",
            )),
            (Some(b'{'), _) => Err(unfit(
                ErrorType::TypeMismatch,
                "an object, and the column is not JSON; make it a JSON column, or use --flatten or \
                 --json-as-text",
            )),
            (Some(b'"'), _) => {
                let text: String = serde_json::from_slice(json).map_err(not_valid)?;
                self.put_text(text.as_bytes(), TextOrigin::Typed, rules, out)
            }
            (Some(b't'), _) => self.put_bool(true, rules, out),
            (Some(b'f'), _) => self.put_bool(false, rules, out),
            (Some(b'n'), _) => self.null(),
            _ => self.put_number(json, rules, out),
        }
    }

    /// For all kinds to which a number is a text as any other, but for times.
    fn put_words(
        &self,
        text: &[u8],
        is_number: bool,
        rules: &Rules,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        let rule = rules.fraction;
        match &self.kind {
            ColumnKind::Integer { bits, is_unsigned } => {
                integer::put(text, *bits, *is_unsigned, out)
            }
            ColumnKind::Text(column) => text::put(text, column, out),
            ColumnKind::Bool => integer::put(text, 8, false, out),
            ColumnKind::Decimal { digits, is_unsigned } => {
                decimal::put(text, *digits, *is_unsigned, rule, out)
            }
            ColumnKind::Float { bits, digits, is_unsigned } => {
                float::put(text, *bits, *digits, *is_unsigned, rule, out)
            }
            ColumnKind::Date => temporal::put_date(text, is_number, rules, out),
            ColumnKind::DateTime { fraction } => {
                let offsets = self.guess.as_ref().and_then(|guess| guess.offsets);
                temporal::put_datetime(text, is_number, *fraction, offsets, rules, out)
            }
            ColumnKind::Timestamp { fraction, seconds_max } => {
                temporal::put_timestamp(text, is_number, *fraction, *seconds_max, rules, out)
            }
            ColumnKind::Time { fraction } => {
                temporal::put_time(text, *fraction, self.is_mariadb, rules, out)
            }
            ColumnKind::Bit { bits } => integer::put_bits(text, *bits, out),
            ColumnKind::Year => integer::put_year(text, out),
            ColumnKind::Enum(members) => members::put_one(text, members, out),
            ColumnKind::Set(members) => members::put_set(members::listed(text), members, out),
            ColumnKind::Uuid => network::put_uuid(text, out),
            ColumnKind::Inet4 => network::put_inet4(text, out),
            ColumnKind::Inet6 => network::put_inet6(text, out),
            ColumnKind::Json { .. } | ColumnKind::Binary { .. } => Err(mismatch("a plain word")),
            ColumnKind::Unsupported(name) => Err(unfit(
                ErrorType::TypeMismatch,
                format!("the column is of type {name}, which cannot be written"),
            )),
        }
    }

    /// An empty field of CSV is text where there is such a text, and otherwise nothing.
    fn takes_empty_text(&self) -> bool {
        match &self.kind {
            ColumnKind::Text(_)
            | ColumnKind::Set(_)
            | ColumnKind::Binary { is_fixed: false, .. } => true,
            ColumnKind::Enum(members) => members.find(b"").is_some(),
            _ => false,
        }
    }
}

fn unfit(error_type: ErrorType, reason: impl Into<String>) -> Unfit {
    Unfit { error_type, reason: reason.into() }
}

fn out_of_range(reason: impl Into<String>) -> Unfit {
    unfit(ErrorType::OutOfRange, reason)
}

fn too_large(reason: impl Into<String>) -> Unfit {
    unfit(ErrorType::TooLarge, reason)
}

fn mismatch(what: &str) -> Unfit {
    unfit(ErrorType::TypeMismatch, format!("{what}, which the column's type does not take"))
}
