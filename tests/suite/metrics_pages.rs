//! `flowgauge metrics`: the catalogue, alert rules and a scrape configuration, judged by promtool.

use crate::support::prometheus::Promtool;
use crate::support::{Finished, assert_same_text, needs, workdir};

#[track_caller]
fn metrics(args: &str) -> Finished {
    workdir!().flowgauge().arg("metrics").args(args.split(' ')).run()
}

#[track_caller]
fn printed(args: &str) -> String {
    let finished = metrics(args);
    finished.assert_code(0);
    finished.stdout
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_pages_are_those_of_the_documentation() {
    assert_same_text("docs/alerts.yml", &printed("rules"), &shipped("docs/alerts.yml"));
    assert!(shipped("METRICS.md").contains(&printed("describe")));
}

#[test]
fn times_of_the_rules_are_options() {
    needs!("prometheus");
    let workdir = workdir!();
    let rules = printed("rules --remember 400d --stuck-after 90s --slow-batch 1m --told_for 2h");
    for part in ["[400d]", "[90s]", "> 90\n", "> 60\n", "settled for 90s", "[2h]", "[2h:15s]"] {
        assert!(rules.contains(part), "{part}: {rules}");
    }
    let file = workdir.write("rules.yml", rules);
    let verdict = Promtool::new().check_rules(&file);
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[test]
fn rules_link_to_what_is_to_be_done() {
    let page = shipped("docs/alerts.md");
    let links = |rules: &str, of: &str| {
        let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        let mut anchors = Vec::new();
        for alert in alerts {
            let anchor = alert.to_lowercase();
            let link = format!("runbook_url: \"{of}#{anchor}\"\n");
            assert!(rules.contains(&link), "{alert}: no {link}");
            // As its heading is made an anchor.
            let heading = format!("\n## {alert}\n\n");
            assert!(page.contains(&heading), "docs/alerts.md: nothing about {alert}");
            anchors.push(anchor);
        }
        assert_eq!(rules.matches("runbook_url: ").count(), anchors.len());
    };
    links(&printed("rules"), "docs/alerts.md");
    let own = "https://wiki.example/flowgauge/alerts?plain=1";
    links(&printed(&format!("rules --runbooks {own}")), own);
}

#[test]
fn a_scrape_configuration_is_one() {
    needs!("prometheus");
    let workdir = workdir!();
    let config = printed("scrape-config --target localhost:9000 --target [::1]:9001 --every 30s");
    for part in ["- 'localhost:9000'\n", "- '[::1]:9001'\n", "scrape_interval: 30s\n"] {
        assert!(config.contains(part), "{part}: {config}");
    }
    workdir.write("flowgauge-rules.yml", printed("rules"));
    let file = workdir.write("prometheus.yml", config);
    let said = Promtool::new().check_config(&file).unwrap();
    assert!(said.contains("19 rules found"), "{said}");
}

#[test]
fn what_has_no_meaning_is_refused() {
    for (args, said) in [
        ("describe --every 5s", "--every has no meaning with 'metrics describe'"),
        ("rules --target a:1", "--target has no meaning with 'metrics rules'"),
        ("scrape-config --told-for 1h", "--told-for has no meaning with 'metrics scrape-config'"),
        ("rules --told-for 1.5s", "say whole seconds"),
        ("rules --told-for soon", "is no time"),
        ("rules --runbooks a#b", "no address of a page"),
        ("rules --runbooks a\"b", "no address of a page"),
        ("describe --runbooks a", "--runbooks has no meaning with 'metrics describe'"),
        ("scrape-config --target a", "'a' is no HOST:PORT"),
        ("dashboard --every 5s", "--every has no meaning with 'metrics dashboard'"),
        ("panels", "panels"),
    ] {
        metrics(args).assert_code(2).assert_stderr_has(said);
    }
}
