//! What may be typed: the commands, and the table of options as flags.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::options::{OPTIONS, Opt, Takes};
use crate::config::shell_expansion::repeat_flags;
use crate::config::{OptionOrigin, Which, WrittenOptions};

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
    Completions(clap_complete::Shell),
    Man,
    /// The JSON schema of configuration files.
    Schema,
}

const ABOUT: &str = "Moves records from Elasticsearch, CSV or JSON lines into MySQL or files, for scheduled runs, and measures every step";

const EXAMPLES: &str = "\
Examples:
  flowgauge --source-type csv --csv-file orders.csv --sink-type file --output-file orders.jsonl
  flowgauge --source-type elasticsearch --es-url localhost:9200 --sink-type mysql --db-host localhost \
    --db-user etl --db-pass-file pass.txt --db-name mydb --db-table records --metrics-port 8000
  flowgauge check --csv-file 'in/*.csv.gz' --output-file out.jsonl.zst --infer
  flowgauge run orders --config syncs.toml --metrics-port 8000

Every option may also be written with underscores, come from the environment (FLOWGAUGE_CSV_FILE)
or from a configuration file (csv_file); a flag goes before the environment, that before the file.
A switch that was turned on there is turned off by =false, as in --quiet=false.

Exit codes: 0 complete, 1 internal error, 2 settings or usage, 3 data, 4 other side unavailable,
5 local disk, 75 another run is at it, 129/130/143 interrupted, 141 standard output was closed.";

/// What somebody sees who types the name alone.
pub const SHORT_HELP: &str = "\
Moves records from Elasticsearch, CSV or JSON lines into MySQL or files, and measures every step.

  flowgauge --source-type csv --csv-file orders.csv --sink-type file --output-file orders.jsonl
  flowgauge --es-url localhost:9200 --db-user etl --db-pass-file pass.txt --db-name mydb --db-table records
  flowgauge check ...         everything short of writing; says what would happen
  flowgauge run NAME --config syncs.toml

flowgauge --help lists the options.
";

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
    let shell =
        Arg::new("shell").required(true).value_parser(clap::value_parser!(clap_complete::Shell));
    Command::new("flowgauge")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(false)
        .disable_help_subcommand(true)
        .max_term_width(100)
        .args(OPTIONS.iter().map(argument))
        .subcommand(
            Command::new("run")
                .about("One sync (what happens without a command, too)")
                .arg(name())
                .arg(all("Run every pipeline of the configuration file, in its order"))
                .args(OPTIONS.iter().map(argument)),
        )
        .subcommand(
            Command::new("check")
                .about("Everything short of writing; says what would happen")
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
        .subcommand(Command::new("completions").about("Completions for a shell").arg(shell))
        .subcommand(Command::new("man").about("The manual page"))
        .subcommand(Command::new("schema").about("JSON schema of configuration files, for editors"))
}

fn argument(option: &'static Opt) -> Arg {
    let arg = Arg::new(option.name)
        .long(option.name)
        .help(option.help)
        .help_heading(option.theme.heading());
    let arg = match option.takes {
        Takes::One(value) => arg.value_name(value).action(ArgAction::Set),
        Takes::Names(value) | Takes::Columns(value) | Takes::Typed(value) | Takes::Files(value) => {
            arg.value_name(value).action(ArgAction::Append)
        }
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
    // `-` and texts such as `-1` are values, not flags.
    let is_hyphen_a_value = matches!(option.takes, Takes::One(_)) || option.name == "es-fields";
    let arg = arg.allow_hyphen_values(is_hyphen_a_value);
    match option.key() {
        key if key != option.name => arg.alias(key),
        _ => arg,
    }
}

/// Reads the command line; `Err` holds what clap has to say, help included.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, clap::Error> {
    let command = command();
    let verbs: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let is_file = |name: &OsStr| Path::new(name).is_file();
    let arguments = repeat_flags(arguments.into_iter().collect(), &verbs, is_file)
        .map_err(|why| command.clone().error(ErrorKind::InvalidValue, why))?;
    let matches = command.try_get_matches_from(arguments)?;
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
        Some(("completions", matches)) => {
            let shell = matches.get_one::<clap_complete::Shell>("shell");
            Asked::Completions(*shell.expect("clap requires it"))
        }
        Some(("schema", _)) => Asked::Schema,
        Some(_) => Asked::Man,
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
        let values: Vec<String> = matches
            .get_many::<String>(option.name)
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
