//! `check` as a gate: its exit code is the one that the run would have, for everything that can be known.

use std::io::Write;
use std::net::TcpListener;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::trial::Trial;
use crate::support::{Flowgauge, Workdir, eventually, workdir};

fn check(workdir: &Workdir, args: &str) -> Flowgauge {
    let all = format!("check --csv-file in.csv --output-file out.jsonl {args}");
    workdir.flowgauge().args(all.split_whitespace().map(String::from).collect::<Vec<_>>())
}

/// Records of about 37 bytes, as random as they compress in life.
fn records(count: u64) -> String {
    let mut number = 1_u64;
    (0..count).fold("id,name,amount\n".to_owned(), |text, id| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text + &format!("{id},customer number {},{}.50\n", number >> 50, number >> 45 & 0xfff)
    })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_sample_says_which_share_of_the_records_it_is() {
    let text = records(50_000);
    for (name, bytes) in [("in.csv", text.clone().into_bytes()), ("in.csv.gz", gzip(&text))] {
        let verdict = Trial::new(workdir!())
            .file(name, bytes)
            .with(&format!("check --csv-file {name} --output-file out.jsonl"))
            .run()
            .completes();
        verdict.finished.assert_stdout_has(" % of 50,000\n");
    }
    Trial::csv(workdir!(), "a\n1\n")
        .with("check --csv-file in.csv --output-file out.jsonl")
        .run()
        .completes()
        .finished
        .assert_stdout_has("the first 1 record, which are all\n");
    Trial::new(workdir!())
        .stdin("a\n1\n")
        .with("check --csv-file - --output-file out.jsonl")
        .run()
        .completes()
        .finished
        .assert_stdout_has("the first 1 record\n");
}

/// More than is read to count them.
#[test]
fn compressed_records_are_estimated_as_plain_ones_are() {
    let text = records(800_000);
    let mut estimates = Vec::new();
    for (name, bytes) in [("in.csv", text.clone().into_bytes()), ("in.csv.gz", gzip(&text))] {
        let verdict = Trial::new(workdir!())
            .file(name, bytes)
            .with(&format!("check --csv-file {name} --output-file out.jsonl"))
            .run()
            .completes();
        let (_, behind) = verdict.finished.stdout.split_once(" % of about ").unwrap();
        let number = behind.split_once('\n').unwrap().0.replace(',', "");
        estimates.push(number.parse::<f64>().unwrap());
    }
    for estimate in estimates {
        assert!((estimate / 800_000.0 - 1.0).abs() < 0.1, "{estimate}");
    }
}

#[test]
fn a_fault_behind_the_first_records_is_found_where_it_can_be() {
    let text = records(50_000) + "1,\"never closed,2\n";
    Trial::csv(workdir!(), text)
        .with("check --csv-file in.csv --output-file out.jsonl")
        .run()
        .ends_with(3)
        .says("a quote");
}

#[test]
fn a_server_that_does_not_answer_is_said_while_it_is_waited_for() {
    let workdir = workdir!();
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let args = ["check", "--es-url", &address, "--es-index", "x", "--output-file", "out.jsonl"];
    let mut running = workdir.flowgauge().args(args).spawn();
    running.wait_for_line("opening elasticsearch and file for 3 s so far");
    running.signal(rustix::process::Signal::TERM);
    running.finish().assert_code(143).assert_stdout("");
    // One that refuses is tried again, which a check says as a run does.
    drop(listener);
    let mut running = workdir.flowgauge().args(args).spawn();
    running.wait_for_line("WARN connecting: ");
    running.signal(rustix::process::Signal::TERM);
    running.finish().assert_code(143);
}

#[test]
fn a_port_of_somebody_else_ends_check_as_it_ends_the_run() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It takes connections, and says nothing.
    let looked = check(&workdir, &format!("--metrics-port {port}")).run();
    looked.assert_code(2).assert_stderr_has("is in use by another process");
    looked.assert_stdout_has("this was a dry run: nothing was written");
    drop(listener);
    check(&workdir, &format!("--metrics-port {port}")).run().assert_code(0);
    assert_eq!(workdir.names(), ["in.csv"]);
}

/// Both are free when the other run has ended.
#[test]
fn a_port_and_a_lock_of_the_same_pipeline_are_warned_of() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let args = "--csv-file - --output-file out.jsonl --metrics-port 0 --pipeline-id nightly";
    let mut running =
        workdir.flowgauge().args(args.split(' ')).stdin("a\n1\n").keep_stdin_open().spawn();
    let line = running.wait_for_line("metrics on http://127.0.0.1:");
    let part = workdir.path(".out.jsonl.part");
    eventually("the part file", || part.exists().then_some(()));
    let port: String = line
        .split_once("127.0.0.1:")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
        .unwrap();
    let looked = check(&workdir, &format!("--metrics-port {port} --pipeline-id nightly")).run();
    looked.assert_code(0);
    for words in [
        "warning: a run that begins now would end with exit code 75: another run is writing 'out.jsonl' (host ",
        &format!(", pid {}, since 20", running.id()),
        "warning: a run that begins now would end with exit code 2: port ",
    ] {
        looked.assert_stdout_has(words);
    }
    check(&workdir, &format!("--metrics-port {port}")).run().assert_code(2);
    running.close_stdin();
    running.finish().assert_code(0);
}

#[test]
fn a_share_that_the_first_records_are_over_is_a_warning() {
    // More records than the first batch has.
    let text = "a,b\n1\n".to_owned() + &"1,2\n".repeat(100);
    let verdict = Trial::csv(workdir!(), text)
        .with("check --csv-file in.csv --output-file out.jsonl --batch-size 10 --max-errors 5%")
        .run()
        .completes();
    verdict.finished.assert_stdout_has(
        "warning: 1 of the first 10 records are more than --max-errors 5%; a run judges that",
    );
}

/// Nothing speaks for the others, whenever a run would judge.
#[test]
fn first_records_of_which_none_would_be_written_end_a_look() {
    let text = "a,b\n".to_owned() + &"1\n".repeat(10) + &"1,2\n".repeat(1_000);
    let args = "check --csv-file in.csv --output-file out.jsonl --batch-size 10 --max-errors";
    let look = |share: &str| Trial::csv(workdir!(), &text).with(&format!("{args} {share}")).run();
    look("5%").ends_with(3).says(
        "in.csv, line 2, byte 4: 1 field where there are 2 columns; none of the first 10 records would be written and --max-errors is 5%",
    );
    look("100%").completes();
    look("10").completes();
}
