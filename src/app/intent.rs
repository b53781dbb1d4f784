//! The first line of a run: what it will do, and what holds for it whatever happens.

use super::fitted_table::Fitted;
use crate::config::{Settings, SinkSettings, SourceSettings};
use crate::sink::file::FileSettings;
use crate::sink::mysql::{Mode, Plan, Preset};

/// `csv orders.csv into mysql shop.orders at db:3306, upsert on id; every batch is written once, starting
/// again is safe`
pub fn intent(settings: &Settings, table: Option<&Fitted>) -> String {
    let source = source_words(&settings.source);
    match &settings.sink {
        SinkSettings::File(FileSettings { path: Some(path), format, .. }) => format!(
            "{source} into {} {}; the file appears when it is complete, starting again is safe",
            format.as_str(),
            path.display()
        ),
        SinkSettings::File(file) => format!(
            "{source} into {} on standard output; what was written before a failure stays with \
             its reader",
            file.format.as_str()
        ),
        SinkSettings::Mysql(mysql) => {
            let plan = table.map(|table| &table.plan);
            let manner = plan.map(|plan| manner(plan, mysql.mode.is_some()));
            format!(
                "{source} into mysql {} at {}{}",
                mysql.full_table(),
                mysql.address,
                manner.unwrap_or_default()
            )
        }
    }
}

fn manner(plan: &Plan, is_mode_given: bool) -> String {
    let why = match is_mode_given {
        true => String::new(),
        false => format!(" ({})", plan.mode_reason),
    };
    let mode = match (&plan.key, plan.mode) {
        (Some(_), Mode::Skip | Mode::Upsert) => {
            format!("{} on {}{why}", plan.mode.as_str(), key_words(plan))
        }
        _ => format!("{}{why}", plan.mode.as_str()),
    };
    if plan.columns.is_empty() {
        return format!(", {mode}; no fields are known yet, and without them no row is written");
    }
    let batches = match plan.is_transactional {
        true => "every batch is written once",
        false => "the table cannot roll back, so a failure may leave a part of a batch",
    };
    format!(", {mode}; {batches}, {}", again(plan))
}

/// What a second run would do to the rows of this one.
fn again(plan: &Plan) -> &'static str {
    let Some(key) = &plan.key else {
        return "a second run would write every row again: empty the table before it";
    };
    let is_made = |at: &usize| plan.columns[*at].column.preset == Preset::Computed;
    // By the server, where a record does not say it.
    let may_be_made = key.columns.len() < key.parts.len() || key.columns.iter().any(is_made);
    let is_certain = !key.is_nullable && !may_be_made;
    match plan.mode {
        Mode::Skip | Mode::Upsert if is_certain => "starting again is safe",
        Mode::Skip | Mode::Upsert => {
            "starting again is safe for records that have a value for the whole key"
        }
        Mode::Insert if is_certain => "a second run would reject the rows that are there",
        Mode::Insert => "a second run may write rows again: empty the table before it",
    }
}

fn key_words(plan: &Plan) -> String {
    let parts = plan.key.iter().flat_map(|key| &key.parts);
    let name = |column: &Option<String>| column.clone().unwrap_or("an expression".to_string());
    parts.map(|part| name(&part.column)).collect::<Vec<_>>().join(", ")
}

/// The files that it reads, or the index and where that is.
fn source_words(source: &SourceSettings) -> String {
    match source {
        SourceSettings::Csv(csv) => format!("csv {}", csv.files.join(", ")),
        SourceSettings::Jsonl(jsonl) => format!("jsonl {}", jsonl.files.join(", ")),
        SourceSettings::Elastic(elastic) => {
            format!("elasticsearch {} {}", elastic.shown_urls(), elastic.indices.join(","))
        }
    }
}
