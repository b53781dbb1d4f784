//! A run over some files with everything around it watched: what was said, what was written, and
//! that nothing else was touched.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::{Finished, Workdir, assert_same_text};

/// What is laid out and typed. Without more, `in.csv` goes to `out.jsonl`.
pub struct Trial {
    workdir: Workdir,
    args: Vec<String>,
    stdin: Vec<u8>,
    env: Vec<(String, String)>,
    has_source: bool,
    has_sink: bool,
}

impl Trial {
    pub fn new(workdir: Workdir) -> Trial {
        Trial {
            workdir,
            args: Vec::new(),
            stdin: Vec::new(),
            env: Vec::new(),
            has_source: false,
            has_sink: false,
        }
    }

    /// The file `in.csv`.
    pub fn csv(workdir: Workdir, contents: impl AsRef<[u8]>) -> Trial {
        Trial::new(workdir).file("in.csv", contents)
    }

    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Trial {
        self.workdir.write(name, contents);
        self
    }

    /// Arguments, separated by spaces.
    pub fn with(mut self, args: &str) -> Trial {
        for arg in args.split(' ').filter(|arg| !arg.is_empty()) {
            self = self.arg(arg);
        }
        self
    }

    /// One argument, whatever is in it.
    pub fn arg(mut self, arg: &str) -> Trial {
        self.has_source |= ["--csv-file", "--jsonl-file", "run", "check"].contains(&arg);
        self.has_sink |= ["--output-file", "run", "check"].contains(&arg);
        self.args.push(arg.to_owned());
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Trial {
        self.stdin = bytes.into();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Trial {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    #[track_caller]
    pub fn run(mut self) -> Verdict {
        if !self.has_source {
            self = self.with("--csv-file in.csv");
        }
        if !self.has_sink {
            self = self.with("--output-file out.jsonl");
        }
        let before = contents(&self.workdir);
        let mut command = self.workdir.flowgauge().args(&self.args).stdin(self.stdin);
        for (name, value) in self.env {
            command = command.env(&name, value);
        }
        let finished = command.run();
        Verdict { workdir: self.workdir, before, finished, explained: Vec::new() }
    }
}

/// What came of it. When the verdict is dropped, every file that no assertion explained must be as
/// it was before the run, and there must be no new one.
pub struct Verdict {
    pub workdir: Workdir,
    pub finished: Finished,
    before: BTreeMap<String, Vec<u8>>,
    explained: Vec<String>,
}

impl Verdict {
    #[track_caller]
    pub fn completes(self) -> Verdict {
        self.ends_with(0)
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Verdict {
        self.finished.assert_code(code);
        self
    }

    /// On standard error.
    #[track_caller]
    pub fn says(self, part: &str) -> Verdict {
        self.finished.assert_stderr_has(part);
        self
    }

    #[track_caller]
    pub fn says_not(self, part: &str) -> Verdict {
        let said = self.finished.stderr.contains(part);
        assert!(!said, "{part:?} on standard error: {}", self.finished);
        self
    }

    /// `out.jsonl` holds these lines.
    #[track_caller]
    pub fn writes(self, lines: &[&str]) -> Verdict {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.writes_file("out.jsonl", &text)
    }

    #[track_caller]
    pub fn writes_file(mut self, name: &str, text: &str) -> Verdict {
        if !self.workdir.exists(name) {
            panic!("there is no {name}: {}", self.finished);
        }
        self.workdir.assert_file(name, text);
        self.explain(name);
        self
    }

    /// The one file of rejected records in the state directory holds these, each written as
    /// `line:byte[:column] type raw`.
    #[track_caller]
    pub fn rejects(mut self, expected: &[&str]) -> Verdict {
        let is_ours = |name: &String| name.starts_with("state/rejects/");
        let names: Vec<String> = self.workdir.names().into_iter().filter(is_ours).collect();
        let [name] = &names[..] else { panic!("rejects in {names:?}: {}", self.finished) };
        assert!(name.ends_with(".jsonl") && !name.contains("/."), "{name}");
        assert_same_text(name, &expected.join("\n"), &rejected(&self.workdir.read(name)));
        self.explain(name);
        self
    }

    /// This file is checked by the test itself.
    pub fn explain(&mut self, name: &str) {
        self.explained.push(name.to_owned());
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut after = contents(&self.workdir);
        let mut before = std::mem::take(&mut self.before);
        for name in &self.explained {
            before.remove(name);
            after.remove(name);
        }
        for (name, bytes) in &before {
            assert_eq!(after.get(name), Some(bytes), "'{name}' changed: {}", self.finished);
        }
        let new: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
        assert!(new.is_empty(), "left behind: {new:?}: {}", self.finished);
    }
}

/// A file of rejected records, each as `line:byte[:column] type raw`.
pub fn rejected(text: &str) -> String {
    let shown = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let column = record["column"].as_str().map_or(String::new(), |name| format!(":{name}"));
        let raw = record["raw"].as_str().map(str::to_owned);
        let raw =
            raw.unwrap_or_else(|| format!("base64 {}", record["raw_base64"].as_str().unwrap()));
        let kind = record["error_type"].as_str().unwrap();
        format!("{}:{}{column} {kind} {raw}", record["line"], record["byte"])
    };
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

/// All regular files below; reading a pipe would wait for ever.
fn contents(workdir: &Workdir) -> BTreeMap<String, Vec<u8>> {
    let is_file =
        |name: &String| fs::symlink_metadata(workdir.path(name)).is_ok_and(|found| found.is_file());
    let names = workdir.names().into_iter().filter(is_file);
    names.map(|name| (name.clone(), fs::read(workdir.path(&name)).unwrap())).collect()
}
