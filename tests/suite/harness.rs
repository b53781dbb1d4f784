//! The harness itself. Where our own program does not do enough yet, a shell stands in for it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use rustix::process::{Pid, Signal, test_kill_process};

use crate::support::{Flowgauge, Workdir, difference, free_port, http, test_name, workdir};

fn shell(workdir: &Workdir, script: &str) -> Flowgauge {
    Flowgauge::new("/bin/sh", workdir).args(["-c", script])
}

#[test]
fn the_program_starts() {
    let finished = workdir!().flowgauge().arg("--version").run();
    assert_eq!(finished.signal(), None, "{finished}");
}

#[test]
fn output_and_exit_code_are_seen() {
    let workdir = workdir!();
    let finished = shell(&workdir, "cat; echo two >&2; exit 3").stdin("one\n").run();
    finished.assert_code(3).assert_stdout("one\n").assert_stderr("two\n");
}

#[test]
fn the_environment_is_empty_but_for_what_was_set() {
    let workdir = workdir!();
    let finished = shell(&workdir, "env | cut -d= -f1 | sort").env("OURS", "1").run();
    // The shell adds PWD and some add SHLVL and _ themselves.
    // And tests/run --coverage the place of its counters.
    let of_shell = ["PWD", "OLDPWD", "SHLVL", "_", "LLVM_PROFILE_FILE"];
    let names: Vec<&str> =
        finished.stdout.lines().filter(|name| !of_shell.contains(name)).collect();
    assert_eq!(names, ["FLOWGAUGE_STATE_DIR", "HOME", "OURS", "PATH"]);
}

#[test]
fn more_output_than_a_pipe_holds_stops_nothing() {
    let workdir = workdir!();
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; echo $i >&2; i=$((i+1)); done";
    let finished = shell(&workdir, script).run();
    assert_eq!(finished.stdout.lines().count(), 20_000);
    assert_eq!(finished.stderr, finished.stdout);
}

#[test]
fn a_running_program_is_awaited_and_ended_by_a_signal() {
    let workdir = workdir!();
    let mut running =
        shell(&workdir, "echo up >&2; echo ready at 1 >&2; exec cat /dev/zero >/dev/null").spawn();
    assert_eq!(running.wait_for_line("ready"), "ready at 1");
    running.signal(Signal::TERM);
    let finished = running.finish();
    assert_eq!((finished.code(), finished.signal()), (None, Some(15)));
    finished.assert_stderr("up\nready at 1\n");
}

#[test]
fn standard_input_is_held_open_until_it_is_dropped() {
    let workdir = workdir!();
    let mut running = shell(&workdir, "read a; echo got $a >&2; cat").stdin_open().spawn();
    let mut stdin = running.stdin();
    stdin.write_all(b"one\n").unwrap();
    assert_eq!(running.wait_for_line("got"), "got one");
    stdin.write_all(b"two\n").unwrap();
    drop(stdin);
    running.finish().assert_code(0).assert_stdout("two\n");
}

#[test]
fn standard_output_without_room_holds_a_program_until_it_is_awaited() {
    let workdir = workdir!();
    let script = "echo up >&2; echo one; echo over >&2";
    let mut running = shell(&workdir, script).stdout_full().spawn();
    running.wait_for_line("up");
    running.finish().assert_code(0).assert_stdout("one\n").assert_stderr("up\nover\n");
}

#[test]
fn a_dropped_program_is_gone() {
    let workdir = workdir!();
    let mut running = shell(&workdir, "echo up >&2; exec cat /dev/zero >/dev/null").spawn();
    running.wait_for_line("up");
    let pid = Pid::from_raw(running.id().cast_signed()).unwrap();
    assert!(test_kill_process(pid).is_ok());
    drop(running);
    assert!(test_kill_process(pid).is_err());
}

#[test]
#[should_panic = "standard error ended: no line with \"never\""]
fn a_line_that_cannot_come_any_more_is_not_awaited() {
    let workdir = workdir!();
    shell(&workdir, "echo only this >&2").spawn().wait_for_line("never");
}

#[test]
fn a_workdir_is_named_after_its_test_and_removed() {
    let workdir = workdir!();
    let root = workdir.root().to_path_buf();
    let name = root.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("fg-a_workdir_is_named_after_its_t"), "{name}");
    workdir.write("in/b.csv", "b\n");
    workdir.write("a.csv", "a\n");
    assert_eq!(workdir.names(), ["a.csv", "in/b.csv"]);
    workdir.assert_file("in/b.csv", "b\n");
    drop(workdir);
    assert!(!root.exists());
}

#[test]
fn a_test_knows_its_name() {
    assert_eq!(test_name!(), "harness::a_test_knows_its_name");
}

#[test]
fn a_difference_shows_both_sides() {
    assert_eq!(difference("a\nb\nd", "a\nc\nd"), "  a\n- b\n+ c\n  d\n");
    assert_eq!(difference("a", "a\n"), "  a\n+ \n");
    assert_eq!(difference("a\na", "a"), "  a\n- a\n");
}

#[test]
fn the_client_asks_and_hears_a_server() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        stream.write_all(b"HTTP/1.1 418 Teapot\r\nX-Tea: yes\r\n\r\nshort").unwrap();
        head
    });
    let response = http::get(&address, "/tea").unwrap();
    assert_eq!(server.join().unwrap()[0], "GET /tea HTTP/1.1");
    assert_eq!((response.status, response.text()), (418, "short"));
    assert_eq!(response.header("x-tea"), Some("yes"));
    assert!(http::get(&format!("127.0.0.1:{}", free_port()), "/").is_err());
}
