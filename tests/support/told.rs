//! What others have of a run: how it ended and its records, or every number of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::exposition::Scrape;

/// What is told of how a run ended: its outcome, and its records by what became of them.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub outcome: String,
    pub inserted: f64,
    pub failed: f64,
}

pub fn told(outcome: &str, inserted: usize, failed: usize) -> Told {
    Told { outcome: outcome.to_string(), inserted: inserted as f64, failed: failed as f64 }
}

/// Of a page in the text format, for the pipeline `orders`.
#[track_caller]
pub fn told_on(page: &str) -> Told {
    let scrape = Scrape::parse(page);
    let of_orders = [("pipeline_id", "orders")];
    let outcomes = scrape.series("pipeline_last_run_outcome");
    let mut outcomes =
        outcomes.filter(|one| one.value == 1.0 && one.label("pipeline_id") == Some("orders"));
    let outcome =
        outcomes.next().and_then(|one| one.label("outcome")).unwrap_or_default().to_string();
    assert!(outcomes.next().is_none(), "two outcomes");
    let records = |result: &str| {
        scrape.value("pipeline_last_run_records", &[of_orders[0], ("result", result)])
    };
    Told { outcome, inserted: records("inserted"), failed: records("failed") }
}

/// Of whatever answers queries of Prometheus, as `last_over_time` says.
pub fn told_by(query: impl Fn(&str) -> Vec<Value>) -> Option<Told> {
    let value = |series: &Value| series["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    let outcomes =
        query("last_over_time(pipeline_last_run_outcome{pipeline_id=\"orders\"}[1h]) == 1");
    let outcome = outcomes.first()?["metric"]["outcome"].as_str()?.to_string();
    let records = query("last_over_time(pipeline_last_run_records{pipeline_id=\"orders\"}[1h])");
    let of =
        |result: &str| Some(value(records.iter().find(|one| one["metric"]["result"] == result)?));
    (outcomes.len() == 1).then_some(Told {
        outcome,
        inserted: of("inserted")?,
        failed: of("failed")?,
    })
}

/// Numbers of a run by their names and labels, bounds as numbers.
pub type Numbers = BTreeMap<(String, BTreeMap<String, String>), f64>;

pub fn numbers(samples: impl Iterator<Item = (String, BTreeMap<String, String>, f64)>) -> Numbers {
    let mut numbers = Numbers::new();
    for (name, mut labels, value) in samples {
        for bound in ["le", "quantile"] {
            if let Some(text) = labels.get_mut(bound) {
                *text = text.parse::<f64>().unwrap().to_string();
            }
        }
        // Of a Pushgateway.
        labels.retain(|label, _| !["job", "instance"].contains(&label.as_str()));
        let is_own = labels.contains_key("pipeline_id") && name.starts_with("pipeline_");
        if is_own && !value.is_nan() {
            numbers.insert((name, labels), value);
        }
    }
    numbers
}

pub fn numbers_on(page: &str, id: &str) -> Numbers {
    let samples = Scrape::parse(page).samples.into_iter();
    let of_this = samples.filter(|sample| sample.label("pipeline_id") == Some(id));
    numbers(of_this.map(|sample| (sample.name, sample.labels, sample.value)))
}
