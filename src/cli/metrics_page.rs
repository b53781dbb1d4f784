//! `metrics`: which page, and what may be set in it.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::command as whole;
use super::provision::{self, provision_arguments, provision_asked};
use crate::command::metrics::{MetricsPage, RulesAsked};
use crate::config::units;
use crate::observe::alert_rules::{RULE_TIMES, RUNBOOKS, RUNBOOKS_DEFAULT, as_prometheus};

pub const NAME: &str = "metrics";

const WHAT: &str = "what";
const PAGES: [&str; 5] = ["describe", "rules", "scrape-config", "dashboard", "provision"];
const TARGET: &str = "target";
const EVERY: &str = "every";
const OF_RULES: &str = "Of rules and provision";
const OF_SCRAPE_CONFIG: &str = "Of scrape-config";

pub fn command() -> Command {
    let what = Arg::new(WHAT)
        .value_name("PAGE")
        .help("describe, rules, scrape-config, dashboard or provision")
        .required(true)
        .value_parser(PAGES)
        .hide_possible_values(true);
    let times = RULE_TIMES.iter().map(|time| {
        let default = as_prometheus(time.default.as_secs());
        let help = format!("{} [default: {default}]", time.help);
        let arg = duration(time.name).help(help).help_heading(OF_RULES);
        arg.alias(time.name.replace('-', "_"))
    });
    Command::new(NAME)
        .about(
            "Print the metrics as a table, alert rules and a scrape configuration for Prometheus, or a dashboard for Grafana; provision puts dashboard and rules into a Grafana",
        )
        .arg(what)
        .args(times)
        .arg(
            Arg::new(RUNBOOKS)
                .long(RUNBOOKS)
                .value_name("URL")
                .value_parser(page_address)
                .help(format!(
                    "Where people read what to do about an alert; its name is added as an anchor [default: {RUNBOOKS_DEFAULT}]"
                ))
                .help_heading(OF_RULES),
        )
        .arg(
            Arg::new(TARGET)
                .long(TARGET)
                .value_name("HOST:PORT")
                .action(ArgAction::Append)
                .help("Where a run listens; may be given several times [default: localhost:8000]")
                .help_heading(OF_SCRAPE_CONFIG),
        )
        .arg(
            duration(EVERY)
                .help("How often a run is scraped [default: 5s]")
                .help_heading(OF_SCRAPE_CONFIG),
        )
        .args(provision_arguments())
}

fn duration(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TIME").value_parser(whole_seconds)
}

/// Prometheus takes no fractions.
fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = units::duration(text)?;
    match time.subsec_nanos() {
        0 if time > Duration::ZERO => Ok(time),
        _ => Err("say whole seconds, and one at least".to_string()),
    }
}

/// It stands between quotes in the rules, where braces begin a template.
fn page_address(text: &str) -> Result<String, String> {
    let is_of_address = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>{}#".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_of_address) {
        true => Ok(text.to_string()),
        false => Err("this is no address of a page, without an anchor".to_string()),
    }
}

pub fn read(matches: &ArgMatches) -> Result<MetricsPage, clap::Error> {
    let page = matches.get_one::<String>(WHAT).map(String::as_str);
    let times: Vec<(&'static str, Duration)> = RULE_TIMES
        .iter()
        .filter_map(|time| Some((time.name, *matches.get_one::<Duration>(time.name)?)))
        .collect();
    let targets: Vec<String> =
        matches.get_many::<String>(TARGET).into_iter().flatten().cloned().collect();
    let every = matches.get_one::<Duration>(EVERY).copied();
    let runbooks = matches.get_one::<String>(RUNBOOKS).cloned();
    let of_provision = provision::given(matches);
    let of_rules = times.first().map(|(name, _)| *name).or(runbooks.is_some().then_some(RUNBOOKS));
    let of_scrape_config =
        (!targets.is_empty()).then_some(TARGET).or(every.is_some().then_some(EVERY));
    let foreign = match page {
        Some("rules") => of_scrape_config.or(of_provision),
        Some("scrape-config") => of_rules.or(of_provision),
        Some("provision") => of_scrape_config,
        _ => of_rules.or(of_scrape_config).or(of_provision),
    };
    if let (Some(name), Some(page)) = (foreign, page) {
        let message = format!("--{name} has no meaning with 'metrics {page}'");
        return Err(whole().error(ErrorKind::ArgumentConflict, message));
    }
    if let Some(target) = targets.iter().find(|target| !is_target(target)) {
        let message = format!("'{}' is no HOST:PORT", target.escape_default());
        return Err(whole().error(ErrorKind::ValueValidation, message));
    }
    let runbooks = runbooks.unwrap_or_else(|| RUNBOOKS_DEFAULT.to_string());
    let rules = RulesAsked { times, runbooks };
    Ok(match page {
        Some("rules") => MetricsPage::Rules(rules),
        Some("provision") => MetricsPage::Provision(provision_asked(matches, rules)?),
        Some("scrape-config") => MetricsPage::ScrapeConfig {
            targets: if targets.is_empty() { vec!["localhost:8000".to_string()] } else { targets },
            every: every.unwrap_or(Duration::from_secs(5)),
        },
        Some("dashboard") => MetricsPage::Dashboard,
        _ => MetricsPage::Describe,
    })
}

fn is_target(target: &str) -> bool {
    let Some((host, port)) = target.rsplit_once(':') else { return false };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
