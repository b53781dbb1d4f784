//! The grammar of numbers: JSON's, because that is what leaves the program, and parts of it.

/// `-?(0|[1-9][0-9]*)`
pub fn is_int(value: &[u8]) -> bool {
    after_int(value).is_some_and(<[u8]>::is_empty)
}

/// `INT(\.[0-9]+)?`
pub fn is_decimal(value: &[u8]) -> bool {
    after_int(value).and_then(after_fraction).is_some_and(<[u8]>::is_empty)
}

/// `DECIMAL([eE][+-]?[0-9]+)?`
pub fn is_number(value: &[u8]) -> bool {
    after_int(value).and_then(after_fraction).and_then(after_exponent).is_some_and(<[u8]>::is_empty)
}

fn after_int(value: &[u8]) -> Option<&[u8]> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    match digits.first()? {
        b'0' => Some(&digits[1..]),
        _ => after_digits(digits),
    }
}

fn after_fraction(rest: &[u8]) -> Option<&[u8]> {
    match rest.strip_prefix(b".") {
        Some(digits) => after_digits(digits),
        None => Some(rest),
    }
}

fn after_exponent(rest: &[u8]) -> Option<&[u8]> {
    let [b'e' | b'E', rest @ ..] = rest else { return Some(rest) };
    let digits = match rest {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    after_digits(digits)
}

/// Behind at least one digit.
fn after_digits(digits: &[u8]) -> Option<&[u8]> {
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(&digits[count..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        for (text, int, decimal, number) in [
            ("0", true, true, true),
            ("-0", true, true, true),
            ("10", true, true, true),
            ("01", false, false, false),
            ("-", false, false, false),
            ("+1", false, false, false),
            ("1.", false, false, false),
            (".5", false, false, false),
            ("0.50", false, true, true),
            ("-1.5", false, true, true),
            ("1e3", false, false, true),
            ("1.5E-3", false, false, true),
            ("1e", false, false, false),
            ("1,5", false, false, false),
            (" 1", false, false, false),
            ("0x10", false, false, false),
            ("NaN", false, false, false),
            ("--5", false, false, false),
            ("", false, false, false),
        ] {
            let found =
                (is_int(text.as_bytes()), is_decimal(text.as_bytes()), is_number(text.as_bytes()));
            assert_eq!(found, (int, decimal, number), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The grammar is JSON's: `serde_json` takes a text as a number exactly when we do. Its
        /// `RawValue` allows white space around, which we do not; the alphabet has none.
        #[test]
        fn a_number_is_what_json_calls_one(text in "[-+0-9.eExN]{0,8}") {
            let json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(is_number(text.as_bytes()), json);
        }

        #[test]
        fn ints_are_decimals_are_numbers(text in "-?[0-9]{1,4}(\\.[0-9]{0,3})?(e[0-9]{0,2})?") {
            let text = text.as_bytes();
            prop_assert!(!is_int(text) || is_decimal(text));
            prop_assert!(!is_decimal(text) || is_number(text));
        }
    }
}
