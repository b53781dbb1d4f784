//! The last scrape of a run: who waits for it, for how long, and who is not kept by it.

use rustix::process::Signal;

use crate::support::exposition::Scrape;
use crate::support::orders::{RUNS, every_end, orders, orders_as, report, summary};
use crate::support::prometheus::Prometheus;
use crate::support::secrets::HASH;
use crate::support::told::{Told, told, told_by, told_on};
use crate::support::{Flowgauge, eventually, free_port, https, needs, workdir};

#[test]
fn prometheus_has_every_run_by_its_last_scrape() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    let port = free_port().to_string();
    let config = format!(
        "global:\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\nscrape_configs:\n\
         - job_name: flowgauge\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
    );
    let prometheus = Prometheus::start(&binary, &workdir, &config);
    let tell =
        |command: Flowgauge| command.args(["--metrics-port", &port, "--metrics-until-scraped"]);
    let heard = |expected: &Told| {
        let as_expected =
            || told_by(|query| prometheus.query(query)).filter(|told| told == expected);
        eventually(&format!("{expected:?}"), as_expected);
    };
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        assert_eq!(report(&workdir, "scrape"), (true, String::new()));
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

/// The end of a run is there for whoever comes, and its output is free for the next.
#[test]
fn the_last_numbers_stay_until_they_were_scraped_as_often_as_wanted() {
    let workdir = workdir!();
    let command = orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let mut run = command.args(["--metrics-scrapes", "2", "--require-report"]).spawn();
    let address = run.metrics_address();
    run.wait_for_line("the last numbers are served until they are scraped");
    orders(&workdir, 3, 0).run().assert_code(0);
    for _ in 0..2 {
        assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 3, 0));
    }
    run.finish().assert_code(0);
}

/// Whoever is still to be scraped is not in the way of the next run, which has the port when it is free.
#[test]
fn the_next_run_begins_while_the_last_numbers_wait() {
    let workdir = workdir!();
    let port = free_port().to_string();
    let address = format!("127.0.0.1:{port}");
    let serving = |id, count| {
        let command = orders_as(id, &workdir, count, 0).args(["--metrics-port", &port]);
        command.args(["--metrics-until-scraped", "--metrics-linger", "1h", "--require-report"])
    };
    let mut first = serving("orders", 3).spawn();
    first.wait_for_line("the last numbers are served until they are scraped");
    let kept = format!("port {port} is kept by a run of this pipeline that is over");
    // It does not wait for the port where nobody is to be waited for.
    let between = orders(&workdir, 4, 0).args(["--metrics-port", &port]).run();
    between.assert_code(0);
    between.assert_stderr_has(&kept);
    let other = serving("other", 4).run();
    other.assert_code(2);
    other.assert_stderr_has("is in use by another process");
    let mut second = serving("orders", 5).spawn();
    second.wait_for_line(&kept);
    second.wait_for_line("  read 5 = inserted 5");
    assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 3, 0));
    first.finish().assert_code(0);
    second.wait_for_line("the last numbers are served until they are scraped");
    assert_eq!(told_on(&Scrape::of(&address).text), told("complete", 5, 0));
    second.finish().assert_code(0);
}

/// Nobody can ask who is behind TLS and a password; the ledger knows, and whose the port is the system does.
#[test]
fn the_next_run_begins_while_the_last_numbers_wait_behind_tls_and_a_password() {
    let workdir = workdir!();
    https::certificate(&workdir);
    let users = format!("basic_auth_users: {{me: '{HASH}'}}\n");
    workdir.write(
        "tls.yml",
        format!("tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\n{users}"),
    );
    workdir.write("password.yml", users);
    for config in ["tls.yml", "password.yml"] {
        let port = free_port().to_string();
        let serving = |id, config| {
            let command = orders_as(id, &workdir, 3, 0).args(["--metrics-port", &port]);
            command.args(["--metrics-web-config", config])
        };
        let lingering = ["--metrics-until-scraped", "--metrics-linger", "1h"];
        let mut first = serving("orders", config).args(lingering).spawn();
        first.wait_for_line("the last numbers are served until they are scraped");
        let between = serving("orders", config).run();
        between.assert_code(0);
        between.assert_stderr_has(&format!(
            "port {port} is kept by a run of this pipeline that is over"
        ));
        serving("orders", config).args(["check"]).run().assert_code(0);
        let other = serving("other", config).run();
        other.assert_code(2).assert_stderr_has("is in use by another process");
        let unknown = serving("orders", config).args(["--no-ledger"]).run();
        unknown.assert_code(2).assert_stderr_has("is in use by another process");
        first.signal(Signal::TERM);
        first.finish().assert_code(0);
    }
}

#[test]
fn a_scraper_that_never_comes_is_a_missing_report() {
    let workdir = workdir!();
    for (required, code) in [(false, 0), (true, 6)] {
        let command =
            orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
        let command = command.args(["--metrics-linger", "50ms"]);
        let finished = if required { command.args(["--require-report"]) } else { command }.run();
        finished.assert_code(code);
        finished.assert_stderr_has("--metrics-until-scraped: the end of the run did not arrive");
        assert_eq!(summary(&workdir)["exit_code"], code);
        assert_eq!(summary(&workdir)["outcome"], "complete");
        let (is_ok, reason) = report(&workdir, "scrape");
        assert!(!is_ok && reason.starts_with("0 of 1 scrapes"), "{reason}");
    }
    let failed = orders(&workdir, 3, 1).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let failed = failed.args(["--metrics-linger", "50ms", "--require-report"]).run();
    failed.assert_code(3);
}

#[test]
fn a_signal_ends_the_wait_for_a_scrape_and_nothing_else() {
    let workdir = workdir!();
    let command = orders(&workdir, 3, 0).args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let mut run = command.args(["--metrics-linger", "1h"]).spawn();
    run.wait_for_line("the last numbers are served until they are scraped");
    run.signal(Signal::TERM);
    run.finish().assert_code(0);
    let (is_ok, reason) = report(&workdir, "scrape");
    assert!(!is_ok && reason.contains("a signal ended it"), "{reason}");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 3);
}
