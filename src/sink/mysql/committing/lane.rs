//! One connection that commits segments, each in a transaction of its own: the job's epoch is
//! compared, the rows are written and counted, the token is put beside them.
//!
//! While something is under way the session is not in the lane: a future that is dropped takes the
//! connection with it, and with the connection the open transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::insert::{InsertOutcome, Inserting};
use super::portion::Sent;
use super::shared::Shared;
use crate::error::{Error, Kind, Later, Result};
use crate::event::{Counter, Event, SqlOperation};
use crate::record::{Counts, ErrorType};
use crate::sink::mysql::encoding::literal::STATEMENT_BYTES_MAX;
use crate::sink::mysql::encoding::prepare::Detail;
use crate::sink::mysql::job::state::JobState;
use crate::sink::mysql::session::{Session, try_connect};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{Tried, Trouble};
use crate::sink::{Allowance, Commit, Lane, Outgoing, Payload, Receipt, Refused};

pub struct MysqlLane {
    pub(super) shared: Arc<Shared>,
    state: Arc<JobState>,
    number: usize,
    session: Option<Session>,
    /// The session has the staging table.
    pub(super) has_staging: bool,
    /// Of the table, when the session was made.
    table_version: u64,
    /// Lower than usual where the server refused a statement for its size.
    bytes_max: Option<usize>,
    /// For the next segment LOAD DATA is left alone: what it left behind at the server was in the
    /// way of the last.
    avoids_load: bool,
    /// How many warnings of one statement the server keeps in this session.
    pub(super) warnings_kept: u64,
    /// Where it has to be known why rows are skipped: more were than there are warnings of one
    /// statement.
    pub(super) skips_many: bool,
    pub(super) sent: Sent,
}

/// A statement this short is refused for something else than its size.
const STATEMENT_BYTES_MIN: usize = 16 << 10;

impl Drop for MysqlLane {
    fn drop(&mut self) {
        self.shared.give_lane_number(self.number);
    }
}

impl MysqlLane {
    pub async fn open(shared: Arc<Shared>) -> Result<MysqlLane> {
        let state = shared.guard()?.state()?;
        let number = shared.take_lane_number();
        let mut lane = MysqlLane {
            shared,
            state,
            number,
            session: None,
            has_staging: false,
            table_version: 0,
            bytes_max: None,
            avoids_load: false,
            warnings_kept: 0,
            skips_many: false,
            sent: Sent::default(),
        };
        lane.session = Some(lane.session().await?);
        Ok(lane)
    }

    /// The session, or a new one that has the lane's lock.
    async fn session(&mut self) -> Tried<Session> {
        let table_version = self.shared.table_version();
        match self.session.take() {
            Some(session) if self.table_version == table_version => return Ok(session),
            // What was made of the table that was goes with the session.
            Some(session) => session.close().await,
            None => {}
        }
        self.table_version = table_version;
        self.has_staging = false;
        let asked = Instant::now();
        let connected = try_connect(&self.shared.settings).await;
        let (observer, operation) = (&self.shared.observer, SqlOperation::Connect);
        observer.notice(&Event::Queried { operation, took: asked.elapsed() });
        let mut session = connected?;
        session.observed_by(observer);
        // First: whoever was taken over must not end connections of the new run.
        self.compare_epoch(&mut session).await?;
        self.state.lock_lane(&mut session, self.number).await?;
        if self.asks_why() {
            self.warnings_kept = session.keep_warnings().await?;
        }
        Ok(session)
    }

    async fn compare_epoch(&self, session: &mut Session) -> Tried<()> {
        let epoch = self.shared.epoch().map_err(Trouble::Stop)?;
        match self.state.is_ours(session, epoch).await? {
            true => Ok(()),
            false => Err(Trouble::Stop(self.state.taken_over())),
        }
    }

    pub(super) async fn begin(&self, session: &mut Session) -> Tried<()> {
        session.begin().await?;
        self.compare_epoch(session).await
    }

    async fn try_commit(
        &mut self,
        session: &mut Session,
        segment: &Outgoing,
        allowance: &dyn Allowance,
    ) -> Tried<Commit> {
        let payload = &segment.payload;
        let Some(detail) = detail(payload) else {
            return Err(Trouble::Stop(Error::internal("a payload of another sink")));
        };
        if !self.shared.plan.is_transactional {
            return self.write_openly(session, payload, allowance).await;
        }
        let counts = match self.shared.plan.mode {
            _ if payload.rows == 0 => {
                self.begin(session).await?;
                Some(Counts::default())
            }
            Mode::Insert | Mode::Skip => self.load(session, payload, detail).await?,
            Mode::Upsert => self.stage(session, payload, detail).await?,
        };
        if let Some(counts) = counts {
            // What an earlier try was granted is given back.
            allowance.allows(0);
            if payload.rows > 0 {
                self.shared.check_definition(session).await?;
            }
            return self.finish(session, segment, counts, Vec::new()).await;
        }
        let _room = self.shared.room.enter(&payload.bytes).await;
        self.begin(session).await?;
        match self.insert(session, payload, allowance).await? {
            InsertOutcome::Inserted(counts, refused) => {
                let count = refused.len() as u64;
                self.shared.check_definition(session).await?;
                if !allowance.allows(count) && count > 0 {
                    session.run("ROLLBACK").await?;
                    return Ok(Commit::TooManyRejected(refused));
                }
                self.finish(session, segment, counts, refused).await
            }
            InsertOutcome::TooManyRejected(refused) => {
                self.shared.check_definition(session).await?;
                session.run("ROLLBACK").await?;
                Ok(Commit::TooManyRejected(refused))
            }
        }
    }

    pub(super) fn loads_data(&self) -> bool {
        self.shared.loads_data() && !self.avoids_load && !self.shared.portion.is_cut()
    }

    async fn insert(
        &self,
        session: &mut Session,
        payload: &Payload,
        allowance: &dyn Allowance,
    ) -> Tried<InsertOutcome> {
        self.inserting(session).insert(&payload.bytes, allowance).await
    }

    pub(super) fn inserting<'a>(&'a self, session: &'a mut Session) -> Inserting<'a> {
        let plan = &self.shared.plan;
        Inserting {
            session,
            statements: &self.shared.statements,
            plan,
            columns: &plan.columns,
            mode: plan.mode,
            bytes_max: self.bytes_max,
            rows_max: if plan.is_transactional { usize::MAX } else { 1 },
            portion: &self.shared.portion,
            given: &self.shared.given,
            sent: &self.sent,
        }
    }

    /// Puts the token beside the rows, and commits both.
    async fn finish(
        &self,
        session: &mut Session,
        segment: &Outgoing,
        counts: Counts,
        refused: Vec<Refused>,
    ) -> Tried<Commit> {
        let bytes_written = segment.payload.bytes.len() as u64;
        let receipt = Receipt { counts, bytes_written, refused };
        let epoch = self.shared.epoch().map_err(Trouble::Stop)?;
        let (state, ticket) = (&self.state, segment.ticket);
        session.check_transaction().await?;
        match state.put_token(session, epoch, ticket, &segment.interval, &receipt).await {
            Ok(()) => {}
            // It was taken before, after all: then by what was taken.
            Err(Trouble::Row(trouble)) => {
                session.run("ROLLBACK").await?;
                let receipt = state.token(session, epoch, ticket).await?;
                return receipt.map(Commit::Durable).ok_or(Trouble::Row(trouble));
            }
            Err(trouble) => return Err(trouble),
        }
        session.check_transaction().await?;
        session.commit().await?;
        Ok(Commit::Durable(receipt))
    }

    /// Into a table that cannot roll back: what is written is written, and there is no token that
    /// would be true. One row a statement, so that it is known which one failed.
    async fn write_openly(
        &self,
        session: &mut Session,
        payload: &Payload,
        allowance: &dyn Allowance,
    ) -> Tried<Commit> {
        let _room = self.shared.room.enter(&payload.bytes).await;
        self.compare_epoch(session).await?;
        let written = match self.insert(session, payload, allowance).await {
            Ok(outcome) => self.shared.check_definition(session).await.map(|()| outcome),
            Err(trouble) => Err(trouble),
        };
        match written {
            Ok(InsertOutcome::Inserted(counts, refused)) => {
                let bytes_written = payload.bytes.len() as u64;
                Ok(Commit::Durable(Receipt { counts, bytes_written, refused }))
            }
            Ok(InsertOutcome::TooManyRejected(refused)) => Ok(Commit::TooManyRejected(refused)),
            Err(trouble) => Err(Trouble::Stop(self.maybe_twice(trouble.into()))),
        }
    }

    fn note_values(&self, payload: &Payload) {
        let Some(detail) = detail(payload) else { return };
        self.shared.near.fetch_add(detail.near, Ordering::Relaxed);
        let values = detail.kept;
        if values > 0 {
            self.shared.observer.notice(&Event::Counted(Counter::ValuesKept, values));
        }
    }

    fn maybe_twice(&self, cause: Error) -> Error {
        let table = &self.shared.plan.table;
        let message = format!("table {table} cannot roll back, and a segment was written in part");
        Error::new(Kind::Data, cause.error_type, message)
            .because(cause)
            .help("rows may be there twice after another run: empty the table, or make it InnoDB")
    }

    /// What cannot be tried again may be what an ALTER made of a good statement.
    async fn explained(&self, mut session: Session, error: Error) -> Error {
        if error.kind != Kind::Config || session.run("ROLLBACK").await.is_err() {
            return error;
        }
        match self.shared.check_definition(&mut session).await {
            Err(Trouble::Stop(changed)) if changed.kind == Kind::Data => changed.because(error),
            _ => error,
        }
    }

    /// Gives back a session that can be used again. The others are dropped, and with them what was
    /// not committed.
    async fn failed(&mut self, mut session: Session, trouble: Trouble) -> Error {
        match &trouble {
            Trouble::Slow(_) => self.was_slow(),
            Trouble::Lost(error) if error.error_type == ErrorType::Timeout => self.was_slow(),
            _ => self.sent.answered(),
        }
        let is_clean = match &trouble {
            Trouble::Row(_) | Trouble::Deadlock(_) | Trouble::LockTimeout(_) | Trouble::Slow(_) => {
                session.run("ROLLBACK").await.is_ok()
            }
            _ => false,
        };
        if is_clean {
            self.session = Some(session);
        }
        self.avoids_load = matches!(trouble, Trouble::Altered(_));
        if let Trouble::TooLarge(mut error) = trouble {
            let bytes = self.bytes_max.unwrap_or(STATEMENT_BYTES_MAX) / 2;
            if bytes >= STATEMENT_BYTES_MIN {
                self.bytes_max = Some(bytes);
                self.shared.stop_loading_data(&error);
                error.kind = Kind::Unavailable;
            }
            return error;
        }
        trouble.into()
    }
}

fn detail(payload: &Payload) -> Option<&Detail> {
    payload.detail.as_ref()?.downcast_ref()
}

impl Lane for MysqlLane {
    fn commit<'a>(
        &'a mut self,
        segment: &'a Outgoing,
        allowance: &'a dyn Allowance,
    ) -> Later<'a, Result<Commit>> {
        Box::pin(async move {
            let mut session = self.session().await?;
            self.shared.guard()?.beat_if_late(&mut session).await?;
            let tried = Box::pin(self.try_commit(&mut session, segment, allowance)).await;
            match tried {
                Ok(commit) => {
                    if let Commit::Durable(_) = commit {
                        self.note_values(&segment.payload);
                    }
                    self.avoids_load = false;
                    // The driver keeps as much memory as its largest statement took.
                    match session.has_sent_much() {
                        true => session.close().await,
                        false => self.session = Some(session),
                    }
                    Ok(commit)
                }
                Err(Trouble::Stop(error)) => Err(self.explained(session, error).await),
                Err(trouble) => Err(self.failed(session, trouble).await),
            }
        })
    }

    fn is_held_back(&mut self) -> Later<'_, Result<bool>> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let Some(throttle) = &shared.throttle else { return Ok(false) };
            if let Some(is_held_back) = throttle.fresh() {
                return Ok(is_held_back);
            }
            let mut session = self.session().await?;
            let answer = throttle.ask(&mut session).await;
            // A query of others that failed leaves a session nobody knows.
            if answer.is_ok() {
                self.session = Some(session);
            }
            answer
        })
    }

    fn find<'a>(&'a mut self, segment: &'a Outgoing) -> Later<'a, Result<Option<Commit>>> {
        Box::pin(async move {
            self.session = None;
            let mut session = self.session().await?;
            let epoch = self.shared.epoch()?;
            let receipt = self.state.token(&mut session, epoch, segment.ticket).await?;
            self.session = Some(session);
            if receipt.is_some() {
                self.note_values(&segment.payload);
            }
            Ok(receipt.map(Commit::Durable))
        })
    }
}
