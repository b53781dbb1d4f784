//! Types of columns, guessed from a sample of values. Pure.
//!
//! A `Shape` is what some values have in common; shapes are joined in any order, so that a sample may be
//! taken in any order. `choice` makes a column's type of one: a type that takes all the values that were
//! seen, and as far as that costs little every other value of their kind. `widen` holds a shape against
//! what a mapping says. Who takes samples is the sources' affair.

mod choice;
mod moment;
mod numbers;
mod sample;
mod shape;
#[cfg(test)]
mod tests;
mod widen;

pub use choice::{Origin, column_type, remedies};
pub use sample::{Sample, Seen, Value};
pub use shape::Shape;
pub use widen::widened;
