//! Runs that ended without a word: killed, or gone with their machine.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::missing::Missing;
use super::opening::open_existing;
use super::queries::{RunRow, silent};
use super::standing::REASON;
use super::totals::LOST;
use super::{now, totals};

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
