//! The dashboard for Grafana: as Grafana's own schema has it, and with queries that a real Prometheus has
//! answers to, of real runs and of an exporter.

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::daemon::pushgateway;
use crate::support::database::Database;
use crate::support::orders::{orders_as, rows};
use crate::support::prometheus::Prometheus;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, small};
use crate::support::{Server, Workdir, needs, workdir};

fn printed() -> Value {
    let finished = workdir!().flowgauge().args(["metrics", "dashboard"]).run();
    finished.assert_code(0);
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn grafana_knows_all_of_it() {
    let schema = needs!("grafana_schema");
    let check = |dashboard: &Value| {
        let mut checker =
            Command::new(&schema).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        checker.stdin.take().unwrap().write_all(dashboard.to_string().as_bytes()).unwrap();
        let output = checker.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut dashboard = printed();
    assert_eq!(check(&dashboard), (true, String::new()));
    // The checker can say no.
    dashboard["panels"][1]["options"]["colour"] = "red".into();
    let (is_known, said) = check(&dashboard);
    assert!(!is_known && said.contains("colour"), "{said}");
}

#[test]
fn every_panel_has_an_answer() {
    let (binary, server) = (needs!("prometheus"), Server::mariadb(needs!("mariadb")));
    let workdir = workdir!();
    let database = Database::new(&server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, name TEXT NOT NULL)");
    let slow = ["--metrics-port", "0", "--batch-size", "20", "--max-rows-per-second", "100"];

    // A run that is over, and is in the ledger.
    workdir.write("in.csv", "id,name\n1,a\n2\n");
    let before = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "o.csv"]);
    before.args(["--pipeline-id", "orders", "--max-errors", "1"]).run().assert_code(0);
    let exporter = ["exporter", "--port", "0", "--poll", "200ms"];
    let mut exporter = workdir.flowgauge().args(exporter).spawn();
    let exported = exporter.metrics_address();

    let rows: String = (0..20_000).map(|id| format!("{id},name\n")).collect();
    workdir.write("many.csv", format!("id,name\nx\n{rows}"));
    let load = database.flowgauge(&workdir).args(["--csv-file", "many.csv", "--db-table", "t"]);
    let load = load.args(["--pipeline-id", "orders", "--max-errors", "9", "--mode", "skip"]);
    let mut load = load.args(slow).spawn();
    let busy = Script::new(Like::Elasticsearch9, small(20_000));
    let busy = busy.fault(Kind::Page, 2, Fault::Later(429, "1")).start();
    let read = busy.read_by(&workdir).args(["--output-file", "s.jsonl", "--pipeline-id", "search"]);
    let mut read = read.args(slow).spawn();
    let config = format!(
        "\
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: flowgauge
    static_configs: [{{targets: ['{}', '{}', '{exported}']}}]
",
        load.metrics_address(),
        read.metrics_address()
    );
    let mut prometheus = Prometheus::start(&binary, &workdir, &config);
    let dashboard = printed();
    let mut asked = 0;
    for target in targets(&dashboard, |_| true) {
        let what = format!("has no answer to {}", target["expr"]);
        prometheus.wait_until(&what, |server| !answer(server, target, ALL).is_empty());
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    let starts = filled(&dashboard["annotations"]["list"][0], ALL);
    let of_orders = format!("{starts} and on (pipeline_id) pipeline_state{{pipeline_id='orders'}}");
    let began = "1000 * max(pipeline_start_timestamp_seconds{pipeline_id='orders'})";
    assert_eq!(prometheus.number(&of_orders), prometheus.number(began));
    for run in [load, read, exporter] {
        run.signal(Signal::TERM);
        run.finish();
    }
}

/// What the variable is when all pipelines are chosen.
const ALL: &str = ".*";

/// As Grafana has one that is chosen.
fn chosen(pipeline_id: &str) -> String {
    let is_plain = |letter: char| !"\\^$*+?.()|[]{}/".contains(letter);
    let escaped = pipeline_id.chars().map(|letter| match is_plain(letter) {
        true => letter.to_string(),
        false => format!("\\{letter}"),
    });
    escaped.collect()
}

fn targets<'a>(
    dashboard: &'a Value,
    is_meant: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let panels = panels.filter(|panel| panel["type"] != "row");
    let meant = panels.filter(move |panel| is_meant(panel["title"].as_str().unwrap()));
    meant.flat_map(|panel| panel["targets"].as_array().unwrap())
}

fn filled(target: &Value, pipelines: &str) -> String {
    let query = target["expr"].as_str().unwrap().replace("${pipeline:regex}", pipelines);
    let query = query.replace("$__rate_interval", "4s").replace("$__interval", "1s");
    assert!(!query.contains("$_"), "{query}");
    query
}

/// The series that a panel shows, over time or of now, as it asks for them.
#[track_caller]
fn answer(prometheus: &Prometheus, target: &Value, pipelines: &str) -> Vec<Value> {
    let query = filled(target, pipelines);
    if target["range"] == true {
        prometheus.query_range(&query, 5)
    } else {
        prometheus.query(&query)
    }
}

/// Two pipelines of which the name of one, as a regular expression, is that of the other.
const EU: &str = "orders \"EU\" (a.b)";
const OTHER: &str = "orders \"EU\" a-b";

/// What the panel of the last runs says of a pipeline: how it ended, then the numbers of its columns.
#[track_caller]
fn last_run(prometheus: &Prometheus, dashboard: &Value) -> (Vec<String>, Vec<f64>) {
    let mut outcomes = Vec::new();
    let mut numbers = Vec::new();
    for target in targets(dashboard, |title| title == "The last run of each pipeline") {
        let series = answer(prometheus, target, &chosen(EU));
        assert!(series.iter().all(|one| one["metric"]["pipeline_id"] == EU), "{series:?}");
        if target["legendFormat"] == "" {
            let outcome = |one: &Value| one["metric"]["outcome"].as_str().unwrap().to_string();
            outcomes.extend(series.iter().map(outcome));
        } else if ["inserted", "updated", "skipped", "rejected", "took"]
            .contains(&target["legendFormat"].as_str().unwrap())
        {
            let value = |one: &Value| one["value"][1].as_str().unwrap().parse::<f64>().unwrap();
            numbers.extend(series.iter().map(value));
        }
    }
    (outcomes, numbers)
}

/// The same by the summary of the run.
fn summed_up(workdir: &Workdir) -> (Vec<String>, Vec<f64>) {
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    let of = |result: &str| match &summary["records"][result] {
        Value::Object(reasons) => reasons.values().filter_map(Value::as_f64).sum(),
        number => number.as_f64().unwrap(),
    };
    let records = ["inserted", "updated", "skipped", "failed"].map(of);
    let took = [summary["duration_seconds"].as_f64().unwrap()];
    let outcome = summary["outcome"].as_str().unwrap().to_string();
    (vec![outcome], took.into_iter().chain(records).collect())
}

/// Scraped, in a Pushgateway that has the run before, and known to an exporter: each number is that of the run.
#[test]
fn a_run_that_comes_in_several_ways_is_counted_once() {
    let (binary, gateway) = (needs!("prometheus"), needs!("pushgateway"));
    let workdir = workdir!();
    let gateway = pushgateway(&gateway, &workdir);
    let pushed = ["--metrics-push".to_string(), format!("http://{}", gateway.address)];
    orders_as(EU, &workdir, 7, 2).args(["--max-errors", "2"]).args(&pushed).run().assert_code(0);
    orders_as(OTHER, &workdir, 9, 0).args(&pushed).run().assert_code(0);
    let exporter = ["exporter", "--port", "0", "--poll", "200ms"];
    let mut exporter = workdir.flowgauge().args(exporter).spawn();
    workdir.write("targets.json", "[]");
    let config = format!(
        "\
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: flowgauge
    file_sd_configs: [{{files: [targets.json], refresh_interval: 1s}}]
  - job_name: flowgauge-exporter
    static_configs: [{{targets: ['{}']}}]
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: ['{}']}}]
",
        exporter.metrics_address(),
        gateway.address
    );
    let mut prometheus = Prometheus::start(&binary, &workdir, &config);
    let dashboard = printed();
    // For longer than a step of the questions below, which would not see it otherwise.
    let both = "pipeline_last_run_outcome{outcome='complete'} offset 2s == 1";
    prometheus.query_until(both, |series| series.len() == 4);
    // Longer than the second from one moment of a line to the next: what lasts less may lie between two.
    let known = "min(count_over_time(pipeline_last_run_records{result='inserted'}[1m])) > 4";
    prometheus.query_until(known, |series| !series.is_empty());

    // The gateway is not told of the next one.
    orders_as(EU, &workdir, 7, 3).args(["--max-errors", "0"]).run().assert_code(3);
    let expected = summed_up(&workdir);
    prometheus
        .query_until("pipeline_last_run_outcome{outcome='data'} == 1", |series| !series.is_empty());
    assert_eq!(last_run(&prometheus, &dashboard), expected);
    for target in targets(&dashboard, |title| ["Running now", "Records"].contains(&title)) {
        assert_eq!(answer(&prometheus, target, ALL), [Value::Null; 0]);
    }

    let failed = expected;
    workdir.write("many.csv", rows(20_000).replacen("\n1,name 1\n", "\nx\ny\nz\n1,name 1\n", 1));
    let load = workdir.flowgauge().args(["--csv-file", "many.csv", "--output-file", "many.jsonl"]);
    let load = load.args(["--pipeline-id", EU, "--metrics-port", "0", "--batch-size", "20"]);
    let load = load.args(["--max-rows-per-second", "100", "--summary-json", "summary.json"]);
    let load = load.args(["--max-errors", "3"]);
    let mut load = load.args(&pushed).args(["--metrics-push-interval", "1s"]).spawn();
    let new = workdir.write(
        "targets.new",
        format!("[{{\"targets\": ['{}']}}]", load.metrics_address()).replace('\'', "\""),
    );
    std::fs::rename(new, workdir.path("targets.json")).unwrap();
    // And the queue, which is filled at once at the start, is no part of a rate any more.
    prometheus.query_until(
        "count by (pipeline_id) (changes(pipeline_records_processed_total[6s]) > 3) == 2 \
         and time() - max by (pipeline_id) (pipeline_start_timestamp_seconds) > 8",
        |series| !series.is_empty(),
    );
    assert_eq!(last_run(&prometheus, &dashboard), failed);
    let of_now = |title: &'static str| -> Vec<f64> {
        let targets = targets(&dashboard, move |other| other == title);
        let series = targets.flat_map(|target| prometheus.query(&filled(target, &chosen(EU))));
        series.map(|one| one["value"][1].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(of_now("Running now"), [1.0]);
    let rates = of_now("Records");
    assert!(rates.len() == 2 && rates.iter().all(|rate| *rate < 150.0), "{rates:?}");
    assert_eq!(of_now("Rejected records"), [3.0]);
    assert_eq!(of_now("Errors").iter().sum::<f64>(), 3.0);
    let shares = of_now("At work");
    assert!(shares.len() == 3 && shares.iter().all(|share| *share <= 1.1), "{shares:?}");
    load.signal(Signal::TERM);
    load.finish();
    prometheus.query_until("pipeline_last_run_outcome{outcome='terminated'} == 1", |series| {
        series.len() == 2
    });
    let stopped = summed_up(&workdir);
    assert_eq!(last_run(&prometheus, &dashboard), stopped);
    // Each of the three is a point.
    let points = |title: &'static str| -> Vec<f64> {
        let series: Vec<Value> = targets(&dashboard, move |other| other == title)
            .flat_map(|target| answer(&prometheus, target, &chosen(EU)))
            .collect();
        assert_eq!(series.len(), 1, "{series:?}");
        let values = series[0]["values"].as_array().unwrap().iter();
        values.map(|pair| pair[1].as_str().unwrap().parse().unwrap()).collect()
    };
    let [_, inserted, _, _, rejected] = stopped.1[..] else { panic!("{stopped:?}") };
    assert_eq!(points("Records of each run"), [5.0, 0.0, inserted]);
    assert_eq!(points("Rejected in each run"), [2.0, 3.0, rejected]);
    assert_eq!(points("How long each run took")[1..], [failed.1[0], stopped.1[0]]);
    exporter.signal(Signal::TERM);
    exporter.finish();
}
