//! What a run that reads a backup has to be told of its dates, because JSON does not say how they are
//! written. Pure.

/// The value of `--types` for a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// `FIELD=date:FORMAT`, one for each field of dates.
    pub types: Vec<String>,
    /// Fields of dates that `--types` has no words for.
    pub untold: Vec<String>,
}

impl Restore {
    pub fn types(&self) -> Option<String> {
        (!self.types.is_empty()).then(|| self.types.join(","))
    }

    /// Lines for a person, the option as a shell takes it.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.untold.is_empty() {
            let names = self.untold.join(", ");
            lines.push(format!(
                "restore: the mapping does not say how these dates are read: {names}"
            ));
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
