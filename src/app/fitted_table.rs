//! How the fields of a source become the columns of a table, which is made for them, or gets new columns,
//! where that is asked for.

use std::sync::Arc;

use super::waiting::{OPENING, beside};
use crate::config::{Settings, SourceSettings};
use crate::error::{Error, Result};
use crate::event::{Observer, Stage};
use crate::pipeline::persist;
use crate::record::Field;
use crate::sink::mysql::{
    Guard, Guesses, MysqlSink, NewColumns, NewFields, NewTable, OtherFields, Plan, Planning, Table,
    Target as MysqlTarget, absent, planned, with_columns,
};
use crate::source::{Others, Sampled, Source, Wanted};

/// A table, and how the source's fields become its rows.
pub struct Fitted {
    pub target: Box<MysqlTarget>,
    /// What would be created, were this not a look.
    pub new_table: Option<NewTable>,
    /// Columns that would be added, were this not a look.
    pub new_columns: Option<NewColumns>,
    /// As it was found, or as it would be created.
    pub table: Table,
    pub plan: Plan,
    /// The source's, after a look at records where a table is made of them.
    pub fields: Vec<Field>,
    guesses: Guesses,
    /// What the plan was made of beside the table.
    planning: Planning,
    /// Records that differ may share the key.
    pub is_key_doubtful: bool,
}

/// The table that rows go into, and what would be done for it, were this not a look.
#[derive(Default)]
struct Prepared {
    table: Option<Table>,
    new_table: Option<NewTable>,
    new_columns: Option<NewColumns>,
    /// Of a look, which says them with everything else.
    warnings: Vec<String>,
}

/// What the steps of fitting share.
struct Fitting<'a> {
    source: &'a Arc<dyn Source>,
    selection: Option<(&'a [String], &'a [String])>,
    /// Values are text, and the table's columns judge them.
    is_untyped: bool,
    observer: &'a Arc<dyn Observer>,
    is_look: bool,
}

/// Fits the source's fields to the table's columns; a table that is not there is created where that
/// is asked for, and columns are added, unless this is only a look.
pub async fn fit_table(
    settings: &Settings,
    source: &Arc<dyn Source>,
    mut target: Box<MysqlTarget>,
    observer: &Arc<dyn Observer>,
    is_look: bool,
) -> Result<Fitted> {
    let selection = settings.selection.as_ref();
    let fitting = Fitting {
        source,
        selection: selection.map(|selection| (&selection.old[..], &selection.new[..])),
        is_untyped: matches!(settings.source, SourceSettings::Csv(_)),
        observer,
        is_look,
    };
    let mut sampled = fitting.sample(&target).await?;
    let awaits_records = fitting.awaits_records(&target, &sampled);
    if awaits_records {
        fitting.allows_empty(settings, &target)?;
        sampled = Sampled::default();
    }
    let planning = match awaits_records {
        true => target.planning(&[], None, false, fitting.is_untyped),
        false => fitting.planning(&target, &sampled.fields),
    };
    let prepared = match &target.table {
        None if awaits_records => fitting.put_off(&target),
        None => fitting.create_table(&mut target, &sampled).await?,
        Some(_) => fitting.add_columns(&mut target, &planning, &sampled).await?,
    };
    let table = match prepared.table {
        Some(table) => table,
        None => target.table()?.clone(),
    };
    let mut plan = planning.plan(&table)?;
    let doubts = source.doubts(&key_fields(&plan));
    let is_key_doubtful = !doubts.is_empty();
    plan.warnings.extend(doubts);
    plan.warnings.extend(prepared.warnings);
    let guesses = Guesses::of(&table);
    let (new_table, new_columns) = (prepared.new_table, prepared.new_columns);
    let fields = sampled.fields;
    Ok(Fitted {
        target,
        new_table,
        new_columns,
        table,
        plan,
        fields,
        guesses,
        planning,
        is_key_doubtful,
    })
}

impl Fitting<'_> {
    fn planning(&self, target: &MysqlTarget, fields: &[Field]) -> Planning {
        target.planning(fields, self.selection, !self.is_untyped, self.is_untyped)
    }

    /// A look at records where a table is made of them or gets columns for fields that no mapping has; and
    /// for a refusal, which shows how columns are added.
    async fn sample(&self, target: &MysqlTarget) -> Result<Sampled> {
        let fields = self.source.fields().to_vec();
        let is_asked_for = match &target.table {
            None => target.settings.create_table,
            // Those that are not selected are not new.
            Some(_) => target.settings.new_fields == NewFields::Add && self.selection.is_none(),
        };
        let lacks_columns = || {
            let planning = self.planning(target, &fields);
            target.table.as_ref().is_some_and(|table| !planning.without_column(table).is_empty())
        };
        if is_asked_for || lacks_columns() {
            let columns = target.table.as_ref().map(Table::writable).unwrap_or_default();
            let sample = async || {
                let (source, columns) = (Arc::clone(self.source), columns.clone());
                beside(move || source.sample(&columns)).await
            };
            match persist(OPENING, self.observer, Stage::Fetch, sample).await {
                Err(error) if is_asked_for => return Err(error),
                Err(_) => {}
                Ok(sampled) => return Ok(sampled),
            }
        }
        Ok(Sampled { fields, ..Sampled::default() })
    }

    /// A table is to be made, and there is no record to choose its columns from. Where all that are to be
    /// written are declared, none is needed.
    fn awaits_records(&self, target: &MysqlTarget, sampled: &Sampled) -> bool {
        let is_declared = |name: &String| {
            let mut fields = sampled.fields.iter();
            fields.any(|field| (field.name == *name || field.column() == name) && field.is_declared)
        };
        let is_all_declared = match self.selection {
            Some((old, _)) => old.iter().all(is_declared),
            None => {
                let fields = &sampled.fields;
                // Of documents, others would come.
                self.is_untyped
                    && !fields.is_empty()
                    && fields.iter().all(|field| field.is_declared)
            }
        };
        let is_to_be_made = target.table.is_none() && target.settings.create_table;
        is_to_be_made && sampled.is_of_nothing && !is_all_declared
    }

    fn allows_empty(&self, settings: &Settings, target: &MysqlTarget) -> Result<()> {
        let is_allowed = match &settings.source {
            SourceSettings::Csv(csv) => csv.allow_empty,
            SourceSettings::Jsonl(jsonl) => jsonl.allow_empty,
            SourceSettings::Elastic(elastic) => elastic.allow_no_indices,
        };
        if is_allowed {
            return Ok(());
        }
        let table = target.settings.full_table();
        let message = format!(
            "table {table} is not there, and there is no record to choose its columns from"
        );
        Err(Error::config(message).help(
            "where that may be, --allow-empty makes a complete run of it and leaves the table to a later one; or say what all columns are with --types",
        ))
    }

    /// Leaves the table to a run that has records.
    fn put_off(&self, target: &MysqlTarget) -> Prepared {
        let name = target.settings.full_table();
        let said =
            format!("table {name} is not created: there is no record to choose its columns from");
        let mut warnings = Vec::new();
        match self.is_look {
            true => warnings.push(said),
            false => tracing::info!("{said}"),
        }
        Prepared { table: Some(absent(name)), warnings, ..Prepared::default() }
    }

    async fn create_table(&self, target: &mut MysqlTarget, sampled: &Sampled) -> Result<Prepared> {
        let (fields, of) = (&sampled.fields, &sampled.of);
        let has_many_indices = self.source.key().contains(&"_index");
        let new =
            target.new_table(fields, self.selection, self.is_untyped, has_many_indices, of)?;
        let Some(mut new) = new else { return Ok(Prepared::default()) };
        new.warnings.extend(sampled.notes.iter().cloned());
        let is_wanted = |name: &String| self.selection.is_none_or(|(old, _)| old.contains(name));
        new.warnings.extend(said(&sampled.doubts, is_wanted));
        if self.is_look {
            let table = Some(planned(&new)?);
            return Ok(Prepared { table, new_table: Some(new), ..Prepared::default() });
        }
        new.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        target.create_table(&new, &**self.observer).await?;
        tracing::info!("table {} was created, its columns chosen from {of}", new.name);
        Ok(Prepared::default())
    }

    async fn add_columns(
        &self,
        target: &mut MysqlTarget,
        planning: &Planning,
        sampled: &Sampled,
    ) -> Result<Prepared> {
        let without_column = planning.without_column(target.table()?);
        if target.settings.new_fields != NewFields::Add || without_column.is_empty() {
            return Ok(Prepared::default());
        }
        let (fields, of) = (&sampled.fields, &sampled.of);
        let new = target.new_columns(&without_column, fields, self.is_untyped, of)?;
        let mut warnings = sampled.notes.clone();
        warnings.extend(said(&sampled.doubts, |name| without_column.contains(name)));
        if self.is_look {
            new.check_instant()?;
            let table = Some(with_columns(target.table()?, &new)?);
            return Ok(Prepared { table, new_columns: Some(new), warnings, new_table: None });
        }
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        target.add_columns(&new, &**self.observer).await?;
        tracing::info!(
            "table {}: columns {} were added, their types chosen from {}",
            new.table,
            new.names(),
            sampled.of
        );
        Ok(Prepared::default())
    }
}

/// What is to be said of the fields that get columns. Of more than these, a person reads none.
fn said(doubts: &[(String, String)], gets_column: impl Fn(&String) -> bool) -> Vec<String> {
    const SHOWN: usize = 10;
    let mut said: Vec<String> = Vec::new();
    let mut others = 0;
    for (_, doubt) in doubts.iter().filter(|(name, _)| gets_column(name)) {
        match said.len() < SHOWN {
            true => said.push(doubt.clone()),
            false => others += 1,
        }
    }
    if others > 0 {
        said.push(format!(
            "{others} more columns are not what the mapping or --types says of their fields"
        ));
    }
    said
}

/// The fields that tell rows apart.
fn key_fields(plan: &Plan) -> Vec<&str> {
    let columns = plan.key.iter().flat_map(|key| &key.columns);
    columns.filter_map(|column| plan.wanted.get(*column)).map(String::as_str).collect()
}

impl Fitted {
    pub fn sink(&self, guard: Option<Arc<Guard>>, observer: &Arc<dyn Observer>) -> MysqlSink {
        let (planning, observer) = (self.planning.clone(), Arc::clone(observer));
        let sink = MysqlSink::new(&self.target, planning, self.plan.clone(), guard, observer);
        sink.guessed(self.guesses.clone())
    }
}

impl Fitted {
    /// What the plan wants of the source.
    pub fn wanted(&self) -> Wanted {
        Wanted::Fields {
            names: self.plan.wanted.clone(),
            others: match self.plan.others.clone() {
                OtherFields::Ignore => Others::Ignore,
                OtherFields::Stop { except } => Others::Stop { except },
                OtherFields::Count { except } => Others::Count { except },
            },
        }
    }
}
