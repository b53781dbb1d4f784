//! What is done about an error of the other side: the one table, and how long to wait. Pure: time
//! and chance are arguments.

use std::time::Duration;

use crate::error::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Wait, then the same again.
    Again,
    /// Look whether it was done after all, then wait and do it again if not.
    LookFirst,
    Stop,
}

pub fn reaction(kind: Kind) -> Reaction {
    match kind {
        Kind::Unavailable | Kind::Overloaded => Reaction::Again,
        Kind::Unknown => Reaction::LookFirst,
        Kind::Config
        | Kind::Data
        | Kind::LocalIo
        | Kind::Locked
        | Kind::OutputClosed
        | Kind::Internal => Reaction::Stop,
    }
}

#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    pub wait_min: Duration,
    pub wait_max: Duration,
    /// For one operation; success starts it anew.
    pub elapsed_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            wait_min: Duration::from_millis(250),
            wait_max: Duration::from_secs(30),
            elapsed_max: Duration::from_secs(15 * 60),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before attempt number `attempt + 1`, or none when it has been tried for
    /// too long. `chance` is between 0 and 1: full jitter, so that many clients of a server that
    /// comes back do not come all at once.
    pub fn wait(&self, attempt: u32, elapsed: Duration, chance: f64) -> Option<Duration> {
        if elapsed >= self.elapsed_max {
            return None;
        }
        let doubled = self.wait_min.saturating_mul(2_u32.saturating_pow(attempt.min(20)));
        Some(doubled.min(self.wait_max).mul_f64(chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_end() {
        let policy = RetryPolicy::default();
        for (attempt, elapsed_s, wait_ms) in [
            (0, 0, Some(250)),
            (1, 1, Some(500)),
            (5, 20, Some(8_000)),
            (9, 60, Some(30_000)),
            (40, 899, Some(30_000)),
            (3, 900, None),
        ] {
            let found = policy.wait(attempt, Duration::from_secs(elapsed_s), 1.0);
            assert_eq!(found, wait_ms.map(Duration::from_millis), "attempt {attempt}");
        }
        assert_eq!(policy.wait(0, Duration::ZERO, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn a_lost_answer_is_looked_for_before_it_is_asked_again() {
        assert_eq!(reaction(Kind::Unknown), Reaction::LookFirst);
        assert_eq!(reaction(Kind::Overloaded), Reaction::Again);
        assert_eq!(reaction(Kind::LocalIo), Reaction::Stop);
    }
}
