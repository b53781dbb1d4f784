//! What may happen on the wire: a COMMIT whose answer is lost, a load that is cut, a server that asks
//! for files, and one that says nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use rustix::process::Signal;

use crate::support::mysql_proxy::{Cut, MysqlProxy};
use crate::support::{Database, Load, Server, eventually, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    a_commit_without_an_answer_is_looked_for
    rows_with_refusals_are_told_once_after_a_lost_answer
    a_load_that_is_cut_is_done_again
    what_was_committed_before_a_run_was_let_go_of_is_counted
    large_rows_by_insert_stay_within_the_memory
}

fn rows(count: u64) -> String {
    let lines = (0..count).map(|k| format!("{k}\n"));
    ["k\n".to_string()].into_iter().chain(lines).collect()
}

/// Through a proxy, into a table without a key, where a row that is written twice is there twice.
#[track_caller]
fn check(server: &Server, cut: Cut, args: &str) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT)");
    let proxy = MysqlProxy::new(server, cut);
    Load::csv(&database, workdir!(), rows(1000))
        .with("--mode insert --batch-size 100 --db-host 127.0.0.1 --db-port")
        .arg(&proxy.port.to_string())
        .with(args)
        .run()
        .completes()
        .counts("read 1000, inserted 1000");
    assert!(proxy.has_cut());
    let sql = "SELECT COUNT(*), COUNT(DISTINCT k), MAX(k) FROM t";
    assert_eq!(database.client.lines(sql), ["1000|1000|999"], "{cut:?} {args}");
    assert_eq!(database.client.lines("SELECT * FROM flowgauge_segments"), [""; 0]);
}

fn a_commit_without_an_answer_is_looked_for(server: &Server) {
    for number in [1, 4, 10] {
        for args in ["--lanes 1", "--lanes 4 --no-load-data"] {
            check(server, Cut::AfterCommit(number), args);
            check(server, Cut::BeforeCommit(number), args);
        }
    }
}

/// The token knows which rows were refused.
fn rows_with_refusals_are_told_once_after_a_lost_answer(server: &Server) {
    for cut in [Cut::AfterCommit(2), Cut::BeforeCommit(2)] {
        let database = Database::new(server);
        database.client.run("CREATE TABLE t (k INT, CHECK (k <> 7 AND k <> 15))");
        let proxy = MysqlProxy::new(server, cut);
        Load::csv(&database, workdir!(), rows(30))
            .with("--batch-size 10 --lanes 1 --max-errors 2 --db-host 127.0.0.1 --db-port")
            .arg(&proxy.port.to_string())
            .run()
            .completes()
            .counts("read 30, inserted 28, failed 2")
            .rejected(&["9: constraint", "17: constraint"]);
        assert!(proxy.has_cut());
        assert_eq!(database.client.number("SELECT COUNT(DISTINCT k) FROM t"), 28);
        assert_eq!(database.client.number("SELECT COUNT(*) FROM t"), 28);
    }
}

fn a_load_that_is_cut_is_done_again(server: &Server) {
    for bytes in [1500, 3000, 4500] {
        check(server, Cut::AfterBytes(bytes), "--lanes 1");
    }
}

/// A second signal while the answer to a COMMIT is not there: the server is asked, or it is said
/// that nobody knows.
fn what_was_committed_before_a_run_was_let_go_of_is_counted(server: &Server) {
    for (cut, args, there, inserted, unknown) in [
        (Cut::Silent(3), "--lanes 1", 300, 300, 0),
        (Cut::Silent(3), "--lanes 4", 1000, 1000, 0),
        (Cut::Silent(3), "--lanes 1 --drain-timeout 0s", 300, 300, 0),
        (Cut::SilentForAll(3), "--lanes 1", 300, 200, 100),
    ] {
        let database = Database::new(server);
        database.client.run("CREATE TABLE t (k INT)");
        let proxy = MysqlProxy::new(server, cut);
        let load = Load::csv(&database, workdir!(), rows(1000))
            .with("--mode insert --batch-size 100 --db-host 127.0.0.1 --db-port")
            .arg(&proxy.port.to_string())
            .with(args);
        let mut running = load.program().spawn();
        let count = || database.client.number("SELECT COUNT(*) FROM t");
        eventually("the rows before the silence", || (count() == there).then_some(()));
        running.signal(Signal::TERM);
        if !args.contains("drain") {
            running.wait_for_line("SIGTERM");
            running.signal(Signal::TERM);
        }
        let loaded = load.ended(running.finish()).ends_with(143);
        assert!(proxy.has_cut());
        let records = &loaded.summary()["records"];
        assert_eq!(records["inserted"], inserted, "{args}: {}", loaded.finished);
        assert_eq!(records["unknown"], unknown, "{args}: {}", loaded.finished);
        if unknown > 0 {
            loaded.says("unknown whether 100 more were committed");
        }
        assert_eq!(count(), there);
    }
}

/// A packet of the protocol.
fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], sequence];
    packet.extend_from_slice(payload);
    packet
}

fn read_packet(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    from.read_exact(&mut payload)?;
    Ok(payload)
}

/// Lets everybody in, and answers everything with the wish for a file.
fn wish_for_a_file(mut client: TcpStream, told: &mpsc::Sender<Vec<u8>>) -> std::io::Result<()> {
    let mut greeting = b"\x0a8.0.31\0\x01\0\0\0abcdefgh\0".to_vec();
    // Capabilities: 4.1, secure connections, plugins, LOCAL INFILE; utf8mb4; autocommit.
    greeting.extend_from_slice(b"\x81\xa2\x2d\x02\0\x08\0\x15");
    greeting.extend_from_slice(&[0; 10]);
    greeting.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
    client.write_all(&packet(0, &greeting))?;
    read_packet(&mut client)?;
    client.write_all(&packet(2, b"\0\0\0\x02\0\0\0"))?;
    loop {
        drop(told.send(read_packet(&mut client)?));
        client.write_all(&packet(1, b"\xfb/etc/passwd"))?;
    }
}

#[test]
fn a_server_that_asks_for_a_file_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            drop(wish_for_a_file(client.unwrap(), &told));
        }
    });
    let workdir = workdir!();
    workdir.write("in.csv", "k\n1\n");
    let args = format!("--csv-file in.csv --db-url mysql://u@127.0.0.1:{port}/d --db-table t");
    let mut running = workdir.flowgauge().args(args.split(' ')).spawn();
    running.wait_for_line("mysql server 127.0.0.1");
    running.signal(Signal::TERM);
    let finished = running.finish();
    assert_ne!(finished.code(), Some(0), "{finished}");
    let sent: Vec<Vec<u8>> = heard.try_iter().collect();
    assert!(!sent.is_empty(), "{finished}");
    for packet in sent {
        let text = String::from_utf8_lossy(&packet);
        assert!(!text.contains("root:") && !text.contains("/bin/"), "{text}");
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let workdir = workdir!();
    workdir.write("in.csv", "k\n1\n");
    let args = format!(
        "--csv-file in.csv --db-url mysql://u@127.0.0.1:{port}/d --db-table t --db-connect-timeout 200ms"
    );
    let mut running = workdir.flowgauge().args(args.split(' ')).spawn();
    running.wait_for_line("no connection within 0.2 s");
    running.signal(Signal::TERM);
    running.finish().assert_code(143).assert_stderr_has("--db-connect-timeout");
}

/// Statements of large rows stand in memory several times, and sixteen lanes make them.
fn large_rows_by_insert_stay_within_the_memory(server: &Server) {
    const LIMIT_MIB: u64 = 32;
    const ROWS: u64 = 40;
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY, v LONGTEXT)");
    let slashes = "\\".repeat(1800 << 10);
    let lines: String = (0..ROWS).map(|k| format!("{k},{slashes}\n")).collect();
    let load = Load::stdin(&database, workdir!())
        .with("--mode insert --no-load-data --lanes 16 --batch-bytes 1MiB --max-record-bytes 2MiB")
        .with(&format!("--memory-limit {LIMIT_MIB}MiB"));
    let mut running = load.program().stdin(format!("k,v\n{lines}")).keep_stdin_open().spawn();
    // The last is on its way until the input ends.
    let count = || database.client.number("SELECT COUNT(*) FROM t");
    eventually("nearly all rows", || (count() >= ROWS - 2).then_some(()));
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    running.close_stdin();
    load.ended(running.finish()).completes().counts("read 40, inserted 40");
    let sql = format!("SELECT COUNT(*) FROM t WHERE v = REPEAT('\\\\', {})", 1800 << 10);
    assert_eq!(database.client.number(&sql), ROWS);
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // Without the program itself, which is large where it is not optimised, and read from its file at any time.
    let peak = kib("VmHWM:") - kib("RssFile:");
    // A program that counts what it runs has its counters beside.
    let counters = if std::env::var_os("LLVM_PROFILE_FILE").is_some() { 32 } else { 0 };
    assert!(peak >> 10 < LIMIT_MIB + 64 + counters, "{} MiB", peak >> 10);
}
