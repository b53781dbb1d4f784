//! Files that are not as they should be, and places that cannot be written. `row N` is a row of the
//! table of bad inputs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::thread;

use flate2::write::GzEncoder;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{Trial, Workdir, workdir};

const ONE_ROW: &[&str] = &[r#"{"a":"1","b":"x"}"#];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// row 1
#[test]
fn an_empty_file_is_an_error_unless_allowed() {
    for text in ["", "\n\r\n", "\u{feff}"] {
        Trial::csv(workdir!(), text)
            .run()
            .ends_with(3)
            .says("in.csv, line 1: the file is empty: there is no header; use --allow-empty");
        Trial::csv(workdir!(), text).with("--allow-empty").run().completes().writes(&[]);
    }
    let to_csv = "--csv-file in.csv --output-file out.csv --allow-empty";
    Trial::csv(workdir!(), "").with(to_csv).run().completes().writes_file("out.csv", "");
}

/// row 2
#[test]
fn a_header_alone_holds_no_records() {
    for text in ["a,b\n", "a,b", "a,b\r\n"] {
        Trial::csv(workdir!(), text).run().completes().says("read 0 ").writes(&[]);
    }
    let to_csv = "--csv-file in.csv --output-file out.csv";
    Trial::csv(workdir!(), "a,b\n").with(to_csv).run().completes().writes_file("out.csv", "a,b\n");
}

/// row 3
#[test]
fn a_byte_order_mark_is_taken_off_also_when_it_comes_in_pieces() {
    let text = "\u{feff}a,b\n1,x\n".as_bytes();
    Trial::csv(workdir!(), text).run().completes().writes(ONE_ROW);
    Trial::csv(workdir!(), gzip(text)).run().completes().writes(ONE_ROW);
    // Members of one byte each: no read brings the whole mark.
    let pieces: Vec<u8> = text.iter().flat_map(|byte| gzip(&[*byte])).collect();
    Trial::csv(workdir!(), pieces).run().completes().writes(ONE_ROW);
}

/// row 4
#[test]
fn utf_16_is_known_by_its_mark_or_refused_with_the_flag_to_set() {
    let text = "a,b\n1,x\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, body, flag) in [
        (b"\xff\xfe", &little, "--csv-encoding utf-16le"),
        (b"\xfe\xff", &big, "--csv-encoding utf-16be"),
    ] {
        let marked = [mark, &body[..]].concat();
        Trial::csv(workdir!(), marked).run().completes().writes(ONE_ROW);
        Trial::csv(workdir!(), body).with(flag).run().completes().writes(ONE_ROW);
        Trial::csv(workdir!(), body)
            .run()
            .ends_with(3)
            .says("in.csv: looks like UTF-16 without a mark; use --csv-encoding utf-16le");
    }
}

/// row 6
#[test]
fn invalid_utf8_in_the_header_is_an_error() {
    Trial::csv(workdir!(), b"a,b\xff\n1,x\n")
        .with("--csv-invalid-utf8 replace --max-errors 10")
        .run()
        .ends_with(3)
        .says("in.csv, line 1, column '2': the header is not valid UTF-8; set --csv-encoding");
}

/// row 17
#[test]
fn columns_named_twice_are_listed_once_each_or_repaired() {
    let text = "a,b,a,b,a\n1,2,3,4,5\n";
    Trial::csv(workdir!(), text)
        .run()
        .ends_with(3)
        .says("in.csv, line 1: columns named twice: 'a', 'b'; use --csv-headers repair");
    Trial::csv(workdir!(), text)
        .with("--csv-headers repair")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","b":"2","a_2":"3","b_2":"4","a_3":"5"}"#]);
}

/// rows 17 and 19
#[test]
fn a_header_behind_comments_is_named_by_its_own_line() {
    Trial::csv(workdir!(), "# one\n\n# two\na,a\n1,2\n")
        .with("--csv-comment #")
        .run()
        .ends_with(3)
        .says("in.csv, line 4: columns named twice: 'a'");
}

/// row 19
#[test]
fn an_empty_column_name_is_an_error_or_repaired() {
    let text = "a,,b\n1,2,3\n";
    Trial::csv(workdir!(), text)
        .run()
        .ends_with(3)
        .says("in.csv, line 1: column 2 has no name; use --csv-headers repair");
    Trial::csv(workdir!(), text)
        .with("--csv-headers repair")
        .run()
        .completes()
        .writes(&[r#"{"a":"1","column_2":"2","b":"3"}"#]);
}

/// Four records of one megabyte in each of many members, which takes one to compress.
fn gzip_bomb() -> Vec<u8> {
    let record = [vec![b'x'; (1 << 20) - 1], vec![b'\n']].concat();
    [gzip(b"a\n"), gzip(&record.repeat(4)).repeat(17)].concat()
}

/// row 24
#[test]
fn a_gzip_bomb_is_stopped() {
    Trial::csv(workdir!(), gzip_bomb())
        .run()
        .ends_with(3)
        .says("in.csv: ")
        .says("bytes of gzip decompress to more than")
        .says("raise --max-expansion");
}

/// row 24
#[test]
fn a_gzip_bomb_that_is_meant_is_read() {
    let mut verdict = Trial::csv(workdir!(), gzip_bomb())
        .with("--max-expansion 0")
        .run()
        .completes()
        .says("read 68 = inserted 68 ");
    verdict.explain("out.jsonl");
}

/// row 25
#[test]
fn compressed_data_that_is_cut_or_damaged_is_an_error_at_its_place() {
    let plain = format!("a,b\n{}", "1,x\n".repeat(1000));
    let whole = gzip(plain.as_bytes());
    let cut = whole[..whole.len() - 9].to_vec();
    let mut bad_sum = whole.clone();
    let sum_at = whole.len() - 8;
    bad_sum[sum_at] ^= 1;
    let zstd_whole = zstd::bulk::compress(plain.as_bytes(), 3).unwrap();
    let zstd_cut = zstd_whole[..zstd_whole.len() - 3].to_vec();
    let cut_header = gzip(b"")[..7].to_vec();
    for (bytes, kind) in
        [(cut, "gzip"), (bad_sum, "gzip"), (cut_header, "gzip"), (zstd_cut, "zstd")]
    {
        let name = if kind == "gzip" { "in.csv.gz" } else { "in.csv.zst" };
        Trial::new(workdir!())
            .file(name, bytes)
            .with(&format!("--csv-file {name} --max-errors 10"))
            .run()
            .ends_with(3)
            .says(&format!("{name}, byte "))
            .says(&format!("the {kind} data is cut short or damaged"))
            .says("get the file again");
    }
}

/// row 26
#[test]
fn all_members_are_read_and_what_follows_them_is_an_error() {
    let members = [gzip(b"a,b\n1,"), gzip(b""), gzip(b"x\n")].concat();
    let frames =
        [zstd::bulk::compress(b"a,b\n1", 3).unwrap(), zstd::bulk::compress(b",x\n", 3).unwrap()];
    for whole in [members, frames.concat()] {
        Trial::csv(workdir!(), &whole).run().completes().writes(ONE_ROW);
        Trial::csv(workdir!(), [&whole[..], b"more"].concat())
            .run()
            .ends_with(3)
            .says("in.csv, byte ")
            .says("cut short or damaged");
    }
}

/// row 27
#[test]
fn the_content_decides_about_compression_and_a_wrong_name_is_said() {
    let plain = "a,b\n1,x\n";
    Trial::new(workdir!())
        .file("in.csv.gz", plain)
        .with("--csv-file in.csv.gz")
        .run()
        .completes()
        .says("WARN 'in.csv.gz' is named like gzip but holds plain text; its content decides")
        .writes(ONE_ROW);
    Trial::csv(workdir!(), gzip(plain.as_bytes()))
        .run()
        .completes()
        .says("WARN 'in.csv' is named like plain text but holds gzip; its content decides")
        .writes(ONE_ROW);
}

/// row 28
#[test]
fn a_wrong_delimiter_is_asked_about_and_never_guessed() {
    for (text, flag) in [("a;b\n1;x\n", "';'"), ("a\tb\n1\tx\n", "tab"), ("a|b\n1|x\n", "'|'")] {
        Trial::csv(workdir!(), text)
            .run()
            .ends_with(2)
            .says("in.csv, line 1: found 1 column; did you mean --csv-delimiter ")
            .says(flag);
        Trial::csv(workdir!(), text)
            .with(&format!("--csv-delimiter {}", flag.trim_matches('\'')))
            .run()
            .completes()
            .writes(ONE_ROW);
    }
    Trial::csv(workdir!(), "a;b\n1;x\n")
        .with("--csv-delimiter ,")
        .run()
        .completes()
        .writes(&[r#"{"a;b":"1;x"}"#]);
}

#[test]
fn a_name_that_promises_what_is_not_written_is_refused() {
    for name in ["out.parquet", "out.jsonl.bz2"] {
        let trial = Trial::csv(workdir!(), "a\n1\n").with(&format!("--output-file {name}"));
        trial.run().ends_with(2).says("which is not written: name it .");
    }
}

/// row 29
#[test]
fn bytes_of_a_dialect_are_single_and_differ() {
    for (args, words) in [
        (
            "--csv-delimiter \"",
            "--csv-quote (FLOWGAUGE_CSV_QUOTE, csv_quote): it is the same as --csv-delimiter",
        ),
        (
            "--csv-delimiter ;;",
            "--csv-delimiter (FLOWGAUGE_CSV_DELIMITER, csv_delimiter): ';;' is not one byte",
        ),
        ("--csv-quote €", "is not one byte of ASCII"),
        (
            "--csv-escape ,",
            "--csv-escape (FLOWGAUGE_CSV_ESCAPE, csv_escape): it is the same as --csv-delimiter",
        ),
        ("--csv-comment \"", "it is the same as --csv-quote"),
        ("--csv-quote none --csv-escape \\", "without --csv-quote there is nothing to escape in"),
    ] {
        Trial::csv(workdir!(), "a,b\n1,x\n").with(args).run().ends_with(2).says(words);
    }
}

/// Three million bytes of records, of which a run with little memory reads a part until somebody
/// takes what it writes.
struct Changing {
    workdir: Workdir,
    text: String,
}

impl Changing {
    fn new(workdir: Workdir) -> Changing {
        let rows = (0..3_000_000).step_by(100).map(|row| format!("{row:099}\n"));
        Changing { workdir, text: format!("a\n{}", rows.collect::<String>().repeat(8)) }
    }

    /// Changes the file after the run has begun and before it can have read all of it: standard
    /// output is not read meanwhile, and the memory holds less than half of the file.
    #[track_caller]
    fn run(&self, change: impl FnOnce(&fs::File)) -> crate::support::Finished {
        let path = self.workdir.write("in.csv", &self.text);
        let args = "--csv-file in.csv --output-file - --memory-limit 8MiB --batch-bytes 64KiB";
        let program = self.workdir.flowgauge().args(args.split(' '));
        let mut running = program.hold_stdout().spawn();
        running.wait_for_first_byte();
        change(&fs::File::options().append(true).open(path).unwrap());
        running.finish()
    }
}

/// row 38
#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let file = Changing::new(workdir!());
    let (before, after) = (file.text.len() as u64, file.text.len() as u64 - 100);
    let finished = file.run(|opened| opened.set_len(after).unwrap());
    finished.assert_code(3).assert_stderr_has(&format!(
        "in.csv: the file shrank from {before} to {after} bytes while it was read; run again"
    ));
    // What was written to standard output is whole records.
    assert!(finished.stdout.ends_with("\"}\n"));
    assert_eq!(file.workdir.names(), ["in.csv"]);
}

/// row 39
#[test]
fn a_file_that_grows_while_it_is_read_ends_where_it_ended() {
    let file = Changing::new(workdir!());
    let (before, after) = (file.text.len(), file.text.len() + 6);
    let finished = file.run(|mut opened| opened.write_all(b"later\n").unwrap());
    finished.assert_code(0).assert_stderr_has(&format!(
        "WARN 'in.csv' grew from {before} to {after} bytes while it was read; what was added is left"
    ));
    assert_eq!(finished.stdout.lines().count(), file.text.lines().count() - 1);
    assert!(!finished.stdout.contains("later"));
    assert_eq!(file.workdir.names(), ["in.csv"]);
}

/// A file that is complete when it is opened and still being written looks like any other: what gives it away is
/// its last line, the time, and its name.
#[test]
fn a_file_that_may_be_half_written_is_named() {
    let workdir = workdir!();
    let half = "WARN 'in-1.csv' ends amid a line and was written to less than a minute ago: where somebody";
    let named = "WARN 'in-2.csv.part' is read, as --csv-file fits it, though its name is that of a file that somebody";
    let run = |pattern: &str| {
        let program = workdir.flowgauge().args(["--csv-file", pattern, "--output-file", "-"]);
        program.run().assert_code(0).stderr.clone()
    };
    let of = |text: &str, words: &str| text.matches(words).count();
    workdir.write("in-1.csv", "id,amount\n1,12");
    workdir.write("in-2.csv.part", "id,amount\n2,34\n");
    let said = run("in-*");
    assert_eq!((of(&said, half), of(&said, named)), (1, 1), "{said}");
    // Not where it says so itself, ends as lines do, or lies there for a while.
    let said = run("in-2.csv.part");
    assert_eq!((of(&said, "amid a line"), of(&said, named)), (0, 0), "{said}");
    let file = fs::File::options().append(true).open(workdir.path("in-1.csv")).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.set_modified(long_ago).unwrap();
    assert_eq!(of(&run("in-*.csv"), "amid a line"), 0);
}

/// row 41
#[test]
fn an_input_that_is_no_file_is_refused_by_what_it_is() {
    let workdir = workdir!();
    fs::create_dir(workdir.path("folder")).unwrap();
    // Made by hand: binding one needs a shorter path than a test has.
    let mode = rustix::fs::Mode::RUSR;
    let kind = rustix::fs::FileType::Socket;
    rustix::fs::mknodat(rustix::fs::CWD, workdir.path("socket"), kind, mode, 0).unwrap();
    for (name, words) in [
        ("folder", "'folder' is a directory; use --csv-file 'folder/*' for the files in it"),
        ("socket", "'socket' is a socket; --csv-file reads files, pipes and '-'"),
        ("/dev/null", "'/dev/null' is a device; --csv-file reads files, pipes and '-'"),
        ("gone.csv", "cannot open 'gone.csv': No such file or directory"),
        (
            "*.csv",
            "no file matches '*.csv'; check --csv-file; where there may be none, use --allow-empty",
        ),
    ] {
        let finished =
            workdir.flowgauge().args(["--csv-file", name, "--output-file", "out.jsonl"]).run();
        finished.assert_code(2).assert_stderr_has(words);
        assert_eq!(workdir.names(), ["socket"], "{name}");
    }
}

/// row 41
#[test]
fn a_link_is_followed_to_the_input_and_to_the_output_and_stays() {
    let workdir = workdir!();
    workdir.write("real/out.jsonl", "old\n");
    workdir.write("real/in.csv", "a,b\n1,x\n");
    symlink("real/in.csv", workdir.path("in.csv")).unwrap();
    symlink("real/out.jsonl", workdir.path("out.jsonl")).unwrap();
    let verdict = Trial::new(workdir)
        .run()
        .completes()
        .writes_file("real/out.jsonl", &format!("{}\n", ONE_ROW[0]));
    let link = fs::symlink_metadata(verdict.workdir.path("out.jsonl")).unwrap();
    assert!(link.is_symlink());
}

/// row 42
#[test]
fn a_pipe_is_read_once_and_to_its_end() {
    let workdir = workdir!();
    let path = workdir.path("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let writer = thread::spawn(move || fs::write(path, "a,b\n1,x\n"));
    Trial::new(workdir).with("--csv-file pipe").run().completes().writes(ONE_ROW);
    writer.join().unwrap().unwrap();
    Trial::new(workdir!())
        .with("--csv-file -")
        .stdin("a,b\n1,x\n")
        .run()
        .completes()
        .writes(ONE_ROW);
}

/// row 43
#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_read() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    symlink("in.csv", workdir.path("alias.csv")).unwrap();
    symlink("gone/out.jsonl", workdir.path("dangling")).unwrap();
    fs::hard_link(workdir.path("in.csv"), workdir.path("twin.csv")).unwrap();
    fs::create_dir(workdir.path("folder")).unwrap();
    let before = fs::metadata(workdir.path("in.csv")).unwrap();
    for (name, words) in [
        ("in.csv", "'in.csv' is the input 'in.csv' itself; choose another --output-file"),
        ("./in.csv", "'./in.csv' is the input 'in.csv' itself"),
        ("alias.csv", "'alias.csv' is the input 'in.csv' itself"),
        ("twin.csv", "'twin.csv' is the input 'in.csv' itself"),
        ("folder", "'folder' is a directory; name a file in it"),
        ("gone/out.jsonl", "cannot write 'gone/out.jsonl': No such file or directory"),
        ("in.csv/out.jsonl", "cannot write 'in.csv/out.jsonl': "),
        ("/dev/full", "'/dev/full' is no regular file; name a regular file"),
        ("dangling", "'dangling' is a link to nowhere"),
    ] {
        for command in ["run", "check"] {
            let finished = workdir
                .flowgauge()
                .args([command, "--csv-file", "in.csv", "--output-file", name])
                .run();
            finished.assert_code(2).assert_stderr_has(words);
            assert_eq!(workdir.names(), ["alias.csv", "dangling", "in.csv", "twin.csv"], "{name}");
        }
    }
    // Only trying to write tells; `check` does not try.
    let arguments = ["--csv-file", "in.csv", "--output-file", "/proc/out.jsonl"];
    let finished = workdir.flowgauge().args(arguments).run();
    finished.assert_code(2).assert_stderr_has("cannot write '/proc/out.jsonl'");
    let after = fs::metadata(workdir.path("in.csv")).unwrap();
    assert_eq!((after.ino(), after.mtime_nsec()), (before.ino(), before.mtime_nsec()));
}

/// row 43
#[test]
fn no_two_files_of_a_run_are_one() {
    for (args, words) in [
        ("--rejects in.csv", "'in.csv' is the input 'in.csv' itself; choose another --rejects"),
        (
            "--summary-json in.csv",
            "'in.csv' is the input 'in.csv' itself; choose another --summary",
        ),
        ("--rejects out.jsonl", "--rejects and --output-file are both 'out.jsonl'"),
        ("--summary-json ./out.jsonl", "--summary-json and --output-file are both './out.jsonl'"),
        ("--rejects x --summary-json x", "--summary-json and --rejects are both 'x'"),
    ] {
        Trial::csv(workdir!(), "a,b\n1,x\n").with(args).run().ends_with(2).says(words);
    }
}

/// Two names of one input would write its records twice (row 41).
#[test]
fn an_input_named_twice_is_refused_whatever_the_names() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,x\n");
    symlink("in.csv", workdir.path("alias.csv")).unwrap();
    for other in ["in.csv", "./in.csv", "alias.csv", "i*.csv"] {
        let finished = workdir
            .flowgauge()
            .args(["--csv-file", "in.csv", "--csv-file", other, "--output-file", "out.jsonl"])
            .run();
        finished.assert_code(2).assert_stderr_has("is named twice in --csv-file");
        assert_eq!(workdir.names(), ["alias.csv", "in.csv"]);
    }
}

/// row 44
#[test]
fn an_output_that_exists_is_replaced_on_success_only_and_that_is_said() {
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .file("out.jsonl", "old\n")
        .run()
        .completes()
        .says("INFO 'out.jsonl' was replaced; it had 4 bytes")
        .writes(ONE_ROW);
    Trial::csv(workdir!(), "a,b\n1\n")
        .file("out.jsonl", "old\n")
        .run()
        .ends_with(3)
        .says("nothing was published")
        .rejects(&["2:4 parse 1"]);
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .file("out.jsonl", "old\n")
        .with("--if-exists refuse")
        .run()
        .ends_with(2)
        .says("'out.jsonl' exists; --if-exists refuse leaves it alone");
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--if-exists refuse")
        .run()
        .completes()
        .writes(ONE_ROW);
}

/// row 64
#[test]
fn settings_that_are_not_known_are_refused() {
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .file("sync.toml", "ouput_file = 'out.jsonl'\n")
        .with("--config sync.toml")
        .run()
        .ends_with(2)
        .says("'sync.toml': unknown key 'ouput_file'; did you mean 'output_file'?");
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--ouput-file out.jsonl")
        .run()
        .ends_with(2)
        .says("unexpected argument '--ouput-file'")
        .says("--output-file");
    Trial::csv(workdir!(), "a,b\n1,x\n")
        .with("--csv-file in.csv --jsonl-file in.jsonl --source-type csv")
        .run()
        .ends_with(2)
        .says("--jsonl-file (FLOWGAUGE_JSONL_FILE, jsonl_file): it has no meaning with --source-type csv");
}
