//! The alert rules in a real Prometheus, from real runs: they fire, and go out after a good run.

use rustix::process::Signal;

use crate::support::database::Database;
use crate::support::program::Running;
use crate::support::prometheus::Prometheus;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, small};
use crate::support::{Flowgauge, LedgerFile, Server, Workdir, eventually, needs, workdir};

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
    let rules = "--stuck-after 4s --longest-run 4s --told-for 20s";
    let mut prometheus = prometheus(&binary, &workdir, rules);

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

/// With these rules, and the targets that a file names.
fn prometheus(binary: &str, workdir: &Workdir, options: &str) -> Prometheus {
    let rules = workdir.flowgauge().args(["metrics", "rules"]).args(options.split(' ')).run();
    rules.assert_code(0);
    workdir.write("rules.yml", &rules.stdout);
    let config = "\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: flowgauge
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
";
    Prometheus::start(binary, workdir, config)
}

/// More than the pipe and the queue take.
fn many_lines() -> String {
    (0..600_000).map(|number| format!("{{\"number\":{number},\"text\":\"some text\"}}\n")).collect()
}

/// Two runs whose output nobody takes: in one the memory is the limit, in the other the queue.
#[test]
fn alerts_on_what_is_full_fire_and_go_out() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let mut prometheus = prometheus(&binary, &workdir, "--full-for 3s");
    workdir.write("in.jsonl", many_lines());
    let blocked = |id: &str, args: &str| {
        let command = workdir.flowgauge().args(["--jsonl-file", "in.jsonl", "--output-file", "-"]);
        let command = command.args(["--pipeline-id", id, "--metrics-port", "0"]);
        let command = command.args(["--metrics-until-scraped", "--metrics-scrapes", "2"]);
        let mut run = command.args(args.split(' ')).hold_stdout().spawn();
        let address = run.metrics_address();
        (run, address)
    };
    let memory = "--memory-limit 16MiB --workers 64 --batch-bytes 128KiB";
    let (memory, memory_address) = blocked("memory", memory);
    let (queue, queue_address) = blocked("queue", "--memory-limit 256MiB --workers 1");
    scrape(&workdir, &[&memory_address, &queue_address]);
    wait_until_it_fires(&mut prometheus, "FlowgaugeMemoryBudgetFull", "memory");
    wait_until_it_fires(&mut prometheus, "FlowgaugeQueueFull", "queue");
    let other = firing("FlowgaugeMemoryBudgetFull", "queue");
    assert!(prometheus.query(&other).is_empty());

    // Somebody takes it, and the last numbers are scraped.
    let taken = [memory, queue].map(|run| std::thread::spawn(move || run.finish()));
    wait_until_it_is_out(&mut prometheus, "FlowgaugeMemoryBudgetFull", "memory");
    wait_until_it_is_out(&mut prometheus, "FlowgaugeQueueFull", "queue");
    let complete = "last_over_time(pipeline_last_run_outcome{outcome='complete'}[5m]) == 1";
    prometheus.query_until(complete, |series| series.len() == 2);
    for run in taken {
        run.join().unwrap().assert_code(0);
    }
}

/// A server that asks to be left alone for seconds.
#[test]
fn an_alert_on_retries_fires_and_goes_out() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let mut prometheus = prometheus(&binary, &workdir, "--retrying-over 6s");
    let busy = Script::new(Like::Elasticsearch9, small(20)).faults(
        Kind::Page,
        2,
        4,
        Fault::Later(429, "3"),
    );
    let busy = busy.fault(Kind::Page, 5, Fault::Held).start();
    let args = ["--output-file", "o.jsonl", "--pipeline-id", "orders", "--batch-size", "5"];
    let (run, address) = ended_later(busy.read_by(&workdir).args(args));
    scrape(&workdir, &[&address]);
    wait_until_it_fires(&mut prometheus, "FlowgaugeManyRetries", "orders");
    busy.release();
    wait_until_it_is_out(&mut prometheus, "FlowgaugeManyRetries", "orders");
    prometheus.query_until("pipeline_last_run_outcome{outcome='complete'} == 1", |series| {
        !series.is_empty()
    });
    run.finish().assert_code(0);
}

/// As `ended`, of a run that has not.
#[track_caller]
fn ended_later(command: Flowgauge) -> (Running, String) {
    let command = command.args(["--metrics-port", "0", "--summary-json", "-"]);
    let mut run = command.stdout_full().spawn();
    let address = run.metrics_address();
    (run, address)
}

/// A table in which somebody holds a row.
#[test]
fn an_alert_on_slow_batches_fires_and_goes_out() {
    let (binary, server) = (needs!("prometheus"), Server::mariadb(needs!("mariadb")));
    let workdir = workdir!();
    let rules = "--slow-batch 1s --slow-over 8s --slow-for 1s";
    let mut prometheus = prometheus(&binary, &workdir, rules);
    let database = Database::new(&server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY, name TEXT)");
    let holder = database.connect();
    holder.run("START TRANSACTION");
    holder.run("INSERT INTO t VALUES (3, 'x')");
    workdir.write("in.csv", "id,name\n1,a\n2,b\n3,c\n");
    let load = || {
        let command =
            database.flowgauge(&workdir).args(["--csv-file", "in.csv", "--db-table", "t"]);
        command.args(["--mode", "skip", "--lanes", "1", "--pipeline-id", "orders"])
    };
    let (mut run, address) = ended_later(load());
    scrape(&workdir, &[&address]);
    database.wait_for_waiter();
    let waits = "time() - pipeline_start_timestamp_seconds{pipeline_id='orders'} > 4";
    prometheus.query_until(waits, |series| !series.is_empty());
    holder.run("ROLLBACK");
    run.wait_for_line("  read ");
    wait_until_it_fires(&mut prometheus, "FlowgaugeSlowInsert", "orders");
    run.finish().assert_code(0);

    let (good, address) = ended(load());
    scrape(&workdir, &[&address]);
    wait_until_it_is_out(&mut prometheus, "FlowgaugeSlowInsert", "orders");
    good.finish().assert_code(0);
}
