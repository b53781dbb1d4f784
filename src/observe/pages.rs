//! What is answered to whom: the routes of the metrics server as a pure function of a request.
//!
//! Every page is made from one reading of the numbers and shows no secret. Sockets and limits are the server's.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::event::RunState;
use crate::observe::metrics::Metrics;
use crate::observe::openmetrics;
use crate::observe::scrape::Number;
use crate::observe::server::counts::ConnectionCounts;

pub const TEXT: &str = "text/plain; charset=utf-8";
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

const INDEX: &str = "\
/metrics  numbers for Prometheus, as text or OpenMetrics
/health   200 while the process lives
/ready    200 while the run is running
/info     what this run is and how far it got, as JSON
";

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: String,
    /// The numbers of a run that is over.
    pub is_final: bool,
}

/// The pages of one run.
pub struct Pages {
    metrics: Arc<Metrics>,
}

impl Pages {
    pub fn new(metrics: Arc<Metrics>) -> Pages {
        Pages { metrics }
    }

    /// Where the server counts its connections.
    pub fn connections(&self) -> &ConnectionCounts {
        self.metrics.connections()
    }

    /// The page for a request; `accept` is what its header says, or nothing.
    pub fn answer(&self, method: &Method, path: &str, accept: &str) -> Page {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let body = "this server only answers GET and HEAD\n".to_string();
            return Page {
                status: StatusCode::METHOD_NOT_ALLOWED,
                content_type: TEXT,
                body,
                is_final: false,
            };
        }
        match path {
            "/" => text(StatusCode::OK, INDEX),
            "/metrics" => self.metrics(accept),
            "/health" => text(StatusCode::OK, "alive\n"),
            "/ready" => self.ready(),
            "/info" => self.info(),
            _ => {
                text(StatusCode::NOT_FOUND, &format!("there is no such page; there are:\n{INDEX}"))
            }
        }
    }

    fn metrics(&self, accept: &str) -> Page {
        // Before the numbers are read: what ends meanwhile is final the next time.
        let is_final = self.metrics.is_frozen();
        let (content_type, body) = if prefers_openmetrics(accept) {
            (openmetrics::CONTENT_TYPE, self.metrics.openmetrics())
        } else {
            (TEXT_FORMAT, self.metrics.text())
        };
        Page { status: StatusCode::OK, content_type, body, is_final }
    }

    fn ready(&self) -> Page {
        let state = self.metrics.stats().state();
        let status = if state == RunState::Running {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        text(status, &format!("{}\n", state.as_str()))
    }

    fn info(&self) -> Page {
        let identity = self.metrics.identity();
        let stats = self.metrics.stats();
        let run = stats.numbers();
        let info = Info {
            version: identity.version,
            revision: identity.revision,
            pipeline_id: &identity.pipeline_id,
            run_id: &identity.run_id,
            source: identity.source,
            sink: identity.sink,
            state: run.state.as_str(),
            outcome: run.outcome.map(|outcome| outcome.as_str()),
            published: run.is_published,
            started_timestamp_seconds: stats.started_at().number(),
            elapsed_seconds: run.elapsed.number(),
            records: Records {
                read: run.records_read,
                processed: run.counts.processed(),
                inserted: run.counts.inserted,
                updated: run.counts.updated,
                skipped: run.counts.skipped(),
                failed: run.counts.failed,
            },
        };
        let body = serde_json::to_string_pretty(&info).expect("names and numbers are valid JSON");
        Page { status: StatusCode::OK, content_type: JSON, body: body + "\n", is_final: false }
    }
}

#[derive(Serialize)]
struct Info<'a> {
    version: &'a str,
    revision: &'a str,
    pipeline_id: &'a str,
    run_id: &'a str,
    source: &'a str,
    sink: &'a str,
    state: &'a str,
    outcome: Option<&'a str>,
    published: Option<bool>,
    started_timestamp_seconds: f64,
    elapsed_seconds: f64,
    records: Records,
}

#[derive(Serialize)]
struct Records {
    read: u64,
    processed: u64,
    inserted: u64,
    updated: u64,
    skipped: u64,
    failed: u64,
}

fn text(status: StatusCode, body: &str) -> Page {
    Page { status, content_type: TEXT, body: body.to_string(), is_final: false }
}

/// Whether an Accept header would rather have OpenMetrics 1.0 than the text format.
///
/// Only who names OpenMetrics gets it at equal weight: a browser that takes anything wants text.
fn prefers_openmetrics(accept: &str) -> bool {
    let ranges: Vec<Range> = accept.split(',').filter_map(Range::parse).collect();
    let best = |media: &str| {
        let named = ranges.iter().filter(|range| range.media == media);
        named.map(|range| range.weight).max()
    };
    let anything = best("*/*");
    let open = best("application/openmetrics-text");
    let plain = best("text/plain").or_else(|| best("text/*")).or(anything).unwrap_or(0);
    let wild = best("application/*").or(anything).unwrap_or(0);
    match open {
        Some(open) => open > 0 && open >= plain,
        None => wild > plain,
    }
}

/// One member of an Accept header, its weight in thousandths.
struct Range {
    media: String,
    weight: u16,
}

impl Range {
    /// None of a range that is malformed or asks for a version that is not spoken here.
    fn parse(range: &str) -> Option<Range> {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media = parts.next().filter(|media| media.contains('/'))?;
        let mut weight = 1_000;
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "q" => weight = thousandths(value)?,
                "version" if media == "application/openmetrics-text" && value != "1.0.0" => {
                    return None;
                }
                _ => {}
            }
        }
        Some(Range { media, weight })
    }
}

fn thousandths(q: &str) -> Option<u16> {
    let q: f64 = q.parse().ok()?;
    (0.0..=1.0).contains(&q).then(|| (q * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Observer};
    use crate::observe::metrics::tests::{metrics, run};

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        // The third is what Prometheus 2.42 sends, the fourth Prometheus 3.
        for accept in [
            "application/openmetrics-text",
            "text/plain;q=0.5, Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.6",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/openmetrics-text;q=0.5, text/plain;q=0.5",
            "application/*",
            "text/plain;q=0, */*",
        ] {
            assert!(prefers_openmetrics(accept), "{accept}");
        }
    }

    #[test]
    fn everybody_else_gets_the_text_format() {
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4, text/plain;q=0.5",
            "application/openmetrics-text;q=0.4, */*",
            "application/openmetrics-text;q=0.4, text/*;q=0.5",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=nan, text/plain",
            "application/openmetrics-text;q=7, text/plain",
            ";;,,=,q",
        ] {
            assert!(!prefers_openmetrics(accept), "{accept}");
        }
    }

    fn pages() -> (Arc<crate::observe::Stats>, Pages) {
        let (stats, metrics) = metrics();
        (stats, Pages::new(Arc::new(metrics)))
    }

    #[test]
    fn a_run_is_ready_while_it_is_running() {
        let (stats, pages) = pages();
        for (state, status) in RunState::ALL.into_iter().zip([503u16, 200, 503, 503, 503]) {
            stats.notice(&Event::Entered(state));
            let page = pages.answer(&Method::GET, "/ready", "");
            assert_eq!((page.status.as_u16(), page.body.trim()), (status, state.as_str()));
        }
    }

    #[test]
    fn info_says_what_is_known() {
        let (stats, pages) = pages();
        let info = || {
            let page = pages.answer(&Method::GET, "/info", "");
            assert_eq!(page.content_type, "application/json");
            serde_json::from_str::<serde_json::Value>(&page.body).unwrap()
        };
        let before = info();
        assert_eq!(before["state"], "starting");
        assert!(before["outcome"].is_null() && before["published"].is_null());
        assert!(before["started_timestamp_seconds"].as_f64().is_some_and(|at| at > 1.6e9));
        run(&stats);
        let after = info();
        assert_eq!((&after["state"], &after["outcome"]), (&"stopped".into(), &"complete".into()));
        assert_eq!((&after["published"], &after["run_id"]), (&true.into(), &"0190".into()));
        assert_eq!((&after["source"], &after["sink"]), (&"csv".into(), &"file".into()));
        assert_eq!(after["pipeline_id"], "nightly \"a\\b\"\nc");
        let records = serde_json::json!({
            "read": 4, "processed": 4, "inserted": 3, "updated": 0, "skipped": 0, "failed": 1
        });
        assert_eq!(after["records"], records);
    }
}
