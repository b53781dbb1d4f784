//! What the server keeps for us while we read: one point in time for all slices, or a scroll for
//! each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use elasticsearch::{ClosePointInTimeParts, ScrollParts, SearchParts};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ask::{self, Pit, SearchBody};
use super::body;
use super::client::{Answer, Client, Question, Reply};
use super::server_info::PagingMethod;
use crate::error::{Error, Kind, Result};
use crate::event::Operation;
use crate::record::ErrorType;

/// As long as closing is waited for: a snapshot that is not closed expires by itself.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Old names of scrolls that are kept for closing.
const REPLACED_MAX: usize = 64;
/// What is asked for where one is opened.
const ASKED: &str = "a snapshot to read from";
/// The name of a scroll stands at the beginning of an answer.
const NAME_BYTES: usize = 256 << 10;

pub struct IndexSnapshot {
    client: Arc<Client>,
    runtime: Handle,
    paging_method: PagingMethod,
    /// With its unit, as the server wants it.
    keep_alive: String,
    lifetime: Duration,
    held: Mutex<Held>,
    /// Scrolls that were asked for and are not read yet.
    opening: watch::Sender<usize>,
}

struct Held {
    /// The newest name of the point in time: the server may change it with each answer.
    point: String,
    /// The newest name of the scroll of each slice.
    scrolls: BTreeMap<usize, String>,
    /// What they were called before.
    replaced: Vec<String>,
    /// Answers that will name a scroll that nobody reads.
    unread: Vec<JoinHandle<Result<Reply>>>,
    /// Nothing is read any more.
    is_closed: bool,
    /// When it was last asked for something and answered, which lets it live on.
    answered: Instant,
}

impl IndexSnapshot {
    /// A scroll is opened by its first page.
    pub fn scrolling(client: Arc<Client>, lifetime: Duration) -> IndexSnapshot {
        IndexSnapshot::new(client, PagingMethod::Scroll, lifetime, String::new())
    }

    /// Opens a point in time. None where the server has no such thing there. Where nobody waits for it
    /// any more, it is closed again.
    pub async fn open(
        client: Arc<Client>,
        paging_method: PagingMethod,
        indices: &str,
        lifetime: Duration,
    ) -> Result<Option<IndexSnapshot>> {
        let keep_alive = ("keep_alive", milliseconds(lifetime));
        let partial = ("allow_partial_pit_creation", "false".to_string());
        let (path, parameters) = match paging_method {
            PagingMethod::Elastic => (format!("/{indices}/_pit"), vec![keep_alive]),
            PagingMethod::OpenSearch => {
                (format!("/{indices}/_search/point_in_time"), vec![keep_alive, partial])
            }
            PagingMethod::Scroll => return Ok(Some(IndexSnapshot::scrolling(client, lifetime))),
        };
        let asking = async move {
            let parameters: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let question = Question {
                operation: Operation::OpenSnapshot,
                method: Method::POST,
                path: &path,
                parameters: &parameters,
                body: None,
            };
            let answer = client.ask(question).await?;
            let Some((name, failed)) = point_in(answer)? else { return Ok(None) };
            let snapshot = IndexSnapshot::new(client, paging_method, lifetime, name);
            if failed > 0 {
                snapshot.close().await;
                let message = format!("{ASKED}: {failed} shards failed");
                return Err(Error::new(Kind::Unavailable, ErrorType::PartialResult, message));
            }
            Ok(Some(snapshot))
        };
        let mut opening = Opening(Some(tokio::spawn(asking)));
        let Some(asked) = &mut opening.0 else { return Ok(None) };
        let opened = asked.await;
        opening.0 = None;
        opened.map_err(|cause| Error::internal("opening a snapshot broke off").because(cause))?
    }

    fn new(
        client: Arc<Client>,
        paging_method: PagingMethod,
        lifetime: Duration,
        point: String,
    ) -> IndexSnapshot {
        let held = Held {
            point,
            scrolls: BTreeMap::new(),
            replaced: Vec::new(),
            unread: Vec::new(),
            is_closed: false,
            answered: Instant::now(),
        };
        let keep_alive = milliseconds(lifetime);
        let runtime = Handle::current();
        let (held, opening) = (Mutex::new(held), watch::Sender::new(0));
        IndexSnapshot { client, runtime, paging_method, keep_alive, lifetime, held, opening }
    }

    pub fn paging_method(&self) -> PagingMethod {
        self.paging_method
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
        match self.paging_method {
            PagingMethod::Scroll => {
                let is_new = held.scrolls.get(&slice).is_none_or(|known| *known != name);
                if let Some(old) = held.scrolls.insert(slice, name).filter(|_| is_new) {
                    held.replaced.push(old);
                    // Some servers may give each page another name, which is the same scroll.
                    let excess = held.replaced.len().saturating_sub(REPLACED_MAX);
                    held.replaced.drain(..excess);
                }
            }
            PagingMethod::Elastic | PagingMethod::OpenSearch if held.point == asked => {
                held.point = name
            }
            PagingMethod::Elastic | PagingMethod::OpenSearch => {}
        }
        let is_late = held.is_closed && !held.scrolls.is_empty();
        drop(held);
        // The rest was closed already, and nobody will come again.
        if is_late {
            self.close_now();
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
        let search = SearchBody {
            from: 0,
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
            method: Method::POST,
            path: &SearchParts::None.url(),
            parameters: &[],
            body: Some(search.text()),
        };
        let answer = self.client.ask(question).await?.accepted("keeping the snapshot")?;
        let name = answer["pit_id"].as_str().unwrap_or(&point);
        self.renamed(0, &point, name.to_string());
        Ok(())
    }

    /// Scrolls of this run are open, or may be, beside one that is being opened.
    pub fn has_other_scrolls(&self) -> bool {
        *self.opening.borrow() > 1 || !self.held().scrolls.is_empty()
    }

    /// A scroll is asked for.
    pub fn opens(&self) {
        self.opening.send_modify(|count| *count += 1);
    }

    /// Its name is known, or its answer was left to `opens_later`.
    pub fn is_opened(&self) {
        self.opening.send_modify(|count| *count -= 1);
    }

    /// Nobody waits for this answer any more, but it will open a scroll.
    pub fn opens_later(&self, answer: JoinHandle<Result<Reply>>) {
        let is_closed = {
            let mut held = self.held();
            held.unread.push(answer);
            held.is_closed
        };
        // The rest was closed already, and nobody will come again.
        if is_closed {
            self.close_now();
        }
    }

    /// Closes a scroll that is not read.
    pub async fn close_scroll(&self, name: String) {
        free(&self.client, &ScrollParts::None.url(), &json!({ "scroll_id": [name] })).await;
    }

    /// Closes the scroll of a slice that was read to its end.
    pub async fn close_slice(&self, slice: usize) {
        let name = self.held().scrolls.remove(&slice);
        if let Some(name) = name {
            self.close_scroll(name).await;
        }
    }

    /// Closes the scrolls there are; others may be opened. A point in time stays.
    pub async fn close_scrolls(&self) {
        let left = Left::scrolls_of(&mut self.held());
        left.close(&self.client).await;
    }

    /// Gives back what the server keeps. Failures are of no interest: it expires by itself.
    pub async fn close(&self) {
        self.held().is_closed = true;
        // A slice that was stopped leaves its answer here in a moment.
        let mut opening = self.opening.subscribe();
        let opened = opening.wait_for(|count| *count == 0);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, opened).await;
        self.take_left().close(&self.client).await;
    }

    /// The same where nobody can wait for it but this thread.
    pub fn close_now(&self) {
        self.held().is_closed = true;
        let left = self.take_left();
        if left.is_nothing() {
            return;
        }
        let client = self.client.clone();
        wait_beside(&self.runtime, async move { left.close(&client).await });
    }

    fn take_left(&self) -> Left {
        let point = std::mem::take(&mut self.held().point);
        let point = match self.paging_method {
            _ if point.is_empty() => None,
            PagingMethod::Elastic => {
                Some((ClosePointInTimeParts::None.url(), json!({ "id": point })))
            }
            PagingMethod::OpenSearch => {
                Some(("/_search/point_in_time".into(), json!({ "pit_id": [point] })))
            }
            PagingMethod::Scroll => None,
        };
        Left { point, ..Left::scrolls_of(&mut self.held()) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for IndexSnapshot {
    fn drop(&mut self) {
        self.close_now();
    }
}

/// What a server still keeps.
struct Left {
    /// Where a point in time is closed, and how it is named there.
    point: Option<(Cow<'static, str>, Value)>,
    scrolls: Vec<String>,
    unread: Vec<JoinHandle<Result<Reply>>>,
}

impl Left {
    fn scrolls_of(held: &mut Held) -> Left {
        let mut scrolls = std::mem::take(&mut held.replaced);
        scrolls.extend(std::mem::take(&mut held.scrolls).into_values());
        Left { point: None, scrolls, unread: std::mem::take(&mut held.unread) }
    }

    fn is_nothing(&self) -> bool {
        self.point.is_none() && self.scrolls.is_empty() && self.unread.is_empty()
    }

    async fn close(self, client: &Client) {
        let Left { point, mut scrolls, unread } = self;
        if let Some((path, body)) = point {
            free(client, &path, &body).await;
        }
        let names = async {
            for answer in unread {
                if let Ok(Ok(Reply { response, .. })) = answer.await {
                    scrolls.extend(body::find(response, NAME_BYTES, scroll_in).await);
                }
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, names).await.is_err() {
            tracing::debug!("a scroll that was not read expires by itself");
        }
        if !scrolls.is_empty() {
            free(client, &ScrollParts::None.url(), &json!({ "scroll_id": scrolls })).await;
        }
    }
}

/// A point in time that is being opened.
struct Opening(Option<JoinHandle<Result<Option<IndexSnapshot>>>>);

impl Drop for Opening {
    fn drop(&mut self) {
        let Some(asked) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        wait_beside(&runtime, async move {
            if let Ok(Ok(Some(snapshot))) = asked.await {
                snapshot.close().await;
            }
        });
    }
}

/// Waits for something on a thread that may not wait itself, but not for long.
fn wait_beside(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    let (done, waiting) = mpsc::channel();
    let runtime = runtime.clone();
    std::thread::spawn(move || {
        runtime.block_on(work);
        // Nobody waits that long.
        let _ = done.send(());
    });
    if waiting.recv_timeout(2 * CLOSE_TIMEOUT).is_err() {
        tracing::debug!("closing the snapshot took too long");
    }
}

async fn free(client: &Client, path: &str, body: &Value) {
    let closing = client.ask(Question {
        operation: Operation::CloseSnapshot,
        method: Method::DELETE,
        path,
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

/// What the point in time is called, and how many shards have no part in it; none where the server has
/// no such thing.
fn point_in(answer: Answer) -> Result<Option<(String, u64)>> {
    if answer.status != 200 && answer.refusal().is_missing() {
        return Ok(None);
    }
    let opened = answer.accepted(ASKED)?;
    let failed = opened["_shards"]["failed"].as_u64().unwrap_or(0);
    let name = opened["id"].as_str().or(opened["pit_id"].as_str()).ok_or_else(|| {
        let message = format!("{ASKED}: the answer does not name one");
        Error::new(Kind::Unavailable, ErrorType::Protocol, message)
    })?;
    Ok(Some((name.to_string(), failed)))
}

fn milliseconds(lifetime: Duration) -> String {
    format!("{}ms", lifetime.as_millis().max(1))
}

/// The name of the scroll that an answer opens, as much of it as came.
pub fn scroll_in(answer: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"_scroll_id\":\"";
    let answer = &answer[..answer.len().min(NAME_BYTES)];
    let start = memchr::memmem::find(answer, KEY)? + KEY.len();
    let length = memchr::memchr(b'"', &answer[start..])?;
    String::from_utf8(answer[start..start + length].to_vec()).ok()
}
