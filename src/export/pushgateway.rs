//! The numbers of a run in a Pushgateway, where a Prometheus finds them when the process is gone. They
//! are a group of their own for each pipeline, and replace those of the run before.
//!
//! VictoriaMetrics and its agent take the same text at their import address.

use std::time::Duration;

use base64::Engine;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use crate::error::{Later, Result};
use crate::export::http::{HttpClient, Request};
use crate::export::labels::{Labels, with_labels};
use crate::export::target::Target;
use crate::export::{Rhythm, Route, RunEnd};
use crate::observe::Moment;

const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The job of a group, where no label says another.
const JOB: &str = "flowgauge";

pub struct Pushgateway {
    client: HttpClient,
    method: Method,
    url: Url,
    labels: Labels,
    interval: Option<Duration>,
}

impl Pushgateway {
    pub fn new(
        target: &Target,
        interval: Option<Duration>,
        pipeline_id: &str,
        labels: &Labels,
    ) -> Pushgateway {
        let (method, url) = place(&target.url, pipeline_id, labels.get("job").unwrap_or(JOB));
        let client = HttpClient::new(target.clone());
        // The group has it.
        let labels = if method == Method::PUT { labels.without("job") } else { labels.clone() };
        Pushgateway { client, method, url, labels, interval }
    }

    async fn push(&mut self, moment: &Moment) -> Result<()> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, TEXT_FORMAT)]);
        let body = with_labels(&moment.text, &self.labels).into_bytes();
        let (method, url) = (self.method.clone(), self.url.clone());
        self.client.send(&Request { method, url, headers, body }).await
    }
}

impl Route for Pushgateway {
    fn name(&self) -> &'static str {
        "push"
    }

    fn aim(&self) -> String {
        self.client.target().name()
    }

    fn rhythm(&self) -> Rhythm {
        self.interval.map_or(Rhythm::AtTheEnd, Rhythm::Every)
    }

    fn refresh<'a>(&'a mut self, moment: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(self.push(moment))
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.push(&end.moment))
    }
}

/// Where the text goes: to the group of the pipeline, or as it is to an address that has one already or
/// knows no groups.
fn place(written: &Url, pipeline_id: &str, job: &str) -> (Method, Url) {
    let mut url = written.clone();
    let path = url.path().trim_end_matches('/');
    if path.contains("/api/v1/import/prometheus") {
        return (Method::POST, url);
    }
    if path.contains("/metrics/job") {
        return (Method::PUT, url);
    }
    let base = path.to_string();
    url.set_path(&base);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("metrics");
        for (label, value) in [("job", job), ("pipeline_id", pipeline_id)] {
            // A slash ends a value, whatever it is written as.
            match value.contains('/') || value == "." || value == ".." {
                true => {
                    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value);
                    segments.push(&format!("{label}@base64")).push(&encoded);
                }
                false => {
                    segments.push(label).push(value);
                }
            }
        }
    }
    (Method::PUT, url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_has_a_group() {
        for (written, pipeline_id, expected) in [
            (
                "http://h:9091",
                "orders",
                "PUT http://h:9091/metrics/job/flowgauge/pipeline_id/orders",
            ),
            ("http://h:9091/", "a b", "PUT http://h:9091/metrics/job/flowgauge/pipeline_id/a%20b"),
            (
                "http://h/push/",
                "é%",
                "PUT http://h/push/metrics/job/flowgauge/pipeline_id/%C3%A9%25",
            ),
            ("http://h", "a/b", "PUT http://h/metrics/job/flowgauge/pipeline_id@base64/YS9i"),
            ("http://h", "..", "PUT http://h/metrics/job/flowgauge/pipeline_id@base64/Li4"),
            ("http://h/metrics/job/mine", "a", "PUT http://h/metrics/job/mine"),
            (
                "http://h:8428/api/v1/import/prometheus?extra_label=a=b",
                "a",
                "POST http://h:8428/api/v1/import/prometheus?extra_label=a=b",
            ),
        ] {
            let (method, url) = place(&Url::parse(written).unwrap(), pipeline_id, JOB);
            assert_eq!(format!("{method} {url}"), expected);
        }
    }
}
