//! `metrics provision` where a Grafana does not answer as it should, and where what was typed is wrong.

use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::scripted_grafana::{Exchange, Fault, Script, ScriptedGrafana, TOKEN};
use crate::support::workdir;

const FOLDER: &str = "/api/folders/flowgauge-folder";
const SOURCE: &str = "/api/datasources/uid/flowgauge-prometheus";
const GROUP: &str = "/api/v1/provisioning/folder/flowgauge-folder/rule-groups/flowgauge";
const RULES: &str = "/api/v1/provisioning/alert-rules";
const SAVE: &str = "/api/dashboards/db";

fn writes(grafana: &ScriptedGrafana) -> Vec<Exchange> {
    grafana.exchanges().into_iter().filter(Exchange::is_write).collect()
}

/// What Grafana, or who stands before it, may answer to the first and the last request.
#[test]
fn an_answer_that_is_not_as_it_should_be_is_one_line() {
    const JSON: &str = "content-type: application/json\r\n";
    let health = "/api/health";
    let cases = [
        (
            "GET",
            FOLDER,
            Fault::Status(401, JSON, "{\"message\":\"Invalid API key\"}"),
            2,
            "answered 401 about the folder 'flowgauge-folder': Invalid API key; check the token",
        ),
        (
            "GET",
            FOLDER,
            Fault::Status(403, JSON, "{\"message\":\"no\"}"),
            2,
            "answered 403 about the folder 'flowgauge-folder': no; this token may not see it",
        ),
        (
            "GET",
            FOLDER,
            Fault::Echo(400),
            2,
            "answered 400 about the folder 'flowgauge-folder': no ***",
        ),
        ("GET", FOLDER, Fault::Echo(500), 4, "answered 500: {\"message\":\"no ***\"}"),
        (
            "GET",
            FOLDER,
            Fault::Status(200, "", "<html>log in</html>"),
            2,
            "was asked for the folder 'flowgauge-folder', and no Grafana answered; check --grafana",
        ),
        ("GET", FOLDER, Fault::Cut, 4, "cannot be reached"),
        ("GET", FOLDER, Fault::Silence, 4, "did not answer within 1 s"),
        ("GET", FOLDER, Fault::Status(429, "retry-after: 31\r\n", ""), 4, "answered 429"),
        (
            "GET",
            health,
            Fault::Status(404, "", "page not found"),
            2,
            "was asked for its health, and no Grafana answered",
        ),
        (
            "GET",
            health,
            Fault::Status(200, "", "{\"status\":\"up\"}"),
            2,
            "was asked for its health, and no Grafana answered",
        ),
        (
            "GET",
            health,
            Fault::Status(200, "", "{\"database\":\"ok\",\"version\":\"9.5.21\"}"),
            2,
            "is 9.5.21; it has to be 10 or later",
        ),
        (
            "GET",
            health,
            Fault::Status(302, "location: /login\r\n", ""),
            2,
            "redirects (302), which is not followed; set --grafana",
        ),
        ("GET", health, Fault::Silence, 4, "did not answer within 1 s"),
        (
            "POST",
            "/api/folders",
            Fault::Status(403, JSON, "{\"message\":\"Access denied\"}"),
            2,
            "answered 403 about the folder 'flowgauge pipelines': Access denied; this token may not write it",
        ),
        (
            "POST",
            "/api/folders",
            Fault::Status(409, JSON, "{\"message\":\"exists\"}"),
            2,
            "answered 409 about the folder 'flowgauge pipelines': exists; somebody else has it",
        ),
        (
            "POST",
            SAVE,
            Fault::Status(412, JSON, "{\"status\":\"version-mismatch\",\"message\":\"changed\"}"),
            2,
            "answered 412 about the dashboard 'flowgauge': changed; somebody else has it, or was faster",
        ),
        (
            "POST",
            SAVE,
            Fault::Status(400, JSON, "{\"status\":\"name-match\",\"message\":\"same as folder\"}"),
            2,
            "answered 400 about the dashboard 'flowgauge': same as folder; rename the folder that is called like it",
        ),
        (
            "POST",
            RULES,
            Fault::Status(400, JSON, "{\"message\":\"a conflicting alert rule is found\"}"),
            2,
            "rule group 'flowgauge': a conflicting alert rule is found; somebody else has it, or was faster",
        ),
        (
            "PUT",
            GROUP,
            Fault::Status(404, "", ""),
            2,
            "answered 404 about the rule group 'flowgauge'; it is not there, or alerting is turned off",
        ),
        (
            "PUT",
            GROUP,
            Fault::Status(422, JSON, "{\"message\":\"of no use\"}"),
            2,
            "answered 422 about the rule group 'flowgauge': of no use; this Grafana takes it differently",
        ),
        ("PUT", GROUP, Fault::Echo(500), 4, "answered 500"),
        ("PUT", GROUP, Fault::Silence, 4, "did not answer within 1 s"),
        (
            "PUT",
            GROUP,
            Fault::Status(200, "", "thank you"),
            2,
            "was asked for the rule group 'flowgauge', and no Grafana answered",
        ),
    ];
    for (method, end, fault, code, expected) in cases {
        let workdir = workdir!();
        let grafana = Script::new().fault(method, end, fault.clone()).start();
        let finished = grafana.provision(&workdir).args(["--timeout", "1s"]).run();
        finished.assert_code(code).assert_stderr_has(expected);
        assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
        assert!(!finished.stderr.contains(TOKEN) && !finished.stdout.contains(TOKEN), "{finished}");
        if method == "GET" {
            finished.assert_stdout("");
            assert!(writes(&grafana).is_empty(), "{fault:?}");
        } else {
            finished.assert_stdout_has("failed ");
        }
    }
}

#[test]
fn after_a_failure_it_goes_on_where_it_was() {
    let workdir = workdir!();
    let grafana = Script::new().faults("POST", SAVE, 1, 1, Fault::Status(500, "", "")).start();
    let first = grafana.provision(&workdir).run();
    first.assert_code(4).assert_stdout(
        "\
created        folder 'flowgauge pipelines', uid flowgauge-folder
created        data source 'flowgauge Prometheus', uid flowgauge-prometheus
failed         dashboard 'flowgauge', uid flowgauge
not tried      rule group 'flowgauge', 19 rules
2 created, 0 changed, 0 unchanged, 1 failed, 1 not tried
",
    );
    let second = grafana.provision(&workdir).run();
    second.assert_code(0).assert_stdout_has("2 created, 0 changed, 2 unchanged\n");

    // Some rules are there, and their group is not whole.
    let fault = Fault::Status(500, "", "");
    let grafana = Script::new().faults("POST", RULES, 5, 5, fault).start();
    let first = grafana.provision(&workdir).run();
    first.assert_code(4).assert_stdout_has("failed         rule group 'flowgauge', 19 rules\n");
    let second = grafana.provision(&workdir).run();
    second.assert_code(0).assert_stdout_has("0 created, 1 changed, 3 unchanged\n");
    let third = grafana.provision(&workdir).run();
    third.assert_code(0).assert_stdout_has("0 created, 0 changed, 4 unchanged\n");

    // It was done, and only nobody said so.
    let grafana = Script::new().faults("POST", SAVE, 1, 1, Fault::Cut).start();
    grafana.provision(&workdir).run().assert_code(4).assert_stdout_has("failed         dashboard");
    let second = grafana.provision(&workdir).run();
    second.assert_code(0).assert_stdout_has("1 created, 0 changed, 3 unchanged\n");
}

#[test]
fn a_grafana_that_is_busy_is_asked_again() {
    let workdir = workdir!();
    let busy = Fault::Status(429, "retry-after: 1\r\n", "{\"message\":\"too many\"}");
    let script = Script::new().faults("GET", SOURCE, 1, 1, busy.clone());
    let grafana = script.faults("POST", SAVE, 1, 1, busy.clone()).start();
    grafana.provision(&workdir).run().assert_code(0).assert_stdout_has("4 created");
    let saved = writes(&grafana).iter().filter(|write| write.path == SAVE).count();
    assert_eq!(saved, 2);

    let now = Fault::Status(429, "retry-after: 0\r\n", "{\"message\":\"too many\"}");
    let grafana = Script::new().fault("GET", SOURCE, now).start();
    let finished = grafana.provision(&workdir).run();
    finished.assert_code(4).assert_stderr_has("answered 429");
    let asked = grafana.exchanges().into_iter().filter(|one| one.path == SOURCE).count();
    assert_eq!(asked, 3);
}

#[test]
fn the_token_goes_to_nobody_else() {
    let workdir = workdir!();
    let receiver =
        HttpReceiver::start(Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
    let elsewhere = format!("location: http://{}/api/health\r\n", receiver.address);
    let elsewhere: &'static str = Box::leak(elsewhere.into_boxed_str());
    let grafana =
        Script::new().fault("GET", "/api/health", Fault::Status(307, elsewhere, "")).start();
    let finished = grafana.provision(&workdir).run();
    finished.assert_code(2).assert_stderr_has("redirects (307)");
    assert!(receiver.rest().is_empty());
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_asked() {
    let workdir = workdir!();
    let grafana = Script::new().start();
    workdir.write("empty", "\n");
    workdir.write("two", "a\nb\n");
    let url = grafana.url.as_str();
    let with_user = url.replace("http://", "http://me:geheim@");
    grafana.provision(&workdir);
    let with_query = format!("{url}/?orgId=2");
    let cases: [(&[&str], &str); 14] = [
        (
            &["--grafana", &with_query, "--prometheus", "http://p", "--token-file", "token"],
            "--grafana: the URL holds a '?'; leave it out; --org-id says the organisation",
        ),
        (&["--prometheus", "http://p"], "needs --grafana URL"),
        (
            &["--grafana", url],
            "needs --prometheus URL, for a data source to be made, or --data-source NAME",
        ),
        (&["--grafana", url, "--prometheus", "http://p"], "needs --token-file FILE"),
        (
            &["--grafana", url, "--prometheus", "http://p", "--token-file", "none"],
            "cannot read --token-file 'none'",
        ),
        (
            &["--grafana", url, "--prometheus", "http://p", "--token-file", "empty"],
            "--token-file 'empty': the token is empty",
        ),
        (
            &["--grafana", url, "--prometheus", "http://p", "--token-file", "two"],
            "--token-file 'two': it holds characters that cannot be sent",
        ),
        (
            &["--grafana", &with_user, "--prometheus", "http://p", "--token-file", "token"],
            "--grafana holds a user, and --token-file is given too",
        ),
        (
            &["--grafana", "grafana:3000", "--prometheus", "http://p", "--token-file", "token"],
            "--grafana: the URL does not begin with http:// or https://",
        ),
        (
            &["--grafana", url, "--prometheus", "p:9090", "--token-file", "token"],
            "--prometheus: the URL does not begin with http:// or https://",
        ),
        (
            &["--grafana", url, "--prometheus", "http://u:geheim@p", "--token-file", "token"],
            "--prometheus: the URL holds a user",
        ),
        (
            &["--grafana", url, "--prometheus", "http://p", "--data-source", "x"],
            "cannot be used with",
        ),
        (
            &[
                "--grafana",
                url,
                "--prometheus",
                "http://p",
                "--token-file",
                "token",
                "--folder",
                " ",
            ],
            "--folder: ' ' is no title",
        ),
        (
            &[
                "--grafana",
                url,
                "--prometheus",
                "http://p",
                "--token-file",
                "token",
                "--every",
                "5s",
            ],
            "--every has no meaning with 'metrics provision'",
        ),
    ];
    for (args, expected) in cases {
        let finished = workdir.flowgauge().args(["metrics", "provision"]).args(args).run();
        finished.assert_code(2).assert_stderr_has(expected);
        assert!(!finished.stderr.contains("geheim"), "{finished}");
    }
    let foreign = workdir.flowgauge().args(["metrics", "rules", "--dry-run"]).run();
    foreign.assert_code(2).assert_stderr_has("--dry-run has no meaning with 'metrics rules'");
    assert!(grafana.exchanges().is_empty());
}
