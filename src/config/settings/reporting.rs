//! What is meant for what a run tells: its summary, its log and its metrics.

use std::path::PathBuf;
use std::time::Duration;

use super::export::Linger;
use crate::config::choices::{LogFormat, LogLevel};
use crate::config::option_reader::OptionReader;

#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Without a port no socket is opened.
    pub port: Option<u16>,
    pub host: String,
    /// Who may read the metrics, as the exporters of Prometheus have it.
    pub web_config: Option<PathBuf>,
    pub expected_interval: Option<Duration>,
    /// Keeps the last numbers up for whoever scrapes.
    pub linger: Option<Linger>,
}

#[derive(Clone, Debug)]
pub struct Reporting {
    pub is_quiet: bool,
    /// What is not told is a failure of the program, though not of the run.
    pub requires_reports: bool,
    pub summary: Summary,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    None,
    Stdout,
    File(PathBuf),
}

impl OptionReader<'_> {
    pub fn metrics(&mut self) -> MetricsSettings {
        MetricsSettings {
            port: self.number("metrics-port", 0, u64::from(u16::MAX)).map(|port| port as u16),
            host: self.text_or_default("metrics-host"),
            web_config: self.text("metrics-web-config").map(PathBuf::from),
            expected_interval: self.some_time("expect-every"),
            linger: self.linger(),
        }
    }

    pub fn reporting(&mut self) -> Reporting {
        let summary = match self.text("summary-json").as_deref() {
            None => Summary::None,
            Some("-") => {
                if self.text("output-file").as_deref() == Some("-") {
                    self.wrong("summary-json", "standard output is taken by --output-file");
                }
                Summary::Stdout
            }
            Some("") => {
                self.wrong("summary-json", "name a file, or - for standard output");
                Summary::None
            }
            Some(path) => Summary::File(PathBuf::from(path)),
        };
        Reporting {
            is_quiet: self.switch("quiet"),
            requires_reports: self.switch("require-report"),
            summary,
            log_format: self.choice_or_default("log-format"),
            log_level: self.choice_or_default("log-level"),
        }
    }
}
