//! What numbers have in common.

use crate::convert::amount::{Magnitude, Number};

/// All of them together. Without any, it joins with others without a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The most digits before the point, and the most that are needed behind it.
    pub whole: u64,
    pub fraction: u64,
    /// The most digits that were written of one.
    pub stated: u64,
    /// The longest, as it was written.
    pub bytes: u64,
    /// Some number has a point, or an exponent.
    pub has_point: bool,
    pub has_exponent: bool,
    /// For each there is a double that is the same to all of its digits.
    pub are_doubles: bool,
    /// The smallest and the largest, as far as they are whole numbers of 64 bits.
    pub least: i128,
    pub most: i128,
    /// All are whole numbers, within what `least` and `most` can say.
    pub are_whole: bool,
}

impl Numbers {
    pub const NONE: Numbers = Numbers {
        whole: 0,
        fraction: 0,
        stated: 0,
        bytes: 0,
        has_point: false,
        has_exponent: false,
        are_doubles: true,
        least: 0,
        most: 0,
        are_whole: true,
    };

    pub fn of(text: &[u8]) -> Option<Numbers> {
        let number = Number::parse(text)?;
        let value = match number.magnitude() {
            Magnitude::Whole(value) if number.is_negative => Some(-i128::from(value)),
            Magnitude::Whole(value) => Some(i128::from(value)),
            Magnitude::Huge | Magnitude::Fraction => None,
        };
        Some(Numbers {
            whole: number.whole_digits() as u64,
            fraction: number.fraction_digits() as u64,
            stated: number.stated_digits() as u64,
            bytes: text.len() as u64,
            has_point: text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')),
            has_exponent: text.iter().any(|byte| matches!(byte, b'e' | b'E')),
            are_doubles: number.is_double(text),
            least: value.unwrap_or_default().min(0),
            most: value.unwrap_or_default().max(0),
            are_whole: value.is_some(),
        })
    }

    pub fn join(self, other: Numbers) -> Numbers {
        Numbers {
            whole: self.whole.max(other.whole),
            fraction: self.fraction.max(other.fraction),
            stated: self.stated.max(other.stated),
            bytes: self.bytes.max(other.bytes),
            has_point: self.has_point || other.has_point,
            has_exponent: self.has_exponent || other.has_exponent,
            are_doubles: self.are_doubles && other.are_doubles,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            are_whole: self.are_whole && other.are_whole,
        }
    }

    /// Whether integers of so many bits can be any of them.
    pub fn fit(&self, bits: u8, is_unsigned: bool) -> bool {
        let (least, most) = match is_unsigned {
            true => (0, (1 << bits) - 1),
            false => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        };
        self.are_whole && least <= self.least && self.most <= most
    }
}
