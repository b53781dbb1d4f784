//! The page of a run, made of its view.

use super::{ago, standing};
use super::{balance, count, details, earlier, moment, path, plots, section, unknown};
use crate::draw::{Element, element};
use crate::web::live::series::TimeSeries;
use crate::web::live::view::View;

/// `41 % orders`, so that a tab tells how far it is.
pub fn title(view: &View) -> String {
    let standing = match (view.outcome, view.progress_ratio) {
        (Some(outcome), _) => outcome.to_string(),
        (None, Some(progress)) => format!("{:.0} %", (progress * 100.0).floor()),
        (None, None) => view.state.to_string(),
    };
    format!("{standing} · {} · flowgauge", view.pipeline_id)
}

/// The element that is exchanged for newer ones.
pub fn live(view: &View, series: &TimeSeries) -> Element {
    element("main")
        .with("id", "live")
        .child(head(view))
        .child(balance::balance(view))
        .child(path::path(view))
        .child(plots::plots(view, series))
        .child(errors(view))
        .child(details::details(view))
        .children(view.ledger.as_ref().map(|ledger| earlier::earlier(view, ledger)))
        .child(foot(view))
}

fn head(view: &View) -> Element {
    let (words, manner) = match view.outcome {
        None => (view.state.to_string(), "on"),
        outcome => standing(outcome),
    };
    let state = element("p")
        .class(format!("state {manner}"))
        .child(element("span").class("dot").with("aria-hidden", "true"))
        .text(words);
    let who = element("p")
        .class("who")
        .text(format!("{} into {}, started ", view.source.kind, view.sink.kind))
        .child(moment(view.started_at_seconds))
        .text(", run ")
        .child(element("code").text(&view.run_id));
    let told = element("p").class("told").text(prose(&view.sentence));
    element("header")
        .child(
            element("div")
                .class("top")
                .child(element("p").class("mark").text("flowgauge"))
                .child(state),
        )
        .child(element("h1").text(&view.pipeline_id))
        .child(who)
        .child(told)
        .children(view.error.as_ref().map(|error| element("p").class("why").text(error)))
        .children(view.progress_ratio.map(|progress| advance(progress, manner)))
}

fn advance(progress: f64, manner: &str) -> Element {
    let percent = (progress * 100.0).floor();
    element("div")
        .class(format!("advance {manner}"))
        .with("role", "progressbar")
        .with("aria-label", "share of the source that is done")
        .with("aria-valuenow", percent)
        .with("aria-valuemin", 0)
        .with("aria-valuemax", 100)
        .child(crate::draw::plot::bar(progress, "fill"))
}

/// As prose: it begins and ends like one, and no number is parted from its unit.
fn prose(sentence: &str) -> String {
    let mut out = String::new();
    let mut letters = sentence.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_behind_number = out.ends_with(|before: char| before.is_ascii_digit());
        match letter {
            first if out.is_empty() => out.extend(first.to_uppercase()),
            ' ' if is_behind_number
                && letters.peek().is_some_and(|next| !next.is_ascii_digit()) =>
            {
                out.push('\u{a0}');
            }
            other => out.push(other),
        }
    }
    out + "."
}

fn errors(view: &View) -> Element {
    let whole = section("errors", "Errors and rejected records");
    if view.errors.is_empty() {
        return whole.child(element("p").class("quiet").text(if view.is_final {
            "None."
        } else {
            "None so far."
        }));
    }
    let heads = ["what", "stage", "how often", "tried again", "last", "last message"];
    let head =
        element("tr").children(heads.map(|name| element("th").with("scope", "col").text(name)));
    let rows = view.errors.iter().map(|error| {
        let (stage, kind) = (error.stage, error.error_type);
        let labels = format!("{{stage=\"{stage}\",error_type=\"{kind}\"}}");
        let retries = view.retries.iter();
        let mut retries =
            retries.filter(|retries| (retries.stage, retries.error_type) == (stage, kind));
        let again = retries.next().map_or_else(unknown, |retries| {
            count(format!("pipeline_retries_total{labels}"), retries.count)
        });
        element("tr")
            .child(element("th").with("scope", "row").text(kind.replace('_', " ")))
            .child(element("td").class("stage").text(stage))
            .child(
                element("td")
                    .class("n")
                    .child(count(format!("pipeline_errors_total{labels}"), error.count)),
            )
            .child(element("td").class("n").child(again))
            .child(
                element("td")
                    .class("n last")
                    .text(ago(view.taken_at_seconds - error.last_at_seconds)),
            )
            .child(element("td").class("message").text(&error.last_message))
    });
    let table =
        element("table").child(element("thead").child(head)).child(element("tbody").children(rows));
    whole.child(
        element("div")
            .class("scroll")
            .with("tabindex", 0)
            .with("role", "group")
            .with("aria-labelledby", "errors")
            .child(table),
    )
}

fn foot(view: &View) -> Element {
    let link = |path: &str, text: &str| element("a").with("href", path).text(text);
    let number = view.snapshot;
    let names = element("label")
        .child(element("input").with("type", "checkbox").with("id", "names"))
        .text(" names of the metrics");
    element("footer")
        .child(
            element("p")
                .text("Snapshot ")
                .child(element("span").with("id", "snapshot").text(number))
                .text(" of ")
                .child(moment(view.taken_at_seconds))
                .text(": ")
                .child(link(&format!("metrics?snapshot={number}"), "metrics"))
                .text(", ")
                .child(link("run.json", "JSON")),
        )
        .child(element("p").text(format!("flowgauge {} ({})", view.version, view.revision)))
        .child(element("p").child(names))
        .children((!view.is_final).then(|| {
            element("noscript").text(
                "Without JavaScript this page stays as it is. Load it again for newer numbers.",
            )
        }))
}
