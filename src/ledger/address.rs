//! Where the metrics of runs that are on are asked for, so that somebody who looks for them finds them.

use std::collections::HashMap;

use rusqlite::{Connection, params};

pub fn write(connection: &Connection, run_id: &str, url: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO metrics_addresses (run_id, url) VALUES (?1, ?2)")?
        .execute(params![run_id, url])?;
    Ok(())
}

/// By the id of the run, of those without an end.
pub fn metrics_addresses(connection: &Connection) -> rusqlite::Result<HashMap<String, String>> {
    // A ledger of before has no such table, and no run that is on in it.
    let is_there: bool = connection.query_row(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'metrics_addresses'",
        [],
        |row| row.get(0),
    )?;
    if !is_there {
        return Ok(HashMap::new());
    }
    let mut statement = connection.prepare(
        "SELECT run_id, url FROM metrics_addresses JOIN runs USING (run_id) WHERE outcome IS NULL",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
