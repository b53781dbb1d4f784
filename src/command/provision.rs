//! `metrics provision`: dashboard and rules in a Grafana, and a line of each thing that was done.

use std::io;
use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::print;
use crate::app;
use crate::cli::provision::{DataSourceAsked, ProvisionAsked};
use crate::config::{secret_in, small_file};
use crate::error::{Error, Result};
use crate::export::Target;
use crate::observe::rule_groups::rule_groups;
use crate::outcome::Outcome;
use crate::provision::{DataSource, Done, FOLDER_TITLE, Grafana, Intent, Item, Wanted};
use crate::provision::{carry_out, plan};
use crate::shown::Line;

/// Of authorities there are few.
const AUTHORITY_BYTES_MAX: usize = 1 << 20;

/// Older Grafanas take no longer ones.
const TITLE_CHARS_MAX: usize = 189;

pub fn run(asked: &ProvisionAsked) -> Outcome {
    match provision(asked) {
        Ok(outcome) => outcome,
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Outcome {
    app::complain(error);
    error.kind.into()
}

/// What became of everything.
struct Provisioned<'a> {
    asked: &'a ProvisionAsked,
    grafana: String,
    version: Option<String>,
    items: Vec<Item>,
    done: Vec<Done>,
}

fn provision(asked: &ProvisionAsked) -> Result<Outcome> {
    let wanted = wanted(asked)?;
    let mut grafana = Grafana::new(target(asked)?, asked.org_id, asked.timeout);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let (version, items) = runtime.block_on(async {
        let version = grafana.greet().await?;
        Ok::<_, Error>((version, plan(&mut grafana, &wanted).await?))
    })?;
    for warning in items.iter().filter_map(|item| item.warning.as_deref()) {
        app::warn(warning);
    }
    let refused: Vec<Error> = items.iter().filter_map(refusal).collect();
    let is_read_alone = asked.is_dry_run || !refused.is_empty();
    let (done, written) = match is_read_alone {
        true => (items.iter().map(planned).collect(), Ok(())),
        false => runtime.block_on(carry_out(&mut grafana, &items)),
    };
    let provisioned = Provisioned { asked, grafana: grafana.name(), version, items, done };
    let told = print(&match asked.is_json {
        true => format!("{:#}\n", provisioned.document(written.as_ref().err())),
        false => provisioned.text(),
    });
    let mut outcome = told;
    for error in refused.iter().chain(written.as_ref().err()) {
        outcome = failed(error);
    }
    Ok(outcome)
}

fn wanted(asked: &ProvisionAsked) -> Result<Wanted> {
    let data_source = match &asked.data_source {
        DataSourceAsked::At(url) => DataSource::At(prometheus_url(url)?),
        DataSourceAsked::Existing(name) => DataSource::Existing(name.clone()),
    };
    let folder_title = asked.folder.clone().unwrap_or_else(|| FOLDER_TITLE.to_string());
    let is_title = !folder_title.trim().is_empty()
        && folder_title.chars().count() <= TITLE_CHARS_MAX
        && !folder_title.chars().any(char::is_control);
    if !is_title || folder_title.eq_ignore_ascii_case("general") {
        return Err(Error::config(format!("--folder: '{folder_title}' is no title of a folder")));
    }
    let groups = rule_groups(&asked.rules.text())
        .map_err(|flaw| Error::internal(format!("the alert rules, {flaw}")))?;
    Ok(Wanted {
        folder_title,
        data_source,
        groups,
        is_editable: asked.is_editable,
        overwrites: asked.overwrites,
    })
}

/// As it was written: Grafana stores it so.
fn prometheus_url(written: &str) -> Result<String> {
    let wrong = |what: &str| {
        Err(Error::config(format!("--prometheus: {what}")).help("write http://HOST:PORT"))
    };
    match Url::parse(written.trim()) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            wrong("the URL is neither http nor https")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            wrong("the URL holds a user, which is set in the data source in Grafana")
        }
        Ok(_) => Ok(written.trim().to_string()),
        Err(cause) => wrong(&format!("no URL: {cause}")),
    }
}

/// Where Grafana is, and who asks.
fn target(asked: &ProvisionAsked) -> Result<Target> {
    let wrong = |mistake: String| Error::config(format!("--grafana: {mistake}"));
    let mut target = Target::parse("grafana", &asked.grafana).map_err(wrong)?;
    target.authority_option = "--ca".to_string();
    let has_user = !target.headers.is_empty();
    match &asked.token_file {
        Some(_) if has_user => {
            return Err(Error::config("--grafana holds a user, and --token-file is given too")
                .help("one of them is enough"));
        }
        Some(path) => {
            let token = secret_in(path).map_err(|cause| unreadable("token-file", path, cause))?;
            target.bear(&token).map_err(|mistake| {
                Error::config(format!("--token-file '{}': {mistake}", path.display()))
            })?;
        }
        None if !has_user => {
            return Err(Error::config("'metrics provision' needs --token-file FILE").help(
                "make a service account with the role Admin in Grafana, and a token for it",
            ));
        }
        None => {}
    }
    if let Some(path) = &asked.authority {
        let pem = small_file::read(path, AUTHORITY_BYTES_MAX)
            .map_err(|cause| unreadable("ca", path, cause))?;
        target.trust(&pem).map_err(|mistake| Error::config(format!("--ca: {mistake}")))?;
    }
    Ok(target)
}

fn unreadable(option: &str, path: &Path, cause: io::Error) -> Error {
    Error::config(format!("cannot read --{option} '{}'", path.display())).because(cause)
}

fn refusal(item: &Item) -> Option<Error> {
    match &item.intent {
        Intent::Refuse(refused) => Some(
            Error::config(format!("{} was left alone: {}", item.what(), refused.why))
                .help(&refused.help),
        ),
        _ => None,
    }
}

/// What would become of it.
fn planned(item: &Item) -> Done {
    match item.intent {
        Intent::Create(_) => Done::Created,
        Intent::Change(_) => Done::Changed,
        Intent::Keep => Done::Unchanged,
        Intent::Refuse(_) => Done::Refused,
    }
}

impl Provisioned<'_> {
    fn is_refused(&self) -> bool {
        self.done.contains(&Done::Refused)
    }

    /// Nothing was written.
    fn is_plan(&self) -> bool {
        self.asked.is_dry_run || self.is_refused()
    }

    fn count(&self, done: Done) -> usize {
        self.done.iter().filter(|other| **other == done).count()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (item, done) in self.items.iter().zip(&self.done) {
            let done = match done {
                Done::Created if self.is_plan() => "to be created",
                Done::Changed if self.is_plan() => "to be changed",
                done => done.as_str(),
            };
            let what = match item.rule_count {
                Some(rules) => format!("{} '{}', {rules} rules", item.kind, Line(&item.title)),
                None => format!("{} '{}', uid {}", item.kind, Line(&item.title), item.uid),
            };
            text.push_str(&format!("{done:<14} {what}\n"));
        }
        let all = [
            Done::Created,
            Done::Changed,
            Done::Unchanged,
            Done::Refused,
            Done::Failed,
            Done::NotTried,
        ];
        let always = [Done::Created, Done::Changed, Done::Unchanged];
        let counts = all.into_iter().filter(|done| always.contains(done) || self.count(*done) > 0);
        let counts: Vec<String> = counts
            .map(|done| match done {
                Done::Created if self.is_plan() => format!("{} to create", self.count(done)),
                Done::Changed if self.is_plan() => format!("{} to change", self.count(done)),
                done => format!("{} {}", self.count(done), done.as_str()),
            })
            .collect();
        let end = if self.is_plan() { "; nothing was written" } else { "" };
        text.push_str(&format!("{}{end}\n", counts.join(", ")));
        text
    }

    fn document(&self, failed: Option<&Error>) -> Value {
        let item = |(item, done): (&Item, &Done)| {
            let mut document = json!({
                "kind": item.kind.replace(' ', "_"),
                "uid": item.uid,
                "title": item.title,
                "result": done.as_str().replace(' ', "_"),
            });
            if let Some(rules) = item.rule_count {
                document["rules"] = rules.into();
            }
            let why = match done {
                Done::Failed => failed.map(ToString::to_string),
                _ => refusal(item).map(|error| error.to_string()),
            };
            if let Some(why) = why {
                document["error"] = why.into();
            }
            document
        };
        json!({
            "grafana": self.grafana,
            "grafana_version": self.version,
            "is_written": !self.is_plan(),
            "items": self.items.iter().zip(&self.done).map(item).collect::<Vec<_>>(),
        })
    }
}
