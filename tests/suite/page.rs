//! The page of a run and of the exporter, in a real browser: it says what the metrics say, it can be read by
//! everybody, and whatever browsers do is nothing to the run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ChildStdin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::exposition::{Sample, Scrape};
use crate::support::program::Running;
use crate::support::{Flowgauge, Workdir, eventually, http, needs, workdir};

const BROWSER: &[(&str, &str)] = &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];

/// A name that would like to be more than text.
const HOSTILE: &str = "<b>o'rders</b>&\"</script><img src=x onerror=alert(1)>";

/// More than is read ahead.
const RECORDS: usize = 40_000;

/// A run that has moved some records, rejected one, and waits for more.
fn waiting(workdir: &Workdir, id: &str) -> (Waiting, String) {
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--max-errors", "10", "--batch-size", "100", "--pipeline-id", id]);
    let mut run = command.args(["--metrics-port", "0"]).stdin_open().spawn();
    let address = run.metrics_address();
    let mut input = run.stdin();
    for number in 0..RECORDS {
        writeln!(input, "{{\"id\": {number}}}").unwrap();
    }
    writeln!(input, "no JSON").unwrap();
    eventually("its first records", || {
        (view(&address)["records"]["inserted"].as_u64() > Some(0)).then_some(())
    });
    (Waiting { run, input }, address)
}

struct Waiting {
    run: Running,
    input: ChildStdin,
}

#[track_caller]
fn finish(Waiting { run, input }: Waiting) {
    drop(input);
    run.finish().assert_code(0);
}

fn view(address: &str) -> Value {
    let answer = http::get(address, "/run.json").unwrap();
    serde_json::from_str(answer.text()).unwrap()
}

/// All numbers of the page that name a series, and the number of their snapshot, read in one go.
const NUMBERS: &str = "return [document.getElementById('snapshot').textContent, \
    [...document.querySelectorAll('data[title]')].map(d => [d.title, d.value])]";

/// How many numbers of a page are those of the metrics under the same number; none where it is gone.
fn compared(shown: &Value, address: &str) -> Option<usize> {
    let number = shown[0].as_str().unwrap();
    let answer = http::get(address, &format!("/metrics?snapshot={number}")).unwrap();
    if answer.status == 404 {
        return None;
    }
    assert_eq!(answer.header("flowgauge-snapshot"), Some(number));
    let scrape = Scrape::parse(answer.text());
    let numbers = shown[1].as_array().unwrap();
    for pair in numbers {
        let (series, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let Sample { name, labels, .. } = Scrape::parse(&format!("{series} 0")).samples.remove(0);
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(l, v)| (l.as_str(), v.as_str())).collect();
        assert_eq!(scrape.value(&name, &labels), value.parse::<f64>().unwrap(), "{series}");
    }
    Some(numbers.len())
}

#[test]
fn page_and_metrics_say_the_same_under_the_same_number() {
    let driver = needs!("chromium");
    let workdir = workdir!();
    let (run, address) = waiting(&workdir, HOSTILE);
    let browser = Browser::start(&driver, &workdir);
    browser.open(&format!("http://{address}/"));
    let mut seen = Vec::new();
    // Three pictures, each another one that the stream brought.
    while seen.len() < 3 {
        let shown = browser.run(NUMBERS);
        if seen.contains(&shown[0]) {
            continue;
        }
        if let Some(numbers) = compared(&shown, &address) {
            assert!(numbers > 25, "{shown}");
            seen.push(shown[0].clone());
        }
    }
    assert_eq!(browser.run("return document.querySelector('h1').textContent"), HOSTILE);
    assert_eq!(browser.run("return document.images.length"), 0);
    // The last one stays when the run and its server are gone.
    finish(run);
    let state = || browser.run("return document.querySelector('.state').textContent");
    eventually("the end", || (state() == "complete").then_some(()));
    let read = browser.run("return document.querySelector('.balance dd data').value");
    assert_eq!(read, "40001");
    assert_eq!(browser.run("return document.getElementById('news').textContent"), "");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// As the page of an exporter links to it, once it has read its ledger.
fn first_run(address: &str) -> String {
    eventually("a link to a run", || {
        let overview = http::request(address, "GET", "/", BROWSER).unwrap();
        let (_, link) = overview.text().split_once("href=\"runs/")?;
        Some(link.split_once('"')?.0.to_string())
    })
}

#[test]
fn everybody_can_read_it() {
    let driver = needs!("chromium");
    let axe = std::env::var("FLOWGAUGE_TEST_AXE").expect("tests/run exports it with the browser");
    let axe = std::fs::read_to_string(axe).unwrap();
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,2\nbad\n");
    let before = ["--csv-file", "in.csv", "--output-file", "o.jsonl", "--pipeline-id", HOSTILE];
    workdir.flowgauge().args(before).args(["--max-errors", "1"]).run().assert_code(0);
    workdir.flowgauge().args(before).run().assert_code(3);
    let (run, address) = waiting(&workdir, HOSTILE);
    let mut exporter = workdir.flowgauge().args(["exporter", "--port", "0"]).spawn();
    let exporting = exporter.metrics_address();
    let id = first_run(&exporting);
    for scheme in ["light", "dark"] {
        let browser = Browser::start(&driver, &workdir);
        for url in [
            format!("http://{address}/"),
            format!("http://{exporting}/"),
            format!("http://{exporting}/runs/{id}"),
        ] {
            browser.scheme(scheme);
            browser.open(&url);
            browser.run(&axe);
            let found = browser.wait_for("axe.run(document, { resultTypes: ['violations'] })");
            let found = found["violations"].as_array().unwrap_or_else(|| panic!("{found}"));
            assert!(found.is_empty(), "{url}, {scheme}: {found:#?}");
            assert_eq!(browser.complaints(), Vec::<String>::new(), "{url}");
        }
    }
    finish(run);
}

#[test]
fn a_lost_connection_is_survived() {
    let driver = needs!("chromium");
    let workdir = workdir!();
    let (Waiting { run, input: _input }, address) = waiting(&workdir, "orders");
    let port = address.rsplit(':').next().unwrap().to_string();
    let browser = Browser::start(&driver, &workdir);
    browser.open(&format!("http://{address}/"));
    run.signal(rustix::process::Signal::KILL);
    run.finish();
    let news = || browser.run("return document.getElementById('news').textContent");
    eventually("what is said", || news().as_str().unwrap().contains("out of reach").then_some(()));
    let shown = browser.run("return document.querySelector('.balance dd data').value");
    assert!(shown.as_str().unwrap().parse::<usize>().unwrap() > 0, "{shown}");
    // The next run of the pipeline takes the same port, and the page goes on with it.
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    let command = command.args(["--pipeline-id", "again", "--metrics-port", &port]);
    let mut run = command.stdin_open().spawn();
    run.metrics_address();
    let next = Waiting { input: run.stdin(), run };
    let name = || browser.run("return document.querySelector('h1').textContent");
    eventually("the next run", || (name() == "again" && news() == "").then_some(()));
    finish(next);
}

#[test]
fn without_javascript_the_numbers_of_the_moment_are_there() {
    let driver = needs!("chromium");
    let workdir = workdir!();
    let (run, address) = waiting(&workdir, HOSTILE);
    let browser = Browser::without_scripts(&driver, &workdir);
    eventually("the page", || {
        browser.open(&format!("http://{address}/"));
        let shown = browser.run(NUMBERS);
        let read = browser.run("return document.querySelector('.balance dd data').value");
        compared(&shown, &address).filter(|_| read != "0")
    });
    let advice = browser.run("return document.querySelector('noscript').innerText");
    assert!(advice.as_str().unwrap().contains("Without JavaScript"), "{advice}");
    finish(run);
}

/// A page that is open: a stream of events.
fn follow(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream
}

#[test]
fn twenty_pages_and_twenty_scrapers_are_served_at_once_and_one_that_never_reads_is_nobodys_trouble()
{
    let workdir = workdir!();
    let (run, address) = waiting(&workdir, "orders");
    let deaf: Vec<TcpStream> = (0..64).map(|_| follow(&address)).collect();
    let pages: Vec<_> = (0..20)
        .map(|_| {
            let mut page = follow(&address);
            std::thread::spawn(move || {
                let mut told = String::new();
                page.read_to_string(&mut told).map(|_| told)
            })
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            let scrape = || (0..20).for_each(|_| drop(Scrape::of(&address)));
            scope.spawn(scrape);
        }
    });
    finish(run);
    for page in pages {
        let told = page.join().unwrap().unwrap();
        let (head, events) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let last = events.rsplit("data: ").next().unwrap();
        assert!(last.starts_with("{\"is_final\":true,"), "{last}");
    }
    drop(deaf);
}

#[test]
fn a_stream_goes_on_where_it_was_and_ends_with_the_run() {
    let workdir = workdir!();
    let command = workdir.flowgauge().args(["--jsonl-file", "-", "--output-file", "out.jsonl"]);
    // It answers until it was scraped.
    let command = command.args(["--metrics-port", "0", "--metrics-until-scraped"]);
    let mut run = command.stdin_open().spawn();
    let address = run.metrics_address();
    let mut stream = follow(&address);
    drop(run.stdin());
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let ids: Vec<u64> = (told.lines().filter_map(|line| line.strip_prefix("id: ")))
        .map(|id| id.rsplit('.').next().unwrap().parse().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one < next) && !ids.is_empty(), "{ids:?}");
    let id = told.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let again = |id: &str| http::request(&address, "GET", "/events", &[("last-event-id", id)]);
    assert_eq!(again(id).unwrap().status, 204);
    let other = again("other.1").unwrap();
    assert!(other.text().contains("\"is_final\":true"), "{}", other.text());
    Scrape::of(&address);
    run.finish().assert_code(0);
}

#[test]
fn the_page_is_one_small_answer_that_may_do_nothing_else() {
    let workdir = workdir!();
    let (run, address) = waiting(&workdir, HOSTILE);
    let page = http::request(&address, "GET", "/", BROWSER).unwrap();
    assert!(page.body.len() <= 100 << 10, "{} bytes", page.body.len());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
        let (_, rest) = page.text().split_once(&format!("<{tag}>")).unwrap();
        let (inside, _) = rest.split_once(&format!("</{tag}>")).unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, inside.as_bytes());
        let hash = format!("{directive} 'sha256-{}';", STANDARD.encode(hash));
        assert!(policy.contains(&hash), "{policy}");
    }
    for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    for outside in [" style=", "http://", "https://", "onerror=alert(1)>\"", "<img"] {
        let text = page.text().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(page.text().contains("&lt;b&gt;o&#39;rders&lt;/b&gt;"));
    // Who does not ask for it gets the list.
    let list = http::get(&address, "/").unwrap();
    assert!(list.text().starts_with("/ "), "{}", list.text());
    finish(run);
}

#[test]
fn the_exporter_shows_its_pipelines_with_their_last_runs() {
    let workdir = workdir!();
    workdir.write("in.csv", "a,b\n1,2\nbad\n");
    let program = |args: &str| -> Flowgauge {
        let all = format!("--csv-file in.csv --output-file out.jsonl {args}");
        workdir.flowgauge().args(all.split(' '))
    };
    program("--pipeline-id good --max-errors 1").run().assert_code(0);
    program("--pipeline-id bad").run().assert_code(3);
    let mut exporter = workdir.flowgauge().args(["exporter", "--port", "0"]).spawn();
    let address = exporter.metrics_address();
    let get = |path: &str| http::request(&address, "GET", path, BROWSER).unwrap();
    let id = first_run(&address);
    let overview = get("/");
    let text = overview.text();
    assert!(text.contains("The last run of 1 of 2 pipelines was not complete."), "{text}");
    let run = get(&format!("/runs/{id}"));
    assert_eq!(run.status, 200, "{}", run.text());
    assert!(run.text().contains("flowgauge runs show "), "{}", run.text());
    assert_eq!(get("/runs/other").status, 404);
    assert!(http::get(&address, "/").unwrap().text().starts_with("/ "));
}
