//! What may be typed: the commands, and the table of options as flags.

pub mod help;
pub mod history;
mod metrics_page;
pub mod page;
mod pipeline_names;
pub mod provision;
pub mod top;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::history::{
    ExporterAsked, RunsAsked, StatusAsked, exporter_asked, exporter_command, runs_asked,
    runs_command, status_asked, status_command,
};
use self::page::Page;
use self::pipeline_names::LISTING;
use self::top::{TopAsked, top_asked, top_command};
use crate::command::metrics::MetricsPage;
use crate::config::options::{OPTIONS, Opt, Takes};
use crate::config::shell_expansion::repeat_flags;
use crate::config::{OptionOrigin, WrittenOptions};

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// `name` is the pipeline of a configuration file.
    Run {
        which: Which,
        written: WrittenOptions,
    },
    Check {
        which: Which,
        /// Nothing but the statements for the state tables.
        ddl_only: bool,
        written: WrittenOptions,
    },
    /// What is printed about the program itself.
    Page(Page),
    /// What is printed about metrics.
    Metrics(MetricsPage),
    /// The JSON schema of configuration files.
    Schema,
    /// What the ledger has of runs before; of the options only where it is.
    Runs {
        asked: RunsAsked,
        written: WrittenOptions,
    },
    Status {
        asked: StatusAsked,
        written: WrittenOptions,
    },
    Exporter {
        asked: ExporterAsked,
        written: WrittenOptions,
    },
    /// Runs that are on, seen live.
    Top {
        asked: TopAsked,
        written: WrittenOptions,
    },
}

/// Which pipelines are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// What stands outside of `[pipelines]`.
    Unnamed,
    Named(String),
    All,
}

const ABOUT: &str = "Moves records from Elasticsearch, CSV or JSON lines into MySQL or files, for scheduled runs, and measures every step";

const EXAMPLES: &str = "\
Examples:
  flowgauge --source-type csv --csv-file orders.csv \\
    --sink-type file --output-file orders.jsonl
  flowgauge --source-type elasticsearch --es-url localhost:9200 \\
    --sink-type mysql --db-host localhost --db-user etl --db-pass-file pass.txt \\
    --db-name mydb --db-table records --metrics-port 8000
  flowgauge check --csv-file 'in/*.csv.gz' --output-file out.jsonl.zst --infer
  flowgauge run orders -c syncs.toml --metrics-port 8000

Every option can also be written with underscores, and set by an environment
variable (FLOWGAUGE_CSV_FILE) or in a configuration file (csv_file). Flags
override the environment, and the environment overrides the file. --quiet=false
turns off a switch that is on there.

Exit codes: 0 complete, 1 internal error, 2 settings or usage, 3 data, 4 a server
is unavailable, 5 local disk, 75 another run of this job is running, 129/130/143
interrupted by a signal, 141 standard output was closed; 6 complete, but what
--require-ledger asks for is missing.";

/// The commands and options, as manual pages and completions show them.
pub fn command() -> Command {
    let name = || {
        Arg::new("name")
            .value_name("NAME")
            .help("Pipeline of the configuration file")
            .required(false)
    };
    let all = |help| {
        Arg::new("all").long("all").action(ArgAction::SetTrue).conflicts_with("name").help(help)
    };
    let verb = |help| Arg::new("verb").value_name("COMMAND").help(help).required(false);
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .help("bash, zsh, fish, elvish or powershell")
        .hide_possible_values(true)
        .required(true)
        .value_parser(clap::value_parser!(clap_complete::Shell));
    Command::new("flowgauge")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(false)
        .disable_help_subcommand(true)
        .max_term_width(help::WIDTH_MAX)
        .args(OPTIONS.iter().map(argument))
        .subcommand(
            Command::new("run")
                .about("Run one sync; the same as no command")
                .arg(name())
                .arg(all("Run every pipeline of the configuration file, in its order"))
                .args(OPTIONS.iter().map(argument)),
        )
        .subcommand(
            Command::new("check")
                .about("Dry run: check everything, write nothing, and say what a run would do")
                .arg(name())
                .args(OPTIONS.iter().map(argument))
                .arg(all("Check every pipeline of the configuration file"))
                .arg(
                    Arg::new("print-ddl")
                        .long("print-ddl")
                        .alias("print_ddl")
                        .action(ArgAction::SetTrue)
                        .help("Only print the statements that create the state tables"),
                ),
        )
        .subcommand(runs_command())
        .subcommand(status_command())
        .subcommand(exporter_command())
        .subcommand(top_command())
        .subcommand(
            Command::new("completions").about("Print the completion script of a shell").arg(shell),
        )
        .subcommand(
            Command::new("man")
                .about("Print the manual page, or that of one command")
                .arg(verb("Print the page of this command"))
                .arg(
                    Arg::new("out")
                        .long("out")
                        .value_name("DIR")
                        .value_parser(clap::value_parser!(PathBuf))
                        .conflicts_with("verb")
                        .help("Write all pages as files into this directory instead"),
                ),
        )
        .subcommand(
            Command::new("help")
                .about("Print the help, or that of one command")
                .arg(verb("Print the help of this command")),
        )
        .subcommand(Command::new("version").about("Print version and revision"))
        .subcommand(
            Command::new("schema")
                .about("Print the JSON schema of configuration files, for editors"),
        )
        .subcommand(metrics_page::command())
}

/// What is read: the same with help in a layout of our own, and what completions ask.
fn typed() -> Command {
    let width = width();
    let whole = command();
    let verbs = page::verbs();
    let long = format!("{}\n{EXAMPLES}\n", help::long(&whole, "flowgauge", ABOUT, width));
    let whole = verbs.iter().fold(whole, |whole, verb| {
        whole.mut_subcommand(verb, |one| {
            let path = format!("flowgauge {verb}");
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            let one = one.disable_version_flag(true);
            let (short, long) = (help::short(&one, &path), help::long(&one, &path, &about, width));
            one.help_template(TEMPLATE).after_help(short).after_long_help(long)
        })
    });
    let words = Arg::new("words").num_args(0..).last(true).allow_hyphen_values(true);
    whole
        .help_template(TEMPLATE)
        .after_help(help::SHORT)
        .after_long_help(long)
        .subcommand(Command::new(LISTING).hide(true).arg(words))
}

/// Nothing of clap's layout: `-h` is the one text and `--help` the other.
const TEMPLATE: &str = "{after-help}";

/// Columns of the terminal that help goes to.
fn width() -> usize {
    const ELSEWHERE: usize = 80;
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map(|size| size.ws_col);
    let columns = columns.ok().filter(|columns| *columns > 0).map_or(ELSEWHERE, usize::from);
    columns.min(help::WIDTH_MAX)
}

fn argument(option: &'static Opt) -> Arg {
    let arg = Arg::new(option.name)
        .long(option.name)
        .help(option.help_with_default())
        .help_heading(option.theme.heading());
    let arg = match option.takes {
        Takes::One(value) => arg.value_name(value).action(ArgAction::Set),
        Takes::Names(value)
        | Takes::Columns(value)
        | Takes::Typed(value)
        | Takes::Files(value)
        | Takes::Texts(value) => arg.value_name(value).action(ArgAction::Append),
        Takes::Choice(choices) => {
            // The help shows them where other options show what they take.
            arg.value_name(choices.join("|"))
                .hide_possible_values(true)
                .value_parser(PossibleValuesParser::new(choices))
                .action(ArgAction::Set)
        }
        // `--quiet=false` takes back what a file or the environment says.
        Takes::Nothing => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Set),
    };
    let arg = match option.name {
        "quiet" => arg.short('q'),
        "config" => arg.short('c'),
        _ => arg,
    };
    // `-` and texts such as `-1` are values, not flags.
    let is_hyphen_a_value = matches!(option.takes, Takes::One(_)) || option.name == "es-fields";
    let arg = arg.allow_hyphen_values(is_hyphen_a_value);
    match option.key() {
        key if key != option.name => arg.alias(key),
        _ => arg,
    }
}

/// Reads the command line; `Err` holds what is wrong with it in the words of clap.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, clap::Error> {
    let command = typed();
    let verbs: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let is_file = |name: &OsStr| Path::new(name).is_file();
    let arguments = repeat_flags(arguments.into_iter().collect(), &verbs, is_file)
        .map_err(|why| command.clone().error(ErrorKind::InvalidValue, why))?;
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(asked) => {
            return match asked.kind() {
                ErrorKind::DisplayHelp => {
                    let text = asked.render().to_string();
                    Ok(Asked::Page(Page::Help(text.trim_start_matches('\n').to_string())))
                }
                ErrorKind::DisplayVersion => Ok(Asked::Page(Page::Version)),
                _ => Err(asked),
            };
        }
    };
    let before = written(&matches)?;
    Ok(match matches.subcommand() {
        None => Asked::Run { which: Which::Unnamed, written: before },
        Some(("run", matches)) => {
            Asked::Run { which: which(matches), written: joined(before, written(matches)?)? }
        }
        Some(("check", matches)) => Asked::Check {
            which: which(matches),
            ddl_only: matches.get_flag("print-ddl"),
            written: joined(before, written(matches)?)?,
        },
        Some(("runs", matches)) => {
            Asked::Runs { asked: runs_asked(matches), written: joined(before, written(matches)?)? }
        }
        Some(("status", matches)) => Asked::Status {
            asked: status_asked(matches),
            written: joined(before, written(matches)?)?,
        },
        Some(("exporter", matches)) => {
            let mut written = written(matches)?;
            if let (Some(db), Some(ledger)) = (matches.get_one::<String>("db"), Opt::find("ledger"))
            {
                written.set(ledger, vec![db.clone()], OptionOrigin::Flag);
            }
            Asked::Exporter { asked: exporter_asked(matches), written: joined(before, written)? }
        }
        Some(("top", matches)) => {
            Asked::Top { asked: top_asked(matches), written: joined(before, written(matches)?)? }
        }
        Some(("completions", matches)) => {
            let shell = matches.get_one::<clap_complete::Shell>("shell");
            Asked::Page(Page::Completions(*shell.expect("clap requires it")))
        }
        Some(("schema", _)) => Asked::Schema,
        Some((metrics_page::NAME, matches)) => Asked::Metrics(metrics_page::read(matches)?),
        Some(("man", matches)) => Asked::Page(match matches.get_one::<PathBuf>("out") {
            Some(folder) => Page::Manuals(folder.clone()),
            None => Page::Manual(matches.get_one::<String>("verb").cloned()),
        }),
        Some(("help", matches)) => {
            let verb = matches.get_one::<String>("verb").cloned();
            let words = std::iter::once("flowgauge".to_string()).chain(verb);
            return parse(words.chain(["--help".to_string()]).map(OsString::from));
        }
        Some((LISTING, matches)) => {
            let words = matches.get_many::<String>("words").into_iter().flatten();
            Asked::Page(Page::PipelineNames(words.cloned().collect()))
        }
        Some(_) => Asked::Page(Page::Version),
    })
}

/// Whether log lines are wanted as JSON, for a command line that cannot be understood otherwise.
pub fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<_> = arguments.iter().map(|text| text.to_string_lossy()).collect();
    let is_flag = |text: &str| text == "--log-format" || text == "--log_format";
    let behind_sign = texts
        .iter()
        .any(|text| text.split_once('=').is_some_and(|(f, v)| is_flag(f) && v == "json"));
    behind_sign || texts.windows(2).any(|pair| is_flag(&pair[0]) && pair[1] == "json")
}

/// What stands before a command and behind it: lists add up, and what takes one value has one.
fn joined(
    mut before: WrittenOptions,
    behind: WrittenOptions,
) -> Result<WrittenOptions, clap::Error> {
    match before.add(behind) {
        Ok(()) => Ok(before),
        Err(option) => {
            let message = format!("the argument '{}' cannot be used multiple times", option.flag());
            Err(command().error(ErrorKind::ArgumentConflict, message))
        }
    }
}

fn which(matches: &ArgMatches) -> Which {
    match matches.get_one::<String>("name") {
        _ if matches.get_flag("all") => Which::All,
        Some(name) => Which::Named(name.clone()),
        None => Which::Unnamed,
    }
}

fn written(matches: &ArgMatches) -> Result<WrittenOptions, clap::Error> {
    let mut written = WrittenOptions::default();
    for option in OPTIONS {
        // Some commands have few of them.
        let Ok(texts) = matches.try_get_many::<String>(option.name) else { continue };
        let values: Vec<String> = texts
            .map(|texts| texts.flat_map(|text| option.values(text)).collect())
            .unwrap_or_default();
        let is_given =
            matches.value_source(option.name) == Some(clap::parser::ValueSource::CommandLine);
        if let Some(flag) = values.iter().find(|value| is_flag(value)) {
            let message = format!(
                "{} takes a value, and {flag} follows; one like that goes into the environment or a file of settings",
                option.flag()
            );
            return Err(command().error(ErrorKind::InvalidValue, message));
        }
        if is_given {
            written.set(option, values, OptionOrigin::Flag);
        }
    }
    Ok(written)
}

/// A value may begin with a hyphen. One that is another option was more likely left out, and would be
/// the name of a file.
fn is_flag(value: &str) -> bool {
    let name = value.strip_prefix("--").map(|rest| rest.split('=').next().unwrap_or(rest));
    name.is_some_and(|name| Opt::find(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_makes_a_sound_command() {
        command().debug_assert();
        typed().debug_assert();
    }

    #[test]
    fn both_spellings_are_one_option_before_and_behind_a_command() {
        for typed in [
            "flowgauge --csv-file a,b.csv --csv_file=- --select a,b=c",
            "flowgauge --csv_file a,b.csv run --csv-file - --select a --select b=c",
        ] {
            let asked = parse(typed.split(' ').map(OsString::from)).unwrap();
            let Asked::Run { written, .. } = asked else { panic!("{asked:?}") };
            let values = |name| written.get(name).map(|text| text.values.clone()).unwrap();
            assert_eq!(values("csv-file"), ["a,b.csv", "-"], "{typed}");
            assert_eq!(values("select"), ["a", "b=c"], "{typed}");
        }
    }

    #[test]
    fn what_takes_one_value_is_written_once() {
        for typed in [
            "flowgauge --workers 1 --workers 1",
            "flowgauge --workers 1 run --workers 2",
            "flowgauge --quiet check --quiet=false",
            "flowgauge --quiet --quiet",
        ] {
            let error = parse(typed.split(' ').map(OsString::from)).unwrap_err().to_string();
            assert!(error.contains("cannot be used multiple times"), "{typed}: {error}");
        }
    }

    #[test]
    fn a_switch_is_turned_on_or_off() {
        for (typed, value) in [
            ("flowgauge --quiet", "true"),
            ("flowgauge --quiet=true run", "true"),
            ("flowgauge run --quiet=false", "false"),
            ("flowgauge run --quiet nightly", "true"),
        ] {
            let asked = parse(typed.split(' ').map(OsString::from)).unwrap();
            let Asked::Run { written, .. } = asked else { panic!("{asked:?}") };
            assert_eq!(written.get("quiet").unwrap().values, [value], "{typed}");
        }
    }
}
