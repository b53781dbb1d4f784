//! What stands in a ledger, as SQL says it.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, Params};

use super::Workdir;

pub struct LedgerFile {
    path: PathBuf,
}

impl LedgerFile {
    /// Where a run of the work directory has it.
    pub fn of(workdir: &Workdir) -> LedgerFile {
        LedgerFile { path: workdir.path("state/ledger.sqlite") }
    }

    pub fn at(path: impl Into<PathBuf>) -> LedgerFile {
        LedgerFile { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    #[track_caller]
    pub fn open(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    #[track_caller]
    pub fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.open().execute(sql, params).unwrap()
    }

    /// The values of one column.
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<Value> {
        let connection = self.open();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[track_caller]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let text = |value| match value {
            Value::Text(text) => text,
            Value::Null => "-".to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Blob(_) => panic!("a ledger has no blobs"),
        };
        self.column(sql).into_iter().map(text).collect()
    }

    /// The one value that is asked for.
    #[track_caller]
    pub fn text(&self, sql: &str) -> String {
        let found = self.texts(sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        found.into_iter().next().unwrap()
    }

    #[track_caller]
    pub fn number(&self, sql: &str) -> f64 {
        match &self.column(sql)[..] {
            [Value::Integer(number)] => *number as f64,
            [Value::Real(number)] => *number,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// How many runs of the pipeline ended so, over all time.
    #[track_caller]
    pub fn total(&self, pipeline: &str, outcome: &str) -> f64 {
        self.number(&format!(
            "SELECT runs FROM totals WHERE pipeline_id = '{pipeline}' AND outcome = '{outcome}'"
        ))
    }

    /// What SQLite itself says of the file.
    #[track_caller]
    pub fn assert_sound(&self) {
        assert_eq!(self.text("PRAGMA integrity_check"), "ok");
    }
}
