//! What the server keeps for us while we read: one point in time for all slices, or a scroll for
//! each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use elasticsearch::http::Method;
use elasticsearch::{ClosePointInTimeParts, ScrollParts, SearchParts};
use serde_json::json;

use super::ask::{self, Pit, Search};
use super::client::{Client, Question};
use super::dialect::Dialect;
use crate::error::{Error, Kind, Result};
use crate::event::Operation;
use crate::record::ErrorType;

/// As long as closing is waited for: a snapshot that is not closed expires by itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Snapshot {
    client: Arc<Client>,
    dialect: Dialect,
    /// With its unit, as the server wants it.
    keep_alive: String,
    lifetime: Duration,
    held: Mutex<Held>,
}

struct Held {
    /// The newest name of the point in time: the server may change it with each answer.
    point: String,
    /// The newest name of the scroll of each slice.
    scrolls: BTreeMap<usize, String>,
    /// When it was last asked for something and answered, which lets it live on.
    answered: Instant,
}

impl Snapshot {
    /// A scroll is opened by its first page.
    pub fn scrolling(client: Arc<Client>, lifetime: Duration) -> Snapshot {
        Snapshot::new(client, Dialect::Scroll, lifetime, String::new())
    }

    /// Opens a point in time. None where the server has no such thing there.
    pub async fn open(
        client: Arc<Client>,
        dialect: Dialect,
        indices: &str,
        lifetime: Duration,
    ) -> Result<Option<Snapshot>> {
        let keep_alive = milliseconds(lifetime);
        let partial = ("allow_partial_pit_creation", "false");
        let (path, parameters) = match dialect {
            Dialect::Elastic => (format!("/{indices}/_pit"), vec![("keep_alive", &keep_alive[..])]),
            Dialect::OpenSearch => {
                let path = format!("/{indices}/_search/point_in_time");
                (path, vec![("keep_alive", &keep_alive[..]), partial])
            }
            Dialect::Scroll => return Ok(Some(Snapshot::scrolling(client, lifetime))),
        };
        let answer = client
            .ask(Question {
                operation: Operation::OpenSnapshot,
                method: Method::Post,
                path: &path,
                parameters: &parameters,
                body: None,
            })
            .await?;
        if answer.status != 200 && answer.refusal().is_missing() {
            return Ok(None);
        }
        let asked = "a snapshot to read from";
        let opened = answer.accepted(asked)?;
        let failed = opened["_shards"]["failed"].as_u64().unwrap_or(0);
        if failed > 0 {
            let message = format!("{asked}: {failed} shards failed");
            return Err(Error::new(Kind::Unavailable, ErrorType::PartialResult, message));
        }
        let name = opened["id"].as_str().or(opened["pit_id"].as_str()).ok_or_else(|| {
            let message = format!("{asked}: the answer does not name one");
            Error::new(Kind::Unavailable, ErrorType::Protocol, message)
        })?;
        Ok(Some(Snapshot::new(client, dialect, lifetime, name.to_string())))
    }

    fn new(client: Arc<Client>, dialect: Dialect, lifetime: Duration, point: String) -> Snapshot {
        let held = Held { point, scrolls: BTreeMap::new(), answered: Instant::now() };
        let keep_alive = milliseconds(lifetime);
        Snapshot { client, dialect, keep_alive, lifetime, held: Mutex::new(held) }
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn keep_alive(&self) -> &str {
        &self.keep_alive
    }

    /// The newest name of the point in time.
    pub fn point(&self) -> String {
        self.held().point.clone()
    }

    pub fn scroll(&self, slice: usize) -> Option<String> {
        self.held().scrolls.get(&slice).cloned()
    }

    /// What an answer calls the snapshot from now on. It was asked with the name `asked`: when that
    /// is not the newest any more, the answer is old, and so is the name in it.
    pub fn renamed(&self, slice: usize, asked: &str, name: String) {
        let mut held = self.held();
        held.answered = Instant::now();
        match self.dialect {
            Dialect::Scroll => {
                held.scrolls.insert(slice, name);
            }
            Dialect::Elastic | Dialect::OpenSearch if held.point == asked => held.point = name,
            Dialect::Elastic | Dialect::OpenSearch => {}
        }
    }

    /// Keeps a point in time while nobody asks for pages, such as while the sink is slow. Never
    /// ends by itself. A scroll cannot be kept without reading on.
    pub async fn keep(&self) {
        let third = self.lifetime / 3;
        loop {
            let idle = self.held().answered.elapsed();
            if idle < third {
                tokio::time::sleep(third - idle).await;
                continue;
            }
            if let Err(error) = self.renew().await {
                tracing::debug!("the snapshot could not be renewed: {error}");
                // Asked again soon: two thirds of its life are left.
                tokio::time::sleep(third / 4).await;
            }
        }
    }

    async fn renew(&self) -> Result<()> {
        let point = self.point();
        let search = Search {
            size: 0,
            query: None,
            pit: Some(Pit { id: &point, keep_alive: &self.keep_alive }),
            sort: ask::raw(ask::SORT.as_bytes())?,
            search_after: None,
            slice: None,
            track_total_hits: false,
            source: None,
            version: false,
        };
        let question = Question {
            operation: Operation::KeepAlive,
            method: Method::Post,
            path: &SearchParts::None.url(),
            parameters: &[],
            body: Some(search.text()),
        };
        let answer = self.client.ask(question).await?.accepted("keeping the snapshot")?;
        let name = answer["pit_id"].as_str().unwrap_or(&point);
        self.renamed(0, &point, name.to_string());
        Ok(())
    }

    /// Gives back what the server keeps. Failures are of no interest: it expires by itself.
    pub async fn close(&self) {
        let (point, scrolls) = {
            let mut held = self.held();
            (std::mem::take(&mut held.point), std::mem::take(&mut held.scrolls))
        };
        let (path, body) = match self.dialect {
            Dialect::Elastic if !point.is_empty() => {
                (ClosePointInTimeParts::None.url(), json!({ "id": point }))
            }
            Dialect::OpenSearch if !point.is_empty() => {
                ("/_search/point_in_time".into(), json!({ "pit_id": [point] }))
            }
            Dialect::Scroll if !scrolls.is_empty() => {
                let names: Vec<String> = scrolls.into_values().collect();
                (ScrollParts::None.url(), json!({ "scroll_id": names }))
            }
            _ => return,
        };
        let closing = self.client.ask(Question {
            operation: Operation::CloseSnapshot,
            method: Method::Delete,
            path: &path,
            parameters: &[],
            body: Some(body.to_string()),
        });
        match tokio::time::timeout(CLOSE_TIMEOUT, closing).await {
            Ok(Ok(answer)) if answer.status == 200 => {}
            Ok(Ok(answer)) => tracing::debug!("closing the snapshot gave {}", answer.status),
            Ok(Err(error)) => tracing::debug!("the snapshot could not be closed: {error}"),
            Err(_) => tracing::debug!("closing the snapshot took too long"),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn milliseconds(lifetime: Duration) -> String {
    format!("{}ms", lifetime.as_millis().max(1))
}
