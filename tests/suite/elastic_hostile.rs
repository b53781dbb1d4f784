//! A search server whose documents and answers are wrong at random: a run that says it is complete has
//! each document in its output or among its rejects, once; any other says that it is not; and all of
//! them end.
//!
//! `FLOWGAUGE_SOAK_SEED` begins elsewhere, `FLOWGAUGE_SOAK_SECONDS` goes on for as long.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::support::chance::Chance;
use crate::support::scripted_elastic::{Fault, Kind, Like, Script, Sending, byte};
use crate::support::{Workdir, workdir};

const TRIALS: u64 = 40;

fn bytes(bytes: &[u8]) -> String {
    let letter = |b: &u8| if b.is_ascii() { *b as char } else { byte(*b) };
    bytes.iter().map(letter).collect()
}

fn document(chance: &mut Chance, n: usize, has_points: bool) -> (String, bool) {
    if !chance.is_one_in(40) {
        let pad = "x".repeat(chance.below(200));
        return (format!("{{\"n\":{n},\"pad\":\"{pad} }}]\\\"\"}}"), true);
    }
    let bad: &[&[u8]] = &[
        b"{\"a\":\"\xED\xA0\xBD\xED\xB8\x80\"}",
        b"{\"a\":\"\xC0\x80\"}",
        b"{\"\xF7\xBF\xBF\xBF\":1}",
        b"{\"a\":1 /* \" } ] */}",
        b"{\"a\":[1 // ]}, {\n]}",
        b"\xEF\xBB\xBF{\"a\":1}",
        b"/* { */ {\"a\":1} /* } */",
        b"{\"a\":1} // hidden",
        b"{\"a\":1} // }}]}}\"",
    ];
    // A scroll is ended by the last ones, which says nothing of the others.
    let count = if has_points { bad.len() } else { bad.len() - 2 };
    (bytes(bad[chance.below(count)]), false)
}

fn fault(chance: &mut Chance) -> Fault {
    chance.pick(&[
        Fault::Status(503, ""),
        Fault::Status(429, "{}"),
        Fault::Html(502),
        Fault::Html(200),
        Fault::Rejected,
        Fault::Breaker(429, "TRANSIENT"),
        Fault::TIMED_OUT,
        Fault::ENDED_EARLY,
        Fault::WITHOUT_SORT,
        Fault::WITHOUT_ID,
        Fault::WITHOUT_SOURCE,
        Fault::Empty,
        Fault::FromStart,
        Fault::Expired,
        Fault::Renamed,
        Fault::Sent(Sending::Cut),
        Fault::Sent(Sending::Nothing),
        Fault::Sent(Sending::Dripping(700)),
        Fault::Sent(Sending::WrongLength(-3)),
        Fault::Sent(Sending::WrongLength(3)),
        Fault::Instead("\"hits\":[{", "\"hits\":[{\"_source\":{},"),
        Fault::Instead("\"sort\":[", "\"sort\":[1"),
        Fault::Instead("}", "]"),
    ])
}

/// Says which trial it was, where one fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// One run against one server.
#[track_caller]
fn trial(seed: u64) {
    let workdir = workdir!();
    let mut chance = Chance::new(seed);
    let like = chance.pick(&[Like::Elasticsearch9, Like::OpenSearch3, Like::Elasticsearch710]);
    let has_points = like != Like::Elasticsearch710;
    let count = chance.pick(&[0, 1, 30, 400, 1_500]);
    let (mut documents, mut good) = (Vec::new(), HashMap::new());
    for n in 0..count {
        let (source, is_good) = document(&mut chance, n, has_points);
        if is_good {
            good.insert(source.clone(), format!("d{n}"));
        }
        documents.push((format!("d{n}"), source));
    }
    let mut expected: Vec<String> = documents.iter().map(|(id, _)| id.clone()).collect();
    let mut script = Script::new(like, documents).shards(1 + chance.below(3));
    let mut said = format!("seed {seed}, {like:?}, {count} documents");
    let fault_count = chance.below(4);
    // A scroll whose name was lost on its way stays open, and would take the place of another.
    if fault_count == 0 && chance.is_one_in(2) {
        script = script.scrolls_max(1 + chance.below(3));
    }
    if chance.is_one_in(8) {
        script = script.unsliced();
    }
    for _ in 0..fault_count {
        let kinds =
            [Kind::Page, Kind::Page, Kind::ScrollOn, Kind::Count, Kind::Mapping, Kind::OpenPoint];
        let (kind, first) = (chance.pick(&kinds), 1 + chance.below(6));
        let is_page = matches!(kind, Kind::Page | Kind::ScrollOn);
        let fault = if is_page { fault(&mut chance) } else { Fault::Status(503, "") };
        said += &format!(", {fault:?} in {kind:?} {first}");
        script = script.faults(kind, first, first + chance.below(2), fault);
    }
    let server = script.start();
    let size = chance.pick(&[1_000, 100, 37]);
    let slices = if chance.is_one_in(2) {
        format!("--es-slices {}", 1 + chance.below(5))
    } else {
        String::new()
    };
    let args = format!(
        "--output-file out.jsonl --rejects rejects.jsonl --max-errors 100% --es-timeout 3s --batch-size {size} {slices}"
    );
    said += &format!(", {args}");
    let _told = Told(said.clone());
    let finished = server.read_by(&workdir).args(args.split_whitespace()).run();
    let code = finished.code();
    // An error of our own is none that a server may cause.
    assert!(matches!(code, Some(0 | 2 | 3 | 4)), "{said}: {finished}");
    if workdir.exists("out.jsonl") {
        let text = workdir.read("out.jsonl");
        let id = |line: &str| good.get(line).cloned().unwrap_or_else(|| panic!("{line}: {said}"));
        let mut found: Vec<String> = text.lines().map(id).collect();
        found.extend(rejected(&workdir));
        found.sort_unstable();
        expected.sort_unstable();
        assert!(found == expected, "{} of {}: {said}: {finished}", found.len(), expected.len());
    } else {
        assert_ne!(code, Some(0), "{said}: {finished}");
    }
}

fn rejected(workdir: &Workdir) -> Vec<String> {
    let text = workdir.read("rejects.jsonl");
    let id = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["_id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn whatever_a_server_does_nothing_is_lost_without_a_word() {
    let seed = number("FLOWGAUGE_SOAK_SEED").unwrap_or(1);
    let seconds = number("FLOWGAUGE_SOAK_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    for n in 0.. {
        let is_over = match seconds {
            Some(seconds) => begun.elapsed() >= seconds,
            None => n == TRIALS,
        };
        if is_over {
            break;
        }
        trial(seed.wrapping_mul(1_000_003).wrapping_add(n));
    }
}
