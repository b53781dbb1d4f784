//! The summary of a run for people. Pure.

use std::fmt::Write;

use super::counters::COUNTERS;
use super::{Report, bottleneck, stage_table, text};
use crate::shown::Line;

/// What is said at the end of a run, with a table for a terminal of this width.
pub fn summary(report: &Report, width: usize) -> String {
    let run = &report.run;
    let mut out = String::new();
    let mut line = |sentence: String| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{sentence}");
    };
    line(format!(
        "{}{} {} in {}: {}",
        report.alarm(),
        Line(&report.pipeline_id),
        report.outcome.as_str(),
        text::duration(run.elapsed),
        report.what_happened()
    ));
    line(String::new());
    stage_table::rows(run, width).into_iter().for_each(&mut line);
    line(String::new());
    line(format!("  {}", report.balance()));
    for (error_type, failed) in &run.rejected {
        line(format!("    {:>12} {}", text::count(*failed), error_type.as_str()));
    }
    for row in &COUNTERS {
        let values = run.counted(row.counter);
        if let Some(sentence) = row.sentence.filter(|_| values > 0) {
            line(format!("  {}", sentence.replace("{}", &text::counted(values, "value"))));
        }
    }
    if let Some(rejects) = &report.rejects {
        line(format!("  rejected records: {}", Line(rejects)));
    }
    if report.rejects_lost > 0 {
        line(format!("  {} in no file", text::counted(report.rejects_lost, "rejected record")));
    }
    if report.log_lines_dropped > 0 {
        line(format!(
            "  dropped: {}, as standard error could not be written",
            text::counted(report.log_lines_dropped, "log line")
        ));
    }
    if let Some(bottleneck) = bottleneck(run) {
        line(format!("  limit: {}", bottleneck.sentence(report)));
    }
    if let Some(restore) = report.restore.as_ref().filter(|_| report.published.is_some()) {
        restore.lines().iter().for_each(|order| line(format!("  {}", Line(order))));
    }
    out
}
