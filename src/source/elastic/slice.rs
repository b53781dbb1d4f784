//! One slice: page after page of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::answer::{Refusal, Trouble};
use super::body::More;
use super::client::Reply;
use super::pace::Pace;
use super::page::{self, Demands, Page};
use super::reading::{Fetched, PageRequest, Reading, Wish};
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
    answer: JoinHandle<Result<Reply>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer.abort();
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
            let error = match self.fetch(&mut asked, lines, records, host) {
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
                Ok(Fetched::Incomplete(incomplete)) => self.reading.incomplete(&incomplete),
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

    fn size(&self) -> u64 {
        if self.reading.is_scroll() { self.reading.scroll_size } else { self.pace.size() }
    }

    fn ask(&self, size: u64) -> Result<Asked> {
        let wish = Wish { slice: self.number, size, after: self.after.as_deref() };
        let PageRequest { path, body, point } = self.reading.request(&wish)?;
        let client = self.reading.client.clone();
        let answer = self.reading.runtime.spawn(async move { client.page(&path, body).await });
        Ok(Asked { size, point, answer })
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
        let demands = Demands { shards: self.shards, may_end_early: self.is_moving() };
        let growth = Growth { size: asked.size, start: lines.len(), records };
        let stopped = host.stopped();
        let more = |length: usize| self.further(growth, length, host);
        let work = async {
            let response = (&mut asked.answer)
                .await
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
        page: Page,
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
        }
        if let Some(name) = page.snapshot {
            self.reading.snapshot.renamed(self.number, &asked.point, name);
        }
        let Some(last) = page.last else {
            lines.truncate(start);
            self.is_ended = true;
            return Ok(Turn::End);
        };
        let last: Arc<[u8]> = last.into();
        if !self.reading.is_scroll() && self.after.as_ref() == Some(&last) {
            let message = format!("the server does not move on in '{}'", self.reading.title);
            return Err(Error::data(ErrorType::Protocol, message));
        }
        if page.largest.len() > self.reading.limit.record_bytes {
            return Err(self.too_large(&lines[start..][page.largest]));
        }
        let records = page.hits.len() as u64;
        page::to_lines(lines, start, &page.hits);
        self.pace.arrived(records, received as u64);
        self.after = Some(last);
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
            Trouble::SnapshotLost => Err(error),
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
