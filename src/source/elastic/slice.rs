//! One slice: page after page of it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::answer::{Refusal, Trouble};
use super::client::Reply;
use super::doubt::{Doubt, Next};
use super::failure;
use super::growth::Growth;
use super::order::Order;
use super::pace::{self, Pace};
use super::page::{self, Demands, Incomplete, Page};
use super::poison;
use super::reading::{Fetched, PageRequest, Reading, Wish};
use super::snapshot::{self, Snapshot};
use crate::error::{Error, Kind, Result};
use crate::source::Host;

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
    doubt: Doubt,
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
            doubt: Doubt::default(),
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
                Ok(Fetched::Page(page)) => match self.judge(&page) {
                    Next::Take => {
                        host.succeeded();
                        return self.taken(page, lines, start, &asked);
                    }
                    Next::Ask | Next::Halve => continue,
                    Next::Wait => failure::bent(self.title()),
                },
                Ok(Fetched::TooLarge) if size == 1 && start > 0 && !self.reading.is_scroll() => {
                    lines.truncate(start);
                    self.ask_ahead()?;
                    return Ok(Turn::Later);
                }
                Ok(Fetched::TooLarge) if size == 1 => return Err(self.too_large(&lines[start..])),
                Ok(Fetched::TooLarge) if self.reading.is_scroll() => {
                    let bytes = lines.len() - start;
                    return Err(failure::page_too_large(self.title(), size, bytes));
                }
                Ok(Fetched::TooLarge) => {
                    self.pace.too_large(pace::hits_in(&lines[start..]));
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
                    if self.doubt.unserved(size) == Next::Halve {
                        self.pace.halve();
                    }
                    continue;
                }
                Ok(Fetched::Refused(refusal)) => self.refused(&refusal, &asked)?,
                Err(error) => error,
            };
            self.again(error, host)?;
        }
    }

    /// What is read, for messages.
    fn title(&self) -> &str {
        &self.reading.title
    }

    fn too_large(&self, hit: &[u8]) -> Error {
        failure::document_too_large(self.title(), hit, self.reading.limit().record_bytes)
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
            && snapshot.has_other_scrolls()
            && refusal.reason.contains("too many scroll contexts")
    }

    /// OpenSearch finds no `_id` to slice by in an index without a mapping.
    fn is_unsliced(&self, refusal: &Refusal) -> bool {
        self.after.is_none()
            && self.reading.slices() > 1
            && refusal.reason.contains("field _id not found")
    }

    /// The server fails at a document that can be looked for.
    fn is_unservable(&self, refusal: &Refusal) -> bool {
        refusal.trouble == Trouble::Unservable
            && !self.reading.is_scroll()
            && !self.doubt.wants_name()
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

    /// Whether a page counts. One whose documents are no JSON is asked for once more, where that can be
    /// done: they may have been bent on their way.
    fn judge(&mut self, page: &Page) -> Next {
        match &page.records {
            Some(records) if !self.reading.is_scroll() => self.doubt.judged(records),
            _ => Next::Take,
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
        let error = self.reading.incomplete(incomplete);
        if self.reading.is_scroll() {
            return match answer.trim_ascii_end().ends_with(b"]}}") {
                true => Err(failure::hidden(self.title(), &incomplete.reason)),
                false => Ok(Some(error)),
            };
        }
        match self.doubt.unread(size, answer) {
            Next::Wait => return Ok(Some(error)),
            Next::Halve => self.pace.halve(),
            Next::Ask | Next::Take => {}
        }
        Ok(None)
    }

    fn size(&self) -> u64 {
        if self.doubt.wants_name() {
            return 1;
        }
        let size =
            if self.reading.is_scroll() { self.reading.scroll_size } else { self.pace.size() };
        size.min(self.reading.page_records())
    }

    fn ask(&self, size: u64) -> Result<Asked> {
        let (after, sourceless) = (self.after.as_deref(), self.doubt.wants_name());
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
            has_source: !self.doubt.wants_name(),
        };
        let growth = Growth {
            size: asked.size,
            start: lines.len(),
            records,
            page_bytes: reading.page_bytes(),
            limit: reading.limit(),
            is_scroll: reading.is_scroll(),
        };
        let stopped = host.stopped();
        let more = |length: usize| growth.further(length, host);
        let (opens_scroll, is_receiving) = (asked.opens.is_some(), Cell::new(false));
        let work = async {
            let answer =
                asked.answer.as_mut().ok_or_else(|| Error::internal("no page is asked"))?;
            let response = answer.await;
            asked.answer = None;
            is_receiving.set(true);
            let response = response
                .map_err(|cause| Error::internal("asking for a page broke off").because(cause))??;
            reading.receive(response, lines, demands, more).await
        };
        reading.runtime.block_on(async {
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
            return Err(failure::disorder(self.title(), disorder));
        }
        self.count(page.hits.len() as u64)?;
        if page.largest.len() > self.reading.limit().record_bytes {
            return Err(self.too_large(&lines[start..][page.largest]));
        }
        let records = page.hits.len() as u64;
        if let Some(raw) = self.doubt.settled() {
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
        Err(failure::excess(self.title(), total))
    }

    /// What to do about a page that the server did not give: gives the error that is worth another
    /// try, or fails with one that is not.
    fn refused(&mut self, refusal: &Refusal, asked: &Asked) -> Result<Error> {
        let error = refusal.error(&self.reading.page_name());
        match refusal.trouble {
            // It has got another name since.
            Trouble::SnapshotLost if asked.point != self.reading.snapshot.point() => Ok(error),
            // A new try would find it gone as well.
            Trouble::SnapshotLost if self.reading.is_deleted() => {
                Err(failure::deleted(self.title(), refusal))
            }
            Trouble::SnapshotLost => Err(error),
            Trouble::NoIndex | Trouble::Closed => Err(failure::deleted(self.title(), refusal)),
            Trouble::MemoryForGood if asked.size == 1 => Err(error),
            Trouble::Memory | Trouble::MemoryForGood => {
                self.pace.halve();
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
