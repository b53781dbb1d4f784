//! What was asked of other servers: requests by answer, and changes of the target's shape. Closed
//! tables, so that every series stands at 0 before it is needed.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::event::{LedgerOperation, Operation, SchemaOperation, ServerResource, SqlOperation};
use crate::observe::latency::Durations;
use crate::report::Latencies;

/// The codes that occur, with what stands for all others of their kind.
const CODES: [&str; 16] = [
    "200",
    "400",
    "401",
    "403",
    "404",
    "408",
    "413",
    "429",
    "500",
    "502",
    "503",
    "504",
    "other_3xx",
    "other_4xx",
    "other_5xx",
    "none",
];

fn code_index(code: Option<u16>) -> usize {
    let name = match code {
        None => "none".to_string(),
        Some(code) => code.to_string(),
    };
    let other = match code {
        // A success that is no 200, such as 201, is one.
        Some(100..=299) => "200",
        Some(300..=399) => "other_3xx",
        Some(400..=499) => "other_4xx",
        _ => "other_5xx",
    };
    let find = |name: &str| CODES.iter().position(|known| *known == name);
    find(&name).or_else(|| find(other)).unwrap_or_default()
}

#[derive(Debug)]
pub struct Requests {
    counts: [[AtomicU64; CODES.len()]; Operation::ALL.len()],
    took: [Durations; Operation::ALL.len()],
}

impl Requests {
    pub fn new(bounds: &'static [f64]) -> Requests {
        let took = Operation::ALL.map(|_| Durations::new(bounds));
        Requests { counts: Default::default(), took }
    }

    pub fn count(&self, operation: Operation, code: Option<u16>, took: Duration) {
        self.counts[operation as usize][code_index(code)].fetch_add(1, Relaxed);
        self.took[operation as usize].record(took);
    }

    pub fn latencies(&self) -> Vec<(Operation, Latencies)> {
        let took = self.took.iter().map(Durations::read);
        Operation::ALL.into_iter().zip(took).collect()
    }

    pub fn read(&self) -> Vec<(Operation, &'static str, u64)> {
        let mut read = Vec::new();
        for (operation, counts) in Operation::ALL.into_iter().zip(&self.counts) {
            let counts = CODES.into_iter().zip(counts);
            read.extend(counts.map(|(code, count)| (operation, code, count.load(Relaxed))));
        }
        read
    }
}

#[derive(Debug)]
pub struct Statements([Durations; SqlOperation::ALL.len()]);

impl Statements {
    pub fn new(bounds: &'static [f64]) -> Statements {
        Statements(SqlOperation::ALL.map(|_| Durations::new(bounds)))
    }

    pub fn record(&self, operation: SqlOperation, took: Duration) {
        self.0[operation as usize].record(took);
    }

    pub fn latencies(&self) -> Vec<(SqlOperation, Latencies)> {
        let took = self.0.iter().map(Durations::read);
        SqlOperation::ALL.into_iter().zip(took).collect()
    }
}

/// How many of each are had now. Taken and given back by different threads, so that it may be below 0
/// for a moment.
#[derive(Debug, Default)]
pub struct ResourcesInUse([AtomicI64; ServerResource::COUNT]);

impl ResourcesInUse {
    pub fn change(&self, resource: ServerResource, by: i64) {
        self.0[resource as usize].fetch_add(by, Relaxed);
    }

    pub fn read(&self, resource: ServerResource) -> u64 {
        u64::try_from(self.0[resource as usize].load(Relaxed)).unwrap_or(0)
    }
}

/// Failed and done.
#[derive(Debug)]
pub struct SchemaChanges([[Durations; 2]; SchemaOperation::ALL.len()]);

impl SchemaChanges {
    pub fn new(bounds: &'static [f64]) -> SchemaChanges {
        SchemaChanges(
            SchemaOperation::ALL.map(|_| [Durations::new(bounds), Durations::new(bounds)]),
        )
    }

    pub fn record(&self, operation: SchemaOperation, is_done: bool, took: Duration) {
        self.0[operation as usize][usize::from(is_done)].record(took);
    }

    pub fn read(&self) -> Vec<(SchemaOperation, bool, Latencies)> {
        let operations = SchemaOperation::ALL.into_iter().zip(&self.0);
        operations
            .flat_map(|(operation, [failed, done])| {
                [(operation, true, done.read()), (operation, false, failed.read())]
            })
            .collect()
    }
}

#[derive(Debug)]
pub struct LedgerQueries([Durations; LedgerOperation::ALL.len()]);

impl LedgerQueries {
    pub fn new(bounds: &'static [f64]) -> LedgerQueries {
        LedgerQueries(LedgerOperation::ALL.map(|_| Durations::new(bounds)))
    }

    pub fn record(&self, operation: LedgerOperation, took: Duration) {
        self.0[operation as usize].record(took);
    }

    pub fn latencies(&self) -> Vec<(LedgerOperation, Latencies)> {
        let took = self.0.iter().map(Durations::read);
        LedgerOperation::ALL.into_iter().zip(took).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_place() {
        for (code, expected) in [
            (Some(200), "200"),
            (Some(201), "200"),
            (Some(302), "other_3xx"),
            (Some(404), "404"),
            (Some(418), "other_4xx"),
            (Some(503), "503"),
            (Some(599), "other_5xx"),
            (None, "none"),
        ] {
            assert_eq!(CODES[code_index(code)], expected, "{code:?}");
        }
    }
}
