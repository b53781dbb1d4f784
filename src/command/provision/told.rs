//! What became of everything, as lines and as a document.

use serde_json::{Value, json};

use super::refusal;
use crate::cli::provision::ProvisionAsked;
use crate::error::Error;
use crate::provision::{Done, Item};
use crate::shown::Line;

pub struct Provisioned<'a> {
    pub asked: &'a ProvisionAsked,
    pub grafana: String,
    pub version: Option<String>,
    pub items: Vec<Item>,
    pub done: Vec<Done>,
}

impl Provisioned<'_> {
    fn is_refused(&self) -> bool {
        self.done.contains(&Done::Refused)
    }

    /// Nothing was written.
    fn is_plan(&self) -> bool {
        self.asked.is_dry_run || self.is_refused()
    }

    fn result(&self, done: Done) -> &'static str {
        match done {
            Done::Created if self.is_plan() => "to be created",
            Done::Changed if self.is_plan() => "to be changed",
            done => done.as_str(),
        }
    }

    fn count(&self, done: Done) -> usize {
        self.done.iter().filter(|other| **other == done).count()
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for (item, done) in self.items.iter().zip(&self.done) {
            let done = self.result(*done);
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

    pub fn document(&self, failed: Option<&Error>) -> Value {
        let item = |(item, done): (&Item, &Done)| {
            let mut document = json!({
                "kind": item.kind.replace(' ', "_"),
                "uid": item.uid,
                "title": item.title,
                "result": self.result(*done).replace(' ', "_"),
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
