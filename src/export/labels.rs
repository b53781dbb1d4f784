//! Labels that the user adds where no scraper does. Few, and none that a series has already.

use std::fmt::Write;

/// As many as tell places apart; each is in every series.
pub const LABELS_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 128;

/// In the order they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// `reserved` are names that series have.
    pub fn parse(written: &[String], reserved: impl Fn(&str) -> bool) -> Result<Labels, String> {
        let mut labels = Labels::default();
        for one in written {
            let Some((name, value)) = one.split_once('=') else {
                return Err(format!("'{one}' lacks a value; write NAME=VALUE"));
            };
            let (name, value) = (name.trim(), value.trim());
            if !is_name(name) {
                return Err(format!(
                    "'{name}' is no name of a label: letters, digits and _, no digit first, no __"
                ));
            }
            if reserved(name) {
                return Err(format!("series have a label '{name}' already"));
            }
            if labels.get(name).is_some() {
                return Err(format!("'{name}' is written twice"));
            }
            if value.is_empty() {
                return Err(format!("'{name}' is empty, which is the same as no label"));
            }
            if value.chars().count() > VALUE_CHARS_MAX || value.chars().any(char::is_control) {
                return Err(format!(
                    "the value of '{name}' has more than {VALUE_CHARS_MAX} characters, or control characters"
                ));
            }
            labels.0.push((name.to_string(), value.to_string()));
        }
        if labels.0.len() > LABELS_MAX {
            return Err(format!("more than {LABELS_MAX} labels"));
        }
        Ok(labels)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn without(&self, name: &str) -> Labels {
        Labels(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty()
        && name.chars().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.starts_with("__")
}

/// A page in the text format with labels added to every series. Each series of ours has one already.
pub fn with_labels(text: &str, labels: &Labels) -> String {
    if labels.is_empty() {
        return text.to_string();
    }
    let mut added = String::new();
    for (name, value) in labels.iter() {
        let value = value.replace('\\', r"\\").replace('\n', r"\n").replace('"', r#"\""#);
        // Writing to a string does not fail.
        let _ = write!(added, "{name}=\"{value}\",");
    }
    let mut page = String::with_capacity(text.len() + text.lines().count() * added.len());
    for line in text.lines() {
        match line.split_once('{') {
            Some((name, rest)) if !line.starts_with('#') => {
                page.extend([name, "{", &added, rest]);
            }
            _ => page.push_str(line),
        }
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &[&str]) -> Result<Labels, String> {
        let written: Vec<String> = written.iter().map(ToString::to_string).collect();
        Labels::parse(&written, |name| name == "pipeline_id")
    }

    #[test]
    fn labels_are_few_and_of_names_that_are_free() {
        let labels = parse(&["env=prod", "site = a=b", "_x=é"]).unwrap();
        let all: Vec<_> = labels.iter().collect();
        assert_eq!(all, [("env", "prod"), ("site", "a=b"), ("_x", "é")]);
        let nine: Vec<String> = (0..9).map(|number| format!("l{number}=a")).collect();
        assert!(Labels::parse(&nine, |_| false).is_err());
        for wrong in [
            &["env"][..],
            &["=a"],
            &["1a=b"],
            &["a-b=c"],
            &["é=c"],
            &["__name__=c"],
            &["pipeline_id=c"],
            &["a=1", "a=2"],
            &["a="],
            &["a= "],
            &["a=b\nc"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&[&format!("a={}", "b".repeat(129))]).is_err());
        assert_eq!(labels.without("env").get("env"), None);
    }

    #[test]
    fn labels_are_added_to_every_series_and_to_no_comment() {
        let labels = parse(&["env=a\"\\"]).unwrap();
        let text = "# HELP a {b}\n# TYPE a counter\na{p=\"{\"} 1\na_sum{p=\"x\",le=\"1\"} 2\n";
        let expected = "# HELP a {b}\n# TYPE a counter\na{env=\"a\\\"\\\\\",p=\"{\"} 1\n\
                        a_sum{env=\"a\\\"\\\\\",p=\"x\",le=\"1\"} 2\n";
        assert_eq!(with_labels(text, &labels), expected);
        assert_eq!(with_labels(text, &Labels::default()), text);
    }
}
