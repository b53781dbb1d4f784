//! `schema`: what a configuration file may hold, for editors.

use super::print;
use crate::config::schema;
use crate::outcome::Outcome;

pub fn print_schema() -> Outcome {
    print(&format!("{:#}\n", schema()))
}
