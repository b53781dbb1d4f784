//! The JSON schema of configuration files: what the program takes is valid, and what it refuses for its form is
//! not.

use std::fs;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::support::workdir;

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn of_the_program() -> Schema {
        let finished = workdir!().flowgauge().arg("schema").run();
        finished.assert_code(0).assert_stderr("");
        let schema: Value = serde_json::from_str(&finished.stdout).unwrap();
        let mut compiler = Compiler::new();
        compiler.add_resource("http://localhost/schema.json", schema).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("http://localhost/schema.json", &mut schemas).unwrap();
        Schema { schemas, index }
    }

    fn judge(&self, toml: &str) -> Result<(), String> {
        let table: toml::Table = toml.parse().unwrap();
        let value = serde_json::to_value(table).unwrap();
        self.schemas.validate(&value, self.index).map_err(|error| error.to_string())
    }
}

/// What stands in blocks of TOML, and in files of it that are configurations.
fn samples() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut samples = Vec::new();
    let mut pages = vec![root.join("README.md"), root.join("METRICS.md")];
    for folder in ["docs", "examples", "deploy/systemd", "deploy/compose"] {
        pages.extend(fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    for page in pages {
        let name = page.display().to_string();
        let Ok(text) = fs::read_to_string(&page) else { continue };
        match page.extension().and_then(|end| end.to_str()) {
            Some("toml") => samples.push((name, text)),
            Some("md") => {
                let blocks = text.split("```toml\n").skip(1);
                let blocks = blocks.map(|block| block.split("```").next().unwrap().to_string());
                samples.extend(blocks.map(|block| (name.clone(), block)));
            }
            _ => {}
        }
    }
    samples
}

#[test]
fn samples_in_the_pages_are_valid() {
    let schema = Schema::of_the_program();
    let samples = samples();
    assert!(samples.len() >= 2, "no samples were found");
    for (page, toml) in samples {
        assert_eq!(schema.judge(&toml), Ok(()), "{page}:\n{toml}");
    }
}

#[test]
fn a_valid_file_is_told_from_one_that_is_not() {
    let schema = Schema::of_the_program();
    for (toml, is_valid) in [
        ("", true),
        ("csv_file = 'a.csv'\nquiet = true\nworkers = 4", true),
        ("csv_file = ['a.csv', 'b.csv']\nselect = 'a,b'", true),
        ("max_errors = 5", true),
        ("max_errors = '0.1%'", true),
        ("drain_timeout = 20", true),
        ("workers = '${WORKERS}'\nquiet = '${QUIET}'\nmode = '${MODE}'", true),
        ("workers = '1_000'\nquiet = 'no'", true),
        ("include = ['a.toml']\n[defaults]\nmode = 'skip'", true),
        ("[connections.a]\ndb_user = 'u'\n[pipelines.p]\nconnections = ['a']", true),
        ("csv_flie = 'a.csv'", false),
        ("config = 'a.toml'", false),
        ("workers = 'many'", false),
        ("workers = -1", false),
        ("workers = [1]", false),
        ("quiet = 'maybe'", false),
        ("mode = 'mirror'", false),
        ("csv_file = [['a.csv']]", false),
        ("db_host = 1979-05-27", false),
        ("pipelines = 1", false),
        ("[pipelines.p]\ninclude = 'a.toml'", false),
        ("[pipelines.p.q]\nmode = 'skip'", false),
        ("[connections.a]\nconnections = 'b'", false),
        ("[defaults]\nmode = 'mirror'", false),
    ] {
        let judged = schema.judge(toml);
        assert_eq!(judged.is_ok(), is_valid, "{toml}: {judged:?}");
    }
}
