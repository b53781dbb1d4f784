//! One run, all of it: how far it is, where its time goes, what went wrong. Pure.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{Palette, bar, cut, left, put, right, spark, width_of};
use super::state::State;
use crate::cli::help::wrapped;
use crate::command::history::exact_moment;
use crate::command::top::row::{Row, compact, time};
use crate::command::top::seen::{RunSeen, StageSeen};
use crate::report::text;

/// From here on there is room for two columns.
const TWO_COLUMNS: u16 = 120;
const GAP: u16 = 4;

type Section = Vec<Line<'static>>;

pub fn draw(buffer: &mut Buffer, area: Rect, state: &mut State, palette: &Palette, now: f64) {
    let rows = state.rows();
    let selected = state.selected(&rows);
    let Some(row) = rows.get(selected).copied().cloned() else { return };
    let is_wide = area.width >= TWO_COLUMNS;
    let width = match is_wide {
        true => usize::from((area.width - GAP) / 2).saturating_sub(1),
        false => usize::from(area.width).saturating_sub(2),
    };
    let top = heading(&row, usize::from(area.width).saturating_sub(2), palette);
    let (one, other) = sections(&row, width, palette, now);
    let columns: Vec<Section> = match is_wide {
        true => vec![join(one), join(other)],
        false => vec![join(one.into_iter().chain(other).collect())],
    };
    let room = usize::from(area.height).saturating_sub(top.len());
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    state.scroll_max = longest.saturating_sub(room) as u16;
    state.scroll = state.scroll.min(state.scroll_max);
    let body_y = area.y + top.len() as u16;
    for (index, line) in top.iter().enumerate() {
        put(buffer, area.x + 1, area.y + index as u16, line);
    }
    for (number, column) in columns.iter().enumerate() {
        let x = area.x + 1 + number as u16 * (width as u16 + GAP);
        for (index, line) in column.iter().skip(usize::from(state.scroll)).take(room).enumerate() {
            put(buffer, x, body_y + index as u16, line);
        }
    }
    if usize::from(state.scroll) + room < longest {
        let more = Line::styled(" more ↓ ", palette.chosen());
        put(buffer, area.right().saturating_sub(9), area.bottom() - 1, &more);
    }
}

/// With a free line between two of them.
fn join(sections: Vec<Section>) -> Section {
    let mut all = Vec::new();
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        if !all.is_empty() {
            all.push(Line::default());
        }
        all.extend(section);
    }
    all
}

fn heading(row: &Row, width: usize, palette: &Palette) -> Section {
    let (state, mood) = row.state();
    let mut lines = vec![
        Line::default(),
        Line::from(vec![
            Span::styled(
                cut(&row.name(), width.saturating_sub(width_of(state) + 2)),
                palette.title(),
            ),
            Span::raw("  "),
            Span::styled(state.to_string(), palette.mood(mood)),
        ]),
    ];
    if let Some(seen) = &row.seen {
        let words = format!("{}, run {}, flowgauge {}", row.ends(), seen.run_id, seen.version);
        lines.push(Line::styled(cut(&words, width), palette.quiet()));
    }
    lines.extend(sentence_lines(&row.sentence(), width).into_iter().take(4).map(Line::raw));
    lines.push(Line::default());
    lines
}

fn sections(row: &Row, width: usize, palette: &Palette, now: f64) -> (Vec<Section>, Vec<Section>) {
    let Some(seen) = &row.seen else { return (Vec::new(), Vec::new()) };
    let one = vec![
        progress(row, seen, width, palette),
        balance(seen, width).into_iter().map(Line::raw).collect(),
        path(seen, width, palette),
        stages(seen, width, palette),
        room(seen, width, palette),
    ];
    let other = vec![
        latencies(seen, palette),
        errors(seen, width, palette, now),
        rejected(seen, width, palette),
        earlier(seen, width, palette),
    ];
    (one, other)
}

fn progress(row: &Row, seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    let mut lines = Vec::new();
    if let Some(ratio) = seen.progress {
        let left_words = match row.left() {
            left if left.is_empty() => String::new(),
            left => format!(", {left} left"),
        };
        let words = format!(" {}{left_words}", row.done());
        let room = width.saturating_sub(width_of(&words)).min(60);
        let stroke = palette.mood(row.state().1);
        // What is still to come has a ground, so that the end of the bar is seen.
        let drawn = bar(ratio, room);
        let filled = drawn.trim_end();
        let ground = "░".repeat(room.saturating_sub(width_of(filled)));
        lines.push(Line::from(vec![
            Span::styled(filled.to_string(), stroke),
            Span::styled(ground, palette.quiet()),
            Span::raw(words),
        ]));
    }
    let rate = row.rate();
    if !rate.is_empty() {
        let average = match (row.is_on(), seen.rate_average) {
            (true, Some(average)) => format!(", {}/s over all", compact(average)),
            _ => " over all".to_string(),
        };
        let words = format!("{rate}{average} ");
        let room = width.saturating_sub(width_of(&words));
        lines.push(Line::from(vec![
            Span::raw(words),
            Span::styled(spark(row.rates.iter(), room.min(60)), palette.stroke()),
        ]));
    }
    lines
}

/// `read 1,000 = inserted 990 + updated 0 + skipped 0 + failed 1 + under way 9`
pub fn balance(seen: &RunSeen, width: usize) -> Vec<String> {
    let records = &seen.records;
    let Some(read) = records.read else { return Vec::new() };
    let parts = [
        ("inserted", records.inserted),
        ("updated", records.updated),
        ("skipped", records.skipped),
        ("failed", records.failed),
        ("under way", records.residual),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(name, count)| Some(format!("{name} {}", text::count((*count)?))))
        .collect();
    wrapped(&format!("read {} = {}", text::count(read), parts.join(" + ")), width)
}

/// Where a batch goes: `csv ─► fetch ─► queue 2/4 ─► convert ─► insert ─► mysql`
fn path(seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    if seen.stages.is_empty() {
        return Vec::new();
    }
    let queue = seen.queue.map(|(depth, capacity)| format!("queue {depth}/{capacity}"));
    let mut rooms = vec![(seen.source.clone(), false)];
    for (index, stage) in seen.stages.iter().enumerate() {
        if index == 1 {
            rooms.extend(queue.clone().map(|queue| (queue, false)));
        }
        rooms.push((stage.stage.clone(), stage.is_limit));
    }
    rooms.push((seen.sink.clone(), false));
    let arrow = match width >= 60 {
        true => " ─► ",
        false => "►",
    };
    let mut spans = Vec::new();
    for (index, (name, is_limit)) in rooms.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(arrow, palette.quiet()));
        }
        spans.push(match is_limit {
            true => {
                Span::styled(name, palette.limit().add_modifier(ratatui::style::Modifier::BOLD))
            }
            false => Span::raw(name),
        });
    }
    vec![Line::from(spans)]
}

fn stages(seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    if seen.stages.is_empty() {
        return Vec::new();
    }
    let room = width.saturating_sub(38).min(20);
    let head = format!(
        "{}{}  {}{}",
        left("STAGE", 9),
        right("THREADS", 7),
        left("BUSY", 7 + room),
        "WAITS FOR"
    );
    let mut lines = vec![Line::styled(cut(&head, width), palette.quiet())];
    lines.extend(seen.stages.iter().map(|stage| stage_line(stage, room, palette)));
    lines
}

fn stage_line(stage: &StageSeen, room: usize, palette: &Palette) -> Line<'static> {
    let share = stage.busy_share.unwrap_or_default();
    let percent = stage.busy_share.map(|share| format!("{:.0} %", share * 100.0));
    let waits = match stage.waited {
        // A pace that is kept and another try come with their own words.
        Some(("input", share)) => format!("work {:.0} %", share * 100.0),
        Some(("output", share)) => format!("room {:.0} %", share * 100.0),
        Some((what, share)) => format!("{what} {:.0} %", share * 100.0),
        None => String::new(),
    };
    let style = if stage.is_limit { palette.limit() } else { palette.stroke() };
    let name = if stage.is_limit { palette.limit() } else { palette.plain() };
    let mark = if stage.is_limit { "  ◂ limit" } else { "" };
    Line::from(vec![
        Span::styled(left(&stage.stage, 9), name),
        Span::raw(right(&stage.threads.to_string(), 7)),
        Span::raw("  "),
        Span::raw(right(&percent.unwrap_or_default(), 5)),
        Span::raw(" "),
        Span::styled(bar(share, room), style),
        Span::raw(" "),
        Span::styled(waits, palette.quiet()),
        Span::styled(mark, palette.limit()),
    ])
}

fn room(seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    let room = width.saturating_sub(38).min(20);
    let line = |name: &str, words: String, share: f64| {
        Line::from(vec![
            Span::raw(left(name, 9)),
            Span::raw(right(&words, 18)),
            Span::raw("  "),
            Span::styled(bar(share, room), palette.stroke()),
        ])
    };
    let share = |(used, whole): (u64, u64)| used as f64 / whole.max(1) as f64;
    let mut lines = Vec::new();
    if let Some((depth, capacity)) = seen.queue {
        lines.push(line("queue", format!("{depth} of {capacity}"), share((depth, capacity))));
    }
    if let Some((used, budget)) = seen.memory {
        let words = format!("{} of {}", text::bytes(used), text::bytes(budget));
        lines.push(line("memory", words, share((used, budget))));
    }
    if let (Some(read), Some(written)) = (seen.bytes_read, seen.bytes_written) {
        let words = format!("read {}, written {}", text::bytes(read), text::bytes(written));
        lines.push(Line::from(vec![Span::raw(left("bytes", 9)), Span::raw(words)]));
    }
    lines
}

fn latencies(seen: &RunSeen, palette: &Palette) -> Section {
    let known = seen.latencies.iter().filter(|(_, [p50, ..])| p50.is_some());
    let rows: Vec<Line<'static>> = known
        .map(|(name, quantiles)| {
            let cells = quantiles.map(|it| right(&it.map(time).unwrap_or_default(), 8));
            Line::raw(format!("{}{}", left(name, 9), cells.concat()))
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let head =
        format!("{}{}{}{}", left("A BATCH", 9), right("P50", 8), right("P95", 8), right("P99", 8));
    std::iter::once(Line::styled(head, palette.quiet())).chain(rows).collect()
}

fn errors(seen: &RunSeen, width: usize, palette: &Palette, now: f64) -> Section {
    let mut lines = Vec::new();
    for error in &seen.errors {
        let age = error.last_at.map(|at| format!(", last {} ago", time((now - at).max(0.0))));
        let count = text::count(error.count);
        let title =
            format!("{} {} × {count}{}", error.stage, error.error_type, age.unwrap_or_default());
        lines.push(Line::styled(cut(&title, width), palette.bad()));
        let said = sentence_lines(&error.message, width.saturating_sub(2));
        lines.extend(said.into_iter().take(3).map(|line| Line::raw(format!("  {line}"))));
    }
    if seen.retries > 0 {
        lines.push(Line::raw(format!("tried again {}", text::counted(seen.retries, "time"))));
    }
    if !lines.is_empty() {
        lines.insert(0, Line::styled("WENT WRONG", palette.quiet()));
    }
    lines
}

fn rejected(seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    if seen.rejected.is_empty() {
        return Vec::new();
    }
    let kinds: Vec<String> = seen
        .rejected
        .iter()
        .map(|(kind, count)| format!("{kind} {}", text::count(*count)))
        .collect();
    let mut lines = vec![Line::styled("REJECTED RECORDS", palette.quiet())];
    lines.extend(wrapped(&kinds.join(", "), width).into_iter().map(Line::raw));
    lines
}

fn earlier(seen: &RunSeen, width: usize, palette: &Palette) -> Section {
    const SHOWN_MAX: usize = 10;
    let runs = seen.earlier.iter().filter(|run| run.run_id != seen.run_id);
    let rows: Vec<Line<'static>> = runs
        .take(SHOWN_MAX)
        .map(|run| {
            let outcome = run.outcome.clone().unwrap_or_default();
            let style = match outcome.as_str() {
                "complete" | "" => palette.plain(),
                _ => palette.bad(),
            };
            let records = run.written.map(text::count).unwrap_or_default();
            let duration = run.duration.map(time).unwrap_or_default();
            Line::from(vec![
                Span::raw(left(exact_moment(run.started_at).get(5..16).unwrap_or("?"), 13)),
                Span::styled(left(&outcome, 12), style),
                Span::raw(cut(
                    &format!("{}{}", right(&records, 13), right(&duration, 8)),
                    width.saturating_sub(25),
                )),
            ])
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let head = format!(
        "{}{}{}{}",
        left("BEFORE, UTC", 13),
        left("OUTCOME", 12),
        right("WRITTEN", 13),
        right("TOOK", 8)
    );
    let head = Line::styled(cut(&head, width), palette.quiet());
    std::iter::once(head).chain(rows).collect()
}

/// Words that are wider than a line are cut, so that none is written over an edge.
pub fn sentence_lines(text: &str, width: usize) -> Vec<String> {
    wrapped(text, width.max(1)).into_iter().map(|line| cut(&line, width)).collect()
}
