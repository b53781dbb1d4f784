//! Sends what there is to tell, on a thread of its own: a receiver that hangs keeps nobody from the metrics.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::notices::{Look, Notice, Told};
use crate::config::ExporterSettings;
use crate::error::{Error, Kind, Result};
use crate::export::{Messenger, NoticeEvent};
use crate::part::{PartFile, PartPolicy};

const FLAG: &str = "notify-state";
const POLICY: PartPolicy = PartPolicy::replacing(FLAG);

/// A receiver that did not take a message is asked again after so long, which doubles.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What a message that is under way has at the end.
const END_MAX: Duration = Duration::from_secs(5);

pub struct Notifier {
    looks: Sender<Look>,
    ended: Receiver<()>,
}

impl Notifier {
    /// None where nobody is to be told. An error where what was told cannot be kept.
    pub fn start(settings: &ExporterSettings, state: Option<&Path>) -> Result<Option<Notifier>> {
        let Some(target) = &settings.webhook else {
            return match state {
                None => Ok(None),
                Some(_) => {
                    Err(Error::config("--notify-state has no meaning without --notify-webhook"))
                }
            };
        };
        let failed = |cause| Error::local_io("cannot start the thread that sends messages", cause);
        let told = state.map(read).transpose()?.flatten();
        let sender = NoticeSender {
            runtime: Builder::new_current_thread().enable_all().build().map_err(failed)?,
            messenger: Messenger::new(target, settings.notify_format),
            wanted: settings.notify_on.clone(),
            has_begun: told.is_some(),
            told: told.unwrap_or_default(),
            state: state.map(Path::to_path_buf),
            is_kept: true,
            pause: PAUSE_MIN,
            not_before: None,
        };
        let (looks, coming) = channel();
        let (ending, ended) = channel();
        thread::Builder::new()
            .name("notices".to_string())
            .spawn(move || {
                sender.run(&coming);
                drop(ending);
            })
            .map_err(failed)?;
        Ok(Some(Notifier { looks, ended }))
    }

    pub fn look(&self, look: Look) {
        // Without a thread there is nobody to tell, which was said as a panic.
        let _ = self.looks.send(look);
    }

    pub fn finish(self) {
        drop(self.looks);
        if self.ended.recv_timeout(END_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("--notify-webhook: a message may not have arrived");
        }
    }
}

struct NoticeSender {
    runtime: Runtime,
    messenger: Messenger,
    wanted: Vec<NoticeEvent>,
    told: Told,
    /// What was before it is known, or was passed over.
    has_begun: bool,
    state: Option<PathBuf>,
    /// What was told could be written.
    is_kept: bool,
    pause: Duration,
    /// A message was not taken.
    not_before: Option<Instant>,
}

impl NoticeSender {
    fn run(mut self, looks: &Receiver<Look>) {
        while let Ok(look) = looks.recv() {
            // While one was sent, others may have come.
            let look = looks.try_iter().last().unwrap_or(look);
            if !self.has_begun {
                self.has_begun = true;
                self.told.pass_over_old(&look);
                self.keep();
            }
            self.told.forget_old(look.at);
            if self.not_before.is_none_or(|at| Instant::now() >= at) {
                self.tell(&look);
            }
        }
    }

    fn tell(&mut self, look: &Look) {
        for notice in self.told.notices(look, &self.wanted) {
            let sent = self.runtime.block_on(self.messenger.send(&notice.message));
            match sent {
                Ok(()) => self.was_sent(&notice),
                // A message that arrived twice is two messages.
                Err(error) if error.kind == Kind::Unknown => {
                    tracing::warn!("--notify-webhook: a message may not have arrived: {error}");
                    self.not_before = None;
                    self.was_sent(&notice);
                }
                Err(error) => {
                    let wait = error.wait_min().unwrap_or_default().max(self.pause);
                    if self.not_before.is_none() {
                        tracing::warn!(
                            "--notify-webhook: a message did not arrive: {error}; it is sent again later"
                        );
                    }
                    self.not_before = Some(Instant::now() + wait);
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                    return;
                }
            }
        }
    }

    fn was_sent(&mut self, notice: &Notice) {
        if self.not_before.take().is_some() {
            tracing::info!("--notify-webhook: messages are taken again");
        }
        self.pause = PAUSE_MIN;
        self.told.note(notice);
        self.keep();
    }

    fn keep(&mut self) {
        let Some(path) = &self.state else { return };
        let written = serde_json::to_vec(&self.told)
            .map_err(|cause| Error::internal("what was told has no JSON").because(cause))
            .and_then(|bytes| PartFile::replace(path, POLICY, &bytes));
        if let (Err(error), true) = (&written, self.is_kept) {
            tracing::warn!("--{FLAG}: what was told is not kept: {error}");
        }
        self.is_kept = written.is_ok();
    }
}

/// What was told before; none where nothing ever was.
fn read(path: &Path) -> Result<Option<Told>> {
    PartFile::check(path, POLICY)?;
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            let message = format!("cannot read '{}'", path.display());
            return Err(Error::config(message).because(cause));
        }
    };
    serde_json::from_slice(&text).map(Some).map_err(|cause| {
        Error::config(format!("'{}' is not what an exporter has told", path.display()))
            .help(format!("move it away, or choose another --{FLAG}"))
            .because(cause)
    })
}
