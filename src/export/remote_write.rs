//! The numbers of a run in whatever speaks Prometheus remote write 1.0, with times of our own: zeros at
//! the start, what there is every 15 seconds, and the end.
//!
//! The zeros go with the next samples until something was certainly taken: without them the first sample
//! of a counter would be all of it. Sending them again is harmless, for a sample that is there already
//! with its value is no mistake.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::error::{Kind, Later, Result};
use crate::export::http::{HttpClient, Request};
use crate::export::labels::Labels;
use crate::export::target::Target;
use crate::export::write_request::{Samples, body};
use crate::export::{PERIOD, Rhythm, Route, RunEnd};
use crate::observe::{Moment, Series};

const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");

pub struct RemoteWrite {
    client: HttpClient,
    labels: Labels,
    /// What was sent first, until something was taken.
    begun: Option<Taken>,
    /// Of the samples that were sent last, as samples of a series have different times.
    last_ms: i64,
}

/// Series, and when they were.
struct Taken {
    at_ms: i64,
    series: Vec<Series>,
}

impl RemoteWrite {
    /// `zeros` are those of the start.
    pub fn new(target: &Target, labels: &Labels, zeros: Moment) -> RemoteWrite {
        let client = HttpClient::new(target.clone());
        let at_ms = milliseconds(zeros.taken_at);
        let begun = Some(Taken { at_ms, series: zeros.series() });
        RemoteWrite { client, labels: labels.clone(), begun, last_ms: at_ms }
    }

    async fn write_begun(&mut self) -> Result<()> {
        let Some(begun) = &self.begun else { return Ok(()) };
        let samples = [Samples { at_ms: begun.at_ms, series: &begun.series }];
        let body = body(&samples, &self.labels);
        self.send(body).await?;
        self.begun = None;
        Ok(())
    }

    async fn write(&mut self, moment: &Moment) -> Result<()> {
        let at_ms = milliseconds(moment.taken_at).max(self.last_ms + 1);
        let series = moment.series();
        let now = || Samples { at_ms, series: &series };
        let first = match &self.begun {
            Some(Taken { at_ms, series }) => vec![Samples { at_ms: *at_ms, series }, now()],
            None => vec![now()],
        };
        let with_begun = body(&first, &self.labels);
        let mut sent = self.send(with_begun).await;
        let is_refused = sent.as_ref().is_err_and(|error| error.kind == Kind::Data);
        if is_refused && self.begun.is_some() {
            // Samples that seemed lost were taken, and the zeros are older than they.
            sent = self.send(body(&[now()], &self.labels)).await;
        }
        if sent.is_ok() {
            self.begun = None;
            self.last_ms = at_ms;
        }
        sent
    }

    async fn send(&mut self, body: Vec<u8>) -> Result<()> {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
            (CONTENT_ENCODING, HeaderValue::from_static("snappy")),
            (VERSION, HeaderValue::from_static("0.1.0")),
        ]);
        let url = self.client.target().url.clone();
        self.client.send(&Request { method: Method::POST, url, headers, body }).await
    }
}

impl Route for RemoteWrite {
    fn name(&self) -> &'static str {
        "remote_write"
    }

    fn aim(&self) -> String {
        self.client.target().name()
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm::AtOnceAndEvery(PERIOD)
    }

    fn begin(&mut self) -> Later<'_, Result<()>> {
        Box::pin(self.write_begun())
    }

    fn refresh<'a>(&'a mut self, moment: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(self.write(moment))
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.write(&end.moment))
    }
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
