//! A source that lost its records looks like a good one: how few records a run may have.

use crate::support::database::{Database, Server, on_both};
use crate::support::scripted_elastic::{Kind, Like, Script, small};
use crate::support::{Finished, Workdir, workdir};

#[track_caller]
fn run(workdir: &Workdir, args: &str) -> Finished {
    workdir.flowgauge().args(args.split(' ')).run()
}

#[test]
fn a_good_file_is_not_replaced_by_one_without_records() {
    for (output, empty) in [("o.jsonl", ""), ("o.csv", "id,name\n")] {
        let workdir = workdir!();
        let header = workdir.write("in.csv", "id,name\n");
        let args = format!("--csv-file in.csv --output-file {output}");
        // Nothing is lost where there is nothing.
        run(&workdir, &args).assert_code(0);
        run(&workdir, &args).assert_code(0);
        workdir.write("in.csv", "id,name\n1,a\n2,b\n");
        run(&workdir, &args).assert_code(0);
        let good = workdir.read(output);
        std::fs::write(header, "id,name\n").unwrap();
        let refused = run(&workdir, &args);
        refused.assert_code(3).assert_stderr_has(&format!(
            "0 records would replace an output of {} bytes; nothing was published; check the source, or \
             set --allow-empty-output if that is right",
            good.len()
        ));
        workdir.assert_file(output, &good);
        // All of them rejected is none as well.
        std::fs::write(workdir.path("in.csv"), "id,name\n1\n").unwrap();
        let rejecting = run(&workdir, &format!("{args} --max-errors 1 --rejects bad.jsonl"));
        rejecting.assert_code(3).assert_stderr_has("see what was rejected in 'bad.jsonl'");
        assert_eq!(workdir.read("bad.jsonl").lines().count(), 1);
        workdir.put_away("bad.jsonl");
        workdir.assert_file(output, &good);
        std::fs::write(workdir.path("in.csv"), "id,name\n").unwrap();
        // That the source may be empty says nothing of the output.
        run(&workdir, &format!("{args} --allow-empty")).assert_code(3);
        workdir.assert_file(output, &good);
        run(&workdir, &format!("{args} --allow-empty-output")).assert_code(0);
        workdir.assert_file(output, empty);
    }
}

#[test]
fn an_output_that_has_only_a_header_is_replaced() {
    for (output, before, is_kept) in [
        ("o.csv", "id,name,dropped\n", false),
        ("o.csv", "\u{feff}name,id\r\n", false),
        ("o.jsonl", "\n", false),
        // It may be the only record of an output that has no header.
        ("o.csv", "1,the name of this one\n", true),
        ("o.csv", "7\n", true),
        ("o.jsonl", "{}\n", true),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", "id,name\n");
        workdir.write(output, before);
        let args = format!("--csv-file in.csv --output-file {output}");
        for verb in ["check ", ""] {
            let finished = run(&workdir, &format!("{verb}{args}"));
            match is_kept {
                true => finished.assert_code(3).assert_stderr_has("0 records would replace"),
                false => finished.assert_code(0),
            };
        }
        if is_kept {
            workdir.assert_file(output, before);
        }
    }
    let workdir = workdir!();
    workdir.write("in.csv", "id,name\n");
    for _ in 0..2 {
        run(&workdir, "--csv-file in.csv --output-file o.jsonl.gz").assert_code(0);
    }
}

/// A long header may be longer than a few records are when they are compressed.
#[test]
fn a_compressed_output_with_records_is_not_replaced_by_a_header() {
    for output in ["o.csv.gz", "o.csv.zst"] {
        let workdir = workdir!();
        let args = format!("--csv-file in.csv --output-file {output}");
        workdir.write("in.csv", "id\n1\n2\n3\n");
        run(&workdir, &args).assert_code(0);
        let before = std::fs::read(workdir.path(output)).unwrap();
        let header = "customer_number,shipping_address,billing_address,currency,total_amount\n";
        workdir.write("in.csv", header);
        run(&workdir, &args).assert_code(3).assert_stderr_has("0 records would replace");
        assert_eq!(std::fs::read(workdir.path(output)).unwrap(), before);
        std::fs::remove_file(workdir.path(output)).unwrap();
        for _ in 0..2 {
            run(&workdir, &args).assert_code(0);
        }
    }
}

#[test]
fn a_look_says_what_a_run_of_too_few_records_would() {
    let workdir = workdir!();
    let args = "--csv-file in.csv --output-file o.jsonl";
    let check = |args: &str| run(&workdir, &format!("check {args}"));
    workdir.write("in.csv", "id\n1\n2\n3\n4\n");
    // Without a ledger there is nothing to compare with, and a look makes none.
    check(&format!("{args} --max-shrink 20%")).assert_code(0);
    assert!(!workdir.exists("state/ledger.sqlite"));
    run(&workdir, args).assert_code(0);
    workdir.write("in.csv", "id\n1\n");
    let shrunk = check(&format!("{args} --max-shrink 20%"));
    shrunk.assert_code(3).assert_stderr_has(
        "the source has 1 record, and the last complete run had 4; --max-shrink is 20%",
    );
    check(&format!("{args} --max-shrink 80%")).assert_code(0);
    workdir.write("no-ledger", "no database");
    let unread = check(&format!("{args} --max-shrink 20% --ledger no-ledger"));
    unread.assert_code(5).assert_stderr_has("--max-shrink compares with the last complete run");
    workdir.write("in.csv", "id\n");
    let refused = "0 records would replace an output of ";
    check(args).assert_code(3).assert_stderr_has(refused);
    run(&workdir, args).assert_code(3).assert_stderr_has(refused);
    check(&format!("{args} --allow-empty")).assert_code(3).assert_stderr_has(refused);
    check(&format!("{args} --allow-empty-output")).assert_code(0);
    check("--csv-file in.csv --output-file other.jsonl").assert_code(0);
    // All of them rejected is none as well.
    workdir.write("in.csv", "id\n1,2\n");
    check(&format!("{args} --max-errors 1")).assert_code(3).assert_stderr_has(refused);
    let rejecting = check(&format!("{args} --max-errors 1 --min-records 1"));
    rejecting.assert_code(3).assert_stderr_has("the output has 0 records, and --min-records is 1");
}

#[test]
fn fewer_records_than_the_minimum_are_not_published() {
    let workdir = workdir!();
    workdir.write("in.csv", "id,name\n1,a\n2\n3,c\n");
    let args = "--csv-file in.csv --output-file o.jsonl --max-errors 1 --summary-json s.json";
    let refused = run(&workdir, &format!("{args} --min-records 3"));
    refused.assert_code(3).assert_stderr_has(
        "the output has 2 records, and --min-records is 3; nothing was published",
    );
    assert!(!workdir.exists("o.jsonl"));
    run(&workdir, &format!("{args} --min-records 2")).assert_code(0);
    run(&workdir, &format!("{args} --min-records -1")).assert_code(2);
    let check = run(
        &workdir,
        "check --csv-file in.csv --output-file o.jsonl --max-errors 1 --min-records 4",
    );
    check.assert_code(3).assert_stderr_has("the source has 3 records, and --min-records is 4");
}

#[test]
fn an_index_that_has_too_few_is_not_read() {
    let workdir = workdir!();
    let server = Script::new(Like::Elasticsearch9, small(20)).start();
    let run = |min: &str| {
        let program = server.read_by(&workdir).args(["--output-file", "o.jsonl"]);
        program.args(["--min-records", min]).run()
    };
    let refused = run("21");
    refused
        .assert_code(3)
        .assert_stderr_has("the source has 20 records, and --min-records is 21; nothing was read");
    assert!(server.asked_for(Kind::Page).is_empty() && server.left_open() == 0);
    run("20").assert_code(0);
}

#[test]
fn a_run_that_shrank_is_not_published() {
    let workdir = workdir!();
    let args = "--csv-file in.csv --output-file o.jsonl --max-shrink 20%";
    let ids = |count: usize| {
        let lines: Vec<String> = (0..count).map(|id| id.to_string()).collect();
        workdir.write("in.csv", format!("id\n{}\n", lines.join("\n")));
    };
    // There is nothing to compare the first one with.
    ids(10);
    run(&workdir, args).assert_code(0);
    ids(7);
    let refused = run(&workdir, args);
    refused.assert_code(3).assert_stderr_has(
        "the output has 7 records, and the last complete run had 10; --max-shrink is 20%; nothing was published",
    );
    assert_eq!(workdir.read("o.jsonl").lines().count(), 10);
    // A failed one is not compared with.
    ids(8);
    run(&workdir, args).assert_code(0);
    let off = run(&workdir, &format!("{args} --no-ledger"));
    off.assert_code(2).assert_stderr_has("leave out --no-ledger");
    let no_share = run(&workdir, &args.replace("20%", "20"));
    no_share.assert_code(2).assert_stderr_has("'20' is no share between 0% and 100%");
    workdir.write("no-ledger", "no database");
    let unread = run(&workdir, &format!("{args} --ledger no-ledger"));
    unread.assert_code(5).assert_stderr_has("--max-shrink compares with the last complete run");
}

on_both! { needs!("mariadb"), needs!("mysql"); what_a_table_has_stays }

fn what_a_table_has_stays(server: &Server) {
    let workdir = workdir!();
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (id INT PRIMARY KEY)");
    workdir.write("in.csv", "id\n1\n2\n");
    let args = ["--csv-file", "in.csv", "--db-table", "t", "--min-records", "3"];
    let refused = database.flowgauge(&workdir).args(args).run();
    refused.assert_code(3).assert_stderr_has(
        "the output has 2 records, and --min-records is 3; what was written stays",
    );
    assert_eq!(database.client.lines("SELECT id FROM t ORDER BY id"), ["1", "2"]);
}

/// A drop folder that is empty for a night: nothing to read is no mistake, and the file of the night before stays.
#[test]
fn a_source_that_may_be_empty_is_no_leave_to_replace_what_is_there() {
    let workdir = workdir!();
    std::fs::create_dir(workdir.path("drop")).unwrap();
    let file = workdir.write("drop/1.csv", "id\n1\n");
    let args = "--csv-file drop/*.csv --output-file o.jsonl --allow-empty";
    run(&workdir, args).assert_code(0);
    std::fs::remove_file(file).unwrap();
    let refused = run(&workdir, args);
    refused.assert_code(3).assert_stderr_has("0 records would replace an output of 11 bytes");
    refused.assert_stderr_has("set --allow-empty-output");
    workdir.assert_file("o.jsonl", "{\"id\":\"1\"}\n");
    run(&workdir, &format!("{args} --allow-empty-output")).assert_code(0);
    workdir.assert_file("o.jsonl", "");
    // Without the other one it is no leave to find nothing, either.
    let nothing = "--csv-file drop/*.csv --output-file o.jsonl --allow-empty-output";
    run(&workdir, nothing).assert_code(2).assert_stderr_has("use --allow-empty");
    let table =
        "--csv-file drop/*.csv --db-table t --db-name d --sink-type mysql --allow-empty-output";
    run(&workdir, table)
        .assert_code(2)
        .assert_stderr_has("it has no meaning with --sink-type mysql");
}
