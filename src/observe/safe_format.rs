//! Lines of the log as they may be shown: whatever a message holds, a line is one line, and nothing in
//! it is obeyed by a terminal.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::shown::{Json, Line};

/// A format whose lines are made safe as text, or as JSON.
pub struct Safe<F> {
    format: F,
    is_json: bool,
}

impl<F> Safe<F> {
    pub fn text(format: F) -> Safe<F> {
        Safe { format, is_json: false }
    }

    pub fn json(format: F) -> Safe<F> {
        Safe { format, is_json: true }
    }
}

impl<S, N, F> FormatEvent<S, N> for Safe<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        match self.is_json {
            true => writeln!(writer, "{}", Json(line)),
            false => writeln!(writer, "{}", Line(line)),
        }
    }
}
