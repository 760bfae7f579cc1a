//! Steps 3 to 6 of sling for one bead, and their undoing.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::turn::Turn;
use super::{Site, Slung, hooking, new_label, remotes_of};
use crate::beads::{Change, Guard};
use crate::config::schema::{Multiplexer, Prompt};
use crate::model::address::Address;
use crate::model::bead::Patch;
use crate::model::ids::{BeadId, InstanceId};
use crate::model::refs::{Branch, Sent, SentKind};
use crate::model::words;
use crate::mux::deliver::{Delivery, deliver};
use crate::mux::none::None as Minimal;
use crate::mux::{Mux, Spec, Started};
use crate::plan::may_sling::Begin;
use crate::programs::git::Git;
use crate::town::away;
use crate::work::agent::{Agent, There, handoff, hooks, prompt};
use crate::work::polecat::loss::repo::Repo;
use crate::work::polecat::names::{self, Reservation};
use crate::work::polecat::sling::Work;
use crate::work::polecat::{queued, sandbox, survivors, worktree};
use crate::work::remote::session::PASTED;
use crate::work::step;

/// A bead on its way to a polecat, with what was done for it so far.
pub struct Assignment {
    /// The bead and how it begins.
    pub work: Work,
    /// What is told of it.
    pub slung: Slung,
    pub(super) address: Address,
    reservation: Reservation,
    turn: Option<Turn>,
    made: bool,
    hooked: bool,
    /// The ref of origin that commits of an earlier attempt travel by.
    sent: Option<String>,
}

/// What would be told of a bead that gets this name.
pub fn planned(site: &Site<'_>, work: &Work, name: &str) -> Result<Slung> {
    let address = Address::Polecat(site.rig.name.clone(), name.into());
    let branch = branch(site, work, &address)?.to_string();
    let worktree = site.rig.polecat_dir(name);
    let worktree = match (&work.choice.remote, worktree.strip_prefix(&site.town.root)) {
        (Some(remote), Ok(inside)) => remote.town_or(&site.town.root).join(inside),
        _ => worktree,
    };
    let target = site.target();
    let base = match (&work.kept, work.begin) {
        (Some(commit), Begin::Earlier) => commit.clone(),
        _ => format!("origin/{target}"),
    };
    let prompts = Prompts::of(work, &address, &target, &[]);
    let takes_one = work.role.runtime.prompt != Prompt::None;
    Ok(Slung {
        bead: work.bead.id.clone(),
        title: work.bead.title.clone(),
        begin: match work.begin {
            Begin::Fresh => "fresh",
            Begin::Earlier => "earlier",
            Begin::Again => "again",
        },
        branch,
        base,
        worktree: worktree.to_string_lossy().into_owned(),
        agent: work.role.agent.clone(),
        presets: work.role.presets.clone(),
        place: work.choice.clone(),
        session: address.session_name(),
        prompt: if takes_one { prompts.shown(work) } else { String::new() },
        notes: work.notes.clone(),
        address: address.to_string(),
        ..Slung::default()
    })
}

/// The branch of a polecat. What was begun goes on where it was begun.
fn branch(site: &Site<'_>, work: &Work, address: &Address) -> Result<Branch> {
    let (name, bead) = (address.name(), &BeadId::from(&work.bead));
    if work.begin != Begin::Again {
        return Ok(Branch::new(&site.rig.town, name, bead));
    }
    match away::read(site.town)?.get(&address.to_string()).filter(|_| work.is_away()) {
        Some(record) => Ok(record.branch_of(name)),
        None => worktree::branch_of(site.rig, name, bead),
    }
}

/// What a polecat is told first: with gt where it runs, and without, which is known only over there.
struct Prompts {
    with_gt: String,
    without: String,
}

impl Prompts {
    fn of(work: &Work, address: &Address, target: &str, conflicts: &[String]) -> Prompts {
        let start = prompt::PromptStart {
            again: work.begin == Begin::Again,
            target: target.into(),
            conflicts: conflicts.to_vec(),
            replayed: work.is_away() && work.begin == Begin::Earlier,
        };
        Prompts {
            with_gt: match work.is_away() {
                true => prompt::polecat_over_there(address, &work.bead, &start),
                false => prompt::polecat(address, &work.bead, &start),
            },
            without: prompt::polecat_without_gt(address, &work.bead, &start),
        }
    }

    fn shown(self, work: &Work) -> String {
        if work.is_away() { self.without } else { self.with_gt }
    }
}

/// The session of a bead's polecat, wherever it runs.
fn session(
    site: &Site<'_>,
    work: &Work,
    address: &Address,
    instance: &InstanceId,
    branch: &str,
    prompts: &Prompts,
) -> Result<Spec> {
    let target = site.target();
    let away = work.choice.remote.as_ref().map(|remote| There {
        remote,
        begin: work.begin,
        kept: work.kept.as_deref().unwrap_or_default(),
        target: &target,
        rules: &site.settings.worktree,
        prompt: &prompts.without,
    });
    crate::work::agent::start::spec(&Agent {
        town: site.town,
        rig: Some(site.rig),
        address,
        role: &work.role,
        instance,
        bead: Some(&work.bead),
        cwd: &site.rig.polecat_dir(address.name()),
        branch,
        env: site.env,
        prompt: &prompts.with_gt,
        away,
    })
}

/// Whether what would be run on another machine can be sent there at all: said before anything is touched.
pub fn check_away(site: &Site<'_>, work: &Work) -> Result<()> {
    if !work.is_away() {
        return Ok(());
    }
    // As long as any name and instance.
    let address = Address::Polecat(site.rig.name.clone(), "N".repeat(32));
    let prompts = Prompts::of(work, &address, &site.target(), &[]);
    let branch = Branch::new(&site.rig.town, address.name(), &(&work.bead).into()).to_string();
    session(site, work, &address, &InstanceId::new(0, 0), &branch, &prompts).map(drop)
}

impl Assignment {
    /// A bead with its polecat's name.
    pub fn new(site: &Site<'_>, work: Work, reservation: Reservation, turn: Option<Turn>) -> Assignment {
        let address = Address::Polecat(site.rig.name.clone(), reservation.name.clone());
        let slung = planned(site, &work, &reservation.name).unwrap_or_default();
        Assignment { work, slung, address, reservation, turn, made: false, hooked: false, sent: None }
    }

    fn wanted<'a>(&'a self, site: &Site<'a>, base: &'a str) -> worktree::NewWorktree<'a> {
        worktree::NewWorktree {
            rig: site.rig,
            name: &self.reservation.name,
            branch: &self.slung.branch,
            base,
            sandbox: self.work.role.settings.sandbox,
            rules: &site.settings.worktree,
            files: &self.work.role.runtime.files,
            only_env: None,
        }
    }

    /// Step 3: the worktree on its branch, prepared. On another machine that is a part of the start; here only what an
    /// earlier attempt left is sent off.
    pub fn make_place(&mut self, site: &Site<'_>) -> Result<()> {
        if self.work.is_away() {
            return self.send_kept(site);
        }
        let target = format!("refs/remotes/origin/{}", site.target());
        let kept = self.work.kept.clone();
        let base = match (&kept, self.work.begin) {
            (Some(commit), Begin::Earlier) => commit.as_str(),
            _ => &target,
        };
        let path = site.rig.polecat_dir(&self.reservation.name);
        if self.work.begin == Begin::Again {
            Git::at(site.rig.clone_dir()).mend()?;
            if path.join(".git").exists() {
                if !Git::at(&path).git_dir()?.is_dir() {
                    crate::fail!(
                        "{} leads to no repository: was the town moved?", path.display();
                        "mend it with: gt doctor --fix {}", site.rig.name
                    );
                }
                // A kill may have come while it was prepared.
                return match sandbox::is_unbegun(&path) {
                    true => self.prepare(site, base, &path),
                    false => hooks::refresh(
                        &self.work.role.runtime.files,
                        &path,
                        &self.wanted(site, base).excluding(&path),
                    ),
                };
            }
        }
        worktree::check_free(&path)?;
        // From here on whatever stands there is this sling's.
        self.made = self.work.begin != Begin::Again;
        let instance = &self.reservation.instance;
        let made = match self.work.begin {
            Begin::Again => worktree::restore(&self.wanted(site, base), &site.target(), instance),
            _ => worktree::make(&self.wanted(site, base)),
        };
        let path = made?;
        if self.work.begin == Begin::Earlier {
            let git = Git::at(&path);
            if !git.rebase(&target)? {
                self.slung.conflicts = git.conflicts()?;
            }
        }
        self.prepare(site, base, &path)?;
        match Repo::open(&path)? {
            Some(repo) => repo.note_prepared(),
            None => crate::fail!("{} is no work tree", path.display()),
        }
    }

    fn prepare(&mut self, site: &Site<'_>, base: &str, path: &Path) -> Result<()> {
        let missing = worktree::prepare(&self.wanted(site, base), path)?;
        self.slung.notes.extend(missing.into_iter().map(|missing| format!("warning: {missing}")));
        Ok(())
    }

    /// Pushes the commits of an earlier attempt, which are here, for the start to fetch.
    fn send_kept(&mut self, site: &Site<'_>) -> Result<()> {
        let Some(commit) = self.work.kept.as_ref().filter(|_| self.work.begin == Begin::Earlier) else {
            return Ok(());
        };
        let git = Git::at(site.rig.clone_dir());
        let (town, rig) = (&site.rig.town, &site.rig.name);
        let sent = Sent {
            kind: SentKind::Start,
            town: town.clone(),
            rig: rig.clone(),
            name: self.reservation.name.clone(),
            instance: self.reservation.instance.clone(),
        };
        self.sent = Some(git.push_aside(commit, &sent.full(), &sent.branch())?);
        // What killed slings of this town left there: refs of instances that no polecat has.
        let held = names::taken(site.rig)?;
        let places = Sent::places(SentKind::Start, town, rig).map(|place| place + "*");
        let mut left = git.refs_of_origin(&[&places[0], &places[1]])?;
        left.retain(|full| {
            let sent =
                Sent::parse(SentKind::Start, full).filter(|sent| sent.town == *town && sent.rig == *rig);
            sent.is_some_and(|sent| !held.values().any(|instance| *instance == sent.instance))
        });
        git.delete_of_origin(&left).map(drop)
    }

    /// Step 4, what must hold: the bead is as it was read.
    pub fn guard(&self) -> Guard {
        let bead = &self.work.bead;
        let hold = (!bead.has_label(words::LABEL_HOLD)).then(|| words::LABEL_HOLD.to_string());
        let lacks_labels = hold.into_iter().chain([words::LABEL_SUBMITTED.to_string()]).collect();
        Guard {
            id: bead.id.clone(),
            statuses: vec![bead.status.clone()],
            assignee: Some(bead.assignee.clone()),
            lacks_labels,
            has_labels: Vec::new(),
        }
    }

    /// Step 4, the change.
    pub fn change(&self, ordered: Map<String, Value>) -> Change {
        let remote = self.work.choice.remote.as_ref().map(|remote| remote.name.as_str());
        hooking(&self.work.bead, &self.address, remote, ordered)
    }

    /// Step 4 is done.
    pub fn hooked(&mut self) {
        self.hooked = self.work.begin != Begin::Again;
    }

    /// Step 5: the session. Name and bead are unlocked then. Gives the pane that still has to be told what to do.
    pub fn start(&mut self, site: &Site<'_>) -> Result<Option<String>> {
        let prompts = Prompts::of(&self.work, &self.address, &site.target(), &self.slung.conflicts);
        let (address, instance) = (&self.address, &self.reservation.instance);
        let spec = session(site, &self.work, address, instance, &self.slung.branch, &prompts)?;
        worktree::begin(&site.rig.polecat_dir(&self.reservation.name))?;
        names::ask(site.rig, &self.reservation.name, &self.work.asked)?;
        let started = self.start_session(site, &spec)?;
        step("sling.5");
        if self.work.begin == Begin::Again && started.by_hand.is_none() {
            handoff::fulfilled(site.town, &self.address)?;
        }
        self.slung.session = started.name.clone();
        self.slung.by_hand = started.by_hand.clone();
        self.slung.under_way = started.under_way;
        if self.work.role.runtime.prompt != Prompt::None {
            self.slung.prompt = prompts.shown(&self.work);
        }
        self.turn = None;
        self.reservation.unlock();
        let pasted = self.work.role.runtime.prompt == Prompt::Paste && started.by_hand.is_none();
        Ok(pasted.then_some(started.pane))
    }

    /// Step 6 for a runtime that is told by pasting. When the prompt was not seen to arrive, the agent runs all the same,
    /// and `gt prime` tells it what the prompt would have.
    pub fn tell(&mut self, site: &Site<'_>, pane: &str) {
        let text = if self.work.is_away() { PASTED } else { &self.slung.prompt };
        self.slung.unconfirmed = match deliver(site.mux, pane, &self.work.role.runtime, text) {
            Ok(Delivery::Delivered) => None,
            Ok(Delivery::Queued) => Some("the agent was not ready for text".into()),
            Ok(Delivery::Unconfirmed) => Some("the screen does not show that it was taken".into()),
            Err(error) => Some(format!("{error:#}")),
        };
    }

    fn start_session(&mut self, site: &Site<'_>, spec: &Spec) -> Result<Started> {
        let mut sessions = self.work.sessions.clone();
        if let Some(ended) = &self.work.ended {
            self.slung.notes.extend(survivors::stop(site.town, site.mux, &[ended])?);
            sessions.sessions.retain(|session| session.id != ended.id);
        }
        if self.work.role.settings.multiplexer == Multiplexer::None {
            return Minimal::new("multiplexer = \"none\"").start(spec, &sessions);
        }
        site.mux.start(spec, &sessions)
    }

    /// Takes back what was done when the session did not start. When it may run all the same, because its daemon fell
    /// silent in between, the town remembers it, and everything stays: nothing is known of it (law 3).
    pub fn undo_start(&mut self, site: &Site<'_>) {
        let own = |record: &away::Record| record.instance == self.reservation.instance;
        let address = self.address.to_string();
        let known = away::read(site.town).map(|records| records.get(&address).is_some_and(own));
        if self.work.is_away() && known.unwrap_or(true) {
            return;
        }
        self.undo(site);
    }

    /// Takes back what was done, in reverse. What cannot be taken back is left for the next patrol, which finds it
    /// as it finds what a kill leaves.
    pub fn undo(&mut self, site: &Site<'_>) {
        if std::mem::take(&mut self.hooked) {
            let bead = &self.work.bead;
            let remote = self.work.choice.remote.as_ref();
            let label = remote.map(|remote| format!("{}{}", words::LABEL_REMOTE, remote.name));
            let before = remotes_of(bead);
            let (queued, metadata) = queued::on(bead);
            let patch = Patch {
                status: Some(bead.status.clone()),
                assignee: Some(bead.assignee.clone()),
                remove_labels: label.into_iter().filter(|label| !before.contains(label)).collect(),
                add_labels: before.into_iter().chain(new_label(bead)).chain(queued).collect(),
                metadata,
                ..Patch::default()
            };
            let guard = Guard {
                id: bead.id.clone(),
                statuses: vec![words::HOOKED.into()],
                assignee: Some(Some(self.address.to_string())),
                ..Guard::default()
            };
            let back = site.store.write(&[guard], &[Change::Update(bead.id.clone(), Box::new(patch))]);
            if back.is_err() {
                // It may still be this polecat's: then the name and the worktree are what the same sling goes on with.
                return;
            }
        }
        if let Some(sent) = self.sent.take() {
            // What cannot be deleted now is swept by the next sling that sends something.
            let _ = Git::at(site.rig.clone_dir()).delete_of_origin(&[sent]);
        }
        if std::mem::take(&mut self.made) {
            // What `worktree.setup` left in the background goes with the place.
            let ended = survivors::before_start(site.town, &[&self.address]);
            if ended.iter().any(Result::is_err) {
                return;
            }
            let base = format!("refs/remotes/origin/{}", site.target());
            let instance = &self.reservation.instance;
            if worktree::remove(&self.wanted(site, &base), &site.target(), instance).is_err() {
                return;
            }
        }
        if self.work.begin != Begin::Again {
            let _ = names::release(site.rig, &self.reservation.name, &self.reservation.instance);
        }
    }
}
