//! The runs of a pipeline for catalogues that speak OpenLineage: that one has begun, what it reads and
//! writes, and how it ended.

mod event;
mod facets;
mod lineage;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use self::event::EventFrame;
pub use self::lineage::{Dataset, DatasetField, Lineage, MadeColumn, RunLineage};
pub use self::settings::{OpenLineageSettings, ParentRun, complete};
use crate::error::{Kind, Later, Result};
use crate::event::RunIdentity;
use crate::export::http::{HttpClient, Request};
use crate::export::{PERIOD, Rhythm, Route, RunEnd};
use crate::observe::Moment;

/// For each of both events, as its variables are often set for a whole machine.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct OpenLineage {
    client: HttpClient,
    frame: EventFrame,
    lineage: Arc<RunLineage>,
    start: StartEvent,
}

/// What became of the event that says that the run has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StartEvent {
    Pending,
    /// It may have been taken.
    Unknown,
    /// It would be refused again.
    Refused,
    Taken,
}

impl OpenLineage {
    pub fn new(
        settings: &OpenLineageSettings,
        identity: &RunIdentity,
        lineage: &Arc<RunLineage>,
    ) -> OpenLineage {
        OpenLineage {
            client: HttpClient::new(settings.target.clone()),
            frame: EventFrame::new(settings, identity),
            lineage: Arc::clone(lineage),
            start: StartEvent::Pending,
        }
    }

    async fn tell_start(&mut self) -> Result<()> {
        let event = self.frame.start(self.lineage.started_at, self.lineage.known());
        // Also where it is broken off.
        self.start = StartEvent::Unknown;
        let sent = self.send(&event).await;
        self.start = match &sent {
            Ok(()) => StartEvent::Taken,
            Err(error) => match error.kind {
                Kind::Unavailable | Kind::Overloaded => StartEvent::Pending,
                Kind::Unknown => StartEvent::Unknown,
                _ => StartEvent::Refused,
            },
        };
        sent
    }

    /// The end says both again, and is what a person is told of.
    async fn try_start(&mut self) -> Result<()> {
        // A run that another one keeps from its work never has both ends open.
        if matches!(self.start, StartEvent::Pending | StartEvent::Unknown)
            && self.lineage.opened().is_some()
            && let Err(error) = self.tell_start().await
        {
            tracing::debug!("the start of the run did not arrive: {error}");
        }
        Ok(())
    }

    /// Each run has one of both. A start that may have been taken is not sent again, as whoever is slow would
    /// have no time left for the end, and show a run that is on for ever.
    async fn tell_end(&mut self, end: &RunEnd) -> Result<()> {
        if matches!(self.start, StartEvent::Pending | StartEvent::Refused) {
            self.tell_start().await?;
        }
        let event = self.frame.end(self.lineage.known(), end);
        self.send(&event).await
    }

    async fn send(&mut self, event: &Value) -> Result<()> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let body = event.to_string().into_bytes();
        let url = self.client.target().url.clone();
        self.client.send(&Request { method: Method::POST, url, headers, body }).await
    }
}

impl Route for OpenLineage {
    fn name(&self) -> &'static str {
        "openlineage"
    }

    fn aim(&self) -> String {
        self.client.target().name()
    }

    /// The start is tried again until it was taken.
    fn rhythm(&self) -> Rhythm {
        Rhythm::AtOnceAndEvery(PERIOD)
    }

    fn patience(&self) -> Duration {
        match self.start {
            StartEvent::Taken => PATIENCE,
            _ => 2 * PATIENCE,
        }
    }

    /// A start that is broken off might arrive behind the end.
    fn grace(&self, _: bool) -> Duration {
        PATIENCE
    }

    fn begin(&mut self) -> Later<'_, Result<()>> {
        Box::pin(self.try_start())
    }

    fn refresh<'a>(&'a mut self, _: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(self.try_start())
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.tell_end(end))
    }
}
