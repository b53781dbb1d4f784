//! Which field goes into which column.

use std::collections::{HashMap, HashSet};

use super::{BoundColumn, OtherFields, PlanInput};
use crate::error::{Error, Result};
use crate::record::{Field, FieldKind};
use crate::sink::mysql::ddl::{NewColumns, TableRequest};
use crate::sink::mysql::rules::{BinaryText, TextOrigin, Times};
use crate::sink::mysql::{Absent, Column, ColumnKind, NewFields, Preset, Rules};

#[derive(Debug)]
pub(super) struct Binding {
    pub wanted: Vec<String>,
    pub columns: Vec<BoundColumn>,
    pub others: OtherFields,
    pub warnings: Vec<String>,
}

/// A column with the field that feeds it.
struct Feed<'a> {
    field: &'a str,
    /// None for one that may turn up and is not known yet.
    known: Option<&'a Field>,
}

#[derive(Default)]
struct Finding<'a> {
    /// One for each column of the table.
    feeds: Vec<Option<Feed<'a>>>,
    without_column: Vec<&'a str>,
    /// Known, and left out for a reason that was said.
    left_out: Vec<String>,
    faults: Vec<String>,
    warnings: Vec<String>,
    /// Some dates cannot be read.
    has_unclear: bool,
    /// Names of some fields differ in upper and lower case alone.
    has_twins: bool,
}

pub(super) fn bind(given: &PlanInput<'_>) -> Result<Binding> {
    let columns = &given.table.columns;
    let mut finding = Finding::default();
    finding.feeds.resize_with(columns.len(), || None);
    match given.selection {
        Some((old, new)) => finding.select(given, old, new),
        None => finding.by_name(given),
    }
    finding.judge_columns(given);
    if !finding.faults.is_empty() || !finding.without_column.is_empty() {
        return Err(finding.into_error(given));
    }

    let except = std::mem::take(&mut finding.left_out);
    let others = match (given.selection, given.settings.new_fields) {
        (Some(_), _) => OtherFields::Ignore,
        (None, NewFields::Refuse | NewFields::Add) => OtherFields::Stop { except },
        (None, NewFields::Ignore) => OtherFields::Count { except },
    };
    let mut binding =
        Binding { wanted: Vec::new(), columns: Vec::new(), others, warnings: finding.warnings };
    for (column, feed) in columns.iter().zip(&finding.feeds) {
        if let Some(feed) = feed {
            let rules = rules_of(given, column, feed.known);
            binding.wanted.push(feed.field.to_string());
            let is_known = feed.known.is_some() || given.selection.is_some();
            let column = column.clone();
            // Until the mode is known, which decides it.
            let absent = Absent::Left;
            binding.columns.push(BoundColumn { column, rules, is_known, absent });
        }
    }
    Ok(binding)
}

/// The fields that would go into columns of their names, and find none.
pub fn without_column<'a>(given: &PlanInput<'a>) -> Vec<&'a Field> {
    if given.selection.is_some() {
        return Vec::new();
    }
    let mut finding = Finding::default();
    finding.feeds.resize_with(given.table.columns.len(), || None);
    finding.by_name(given);
    let is_without = |field: &&Field| finding.without_column.contains(&field.name.as_str());
    given.fields.iter().filter(is_without).collect()
}

impl<'a> Finding<'a> {
    fn select(&mut self, given: &PlanInput<'a>, old: &'a [String], new: &'a [String]) {
        let names = ColumnNames::new(&given.table.columns);
        let mut fields: HashMap<&str, &Field> =
            given.fields.iter().map(|field| (field.column(), field)).collect();
        fields.extend(given.fields.iter().map(|field| (field.name.as_str(), field)));
        for (field, name) in old.iter().zip(new) {
            let known = fields.get(field.as_str()).copied();
            let field = known.map_or(field.as_str(), |known| &known.name);
            if known.is_none() && !given.is_open {
                self.faults.push(format!("the source has no field {}", shown(field)));
                continue;
            }
            match names.find(name) {
                Some(at) => {
                    self.note_case(&given.table.columns[at], name);
                    self.feed(given, at, Feed { field, known });
                }
                None => self.faults.push(format!("the table has no column {}", shown(name))),
            }
        }
    }

    fn by_name(&mut self, given: &PlanInput<'a>) {
        let columns = &given.table.columns;
        let names = ColumnNames::new(columns);
        let parted = parted(given, &names);
        let mut inexact = Vec::new();
        for field in given.fields {
            match names.exact(field.column()) {
                Some(at) => self.feed_or_leave(given, at, field),
                None => inexact.push(field),
            }
        }
        for field in inexact {
            match names.find(field.column()) {
                Some(at) if self.feeds[at].is_none() => self.feed_or_leave(given, at, field),
                _ if field.is_beside => {}
                // It comes with the object, which is a column itself.
                _ if field.columns_above().any(|above| names.exact(above).is_some()) => {}
                // As a column of its own it would take all from those of its parts.
                _ if parted.contains(&field.name[..]) => {}
                _ if given.settings.new_fields == NewFields::Ignore => {
                    self.left_out_for_want(field);
                }
                // The server would not add a column whose name it takes for that of another.
                Some(at) => {
                    self.feed(given, at, Feed { field: &field.name, known: Some(field) });
                    self.has_twins = true;
                }
                _ => self.without_column.push(&field.name),
            }
        }
        if given.is_open {
            self.await_others(columns);
        }
    }

    /// A document may have a field that nobody has seen yet.
    fn await_others(&mut self, columns: &'a [Column]) {
        for (at, column) in columns.iter().enumerate() {
            let is_writable = column.check_writable().is_ok();
            if self.feeds[at].is_none() && is_writable {
                self.feeds[at] = Some(Feed { field: &column.name, known: None });
            }
        }
    }

    fn left_out_for_want(&mut self, field: &Field) {
        let name = shown(&field.name);
        self.warnings.push(format!("field {name} is left out: the table has no such column"));
    }

    fn feed_or_leave(&mut self, given: &PlanInput<'a>, at: usize, field: &'a Field) {
        let column = &given.table.columns[at];
        if column.is_generated {
            let name = shown(&field.name);
            self.warnings
                .push(format!("field {name} is left out: the server generates that column"));
            self.left_out.push(field.name.clone());
            return;
        }
        self.note_case(column, field.column());
        self.feed(given, at, Feed { field: &field.name, known: Some(field) });
    }

    fn feed(&mut self, given: &PlanInput<'a>, at: usize, feed: Feed<'a>) {
        let name = &given.table.columns[at].name;
        match &self.feeds[at] {
            Some(other) => self.faults.push(format!(
                "the fields {} and {} both go into column {}",
                shown(other.field),
                shown(feed.field),
                shown(name)
            )),
            None => self.feeds[at] = Some(feed),
        }
    }

    fn note_case(&mut self, column: &Column, name: &str) {
        if column.name != name {
            self.warnings.push(format!(
                "{} goes into column {}, which is written differently",
                shown(name),
                shown(&column.name)
            ));
        }
    }

    fn judge_columns(&mut self, given: &PlanInput<'_>) {
        let mut required = Vec::new();
        for (column, feed) in given.table.columns.iter().zip(&self.feeds) {
            match feed {
                Some(feed) => {
                    if let Err(error) = column.check_writable() {
                        self.faults.push(error.to_string());
                    }
                    if let Err(why) = times_of(column, feed.known) {
                        let field = shown(feed.field);
                        self.faults.push(format!("the dates of field {field}: {why}"));
                        self.has_unclear = true;
                    }
                }
                None if !column.is_generated && column.preset == Preset::None => {
                    required.push(shown(&column.name));
                }
                None => {}
            }
        }
        if !required.is_empty() {
            self.faults.push(format!(
                "no field goes into {} {}, which {} NOT NULL and no default",
                if required.len() == 1 { "column" } else { "columns" },
                required.join(", "),
                if required.len() == 1 { "has" } else { "have" },
            ));
        }
        if self.feeds.iter().all(Option::is_none) {
            self.faults.push("no field of the source has a column in the table".to_string());
        }
    }

    fn into_error(mut self, given: &PlanInput<'_>) -> Error {
        let mut help = self.has_unclear.then(|| Times::HELP.to_string());
        if !self.without_column.is_empty() {
            let names: Vec<String> = self.without_column.iter().map(|name| shown(name)).collect();
            let fields = if names.len() == 1 { "field" } else { "fields" };
            self.faults.insert(0, format!("there is no column for {fields} {}", names.join(", ")));
            let fed = self.feeds.iter().zip(&given.table.columns);
            let pairs: Vec<String> = fed
                .filter_map(|(feed, column)| feed.as_ref().map(|feed| (feed, column)))
                .filter(|(feed, _)| feed.known.is_some())
                .map(|(feed, column)| pair(feed.field, &column.name))
                .collect();
            help = Some(match pairs.is_empty() {
                true => "name what to write where with --select COLUMN=FIELD".to_string(),
                false => format!(
                    "{}, or leave the fields out with --select '{}' or with --new-fields ignore",
                    adding(given),
                    pairs.join(",").replace('\'', "'\\''")
                ),
            });
        }
        let error =
            Error::config(format!("table {}: {}", given.table.name, self.faults.join("; ")));
        let twins = self.has_twins.then(|| {
            "the server does not tell names of columns apart by upper and lower case; \
             --select COLUMN=FIELD,… says what goes where, and --new-fields ignore leaves out what \
             comes second"
                .to_string()
        });
        let help = twins.or(help);
        error.help(help.unwrap_or_else(|| "--select COLUMN=FIELD,… says what goes where".into()))
    }
}

/// Names of the objects whose parts are columns.
fn parted<'a>(given: &PlanInput<'a>, names: &ColumnNames<'_>) -> HashSet<&'a str> {
    if !given.is_open {
        return HashSet::new();
    }
    let columns = &given.table.columns;
    let is_writable = |column: &&Column| column.check_writable().is_ok();
    let is_fed =
        |field: &&Field| names.find(field.column()).is_some_and(|at| is_writable(&&columns[at]));
    let fields = given.fields.iter().filter(is_fed).map(|field| &field.name[..]);
    let parts = fields.chain(columns.iter().filter(is_writable).map(|column| &column.name[..]));
    parts.flat_map(|name| name.match_indices('.').map(|(at, _)| &name[..at])).collect()
}

/// How the columns that are missing come into the table.
fn adding(given: &PlanInput<'_>) -> String {
    let fields: Vec<Field> = without_column(given).into_iter().cloned().collect();
    let request = TableRequest {
        settings: given.settings,
        server: given.server,
        fields: &fields,
        selection: None,
        is_untyped: given.is_untyped,
        has_many_indices: false,
        guessed_from: "",
    };
    match NewColumns::new(&given.table.existing(), &request) {
        Ok(new) => format!("add the columns with --new-fields add or by '{}'", new.sql()),
        Err(_) => "add the columns".to_string(),
    }
}

/// As `--select` takes it.
fn pair(field: &str, column: &str) -> String {
    if field == column { field.to_string() } else { format!("{column}={field}") }
}

fn shown(name: &str) -> String {
    format!("'{}'", name.escape_debug())
}

/// Columns by their names.
pub(super) struct ColumnNames<'a> {
    exact: HashMap<&'a str, usize>,
    folded: HashMap<String, usize>,
}

impl<'a> ColumnNames<'a> {
    pub fn new(columns: &'a [Column]) -> ColumnNames<'a> {
        let named = || columns.iter().enumerate();
        ColumnNames {
            exact: named().map(|(at, column)| (column.name.as_str(), at)).collect(),
            folded: named().map(|(at, column)| (column.name.to_lowercase(), at)).collect(),
        }
    }

    fn exact(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied()
    }

    /// The server does not tell names of columns apart by upper and lower case.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.exact(name).or_else(|| self.folded.get(&name.to_lowercase()).copied())
    }
}

/// How times that go into this column are written; of no interest where it holds none.
fn times_of(column: &Column, known: Option<&Field>) -> std::result::Result<Times, String> {
    match known {
        Some(field) if column.kind.is_time() => Times::of(field),
        _ => Ok(Times::Iso),
    }
}

fn rules_of(given: &PlanInput<'_>, column: &Column, known: Option<&Field>) -> Rules {
    let kind = known.map_or(FieldKind::Unknown, |field| field.kind);
    let mut rules = given.settings.rules.clone();
    // Those that cannot be read have ended the plan.
    rules.times = times_of(column, known).unwrap_or_default();
    rules.text = if given.is_untyped { TextOrigin::Untyped } else { TextOrigin::Typed };
    let is_bytes = matches!(column.kind, ColumnKind::Binary { .. });
    if kind == FieldKind::Base64 && is_bytes && rules.binary == BinaryText::Raw {
        rules.binary = BinaryText::Base64;
    }
    rules
}
