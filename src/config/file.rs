//! The configuration file: top-level settings or `[defaults]`, `[connections.NAME]`,
//! `[pipelines.NAME]` and `include`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::include::Includes;
use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::options::{OPTIONS, Opt};
use super::places::beside;
use super::variables::{Expanded, Held, Variable, expand};
use super::written::{FilePlace, OptionOrigin, OptionText, WrittenOptions};

/// What all files together say.
#[derive(Debug, Default)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// All files could be read and understood, whatever is wrong with what they say.
    pub is_whole: bool,
    /// With those that are included.
    files: Vec<PathBuf>,
    defaults: Vec<FileOption>,
    connections: BTreeMap<String, Connection>,
    /// In their order, those of a file before those that it includes.
    pipelines: Vec<(String, Pipeline)>,
}

#[derive(Debug)]
struct Connection {
    file: PathBuf,
    options: Vec<FileOption>,
}

#[derive(Debug)]
struct Pipeline {
    file: PathBuf,
    connections: Vec<String>,
    options: Vec<FileOption>,
}

/// An option as it stands in a file, with its variables.
#[derive(Debug)]
struct FileOption {
    option: &'static Opt,
    texts: Vec<String>,
    /// Written as a list, so that commas part nothing.
    is_list: bool,
    place: FilePlace,
}

/// A table of a file that is being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    mistakes: &'a mut Mistakes,
}

type Entry<'i> = (Spanned<Cow<'i, str>>, Spanned<DeValue<'i>>);

impl ConfigFile {
    pub fn read(path: &Path, mistakes: &mut Mistakes) -> ConfigFile {
        let path = path.to_path_buf();
        let mut file = ConfigFile { path, is_whole: true, ..ConfigFile::default() };
        file.read_into(&file.path.clone(), &mut Includes::default(), mistakes);
        file
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pipelines.iter().map(|(name, _)| name.as_str())
    }

    /// The layer of a pipeline, or of the settings outside of pipelines, below what was typed: what
    /// does not count need not be understood.
    pub fn layer(
        &self,
        pipeline: Option<&str>,
        typed: &WrittenOptions,
        variable: &dyn Fn(&str) -> Held,
        mistakes: &mut Mistakes,
    ) -> WrittenOptions {
        let mut tables: Vec<&[FileOption]> = Vec::new();
        if let Some(name) = pipeline {
            let Some((_, pipeline)) = self.pipelines.iter().find(|(known, _)| known == name) else {
                return WrittenOptions::default();
            };
            tables.push(&pipeline.options);
            for connection in &pipeline.connections {
                match self.connections.get(connection) {
                    Some(connection) => tables.push(&connection.options),
                    None => mistakes.add(format!(
                        "[pipelines.{name}] names the connection '{connection}', which is not there; add [connections.{connection}]"
                    )),
                }
            }
        }
        tables.push(&self.defaults);
        let mut layer = WrittenOptions::default();
        layer.files.clone_from(&self.files);
        for option in tables.into_iter().flatten() {
            let name = option.option.name;
            if typed.get(name).is_some() || layer.get(name).is_some() {
                continue;
            }
            match option.meant(variable, mistakes) {
                Some((text, variables)) => {
                    layer.set_meant(option.option, text);
                    layer.variables.extend(variables);
                }
                // It is not missing.
                None => {
                    let origin = OptionOrigin::File(option.place.clone());
                    layer.set(option.option, option.texts.clone(), origin);
                    layer.unknown.push(name);
                }
            }
        }
        layer
    }

    fn read_into(&mut self, path: &Path, includes: &mut Includes, mistakes: &mut Mistakes) {
        self.files.push(path.to_path_buf());
        match includes.enter(path) {
            Ok(None) => {}
            Ok(Some(text)) => {
                match DeTable::parse(&text) {
                    Ok(table) => {
                        let mut reader = Reader { path, text: &text, mistakes };
                        let included = self.take(table.into_inner(), &mut reader);
                        for include in included {
                            let included = path.parent().unwrap_or(Path::new("")).join(include);
                            self.read_into(&included, includes, mistakes);
                        }
                    }
                    Err(cause) => {
                        self.is_whole = false;
                        let line = cause.span().map(|span| line_of(&text, span.start));
                        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
                        let what = cause.message().replace('\n', " ");
                        mistakes.add(format!("'{}'{line}: {what}", path.display()));
                    }
                }
                includes.leave();
            }
            Err(why) => {
                self.is_whole = false;
                mistakes.add(why);
            }
        }
    }

    /// Takes what stands in a file; the files that it includes are the answer.
    fn take(&mut self, table: DeTable<'_>, reader: &mut Reader<'_>) -> Vec<String> {
        let mut top = Vec::new();
        let mut included = Vec::new();
        for (key, value) in in_order(table) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("include", _) => included = reader.included(&value),
                ("defaults", DeValue::Table(_)) => {
                    let options = reader.options(value, "defaults");
                    self.defaults.extend(options);
                }
                ("connections", DeValue::Table(_)) => {
                    for (name, settings) in reader.named(value, "connections") {
                        let table = format!("connections.{name}");
                        let options = reader.options(settings, &table);
                        let file = reader.path.to_path_buf();
                        if let Some(other) =
                            self.connections.insert(name, Connection { file, options })
                        {
                            reader.twice(&table, &other.file);
                        }
                    }
                }
                ("pipelines", DeValue::Table(_)) => {
                    for (name, settings) in reader.named(value, "pipelines") {
                        let table = format!("pipelines.{name}");
                        let (connections, rest) = reader.connections(settings, &table);
                        let options = reader.options_of(rest, &table);
                        let file = reader.path.to_path_buf();
                        if let Some((_, other)) =
                            self.pipelines.iter().find(|(known, _)| *known == name)
                        {
                            reader.twice(&table, &other.file);
                        }
                        self.pipelines.push((name, Pipeline { file, connections, options }));
                    }
                }
                (key @ ("defaults" | "connections" | "pipelines"), _) => {
                    reader.wrong(&format!("{key} must be a table"));
                }
                _ => top.push((key, value)),
            }
        }
        let options = reader.options_of(top, "");
        self.defaults.extend(options);
        included
    }
}

impl FileOption {
    /// What it means, and the variables in it.
    fn meant(
        &self,
        variable: &dyn Fn(&str) -> Held,
        mistakes: &mut Mistakes,
    ) -> Option<(OptionText, Vec<Variable>)> {
        let mut expanded = Vec::new();
        for text in &self.texts {
            match expand(text, variable) {
                Ok(found) => expanded.push(found),
                Err(why) => mistakes.add(format!("{}: {}: {why}", self.place, self.option.key())),
            }
        }
        if expanded.len() < self.texts.len() {
            return None;
        }
        let values = |texts: &mut dyn Iterator<Item = String>| match self.is_list {
            true => texts.collect(),
            false => texts.flat_map(|text| self.option.values(&text)).collect::<Vec<_>>(),
        };
        let meant = values(&mut expanded.iter().map(|expanded| expanded.text.clone()));
        let folder = self.place.folder();
        let text = OptionText {
            values: meant.iter().map(|text| beside(folder, self.option, text)).collect(),
            as_written: values(&mut self.texts.iter().cloned()),
            origin: OptionOrigin::File(self.place.clone()),
        };
        Some((text, expanded.into_iter().flat_map(|expanded| expanded.used).collect()))
    }
}

impl Reader<'_> {
    fn wrong(&mut self, what: &str) {
        self.mistakes.add(format!("'{}': {what}", self.path.display()));
    }

    /// Which of them counts would follow from the order of files.
    fn twice(&mut self, table: &str, other: &Path) {
        let (one, other) = (other.display(), self.path.display());
        self.mistakes.add(format!(
            "[{table}] stands in '{one}' and in '{other}'; call one of them otherwise"
        ));
    }

    fn named<'i>(
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
    fn included(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let names = self.list("include", "", value);
        let line = line_of(self.text, value.span().start);
        let mut included = Vec::new();
        for name in names {
            match expand(&name, process_variable) {
                Ok(Expanded { text, .. }) => included.push(text),
                Err(why) => {
                    let path = self.path.display();
                    self.mistakes.add(format!("'{path}', line {line}: include: {why}"));
                }
            }
        }
        included
    }

    /// The connections that a pipeline names, and the rest of its table.
    fn connections<'i>(
        &mut self,
        settings: Spanned<DeValue<'i>>,
        table: &str,
    ) -> (Vec<String>, Vec<Entry<'i>>) {
        let is_connections = |(key, _): &Entry<'_>| key.get_ref() == "connections";
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

    fn options(&mut self, settings: Spanned<DeValue<'_>>, table: &str) -> Vec<FileOption> {
        self.options_of(entries(settings), table)
    }

    fn options_of(&mut self, settings: Vec<Entry<'_>>, table: &str) -> Vec<FileOption> {
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

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// A table as it was written; the crate sorts by name.
fn in_order<'i>(table: DeTable<'i>) -> Vec<Entry<'i>> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn entries<'i>(value: Spanned<DeValue<'i>>) -> Vec<Entry<'i>> {
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

/// What this process's environment holds.
pub fn process_variable(name: &str) -> Held {
    match std::env::var(name) {
        Ok(value) => Held::Text(value),
        Err(std::env::VarError::NotPresent) => Held::Unset,
        Err(std::env::VarError::NotUnicode(_)) => Held::NotUtf8,
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
