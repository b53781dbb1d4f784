//! Memory follows what rows really need, and so does work: rows that are wider than their records,
//! fields that fill many columns, more workers than segments, headers of very many columns.
//!
//! Memory is what the process had at most, which the kernel knows. Of work there is so much that a run
//! would not end if it grew with the square.

use crate::support::{Finished, Workdir, workdir};

/// What a run may take beside `--memory-limit`, in MiB.
const BESIDE_MIB: u64 = 64;

/// A run, and the most memory it had, in MiB.
#[track_caller]
fn measured(workdir: &Workdir, args: &[&str]) -> (Finished, u64) {
    let (finished, peak) = workdir.flowgauge().args(args).spawn().finish_measured();
    (finished, peak >> 10)
}

#[track_caller]
fn assert_within(limit_mib: u64, (finished, peak_mib): &(Finished, u64)) {
    finished.assert_code(0);
    assert!(*peak_mib <= limit_mib + BESIDE_MIB, "{peak_mib} MiB: {finished}");
}

fn names(count: usize, prefix: &str) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn records_that_lack_most_columns_are_read_few_at_a_time() {
    let workdir = workdir!();
    let fields: Vec<String> = names(1000, "f").iter().map(|name| format!("\"{name}\":0")).collect();
    workdir.write("in.jsonl", format!("{{{}}}\n{}", fields.join(","), "{}\n".repeat(6000)));
    let null = "-".repeat(40);
    let args = ["--jsonl-file", "in.jsonl", "--output-file", "out.csv", "--memory-limit", "8MiB"];
    let run = measured(&workdir, &[&args[..], &["--output-null", &null]].concat());
    assert_within(8, &run);
    let line = format!("{}{null}\n", format!("{null},").repeat(999));
    let header = format!("{}\n", names(1000, "f").join(","));
    let written = std::fs::metadata(workdir.path("out.csv")).unwrap().len();
    let expected = header.len() + 1000 * 2 + 6000 * line.len();
    assert_eq!(written, expected as u64);
}

#[test]
fn records_that_are_padded_are_read_few_at_a_time() {
    let workdir = workdir!();
    let names = names(400, &"n".repeat(100));
    workdir.write("in.csv", format!("{}\n{}", names.join(","), "x\n".repeat(6000)));
    let args = "--csv-file in.csv --csv-ragged pad --output-file out.jsonl --memory-limit 8MiB";
    let run = measured(&workdir, &args.split(' ').collect::<Vec<_>>());
    assert_within(8, &run);
    run.0.assert_stderr_has("6,000 records");
}

#[test]
fn a_field_that_fills_many_columns_makes_for_small_segments() {
    let workdir = workdir!();
    workdir.write("in.csv", format!("x\n{}", format!("{}\n", "x".repeat(999)).repeat(1000)));
    let select = names(100, "c").iter().map(|name| format!("{name}=x")).collect::<Vec<_>>();
    let args = ["--csv-file", "in.csv", "--output-file", "out.jsonl", "--memory-limit", "8MiB"];
    let run = measured(&workdir, &[&args[..], &["--select", &select.join(",")]].concat());
    assert_within(8, &run);
}

#[test]
fn workers_hold_no_memory_while_they_wait() {
    let workdir = workdir!();
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(99_989));
    workdir.write("in.jsonl", line.repeat(1200));
    let args = "--jsonl-file in.jsonl --output-file out.jsonl --workers 200 --memory-limit 16MiB";
    let run = measured(&workdir, &args.split(' ').collect::<Vec<_>>());
    assert_within(16, &run);
}

#[test]
fn a_row_that_does_not_fit_into_the_memory_is_refused_before_anything_is_read() {
    let workdir = workdir!();
    let fields: Vec<String> = names(3000, "f").iter().map(|name| format!("\"{name}\":0")).collect();
    workdir.write("in.jsonl", format!("{{{}}}\n", fields.join(",")));
    let null = "-".repeat(2000);
    let args = ["--jsonl-file", "in.jsonl", "--output-file", "out.csv", "--output-null", &null];
    let refused = |args: &[&str]| {
        let finished = workdir.flowgauge().args(args).spawn().finish();
        finished.assert_code(2).assert_stderr_has("a row of 3000 columns may need");
        finished.assert_stderr_has(
            "may have 4194304, which is half of the limit; raise --memory-limit",
        );
        assert!(!workdir.exists("out.csv"));
    };
    let limit = ["--memory-limit", "8MiB"];
    refused(&[&args[..], &limit].concat());
    refused(&[&["check"], &args[..], &limit].concat());
    let run = workdir.flowgauge().args(args).args(["--memory-limit", "64MiB"]).spawn();
    run.finish().assert_code(0);
}

#[test]
fn a_header_of_very_many_columns_is_read_once() {
    let workdir = workdir!();
    let mut other = names(200_000, "c");
    workdir.write("a.csv", format!("{}\n{}\n", other.join(","), vec!["1"; 200_000].join(",")));
    other.reverse();
    workdir.write("b.csv", format!("{}\n{}\n", other.join(","), vec!["2"; 200_000].join(",")));
    workdir.write("equal.csv", format!("{}\n{0}\n", vec!["a"; 200_000].join(",")));
    for args in [
        "--csv-file a.csv --csv-file b.csv --output-file out.csv --memory-limit 1GiB",
        "--csv-file equal.csv --csv-headers repair --output-file out.csv --memory-limit 1GiB",
        "--csv-file a.csv --select c7 --types c7=int --output-file out.jsonl",
    ] {
        workdir.flowgauge().args(args.split(' ')).spawn().finish().assert_code(0);
    }
    workdir.assert_file("out.jsonl", "{\"c7\":1}\n");
    let args = "--csv-file equal.csv --output-file none.csv";
    let finished = workdir.flowgauge().args(args.split(' ')).spawn().finish();
    finished.assert_code(3).assert_stderr_has("columns named twice: 'a'; use --csv-headers repair");
}

#[test]
fn files_of_settings_that_include_one_another_are_read_once() {
    let workdir = workdir!();
    workdir.write("in.csv", "a\n1\n");
    let include = |name: &str| format!("include = [{}]\n", vec![format!("'{name}'"); 20].join(","));
    for number in 0..8 {
        let deeper = include(&format!("{}.toml", number + 1));
        workdir.write(&format!("{number}.toml"), deeper);
    }
    workdir.write("8.toml", "output_file = 'out.jsonl'\n");
    let run = |config: &str| {
        let args = ["--csv-file", "in.csv", "--config", config];
        workdir.flowgauge().args(args).spawn().finish()
    };
    run("0.toml").assert_code(0);
    workdir.assert_file("out.jsonl", "{\"a\":\"1\"}\n");
    workdir.write("self.toml", include("self.toml"));
    let finished = run("self.toml");
    finished.assert_code(2).assert_stderr_has("'self.toml' includes itself");
    workdir.write("one.toml", "include = 'two.toml'\n");
    workdir.write("two.toml", "include = 'one.toml'\n");
    run("one.toml").assert_code(2).assert_stderr_has("includes itself: 'one.toml' > 'two.toml'");
    workdir.write("8.toml", "include = '9.toml'\n");
    workdir.write("9.toml", "output_file = 'out.jsonl'\n");
    run("0.toml").assert_code(2).assert_stderr_has("files include others more than 8 deep");
}

/// What many columns take is not known before they are there.
#[test]
fn a_header_of_millions_of_columns_is_refused_before_they_are_kept() {
    let workdir = workdir!();
    let header = "c,".repeat(2_000_000);
    workdir.write("in.csv", format!("{header}d\n1\n"));
    let args = ["--csv-file", "in.csv", "--output-file", "out.jsonl", "--memory-limit", "256MiB"];
    let measured = measured(&workdir, &args);
    measured.0.assert_code(3).assert_stderr_has("the header has 2000001 columns, and may have");
    assert!(measured.1 <= 128, "{} MiB", measured.1);
}

#[test]
fn an_object_of_millions_of_fields_is_rejected_before_they_are_kept() {
    let workdir = workdir!();
    let fields: Vec<String> = (0..1_500_000).map(|field| format!("\"{field:x}\":1")).collect();
    workdir.write("in.jsonl", format!("{{{}}}\n", fields.join(",")));
    let args = ["--jsonl-file", "in.jsonl", "--output-file", "out.csv", "--memory-limit", "256MiB"];
    let args: Vec<_> = args.into_iter().chain(["--select", "a=1,b=2"]).collect();
    let measured = measured(&workdir, &args);
    measured.0.assert_code(3).assert_stderr_has("an object of more than 250,000 fields");
    assert!(measured.1 <= 256, "{} MiB", measured.1);
}
