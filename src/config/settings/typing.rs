//! What `--types` says of columns and fields.

use std::collections::HashSet;

use crate::config::option_reader::OptionReader;
use crate::convert::date::DateFormat;
use crate::convert::{Type, Typing};
use crate::record::{Dates, EpochUnit};

#[derive(Debug, PartialEq)]
enum Meant {
    Type(Type),
    Dates(Dates),
}

impl OptionReader<'_> {
    /// For columns of text.
    pub fn typing(&mut self) -> Typing {
        let infer = self.switch("infer");
        let mut typing = Typing { infer, ..Typing::default() };
        for (column, meant) in self.types() {
            match meant {
                Meant::Type(kind) => typing.declared.push((column, kind)),
                Meant::Dates(dates) => typing.dates.push((column, dates)),
            }
        }
        typing
    }

    /// For fields of documents, which say themselves what they are, but for what a text means.
    pub fn dates(&mut self) -> Vec<(String, Dates)> {
        let mut dates = Vec::new();
        for (field, meant) in self.types() {
            match meant {
                Meant::Dates(meant) => dates.push((field, meant)),
                Meant::Type(kind) => {
                    let why = format!(
                        "'{field}={}' is for CSV: documents say themselves what is a number; of their dates, write date:PATTERN, epoch_s or epoch_ms",
                        kind.as_str()
                    );
                    self.wrong("types", &why);
                }
            }
        }
        dates
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
        if let Some(unit) = count_of(kind) {
            return Some(Meant::Dates(unit));
        }
        Type::ALL.into_iter().find(|known| known.as_str() == kind).map(Meant::Type)
    };
    text.rsplit_once('=')
        .and_then(|(column, kind)| Some((column, known(kind)?)))
        .ok_or_else(|| {
            "is not COL=TYPE with one of text, int, decimal, float, bool, json, epoch_s, epoch_ms, date:PATTERN"
                .to_string()
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
        for (text, name, expected) in [
            ("a=int", "a", Some(Meant::Type(Type::Int))),
            ("a=b= json ", "a=b", Some(Meant::Type(Type::Json))),
            ("a=date:yyyy'='MM", "a", dates(Dates::format("yyyy'='MM"))),
            ("a=epoch_s", "a", dates(Dates::Count(EpochUnit::Seconds))),
            ("a=date:epoch_ms", "a", dates(Dates::Count(EpochUnit::Milliseconds))),
            ("a=date:ww", "", None),
            ("a=date", "", None),
            ("a", "", None),
        ] {
            let found = parsed(text).ok();
            assert_eq!(found, expected.map(|expected| (name, expected)), "{text}");
        }
    }
}
