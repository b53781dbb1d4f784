//! What a table holds when records come one at a time, each by a plain statement of its own, and what
//! a program that is stricter may refuse.
//!
//! Written from the manual. It shares nothing with what it judges.

use std::collections::{HashMap, HashSet};

use super::case::{Case, Key, Mode, Record, quoted};
use super::kind::Kind;
use super::value::Verdict;
use crate::support::database::{Client, Refusal};

/// What the program said of a record that it rejected.
#[derive(Clone, Debug)]
pub struct Reject {
    pub column: String,
    pub error_type: String,
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct Counts {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub duplicate: u64,
    /// A row was touched a second time, so what a batch makes of it is counted otherwise.
    pub touches_again: bool,
    /// Updated may be unchanged: some statements do not tell.
    pub is_rough: bool,
}

/// Why the program is wrong, and the number of the record.
pub struct Fault {
    pub kind: &'static str,
    pub text: String,
}

pub struct Oracle<'a> {
    case: &'a Case,
    client: &'a Client,
    /// The key that tells rows apart.
    key: Option<usize>,
    counts: Counts,
    /// The keys of rows that records have written.
    touched: HashSet<String>,
}

const DUPLICATE: u16 = 1062;
const NO_PARENT: [u16; 2] = [1216, 1452];

/// A statement's own end.
enum Done {
    Inserted,
    Updated,
    Unchanged,
    Duplicate,
    /// It may be that nobody can do it.
    Refused(String),
    /// By a foreign key.
    Parentless(String),
}

impl Done {
    fn refused(refusal: Refusal) -> Done {
        let why = refusal.to_string();
        if NO_PARENT.contains(&refusal.code) { Done::Parentless(why) } else { Done::Refused(why) }
    }
}

impl<'a> Oracle<'a> {
    pub fn new(case: &'a Case, client: &'a Client) -> Oracle<'a> {
        let whole = |at: &usize| case.is_whole(&case.keys[*at]);
        let mut whole = (0..case.keys.len()).filter(whole);
        let key = case.key.or_else(|| {
            let first = whole.next()?;
            match whole.next() {
                Some(_) => None,
                None => Some(first),
            }
        });
        Oracle { case, client, key, counts: Counts::default(), touched: HashSet::new() }
    }

    /// Table `o` as the records leave it that were not rejected.
    pub fn apply(mut self, rejects: &HashMap<usize, Reject>) -> Result<Counts, Fault> {
        self.client.run("SET autocommit = 0");
        for (number, record) in self.case.records.iter().enumerate() {
            if let Err((kind, text)) = self.judge(record, rejects.get(&number)) {
                self.client.run("ROLLBACK");
                return Err(Fault { kind, text: format!("record {}: {text}", number + 1) });
            }
        }
        self.client.run("COMMIT");
        Ok(self.counts)
    }

    fn judge(
        &mut self,
        record: &Record,
        reject: Option<&Reject>,
    ) -> Result<(), (&'static str, String)> {
        let has = |verdict| record.iter().find(|(_, value)| value.verdict == verdict);
        if let Some((at, value)) = has(Verdict::Rejected) {
            return match reject {
                Some(_) => Ok(()),
                None => {
                    let column = &self.case.columns[*at];
                    Err((
                        "bent value",
                        format!("{} was taken by {}", value.json, column.kind.sql()),
                    ))
                }
            };
        }
        self.client.run("DELETE FROM s");
        if let Err(refusal) = self.client.try_affected(&self.case.insert("s", record)) {
            // MySQL keeps no place for a number that is not there.
            return match reject {
                Some(_) => Ok(()),
                None => {
                    Err(("refused value", format!("taken, and the server refuses it: {refusal}")))
                }
            };
        }
        if let Some(text) = self.bent(record) {
            return match reject {
                Some(_) => Ok(()),
                None => Err(("bent text", text)),
            };
        }
        self.client.run("SAVEPOINT record");
        let done = self.write(record, reject.is_some());
        let Some(reject) = reject else {
            return self.count(done);
        };
        self.client.run("ROLLBACK TO record");
        let is_unsaid = has(Verdict::Unsaid).is_some();
        let is_stricter = self.case.keys.len() > 1
            && self.case.mode != Mode::Insert
            && reject.error_type == "duplicate_key"
            && self.meets_another(record);
        // A server gives the first member where an ENUM has no default and takes no NULL.
        let is_member_of_nobody = reject.error_type == "null"
            && self.case.columns.iter().enumerate().any(|(at, column)| {
                column.name == reject.column
                    && column.kind == Kind::Enum
                    && !record.iter().any(|(there, _)| *there == at)
            });
        let is_null = record
            .iter()
            .any(|(at, value)| value.sql == "NULL" && !self.case.columns[*at].is_nullable);
        let is_numberless = self.case.counts_in_bytes()
            && !record.iter().any(|(at, _)| self.case.columns[*at].is_counter);
        match done {
            Done::Refused(_) | Done::Parentless(_) => Ok(()),
            _ if is_unsaid || is_stricter || is_null => Ok(()),
            _ if is_numberless || is_member_of_nobody => Ok(()),
            _ => {
                let Reject { column, error_type, reason } = reject;
                Err((
                    "rejected",
                    format!("rejected without need: {error_type} of '{column}': {reason}"),
                ))
            }
        }
    }

    fn count(&mut self, done: Done) -> Result<(), (&'static str, String)> {
        match done {
            Done::Inserted => self.counts.inserted += 1,
            Done::Updated => self.counts.updated += 1,
            Done::Unchanged => self.counts.unchanged += 1,
            Done::Duplicate => self.counts.duplicate += 1,
            // Where a later record of its batch took its place, it was never tried.
            Done::Parentless(_) if self.case.mode == Mode::Upsert && !self.case.goes_singly() => {
                self.counts.duplicate += 1;
                self.counts.is_rough = true;
            }
            Done::Parentless(why) => return Err(("not rejected", why)),
            Done::Refused(why) => return Err(("not rejected", why)),
        }
        Ok(())
    }

    /// Text that the server takes and gives back as another one.
    fn bent(&self, record: &Record) -> Option<String> {
        for (at, value) in record {
            let Some(text) = &value.text else { continue };
            let column = &self.case.columns[*at];
            let name = quoted(&column.name);
            let found =
                self.client.text(&format!("SELECT HEX(CONVERT({name} USING utf8mb4)) FROM s"));
            let expected: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
            if found != expected {
                return Some(format!("{} becomes 0x{found} in {}", value.json, column.kind.sql()));
            }
        }
        None
    }

    fn write(&mut self, record: &Record, is_rejected: bool) -> Done {
        let case = self.case;
        let insert = case.insert("o", record);
        let found = self.client.try_affected(&insert);
        let refusal = match found {
            Ok(_) => {
                self.touch("s", !is_rejected);
                return Done::Inserted;
            }
            Err(refusal) if refusal.code != DUPLICATE => {
                return Done::refused(refusal);
            }
            Err(refusal) => refusal,
        };
        match case.mode {
            Mode::Insert => return Done::Refused(refusal.to_string()),
            Mode::Skip => return Done::Duplicate,
            Mode::Upsert => {}
        }
        if self.key.is_some() && case.keys.len() > 1 && !self.meets_key(record) {
            return Done::Refused(
                "it meets a row only by another key than the one that counts".into(),
            );
        }
        self.touch("o", !is_rejected);
        let mut sets: Vec<String> = record
            .iter()
            .map(|(at, value)| format!("o.{} = {}", quoted(&case.columns[*at].name), value.sql))
            .collect();
        if case.resets {
            let is_reset = |at: &usize| {
                let column = &case.columns[*at];
                !record.iter().any(|(there, _)| there == at)
                    && !column.is_counter
                    && column.generated.is_none()
            };
            let resets = case.known().into_iter().filter(is_reset);
            // By the row that only defaults were given: MySQL's `= DEFAULT` is JSON null for JSON here.
            sets.extend(resets.map(|at| {
                let name = quoted(&case.columns[at].name);
                format!("o.{name} = (SELECT s.{name} FROM s)")
            }));
        }
        if sets.is_empty() {
            let name = format!("o.{}", quoted(&case.columns[0].name));
            sets.push(format!("{name} = {name}"));
        }
        let sets = sets.join(", ");
        // A server takes the first row that it meets in any key: here it has to be that of the key.
        let sql = match self.key.filter(|_| case.keys.len() > 1 && self.meets_another(record)) {
            Some(key) => {
                self.counts.is_rough = true;
                format!("UPDATE o, s SET {sets} WHERE {}", self.equal(&case.keys[key]))
            }
            None => format!("{insert} ON DUPLICATE KEY UPDATE {sets}"),
        };
        match self.client.try_affected(&sql) {
            // 1, which is wrong, where NULL stays in a column with another default.
            Ok(0 | 1) => Done::Unchanged,
            Ok(_) => Done::Updated,
            Err(refusal) => Done::refused(refusal),
        }
    }

    /// Remembers the row of the key, to see whether it is touched again.
    fn touch(&mut self, table: &str, counts: bool) {
        let Some(key) = self.key.filter(|_| counts && self.case.mode == Mode::Upsert) else {
            return;
        };
        let key = &self.case.keys[key];
        let text = |table: &str| {
            let shown = key.parts.iter().map(|(at, _)| {
                let column = &self.case.columns[*at];
                column.kind.shown(&format!("{table}.{}", quoted(&column.name)))
            });
            let shown = shown.collect::<Vec<_>>().join(", ");
            match table {
                "s" => self.client.lines(&format!("SELECT {shown} FROM s")),
                _ => self
                    .client
                    .lines(&format!("SELECT {shown} FROM o, s WHERE {}", self.equal(key))),
            }
        };
        let (met, new) = (text(table), text("s"));
        if table == "o" {
            self.counts.touches_again |= met.iter().any(|row| self.touched.contains(row));
        }
        self.touched.extend(met);
        self.touched.extend(new);
    }

    /// The row of table `s` and some row of table `o` are equal in a key.
    fn equal(&self, key: &Key) -> String {
        let equal = |(at, prefix): &(usize, Option<usize>)| {
            let name = quoted(&self.case.columns[*at].name);
            match prefix {
                Some(length) => format!("LEFT(o.{name}, {length}) = LEFT(s.{name}, {length})"),
                None => format!("o.{name} = s.{name}"),
            }
        };
        key.parts.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// The number in table `s` is not the one that the row would have.
    fn has_number(&self, key: &Key, record: &Record) -> bool {
        key.parts.iter().all(|(at, _)| {
            !self.case.columns[*at].is_counter || record.iter().any(|(there, _)| there == at)
        })
    }

    fn meets_key(&self, record: &Record) -> bool {
        let Some(key) = self.key else { return true };
        if !self.has_number(&self.case.keys[key], record) {
            return false;
        }
        let equal = self.equal(&self.case.keys[key]);
        self.client.number(&format!("SELECT COUNT(*) FROM o, s WHERE {equal}")) > 0
    }

    /// A row that is not the one of the key that counts.
    fn meets_another(&self, record: &Record) -> bool {
        let Some(own) = self.key else { return true };
        let own_equal = match self.has_number(&self.case.keys[own], record) {
            true => self.equal(&self.case.keys[own]),
            false => "0".to_string(),
        };
        let others = self.case.keys.iter().enumerate();
        let others = others.filter(|(at, key)| *at != own && self.has_number(key, record));
        let mut others = others.map(|(_, key)| self.equal(key));
        others.any(|equal| {
            let sql =
                format!("SELECT COUNT(*) FROM o, s WHERE {equal} AND NOT COALESCE({own_equal}, 0)");
            self.client.number(&sql) > 0
        })
    }
}
