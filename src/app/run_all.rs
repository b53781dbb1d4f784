//! What pipelines of one file have in common that are run or looked at one after another.

use std::path::PathBuf;

use super::keep_apart::written;
use super::stream::{is_standard_input, is_stream};
use super::text_files::text_files;
use super::{begin_look, begin_refusal, level, style};
use crate::config::{PipelineSettings, Settings};
use crate::console::logging;
use crate::error::{Error, Result};
use crate::ledger::FLAG as LEDGER_FLAG;
use crate::outcome::Outcome;
use crate::part::is_same_place;

type Pipelines = [(String, PipelineSettings)];

/// They have one log, as the first of them wants it.
pub fn begin_all(pipelines: &Pipelines) {
    if let Some(first) = understood(pipelines).next() {
        logging::install(style(first), level(first));
    }
}

/// The same for a look at each of them.
pub fn begin_looks(pipelines: &Pipelines) {
    let settings: Vec<&Settings> = understood(pipelines).collect();
    match pipelines.first() {
        Some((_, Err(refusal))) if settings.is_empty() => begin_refusal(refusal),
        _ => begin_look(&settings),
    }
}

/// What one of them wrote would be replaced by the next, and be gone; what one of them reads of a stream is
/// not there for the next.
pub fn keep_pipelines_apart(pipelines: &Pipelines) -> Result<()> {
    let reads_stdin =
        |one: &&Settings| text_files(one).names.iter().any(|name| is_standard_input(name));
    let readers: Vec<_> = understood(pipelines).filter(reads_stdin).collect();
    if let [one, other, ..] = readers[..] {
        return Err(Error::config(format!(
            "the pipelines '{}' and '{}' both read standard input, which can be read once only",
            one.pipeline_id, other.pipeline_id
        ))
        .help("run each of them by itself, or name files"));
    }
    let mut taken: Vec<(&str, &str, PathBuf)> = Vec::new();
    for settings in understood(pipelines) {
        let name = settings.pipeline_id.as_str();
        let files = written(settings).into_iter().filter(|file| !is_stream(file.path));
        let files: Vec<_> = files.collect();
        for file in &files {
            // They may well share their history, but it is nothing else.
            let is_history = |flag: &str| flag == LEDGER_FLAG && file.flag == LEDGER_FLAG;
            let is_taken = |(_, flag, path): &&(&str, &str, PathBuf)| {
                !is_history(flag) && is_same_place(path, file.path)
            };
            let Some((other, ..)) = taken.iter().find(is_taken) else {
                continue;
            };
            let shown = file.path.display();
            return Err(Error::config(format!(
                "the pipelines '{other}' and '{name}' both write '{shown}'"
            ))
            .help(format!("put {{pipeline}} into the name of --{}", file.flag)));
        }
        taken.extend(files.into_iter().map(|file| (name, file.flag, file.path.to_path_buf())));
    }
    Ok(())
}

/// One line about all of them, in the log that they share.
pub fn say_how_all_ended(ended: &[(&str, Outcome)], left: &[&str]) {
    let (complete, failed): (Vec<_>, Vec<_>) =
        ended.iter().partition(|(_, outcome)| *outcome == Outcome::Complete);
    let mut parts = vec![format!("{} complete", complete.len())];
    parts.extend(
        failed
            .iter()
            .map(|(name, outcome)| format!("{name} failed with exit code {}", outcome.exit_code())),
    );
    if !left.is_empty() {
        parts.push(format!("not begun: {}", left.join(", ")));
    }
    let said = format!("{} pipelines: {}", ended.len() + left.len(), parts.join("; "));
    match failed.is_empty() && left.is_empty() {
        true => tracing::info!("{said}"),
        false => tracing::warn!("{said}"),
    }
}

fn understood(pipelines: &Pipelines) -> impl Iterator<Item = &Settings> {
    pipelines.iter().filter_map(|(_, settings)| settings.as_ref().ok())
}
