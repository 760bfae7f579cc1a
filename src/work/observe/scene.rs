//! Everything a patrol of a rig looks at, looked at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::around::Around;
use crate::base::time;
use crate::beads::request::Request;
use crate::beads::{Filter, Store};
use crate::config::schema::{Prompt, Runtime};
use crate::config::{self, Sources};
use crate::model::address::{Address, Role, polecat_of};
use crate::model::bead::Bead;
use crate::model::ids::InstanceId;
use crate::model::refs::{Branch, POLECATS};
use crate::model::words;
use crate::mux::{Depth, Mux, Session, Snapshot};
use crate::plan::patrol::{Move, Patrolled, decide};
use crate::plan::place::{Seen, in_order, is_submitted, seen};
use crate::town::away::{self, Record, Records};
use crate::town::{Rig, Town};
use crate::work::polecat::{names, sandbox, worktree};
use crate::work::remote::home;
use crate::work::talk::mail;

/// Everything one patrol of a rig looks at, looked at once.
pub struct Scene<'a> {
    pub(crate) town: &'a Town,
    pub(crate) rig: &'a Rig,
    pub(crate) mux: &'a dyn Mux,
    /// The rig's store as it was read here: a write to it that follows needs no second look of the real bd.
    pub(crate) store: Box<dyn Store>,
    sources: Sources,
    pub(crate) target: String,
    pub(crate) snapshot: Snapshot,
    pub(crate) read: StoreRead,
    pub(crate) taken: BTreeMap<String, InstanceId>,
    in_hand: BTreeSet<String>,
    sandboxes: BTreeSet<String>,
    records: Records,
    /// Whether what was handed in elsewhere may wait at an origin that was not read.
    letters_unknown: bool,
    notes: RefCell<Vec<String>>,
}

impl<'a> Scene<'a> {
    /// Looks: one look at the sessions, the rig's store, its folders and the branches of its polecats. Of polecats elsewhere
    /// that have ended nothing is concluded: their work may wait at origin.
    ///
    /// # Errors
    /// When the store, a folder or git cannot be read.
    pub fn look(town: &'a Town, rig: &'a Rig, mux: &'a dyn Mux, sources: Sources) -> Result<Scene<'a>> {
        Scene::look_and(town, rig, mux, sources, Address::Witness, |_| false)
    }

    /// The same; once the sessions were seen, and before the store is read, `bring` takes in what was handed in
    /// elsewhere, for the rig of this target: in this order a session that ended has handed in what it could. It is called
    /// only when polecats are elsewhere, and says whether it could tell. `me` is who of the rig writes what follows.
    ///
    /// # Errors
    /// As [`Scene::look`].
    pub fn look_and(
        town: &'a Town,
        rig: &'a Rig,
        mux: &'a dyn Mux,
        sources: Sources,
        me: impl Fn(String) -> Address,
        bring: impl Fn(&str) -> bool,
    ) -> Result<Scene<'a>> {
        let target = config::target(&config::settings(&sources)?);
        // The names first: whatever a sling that has let go of its name has written is seen by what is read after.
        let taken = names::taken(rig)?;
        let in_hand = taken.keys().filter(|name| names::in_hand(rig, name)).cloned().collect();
        let snapshot = mux.begin_look(Depth::Programs)?.wait()?;
        // One that cannot be read is part of the look.
        let remembered = || away::read(town).unwrap_or_default();
        let elsewhere = home::has_records(&remembered(), rig);
        let unknown = snapshot.away.unknown.is_some();
        let mut letters_unknown = unknown || (elsewhere && !bring(&target));
        let records = if elsewhere { remembered() } else { Records::new() };
        let store = rig.store(&me(rig.name.clone()))?;
        let mut read = StoreRead::of(rig, store.as_ref())?;
        // The town forgot them, and their beads' labels say where they are.
        if !elsewhere && !unknown && read.held.iter().any(|bead| bead.remote().is_some()) {
            letters_unknown = !bring(&target);
            read = StoreRead::of(rig, store.as_ref())?;
        }
        let mut sandboxes = folders(rig)?;
        sandboxes.extend(branch_names(rig)?);
        Ok(Scene {
            town,
            rig,
            mux,
            store,
            sources,
            target,
            snapshot,
            read,
            taken,
            in_hand,
            sandboxes,
            records,
            letters_unknown,
            notes: RefCell::default(),
        })
    }

    /// Adds a line for the report of what is done here.
    pub(crate) fn note(&self, line: Option<String>) {
        self.notes.borrow_mut().extend(line);
    }

    /// The lines that were added since the last time.
    pub fn notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// Every polecat's name that anything was found of.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.taken.keys().cloned().collect();
        names.extend(self.sandboxes.iter().cloned());
        let mark = self.town.mark();
        let seen = self.snapshot.ours(&mark).map(|session| &session.marks.address);
        let away = self.read.held.iter().filter(|bead| bead.remote().is_some());
        let addresses = seen.chain(self.records.keys()).chain(away.filter_map(|bead| bead.assignee.as_ref()));
        names.extend(addresses.filter_map(|address| polecat_of(&self.rig.name, address)));
        names
    }

    /// What the town remembers of a polecat's session elsewhere, if it is this bearer of the name. Where it forgot, the
    /// bead's label says the machine.
    pub(in crate::work) fn record(&self, name: &str) -> Option<Record> {
        let address = self.address(name);
        let holder = self.taken.get(name).filter(|instance| !instance.is_empty());
        if let Some(record) = self.records.get(&address.to_string()) {
            return holder.is_none_or(|own| *own == record.instance).then(|| record.clone());
        }
        let bead = self.bead_of(name)?;
        let remote = bead.remote()?;
        let daemon = self.snapshot.away.daemons.iter().find(|daemon| daemon.remote == remote)?;
        Some(Record {
            remote: remote.into(),
            fugue_addr: daemon.fugue_addr.clone(),
            town: config::remotes::known(&self.sources)
                .ok()?
                .into_iter()
                .find(|known| known.name == remote)
                .and_then(|known| known.town)
                .unwrap_or_else(|| self.town.mark()),
            session: address.session_name(),
            instance: self.instance(name),
            bead: bead.into(),
            ..Record::default()
        })
    }

    pub(in crate::work) fn records(&self) -> &Records {
        &self.records
    }

    pub(in crate::work) fn rig_name(&self) -> &str {
        &self.rig.name
    }

    /// The address of a polecat of the rig, as it is written.
    pub fn address_of(&self, name: &str) -> String {
        self.address(name).to_string()
    }

    /// Whether a daemon was asked and did not answer.
    pub(in crate::work) fn is_silent(&self, fugue_addr: &str) -> bool {
        self.snapshot.away.daemons.iter().any(|one| one.fugue_addr == fugue_addr && one.silent.is_some())
    }

    /// The session of an instance, whoever has its name by now.
    pub(in crate::work) fn session_with(&self, instance: &InstanceId) -> Option<&Session> {
        self.snapshot.ours(&self.town.mark()).find(|session| session.marks.instance == instance)
    }

    /// The decision for one name.
    pub fn decide(&self, name: &str) -> Move {
        let bead = self.bead_of(name);
        let session = self.session_of(name);
        let record = self.record(name);
        let decision = decide(&Patrolled {
            in_hand: self.in_hand.contains(name)
                || names::holder(self.rig, name) != self.taken.get(name).cloned(),
            // A place over there is a sandbox too.
            sandbox: self.sandboxes.contains(name) || record.is_some(),
            bead,
            open_request: bead.is_some_and(|bead| self.requested(bead)),
            session,
            leaving: match (&record, session) {
                (Some(record), _) => record.leaving,
                // One that a person forgot, and whose machine answers again.
                (None, Seen::Session(session)) => session.remote.is_some() && bead.is_none(),
                _ => false,
            },
            idle: self.idle(bead, session),
        });
        match decision {
            // It may have handed in its work before it ended.
            Move::Crashed | Move::Unstarted if self.letters_unknown && record.is_some() => Move::Unknown,
            decision => decision,
        }
    }

    /// The bead that a polecat holds; one that waits in the queue only when it works on no other: the name may have
    /// passed on since it was handed over.
    pub fn bead_of(&self, name: &str) -> Option<&Bead> {
        self.claims(name).into_iter().next()
    }

    /// The beads that say a polecat holds them, the one that it works on first: by its session's marks, else by the branch
    /// of its worktree.
    pub(crate) fn claims(&self, name: &str) -> Vec<&Bead> {
        let address = self.address(name).to_string();
        let own = self.read.held.iter().filter(|bead| bead.assignee.as_deref() == Some(&address)).collect();
        let works_on = || {
            let session = self.snapshot.of(&self.town.mark(), &address);
            let marked =
                session.map(|session| session.marks.bead.to_string()).filter(|bead| !bead.is_empty());
            marked.or_else(|| worktree::bead_at(self.rig, name))
        };
        in_order(own, |bead| self.is_submitted(bead), works_on)
    }

    /// What was read, for a bead that somebody holds; what such a bead waits for does not matter any more.
    pub(crate) fn around(&self, id: &str) -> Option<Around> {
        let bead = self.read.held.iter().find(|bead| bead.id == id)?;
        let beads = [(bead.id.clone(), bead.clone())].into();
        Some(Around { beads, requests: self.read.requests.clone() })
    }

    /// Whether the work on a bead waits to be merged.
    pub fn is_submitted(&self, bead: &Bead) -> bool {
        is_submitted(bead, self.requested(bead))
    }

    fn requested(&self, bead: &Bead) -> bool {
        self.read.requests.iter().any(|request| request.bead == bead.id)
    }

    /// Every bead that is not closed: as it was read, else read now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn not_closed(&self) -> Result<Vec<Bead>> {
        match &self.read.others {
            Some(others) => Ok([&self.read.held[..], others].concat()),
            None => self.store.list(&Filter::default()),
        }
    }

    pub(crate) fn address(&self, name: &str) -> Address {
        Address::Polecat(self.rig.name.clone(), name.into())
    }

    pub(crate) fn session_of(&self, name: &str) -> Seen<'_> {
        let (address, bead) = (self.address(name).to_string(), self.bead_of(name));
        let found = seen(&self.snapshot, &self.town.mark(), &address, bead);
        // Without the record nothing says what else of it is there; one that has a place here is here.
        let elsewhere = || match found {
            Seen::Session(session) => session.remote.is_some(),
            _ => bead.is_some_and(|bead| bead.remote().is_some()) || !self.sandboxes.contains(name),
        };
        let open = matches!(found, Seen::None | Seen::Session(_));
        if open && self.snapshot.away.unknown.is_some() && elsewhere() {
            return Seen::Unreachable;
        }
        found
    }

    /// What was seen of the sessions.
    pub fn seen(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Why it is not known who is on other machines.
    pub fn elsewhere_unknown(&self) -> Option<&str> {
        self.snapshot.away.unknown.as_deref()
    }

    /// The pane of an agent that can take text, and its runtime; a script has no ears.
    pub(crate) fn listener(&self, session: &Session) -> Option<(String, Runtime)> {
        let presets: Vec<String> =
            session.marks.preset.split(',').filter(|name| !name.is_empty()).map(Into::into).collect();
        let role = config::role(&self.sources, Role::Polecat, &presets, None).ok()?;
        let pane = session.panes.first().filter(|_| !session.agent_gone)?;
        (role.runtime.prompt != Prompt::None).then(|| (pane.id.clone(), role.runtime))
    }

    /// Seconds since the bead was written or the session's screen changed, whichever is later.
    fn idle(&self, bead: Option<&Bead>, session: Seen<'_>) -> Option<i64> {
        let Seen::Session(session) = session else { return None };
        // Neither its screen nor what it writes is seen from here.
        if session.remote.is_some() {
            return None;
        }
        let now = time::now();
        let since_write = bead.and_then(|bead| time::seconds_between(&bead.updated_at, &now));
        let since_screen =
            time::seconds_since_epoch(&now).map(|now| now - session.activity.max(session.created));
        match (since_write, since_screen) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }

    /// Takes a name in hand, so that no other command ends or resumes it meanwhile; a leftover has no name to take.
    pub(crate) fn claim(&self, name: &str) -> Result<Option<names::Reservation>> {
        let Some(instance) = self.taken.get(name) else { return Ok(None) };
        let claim = names::claim(self.rig, name)?;
        if claim.instance != *instance {
            crate::fail!("{}/{name} is somebody else by now", self.rig.name; "look again with: gt polecats {}", self.rig.name);
        }
        Ok(Some(claim))
    }

    /// Whether [`Scene::claim`] would get the name: another command may be ending it just now.
    pub(crate) fn claimable(&self, name: &str) -> bool {
        !names::in_hand(self.rig, name) && names::holder(self.rig, name) == self.taken.get(name).cloned()
    }

    /// The instance of a name: its reservation's, else its session's; a leftover without either gets `unknown`.
    pub(crate) fn instance(&self, name: &str) -> InstanceId {
        let session = match self.session_of(name) {
            Seen::Session(session) => Some(session.marks.instance.clone()),
            _ => None,
        };
        let remembered = || Some(self.records.get(&self.address(name).to_string())?.instance.clone());
        self.taken.get(name).cloned().or(session).or_else(remembered).unwrap_or_default().or_unknown()
    }
}

/// What a look reads of the rig's store.
pub(crate) struct StoreRead {
    /// Beads that somebody has.
    pub(crate) held: Vec<Bead>,
    /// Other work that is not closed, where all of it was read.
    others: Option<Vec<Bead>>,
    pub(crate) requests: Vec<Request>,
    /// Those, and foreign ones: what they name is not cleared away.
    pub(crate) named: Vec<Request>,
    /// Notices in the witness's inbox.
    pub(crate) notices: Vec<Bead>,
}

impl StoreRead {
    /// The overview that every look reads, and the witness's mail, which that of the real bd has already.
    fn of(rig: &Rig, store: &dyn Store) -> Result<StoreRead> {
        let beads = store.overview()?.beads;
        let inbox = mail::inbox(&Address::Witness(rig.name.clone()));
        let mails = if store.is_dear() { None } else { Some(store.list(&inbox)?) };
        let mine = |mail: &&Bead| {
            mail.is_mail()
                && mail.status == words::OPEN
                && mail.assignee == inbox.assignee
                && mail::is_notice(mail)
        };
        let notices = mails.as_ref().unwrap_or(&beads).iter().filter(mine).cloned().collect();
        let requests = beads.iter().filter_map(Request::from_bead).collect();
        let named = beads.iter().filter_map(|bead| Request::read(bead)?.ok()).collect();
        let is_held = |bead: &Bead| [words::HOOKED, words::IN_PROGRESS].contains(&bead.status.as_str());
        let (held, others): (Vec<Bead>, Vec<Bead>) =
            beads.into_iter().filter(Bead::is_work).partition(is_held);
        Ok(StoreRead { held, others: mails.is_none().then_some(others), requests, named, notices })
    }
}

/// The folders under `polecats/`.
fn folders(rig: &Rig) -> Result<BTreeSet<String>> {
    let dir = rig.root.join("polecats");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // A folder that was on its way out when somebody was killed is still its polecat's.
    let owner = |name: String| sandbox::aside_of(&name).map(str::to_string).unwrap_or(name);
    Ok(names.map(owner).filter(|name| crate::model::address::is_polecat_name(name)).collect())
}

/// The polecats that branches of the canonical clone are named after.
fn branch_names(rig: &Rig) -> Result<BTreeSet<String>> {
    let git = crate::programs::git::Git::at(rig.clone_dir());
    let refs = git.refs(POLECATS)?;
    Ok(refs.iter().filter_map(|(full, _)| Some(Branch::of_ref(full)?.name)).collect())
}
