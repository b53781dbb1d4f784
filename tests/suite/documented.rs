//! What the pages say of options is what there is: every option, no other, and their defaults.

use std::fs;
use std::path::Path;

use flowgauge::parts::{OPTIONS, Opt, Takes};

use crate::support::assert_same_text;

/// Options of commands, which are in no table of options.
const OF_COMMANDS: &[&str] = &[
    "all",
    "print-ddl",
    "out",
    "help",
    "version",
    // Of the exporter.
    "notify-state",
    // Of `metrics`.
    "target",
    "every",
    "remember",
    "failed-for",
    "told-for",
    "stuck-after",
    "longest-run",
    "full-for",
    "exporter-away",
    "retrying-over",
    "slow-batch",
    "runbooks",
    "slow-for",
    // Of `metrics provision`.
    "grafana",
    "token-file",
    "org-id",
    "prometheus",
    "data-source",
    "folder",
    "editable",
    "overwrite",
    "dry-run",
    "timeout",
    // runs, status, exporter
    "pipeline",
    "last",
    "failed",
    "since",
    "format",
    "port",
    "host",
    "poll",
    "label-run-id",
    "db",
    // top
    "once",
    "ca",
];

/// Of other programs whose command lines the pages show.
const OF_OTHERS: &[&str] = &[
    "collector.systemd",
    "collector.textfile.directory",
    "config.file",
    "enable-feature",
    "fast",
    "long",
    "now",
    "release",
    "features",
    "no-default-features",
    "system",
    "web.config.file",
    "web.enable-lifecycle",
    "web.enable-remote-write-receiver",
    // docker, kubectl, tar
    "build",
    "build-arg",
    "filename",
    "namespace",
    "no-same-owner",
    "read-only",
    "rm",
    "short",
    "strip-components",
    // cargo install
    "locked",
    "path",
];

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("METRICS.md")];
    paths.extend(fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
    let page = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.iter().map(|path| page(path)).collect()
}

/// The flags in a text, without their dashes, as options are named.
fn flags(text: &str) -> Vec<String> {
    let mut flags = Vec::new();
    for (at, _) in text.match_indices("--") {
        let is_inside =
            text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '-');
        let is_of_flag = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let rest = &text[at + 2..];
        let end = rest.find(|letter| !is_of_flag(letter)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches(['.', '-']);
        if !is_inside && name.starts_with(|first: char| first.is_ascii_lowercase()) {
            flags.push(name.replace('_', "-"));
        }
    }
    flags
}

#[test]
fn every_flag_of_the_pages_exists() {
    for (page, text) in pages() {
        for flag in flags(&text) {
            let is_known = Opt::find(&flag).is_some()
                || OF_COMMANDS.contains(&flag.as_str())
                || OF_OTHERS.contains(&flag.as_str());
            assert!(is_known, "{page} names --{flag}, which there is not");
        }
    }
}

#[test]
fn every_flag_stands_in_the_pages() {
    let all: Vec<String> = pages().iter().flat_map(|(_, text)| flags(text)).collect();
    let names = OPTIONS.iter().map(|option| option.name).chain(OF_COMMANDS[..2].iter().copied());
    let missing: Vec<_> = names.filter(|name| !all.iter().any(|flag| flag == name)).collect();
    assert!(missing.is_empty(), "no page says anything of {missing:?}");
}

/// The page of all options is made of the table that the program reads.
#[test]
fn the_page_of_options_is_the_table() {
    let root = env!("CARGO_MANIFEST_DIR");
    let written = fs::read_to_string(format!("{root}/docs/options.md")).unwrap_or_default();
    let made = page_of_options();
    if written != made {
        let found = format!("{}/options.md", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&found, &made).unwrap();
        eprintln!("where the change of an option is meant: cp {found} docs/");
    }
    assert_same_text("docs/options.md", &written, &made);
}

fn page_of_options() -> String {
    let mut page = "\
# Options

Every option, in the order of `flowgauge --help`. As a flag it is written `--csv-file`, as a variable of the
environment `FLOWGAUGE_CSV_FILE`, in a configuration file `csv_file`. This page is made of the table that the
program reads: see `tests/suite/documented.rs`.
"
    .to_string();
    let mut headings: Vec<&str> = OPTIONS.iter().map(|option| option.theme.heading()).collect();
    let mut seen = Vec::new();
    headings.retain(|heading| {
        let is_new = !seen.contains(heading);
        seen.push(*heading);
        is_new
    });
    for heading in headings {
        page += &format!("\n## {heading}\n\n| option | what it does | default |\n|---|---|---|\n");
        let options = OPTIONS.iter().filter(|option| option.theme.heading() == heading);
        options.for_each(|option| page += &row_of(option));
    }
    page
}

fn row_of(option: &Opt) -> String {
    let value = match option.takes {
        Takes::Nothing => String::new(),
        Takes::Choice(names) => format!(" {}", names.join("|")),
        Takes::One(value)
        | Takes::Names(value)
        | Takes::Columns(value)
        | Takes::Typed(value)
        | Takes::Files(value)
        | Takes::Texts(value) => format!(" {value}"),
    };
    let default = option.default_shown().unwrap_or_default();
    let row = [format!("`--{}{value}`", option.name), option.help.to_string(), default];
    format!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// `50,000 records or 1 MiB` as options are written: `50000records or 1MiB`.
fn normal(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(char::is_ascii_digit);
    let kept = letters.iter().enumerate().filter(|(at, letter)| {
        let is_behind_digit = is_digit(at.checked_sub(1));
        !(is_behind_digit && (**letter == ' ' || (**letter == ',' && is_digit(Some(at + 1)))))
    });
    kept.map(|(_, letter)| letter).collect()
}

/// The numbers in a default, with their units.
fn numbers(default: &str) -> Vec<String> {
    let words = default.split(|letter: char| !(letter.is_alphanumeric() || letter == '.'));
    let words = words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    words.map(String::from).collect()
}

/// Rows such as `| memory | 256 MiB | --memory-limit |`, and `--drain-timeout` (20 s) in a sentence.
#[test]
fn defaults_in_the_pages_are_those_of_the_program() {
    let mut rows = 0;
    for (page, text) in pages() {
        for line in text.lines().filter(|line| line.starts_with('|') && page == "README.md") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [_, said, named] = cells[..] else { continue };
            if !named.starts_with("`--") {
                continue;
            }
            rows += 1;
            for flag in flags(named) {
                let default = Opt::find(&flag).unwrap().default_shown().unwrap_or_default();
                for number in numbers(&default) {
                    let said = normal(said);
                    assert!(said.contains(&number), "{page}: --{flag} is {default}, not {said}");
                }
            }
        }
        for option in OPTIONS {
            let words = format!("`--{}` (", option.name);
            for (at, _) in text.match_indices(&words) {
                let said = text[at + words.len()..].split(')').next().unwrap_or_default();
                if said.starts_with(|first: char| first.is_ascii_digit()) {
                    let default = option.default_shown().unwrap_or_default();
                    let first = said.split(", ").next().unwrap_or_default();
                    let is_said = numbers(&default).contains(&normal(first));
                    assert!(is_said, "{page}: {words}{said}) is {default}");
                }
            }
        }
    }
    assert!(rows >= 4, "the limits of the README were not found");
}
