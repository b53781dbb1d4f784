//! The statements that move rows, as text. Pure.

mod meeting;

use meeting::key_values;

use crate::sink::mysql::column::Preset;
use crate::sink::mysql::column::Transfer;
use crate::sink::mysql::plan::{Absent, BoundColumn, Key, KeyNumbering, Plan};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::table_name::quoted;

/// Where rows are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowDestination {
    Target,
    /// A temporary table with the target's columns and without its keys.
    Staging,
}

/// What the statements are made of, for one table and one server.
///
/// `left` are columns that a statement leaves to the server, by their index in the plan: rows are
/// written together where they leave out the same.
#[derive(Clone, Debug)]
pub struct Statements {
    target: String,
    table: String,
    columns: Vec<StatementColumn>,
    /// The one that tells rows apart.
    key: Option<Key>,
    others: Vec<Key>,
    /// Set to itself where a row that is there is to stay as it is.
    kept: String,
    mode: Mode,
    staging: String,
    /// Numbers the rows of the staging table, and is its key.
    number: String,
    /// What the new row is called. VALUES() does as well, and MySQL is giving it up.
    new: String,
    has_row_alias: bool,
    /// Rows that are there are counted on the way: to set NULL where NULL is counts as a row that is
    /// new, where the column has another default.
    counts_met: bool,
    skips_by_key_name: bool,
    has_triggers: bool,
    /// Of the rows with an equal key, counted from the last. No column is called so.
    rank: String,
}

#[derive(Clone, Debug)]
struct StatementColumn {
    name: String,
    transfer: Transfer,
    is_nullable: bool,
    is_key: bool,
    /// Left as it is in a row that is there: the new value is the same, byte by byte.
    stays: bool,
    is_counter: bool,
    /// To set NULL where NULL is counts as an update, and is one for the time of it.
    is_miscounted: bool,
    has_fixed_default: bool,
    absent: Absent,
}

/// Counts rows that are there, from 0 on.
pub const MET_RESET: &str = "SET @flowgauge_met = 0";
pub const MET: &str = "SELECT CAST(@flowgauge_met AS UNSIGNED)";

const STAGING: &str = "flowgauge_staging";
const NUMBER: &str = "flowgauge_row";
const RANK: &str = "flowgauge_rank";
const NEW: &str = "flowgauge_new";

/// The server's number for it.
pub const DIVISION_BY_ZERO: u16 = 1365;

/// MySQL from here on knows the row alias, also behind INSERT ... SELECT.
const ROW_ALIAS_FROM: (u16, u16, u16) = (8, 0, 20);

const FORMAT: &str = "CHARACTER SET binary \
    FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'";

impl Statements {
    pub fn new(plan: &Plan, is_mariadb: bool, version: (u16, u16, u16)) -> Statements {
        let key = plan.key.as_ref().map_or(&[][..], |key| &key.columns);
        // 'a' may be equal to 'A', and is the one that came last.
        let is_binary = plan.key.as_ref().is_some_and(|key| key.is_binary);
        let written = |(index, bound): (usize, &BoundColumn)| StatementColumn {
            name: quoted(&bound.column.name),
            transfer: bound.column.transfer(),
            is_nullable: bound.column.is_nullable,
            is_key: key.contains(&index),
            stays: is_binary && key.contains(&index),
            is_counter: bound.column.is_auto_increment,
            is_miscounted: is_miscounted(bound),
            has_fixed_default: bound.column.has_fixed_default,
            absent: bound.absent,
        };
        let columns: Vec<StatementColumn> = plan.columns.iter().enumerate().map(written).collect();
        let key = columns.iter().find(|column| column.is_key).or(columns.first());
        // An update of no row that is met changes: of two in different keys one may have NULL there.
        let mut certain = columns.iter().filter(|column| !column.is_miscounted);
        let certain = certain.clone().find(|column| column.is_key).or_else(|| certain.next());
        let has_one_key = plan.key.is_some() && plan.other_keys.is_empty();
        let kept = match plan.mode {
            Mode::Skip if !has_one_key => certain,
            Mode::Insert | Mode::Skip | Mode::Upsert => key,
        };
        // Our names hide others: a temporary table a table, an alias the target.
        let free = |name: &str| {
            let mut name = name.to_string();
            let is_column = |name: &str| {
                plan.columns.iter().any(|bound| bound.column.name.eq_ignore_ascii_case(name))
            };
            while is_column(&name) || plan.table.table.eq_ignore_ascii_case(&name) {
                name.push('_');
            }
            quoted(&name)
        };
        let database = plan.table.database.as_deref();
        let in_database = |table| database.map_or(String::new(), |name| quoted(name) + ".") + table;
        Statements {
            target: plan.table.quoted(),
            // Without any that is certain, no row is updated.
            skips_by_key_name: plan.skips_by_key_name || kept.is_none(),
            kept: kept.or(key).map_or(String::new(), |column| column.name.clone()),
            columns,
            key: plan.key.clone(),
            others: plan.other_keys.clone(),
            mode: plan.mode,
            staging: in_database(&free(STAGING)),
            number: free(NUMBER),
            rank: free(RANK),
            new: free(NEW),
            counts_met: plan.mode == Mode::Upsert && plan.columns.iter().any(is_miscounted),
            has_triggers: plan.has_triggers,
            table: plan.table.table.clone(),
            has_row_alias: !is_mariadb && version >= ROW_ALIAS_FROM,
        }
    }

    pub fn counts_met(&self) -> bool {
        self.counts_met
    }

    /// LOAD DATA of rows. Into the staging table with REPLACE: there it replaces nothing, and without
    /// it the server would be lenient.
    pub fn load(&self, place: RowDestination, left: &[usize]) -> String {
        let mut fields = Vec::new();
        let mut conversions = Vec::new();
        let is_named = |(index, _): &(usize, &StatementColumn)| !left.contains(index);
        let mut named = self.columns.iter().enumerate().filter(is_named);
        let converts = named.any(|(_, column)| column.transfer == Transfer::Convert);
        for (index, column) in self.columns.iter().enumerate() {
            if left.contains(&index) {
                fields.push("@nothing".to_string());
            } else if column.is_counter && (converts || self.has_triggers) {
                // Where there is a SET or a trigger, MariaDB makes the next number of a 0 that the SET does
                // not name.
                fields.push(format!("@v{index}"));
                conversions.push(format!("{} = @v{index}", column.name));
            } else if column.transfer == Transfer::Convert {
                fields.push(format!("@v{index}"));
                conversions.push(format!("{} = CONVERT(@v{index} USING utf8mb4)", column.name));
            } else {
                fields.push(column.name.clone());
            }
        }
        let set = match conversions.is_empty() {
            true => String::new(),
            false => format!(" SET {}", conversions.join(", ")),
        };
        let replace = if place == RowDestination::Staging { "REPLACE " } else { "" };
        format!(
            "LOAD DATA LOCAL INFILE 'segment' {replace}INTO TABLE {} {FORMAT} ({}){set}",
            self.name(place),
            fields.join(", ")
        )
    }

    /// Whether rows of one INSERT have to leave out the same columns. Else DEFAULT stands for what is
    /// left out, which is the same for a row that is new, unless it is made of other columns: then
    /// DEFAULT takes those that stand behind it for absent, too.
    pub fn is_uniform(&self) -> bool {
        let mut keys = self.keys();
        self.mode == Mode::Upsert
            || self.columns.iter().any(|column| !column.has_fixed_default)
            || keys.any(|key| matches!(key.counter, KeyNumbering::WhereAbsent(_)))
    }

    /// What stands in front of the rows of an INSERT.
    pub fn insert_head(&self, place: RowDestination, left: &[usize]) -> String {
        let left = if self.is_uniform() { left } else { &[] };
        format!("INSERT INTO {} ({}) VALUES ", self.name(place), self.list(left))
    }

    /// What stands behind them.
    pub fn insert_tail(&self, place: RowDestination, left: &[usize]) -> String {
        match (place, self.mode) {
            (RowDestination::Staging, _) | (_, Mode::Insert) => String::new(),
            (_, Mode::Skip) if self.passes_by_key_name(left) => String::new(),
            (_, Mode::Skip) => self.passing(left),
            (_, Mode::Upsert) if self.key.iter().any(|key| key.is_counted(left)) => String::new(),
            (_, Mode::Upsert) if self.has_row_alias => {
                let tail = self.updating(left, |name| format!("{}.{name}", self.new));
                format!(" AS {}{tail}", self.new)
            }
            (_, Mode::Upsert) => self.updating(left, |name| format!("VALUES({name})")),
        }
    }

    /// The columns' types are copied with the columns.
    pub fn create_staging(&self) -> String {
        format!(
            "CREATE TEMPORARY TABLE {} ({} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY) \
             ENGINE=InnoDB SELECT {} FROM {} WHERE FALSE",
            self.staging,
            self.number,
            self.list(&[]),
            self.target
        )
    }

    /// Ends a transaction, as DELETE would not, and takes no longer the more rows there were.
    pub fn empty_staging(&self) -> String {
        format!("TRUNCATE TABLE {}", self.staging)
    }

    /// Whether rows that leave out these columns can be merged: by which key a row meets another, the
    /// staging table has to know.
    pub fn can_merge(&self, left: &[usize]) -> bool {
        let is_left = |key: &Key| key.columns.iter().any(|column| left.contains(column));
        !self.key.iter().any(is_left)
    }

    /// Rows of the staging table, from a number on and up to another, into the target. Of rows with
    /// equal keys the last: what is equal, the server says. Where it is known that all are different,
    /// it need not look.
    pub fn merge(&self, left: &[usize], keys_differ: bool, from: u64, to: Option<u64>) -> String {
        let (list, number) = (self.list(left), &self.number);
        let to = to.map_or(String::new(), |to| format!(" AND {number} < {to}"));
        let which = format!("{number} >= {from}{to}");
        let rows = match keys_differ {
            true => format!("{} AS {} WHERE {which}", self.staging, self.new),
            false => format!(
                "(SELECT {number}, {list}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {number} DESC) \
                 AS {rank} FROM {} WHERE {which}) AS {} WHERE {rank} = 1",
                self.parts(),
                self.staging,
                self.new,
                rank = self.rank
            ),
        };
        format!(
            "INSERT INTO {} ({list}) SELECT {list} FROM {rows} ORDER BY {}.{number}{}",
            self.target,
            self.new,
            self.updating(left, |name| format!("{}.{name}", self.new))
        )
    }

    /// What is the same in equal rows. A NULL is equal to none, and PARTITION BY knows better.
    fn parts(&self) -> String {
        let mut parts: Vec<String> =
            self.key.iter().flat_map(|key| key_values(key, str::to_string)).collect();
        let nulls: Vec<String> = self
            .columns
            .iter()
            .filter(|column| column.is_key && column.is_nullable)
            .map(|column| format!("{} IS NULL", column.name))
            .collect();
        if !nulls.is_empty() {
            parts.push(format!("CASE WHEN {} THEN {} END", nulls.join(" OR "), self.number));
        }
        parts.join(", ")
    }

    /// In a row that is there, sets what the record has, and what it lacks where that is wanted.
    fn updating(&self, left: &[usize], new: impl Fn(&str) -> String) -> String {
        let first = self.first_set(left, &new);
        let set = |(index, column): (usize, &StatementColumn)| match left.contains(&index) {
            false if column.stays || (first.is_some() && column.name == self.kept) => None,
            false => Some(format!("{} = {}", column.name, new(&column.name))),
            true if column.absent == Absent::Reset => Some(format!("{} = DEFAULT", column.name)),
            true => None,
        };
        let others = self.columns.iter().enumerate().filter_map(set);
        let sets: Vec<String> = first.iter().cloned().chain(others).collect();
        match sets.is_empty() {
            true => self.keeping(),
            false => format!(" ON DUPLICATE KEY UPDATE {}", sets.join(", ")),
        }
    }

    /// Stands in front, where the row is as it was, and sets a column of the key: refuses a row that is
    /// not the same, and counts. That column is set once: of TEXT that was set before, MariaDB's VALUES()
    /// has the old bytes at the new length.
    fn first_set(&self, left: &[usize], new: &impl Fn(&str) -> String) -> Option<String> {
        let guarding = self.key.as_ref().filter(|_| !self.others.is_empty());
        if guarding.is_none() && !self.counts_met {
            return None;
        }
        let name = &self.kept;
        let is_kept = |(index, column): (usize, &StatementColumn)| {
            column.name == *name && (column.stays || left.contains(&index))
        };
        let stays = self.columns.iter().enumerate().any(is_kept);
        let mut value = if stays { self.old(name) } else { new(name) };
        if self.counts_met {
            value = format!("IF((@flowgauge_met := @flowgauge_met + 1) IS NULL, NULL, {value})");
        }
        Some(match guarding {
            Some(key) => guard(name, &value, &self.is_same(key, left, new)),
            None => format!("{name} = {value}"),
        })
    }

    fn old(&self, name: &str) -> String {
        format!("{}.{name}", self.target)
    }

    fn keeping(&self) -> String {
        let kept = self.old(&self.kept);
        format!(" ON DUPLICATE KEY UPDATE {kept} = {kept}")
    }

    fn name(&self, place: RowDestination) -> &str {
        match place {
            RowDestination::Target => &self.target,
            RowDestination::Staging => &self.staging,
        }
    }

    fn list(&self, left: &[usize]) -> String {
        let columns = self.columns.iter().enumerate().filter(|(index, _)| !left.contains(index));
        let names: Vec<&str> = columns.map(|(_, column)| column.name.as_str()).collect();
        names.join(", ")
    }
}

/// The server compares with the bytes of the default, which stand where a NULL is.
fn is_miscounted(bound: &BoundColumn) -> bool {
    bound.column.is_nullable && bound.column.preset == Preset::Computed
}

/// Refuses, with `DIVISION_BY_ZERO`, to touch a row that is not the same: the server updates whichever
/// row it meets first, by any unique key. Divided in a condition, because there it does not take part
/// in the type of the value. In front, where the row is as it was.
fn guard(name: &str, value: &str, same: &str) -> String {
    format!("{name} = CASE WHEN {same} THEN {value} WHEN 1 DIV COALESCE({same}, 0) THEN NULL END")
}

#[cfg(test)]
mod tests;
