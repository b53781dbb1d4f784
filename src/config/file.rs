//! The configuration file: top-level settings or `[defaults]`, `[connections.NAME]`,
//! `[pipelines.NAME]` and `include`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::include::Includes;
use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::options::{OPTIONS, Opt};
use super::written::{OptionOrigin, WrittenOptions};

/// What all files together say.
#[derive(Debug, Default)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// All files could be read and understood, whatever is wrong with what they say.
    pub is_whole: bool,
    /// With those that are included.
    files: Vec<PathBuf>,
    defaults: WrittenOptions,
    connections: BTreeMap<String, Connection>,
    pipelines: BTreeMap<String, Pipeline>,
}

#[derive(Debug)]
struct Connection {
    file: PathBuf,
    written: WrittenOptions,
}

#[derive(Debug)]
struct Pipeline {
    file: PathBuf,
    connections: Vec<String>,
    written: WrittenOptions,
}

impl ConfigFile {
    pub fn read(path: &Path, mistakes: &mut Mistakes) -> ConfigFile {
        let path = path.to_path_buf();
        let mut file = ConfigFile { path, is_whole: true, ..ConfigFile::default() };
        file.read_into(&file.path.clone(), &mut Includes::default(), mistakes);
        file
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pipelines.keys().map(String::as_str)
    }

    /// The layer of a pipeline, or of the settings outside of pipelines.
    pub fn layer(&self, pipeline: Option<&str>, mistakes: &mut Mistakes) -> WrittenOptions {
        let mut layer = WrittenOptions::default();
        if let Some(name) = pipeline {
            let Some(pipeline) = self.pipelines.get(name) else {
                let known: Vec<_> = self.names().collect();
                mistakes.add(format!(
                    "there is no pipeline '{name}' in '{}'; it has {}",
                    self.path.display(),
                    if known.is_empty() { "none".to_string() } else { known.join(", ") }
                ));
                return layer;
            };
            layer.fall_back_on(pipeline.written.clone());
            for connection in &pipeline.connections {
                match self.connections.get(connection) {
                    Some(connection) => layer.fall_back_on(connection.written.clone()),
                    None => mistakes.add(format!(
                        "[pipelines.{name}] names the connection '{connection}', which is not there; add [connections.{connection}]"
                    )),
                }
            }
        }
        layer.fall_back_on(self.defaults.clone());
        layer.files.clone_from(&self.files);
        layer
    }

    fn read_into(&mut self, path: &Path, includes: &mut Includes, mistakes: &mut Mistakes) {
        self.files.push(path.to_path_buf());
        match includes.enter(path) {
            Ok(None) => {}
            Ok(Some(text)) => {
                match parsed(&text) {
                    Ok(table) => self.take(path, table, includes, mistakes),
                    Err(why) => {
                        self.is_whole = false;
                        mistakes.add(format!("'{}'{why}", path.display()));
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

    fn take(
        &mut self,
        path: &Path,
        table: Table,
        includes: &mut Includes,
        mistakes: &mut Mistakes,
    ) {
        let mut top = Table::new();
        let mut included = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("include", value) => {
                    included = list("include", "", &value, path, mistakes);
                }
                ("defaults", Value::Table(settings)) => {
                    let written = settings_of(settings, "defaults", path, mistakes);
                    self.defaults.fall_back_on(written);
                }
                ("connections", Value::Table(tables)) => {
                    for (name, settings) in named(tables, "connections", path, mistakes) {
                        let table = format!("connections.{name}");
                        let written = settings_of(settings, &table, path, mistakes);
                        let connection = Connection { file: path.to_path_buf(), written };
                        if let Some(other) = self.connections.insert(name, connection) {
                            mistakes.add(twice(&table, &other.file, path));
                        }
                    }
                }
                ("pipelines", Value::Table(tables)) => {
                    for (name, mut settings) in named(tables, "pipelines", path, mistakes) {
                        let table = format!("pipelines.{name}");
                        let connections = match settings.remove("connections") {
                            Some(value) => list("connections", &table, &value, path, mistakes),
                            None => Vec::new(),
                        };
                        let written = settings_of(settings, &table, path, mistakes);
                        let file = path.to_path_buf();
                        let pipeline = Pipeline { file, connections, written };
                        if let Some(other) = self.pipelines.insert(name, pipeline) {
                            mistakes.add(twice(&table, &other.file, path));
                        }
                    }
                }
                ("defaults" | "connections" | "pipelines", _) => {
                    mistakes.add(format!("'{}': {key} must be a table", path.display()));
                }
                (_, value) => {
                    top.insert(key, value);
                }
            }
        }
        let written = settings_of(top, "", path, mistakes);
        self.defaults.fall_back_on(written);
        for include in included {
            let included = path.parent().unwrap_or(Path::new("")).join(include);
            self.read_into(&included, includes, mistakes);
        }
    }
}

/// The table of a file, or its line and what is wrong there.
fn parsed(text: &str) -> Result<Table, String> {
    toml::from_str(text).map_err(|cause| {
        let line = |at: usize| 1 + text[..at].matches('\n').count();
        let place = cause.span().map(|span| format!(", line {}", line(span.start)));
        let what = cause.message().replace('\n', " ");
        format!("{}: {what}", place.unwrap_or_default())
    })
}

/// Which of them counts would follow from the order of files.
fn twice(table: &str, one: &Path, other: &Path) -> String {
    let (one, other) = (one.display(), other.display());
    format!("[{table}] stands in '{one}' and in '{other}'; call one of them otherwise")
}

/// A name, or a list of them.
fn list(
    key: &str,
    table: &str,
    value: &Value,
    path: &Path,
    mistakes: &mut Mistakes,
) -> Vec<String> {
    strings(value).unwrap_or_else(|| {
        let place = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
        let path = path.display();
        mistakes.add(format!("'{path}': {key}{place} must be text or a list of texts"));
        Vec::new()
    })
}

fn named(tables: Table, what: &str, path: &Path, mistakes: &mut Mistakes) -> Vec<(String, Table)> {
    let mut named = Vec::new();
    for (name, value) in tables {
        match value {
            Value::Table(settings) => named.push((name, settings)),
            _ => mistakes.add(format!("'{}': {what}.{name} must be a table", path.display())),
        }
    }
    named
}

fn settings_of(
    settings: Table,
    table: &str,
    path: &Path,
    mistakes: &mut Mistakes,
) -> WrittenOptions {
    let mut written = WrittenOptions::default();
    for (key, value) in settings {
        let place = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
        let Some(option) = Opt::find(&key).filter(|option| option.name != "config") else {
            let shown = path.display();
            let meant = if mistakes.are_enough() { String::new() } else { meant(&key, table) };
            mistakes.add(format!("'{shown}': unknown key '{key}'{place}{meant}"));
            continue;
        };
        match values(option, &value) {
            Some(values) => written.set(option, values, OptionOrigin::File(table.to_string())),
            None => mistakes.add(format!(
                "'{}': {key}{place} must be text, a number, true or false{}",
                path.display(),
                if option.is_list() { ", or a list of them" } else { "" }
            )),
        }
    }
    written
}

fn values(option: &Opt, value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(_) if option.is_list() => strings(value),
        Value::Array(_) => None,
        value => Some(option.values(&scalar(value)?)),
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
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
