//! Random CSV files with random options, and what is made of them held against a plain reader of its
//! own. Some seconds of it with everything else; `tests/soak` for hours.
//!
//! A case follows from one number. `FLOWGAUGE_SOAK_SEED` begins with that one, `FLOWGAUGE_SOAK_SECONDS`
//! says how long.

mod case;
mod reference;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use case::{Case, Expected, Reject, Way};
use serde_json::Value;

use crate::support::{Workdir, workdir};

/// So many cases without a word about the time.
const CASES: u64 = 400;

const SEED: u64 = 4_180_000;

/// Of different faults, so many are enough.
const FAULTS_MAX: usize = 6;

/// Runs that making a fault small may cost.
const SHRINKING: usize = 300;

#[test]
fn soak_of_csv_files() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FLOWGAUGE_SOAK_SEED").unwrap_or(SEED);
    let seconds = number("FLOWGAUGE_SOAK_SECONDS");
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let workdir = workdir!();
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut faults: BTreeMap<&str, String> = BTreeMap::new();
    for count in 0.. {
        let is_over = end.map_or(count >= CASES, |end| Instant::now() >= end);
        if is_over || faults.len() >= FAULTS_MAX {
            break;
        }
        let seed = seed.wrapping_add(count);
        let case = Case::new(seed);
        let Some(fault) = run(&workdir, &case) else {
            let word = match case.expected() {
                Expected::Ends { .. } => "refused",
                Expected::Rows { rejects, .. } if rejects.is_empty() => "taken",
                Expected::Rows { .. } => "with rejects",
            };
            *ends.entry(word).or_default() += 1;
            continue;
        };
        if faults.contains_key(fault.kind) {
            continue;
        }
        let kind = fault.kind;
        let (case, fault) = shrink(&workdir, case, fault);
        let told = format!(
            "seed {seed}:\n  {:?}\n  {:?} {}\n  {}",
            String::from_utf8_lossy(&case.plain()),
            case.way,
            case.args().join(" "),
            fault.text
        );
        eprintln!("{told}");
        faults.insert(kind, told);
    }
    println!("{ends:?}");
    let told: Vec<&str> = faults.values().map(String::as_str).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), told.join("\n"));
}

struct Fault {
    kind: &'static str,
    text: String,
}

fn run(workdir: &Workdir, case: &Case) -> Option<Fault> {
    let plain = case.plain();
    let mut program = workdir.flowgauge().args(case.args());
    program = match case.way {
        Way::Pipe => program.args(["--csv-file", "-"]).stdin(plain),
        Way::File => {
            workdir.write("in", &plain);
            program.args(["--csv-file", "in"])
        }
        Way::Gzip { member_bytes } => {
            let members: Vec<Vec<u8>> = plain.chunks(member_bytes).map(gzip).collect();
            let members = if members.is_empty() { vec![gzip(b"")] } else { members };
            workdir.write("in", members.concat());
            program.args(["--csv-file", "in"])
        }
    };
    workdir.put_away("rejects.jsonl");
    let finished = program
        .args(["--output-file", "-", "--rejects", "rejects.jsonl", "--log-level", "error"])
        .run();
    let expected = case.expected();
    let fault = |kind, text: String| Some(Fault { kind, text });
    let (rows, rejects) = match &expected {
        Expected::Ends { code, words } => {
            let is_so = finished.code() == Some(*code) && finished.stderr.contains(words.as_str());
            return match is_so {
                true => None,
                false => fault("end", format!("expected {code} and {words:?}, but {finished}")),
            };
        }
        Expected::Rows { rows, rejects } => (rows, rejects),
    };
    if finished.code() != Some(0) {
        return fault("code", format!("expected {} rows, but {finished}", rows.len()));
    }
    let found: Vec<Vec<(String, Option<String>)>> = finished.stdout.lines().map(row).collect();
    // The order of the fields within a line is not looked at.
    let sorted = |mut row: Vec<(String, Option<String>)>| {
        row.sort();
        row
    };
    let rows: Vec<_> = rows.iter().cloned().map(sorted).collect();
    let found: Vec<_> = found.into_iter().map(sorted).collect();
    if rows != found {
        return fault("rows", format!("expected {rows:?}, but {found:?}"));
    }
    let found = kept(&workdir.read("rejects.jsonl"));
    if *rejects != found {
        return fault("rejects", format!("expected {rejects:?}, but {found:?}"));
    }
    None
}

fn row(line: &str) -> Vec<(String, Option<String>)> {
    let Value::Object(fields) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    let field = |(name, value): (String, Value)| match value {
        Value::Null => (name, None),
        Value::String(text) => (name, Some(text)),
        other => panic!("{other} is no text"),
    };
    fields.into_iter().map(field).collect()
}

fn kept(text: &str) -> Vec<Reject> {
    let reject = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let raw = match line["raw"].as_str() {
            Some(raw) => raw.as_bytes().to_vec(),
            None => BASE64_STANDARD.decode(line["raw_base64"].as_str().unwrap()).unwrap(),
        };
        let byte = usize::try_from(line["byte"].as_u64().unwrap()).unwrap();
        Reject { byte, line: line["line"].as_u64().unwrap(), raw }
    };
    let mut kept: Vec<Reject> = text.lines().map(reject).collect();
    kept.sort();
    kept
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Takes out whatever the fault does not need.
fn shrink(workdir: &Workdir, mut case: Case, mut fault: Fault) -> (Case, Fault) {
    let mut left = SHRINKING;
    let mut take = |case: &mut Case, fault: &mut Fault, smaller: Case| {
        if left == 0 {
            return false;
        }
        left -= 1;
        match run(workdir, &smaller).filter(|found| found.kind == fault.kind) {
            Some(found) => {
                *case = smaller;
                *fault = found;
                true
            }
            None => false,
        }
    };
    let simpler = Case {
        way: Way::File,
        batch_bytes: None,
        batch_size: None,
        workers: 1,
        null: None,
        ..case.clone()
    };
    take(&mut case, &mut fault, simpler);
    let mut size = case.tokens.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < case.tokens.len() {
            let mut smaller = case.clone();
            smaller.tokens.drain(at..(at + size).min(case.tokens.len()));
            if !take(&mut case, &mut fault, smaller) {
                at += size;
            }
        }
        size /= 2;
    }
    (case, fault)
}
