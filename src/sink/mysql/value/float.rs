//! FLOAT and DOUBLE. That decimal digits become the nearest binary number is what a float is; a
//! whole number that becomes another one is not.

use std::str;

use super::decimal;
use super::number::Number;
use super::rules::Fraction;
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::record::ErrorType;
use crate::sink::mysql::column::Digits;

/// Longer texts are sent as the shortest that means the same double: there are limits to how much
/// of a number a server reads. MySQL warns of 0e-8470398762.
const WORDS_MAX: usize = 64;
const EXPONENT_MAX: i64 = 308;

/// Whole numbers of so many digits are exact in either.
const DOUBLE_SAFE_DIGITS: usize = 15;
const FLOAT_SAFE_DIGITS: usize = 7;

/// `digits` is there for `FLOAT(7,2)`, which rounds behind the point as DECIMAL does.
pub fn put(
    text: &[u8],
    bits: u8,
    digits: Option<Digits>,
    is_unsigned: bool,
    rule: Fraction,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let number = Number::parse(text).ok_or_else(not_a_number)?;
    let value: f64 =
        str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(not_a_number)?;
    let is_single = bits == 32;
    let largest = if is_single { f64::from(f32::MAX) } else { f64::MAX };
    if value.abs() > largest {
        return Err(out_of_range(format!("beyond {largest:e}, the largest the column takes")));
    }
    let stored = if is_single { f64::from(value as f32) } else { value };
    if stored == 0.0 && !number.is_zero() {
        return Err(out_of_range("so small that the column would keep 0"));
    }
    if is_unsigned && number.is_negative && !number.is_zero() {
        return Err(out_of_range("negative, and the column is UNSIGNED"));
    }
    if number.is_plain(text) && !is_exact(number.whole, stored, is_single) {
        let bits = if is_single { 24 } else { 53 };
        return Err(out_of_range(format!(
            "a whole number that the column would round to {bits} bits"
        )));
    }
    match digits {
        // Beyond 65 digits there is no DECIMAL to ask, and no fraction that a float would have.
        Some(digits) if digits.precision <= 65 => {
            decimal::put(text, digits, is_unsigned, rule, out)
        }
        _ if text.len() > WORDS_MAX || number.exponent.abs() > EXPONENT_MAX => {
            out.extend_from_slice(format!("{value:e}").as_bytes());
            Ok(())
        }
        _ => {
            out.extend_from_slice(text);
            Ok(())
        }
    }
}

/// Whether a whole number is one that the column holds. Floats print all their digits on request.
fn is_exact(digits: &[u8], stored: f64, is_single: bool) -> bool {
    let safe = if is_single { FLOAT_SAFE_DIGITS } else { DOUBLE_SAFE_DIGITS };
    if digits.len() <= safe {
        return true;
    }
    let printed = format!("{:.0}", stored.abs());
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros.min(digits.len() - 1)..];
    printed.as_bytes() == digits
}

fn not_a_number() -> Unfit {
    unfit(ErrorType::TypeMismatch, "not a number: digits, a point, digits and an exponent")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(text: &str, bits: u8) -> Result<String, String> {
        let mut out = Vec::new();
        put(text.as_bytes(), bits, None, false, Fraction::Reject, &mut out)
            .map_err(|unfit| unfit.reason)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn words_are_kept_within_the_range() {
        for (text, single, double) in [
            ("0.1", true, true),
            ("-0.0", true, true),
            ("1e3", true, true),
            ("3.4028234663852886e38", true, true),
            ("3.4028235e38", false, true),
            ("1.7976931348623157e308", false, true),
            ("1e309", false, false),
            ("5e-324", false, true),
            ("1e-45", true, true),
            ("1e-46", false, true),
            ("1e-400", false, false),
            ("16777216", true, true),
            ("16777217", false, true),
            ("9007199254740992", true, true),
            ("-9007199254740993", false, false),
            ("9007199254740993.0", true, true),
            ("0000000000000000000000000001", true, true),
            ("340282346638528859811704183484516925440", true, true),
            ("NaN", false, false),
            ("Infinity", false, false),
            ("inf", false, false),
            ("", false, false),
            ("1,5", false, false),
            ("+1", false, false),
        ] {
            assert_eq!(float(text, 32).is_ok(), single, "FLOAT {text}");
            assert_eq!(float(text, 64).is_ok(), double, "DOUBLE {text}");
            if double {
                assert_eq!(float(text, 64).unwrap(), text);
            }
        }
    }

    #[test]
    fn long_texts_become_the_shortest_of_the_same_value() {
        let text = format!("0.{}", "3".repeat(200));
        let short = float(&text, 64).unwrap();
        assert_eq!(short.parse::<f64>(), text.parse::<f64>());
        assert!(short.len() < 30);
        assert_eq!(float("0e-8470398762", 64).unwrap(), "0e0");
        assert_eq!(float("0.00001e309", 64).unwrap(), "1e304");
    }

    #[test]
    fn a_float_with_digits_is_held_against_them() {
        let digits = Some(Digits { precision: 7, scale: 2 });
        for (text, fits) in [("12345.67", true), ("1.234", false), ("123456", false)] {
            let result = put(text.as_bytes(), 32, digits, false, Fraction::Reject, &mut Vec::new());
            assert_eq!(result.is_ok(), fits, "{text}");
        }
    }
}
