//! All runs, a line for each, and what the chosen one says. Pure.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::detail::{balance, sentence_lines};
use super::paint::{Palette, bar, cut, left, put, right, spark};
use super::state::{SortBy, State};
use crate::command::top::row::{Row, compact};
use crate::report::text;

#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Name,
    State,
    Done,
    Bar,
    Rate,
    Left,
    Limit,
    Queue,
    Errors,
    Rejected,
    Records,
    Elapsed,
    Ends,
    Sentence,
}

struct Column {
    cell: Cell,
    head: &'static str,
    width: usize,
    /// Those of the highest rank are left out first.
    rank: u8,
    is_right: bool,
}

const fn column(cell: Cell, head: &'static str, width: usize, rank: u8, is_right: bool) -> Column {
    Column { cell, head, width, rank, is_right }
}

const COLUMNS: [Column; 14] = [
    column(Cell::Name, "PIPELINE", NAME_MIN, 0, false),
    column(Cell::State, "STATE", 9, 0, false),
    column(Cell::Done, "DONE", 5, 0, true),
    column(Cell::Bar, "", 20, 6, false),
    column(Cell::Rate, "RATE", 8, 1, true),
    column(Cell::Left, "LEFT", 6, 2, true),
    column(Cell::Limit, "LIMIT", 13, 2, false),
    column(Cell::Queue, "QUEUE", 5, 4, true),
    column(Cell::Errors, "ERRORS", 6, 3, true),
    column(Cell::Rejected, "REJECTED", 8, 3, true),
    column(Cell::Records, "RECORDS", 13, 5, true),
    column(Cell::Elapsed, "ELAPSED", 7, 5, true),
    column(Cell::Ends, "SOURCE → SINK", 21, 7, false),
    column(Cell::Sentence, "", 30, 8, false),
];

/// Below it a wider gap would cost a column.
const ROOMY: usize = 84;

const NAME_MIN: usize = 12;
const NAME_MAX: usize = 32;
const RANK_MAX: u8 = 8;

/// Where the chosen run has its place below the others.
const PANEL_ROOMY: u16 = 18;

struct Layout {
    rank: u8,
    gap: usize,
    name: usize,
    sentence: usize,
}

impl Layout {
    fn of(width: usize) -> Layout {
        let gap = if width >= ROOMY { 2 } else { 1 };
        let room = width.saturating_sub(2);
        let needed = |rank: u8| {
            let shown = COLUMNS.iter().filter(|column| column.rank <= rank);
            shown.map(|column| column.width + gap).sum::<usize>() - gap
        };
        let rank = (0..=RANK_MAX).rev().find(|rank| needed(*rank) <= room).unwrap_or(0);
        let spare = room.saturating_sub(needed(rank));
        let name = (NAME_MIN + spare).min(NAME_MAX);
        Layout { rank, gap, name, sentence: 30 + (NAME_MIN + spare - name) }
    }

    fn columns(&self) -> impl Iterator<Item = (&'static Column, usize)> {
        let (rank, name, sentence) = (self.rank, self.name, self.sentence);
        COLUMNS.iter().filter(move |column| column.rank <= rank).map(move |column| {
            let width = match column.cell {
                Cell::Name => name,
                Cell::Sentence => sentence,
                _ => column.width,
            };
            (column, width)
        })
    }
}

pub fn draw(buffer: &mut Buffer, area: Rect, state: &mut State, palette: &Palette) {
    let rows = state.rows();
    let selected = state.selected(&rows);
    let panel = match area.height {
        height if height >= PANEL_ROOMY => 7,
        height if height >= 9 => 2,
        _ => 0,
    };
    let table = Rect { height: area.height - panel, ..area };
    let is_roomy = area.height >= PANEL_ROOMY;
    let head_y = table.y + u16::from(is_roomy);
    let layout = Layout::of(usize::from(area.width));
    put(buffer, area.x + 1, head_y, &heads(&layout, state, palette));
    if rows.is_empty() {
        let nothing = match (state.trouble(), state.all().is_empty()) {
            (Some(trouble), _) => format!("the ledger cannot be read: {trouble}"),
            (None, true) => "no run is in progress; one that starts appears here".to_string(),
            (None, false) => "no run has that text; esc shows all".to_string(),
        };
        let lines = sentence_lines(&nothing, usize::from(area.width).saturating_sub(2));
        for (index, line) in lines.into_iter().take(3).enumerate() {
            let y = head_y + 1 + index as u16;
            if y < table.bottom() {
                put(buffer, area.x + 1, y, &Line::styled(line, palette.quiet()));
            }
        }
        return;
    }
    let visible = usize::from(table.bottom().saturating_sub(head_y + 1)).max(1);
    let first = (selected + 1).saturating_sub(visible);
    for (index, row) in rows.iter().enumerate().skip(first).take(visible) {
        let y = head_y + 1 + (index - first) as u16;
        let line = line(row, &layout, palette);
        put(buffer, area.x + 1, y, &line);
        if index == selected {
            let whole = Rect { x: area.x, y, width: area.width, height: 1 };
            // In its own colours it would be a garish line.
            buffer.set_style(whole, Style::reset().patch(palette.chosen()));
        }
    }
    if panel > 0 {
        let below = Rect { y: table.bottom(), height: panel, ..area };
        draw_chosen(buffer, below, rows[selected], palette);
    }
}

fn heads(layout: &Layout, state: &State, palette: &Palette) -> Line<'static> {
    let sorted = state.sort_by;
    let gap = " ".repeat(layout.gap);
    let mut spans = Vec::new();
    for (column, width) in layout.columns() {
        let is_sorted = sorted != SortBy::Given && column.head == sorted.head();
        let text = match is_sorted {
            true => format!("{}{}", column.head, if state.is_reversed { '▴' } else { '▾' }),
            false => column.head.to_string(),
        };
        let text = if column.is_right { right(&text, width) } else { left(&text, width) };
        spans.push(Span::styled(text, if is_sorted { palette.title() } else { palette.quiet() }));
        spans.push(Span::raw(gap.clone()));
    }
    Line::from(spans)
}

fn line(row: &Row, layout: &Layout, palette: &Palette) -> Line<'static> {
    let gap = " ".repeat(layout.gap);
    let (state, mood) = row.state();
    let base = if row.is_on() || row.seen.is_none() { palette.plain() } else { palette.quiet() };
    let mut spans = Vec::new();
    for (column, width) in layout.columns() {
        // Who has not answered yet has nothing in the other columns.
        if column.cell == Cell::Done && row.seen.is_none() {
            spans.push(Span::styled(row.sentence(), palette.quiet()));
            break;
        }
        let (text, style) = match column.cell {
            Cell::Name => (row.name(), base),
            Cell::State => (state.to_string(), palette.mood(mood)),
            Cell::Done => (row.done(), base),
            Cell::Bar => (progress_bar(row, width), palette.mood(mood)),
            Cell::Rate => (row.rate(), base),
            Cell::Left => (row.left(), base),
            Cell::Limit => (row.limit(), base),
            Cell::Queue => (row.queue(), base),
            Cell::Errors => number(row.errors(), base, palette.bad()),
            Cell::Rejected => number(row.rejected(), base, palette.limit()),
            Cell::Records => (row.records(), base),
            Cell::Elapsed => (row.elapsed(), base),
            Cell::Ends => (row.ends(), base),
            Cell::Sentence => (row.sentence(), palette.quiet()),
        };
        let text = if column.is_right { right(&text, width) } else { left(&text, width) };
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(gap.clone()));
    }
    Line::from(spans)
}

fn few(number: u64) -> String {
    match number {
        0..100_000 => text::count(number),
        more => compact(more as f64),
    }
}

/// What there is none of is not to draw an eye.
fn number(number: u64, none: Style, some: Style) -> (String, Style) {
    match number {
        0 => ("0".to_string(), none.add_modifier(Modifier::DIM)),
        number => (few(number), some),
    }
}

fn progress_bar(row: &Row, width: usize) -> String {
    let progress = row.seen.as_ref().and_then(|seen| seen.progress);
    progress.map(|ratio| bar(ratio, width)).unwrap_or_default()
}

/// The chosen run in its own words.
fn draw_chosen(buffer: &mut Buffer, area: Rect, row: &Row, palette: &Palette) {
    let width = usize::from(area.width).saturating_sub(2);
    let mut lines = Vec::new();
    let sentences = sentence_lines(&row.sentence(), width);
    if area.height < 7 {
        let dim = |line| Line::styled(line, palette.quiet());
        lines.extend(sentences.into_iter().map(dim));
    } else {
        let ends = row.ends();
        let title = cut(&format!("{}  {ends}", row.name()), width.saturating_sub(4));
        let rule = "─".repeat(width.saturating_sub(super::paint::width_of(&title) + 4));
        lines.push(Line::from(vec![
            Span::styled("── ", palette.quiet()),
            Span::styled(title, palette.title()),
            Span::styled(format!(" {rule}"), palette.quiet()),
        ]));
        lines.extend(sentences.into_iter().take(2).map(Line::raw));
        if let Some(seen) = &row.seen {
            let balance = balance(seen, width);
            lines.extend(
                balance.into_iter().take(2).map(|line| Line::styled(line, palette.quiet())),
            );
            if row.rates.len() > 1 {
                let rate = format!("rate {} ", row.rate());
                let room = width.saturating_sub(super::paint::width_of(&rate));
                lines.push(Line::from(vec![
                    Span::styled(rate, palette.quiet()),
                    Span::styled(spark(row.rates.iter(), room), palette.stroke()),
                ]));
            }
        }
    }
    for (index, line) in lines.iter().take(usize::from(area.height)).enumerate() {
        put(buffer, area.x + 1, area.y + index as u16, line);
    }
}
