//! fugue: the one place that knows its programs.
//!
//! What is called is a program with commands: the documents' `fugue-client`, or `fugue-compat` of fugue 0.1.1. They
//! are told apart by what they say of themselves, once for each build of the program ([`known`]). Every call is one
//! process with a time limit and, where an address counts, `--addr` first; fugue's own variable `FUGUE_ADDR` is taken
//! away, so that nothing but gt's own configuration says which daemon is meant.

mod answers;
mod calls;
mod known;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::process::Process;
use crate::base::failure::Failure;

pub use answers::{Reply, Row, Silence, plain};
pub use calls::{FugueServer, Listing, MOST_LINES, NewDaemonSession};

/// A daemon answers in milliseconds. One that needs longer than this is silent.
pub const LIMIT: Duration = Duration::from_secs(2);

/// fugue's own variable for a daemon's address.
const FUGUE_ADDR: &str = "FUGUE_ADDR";

/// The programs that are looked for on PATH, first found first.
pub const PROGRAMS: [&str; 2] = ["fugue-client", "fugue-compat"];

/// The interactive program, by its name in fugue 0.1.1.
const INTERACTIVE: &str = "fugue";

/// The words a program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `new-pane`, `list-panes` …: as the documents write it.
    Client,
    /// `new-session`, `list-sessions` …: `fugue-compat` 0.1.1.
    Compat,
}

/// A program of fugue's that takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fugue {
    program: PathBuf,
    dialect: Dialect,
}

impl Fugue {
    /// The program that is called: the one the settings name (`GASTOWN_MULTIPLEXER_BIN`), else the first of
    /// [`PROGRAMS`] that is on PATH and takes commands. No process where it is known already.
    ///
    /// # Errors
    /// When none is there, or what is there is not fugue's, with what to install or to set.
    pub fn find(named: Option<&str>, dialect: Option<Dialect>) -> Result<Fugue> {
        Fugue::find_knowing(named, dialect, known::file().as_deref())
    }

    /// The same, with what is known of programs in a file of the caller's, or nowhere.
    ///
    /// # Errors
    /// As [`Fugue::find`].
    pub fn find_knowing(named: Option<&str>, dialect: Option<Dialect>, file: Option<&Path>) -> Result<Fugue> {
        let named = named.filter(|name| !name.is_empty());
        let names: Vec<&str> = named.map_or_else(|| PROGRAMS.to_vec(), |name| vec![name]);
        let found: Vec<PathBuf> = names.iter().filter_map(|name| which::which(name).ok()).collect();
        for program in &found {
            let dialect = dialect.map_or_else(|| known::dialect(program, file), |said| Ok(Some(said)))?;
            if let Some(dialect) = dialect {
                return Ok(Fugue { program: program.clone(), dialect });
            }
        }
        Err(missing(&names, &found).into())
    }

    /// A program whose dialect is known.
    pub fn new(program: impl Into<PathBuf>, dialect: Dialect) -> Fugue {
        Fugue { program: program.into(), dialect }
    }

    /// The daemon at this address; the program's own default socket when it is empty.
    pub fn at(&self, addr: &str) -> FugueServer {
        FugueServer::new(self.clone(), addr)
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The words it understands.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The program that shows sessions to a person: beside this one or on PATH; the documents' `fugue-client` is
    /// itself one.
    fn interactive(&self) -> Result<PathBuf, Failure> {
        if self.dialect == Dialect::Client {
            return Ok(self.program.clone());
        }
        let beside = self.program.with_file_name(INTERACTIVE);
        if beside.is_file() {
            return Ok(beside);
        }
        which::which(INTERACTIVE).map_err(|_| {
            Failure::new("fugue's interactive program is not installed or not on PATH")
                .hint("install it, then check with: fugue --version")
        })
    }
}

/// Which dialect a program's help is written in.
fn dialect_of(help: &str) -> Option<Dialect> {
    let speaks = |command: &str| {
        help.split(|letter: char| !(letter.is_alphanumeric() || letter == '-')).any(|word| word == command)
    };
    match (speaks("new-pane"), speaks("new-session")) {
        (true, _) => Some(Dialect::Client),
        (false, true) => Some(Dialect::Compat),
        (false, false) => None,
    }
}

/// What a program's own help says; none for one that does not end in time or fails.
fn ask(program: &Path) -> Result<Option<Dialect>> {
    let help = Process::new(program).arg("--help").env_remove(FUGUE_ADDR).timeout(LIMIT).run()?;
    let text = format!("{}\n{}", help.text(), help.error_text());
    Ok(dialect_of(&text).filter(|_| !help.timed_out))
}

fn missing(names: &[&str], found: &[PathBuf]) -> Failure {
    let Some(program) = found.first() else {
        let failure = Failure::new(match names {
            [name] => format!("fugue's program {name} is not installed or not on PATH"),
            _ => format!("fugue is not installed: none of {} is on PATH", names.join(", ")),
        });
        return failure.hint(
            "install fugue's fugue-compat, or name the program: GASTOWN_MULTIPLEXER_BIN=/path/to/fugue-compat",
        );
    };
    Failure::new(format!(
        "wrong program: {} has neither the command new-pane nor new-session",
        program.display()
    ))
    .hint(
        "name the one of fugue's programs that takes commands: GASTOWN_MULTIPLEXER_BIN=/path/to/fugue-compat",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_read_from_the_help() {
        let compat = "Commands:\n  new-session       Create a new session\n  kill-session  Kill\n";
        assert_eq!(dialect_of(compat), Some(Dialect::Compat));
        assert_eq!(dialect_of("usage: fugue-client [--addr URL] new-pane --name N"), Some(Dialect::Client));
        // The interactive client speaks of sessions and takes no command.
        assert_eq!(dialect_of("Command to run in new sessions\n  --new-sessions\n  new-panes"), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        let none = missing(&PROGRAMS, &[]);
        assert_eq!(none.message, "fugue is not installed: none of fugue-client, fugue-compat is on PATH");
        let named = missing(&["/opt/fugue"], &[]);
        assert_eq!(named.message, "fugue's program /opt/fugue is not installed or not on PATH");
        let wrong = missing(&["fugue"], &["/usr/bin/fugue".into()]);
        assert_eq!(
            wrong.message,
            "wrong program: /usr/bin/fugue has neither the command new-pane nor new-session"
        );
        assert!(wrong.hint.unwrap().contains("GASTOWN_MULTIPLEXER_BIN=/path/to/fugue-compat"));
    }
}
