//! `completions` and `man`: what is made from the command line itself.

use super::print;
use crate::cli;
use crate::outcome::Outcome;

pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "flowgauge", &mut script);
    print(&String::from_utf8_lossy(&script))
}

pub fn man() -> Outcome {
    let mut page = Vec::new();
    match clap_mangen::Man::new(cli::command()).render(&mut page) {
        Ok(()) => print(&String::from_utf8_lossy(&page)),
        Err(_) => Outcome::Internal,
    }
}
