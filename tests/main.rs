//! The tests that need the whole program, a process or a real server, in one binary.
//!
//! `tests/run` prepares what they need and runs them; `cargo test` alone also works, and says which
//! tests did not run. Tests of pure code stand beside that code in `src`.

// All of this crate is test code, also where no `#[test]` stands above a function.
#![allow(clippy::unwrap_used)]

// A work directory, the program as a command, an HTTP client, real servers.
mod support;

mod suite {
    // The harness itself: that it sees output, exit codes and signals, and cleans up.
    mod harness;
    // What may be built into the program: licences, one TLS stack at most, no unsafe code.
    mod licences;
    // What a scrape of a run says, and what the metrics server does to the run: nothing.
    mod metrics;
    // What Prometheus says of our metrics, rules and example configuration. Needs prometheus.
    mod promtool;
    // The pages that are held against the code.
    mod reference;
    // Who may import whom in `src`.
    mod tidy;
}
