//! Which node is asked: one that answers is asked again, one that fails is left for a growing time.
//! A circuit breaker for each node. Pure: times are those since some beginning.

use std::time::Duration;

/// As long as a node is left after its first failure; twice as long after each that follows.
const REST_MIN: Duration = Duration::from_secs(1);
/// A node that was restarted is of use again soon after.
const REST_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// It answers.
    Closed,
    /// It failed, and is not asked for now.
    Open,
    /// It is asked once more, to see whether it answers again.
    HalfOpen,
}

/// What is known of one node.
#[derive(Clone, Copy, Debug)]
struct Circuit {
    state: CircuitState,
    /// In a row.
    failures: u32,
    /// Until then it is left, or waited for where it is asked once more.
    until: Duration,
}

impl Circuit {
    const NEW: Circuit =
        Circuit { state: CircuitState::Closed, failures: 0, until: Duration::ZERO };

    fn rest(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        REST_MIN.saturating_mul(doubled).min(REST_MAX)
    }

    fn probe(&mut self, now: Duration) {
        self.state = CircuitState::HalfOpen;
        // Whoever asks may be gone before the answer is there.
        self.until = now + self.rest();
    }
}

/// All nodes of a cluster, in the order they were named.
#[derive(Debug)]
pub struct Circuits {
    nodes: Vec<Circuit>,
    current: usize,
}

impl Circuits {
    pub fn new(count: usize) -> Circuits {
        Circuits { nodes: vec![Circuit::NEW; count], current: 0 }
    }

    /// The node to ask, which is none of those that were tried for the same already: the last one
    /// that was chosen while it answers, else the next that does, else one whose rest is over. Where
    /// there is no such node, the one whose rest is over first is asked all the same, but not as a
    /// second try.
    pub fn choose(&mut self, now: Duration, tried: &[usize]) -> Option<usize> {
        let count = self.nodes.len();
        let left: Vec<usize> = (self.current..self.current + count)
            .map(|at| at % count)
            .filter(|at| !tried.contains(at))
            .collect();
        let nodes = &self.nodes;
        let closed = left.iter().find(|at| nodes[**at].state == CircuitState::Closed);
        let rested = || left.iter().find(|at| nodes[**at].until <= now);
        let first = || left.iter().min_by_key(|at| nodes[**at].until);
        let chosen = match closed.or_else(rested) {
            Some(chosen) => *chosen,
            None if tried.is_empty() => *first()?,
            None => return None,
        };
        if self.nodes[chosen].state != CircuitState::Closed {
            self.nodes[chosen].probe(now);
        }
        self.current = chosen;
        Some(chosen)
    }

    /// A node answered. What it was asked before it failed says nothing of how it is now.
    pub fn answered(&mut self, node: usize) {
        if self.nodes[node].state != CircuitState::Open {
            self.nodes[node] = Circuit::NEW;
        }
    }

    /// A node failed, and may have said when to come again. Gives how long it is left, unless it was
    /// left already: several requests may meet the same outage.
    pub fn failed(
        &mut self,
        node: usize,
        now: Duration,
        wanted: Option<Duration>,
    ) -> Option<Duration> {
        let circuit = &mut self.nodes[node];
        let wanted = wanted.unwrap_or_default();
        if circuit.state == CircuitState::Open && now < circuit.until {
            circuit.until = circuit.until.max(now + wanted);
            return None;
        }
        circuit.failures = circuit.failures.saturating_add(1);
        circuit.state = CircuitState::Open;
        let rest = circuit.rest().max(wanted);
        circuit.until = now + rest;
        Some(rest)
    }

    #[cfg(test)]
    fn states(&self) -> Vec<CircuitState> {
        self.nodes.iter().map(|circuit| circuit.state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::CircuitState::{Closed, HalfOpen, Open};
    use super::*;

    /// What happens to the nodes.
    enum Step {
        /// Somebody asks, having tried these: this one is chosen.
        Choose(&'static [usize], Option<usize>),
        Answered(usize),
        /// For so many seconds it is left then.
        Failed(usize, Option<u64>),
        /// The same, and it says when to come again.
        Later(usize, u64, Option<u64>),
    }
    use Step::{Answered, Choose, Failed, Later};

    #[track_caller]
    fn check(count: usize, steps: &[(u64, Step, &[CircuitState])]) {
        let mut circuits = Circuits::new(count);
        let seconds = |rest: Option<Duration>| rest.map(|rest| rest.as_secs());
        for (number, (at, step, states)) in steps.iter().enumerate() {
            let now = Duration::from_secs(*at);
            match step {
                Choose(tried, chosen) => {
                    assert_eq!(circuits.choose(now, tried), *chosen, "step {number}");
                }
                Answered(node) => circuits.answered(*node),
                Failed(node, rest) => {
                    assert_eq!(seconds(circuits.failed(*node, now, None)), *rest, "step {number}");
                }
                Later(node, after, rest) => {
                    let wanted = Some(Duration::from_secs(*after));
                    let left = circuits.failed(*node, now, wanted);
                    assert_eq!(seconds(left), *rest, "step {number}");
                }
            }
            assert_eq!(circuits.states(), *states, "step {number}");
        }
    }

    #[test]
    fn a_node_that_fails_is_left_for_the_next_and_tried_when_that_fails() {
        check(
            2,
            &[
                (0, Choose(&[], Some(0)), &[Closed, Closed]),
                (0, Answered(0), &[Closed, Closed]),
                (1, Choose(&[], Some(0)), &[Closed, Closed]),
                (1, Failed(0, Some(1)), &[Open, Closed]),
                (1, Choose(&[0], Some(1)), &[Open, Closed]),
                // It answers, so the first is left alone although its rest is over.
                (9, Choose(&[], Some(1)), &[Open, Closed]),
                (9, Failed(1, Some(1)), &[Open, Open]),
                (9, Choose(&[1], Some(0)), &[HalfOpen, Open]),
                (9, Answered(0), &[Closed, Open]),
                (9, Choose(&[], Some(0)), &[Closed, Open]),
            ],
        );
    }

    #[test]
    fn a_node_that_goes_on_failing_is_left_longer_each_time() {
        let mut circuits = Circuits::new(1);
        let mut now = Duration::ZERO;
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(circuits.choose(now, &[]), Some(0));
            let rest = circuits.failed(0, now, None).unwrap();
            assert_eq!(rest, Duration::from_secs(expected));
            now += rest;
        }
        circuits.choose(now, &[]);
        circuits.answered(0);
        assert_eq!(circuits.failed(0, now, None), Some(REST_MIN));
    }

    #[test]
    fn the_only_node_is_asked_whatever_it_did() {
        check(
            1,
            &[
                (0, Choose(&[], Some(0)), &[Closed]),
                (0, Failed(0, Some(1)), &[Open]),
                (0, Choose(&[0], None), &[Open]),
                (0, Choose(&[], Some(0)), &[HalfOpen]),
                (0, Failed(0, Some(2)), &[Open]),
                // It was asked before, and failed when its rest was over.
                (3, Failed(0, Some(4)), &[Open]),
            ],
        );
    }

    #[test]
    fn one_outage_that_many_meet_counts_once() {
        check(
            2,
            &[
                (0, Failed(0, Some(1)), &[Open, Closed]),
                (0, Failed(0, None), &[Open, Closed]),
                // It was asked before it failed.
                (0, Answered(0), &[Open, Closed]),
                (0, Failed(1, Some(1)), &[Open, Open]),
                (5, Choose(&[], Some(0)), &[HalfOpen, Open]),
                // Somebody else does not wait for what comes of that.
                (5, Choose(&[], Some(1)), &[HalfOpen, HalfOpen]),
                (5, Failed(0, Some(2)), &[Open, HalfOpen]),
                (5, Choose(&[0], None), &[Open, HalfOpen]),
                (6, Choose(&[0], Some(1)), &[Open, HalfOpen]),
            ],
        );
    }

    #[test]
    fn a_node_is_left_as_long_as_it_says() {
        check(
            2,
            &[
                (0, Later(0, 20, Some(20)), &[Open, Closed]),
                (1, Later(0, 30, None), &[Open, Closed]),
                (1, Failed(1, Some(1)), &[Open, Open]),
                (25, Choose(&[1], None), &[Open, Open]),
                (31, Choose(&[1], Some(0)), &[HalfOpen, Open]),
                (31, Later(0, 1, Some(2)), &[Open, Open]),
            ],
        );
    }
}
