//! A polecat's place: its worktree (or clone), prepared as the rig says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::base::failure::Failure;
use crate::base::files;
use crate::base::quote::quote;
use crate::config::schema::{CommandSetting, OwnFile, SandboxSetting, WorktreeSettings};
use crate::model::ids::{BeadId, InstanceId};
use crate::model::refs::{Branch, HEADS, POLECAT};
use crate::programs::Process;
use crate::programs::git::{Git, lfs};
use crate::programs::process::Limit;
use crate::town::{Rig, occupancy};
use crate::work::agent::hooks;
use crate::work::polecat::bringing::Bringing;
use crate::work::polecat::loss::keep::Shelf;
use crate::work::polecat::sandbox::{Sandbox as Place, UNBEGUN};
use crate::work::polecat::submodules;

/// What a place is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewWorktree<'a> {
    /// The rig.
    pub rig: &'a Rig,
    /// The polecat's name.
    pub name: &'a str,
    /// Its branch.
    pub branch: &'a str,
    /// Where the branch starts: a ref or commit of the canonical clone.
    pub base: &'a str,
    /// Worktree or clone.
    pub sandbox: SandboxSetting,
    /// How it is prepared.
    pub rules: &'a WorktreeSettings,
    /// Files of gt's own that it gets (`files` of the runtime).
    pub files: &'a [OwnFile],
    /// The only variables that the setup command gets; all of gt's when absent.
    pub only_env: Option<&'a [(String, String)]>,
}

impl NewWorktree<'_> {
    /// The folder whose `info/exclude` counts in it: the clone's is for all of its worktrees.
    pub fn excluding(&self, path: &Path) -> PathBuf {
        if self.sandbox == SandboxSetting::Clone { path.to_path_buf() } else { self.rig.clone_dir() }
    }
}

/// Whether git takes a branch that ends with this id (`git check-ref-format`).
pub fn can_be_a_branch(id: &str) -> bool {
    !id.is_empty() && !id.contains('/') && crate::base::grammar::is_branch_name(&format!("{POLECAT}Nux-{id}"))
}

/// The branch of this polecat that its worktree is on. No process; nothing while it is on another one, or detached.
pub fn branch_at(rig: &Rig, name: &str) -> Option<Branch> {
    let head = Git::at(rig.polecat_dir(name)).git_dir().ok()?.join("HEAD");
    let head = files::text(&head).ok()??;
    Branch::of_ref(head.trim().strip_prefix("ref: ")?)
        .filter(|own| own.name == name && own.may_be_of(&rig.town))
}

/// The bead that a polecat's worktree is about, by its branch.
pub fn bead_at(rig: &Rig, name: &str) -> Option<String> {
    branch_at(rig, name).map(|own| own.bead.into())
}

/// The branch that a polecat was begun on: an earlier version made it with no town in its name. At most one process.
///
/// # Errors
/// When git cannot be started.
pub fn branch_of(rig: &Rig, name: &str, bead: &BeadId) -> Result<Branch> {
    if let Some(own) = branch_at(rig, name).filter(|own| own.bead == bead) {
        return Ok(own);
    }
    let [new, old] = [&rig.town, ""].map(|town| Branch::new(town, name, bead));
    let refs = Git::at(rig.clone_dir()).refs(&format!("{HEADS}{old}"))?;
    let begun = refs.iter().any(|(full, _)| Branch::of_ref(full).as_ref() == Some(&old));
    Ok(if begun { old } else { new })
}

/// Checks that nothing stands where a place is to be made: a folder that gt did not make stays as it is.
///
/// # Errors
/// When something is there.
pub fn check_free(path: &Path) -> Result<()> {
    let free = match path.symlink_metadata() {
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(data) => {
            data.is_dir() && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
        }
    };
    if free {
        return Ok(());
    }
    let shown = quote(&path.to_string_lossy());
    crate::fail!("{} is there already", path.display(); "look at it (ls -la {shown}), move it away, or sling to another name")
}

/// Makes the place and prepares it. One git process for a worktree, one more with submodules.
///
/// # Errors
/// What git, the disk or the setup command said; what was made so far is left for [`remove`].
pub fn make(wanted: &NewWorktree<'_>) -> Result<PathBuf> {
    let path = wanted.rig.polecat_dir(wanted.name);
    match wanted.sandbox {
        SandboxSetting::Worktree => {
            add_worktree(wanted, &path)?;
            mark_unbegun(&path)?;
        }
        SandboxSetting::Clone => add_clone(wanted, &path)?,
    }
    Ok(path)
}

fn mark_unbegun(path: &Path) -> Result<()> {
    let mark = Git::at(path).git_dir()?.join(UNBEGUN);
    std::fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))
}

/// The place is complete, and its session is about to start.
///
/// # Errors
/// When the mark cannot be removed.
pub fn begin(path: &Path) -> Result<()> {
    let Ok(dir) = Git::at(path).git_dir() else { return Ok(()) };
    match std::fs::remove_file(dir.join(UNBEGUN)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {UNBEGUN} from {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn add_worktree(wanted: &NewWorktree<'_>, path: &Path) -> Result<()> {
    let git = Git::at(wanted.rig.clone_dir());
    let output = git.worktree_add(path, wanted.branch, wanted.base)?;
    if output.ok() {
        return Ok(());
    }
    let name = format!("refs/heads/{}", wanted.branch);
    if !path.exists() && git.has_worktree(path)? {
        // Known to git, and gone.
        git.worktree_remove(path)?;
    } else if path.exists() || git.commit_of(&name)?.is_none() {
        no_branch_above(&git, &wanted.rig.clone_dir(), wanted.branch)?;
        return Err(git.failed(&format!("make the worktree {}", path.display()), &output).into());
    }
    // A killed sling left the branch. What was committed on it is kept before it is taken over.
    if let Some(old) = git.commit_of(&name)?
        && git.ahead(wanted.base, &old)? > 0
    {
        Shelf::new(&wanted.rig.clone_dir(), wanted.name, &InstanceId::of_commit(&old), path)
            .put(&[(String::new(), old.clone())])?;
    }
    let output = git.worktree_take_over(path, wanted.branch, wanted.base)?;
    if output.ok() {
        return Ok(());
    }
    Err(git.failed(&format!("make the worktree {}", path.display()), &output).into())
}

/// A branch of the name of a folder leaves no place for branches in it.
///
/// # Errors
/// When there is one; when git cannot tell.
pub fn no_branch_above(git: &Git, clone: &Path, branch: &str) -> Result<()> {
    for above in
        Path::new(branch).ancestors().skip(1).filter_map(Path::to_str).filter(|name| !name.is_empty())
    {
        if git.commit_of(&format!("refs/heads/{above}"))?.is_some() {
            crate::fail!(
                "{} has a branch '{above}', so there can be no branch {branch}", clone.display();
                "give it another name: git -C {} branch -m {above} NEW", quote(&clone.to_string_lossy())
            );
        }
    }
    Ok(())
}

/// A full clone: objects are shared with the canonical clone by hard links, its origin is the rig's. It is made aside, so
/// that a kill leaves nothing under the polecat's name.
fn add_clone(wanted: &NewWorktree<'_>, path: &Path) -> Result<()> {
    let source = wanted.rig.clone_dir();
    let base = match Git::at(&source).commit_of(wanted.base)? {
        Some(commit) => commit,
        None => crate::fail!("no commit {} in {}", wanted.base, source.display()),
    };
    let from = source.to_string_lossy().into_owned();
    if path.symlink_metadata().is_ok() {
        crate::fail!("cannot make the clone {}: it is there already", path.display(); "look at it: ls -la {}", path.display());
    }
    let parent = path.parent().unwrap_or(path);
    files::make_dir(parent)?;
    let aside = files::Aside::new(parent)?;
    let draft = aside.path("clone");
    let words =
        ["clone".into(), "-q".into(), "--no-checkout".into(), source.into_os_string(), draft.clone().into()];
    Git::at(&wanted.rig.root).run("clone", words)?;
    let git = Git::at(&draft);
    // A clone takes the branches of its source for those of origin: what the source knows of origin counts.
    let tracked = "+refs/remotes/origin/*:refs/remotes/origin/*";
    git.run("take over what is known of origin", ["fetch", "-q", "--no-tags", "--prune", &from, tracked])?;
    let url = &wanted.rig.config.git_url;
    git.run("set the origin", ["remote", "set-url", "origin", "--", url])?;
    git.use_credential(&wanted.rig.root, url)?;
    git.take_identity(&wanted.rig.clone_dir())?;
    git.run("make the branch", ["checkout", "-q", "--no-track", "-b", wanted.branch, &base])?;
    mark_unbegun(&draft)?;
    std::fs::rename(&draft, path)
        .map_err(|error| files::error_of(error, format!("cannot make {}", path.display())))
}

/// Puts into a fresh place what the rig wants in it: submodules, copies, links, settings of the agent, the setup
/// command. No file that the project tracks is written: what is there already stays. Gives what is missing in it, each in a
/// sentence.
///
/// # Errors
/// A path that leads outside, a disk that cannot take it, or the setup command's end and last lines.
pub fn prepare(wanted: &NewWorktree<'_>, path: &Path) -> Result<Vec<String>> {
    let rules = wanted.rules;
    let source = wanted.rig.clone_dir();
    if rules.submodules {
        submodules::check_out(&source, path)?;
    }
    let bringing = Bringing::look(rules, &source, path)?;
    let mut untracked = bringing.lines();
    untracked.extend(hooks::lines(wanted.files, path)?);
    // It comes first: after a kill nothing looks like work.
    Git::at(wanted.excluding(path)).exclude(&untracked)?;
    bringing.bring(path)?;
    hooks::write(wanted.files, path)?;
    if let Some(command) = &rules.setup {
        set_up(wanted, command, path)?;
    }
    let mut missing = bringing.missing;
    if lfs::is_missing_at_top(path) {
        missing.push(format!(
            "files of the project are with git-lfs, and only pointers are here: {}",
            lfs::INSTALL
        ));
    }
    Ok(missing)
}

fn set_up(wanted: &NewWorktree<'_>, command: &CommandSetting, path: &Path) -> Result<()> {
    let process = match command {
        CommandSetting::Text(text) => Process::new("sh").args(["-c", text]),
        CommandSetting::Words(words) => match words.split_first() {
            Some((program, rest)) => Process::new(program).args(rest),
            None => return Ok(()),
        },
    };
    let limit = Limit::Local(format!("worktree.setup ({})", process.shown()));
    let process = match wanted.only_env {
        Some(env) => process.only_env(env),
        None => process,
    };
    // What it leaves in the background is found by these at the end.
    let marks = occupancy::mark_of(wanted.rig, wanted.name);
    let marked = marks.iter().fold(process.clone(), |process, (key, value)| process.env(key, value));
    let output = marked.cwd(path).own_locale().limit(limit).run()?;
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

/// Takes back what [`make`] made for a polecat that never worked there: its place and its branch. Should somebody have
/// worked there all the same, that is kept.
///
/// # Errors
/// When git refuses.
pub fn remove(wanted: &NewWorktree<'_>, target: &str, instance: &InstanceId) -> Result<()> {
    Place::of(wanted.rig, target, wanted.name, instance).take_back(wanted.branch)
}

/// Brings back the place of a polecat whose folder is gone: on its branch when that stands, else from `base`.
///
/// # Errors
/// As [`make`].
pub fn restore(wanted: &NewWorktree<'_>, target: &str, instance: &InstanceId) -> Result<PathBuf> {
    let path = wanted.rig.polecat_dir(wanted.name);
    let git = Git::at(wanted.rig.clone_dir());
    if wanted.sandbox == SandboxSetting::Clone {
        return make(wanted);
    }
    Place::of(wanted.rig, target, wanted.name, instance).forget_worktree()?;
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
    fn ids_that_git_takes_for_a_branch() {
        for id in ["wy-1", "wy-a.2", "wy-", "wy-ü", "wy-1.locked"] {
            assert!(can_be_a_branch(id), "{id}");
        }
        for id in
            ["", "wy-1.lock", "wy-1..2", "wy-1.", "wy-a b", "wy-a/b", "wy-@{1}", "wy-a\nb", "wy~1", "wy\\1"]
        {
            assert!(!can_be_a_branch(id), "{id:?}");
        }
    }
}
