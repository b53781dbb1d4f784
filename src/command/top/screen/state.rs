//! What was chosen with keys: which run, in which order, which ones, and whether time stands still. Pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::command::top::asking::Key;
use crate::command::top::asking::News;
use crate::command::top::row::{Row, Rows};

const FILTER_CHARS_MAX: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    List,
    Detail,
    Help,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Stay,
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// As they were named, or found.
    Given,
    Name,
    State,
    Done,
    Rate,
    Left,
    Errors,
}

impl SortBy {
    const ALL: [SortBy; 7] = [
        SortBy::Given,
        SortBy::Name,
        SortBy::State,
        SortBy::Done,
        SortBy::Rate,
        SortBy::Left,
        SortBy::Errors,
    ];

    /// The head of its column.
    pub fn head(self) -> &'static str {
        match self {
            SortBy::Given => "",
            SortBy::Name => "PIPELINE",
            SortBy::State => "STATE",
            SortBy::Done => "DONE",
            SortBy::Rate => "RATE",
            SortBy::Left => "LEFT",
            SortBy::Errors => "ERRORS",
        }
    }
}

pub struct State {
    /// What is known.
    known: Rows,
    /// What is shown of it: the same, but for a screen that was frozen.
    shown: Rows,
    pub is_frozen: bool,
    pub view: View,
    before_help: View,
    pub sort_by: SortBy,
    pub is_reversed: bool,
    pub filter: String,
    pub is_typing: bool,
    selected: Option<Key>,
    /// First line of the detail, and what is the last one that makes sense.
    pub scroll: u16,
    pub scroll_max: u16,
}

impl State {
    pub fn new(rows: Rows) -> State {
        State {
            shown: rows.clone(),
            known: rows,
            is_frozen: false,
            view: View::List,
            before_help: View::List,
            sort_by: SortBy::Given,
            is_reversed: false,
            filter: String::new(),
            is_typing: false,
            selected: None,
            scroll: 0,
            scroll_max: 0,
        }
    }

    /// Whether there is something to draw.
    pub fn take(&mut self, news: News, now: f64) -> bool {
        self.known.take(news, now);
        if !self.is_frozen {
            self.shown.clone_from(&self.known);
        }
        !self.is_frozen
    }

    pub fn trouble(&self) -> Option<&str> {
        self.shown.trouble.as_deref()
    }

    pub fn all(&self) -> &[Row] {
        &self.shown.all
    }

    /// Those that are wanted, in the order that is wanted.
    pub fn rows(&self) -> Vec<&Row> {
        let filter = self.filter.to_lowercase();
        let is_wanted = |row: &&Row| {
            filter.is_empty()
                || [row.name(), row.state().0.to_string(), row.ends(), row.sentence()]
                    .iter()
                    .any(|text| text.to_lowercase().contains(&filter))
        };
        let mut rows: Vec<&Row> = self.shown.all.iter().filter(is_wanted).collect();
        let number = |number: Option<f64>| number.unwrap_or(-1.0);
        let progress = |row: &Row| number(row.seen.as_ref().and_then(|seen| seen.progress));
        let left = |row: &Row| number(row.seen.as_ref().and_then(|seen| seen.left));
        match self.sort_by {
            SortBy::Given => {}
            SortBy::Name => rows.sort_by_key(|row| row.name()),
            SortBy::State => rows.sort_by_key(|row| row.state().0.to_string()),
            SortBy::Done => rows.sort_by(|one, other| progress(other).total_cmp(&progress(one))),
            SortBy::Rate => rows.sort_by(|one, other| {
                number(other.rate_number()).total_cmp(&number(one.rate_number()))
            }),
            SortBy::Left => rows.sort_by(|one, other| left(other).total_cmp(&left(one))),
            SortBy::Errors => rows.sort_by_key(|row| std::cmp::Reverse(row.errors())),
        }
        if self.is_reversed {
            rows.reverse();
        }
        rows
    }

    /// The first one where none was chosen, or that one is gone.
    pub fn selected(&self, rows: &[&Row]) -> usize {
        let chosen = self.selected.as_ref();
        chosen.and_then(|key| rows.iter().position(|row| row.key == *key)).unwrap_or(0)
    }

    fn select(&mut self, step: isize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let next = self.selected(&rows).saturating_add_signed(step).min(last);
        self.selected = rows.get(next).map(|row| row.key.clone());
    }

    pub fn press(&mut self, key: KeyEvent) -> After {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => After::Leave,
                _ => After::Stay,
            };
        }
        if self.is_typing {
            self.type_filter(key.code);
            return After::Stay;
        }
        match (self.view, key.code) {
            (View::Help, KeyCode::Char('q')) => return After::Leave,
            (View::Help, _) => self.view = self.before_help,
            (_, KeyCode::Char('q')) => return After::Leave,
            (View::Detail, KeyCode::Esc | KeyCode::Enter | KeyCode::Left | KeyCode::Backspace) => {
                self.view = View::List;
            }
            (View::List, KeyCode::Esc) if !self.filter.is_empty() => self.filter.clear(),
            (_, KeyCode::Char('?' | 'h')) => {
                self.before_help = self.view;
                self.view = View::Help;
            }
            (_, KeyCode::Char(' ')) => {
                self.is_frozen = !self.is_frozen;
                if !self.is_frozen {
                    self.shown.clone_from(&self.known);
                }
            }
            (View::List, KeyCode::Enter | KeyCode::Right) if !self.rows().is_empty() => {
                self.select(0);
                self.view = View::Detail;
                self.scroll = 0;
            }
            (View::List, KeyCode::Char('s')) => {
                let at = SortBy::ALL.iter().position(|by| *by == self.sort_by).unwrap_or(0);
                self.sort_by = SortBy::ALL[(at + 1) % SortBy::ALL.len()];
                self.is_reversed = false;
            }
            (View::List, KeyCode::Char('r')) => self.is_reversed = !self.is_reversed,
            (View::List, KeyCode::Char('/')) => self.is_typing = true,
            (View::List, KeyCode::Up | KeyCode::Char('k')) => self.select(-1),
            (View::List, KeyCode::Down | KeyCode::Char('j')) => self.select(1),
            (View::List, KeyCode::PageUp) => self.select(-10),
            (View::List, KeyCode::PageDown) => self.select(10),
            (View::List, KeyCode::Home) => self.select(isize::MIN),
            (View::List, KeyCode::End) => self.select(isize::MAX),
            (View::Detail, code) => self.scroll_by(code),
            _ => {}
        }
        After::Stay
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < FILTER_CHARS_MAX => {
                self.filter.push(letter);
            }
            _ => {}
        }
    }

    fn scroll_by(&mut self, code: KeyCode) {
        let next = match code {
            KeyCode::Up | KeyCode::Char('k') => self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll.saturating_add(10),
            KeyCode::Home => 0,
            KeyCode::End => self.scroll_max,
            // The next run, without going back to the list.
            KeyCode::Char('n') | KeyCode::Tab => {
                self.select(1);
                0
            }
            KeyCode::Char('p') | KeyCode::BackTab => {
                self.select(-1);
                0
            }
            _ => self.scroll,
        };
        self.scroll = next.min(self.scroll_max);
    }
}
