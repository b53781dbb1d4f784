//! What is answered to whom: the routes of the metrics server as a pure function of a request.
//!
//! Every page is made from one reading of the numbers and shows no secret. Sockets and limits are the server's.

use std::pin::Pin;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::event::RunState;
use crate::observe::connections::ConnectionCounts;
use crate::observe::metrics::Metrics;
use crate::observe::openmetrics;
use crate::observe::scrape::Number;
use crate::shown::Json;
use crate::web::live::events::EventStream;
use crate::web::live::{Kept, Live};

pub const TEXT: &str = "text/plain; charset=utf-8";
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
pub const HTML: &str = "text/html; charset=utf-8";
pub const EVENTS: &str = "text/event-stream";

const INDEX: &str = "\
/         this list, and for browsers the page of the run
/metrics  numbers for Prometheus, as text or OpenMetrics
/health   200 while the process lives
/ready    200 while the run is running
/info     what this run is and how far it got, as JSON
/run.json all numbers of the run as people are shown them, as JSON
/events   the page of the run again and again, as server-sent events
";

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    /// What stands behind the question mark.
    pub query: &'a str,
    /// What the header Accept says, or nothing.
    pub accept: &'a str,
    /// The event that was seen last.
    pub last_event_id: Option<&'a str>,
}

/// What is answered.
pub enum Reply {
    Page(Page),
    Events(EventStream),
}

impl From<Page> for Reply {
    fn from(page: Page) -> Reply {
        Reply::Page(page)
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: String,
    /// The reading that is shown.
    pub snapshot: Option<u64>,
    /// The numbers of a run that is over.
    pub is_final: bool,
}

impl Page {
    pub fn new(content_type: &'static str, body: String) -> Page {
        Page { status: StatusCode::OK, content_type, body, snapshot: None, is_final: false }
    }
}

/// Has to be done while the pages are served, and ends when there is nothing more to do.
pub type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a server shows.
pub trait Show: Send + Sync {
    fn answer(&self, asked: &Asked) -> Reply;

    /// Where the server counts its connections.
    fn connections(&self) -> &ConnectionCounts;

    fn chore(&self) -> Option<Chore> {
        None
    }
}

/// The pages of one run.
pub struct Pages {
    metrics: Arc<Metrics>,
    live: Arc<Live>,
}

impl Pages {
    pub fn new(metrics: Arc<Metrics>) -> Pages {
        Pages { live: Arc::new(Live::new(Arc::clone(&metrics))), metrics }
    }

    /// The reading that is asked for by its number, if one is.
    fn snapshot(&self, asked: &Asked) -> Result<Option<Kept>, Page> {
        let named = asked.query.split('&').find_map(|part| part.strip_prefix("snapshot="));
        let Some(number) = named else { return Ok(None) };
        let kept = number.parse().ok().and_then(|number| self.live.kept(number));
        let missing = "a snapshot is kept for some seconds, and this one is not\n";
        kept.map(Some).ok_or_else(|| text(StatusCode::NOT_FOUND, missing))
    }

    fn metrics(&self, asked: &Asked) -> Page {
        let reading = match self.snapshot(asked) {
            Ok(Some(kept)) => kept.reading,
            Ok(None) => self.metrics.reading(),
            Err(missing) => return missing,
        };
        let (content_type, body) = if prefers_openmetrics(asked.accept) {
            (openmetrics::CONTENT_TYPE, self.metrics.openmetrics(&reading))
        } else {
            (TEXT_FORMAT, self.metrics.text(&reading))
        };
        let snapshot = Some(reading.number);
        Page { snapshot, is_final: reading.is_final, ..Page::new(content_type, body) }
    }

    fn run(&self, asked: &Asked) -> Page {
        let kept = match self.snapshot(asked) {
            Ok(kept) => kept.unwrap_or_else(|| self.live.now()),
            Err(missing) => return missing,
        };
        let view = kept.view();
        let body = serde_json::to_string_pretty(&view).expect("names and numbers are valid JSON");
        let body = format!("{}\n", Json(body));
        Page { snapshot: Some(kept.reading.number), ..Page::new(JSON, body) }
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
        Page::new(JSON, body + "\n")
    }
}

impl Show for Pages {
    fn connections(&self) -> &ConnectionCounts {
        self.metrics.connections()
    }

    fn chore(&self) -> Option<Chore> {
        let live = Arc::clone(&self.live);
        Some(Box::pin(async move { live.sample().await }))
    }

    fn answer(&self, asked: &Asked) -> Reply {
        match (asked.method, asked.path) {
            (&Method::GET, "/events") => match self.live.events(asked.last_event_id) {
                Some(events) => Reply::Events(events),
                None => Page { status: StatusCode::NO_CONTENT, ..Page::new(EVENTS, String::new()) }
                    .into(),
            },
            (&Method::GET | &Method::HEAD, _) => self.page(asked).into(),
            _ => refused().into(),
        }
    }
}

impl Pages {
    fn page(&self, asked: &Asked) -> Page {
        match asked.path {
            "/" if prefers_html(asked.accept) => Page::new(HTML, self.live.page()),
            "/" => text(StatusCode::OK, INDEX),
            "/live.json" => Page::new(JSON, self.live.document()),
            "/events" => Page::new(EVENTS, String::new()),
            "/metrics" => self.metrics(asked),
            "/run.json" => self.run(asked),
            "/health" => text(StatusCode::OK, "alive\n"),
            "/ready" => self.ready(),
            "/info" => self.info(),
            _ => {
                text(StatusCode::NOT_FOUND, &format!("there is no such page; there are:\n{INDEX}"))
            }
        }
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

pub fn refused() -> Page {
    text(StatusCode::METHOD_NOT_ALLOWED, "this server only answers GET and HEAD\n")
}

pub fn text(status: StatusCode, body: &str) -> Page {
    Page { status, ..Page::new(TEXT, body.to_string()) }
}

/// Whether an Accept header would rather have OpenMetrics 1.0 than the text format.
///
/// Only who names OpenMetrics gets it at equal weight: a browser that takes anything wants text.
pub fn prefers_openmetrics(accept: &str) -> bool {
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

/// Whether an Accept header names HTML, as those of browsers do, and not rather plain text.
pub fn prefers_html(accept: &str) -> bool {
    let ranges: Vec<Range> = accept.split(',').filter_map(Range::parse).collect();
    let weight = |media: &str| {
        let named = ranges.iter().filter(|range| range.media == media);
        named.map(|range| range.weight).max().unwrap_or(0)
    };
    weight("text/html") > 0 && weight("text/html") >= weight("text/plain")
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

    #[test]
    fn browsers_get_html() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("*/*", false),
            ("", false),
            ("text/*", false),
            ("text/html;q=0", false),
            ("text/html;q=0.5, text/plain", false),
        ] {
            assert_eq!(prefers_html(accept), expected, "{accept}");
        }
    }

    fn pages() -> (Arc<crate::observe::Stats>, Pages) {
        let (stats, metrics) = metrics();
        (stats, Pages::new(Arc::new(metrics)))
    }

    fn get(pages: &Pages, path: &str) -> Page {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let asked = Asked { method: &Method::GET, path, query, accept: "", last_event_id: None };
        match pages.answer(&asked) {
            Reply::Page(page) => page,
            Reply::Events(_) => panic!("{path} is a stream"),
        }
    }

    #[test]
    fn a_run_is_ready_while_it_is_running() {
        let (stats, pages) = pages();
        for (state, status) in RunState::ALL.into_iter().zip([503u16, 200, 503, 503, 503]) {
            stats.notice(&Event::Entered(state));
            let page = get(&pages, "/ready");
            assert_eq!((page.status.as_u16(), page.body.trim()), (status, state.as_str()));
        }
    }

    #[test]
    fn info_says_what_is_known() {
        let (stats, pages) = pages();
        let info = || {
            let page = get(&pages, "/info");
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

    #[test]
    fn a_snapshot_that_is_kept_says_the_same_everywhere() {
        let (stats, pages) = pages();
        let json = |query: &str| {
            let page = get(&pages, &format!("/run.json{query}"));
            let view = serde_json::from_str::<serde_json::Value>(&page.body).unwrap();
            assert_eq!(view["snapshot"].as_u64(), page.snapshot);
            view
        };
        let first = json("");
        assert_eq!((&first["state"], &first["is_final"]), (&"starting".into(), &false.into()));
        run(&stats);
        // What was shown is kept, however often others ask.
        (0..100).for_each(|_| drop(json("")));
        let kept = get(&pages, &format!("/metrics?snapshot={}", first["snapshot"]));
        assert_eq!((kept.status, kept.snapshot), (StatusCode::OK, first["snapshot"].as_u64()));
        assert_eq!(json(&format!("?snapshot={}", first["snapshot"])), first);
        let gone = get(&pages, "/metrics?snapshot=77");
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        pages.metrics.freeze();
        let last = json("");
        assert_eq!((&last["outcome"], &last["is_final"]), (&"complete".into(), &true.into()));
        assert_eq!(last, json(&format!("?snapshot={}", last["snapshot"])));
        let page = get(&pages, "/metrics");
        assert_eq!((page.snapshot, page.is_final), (last["snapshot"].as_u64(), true));
        for (name, value) in [
            ("records_read_total", &last["records"]["read"]),
            ("records_inserted_total", &last["records"]["inserted"]),
            ("records_failed_total", &last["records"]["failed"]),
            ("stage_latency_seconds", &last["latency_seconds"]["insert"]["p95"]),
            ("process_resident_memory_bytes", &last["process"]["resident_bytes"]),
        ] {
            let line = page.body.lines().filter(|line| !line.starts_with('#'));
            let mut line = line.filter(|line| line.contains(name));
            let value = value.as_f64().unwrap().to_string();
            let ends = format!(" {value}");
            assert!(line.any(|line| line.ends_with(&ends)), "{name} {value}\n{}", page.body);
        }
    }
}
