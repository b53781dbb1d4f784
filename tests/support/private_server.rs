//! A database server that a test has for itself, to stop, to kill, and to set as it likes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::database::Server;
use super::{Workdir, eventually, free_port};

pub struct PrivateServer {
    pub server: Server,
    program: String,
    options: Vec<String>,
    child: Option<Child>,
    folder: Workdir,
}

impl PrivateServer {
    /// Of the same kind as `like`, with these options. The folder is to be one of its own.
    #[track_caller]
    pub fn start(like: &Server, folder: Workdir, options: &[&str]) -> PrivateServer {
        let program = std::env::var("FLOWGAUGE_TEST_PRIVATE_MYSQL").unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut server = PrivateServer {
            server: Server { address, ..like.clone() },
            program,
            options: options.iter().map(|option| option.to_string()).collect(),
            child: None,
            folder,
        };
        server.begin();
        server.await_answer();
        server
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path("server/sock")
    }

    /// Starts it again, with the data it had, and does not wait.
    pub fn begin(&mut self) {
        let log = std::fs::File::create(self.folder.path("log")).unwrap();
        let child = Command::new(&self.program)
            .arg(self.server.kind)
            .arg(self.folder.path("server"))
            .arg(self.server.port().to_string())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    #[track_caller]
    pub fn await_answer(&mut self) {
        eventually("the server to answer", || {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                panic!("the server ended with {status}: {}", self.folder.read("log"));
            }
            self.server.try_connect().ok()
        });
    }

    /// Ends it in order; what is under way is rolled back.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        child.wait().unwrap();
    }

    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.kill();
    }
}
