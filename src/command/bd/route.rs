//! Which of a town's stores a command is for: beads are found by the prefix of their ids, whatever folder it runs in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Ctx;
use crate::beads::embedded::Embedded;
use crate::beads::{self, Filter, Kind, Store};
use crate::cli::bd::{BdCommand, CommentsCommand, Dep, Label};
use crate::failure::Failures;
use crate::town::ids::{Owner, Prefixes};

/// The ids of beads that a command names and that have to exist.
pub(super) fn ids(command: &BdCommand) -> Vec<String> {
    match command {
        BdCommand::Show(args) => args.ids.clone(),
        BdCommand::Update(args) => args.ids.clone(),
        BdCommand::Close(args) | BdCommand::Reopen(args) => args.beads.ids.clone(),
        BdCommand::Dep(Dep::Add(args)) => vec![args.id.clone()],
        BdCommand::Dep(Dep::Remove(args)) => vec![args.id.clone()],
        BdCommand::Dep(Dep::List { id, .. }) | BdCommand::Label(Label::List { id }) => vec![id.clone()],
        BdCommand::Label(Label::Add(args) | Label::Remove(args)) => {
            args.words.iter().take(1).cloned().collect()
        }
        BdCommand::Comments(args) => match &args.add {
            Some(CommentsCommand::Add(add)) => vec![add.id.clone()],
            None => args.id.iter().cloned().collect(),
        },
        BdCommand::Comment(args) => vec![args.id.clone()],
        BdCommand::Create(args) => args.parent.iter().cloned().collect(),
        BdCommand::Ready(args) => args.parent.iter().cloned().collect(),
        BdCommand::List(args) => args.parent.iter().chain(&args.id).cloned().collect(),
        _ => Vec::new(),
    }
}

/// The first word after the command that is no flag: an id, in what only the real bd understands.
pub(super) fn first_word(words: &[OsString]) -> Vec<String> {
    let words = words.iter().skip(1).filter_map(|word| word.to_str());
    words.filter(|word| !word.starts_with('-')).take(1).map(Into::into).collect()
}

/// The store of the first of these beads: the one at hand if it has it, else that of the rig, or the town, whose prefix its
/// id has. Without ids, outside a town, and where no prefix fits, the store at hand.
pub(super) fn store_of(ctx: &Ctx, here: Option<PathBuf>, ids: &[String]) -> Option<PathBuf> {
    let Some(id) = ids.first() else { return here };
    if here.as_ref().is_some_and(|dir| has(dir, id)) {
        return here;
    }
    elsewhere(ctx, here.as_deref(), id).or(here)
}

/// Whether gt's own store in a folder has a bead. The real bd is not asked: its ids have the prefix of their rig.
fn has(dir: &Path, id: &str) -> bool {
    if beads::kind_of(dir).is_ok_and(|kind| kind == Kind::Bd) {
        return false;
    }
    let filter = Filter { ids: vec![id.to_string()], ..Filter::default() };
    Embedded::open(dir, "", "gt").and_then(|store| store.list(&filter)).is_ok_and(|found| !found.is_empty())
}

fn elsewhere(ctx: &Ctx, here: Option<&Path>, id: &str) -> Option<PathBuf> {
    let town = ctx.town().ok()?;
    // A store that was named and belongs to no rig of this town is meant as it is.
    if here.is_some_and(|dir| !dir.canonicalize().is_ok_and(|dir| dir.starts_with(&town.root))) {
        return None;
    }
    let mut failures = Failures::default();
    let rigs = town.rigs(&mut failures).ok()?;
    let own = crate::config::settings(&ctx.sources(&town, None)).ok()?.beads.prefix;
    let dirs: Vec<PathBuf> = Prefixes::of(&own, &rigs)
        .owners(id)
        .iter()
        .map(|owner| match owner {
            Owner::Rig(rig) => town.root.join(rig).join(".beads"),
            Owner::Town => town.beads_dir(),
        })
        .filter(|dir| beads::kind_of(dir).is_ok())
        .collect();
    // Of several stores that may have it, the one that does; the real bd is not asked.
    dirs.iter().find(|dir| dirs.len() > 1 && has(dir, id)).or(dirs.first()).cloned()
}
