//! What leaves a run by itself - a file, pushes, a message - and who comes for it, and how long both are
//! waited for, once the data is as it will stay.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::complain_at_end;
use super::lineage;
use super::metrics_port::MetricsPort;
use crate::config::{Linger, Settings};
use crate::error::Error;
use crate::event::RunIdentity;
use crate::export::{Exporter, Lineage, RunEnd, RunLineage, left, routes, telling_allowance};
use crate::observe::Metrics;
use crate::outcome::Outcome;
use crate::pipeline::Stop;
use crate::report::RouteReport;

/// Signals are to be heard all the while.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub struct WaysOut {
    exporter: Exporter,
    lineage: Arc<RunLineage>,
}

impl WaysOut {
    /// Before anything has happened, so that the numbers are those of a beginning.
    pub fn new(
        settings: &Settings,
        identity: &RunIdentity,
        metrics: &Arc<Metrics>,
        started_at: SystemTime,
    ) -> WaysOut {
        let lineage = Arc::new(RunLineage::new(started_at, lineage::named(settings)));
        let routes = routes(&settings.export, identity, &lineage, || metrics.moment());
        let metrics = Arc::clone(metrics);
        WaysOut { exporter: Exporter::new(routes, move || metrics.moment()), lineage }
    }

    /// The run holds its output, so the numbers of its pipeline are its own.
    pub fn begin(&mut self, lineage: Lineage) {
        self.lineage.open(lineage);
        if let Err(error) = self.exporter.begin() {
            tracing::warn!("nobody is told of the run while it is on: {error}");
        }
    }

    /// Pushes have a time that they share, and a second signal ends it. Then those who scrape may come.
    pub fn tell(
        self,
        end: RunEnd,
        settings: &Settings,
        port: &mut MetricsPort,
        stop: &Stop,
    ) -> Vec<RouteReport> {
        let outcome = end.report.outcome;
        let allowance = telling_allowance(stop.since_signal(), settings.drain_timeout);
        let mut reports = self.exporter.finish(end, allowance, || stop.signal_count() > 1);
        reports.iter().for_each(|report| say_missing(report, settings, outcome));
        // Of a run that another one kept from its work that one has the numbers.
        let linger = settings.metrics.linger.filter(|_| outcome != Outcome::Locked);
        if let Some(linger) = linger {
            let scraped = wait_for_scrapes(linger, settings, port, stop);
            say_missing(&scraped, settings, outcome);
            reports.push(scraped);
        }
        reports
    }
}

/// Keeps the last numbers up until they were fetched. Nothing is waited for with more than a signal, for
/// there is nothing left to be finished.
fn wait_for_scrapes(
    linger: Linger,
    settings: &Settings,
    port: &mut MetricsPort,
    stop: &Stop,
) -> RouteReport {
    let signal_count = stop.signal_count();
    let time = left(linger.time_max, stop.since_signal(), settings.drain_timeout);
    let deadline = Instant::now() + time;
    let server = port.server(time, || stop.signal_count() > signal_count);
    let aim = server.map_or(String::new(), |server| server.url().to_string());
    let report = |reason: Option<String>| RouteReport { route: "scrape", aim: aim.clone(), reason };
    let Some(server) = server else {
        return report(Some("the port was not open".to_string()));
    };
    let mut scrapes = server.final_scrapes();
    let wanted = linger.scrapes;
    if *scrapes.borrow() >= wanted {
        return report(None);
    }
    tracing::info!("the last numbers are served until they are scraped, at most {time:.0?}");
    let runtime = match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(cause) => return report(Some(format!("cannot wait for it: {cause}"))),
    };
    runtime.block_on(async {
        loop {
            let came = timeout(LOOK_EVERY, scrapes.wait_for(|count| *count >= wanted)).await;
            let why = match came.map(|came| came.is_ok()) {
                Ok(true) => return report(None),
                Ok(false) => "the metrics server has ended".to_string(),
                Err(_) if stop.signal_count() > signal_count => "a signal ended it".to_string(),
                Err(_) if Instant::now() >= deadline => format!("waited {time:.0?}"),
                Err(_) => continue,
            };
            let count = *scrapes.borrow();
            return report(Some(format!("{count} of {wanted} scrapes of the last numbers: {why}")));
        }
    })
}

/// One line for each. It is an error where it becomes the exit code.
fn say_missing(report: &RouteReport, settings: &Settings, outcome: Outcome) {
    let Some(reason) = &report.reason else { return };
    let said = format!("{}: the end of the run did not arrive: {reason}", flag_of(report.route));
    let pipeline = settings.is_one_of_several.then_some(settings.pipeline_id.as_str());
    match (settings.reporting.requires_reports, pipeline) {
        (true, pipeline) => {
            complain_at_end(pipeline, &Error::config(said), outcome.unreported());
        }
        (false, Some(pipeline)) => tracing::warn!("{pipeline}: {said}"),
        (false, None) => tracing::warn!("{said}"),
    }
}

fn flag_of(route: &str) -> &'static str {
    match route {
        "textfile" => "--metrics-textfile",
        "push" => "--metrics-push",
        "remote_write" => "--metrics-remote-write",
        "webhook" => "--notify-webhook",
        "openlineage" => "--openlineage",
        "otlp_metrics" => "metrics to OpenTelemetry",
        "otlp_traces" => "the trace to OpenTelemetry",
        _ => "--metrics-until-scraped",
    }
}
