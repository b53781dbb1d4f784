//! Every way that a run is told of against each other, number by number, for runs that end in every way: the
//! summary in words and as JSON, the page, top, the scrape, the textfile, the Pushgateway, remote write in Prometheus, OpenLineage, the
//! ledger, and the exporter.

use std::collections::BTreeMap;
use std::io::Write;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::catalogue::Catalogue;
use crate::support::daemon::pushgateway;
use crate::support::exposition::Scrape;
use crate::support::orders::{orders_as, sampled, summary};
use crate::support::program::Running;
use crate::support::prometheus::Prometheus;
use crate::support::told::{Numbers, numbers, numbers_on};
use crate::support::{Daemon, Flowgauge, LedgerFile, Workdir, eventually, http, needs, workdir};

/// Of the last run alone, which only the exporter has.
const OF_EXPORTER: [&str; 3] =
    ["pipeline_run_info", "pipeline_run_yield_ratio", "pipeline_run_corrupt_records"];

struct Outlets {
    workdir: Workdir,
    gateway: Daemon,
    prometheus: Prometheus,
    catalogue: Catalogue,
    exporter: (Running, String),
}

impl Outlets {
    fn start(workdir: Workdir, gateway: &str, prometheus: &str) -> Outlets {
        let gateway = pushgateway(gateway, &workdir);
        let prometheus = Prometheus::start(prometheus, &workdir, "global: {}\n");
        let command = workdir.flowgauge().args(["exporter", "--port", "0", "--poll", "20ms"]);
        let mut running = command.spawn();
        let address = running.metrics_address();
        let catalogue = Catalogue::start();
        Outlets { workdir, gateway, prometheus, catalogue, exporter: (running, address) }
    }

    fn tell(&self, command: Flowgauge) -> Flowgauge {
        let push = format!("http://{}", self.gateway.address);
        let write = format!("http://{}/api/v1/write", self.prometheus.address);
        let command = command.args(["--metrics-port", "0", "--metrics-textfile", "run.prom"]);
        let command = command.args(["--metrics-push", &push, "--metrics-remote-write", &write]);
        command.args(["--expect-every", "24h", "--openlineage", &self.catalogue.url])
    }

    fn from(&self, flag: &str, name: &str, id: &str) -> Flowgauge {
        let command = self.workdir.flowgauge().args([flag, name, "--output-file", "from.jsonl"]);
        command.args(["--pipeline-id", id, "--summary-json", "summary.json"])
    }

    fn in_gateway(&self, id: &str) -> Numbers {
        numbers_on(&self.gateway.get("/metrics"), id)
    }

    fn in_prometheus(&self, id: &str) -> Numbers {
        let series =
            self.prometheus.query(&format!("{{__name__=~\"pipeline_.+\",pipeline_id=\"{id}\"}}"));
        numbers(series.iter().map(|one| {
            let labels = one["metric"].as_object().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_string();
            let mut labels: BTreeMap<String, String> =
                labels.map(|(name, value)| (name.clone(), text(value))).collect();
            let name = labels.remove("__name__").unwrap();
            (name, labels, text(&one["value"][1]).parse().unwrap())
        }))
    }

    /// Once it shows this run as the last one.
    fn in_exporter(&self, id: &str, run_id: &str) -> Numbers {
        eventually("the run in the exporter", || {
            let page = http::get(&self.exporter.1, "/metrics").unwrap().text().to_string();
            let labels = [("pipeline_id", id), ("run_id", run_id)];
            let is_there = Scrape::parse(&page).find("pipeline_run_info", &labels).is_some();
            is_there.then(|| numbers_on(&page, id))
        })
    }
}

fn of<'a>(numbers: &'a Numbers, id: &'a str) -> impl Fn(&str, &[(&str, &str)]) -> f64 + 'a {
    move |name, labels| {
        let own = [("pipeline_id", id)];
        let labels = own.iter().chain(labels);
        let labels = labels.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let key = (name.to_string(), labels);
        *numbers.get(&key).unwrap_or_else(|| panic!("no {key:?}"))
    }
}

/// Every number of the exporter that a run has as well is that of the run.
#[track_caller]
fn assert_exported(exported: &Numbers, scraped: &Numbers) {
    let mut names: Vec<&str> = exported.keys().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    assert!(names.len() >= 10, "{names:?}");
    for (key, value) in exported.iter().filter(|((name, _), _)| !OF_EXPORTER.contains(&&**name)) {
        assert_eq!(scraped.get(key), Some(value), "{key:?}");
    }
}

/// The numbers in the words of the summary: `read 9 = inserted 7 + ... + failed 2`.
fn in_words(finished: &str) -> BTreeMap<String, u64> {
    let line = finished.lines().find(|line| line.trim_start().starts_with("read ")).unwrap();
    let parts = line.trim().split(';').next().unwrap().split(['=', '+']);
    let number = |part: &str| {
        let (name, number) = part.trim().rsplit_once(' ')?;
        Some((name.to_string(), number.replace(',', "").parse().ok()?))
    };
    parts.filter_map(number).collect()
}

/// The row of the run and its other rows, under the names of the summary.
fn in_ledger(workdir: &Workdir, run_id: &str) -> Value {
    let shown = workdir.flowgauge().args(["runs", "show", run_id, "--format", "json"]).run();
    shown.assert_code(0);
    serde_json::from_str(&shown.stdout).unwrap()
}

#[track_caller]
fn assert_kept(ledger: &Value, summary: &Value) {
    let (records, bytes) = (&summary["records"], &summary["bytes"]);
    for (kept, told) in [
        ("run_id", &summary["run_id"]),
        ("outcome", &summary["outcome"]),
        ("exit_code", &summary["exit_code"]),
        ("error", &summary["error"]),
        ("started_at", &summary["started_at_seconds"]),
        ("finished_at", &summary["ended_at_seconds"]),
        ("duration_s", &summary["duration_seconds"]),
        ("read", &records["read"]),
        ("inserted", &records["inserted"]),
        ("updated", &records["updated"]),
        ("duplicate", &records["skipped"]["duplicate"]),
        ("unchanged", &records["skipped"]["unchanged"]),
        ("filtered", &records["skipped"]["filtered"]),
        ("failed", &records["failed"]),
        ("residual", &records["residual"]),
        ("bytes_read", &bytes["read"]),
        ("bytes_written", &bytes["written"]),
        ("rejects_path", &summary["rejects_file"]),
        ("verdict", &summary["limit"]),
    ] {
        assert_eq!(&ledger[kept], told, "{kept}");
    }
    for kept in ledger["stages"].as_array().unwrap() {
        let stage = kept["stage"].as_str().unwrap();
        let told = &summary["stages"][stage];
        if stage != "batch" {
            assert_eq!(kept["busy_s"], told["busy_seconds"], "{stage}");
            for wait in ["input", "output", "retry", "throttle"] {
                assert_eq!(
                    kept[format!("wait_{wait}_s")],
                    told["wait_seconds"][wait],
                    "{stage} {wait}"
                );
            }
        }
        let latency = &summary["latency_seconds"][stage];
        for quantile in ["p50", "p95", "p99"].iter().filter(|_| kept["count"].as_u64() > Some(0)) {
            assert_eq!(kept[format!("{quantile}_s")], latency[quantile], "{stage} {quantile}");
        }
    }
    let mut rejected = BTreeMap::new();
    for row in ledger["rejects"].as_array().unwrap() {
        *rejected.entry(row["error_type"].as_str().unwrap().to_string()).or_insert(0) +=
            row["count"].as_u64().unwrap();
    }
    assert_eq!(json!(rejected), summary["rejected"]);
    let kept = ledger["errors"].as_array().unwrap();
    let told = summary["errors"].as_object().unwrap().values();
    assert_eq!(kept.len(), told.map(|stage| stage.as_object().unwrap().len()).sum::<usize>());
    for row in kept {
        let stage = &summary["errors"][row["stage"].as_str().unwrap()];
        let told = &stage[row["error_type"].as_str().unwrap()];
        for (kept, name) in [
            ("count", "count"),
            ("first_at", "first_at_seconds"),
            ("last_at", "last_at_seconds"),
            ("last_message", "last_message"),
        ] {
            assert_eq!(row[kept], told[name], "{row}");
        }
    }
    let routes = |rows: &Value| -> BTreeMap<String, bool> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["route"].as_str().unwrap().to_string(), row["ok"].as_bool().unwrap()))
            .collect()
    };
    assert_eq!(routes(&ledger["reports"]), routes(&summary["reports"]));
}

/// A reader of JSON may miss the last bit of a number.
#[track_caller]
fn assert_same(scraped: f64, told: &Value, what: &str) {
    let told = told.as_f64().unwrap_or_else(|| panic!("{what}: {told}"));
    assert!((scraped - told).abs() < 1e-6, "{what}: {scraped} {told}");
}

#[track_caller]
fn assert_summarized(summary: &Value, scraped: &Numbers, id: &str) {
    let scraped_of = of(scraped, id);
    let records = &summary["records"];
    for name in ["read", "processed", "inserted", "updated", "failed"] {
        let value = scraped_of(&format!("pipeline_records_{name}_total"), &[]);
        assert_eq!(Some(value), records[name].as_f64(), "{name}");
    }
    for reason in ["duplicate", "unchanged", "filtered"] {
        // A series that cannot move in this run is not there.
        if reason == "filtered" && records["skipped"][reason] == 0 {
            continue;
        }
        let value = scraped_of("pipeline_records_skipped_total", &[("reason", reason)]);
        assert_eq!(Some(value), records["skipped"][reason].as_f64(), "{reason}");
    }
    for (name, told) in [
        ("pipeline_records_residual", &records["residual"]),
        ("pipeline_last_run_duration_seconds", &summary["duration_seconds"]),
        ("pipeline_last_completion_timestamp_seconds", &summary["ended_at_seconds"]),
        ("pipeline_start_timestamp_seconds", &summary["started_at_seconds"]),
    ] {
        assert_same(scraped_of(name, &[]), told, name);
    }
    for way in ["read", "written"] {
        let name = format!("pipeline_bytes_{way}_total");
        let (_, value) = scraped.iter().find(|((found, _), _)| *found == name).unwrap();
        assert_eq!(Some(*value), summary["bytes"][way].as_f64(), "{name}");
    }
    for stage in ["fetch", "convert", "insert"] {
        let busy = scraped_of("pipeline_stage_busy_seconds_total", &[("stage", stage)]);
        assert_same(busy, &summary["stages"][stage]["busy_seconds"], stage);
    }
    let errors = scraped
        .iter()
        .filter(|((name, _), value)| name == "pipeline_errors_total" && **value > 0.0);
    let errors: Vec<_> = errors.collect();
    let told = summary["errors"].as_object().unwrap().values();
    assert_eq!(errors.len(), told.map(|stage| stage.as_object().unwrap().len()).sum::<usize>());
    for ((_, labels), value) in errors {
        let told = &summary["errors"][&labels["stage"]][&labels["error_type"]];
        assert_eq!(told["count"].as_f64(), Some(*value), "{labels:?}");
    }
    let outcome = summary["outcome"].as_str().unwrap();
    assert_eq!(scraped_of("pipeline_last_run_outcome", &[("outcome", outcome)]), 1.0);
    assert_eq!(scraped_of("pipeline_runs_total", &[("outcome", outcome)]), 1.0);
}

/// What a catalogue has: the same balance, and what is certainly read and written.
#[track_caller]
fn assert_in_catalogue(end: &Value, summary: &Value, id: &str) {
    let balance = &end["run"]["facets"]["flowgauge_balance"];
    let records = &summary["records"];
    for name in ["read", "inserted", "updated", "skipped", "failed", "residual", "unknown"] {
        assert_eq!(balance["records"][name], records[name], "{id}, {name}");
    }
    for way in ["read", "written"] {
        assert_eq!(balance["bytes"][way], summary["bytes"][way], "{id}, {way}");
    }
    for name in ["outcome", "published"] {
        assert_eq!(balance[name], summary[name], "{id}, {name}");
    }
    assert_eq!(balance["durationSeconds"], summary["duration_seconds"], "{id}");
    assert_eq!(end["run"]["runId"], summary["run_id"], "{id}");
    if let Some(input) = end["inputs"].get(0) {
        assert_eq!(input["inputFacets"]["inputStatistics"]["rowCount"], records["read"], "{id}");
    }
    let written = &end["outputs"][0]["outputFacets"]["outputStatistics"];
    let (rows, size) = match summary["published"] == true {
        // JSON lines have no header.
        true => (&records["inserted"], &summary["bytes"]["written"]),
        false => (&Value::Null, &Value::Null),
    };
    assert_eq!((&written["rowCount"], &written["size"]), (rows, size), "{id}");
}

#[test]
fn every_way_out_has_the_same_numbers() {
    let (gateway, prometheus) = (needs!("pushgateway"), needs!("prometheus"));
    let outlets = Outlets::start(workdir!(), &gateway, &prometheus);
    let workdir = &outlets.workdir;
    for (id, code) in
        [("complete", 0), ("terminated", 143), ("refused", 2), ("rejected", 0), ("over", 3)]
    {
        let command = match id {
            "complete" => orders_as(id, workdir, 500, 0),
            "rejected" => orders_as(id, workdir, 9, 2).args(["--max-errors", "2"]),
            "over" => orders_as(id, workdir, 9, 2),
            "terminated" => outlets.from("--jsonl-file", "-", id).stdin_open(),
            _ => outlets.from("--csv-file", "absent.csv", id),
        };
        let mut run = outlets.tell(command).args(["--metrics-until-scraped"]).spawn();
        let address = run.metrics_address();
        if id == "terminated" {
            run.stdin().write_all(sampled().as_bytes()).unwrap();
            run.signal(Signal::TERM);
        }
        run.wait_for_line("the last numbers are served until they are scraped");
        // A scrape ends the wait, so those that only look come first.
        let page = http::get(&address, "/run.json").unwrap();
        let page: Value = serde_json::from_str(page.text()).unwrap();
        let top = ["top", "--once", "--format", "json", &address];
        let top = workdir.flowgauge().args(top).run();
        let top: Value = serde_json::from_str(&top.stdout).unwrap();
        let scraped = numbers_on(&Scrape::of(&address).text, id);
        let finished = run.finish();
        finished.assert_code(code);
        assert!(scraped.len() > 150, "{}", scraped.len());
        assert_eq!(numbers_on(&workdir.read("run.prom"), id), scraped, "{id}, the file");
        assert_eq!(outlets.in_gateway(id), scraped, "{id}, the Pushgateway");
        assert_eq!(outlets.in_prometheus(id), scraped, "{id}, remote write");
        let summary = summary(workdir);
        assert_summarized(&summary, &scraped, id);
        for (shown, by) in [(&page, "page"), (&top["runs"][0]["run"], "top")] {
            assert_eq!(shown["outcome"], summary["outcome"], "{id}, {by}");
            for name in ["read", "processed", "inserted", "updated", "failed", "residual"] {
                let told = &summary["records"][name];
                assert_eq!(&shown["records"][name], told, "{id}, {by}, {name}");
            }
        }
        assert_in_catalogue(&outlets.catalogue.both().1, &summary, id);
        let run_id = summary["run_id"].as_str().unwrap();
        assert_kept(&in_ledger(workdir, run_id), &summary);
        assert_exported(&outlets.in_exporter(id, run_id), &scraped);
        // One that was refused has no table.
        if id != "refused" {
            let words = in_words(&finished.stderr);
            assert!(words.len() >= 5, "{words:?}");
            for (name, value) in words {
                let told = match name.as_str() {
                    "skipped" => continue,
                    "not settled" => &summary["records"]["residual"],
                    name => &summary["records"][name],
                };
                assert_eq!(told.as_u64(), Some(value), "{id}, {name}");
            }
        }
    }
}

/// A run that is killed says no end by itself; all have its last numbers, and the ledger and the exporter that it was
/// lost.
#[test]
fn a_run_that_was_killed_is_lost_with_the_numbers_that_all_had_last() {
    let (gateway, prometheus) = (needs!("pushgateway"), needs!("prometheus"));
    let outlets = Outlets::start(workdir!(), &gateway, &prometheus);
    let id = "killed";
    let command = outlets.from("--jsonl-file", "-", id).args(["--metrics-push-interval", "1s"]);
    let mut run = outlets.tell(command).stdin_open().spawn();
    let address = run.metrics_address();
    let mut stdin = run.stdin();
    // More than one batch, of which the last stays open.
    stdin.write_all(sampled().repeat(8).as_bytes()).unwrap();
    let ledger = LedgerFile::of(&outlets.workdir);
    let labels = BTreeMap::from([("pipeline_id".to_string(), id.to_string())]);
    let of_records = |numbers: &Numbers| {
        ["read", "inserted"].map(|name| {
            let key = (format!("pipeline_records_{name}_total"), labels.clone());
            numbers.get(&key).copied().unwrap_or_default()
        })
    };
    // The last of them has them some seconds later.
    eventually("everybody to have the numbers", || {
        let row = "SELECT read, inserted FROM run_summary";
        let kept: [f64; 2] =
            ledger.open().query_row(row, [], |row| Ok([row.get(0)?, row.get(1)?])).ok()?;
        let file = std::fs::read_to_string(outlets.workdir.path("run.prom")).unwrap_or_default();
        let all = [numbers_on(&file, id), outlets.in_gateway(id), outlets.in_prometheus(id)];
        let is_same = all.iter().all(|numbers| of_records(numbers) == kept);
        (is_same && kept[0] > 0.0 && kept[0] == kept[1]).then_some(())
    });
    let scraped = numbers_on(&Scrape::of(&address).text, id);
    run.signal(Signal::KILL);
    run.finish();
    let run_id = ledger.text("SELECT run_id FROM runs");
    ledger.execute("UPDATE runs SET heartbeat_at = heartbeat_at - 100", []);
    let exported = outlets.in_exporter(id, &run_id);
    outlets.workdir.flowgauge().arg("runs").run().assert_code(0);
    let kept = in_ledger(&outlets.workdir, &run_id);
    assert_eq!((&kept["outcome"], &kept["exit_code"]), (&json!("lost"), &Value::Null));
    for (way, numbers) in [
        ("scrape", &scraped),
        ("file", &numbers_on(&outlets.workdir.read("run.prom"), id)),
        ("Pushgateway", &outlets.in_gateway(id)),
        ("remote write", &outlets.in_prometheus(id)),
    ] {
        let number = of(numbers, id);
        for name in ["read", "inserted", "failed"] {
            let value = number(&format!("pipeline_records_{name}_total"), &[]);
            assert_eq!(kept[name].as_f64(), Some(value), "{way}, {name}");
        }
        let bytes = [("format", "jsonl")];
        let read = number("pipeline_bytes_read_total", &bytes);
        assert_eq!(Some(read), kept["bytes_read"].as_f64(), "{way}");
        let outcomes = numbers.keys().filter(|(name, _)| name == "pipeline_last_run_outcome");
        assert_eq!(outcomes.count(), 0, "{way}: nobody has said how it ended");
    }
    let number = of(&exported, id);
    for (result, name) in [("inserted", "inserted"), ("updated", "updated"), ("failed", "failed")] {
        let value = number("pipeline_last_run_records", &[("result", result)]);
        assert_eq!(kept[name].as_f64(), Some(value), "{name}");
    }
    assert_eq!(number("pipeline_last_run_outcome", &[("outcome", "lost")]), 1.0);
    assert_eq!(number("pipeline_runs_total", &[("outcome", "lost")]), 1.0);
    let ended = number("pipeline_last_completion_timestamp_seconds", &[]);
    assert_same(ended, &kept["heartbeat_at"], "heartbeat");
    let again = outlets.in_exporter(id, &run_id);
    assert_eq!(again, exported, "it is the same when it is written");
    drop(stdin);
}
