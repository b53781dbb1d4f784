//! What all slices of a source share while they are read.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::ask::{self, Pit, SearchBody, SliceRequest, SourceFilter, Sources};
use super::body::{BodyEnd, More};
use super::client::{Client, Question, REFUSAL_BYTES_MAX, Reply};
use super::error_answer::ErrorAnswer;
use super::malformed;
use super::page::{self, Demands, HitPage, Incomplete};
use super::server_info::PagingMethod;
use super::snapshot::IndexSnapshot;
use crate::error::{Error, Kind, Result};
use crate::event::Operation;
use crate::record::ErrorType;
use crate::source::SegmentLimit;

/// A page without some shards is an error then, and not a page that looks whole.
const PARTIAL_SEARCHES: &str = "allow_partial_search_results=false";

/// More than is shown of an answer that is none.
const SHOWN_BYTES: usize = 4 << 10;

pub struct PageReader {
    pub client: Arc<Client>,
    pub snapshot: Arc<IndexSnapshot>,
    pub runtime: Handle,
    /// What is read, for messages.
    pub title: String,
    /// The same as a part of a path.
    pub indices: String,
    pub query: Option<Box<RawValue>>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Vectors have to be asked for.
    pub asks_for_vectors: bool,
    /// The order of hits, which no two of them share.
    pub sort: &'static str,
    /// Hits when the snapshot was taken.
    pub total: u64,
    /// Hits that came of all slices of it.
    pub delivered: AtomicU64,
    pub slices: AtomicUsize,
    /// `_version` is wanted beside the documents.
    pub version: AtomicBool,
    /// That of the settings, until the run sets its own.
    pub limit: Mutex<SegmentLimit>,
    /// As many hits as the server allows on a page.
    pub window: u64,
    /// Hits of each page of a scroll.
    pub scroll_size: u64,
    /// Shards that take part, where that is known before the first page.
    pub shards: Option<u64>,
    /// Hits of all scrolls, as their first pages said.
    pub scrolled: AtomicU64,
}

/// One page to be asked for.
pub struct WantedPage<'a> {
    pub slice: usize,
    pub size: u64,
    pub after: Option<&'a [u8]>,
    /// Only the names of the documents are wanted.
    pub sourceless: bool,
}

/// The same in the server's words.
pub struct PageRequest {
    pub path: String,
    pub body: String,
    /// What the point in time was called.
    pub point: String,
}

/// What came of asking for a page.
pub enum Fetched {
    Page(HitPage),
    Incomplete(Incomplete),
    Refused(ErrorAnswer),
    TooLarge,
    /// The run is over.
    Over,
}

impl PageReader {
    pub fn slices(&self) -> usize {
        self.slices.load(Ordering::Relaxed)
    }

    pub fn set_slices(&self, slices: usize) {
        self.slices.store(slices, Ordering::Relaxed);
    }

    pub fn is_scroll(&self) -> bool {
        self.snapshot.paging_method() == PagingMethod::Scroll
    }

    pub fn request(&self, wanted: &WantedPage) -> Result<PageRequest> {
        let slices = self.slices();
        let slice = (slices > 1).then_some(SliceRequest { id: wanted.slice, max: slices });
        let keep_alive = self.snapshot.keep_alive();
        if self.is_scroll() {
            if let Some(name) = self.snapshot.scroll(wanted.slice) {
                let body = serde_json::json!({ "scroll": keep_alive, "scroll_id": name });
                let (path, point) = ("/_search/scroll".to_string(), String::new());
                return Ok(PageRequest { path, body: body.to_string(), point });
            }
            let wanted = WantedPage { after: None, ..*wanted };
            let search = self.search(&wanted, None, slice, ask::SCROLL_SORT)?;
            let path = format!("/{}/_search?scroll={keep_alive}&{PARTIAL_SEARCHES}", self.indices);
            return Ok(PageRequest { path, body: search.text(), point: String::new() });
        }
        let point = self.snapshot.point();
        let pit = Some(Pit { id: &point, keep_alive });
        let body = self.search(wanted, pit, slice, self.sort)?.text();
        Ok(PageRequest { path: format!("/_search?{PARTIAL_SEARCHES}"), body, point })
    }

    /// The same for a look at some documents before a scroll begins. Servers refuse slices there.
    pub fn request_sample(&self, size: u64) -> Result<(String, String)> {
        let wanted = WantedPage { slice: 0, size, after: None, sourceless: false };
        let search = SearchBody {
            track_total_hits: false,
            ..self.search(&wanted, None, None, ask::SCROLL_SORT)?
        };
        Ok((format!("/{}/_search?{PARTIAL_SEARCHES}", self.indices), search.text()))
    }

    /// Documents of one index from either end of it; of all there is without one.
    pub fn request_end(
        &self,
        index: Option<&str>,
        is_last: bool,
        from: u64,
        size: u64,
    ) -> Result<(String, String)> {
        let wanted = WantedPage { slice: 0, size, after: None, sourceless: false };
        let sort = if is_last { ask::LAST_FIRST } else { ask::SCROLL_SORT };
        let of_index = index.map(|index| self.query_of(index)).transpose()?;
        let search = self.search(&wanted, None, None, sort)?;
        let query = of_index.as_deref().or(search.query);
        let search = SearchBody { from, query, track_total_hits: false, ..search };
        Ok((format!("/{}/_search?{PARTIAL_SEARCHES}", self.indices), search.text()))
    }

    /// The query, for one index of those that are read. Under the name that they are asked for by, so
    /// that rights and filters of an alias hold.
    fn query_of(&self, index: &str) -> Result<Box<RawValue>> {
        let mut filter = vec![serde_json::json!({ "term": { "_index": index } }).to_string()];
        filter.extend(self.query.as_ref().map(|query| query.get().to_string()));
        let words = format!(r#"{{"bool":{{"filter":[{}]}}}}"#, filter.join(","));
        RawValue::from_string(words)
            .map_err(|cause| Error::internal("a query of an index is not JSON").because(cause))
    }

    fn search<'a>(
        &'a self,
        wanted: &WantedPage<'a>,
        pit: Option<Pit<'a>>,
        slice: Option<SliceRequest>,
        sort: &'static str,
    ) -> Result<SearchBody<'a>> {
        let exclude_vectors = self.asks_for_vectors.then_some(false);
        let filter =
            SourceFilter { includes: &self.include, excludes: &self.exclude, exclude_vectors };
        let is_filtered =
            !self.include.is_empty() || !self.exclude.is_empty() || self.asks_for_vectors;
        Ok(SearchBody {
            size: wanted.size,
            from: 0,
            query: self.query.as_deref(),
            pit,
            sort: ask::raw(sort.as_bytes())?,
            search_after: wanted.after.map(ask::raw).transpose()?,
            slice,
            // Scrolls count for themselves; the total of a point in time is known.
            track_total_hits: self.is_scroll(),
            source: match wanted.sourceless {
                true => Some(Sources::None(false)),
                false => is_filtered.then_some(Sources::Some(filter)),
            },
            version: self.version.load(Ordering::Relaxed),
        })
    }

    /// Segments are no larger than this from here on, nor pages.
    pub fn set_limit(&self, limit: SegmentLimit) {
        *self.lock_limit() = within_a_record(limit);
    }

    pub fn limit(&self) -> SegmentLimit {
        *self.lock_limit()
    }

    fn lock_limit(&self) -> MutexGuard<'_, SegmentLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most bytes of a page that is not a single document: a segment holds one of each slice.
    pub fn page_bytes(&self) -> usize {
        self.limit().bytes / self.slices()
    }

    /// Most documents of a page.
    pub fn page_records(&self) -> u64 {
        (self.limit().records / self.slices() as u64).max(1)
    }

    /// Reads an answer to the end of `buffer`.
    pub async fn receive(
        &self,
        reply: Reply,
        buffer: &mut Vec<u8>,
        demands: Demands<'_>,
        more: impl FnMut(usize) -> More,
    ) -> Result<Fetched> {
        let (status, retry_after) = (reply.status(), reply.retry_after());
        let (node, start) = (reply.node, buffer.len());
        let most = match status {
            200 => self.page_bytes(),
            _ => REFUSAL_BYTES_MAX,
        };
        let limit = start + most;
        let read = self.client.read_body(reply, buffer, limit, more).await;
        let outcome = read.inspect_err(|_| self.client.failed(node, None))?;
        let answer = &buffer[start..];
        Ok(match outcome {
            // What is too long to be a refusal is none that can be understood.
            BodyEnd::Whole | BodyEnd::TooLarge if status != 200 => {
                let refusal = ErrorAnswer::read(status, &self.client.mask().bytes(answer));
                Fetched::Refused(ErrorAnswer { retry_after, ..refusal })
            }
            BodyEnd::Over => Fetched::Over,
            BodyEnd::TooLarge => Fetched::TooLarge,
            BodyEnd::Whole => match page::read(answer, demands) {
                Ok(page) => {
                    self.client.answered(node);
                    Fetched::Page(page)
                }
                Err(incomplete) => match incomplete
                    .is_unreadable
                    .then(|| malformed::read(answer, demands))
                    .flatten()
                {
                    Some(Ok(page)) => {
                        self.client.answered(node);
                        Fetched::Page(page)
                    }
                    Some(Err(other)) => Fetched::Incomplete(self.incomplete_at(node, other)),
                    None => {
                        let shown =
                            self.client.mask().bytes(&answer[..answer.len().min(SHOWN_BYTES)]);
                        let is_other = !shown.trim_ascii_start().starts_with(b"{");
                        // Of what is something else, the beginning is shown, which may cut a secret.
                        let other = is_other.then(|| page::read(&shown, demands).err()).flatten();
                        let incomplete = other.unwrap_or(incomplete);
                        Fetched::Incomplete(self.incomplete_at(node, incomplete))
                    }
                },
            },
        })
    }

    /// A page that is broken is the fault of whoever gave it, one in part mostly is not. Its words may
    /// be those of the server.
    fn incomplete_at(&self, node: usize, incomplete: Incomplete) -> Incomplete {
        match incomplete.error_type {
            ErrorType::Protocol => self.client.failed(node, None),
            _ => self.client.answered(node),
        }
        Incomplete { reason: self.client.mask().text(&incomplete.reason), ..incomplete }
    }

    pub fn incomplete(&self, incomplete: &Incomplete) -> Error {
        let message = format!("a page of '{}' does not count: {}", self.title, incomplete.reason);
        let error = Error::new(Kind::Unavailable, incomplete.error_type, message);
        match &incomplete.without_source {
            Some(index) => error.help(format!("the index '{index}' may not keep its documents")),
            None => error,
        }
    }

    /// Whether what is read is not there any more, where the server says so.
    pub fn is_deleted(&self) -> bool {
        let path = format!("/{}/_settings?filter_path=_", self.indices);
        let asked = self.client.ask(Question::get(Operation::Mapping, &path));
        self.runtime.block_on(asked).is_ok_and(|answer| answer.status == 404)
    }

    pub fn page_name(&self) -> String {
        format!("a page of '{}'", self.title)
    }
}

/// A segment is not larger than the largest record may be.
pub fn within_a_record(limit: SegmentLimit) -> SegmentLimit {
    SegmentLimit { bytes: limit.bytes.min(limit.record_bytes), ..limit }
}
