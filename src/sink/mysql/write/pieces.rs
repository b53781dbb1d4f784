//! A segment in loads of so few rows that the server keeps a warning for each of them: then it is
//! known why each row was skipped, where a count alone could hide a refusal.

use super::counts;
use super::lane::MysqlLane;
use super::prepare::Detail;
use super::statement::Place;
use super::text::TextRows;
use crate::record::Counts;
use crate::sink::Payload;
use crate::sink::mysql::session::connection::Session;
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{self, Tried};

/// More would be slower to read than it saves.
const ROWS_MAX: u64 = 2000;

/// With fewer, strict statements are as fast.
const ROWS_MIN: u64 = 64;

impl MysqlLane {
    /// None where it is not certain of each row that it is new, or there by a key of the table; what
    /// was begun is to be rolled back then.
    pub(super) async fn load_in_pieces(
        &self,
        session: &mut Session,
        payload: &Payload,
        detail: &Detail,
    ) -> Tried<Option<Counts>> {
        let kept = session.rows::<u64>("SELECT @@max_error_count").await?;
        let rows_max = kept.first().map_or(0, |kept| (*kept).min(ROWS_MAX));
        if rows_max < ROWS_MIN {
            return Ok(None);
        }
        let rows = TextRows::new(&payload.bytes);
        self.begin(session).await?;
        let sql = self.sink.statements.load(Place::Target, &detail.left_out);
        let mut counts = Counts::default();
        let mut next = 0;
        while next < rows.len() {
            let end = rows.len().min(next + rows_max as usize);
            let text = payload.bytes.slice(rows.range(next, end));
            let loaded = match session.load(&sql, text).await {
                Ok(done) => counts::loaded(Mode::Skip, (end - next) as u64, &done),
                Err(trouble) => self.not_loaded(trouble)?,
            };
            let Some(loaded) = loaded else { return Ok(None) };
            if loaded.duplicate > 0 && !self.are_duplicates(session, loaded.duplicate).await? {
                return Ok(None);
            }
            counts.add(&loaded);
            next = end;
        }
        Ok(Some(counts))
    }

    /// Whether that is what the warnings of the last statement say of so many rows.
    async fn are_duplicates(&self, session: &mut Session, count: u64) -> Tried<bool> {
        let warnings = session.rows::<(String, u16, String)>("SHOW WARNINGS").await?;
        let is_one = |(_, code, message): &(String, u16, String)| {
            trouble::key_met(*code, message)
                .is_some_and(|key| self.sink.statements.is_duplicate(&key))
        };
        Ok(warnings.len() as u64 == count && warnings.iter().all(is_one))
    }
}
