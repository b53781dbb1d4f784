//! The tables of a ledger, and how an older one becomes one of today. People write SQL against the names.

use rusqlite::{Connection, TransactionBehavior};

/// `flga`: what is called otherwise is somebody else's.
pub const APPLICATION_ID: i64 = 0x666c_6761;

/// One text for each version; each is applied in a transaction of its own.
const MIGRATIONS: &[&str] = &[FIRST, PROCESSES, ADDRESSES];

pub const VERSION: i64 = MIGRATIONS.len() as i64;

const FIRST: &str = "
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    pipeline_id TEXT NOT NULL,
    started_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL,
    finished_at REAL,
    outcome TEXT,
    exit_code INTEGER,
    error TEXT,
    version TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    source TEXT NOT NULL,
    source_name TEXT NOT NULL,
    sink TEXT NOT NULL,
    target TEXT,
    mode TEXT,
    fingerprint TEXT NOT NULL,
    settings TEXT NOT NULL,
    expected_interval_s REAL,
    trace_id TEXT,
    rejects_path TEXT
) STRICT;
CREATE INDEX runs_of_pipeline ON runs (pipeline_id, started_at);
CREATE INDEX runs_by_start ON runs (started_at);
CREATE INDEX runs_without_end ON runs (heartbeat_at) WHERE outcome IS NULL;
CREATE TABLE run_summary (
    run_id TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    read INTEGER NOT NULL,
    inserted INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    residual INTEGER NOT NULL,
    bytes_read INTEGER NOT NULL,
    bytes_written INTEGER NOT NULL,
    duration_s REAL NOT NULL,
    cpu_s REAL,
    peak_rss_bytes INTEGER,
    verdict TEXT,
    yield_pct REAL,
    ttfp_p50_ms REAL,
    ttfp_p95_ms REAL,
    cache_hit_pct REAL,
    rate_delay_p95_ms REAL,
    dedupe_saved_mb REAL,
    corruption_count INTEGER,
    finished_at REAL
) STRICT;
CREATE TABLE stage_summary (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    stage TEXT NOT NULL,
    busy_s REAL,
    wait_input_s REAL,
    wait_output_s REAL,
    wait_retry_s REAL,
    wait_throttle_s REAL,
    count INTEGER,
    p50_s REAL,
    p95_s REAL,
    p99_s REAL,
    max_s REAL,
    PRIMARY KEY (run_id, stage)
) STRICT;
CREATE TABLE errors (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    stage TEXT NOT NULL,
    error_type TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_at REAL,
    last_at REAL,
    last_message TEXT,
    PRIMARY KEY (run_id, stage, error_type)
) STRICT;
CREATE TABLE rejects_summary (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    \"column\" TEXT NOT NULL,
    error_type TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_place TEXT,
    PRIMARY KEY (run_id, \"column\", error_type)
) STRICT;
CREATE TABLE reports (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    route TEXT NOT NULL,
    ok INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (run_id, route)
) STRICT;
CREATE TABLE totals (
    pipeline_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    runs INTEGER NOT NULL,
    since REAL NOT NULL,
    last_at REAL,
    PRIMARY KEY (pipeline_id, outcome)
) STRICT, WITHOUT ROWID;
";

/// A number of a process says something only among those that count the same ones.
const PROCESSES: &str = "
ALTER TABLE runs ADD COLUMN pid_namespace TEXT;
ALTER TABLE runs ADD COLUMN boot_id TEXT;
CREATE INDEX runs_lost ON runs (heartbeat_at) WHERE outcome = 'lost';
";

/// Of runs that serve their metrics.
const ADDRESSES: &str = "
CREATE TABLE metrics_addresses (
    run_id TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    url TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

pub fn application_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

pub fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether nobody has put anything into the file yet.
pub fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0)
}

/// Several processes may come here at once: what one has done the next finds done.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    while version(connection)? < VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = version(&transaction)?;
        if let Some(next) = usize::try_from(done).ok().and_then(|done| MIGRATIONS.get(done)) {
            transaction.execute_batch(next)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", done + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
