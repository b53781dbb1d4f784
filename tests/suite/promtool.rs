//! What Prometheus itself says of our metrics and rules.

use std::io::Write;
use std::path::{Path, PathBuf};

use flowgauge::parts::{CATALOGUE, Metric, SeriesType};
use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::program::Running;
use crate::support::prometheus::{Prometheus, Promtool};
use crate::support::{Workdir, needs, workdir};

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

/// A file of the repository.
fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The rules and their tests, side by side in a work directory.
fn rules(workdir: &Workdir, rules: &str) -> [PathBuf; 2] {
    [
        workdir.write("docs/alerts.yml", rules),
        workdir.write("docs/alerts.test.yml", shipped("docs/alerts.test.yml")),
    ]
}

#[test]
fn the_rules_we_ship_are_sound_and_each_of_them_fires_in_a_test() {
    needs!("prometheus");
    let workdir = workdir!();
    let shipped = shipped("docs/alerts.yml");
    let [file, tests] = rules(&workdir, &shipped);
    let verdict = Promtool::new().check_rules(&file);
    assert!(verdict.is_ok(), "{verdict:?}");
    let verdict = Promtool::new().test_rules(&tests);
    assert!(verdict.is_ok(), "{verdict:?}");

    // Without one of the rules the tests miss it.
    let names: Vec<&str> =
        shipped.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(names.len(), 19, "{names:?}");
    for name in names {
        let [_, tests] = rules(&workdir, &shipped.replace(name, "Renamed"));
        assert!(Promtool::new().test_rules(&tests).is_err(), "no test in which {name} fires");
    }
}

#[test]
fn the_rules_we_ship_name_metrics_that_exist() {
    let rules = shipped("docs/alerts.yml");
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let words = rules.split(|char| !is_name(char)).filter(|word| word.starts_with("pipeline_"));
    for word in words.filter(|word| *word != "pipeline_id") {
        let exists = |metric: &Metric| {
            let suffix = word.strip_prefix(metric.name);
            suffix.is_some_and(|suffix| {
                suffix.is_empty() || suffix == "_bucket" && metric.kind == SeriesType::Histogram
            })
        };
        // Of the exporter itself.
        let is_own = word == "pipeline_exporter_up";
        assert!(is_own || CATALOGUE.iter().any(exists), "docs/alerts.yml: there is no {word}");
    }
}

#[test]
fn the_configuration_we_ship_is_sound() {
    needs!("prometheus");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = Promtool::new().check_config(&root.join("prometheus.example.yml")).unwrap();
    assert!(said.contains("1 rule files found"), "{said}");
}

#[test]
fn a_scrape_of_a_run_is_without_complaint() {
    needs!("prometheus");
    let workdir = workdir!();
    let mut run = ended(&workdir, "finished");
    let address = run.metrics_address();
    let at_the_start = Scrape::of(&address);
    let mut stdin = run.stdin();
    stdin.write_all(records().as_bytes()).unwrap();
    drop(stdin);
    run.wait_for_line("  read ");
    for scrape in [at_the_start, Scrape::of(&address)] {
        let verdict = Promtool::new().check_metrics(&scrape.text);
        assert_eq!(verdict, Ok(String::new()), "in the state {}", scrape.state());
    }
    run.finish().assert_code(0);
}

/// Queries of METRICS.md that have no answer in the scene below, with the reason.
const WITHOUT_ANSWER: &[(&str, &str)] = &[
    (
        "max by (pipeline_id, stage, error_type) (increase(pipeline_retries_total[15m]))",
        "no run has a server",
    ),
    (
        "max by (pipeline_id, stage) (increase(pipeline_rate_limited_total[15m]))",
        "no run has a server",
    ),
    (
        "max by (pipeline_id, code) (sum without (operation) (rate(pipeline_http_requests_total{code!=\"200\"}[5m])))",
        "no run has Elasticsearch",
    ),
    (
        "max by (pipeline_id, operation) (pipeline_schema_operations_total{status=\"failed\"})",
        "no run has a table",
    ),
];

/// Two runs are scraped: one from before its first record until it is over, one that is stuck half
/// way through a file.
/// Of a run that moves; Prometheus has to take it.
const TIME_LEFT: &str = "max by (pipeline_id) (pipeline_eta_seconds)";

#[test]
fn every_query_in_metrics_md_has_an_answer() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    rules(&workdir, &shipped("docs/alerts.yml"));
    let mut finished = ended(&workdir, "finished");
    workdir.write("records.jsonl", records());
    let stuck = workdir.flowgauge().args(["--jsonl-file", "records.jsonl", "--output-file", "-"]);
    let stuck = stuck.args(["--metrics-port", "0", "--pipeline-id", "stuck"]);
    let mut stuck = stuck.args(["--batch-bytes", "8KiB", "--workers", "1"]).stdout_full().spawn();

    let port = |run: &mut Running| run.metrics_address().rsplit(':').next().unwrap().to_string();
    let targets = [port(&mut finished), port(&mut stuck)].map(|port| format!("localhost:{port}"));
    let config = shipped("prometheus.example.yml");
    let target = "          - localhost:8000\n";
    assert!(config.contains(target) && config.contains("scrape_interval: 5s"));
    let config = config
        .replace(target, &targets.map(|target| format!("          - {target}\n")).concat())
        .replace("scrape_interval: 5s", "scrape_interval: 1s")
        .replace("scrape_timeout: 4s", "scrape_timeout: 1s");
    let mut prometheus = Prometheus::start(&binary, &workdir, &config);

    // The first record comes after the first scrape, so that every counter is seen to advance.
    prometheus.query_until("up == 1", |series| series.len() == 2);
    let mut stdin = finished.stdin();
    stdin.write_all(records().as_bytes()).unwrap();
    drop(stdin);
    finished.wait_for_line("  read ");
    prometheus.query_until("pipeline_last_run_outcome == 1", |series| !series.is_empty());

    let page = shipped("METRICS.md");
    let queries = queries(&page);
    assert!(queries.len() > 20, "{queries:?}");
    for query in queries {
        let has_answer = |series: &[Value]| series.iter().any(|series| number(series).is_finite());
        if query == TIME_LEFT {
            // The run that is stuck has none once it has been silent for 5 s.
            prometheus.query(query);
            continue;
        }
        match WITHOUT_ANSWER.iter().find(|(known, _)| *known == query) {
            Some((_, reason)) => {
                let series = prometheus.query(query);
                assert!(!has_answer(&series), "{query} has an answer, although {reason}");
            }
            None => {
                prometheus.query_until(query, has_answer);
            }
        }
    }

    // What Prometheus has is what the run did.
    let records = prometheus.number("pipeline_last_run_records{result='inserted'}");
    let finished = finished.finish();
    finished.assert_code(0);
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(records, summary["records"]["inserted"].as_f64());
    drop(stuck);
}

fn number(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}

fn queries(page: &str) -> Vec<&str> {
    let blocks = page.split("```promql\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().trim()).collect()
}

/// More than a source looks at before it starts, and one record that is none.
fn records() -> String {
    let good = (0..20_000).map(|number| format!("{{\"number\":{number}}}\n"));
    good.chain(["no record\n".to_string()]).collect()
}

/// A run from standard input that is held once it is over.
fn ended(workdir: &Workdir, pipeline_id: &str) -> Running {
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--pipeline-id", pipeline_id, "--expect-every", "24h"]);
    let command = command.args(["--max-errors", "1", "--batch-bytes", "64KiB"]);
    let command = command.args(["--metrics-port", "0", "--summary-json", "-"]);
    command.stdin_open().stdout_full().spawn()
}
