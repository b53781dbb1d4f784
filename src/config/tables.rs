//! The tables of one configuration file: options, names and lists as they stand there, and what is wrong
//! with their form.

use std::borrow::Cow;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file_option::FileOption;
use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::options::{OPTIONS, Opt};
use super::variables::{expand, process_variable};
use super::written::FilePlace;

/// A table of a file that is being read.
pub struct TableReader<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub mistakes: &'a mut Mistakes,
}

pub type TableEntry<'i> = (Spanned<Cow<'i, str>>, Spanned<DeValue<'i>>);

impl TableReader<'_> {
    pub fn wrong(&mut self, what: &str) {
        self.mistakes.add(format!("'{}': {what}", self.path.display()));
    }

    /// Which of them counts would follow from the order of files.
    pub fn twice(&mut self, table: &str, other: &Path) {
        let (one, other) = (other.display(), self.path.display());
        self.mistakes.add(format!(
            "[{table}] stands in '{one}' and in '{other}'; call one of them otherwise"
        ));
    }

    pub fn named<'i>(
        &mut self,
        tables: Spanned<DeValue<'i>>,
        what: &str,
    ) -> Vec<(String, Spanned<DeValue<'i>>)> {
        let mut named = Vec::new();
        for (name, value) in entries(tables) {
            match value.get_ref() {
                DeValue::Table(_) => named.push((name.get_ref().to_string(), value)),
                _ => self.wrong(&format!("{what}.{} must be a table", name.get_ref())),
            }
        }
        named
    }

    /// The files that are included, as they are named.
    pub fn included(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let names = self.list("include", "", value);
        let line = line_of(self.text, value.span().start);
        let mut included = Vec::new();
        for name in names {
            match expand(&name, process_variable) {
                Ok(expanded) => included.push(expanded.text),
                Err(why) => {
                    let path = self.path.display();
                    self.mistakes.add(format!("'{path}', line {line}: include: {why}"));
                }
            }
        }
        included
    }

    /// The connections that a pipeline names, and the rest of its table.
    pub fn connections<'i>(
        &mut self,
        settings: Spanned<DeValue<'i>>,
        table: &str,
    ) -> (Vec<String>, Vec<TableEntry<'i>>) {
        let is_connections = |(key, _): &TableEntry<'_>| key.get_ref() == "connections";
        let (named, rest): (Vec<_>, Vec<_>) =
            entries(settings).into_iter().partition(is_connections);
        let connections =
            named.iter().flat_map(|(_, value)| self.list("connections", table, value));
        (connections.collect(), rest)
    }

    /// A name, or a list of them.
    fn list(&mut self, key: &str, table: &str, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        strings(value.get_ref()).unwrap_or_else(|| {
            let place = in_table(table);
            self.wrong(&format!("{key}{place} must be text or a list of texts"));
            Vec::new()
        })
    }

    pub fn options(&mut self, settings: Spanned<DeValue<'_>>, table: &str) -> Vec<FileOption> {
        self.options_of(entries(settings), table)
    }

    pub fn options_of(&mut self, settings: Vec<TableEntry<'_>>, table: &str) -> Vec<FileOption> {
        let mut options = Vec::new();
        for (key, value) in settings {
            let key = key.get_ref();
            let place = in_table(table);
            let Some(option) = Opt::find(key).filter(|option| option.name != "config") else {
                let meant =
                    if self.mistakes.are_enough() { String::new() } else { meant(key, table) };
                self.wrong(&format!("unknown key '{key}'{place}{meant}"));
                continue;
            };
            let is_list = matches!(value.get_ref(), DeValue::Array(_));
            let texts = strings(value.get_ref()).filter(|_| option.is_list() || !is_list);
            let Some(texts) = texts else {
                let or_list = if option.is_list() { ", or a list of them" } else { "" };
                self.wrong(&format!("{key}{place} must be text, a number, true or false{or_list}"));
                continue;
            };
            let line = line_of(self.text, value.span().start);
            let place = FilePlace { path: self.path.to_path_buf(), table: table.to_string(), line };
            options.push(FileOption { option, texts, is_list, place });
        }
        options
    }
}

fn in_table(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!(" in [{table}]") }
}

pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// A table as it was written; the crate sorts by name.
pub fn in_order<'i>(table: DeTable<'i>) -> Vec<TableEntry<'i>> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn entries<'i>(value: Spanned<DeValue<'i>>) -> Vec<TableEntry<'i>> {
    match value.into_inner() {
        DeValue::Table(table) => in_order(table),
        _ => Vec::new(),
    }
}

fn strings(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let small = i64::from_str_radix(number.as_str(), number.radix());
            Some(small.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        DeValue::Float(number) => {
            number.as_str().parse().map(|number: f64| number.to_string()).ok()
        }
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// What may have been meant by an unknown key of a table.
fn meant(key: &str, table: &str) -> String {
    if key.replace('-', "_") == "config" {
        return "; a file names others by include, at its top".to_string();
    }
    let beside: &[&str] = match table.split('.').next() {
        Some("") => &["include", "defaults", "connections", "pipelines"],
        Some("pipelines") => &["connections"],
        _ => &[],
    };
    let known: Vec<String> =
        OPTIONS.iter().map(Opt::key).chain(beside.iter().map(ToString::to_string)).collect();
    let near = nearest(&key.replace('-', "_"), known.iter().map(String::as_str));
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}
