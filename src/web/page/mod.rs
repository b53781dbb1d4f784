//! The pages for browsers: of a run (`run`), and of an exporter (`pipelines`). Each is one answer with its style,
//! its script and the numbers of the moment; the script only exchanges elements for newer ones. Pure.
//!
//! What they may do is fixed by `policy`: run this script, have this style, ask this server, and nothing else.

mod balance;
mod details;
mod earlier;
mod path;
pub mod pipelines;
mod plots;
pub mod run;

use std::fmt::Display;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::draw::{Element, element};
use crate::report::text;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A needle on a scale, as a URL.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
%3Cpath d='M2 12a6 6 0 1 1 12 0' fill='none' stroke='%230b7285' stroke-width='2'/%3E\
%3Cpath d='M8 12l3-5' stroke='%230b7285' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";

/// The header Content-Security-Policy of all pages.
pub fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            source(SCRIPT),
            source(STYLE)
        )
    });
    &POLICY
}

fn source(text: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
}

/// A page; with `follows`, the script keeps its element `live` up to date.
pub fn document(title: &str, live: &Element, follows: bool) -> String {
    let title = element("title").text(title).html();
    let (follows, script) = match follows {
        true => (" data-follows", format!("<script>{SCRIPT}</script>\n")),
        false => ("", String::new()),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n{title}\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>{STYLE}</style>\n</head>\n<body{follows}>\n\
         <p id=\"news\" role=\"status\"></p>\n{}\n{script}</body>\n</html>\n",
        live.html()
    )
}

/// A number with the series that it is the value of.
fn figure(series: impl Display, value: f64, text: impl Display) -> Element {
    element("data").with("value", value).with("title", series).text(text)
}

/// A whole number of that kind.
fn count(series: impl Display, value: u64) -> Element {
    figure(series, value as f64, text::count(value))
}

/// A number that is made of others: `origin` says of which.
fn derived(origin: impl Display, text: impl Display) -> Element {
    element("span").class("made").with("title", origin).text(text)
}

/// For what is not known.
fn unknown() -> Element {
    element("span").class("quiet").text("–")
}

fn section(id: &'static str, title: &str) -> Element {
    let head = element("h2").with("id", id).text(title);
    element("section").with("aria-labelledby", id).child(head)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn per_second(rate: f64) -> String {
    match rate {
        rate if rate > 0.0 && rate < 9.95 => format!("{rate:.1}/s"),
        rate => format!("{}/s", text::count(rate.round() as u64)),
    }
}

/// How a run stands, and how that is coloured.
fn standing(outcome: Option<&str>) -> (String, &'static str) {
    let Some(outcome) = outcome else { return ("no end yet".to_string(), "on") };
    let words = outcome.replace('_', " ");
    match outcome {
        "complete" => (words, "ok"),
        "interrupted" | "interrupted_hangup" | "terminated" => (format!("stopped: {words}"), "bad"),
        _ => (format!("failed: {words}"), "bad"),
    }
}

fn seconds(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0 s".to_string();
    }
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    text::duration(time)
}

/// How long ago something was, as exact as it matters.
fn ago(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 => "now".to_string(),
        1..60 => format!("{whole} s ago"),
        60..3600 => format!("{} min ago", whole / 60),
        3600..86_400 => format!("{} h ago", whole / 3600),
        _ => format!("{} d ago", whole / 86_400),
    }
}

/// `2026-11-27 03:12:05 UTC`, of seconds since the epoch.
fn moment(seconds: f64) -> Element {
    let at = Timestamp::from_second(seconds as i64).unwrap_or_default();
    let shown = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    element("time").with("datetime", at).text(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_as_exact_as_they_matter() {
        for (seconds, expected) in [
            (-3.0, "now"),
            (0.9, "now"),
            (59.9, "59 s ago"),
            (60.0, "1 min ago"),
            (7_300.0, "2 h ago"),
            (200_000.0, "2 d ago"),
        ] {
            assert_eq!(ago(seconds), expected);
        }
    }

    #[test]
    fn no_script_or_style_ends_before_its_end() {
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
        assert!(policy().contains("script-src 'sha256-") && !policy().contains("unsafe"));
    }

    #[test]
    fn a_title_is_text() {
        let page = document("</title><script>", &element("main"), false);
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
    }
}
