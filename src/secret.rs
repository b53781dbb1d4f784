//! A password or token: never printed, and only handed out where it is asked for by that name. And
//! values that came from variables of the environment into options that may hold one: they are shown by
//! the names of their variables.

use std::cmp::Reverse;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::shown::Line;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// For the other side's ears only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Values and their names, the longest first, for whatever this process says.
static VARIABLES: RwLock<Vec<NamedValue>> = RwLock::new(Vec::new());

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedValue {
    value: String,
    shown: String,
    /// It would be met in words and numbers that have nothing to do with it.
    is_common: bool,
}

/// Shorter ones are parts of ordinary words.
const UNCOMMON_BYTES_MIN: usize = 4;

/// From now on a value is shown as `${NAME}`.
pub fn show_by_name(value: &str, name: &str) {
    if value.is_empty() {
        return;
    }
    let is_word = ["true", "false", "null"].contains(&value);
    let is_common = value.len() < UNCOMMON_BYTES_MIN || is_word || value.parse::<f64>().is_ok();
    let mut variables = VARIABLES.write().unwrap_or_else(PoisonError::into_inner);
    for value in forms(value) {
        let variable = NamedValue { value, shown: format!("${{{name}}}"), is_common };
        if !variables.contains(&variable) {
            variables.push(variable);
        }
    }
    variables.sort_by_key(|variable| Reverse(variable.value.len()));
}

/// As it stands by itself, in a line, in a document of JSON, and in a line of one.
fn forms(value: &str) -> [String; 4] {
    let json = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_string()
    };
    let line = Line(value).to_string();
    [value.to_string(), json(value), json(&line), line]
}

/// The text with such values by their names. Common ones are replaced where they stand alone in quotes.
pub fn by_name(text: &str) -> String {
    let variables = VARIABLES.read().unwrap_or_else(PoisonError::into_inner);
    if variables.is_empty() { text.to_string() } else { named(text, &variables) }
}

fn named(text: &str, variables: &[NamedValue]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // What was put in is not looked at again.
    while let Some(letter) = rest.chars().next() {
        let found = variables.iter().find(|variable| {
            let behind = rest.strip_prefix(variable.value.as_str());
            let is_quoted =
                out.ends_with('\'') && behind.is_some_and(|behind| behind.starts_with('\''));
            behind.is_some() && (!variable.is_common || is_quoted)
        });
        match found {
            Some(variable) => {
                out.push_str(&variable.shown);
                rest = &rest[variable.value.len()..];
            }
            None => {
                out.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_shown_by_name() {
        let variable = |value: &str, name: &str, is_common| NamedValue {
            value: value.to_string(),
            shown: format!("${{{name}}}"),
            is_common,
        };
        let variables = [
            variable("hunter22", "LONG", false),
            variable("hunt", "SHORT", false),
            variable("3", "N", true),
        ];
        for (text, expected) in [
            ("", ""),
            ("no é such", "no é such"),
            ("'hunter22' hunt3 hunter2", "'${LONG}' ${SHORT}3 ${SHORT}er2"),
            ("'3' 3 33 '33'", "'${N}' 3 33 '33'"),
        ] {
            assert_eq!(named(text, &variables), expected);
        }
    }

    #[test]
    fn a_value_is_known_however_it_is_escaped() {
        assert_eq!(forms("a\nb\""), ["a\nb\"", "a\\nb\\\"", "a\\\\nb\\\"", "a\\nb\""]);
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some((secret))");
    }
}
