//! Records that are not as they should be: each is taken as documented, or rejected with its place
//! and its raw bytes. `row N` is a row of the table of bad inputs.

use crate::support::{Trial, workdir};

const WITHIN_BUDGET: &str = "--max-errors 10";

/// row 5
#[test]
fn invalid_utf8_in_a_field_is_rejected_or_replaced() {
    let text = b"a,b\n1,x\n2,y\xff\n3,z\n";
    Trial::csv(workdir!(), text)
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 3, byte 8, column 'b': not valid UTF-8 at byte 1 of the field")
        .writes(&[r#"{"a":"1","b":"x"}"#, r#"{"a":"3","b":"z"}"#])
        .rejects(&["3:8:b encoding base64 Mix5/w=="]);
    Trial::csv(workdir!(), text)
        .with("--csv-invalid-utf8 replace")
        .run()
        .completes()
        .says("failed 0")
        .writes(&[
            r#"{"a":"1","b":"x"}"#,
            "{\"a\":\"2\",\"b\":\"y\u{fffd}\"}",
            r#"{"a":"3","b":"z"}"#,
        ]);
}

/// row 7
#[test]
fn a_latin_1_file_is_rejected_with_a_hint_and_read_when_the_hint_is_followed() {
    let text = b"a\ncaf\xe9\nna\xefve\n\xfcber\n";
    Trial::csv(workdir!(), text)
        .run()
        .ends_with(3)
        .says("in.csv, line 2, byte 2, column 'a'")
        .says("set --csv-encoding, for example windows-1252")
        .says("3 records were rejected and --max-errors is 0")
        .rejects(&[
            "2:2:a encoding base64 Y2Fm6Q==",
            "3:7:a encoding base64 bmHvdmU=",
            "4:13:a encoding base64 /GJlcg==",
        ]);
    Trial::csv(workdir!(), text).with("--csv-encoding windows-1252").run().completes().writes(&[
        r#"{"a":"café"}"#,
        r#"{"a":"naïve"}"#,
        r#"{"a":"über"}"#,
    ]);
}

/// row 8
#[test]
fn a_quote_that_is_never_closed_ends_the_run_where_it_was_opened() {
    Trial::csv(workdir!(), "a,b\n1,x\n2,\"y\n3,z\n")
        .with(WITHIN_BUDGET)
        .run()
        .ends_with(3)
        .says("in.csv, line 3, byte 10: a quote is opened here and never closed")
        .says("set --csv-quote");
}

/// row 9
#[test]
fn a_quote_within_a_field_is_a_character_unless_strict() {
    let text = "a,b\n1,x\"y\n2,z\n";
    Trial::csv(workdir!(), text)
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"x\"y"}"#, r#"{"a":"2","b":"z"}"#]);
    Trial::csv(workdir!(), text)
        .with("--csv-quotes strict")
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 2, byte 4: a quote inside a field")
        .writes(&[r#"{"a":"2","b":"z"}"#])
        .rejects(&["2:4 parse 1,x\"y"]);
}

/// row 10
#[test]
fn text_after_a_closing_quote_is_rejected_unless_lenient() {
    let text = "a,b\n1,\"x\"y\n2,z\n";
    for args in ["", "--csv-quotes strict"] {
        Trial::csv(workdir!(), text)
            .with(args)
            .with(WITHIN_BUDGET)
            .run()
            .completes()
            .says("in.csv, line 2, byte 4: text after a closing quote; --csv-quotes lenient")
            .writes(&[r#"{"a":"2","b":"z"}"#])
            .rejects(&["2:4 parse 1,\"x\"y"]);
    }
    Trial::csv(workdir!(), text)
        .with("--csv-quotes lenient")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"xy"}"#, r#"{"a":"2","b":"z"}"#]);
}

/// row 11
#[test]
fn too_few_fields_are_rejected_or_padded() {
    let text = "a,b,c\n1\n2,x,y\n";
    Trial::csv(workdir!(), text)
        .with("--csv-ragged truncate")
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 2, byte 6: 1 field where there are 3 columns")
        .writes(&[r#"{"a":"2","b":"x","c":"y"}"#])
        .rejects(&["2:6 parse 1"]);
    Trial::csv(workdir!(), text)
        .with("--csv-ragged pad")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"","c":""}"#, r#"{"a":"2","b":"x","c":"y"}"#]);
}

/// row 12
#[test]
fn too_many_fields_are_rejected_or_truncated() {
    let text = "a,b\n1,x,\"more\nlines\"\n2,y\n";
    Trial::csv(workdir!(), text)
        .with("--csv-ragged pad")
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 2, byte 4: 3 fields where there are 2 columns")
        .writes(&[r#"{"a":"2","b":"y"}"#])
        .rejects(&["2:4 parse 1,x,\"more", "lines\""]);
    Trial::csv(workdir!(), text)
        .with("--csv-ragged truncate")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"x"}"#, r#"{"a":"2","b":"y"}"#]);
}

/// row 13
#[test]
fn a_nul_byte_is_kept_in_text_and_no_number() {
    Trial::csv(workdir!(), "a,b\n1,x\0y\n")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"x\u0000y"}"#]);
    Trial::csv(workdir!(), "a,b\n1,1\0\n2,3\n")
        .with("--types b=int")
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 2, byte 4, column 'b': not an int")
        .writes(&[r#"{"a":"2","b":3}"#])
        .rejects(&["2:4:b type_mismatch 1,1\0"]);
}

/// row 14
#[test]
fn every_line_end_is_taken_and_lines_are_counted_alike() {
    for (text, byte, lone_returns) in [
        ("a,b\n1,2\n3\n4,5\n", 8, None),
        ("a,b\r\n1,2\r\n3\r\n4,5\r\n", 10, None),
        ("a,b\r1,2\r3\r4,5\r", 8, Some("ends 3 lines with a carriage return alone")),
        ("a,b\r\n1,2\r3\n4,5\r", 9, Some("ends 2 lines with a carriage return alone")),
    ] {
        let verdict = Trial::csv(workdir!(), text)
            .with(WITHIN_BUDGET)
            .run()
            .completes()
            .says(&format!("in.csv, line 3, byte {byte}: 1 field where there are 2 columns"))
            .writes(&[r#"{"a":"1","b":"2"}"#, r#"{"a":"4","b":"5"}"#])
            .rejects(&[&format!("3:{byte} parse 3")]);
        match lone_returns {
            Some(warning) => verdict.says(&format!("WARN 'in.csv' {warning}")),
            None => verdict.says_not("WARN 'in.csv'"),
        };
    }
}

/// row 15
#[test]
fn the_last_record_needs_no_line_end() {
    for text in ["a,b\n1,x", "a,b\r\n1,x\r\n", "a,b\n1,\"x\""] {
        Trial::csv(workdir!(), text).run().completes().writes(&[r#"{"a":"1","b":"x"}"#]);
    }
}

/// row 16
#[test]
fn blank_lines_are_no_records_and_are_counted_aloud() {
    Trial::csv(workdir!(), "a,b\n1,x\n\n\r\n2,y\n\n\n")
        .run()
        .completes()
        .says("WARN 'in.csv' holds 4 blank lines, which are no records")
        .says("read 2 ")
        .writes(&[r#"{"a":"1","b":"x"}"#, r#"{"a":"2","b":"y"}"#]);
    Trial::csv(workdir!(), "a\nx\n\n\"\"\n")
        .run()
        .completes()
        .says("WARN 'in.csv' holds a blank line, which is no record")
        .writes(&[r#"{"a":"x"}"#, r#"{"a":""}"#]);
}

/// row 22
#[test]
fn a_record_larger_than_the_limit_ends_the_run_whatever_the_batch() {
    let text = |bytes: usize| format!("a,b\n1,x\n2,{}\n3,y\n", "z".repeat(bytes - 3));
    for batch in ["", "--batch-bytes 64", "--batch-bytes 1KiB --batch-size 1"] {
        Trial::csv(workdir!(), text(1025))
            .with("--max-record-bytes 1KiB --max-errors 10")
            .with(batch)
            .run()
            .ends_with(3)
            .says("in.csv, line 3, byte 8: the record is larger than 1024 bytes")
            .says("raise --max-record-bytes");
        Trial::csv(workdir!(), text(1024))
            .with("--max-record-bytes 1KiB")
            .with(batch)
            .run()
            .completes()
            .writes(&[
                r#"{"a":"1","b":"x"}"#,
                &format!("{{\"a\":\"2\",\"b\":\"{}\"}}", "z".repeat(1021)),
                r#"{"a":"3","b":"y"}"#,
            ]);
    }
}

/// row 22
#[test]
fn a_quote_that_swallows_the_rest_is_found_within_the_limit() {
    let text = format!("a,b\n1,\"x\n{}", "2,y\n".repeat(100_000));
    Trial::csv(workdir!(), text)
        .with("--max-record-bytes 1KiB")
        .run()
        .ends_with(3)
        .says("in.csv, line 2, byte 6: a quote is opened here and not closed within 1024 bytes")
        .says("--max-record-bytes");
}

/// row 30
#[test]
fn line_ends_in_quoted_fields_belong_to_them() {
    Trial::csv(workdir!(), "a,b\n1,\"x\ny\r\nz\"\n2\n")
        .with(WITHIN_BUDGET)
        .run()
        .completes()
        .says("in.csv, line 5, byte 15: 1 field")
        .writes(&[r#"{"a":"1","b":"x\ny\r\nz"}"#])
        .rejects(&["5:15 parse 2"]);
}

/// What a value of column `a` becomes with a type; None where it is rejected.
#[track_caller]
fn check_values(kind: &str, values: &[(&str, Option<&str>)]) {
    let mut text = "a,b\n".to_owned();
    let (mut written, mut rejects) = (Vec::new(), Vec::new());
    for (line, (value, expected)) in (2..).zip(values) {
        match expected {
            Some(expected) => written.push(format!("{{\"a\":{expected},\"b\":\"{line}\"}}")),
            None => {
                rejects.push(format!("{line}:{}:a type_mismatch {value},{line}", text.len()));
            }
        }
        text += &format!("{value},{line}\n");
    }
    let refs =
        |texts: &[String]| texts.iter().map(|text| text.clone().leak() as &str).collect::<Vec<_>>();
    let verdict = Trial::csv(workdir!(), text)
        .with(&format!("--types a={kind} --max-errors 50"))
        .run()
        .completes()
        .writes(&refs(&written));
    if !rejects.is_empty() {
        verdict.says(&format!("column 'a': not {}", article(kind))).rejects(&refs(&rejects));
    }
}

fn article(kind: &str) -> &str {
    match kind {
        "int" => "an int: digits",
        "decimal" => "a decimal: digits",
        "float" => "a number as JSON writes it",
        "bool" => "a bool: true, false, 1 or 0",
        _ => "valid JSON",
    }
}

/// rows 31 and 32
#[test]
fn an_int_is_digits_of_any_length() {
    check_values(
        "int",
        &[
            ("12", Some("12")),
            ("-0", Some("-0")),
            ("", Some("null")),
            ("9223372036854775808", Some("9223372036854775808")),
            ("-99999999999999999999999", Some("-99999999999999999999999")),
            ("1.234", None),
            (" 12 ", None),
            ("1e3", None),
            ("0x10", None),
            ("+5", None),
            ("--5", None),
            ("007", None),
        ],
    );
    check_values("int", &[("\"1,234\"", None), ("1", Some("1"))]);
}

/// rows 31 and 33
#[test]
fn a_decimal_keeps_its_exact_words() {
    let long = "1234567890123456789012345678901234567890.0000000000000000000001";
    check_values(
        "decimal",
        &[
            ("0.1", Some("0.1")),
            ("0.100000000000000000001", Some("0.100000000000000000001")),
            (long, Some(long)),
            ("1.50", Some("1.50")),
            ("", Some("null")),
            ("1.234.5", None),
            ("1e3", None),
            ("0.1+1e-20", None),
            (".5", None),
            ("5.", None),
        ],
    );
}

/// rows 31 and 34
#[test]
fn a_float_is_what_json_calls_a_number() {
    check_values(
        "float",
        &[
            ("1e3", Some("1e3")),
            ("-1.5E-300", Some("-1.5E-300")),
            ("", Some("null")),
            ("NaN", None),
            ("Infinity", None),
            ("-inf", None),
            ("1_000", None),
        ],
    );
    Trial::csv(workdir!(), "a\nNaN\n1\n")
        .with("--types a=float --csv-null NaN")
        .run()
        .completes()
        .writes(&[r#"{"a":null}"#, r#"{"a":1}"#]);
}

/// row 31
#[test]
fn a_bool_and_json_have_exact_forms_too() {
    check_values(
        "bool",
        &[
            ("true", Some("true")),
            ("FALSE", Some("false")),
            ("1", Some("true")),
            ("0", Some("false")),
            ("", Some("null")),
            ("yes", None),
            ("t", None),
        ],
    );
    check_values("json", &[("[1]", Some("[1]")), ("nul", None), ("{", None), ("", Some("null"))]);
}

/// row 31
#[test]
fn an_empty_value_is_empty_text_in_a_text_column() {
    Trial::csv(workdir!(), "a,b\n,\"\"\n").run().completes().writes(&[r#"{"a":"","b":""}"#]);
    Trial::csv(workdir!(), "a,b\n,\"\"\n")
        .arg("--csv-null=")
        .run()
        .completes()
        .writes(&[r#"{"a":null,"b":null}"#]);
}

/// rows 35 and 36
#[test]
fn dates_are_text_and_never_guessed() {
    Trial::csv(workdir!(), "a,b\n2020-02-30,2020-01-01T00:00:00Z\n31/12/2020,0000-00-00\n")
        .with("--infer")
        .run()
        .completes()
        .writes(&[
            r#"{"a":"2020-02-30","b":"2020-01-01T00:00:00Z"}"#,
            r#"{"a":"31/12/2020","b":"0000-00-00"}"#,
        ]);
}

/// A number with the digits of a date stays the number it is written as (row 35).
#[test]
fn digits_of_a_date_are_an_int() {
    Trial::csv(workdir!(), "a\n20200101\n20201231\n")
        .with("--infer")
        .run()
        .completes()
        .writes(&[r#"{"a":20200101}"#, r#"{"a":20201231}"#]);
}
