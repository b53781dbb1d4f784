//! promtool, and a real Prometheus with a configuration of the test's own.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{PATIENCE, Workdir, free_port, http};

/// promtool of the same package as the server.
pub struct Promtool {
    binary: String,
}

impl Promtool {
    /// To be called behind `needs!("prometheus")`.
    pub fn new() -> Promtool {
        let binary = std::env::var("FLOWGAUGE_TEST_PROMTOOL");
        Promtool { binary: binary.expect("tests/run exports it together with the server") }
    }

    /// Names, types, help texts and the syntax of a scrape. The error is what promtool said.
    pub fn check_metrics(&self, scrape: &str) -> Result<String, String> {
        self.run(&["check", "metrics"], None, scrape)
    }

    pub fn check_config(&self, file: &Path) -> Result<String, String> {
        self.run(&["check", "config"], Some(file), "")
    }

    pub fn check_rules(&self, file: &Path) -> Result<String, String> {
        self.run(&["check", "rules"], Some(file), "")
    }

    /// Unit tests of rules. Files named inside are relative to `file`.
    pub fn test_rules(&self, file: &Path) -> Result<String, String> {
        self.run(&["test", "rules"], Some(file), "")
    }

    fn run(&self, words: &[&str], file: Option<&Path>, input: &str) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command.args(words).args(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        // `check metrics` has an exit code of its own for style, which we hold to as well.
        if status.success() { Ok(said) } else { Err(said) }
    }
}

/// A server on a port of its own, with its data in the work directory. Dropping it kills it.
pub struct Prometheus {
    child: Child,
    /// Host and port, as `http::get` takes them.
    pub address: String,
    log: std::path::PathBuf,
}

impl Prometheus {
    /// `binary` is what `needs!("prometheus")` returned, `config` the text of prometheus.yml, in
    /// which relative file names start at the work directory. Comes back when it is ready.
    #[track_caller]
    pub fn start(binary: &str, workdir: &Workdir, config: &str) -> Prometheus {
        let address = format!("127.0.0.1:{}", free_port());
        let config = workdir.write("prometheus.yml", config);
        let log = workdir.path("prometheus.log");
        let child = Command::new(binary)
            .current_dir(workdir.root())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", workdir.path("prometheus-data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-lifecycle")
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut server = Prometheus { child, address, log };
        server.wait_until("is not ready", |server| {
            http::get(&server.address, "/-/ready").is_ok_and(|answer| answer.status == 200)
        });
        server
    }

    /// The vector an instant query returns. Panics where the query itself is wrong.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", percent_encoded(expression));
        let mut data = self.api(&path);
        match data["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expression} is not a vector: {other}"),
        }
    }

    /// The series that a query had in the last minutes, each with its values a second apart.
    #[track_caller]
    pub fn query_range(&self, expression: &str, minutes: u32) -> Vec<Value> {
        let now = self.number("vector(time())").unwrap();
        let (query, start) = (percent_encoded(expression), now - 60.0 * f64::from(minutes));
        let path = format!("/api/v1/query_range?query={query}&start={start}&end={now}&step=1");
        serde_json::from_value(self.api(&path)["result"].take()).unwrap()
    }

    /// The number a query with one series returns; none where it returns no series.
    #[track_caller]
    pub fn number(&self, expression: &str) -> Option<f64> {
        let series = self.query(expression);
        assert!(series.len() < 2, "{expression} returns several series: {series:?}");
        let value = series.first()?["value"][1].as_str()?;
        Some(value.parse().unwrap())
    }

    /// Waits until a query has a result: that is, until the scrapes it needs have happened.
    #[track_caller]
    pub fn query_until(
        &mut self,
        expression: &str,
        holds: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let what = format!("has no good answer to {expression}");
        self.wait_until(&what, |server| holds(&server.query(expression)));
        self.query(expression)
    }

    /// The `data` of any GET below `/api/v1`.
    #[track_caller]
    pub fn api(&self, path: &str) -> Value {
        let answer = http::get(&self.address, path).unwrap();
        let mut json: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(json["status"], "success", "{path}: {json}");
        json["data"].take()
    }

    /// Looks again and again, for it is the server of somebody else and cannot tell us.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, holds: impl Fn(&Prometheus) -> bool) {
        const PAUSE: Duration = Duration::from_millis(50);
        let tries = PATIENCE.as_millis() / PAUSE.as_millis();
        for _ in 0..tries {
            if holds(self) {
                return;
            }
            if self.child.try_wait().unwrap().is_some() {
                break;
            }
            thread::sleep(PAUSE);
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        panic!("prometheus {what}; it logged\n{log}");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
