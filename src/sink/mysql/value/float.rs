//! FLOAT and DOUBLE.
//!
//! A number is kept when what the column stores, printed with as many digits as the number has, is
//! that number: 0.1 is, and 16777217 in a FLOAT is not. It is the one rule for all words in which a
//! number may come, and `--fraction` lets the nearest pass.

use std::str;

use super::decimal;
use super::rules::Fraction;
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::amount::Number;
use crate::record::ErrorType;
use crate::sink::mysql::column::Digits;

/// Longer texts are sent as the shortest that means the same double: there are limits to how much
/// of a number a server reads. MySQL warns of 0e-8470398762.
const WORDS_MAX: usize = 64;
const EXPONENT_MAX: i64 = 308;

/// So many digits come back from every number that is not too small to have all its bits.
const DOUBLE_SAFE_DIGITS: usize = 15;
const FLOAT_SAFE_DIGITS: usize = 6;

/// `digits` is there for `FLOAT(7,2)`, which rounds behind the point as DECIMAL does.
pub fn put(
    text: &[u8],
    bits: u8,
    digits: Option<Digits>,
    is_unsigned: bool,
    rule: Fraction,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let float = Float { is_single: bits == 32, scale: digits.map(|digits| digits.scale), rule };
    // Beyond 65 digits there is no DECIMAL to ask, and no fraction that a float would have.
    let Some(digits) = digits.filter(|digits| digits.precision <= 65) else {
        return float.put(text, is_unsigned, out);
    };
    Number::parse(text).ok_or_else(not_a_number)?;
    let mut rescaled = Vec::new();
    decimal::put(text, digits, is_unsigned, rule, &mut rescaled)?;
    float.put(&rescaled, is_unsigned, out)
}

#[derive(Clone, Copy)]
struct Float {
    is_single: bool,
    scale: Option<u8>,
    rule: Fraction,
}

impl Float {
    fn put(self, text: &[u8], is_unsigned: bool, out: &mut Vec<u8>) -> Result<(), Unfit> {
        let number = Number::parse(text).ok_or_else(not_a_number)?;
        let value: f64 = str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(not_a_number)?;
        let stored = self.stored(value);
        if !stored.is_finite() {
            let largest = if self.is_single { f64::from(f32::MAX) } else { f64::MAX };
            return Err(out_of_range(format!("beyond {largest:e}, the largest the column takes")));
        }
        if stored == 0.0 && !number.is_zero() {
            return Err(out_of_range("so small that the column would keep 0"));
        }
        if is_unsigned && number.is_negative && !number.is_zero() {
            return Err(out_of_range("negative, and the column is UNSIGNED"));
        }
        if self.rule == Fraction::Reject && !self.keeps(&number, stored) {
            return Err(out_of_range(format!(
                "a number of {} digits that the column would keep as another one; see --fraction",
                number.stated_digits()
            )));
        }
        if self.is_single && value.abs() > f64::from(f32::MAX) {
            // The largest that there is, rounded up: the server looks at that before it rounds.
            out.extend_from_slice(format!("{stored:e}").as_bytes());
        } else if text.len() > WORDS_MAX || number.exponent.abs() > EXPONENT_MAX {
            out.extend_from_slice(format!("{value:e}").as_bytes());
        } else {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// What the server stores of a double: with a scale, it rounds what is behind the point first,
    /// in the same steps.
    fn stored(self, value: f64) -> f64 {
        let value = match self.scale {
            Some(scale) => {
                let power = format!("1e{scale}").parse().unwrap_or(1.0);
                value.floor() + ((value - value.floor()) * power).round_ties_even() / power
            }
            None => value,
        };
        if self.is_single { f64::from(value as f32) } else { value }
    }

    fn keeps(self, number: &Number<'_>, stored: f64) -> bool {
        let digits = number.stated_digits();
        let (safe, least) = match self.is_single {
            true => (FLOAT_SAFE_DIGITS, f64::from(f32::MIN_POSITIVE)),
            false => (DOUBLE_SAFE_DIGITS, f64::MIN_POSITIVE),
        };
        if number.is_zero() || digits <= safe && stored.abs() >= least && self.scale.is_none() {
            return true;
        }
        number.is_printed_by(stored)
    }
}

fn not_a_number() -> Unfit {
    unfit(ErrorType::TypeMismatch, "not a number: digits, a point, digits and an exponent")
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    fn float(text: &str, bits: u8, rule: Fraction) -> Result<String, String> {
        let mut out = Vec::new();
        put(text.as_bytes(), bits, None, false, rule, &mut out).map_err(|unfit| unfit.reason)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn numbers_are_kept_in_their_words_or_refused() {
        for (text, single, double) in [
            ("0.1", true, true),
            ("-0.0", true, true),
            ("1e3", true, true),
            ("1.50000000000000000000", true, true),
            ("3.4028234663852886e38", true, true),
            ("1.7976931348623157e308", false, true),
            ("1e309", false, false),
            ("5e-324", false, true),
            ("4e-324", false, false),
            ("1e-45", true, true),
            ("1e-46", false, true),
            ("1e-400", false, false),
            ("16777216", true, true),
            ("16777217", false, true),
            ("16777217.0", false, true),
            ("1.6777217e7", false, true),
            ("16777217.000000000000000000", false, true),
            ("1234567.8", true, true),
            ("1234567.75", true, true),
            ("3.1415927", true, true),
            ("3.14159265358979", false, true),
            ("0.30000000000000004", false, true),
            ("0.1234567890123456789012", false, false),
            ("0.1000000000000000055511151231257827", false, true),
            ("9007199254740992", true, true),
            ("-9007199254740993", false, false),
            ("9007199254740993.0", false, false),
            ("1e23", true, true),
            ("100000000000000000000000", false, false),
            ("99999999999999991611392", false, true),
            // Both are 574241520702686.25, and print as the even one.
            ("574241520702686.2", false, true),
            ("574241520702686.3", false, false),
            ("0000000000000000000000000001", true, true),
            ("340282346638528859811704183484516925440", true, true),
            ("NaN", false, false),
            ("Infinity", false, false),
            ("inf", false, false),
            ("", false, false),
            ("1,5", false, false),
            ("+1", false, false),
        ] {
            assert_eq!(float(text, 32, Fraction::Reject).is_ok(), single, "FLOAT {text}");
            let found = float(text, 64, Fraction::Reject);
            assert_eq!(found.as_deref().ok(), double.then_some(text), "DOUBLE {text}");
        }
        assert_eq!(float("4.9e-324", 64, Fraction::Reject).as_deref(), Ok("5e-324"));
        // As Java and others print the largest, which the server would find too large.
        let largest = float("3.4028235e38", 32, Fraction::Reject);
        assert_eq!(largest.as_deref(), Ok("3.4028234663852886e38"));
        assert!(float("3.4028236e38", 32, Fraction::Reject).is_err());
    }

    #[test]
    fn the_nearest_passes_where_it_may() {
        for rule in [Fraction::Truncate, Fraction::Round] {
            for (text, single, double) in [
                ("16777217", true, true),
                ("0.1234567890123456789012", true, true),
                ("3.5e38", false, true),
                ("1e-400", false, false),
            ] {
                assert_eq!(float(text, 32, rule).is_ok(), single, "FLOAT {text}");
                assert_eq!(float(text, 64, rule).is_ok(), double, "DOUBLE {text}");
            }
        }
    }

    #[test]
    fn long_texts_become_the_shortest_of_the_same_value() {
        let text = format!("0.{}", "3".repeat(200));
        let short = float(&text, 64, Fraction::Round).unwrap();
        assert_eq!(short.parse::<f64>(), text.parse::<f64>());
        assert!(short.len() < 30);
        assert_eq!(float("0e-8470398762", 64, Fraction::Reject).unwrap(), "0e0");
        assert_eq!(float("0.00001e309", 64, Fraction::Reject).unwrap(), "1e304");
        let long = format!("1{}e-2000", "0".repeat(2000));
        assert_eq!(float(&long, 64, Fraction::Reject).unwrap(), "1e0");
    }

    #[test]
    fn a_float_with_digits_is_held_against_them() {
        for (text, bits, precision, scale, reject, round) in [
            ("12345.67", 32, 7, 2, Some("12345.67"), Some("12345.67")),
            ("1.234", 32, 7, 2, None, Some("1.23")),
            ("1.235", 32, 7, 2, None, Some("1.24")),
            ("123456", 32, 7, 2, None, None),
            ("12345678.91", 32, 10, 2, None, Some("12345678.91")),
            ("12345678.91", 64, 10, 2, Some("12345678.91"), Some("12345678.91")),
            ("-0.05", 64, 10, 2, Some("-0.05"), Some("-0.05")),
            ("x", 64, 10, 2, None, None),
        ] {
            for (rule, expected) in [(Fraction::Reject, reject), (Fraction::Round, round)] {
                let digits = Some(Digits { precision, scale });
                let mut out = Vec::new();
                let found = put(text.as_bytes(), bits, digits, false, rule, &mut out);
                let found = found.is_ok().then(|| String::from_utf8(out).unwrap());
                assert_eq!(found.as_deref(), expected, "{text} {bits} {rule:?}");
            }
        }
    }

    /// A whole number without a limit, the lowest 32 bits first.
    #[derive(Clone, Debug)]
    struct Big(Vec<u32>);

    impl Big {
        fn of(value: u64) -> Big {
            Big(vec![value as u32, (value >> 32) as u32])
        }

        fn times(mut self, factor: u32, count: u32) -> Big {
            for _ in 0..count {
                let mut carry = 0;
                for digit in &mut self.0 {
                    carry += u64::from(*digit) * u64::from(factor);
                    *digit = carry as u32;
                    carry >>= 32;
                }
                self.0.push(carry as u32);
                while self.0.last() == Some(&0) {
                    self.0.pop();
                }
            }
            self
        }

        fn compare(&self, other: &Big) -> Ordering {
            let length = self.0.len().max(other.0.len());
            let digit = |big: &Big, at: usize| big.0.get(at).copied().unwrap_or_default();
            let unequal = (0..length).rev().map(|at| digit(self, at).cmp(&digit(other, at)));
            unequal.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }
    }

    /// m * 2^e against n * 10^f, both exactly.
    fn compare((m, e): (u64, i32), (n, f): (u64, i32)) -> Ordering {
        let up = |power: i32| power.max(0).unsigned_abs();
        let left = Big::of(m).times(2, up(e)).times(10, up(-f));
        let right = Big::of(n).times(10, up(f)).times(2, up(-e));
        left.compare(&right)
    }

    /// The number is kept when the double is nowhere beyond the half of its last digit.
    fn oracle(digits: u64, exponent: i32, stored: f64) -> bool {
        let bits = stored.to_bits();
        let (fraction, power) = (bits & ((1 << 52) - 1), (bits >> 52) as i32);
        let double = match power {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, power - 1075),
        };
        let below = compare(double, (10 * digits - 5, exponent - 1));
        let above = compare(double, (10 * digits + 5, exponent - 1));
        let is_even = digits.is_multiple_of(2);
        let from_below = below.is_gt() || below.is_eq() && is_even;
        let from_above = above.is_lt() || above.is_eq() && is_even;
        // Printed with so many digits, a double just below a power of ten has a finer last one.
        let is_power = digits.to_string().trim_end_matches('0') == "1";
        let is_finer = is_power && compare(double, (digits, exponent)).is_lt();
        let finer = compare(double, (100 * digits - 5, exponent - 2));
        from_below && from_above && (!is_finer || finer.is_gt() || finer.is_eq())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn the_rule_agrees_with_whole_numbers(
            digits in prop_oneof![1..10u64, 1..100_000_000u64, 1..100_000_000_000_000_000u64],
            exponent in prop_oneof![-30..30i32, -340..300i32],
            zeros in 0..4usize,
            is_single: bool,
        ) {
            let value: f64 = format!("{digits}e{exponent}").parse().unwrap();
            let stored = if is_single { f64::from(value as f32) } else { value };
            if !stored.is_finite() || stored == 0.0 {
                return Ok(());
            }
            let expected = oracle(digits, exponent, stored);
            let bits = if is_single { 32 } else { 64 };
            for text in [
                format!("{digits}e{exponent}"),
                format!("-{}{digits}.{}E{exponent:+}", "0".repeat(zeros), "0".repeat(zeros + 1)),
            ] {
                prop_assert_eq!(float(&text, bits, Fraction::Reject).is_ok(), expected, "{}", text);
            }
            if exponent < 0 && exponent > -30 {
                let text = format!("{digits:0width$}", width = exponent.unsigned_abs() as usize + 1);
                let (whole, fraction) = text.split_at(text.len() - exponent.unsigned_abs() as usize);
                let text = format!("{whole}.{fraction}");
                // Digits behind the point that are 0 are not looked at.
                let shorter = fraction.trim_end_matches('0').len() as u32;
                let cut = exponent.unsigned_abs() - shorter;
                let expected = oracle(digits / 10u64.pow(cut), exponent + cut as i32, stored);
                prop_assert_eq!(float(&text, bits, Fraction::Reject).is_ok(), expected, "{}", text);
            }
        }
    }
}
