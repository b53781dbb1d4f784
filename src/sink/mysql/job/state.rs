//! What a job keeps in the target's database: one row of its own, a token for each committed
//! segment of a run, and a heartbeat (`heartbeat`).
//!
//! The row's epoch fences: a run that takes the job over raises it, and a transaction of a run from
//! before, however late it wakes, compares it and stops. It holds the row shared until it commits,
//! so the takeover waits for whoever has compared already.

use std::time::{Duration, Instant};

use super::locks::{RELEASE_SECONDS, get_lock, holder, kill};
use super::name::{JobIdentity, JobName};
use super::state_tables::StateTables;
use super::token;
use crate::error::{Error, Kind, Result};
use crate::record::{Counts, ErrorType, Interval};
use crate::sink::Receipt;
use crate::sink::mysql::session::{Done, Session};
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::table_name::{TableName, quoted_text};
use crate::sink::mysql::trouble::{Tried, Trouble};

/// Tokens removed by one statement, so that none of them takes long or holds much.
const FORGOTTEN_AT_ONCE: u64 = 10_000;

pub struct JobState {
    pub(super) tables: StateTables,
    pub job: JobName,
    pub(super) run_id: String,
}

impl JobState {
    /// `target` with its database.
    pub fn new(
        settings: &MysqlSettings,
        job: &JobIdentity,
        target: &TableName,
    ) -> Result<JobState> {
        Ok(JobState {
            tables: StateTables::new(&settings.state_table, target)?,
            job: JobName::new(job, target),
            run_id: job.run_id.clone(),
        })
    }

    /// Gives the job's lock back. Where that fails, the end of the connection does it.
    pub async fn unlock(&self, session: &mut Session) {
        let sql = format!("DO RELEASE_LOCK({})", quoted_text(&self.job.lock()));
        drop(session.run(&sql).await);
    }

    /// Raises the epoch, so that nobody else goes on, and forgets what earlier runs left. Waits for
    /// transactions that have compared it.
    pub async fn take_over(&self, session: &mut Session) -> Result<u64> {
        self.raise(session).await?;
        let epoch = session.rows::<u64>("SELECT LAST_INSERT_ID()").await?;
        let epoch = *epoch.first().ok_or_else(|| Error::internal("a query without its row"))?;
        let others = format!("generation <> {}", quoted_text(&self.run_id));
        self.forget(session, &others).await?;
        Ok(epoch)
    }

    async fn raise(&self, session: &mut Session) -> Tried<Done> {
        let (job, generation) = (quoted_text(&self.job.hash), quoted_text(&self.run_id));
        let name = quoted_text(&self.job.text);
        session
            .run(&format!(
                "INSERT INTO {} (job, epoch, generation, name, taken_at) \
                 VALUES ({job}, LAST_INSERT_ID(1), {generation}, {name}, UTC_TIMESTAMP()) \
                 ON DUPLICATE KEY UPDATE epoch = LAST_INSERT_ID(epoch + 1), \
                 generation = {generation}, name = {name}, taken_at = UTC_TIMESTAMP()",
                self.tables.jobs.quoted()
            ))
            .await
    }

    /// Removes all tokens of this run: it is complete.
    pub async fn forget_run(&self, session: &mut Session) -> Result<()> {
        self.forget(session, &format!("generation = {}", quoted_text(&self.run_id))).await
    }

    async fn forget(&self, session: &mut Session, which: &str) -> Result<()> {
        let job = quoted_text(&self.job.hash);
        let sql = format!(
            "DELETE FROM {} WHERE job = {job} AND {which} LIMIT {FORGOTTEN_AT_ONCE}",
            self.tables.segments.quoted()
        );
        while session.run(&sql).await?.affected >= FORGOTTEN_AT_ONCE {}
        Ok(())
    }

    /// Whether the job is still this run's. In a transaction it stays so to the end.
    pub async fn is_ours(&self, session: &mut Session, epoch: u64) -> Tried<bool> {
        let sql = format!(
            "SELECT epoch FROM {} WHERE job = {} LOCK IN SHARE MODE",
            self.tables.jobs.quoted(),
            quoted_text(&self.job.hash)
        );
        Ok(session.rows::<u64>(&sql).await?.first() == Some(&epoch))
    }

    /// That it is not.
    pub fn taken_over(&self) -> Error {
        Error::new(Kind::Locked, ErrorType::Other, "another run took this job over")
            .help("let one run of a job end before the next begins")
    }

    /// Makes sure that this session is the only one of the lane. One from before that the server
    /// still has, with an open transaction perhaps, is ended: the one that holds the lane's lock
    /// now, and never one by a number that was kept.
    pub async fn lock_lane(&self, session: &mut Session, lane: usize) -> Tried<()> {
        let name = self.job.lane_lock(lane);
        match get_lock(session, &name, 0).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // No such locks: who is still there holds its rows, and is waited for.
            Err(Trouble::Stop(_)) => return Ok(()),
            Err(trouble) => return Err(trouble),
        }
        if let Some(holder) = holder(session, &name).await? {
            kill(session, holder).await?;
        }
        let asked = Instant::now();
        if get_lock(session, &name, RELEASE_SECONDS).await? {
            return Ok(());
        }
        Err(earlier_stays(session, asked.elapsed()))
    }

    /// Says in the transaction what was done, once: a second time is refused as a duplicate.
    pub async fn put_token(
        &self,
        session: &mut Session,
        epoch: u64,
        ticket: u64,
        interval: &Interval,
        receipt: &Receipt,
    ) -> Tried<()> {
        let packet_bytes = session.server.max_allowed_packet;
        let values = token::values(interval, receipt, packet_bytes).map_err(Trouble::Stop)?;
        let sql = format!(
            "INSERT INTO {} (job, generation, epoch, ticket, {}) \
             VALUES ({}, {}, {epoch}, {ticket}, {values})",
            self.tables.segments.quoted(),
            token::COLUMNS,
            quoted_text(&self.job.hash),
            quoted_text(&self.run_id)
        );
        session.run(&sql).await.map(drop)
    }

    /// What the token of a segment says, if there is one. Waits for a transaction that wrote it and
    /// is not at its end.
    pub async fn token(
        &self,
        session: &mut Session,
        epoch: u64,
        ticket: u64,
    ) -> Tried<Option<Receipt>> {
        let sql = format!(
            "SELECT inserted, updated, duplicate, unchanged, bytes, refused FROM {} \
             WHERE job = {} AND generation = {} AND epoch = {epoch} AND ticket = {ticket} \
             LOCK IN SHARE MODE",
            self.tables.segments.quoted(),
            quoted_text(&self.job.hash),
            quoted_text(&self.run_id)
        );
        type Token = (u64, u64, u64, u64, u64, Option<String>);
        let Some(token) = session.rows::<Token>(&sql).await?.into_iter().next() else {
            return Ok(None);
        };
        let (inserted, updated, duplicate, unchanged, bytes_written, refused) = token;
        let counts = Counts { inserted, updated, duplicate, unchanged, ..Counts::default() };
        let refused = refused.as_deref().map(token::refused_from_json).transpose();
        let refused = refused.map_err(Trouble::Stop)?.unwrap_or_default();
        Ok(Some(Receipt { counts, bytes_written, refused }))
    }
}

/// Its lock was waited for so long.
pub fn earlier_stays(session: &Session, waited: Duration) -> Trouble {
    let message =
        format!("mysql server {}: an earlier connection of this run stays", session.address());
    let error = Error::new(Kind::Unavailable, ErrorType::LockTimeout, message);
    Trouble::Retry(error.after_lock_wait(waited))
}
