//! `gt migrate`: a town of the older layout (source document 004) becomes one of the present layout. All or nothing:
//! the identity file comes last, a failure takes back what was done, and after a kill the same command goes on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{install, pieces, rig as rigs};
use crate::base::failure::Failure;
use crate::base::{files, repo_url, time};
use crate::beads;
use crate::config::schema::StoreChoice;
use crate::model::address::{Address, is_member_name, is_rig_name};
use crate::model::bead::Bead;
use crate::model::{rules, words};
use crate::programs::git::Git;
use crate::town::discover::{self, FoundTown};
use crate::town::{RigConfig, RigEntry, RigsFile, TownFile};
use crate::work::talk::mail::{self, FROM};

/// Folders of an older rig that are no worker's clone.
const NO_WORKERS: [&str; 8] =
    ["refinery", "mayor", "witness", "crew", "polecats", "plugins", "logs", ".gastown"];

/// What is to be done with a town of the older layout.
#[derive(Clone, Debug, Serialize)]
pub struct Migration {
    /// The town's root.
    pub root: PathBuf,
    /// Its identity file, which stays.
    pub identity: PathBuf,
    /// Its new identity.
    pub town: TownFile,
    /// Its rigs.
    pub rigs: Vec<RigPlan>,
    /// How many mails are taken over from `inbox.jsonl` files.
    pub mails: usize,
    #[serde(skip)]
    letters: Vec<Bead>,
}

/// What is to be done with one rig.
#[derive(Clone, Debug, Serialize)]
pub struct RigPlan {
    /// Its name.
    pub name: String,
    /// Where its code comes from.
    pub git_url: String,
    /// Prefix of its ids.
    pub prefix: String,
    /// The branch that work lands on.
    pub target: String,
    /// Workers' clones, which become crew.
    pub crew: Vec<String>,
    /// Everything else its older `config.json` says.
    #[serde(skip)]
    other: Map<String, Value>,
}

/// Looks at a town of the older layout and says what would be done.
///
/// # Errors
/// What cannot be taken over: a broken file, a name that cannot be, a clone that is missing.
pub fn plan(found: &FoundTown) -> Result<Migration> {
    let config: Map<String, Value> = files::read_json(&found.identity)?;
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_string);
    let town = TownFile {
        kind: "town".into(),
        version: 1,
        name: text("name").unwrap_or_else(|| discover::folder_name(&found.root)),
        created_at: text("created_at").unwrap_or_else(time::now),
    };
    let mut taken = vec![rules::TOWN_PREFIX.to_string()];
    let mut planned = Vec::new();
    for name in found.clone().town()?.rig_names()? {
        let rig = plan_rig(found, name, &taken)?;
        taken.push(rig.prefix.clone());
        planned.push(rig);
    }
    let letters = letters(found, &planned)?;
    let identity = found.identity.clone();
    Ok(Migration { root: found.root.clone(), identity, town, rigs: planned, mails: letters.len(), letters })
}

fn older_rigs(found: &FoundTown) -> PathBuf {
    found.identity.parent().unwrap_or(&found.root).join("rigs")
}

fn plan_rig(found: &FoundTown, name: String, taken: &[String]) -> Result<RigPlan> {
    rules::rig_name(&name)?;
    let root = found.root.join(&name);
    let path = root.join(".gastown/config.json");
    let mut other: Map<String, Value> = files::read_json(&path)?;
    // Its clones keep the user part that stands in their own configuration.
    let git_url = repo_url::plain(other.get("git_url").and_then(Value::as_str).unwrap_or_default());
    if git_url.is_empty() {
        crate::fail!("{} does not say where the rig comes from (git_url)", path.display(); "mend it by hand");
    }
    for key in [
        "type",
        "version",
        "name",
        "git_url",
        "beads",
        "merge",
        "worktree",
        "max_workers",
        "worker_spawn_delay",
    ] {
        other.remove(key);
    }
    // A killed migration may have moved the clone already.
    let clone = [older_rigs(found).join(&name), root.join("mayor/rig")];
    let clone = clone.iter().find(|dir| dir.join(".git").exists());
    let (Some(clone), true) = (clone, root.join("refinery/rig/.git").exists()) else {
        crate::fail!("the rig {name} has not all of its clones"; "bring them back first with: gt doctor --fix");
    };
    let status = Git::at(clone).status()?;
    let mut crew = Vec::new();
    for worker in files::names_in(&root)? {
        if NO_WORKERS.contains(&worker.as_str()) || !root.join(&worker).join(".git").is_dir() {
            continue;
        }
        if !is_member_name(&worker) {
            crate::fail!(
                "{} cannot be the name of a crew member", root.join(&worker).display();
                "rename the folder: letters, digits, '-' and '_', a letter or digit first"
            );
        }
        crew.push(worker);
    }
    let target = status.branch.unwrap_or_else(|| "main".into());
    Ok(RigPlan { prefix: rules::prefix_for(&name, taken), name, git_url, target, crew, other })
}

/// Every `inbox.jsonl` as beads of type message: the Mayor's, and each worker's.
fn letters(found: &FoundTown, planned: &[RigPlan]) -> Result<Vec<Bead>> {
    let config_dir = found.identity.parent().unwrap_or(&found.root);
    let mut inboxes = vec![(config_dir.join("mail/inbox.jsonl"), Address::Mayor)];
    for rig in planned {
        let root = found.root.join(&rig.name);
        let workers = files::names_in(&root)?.into_iter().chain(files::names_in(&root.join("crew"))?);
        for worker in workers.filter(|name| is_member_name(name)) {
            for dir in [root.join(&worker), root.join("crew").join(&worker)] {
                let owner = Address::Crew(rig.name.clone(), worker.clone());
                inboxes.push((dir.join("mail/inbox.jsonl"), owner));
            }
        }
    }
    let mut letters = Vec::new();
    for (path, owner) in inboxes {
        if !path.is_file() {
            continue;
        }
        for (index, line) in
            files::read(&path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
        {
            let fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
                let said = error.to_string();
                let what = said.split(" at line ").next().unwrap_or(&said);
                Failure::new(format!("{}:{}: {what}", path.display(), index + 1))
                    .hint("mend the line by hand; nothing has been changed")
            })?;
            letters.push(letter(fields, &owner, letters.len() + 1));
        }
    }
    Ok(letters)
}

fn letter(fields: Map<String, Value>, owner: &Address, number: usize) -> Bead {
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| fields.get(*key).and_then(Value::as_str));
        found.unwrap_or_default().to_string()
    };
    let from = text(&["from", "sender"]);
    let sent = text(&["timestamp", "created_at", "date", "sent_at"]);
    let sent = if time::seconds_since_epoch(&sent).is_some() { sent } else { time::now() };
    let body = text(&["body", "message", "content", "text"]);
    let first = body.lines().next().unwrap_or_default().to_string();
    let subject = [text(&["subject", "title"]), first].into_iter().find(|text| !text.trim().is_empty());
    let (title, description) = mail::headed(&subject.unwrap_or_default(), &body);
    let read = fields.get("read").and_then(Value::as_bool).unwrap_or(false);
    let mut labels = vec![words::LABEL_MESSAGE.to_string()];
    labels.extend((!from.is_empty()).then(|| format!("{}{from}", FROM)));
    labels.extend(read.then(|| words::LABEL_READ.to_string()));
    labels.sort();
    Bead {
        id: format!("{}-in{number}", rules::TOWN_PREFIX),
        title,
        description,
        status: words::OPEN.into(),
        priority: 2,
        issue_type: words::MESSAGE.into(),
        assignee: Some(owner.to_string()),
        created_by: if from.is_empty() { owner.to_string() } else { from },
        updated_at: sent.clone(),
        created_at: sent,
        labels,
        metadata: Map::from_iter([("older".to_string(), Value::Object(fields))]),
        ..Bead::default()
    }
}

/// What was done so far, to be taken back when the rest fails.
#[derive(Default)]
struct Undo(Vec<Back>);

enum Back {
    Move(PathBuf, PathBuf),
    /// Only when nothing is in it any more.
    Folder(PathBuf),
    File(PathBuf),
    /// A store that was made here, with all that is in it.
    Store(PathBuf),
    Rewrite(PathBuf, String),
}

impl Undo {
    fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        if to.exists() || !from.exists() {
            return Ok(());
        }
        self.folder(to.parent().unwrap_or(to))?;
        std::fs::rename(from, to).map_err(|error| {
            files::error_of(error, format!("cannot move {} to {}", from.display(), to.display()))
        })?;
        self.0.push(Back::Move(from.into(), to.into()));
        Ok(())
    }

    fn folder(&mut self, dir: &Path) -> Result<()> {
        let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
        for dir in missing.into_iter().rev() {
            files::make_dir(dir)?;
            self.0.push(Back::Folder(dir.into()));
        }
        Ok(())
    }

    fn piece(&mut self, root: &Path, piece: &pieces::Piece) -> Result<()> {
        if piece.stands(root) {
            return Ok(());
        }
        let path = root.join(piece.path());
        self.folder(path.parent().unwrap_or(root))?;
        piece.make(root)?;
        self.0.push(if path.is_dir() { Back::Folder(path) } else { Back::File(path) });
        Ok(())
    }

    fn json(&mut self, path: &Path, value: &impl Serialize) -> Result<()> {
        let before = files::text(path)?;
        files::write_json(path, value)?;
        self.0.push(match before {
            Some(text) => Back::Rewrite(path.into(), text),
            None => Back::File(path.into()),
        });
        Ok(())
    }

    fn take_back(self) {
        for back in self.0.into_iter().rev() {
            // Each of these undoes something that has just been done; one that fails leaves what the next run skips.
            let _ = match back {
                Back::Move(from, to) => std::fs::rename(to, from),
                Back::Rewrite(path, text) => files::write(&path, text).map_err(std::io::Error::other),
                Back::Folder(path) => std::fs::remove_dir(path),
                Back::File(path) => std::fs::remove_file(path),
                Back::Store(path) => std::fs::remove_dir_all(path),
            };
        }
    }
}

/// Migrates.
///
/// # Errors
/// Whatever stands in the way; everything is as before then.
pub fn migrate(plan: &Migration, store: StoreChoice, gt: &Path) -> Result<()> {
    let mayor = plan.root.join("mayor");
    let mut done = Undo::default();
    done.folder(&mayor)?;
    let _turn = files::lock(&plan.root.join(crate::town::LOCK))?;
    let outcome = all_steps(plan, store, gt, &mut done);
    if outcome.is_err() {
        done.take_back();
    }
    outcome
}

fn all_steps(plan: &Migration, store: StoreChoice, gt: &Path, done: &mut Undo) -> Result<()> {
    let root = &plan.root;
    files::make_private(root)?;
    town_store(plan, store, done)?;
    crate::work::step("migrate.1");
    let mut listed = RigsFile { version: 1, rigs: Default::default(), other: Map::new() };
    for rig in &plan.rigs {
        one_rig(plan, rig, store, done)?;
        crate::work::step("migrate.2");
        let entry = RigEntry {
            git_url: rig.git_url.clone(),
            added_at: plan.town.created_at.clone(),
            other: Map::new(),
        };
        listed.rigs.insert(rig.name.clone(), entry);
    }
    let embedded = beads::kind_of(&root.join(".beads"))? == beads::StoreKind::Embedded;
    let (last, rest): (Vec<_>, Vec<_>) = pieces::of_town(&plan.town, embedded.then_some(gt))?
        .into_iter()
        .partition(|piece| piece.path() == discover::IDENTITY);
    for piece in &rest {
        done.piece(root, piece)?;
    }
    done.json(&root.join("mayor/rigs.json"), &listed)?;
    let ignore = root.join(".gitignore");
    let before = files::text(&ignore)?.unwrap_or_default();
    let mut lines = pieces::IGNORED.map(String::from).to_vec();
    lines.extend(plan.rigs.iter().flat_map(|rig| pieces::ignored_of_rig(&rig.name)));
    files::write(&ignore, pieces::ignore_text(&before, &lines))?;
    done.0.push(Back::Rewrite(ignore, before));
    crate::work::step("migrate.3");
    for piece in &last {
        done.piece(root, piece)?;
    }
    Ok(())
}

/// The town's store, with the mail in it, made aside and renamed; one that is there takes the mail in.
fn town_store(plan: &Migration, choice: StoreChoice, done: &mut Undo) -> Result<()> {
    let dir = plan.root.join(".beads");
    let jsonl = plan.letters.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?.join("\n");
    let place = |dir: PathBuf| beads::StorePlace {
        dir,
        prefix: String::new(),
        prefixes: Vec::new(),
        choice,
        actor: "overseer".into(),
        secret: None,
    };
    if beads::kind_of(&dir).is_ok() {
        beads::open(&place(dir))?
            .import(&mut jsonl.as_bytes(), beads::ImportOrigin::Own)
            .context("cannot take the mail over")?;
        return Ok(());
    }
    let aside = files::Aside::new(&plan.root)?;
    let draft = aside.path("beads");
    install::make_store(&draft, rules::TOWN_PREFIX, choice)?;
    beads::open(&place(draft.clone()))?
        .import(&mut jsonl.as_bytes(), beads::ImportOrigin::Own)
        .context("cannot take the mail over")?;
    std::fs::rename(&draft, &dir)
        .map_err(|error| files::error_of(error, format!("cannot make {}", dir.display())))?;
    done.0.push(Back::Store(dir));
    Ok(())
}

fn one_rig(plan: &Migration, rig: &RigPlan, store: StoreChoice, done: &mut Undo) -> Result<()> {
    let root = plan.root.join(&rig.name);
    let older = plan.identity.parent().unwrap_or(&plan.root).join("rigs").join(&rig.name);
    done.rename(&older, &root.join("mayor/rig"))?;
    for worker in &rig.crew {
        done.rename(&root.join(worker), &root.join("crew").join(worker))?;
    }
    for piece in pieces::of_rig(&rig.name, &plan.town.created_at)? {
        done.piece(&root, &piece)?;
    }
    let config = RigConfig {
        other: rig.other.clone(),
        ..rigs::config_of(&rig.name, &rig.git_url, &rig.prefix, &rig.target)
    };
    let (link, inside) = (root.join(".beads"), root.join("mayor/rig/.beads"));
    let (had_link, had_store) = (link.exists(), inside.exists());
    if beads::kind_of(&link).is_err() {
        rigs::make_rig_store(&root, &rig.prefix, store)?;
        done.0.extend((!had_store && inside.exists()).then_some(Back::Store(inside)));
        let back = if link.is_symlink() { Back::File(link) } else { Back::Store(link) };
        done.0.extend((!had_link).then_some(back));
    }
    done.json(&root.join("config.json"), &config)
}

/// What is to be said before: what moves where.
pub fn shown(plan: &Migration) -> Vec<String> {
    let mut lines = vec![format!("+ mayor/town.json: town {}", plan.town.name)];
    if plan.mails > 0 {
        lines.push(format!("+ {} mails as beads of the town", plan.mails));
    }
    for rig in plan.rigs.iter().filter(|rig| is_rig_name(&rig.name)) {
        lines.push(format!("~ {}: beads {}-…, work lands on {}", rig.name, rig.prefix, rig.target));
        lines.push(format!("    the Mayor's clone moves to {}/mayor/rig", rig.name));
        for worker in &rig.crew {
            lines.push(format!("    {0}/{worker} moves to {0}/crew/{worker}", rig.name));
        }
    }
    lines
}
