//! `exporter`: serves the ledger as metrics, always on. It only reads, and goes on whatever becomes of the
//! file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;
use tracing::level_filters::LevelFilter;

use super::history::place;
use crate::app;
use crate::cli::history::ExporterAsked;
use crate::config::WrittenOptions;
use crate::error::{Error, Result};
use crate::ledger::{self, Missing, PipelineHistory, now};
use crate::observe::logging::{self, Style};
use crate::observe::{LedgerPages, Protection, bind};
use crate::outcome::Outcome;
use crate::pipeline::Stop;
use crate::signals;

pub fn run(asked: &ExporterAsked, written: WrittenOptions) -> Outcome {
    logging::install(Style::Text, LevelFilter::INFO);
    let place = match place(written, &asked.pipelines) {
        Ok(place) => place,
        Err(outcome) => return outcome,
    };
    match serve(asked, &place.path) {
        Ok(()) => Outcome::Complete,
        Err(error) => {
            app::complain(&error);
            error.kind.into()
        }
    }
}

/// Until a signal comes, which is how a service ends.
fn serve(asked: &ExporterAsked, path: &Path) -> Result<()> {
    let stop = Arc::new(Stop::default());
    signals::listen(&stop);
    let pages = Arc::new(LedgerPages::new(asked.labels_run_id));
    let mut reader = LedgerReader { path, pipelines: &asked.pipelines, was_read: None };
    pages.update(reader.read());
    let bound = bind(&asked.host, asked.port, Protection::default())?;
    if let Some(doubt) = bound.doubt() {
        tracing::warn!("{doubt}");
    }
    let server = bound.serve(Arc::clone(&pages) as _)?;
    tracing::info!("metrics on {}/metrics", server.url());
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    while !waited(&runtime, asked.poll, &stop) {
        pages.update(reader.read());
    }
    server.stop();
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
    fn read(&mut self) -> Option<Vec<PipelineHistory>> {
        let found = ledger::read(self.path, ledger::pipelines)
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
        let is_wanted = |pipeline: &PipelineHistory| {
            self.pipelines.is_empty() || self.pipelines.contains(&pipeline.pipeline_id)
        };
        let pipelines = found.ok()?.into_iter().filter(is_wanted);
        Some(pipelines.map(|pipeline| pipeline.judged(now())).collect())
    }
}
