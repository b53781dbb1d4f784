//! What is meant for CSV files and files of JSON lines as a source.

use std::collections::HashSet;
use std::path::PathBuf;

use super::typing::DocumentTypes;
use super::{ColumnSelection, SinkSettings};
use crate::config::option_reader::OptionReader;
use crate::config::units;
use crate::rejects::RejectPath;
use crate::source::SegmentLimit;
use crate::source::csv::{CsvDialect, CsvSettings};
use crate::source::jsonl::JsonlSettings;
use crate::source::named_fields::NamedFields;
use crate::source::text::{Encoding, StreamSettings};

impl OptionReader<'_> {
    pub fn csv_source(
        &mut self,
        limit: SegmentLimit,
        sink: Option<&SinkSettings>,
    ) -> Option<CsvSettings> {
        let files = self.files("csv-file");
        let csv = self.csv(files.clone().unwrap_or_default(), limit, sink);
        files.map(|_| csv)
    }

    pub fn jsonl_source(
        &mut self,
        limit: SegmentLimit,
        sink: Option<&SinkSettings>,
        selection: Option<&ColumnSelection>,
    ) -> Option<JsonlSettings> {
        let encoding = match self.encoding("jsonl-encoding") {
            // A record is taken apart as a whole, so its text cannot wait for that.
            Encoding::SingleByte(encoding) => Encoding::Stream(encoding),
            other => other,
        };
        let stream = self.stream(encoding, "jsonl-encoding");
        let flatten = self.switch("flatten");
        let separator = self.separator();
        let DocumentTypes { dates, columns: types } = self.document_types(sink);
        let dated = dates.iter().map(|(name, _)| name);
        let typed = types.iter().map(|(name, _)| name);
        let dated = dated.chain(typed).cloned().collect();
        let mut asked: Vec<NamedFields> =
            selection.map(ColumnSelection::naming).into_iter().collect();
        asked.push(NamedFields { flag: "types", names: dated, are_patterns: false });
        let files = self.files("jsonl-file")?;
        let written = self.written_files();
        Some(JsonlSettings {
            files,
            written,
            allow_empty: self.switch("allow-empty"),
            stream,
            limit,
            flatten,
            separator,
            dates,
            types,
            asked,
        })
    }

    /// What stands between the names of fields in objects, where they are columns; none for a dot.
    pub fn separator(&mut self) -> Option<String> {
        let separator = self.text("flatten-separator")?;
        if self.is_written("flatten-separator") && !self.switch("flatten") {
            self.wrong("flatten-separator", "without --flatten there are no such names");
        }
        if separator.is_empty() {
            self.wrong("flatten-separator", "name what stands between, such as _");
        }
        Some(separator).filter(|separator| separator != ".")
    }

    /// The files that the run writes, as far as they are named, and rejected records of runs before.
    fn written_files(&mut self) -> Vec<PathBuf> {
        let named = ["output-file", "summary-json"].map(|name| self.text(name));
        let mut files: Vec<_> =
            named.into_iter().flatten().filter(|name| name != "-").map(PathBuf::from).collect();
        if let Some(rejects) = self.text("rejects") {
            let rejects = RejectPath::of_run(&rejects, "", "");
            files.extend(rejects.of_runs_before());
            files.push(rejects.path().to_path_buf());
        }
        files
    }

    fn files(&mut self, name: &'static str) -> Option<Vec<String>> {
        let files = self.list(name).filter(|files| !files.is_empty());
        if files.is_none() && !self.is_written(name) {
            self.missing(name, "the file to read");
        }
        let files = files?;
        if files.iter().filter(|file| *file == "-").count() > 1 {
            self.wrong(name, "standard input can be read once only");
        }
        Some(files)
    }

    fn csv(
        &mut self,
        files: Vec<String>,
        limit: SegmentLimit,
        sink: Option<&SinkSettings>,
    ) -> CsvSettings {
        let encoding = self.encoding("csv-encoding");
        let dialect = self.dialect();
        let columns = self.list("csv-columns");
        if let Some(columns) = &columns {
            let mut named = HashSet::new();
            for column in columns {
                if !named.insert(column) {
                    self.wrong("csv-columns", &format!("'{column}' is named twice"));
                }
            }
        }
        CsvSettings {
            files,
            written: self.written_files(),
            dialect,
            is_delimiter_sure: self.is_written("csv-delimiter"),
            has_header: !self.switch("csv-no-header"),
            columns,
            header_names: self.choice_or_default("csv-headers"),
            null: self.text("csv-null"),
            ragged: self.choice_or_default("csv-ragged"),
            invalid_text: self.choice_or_default("csv-invalid-utf8"),
            allow_empty: self.switch("allow-empty"),
            typing: self.typing(sink),
            stream: self.stream(encoding, "csv-encoding"),
            limit,
        }
    }

    fn dialect(&mut self) -> CsvDialect {
        let dialect = CsvDialect {
            delimiter: self.byte("csv-delimiter").unwrap_or(CsvDialect::default().delimiter),
            quote: self.parsed_or_default("csv-quote", quote),
            escape: self.byte("csv-escape"),
            comment: self.byte("csv-comment"),
            quoting: self.choice_or_default("csv-quotes"),
        };
        let roles = [
            ("csv-delimiter", Some(dialect.delimiter)),
            ("csv-quote", dialect.quote),
            ("csv-escape", dialect.escape),
            ("csv-comment", dialect.comment),
        ];
        for (index, (name, byte)) in roles.iter().enumerate() {
            let same = roles[..index].iter().find(|(_, other)| byte.is_some() && other == byte);
            if let Some((other, _)) = same {
                self.wrong(name, &format!("it is the same as --{other}"));
            }
        }
        if dialect.escape.is_some() && dialect.quote.is_none() {
            self.wrong("csv-escape", "without --csv-quote there is nothing to escape in");
        }
        dialect
    }

    fn stream(&mut self, encoding: Encoding, encoding_flag: &'static str) -> StreamSettings {
        let expansion_max = self.number_or_default("max-expansion", 0, u64::MAX);
        StreamSettings { encoding, encoding_flag, expansion_max }
    }

    fn encoding(&mut self, flag: &'static str) -> Encoding {
        let Some(label) = self.text(flag) else { return Encoding::Auto };
        Encoding::from_label(&label).unwrap_or_else(|| {
            let why = format!(
                "'{label}' is not known; write for example utf-8, utf-16le or windows-1252"
            );
            self.wrong(flag, &why);
            Encoding::Auto
        })
    }
}

fn quote(text: &str) -> Result<Option<u8>, String> {
    if text == "none" { Ok(None) } else { units::byte(text).map(Some) }
}
