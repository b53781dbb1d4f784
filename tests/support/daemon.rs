//! A real server that a test starts for itself, and that is gone with it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Workdir, eventually, free_port, http};

/// Dropping it kills it.
pub struct Daemon {
    child: Child,
    /// Host and port, as `http::get` takes them.
    pub address: String,
    log: PathBuf,
}

impl Daemon {
    /// Comes back when `ready` is answered with 200. `{address}` in arguments is where it is to listen,
    /// and relative names in them start at the work directory.
    #[track_caller]
    pub fn start(binary: &str, workdir: &Workdir, args: &[&str], ready: &str) -> Daemon {
        Daemon::start_until(binary, workdir, args, ready, 200)
    }

    /// The same of one that shows that it is there by another status.
    #[track_caller]
    pub fn start_until(
        binary: &str,
        workdir: &Workdir,
        args: &[&str],
        ready: &str,
        status: u16,
    ) -> Daemon {
        let address = format!("127.0.0.1:{}", free_port());
        let log = workdir.path(&format!("daemon-{address}.log"));
        let child = Command::new(binary)
            .current_dir(workdir.root())
            .args(args.iter().map(|arg| arg.replace("{address}", &address)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut daemon = Daemon { child, address, log };
        eventually(&format!("{binary} to be ready"), || {
            if daemon.child.try_wait().unwrap().is_some() {
                panic!("{binary} ended:\n{}", fs::read_to_string(&daemon.log).unwrap_or_default());
            }
            let answer = http::get(&daemon.address, ready).ok()?;
            (answer.status == status).then_some(())
        });
        daemon
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> String {
        let answer = http::get(&self.address, path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_string()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A Pushgateway of its own.
pub fn pushgateway(binary: &str, workdir: &Workdir) -> Daemon {
    Daemon::start(binary, workdir, &["--web.listen-address={address}"], "/-/ready")
}
