//! `check`: a dry run. Opens both ends, converts the first records, looks at what would stop a run, and
//! says what one would do. Its error is the one that a run would end with, as far as that can be known.

mod all;
mod obstacles;
mod sample;

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::sample::{Sample, Total, sample};
use super::print;
use crate::app::{self, Destination, Ends, Fitted};
use crate::cli::Which;
use crate::config::{self, Settings, SinkSettings, WrittenOptions};
use crate::console::logging::EventLog;
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::ledger::{self, PipelineHistory};
use crate::outcome::Outcome;
use crate::pipeline::{self, MaxErrors, Minimum, Stop};
use crate::record::{Rows, Shape};
use crate::report::text;
use crate::shown::{Block, Line};
use crate::signals;
use crate::sink::mysql::{Findings, Known, MysqlSettings, StateTables, findings};
use crate::sink::{Refused, Sink};

/// Rows that are shown as they would be written.
const SHOWN_ROWS: usize = 3;
/// Rejected records that are shown.
const SHOWN_REJECTED: usize = 10;
const SHOWN_VALUE_CHARS: usize = 24;

/// Most servers have answered by then.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// For a reader to see that nothing more is wanted, before what it reads from is closed.
const LET_GO_MAX: Duration = Duration::from_millis(500);

/// Looks at one pipeline or at all. `ddl_only` prints nothing but the statements for the state tables.
pub fn run(which: &Which, ddl_only: bool, written: WrittenOptions) -> Outcome {
    let pipeline = match which {
        Which::All => return all::run(ddl_only, written),
        Which::Named(name) => Some(name.as_str()),
        Which::Unnamed => None,
    };
    let settings = match config::resolve(written, pipeline) {
        Err(refusal) => return app::refuse(&refusal),
        Ok(settings) => settings,
    };
    app::begin_look(&[&settings]);
    let mut text = String::new();
    let looked = look_at(&settings, ddl_only, &mut text);
    let printed = print(&Block(text).to_string());
    match looked {
        Ok(()) => printed,
        Err(error) => {
            app::complain(&error);
            error.kind.into()
        }
    }
}

fn look_at(settings: &Settings, ddl_only: bool, out: &mut String) -> Result<()> {
    match ddl_only {
        true => ddl(settings, out),
        false => check(settings, out),
    }
}

/// Writes what there is to know. An error where a run would end with one at its start.
fn check(settings: &Settings, out: &mut String) -> Result<()> {
    app::check_files(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let stop = Arc::new(Stop::default());
    signals::listen(&stop);
    let minimum = minimum(settings)?;
    let mut obstacles = obstacles::of_files_and_ports(settings);
    let looked = look(settings, &runtime, &stop);
    // From here on nothing would be left behind.
    signals::listen_no_more();
    // One that came until now was taken for this look.
    if stop.is_stopping() {
        signals::obey(&stop);
    }
    // A run comes to its port first.
    if looked.is_err() && obstacles.is_err() {
        return obstacles.map(drop);
    }
    let (ends, sample) = looked?;
    let Sample { segment, total, fault } = sample;
    if let (Ok(warnings), Some(table)) = (&mut obstacles, &ends.table) {
        warnings.extend(runtime.block_on(obstacles::of_job(settings, table))?);
    }
    let mut rows = Rows::new(ends.decoder.shape());
    let findings = match &ends.table {
        Some(table) => Some(runtime.block_on(look_at_table(table))?),
        None => None,
    };
    if let Some(segment) = &segment {
        ends.decoder.decode(segment, &mut rows)?;
    }
    // Writing to a string does not fail.
    let intent = app::intent(settings, ends.table.as_deref());
    let _ = writeln!(out, "{}: would move {}", Line(&settings.pipeline_id), Line(intent));
    let _ = writeln!(out, "\nsource");
    for split in ends.source.splits() {
        let _ = writeln!(out, "  {}", Line(&split.name));
    }
    if let Some(records) = ends.source.expected().records {
        let _ = writeln!(out, "  {}", text::counted(records, "record"));
    }
    match &findings {
        Some(findings) => table(out, findings),
        None => columns(out, &ends, &rows),
    }
    let seen = (rows.len() + rows.rejected.len()) as u64;
    let _ = writeln!(out, "\nthe first {}{}", text::counted(seen, "record"), total.share(seen));
    let name = ends.source.splits().first().map_or("", |split| &split.name);
    let mut size = None;
    if let Some(segment) = &segment {
        let (refused, bytes) = written(out, &*ends.sink, &rows)?;
        size = total.known().map(|records| (records, bytes_of(records, segment.records, bytes)));
        rows.rejected.extend(pipeline::reject(&*ends.decoder, name, segment, &rows, refused));
    }
    rejected(out, settings, &rows);
    // What is rejected of these is taken to be rejected of the rest.
    let taken = |records: u64| {
        let rejected = rows.rejected.len() as u64;
        (records as f64 * (seen - rejected) as f64 / seen.max(1) as f64).round() as u64
    };
    let size = size.map(|(records, bytes)| (taken(records), bytes));
    let _ = write!(out, "\n{}", plan(settings, total, size));
    let is_whole = total == Total::Exactly(seen);
    let budget = settings.max_errors;
    let known = ends.source.expected().records.or(is_whole.then_some(seen));
    let doubts = doubtful_share(budget, &rows, seen, is_whole)
        .into_iter()
        .chain(doubtful_number(&minimum, known, total));
    for warning in obstacles.iter().flatten().cloned().chain(doubts) {
        let _ = writeln!(out, "warning: {}", Line(&warning));
    }
    let _ = writeln!(out, "this was a dry run: nothing was written");
    obstacles?;
    let missing = findings.map(|findings| findings.missing).unwrap_or_default();
    if !missing.is_empty() {
        let message = format!("the account lacks a right: {}", missing.join("; "));
        return Err(
            Error::config(message).help("docs/mysql.md has a table of the rights for each mode")
        );
    }
    minimum.check_expected(known)?;
    within_budget(budget, &rows, seen, is_whole)?;
    fault.map_or(Ok(()), Err)?;
    // What was seen is all, so what the output would have is known as well.
    let taken = (is_whole || known == Some(0)).then(|| seen - rows.rejected.len() as u64);
    taken.map_or(Ok(()), |taken| {
        let replaced = if taken == 0 { ends.sink.would_replace() } else { None };
        minimum.check_taken(taken, replaced, ends.sink.is_public_at_commit())
    })
}

fn bytes_of(records: u64, sampled: u64, bytes: usize) -> u64 {
    (records as f64 * bytes as f64 / sampled.max(1) as f64).round() as u64
}

/// Opens both ends and reads the first records, unless a signal comes: then nothing is kept open.
fn look(settings: &Settings, runtime: &Runtime, stop: &Arc<Stop>) -> Result<(Ends, Sample)> {
    let opening = async {
        // What is tried again is said, as a run says it.
        let log: Arc<dyn Observer> = Arc::new(EventLog::default());
        let output = Destination::look(settings, &log).await?;
        Ends::look(settings, output, &log).await
    };
    let looking = async {
        // A snapshot that is let go of is closed.
        let ends = tokio::select! {
            ends = opening => ends?,
            () = stop.draining() => signals::obey(stop),
        };
        let (source, limit, host) = (Arc::clone(&ends.source), ends.limit, Arc::clone(stop));
        let mut reading = spawn_blocking(move || sample(&*source, limit, &host));
        let read = tokio::select! {
            read = &mut reading => Some(read),
            // A server is let go of at once; a pipe that brings nothing is left in its read.
            () = stop.draining() => timeout(LET_GO_MAX, &mut reading).await.ok(),
        };
        ends.source.close().await;
        let Some(read) = read else { signals::obey(stop) };
        let sample = read.map_err(|cause| {
            Error::internal("reading the first records broke off").because(cause)
        })?;
        Ok((ends, sample?))
    };
    runtime.block_on(async {
        tokio::select! {
            looked = looking => looked,
            never = say_what_is_waited_for(settings) => match never {},
        }
    })
}

/// Once, when a look takes longer than somebody who watches it expects.
async fn say_what_is_waited_for(settings: &Settings) -> Infallible {
    tokio::time::sleep(SILENCE_MAX).await;
    let (source, sink) = (settings.source.kind().0, settings.sink.kind().0);
    tracing::warn!(
        "opening {source} and {sink} for {} s so far; a server that does not answer is given up after a while",
        SILENCE_MAX.as_secs()
    );
    std::future::pending().await
}

/// With what the last complete run had, where a run would compare itself with that.
fn minimum(settings: &Settings) -> Result<Minimum> {
    if settings.max_shrink.is_none() {
        return Ok(settings.minimum);
    }
    let path = settings.ledger.path.as_ref().ok_or_else(app::cannot_compare)?;
    let of_this = |connection: &_| PipelineHistory::of(connection, &settings.pipeline_id);
    let past = ledger::read(path, of_this).map_err(|_| app::cannot_compare())?;
    Ok(past.map_or(settings.minimum, |past| app::minimum_against(settings, &past)))
}

/// A number of records that is only known by the first ones, and would be too small.
fn doubtful_number(minimum: &Minimum, known: Option<u64>, total: Total) -> Option<String> {
    let estimate = total.known().filter(|_| known.is_none());
    let error = minimum.check_expected(estimate).err()?;
    Some(format!("by the first records, a run would end with exit code 3: {error}"))
}

/// A share that these records are over, and all of them together may not be.
fn doubtful_share(budget: MaxErrors, rows: &Rows, seen: u64, is_whole: bool) -> Option<String> {
    let failed = rows.rejected.len() as u64;
    // Where none would be taken, it is no warning any more.
    let is_doubtful = failed < seen
        && budget.is_exceeded(failed, seen, true)
        && !budget.is_exceeded(failed, seen, is_whole);
    is_doubtful.then(|| {
        format!(
            "{failed} of the first {} are more than --max-errors {budget}; a run judges that after \
             10,000 records and at its end",
            text::counted(seen, "record")
        )
    })
}

/// A run would end at these records, or they give no hope of another end.
fn within_budget(budget: MaxErrors, rows: &Rows, seen: u64, is_whole: bool) -> Result<()> {
    let failed = rows.rejected.len() as u64;
    let Some(first) = rows.rejected.iter().min_by_key(|rejected| rejected.place.record) else {
        return Ok(());
    };
    let tried = text::counted(seen, "record");
    let said = match (budget.is_exceeded(failed, seen, is_whole), failed == seen) {
        (true, _) => format!("{failed} of the first {tried} would be rejected"),
        // A share is judged later, but nothing that was tried speaks for the others.
        (false, true) if budget.is_exceeded(failed, seen, true) => {
            format!("none of the first {tried} would be written")
        }
        (false, _) => return Ok(()),
    };
    let message = format!("{}; {said} and --max-errors is {budget}", first.reason);
    Err(Error::data(first.error_type, message).at(first.place.clone()))
}

/// Writes the statements that create the state tables, for an administrator. Asks no server.
fn ddl(settings: &Settings, out: &mut String) -> Result<()> {
    let SinkSettings::Mysql(mysql) = &settings.sink else {
        return Err(Error::config("files have no state tables").help("say --sink-type mysql"));
    };
    for statement in StateTables::new(&mysql.state_table, &mysql.full_table())?.definitions() {
        let _ = writeln!(out, "{statement};");
    }
    Ok(())
}

fn columns(out: &mut String, ends: &Ends, rows: &Rows) {
    let Shape::Columns(old) = ends.decoder.shape() else {
        let _ = writeln!(out, "\ndocuments are copied as they are");
        return;
    };
    let shown_names =
        |names: &[String]| names.iter().map(|name| Line(name).to_string()).collect::<Vec<_>>();
    let (old_shown, new_shown) = (shown_names(&old), shown_names(&ends.names));
    let width = |names: &[String]| {
        names.iter().map(|name| name.chars().count()).chain([6]).max().unwrap_or(6)
    };
    let (old_width, new_width) = (width(&old_shown), width(&new_shown));
    let _ = writeln!(
        out,
        "\n  {:<old_width$}  {:<new_width$}  {:<8}  first value",
        "column", "output", "type"
    );
    let first: Vec<String> = match rows.is_empty() {
        true => Vec::new(),
        false => rows.row(0).map(|value| shown(&value)).collect(),
    };
    for (index, name) in old.iter().enumerate() {
        let field = ends.source.fields().iter().find(|field| field.name == *name);
        let kind = field.map_or("as is", |field| &field.origin);
        let shown = |names: &[String]| names.get(index).cloned().unwrap_or_default();
        let (old, new, value) = (shown(&old_shown), shown(&new_shown), shown(&first));
        let line = format!("  {old:<old_width$}  {new:<new_width$}  {kind:<8}  {value}");
        let _ = writeln!(out, "{}", Line(line.trim_end()));
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
    let text = Line(text).to_string();
    match text.char_indices().nth(SHOWN_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Shows the first rows as they would be written, gives back those that would not, and how many
/// bytes the others are.
fn written(out: &mut String, sink: &dyn Sink, rows: &Rows) -> Result<(Vec<Refused>, usize)> {
    let mut refused = Vec::new();
    let payload = sink.prepare(rows, Vec::new(), &mut refused)?;
    let text = String::from_utf8_lossy(&payload.bytes);
    for line in text.lines().take(SHOWN_ROWS) {
        let _ = writeln!(out, "  {line}");
    }
    Ok((refused, payload.bytes.len()))
}

async fn look_at_table(table: &Fitted) -> Result<Findings> {
    let settings = &table.target.settings;
    let state_tables =
        StateTables::new(&settings.state_table, &settings.full_table())?.definitions();
    let known = Known {
        fields: &table.fields,
        plan: &table.plan,
        table: &table.table,
        new_table: table.new_table.as_ref(),
        new_columns: table.new_columns.as_ref(),
        state_tables: &state_tables,
    };
    findings(&table.target, &known).await
}

fn table(out: &mut String, findings: &Findings) {
    let _ = writeln!(out, "\ntarget");
    // Rights that are there are of no interest one by one.
    for (about, line) in findings.lines.iter().filter(|(about, _)| *about != "right") {
        let _ = writeln!(out, "  {about:<10}{}", Line(line));
    }
    if findings.missing.is_empty() {
        let _ = writeln!(out, "  rights    all that a run needs");
    }
    if let Some(sql) = &findings.new_table {
        let _ = writeln!(out, "\nwould create\n{}", indented(sql));
    }
    if let Some(sql) = &findings.new_columns {
        let _ = writeln!(
            out,
            "\nwould add columns, where the server does it at once\n{}",
            indented(sql)
        );
    }
    if !findings.mapping.is_empty() {
        let rows = findings.mapping.iter().map(|row| {
            [&row.field, &row.field_type, &row.column, &row.column_type, &row.note]
                .map(|text| Line(text).to_string())
        });
        let rows: Vec<_> = rows.collect();
        let heads = ["field", "type", "column", "type", "note"];
        let rows = rows.iter().map(|row| row.each_ref().map(String::as_str));
        let _ = writeln!(out, "\n{}", text::table(&heads, rows));
    }
    for warning in &findings.warnings {
        let _ = writeln!(out, "  warning: {}", Line(warning));
    }
    for missing in &findings.missing {
        let _ = writeln!(out, "  missing right: {}", Line(missing));
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
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
        settings.max_errors
    );
    for rejected in rows.rejected.iter().take(SHOWN_REJECTED) {
        let _ = writeln!(out, "  {}: {}", rejected.place, Line(&rejected.reason));
    }
    let more = rows.rejected.len().saturating_sub(SHOWN_REJECTED);
    if more > 0 {
        let _ = writeln!(out, "  and {} more", text::count(more as u64));
    }
}

/// What a run would do with its output.
fn plan(settings: &Settings, total: Total, size: Option<(u64, u64)>) -> String {
    let file = match &settings.sink {
        SinkSettings::File(file) => file,
        SinkSettings::Mysql(mysql) => return table_plan(settings, mysql, total, size),
    };
    let Some(path) = &file.path else {
        return "would write to standard output\n".to_string();
    };
    let shown = Line(path.display());
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

fn table_plan(
    settings: &Settings,
    mysql: &MysqlSettings,
    total: Total,
    size: Option<(u64, u64)>,
) -> String {
    let table = Line(mysql.full_table());
    let Some((records, bytes)) = size else { return format!("would write to {table}\n") };
    let about = if matches!(total, Total::Exactly(_)) { "" } else { "about " };
    format!(
        "would write {about}{}, about {}, to {table}, in transactions of at most {}; a binary log grows by about as much\n",
        text::counted(records, "row"),
        text::bytes(bytes),
        text::bytes(settings.limit.bytes as u64)
    )
}
