//! One numbered moment of a run: everything that is shown of it, in whatever form. Who is shown the same
//! number is shown the same values.

use std::sync::Arc;
use std::time::SystemTime;

use crate::event::{RunIdentity, Vitals};
use crate::ledger::{Past, PipelineHistory};
use crate::observe::connections::ConnectionCounts;
use crate::observe::process::Process;
use crate::observe::scrape::Scrape;
use crate::observe::stats::Stats;
use crate::report::RunNumbers;

#[derive(Debug)]
pub struct Reading {
    /// From 1 on; a later one is larger.
    pub number: u64,
    pub taken_at: SystemTime,
    /// The run has ended, and there will be no other.
    pub is_final: bool,
    pub run: RunNumbers,
    pub vitals: Vitals,
    pub identity: Arc<RunIdentity>,
    pub process: Process,
    pub started_at: SystemTime,
    pub ended_at: Option<SystemTime>,
    connections: ConnectionCounts,
    /// Where the runs before this one were known.
    past: Option<Arc<Past>>,
}

impl Reading {
    pub fn take(
        number: u64,
        stats: &Stats,
        identity: &Arc<RunIdentity>,
        connections: &ConnectionCounts,
        past: &Arc<Past>,
    ) -> Reading {
        // The numbers come before the end: those with an outcome have their time, too.
        let run = stats.numbers();
        Reading {
            number,
            taken_at: SystemTime::now(),
            is_final: false,
            ended_at: run.outcome.and_then(|_| stats.ended_at()),
            run,
            vitals: stats.vitals().clone(),
            identity: Arc::clone(identity),
            process: Process::read(),
            started_at: stats.started_at(),
            connections: connections.clone(),
            past: past.get().is_some().then(|| Arc::clone(past)),
        }
    }

    pub fn last(self) -> Reading {
        Reading { is_final: true, ..self }
    }

    /// The runs of the pipeline before this one.
    pub fn past(&self) -> Option<&PipelineHistory> {
        self.past.as_ref().and_then(|past| past.get())
    }

    pub fn scrape(&self) -> Scrape<'_> {
        Scrape {
            run: &self.run,
            vitals: &self.vitals,
            identity: &self.identity,
            connections: &self.connections,
            process: &self.process,
            started_at: self.started_at,
            ended_at: self.ended_at,
            past: self.past(),
        }
    }
}
