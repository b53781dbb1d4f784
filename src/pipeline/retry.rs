//! What is done about an error of the other side: the one table, how long to wait, and the tries
//! of one operation.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::chance::chance;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, Stage, Wait, tell_failure};

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
    /// For one operation, from its first failure; success starts it anew.
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

/// The tries of one operation, told as they happen.
pub struct Tries {
    policy: RetryPolicy,
    observer: Arc<dyn Observer>,
    stage: Stage,
    /// When failures began, by the runtime's clock, which a test may let run ahead. Not when the
    /// operation began: it may wait for something else before it fails.
    first: Option<Instant>,
    /// When failures began that are worth less patience than others.
    first_hopeless: Option<Instant>,
    attempt: u32,
}

impl Tries {
    pub fn new(policy: RetryPolicy, observer: &Arc<dyn Observer>, stage: Stage) -> Tries {
        let observer = Arc::clone(observer);
        Tries { policy, observer, stage, first: None, first_hopeless: None, attempt: 0 }
    }

    /// The next failure is a first one.
    pub fn restart(&mut self) {
        self.first = None;
        self.first_hopeless = None;
        self.attempt = 0;
    }

    /// Tells of a failure and says how long to wait before the next try, or gives the error back
    /// when there is none.
    pub fn next(&mut self, error: Error) -> Result<Duration> {
        let (stage, error_type) = (self.stage, error.error_type);
        if let Some(took) = error.lock_wait() {
            self.observer.notice(&Event::Waited { stage, wait: Wait::Lock, took });
        }
        let wait = self.wait_after(&error);
        let error = tell_failure(&*self.observer, stage, error, wait.is_none());
        if error.kind == Kind::Overloaded {
            self.observer.notice(&Event::RateLimited { stage });
        }
        let Some(wait) = wait else { return Err(error) };
        self.attempt += 1;
        let attempt = self.attempt;
        let reason = error.to_string();
        self.observer.notice(&Event::Retrying { stage, error_type, attempt, wait, reason });
        Ok(wait)
    }

    /// None where there is no other try.
    fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        if reaction(error.kind) == Reaction::Stop || self.has_no_patience_left(error) {
            return None;
        }
        let elapsed = self.first.get_or_insert_with(Instant::now).elapsed();
        let wait = self.policy.wait(self.attempt, elapsed, chance())?;
        Some(wait.max(error.wait_min().unwrap_or_default()))
    }

    /// Some failures last so long only if they last for ever.
    fn has_no_patience_left(&mut self, error: &Error) -> bool {
        let Some(patience) = error.patience() else {
            self.first_hopeless = None;
            return false;
        };
        self.first_hopeless.get_or_insert_with(Instant::now).elapsed() >= patience
    }

    /// The same, and waits.
    pub async fn wait(&mut self, error: Error) -> Result<()> {
        let wait = self.next(error)?;
        let asked = Instant::now();
        tokio::time::sleep(wait).await;
        let (stage, took) = (self.stage, asked.elapsed());
        self.observer.notice(&Event::Waited { stage, wait: Wait::Retry, took });
        Ok(())
    }
}

/// Tries something until it succeeds or there is no sense in another try.
pub async fn persist<T>(
    policy: RetryPolicy,
    observer: &Arc<dyn Observer>,
    stage: Stage,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let mut tries = Tries::new(policy, observer, stage);
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => tries.wait(error).await?,
        }
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

    struct Nobody;

    impl Observer for Nobody {
        fn notice(&self, _event: &Event) {}
    }

    fn failure() -> Error {
        Error::new(Kind::Unavailable, crate::record::ErrorType::Other, "no")
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_is_worth_less_patience_ends_earlier() {
        let observer: Arc<dyn Observer> = Arc::new(Nobody);
        let mut tries = Tries::new(RetryPolicy::default(), &observer, Stage::Fetch);
        let hopeless = || failure().for_at_most(Duration::from_secs(120));
        for (error, seconds, is_tried) in [
            (failure(), 300, true),
            // From the first of its kind on.
            (hopeless(), 119, true),
            (failure(), 1, true),
            (hopeless(), 119, true),
            (hopeless(), 1, true),
            (hopeless(), 0, false),
            (failure(), 359, true),
            (failure(), 1, true),
            (failure(), 0, false),
        ] {
            assert_eq!(tries.next(error).is_ok(), is_tried, "{:?}", tries.first);
            tokio::time::advance(Duration::from_secs(seconds)).await;
        }
        tries.restart();
        assert!(tries.next(hopeless()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_when_to_come_again_is_not_asked_earlier() {
        let observer: Arc<dyn Observer> = Arc::new(Nobody);
        let mut tries = Tries::new(RetryPolicy::default(), &observer, Stage::Fetch);
        let wait = Duration::from_secs(50);
        assert_eq!(tries.next(failure().not_before(wait)).unwrap(), wait);
        assert!(tries.next(failure().not_before(Duration::ZERO)).unwrap() < wait);
    }

    #[test]
    fn a_lost_answer_is_looked_for_before_it_is_asked_again() {
        assert_eq!(reaction(Kind::Unknown), Reaction::LookFirst);
        assert_eq!(reaction(Kind::Overloaded), Reaction::Again);
        assert_eq!(reaction(Kind::LocalIo), Reaction::Stop);
    }
}
