//! A real Chromium, told what to do over WebDriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{Workdir, http};

/// A driver with one window. Dropping it ends both.
pub struct Browser {
    driver: Child,
    address: String,
    /// The path of everything that is asked.
    session: String,
}

impl Browser {
    /// `driver` is what `needs!("chromium")` says.
    #[track_caller]
    pub fn start(driver: &str, workdir: &Workdir) -> Browser {
        Browser::with(driver, workdir, &[], json!({}))
    }

    /// One that runs no script of a page.
    #[track_caller]
    pub fn without_scripts(driver: &str, workdir: &Workdir) -> Browser {
        let scripts = "profile.managed_default_content_settings.javascript";
        Browser::with(driver, workdir, &[], json!({ scripts: 2 }))
    }

    #[track_caller]
    pub fn with(driver: &str, workdir: &Workdir, args: &[&str], preferences: Value) -> Browser {
        let mut driver = Command::new(driver)
            .args(["--port=0"])
            .env("HOME", workdir.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("started successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_string())
        });
        let address = format!("127.0.0.1:{}", port.expect("the driver says its port"));
        // It may go on speaking.
        std::thread::spawn(move || said.for_each(drop));
        let profile = format!("--user-data-dir={}", workdir.path("chromium").display());
        // A user who is root has no other way; the pages are ours.
        let own = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let args: Vec<&str> = own.iter().chain(args).copied().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": args, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let mut browser = Browser { driver, address, session: String::new() };
        let begun = browser.ask("POST", "/session", &wanted);
        let id = begun["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {begun}"));
        browser.session = format!("/session/{id}");
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let headers = [("content-type", "application/json")];
        let answer = http::send(&self.address, method, path, &headers, body.as_bytes()).unwrap();
        let mut answer: Value = serde_json::from_str(answer.text()).unwrap();
        answer["value"].take()
    }

    #[track_caller]
    fn order(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask("POST", &format!("{}/{path}", self.session), body);
        assert!(answer.get("error").is_none(), "{path}: {answer}");
        answer
    }

    #[track_caller]
    pub fn open(&self, url: &str) {
        self.order("url", &json!({ "url": url }));
    }

    /// Light or dark, whatever the system has.
    #[track_caller]
    pub fn scheme(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let params = json!({ "features": [feature] });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": params });
        self.order("goog/cdp/execute", &command);
    }

    /// What a script returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.order("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same of a promise.
    #[track_caller]
    pub fn wait_for(&self, promise: &str) -> Value {
        let script =
            format!("const done = arguments[0]; ({promise}).then(done, e => done(String(e)));");
        self.order("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// What it wrote to its console since it was asked last.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.order("se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines.map(|line| line["message"].as_str().unwrap_or_default().to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let headers = [];
            drop(http::request(&self.address, "DELETE", &self.session, &headers));
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
