//! The pages that are held against the code, so that they cannot drift.

use std::path::Path;

use flowgauge::parts::OPTIONS;
use flowgauge::program::Outcome;

use crate::support::exposition::Scrape;

const BEGIN: &str = "<!-- reference: begin; made of the catalogue in the code -->\n";
const END: &str = "<!-- reference: end -->\n";

#[test]
fn the_table_in_metrics_md_is_the_catalogue() {
    let page = file("METRICS.md");
    let (_, behind) = page.split_once(BEGIN).expect("METRICS.md has the line that begins it");
    let (table, _) = behind.split_once(END).expect("METRICS.md has the line that ends it");
    let expected = flowgauge::parts::describe();
    assert!(
        table == expected,
        "the table in METRICS.md is not the catalogue; paste between its two markers:\n\n{expected}"
    );
}

#[test]
fn metrics_md_lists_every_label_and_its_values() {
    let page = file("METRICS.md");
    // Of a run from a file into a file, as they are there from the start or since the end.
    let scrape = Scrape::parse(&file("tests/golden/metrics.txt").replace(" *\n", " 0\n"));
    let open = ["le", "quantile", "pipeline_id", "version", "revision"];
    for (label, value) in scrape.samples.iter().flat_map(|sample| &sample.labels) {
        if !open.contains(&label.as_str()) {
            let line = page.lines().find(|line| {
                line.starts_with(&format!("| `{label}`")) && line.contains(&format!("`{value}`"))
            });
            assert!(line.is_some(), "METRICS.md has no value {value} for the label {label}");
        }
    }
}

#[test]
fn the_pages_promise_no_option_that_does_not_exist() {
    // Of commands of ours, and of promtool, systemctl, docker, kubectl and Prometheus.
    let of_others = [
        "all",
        "build",
        "build-arg",
        "collector.systemd",
        "collector.textfile.directory",
        "config.file",
        "enable-feature",
        "exporter-away",
        "failed",
        "filename",
        "longest-run",
        "notify-state",
        "namespace",
        "no-same-owner",
        "now",
        "port",
        "read-only",
        "remember",
        "rm",
        "short",
        "runbooks",
        "strip-components",
        "stuck-after",
        "system",
        "target",
        "web.config.file",
        "web.enable-lifecycle",
        "web.enable-remote-write-receiver",
    ];
    for page in ["METRICS.md", "docs/operations.md", "docs/alerts.yml", "prometheus.example.yml"] {
        let text = file(page);
        let is_letter = |char: char| char.is_ascii_lowercase() || "-.".contains(char);
        for written in text.split("--").skip(1).filter(|rest| rest.starts_with(char::is_lowercase))
        {
            let end = written.find(|char| !is_letter(char)).unwrap_or(written.len());
            let name = written[..end].trim_end_matches('.');
            let exists = OPTIONS.iter().any(|option| option.name == name);
            assert!(exists || of_others.contains(&name), "{page}: there is no --{name}");
        }
    }
}

#[test]
fn every_alert_is_explained_and_every_one_that_is_named_exists() {
    let rules = file("docs/alerts.yml");
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let page = file("METRICS.md");
    for alert in &alerts {
        assert!(page.contains(&format!("\n| `{alert}` | ")), "METRICS.md: nothing about {alert}");
    }
    for page in ["METRICS.md", "docs/operations.md", "prometheus.example.yml"] {
        let text = file(page);
        for word in text.split(|char: char| !char.is_ascii_alphanumeric()) {
            let is_alert = word.starts_with("Flowgauge");
            assert!(!is_alert || alerts.contains(&word), "{page}: there is no alert {word}");
        }
    }
}

#[test]
fn every_exit_code_is_in_operations_md() {
    let page = file("docs/operations.md");
    for outcome in Outcome::ALL {
        let code = outcome.exit_code();
        assert!(page.contains(&format!("\n| {code} | ")), "nothing about exit code {code}");
    }
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}
