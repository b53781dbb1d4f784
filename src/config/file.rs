//! The configuration file: top-level settings or `[defaults]`, `[connections.NAME]`,
//! `[pipelines.NAME]` and `include`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::mistakes::Mistakes;
use super::options::{OPTIONS, Opt, Takes};
use super::written::{Origin, Written};

/// What all files together say.
#[derive(Debug, Default)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// With those that are included.
    files: Vec<PathBuf>,
    defaults: Written,
    connections: BTreeMap<String, Written>,
    pipelines: BTreeMap<String, Pipeline>,
}

#[derive(Debug)]
struct Pipeline {
    connections: Vec<String>,
    written: Written,
}

/// Files that include files that include files.
const INCLUDE_DEPTH_MAX: usize = 8;

impl ConfigFile {
    pub fn read(path: &Path, mistakes: &mut Mistakes) -> ConfigFile {
        let mut file = ConfigFile { path: path.to_path_buf(), ..ConfigFile::default() };
        file.read_into(path, 0, mistakes);
        file
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pipelines.keys().map(String::as_str)
    }

    /// The layer of a pipeline, or of the settings outside of pipelines.
    pub fn layer(&self, pipeline: Option<&str>, mistakes: &mut Mistakes) -> Written {
        let mut layer = Written::default();
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
                    Some(written) => layer.fall_back_on(written.clone()),
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

    fn read_into(&mut self, path: &Path, depth: usize, mistakes: &mut Mistakes) {
        let shown = path.display();
        if depth > INCLUDE_DEPTH_MAX {
            mistakes
                .add(format!("'{shown}' is included {depth} files deep; does it include itself?"));
            return;
        }
        self.files.push(path.to_path_buf());
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) => {
                mistakes.add(format!(
                    "cannot read the configuration '{shown}': {cause}; check --config"
                ));
                return;
            }
        };
        let table: Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(cause) => {
                let line = cause.span().map_or(0, |span| text[..span.start].lines().count().max(1));
                mistakes
                    .add(format!("'{shown}', line {line}: {}", cause.message().replace('\n', " ")));
                return;
            }
        };
        self.take(path, table, depth, mistakes);
    }

    fn take(&mut self, path: &Path, table: Table, depth: usize, mistakes: &mut Mistakes) {
        let mut top = Table::new();
        let mut includes = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("include", value) => {
                    includes = list("include", "", &value, path, mistakes);
                }
                ("defaults", Value::Table(settings)) => {
                    let written = settings_of(settings, "defaults", path, mistakes);
                    self.defaults.fall_back_on(written);
                }
                ("connections", Value::Table(tables)) => {
                    for (name, settings) in named(tables, "connections", path, mistakes) {
                        let table = format!("connections.{name}");
                        let written = settings_of(settings, &table, path, mistakes);
                        self.connections.insert(name, written);
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
                        self.pipelines.insert(name, Pipeline { connections, written });
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
        for include in includes {
            let included = path.parent().unwrap_or(Path::new("")).join(include);
            self.read_into(&included, depth + 1, mistakes);
        }
    }
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

fn settings_of(settings: Table, table: &str, path: &Path, mistakes: &mut Mistakes) -> Written {
    let mut written = Written::default();
    for (key, value) in settings {
        let place = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
        let Some(option) = Opt::find(&key).filter(|option| option.name != "config") else {
            let near = nearest(&key).map(|near| format!("; did you mean '{near}'?"));
            mistakes.add(format!(
                "'{}': unknown key '{key}'{place}{}",
                path.display(),
                near.unwrap_or_default()
            ));
            continue;
        };
        match values(option, &value) {
            Some(values) => written.set(option, values, Origin::File(table.to_string())),
            None => mistakes.add(format!(
                "'{}': {key}{place} must be text, a number, true or false{}",
                path.display(),
                if is_list(option) { ", or a list of them" } else { "" }
            )),
        }
    }
    written
}

fn is_list(option: &Opt) -> bool {
    matches!(option.takes, Takes::Names(_) | Takes::Typed(_) | Takes::Files(_))
}

fn values(option: &Opt, value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(_) if is_list(option) => strings(value),
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

/// The known key that differs least from one that is not.
pub fn nearest(key: &str) -> Option<String> {
    let key = key.replace('-', "_");
    let distance = |known: &str| edit_distance(&key, known);
    OPTIONS
        .iter()
        .map(Opt::key)
        .min_by_key(|known| distance(known))
        .filter(|known| distance(known) <= 1 + key.len() / 4)
}

fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        for (typed, meant) in [
            ("csv_flie", Some("csv_file")),
            ("ouput-file", Some("output_file")),
            ("batchsize", Some("batch_size")),
            ("password", None),
        ] {
            assert_eq!(nearest(typed).as_deref(), meant, "{typed}");
        }
    }
}
