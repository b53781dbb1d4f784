//! Runs that ended without a word: killed, or gone with their machine.

use std::fs;
use std::path::Path;

use procfs::process::Process;
use rusqlite::{Connection, TransactionBehavior, params};

use super::missing::Missing;
use super::opening::open_existing;
use super::queries::{RunRow, silent};
use super::totals::LOST;
use super::{now, totals};
use crate::host::host_name;

pub const REASON: &str =
    "the process ended without a word: it was killed, or the machine went down";

/// A run writes every 5 s; one that is this late is looked after.
pub const SILENT_S: f64 = 60.0;

/// Of a run elsewhere, whose process cannot be seen from here.
const SILENT_ELSEWHERE_S: f64 = 900.0;

/// What is known of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ended,
    Running,
    /// Its process is gone, which is not written yet.
    Killed,
}

/// Who would have to be there for a run to be on.
pub struct RunProcess<'a> {
    pub host: &'a str,
    pub pid: i64,
    /// Among whom the pid counts; none of a run whose flowgauge did not write it.
    pub pid_namespace: Option<&'a str>,
    pub boot_id: Option<&'a str>,
    pub heartbeat_at: f64,
}

impl RunProcess<'_> {
    /// Whether its process could be seen from here.
    fn is_visible(&self) -> bool {
        let is_same = |written: Option<&str>, here: Option<String>| {
            written.is_none_or(|written| here.is_some_and(|here| here == written))
        };
        self.host == host_name()
            && is_same(self.pid_namespace, pid_namespace())
            && is_same(self.boot_id, boot_id())
    }

    /// When it was to be taken for lost, if its process was gone by then.
    pub fn lost_at(&self) -> f64 {
        let silent = if self.is_visible() { SILENT_S } else { SILENT_ELSEWHERE_S };
        self.heartbeat_at + silent
    }

    pub fn is_gone(&self, now: f64) -> bool {
        if !self.is_visible() {
            return now - self.heartbeat_at > SILENT_ELSEWHERE_S;
        }
        let Ok(pid) = i32::try_from(self.pid) else { return true };
        match Process::new(pid).and_then(|process| process.stat()) {
            Err(procfs::ProcError::NotFound(_)) => true,
            Err(_) => false,
            // Another one may have its number by now, as the first process of a container always has.
            Ok(stat) => {
                let started = procfs::boot_time_secs().ok().map(|boot| {
                    boot as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64
                });
                // The kernel knows the time of its start to the second.
                let is_another = started.is_some_and(|at| at > self.heartbeat_at + 2.0);
                stat.state == 'Z' || is_another
            }
        }
    }
}

/// Who the processes are that this one can see: `pid:[4026531836]`. Containers have one each.
pub fn pid_namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// The kernel since its start, whose namespaces are numbered anew by the next one.
pub fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_string())
}

/// Writes once what became of runs that are lost, and says how many those are.
pub fn mark(connection: &Connection, now: f64) -> rusqlite::Result<usize> {
    let silent = silent(connection, now)?;
    let mut lost = 0;
    for RunRow { run_id, pipeline_id, heartbeat_at, .. } in
        silent.iter().filter(|run| run.process().is_gone(now))
    {
        connection
            .prepare_cached(
                "UPDATE runs SET outcome = ?2, finished_at = heartbeat_at, error = ?3 WHERE run_id = ?1",
            )?
            .execute(params![run_id, LOST, REASON])?;
        totals::raise(connection, pipeline_id, LOST, *heartbeat_at)?;
        lost += 1;
    }
    Ok(lost)
}

/// The same in a ledger that is there, for who looks into it.
pub fn write_lost(path: &Path) -> Result<usize, Missing> {
    let Some(mut connection) = open_existing(path)? else { return Ok(0) };
    mark_in(&mut connection).map_err(|cause| Missing::from(cause).of(path))
}

fn mark_in(connection: &mut Connection) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let lost = mark(&transaction, now())?;
    transaction.commit()?;
    Ok(lost)
}
