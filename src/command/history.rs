//! What the commands share that look into the ledger: where it is, what it cannot do, and how its times
//! and numbers are shown in few columns.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::app;
use crate::config::{self, LedgerPlace, WrittenOptions};
use crate::console::logging::{self, Style};
use crate::error::{Error, Kind};
use crate::ledger::{Missing, now};
use crate::outcome::Outcome;
use crate::record::ErrorType;
use crate::report::text;
use crate::shown::Line;

/// Of a terminal that nobody has made wider.
pub const WIDTH: usize = 80;

/// Where the ledger is, for whoever looks into it.
pub fn place(written: WrittenOptions, pipelines: &[String]) -> Result<LedgerPlace, Outcome> {
    logging::install(Style::Text, tracing::level_filters::LevelFilter::WARN);
    let pipeline = if let [only] = pipelines { Some(only.as_str()) } else { None };
    config::ledger_place(written, pipeline).map_err(|mistakes| {
        mistakes.iter().for_each(app::complain);
        Outcome::Usage
    })
}

/// Why there is nothing to show.
pub fn complain(missing: &Missing) -> Outcome {
    let error =
        Error::new(Kind::LocalIo, ErrorType::Disk, format!("the ledger cannot be used: {missing}"));
    app::complain(&error);
    error.kind.into()
}

/// Nothing was ever written there, which is no failure.
pub fn say_there_is_none(path: &Path) {
    logging::warn(&Line(format!("there is no run in the ledger '{}'", path.display())).to_string());
}

/// `11-27 00:11`, or `2025-11-27` where it is long ago. By UTC, as the log.
pub fn moment(seconds: f64) -> String {
    const LONG_AGO_S: f64 = 300.0 * 86_400.0;
    let format = if now() - seconds > LONG_AGO_S { "%Y-%m-%d" } else { "%m-%d %H:%M" };
    formatted(seconds, format)
}

/// `2026-11-27 00:11:05`
pub fn exact_moment(seconds: f64) -> String {
    formatted(seconds, "%Y-%m-%d %H:%M:%S")
}

fn formatted(seconds: f64, format: &str) -> String {
    match Timestamp::from_millisecond((seconds * 1e3) as i64) {
        Ok(at) => at.to_zoned(TimeZone::UTC).strftime(format).to_string(),
        Err(_) => "?".to_string(),
    }
}

/// `3 h 20 m` as narrow as a column wants it.
pub fn narrow(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match time.as_secs() / 86_400 {
        days @ 3.. => format!("{days}d"),
        _ => text::duration(time).replace(' ', ""),
    }
}

/// Exact up to seven digits.
pub fn number(number: Option<i64>) -> String {
    let Some(number) = number.and_then(|number| u64::try_from(number).ok()) else {
        return String::new();
    };
    match number {
        0..10_000_000 => text::count(number),
        10_000_000..1_000_000_000 => format!("{:.1}M", number as f64 / 1e6),
        _ => format!("{:.1}G", number as f64 / 1e9),
    }
}

/// At most so many characters, with a sign where some are missing.
pub fn cut(text: &str, width: usize) -> String {
    let shown = Line(text).to_string();
    if shown.chars().count() <= width {
        return shown;
    }
    let kept: String = shown.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Columns under their heads. The one that is called `flexible` is cut where lines would be too long.
pub fn table<const N: usize>(
    heads: [(&str, Align); N],
    flexible: usize,
    rows: &[[String; N]],
) -> Vec<String> {
    const GAP: usize = 2;
    let heads_row = heads.map(|(head, _)| head.to_string());
    let all: Vec<&[String; N]> = std::iter::once(&heads_row).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let mut widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let others: usize = widths.iter().sum::<usize>() - widths[flexible] + GAP * (N - 1);
    widths[flexible] = widths[flexible].min(WIDTH.saturating_sub(others).max(8));
    let mut lines = Vec::new();
    for row in all {
        let cells: Vec<String> = (0..N)
            .map(|column| {
                let cell = cut(&row[column], widths[column]);
                let width = widths[column];
                match heads[column].1 {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                }
            })
            .collect();
        lines.push(cells.join("  ").trim_end().to_string());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_a_terminal_at_most() {
        let heads = [("A", Align::Left), ("NAME", Align::Left), ("N", Align::Right)];
        let row = |name: &str| ["x".to_string(), name.to_string(), "12".to_string()];
        let lines = table(heads, 1, &[row("b"), row("ccc")]);
        assert_eq!(lines, ["A  NAME   N", "x  b     12", "x  ccc   12"]);
        let lines = table(heads, 1, &[row(&"é".repeat(100))]);
        assert!(lines.iter().all(|line| line.chars().count() == WIDTH || line.len() < WIDTH));
        assert!(lines[1].contains("é…  12"), "{lines:?}");
    }

    #[test]
    fn numbers_and_times_are_short() {
        for (count, expected) in [
            (None, ""),
            (Some(0), "0"),
            (Some(9_999_999), "9,999,999"),
            (Some(12_345_678), "12.3M"),
            (Some(5_000_000_000), "5.0G"),
        ] {
            assert_eq!(number(count), expected);
        }
        for (seconds, expected) in [(0.05, "50ms"), (125.0, "2m05s"), (400_000.0, "4d")] {
            assert_eq!(narrow(seconds), expected);
        }
        assert_eq!(exact_moment(0.0), "1970-01-01 00:00:00");
        assert_eq!(moment(0.0), "1970-01-01");
    }
}
