//! The two ends of a run, and what lies between them.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Selection, Settings, SinkSettings, SourceSettings};
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::record::Shape;
use crate::sink::Sink;
use crate::sink::file::{FileSettings, FileSink, Format, Target};
use crate::source::csv::CsvSource;
use crate::source::jsonl::JsonlSource;
use crate::source::{Decode, Others, Source, Wanted};

/// Both ends, open.
pub struct Ends {
    pub source: Arc<dyn Source>,
    /// For what the sink wants.
    pub decoder: Arc<dyn Decode>,
    /// The columns as the sink calls them; none where documents are copied.
    pub names: Vec<String>,
    pub sink: Arc<dyn Sink>,
}

/// Where a run writes, before it is known what.
pub enum Output {
    File(FileSettings, Target),
}

impl Output {
    /// Taken before a source is opened: whoever else writes it must be known before a pipe is
    /// waited for.
    pub async fn take(settings: &Settings, _observer: &Arc<dyn Observer>) -> Result<Output> {
        match &settings.sink {
            SinkSettings::File(file) => Ok(Output::File(file.clone(), Target::take(file)?)),
        }
    }

    /// The same for a look: checks what can be checked without writing.
    pub async fn look(settings: &Settings) -> Result<Output> {
        match &settings.sink {
            SinkSettings::File(file) => Ok(Output::File(file.clone(), Target::look(file)?)),
        }
    }
}

impl Ends {
    /// Opens the source, and fits it to the output.
    pub async fn open(
        settings: &Settings,
        output: Output,
        _observer: &Arc<dyn Observer>,
    ) -> Result<Ends> {
        let source = match settings.source.clone() {
            SourceSettings::Csv(csv) => {
                beside(move || Ok(Arc::new(CsvSource::open(csv)?) as Arc<dyn Source>)).await?
            }
            SourceSettings::Jsonl(jsonl) => {
                beside(move || Ok(Arc::new(JsonlSource::open(jsonl)?) as Arc<dyn Source>)).await?
            }
        };
        match output {
            Output::File(file, target) => {
                let (decoder, names) = wanted_by_file(settings, &file, &*source)?;
                let sink = FileSink::open(&file, target, &decoder.shape(), &names);
                Ok(Ends { source, decoder, names, sink: Arc::new(sink) })
            }
        }
    }
}

/// Opening a file reads, and a pipe may bring nothing for ever.
async fn beside<T: Send + 'static>(open: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|cause| Error::internal("opening the source broke off").because(cause))?
}

/// A file takes documents as they are where it can, and columns otherwise.
fn wanted_by_file(
    settings: &Settings,
    file: &FileSettings,
    source: &dyn Source,
) -> Result<(Arc<dyn Decode>, Vec<String>)> {
    if let Some(Selection { old, new }) = &settings.selection {
        let wanted = Wanted::Fields { names: old.clone(), others: Others::Ignore };
        return Ok((source.decoder(&wanted)?, new.clone()));
    }
    let whole = source.decoder(&Wanted::Everything)?;
    match whole.shape() {
        Shape::Columns(names) => Ok((whole, names.to_vec())),
        Shape::Documents if file.format == Format::JsonLines => Ok((whole, Vec::new())),
        Shape::Documents => {
            let fields = source.fields().iter().filter(|field| !field.is_beside);
            let names: Vec<String> = fields.map(|field| field.name.clone()).collect();
            let wanted = Wanted::Fields { names: names.clone(), others: Others::Reject };
            Ok((source.decoder(&wanted)?, names))
        }
    }
}

/// The first line of the log: what is about to happen.
pub fn intent(settings: &Settings, run_id: &str) -> String {
    let source = match &settings.source {
        SourceSettings::Csv(csv) => format!("csv {}", csv.files.join(", ")),
        SourceSettings::Jsonl(jsonl) => format!("jsonl {}", jsonl.files.join(", ")),
    };
    let SinkSettings::File(file) = &settings.sink;
    let sink = match &file.path {
        Some(path) => format!("{} {}", file.format.as_str(), path.display()),
        None => format!("{} standard output", file.format.as_str()),
    };
    format!(
        "{}: {source} to {sink}, {} workers, run {run_id}",
        settings.pipeline_id, settings.worker_count
    )
}

/// The file that is written, where it is one.
pub fn output(settings: &Settings) -> Option<&Path> {
    let SinkSettings::File(file) = &settings.sink;
    file.path.as_deref()
}
