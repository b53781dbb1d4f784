//! What a run that reads a backup has to be told of its dates and bytes, because JSON does not say how they
//! are written. Pure.

/// The value of `--types` for a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// `FIELD=date:FORMAT` and `FIELD=base64`, one for each field of dates or bytes.
    pub types: Vec<String>,
    /// Fields of dates that `--types` has no words for, and fields of bytes that it cannot name.
    pub untold_dates: Vec<String>,
    pub untold_bytes: Vec<String>,
}

impl Restore {
    pub fn types(&self) -> Option<String> {
        (!self.types.is_empty()).then(|| self.types.join(","))
    }

    /// Lines for a person, the option as a shell takes it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (names, what) in [
            (&self.untold_dates, "the mapping does not say how these dates are read"),
            (&self.untold_bytes, "--types cannot name these fields of bytes, which stay base64"),
        ] {
            if !names.is_empty() {
                lines.push(format!("restore: {what}: {}", names.join(", ")));
            }
        }
        if let Some(types) = self.types() {
            lines.push(format!("restore: add --types {}", for_a_shell(&types)));
        }
        lines
    }
}

/// Patterns have quotes of their own.
fn for_a_shell(text: &str) -> String {
    let is_one_of = |letters: &'static str| text.contains(|letter| letters.contains(letter));
    match (text.contains('\''), is_one_of("\"$`\\!")) {
        (false, _) => format!("'{text}'"),
        (true, false) => format!("\"{text}\""),
        (true, true) => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_as_it_is() {
        for (text, expected) in [
            ("a=date:basic_date", "'a=date:basic_date'"),
            ("a=date:HH'h'", "\"a=date:HH'h'\""),
            ("a$=date:HH'h'", r"'a$=date:HH'\''h'\'''"),
        ] {
            assert_eq!(for_a_shell(text), expected);
        }
    }

    #[test]
    fn nothing_is_said_where_there_are_no_dates() {
        assert!(Restore::default().lines().is_empty());
        assert_eq!(Restore::default().types(), None);
    }
}
