//! `--once`: what is on, as a table for people or as JSON for programs.

use serde_json::{Value, json};

use super::asking::{ask_once, key_of};
use super::row::{Row, Rows};
use super::{Runs, asking::News};
use crate::app;
use crate::cli::top::OnceFormat;
use crate::command::history::{Align, table};
use crate::command::print;
use crate::console::logging;
use crate::error::{Error, Kind, Result};
use crate::ledger::now;
use crate::outcome::Outcome;
use crate::record::ErrorType;
use crate::report::text;

const SCHEMA_VERSION: u64 = 1;

/// Exit code 4 where a run did not answer.
pub fn print_once(runs: Runs, format: OnceFormat) -> Result<Outcome> {
    let mut rows = match &runs {
        Runs::At(targets) => Rows::at(targets.iter().map(key_of)),
        Runs::Ledger { .. } => Rows::default(),
    };
    let told: Vec<News> = ask_once(&runs)?;
    told.into_iter().for_each(|news| rows.take(news, now()));
    if let Some(trouble) = rows.trouble {
        let message = format!("the ledger cannot be used: {trouble}");
        return Err(Error::new(Kind::LocalIo, ErrorType::Disk, message));
    }
    let rows = rows.all;
    let printed = match format {
        OnceFormat::Json => {
            let runs: Vec<Value> = rows.iter().map(entry).collect();
            let document = json!({ "schema_version": SCHEMA_VERSION, "runs": runs });
            print(&format!("{}\n", crate::shown::Json(format!("{document:#}"))))
        }
        OnceFormat::Table if rows.is_empty() => {
            logging::warn("no run is in progress");
            Outcome::Complete
        }
        OnceFormat::Table => print(&lines(&rows)),
    };
    let is_missing = |row: &Row| row.trouble.is_some() && !row.is_silent;
    if format == OnceFormat::Table {
        for row in rows.iter().filter(|row| is_missing(row)) {
            let message = format!("'{}': {}", row.name(), row.sentence());
            app::complain(&Error::new(Kind::Unavailable, ErrorType::Connection, message));
        }
    }
    Ok(match printed {
        Outcome::Complete if rows.iter().any(is_missing) => Outcome::Unavailable,
        printed => printed,
    })
}

/// What the run said of itself, as it said it.
fn entry(row: &Row) -> Value {
    let seen = row.seen.as_ref();
    json!({
        "at": row.key.0,
        "pipeline_id": seen.map(|seen| &seen.pipeline_id).or(row.pipeline_id.as_ref()),
        "run_id": seen.map(|seen| &seen.run_id).or(row.pipeline_id.as_ref().map(|_| &row.key.0)),
        "state": row.state().0,
        "error": row.trouble,
        "records": seen.map(|seen| json!({
            "read": seen.records.read,
            "processed": seen.records.processed,
            "failed": seen.records.failed,
        })),
        "run": row.document.as_deref(),
    })
}

fn lines(rows: &[Row]) -> String {
    let heads = [
        ("PIPELINE", Align::Left),
        ("STATE", Align::Left),
        ("DONE", Align::Right),
        ("RATE", Align::Right),
        ("LEFT", Align::Right),
        ("LIMIT", Align::Left),
        ("QUEUE", Align::Right),
        ("ERRORS", Align::Right),
        ("REJECTED", Align::Right),
    ];
    let cells = |row: &Row| {
        [
            row.name(),
            row.state().0.to_string(),
            row.done(),
            row.rate(),
            row.left(),
            row.limit(),
            row.queue(),
            text::count(row.errors()),
            text::count(row.rejected()),
        ]
    };
    let cells: Vec<_> = rows.iter().map(cells).collect();
    table(heads, 0, &cells).into_iter().map(|line| line + "\n").collect()
}
