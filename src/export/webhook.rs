//! A message to whoever is to know how a run ended.

use serde_json::{Value, json};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::error::{Later, Result};
use crate::export::http::{HttpClient, Request};
use crate::export::target::Target;
use crate::export::{Route, RunEnd};
use crate::outcome::Outcome;
use crate::shown::Line;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeEvent {
    /// A run did not complete.
    Failure,
    /// A run is complete, and the one before was not.
    Recovery,
}

impl NoticeEvent {
    /// None where there is nothing to tell.
    fn of(end: &RunEnd) -> Option<NoticeEvent> {
        let before = end.outcome_before.as_deref();
        match end.report.outcome {
            Outcome::Complete => before
                .is_some_and(|before| before != Outcome::Complete.as_str())
                .then_some(NoticeEvent::Recovery),
            _ => Some(NoticeEvent::Failure),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            NoticeEvent::Failure => "failure",
            NoticeEvent::Recovery => "recovery",
        }
    }
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoticeFormat {
    /// An object with all there is to know.
    #[default]
    Json,
    /// The sentence alone, as the incoming webhooks of Slack take it, and of others that speak alike.
    Slack,
}

impl NoticeFormat {
    fn body(self, message: &Value) -> Vec<u8> {
        match self {
            NoticeFormat::Json => message.to_string().into_bytes(),
            NoticeFormat::Slack => {
                let text = message["text"].as_str().unwrap_or_default();
                // These begin and end what Slack takes for a link or a mention.
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                json!({ "text": text }).to_string().into_bytes()
            }
        }
    }
}

/// Where messages go, and in which form.
pub struct Messenger {
    client: HttpClient,
    format: NoticeFormat,
}

impl Messenger {
    pub fn new(target: &Target, format: NoticeFormat) -> Messenger {
        Messenger { client: HttpClient::new(target.clone()), format }
    }

    /// `message` has a member `text`, which is a sentence.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let body = self.format.body(message);
        let url = self.client.target().url.clone();
        self.client.send(&Request { method: Method::POST, url, headers, body }).await
    }
}

pub struct Webhook {
    messenger: Messenger,
    events: Vec<NoticeEvent>,
}

impl Webhook {
    pub fn new(target: &Target, events: &[NoticeEvent], format: NoticeFormat) -> Webhook {
        Webhook { messenger: Messenger::new(target, format), events: events.to_vec() }
    }

    async fn tell(&mut self, end: &RunEnd) -> Result<()> {
        let Some(event) = NoticeEvent::of(end) else { return Ok(()) };
        self.messenger.send(&message(event, end)).await
    }
}

impl Route for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn aim(&self) -> String {
        self.messenger.client.target().name()
    }

    /// Nobody else is told in its stead, so also of a run that another one kept from its work.
    fn is_wanted(&self, end: &RunEnd) -> bool {
        NoticeEvent::of(end).is_some_and(|event| self.events.contains(&event))
    }

    /// A message that arrived twice is two messages.
    fn is_repeatable(&self) -> bool {
        false
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.tell(end))
    }
}

/// The names are a contract, like those of the summary.
fn message(event: NoticeEvent, end: &RunEnd) -> Value {
    let report = &end.report;
    let (run, counts) = (&report.run, &report.run.counts);
    let why = report.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let (name, outcome) = (Line(&report.pipeline_id), report.outcome.as_str());
    let code = report.outcome.exit_code();
    let how = match event {
        NoticeEvent::Failure => format!("{outcome} with exit code {code}{why}"),
        NoticeEvent::Recovery => format!("{outcome} again"),
    };
    let text = format!("{name}: {how}; {}", report.what_happened());
    json!({
        "version": 1,
        "event": event.as_str(),
        "text": text,
        "pipeline_id": report.pipeline_id,
        "run_id": report.run_id,
        "outcome": outcome,
        "outcome_before": end.outcome_before,
        "exit_code": code,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_gets_the_sentence_without_what_it_would_obey() {
        let message = json!({"text": "orders: data: <!channel> & 'a' > 1", "outcome": "data"});
        let slack = String::from_utf8(NoticeFormat::Slack.body(&message)).unwrap();
        assert_eq!(slack, r#"{"text":"orders: data: &lt;!channel&gt; &amp; 'a' &gt; 1"}"#);
        assert_eq!(NoticeFormat::Json.body(&message), message.to_string().into_bytes());
    }
}
