//! `metrics provision`, and what it may be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::command as whole;
use crate::command::metrics::RulesAsked;
use crate::config::some_duration;

const OF_PROVISION: &str = "Of provision";

const GRAFANA: &str = "grafana";
const TOKEN_FILE: &str = "token-file";
const AUTHORITY: &str = "ca";
const ORG_ID: &str = "org-id";
const PROMETHEUS: &str = "prometheus";
const DATA_SOURCE: &str = "data-source";
const FOLDER: &str = "folder";
const EDITABLE: &str = "editable";
const OVERWRITE: &str = "overwrite";
const DRY_RUN: &str = "dry-run";
const TIMEOUT: &str = "timeout";
const FORMAT: &str = "format";

/// Of one request. A Grafana on a small disk takes some seconds to save a dashboard.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct ProvisionAsked {
    pub grafana: String,
    pub token_file: Option<PathBuf>,
    /// A certificate of an authority, for https.
    pub authority: Option<PathBuf>,
    pub org_id: Option<u64>,
    pub data_source: DataSourceAsked,
    pub folder: Option<String>,
    pub rules: RulesAsked,
    pub is_editable: bool,
    pub overwrites: bool,
    /// Reads alone.
    pub is_dry_run: bool,
    pub timeout: Duration,
    pub is_json: bool,
}

#[derive(Debug)]
pub enum DataSourceAsked {
    /// The address of the Prometheus of one that is to be made.
    At(String),
    Existing(String),
}

pub fn provision_arguments() -> Vec<Arg> {
    let one = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let arguments = [
        one(GRAFANA, "URL", "Where Grafana is, with its path where it has one"),
        one(TOKEN_FILE, "FILE", "File that holds the token of a service account")
            .value_parser(value_parser!(PathBuf)),
        one(
            AUTHORITY,
            "FILE",
            "Certificate of the authority of Grafana, beside those of the system",
        )
        .value_parser(value_parser!(PathBuf)),
        one(ORG_ID, "N", "Organisation in Grafana [default: that of the token]")
            .value_parser(value_parser!(u64).range(1..)),
        one(PROMETHEUS, "URL", "Where Grafana reaches the Prometheus; makes a data source"),
        one(DATA_SOURCE, "NAME", "Uid or name of a data source that Grafana has already")
            .conflicts_with(PROMETHEUS),
        one(FOLDER, "TITLE", "Title of the folder [default: flowgauge pipelines]"),
        switch(EDITABLE, "Alert rules may be changed in Grafana"),
        switch(OVERWRITE, "Replace also what was changed in Grafana, or made by somebody else"),
        switch(DRY_RUN, "Only read, and say what would be done"),
        one(TIMEOUT, "TIME", "How long to wait for one request [default: 15s]")
            .value_parser(some_duration),
        one(FORMAT, "text|json", "How to print what was done [default: text]")
            .value_parser(["text", "json"])
            .hide_possible_values(true),
    ];
    let named = |arg: Arg| {
        let name = arg.get_id().to_string();
        let arg = arg.help_heading(OF_PROVISION);
        if name.contains('-') { arg.alias(name.replace('-', "_")) } else { arg }
    };
    arguments.into_iter().map(named).collect()
}

/// One of these options that was given.
pub fn given(matches: &ArgMatches) -> Option<&'static str> {
    let all = [
        GRAFANA,
        TOKEN_FILE,
        AUTHORITY,
        ORG_ID,
        PROMETHEUS,
        DATA_SOURCE,
        FOLDER,
        EDITABLE,
        OVERWRITE,
        DRY_RUN,
        TIMEOUT,
        FORMAT,
    ];
    let is_given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    all.into_iter().find(is_given)
}

pub fn provision_asked(
    matches: &ArgMatches,
    rules: RulesAsked,
) -> Result<ProvisionAsked, clap::Error> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let data_source = match (text(PROMETHEUS), text(DATA_SOURCE)) {
        (Some(url), _) => Some(DataSourceAsked::At(url)),
        (None, Some(name)) => Some(DataSourceAsked::Existing(name)),
        (None, None) => None,
    };
    let data_source_is_missing = data_source.is_none();
    let (Some(grafana), Some(data_source)) = (text(GRAFANA), data_source) else {
        let grafana = text(GRAFANA).is_none().then_some("--grafana URL");
        let missing = [
            grafana,
            data_source_is_missing
                .then_some("--prometheus URL, for a data source to be made, or --data-source NAME"),
        ];
        let missing: Vec<&str> = missing.into_iter().flatten().collect();
        let message = format!("'metrics provision' needs {}", missing.join(", and "));
        return Err(whole().error(ErrorKind::MissingRequiredArgument, message));
    };
    Ok(ProvisionAsked {
        grafana,
        token_file: matches.get_one::<PathBuf>(TOKEN_FILE).cloned(),
        authority: matches.get_one::<PathBuf>(AUTHORITY).cloned(),
        org_id: matches.get_one::<u64>(ORG_ID).copied(),
        data_source,
        folder: text(FOLDER),
        rules,
        is_editable: matches.get_flag(EDITABLE),
        overwrites: matches.get_flag(OVERWRITE),
        is_dry_run: matches.get_flag(DRY_RUN),
        timeout: matches.get_one::<Duration>(TIMEOUT).copied().unwrap_or(TIMEOUT_DEFAULT),
        is_json: text(FORMAT).as_deref() == Some("json"),
    })
}
