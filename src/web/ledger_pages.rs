//! What the exporter shows: the runs of the ledger that are over, as far as they were read last. It never
//! reads itself; whoever does hands over what was found.

use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::ledger::PipelineHistory;
use crate::observe::connections::ConnectionCounts;
use crate::observe::ledger_metrics::LedgerScrape;
use crate::observe::openmetrics;
use crate::observe::scrape::Number;
use crate::web::page;
use crate::web::page::pipelines::{self, Known};
use crate::web::pages::{
    Asked, HTML, Page, Reply, Show, TEXT_FORMAT, prefers_html, prefers_openmetrics, refused, text,
};

const INDEX: &str = "\
/         this list, and for browsers the pipelines with their last runs
/metrics  the last run of each pipeline for Prometheus, as text or OpenMetrics
/health   200 while the process lives
/ready    200 while the ledger can be read
";

pub struct LedgerPages {
    labels_run_id: bool,
    connections: ConnectionCounts,
    since: SystemTime,
    found: RwLock<Found>,
}

#[derive(Default)]
struct Found {
    /// Of the last time that it could be read.
    pipelines: Vec<PipelineHistory>,
    read_at: Option<SystemTime>,
    is_up: bool,
}

impl LedgerPages {
    pub fn new(labels_run_id: bool) -> LedgerPages {
        LedgerPages {
            labels_run_id,
            connections: ConnectionCounts::default(),
            since: SystemTime::now(),
            found: RwLock::default(),
        }
    }

    /// What is in the ledger now; none where it cannot be read, and then what was known stays.
    pub fn update(&self, pipelines: Option<Vec<PipelineHistory>>) {
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        found.is_up = pipelines.is_some();
        if let Some(pipelines) = pipelines {
            found.pipelines = pipelines;
            found.read_at = Some(SystemTime::now());
        }
    }

    fn metrics(&self, accept: &str) -> Page {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let scrape = LedgerScrape {
            pipelines: &found.pipelines,
            labels_run_id: self.labels_run_id,
            is_up: found.is_up,
            read_at: found.read_at,
        };
        let (content_type, body) = match prefers_openmetrics(accept) {
            true => (openmetrics::CONTENT_TYPE, scrape.openmetrics(self.since)),
            false => (TEXT_FORMAT, scrape.text()),
        };
        Page::new(content_type, body)
    }

    fn overview(&self) -> Page {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let live = pipelines::overview(&Known {
            pipelines: &found.pipelines,
            read_at: found.read_at.map(Number::number),
            is_up: found.is_up,
            now: SystemTime::now().number(),
        });
        Page::new(HTML, page::document("Pipelines · flowgauge exporter", &live, false))
    }

    /// One that the overview shows.
    fn run(&self, id: &str) -> Option<Page> {
        let id = percent_decode_str(id).decode_utf8().ok()?;
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let mut runs = found.pipelines.iter().flat_map(|pipeline| &pipeline.recent);
        let run = runs.find(|run| run.run_id == id)?;
        let title = format!("{} · flowgauge exporter", run.pipeline_id);
        Some(Page::new(
            HTML,
            page::document(&title, &pipelines::run(run, SystemTime::now().number()), false),
        ))
    }

    fn ready(&self) -> Page {
        match self.found.read().unwrap_or_else(PoisonError::into_inner).is_up {
            true => text(StatusCode::OK, "the ledger is read\n"),
            false => text(StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be read\n"),
        }
    }
}

impl Show for LedgerPages {
    fn connections(&self) -> &ConnectionCounts {
        &self.connections
    }

    fn answer(&self, asked: &Asked) -> Reply {
        if !matches!(*asked.method, Method::GET | Method::HEAD) {
            return refused().into();
        }
        let page = match asked.path {
            "/" if prefers_html(asked.accept) => self.overview(),
            "/" => text(StatusCode::OK, INDEX),
            "/metrics" => self.metrics(asked.accept),
            "/health" => text(StatusCode::OK, "alive\n"),
            "/ready" => self.ready(),
            path => match path.strip_prefix("/runs/").and_then(|id| self.run(id)) {
                Some(run) => run,
                None => text(
                    StatusCode::NOT_FOUND,
                    &format!("there is no such page; there are:\n{INDEX}"),
                ),
            },
        };
        page.into()
    }
}
