//! `runs`: the ledger for people and programs. Looking into it, pruning and checking need no more of the
//! settings than where it is.

mod list;
mod show;

use std::path::Path;

use super::history::{complain, place, say_there_is_none};
use super::print;
use crate::cli::history::{RunsAction, RunsAsked};
use crate::config::WrittenOptions;
use crate::ledger::{self, write_lost};
use crate::outcome::Outcome;
use crate::report::text::counted;

pub fn run(asked: &RunsAsked, written: WrittenOptions) -> Outcome {
    let place = match place(written, &asked.pipelines) {
        Ok(place) => place,
        Err(outcome) => return outcome,
    };
    match asked.action {
        RunsAction::List => {
            note_lost(&place.path);
            list::run(&place.path, asked)
        }
        RunsAction::Show => {
            note_lost(&place.path);
            show::run(&place.path, asked)
        }
        RunsAction::Prune => {
            let pipeline =
                if let [only] = &asked.pipelines[..] { Some(only.as_str()) } else { None };
            match ledger::prune(&place.path, place.keep, pipeline) {
                Err(missing) => complain(&missing),
                Ok(pruned) => print(&format!(
                    "{} removed, {} kept\n",
                    counted(pruned.removed as u64, "run"),
                    pruned.kept
                )),
            }
        }
        RunsAction::Check => check(&place.path),
    }
}

/// Where it can be written, what is lost is written so; who may only read sees it all the same.
fn note_lost(path: &Path) {
    if let Err(missing) = write_lost(path) {
        tracing::debug!("lost runs were not noted: {missing}");
    }
}

fn check(path: &Path) -> Outcome {
    let found = ledger::read(path, |connection| {
        let faults = ledger::check(connection)?;
        let runs: i64 = connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
        Ok((faults, runs))
    });
    match found {
        Err(missing) => complain(&missing),
        Ok(None) => {
            say_there_is_none(path);
            Outcome::Complete
        }
        Ok(Some((faults, runs))) if faults.is_empty() => {
            let runs = counted(u64::try_from(runs).unwrap_or_default(), "run");
            print(&format!("'{}' is sound: {runs}\n", path.display()))
        }
        Ok(Some((faults, _))) => {
            let shown = path.display();
            print(&format!("'{shown}' is damaged:\n  {}\n", faults.join("\n  ")));
            Outcome::LocalIo
        }
    }
}
