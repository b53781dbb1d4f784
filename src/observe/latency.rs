//! How long things took and how large they were: recorders that many threads write and a scrape
//! reads, with nothing between them but relaxed atomics.
//!
//! The `hdrhistogram` crate was considered and not taken: its recording needs `&mut`, that is a
//! lock in the data path. `Durations` keeps a log-linear table of its own for the quantiles,
//! beside the exact counts of the Prometheus buckets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::report::{Latencies, Sizes};

/// Each power of two is cut in 32, so a quantile is off by at most 1/64 of its value.
const SUB_BITS: u32 = 5;

/// 2^47 ns are 39 hours; what took longer counts as that long in the quantiles.
const NANOS_MAX: u64 = (1 << 47) - 1;

const SLOT_COUNT: usize = slot_of(NANOS_MAX) + 1;

/// A recorder of durations, shared by the threads that measure them.
#[derive(Debug)]
pub struct Durations {
    bounds: &'static [f64],
    buckets: Buckets,
    slots: Box<[AtomicU64]>,
}

impl Durations {
    /// `bounds` are the inclusive upper bounds of the buckets in seconds, ascending.
    pub fn new(bounds: &'static [f64]) -> Durations {
        let nanos = bounds.iter().map(|seconds| (seconds * 1e9).round() as u64).collect();
        Durations { bounds, buckets: Buckets::new(nanos), slots: zeros(SLOT_COUNT) }
    }

    pub fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.slots[slot_of(nanos.min(NANOS_MAX))].fetch_add(1, Relaxed);
        self.buckets.record(nanos);
    }

    pub fn read(&self) -> Latencies {
        let slots: Vec<u64> = self.slots.iter().map(|slot| slot.load(Relaxed)).collect();
        let (count, cumulative) = self.buckets.read();
        Latencies {
            count,
            sum: Duration::from_nanos(self.buckets.sum.load(Relaxed)),
            p50: quantile(&slots, 0.5),
            p95: quantile(&slots, 0.95),
            p99: quantile(&slots, 0.99),
            buckets: self.bounds.iter().copied().zip(cumulative).collect(),
        }
    }
}

/// A recorder of sizes, in records or in bytes.
#[derive(Debug)]
pub struct Amounts(Buckets);

impl Amounts {
    /// `bounds` are the inclusive upper bounds of the buckets, ascending.
    pub fn new(bounds: &[u64]) -> Amounts {
        Amounts(Buckets::new(bounds.to_vec()))
    }

    pub fn record(&self, amount: u64) {
        self.0.record(amount);
    }

    pub fn read(&self) -> Sizes {
        let (count, cumulative) = self.0.read();
        Sizes {
            count,
            sum: self.0.sum.load(Relaxed),
            buckets: self.0.bounds.iter().map(|&bound| bound as f64).zip(cumulative).collect(),
        }
    }
}

/// Counts by upper bound, the last of them for what lies above all bounds.
#[derive(Debug)]
struct Buckets {
    bounds: Vec<u64>,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Buckets {
    fn new(bounds: Vec<u64>) -> Buckets {
        debug_assert!(bounds.is_sorted());
        Buckets { counts: zeros(bounds.len() + 1), bounds, sum: AtomicU64::new(0) }
    }

    fn record(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// The count of all and the cumulative counts up to each bound. The first is the sum of the
    /// others and no counter of its own, so that no reader sees a bucket exceed it.
    fn read(&self) -> (u64, Vec<u64>) {
        let mut count = 0;
        let mut cumulative: Vec<u64> = self
            .counts
            .iter()
            .map(|bucket| {
                count += bucket.load(Relaxed);
                count
            })
            .collect();
        cumulative.pop();
        (count, cumulative)
    }
}

fn zeros(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

/// The slot of a value: linear below 64, then 32 slots to each power of two.
const fn slot_of(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    ((shift << SUB_BITS) as u64 + (value >> shift)) as usize
}

/// The middle of the values that share a slot.
fn middle_of(slot: usize) -> u64 {
    let slot = slot as u64;
    let shift = (slot >> SUB_BITS).saturating_sub(1);
    let lowest = (slot - (shift << SUB_BITS)) << shift;
    lowest + (1 << shift) / 2
}

/// The smallest value that at least the share `q` of all values does not exceed; 0 of none.
fn quantile(slots: &[u64], q: f64) -> Duration {
    let count: u64 = slots.iter().sum();
    let rank = rank_of(count, q);
    let mut seen = 0;
    let slot = slots.iter().position(|&here| {
        seen += here;
        rank > 0 && seen >= rank
    });
    slot.map_or(Duration::ZERO, |slot| Duration::from_nanos(middle_of(slot)))
}

fn rank_of(count: u64, q: f64) -> u64 {
    (count as f64 * q).ceil() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_recorded_is_all_zero() {
        let read = Durations::new(&[0.001, 1.0]).read();
        assert_eq!(read, Latencies { buckets: vec![(0.001, 0), (1.0, 0)], ..Latencies::default() });
        assert_eq!(
            Amounts::new(&[10]).read(),
            Sizes { buckets: vec![(10.0, 0)], ..Sizes::default() }
        );
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_counts_only_in_the_total() {
        let durations = Durations::new(&[0.001, 0.01]);
        for micros in [0, 1_000, 1_001, 10_000, 10_001, 90_000_000] {
            durations.record(Duration::from_micros(micros));
        }
        let read = durations.read();
        assert_eq!(read.buckets, [(0.001, 2), (0.01, 4)]);
        assert_eq!((read.count, read.sum), (6, Duration::from_micros(90_022_002)));

        let amounts = Amounts::new(&[10, 100]);
        for amount in [0, 10, 11, 100, 101] {
            amounts.record(amount);
        }
        let read = amounts.read();
        assert_eq!(
            (read.buckets.as_slice(), read.count, read.sum),
            (&[(10.0, 2), (100.0, 4)][..], 5, 222)
        );
    }

    #[test]
    fn a_value_too_long_for_the_table_is_kept_at_its_end() {
        let durations = Durations::new(&[86_400.0]);
        durations.record(Duration::from_secs(86_400 * 30));
        let read = durations.read();
        assert_eq!((read.count, read.buckets[0].1), (1, 0));
        assert!(read.p50 > Duration::from_secs(86_400));
    }

    #[test]
    fn threads_lose_nothing() {
        let durations = Durations::new(&[0.001]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|n| durations.record(Duration::from_nanos(n))));
            }
        });
        let read = durations.read();
        assert_eq!((read.count, read.buckets[0].1), (4_000, 4_000));
        assert_eq!(read.sum, Duration::from_nanos(4 * 499_500));
    }

    /// Durations of every magnitude, from a nanosecond to more than a day.
    fn nanos() -> impl Strategy<Value = u64> {
        (0u32..47).prop_flat_map(|bits| 0..1u64 << bits)
    }

    proptest! {
        #[test]
        fn slots_are_in_order_and_their_middle_is_near(value in nanos()) {
            let slot = slot_of(value);
            prop_assert_eq!(slot_of(middle_of(slot)), slot);
            prop_assert!(slot_of(value + 1) - slot <= 1);
            prop_assert!(middle_of(slot).abs_diff(value) * 64 <= value);
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(mut all in prop::collection::vec(nanos(), 1..300)) {
            let durations = Durations::new(&[]);
            all.iter().for_each(|&value| durations.record(Duration::from_nanos(value)));
            all.sort_unstable();
            let read = durations.read();
            for (q, got) in [(0.5, read.p50), (0.95, read.p95), (0.99, read.p99)] {
                let exact = all[rank_of(all.len() as u64, q) as usize - 1];
                let got = got.as_nanos() as u64;
                prop_assert!(got.abs_diff(exact) * 64 <= exact, "p{q}: {got} for {exact}");
            }
        }
    }
}
