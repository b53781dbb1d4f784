//! One run, from its opening to what is told of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};

use super::ends::{Destination, Ends, output};
use super::history::{History, PAST_MAX, cannot_compare, ledger_give_up, minimum_against};
use super::intent::intent;
use super::keep_apart::{lone, lone_summary};
use super::lineage;
use super::metrics_port::MetricsPort;
use super::preflight::{check_streams, open_rejects};
use super::stream::is_stream;
use super::summary::Unwritten;
use super::text_files::text_files;
use super::ways_out::WaysOut;
use super::{backup, complain, complain_at_end, show_bar, summary};
use crate::config::{Settings, SinkSettings};
use crate::console::logging::EventLog;
use crate::console::panics;
use crate::console::progress::{EndNames, Progress};
use crate::console::standard_error::standard_error;
use crate::error::{Error, Result};
use crate::event::{Event, Observer, RunIdentity, Vitals};
use crate::export::{NoticeEvent, RunEnd, TEXTFILE_FLAG};
use crate::ledger::Past;
use crate::observe::{Fanout, Metrics, REVISION, Stats};
use crate::outcome::Outcome;
use crate::part::in_use;
use crate::pipeline::{self, Ending, MaxErrors, Minimum, OnRejected, RetryPolicy, Run, Stop};
use crate::record::{Counts, Rejected};
use crate::rejects::RejectFile;
use crate::report::{LEDGER_ROUTE, OutputKind, Report, Restore, text};
use crate::secret::by_name;
use crate::signals;
use crate::sink::MarkPolicy;
use crate::sink::file::FLAG as OUTPUT_FLAG;
use crate::web::Pages;

/// What a power cut may cost of an unfinished file: by size, because a disk takes its time, and by
/// age, because counters advance here.
const MARK: MarkPolicy = MarkPolicy { bytes: 64 * 1024 * 1024, age: Duration::from_secs(1) };

/// Rejected records that are logged; all of them are kept.
const LOGGED_REJECTED_MAX: u64 = 10;

/// What a ledger that others write may take to be open, which `--max-shrink` waits for, and signals are heard.
const LEDGER_MAX: Duration = Duration::from_secs(6);

/// Lines are written in much less, or not soon.
const COUNT_WAIT_MAX: Duration = Duration::from_millis(100);

/// A run, and when it has ended everything that still has to be told or put away.
pub struct RunSession {
    started: Instant,
    vitals: Arc<Vitals>,
    stats: Arc<Stats>,
    metrics: Arc<Metrics>,
    observer: Arc<dyn Observer>,
    ending: Ending,
    restore: Option<Restore>,
    /// Nothing was moved, not even begun to be.
    is_refused: bool,
    summary: SummaryFile,
    /// The runs of the pipeline before this one.
    past: Arc<Past>,
    history: History,
    port: MetricsPort,
    ways_out: WaysOut,
    stop: Arc<Stop>,
}

/// What is known of where the summary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SummaryFile {
    Writable,
    /// It could not be written at the start, which was said.
    Failing,
    /// It may be another file of the run.
    Unknown,
    /// Its disk does not answer, which was said.
    Hung,
}

impl RunSession {
    fn new(settings: &Settings) -> RunSession {
        let vitals = Arc::new(Vitals::sized(
            settings.worker_count,
            settings.lane_count,
            settings.memory_limit,
        ));
        let stats = Arc::new(Stats::new(Arc::clone(&vitals)));
        let identity = Arc::new(identity(settings));
        let past = Arc::<Past>::default();
        let metrics =
            Arc::new(Metrics::new(Arc::clone(&stats), Arc::clone(&identity), Arc::clone(&past)));
        let ways_out = WaysOut::new(settings, &identity, &metrics, stats.started_at());
        let listeners: Vec<Arc<dyn Observer>> = vec![
            Arc::clone(&stats) as _,
            Arc::clone(metrics.timeline()) as _,
            Arc::new(EventLog::default()),
        ];
        let observer: Arc<dyn Observer> = Arc::new(Fanout::new(listeners));
        observer.notice(&Event::Began(identity));
        RunSession {
            started: Instant::now(),
            vitals,
            stats,
            metrics,
            observer,
            ending: Ending::default(),
            restore: None,
            is_refused: false,
            summary: SummaryFile::Unknown,
            past,
            history: History::Off,
            port: MetricsPort::Closed,
            ways_out,
            stop: Arc::default(),
        }
    }

    /// From here on it is a run, whatever becomes of it: it begins once and ends once.
    pub fn start(settings: &Settings) -> RunSession {
        let mut session = RunSession::new(settings);
        // Before there is anything to put away.
        signals::listen(&session.stop);
        match panics::caught(|| session.run(settings)) {
            Ok(ending) => session.ending = ending,
            Err(error) => {
                session.is_refused = true;
                session.ending = refusal(error);
            }
        }
        session.end();
        session
    }

    /// All who ask from now on are told the same.
    fn end(&mut self) {
        let ending = &mut self.ending;
        ending.outcome = panics::judged(ending.outcome);
        ending.error = panics::explained(ending.outcome, ending.error.take());
        ending.tell(&*self.observer, self.started.elapsed());
        // A run of a moment may be over before its ledger is open, which the last numbers have.
        let _ = self.past.wait_unless(PAST_MAX, || self.stop.signal_count() > 1);
        self.metrics.freeze();
    }

    /// Opens everything, in the order in which a mistake costs least, and runs. The numbers are there to
    /// be asked for before anything can be refused.
    fn run(&mut self, settings: &Settings) -> Result<Ending> {
        let served = self.serve(settings);
        let checked = check_streams(settings);
        let url = self.port.url();
        self.history = History::begin(settings, &self.stats, &self.past, checked.is_ok(), url);
        checked?;
        let begun = summary::begin(&self.report(settings), settings, &self.stop);
        if let Err(Unwritten { error, is_hung }) = begun {
            self.summary = if is_hung { SummaryFile::Hung } else { SummaryFile::Failing };
            self.is_refused = true;
            let outcome = self.stop.received().map(Outcome::Interrupted);
            let refused = refusal(error);
            return Ok(Ending { outcome: outcome.unwrap_or(refused.outcome), ..refused });
        }
        self.summary = SummaryFile::Writable;
        served?;
        self.move_records(settings)
    }

    fn move_records(&mut self, settings: &Settings) -> Result<Ending> {
        let runtime = LaneRuntime::start()?;
        let stop = Arc::clone(&self.stop);
        let progress = (!settings.reporting.is_quiet).then(|| {
            let (source, sink) = (settings.source.kind().0, settings.sink.kind().0);
            let ends = EndNames { source, sink, reads_pipe: reads_pipe(settings) };
            Progress::start(Arc::clone(&self.stats), show_bar(settings), ends)
        });
        // Before anything is taken that would have to be given back.
        let minimum = self.minimum(settings)?;
        let opening = open(settings, &self.observer);
        let opened = runtime.block_on(async {
            tokio::select! {
                opened = opening => opened.map(Some),
                () = stop.draining() => Ok(None),
            }
        })?;
        let Some((ends, rejects)) = opened else {
            let outcome = stop.received().map_or(Outcome::Internal, Outcome::Interrupted);
            return Ok(Ending { outcome, ..Ending::default() });
        };
        self.ways_out.begin(lineage::opened(settings, &ends));
        self.restore = backup::restore(settings, &*ends.source);
        let table = ends.table.as_deref();
        tracing::info!(
            event = "started",
            "{}: {}; {}, run {}",
            settings.pipeline_id,
            intent(settings, table),
            text::counted(settings.worker_count, "worker"),
            settings.run_id
        );
        for warning in table.iter().flat_map(|table| &table.plan.warnings) {
            tracing::warn!("{warning}");
        }
        let run = Arc::new(Run {
            source: ends.source,
            decoder: ends.decoder,
            sink: ends.sink,
            observer: Arc::clone(&self.observer),
            on_rejected: log_rejected(settings.max_errors),
            vitals: Arc::clone(&self.vitals),
            stop,
            limit: ends.limit,
            max_errors: settings.max_errors,
            minimum,
            retry: RetryPolicy::default(),
            mark: MARK,
            drain_timeout: settings.drain_timeout,
            rows_per_second_max: settings.rows_per_second_max,
        });
        let ending = runtime.block_on(pipeline::run(run, Box::new(rejects)));
        if table.is_some_and(|table| table.is_key_doubtful) {
            say_who_met(&self.stats.numbers().counts);
        }
        drop((runtime, progress));
        Ok(ending)
    }

    /// With what the last complete run had, where this one is compared with it.
    fn minimum(&self, settings: &Settings) -> Result<Minimum> {
        if settings.max_shrink.is_none() {
            return Ok(settings.minimum);
        }
        let past = self.past.wait_unless(LEDGER_MAX, || self.stop.is_stopping());
        Ok(minimum_against(settings, past.ok_or_else(cannot_compare)?))
    }

    fn serve(&mut self, settings: &Settings) -> Result<()> {
        let Some(port) = settings.metrics.port else { return Ok(()) };
        let pages = Arc::new(Pages::new(Arc::clone(&self.metrics)));
        self.port = MetricsPort::open(settings, port, pages).map_err(|error| {
            // Two runs of one pipeline meet at the port first; what they compete for is the output.
            output(settings).and_then(|path| in_use(path, OUTPUT_FLAG)).unwrap_or(error)
        })?;
        Ok(())
    }

    pub fn finish(self, settings: &Settings) -> Outcome {
        // What is being written is counted when it could not be.
        standard_error().finish(COUNT_WAIT_MAX);
        let mut report = self.report(settings);
        let RunSession {
            ending,
            is_refused,
            summary,
            mut history,
            mut port,
            stop,
            metrics,
            ways_out,
            past,
            ..
        } = self;
        let outcome = ending.outcome;
        let data_told = match summary {
            SummaryFile::Writable => summary::data_ended(&report, settings, &stop),
            SummaryFile::Unknown => {
                refused(&report, settings);
                Ok(())
            }
            SummaryFile::Failing | SummaryFile::Hung => Ok(()),
        };
        if !is_refused {
            summary::show(&report, settings);
        }
        // Before the summary: nobody may be reading that.
        let pipeline = settings.is_one_of_several.then_some(settings.pipeline_id.as_str());
        if let Some(error) = &ending.error {
            complain_at_end(pipeline, error, outcome);
        }
        let asks_for_recovery = settings.export.notify_on.contains(&NoticeEvent::Recovery);
        let before = || {
            let past = past.wait_unless(PAST_MAX, || stop.signal_count() > 1)?;
            past.last.as_ref()?.outcome.clone()
        };
        let outcome_before = asks_for_recovery.then(before).flatten();
        // Before those who may take their time: from here on it is not lost, whatever becomes of them.
        let give_up = ledger_give_up(&stop, settings.drain_timeout);
        let kept = history.end(&report, &give_up);
        let is_file_apart =
            summary != SummaryFile::Unknown || lone(settings, TEXTFILE_FLAG).is_some();
        let end = RunEnd {
            moment: metrics.moment(),
            report: report.clone(),
            outcome_before,
            is_file_apart,
        };
        report.reports = ways_out.tell(end, settings, &mut port, &stop);
        report.reports.extend(kept);
        let is_kept =
            report.reports.iter().any(|report| report.route == LEDGER_ROUTE && report.is_ok());
        if is_kept {
            history.told(&report.reports, report.exit(), &give_up);
        }
        let told = match summary {
            // Whoever hangs may still write what it was given, so nobody else writes there.
            SummaryFile::Writable => match data_told {
                Ok(()) => summary::told(&report, settings, &stop),
                Err(Unwritten { error, .. }) => Err(summary::missing(error)),
            },
            // There may be room again. Why not was said.
            SummaryFile::Failing => summary::told(&report, settings, &stop).or(Ok(())),
            SummaryFile::Unknown => {
                refused(&report, settings);
                Ok(())
            }
            SummaryFile::Hung => Ok(()),
        };
        let exit = match told {
            Ok(()) => report.exit(),
            Err(error) => {
                let exit = if outcome == Outcome::Complete { error.kind.into() } else { outcome };
                complain_at_end(pipeline, &error, exit);
                exit
            }
        };
        if is_kept {
            history.close(exit);
        }
        port.close();
        exit
    }

    fn report(&self, settings: &Settings) -> Report {
        let seconds =
            |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let ending = &self.ending;
        Report {
            pipeline_id: settings.pipeline_id.clone(),
            run_id: settings.run_id.clone(),
            started_at_seconds: seconds(self.stats.started_at()),
            ended_at_seconds: self.stats.ended_at().map(seconds),
            outcome: ending.outcome,
            error: ending.error.as_ref().map(|error| by_name(&error.to_string())),
            published: ending.published.clone(),
            source: settings.source.kind().0,
            sink: settings.sink.kind().0,
            output: output_kind(settings),
            rejects: ending.rejects.as_ref().map(|path| path.display().to_string()),
            rejects_lost: ending.rejects_lost,
            restore: self.restore.clone(),
            unclear: ending.unclear,
            log_lines_dropped: standard_error().dropped(),
            has_idle_cores: has_idle_cores(settings),
            reads_pipe: reads_pipe(settings),
            reports: Vec::new(),
            requires_reports: settings.reporting.requires_reports,
            requires_ledger: settings.ledger.is_required,
            run: self.stats.numbers(),
        }
    }
}

fn has_idle_cores(settings: &Settings) -> bool {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    settings.worker_count < cores as u64
}

fn reads_pipe(settings: &Settings) -> bool {
    let is_pipe = |name: &String| name == "-" || is_stream(Path::new(name));
    text_files(settings).names.iter().any(is_pipe)
}

/// The runtime of the lanes. Dropping it waits for nobody: a write or sync may hang, and whoever reads
/// is left reading.
struct LaneRuntime(Option<Runtime>);

impl LaneRuntime {
    fn start() -> Result<LaneRuntime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lanes")
            .enable_all()
            .build()
            .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
        Ok(LaneRuntime(Some(runtime)))
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is there until it is dropped").block_on(future)
    }
}

impl Drop for LaneRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Records that differ may share their key, so that those that are not there are counted as something
/// else.
fn say_who_met(counts: &Counts) {
    let met = counts.duplicate + counts.updated;
    if met > 0 {
        tracing::warn!(
            "{} met a row with their key: of an earlier run, or of another record of this one that has the same key, as the warning at the start has it",
            text::counted(met, "record")
        );
    }
}

fn output_kind(settings: &Settings) -> OutputKind {
    match &settings.sink {
        SinkSettings::File(file) if file.path.is_none() => OutputKind::Stream,
        SinkSettings::File(_) => OutputKind::File,
        SinkSettings::Mysql(mysql) => OutputKind::Table(mysql.full_table().to_string()),
    }
}

/// The output first: whoever else writes it must be known before a pipe is waited for.
async fn open(settings: &Settings, observer: &Arc<dyn Observer>) -> Result<(Ends, RejectFile)> {
    let output = Destination::take(settings, observer).await?;
    let guard = output.guard();
    let opened = async {
        let rejects = open_rejects(settings)?;
        let ends = Ends::open(settings, output, observer).await?;
        Ok((ends, rejects))
    };
    let opened = opened.await;
    if let (Err(_), Some(guard)) = (&opened, guard) {
        guard.release().await;
    }
    opened
}

fn identity(settings: &Settings) -> RunIdentity {
    let (source, source_format) = settings.source.kind();
    let (sink, sink_format) = settings.sink.kind();
    RunIdentity {
        pipeline_id: settings.pipeline_id.clone(),
        run_id: settings.run_id.clone(),
        source,
        sink,
        source_format,
        sink_format,
        version: env!("CARGO_PKG_VERSION"),
        revision: REVISION,
        expected_interval: settings.metrics.expected_interval,
        has_ledger: settings.ledger.path.is_some(),
        trace: settings.export.otel.trace.clone(),
    }
}

/// The summary of a run that was refused before it was known which files are its own.
fn refused(report: &Report, settings: &Settings) {
    if let Some(path) = lone_summary(settings)
        && let Err(error) = summary::refused(report, path)
    {
        complain(&error);
    }
}

/// Nothing was moved, not even begun to be.
fn refusal(error: Error) -> Ending {
    Ending { outcome: error.kind.into(), error: Some(error), ..Ending::default() }
}

/// Where no rejected record is allowed, the error that ends the run says it; otherwise the log shows the
/// first ones.
fn log_rejected(budget: MaxErrors) -> OnRejected {
    let logged = AtomicU64::new(0);
    Arc::new(move |rejected: &Rejected| {
        if budget == MaxErrors::Count(0) {
            return;
        }
        match logged.fetch_add(1, Ordering::Relaxed) {
            number if number < LOGGED_REJECTED_MAX => {
                tracing::warn!(
                    event = "rejected",
                    error_type = rejected.error_type.as_str(),
                    "rejected: {}: {}",
                    rejected.place,
                    rejected.reason
                );
            }
            LOGGED_REJECTED_MAX => {
                tracing::warn!("more records are rejected; they are kept and no longer logged");
            }
            _ => {}
        }
    })
}
