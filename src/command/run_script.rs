//! `gt run-script`: the program of the `shell` runtime. It does the bead's own script, with no model at all.
//!
//! The script is run by `sh -eu` (or `bash -eu` for a `bash` block) in the worktree, always from the target: what an
//! earlier run left is put aside first, commits and changes under a recovery ref. So a bead that comes
//! back from the queue with a conflict is done again on the new target.

use std::io::Write;

use anyhow::{Context, Result};

use super::{Ctx, print};
use crate::base::failure::Exit;
use crate::base::{files, terminal};
use crate::beads::{Change, Guard};
use crate::config;
use crate::model::bead::{Bead, Patch};
use crate::model::ids::InstanceId;
use crate::model::words;
use crate::plan::merge_message::harmless;
use crate::programs::Process;
use crate::programs::git::Git;
use crate::town::Town;
use crate::work::agent::{hook, script};
use crate::work::merge::links;
use crate::work::observe::own::{self, OwnWorktree};
use crate::work::polecat::loss::keep::Shelf;

/// Does the script on this polecat's hook, commits everything and hands it over.
///
/// # Errors
/// Nothing on the hook, no script, a script that failed (the program ends with the script's own exit code then), or
/// what `gt done` refused. The end of the output stands on the bead.
pub fn run(ctx: &Ctx) -> Result<Exit> {
    let town = ctx.town()?;
    let home = own::home(&town, &ctx.dir, &ctx.me()?)?;
    let Some(bead) = hook::hook(&town, &home.address)?.beads.into_iter().next() else {
        crate::fail!("nothing is on the hook of {}", home.address; "give it work: gt sling BEAD {}", home.address);
    };
    if bead.foreign {
        crate::fail!(
            "{} is foreign: others changed what it says, so its script is not run", bead.id;
            "the person reads it and makes it the town's again with: gt adopt {}", bead.id
        );
    }
    begin(&home, &bead)?;
    let failure = match work(ctx, &town, &home, &bead) {
        Ok(None) => return Ok(Exit::Done),
        Ok(Some(code)) => {
            super::tell(&format!("gt: the script of {} ended with {code}", bead.id));
            // The pane and whoever looks at it get the script's own code, which is none of ours.
            std::process::exit(code);
        }
        Err(error) => error,
    };
    comment(&home, &bead, &format!("could not be done: {failure:#}"));
    Err(failure)
}

/// The bead is being worked on. Refused means that it was begun already.
fn begin(home: &OwnWorktree, bead: &Bead) -> Result<()> {
    if bead.status != words::HOOKED {
        return Ok(());
    }
    let guard = Guard {
        id: bead.id.clone(),
        statuses: vec![words::HOOKED.into()],
        assignee: Some(bead.assignee.clone()),
        ..Guard::default()
    };
    let patch = Patch { status: Some(words::IN_PROGRESS.into()), ..Patch::default() };
    home.rig.store(&home.address)?.write(&[guard], &[Change::Update(bead.id.clone(), Box::new(patch))])?;
    Ok(())
}

/// Gives the script's exit code when it failed.
fn work(ctx: &Ctx, town: &Town, home: &OwnWorktree, bead: &Bead) -> Result<Option<i32>> {
    let script = script::of(&bead.id, &bead.description)?;
    let settings = ctx.settings(town, Some(&home.rig))?;
    let target = format!("refs/remotes/origin/{}", config::target(&settings));
    let git = Git::at(&home.dir);
    put_aside(home, bead, &git, &target)?;
    print(&format!("{}: {}\n", bead.id, bead.title))?;
    let (code, output) = run_it(home, &script)?;
    if code != 0 {
        let end = script::end_of(&output);
        comment(home, bead, &format!("the script ended with {code}:\n{end}"));
        return Ok(Some(code));
    }
    if let Some(failure) = links::nested_failure(&links::nested(&home.dir, &git.status()?.dirty)) {
        return Err(failure.into());
    }
    let changed = git.commit_all(&format!("{}\n", harmless(&bead.title)))? || git.ahead(&target, "HEAD")? > 0;
    let no_changes = (!changed).then_some("the script changed nothing");
    let answer = super::done::hand_over(ctx, no_changes, true, false)?;
    print(&format!("{}: {}\n", bead.id, answer.state))?;
    Ok(None)
}

/// The script always begins at the target. Nothing of an earlier run is lost.
fn put_aside(home: &OwnWorktree, bead: &Bead, git: &Git, target: &str) -> Result<()> {
    let mut status = git.status()?;
    if status.branch.is_none() {
        git.run("stop the replay", ["rebase", "--abort"])?;
        status = git.status()?;
    }
    let mut tip = status.commit.clone();
    if !status.dirty.is_empty() {
        // Not `git stash`: all worktrees of a clone share one.
        git.run("gather changes", ["add", "-A"])?;
        let tree = git.run("write the changes", ["write-tree"])?;
        tip = git.commit_kept(&tree, &[&tip], &format!("{}: left by an earlier run", bead.id))?;
    }
    if tip != status.commit || git.ahead(target, &tip)? > 0 {
        // A full clone has refs of its own.
        let own = home.dir.join(".git").is_dir();
        let clone = if own { home.dir.clone() } else { home.rig.clone_dir() };
        let shelf = Shelf::new(&clone, &home.name, &InstanceId::of_commit(&tip), &home.dir);
        shelf.put(&[(String::new(), tip)])?;
        git.run("begin at the target", ["reset", "-q", "--hard", target])?;
        super::tell(&format!("gt: what an earlier run left is kept under {}", shelf.main_ref()));
    }
    Ok(())
}

/// Runs it, its output going to the pane and to the log as it comes.
fn run_it(home: &OwnWorktree, script: &script::Script) -> Result<(i32, Vec<u8>)> {
    let mut file = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    file.write_all(script.text.as_bytes()).context("cannot write a temporary file")?;
    let logs = home.rig.logs_dir();
    files::make_dir(&logs)?;
    let path = logs.join(format!("{}-{}.log", home.name, home.instance));
    let failed = || format!("cannot write {}", path.display());
    let mut log = files::open_private().append(true).open(&path).with_context(failed)?;
    let mut output = Vec::new();
    let process = Process::new(script.shell).arg("-eu").arg(file.path()).cwd(&home.dir).own_locale();
    let mut lost = None;
    let code = process.run_streaming(|bytes| {
        // The pane is the script's own terminal. One that is gone is no reason to stop the work.
        let _ = terminal::pass(bytes);
        lost = log.write_all(bytes).err().or(lost.take());
        output.extend_from_slice(bytes);
    })?;
    match lost {
        Some(error) => Err(error).with_context(failed),
        None => Ok((code, output)),
    }
}

/// Puts a remark on the bead. When even that fails the pane has it all the same.
fn comment(home: &OwnWorktree, bead: &Bead, text: &str) {
    let change = Change::Comment(bead.id.clone(), text.into());
    let written = home.rig.store(&home.address).and_then(|store| store.write(&[], &[change]));
    if let Err(error) = written {
        super::tell(&format!("gt: cannot put it on {}: {error:#}", bead.id));
    }
}
