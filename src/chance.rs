//! Jitter for waits, so that many who wait do not all come back at once.

use std::hash::{BuildHasher, RandomState};

/// Between 0 and 1. The hasher's keys are random; jitter needs nothing better.
pub fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
