//! A polecat's place: its worktree (or clone), prepared as the rig says.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::config::schema::{Command, Sandbox, Worktree};
use crate::failure::Failure;
use crate::programs::Process;
use crate::programs::git::{Git, last_words};
use crate::programs::process::Limit;
use crate::town::{Rig, files};
use crate::work::hooks;

/// What a place is made from.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The rig.
    pub rig: &'a Rig,
    /// The polecat's name.
    pub name: &'a str,
    /// Its branch.
    pub branch: &'a str,
    /// Where the branch starts: a ref or commit of the canonical clone.
    pub base: &'a str,
    /// Worktree or clone.
    pub sandbox: Sandbox,
    /// How it is prepared.
    pub rules: &'a Worktree,
    /// Whose settings file is written (`hooks` of the runtime).
    pub hooks: Option<&'a str>,
}

/// The branch of a polecat (`work.md`).
pub fn branch(name: &str, bead: &str) -> String {
    format!("polecat/{name}-{bead}")
}

/// The bead that a polecat's branch is about.
pub fn bead_of_branch<'a>(name: &str, branch: &'a str) -> Option<&'a str> {
    branch.strip_prefix("polecat/")?.strip_prefix(name)?.strip_prefix('-')
}

/// Makes the place and prepares it. One git process for a worktree, one more with submodules.
///
/// # Errors
/// What git, the disk or the setup command said; what was made so far is left for [`remove`].
pub fn make(wanted: &Wanted<'_>) -> Result<PathBuf> {
    let path = wanted.rig.polecat_dir(wanted.name);
    match wanted.sandbox {
        Sandbox::Worktree => add_worktree(wanted, &path)?,
        Sandbox::Clone => add_clone(wanted, &path)?,
    }
    Ok(path)
}

fn add_worktree(wanted: &Wanted<'_>, path: &Path) -> Result<()> {
    let git = Git::at(wanted.rig.clone_dir());
    let output = git.worktree_add(path, wanted.branch, wanted.base)?;
    if output.ok() {
        return Ok(());
    }
    let said = output.error_text();
    let missing = said.contains("missing but already registered") || said.contains("missing but locked");
    if missing {
        git.worktree_remove(path)?;
    } else if !said.contains("already exists") || path.exists() {
        crate::fail!("cannot make the worktree {}: {}", path.display(), last_words(&output));
    }
    // A killed sling left the branch. What was committed on it is kept before it is taken over.
    let name = format!("refs/heads/{}", wanted.branch);
    if let Some(old) = git.commit_of(&name)?
        && git.ahead(wanted.base, &old)? > 0
    {
        git.update_ref(&format!("refs/gt/recovery/{}/{old}", wanted.name), &old, None)?;
    }
    let output = git.worktree_take_over(path, wanted.branch, wanted.base)?;
    if output.ok() {
        return Ok(());
    }
    crate::fail!("cannot make the worktree {}: {}", path.display(), last_words(&output))
}

/// A full clone: objects are shared with the canonical clone by hard links, its origin is the rig's.
fn add_clone(wanted: &Wanted<'_>, path: &Path) -> Result<()> {
    let source = wanted.rig.clone_dir();
    let base = match Git::at(&source).commit_of(wanted.base)? {
        Some(commit) => commit,
        None => crate::fail!("no commit {} in {}", wanted.base, source.display()),
    };
    let from = source.to_string_lossy().into_owned();
    let words = ["clone".into(), "-q".into(), "--no-checkout".into(), source.into_os_string(), path.into()];
    Git::at(&wanted.rig.root).run("clone", words)?;
    let git = Git::at(path);
    // A clone takes the branches of its source for those of origin: what the source knows of origin counts.
    let tracked = "+refs/remotes/origin/*:refs/remotes/origin/*";
    git.run("take over what is known of origin", ["fetch", "-q", "--no-tags", "--prune", &from, tracked])?;
    git.run("set the origin", ["remote", "set-url", "origin", "--", &wanted.rig.config.git_url])?;
    git.run("make the branch", ["checkout", "-q", "--no-track", "-b", wanted.branch, &base]).map(drop)
}

/// Puts into a fresh place what the rig wants in it: submodules, copies, links, settings of the agent, the setup
/// command. No file that the project tracks is written: what is there already stays.
///
/// # Errors
/// A path that leads outside, a disk that cannot take it, or the setup command's end and last lines.
pub fn prepare(wanted: &Wanted<'_>, path: &Path) -> Result<()> {
    let rules = wanted.rules;
    let source = wanted.rig.clone_dir();
    let mut untracked: Vec<String> = Vec::new();
    if rules.submodules {
        Git::at(path).run("check out submodules", ["submodule", "update", "-q", "--init", "--recursive"])?;
    }
    for (list, link) in [(&rules.copy, false), (&rules.link, true)] {
        for name in list {
            let inside = inside(name)?;
            if bring(&source.join(&inside), &path.join(&inside), link)? {
                untracked.push(pattern(&inside));
            }
        }
    }
    untracked.extend(hooks::write(wanted.hooks, path)?);
    // `info/exclude` is the clone's, for all of its worktrees.
    let excluded = if wanted.sandbox == Sandbox::Clone { path } else { &source };
    Git::at(excluded).exclude(&untracked)?;
    match &rules.setup {
        Some(command) => set_up(command, path),
        None => Ok(()),
    }
}

/// A path of the settings, which must stay inside.
pub(super) fn inside(name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if name.is_empty() || !plain {
        return Err(Failure::new(format!("worktree.copy and worktree.link: '{name}' is not a path inside"))
            .hint("name files of the clone mayor/rig, as in copy = [\".env\"]")
            .into());
    }
    Ok(path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

/// The line of `info/exclude` for exactly this path.
pub(super) fn pattern(path: &Path) -> String {
    let mut line = String::from("/");
    for c in path.to_string_lossy().chars() {
        if matches!(c, '*' | '?' | '[' | '\\' | ' ') {
            line.push('\\');
        }
        line.push(c);
    }
    line
}

/// Copies or links one path, unless it is there. `false`: nothing was there to bring, or nothing had to be done.
fn bring(from: &Path, to: &Path, link: bool) -> Result<bool> {
    if !from.exists() || to.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let failed = || format!("cannot bring {} to {}", from.display(), to.display());
    if let Some(dir) = to.parent() {
        std::fs::create_dir_all(dir).with_context(failed)?;
    }
    if link {
        std::os::unix::fs::symlink(from, to).with_context(failed)?;
    } else {
        copy(from, to).with_context(failed)?;
    }
    Ok(true)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let kind = from.symlink_metadata()?.file_type();
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    if !kind.is_dir() {
        // A FIFO would be waited on.
        files::open(from)?;
        return std::fs::copy(from, to).map(drop);
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        // git leaves sockets and FIFOs out too.
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn set_up(command: &Command, path: &Path) -> Result<()> {
    let process = match command {
        Command::Text(text) => Process::new("sh").args(["-c", text]),
        Command::Words(words) => match words.split_first() {
            Some((program, rest)) => Process::new(program).args(rest),
            None => return Ok(()),
        },
    };
    let limit = Limit::Local(format!("worktree.setup ({})", process.shown()));
    let output = process.clone().cwd(path).own_locale().limit(limit).run()?;
    if output.ok() {
        return Ok(());
    }
    let all = format!("{}\n{}", output.text(), output.error_text());
    let end: Vec<&str> = all.trim().lines().rev().take(5).collect();
    let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
    let how = output.code.map_or("was killed".into(), |code| format!("ended with {code}"));
    Err(Failure::new(format!("worktree.setup {how}:\n{end}"))
        .hint(format!("mend the command in the rig's config.json, then sling again: {}", process.shown()))
        .into())
}

/// Takes back what [`make`] made for a polecat that never worked there: its place and its branch, which holds nothing
/// that is not kept elsewhere.
///
/// # Errors
/// When git refuses.
pub fn remove(wanted: &Wanted<'_>) -> Result<()> {
    let path = wanted.rig.polecat_dir(wanted.name);
    crate::town::occupancy::check_removable(&path)?;
    let git = Git::at(wanted.rig.clone_dir());
    if wanted.sandbox == Sandbox::Clone {
        return std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()));
    }
    git.worktree_remove(&path)?;
    if path.exists() {
        std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let name = format!("refs/heads/{}", wanted.branch);
    match git.commit_of(&name)? {
        Some(tip) => git.delete_ref(&name, &tip),
        None => Ok(()),
    }
}

/// Brings back the place of a polecat whose folder is gone: on its branch when that stands, else from `base`.
///
/// # Errors
/// As [`make`].
pub fn restore(wanted: &Wanted<'_>) -> Result<PathBuf> {
    let path = wanted.rig.polecat_dir(wanted.name);
    let git = Git::at(wanted.rig.clone_dir());
    if wanted.sandbox == Sandbox::Clone {
        return make(wanted);
    }
    git.worktree_prune()?;
    if git.commit_of(&format!("refs/heads/{}", wanted.branch))?.is_none() {
        return make(wanted);
    }
    git.worktree_checkout(&path, wanted.branch)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_settings_stay_inside() {
        assert_eq!(inside("./a/b").unwrap(), Path::new("a/b"));
        for bad in ["", "..", "/etc/passwd", "a/../../b"] {
            assert!(inside(bad).is_err(), "{bad}");
        }
        assert_eq!(pattern(Path::new("a b/[x]*")), "/a\\ b/\\[x]\\*");
    }

    #[test]
    fn a_branch_tells_its_bead() {
        assert_eq!(bead_of_branch("Nux", &branch("Nux", "wy-a.2")), Some("wy-a.2"));
        assert_eq!(bead_of_branch("Nux", "polecat/Nuxx-wy-1"), None);
        assert_eq!(bead_of_branch("Nux", "main"), None);
    }

    #[test]
    fn copies_keep_folders_links_and_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir_all(from.join("sub")).unwrap();
        std::fs::create_dir_all(&to).unwrap();
        std::fs::write(from.join("sub/a"), "one").unwrap();
        std::os::unix::fs::symlink("a", from.join("sub/b")).unwrap();
        assert!(bring(&from.join("sub"), &to.join("sub"), false).unwrap());
        assert_eq!(std::fs::read_to_string(to.join("sub/b")).unwrap(), "one");
        std::fs::write(to.join("kept"), "mine").unwrap();
        std::fs::write(from.join("kept"), "theirs").unwrap();
        assert!(!bring(&from.join("kept"), &to.join("kept"), false).unwrap());
        assert_eq!(std::fs::read_to_string(to.join("kept")).unwrap(), "mine");
        assert!(!bring(&from.join("absent"), &to.join("absent"), true).unwrap());
    }
}
