//! Options that name files and directories: what is beside the configuration file, and what is named
//! after the pipeline.

use std::path::Path;

use super::options::{Opt, Takes};
use crate::rejects::file_name;

/// Stands for the name of the pipeline in the name of a file or directory.
const PIPELINE: &str = "{pipeline}";

/// What an option's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathKind {
    Nothing,
    File,
    Directory,
    /// Files, of which one may be a pattern.
    Files,
    /// A text, or a file behind an `@`.
    FileBehindAt,
}

fn kind_of(option: &Opt) -> PathKind {
    match option.takes {
        Takes::One("FILE") => PathKind::File,
        Takes::One("DIR") => PathKind::Directory,
        Takes::Files(_) => PathKind::Files,
        _ if option.name == "es-query" => PathKind::FileBehindAt,
        _ => PathKind::Nothing,
    }
}

/// The same place seen from the working directory, for a text of a configuration file in `folder`.
pub fn beside(folder: &Path, option: &Opt, text: &str) -> String {
    match (kind_of(option), text.strip_prefix('@')) {
        (PathKind::Nothing, _) | (PathKind::FileBehindAt, None) => text.to_string(),
        (PathKind::FileBehindAt, Some(path)) => format!("@{}", joined(folder, path, false)),
        (PathKind::Files, _) => joined(folder, text, is_pattern(text)),
        (PathKind::File | PathKind::Directory, _) => joined(folder, text, false),
    }
}

/// Empty is a mistake that is said elsewhere, and `-` is no file.
fn joined(folder: &Path, text: &str, is_pattern: bool) -> String {
    let path = Path::new(text);
    if text.is_empty() || text == "-" || path.is_absolute() || folder.as_os_str().is_empty() {
        return text.to_string();
    }
    match (folder.to_str(), is_pattern) {
        (Some(folder), true) => {
            Path::new(&glob::Pattern::escape(folder)).join(path).display().to_string()
        }
        _ => folder.join(path).display().to_string(),
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// With the name of the pipeline where a file or directory is named after it.
pub fn named_after(pipeline_id: &str, option: &Opt, text: &str) -> String {
    match kind_of(option) {
        PathKind::File | PathKind::Directory | PathKind::Files if is_named_after_pipeline(text) => {
            text.replace(PIPELINE, &file_name(pipeline_id))
        }
        _ => text.to_string(),
    }
}

pub fn is_named_after_pipeline(text: &str) -> bool {
    text.contains(PIPELINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_file_are_beside_it() {
        for (folder, name, text, expected) in [
            ("etc", "output-file", "a.csv", "etc/a.csv"),
            ("", "output-file", "a.csv", "a.csv"),
            ("etc", "output-file", "-", "-"),
            ("etc", "output-file", "", ""),
            ("etc", "output-file", "/a", "/a"),
            ("etc", "state-dir", "../state", "etc/../state"),
            ("e[t]c", "csv-file", "in-*.csv", "e[[]t[]]c/in-*.csv"),
            ("e[t]c", "csv-file", "in.csv", "e[t]c/in.csv"),
            ("e[t]c", "output-file", "in-*.csv", "e[t]c/in-*.csv"),
            ("etc", "es-query", "@query.json", "@etc/query.json"),
            ("etc", "es-query", "{}", "{}"),
            ("etc", "db-table", "a", "a"),
        ] {
            let option = Opt::find(name).unwrap();
            assert_eq!(beside(Path::new(folder), option, text), expected, "{name} {text}");
        }
    }

    #[test]
    fn files_are_named_after_their_pipeline() {
        for (name, text, expected) in [
            ("summary-json", "{pipeline}/{pipeline}.json", "a_b/a_b.json"),
            ("csv-file", "{pipeline}-*.csv", "a_b-*.csv"),
            ("db-table", "{pipeline}", "{pipeline}"),
            ("rejects", "{run}", "{run}"),
        ] {
            assert_eq!(named_after("a/b", Opt::find(name).unwrap(), text), expected);
        }
    }
}
