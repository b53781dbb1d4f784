//! All ways out of a run at once: targets that do not answer as they should cost a line, and settings.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::orders::{ACCEPTED, orders, report, summary};
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::secrets::{HEADER, PASSWORD, PATH, TOKEN, assert_no_secret};
use crate::support::told::{told, told_on};
use crate::support::{Trial, Workdir, eventually, workdir};

/// Whatever a target does, the data is there, one line says what is missing, and no secret is in it.
#[test]
fn a_target_that_fails_costs_a_line() {
    let workdir = workdir!();
    workdir.write("pass", PASSWORD);
    workdir.write("token", TOKEN);
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = refusing.local_addr().unwrap().to_string();
    drop(refusing);
    let start = |reply| HttpReceiver::start(reply);
    let receivers = [
        (start(Reply::Closed), "cannot be reached"),
        (start(Reply::Bytes("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n")), "answered 500"),
        (start(Reply::Echo("HTTP/1.1 400 No\r\nconnection: close\r\n\r\n")), "answered 400: "),
        (start(Reply::Bytes("HTTP/1.1 401 No\r\nconnection: close\r\n\r\n")), "answered 401"),
        (
            start(Reply::Bytes(
                "HTTP/1.1 302 Go\r\nlocation: http://127.0.0.1:1/x\r\nconnection: close\r\n\r\n",
            )),
            "redirects (302), which is not followed",
        ),
        (start(Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n")), "cannot be reached"),
    ];
    let mut targets: Vec<(String, &str)> =
        receivers.iter().map(|(receiver, why)| (receiver.address.clone(), *why)).collect();
    targets.push((nobody, "Connection refused"));
    for (address, why) in targets {
        let command = orders(&workdir, 5, 1);
        let push = format!("http://me@{address}/{PATH}");
        let command = command.args(["--metrics-push", &push, "--metrics-push-pass-file", "pass"]);
        let command = command.args(["--metrics-push-header", &format!("X-Key: {HEADER}")]);
        let write = format!("http://{address}/{PATH}?key={HEADER}");
        let command = command.args(["--metrics-remote-write", &write]);
        let command = command.args(["--metrics-remote-write-token-file", "token"]);
        let hook = format!("http://u:{PASSWORD}@{address}/{PATH}");
        let command = command.args(["--notify-webhook", &hook, "--openlineage", &hook]);
        let command = command.args(["--require-report"]);
        let finished = command.run();
        // The outcome of the data goes before what was not told.
        finished.assert_code(3);
        for (flag, route) in [
            ("--metrics-push", "push"),
            ("--metrics-remote-write", "remote_write"),
            ("--notify-webhook", "webhook"),
            ("--openlineage", "openlineage"),
        ] {
            finished.assert_stderr_has(&format!("{flag}: the end of the run did not arrive: "));
            let (is_ok, reason) = report(&workdir, route);
            assert!(!is_ok && reason.contains(why), "{route} {why}: {reason}");
        }
        assert_no_secret(&workdir, &finished);
    }
}

/// A run that is complete stays so for whoever hears of it.
#[test]
fn what_has_to_be_told_and_is_not_is_exit_code_6() {
    let workdir = workdir!();
    let receiver =
        HttpReceiver::start(Reply::Bytes("HTTP/1.1 400 No\r\nconnection: close\r\n\r\n"));
    let url = format!("http://{}", receiver.address);
    let file = ["--metrics-textfile", "orders.prom", "--metrics-push", &url];
    orders(&workdir, 5, 0).args(file).run().assert_code(0);
    orders(&workdir, 5, 0).args(file).args(["--require-report"]).run().assert_code(6);
    assert_eq!(told_on(&workdir.read("orders.prom")), told("complete", 5, 0));
    assert_eq!(summary(&workdir)["outcome"], "complete");
    assert_eq!(workdir.read("out.jsonl").lines().count(), 5);
}

/// It has answered nothing, and the second signal lets go of it.
#[test]
fn a_second_signal_lets_go_of_a_target_that_hangs() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(Reply::Nothing);
    let url = format!("http://{}", receiver.address);
    let mut run = orders(&workdir, 5, 0).args(["--metrics-push", &url]).spawn();
    receiver.next();
    run.signal(Signal::TERM);
    run.wait_for_line("SIGTERM");
    run.signal(Signal::TERM);
    run.finish().assert_code(0);
    let (is_ok, reason) = report(&workdir, "push");
    assert!(!is_ok && reason.contains("a second signal ended it"), "{reason}");
}

#[test]
fn a_run_that_is_locked_out_does_not_overwrite_the_numbers_of_the_one_that_is_on() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}", receiver.address);
    let command = || {
        let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
        command.args(["--pipeline-id", "orders"]).stdin_open()
    };
    let mut first = command().args(["--log-level", "debug", "--metrics-port", "0"]).spawn();
    first.metrics_address();
    eventually("its lock", || workdir.exists(".out.jsonl.lock").then_some(()));
    let second = command().args(["--metrics-push", &url, "--metrics-textfile", "orders.prom"]);
    let second = second.args(["--metrics-remote-write", &format!("{url}/write")]);
    let second = second.args(["--notify-webhook", &format!("{url}/hook")]).run();
    second.assert_code(75);
    let told = receiver.next();
    assert!(told.head.starts_with("POST /hook "), "{}", told.head);
    assert_eq!((receiver.rest().len(), workdir.exists("orders.prom")), (0, false));
    drop(first);
}

fn one_row(workdir: Workdir) -> Trial {
    Trial::csv(workdir, "id\n1\n")
}

#[test]
fn settings_of_the_ways_out_that_make_no_sense_are_mistakes() {
    let push = "--metrics-push http://h:9091";
    for (args, words) in [
        (
            "--metrics-push localhost:9091",
            "--metrics-push (FLOWGAUGE_METRICS_PUSH, metrics_push): the URL does not begin with http:// or https://",
        ),
        ("--metrics-push ftp://u:geheim@h/", "neither http nor https; write http://HOST:PORT/PATH"),
        ("--metrics-push http://u:geheim@/", "no URL"),
        ("--metrics-remote-write http://h:9090", "the URL has no path; write the whole one"),
        ("--notify-webhook https://u:geheim@h/#x", "the URL holds a '#'"),
        ("--metrics-textfile orders.txt", "node_exporter reads only files called NAME.prom"),
        ("--metrics-textfile .prom", "node_exporter reads only files called NAME.prom"),
        ("--metrics-push-interval 15s", "it has no meaning without --metrics-push"),
        (
            "--metrics-label a=b",
            "it has no meaning without --metrics-push or --metrics-remote-write",
        ),
        ("--notify-on failure", "it has no meaning without --notify-webhook"),
        (
            "--openlineage h:5000",
            "--openlineage (FLOWGAUGE_OPENLINEAGE, openlineage): the URL does not begin with http:// or https://",
        ),
        ("--openlineage-namespace shop", "it has no meaning without --openlineage"),
        ("--openlineage-ca in.csv", "it has no meaning without --openlineage"),
        ("--openlineage http://h --openlineage-token-file absent", "cannot read 'absent'"),
        (
            "--openlineage http://h --openlineage-namespace=",
            "a name cannot be empty or hold control characters",
        ),
        ("--metrics-until-scraped", "it has no meaning without --metrics-port"),
        ("--metrics-linger 5s", "it has no meaning without --metrics-until-scraped"),
        ("--metrics-scrapes 2", "it has no meaning without --metrics-until-scraped"),
        ("--metrics-push-token-file t", "it has no meaning without --metrics-push"),
        (
            "--metrics-port 0 --metrics-until-scraped --metrics-scrapes 0",
            "'0' is not a number from 1",
        ),
        ("--metrics-port 0 --metrics-until-scraped --metrics-linger 0", "'0' is no time at all"),
        (&format!("{push} --metrics-push-interval 10ms"), "'10ms' is less than 1s"),
        (&format!("{push} --metrics-push-pass-file in.csv"), "there is no user in --metrics-push"),
        (&format!("{push} --metrics-push-pass-file absent"), "cannot read 'absent'"),
        (
            &format!("{push} --metrics-push-ca in.csv"),
            "the file holds no certificate in PEM format",
        ),
        (&format!("{push} --metrics-push-header geheim"), "a header is written as 'NAME: VALUE'"),
        (
            &format!("{push} --metrics-push-header Host:geheim"),
            "the header 'host' is not to be set",
        ),
        (&format!("{push} --metrics-label env"), "'env' lacks a value"),
        (&format!("{push} --metrics-label stage=x"), "series have a label 'stage' already"),
        (
            &format!("{push} --metrics-label pipeline_id=x"),
            "series have a label 'pipeline_id' already",
        ),
        (
            &format!("{push} --metrics-label a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1"),
            "more than 8 labels",
        ),
        (
            "--notify-webhook http://h/ --notify-on anomaly",
            "'anomaly' is not one of failure, recovery",
        ),
        ("--notify-webhook http://h/ --notify-on recovery --no-ledger", "leave --no-ledger out"),
        (
            "--metrics-push http://u@h/ --metrics-push-token-file in.csv",
            "one way to log in is enough; --metrics-push has a user",
        ),
    ] {
        for verb in ["check", "run"] {
            let verdict = one_row(workdir!())
                .with(verb)
                .with("--csv-file in.csv --output-file out.jsonl")
                .with(args)
                .run();
            verdict.ends_with(2).says(words).says_not("geheim");
        }
    }
}
