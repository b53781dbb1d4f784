//! The layers that settings are written in, one over the other: flags, environment, configuration
//! file. From them come the settings of one pipeline or of all, or what is wrong with them.

use std::path::{Path, PathBuf};

use super::environment::{from_environment, state_dir};
use super::file::ConfigFile;
use super::mistakes::Mistakes;
use super::settings::{LogFormat, Settings};
use super::written::Written;
use crate::error::Error;

/// Which pipelines are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// What stands outside of `[pipelines]`.
    Unnamed,
    Named(String),
    All,
}

/// Why there are no settings.
#[derive(Debug)]
pub struct Refusal {
    pub mistakes: Vec<Error>,
    /// What was passed over, which may be what is missing.
    pub warnings: Vec<String>,
    /// As far as that can be told from settings that are wrong.
    pub log_format: LogFormat,
    /// What was written for the pipeline that was meant, as far as it could be read.
    pub written: Written,
    pub pipeline: Option<String>,
}

/// The settings that are meant by flags, by this process's environment and by a file.
pub fn resolve(flags: Written, which: &Which) -> Result<Vec<Settings>, Box<Refusal>> {
    let mut mistakes = Mistakes::default();
    let layers = Layers::read(flags, &mut mistakes);
    let mut warnings = layers.typed.warnings.clone();
    let mut all = Vec::new();
    if layers.is_readable {
        for name in layers.names(which, &mut mistakes) {
            let Some(written) = layers.of(name.as_deref(), &mut mistakes) else { continue };
            all.extend(Settings::resolve(&written, name.as_deref(), state_home(), &mut mistakes));
        }
    }
    mistakes.into_result().map(|()| all).map_err(|mistakes| {
        warnings.dedup();
        let pipeline = match which {
            Which::Named(name) => Some(name.clone()),
            Which::Unnamed | Which::All => None,
        };
        // What is wrong with it has been found.
        let mut again = Mistakes::default();
        let written = layers.of(pipeline.as_deref(), &mut again);
        let log_format = written.as_ref().map_or_else(|| layers.log_format(), log_format_of);
        let written = written.unwrap_or_else(|| layers.typed.clone());
        Box::new(Refusal { mistakes, warnings, log_format, written, pipeline })
    })
}

/// Nothing is told by the environment alone unless it names what to read, and all the rest.
pub fn is_told_by_environment() -> bool {
    let telling = ["config", "source-type", "csv-file", "jsonl-file", "es-url"];
    let mut mistakes = Mistakes::default();
    let written = from_environment(std::env::vars_os(), &mut mistakes);
    mistakes.into_result().is_err() || telling.iter().any(|name| written.get(name).is_some())
}

/// The pipelines of a configuration file, whatever is wrong with it.
pub fn pipeline_names(path: &Path) -> Vec<String> {
    let file = ConfigFile::read(path, &mut Mistakes::default());
    file.names().map(String::from).collect()
}

/// What this process's environment says, whatever is wrong with it.
pub fn environment() -> Written {
    from_environment(std::env::vars_os(), &mut Mistakes::default())
}

/// How log lines are wanted by the environment, for what is said before flags are understood.
pub fn log_format_of_environment() -> LogFormat {
    log_format_of(&environment())
}

struct Layers {
    /// By flags and environment.
    typed: Written,
    file: Option<ConfigFile>,
    /// Without the file, everything that it holds would be missing.
    is_readable: bool,
}

impl Layers {
    fn read(flags: Written, mistakes: &mut Mistakes) -> Layers {
        let mut typed = flags;
        typed.fall_back_on(from_environment(std::env::vars_os(), mistakes));
        let path = typed.get("config").and_then(|text| text.values.last()).cloned();
        let mut is_readable = true;
        let file = path.and_then(|path| {
            if path.is_empty() {
                mistakes.add(
                    "--config (FLOWGAUGE_CONFIG) is empty; name the file, or leave the option out",
                );
                is_readable = false;
                return None;
            }
            let file = ConfigFile::read(Path::new(&path), mistakes);
            is_readable = file.is_whole;
            Some(file)
        });
        Layers { typed, file, is_readable }
    }

    /// None is what stands outside of pipelines.
    fn names(&self, which: &Which, mistakes: &mut Mistakes) -> Vec<Option<String>> {
        match which {
            Which::Unnamed => vec![None],
            Which::Named(name) => vec![Some(name.clone())],
            Which::All => {
                let names = self.file.iter().flat_map(ConfigFile::names);
                let names: Vec<_> = names.map(|name| Some(name.to_string())).collect();
                if names.is_empty() {
                    mistakes.add(
                        "--all checks the pipelines of --config (FLOWGAUGE_CONFIG), and there are none",
                    );
                }
                names
            }
        }
    }

    fn of(&self, name: Option<&str>, mistakes: &mut Mistakes) -> Option<Written> {
        let mut written = self.typed.clone();
        let Some(file) = &self.file else {
            if name.is_some() {
                mistakes.add(
                    "a pipeline is named, and no --config (FLOWGAUGE_CONFIG) to look for it in",
                );
                return None;
            }
            return Some(written);
        };
        if let Some(why) = self.why_not(file, name) {
            mistakes.add(why);
            return None;
        }
        written.fall_back_on(file.layer(name, mistakes));
        Some(written)
    }

    /// What to say of a file of pipelines when none of them is named, or none has the name. Without
    /// it one would be told what such a pipeline lacks.
    fn why_not(&self, file: &ConfigFile, name: Option<&str>) -> Option<String> {
        let known: Vec<&str> = file.names().collect();
        let shown = file.path.display();
        match name {
            Some(name) if !known.contains(&name) => Some(format!(
                "there is no pipeline '{name}' in '{shown}'; it has {}",
                if known.is_empty() { "none".to_string() } else { known.join(", ") }
            )),
            None if !known.is_empty() && !self.is_of_its_own() => Some(format!(
                "'{shown}' has the pipelines {}; run one of them by its name",
                known.join(", ")
            )),
            _ => None,
        }
    }

    /// Who types where to write means none of the pipelines in the file.
    fn is_of_its_own(&self) -> bool {
        ["output-file", "db-table", "sink-type"].iter().any(|name| self.typed.get(name).is_some())
    }

    fn log_format(&self) -> LogFormat {
        let mut written = self.typed.clone();
        if let Some(file) = &self.file {
            written.fall_back_on(file.layer(None, &mut Mistakes::default()));
        }
        log_format_of(&written)
    }
}

fn log_format_of(written: &Written) -> LogFormat {
    match written.get("log-format").and_then(|text| text.values.last()) {
        Some(format) if format == "json" => LogFormat::Json,
        _ => LogFormat::Text,
    }
}

fn state_home() -> Option<PathBuf> {
    state_dir(|name| std::env::var_os(name))
}
