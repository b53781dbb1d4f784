//! Numbers in their own words: digits and where the point stands, without a limit on either.

use std::str;

/// A number as it is written: JSON's grammar, and leading zeros.
///
/// CSV may say 007 for 7. A plus, a separator, white space, `.5` and `0x10` are not taken, because
/// whoever writes so may mean something else than a number. An exponent is taken: it is JSON's, and
/// 1e3 is 1000 to everybody.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    pub is_negative: bool,
    pub whole: &'a [u8],
    pub fraction: &'a [u8],
    /// Saturated: whoever writes a larger one means nothing that fits anywhere.
    pub exponent: i64,
    /// The first digit that is not 0, counted over both parts, and what is behind the last.
    first: usize,
    last: usize,
}

const EXPONENT_MAX: i64 = 1 << 40;

/// No double has more digits than this, however exactly it is printed.
const DIGITS_MAX: usize = 1100;

impl<'a> Number<'a> {
    pub fn parse(text: &'a [u8]) -> Option<Number<'a>> {
        let (is_negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = digits(rest)?;
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest)?,
            rest => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        let mut number = Number { is_negative, whole, fraction, exponent, first: 0, last: 0 };
        let length = whole.len() + fraction.len();
        number.first = (0..length).find(|at| number.written(*at) != b'0').unwrap_or(length);
        number.last = (number.first..length)
            .rev()
            .find(|at| number.written(*at) != b'0')
            .map_or(number.first, |at| at + 1);
        Some(number)
    }

    pub fn is_zero(&self) -> bool {
        self.first == self.last
    }

    /// Written with digits only: no point, no exponent.
    pub fn is_plain(&self, text: &[u8]) -> bool {
        text.len() == self.whole.len() + usize::from(self.is_negative)
    }

    /// Digits in front of the point; 0 for 0.5 and nothing sensible for 0 itself.
    pub fn whole_digits(&self) -> i64 {
        if self.is_zero() { 0 } else { (self.point() - self.first as i64).max(0) }
    }

    /// Digits behind the point that are needed to write it exactly.
    pub fn fraction_digits(&self) -> i64 {
        if self.is_zero() { 0 } else { (self.last as i64 - self.point()).max(0) }
    }

    pub fn significant_digits(&self) -> usize {
        self.last - self.first
    }

    /// Digits that are written, without zeros in front and without those behind the point at the
    /// end: a whole number is written out to its last digit, and 1.50 says no more than 1.5.
    pub fn stated_digits(&self) -> usize {
        self.last.max(self.whole.len()).saturating_sub(self.first)
    }

    /// The digit that stands for 10^`power`, as a number.
    pub fn digit(&self, power: i64) -> u8 {
        let at = self.point() - 1 - power;
        let is_inside = (self.first as i64..self.last as i64).contains(&at);
        if is_inside { self.written(at as usize) - b'0' } else { 0 }
    }

    /// The whole number that it is, if it is one of at most 19 digits.
    pub fn magnitude(&self) -> Magnitude {
        if self.fraction_digits() > 0 {
            return Magnitude::Fraction;
        }
        let digits = self.whole_digits();
        if digits > 20 {
            return Magnitude::Huge;
        }
        let value = (0..digits).rev().try_fold(0u64, |value, power| {
            value.checked_mul(10)?.checked_add(u64::from(self.digit(power)))
        });
        value.map_or(Magnitude::Huge, Magnitude::Whole)
    }

    /// Two numbers are the same amount, however they are written.
    pub fn equals(&self, other: &Number<'_>) -> bool {
        if self.is_zero() || other.is_zero() {
            return self.is_zero() && other.is_zero();
        }
        let is_aligned = self.point() - self.first as i64 == other.point() - other.first as i64;
        self.is_negative == other.is_negative
            && is_aligned
            && self.significant_digits() == other.significant_digits()
            && (0..self.significant_digits())
                .all(|at| self.written(self.first + at) == other.written(other.first + at))
    }

    /// Whether this is what a float prints, asked for as many digits as were written.
    pub fn is_printed_by(&self, value: f64) -> bool {
        if self.is_zero() {
            return value == 0.0;
        }
        let digits = self.stated_digits().min(DIGITS_MAX);
        // What is in the middle goes to the even digit, as the servers print it.
        let printed = format!("{value:.precision$e}", precision = digits - 1);
        Number::parse(printed.as_bytes()).is_some_and(|printed| printed.equals(self))
    }

    /// Whether there is a double that is this number, to all of its digits.
    pub fn is_double(&self, text: &[u8]) -> bool {
        let value = str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
        value.is_some_and(|value| {
            // All doubles but the smallest have so many digits.
            let is_short = self.stated_digits() <= 15 && value.abs() >= f64::MIN_POSITIVE;
            value.is_finite() && (is_short || self.is_printed_by(value))
        })
    }

    /// Where the point stands, counted in digits from the first that is written.
    fn point(&self) -> i64 {
        self.whole.len() as i64 + self.exponent
    }

    fn written(&self, at: usize) -> u8 {
        match at.checked_sub(self.whole.len()) {
            None => self.whole[at],
            Some(at) => self.fraction[at],
        }
    }
}

/// A number without its sign, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magnitude {
    Whole(u64),
    /// Above all that 64 bits hold.
    Huge,
    Fraction,
}

/// At least one digit, and what follows.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| text.split_at(count))
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let (digits, []) = digits(rest)? else { return None };
    let value = digits
        .iter()
        .fold(0, |value: i64, digit| (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX));
    Some(sign * value)
}

/// Appends digits without a detour over formatting.
pub fn push_whole(out: &mut Vec<u8>, mut value: u64) {
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn magnitudes() {
        use Magnitude::*;
        for (text, expected) in [
            ("0", Some(Whole(0))),
            ("-0.00", Some(Whole(0))),
            ("007", Some(Whole(7))),
            ("5.0", Some(Whole(5))),
            ("1e3", Some(Whole(1000))),
            ("1.5E+1", Some(Whole(15))),
            ("1500e-2", Some(Whole(15))),
            ("15e-1", Some(Fraction)),
            ("0.5", Some(Fraction)),
            ("18446744073709551615", Some(Whole(u64::MAX))),
            ("18446744073709551616", Some(Huge)),
            ("99999999999999999999999", Some(Huge)),
            ("0e999999999999999999999", Some(Whole(0))),
            ("1e999999999999999999999", Some(Huge)),
            ("1e-999999999999999999999", Some(Fraction)),
            ("", None),
            ("-", None),
            ("+5", None),
            (" 12 ", None),
            ("1,234", None),
            ("0x10", None),
            ("--5", None),
            ("1.", None),
            (".5", None),
            ("1e", None),
            ("1e+", None),
            ("NaN", None),
            ("12\0", None),
            ("١٢", None),
        ] {
            let found = Number::parse(text.as_bytes()).map(|number| number.magnitude());
            assert_eq!(found, expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whole_numbers_are_what_the_standard_library_reads(value: i128, zeros in 0..4usize) {
            let text = format!("{}{}{}", if value < 0 { "-" } else { "" }, "0".repeat(zeros), value.unsigned_abs());
            let number = Number::parse(text.as_bytes()).unwrap();
            let expected = u64::try_from(value.unsigned_abs()).map_or(Magnitude::Huge, Magnitude::Whole);
            prop_assert_eq!(number.magnitude(), expected);
            prop_assert_eq!(number.is_negative, value < 0);
        }

        #[test]
        fn the_same_amount_is_equal_however_it_is_written(value: u32, shift in 0..20usize) {
            let moved = format!("{value}{}e-{shift}", "0".repeat(shift));
            let plain = value.to_string();
            let (moved, plain) = (Number::parse(moved.as_bytes()).unwrap(), Number::parse(plain.as_bytes()).unwrap());
            prop_assert!(moved.equals(&plain));
            let other = (u64::from(value) + 1).to_string();
            prop_assert!(!moved.equals(&Number::parse(other.as_bytes()).unwrap()));
        }

        #[test]
        fn digits_are_pushed_as_the_standard_library_prints_them(value: u64) {
            let mut out = Vec::new();
            push_whole(&mut out, value);
            prop_assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
