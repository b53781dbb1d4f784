//! What tests stand on. One noun per file; nothing here knows a test.
//!
//! Waits in here are bounded watchdogs: they decide how long a broken program may hang, never
//! whether a working one passes.

pub mod browser;
pub mod catalogue;
pub mod chance;
pub mod collector;
pub mod daemon;
pub mod database;
pub mod exposition;
pub mod faulty_disk;
pub mod folder;
pub mod grpc_receiver;
pub mod http;
pub mod https;
pub mod indices;
pub mod jaeger;
pub mod ledger;
pub mod load;
pub mod mysql_proxy;
pub mod orders;
pub mod outlet;
pub mod private_server;
pub mod program;
pub mod prometheus;
pub mod receiver;
pub mod rust_source;
pub mod scripted_elastic;
pub mod scripted_grafana;
pub mod secrets;
pub mod server;
pub mod silent_clients;
pub mod sockets;
pub mod tmux;
pub mod told;
pub mod trial;

pub use daemon::Daemon;
pub(crate) use database::on_both;
pub use database::{Database, Server};
pub use folder::Workdir;
pub use ledger::LedgerFile;
pub use load::Load;
pub use outlet::Outlet;
pub use private_server::PrivateServer;
pub use program::{Finished, Flowgauge};
pub use trial::Trial;

use std::time::{Duration, Instant};

/// How long anything may keep a test waiting before the test counts as failed.
///
/// Generous, because machines that run everything at once are slow. A passing test never waits
/// for it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The path of the test that expands it, such as `promtool::a_rule_is_checked`.
///
/// From the function's own type, because the thread is not named after the test when tests run
/// one at a time.
macro_rules! test_name {
    () => {{
        fn here() {}
        crate::support::test_path(std::any::type_name_of_val(&here))
    }};
}
pub(crate) use test_name;

/// A fresh work directory named after the test.
macro_rules! workdir {
    () => {
        crate::support::Workdir::new(crate::support::test_name!())
    };
}
pub(crate) use workdir;

/// The address of a server that `tests/run` started or installed; ends the test where there is
/// none, and says so. `tests/run` finds these lines to know which servers to start.
macro_rules! needs {
    ($server:literal) => {
        match crate::support::server::find($server, crate::support::test_name!()) {
            Some(address) => address,
            None => return,
        }
    };
}
pub(crate) use needs;

/// `main::suite::promtool::a_rule_is_checked::here` without what every test has in common.
pub fn test_path(function: &'static str) -> &'static str {
    let path = function.strip_suffix("::here").unwrap_or(function);
    let path = path.strip_suffix("::{{closure}}").unwrap_or(path);
    path.strip_prefix("main::suite::").unwrap_or(path)
}

/// Asks again and again until there is an answer, for what cannot be awaited: a file that grows, a
/// counter of another process.
#[track_caller]
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("gave up waiting for {what}")
}

/// A port nobody listens on at the moment. Prefer to let the program choose one and to read it
/// from what it prints; this is for servers that cannot do that.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Panics with both sides, line by line, where they differ.
#[track_caller]
pub fn assert_same_text(what: &str, expected: &str, actual: &str) {
    if expected != actual {
        panic!("{what} differs (- expected, + actual):\n{}", difference(expected, actual));
    }
}

/// Both texts by lines: common lines at the start and the end once, the rest side after side.
pub fn difference(expected: &str, actual: &str) -> String {
    let expected: Vec<&str> = expected.split('\n').collect();
    let actual: Vec<&str> = actual.split('\n').collect();
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let shorter = expected.len().min(actual.len());
    let head = expected.iter().zip(&actual).take_while(same).count();
    let tail = expected.iter().rev().zip(actual.iter().rev()).take_while(same).count();
    let tail = tail.min(shorter - head);

    let mut lines = Vec::new();
    let mut push = |sign: char, part: &[&str]| {
        lines.extend(part.iter().map(|line| format!("{sign} {}\n", line.escape_debug())));
    };
    push(' ', &expected[..head]);
    push('-', &expected[head..expected.len() - tail]);
    push('+', &actual[head..actual.len() - tail]);
    push(' ', &expected[expected.len() - tail..]);
    lines.concat()
}
