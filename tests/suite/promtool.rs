//! What Prometheus itself says of our metrics and rules.

use crate::support::prometheus::{Prometheus, Promtool};
use crate::support::{needs, workdir};

// Belongs here as soon as the program has metrics: scrape a run of the program, hand the text to
// `Promtool::check_metrics`; check and unit-test the rule files we ship; let a real `Prometheus`
// scrape a run and compare what it stored with the report.

#[test]
fn metrics_are_checked() {
    needs!("prometheus");
    let good = "# HELP rows_total Rows.\n# TYPE rows_total counter\nrows_total 1\n";
    let verdict = Promtool::new().check_metrics(good);
    assert!(verdict.is_ok(), "{verdict:?}");

    let without_help = "# TYPE rows_total counter\nrows_total 1\n";
    let said = Promtool::new().check_metrics(without_help).unwrap_err();
    assert!(said.contains("no help text"), "{said}");
}

#[test]
fn rules_are_checked_and_tested() {
    needs!("prometheus");
    let workdir = workdir!();
    let rule = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n";
    let rules = workdir.write("rules.yml", rule);
    let verdict = Promtool::new().check_rules(&rules);
    assert!(verdict.is_ok(), "{verdict:?}");

    let series = "input_series: [{series: 'up', values: '0 0'}]";
    let expected = |alert: &str| {
        let test =
            format!("alert_rule_test: [{{eval_time: 1m, alertname: {alert}, exp_alerts: [{{}}]}}]");
        workdir
            .write("test.yml", format!("rule_files: [rules.yml]\ntests: [{{{series}, {test}}}]\n"))
    };
    let verdict = Promtool::new().test_rules(&expected("A"));
    assert!(verdict.is_ok(), "{verdict:?}");
    assert!(Promtool::new().test_rules(&expected("B")).is_err());

    let broken = workdir.write("rules.yml", rule.replace("==", "=!"));
    assert!(Promtool::new().check_rules(&broken).is_err());
}

#[test]
fn a_real_prometheus_scrapes_and_answers() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    // It scrapes itself: the address it listens on is filled in by file, which it reads again.
    let config = "\
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: itself
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
";
    let verdict = Promtool::new().check_config(&workdir.write("checked.yml", config));
    assert!(verdict.is_ok(), "{verdict:?}");

    let mut prometheus = Prometheus::start(&binary, &workdir, config);
    assert_eq!(prometheus.number("1 + vector(1)"), Some(2.0));
    assert_eq!(prometheus.number("up"), None);
    let targets = format!(r#"[{{"targets": ["{}"]}}]"#, prometheus.address);
    workdir.write("targets.json", targets);
    let series = prometheus.query_until("up == 1", |series| !series.is_empty());
    assert_eq!(series[0]["metric"]["job"], "itself");
}
