//! The dashboard, as `metrics dashboard` prints it.
//!
//! Grafana keeps a line to each version that somebody saved. Ours says that it came from here, and from what:
//! where the last version has such a line, nobody has touched the dashboard since, however Grafana itself may
//! have rewritten it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::folder;
use super::grafana::{Found, Grafana};
use super::item::{Intent, Item, Write};
use crate::error::Result;
use crate::observe::dashboard::{UID, dashboard};

const SAVED_BY_US: &str = "flowgauge metrics provision, ";

pub async fn plan(grafana: &mut Grafana, overwrites: bool) -> Result<Item> {
    let wanted = dashboard();
    let title = wanted["title"].as_str().unwrap_or(UID).to_string();
    let what = format!("the dashboard '{UID}'");
    let found = grafana.read(&what, &["api", "dashboards", "uid", UID], "").await?.known()?;
    let intent = match &found {
        None => Intent::Create(save(&wanted, folder::UID, None)),
        Some(found) if is_same(&found["dashboard"], &wanted) => Intent::Keep,
        Some(found) => {
            let path = ["api", "dashboards", "uid", UID, "versions"];
            let versions = match grafana.read(&what, &path, "limit=1").await? {
                Found::Document(versions) => versions,
                // Without it nobody knows who saved it last.
                Found::Nothing | Found::Denied(_) => Value::Null,
            };
            changed(found, last_line(&versions, found), &wanted, overwrites)
        }
    };
    Ok(Item::new("dashboard", UID, &title, intent))
}

fn changed(found: &Value, line: Option<&str>, wanted: &Value, overwrites: bool) -> Intent {
    if line == Some(&version_line(wanted)) {
        return Intent::Keep;
    }
    if found["meta"]["provisioned"] == true {
        return Intent::refuse(
            format!("the dashboard with the uid '{UID}' comes from a file of Grafana's"),
            "replace that file by what 'flowgauge metrics dashboard' prints",
        );
    }
    let is_ours = line.is_some_and(|line| line.starts_with(SAVED_BY_US));
    if !is_ours && !overwrites {
        return Intent::refuse(
            format!(
                "the dashboard with the uid '{UID}' was changed in Grafana, or is not of this command"
            ),
            "save a copy of it under another name, and say --overwrite to replace it",
        );
    }
    // It stays where somebody has moved it.
    let folder = found["meta"]["folderUid"].as_str().unwrap_or_default();
    let version = found["dashboard"]["version"].as_i64().unwrap_or_default();
    Intent::Change(save(wanted, folder, Some(version)))
}

/// With the version that was read: who saves another one meanwhile is not overwritten.
fn save(wanted: &Value, folder: &str, version: Option<i64>) -> Write {
    let mut saved = wanted.clone();
    saved["id"] = Value::Null;
    if let Some(version) = version {
        saved["version"] = version.into();
    }
    let body = json!({
        "dashboard": saved,
        "folderUid": folder,
        "message": version_line(wanted),
        "overwrite": false,
    });
    Write::new(Method::POST, &["api", "dashboards", "db"], body)
}

fn version_line(wanted: &Value) -> String {
    let sum = digest(&SHA256, wanted.to_string().as_bytes());
    format!("{SAVED_BY_US}{}", URL_SAFE_NO_PAD.encode(sum))
}

/// The line of the version that is there. The list is a list, and in later Grafanas in a document.
fn last_line<'a>(versions: &'a Value, found: &Value) -> Option<&'a str> {
    let versions = versions.get("versions").unwrap_or(versions).as_array()?;
    let last = versions.iter().max_by_key(|version| version["version"].as_i64())?;
    let is_there = last["version"].is_i64() && last["version"] == found["dashboard"]["version"];
    last["message"].as_str().filter(|_| is_there)
}

/// Grafana adds a number of its own, and counts versions.
fn is_same(found: &Value, wanted: &Value) -> bool {
    let mut found = found.clone();
    if let Some(found) = found.as_object_mut() {
        found.remove("id");
        found.remove("version");
    }
    found == *wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_of_the_version_that_is_there_counts() {
        let found = json!({ "dashboard": { "version": 3 } });
        let list = json!([{ "version": 3, "message": "c" }]);
        let documents = json!({ "continueToken": "", "versions": list });
        for (versions, expected) in [
            (list, Some("c")),
            (documents, Some("c")),
            (json!([{ "version": 2, "message": "b" }]), None),
            (json!([{ "message": "b" }]), None),
            (json!([{ "version": 3 }]), None),
            (json!([]), None),
            (Value::Null, None),
            (json!({ "message": "no" }), None),
        ] {
            assert_eq!(last_line(&versions, &found), expected, "{versions}");
        }
        assert_eq!(last_line(&json!([{ "message": "b" }]), &json!({})), None);
    }

    #[test]
    fn what_somebody_changed_is_refused() {
        let wanted = json!({ "title": "t" });
        let found = json!({
            "dashboard": { "version": 3, "title": "other" }, "meta": { "folderUid": "theirs" },
        });
        let ours = version_line(&wanted);
        let earlier = version_line(&json!({}));
        for (line, overwrites, expected) in [
            (Some(ours.as_str()), false, "keep"),
            (Some(earlier.as_str()), false, "change"),
            (Some("made it red"), false, "refuse"),
            (None, false, "refuse"),
            (Some("made it red"), true, "change"),
        ] {
            let intent = changed(&found, line, &wanted, overwrites);
            let is = match &intent {
                Intent::Keep => "keep",
                Intent::Change(write) => {
                    assert_eq!(write.body["folderUid"], "theirs");
                    assert_eq!(write.body["dashboard"]["version"], 3);
                    assert_eq!(write.body["overwrite"], false);
                    "change"
                }
                Intent::Create(_) => "create",
                Intent::Refuse(_) => "refuse",
            };
            assert_eq!(is, expected, "{line:?}");
        }
        let of_file = json!({ "dashboard": { "version": 3 }, "meta": { "provisioned": true } });
        assert!(matches!(changed(&of_file, None, &wanted, true), Intent::Refuse(_)));
    }
}
