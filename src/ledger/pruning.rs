//! Removes runs that are older than anybody wants. What stays of each pipeline is its last run and its last
//! complete one, for those are what is asked for, and its totals.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::missing::Missing;
use super::opening::open_existing;
use super::{lost, now};

/// Beyond it the oldest go, however young they are: a run each minute for two months.
pub const RUNS_MAX: i64 = 100_000;

/// What a run removes in passing; the next one goes on.
pub const IN_PASSING_MAX: i64 = 200;

const OLD: &str = "
DELETE FROM runs WHERE run_id IN (
    SELECT run_id FROM runs AS old
    WHERE started_at < ?1 AND outcome IS NOT NULL AND (?3 IS NULL OR pipeline_id = ?3)
      AND EXISTS (SELECT 1 FROM runs AS later WHERE later.pipeline_id = old.pipeline_id
                  AND later.started_at > old.started_at AND later.outcome IS NOT NULL
                  AND (later.outcome NOT IN ('locked', 'skipped') OR old.outcome IN ('locked', 'skipped')))
      AND (outcome <> 'complete'
           OR EXISTS (SELECT 1 FROM runs AS later WHERE later.pipeline_id = old.pipeline_id
                      AND later.started_at > old.started_at AND later.outcome = 'complete'))
    ORDER BY started_at LIMIT ?2)";

/// What a prune did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub removed: usize,
    pub kept: usize,
}

/// At most so many runs that began before `keep` ago, or that are too many.
pub fn prune_some(
    connection: &Connection,
    keep: Duration,
    pipeline: Option<&str>,
    removed_max: i64,
    now: f64,
) -> rusqlite::Result<usize> {
    let before = now - keep.as_secs_f64();
    let too_many: Option<f64> = connection
        .prepare_cached("SELECT started_at FROM runs ORDER BY started_at DESC LIMIT 1 OFFSET ?1")?
        .query_map([RUNS_MAX], |row| row.get(0))?
        .next()
        .transpose()?;
    let before = too_many.filter(|_| pipeline.is_none()).map_or(before, |at| before.max(at));
    connection.prepare_cached(OLD)?.execute(params![before, removed_max, pipeline])
}

/// All of them, of one pipeline or of all, and gives the room back.
pub fn prune(path: &Path, keep: Duration, pipeline: Option<&str>) -> Result<Pruned, Missing> {
    let Some(mut connection) = open_existing(path)? else { return Ok(Pruned::default()) };
    pruned(&mut connection, keep, pipeline).map_err(|cause| Missing::from(cause).of(path))
}

fn pruned(
    connection: &mut Connection,
    keep: Duration,
    pipeline: Option<&str>,
) -> rusqlite::Result<Pruned> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    lost::mark(&transaction, now())?;
    let removed = prune_some(&transaction, keep, pipeline, i64::MAX, now())?;
    let kept: i64 = transaction.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
    transaction.commit()?;
    // A page for each step.
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    Ok(Pruned { removed, kept: usize::try_from(kept).unwrap_or_default() })
}
