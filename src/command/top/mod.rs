//! `top`: runs that are on, watched in a terminal, or printed once.
//!
//! `asking` is a thread that asks each run for `/run.json`, and the ledger for which runs there are; it hands
//! on `News`. `seen` is what such a document says, whoever sent it; `row` is a run in the few words of a
//! table; `once` prints the rows, `screen` shows them. Nothing here writes anything, and a run does not know
//! whether somebody looks.

// What only the screen uses is not worth a mark of its own in each file.
#![cfg_attr(not(feature = "screen"), allow(dead_code))]

mod address;
mod asking;
mod once;
mod row;
#[cfg(feature = "screen")]
mod screen;
mod seen;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use super::history::place;
use crate::app;
use crate::cli::top::TopAsked;
use crate::config::WrittenOptions;
use crate::error::{Error, Result};
use crate::export::Target;
use crate::outcome::Outcome;

/// More than one person can look at, and as much as may be asked at once.
const RUNS_MAX: usize = 100;

/// More often a terminal does not show it.
const EVERY_MIN: Duration = Duration::from_millis(200);

/// Where the runs come from.
pub enum Runs {
    At(Vec<Target>),
    /// All that are on by the ledger, of these pipelines or of any.
    Ledger {
        path: PathBuf,
        pipelines: Vec<String>,
        authority: Vec<u8>,
    },
}

pub fn run(asked: &TopAsked, written: WrittenOptions) -> Outcome {
    let place = match place(written, &asked.pipelines) {
        Ok(place) => place,
        Err(outcome) => return outcome,
    };
    let shown = runs(asked, place.path).and_then(|runs| match asked.once {
        Some(format) => once::print_once(runs, format),
        None => watch(asked, runs),
    });
    shown.unwrap_or_else(|error| {
        app::complain(&error);
        error.kind.into()
    })
}

fn runs(asked: &TopAsked, ledger: PathBuf) -> Result<Runs> {
    let authority = match &asked.authority {
        Some(path) => std::fs::read(path).map_err(|cause| {
            Error::config(format!("cannot read --ca '{}'", path.display())).because(cause)
        })?,
        None => Vec::new(),
    };
    if asked.urls.is_empty() {
        let pipelines = asked.pipelines.clone();
        return Ok(Runs::Ledger { path: ledger, pipelines, authority });
    }
    if asked.urls.len() > RUNS_MAX {
        return Err(Error::config(format!("{} URLs are more than {RUNS_MAX}", asked.urls.len())));
    }
    let targets = asked.urls.iter().enumerate().map(|(index, url)| {
        address::target(url, &authority)
            .map_err(|mistake| Error::config(format!("URL {}: {mistake}", index + 1)))
    });
    Ok(Runs::At(targets.collect::<Result<_>>()?))
}

#[cfg(feature = "screen")]
fn watch(asked: &TopAsked, runs: Runs) -> Result<Outcome> {
    needs_terminal()?;
    screen::watch(runs, asked.every.max(EVERY_MIN))
}

#[cfg(not(feature = "screen"))]
fn watch(asked: &TopAsked, _: Runs) -> Result<Outcome> {
    needs_terminal()?;
    let every = asked.every.max(EVERY_MIN).as_secs().max(1);
    Err(Error::config("this flowgauge was built without its screen")
        .help(format!("use 'watch -n {every} flowgauge top --once'")))
}

fn needs_terminal() -> Result<()> {
    match io::stdout().is_terminal() && io::stdin().is_terminal() {
        true => Ok(()),
        false => Err(Error::config("top shows a screen, and this is no terminal")
            .help("add --once to print what is on")),
    }
}
