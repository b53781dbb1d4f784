//! A message to whoever is to know how a run ended.

use serde_json::{Value, json};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::error::{Later, Result};
use crate::export::http::{HttpClient, Request};
use crate::export::target::Target;
use crate::export::{Route, RunEnd};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::shown::Line;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeEvent {
    /// A run did not complete.
    Failure,
}

impl NoticeEvent {
    /// None where there is nothing to tell.
    fn of(report: &Report) -> Option<NoticeEvent> {
        (report.outcome != Outcome::Complete).then_some(NoticeEvent::Failure)
    }

    fn as_str(self) -> &'static str {
        match self {
            NoticeEvent::Failure => "failure",
        }
    }
}

pub struct Webhook {
    client: HttpClient,
    events: Vec<NoticeEvent>,
}

impl Webhook {
    pub fn new(target: &Target, events: &[NoticeEvent]) -> Webhook {
        Webhook { client: HttpClient::new(target.clone()), events: events.to_vec() }
    }

    async fn tell(&mut self, report: &Report) -> Result<()> {
        let Some(event) = NoticeEvent::of(report) else { return Ok(()) };
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let body = message(event, report).to_string().into_bytes();
        let url = self.client.target().url.clone();
        self.client.send(&Request { method: Method::POST, url, headers, body }).await
    }
}

impl Route for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn aim(&self) -> String {
        self.client.target().name()
    }

    /// Nobody else is told in its stead, so also of a run that another one kept from its work.
    fn is_wanted(&self, end: &RunEnd) -> bool {
        NoticeEvent::of(&end.report).is_some_and(|event| self.events.contains(&event))
    }

    /// A message that arrived twice is two messages.
    fn is_repeatable(&self) -> bool {
        false
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.tell(&end.report))
    }
}

/// The names are a contract, like those of the summary.
fn message(event: NoticeEvent, report: &Report) -> Value {
    let (run, counts) = (&report.run, &report.run.counts);
    let why = report.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let text = format!(
        "{}: {} with exit code {}{why}; {}",
        Line(&report.pipeline_id),
        report.outcome.as_str(),
        report.outcome.exit_code(),
        report.what_happened()
    );
    json!({
        "version": 1,
        "event": event.as_str(),
        "text": text,
        "pipeline_id": report.pipeline_id,
        "run_id": report.run_id,
        "outcome": report.outcome.as_str(),
        "exit_code": report.outcome.exit_code(),
        "reason": report.error,
        "started_at_seconds": report.started_at_seconds,
        "duration_seconds": run.elapsed.as_secs_f64(),
        "published": report.published.is_some(),
        "records": {
            "read": run.records_read,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "skipped": counts.skipped(),
            "failed": counts.failed,
        },
        "rejects_file": report.rejects,
    })
}
