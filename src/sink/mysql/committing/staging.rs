//! Upserts by a table of our own. LOAD DATA cannot update, and is strict only into a table without
//! keys that matter.

use super::counts;
use super::info;
use super::lane::MysqlLane;
use crate::error::Error;
use crate::event::SqlOperation;
use crate::record::Counts;
use crate::sink::Payload;
use crate::sink::mysql::encoding::group::Group;
use crate::sink::mysql::encoding::prepare::Detail;
use crate::sink::mysql::encoding::statement::{MET, MET_RESET, RowDestination};
use crate::sink::mysql::encoding::text::TextRows;
use crate::sink::mysql::session::Session;
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{Tried, Trouble};

impl MysqlLane {
    /// The way of upserts: into a table of our own first, where the server is strict, and from
    /// there in one statement for each group of rows. None, and no transaction, where that does not do.
    pub(super) async fn stage(
        &mut self,
        session: &mut Session,
        payload: &Payload,
        detail: &Detail,
    ) -> Tried<Option<Counts>> {
        let Some(groups) = self.groups_to_stage(detail) else { return Ok(None) };
        if self.says_given(payload) {
            return Ok(None);
        }
        if !self.shared.stages() || !self.make_staging(session).await? {
            return Ok(None);
        }
        let Some(firsts) = self.fill_staging(session, payload, groups).await? else {
            return Ok(None);
        };
        self.begin(session).await?;
        let mut counts = Counts::default();
        for (at, group) in groups.iter().enumerate() {
            let to = firsts.get(at + 1).copied();
            match self.merge(session, group, detail.keys_differ, firsts[at], to).await? {
                Some(merged) => counts.add(&merged),
                None => {
                    session.run("ROLLBACK").await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(counts))
    }

    /// Whether some record says a number that the server gave to another one of this run.
    fn says_given(&self, payload: &Payload) -> bool {
        let Some(counter) = self.shared.plan.upserts_by_number() else { return false };
        let rows = TextRows::new(&payload.bytes);
        let all = (0..rows.len()).map(|row| rows.row(row));
        self.shared.given.before(counter, all) < rows.len()
    }

    /// None where rows have to go into the target one after another.
    fn groups_to_stage<'a>(&self, detail: &'a Detail) -> Option<&'a [Group]> {
        let plan = &self.shared.plan;
        // Only the last of equal rows is merged: what the others did may not be seen.
        let shows_others = plan.shows_updates || !plan.other_keys.is_empty();
        if !detail.keys_differ && shows_others {
            return None;
        }
        let groups = detail.groups.as_deref()?;
        let is_whole = matches!(groups, [group] if group.left.is_empty());
        // Without LOAD DATA the way there is as long as the whole way, unless equal rows have to
        // be told from one another by the server.
        if !self.loads_data() && (detail.keys_differ || !is_whole) {
            return None;
        }
        if self.shared.portion.is_cut() {
            return None;
        }
        groups.iter().all(|group| self.shared.statements.can_merge(&group.left)).then_some(groups)
    }

    async fn merge(
        &self,
        session: &mut Session,
        group: &Group,
        keys_differ: bool,
        from: u64,
        to: Option<u64>,
    ) -> Tried<Option<Counts>> {
        let sql = self.shared.statements.merge(&group.left, keys_differ, from, to);
        let counts_met = self.shared.statements.counts_met();
        if counts_met {
            session.run(MET_RESET).await?;
        }
        self.sent.rows(group.rows as usize);
        let merged = session.write(SqlOperation::MergeRows, &sql).await;
        let done = match merged.inspect(|_| self.sent.answered()) {
            Ok(done) => done,
            Err(Trouble::Row(_)) => return Ok(None),
            Err(Trouble::Slow(_)) => {
                self.was_slow();
                return Ok(None);
            }
            Err(trouble) => return Err(trouble),
        };
        let is_possible = |info: &info::Inserted| {
            info.records <= group.rows && (info.records == group.rows || !keys_differ)
        };
        let Some(merged) = info::inserted(&done.info).filter(is_possible) else {
            return Ok(None);
        };
        let mut counts = match counts_met {
            true => {
                let met = session.rows::<u64>(MET).await?.first().copied().unwrap_or_default();
                counts::upserted_and_met(merged.records, met, merged.duplicates)
            }
            false => counts::upserted(merged.records, done.affected, merged.duplicates),
        };
        counts.duplicate = group.rows - merged.records;
        Ok(Some(counts))
    }

    /// An empty staging table. False where there can be none.
    async fn make_staging(&mut self, session: &mut Session) -> Tried<bool> {
        let statements = &self.shared.statements;
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
                self.shared.stop_staging(&error);
                Ok(false)
            }
            // The target is as wide as a row may be, and the staging table has a number more.
            Err(trouble) if trouble.is_row_too_large() => {
                self.shared.stop_staging(&trouble.into());
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The number of the first row of each group. None where a row does not fit.
    async fn fill_staging(
        &self,
        session: &mut Session,
        payload: &Payload,
        groups: &[Group],
    ) -> Tried<Option<Vec<u64>>> {
        if !self.loads_data() {
            let _room = self.shared.room.enter(&payload.bytes).await;
            return match self.inserting(session).fill_staging(&payload.bytes).await {
                Ok(()) => Ok(Some(vec![0])),
                Err(Trouble::Row(_)) => Ok(None),
                Err(Trouble::Slow(_)) => {
                    self.was_slow();
                    Ok(None)
                }
                Err(trouble) => Err(trouble),
            };
        }
        let mut firsts = Vec::new();
        let mut start = 0;
        for group in groups {
            let text = payload.bytes.slice(start..group.end);
            start = group.end;
            let sql = self.shared.statements.load(RowDestination::Staging, &group.left);
            self.sent.rows(group.rows as usize);
            let loaded = session.load(&sql, text).await;
            let counts = match loaded.inspect(|_| self.sent.answered()) {
                Ok(done) => counts::loaded(Mode::Upsert, group.rows, &done),
                Err(trouble) => self.not_loaded(trouble)?,
            };
            if counts.is_none() {
                return Ok(None);
            }
            firsts.push(match groups.len() {
                1 => 0,
                _ => first_number(session).await?,
            });
        }
        Ok(Some(firsts))
    }
}

/// What the server gave the first row of the last statement.
async fn first_number(session: &mut Session) -> Tried<u64> {
    let numbers = session.rows::<u64>("SELECT LAST_INSERT_ID()").await?;
    let number = numbers.first().copied();
    number.ok_or_else(|| Trouble::Stop(Error::internal("a query without its row")))
}
