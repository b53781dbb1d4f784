//! A file for the textfile collector of node_exporter: whole at every end, and no other file.

use crate::support::orders::{RUNS, every_end, orders, report};
use crate::support::prometheus::Promtool;
use crate::support::told::{Told, told, told_on};
use crate::support::{Daemon, Flowgauge, Trial, needs, workdir};

#[test]
fn a_textfile_is_valid_and_whole_whatever_the_end() {
    needs!("prometheus");
    let workdir = workdir!();
    let promtool = Promtool::new();
    let tell = |command: Flowgauge| command.args(["--metrics-textfile", "orders.prom"]);
    every_end(&workdir, tell, |expected| {
        let page = workdir.read("orders.prom");
        promtool.check_metrics(&page).unwrap();
        assert_eq!(told_on(&page), *expected);
        assert!(!page.contains("process_"), "node_exporter has metrics of these names");
    });
    assert_eq!(report(&workdir, "textfile"), (true, String::new()));
}

#[test]
fn node_exporter_has_the_numbers_of_every_run() {
    let binary = needs!("node_exporter");
    let workdir = workdir!();
    std::fs::create_dir(workdir.path("textfiles")).unwrap();
    let args = [
        "--collector.disable-defaults",
        "--collector.textfile",
        "--collector.textfile.directory=textfiles",
        "--web.listen-address={address}",
    ];
    let exporter = Daemon::start(&binary, &workdir, &args, "/");
    let tell = |command: Flowgauge| command.args(["--metrics-textfile", "textfiles/orders.prom"]);
    let heard = |expected: &Told| {
        let page = exporter.get("/metrics");
        assert!(page.contains("\nnode_textfile_scrape_error 0\n"), "{page}");
        assert_eq!(told_on(&page), *expected);
    };
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

#[test]
fn a_textfile_that_cannot_be_written_costs_a_line() {
    let workdir = workdir!();
    let file = ["--metrics-textfile", "absent/orders.prom"];
    let finished = orders(&workdir, 3, 0).args(file).run();
    finished.assert_code(0);
    finished.assert_stderr_has("--metrics-textfile: the end of the run did not arrive: ");
    let (is_ok, reason) = report(&workdir, "textfile");
    assert!(!is_ok && reason.contains("absent/orders.prom"), "{reason}");
    let checked = orders(&workdir, 3, 0).args(file).args(["check"]).run();
    checked.assert_code(0);
    assert!(checked.stdout.contains("warning: nobody would be told"), "{}", checked.stdout);
}

/// Nothing that is written may be what is read, and a run that is refused writes neither: before, the
/// input was gone.
#[test]
fn a_textfile_is_no_other_file_of_the_run() {
    let in_the_way = |args: &str| {
        let trial = Trial::new(workdir!()).file("in.prom", "id\n1\n").file("out.prom", "old\n");
        let trial = trial.with("--csv-file in.prom --output-format jsonl --output-file out.prom");
        trial.with(args).run().ends_with(2)
    };
    in_the_way("--metrics-textfile in.prom").says("'in.prom' is the input 'in.prom' itself");
    in_the_way("--metrics-textfile out.prom").says("--metrics-textfile and --output-file are both");
}

#[test]
fn a_textfile_replaces_nothing_but_metrics() {
    let trial = Trial::csv(workdir!(), "id\n1\n")
        .file("notes.prom", "my notes\n")
        .with("--metrics-textfile notes.prom");
    let verdict = trial.run().completes().says("'notes.prom' holds something else than metrics");
    verdict.writes(&["{\"id\":\"1\"}"]);
}
