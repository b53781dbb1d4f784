//! What stands on every picture: the head, the foot, and the help. Pure.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{self, Palette, put, width_of};
use super::state::{State, View};
use super::{detail, list};

const KEYS_OF_LIST: [&str; 7] =
    ["? help", "q quit", "↑↓ choose", "enter more", "s sort", "/ filter", "space freeze"];
const KEYS_OF_DETAIL: [&str; 6] =
    ["? help", "q quit", "esc back", "↑↓ scroll", "tab next run", "space freeze"];

const HELP: [(&str, &str); 12] = [
    ("↑ ↓  k j", "choose a run"),
    ("enter", "more of it"),
    ("esc", "back, or no filter"),
    ("s", "sort by the next column"),
    ("r", "the other way round"),
    ("/", "only runs with this text"),
    ("space", "freeze, and go on"),
    ("q  ctrl-c", "quit"),
    ("tab", "the next run, in detail"),
    ("page home end", "faster"),
    ("? h", "this help"),
    ("", "limit: the stage the others wait for"),
];

pub fn draw(frame: &mut Frame, state: &mut State, palette: &Palette, now: f64) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.height < 3 || area.width < 10 {
        return;
    }
    head(buffer, area, state, palette);
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    match state.view {
        View::List => list::draw(buffer, body, state, palette),
        View::Detail => detail::draw(buffer, body, state, palette, now),
        View::Help => help(buffer, body, palette),
    }
    foot(buffer, area, state, palette);
}

fn head(buffer: &mut Buffer, area: Rect, state: &State, palette: &Palette) {
    let all = state.all();
    let on = all.iter().filter(|row| row.is_on()).count();
    let runs = match all.len() {
        1 => "1 run".to_string(),
        many => format!("{many} runs"),
    };
    let title = "flowgauge top";
    let counts = format!("  {runs}, {on} on");
    put(
        buffer,
        area.x + 1,
        area.y,
        &Line::from(vec![
            Span::styled(title, palette.title()),
            Span::styled(counts.clone(), palette.quiet()),
        ]),
    );
    let mut marks = Vec::new();
    if !state.filter.is_empty() {
        marks.push(format!(" /{} ", state.filter));
    }
    if state.is_frozen {
        marks.push(" frozen ".to_string());
    }
    let used = 1 + width_of(title) + width_of(&counts);
    let room = usize::from(area.width).saturating_sub(used + 2);
    let text = paint::cut(&marks.join(" "), room);
    let width = width_of(&text);
    if width > 0 {
        let x = area.right() - width as u16 - 1;
        put(buffer, x, area.y, &Line::styled(text, palette.chosen()));
    }
}

fn foot(buffer: &mut Buffer, area: Rect, state: &State, palette: &Palette) {
    let y = area.bottom() - 1;
    if state.is_typing {
        let text = format!("filter: {}▏", state.filter);
        put(buffer, area.x + 1, y, &Line::styled(text, palette.title()));
        return;
    }
    let keys: &[&str] = match state.view {
        View::List => &KEYS_OF_LIST,
        View::Detail => &KEYS_OF_DETAIL,
        View::Help => &["any key goes back"],
    };
    // Those that matter most come first in the list, and last on the screen.
    let mut shown: Vec<&str> = Vec::new();
    let mut width = 1;
    for key in keys {
        width += width_of(key) + 2;
        if width <= usize::from(area.width) {
            shown.push(key);
        }
    }
    let first = shown.len().min(2);
    shown.rotate_left(first);
    put(buffer, area.x + 1, y, &Line::styled(shown.join("  "), palette.quiet()));
}

fn help(buffer: &mut Buffer, area: Rect, palette: &Palette) {
    let is_roomy = usize::from(area.height) > HELP.len() + 2;
    let start = area.y + u16::from(is_roomy);
    for (index, (keys, what)) in HELP.iter().enumerate() {
        let y = start + index as u16;
        if y >= area.bottom() {
            break;
        }
        let keys = Span::styled(paint::left(keys, 15), palette.title());
        put(buffer, area.x + 1, y, &Line::from(vec![keys, Span::raw(*what)]));
    }
}
