//! What the comment of a column remembers of a type that was guessed. An ALTER that changes the type takes
//! the comment away.

use crate::record::Offsets;

/// A type that was chosen for how values of a sample were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// What it was guessed from, such as `the first 10,000 records`.
    pub from: String,
    /// Of times. None where a comment does not say it, and of everything else.
    pub offsets: Option<Offsets>,
}

/// What such a comment begins with, and what it ends with.
const GUESSED: &str = "type guessed by flowgauge from ";
const WITH_OFFSET: &str = ": times with an offset";
const WITHOUT_OFFSET: &str = ": times without an offset";

impl Guess {
    pub fn of_comment(comment: &str) -> Option<Guess> {
        let words = comment.strip_prefix(GUESSED)?;
        let forms = [(WITH_OFFSET, Offsets::Always), (WITHOUT_OFFSET, Offsets::Never)];
        let found = forms.iter().find_map(|(end, offsets)| {
            let from = words.strip_suffix(end)?;
            Some(Guess { from: from.to_string(), offsets: Some(*offsets) })
        });
        Some(found.unwrap_or_else(|| Guess { from: words.to_string(), offsets: None }))
    }

    pub fn comment(&self) -> String {
        let end = match self.offsets {
            None => "",
            Some(Offsets::Always) => WITH_OFFSET,
            Some(Offsets::Never) => WITHOUT_OFFSET,
        };
        format!("{GUESSED}{}{end}", self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        for offsets in [None, Some(Offsets::Always), Some(Offsets::Never)] {
            let guess = Guess { from: "the first 10,000 records".to_string(), offsets };
            assert_eq!(Guess::of_comment(&guess.comment()), Some(guess));
        }
        for comment in ["", "of somebody's", ": times with an offset"] {
            assert_eq!(Guess::of_comment(comment), None, "{comment}");
        }
    }
}
