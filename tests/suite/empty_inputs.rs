//! Drop folders that are empty, patterns that a shell has replaced, and terminals as standard input.

use std::io::Write;

use serde_json::Value;

use crate::support::database::{Database, Server, on_both};
use crate::support::outlet::{Screen, terminal};
use crate::support::{Workdir, workdir};

/// An empty folder, a file without a byte, and both together.
const EMPTY: [&[&str]; 3] = [&["drop/*.csv"], &["zero.csv"], &["drop/*.csv", "zero.csv"]];

fn folder(workdir: &Workdir) {
    std::fs::create_dir(workdir.path("drop")).unwrap();
    workdir.write("zero.csv", "");
}

#[track_caller]
fn assert_empty_and_complete(workdir: &Workdir) {
    let summary: Value = serde_json::from_str(&workdir.read("s.json")).unwrap();
    assert_eq!(summary["outcome"], "complete");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["records"]["read"], 0);
    assert_eq!(summary["records"]["inserted"], 0);
    assert_eq!(summary["final"], true);
}

#[test]
fn a_drop_folder_that_is_empty_is_a_complete_run_where_that_may_be() {
    let workdir = workdir!();
    folder(&workdir);
    for files in EMPTY {
        for output in ["o.jsonl", "o.csv", "o.jsonl.gz"] {
            workdir.write("s.json", "");
            let files = files.iter().flat_map(|file| ["--csv-file", file]);
            let program = workdir.flowgauge().args(files).args(["--output-file", output]);
            let program = program.args(["--allow-empty", "--infer", "--types", "a=int"]);
            let run = program.args(["--summary-json", "s.json"]).run();
            run.assert_code(0).assert_stderr_has("complete in");
            assert_empty_and_complete(&workdir);
            assert!(workdir.exists(output), "{output}");
        }
    }
    let jsonl = ["--jsonl-file", "drop/*.jsonl", "--allow-empty", "--output-file", "-"];
    workdir.flowgauge().args(jsonl).run().assert_code(0).assert_stdout("");
}

#[test]
fn without_leave_an_empty_drop_folder_is_an_error_that_names_the_flag() {
    let workdir = workdir!();
    folder(&workdir);
    for (args, code, said) in [
        ("--csv-file drop/*.csv", 2, "no file matches 'drop/*.csv'; check --csv-file"),
        ("--jsonl-file drop/*.x", 2, "no file matches 'drop/*.x'; check --jsonl-file"),
        ("--csv-file zero.csv", 3, "the file is empty: there is no header"),
        ("--csv-file gone.csv --allow-empty", 2, "cannot open 'gone.csv'"),
    ] {
        let args = format!("{args} --output-file o.jsonl --summary-json s.json");
        let run = workdir.flowgauge().args(args.split(' ')).run();
        run.assert_code(code).assert_stderr_has(said);
        if !args.contains("gone") {
            run.assert_stderr_has("use --allow-empty");
        }
        assert!(!workdir.exists("o.jsonl"));
    }
}

on_both! { needs!("mariadb"), needs!("mysql"); an_empty_drop_folder_into_a_table }

fn an_empty_drop_folder_into_a_table(server: &Server) {
    let workdir = workdir!();
    folder(&workdir);
    let database = Database::new(server);
    let create = "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) NOT NULL, g INT AS (id + 1))";
    database.client.run(create);
    database.client.run("INSERT INTO t (id, a) VALUES (1, 'x')");
    for files in EMPTY {
        for mode in ["insert", "skip", "upsert"] {
            for select in [&[][..], &["--select", "id,a"]] {
                let files = files.iter().flat_map(|file| ["--csv-file", file]);
                let program = database.flowgauge(&workdir).args(files).args(["--db-table", "t"]);
                let program = program.args(["--mode", mode, "--allow-empty"]).args(select);
                program.args(["--summary-json", "s.json"]).run().assert_code(0);
                assert_empty_and_complete(&workdir);
            }
        }
    }
    assert_eq!(database.client.lines("SELECT * FROM t"), ["1|x|2"]);
}

#[test]
fn a_pattern_that_a_shell_replaced_is_read_as_the_files_it_stood_for() {
    let workdir = workdir!();
    for n in 1..4 {
        workdir.write(&format!("d/{n}.csv"), format!("n\n{n}\n"));
    }
    workdir.write("run", "n\n5\n");
    for args in [
        "--csv-file d/1.csv d/2.csv d/3.csv --output-file -",
        "--output-file - --csv_file d/1.csv d/2.csv d/3.csv",
        "run --csv-file d/1.csv d/2.csv d/3.csv --output-file -",
    ] {
        let run = workdir.flowgauge().args(args.split(' ')).run();
        run.assert_code(0).assert_stdout("{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}\n");
    }
    let run = |args: &str| workdir.flowgauge().args(args.split(' ')).run();
    run("check --csv-file d/1.csv d/2.csv --output-file -").assert_code(0);
    run("--csv-file d/1.csv d/2.csv run --output-file -")
        .assert_code(2)
        .assert_stderr_has("quote the pattern");
    run("--output-file - --csv-file d/1.csv chekc").assert_code(2).assert_stderr_has("'chekc'");
}

#[test]
fn a_terminal_is_told_what_it_is_waited_for() {
    let workdir = workdir!();
    let (program_side, shown) = terminal();
    let mut typed = shown.try_clone().unwrap();
    let mut screen = Screen::watch(shown);
    let args = ["--csv-file", "-", "--output-file", "o.jsonl"];
    let running = workdir.flowgauge().args(args).terminal(program_side).spawn();
    screen.wait_for("records are read from the terminal");
    // One Ctrl-D is enough, wherever the program is in its reading.
    typed.write_all(b"n\n1\n\x04").unwrap();
    running.finish().assert_code(0);
    workdir.assert_file("o.jsonl", "{\"n\":\"1\"}\n");
}
