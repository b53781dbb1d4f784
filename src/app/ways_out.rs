//! What leaves a run by itself - a file, pushes, a message - and how long that is waited for, once the
//! data is as it will stay.

use std::sync::Arc;

use super::complain_of;
use crate::config::Settings;
use crate::error::Error;
use crate::export::{Exporter, RunEnd, allowance, routes};
use crate::observe::Metrics;
use crate::pipeline::Stop;
use crate::report::{Report, RouteReport};

pub struct WaysOut {
    exporter: Exporter,
}

impl WaysOut {
    /// Before anything has happened, so that the numbers are those of a beginning.
    pub fn new(settings: &Settings, metrics: &Arc<Metrics>) -> WaysOut {
        let routes = routes(&settings.export, &settings.pipeline_id, || metrics.moment());
        let metrics = Arc::clone(metrics);
        WaysOut { exporter: Exporter::new(routes, move || metrics.moment()) }
    }

    /// The run holds its output, so the numbers of its pipeline are its own.
    pub fn begin(&mut self) {
        if let Err(error) = self.exporter.begin() {
            tracing::warn!("nobody is told of the run while it is on: {error}");
        }
    }

    /// All of them together have a time, and a second signal ends it.
    pub fn tell(
        self,
        report: &Arc<Report>,
        settings: &Settings,
        metrics: &Metrics,
        stop: &Stop,
    ) -> Vec<RouteReport> {
        let end = RunEnd { moment: metrics.moment(), report: Arc::clone(report) };
        let allowance = allowance(stop.since_signal(), settings.drain_timeout);
        let reports = self.exporter.finish(end, allowance, || stop.signal_count() > 1);
        reports.iter().for_each(|report| say_missing(report, settings));
        reports
    }
}

/// One line for each. It is an error where it becomes the exit code.
fn say_missing(report: &RouteReport, settings: &Settings) {
    let Some(reason) = &report.reason else { return };
    let said = format!("{} did not get the end of the run: {reason}", words_of(report.route));
    let pipeline = settings.is_one_of_several.then_some(settings.pipeline_id.as_str());
    match settings.reporting.requires_reports {
        true => complain_of(pipeline, &Error::config(said)),
        false => match pipeline {
            Some(pipeline) => tracing::warn!("{pipeline}: {said}"),
            None => tracing::warn!("{said}"),
        },
    }
}

fn words_of(route: &str) -> &'static str {
    match route {
        "textfile" => "--metrics-textfile",
        "push" => "--metrics-push",
        "remote_write" => "--metrics-remote-write",
        "webhook" => "--notify-webhook",
        _ => "--metrics-until-scraped",
    }
}
