//! The commands that look into the ledger, and what they may be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::argument;
use crate::config::options::Opt;
use crate::config::some_duration;

/// Options of a run that say where the ledger is.
pub const OF_RUNS: [&str; 4] = ["config", "state-dir", "ledger", "ledger-keep"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAction {
    List,
    Show,
    Prune,
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    Table,
    Json,
    Csv,
}

/// `flowgauge runs`
#[derive(Clone, Debug)]
pub struct RunsAsked {
    pub action: RunsAction,
    pub run: Option<String>,
    pub pipelines: Vec<String>,
    pub last: Option<u64>,
    pub is_failed_only: bool,
    pub since: Option<Duration>,
    pub format: TableFormat,
}

/// `flowgauge status`
#[derive(Clone, Debug)]
pub struct StatusAsked {
    pub pipelines: Vec<String>,
    pub is_all: bool,
}

/// And those by which the exporter is protected, and tells somebody.
const OF_EXPORTER: [&str; 8] = [
    "metrics-web-config",
    "notify-webhook",
    "notify-on",
    "notify-format",
    "notify-webhook-pass-file",
    "notify-webhook-token-file",
    "notify-webhook-header",
    "notify-webhook-ca",
];

/// `flowgauge exporter`
#[derive(Clone, Debug)]
pub struct ExporterAsked {
    pub host: String,
    pub port: u16,
    pub poll: Duration,
    pub pipelines: Vec<String>,
    pub labels_run_id: bool,
    /// Keeps what was told.
    pub notify_state: Option<PathBuf>,
}

pub fn runs_command() -> Command {
    let action = Arg::new("action")
        .value_name("ACTION")
        .value_parser(["list", "show", "prune", "check"])
        .hide_possible_values(true)
        .help("list (by default), show one run, prune old ones, or check the file");
    let run = Arg::new("run")
        .value_name("RUN")
        .help("Run to show: last (by default), last-1, or the beginning of its id");
    let last = Arg::new("last")
        .long("last")
        .value_name("N")
        .value_parser(value_parser!(u64).range(1..))
        .help("List so many runs at most [default: 20 in a table, else all]");
    let since = Arg::new("since")
        .long("since")
        .value_name("TIME")
        .value_parser(some_duration)
        .help("List runs of so long, such as 7d");
    let failed = Arg::new("failed")
        .long("failed")
        .action(ArgAction::SetTrue)
        .help("List runs that were not complete");
    let format = Arg::new("format")
        .long("format")
        .value_name("table|json|csv")
        .value_parser(["table", "json", "csv"])
        .hide_possible_values(true)
        .help("How it is printed [default: table]");
    let command = Command::new("runs").about("List and show runs of the past, or remove old ones");
    let own = [
        action,
        run,
        pipeline("Runs of this pipeline; may be repeated"),
        last,
        since,
        failed,
        format,
    ];
    command.args(own).args(of_runs(&OF_RUNS))
}

pub fn status_command() -> Command {
    let all = Arg::new("all")
        .long("all")
        .action(ArgAction::SetTrue)
        .help("Also pipelines that did not run for 30 days and are not expected to");
    Command::new("status")
        .about("Say in what state each pipeline is; exit code 3 where one failed or is due")
        .arg(all)
        .arg(pipeline("This pipeline; may be repeated"))
        .args(of_runs(&OF_RUNS[..3]))
}

pub fn exporter_command() -> Command {
    let port = Arg::new("port")
        .long("port")
        .value_name("PORT")
        .value_parser(value_parser!(u16))
        .default_value("9108")
        .help("TCP port that serves /metrics");
    let host = Arg::new("host")
        .long("host")
        .value_name("ADDRESS")
        .default_value("127.0.0.1")
        .help("Address that the port listens on");
    let poll = Arg::new("poll")
        .long("poll")
        .value_name("TIME")
        .value_parser(some_duration)
        .default_value("10s")
        .help("How often the ledger is read");
    let labels = Arg::new("label-run-id")
        .long("label-run-id")
        .action(ArgAction::SetTrue)
        .help("Put the id of the run on all series of it");
    let db = Arg::new("db").long("db").value_name("FILE").help("The same as --ledger");
    let state = Arg::new("notify-state")
        .long("notify-state")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("File that keeps what --notify-webhook was told, so that a restart tells nothing twice and misses nothing");
    let command = Command::new("exporter")
        .about("Serve the ledger as Prometheus metrics, always on, for runs that are over");
    let own =
        [port, host, poll, pipeline("Only this pipeline; may be repeated"), labels, db, state];
    let options = of_runs(&OF_RUNS[..3]).into_iter().chain(of_runs(&OF_EXPORTER));
    command.args(own.map(with_default_shown)).args(options.map(|arg| match arg.get_id().as_str() {
        "notify-webhook" => {
            arg.help("URL that gets a JSON message about runs that were lost or did not come")
        }
        "notify-on" => arg.help(
            "What is told: failure is a run that was lost or did not come, recovery the first complete one after it [default: failure]",
        ),
        "metrics-web-config" => arg.help(
            "YAML file with TLS and users of the port, as the exporters of Prometheus have it [default: plain HTTP, no password]",
        ),
        _ => arg,
    }))
}

/// As options of a run show theirs.
pub(super) fn with_default_shown(arg: Arg) -> Arg {
    let default = arg.get_default_values().first().and_then(|text| text.to_str());
    match (default, arg.get_help()) {
        (Some(default), Some(help)) => {
            let help = format!("{help} [default: {default}]");
            arg.help(help).hide_default_value(true)
        }
        _ => arg,
    }
}

pub(super) fn pipeline(help: &'static str) -> Arg {
    Arg::new("pipeline").long("pipeline").value_name("NAME").action(ArgAction::Append).help(help)
}

pub(super) fn of_runs(names: &[&str]) -> Vec<Arg> {
    names.iter().filter_map(|name| Opt::find(name)).map(argument).collect()
}

pub fn runs_asked(matches: &ArgMatches) -> RunsAsked {
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    RunsAsked {
        action: match text("action") {
            Some("show") => RunsAction::Show,
            Some("prune") => RunsAction::Prune,
            Some("check") => RunsAction::Check,
            _ => RunsAction::List,
        },
        run: text("run").map(String::from),
        pipelines: pipelines(matches),
        last: matches.get_one("last").copied(),
        is_failed_only: matches.get_flag("failed"),
        since: matches.get_one("since").copied(),
        format: match text("format") {
            Some("json") => TableFormat::Json,
            Some("csv") => TableFormat::Csv,
            _ => TableFormat::Table,
        },
    }
}

pub fn status_asked(matches: &ArgMatches) -> StatusAsked {
    StatusAsked { pipelines: pipelines(matches), is_all: matches.get_flag("all") }
}

pub fn exporter_asked(matches: &ArgMatches) -> ExporterAsked {
    ExporterAsked {
        host: matches.get_one::<String>("host").cloned().unwrap_or_default(),
        port: matches.get_one("port").copied().unwrap_or_default(),
        poll: matches.get_one("poll").copied().unwrap_or_default(),
        pipelines: pipelines(matches),
        labels_run_id: matches.get_flag("label-run-id"),
        notify_state: matches.get_one("notify-state").cloned(),
    }
}

pub(super) fn pipelines(matches: &ArgMatches) -> Vec<String> {
    matches.get_many::<String>("pipeline").into_iter().flatten().cloned().collect()
}
