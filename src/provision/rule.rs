//! A rule of Prometheus as one of Grafana: the same query, asked for this moment, and an expression that is
//! true of every series that it answers. So it is in Prometheus: a series fires whatever its number is, 0 too.

use serde_json::{Map, Value, json};

use super::template;
use crate::observe::alert_rules::{as_prometheus, seconds};
use crate::observe::rule_groups::AlertRule;

/// The query, by which templates name its value.
pub const QUERY: &str = "A";
const CONDITION: &str = "B";

/// The data source of Grafana's own expressions.
const EXPRESSIONS: &str = "__expr__";

/// Of all rules, in seconds, as Prometheus does by default.
pub const INTERVAL: u64 = 60;

/// Such as `flowgaugerunmissing`. Grafana takes 40 characters at most.
pub fn uid(rule: &AlertRule) -> String {
    rule.name.to_lowercase()
}

/// What it is in Grafana; or what of it cannot be said there.
pub fn in_grafana(
    rule: &AlertRule,
    group: &str,
    folder_uid: &str,
    source_uid: &str,
    org_id: u64,
) -> Result<Value, String> {
    let texts = |texts: &std::collections::BTreeMap<String, String>| {
        let converted = texts.iter().map(|(name, text)| {
            let refused = |what| format!("the text '{name}' of the rule '{}': {what}", rule.name);
            Ok((name.clone(), Value::from(template::in_grafana(text).map_err(refused)?)))
        });
        converted.collect::<Result<Map<String, Value>, String>>()
    };
    Ok(json!({
        "uid": uid(rule),
        // That of the token counts, whatever stands here.
        "orgID": org_id,
        "folderUID": folder_uid,
        "ruleGroup": group,
        "title": rule.name,
        "condition": CONDITION,
        "data": [query(&rule.expression, source_uid), condition()],
        // No series: nothing is wrong.
        "noDataState": "OK",
        // A Prometheus that cannot be asked is told of as such, and not as all that its rules are about.
        "execErrState": "Error",
        "for": if rule.waits == 0 { "0s".to_string() } else { as_prometheus(rule.waits) },
        "labels": texts(&rule.labels)?,
        "annotations": texts(&rule.annotations)?,
        "isPaused": false,
    }))
}

fn query(expression: &str, source_uid: &str) -> Value {
    json!({
        "refId": QUERY,
        "queryType": "",
        "datasourceUid": source_uid,
        "relativeTimeRange": { "from": 600, "to": 0 },
        "model": {
            "refId": QUERY,
            "datasource": { "type": "prometheus", "uid": source_uid },
            "editorMode": "code",
            "expr": expression,
            "instant": true,
            "range": false,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    })
}

fn condition() -> Value {
    json!({
        "refId": CONDITION,
        "queryType": "",
        "datasourceUid": EXPRESSIONS,
        "relativeTimeRange": { "from": 0, "to": 0 },
        "model": {
            "refId": CONDITION,
            "datasource": { "type": EXPRESSIONS, "uid": EXPRESSIONS },
            "type": "math",
            // 0 or 1 is not less than 0. The query stands there once: Grafana joins two by their labels, where a
            // series without any goes with each other, which ends the rule with an error.
            "expression": format!("is_nan(${QUERY}) >= 0"),
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    })
}

/// Whether what Grafana has says the same. Grafana adds to it, and writes times in its own way; whether a rule
/// is paused, and who is told, is decided there.
pub fn is_same(found: &Value, wanted: &Value) -> bool {
    let same = ["uid", "title", "condition", "noDataState", "execErrState"];
    let is_same = |name: &&str| found[*name] == wanted[*name];
    let time = |rule: &Value| rule["for"].as_str().and_then(seconds);
    let texts = |rule: &Value, name: &str| rule.get(name).filter(|it| !it.is_null()).cloned();
    let has_texts = |name| texts(found, name).unwrap_or_else(|| json!({})) == wanted[name];
    let queries = |rule: &Value| rule["data"].as_array().cloned().unwrap_or_default();
    let (found_queries, wanted_queries) = (queries(found), queries(wanted));
    same.iter().all(is_same)
        && time(found) == time(wanted)
        && has_texts("labels")
        && has_texts("annotations")
        && found_queries.len() == wanted_queries.len()
        && found_queries.iter().zip(&wanted_queries).all(|(found, wanted)| holds(found, wanted))
}

/// All that is wanted, and maybe more. A name with nothing behind it may be left out.
fn holds(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(members) => members.iter().all(|(name, wanted)| match found.get(name) {
            Some(found) => holds(found, wanted),
            None => *wanted == "" || *wanted == 0,
        }),
        _ => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> AlertRule {
        AlertRule {
            name: "FlowgaugeTest".to_string(),
            expression: "a > 0".to_string(),
            waits: 5_400,
            labels: [("severity".to_string(), "info".to_string())].into(),
            annotations: [("summary".to_string(), "{{ $value }}".to_string())].into(),
        }
    }

    fn wanted() -> Value {
        in_grafana(&rule(), "g", "f", "prometheus-1", 1).unwrap()
    }

    #[test]
    fn the_query_stays_and_the_value_is_named() {
        let wanted = wanted();
        assert_eq!(wanted["data"][0]["model"]["expr"], "a > 0");
        assert_eq!(wanted["annotations"]["summary"], "{{ $values.A.Value }}");
        assert_eq!(wanted["for"], "90m");
        let condition = wanted["data"][1]["model"]["expression"].as_str().unwrap();
        assert_eq!(condition.matches("$A").count(), 1, "{condition}");
        let mut other = rule();
        other.annotations.insert("b".to_string(), "{{ $labels }}".to_string());
        let refused = in_grafana(&other, "g", "f", "p", 1).unwrap_err();
        assert!(refused.starts_with("the text 'b' of the rule 'FlowgaugeTest'"), "{refused}");
    }

    #[test]
    fn what_grafana_adds_is_no_difference() {
        let mut found = wanted();
        found["id"] = 7.into();
        found["provenance"] = "api".into();
        found["for"] = "1h30m".into();
        found["isPaused"] = true.into();
        found["notification_settings"] = json!({ "receiver": "us" });
        found["data"][0]["model"]["hide"] = false.into();
        found["data"][1].as_object_mut().unwrap().remove("queryType");
        assert!(is_same(&found, &wanted()));
    }

    #[test]
    fn what_somebody_changed_is_one() {
        type Change = fn(&mut Value);
        let changes: [Change; 9] = [
            |rule| rule["title"] = "other".into(),
            |rule| rule["for"] = "1h".into(),
            |rule| rule["labels"] = Value::Null,
            |rule| rule["labels"]["team"] = "us".into(),
            |rule| rule["annotations"]["summary"] = "x".into(),
            |rule| rule["data"][0]["model"]["expr"] = "a > 1".into(),
            |rule| rule["data"][0]["datasourceUid"] = "other".into(),
            |rule| rule["data"][1]["model"]["expression"] = "$A > 0".into(),
            |rule| drop(rule["data"].as_array_mut().unwrap().pop()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut found = wanted();
            change(&mut found);
            assert!(!is_same(&found, &wanted()), "{number}");
        }
        assert!(!is_same(&Value::Null, &wanted()));
    }
}
