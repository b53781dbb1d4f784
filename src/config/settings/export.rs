//! What is meant for the ways out of the numbers of a run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::choices::Choice;
use crate::config::option_reader::OptionReader;
use crate::config::settings::otel::otel;
use crate::config::small_file;
use crate::config::units;
use crate::export::{ExportSettings, Labels, NoticeEvent, NoticeFormat, TEXTFILE_ENDING, Target};
use crate::observe::CATALOGUE;

/// More than all authorities of the web take.
const PEM_BYTES_MAX: usize = 4 << 20;

/// More often is a load, and says nothing more.
const PUSH_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Of those, each is in some series already, or made by whoever scrapes or stores it.
const RESERVED_LABELS: [&str; 3] = ["pipeline_id", "le", "quantile"];

/// The options of one address.
pub(super) struct AddressOptions {
    pub url: &'static str,
    pub password_file: &'static str,
    pub token_file: &'static str,
    pub header: &'static str,
    pub ca: &'static str,
}

const PUSH: AddressOptions = AddressOptions {
    url: "metrics-push",
    password_file: "metrics-push-pass-file",
    token_file: "metrics-push-token-file",
    header: "metrics-push-header",
    ca: "metrics-push-ca",
};

const REMOTE_WRITE: AddressOptions = AddressOptions {
    url: "metrics-remote-write",
    password_file: "metrics-remote-write-pass-file",
    token_file: "metrics-remote-write-token-file",
    header: "metrics-remote-write-header",
    ca: "metrics-remote-write-ca",
};

const WEBHOOK: AddressOptions = AddressOptions {
    url: "notify-webhook",
    password_file: "notify-webhook-pass-file",
    token_file: "notify-webhook-token-file",
    header: "notify-webhook-header",
    ca: "notify-webhook-ca",
};

/// What the exporter is told beside where the ledger is.
#[derive(Debug)]
pub struct ExporterSettings {
    pub web_config: Option<PathBuf>,
    pub webhook: Option<Target>,
    pub notify_on: Vec<NoticeEvent>,
    pub notify_format: NoticeFormat,
}

/// How long the last numbers are kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    pub scrapes: u64,
    pub time_max: Duration,
}

/// Of complete scrapes: a pair of Prometheus servers is two.
const SCRAPES_MAX: u64 = 1_000;

impl OptionReader<'_> {
    pub fn export(&mut self) -> ExportSettings {
        let push = self.target(&PUSH);
        let remote_write = self.target(&REMOTE_WRITE);
        if remote_write.as_ref().is_some_and(|target| target.url.path() == "/") {
            self.wrong(
                REMOTE_WRITE.url,
                "the URL has no path; write the whole one, such as http://HOST:9090/api/v1/write",
            );
        }
        let webhook = self.target(&WEBHOOK);
        if push.is_none() {
            self.refuse(&["metrics-push-interval"], "without --metrics-push");
        }
        if push.is_none() && remote_write.is_none() {
            let when = "without --metrics-push or --metrics-remote-write: a scraper has its own";
            self.refuse(&["metrics-label"], when);
        }
        if webhook.is_none() {
            self.refuse(&["notify-on", "notify-format"], "without --notify-webhook");
        }
        ExportSettings {
            textfile: self.textfile(),
            push,
            push_interval: self.parsed("metrics-push-interval", push_interval),
            remote_write,
            webhook,
            notify_on: self.notify_on(),
            notify_format: self.choice_or_default("notify-format"),
            openlineage: self.openlineage(),
            labels: self.metrics_labels(),
            otel: otel(|name| std::env::var(name).ok(), &mut self.warnings),
        }
    }

    /// Of the exporter, which tells of runs that cannot tell of themselves.
    pub fn exporter(&mut self) -> ExporterSettings {
        let webhook = self.target(&WEBHOOK);
        if webhook.is_none() {
            self.refuse(&["notify-on", "notify-format"], "without --notify-webhook");
        }
        ExporterSettings {
            web_config: self.text("metrics-web-config").map(PathBuf::from),
            webhook,
            notify_on: self.notify_on(),
            notify_format: self.choice_or_default("notify-format"),
        }
    }

    fn textfile(&mut self) -> Option<PathBuf> {
        let path = self.text("metrics-textfile").filter(|path| !path.is_empty())?;
        let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
        let is_read = name.is_some_and(|name| {
            name.len() > TEXTFILE_ENDING.len() && name.ends_with(TEXTFILE_ENDING)
        });
        if !is_read {
            let why = format!("node_exporter reads only files called NAME{TEXTFILE_ENDING}");
            self.wrong("metrics-textfile", &why);
        }
        Some(PathBuf::from(path))
    }

    /// Some where it is written, even if there is something wrong with it, which is noted.
    pub(super) fn target(&mut self, options: &AddressOptions) -> Option<Target> {
        let others = [options.password_file, options.token_file, options.header, options.ca];
        let Some(written) = self.text(options.url) else {
            self.refuse(&others, &format!("without --{}", options.url));
            return None;
        };
        let mut target = match Target::parse(options.url, &written) {
            Ok(target) => target,
            Err(why) => {
                self.wrong(options.url, &why);
                return None;
            }
        };
        if let Some(password) = self.secret_of_file(options.password_file) {
            let logged_in = match Target::user(&written) {
                None => {
                    Err(format!("there is no user in --{}; write http://USER@HOST/", options.url))
                }
                Some(user) => target.log_in(&user, &password),
            };
            logged_in.unwrap_or_else(|why| self.wrong(options.password_file, &why));
        }
        if let Some(token) = self.secret_of_file(options.token_file) {
            if Target::user(&written).is_some() {
                let why = format!("one way to log in is enough; --{} has a user", options.url);
                self.wrong(options.token_file, &why);
            }
            target.bear(&token).unwrap_or_else(|why| self.wrong(options.token_file, &why));
        }
        for header in self.list(options.header).unwrap_or_default() {
            target.add_header(&header).unwrap_or_else(|why| self.wrong(options.header, &why));
        }
        if let Some(path) = self.text(options.ca).filter(|path| !path.is_empty()) {
            let trusted = small_file::read(Path::new(&path), PEM_BYTES_MAX)
                .map_err(|cause| format!("cannot read '{path}': {cause}"))
                .and_then(|pem| target.trust(&pem));
            trusted.unwrap_or_else(|why| self.wrong(options.ca, &why));
        }
        Some(target)
    }

    fn notify_on(&mut self) -> Vec<NoticeEvent> {
        let names =
            self.list("notify-on").unwrap_or_else(|| vec![NoticeEvent::Failure.name().into()]);
        if names.is_empty() {
            self.wrong("notify-on", "nothing is named; leave --notify-webhook out instead");
        }
        let mut events = Vec::new();
        for name in names {
            match NoticeEvent::of_name(&name) {
                Some(event) => events.push(event),
                None => {
                    let known = NoticeEvent::NAMES.join(", ");
                    self.wrong("notify-on", &format!("'{name}' is not one of {known}"));
                }
            }
        }
        if events.contains(&NoticeEvent::Recovery) && self.switch("no-ledger") {
            self.wrong(
                "notify-on",
                "what the run before was is in the ledger; leave --no-ledger out",
            );
        }
        events
    }

    fn metrics_labels(&mut self) -> Labels {
        let written = self.list("metrics-label").unwrap_or_default();
        let is_reserved = |name: &str| {
            RESERVED_LABELS.contains(&name)
                || CATALOGUE.iter().any(|metric| metric.labels.contains(&name))
        };
        Labels::parse(&written, is_reserved).unwrap_or_else(|why| {
            self.wrong("metrics-label", &why);
            Labels::default()
        })
    }

    pub fn linger(&mut self) -> Option<Linger> {
        if !self.switch("metrics-until-scraped") {
            self.refuse(&["metrics-scrapes", "metrics-linger"], "without --metrics-until-scraped");
            return None;
        }
        if !self.is_written("metrics-port") {
            self.refuse(&["metrics-until-scraped"], "without --metrics-port");
        }
        Some(Linger {
            scrapes: self.number_or_default("metrics-scrapes", 1, SCRAPES_MAX),
            time_max: self.parsed_or_default("metrics-linger", units::some_duration),
        })
    }
}

fn push_interval(text: &str) -> Result<Duration, String> {
    match units::some_duration(text)? {
        interval if interval < PUSH_INTERVAL_MIN => {
            Err(format!("'{text}' is less than 1s, which loads whoever takes it"))
        }
        interval => Ok(interval),
    }
}
