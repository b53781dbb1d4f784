//! The other verbs, one file each.

pub mod check;
