//! `check`: everything short of writing. Opens both ends, reads the first segment, and says what a
//! run would do.

use std::fmt::Write;
use std::sync::Arc;

use crate::app::{self, Ends, Output};
use crate::config::{Settings, SinkSettings};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::record::{Rows, Segment, Shape};
use crate::report::text;
use crate::sink::Sink;
use crate::source::{Onlooker, Source};

/// Rows that are shown as they would be written.
const SHOWN_ROWS: usize = 3;
/// Rejected records that are shown.
const SHOWN_REJECTED: usize = 10;
const SHOWN_VALUE_CHARS: usize = 24;

/// What there is to know, as text. An error where a run would end with one at its start.
pub fn check(settings: &Settings) -> Result<String> {
    app::keep_apart(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let ends = runtime.block_on(async {
        let output = Output::look(settings).await?;
        Ends::open(settings, output, &(Arc::new(Nobody) as Arc<dyn Observer>)).await
    })?;
    let mut rows = Rows::new(ends.decoder.shape());
    let segment = first_segment(&*ends.source)?;
    runtime.block_on(ends.source.close());
    if let Some(segment) = &segment {
        ends.decoder.decode(segment, &mut rows)?;
    }
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}", app::intent(settings, "not started"));
    let _ = writeln!(out, "\nfiles");
    for split in ends.source.splits() {
        let _ = writeln!(out, "  {}", split.name);
    }
    columns(&mut out, &ends, &rows);
    let seen = rows.len() + rows.rejected.len();
    let _ = writeln!(out, "\nthe first {} records", text::count(seen as u64));
    written(&mut out, &*ends.sink, &rows)?;
    rejected(&mut out, settings, &rows);
    let _ = write!(out, "\n{}", plan(settings));
    Ok(out)
}

struct Nobody;

impl Observer for Nobody {
    fn notice(&self, _event: &Event) {}
}

fn first_segment(source: &dyn Source) -> Result<Option<Segment>> {
    for split in 0..source.splits().len() {
        let mut cursor = source.open(split)?;
        if let Some(segment) = cursor.next(Vec::new(), &mut Onlooker)? {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

fn columns(out: &mut String, ends: &Ends, rows: &Rows) {
    let Shape::Columns(old) = ends.decoder.shape() else {
        let _ = writeln!(out, "\ndocuments are copied as they are");
        return;
    };
    let old = &old[..];
    let width = |names: &[String]| {
        names.iter().map(|name| name.chars().count()).chain([6]).max().unwrap_or(6)
    };
    let (old_width, new_width) = (width(old), width(&ends.names));
    let _ = writeln!(
        out,
        "\n  {:<old_width$}  {:<new_width$}  {:<8}  first value",
        "column", "output", "type"
    );
    let first: Vec<String> = match rows.is_empty() {
        true => Vec::new(),
        false => rows.row(0).map(|value| shown(&value)).collect(),
    };
    for (index, (old, new)) in old.iter().zip(&ends.names).enumerate() {
        let field = ends.source.fields().iter().find(|field| field.name == *old);
        let kind = field.map_or("as is", |field| &field.origin);
        let value = first.get(index).map_or("", |value| value);
        let line = format!("  {old:<old_width$}  {new:<new_width$}  {kind:<8}  {value}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn shown(value: &crate::record::Value<'_>) -> String {
    use crate::record::Value;
    let text = match value {
        Value::Null => "NULL".to_string(),
        Value::Absent => "absent".to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Text(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Number(bytes) | Value::Json(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    match text.char_indices().nth(SHOWN_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn written(out: &mut String, sink: &dyn Sink, rows: &Rows) -> Result<()> {
    let payload = sink.prepare(rows, Vec::new(), &mut Vec::new())?;
    let text = String::from_utf8_lossy(&payload.bytes);
    for line in text.lines().take(SHOWN_ROWS) {
        let _ = writeln!(out, "  {line}");
    }
    Ok(())
}

fn rejected(out: &mut String, settings: &Settings, rows: &Rows) {
    if rows.rejected.is_empty() {
        let _ = writeln!(out, "  none of them would be rejected");
        return;
    }
    let _ = writeln!(
        out,
        "  {} of them would be rejected; --max-errors is {}",
        text::count(rows.rejected.len() as u64),
        settings.error_budget
    );
    for rejected in rows.rejected.iter().take(SHOWN_REJECTED) {
        let _ = writeln!(out, "  {}: {}", rejected.place, rejected.reason);
    }
}

/// What a run would do with its output.
fn plan(settings: &Settings) -> String {
    let SinkSettings::File(file) = &settings.sink;
    let Some(path) = &file.path else {
        return "would write to standard output\n".to_string();
    };
    let shown = path.display();
    let format = file.format.as_str();
    let compression = file.compression.as_str();
    match std::fs::metadata(path) {
        Ok(found) => format!(
            "would replace '{shown}' ({}) with {format}, compression {compression}\n",
            text::bytes(found.len())
        ),
        Err(_) => format!("would create '{shown}' with {format}, compression {compression}\n"),
    }
}

/// Checks one pipeline after another; the errors of all.
pub fn check_all(settings: &[Settings]) -> (String, Vec<Error>) {
    let mut out = String::new();
    let mut errors = Vec::new();
    for settings in settings {
        let _ = writeln!(out, "── {} ──", settings.pipeline_id);
        match check(settings) {
            Ok(text) => out.push_str(&text),
            Err(error) => {
                let _ = writeln!(out, "{error}");
                errors.push(error);
            }
        }
        out.push('\n');
    }
    (out, errors)
}
