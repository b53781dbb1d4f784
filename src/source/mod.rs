//! Where records come from. A source names its splits; of each, a cursor hands out segments in
//! order; a decoder turns a segment into rows.
//!
//! A source finds boundaries and counts. It does not know the sink, the pipeline or metrics.

pub mod csv;
mod document;
pub mod elastic;
pub mod jsonl;
pub mod memory;
pub mod named_fields;
mod sample;
pub mod text;
mod tree;

use std::sync::Arc;

pub use self::sample::Sampled;
use crate::error::{Error, Later, Result};
use crate::event::Expected;
use crate::record::{Field, Place, Rows, Segment, Shape};

/// Something records can be read from.
///
/// Opening a source is done by its constructor, which finds out everything that can be known
/// without moving a record: names, headers, sizes, rights. After that, `splits` and `fields` do not
/// change. All methods may be called from any thread.
pub trait Source: Send + Sync {
    /// The ordered parts of the source, in source order. A split's index is its name in a segment.
    fn splits(&self) -> &[Split];

    /// How many splits may be read at the same time. With more than one, the order of the segments
    /// is that of their arrival.
    fn readers(&self) -> usize {
        1
    }

    /// Opens a split at its beginning. Called once a split, from the thread that reads it, in the
    /// order of the splits. `limit` is that of the run, which may be below what the source was told
    /// to begin with.
    fn open(&self, split: usize, limit: SegmentLimit) -> Result<Box<dyn Cursor + '_>>;

    /// The fields that are known beforehand, in the source's order. Where records are documents,
    /// others may turn up.
    fn fields(&self) -> &[Field];

    /// The same after a look at some of the records, for a table that is to be made of them. May wait for
    /// them, so it is to be called where that is allowed. `columns` are those that rows of a table that is
    /// there can be written to: what feeds one of them is not made a part of another.
    fn sample(&self, _columns: &[String]) -> Result<Sampled> {
        Ok(Sampled { fields: self.fields().to_vec(), ..Sampled::default() })
    }

    /// The fields that tell records apart as a rule, where the source has such.
    fn key(&self) -> &[&str] {
        &[]
    }

    /// Why records that differ may share this key, if so: one line each, for a person.
    fn doubts(&self, _key: &[&str]) -> Vec<String> {
        Vec::new()
    }

    /// The pure half of the source, shared by all workers.
    fn decoder(&self, wanted: &Wanted) -> Result<Arc<dyn Decode>>;

    fn expected(&self) -> Expected;

    /// Called when all splits were read to their end and gave this many records: whether that is
    /// all there was. A source that cannot know has nothing to object.
    fn confirm(&self, _records: u64) -> Result<()> {
        Ok(())
    }

    /// Gives back what the other side keeps for us. Called once when nothing is read any more,
    /// however the run ended, and not waited for long.
    fn close(&self) -> Later<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What the sink takes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whole documents in their own words, or all columns where records have columns.
    Everything,
    /// These fields, in this order; one may be named twice.
    Fields { names: Vec<String>, others: Others },
}

/// What happens to a field that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// It is left out: it was not selected.
    Ignore,
    /// These are left out, because they were not selected; any other ends the run.
    Stop { except: Vec<String> },
    /// It is left out and counted.
    Count { except: Vec<String> },
    /// It rejects its record.
    Reject,
}

/// An ordered part of the source with a position of its own: a file, a snapshot, later an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub name: String,
    /// Counted and reported as a file.
    pub is_file: bool,
}

impl Split {
    pub fn file(name: &str) -> Split {
        Split { name: name.to_string(), is_file: true }
    }
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

    /// Ready when whatever takes long is to be given up, such as waiting for a server: then the
    /// cursor should return `None`.
    fn stopped(&self) -> Later<'static, ()>;

    /// Tells of a failure and waits before the next try of the same; gives the error back when
    /// there is none. An `Ok` when the wait was cut short by the end of the run.
    fn again(&mut self, error: Error) -> Result<()>;

    /// What was tried has succeeded: the next failure is a first one.
    fn succeeded(&mut self);
}

/// A host that has all the memory there is and no second try, for a look at a source without a run.
pub struct Onlooker;

impl Host for Onlooker {
    fn room(&mut self, _bytes: usize, _records: u64) -> bool {
        true
    }

    fn stopped(&self) -> Later<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn again(&mut self, error: Error) -> Result<()> {
        Err(error)
    }

    fn succeeded(&mut self) {}
}

/// A source's own count of what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    /// Bytes of the stored input consumed, before decompression.
    pub stored_bytes: u64,
    /// What they have become; a reader may be ahead of the records.
    pub decoded_bytes: u64,
}

/// Turns a segment into rows. Pure: the same segment gives the same rows, on any thread.
pub trait Decode: Send + Sync {
    /// What the rows look like; does not change.
    fn shape(&self) -> Shape;

    /// The most bytes of text that one byte of a segment may become in a column.
    fn text_growth(&self) -> usize {
        1
    }

    /// The most columns that one field fills.
    fn copies_max(&self) -> usize {
        1
    }

    /// Appends a row for every good record of the segment, and a rejection for every bad one, to
    /// `rows`, which is empty and has the shape above. Rows and rejections together are as many as
    /// the segment's records, else the pipeline stops the run.
    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()>;

    /// Where the record that begins at `start` ends; a line, unless a format knows better.
    fn record_end(&self, bytes: &[u8], start: usize) -> usize {
        memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1)
    }

    /// Says more about where a record is, from the record itself.
    fn locate(&self, _raw: &[u8], place: Place) -> Place {
        place
    }
}

/// How far a segment may grow, whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLimit {
    pub records: u64,
    pub bytes: usize,
    /// A record larger than this ends the run; one between `bytes` and this travels alone.
    pub record_bytes: usize,
}
