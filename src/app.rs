//! The wiring: the only place where concrete sources and sinks meet the pipeline.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing::level_filters::LevelFilter;

use crate::config::{
    LogFormat, LogLevel, Selection, Settings, SinkSettings, SourceSettings, Summary,
};
use crate::convert::Type;
use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Vitals};
use crate::observe::logging::{self, EventLog, Style};
use crate::observe::progress::Progress;
use crate::observe::{Fanout, Identity, Metrics, Pages, REVISION, Server, Stats, bind};
use crate::outcome::Outcome;
use crate::part::{in_use, is_same_file};
use crate::pipeline::{self, Ending, ErrorBudget, OnRejected, RetryPolicy, Run, Stop};
use crate::record::{ErrorType, Rejected, Shape};
use crate::rejects::{Keep, RejectFile};
use crate::report::{Report, json, text};
use crate::signals;
use crate::sink::file::{FLAG as OUTPUT_FLAG, FileSettings, FileSink, Target};
use crate::sink::{MarkPolicy, Sink};
use crate::source::Source;
use crate::source::csv::CsvSource;
use crate::source::jsonl::JsonlSource;
use crate::source::text::{Input, find};

/// What a power cut may cost of an unfinished file: by size, because a disk takes its time, and by
/// age, because counters advance here.
const MARK: MarkPolicy = MarkPolicy { bytes: 64 * 1024 * 1024, age: Duration::from_secs(1) };

/// Rejected records that are logged; all of them are kept.
const LOGGED_REJECTED_MAX: u64 = 10;

/// Runs one sync and says how it ended. Errors are said here, once.
pub fn run(settings: &Settings) -> Outcome {
    let screen = MultiProgress::with_draw_target(match show_bar(settings) {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    });
    let reporting = &settings.reporting;
    let style = match reporting.log_format {
        LogFormat::Text => Style::Text,
        LogFormat::Json => Style::Json,
    };
    logging::install(style, level(settings), &screen);
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    match keep_apart(settings) {
        Ok(()) => Session::start(settings, &screen).finish(settings),
        Err(error) => {
            say(settings, &error);
            error.kind.into()
        }
    }
}

fn show_bar(settings: &Settings) -> bool {
    let reporting = &settings.reporting;
    !reporting.is_quiet && reporting.log_format == LogFormat::Text && io::stderr().is_terminal()
}

fn level(settings: &Settings) -> LevelFilter {
    if settings.reporting.is_quiet {
        return LevelFilter::ERROR;
    }
    match settings.reporting.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// The one line that says why.
fn say(settings: &Settings, error: &Error) {
    match settings.reporting.log_format {
        LogFormat::Json => tracing::error!("{error}"),
        LogFormat::Text => complain(error),
    }
}

/// Says an error before there is a log.
pub fn complain(error: &Error) {
    // Who closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "flowgauge: {error}");
}

/// Says what was passed over among the settings where there is no log.
pub fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        // Who closed standard error does not want to know.
        let _ = writeln!(io::stderr(), "flowgauge: warning: {warning}");
    }
}

/// Every file of a run must be a file of its own: what is written would destroy what is read.
pub fn keep_apart(settings: &Settings) -> Result<()> {
    let inputs = match &settings.source {
        SourceSettings::Csv(csv) => find(&csv.files, "csv-file")?,
        SourceSettings::Jsonl(jsonl) => find(&jsonl.files, "jsonl-file")?,
    };
    let summary = match &settings.reporting.summary {
        Summary::File(path) => Some(path.as_path()),
        Summary::None | Summary::Stdout => None,
    };
    let written = [
        ("output-file", output(settings)),
        ("rejects", settings.rejects.as_deref()),
        ("summary-json", summary),
    ];
    let written: Vec<_> =
        written.into_iter().filter_map(|(flag, path)| Some((flag, path?))).collect();
    for (index, (flag, path)) in written.iter().enumerate() {
        let shown = path.display();
        let is_same =
            |input: &&Input| input.path.as_deref().is_some_and(|of| is_same_file(of, path));
        if let Some(input) = inputs.iter().find(is_same) {
            return Err(Error::config(format!("'{shown}' is the input '{}' itself", input.name))
                .help(format!("choose another --{flag}")));
        }
        let other = written[..index].iter().find(|(_, other)| is_same_place(other, path));
        if let Some((other, _)) = other {
            return Err(Error::config(format!("--{flag} and --{other} are both '{shown}'"))
                .help(format!("choose another --{flag}")));
        }
    }
    Ok(())
}

/// Also where nothing is yet.
fn is_same_place(one: &Path, other: &Path) -> bool {
    let absolute = |path| std::path::absolute(path).ok();
    is_same_file(one, other) || absolute(one) == absolute(other)
}

/// A run that has ended, with everything that still has to be told or put away.
struct Session {
    stats: Arc<Stats>,
    run_id: String,
    ending: Ending,
    /// Nothing was moved, not even begun to be.
    is_refused: bool,
    server: Option<Server>,
}

impl Session {
    fn start(settings: &Settings, screen: &MultiProgress) -> Session {
        let run_id = uuid::Uuid::now_v7().to_string();
        let vitals = Arc::new(Vitals::sized(
            settings.worker_count,
            settings.lane_count,
            settings.memory_limit,
        ));
        let stats = Arc::new(Stats::new(Arc::clone(&vitals)));
        let mut session =
            Session { stats, run_id, ending: Ending::default(), is_refused: false, server: None };
        match session.run(settings, screen, vitals) {
            Ok(ending) => session.ending = ending,
            Err(error) => {
                session.is_refused = true;
                let outcome = error.kind.into();
                session.ending = Ending { outcome, error: Some(error), ..Ending::default() };
            }
        }
        session
    }

    /// Opens everything, in the order in which a mistake costs least, and runs.
    fn run(
        &mut self,
        settings: &Settings,
        screen: &MultiProgress,
        vitals: Arc<Vitals>,
    ) -> Result<Ending> {
        let started = Instant::now();
        let stats = Arc::clone(&self.stats);
        let serving = serve(settings, &self.run_id, &stats)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lanes")
            .enable_all()
            .build()
            .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
        let stop = Arc::new(Stop::default());
        runtime.block_on(async { signals::listen(&stop) })?;
        // The output first: whoever else writes it must be known before a pipe is waited for.
        let target = Target::take(file(settings))?;
        let rejects = open_rejects(settings, &self.run_id)?;
        let opened = runtime.block_on(open(settings, &stop))?;
        let Some(opened) = opened else {
            // Whoever reads is left reading.
            runtime.shutdown_background();
            let outcome = stop.received().map_or(Outcome::Internal, Outcome::Interrupted);
            return Ok(Ending { outcome, ..Ending::default() });
        };
        let sink = opened.sink(settings, target);
        let run = Arc::new(Run {
            source: opened.source,
            sink: Arc::new(sink),
            observer: Arc::new(Fanout::new(vec![
                Arc::clone(&stats) as Arc<dyn Observer>,
                Arc::new(EventLog),
            ])),
            on_rejected: log_rejected(settings.error_budget),
            vitals,
            stop,
            limit: settings.limit,
            error_budget: settings.error_budget,
            retry: RetryPolicy::default(),
            mark: MARK,
            drain_timeout: settings.drain_timeout,
            started,
        });
        tracing::info!("{}", intent(settings, &self.run_id));
        let progress = (!settings.reporting.is_quiet)
            .then(|| Progress::start(stats, screen, show_bar(settings)));
        let ending = runtime.block_on(pipeline::run(run, Box::new(rejects)));
        // A write or sync that hangs is not waited for.
        runtime.shutdown_background();
        drop(progress);
        self.server = serving.map(|(pages, server)| {
            pages.publish(ending.published.is_some());
            server
        });
        Ok(ending)
    }

    fn finish(self, settings: &Settings) -> Outcome {
        let Session { stats, run_id, ending, is_refused, server } = self;
        let outcome = ending.outcome;
        let started = stats.started_at().duration_since(UNIX_EPOCH).unwrap_or_default();
        let report = Report {
            pipeline_id: settings.pipeline_id.clone(),
            run_id,
            started_at_seconds: started.as_secs_f64(),
            outcome,
            error: ending.error.as_ref().map(ToString::to_string),
            published: ending.published,
            is_stream: output(settings).is_none(),
            rejects: ending.rejects.map(|path| path.display().to_string()),
            run: stats.snapshot(),
        };
        if !is_refused {
            show_summary(&report, settings);
        }
        let written = write_summary(&report, settings);
        if let Some(server) = server {
            server.stop();
        }
        if let Some(error) = &ending.error {
            say(settings, error);
        }
        match written {
            Ok(()) => outcome,
            Err(error) => {
                say(settings, &error);
                if outcome == Outcome::Complete { error.kind.into() } else { outcome }
            }
        }
    }
}

/// Opens the source, or gives up when a signal comes: opening reads, and a pipe may bring nothing
/// for ever.
async fn open(settings: &Settings, stop: &Stop) -> Result<Option<Opened>> {
    let settings = settings.clone();
    let opening = tokio::task::spawn_blocking(move || Opened::new(&settings));
    tokio::select! {
        opened = opening => match opened {
            Ok(opened) => opened.map(Some),
            Err(cause) => Err(Error::internal("opening the source broke off").because(cause)),
        },
        () = stop.draining() => Ok(None),
    }
}

/// The two ends of a run, and what the columns are called.
pub struct Opened {
    pub source: Arc<dyn Source>,
    pub shape: Shape,
    /// As the sink calls them.
    pub names: Vec<String>,
    /// What the columns hold, where the source knows.
    pub kinds: Vec<Type>,
}

impl Opened {
    pub fn new(settings: &Settings) -> Result<Opened> {
        let mut kinds = Vec::new();
        let source: Arc<dyn Source> = match &settings.source {
            SourceSettings::Csv(csv) => {
                let source = CsvSource::open(csv.clone())?;
                kinds = source.values().kinds().map(|(_, kind)| kind).collect();
                Arc::new(source)
            }
            SourceSettings::Jsonl(jsonl) => Arc::new(JsonlSource::open(jsonl.clone())?),
        };
        let shape = source.decoder().shape();
        let names = match (&settings.selection, &shape) {
            (Some(Selection { new, .. }), _) => new.clone(),
            (None, Shape::Columns(names)) => names.to_vec(),
            (None, Shape::Documents) => Vec::new(),
        };
        Ok(Opened { source, shape, names, kinds })
    }

    fn sink(&self, settings: &Settings, target: Target) -> FileSink {
        FileSink::open(file(settings), target, &self.shape, &self.names)
    }

    /// A sink that writes nothing.
    pub fn preview(&self, settings: &Settings) -> Result<impl Sink + use<>> {
        FileSink::preview(file(settings), &self.shape, &self.names)
    }
}

fn file(settings: &Settings) -> &FileSettings {
    let SinkSettings::File(file) = &settings.sink;
    file
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

fn output(settings: &Settings) -> Option<&Path> {
    let SinkSettings::File(file) = &settings.sink;
    file.path.as_deref()
}

fn serve(
    settings: &Settings,
    run_id: &str,
    stats: &Arc<Stats>,
) -> Result<Option<(Arc<Pages>, Server)>> {
    let Some(port) = settings.metrics.port else { return Ok(None) };
    let (source, source_format) = match settings.source {
        SourceSettings::Csv(_) => ("csv", "csv"),
        SourceSettings::Jsonl(_) => ("jsonl", "jsonl"),
    };
    let SinkSettings::File(file) = &settings.sink;
    let identity = Identity {
        pipeline_id: settings.pipeline_id.clone(),
        run_id: run_id.to_string(),
        source,
        sink: "file",
        source_format,
        sink_format: file.format.as_str(),
        version: env!("CARGO_PKG_VERSION"),
        revision: REVISION,
        expected_interval: settings.metrics.expected_interval,
    };
    let pages = Arc::new(Pages::new(Arc::new(Metrics::new(Arc::clone(stats), identity))));
    let bound = bind(&settings.metrics.host, port).map_err(|error| {
        // Two runs of one pipeline meet at the port first; what they compete for is the output.
        output(settings).and_then(|path| in_use(path, OUTPUT_FLAG)).unwrap_or(error)
    })?;
    let server = bound.serve(Arc::clone(&pages))?;
    tracing::info!("metrics on http://{}/metrics", server.address());
    Ok(Some((pages, server)))
}

fn open_rejects(settings: &Settings, run_id: &str) -> Result<RejectFile> {
    if let Some(path) = &settings.rejects {
        return RejectFile::create(path, Keep::Always);
    }
    let Some(directory) = &settings.state_dir else {
        return Err(Error::config("there is no place for rejected records: HOME is not set")
            .help("set --state-dir or --rejects"));
    };
    let id = file_name(&settings.pipeline_id);
    let path = directory.join("rejects").join(format!("{id}-{run_id}.jsonl"));
    RejectFile::create(&path, Keep::WhenNeeded)
}

/// A name as part of a file name.
fn file_name(name: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    name.chars().map(|c| if is_safe(c) { c } else { '_' }).take(100).collect()
}

/// Where none is put up with, the error that ends the run says it; otherwise the log shows the
/// first ones.
fn log_rejected(budget: ErrorBudget) -> OnRejected {
    let logged = AtomicU64::new(0);
    Arc::new(move |rejected: &Rejected| {
        if budget == ErrorBudget::Count(0) {
            return;
        }
        match logged.fetch_add(1, Ordering::Relaxed) {
            number if number < LOGGED_REJECTED_MAX => {
                tracing::warn!("rejected: {}: {}", rejected.place, rejected.reason);
            }
            LOGGED_REJECTED_MAX => {
                tracing::warn!("more records are rejected; they are kept and no longer logged");
            }
            _ => {}
        }
    })
}

fn show_summary(report: &Report, settings: &Settings) {
    if let Some(published) = &report.published
        && let (Some(name), Some(bytes)) = (&published.name, published.replaced_bytes)
    {
        tracing::info!("'{name}' was replaced; it had {} bytes", text::count(bytes));
    }
    let reporting = &settings.reporting;
    if !reporting.is_quiet {
        match reporting.log_format {
            LogFormat::Text => {
                // Who closed standard error does not want to know.
                let _ = write!(io::stderr(), "{}", text::summary(report));
            }
            LogFormat::Json => {
                tracing::info!(summary = %json::summary(report), "run {}", report.outcome.as_str());
            }
        }
    }
}

fn write_summary(report: &Report, settings: &Settings) -> Result<()> {
    let document = || format!("{:#}\n", json::summary(report));
    match &settings.reporting.summary {
        Summary::None => Ok(()),
        Summary::Stdout => {
            io::stdout().write_all(document().as_bytes()).map_err(|cause| match cause.kind() {
                io::ErrorKind::BrokenPipe => Error::new(
                    Kind::OutputClosed,
                    ErrorType::Other,
                    "the reader of standard output went away before the summary",
                ),
                _ => Error::local_io("cannot write the summary", cause),
            })
        }
        Summary::File(path) => replace(path, &document()).map_err(|cause| {
            Error::local_io(format!("cannot write the summary '{}'", path.display()), cause)
                .help("check --summary-json")
        }),
    }
}

/// Writes a small file whole or not at all; into what is no file, such as a pipe, as it comes.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_other = fs::metadata(&resolved).is_ok_and(|found| !found.is_file());
    if is_other {
        return fs::OpenOptions::new().write(true).open(&resolved)?.write_all(content.as_bytes());
    }
    let name = resolved.file_name().unwrap_or_default().to_string_lossy();
    let part = resolved.with_file_name(format!(".{name}.{}.part", std::process::id()));
    fs::write(&part, content).and_then(|()| fs::rename(&part, &resolved)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    })
}
