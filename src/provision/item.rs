//! One of the things that Grafana is to have, and what is to be done for that.

use reqwest::Method;
use serde_json::Value;

pub struct Item {
    pub kind: &'static str,
    pub uid: String,
    /// As Grafana has it.
    pub title: String,
    /// Of a group.
    pub rule_count: Option<usize>,
    pub intent: Intent,
    /// What has to be written before it.
    pub before: Vec<Write>,
    /// What could not be known.
    pub warning: Option<String>,
}

pub enum Intent {
    Create(Write),
    Change(Write),
    Keep,
    /// Why, and what to do.
    Refuse(Refused),
}

pub struct Refused {
    pub why: String,
    pub help: String,
}

/// A request that changes something.
#[derive(Debug, PartialEq)]
pub struct Write {
    pub method: Method,
    pub path: Vec<String>,
    pub body: Value,
    /// Of rules: people may change them in Grafana.
    pub is_editable: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Created,
    Changed,
    Unchanged,
    Refused,
    Failed,
    NotTried,
}

impl Item {
    pub fn new(kind: &'static str, uid: &str, title: &str, intent: Intent) -> Item {
        Item {
            kind,
            uid: uid.to_string(),
            title: title.to_string(),
            rule_count: None,
            intent,
            before: Vec::new(),
            warning: None,
        }
    }

    /// In a message.
    pub fn what(&self) -> String {
        format!("the {} '{}'", self.kind, self.title)
    }
}

impl Intent {
    pub fn refuse(why: impl Into<String>, help: impl Into<String>) -> Intent {
        Intent::Refuse(Refused { why: why.into(), help: help.into() })
    }
}

impl Write {
    pub fn new(method: Method, path: &[&str], body: Value) -> Write {
        let path = path.iter().map(ToString::to_string).collect();
        Write { method, path, body, is_editable: false }
    }
}

impl Done {
    pub fn as_str(self) -> &'static str {
        match self {
            Done::Created => "created",
            Done::Changed => "changed",
            Done::Unchanged => "unchanged",
            Done::Refused => "refused",
            Done::Failed => "failed",
            Done::NotTried => "not tried",
        }
    }
}
