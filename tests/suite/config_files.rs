//! Configuration files: all pipelines of one, what is beside it, what is named after a pipeline, and
//! variables in its values.

use serde_json::Value;

use crate::support::{Database, Finished, Server, Trial, Workdir, needs, workdir};

#[track_caller]
fn run(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(args.split(' ')).run()
}

/// Three pipelines that are not in the order of their names; the second one fails.
const THREE: &str = "\
[defaults]
csv_file = '{pipeline}.csv'
output_file = 'out/{pipeline}.jsonl'
summary_json = 'out/{pipeline}.json'
[pipelines.zebra]
[pipelines.broken]
csv_file = 'gone.csv'
[pipelines.ant]
";

fn three(workdir: &Workdir) {
    workdir.write("etc/syncs.toml", THREE);
    workdir.write("etc/zebra.csv", "a\n1\n");
    workdir.write("etc/ant.csv", "a\n2\n");
    workdir.write("etc/out/ant.jsonl", "old\n");
}

/// The first failure counts, and keeps no other from its turn. Every one has a summary.
#[test]
fn all_pipelines_run_in_the_order_of_the_file() {
    let workdir = workdir!();
    three(&workdir);
    let finished = run(&workdir, "run --all --config etc/syncs.toml");
    finished
        .assert_code(2)
        .assert_stderr_has("flowgauge: broken: cannot open 'etc/gone.csv'")
        .assert_stderr_has("3 pipelines: 2 complete; broken failed with exit code 2");
    let at =
        |words: &str| finished.stderr.find(words).unwrap_or_else(|| panic!("{words}: {finished}"));
    assert!(at("zebra complete in") < at("broken: cannot open"), "{finished}");
    assert!(at("broken: cannot open") < at("ant complete in"), "{finished}");
    workdir.assert_file("etc/out/zebra.jsonl", "{\"a\":\"1\"}\n");
    workdir.assert_file("etc/out/ant.jsonl", "{\"a\":\"2\"}\n");
    for (name, outcome) in [("zebra", "complete"), ("broken", "usage"), ("ant", "complete")] {
        let summary = workdir.read(&format!("etc/out/{name}.json"));
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["outcome"], outcome, "{name}");
        assert_eq!(summary["pipeline_id"], name);
    }
}

/// What one pipeline lacks is no reason not to run the others.
#[test]
fn a_pipeline_whose_settings_are_wrong_fails_alone() {
    let workdir = workdir!();
    three(&workdir);
    let more = "[pipelines.wrong]\nworkers = 'many'\n[pipelines.last]\ncsv_file = 'ant.csv'\n";
    workdir.write("etc/syncs.toml", THREE.replace("gone.csv", "${GONE}").to_string() + more);
    run(&workdir, "run --all --config etc/syncs.toml --quiet")
        .assert_code(2)
        .assert_stderr(
            "flowgauge: broken: 'etc/syncs.toml', line 7: csv_file: the variable GONE is not set; set it, or write $${GONE} for these letters\n\
             flowgauge: wrong: 'etc/syncs.toml', line 10: workers in [pipelines.wrong] (--workers, FLOWGAUGE_WORKERS): 'many' is not a number from 1 to 256\n",
        );
    workdir.assert_file("etc/out/last.jsonl", "{\"a\":\"2\"}\n");
    let summary: Value = serde_json::from_str(&workdir.read("etc/out/wrong.json")).unwrap();
    assert_eq!(summary["outcome"], "usage");
}

#[test]
fn pipelines_that_would_replace_what_another_wrote_are_refused() {
    let workdir = workdir!();
    three(&workdir);
    run(&workdir, "run --all --config etc/syncs.toml --output-file out.jsonl")
        .assert_code(2)
        .assert_stderr_has("the pipelines 'zebra' and 'broken' both write 'out.jsonl'")
        .assert_stderr_has("put {pipeline} into the name of --output-file");
    assert!(!workdir.exists("out.jsonl"));
    run(&workdir, "run --all --config etc/syncs.toml --rejects etc/out/zebra.jsonl")
        .assert_code(2)
        .assert_stderr_has("both write 'etc/out/zebra.jsonl'");
    // Standard output takes one after another.
    let finished = run(&workdir, "run --all --config etc/syncs.toml --summary-json - --quiet");
    let documents = serde_json::Deserializer::from_str(&finished.stdout).into_iter::<Value>();
    let names: Vec<_> = documents.map(|summary| summary.unwrap()["pipeline_id"].clone()).collect();
    assert_eq!(names, ["zebra", "ant"]);
}

/// A signal ends the run that is on; what is left is not begun.
#[test]
fn a_signal_ends_the_run_in_hand_and_begins_no_other() {
    let workdir = workdir!();
    three(&workdir);
    let config = THREE.replace("[pipelines.zebra]", "[pipelines.zebra]\ncsv_file = '-'");
    workdir.write("etc/syncs.toml", config);
    let args = "run --all --config etc/syncs.toml --metrics-port 0";
    let program = workdir.flowgauge().args(args.split(' '));
    let mut running =
        program.stdin("a\n".to_string() + &"1\n".repeat(200_000)).keep_stdin_open().spawn();
    running.wait_for_line("metrics on");
    running.signal(rustix::process::Signal::TERM);
    let finished = running.finish();
    finished
        .assert_code(143)
        .assert_stderr_has("zebra failed with exit code 143; not begun: broken, ant");
    assert!(!workdir.exists("etc/out/zebra.jsonl") && !workdir.exists("etc/out/ant.json"));
    workdir.assert_file("etc/out/ant.jsonl", "old\n");
}

/// One port is enough for pipelines that run one after another.
#[test]
fn pipelines_share_a_port() {
    let workdir = workdir!();
    three(&workdir);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let finished =
        run(&workdir, &format!("run --all --config etc/syncs.toml --metrics-port {port}"));
    let bound = format!("metrics on http://127.0.0.1:{port}/metrics");
    // One of them is refused, which its numbers tell, too.
    assert_eq!(finished.stderr.matches(&bound).count(), 3, "{finished}");
}

/// What one of them keeps of its runs is nothing that another one writes.
#[test]
fn a_ledger_of_one_pipeline_is_no_output_of_another() {
    let config = "\
[pipelines.one]
csv_file = 'in.csv'
output_file = 'one.jsonl'
ledger = 'shared.csv'
[pipelines.two]
csv_file = 'in.csv'
output_file = 'shared.csv'
";
    Trial::csv(workdir!(), "a\n1\n")
        .file("sync.toml", config)
        .with("run --all --config sync.toml")
        .run()
        .ends_with(2)
        .says("the pipelines 'one' and 'two' both write 'shared.csv'");
}

/// The second would find nothing there, and be complete.
#[test]
fn two_pipelines_that_read_standard_input_are_refused() {
    let config = "\
[pipelines.one]
csv_file = '-'
output_file = 'one.jsonl'
[pipelines.two]
csv_file = 'in.csv'
output_file = 'two.jsonl'
[pipelines.three]
jsonl_file = '/dev/stdin'
output_file = 'three.jsonl'
";
    for verb in ["run", "check"] {
        Trial::csv(workdir!(), "a\n1\n")
            .file("sync.toml", config)
            .with(&format!("{verb} --all --config sync.toml"))
            .stdin("a\n1\n")
            .run()
            .ends_with(2)
            .says("the pipelines 'one' and 'three' both read standard input, which can be read once only; run each");
    }
    // One is as good as any other input.
    Trial::csv(workdir!(), "a\n1\n")
        .file("sync.toml", config.replace("/dev/stdin", "in.jsonl"))
        .file("in.jsonl", "{}\n")
        .with("run --all --config sync.toml")
        .stdin("a\n2\n")
        .run()
        .completes()
        .writes_file("one.jsonl", "{\"a\":\"2\"}\n")
        .writes_file("two.jsonl", "{\"a\":\"1\"}\n")
        .writes_file("three.jsonl", "{}\n");
}

/// All that is wrong with all of them, each with its name.
#[test]
fn check_all_says_the_mistakes_of_every_pipeline() {
    let workdir = workdir!();
    three(&workdir);
    let more = "[pipelines.wrong]\nworkers = 'many'\nlanes = 'few'\n[pipelines.last]\ncsv_file = 'ant.csv'\n";
    workdir.write("etc/syncs.toml", THREE.replace("gone.csv", "${GONE}").to_string() + more);
    let before = workdir.names();
    let finished = run(&workdir, "check --all --config etc/syncs.toml");
    finished
        .assert_code(2)
        .assert_stderr_has(
            "flowgauge: broken: 'etc/syncs.toml', line 7: csv_file: the variable GONE is not set",
        )
        .assert_stderr_has(
            "flowgauge: wrong: 'etc/syncs.toml', line 10: workers in [pipelines.wrong]",
        )
        .assert_stderr_has(
            "flowgauge: wrong: 'etc/syncs.toml', line 11: lanes in [pipelines.wrong]",
        )
        .assert_stdout_has("── wrong ──\n'etc/syncs.toml', line 10: workers")
        .assert_stdout_has("would create 'etc/out/last.jsonl'");
    assert_eq!(workdir.names(), before);
    // What is found by a look is of its pipeline, too.
    workdir.write("etc/syncs.toml", THREE);
    run(&workdir, "check --all --config etc/syncs.toml")
        .assert_code(2)
        .assert_stderr_has("flowgauge: broken: cannot open 'etc/gone.csv'");
}

#[test]
fn all_needs_a_file_with_pipelines_and_no_name() {
    let workdir = workdir!();
    run(&workdir, "run --all")
        .assert_code(2)
        .assert_stderr_has("--all means the pipelines of --config");
    run(&workdir, "run --all x").assert_code(2).assert_stderr_has("cannot be used with");
}

/// Wherever the program is started, a file means what is beside it. What is typed is beside whoever types.
#[test]
fn paths_of_a_configuration_are_beside_it() {
    let config = "\
include = 'more/others.toml'
csv_file = ['in-*.csv', '../top.csv']
output_file = 'out.jsonl'
state_dir = 'state'
";
    let write = |workdir: &Workdir| {
        workdir.write("etc/a[b]/sync.toml", config);
        workdir.write("etc/a[b]/more/others.toml", "summary_json = 'sum.json'\n");
        workdir.write("etc/a[b]/in-1.csv", "a\n1\n");
        workdir.write("etc/top.csv", "a\n2\n");
    };
    let workdir = workdir!();
    write(&workdir);
    run(&workdir, "run --config etc/a[b]/sync.toml").assert_code(0);
    workdir.assert_file("etc/a[b]/out.jsonl", "{\"a\":\"1\"}\n{\"a\":\"2\"}\n");
    assert!(workdir.exists("etc/a[b]/more/sum.json"));
    workdir.write("typed.csv", "a\n3\n");
    run(&workdir, "run --config etc/a[b]/sync.toml --csv-file typed.csv --output-file typed.jsonl")
        .assert_code(0);
    workdir.assert_file("typed.jsonl", "{\"a\":\"3\"}\n");
}

#[test]
fn variables_are_replaced_in_the_values_of_a_file() {
    let config = "\
csv_file = '${DATA}/in.csv'
output_file = \"${OUT}\"
csv_delimiter = '${DELIMITER}'
csv_null = '$$'
output_null = '$x'
[pipelines.other]
csv_file = '${NOT_SET}'
";
    Trial::new(workdir!())
        .file("data/in.csv", "a;b\n1;$\n")
        .file("sync.toml", config)
        .with("run --config sync.toml --sink-type file")
        .env("DATA", "data")
        .env("OUT", "out.csv")
        .env("DELIMITER", ";")
        .run()
        .completes()
        .writes_file("out.csv", "a,b\n1,$x\n");
    // What a flag says instead need not be set.
    Trial::new(workdir!())
        .file("in.csv", "a;b\n1;$\n")
        .file("sync.toml", config)
        .with("run --config sync.toml --csv-file in.csv --output-file out.csv --csv-delimiter ;")
        .run()
        .completes()
        .writes_file("out.csv", "a,b\n1,$x\n");
}

/// An option whose variable is not there is not missing, and no file has its name.
#[test]
fn a_variable_that_is_not_there_is_said_once() {
    let config = "csv_file = '${A}'\noutput_file = '${B}/x'\nworkers = '${C}'\nsummary_json = '${D}'\nlanes = 'x'\n";
    let verdict = Trial::new(workdir!())
        .file("sync.toml", config)
        .with("run --config sync.toml")
        .run()
        .ends_with(2)
        .says("lanes (--lanes, FLOWGAUGE_LANES): 'x' is not a number");
    assert_eq!(verdict.finished.stderr.lines().count(), 5, "{}", verdict.finished);
}

#[test]
fn a_variable_that_is_not_there_is_said_with_its_place() {
    for (line, words) in [
        ("workers = '${GONE}'", "'sync.toml', line 3: workers: the variable GONE is not set"),
        ("workers = '${GONE:-1}'", "'sync.toml', line 3: workers: a variable is written ${NAME}"),
        ("workers = '${GONE'", "'sync.toml', line 3: workers: '${' is never closed"),
        ("select = ['a',\n'${GONE}']", "'sync.toml', line 3: select: the variable GONE"),
        ("include = '${GONE}'", "'sync.toml', line 3: include: the variable GONE is not set"),
    ] {
        Trial::csv(workdir!(), "a\n1\n")
            .file("sync.toml", format!("output_file = 'out.jsonl'\n\n{line}\n"))
            .with("run --csv-file in.csv --config sync.toml")
            .run()
            .ends_with(2)
            .says(words);
    }
}

/// What came from a variable into an option that names nothing may be a password: the name of the variable is
/// shown in its place.
#[test]
fn values_of_variables_are_not_shown() {
    let config = "workers = '${SECRET}'\nlog_level = '${SECRET}'\nmax_errors = '${N}'\n";
    Trial::csv(workdir!(), "a\n1\n")
        .file("sync.toml", config)
        .with("run --csv-file in.csv --output-file out.jsonl --config sync.toml")
        .env("SECRET", "hunter22")
        .env("N", "-1")
        .run()
        .ends_with(2)
        .says("'${SECRET}' is not a number from 1 to 256")
        .says("'${SECRET}' is not one of error")
        .says("'${N}' is neither a number nor a share")
        .says_not("hunter22");
    // Also where it is escaped, once or twice.
    for log in ["text", "json"] {
        let mut verdict = Trial::csv(workdir!(), "a\n1\n")
            .file("sync.toml", "workers = '${SECRET}'\nsummary_json = 'sum.json'\n")
            .with("run --csv-file in.csv --output-file out.jsonl --config sync.toml")
            .with(&format!("--log-format {log}"))
            .env("SECRET", "hunt\ner\"22")
            .run()
            .ends_with(2)
            .says("'${SECRET}' is not a number from 1 to 256")
            .says_not("hunt");
        let summary: Value = serde_json::from_str(&verdict.workdir.read("sum.json")).unwrap();
        assert!(summary["error"].as_str().unwrap().contains("'${SECRET}' is not"), "{summary}");
        verdict.explain("sum.json");
    }
}

/// A name is shown as it is, wherever it came from: it stands in what a run makes, too. A secret stays one, also
/// within a name.
#[test]
fn names_that_came_from_variables_are_shown() {
    let config = "\
include = '${PLACE}/more.toml'
csv_file = '${PLACE}/in.csv'
output_file = '${PLACE}/out.jsonl'
";
    let trial =
        |config: &str| Trial::new(workdir!()).file("sync.toml", config).env("PLACE", "place");
    trial(config)
        .with("check --config sync.toml")
        .run()
        .ends_with(2)
        .says("cannot read the configuration 'place/more.toml'")
        .says_not("${PLACE}");
    let mut verdict = trial("csv_file = '${PLACE}/in.csv'\noutput_file = '${PLACE}/out.jsonl'\nrejects = 'bad.jsonl'\nmax_errors = 1\n")
        .file("place/in.csv", "a,b\n1\n2,x\n")
        .with("run --config sync.toml")
        .run()
        .completes()
        .says("rejected: place/in.csv, line 2, byte 4")
        .writes_file("place/out.jsonl", "{\"a\":\"2\",\"b\":\"x\"}\n");
    let bad: Value = serde_json::from_str(&verdict.workdir.read("bad.jsonl")).unwrap();
    assert_eq!(bad["source"], "place/in.csv");
    verdict.explain("bad.jsonl");
    trial("csv_file = '${PLACE}/in.csv'\noutput_file = 'out.jsonl'\ncsv_null = '${PLACE}'\n")
        .with("run --config sync.toml")
        .run()
        .ends_with(2)
        .says("cannot open '${PLACE}/in.csv'");
}

/// The statement is to be pasted, so it has the names that are meant.
#[test]
fn a_statement_has_the_names_that_variables_hold() {
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    let workdir = workdir!();
    workdir.write("in.csv", "number\n1\n");
    let config = "csv_file = 'in.csv'\ndb_table = '${TABLE}'\ntypes = ['${COLUMN}=int']\ncreate_table = true\n";
    workdir.write("sync.toml", config);
    let program = database.flowgauge(&workdir).env("TABLE", "orders").env("COLUMN", "number");
    let finished = program.args(["check", "--config", "sync.toml"]).run();
    finished.assert_code(0).assert_stdout_has("orders").assert_stdout_has("`number` BIGINT");
    assert!(!finished.stdout.contains("${"), "{finished}");
}

#[test]
fn files_that_are_included_are_bounded() {
    let names: Vec<String> = (0..300).map(|number| format!("'{number}.toml'")).collect();
    let mut trial = Trial::csv(workdir!(), "a\n1\n");
    for number in 0..300 {
        trial = trial.file(&format!("{number}.toml"), "");
    }
    trial
        .file("sync.toml", format!("include = [{}]\n", names.join(", ")))
        .with("--csv-file in.csv --output-file out.jsonl --config sync.toml")
        .run()
        .ends_with(2)
        .says("more than 256 files are included, and '255.toml' is one more; join some of them");
}

/// What a file turns on is turned off by a flag or a variable, also where it has no meaning.
#[test]
fn a_switch_of_a_file_is_turned_off() {
    let config = "[pipelines.p]\ncsv_file = 'in.csv'\noutput_file = 'out.jsonl'\nflatten = true\ninfer = true\n";
    let trial = || Trial::csv(workdir!(), "a\n1\n").file("sync.toml", config);
    trial().with("run p --config sync.toml").run().ends_with(2).says("it has no meaning with");
    for off in ["false", "no", "0"] {
        trial()
            .with(&format!("run p --config sync.toml --flatten={off}"))
            .env("FLOWGAUGE_INFER", off)
            .run()
            .completes()
            .writes(&[r#"{"a":"1"}"#]);
    }
}

/// A complete run of its own may be typed beside a file of pipelines, into a table, too.
#[test]
fn a_run_that_is_typed_needs_none_of_the_pipelines() {
    for sink in ["--output-file -", "--db-table t --db-user u --db-name d --db-port x"] {
        let finished = Trial::csv(workdir!(), "a\n1\n")
            .file("sync.toml", "[pipelines.p]\ncsv_file = 'x.csv'\n")
            .with(&format!("check --csv-file in.csv {sink} --config sync.toml"))
            .run();
        finished.says_not("run one of them by its name");
    }
}

/// A job is the same wherever its run is started, and what the server keeps of it holds no value of a variable.
#[test]
fn a_job_is_the_same_wherever_its_configuration_is_named() {
    let database = Database::new(&Server::mariadb(needs!("mariadb")));
    database.client.run("CREATE TABLE t (a INT PRIMARY KEY)");
    let workdir = workdir!();
    workdir.write("etc/hunter22/in.csv", "a\n1\n");
    let config = "[pipelines.p]\ncsv_file = '${PLACE}/in.csv'\ndb_table = 't'\n";
    let path = workdir.write("etc/sync.toml", config);
    for named in ["etc/sync.toml", path.to_str().unwrap()] {
        let program = database.flowgauge(&workdir).env("PLACE", "hunter22");
        program.args(["run", "p", "--config", named]).run().assert_code(0);
    }
    let jobs = database.client.lines("SELECT epoch, name FROM flowgauge_jobs");
    let [job] = &jobs[..] else { panic!("{jobs:?}") };
    assert!(job.starts_with("2|p: csv ${PLACE}/in.csv to "), "{job}");
}
