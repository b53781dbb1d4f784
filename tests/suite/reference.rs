//! The pages that are held against the code, so that they cannot drift.

use std::path::Path;

use crate::support::exposition::Scrape;

const BEGIN: &str = "<!-- reference: begin; made of the catalogue in the code -->\n";
const END: &str = "<!-- reference: end -->\n";

#[test]
fn the_table_in_metrics_md_is_the_catalogue() {
    let page = file("METRICS.md");
    let (_, behind) = page.split_once(BEGIN).expect("METRICS.md has the line that begins it");
    let (table, _) = behind.split_once(END).expect("METRICS.md has the line that ends it");
    let expected = flowgauge::observe::describe();
    assert!(
        table == expected,
        "the table in METRICS.md is not the catalogue; paste between its two markers:\n\n{expected}"
    );
}

#[test]
fn metrics_md_lists_every_label_and_its_values() {
    let page = file("METRICS.md");
    // Of a scrape that has all of them, as they are there from the start or since the end.
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

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}
