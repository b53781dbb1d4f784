//! The metrics server and its clients: honest ones, silent ones, and those who should not be answered.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use crate::support::exposition::Scrape;
use crate::support::program::Running;
use crate::support::prometheus::Prometheus;
use crate::support::silent_clients::SilentClients;
use crate::support::{Flowgauge, Workdir, eventually, http, https, needs, workdir};

/// A run that waits for its input.
fn waiting(workdir: &Workdir) -> Flowgauge {
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    command.args(["--metrics-port", "0", "--pipeline-id", "orders"]).stdin_open()
}

#[track_caller]
fn finish(mut run: Running) {
    drop(run.stdin());
    run.finish().assert_code(0);
}

/// How many connections ended in this way.
fn ended(scrape: &Scrape, result: &str) -> f64 {
    scrape.value("pipeline_metrics_connections_total", &[("result", result)])
}

#[track_caller]
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn silent_clients_do_not_blind_a_real_prometheus() {
    let binary = needs!("prometheus");
    for count in [40, 200, 1_000] {
        let workdir = Workdir::new("silent_clients");
        let mut run = waiting(&workdir).spawn();
        let address = run.metrics_address();
        let clients = SilentClients::start(&address, count);
        while clients.connected() < count as u64 {
            std::thread::yield_now();
        }
        let config = format!(
            "global: {{scrape_interval: 4s, scrape_timeout: 4s}}\n\
             scrape_configs: [{{job_name: run, static_configs: [{{targets: ['{address}']}}]}}]\n"
        );
        let mut prometheus = Prometheus::start(&binary, &workdir, &config);
        prometheus.query_until("count_over_time(up[10m]) >= 4", |series| !series.is_empty());
        let scrapes = prometheus.query("up[10m]");
        assert_eq!(prometheus.number("min_over_time(up[10m])"), Some(1.0), "{count}: {scrapes:?}");
        let fewest = prometheus.number("min_over_time(scrape_samples_scraped[10m])").unwrap();
        assert!(fewest > 100.0, "{count}: {fewest}");
        assert!(clients.told() > 0, "{count} clients, none of which was told why");
        let scrape = Scrape::of(&address);
        let gave_way = ended(&scrape, "evicted");
        assert!(ended(&scrape, "timed_out") + gave_way > 0.0, "{count}");
        assert!(count < 128 || gave_way > 0.0, "{count} clients, none of which gave way");
        drop((clients, prometheus));
        finish(run);
    }
}

#[test]
fn gzip_is_for_who_asks() {
    let workdir = workdir!();
    let mut run = waiting(&workdir).spawn();
    let address = run.metrics_address();
    let page = |encoding: &str| {
        http::request(&address, "GET", "/metrics", &[("accept-encoding", encoding)]).unwrap()
    };
    // There are more series once its ledger is open.
    let plain = eventually("all series", || {
        Some(page("gzip;q=0")).filter(|plain| plain.text().contains("pipeline_runs_total{"))
    });
    assert_eq!(plain.header("content-encoding"), None);
    let packed = page("gzip");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept, accept-encoding"));
    assert!(packed.body.len() * 4 < plain.body.len(), "{}", packed.body.len());
    let mut unpacked = String::new();
    GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
    let names = |page: &str| Scrape::parse(page).samples.len();
    assert_eq!(names(&unpacked), names(plain.text()));
    finish(run);
}

#[test]
fn requests_that_can_be_understood_in_two_ways_are_refused() {
    let workdir = workdir!();
    let mut run = waiting(&workdir).spawn();
    let address = run.metrics_address();
    let status = |lines: &str| {
        let answer = raw(&address, &format!("GET /info HTTP/1.1\r\n{lines}\r\n"));
        answer.split(' ').nth(1).unwrap().to_string()
    };
    let host = "Host: localhost\r\n";
    assert_eq!(status(host), "200");
    assert_eq!(status(""), "400");
    assert_eq!(status(&format!("{host}{host}")), "400");
    assert_eq!(
        status(&format!("{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")),
        "400"
    );
    assert_eq!(
        status(&format!("{host}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")),
        "400"
    );
    assert_eq!(status(&format!("{host}Content-Length: 1\r\nContent-Length: 2\r\n")), "400");
    assert!(raw(&address, "GET /info HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 "));
    finish(run);
}

#[test]
fn a_name_that_somebody_else_made_lead_here_is_not_answered() {
    let workdir = workdir!();
    let mut run = waiting(&workdir).spawn();
    let address = run.metrics_address();
    let port = address.rsplit(':').next().unwrap();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.2:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("rebound.example:{port}"), 421),
        ("192.0.2.1".to_string(), 421),
    ] {
        let answer = raw(&address, &format!("GET /info HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert_eq!(answer.contains("pipeline_id"), status == 200, "{host}: {answer}");
    }
    finish(run);
}

#[test]
fn a_port_that_others_reach_is_warned_of() {
    let workdir = workdir!();
    let warning = "WARN whoever reaches 0.0.0.0:";
    let mut run = waiting(&workdir).args(["--metrics-host", "0.0.0.0"]).spawn();
    let address = run.metrics_address();
    let port = address.rsplit(':').next().unwrap();
    // Under whatever name.
    let local = format!("127.0.0.1:{port}");
    let answer = raw(&local, "GET /health HTTP/1.1\r\nHost: pod.example\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(run.stdin());
    run.finish().assert_code(0).assert_stderr_has(warning);

    let mut run = waiting(&workdir).spawn();
    drop(run.stdin());
    let finished = run.finish();
    finished.assert_code(0);
    assert!(!finished.stderr.contains("WARN whoever"), "{finished}");

    workdir.write("orders.jsonl", "{\"a\":1}\n");
    let check = workdir.flowgauge().args(["check", "--jsonl-file", "orders.jsonl"]);
    let check = check.args(["--output-file", "out.jsonl", "--metrics-port", "0"]);
    let checked = check.args(["--metrics-host", "0.0.0.0"]).run();
    checked.assert_code(0);
    assert!(checked.stdout.contains("warning: whoever reaches 0.0.0.0:"), "{checked}");
}

/// TLS and one user, as the exporters of Prometheus have it.
fn protect(workdir: &Workdir) {
    https::certificate(workdir);
    let hash = bcrypt::hash("a long one", 4).unwrap();
    workdir.write(
        "web/config.yml",
        format!(
            "tls_server_config:\n  cert_file: ../cert.pem\n  key_file: ../key.pem\n\
             basic_auth_users:\n  prometheus: {hash}\n"
        ),
    );
}

#[test]
fn a_real_prometheus_scrapes_over_tls_with_a_password() {
    let binary = needs!("prometheus");
    let workdir = workdir!();
    protect(&workdir);
    let mut run = waiting(&workdir).args(["--metrics-web-config", "web/config.yml"]).spawn();
    let address = run.metrics_address();
    let job = |name: &str, password: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    \
             tls_config: {{ca_file: cert.pem, server_name: localhost}}\n    \
             basic_auth: {{username: prometheus, password: {password}}}\n    \
             static_configs: [{{targets: ['{address}']}}]\n"
        )
    };
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n{}{}",
        job("right", "a long one"),
        job("wrong", "another")
    );
    let mut prometheus = Prometheus::start(&binary, &workdir, &config);
    prometheus.query_until("up{job='right'} == 1", |series| !series.is_empty());
    prometheus.query_until("up{job='wrong'} == 0", |series| !series.is_empty());
    assert_eq!(prometheus.number("pipeline_workers{job='right'} > bool 0"), Some(1.0));

    let ask = |credentials: &str| {
        let header = format!("Basic {}", STANDARD.encode(credentials));
        https::get(&workdir, &address, "/metrics", &[("authorization", &header)]).unwrap()
    };
    let answer = ask("prometheus:a long one");
    assert_eq!(answer.status, 200);
    assert!(ended(&Scrape::parse(answer.text()), "unauthorized") > 0.0);
    for wrong in ["prometheus:a", "other:a long one", "prometheus:"] {
        let answer = ask(wrong);
        assert_eq!((answer.status, answer.text().contains("pipeline")), (401, false), "{wrong}");
        let asks = answer.header("www-authenticate");
        assert_eq!(asks, Some("Basic realm=\"flowgauge\""));
    }
    assert_eq!(https::get(&workdir, &address, "/health", &[]).unwrap().status, 401);
    let plain = raw(&address, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(plain.starts_with("HTTP/1.1 400 ") && plain.contains("speaks https"), "{plain}");
    drop(prometheus);
    drop(run.stdin());
    let finished = run.finish();
    finished.assert_code(0).assert_stderr_has("metrics on https://127.0.0.1:");
    assert!(!format!("{finished}").contains("a long one"));
}

#[test]
fn a_web_configuration_that_does_not_hold_what_it_says_is_refused_at_the_start() {
    let workdir = workdir!();
    workdir.write("orders.jsonl", "{\"a\":1}\n");
    let run = |command: Option<&str>| {
        let program = workdir.flowgauge().args(command).args(["--jsonl-file", "orders.jsonl"]);
        let program = program.args(["--output-file", "out.jsonl", "--metrics-port", "0"]);
        program.args(["--metrics-web-config", "web.yml"]).run()
    };
    let missing = "cannot read the web configuration 'web.yml'";
    for (text, said) in [
        (None, missing),
        (Some("rate_limit:\n  burst: 1\n"), "'web.yml', line 2: 'rate_limit' is not supported"),
        (Some("basic_auth_users:\n  a: plain-word\n"), "line 2: this is no bcrypt hash"),
        (
            Some("tls_server_config:\n  cert_file: none.pem\n  key_file: none.pem\n"),
            "cannot read the certificate 'none.pem'",
        ),
        (
            Some("tls_server_config:\n  cert_file: orders.jsonl\n  key_file: orders.jsonl\n"),
            "'orders.jsonl' holds no certificate in PEM format",
        ),
    ] {
        if let Some(text) = text {
            workdir.write("web.yml", text);
        }
        for command in [None, Some("check")] {
            let finished = run(command);
            finished.assert_code(2).assert_stderr_has(said);
            assert!(!format!("{finished}").contains("plain-word"), "{finished}");
        }
        assert!(!workdir.exists("out.jsonl"));
    }
    workdir.write("web.yml", "");
    run(None).assert_code(0);

    // Nothing is written over it.
    workdir.write("web.yml", "# nothing\n");
    let program = workdir.flowgauge().args(["--jsonl-file", "orders.jsonl"]);
    let program = program.args(["--output-file", "web.yml", "--metrics-port", "0"]);
    program.args(["--metrics-web-config", "web.yml"]).run().assert_code(2);
    workdir.assert_file("web.yml", "# nothing\n");
}

/// Who has sent its request closes its side, as `nc -N` does, and waits.
#[test]
fn who_has_nothing_more_to_say_is_answered() {
    let workdir = workdir!();
    let mut run = waiting(&workdir).spawn();
    let address = run.metrics_address();
    let whole = raw(&address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").len();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.len() * 10 > whole * 9, "{} of {whole} bytes", answer.len());
    }
    finish(run);
}

/// Whoever has the port is asked who it is, and may not answer.
#[test]
fn a_port_whose_holder_dribbles_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        // Sooner than anybody who waits for the next byte gives up, and for as long as they like.
        let (_never, rhythm) = channel::<()>();
        while stream.write_all(b" ").is_ok() {
            let _ = rhythm.recv_timeout(Duration::from_millis(300));
        }
    });
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let port = port.to_string();
    let args = ["--csv-file", "in.csv", "--output-file", "o.csv", "--metrics-port", &port];
    workdir.flowgauge().args(args).run().assert_code(2).assert_stderr_has("is in use");
}
