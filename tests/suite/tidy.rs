//! Who may import whom in `src`, and how its files are called.
//!
//! Imports point down the floors. When one wants to point up, a noun is usually in the wrong room:
//! move it, and change this plan only when the plan of the house itself has changed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::rust_source::{Named, paths};

use May::{All, Names};

/// What a room may use besides itself.
enum May {
    /// Every room of that floor, and everything in it.
    Floor(u8),
    /// A room or a module with everything in it.
    All(&'static str),
    /// What stands in the `mod.rs` of a room - its traits and nouns - and nothing below it.
    Names(&'static str),
}

struct Room {
    name: &'static str,
    floor: u8,
    may_use: &'static [May],
    /// And this too, under `#[cfg(test)]`.
    tests_may_use: &'static [May],
}

const FLOOR_0: May = May::Floor(0);
const FLOOR_1: May = May::Floor(1);
const FLOOR_2: May = May::Floor(2);
const FLOOR_3: May = May::Floor(3);
const FLOOR_4: May = May::Floor(4);

#[rustfmt::skip]
const PLAN: &[Room] = &[
    // The nouns.
    room("record",   0, &[FLOOR_0]),
    room("error",    0, &[FLOOR_0]),
    room("outcome",  0, &[FLOOR_0]),
    room("event",    0, &[FLOOR_0]),
    room("secret",   0, &[FLOOR_0]),
    room("shown",    0, &[FLOOR_0]),
    room("loopback", 0, &[]),
    room("chance",   0, &[]),
    room("trace_context", 0, &[]),

    // Pure: no I/O, no clock.
    room("convert",  1, &[FLOOR_0, FLOOR_1]),
    room("infer",    1, &[FLOOR_0, FLOOR_1]),
    room("report",   1, &[FLOOR_0, FLOOR_1]),
    room("draw",     1, &[All("shown")]),

    // I/O. These do not know each other, nor anything above; what takes its name at the end is
    // shared by those that write files.
    room("file_identity", 2, &[]),
    room("host",     2, &[]),
    room("part",     2, &[FLOOR_0, FLOOR_1, All("file_identity"), All("host")]),
    room("source",   2, &[FLOOR_0, FLOOR_1, All("file_identity")]),
    room("sink",     2, &[FLOOR_0, FLOOR_1, All("part")]),
    room("rejects",  2, &[FLOOR_0, FLOOR_1, All("part")]),
    room("ledger",   2, &[FLOOR_0, FLOOR_1, All("host")]),

    // The pipeline knows the traits and not who implements them; observers know neither.
    Room {
        name: "pipeline",
        floor: 3,
        may_use: &[FLOOR_0, FLOOR_1, Names("source"), Names("sink"), All("rejects")],
        tests_may_use: &[All("source::memory"), All("sink::memory")],
    },
    room("observe",  3, &[All("record"), All("error"), All("event"), All("outcome"), All("shown"),
                           All("report"), All("secret"), All("trace_context"), Names("ledger")]),
    // Shows what observers know: on standard error, and over HTTP.
    room("console",  3, &[FLOOR_0, All("report"), All("observe")]),
    room("web",      3, &[FLOOR_0, All("report"), All("draw"), All("observe"), All("console"),
                           Names("ledger")]),
    // Tells others of a run: what observers know, by way of files and servers that are no data.
    room("export",   3, &[FLOOR_0, All("report"), All("part"), All("host"), All("observe")]),
    // Gives a Grafana what belongs to the metrics; a run knows nothing of it.
    room("provision", 3, &[FLOOR_0, All("observe"), All("export")]),

    // The settings are the sum of the parts' own settings, so they stand above the parts, which
    // know nothing of them.
    room("config",   4, &[FLOOR_0, FLOOR_1, FLOOR_2, FLOOR_3]),

    // The wiring and the verbs: the only places where everything meets.
    room("signals",  4, &[FLOOR_0, FLOOR_1, FLOOR_3]),
    room("app",      4, &[FLOOR_0, FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4]),
    room("command",  4, &[FLOOR_0, FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4]),
    room("cli",      4, &[FLOOR_0, FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4]),
];

/// The crate's table of contents and its entrance, which stand outside the floors.
const ENTRANCES: &[&str] = &["lib", "main"];

/// Files called like this become places for everything; name them for the idea.
const NAMES_WITHOUT_MEANING: &[&str] = &["util", "utils", "common", "helper", "helpers", "types"];

const fn room(name: &'static str, floor: u8, may_use: &'static [May]) -> Room {
    Room { name, floor, may_use, tests_may_use: &[] }
}

#[test]
fn src_keeps_to_its_floors() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(!files.is_empty(), "no Rust files under {}", src.display());

    let mut faults = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&src).unwrap().to_str().unwrap();
        faults.extend(faults_of(name, &text));
    }
    assert!(faults.is_empty(), "{}\n(the plan is in tests/suite/tidy.rs)", faults.join("\n"));
}

/// What is wrong with one file, whose name is relative to `src`.
fn faults_of(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let mut faults = Vec::new();
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    for name in module.iter().copied().chain([stem]) {
        if NAMES_WITHOUT_MEANING.contains(&name) {
            faults.push(format!("src/{file}: '{name}' says nothing about what is inside"));
            break;
        }
    }
    let named = paths(&module, text);
    for named in named.iter().filter(|named| !named.ours) {
        if named.segments[0] == "prometheus" && module.first() != Some(&"observe") {
            faults.push(at(file, named, "prometheus is used only under src/observe"));
        }
    }
    let Some(&home) = module.first() else {
        return faults;
    };
    let Some(room) = PLAN.iter().find(|room| room.name == home) else {
        faults.push(format!("src/{file}: no room '{home}' in the plan"));
        return faults;
    };

    // A module of tests in a file of its own is declared under #[cfg(test)] elsewhere.
    let is_test_file = module.contains(&"tests");
    for named in named {
        let path: Vec<&str> = named.segments.iter().map(String::as_str).collect();
        if !named.ours {
            if path[0] == "tracing" && room.floor <= 1 {
                faults.push(at(
                    file,
                    &named,
                    "floors 0 and 1 return what they did, and log nothing",
                ));
            }
            continue;
        }
        let in_test = named.in_test || is_test_file;
        let mut rules = room.may_use.iter().chain(room.tests_may_use.iter().filter(|_| in_test));
        let allowed = path.is_empty() || path[0] == home || rules.any(|may| may.cover(&path));
        if !allowed {
            let path = path.join("::");
            faults.push(at(file, &named, &format!("{home} may not use {path}")));
        }
    }
    faults
}

impl May {
    fn cover(&self, path: &[&str]) -> bool {
        match *self {
            May::Floor(floor) => {
                PLAN.iter().any(|room| room.floor == floor && room.name == path[0])
            }
            May::All(module) => {
                let module: Vec<&str> = module.split("::").collect();
                path.starts_with(&module)
            }
            May::Names(room) => {
                let is_noun = |name: &str| name.starts_with(char::is_uppercase);
                path[0] == room && path.get(1).is_none_or(|name| is_noun(name))
            }
        }
    }
}

fn at(file: &str, named: &Named, fault: &str) -> String {
    format!("src/{file}:{}: {fault}", named.line)
}

/// `source/csv/mod.rs` is `["source", "csv"]`; the entrances are the root.
fn module_of(file: &str) -> Vec<&str> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if ENTRANCES.contains(&stem) { Vec::new() } else { stem.split('/').collect() }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[track_caller]
fn check(file: &str, text: &str, expected: &[&str]) {
    assert_eq!(faults_of(file, text), expected);
}

#[test]
fn imports_may_point_down() {
    check("sink/file.rs", "use crate::record::Rows; use crate::convert::Type;", &[]);
    check("pipeline/lane.rs", "use crate::sink::{Lane, Sink}; use crate::source;", &[]);
    check("event.rs", "use crate::outcome::Outcome;", &[]);
    check("app.rs", "use crate::{pipeline, sink::file::FileSink, command::check};", &[]);
    check("main.rs", "use flowgauge::app; fn main() { flowgauge::sink::file::open() }", &[]);
}

#[test]
fn imports_may_not_point_up_or_sideways() {
    check(
        "record.rs",
        "use crate::convert::X;",
        &["src/record.rs:1: record may not use convert::X"],
    );
    check(
        "event.rs",
        "use crate::report::Snapshot;",
        &["src/event.rs:1: event may not use report::Snapshot"],
    );
    check(
        "sink/file.rs",
        "use crate::{\n    source::Source,\n    pipeline,\n};",
        &[
            "src/sink/file.rs:2: sink may not use source::Source",
            "src/sink/file.rs:3: sink may not use pipeline",
        ],
    );
    check(
        "sink/mod.rs",
        "fn f() { super::observe::tell() }",
        &["src/sink/mod.rs:1: sink may not use observe::tell"],
    );
    check(
        "observe/http.rs",
        "use crate::config::Http;",
        &["src/observe/http.rs:1: observe may not use config::Http"],
    );
}

#[test]
fn the_pipeline_sees_adapters_only_in_tests() {
    let fault = "src/pipeline/mod.rs:1: pipeline may not use source::csv::Csv";
    check("pipeline/mod.rs", "use crate::source::csv::Csv;", &[fault]);
    check("pipeline/mod.rs", "#[cfg(test)] use crate::source::csv::Csv;", &[fault]);
    let module = "use crate::sink;\nfn f() { sink::file::open() }";
    check(
        "pipeline/mod.rs",
        module,
        &["src/pipeline/mod.rs:2: pipeline may not use sink::file::open"],
    );

    check(
        "pipeline/mod.rs",
        "use crate::sink::memory::Memory;",
        &["src/pipeline/mod.rs:1: pipeline may not use sink::memory::Memory"],
    );
    check("pipeline/mod.rs", "#[cfg(test)] mod tests { use crate::sink::memory::Memory; }", &[]);
    check("pipeline/tests.rs", "use crate::source::memory::Memory;", &[]);
}

#[test]
fn metrics_and_logs_stay_in_their_rooms() {
    check("observe/catalogue.rs", "use prometheus::Registry;", &[]);
    check("app.rs", "use crate::observe::prometheus; fn f() { prometheus::f() }", &[]);
    check(
        "app.rs",
        "fn f() { prometheus::gather() }",
        &["src/app.rs:1: prometheus is used only under src/observe"],
    );
    check("sink/file.rs", "use tracing::info;", &[]);
    check(
        "convert/mod.rs",
        "fn f() { tracing::info!() }",
        &["src/convert/mod.rs:1: floors 0 and 1 return what they did, and log nothing"],
    );
}

#[test]
fn files_are_named_for_an_idea_and_have_a_place() {
    check("sink/util.rs", "", &["src/sink/util.rs: 'util' says nothing about what is inside"]);
    check(
        "sink/common/mod.rs",
        "",
        &["src/sink/common/mod.rs: 'common' says nothing about what is inside"],
    );
    check("attic.rs", "", &["src/attic.rs: no room 'attic' in the plan"]);
}
