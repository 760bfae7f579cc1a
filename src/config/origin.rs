//! Where values of the configuration were said.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a layer's values were said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of `presets/`, compiled in.
    BuiltIn(String),
    /// A file on disk.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line, by the key that it sets.
    Flag(String),
    /// What is to be written into a file.
    New(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn(file) => write!(f, "built-in {file}"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(key) => write!(f, "flag for {key}"),
            Origin::New(path) => write!(f, "not written to {}", path.display()),
        }
    }
}

impl Origin {
    /// For people: `~` for the home folder.
    pub fn shown(&self, home: Option<&Path>) -> String {
        match (self, home) {
            (Origin::File(path), Some(home)) => match path.strip_prefix(home) {
                Ok(inside) => format!("~/{}", inside.display()),
                Err(_) => self.to_string(),
            },
            _ => self.to_string(),
        }
    }
}
