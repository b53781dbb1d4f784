//! A table's name, with the database it is in, and how names are written in SQL.

use std::fmt;

use crate::error::{Error, Result};

/// Characters in a name, for both servers.
pub const NAME_CHARS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    pub database: Option<String>,
    pub table: String,
}

impl TableName {
    /// `table`, `database.table`, and names with a dot in backticks.
    pub fn parse(text: &str) -> Result<TableName> {
        let wrong = || {
            Error::config(format!("'{}' is no name of a table", text.escape_debug()))
                .help("write table or database.table, and a name that holds a dot in backticks")
        };
        let (first, rest) = next_name(text).ok_or_else(wrong)?;
        let (database, table) = match rest {
            "" => (None, first),
            rest => {
                let rest = rest.strip_prefix('.').ok_or_else(wrong)?;
                let (second, rest) = next_name(rest).ok_or_else(wrong)?;
                if !rest.is_empty() {
                    return Err(wrong());
                }
                (Some(first), second)
            }
        };
        for name in database.iter().chain([&table]) {
            check_name(name)?;
        }
        Ok(TableName { database, table })
    }

    /// As it stands in SQL.
    pub fn quoted(&self) -> String {
        match &self.database {
            Some(database) => format!("{}.{}", quoted(database), quoted(&self.table)),
            None => quoted(&self.table),
        }
    }
}

/// For people.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{}.", database.escape_debug())?;
        }
        write!(f, "{}", self.table.escape_debug())
    }
}

/// The name at the start of `text`, and what follows it.
fn next_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(['.', '`']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_string(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('`')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('`') {
            Some(after) => {
                name.push('`');
                rest = after;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

/// A name of a column, table or database in SQL.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Names in SQL, as a list.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// Text in SQL. Right in every `sql_mode` and for every text without a backslash or NUL in it;
/// those are written as hexadecimal digits.
pub fn quoted_text(text: &str) -> String {
    if text.contains(['\\', '\0']) {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        return format!("CONVERT(x'{digits}' USING utf8mb4)");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Why a server would not take a name, or take it for another.
pub fn check_name(name: &str) -> Result<()> {
    let Some((fault, proposed)) = fault_of(name) else { return Ok(()) };
    let error = Error::config(format!("'{}' cannot be a name: {fault}", name.escape_debug()));
    Err(match proposed.is_empty() {
        true => error,
        false => error.help(format!("call it '{}' instead", proposed.escape_debug())),
    })
}

/// What is wrong with a name, and one that would do.
pub fn fault_of(name: &str) -> Option<(&'static str, String)> {
    let fault = if name.is_empty() {
        "it is empty"
    } else if name.contains('\0') {
        "it holds a NUL"
    } else if name.chars().any(|letter| letter > '\u{FFFF}') {
        "it holds a character beyond U+FFFF, which servers change or refuse"
    } else if name.ends_with(|letter: char| letter.is_ascii_whitespace()) {
        "it ends with white space"
    } else if name.chars().count() > NAME_CHARS_MAX {
        "it is longer than 64 characters"
    } else {
        return None;
    };
    Some((fault, proposed_for(name)))
}

fn proposed_for(name: &str) -> String {
    let allowed = |letter: char| {
        if letter == '\0' || letter > '\u{FFFF}' { '_' } else { letter }
    };
    let proposed: String = name.chars().map(allowed).take(NAME_CHARS_MAX).collect();
    proposed.trim_end_matches(|letter: char| letter.is_ascii_whitespace()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(Option<&str>, &str)>) {
        let found = TableName::parse(text).ok();
        let found = found.as_ref().map(|name| (name.database.as_deref(), name.table.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_of_tables() {
        check("t", Some((None, "t")));
        check("d.t", Some((Some("d"), "t")));
        check("`a.b`.`c``d`", Some((Some("a.b"), "c`d")));
        check("d.`t u`", Some((Some("d"), "t u")));
        check("my table", Some((None, "my table")));
        for wrong in ["", ".", "d.", ".t", "a.b.c", "`a", "``", "`a`b", "a`b", "t "] {
            check(wrong, None);
        }
    }

    #[test]
    fn names_in_sql() {
        let name = TableName { database: Some("a`b".into()), table: "c d".into() };
        assert_eq!(name.quoted(), "`a``b`.`c d`");
        assert_eq!(quoted_list(["a", "b`"]), "`a`, `b```");
        assert_eq!(quoted_text("it's"), "'it''s'");
        assert_eq!(quoted_text("a\\"), "CONVERT(x'615c' USING utf8mb4)");
    }

    #[test]
    fn names_no_server_takes() {
        for (name, proposed) in [
            ("plain", None),
            (";DROP `x`\n", Some(";DROP `x`")),
            ("", Some("")),
            ("a ", Some("a")),
            ("a\0b", Some("a_b")),
            ("smile \u{1F600}", Some("smile _")),
            (&"x".repeat(64), None),
            (&"ä".repeat(65), Some(&"ä".repeat(64))),
        ] {
            let found = fault_of(name).map(|(_, proposed)| proposed);
            assert_eq!(found.as_deref(), proposed, "{name:?}");
        }
        let error = check_name("a ").unwrap_err().to_string();
        assert_eq!(error, "'a ' cannot be a name: it ends with white space; call it 'a' instead");
    }
}
