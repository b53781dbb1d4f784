//! The two ends of a run, and what lies between them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ColumnSelection, Settings, SinkSettings, SourceSettings};
use crate::error::{Error, Result};
use crate::event::{Observer, Stage};
use crate::pipeline::{self, RetryPolicy, persist};
use crate::record::{Field, Shape};
use crate::sink::Sink;
use crate::sink::file::{FileSettings, FileSink, Format, OutputTarget};
use crate::sink::mysql::{
    Guard, Guesses, JobIdentity, MysqlSettings, MysqlSink, NewColumns, NewFields, NewTable,
    OtherFields, Plan, Planning, Table, Target as MysqlTarget, planned, with_columns,
};
use crate::source::csv::CsvSource;
use crate::source::elastic::ElasticSource;
use crate::source::jsonl::JsonlSource;
use crate::source::{Decode, Others, Sampled, SegmentLimit, Source, Wanted};

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

/// A table, and how the source's fields become its rows.
pub struct Fitted {
    pub target: Box<MysqlTarget>,
    /// What would be created, were this not a look.
    pub new_table: Option<NewTable>,
    /// Columns that would be added, were this not a look.
    pub new_columns: Option<NewColumns>,
    /// As it was found, or as it would be created.
    pub table: Table,
    pub plan: Plan,
    /// The source's, after a look at records where a table is made of them.
    pub fields: Vec<Field>,
    guesses: Guesses,
    /// What the plan was made of beside the table.
    planning: Planning,
    /// Records that differ may share the key.
    pub is_key_doubtful: bool,
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

/// A server that was never reached is more likely named wrongly than away.
const OPENING: RetryPolicy = RetryPolicy {
    wait_min: Duration::from_millis(250),
    wait_max: Duration::from_secs(5),
    elapsed_max: Duration::from_secs(30),
};

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
        let source = open_source(settings, observer).await?;
        let ends = Ends::join(settings, &source, output, observer, is_look).await;
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
                let decoder = source.decoder(&wanted_by_table(&fitted.plan))?;
                let columns = fitted.plan.columns.iter();
                let names = columns.map(|bound| bound.column.name.clone()).collect();
                let sink = Arc::new(fitted.sink(guard, observer)) as Arc<dyn Sink>;
                let limit = fit(settings, &*decoder, &sink)?;
                Ok(Ends { source, decoder, names, sink, limit, table: Some(Box::new(fitted)) })
            }
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

/// Opening a file reads, and a pipe may bring nothing for ever.
async fn beside<T: Send + 'static>(open: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|cause| Error::internal("opening the source broke off").because(cause))?
}

/// Fits the source's fields to the table's columns; a table that is not there is created where that
/// is asked for, unless this is only a look.
async fn fit_table(
    settings: &Settings,
    source: &Arc<dyn Source>,
    mut target: Box<MysqlTarget>,
    observer: &Arc<dyn Observer>,
    is_look: bool,
) -> Result<Fitted> {
    let is_untyped = matches!(settings.source, SourceSettings::Csv(_));
    let selection = settings.selection.as_ref();
    let selection = selection.map(|selection| (&selection.old[..], &selection.new[..]));
    let is_new = target.table.is_none() && target.settings.create_table;
    let adds = target.settings.new_fields == NewFields::Add && target.table.is_some();
    let without_column = |planning: &Planning| {
        target.table.as_ref().map_or_else(Vec::new, |table| planning.without_column(table))
    };
    let known = target.planning(source.fields(), selection, !is_untyped, is_untyped);
    let unsampled = || Sampled { fields: source.fields().to_vec(), ..Sampled::default() };
    // Where columns are added, for fields that no mapping has. And for a refusal, which shows how they are.
    let sampled = match is_new || adds || !without_column(&known).is_empty() {
        true => {
            let sample = async || {
                let source = Arc::clone(source);
                beside(move || source.sample()).await
            };
            match persist(OPENING, observer, Stage::Fetch, sample).await {
                Err(error) if is_new || adds => return Err(error),
                sampled => sampled.unwrap_or_else(|_| unsampled()),
            }
        }
        false => unsampled(),
    };
    let Sampled { fields, of, notes } = sampled;
    let has_many_indices = source.key().contains(&"_index");
    let planning = target.planning(&fields, selection, !is_untyped, is_untyped);
    let without_column = without_column(&planning);
    let is_added = adds && !without_column.is_empty();
    let mut new_table = target.new_table(&fields, selection, is_untyped, has_many_indices, &of)?;
    let mut table = target.table.clone();
    if let Some(new_table) = &mut new_table {
        new_table.warnings.extend(notes.iter().cloned());
        if is_look {
            table = Some(planned(new_table)?);
        } else {
            new_table.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            target.create_table(new_table, &**observer).await?;
            tracing::info!("table {} was created, its columns chosen from {of}", new_table.name);
            table = target.table.clone();
        }
    }
    let mut new_columns = None;
    let mut added = None;
    if is_added {
        let new = target.new_columns(&without_column, &fields, is_untyped)?;
        added = Some((new.clone(), of.clone()));
        if is_look {
            table = Some(with_columns(target.table()?, &new)?);
            new_columns = Some(new);
        } else {
            notes.iter().for_each(|note| tracing::warn!("{note}"));
            target.add_columns(&new, &**observer).await?;
            tracing::info!(
                "table {}: columns {} were added, their types chosen from {of}",
                new.table,
                new.names()
            );
            table = target.table.clone();
        }
    }
    let new_table = new_table.filter(|_| is_look);
    let table = match table {
        Some(table) => table,
        None => target.table()?.clone(),
    };
    let mut plan = planning.plan(&table)?;
    let doubts = source.doubts(&key_fields(&plan));
    let is_key_doubtful = !doubts.is_empty();
    plan.warnings.extend(doubts);
    let mut guesses = Guesses::of(&table);
    if let Some((new, of)) = &added {
        guesses.add(new, of);
    }
    Ok(Fitted {
        target,
        new_table,
        new_columns,
        table,
        plan,
        fields,
        guesses,
        planning,
        is_key_doubtful,
    })
}

/// The fields that tell rows apart.
fn key_fields(plan: &Plan) -> Vec<&str> {
    let columns = plan.key.iter().flat_map(|key| &key.columns);
    columns.filter_map(|column| plan.wanted.get(*column)).map(String::as_str).collect()
}

impl Fitted {
    fn sink(&self, guard: Option<Arc<Guard>>, observer: &Arc<dyn Observer>) -> MysqlSink {
        let (planning, observer) = (self.planning.clone(), Arc::clone(observer));
        let sink = MysqlSink::new(&self.target, planning, self.plan.clone(), guard, observer);
        sink.guessed(self.guesses.clone())
    }
}

/// What a plan wants of the source.
fn wanted_by_table(plan: &Plan) -> Wanted {
    Wanted::Fields {
        names: plan.wanted.clone(),
        others: match plan.others.clone() {
            OtherFields::Ignore => Others::Ignore,
            OtherFields::Stop { except } => Others::Stop { except },
            OtherFields::Count { except } => Others::Count { except },
        },
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
