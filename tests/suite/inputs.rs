//! Which files are read, what they may be packed in, and names: of files, of columns, of fields.

use std::os::unix::ffi::OsStrExt;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::indices::Indices;
use crate::support::{Trial, needs, test_name, workdir};

const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];
const PLAIN: &[u8] = b"a,b\n1,x\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Part files of runs are among those whose names begin with a dot.
#[test]
fn a_glob_leaves_out_names_that_begin_with_a_dot() {
    let trial = || {
        let other = "a,b\n2,y\n";
        Trial::new(workdir!())
            .file("in/x.csv", PLAIN)
            .file("in/.x.csv", other)
            .file("in/.y.csv.part", other)
            .file("in/._x.csv", other)
            .file("in/.git/x.csv", other)
    };
    for pattern in ["in/*", "in/*.csv", "in/?x.csv", "in/[.]x.csv", "in/**/*.csv", "i*/x.csv"] {
        let trial = trial().with("--csv-file").arg(pattern);
        match pattern {
            "in/?x.csv" | "in/[.]x.csv" => {
                trial.run().ends_with(2).says(&format!("no file matches '{pattern}'"));
            }
            _ => drop(trial.run().completes().writes(ONE_ROW)),
        }
    }
    let other = &[r#"{"a":"2","b":"y"}"#];
    for pattern in ["in/.x*", "in/.git/*", "in/**/.git/*", "in/.[xy].csv*"] {
        trial().with("--csv-file").arg(pattern).run().completes().writes(other);
    }
    // Named as it is, it is read.
    trial().with("--csv-file in/.y.csv.part").run().completes().writes(other);
}

#[test]
fn a_glob_does_not_stand_for_what_the_run_writes() {
    let trial = || Trial::new(workdir!()).file("d/in.csv", PLAIN);
    // Also what an earlier run wrote under that name.
    for before in [None, Some("a,b\n9,old\n")] {
        let trial = match before {
            None => trial(),
            Some(old) => trial().file("d/out.csv", old),
        };
        let verdict = trial
            .with("--csv-file d/* --output-file d/out.csv")
            .run()
            .completes()
            .writes_file("d/out.csv", "a,b\n1,x\n");
        if before.is_some() {
            verdict.says("'d/out.csv' is not read, though --csv-file fits it: this run writes it");
        }
    }
    let mut verdict = trial()
        .file("d/rejects.csv", "")
        .file("d/summary.csv", "{}")
        .with("--csv-file d/*.csv --rejects d/rejects.csv --summary-json d/summary.csv")
        .with("--output-file d/out.csv")
        .run()
        .completes()
        .says("'d/rejects.csv' is not read")
        .says("'d/summary.csv' is not read")
        .writes_file("d/out.csv", "a,b\n1,x\n")
        .writes_file("d/rejects.csv", "");
    verdict.explain("d/summary.csv");

    // By another name it is the same file.
    let workdir = workdir!();
    workdir.write("d/in.csv", PLAIN);
    workdir.write("out.csv", "a,b\n9,old\n");
    symlink(workdir.path("out.csv"), workdir.path("d/linked.csv")).unwrap();
    Trial::new(workdir)
        .with("--csv-file d/* --output-file out.csv")
        .run()
        .completes()
        .writes_file("out.csv", "a,b\n1,x\n");
    // What is named is meant, and cannot be had.
    Trial::new(workdir!())
        .file("d/out.csv", PLAIN)
        .with("--csv-file d/out.csv --output-file d/out.csv")
        .run()
        .ends_with(2)
        .says("is the input 'd/out.csv' itself");
    Trial::new(workdir!())
        .file("d/out.csv", PLAIN)
        .with("--csv-file d/* --output-file d/out.csv")
        .run()
        .ends_with(2)
        .says("no file matches 'd/*'");
    // The lock is there before the names are looked for.
    Trial::new(workdir!())
        .file("d/.in.jsonl", "{\"a\":\"1\"}\n")
        .with("--jsonl-file d/.* --output-file d/o.jsonl")
        .run()
        .completes()
        .writes_file("d/o.jsonl", "{\"a\":\"1\"}\n");
}

#[test]
fn zeros_may_pad_a_gzip_file_and_nothing_else() {
    let members = [gzip(&PLAIN[..3]), gzip(&PLAIN[3..])].concat();
    for zeros in [1, 511, 300_000] {
        let padded = [&members[..], &vec![0; zeros]].concat();
        Trial::new(workdir!())
            .file("in.csv.gz", &padded)
            .with("--csv-file in.csv.gz")
            .run()
            .completes()
            .writes(ONE_ROW);
        for more in [&b"more"[..], &gzip(PLAIN)] {
            Trial::new(workdir!())
                .file("in.csv.gz", [&padded, more].concat())
                .with("--csv-file in.csv.gz")
                .run()
                .ends_with(3)
                .says("the gzip data is cut short or damaged: something follows the zeros");
        }
    }
}

#[test]
fn a_compressed_file_without_a_byte_is_damaged() {
    for (name, kind) in [("in.jsonl.gz", "gzip"), ("in.jsonl.GZ", "gzip"), ("in.zst", "zstd")] {
        Trial::new(workdir!())
            .file(name, "")
            .with(&format!("--jsonl-file {name} --allow-empty"))
            .run()
            .ends_with(3)
            .says(&format!("{name}: the file is empty, and {kind} never is; get the file again"));
    }
    // What is compressed and holds nothing is whole.
    Trial::new(workdir!())
        .file("in.jsonl.gz", gzip(b""))
        .with("--jsonl-file in.jsonl.gz")
        .run()
        .completes()
        .writes(&[]);
    Trial::new(workdir!())
        .file("in.jsonl", "")
        .with("--jsonl-file in.jsonl")
        .run()
        .completes()
        .writes(&[]);
}

fn frame_to_be_passed_over(content: &[u8]) -> Vec<u8> {
    [b"\x5a\x2a\x4d\x18", &(content.len() as u32).to_le_bytes()[..], content].concat()
}

/// As all output of pzstd does.
#[test]
fn a_zstd_file_may_begin_with_a_frame_that_is_passed_over() {
    let frame = zstd::bulk::compress(PLAIN, 3).unwrap();
    for whole in [
        [frame_to_be_passed_over(b"1234"), frame.clone()].concat(),
        [frame_to_be_passed_over(b""), frame.clone(), frame_to_be_passed_over(b"x")].concat(),
    ] {
        Trial::new(workdir!())
            .file("in.csv.zst", &whole)
            .with("--csv-file in.csv.zst")
            .run()
            .completes()
            .says_not("WARN")
            .writes(ONE_ROW);
    }
}

/// A frame whose header asks for more memory than a decoder gives, or for a dictionary.
#[test]
fn what_a_zstd_file_needs_is_said() {
    let block = [&[1, 0, 0][..]].concat();
    let large = [&b"\x28\xb5\x2f\xfd"[..], &[0, (31 - 10) << 3], &block].concat();
    let of_dictionary = [&b"\x28\xb5\x2f\xfd"[..], &[1, (20 - 10) << 3, 7], &block].concat();
    for (bytes, words) in [
        (large, "the zstd data needs more than 128 MiB of memory to be decompressed"),
        (of_dictionary, "the zstd data needs the dictionary that it was made with"),
    ] {
        Trial::new(workdir!())
            .file("in.csv.zst", bytes)
            .with("--csv-file in.csv.zst")
            .run()
            .ends_with(3)
            .says(words)
            .says("pipe it through 'zstd -dc")
            .says_not("damaged");
    }
}

/// Their sizes are zero, or a page.
#[test]
fn files_that_the_kernel_makes_up_are_read() {
    let args = "--csv-delimiter space --csv-no-header --output-file - --csv-file";
    for (path, part) in [
        ("/proc/self/mounts", "\"proc\""),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "never"),
    ] {
        if fs::read(path).is_err() {
            println!("no {path} here");
            continue;
        }
        let verdict = Trial::new(workdir!()).with(args).arg(path).with("--max-errors 100").run();
        verdict.finished.assert_code(0);
        verdict.finished.assert_stdout_has(part);
    }
}

#[test]
fn json_lines_of_other_encodings() {
    let text = "{\"a\":\"é€\"}\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let trial =
        |bytes: &[u8]| Trial::new(workdir!()).file("in.jsonl", bytes).with("--jsonl-file in.jsonl");
    trial(&little)
        .run()
        .ends_with(3)
        .says("looks like UTF-16 without a mark; use --jsonl-encoding utf-16le or utf-16be");
    let line = &[r#"{"a":"é€"}"#];
    trial(&little).with("--jsonl-encoding utf-16le").run().completes().writes(line);
    trial(&[b"\xff\xfe", &little[..]].concat()).run().completes().writes(line);
    let western = b"{\"a\":\"\xe9\x80\"}\n";
    trial(western).with("--jsonl-encoding windows-1252").run().completes().writes(line);
    trial(western)
        .run()
        .ends_with(3)
        .says("not valid UTF-8 at byte 6 of the line; if the file is in another encoding, set --jsonl-encoding")
        .rejects(&["1:0 encoding base64 eyJhIjoi6YAifQ=="]);
    trial(western).with("--jsonl-encoding klingon").run().ends_with(2).says(
        "--jsonl-encoding (FLOWGAUGE_JSONL_ENCODING, jsonl_encoding): 'klingon' is not known",
    );
    Trial::csv(workdir!(), PLAIN)
        .with("--jsonl-encoding utf-8")
        .run()
        .ends_with(2)
        .says("it has no meaning with --source-type csv");
}

/// JSON knows four kinds of white space.
#[test]
fn what_is_no_white_space_to_json_is_no_part_of_a_record() {
    for (before, after) in [("", "\u{a0}"), ("", "\u{c}"), ("", "\u{2028}"), ("\u{a0}", "")] {
        Trial::new(workdir!())
            .file("in.jsonl", format!("{before}{{\"a\":1}}{after}\n"))
            .with("--jsonl-file in.jsonl")
            .run()
            .ends_with(3)
            .says("in.jsonl, line 1, byte 0: not ")
            .rejects(&[&format!("1:0 parse {before}{{\"a\":1}}{after}")]);
    }
    Trial::new(workdir!())
        .file("in.jsonl", " \t{\"a\":1} \t\r\n")
        .with("--jsonl-file in.jsonl")
        .run()
        .completes()
        .writes(&[r#"{"a":1}"#]);
}

fn to_csv(files: &[(&str, String)]) -> Trial {
    let mut trial = Trial::new(workdir!()).with("--output-file out.csv");
    for (name, text) in files {
        trial = trial.file(name, text).with("--jsonl-file").arg(name);
    }
    trial
}

#[test]
fn fields_are_learned_from_the_first_record_that_has_any() {
    let large = "x".repeat(400_000);
    for (files, rows) in [
        (vec![("a", format!("{{\"a\":\"{large}\"}}\n{{\"a\":1}}\n"))], format!("{large}\n1\n")),
        (vec![("a", "\n \n".to_string()), ("b", "{\"a\":1}\n".to_string())], "1\n".to_string()),
        (vec![("a", String::new()), ("b", "{\"a\":1}\n".to_string())], "1\n".to_string()),
        (vec![("a", format!("{}{{\"a\":1}}\n", "\n".repeat(300_000)))], "1\n".to_string()),
    ] {
        let expected = format!("a\n{rows}");
        to_csv(&files).run().completes().writes_file("out.csv", &expected);
    }
    // Through a pipe, what was looked at is not lost.
    let text = format!("{{\"a\":\"{large}\"}}\n{{\"a\":1}}\n");
    Trial::new(workdir!())
        .with("--output-file out.csv --jsonl-file -")
        .stdin(text)
        .run()
        .completes()
        .writes_file("out.csv", &format!("a\n{large}\n1\n"));
}

/// Where nothing is known of fields there are no columns, and a line of none would be no record.
#[test]
fn a_record_without_fields_is_rejected_where_there_are_no_columns() {
    to_csv(&[("a", "{}\n{}\n".to_string())])
        .with("--max-errors 2")
        .run()
        .completes()
        .says("a, line 1, byte 0: there are no columns, as the first records have no fields")
        .says("read 2 = inserted 0 + updated 0 + skipped 0 + failed 2")
        .writes_file("out.csv", "")
        .rejects(&["1:0 type_mismatch {}", "2:3 type_mismatch {}"]);
    // With columns it is a row of nulls, which reads back as a record.
    for (text, expected) in
        [("{\"a\":1}\n{}\n", "a\n1\n\"\"\n"), ("{\"a\":1,\"b\":2}\n{}\n", "a,b\n1,2\n,\n")]
    {
        to_csv(&[("a", text.to_string())]).run().completes().writes_file("out.csv", expected);
    }
}

#[test]
fn names_keep_the_spaces_that_they_have_where_they_stand_alone() {
    let trial = || Trial::csv(workdir!(), "id, name\n1,2\n");
    trial().arg("--select").arg(" name").run().completes().writes(&[r#"{" name":"2"}"#]);
    trial().arg("--select").arg("n= name").run().completes().writes(&[r#"{"n":"2"}"#]);
    trial().arg("--select").arg("n = id").run().completes().writes(&[r#"{"n":"1"}"#]);
    trial().arg("--types").arg(" name=int").run().completes().writes(&[r#"{"id":"1"," name":2}"#]);
    trial()
        .file("sync.toml", "select = ['id', ' name']\ntypes = [' name=int']\n")
        .with("--config sync.toml")
        .run()
        .completes()
        .writes(&[r#"{"id":"1"," name":2}"#]);
    trial().env("FLOWGAUGE_SELECT", " name").run().completes().writes(&[r#"{" name":"2"}"#]);
    // Beside a comma they are for the eye.
    Trial::csv(workdir!(), PLAIN).arg("--select").arg("a, b").run().completes().writes(ONE_ROW);
    trial().arg("--select").arg("id, name").run().ends_with(2).says(
        "there is no column 'name'; there is ' name': spaces count where a name stands alone",
    );
    Trial::new(workdir!())
        .file("in.jsonl", "{\" a\":1,\"a\":2}\n")
        .with("--jsonl-file in.jsonl --select")
        .arg(" a")
        .run()
        .completes()
        .writes(&[r#"{" a":1}"#]);
}

#[test]
fn fields_that_no_record_has_end_the_run_where_none_of_them_is_there() {
    let trial = |args: &str| {
        Trial::new(workdir!())
            .file("in.jsonl", "{\"a\":1}\n{\"a\":2,\"b\":null}\n")
            .file("out.jsonl", "old\n")
            .with("--jsonl-file in.jsonl --batch-size 1")
            .with(args)
    };
    for (args, words) in [
        ("--select typo", "no record has a field 'typo', named by --select"),
        ("--select x,y", "no record has a field 'x' or 'y', named by --select"),
        ("--select a --output-file out.csv --types a=epoch_s,z=epoch_s --select z", ""),
        ("--output-file out.csv --types z=epoch_s", "no record has a field 'z', named by --types"),
    ] {
        match words {
            "" => {
                trial(args)
                    .run()
                    .completes()
                    .says("WARN no record has a field 'z', named by --select")
                    .says("WARN no record has a field 'z', named by --types")
                    .writes_file("out.csv", "a,z\n1,\n2,\n");
            }
            _ => drop(trial(args).run().ends_with(3).says(words)),
        }
    }
    // A field that is null is there.
    let lines = &["{}", "{\"b\":null}"];
    trial("--select b").run().completes().says_not("WARN").writes(lines);
    trial("--select b,c")
        .run()
        .completes()
        .says("WARN no record has a field 'c', named by --select")
        .writes(lines);
    // Where there is no record there is nothing to say.
    Trial::new(workdir!())
        .file("in.jsonl", "")
        .with("--jsonl-file in.jsonl --select typo")
        .run()
        .completes()
        .writes(&[]);
}

/// A night without data is no reason to doubt the settings.
#[test]
fn types_of_columns_that_an_empty_file_cannot_have_are_no_mistake() {
    Trial::csv(workdir!(), "")
        .with("--allow-empty --types a=int,b=date:yyyy --select a")
        .run()
        .completes()
        .writes(&[]);
}

#[test]
fn names_in_tsv_are_of_tabs() {
    let text = "a\tb\n1\tx,\"y\"\tz\n";
    let text = text.replace("\tz", "");
    let line = &[r#"{"a":"1","b":"x,\"y\""}"#];
    for (name, bytes) in [
        ("in.tsv", text.clone().into_bytes()),
        ("in.TSV", text.clone().into_bytes()),
        ("in.tsv.gz", gzip(text.as_bytes())),
    ] {
        let trial = Trial::new(workdir!()).file(name, bytes).with("--csv-file").arg(name);
        trial
            .run()
            .completes()
            .says(&format!("fields of '{name}' are separated by tabs, as its name says"))
            .writes(line);
    }
    // What is written goes before what a name says.
    Trial::new(workdir!())
        .file("in.tsv", PLAIN)
        .with("--csv-file in.tsv --csv-delimiter ,")
        .run()
        .completes()
        .writes(ONE_ROW);
    Trial::new(workdir!()).file("in.tsv", PLAIN).with("--csv-file in.tsv").run().ends_with(2).says(
        "found 1 column; did you mean --csv-delimiter ','? with --csv-delimiter tab it stays",
    );
    Trial::csv(workdir!(), PLAIN)
        .file("in.tsv", "a\tb\n1\tx\n")
        .with("--csv-file in.csv --csv-file in.tsv")
        .run()
        .ends_with(2)
        .says("the name of 'in.tsv' says that tabs part its fields, that of 'in.csv' does not");

    let rows = "a,b\n1,\"x\ty\"\n2,\"z,\"\"\"\n";
    let expected = "a\tb\n1\t\"x\ty\"\n2\t\"z,\"\"\"\n";
    for args in ["--output-file out.tsv", "--output-file out.tsv --output-format tsv"] {
        Trial::csv(workdir!(), rows)
            .with("--csv-file in.csv")
            .with(args)
            .run()
            .completes()
            .says_not("WARN")
            .writes_file("out.tsv", expected);
    }
    Trial::csv(workdir!(), rows)
        .with("--csv-file in.csv --output-file out.txt --output-format tsv")
        .run()
        .completes()
        .writes_file("out.txt", expected);
}

#[test]
fn what_the_name_of_the_output_promises_is_kept_or_refused() {
    for (name, instead) in [
        ("out.xml", "promises xml, which is not written: name it .jsonl, .csv or .tsv"),
        ("out.XLSX", "promises xlsx"),
        ("out.avro.gz", "promises avro"),
        ("out.jsonl.zstd", "promises zstd, which is not written: name it .zst, or"),
        ("out.csv.gzip", "promises gzip, which is not written: name it .gz, or"),
        ("out.csv.xz", "promises xz, which is not written: name it .gz or .zst, or say"),
    ] {
        let trial = Trial::csv(workdir!(), PLAIN).with("--csv-file in.csv --output-file");
        trial.arg(name).run().ends_with(2).says(instead);
    }
    for (name, args) in [
        ("out.xml", "--output-format jsonl"),
        ("out.jsonl.zstd", "--output-compression none"),
        ("out.xml.jsonl", ""),
        ("out.ndjson", ""),
    ] {
        Trial::csv(workdir!(), PLAIN)
            .with("--csv-file in.csv --output-file")
            .arg(name)
            .with(args)
            .run()
            .completes()
            .writes_file(name, "{\"a\":\"1\",\"b\":\"x\"}\n");
    }
    for name in ["out", "out.dat", "out.json"] {
        Trial::csv(workdir!(), PLAIN)
            .with("--csv-file in.csv --output-file")
            .arg(name)
            .run()
            .completes()
            .says(&format!("WARN the name of '{name}' says no format: JSON lines are written"))
            .writes_file(name, "{\"a\":\"1\",\"b\":\"x\"}\n");
    }
}

#[test]
fn a_delimiter_in_the_quotes_of_a_name_is_no_wrong_delimiter() {
    Trial::csv(workdir!(), "\"Name, full\"\nx\n")
        .run()
        .completes()
        .writes(&[r#"{"Name, full":"x"}"#]);
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--csv-delimiter ;")
        .run()
        .completes()
        .writes(&[r#"{"a,b":"1,x"}"#]);
}

#[test]
fn what_looks_like_null_is_quoted() {
    Trial::new(workdir!())
        .file("in.jsonl", "{\"a\":0,\"b\":null,\"c\":\"0\",\"d\":[0],\"e\":false}\n")
        .with("--jsonl-file in.jsonl --output-file out.csv --output-null 0")
        .run()
        .completes()
        .writes_file("out.csv", "a,b,c,d,e\n\"0\",0,\"0\",[0],false\n");
}

/// What is ignored need not fit a segment.
#[test]
fn segments_of_comments_and_blank_lines_hold_no_records() {
    for text in ["#\n", "\r\n", "# a\n\n#b", "\n\n\n", "#\r\n\r\n"] {
        Trial::csv(workdir!(), text)
            .with("--csv-comment # --csv-no-header --batch-bytes 1")
            .run()
            .completes()
            .writes(&[]);
    }
    Trial::csv(workdir!(), "#\n1\n# more\n\n2\n")
        .with("--csv-comment # --csv-no-header --batch-bytes 1")
        .run()
        .completes()
        .writes(&[r#"{"c1":"1"}"#, r#"{"c1":"2"}"#]);
}

/// Whatever ends lines ends comments: else one comment would hide all records behind it.
#[test]
fn a_carriage_return_ends_a_comment_as_it_ends_a_record() {
    for (text, lines) in [
        ("#c\ra,b\r#d\r1,x\r", ONE_ROW),
        ("a,b\n#c\r1,x\n#d", ONE_ROW),
        ("a,b\n#c\r\n1,x\n#\r", ONE_ROW),
    ] {
        for batch in ["--batch-bytes 1", "--batch-bytes 1MiB", "--infer --types a=text"] {
            Trial::csv(workdir!(), text)
                .with("--csv-comment #")
                .with(batch)
                .run()
                .completes()
                .writes(lines);
        }
    }
    Trial::csv(workdir!(), "a,b\n#c\r1,x,y\n2,y\n")
        .with("--csv-comment # --max-errors 1")
        .run()
        .completes()
        .writes(&[r#"{"a":"2","b":"y"}"#])
        .rejects(&["3:7 parse 1,x,y"]);
}

/// Of a search server, the mapping says before the run what documents may have.
#[test]
fn fields_that_no_document_has_end_the_run() {
    let indices = Indices::new(needs!("elasticsearch"), test_name!());
    let workdir = workdir!();
    let mapping = |dynamic: bool| json!({ "mappings": { "dynamic": dynamic, "properties": { "a": { "type": "long" } } } });
    let closed = indices.make("closed", mapping(true));
    let open = indices.make("open", mapping(false));
    let unlisted = "index.mapping.total_fields.ignore_dynamic_beyond_limit";
    let unlisted = indices.make("unlisted", json!({ "settings": { unlisted: true } }));
    for index in [&closed, &open, &unlisted] {
        let document = match index == &closed {
            true => r#"{"a":1}"#,
            false => r#"{"a":1,"more":2}"#,
        };
        indices.ask("PUT", &format!("/{index}/_doc/1?refresh=true"), document);
    }
    for (index, args, code, words) in [
        (&closed, "--select typo", 2, "has a field 'typo', named by --select"),
        (&closed, "--es-fields x,y*", 2, "has a field 'x' or 'y*', named by --es-fields"),
        (&closed, "--select a,typo", 0, "has a field 'typo', named by --select"),
        (&closed, "--select _id,typo", 0, "has a field 'typo', named by --select"),
        (&closed, "--select a", 0, ""),
        (&open, "--select more", 0, ""),
        (&open, "--select typo", 3, "no record has a field 'typo', named by --select"),
        (&open, "--es-fields typo", 3, "no record has a field 'typo', named by --es-fields"),
        (&unlisted, "--select typo", 3, "no record has a field 'typo', named by --select"),
        (&open, "--es-fields mo*", 0, ""),
    ] {
        let finished = indices
            .read_by(&workdir, index)
            .args(args.split(' '))
            .args(["--output-file", "-", "--output-format", "jsonl"])
            .run();
        finished.assert_code(code).assert_stderr_has(words);
        assert!(!words.is_empty() || !finished.stderr.contains("WARN"), "{finished}");
    }
}

/// A name that is no UTF-8 is a name: leaving its file out would be a loss without a word.
#[test]
fn a_pattern_stands_for_names_that_are_no_utf8_too() {
    let workdir = workdir!();
    workdir.write("a.csv", "n\n1\n");
    let odd = std::ffi::OsStr::from_bytes(b"b\xff.csv");
    std::fs::write(workdir.path("").join(odd), "n\n2\n").unwrap();
    let args = ["--csv-file", "*.csv", "--output-file", "out.jsonl"];
    workdir.flowgauge().args(args).run().assert_code(0);
    workdir.assert_file("out.jsonl", "{\"n\":\"1\"}\n{\"n\":\"2\"}\n");
}
