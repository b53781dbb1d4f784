//! Which triggers a table has, and whether the account sees them all: MySQL shows them only to those
//! with the right TRIGGER, and says nothing to others.

use crate::sink::mysql::session::Session;
use crate::sink::mysql::table_name::{TableName, quoted_text};
use crate::sink::mysql::trouble::{Tried, Trouble};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub name: String,
    /// INSERT or UPDATE.
    pub event: String,
}

/// Those that run at INSERT or UPDATE, as far as the account may see them.
pub async fn triggers(session: &mut Session, name: &TableName) -> Tried<Vec<Trigger>> {
    let database = match &name.database {
        Some(database) => quoted_text(database),
        None => "DATABASE()".to_string(),
    };
    let sql = format!(
        "SELECT TRIGGER_NAME, EVENT_MANIPULATION FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = {database} AND EVENT_OBJECT_TABLE = {} \
         AND EVENT_MANIPULATION IN ('INSERT', 'UPDATE') \
         ORDER BY TRIGGER_NAME, EVENT_MANIPULATION",
        quoted_text(&name.table)
    );
    let rows = session.rows::<(String, String)>(&sql).await?;
    Ok(rows.into_iter().map(|(name, event)| Trigger { name, event }).collect())
}

/// Whether it is certain that there are no others.
pub(super) async fn are_seen(session: &mut Session, database: &str, table: &str) -> Tried<bool> {
    // It names them to everybody who sees the table, and hides what they do.
    if session.server.is_mariadb {
        return Ok(true);
    }
    let mut ask = async |sql: &str, column: usize| match session.rows::<mysql_async::Row>(sql).await
    {
        Ok(rows) => Ok(rows
            .iter()
            .filter_map(|row| row.get_opt::<String, usize>(column)?.ok())
            .collect::<Vec<_>>()),
        // A server or a proxy that does not say.
        Err(Trouble::Stop(_)) => Ok(Vec::new()),
        Err(trouble) => Err(trouble),
    };
    let partial = ask("SHOW VARIABLES LIKE 'partial_revokes'", 1).await?;
    let has_patterns = partial.iter().any(|value| value.eq_ignore_ascii_case("off"));
    // Those of roles that are active are among them.
    let grants = ask("SHOW GRANTS", 0).await?;
    Ok(grants_show_triggers(&grants, database, table, has_patterns))
}

fn grants_show_triggers(
    grants: &[String],
    database: &str,
    table: &str,
    has_patterns: bool,
) -> bool {
    let has_revokes = grants.iter().any(|grant| grant.starts_with("REVOKE "));
    // Of several patterns that fit a database the server goes by one.
    let mut of_database = Vec::new();
    for grant in grants {
        let Some((has_it, on, name)) = parts(grant) else { continue };
        match (on, name) {
            (None, None) if has_it && !has_revokes => return true,
            (Some(on), Some(name)) if has_it && on == database && name == table => return true,
            (Some(on), None) if on == database || (has_patterns && fits(&on, database)) => {
                of_database.push(has_it && !has_revokes);
            }
            _ => {}
        }
    }
    !of_database.is_empty() && of_database.iter().all(|has_it| *has_it)
}

/// Whether TRIGGER is granted, and on which database and which table; None stands for all of them.
fn parts(grant: &str) -> Option<(bool, Option<String>, Option<String>)> {
    let (rights, rest) = grant.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let is_it = |right: &str| matches!(right.trim(), "TRIGGER" | "ALL PRIVILEGES" | "ALL");
    let has_it = rights.split(',').any(is_it);
    let (database, rest) = part(rest)?;
    let (table, _) = part(rest.strip_prefix('.')?)?;
    Some((has_it, database, table))
}

/// `*`, or a name in backticks.
fn part(text: &str) -> Option<(Option<String>, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((None, rest));
    }
    let (name, rest) = super::created::name_and_rest(text)?;
    Some((Some(name), rest))
}

/// As LIKE compares, letter by letter.
fn fits(pattern: &str, name: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = letters.as_str();
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(rest, &name[at..]))
        }
        Some(letter) => {
            let wanted = match letter {
                '\\' => letters.next(),
                '_' => None,
                letter => Some(letter),
            };
            let mut name = name.chars();
            name.next().is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
                && fits(letters.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_is_there_only_where_grants_leave_no_doubt() {
        for (grants, expected) in [
            (&[][..], false),
            (&["GRANT USAGE ON *.* TO `u`@`%`"], false),
            (&["GRANT SELECT, TRIGGER ON *.* TO `u`@`%`"], true),
            (&["GRANT ALL PRIVILEGES ON `d_x`.* TO `u`@`%`"], true),
            (&["GRANT ALL PRIVILEGES ON `d\\_x`.* TO `u`@`%`"], true),
            (&["GRANT TRIGGER ON `d%`.* TO `u`@`%` WITH GRANT OPTION"], true),
            (&["GRANT TRIGGER ON `e%`.* TO `u`@`%`"], false),
            (&["GRANT SELECT, INSERT, TRIGGER ON `d_x`.`t` TO `u`@`%`"], true),
            (&["GRANT TRIGGER ON `d_x`.`T` TO `u`@`%`"], false),
            (&["GRANT SELECT (`TRIGGER`, `ON`) ON `d_x`.`t` TO `u`@`%`"], false),
            (&["GRANT `TRIGGER`@`%` TO `u`@`%`"], false),
            (&["GRANT TRIGGER ON `d%`.* TO `u`@`%`", "GRANT SELECT ON `d_x`.* TO `u`@`%`"], false),
            (&["GRANT TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `d_x`.* FROM `u`@`%`"], false),
        ] {
            let grants: Vec<String> = grants.iter().map(|grant| grant.to_string()).collect();
            assert_eq!(grants_show_triggers(&grants, "d_x", "t", true), expected, "{grants:?}");
        }
        let pattern = ["GRANT TRIGGER ON `d%`.* TO `u`@`%`".to_string()];
        assert!(!grants_show_triggers(&pattern, "d_x", "t", false));
    }

    #[test]
    fn names_are_compared_as_patterns() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("a_c", "abc", true),
            ("a\\_c", "abc", false),
            ("%c", "abc", true),
            ("a%", "", false),
            ("%é%", "aéb", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
