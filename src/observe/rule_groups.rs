//! Alert rules as values, out of the YAML that Prometheus reads. A key that is not known is refused: whoever
//! passes the rules on would leave out what it means.

use std::collections::BTreeMap;

use super::alert_rules::seconds;
use super::yaml::{self, Flaw, Node, Value};

#[derive(Debug, PartialEq, Eq)]
pub struct RuleGroup {
    pub name: String,
    pub rules: Vec<AlertRule>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct AlertRule {
    pub name: String,
    pub expression: String,
    /// In seconds.
    pub waits: u64,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// All groups of a file of rules.
pub fn rule_groups(text: &str) -> Result<Vec<RuleGroup>, Flaw> {
    let document = yaml::parse(text)?;
    let mut groups = Vec::new();
    for (key, node) in members(&document)? {
        match key.as_str() {
            "groups" => groups = list(node)?.iter().map(group).collect::<Result<_, _>>()?,
            _ => return Err(unknown(node, key)),
        }
    }
    Ok(groups)
}

fn group(node: &Node) -> Result<RuleGroup, Flaw> {
    let (mut name, mut rules) = (None, Vec::new());
    for (key, member) in members(node)? {
        match key.as_str() {
            "name" => name = Some(line(member)?),
            "rules" => rules = list(member)?.iter().map(rule).collect::<Result<_, _>>()?,
            _ => return Err(unknown(member, key)),
        }
    }
    let name = name.ok_or_else(|| Flaw::new(node.line, "this group has no name"))?;
    Ok(RuleGroup { name, rules })
}

fn rule(node: &Node) -> Result<AlertRule, Flaw> {
    let mut rule = AlertRule::default();
    for (key, member) in members(node)? {
        match key.as_str() {
            "alert" => rule.name = line(member)?,
            "expr" => rule.expression = line(member)?,
            "for" => {
                let wrong = || Flaw::new(member.line, "this is no time");
                rule.waits = seconds(&line(member)?).ok_or_else(wrong)?;
            }
            "labels" => rule.labels = texts(member)?,
            "annotations" => rule.annotations = texts(member)?,
            _ => return Err(unknown(member, key)),
        }
    }
    match rule.name.is_empty() || rule.expression.is_empty() {
        true => Err(Flaw::new(node.line, "a rule has a name and an expression")),
        false => Ok(rule),
    }
}

fn unknown(node: &Node, key: &str) -> Flaw {
    Flaw::new(node.line, format!("the key '{key}' is not known"))
}

fn members(node: &Node) -> Result<&[(String, Node)], Flaw> {
    match &node.value {
        Value::Mapping(members) => Ok(members),
        other => {
            Err(Flaw::new(node.line, format!("a mapping belongs here, and not {}", other.what())))
        }
    }
}

fn list(node: &Node) -> Result<&[Node], Flaw> {
    match &node.value {
        Value::List(members) => Ok(members),
        other => {
            Err(Flaw::new(node.line, format!("a list belongs here, and not {}", other.what())))
        }
    }
}

/// Without the line end of a block.
fn line(node: &Node) -> Result<String, Flaw> {
    match &node.value {
        Value::Text(text) => Ok(text.trim_end().to_string()),
        other => {
            Err(Flaw::new(node.line, format!("a text belongs here, and not {}", other.what())))
        }
    }
}

fn texts(node: &Node) -> Result<BTreeMap<String, String>, Flaw> {
    members(node)?.iter().map(|(key, member)| Ok((key.clone(), line(member)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::alert_rules::{RUNBOOKS_DEFAULT, alert_rules};

    #[test]
    fn our_rules_are_read_whole() {
        let text = alert_rules(|time| time.default, RUNBOOKS_DEFAULT);
        let groups = rule_groups(&text).unwrap();
        let rules: Vec<&AlertRule> = groups.iter().flat_map(|group| &group.rules).collect();
        assert_eq!(rules.len(), text.matches("- alert:").count());
        let waits = rules.iter().filter(|rule| rule.waits > 0).count();
        assert_eq!(waits, text.matches("\n        for: ").count());
        for rule in rules {
            let keys: Vec<&str> = rule.annotations.keys().map(String::as_str).collect();
            assert_eq!(keys, ["description", "runbook_url", "summary"], "{}", rule.name);
            assert_eq!(rule.labels.len(), 1, "{}", rule.name);
            assert!(!rule.expression.ends_with('\n'), "{}", rule.name);
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("groups: 1", 1),
            ("groups:\n- rules: []", 2),
            ("groups:\n- name: a\n  interval: 1m", 3),
            ("groups:\n- name: a\n  rules:\n  - alert: A", 4),
            ("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    for: soon", 6),
            ("groups:\n- name: a\n  rules:\n  - record: a\n    expr: up", 4),
            ("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    labels: x", 6),
        ] {
            assert_eq!(rule_groups(text).unwrap_err().line, line, "{text}");
        }
        assert_eq!(rule_groups("groups: []").unwrap(), []);
    }
}
