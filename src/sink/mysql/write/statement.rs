//! The statements that move rows, as text. Pure.

use crate::sink::mysql::column::Transfer;
use crate::sink::mysql::plan::Plan;
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
#[derive(Clone, Debug)]
pub struct Statements {
    target: String,
    table: String,
    columns: Vec<Written>,
    /// Set to itself where a row that is there is to stay as it is.
    kept: String,
    /// A row may meet another one by another key than the one that counts.
    has_other_keys: bool,
    mode: Mode,
    staging: String,
    /// Numbers the rows of the staging table, and is its key.
    number: String,
    /// The new row has a name of its own. Elsewhere it is VALUES(), which MySQL is giving up.
    has_row_alias: bool,
    /// See `Plan::keys_to_skip_by`.
    keys_to_skip_by: Option<Vec<String>>,
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
}

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
        let written = |(index, bound): (usize, &crate::sink::mysql::plan::Bound)| Written {
            name: quoted(&bound.column.name),
            transfer: bound.column.transfer(),
            is_nullable: bound.column.is_nullable,
            is_key: key.contains(&index),
            stays: is_binary && key.contains(&index),
        };
        let columns: Vec<Written> = plan.columns.iter().enumerate().map(written).collect();
        let kept = columns.iter().find(|column| column.is_key).or(columns.first());
        let free = |name: &str| {
            let mut name = name.to_string();
            while plan.columns.iter().any(|bound| bound.column.name.eq_ignore_ascii_case(&name)) {
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
            has_other_keys: !plan.other_keys.is_empty(),
            mode: plan.mode,
            staging: in_database(STAGING),
            number: free(NUMBER),
            rank: free(RANK),
            keys_to_skip_by: plan.keys_to_skip_by.clone(),
            table: plan.table.table.clone(),
            has_row_alias: !is_mariadb && version >= ROW_ALIAS_FROM,
        }
    }

    /// LOAD DATA of a whole segment. Into the staging table with REPLACE: there it replaces nothing,
    /// and without it the server would be lenient.
    pub fn load(&self, place: Place, left_out: &[bool]) -> String {
        let mut fields = Vec::new();
        let mut conversions = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if left_out.get(index).copied().unwrap_or(false) {
                fields.push("@nothing".to_string());
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

    /// What stands in front of the rows of an INSERT.
    pub fn insert_head(&self, place: Place) -> String {
        format!("INSERT INTO {} ({}) VALUES ", self.name(place), self.list())
    }

    /// What stands behind them.
    pub fn insert_tail(&self, place: Place) -> String {
        match (place, self.mode) {
            (Place::Staging, _) | (_, Mode::Insert) => String::new(),
            (_, Mode::Skip) if self.keys_to_skip_by.is_some() => String::new(),
            (_, Mode::Skip) => self.keeping(),
            (_, Mode::Upsert) if self.has_row_alias => {
                format!(" AS {NEW}{}", self.updating(|name| format!("{NEW}.{name}")))
            }
            (_, Mode::Upsert) => self.updating(|name| format!("VALUES({name})")),
        }
    }

    /// The columns' types are copied with the columns.
    pub fn create_staging(&self) -> String {
        format!(
            "CREATE TEMPORARY TABLE {} ({} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY) \
             ENGINE=InnoDB SELECT {} FROM {} WHERE FALSE",
            self.staging,
            self.number,
            self.list(),
            self.target
        )
    }

    /// Ends a transaction, as DELETE would not, and takes no longer the more rows there were.
    pub fn empty_staging(&self) -> String {
        format!("TRUNCATE TABLE {}", self.staging)
    }

    /// From the staging table into the target. Of rows with equal keys the last: what is equal, the
    /// server says. Where it is known that all are different, it need not look.
    pub fn merge(&self, keys_differ: bool) -> String {
        let list = self.list();
        let rows = match keys_differ {
            true => format!("{} AS {NEW}", self.staging),
            false => format!(
                "(SELECT {}, {list}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {} DESC) \
                 AS {rank} FROM {}) AS {NEW} WHERE {rank} = 1",
                self.number,
                self.parts(),
                self.number,
                self.staging,
                rank = self.rank
            ),
        };
        format!(
            "INSERT INTO {} ({list}) SELECT {list} FROM {rows} ORDER BY {NEW}.{}{}",
            self.target,
            self.number,
            self.updating(|name| format!("{NEW}.{name}"))
        )
    }

    /// What is the same in equal rows. A NULL is equal to none, and PARTITION BY knows better.
    fn parts(&self) -> String {
        let key = || self.columns.iter().filter(|column| column.is_key);
        let mut parts: Vec<String> = key().map(|column| column.name.clone()).collect();
        let nulls: Vec<String> = key()
            .filter(|column| column.is_nullable)
            .map(|column| format!("{} IS NULL", column.name))
            .collect();
        if !nulls.is_empty() {
            parts.push(format!("CASE WHEN {} THEN {} END", nulls.join(" OR "), self.number));
        }
        parts.join(", ")
    }

    fn updating(&self, new: impl Fn(&str) -> String) -> String {
        let set = |column: &Written| format!("{} = {}", column.name, new(&column.name));
        let guard = self.guard(&new);
        let others = self.columns.iter().filter(|column| !column.stays).map(set);
        let sets: Vec<String> = guard.into_iter().chain(others).collect();
        match sets.is_empty() {
            true => self.keeping(),
            false => format!(" ON DUPLICATE KEY UPDATE {}", sets.join(", ")),
        }
    }

    /// Refuses, with `DIVISION_BY_ZERO`, to give a row the values of one with another key: the server
    /// updates whichever row it meets first, by any unique key. Divided in a condition, because there
    /// it does not take part in the type of the value. In front, where the row is as it was.
    fn guard(&self, new: impl Fn(&str) -> String) -> Option<String> {
        let first = self.columns.iter().find(|column| column.is_key)?;
        let old = |name: &str| format!("{}.{name}", self.target);
        let key = self.columns.iter().filter(|column| column.is_key);
        let same: Vec<String> =
            key.map(|column| format!("{} = {}", old(&column.name), new(&column.name))).collect();
        let same = same.join(" AND ");
        self.has_other_keys.then(|| {
            format!(
                "{} = CASE WHEN {same} THEN {} WHEN 1 DIV COALESCE({same}, 0) THEN NULL END",
                first.name,
                new(&first.name)
            )
        })
    }

    /// Whether a division by zero may be one of ours, which says that another key was met.
    pub fn divides_by_zero(&self) -> bool {
        self.has_other_keys && self.mode == Mode::Upsert
    }

    /// Whether a row that was refused for a key is one that is there already. MySQL says of which
    /// table the key is; a trigger's statement may meet one of the same name.
    pub fn is_duplicate(&self, key: &str) -> bool {
        let is_it = |name: &String| *name == key || format!("{}.{name}", self.table) == key;
        self.keys_to_skip_by.as_ref().is_some_and(|keys| keys.iter().any(is_it))
    }

    fn keeping(&self) -> String {
        let kept = format!("{}.{}", self.target, self.kept);
        format!(" ON DUPLICATE KEY UPDATE {kept} = {kept}")
    }

    fn name(&self, place: Place) -> &str {
        match place {
            Place::Target => &self.target,
            Place::Staging => &self.staging,
        }
    }

    fn list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }
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
            statements.load(Place::Target, &[false, false, true, false]),
            "LOAD DATA LOCAL INFILE 'segment' INTO TABLE `d`.`t` CHARACTER SET binary \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' \
             (`id`, @v1, @nothing, @v3) SET `j` = CONVERT(@v1 USING utf8mb4), \
             `k` = CONVERT(@v3 USING utf8mb4)"
        );
        let staging = statements.load(Place::Staging, &[]);
        assert!(staging.contains("REPLACE INTO TABLE `d`.flowgauge_staging "), "{staging}");
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
                " AS flowgauge_new ON DUPLICATE KEY UPDATE `v` = flowgauge_new.`v`",
            ),
            (Mode::Upsert, OLD_MYSQL, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
            (Mode::Upsert, MARIADB, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
        ] {
            let statements = statements(mode, &columns, server);
            assert_eq!(statements.insert_tail(Place::Target), expected, "{mode:?} {server:?}");
            assert_eq!(statements.insert_tail(Place::Staging), "");
            assert_eq!(
                statements.insert_head(Place::Target),
                "INSERT INTO `d`.`t` (`id`, `v`) VALUES "
            );
        }
        let mut plan = samples::planned(Mode::Skip, &columns, &[0]);
        plan.keys_to_skip_by = Some(vec!["PRIMARY".to_string()]);
        let strict = Statements::new(&plan, false, MYSQL.1);
        assert_eq!(strict.insert_tail(Place::Target), "");
        assert!(strict.is_duplicate("PRIMARY") && strict.is_duplicate("t.PRIMARY"));
        assert!(!strict.is_duplicate("log.PRIMARY") && !strict.is_duplicate("u"));
        let keys_only = statements(Mode::Upsert, &["id int"], MARIADB);
        assert_eq!(
            keys_only.insert_tail(Place::Target),
            " ON DUPLICATE KEY UPDATE `d`.`t`.`id` = `d`.`t`.`id`"
        );
    }

    #[test]
    fn of_equal_rows_the_last_is_merged_and_nulls_are_equal_to_none() {
        let plan = samples::planned(Mode::Upsert, &["id varchar(9)", "v int"], &[0]);
        let statements = Statements::new(&plan, true, MARIADB.1);
        assert_eq!(
            statements.merge(false),
            "INSERT INTO `d`.`t` (`id`, `v`) SELECT `id`, `v` FROM (SELECT `flowgauge_row`, \
             `id`, `v`, ROW_NUMBER() OVER (PARTITION BY `id`, \
             CASE WHEN `id` IS NULL THEN `flowgauge_row` END ORDER BY `flowgauge_row` DESC) \
             AS `flowgauge_rank` FROM `d`.flowgauge_staging) AS flowgauge_new \
             WHERE `flowgauge_rank` = 1 ORDER BY flowgauge_new.`flowgauge_row` \
             ON DUPLICATE KEY UPDATE `id` = flowgauge_new.`id`, `v` = flowgauge_new.`v`"
        );
        assert_eq!(
            statements.merge(true),
            "INSERT INTO `d`.`t` (`id`, `v`) SELECT `id`, `v` \
             FROM `d`.flowgauge_staging AS flowgauge_new ORDER BY flowgauge_new.`flowgauge_row` \
             ON DUPLICATE KEY UPDATE `id` = flowgauge_new.`id`, `v` = flowgauge_new.`v`"
        );
    }

    #[test]
    fn the_number_of_a_staged_row_has_a_name_of_its_own() {
        let columns = ["id int", "FLOWGAUGE_ROW int"];
        let statements = statements(Mode::Upsert, &columns, MYSQL);
        assert_eq!(
            statements.create_staging(),
            "CREATE TEMPORARY TABLE `d`.flowgauge_staging (`flowgauge_row_` BIGINT UNSIGNED \
             NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB \
             SELECT `id`, `FLOWGAUGE_ROW` FROM `d`.`t` WHERE FALSE"
        );
    }
}
