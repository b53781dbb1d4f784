//! The table of the stages in a summary: as many columns as the terminal has room for. Pure.

use super::text::{bytes, count, narrow};
use super::{Latencies, RunNumbers, busy_share, per_second};
use crate::event::Stage;

struct Column {
    head: &'static str,
    width: usize,
    /// Those of the highest rank are left out first.
    rank: u8,
}

const COLUMNS: [Column; 9] = [
    Column { head: "stage", width: 7, rank: 0 },
    Column { head: "records", width: 13, rank: 0 },
    Column { head: "bytes", width: 8, rank: 3 },
    Column { head: "records/s", width: 11, rank: 1 },
    Column { head: "busy", width: 9, rank: 3 },
    Column { head: "share", width: 6, rank: 0 },
    Column { head: "p50", width: 8, rank: 4 },
    Column { head: "p95", width: 8, rank: 2 },
    Column { head: "p99", width: 8, rank: 4 },
];

const INDENT: usize = 2;

/// The heads and a row for each stage, none wider than `width` where that is possible.
pub fn rows(run: &RunNumbers, width: usize) -> Vec<String> {
    let rank_max = (1..=4).rev().find(|rank| INDENT + width_up_to(*rank) <= width).unwrap_or(0);
    let line = |cells: [String; COLUMNS.len()]| {
        let mut line = " ".repeat(INDENT);
        for (cell, column) in cells.iter().zip(&COLUMNS).filter(|(_, c)| c.rank <= rank_max) {
            let width = column.width;
            match column.head {
                "stage" => line.push_str(&format!("{cell:<width$}")),
                _ => line.push_str(&format!("{cell:>width$}")),
            }
        }
        line.trim_end().to_string()
    };
    let mut rows = vec![line(COLUMNS.each_ref().map(|column| column.head.to_string()))];
    let written = run.counts.inserted + run.counts.updated;
    for (stage, records, bytes_moved, latencies) in [
        (Stage::Fetch, run.records_read, run.bytes_read, Some(&run.fetch)),
        (Stage::Convert, run.records_read, run.bytes_read, None),
        (Stage::Insert, written, run.bytes_written, Some(&run.insert)),
    ] {
        let share = busy_share(run, stage).map(|share| format!("{:.0} %", share * 100.0));
        let [p50, p95, p99] = latencies.map(quantiles).unwrap_or_default();
        rows.push(line([
            stage.as_str().to_string(),
            count(records),
            bytes(bytes_moved),
            count(per_second(records, run.elapsed) as u64),
            narrow(run.stage(stage).busy),
            share.unwrap_or_default(),
            p50,
            p95,
            p99,
        ]));
    }
    let mut batch: [String; COLUMNS.len()] = Default::default();
    batch[0] = "batch".to_string();
    let [.., p50, p95, p99] = &mut batch;
    [*p50, *p95, *p99] = quantiles(&run.batch);
    if rank_max >= 2 {
        rows.push(line(batch));
    }
    rows
}

fn width_up_to(rank: u8) -> usize {
    COLUMNS.iter().filter(|column| column.rank <= rank).map(|column| column.width).sum()
}

fn quantiles(latencies: &Latencies) -> [String; 3] {
    if latencies.count == 0 {
        return Default::default();
    }
    [latencies.p50, latencies.p95, latencies.p99].map(narrow)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Counts;

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        const LONG: Duration = Duration::from_secs(4_000);
        let latencies =
            Latencies { count: 1, p50: LONG, p95: LONG, p99: LONG, ..Latencies::default() };
        let records = 9_999_999_999;
        let run = RunNumbers {
            elapsed: 40 * LONG,
            records_read: records,
            counts: Counts { inserted: records, ..Counts::default() },
            bytes_read: 999_000_000_000,
            stages: [crate::report::StageTime { busy: 41 * LONG, ..Default::default() }; 3],
            threads: [1, 2, 4],
            fetch: latencies.clone(),
            insert: latencies.clone(),
            batch: latencies,
            ..RunNumbers::default()
        };
        for (width, heads) in [
            (
                200,
                "  stage        records   bytes  records/s     busy share     p50     p95     p99",
            ),
            (
                80,
                "  stage        records   bytes  records/s     busy share     p50     p95     p99",
            ),
            (79, "  stage        records   bytes  records/s     busy share     p95"),
            (60, "  stage        records  records/s share     p95"),
            (40, "  stage        records  records/s share"),
            (30, "  stage        records share"),
        ] {
            let rows = rows(&run, width);
            assert_eq!(rows[0], heads, "{width}");
            assert!(rows.iter().all(|row| row.chars().count() <= width), "{width} {rows:?}");
        }
        assert_eq!(rows(&run, 40)[3], "  insert 9,999,999,999     62,499  26 %");
    }
}
