//! Parse, settle what is meant, run, exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use flowgauge::app;
use flowgauge::cli::{self, Asked};
use flowgauge::command::check;
use flowgauge::config::{self, Settings, Which, is_told_by_environment};
use flowgauge::outcome::Outcome;
use flowgauge::shown::Block;

fn main() -> ExitCode {
    // Two crates speak TLS and either would choose; a second call, which there is none, would fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    std::panic::set_hook(Box::new(|panic| {
        // A bug is one line like every other error; who closed standard error does not want it.
        let what = panic.to_string().replace('\n', " ");
        let _ = writeln!(io::stderr(), "flowgauge: {what}; this is a bug, please report it");
    }));
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() <= 1 && !is_told_by_environment() {
        return ExitCode::from(nothing_asked().exit_code());
    }
    let asks_for_json = cli::asks_for_json(&arguments);
    let outcome = match cli::parse(arguments) {
        Err(complaint) => usage(&complaint, asks_for_json),
        Ok(Asked::Run { name, written }) => match config::resolve(written, &which(name, false)) {
            Err(refusal) => app::refuse(&refusal),
            Ok(settings) => app::run(&settings[0]),
        },
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
    };
    ExitCode::from(outcome.exit_code())
}

fn which(name: Option<String>, all: bool) -> Which {
    match name {
        _ if all => Which::All,
        Some(name) => Which::Named(name),
        None => Which::Unnamed,
    }
}

fn nothing_asked() -> Outcome {
    // Who closed standard error does not want to know.
    let _ = io::stderr().write_all(cli::SHORT_HELP.as_bytes());
    Outcome::Usage
}

/// Help and versions go to standard output and are no mistake.
fn usage(complaint: &clap::Error, asks_for_json: bool) -> Outcome {
    if complaint.use_stderr() {
        return app::refuse_usage(&complaint.render().to_string(), asks_for_json);
    }
    // Who closed standard output does not want to know.
    let _ = complaint.print();
    Outcome::Complete
}

fn print(bytes: &[u8]) -> Outcome {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Ok(()) => Outcome::Complete,
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Outcome::OutputClosed,
        Err(_) => Outcome::LocalIo,
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
    settings.first().iter().for_each(|settings| {
        errors.iter().for_each(|error| app::say(settings, error));
    });
    errors.first().map_or(printed, |error| error.kind.into())
}

fn print_ddl(settings: &[Settings]) -> Outcome {
    let mut text = String::new();
    for settings in settings {
        if let Err(error) = check::ddl(settings, &mut text) {
            app::begin_look(std::slice::from_ref(settings));
            app::say(settings, &error);
            return error.kind.into();
        }
    }
    print(text.as_bytes())
}
