//! `gt diff`, `gt path`, `gt log`: look at an agent's work before it is merged.

use std::path::PathBuf;

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal::{self, Text};
use crate::cli::queue::LookArgs;
use crate::model::address::Address;
use crate::programs::git::Git;
use crate::programs::git::trees::ALL_SUBMODULES;
use crate::programs::pager::Pager;
use crate::town::{self, Rig};
use crate::work::merge::queue;
use crate::work::remote::pushed;
use crate::{config, report};

/// Where an agent's work is.
struct AgentWork {
    address: Address,
    dir: PathBuf,
    /// The commit, where only that is left: the worktree is gone and the work waits in the queue.
    commit: Option<String>,
    target: String,
}

/// What an agent changed since it left the target, committed or not.
///
/// # Errors
/// When there is nobody of that address, or git cannot compare.
pub fn diff(ctx: &Ctx, args: LookArgs) -> Result<Exit> {
    let work = find(ctx, &args.address)?;
    let git = Git::at(&work.dir);
    let tip = work.commit.as_deref().unwrap_or("HEAD");
    let base = git.run("find where the work begins", ["merge-base", &work.target, tip])?;
    let words: Vec<&str> =
        ["diff", ALL_SUBMODULES, &base].into_iter().chain(work.commit.as_deref()).chain(["--"]).collect();
    if work.commit.is_none() {
        let status = git.status()?;
        let untracked: Vec<&str> = status.dirty.iter().filter_map(|line| line.strip_prefix("?? ")).collect();
        if !untracked.is_empty() {
            ctx.note(&format!(
                "not in the difference, because git does not track them: {}",
                untracked.join(", ")
            ));
        }
    }
    show(ctx, &work, &git, "diff", &words)
}

/// Where an agent works.
///
/// # Errors
/// When there is nobody of that address.
pub fn path(ctx: &Ctx, args: LookArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let address = ctx.agent(&town, &args.address)?;
    let rig = address.rig().map(|name| town.rig(name)).transpose()?;
    let dir = town::home(&town, rig.as_ref(), &address);
    if !dir.is_dir() {
        if let Some((record, path)) = pushed::place(&town, &address.to_string())? {
            return Err(Failure::new(format!("{address} works on {}, in {path}", record.remote))
                .hint(format!("see what it pushed with: gt diff {address}"))
                .into());
        }
        let waits = |rig: &Rig| -> Result<bool> {
            let (rows, _) = queue::list(rig, &ctx.me()?.address)?;
            Ok(rows.iter().any(|row| row.worker == address.to_string()))
        };
        if rig.as_ref().map_or(Ok(false), waits)? {
            return Err(Failure::new(format!("{address} handed in its work, and its worktree is gone"))
                .hint(format!("see what it changed with: gt diff {address}"))
                .into());
        }
        return Err(nobody(&address, rig.as_ref()).into());
    }
    if ctx.global.json {
        print_json("path", &dir)?;
    } else {
        print(&format!("{}\n", dir.display()))?;
    }
    Ok(Exit::Done)
}

/// The commits that an agent made and the target lacks.
///
/// # Errors
/// As [`diff`].
pub fn log(ctx: &Ctx, args: LookArgs) -> Result<Exit> {
    let work = find(ctx, &args.address)?;
    let range = format!("{}..{}", work.target, work.commit.as_deref().unwrap_or("HEAD"));
    show(ctx, &work, &Git::at(&work.dir), "log", &["log", "--oneline", "--decorate", &range, "--"])
}

fn show(ctx: &Ctx, work: &AgentWork, git: &Git, name: &str, words: &[&str]) -> Result<Exit> {
    let words: Vec<&str> = ["-c", "color.ui=never"].into_iter().chain(words.iter().copied()).collect();
    if ctx.global.json {
        let text = git.run(&format!("show the {name} of {}", work.address), words)?;
        print_json(name, &serde_json::json!({ "address": work.address, "text": text }))?;
        return Ok(Exit::Done);
    }
    let is_patch = name == "diff";
    let code = if is_patch && !ctx.fancy() && !terminal::is_shown() {
        // A patch that another program reads has to stay what git made, byte for byte.
        git.process(words).run_telling()?
    } else {
        let screen = ctx.screen();
        let line = if is_patch { report::diff::patch } else { report::diff::commit };
        page(git, &words, |text| line(text, &screen))?
    };
    match code {
        0 => Ok(Exit::Done),
        _ => crate::fail!("git could not show the {name} of {}", work.address),
    }
}

/// Shows what git prints, line by line, in the person's pager where there is a terminal; gives git's exit code.
fn page(git: &Git, words: &[&str], shown: impl Fn(&str) -> Text) -> Result<i32> {
    let mut pager = if terminal::is_shown() { Pager::open(git)? } else { None };
    let mut show = |line: &str| {
        let text = shown(line);
        match &mut pager {
            Some(pager) => {
                pager.show(&text);
                Ok(())
            }
            None => terminal::print(text),
        }
    };
    let mut failed = Ok(());
    let code = git.process(words).run_lines(|line| {
        if failed.is_ok() {
            failed = show(line);
        }
    })?;
    if let Some(pager) = pager {
        pager.close();
    }
    failed.map(|()| code)
}

fn find(ctx: &Ctx, text: &str) -> Result<AgentWork> {
    let town = ctx.town()?;
    let address = ctx.agent(&town, text)?;
    let Some(name) = address.rig() else {
        return Err(Failure::usage(format!("{address} works on no code"))
            .hint("name a polecat or a crew member: gt diff RIG/NAME")
            .into());
    };
    let rig = town.rig(name)?;
    let settings = ctx.settings(&town, Some(&rig))?;
    let target = format!("refs/remotes/origin/{}", config::target(&settings));
    let dir = town::home(&town, Some(&rig), &address);
    if dir.join(".git").exists() {
        return Ok(AgentWork { address, dir, commit: None, target });
    }
    if let Some((record, _)) = pushed::place(&town, &address.to_string())? {
        let (_, commit) = pushed::commit(&rig, address.name(), &record)?;
        return Ok(AgentWork { address, dir: rig.clone_dir(), commit: Some(commit), target });
    }
    waiting(ctx, &rig, address, target)
}

/// The work of a polecat that is gone and whose request waits.
fn waiting(ctx: &Ctx, rig: &Rig, address: Address, target: String) -> Result<AgentWork> {
    let (rows, _) = queue::list(rig, &ctx.me()?.address)?;
    let Some(row) = rows.into_iter().find(|row| row.worker == address.to_string()) else {
        return Err(nobody(&address, Some(rig)).into());
    };
    let clones = [rig.clone_dir(), rig.refinery_dir()];
    for dir in clones {
        if Git::at(&dir).commit_of(&row.commit)?.is_some() {
            return Ok(AgentWork { address, dir, commit: Some(row.commit), target });
        }
    }
    crate::fail!("the commit {} of {address} is not here yet", row.commit; "it is fetched by: gt refinery process {}", rig.name)
}

fn nobody(address: &Address, rig: Option<&Rig>) -> Failure {
    let hint = match rig {
        Some(rig) => format!("see who is there with: gt polecats {0}; gt crew list --rig {0}", rig.name),
        None => "see who is there with: gt agents".into(),
    };
    Failure::new(format!("{address} has no worktree")).hint(hint)
}
