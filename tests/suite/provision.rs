//! `metrics provision`: folder, data source, dashboard and alert rules in a Grafana that stores what it is told.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::https::certificate;
use crate::support::scripted_grafana::{Exchange, Fault, Script, ScriptedGrafana, TOKEN};
use crate::support::{Finished, Workdir, needs, workdir};

const GROUP: &str = "/api/v1/provisioning/folder/flowgauge-folder/rule-groups/flowgauge";

const ALL_UNCHANGED: &str = "\
unchanged      folder 'flowgauge pipelines', uid flowgauge-folder
unchanged      data source 'flowgauge Prometheus', uid flowgauge-prometheus
unchanged      dashboard 'flowgauge', uid flowgauge
unchanged      rule group 'flowgauge', 19 rules
0 created, 0 changed, 4 unchanged
";

fn writes(grafana: &ScriptedGrafana) -> Vec<Exchange> {
    grafana.exchanges().into_iter().filter(Exchange::is_write).collect()
}

#[track_caller]
fn refused(grafana: &ScriptedGrafana, finished: &Finished, why: &str) {
    finished.assert_code(2).assert_stderr_has(why);
    assert!(!finished.stderr.contains(TOKEN) && !finished.stdout.contains(TOKEN), "{finished}");
    let writes = writes(grafana);
    assert!(writes.is_empty(), "{writes:?}");
}

/// A Grafana that was provisioned before.
fn provisioned(workdir: &Workdir, script: Script) -> ScriptedGrafana {
    let grafana = script.start();
    grafana.provision(workdir).run().assert_code(0);
    assert_eq!(writes(&grafana).len(), 4 + 19);
    grafana
}

/// The queries of the rules that are printed for Prometheus, by their names.
fn printed_queries(workdir: &Workdir) -> BTreeMap<String, String> {
    let printed = workdir.flowgauge().args(["metrics", "rules"]).run().stdout;
    let rules = printed.split("- alert: ").skip(1);
    let query = |rule: &str| {
        let (name, behind) = rule.split_once('\n').unwrap();
        let lines = behind.lines().skip_while(|line| line.trim() != "expr: |").skip(1);
        let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("          ")).collect();
        (name.to_string(), lines.join("\n"))
    };
    rules.map(query).collect()
}

#[test]
fn from_nothing_and_again() {
    let workdir = workdir!();
    let grafana = Script::new().start();
    let first = grafana.provision(&workdir).run();
    first.assert_code(0).assert_stderr("").assert_stdout(
        "\
created        folder 'flowgauge pipelines', uid flowgauge-folder
created        data source 'flowgauge Prometheus', uid flowgauge-prometheus
created        dashboard 'flowgauge', uid flowgauge
created        rule group 'flowgauge', 19 rules
4 created, 0 changed, 0 unchanged
",
    );
    let written = writes(&grafana);
    let mut places: Vec<String> =
        written.iter().map(|write| format!("{} {}", write.method, write.path)).collect();
    // A group takes no rules that are new, in Grafanas that are still about.
    let rules = places.drain(3..22);
    assert!(rules.into_iter().all(|place| place == "POST /api/v1/provisioning/alert-rules"));
    assert_eq!(
        places,
        [
            "POST /api/folders",
            "POST /api/datasources",
            "POST /api/dashboards/db",
            &format!("PUT {GROUP}")
        ]
    );
    assert!(written.iter().all(|write| write.header("x-disable-provenance").is_none()));

    // The dashboard is the one that is printed.
    let printed = workdir.flowgauge().args(["metrics", "dashboard"]).run().stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let saved: Value = serde_json::from_str(&written[2].body).unwrap();
    let mut dashboard = saved["dashboard"].clone();
    dashboard.as_object_mut().unwrap().remove("id");
    assert_eq!(dashboard, printed);
    assert_eq!(
        (&saved["folderUid"], &saved["overwrite"]),
        (&"flowgauge-folder".into(), &false.into())
    );

    // And so are the queries of the rules, which ask the data source that was made.
    let group: Value = serde_json::from_str(&written[22].body).unwrap();
    let rules = group["rules"].as_array().unwrap();
    let queries: BTreeMap<String, String> = rules
        .iter()
        .map(|rule| {
            let query = rule["data"][0]["model"]["expr"].as_str().unwrap();
            (rule["title"].as_str().unwrap().to_string(), query.to_string())
        })
        .collect();
    let printed = printed_queries(&workdir);
    assert!(printed.len() == 19 && printed.values().all(|query| !query.is_empty()), "{printed:?}");
    assert_eq!(queries, printed);
    for rule in rules {
        assert_eq!(rule["data"][0]["datasourceUid"], "flowgauge-prometheus");
        assert_eq!(rule["condition"], rule["data"][1]["refId"]);
        let words = rule["annotations"].to_string();
        assert!(!words.contains("$value "), "{words}");
    }

    let again = grafana.provision(&workdir).run();
    again.assert_code(0).assert_stderr("").assert_stdout(ALL_UNCHANGED);
    assert!(writes(&grafana).is_empty());
}

#[test]
fn a_dry_run_only_reads() {
    let workdir = workdir!();
    let grafana = Script::new().start();
    let dry = || grafana.provision(&workdir).arg("--dry-run").run();
    dry().assert_code(0).assert_stderr("").assert_stdout(
        "\
to be created  folder 'flowgauge pipelines', uid flowgauge-folder
to be created  data source 'flowgauge Prometheus', uid flowgauge-prometheus
to be created  dashboard 'flowgauge', uid flowgauge
to be created  rule group 'flowgauge', 19 rules
4 to create, 0 to change, 0 unchanged; nothing was written
",
    );
    assert!(writes(&grafana).is_empty());
    grafana.provision(&workdir).run().assert_code(0);
    grafana.exchanges();
    let other = grafana.provision(&workdir).args(["--dry-run", "--longest-run", "1h"]).run();
    other.assert_code(0).assert_stdout_has("to be changed  rule group 'flowgauge', 19 rules\n");
    assert!(writes(&grafana).is_empty());
}

/// What an earlier version of ours left is changed, and nothing else.
#[test]
fn what_is_of_an_earlier_version_is_changed() {
    let workdir = workdir!();
    let grafana = provisioned(&workdir, Script::new());
    let longest = grafana.provision(&workdir).args(["--longest-run", "90m", "--full-for", "90m"]);
    let longest = longest.run();
    longest.assert_code(0).assert_stdout_has("changed        rule group 'flowgauge', 19 rules\n");
    longest.assert_stdout_has("0 created, 1 changed, 3 unchanged\n");
    assert_eq!(writes(&grafana).len(), 1);
    // Grafana writes 90m as 1h30m.
    let again = grafana.provision(&workdir).args(["--longest-run", "90m", "--full-for", "90m"]);
    again.run().assert_code(0).assert_stdout(ALL_UNCHANGED);

    // A dashboard of ours with one panel less, that somebody has moved.
    grafana.change(|store| {
        let dashboard = store.dashboard("flowgauge").unwrap();
        dashboard.document["panels"].as_array_mut().unwrap().pop();
        dashboard.document["version"] = 7.into();
        dashboard.versions.insert(0, (7, "flowgauge metrics provision, of an earlier one".into()));
        dashboard.folder_uid = String::new();
    });
    let changed = grafana.provision(&workdir).args(["--longest-run", "90m", "--full-for", "90m"]);
    changed.run().assert_code(0).assert_stdout_has("changed        dashboard 'flowgauge'");
    let writes = writes(&grafana);
    let saved: Value = serde_json::from_str(&writes[0].body).unwrap();
    assert_eq!((&saved["dashboard"]["version"], &saved["folderUid"]), (&7.into(), &"".into()));
    assert_eq!(writes.len(), 1);
}

/// Later Grafanas bring a dashboard into their own form when they store it.
#[test]
fn what_grafana_itself_rewrote_is_unchanged() {
    for has_document in [true, false] {
        let workdir = workdir!();
        let script = Script::new().with(|store| store.has_version_document = has_document);
        let grafana = provisioned(&workdir, script);
        grafana.change(|store| {
            let dashboard = store.dashboard("flowgauge").unwrap();
            dashboard.document["schemaVersion"] = 42.into();
            dashboard.document["preload"] = false.into();
            for rule in &mut store.rules {
                rule.document["data"][0]["model"]["legendFormat"] = "__auto".into();
                rule.document["keep_firing_for"] = "0s".into();
            }
        });
        grafana.provision(&workdir).run().assert_code(0).assert_stdout(ALL_UNCHANGED);
    }
}

#[test]
fn what_somebody_changed_is_left_alone_unless_told() {
    let workdir = workdir!();
    let grafana = provisioned(&workdir, Script::new());
    grafana.change(|store| {
        let dashboard = store.dashboard("flowgauge").unwrap();
        dashboard.document["title"] = "red".into();
        dashboard.document["version"] = 2.into();
        dashboard.versions.insert(0, (2, "made it red".into()));
    });
    let left = grafana.provision(&workdir).run();
    refused(
        &grafana,
        &left,
        "the dashboard 'flowgauge' was left alone: the dashboard with the uid",
    );
    left.assert_stdout_has("refused        dashboard 'flowgauge', uid flowgauge\n");
    left.assert_stdout_has(
        "0 to create, 0 to change, 3 unchanged, 1 refused; nothing was written\n",
    );
    assert_eq!(left.stderr.lines().count(), 1, "{left}");
    let told = grafana.provision(&workdir).arg("--overwrite").run();
    told.assert_code(0).assert_stdout_has("changed        dashboard 'flowgauge', uid flowgauge\n");
    grafana.provision(&workdir).run().assert_code(0).assert_stdout(ALL_UNCHANGED);

    // One that was imported by hand before, as it was printed, is as it should be.
    grafana.change(|store| store.dashboard("flowgauge").unwrap().versions[0].1 = String::new());
    grafana.provision(&workdir).run().assert_code(0).assert_stdout(ALL_UNCHANGED);
    grafana.exchanges();

    // The data source has a password and another URL.
    grafana.change(|store| {
        store.data_sources[0]["basicAuth"] = true.into();
        store.data_sources[0]["jsonData"]["timeInterval"] = "5s".into();
        store.data_sources[0]["url"] = "https://elsewhere".into();
    });
    let left = grafana.provision(&workdir).run();
    refused(&grafana, &left, "has another URL in Grafana; say --overwrite to change it");
    grafana.provision(&workdir).arg("--overwrite").run().assert_code(0);
    grafana.change(|store| {
        let source = &store.data_sources[0];
        assert_eq!(source["url"], "http://prometheus:9090");
        assert_eq!(
            (&source["basicAuth"], &source["jsonData"]["timeInterval"]),
            (&true.into(), &"5s".into())
        );
    });

    grafana.exchanges();
    grafana.change(|store| store.folders[0]["title"] = "mine".into());
    let left = grafana.provision(&workdir).run();
    refused(&grafana, &left, "has another title in Grafana");
    let named = grafana.provision(&workdir).args(["--folder", "mine"]).run();
    named.assert_code(0).assert_stdout_has("unchanged      folder 'mine', uid flowgauge-folder\n");
    grafana.provision(&workdir).arg("--overwrite").run().assert_code(0);
    grafana.provision(&workdir).run().assert_code(0).assert_stdout(ALL_UNCHANGED);
}

#[test]
fn rules_that_may_be_changed_in_grafana_are_not_changed_back() {
    let workdir = workdir!();
    let grafana = Script::new().start();
    let editable = || grafana.provision(&workdir).arg("--editable");
    editable().run().assert_code(0);
    let written = writes(&grafana);
    let of_rules = written.iter().skip(3);
    assert!(of_rules.clone().count() == 20);
    assert!(of_rules.into_iter().all(|write| write.header("x-disable-provenance").is_some()));

    // Somebody pauses one, says who is told, and changes the number of another.
    grafana.change(|store| {
        store.rules[0].document["isPaused"] = true.into();
        store.rules[0].document["notification_settings"] = json!({ "receiver": "us" });
    });
    editable().run().assert_code(0).assert_stdout(ALL_UNCHANGED);
    grafana.exchanges();
    grafana.change(|store| {
        store.rules[1].document["data"][0]["model"]["expr"] = "vector(1)".into();
    });
    let left = editable().run();
    refused(&grafana, &left, "the rule 'FlowgaugeRunFailed' may have been changed in Grafana");
    editable().arg("--overwrite").run().assert_code(0);
    grafana.change(|store| {
        assert_eq!(store.rules[0].document["isPaused"], true);
        assert_eq!(store.rules[0].document["notification_settings"]["receiver"], "us");
        assert_ne!(store.rules[1].document["data"][0]["model"]["expr"], "vector(1)");
    });
    editable().run().assert_code(0).assert_stdout(ALL_UNCHANGED);

    // Those that were locked are opened.
    grafana.change(|store| store.rules[7].provenance = "api");
    editable().run().assert_code(0).assert_stdout_has("0 created, 1 changed, 3 unchanged\n");
    grafana.change(|store| assert!(store.rules.iter().all(|rule| rule.provenance.is_empty())));
    editable().run().assert_code(0).assert_stdout(ALL_UNCHANGED);

    // Another interval is a change as well.
    grafana.exchanges();
    grafana.change(|store| store.rules.iter_mut().for_each(|rule| rule.interval = 10.into()));
    refused(&grafana, &editable().run(), "may have been changed in Grafana");
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    type Change = fn(&mut crate::support::scripted_grafana::Store);
    let cases: [(Change, &str); 9] = [
        (
            |store| drop(store.add_folder(&json!({"uid": "x", "title": "flowgauge pipelines"}))),
            "there is a folder 'flowgauge pipelines' already, which this command did not make; say another title",
        ),
        (
            |store| drop(store.add_folder(&json!({"uid": "flowgauge-folder", "title": "theirs"}))),
            "has another title in Grafana than 'flowgauge pipelines'; say its title with --folder",
        ),
        (
            |store| {
                let source = json!({"uid": "x", "name": "flowgauge Prometheus", "type": "prometheus", "access": "proxy"});
                store.add_data_source(&source);
            },
            "use it with --data-source 'flowgauge Prometheus' in place of --prometheus",
        ),
        (
            |store| {
                let source = json!({"uid": "flowgauge-prometheus", "name": "n", "type": "loki", "access": "proxy"});
                store.add_data_source(&source);
            },
            "the data source 'n' was left alone: the data source with the uid 'flowgauge-prometheus' is no Prometheus",
        ),
        (
            |store| {
                let source = json!({"uid": "flowgauge-prometheus", "name": "n", "type": "prometheus", "access": "proxy", "url": "http://theirs", "readOnly": true});
                store.add_data_source(&source);
            },
            "comes from a file of Grafana's, and has another URL",
        ),
        (
            |store| {
                let dashboard = json!({"uid": "flowgauge", "title": "theirs"});
                store.save_dashboard(&json!({"dashboard": dashboard, "message": "mine"}));
            },
            "was changed in Grafana, or is not of this command; save a copy",
        ),
        (
            |store| {
                let dashboard = json!({"uid": "flowgauge", "title": "theirs"});
                store.save_dashboard(&json!({"dashboard": dashboard}));
                store.dashboards[0].is_provisioned = true;
            },
            "comes from a file of Grafana's; replace that file",
        ),
        (
            |store| {
                store.add_folder(
                    &json!({"uid": "flowgauge-folder", "title": "flowgauge pipelines"}),
                );
                store.replace_rule_group(
                    "flowgauge-folder",
                    "flowgauge",
                    &of_one_rule("theirs"),
                    true,
                );
            },
            "the group holds a rule 'Theirs' that is not of this command; say --overwrite to replace it",
        ),
        (
            |store| {
                store.add_folder(&json!({"uid": "f", "title": "f"}));
                store.replace_rule_group("f", "other", &of_one_rule("flowgaugerunmissing"), false);
            },
            "a rule with the uid 'flowgaugerunmissing' stands in another group",
        ),
    ];
    for (change, why) in cases {
        let workdir = workdir!();
        let grafana = Script::new().with(change).start();
        refused(&grafana, &grafana.provision(&workdir).run(), why);
        let dry = grafana.provision(&workdir).arg("--dry-run").run();
        refused(&grafana, &dry, why);
    }
}

fn of_one_rule(uid: &str) -> Value {
    let rule = json!({"uid": uid, "title": "Theirs", "condition": "A", "data": [{"refId": "A"}], "for": "0s"});
    json!({"interval": 60, "rules": [rule]})
}

#[test]
fn a_data_source_that_is_there_is_not_touched() {
    let workdir = workdir!();
    let source = |uid: &str, name: &str, kind: &str| json!({"uid": uid, "name": name, "type": kind, "access": "proxy", "url": "http://p"});
    let script = Script::new().with(|store| {
        store.add_data_source(&source("P1-_", "the one", "prometheus"));
        store.add_data_source(&source("L1", "logs", "loki"));
    });
    let grafana = script.start();
    let with = |name: &str| grafana.provision_bare(&workdir).args(["--data-source", name]).run();
    with("the one")
        .assert_code(0)
        .assert_stdout_has("unchanged      data source 'the one', uid P1-_\n");
    let written = writes(&grafana);
    let group: Value = serde_json::from_str(&written[21].body).unwrap();
    assert_eq!(group["rules"][0]["data"][0]["datasourceUid"], "P1-_");
    assert_eq!(written.len(), 3 + 19);
    with("P1-_").assert_code(0).assert_stdout_has("0 created, 0 changed, 4 unchanged\n");
    refused(&grafana, &with("logs"), "the data source 'logs' is no Prometheus");
    refused(&grafana, &with("nobody"), "Grafana has no data source 'nobody'");

    // Only an administrator may read data sources.
    let denied = Fault::Status(403, "", "{\"message\":\"You'll need additional permissions\"}");
    let script = Script::new().fault("GET", "/api/datasources/uid/P1-_", denied.clone());
    let grafana = script.fault("GET", "/api/datasources/name/the%20one", denied).start();
    let with = |name: &str| grafana.provision_bare(&workdir).args(["--data-source", name]).run();
    let by_uid = with("P1-_");
    by_uid.assert_code(0).assert_stdout_has("unchanged      data source 'P1-_', uid P1-_\n");
    by_uid.assert_stderr_has("warning: this token may not read data sources");
    grafana.exchanges();
    refused(&grafana, &with("the one"), "answered 403 about the data source 'the one'");
}

#[test]
fn grafana_may_have_a_path_an_organisation_and_a_certificate() {
    let workdir = workdir!();
    let grafana = Script::new().below("/some/grafana").start();
    grafana.provision(&workdir).args(["--org-id", "7"]).run().assert_code(0);
    for exchange in grafana.exchanges() {
        assert!(exchange.path.starts_with("/some/grafana/api/"), "{}", exchange.path);
        assert_eq!(exchange.header("x-grafana-org-id"), Some("7"));
    }
    let wrong = grafana.url.replace("/some/grafana", "");
    let args = ["--grafana", &wrong, "--token-file", "token", "--data-source", "x"];
    let wrong = workdir.flowgauge().args(["metrics", "provision"]).args(args).run();
    wrong.assert_code(2).assert_stderr_has("where Grafana has a path of its own, such as /grafana");

    certificate(&workdir);
    let grafana = Script::new().encrypted(&workdir).start();
    let stranger = grafana.provision(&workdir).run();
    stranger.assert_code(2).assert_stderr_has("is not trusted");
    stranger.assert_stderr_has("set --ca to the certificate of its authority");
    assert!(grafana.exchanges().is_empty());
    grafana.provision(&workdir).args(["--ca", "cert.pem"]).run().assert_code(0);
}

#[test]
fn it_is_told_as_a_document() {
    let workdir = workdir!();
    let grafana = provisioned(&workdir, Script::new());
    grafana.change(|store| {
        store.folders[0]["title"] = "mine".into();
        store.data_sources.clear();
    });
    let told = grafana.provision(&workdir).args(["--format", "json"]).run();
    told.assert_code(2);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&document["is_written"], &document["grafana_version"]),
        (&false.into(), &"11.4.0".into())
    );
    assert_eq!(document["grafana"], grafana.url.as_str());
    let results: Vec<&Value> =
        document["items"].as_array().unwrap().iter().map(|item| &item["result"]).collect();
    assert_eq!(results, ["refused", "to_be_created", "unchanged", "unchanged"]);
    let folder = &document["items"][0];
    assert!(folder["error"].as_str().unwrap().contains("another title"), "{folder}");
    let group = &document["items"][3];
    assert_eq!((&group["kind"], &group["rules"]), (&"rule_group".into(), &19.into()));
}

/// Every request, and every answer of the Grafana here, as the document of the API has them; and the rules as
/// Grafana's schema has them.
#[test]
fn the_api_knows_all_of_it() {
    let schema = needs!("grafana_schema");
    let workdir = workdir!();
    let check = |kind: &str, text: &str| {
        let mut checker = Command::new(&schema);
        let checker = checker.arg(kind).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut checker = checker.spawn().unwrap();
        drop(checker.stdin.take().unwrap().write_all(text.as_bytes()));
        let output = checker.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let grafana = Script::new().start();
    grafana.provision(&workdir).run().assert_code(0);
    grafana.provision(&workdir).args(["--longest-run", "1h"]).run().assert_code(0);
    grafana.change(|store| {
        store.folders[0]["title"] = "mine".into();
        store.data_sources[0]["url"] = "http://theirs".into();
        let dashboard = store.dashboard("flowgauge").unwrap();
        dashboard.document["title"] = "theirs".into();
    });
    grafana.provision(&workdir).arg("--overwrite").run().assert_code(0);
    let args = ["--data-source", "flowgauge Prometheus"];
    grafana.provision_bare(&workdir).args(args).run().assert_code(0);
    let exchanges = grafana.exchanges();
    let line = |exchange: &Exchange| {
        let line = json!({
            "method": exchange.method, "path": exchange.path, "body": exchange.body,
            "status": exchange.status, "answer": exchange.answer,
        });
        format!("{line}\n")
    };
    let lines: String = exchanges.iter().map(line).collect();
    assert_eq!(check("exchanges", &lines), (true, String::new()));
    let group = exchanges.iter().find(|exchange| exchange.method == "PUT").unwrap();
    assert_eq!(check("rules", &group.body), (true, String::new()));
    // The checkers can say no.
    let wrong = group.body.replace("\"noDataState\":\"OK\"", "\"noDataState\":\"Fine\"");
    let mut other = group.clone();
    other.body = wrong;
    let (is_known, said) = check("exchanges", &line(&other));
    assert!(!is_known && said.contains("noDataState"), "{said}");
    let (is_known, said) = check("rules", &group.body.replace("\"condition\"", "\"condishun\""));
    assert!(!is_known && said.contains("condishun"), "{said}");
    other.path = "/api/folder".to_string();
    assert!(!check("exchanges", &line(&other)).0);
}
