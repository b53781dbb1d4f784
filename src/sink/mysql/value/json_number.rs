//! Which numbers come out of a JSON column of MySQL as they went in.
//!
//! Whole numbers of 64 bits do; all others become doubles. MySQL reads those with RapidJSON in its
//! fast way, which may miss the nearest double by a bit where there are many digits or a large
//! exponent. So the same steps are taken here, and the double they give has to print as the number
//! that was meant.

use std::str;
use std::sync::LazyLock;

use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::amount::{Magnitude, Number};
use crate::record::ErrorType;

/// How a number comes out of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredNumber {
    Exactly,
    /// As another double, which is within reach of it.
    Nearly,
}

/// With `is_near`, a number may come out as another double.
pub fn check(text: &[u8], is_near: bool) -> Result<StoredNumber, Unfit> {
    let number =
        Number::parse(text).ok_or_else(|| unfit(ErrorType::TypeMismatch, "not valid JSON"))?;
    if number.is_plain(text) {
        let fits = match number.magnitude() {
            Magnitude::Whole(value) => !number.is_negative || value <= 1 << 63,
            _ => false,
        };
        return match fits {
            true => Ok(StoredNumber::Exactly),
            false => Err(out_of_range(
                "a whole number of more than 64 bits, which MySQL's JSON would change",
            )),
        };
    }
    if is_surely_exact(&number) {
        return Ok(StoredNumber::Exactly);
    }
    let stored = as_rapid_json_reads(text).filter(|value| value.is_finite());
    let stored = stored.filter(|value| *value != 0.0 || number.is_zero());
    let Some(stored) = stored else {
        return Err(out_of_range("beyond what a double holds, and MySQL's JSON has no other"));
    };
    if prints_as(stored, &number) {
        return Ok(StoredNumber::Exactly);
    }
    if is_near {
        return Ok(StoredNumber::Nearly);
    }
    let nearest = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    Err(out_of_range(match nearest.is_some_and(|nearest| prints_as(nearest, &number)) {
        true => {
            "a number that MySQL's JSON reads as the double next to it; take that with \
             --json-doubles nearest, or make the column TEXT and say --json-as-text"
        }
        false => {
            "a number with more digits than a double keeps, which MySQL's JSON would change; see \
             --json-doubles and --json-as-text"
        }
    }))
}

fn prints_as(value: f64, number: &Number<'_>) -> bool {
    let printed = as_mysql_prints(value);
    Number::parse(printed.as_bytes()).is_some_and(|printed| printed.equals(number))
}

/// At most 15 digits are exact, and so is a power of ten up to 10^22: one rounding, which is the
/// right one. What 15 digits become prints as the same 15.
fn is_surely_exact(number: &Number<'_>) -> bool {
    let digits = number.whole.len() + number.fraction.len();
    digits <= 15 && (number.exponent - number.fraction.len() as i64).abs() <= 22
}

/// The shortest number that means the same double. Where two are equally near, the server takes
/// the one whose last digit is even, and the standard library need not.
fn as_mysql_prints(value: f64) -> String {
    let shortest = format!("{value:e}");
    let count = |text: &str| {
        text.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count()
    };
    let length = count(&shortest);
    // So far behind the shortest, a double that lies in the middle has nothing but zeros.
    let longer = format!("{value:.precision$e}", precision = length + 30);
    let (mantissa, exponent) = longer.split_once('e').unwrap_or((&longer, "0"));
    let middle = mantissa.len() - 31;
    let is_in_the_middle = mantissa[middle..]
        .strip_prefix('5')
        .is_some_and(|rest| rest.bytes().all(|digit| digit == b'0'));
    let lower = mantissa[..middle].trim_end_matches('.');
    let is_even = lower.ends_with(['0', '2', '4', '6', '8']);
    if is_in_the_middle && is_even { format!("{lower}e{exponent}") } else { shortest }
}

static POWERS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    (0..=308).map(|power| format!("1e{power}").parse().unwrap_or(f64::INFINITY)).collect()
});

/// `ParseNumber` of RapidJSON without full precision. None where it finds the number too big.
fn as_rapid_json_reads(text: &[u8]) -> Option<f64> {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let count = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at(count(text));
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => rest.split_at(count(rest)),
        rest => (&rest[..0], rest),
    };

    let mut exact: u64 = 0;
    let mut double: Option<f64> = None;
    let mut digits = 0;
    let whole_max = if is_negative { 1 << 63 } else { u64::MAX };
    for (at, digit) in whole.iter().enumerate() {
        let digit = u64::from(digit - b'0');
        match (double, exact.checked_mul(10).and_then(|exact| exact.checked_add(digit))) {
            (None, Some(next)) if next <= whole_max => {
                exact = next;
                digits += usize::from(at > 0);
            }
            (None, _) => double = Some(exact as f64 * 10.0 + digit as f64),
            (Some(value), _) if value >= 1.797_693_134_862_315_7e307 => return None,
            (Some(value), _) => double = Some(value * 10.0 + digit as f64),
        }
    }

    let mut scale = 0;
    let mut fraction = fraction.iter().map(|digit| digit - b'0').peekable();
    if double.is_none() {
        while exact < 1 << 53 {
            let Some(digit) = fraction.next() else { break };
            exact = exact * 10 + u64::from(digit);
            scale -= 1;
            digits += usize::from(exact != 0);
        }
    }
    let mut value = double.unwrap_or(exact as f64);
    for digit in fraction {
        if digits >= 17 {
            break;
        }
        value = value * 10.0 + f64::from(digit);
        scale -= 1;
        digits += usize::from(value > 0.0);
    }

    let exponent = match rest {
        [] => 0,
        [_, rest @ ..] => {
            let text = str::from_utf8(rest).ok()?;
            let magnitude = text.trim_start_matches(['+', '-']);
            let sign = if text.starts_with('-') { -1 } else { 1 };
            sign * magnitude.parse::<i64>().unwrap_or(1 << 30).min(1 << 30)
        }
    };
    if exponent > 308 - scale {
        return None;
    }
    let value = scaled(value, exponent + scale);
    Some(if is_negative { -value } else { value })
}

fn scaled(value: f64, power: i64) -> f64 {
    let step = |value: f64, power: i64| match power {
        ..-308 => 0.0,
        -308..0 => value / POWERS[power.unsigned_abs() as usize],
        0..=308 => value * POWERS[power as usize],
        _ => f64::INFINITY,
    };
    match power {
        ..-308 => step(step(value, -308), power + 308),
        power => step(value, power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MySQL 8.0.31 answers to `CAST(text AS JSON)`.
    #[test]
    fn doubles_are_those_of_the_server() {
        for (text, server) in [
            ("0.12345678901234567", "0.12345678901234568"),
            ("123456789.123456789", "123456789.1234568"),
            ("9007199254740993.0", "9.007199254740992e15"),
            ("1.234567890123456e-200", "1.2345678901234561e-200"),
            ("9.87654321098765e300", "9.876543210987651e300"),
            ("0.1234567890123456", "0.1234567890123456"),
            ("2.2250738585072011e-308", "2.2250738585072014e-308"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e308"),
            ("1e23", "1e23"),
            ("-4.35", "-4.35"),
        ] {
            let expected = server.parse().ok();
            assert_eq!(as_rapid_json_reads(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(as_rapid_json_reads(b"1e400"), None);
    }

    #[test]
    fn numbers_are_kept_or_refused() {
        for (text, fits) in [
            ("0", true),
            ("-0", true),
            ("-0.0", true),
            // MySQL calls it too big.
            ("0e999999999999", false),
            ("0e-999999999999", true),
            ("1.0", true),
            ("1.50", true),
            ("0.1", true),
            ("4.35", true),
            ("1e23", true),
            ("123456.7890123456", true),
            ("0.1234567890123456", true),
            ("0.12345678901234567", false),
            ("9007199254740993.0", false),
            ("1.234567890123456e-200", false),
            ("9.87654321098765e300", false),
            ("1.7976931348623157e308", true),
            ("1e309", false),
            ("1e400", false),
            ("1e-400", false),
            ("1e999999999999999999999999", false),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("-9223372036854775808", true),
            ("-9223372036854775809", false),
            ("100000000000000000000000", false),
            // Both are 574241520702686.25, and print as the even one.
            ("574241520702686.2", true),
            ("574241520702686.3", false),
            ("5e-1", true),
        ] {
            assert_eq!(check(text.as_bytes(), false).is_ok(), fits, "{text}");
            if fits {
                assert_eq!(check(text.as_bytes(), true), Ok(StoredNumber::Exactly), "{text}");
            }
        }
    }

    #[test]
    fn a_reason_says_whether_the_number_or_the_server_is_short() {
        for (text, is_near, reason) in [
            (
                "90.42857142857143",
                true,
                "a number that MySQL's JSON reads as the double next to it",
            ),
            ("1.234567890123456e-200", true, "a number that MySQL's JSON reads as the double next"),
            ("0.12345678901234567", true, "a number with more digits than a double keeps"),
            ("18446744073709551616", false, "a whole number of more than 64 bits"),
            ("1e400", false, "beyond what a double holds"),
            ("1e-400", false, "beyond what a double holds"),
        ] {
            let found = check(text.as_bytes(), false).unwrap_err().reason;
            assert!(found.starts_with(reason), "{text}: {found}");
            let near = check(text.as_bytes(), true);
            assert_eq!(near.ok(), is_near.then_some(StoredNumber::Nearly), "{text}");
        }
    }
}
