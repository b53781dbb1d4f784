//! The balance of a run: read = inserted + updated + skipped + failed + under way.

use super::{count, derived, section};
use crate::draw::{Element, element};
use crate::report::text;
use crate::web::live::view::View;

pub fn balance(view: &View) -> Element {
    let records = &view.records;
    let skipped = &records.skipped;
    let all_skipped = skipped.duplicate + skipped.unchanged + skipped.filtered;
    let whole = "pipeline_records_skipped_total";
    let reasons = [
        ("duplicate", skipped.duplicate),
        ("unchanged", skipped.unchanged),
        ("filtered", skipped.filtered),
    ];
    let reasons: Vec<Element> = (reasons.into_iter().filter(|(_, records)| *records > 0))
        .map(|(reason, records)| {
            let series = format!("{whole}{{reason=\"{reason}\"}}");
            element("span").class("part").child(count(series, records)).text(format!(" {reason}"))
        })
        .collect();
    let rejected = view.rejected.iter().map(|rejected| {
        let words = rejected.error_type.replace('_', " ");
        element("span").class("part").text(format!("{} {words}", text::count(rejected.count)))
    });
    let written = |name: &str, value| count(format!("pipeline_records_{name}_total"), value);
    let terms = element("dl")
        .class("balance")
        .child(term("read", records.read, written("read", records.read)))
        .child(term("inserted", records.inserted, written("inserted", records.inserted)))
        .child(term("updated", records.updated, written("updated", records.updated)))
        .child(
            term("skipped", all_skipped, derived(whole, text::count(all_skipped)))
                .children(below(reasons)),
        )
        .child(
            term("failed", records.failed, written("failed", records.failed))
                .children(below(rejected.collect())),
        )
        .child(term(
            if view.outcome.is_none() { "under way" } else { "not settled" },
            records.residual,
            count("pipeline_records_residual", records.residual),
        ));
    section("balance", "Balance").child(terms)
}

fn term(name: &str, value: u64, number: Element) -> Element {
    let class = match (name, value) {
        (_, 0) => "none",
        ("failed", _) => "bad",
        _ => "some",
    };
    element("div").class(class).child(element("dt").text(name)).child(element("dd").child(number))
}

fn below(parts: Vec<Element>) -> Option<Element> {
    (!parts.is_empty()).then(|| element("dd").class("parts").children(parts))
}
