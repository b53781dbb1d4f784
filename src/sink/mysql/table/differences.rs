//! What an ALTER made of a table, in words. Pure.

use super::{Table, Trigger, UniqueKey};
use crate::sink::mysql::column::{ColumnDefinition, Preset};

impl Table {
    /// Without the columns that `before` did not have and that need nothing of us: rows are written
    /// as if they were not there.
    pub fn without_later(&self, before: &Table) -> Table {
        let mut table = self.clone();
        table.columns.retain(|column| {
            let is_later = before.column(&column.name).is_none();
            !is_later || column.preset == Preset::None || column.is_auto_increment
        });
        table
            .definitions
            .retain(|definition| table.columns.iter().any(|c| c.name == definition.name));
        table
    }

    /// What is not as it was, at least one thing.
    pub fn differences(&self, before: &Table) -> Vec<String> {
        let mut words = Vec::new();
        compare(&mut words, "column", &before.definitions, &self.definitions, |definition| {
            (definition.name.clone(), described(definition))
        });
        compare(&mut words, "unique key", &before.unique_keys, &self.unique_keys, |key| {
            (key.name.clone(), columns_of(key))
        });
        for (what, before, now) in [
            ("foreign key", &before.foreign_keys, &self.foreign_keys),
            ("check", &before.checks, &self.checks),
            ("key WITHOUT OVERLAPS", &before.overlap_keys, &self.overlap_keys),
        ] {
            compare(&mut words, what, before, now, |name| (name.clone(), String::new()));
        }
        compare(&mut words, "trigger", &before.triggers, &self.triggers, |trigger: &Trigger| {
            (trigger.name.clone(), format!("one of {}", trigger.event))
        });
        if self.engine != before.engine {
            words.push(format!("its engine was {} and is {}", before.engine, self.engine));
        }
        if self.other_kind != before.other_kind {
            words.push("it is no table any more".to_string());
        }
        if words.is_empty() {
            words.push("its definition is another".to_string());
        }
        words
    }
}

fn compare<T>(
    words: &mut Vec<String>,
    what: &str,
    before: &[T],
    now: &[T],
    shown: impl Fn(&T) -> (String, String),
) {
    let find = |all: &[T], wanted: &str| {
        all.iter().map(&shown).find(|(name, _)| name == wanted).map(|(_, text)| text)
    };
    for (name, was) in before.iter().map(&shown) {
        let quoted = name.escape_debug();
        match find(now, &name) {
            None => words.push(format!("{what} '{quoted}' is gone")),
            Some(is) if is != was => words.push(format!("{what} '{quoted}' was {was} and is {is}")),
            Some(_) => {}
        }
    }
    for (name, _) in now.iter().map(&shown) {
        if find(before, &name).is_none() {
            words.push(format!("{what} '{}' is new", name.escape_debug()));
        }
    }
}

/// Types of ENUM and SET hold no values of rows.
fn described(definition: &ColumnDefinition) -> String {
    let mut words = vec![definition.column_type.escape_debug().to_string()];
    words.extend(definition.collation.clone());
    words.push(if definition.is_nullable { "NULL" } else { "NOT NULL" }.to_string());
    match &definition.column_default {
        Some(default) if default != "NULL" => words.push("with a default".to_string()),
        _ => {}
    }
    if !definition.extra.is_empty() {
        words.push(definition.extra.escape_debug().to_string());
    }
    words.join(" ")
}

fn columns_of(key: &UniqueKey) -> String {
    let part = |part: &super::KeyPart| match (&part.column, part.prefix) {
        (Some(column), Some(characters)) => format!("{}({characters})", column.escape_debug()),
        (Some(column), None) => column.escape_debug().to_string(),
        (None, _) => "an expression".to_string(),
    };
    format!("({})", key.parts.iter().map(part).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use crate::sink::mysql::samples;
    use crate::sink::mysql::table::{Table, Trigger};

    fn table() -> Table {
        samples::table(&["id int NOT NULL", "v varchar(9)"], &[("PRIMARY", "id")])
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Table), expected: &str) {
        let mut now = table();
        change(&mut now);
        assert_eq!(now.differences(&table()).join("; "), expected);
    }

    #[test]
    fn changes_have_words() {
        check(|_| {}, "its definition is another");
        check(
            |now| now.definitions[1].collation = Some("latin1_bin".into()),
            "column 'v' was varchar(9) utf8mb4_0900_ai_ci NULL and is varchar(9) latin1_bin NULL",
        );
        check(|now| now.definitions[1].name = "w".into(), "column 'v' is gone; column 'w' is new");
        check(
            |now| now.unique_keys[0].parts[0].prefix = Some(3),
            "unique key 'PRIMARY' was (id) and is (id(3))",
        );
        check(|now| now.checks.push("c".into()), "check 'c' is new");
        check(
            |now| now.triggers.push(Trigger { name: "x".into(), event: "INSERT".into() }),
            "trigger 'x' is new",
        );
        check(|now| now.engine = "MyISAM".into(), "its engine was InnoDB and is MyISAM");
    }

    #[test]
    fn columns_that_came_later_are_left_out_where_they_want_nothing() {
        let wide = samples::table(
            &["id int NOT NULL", "n int", "v varchar(9)", "hungry int NOT NULL"],
            &[("PRIMARY", "id")],
        );
        let names =
            |table: Table| table.columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(names(wide.without_later(&table())), ["id", "v", "hungry"]);
    }
}
