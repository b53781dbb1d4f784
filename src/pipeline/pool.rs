//! Buffers that are used again: a run moves gigabytes through a few of them, and fresh memory costs
//! a page fault every 4 KiB.

use std::sync::Mutex;

pub struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    count_max: usize,
    bytes_max: usize,
}

impl Pool {
    /// Keeps at most `count_max` buffers of at most `bytes_max` each; others are freed.
    pub fn new(count_max: usize, bytes_max: usize) -> Pool {
        Pool { free: Mutex::default(), count_max, bytes_max }
    }

    pub fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    pub fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.lock();
        if free.len() < self.count_max && buffer.capacity() <= self.bytes_max {
            free.push(buffer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().expect("nobody panics while holding the pool")
    }
}
