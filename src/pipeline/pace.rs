//! `--max-rows-per-second`: how long the next segment has to wait. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

pub struct RowPace {
    rows_per_second: Option<u64>,
    /// When the rows that were let through are paid for.
    free_at: Option<Instant>,
}

impl RowPace {
    pub fn new(rows_per_second: Option<u64>) -> RowPace {
        RowPace { rows_per_second, free_at: None }
    }

    /// How long these rows wait from `now`. Time nobody used is not saved up.
    pub fn wait_for(&mut self, rows: u64, now: Instant) -> Duration {
        let Some(rate) = self.rows_per_second else { return Duration::ZERO };
        let start = self.free_at.map_or(now, |free_at| free_at.max(now));
        self.free_at = Some(start + Duration::from_secs_f64(rows as f64 / rate as f64));
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_paid_for_before_the_next_ones() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = RowPace::new(Some(100));
        for (rows, now, wait) in [(200, 0, 0), (100, 1, 1), (100, 2, 1), (50, 60, 0), (1, 60, 0)] {
            let found = pace.wait_for(rows, at(now));
            let expected = Duration::from_secs(wait);
            if (rows, now) == (1, 60) {
                assert_eq!(found, Duration::from_millis(500));
            } else {
                assert_eq!(found, expected, "{rows} rows at {now}");
            }
        }
        assert_eq!(RowPace::new(None).wait_for(1 << 40, start), Duration::ZERO);
    }
}
