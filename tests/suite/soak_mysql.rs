//! Random tables, records and options, and the table that is left held against one into which the same
//! records went one at a time. A minute of it with everything else; `tests/soak` for hours.
//!
//! A case follows from one number. `FLOWGAUGE_SOAK_SEED` begins with that one, `FLOWGAUGE_SOAK_SECONDS`
//! says how long.

mod case;
mod kind;
mod oracle;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use case::{Case, Mode, Relation};
use oracle::{Oracle, Reject};

use crate::support::database::SECRET;
use crate::support::load::Loaded;
use crate::support::{Database, Load, Server, Workdir, on_both};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    soak_of_tables_and_records
}

/// So many cases without a word about the time.
const CASES: u64 = 100;

const SEED: u64 = 8_000_000;

/// Of different faults, so many are enough.
const FAULTS_MAX: usize = 12;

/// Runs that making a fault small may cost.
const SHRINKING: usize = 150;

/// What a refused run may say: the command line and the table do not go together.
const REFUSALS: &[&str] = &[
    "has several unique keys, and a row could meet",
    "no unique key within the written columns",
    "holds rows and has no unique key",
    "has NOT NULL and no default",
    "have NOT NULL and no default",
    "no field of the source has a column",
    "not all of these columns of table",
    "the source has no field",
];

fn soak_of_tables_and_records(server: &Server) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FLOWGAUGE_SOAK_SEED").unwrap_or(SEED);
    let seconds = number("FLOWGAUGE_SOAK_SECONDS");
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let bench = Bench::new(server);
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for count in 0.. {
        let is_over = end.map_or(count >= CASES, |end| Instant::now() >= end);
        if is_over || faults.len() >= FAULTS_MAX {
            break;
        }
        let seed = seed.wrapping_add(count);
        let case = Case::new(seed, server.is_mariadb);
        let found = bench.run(&case);
        *ends.entry(found.word().to_string()).or_default() += 1;
        let Some(kind) = found.kind().filter(|kind| !faults.contains_key(kind)) else { continue };
        let (case, text) = bench.shrink(case, found);
        let told = format!(
            "seed {seed}, {}:\n{}",
            if server.is_mariadb { "MariaDB" } else { "MySQL" },
            told(&case, &text)
        );
        eprintln!("{told}");
        faults.insert(kind, told);
    }
    println!("{}: {ends:?}", server.address);
    let told: Vec<&str> = faults.values().map(String::as_str).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), told.join("\n"));
}

/// Everything that it takes to see it again, on one line each.
fn told(case: &Case, text: &str) -> String {
    let mut told = format!("  {text}\n  SET time_zone = '{}';\n", case.zone);
    let sqls = [case.create_before(), vec![case.create("t")], case.create_behind("t")].concat();
    for sql in sqls {
        writeln!(told, "  {sql};").unwrap();
    }
    for row in &case.rows {
        writeln!(told, "  {};", case.insert("t", row)).unwrap();
    }
    let (source, _) = case.source();
    let file = if case.is_csv { "--csv-file" } else { "--jsonl-file" };
    writeln!(
        told,
        "  printf {:?} > in; flowgauge {file} in --db-table t --max-errors 100000 {}{}",
        source.replace('%', "%%"),
        case.all_args().join(" "),
        if case.has_few_rights { " (few rights)" } else { "" }
    )
    .unwrap();
    told.replace(case::PAD, "<20,000 x>")
}

/// What came of a case.
enum Found {
    Agrees,
    /// The server takes no such table.
    NoTable,
    Refused(&'static str),
    Fault {
        kind: String,
        text: String,
    },
}

impl Found {
    fn kind(&self) -> Option<String> {
        match self {
            Found::Fault { kind, .. } => Some(kind.clone()),
            _ => None,
        }
    }

    fn word(&self) -> &str {
        match self {
            Found::Agrees => "agrees",
            Found::NoTable => "no such table",
            Found::Refused(why) => why,
            Found::Fault { kind, .. } => kind,
        }
    }
}

fn fault(kind: impl Into<String>, text: impl Into<String>) -> Found {
    Found::Fault { kind: kind.into(), text: text.into() }
}

struct Bench {
    database: Database,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.database.client.try_run(format!("DROP USER {}@'%'", self.few_rights()));
    }
}

impl Bench {
    /// With an account that may do no more than the manual says, for a table that is made anew each time.
    fn new(server: &Server) -> Bench {
        let bench = Bench { database: Database::new(server) };
        let client = &bench.database.client;
        client.run("CREATE TABLE t (c INT PRIMARY KEY)");
        Load::csv(&bench.database, Workdir::new("soak"), "c\n1\n").run().completes();
        let (name, few) = (&bench.database.name, bench.few_rights());
        client.run(format!("CREATE USER {few}@'%' IDENTIFIED BY '{SECRET}'"));
        for rights in [
            format!("SELECT, INSERT, UPDATE, TRIGGER ON {name}.t"),
            format!("SELECT, INSERT, UPDATE ON {name}.flowgauge_jobs"),
            format!("SELECT, INSERT, UPDATE ON {name}.flowgauge_heartbeats"),
            format!("SELECT, INSERT, DELETE ON {name}.flowgauge_segments"),
            format!("CREATE TEMPORARY TABLES ON {name}.*"),
        ] {
            client.run(format!("GRANT {rights} TO {few}@'%'"));
        }
        bench
    }

    fn few_rights(&self) -> String {
        format!("{}_few", self.database.name)
    }

    fn run(&self, case: &Case) -> Found {
        match self.try_run(case) {
            Found::Fault { kind, text } => {
                let source = if case.is_csv { "csv" } else { "jsonl" };
                Found::Fault { kind: format!("{kind}, {:?}, {source}", case.mode), text }
            }
            found => found,
        }
    }

    fn try_run(&self, case: &Case) -> Found {
        let client = &self.database.client;
        client.run(
            "SET sql_mode = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', \
             NAMES utf8mb4, autocommit = 1",
        );
        client.run("DROP TABLE IF EXISTS t, o, s, p, log_t, log_o");
        client.run(format!("SET time_zone = '{}'", case.zone));
        for sql in case.create_before() {
            // Values that are equal to one before.
            let _ = client.try_run(sql);
        }
        for table in ["t", "o", "s"] {
            let sql = if table == "t" { case.create(table) } else { case.create_endless(table) };
            if client.try_run(sql).is_err() {
                return Found::NoTable;
            }
            if table != "s"
                && case.create_behind(table).iter().any(|sql| client.try_run(sql).is_err())
            {
                return Found::NoTable;
            }
        }
        client.run("SET time_zone = '+00:00'");
        for row in &case.rows {
            if row.iter().all(|(_, value)| value.verdict == value::Verdict::Taken)
                && client.try_run(case.insert("t", row)).is_ok()
            {
                client.run(case.insert("o", row));
            }
        }
        if matches!(case.relation, Some(Relation::Triggers { .. })) {
            client.run("DELETE FROM log_t");
            client.run("DELETE FROM log_o");
        }
        let before = self.contents(case, "t");
        let loaded = self.load(case);
        match loaded.finished.code() {
            Some(0) => {}
            Some(2) => {
                let said = &loaded.finished.stderr;
                if self.contents(case, "t") != before {
                    return fault("refused and written", said.as_str());
                }
                return match REFUSALS.iter().find(|refusal| said.contains(**refusal)) {
                    Some(refusal) => Found::Refused(refusal),
                    None => fault("refused", said.as_str()),
                };
            }
            code => return fault(format!("exit code {code:?}"), loaded.finished.stderr.as_str()),
        }
        self.compare(case, &loaded)
    }

    fn load(&self, case: &Case) -> Loaded {
        let workdir = Workdir::new("soak");
        let (text, _) = case.source();
        let mut load = match case.is_csv {
            true => Load::csv(&self.database, workdir, text),
            false => Load::jsonl(&self.database, workdir, text),
        };
        load = load.with("--max-errors 100000");
        if case.has_few_rights {
            load = load.with("--db-user").arg(&self.few_rights());
        }
        for arg in case.all_args() {
            load = load.arg(&arg);
        }
        load.run()
    }

    fn compare(&self, case: &Case, loaded: &Loaded) -> Found {
        let (_, lines) = case.source();
        let mut rejects = HashMap::new();
        for reject in loaded.rejects() {
            let Some(number) = lines.iter().position(|line| *line == reject.line) else {
                return fault("strange line", format!("{reject:?}"));
            };
            let support = (reject.column, reject.error_type, reject.reason);
            let (column, error_type, reason) = support;
            if rejects.insert(number, Reject { column, error_type, reason }).is_some() {
                return fault("rejected twice", format!("record {}", number + 1));
            }
        }
        let counts = match Oracle::new(case, &self.database.client).apply(&rejects) {
            Ok(counts) => counts,
            Err(wrong) => return fault(wrong.kind, wrong.text),
        };
        let (found, expected) = (self.contents(case, "t"), self.contents(case, "o"));
        if found != expected {
            let missing: Vec<&String> =
                expected.iter().filter(|row| !found.contains(row)).collect();
            let strange: Vec<&String> =
                found.iter().filter(|row| !expected.contains(row)).collect();
            // The last value is written once, so a time of change may be an earlier one.
            if !(counts.touches_again && self.differ_in_times(case)) {
                return fault(
                    "contents",
                    format!(
                        "{} and {} rows; there is {strange:?}, not {missing:?}",
                        found.len(),
                        expected.len()
                    ),
                );
            }
        }
        let records = &loaded.summary()["records"];
        let number = |name: &str| records[name].as_u64().unwrap_or_default();
        let skipped = |name: &str| records["skipped"][name].as_u64().unwrap_or_default();
        let here = (
            number("inserted"),
            number("updated"),
            skipped("unchanged"),
            skipped("duplicate"),
            number("failed"),
        );
        let failed = rejects.len() as u64;
        let met = here.1 + here.2 + here.3;
        let there = (counts.inserted, counts.updated, counts.unchanged, counts.duplicate, failed);
        let is_rough = counts.is_rough || counts.touches_again && !case.goes_singly();
        let agrees = match case.mode == Mode::Upsert && is_rough {
            true => (here.0, met, here.4) == (there.0, there.1 + there.2 + there.3, there.4),
            false => here == there,
        };
        if matches!(case.relation, Some(Relation::Triggers { .. })) && case.mode != Mode::Upsert {
            let client = &self.database.client;
            let [there, here] = ["o", "t"].map(|table| {
                client.lines(&format!(
                    "SELECT what, COUNT(*) FROM log_{table} GROUP BY what ORDER BY what"
                ))
            });
            if here != there {
                return fault("triggers", format!("ran {here:?}, not {there:?}"));
            }
        }
        if !agrees {
            let text = format!(
                "(inserted, updated, unchanged, duplicate, failed) is {here:?}, not {there:?}"
            );
            return fault("counts", text);
        }
        let is_told =
            case.mode == Mode::Upsert && !case.resets && !case.is_late && rejects.is_empty();
        let kept = loaded.summary()["values_kept"].as_u64();
        if is_told && !case.has_counter() && kept != Some(case.absent_values()) {
            return fault("kept values", format!("{kept:?}, not {}", case.absent_values()));
        }
        Found::Agrees
    }

    fn contents(&self, case: &Case, table: &str) -> Vec<String> {
        let mut lines = self.database.client.lines(&case.contents(table));
        lines.sort();
        lines
    }

    fn differ_in_times(&self, case: &Case) -> bool {
        let mut without = case.clone();
        without.columns.retain(|column| {
            !column.default.as_ref().is_some_and(|default| default.contains("ON UPDATE"))
        });
        !without.columns.is_empty() && self.contents(&without, "t") == self.contents(&without, "o")
    }

    /// Leaves out what the fault does without.
    fn shrink(&self, case: Case, found: Found) -> (Case, String) {
        let Found::Fault { kind, text } = found else { unreachable!() };
        let (mut case, mut text, mut left) = (case, text, SHRINKING);
        let mut keeps = |smaller: Case, case: &mut Case, text: &mut String| {
            if left == 0 {
                return false;
            }
            left -= 1;
            match self.run(&smaller) {
                Found::Fault { kind: again, text: said } if again == kind => {
                    (*case, *text) = (smaller, said);
                    true
                }
                _ => false,
            }
        };
        let mut step = case.records.len().div_ceil(2);
        while step > 0 {
            let mut at = 0;
            while at < case.records.len() && case.records.len() > 1 {
                let mut smaller = case.clone();
                let end = (at + step).min(smaller.records.len());
                smaller.records.drain(at..end);
                if smaller.records.is_empty() || !keeps(smaller, &mut case, &mut text) {
                    at += step;
                }
            }
            step /= 2;
        }
        for at in (0..case.rows.len()).rev() {
            let mut smaller = case.clone();
            smaller.rows.remove(at);
            keeps(smaller, &mut case, &mut text);
        }
        for at in (0..case.keys.len()).rev() {
            if let Some(smaller) = case.without_key(at) {
                keeps(smaller, &mut case, &mut text);
            }
        }
        for at in (0..case.columns.len()).rev() {
            if let Some(smaller) = case.without_column(at) {
                keeps(smaller, &mut case, &mut text);
            }
        }
        for at in 0..case.columns.len() {
            for smaller in case.plainer(at) {
                keeps(smaller, &mut case, &mut text);
            }
        }
        for smaller in case.shorter_args() {
            keeps(smaller, &mut case, &mut text);
        }
        (case, text)
    }
}
