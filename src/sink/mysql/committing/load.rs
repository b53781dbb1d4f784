//! The short way of a segment: LOAD DATA straight into the table, and the server's word on what became of
//! the rows.
//!
//! With LOCAL, LOAD DATA skips a row that it does not take as it skips one that is there. Where the table
//! may refuse rows, the warnings say which it was, one for each row as long as the server keeps so many.

use bytes::Bytes;

use super::counts;
use super::lane::MysqlLane;
use super::present::are_there;
use crate::record::Counts;
use crate::sink::Payload;
use crate::sink::mysql::encoding::group::Group;
use crate::sink::mysql::encoding::prepare::Detail;
use crate::sink::mysql::encoding::statement::RowDestination;
use crate::sink::mysql::encoding::text::TextRows;
use crate::sink::mysql::session::Session;
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// With fewer warnings kept, strict statements are as fast.
const WARNINGS_MIN: u64 = 64;

/// What became of rows that were loaded.
enum Loaded {
    All(Counts),
    /// It is not certain of each that it was written, or is there.
    Not,
    /// The same, because more were skipped than the server keeps warnings of.
    ManySkipped,
    /// Some were skipped, and are looked for in the table.
    Met(Counts),
}

impl MysqlLane {
    /// None, and no transaction, where that does not do.
    pub(super) async fn load(
        &mut self,
        session: &mut Session,
        payload: &Payload,
        detail: &Detail,
    ) -> Tried<Option<Counts>> {
        let Some(groups) = &detail.groups else { return Ok(None) };
        let cannot_ask = self.warnings_kept < WARNINGS_MIN;
        if !self.loads_data() || (self.skips_many && cannot_ask) {
            return Ok(None);
        }
        if !self.skips_many {
            match self.load_groups(session, payload, groups, detail.keys_differ, u64::MAX).await? {
                Loaded::All(counts) => return Ok(Some(counts)),
                Loaded::Not | Loaded::Met(_) => return Ok(None),
                Loaded::ManySkipped => self.skips_many = true,
            }
        }
        if cannot_ask {
            return Ok(None);
        }
        match self
            .load_groups(session, payload, groups, detail.keys_differ, self.warnings_kept)
            .await?
        {
            Loaded::All(counts) => Ok(Some(counts)),
            Loaded::Not | Loaded::Met(_) | Loaded::ManySkipped => Ok(None),
        }
    }

    /// Some rows that are skipped may not be there.
    pub(super) fn asks_why(&self) -> bool {
        let plan = &self.shared.plan;
        plan.mode == Mode::Skip
            && (!plan.careful.is_empty() || self.shared.statements.counts_keys())
    }

    /// In a transaction, which is rolled back where it does not do. So many rows are loaded at once.
    async fn load_groups(
        &self,
        session: &mut Session,
        payload: &Payload,
        groups: &[Group],
        keys_differ: bool,
        rows_max: u64,
    ) -> Tried<Loaded> {
        self.begin(session).await?;
        let (mut counts, mut has_met) = (Counts::default(), false);
        let mut start = 0;
        for group in groups {
            let text = payload.bytes.slice(start..group.end);
            start = group.end;
            for (text, rows) in pieces(text, group.rows, rows_max) {
                match self.load_rows(session, group, text, rows).await? {
                    Loaded::All(loaded) => counts.add(&loaded),
                    Loaded::Met(loaded) => {
                        counts.add(&loaded);
                        has_met = true;
                    }
                    unfit => {
                        session.run("ROLLBACK").await?;
                        return Ok(unfit);
                    }
                }
            }
        }
        let are_there = !has_met
            || (keys_differ && are_there(session, &self.shared.plan, &payload.bytes).await?);
        if !are_there {
            session.run("ROLLBACK").await?;
            return Ok(Loaded::Not);
        }
        Ok(Loaded::All(counts))
    }

    async fn load_rows(
        &self,
        session: &mut Session,
        group: &Group,
        text: Bytes,
        rows: u64,
    ) -> Tried<Loaded> {
        let (plan, statements) = (&self.shared.plan, &self.shared.statements);
        let sql = statements.load(RowDestination::Target, &group.left);
        self.sent.rows(rows as usize);
        let loaded = session.load(&sql, text).await;
        let counts = match loaded.inspect(|_| self.sent.answered()) {
            Ok(done) => counts::loaded(plan.mode, rows, &done),
            Err(trouble) => self.not_loaded(trouble)?,
        };
        let Some(counts) = counts else { return Ok(Loaded::Not) };
        let is_certain = plan.careful.is_empty() && !statements.may_meet_by_number(&group.left);
        if counts.duplicate == 0 || is_certain {
            return Ok(Loaded::All(counts));
        }
        if plan.has_triggers {
            return Ok(Loaded::Met(counts));
        }
        let (told, met) = session.duplicates(|key| statements.is_met(key, &group.left)).await?;
        Ok(match counts.duplicate {
            skipped if skipped == met => Loaded::All(counts),
            skipped if skipped > told => Loaded::ManySkipped,
            _ => Loaded::Not,
        })
    }

    /// What may do better with INSERT is no reason to stop.
    pub(super) fn not_loaded(&self, trouble: Trouble) -> Tried<Option<Counts>> {
        match trouble {
            Trouble::Row(_) => Ok(None),
            Trouble::Slow(_) => {
                self.was_slow();
                Ok(None)
            }
            Trouble::NoLocalInfile(error) => {
                self.shared.stop_loading_data(&error);
                Ok(None)
            }
            trouble => Err(trouble),
        }
    }

    /// What was sent took too long.
    pub(super) fn was_slow(&self) {
        if let Some(rows) = self.sent.take() {
            self.shared.portion.was_slow(rows);
        }
    }
}

/// A group's text in pieces of so many rows.
fn pieces(text: Bytes, rows: u64, rows_max: u64) -> Vec<(Bytes, u64)> {
    if rows <= rows_max {
        return vec![(text, rows)];
    }
    let lines = TextRows::new(&text);
    let piece = |first: usize| {
        let end = lines.len().min(first + rows_max as usize);
        (text.slice(lines.range(first, end)), (end - first) as u64)
    };
    (0..lines.len()).step_by(rows_max as usize).map(piece).collect()
}
