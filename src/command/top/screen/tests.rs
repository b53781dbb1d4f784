//! Pictures of the screen, held against files. `FLOWGAUGE_GOLDEN=write` writes them anew.

use std::fs;
use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::frame;
use super::paint::Palette;
use super::state::{After, State, View};
use crate::command::top::asking::Key;
use crate::command::top::asking::News;
use crate::command::top::row::Rows;
use crate::command::top::seen::RunSeen;

const NOW: f64 = 1_795_750_000.0;
const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (200, 50)];

fn orders() -> Value {
    json!({
        "schema_version": 1, "snapshot": 7, "pipeline_id": "orders", "run_id": "01a21b08-1557-775d-8983-e4202fd27815",
        "version": "0.1.0", "state": "running", "outcome": null, "is_final": false,
        "source": { "kind": "csv", "format": "csv" }, "sink": { "kind": "mysql", "format": "table" },
        "taken_at_seconds": NOW, "elapsed_seconds": 185.0, "progress_ratio": 0.4567, "eta_seconds": 240.0,
        "sentence": "running for 3 min 05 s; 45 %, about 4 min left; waiting for MySQL 83 % of the time",
        "records_per_second": 61_234.5, "records_per_second_average": 58_000.0,
        "records": { "read": 10_900_000, "processed": 10_730_000, "inserted": 10_729_985, "updated": 0,
            "skipped": { "duplicate": 3, "unchanged": 0, "filtered": 0 }, "failed": 12, "residual": 170_000 },
        "rejected": [{ "error_type": "out_of_range", "count": 9 }, { "error_type": "null", "count": 3 }],
        "bytes": { "read": 1_390_000_000_u64, "written": 1_210_000_000 },
        "stages": [
            { "stage": "fetch", "threads": 1, "busy_share": 0.12, "is_limit": false,
              "wait_seconds": { "input": 0.0, "output": 160.0, "retry": 0.0, "throttle": 0.0 } },
            { "stage": "convert", "threads": 2, "busy_share": 0.31, "is_limit": false,
              "wait_seconds": { "input": 20.0, "output": 230.0, "retry": 0.0, "throttle": 0.0 } },
            { "stage": "insert", "threads": 4, "busy_share": 0.83, "is_limit": true,
              "wait_seconds": { "input": 30.0, "output": 0.0, "retry": 60.0, "throttle": 0.0 } },
        ],
        "limit": { "stage": "insert", "busy_share": 0.83 },
        "queue": { "depth": 4, "capacity": 4, "bytes": 16_000_000 },
        "memory": { "used_bytes": 61_000_000, "budget_bytes": 268_435_456 },
        "latency_seconds": {
            "fetch": { "p50": 0.0008, "p95": 0.013, "p99": 0.046 },
            "insert": { "p50": 0.182, "p95": 0.524, "p99": 1.9 },
            "batch": { "p50": 0.23, "p95": 0.612, "p99": 2.1 },
        },
        "errors": [
            { "stage": "insert", "error_type": "deadlock", "count": 3, "last_at_seconds": NOW - 12.0,
              "last_message": "the server chose this transaction as the victim of a deadlock (1213)" },
            { "stage": "convert", "error_type": "out_of_range", "count": 9, "last_at_seconds": NOW - 75.0,
              "last_message": "orders.csv, line 1,203,991, column 'total': a number beyond DECIMAL(8,2)" },
        ],
        "retries": [{ "stage": "insert", "error_type": "deadlock", "count": 3 }],
        "ledger": { "runs": [
            { "run_id": "a", "started_at_seconds": NOW - 86_400.0, "duration_seconds": 402.0,
              "outcome": "complete", "inserted": 23_400_112, "updated": 0, "failed": 0 },
            { "run_id": "b", "started_at_seconds": NOW - 172_800.0, "duration_seconds": 12.0,
              "outcome": "unavailable", "inserted": 0, "updated": 0, "failed": 0 },
        ] },
    })
}

fn with(mut document: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        document[*name] = value.clone();
    }
    document
}

/// Runs of every kind: on, opening, complete, failed, and three that are none.
fn state() -> State {
    let complete = [
        ("pipeline_id", json!("customers")),
        ("outcome", json!("complete")),
        ("state", json!("stopped")),
        ("progress_ratio", json!(1.0)),
        ("eta_seconds", Value::Null),
        ("sentence", json!("complete in 12 s; 150,000 records written")),
        ("errors", json!([])),
        ("limit", json!({ "stage": "convert", "busy_share": 0.97 })),
    ];
    let failed = [
        ("pipeline_id", json!("search-backup")),
        ("source", json!({ "kind": "elasticsearch" })),
        ("outcome", json!("unavailable")),
        ("eta_seconds", Value::Null),
        (
            "sentence",
            json!(
                "failed after 15 min 02 s; 4,000 records written; 'http://es:9200' cannot be reached"
            ),
        ),
    ];
    let opening = json!({ "schema_version": 1, "pipeline_id": "nightly", "run_id": "c", "state": "starting",
        "source": { "kind": "elasticsearch" }, "sink": { "kind": "file" }, "elapsed_seconds": 2.0,
        "sentence": "opening elasticsearch and file for 2.0 s" });
    let hostile = [
        (
            "pipeline_id",
            json!("数据流水线\u{1b}[31m\u{202e}red 🦀 and far too long for any column there is"),
        ),
        ("sentence", json!("one\nline \u{7} only")),
        ("records_per_second", json!(1e300)),
        ("eta_seconds", json!(1e300)),
        ("progress_ratio", json!(17.0)),
        (
            "errors",
            json!([{ "stage": "\u{9b}x", "error_type": "y\r", "count": u64::MAX, "last_message": "\u{1b}]0;title\u{7}" },
                          { "stage": "z", "error_type": "y", "count": u64::MAX }]),
        ),
    ];
    let documents = [
        ("h1", orders()),
        ("h2", with(orders(), &complete)),
        ("h3", with(orders(), &failed)),
        ("h4", opening),
        ("h5", with(orders(), &hostile)),
    ];
    let keys = ["h1", "h2", "h3", "h4", "h5", "http://127.0.0.1:9200", "http://127.0.0.1:1"];
    let mut state = State::new(Rows::at(keys.map(|key| Key(key.to_string()))));
    for step in 0..40 {
        let rate = 40_000.0 + 20_000.0 * f64::from(step % 7);
        let document = with(orders(), &[("records_per_second", json!(rate))]);
        tell(&mut state, "h1", Ok(document));
    }
    for (key, document) in documents {
        tell(&mut state, key, Ok(document));
    }
    tell(&mut state, "http://127.0.0.1:9200", Err("no run of flowgauge answers there"));
    tell(&mut state, "http://127.0.0.1:1", Err("nobody listens there"));
    state
}

fn tell(state: &mut State, key: &str, answer: Result<Value, &str>) {
    let answer =
        answer.map(|document| (Box::new(RunSeen::of(&document).unwrap()), Arc::new(document)));
    state.take(News::Answer(Key(key.to_string()), answer.map_err(str::to_string)), NOW);
}

fn press(state: &mut State, keys: &[KeyCode]) {
    for key in keys {
        assert_eq!(state.press(KeyEvent::new(*key, KeyModifiers::NONE)), After::Stay);
    }
}

fn drawn(state: &mut State, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| frame::draw(frame, state, &Palette::new(true), NOW)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in 0..area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // A wide letter takes the place of the next one, too.
            x += super::paint::width_of(symbol).max(1) as u16;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn check(name: &str, keys: &[KeyCode]) {
    for size in SIZES {
        let mut state = state();
        press(&mut state, keys);
        let picture = text(&drawn(&mut state, size));
        let folder = format!("{}/tests/golden/top", env!("CARGO_MANIFEST_DIR"));
        let path = format!("{folder}/{name}-{}x{}.txt", size.0, size.1);
        if std::env::var("FLOWGAUGE_GOLDEN").is_ok_and(|how| how == "write") {
            fs::create_dir_all(folder).unwrap();
            fs::write(&path, &picture).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert_eq!(picture, expected, "\n{path} is\n{expected}\nand the picture is\n{picture}");
        assert!(!picture.chars().any(|letter| letter != '\n' && crate::shown::is_obeyed(letter)));
    }
}

#[test]
fn the_list_has_what_the_terminal_has_room_for() {
    check("list", &[]);
}

#[test]
fn one_run_is_shown_with_all_that_is_known_of_it() {
    check("detail", &[KeyCode::Enter]);
}

#[test]
fn a_run_of_a_stranger_stays_in_its_place() {
    check("hostile", &[KeyCode::End, KeyCode::Up, KeyCode::Up, KeyCode::Enter]);
}

#[test]
fn the_help_fits() {
    check("help", &[KeyCode::Char('?')]);
}

#[test]
fn no_size_is_too_small() {
    for view in [&[][..], &[KeyCode::Enter], &[KeyCode::Char('?')], &[KeyCode::Char('/')]] {
        for (width, height) in [(1, 1), (10, 3), (11, 4), (30, 8), (300, 5), (20, 100)] {
            let mut state = state();
            press(&mut state, view);
            drawn(&mut state, (width, height));
        }
    }
}

#[test]
fn without_colours_there_are_none() {
    let mut state = state();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| frame::draw(frame, &mut state, &Palette::new(false), NOW)).unwrap();
    let cells = &terminal.backend().buffer().content;
    assert!(cells.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
}

#[test]
fn keys_sort_filter_freeze_and_leave() {
    let mut state = state();
    let names = |state: &State| -> Vec<String> {
        state.rows().iter().map(|row| row.name().chars().take(9).collect()).collect()
    };
    assert_eq!(names(&state)[..3], ["orders", "customers", "search-ba"]);
    press(&mut state, &[KeyCode::Char('s')]);
    assert_eq!(names(&state)[..3], ["customers", "http://12", "http://12"]);
    press(&mut state, &[KeyCode::Char('r')]);
    assert_eq!(names(&state)[6], "customers");
    press(
        &mut state,
        &[KeyCode::Char('/'), KeyCode::Char('B'), KeyCode::Char('A'), KeyCode::Enter],
    );
    assert_eq!(names(&state), ["search-ba"]);
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!(names(&state).len(), 7);
    press(&mut state, &[KeyCode::Char(' ')]);
    tell(&mut state, "h1", Ok(with(orders(), &[("pipeline_id", json!("renamed"))])));
    assert!(!names(&state).contains(&"renamed".to_string()));
    press(&mut state, &[KeyCode::Char(' ')]);
    assert!(names(&state).contains(&"renamed".to_string()));
    press(&mut state, &[KeyCode::Enter]);
    assert_eq!(state.view, View::Detail);
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!(state.view, View::List);
    let quit = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    assert_eq!(state.press(quit), After::Leave);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.press(interrupt), After::Leave);
}

/// A run whose port is gone keeps what it said last.
#[test]
fn a_run_that_does_not_answer_any_more_is_gone() {
    let mut state = state();
    tell(&mut state, "h1", Err("nobody listens there"));
    let row = &state.rows()[0].to_owned().clone();
    assert_eq!((row.state().0, row.name().as_str()), ("gone", "orders"));
    assert_eq!(row.sentence(), "nobody listens there");
    tell(&mut state, "h2", Err("nobody listens there"));
    assert_eq!(state.rows()[1].state().0, "complete");
}
