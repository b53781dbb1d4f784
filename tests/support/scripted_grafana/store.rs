//! What a Grafana keeps, and how it answers about that.

use serde_json::{Map, Value, json};

use super::wire::Exchange;

/// What people see; tests change it as people do.
pub struct Store {
    pub version: &'static str,
    pub folders: Vec<Value>,
    pub data_sources: Vec<Value>,
    pub dashboards: Vec<StoredDashboard>,
    pub rules: Vec<StoredRule>,
    /// The list of versions is a document, as since Grafana 11.
    pub has_version_document: bool,
    pub knows_token: bool,
    ids: i64,
}

pub struct StoredDashboard {
    pub document: Value,
    pub folder_uid: String,
    pub is_provisioned: bool,
    /// With their lines, the last one first.
    pub versions: Vec<(i64, String)>,
}

pub struct StoredRule {
    pub document: Value,
    pub interval: Value,
    pub provenance: &'static str,
}

type Answer = (u16, Value);

impl Default for Store {
    fn default() -> Store {
        Store {
            version: "11.4.0",
            folders: Vec::new(),
            data_sources: Vec::new(),
            dashboards: Vec::new(),
            rules: Vec::new(),
            has_version_document: true,
            knows_token: true,
            ids: 0,
        }
    }
}

fn said(status: u16, message: &str) -> Answer {
    (status, json!({ "message": message }))
}

fn with_status(code: u16, status: &str, message: &str) -> Answer {
    (code, json!({ "status": status, "message": message }))
}

impl Store {
    pub fn answer(&mut self, exchange: &Exchange, path: &[String]) -> Answer {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if path == ["api", "health"] {
            let version = self.version;
            return (200, json!({ "commit": "83b9528bce", "database": "ok", "version": version }));
        }
        let bearer = format!("Bearer {}", super::TOKEN);
        if !self.knows_token || exchange.header("authorization") != Some(&bearer) {
            return said(401, "Invalid API key");
        }
        let body: Value = serde_json::from_str(&exchange.body).unwrap_or_default();
        if exchange.is_write() && exchange.header("content-type") != Some("application/json") {
            return said(415, "not JSON");
        }
        match (exchange.method.as_str(), &path[..]) {
            ("GET", ["api", "folders"]) => (200, self.folder_list()),
            ("POST", ["api", "folders"]) => self.add_folder(&body),
            ("GET", ["api", "folders", uid]) => match find(&self.folders, "uid", uid) {
                Some(folder) => (200, folder.clone()),
                None => with_status(404, "not-found", "folder not found"),
            },
            ("PUT", ["api", "folders", uid]) => self.change_folder(uid, &body),
            ("GET", ["api", "datasources", key @ ("uid" | "name"), value]) => {
                match find(&self.data_sources, key, value) {
                    Some(source) => (200, source.clone()),
                    None => said(404, "Data source not found"),
                }
            }
            ("POST", ["api", "datasources"]) => self.add_data_source(&body),
            ("PUT", ["api", "datasources", "uid", uid]) => self.change_data_source(uid, &body),
            ("GET", ["api", "dashboards", "uid", uid]) => match self.dashboard(uid) {
                Some(dashboard) => (200, dashboard.with_meta()),
                None => with_status(404, "not-found", "Dashboard not found"),
            },
            ("GET", ["api", "dashboards", "uid", uid, "versions"]) => self.versions(uid),
            ("POST", ["api", "dashboards", "db"]) => self.save_dashboard(&body),
            ("GET", ["api", "v1", "provisioning", "alert-rules", uid]) => {
                match self.rules.iter().find(|rule| rule.document["uid"] == **uid) {
                    Some(rule) => {
                        let mut document = rule.document.clone();
                        if !rule.provenance.is_empty() {
                            document["provenance"] = rule.provenance.into();
                        }
                        (200, document)
                    }
                    None => (404, Value::Null),
                }
            }
            ("GET", ["api", "v1", "provisioning", "folder", folder, "rule-groups", group]) => {
                self.rule_group(folder, group)
            }
            ("PUT", ["api", "v1", "provisioning", "folder", folder, "rule-groups", group]) => {
                let is_editable = exchange.header("x-disable-provenance").is_some();
                self.change_rule_group(folder, group, &body, is_editable)
            }
            ("POST", ["api", "v1", "provisioning", "alert-rules"]) => {
                let is_editable = exchange.header("x-disable-provenance").is_some();
                self.add_rule(&body, is_editable)
            }
            _ => said(404, "Not found"),
        }
    }

    fn id(&mut self) -> i64 {
        self.ids += 1;
        self.ids
    }

    fn folder_list(&self) -> Value {
        let hit = |folder: &Value| json!({ "id": folder["id"], "uid": folder["uid"], "title": folder["title"] });
        self.folders.iter().map(hit).collect()
    }

    pub fn add_folder(&mut self, body: &Value) -> Answer {
        let (uid, title) = (text(body, "uid"), text(body, "title"));
        if title.is_empty() {
            return said(400, "folder title cannot be empty");
        }
        if find(&self.folders, "uid", uid).is_some() || self.dashboard(uid).is_some() {
            return said(409, "a folder/dashboard with the same uid already exists");
        }
        if find(&self.folders, "title", title).is_some() {
            return said(409, "a folder with the same name already exists in the current location");
        }
        let folder = json!({
            "id": self.id(), "uid": uid, "title": title, "url": format!("/dashboards/f/{uid}/x"),
            "hasAcl": false, "canSave": true, "canEdit": true, "canAdmin": true, "canDelete": true,
            "createdBy": "sa-flowgauge", "created": "2026-11-27T07:00:00Z",
            "updatedBy": "sa-flowgauge", "updated": "2026-11-27T07:00:00Z", "version": 1,
        });
        self.folders.push(folder.clone());
        (200, folder)
    }

    fn change_folder(&mut self, uid: &str, body: &Value) -> Answer {
        let Some(folder) = self.folders.iter_mut().find(|folder| folder["uid"] == *uid) else {
            return with_status(404, "not-found", "folder not found");
        };
        if folder["version"] != body["version"] && body["overwrite"] != true {
            let message = "the folder has been changed by someone else";
            return with_status(412, "version-mismatch", message);
        }
        folder["title"] = body["title"].clone();
        folder["version"] = (folder["version"].as_i64().unwrap() + 1).into();
        (200, folder.clone())
    }

    pub fn add_data_source(&mut self, body: &Value) -> Answer {
        for name in ["name", "type", "access"] {
            if text(body, name).is_empty() {
                return said(400, "bad request data");
            }
        }
        let taken = ["uid", "name"].into_iter();
        let mut taken =
            taken.filter(|key| find(&self.data_sources, key, text(body, key)).is_some());
        if let Some(key) = taken.next() {
            return said(409, &format!("data source with the same {key} already exists"));
        }
        let mut source = json!({
            "id": self.id(), "orgId": 1, "typeLogoUrl": "public/app/plugins/x.svg", "user": "",
            "database": "", "basicAuth": false, "basicAuthUser": "", "withCredentials": false,
            "isDefault": false, "jsonData": {}, "secureJsonFields": {}, "version": 1,
            "readOnly": false,
        });
        merge(&mut source, body);
        self.data_sources.push(source.clone());
        (
            200,
            json!({
                "datasource": source, "id": source["id"], "message": "Datasource added",
                "name": source["name"],
            }),
        )
    }

    fn change_data_source(&mut self, uid: &str, body: &Value) -> Answer {
        let Some(source) = self.data_sources.iter_mut().find(|source| source["uid"] == *uid) else {
            return said(404, "Data source not found");
        };
        if source["readOnly"] == true {
            return said(403, "Cannot update read-only data source");
        }
        if body["version"].as_i64().is_some_and(|version| source["version"] != version) {
            let message =
                "Datasource has already been updated by someone else. Please reload and try again";
            return said(409, message);
        }
        merge(source, body);
        source["version"] = (source["version"].as_i64().unwrap() + 1).into();
        (
            200,
            json!({
                "datasource": source, "id": source["id"], "message": "Datasource updated",
                "name": source["name"],
            }),
        )
    }

    pub fn dashboard(&mut self, uid: &str) -> Option<&mut StoredDashboard> {
        self.dashboards.iter_mut().find(|dashboard| dashboard.document["uid"] == *uid)
    }

    fn versions(&mut self, uid: &str) -> Answer {
        let has_document = self.has_version_document;
        let Some(dashboard) = self.dashboard(uid) else {
            return said(404, "Dashboard version not found");
        };
        let version = |(version, message): &(i64, String)| {
            json!({
                "id": version, "dashboardId": 1, "uid": uid, "parentVersion": version - 1,
                "restoredFrom": 0, "version": version, "created": "2026-11-27T07:00:00Z",
                "createdBy": "admin", "message": message,
            })
        };
        let list: Value = dashboard.versions.iter().map(version).collect();
        match has_document {
            true => (200, json!({ "continueToken": "", "versions": list })),
            false => (200, list),
        }
    }

    pub fn save_dashboard(&mut self, body: &Value) -> Answer {
        let (mut document, folder_uid) = (body["dashboard"].clone(), text(body, "folderUid"));
        let (uid, title) = (text(&document, "uid").to_owned(), text(&document, "title").to_owned());
        let overwrites = body["overwrite"] == true;
        if title.is_empty() {
            return with_status(400, "empty-name", "Dashboard title cannot be empty");
        }
        if find(&self.folders, "uid", &uid).is_some() {
            return said(400, "Dashboard cannot be changed to a folder");
        }
        let folder = find(&self.folders, "uid", folder_uid);
        if !folder_uid.is_empty() && folder.is_none() {
            return said(400, "folder not found");
        }
        // As until Grafana 10.
        if folder.is_some_and(|folder| text(folder, "title").eq_ignore_ascii_case(&title)) {
            return with_status(400, "name-match", "Dashboard name cannot be the same as folder");
        }
        let is_namesake = |other: &StoredDashboard| {
            other.folder_uid == folder_uid
                && other.document["title"] == *title
                && other.document["uid"] != *uid
        };
        if self.dashboards.iter().any(is_namesake) {
            let message = "A dashboard with the same name in the folder already exists";
            return with_status(412, "name-exists", message);
        }
        let message = text(body, "message").to_owned();
        let id = self.id();
        let version = match self.dashboard(&uid) {
            None => {
                document["id"] = id.into();
                document["version"] = 1.into();
                self.dashboards.push(StoredDashboard {
                    document,
                    folder_uid: folder_uid.to_owned(),
                    is_provisioned: false,
                    versions: vec![(1, message)],
                });
                1
            }
            Some(stored) => {
                if stored.is_provisioned {
                    return said(400, "Cannot save provisioned dashboard");
                }
                let version = stored.document["version"].as_i64().unwrap();
                if document["version"] != version && !overwrites {
                    let message = "The dashboard has been changed by someone else";
                    return with_status(412, "version-mismatch", message);
                }
                document["id"] = stored.document["id"].clone();
                document["version"] = (version + 1).into();
                stored.document = document;
                stored.folder_uid = folder_uid.to_owned();
                stored.versions.insert(0, (version + 1, message));
                version + 1
            }
        };
        (
            200,
            json!({
                "id": id, "uid": uid, "url": format!("/d/{uid}/x"), "status": "success",
                "version": version, "title": title, "folderUid": folder_uid,
            }),
        )
    }

    fn rule_group(&self, folder: &str, group: &str) -> Answer {
        let is_of = |rule: &&StoredRule| {
            rule.document["folderUID"] == *folder && rule.document["ruleGroup"] == *group
        };
        let rules: Vec<&StoredRule> = self.rules.iter().filter(is_of).collect();
        let Some(first) = rules.first() else { return said(404, "rule group not found") };
        // Where its rules come from a group does not say.
        let documents: Value = rules.iter().map(|rule| rule.document.clone()).collect();
        (
            200,
            json!({
                "title": group, "folderUid": folder, "interval": first.interval, "rules": documents,
            }),
        )
    }

    fn add_rule(&mut self, body: &Value, is_editable: bool) -> Answer {
        let (folder, group) = (text(body, "folderUID"), text(body, "ruleGroup"));
        let is_known = |rule: &StoredRule| {
            rule.document["uid"] == body["uid"]
                || rule.document["folderUID"] == folder && rule.document["title"] == body["title"]
        };
        if self.rules.iter().any(is_known) {
            return said(400, "a conflicting alert rule is found");
        }
        let (_, found) = self.rule_group(folder, group);
        let mut whole = json!({ "interval": found.get("interval").unwrap_or(&json!(60)) });
        let others = found["rules"].as_array().cloned().unwrap_or_default();
        whole["rules"] = others.into_iter().chain([body.clone()]).collect();
        match self.replace_rule_group(folder, group, &whole, is_editable) {
            (200, _) => (201, self.rules.last().unwrap().document.clone()),
            refused => refused,
        }
    }

    /// Until Grafana 11.5.1 a group takes only rules whose uids are known, or none.
    fn change_rule_group(
        &mut self,
        folder: &str,
        group: &str,
        body: &Value,
        is_editable: bool,
    ) -> Answer {
        let is_known = |uid: &Value| self.rules.iter().any(|rule| rule.document["uid"] == *uid);
        let mut rules = body["rules"].as_array().into_iter().flatten();
        if rules.any(|rule| !rule["uid"].is_null() && !is_known(&rule["uid"])) {
            return (500, json!({ "message": "Internal Server Error", "traceID": "" }));
        }
        self.replace_rule_group(folder, group, body, is_editable)
    }

    pub fn replace_rule_group(
        &mut self,
        folder: &str,
        group: &str,
        body: &Value,
        is_editable: bool,
    ) -> Answer {
        if find(&self.folders, "uid", folder).is_none() {
            return said(400, "invalid alert rule: folder does not exist");
        }
        if body["interval"].as_i64().is_none_or(|seconds| seconds <= 0 || seconds % 10 != 0) {
            return said(400, "invalid alert rule: interval has to be divided by 10 seconds");
        }
        let rules = body["rules"].as_array().cloned().unwrap_or_default();
        for rule in &rules {
            let queries = rule["data"].as_array().cloned().unwrap_or_default();
            if !queries.iter().any(|query| query["refId"] == rule["condition"]) {
                return said(400, "invalid alert rule: condition is not in the data");
            }
        }
        let uids: Vec<Value> = rules.iter().map(|rule| rule["uid"].clone()).collect();
        self.rules.retain(|rule| {
            let is_here =
                rule.document["folderUID"] == *folder && rule.document["ruleGroup"] == *group;
            !is_here && !uids.contains(&rule.document["uid"])
        });
        for mut document in rules {
            document["id"] = self.id().into();
            document["folderUID"] = folder.into();
            document["ruleGroup"] = group.into();
            document["updated"] = "2026-11-27T07:00:00Z".into();
            if document["for"] == "90m" {
                document["for"] = "1h30m".into();
            }
            let provenance = if is_editable { "" } else { "api" };
            self.rules.push(StoredRule {
                document,
                interval: body["interval"].clone(),
                provenance,
            });
        }
        (200, body.clone())
    }
}

impl StoredDashboard {
    fn with_meta(&self) -> Value {
        json!({
            "dashboard": self.document,
            "meta": {
                "type": "db", "canSave": true, "canEdit": true, "canAdmin": true, "canStar": false,
                "canDelete": true, "slug": "x", "url": "/d/x", "version": self.document["version"],
                "hasAcl": false, "isFolder": false, "folderUid": self.folder_uid,
                "folderTitle": "x", "provisioned": self.is_provisioned,
                "provisionedExternalId": "", "created": "2026-11-27T07:00:00Z",
                "updated": "2026-11-27T07:00:00Z", "updatedBy": "admin", "createdBy": "admin",
            },
        })
    }
}

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().unwrap_or_default()
}

fn find<'a>(list: &'a [Value], key: &str, value: &str) -> Option<&'a Value> {
    list.iter().find(|one| one[key] == *value)
}

fn merge(into: &mut Value, from: &Value) {
    let empty = Map::new();
    for (name, value) in from.as_object().unwrap_or(&empty) {
        if name != "version" {
            into[name] = value.clone();
        }
    }
}
