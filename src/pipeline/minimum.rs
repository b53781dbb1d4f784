//! How few records a run may have: `--min-records`, and `--allow-empty` where an output would be
//! replaced by one without any. A source that lost its records looks like a good one that has none.

use crate::error::Error;
use crate::record::ErrorType;
use crate::report::text::{count, counted};

#[derive(Clone, Copy, Debug, Default)]
pub struct Minimum {
    pub records: Option<u64>,
    pub may_be_empty: bool,
}

impl Minimum {
    /// Before anything is read: what the source says it has.
    pub fn check_expected(&self, expected: Option<u64>) -> Result<(), Error> {
        let (Some(min), Some(expected)) = (self.records, expected) else { return Ok(()) };
        if expected < min {
            return Err(too_few(expected, min, "the source has").help("nothing was read"));
        }
        Ok(())
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
        if let Some(min) = self.records
            && taken < min
        {
            return Err(too_few(taken, min, "the output has").help(consequence));
        }
        match replaced {
            Some(bytes) if taken == 0 && !self.may_be_empty && self.records.is_none() => {
                let message =
                    format!("no record would replace an output of {} bytes", count(bytes));
                Err(Error::data(ErrorType::PartialResult, message).help(format!(
                    "{consequence}; check the source, or set --allow-empty if that is right"
                )))
            }
            _ => Ok(()),
        }
    }
}

fn too_few(records: u64, min: u64, who: &str) -> Error {
    let (records, min) = (counted(records, "record"), count(min));
    let message = format!("{who} {records}, and --min-records is {min}");
    Error::data(ErrorType::PartialResult, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_records_are_refused_with_both_numbers() {
        let least = |records| Minimum { records, may_be_empty: false };
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
                    "no record would replace an output of 1,234 bytes; nothing was published; check the \
                     source, or set --allow-empty if that is right",
                ),
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said.as_deref(), expected);
        }
        let empty = Minimum { may_be_empty: true, ..Minimum::default() };
        assert!(empty.check_taken(0, Some(9), false).is_ok());
    }
}
