//! The ways out of the numbers of a run, besides being asked for them: a file, and servers of others.
//! Each is a `Route`, in a file of its own; the `Exporter` drives them on a thread of its own, so that
//! nothing that moves records ever waits for them.
//!
//! All of them are given the same moment at the end, and what fails here changes nothing about the data:
//! it is a line, and a row in `reports` of the summary.

mod deadline;
mod exporter;
mod http;
mod labels;
mod openlineage;
mod otel_settings;
#[cfg(feature = "otlp")]
mod otlp;
mod pushgateway;
mod remote_write;
mod target;
mod textfile;
mod webhook;
mod write_request;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::deadline::{left, telling_allowance};
pub use self::exporter::Exporter;
pub use self::http::{HttpClient, Refusal, Request, client as http_client};
pub use self::labels::Labels;
use self::openlineage::OpenLineage;
pub use self::openlineage::{
    Dataset, DatasetField, Lineage, MadeColumn, OpenLineageSettings, ParentRun, RunLineage,
    complete as complete_lineage_url,
};
pub use self::otel_settings::{OtelSettings, OtlpProtocol, OtlpReceiver, Temporality};
use self::pushgateway::Pushgateway;
use self::remote_write::RemoteWrite;
pub use self::target::Target;
pub use self::textfile::{ENDING as TEXTFILE_ENDING, FLAG as TEXTFILE_FLAG, Textfile};
use self::webhook::Webhook;
pub use self::webhook::{Messenger, NoticeEvent, NoticeFormat};
use crate::error::{Later, Result};
use crate::event::RunIdentity;
use crate::observe::Moment;
use crate::outcome::Outcome;
use crate::report::Report;

/// How often a run that is on is told of. As Prometheus scrapes by default.
pub const PERIOD: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, Default)]
pub struct ExportSettings {
    pub textfile: Option<PathBuf>,
    pub push: Option<Target>,
    pub push_interval: Option<Duration>,
    pub remote_write: Option<Target>,
    pub webhook: Option<Target>,
    pub notify_on: Vec<NoticeEvent>,
    pub notify_format: NoticeFormat,
    pub openlineage: Option<OpenLineageSettings>,
    pub labels: Labels,
    pub otel: OtelSettings,
}

/// What leaves when a run has ended.
pub struct RunEnd {
    pub moment: Moment,
    pub report: Report,
    /// Of the run of the pipeline that ended last before this one, where that is known.
    pub outcome_before: Option<String>,
    /// The file of the numbers is certainly no other file of the run.
    pub is_file_apart: bool,
}

/// When a route is used while a run is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    AtTheEnd,
    Every(Duration),
    AtOnceAndEvery(Duration),
}

/// One way out. It is asked for one thing at a time, on a thread that others share: what blocks belongs
/// elsewhere. A future that is dropped may have been heard.
pub trait Route: Send {
    /// As `reports` calls it.
    fn name(&self) -> &'static str;

    /// Where it leads, without secrets.
    fn aim(&self) -> String;

    fn rhythm(&self) -> Rhythm {
        Rhythm::AtTheEnd
    }

    /// Whether this end is told. Of a run that another one kept from its work that one tells.
    fn is_wanted(&self, end: &RunEnd) -> bool {
        end.report.outcome != Outcome::Locked
    }

    /// How long telling of the end may take, within what all have together.
    fn patience(&self) -> Duration {
        Duration::MAX
    }

    /// What may have arrived may be sent again.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// How long what is under way when the end comes may go on: not at all where the end only says it again, as it
    /// does with zeros.
    fn grace(&self, is_first: bool) -> Duration {
        match is_first || self.is_repeatable() {
            true => Duration::ZERO,
            false => self.patience(),
        }
    }

    /// Where the rhythm is `AtOnceAndEvery`, before all else.
    fn begin(&mut self) -> Later<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn refresh<'a>(&'a mut self, _: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>>;
}

/// Those that are wanted; `zeros` are the numbers of a run that has done nothing yet.
pub fn routes(
    settings: &ExportSettings,
    identity: &RunIdentity,
    lineage: &Arc<RunLineage>,
    zeros: impl Fn() -> Moment,
) -> Vec<Box<dyn Route>> {
    let mut routes: Vec<Box<dyn Route>> = Vec::new();
    if let Some(path) = &settings.textfile {
        routes.push(Box::new(Textfile::new(path.clone())));
    }
    if let Some(target) = &settings.push {
        let (interval, labels) = (settings.push_interval, &settings.labels);
        routes.push(Box::new(Pushgateway::new(target, interval, &identity.pipeline_id, labels)));
    }
    if let Some(target) = &settings.remote_write {
        routes.push(Box::new(RemoteWrite::new(target, &settings.labels, zeros())));
    }
    if let Some(target) = &settings.webhook {
        routes.push(Box::new(Webhook::new(target, &settings.notify_on, settings.notify_format)));
    }
    if let Some(settings) = &settings.openlineage {
        routes.push(Box::new(OpenLineage::new(settings, identity, lineage)));
    }
    #[cfg(feature = "otlp")]
    {
        let metrics = otlp::OtlpMetrics::new(&settings.otel, identity, zeros());
        routes.extend(metrics.map(|route| Box::new(route) as Box<dyn Route>));
        let traces = otlp::OtlpTraces::new(&settings.otel, identity);
        routes.extend(traces.map(|route| Box::new(route) as Box<dyn Route>));
    }
    routes
}
