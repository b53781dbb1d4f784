//! A real Elasticsearch that asks who one is and speaks TLS with a certificate of its own authority.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Finished, Workdir, needs, workdir};

/// Written by the server's own user, with a client of the system.
#[track_caller]
fn fill(address: &str, authority: &str, index: &str, documents: usize) {
    let lines: String = (0..documents)
        .map(|n| format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n}}}\n"))
        .collect();
    let at = address.strip_prefix("https://").unwrap();
    let args = ["s_client", "-quiet", "-verify_return_error", "-CAfile", authority, "-connect", at];
    let mut client = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let head = format!(
        "POST /{index}/_bulk?refresh=true&filter_path=errors HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic ZWxhc3RpYzpwYXNzd29yZA==\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        lines.len()
    );
    client.stdin.as_mut().unwrap().write_all(format!("{head}{lines}").as_bytes()).unwrap();
    let answer = String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap();
    assert!(answer.contains("\"errors\":false"), "{answer}");
}

#[track_caller]
fn run(workdir: &Workdir, address: &str, index: &str, args: &str, password: &str) -> Finished {
    let program = workdir.flowgauge().args(["--es-url", address, "--es-index", index]);
    let program = program.args(["--output-file", "out.jsonl", "--log-level", "debug"]);
    let finished = program.args(args.split(' ')).env("FLOWGAUGE_ES_PASS", password).run();
    assert!(!format!("{finished}").contains(password), "{finished}");
    finished
}

#[test]
fn certificates_and_passwords_are_checked() {
    let address = needs!("elasticsearch_secure");
    let authority = std::env::var("FLOWGAUGE_TEST_ELASTICSEARCH_SECURE_CA").unwrap();
    let workdir = workdir!();
    let (open, closed) = ("open-orders", "closed-orders");
    fill(&address, &authority, open, 2_500);
    fill(&address, &authority, closed, 1);

    let trusted = format!("--es-ca {authority} --es-user");
    let count = || workdir.read("out.jsonl").lines().count();
    run(&workdir, &address, open, &format!("{trusted} elastic"), "password").assert_code(0);
    assert_eq!(count(), 2_500);
    // The rights of this one are only to read.
    let limited = run(&workdir, &address, open, &format!("{trusted} limited"), "password");
    limited.assert_code(2).assert_stderr_has("grant the rights read and view_index_metadata");
    let insecure = run(&workdir, &address, closed, "--es-insecure --es-user elastic", "password");
    insecure.assert_code(0).assert_stderr_has("WARN certificates are not checked");
    assert_eq!(count(), 1);
    std::fs::remove_file(workdir.path("out.jsonl")).unwrap();

    let unknown = run(&workdir, &address, open, &format!("{trusted} elastic"), "hunter2");
    unknown.assert_code(2).assert_stderr_has("the server does not accept the credentials (401)");
    let stranger = run(&workdir, &address, open, "--es-user elastic", "password");
    stranger.assert_code(2).assert_stderr_has("is not trusted");
    stranger.assert_stderr_has("set --es-ca to the certificate of its authority");
    let forbidden = run(&workdir, &address, closed, &format!("{trusted} limited"), "password");
    forbidden.assert_code(2).assert_stderr_has("the user may not do this (403)");
    let by_address = address.replace("localhost", "127.0.0.1");
    let elsewhere = run(&workdir, &by_address, open, &format!("{trusted} elastic"), "password");
    elsewhere.assert_code(2).assert_stderr_has("is not trusted");
    assert!(workdir.names().is_empty(), "{:?}", workdir.names());
}
