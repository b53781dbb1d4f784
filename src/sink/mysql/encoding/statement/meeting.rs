//! Whether a row that meets another is the same row: what is asked of the server, and what its answer means.

use super::{Statements, guard};
use crate::sink::mysql::plan::{Key, KeyNumbering};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::table_name::quoted;

impl Statements {
    /// That the new row is the one that is there, by this key.
    pub(super) fn is_same(
        &self,
        key: &Key,
        left: &[usize],
        new: &impl Fn(&str) -> String,
    ) -> String {
        let is_named = |name: &str| {
            let mut columns = self.columns.iter().enumerate();
            columns.any(|(index, column)| column.name == name && !left.contains(&index))
        };
        let old = key_values(key, |name| self.old(name));
        // What the server makes of a column that is left out has no other name.
        let new = key_values(key, |name| match is_named(name) {
            true => new(name),
            false => format!("VALUES({name})"),
        });
        let pairs: Vec<String> = old.zip(new).map(|(old, new)| format!("{old} = {new}")).collect();
        pairs.join(" AND ")
    }

    /// Whether a division by zero may be one of ours, which says that another key was met.
    pub fn divides_by_zero(&self) -> bool {
        match self.mode {
            Mode::Insert => false,
            Mode::Skip => self.counts_keys(),
            Mode::Upsert => !self.others.is_empty(),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.key.iter().chain(&self.others)
    }

    /// Whether some rows may meet others by a number that the server gave them.
    pub fn counts_keys(&self) -> bool {
        self.keys().any(|key| key.counter != KeyNumbering::Never)
    }

    /// Whether a row may meet another one by a number that the server gave it.
    pub fn may_meet_by_number(&self, left: &[usize]) -> bool {
        self.keys().any(|key| key.is_counted(left))
    }

    /// In mode skip, whether rows are inserted and nothing else, and the server's word on the key is
    /// asked for.
    pub(super) fn passes_by_key_name(&self, left: &[usize]) -> bool {
        let mut keys = self.keys().filter(|key| !key.is_counted(left)).peekable();
        let is_nothing_else = self.may_meet_by_number(left) && keys.peek().is_none();
        let cannot_compare = |key: &Key| key.parts.iter().any(|part| part.column.is_none());
        self.skips_by_key_name
            || is_nothing_else
            || (self.may_meet_by_number(left) && keys.any(cannot_compare))
    }

    /// Whether a row that was refused for a key is one that is there already.
    pub fn is_duplicate(&self, key: &str, left: &[usize]) -> bool {
        self.mode == Mode::Skip && self.passes_by_key_name(left) && self.is_met(key, left)
    }

    /// Whether rows meet in this key because they are the same. MySQL says of which table the key is; a
    /// trigger's statement may meet one of the same name.
    pub fn is_met(&self, name: &str, left: &[usize]) -> bool {
        let is_it = |key: &Key| key.name == name || format!("{}.{}", self.table, key.name) == name;
        self.keys().any(|key| is_it(key) && !key.is_counted(left))
    }

    /// Passes over a row that is there already, and refuses one that meets another by a number of the
    /// server.
    pub(super) fn passing(&self, left: &[usize]) -> String {
        if !self.may_meet_by_number(left) {
            return self.keeping();
        }
        let same = self.keys().filter(|key| !key.is_counted(left)).map(|key| {
            format!("({})", self.is_same(key, left, &|name: &str| format!("VALUES({name})")))
        });
        // NULL is equal to nothing, and may not hide that another key is.
        let same: Vec<String> = same.map(|same| format!("COALESCE({same}, 0)")).collect();
        let old = self.old(&self.kept);
        format!(" ON DUPLICATE KEY UPDATE {}", guard(&self.kept, &old, &same.join(" OR ")))
    }
}

/// What of its columns a key consists of.
pub(super) fn key_values(
    key: &Key,
    value: impl Fn(&str) -> String,
) -> impl Iterator<Item = String> {
    key.parts.iter().filter_map(move |part| {
        let value = value(&quoted(part.column.as_deref()?));
        Some(match part.prefix {
            Some(characters) => format!("LEFT({value}, {characters})"),
            None => value,
        })
    })
}
