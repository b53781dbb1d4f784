//! The dashboard for Grafana: as Grafana's own schema has it, and with queries that a real Prometheus has
//! answers to, of real runs and of an exporter.

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::database::Database;
use crate::support::prometheus::Prometheus;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, small};
use crate::support::{Server, needs, workdir};

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
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = 0;
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "4s").replace("$pipeline", ".*");
            prometheus.query_until(&query, |series| !series.is_empty());
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
    let starts = dashboard["annotations"]["list"][0]["expr"].as_str().unwrap();
    prometheus.query(&starts.replace("$__interval", "5s").replace("$pipeline", ".*"));
    for run in [load, read, exporter] {
        run.signal(Signal::TERM);
        run.finish();
    }
}
