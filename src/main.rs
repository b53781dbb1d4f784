//! Parse, do what is asked, exit code.

use std::process::ExitCode;

use flowgauge::program::{
    Asked, LAST_LINES_MAX, Outcome, check, complain, driver_buffers, exporter,
    is_told_by_environment, metrics, panics, parse, run, runs, schema, signals, standard_error,
    status, texts, top, usage,
};

/// The allocator of glibc keeps what was given back of large blocks, and puts no bound to it; that of musl has
/// one lock for all threads.
#[cfg(all(
    feature = "jemalloc",
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl")
))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    driver_buffers::limit();
    panics::install();
    let outcome = panics::caught(|| signals::install().map(|()| asked()));
    let outcome = outcome.unwrap_or_else(|error| {
        complain(&error);
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
        return usage::nothing_asked();
    }
    match parse(arguments.clone()) {
        Err(complaint) => usage::complain(&complaint, &arguments),
        Ok(Asked::Run { which, written }) => run::run(&which, written),
        Ok(Asked::Check { which, ddl_only, written }) => check::run(&which, ddl_only, written),
        Ok(Asked::Runs { asked, written }) => runs::run(&asked, written),
        Ok(Asked::Exporter { asked, written }) => exporter::run(&asked, written),
        Ok(Asked::Status { asked, written }) => status::run(&asked, written),
        Ok(Asked::Top { asked, written }) => top::run(&asked, written),
        Ok(Asked::Page(page)) => texts::print_page(&page),
        Ok(Asked::Metrics(page)) => metrics::print_metrics(&page),
        Ok(Asked::Schema) => schema::print_schema(),
    }
}
