//! Buffers that are used again: a run moves gigabytes through a few of them, and fresh memory costs
//! a page fault every 4 KiB.

use std::sync::{Mutex, MutexGuard};

use crate::record::Rows;

/// Those of a run: of segments, of their rows and of payloads, apart because each kind has a size of
/// its own. Workers are more than segments under way, so that rows are not theirs.
pub struct Pools {
    pub segments: Pool<Vec<u8>>,
    pub rows: Pool<Rows>,
    pub payloads: Pool<Vec<u8>>,
}

impl Pools {
    /// With so much unused in each at most.
    pub fn new(bytes_max: usize) -> Pools {
        Pools {
            segments: Pool::new(bytes_max),
            rows: Pool::new(bytes_max),
            payloads: Pool::new(bytes_max),
        }
    }

    /// What may lie unused in all of them.
    pub fn bytes_max(&self) -> usize {
        self.segments.bytes_max + self.rows.bytes_max + self.payloads.bytes_max
    }
}

pub struct Pool<T> {
    free: Mutex<Free<T>>,
    /// What may lie here unused.
    bytes_max: usize,
}

struct Free<T> {
    buffers: Vec<T>,
    bytes: usize,
}

/// Memory that can be emptied and filled again.
pub trait Buffer {
    fn held_bytes(&self) -> usize;
    fn empty(&mut self);
}

impl Buffer for Vec<u8> {
    fn held_bytes(&self) -> usize {
        self.capacity()
    }

    fn empty(&mut self) {
        self.clear();
    }
}

impl Buffer for Rows {
    fn held_bytes(&self) -> usize {
        Rows::held_bytes(self)
    }

    fn empty(&mut self) {
        self.clear();
    }
}

impl<T: Buffer> Pool<T> {
    fn new(bytes_max: usize) -> Pool<T> {
        Pool { free: Mutex::new(Free { buffers: Vec::new(), bytes: 0 }), bytes_max }
    }

    /// The one that was given last, if there is any.
    pub fn take(&self) -> Option<T> {
        let mut free = self.lock();
        let buffer = free.buffers.pop()?;
        free.bytes -= buffer.held_bytes();
        Some(buffer)
    }

    /// Keeps the buffer, unless too much lies here already.
    pub fn give(&self, mut buffer: T) {
        buffer.empty();
        let bytes = buffer.held_bytes();
        let mut free = self.lock();
        if bytes > 0 && free.bytes + bytes <= self.bytes_max {
            free.bytes += bytes;
            free.buffers.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free<T>> {
        self.free.lock().expect("nobody panics while holding the pool")
    }
}
