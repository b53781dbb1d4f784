//! Files as a sink: JSON lines or CSV, plain, gzip or zstd, in the order of the source.
//!
//! The workers encode and compress (`json`, `csv`, `compress`); one lane appends to a hidden part
//! file (`part`), makes it durable at marks, and the name appears only when the file is whole.

mod compress;
mod csv;
mod json;
mod lane;
mod nothing_lost;
mod standard_output;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

pub use self::compress::Compression;
use self::csv::CsvEncoder;
use self::json::JsonEncoder;
use self::lane::{FileLane, StdoutLane};
use self::nothing_lost::has_no_records;
pub use self::standard_output::StandardOutput;
use super::{Lane, Payload, Refused, Sink};
use crate::error::{Error, Later, Result};
use crate::part::{IfExists, PartFile, PartPolicy};
use crate::record::{Published, Rows, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    JsonLines,
    Csv,
    /// CSV with tabs in place of commas.
    Tsv,
}

impl Format {
    pub fn as_str(self) -> &'static str {
        match self {
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
        }
    }
}

#[derive(Clone, Debug)]
pub struct FileSettings {
    /// None for standard output.
    pub path: Option<PathBuf>,
    pub format: Format,
    pub compression: Compression,
    pub if_exists: IfExists,
    /// What NULL looks like in CSV.
    pub null: String,
}

/// The option that names the output.
pub const FLAG: &str = "output-file";

impl FileSettings {
    fn policy(&self) -> PartPolicy {
        let loss = "nothing was published; ";
        PartPolicy { if_exists: self.if_exists, loss, ..PartPolicy::replacing(FLAG) }
    }
}

pub struct FileSink {
    encoder: Encoder,
    compression: Compression,
    target: OutputTarget,
    /// Of the settings, whatever is written to.
    path: Option<PathBuf>,
    published_compression: Compression,
}

enum Encoder {
    Json(JsonEncoder),
    Csv(CsvEncoder),
}

impl Encoder {
    fn new(settings: &FileSettings, shape: &Shape, names: &[String]) -> Encoder {
        match settings.format {
            Format::JsonLines => Encoder::Json(JsonEncoder::new(shape, names)),
            Format::Csv => Encoder::Csv(CsvEncoder::new(names, &settings.null, b',')),
            Format::Tsv => Encoder::Csv(CsvEncoder::new(names, &settings.null, b'\t')),
        }
    }
}

/// What is written to.
pub enum OutputTarget {
    /// For a look at what would be written.
    Nowhere,
    Stdout,
    File(Arc<PartFile>),
}

impl OutputTarget {
    /// Takes the lock on the part file, so a second run with the same output stops here: before a
    /// source is opened, which may take as long as a pipe likes.
    pub fn take(settings: &FileSettings) -> Result<OutputTarget> {
        Ok(match &settings.path {
            None => OutputTarget::Stdout,
            Some(path) => OutputTarget::File(Arc::new(PartFile::create(path, settings.policy())?)),
        })
    }

    /// Checks what can be checked without writing.
    pub fn look(settings: &FileSettings) -> Result<OutputTarget> {
        if let Some(path) = &settings.path {
            PartFile::check(path, settings.policy())?;
        }
        Ok(OutputTarget::Nowhere)
    }
}

impl FileSink {
    /// `names` are what the columns are called in the output.
    pub fn open(
        settings: &FileSettings,
        target: OutputTarget,
        shape: &Shape,
        names: &[String],
    ) -> FileSink {
        FileSink {
            encoder: Encoder::new(settings, shape, names),
            // What is looked at is not compressed.
            compression: match target {
                OutputTarget::Nowhere => Compression::None,
                _ => settings.compression,
            },
            target,
            path: settings.path.clone(),
            published_compression: settings.compression,
        }
    }

    /// What the file begins with, before any record.
    fn preamble(&self) -> Vec<u8> {
        match &self.encoder {
            Encoder::Json(_) => Vec::new(),
            Encoder::Csv(csv) => self.compression.apply(csv.header().to_vec()),
        }
    }

    /// Whether a file holds nothing that one without records would not hold as well.
    fn loses_nothing(&self, path: &Path, bytes: u64) -> bool {
        let (header, delimiter) = match &self.encoder {
            Encoder::Json(_) => (&[][..], b','),
            Encoder::Csv(csv) => (csv.header(), csv.delimiter()),
        };
        if bytes > nothing_lost::BYTES_MAX {
            return false;
        }
        let before = fs::read(path).ok();
        let before = before
            .and_then(|before| self.published_compression.undo(before, nothing_lost::BYTES_MAX));
        before.is_some_and(|before| before == header || has_no_records(&before, header, delimiter))
    }
}

impl Sink for FileSink {
    fn footprint(&self, bytes: usize, records: u64) -> usize {
        let encoded = match &self.encoder {
            Encoder::Json(json) => json.footprint(bytes, records),
            Encoder::Csv(csv) => csv.footprint(bytes, records),
        };
        self.compression.footprint(encoded)
    }

    fn prepare(
        &self,
        rows: &Rows,
        mut buffer: Vec<u8>,
        _refused: &mut Vec<Refused>,
    ) -> Result<Payload> {
        match &self.encoder {
            Encoder::Json(json) => {
                buffer.reserve_exact(json.usual_bytes(rows));
                json.encode(rows, &mut buffer);
            }
            Encoder::Csv(csv) => {
                buffer.reserve_exact(csv.usual_bytes(rows));
                csv.encode(rows, &mut buffer);
            }
        }
        let bytes = if buffer.is_empty() { buffer } else { self.compression.apply(buffer) };
        Ok(Payload { bytes: bytes.into(), rows: rows.len() as u64, ..Payload::default() })
    }

    fn lanes_max(&self) -> usize {
        1
    }

    fn is_public_at_commit(&self) -> bool {
        matches!(self.target, OutputTarget::Stdout)
    }

    fn would_replace(&self) -> Option<u64> {
        let path = self.path.as_ref()?;
        let before = fs::metadata(path).ok().filter(|before| before.is_file())?.len();
        (!self.loses_nothing(path, before)).then_some(before)
    }

    fn open(self: Arc<Self>) -> Later<'static, Result<Box<dyn Lane>>> {
        // The preamble may meet a pipe that nobody reads.
        let opening = spawn_blocking(move || {
            let preamble = self.preamble();
            Ok(match &self.target {
                OutputTarget::Nowhere => {
                    return Err(Error::internal("a preview was asked to write"));
                }
                OutputTarget::Stdout => Box::new(StdoutLane::open(&preamble)?) as Box<dyn Lane>,
                OutputTarget::File(part) => Box::new(FileLane::open(Arc::clone(part), &preamble)?),
            })
        });
        Box::pin(async move {
            opening.await.map_err(|cause| Error::internal("opening broke off").because(cause))?
        })
    }

    fn publish(&self) -> Later<'_, Result<Published>> {
        Box::pin(async {
            match &self.target {
                OutputTarget::Nowhere | OutputTarget::Stdout => Ok(Published::default()),
                OutputTarget::File(part) => {
                    let part = Arc::clone(part);
                    let nothing = self.compression.apply(Vec::new());
                    let publishing = spawn_blocking(move || {
                        part.append_if_empty(&nothing)?;
                        part.publish()
                    });
                    let broken = |cause| Error::internal("publishing broke off").because(cause);
                    publishing.await.map_err(broken)?
                }
            }
        })
    }

    fn abandon(&self) -> Later<'_, Option<Published>> {
        Box::pin(async {
            let OutputTarget::File(part) = &self.target else { return None };
            let part = Arc::clone(part);
            spawn_blocking(move || part.remove()).await.ok().flatten()
        })
    }
}

/// The format, where its ending is one of a format, and the compression that a file's name asks for,
/// each unless it is chosen otherwise.
pub fn by_name(path: &Path) -> (Option<Format>, Compression) {
    let name =
        path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (stem, compression) = if let Some(stem) = name.strip_suffix(".gz") {
        (stem, Compression::Gzip)
    } else if let Some(stem) = name.strip_suffix(".zst") {
        (stem, Compression::Zstd)
    } else {
        (name.as_str(), Compression::None)
    };
    let format = match stem.rsplit_once('.') {
        Some((_, "csv")) => Some(Format::Csv),
        Some((_, "tsv")) => Some(Format::Tsv),
        Some((_, "jsonl" | "ndjson")) => Some(Format::JsonLines),
        _ => None,
    };
    (format, compression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_chooses_format_and_compression() {
        for (name, format, compression) in [
            ("out.jsonl", Some(Format::JsonLines), Compression::None),
            ("out", None, Compression::None),
            ("dir.csv/out.JSON.GZ", None, Compression::Gzip),
            ("out.ndjson.gz", Some(Format::JsonLines), Compression::Gzip),
            ("out.csv.zst", Some(Format::Csv), Compression::Zstd),
            ("out.CSV", Some(Format::Csv), Compression::None),
            ("out.tsv.gz", Some(Format::Tsv), Compression::Gzip),
        ] {
            assert_eq!(by_name(Path::new(name)), (format, compression), "{name}");
        }
    }
}
