//! Which calls of git reach other machines, and what they wait for.

use std::ffi::OsString;
use std::path::Path;

use crate::base::repo_url;
use crate::programs::process::Limit;

/// Where a call of git goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NetworkTarget {
    /// How long it may make no progress, and what it is.
    pub limit: Limit,
    /// Whether it may run ssh.
    pub by_ssh: bool,
}

/// Commands that talk to a remote.
const REMOTE: [&str; 7] = ["fetch", "push", "pull", "ls-remote", "clone", "submodule", "remote"];

/// Where the call with these words goes. No process.
pub(super) fn reach(dir: &Path, args: &[OsString]) -> NetworkTarget {
    let mut words = args.iter().map(|word| word.to_string_lossy());
    let mut command = words.next().unwrap_or_default();
    while command == "-c" {
        words.next();
        command = words.next().unwrap_or_default();
    }
    let place = dir.display();
    if !REMOTE.contains(&command.as_ref()) {
        return NetworkTarget { limit: Limit::Local(format!("git {command} in {place}")), by_ssh: false };
    }
    let words: Vec<_> = words.filter(|word| !word.starts_with('-')).collect();
    // A clone names its source first, the others a remote; submodules have remotes of their own.
    let remote = match command.as_ref() {
        "submodule" => None,
        "remote" => Some("origin".to_string()),
        "clone" => words.iter().rev().nth(1).map(ToString::to_string),
        _ => Some(words.first().map_or("origin".into(), ToString::to_string)),
    };
    let url = remote.as_deref().map(|remote| url_of(dir, remote).unwrap_or_else(|| repo_url::plain(remote)));
    let from = url.as_ref().map(|url| format!(" with {url}")).unwrap_or_default();
    let here = url.as_ref().is_some_and(|url| url.starts_with('/') || url.starts_with("file://"));
    NetworkTarget { limit: Limit::Network(format!("git {command}{from} in {place}")), by_ssh: !here }
}

/// The URL of a remote, as it stands in the clone's own configuration.
fn url_of(dir: &Path, remote: &str) -> Option<String> {
    let own = super::Git::at(dir).git_dir().ok()?;
    let common = std::fs::read_to_string(own.join("commondir")).ok().map(|path| own.join(path.trim()));
    let text = std::fs::read_to_string(common.unwrap_or(own).join("config")).ok()?;
    url_in(&text, remote)
}

fn url_in(config: &str, remote: &str) -> Option<String> {
    let section = format!("[remote \"{remote}\"]");
    let lines = config.lines().map(str::trim).skip_while(|line| *line != section).skip(1);
    let url = lines.take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "url").then(|| value.trim().trim_matches('"').to_string())
    });
    url.map(|url| repo_url::plain(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> NetworkTarget {
        reach(Path::new("/no/clone"), &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn calls_that_leave_the_machine_are_told_from_those_that_do_not() {
        let fetch = call(&["-c", "a=b", "fetch", "-q", "--no-tags", "ssh://host/x.git", "main"]);
        assert!(fetch.by_ssh);
        assert_eq!(fetch.limit, Limit::Network("git fetch with ssh://host/x.git in /no/clone".into()));
        assert!(!call(&["clone", "-q", "/a/clone", "/b"]).by_ssh);
        assert!(call(&["clone", "-q", "--branch", "/x", "--", "me@host:x", "/b"]).by_ssh);
        assert!(call(&["submodule", "update"]).by_ssh);
        let local = NetworkTarget { limit: Limit::Local("git status in /no/clone".into()), by_ssh: false };
        assert_eq!(call(&["status", "--porcelain=v2"]), local);
    }

    #[test]
    fn a_remote_is_named_by_its_url_without_secrets() {
        let config = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = /x\n[remote \"origin\"]\n\
                      \tfetch = +refs/*:refs/*\n\turl = https://me:token@host/x.git\n";
        assert_eq!(url_in(config, "origin").as_deref(), Some("https://host/x.git"));
        assert_eq!(url_in(config, "up").as_deref(), Some("/x"));
        assert_eq!(url_in(config, "other"), None);
    }
}
