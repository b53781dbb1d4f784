//! Runs that are over, as columns side by side: how many records up, how long down, and how each ended.

use super::{ago, seconds, section, standing};
use crate::draw::plot::up_and_down;
use crate::draw::{Element, element};
use crate::report::text;
use crate::web::live::view::{EarlierRunView, LedgerView, View};

pub fn earlier(view: &View, ledger: &LedgerView) -> Element {
    let whole = section("earlier", "Earlier runs");
    if ledger.runs.is_empty() {
        return whole
            .child(element("p").class("quiet").text("This is the first one in the ledger."));
    }
    whole.child(strip(&ledger.runs, view.taken_at_seconds, false)).child(legend())
}

pub fn legend() -> Element {
    element("p")
        .class("quiet")
        .text("Up: records taken. Down: how long. The newest is on the right.")
}

/// The newest on the right, each with its own numbers, and a way to all of them where there is one.
pub fn strip(runs: &[EarlierRunView], now: f64, has_pages: bool) -> Element {
    let most = |of: fn(&EarlierRunView) -> f64| runs.iter().map(of).fold(0.0, f64::max);
    let (most_records, longest) = (most(taken), most(lasted));
    let share = |value: f64, most: f64| if most > 0.0 { value / most } else { 0.0 };
    let columns = runs.iter().rev().map(|run| {
        let drawn = up_and_down(
            share(taken(run), most_records),
            share(lasted(run), longest),
            standing(run.outcome.as_deref()).1,
        );
        let words = words(run, now);
        let column = match has_pages {
            true => element("a")
                .with("href", format!("runs/{}", path_part(&run.run_id)))
                .with("aria-label", &words),
            false => element("span").with("role", "img").with("aria-label", &words),
        };
        element("li").child(column.with("title", words).child(drawn))
    });
    element("ol").class("strip").children(columns)
}

fn taken(run: &EarlierRunView) -> f64 {
    let known = [run.inserted, run.updated, run.skipped].into_iter().flatten();
    known.sum::<i64>().max(0) as f64
}

fn lasted(run: &EarlierRunView) -> f64 {
    run.duration_seconds.unwrap_or_default()
}

fn words(run: &EarlierRunView, now: f64) -> String {
    let (outcome, _) = standing(run.outcome.as_deref());
    let records = text::counted(taken(run) as u64, "record");
    let took = run.duration_seconds.map(|took| format!(" in {}", seconds(took)));
    let failed = run.failed.filter(|failed| *failed > 0);
    let failed = failed.map(|failed| format!(", {} rejected", text::count(failed.unsigned_abs())));
    format!(
        "{outcome}, {}: {records}{}{}",
        ago(now - run.started_at_seconds),
        took.unwrap_or_default(),
        failed.unwrap_or_default()
    )
}

/// An id as one part of a path, whatever is in it.
pub fn path_part(id: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}
