//! Runs in a Pushgateway, whatever their end, and what is shown to it.

use std::io::Write;
use std::process::Command;

use crate::support::daemon::pushgateway;
use crate::support::exposition::Scrape;
use crate::support::orders::{ACCEPTED, RUNS, every_end, orders, orders_as, report, sampled};
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::secrets::{HASH, PASSWORD, assert_no_secret, certificate};
use crate::support::told::{Told, told, told_on};
use crate::support::{Daemon, Flowgauge, needs, workdir};

#[test]
fn a_pushgateway_has_the_numbers_of_every_run() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    let gateway = pushgateway(&binary, &workdir);
    let url = format!("http://{}", gateway.address);
    let tell = |command: Flowgauge| command.args(["--metrics-push", &url]);
    let heard = |expected: &Told| assert_eq!(told_on(&gateway.get("/metrics")), *expected);
    for count in 1..=RUNS {
        tell(orders(&workdir, count, 0)).run().assert_code(0);
        heard(&told("complete", count, 0));
    }
    every_end(&workdir, tell, heard);
}

#[test]
fn each_pipeline_has_a_group_with_its_labels() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    let gateway = pushgateway(&binary, &workdir);
    let url = format!("http://{}/", gateway.address);
    for id in ["orders", "a/b", "é \"x\" \\", "..", "a=b"] {
        let run = orders_as(id, &workdir, 2, 0).args(["--metrics-push", &url]);
        run.args(["--metrics-label", "env=prod,job=nightly"]).run().assert_code(0);
    }
    let scrape = Scrape::parse(&gateway.get("/metrics"));
    for id in ["orders", "a/b", "é \"x\" \\", "..", "a=b"] {
        let labels = [
            ("pipeline_id", id),
            ("env", "prod"),
            ("job", "nightly"),
            ("instance", ""),
            ("result", "inserted"),
        ];
        assert_eq!(scrape.value("pipeline_last_run_records", &labels), 2.0);
    }
}

#[test]
fn a_push_shows_who_one_is_and_is_tried_again() {
    let workdir = workdir!();
    let replies = vec![
        Reply::Bytes("HTTP/1.1 503 Busy\r\nretry-after: 0\r\nconnection: close\r\n\r\n"),
        ACCEPTED,
    ];
    let receiver = HttpReceiver::with_replies(replies);
    workdir.write("pass", format!("{PASSWORD}\n"));
    let url = format!("http://me@{}/under", receiver.address);
    let command = orders(&workdir, 4, 0).args(["--metrics-push", &url]);
    let command = command.args(["--metrics-push-pass-file", "pass", "--metrics-push-header"]);
    command.args(["X-Scope-OrgID: one, two"]).run().assert_code(0);
    for _ in 0..2 {
        let push = receiver.next();
        let head = &push.head;
        assert!(head.starts_with("PUT /under/metrics/job/flowgauge/pipeline_id/orders "), "{head}");
        assert!(head.contains("x-scope-orgid: one, two\n"), "{head}");
        let basic = "basic bWU6cGE1NXcwcmQtb2YtdGhlLWdhdGV3YXk=";
        assert!(
            head.contains(&format!("authorization: {}\n", basic.replace("basic", "Basic"))),
            "{head}"
        );
        assert_eq!(told_on(&push.text()), told("complete", 4, 0));
    }
    assert_eq!(report(&workdir, "push"), (true, String::new()));
}

#[test]
fn a_pushgateway_with_tls_and_a_password_takes_who_has_both() {
    let binary = needs!("pushgateway");
    let workdir = workdir!();
    certificate(&workdir);
    let config = format!(
        "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{me: '{HASH}'}}\n"
    );
    workdir.write("web.yml", config);
    workdir.write("pass", format!("{PASSWORD}\n"));
    let args = ["--web.listen-address={address}", "--web.config.file=web.yml"];
    // Who speaks no TLS is answered with 400.
    let gateway = Daemon::start_until(&binary, &workdir, &args, "/", 400);
    let url = format!("https://me@{}", gateway.address);
    let push = |url: &str, args: &str| {
        let command = orders(&workdir, 5, 0).args(["--require-report", "--metrics-push", url]);
        command.args(args.split(' ')).run()
    };
    push(&url, "--metrics-push-pass-file pass --metrics-push-ca cert.pem").assert_code(0);
    assert_eq!(report(&workdir, "push"), (true, String::new()));
    for (url, args, why) in [
        (url.clone(), "--metrics-push-pass-file pass", "is not trusted"),
        (url.clone(), "--metrics-push-ca cert.pem", "answered 401"),
        (url.replace("me@", ""), "--metrics-push-ca cert.pem", "answered 401"),
        (url.replace("https", "http"), "--metrics-push-pass-file pass", "answered 400"),
    ] {
        let finished = push(&url, args);
        finished.assert_code(6);
        finished.assert_stderr_has(why);
        assert_no_secret(&workdir, &finished);
    }
}

/// It is pushed while the run is on, which stands still.
#[test]
fn an_interval_pushes_on_the_way() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let url = format!("http://{}", receiver.address);
    let command = command.args(["--pipeline-id", "orders", "--metrics-push", &url]);
    let mut run = command.args(["--metrics-push-interval", "1s"]).stdin_open().spawn();
    let mut stdin = run.stdin();
    stdin.write_all(sampled().as_bytes()).unwrap();
    let first = Scrape::parse(&receiver.next().text());
    assert_eq!(first.state(), "running");
    assert_eq!(first.series("pipeline_last_run_outcome").count(), 0);
    drop(stdin);
    run.finish().assert_code(0);
    let last = receiver.rest().pop().unwrap();
    assert_eq!(told_on(&last.text()), told("complete", 300, 0));
}

/// What `openssl req -x509` makes unless it is told otherwise.
#[test]
fn a_certificate_of_an_authority_that_a_server_uses_itself_is_named_as_what_it_is() {
    let workdir = workdir!();
    let args = "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=x \
                -addext subjectAltName=IP:127.0.0.1";
    let mut made = Command::new("openssl");
    made.current_dir(workdir.root()).args(args.split_whitespace());
    assert!(made.output().unwrap().status.success());
    workdir.write("web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n");
    let server = ["exporter", "--port", "0", "--metrics-web-config", "web.yml"];
    let mut server = workdir.flowgauge().args(server).spawn();
    let line = server.wait_for_line("metrics on https://");
    let url = format!("https://{}", line.rsplit_once("//").unwrap().1);
    let push = orders(&workdir, 3, 0).args(["--metrics-push", &url]);
    let finished = push.args(["--metrics-push-ca", "cert.pem"]).run();
    finished.assert_code(0).assert_stderr_has("which no server may use as its own");
    finished.assert_stderr_has("'basicConstraints = CA:FALSE'");
}
