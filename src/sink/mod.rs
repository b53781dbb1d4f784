//! Where records go. A sink prepares rows for the wire - pure, in parallel - and opens lanes, and
//! a lane commits one prepared segment at a time.
//!
//! A sink does not know the source, the pipeline or metrics.

pub mod file;
pub mod memory;
pub mod mysql;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Later, Result};
use crate::record::{Counts, ErrorType, Interval, Published, Rows};

/// Something records can be written to.
///
/// Opened by its constructor, which checks everything that can be checked without writing. Three
/// facts are kept apart: a segment is *accepted* when `Lane::commit` took it, *durable* when it
/// would survive a power cut, and the output is *published* when readers find it. A sink that
/// others can see at once, such as a table, is published by each commit.
pub trait Sink: Send + Sync {
    /// The most bytes `prepare` can return for this many bytes and records of source, and what a
    /// lane may need beside them. It is reserved before they are read, so that memory cannot run out
    /// halfway.
    fn footprint(&self, bytes: usize, records: u64) -> usize;

    /// What a lane needs beside this payload.
    fn commit_footprint(&self, _payload: &Payload) -> usize {
        0
    }

    /// Turns rows into what goes over the wire. Pure, called by all workers at once. `buffer` is
    /// empty; its memory comes back with the payload. A row the sink cannot take is pushed to
    /// `refused` with its index in `rows` and left out.
    fn prepare(&self, rows: &Rows, buffer: Vec<u8>, refused: &mut Vec<Refused>) -> Result<Payload>;

    /// How many lanes may be open at once. One, where order matters.
    fn lanes_max(&self) -> usize;

    /// Readers see a segment as soon as it is committed, and not only when all is published.
    fn is_public_at_commit(&self) -> bool {
        false
    }

    /// Bytes that publishing an output without records would replace, where records may be among them.
    fn would_replace(&self) -> Option<u64> {
        None
    }

    /// Whether a lane may still refuse single rows; if so the source bytes are kept until then.
    fn refuses_late(&self) -> bool {
        false
    }

    fn open(self: Arc<Self>) -> Later<'static, Result<Box<dyn Lane>>>;

    /// What became of a segment whose lane was let go of amid a commit, over a way that no lane has.
    /// None where it was not taken and never will be. Asked only where `is_public_at_commit`.
    fn find(&self, _ticket: u64) -> Later<'_, Result<Option<Receipt>>> {
        Box::pin(std::future::ready(Err(Error::internal("this sink cannot look for a segment"))))
    }

    /// Called once, after all lanes have finished and the balance has closed. Makes the output
    /// appear under its name, and says what it did.
    fn publish(&self) -> Later<'_, Result<Published>>;

    /// Called when the run did not get there, or not to the end of `publish`. Removes what nobody
    /// should find; what was already durable and public stays, and is the answer where `publish`
    /// came so far.
    fn abandon(&self) -> Later<'_, Option<Published>>;
}

/// One ordered way into the sink.
///
/// Used by one task at a time. `commit` is given segments in the order the sequencer chose.
/// Dropping a lane, or a future of it, leaves nothing half-visible.
pub trait Lane: Send {
    /// Takes one segment. `Durable` promises that it survives a power cut; `Accepted` that a later
    /// `mark` will make it so. A lane that refuses rows asks `allowance` before it commits the
    /// others, and where it is refused takes nothing and answers `TooManyRejected`.
    ///
    /// After an error of kind `Unavailable` or `Overloaded`, nothing of the segment was taken and
    /// the same segment may come again. After `Unknown` the caller asks `find` first. Any other
    /// error is final.
    fn commit<'a>(
        &'a mut self,
        segment: &'a Outgoing,
        allowance: &'a dyn Allowance,
    ) -> Later<'a, Result<Commit>>;

    /// Whether the other side wants to be left alone for now. Asked before a commit, again and
    /// again until it does not.
    fn is_held_back(&mut self) -> Later<'_, Result<bool>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Starts to make everything accepted so far durable, unless that is under way; says whether it
    /// did. Lanes whose commits are durable keep this default and the next.
    fn mark(&mut self) -> Later<'_, Result<bool>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Waits for the mark that was started last, and gives the receipts of what it made durable,
    /// oldest first. Without one it waits for ever. May be dropped and asked again.
    fn marked(&mut self) -> Later<'_, Result<Vec<Receipt>>> {
        Box::pin(std::future::pending())
    }

    /// Whether a segment whose commit has an unknown outcome was in fact taken.
    fn find<'a>(&'a mut self, _segment: &'a Outgoing) -> Later<'a, Result<Option<Commit>>> {
        Box::pin(std::future::ready(Err(Error::internal("this lane cannot look for a segment"))))
    }
}

/// Says how many rows may be refused.
pub trait Allowance: Send + Sync {
    /// Whether this many rows of the segment may be refused, within what the run puts up with. The
    /// answer to a second question replaces the first.
    fn allows(&self, refused: u64) -> bool;
}

/// What `prepare` made of a segment: opaque to the pipeline.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// Shared, so that it can go to a server without being copied.
    pub bytes: Bytes,
    pub rows: u64,
    /// Hashes of the keys of the rows, ascending. Segments that share one are committed one after
    /// another. Empty where that does not matter, or where there is one lane.
    pub keys: Vec<u64>,
    /// Where they do not stand in the order of the rows that were given: of each row, its index
    /// among those.
    pub order: Option<Vec<u32>>,
    /// What else the lane wants to know of the segment.
    pub detail: Option<Arc<dyn Any + Send + Sync>>,
}

/// A segment on its way to a lane.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its place in the order of the run.
    pub ticket: u64,
    /// What a token or a saved position is about.
    pub interval: Interval,
    pub payload: Payload,
}

/// A row that the sink does not take.
#[derive(Debug)]
pub struct Refused {
    /// Index among the rows it was given: those of `prepare`, or those of the payload.
    pub row: usize,
    pub column: Option<String>,
    pub error_type: ErrorType,
    pub reason: String,
}

#[derive(Debug)]
pub enum Commit {
    Accepted,
    Durable(Receipt),
    /// More rows would have been refused than the run allows; nothing was taken.
    TooManyRejected(Vec<Refused>),
}

/// What became of the rows of one durable segment.
#[derive(Debug, Default)]
pub struct Receipt {
    /// Without `failed`: that is the number of `refused`.
    pub counts: Counts,
    pub bytes_written: u64,
    pub refused: Vec<Refused>,
}

/// When accepted segments are made durable: by size, or by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPolicy {
    pub bytes: u64,
    pub age: Duration,
}
