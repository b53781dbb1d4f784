//! A group of alert rules, which Grafana takes whole: what is not in it is removed. Until 11.5.1 it takes only
//! uids there that it knows, and says 500 to others, so each new rule is made by itself before.
//!
//! Rules that came over this API are locked in Grafana, so whatever differs in them is of an earlier version of
//! ours. Of all others somebody may have changed them by hand.

use reqwest::Method;
use serde_json::{Value, json};

use super::grafana::Grafana;
use super::item::{Intent, Item, Write};
use super::{Wanted, folder, rule};
use crate::error::{Error, Result};
use crate::observe::rule_groups::RuleGroup;

const RULES: [&str; 4] = ["api", "v1", "provisioning", "alert-rules"];

/// Where a rule comes from, if people may not change it.
const LOCKED: &str = "api";

/// All uids of ours.
const OURS: &str = "flowgauge";

pub async fn plan(
    grafana: &mut Grafana,
    group: &RuleGroup,
    source_uid: &str,
    wanted: &Wanted,
) -> Result<Item> {
    let org_id = grafana.org_id().unwrap_or(1);
    let in_grafana = |one| rule::in_grafana(one, &group.name, folder::UID, source_uid, org_id);
    let rules = group.rules.iter().map(in_grafana).collect::<std::result::Result<Vec<_>, _>>();
    let mut rules = rules
        .map_err(|what| Error::config(format!("{what}, so that it is not told to Grafana")))?;
    let what = format!("the rule group '{}'", group.name);
    let path = place(&group.name);
    let found = grafana.read(&what, &path, "").await?.known()?;
    let found_rules = found.as_ref().and_then(|found| found["rules"].as_array());
    let found_rules: &[Value] = found_rules.map_or(&[], Vec::as_slice);
    let is_same = found.as_ref().is_some_and(|found| is_same(found, &rules));
    let is_to_open = wanted.is_editable && is_same && is_locked(grafana, found_rules).await?;
    let mut before = Vec::new();
    let intent = if is_same && !is_to_open {
        Intent::Keep
    } else {
        let is_timed_otherwise = found.as_ref().is_some_and(is_timed_otherwise);
        let of_others = match wanted.overwrites {
            true => None,
            false => of_others(grafana, found_rules, is_timed_otherwise, &rules).await?,
        };
        let (new, elsewhere) = new_rules(grafana, found_rules, &rules).await?;
        match of_others.or(elsewhere.filter(|_| !wanted.overwrites)) {
            Some(why) => Intent::refuse(why, "say --overwrite to replace it"),
            None => {
                let write = |write| Write { is_editable: wanted.is_editable, ..write };
                let made = |rule| write(Write::new(Method::POST, &RULES, rule));
                before = new.into_iter().map(made).collect();
                keep_what_is_decided_there(found_rules, &mut rules);
                let body = json!({
                    "title": group.name,
                    "folderUid": folder::UID,
                    "interval": rule::INTERVAL,
                    "rules": rules,
                });
                let write = write(Write::new(Method::PUT, &path, body));
                if found.is_some() { Intent::Change(write) } else { Intent::Create(write) }
            }
        }
    };
    let item = Item::new("rule group", &group.name, &group.name, intent);
    Ok(Item { rule_count: Some(group.rules.len()), before, ..item })
}

fn place(group: &str) -> [&str; 7] {
    ["api", "v1", "provisioning", "folder", folder::UID, "rule-groups", group]
}

fn is_same(found: &Value, wanted: &[Value]) -> bool {
    let rules = found["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let has = |wanted: &Value| rules.iter().any(|found| rule::is_same(found, wanted));
    !is_timed_otherwise(found) && rules.len() == wanted.len() && wanted.iter().all(has)
}

fn is_timed_otherwise(found: &Value) -> bool {
    found["interval"] != rule::INTERVAL
}

/// Why the group, or a rule of it, may be somebody else's.
async fn of_others(
    grafana: &mut Grafana,
    found: &[Value],
    is_timed_otherwise: bool,
    wanted: &[Value],
) -> Result<Option<String>> {
    for rule in found {
        let title = grafana.shown(rule["title"].as_str().unwrap_or("?"));
        let uid = rule["uid"].as_str().unwrap_or_default();
        if !uid.starts_with(OURS) {
            return Ok(Some(format!(
                "the group holds a rule '{title}' that is not of this command"
            )));
        }
        if !is_timed_otherwise && wanted.iter().any(|wanted| rule::is_same(rule, wanted)) {
            continue;
        }
        // What a group says of its rules lacks it.
        let stored = stored_rule(grafana, uid).await?;
        if stored.is_none_or(|stored| stored["provenance"] != LOCKED) {
            return Ok(Some(format!("the rule '{title}' may have been changed in Grafana")));
        }
    }
    Ok(None)
}

/// Those of `wanted` that Grafana has nowhere, and why one that another group has is left there.
async fn new_rules(
    grafana: &mut Grafana,
    found: &[Value],
    wanted: &[Value],
) -> Result<(Vec<Value>, Option<String>)> {
    let (mut new, mut elsewhere) = (Vec::new(), None);
    for wanted in wanted {
        let uid = wanted["uid"].as_str().unwrap_or_default();
        if found.iter().any(|found| found["uid"] == uid) {
            continue;
        }
        match stored_rule(grafana, uid).await? {
            None => new.push(wanted.clone()),
            Some(_) => {
                elsewhere = Some(format!("a rule with the uid '{uid}' stands in another group"));
            }
        }
    }
    Ok((new, elsewhere))
}

/// Whether a rule may not be changed in Grafana. A group that is written opens or locks all of its rules.
async fn is_locked(grafana: &mut Grafana, found: &[Value]) -> Result<bool> {
    for rule in found {
        let stored = stored_rule(grafana, rule["uid"].as_str().unwrap_or_default()).await?;
        if stored.is_some_and(|stored| stored["provenance"] == LOCKED) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn stored_rule(grafana: &mut Grafana, uid: &str) -> Result<Option<Value>> {
    let path = [&RULES[..], &[uid]].concat();
    grafana.read(&format!("the rule '{uid}'"), &path, "").await?.known()
}

/// A rule that is paused stays so, and whoever is told of it by itself.
fn keep_what_is_decided_there(found: &[Value], wanted: &mut [Value]) {
    for wanted in wanted {
        let Some(found) = found.iter().find(|found| found["uid"] == wanted["uid"]) else {
            continue;
        };
        for name in ["isPaused", "notification_settings"] {
            if let Some(decided) = found.get(name).filter(|decided| !decided.is_null()) {
                wanted[name] = decided.clone();
            }
        }
    }
}
