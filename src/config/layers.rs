//! The layers that settings are written in, one over the other: flags, environment, configuration
//! file. From them come the settings of one pipeline or of all, or what is wrong with them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::choices::LogFormat;
use super::defaults::{self, PIPELINE_ID};
use super::end_choice::EndChoice;
use super::environment::{from_environment, state_dir};
use super::file::ConfigFile;
use super::mistakes::Mistakes;
use super::option_reader::OptionReader;
use super::places::named_after;
use super::settings::{ExporterSettings, Settings};
use super::units::some_duration;
use super::variables::process_variable;
use super::written::WrittenOptions;
use crate::error::Error;
use crate::ledger::{FILE_NAME, FLAG as LEDGER};
use crate::secret::show_by_name;

/// Why there are no settings.
#[derive(Debug)]
pub struct SettingsRefusal {
    pub mistakes: Vec<Error>,
    /// What was passed over, which may be what is missing.
    pub warnings: Vec<String>,
    /// As far as that can be told from settings that are wrong.
    pub log_format: LogFormat,
    /// What was written for the pipeline that was meant, as far as it could be read.
    pub written: WrittenOptions,
    pub pipeline: Option<String>,
    /// Others are run before it or behind it.
    pub is_one_of_several: bool,
}

/// The settings that are meant by flags, by this process's environment and by a file: of the pipeline of that
/// name, or of what stands outside of pipelines.
pub fn resolve(flags: WrittenOptions, pipeline: Option<&str>) -> PipelineSettings {
    let mut mistakes = Mistakes::default();
    let layers = Layers::read(flags, &mut mistakes);
    layers.resolve(pipeline, mistakes)
}

/// The same of every pipeline of the file by itself, in their order: one whose settings are wrong is no
/// reason not to run the others.
pub fn resolve_each(
    flags: WrittenOptions,
) -> Result<Vec<(String, PipelineSettings)>, Box<SettingsRefusal>> {
    let mut mistakes = Mistakes::default();
    let layers = Layers::read(flags, &mut mistakes);
    let names = layers.names(&mut mistakes);
    mistakes.into_result().map_err(|mistakes| layers.refusal(mistakes, None))?;
    let of_one = |name: String| {
        let settings = layers.resolve(Some(&name), Mistakes::default());
        let settings = settings
            .map(|settings| Settings { is_one_of_several: true, ..settings })
            .map_err(|refusal| Box::new(SettingsRefusal { is_one_of_several: true, ..*refusal }));
        (name, settings)
    };
    Ok(names.into_iter().map(of_one).collect())
}

/// Settings of a pipeline, or what is wrong with them.
pub type PipelineSettings = Result<Settings, Box<SettingsRefusal>>;

/// The pipelines of the configuration that flags or the environment name, in their order, whatever is
/// wrong with it: for a shell that completes what is typed.
pub fn pipeline_names(flags: WrittenOptions) -> Vec<String> {
    let layers = Layers::read(flags, &mut Mistakes::default());
    layers.file.iter().flat_map(ConfigFile::names).map(String::from).collect()
}

/// A ledger that is looked into.
pub struct LedgerPlace {
    pub path: PathBuf,
    pub keep: Duration,
}

/// Where the ledger is, and nothing else of what is written: for who looks into it.
pub fn ledger_place(
    flags: WrittenOptions,
    pipeline: Option<&str>,
) -> Result<LedgerPlace, Vec<Error>> {
    let mut mistakes = Mistakes::default();
    let layers = Layers::read(flags, &mut mistakes);
    mistakes.into_result()?;
    layers.ledger_place(pipeline)
}

/// The same for the exporter, with what else it is told by flags and environment. A configuration file is that of
/// runs, whose secrets need not be there.
pub fn exporter_settings(
    flags: WrittenOptions,
    pipeline: Option<&str>,
) -> Result<(LedgerPlace, ExporterSettings), Vec<Error>> {
    let mut mistakes = Mistakes::default();
    let layers = Layers::read(flags, &mut mistakes);
    let mut reading = OptionReader {
        written: &layers.typed,
        mistakes: &mut mistakes,
        warnings: Vec::new(),
        has_failed: false,
    };
    let settings = reading.exporter();
    mistakes.into_result()?;
    Ok((layers.ledger_place(pipeline)?, settings))
}

/// Nothing is told by the environment alone unless it names what to read, and all the rest.
pub fn is_told_by_environment() -> bool {
    let telling = ["config", "source-type", "csv-file", "jsonl-file", "es-url"];
    let mut mistakes = Mistakes::default();
    let written = from_environment(std::env::vars_os(), &mut mistakes);
    mistakes.into_result().is_err() || telling.iter().any(|name| written.get(name).is_some())
}

/// What this process's environment says, whatever is wrong with it.
pub fn environment() -> WrittenOptions {
    from_environment(std::env::vars_os(), &mut Mistakes::default())
}

/// How log lines are wanted by the environment, for what is said before flags are understood.
pub fn log_format_of_environment() -> LogFormat {
    log_format_of(&environment())
}

struct Layers {
    /// By flags and environment.
    typed: WrittenOptions,
    /// By flags alone.
    chosen: EndChoice,
    file: Option<ConfigFile>,
    /// Without the file, everything that it holds would be missing.
    is_readable: bool,
}

impl Layers {
    fn read(flags: WrittenOptions, mistakes: &mut Mistakes) -> Layers {
        let mut typed = flags;
        let chosen = EndChoice::of(&typed);
        let mut environment = from_environment(std::env::vars_os(), mistakes);
        environment.retain(|option| !chosen.displaces(option));
        typed.fall_back_on(environment);
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
        Layers { typed, chosen, file, is_readable }
    }

    /// Of the pipelines.
    fn names(&self, mistakes: &mut Mistakes) -> Vec<String> {
        let names: Vec<_> =
            self.file.iter().flat_map(ConfigFile::names).map(String::from).collect();
        if self.is_readable && names.is_empty() {
            mistakes.add(
                "--all means the pipelines of --config (FLOWGAUGE_CONFIG), and there are none",
            );
        }
        names
    }

    /// With the mistakes that were found before. Nothing more is found where the file could not be read:
    /// everything that it holds would be missing.
    fn resolve(&self, name: Option<&str>, mut mistakes: Mistakes) -> PipelineSettings {
        let settings = if self.is_readable { self.settings(name, &mut mistakes) } else { None };
        match (mistakes.into_result(), settings) {
            (Ok(()), Some(settings)) => Ok(settings),
            (Ok(()), None) => Err(self.refusal(Vec::new(), name)),
            (Err(mistakes), _) => Err(self.refusal(mistakes, name)),
        }
    }

    fn ledger_place(&self, pipeline: Option<&str>) -> Result<LedgerPlace, Vec<Error>> {
        let mut written = self.typed.clone();
        if let Some(file) = &self.file {
            let named = pipeline.filter(|name| file.names().any(|known| known == *name));
            // What is wrong with other options is no matter here.
            let layer = file.layer(
                named,
                &written,
                self.chosen,
                &process_variable,
                &mut Mistakes::default(),
            );
            written.fall_back_on(layer);
        }
        written.map(|option, text| named_after(pipeline.unwrap_or(PIPELINE_ID), option, text));
        let text = |name: &str| written.get(name)?.values.last().filter(|text| !text.is_empty());
        let state_dir = || text("state-dir").map(PathBuf::from).or_else(state_home);
        let path = text(LEDGER).map(PathBuf::from);
        let path = path.or_else(|| Some(state_dir()?.join(FILE_NAME))).ok_or_else(|| {
            let missing = Error::config("there is no place for a ledger: HOME is not set");
            vec![missing.help("set --ledger or --state-dir")]
        })?;
        let keep = text("ledger-keep").cloned().or_else(|| defaults::value("ledger-keep"));
        let keep = some_duration(&keep.unwrap_or_default())
            .map_err(|why| vec![Error::config(format!("--ledger-keep: {why}"))])?;
        Ok(LedgerPlace { path, keep })
    }

    fn settings(&self, name: Option<&str>, mistakes: &mut Mistakes) -> Option<Settings> {
        let written = self.of(name, mistakes)?;
        written.secrets.iter().for_each(|variable| show_by_name(&variable.value, &variable.name));
        Settings::resolve(&written, name, state_home(), mistakes)
    }

    /// What is known of a run that has no settings.
    fn refusal(&self, mistakes: Vec<Error>, pipeline: Option<&str>) -> Box<SettingsRefusal> {
        let mut warnings = self.typed.warnings.clone();
        warnings.dedup();
        // What is wrong with it has been found.
        let written = self.of(pipeline, &mut Mistakes::default());
        let log_format = written.as_ref().map_or_else(|| self.log_format(), log_format_of);
        let written = written.unwrap_or_else(|| self.typed.clone());
        let pipeline = pipeline.map(String::from);
        Box::new(SettingsRefusal {
            mistakes,
            warnings,
            log_format,
            written,
            pipeline,
            is_one_of_several: false,
        })
    }

    fn of(&self, name: Option<&str>, mistakes: &mut Mistakes) -> Option<WrittenOptions> {
        let mut written = self.typed.clone();
        match (&self.file, name) {
            (None, None) => {}
            (None, Some(_)) => {
                mistakes.add(
                    "a pipeline is named, and no --config (FLOWGAUGE_CONFIG) to look for it in",
                );
                return None;
            }
            (Some(file), name) => {
                if let Some(why) = self.why_not(file, name) {
                    mistakes.add(why);
                    return None;
                }
                let layer = file.layer(name, &written, self.chosen, &process_variable, mistakes);
                written.fall_back_on(layer);
            }
        }
        let said = written.get("pipeline-id").and_then(|text| text.values.last().cloned());
        let pipeline_id = said.as_deref().or(name).unwrap_or(PIPELINE_ID).to_string();
        written.map(|option, text| named_after(&pipeline_id, option, text));
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
            let mut mistakes = Mistakes::default();
            let layer = file.layer(None, &written, self.chosen, &process_variable, &mut mistakes);
            written.fall_back_on(layer);
        }
        log_format_of(&written)
    }
}

fn log_format_of(written: &WrittenOptions) -> LogFormat {
    match written.get("log-format").and_then(|text| text.values.last()) {
        Some(format) if format == "json" => LogFormat::Json,
        _ => LogFormat::Text,
    }
}

fn state_home() -> Option<PathBuf> {
    state_dir(|name| std::env::var_os(name))
}
