//! Names and values that a terminal would obey, or that would make one line look like two: wherever
//! they are shown to people they are escaped, and JSON has them as its own escapes.

use flowgauge::parts::is_obeyed;
use serde_json::Value;

use crate::support::{Finished, Trial, workdir};

/// Colours, a title, a line end, C1, directions of writing.
const HOSTILE: &str = "x\u{1b}[31m\u{1b}]0;t\u{7}\n2026-01-01T00:00:00Z ERROR forged\r\u{9b}1m\u{202e}\u{2066}\u{2028}";

#[track_caller]
fn assert_harmless(finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        let obeyed = text.chars().find(|&letter| is_obeyed(letter) && letter != '\n');
        assert_eq!(obeyed, None, "{finished}");
        let forged = text.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z"));
        assert!(!forged, "{finished}");
    }
}

/// A header, values and a record of too many fields, in a file of such a name.
fn hostile() -> Trial {
    let quoted = |text: &str| format!("\"{text}\"");
    let header = format!("{},b\n", quoted(HOSTILE));
    let row = format!("{},2\n", quoted(HOSTILE));
    let name = format!("{HOSTILE}.csv");
    Trial::new(workdir!()).file(&name, format!("{header}{row}1,2,3\n")).arg("--csv-file").arg(&name)
}

#[test]
fn check_shows_data_names_and_settings_harmless() {
    for args in
        ["--output-file out.jsonl", "--output-file out.csv", "--types b=int --output-file -"]
    {
        let verdict = hostile().with("--max-errors 1 check").with(args).run().completes();
        assert_harmless(&verdict.finished);
        verdict.finished.assert_stdout_has("1 of them would be rejected");
    }
}

#[test]
fn a_run_shows_names_and_settings_harmless() {
    let output = format!("out-{HOSTILE}.jsonl");
    for (args, code) in [
        ("--max-errors 1", 0),
        ("--max-errors 1 --summary-json -", 0),
        ("--max-errors 1 --log-format json --summary-json -", 0),
        ("", 3),
        ("--log-format json", 3),
        ("--max-errors 1 --select nope", 2),
        ("--max-errors 1 --select nope --log-format json", 2),
    ] {
        let trial = hostile().arg("--output-file").arg(&output).with(args);
        let rejects = format!("r{HOSTILE}.jsonl");
        let mut verdict = trial.arg("--rejects").arg(&rejects).run().ends_with(code);
        assert_harmless(&verdict.finished);
        verdict.explain(&output);
        verdict.explain(&rejects);
        if args.contains("json -") {
            let summary: Value = serde_json::from_str(&verdict.finished.stdout).unwrap();
            assert_eq!(summary["output"].as_str().unwrap(), output);
            assert_eq!(summary["rejects_file"].as_str().unwrap(), rejects);
        }
    }
}

#[test]
fn mistakes_show_names_and_settings_harmless() {
    for option in ["--csv-encoding", "--select", "--max-errors", "--memory-limit", "--config"] {
        for json in ["", "--log-format json"] {
            let trial = hostile().arg(option).arg(&format!("{HOSTILE}=no{HOSTILE}"));
            let verdict = trial.with(json).run().ends_with(2);
            assert_harmless(&verdict.finished);
        }
    }
    let key = r#""\u001b[31m\n2026-01-01T00:00:00Z ERROR forged\u009b\u202e" = 1"#;
    let trial = hostile().file("s.toml", key);
    assert_harmless(&trial.with("--config s.toml").run().ends_with(2).finished);
    // The words of the command line's own reader have lines.
    let unknown = hostile().arg("--no-such-\u{1b}[31m\u{202e}").run().ends_with(2);
    assert!(
        !unknown.finished.stderr.chars().any(|c| is_obeyed(c) && c != '\n'),
        "{}",
        unknown.finished
    );
}
