//! The Prometheus that Grafana asks: one that is made here, or one that Grafana has already, which is never
//! touched.

use reqwest::Method;
use serde_json::{Value, json};

use super::grafana::{Found, Grafana};
use super::item::{Intent, Item, Write};
use crate::error::{Error, Result};

const UID: &str = "flowgauge-prometheus";
const NAME: &str = "flowgauge Prometheus";
const KIND: &str = "data source";

/// Others answer a query that is asked for one moment in other shapes.
const TYPE: &str = "prometheus";

pub enum DataSource {
    /// Where Grafana itself reaches the Prometheus.
    At(String),
    /// A uid, or a name.
    Existing(String),
}

pub async fn plan(
    grafana: &mut Grafana,
    data_source: &DataSource,
    overwrites: bool,
) -> Result<Item> {
    match data_source {
        DataSource::At(url) => of_ours(grafana, url, overwrites).await,
        DataSource::Existing(called) => existing(grafana, called).await,
    }
}

async fn of_ours(grafana: &mut Grafana, url: &str, overwrites: bool) -> Result<Item> {
    let what = format!("the data source '{UID}'");
    let found = grafana.read(&what, &["api", "datasources", "uid", UID], "").await?.known()?;
    let Some(found) = found else {
        let what = format!("the data source '{NAME}'");
        let path = ["api", "datasources", "name", NAME];
        let intent = match grafana.read(&what, &path, "").await?.known()? {
            Some(_) => Intent::refuse(
                format!("there is a data source '{NAME}' already, which this command did not make"),
                format!(
                    "use it with --data-source '{NAME}' in place of --prometheus, or rename it in Grafana"
                ),
            ),
            None => Intent::Create(creation(url)),
        };
        return Ok(Item::new(KIND, UID, NAME, intent));
    };
    let name = found["name"].as_str().unwrap_or(NAME);
    let intent = changed(&found, url, overwrites);
    Ok(Item::new(KIND, UID, &grafana.shown(name), intent))
}

fn creation(url: &str) -> Write {
    let body = json!({
        "uid": UID,
        "name": NAME,
        "type": TYPE,
        "access": "proxy",
        "url": url,
        "basicAuth": false,
        "isDefault": false,
        // Long queries do not fit into a URL.
        "jsonData": { "httpMethod": "POST" },
    });
    Write::new(Method::POST, &["api", "datasources"], body)
}

/// Only the URL is ours: name, passwords and certificates are set in Grafana.
fn changed(found: &Value, url: &str, overwrites: bool) -> Intent {
    let without_slash = |url: &str| url.trim_end_matches('/').to_string();
    if found["type"] != TYPE {
        return Intent::refuse(
            format!("the data source with the uid '{UID}' is no Prometheus"),
            "it is somebody else's: remove it in Grafana, or name one with --data-source",
        );
    }
    if found["url"].as_str().map(without_slash) == Some(without_slash(url)) {
        return Intent::Keep;
    }
    if found["readOnly"] == true {
        return Intent::refuse(
            format!(
                "the data source with the uid '{UID}' comes from a file of Grafana's, and has another URL"
            ),
            format!("change that file, or use it as it is with --data-source {UID}"),
        );
    }
    if !overwrites {
        return Intent::refuse(
            format!("the data source with the uid '{UID}' has another URL in Grafana"),
            format!("say --overwrite to change it, or --data-source {UID} to use it as it is"),
        );
    }
    let kept = [
        "name",
        "type",
        "access",
        "user",
        "database",
        "basicAuth",
        "basicAuthUser",
        "withCredentials",
        "isDefault",
        "jsonData",
        "version",
    ];
    let mut body = json!({ "uid": UID, "url": url });
    for name in kept {
        if let Some(value) = found.get(name) {
            body[name] = value.clone();
        }
    }
    Intent::Change(Write::new(Method::PUT, &["api", "datasources", "uid", UID], body))
}

async fn existing(grafana: &mut Grafana, called: &str) -> Result<Item> {
    let what = format!("the data source '{called}'");
    if is_uid(called) {
        match grafana.read(&what, &["api", "datasources", "uid", called], "").await? {
            Found::Document(found) => return taken(grafana, &found, called),
            Found::Nothing => {}
            Found::Denied(_) => {
                let warning = format!(
                    "this token may not read data sources, so nobody looked whether there is a Prometheus with the uid '{called}'"
                );
                let item = Item::new(KIND, called, called, Intent::Keep);
                return Ok(Item { warning: Some(warning), ..item });
            }
        }
    }
    match grafana.read(&what, &["api", "datasources", "name", called], "").await?.known()? {
        Some(found) => taken(grafana, &found, called),
        None => Err(Error::config(format!("Grafana has no data source '{called}'"))
            .help("--data-source takes the uid or the name of one, --prometheus makes one")),
    }
}

fn taken(grafana: &Grafana, found: &Value, called: &str) -> Result<Item> {
    if found["type"] != TYPE {
        return Err(Error::config(format!("the data source '{called}' is no Prometheus"))
            .help("rules need one of the type 'prometheus'"));
    }
    let uid = found["uid"].as_str().filter(|uid| is_uid(uid));
    let uid = uid.ok_or_else(|| Error::config(format!("the data source '{called}' has no uid")))?;
    let name = grafana.shown(found["name"].as_str().unwrap_or(uid));
    Ok(Item::new(KIND, uid, &name, Intent::Keep))
}

/// What Grafana takes as one.
fn is_uid(text: &str) -> bool {
    let is_of_uid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(is_of_uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(intent: &Intent) -> String {
        match intent {
            Intent::Keep => "keep".to_string(),
            Intent::Create(write) | Intent::Change(write) => write.body.to_string(),
            Intent::Refuse(refused) => refused.why.clone(),
        }
    }

    #[test]
    fn only_the_url_is_ours() {
        let found = json!({
            "id": 3, "uid": UID, "orgId": 1, "name": "mine", "type": "prometheus", "access": "proxy",
            "url": "http://p:9090/", "basicAuth": true, "basicAuthUser": "me",
            "jsonData": { "timeInterval": "5s" }, "secureJsonFields": { "basicAuthPassword": true },
            "version": 7, "readOnly": false,
        });
        let with = |name: &str, value: Value| {
            let mut found = found.clone();
            found[name] = value;
            found
        };
        let same = "http://p:9090";
        for (found, url, overwrites, expected) in [
            (found.clone(), same, false, "keep"),
            (with("readOnly", true.into()), same, true, "keep"),
            (with("type", "loki".into()), same, true, "is no Prometheus"),
            (found.clone(), "http://q", false, "another URL"),
            (with("readOnly", true.into()), "http://q", true, "comes from a file"),
            (with("url", Value::Null), "http://q", false, "another URL"),
        ] {
            let intent = shown(&changed(&found, url, overwrites));
            assert!(intent.contains(expected), "{intent}");
        }
        let Intent::Change(write) = changed(&found, "http://q", true) else { panic!() };
        let expected = json!({
            "uid": UID, "url": "http://q", "name": "mine", "type": "prometheus", "access": "proxy",
            "basicAuth": true, "basicAuthUser": "me", "jsonData": { "timeInterval": "5s" }, "version": 7,
        });
        assert_eq!(write.body, expected);
    }
}
