//! Mistakes in settings: values that are empty, unknown, written twice or no UTF-8, files that lead
//! to themselves, and how all of that is said.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use flowgauge::parts::{OPTIONS, Takes};
use serde_json::Value;

use crate::support::{Finished, Trial, Workdir, workdir};

const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];

fn one_row() -> Trial {
    Trial::csv(workdir!(), "a,b\n1,x\n")
}

/// Over the file `in.csv`, with a variable whose value need not be text.
fn with_variable(workdir: &Workdir, name: &str, value: &[u8]) -> Finished {
    workdir.write("in.csv", "a,b\n1,x\n");
    let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "out.jsonl"]);
    command.env(name, OsString::from_vec(value.to_vec())).run()
}

#[test]
fn a_variable_that_is_no_utf_8_is_a_mistake_and_its_value_is_not_said() {
    for option in OPTIONS {
        let workdir = workdir!();
        let finished = with_variable(&workdir, &option.variable(), b"hush\xff");
        let (variable, flag, key) = (option.variable(), option.flag(), option.key());
        finished.assert_code(2).assert_stderr_has(&format!(
            "flowgauge: {variable} ({flag}, {key}): the value is not valid UTF-8\n"
        ));
        assert!(!finished.stderr.contains("hush"), "{finished}");
        assert_eq!(workdir.names(), ["in.csv"]);
    }
}

#[test]
fn a_variable_that_no_option_has_is_warned_of() {
    let words = "FLOWGAUGE_IF_EXIST is set, and no option has that variable; it is ignored; did you mean FLOWGAUGE_IF_EXISTS?";
    one_row()
        .env("FLOWGAUGE_IF_EXIST", "refuse")
        .run()
        .completes()
        .says(&format!(" WARN {words}\n"))
        .writes(ONE_ROW);
    one_row()
        .with("check --csv-file in.csv --output-file out.jsonl")
        .env("FLOWGAUGE_IF_EXIST", "refuse")
        .run()
        .completes()
        .says(words);
    // It may be the very thing that is missing.
    one_row()
        .with("run --output-file out.jsonl")
        .env("FLOWGAUGE_CSV_FILES", "in.csv")
        .run()
        .ends_with(2)
        .says("flowgauge: warning: FLOWGAUGE_CSV_FILES is set")
        .says("did you mean FLOWGAUGE_CSV_FILE?")
        .says("--source-type (FLOWGAUGE_SOURCE_TYPE, source_type) is missing");
    let quiet = [
        ("FLOWGAUGE_SERVICE_HOST", "10.0.0.1"),
        ("FLOWGAUGE_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("FLOWGAUGE_TEST_MARIADB", "127.0.0.1:3306"),
    ];
    let trial = quiet.into_iter().fold(one_row(), |trial, (name, value)| trial.env(name, value));
    trial.run().completes().says_not("WARN").writes(ONE_ROW);
}

/// `--state-dir ''` was the folder `./rejects`, and others were found out at the end of a run.
#[test]
fn an_empty_path_is_refused_wherever_it_is_written() {
    let paths = OPTIONS
        .iter()
        .filter(|option| matches!(option.takes, Takes::One("FILE" | "DIR") | Takes::Files(_)));
    let mut count = 0;
    for option in paths.filter(|option| option.name != "config") {
        count += 1;
        let (flag, variable, key) = (option.flag(), option.variable(), option.key());
        let mut trials = vec![
            (one_row().arg(&format!("{flag}=")), format!("{flag} ({variable}, {key})")),
            (one_row().env(&variable, ""), format!("{variable} ({flag}, {key})")),
        ];
        // The tests' own variable goes before a file.
        if option.name != "state-dir" {
            let in_file = one_row().file("s.toml", format!("{key} = ''\n"));
            trials.push((in_file.with("--config s.toml"), format!("{key} ({flag}, {variable})")));
        }
        for (trial, option) in trials {
            let verdict = trial.with("check").run().ends_with(2);
            verdict.says(&format!("{option}: it is empty; say a "));
        }
    }
    assert_eq!(count, 28);
    for trial in [one_row().arg("--config="), one_row().env("FLOWGAUGE_CONFIG", "")] {
        trial.run().ends_with(2).says("--config (FLOWGAUGE_CONFIG) is empty; name the file");
    }
}

#[test]
fn numbers_and_times_are_what_they_seem() {
    for (args, words) in [
        ("--workers 1_", "'1_' is not a number from 1 to 256"),
        ("--workers +1", "'+1' is not a number from 1 to 256"),
        ("--batch-size 1e3", "'1e3' is not a number from 1 to 4294967295"),
        ("--metrics-port 65536", "'65536' is not a number from 0 to 65535"),
        ("--memory-limit 1e9", "'1e9' is no size; write for example 64MiB"),
        ("--memory-limit 99999999999g", "'99999999999g' is more than any machine has"),
        ("--drain-timeout 36526d", "'36526d' is more than 100 years"),
        ("--expect-every 0", "'0' is no time at all; write for example 20s"),
        ("--max-errors 1e1%", "'1e1%' is neither a number nor a share between 0% and 100%"),
        ("--max-errors -0", "'-0' is neither a number nor a share between 0% and 100%"),
        ("--metrics-host=", "--metrics-host (FLOWGAUGE_METRICS_HOST, metrics_host): it is empty"),
        ("--pipeline-id=a\u{202e}b", "a name cannot be empty or hold control characters"),
        ("--pipeline-id=", "a name cannot be empty or hold control characters"),
        ("--output-file --quiet", "--output-file takes a value, and --quiet follows; "),
        ("--types --csv-null=x", "a value is required for '--types <COL=TYPE>'"),
    ] {
        one_row().with(args).run().ends_with(2).says(words);
    }
    // Said once, however many settings follow from it.
    let verdict = one_row().with("--max-rows-per-second 0").run().ends_with(2);
    assert_eq!(verdict.finished.stderr.lines().count(), 1, "{}", verdict.finished);
}

#[test]
fn what_stands_before_a_command_and_behind_it_adds_up_or_is_refused() {
    one_row()
        .file("more.csv", "a,b\n2,y\n")
        .with("--csv-file in.csv run --csv-file more.csv --output-file out.jsonl")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"x"}"#, r#"{"a":"2","b":"y"}"#]);
    for args in ["--workers 1 run --workers 2", "run --workers 2 --workers 2"] {
        let trial = one_row().with(args).with("--csv-file in.csv --output-file out.jsonl");
        trial.run().ends_with(2).says("cannot be used multiple times");
    }
}

/// A switch in a file or in the environment is turned off by a flag.
#[test]
fn a_flag_turns_a_switch_off() {
    let trial =
        || one_row().file("s.toml", "quiet = true\ncsv_no_header = true\n").with("--config s.toml");
    let verdict = trial().with("--csv-no-header=false").run().completes();
    verdict.finished.assert_stderr("");
    verdict.writes(ONE_ROW);
    trial()
        .with("--csv_no_header=no --quiet=0")
        .run()
        .completes()
        .says("default complete in")
        .writes(ONE_ROW);
    one_row()
        .with("--quiet=false")
        .env("FLOWGAUGE_QUIET", "true")
        .run()
        .completes()
        .says("default complete in")
        .writes(ONE_ROW);
    trial()
        .with("--quiet=maybe")
        .run()
        .ends_with(2)
        .says("--quiet (FLOWGAUGE_QUIET, quiet): 'maybe' is not true or false");
}

/// Every line is JSON, and the messages are these.
#[track_caller]
fn json_lines(finished: &Finished) -> Vec<(String, String)> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_string();
        (text("level"), text("message"))
    };
    finished.stderr.lines().map(line).collect()
}

#[test]
fn under_json_mistakes_are_lines_of_the_log() {
    let expected = [
        "--batch-size (FLOWGAUGE_BATCH_SIZE, batch_size): 'q' is not a number from 1 to 4294967295",
        "--workers (FLOWGAUGE_WORKERS, workers): 'x' is not a number from 1 to 256",
    ];
    let trial = || one_row().with("--workers x --batch-size q");
    for trial in [
        trial().with("--log-format json"),
        trial().env("FLOWGAUGE_LOG_FORMAT", "json"),
        trial().file("s.toml", "log_format = 'json'\n").with("--config s.toml"),
        trial().with("--log-format json check"),
        trial()
            .file("s.toml", "[pipelines.x]\nlog_format = 'json'\n")
            .with("check x --config s.toml"),
    ] {
        let verdict = trial.with("--csv-file in.csv --output-file out.jsonl").run().ends_with(2);
        let said: Vec<_> = json_lines(&verdict.finished);
        let expected = expected.map(|message| ("ERROR".to_string(), message.to_string()));
        assert_eq!(said, expected, "{}", verdict.finished);
    }
    // What is ignored comes first.
    let verdict = trial().with("--log-format=json").env("FLOWGAUGE_WORKER", "2").run().ends_with(2);
    let said = json_lines(&verdict.finished);
    assert_eq!(said.len(), 3);
    assert_eq!(said[0].0, "WARN");
    // A command line that cannot be understood.
    for trial in [
        one_row().with("--log-format json --workerz 1"),
        one_row().with("--workerz 1 --log_format=json"),
        one_row().with("--workerz 1").env("FLOWGAUGE_LOG_FORMAT", "json"),
    ] {
        let verdict = trial.run().ends_with(2);
        let [(level, message)] = &json_lines(&verdict.finished)[..] else {
            panic!("{}", verdict.finished)
        };
        assert_eq!(level, "ERROR");
        assert!(message.starts_with("unexpected argument '--workerz' found; "), "{message}");
    }
    // So are the errors of a look.
    let verdict = one_row()
        .with("check --csv-file gone.csv --output-file out.jsonl --log-format json")
        .run()
        .ends_with(2);
    assert_eq!(json_lines(&verdict.finished).len(), 1);
}

#[test]
fn files_that_lead_to_themselves_are_refused_with_the_chain() {
    let chain = |files: &[(&str, &str)], words: &[&str]| {
        let trial = files.iter().fold(one_row(), |trial, (name, text)| trial.file(name, text));
        let verdict = trial.with("--config a.toml").run().ends_with(2);
        let said: Vec<&str> = verdict.finished.stderr.lines().collect();
        let words: Vec<String> = words.iter().map(|line| format!("flowgauge: {line}")).collect();
        assert_eq!(said, words, "{}", verdict.finished);
    };
    // Ten times itself took a minute and 2.8 GB.
    let ten = format!("include = [{}]\n", "'a.toml',".repeat(10));
    chain(&[("a.toml", &ten)], &["'a.toml' includes itself: 'a.toml' > 'a.toml'"]);
    chain(
        &[
            ("a.toml", "include = 'd/b.toml'\n"),
            ("d/b.toml", "include = ['../a.toml', 'b.toml']\n"),
        ],
        &[
            "'d/../a.toml' includes itself: 'a.toml' > 'd/b.toml' > 'd/../a.toml'",
            "'d/b.toml' includes itself: 'd/b.toml' > 'd/b.toml'",
        ],
    );
    let names: Vec<String> = "abcdefghijk".chars().map(|name| format!("{name}.toml")).collect();
    let texts: Vec<String> =
        names[1..].iter().map(|next| format!("include = '{next}'\n")).collect();
    let mut files: Vec<(&str, &str)> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    chain(
        &files,
        &[
            "files include others more than 8 deep: 'a.toml' > 'b.toml' > 'c.toml' > 'd.toml' > 'e.toml' > 'f.toml' > 'g.toml' > 'h.toml' > 'i.toml' > 'j.toml'",
        ],
    );
    // As deep as is allowed, and one file by two ways, which is read once.
    files.truncate(8);
    files.push(("i.toml", "csv_null = 'x'\n[pipelines.p]\n"));
    files[0].1 = "include = ['b.toml', 'i.toml']\n";
    let trial = files.iter().fold(one_row(), |trial, (name, text)| trial.file(name, text));
    trial.with("--config a.toml").run().completes().writes(&[r#"{"a":"1","b":null}"#]);
}

#[test]
fn a_table_in_two_files_is_refused() {
    one_row()
        .file("a.toml", "include = 'b.toml'\n[pipelines.p]\n[connections.c]\n")
        .file("b.toml", "[pipelines.p]\n[pipelines.q]\n[connections.c]\n")
        .with("run q --config a.toml")
        .run()
        .ends_with(2)
        .says("[pipelines.p] stands in 'a.toml' and in 'b.toml'; call one of them otherwise")
        .says("[connections.c] stands in 'a.toml' and in 'b.toml'");
}

#[test]
fn a_file_of_settings_is_read_as_toml_or_refused_with_the_line() {
    let deep = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("\n{} = 1\n", vec!["a"; 100_000].join("."));
    let many = "x".repeat(1 << 20).replace('x', "x = 1\n").replacen("x", "y", 1);
    let unknown: String = (0..3000).map(|number| format!("xx{number} = 1\n")).collect();
    for (text, words) in [
        (&b"a = 1\nworkers = 2\nworkers = 3\n"[..], "'s.toml', line 3: duplicate key\n"),
        (b"workers = 2\n\n[defaults]\n[defaults]\n", "'s.toml', line 4: duplicate key\n"),
        (b"workers = 2\r\nworkers = 3", "'s.toml', line 2: duplicate key\n"),
        (b"workers = 2\nq = \"", "'s.toml', line 2: "),
        (b"workers = 2\n# \xff\n", "'s.toml', line 2: this is no UTF-8, as TOML has to be"),
        (b"\xff\xfew\0", "'s.toml', line 1: this is no UTF-8"),
        (b"config = 'x'\n", "unknown key 'config'; a file names others by include, at its top\n"),
        (b"[pipeline.p]\n", "unknown key 'pipeline'; did you mean 'pipelines'?\n"),
        (b"[default]\n", "unknown key 'default'; did you mean 'defaults'?\n"),
        (b"[pipelines.p]\nconnection = 'c'\n", "in [pipelines.p]; did you mean 'connections'?\n"),
        (b"max_errors = 0.57\n", "'0.57' is neither a number nor a share between 0% and 100%"),
        (b"quiet = 1e400\n", "'s.toml', line 1: "),
        (b"csv_null = 1979-05-27\n", "csv_null must be text, a number, true or false\n"),
        (deep.as_bytes(), "'s.toml', line 1: "),
        (dotted.as_bytes(), "'s.toml'"),
        (
            many.as_bytes(),
            "cannot read the configuration 's.toml': it holds more than 4194304 bytes",
        ),
        (unknown.as_bytes(), "and 2900 more mistakes in the settings\n"),
    ] {
        let verdict = one_row().file("s.toml", text).with("--config s.toml").run().ends_with(2);
        verdict.finished.assert_stderr_has(words);
        assert!(!verdict.finished.stderr.contains("line 0"), "{}", verdict.finished);
    }
    for (config, words) in [
        (".", "cannot read the configuration '.': Is a directory"),
        (
            "/dev/zero",
            "cannot read the configuration '/dev/zero': it holds more than 4194304 bytes",
        ),
    ] {
        one_row().with("--config").with(config).run().ends_with(2).says(words);
    }
    // A byte order mark is none of it.
    one_row()
        .file("s.toml", b"\xef\xbb\xbfcsv_null = 'x'\n")
        .with("--config s.toml")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":null}"#]);
}

/// Who types where to write means none of the pipelines in the file.
#[test]
fn beside_pipelines_one_may_be_typed() {
    let trial = || one_row().file("s.toml", "[defaults]\ncsv_null = 'x'\n[pipelines.p]\n");
    trial()
        .with("--csv-file in.csv --output-file out.jsonl --config s.toml")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":null}"#]);
    for args in ["--csv-file in.csv --db-table t", "--csv-file in.csv --sink-type mysql"] {
        trial()
            .with("run --config s.toml")
            .with(args)
            .run()
            .ends_with(2)
            .says("--db-user (FLOWGAUGE_DB_USER, db_user) is missing")
            .says_not("run one of them by its name");
    }
    trial()
        .with("run --csv-file in.csv --config s.toml")
        .run()
        .ends_with(2)
        .says("'s.toml' has the pipelines p; run one of them by its name");
}

/// Each pipeline's own warnings, with its name, and once what is said of all.
#[test]
fn check_all_says_the_warnings_of_every_pipeline() {
    let config = "\
[defaults]
sink_type = 'mysql'
db_url = 'mysql://u@127.0.0.1:1/d'
csv_file = 'in.csv'
rejects = 'in.csv'
[pipelines.one]
db_table = 't'
[pipelines.two]
db_table = 't'
db_ca = 'ca.pem'
db_ssl_mode = 'disabled'
";
    let trial = || one_row().file("s.toml", config).with("check --all --config s.toml");
    let verdict = trial().env("FLOWGAUGE_WORKER", "2").with("--print-ddl").run().completes();
    verdict.finished.assert_stdout_has("CREATE TABLE");
    verdict.finished.assert_stderr_has("did you mean FLOWGAUGE_WORKERS?");
    let words = "two: --db-ca is not looked at with --db-ssl-mode disabled";
    for trial in [trial(), trial().with("--log-format json")] {
        let verdict = trial.env("FLOWGAUGE_WORKER", "2").run().ends_with(2);
        verdict.finished.assert_stderr_has("'in.csv' is the input 'in.csv' itself");
        assert_eq!(verdict.finished.stderr.matches(words).count(), 1, "{}", verdict.finished);
        let of_all = verdict.finished.stderr.matches("did you mean FLOWGAUGE_WORKERS?").count();
        assert_eq!(of_all, 1, "{}", verdict.finished);
    }
}

/// Files that are read whole are not read for ever.
#[test]
fn a_device_is_no_password_and_no_query() {
    for args in [
        "--es-url localhost --es-user u --es-pass-file /dev/zero --es-query @/dev/zero",
        "--csv-file in.csv --sink-type mysql --db-pass-file /dev/zero",
    ] {
        let verdict = one_row().with("run --output-file out.jsonl").with(args).run().ends_with(2);
        for line in verdict.finished.stderr.lines().filter(|line| line.contains("/dev/zero")) {
            assert!(line.contains("cannot read '/dev/zero': it holds more than "), "{line}");
        }
        let said = verdict.finished.stderr.matches("'/dev/zero'").count();
        assert_eq!(said, args.matches("/dev/zero").count(), "{}", verdict.finished);
    }
}

/// Passwords are in none of the messages that their neighbours cause.
#[test]
fn a_secret_is_not_shown_by_a_mistake() {
    for text in [
        "db_pass = hunter2\n",
        "db_pass = \"hunter2\n",
        "db_pass = 'x' hunter2\n",
        "db_pass = [\"hunter2\"]\n",
        "db_pass = 'hunter2'\ndb_pass = 'hunter2'\n",
        "db_pass = { hunter2 = 1 }\n",
        "db_url = 'mysql://u:hunter2@h:port/d'\n",
        "db_url = 'http://u:hunter2@h/d'\n",
        "db_url = 'hunter2'\n",
        "es_api_key = 'hunter2'\nes_token = 'hunter2'\n",
    ] {
        for args in ["--csv-file in.csv --db-table t", "--es-url localhost --output-file x"] {
            let verdict = one_row()
                .file("s.toml", text)
                .with("run --config s.toml --workers 0")
                .with(args)
                .run()
                .ends_with(2);
            assert!(!verdict.finished.stderr.contains("hunter2"), "{}", verdict.finished);
        }
    }
}
