//! The configuration file: top-level settings or `[defaults]`, `[connections.NAME]`,
//! `[pipelines.NAME]` and `include`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::end_choice::EndChoice;
use super::file_option::FileOption;
use super::include::Includes;
use super::mistakes::Mistakes;
use super::tables::{TableReader, in_order, line_of};
use super::variables::Held;
use super::written::{OptionOrigin, WrittenOptions};

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
    /// does not count, be it of a source or sink that flags displace, need not be understood.
    pub fn layer(
        &self,
        pipeline: Option<&str>,
        typed: &WrittenOptions,
        chosen: EndChoice,
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
            let is_said_above = typed.get(name).is_some() || layer.get(name).is_some();
            if is_said_above || chosen.displaces(option.option) {
                continue;
            }
            match option.meant(variable, mistakes) {
                Some((text, secrets)) => {
                    layer.set_meant(option.option, text);
                    layer.secrets.extend(secrets);
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
                        let mut reader = TableReader { path, text: &text, mistakes };
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
    fn take(&mut self, table: DeTable<'_>, reader: &mut TableReader<'_>) -> Vec<String> {
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
