//! The help as it is printed: a short one that fits a screen, and a long one with all options by theme
//! in one layout. The manual pages and error messages are of clap's own making.

use clap::{Arg, ArgAction, Command};

/// The screen of `-h`, and of somebody who types the name alone.
pub const SHORT: &str = "\
flowgauge moves records from Elasticsearch, OpenSearch, CSV or JSON lines into
MySQL, MariaDB or files. One run is one sync: it says what became of every
record, and leaves nothing half-written.

Usage: flowgauge [OPTIONS]           one sync; the same as 'flowgauge run'
       flowgauge run NAME -c FILE    a pipeline of a configuration file
       flowgauge check ...           a dry run that writes nothing
       flowgauge status, runs        how pipelines are, and their history

Examples:
  flowgauge --csv-file orders.csv --output-file orders.jsonl
  flowgauge --es-url localhost:9200 --db-user etl --db-pass-file pass.txt \\
    --db-name mydb --db-table records

Most used options:
  --csv-file FILE, --jsonl-file FILE, --es-url URL    what to read
  --output-file FILE, --db-table NAME                 where to write
  --mode insert|skip|upsert                           what to do with known keys
  --max-errors N|N%, --rejects FILE                   records that are rejected
  --metrics-port PORT                                 serve Prometheus metrics
  -c, --config FILE                                   a TOML file of pipelines
  -q, --quiet                                         print nothing but errors

Read on:
  flowgauge --help              all options, by theme
  flowgauge help check          the options of one command
  flowgauge man                 the manual page, or that of a command
  flowgauge completions bash    completions for a shell
  README.md and docs/           examples, rights, exit codes, cron, Kubernetes
";

/// Where the help of options begins.
const HELP_COLUMN: usize = 34;
const WIDTH_MIN: usize = HELP_COLUMN + 26;

/// All that a command takes, the themes in the order in which they first come.
pub fn long(command: &Command, path: &str, about: &str, width: usize) -> String {
    let width = width.max(WIDTH_MIN);
    let mut out = String::new();
    paragraph(&mut out, about, width);
    out.push_str(&format!("\nUsage: {path} [OPTIONS]{}\n", places(command)));
    if command.get_subcommands().any(|one| !one.is_hide_set()) {
        out.push_str(&format!("       {path} COMMAND ...\n\nCommands:\n"));
        for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            entry(&mut out, one.get_name(), &about, width);
        }
    }
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .partition(|arg| arg.is_positional());
    if !positional.is_empty() {
        out.push_str("\nArguments:\n");
        for arg in positional {
            entry(&mut out, &place(arg), &help_of(arg), width);
        }
    }
    let mut themes: Vec<&str> = Vec::new();
    for theme in options.iter().map(|arg| theme_of(arg)) {
        if !themes.contains(&theme) {
            themes.push(theme);
        }
    }
    // What every command has comes last.
    themes.sort_by_key(|theme| *theme == GENERAL);
    for theme in themes {
        out.push_str(&format!("\n{theme}:\n"));
        for arg in options.iter().filter(|arg| theme_of(arg) == theme) {
            entry(&mut out, &flags(arg), &help_of(arg), width);
        }
    }
    out
}

/// The first lines of a command's help.
pub fn short(command: &Command, path: &str) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = String::new();
    paragraph(&mut out, &about, SCREEN_WIDTH);
    out.push_str(&format!("\nUsage: {path} [OPTIONS]{}\n", places(command)));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_help_heading().is_none())
        .collect();
    if !own.is_empty() {
        out.push('\n');
    }
    for arg in own {
        let name = if arg.is_positional() { place(arg) } else { flags(arg) };
        entry(&mut out, &name, &help_of(arg), SCREEN_WIDTH);
    }
    out.push_str(&format!("\n'{path} --help' lists all options.\n"));
    out
}

/// Of the short help, which is the same everywhere.
const SCREEN_WIDTH: usize = 80;

/// Beyond it lines are hard to read.
pub const WIDTH_MAX: usize = 100;

const GENERAL: &str = "General";

fn theme_of(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or(GENERAL)
}

fn help_of(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// What stands behind the options.
pub fn places(command: &Command) -> String {
    let places = command.get_positionals().filter(|arg| !arg.is_hide_set());
    places.map(|arg| format!(" {}", place(arg))).collect()
}

fn place(arg: &Arg) -> String {
    let name = value_of(arg).unwrap_or_else(|| arg.get_id().as_str().to_uppercase());
    if arg.is_required_set() { name } else { format!("[{name}]") }
}

fn value_of(arg: &Arg) -> Option<String> {
    arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string)
}

/// `-c, --config FILE`
fn flags(arg: &Arg) -> String {
    let short = match arg.get_short() {
        Some(short) => format!("-{short}, "),
        None => "    ".to_string(),
    };
    let is_switch = arg.get_num_args().is_some_and(|range| range.min_values() == 0)
        || !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let value = value_of(arg).filter(|_| !is_switch);
    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{short}--{}{value}", arg.get_long().unwrap_or_default())
}

/// A name, and what it means beside it, or below where the name is long.
fn entry(out: &mut String, name: &str, help: &str, width: usize) {
    let indented = format!("  {name}");
    let lines = wrapped(help, width - HELP_COLUMN);
    let mut rest = lines.iter();
    match indented.chars().count() + 2 <= HELP_COLUMN {
        true => {
            let first = rest.next().map_or("", String::as_str);
            let line = format!("{indented:<HELP_COLUMN$}{first}");
            out.push_str(line.trim_end());
        }
        false => out.push_str(&indented),
    }
    out.push('\n');
    for line in rest {
        out.push_str(&format!("{:HELP_COLUMN$}{line}\n", ""));
    }
}

fn paragraph(out: &mut String, text: &str, width: usize) {
    for line in wrapped(text, width) {
        out.push_str(&line);
        out.push('\n');
    }
}

/// Words over lines of at most so many characters, where no word is longer.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_over_lines_and_none_is_lost() {
        for (text, width, expected) in [
            ("", 10, &[][..]),
            ("one two three", 7, &["one two", "three"]),
            ("incomprehensible a b", 4, &["incomprehensible", "a b"]),
            ("a  b\nc", 80, &["a b c"]),
        ] {
            assert_eq!(wrapped(text, width), expected, "{text}");
        }
    }

    #[test]
    fn the_short_help_fits_a_screen() {
        assert!(SHORT.lines().count() <= 34);
        assert!(SHORT.lines().all(|line| line.len() <= SCREEN_WIDTH));
    }
}
