//! How long telling others may take, once the data is as it will stay. Pure.

use std::time::Duration;

const TELLING_MAX: Duration = Duration::from_secs(10);

/// After a signal, beside what a drain may take. With its default that makes 25 s, and Kubernetes kills
/// 30 s after it has asked.
const BESIDE_THE_DRAIN: Duration = Duration::from_secs(5);

/// What is left for whoever may wait up to `wanted`. `since_signal` is the first one's age.
pub fn left(wanted: Duration, since_signal: Option<Duration>, drain_max: Duration) -> Duration {
    match since_signal {
        None => wanted,
        Some(since) => (drain_max + BESIDE_THE_DRAIN).saturating_sub(since).min(wanted),
    }
}

/// Of the pushes, the file and the message, side by side.
pub fn telling_allowance(since_signal: Option<Duration>, drain_max: Duration) -> Duration {
    left(TELLING_MAX, since_signal, drain_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_signal_there_are_25_s_for_everything() {
        let s = Duration::from_secs;
        for (since, drain, expected) in [
            (None, 20, 10),
            (Some(0), 20, 10),
            (Some(15), 20, 10),
            (Some(18), 20, 7),
            (Some(25), 20, 0),
            (Some(30), 20, 0),
            (Some(30), 60, 10),
        ] {
            assert_eq!(telling_allowance(since.map(s), s(drain)), s(expected), "{since:?}");
        }
    }
}
