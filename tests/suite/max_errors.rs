//! Records that are rejected beyond --max-errors: judged exactly, counted as what the reject
//! file holds, and with the first of them named.

use serde_json::Value;

use crate::support::{Database, Finished, Load, Server, Trial, Workdir, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql");
    a_table_says_the_same
}

/// Records of two fields, of which those at `bad` have three.
fn records(count: usize, bad: impl Fn(usize) -> bool) -> String {
    let record = |number| if bad(number) { "1,2,3\n" } else { "1,2\n" };
    std::iter::once("a,b\n").chain((0..count).map(record)).collect()
}

/// That the reject file, the summary's two numbers and the message say the same.
#[track_caller]
fn assert_agree(workdir: &Workdir, finished: &Finished, expected: usize) {
    let kept = workdir.read("rejects.jsonl").lines().count();
    assert_eq!(kept, expected, "{finished}");
    let summary: Value = serde_json::from_str(&workdir.read("summary.json")).unwrap();
    assert_eq!(summary["records"]["failed"], expected, "{finished}");
    let by_kind = summary["rejected"].as_object().unwrap();
    let by_kind: u64 = by_kind.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(by_kind, expected as u64, "{finished}");
    assert_eq!(summary["rejects_file"], "rejects.jsonl", "{finished}");
    let records = if expected == 1 { "record was" } else { "records were" };
    let all = format!("; {expected} {records} rejected and --max-errors is ");
    // Where others had been judged that no lane has come to.
    let some = format!(" allows, {expected} of which are kept; ");
    assert!(finished.stderr.contains(&all) || finished.stderr.contains(&some), "{finished}");
    finished.assert_stderr_has("; see them in 'rejects.jsonl'\n");
}

const KEPT: &str = "--rejects rejects.jsonl --summary-json summary.json --quiet";

#[test]
fn a_share_of_the_last_hundredth_is_within() {
    let text = records(10_000, |number| number % 175 == 0 && number / 175 < 57);
    for (share, code) in [("0.57%", 0), ("0.569999%", 3), ("0.570%", 0), ("57", 0), ("56", 3)] {
        let mut verdict = Trial::csv(workdir!(), &text)
            .with(KEPT)
            .with("--max-errors")
            .with(share)
            .run()
            .ends_with(code);
        for name in ["rejects.jsonl", "summary.json", "out.jsonl"] {
            verdict.explain(name);
        }
        let kept = verdict.workdir.read("rejects.jsonl");
        assert_eq!(kept.lines().count(), 57, "{share} {}", verdict.finished);
    }
}

/// Judged in the first segment, in a later one, and at the end only; with one worker and with many.
#[test]
fn over_budget_the_first_is_named_and_all_that_are_counted_are_kept() {
    let first = "in.csv, line 3, byte 8: 3 fields where there are 2 columns; ";
    let text = records(6_000, |number| number % 2 == 1);
    for (args, expected) in [
        ("", 3000),
        ("--max-errors 2999", 3000),
        ("--max-errors 100 --batch-size 40", 120),
        ("--max-errors 0 --batch-size 40 --workers 4", 20),
        ("--max-errors 49.99%", 3000),
        ("--max-errors 49.99% --batch-size 7 --workers 4", 3000),
    ] {
        let mut verdict = Trial::csv(workdir!(), &text).with(KEPT).with(args).run().ends_with(3);
        assert_eq!(verdict.finished.stderr.lines().count(), 1, "{}", verdict.finished);
        verdict.finished.assert_stderr_has(first);
        assert_agree(&verdict.workdir, &verdict.finished, expected);
        verdict.explain("rejects.jsonl");
        verdict.explain("summary.json");
    }
}

#[test]
fn check_ends_as_the_run_would() {
    for (args, code) in
        [("", 3), ("--max-errors 1", 3), ("--max-errors 2", 0), ("--max-errors 1%", 3)]
    {
        let verdict = Trial::csv(workdir!(), records(5, |number| number > 2))
            .with("check --csv-file in.csv --output-file out.jsonl")
            .with(args)
            .run()
            .ends_with(code);
        verdict.finished.assert_stdout_has("2 of them would be rejected");
        verdict.finished.assert_stdout_has("would create 'out.jsonl'");
        if code == 3 {
            verdict
                .says("in.csv, line 5, byte 16: 3 fields")
                .says("2 of the first 5 records would be rejected and --max-errors is");
        }
    }
}

/// Rejected on our side and by the server, in one segment and in several, by several lanes.
fn a_table_says_the_same(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, CHECK (k < 1000 OR k % 2 = 0))");
    // Lines 3, 6, 9, ... are no number; from 1000 on, odd ones are refused by the server.
    let text: String = (1..=1_200)
        .map(|k| if k % 3 == 2 { "x\n".to_string() } else { format!("{k}\n") })
        .collect();
    for (args, expected) in [
        ("--max-errors 0", None),
        ("--max-errors 0 --batch-size 10", Some(3)),
        ("--max-errors 401", None),
        ("--max-errors 401 --batch-size 10 --lanes 1", None),
        ("--max-errors 401 --batch-size 10 --lanes 4", None),
        ("--max-errors 10% --batch-size 50 --lanes 4", None),
    ] {
        client.run("DELETE FROM t");
        let loaded = Load::csv(&database, workdir!(), format!("k\n{text}"))
            .with("--mode insert --quiet")
            .with(args)
            .run()
            .ends_with(3)
            .says("in.csv, line 3, byte 4, column 'k': ");
        let kept = loaded.workdir.read("rejects.jsonl").lines().count();
        assert!(expected.is_none_or(|expected| expected == kept), "{args} {}", loaded.finished);
        assert_agree(&loaded.workdir, &loaded.finished, kept);
        let there = client.lines("SELECT COUNT(*) FROM t")[0].clone();
        assert_eq!(loaded.summary()["records"]["inserted"].to_string(), there, "{args}");
    }
}
