//! Every option of CSV, and every way in and out, by one small example.

use std::io::{Read, Write};

use crate::support::{Trial, workdir};

/// `a,b` and one record `1,x`, however they are written.
const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];

#[track_caller]
fn check(text: impl AsRef<[u8]>, args: &str, lines: &[&str]) {
    Trial::csv(workdir!(), text).with(args).run().completes().writes(lines);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_delimiter_is_any_byte() {
    check("a;b\n1;x\n", "--csv-delimiter ;", ONE_ROW);
    check("a\tb\n1\tx\n", "--csv-delimiter tab", ONE_ROW);
    check("a\tb\n1\tx\n", r"--csv-delimiter \t", ONE_ROW);
    check("a b\n1 x\n", "--csv-delimiter space", ONE_ROW);
    check("a|b\n1|\"x|y\"\n", "--csv-delimiter |", &[r#"{"a":"1","b":"x|y"}"#]);
}

#[test]
fn a_quote_is_any_byte_or_none() {
    check("a,b\n1,'x,''y'''\n", "--csv-quote '", &[r#"{"a":"1","b":"x,'y'"}"#]);
    check("a,b\n1,\"x\n", "--csv-quote none", &[r#"{"a":"1","b":"\"x"}"#]);
}

#[test]
fn an_escape_takes_the_next_byte_as_it_is() {
    let text = "a,b\n1,\"x\\\"y\\\\,z\"\n";
    check(text, r"--csv-escape \", &[r#"{"a":"1","b":"x\"y\\,z"}"#]);
}

#[test]
fn comments_are_lines_that_begin_so() {
    let text = "#one\na,b\n#two,\"\n1,x\n2,#y\n#three";
    check(text, "--csv-comment #", &[ONE_ROW[0], r##"{"a":"2","b":"#y"}"##]);
}

#[test]
fn without_a_header_columns_have_numbers_or_given_names() {
    check("1,x\n2,y\n", "--csv-no-header", &[r#"{"c1":"1","c2":"x"}"#, r#"{"c1":"2","c2":"y"}"#]);
    check("1,x\n", "--csv-no-header --csv-columns a,b", ONE_ROW);
    check("1,x\n", "--csv-no-header --csv-columns a --csv-columns b", ONE_ROW);
}

#[test]
fn names_replace_a_header_of_as_many_columns() {
    check("foo,bar\n1,x\n", "--csv-columns a,b", ONE_ROW);
    Trial::csv(workdir!(), "foo,bar\n1,x\n")
        .with("--csv-columns a,b,c")
        .run()
        .ends_with(2)
        .says("in.csv, line 1: --csv-columns names 3 columns, the header has 2");
}

/// Named columns are the width of a record, also where there is no header to hold against.
#[test]
fn a_record_without_a_header_has_as_many_fields_as_names() {
    Trial::csv(workdir!(), "1,x\n2\n3,y,z\n")
        .with("--csv-no-header --csv-columns a,b --max-errors 2")
        .run()
        .completes()
        .says("in.csv, line 2, byte 4: 1 field where there are 2 columns")
        .writes(ONE_ROW)
        .rejects(&["2:4 parse 2", "3:6 parse 3,y,z"]);
}

#[test]
fn a_text_is_null_and_it_may_be_the_empty_one() {
    let text = "a,b\nNULL,\n\"NULL\",x\n";
    check(text, "--csv-null NULL", &[r#"{"a":null,"b":""}"#, r#"{"a":null,"b":"x"}"#]);
    check(text, "--csv-null=", &[r#"{"a":"NULL","b":null}"#, r#"{"a":"NULL","b":"x"}"#]);
}

#[test]
fn encodings() {
    let text = "a,b\n1,é€\n";
    let row = [r#"{"a":"1","b":"é€"}"#];
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(text, "--csv-encoding utf-8", &row);
    check([b"\xef\xbb\xbf", text.as_bytes()].concat(), "", &row);
    check([b"\xef\xbb\xbf", text.as_bytes()].concat(), "--csv-encoding utf-8", &row);
    check([b"\xff\xfe", &little[..]].concat(), "", &row);
    check([b"\xfe\xff", &big[..]].concat(), "", &row);
    check([b"\xff\xfe", &little[..]].concat(), "--csv-encoding utf-16le", &row);
    check(&little, "--csv-encoding utf-16le", &row);
    check(&big, "--csv-encoding utf-16be", &row);
    // A mark says which of the two it is, whatever the label.
    check([b"\xfe\xff", &big[..]].concat(), "--csv-encoding utf-16", &row);
    check(b"a,b\n1,\xe9\x80\n", "--csv-encoding windows-1252", &row);
    check(b"\xe9,b\n1,x\n", "--csv-encoding latin1", &[r#"{"é":"1","b":"x"}"#]);
    check(b"a,b\n1,\x82\xa0\n", "--csv-encoding shift_jis", &[r#"{"a":"1","b":"あ"}"#]);
}

#[test]
fn bytes_that_are_not_the_encoding_are_never_replaced() {
    Trial::csv(workdir!(), b"a,b\n1,\x81\x00\n")
        .with("--csv-encoding shift_jis --max-errors 10")
        .run()
        .ends_with(3)
        .says("in.csv: the text cannot be decoded")
        .says("set --csv-encoding to what the file is in");
    let odd = [
        b"\xff\xfe",
        "a\n1".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice(),
        b"x",
    ]
    .concat();
    Trial::csv(workdir!(), odd).run().ends_with(3).says("in.csv: the text cannot be decoded");
}

#[test]
fn several_files_are_one_table_whatever_the_order_of_their_columns() {
    let files = "--csv-file one.csv --csv-file two.csv";
    Trial::new(workdir!())
        .file("one.csv", "a,b\n1,x\n")
        .file("two.csv", "b,a\ny,2\n")
        .with(files)
        .run()
        .completes()
        .writes(&[ONE_ROW[0], r#"{"a":"2","b":"y"}"#]);
    Trial::new(workdir!())
        .file("one.csv", "a,b\n1,x\n")
        .file("two.csv", "b,c\ny,2\n")
        .with(files)
        .run()
        .ends_with(3)
        .says("two.csv: the header differs from that of 'one.csv': it lacks 'a' and also has 'c'");
}

#[test]
fn a_glob_stands_for_its_files_in_the_order_of_their_names() {
    Trial::new(workdir!())
        .file("in/2.csv", "a,b\n2,y\n")
        .file("in/1.csv", "a,b\n1,x\n")
        .file("in/1.txt", "no")
        .with("--csv-file in/*.csv")
        .run()
        .completes()
        .writes(&[ONE_ROW[0], r#"{"a":"2","b":"y"}"#]);
    // A file of that very name is no pattern.
    Trial::new(workdir!())
        .file("in[1].csv", "a,b\n1,x\n")
        .file("in1.csv", "a,b\n2,y\n")
        .with("--csv-file in[1].csv")
        .run()
        .completes()
        .writes(ONE_ROW);
}

#[test]
fn standard_input_is_called_so_and_may_stand_among_files() {
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--csv-file in.csv --csv-file - --max-errors 1")
        .stdin("b,a\ny,2\n3\n")
        .run()
        .completes()
        .says("rejected: standard input, line 3, byte 8: 1 field")
        .writes(&[ONE_ROW[0], r#"{"a":"2","b":"y"}"#])
        .rejects(&["3:8 parse 3"]);
}

#[test]
fn compressed_inputs() {
    let text = b"a,b\n1,x\n";
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).unwrap();
    for (name, bytes) in [
        ("in.csv.gz", gzip(text)),
        ("in.csv.zst", zstd(text)),
        ("in.csv.gz", [gzip(&text[..3]), gzip(&text[3..])].concat()),
        ("in.csv.zst", [zstd(&text[..3]), zstd(&text[3..])].concat()),
    ] {
        let args = format!("--csv-file {name}");
        let trial = Trial::new(workdir!()).file(name, &bytes).with(&args);
        trial.run().completes().says_not("WARN").writes(ONE_ROW);
        Trial::new(workdir!()).stdin(bytes).with("--csv-file -").run().completes().writes(ONE_ROW);
    }
}

#[test]
fn columns_are_chosen_ordered_and_renamed() {
    let text = "a,b,c\n1,x,y\n";
    check(text, "--select c,a", &[r#"{"c":"y","a":"1"}"#]);
    check(text, "--select id=a,b", &[r#"{"id":"1","b":"x"}"#]);
    check(text, "--select a --select again=a", &[r#"{"a":"1","again":"1"}"#]);
    Trial::csv(workdir!(), text)
        .with("--select a,d")
        .run()
        .ends_with(2)
        .says("in.csv: there is no column 'd'; the columns are a, b, c; check --select");
}

/// A field that is not chosen is not judged, but it counts.
#[test]
fn a_rejected_record_names_the_column_as_the_file_calls_it() {
    Trial::csv(workdir!(), "a,b,c\n1,x,7\ny,2,7\n")
        .with("--select n=b --types b=int --max-errors 1")
        .run()
        .completes()
        .says("in.csv, line 2, byte 6, column 'b': not an int")
        .writes(&[r#"{"n":2}"#])
        .rejects(&["2:6:b type_mismatch 1,x,7"]);
}

#[test]
fn types_are_declared() {
    let types = "--types i=int,d=decimal,f=float --types b=bool,j=json,t=text";
    let text = "i,d,f,b,j,t\n1,0.10,1e3,TRUE,\"{\"\"x\"\": [1,\n2]}\",007\n,,,,,\n";
    check(
        text,
        types,
        &[
            r#"{"i":1,"d":0.10,"f":1e3,"b":true,"j":{"x": [1,2]},"t":"007"}"#,
            r#"{"i":null,"d":null,"f":null,"b":null,"j":null,"t":""}"#,
        ],
    );
    Trial::csv(workdir!(), text)
        .with("--types x=int")
        .run()
        .ends_with(2)
        .says("--types names 'x', which is no column; the columns are i, d, f, b, j, t");
    // All of them at once, and why a name of --select is none.
    Trial::csv(workdir!(), text)
        .with("--select x=i,y=d --types x=int,y=decimal")
        .run()
        .ends_with(2)
        .says("--types names 'x', 'y', which are no columns; the columns are i, d,")
        .says("by the names of the source and not by those that --select gives");
}

#[test]
fn a_decimal_comma_is_named() {
    let comma = "column 'a': a number with a comma: --types COLUMN=decimal:comma reads it";
    let plain = "column 'a': not a decimal: digits, a point and digits";
    for (value, words) in [
        ("\"12,50\"", comma),
        ("\"-1.234,5\"", comma),
        ("\"1,2,3\"", plain),
        ("\",5\"", plain),
        ("12x", plain),
    ] {
        let workdir = workdir!();
        workdir.write("in.csv", format!("a\n{value}\n"));
        let program = workdir.flowgauge().args(["--csv-file", "in.csv", "--output-file", "-"]);
        program.args(["--types", "a=decimal"]).run().assert_code(3).assert_stderr_has(words);
    }
}

#[test]
fn a_decimal_comma_is_read_where_somebody_says_so() {
    let workdir = workdir!();
    workdir.write("in.csv", "a;b\n1.234,50;1,5\n-0,5;\n12;x\n");
    workdir.write("in.jsonl", "{\"a\":\"1,5\"}\n");
    let run = |args: &str| {
        let args = format!("{args} --output-file - --csv-delimiter ;");
        workdir.flowgauge().args(args.split(' ')).run()
    };
    let rows = "{\"a\":1234.50,\"b\":\"1,5\"}\n{\"a\":-0.5,\"b\":\"\"}\n{\"a\":12,\"b\":\"x\"}\n";
    for types in ["a=decimal(12,2):comma", "a=decimal:comma"] {
        run(&format!("--csv-file in.csv --types {types}")).assert_code(0).assert_stdout(rows);
    }
    run("--csv-file in.csv --types a=decimal:comma,b=decimal:comma")
        .assert_code(3)
        .assert_stderr_has(
            "line 4, byte 23, column 'b': not a decimal with a comma: digits, or groups of three",
        );
    let kind = run("--csv-file in.csv --types a=int:comma");
    kind.assert_code(2).assert_stderr_has("'a=int:comma' is not COL=TYPE");
    let documents = workdir.flowgauge().args(["--jsonl-file", "in.jsonl", "--output-file", "-"]);
    let documents = documents.args(["--types", "a=decimal:comma"]).run();
    documents.assert_code(2).assert_stderr_has("is for CSV");
    // It may be meant either way, and is no number with a comma.
    workdir.write("in.csv", "a\n1.5\n");
    let doubtful = run("--csv-file in.csv --types a=decimal:comma");
    doubtful.assert_code(3).assert_stderr_has("column 'a': not a decimal with a comma");
    // Nobody guesses.
    Trial::csv(workdir!(), "a\n1.234\n2.345\n")
        .with("--infer")
        .run()
        .completes()
        .writes(&[r#"{"a":1.234}"#, r#"{"a":2.345}"#]);
}

#[test]
fn a_number_with_an_exponent_is_one() {
    let text = "a\n1.0E5\n12345678901234567890\n";
    check(text, "--infer", &[r#"{"a":1.0E5}"#, r#"{"a":12345678901234567890}"#]);
}

#[test]
fn types_are_inferred_where_none_is_declared() {
    check(
        "i,d,b,z,t\n1,0.5,true,007,1\n2,3,false,8,1\n",
        "--infer --types t=text",
        &[
            r#"{"i":1,"d":0.5,"b":true,"z":"007","t":"1"}"#,
            r#"{"i":2,"d":3,"b":false,"z":"8","t":"1"}"#,
        ],
    );
}

/// A small file is seen as a whole, so its last record has a say.
#[test]
fn the_last_record_of_a_small_file_is_inferred_from() {
    for end in ["", "\n"] {
        let text = format!("a\n1\n2\nx{end}");
        check(text, "--infer", &[r#"{"a":"1"}"#, r#"{"a":"2"}"#, r#"{"a":"x"}"#]);
    }
}

/// The first file with records may have its columns in another order than the first file.
#[test]
fn types_are_inferred_from_the_first_file_that_has_records() {
    Trial::new(workdir!())
        .file("one.csv", "a,b\n")
        .file("two.csv", "b,a\nx,1\n")
        .with("--csv-file one.csv --csv-file two.csv --infer")
        .run()
        .completes()
        .writes(&[r#"{"a":1,"b":"x"}"#]);
}

#[test]
fn csv_to_csv_is_written_plainly() {
    Trial::csv(workdir!(), "a;b\r\n'1';'x,\"y'\r\n;z\r\n")
        .with("--csv-file in.csv --csv-delimiter ; --csv-quote ' --output-file out.csv")
        .run()
        .completes()
        .writes_file("out.csv", "a,b\n1,\"x,\"\"y\"\n\"\",z\n");
}

#[test]
fn null_in_csv_looks_as_told() {
    let args = "--csv-file in.csv --csv-null NULL --output-file out.csv";
    for (null, expected) in
        [("", "a,b\n,\"\"\n-,x\n"), ("--output-null -", "a,b\n-,\"\"\n\"-\",x\n")]
    {
        Trial::csv(workdir!(), "a,b\nNULL,\n-,x\n")
            .with(args)
            .with(null)
            .run()
            .completes()
            .writes_file("out.csv", expected);
    }
}

#[test]
fn json_lines_to_csv_take_the_fields_of_the_first_records() {
    let args = "--jsonl-file in.jsonl --output-file out.csv";
    Trial::new(workdir!())
        .file("in.jsonl", "{\"b\":1.50,\"a\":\"x,y\"}\n{\"a\":null,\"c\":[1]}\n{\"b\":true}\n")
        .with(args)
        .run()
        .completes()
        .writes_file("out.csv", "b,a,c\n1.50,\"x,y\",\n,,[1]\ntrue,,\n");
}

#[test]
fn documents_are_copied_in_their_own_words() {
    let text = "{\"a\": 1.0,\"a\":2}\n\n  {\"b\":\"\\u00e9\"}\r\n{}";
    Trial::new(workdir!())
        .file("in.jsonl", text)
        .with("--jsonl-file in.jsonl")
        .run()
        .completes()
        .says("WARN 'in.jsonl' holds a blank line, which is no record")
        .writes(&["{\"a\": 1.0,\"a\":2}", "{\"b\":\"\\u00e9\"}", "{}"]);
}

#[test]
fn documents_that_are_none_are_rejected() {
    Trial::new(workdir!())
        .file("in.jsonl", b"{\"a\":1}\n[1]\n{\"a\":\n{\"a\":\"\xff\"}\n")
        .with("--jsonl-file in.jsonl --max-errors 3")
        .run()
        .completes()
        .says("in.jsonl, line 2, byte 8: not a JSON object")
        .says("in.jsonl, line 3, byte 12: not valid JSON at byte 5 of the line: EOF while parsing")
        .says("in.jsonl, line 4, byte 18: not valid UTF-8 at byte 6 of the line")
        .writes(&["{\"a\":1}"])
        .rejects(&["2:8 parse [1]", "3:12 parse {\"a\":", "4:18 encoding base64 eyJhIjoi/yJ9"]);
}

#[test]
fn fields_of_documents_are_chosen_and_keep_their_types() {
    Trial::new(workdir!())
        .file("in.jsonl", "{\"a\":1.0,\"b\":{\"x\" :1},\"c\":0}\n{\"b\":null}\n")
        .with("--jsonl-file in.jsonl --select n=a,b")
        .run()
        .completes()
        .writes(&["{\"n\":1.0,\"b\":{\"x\" :1}}", "{\"b\":null}"]);
    Trial::new(workdir!())
        .file("in.jsonl", "{\"x\":1}\n")
        .with("--jsonl-file in.jsonl --select a=x,b=x")
        .run()
        .completes()
        .writes(&["{\"a\":1,\"b\":1}"]);
}

#[test]
fn compressed_outputs_read_back() {
    for (name, flag) in [
        ("out.jsonl.gz", ""),
        ("out.jsonl.zst", ""),
        ("out.bin", "--output-compression gzip"),
        ("out.dat", "--output-compression zstd"),
    ] {
        let mut verdict = Trial::csv(workdir!(), "a,b\n1,x\n2,y\n")
            .with(&format!("--csv-file in.csv --batch-size 1 --output-file {name} {flag}"))
            .run()
            .completes();
        let bytes = std::fs::read(verdict.workdir.path(name)).unwrap();
        let mut text = String::new();
        if name.contains("gz") || flag.contains("gzip") {
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        } else {
            zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap();
        }
        assert_eq!(text, "{\"a\":\"1\",\"b\":\"x\"}\n{\"a\":\"2\",\"b\":\"y\"}\n", "{name}");
        verdict.explain(name);
    }
    Trial::csv(workdir!(), "a\n1\n")
        .with("--csv-file in.csv --output-file out.gz --output-compression none")
        .run()
        .completes()
        .writes_file("out.gz", "{\"a\":\"1\"}\n");
}

#[test]
fn an_empty_compressed_output_is_whole() {
    for (name, format) in [("out.jsonl.gz", "gzip"), ("out.jsonl.zst", "zstd")] {
        let mut verdict = Trial::csv(workdir!(), "a\n")
            .with(&format!("--csv-file in.csv --output-file {name}"))
            .run()
            .completes();
        let bytes = std::fs::read(verdict.workdir.path(name)).unwrap();
        assert!(!bytes.is_empty(), "an empty file is no {format}");
        let mut text = String::new();
        match format {
            "gzip" => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
            _ => zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap(),
        };
        assert_eq!(text, "");
        verdict.explain(name);
    }
}

#[test]
fn standard_output_takes_what_a_file_would() {
    for (format, expected) in [("jsonl", "{\"a\":\"1\",\"b\":\"x\"}\n"), ("csv", "a,b\n1,x\n")] {
        let verdict = Trial::csv(workdir!(), "a,b\n1,x\n")
            .with(&format!("--csv-file in.csv --output-file - --output-format {format}"))
            .run()
            .completes();
        verdict.finished.assert_stdout(expected);
    }
}
