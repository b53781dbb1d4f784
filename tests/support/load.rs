//! A run into a database, and what came of it.

use serde_json::Value;

use super::database::SECRET;
use super::{Database, Finished, Flowgauge, Workdir};

/// Rows in a file on their way into table `t`. Any number of errors is allowed.
pub struct Load<'a> {
    pub database: &'a Database,
    pub workdir: Workdir,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Load<'_> {
    pub fn csv(database: &Database, workdir: Workdir, text: impl AsRef<[u8]>) -> Load<'_> {
        workdir.write("in.csv", text);
        Load::of(database, workdir).with("--csv-file in.csv")
    }

    pub fn jsonl(database: &Database, workdir: Workdir, text: impl AsRef<[u8]>) -> Load<'_> {
        workdir.write("in.jsonl", text);
        Load::of(database, workdir).with("--jsonl-file in.jsonl")
    }

    /// What the program is given on standard input.
    pub fn stdin(database: &Database, workdir: Workdir) -> Load<'_> {
        Load::of(database, workdir).with("--csv-file -")
    }

    pub fn stdin_jsonl(database: &Database, workdir: Workdir) -> Load<'_> {
        Load::of(database, workdir).with("--jsonl-file -")
    }

    fn of(database: &Database, workdir: Workdir) -> Load<'_> {
        Load { database, workdir, args: Vec::new(), env: Vec::new() }
    }

    /// Arguments, separated by spaces.
    pub fn with(mut self, args: &str) -> Self {
        self.args.extend(args.split(' ').filter(|arg| !arg.is_empty()).map(str::to_owned));
        self
    }

    /// One argument, whatever is in it.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn program(&self) -> Flowgauge {
        let mut program = self.database.flowgauge(&self.workdir).args(&self.args);
        // Below the flags, so that a test may name another.
        program = program
            .env("FLOWGAUGE_DB_TABLE", "t")
            .env("FLOWGAUGE_SUMMARY_JSON", "summary.json")
            .env("FLOWGAUGE_REJECTS", "rejects.jsonl");
        for (name, value) in &self.env {
            program = program.env(name, value);
        }
        program
    }

    #[track_caller]
    pub fn run(self) -> Loaded {
        let finished = self.program().run();
        self.ended(finished)
    }

    /// For runs that the test started and ended itself.
    #[track_caller]
    pub fn ended(self, finished: Finished) -> Loaded {
        let loaded = Loaded { workdir: self.workdir, finished };
        loaded.assert_no_secret();
        loaded
    }
}

pub struct Loaded {
    pub workdir: Workdir,
    pub finished: Finished,
}

/// A line of the rejects.
#[derive(Debug)]
pub struct Reject {
    pub line: u64,
    pub column: String,
    pub error_type: String,
    pub reason: String,
}

impl Loaded {
    #[track_caller]
    pub fn completes(self) -> Loaded {
        let loaded = self.ends_with(0);
        let records = &loaded.summary()["records"];
        assert_eq!(records["residual"], 0, "{records}: {}", loaded.finished);
        loaded
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Loaded {
        self.finished.assert_code(code);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Loaded {
        self.finished.assert_stderr_has(part);
        self
    }

    #[track_caller]
    pub fn says_not(self, part: &str) -> Loaded {
        assert!(
            !self.finished.stderr.contains(part),
            "{part:?} on standard error: {}",
            self.finished
        );
        self
    }

    #[track_caller]
    pub fn summary(&self) -> Value {
        if !self.workdir.exists("summary.json") {
            panic!("no summary: {}", self.finished);
        }
        serde_json::from_str(&self.workdir.read("summary.json")).unwrap()
    }

    /// Such as `read 5, inserted 3, duplicate 1, failed 1`: those that are not 0.
    #[track_caller]
    pub fn counts(self, expected: &str) -> Loaded {
        let records = &self.summary()["records"];
        let skipped = &records["skipped"];
        let all = [
            ("read", &records["read"]),
            ("inserted", &records["inserted"]),
            ("updated", &records["updated"]),
            ("duplicate", &skipped["duplicate"]),
            ("unchanged", &skipped["unchanged"]),
            ("failed", &records["failed"]),
            ("residual", &records["residual"]),
        ];
        let some = all.iter().filter(|(_, count)| *count != 0);
        let found = some.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>();
        assert_eq!(found.join(", "), expected, "{}", self.finished);
        self
    }

    #[track_caller]
    pub fn rejects(&self) -> Vec<Reject> {
        if !self.workdir.exists("rejects.jsonl") {
            return Vec::new();
        }
        let text = self.workdir.read("rejects.jsonl");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reject = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            Reject {
                line: record["line"].as_u64().unwrap(),
                column: word(&record["column"]),
                error_type: word(&record["error_type"]),
                reason: word(&record["reason"]),
            }
        };
        text.lines().map(reject).collect()
    }

    /// Each as `line:column type`, in the order of the file: lanes reject in that of their commits.
    #[track_caller]
    pub fn rejected(self, expected: &[&str]) -> Loaded {
        let mut found = self.rejects();
        found.sort_by_key(|one| one.line);
        let shown = |one: &Reject| format!("{}:{} {}", one.line, one.column, one.error_type);
        let shown: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(shown, expected, "{found:?}: {}", self.finished);
        self
    }

    /// The password is in nothing that the run left or said.
    #[track_caller]
    fn assert_no_secret(&self) {
        let is_ours = |name: &String| !name.starts_with("secret");
        for name in self.workdir.names().into_iter().filter(is_ours) {
            let bytes = std::fs::read(self.workdir.path(&name)).unwrap();
            assert!(!has_secret(&bytes), "the password is in {name}");
        }
        for text in [&self.finished.stdout, &self.finished.stderr] {
            assert!(!has_secret(text.as_bytes()), "the password is in the output: {text}");
        }
    }
}

pub fn has_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}
