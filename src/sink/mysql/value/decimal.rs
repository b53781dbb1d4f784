//! DECIMAL: exact arithmetic on digits.

use super::rules::Fraction;
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::amount::Number;
use crate::record::ErrorType;
use crate::sink::mysql::column::Digits;

/// The most digits a DECIMAL of either server has.
const PRECISION_MAX: i64 = 65;

/// Appends the number with as few digits as it needs: equal numbers become equal text.
pub fn put(
    text: &[u8],
    digits: Digits,
    is_unsigned: bool,
    rule: Fraction,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let number = Number::parse(text).ok_or_else(|| {
        unfit(
            ErrorType::TypeMismatch,
            "not a number: digits, a point and digits, no separators, comma or spaces",
        )
    })?;
    let scale = i64::from(digits.scale);
    let whole_max = i64::from(digits.precision) - scale;
    if number.whole_digits() > whole_max {
        return Err(too_many_whole(number.whole_digits(), whole_max));
    }
    let is_cut = number.fraction_digits() > scale;
    if is_cut && rule == Fraction::Reject {
        return Err(out_of_range(format!(
            "{} digits behind the point, and the column keeps {scale}; see --fraction",
            number.fraction_digits()
        )));
    }
    let mut kept = StoredDigits::of(&number, scale);
    if is_cut && rule == Fraction::Round && number.digit(-scale - 1) >= 5 {
        kept.add_one();
    }
    if kept.whole_digits() > whole_max {
        return Err(too_many_whole(kept.whole_digits(), whole_max));
    }
    if is_unsigned && number.is_negative && !kept.is_zero() {
        return Err(out_of_range("negative, and the column is UNSIGNED"));
    }
    kept.push(number.is_negative, out);
    Ok(())
}

fn too_many_whole(found: i64, max: i64) -> Unfit {
    out_of_range(format!("{found} digits in front of the point, and the column takes {max}"))
}

/// The digits that stay, the lowest first; those of the fraction are the first `scale`.
struct StoredDigits {
    digits: [u8; PRECISION_MAX as usize + 1],
    /// What is at this place and above it is 0.
    length: usize,
    scale: usize,
}

impl StoredDigits {
    /// `number` has no more digits in front of the point than the column, which has at most 65.
    fn of(number: &Number<'_>, scale: i64) -> StoredDigits {
        let length = (number.whole_digits() + scale).clamp(0, PRECISION_MAX);
        let mut kept = StoredDigits {
            digits: [0; PRECISION_MAX as usize + 1],
            length: length as usize,
            scale: scale as usize,
        };
        for place in 0..length {
            kept.digits[place as usize] = number.digit(place - scale);
        }
        kept
    }

    fn add_one(&mut self) {
        for digit in &mut self.digits[..self.length] {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits[self.length] = 1;
        self.length += 1;
    }

    fn is_zero(&self) -> bool {
        self.digits[..self.length].iter().all(|digit| *digit == 0)
    }

    fn whole_digits(&self) -> i64 {
        let whole = self.digits.get(self.scale..self.length).unwrap_or_default();
        whole.iter().rposition(|digit| *digit != 0).map_or(0, |at| at as i64 + 1)
    }

    fn push(&self, is_negative: bool, out: &mut Vec<u8>) {
        if is_negative && !self.is_zero() {
            out.push(b'-');
        }
        let whole = self.whole_digits() as usize;
        if whole == 0 {
            out.push(b'0');
        }
        out.extend(
            self.digits[self.scale..self.scale + whole].iter().rev().map(|digit| b'0' + digit),
        );
        let fraction = &self.digits[..self.scale];
        if let Some(lowest) = fraction.iter().position(|digit| *digit != 0) {
            out.push(b'.');
            out.extend(fraction[lowest..].iter().rev().map(|digit| b'0' + digit));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str, precision: u8, scale: u8, rule: Fraction) -> Result<String, String> {
        let mut out = Vec::new();
        put(text.as_bytes(), Digits { precision, scale }, false, rule, &mut out)
            .map_err(|unfit| unfit.reason)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn digits_are_kept_or_refused() {
        let nines = "9".repeat(65);
        let fraction = format!("0.{}1", "0".repeat(29));
        for (text, precision, scale, expected) in [
            ("0", 10, 2, Some("0")),
            ("-0.00", 10, 2, Some("0")),
            ("1.5", 10, 2, Some("1.5")),
            ("1.500", 10, 2, Some("1.5")),
            ("007.10", 10, 2, Some("7.1")),
            ("1.005", 10, 2, None),
            ("99999999.99", 10, 2, Some("99999999.99")),
            ("100000000", 10, 2, None),
            ("1e7", 10, 2, Some("10000000")),
            ("1e8", 10, 2, None),
            ("12e-2", 10, 2, Some("0.12")),
            ("1e999999999", 10, 2, None),
            ("1e-999999999", 10, 2, None),
            ("0e999999999", 10, 2, Some("0")),
            ("0.99", 2, 2, Some("0.99")),
            ("1", 2, 2, None),
            (&nines, 65, 0, Some(&nines)),
            (&fraction, 65, 30, Some(&fraction)),
            ("foo", 10, 2, None),
            ("", 10, 2, None),
            ("1.234,5", 10, 2, None),
        ] {
            let found = decimal(text, precision, scale, Fraction::Reject);
            assert_eq!(found.as_deref().ok(), expected, "{text}");
        }
    }

    #[test]
    fn digits_go_by_the_rule() {
        for (text, truncated, rounded) in [
            ("1.005", Some("1"), Some("1.01")),
            ("-1.005", Some("-1"), Some("-1.01")),
            ("1.0049999", Some("1"), Some("1")),
            ("-0.004", Some("0"), Some("0")),
            ("9.994", Some("9.99"), Some("9.99")),
            ("9.995", Some("9.99"), None),
            ("0.995", Some("0.99"), Some("1")),
            ("1e-999999999", Some("0"), Some("0")),
        ] {
            let found = decimal(text, 3, 2, Fraction::Truncate);
            assert_eq!(found.as_deref().ok(), truncated, "{text}");
            let found = decimal(text, 3, 2, Fraction::Round);
            assert_eq!(found.as_deref().ok(), rounded, "{text}");
        }
    }

    #[test]
    fn a_reason_names_the_limit() {
        assert_eq!(
            decimal("123.456", 5, 2, Fraction::Reject).unwrap_err(),
            "3 digits behind the point, and the column keeps 2; see --fraction"
        );
        assert_eq!(
            decimal("1234", 5, 2, Fraction::Reject).unwrap_err(),
            "4 digits in front of the point, and the column takes 3"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// The oracle counts in units of the column's last digit.
        #[test]
        fn rescaling_agrees_with_whole_numbers(
            units in -10_000_000_000i64..10_000_000_000,
            written in 0..10u32,
            shift in -6..6i32,
            scale in 0..9u8,
            rule in prop_oneof![Just(Fraction::Reject), Just(Fraction::Truncate), Just(Fraction::Round)],
        ) {
            let sign = if units < 0 { "-" } else { "" };
            let power = 10u64.pow(written);
            let (whole, rest) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
            let fraction = if written == 0 { String::new() } else { format!(".{rest:0width$}", width = written as usize) };
            let text = format!("{sign}{whole}{fraction}e{shift}");

            // text is units * 10^(shift - written); in units of the last digit, times 10^scale.
            let power = shift - written as i32 + i32::from(scale);
            let divisor = 10i128.pow(power.min(0).unsigned_abs());
            let amount = i128::from(units.unsigned_abs()) * 10i128.pow(power.max(0).unsigned_abs());
            let (mut kept, lost) = (amount / divisor, amount % divisor);
            if rule == Fraction::Round && lost * 2 >= divisor && lost > 0 { kept += 1; }
            let fits = (lost == 0 || rule != Fraction::Reject) && kept < 10i128.pow(12);

            let found = decimal(&text, 12, scale, rule);
            prop_assert_eq!(found.is_ok(), fits, "{} {:?}", text, &found);
            if let Ok(found) = found {
                let number = Number::parse(found.as_bytes()).unwrap();
                let expected = format!("{sign}{kept}e-{scale}");
                prop_assert!(number.equals(&Number::parse(expected.as_bytes()).unwrap()), "{} {} {}", text, found, expected);
                prop_assert!(!found.ends_with('.') && !found.starts_with("-0.0000000000"));
            }
        }
    }
}
