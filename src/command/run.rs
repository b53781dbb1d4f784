//! `run`: one pipeline, or all of a configuration file, one after another.

use crate::app;
use crate::cli::Which;
use crate::config::{self, PipelineSettings, WrittenOptions};
use crate::outcome::Outcome;
use crate::signals;

pub fn run(which: &Which, written: WrittenOptions) -> Outcome {
    let pipeline = match which {
        Which::All => return run_all(written),
        Which::Named(name) => Some(name.as_str()),
        Which::Unnamed => None,
    };
    app::expect_run();
    run_one(&config::resolve(written, pipeline))
}

/// In the order of the file. One that fails does not keep the others from their turn, and the first
/// failure is what the command ends with. A signal ends the run that is on, and no other begins.
fn run_all(written: WrittenOptions) -> Outcome {
    let pipelines = match config::resolve_each(written) {
        Err(refusal) => return app::refuse(&refusal),
        Ok(pipelines) => pipelines,
    };
    app::begin_all(&pipelines);
    if let Err(error) = app::keep_pipelines_apart(&pipelines) {
        app::complain(&error);
        return error.kind.into();
    }
    let mut ended: Vec<(&str, Outcome)> = Vec::new();
    for (name, settings) in &pipelines {
        if signals::came().is_some() {
            break;
        }
        ended.push((name, run_one(settings)));
    }
    let names = pipelines.iter().map(|(name, _)| name.as_str());
    let left: Vec<&str> = names.skip(ended.len()).collect();
    app::say_how_all_ended(&ended, &left);
    let outcomes = || ended.iter().map(|(_, outcome)| *outcome);
    let failure = outcomes()
        .find(|outcome| !matches!(outcome, Outcome::Complete | Outcome::Unreported))
        .or_else(|| outcomes().find(|outcome| *outcome == Outcome::Unreported));
    let stopped = signals::came().filter(|_| !left.is_empty()).map(Outcome::Interrupted);
    failure.or(stopped).unwrap_or(Outcome::Complete)
}

fn run_one(settings: &PipelineSettings) -> Outcome {
    match settings {
        Ok(settings) => app::run(settings),
        Err(refusal) => app::refuse_run(refusal),
    }
}
