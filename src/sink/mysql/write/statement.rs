//! The statements that move rows, as text. Pure.

use crate::sink::mysql::column::Preset;
use crate::sink::mysql::column::Transfer;
use crate::sink::mysql::plan::{Absent, Bound, Counter, Key, Plan};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::table_name::quoted;

/// Where rows are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
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
    columns: Vec<Written>,
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
    /// Of the rows with an equal key, counted from the last. No column is called so.
    rank: String,
}

#[derive(Clone, Debug)]
struct Written {
    name: String,
    transfer: Transfer,
    is_nullable: bool,
    is_key: bool,
    /// Left as it is in a row that is there: the new value is the same, byte by byte.
    stays: bool,
    is_counter: bool,
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
        let written = |(index, bound): (usize, &Bound)| Written {
            name: quoted(&bound.column.name),
            transfer: bound.column.transfer(),
            is_nullable: bound.column.is_nullable,
            is_key: key.contains(&index),
            stays: is_binary && key.contains(&index),
            is_counter: bound.column.is_auto_increment,
            has_fixed_default: bound.column.has_fixed_default,
            absent: bound.absent,
        };
        let columns: Vec<Written> = plan.columns.iter().enumerate().map(written).collect();
        let kept = columns.iter().find(|column| column.is_key).or(columns.first());
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
            kept: kept.map_or(String::new(), |column| column.name.clone()),
            columns,
            key: plan.key.clone(),
            others: plan.other_keys.clone(),
            mode: plan.mode,
            staging: in_database(&free(STAGING)),
            number: free(NUMBER),
            rank: free(RANK),
            new: free(NEW),
            counts_met: plan.mode == Mode::Upsert && plan.columns.iter().any(is_miscounted),
            skips_by_key_name: plan.skips_by_key_name,
            table: plan.table.table.clone(),
            has_row_alias: !is_mariadb && version >= ROW_ALIAS_FROM,
        }
    }

    pub fn counts_met(&self) -> bool {
        self.counts_met
    }

    /// LOAD DATA of rows. Into the staging table with REPLACE: there it replaces nothing, and without
    /// it the server would be lenient.
    pub fn load(&self, place: Place, left: &[usize]) -> String {
        let mut fields = Vec::new();
        let mut conversions = Vec::new();
        let is_named = |(index, _): &(usize, &Written)| !left.contains(index);
        let mut named = self.columns.iter().enumerate().filter(is_named);
        let converts = named.any(|(_, column)| column.transfer == Transfer::Convert);
        for (index, column) in self.columns.iter().enumerate() {
            if left.contains(&index) {
                fields.push("@nothing".to_string());
            } else if column.is_counter && converts {
                // Where there is a SET, MariaDB makes the next number of a 0 that it does not name.
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
        let replace = if place == Place::Staging { "REPLACE " } else { "" };
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
            || keys.any(|key| matches!(key.counter, Counter::WhereAbsent(_)))
    }

    /// What stands in front of the rows of an INSERT.
    pub fn insert_head(&self, place: Place, left: &[usize]) -> String {
        let left = if self.is_uniform() { left } else { &[] };
        format!("INSERT INTO {} ({}) VALUES ", self.name(place), self.list(left))
    }

    /// What stands behind them.
    pub fn insert_tail(&self, place: Place, left: &[usize]) -> String {
        match (place, self.mode) {
            (Place::Staging, _) | (_, Mode::Insert) => String::new(),
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
        let set = |(index, column): (usize, &Written)| match left.contains(&index) {
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
        let is_kept = |(index, column): (usize, &Written)| {
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

    /// That the new row is the one that is there, by this key.
    fn is_same(&self, key: &Key, left: &[usize], new: &impl Fn(&str) -> String) -> String {
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

    fn old(&self, name: &str) -> String {
        format!("{}.{name}", self.target)
    }

    /// Whether a division by zero may be one of ours, which says that another key was met.
    pub fn divides_by_zero(&self) -> bool {
        match self.mode {
            Mode::Insert => false,
            Mode::Skip => self.counts_keys(),
            Mode::Upsert => !self.others.is_empty(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.key.iter().chain(&self.others)
    }

    /// Whether some rows may meet others by a number that the server gave them.
    pub fn counts_keys(&self) -> bool {
        self.keys().any(|key| key.counter != Counter::Never)
    }

    /// Whether a row may meet another one by a number that the server gave it.
    pub fn may_meet_by_number(&self, left: &[usize]) -> bool {
        self.keys().any(|key| key.is_counted(left))
    }

    /// In mode skip, whether rows are inserted and nothing else, and the server's word on the key is
    /// asked for.
    fn passes_by_key_name(&self, left: &[usize]) -> bool {
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
    fn passing(&self, left: &[usize]) -> String {
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

    fn keeping(&self) -> String {
        let kept = self.old(&self.kept);
        format!(" ON DUPLICATE KEY UPDATE {kept} = {kept}")
    }

    fn name(&self, place: Place) -> &str {
        match place {
            Place::Target => &self.target,
            Place::Staging => &self.staging,
        }
    }

    fn list(&self, left: &[usize]) -> String {
        let columns = self.columns.iter().enumerate().filter(|(index, _)| !left.contains(index));
        let names: Vec<&str> = columns.map(|(_, column)| column.name.as_str()).collect();
        names.join(", ")
    }
}

/// The server compares with the bytes of the default, which stand where a NULL is.
fn is_miscounted(bound: &Bound) -> bool {
    bound.column.is_nullable && bound.column.preset == Preset::Computed
}

/// What of its columns a key consists of.
fn key_values(key: &Key, value: impl Fn(&str) -> String) -> impl Iterator<Item = String> {
    key.parts.iter().filter_map(move |part| {
        let value = value(&quoted(part.column.as_deref()?));
        Some(match part.prefix {
            Some(characters) => format!("LEFT({value}, {characters})"),
            None => value,
        })
    })
}

/// Refuses, with `DIVISION_BY_ZERO`, to touch a row that is not the same: the server updates whichever
/// row it meets first, by any unique key. Divided in a condition, because there it does not take part
/// in the type of the value. In front, where the row is as it was.
fn guard(name: &str, value: &str, same: &str) -> String {
    format!("{name} = CASE WHEN {same} THEN {value} WHEN 1 DIV COALESCE({same}, 0) THEN NULL END")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::mysql::samples;

    const MARIADB: (bool, (u16, u16, u16)) = (true, (10, 11, 0));
    const MYSQL: (bool, (u16, u16, u16)) = (false, (8, 0, 31));
    const OLD_MYSQL: (bool, (u16, u16, u16)) = (false, (8, 0, 16));

    fn statements(
        mode: Mode,
        columns: &[&str],
        (is_mariadb, version): (bool, (u16, u16, u16)),
    ) -> Statements {
        Statements::new(&samples::planned(mode, columns, &[0]), is_mariadb, version)
    }

    #[test]
    fn load_data_names_each_column_or_what_stands_for_it() {
        let columns = ["id int", "j json", "a`b varchar(9)", "k json"];
        let statements = statements(Mode::Insert, &columns, MYSQL);
        assert_eq!(
            statements.load(Place::Target, &[2]),
            "LOAD DATA LOCAL INFILE 'segment' INTO TABLE `d`.`t` CHARACTER SET binary \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' \
             (`id`, @v1, @nothing, @v3) SET `j` = CONVERT(@v1 USING utf8mb4), \
             `k` = CONVERT(@v3 USING utf8mb4)"
        );
        let staging = statements.load(Place::Staging, &[]);
        assert!(staging.contains("REPLACE INTO TABLE `d`.`flowgauge_staging` "), "{staging}");
        assert!(staging.contains("(`id`, @v1, `a``b`, @v3)"), "{staging}");
    }

    #[test]
    fn what_becomes_of_a_row_that_is_there_is_said_behind_the_rows() {
        let columns = ["id int", "v int"];
        for (mode, server, expected) in [
            (Mode::Insert, MYSQL, ""),
            (Mode::Skip, MARIADB, " ON DUPLICATE KEY UPDATE `d`.`t`.`id` = `d`.`t`.`id`"),
            (
                Mode::Upsert,
                MYSQL,
                " AS `flowgauge_new` ON DUPLICATE KEY UPDATE `v` = `flowgauge_new`.`v`",
            ),
            (Mode::Upsert, OLD_MYSQL, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
            (Mode::Upsert, MARIADB, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
        ] {
            let statements = statements(mode, &columns, server);
            assert_eq!(statements.insert_tail(Place::Target, &[]), expected, "{mode:?} {server:?}");
            assert_eq!(statements.insert_tail(Place::Staging, &[]), "");
            assert_eq!(
                statements.insert_head(Place::Target, &[]),
                "INSERT INTO `d`.`t` (`id`, `v`) VALUES "
            );
        }
        let mut plan = samples::planned(Mode::Skip, &columns, &[0]);
        plan.skips_by_key_name = true;
        let strict = Statements::new(&plan, false, MYSQL.1);
        assert_eq!(strict.insert_tail(Place::Target, &[]), "");
        for (name, expected) in
            [("PRIMARY", true), ("t.PRIMARY", true), ("log.PRIMARY", false), ("u", false)]
        {
            assert_eq!(strict.is_duplicate(name, &[]), expected, "{name}");
        }
        let keys_only = statements(Mode::Upsert, &["id int"], MARIADB);
        assert_eq!(
            keys_only.insert_tail(Place::Target, &[]),
            " ON DUPLICATE KEY UPDATE `d`.`t`.`id` = `d`.`t`.`id`"
        );
    }

    #[test]
    fn of_equal_rows_the_last_is_merged_and_nulls_are_equal_to_none() {
        let plan = samples::planned(Mode::Upsert, &["id varchar(9)", "v int"], &[0]);
        let statements = Statements::new(&plan, true, MARIADB.1);
        assert_eq!(
            statements.merge(&[], false, 0, None),
            "INSERT INTO `d`.`t` (`id`, `v`) SELECT `id`, `v` FROM (SELECT `flowgauge_row`, \
             `id`, `v`, ROW_NUMBER() OVER (PARTITION BY `id`, \
             CASE WHEN `id` IS NULL THEN `flowgauge_row` END ORDER BY `flowgauge_row` DESC) \
             AS `flowgauge_rank` FROM `d`.`flowgauge_staging` WHERE `flowgauge_row` >= 0) \
             AS `flowgauge_new` WHERE `flowgauge_rank` = 1 \
             ORDER BY `flowgauge_new`.`flowgauge_row` \
             ON DUPLICATE KEY UPDATE `id` = `flowgauge_new`.`id`, `v` = `flowgauge_new`.`v`"
        );
        assert_eq!(
            statements.merge(&[1], true, 7, Some(9)),
            "INSERT INTO `d`.`t` (`id`) SELECT `id` \
             FROM `d`.`flowgauge_staging` AS `flowgauge_new` \
             WHERE `flowgauge_row` >= 7 AND `flowgauge_row` < 9 \
             ORDER BY `flowgauge_new`.`flowgauge_row` \
             ON DUPLICATE KEY UPDATE `id` = `flowgauge_new`.`id`"
        );
    }

    #[test]
    fn columns_that_a_record_lacks_are_not_named() {
        let columns = ["id int", "v int", "w int"];
        let mut plan = samples::planned(Mode::Upsert, &columns, &[0]);
        plan.columns[2].absent = Absent::Reset;
        let statements = Statements::new(&plan, true, MARIADB.1);
        assert_eq!(
            statements.insert_head(Place::Target, &[1, 2]),
            "INSERT INTO `d`.`t` (`id`) VALUES "
        );
        assert_eq!(
            statements.insert_tail(Place::Target, &[1, 2]),
            " ON DUPLICATE KEY UPDATE `w` = DEFAULT"
        );
        let inserting = samples::planned(Mode::Insert, &columns, &[0]);
        let inserting = Statements::new(&inserting, true, MARIADB.1);
        assert!(!inserting.is_uniform());
        assert_eq!(
            inserting.insert_head(Place::Target, &[1]),
            "INSERT INTO `d`.`t` (`id`, `v`, `w`) VALUES "
        );
    }

    #[test]
    fn a_row_that_meets_another_by_a_number_of_the_server_is_not_that_row() {
        let columns = ["id int", "k int", "n int"];
        let counted = |mode, counter| {
            let mut plan = samples::planned(mode, &columns, &[1]);
            let other = samples::planned(mode, &columns, &[0]).key.unwrap();
            plan.other_keys = vec![Key { counter, name: "n".to_string(), ..other }];
            Statements::new(&plan, true, MARIADB.1)
        };
        let same = "COALESCE((`d`.`t`.`k` = VALUES(`k`)), 0)";
        let guarded = format!(
            " ON DUPLICATE KEY UPDATE `k` = CASE WHEN {same} THEN `d`.`t`.`k` \
             WHEN 1 DIV COALESCE({same}, 0) THEN NULL END"
        );
        let kept = " ON DUPLICATE KEY UPDATE `d`.`t`.`k` = `d`.`t`.`k`";
        let where_absent = counted(Mode::Skip, Counter::WhereAbsent(0));
        for (left, expected) in [(&[0][..], &*guarded), (&[2], kept), (&[], kept)] {
            assert_eq!(where_absent.insert_tail(Place::Target, left), expected, "{left:?}");
            assert_eq!(where_absent.is_met("n", left), !left.contains(&0));
            assert!(where_absent.is_met("PRIMARY", left));
        }
        assert_eq!(counted(Mode::Skip, Counter::Always).insert_tail(Place::Target, &[]), guarded);
        assert!(!counted(Mode::Skip, Counter::Never).divides_by_zero());
        // There is nothing that the row could be.
        let mut plan = samples::planned(Mode::Upsert, &columns, &[0]);
        plan.key.as_mut().unwrap().counter = Counter::WhereAbsent(0);
        let alone = Statements::new(&plan, true, MARIADB.1);
        assert_eq!(alone.insert_tail(Place::Target, &[0]), "");
        assert!(!alone.can_merge(&[0]) && alone.can_merge(&[2]));
    }

    #[test]
    fn our_names_hide_no_table() {
        for (table, staging, new) in [
            ("FlowGauge_Staging", "`d`.`flowgauge_staging_`", "`flowgauge_new`"),
            ("flowgauge_new", "`d`.`flowgauge_staging`", "`flowgauge_new_`"),
        ] {
            let mut plan = samples::planned(Mode::Upsert, &["id int", "v int"], &[0]);
            plan.table.table = table.to_string();
            let statements = Statements::new(&plan, false, MYSQL.1);
            let merge = statements.merge(&[], true, 0, None);
            assert!(merge.contains(&format!("FROM {staging} AS {new} ")), "{merge}");
        }
    }

    #[test]
    fn of_a_prefix_key_only_the_prefix_is_compared() {
        let mut plan = samples::planned(Mode::Upsert, &["c text", "v int"], &[0]);
        plan.key.as_mut().unwrap().parts[0].prefix = Some(3);
        plan.other_keys = vec![plan.key.clone().unwrap()];
        let statements = Statements::new(&plan, true, MARIADB.1);
        let tail = statements.insert_tail(Place::Target, &[]);
        assert!(tail.contains("LEFT(`d`.`t`.`c`, 3) = LEFT(VALUES(`c`), 3)"), "{tail}");
        let merge = statements.merge(&[], false, 0, None);
        assert!(merge.contains("PARTITION BY LEFT(`c`, 3), "), "{merge}");
    }

    #[test]
    fn the_number_of_a_staged_row_has_a_name_of_its_own() {
        let columns = ["id int", "FLOWGAUGE_ROW int"];
        let statements = statements(Mode::Upsert, &columns, MYSQL);
        assert_eq!(
            statements.create_staging(),
            "CREATE TEMPORARY TABLE `d`.`flowgauge_staging` (`flowgauge_row_` BIGINT UNSIGNED \
             NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB \
             SELECT `id`, `FLOWGAUGE_ROW` FROM `d`.`t` WHERE FALSE"
        );
    }
}
