//! Which pipelines may stand at the end of a command line that is being typed, for completions.

use std::path::PathBuf;

use crate::config::options::{Opt, Takes};
use crate::config::{OptionOrigin, WrittenOptions, pipeline_names};

/// The command that completions ask. It is in no help.
pub const LISTING: &str = "complete-pipelines";

const VERBS: [&str; 2] = ["run", "check"];

/// None where something else is to stand there, or the configuration cannot be read.
pub fn names_for(words: &[String]) -> Vec<String> {
    let Some(path) = configuration(words) else { return Vec::new() };
    let mut named = WrittenOptions::default();
    if let Some(config) = Opt::find("config") {
        named.set(config, vec![path.display().to_string()], OptionOrigin::Flag);
    }
    pipeline_names(named)
}

/// The configuration that the words name, where a pipeline may follow them.
fn configuration(words: &[String]) -> Option<PathBuf> {
    let mut config = std::env::var("FLOWGAUGE_CONFIG").ok();
    let mut has_verb = false;
    // Bash takes `--config=FILE` for three words.
    let mut words = words.iter().map(String::as_str).filter(|word| *word != "=");
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            None if !has_verb => has_verb = VERBS.contains(&word),
            // A second name is one too many.
            None => return None,
            Some(flag) => {
                let (flag, value) = match flag.split_once('=') {
                    Some((flag, value)) => (flag, Some(value)),
                    None => (flag, None),
                };
                let option = flag.strip_prefix('-').and_then(Opt::find);
                let is_config = flag == "c" || option.is_some_and(|option| option.name == "config");
                let takes_one =
                    is_config || option.is_some_and(|option| option.takes != Takes::Nothing);
                // The value of this option is what is being typed.
                let value = match value {
                    Some(value) => Some(value),
                    None if takes_one => Some(words.next()?),
                    None => None,
                };
                if is_config {
                    config = value.map(String::from);
                }
            }
        }
    }
    let config = config.filter(|config| has_verb && !config.is_empty())?;
    Some(match config.strip_prefix("~/") {
        Some(rest) => PathBuf::from(std::env::var_os("HOME")?).join(rest),
        None => PathBuf::from(config),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_may_stand_behind_a_verb_where_a_configuration_is_named() {
        for (typed, expected) in [
            ("run --config a.toml", Some("a.toml")),
            ("run -c a.toml", Some("a.toml")),
            ("run --config = a.toml", Some("a.toml")),
            ("run --config=a.toml --quiet", Some("a.toml")),
            ("-c a.toml check", Some("a.toml")),
            ("-c run check --mode skip", Some("run")),
            ("run -c a.toml orders", None),
            ("run -c a.toml --db-table", None),
            ("run --config", None),
            ("-c a.toml", None),
            ("man -c a.toml", None),
            ("", None),
        ] {
            let words: Vec<String> = typed.split_whitespace().map(String::from).collect();
            assert_eq!(configuration(&words), expected.map(PathBuf::from), "{typed}");
        }
    }
}
