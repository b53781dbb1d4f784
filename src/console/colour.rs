//! Colours on a terminal, of lines as they leave the program. Nobody who writes a line knows of them.

use std::io::IsTerminal;

/// Where somebody looks, and has not asked for none: <https://no-color.org>.
pub fn is_wanted(stream: &impl IsTerminal) -> bool {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let is_capable = !matches!(variable("TERM").as_str(), "" | "dumb");
    stream.is_terminal() && is_capable && variable("NO_COLOR").is_empty()
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";

/// Lines of the log and what is said beside them.
pub fn lines(text: &str) -> String {
    text.split_inclusive('\n').map(|line| painted(line, of_line(line))).collect()
}

/// The bar, or whatever stands below the lines.
pub fn frame(text: &str) -> String {
    painted(text, Some(BLUE))
}

/// Help, whose headings end with a colon.
pub fn help(text: &str) -> String {
    let is_heading = |line: &str| line.starts_with(char::is_alphabetic) && line.ends_with(":\n");
    let lines = text.split_inclusive('\n');
    lines.map(|line| painted(line, is_heading(line).then_some(BOLD))).collect()
}

fn of_line(line: &str) -> Option<&'static str> {
    if line.starts_with("flowgauge: warning: ") || line.starts_with("  limit: ") {
        return Some(YELLOW);
    }
    if line.starts_with("flowgauge: ") || line.starts_with("error: ") {
        return Some(RED);
    }
    // The summary: how the run ended, and the heads of its table.
    if line.starts_with("FAILED ") {
        return Some(RED);
    }
    if line.starts_with("STOPPED ") {
        return Some(YELLOW);
    }
    if line.starts_with("  stage ") {
        return Some(DIM);
    }
    let (time, rest) = line.split_once(' ')?;
    let is_time = time.len() == "2026-01-01T00:00:00Z".len() && time.ends_with('Z');
    match rest.trim_start().split(' ').next()? {
        "INFO" | "DEBUG" if is_time => Some(DIM),
        "WARN" if is_time => Some(YELLOW),
        "ERROR" if is_time => Some(RED),
        _ => None,
    }
}

/// The line end stays outside, so that no colour reaches into the next line.
fn painted(text: &str, colour: Option<&str>) -> String {
    let visible = text.trim_end_matches('\n');
    match colour {
        Some(colour) if !visible.is_empty() => {
            format!("{colour}{visible}{PLAIN}{}", &text[visible.len()..])
        }
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_colour_of_its_level() {
        for (text, expected) in [
            (
                "2026-11-21T12:34:22Z  INFO begun\n",
                "\x1b[2m2026-11-21T12:34:22Z  INFO begun\x1b[0m\n",
            ),
            ("2026-11-21T12:34:22Z  WARN x\n", "\x1b[33m2026-11-21T12:34:22Z  WARN x\x1b[0m\n"),
            ("2026-11-21T12:34:22Z ERROR x\n", "\x1b[31m2026-11-21T12:34:22Z ERROR x\x1b[0m\n"),
            ("flowgauge: no\n", "\x1b[31mflowgauge: no\x1b[0m\n"),
            ("flowgauge: warning: no\n", "\x1b[33mflowgauge: warning: no\x1b[0m\n"),
            (
                "orders complete\n\n  limit: writing\n",
                "orders complete\n\n\x1b[33m  limit: writing\x1b[0m\n",
            ),
            ("FAILED orders data in 1 s\n", "\x1b[31mFAILED orders data in 1 s\x1b[0m\n"),
            ("STOPPED orders in 1 s\n", "\x1b[33mSTOPPED orders in 1 s\x1b[0m\n"),
            ("  stage  records\n", "\x1b[2m  stage  records\x1b[0m\n"),
            ("Z INFO x\n", "Z INFO x\n"),
            ("\n", "\n"),
            ("", ""),
        ] {
            assert_eq!(lines(text), expected, "{text}");
        }
        assert_eq!(help("Run:\n  a: b\n"), "\x1b[1mRun:\x1b[0m\n  a: b\n");
        assert_eq!(frame(""), "");
    }
}
