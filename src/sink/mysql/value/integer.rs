//! Whole numbers: the INT family, `tinyint(1)`, BIT and YEAR.

use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::amount::{Magnitude, Number, push_whole};
use crate::record::ErrorType;

/// A text of so many digits is below 2^64, without a look at them.
const SAFE_DIGITS: usize = 18;

pub fn put(text: &[u8], bits: u8, is_unsigned: bool, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let (is_negative, magnitude) = parse(text)?;
    if magnitude > largest(bits, is_unsigned, is_negative) {
        return Err(beyond(bits, is_unsigned));
    }
    if is_negative && magnitude > 0 {
        out.push(b'-');
    }
    push_whole(out, magnitude);
    Ok(())
}

pub fn put_bool(value: bool, out: &mut Vec<u8>) {
    out.push(b'0' + u8::from(value));
}

/// As many bytes as the column has, the highest first: what LOAD DATA and literals of bytes store
/// as they are. Digits it would take for characters.
pub fn put_bits(text: &[u8], bits: u8, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let (is_negative, magnitude) = parse(text)?;
    if magnitude > largest(bits, true, is_negative) {
        return Err(beyond(bits, true));
    }
    let bytes = usize::from(bits).div_ceil(8).min(8);
    out.extend_from_slice(&magnitude.to_be_bytes()[8 - bytes..]);
    Ok(())
}

/// A year of two digits would be guessed, and 0 is no year.
pub fn put_year(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    match parse(text)? {
        (false, year @ 1901..=2155) => {
            push_whole(out, year);
            Ok(())
        }
        _ => Err(out_of_range("not a year from 1901 to 2155")),
    }
}

/// The sign and what is behind it. A number above 64 bits is given as the largest they hold, when
/// that is out of range as well.
fn parse(text: &[u8]) -> Result<(bool, u64), Unfit> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !digits.is_empty() && digits.len() <= SAFE_DIGITS {
        let value = digits.iter().try_fold(0, |value: u64, byte| {
            byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'))
        });
        if let Some(value) = value {
            return Ok((is_negative, value));
        }
    }
    let number = Number::parse(text).ok_or_else(|| {
        unfit(ErrorType::TypeMismatch, "not a whole number: digits with an optional minus")
    })?;
    match number.magnitude() {
        Magnitude::Whole(value) => Ok((is_negative, value)),
        Magnitude::Huge => Err(out_of_range("a whole number of more than 64 bits")),
        Magnitude::Fraction => Err(unfit(
            ErrorType::TypeMismatch,
            "not a whole number, and the column keeps no digits behind the point",
        )),
    }
}

fn largest(bits: u8, is_unsigned: bool, is_negative: bool) -> u64 {
    let all = u64::MAX >> (64 - u32::from(bits.clamp(1, 64)));
    match (is_unsigned, is_negative) {
        (true, false) => all,
        (true, true) => 0,
        (false, false) => all >> 1,
        (false, true) => (all >> 1) + 1,
    }
}

fn beyond(bits: u8, is_unsigned: bool) -> Unfit {
    let top = largest(bits, is_unsigned, false);
    let bottom = largest(bits, is_unsigned, true);
    let minus = if bottom > 0 { "-" } else { "" };
    out_of_range(format!("not between {minus}{bottom} and {top}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(result: Result<(), Unfit>, out: Vec<u8>) -> Result<String, String> {
        result.map_err(|unfit| unfit.reason)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn check(text: &str, bits: u8, is_unsigned: bool, expected: Result<&str, &str>) {
        let mut out = Vec::new();
        let result = put(text.as_bytes(), bits, is_unsigned, &mut out);
        let found = words(result, out);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text:?} {bits}");
    }

    #[test]
    fn ranges_are_held_at_their_edges() {
        let tiny = Err("not between -128 and 127");
        let tiny_unsigned = Err("not between 0 and 255");
        let big = Err("not between -9223372036854775808 and 9223372036854775807");
        for (text, bits, is_unsigned, expected) in [
            ("127", 8, false, Ok("127")),
            ("128", 8, false, tiny),
            ("-128", 8, false, Ok("-128")),
            ("-129", 8, false, tiny),
            ("255", 8, true, Ok("255")),
            ("256", 8, true, tiny_unsigned),
            ("-1", 8, true, tiny_unsigned),
            ("-0", 8, true, Ok("0")),
            ("8388607", 24, false, Ok("8388607")),
            ("16777215", 24, true, Ok("16777215")),
            ("2147483648", 32, false, Err("not between -2147483648 and 2147483647")),
            ("4294967295", 32, true, Ok("4294967295")),
            ("9223372036854775807", 64, false, Ok("9223372036854775807")),
            ("9223372036854775808", 64, false, big),
            ("-9223372036854775808", 64, false, Ok("-9223372036854775808")),
            ("-9223372036854775809", 64, false, big),
            ("18446744073709551615", 64, true, Ok("18446744073709551615")),
            ("18446744073709551616", 64, true, Err("a whole number of more than 64 bits")),
            ("007", 32, false, Ok("7")),
            ("1e3", 32, false, Ok("1000")),
            ("5.0", 32, false, Ok("5")),
        ] {
            check(text, bits, is_unsigned, expected);
        }
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for text in ["", "+5", " 12 ", "1,234", "0x10", "foo", "-", "1 ", "NaN"] {
            check(text, 32, false, Err("not a whole number: digits with an optional minus"));
        }
        let fraction = "not a whole number, and the column keeps no digits behind the point";
        check("1.5", 32, false, Err(fraction));
    }

    #[test]
    fn bits_are_bytes_with_the_highest_first() {
        for (text, bits, expected) in [
            ("0", 1, Some(&[0][..])),
            ("1", 1, Some(&[1])),
            ("2", 1, None),
            ("511", 9, Some(&[1, 255])),
            ("512", 9, None),
            ("-1", 9, None),
            ("18446744073709551615", 64, Some(&[255; 8])),
        ] {
            let mut out = Vec::new();
            let result = put_bits(text.as_bytes(), bits, &mut out);
            assert_eq!(result.is_ok().then_some(&out[..]), expected, "{text} {bits}");
        }
    }

    #[test]
    fn years_have_four_digits() {
        for (text, fits) in [
            ("1901", true),
            ("2155", true),
            ("1900", false),
            ("2156", false),
            ("0", false),
            ("0000", false),
            ("99", false),
            ("-2000", false),
            ("2020.0", true),
        ] {
            assert_eq!(put_year(text.as_bytes(), &mut Vec::new()).is_ok(), fits, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn agrees_with_the_standard_library(value: i128, narrow: i16, bits in 8..=64u8, is_unsigned: bool, is_narrow: bool) {
            let value = if is_narrow { i128::from(narrow) } else { value >> 60 };
            let (low, high) = match is_unsigned {
                true => (0, (1i128 << bits) - 1),
                false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            };
            let mut out = Vec::new();
            let result = put(value.to_string().as_bytes(), bits, is_unsigned, &mut out);
            prop_assert_eq!(result.is_ok(), (low..=high).contains(&value));
            if result.is_ok() {
                prop_assert_eq!(out, value.to_string().into_bytes());
            }
        }
    }
}
