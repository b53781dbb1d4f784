//! `top`: what is on, in a terminal, and printed once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use serde_json::Value;

use crate::support::outlet::{Screen, fill, terminal};
use crate::support::program::Running;
use crate::support::secrets::HASH;
use crate::support::tmux::Tmux;
use crate::support::{Workdir, eventually, http, needs, workdir};

/// A run that has written much, and waits for more.
fn run_on(workdir: &Workdir, name: &str, more: &str) -> (Running, String) {
    let args = format!(
        "--csv-file - --output-file {name}.jsonl --pipeline-id {name} --metrics-port 0 {more}"
    );
    let text = format!("a,b\n{}", "1,some text\n".repeat(100_000));
    let program = workdir.flowgauge().args(args.split_whitespace()).stdin(text).keep_stdin_open();
    let mut running = program.spawn();
    let address = running.metrics_address();
    (running, address)
}

fn once(workdir: &Workdir, args: &str, code: i32) -> Value {
    let args = format!("top --once --format json {args}");
    let finished = workdir.flowgauge().args(args.split_whitespace()).run();
    finished.assert_code(code);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|why| panic!("{why}: {finished}"))
}

fn end(mut running: Running) {
    running.close_stdin();
    running.finish().assert_code(0);
}

/// What it prints is what `/metrics` has under the same number.
#[test]
fn a_run_that_is_asked_once_says_what_its_metrics_say() {
    let workdir = workdir!();
    let (running, address) = run_on(&workdir, "orders", "--lanes 4");
    let document = eventually("records to be written", || {
        let document = once(&workdir, &address, 0);
        (document["runs"][0]["records"]["processed"].as_u64()? > 0).then_some(document)
    });
    let shown = &document["runs"][0];
    assert_eq!((&shown["pipeline_id"], &shown["state"]), (&"orders".into(), &"running".into()));
    let run = &shown["run"];
    let number = run["snapshot"].as_u64().unwrap();
    let page = http::get(&address, &format!("/metrics?snapshot={number}")).unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let value = |name: &str| {
        let line = page.text().lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(shown["records"]["read"].as_f64(), Some(value("pipeline_records_read_total{")));
    assert_eq!(
        shown["records"]["processed"].as_f64(),
        Some(value("pipeline_records_processed_total{"))
    );
    // A file has one writer, however many are allowed.
    assert_eq!(run["lanes"].as_f64(), Some(value("pipeline_stage_threads{stage=\"insert\"")));
    assert_eq!((&run["lanes"], &run["lanes_configured"]), (&1.into(), &4.into()));
    let again = http::get(&address, &format!("/run.json?snapshot={number}")).unwrap();
    assert_eq!(&serde_json::from_str::<Value>(again.text()).unwrap(), run);
    let table = workdir.flowgauge().args(["top", "--once", &address]).run();
    table
        .assert_code(0)
        .assert_stdout_has("PIPELINE  STATE")
        .assert_stdout_has("orders    running");
    assert!(!table.stdout.contains('\x1b'), "{table}");
    end(running);
}

/// Without a URL the ledger knows who is on, those without a port among them.
#[test]
fn the_ledger_knows_which_runs_are_on() {
    let workdir = workdir!();
    let (with_port, _) = run_on(&workdir, "orders", "");
    let (other, _) = run_on(&workdir, "customers", "");
    let args = "--csv-file - --output-file q.jsonl --pipeline-id quiet";
    let text = format!("a\n{}", "1\n".repeat(200_000));
    let mut silent =
        workdir.flowgauge().args(args.split(' ')).stdin(text).keep_stdin_open().spawn();
    silent.wait_for_line("INFO quiet: ");
    let document = eventually("three runs", || {
        let document = once(&workdir, "", 0);
        (document["runs"].as_array()?.len() == 3).then_some(document)
    });
    let of = |name: &str| {
        let runs = document["runs"].as_array().unwrap().iter();
        runs.clone().find(|run| run["pipeline_id"] == name).unwrap_or_else(|| panic!("{document}"))
    };
    assert!(of("orders")["run"]["records"]["read"].is_u64(), "{document}");
    assert!(of("quiet")["run"].is_null(), "{document}");
    assert!(of("quiet")["error"].as_str().unwrap().contains("--metrics-port"), "{document}");
    let only = once(&workdir, "--pipeline customers", 0);
    assert_eq!(only["runs"].as_array().unwrap().len(), 1, "{only}");
    for running in [with_port, other, silent] {
        end(running);
    }
    let none = workdir.flowgauge().args(["top", "--once"]).run();
    none.assert_code(0).assert_stdout("").assert_stderr_has("no run is in progress");
    assert_eq!(once(&workdir, "", 0)["runs"], Value::Array(Vec::new()));
}

/// It does not let everybody look, and the ledger has its name.
#[test]
fn a_run_behind_a_password_has_a_name() {
    let workdir = workdir!();
    workdir.write("web.yml", format!("basic_auth_users:\n  ann: {HASH}\n"));
    let (running, _) = run_on(&workdir, "orders", "--metrics-web-config web.yml");
    let args = ["top", "--once", "--format", "json"];
    let document: Value = eventually("the run in the ledger", || {
        let finished = workdir.flowgauge().args(args).run();
        (finished.code() == Some(4)).then(|| serde_json::from_str(&finished.stdout).unwrap())
    });
    let run = &document["runs"][0];
    assert_eq!((&run["pipeline_id"], &run["state"]), (&"orders".into(), &"no answer".into()));
    assert_eq!(run["run_id"], run["at"]);
    let table = workdir.flowgauge().args(["top", "--once"]).run();
    table.assert_code(4).assert_stdout_has("orders    no answer");
    table.assert_stderr_has("'orders': it wants a user and a password");
    end(running);
}

/// A server that answers everybody like this, until the test ends.
fn stranger(answer: impl Fn(&mut dyn Write) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = std::sync::Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                answer(&mut stream);
            });
        }
    });
    address
}

#[test]
fn who_is_no_flowgauge_is_one_line_and_costs_nobody_else_anything() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let workdir = workdir!();
    let (running, good) = run_on(&workdir, "orders", "");
    let garbage = stranger(|out| drop(out.write_all(b"\0\x1b[31mgarbage\r\n\r\n")));
    let json = stranger(|out| drop(out.write_all(&[OK, b"{\"status\":\"ok\"}"].concat())));
    let endless = stranger(|out| {
        let _ = out.write_all(OK);
        while out.write_all(&[b' '; 65_536]).is_ok() {}
    });
    let hangs = stranger(|_| thread::park());
    let missing = stranger(|out| drop(out.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n")));
    let locked = stranger(|out| drop(out.write_all(b"HTTP/1.1 401 Unauthorized\r\n\r\n")));
    let moved =
        stranger(|out| drop(out.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://x/\r\n\r\n")));
    let cases = [
        (&garbage, "no run of flowgauge answers there"),
        (&json, "no run of flowgauge answers there"),
        (&endless, "its answer is larger than 512 KiB"),
        (&hangs, "no answer within 3 s"),
        (&missing, "404"),
        (&locked, "a user and a password"),
        (&moved, "302"),
        (&"127.0.0.1:1".to_string(), "nobody listens there"),
    ];
    let urls: Vec<&str> =
        cases.iter().map(|(url, _)| url.as_str()).chain([good.as_str()]).collect();
    let (finished, peak_kib) = workdir
        .flowgauge()
        .args(["top", "--once", "--format", "json"])
        .args(&urls)
        .spawn()
        .finish_measured();
    finished.assert_code(4);
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), urls.len());
    for ((url, words), run) in cases.iter().zip(runs) {
        let said = run["error"].as_str().unwrap_or_else(|| panic!("{url}: {run}"));
        assert!(said.contains(words) && !said.contains('\x1b'), "{url}: {said}");
        assert_eq!(run["state"], "no answer");
    }
    assert_eq!(runs.last().unwrap()["pipeline_id"], "orders");
    assert!(peak_kib < 100 << 10, "{peak_kib} KiB");
    let table = workdir.flowgauge().args(["top", "--once"]).args(&urls).run();
    table.assert_code(4).assert_stdout_has("orders");
    assert_eq!(table.stderr.lines().count(), cases.len(), "{table}");
    end(running);
}

#[test]
fn a_url_that_cannot_be_asked_is_a_mistake_that_does_not_repeat_it() {
    let workdir = workdir!();
    for (url, words) in
        [("ftp://u:geheim@h/", "neither http nor https"), ("http://u:geheim@", "URL 1")]
    {
        let finished = workdir.flowgauge().args(["top", "--once", url]).run();
        finished.assert_code(2).assert_stderr_has(words);
        assert!(!finished.stderr.contains("geheim"), "{finished}");
    }
    let finished = workdir.flowgauge().args(["top", "localhost:1"]).run();
    finished.assert_code(2).assert_stderr_has("this is no terminal").assert_stderr_has("--once");
    let finished = workdir.flowgauge().args(["top", "h:1", "--pipeline", "x"]).run();
    finished.assert_code(2);
    let finished = workdir.flowgauge().args(["top", "h:1", "--once", "--ca", "absent"]).run();
    finished.assert_code(2).assert_stderr_has("--ca 'absent'");
}

#[test]
fn a_screen_shows_runs_and_leaves_the_terminal_as_it_was() {
    let tmux = needs!("tmux");
    let workdir = workdir!();
    let (orders, address) = run_on(&workdir, "orders", "");
    let (customers, other) = run_on(&workdir, "customers", "");
    let screen =
        Tmux::start(&tmux, &workdir, (80, 24), &format!("top {address} {other} 127.0.0.1:1"));
    let shown = screen.wait_for("customers");
    assert!(!shown.contains("typed before"), "{shown}");
    screen.wait_for("nobody listens there");
    screen.wait_for("2 on");
    screen.press(&["s", "s", "/", "o", "r", "d", "Enter"]);
    eventually("the filter", || (!screen.screen().contains("customers")).then_some(()));
    screen.press(&["Enter"]);
    screen.wait_for("STAGE");
    screen.resize(40, 12);
    screen.wait_for("orders");
    screen.press(&["?"]);
    screen.wait_for("choose a run");
    screen.press(&["x", "Escape"]);
    screen.wait_for("PIPELINE");
    screen.press(&["Escape"]);
    end(orders);
    screen.wait_for("gone");
    screen.press(&["q"]);
    screen.ends_whole(0);
    end(customers);
}

/// All that are on, and what becomes of them.
#[test]
fn a_screen_follows_the_ledger() {
    let tmux = needs!("tmux");
    let workdir = workdir!();
    let (orders, _) = run_on(&workdir, "orders", "");
    let screen = Tmux::start(&tmux, &workdir, (80, 24), "top");
    screen.wait_for("orders");
    let (later, _) = run_on(&workdir, "later", "");
    screen.wait_for("later");
    end(orders);
    screen.wait_for("complete");
    end(later);
    screen.wait_for("2 runs, 0 on");
    screen.press(&["C-c"]);
    screen.ends_whole(0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let tmux = needs!("tmux");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let workdir = workdir!();
        let screen = Tmux::start(&tmux, &workdir, (80, 24), "top 127.0.0.1:1");
        screen.wait_for("nobody listens there");
        kill_process(Pid::from_raw(screen.pid()).unwrap(), signal).unwrap();
        screen.ends_whole(code);
    }
}

/// It is full before the screen stands, so that not even the first picture gets through.
#[test]
fn a_terminal_that_nobody_reads_holds_up_no_end() {
    for (signal, code) in [(Some(Signal::TERM), 143), (Some(Signal::INT), 130), (None, 0)] {
        let workdir = workdir!();
        let (terminal, mut shown) = terminal();
        fill(&terminal, &shown);
        let modes =
            || tcgetattr(&terminal).unwrap().local_modes & (LocalModes::ICANON | LocalModes::ECHO);
        let before = modes();
        let program = workdir.flowgauge().args(["top", "127.0.0.1:1"]);
        let running = program.screen(terminal.try_clone().unwrap()).spawn();
        eventually("the screen to be taken", || modes().is_empty().then_some(()));
        match signal {
            Some(signal) => running.signal(signal),
            None => shown.write_all(b"q").unwrap(),
        }
        running.finish().assert_code(code);
        assert_eq!(modes(), before);
        // What gives the screen back is there for whoever reads again.
        drop(terminal);
        let text = Screen::watch(shown).all();
        assert!(text.ends_with("\x1b[?1049l\x1b[?25h"), "{text:?}");
    }
}

/// A shell does so when the program is stopped, and what was on the screen is gone.
#[test]
fn a_terminal_that_was_put_back_in_between_is_taken_again() {
    let workdir = workdir!();
    let (terminal, mut shown) = terminal();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    let modes = || tcgetattr(&terminal).unwrap();
    let before = modes();
    let program = workdir.flowgauge().args(["top", "127.0.0.1:1"]);
    let running = program.screen(terminal.try_clone().unwrap()).spawn();
    let taken = || {
        eventually("the screen to be taken", || {
            (!modes().local_modes.contains(LocalModes::ICANON)).then_some(())
        });
    };
    taken();
    let mut screen = Screen::watch(shown.try_clone().unwrap());
    screen.wait_for("nobody listens there");
    tcsetattr(&terminal, OptionalActions::Now, &before).unwrap();
    taken();
    // Whole, and not only what has changed.
    screen.wait_for("\x1b[2J");
    shown.write_all(b"q").unwrap();
    running.finish().assert_code(0);
    drop(terminal);
    let text = screen.all();
    assert!(text.ends_with("\x1b[?1049l\x1b[?25h"), "{text:?}");
}

/// A window that is closed, or a connection that is lost.
#[test]
fn a_terminal_that_is_gone_ends_the_screen() {
    let workdir = workdir!();
    let (terminal, shown) = terminal();
    let program = workdir.flowgauge().args(["top", "127.0.0.1:1"]);
    let running = program.screen(terminal.try_clone().unwrap()).spawn();
    eventually("the screen to be taken", || {
        let modes = tcgetattr(&terminal).unwrap().local_modes;
        (!modes.contains(LocalModes::ICANON)).then_some(())
    });
    drop((terminal, shown));
    running.finish().assert_code(5);
}
