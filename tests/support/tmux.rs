//! A real terminal without somebody in front of it: what is on the screen can be read, keys can be pressed,
//! and its size changed.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::{Workdir, eventually};

pub struct Tmux {
    binary: String,
    socket: PathBuf,
    pid_file: PathBuf,
}

impl Tmux {
    /// Runs the program in a terminal of so many columns and lines. Behind it the shell says how it ended,
    /// and how the terminal is then.
    pub fn start(binary: &str, workdir: &Workdir, (width, height): (u16, u16), args: &str) -> Tmux {
        let socket = workdir.path("tmux.socket");
        let pid_file = workdir.path("top.pid");
        let program = env!("CARGO_BIN_EXE_flowgauge");
        let state = workdir.path("state");
        let script = format!(
            "echo typed before; sh -c 'echo $$ > {pid}; exec {program} {args}'; echo ended with $?; \
             stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo -e isig | tr '\\n' ' '; echo done; exec cat",
            pid = pid_file.display()
        );
        let tmux = Tmux { binary: binary.to_string(), socket, pid_file };
        let (width, height) = (width.to_string(), height.to_string());
        let mut command = tmux.command();
        command.current_dir(workdir.root()).env("FLOWGAUGE_STATE_DIR", state);
        command.args(["new-session", "-d", "-x", &width, "-y", &height, "sh", "-c", &script]);
        let started = command.output().unwrap();
        assert!(started.status.success(), "{started:?}");
        tmux
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let profiles = std::env::var_os("LLVM_PROFILE_FILE");
        command.envs(profiles.map(|file| ("LLVM_PROFILE_FILE", file)));
        command.env("LC_ALL", "C.UTF-8").env("TERM", "screen-256color");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(&self.socket);
        command
    }

    fn ask(&self, args: &[&str]) -> String {
        let Output { stdout, .. } = self.command().args(args).output().unwrap();
        String::from_utf8_lossy(&stdout).into_owned()
    }

    pub fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        let what = format!("'{part}' on the screen");
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&what, || {
                last = self.screen();
                last.contains(part).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("no '{part}' on the screen:\n{last}"))
    }

    pub fn press(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.ask(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// Of the program itself.
    pub fn pid(&self) -> i32 {
        eventually("the program to begin", || {
            std::fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()
        })
    }

    /// The program has ended like this, and the terminal is as it was before it.
    #[track_caller]
    pub fn ends_whole(&self, code: i32) -> String {
        let screen = self.wait_for("done");
        assert!(screen.contains(&format!("ended with {code}")), "{screen}");
        assert!(screen.contains("typed before"), "{screen}");
        for mode in ["icanon", "echo", "isig"] {
            assert!(screen.contains(&format!("{mode} ")), "{mode}: {screen}");
        }
        let flags = self.ask(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        assert_eq!(flags.trim(), "0 1", "alternate screen, cursor: {screen}");
        screen
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.ask(&["kill-server"]);
    }
}
