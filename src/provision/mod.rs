//! What a Grafana is given, over its HTTP API: a folder, a data source, the dashboard and the alert rules.
//!
//! Everything is read first (`folder`, `data_source`, `dashboard`, `rule_group`) and becomes an `Item` each: to
//! be made, to be changed, to stay, or refused, because it is somebody else's or somebody changed it. Only
//! where nothing is refused something is written. All uids are fixed, so that a second run finds what the first
//! one made. `grafana` sends and understands; `rule` and `template` say rules of Prometheus in Grafana's words.

mod dashboard;
mod data_source;
mod folder;
mod grafana;
mod item;
mod rule;
mod rule_group;
mod template;

pub use self::data_source::DataSource;
pub use self::folder::TITLE as FOLDER_TITLE;
pub use self::grafana::Grafana;
pub use self::item::{Done, Intent, Item};
use crate::error::Result;
use crate::observe::rule_groups::RuleGroup;

/// What Grafana is to have.
pub struct Wanted {
    pub folder_title: String,
    pub data_source: DataSource,
    pub groups: Vec<RuleGroup>,
    /// Rules may be changed in Grafana.
    pub is_editable: bool,
    /// Also what somebody else made or changed.
    pub overwrites: bool,
}

/// Reads alone.
pub async fn plan(grafana: &mut Grafana, wanted: &Wanted) -> Result<Vec<Item>> {
    let folder = folder::plan(grafana, &wanted.folder_title, wanted.overwrites).await?;
    let data_source = data_source::plan(grafana, &wanted.data_source, wanted.overwrites).await?;
    let dashboard = dashboard::plan(grafana, wanted.overwrites).await?;
    let source_uid = data_source.uid.clone();
    let mut items = vec![folder, data_source, dashboard];
    for group in &wanted.groups {
        items.push(rule_group::plan(grafana, group, &source_uid, wanted).await?);
    }
    Ok(items)
}

/// Writes what is planned, in its order, until something fails.
pub async fn carry_out(grafana: &mut Grafana, items: &[Item]) -> (Vec<Done>, Result<()>) {
    let mut done = Vec::new();
    for item in items {
        let (write, becomes) = match &item.intent {
            Intent::Keep => {
                done.push(Done::Unchanged);
                continue;
            }
            Intent::Refuse(_) => {
                done.push(Done::Refused);
                continue;
            }
            Intent::Create(write) => (write, Done::Created),
            Intent::Change(write) => (write, Done::Changed),
        };
        for write in item.before.iter().chain([write]) {
            if let Err(error) = grafana.write(&item.what(), write).await {
                done.push(Done::Failed);
                done.resize(items.len(), Done::NotTried);
                return (done, Err(error));
            }
        }
        done.push(becomes);
    }
    (done, Ok(()))
}
