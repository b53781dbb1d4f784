//! What was typed: what Grafana is to have, where it is, and who asks.

use std::io;
use std::path::Path;

use reqwest::Url;

use crate::cli::provision::{DataSourceAsked, ProvisionAsked};
use crate::config::{secret_in, small_file};
use crate::error::{Error, Result};
use crate::export::Target;
use crate::observe::rule_groups::rule_groups;
use crate::provision::{DataSource, FOLDER_TITLE, Wanted};

/// Of authorities there are few.
const AUTHORITY_BYTES_MAX: usize = 1 << 20;

/// Older Grafanas take no longer ones.
const TITLE_CHARS_MAX: usize = 189;

pub fn wanted(asked: &ProvisionAsked) -> Result<Wanted> {
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
    if !written.contains("://") {
        return wrong("the URL does not begin with http:// or https://");
    }
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
pub fn target(asked: &ProvisionAsked) -> Result<Target> {
    let wrong = |mistake: String| Error::config(format!("--grafana: {mistake}"));
    let mut target = Target::parse("grafana", &asked.grafana).map_err(wrong)?;
    if target.url.query().is_some() {
        return Err(Error::config("--grafana: the URL holds a '?'")
            .help("leave it out; --org-id says the organisation"));
    }
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
