//! Which of a town's stores a command is for: beads are found by the prefix of their ids, whatever folder it runs in.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use clap::CommandFactory;

use super::{Ctx, prefixes_of};
use crate::base::failure::Failures;
use crate::base::proof::Secret;
use crate::beads::embedded::Embedded;
use crate::beads::{self, Filter, Store, StoreKind};
use crate::cli::bd::{BdArgs, BdCommand, CommentsCommand, Dep, Label};
use crate::town::Town;
use crate::town::ids::{Prefixes, StoreOwner};

/// Whether each of the command's beads may be in a store of its own.
pub(super) fn is_of_several(command: &BdCommand) -> bool {
    use BdCommand::{Close, Reopen, Show, Update};
    matches!(command, Show(_) | Update(_) | Close(_) | Reopen(_))
}

/// The ids of beads that a command names and that have to exist; where it is for one store, those that decide on it.
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

/// The words without the ids that are in other stores: a value of a flag stays.
pub(super) fn without(words: &[OsString], others: &[String]) -> Vec<OsString> {
    let mut bd = BdArgs::command();
    bd.build();
    let command = words.iter().find_map(|word| bd.find_subcommand(word));
    let takes_value = |word: &str| {
        let flag = |arg: &&clap::Arg| match word.strip_prefix("--") {
            Some(long) => {
                arg.get_long() == Some(long)
                    || arg.get_all_aliases().is_some_and(|names| names.contains(&long))
            }
            None => word.starts_with('-') && arg.get_short().is_some_and(|short| word.ends_with(short)),
        };
        let mut args = command.into_iter().chain([&bd]).flat_map(clap::Command::get_arguments);
        args.find(flag).is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut kept: Vec<OsString> = Vec::new();
    for word in words {
        let is_other = word.to_str().is_some_and(|word| others.iter().any(|other| other == word));
        let value = kept.last().and_then(|last| last.to_str()).is_some_and(takes_value);
        if !is_other || value {
            kept.push(word.clone());
        }
    }
    kept
}

/// A store, and the ids of the beads that are in it.
pub(super) type StorePart = (Option<PathBuf>, Vec<String>);

/// The stores that a command may be for, each opened once.
pub(super) struct Stores<'a> {
    ctx: &'a Ctx,
    here: Option<PathBuf>,
    /// Who writes.
    pub actor: String,
    opened: RefCell<BTreeMap<PathBuf, Rc<Embedded>>>,
    owners: OnceCell<Option<(Town, Prefixes)>>,
}

impl<'a> Stores<'a> {
    /// With the store at hand.
    pub fn new(ctx: &'a Ctx, here: Option<PathBuf>, actor: String) -> Stores<'a> {
        Stores { ctx, here, actor, opened: RefCell::default(), owners: OnceCell::new() }
    }

    /// The stores of these beads, in the order of the first bead of each: the one at hand if it has a bead, else that of the
    /// rig, or the town, whose prefix its id has. Without ids, outside a town, and where no prefix fits, the store at hand.
    pub fn split(&self, ids: &[String]) -> Vec<StorePart> {
        let mut split: Vec<StorePart> = Vec::new();
        for id in ids {
            let dir = match &self.here {
                Some(dir) if self.has(dir, id) => self.here.clone(),
                _ => self.elsewhere(id).or_else(|| self.here.clone()),
            };
            match split.iter_mut().find(|(other, _)| *other == dir) {
                Some((_, ids)) => ids.push(id.clone()),
                None => split.push((dir, vec![id.clone()])),
            }
        }
        if split.is_empty() { vec![(self.here.clone(), Vec::new())] } else { split }
    }

    /// gt's own store in a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self, dir: &Path) -> Result<Rc<Embedded>> {
        if let Some(store) = self.opened.borrow().get(dir) {
            return Ok(store.clone());
        }
        beads::kind_of(dir)?;
        let store = Embedded::open(dir, "", &self.actor)?;
        let store = Rc::new(store.accepting(&prefixes_of(dir)?).knowing(self.secret()?));
        self.opened.borrow_mut().insert(dir.into(), store.clone());
        Ok(store)
    }

    /// The secret of the town around; none outside of towns.
    pub fn secret(&self) -> Result<Option<Secret>> {
        match self.ctx.locate() {
            Ok(found) => crate::town::secret::read(&found.root),
            Err(_) => Ok(None),
        }
    }

    /// Whether gt's own store in a folder has a bead. The real bd is not asked: its ids have the prefix of their rig.
    fn has(&self, dir: &Path, id: &str) -> bool {
        if beads::kind_of(dir).is_ok_and(|kind| kind == StoreKind::Bd) {
            return false;
        }
        let filter = Filter { ids: vec![id.to_string()], ..Filter::default() };
        self.open(dir).and_then(|store| store.list(&filter)).is_ok_and(|found| !found.is_empty())
    }

    fn elsewhere(&self, id: &str) -> Option<PathBuf> {
        let (town, prefixes) = self.owners.get_or_init(|| self.look_around()).as_ref()?;
        let owners = prefixes.owners(id);
        // What was imported or synced keeps its id: any store may have one whose prefix none claims.
        let all = prefixes.iter().filter(|_| owners.is_empty()).flat_map(|(_, all)| all);
        let dirs: Vec<PathBuf> = owners
            .iter()
            .chain(all)
            .map(|owner| match owner {
                StoreOwner::Rig(rig) => town.root.join(rig).join(".beads"),
                StoreOwner::Town => town.beads_dir(),
            })
            .filter(|dir| beads::kind_of(dir).is_ok())
            .collect();
        // Of several stores that may have it, the one that does; the real bd is not asked.
        let certain = |_: &&PathBuf| !owners.is_empty();
        let has = |dir: &&PathBuf| (dirs.len() > 1 || owners.is_empty()) && self.has(dir, id);
        dirs.iter().find(has).or(dirs.first().filter(certain)).cloned()
    }

    fn look_around(&self) -> Option<(Town, Prefixes)> {
        let town = self.ctx.town().ok()?;
        // A store that was named and belongs to no rig of this town is meant as it is.
        let is_inside = |dir: &Path| dir.canonicalize().is_ok_and(|dir| dir.starts_with(&town.root));
        if self.here.as_deref().is_some_and(|dir| !is_inside(dir)) {
            return None;
        }
        let mut failures = Failures::default();
        let rigs = town.rigs(&mut failures).ok()?;
        let own = crate::config::settings(&self.ctx.sources(&town, None)).ok()?.beads.prefix;
        let prefixes = Prefixes::of(&own, &rigs);
        Some((town, prefixes))
    }
}
