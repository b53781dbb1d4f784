//! Indices of a test's own on a real search server that is shared with others, filled fast, and gone
//! when the test is over.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::{Flowgauge, Workdir, http};

/// Documents that are sent at once.
const BULK: usize = 5_000;

pub struct Indices {
    pub address: String,
    prefix: String,
    made: RefCell<Vec<String>>,
}

impl Indices {
    /// `test` makes the names of these indices differ from those of others.
    pub fn new(address: String, test: &str) -> Indices {
        let prefix = format!("{}-{}", test.replace("::", "-"), std::process::id());
        Indices { address, prefix, made: RefCell::default() }
    }

    /// Begins with what all indices of the test begin with.
    pub fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.prefix)
    }

    /// `body` holds settings and mappings. The replica of a cluster of one is never there.
    #[track_caller]
    pub fn make(&self, short: &str, mut body: Value) -> String {
        let name = self.name(short);
        body["settings"]["number_of_replicas"] = 0.into();
        self.ask("PUT", &format!("/{name}"), &body.to_string());
        self.made.borrow_mut().push(name.clone());
        name
    }

    /// An index with so many shards and these documents, of which nothing is known but their names.
    #[track_caller]
    pub fn filled(&self, short: &str, shards: u32, documents: &[(String, String)]) -> String {
        let settings = json!({ "number_of_shards": shards });
        let mappings = json!({ "dynamic": false, "properties": { "n": { "type": "integer" } } });
        let name = self.make(short, json!({ "settings": settings, "mappings": mappings }));
        self.fill(&name, documents);
        name
    }

    /// Documents by `_id` and text, which may not hold line ends.
    #[track_caller]
    pub fn fill(&self, name: &str, documents: &[(String, String)]) {
        for some in documents.chunks(BULK) {
            let mut lines = String::new();
            for (id, source) in some {
                lines += &format!("{{\"index\":{{\"_id\":{}}}}}\n{source}\n", json!(id));
            }
            let text = self.ask(
                "POST",
                &format!("/{name}/_bulk?filter_path=errors,items.*.error"),
                &lines,
            );
            assert!(
                text.contains("\"errors\":false"),
                "{}",
                text.chars().take(2_000).collect::<String>()
            );
        }
        self.refresh(name);
    }

    #[track_caller]
    pub fn refresh(&self, name: &str) {
        self.ask("POST", &format!("/{name}/_refresh"), "");
    }

    /// Gives the answer, which must be a success.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let headers = [("content-type", "application/json")];
        let answer = http::send(&self.address, method, path, &headers, body.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {text}", answer.status);
        text
    }

    /// The program, told to read from here.
    pub fn read_by(&self, workdir: &Workdir, index: &str) -> Flowgauge {
        let args = ["--source-type", "elasticsearch", "--es-url", &self.address, "--es-index"];
        workdir.flowgauge().args(args).arg(index)
    }

    /// Reads an index into `out.jsonl` and gives its lines, sorted: documents alone, unless `args` say
    /// what is to stand before their fields.
    #[track_caller]
    pub fn lines(&self, workdir: &Workdir, index: &str, args: &str) -> Vec<String> {
        workdir.put_away("out.jsonl");
        let program = self.read_by(workdir, index).args(["--output-file", "out.jsonl"]);
        let none = if args.contains("--es-meta") { "" } else { " --es-meta none" };
        let args = format!("{args}{none}");
        let args = args.split(' ').filter(|arg| !arg.is_empty());
        program.args(args).run().assert_code(0);
        let mut lines: Vec<String> = workdir.read("out.jsonl").lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }
}

impl Drop for Indices {
    fn drop(&mut self) {
        for name in self.made.borrow().iter() {
            // A server that is gone has none of them.
            drop(http::request(&self.address, "DELETE", &format!("/{name}"), &[]));
        }
    }
}

/// What `--es-meta _id` makes of documents, sorted.
pub fn with_ids(documents: &[(String, String)]) -> Vec<String> {
    let line = |(id, source): &(String, String)| {
        let comma = if source == "{}" { "" } else { "," };
        format!("{{\"_id\":{}{comma}{}", json!(id), &source[1..])
    };
    let mut lines: Vec<String> = documents.iter().map(line).collect();
    lines.sort_unstable();
    lines
}
