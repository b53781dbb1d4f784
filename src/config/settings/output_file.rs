//! What is meant for a file as a sink.

use std::path::{Path, PathBuf};

use crate::config::option_reader::OptionReader;
use crate::sink::file::{FileSettings, Format, by_name};

/// Formats that names promise and nobody here writes.
const FORMATS: [&str; 22] = [
    "parquet", "avro", "orc", "arrow", "feather", "xlsx", "xls", "xlsm", "xlsb", "ods", "xml",
    "html", "yaml", "yml", "toml", "sql", "db", "sqlite", "msgpack", "bson", "cbor", "tar",
];

/// The same of compressions, with what to write.
const COMPRESSIONS: [(&str, &str); 12] = [
    ("zstd", ".zst"),
    ("gzip", ".gz"),
    ("bz2", ".gz or .zst"),
    ("xz", ".gz or .zst"),
    ("lzma", ".gz or .zst"),
    ("lz4", ".gz or .zst"),
    ("br", ".gz or .zst"),
    ("sz", ".gz or .zst"),
    ("zip", ".gz or .zst"),
    ("7z", ".gz or .zst"),
    ("rar", ".gz or .zst"),
    ("tgz", ".gz"),
];

/// How a file's name ends, in small letters.
fn ending(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

impl OptionReader<'_> {
    pub fn file_sink(&mut self) -> Option<FileSettings> {
        let Some(file) = self.text("output-file") else {
            self.missing("output-file", "the file to write, or - for standard output");
            return None;
        };
        let path = (file != "-").then(|| PathBuf::from(&file));
        let (promised, compression) = by_name(path.as_deref().unwrap_or(Path::new("")));
        let format = self.choice("output-format").or(promised).unwrap_or(Format::JsonLines);
        let compression = self.choice("output-compression").unwrap_or(compression);
        if let Some(path) = &path {
            let is_kept = self.keeps_promises(path);
            if is_kept && promised.is_none() && !self.is_written("output-format") {
                self.warnings.push(format!(
                    "the name of '{file}' says no format: JSON lines are written; --output-format says which"
                ));
            }
        }
        if format == Format::JsonLines {
            self.refuse(&["output-null"], "with JSON lines, where NULL is null");
        }
        Some(FileSettings {
            path,
            format,
            compression,
            if_exists: self.choice_or_default("if-exists"),
            null: self.text("output-null").unwrap_or_default(),
        })
    }

    /// Whether the file will be what its name promises.
    fn keeps_promises(&mut self, path: &Path) -> bool {
        let last = ending(path);
        let compression = COMPRESSIONS.iter().find(|(ending, _)| Some(*ending) == last.as_deref());
        if let Some((ending, instead)) = compression
            && !self.is_written("output-compression")
        {
            let why = format!(
                "its name promises {ending}, which is not written: name it {instead}, or say --output-compression"
            );
            self.wrong("output-file", &why);
            return false;
        }
        let is_compressed = matches!(last.as_deref(), Some("gz" | "zst"));
        let format = match path.file_stem().filter(|_| is_compressed) {
            Some(stem) => ending(Path::new(stem)),
            None => last,
        };
        if let Some(format) = format.filter(|format| FORMATS.contains(&format.as_str()))
            && !self.is_written("output-format")
        {
            let why = format!(
                "its name promises {format}, which is not written: name it .jsonl, .csv or .tsv, or say --output-format"
            );
            self.wrong("output-file", &why);
            return false;
        }
        true
    }
}
