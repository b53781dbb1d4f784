//! Which real servers this run of the tests has. `tests/run` starts or installs them and says
//! where they are in FLOWGAUGE_TEST_NAME variables.

use std::io::Write;

/// What `needs!` asks for: the value of the server's variable, or none and one line that says so.
///
/// With FLOWGAUGE_TEST_ALL=1, as in CI, a missing server is a failure: otherwise a server that can
/// no longer be installed would silently take its tests with it.
pub fn find(server: &str, test: &str) -> Option<String> {
    let variable = variable(server);
    if let Ok(address) = std::env::var(&variable) {
        return Some(address);
    }
    let line = missing(server, test);
    assert!(std::env::var("FLOWGAUGE_TEST_ALL").as_deref() != Ok("1"), "{line}");
    // Not eprintln!, which the test runner shows only for tests that fail.
    drop(writeln!(std::io::stderr(), "{line}"));
    None
}

fn variable(server: &str) -> String {
    format!("FLOWGAUGE_TEST_{}", server.to_ascii_uppercase().replace('-', "_"))
}

fn missing(server: &str, test: &str) -> String {
    format!("not run: {test} needs {server} (tests/run installs it)")
}

mod tests {
    #[test]
    fn a_missing_server_is_named_with_the_test_that_needs_it() {
        assert_eq!(super::variable("mariadb-10"), "FLOWGAUGE_TEST_MARIADB_10");
        assert_eq!(
            super::missing("prometheus", "promtool::x"),
            "not run: promtool::x needs prometheus (tests/run installs it)"
        );
    }
}
