//! `flowgauge top`, and what it may be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::history::{OF_RUNS, of_runs, pipeline, pipelines, with_default_shown};
use crate::config::some_duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceFormat {
    Table,
    Json,
}

#[derive(Clone, Debug)]
pub struct TopAsked {
    /// Of metrics ports; none for the runs that the ledger knows to be on.
    pub urls: Vec<String>,
    pub pipelines: Vec<String>,
    /// Printed once, and no screen.
    pub once: Option<OnceFormat>,
    pub every: Duration,
    /// A certificate of an authority, for https.
    pub authority: Option<PathBuf>,
}

pub fn top_command() -> Command {
    let urls = Arg::new("urls")
        .value_name("URL")
        .num_args(0..)
        .conflicts_with("pipeline")
        .help("Metrics port of a run, such as localhost:8000; without one, all runs that are on by the ledger");
    let once = Arg::new("once")
        .long("once")
        .action(ArgAction::SetTrue)
        .help("Print what is on and end, without a screen");
    let format = Arg::new("format")
        .long("format")
        .value_name("table|json")
        .value_parser(["table", "json"])
        .hide_possible_values(true)
        .requires("once")
        .help("How --once prints [default: table]");
    let every = Arg::new("every")
        .long("every")
        .value_name("TIME")
        .value_parser(some_duration)
        .default_value("1s")
        .help("How often each run is asked");
    let authority = Arg::new("ca")
        .long("ca")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Certificate of the authority of https URLs, beside those of the system");
    let command = Command::new("top").about("Watch runs that are on, in a terminal");
    let own = [
        urls,
        pipeline("Only runs of this pipeline; may be repeated"),
        once,
        format,
        every,
        authority,
    ];
    command.args(own.map(with_default_shown)).args(of_runs(&OF_RUNS[..3]))
}

pub fn top_asked(matches: &ArgMatches) -> TopAsked {
    let format = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => OnceFormat::Json,
        _ => OnceFormat::Table,
    };
    TopAsked {
        urls: matches.get_many::<String>("urls").into_iter().flatten().cloned().collect(),
        pipelines: pipelines(matches),
        once: matches.get_flag("once").then_some(format),
        every: matches.get_one("every").copied().unwrap_or_default(),
        authority: matches.get_one::<PathBuf>("ca").cloned(),
    }
}
