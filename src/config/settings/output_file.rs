//! What is meant for a file as a sink.

use std::path::{Path, PathBuf};

use crate::config::reading::Reading;
use crate::part::IfExists;
use crate::sink::file::{Compression, FileSettings, Format, by_name};

/// Formats and compressions that names promise and nobody here writes.
const UNWRITTEN: [&str; 9] = ["parquet", "avro", "orc", "xlsx", "xls", "bz2", "xz", "lz4", "zip"];

fn unwritten(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    UNWRITTEN.into_iter().find(|unwritten| *unwritten == extension)
}

impl Reading<'_> {
    pub fn file_sink(&mut self) -> Option<FileSettings> {
        let Some(file) = self.text("output-file") else {
            self.missing("output-file", "the file to write, or - for standard output");
            return None;
        };
        let path = (file != "-").then(|| PathBuf::from(&file));
        let (format, compression) = by_name(path.as_deref().unwrap_or(Path::new("")));
        let format = match self.choice("output-format").as_deref() {
            Some("csv") => Format::Csv,
            Some(_) => Format::JsonLines,
            None => format,
        };
        let compression = match self.choice("output-compression").as_deref() {
            Some("gzip") => Compression::Gzip,
            Some("zstd") => Compression::Zstd,
            Some(_) => Compression::None,
            None => compression,
        };
        if let Some(promised) = path.as_deref().and_then(unwritten)
            && !self.is_written("output-format")
        {
            let why = format!(
                "its name promises {promised}, which is not written; name it otherwise, or say --output-format"
            );
            self.wrong("output-file", &why);
        }
        if format != Format::Csv {
            self.refuse(&["output-null"], "with JSON lines, where NULL is null");
        }
        Some(FileSettings {
            path,
            format,
            compression,
            if_exists: match self.choice("if-exists").as_deref() {
                Some("refuse") => IfExists::Refuse,
                _ => IfExists::Replace,
            },
            null: self.text("output-null").unwrap_or_default(),
        })
    }
}
