//! What a run would meet at its start if it began now: a port or a lock that somebody has. What another
//! run of the same pipeline has will be free when that ends, so it is a warning.

use crate::app::{self, Fitted, Holder};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::export::Textfile;
use crate::part::in_use;
use crate::rejects::{FLAG as REJECTS_FLAG, RejectPath};
use crate::sink::file::FLAG as OUTPUT_FLAG;
use crate::sink::mysql::Guard;
use crate::web::{Protection, ServerFlags, bind};

/// Warnings about what is taken for the moment. An error where it would be for the next run, too.
pub fn of_files_and_ports(settings: &Settings) -> Result<Vec<String>> {
    let places = [
        (app::output(settings), OUTPUT_FLAG),
        (settings.rejects.as_ref().map(RejectPath::path), REJECTS_FLAG),
    ];
    let held = places.iter().filter_map(|(path, flag)| in_use((*path)?, flag));
    let mut warnings: Vec<String> = held.map(|error| for_the_moment(&error)).collect();
    if let Some(port) = settings.metrics.port {
        let host = &settings.metrics.host;
        let protection = Protection::read(settings.metrics.web_config.as_deref())?;
        match bind(host, port, ServerFlags::OF_RUN, protection) {
            Ok(bound) => warnings.extend(bound.doubt()),
            Err(error) => match app::holder(settings, port) {
                Holder::Running => warnings.push(for_the_moment(&error)),
                // A run begins nevertheless.
                Holder::Ended => {}
                Holder::Other => return Err(error),
            },
        }
    }
    if let Some(path) = &settings.export.textfile
        && let Err(error) = Textfile::check(path)
    {
        warnings.push(format!("nobody would be told of the run by it: {error}"));
    }
    Ok(warnings)
}

/// The job of a table, which only its server knows of.
pub async fn of_job(settings: &Settings, table: &Fitted) -> Result<Option<String>> {
    let guard = Guard::new((*table.target.settings).clone(), app::job_identity(settings));
    Ok(guard.in_use().await?.map(|error| for_the_moment(&error)))
}

fn for_the_moment(error: &Error) -> String {
    format!("a run that begins now would end with exit code {}: {error}", code_of(error))
}

fn code_of(error: &Error) -> u8 {
    crate::outcome::Outcome::from(error.kind).exit_code()
}
