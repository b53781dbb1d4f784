//! One slice: page after page of it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::client::Reply;
use super::error_answer::{ErrorAnswer, ErrorClass};
use super::failure;
use super::growth::Growth;
use super::malformed;
use super::order::Order;
use super::page::{self, Demands, HitPage, Incomplete};
use super::page_faults::{NextStep, PageFaults};
use super::page_reader::{Fetched, PageReader, PageRequest, WantedPage};
use super::page_sizer::{self, PageSizer};
use super::snapshot::{self, IndexSnapshot};
use crate::error::{Error, Kind, Result};
use crate::source::Host;

pub struct Slice {
    reader: Arc<PageReader>,
    number: usize,
    /// What the last hit was sorted by.
    after: Option<Arc<[u8]>>,
    page_sizer: PageSizer,
    /// The next page, asked for while others are worked on. Its body waits in the connection.
    ahead: Option<PendingPage>,
    shards: Option<u64>,
    /// Hits that share what the last one was sorted by.
    equals: u64,
    /// Hits of its scroll, as the first page said.
    scrolled: Option<u64>,
    faults: PageFaults,
    /// Of the last page.
    page_bytes: usize,
    records: u64,
    received_bytes: u64,
    is_ended: bool,
    /// The last page held fewer hits than it might have: no more will come.
    was_short: bool,
}

/// A page that was asked for.
struct PendingPage {
    size: u64,
    /// What the point in time was called then.
    point: String,
    /// None when it was taken.
    answer: Option<JoinHandle<Result<Reply>>>,
    /// The answer will name a scroll that it opens, for somebody to close.
    opens: Option<Arc<IndexSnapshot>>,
}

impl Drop for PendingPage {
    fn drop(&mut self) {
        match (self.answer.take(), &self.opens) {
            (Some(answer), Some(snapshot)) => snapshot.opens_later(answer),
            (Some(answer), None) => answer.abort(),
            (None, _) => {}
        }
        self.opens.iter().for_each(|snapshot| snapshot.is_opened());
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
    pub fn new(reader: Arc<PageReader>, number: usize) -> Slice {
        let records_max = reader.page_records().min(reader.window);
        Slice {
            number,
            after: None,
            page_sizer: PageSizer::new(records_max, reader.page_bytes()),
            ahead: None,
            shards: reader.shards,
            equals: 0,
            scrolled: None,
            faults: PageFaults::default(),
            page_bytes: 0,
            records: 0,
            received_bytes: 0,
            is_ended: false,
            was_short: false,
            reader,
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
        self.reader.page_bytes().max(self.page_bytes)
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
            let Some(mut pending) = self.ahead.take() else { return Ok(Turn::End) };
            let size = pending.size;
            lines.truncate(start);
            let fetched = self.fetch(&mut pending, lines, records, host);
            if !matches!(fetched, Ok(Fetched::Page(_))) {
                self.give_back(&lines[start..]);
            }
            let error = match fetched {
                Ok(Fetched::Over) => return Ok(Turn::Over),
                Ok(Fetched::Page(page)) => match self.judge(&page) {
                    NextStep::Take => {
                        host.succeeded();
                        return self.taken(page, lines, start, &pending);
                    }
                    NextStep::Ask | NextStep::Halve => continue,
                    NextStep::Wait => failure::bent(self.title()),
                },
                Ok(Fetched::TooLarge) if size == 1 && start > 0 && !self.reader.is_scroll() => {
                    lines.truncate(start);
                    self.ask_ahead()?;
                    return Ok(Turn::Later);
                }
                Ok(Fetched::TooLarge) if size == 1 => return Err(self.too_large(&lines[start..])),
                Ok(Fetched::TooLarge) if self.reader.is_scroll() => {
                    let bytes = lines.len() - start;
                    return Err(failure::page_too_large(self.title(), size, bytes));
                }
                Ok(Fetched::TooLarge) => {
                    self.page_sizer.too_large(page_sizer::hits_in(&lines[start..]));
                    continue;
                }
                Ok(Fetched::Incomplete(incomplete)) if incomplete.is_unreadable => {
                    match self.unread(&incomplete, size, &lines[start..])? {
                        Some(error) => error,
                        None => continue,
                    }
                }
                Ok(Fetched::Incomplete(incomplete)) => self.reader.incomplete(&incomplete),
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
                    if self.faults.unserved(size) == NextStep::Halve {
                        self.page_sizer.halve();
                    }
                    continue;
                }
                Ok(Fetched::Refused(refusal)) => self.refused(&refusal, &pending)?,
                Err(error) => error,
            };
            self.again(error, host)?;
        }
    }

    /// What is read, for messages.
    fn title(&self) -> &str {
        &self.reader.title
    }

    fn too_large(&self, hit: &[u8]) -> Error {
        failure::document_too_large(self.title(), hit, self.reader.limit().record_bytes)
    }

    /// The server has moved past the page that is asked for, whether it arrives or not.
    fn is_moving(&self) -> bool {
        self.reader.is_scroll() && self.reader.snapshot.scroll(self.number).is_some()
    }

    /// No more scrolls may be open, and others of this run are.
    fn is_crowded(&self, refusal: &ErrorAnswer) -> bool {
        let snapshot = &self.reader.snapshot;
        self.reader.is_scroll()
            && !self.is_moving()
            && snapshot.has_other_scrolls()
            && refusal.reason.contains("too many scroll contexts")
    }

    /// OpenSearch finds no `_id` to slice by in an index without a mapping.
    fn is_unsliced(&self, refusal: &ErrorAnswer) -> bool {
        self.after.is_none()
            && self.reader.slices() > 1
            && refusal.reason.contains("field _id not found")
    }

    /// The server fails at a document that can be looked for.
    fn is_unservable(&self, refusal: &ErrorAnswer) -> bool {
        refusal.trouble == ErrorClass::Unservable
            && !self.reader.is_scroll()
            && !self.faults.wants_name()
    }

    /// Closes a scroll that this answer opened and that will not be read.
    fn give_back(&self, answer: &[u8]) {
        if !self.reader.is_scroll() || self.is_moving() {
            return;
        }
        if let Some(name) = snapshot::scroll_in(answer) {
            self.reader.runtime.block_on(self.reader.snapshot.close_scroll(name));
        }
    }

    /// Whether a page counts. One whose documents are no JSON is asked for once more, where that can be
    /// done: they may have been bent on their way.
    fn judge(&mut self, page: &HitPage) -> NextStep {
        match &page.records {
            Some(records) if !self.reader.is_scroll() => self.faults.judged(records),
            _ => NextStep::Take,
        }
    }

    /// What to do about an answer that no parser gets through: gives the error that is worth another
    /// try, or none where another page is asked for at once.
    fn unread(
        &mut self,
        incomplete: &Incomplete,
        size: u64,
        answer: &[u8],
    ) -> Result<Option<Error>> {
        let error = self.reader.incomplete(incomplete);
        if self.reader.is_scroll() {
            return match malformed::is_whole(answer) {
                true => Err(failure::hidden_end(self.title(), &incomplete.reason)),
                false => Ok(Some(error)),
            };
        }
        match self.faults.unread(size, answer) {
            NextStep::Wait => return Ok(Some(error)),
            NextStep::Halve => self.page_sizer.halve(),
            NextStep::Ask | NextStep::Take => {}
        }
        Ok(None)
    }

    fn size(&self) -> u64 {
        if self.faults.wants_name() {
            return 1;
        }
        let size =
            if self.reader.is_scroll() { self.reader.scroll_size } else { self.page_sizer.size() };
        size.min(self.reader.page_records())
    }

    fn ask(&self, size: u64) -> Result<PendingPage> {
        let (after, sourceless) = (self.after.as_deref(), self.faults.wants_name());
        let wanted = WantedPage { slice: self.number, size, after, sourceless };
        let PageRequest { path, body, point } = self.reader.request(&wanted)?;
        let client = self.reader.client.clone();
        let answer = self.reader.runtime.spawn(async move { client.page(&path, body).await });
        let opens = self.reader.is_scroll() && !self.is_moving();
        let opens = opens.then(|| self.reader.snapshot.clone());
        opens.iter().for_each(|snapshot| snapshot.opens());
        Ok(PendingPage { size, point, answer: Some(answer), opens })
    }

    /// Reads a page that was asked for.
    fn fetch(
        &self,
        pending: &mut PendingPage,
        lines: &mut Vec<u8>,
        records: u64,
        host: &mut dyn Host,
    ) -> Result<Fetched> {
        let reader = &self.reader;
        let order = Order {
            after: self.after.as_deref(),
            equals: self.equals,
            equals_max: (!reader.is_scroll()).then_some(1),
        };
        let demands = Demands {
            shards: self.shards,
            may_end_early: self.is_moving(),
            order: Some(order),
            has_source: !self.faults.wants_name(),
        };
        let growth = Growth {
            size: pending.size,
            start: lines.len(),
            records,
            page_bytes: reader.page_bytes(),
            limit: reader.limit(),
            is_scroll: reader.is_scroll(),
        };
        let stopped = host.stopped();
        let more = |length: usize| growth.further(length, host);
        let (opens_scroll, is_receiving) = (pending.opens.is_some(), Cell::new(false));
        let work = async {
            let answer =
                pending.answer.as_mut().ok_or_else(|| Error::internal("no page is asked"))?;
            let response = answer.await;
            pending.answer = None;
            is_receiving.set(true);
            let response = response
                .map_err(|cause| Error::internal("asking for a page broke off").because(cause))??;
            reader.receive(response, lines, demands, more).await
        };
        reader.runtime.block_on(async {
            tokio::pin!(work);
            tokio::select! {
                biased;
                () = stopped => {}
                fetched = &mut work => return fetched,
            }
            // A scroll is named in the answer that opens it, and nobody could close it without. One
            // that has not begun to come is waited for by the snapshot.
            match opens_scroll && is_receiving.get() {
                true => {
                    let fetched = tokio::time::timeout(snapshot::CLOSE_TIMEOUT, work).await;
                    fetched.unwrap_or(Ok(Fetched::Over))
                }
                false => Ok(Fetched::Over),
            }
        })
    }

    /// What a page becomes. It may be the end.
    fn taken(
        &mut self,
        mut page: HitPage,
        lines: &mut Vec<u8>,
        start: usize,
        pending: &PendingPage,
    ) -> Result<Turn> {
        let received = lines.len() - start;
        self.received_bytes += received as u64;
        self.shards = Some(page.shards);
        if let Some(total) = page.total
            && !self.is_moving()
        {
            self.reader.scrolled.fetch_add(total, Ordering::Relaxed);
            self.scrolled = Some(total);
        }
        if let Some(name) = page.snapshot {
            self.reader.snapshot.renamed(self.number, &pending.point, name);
        }
        let Some(last) = page.last else {
            lines.truncate(start);
            self.is_ended = true;
            return Ok(Turn::End);
        };
        if let Some(disorder) = page.disorder {
            return Err(failure::disorder(self.title(), disorder));
        }
        self.count(page.hits.len() as u64)?;
        if page.largest.len() > self.reader.limit().record_bytes {
            return Err(self.too_large(&lines[start..][page.largest]));
        }
        let records = page.hits.len() as u64;
        if let Some(raw) = self.faults.settled() {
            let head = &lines[start..][page.hits[0].clone()];
            let mut records = Vec::new();
            malformed::frame(head, &raw, &mut records);
            page.records = Some(records);
        }
        match page.records {
            Some(records) => {
                lines.truncate(start);
                lines.extend_from_slice(&records);
            }
            None => page::to_lines(lines, start, &page.hits),
        }
        self.page_sizer.arrived(records, received as u64);
        self.after = Some(last.into());
        self.equals = page.equals;
        self.records += records;
        self.page_bytes = received;
        self.was_short = records < pending.size;
        // A page of a scroll that nobody fetches for long is lost for good, so that one is asked for
        // when its segment begins.
        if !self.reader.is_scroll() {
            self.ask_ahead()?;
        }
        Ok(Turn::Page { records })
    }

    /// More hits than there are come from a server that goes round in circles.
    fn count(&self, hits: u64) -> Result<()> {
        let before = self.reader.delivered.fetch_add(hits, Ordering::Relaxed);
        let (total, delivered) = match self.reader.is_scroll() {
            true => (self.scrolled.unwrap_or(u64::MAX), self.records + hits),
            false => (self.reader.total, before + hits),
        };
        if delivered <= total {
            return Ok(());
        }
        Err(failure::excess(self.title(), total))
    }

    /// What to do about a page that the server did not give: gives the error that is worth another
    /// try, or fails with one that is not.
    fn refused(&mut self, refusal: &ErrorAnswer, pending: &PendingPage) -> Result<Error> {
        let error = refusal.error(&self.reader.page_name());
        match refusal.trouble {
            // It has got another name since.
            ErrorClass::SnapshotLost if pending.point != self.reader.snapshot.point() => Ok(error),
            // A new try would find it gone as well.
            ErrorClass::SnapshotLost if self.reader.is_deleted() => {
                Err(failure::deleted(self.title(), refusal))
            }
            ErrorClass::SnapshotLost => Err(error),
            ErrorClass::NoIndex | ErrorClass::Closed => {
                Err(failure::deleted(self.title(), refusal))
            }
            ErrorClass::MemoryForGood if pending.size == 1 => Err(error),
            ErrorClass::Memory | ErrorClass::MemoryForGood => {
                self.page_sizer.halve();
                Ok(error)
            }
            _ => Ok(error),
        }
    }

    /// Waits before the same is asked again, where that helps.
    fn again(&self, error: Error, host: &mut dyn Host) -> Result<()> {
        if !matches!(error.kind, Kind::Unavailable | Kind::Overloaded) {
            return Err(error);
        }
        if self.is_moving() {
            return Err(failure::lost(self.title(), error));
        }
        host.again(error)
    }
}
