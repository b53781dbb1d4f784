//! Names in a server's message, and nothing else of it.
//!
//! Messages hold values of rows, in front of the names: so names are looked for at the end, and
//! only where the end is exactly as servers write it.

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub column: Option<String>,
    pub key: Option<String>,
    pub row: Option<u64>,
}

pub(super) fn of(message: &str) -> Named {
    let message = message.trim_end_matches('.');
    let (rest, row) = match message.rsplit_once(" at row ") {
        Some((rest, digits)) if is_number(digits) => (rest, digits.parse().ok()),
        _ => (message, None),
    };
    let column = last_name(rest, "for column ")
        .or_else(|| between(rest, "Column '", "' cannot be null"))
        .or_else(|| between(rest, "Field '", "' doesn't have a default value"));
    let key = duplicate(message)
        .or_else(|| last_name(rest, "for key "))
        .or_else(|| between(rest, "Check constraint '", "' is violated"))
        .or_else(|| constraint(rest));
    Named { column, key, row }
}

/// `INSERT`, of `INSERT command denied to user …`.
pub(super) fn denied(message: &str) -> Option<&str> {
    let (right, _) = message.split_once(" command denied to user ")?;
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b',');
    (right.len() <= 64 && right.bytes().all(is_plain)).then_some(right)
}

/// `Duplicate entry 'value' for key 'name'`, where it can only be read in one way: neither is escaped.
fn duplicate(message: &str) -> Option<String> {
    let name = message.strip_prefix("Duplicate entry '")?.strip_suffix('\'')?;
    let (_, name) = name.split_once("' for key '")?;
    let is_name = !name.contains("' for key '") && name.chars().count() <= CHARACTERS_MAX;
    is_name.then(|| name.to_string())
}

/// `'name'` or `` `database`.`table`.`name` `` between `before` and the end.
fn last_name(message: &str, before: &str) -> Option<String> {
    let (_, name) = message.rsplit_once(before)?;
    if let Some(name) = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')) {
        return plain(name, '\'');
    }
    let name = name.strip_prefix('`')?.strip_suffix('`')?;
    plain(name.rsplit("`.`").next()?, '`')
}

fn between(message: &str, before: &str, after: &str) -> Option<String> {
    plain(message.strip_prefix(before)?.strip_suffix(after)?, '\'')
}

/// ``CONSTRAINT `name` failed for …`` of a check, and ``…, CONSTRAINT `name` FOREIGN KEY …``: these
/// messages have no values in them.
fn constraint(message: &str) -> Option<String> {
    let has_no_values = message.starts_with("CONSTRAINT `")
        || message.starts_with("Cannot add or update a child row")
        || message.starts_with("Cannot delete or update a parent row");
    let (_, rest) = message.split_once("CONSTRAINT `")?;
    let (name, _) = rest.split_once('`')?;
    if has_no_values { plain(name, '`') } else { None }
}

/// The table that is not there, with its database.
pub fn missing(message: &str) -> Option<String> {
    let name = message.strip_prefix("Table '")?.strip_suffix("' doesn't exist")?;
    plain(name, '\'')
}

/// A name of a column or key has at most 64 characters; MySQL puts that of the table in front.
const CHARACTERS_MAX: usize = 129;

fn plain(name: &str, quote: char) -> Option<String> {
    let is_name = !name.is_empty()
        && !name.contains(quote)
        && name.chars().count() <= CHARACTERS_MAX
        && !name.contains(char::is_control);
    is_name.then(|| name.to_string())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, column: Option<&str>, key: Option<&str>, row: Option<u64>) {
        let expected = Named { column: column.map(Into::into), key: key.map(Into::into), row };
        assert_eq!(of(message), expected, "{message}");
    }

    #[test]
    fn names_are_found_at_the_end_only() {
        check("", None, None, None);
        check("Data too long for column 's' at row 3", Some("s"), None, Some(3));
        check(
            "Incorrect integer value: 'foo' for column `d`.`t`.`n` at row 12",
            Some("n"),
            None,
            Some(12),
        );
        check(
            "Incorrect integer value: 'a for column 'x' at row 5' for column 'n' at row 1",
            Some("n"),
            None,
            Some(1),
        );
        check("Column 'n' cannot be null", Some("n"), None, None);
        check("Field 'n' doesn't have a default value", Some("n"), None, None);
        check("Duplicate entry 'x' for key 't.PRIMARY'", None, Some("t.PRIMARY"), None);
        check("Duplicate entry ' for key 'y'' for key 'PRIMARY'", None, Some("PRIMARY"), None);
        for (entry, key) in [
            ("1", "it's"),
            ("1", "n'm.o.it's"),
            ("1", "a' at row 3"),
            ("1", "tab\tx"),
            ("1", "a for key 'b'"),
            ("1", "x."),
            ("a'b", "'"),
            ("' for key 'y'", "PRIMARY"),
        ] {
            let message = format!("Duplicate entry '{entry}' for key '{key}'");
            check(&message, None, Some(key), None);
        }
        check("Duplicate entry '' for key 'y' for key 'it's'", None, None, None);
        check(
            "Invalid JSON text: \"Invalid value.\" at position 0 in value for column 't.j'.",
            Some("t.j"),
            None,
            None,
        );
        check("Check constraint 'c1' is violated.", None, Some("c1"), None);
        check("CONSTRAINT `t.j` failed for `d`.`t`", None, Some("t.j"), None);
        check(
            "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `p` (`a`))",
            None,
            Some("fk"),
            None,
        );
    }

    #[test]
    fn values_are_not_taken_for_names() {
        check(
            "Truncated incorrect DOUBLE value: ' for column 'secret' at row 5'",
            None,
            None,
            None,
        );
        check("Duplicate entry ' for key 'x' and 'y", None, None, None);
        check("Incorrect value: 'CONSTRAINT `secret` x'", None, None, None);
        assert_eq!(denied("INSERT command denied to user 'u'@'h' for table 't'"), Some("INSERT"));
        assert_eq!(denied("DELETE, INSERT command denied to user 'u'@'h'"), Some("DELETE, INSERT"));
        assert_eq!(denied("'secret' command denied to user"), None);
        assert_eq!(missing("Table 'd.audit' doesn't exist"), Some("d.audit".to_string()));
        assert_eq!(missing("Table 'secret' is full"), None);
    }
}
