//! The names of the files of a source, and what they stand for.

use std::path::PathBuf;

use crate::config::{Settings, SourceSettings};
use crate::source::text::find;

/// What names the files of the source.
pub struct TextFiles<'a> {
    pub names: &'a [String],
    pub flag: &'static str,
    /// Files of the run that no pattern stands for.
    pub written: &'a [PathBuf],
    pub allow_empty: bool,
}

pub fn text_files(settings: &Settings) -> TextFiles<'_> {
    let (names, flag, written, allow_empty): (&[String], _, &[PathBuf], _) = match &settings.source
    {
        SourceSettings::Csv(csv) => (&csv.files, "csv-file", &csv.written, csv.allow_empty),
        SourceSettings::Jsonl(jsonl) => {
            (&jsonl.files, "jsonl-file", &jsonl.written, jsonl.allow_empty)
        }
        SourceSettings::Elastic(_) => (&[], "", &[], false),
    };
    TextFiles { names, flag, written, allow_empty }
}

/// The files that names and patterns stand for, whatever is wrong with some of them.
pub fn found(names: &[String]) -> Vec<PathBuf> {
    let found =
        names.iter().filter_map(|name| find(std::slice::from_ref(name), "", &[], true).ok());
    found.flat_map(|found| found.inputs).filter_map(|input| input.path).collect()
}
