//! What catalogues are told by `--openlineage`: what a run reads and writes when it begins, and how it ended,
//! held against the published schemas and the official client.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::catalogue::{CREATED, Catalogue, assert_valid, event};
use crate::support::database::Database;
use crate::support::indices::Indices;
use crate::support::orders::{orders, report, rows, sampled, summary};
use crate::support::receiver::{Arrival, Reply};
use crate::support::secrets::{HEADER, PASSWORD, PATH, TOKEN, assert_no_secret};
use crate::support::{Server, Workdir, eventually, needs, on_both, test_name, workdir};

const RUN: &str = "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11";
const BUSY: Reply = Reply::Bytes("HTTP/1.1 503 Later\r\nconnection: close\r\n\r\n");

/// A file as a data set.
fn file(workdir: &Workdir, name: &str) -> (Value, Value) {
    (json!("file"), json!(workdir.path(name).to_str().unwrap()))
}

fn named(dataset: &Value) -> (Value, Value) {
    (dataset["namespace"].clone(), dataset["name"].clone())
}

/// The names in a facet of fields.
fn fields(facet: &Value) -> Vec<&str> {
    facet["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect()
}

/// Which field of which data set each column is made of.
fn origins(output: &Value) -> Vec<(String, String, String)> {
    let columns = output["facets"]["columnLineage"]["fields"].as_object().unwrap();
    let one = |(column, made): (&String, &Value)| {
        let from = made["inputFields"].as_array().unwrap();
        let text = |name: &str| from[0][name].as_str().unwrap().to_string();
        (column.clone(), text("name"), text("field"))
    };
    columns.iter().map(one).collect()
}

#[test]
fn a_complete_run_is_a_start_and_a_complete_with_what_it_moved() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let command = orders(&workdir, 7, 2).args(["--max-errors", "2", "--select", "nr=id,name"]);
    command.args(["--openlineage", &catalogue.url]).run().assert_code(0);
    let (start, end) = catalogue.both();
    let summary = summary(&workdir);
    assert_eq!(end["eventType"], "COMPLETE");
    assert_eq!(start["run"]["runId"], summary["run_id"]);
    assert_eq!(start["job"]["namespace"], "default");
    assert_eq!(start["job"]["name"], "orders");
    assert_eq!(start["job"]["facets"]["jobType"]["processingType"], "BATCH");
    assert_eq!(start["run"]["facets"]["processing_engine"]["name"], "flowgauge");
    assert_eq!(start["run"]["facets"].as_object().unwrap().len(), 1);
    for event in [&start, &end] {
        let ([input], [output]) = (array(&event["inputs"]), array(&event["outputs"])) else {
            panic!("{event:#}")
        };
        assert_eq!(named(input), file(&workdir, "orders.csv"));
        assert_eq!(named(output), file(&workdir, "out.jsonl"));
        assert_eq!(fields(&input["facets"]["schema"]), ["id", "name"]);
        assert_eq!(fields(&output["facets"]["schema"]), ["nr", "name"]);
        let read = workdir.path("orders.csv").display().to_string();
        let from =
            |column: &str, field: &str| (column.to_string(), read.clone(), field.to_string());
        assert_eq!(origins(output), [from("name", "name"), from("nr", "id")]);
    }
    assert_eq!(start["inputs"][0].get("inputFacets"), None);
    assert_eq!(start["outputs"][0].get("outputFacets"), None);
    let size = |name: &str| fs::metadata(workdir.path(name)).unwrap().len();
    let statistics = &end["inputs"][0]["inputFacets"]["inputStatistics"];
    assert_statistics(statistics, &json!(7), Some(size("orders.csv")), Some(1));
    let statistics = &end["outputs"][0]["outputFacets"]["outputStatistics"];
    assert_statistics(statistics, &json!(5), Some(size("out.jsonl")), Some(1));
    let change = |event: &Value| {
        event["outputs"][0]["facets"]["lifecycleStateChange"]["lifecycleStateChange"].clone()
    };
    assert_eq!(change(&end), "CREATE");
    assert_balance(&end, &summary);
    assert_eq!(report(&workdir, "openlineage"), (true, String::new()));
    orders(&workdir, 3, 0).args(["--openlineage", &catalogue.url]).run().assert_code(0);
    let (_, again) = catalogue.both();
    assert_eq!(change(&again), "OVERWRITE");
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[track_caller]
fn assert_statistics(facet: &Value, rows: &Value, size: Option<u64>, files: Option<u64>) {
    assert_eq!(&facet["rowCount"], rows);
    assert_eq!(facet["size"].as_u64(), size);
    assert_eq!(facet["fileCount"].as_u64(), files);
}

/// The numbers of the run as the summary has them.
#[track_caller]
fn assert_balance(end: &Value, summary: &Value) {
    let balance = &end["run"]["facets"]["flowgauge_balance"];
    assert_eq!(balance["outcome"], summary["outcome"]);
    assert_eq!(balance["published"], summary["published"]);
    for name in ["read", "inserted", "updated", "skipped", "failed", "residual", "unknown"] {
        assert_eq!(balance["records"][name], summary["records"][name], "{name}");
    }
    for name in ["read", "written"] {
        assert_eq!(balance["bytes"][name], summary["bytes"][name], "{name}");
    }
}

/// Nothing was published, so that nothing is said to be written.
#[test]
fn a_run_over_its_budget_fails_with_its_reason() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let command = orders(&workdir, 7, 3).args(["--max-errors", "1"]);
    command.args(["--openlineage", &catalogue.url]).run().assert_code(3);
    let (_, end) = catalogue.both();
    let summary = summary(&workdir);
    assert_eq!(end["eventType"], "FAIL");
    assert_eq!(end["run"]["facets"]["errorMessage"]["message"], summary["error"]);
    assert_eq!(end["outputs"][0].get("outputFacets"), None);
    assert_eq!(end["outputs"][0]["facets"].get("lifecycleStateChange"), None);
    assert_balance(&end, &summary);
}

#[test]
fn a_signal_aborts_a_run() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--pipeline-id", "orders", "--summary-json", "summary.json"]);
    let mut run = command.args(["--openlineage", &catalogue.url]).stdin_open().spawn();
    run.stdin().write_all(sampled().as_bytes()).unwrap();
    run.wait_for_line("orders: jsonl");
    run.signal(Signal::TERM);
    run.finish().assert_code(143);
    let (start, end) = catalogue.both();
    assert_eq!(end["eventType"], "ABORT");
    assert_eq!(end["run"]["facets"].get("errorMessage"), None);
    // Standard input is no data set.
    assert_eq!(start["inputs"], json!([]));
    assert_eq!(named(&start["outputs"][0]), file(&workdir, "out.jsonl"));
    assert_balance(&end, &summary(&workdir));
}

/// Each run has both events, also one that never had both ends open.
#[test]
fn a_run_that_is_refused_is_a_start_and_a_fail() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let command = workdir.flowgauge().args(["--csv-file", "absent.csv", "--output-file", "-"]);
    let command = command.args(["--pipeline-id", "orders", "--summary-json", "summary.json"]);
    command.args(["--openlineage", &catalogue.url]).run().assert_code(2);
    let (start, end) = catalogue.both();
    assert_eq!(end["eventType"], "FAIL");
    assert_eq!(named(&start["inputs"][0]), file(&workdir, "absent.csv"));
    assert_eq!(start["inputs"][0]["facets"].get("schema"), None);
    assert_eq!(start["outputs"], json!([]));
    assert_eq!(end["run"]["facets"]["errorMessage"]["message"], summary(&workdir)["error"]);
}

/// The run that is on tells of the job.
#[test]
fn a_run_that_is_locked_out_tells_nothing() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let command = || {
        let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
        command.args(["--pipeline-id", "orders"]).stdin_open()
    };
    let first = command().spawn();
    eventually("its lock", || workdir.exists(".out.jsonl.lock").then_some(()));
    command().args(["--openlineage", &catalogue.url]).run().assert_code(75);
    assert_eq!(catalogue.events(), [Value::Null; 0]);
    drop(first);
}

/// Of several files nobody counts which one a record came from; a pattern is its folder.
#[test]
fn several_files_are_several_inputs_without_statistics() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    fs::create_dir(workdir.path("in")).unwrap();
    for name in ["a.csv", "in/1.csv", "in/2.csv"] {
        workdir.write(name, rows(2));
    }
    let tell = |files: &[&str]| {
        let command = workdir.flowgauge().args(files.iter().flat_map(|file| ["--csv-file", file]));
        let command = command.args(["--output-file", "out.csv", "--openlineage", &catalogue.url]);
        command.run().assert_code(0);
        catalogue.both().1
    };
    let end = tell(&["a.csv", "in/*.csv"]);
    let inputs = array(&end["inputs"]);
    assert_eq!(
        inputs.iter().map(named).collect::<Vec<_>>(),
        [file(&workdir, "a.csv"), file(&workdir, "in")]
    );
    assert!(inputs.iter().all(|input| input.get("inputFacets").is_none()));
    let made = &end["outputs"][0]["facets"]["columnLineage"]["fields"]["id"]["inputFields"];
    assert_eq!(array(made).len(), 2);
    let statistics = tell(&["in/*.csv"])["inputs"][0]["inputFacets"]["inputStatistics"].clone();
    assert_statistics(&statistics, &json!(4), Some(2 * rows(2).len() as u64), Some(2));
}

/// Its records are not those of the file beside it.
#[test]
fn a_file_beside_a_pipe_has_no_statistics() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    workdir.write("a.csv", rows(2));
    let command = workdir.flowgauge().args(["--csv-file", "a.csv", "--csv-file", "-"]);
    let command = command.args(["--output-file", "out.csv", "--openlineage", &catalogue.url]);
    command.stdin(rows(3)).run().assert_code(0);
    let end = catalogue.both().1;
    let inputs = array(&end["inputs"]);
    assert_eq!(inputs.iter().map(named).collect::<Vec<_>>(), [file(&workdir, "a.csv")]);
    assert_eq!(inputs[0].get("inputFacets"), None);
    let statistics = &end["outputs"][0]["outputFacets"]["outputStatistics"];
    assert_eq!(statistics["rowCount"], 5);
}

/// Long names are repeated with each column, and a catalogue takes no event of any size.
#[test]
fn events_of_long_names_stay_small() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let names: Vec<String> = (0..600).map(|at| format!("{at:0>500}")).collect();
    let text = format!("{}\n{}\n", names.join(","), vec!["1"; names.len()].join(","));
    let mut command = workdir.flowgauge().args(["--output-file", "out.jsonl"]);
    for at in 0..10 {
        let name = format!("{at}.csv");
        workdir.write(&name, &text);
        command = command.args(["--csv-file", &name]);
    }
    command.args(["--openlineage", &catalogue.url]).run().assert_code(0);
    let (start, end) = catalogue.both();
    for event in [start, end] {
        assert!(event.to_string().len() < 3 << 20, "{}", event.to_string().len());
        assert_eq!(array(&event["inputs"]).len(), 10);
    }
}

on_both! {
    needs!("mariadb"), needs!("mysql");
    a_table_is_told_with_its_types
}

fn a_table_is_told_with_its_types(server: &Server) {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let database = Database::new(server);
    workdir.write("in.csv", rows(9) + "9,name 9\n9,again\n");
    let command = || {
        let command =
            database.flowgauge(&workdir).args(["--csv-file", "in.csv", "--db-table", "t"]);
        let command = command.args(["--pipeline-id", "orders", "--summary-json", "summary.json"]);
        command.args(["--mode", "upsert", "--key", "id", "--openlineage", &catalogue.url])
    };
    let create = ["--create-table", "--types", "id=int,name=text"];
    command().args(create).run().assert_code(0);
    let (start, end) = catalogue.both();
    let summary = summary(&workdir);
    for event in [&start, &end] {
        let output = &event["outputs"][0];
        assert_eq!(output["namespace"], format!("mysql://{}", server.address));
        assert_eq!(output["name"], format!("{}.t", database.name));
        assert_eq!(fields(&output["facets"]["schema"]), ["id", "name"]);
        let kinds = array(&output["facets"]["schema"]["fields"]);
        let declared = database.client.lines(
            "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name = 't' ORDER BY ordinal_position",
        );
        assert_eq!(
            kinds.iter().map(|one| one["type"].as_str().unwrap()).collect::<Vec<_>>(),
            declared
        );
        let read = workdir.path("in.csv").display().to_string();
        let from = |field: &str| (field.to_string(), read.clone(), field.to_string());
        assert_eq!(origins(output), [from("id"), from("name")]);
    }
    let output = &end["outputs"][0];
    assert_eq!(output["facets"]["lifecycleStateChange"]["lifecycleStateChange"], "CREATE");
    let records = &summary["records"];
    let written =
        json!(records["inserted"].as_u64().unwrap() + records["updated"].as_u64().unwrap());
    assert_eq!(written, 10, "{records}");
    assert_statistics(&output["outputFacets"]["outputStatistics"], &written, None, None);
    assert_balance(&end, &summary);
    // What is there already is not written.
    command().run().assert_code(0);
    let (_, end) = catalogue.both();
    let output = &end["outputs"][0];
    assert_eq!(output["facets"].get("lifecycleStateChange"), None);
    let rows = output["outputFacets"]["outputStatistics"]["rowCount"].as_u64().unwrap();
    assert!(rows < 10, "{rows}");
    // Rows of a run that fails stay in the table, and are told.
    workdir.write("in.csv", "id,name\n20,a\n21,b\nx,c\n");
    let failing = command().args(["--batch-size", "1", "--lanes", "1", "--max-errors", "0"]);
    failing.run().assert_code(3);
    let (_, end) = catalogue.both();
    assert_eq!(end["eventType"], "FAIL");
    let there = database.client.number("SELECT COUNT(*) FROM t WHERE id >= 20");
    let told = &end["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"];
    assert_eq!(told.as_u64(), Some(there));
    let said = end.to_string();
    assert!(!said.contains(crate::support::database::SECRET), "{said}");
}

#[test]
fn an_index_is_told_with_its_mapping() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let index = indices.make(
        "orders",
        json!({ "mappings": { "properties": {
            "id": { "type": "long" }, "name": { "type": "keyword" }
        } } }),
    );
    let documents: Vec<_> =
        (0..6).map(|n| (n.to_string(), format!("{{\"id\":{n},\"name\":\"n{n}\"}}"))).collect();
    indices.fill(&index, &documents);
    let run = |output: &str| {
        let url = format!("http://{}", indices.address);
        let command = workdir.flowgauge().args(["--es-url", &url, "--es-index", &index]);
        let command = command.args(["--output-file", output, "--openlineage", &catalogue.url]);
        command.args(["--summary-json", "summary.json"]).run().assert_code(0);
        catalogue.both()
    };
    for output in ["out.jsonl", "out.csv"] {
        let (start, end) = run(output);
        for event in [&start, &end] {
            let input = &event["inputs"][0];
            assert_eq!(input["namespace"], format!("elasticsearch://{}", indices.address));
            assert_eq!(input["name"], index);
            let schema = array(&input["facets"]["schema"]["fields"]);
            assert_eq!(schema[0], json!({ "name": "id", "type": "long" }));
            assert_eq!(schema[1], json!({ "name": "name", "type": "keyword" }));
            let from = |field: &str| (field.to_string(), index.clone(), field.to_string());
            assert_eq!(origins(&event["outputs"][0]), [from("id"), from("name")]);
        }
        let summary = summary(&workdir);
        let statistics = &end["inputs"][0]["inputFacets"]["inputStatistics"];
        assert_statistics(statistics, &json!(6), summary["bytes"]["read"].as_u64(), None);
        let statistics = &end["outputs"][0]["outputFacets"]["outputStatistics"];
        let size = fs::metadata(workdir.path(output)).unwrap().len();
        assert_statistics(statistics, &json!(6), Some(size), Some(1));
    }
}

/// The start is said again at the end, and in its order.
#[test]
fn a_catalogue_that_comes_later_gets_both_events() {
    let workdir = workdir!();
    let catalogue = Catalogue::with_replies(vec![BUSY, CREATED]);
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--summary-json", "summary.json", "--require-report"]);
    let mut run = command.args(["--openlineage", &catalogue.url]).stdin_open().spawn();
    run.stdin().write_all(sampled().as_bytes()).unwrap();
    let first = event(&catalogue.next());
    run.close_stdin();
    let finished = run.finish();
    finished.assert_code(0);
    assert!(!finished.stderr.contains("did not arrive"), "{}", finished.stderr);
    let (start, end) = catalogue.both();
    assert_eq!((&start, &end["eventType"]), (&first, &json!("COMPLETE")));
}

/// It has most likely heard of the start, and the end has what the start has.
#[test]
fn a_start_that_may_have_been_taken_is_not_sent_again_at_the_end() {
    let workdir = workdir!();
    let catalogue = Catalogue::with_replies(vec![Reply::Closed, CREATED]);
    let command = orders(&workdir, 5, 0).args(["--openlineage", &catalogue.url]);
    command.args(["--require-report"]).run().assert_code(0);
    assert_eq!(catalogue.both().1["eventType"], "COMPLETE");
}

/// The data is there before anybody has answered, and a second signal lets go of who never does.
#[test]
fn a_catalogue_that_hangs_never_holds_up_the_data() {
    let workdir = workdir!();
    let catalogue = Catalogue::with_replies(vec![Reply::Nothing]);
    let mut run = orders(&workdir, 5, 0).args(["--openlineage", &catalogue.url]).spawn();
    assert_eq!(event(&catalogue.next())["eventType"], "START");
    eventually("the data", || workdir.exists("out.jsonl").then_some(()));
    run.signal(Signal::TERM);
    run.wait_for_line("SIGTERM");
    run.signal(Signal::TERM);
    run.finish().assert_code(0);
    let (is_ok, reason) = report(&workdir, "openlineage");
    assert!(!is_ok && reason.contains("a second signal ended it"), "{reason}");
}

/// Beside a START that hangs, all that is told is bounded as with the other ways.
#[test]
fn a_catalogue_that_hangs_is_not_waited_for_long() {
    let workdir = workdir!();
    let catalogue = Catalogue::with_replies(vec![Reply::Nothing]);
    let command = orders(&workdir, 5, 0).args(["--openlineage", &catalogue.url]);
    let finished = command.args(["--require-report"]).run();
    finished.assert_code(6);
    finished.assert_stderr_has("--openlineage: the end of the run did not arrive: ");
    let (is_ok, reason) = report(&workdir, "openlineage");
    assert!(!is_ok && !reason.is_empty(), "{reason}");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 5);
}

/// What is refused is refused again, and is said once.
#[test]
fn a_catalogue_that_refuses_costs_one_line() {
    let workdir = workdir!();
    workdir.write("pass", PASSWORD);
    for (reply, why) in [
        (Reply::Echo("HTTP/1.1 400 No\r\nconnection: close\r\n\r\n"), "answered 400"),
        (
            Reply::Bytes("HTTP/1.1 429 Later\r\nretry-after: 60\r\nconnection: close\r\n\r\n"),
            "answered 429",
        ),
    ] {
        let catalogue = Catalogue::with_replies(vec![reply]);
        let host = catalogue.url.strip_prefix("http://").unwrap();
        let url = format!("http://me@{host}/{PATH}?key={HEADER}");
        let command = orders(&workdir, 5, 0).args(["--openlineage", &url]);
        let command = command.args(["--openlineage-pass-file", "pass"]);
        let finished = command.args(["--openlineage-header", &format!("X-Key: {TOKEN}")]).run();
        finished.assert_code(0);
        let said = finished.stderr.lines().filter(|line| line.contains("--openlineage: "));
        assert_eq!(said.count(), 1, "{}", finished.stderr);
        finished.assert_stderr_has(why);
        assert_no_secret(&workdir, &finished);
        let told: Arrival = catalogue.next();
        assert!(told.head.starts_with(&format!("POST /{PATH}?key={HEADER} ")), "{}", told.head);
        assert!(told.head.contains("authorization: Basic bWU6"), "{}", told.head);
        assert!(told.head.contains(&format!("x-key: {TOKEN}\n")), "{}", told.head);
    }
}

/// As the official clients read them.
#[test]
fn variables_of_openlineage_say_where_and_who() {
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    let in_environment = || {
        let command = orders(&workdir, 5, 0).env("OPENLINEAGE_URL", &catalogue.url);
        let command =
            command.env("OPENLINEAGE_API_KEY", TOKEN).env("OPENLINEAGE_NAMESPACE", "shop");
        command.env("OPENLINEAGE_PARENT_ID", format!("airflow/dag.task/{RUN}"))
    };
    let finished = in_environment().run();
    finished.assert_code(0);
    assert_no_secret(&workdir, &finished);
    let told = catalogue.next();
    assert!(told.head.starts_with("POST /api/v1/lineage "), "{}", told.head);
    assert!(told.head.contains(&format!("authorization: Bearer {TOKEN}\n")), "{}", told.head);
    let start = event(&told);
    assert_valid(&start);
    assert_eq!(start["job"]["namespace"], "shop");
    let parent = json!({
        "run": { "runId": RUN }, "job": { "namespace": "airflow", "name": "dag.task" },
    });
    let facet = &start["run"]["facets"]["parent"];
    for of in [facet, &facet["root"]] {
        assert_eq!((&of["run"], &of["job"]), (&parent["run"], &parent["job"]));
    }
    assert_eq!(catalogue.events().len(), 1);
    // An option goes before a variable, and the key is for the address beside it.
    let other = Catalogue::start();
    let named = ["--openlineage", &other.url, "--openlineage-namespace", "mine"];
    in_environment().args(named).run().assert_code(0);
    let told = other.next();
    assert!(!told.head.contains("authorization"), "{}", told.head);
    assert_eq!(event(&told)["job"]["namespace"], "mine");
    for (name, value, words) in [
        (
            "OPENLINEAGE_DISABLED",
            "true",
            "OPENLINEAGE_DISABLED is true, so that --openlineage sends nothing",
        ),
        ("OPENLINEAGE_PARENT_ID", "geheim", "OPENLINEAGE_PARENT_ID is not NAMESPACE/JOB/RUN"),
    ] {
        let _ = (catalogue.events(), other.events());
        let finished = in_environment().args(named).env(name, value).run();
        finished.assert_code(0).assert_stderr_has(words);
        assert!(!finished.stderr.contains("geheim"));
        let is_disabled = name == "OPENLINEAGE_DISABLED";
        assert_eq!((catalogue.events().len(), other.events().is_empty()), (0, is_disabled));
    }
}

/// Nothing that its classes do not have, or have otherwise.
#[test]
fn the_official_client_understands_every_event() {
    let client = needs!("openlineage_client");
    let workdir = workdir!();
    let catalogue = Catalogue::start();
    for (rejected, code) in [(0, 0), (2, 3)] {
        let command = orders(&workdir, 5, rejected).args(["--openlineage", &catalogue.url]);
        let parent = format!("airflow/dag.task/{RUN}");
        command.env("OPENLINEAGE_PARENT_ID", parent).run().assert_code(code);
    }
    let events = catalogue.events();
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let decode =
        format!("{}/tests/servers/openlineage_client/decode.py", env!("CARGO_MANIFEST_DIR"));
    let mut reading = Command::new("python3")
        .arg(&decode)
        .env("PYTHONPATH", client)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reading.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let read = reading.wait_with_output().unwrap();
    assert!(read.status.success());
    let read = String::from_utf8(read.stdout).unwrap();
    let expected = events.iter().map(|event| {
        let text = |value: &Value| value.as_str().unwrap().to_string();
        format!("{} {} default orders\n", text(&event["eventType"]), text(&event["run"]["runId"]))
    });
    assert_eq!(read, expected.collect::<String>());
}
