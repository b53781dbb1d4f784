//! What is printed about the program itself: manual pages, completions, the version. None of it needs
//! settings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

use super::pipeline_names::{LISTING, names_for};
use super::{command, help};
use crate::console::colour;
use crate::error::{Error, Result};
use crate::observe::REVISION;

/// A page that was asked for.
#[derive(Debug)]
pub enum Page {
    /// Short or long, of the program or of a command.
    Help(String),
    Version,
    Completions(Shell),
    /// Of one command, or of the program.
    Manual(Option<String>),
    /// All of them, as files in this folder.
    Manuals(PathBuf),
    /// The pipelines that may stand behind these words of a command line.
    PipelineNames(Vec<String>),
}

impl Page {
    /// What goes to standard output.
    pub fn text(&self) -> Result<String> {
        match self {
            Page::Help(text) if colour::is_wanted(&io::stdout()) => Ok(colour::help(text)),
            Page::Help(text) => Ok(text.clone()),
            Page::Version => Ok(version()),
            Page::Completions(shell) => Ok(completions(*shell)),
            Page::Manual(verb) => manual(verb.as_deref()),
            Page::Manuals(folder) => manuals(folder),
            Page::PipelineNames(words) => {
                Ok(names_for(words).iter().map(|name| format!("{name}\n")).collect())
            }
        }
    }
}

/// `flowgauge 0.1.0 (82ff0a5c625b)`
fn version() -> String {
    let revision = match REVISION {
        "unknown" => String::new(),
        revision => format!(" ({revision})"),
    };
    format!("flowgauge {}{revision}\n", env!("CARGO_PKG_VERSION"))
}

/// The command of a manual page, called as the page is.
fn described(verb: Option<&str>) -> Option<Command> {
    let whole = command();
    match verb {
        None => Some(whole),
        Some(verb) => {
            let found = whole.get_subcommands().find(|one| one.get_name() == verb)?.clone();
            let name = format!("flowgauge-{verb}");
            let found = found.version(env!("CARGO_PKG_VERSION"));
            Some(found.bin_name(format!("flowgauge {verb}")).display_name(name))
        }
    }
}

fn manual(verb: Option<&str>) -> Result<String> {
    let described = described(verb).ok_or_else(|| {
        let verbs: Vec<_> = verbs();
        Error::config(format!("there is no command '{}'", verb.unwrap_or_default()))
            .help(format!("the commands are {}", verbs.join(", ")))
    })?;
    let path = described.get_bin_name().unwrap_or("flowgauge").to_string();
    let synopsis = format!("{path} [OPTIONS]{}", help::places(&described));
    let mut page = Vec::new();
    clap_mangen::Man::new(described)
        .manual("flowgauge")
        .render(&mut page)
        .map_err(|cause| Error::internal("the manual page was not written").because(cause))?;
    let page = String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH EXAMPLES");
    Ok(with_synopsis(&page, &synopsis))
}

/// A hundred options in a row help nobody: they follow by theme.
fn with_synopsis(page: &str, synopsis: &str) -> String {
    const HEADING: &str = ".SH SYNOPSIS\n";
    let Some((before, behind)) = page.split_once(HEADING) else { return page.to_string() };
    let rest = behind.find("\n.SH ").map_or("", |at| &behind[at..]);
    format!("{before}{HEADING}{}{rest}", synopsis.replace('-', "\\-"))
}

pub fn verbs() -> Vec<String> {
    command().get_subcommands().map(|one| one.get_name().to_string()).collect()
}

/// Writes all pages where `man` finds them; the names of the files are what is printed.
fn manuals(folder: &Path) -> Result<String> {
    let failed = |path: &Path, cause| {
        Error::local_io(format!("cannot write '{}'", path.display()), cause).help("check --out")
    };
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    let mut written = String::new();
    let pages = std::iter::once(None).chain(verbs().into_iter().map(Some));
    for verb in pages {
        let name = match &verb {
            None => "flowgauge.1".to_string(),
            Some(verb) => format!("flowgauge-{verb}.1"),
        };
        let path = folder.join(name);
        fs::write(&path, manual(verb.as_deref())?).map_err(|cause| failed(&path, cause))?;
        written.push_str(&format!("{}\n", path.display()));
    }
    Ok(written)
}

/// The script of clap, and names of pipelines where one may stand. The program itself looks at the
/// words that were typed, so that three shells agree.
fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "flowgauge", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => format!("{script}{}", BASH.replace("LISTING", LISTING)),
        Shell::Zsh => {
            // The one place where a pipeline may stand has the default, which is a file.
            let at = " -- Pipeline of the configuration file:_default";
            let ours = at.replace("_default", "_flowgauge_pipelines");
            let function = ZSH.replace("LISTING", LISTING);
            let script = script.replace(at, &ours);
            match script.split_once("\n\n") {
                Some((head, rest)) => format!("{head}\n\n{function}\n{rest}"),
                None => script,
            }
        }
        Shell::Fish => format!("{script}{}", FISH.replace("LISTING", LISTING)),
        _ => script,
    }
}

const BASH: &str = r#"
# Names of pipelines, of the configuration that the line names so far.
_flowgauge_with_pipelines() {
    _flowgauge "$@"
    local word="${COMP_WORDS[COMP_CWORD]}" name
    while IFS= read -r name; do
        [[ $name == "$word"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done < <("${COMP_WORDS[0]}" LISTING -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
}

complete -F _flowgauge_with_pipelines -o nosort -o bashdefault -o default flowgauge 2>/dev/null ||
    complete -F _flowgauge_with_pipelines -o bashdefault -o default flowgauge
"#;

const ZSH: &str = r#"# Names of pipelines, of the configuration that the line names so far.
_flowgauge_pipelines() {
    local -a typed names
    typed=(${(Q)${(z)LBUFFER}})
    [[ $LBUFFER == *' ' ]] || typed[-1]=()
    names=(${(f)"$(command flowgauge LISTING -- "${(@)typed[2,-1]}" 2>/dev/null)"})
    compadd -a names
}
"#;

const FISH: &str = r#"
# Names of pipelines, of the configuration that the line names so far.
complete -c flowgauge -n "__fish_seen_subcommand_from run check" -f -a "(flowgauge LISTING -- (commandline -opc)[2..-1] 2>/dev/null)" -d "pipeline"
"#;
