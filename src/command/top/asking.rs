//! Asks runs how they are, side by side on one thread. A run that hangs, lies or talks without end costs its
//! own row some seconds and some memory, and nobody else anything.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::seen::RunSeen;
use super::{RUNS_MAX, Runs, address};
use crate::error::{Error, Result};
use crate::export::{Target, http_client};
use crate::ledger::{self, RunRow, Standing, now};

/// Of a run: its id, or where it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub String);

/// Of a whole answer. A run answers within milliseconds, on a machine that is full within one second.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// A run with everything that can be told has a tenth of it.
const ANSWER_BYTES_MAX: usize = 512 << 10;

/// Runs begin seldom.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A run as it showed itself, and the document as it came; or why there is none.
pub type Answered = std::result::Result<(Box<RunSeen>, Arc<Value>), String>;

/// What came to be known.
pub enum News {
    /// The runs that are on by the ledger, and the last ones that have ended.
    Found(Vec<FoundRun>),
    /// The ledger cannot be read.
    Lost(String),
    /// A run has answered, or has not.
    Answer(Key, Answered),
}

#[derive(Clone, Debug)]
pub struct FoundRun {
    pub row: RunRow,
    pub url: Option<String>,
}

impl FoundRun {
    pub fn is_on(&self) -> bool {
        self.row.standing(now()) == Standing::Running
    }

    fn key(&self) -> Key {
        Key(self.row.run_id.clone())
    }
}

pub fn key_of(target: &Target) -> Key {
    Key(target.name())
}

/// Until nobody listens.
pub fn keep_asking(runs: Runs, every: Duration, news: SyncSender<News>) -> Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    thread::Builder::new()
        .name("asking".to_string())
        .spawn(move || runtime.block_on(ask_all(runs, every, news)))
        .map_err(|cause| Error::local_io("cannot start a thread", cause))?;
    Ok(())
}

async fn ask_all(runs: Runs, every: Duration, news: SyncSender<News>) {
    match runs {
        Runs::At(targets) => {
            let mut asking = JoinSet::new();
            for target in targets {
                asking.spawn(ask_again(key_of(&target), target, every, news.clone()));
            }
            drop(news);
            while asking.join_next().await.is_some() {}
        }
        Runs::Ledger { path, pipelines, authority } => {
            let mut asked: HashMap<Key, AbortHandle> = HashMap::new();
            let mut asking = JoinSet::new();
            loop {
                let (path, pipelines) = (path.clone(), pipelines.clone());
                let looked = tokio::task::spawn_blocking(move || found(&path, &pipelines)).await;
                let found = match looked {
                    Ok(Ok(found)) => found,
                    Ok(Err(missing)) => {
                        if news.send(News::Lost(missing)).is_err() {
                            return;
                        }
                        sleep(LOOK_EVERY).await;
                        continue;
                    }
                    // It panicked, which was said.
                    Err(_) => return,
                };
                asked.retain(|key, task| {
                    let is_on = found.iter().any(|run| run.is_on() && run.key() == *key);
                    if !is_on {
                        task.abort();
                    }
                    is_on
                });
                for run in found.iter().filter(|run| run.is_on()) {
                    let Some(url) = &run.url else { continue };
                    let key = run.key();
                    if asked.contains_key(&key) {
                        continue;
                    }
                    if let Ok(target) = address::target(url, &authority) {
                        let task = ask_again(key.clone(), target, every, news.clone());
                        asked.insert(key, asking.spawn(task));
                    }
                }
                if news.send(News::Found(found)).is_err() {
                    return;
                }
                // Those that have ended are forgotten.
                while asking.try_join_next().is_some() {}
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

async fn ask_again(key: Key, target: Target, every: Duration, news: SyncSender<News>) {
    loop {
        if news.send(News::Answer(key.clone(), ask(&target).await)).is_err() {
            return;
        }
        sleep(every).await;
    }
}

/// All of them once, in their order.
pub fn ask_once(runs: &Runs) -> Result<Vec<News>> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::local_io("cannot start the runtime", cause))?;
    let mut told = Vec::new();
    let targets: Vec<(Key, Target)> = match runs {
        Runs::At(targets) => targets.iter().map(|it| (key_of(it), it.clone())).collect(),
        Runs::Ledger { path, pipelines, authority } => match found(path, pipelines) {
            Err(missing) => {
                told.push(News::Lost(missing));
                Vec::new()
            }
            Ok(mut found) => {
                found.retain(FoundRun::is_on);
                let targets = found.iter().filter_map(|run| {
                    let target = address::target(run.url.as_ref()?, authority).ok()?;
                    Some((run.key(), target))
                });
                let targets = targets.collect();
                told.push(News::Found(found));
                targets
            }
        },
    };
    told.extend(runtime.block_on(async {
        let mut asking = JoinSet::new();
        for (index, (key, target)) in targets.into_iter().enumerate() {
            asking.spawn(async move { (index, News::Answer(key, ask(&target).await)) });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer)
    }));
    Ok(told)
}

async fn ask(target: &Target) -> Answered {
    let late = || format!("no answer within {} s", ANSWER_MAX.as_secs());
    let body = timeout(ANSWER_MAX, body(target)).await.map_err(|_| late())??;
    const STRANGER: &str = "no run of flowgauge answers there";
    let document: Value = serde_json::from_slice(&body).map_err(|_| STRANGER.to_string())?;
    let seen = RunSeen::of(&document).ok_or_else(|| STRANGER.to_string())?;
    Ok((Box::new(seen), Arc::new(document)))
}

/// A connection of its own for each: the port has few places, and whoever looks may look for days.
async fn body(target: &Target) -> std::result::Result<Vec<u8>, String> {
    let client = http_client(target).map_err(|error| error.to_string())?;
    let request = client.get(target.url.clone()).headers(target.headers.clone());
    let asked = request.header("accept", "application/json").header("connection", "close").send();
    let mut response = asked.await.map_err(|cause| why(target, cause))?;
    match response.status().as_u16() {
        200 => {}
        401 | 403 => {
            return Err(
                "it wants a user and a password: write http://USER:PASSWORD@HOST:PORT".to_string()
            );
        }
        404 => {
            return Err(
                "404: no run of flowgauge answers there, or one of an older version".to_string()
            );
        }
        other => return Err(format!("it answers {other}: no run of flowgauge")),
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|cause| why(target, cause))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            let kib = ANSWER_BYTES_MAX >> 10;
            return Err(format!("its answer is larger than {kib} KiB: no run of flowgauge"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn why(target: &Target, cause: reqwest::Error) -> String {
    let is_of_connecting = cause.is_connect();
    let cause = cause.without_url();
    let mut deepest: &dyn StdError = &cause;
    while let Some(deeper) = deepest.source() {
        deepest = deeper;
    }
    let said = target.masked(&deepest.to_string());
    match is_of_connecting {
        true if said.contains("refused") => "nobody listens there".to_string(),
        true => format!("it cannot be reached: {said}"),
        false => format!("no run of flowgauge answers there: {said}"),
    }
}

/// Runs that are on, and of each pipeline the one that ended last.
fn found(path: &Path, pipelines: &[String]) -> std::result::Result<Vec<FoundRun>, String> {
    let look = |connection: &rusqlite::Connection| {
        Ok((ledger::pipelines(connection)?, ledger::metrics_addresses(connection)?))
    };
    let read = ledger::read(path, look).map_err(|missing| missing.to_string())?;
    let Some((histories, addresses)) = read else { return Ok(Vec::new()) };
    let is_wanted = |name: &String| pipelines.is_empty() || pipelines.contains(name);
    let histories = histories.into_iter().filter(|one| is_wanted(&one.pipeline_id));
    let mut rows: Vec<RunRow> = Vec::new();
    for history in histories {
        let history = history.judged(now());
        rows.extend(history.open);
        rows.extend(history.last);
    }
    rows.sort_by(|one, other| {
        let is_over = |row: &RunRow| row.outcome.is_some();
        is_over(one).cmp(&is_over(other)).then(one.pipeline_id.cmp(&other.pipeline_id))
    });
    rows.truncate(RUNS_MAX);
    let url = |row: &RunRow| addresses.get(&row.run_id).cloned();
    Ok(rows.into_iter().map(|row| FoundRun { url: url(&row), row }).collect())
}
