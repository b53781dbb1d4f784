//! Upserts by a table of our own. LOAD DATA cannot update, and is strict only into a table without
//! keys that matter.

use super::counts;
use super::info;
use super::lane::MysqlLane;
use super::prepare::Detail;
use super::statement::Place;
use crate::record::Counts;
use crate::sink::Payload;
use crate::sink::mysql::session::connection::Session;
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{Tried, Trouble};

impl MysqlLane {
    /// The way of upserts: into a table of our own first, where the server is strict, and from
    /// there in one statement. None, and no transaction, where that does not do.
    pub(super) async fn stage(
        &mut self,
        session: &mut Session,
        payload: &Payload,
        detail: &Detail,
    ) -> Tried<Option<Counts>> {
        let is_preset = detail.is_mixed || detail.left_out.contains(&true);
        // Without LOAD DATA the way there is as long as the whole way, unless equal rows have to
        // be told from one another by the server.
        let is_longer = !self.loads_data() && detail.keys_differ;
        let is_cut = self.sink.portion.is_cut();
        if is_preset
            || is_longer
            || is_cut
            || !self.sink.stages()
            || !self.make_staging(session).await?
        {
            return Ok(None);
        }
        if !self.fill_staging(session, payload).await? {
            return Ok(None);
        }
        self.begin(session).await?;
        let sql = self.sink.statements.merge(detail.keys_differ);
        self.sent.rows(payload.rows as usize);
        let merged = session.run(&sql).await;
        let done = match merged.inspect(|_| self.sent.answered()) {
            Ok(done) => done,
            Err(trouble @ (Trouble::Row(_) | Trouble::Slow(_))) => {
                if matches!(trouble, Trouble::Slow(_)) {
                    self.was_slow();
                }
                session.run("ROLLBACK").await?;
                return Ok(None);
            }
            Err(trouble) => return Err(trouble),
        };
        let Some(merged) = info::inserted(&done.info).filter(|info| info.records <= payload.rows)
        else {
            session.run("ROLLBACK").await?;
            return Ok(None);
        };
        let mut counts = counts::upserted(merged.records, done.affected, merged.duplicates);
        counts.duplicate = payload.rows - merged.records;
        Ok(Some(counts))
    }

    /// An empty staging table. False where there can be none.
    async fn make_staging(&mut self, session: &mut Session) -> Tried<bool> {
        let statements = &self.sink.statements;
        if self.has_staging {
            session.run(&statements.empty_staging()).await?;
            return Ok(true);
        }
        match session.run(&statements.create_staging()).await {
            Ok(_) => {
                self.has_staging = true;
                Ok(true)
            }
            Err(Trouble::Stop(error)) => {
                self.sink.stop_staging(&error);
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// False where a row does not fit.
    async fn fill_staging(&self, session: &mut Session, payload: &Payload) -> Tried<bool> {
        if self.loads_data() {
            let sql = self.sink.statements.load(Place::Staging, &[]);
            self.sent.rows(payload.rows as usize);
            let loaded = session.load(&sql, payload.bytes.clone()).await;
            let counts = match loaded.inspect(|_| self.sent.answered()) {
                Ok(done) => counts::loaded(Mode::Upsert, payload.rows, &done),
                Err(trouble) => self.not_loaded(trouble)?,
            };
            return Ok(counts.is_some());
        }
        let _room = self.sink.room.enter(&payload.bytes).await;
        match self.inserting(session).fill_staging(&payload.bytes).await {
            Ok(()) => Ok(true),
            Err(Trouble::Row(_) | Trouble::Slow(_)) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }
}
