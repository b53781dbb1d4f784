//! `exporter`: serves the ledger as metrics, always on. It only reads, and goes on whatever becomes of the
//! file.

mod notices;
mod notifier;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;
use tracing::level_filters::LevelFilter;

use self::notices::{Look, NEWS_S};
use self::notifier::Notifier;
use crate::app;
use crate::cli::history::ExporterAsked;
use crate::config::{self, ExporterSettings, WrittenOptions};
use crate::console::logging::{self, Style};
use crate::error::{Error, Result};
use crate::ledger::{self, Missing, PipelineHistory, RunRow, now};
use crate::outcome::Outcome;
use crate::pipeline::Stop;
use crate::signals;
use crate::web::{LedgerPages, Protection, ServerFlags, bind};

pub fn run(asked: &ExporterAsked, written: WrittenOptions) -> Outcome {
    logging::install(Style::Text, LevelFilter::INFO);
    let pipeline = if let [only] = &asked.pipelines[..] { Some(only.as_str()) } else { None };
    let (place, settings) = match config::exporter_settings(written, pipeline) {
        Ok(settings) => settings,
        Err(mistakes) => {
            mistakes.iter().for_each(app::complain);
            return Outcome::Usage;
        }
    };
    match serve(asked, &settings, &place.path) {
        Ok(()) => Outcome::Complete,
        Err(error) => {
            app::complain(&error);
            error.kind.into()
        }
    }
}

/// Until a signal comes, which is how a service ends. The port is there before the first look at a ledger, whose
/// disk may hang.
fn serve(asked: &ExporterAsked, settings: &ExporterSettings, path: &Path) -> Result<()> {
    let stop = Arc::new(Stop::default());
    signals::listen(&stop);
    let protection = Protection::read(settings.web_config.as_deref())?;
    let bound = bind(&asked.host, asked.port, ServerFlags::OF_EXPORTER, protection)?;
    if let Some(doubt) = bound.doubt() {
        tracing::warn!("{doubt}");
    }
    let notifier = Notifier::start(settings, asked.notify_state.as_deref())?;
    let pages = Arc::new(LedgerPages::new(asked.labels_run_id));
    let server = bound.serve(Arc::clone(&pages) as _)?;
    tracing::info!("metrics on {}/metrics", server.url());
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let mut reader = LedgerReader { path, pipelines: &asked.pipelines, was_read: None };
    loop {
        let found = reader.read();
        if let (Some(notifier), Some((pipelines, lost))) = (&notifier, &found) {
            let (pipelines, lost) = (pipelines.clone(), lost.clone());
            notifier.look(Look { at: now(), pipelines, lost });
        }
        pages.update(found.map(|(pipelines, _)| pipelines));
        if waited(&runtime, asked.poll, &stop) {
            break;
        }
    }
    server.stop();
    if let Some(notifier) = notifier {
        notifier.finish();
    }
    Ok(())
}

/// Whether a signal came meanwhile.
fn waited(runtime: &tokio::runtime::Runtime, time: Duration, stop: &Stop) -> bool {
    runtime.block_on(async { timeout(time, stop.draining()).await.is_ok() })
}

struct LedgerReader<'a> {
    path: &'a Path,
    pipelines: &'a [String],
    /// A change is said, and not every look.
    was_read: Option<bool>,
}

impl LedgerReader<'_> {
    /// Pipelines, and the runs that were lost in the last days.
    fn read(&mut self) -> Option<(Vec<PipelineHistory>, Vec<RunRow>)> {
        let now = now();
        let look = |connection: &_| {
            let lost = ledger::lost_runs(connection, now - NEWS_S, now)?;
            Ok((ledger::pipelines(connection)?, lost))
        };
        let found = ledger::read(self.path, look)
            .and_then(|found| found.ok_or_else(|| Missing::because("there is none").of(self.path)));
        let is_read = found.is_ok();
        if self.was_read != Some(is_read) {
            match &found {
                Err(missing) => tracing::warn!("the ledger cannot be read: {missing}"),
                Ok(_) if self.was_read.is_some() => tracing::info!("the ledger is read again"),
                Ok(_) => {}
            }
        }
        self.was_read = Some(is_read);
        let (pipelines, mut lost) = found.ok()?;
        let is_wanted = |pipeline_id: &String| {
            self.pipelines.is_empty() || self.pipelines.contains(pipeline_id)
        };
        lost.retain(|run| is_wanted(&run.pipeline_id));
        let pipelines = pipelines.into_iter().filter(|it| is_wanted(&it.pipeline_id));
        Some((pipelines.map(|pipeline| pipeline.judged(now)).collect(), lost))
    }
}
