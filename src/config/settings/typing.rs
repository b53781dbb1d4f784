//! What `--types` says of columns and fields.

use std::collections::HashSet;

use super::SinkSettings;
use crate::config::option_reader::OptionReader;
use crate::convert::date::DateFormat;
use crate::convert::{Infer, Type, Typing};
use crate::record::{ColumnType, Dates, EpochUnit};

#[derive(Debug, PartialEq)]
enum Meant {
    Column(ColumnType),
    /// The same for numbers that have a decimal comma.
    WithComma(ColumnType),
    Dates(Dates),
}

/// What was said of the fields of documents.
#[derive(Debug, Default)]
pub struct DocumentTypes {
    pub dates: Vec<(String, Dates)>,
    pub columns: Vec<(String, ColumnType)>,
}

impl OptionReader<'_> {
    /// For columns of text.
    pub fn typing(&mut self, sink: Option<&SinkSettings>) -> Typing {
        let infer = match (self.switch("infer"), sink) {
            (false, _) => Infer::No,
            (true, Some(SinkSettings::Mysql(_))) => Infer::Columns,
            (true, _) => Infer::Values,
        };
        let is_file = matches!(sink, Some(SinkSettings::File(_)));
        let mut typing = Typing { infer, ..Typing::default() };
        for (column, meant) in self.types() {
            match meant {
                Meant::Column(column_type) if is_for_tables(column_type) && is_file => {
                    let more = match column_type {
                        ColumnType::Base64 => "",
                        _ => ", whose format date:PATTERN says",
                    };
                    let why = format!(
                        "'{column}={column_type}' is for tables: a file gets the text as it is{more}"
                    );
                    self.wrong("types", &why);
                }
                Meant::Column(column_type) => {
                    typing.declared.push((column.clone(), Type::of(column_type)));
                    typing.columns.push((column, column_type));
                }
                Meant::WithComma(column_type) => {
                    typing.commas.push(column.clone());
                    typing.declared.push((column.clone(), Type::of(column_type)));
                    typing.columns.push((column, column_type));
                }
                Meant::Dates(dates) => typing.dates.push((column, dates)),
            }
        }
        typing
    }

    /// For fields of documents, which say themselves what they are: a type says what a table is to have
    /// for one, and a format of dates what a text means.
    pub fn document_types(&mut self, sink: Option<&SinkSettings>) -> DocumentTypes {
        let mut types = DocumentTypes::default();
        for (field, meant) in self.types() {
            match (meant, sink) {
                (Meant::Dates(meant), _) => types.dates.push((field, meant)),
                (Meant::WithComma(_), _) => {
                    let why = format!(
                        "'{field}=decimal:comma' is for CSV: numbers of documents have a point"
                    );
                    self.wrong("types", &why);
                }
                (Meant::Column(column_type), Some(SinkSettings::File(_))) => {
                    let why = format!(
                        "'{field}={column_type}' is for CSV and for tables: documents are copied as they are; of their dates, write date:PATTERN, epoch_s or epoch_ms"
                    );
                    self.wrong("types", &why);
                }
                (Meant::Column(column_type), _) => types.columns.push((field, column_type)),
            }
        }
        types
    }

    fn types(&mut self) -> Vec<(String, Meant)> {
        let mut types: Vec<(String, Meant)> = Vec::new();
        let mut named = HashSet::new();
        for text in self.list("types").unwrap_or_default() {
            match parsed(&text) {
                Ok((column, _)) if !named.insert(column.to_string()) => {
                    self.wrong("types", &format!("'{column}' is named twice"));
                }
                Ok((column, meant)) => types.push((column.to_string(), meant)),
                Err(why) => self.wrong("types", &format!("'{text}' {why}")),
            }
        }
        types
    }
}

fn is_for_tables(column_type: ColumnType) -> bool {
    use ColumnType::{Base64, Date, DateTime, Time};
    matches!(column_type, Date | DateTime(_) | Time(_) | Base64)
}

/// A pattern may hold an equals sign, and the name of a column as well.
fn parsed(text: &str) -> Result<(&str, Meant), String> {
    match text.split_once("=date:") {
        Some((column, pattern)) => dates_of(pattern).map(|dates| (column, Meant::Dates(dates))),
        None => plain(text),
    }
}

fn plain(text: &str) -> Result<(&str, Meant), String> {
    let known = |kind: &str| {
        let kind = kind.trim();
        if let Some(kind) = kind.strip_suffix(":comma") {
            let is_decimal = |kind: &ColumnType| matches!(kind, ColumnType::Decimal { .. });
            return column_type(kind).filter(is_decimal).map(Meant::WithComma);
        }
        match count_of(kind) {
            Some(unit) => Some(Meant::Dates(unit)),
            None => column_type(kind).map(Meant::Column),
        }
    };
    text.rsplit_once('=')
        .and_then(|(column, kind)| Some((column, known(kind)?)))
        .ok_or_else(|| format!("is not COL=TYPE with one of {TYPES}"))
}

const TYPES: &str = "text, varchar(N), int, int unsigned, decimal, decimal(DIGITS,FRACTION), decimal:comma, float, bool, json, base64, date, datetime(N), time(N), epoch_s, epoch_ms, date:PATTERN";

/// As servers write them, and in shorter words.
fn column_type(text: &str) -> Option<ColumnType> {
    let text = text.to_ascii_lowercase();
    let (name, numbers) = match text.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.strip_suffix(')')?),
        None => (text.as_str(), ""),
    };
    let numbers: Vec<u32> = numbers
        .split(',')
        .map(str::trim)
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let words: Vec<&str> = name.split_whitespace().collect();
    Some(match (&words[..], &numbers[..]) {
        (["text"], []) => ColumnType::Text,
        (["varchar"], [characters @ 1..=16_383]) => ColumnType::Varchar(*characters),
        (["int" | "bigint"], []) => ColumnType::Int { is_unsigned: false },
        (["int" | "bigint", "unsigned"], []) => ColumnType::Int { is_unsigned: true },
        (["decimal"], []) => ColumnType::DECIMAL,
        (["decimal"], [digits @ 1..=65]) => {
            ColumnType::Decimal { digits: *digits as u8, fraction: 0 }
        }
        (["decimal"], [digits @ 1..=65, fraction @ 0..=30]) if fraction <= digits => {
            ColumnType::Decimal { digits: *digits as u8, fraction: *fraction as u8 }
        }
        (["float" | "double"], []) => ColumnType::Double,
        (["bool" | "boolean"], []) => ColumnType::Bool,
        (["json"], []) => ColumnType::Json,
        (["base64"], []) => ColumnType::Base64,
        (["date"], []) => ColumnType::Date,
        (["datetime"], []) => ColumnType::DateTime(6),
        (["datetime"], [digits @ 0..=6]) => ColumnType::DateTime(*digits as u8),
        (["time"], []) => ColumnType::Time(6),
        (["time"], [digits @ 0..=6]) => ColumnType::Time(*digits as u8),
        _ => return None,
    })
}

fn dates_of(pattern: &str) -> Result<Dates, String> {
    if let Some(count) = count_of(pattern.trim()) {
        return Ok(count);
    }
    match DateFormat::parse(pattern, None) {
        Ok(_) => Ok(Dates::format(pattern.trim())),
        Err(what) => {
            Err(format!("has {what}, which is not read; docs/elasticsearch.md lists what is"))
        }
    }
}

fn count_of(name: &str) -> Option<Dates> {
    match name {
        "epoch_s" => Some(Dates::Count(EpochUnit::Seconds)),
        "epoch_ms" => Some(Dates::Count(EpochUnit::Milliseconds)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_what_it_is_are_parted_where_a_pattern_may_hold_the_same_sign() {
        let dates = |dates| Some(Meant::Dates(dates));
        let column = |column_type| Some(Meant::Column(column_type));
        for (text, name, expected) in [
            ("a=int", "a", column(ColumnType::Int { is_unsigned: false })),
            ("a=bigint unsigned", "a", column(ColumnType::Int { is_unsigned: true })),
            ("a=DECIMAL(12, 2)", "a", column(ColumnType::Decimal { digits: 12, fraction: 2 })),
            ("a=decimal(2,3)", "", None),
            ("a=decimal:comma", "a", Some(Meant::WithComma(ColumnType::DECIMAL))),
            (
                "a=decimal(12,2):comma",
                "a",
                Some(Meant::WithComma(ColumnType::Decimal { digits: 12, fraction: 2 })),
            ),
            ("a=int:comma", "", None),
            ("a=decimal(2,3):comma", "", None),
            ("a=decimal(66)", "", None),
            ("a=datetime(3)", "a", column(ColumnType::DateTime(3))),
            ("a=datetime(7)", "", None),
            ("a=varchar(0)", "", None),
            ("a=date", "a", column(ColumnType::Date)),
            ("a=int(3)", "", None),
            ("a=b= json ", "a=b", column(ColumnType::Json)),
            ("a=date:yyyy'='MM", "a", dates(Dates::format("yyyy'='MM"))),
            ("a=base64", "a", column(ColumnType::Base64)),
            ("a=epoch_s", "a", dates(Dates::Count(EpochUnit::Seconds))),
            ("a=date:epoch_ms", "a", dates(Dates::Count(EpochUnit::Milliseconds))),
            ("a=date:ww", "", None),
            ("a", "", None),
        ] {
            let found = parsed(text).ok();
            assert_eq!(found, expected.map(|expected| (name, expected)), "{text}");
        }
    }
}
