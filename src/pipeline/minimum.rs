//! How few records a run may have: `--min-records`, `--max-shrink` against the last complete run, and
//! `--allow-empty-output` where an output would be replaced by one without any. A source that lost its records looks like a good one that has none.

use super::max_errors::Percent;
use crate::error::Error;
use crate::record::ErrorType;
use crate::report::text::{count, counted};

#[derive(Clone, Copy, Debug, Default)]
pub struct Minimum {
    pub records: Option<u64>,
    pub may_be_empty: bool,
    pub shrink: Option<Shrink>,
}

/// How many percent fewer than before they may be.
#[derive(Clone, Copy, Debug)]
pub struct Shrink {
    pub percent: Percent,
    /// Of the last complete run.
    pub before: u64,
}

impl Minimum {
    /// Before anything is read: what the source says it has.
    pub fn check_expected(&self, expected: Option<u64>) -> Result<(), Error> {
        let Some(expected) = expected else { return Ok(()) };
        self.check(expected, "the source has", "nothing was read")
    }

    fn check(&self, records: u64, who: &str, consequence: &str) -> Result<(), Error> {
        let limit = match (self.records, self.shrink) {
            (Some(min), _) if records < min => format!("--min-records is {}", count(min)),
            (_, Some(Shrink { percent, before }))
                if percent.is_less_than(before.saturating_sub(records), before) =>
            {
                let before = count(before);
                format!("the last complete run had {before}; --max-shrink is {percent}%")
            }
            _ => return Ok(()),
        };
        let message = format!("{who} {}, and {limit}", counted(records, "record"));
        Err(Error::data(ErrorType::PartialResult, message).help(consequence))
    }

    /// Before the output is published: what is in it, and how much it would replace. What a table has
    /// by then stays there.
    pub fn check_taken(
        &self,
        taken: u64,
        replaced: Option<u64>,
        is_public: bool,
    ) -> Result<(), Error> {
        let consequence = match is_public {
            true => "what was written stays",
            false => "nothing was published",
        };
        self.check(taken, "the output has", consequence)?;
        let is_judged = self.records.is_some() || self.shrink.is_some();
        match replaced {
            Some(bytes) if taken == 0 && !self.may_be_empty && !is_judged => {
                let message =
                    format!("0 records would replace an output of {} bytes", count(bytes));
                Err(Error::data(ErrorType::PartialResult, message).help(format!(
                    "{consequence}; check the source, or set --allow-empty-output if that is right"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_records_are_refused_with_both_numbers() {
        let least = |records| Minimum { records, ..Minimum::default() };
        let said = |checked: Result<(), Error>| checked.err().map(|error| error.to_string());
        let cases = [
            (said(least(Some(5)).check_expected(Some(5))), None),
            (said(least(None).check_expected(Some(0))), None),
            (said(least(Some(5)).check_expected(None)), None),
            (
                said(least(Some(1_000)).check_expected(Some(999))),
                Some("the source has 999 records, and --min-records is 1,000; nothing was read"),
            ),
            (
                said(least(Some(2)).check_taken(1, Some(9), false)),
                Some("the output has 1 record, and --min-records is 2; nothing was published"),
            ),
            (
                said(least(Some(2)).check_taken(1, None, true)),
                Some("the output has 1 record, and --min-records is 2; what was written stays"),
            ),
            (said(least(Some(0)).check_taken(0, Some(9), false)), None),
            (said(least(None).check_taken(0, None, false)), None),
            (said(least(None).check_taken(1, Some(9), false)), None),
            (
                said(least(None).check_taken(0, Some(1_234), false)),
                Some(
                    "0 records would replace an output of 1,234 bytes; nothing was published; check the \
                     source, or set --allow-empty-output if that is right",
                ),
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said.as_deref(), expected);
        }
        let shrunk = |records, before| {
            let shrink = Some(Shrink { percent: Percent::parse("20").unwrap(), before });
            said(Minimum { shrink, ..Minimum::default() }.check_expected(Some(records)))
        };
        assert_eq!(shrunk(80, 100), None);
        assert_eq!(shrunk(200, 100), None);
        assert_eq!(shrunk(0, 0), None);
        assert_eq!(
            shrunk(79, 100).as_deref(),
            Some(
                "the source has 79 records, and the last complete run had 100; --max-shrink is 20%; \
                 nothing was read"
            )
        );
        let empty = Minimum { may_be_empty: true, ..Minimum::default() };
        assert!(empty.check_taken(0, Some(9), false).is_ok());
    }
}
