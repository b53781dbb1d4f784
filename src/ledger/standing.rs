//! Whether a run is on, as far as that can be seen from here.

use std::fs;

use procfs::process::Process;

use crate::host::host_name;

/// Of a run that was lost.
pub const REASON: &str =
    "the process ended without a word: it was killed, or the machine went down";

/// A run writes every 5 s; one that is this late is looked after.
pub const SILENT_S: f64 = 60.0;

/// Of a run elsewhere, whose process cannot be seen from here.
const SILENT_ELSEWHERE_S: f64 = 900.0;

/// What is known of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ended,
    Running,
    /// Its process is gone, which is not written yet.
    Killed,
}

/// Who would have to be there for a run to be on.
pub struct RunProcess<'a> {
    pub host: &'a str,
    pub pid: i64,
    /// Among whom the pid counts; none of a run whose flowgauge did not write it.
    pub pid_namespace: Option<&'a str>,
    pub boot_id: Option<&'a str>,
    pub heartbeat_at: f64,
}

impl RunProcess<'_> {
    /// Whether its process could be seen from here.
    fn is_visible(&self) -> bool {
        let is_same = |written: Option<&str>, here: Option<String>| {
            written.is_none_or(|written| here.is_some_and(|here| here == written))
        };
        self.host == host_name()
            && is_same(self.pid_namespace, pid_namespace())
            && is_same(self.boot_id, boot_id())
    }

    /// When it was to be taken for lost, if its process was gone by then.
    pub fn lost_at(&self) -> f64 {
        let silent = if self.is_visible() { SILENT_S } else { SILENT_ELSEWHERE_S };
        self.heartbeat_at + silent
    }

    pub fn is_gone(&self, now: f64) -> bool {
        if !self.is_visible() {
            return now - self.heartbeat_at > SILENT_ELSEWHERE_S;
        }
        let Ok(pid) = i32::try_from(self.pid) else { return true };
        match Process::new(pid).and_then(|process| process.stat()) {
            Err(procfs::ProcError::NotFound(_)) => true,
            Err(_) => false,
            // Another one may have its number by now, as the first process of a container always has.
            Ok(stat) => {
                let started = procfs::boot_time_secs().ok().map(|boot| {
                    boot as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64
                });
                // The kernel knows the time of its start to the second.
                let is_another = started.is_some_and(|at| at > self.heartbeat_at + 2.0);
                stat.state == 'Z' || is_another
            }
        }
    }
}

/// Who the processes are that this one can see: `pid:[4026531836]`. Containers have one each.
pub fn pid_namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// The kernel since its start, whose namespaces are numbered anew by the next one.
pub fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_string())
}
