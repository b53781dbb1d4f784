//! `metrics`: what there is to be scraped as a table, the alert rules, a configuration that scrapes, and a
//! dashboard; and all of that in a Grafana.

use std::time::Duration;

use super::{print, provision};
use crate::cli::provision::ProvisionAsked;
use crate::observe::alert_rules::{RuleTime, alert_rules, as_prometheus};
use crate::observe::dashboard::dashboard;
use crate::observe::describe;
use crate::outcome::Outcome;

/// What `metrics` prints, or does.
#[derive(Debug)]
pub enum MetricsPage {
    /// The catalogue as a table.
    Describe,
    Rules(RulesAsked),
    /// For Grafana.
    Dashboard,
    ScrapeConfig {
        targets: Vec<String>,
        every: Duration,
    },
    /// In a Grafana.
    Provision(ProvisionAsked),
}

/// The rules with these times in place of their defaults, and links to here.
#[derive(Debug)]
pub struct RulesAsked {
    pub times: Vec<(&'static str, Duration)>,
    pub runbooks: String,
}

impl RulesAsked {
    pub fn text(&self) -> String {
        let given = |rule: &RuleTime| self.times.iter().find(|(name, _)| *name == rule.name);
        let time = |rule: &RuleTime| given(rule).map_or(rule.default, |(_, time)| *time);
        alert_rules(time, &self.runbooks)
    }
}

pub fn print_metrics(page: &MetricsPage) -> Outcome {
    print(&match page {
        MetricsPage::Provision(asked) => return provision::run(asked),
        MetricsPage::Describe => describe(),
        MetricsPage::Rules(asked) => asked.text(),
        MetricsPage::Dashboard => format!("{:#}\n", dashboard()),
        MetricsPage::ScrapeConfig { targets, every } => scrape_config(targets, every.as_secs()),
    })
}

fn scrape_config(targets: &[String], every: u64) -> String {
    let targets: Vec<String> =
        targets.iter().map(|target| format!("          - '{target}'\n")).collect();
    format!(
        "# A part of prometheus.yml. METRICS.md says more, also of TLS and passwords.\n\
         rule_files:\n  \
           # flowgauge metrics rules > flowgauge-rules.yml\n  \
           - flowgauge-rules.yml\n\
         scrape_configs:\n  \
           - job_name: flowgauge\n    \
             # A run should last at least four times as long.\n    \
             scrape_interval: {every}\n    \
             scrape_timeout: {every}\n    \
             static_configs:\n      \
               # As --metrics-host and --metrics-port say.\n      \
               - targets:\n{targets}",
        every = as_prometheus(every),
        targets = targets.concat()
    )
}
