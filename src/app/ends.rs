//! The two ends of a run, and what lies between them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::bounded::bounded;
use super::fitted_table::{Fitted, fit_table};
use super::waiting::{OPENING, beside};
use crate::config::{ColumnSelection, Settings, SinkSettings, SourceSettings};
use crate::error::{Error, Result};
use crate::event::{Observer, Stage, tell_failure};
use crate::pipeline::{self, persist};
use crate::record::{Field, Shape};
use crate::sink::Sink;
use crate::sink::file::{FileSettings, FileSink, Format, OutputTarget};
use crate::sink::mysql::{Guard, JobIdentity, MysqlSettings, Target as MysqlTarget};
use crate::source::csv::CsvSource;
use crate::source::elastic::ElasticSource;
use crate::source::jsonl::JsonlSource;
use crate::source::{Decode, Others, SegmentLimit, Source, Wanted};

/// Both ends, open.
pub struct Ends {
    pub source: Arc<dyn Source>,
    /// For what the sink wants.
    pub decoder: Arc<dyn Decode>,
    /// The columns as the sink calls them; none where documents are copied.
    pub names: Vec<String>,
    pub sink: Arc<dyn Sink>,
    /// Of segments, as the rows and the memory allow.
    pub limit: SegmentLimit,
    /// Where the sink is a table.
    pub table: Option<Box<Fitted>>,
}

/// Where a run writes, before it is known what.
pub enum Destination {
    File(FileSettings, OutputTarget),
    /// With the job that is held for it, unless this is only a look.
    Mysql(Box<MysqlTarget>, Option<Arc<Guard>>),
}

impl Destination {
    /// Taken before a source is opened: whoever else writes it must be known before a pipe is
    /// waited for. And before anything is decided about a table: what one run finds, another of the
    /// same job would be changing.
    pub async fn take(settings: &Settings, observer: &Arc<dyn Observer>) -> Result<Destination> {
        match &settings.sink {
            SinkSettings::File(file) => {
                Ok(Destination::File(file.clone(), OutputTarget::take(file)?))
            }
            SinkSettings::Mysql(mysql) => {
                let identity = job_identity(settings);
                let guard = Arc::new(Guard::new((**mysql).clone(), identity));
                persist(OPENING, observer, Stage::Insert, async || guard.take().await).await?;
                let inspected = inspect((**mysql).clone(), observer).await;
                if inspected.is_err() {
                    guard.release().await;
                }
                Ok(Destination::Mysql(Box::new(inspected?), Some(guard)))
            }
        }
    }

    /// The same for a look: checks what can be checked without writing.
    pub async fn look(settings: &Settings, observer: &Arc<dyn Observer>) -> Result<Destination> {
        match &settings.sink {
            SinkSettings::File(file) => {
                Ok(Destination::File(file.clone(), OutputTarget::look(file)?))
            }
            SinkSettings::Mysql(mysql) => {
                let target = inspect((**mysql).clone(), observer).await?;
                Ok(Destination::Mysql(Box::new(target), None))
            }
        }
    }

    /// The job that is held for it.
    pub fn guard(&self) -> Option<Arc<Guard>> {
        match self {
            Destination::File(..) => None,
            Destination::Mysql(_, guard) => guard.clone(),
        }
    }
}

/// What names the job of a run on its server.
pub fn job_identity(settings: &Settings) -> JobIdentity {
    JobIdentity {
        pipeline_id: settings.pipeline_id.clone(),
        source: settings.source_words.clone(),
        run_id: settings.run_id.clone(),
    }
}

async fn inspect(mysql: MysqlSettings, observer: &Arc<dyn Observer>) -> Result<MysqlTarget> {
    let inspect = async || MysqlTarget::inspect(mysql.clone()).await;
    persist(OPENING, observer, Stage::Insert, inspect).await
}

impl Ends {
    /// Opens the source, and fits it to the output.
    pub async fn open(
        settings: &Settings,
        output: Destination,
        observer: &Arc<dyn Observer>,
    ) -> Result<Ends> {
        Ends::open_or_look(settings, output, observer, false).await
    }

    /// The same without writing anything.
    pub async fn look(
        settings: &Settings,
        output: Destination,
        observer: &Arc<dyn Observer>,
    ) -> Result<Ends> {
        Ends::open_or_look(settings, output, observer, true).await
    }

    async fn open_or_look(
        settings: &Settings,
        output: Destination,
        observer: &Arc<dyn Observer>,
        is_look: bool,
    ) -> Result<Ends> {
        let opened = open_source(settings, observer).await;
        let source =
            opened.map_err(|error| tell_failure(&**observer, Stage::Fetch, error, true))?;
        let closing = ClosedUnlessUsed(Some(Arc::clone(&source)));
        let ends = Ends::join(settings, &source, output, observer, is_look).await;
        closing.let_be();
        if ends.is_err() {
            // What the other side keeps for us is of no use to anybody.
            source.close().await;
        }
        ends
    }

    async fn join(
        settings: &Settings,
        source: &Arc<dyn Source>,
        output: Destination,
        observer: &Arc<dyn Observer>,
        is_look: bool,
    ) -> Result<Ends> {
        let source = Arc::clone(source);
        match output {
            Destination::File(file, target) => {
                let (decoder, names) = wanted_by_file(settings, &file, &*source)?;
                let sink = FileSink::open(&file, target, &decoder.shape(), &names);
                let sink = Arc::new(sink) as Arc<dyn Sink>;
                let limit = fit(settings, &*decoder, &sink)?;
                Ok(Ends { source, decoder, names, sink, limit, table: None })
            }
            Destination::Mysql(target, guard) => {
                let fitted = fit_table(settings, &source, target, observer, is_look).await?;
                let decoder = source.decoder(&fitted.wanted())?;
                let columns = fitted.plan.columns.iter();
                let names = columns.map(|bound| bound.column.name.clone()).collect();
                let sink = Arc::new(fitted.sink(guard, observer)) as Arc<dyn Sink>;
                let limit = fit(settings, &*decoder, &sink)?;
                Ok(Ends { source, decoder, names, sink, limit, table: Some(Box::new(fitted)) })
            }
        }
    }
}

/// Closes a source when a signal breaks off what comes before its use: a look at its records is on a thread that
/// nobody interrupts, and has it as long as a server takes.
struct ClosedUnlessUsed(Option<Arc<dyn Source>>);

/// What the other side keeps expires by itself.
const CLOSE_MAX: Duration = Duration::from_secs(3);

impl ClosedUnlessUsed {
    fn let_be(mut self) {
        self.0 = None;
    }
}

impl Drop for ClosedUnlessUsed {
    fn drop(&mut self) {
        let (Some(source), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        let close = move || runtime.block_on(source.close());
        let closed = bounded("close", close, |took| (took > CLOSE_MAX).then_some("took too long"));
        if let Err(cause) = closed {
            tracing::debug!("closing the source: {cause}");
        }
    }
}

/// How large a segment may be, now that it is known what its rows are.
fn fit(settings: &Settings, decoder: &dyn Decode, sink: &Arc<dyn Sink>) -> Result<SegmentLimit> {
    let memory = settings.memory_limit as usize;
    pipeline::fit(settings.limit, memory, decoder, sink, settings.max_errors)
}

async fn open_source(settings: &Settings, observer: &Arc<dyn Observer>) -> Result<Arc<dyn Source>> {
    match settings.source.clone() {
        SourceSettings::Csv(csv) => {
            beside(move || Ok(Arc::new(CsvSource::open(csv)?) as Arc<dyn Source>)).await
        }
        SourceSettings::Jsonl(jsonl) => {
            beside(move || Ok(Arc::new(JsonlSource::open(jsonl)?) as Arc<dyn Source>)).await
        }
        SourceSettings::Elastic(elastic) => {
            let open = async || ElasticSource::open(elastic.clone(), Arc::clone(observer)).await;
            Ok(Arc::new(persist(OPENING, observer, Stage::Fetch, open).await?))
        }
    }
}

/// A file takes documents as they are where it can, and columns otherwise.
fn wanted_by_file(
    settings: &Settings,
    file: &FileSettings,
    source: &dyn Source,
) -> Result<(Arc<dyn Decode>, Vec<String>)> {
    if let Some(ColumnSelection { old, new }) = &settings.selection {
        let wanted = Wanted::Fields { names: old.clone(), others: Others::Ignore };
        return Ok((source.decoder(&wanted)?, new.clone()));
    }
    let whole = source.decoder(&Wanted::Everything)?;
    match whole.shape() {
        Shape::Columns(names) => Ok((whole, names.to_vec())),
        Shape::Documents if file.format == Format::JsonLines => {
            if settings.source.flattens() {
                tracing::warn!(
                    "--flatten changes nothing in whole documents, which are copied, but names the dates in objects for a restore; choose fields with --select"
                );
            }
            Ok((whole, Vec::new()))
        }
        Shape::Documents => {
            let fields = source.fields().iter().filter(|field| !field.is_beside);
            let names = fields.clone().map(|field| field.name.clone()).collect();
            let columns = columns_of(fields)?;
            let wanted = Wanted::Fields { names, others: Others::Reject };
            Ok((source.decoder(&wanted)?, columns))
        }
    }
}

/// What fields are called as columns, which no two of them may be by the same name.
fn columns_of<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<Vec<String>> {
    let mut columns = Vec::new();
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for field in fields {
        if let Some(other) = seen.insert(field.column(), &field.name) {
            let message = format!(
                "the fields '{}' and '{}' would both be column '{}'",
                other.escape_debug(),
                field.name.escape_debug(),
                field.column().escape_debug()
            );
            return Err(Error::config(message)
                .help("choose another --flatten-separator, or name fields with --select"));
        }
        columns.push(field.column().to_string());
    }
    Ok(columns)
}

/// The file that is written, where it is one.
pub fn output(settings: &Settings) -> Option<&Path> {
    match &settings.sink {
        SinkSettings::File(file) => file.path.as_deref(),
        SinkSettings::Mysql(_) => None,
    }
}

pub fn is_to_stdout(settings: &Settings) -> bool {
    matches!(&settings.sink, SinkSettings::File(file) if file.path.is_none())
}
