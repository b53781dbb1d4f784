//! The message about an end: when one is sent, what it says, and that it is sent once.

use serde_json::Value;

use crate::support::orders::{ACCEPTED, orders, rows, summary};
use crate::support::receiver::{HttpReceiver, Reply};
use crate::support::secrets::{PASSWORD, PATH, TOKEN};
use crate::support::told::{told, told_on};
use crate::support::{Server, on_both, workdir};

#[test]
fn a_failure_is_told_once_with_its_reason_and_its_counts() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}/{PATH}", receiver.address);
    orders(&workdir, 5, 0).args(["--notify-webhook", &url]).run().assert_code(0);
    assert_eq!(receiver.rest().len(), 0);
    let rows = summary(&workdir)["reports"].as_array().unwrap().clone();
    assert!(rows.iter().all(|row| row["route"] != "webhook"), "{rows:?}");
    workdir.write("token", TOKEN);
    let failing = orders(&workdir, 5, 2).args(["--notify-webhook", &url]);
    failing.args(["--notify-webhook-token-file", "token"]).run().assert_code(3);
    let arrival = receiver.next();
    assert!(arrival.head.contains(&format!("authorization: Bearer {TOKEN}\n")), "{}", arrival.head);
    assert!(arrival.head.contains("content-type: application/json\n"));
    let message: Value = serde_json::from_str(&arrival.text()).unwrap();
    let summary = summary(&workdir);
    for (name, value) in [("event", "failure"), ("outcome", "data"), ("pipeline_id", "orders")] {
        assert_eq!(message[name], value);
    }
    for name in ["run_id", "exit_code", "duration_seconds", "published", "started_at_seconds"] {
        assert_eq!(message[name], summary[name], "{name}");
    }
    assert_eq!(message["reason"], summary["error"]);
    for name in ["read", "inserted", "updated", "failed"] {
        assert_eq!(message["records"][name], summary["records"][name], "{name}");
    }
    assert!(message["text"].as_str().unwrap().starts_with("orders: data with exit code 3: "));
    assert_eq!(receiver.rest().len(), 0);
}

#[test]
fn the_first_complete_run_after_a_failure_is_told_once() {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    let url = format!("http://{}", receiver.address);
    let notify = ["--notify-on", "failure,recovery", "--notify-webhook", &url];
    for (rejected, event) in
        [(0, None), (2, Some("failure")), (2, Some("failure")), (0, Some("recovery")), (0, None)]
    {
        let code = if rejected > 0 { 3 } else { 0 };
        orders(&workdir, 5, rejected).args(notify).run().assert_code(code);
        let told: Vec<Value> = receiver
            .rest()
            .iter()
            .map(|arrival| serde_json::from_str(&arrival.text()).unwrap())
            .collect();
        let events: Vec<&str> =
            told.iter().map(|message| message["event"].as_str().unwrap()).collect();
        assert_eq!(events, event.into_iter().collect::<Vec<_>>());
        if event == Some("recovery") {
            assert_eq!(told[0]["outcome_before"], "data");
            assert!(told[0]["text"].as_str().unwrap().starts_with("orders: complete again; "));
        }
    }
}

/// A message that may have arrived is not sent again.
#[test]
fn a_message_is_not_sent_twice() {
    let workdir = workdir!();
    for reply in [Reply::Closed, Reply::Bytes("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n")] {
        let receiver = HttpReceiver::start(reply);
        let url = format!("http://{}", receiver.address);
        orders(&workdir, 5, 2).args(["--notify-webhook", &url]).run().assert_code(3);
        receiver.next();
        assert_eq!(receiver.rest().len(), 0, "{reply:?}");
    }
}

on_both! {
    needs!("mariadb"), needs!("mysql");
    a_bad_password_is_told
}

fn a_bad_password_is_told(server: &Server) {
    let workdir = workdir!();
    let receiver = HttpReceiver::start(ACCEPTED);
    workdir.write("in.csv", rows(3));
    let url = format!("mysql://nobody-here:{PASSWORD}@{}/absent", server.address);
    let command = workdir.flowgauge().args(["--csv-file", "in.csv", "--db-table", "t"]);
    let command = command.args(["--pipeline-id", "orders", "--db-url", &url]);
    let command = command.args(["--metrics-textfile", "orders.prom", "--notify-webhook"]);
    command.args([&format!("http://{}", receiver.address)]).run().assert_code(2);
    assert_eq!(told_on(&workdir.read("orders.prom")), told("usage", 0, 0));
    let message: Value = serde_json::from_str(&receiver.next().text()).unwrap();
    assert_eq!((&message["outcome"], &message["exit_code"]), (&"usage".into(), &2.into()));
}
