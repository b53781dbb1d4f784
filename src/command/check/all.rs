//! `check --all`: every pipeline of a configuration file by itself, one after another.

use std::fmt::Write;

use super::look_at;
use crate::app;
use crate::command::print;
use crate::config::{self, WrittenOptions};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::shown::{Block, Line};

/// Says all that is wrong with all of them. Ends as the first of those that fail.
pub fn run(ddl_only: bool, written: WrittenOptions) -> Outcome {
    let pipelines = match config::resolve_each(written) {
        Err(refusal) => return app::refuse(&refusal),
        Ok(pipelines) => pipelines,
    };
    app::begin_looks(&pipelines);
    // A run would end with it before it begins.
    let apart = if ddl_only { Ok(()) } else { app::keep_pipelines_apart(&pipelines) };
    let mut text = String::new();
    let mut errors: Vec<(String, Error)> = Vec::new();
    for (name, settings) in pipelines {
        let mut looked = String::new();
        let (name, failed) = match settings {
            Ok(settings) => {
                let failed = look_at(&settings, ddl_only, &mut looked).err();
                (settings.pipeline_id, failed.into_iter().collect())
            }
            Err(refusal) => (name, refusal.mistakes),
        };
        match ddl_only {
            true => text.push_str(&looked),
            // Writing to a string does not fail.
            false => {
                let _ = writeln!(text, "── {} ──", Line(&name));
                text.push_str(&looked);
                for error in &failed {
                    let _ = writeln!(text, "{error}");
                }
                text.push('\n');
            }
        }
        errors.extend(failed.into_iter().map(|error| (name.clone(), error)));
    }
    let printed = print(&Block(text).to_string());
    if let Err(error) = &apart {
        app::complain(error);
    }
    errors.iter().for_each(|(name, error)| app::complain_of(Some(name), error));
    let first = apart.as_ref().err().or(errors.first().map(|(_, error)| error));
    first.map_or(printed, |error| error.kind.into())
}
