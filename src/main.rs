//! Parse, settle what is meant, run, exit code.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flowgauge::app;
use flowgauge::cli::{self, Asked};
use flowgauge::command::check;
use flowgauge::config::{ConfigFile, Mistakes, Settings, Written, from_environment};
use flowgauge::error::Error;
use flowgauge::observe::panics;
use flowgauge::observe::standard_error::{LAST_LINES_MAX, standard_error};
use flowgauge::outcome::Outcome;
use flowgauge::signals;
use flowgauge::sink::file::StandardOutput;

fn main() -> ExitCode {
    panics::install();
    let outcome = panics::caught(|| signals::install().map(|()| asked()));
    let outcome = outcome.unwrap_or_else(|error| {
        if !panics::was_said(&error) {
            app::complain(&error);
        }
        error.kind.into()
    });
    standard_error().finish(LAST_LINES_MAX);
    ExitCode::from(panics::judged(outcome).exit_code())
}

fn asked() -> Outcome {
    // Two crates speak TLS and either would choose; a second call, which there is none, would fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if std::env::args_os().len() <= 1 && !is_told_by_environment() {
        return nothing_asked();
    }
    match cli::parse(std::env::args_os()) {
        Err(complaint) => usage(&complaint),
        Ok(Asked::Run { name, written }) => {
            match settings(std::slice::from_ref(&name), written.clone()) {
                Err(mistakes) => refuse_run(name.as_deref(), written, &mistakes),
                Ok(settings) => app::run(&settings[0]),
            }
        }
        Ok(Asked::Check { name, all, ddl_only, written }) => match checked(name, all, written) {
            Err(mistakes) => refuse(&mistakes),
            Ok(settings) if ddl_only => print_ddl(&settings),
            Ok(settings) => report_check(&settings),
        },
        Ok(Asked::Completions(shell)) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut cli::command(), "flowgauge", &mut script);
            print(&script)
        }
        Ok(Asked::Man) => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(cli::command()).render(&mut page) {
                Ok(()) => print(&page),
                Err(_) => Outcome::Internal,
            }
        }
    }
}

/// The environment may name what to read, and all the rest.
fn is_told_by_environment() -> bool {
    let telling = ["config", "source-type", "csv-file", "jsonl-file", "es-url"];
    let from_environment = from_environment(|name| std::env::var(name).ok());
    telling.into_iter().any(|name| from_environment.get(name).is_some())
}

fn nothing_asked() -> Outcome {
    standard_error().say(cli::SHORT_HELP);
    Outcome::Usage
}

/// Help and versions go to standard output and are no mistake.
fn usage(complaint: &clap::Error) -> Outcome {
    if !complaint.use_stderr() {
        return printed(complaint.print().and_then(|()| io::stdout().flush()));
    }
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let typed: Vec<String> = typed.collect();
    let is_run = typed.first().is_none_or(|verb| verb == "run" || verb.starts_with('-'));
    let environment = from_environment(|name| std::env::var(name).ok());
    if is_run && let Some(refusal) = app::Refusal::of_words(&typed, &environment) {
        let told = complaint.to_string();
        refusal.tell(told.lines().next().unwrap_or_default().to_string());
    }
    let words = complaint.render();
    standard_error().say(match is_colourful() {
        true => words.ansi().to_string(),
        false => words.to_string(),
    });
    Outcome::Usage
}

/// Whether standard error takes colours, as far as that can be known.
fn is_colourful() -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    io::stderr().is_terminal() && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

fn refuse(mistakes: &[Error]) -> Outcome {
    mistakes.iter().for_each(app::complain);
    Outcome::Usage
}

/// Whoever looks into the summary must not find the run before.
fn refuse_run(name: Option<&str>, flags: Written, mistakes: &[Error]) -> Outcome {
    let mut written = with_environment(flags);
    // They have been said.
    let mut again = Mistakes::default();
    if let Some(file) = config_file(&written, &mut again) {
        written.fall_back_on(file.layer(name, &mut again));
    }
    let all: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    if let Some(refusal) = app::Refusal::of_settings(&written, name) {
        refusal.tell(all.join("; "));
    }
    refuse(mistakes)
}

fn print(bytes: &[u8]) -> Outcome {
    printed(StandardOutput.write_all(bytes))
}

/// A reader that went away has read what it wanted.
fn printed(written: io::Result<()>) -> Outcome {
    match written {
        Ok(()) => Outcome::Complete,
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Outcome::OutputClosed,
        Err(cause) => {
            app::complain(&Error::local_io("cannot write to standard output", cause));
            Outcome::LocalIo
        }
    }
}

/// The settings of the named pipelines; None is the one outside of `[pipelines]`.
fn settings(names: &[Option<String>], flags: Written) -> Result<Vec<Settings>, Vec<Error>> {
    let mut mistakes = Mistakes::default();
    let typed = with_environment(flags);
    let file = config_file(&typed, &mut mistakes);
    if file.is_none() && names.iter().any(Option::is_some) {
        mistakes.add("a pipeline is named, and no --config (FLOWGAUGE_CONFIG) to look for it in");
    }
    let mut all = Vec::new();
    for name in names {
        let mut written = typed.clone();
        if let Some(missing) = file.as_ref().and_then(|file| unnamed(file, name, &typed)) {
            mistakes.add(missing);
            continue;
        }
        if let Some(file) = &file {
            written.fall_back_on(file.layer(name.as_deref(), &mut mistakes));
        }
        all.extend(Settings::resolve(&written, name.as_deref(), state_dir(), &mut mistakes));
    }
    mistakes.into_result().map(|()| all)
}

/// What to say of a file of pipelines when none of them is named, or none has the name. Without it
/// one would be told what such a pipeline lacks.
fn unnamed(file: &ConfigFile, name: &Option<String>, typed: &Written) -> Option<String> {
    let known: Vec<&str> = file.names().collect();
    let shown = file.path.display();
    match name {
        Some(name) if !known.contains(&name.as_str()) => Some(format!(
            "there is no pipeline '{name}' in '{shown}'; it has {}",
            if known.is_empty() { "none".to_string() } else { known.join(", ") }
        )),
        None if !known.is_empty() && typed.get("output-file").is_none() => Some(format!(
            "'{shown}' has the pipelines {}; run one of them by its name",
            known.join(", ")
        )),
        _ => None,
    }
}

fn checked(name: Option<String>, all: bool, flags: Written) -> Result<Vec<Settings>, Vec<Error>> {
    if !all {
        return settings(&[name], flags);
    }
    let mut mistakes = Mistakes::default();
    let typed = with_environment(flags.clone());
    let names: Vec<_> = match config_file(&typed, &mut mistakes) {
        Some(file) => file.names().map(|name| Some(name.to_string())).collect(),
        None => Vec::new(),
    };
    if names.is_empty() {
        mistakes
            .add("--all checks the pipelines of --config (FLOWGAUGE_CONFIG), and there are none");
    }
    mistakes.into_result()?;
    settings(&names, flags)
}

fn report_check(settings: &[Settings]) -> Outcome {
    // They come from the environment, which is the same for all.
    settings.iter().take(1).for_each(app::warn);
    settings.iter().take(1).for_each(app::log_warnings);
    let (text, errors) = match settings {
        [only] => {
            let mut text = String::new();
            let checked = check::check(only, &mut text);
            (text, checked.err().into_iter().collect())
        }
        several => check::check_all(several),
    };
    let printed = print(text.as_bytes());
    errors.iter().for_each(app::complain);
    errors.first().map_or(printed, |error| error.kind.into())
}

fn print_ddl(settings: &[Settings]) -> Outcome {
    let mut text = String::new();
    for settings in settings {
        if let Err(error) = check::ddl(settings, &mut text) {
            app::complain(&error);
            return error.kind.into();
        }
    }
    print(text.as_bytes())
}

fn with_environment(mut flags: Written) -> Written {
    flags.fall_back_on(from_environment(|name| std::env::var(name).ok()));
    flags
}

fn config_file(written: &Written, mistakes: &mut Mistakes) -> Option<ConfigFile> {
    let path = written.get("config")?.values.last()?;
    Some(ConfigFile::read(Path::new(path), mistakes))
}

/// Where the environment wants state to be kept.
fn state_dir() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    // systemd may name several directories; the first is ours.
    let systemd = variable("STATE_DIRECTORY").map(|directories| {
        let directories = directories.to_string_lossy().into_owned();
        PathBuf::from(directories.split(':').next().unwrap_or_default())
    });
    systemd
        .or_else(|| variable("XDG_STATE_HOME").map(|home| PathBuf::from(home).join("flowgauge")))
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state/flowgauge")))
}
