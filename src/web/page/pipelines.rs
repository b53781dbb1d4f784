//! The pages of an exporter: all pipelines with their last runs, and one run with its numbers.

use super::earlier::{legend, strip};
use super::{ago, moment, seconds, section, standing, unknown};
use crate::draw::{Element, Node, element};
use crate::ledger::{PipelineHistory, RunRow};
use crate::report::text;
use crate::web::live::view::EarlierRunView;

/// What is known of all pipelines, at a time in seconds since the epoch.
pub struct Known<'a> {
    pub pipelines: &'a [PipelineHistory],
    pub read_at: Option<f64>,
    /// The ledger could be read the last time.
    pub is_up: bool,
    pub now: f64,
}

pub fn overview(known: &Known) -> Element {
    let rows = known.pipelines.iter().map(|pipeline| row(pipeline, known.now));
    let failing = known.pipelines.iter().filter(|pipeline| !is_well(pipeline)).count();
    let unended = known.pipelines.iter().filter(|pipeline| pipeline.last.is_none()).count();
    let told = match (known.pipelines.len(), failing) {
        (0, _) if known.read_at.is_none() => "The ledger was not read yet.".to_string(),
        (0, _) => "No pipeline has run yet.".to_string(),
        (all, 0) if unended == all => "No run has ended yet.".to_string(),
        (1, 0) => "The pipeline is well: its last run was complete.".to_string(),
        (all, 0) if unended > 0 => {
            format!("All that have ended are well; of {unended} of {all} pipelines no run has.")
        }
        (all, 0) => format!("All {all} pipelines are well: their last runs were complete."),
        (all, failing) => {
            let pipelines = if all == 1 { "pipeline" } else { "pipelines" };
            format!("The last run of {failing} of {all} {pipelines} was not complete.")
        }
    };
    let head = element("header")
        .child(
            element("div")
                .class("top")
                .child(element("p").class("mark").text("flowgauge exporter")),
        )
        .child(element("h1").text("Pipelines"))
        .child(element("p").class("told").text(told));
    let mut all = element("main").with("id", "live").child(head);
    if !known.is_up && known.read_at.is_some() {
        let lost = element("p")
            .class("alarm")
            .text("The ledger cannot be read now. What was known before is shown.");
        all = all.child(lost);
    }
    if !known.pipelines.is_empty() {
        let list = section("pipelines", "Last runs")
            .child(element("ul").class("pipelines").children(rows))
            .child(legend());
        all = all.child(list);
    }
    let read = known.read_at.map_or_else(unknown, moment);
    let foot = element("footer").child(
        element("p")
            .text("The ledger was read at ")
            .child(read)
            .text(": ")
            .child(element("a").with("href", "metrics").text("metrics")),
    );
    all.child(foot)
}

fn is_well(pipeline: &PipelineHistory) -> bool {
    let last = pipeline.last.as_ref().and_then(|run| run.outcome.as_deref());
    matches!(last, None | Some("complete"))
}

fn row(pipeline: &PipelineHistory, now: f64) -> Element {
    let last = pipeline.last.as_ref();
    let outcome = last.and_then(|run| run.outcome.as_deref());
    let (words, manner) = match outcome {
        None => ("no run has ended yet".to_string(), "on"),
        outcome => standing(outcome),
    };
    let at = last.and_then(|run| run.finished_at).map(|at| ago(now - at));
    let mut line = element("p")
        .class(format!("state {manner}"))
        .child(element("span").class("dot").with("aria-hidden", "true"))
        .text(words);
    if let Some(at) = at {
        line = line.child(element("span").class("quiet").text(at));
    }
    let runs: Vec<EarlierRunView> = pipeline.recent.iter().map(EarlierRunView::of).collect();
    let name = element("div").child(element("h3").text(&pipeline.pipeline_id)).child(line);
    let mut facts = element("dl");
    let records = last.and_then(RunRow::taken).map(text::count);
    for (name, value) in [
        ("records", records),
        ("took", last.and_then(|run| run.duration_s).map(seconds)),
        ("last complete", pipeline.last_success_at.map(|at| ago(now - at))),
    ] {
        let value = value.map_or_else(unknown, |value| element("span").text(value));
        facts = facts.child(
            element("div").child(element("dt").text(name)).child(element("dd").child(value)),
        );
    }
    element("li").child(name).child(strip(&runs, now, true)).child(facts)
}

/// One run, with all that its row in the ledger has.
pub fn run(run: &RunRow, now: f64) -> Element {
    let (words, manner) = standing(run.outcome.as_deref());
    let took = run.duration_s.map(|took| format!(", it took {}", seconds(took)));
    let target = run.target.as_deref().unwrap_or("standard output");
    let mut head = element("header")
        .child(
            element("div")
                .class("top")
                .child(
                    element("p")
                        .class("mark")
                        .child(element("a").with("href", "../").text("flowgauge exporter")),
                )
                .child(
                    element("p")
                        .class(format!("state {manner}"))
                        .child(element("span").class("dot").with("aria-hidden", "true"))
                        .text(words),
                ),
        )
        .child(element("h1").text(&run.pipeline_id))
        .child(
            element("p")
                .class("who")
                .text(format!("{} into {} {target}, started ", run.source_name, run.sink))
                .child(moment(run.started_at))
                .text(format!(" ({})", ago(now - run.started_at)))
                .text(took.unwrap_or_default()),
        );
    if let Some(error) = &run.error {
        head = head.child(element("p").class("why").text(error));
    }
    element("main").with("id", "live").child(head).child(balance(run)).child(facts(run)).child(
        element("footer").child(
            element("p")
                .text("Its stages and errors: ")
                .child(element("code").text(format!("flowgauge runs show {}", run.run_id))),
        ),
    )
}

fn balance(run: &RunRow) -> Element {
    let terms = [
        ("read", run.read),
        ("inserted", run.inserted),
        ("updated", run.updated),
        ("skipped", run.skipped()),
        ("failed", run.failed),
        ("not settled", run.residual),
    ];
    let terms = terms.map(|(name, value)| {
        let class = match (name, value) {
            (_, None | Some(0)) => "none",
            ("failed" | "not settled", _) => "bad",
            _ => "some",
        };
        element("div")
            .class(class)
            .child(element("dt").text(name))
            .child(element("dd").child(number(value)))
    });
    section("balance", "Balance").child(element("dl").class("balance").children(terms))
}

fn number(value: Option<i64>) -> Element {
    value.map_or_else(unknown, |value| element("span").text(text::count(value.unsigned_abs())))
}

fn facts(run: &RunRow) -> Element {
    let text_of = |text: String| element("span").text(text);
    let bytes = |value: Option<i64>| {
        value.map_or_else(unknown, |value| text_of(text::bytes(value.unsigned_abs())))
    };
    let whole = |text: &Option<String>| text.clone().map_or_else(unknown, text_of);
    let rows: Vec<(&str, Node)> = vec![
        ("run", element("code").text(&run.run_id).into()),
        ("ended", run.finished_at.map_or_else(unknown, moment).into()),
        ("exit code", number(run.exit_code).into()),
        ("limit", whole(&run.verdict).into()),
        ("read", bytes(run.bytes_read).into()),
        ("written", bytes(run.bytes_written).into()),
        ("CPU time", run.cpu_s.map_or_else(unknown, |cpu| text_of(seconds(cpu))).into()),
        ("most memory", bytes(run.peak_rss_bytes).into()),
        ("mode", whole(&run.mode).into()),
        ("rejected records", whole(&run.rejects_path).into()),
        ("host", run.host.as_str().into()),
        ("version", run.version.as_str().into()),
    ];
    let rows = rows.into_iter().map(|(name, value)| {
        element("div").child(element("dt").text(name)).child(element("dd").child(value))
    });
    let facts = element("div").child(element("dl").children(rows));
    section("details", "Details").child(element("div").class("groups one").child(facts))
}
