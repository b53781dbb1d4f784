//! The alert rules in a real Prometheus, from real runs: they fire, and go out after a good run.

use rustix::process::Signal;

use crate::support::program::Running;
use crate::support::prometheus::Prometheus;
use crate::support::{Flowgauge, LedgerFile, Workdir, eventually, needs, workdir};

/// Of seven records the fifth is short of a field.
const ORDERS: &str = "id,name\n1,a\n2,b\n3,c\n4,d\n5\n6,f\n7,g\n";

fn orders(workdir: &Workdir, expect_every: &str) -> Flowgauge {
    let command = workdir.flowgauge().args(["--csv-file", "orders.csv", "--pipeline-id", "orders"]);
    command.args(["--output-file", "out.jsonl", "--expect-every", expect_every])
}

/// A run that is over and waits to write its summary, and where its metrics are.
#[track_caller]
fn ended(command: Flowgauge) -> (Running, String) {
    let command = command.args(["--metrics-port", "0", "--summary-json", "-"]);
    let mut run = command.stdout_full().spawn();
    let address = run.metrics_address();
    run.wait_for_line("  read ");
    (run, address)
}

fn scrape(workdir: &Workdir, addresses: &[&str]) {
    let targets = format!("[{{\"targets\": {addresses:?}}}]");
    // Whole or not at all.
    let new = workdir.write("targets.new", targets);
    std::fs::rename(new, workdir.path("targets.json")).unwrap();
}

fn firing(alert: &str, pipeline_id: &str) -> String {
    format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\", pipeline_id=\"{pipeline_id}\"}}")
}

/// What is said of the exporter is said of no pipeline.
const OF_NONE: &str = "";

#[track_caller]
fn wait_until_it_fires(prometheus: &mut Prometheus, alert: &str, pipeline_id: &str) {
    prometheus.query_until(&firing(alert, pipeline_id), |series| !series.is_empty());
}

#[track_caller]
fn wait_until_it_is_out(prometheus: &mut Prometheus, alert: &str, pipeline_id: &str) {
    let out = format!("absent({})", firing(alert, pipeline_id));
    prometheus.query_until(&out, |series| !series.is_empty());
}

#[test]
fn alerts_fire_from_real_runs_and_go_out_after_good_ones() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let rules = workdir.flowgauge().args(["metrics", "rules", "--stuck-after", "4s"]);
    let rules = rules.args(["--longest-run", "4s", "--told-for", "20s"]).run();
    rules.assert_code(0);
    workdir.write("rules.yml", &rules.stdout);
    let config = "\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: flowgauge
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
";
    let mut prometheus = Prometheus::start(&binary, &workdir, config);

    workdir.write("orders.csv", ORDERS);
    let (failed, failed_address) = ended(orders(&workdir, "2s"));
    let slow = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "slow.jsonl"]);
    let slow = slow.args(["--pipeline-id", "slow", "--metrics-port", "0"]);
    let mut slow = slow.args(["--summary-json", "-"]).stdin_open().stdout_full().spawn();
    let slow_address = slow.metrics_address();
    scrape(&workdir, &[&failed_address, &slow_address]);
    let of_failed = [
        "FlowgaugeRunFailed",
        "FlowgaugeStateError",
        "FlowgaugeRecordsRejected",
        "FlowgaugeManyRejected",
    ];
    for alert in of_failed {
        wait_until_it_fires(&mut prometheus, alert, "orders");
    }
    let of_slow = ["FlowgaugeNoProgress", "FlowgaugeRunTooLong"];
    for alert in of_slow {
        wait_until_it_fires(&mut prometheus, alert, "slow");
    }
    failed.finish().assert_code(3);
    wait_until_it_fires(&mut prometheus, "FlowgaugeRunMissing", "orders");

    // The next night.
    workdir.write("orders.csv", ORDERS.replace("5\n", "5,e\n"));
    let (good, good_address) = ended(orders(&workdir, "1h"));
    scrape(&workdir, &[&good_address, &slow_address]);
    for alert in of_failed.into_iter().chain(["FlowgaugeRunMissing"]) {
        wait_until_it_is_out(&mut prometheus, alert, "orders");
    }
    drop(slow.stdin());
    slow.wait_for_line("  read ");
    for alert in of_slow {
        wait_until_it_is_out(&mut prometheus, alert, "slow");
    }
    good.finish().assert_code(0);
    slow.finish().assert_code(0);
}

/// Of runs that nobody scraped, and of the exporter itself.
#[test]
fn alerts_fire_from_the_exporter_and_go_out_after_good_runs() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let rules = ["metrics", "rules", "--exporter-away", "1s", "--told-for", "20s"];
    let rules = workdir.flowgauge().args(rules).run();
    rules.assert_code(0);
    workdir.write("rules.yml", &rules.stdout);
    workdir.write("orders.csv", ORDERS);
    let fails = || {
        orders(&workdir, "2s").run().assert_code(3);
    };
    fails();
    let exporter = ["exporter", "--port", "0", "--poll", "200ms"];
    let mut exporter = workdir.flowgauge().args(exporter).spawn();
    let address = exporter.metrics_address();
    let config = format!(
        "\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: flowgauge-exporter
    static_configs: [{{targets: ['{address}']}}]
"
    );
    let mut prometheus = Prometheus::start(&binary, &workdir, &config);
    wait_until_it_fires(&mut prometheus, "FlowgaugeRunFailed", "orders");
    wait_until_it_fires(&mut prometheus, "FlowgaugeNoSuccess", "orders");
    // What was counted before the first scrape is no increase.
    fails();
    wait_until_it_fires(&mut prometheus, "FlowgaugeRunsFailing", "orders");

    let killed = ["--csv-file", "-", "--pipeline-id", "orders", "--output-file", "waiting.jsonl"];
    let killed = workdir.flowgauge().args(killed).keep_stdin_open().spawn();
    let ledger = LedgerFile::of(&workdir);
    eventually("the row of the run", || {
        let open = "SELECT count(*) FROM runs WHERE outcome IS NULL";
        let open = ledger.open().query_row(open, [], |row| row.get(0));
        (open.unwrap_or(0) == 1).then_some(())
    });
    killed.signal(Signal::KILL);
    killed.finish();
    // It would be taken for lost in a minute.
    ledger.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 100 WHERE outcome IS NULL", []);
    wait_until_it_fires(&mut prometheus, "FlowgaugeRunLost", "orders");

    workdir.write("orders.csv", ORDERS.replace("5\n", "5,e\n"));
    orders(&workdir, "1h").run().assert_code(0);
    for alert in ["FlowgaugeRunFailed", "FlowgaugeNoSuccess", "FlowgaugeRunLost"] {
        wait_until_it_is_out(&mut prometheus, alert, "orders");
    }

    let (there, away) = (workdir.path("state"), workdir.path("away"));
    std::fs::rename(&there, &away).unwrap();
    wait_until_it_fires(&mut prometheus, "FlowgaugeLedgerMissing", OF_NONE);
    std::fs::rename(&away, &there).unwrap();
    wait_until_it_is_out(&mut prometheus, "FlowgaugeLedgerMissing", OF_NONE);
    exporter.signal(Signal::TERM);
    exporter.finish().assert_code(0);
    wait_until_it_fires(&mut prometheus, "FlowgaugeExporterDown", OF_NONE);
}
