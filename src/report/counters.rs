//! What is counted and nothing else, one row each: where the number is shown. A new one is a variant of
//! `event::Counter`, a row here, and the place that tells it. Pure.

use crate::event::Counter;

pub struct CounterRow {
    pub counter: Counter,
    /// Its name in the summary; a dot leads into an object.
    pub summary: &'static str,
    /// How so many values (`{}`) are told in the table at the end of a run, where there are any.
    pub sentence: Option<&'static str>,
    /// Name and help of its metric.
    pub metric: Option<(&'static str, &'static str)>,
}

/// In the order of `Counter`.
pub const COUNTERS: [CounterRow; Counter::COUNT] = [
    CounterRow {
        counter: Counter::FilesProcessed,
        summary: "files.processed",
        sentence: None,
        metric: Some(("pipeline_files_processed_total", "Files read to their end.")),
    },
    CounterRow {
        counter: Counter::FilesFailed,
        summary: "files.failed",
        sentence: None,
        metric: Some(("pipeline_files_failed_total", "Files that could not be read to their end.")),
    },
    CounterRow {
        counter: Counter::FieldsIgnored,
        summary: "fields_ignored",
        sentence: Some("left out: {}, in fields that the table has no column for"),
        metric: None,
    },
    CounterRow {
        counter: Counter::ValuesKept,
        summary: "values_kept",
        sentence: Some("left to the table: {}, as records lack their fields"),
        metric: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_in_the_order_of_the_counters() {
        for (index, row) in COUNTERS.iter().enumerate() {
            assert_eq!(row.counter as usize, index, "{}", row.summary);
        }
    }
}
