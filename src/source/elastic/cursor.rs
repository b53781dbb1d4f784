//! A position in one slice: page after page, each a segment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::answer::{Refusal, Trouble};
use super::body::More;
use super::dialect::Dialect;
use super::pace::Pace;
use super::page::{self, Demands, Page};
use super::reading::{Fetched, PageRequest, Reading, Wish};
use crate::error::{Error, Kind, Result};
use crate::record::{ErrorType, Flush, Interval, Place, Position, Segment};
use crate::source::{Cursor, Host, Tally};

/// What stands around a hit in an answer: mostly the name of the snapshot, which grows with the
/// number of shards.
const ENVELOPE_BYTES: usize = 1 << 20;
/// A page of a scroll may be as many times larger than was planned. It cannot be asked again.
const SCROLL_EXCESS: usize = 16;

pub struct HitCursor {
    reading: Arc<Reading>,
    slice: usize,
    /// What the last hit was sorted by.
    after: Option<Arc<[u8]>>,
    pace: Pace,
    /// The next page, asked for while this one is worked on. Its body waits in the connection.
    ahead: Option<Asked>,
    shards: Option<u64>,
    records: u64,
    received_bytes: u64,
    is_ended: bool,
}

/// A page that was asked for.
struct Asked {
    size: u64,
    /// What the point in time was called then.
    point: String,
    answer: JoinHandle<Result<reqwest::Response>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

impl HitCursor {
    pub fn new(reading: Arc<Reading>, slice: usize) -> HitCursor {
        let records_max = reading.limit.records.min(reading.window);
        HitCursor {
            slice,
            after: None,
            pace: Pace::new(records_max, reading.limit.bytes),
            ahead: None,
            shards: reading.shards,
            records: 0,
            received_bytes: 0,
            is_ended: false,
            reading,
        }
    }

    fn is_scroll(&self) -> bool {
        self.reading.snapshot.dialect() == Dialect::Scroll
    }

    /// The server has moved past the page that is asked for, whether it arrives or not.
    fn is_moving(&self) -> bool {
        self.is_scroll() && self.reading.snapshot.scroll(self.slice).is_some()
    }

    fn size(&self) -> u64 {
        if self.is_scroll() { self.reading.scroll_size } else { self.pace.size() }
    }

    fn ask(&self, size: u64) -> Result<Asked> {
        let wish = Wish { slice: self.slice, size, after: self.after.as_deref() };
        let PageRequest { path, body, point } = self.reading.request(&wish)?;
        let client = self.reading.client.clone();
        let answer = self.reading.runtime.spawn(async move { client.page(&path, body).await });
        Ok(Asked { size, point, answer })
    }

    /// Reads a page that was asked for.
    fn fetch(
        &self,
        asked: &mut Asked,
        buffer: Vec<u8>,
        host: &mut dyn Host,
    ) -> Result<(Vec<u8>, Fetched)> {
        let reading = &self.reading;
        let demands = Demands { shards: self.shards, may_end_early: self.is_moving() };
        let (size, is_scroll) = (asked.size, self.is_scroll());
        let stopped = host.stopped();
        let more = |length: usize| further(reading, is_scroll, size, length, host);
        let work = async {
            let response = (&mut asked.answer)
                .await
                .map_err(|cause| Error::internal("asking for a page broke off").because(cause))??;
            let (buffer, fetched) = reading.receive(response, buffer, demands, more).await;
            fetched.map(|fetched| (buffer, fetched))
        };
        reading.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped => Ok((Vec::new(), Fetched::Over)),
                fetched = work => fetched,
            }
        })
    }

    /// What a page becomes. It may be the end.
    fn segment(&mut self, page: Page, mut body: Vec<u8>, asked: &Asked) -> Result<Option<Segment>> {
        let (received, size) = (body.len(), asked.size);
        self.received_bytes += received as u64;
        self.shards = Some(page.shards);
        if let Some(total) = page.total
            && !self.is_moving()
        {
            self.reading.scrolled.fetch_add(total, Ordering::Relaxed);
        }
        if let Some(name) = page.snapshot {
            self.reading.snapshot.renamed(self.slice, &asked.point, name);
        }
        let Some(last) = page.last else {
            self.is_ended = true;
            return Ok(None);
        };
        let last: Arc<[u8]> = last.into();
        if !self.is_scroll() && self.after.as_ref() == Some(&last) {
            let message = format!("the server does not move on in '{}'", self.reading.title);
            return Err(Error::data(ErrorType::Protocol, message));
        }
        if page.largest.len() > self.reading.limit.record_bytes {
            return Err(self.too_large(&body[page.largest]));
        }
        let records = page.hits.len() as u64;
        page::to_lines(&mut body, &page.hits);
        self.pace.arrived(records, received as u64);
        let from = self.after.replace(last.clone()).unwrap_or_else(|| Arc::from(&b""[..]));
        let segment = Segment {
            interval: Interval {
                split: self.slice,
                from: Position::Key(from),
                to: Position::Key(last),
            },
            first_record: self.records + 1,
            first_line: self.records + 1,
            records,
            bytes: body,
            flaws: Vec::new(),
            flush: match () {
                () if received > self.reading.limit.bytes => Flush::Large,
                () if records < size => Flush::End,
                () if records >= self.reading.limit.records => Flush::Records,
                () => Flush::Bytes,
            },
        };
        self.records += records;
        if !self.is_scroll() {
            self.ahead = Some(self.ask(self.pace.size())?);
        }
        Ok(Some(segment))
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

/// Whether an answer that is larger than a segment is read on.
fn further(
    reading: &Reading,
    is_scroll: bool,
    size: u64,
    length: usize,
    host: &mut dyn Host,
) -> More {
    let limit = reading.limit;
    let single = limit.record_bytes.saturating_add(ENVELOPE_BYTES);
    let (most, records) = match (is_scroll, size) {
        (true, _) => (single.max(limit.bytes.saturating_mul(SCROLL_EXCESS)), size),
        (false, 1) => (single, 1),
        (false, _) => return More::No,
    };
    let next = length.saturating_mul(2).min(most);
    match length < most {
        true if host.room(next, records) => More::UpTo(next),
        true => More::Over,
        false => More::No,
    }
}

/// Hits that came before an answer was given up. A guess: documents may hold the same words.
fn hits_in(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"_index\":").count() as u64
}

impl Cursor for HitCursor {
    fn next(&mut self, mut buffer: Vec<u8>, host: &mut dyn Host) -> Result<Option<Segment>> {
        if self.is_ended {
            return Ok(None);
        }
        loop {
            let mut asked = match self.ahead.take() {
                Some(asked) => asked,
                None => self.ask(self.size())?,
            };
            let size = asked.size;
            buffer.clear();
            let error = match self.fetch(&mut asked, buffer, host) {
                Ok((_, Fetched::Over)) => return Ok(None),
                Ok((body, Fetched::Page(page))) => {
                    host.succeeded();
                    return self.segment(page, body, &asked);
                }
                Ok((body, Fetched::TooLarge)) if size == 1 => return Err(self.too_large(&body)),
                Ok((body, Fetched::TooLarge)) if self.is_scroll() => {
                    let message = format!(
                        "{size} documents of '{}' are more than {} bytes, and this server gives no page of a scroll twice",
                        self.reading.title,
                        body.len()
                    );
                    return Err(Error::data(ErrorType::TooLarge, message)
                        .help("lower --batch-size, so that pages are smaller"));
                }
                Ok((body, Fetched::TooLarge)) => {
                    self.pace.too_large(hits_in(&body));
                    buffer = body;
                    continue;
                }
                Ok((body, Fetched::Incomplete(incomplete))) => {
                    buffer = body;
                    self.reading.incomplete(&incomplete)
                }
                Ok((body, Fetched::Refused(refusal))) => {
                    buffer = body;
                    self.refused(&refusal, &asked)?
                }
                Err(error) => {
                    buffer = Vec::new();
                    error
                }
            };
            self.again(error, host)?;
        }
    }

    fn tally(&self) -> Tally {
        Tally { records: self.records, stored_bytes: self.received_bytes }
    }
}
