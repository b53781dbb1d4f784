//! The three tables that jobs keep their state in: their names, their definitions, and creating them.

use std::time::Instant;

use crate::error::{Error, Result};
use crate::event::{Event, Observer, SchemaOperation};
use crate::sink::mysql::session::Session;
use crate::sink::mysql::settings::STATE_TABLES;
use crate::sink::mysql::table_name::{TableName, quoted_text};
use crate::sink::mysql::trouble::Trouble;

pub struct StateTables {
    pub(super) jobs: TableName,
    pub(super) segments: TableName,
    pub(super) heartbeats: TableName,
}

impl StateTables {
    /// `prefix` is what their names begin with. They are where the target is, unless it says otherwise.
    pub fn new(prefix: &str, target: &TableName) -> Result<StateTables> {
        let prefix = TableName::parse(prefix)?;
        let database = prefix.database.clone().or_else(|| target.database.clone());
        let named = |what| TableName {
            database: database.clone(),
            table: format!("{}_{what}", prefix.table),
        };
        let [jobs, segments, heartbeats] = STATE_TABLES.map(named);
        Ok(StateTables { jobs, segments, heartbeats })
    }

    /// Statements that an administrator may run instead of us.
    pub fn definitions(&self) -> [String; 3] {
        let end = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET ascii COLLATE ascii_bin";
        [
            format!(
                "CREATE TABLE IF NOT EXISTS {} (\n  \
                 job CHAR(32) NOT NULL,\n  \
                 epoch BIGINT UNSIGNED NOT NULL,\n  \
                 generation VARCHAR(64) NOT NULL,\n  \
                 name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,\n  \
                 taken_at DATETIME NOT NULL,\n  \
                 PRIMARY KEY (job)\n) {end}",
                self.jobs.quoted()
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (\n  \
                 job CHAR(32) NOT NULL,\n  \
                 generation VARCHAR(64) NOT NULL,\n  \
                 epoch BIGINT UNSIGNED NOT NULL,\n  \
                 ticket BIGINT UNSIGNED NOT NULL,\n  \
                 split BIGINT UNSIGNED NULL,\n  \
                 position_from BLOB NULL,\n  \
                 position_to BLOB NULL,\n  \
                 inserted BIGINT UNSIGNED NOT NULL,\n  \
                 updated BIGINT UNSIGNED NOT NULL,\n  \
                 duplicate BIGINT UNSIGNED NOT NULL,\n  \
                 unchanged BIGINT UNSIGNED NOT NULL,\n  \
                 bytes BIGINT UNSIGNED NOT NULL,\n  \
                 refused LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,\n  \
                 PRIMARY KEY (job, generation, epoch, ticket)\n) {end}",
                self.segments.quoted()
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (\n  \
                 job CHAR(32) NOT NULL,\n  \
                 generation VARCHAR(64) NOT NULL,\n  \
                 connection BIGINT UNSIGNED NOT NULL,\n  \
                 beat_at DATETIME(6) NULL,\n  \
                 PRIMARY KEY (job)\n) {end}",
                self.heartbeats.quoted()
            ),
        ]
    }

    /// Creates the tables where they are not there. Asks first, because creating needs a right even
    /// where nothing is to be created.
    pub async fn create(&self, session: &mut Session, observer: &dyn Observer) -> Result<()> {
        let database = match &self.jobs.database {
            Some(database) => quoted_text(database),
            None => "DATABASE()".to_string(),
        };
        let sql = format!(
            "SELECT TABLE_NAME, COALESCE(ENGINE, TABLE_TYPE) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {database} AND TABLE_NAME IN ({}, {}, {})",
            quoted_text(&self.jobs.table),
            quoted_text(&self.segments.table),
            quoted_text(&self.heartbeats.table)
        );
        let tables = session.rows::<(String, String)>(&sql).await?;
        if let Some((name, engine)) =
            tables.iter().find(|(_, engine)| !engine.eq_ignore_ascii_case("InnoDB"))
        {
            return Err(not_innodb(name, engine));
        }
        if tables.len() == 3 {
            return Ok(());
        }
        let begun = Instant::now();
        let created = self.define(session).await;
        let (operation, is_done) = (SchemaOperation::CreateStateTables, created.is_ok());
        observer.notice(&Event::SchemaChanged { operation, is_done, took: begun.elapsed() });
        if is_done {
            tracing::info!(
                "created the state tables {}, {} and {}, which keep locks and progress of jobs; \
                 --state-table names others",
                self.jobs,
                self.segments,
                self.heartbeats
            );
        }
        created
    }

    async fn define(&self, session: &mut Session) -> Result<()> {
        for definition in self.definitions() {
            match session.run(&definition).await {
                Ok(_) => {}
                Err(Trouble::Stop(error)) => return Err(self.not_created(error)),
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }

    fn not_created(&self, cause: Error) -> Error {
        Error::new(
            cause.kind,
            cause.error_type,
            format!(
                "the state tables {}, {} and {} cannot be created",
                self.jobs, self.segments, self.heartbeats
            ),
        )
        .because(cause)
        .help(
            "grant CREATE, SELECT, INSERT, UPDATE and DELETE on them, or have what 'flowgauge check \
             --print-ddl' prints run by an administrator",
        )
    }
}

/// A token has to be there exactly when the rows are.
fn not_innodb(name: &str, engine: &str) -> Error {
    Error::config(format!(
        "the state table '{}' is {}, and has to be InnoDB",
        name.escape_debug(),
        engine.escape_debug()
    ))
    .help("ALTER TABLE … ENGINE=InnoDB, or name other tables with --state-table")
}
