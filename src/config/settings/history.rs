//! What is meant for the history of runs, and what of the settings is kept there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::option_reader::OptionReader;
use crate::config::options::{Opt, Takes};
use crate::config::units;
use crate::ledger::{FILE_NAME, LedgerSettings};

/// Settings as they were written, by option, in a form that may be kept and shown.
pub type ShownOptions = BTreeMap<&'static str, Vec<String>>;

/// Parts of the names of options whose values are nobody else's business.
const SECRET: [&str; 7] = ["pass", "token", "api-key", "secret", "header", "webhook", "credential"];

/// Addresses that nobody can guess, so that their paths are secrets.
const SECRET_PATH: [&str; 3] = ["metrics-push", "metrics-remote-write", "openlineage"];

const WITHHELD: &str = "(secret)";

impl OptionReader<'_> {
    pub fn ledger(&mut self, state_dir: Option<&Path>) -> LedgerSettings {
        let is_off = self.switch("no-ledger");
        let named = self.text("ledger").map(PathBuf::from);
        let is_required = self.switch("require-ledger");
        if is_off && is_required {
            self.wrong("require-ledger", "--no-ledger is given, too; leave one of them out");
        }
        let path = named.or_else(|| Some(state_dir?.join(FILE_NAME)));
        LedgerSettings {
            path: path.filter(|_| !is_off),
            is_off,
            keep: self.parsed_or_default("ledger-keep", units::some_duration),
            is_required,
        }
    }

    /// Nothing that came from a variable of a file: it may be a secret, whatever the option.
    pub fn shown_options(&self) -> ShownOptions {
        let text = |name: &'static str| Some((name, self.written.get(name)?.as_written.clone()));
        let options = self.written.names().filter(|name| *name != "config").filter_map(text);
        options
            .map(|(name, values)| {
                let option = Opt::find(name);
                (name, values.iter().map(|value| shown(name, option, value)).collect())
            })
            .collect()
    }
}

fn shown(name: &str, option: Option<&'static Opt>, value: &str) -> String {
    // What is behind a name of a file is not shown.
    let is_file = name.ends_with("-file");
    if !is_file && SECRET.iter().any(|part| name.contains(part)) {
        return WITHHELD.to_string();
    }
    let takes_url = option.is_some_and(|option| {
        matches!(option.takes, Takes::One("URL") | Takes::Names("URL") | Takes::Files("URL"))
    });
    if SECRET_PATH.contains(&name) {
        let url = without_secrets(value);
        let end = url.find("://").map_or(0, |at| at + 3);
        let origin = url[end..].find('/').map_or(url.len(), |at| end + at);
        return url[..origin].to_string();
    }
    if takes_url || value.contains("://") { without_secrets(value) } else { value.to_string() }
}

/// `https://user:secret@host/path?token=x` as `https://host/path`.
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (before, behind) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
    if behind.contains('@') {
        // It may be the rest of a password.
        return format!("{scheme}{WITHHELD}");
    }
    // A password may hold a slash.
    let host = before.rsplit_once('@').map_or(before, |(_, host)| host);
    format!("{scheme}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (name, value, expected) in [
            ("db-pass", "hunter2", "(secret)"),
            ("db-pass-file", "pass.txt", "pass.txt"),
            ("es-api-key", "a:b", "(secret)"),
            ("es-token", "x", "(secret)"),
            ("es-url", "https://u:p/w@host:9200/x?y=z", "https://host:9200/x"),
            ("es-url", "u:p@host", "host"),
            ("es-url", "http://elastic:pass?word#x@h:9", "http://(secret)"),
            ("metrics-push", "https://u:p@h:9/base/x?y=z", "https://h:9"),
            ("openlineage", "https://u:p@h:9/base/x?y=z", "https://h:9"),
            ("openlineage-header", "X-Key: secret", "(secret)"),
            ("db-url", "mysql://u:p@h/d", "mysql://h/d"),
            ("notify-webhook", "https://h/secret", "(secret)"),
            ("key", "id", "id"),
            ("csv-file", "a@b.csv", "a@b.csv"),
        ] {
            assert_eq!(shown(name, Opt::find(name), value), expected, "{name}");
        }
    }
}
