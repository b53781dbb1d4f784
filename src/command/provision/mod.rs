//! `metrics provision`: dashboard and rules in a Grafana, and a line of each thing that was done. `asked` is
//! what was typed and what that means, `told` what became of it.

mod asked;
mod told;

use tokio::runtime::Builder;

use self::asked::{target, wanted};
use self::told::Provisioned;
use super::print;
use crate::app;
use crate::cli::provision::ProvisionAsked;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::provision::{Done, Grafana, Intent, Item};
use crate::provision::{carry_out, plan};

pub fn run(asked: &ProvisionAsked) -> Outcome {
    match provision(asked) {
        Ok(outcome) => outcome,
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Outcome {
    app::complain(error);
    error.kind.into()
}

fn provision(asked: &ProvisionAsked) -> Result<Outcome> {
    let wanted = wanted(asked)?;
    let mut grafana = Grafana::new(target(asked)?, asked.org_id, asked.timeout);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let (version, items) = runtime.block_on(async {
        let version = grafana.greet().await?;
        Ok::<_, Error>((version, plan(&mut grafana, &wanted).await?))
    })?;
    for warning in items.iter().filter_map(|item| item.warning.as_deref()) {
        app::warn(warning);
    }
    let refused: Vec<Error> = items.iter().filter_map(refusal).collect();
    let is_read_alone = asked.is_dry_run || !refused.is_empty();
    let (done, written) = match is_read_alone {
        true => (items.iter().map(planned).collect(), Ok(())),
        false => runtime.block_on(carry_out(&mut grafana, &items)),
    };
    let provisioned = Provisioned { asked, grafana: grafana.name(), version, items, done };
    let told = print(&match asked.is_json {
        true => format!("{:#}\n", provisioned.document(written.as_ref().err())),
        false => provisioned.text(),
    });
    let mut outcome = told;
    for error in refused.iter().chain(written.as_ref().err()) {
        outcome = failed(error);
    }
    Ok(outcome)
}

/// Why it is left alone.
fn refusal(item: &Item) -> Option<Error> {
    match &item.intent {
        Intent::Refuse(refused) => Some(
            Error::config(format!("{} was left alone: {}", item.what(), refused.why))
                .help(&refused.help),
        ),
        _ => None,
    }
}

/// What would become of it.
fn planned(item: &Item) -> Done {
    match item.intent {
        Intent::Create(_) => Done::Created,
        Intent::Change(_) => Done::Changed,
        Intent::Keep => Done::Unchanged,
        Intent::Refuse(_) => Done::Refused,
    }
}
