//! The table that is written to, as it was found: what a run decides from, before it writes.

use std::sync::Arc;
use std::time::Instant;

use super::ddl::{NewColumns, NewTable, TableRequest, new_table};
use super::plan::{Plan, PlanInput, plan, without_column};
use super::session::connect;
use super::{MysqlSettings, ServerInfo, Table, Trouble, table};
use crate::error::{Error, Result};
use crate::event::{Event, Observer, SchemaOperation};
use crate::record::Field;

pub struct Target {
    pub settings: Arc<MysqlSettings>,
    pub server: Arc<ServerInfo>,
    /// None where there is no such table yet.
    pub table: Option<Table>,
}

/// What is known beforehand; the plan where there is a table, and a new table where there is none.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub fields: &'a [Field],
    pub plan: &'a Plan,
    pub new_table: Option<&'a NewTable>,
    pub new_columns: Option<&'a NewColumns>,
    /// As it was found, or as it would be.
    pub table: &'a Table,
    /// `StateTables::definitions`.
    pub state_tables: &'a [String],
}

/// All that a plan is made of beside the table, to make it again.
#[derive(Clone)]
pub struct Planning {
    settings: Arc<MysqlSettings>,
    server: Arc<ServerInfo>,
    fields: Vec<Field>,
    selection: Option<(Vec<String>, Vec<String>)>,
    is_open: bool,
    is_untyped: bool,
}

impl Planning {
    pub fn plan(&self, table: &Table) -> Result<Plan> {
        plan(&self.input(table))
    }

    /// Names of fields that have no column in the table, where they should.
    pub fn without_column(&self, table: &Table) -> Vec<String> {
        let fields = without_column(&self.input(table));
        fields.into_iter().map(|field| field.name.clone()).collect()
    }

    fn input<'a>(&'a self, table: &'a Table) -> PlanInput<'a> {
        let selection = self.selection.as_ref();
        PlanInput {
            settings: &self.settings,
            server: &self.server,
            table,
            fields: &self.fields,
            selection: selection.map(|(old, new)| (&old[..], &new[..])),
            is_open: self.is_open,
            is_untyped: self.is_untyped,
        }
    }
}

/// Names in the source and names in the table, in the order of `--select`.
pub type Selection<'a> = Option<(&'a [String], &'a [String])>;

impl Target {
    /// Connects, looks, and says goodbye. Nothing is written.
    pub async fn inspect(settings: MysqlSettings) -> Result<Target> {
        let mut session = connect(&settings).await?;
        let table = table::inspect(&mut session, &settings.full_table()).await;
        let server = Arc::clone(&session.server);
        session.close().await;
        Ok(Target { settings: Arc::new(settings), server, table: table? })
    }

    /// How records become rows. With `is_open`, records are documents, and others than these
    /// fields may turn up; with `is_untyped`, text may be JSON, NULL or a number in disguise, which
    /// is all that a CSV file has.
    pub fn planning(
        &self,
        fields: &[Field],
        selection: Selection<'_>,
        is_open: bool,
        is_untyped: bool,
    ) -> Planning {
        Planning {
            settings: Arc::clone(&self.settings),
            server: Arc::clone(&self.server),
            fields: fields.to_vec(),
            selection: selection.map(|(old, new)| (old.to_vec(), new.to_vec())),
            is_open,
            is_untyped,
        }
    }

    pub fn table(&self) -> Result<&Table> {
        self.table.as_ref().ok_or_else(|| {
            Error::config(format!(
                "mysql server {}: there is no table {}, or the account may not see it",
                self.settings.address,
                self.settings.full_table()
            ))
            .help("name another with --db-table, or let it be created with --create-table")
        })
    }

    /// The table that `create_table` would make, where there is none and one is asked for. With
    /// `has_many_indices`, an `_id` does not tell records apart by itself.
    pub fn new_table(
        &self,
        fields: &[Field],
        selection: Selection<'_>,
        is_untyped: bool,
        has_many_indices: bool,
        guessed_from: &str,
    ) -> Result<Option<NewTable>> {
        if self.table.is_some() || !self.settings.create_table {
            return Ok(None);
        }
        let (settings, server) = (&*self.settings, &*self.server);
        new_table(&TableRequest {
            settings,
            server,
            fields,
            selection,
            is_untyped,
            has_many_indices,
            guessed_from,
        })
        .map(Some)
    }

    /// The columns that fields of these names would get, as `fields` says what they hold.
    pub fn new_columns(
        &self,
        names: &[String],
        fields: &[Field],
        is_untyped: bool,
        guessed_from: &str,
    ) -> Result<NewColumns> {
        let is_new = |field: &&Field| names.contains(&field.name);
        let fields: Vec<Field> = fields.iter().filter(is_new).cloned().collect();
        let (settings, server) = (&*self.settings, &*self.server);
        let request = TableRequest {
            settings,
            server,
            fields: &fields,
            selection: None,
            is_untyped,
            has_many_indices: false,
            guessed_from,
        };
        NewColumns::new(&self.table()?.existing(), &request)
    }

    /// Adds columns where the server does it without touching a row, and looks at the table again. Those that
    /// another run has added meanwhile are left as that made them.
    pub async fn add_columns(&mut self, new: &NewColumns, observer: &dyn Observer) -> Result<()> {
        let mut lacking = new.clone();
        loop {
            let mut session = connect(&self.settings).await?;
            let begun = Instant::now();
            let altered = session.run(&lacking.instant_sql()).await;
            let (took, is_done) = (begun.elapsed(), altered.is_ok());
            let table = table::inspect(&mut session, &self.settings.full_table()).await;
            session.close().await;
            self.table = table?;
            let operation = SchemaOperation::AddColumns;
            observer.notice(&Event::SchemaChanged { operation, is_done, took });
            let Err(trouble) = altered else { return Ok(()) };
            let there = self.table()?.columns.iter().map(|column| &column.name[..]);
            match lacking.lacking(there) {
                None => return Ok(()),
                // Fewer each time.
                Some(fewer) if fewer.definitions.len() < lacking.definitions.len() => {
                    lacking = fewer;
                }
                Some(_) => return Err(lacking.refused(trouble)),
            }
        }
    }

    /// Creates the table and looks at it. Where another was faster, theirs is looked at.
    pub async fn create_table(&mut self, new: &NewTable, observer: &dyn Observer) -> Result<()> {
        let mut session = connect(&self.settings).await?;
        let begun = Instant::now();
        let created = session.run(&new.sql).await;
        let took = begun.elapsed();
        let table = table::inspect(&mut session, &self.settings.full_table()).await;
        session.close().await;
        match (created, table?) {
            // It failed because it is there.
            (Err(_), Some(table)) => self.table = Some(table),
            (created, table) => {
                let is_done = created.is_ok();
                let operation = SchemaOperation::CreateTable;
                observer.notice(&Event::SchemaChanged { operation, is_done, took });
                if created.as_ref().err().is_some_and(Trouble::is_row_too_large) {
                    return Err(Error::config(format!(
                        "table {} would have too many columns for one row of it to be stored",
                        new.name
                    ))
                    .help("name the fields that are wanted with --select"));
                }
                created?;
                self.table = table;
            }
        }
        Ok(())
    }
}
