//! Rows by INSERT of many rows at once, for servers without LOAD DATA and for segments in which
//! something does not fit: here the server is strict, and a row that it does not take is found and
//! left out.

use super::assigned_numbers::AssignedNumbers;
use super::counts;
use super::portion::{Portion, Sent};
use super::present;
use super::row_search::RowSearch;
use super::statement_memory::longest_literal;
use crate::error::{Error, Kind};
use crate::event::SqlOperation;
use crate::record::{Counts, ErrorType};
use crate::sink::mysql::encoding::literal::{STATEMENT_BYTES_MAX, append_value};
use crate::sink::mysql::encoding::statement::{
    DIVISION_BY_ZERO, MET, MET_RESET, RowDestination, Statements,
};
use crate::sink::mysql::encoding::text::{EncodedField, TextRows, fields};
use crate::sink::mysql::plan::{BoundColumn, Plan};
use crate::sink::mysql::session::{Done, Session};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::trouble::{RowTrouble, Tried, Trouble};
use crate::sink::{Allowance, Refused};

/// The server's number for it.
const NULL_IN_COLUMN: u16 = 1048;
const DUPLICATE_KEY: u16 = 1062;

/// MariaDB's number for where in a trigger or procedure something failed.
const IN_A_PROGRAM: u16 = 4094;

/// More than the punctuation of a row of large values takes.
const VALUES_BYTES: usize = 4 << 10;

pub struct Inserting<'a> {
    pub session: &'a mut Session,
    pub statements: &'a Statements,
    pub plan: &'a Plan,
    pub columns: &'a [BoundColumn],
    pub mode: Mode,
    /// Lower than usual where the server refused a statement for its size.
    pub bytes_max: Option<usize>,
    /// One where the table's engine keeps half of a statement that fails.
    pub rows_max: usize,
    pub portion: &'a Portion,
    pub sent: &'a Sent,
    pub given: &'a AssignedNumbers,
}

#[derive(Debug)]
pub enum InsertOutcome {
    Inserted(Counts, Vec<Refused>),
    TooManyRejected(Vec<Refused>),
}

impl Inserting<'_> {
    /// Inserts what it can into the target, in the order of the rows.
    pub async fn insert(&mut self, text: &[u8], allowance: &dyn Allowance) -> Tried<InsertOutcome> {
        let rows = TextRows::new(text);
        let mut search = RowSearch::new(self.window_max());
        let mut sql = Vec::new();
        while search.next < rows.len() {
            let mut limit = search.limit().min(rows.len() - search.next);
            if let Some(counter) = self.plan.upserts_by_number() {
                let next = (search.next..search.next + limit).map(|row| rows.row(row));
                let before = self.given.before(counter, next);
                if before == 0 && self.meets_given(rows.row(search.next)).await? {
                    if search.refuse(given_already(&self.columns[counter]), allowance) {
                        return Ok(InsertOutcome::TooManyRejected(search.refused));
                    }
                    continue;
                }
                limit = before.max(1);
            }
            let count = self.compose(RowDestination::Target, &rows, search.next, limit, &mut sql);
            let outcome = match self.is_too_large(&sql) {
                true if count == 1 => Err(Trouble::Row(too_large())),
                _ => self.count_and_send(count, &sql).await,
            };
            let is_duplicate = match &outcome {
                Err(Trouble::Row(trouble)) if count == 1 => {
                    self.is_duplicate(trouble, rows.row(search.next)).await?
                }
                _ => false,
            };
            // After a failure, too: a statement on its own could not be taken back.
            if matches!(outcome, Ok(_) | Err(Trouble::Row(_) | Trouble::Slow(_))) {
                self.session.check_transaction().await?;
            }
            match outcome {
                Ok(done) if self.mode == Mode::Skip && counts::has_changed(count as u64, &done) => {
                    return Err(Trouble::Stop(changed_by_trigger()));
                }
                Ok(done) => {
                    let counts = match self.met_if_counted().await? {
                        Some(met) => {
                            counts::upserted_and_met(count as u64, met, counts::updated(&done))
                        }
                        None => counts::inserted(self.mode, count as u64, &done),
                    };
                    self.note_given(rows.row(search.next), count).await?;
                    search.counts.add(&counts);
                    search.took(count, self.window_max());
                }
                Err(Trouble::Row(trouble))
                    if count == 1 && self.is_false(&trouble, &rows, search.next) =>
                {
                    return Err(Trouble::Altered(Error::new(
                        Kind::Unavailable,
                        trouble.error_type,
                        "the server finds NULL where there is none",
                    )));
                }
                Err(Trouble::Row(_)) if is_duplicate => {
                    search.passed_over();
                }
                Err(Trouble::Row(trouble)) if count == 1 => {
                    if search.refuse(self.explained(trouble), allowance) {
                        return Ok(InsertOutcome::TooManyRejected(search.refused));
                    }
                }
                Err(Trouble::Row(trouble)) => search.suspect(count, trouble.row),
                Err(Trouble::Slow(_)) if count > 1 => {
                    self.portion.was_slow(count);
                    search.was_slow(count);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(InsertOutcome::Inserted(search.counts, search.refused))
    }

    async fn meets_given(&mut self, row: &[u8]) -> Tried<bool> {
        match &self.plan.key {
            Some(key) => present::is_there_by(self.session, self.plan, key, row).await,
            None => Ok(false),
        }
    }

    /// Keeps in mind which numbers so many rows got, where they left that to the server.
    async fn note_given(&mut self, row: &[u8], count: usize) -> Tried<()> {
        let is_left = |counter: &usize| fields(row).nth(*counter) == Some(EncodedField::Default);
        if self.plan.upserts_by_number().filter(is_left).is_none() {
            return Ok(());
        }
        // The first one, and the others in steps: the server knows beforehand how many it needs.
        let sql = "SELECT LAST_INSERT_ID(), @@SESSION.auto_increment_increment";
        let numbers = self.session.rows::<(u64, u64)>(sql).await?;
        if let Some((first, step)) = numbers.first() {
            let others = (count as u64).saturating_sub(1).saturating_mul(*step);
            self.given.add(*first, first.saturating_add(others));
        }
        Ok(())
    }

    async fn count_and_send(&mut self, count: usize, sql: &[u8]) -> Tried<Done> {
        if self.statements.counts_met() {
            self.session.run(MET_RESET).await?;
        }
        self.send_rows(count, sql).await
    }

    /// How many rows of the last statement met one that is there.
    async fn met_if_counted(&mut self) -> Tried<Option<u64>> {
        match self.statements.counts_met() {
            true => Ok(self.session.rows::<u64>(MET).await?.first().copied()),
            false => Ok(None),
        }
    }

    /// Whether the row is there already, where the server is not asked to pass over those.
    async fn is_duplicate(&mut self, trouble: &RowTrouble, row: &[u8]) -> Tried<bool> {
        let left = self.left_by(row);
        let key = trouble.key.as_deref().filter(|_| trouble.code == DUPLICATE_KEY);
        if !key.is_some_and(|key| self.statements.is_duplicate(key, &left)) {
            return Ok(false);
        }
        if !self.session.server.is_mariadb {
            return Ok(
                !self.plan.has_triggers || present::is_there(self.session, self.plan, row).await?
            );
        }
        // MariaDB does not say of which table the key is, and adds where a trigger failed.
        let warnings = self.session.rows::<(String, u16, String)>("SHOW WARNINGS").await?;
        Ok(warnings.iter().all(|(_, code, _)| *code != IN_A_PROGRAM))
    }

    /// A division by zero that stands in our own statement has a meaning.
    fn explained(&self, trouble: RowTrouble) -> RowTrouble {
        if trouble.code != DIVISION_BY_ZERO || !self.statements.divides_by_zero() {
            return trouble;
        }
        RowTrouble {
            error_type: ErrorType::DuplicateKey,
            reason: match self.mode {
                Mode::Skip => {
                    "the numbers of an AUTO_INCREMENT column are used up, or are there already"
                }
                Mode::Upsert if self.statements.counts_keys() => {
                    "another row has the same values in another unique key, or the numbers of an AUTO_INCREMENT column are used up"
                }
                Mode::Insert | Mode::Upsert => {
                    "another row has the same values in another unique key"
                }
            }
            .to_string(),
            ..trouble
        }
    }

    /// Inserts all rows into the staging table, or none that anybody will see.
    pub async fn fill_staging(&mut self, text: &[u8]) -> Tried<()> {
        let rows = TextRows::new(text);
        let mut next = 0;
        let mut sql = Vec::new();
        while next < rows.len() {
            let limit = rows.len() - next;
            let count = self.compose(RowDestination::Staging, &rows, next, limit, &mut sql);
            self.send_rows(count, &sql).await?;
            next += count;
        }
        Ok(())
    }

    /// The columns that a row leaves to the server.
    fn left_by(&self, row: &[u8]) -> Vec<usize> {
        let fields = fields(row).enumerate();
        fields
            .filter(|(_, field)| *field == EncodedField::Default)
            .map(|(index, _)| index)
            .collect()
    }

    /// A statement of up to `limit` rows from `first` on, and how many it has: at least one. Where that
    /// matters, all of them leave out the same columns.
    fn compose(
        &self,
        place: RowDestination,
        rows: &TextRows<'_>,
        first: usize,
        limit: usize,
        sql: &mut Vec<u8>,
    ) -> usize {
        let left = self.left_by(rows.row(first));
        let is_uniform = self.statements.is_uniform();
        let tail = self.statements.insert_tail(place, &left);
        let bytes_max = self.bytes_max().saturating_sub(tail.len());
        sql.clear();
        sql.extend_from_slice(self.statements.insert_head(place, &left).as_bytes());
        let mut count = 0;
        while count < limit {
            let start = sql.len();
            let row = rows.row(first + count);
            if row.len() > STATEMENT_BYTES_MAX {
                // Growing by doubling it would take up to twice as much.
                sql.reserve_exact(longest_literal(row) + tail.len() + VALUES_BYTES);
            }
            let left_too = append_row(sql, row, self.columns, is_uniform);
            let is_other = is_uniform && count > 0 && !left_too.iter().eq(&left);
            if is_other || (sql.len() > bytes_max && count > 0) {
                sql.truncate(start);
                break;
            }
            sql.push(b',');
            count += 1;
        }
        sql.pop();
        sql.extend_from_slice(tail.as_bytes());
        count
    }

    /// MySQL 8.0 keeps in mind that LOAD DATA met a NULL in a column without NULL, and refuses the
    /// good rows that come after it over the same connection.
    fn is_false(&self, trouble: &RowTrouble, rows: &TextRows<'_>, row: usize) -> bool {
        if !self.session.has_loaded() || trouble.code != NULL_IN_COLUMN {
            return false;
        }
        let is_it = |bound: &BoundColumn| Some(&bound.column.name) == trouble.column.as_ref();
        let column = self.columns.iter().position(is_it);
        column.is_some_and(|column| fields(rows.row(row)).nth(column) != Some(EncodedField::Null))
    }

    fn window_max(&self) -> usize {
        self.rows_max.min(self.portion.rows_max())
    }

    async fn send_rows(&mut self, count: usize, sql: &[u8]) -> Tried<Done> {
        self.sent.rows(count);
        let sent = self.send(sql).await;
        sent.inspect(|_| self.sent.answered())
    }

    async fn send(&mut self, sql: &[u8]) -> Tried<Done> {
        // Text that is not UTF-8 is written in hexadecimal digits, and names are UTF-8.
        let sql = std::str::from_utf8(sql).map_err(|cause| {
            Trouble::Stop(Error::internal("a statement is not UTF-8").because(cause))
        })?;
        self.session.write(SqlOperation::InsertRows, sql).await
    }

    fn bytes_max(&self) -> usize {
        let half = self.session.server.max_allowed_packet as usize / 2;
        half.min(STATEMENT_BYTES_MAX).min(self.bytes_max.unwrap_or(usize::MAX))
    }

    /// The server would not answer it, and close the connection.
    fn is_too_large(&self, sql: &[u8]) -> bool {
        sql.len() as u64 >= self.session.server.max_allowed_packet
    }
}

/// Gives the columns that the row leaves to the server. They are not among the values where the
/// statement does not name them.
fn append_row(
    sql: &mut Vec<u8>,
    row: &[u8],
    columns: &[BoundColumn],
    is_uniform: bool,
) -> Vec<usize> {
    let mut left = Vec::new();
    let start = sql.len();
    for (index, (field, bound)) in fields(row).zip(columns).enumerate() {
        if field == EncodedField::Default {
            left.push(index);
        }
        sql.push(if sql.len() == start { b'(' } else { b',' });
        match field {
            EncodedField::Null => sql.extend_from_slice(b"NULL"),
            EncodedField::Default if is_uniform => {
                sql.pop();
            }
            // DEFAULT would be 0: the mode NO_AUTO_VALUE_ON_ZERO is on.
            EncodedField::Default if bound.column.is_auto_increment => {
                sql.extend_from_slice(b"NULL")
            }
            EncodedField::Default => sql.extend_from_slice(b"DEFAULT"),
            EncodedField::Text(text) => append_value(sql, &bound.column, &text),
        }
    }
    if sql.len() == start {
        sql.push(b'(');
    }
    sql.push(b')');
    left
}

/// Only triggers that the account may see are known when the table is looked at.
fn changed_by_trigger() -> Error {
    Error::config("--mode skip: a trigger of updates changes rows that are there, and is not seen")
        .help("grant TRIGGER on the table, so that such rows are passed over without an update")
}

fn given_already(counter: &BoundColumn) -> RowTrouble {
    RowTrouble {
        error_type: ErrorType::DuplicateKey,
        code: DUPLICATE_KEY,
        row: None,
        column: Some(counter.column.name.clone()),
        key: None,
        reason: "the server may have given this number to another record of this run".to_string(),
    }
}

fn too_large() -> RowTrouble {
    RowTrouble {
        error_type: ErrorType::TooLarge,
        code: 1153,
        row: None,
        column: None,
        key: None,
        reason: "larger than the server's max_allowed_packet".to_string(),
    }
}
