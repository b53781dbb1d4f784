//! Where settings come from, which of them wins, and how mistakes in them are said.

use flowgauge::parts::{OPTIONS, Opt, Takes};
use flowgauge::program::{Asked, parse};

use crate::support::{Trial, Workdir, workdir};

const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];

/// A work directory with `in.csv` and a configuration.
fn configured(config: &str) -> Trial {
    Trial::csv(workdir!(), "a,b\n1,x\n").file("sync.toml", config)
}

/// Nothing but what is typed; a `Trial` adds its own files.
#[track_caller]
fn typed(workdir: &Workdir, args: &str) -> crate::support::Finished {
    workdir.flowgauge().args(args.split(' ')).run()
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let file = "pipeline_id = 'from file'\ncsv_file = 'in.csv'\noutput_file = 'out.jsonl'\n";
    for (flag, variable, says) in [
        ("", "", "from file complete in"),
        ("", "from variable", "from variable complete in"),
        ("--pipeline-id=from-flag", "from variable", "from-flag complete in"),
        ("--pipeline-id=from-flag", "", "from-flag complete in"),
    ] {
        let mut trial = configured(file).with("run --config sync.toml").with(flag);
        if !variable.is_empty() {
            trial = trial.env("FLOWGAUGE_PIPELINE_ID", variable);
        }
        trial.run().completes().says(says).writes(ONE_ROW);
    }
}

#[test]
fn everything_may_come_from_the_environment() {
    let workdir = workdir!();
    workdir.write("in.csv", "a;b\n1;x\n");
    let finished = workdir
        .flowgauge()
        .arg("run")
        .env("FLOWGAUGE_CSV_FILE", "in.csv")
        .env("FLOWGAUGE_CSV_DELIMITER", ";")
        .env("FLOWGAUGE_OUTPUT_FILE", "-")
        .env("FLOWGAUGE_QUIET", "true")
        .env("FLOWGAUGE_SELECT", "b,n=a")
        .run();
    finished.assert_code(0).assert_stderr("").assert_stdout("{\"b\":\"x\",\"n\":\"1\"}\n");
}

/// A switch is turned off again by a layer above.
#[test]
fn a_switch_is_true_or_false() {
    let file = "csv_file = 'in.csv'\noutput_file = 'out.jsonl'\nquiet = true\n";
    let quiet = configured(file).with("run --config sync.toml").run().completes();
    quiet.finished.assert_stderr("");
    quiet.writes(ONE_ROW);
    configured(file)
        .with("run --config sync.toml")
        .env("FLOWGAUGE_QUIET", "false")
        .run()
        .completes()
        .says("default complete in")
        .writes(ONE_ROW);
    configured(file)
        .with("run --config sync.toml")
        .env("FLOWGAUGE_QUIET", "maybe")
        .run()
        .ends_with(2)
        .says("FLOWGAUGE_QUIET (--quiet, quiet): 'maybe' is not true or false");
}

/// A value that the option takes on the command line.
fn example(option: &Opt) -> Vec<&'static str> {
    match option.takes {
        Takes::Nothing => Vec::new(),
        Takes::Choice(choices) => vec![choices[0]],
        Takes::One(_)
        | Takes::Names(_)
        | Takes::Columns(_)
        | Takes::Typed(_)
        | Takes::Files(_)
        | Takes::Texts(_) => {
            vec!["x"]
        }
    }
}

#[test]
fn every_flag_may_be_written_with_underscores_before_and_behind_a_command() {
    for option in OPTIONS {
        let flag = format!("--{}", option.name.replace('-', "_"));
        let expected = match option.takes {
            Takes::Nothing => vec!["true"],
            _ => example(option),
        };
        for behind in [false, true] {
            let mut arguments = vec![flag.as_str()];
            arguments.extend(example(option));
            arguments.insert(if behind { 0 } else { arguments.len() }, "run");
            arguments.insert(0, "flowgauge");
            let asked = parse(arguments.iter().map(Into::into));
            let Ok(Asked::Run { written, .. }) = asked else { panic!("{arguments:?}: {asked:?}") };
            let text = written.get(option.name).unwrap();
            assert_eq!(text.values, expected, "{arguments:?}");
        }
    }
}

#[test]
fn the_command_of_the_manual_works_word_for_word() {
    let workdir = workdir!();
    workdir.write("test.csv", "a,b\n1,x\n");
    typed(
        &workdir,
        "--source_type csv --csv_file test.csv --sink_type file --output_file output.jsonl --metrics-port 0",
    )
    .assert_code(0)
    .assert_stderr_has("metrics on http://127.0.0.1:");
    workdir.assert_file("output.jsonl", "{\"a\":\"1\",\"b\":\"x\"}\n");
    assert_eq!(workdir.names(), ["output.jsonl", "test.csv"]);
}

#[test]
fn all_mistakes_are_said_at_once_with_every_spelling() {
    let config = "batch_size = 0\nmax_errors = 'few'\n[pipelines.p]\ndrain_timeout = 'soon'\n";
    let verdict = configured(config)
        .with("run p --config sync.toml --workers many --select a,a")
        .env("FLOWGAUGE_MEMORY_LIMIT", "1KiB")
        .run()
        .ends_with(2)
        .says("--workers (FLOWGAUGE_WORKERS, workers): 'many' is not a number from 1 to 256")
        .says("--select (FLOWGAUGE_SELECT, select): 'a' is written twice")
        .says("FLOWGAUGE_MEMORY_LIMIT (--memory-limit, memory_limit): less than 8MiB")
        .says("batch_size (--batch-size, FLOWGAUGE_BATCH_SIZE): '0' is not a number from 1")
        .says("max_errors (--max-errors, FLOWGAUGE_MAX_ERRORS): 'few' is neither a number nor a share")
        .says("drain_timeout in [pipelines.p] (--drain-timeout, FLOWGAUGE_DRAIN_TIMEOUT): 'soon'")
        .says("--source-type (FLOWGAUGE_SOURCE_TYPE, source_type) is missing: what to read")
        .says("--sink-type (FLOWGAUGE_SINK_TYPE, sink_type) is missing: where to write");
    let lines: Vec<&str> = verdict.finished.stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("flowgauge: ")), "{lines:#?}");
    assert_eq!(lines.len(), 8, "{lines:#?}");
}

#[test]
fn a_mistake_in_the_file_is_said_with_its_place() {
    for (config, words) in [
        ("csv_flie = 'in.csv'\n", "'sync.toml': unknown key 'csv_flie'; did you mean 'csv_file'?"),
        ("password = 'x'\n", "'sync.toml': unknown key 'password'\n"),
        (
            "[pipelines.p]\nworkrs = 1\n",
            "unknown key 'workrs' in [pipelines.p]; did you mean 'workers'?",
        ),
        ("[connections.c]\nconfig = 'x'\n", "unknown key 'config' in [connections.c]"),
        ("workers = [1, 2]\n", "'sync.toml': workers must be text, a number, true or false\n"),
        ("select = [[1]]\n", "select must be text, a number, true or false, or a list of them"),
        ("a = 1\nb = = 2\n", "'sync.toml', line 2: "),
        ("include = 'gone.toml'\n", "cannot read the configuration 'gone.toml': No such file"),
        ("include = 'sync.toml'\n", "'sync.toml' includes itself: 'sync.toml' > 'sync.toml'\n"),
        ("pipelines.p = 1\n", "'sync.toml': pipelines.p must be a table"),
        ("pipelines = 1\n", "'sync.toml': pipelines must be a table"),
        ("include = 1979-05-27\n", "'sync.toml': include must be"),
        ("[pipelines.p]\nconnections = 1979-05-27\n", "connections in [pipelines.p] must be"),
    ] {
        let trial = configured(config).with("--csv-file in.csv --output-file out.jsonl");
        trial.with("--config sync.toml").run().ends_with(2).says(words);
    }
    configured("")
        .with("run --config gone.toml")
        .run()
        .ends_with(2)
        .says("cannot read the configuration 'gone.toml': No such file or directory")
        .says("check --config");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (args, words) in [
        ("--types a=int,a=text", "--types (FLOWGAUGE_TYPES, types): 'a' is named twice"),
        (
            "--types a=integer",
            "'a=integer' is not COL=TYPE with one of text, varchar(N), int, int unsigned",
        ),
        (
            "--csv-columns a,a",
            "--csv-columns (FLOWGAUGE_CSV_COLUMNS, csv_columns): 'a' is named twice",
        ),
        ("--rejects -", "--rejects (FLOWGAUGE_REJECTS, rejects): rejected records go to a file"),
        ("--select a=", "'a=' lacks a name; write COL or NEW=OLD"),
        ("--max-errors 101%", "'101%' is neither a number nor a share between 0% and 100%"),
        ("--max-errors -1", "'-1' is neither a number nor a share between 0% and 100%"),
        ("--csv-encoding klingon", "'klingon' is not known; write for example utf-8"),
        ("--batch-bytes 1GiB", "it is between 1 and 16777216 bytes"),
        ("--max-record-bytes 0", "it is between 1 and 16777216 bytes, 1/16 of it"),
        ("--drain-timeout 0.5.5", "'0.5.5' is no time; write for example 20s, 1h30m or 24h"),
        ("--csv-file - --csv-file -", "standard input can be read once only"),
    ] {
        configured("")
            .with("--csv-file in.csv --output-file out.jsonl")
            .with(args)
            .run()
            .ends_with(2)
            .says(words);
    }
}

/// Two pipelines over one connection, in a file and one that it includes.
const SYNCS: &str = "\
include = 'more/others.toml'
[defaults]
csv_delimiter = ';'
output_null = '-'
[connections.here]
csv_file = 'in.csv'
[pipelines.one]
connections = 'here'
output_file = 'one.jsonl'
[pipelines.two]
connections = ['here']
output_file = 'two.csv'
csv_delimiter = ','
";
const OTHERS: &str = "\
[defaults]
csv_delimiter = 'tab'
batch_size = 1
[pipelines.three]
jsonl_file = '../in.jsonl'
output_file = '../three.jsonl'
";

fn syncs() -> Trial {
    Trial::new(workdir!())
        .file("in.csv", "a;b,c\n1;2,3\n")
        .file("in.jsonl", "{}\n")
        .file("sync.toml", SYNCS)
        .file("more/others.toml", OTHERS)
}

#[test]
fn a_pipeline_is_run_by_name_over_its_connection_and_the_defaults() {
    syncs()
        .with("run one --config sync.toml")
        .run()
        .completes()
        .says("one complete in")
        .writes_file("one.jsonl", "{\"a\":\"1\",\"b,c\":\"2,3\"}\n");
    syncs()
        .with("run two --config sync.toml")
        .run()
        .completes()
        .writes_file("two.csv", "a;b,c\n1;2,3\n");
    syncs()
        .with("run three --config sync.toml")
        .run()
        .completes()
        .writes_file("three.jsonl", "{}\n");
}

#[test]
fn a_pipeline_or_connection_that_is_not_there_is_said_with_those_that_are() {
    syncs()
        .with("run four --config sync.toml")
        .run()
        .ends_with(2)
        .says("there is no pipeline 'four' in 'sync.toml'; it has one, two, three");
    syncs()
        .with("run one")
        .run()
        .ends_with(2)
        .says("a pipeline is named, and no --config (FLOWGAUGE_CONFIG) to look for it in");
    configured("[pipelines.p]\nconnections = 'gone'\n")
        .with("run p --config sync.toml --csv-file in.csv --output-file x")
        .run()
        .ends_with(2)
        .says(
            "[pipelines.p] names the connection 'gone', which is not there; add [connections.gone]",
        );
}

#[test]
fn what_does_not_apply_is_refused_where_it_is_meant_for_this_pipeline() {
    let shared =
        "[defaults]\ncsv_null = ''\n[pipelines.p]\njsonl_file = 'in.jsonl'\noutput_file = 'x'\n";
    configured(shared)
        .file("in.jsonl", "{}\n")
        .with("run p --config sync.toml")
        .env("FLOWGAUGE_CSV_QUOTE", "'")
        .run()
        .completes()
        .writes_file("x", "{}\n");
    let own = "[pipelines.p]\njsonl_file = 'in.jsonl'\noutput_file = 'x'\ncsv_null = ''\n";
    configured(own)
        .file("in.jsonl", "{}\n")
        .with("run p --config sync.toml")
        .run()
        .ends_with(2)
        .says("csv_null in [pipelines.p] (--csv-null, FLOWGAUGE_CSV_NULL): it has no meaning with --source-type jsonl");
    configured("")
        .with("--csv-file in.csv --output-file x --output-null -")
        .run()
        .ends_with(2)
        .says(
            "--output-null (FLOWGAUGE_OUTPUT_NULL, output_null): it has no meaning with JSON lines",
        );
}

#[test]
fn two_sources_or_two_sinks_are_named_as_such() {
    for (args, words) in [
        (
            "--csv-file in.csv --es-url localhost:9200 --output-file out.jsonl",
            "--csv-file (FLOWGAUGE_CSV_FILE, csv_file): --es-url is given too, and a run has one source; leave one",
        ),
        (
            "--csv-file in.csv --output-file out.jsonl --db-table t --db-name d --db-user u",
            "--output-file (FLOWGAUGE_OUTPUT_FILE, output_file): --db-table is given too, and a run has one sink; leave one",
        ),
    ] {
        let verdict = Trial::csv(workdir!(), "a\n1\n").with(args).run().ends_with(2);
        verdict.says(words).says_not("is missing");
    }
}

/// Whoever types where to read or to write means that, whatever lower layers say of another source or sink.
#[test]
fn a_flag_that_names_an_end_displaces_the_other_of_lower_layers() {
    let config = "\
[pipelines.p]
es_url = '${NOT_SET}'
es_index = 'x'
es_slices = 'many'
db_table = 't'
mode = 'upsert'
";
    let trial = || Trial::csv(workdir!(), "a\n1\n").file("sync.toml", config);
    trial()
        .with("run p --config sync.toml --csv-file in.csv --output-file out.jsonl")
        .env("FLOWGAUGE_JSONL_FILE", "gone.jsonl")
        .env("FLOWGAUGE_SOURCE_TYPE", "jsonl")
        .env("FLOWGAUGE_DB_PORT", "x")
        .run()
        .completes()
        .writes(&[r#"{"a":"1"}"#]);
    // The environment says nothing of that kind about a file: it may be set by accident.
    trial()
        .with("run p --config sync.toml --output-file out.jsonl")
        .env("FLOWGAUGE_CSV_FILE", "in.csv")
        .env("NOT_SET", "localhost:9200")
        .run()
        .ends_with(2)
        .says("--es-url is given too, and a run has one source");
}

#[test]
fn check_says_what_would_happen_and_writes_nothing() {
    let verdict = Trial::csv(workdir!(), "a,b\n1,x\n2\n")
        .file("out.csv", "old\n")
        .with("check --csv-file in.csv --output-file out.csv --select n=a,b --types a=int")
        .with("--max-errors 1")
        .run()
        .completes();
    for words in [
        "default: would move csv in.csv into csv out.csv; the file appears when it is complete",
        "  column  output  type      first value\n  a       n       int       1\n  b       b       text      \"x\"\n",
        "the first 2 records, which are all\n  1,x\n",
        "this was a dry run: nothing was written\n",
        "1 of them would be rejected; --max-errors is 1\n  in.csv, line 3, byte 8: 1 field",
        "would replace 'out.csv' (4 B) with csv, compression none",
    ] {
        verdict.finished.assert_stdout_has(words);
    }
}

#[test]
fn check_fails_where_a_run_would() {
    for (text, args, code, words) in [
        ("", "", 3, "the file is empty"),
        ("a,a\n", "", 3, "columns named twice: 'a'"),
        ("a\n", "--select b", 2, "there is no column 'b'"),
        ("a\n1\n", "--rejects in.csv", 2, "'in.csv' is the input 'in.csv' itself"),
    ] {
        Trial::csv(workdir!(), text)
            .with("check --csv-file in.csv --output-file out.jsonl")
            .with(args)
            .run()
            .ends_with(code)
            .says(words);
    }
}

#[test]
fn check_all_checks_every_pipeline_and_fails_for_any() {
    let all = syncs().with("check --all --config sync.toml").run().completes();
    for name in ["── one ──", "── two ──", "── three ──", "would create 'two.csv'"]
    {
        all.finished.assert_stdout_has(name);
    }
    let broken = syncs()
        .file("in.jsonl", "")
        .file("in.csv", "")
        .with("check --all --config sync.toml")
        .run()
        .ends_with(3)
        .says("in.csv, line 1: the file is empty");
    broken.finished.assert_stdout_has("would create 'more/../three.jsonl'");
    syncs()
        .with("check --all")
        .run()
        .ends_with(2)
        .says("--all means the pipelines of --config (FLOWGAUGE_CONFIG), and there are none");
}

#[test]
fn a_port_that_kubernetes_injected_is_ignored_aloud() {
    let words = "FLOWGAUGE_METRICS_PORT holds 'tcp://10.0.0.1:8000', which is no port; ignored";
    configured("metrics_port = 0\n")
        .with("--csv-file in.csv --output-file out.jsonl --config sync.toml")
        .env("FLOWGAUGE_METRICS_PORT", "tcp://10.0.0.1:8000")
        .run()
        .completes()
        .says(&format!("WARN {words}"))
        .says("metrics on http://127.0.0.1:")
        .writes(ONE_ROW);
    configured("")
        .with("check --csv-file in.csv --output-file out.jsonl")
        .env("FLOWGAUGE_METRICS_PORT", "tcp://10.0.0.1:8000")
        .run()
        .completes()
        .says(words);
    configured("")
        .env("FLOWGAUGE_METRICS_PORT", "http")
        .run()
        .ends_with(2)
        .says("FLOWGAUGE_METRICS_PORT (--metrics-port, metrics_port): 'http' is not a number");
}

#[test]
fn bare_it_prints_help_and_exits_2() {
    let finished = workdir!().flowgauge().run();
    finished
        .assert_code(2)
        .assert_stdout("")
        .assert_stderr_has("flowgauge --help              all options, by theme");
}

#[test]
fn help_manual_and_completions_know_every_option() {
    let workdir = workdir!();
    for args in ["--help", "man", "completions bash", "completions zsh", "completions fish"] {
        let finished = typed(&workdir, args);
        finished.assert_code(0).assert_stderr("");
        for option in OPTIONS {
            let spelled = match args {
                "man" => option.flag().replace('-', "\\-"),
                "completions fish" => format!("-l {}", option.name),
                _ => option.flag(),
            };
            assert!(finished.stdout.contains(&spelled), "{args} does not know {spelled}");
        }
    }
    assert!(workdir.names().is_empty());
}

#[test]
fn an_unknown_shell_or_command_is_a_mistake_of_usage() {
    let workdir = workdir!();
    typed(&workdir, "completions tcsh").assert_code(2).assert_stderr_has("possible values: bash");
    typed(&workdir, "rum").assert_code(2).assert_stderr_has("run");
    typed(&workdir, "--log-level loud --csv-file x").assert_code(2).assert_stderr_has("debug");
}
