//! Parse, settle what is meant, run, exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use flowgauge::program::cli::Asked;
use flowgauge::program::config::{Settings, Which, is_told_by_environment};
use flowgauge::program::{
    Block, Error, LAST_LINES_MAX, Outcome, StandardOutput, app, check, cli, config, panics,
    signals, standard_error,
};

/// The allocator of glibc keeps what was given back of large blocks, and puts no bound to it.
#[cfg(all(feature = "jemalloc", target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    panics::install();
    let outcome = panics::caught(|| signals::install().map(|()| asked()));
    let outcome = outcome.unwrap_or_else(|error| {
        app::complain(&error);
        error.kind.into()
    });
    standard_error().finish(LAST_LINES_MAX);
    ExitCode::from(panics::judged(outcome).exit_code())
}

fn asked() -> Outcome {
    // Two crates speak TLS and either would choose; a second call, which there is none, would fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() <= 1 && !is_told_by_environment() {
        return nothing_asked();
    }
    match cli::parse(arguments.clone()) {
        Err(complaint) => usage(&complaint, &arguments),
        Ok(Asked::Run { name, written }) => {
            app::expect_run(&words(&arguments));
            match config::resolve(written, &which(name, false)) {
                Err(refusal) => app::refuse_run(&refusal),
                Ok(settings) => app::run(&settings[0]),
            }
        }
        Ok(Asked::Check { name, all, ddl_only, written }) => {
            match config::resolve(written, &which(name, all)) {
                Err(refusal) => app::refuse(&refusal),
                Ok(settings) if ddl_only => print_ddl(&settings),
                Ok(settings) => report_check(&settings),
            }
        }
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

fn which(name: Option<String>, all: bool) -> Which {
    match name {
        _ if all => Which::All,
        Some(name) => Which::Named(name),
        None => Which::Unnamed,
    }
}

fn words(arguments: &[OsString]) -> Vec<String> {
    arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

fn nothing_asked() -> Outcome {
    standard_error().say(cli::SHORT_HELP);
    Outcome::Usage
}

/// Help and versions go to standard output and are no mistake.
fn usage(complaint: &clap::Error, arguments: &[OsString]) -> Outcome {
    if !complaint.use_stderr() {
        return print(complaint.render().to_string().as_bytes());
    }
    let complaint = complaint.render().to_string();
    let outcome = app::refuse_usage(&complaint, cli::asks_for_json(arguments));
    let words = words(arguments);
    if words.first().is_none_or(|verb| verb == "run" || verb.starts_with('-')) {
        app::tell_refused_line(&words, &complaint);
    }
    outcome
}

/// A reader that went away has read what it wanted.
fn print(bytes: &[u8]) -> Outcome {
    match StandardOutput.write_all(bytes) {
        Ok(()) => Outcome::Complete,
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Outcome::OutputClosed,
        Err(cause) => {
            app::complain(&Error::local_io("cannot write to standard output", cause));
            Outcome::LocalIo
        }
    }
}

fn report_check(settings: &[Settings]) -> Outcome {
    app::begin_look(settings);
    let (text, errors) = match settings {
        [only] => {
            let mut text = String::new();
            let checked = check::check(only, &mut text);
            (text, checked.err().into_iter().collect())
        }
        several => check::check_all(several),
    };
    let printed = print(Block(text).to_string().as_bytes());
    errors.iter().for_each(app::complain);
    errors.first().map_or(printed, |error| error.kind.into())
}

fn print_ddl(settings: &[Settings]) -> Outcome {
    app::begin_look(settings);
    let mut text = String::new();
    for settings in settings {
        if let Err(error) = check::ddl(settings, &mut text) {
            app::complain(&error);
            return error.kind.into();
        }
    }
    print(text.as_bytes())
}
