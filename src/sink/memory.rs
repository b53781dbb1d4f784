//! A sink in memory for tests and benches, which can be told to misbehave: to refuse a row, to fail
//! before or after it did the work, to hold a commit until it is released, to accept now and make
//! durable later.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{Allowance, Commit, Lane, Outgoing, Payload, Receipt, Refused, Sink};
use crate::error::{Error, Kind, Later, Result};
use crate::record::{Counts, ErrorType, Published, Rows, Value};

/// What a lane does with a segment instead of just committing it. Each happens once, in order.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Fails before anything was done.
    Refuse(Kind),
    /// Does it, and loses the answer.
    DoAndFail,
    /// Loses the request, and says that the answer was lost.
    LoseRequest,
    /// Does it, loses the answer, and cannot be asked at first either.
    DoAndVanish,
    /// Does not start before it is released.
    Hold(Arc<Gate>),
    /// Fails when it is released.
    HoldAndRefuse(Arc<Gate>, Kind),
    /// Does it, and does not answer before it is released.
    DoAndHold(Arc<Gate>),
    /// Has a bug.
    Panic,
}

/// Where a commit stands until it is let through.
#[derive(Debug, Default)]
pub struct Gate {
    pub reached: Notify,
    pub released: Notify,
}

#[derive(Default)]
pub struct MemorySink {
    pub lanes: usize,
    /// Durable only at marks.
    pub accepts_first: bool,
    /// By ticket.
    pub faults: Mutex<HashMap<u64, VecDeque<Fault>>>,
    /// A segment is public as soon as it is stored.
    pub is_public: bool,
    /// Answers that it wants to be left alone, before it does not.
    pub held_back: AtomicUsize,
    /// Asking that fails, once, behind those.
    pub throttle_fails: AtomicBool,
    /// Where lanes wait to be opened.
    pub opening: Option<Arc<Gate>>,
    /// Where publishing waits before it fails.
    pub publishing: Option<Arc<Gate>>,
    /// Has a bug where it would be published.
    pub panics_at_the_end: bool,
    /// A row with this text is refused when it is prepared.
    pub refuses: Option<String>,
    /// A row with this text is refused by the lane.
    pub refuses_late: Option<String>,
    pub stored: Arc<Stored>,
}

/// What has arrived.
#[derive(Default)]
pub struct Stored {
    pub lines: Mutex<Vec<String>>,
    pub tickets: Mutex<Vec<u64>>,
    /// Of each of them.
    rows: Mutex<Vec<u64>>,
    pub is_published: Mutex<bool>,
    pub is_abandoned: Mutex<bool>,
}

impl Stored {
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect(NO_PANIC).clone()
    }
}

const NO_PANIC: &str = "no test panics while it holds this";

impl MemorySink {
    pub fn new(lanes: usize) -> MemorySink {
        MemorySink { lanes, ..MemorySink::default() }
    }

    pub fn fault(self, ticket: u64, fault: Fault) -> MemorySink {
        self.faults.lock().expect(NO_PANIC).entry(ticket).or_default().push_back(fault);
        self
    }
}

impl Sink for MemorySink {
    fn footprint(&self, bytes: usize, _records: u64) -> usize {
        bytes
    }

    fn prepare(
        &self,
        rows: &Rows,
        mut buffer: Vec<u8>,
        refused: &mut Vec<Refused>,
    ) -> Result<Payload> {
        let mut prepared = 0;
        let mut keys = Vec::new();
        for row in 0..rows.len() {
            let Some(Value::Text(text)) = rows.row(row).next() else {
                return Err(Error::internal("the memory sink takes text only"));
            };
            if self.refuses.as_ref().is_some_and(|refused| refused.as_bytes() == text) {
                refused.push(refusal(row));
                continue;
            }
            buffer.extend_from_slice(text);
            buffer.push(b'\n');
            if let Some(key) = text.strip_prefix(b"key ") {
                keys.push(key.iter().fold(0, |key, byte| key * 256 + u64::from(*byte)));
            }
            prepared += 1;
        }
        keys.sort_unstable();
        Ok(Payload { bytes: buffer.into(), keys, rows: prepared, ..Payload::default() })
    }

    fn lanes_max(&self) -> usize {
        self.lanes
    }

    fn refuses_late(&self) -> bool {
        self.refuses_late.is_some()
    }

    fn is_public_at_commit(&self) -> bool {
        self.is_public
    }

    fn find(&self, ticket: u64) -> Later<'_, Result<Option<Receipt>>> {
        let place =
            self.stored.tickets.lock().expect(NO_PANIC).iter().position(|one| *one == ticket);
        let inserted = place.map(|place| self.stored.rows.lock().expect(NO_PANIC)[place]);
        let receipt = |inserted| {
            let counts = Counts { inserted, ..Counts::default() };
            Receipt { counts, ..Receipt::default() }
        };
        Box::pin(std::future::ready(Ok(inserted.map(receipt))))
    }

    fn open(self: Arc<Self>) -> Later<'static, Result<Box<dyn Lane>>> {
        Box::pin(async {
            if let Some(gate) = &self.opening {
                gate.reached.notify_one();
                gate.released.notified().await;
            }
            Ok(Box::new(MemoryLane {
                sink: self,
                accepted: Vec::new(),
                marking: false,
                is_away: false,
            }) as _)
        })
    }

    fn publish(&self) -> Later<'_, Result<Published>> {
        Box::pin(async {
            assert!(!self.panics_at_the_end, "the memory sink was told to panic");
            if let Some(gate) = &self.publishing {
                gate.reached.notify_one();
                gate.released.notified().await;
                return Err(lost(Kind::LocalIo));
            }
            *self.stored.is_published.lock().expect(NO_PANIC) = true;
            Ok(Published::default())
        })
    }

    fn abandon(&self) -> Later<'_, Option<Published>> {
        Box::pin(async {
            *self.stored.is_abandoned.lock().expect(NO_PANIC) = true;
            None
        })
    }
}

fn refusal(row: usize) -> Refused {
    Refused {
        row,
        column: Some("line".to_string()),
        error_type: ErrorType::Constraint,
        reason: "the sink does not like it".to_string(),
    }
}

struct MemoryLane {
    sink: Arc<MemorySink>,
    accepted: Vec<Receipt>,
    marking: bool,
    is_away: bool,
}

impl MemoryLane {
    /// Nothing is stored when more rows would be refused than is allowed.
    fn store(&self, segment: &Outgoing, allowance: &dyn Allowance) -> Commit {
        let payload = &segment.payload;
        let mut receipt =
            Receipt { bytes_written: payload.bytes.len() as u64, ..Receipt::default() };
        let text = String::from_utf8_lossy(&payload.bytes);
        let mut taken = Vec::new();
        for (row, line) in text.lines().enumerate() {
            if self.sink.refuses_late.as_deref() == Some(line) {
                receipt.refused.push(refusal(row));
            } else {
                taken.push(line.to_string());
            }
        }
        if !receipt.refused.is_empty() && !allowance.allows(receipt.refused.len() as u64) {
            return Commit::TooManyRejected(receipt.refused);
        }
        receipt.counts.inserted = taken.len() as u64;
        self.sink.stored.rows.lock().expect(NO_PANIC).push(taken.len() as u64);
        self.sink.stored.lines.lock().expect(NO_PANIC).extend(taken);
        self.sink.stored.tickets.lock().expect(NO_PANIC).push(segment.ticket);
        Commit::Durable(receipt)
    }

    fn next_fault(&self, ticket: u64) -> Option<Fault> {
        self.sink.faults.lock().expect(NO_PANIC).get_mut(&ticket)?.pop_front()
    }
}

fn lost(kind: Kind) -> Error {
    Error::new(kind, ErrorType::Connection, "the memory sink was told to fail")
}

impl Lane for MemoryLane {
    fn commit<'a>(
        &'a mut self,
        segment: &'a Outgoing,
        allowance: &'a dyn Allowance,
    ) -> Later<'a, Result<Commit>> {
        Box::pin(async {
            match self.next_fault(segment.ticket) {
                Some(Fault::Refuse(kind)) => return Err(lost(kind)),
                Some(Fault::LoseRequest) => return Err(lost(Kind::Unknown)),
                Some(Fault::Panic) => panic!("the memory sink was told to panic"),
                Some(Fault::DoAndFail) => {
                    self.store(segment, allowance);
                    return Err(lost(Kind::Unknown));
                }
                Some(Fault::DoAndVanish) => {
                    self.store(segment, allowance);
                    self.is_away = true;
                    return Err(lost(Kind::Unknown));
                }
                Some(Fault::DoAndHold(gate)) => {
                    let stored = self.store(segment, allowance);
                    gate.reached.notify_one();
                    gate.released.notified().await;
                    return Ok(stored);
                }
                Some(Fault::HoldAndRefuse(gate, kind)) => {
                    gate.reached.notify_one();
                    gate.released.notified().await;
                    return Err(lost(kind));
                }
                Some(Fault::Hold(gate)) => {
                    gate.reached.notify_one();
                    gate.released.notified().await;
                }
                None => {}
            }
            match self.store(segment, allowance) {
                Commit::Durable(receipt) if self.sink.accepts_first => {
                    self.accepted.push(receipt);
                    Ok(Commit::Accepted)
                }
                stored => Ok(stored),
            }
        })
    }

    fn is_held_back(&mut self) -> Later<'_, Result<bool>> {
        let less = |left: usize| left.checked_sub(1);
        let is_held_back = self.sink.held_back.fetch_update(Relaxed, Relaxed, less).is_ok();
        let fails = !is_held_back && self.sink.throttle_fails.swap(false, Relaxed);
        let answer = if fails { Err(lost(Kind::Unavailable)) } else { Ok(is_held_back) };
        Box::pin(std::future::ready(answer))
    }

    fn mark(&mut self) -> Later<'_, Result<bool>> {
        self.marking = !self.accepted.is_empty();
        Box::pin(std::future::ready(Ok(self.marking)))
    }

    fn marked(&mut self) -> Later<'_, Result<Vec<Receipt>>> {
        Box::pin(async {
            if !std::mem::take(&mut self.marking) {
                return std::future::pending().await;
            }
            Ok(std::mem::take(&mut self.accepted))
        })
    }

    fn find<'a>(&'a mut self, segment: &'a Outgoing) -> Later<'a, Result<Option<Commit>>> {
        Box::pin(async {
            if std::mem::take(&mut self.is_away) {
                return Err(lost(Kind::Unavailable));
            }
            let is_there =
                self.sink.stored.tickets.lock().expect(NO_PANIC).contains(&segment.ticket);
            Ok(is_there.then(|| {
                let counts = Counts { inserted: segment.payload.rows, ..Counts::default() };
                let bytes_written = segment.payload.bytes.len() as u64;
                Commit::Durable(Receipt { counts, bytes_written, refused: Vec::new() })
            }))
        })
    }
}
