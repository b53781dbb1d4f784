//! How many runs of each pipeline ended how, over all time: rows that are only ever raised, in the
//! transaction that ends a run, and that outlive the runs.

use rusqlite::{Connection, params};

use crate::outcome::Outcome;

/// The outcome of a run that ended without a word.
pub const LOST: &str = "lost";

/// Every way in which a run may be known to have ended.
pub fn outcomes() -> impl Iterator<Item = &'static str> {
    Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain([LOST])
}

/// All of them stand at 0 from the first run of a pipeline: a counter that appears with its first event
/// has no increase.
pub fn begin(connection: &Connection, pipeline_id: &str, at: f64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO totals (pipeline_id, outcome, runs, since) VALUES (?1, ?2, 0, ?3)
         ON CONFLICT DO NOTHING",
    )?;
    // Rows of a pipeline that is known begin when it began.
    let since: Option<f64> = connection
        .prepare_cached("SELECT min(since) FROM totals WHERE pipeline_id = ?1")?
        .query_row([pipeline_id], |row| row.get(0))?;
    for outcome in outcomes() {
        statement.execute(params![pipeline_id, outcome, since.unwrap_or(at)])?;
    }
    Ok(())
}

pub fn raise(
    connection: &Connection,
    pipeline_id: &str,
    outcome: &str,
    at: f64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO totals (pipeline_id, outcome, runs, since, last_at) VALUES (?1, ?2, 1, ?3, ?3)
             ON CONFLICT DO UPDATE SET runs = runs + 1, last_at = max(ifnull(last_at, 0), ?3)",
        )?
        .execute(params![pipeline_id, outcome, at])?;
    Ok(())
}
