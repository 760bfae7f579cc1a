//! What a new worktree gets beside its tracked files: `worktree.copy` and `worktree.link`, from the rig's clone `mayor/rig`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use glob::{MatchOptions, Pattern};

use crate::base::failure::Failure;
use crate::base::files;
use crate::config::brought::{inside, is_pattern};
use crate::config::schema::WorktreeSettings;
use crate::programs::git::Git;
use crate::town::within::Within;

/// What is to be brought into a worktree.
#[derive(Debug, Default)]
pub struct Bringing {
    items: Vec<CopyItem>,
    /// Paths and patterns that stand for nothing in the source, each in a sentence.
    pub missing: Vec<String>,
}

#[derive(Debug)]
struct CopyItem {
    from: PathBuf,
    /// The path in the worktree, and the same with its links resolved.
    inside: PathBuf,
    real: PathBuf,
    link: bool,
}

impl Bringing {
    /// What of the rules is in `source` and not in `place` yet. One process when a pattern found something.
    ///
    /// # Errors
    /// A path of the rules that leads out of one of the two folders.
    pub fn look(rules: &WorktreeSettings, source: &Path, place: &Path) -> Result<Bringing> {
        let mut bringing = Bringing::default();
        if rules.copy.is_empty() && rules.link.is_empty() {
            return Ok(bringing);
        }
        let (from, to) = (Within::new(source)?, Within::new(place)?);
        for (key, link, list) in [("copy", false, &rules.copy), ("link", true, &rules.link)] {
            for text in list {
                let found = find(source, text)?;
                if found.is_empty() {
                    let missing = format!(
                        "worktree.{key}: {text} is not in {}, and is not brought along",
                        source.display()
                    );
                    bringing.missing.push(missing);
                }
                for inside in found {
                    let real = to.resolve(&inside)?;
                    if place.join(&inside).symlink_metadata().is_err() {
                        let from = source.join(from.resolve(&inside)?);
                        bringing.items.push(CopyItem { from, inside, real, link });
                    }
                }
            }
        }
        Ok(bringing)
    }

    /// The lines of `info/exclude` that keep all of it out of git.
    pub fn lines(&self) -> Vec<String> {
        self.items.iter().map(|item| line(&item.real)).collect()
    }

    /// Copies and links.
    ///
    /// # Errors
    /// What the file system says, and a link that came into the way.
    pub fn bring(&self, place: &Path) -> Result<()> {
        let within = Within::new(place)?;
        for item in &self.items {
            // It may have come with a folder before it.
            if place.join(&item.inside).symlink_metadata().is_ok() {
                continue;
            }
            let failed = || format!("cannot bring {} into the worktree", item.from.display());
            let spot = within.spot(&item.inside)?;
            let done = if item.link { spot.link(&item.from) } else { spot.copy(&item.from) };
            done.with_context(failed)?;
        }
        Ok(())
    }
}

/// The line of `info/exclude` for exactly this path.
pub fn line(path: &Path) -> String {
    let mut line = String::from("/");
    for c in path.to_string_lossy().chars() {
        if matches!(c, '*' | '?' | '[' | '\\' | ' ') {
            line.push('\\');
        }
        line.push(c);
    }
    line
}

/// The paths of `source` that a path or pattern of the rules stands for, sorted. A pattern does not stand for tracked files,
/// and leads through no link.
///
/// # Errors
/// When the text is neither.
pub fn find(source: &Path, text: &str) -> Result<BTreeSet<PathBuf>> {
    let path = inside(text).map_err(|why| Failure::new(format!("worktree.copy and worktree.link: {why}")))?;
    if !is_pattern(&path) {
        return Ok(BTreeSet::from_iter(source.join(&path).exists().then_some(path)));
    }
    let parts: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let mut found = BTreeSet::new();
    expand(source, Path::new(""), &parts, &mut found);
    if !found.is_empty() {
        let pattern = format!(":(glob){}", path.display());
        let tracked = Git::at(source).run("list tracked files", ["ls-files", "-z", "--", &pattern])?;
        let tracked: BTreeSet<&Path> = tracked.split('\0').map(Path::new).collect();
        found.retain(|path| !tracked.contains(path.as_path()));
    }
    Ok(found)
}

fn expand(source: &Path, at: &Path, parts: &[String], found: &mut BTreeSet<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        found.insert(at.to_path_buf());
        return;
    };
    let entries = || files::names_in(&source.join(at)).unwrap_or_default().into_iter();
    let folder = |path: &Path| source.join(path).symlink_metadata().is_ok_and(|data| data.is_dir());
    if part == "**" {
        expand(source, at, rest, found);
        let below = entries().filter(|name| name != ".git").map(|name| at.join(name));
        below.filter(|path| folder(path)).for_each(|path| expand(source, &path, parts, found));
        return;
    }
    // As in a shell: a sign stands for no dot at the beginning.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let Ok(pattern) = Pattern::new(part) else { return };
    for name in entries().filter(|name| name != ".git" && pattern.matches_with(name, options)) {
        let path = at.join(name);
        if rest.is_empty() || folder(&path) {
            expand(source, &path, rest, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Folders(tempfile::TempDir);

    impl Folders {
        /// A source with these files, where `tracked` is tracked, beside an empty place and a folder that is neither.
        fn with(paths: &[&str]) -> Folders {
            let folders = Folders(tempfile::tempdir().unwrap());
            for folder in ["source", "place", "victim"] {
                std::fs::create_dir(folders.0.path().join(folder)).unwrap();
            }
            for path in paths.iter().chain(&["own/tracked"]) {
                let path = folders.source().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, "theirs").unwrap();
            }
            Git::at(folders.source()).run("make", ["init", "-q"]).unwrap();
            Git::at(folders.source()).run("add", ["add", "-f", "--", ":(glob)**/tracked"]).unwrap();
            folders
        }

        fn source(&self) -> PathBuf {
            self.0.path().join("source")
        }

        fn place(&self) -> PathBuf {
            self.0.path().join("place")
        }

        fn bring(&self, copy: &[&str], link: &[&str]) -> Result<Bringing> {
            let own = |list: &[&str]| list.iter().map(ToString::to_string).collect();
            let rules = WorktreeSettings { copy: own(copy), link: own(link), ..WorktreeSettings::default() };
            let bringing = Bringing::look(&rules, &self.source(), &self.place())?;
            bringing.bring(&self.place())?;
            Ok(bringing)
        }
    }

    #[test]
    fn patterns_bring_what_is_untracked_and_what_is_not_there_is_named() {
        let folders =
            Folders::with(&["apps/a/.env", "apps/b/.env", "apps/b/tracked", "apps/b/x/.env", ".git/.env"]);
        let bringing = folders.bring(&["apps/*/.env", "no-such.cfg", "apps/*/tracked"], &[]).unwrap();
        assert_eq!(bringing.lines(), ["/apps/a/.env", "/apps/b/.env"]);
        let source = folders.source();
        let source = source.display();
        let missing = ["no-such.cfg", "apps/*/tracked"];
        assert_eq!(
            bringing.missing,
            missing.map(|name| format!("worktree.copy: {name} is not in {source}, and is not brought along"))
        );
        assert_eq!(std::fs::read_to_string(folders.place().join("apps/b/.env")).unwrap(), "theirs");
        let rest = folders.bring(&[], &["**/.env"]).unwrap();
        assert_eq!(rest.lines(), ["/apps/b/x/.env"]);
        let target = std::fs::read_link(folders.place().join("apps/b/x/.env")).unwrap();
        assert_eq!(target, folders.source().join("apps/b/x/.env"));
    }

    #[test]
    fn what_is_in_the_worktree_stays() {
        let folders = Folders::with(&["kept", "sub/a"]);
        std::fs::write(folders.place().join("kept"), "mine").unwrap();
        assert_eq!(folders.bring(&["kept"], &[]).unwrap().lines(), [""; 0]);
        folders.bring(&["sub", "sub/a", "sub/*"], &["sub"]).unwrap();
        assert!(folders.place().join("sub/a").is_file());
        assert_eq!(std::fs::read_to_string(folders.place().join("kept")).unwrap(), "mine");
    }

    #[test]
    fn no_link_leads_out_of_the_worktree_or_of_the_source() {
        let folders = Folders::with(&["cfg/secret.env", "cfg/mods/a", "real/a"]);
        let victim = folders.0.path().join("victim");
        symlink(&victim, folders.place().join("cfg")).unwrap();
        for (copy, link) in [(&["cfg/secret.env"][..], &[][..]), (&["cfg/*.env"], &[]), (&[], &["cfg/mods"])]
        {
            let said = folders.bring(copy, link).unwrap_err().to_string();
            assert!(said.starts_with("cfg in ") && said.contains(" is a link to "), "{said}");
        }
        assert_eq!(files::names_in(&victim).unwrap(), [""; 0]);
        std::fs::write(victim.join("passwd"), "theirs").unwrap();
        symlink(&victim, folders.source().join("out")).unwrap();
        assert!(folders.bring(&["out/passwd"], &[]).is_err());
        assert_eq!(folders.bring(&["*/passwd"], &[]).unwrap().missing.len(), 1);
    }

    #[test]
    fn a_link_that_stays_inside_is_followed_and_kept_out_of_git_where_it_leads() {
        let folders = Folders::with(&["cfg/.env"]);
        std::fs::create_dir(folders.place().join("real")).unwrap();
        symlink("real", folders.place().join("cfg")).unwrap();
        assert_eq!(folders.bring(&["cfg/.env"], &[]).unwrap().lines(), ["/real/.env"]);
        assert!(folders.place().join("real/.env").is_file());
        assert_eq!(line(Path::new("a b/[x]*")), "/a\\ b/\\[x]\\*");
    }
}
