//! One slice: page after page of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::answer::{Refusal, Trouble};
use super::body::More;
use super::client::Reply;
use super::order::Order;
use super::pace::Pace;
use super::page::{self, Demands, Incomplete, Page};
use super::poison;
use super::reading::{Fetched, PageRequest, Reading, Wish};
use super::snapshot::{self, Snapshot};
use crate::error::{Error, Kind, Result};
use crate::record::{ErrorType, Place};
use crate::source::Host;

/// What stands around a hit in an answer: mostly the name of the snapshot, which grows with the
/// number of shards.
const ENVELOPE_BYTES: usize = 1 << 20;
/// A page of a scroll may be as many times larger than was planned. It cannot be asked again.
const SCROLL_EXCESS: usize = 16;

pub struct Slice {
    reading: Arc<Reading>,
    number: usize,
    /// What the last hit was sorted by.
    after: Option<Arc<[u8]>>,
    pace: Pace,
    /// The next page, asked for while others are worked on. Its body waits in the connection.
    ahead: Option<Asked>,
    shards: Option<u64>,
    /// Hits that share what the last one was sorted by.
    equals: u64,
    /// Hits of its scroll, as the first page said.
    scrolled: Option<u64>,
    /// Answers at this place that no parser gets through, one after the other.
    unreadable: u32,
    /// The only hit of the last of them.
    suspect: Option<Vec<u8>>,
    /// The next page asks for the name of this one.
    nameless: Option<Vec<u8>>,
    /// Of the last page.
    page_bytes: usize,
    records: u64,
    received_bytes: u64,
    is_ended: bool,
    /// The last page held fewer hits than it might have: no more will come.
    was_short: bool,
}

/// A page that was asked for.
struct Asked {
    size: u64,
    /// What the point in time was called then.
    point: String,
    /// None when it was taken.
    answer: Option<JoinHandle<Result<Reply>>>,
    /// The answer will name a scroll that it opens, for somebody to close.
    opens: Option<Arc<Snapshot>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        match &self.opens {
            Some(snapshot) => {
                snapshot.is_opened();
                snapshot.opens_later(answer);
            }
            None => answer.abort(),
        }
    }
}

/// What came of reading on.
pub enum Turn {
    /// A page of so many records.
    Page { records: u64 },
    /// The slice was read to its end.
    End,
    /// A document needs more room than the segment has left. It is asked for again.
    Later,
    /// The server keeps no more scrolls than those of the other slices.
    Crowded,
    /// The server cannot read these indices in slices.
    Unsliced,
    /// The run is over.
    Over,
}

impl Slice {
    pub fn new(reading: Arc<Reading>, number: usize) -> Slice {
        let records_max = reading.page_records().min(reading.window);
        Slice {
            number,
            after: None,
            pace: Pace::new(records_max, reading.page_bytes()),
            ahead: None,
            shards: reading.shards,
            equals: 0,
            scrolled: None,
            unreadable: 0,
            suspect: None,
            nameless: None,
            page_bytes: 0,
            records: 0,
            received_bytes: 0,
            is_ended: false,
            was_short: false,
            reading,
        }
    }

    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Nothing more is to be expected of it.
    pub fn is_near_its_end(&self) -> bool {
        self.is_ended || self.was_short
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// What the last hit was sorted by, in the server's words.
    pub fn after(&self) -> Option<&[u8]> {
        self.after.as_deref()
    }

    /// As much as the next page is likely to need.
    pub fn wanted_bytes(&self) -> usize {
        self.reading.page_bytes().max(self.page_bytes)
    }

    /// Asks for the next page, unless that was done.
    pub fn ask_ahead(&mut self) -> Result<()> {
        if !self.is_ended && self.ahead.is_none() {
            self.ahead = Some(self.ask(self.size())?);
        }
        Ok(())
    }

    /// Appends the next page to `lines`, which holds so many `records`.
    pub fn read_on(
        &mut self,
        lines: &mut Vec<u8>,
        records: u64,
        host: &mut dyn Host,
    ) -> Result<Turn> {
        let start = lines.len();
        loop {
            self.ask_ahead()?;
            let Some(mut asked) = self.ahead.take() else { return Ok(Turn::End) };
            let size = asked.size;
            lines.truncate(start);
            let fetched = self.fetch(&mut asked, lines, records, host);
            if !matches!(fetched, Ok(Fetched::Page(_))) {
                self.give_back(&lines[start..]);
            }
            let error = match fetched {
                Ok(Fetched::Over) => return Ok(Turn::Over),
                Ok(Fetched::Page(page)) => {
                    host.succeeded();
                    return self.taken(page, lines, start, &asked);
                }
                Ok(Fetched::TooLarge) if size == 1 && start > 0 && !self.reading.is_scroll() => {
                    lines.truncate(start);
                    self.ask_ahead()?;
                    return Ok(Turn::Later);
                }
                Ok(Fetched::TooLarge) if size == 1 => return Err(self.too_large(&lines[start..])),
                Ok(Fetched::TooLarge) if self.reading.is_scroll() => {
                    let message = format!(
                        "{size} documents of '{}' are more than {} bytes, and this server gives no page of a scroll twice",
                        self.reading.title,
                        lines.len() - start
                    );
                    return Err(Error::data(ErrorType::TooLarge, message)
                        .help("lower --batch-size, so that pages are smaller"));
                }
                Ok(Fetched::TooLarge) => {
                    self.pace.too_large(hits_in(&lines[start..]));
                    continue;
                }
                Ok(Fetched::Incomplete(incomplete)) if incomplete.is_unreadable => {
                    match self.unread(&incomplete, size, &lines[start..])? {
                        Some(error) => error,
                        None => continue,
                    }
                }
                Ok(Fetched::Incomplete(incomplete)) => self.reading.incomplete(&incomplete),
                Ok(Fetched::Refused(refusal)) if self.is_crowded(&refusal) => {
                    lines.truncate(start);
                    return Ok(Turn::Crowded);
                }
                Ok(Fetched::Refused(refusal)) if self.is_unsliced(&refusal) => {
                    lines.truncate(start);
                    return Ok(Turn::Unsliced);
                }
                // Found as one that hides its end, but nobody has its bytes.
                Ok(Fetched::Refused(refusal)) if self.is_unservable(&refusal) => {
                    match size {
                        1 => self.nameless = Some(Vec::new()),
                        _ => self.pace.halve(),
                    }
                    continue;
                }
                Ok(Fetched::Refused(refusal)) => self.refused(&refusal, &asked)?,
                Err(error) => error,
            };
            self.again(error, host)?;
        }
    }

    /// The server has moved past the page that is asked for, whether it arrives or not.
    fn is_moving(&self) -> bool {
        self.reading.is_scroll() && self.reading.snapshot.scroll(self.number).is_some()
    }

    /// No more scrolls may be open, and others of this run are.
    fn is_crowded(&self, refusal: &Refusal) -> bool {
        let snapshot = &self.reading.snapshot;
        self.reading.is_scroll()
            && !self.is_moving()
            && snapshot.has_scrolls()
            && refusal.reason.contains("too many scroll contexts")
    }

    /// OpenSearch 2 finds no `_id` to slice by in an index without documents.
    fn is_unsliced(&self, refusal: &Refusal) -> bool {
        self.after.is_none()
            && self.reading.slices() > 1
            && refusal.reason.contains("field _id not found")
    }

    /// The server fails at a document that can be looked for.
    fn is_unservable(&self, refusal: &Refusal) -> bool {
        refusal.trouble == Trouble::Unservable
            && !self.reading.is_scroll()
            && self.nameless.is_none()
    }

    /// Closes a scroll that this answer opened and that will not be read.
    fn give_back(&self, answer: &[u8]) {
        if !self.reading.is_scroll() || self.is_moving() {
            return;
        }
        if let Some(name) = snapshot::scroll_in(answer) {
            self.reading.runtime.block_on(self.reading.snapshot.close_scroll(name));
        }
    }

    /// What to do about an answer that no parser gets through: gives the error that is worth another
    /// try, or none where the next page is a smaller one. It may have been cut on its way, or hold
    /// a document that hides its own end.
    fn unread(
        &mut self,
        incomplete: &Incomplete,
        size: u64,
        answer: &[u8],
    ) -> Result<Option<Error>> {
        let error = self.reading.incomplete(incomplete);
        if self.reading.is_scroll() {
            return match answer.trim_ascii_end().ends_with(b"]}}") {
                true => Err(self.hidden(&incomplete.reason)),
                false => Ok(Some(error)),
            };
        }
        self.unreadable += 1;
        if self.unreadable == 1 {
            return Ok(Some(error));
        }
        if size > 1 {
            self.pace.halve();
            return Ok(None);
        }
        let Some(hit) = poison::only_hit(answer) else { return Ok(Some(error)) };
        if self.suspect.as_deref() == Some(hit) {
            self.nameless = self.suspect.take();
        } else {
            self.suspect = Some(hit.to_vec());
        }
        Ok(None)
    }

    fn hidden(&self, reason: &str) -> Error {
        let message = format!(
            "a page of '{}' holds a document that is no JSON and hides its own end: {reason}",
            self.reading.title
        );
        Error::data(ErrorType::Parse, message).help(
            "lower --batch-size to find it, and leave it out with --es-query; this server gives no page of a scroll twice",
        )
    }

    fn size(&self) -> u64 {
        if self.nameless.is_some() {
            return 1;
        }
        if self.reading.is_scroll() { self.reading.scroll_size } else { self.pace.size() }
    }

    fn ask(&self, size: u64) -> Result<Asked> {
        let (after, sourceless) = (self.after.as_deref(), self.nameless.is_some());
        let wish = Wish { slice: self.number, size, after, sourceless };
        let PageRequest { path, body, point } = self.reading.request(&wish)?;
        let client = self.reading.client.clone();
        let answer = self.reading.runtime.spawn(async move { client.page(&path, body).await });
        let opens = self.reading.is_scroll() && !self.is_moving();
        let opens = opens.then(|| self.reading.snapshot.clone());
        opens.iter().for_each(|snapshot| snapshot.opens());
        Ok(Asked { size, point, answer: Some(answer), opens })
    }

    /// Reads a page that was asked for.
    fn fetch(
        &self,
        asked: &mut Asked,
        lines: &mut Vec<u8>,
        records: u64,
        host: &mut dyn Host,
    ) -> Result<Fetched> {
        let reading = &self.reading;
        let order = Order {
            after: self.after.as_deref(),
            equals: self.equals,
            equals_max: (!reading.is_scroll()).then_some(1),
        };
        let demands = Demands {
            shards: self.shards,
            may_end_early: self.is_moving(),
            order: Some(order),
            has_source: self.nameless.is_none(),
        };
        let growth = Growth { size: asked.size, start: lines.len(), records };
        let stopped = host.stopped();
        let more = |length: usize| self.further(growth, length, host);
        let work = async {
            let answer =
                asked.answer.as_mut().ok_or_else(|| Error::internal("no page is asked"))?;
            let response = answer.await;
            asked.answer = None;
            asked.opens.iter().for_each(|snapshot| snapshot.is_opened());
            let response = response
                .map_err(|cause| Error::internal("asking for a page broke off").because(cause))??;
            reading.receive(response, lines, demands, more).await
        };
        reading.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped => Ok(Fetched::Over),
                fetched = work => fetched,
            }
        })
    }

    /// Whether a page that is larger than its share is read on. `length` is that of all lines. One
    /// that can be asked for again is made smaller, down to a single document, and that one may have
    /// a segment for itself.
    fn further(&self, growth: Growth, length: usize, host: &mut dyn Host) -> More {
        let Growth { size, start, records } = growth;
        let (limit, is_scroll) = (self.reading.limit, self.reading.is_scroll());
        if size > 1 && !is_scroll {
            return More::No;
        }
        if length < limit.bytes {
            return More::UpTo(limit.bytes);
        }
        if start > 0 && !is_scroll {
            return More::No;
        }
        let single = limit.record_bytes.saturating_add(ENVELOPE_BYTES);
        let most = match is_scroll {
            true => single.max(self.reading.page_bytes().saturating_mul(SCROLL_EXCESS)),
            false => single,
        };
        let next = length.saturating_mul(2).min(start + most);
        match length < next {
            true if host.room(next, records + size) => More::UpTo(next),
            true => More::Over,
            false => More::No,
        }
    }

    /// What a page becomes. It may be the end.
    fn taken(
        &mut self,
        mut page: Page,
        lines: &mut Vec<u8>,
        start: usize,
        asked: &Asked,
    ) -> Result<Turn> {
        let received = lines.len() - start;
        self.received_bytes += received as u64;
        self.shards = Some(page.shards);
        if let Some(total) = page.total
            && !self.is_moving()
        {
            self.reading.scrolled.fetch_add(total, Ordering::Relaxed);
            self.scrolled = Some(total);
        }
        if let Some(name) = page.snapshot {
            self.reading.snapshot.renamed(self.number, &asked.point, name);
        }
        let Some(last) = page.last else {
            lines.truncate(start);
            self.is_ended = true;
            return Ok(Turn::End);
        };
        if let Some(disorder) = page.disorder {
            let message = format!("{} in '{}'", disorder.words(), self.reading.title);
            return Err(Error::data(ErrorType::Protocol, message)
                .help("run again; where that does not help, the server or what stands before it is broken"));
        }
        self.count(page.hits.len() as u64)?;
        if page.largest.len() > self.reading.limit.record_bytes {
            return Err(self.too_large(&lines[start..][page.largest]));
        }
        let records = page.hits.len() as u64;
        if let Some(raw) = self.nameless.take() {
            let head = &lines[start..][page.hits[0].clone()];
            let mut records = Vec::new();
            poison::frame(head, &raw, &mut records);
            page.records = Some(records);
        }
        match page.records {
            Some(records) => {
                lines.truncate(start);
                lines.extend_from_slice(&records);
            }
            None => page::to_lines(lines, start, &page.hits),
        }
        (self.unreadable, self.suspect) = (0, None);
        self.pace.arrived(records, received as u64);
        self.after = Some(last.into());
        self.equals = page.equals;
        self.records += records;
        self.page_bytes = received;
        self.was_short = records < asked.size;
        // A page of a scroll that nobody fetches for long is lost for good, so that one is asked for
        // when its segment begins.
        if !self.reading.is_scroll() {
            self.ask_ahead()?;
        }
        Ok(Turn::Page { records })
    }

    /// More hits than there are come from a server that goes round in circles.
    fn count(&self, hits: u64) -> Result<()> {
        let before = self.reading.delivered.fetch_add(hits, Ordering::Relaxed);
        let (total, delivered) = match self.reading.is_scroll() {
            true => (self.scrolled.unwrap_or(u64::MAX), self.records + hits),
            false => (self.reading.total, before + hits),
        };
        if delivered <= total {
            return Ok(());
        }
        let message =
            format!("'{}' holds {total} documents, but more are delivered", self.reading.title);
        Err(Error::new(Kind::Data, ErrorType::PartialResult, message).help("run again"))
    }

    /// A document that nobody has room for. `body` is as much of its hit as came.
    fn too_large(&self, body: &[u8]) -> Error {
        let text = String::from_utf8_lossy(&body[..body.len().min(ENVELOPE_BYTES)]);
        let named = |key: &str| {
            let start = text.find(key)? + key.len();
            text[start..].find('"').map(|length| text[start..start + length].to_string())
        };
        let place = Place {
            document: named("\"_id\":\""),
            ..Place::split(named("\"_index\":\"").unwrap_or_else(|| self.reading.title.clone()))
        };
        let limit = self.reading.limit.record_bytes;
        let message = format!("a document is larger than {limit} bytes");
        Error::data(ErrorType::TooLarge, message).at(place).help("raise --max-record-bytes")
    }

    /// What to do about a page that the server did not give: gives the error that is worth another
    /// try, or fails with one that is not.
    fn refused(&mut self, refusal: &Refusal, asked: &Asked) -> Result<Error> {
        let error = refusal.error(&self.reading.page_name());
        match refusal.trouble {
            // It has got another name since.
            Trouble::SnapshotLost if asked.point != self.reading.snapshot.point() => Ok(error),
            // A new try would find it gone as well.
            Trouble::SnapshotLost if self.reading.is_deleted() => Err(self.deleted(refusal)),
            Trouble::SnapshotLost => Err(error),
            Trouble::NoIndex | Trouble::Closed => Err(self.deleted(refusal)),
            Trouble::MemoryForGood if asked.size == 1 => Err(error),
            Trouble::Memory | Trouble::MemoryForGood => {
                self.pace.halve();
                Ok(error)
            }
            _ => Ok(error),
        }
    }

    fn deleted(&self, refusal: &Refusal) -> Error {
        let message = format!(
            "{}: an index was deleted or closed while it was read",
            self.reading.page_name()
        );
        Error::new(Kind::Unavailable, ErrorType::PartialResult, message)
            .because(refusal.reason.clone())
            .help("run again")
    }

    /// Waits before the same is asked again, where that helps.
    fn again(&self, error: Error, host: &mut dyn Host) -> Result<()> {
        if !matches!(error.kind, Kind::Unavailable | Kind::Overloaded) {
            return Err(error);
        }
        if self.is_moving() {
            let message = format!(
                "a page of '{}' was lost, and this server gives no page of a scroll twice",
                self.reading.title
            );
            return Err(Error::new(error.kind, error.error_type, message)
                .because(error)
                .help("run again; servers from Elasticsearch 7.16 and OpenSearch 3.3 on are read in a way that survives this"));
        }
        host.again(error)
    }
}

/// What a page may become.
#[derive(Clone, Copy)]
struct Growth {
    /// Hits that were asked for.
    size: u64,
    /// Where it begins, and how many records stand in front of it.
    start: usize,
    records: u64,
}

/// Hits that came before an answer was given up. A guess: documents may hold the same words.
fn hits_in(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"_index\":").count() as u64
}
