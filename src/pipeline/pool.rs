//! Buffers that are used again: a run moves gigabytes through a few of them, and fresh memory costs
//! a page fault every 4 KiB.

use std::sync::{Mutex, MutexGuard};

/// Those of a run: of segments and of payloads, apart because the latter are larger.
pub struct Pools {
    pub segments: Pool,
    pub payloads: Pool,
}

impl Pools {
    pub fn new(bytes_max: usize) -> Pools {
        Pools { segments: Pool::new(bytes_max), payloads: Pool::new(bytes_max) }
    }
}

pub struct Pool {
    free: Mutex<Free>,
    /// What may lie here unused.
    bytes_max: usize,
}

#[derive(Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    fn new(bytes_max: usize) -> Pool {
        Pool { free: Mutex::default(), bytes_max }
    }

    pub fn take(&self) -> Vec<u8> {
        let mut free = self.lock();
        let buffer = free.buffers.pop().unwrap_or_default();
        free.bytes -= buffer.capacity();
        buffer
    }

    /// Keeps the buffer, unless too much lies here already.
    pub fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.lock();
        if free.bytes + buffer.capacity() <= self.bytes_max {
            free.bytes += buffer.capacity();
            free.buffers.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().expect("nobody panics while holding the pool")
    }
}
