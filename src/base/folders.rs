//! A person's folders, by the XDG base directory specification.

use std::path::PathBuf;

/// A kind of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// What a person writes: `$XDG_CONFIG_HOME`, or `~/.config`.
    Config,
    /// What has to stay: `$XDG_STATE_HOME`, or `~/.local/state`.
    State,
    /// What can be made again: `$XDG_CACHE_HOME`, or `~/.cache`.
    Cache,
}

impl Folder {
    /// Where it is; `var` reads the environment. A path that is not absolute counts as not set, as the specification says.
    pub fn find<P: Into<PathBuf>>(self, var: impl Fn(&str) -> Option<P>) -> Option<PathBuf> {
        let (name, in_home) = match self {
            Folder::Config => ("XDG_CONFIG_HOME", ".config"),
            Folder::State => ("XDG_STATE_HOME", ".local/state"),
            Folder::Cache => ("XDG_CACHE_HOME", ".cache"),
        };
        let absolute = |name: &str| var(name).map(Into::into).filter(|path: &PathBuf| path.is_absolute());
        absolute(name).or_else(|| Some(absolute("HOME")?.join(in_home)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_variables_or_in_the_home_and_never_relative() {
        let find = |folder: Folder, set: &[(&str, &'static str)]| {
            folder.find(|name| set.iter().find(|(own, _)| *own == name).map(|(_, path)| *path))
        };
        let home = ("HOME", "/h");
        assert_eq!(find(Folder::State, &[home]), Some("/h/.local/state".into()));
        assert_eq!(find(Folder::Cache, &[home, ("XDG_CACHE_HOME", "/c")]), Some("/c".into()));
        assert_eq!(find(Folder::Config, &[home, ("XDG_CONFIG_HOME", "c")]), Some("/h/.config".into()));
        assert_eq!(find(Folder::Config, &[("HOME", "h")]), None);
    }
}
