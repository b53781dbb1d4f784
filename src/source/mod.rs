//! Where records come from. A source names its splits; of each, a cursor hands out segments in
//! order; a decoder turns a segment into rows.
//!
//! A source finds boundaries and counts. It does not know the sink, the pipeline or metrics.

pub mod csv;
pub mod jsonl;
pub mod memory;
pub mod text;

use std::sync::Arc;

use crate::error::Result;
use crate::event::{Event, Expected};
use crate::record::{Rows, Segment, Shape};

/// Something records can be read from.
///
/// Opening a source is done by its constructor, which finds out everything that can be known
/// without moving a record: names, headers, sizes, rights. After that, `splits` and `shape` do not
/// change. All methods may be called from any thread.
pub trait Source: Send + Sync {
    /// The ordered parts of the source, in source order. A split's index is its name in a segment.
    fn splits(&self) -> &[Split];

    /// Opens a split at its beginning. Called once a split, in order, from the reader's thread.
    fn open(&self, split: usize) -> Result<Box<dyn Cursor + '_>>;

    /// The pure half of the source, shared by all workers.
    fn decoder(&self) -> Arc<dyn Decode>;

    fn expected(&self) -> Expected;
}

/// An ordered part of the source with a position of its own: a file, later a slice or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub name: String,
}

/// A position in one split that moves forward, segment by segment.
///
/// Owned by one reader thread; `next` may block. Cancelling is done by not calling it again: it
/// holds nothing that must be handed back, and dropping it closes what it opened.
pub trait Cursor: Send {
    /// The next segment, or none at the end. Segments are in order, disjoint, never empty, and
    /// together cover the split. `buffer` is an empty buffer to read into; its memory comes back
    /// with the segment.
    ///
    /// An error ends the split. What was handed out before stays valid.
    fn next(&mut self, buffer: Vec<u8>, host: &mut dyn Host) -> Result<Option<Segment>>;

    /// What this cursor found so far, counted by itself and apart from the segments it handed out.
    fn tally(&self) -> Tally;
}

/// What the reader offers a cursor while it works.
pub trait Host {
    /// Asks for memory for a segment that turns out to be larger than the segment limit, before it
    /// is taken. Waits for it. False when the run is over and the cursor should return `None`.
    fn room(&mut self, bytes: usize, records: u64) -> bool;

    /// Whether to give up what would take long, such as waiting for a server.
    fn is_stopping(&self) -> bool;

    /// Tells of a retry or a refusal by the other side.
    fn tell(&mut self, event: Event);
}

/// A host that has all the memory there is, for a look at a source without a run.
pub struct Onlooker;

impl Host for Onlooker {
    fn room(&mut self, _bytes: usize, _records: u64) -> bool {
        true
    }

    fn is_stopping(&self) -> bool {
        false
    }

    fn tell(&mut self, _event: Event) {}
}

/// A source's own count of what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    /// Bytes of the stored input consumed, before decompression.
    pub stored_bytes: u64,
}

/// Turns a segment into rows. Pure: the same segment gives the same rows, on any thread.
pub trait Decode: Send + Sync {
    /// What the rows look like; does not change.
    fn shape(&self) -> Shape;

    /// The most bytes of text that one byte of a segment may become.
    fn text_growth(&self) -> usize {
        1
    }

    /// Appends a row for every good record of the segment, and a rejection for every bad one, to
    /// `rows`, which is empty and has the shape above. Rows and rejections together are as many as
    /// the segment's records, else the pipeline stops the run.
    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()>;
}

/// How far a segment may grow, whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLimit {
    pub records: u64,
    pub bytes: usize,
    /// A record larger than this ends the run; one between `bytes` and this travels alone.
    pub record_bytes: usize,
}
