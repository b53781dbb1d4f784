//! A command line that asks for nothing, or for what there is not.

use std::ffi::OsString;

use crate::console::standard_error::standard_error;
use crate::outcome::Outcome;
use crate::{app, cli};

pub fn nothing_asked() -> Outcome {
    standard_error().say(cli::help::SHORT);
    Outcome::Usage
}

pub fn complain(complaint: &clap::Error, arguments: &[OsString]) -> Outcome {
    let text = complaint.render().to_string();
    let outcome = app::refuse_usage(&text, cli::asks_for_json(arguments));
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    if words.first().is_none_or(|verb| verb == "run" || verb.starts_with('-')) {
        app::tell_refused_line(&words, &text);
    }
    outcome
}
