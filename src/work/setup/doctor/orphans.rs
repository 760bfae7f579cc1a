//! What killed commands leave: half-made files, rigs not listed, sessions without a place, polecats not ended, beads
//! held by nobody, worktrees that git still knows.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Visit, secrets};
use crate::base::files;
use crate::base::grammar::short;
use crate::base::quote::quote;
use crate::beads::{Change, Guard, Written};
use crate::config;
use crate::model::address::{Address, is_rig_name, polecat_of};
use crate::model::bead::{Bead, Patch};
use crate::model::ids::InstanceId;
use crate::model::words;
use crate::mux::Session;
use crate::plan::doctor::{Finding, Health, Thing, judge};
use crate::plan::patrol::Move;
use crate::plan::place::Seen;
use crate::programs::git::Git;
use crate::programs::git::pushing::Deletion;
use crate::town::discover::kind;
use crate::town::ids::{Prefixes, StoreOwner};
use crate::town::{FolderLayout, Rig, away, ended};
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::{self, End};
use crate::work::polecat::sandbox::Sandbox;
use crate::work::polecat::{strays, survivors};
use crate::work::remote::waiting;
use crate::work::setup::rig::{blocked_by_polecat, wants};
use crate::work::talk::adopt;

/// Orphans outside rigs, and half-made things everywhere. A folder that cannot be listed is one of the things.
///
/// # Errors
/// When the town's own folder cannot be listed.
pub fn of_town(visit: &Visit<'_>) -> Result<Vec<Thing>> {
    let root = &visit.town.root;
    let mut things = Vec::new();
    if visit.town.layout == FolderLayout::Present {
        things.extend(unlisted(visit)?.into_iter().map(Thing::Unlisted));
        things.extend(files::is_shared(root).then_some(Thing::Shared));
        things.extend(secrets::find(root)?.into_iter().map(Thing::Secret));
        things.extend(ended::is_lost(root).unwrap_or(true).then_some(Thing::Ended));
    }
    let inside = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    for dir in folders_of_gt(visit) {
        match files::leftovers(&dir) {
            Ok(names) => {
                things.extend(names.into_iter().map(|name| Thing::HalfMade(inside(&dir.join(name)))))
            }
            Err(error) => things.push(Thing::Unlistable(inside(&dir), format!("{error:#}"))),
        }
    }
    for name in visit.town.rig_names().unwrap_or_default() {
        let dir = visit.rig(&name).names_dir();
        let dead = |file: &String| file.starts_with(TURN) && !files::is_locked(&dir.join(file));
        // Said above where it cannot be listed.
        let names = files::names_in(&dir).unwrap_or_default();
        let dead: Vec<String> = names.into_iter().filter(dead).collect();
        things.extend(dead.into_iter().map(|file| Thing::HalfMade(format!("{name}/polecats/.names/{file}"))));
    }
    things.extend(stray_sessions(visit));
    match away::read(&visit.town) {
        Ok(records) => {
            let strays = records.into_keys().filter(|address| is_stray(visit, address));
            things.extend(strays.map(Thing::StrayRecord));
        }
        Err(_) => things.push(Thing::Records),
    }
    things.extend(shared_prefixes(visit));
    for name in visit.town.rig_names().unwrap_or_default() {
        // A note that cannot be read is written again by the next look at origin.
        let waiting = waiting::read(&visit.rig(&name)).unwrap_or_default().into_iter();
        things.extend(waiting.map(|one| {
            let id = short(&one.id).into();
            Thing::UnprovenRecord(name.clone(), one.worker, one.bead.into(), id)
        }));
    }
    Ok(things)
}

/// Prefixes by which the rig of a bead cannot be told. The town's own store may share one: it is asked first.
fn shared_prefixes(visit: &Visit<'_>) -> Vec<Thing> {
    let names = visit.town.rig_names().unwrap_or_default();
    let rigs: Vec<Rig> = names.iter().map(|name| visit.rig(name)).collect();
    let shared = Prefixes::of("", &rigs);
    let thing = |(prefix, owners): (&str, &[StoreOwner])| {
        let rigs = shared.rigs(&format!("{prefix}-x")).map(Into::into).collect();
        (owners.len() > 1).then(|| Thing::SharedPrefix(prefix.into(), rigs))
    };
    shared.iter().filter_map(thing).collect()
}

/// What the names of the files begin with that say which beads are just being slung.
const TURN: &str = ".bead-";

/// Takes away what a killed command left half-made.
///
/// # Errors
/// When it cannot be removed.
pub fn fix_half_made(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(path);
    if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TURN)) {
        return files::sweep(dir).map(drop);
    }
    // Every sling takes its turns under this lock.
    let _turns = files::lock(&dir.join(".lock"))?;
    if path.exists() && !files::is_locked(path) {
        std::fs::remove_file(path)
            .map_err(|error| files::error_of(error, format!("cannot remove {}", path.display())))?;
    }
    Ok(())
}

/// The folders in which gt makes things aside.
fn folders_of_gt(visit: &Visit<'_>) -> Vec<PathBuf> {
    let root = &visit.town.root;
    let inside = ["", "mayor", "mayor/exports", "deacon", "config", "config/presets"];
    let mut dirs: Vec<PathBuf> = inside.iter().map(|inside| root.join(inside)).collect();
    for name in visit.town.rig_names().unwrap_or_default() {
        let inside = ["", "mayor", "refinery", "witness", "crew", "crew/.state", "polecats", "logs"];
        let of_polecats = ["polecats/.names", "polecats/.state"];
        dirs.extend(inside.iter().chain(&of_polecats).map(|inside| root.join(&name).join(inside)));
    }
    dirs
}

/// Folders that are rigs and are not in the list.
///
/// # Errors
/// When the town's folder cannot be listed.
pub fn unlisted(visit: &Visit<'_>) -> Result<Vec<String>> {
    // Without a list that can be read nothing can be said to be missing from it.
    let Ok(listed) = visit.town.rig_names() else { return Ok(Vec::new()) };
    let names = files::names_in(&visit.town.root)?;
    let is_rig = |name: &String| {
        is_rig_name(name)
            && kind(&visit.town.rig_config_path(name)) == "rig"
            && visit.rig(name).config.name == **name
    };
    Ok(names.into_iter().filter(|name| !listed.contains(name)).filter(is_rig).collect())
}

/// Sessions with this town's mark whose agent has no place in it. Polecats are a rig's own matter.
fn stray_sessions(visit: &Visit<'_>) -> Vec<Thing> {
    let mark = visit.town.mark();
    visit
        .sessions
        .ours(&mark)
        .filter(|session| is_stray(visit, &session.marks.address))
        .map(|session| {
            Thing::StraySession(session.id.clone(), session.name.clone(), session.marks.address.clone())
        })
        .collect()
}

/// Whether nobody of that address can be in the town. Without a list of rigs nobody is said to be a stray.
fn is_stray(visit: &Visit<'_>, address: &str) -> bool {
    let Ok(rigs) = visit.town.rig_names() else { return false };
    match Address::parse(address) {
        Ok(Address::Overseer | Address::Mayor | Address::Deacon) => false,
        Ok(Address::Crew(rig, name)) => !visit.town.root.join(rig).join("crew").join(name).is_dir(),
        Ok(Address::Plugin(rig, name)) => !visit.town.root.join(rig).join("plugins").join(name).is_dir(),
        Ok(other) => other.rig().is_some_and(|rig| !rigs.iter().any(|own| own == rig)),
        Err(_) => true,
    }
}

/// Ends a session that has no place, with what runs in it.
///
/// # Errors
/// When that cannot be ended.
pub fn fix_stray_session(visit: &Visit<'_>, id: &str) -> Result<Vec<String>> {
    let of: Vec<&Session> = visit.sessions.sessions.iter().filter(|session| session.id == id).collect();
    survivors::stop(&visit.town, visit.mux, &of)
}

/// Ends what is elsewhere of an agent that has no place here, and forgets it.
///
/// # Errors
/// When its machine does not answer: nothing is known then.
pub fn fix_stray_record(visit: &Visit<'_>, address: &str) -> Result<()> {
    if let Some(remote) = visit.sessions.away.unreachable.get(address) {
        crate::fail!("{remote} does not answer"; "see why with: gt remote status");
    }
    let mark = visit.town.mark();
    let own = visit.sessions.ours(&mark).filter(|session| session.marks.address == address);
    let ids: Vec<&str> = own.map(|session| session.id.as_str()).collect();
    visit.mux.stop(&ids)?;
    away::update(&visit.town, |records| records.remove(address)).map(drop)
}

/// A rig's orphans, looked for and, when asked, taken care of.
pub fn of_rig(visit: &Visit<'_>, rig: &Rig) -> Vec<Finding> {
    let mut findings = Vec::new();
    for thing in clone_settings(rig) {
        let finding = judge(thing, Health::Missing, String::new(), &rig.name);
        findings.push(visit.treat_with(finding, |thing| fix_clone_setting(rig, thing)));
    }
    // First: they are in the way of every look and every end.
    for (dir, thing) in left_by_git(visit, rig) {
        let finding = judge(thing, Health::Missing, String::new(), &rig.name);
        findings.push(visit.treat_with(finding, |_| Git::at(&dir).mend()));
    }
    // Before a polecat ends that made one.
    match adopt::unproven(&visit.town, rig) {
        Ok(old) if !old.is_empty() => {
            let thing = Thing::Unproven(old.into_keys().collect());
            let finding = judge(thing, Health::Missing, String::new(), &rig.name);
            findings.push(visit.treat_with(finding, |_| adopt::sign_old(&visit.town, rig)));
        }
        // From now on nothing is signed afterwards.
        Ok(_) if visit.fix => drop(adopt::note_old(&visit.town, rig)),
        _ => {}
    }
    // A store or a clone that cannot be read is a finding of its own: nothing is concluded from it (law 3).
    let sources = rig.sources(&visit.sources.again());
    if let Ok(scene) = Scene::look(&visit.town, rig, visit.mux, sources.clone()) {
        for thing in polecats(visit, rig, &scene) {
            let finding = judge(thing, Health::Missing, String::new(), &rig.name);
            findings.push(
                visit.treat_saying(finding, |thing| fix_polecat(rig, &scene, thing).map(|()| scene.notes())),
            );
        }
    }
    let settings = config::settings(&sources);
    // What cannot be read is a finding of its own.
    for want in
        settings.as_ref().ok().and_then(|settings| wants::of_rig(rig, settings).ok()).unwrap_or_default()
    {
        findings.push(judge(Thing::Want(want.message, want.hint), Health::Missing, String::new(), &rig.name));
    }
    // Without a target every commit counts.
    let target = settings.map(|settings| config::target(&settings)).unwrap_or_default();
    // After the polecats: ending one takes its worktree along.
    for thing in stale_worktrees(rig) {
        let finding = judge(thing, Health::Missing, String::new(), &rig.name);
        findings.push(visit.treat_with(finding, |thing| fix_worktree(rig, &target, thing)));
    }
    findings
}

/// What killed gits left in the clones of a rig, each with its clone. No process where there is nothing.
fn left_by_git(visit: &Visit<'_>, rig: &Rig) -> Vec<(PathBuf, Thing)> {
    let inside = |root: &Path, path: &Path| {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        path.strip_prefix(&root).unwrap_or(path).display().to_string()
    };
    let full = |name: String| rig.polecat_dir(&name);
    let own = files::names_in(&rig.root.join("polecats")).unwrap_or_default().into_iter().map(full);
    let own = own.filter(|dir| dir.join(".git").is_dir());
    let mut things = Vec::new();
    for dir in [rig.clone_dir(), rig.refinery_dir()].into_iter().chain(own) {
        let git = Git::at(&dir);
        let clone = inside(&rig.root, &dir);
        for half in git.unfinished().unwrap_or_default() {
            let place = half.place.map(|place| inside(&rig.root, &place)).unwrap_or_default();
            things.push((dir.clone(), Thing::HalfWorktree(clone.clone(), place, half.foreign)));
        }
        for lock in git.lock_files().unwrap_or_default() {
            if lock.is_worth_a_word() {
                let path = inside(&visit.town.root, &lock.path);
                things.push((dir.clone(), Thing::LockFile(path, lock.shown(), lock.is_left_over())));
            }
        }
    }
    things
}

/// Settings of a rig's clones with which git works on no folder, or on another: a tool in a worktree writes into the
/// configuration of its clone.
fn clone_settings(rig: &Rig) -> Vec<Thing> {
    let mut things = Vec::new();
    let mut clones = vec!["mayor/rig".to_string(), "refinery/rig".to_string()];
    for dir in ["crew", "polecats"] {
        let names = files::names_in(&rig.root.join(dir)).unwrap_or_default();
        clones.extend(names.into_iter().map(|name| format!("{dir}/{name}")));
    }
    things.extend(clones.iter().find_map(|clone| branch_polecat(rig, clone)));
    for clone in clones {
        for file in ["config", "config.worktree"].map(|name| format!("{clone}/.git/{name}")) {
            let path = rig.root.join(&file);
            if !path.is_file() {
                continue;
            }
            match Git::at(&rig.root).settings_in(&path, r"^(core\.(bare|worktree)|remote\..*\.url)$") {
                Ok(found) => {
                    things.extend(other_remote(rig, &clone, &found));
                    let (_, found): (Vec<_>, Vec<_>) =
                        found.into_iter().partition(|(key, _)| key.starts_with("remote."));
                    let wrong =
                        found.into_iter().filter(|(key, value)| key == "core.worktree" || is_true(value));
                    things.extend(wrong.map(|(key, value)| Thing::CloneSetting(file.clone(), key, value)));
                }
                Err(why) => things.push(Thing::CloneSettings(file, why)),
            }
        }
    }
    things
}

/// A branch `polecat` that came to origin after the rig, as far as a clone has seen: no branch of a polecat can be pushed beside it.
fn branch_polecat(rig: &Rig, clone: &str) -> Option<Thing> {
    let dir = rig.root.join(clone);
    dir.join(".git").is_dir().then(|| Git::at(&dir).stands_at("refs/remotes/origin/polecat").ok()?)??;
    let failure = blocked_by_polecat("origin");
    let gone = format!("if it is gone: git -C {} fetch --prune", quote(&dir.to_string_lossy()));
    Some(Thing::Want(failure.message, format!("{}; {gone}", failure.hint.unwrap_or_default())))
}

/// A clone that a person made, under a `clone.defaultRemoteName` of their own.
fn other_remote(rig: &Rig, clone: &str, settings: &[(String, String)]) -> Option<Thing> {
    let name = |key: &str| Some(key.strip_prefix("remote.")?.strip_suffix(".url")?.to_string());
    let names: Vec<String> = settings.iter().filter_map(|(key, _)| name(key)).collect();
    let other = names.first().filter(|_| !names.iter().any(|name| name == "origin"))?;
    let dir = quote(&rig.root.join(clone).to_string_lossy());
    let help = format!("give it that name: git -C {dir} remote rename {} origin", quote(other));
    Some(Thing::Want(format!("{clone} has no remote origin, only {other}"), help))
}

/// As git reads a boolean; a key without a value is one.
fn is_true(value: &str) -> bool {
    ["", "true", "yes", "on"].contains(&value.to_lowercase().as_str())
        || value.parse::<i64>().is_ok_and(|number| number != 0)
}

fn fix_clone_setting(rig: &Rig, thing: &Thing) -> Result<()> {
    let Thing::CloneSetting(file, key, _) = thing else { return Ok(()) };
    let path = rig.root.join(file);
    Git::at(&rig.root).take_setting_out(&path, key, (key == "core.bare").then_some("false"))
}

/// Polecats that somebody must do something about, and beads whose polecats are no more.
fn polecats(visit: &Visit<'_>, rig: &Rig, scene: &Scene<'_>) -> Vec<Thing> {
    let names = scene.names();
    let mut things = Vec::new();
    for name in &names {
        let decision = scene.decide(name);
        // Without sessions agents are run by hand: nobody can say that one has ended.
        let unseen = visit.sessions.minimal.is_some() && matches!(decision, Move::Unstarted | Move::Crashed);
        if unseen || matches!(decision, Move::Leave | Move::Unknown) {
            continue;
        }
        let session = matches!(scene.session_of(name), Seen::Session(_));
        let bead = scene.bead_of(name).map(|bead| bead.id.clone());
        things.push(Thing::Polecat(name.clone(), decision, bead, session));
    }
    for bead in &scene.read.held {
        let Some(holder) = &bead.assignee else { continue };
        let gone = polecat_of(&rig.name, holder).is_some_and(|name| !names.contains(&name));
        if gone && !scene.read.named.iter().any(|request| request.bead == bead.id) {
            things.push(Thing::HeldByNobody(bead.id.clone(), holder.clone()));
        }
    }
    for name in &names {
        let claims = scene.claims(name);
        if let [first, others @ ..] = claims.as_slice() {
            let second =
                |bead: &&Bead| Thing::SecondClaim(bead.id.clone(), scene.address_of(name), first.id.clone());
            things.extend(others.iter().filter(|bead| !scene.is_submitted(bead)).map(second));
        }
    }
    let strays = strays::branches(rig, &scene.read.named).unwrap_or_default();
    things.extend(strays.into_iter().map(|stray| Thing::StrayBranch(stray.branch, stray.commit)));
    things
}

fn fix_polecat(rig: &Rig, scene: &Scene<'_>, thing: &Thing) -> Result<()> {
    match thing {
        Thing::Polecat(name, Move::Unstarted | Move::Crashed, ..) => {
            ending::release(scene, name, false).map(drop)
        }
        Thing::Polecat(name, ..) => match ending::end_polecat(scene, name, false)? {
            End::Done(_) => Ok(()),
            End::Waits(why) => crate::fail!("{why}"; "go on with: gt remote sync {}", rig.name),
            End::Dirty(files) => crate::fail!(
                "files that are in no commit: {}", files.join(", ");
                "keep them under a recovery ref and end it: gt polecat nuke {}/{name}", rig.name
            ),
        },
        Thing::HeldByNobody(bead, holder) => give_back(scene, bead, holder, "which is no more"),
        Thing::SecondClaim(bead, holder, other) => {
            give_back(scene, bead, holder, &format!("which works on {other}"))
        }
        Thing::StrayBranch(branch, commit) => {
            strays::delete(rig, &[Deletion { branch: branch.clone(), commit: commit.clone() }])
        }
        other => crate::fail!("doctor cannot repair {other:?}"),
    }
}

/// The bead is open and nobody's again, if its holder is still the one that is no more.
fn give_back(scene: &Scene<'_>, bead: &str, holder: &str, why: &str) -> Result<()> {
    let guard = Guard { id: bead.into(), assignee: Some(Some(holder.into())), ..Guard::default() };
    let patch = Patch {
        status: Some(words::OPEN.into()),
        assignee: Some(None),
        remove_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Patch::default()
    };
    let comment =
        Change::Comment(bead.into(), format!("Given back by gt doctor: it was held by {holder}, {why}."));
    match scene.store.write(&[guard], &[Change::Update(bead.into(), Box::new(patch)), comment])? {
        Written::Done(_) => Ok(()),
        Written::Refused(..) => {
            crate::fail!("{bead} has changed meanwhile"; "look again with: gt doctor {}", scene.rig.name)
        }
    }
}

/// Worktrees that a clone knows and that are gone, or were never finished. No process.
fn stale_worktrees(rig: &Rig) -> Vec<Thing> {
    let text = |path: &Path| files::text(path).ok().flatten();
    let mut things = Vec::new();
    for clone in ["mayor/rig", "refinery/rig"] {
        let known = rig.root.join(clone).join(".git/worktrees");
        for name in files::names_in(&known).unwrap_or_default() {
            let gitdir = text(&known.join(&name).join("gitdir")).unwrap_or_default();
            let place = Path::new(gitdir.trim()).parent().map(Path::to_path_buf).unwrap_or_default();
            // The town was moved or copied: both still name the place it had.
            let here = format!("{}/{name}", if clone == "mayor/rig" { "polecats" } else { "refinery" });
            let link = text(&rig.root.join(&here).join(".git"));
            let names_it =
                |link: String| Path::new(link.trim()).ends_with(Path::new("worktrees").join(&name));
            if !is_same(gitdir.trim(), &rig.root.join(&here).join(".git")) && link.is_some_and(names_it) {
                things.push(Thing::LostWorktree(clone.into(), here));
                continue;
            }
            // A worktree that a person made elsewhere may be on a disk that is not there now.
            let root = rig.root.canonicalize().unwrap_or_else(|_| rig.root.clone());
            if ![&rig.root, &root]
                .iter()
                .any(|root| ["polecats", "refinery"].iter().any(|dir| place.starts_with(root.join(dir))))
            {
                continue;
            }
            let shown = || place.strip_prefix(&rig.root).unwrap_or(&place).display().to_string();
            let link = text(&place.join(".git"));
            let leads = |text: &str| {
                text.trim().strip_prefix("gitdir: ").is_some_and(|to| is_same(to, &known.join(&name)))
            };
            if link.as_deref().is_some_and(leads) || in_hand(rig, &place) {
                continue;
            }
            things.push(
                match files::names_in(&place).unwrap_or_default().iter().any(|name| name != ".git") {
                    true => Thing::LostWorktree(clone.into(), shown()),
                    false if link.is_none() => Thing::StaleWorktree(clone.into(), shown()),
                    false => continue,
                },
            );
        }
    }
    things
}

/// Whether a path that git wrote is this folder. One that cannot be asked is taken for it (law 3).
fn is_same(written: &str, dir: &Path) -> bool {
    match (Path::new(written).canonicalize(), dir.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Err(error), _) => error.kind() != std::io::ErrorKind::NotFound,
        _ => true,
    }
}

/// Whether a command that still runs makes or removes the worktree of a polecat.
fn in_hand(rig: &Rig, place: &Path) -> bool {
    place
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| crate::work::polecat::names::in_hand(rig, name))
}

/// Makes git forget a worktree that is gone or was never finished, and find one again that lost its way.
fn fix_worktree(rig: &Rig, target: &str, thing: &Thing) -> Result<()> {
    let (Thing::StaleWorktree(clone, path) | Thing::LostWorktree(clone, path)) = thing else { return Ok(()) };
    if matches!(thing, Thing::LostWorktree(..)) {
        return Git::at(rig.root.join(clone)).worktree_repair(&rig.root.join(path));
    }
    let place = rig.root.join(path);
    crate::town::occupancy::check_removable(&place)?;
    if clone == "refinery/rig" {
        // What is tested there is gt's own.
        return Git::at(rig.root.join(clone)).worktree_remove(&place);
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let clone = rig.root.join(clone);
    let gone = Sandbox {
        name,
        instance: InstanceId::default().or_unknown(),
        dir: place,
        clone,
        target: target.into(),
    };
    gone.forget_worktree()
}
