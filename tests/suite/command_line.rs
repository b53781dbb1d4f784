//! What is printed about the program itself: help, versions, manual pages, completions; and colours.

use std::fs;
use std::process::Command;

use flowgauge::parts::OPTIONS;

use crate::support::outlet::{Screen, terminal};
use crate::support::{Finished, Workdir, workdir};

const BINARY: &str = env!("CARGO_BIN_EXE_flowgauge");

fn typed(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(args.split_whitespace()).run()
}

#[test]
fn the_short_help_fits_a_screen_and_says_where_to_read_on() {
    let workdir = workdir!();
    let short = typed(&workdir, "-h");
    short.assert_code(0).assert_stderr("");
    let lines = short.stdout.lines().count();
    assert!((20..=34).contains(&lines), "{lines} lines: {}", short.stdout);
    for words in ["flowgauge run NAME -c FILE", "flowgauge check", "flowgauge --help", "man"] {
        short.assert_stdout_has(words);
    }
    // The same to somebody who types nothing.
    let nothing = typed(&workdir, "");
    nothing.assert_code(2).assert_stderr(&short.stdout);
    let verb = typed(&workdir, "check -h");
    verb.assert_code(0).assert_stdout_has("--print-ddl");
    verb.assert_stdout_has("'flowgauge check --help' lists all options.");
    assert!(verb.stdout.lines().count() < 20, "{}", verb.stdout);
}

/// Each name at one column, what it means at another, and no line longer than a terminal.
#[test]
fn the_long_help_has_one_layout() {
    let workdir = workdir!();
    let long = typed(&workdir, "--help");
    long.assert_code(0);
    for args in ["help", "help run", "help check"] {
        let help = typed(&workdir, args);
        let same = typed(&workdir, &format!("{} --help", args.trim_start_matches("help")));
        help.assert_code(0).assert_stdout(&same.stdout);
        let (_, options) = help.stdout.split_once("\nSource:\n").expect("the first theme");
        let (options, _) = options.split_once("\nExamples:").unwrap_or((options, ""));
        for line in options.lines().filter(|line| line.starts_with(' ')) {
            let indent = line.len() - line.trim_start().len();
            assert!([2, 6, 34].contains(&indent), "{indent}: {line}");
            assert!(line.chars().count() <= 80 || indent < 34, "{line}");
        }
        for line in help.stdout.lines() {
            assert!(line.chars().count() <= 82, "{line}");
        }
        for option in OPTIONS {
            assert!(options.contains(&format!("--{}", option.name)), "no --{}", option.name);
        }
    }
    typed(&workdir, "help nonsense").assert_code(2).assert_stderr_has("nonsense");
    let listing = typed(&workdir, "--help").stdout + &typed(&workdir, "man").stdout;
    assert!(!listing.contains("complete-pipelines"), "{listing}");
}

#[test]
fn quiet_and_config_have_short_names() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    workdir.write(
        "syncs.toml",
        "[pipelines.one]\ncsv_file = \"in.csv\"\noutput_file = \"out.jsonl\"\n",
    );
    typed(&workdir, "run one -qc syncs.toml").assert_code(0).assert_stderr("");
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
}

#[test]
fn the_version_has_the_revision_of_the_repository() {
    let workdir = workdir!();
    let version = typed(&workdir, "version");
    version.assert_code(0);
    assert_eq!(typed(&workdir, "--version").stdout, version.stdout);
    let of_git = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=12", "HEAD"])
        .output();
    let expected = match of_git {
        Ok(output) if output.status.success() => {
            // What was committed since it was built is not in it.
            let revision = version.stdout.rsplit_once('(').map(|(_, rest)| rest.len());
            assert_eq!(revision, Some("82ff0a5c625b)\n".len()), "{}", version.stdout);
            return;
        }
        _ => format!("flowgauge {}", env!("CARGO_PKG_VERSION")),
    };
    assert!(version.stdout.starts_with(&expected), "{}", version.stdout);
}

#[test]
fn each_command_has_a_manual_page() {
    let workdir = workdir!();
    let main = typed(&workdir, "man");
    main.assert_code(0).assert_stdout_has(".TH flowgauge 1");
    let run = typed(&workdir, "man run");
    run.assert_code(0).assert_stdout_has(".TH flowgauge-run 1");
    run.assert_stdout_has(".SH SYNOPSIS\nflowgauge run [OPTIONS] [NAME]\n.SH ");
    typed(&workdir, "man nonsense").assert_code(2).assert_stderr_has("the commands are run, check");
    let all = typed(&workdir, "man --out share/man1");
    all.assert_code(0);
    for name in all.stdout.lines() {
        assert!(workdir.read(name).starts_with(".ie"), "{name}");
    }
    assert_eq!(workdir.read("share/man1/flowgauge.1"), main.stdout);
    assert_eq!(workdir.read("share/man1/flowgauge-run.1"), run.stdout);
    // Every page that a page names is there.
    for named in
        main.stdout.split("flowgauge\\-").skip(1).filter_map(|rest| rest.split("(1)").next())
    {
        if named.bytes().all(|byte| byte.is_ascii_lowercase()) {
            assert!(workdir.exists(&format!("share/man1/flowgauge-{named}.1")), "{named}");
        }
    }
    workdir.write("file", "");
    typed(&workdir, "man --out file").assert_code(5).assert_stderr_has("cannot write 'file'");
}

/// Bash itself is asked, with the script of the program.
#[test]
fn completions_know_the_pipelines_of_the_configuration() {
    let workdir = workdir!();
    workdir
        .write("syncs.toml", "include = [\"more.toml\"]\n[pipelines.orders]\n[pipelines.prices]\n");
    workdir.write("more.toml", "[pipelines.stock]\n");
    let names = |words: &str| typed(&workdir, &format!("complete-pipelines -- {words}")).stdout;
    assert_eq!(names("run -c syncs.toml"), "orders\nprices\nstock\n");
    assert_eq!(names("check --config=syncs.toml --quiet"), "orders\nprices\nstock\n");
    for words in ["run -c missing.toml", "run", "run -c syncs.toml orders", "run --config"] {
        assert_eq!(names(words), "", "{words}");
    }
    let script = format!(
        "source <(\"{BINARY}\" completions bash)\n\
         complete_line() {{ COMP_WORDS=(\"{BINARY}\" \"$@\"); COMP_CWORD=$#; COMPREPLY=(); \
         _flowgauge_with_pipelines \"{BINARY}\" \"${{@: -1}}\" \"${{@: -2:1}}\"; echo \"${{COMPREPLY[*]}}\"; }}\n\
         complete_line run -c syncs.toml p\n\
         complete_line run --config = syncs.toml or\n\
         complete_line check -c syncs.toml --metrics-po\n\
         complete -p flowgauge\n"
    );
    let output =
        Command::new("bash").args(["--norc", "-c", &script]).current_dir(workdir.root()).output();
    let output = output.unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines[..3], ["prices", "orders", "--metrics-port"], "{shown}{said}");
    assert!(lines[3].contains("_flowgauge_with_pipelines"), "{shown}");
    for shell in ["zsh", "fish"] {
        let script = typed(&workdir, &format!("completions {shell}"));
        script.assert_code(0).assert_stdout_has("flowgauge complete-pipelines -- ");
    }
    typed(&workdir, "completions zsh").assert_stdout_has("file:_flowgauge_pipelines'");
}

/// What a terminal gets of a run.
fn on_terminal(workdir: &Workdir, variables: &[(&str, &str)]) -> String {
    workdir.write("in.csv", "a,b\n1,2\nbad\n");
    let (ours, shown) = terminal();
    let args = "--csv-file in.csv --output-file out.jsonl --max-errors 1";
    let mut program = workdir.flowgauge().args(args.split(' ')).stderr(ours);
    for (name, value) in variables {
        program = program.env(name, value);
    }
    let running = program.spawn();
    let text = Screen::watch(shown).all();
    running.finish().assert_code(0);
    fs::remove_file(workdir.path("out.jsonl")).unwrap();
    text
}

#[test]
fn a_terminal_that_can_has_colours_unless_they_are_not_wanted() {
    let workdir = workdir!();
    let coloured = on_terminal(&workdir, &[("TERM", "xterm")]);
    // The log is dim, and warnings are yellow.
    assert!(coloured.contains("\u{1b}[2m20"), "{coloured}");
    assert!(coloured.contains("\u{1b}[33m20"), "{coloured}");
    for variables in [
        &[("TERM", "xterm"), ("NO_COLOR", "1")][..],
        &[("TERM", "dumb")],
        &[("TERM", "xterm"), ("FLOWGAUGE_LOG_FORMAT", "json")],
        &[],
    ] {
        let plain = on_terminal(&workdir, variables);
        let has_colour =
            ["\u{1b}[2m", "\u{1b}[33m", "\u{1b}[31m"].iter().any(|it| plain.contains(it));
        assert!(!has_colour, "{variables:?}: {plain}");
    }
    let piped = workdir.flowgauge().env("TERM", "xterm").args(["--help"]).run();
    assert!(!piped.stdout.contains('\u{1b}'), "{piped}");
}
