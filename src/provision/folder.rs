//! The folder that dashboard and rules are made in.

use reqwest::Method;
use serde_json::{Value, json};

use super::grafana::Grafana;
use super::item::{Intent, Item, Write};
use crate::error::Result;

/// Not that of the dashboard: folders and dashboards share their uids.
pub const UID: &str = "flowgauge-folder";

/// Not the title of the dashboard: a folder may not hold one that is called like itself.
pub const TITLE: &str = "flowgauge pipelines";

/// As many folders as are looked through for one of that title. Grafana says so itself where it matters.
const FOLDERS: &str = "limit=1000";

pub async fn plan(grafana: &mut Grafana, title: &str, overwrites: bool) -> Result<Item> {
    let what = format!("the folder '{UID}'");
    let found = grafana.read(&what, &["api", "folders", UID], "").await?.known()?;
    let others = match found {
        Some(_) => None,
        None => grafana.read("its folders", &["api", "folders"], FOLDERS).await?.known()?,
    };
    let intent = match &found {
        Some(found) => intent(found, title, overwrites),
        None => namesake(&others.unwrap_or_default(), title).unwrap_or_else(|| {
            let body = json!({ "uid": UID, "title": title });
            Intent::Create(Write::new(Method::POST, &["api", "folders"], body))
        }),
    };
    Ok(Item::new("folder", UID, title, intent))
}

fn intent(found: &Value, title: &str, overwrites: bool) -> Intent {
    let version = found["version"].as_i64().unwrap_or_default();
    match found["title"].as_str() {
        Some(found) if found == title => Intent::Keep,
        _ if overwrites => {
            let body = json!({ "title": title, "version": version, "overwrite": false });
            Intent::Change(Write::new(Method::PUT, &["api", "folders", UID], body))
        }
        _ => Intent::refuse(
            format!("the folder with the uid '{UID}' has another title in Grafana than '{title}'"),
            "say its title with --folder, or --overwrite to change it",
        ),
    }
}

/// A folder of somebody else that is called the same.
fn namesake(others: &Value, title: &str) -> Option<Intent> {
    let mut others = others.as_array().into_iter().flatten();
    others.find(|other| other["title"] == title && other["uid"] != UID)?;
    Some(Intent::refuse(
        format!("there is a folder '{title}' already, which this command did not make"),
        "say another title with --folder",
    ))
}
