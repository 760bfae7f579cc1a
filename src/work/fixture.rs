//! A town for unit tests of workflows: folders and stores in a temporary folder, sessions in a fake.

use std::collections::HashMap;
use std::rc::Rc;

use crate::base::reads::Reads;
use crate::base::recorder::Recorder;
use crate::base::{files, time};
use crate::beads::request::Request;
use crate::beads::{self, Change, Filter, Store, Written};
use crate::config::Sources;
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead, Patch};
use crate::model::ids::InstanceId;
use crate::model::refs::Branch;
use crate::model::rules::town_id;
use crate::mux::Marks;
use crate::mux::fake::FakeMux;
use crate::town::{FolderLayout, Rig, RigBeads, RigConfig, Town, TownFile};
use crate::work::observe::look::TownLook;
use crate::work::observe::scene::Scene;

/// The town `town` with the rig `wyvern`.
pub struct Fixture {
    _dir: tempfile::TempDir,
    pub town: Town,
    pub rig: Rig,
    pub mux: FakeMux,
    /// The calls of the rig's store.
    pub store: Rc<Recorder>,
    /// The calls of the town's store.
    pub town_store: Rc<Recorder>,
}

impl Fixture {
    pub fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let made = "2026-01-01T00:00:00Z";
        let id = town_id("town", made);
        let town = Town {
            root: root.clone(),
            name: "town".into(),
            layout: FolderLayout::Present,
            id,
            reads: Reads::default(),
        };
        let config = RigConfig {
            kind: "rig".into(),
            version: 1,
            name: "wyvern".into(),
            beads: RigBeads { prefix: "wy".into(), ..RigBeads::default() },
            ..RigConfig::default()
        };
        let rig = Rig { name: "wyvern".into(), root: root.join("wyvern"), config, town: town.id.clone() };
        for folder in ["mayor", "wyvern/witness", "wyvern/polecats/.names", "wyvern/crew"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let identity =
            TownFile { kind: "town".into(), version: 1, name: "town".into(), created_at: made.into() };
        files::write_json(&root.join("mayor/town.json"), &identity).unwrap();
        let entry = serde_json::json!({ "git_url": "", "added_at": "" });
        let rigs = serde_json::json!({ "version": 1, "rigs": { "wyvern": entry } });
        files::write_json(&root.join("mayor/rigs.json"), &rigs).unwrap();
        files::write_json(&rig.root.join("config.json"), &rig.config).unwrap();
        let agent = "[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n";
        std::fs::create_dir_all(root.join("config")).unwrap();
        std::fs::write(root.join("config/town.toml"), agent).unwrap();
        beads::embedded::Embedded::create(&town.beads_dir(), "hq").unwrap();
        beads::embedded::Embedded::create(&rig.beads_dir(), "wy").unwrap();
        repository(&rig.clone_dir());
        let (store, town_store) =
            (beads::fake::watch(&rig.beads_dir()), beads::fake::watch(&town.beads_dir()));
        Fixture { _dir: dir, town, rig, mux: FakeMux::default(), store, town_store }
    }

    /// The environment of a person whose agents only wait.
    pub fn env(&self) -> HashMap<String, String> {
        let mut env = HashMap::from([("HOME".to_string(), self.town.root.to_string_lossy().into_owned())]);
        let roles = ["MAYOR", "WITNESS", "REFINERY", "CREW", "POLECAT"];
        env.extend(roles.map(|role| (format!("GASTOWN_{role}__AGENT"), "waits".to_string())));
        env
    }

    pub fn sources(&self) -> Sources {
        self.town.sources(&self.env(), Some(&self.rig))
    }

    /// A look at the town, by the person.
    pub fn look(&self) -> TownLook<'_> {
        TownLook::begin(&self.town, self.sources().again(), Address::Overseer, &self.mux).unwrap()
    }

    pub fn scene(&self) -> Scene<'_> {
        Scene::look(&self.town, &self.rig, &self.mux, self.sources()).unwrap()
    }

    /// A polecat at work: its name, its bead (in progress) and its session. Gives the bead and the session.
    pub fn polecat(&self, name: &str) -> (String, String) {
        let address = self.address(name);
        let bead = self.bead(&format!("Work of {name}"), "in_progress", Some(&address), &[]);
        std::fs::write(self.rig.names_dir().join(name), instance(name).as_str()).unwrap();
        let session = self.mux.add(self.marks(&address, &bead, &instance(name)));
        (bead, session)
    }

    pub fn marks(&self, address: &str, bead: &str, instance: &str) -> Marks {
        Marks {
            town: self.town.mark(),
            address: address.into(),
            state: "working".into(),
            bead: bead.into(),
            instance: instance.into(),
            ..Marks::default()
        }
    }

    pub fn address(&self, name: &str) -> String {
        Address::Polecat("wyvern".into(), name.into()).to_string()
    }

    /// A bead of the rig; gives its id.
    pub fn bead(&self, title: &str, status: &str, assignee: Option<&str>, labels: &[&str]) -> String {
        let labels: Vec<String> = labels.iter().map(|label| (*label).into()).collect();
        let id = self.create(NewBead { title: title.into(), labels, ..NewBead::default() });
        let patch = Patch {
            status: Some(status.into()),
            assignee: Some(assignee.map(Into::into)),
            ..Patch::default()
        };
        self.plain(|store| store.write(&[], &[Change::Update(id.clone(), Box::new(patch))]).unwrap());
        id
    }

    /// An open request for a bead; `change` says what is unusual about it.
    pub fn request(&self, bead: &str, worker: &str, change: impl FnOnce(&mut Request)) -> Request {
        let mut request = Request {
            rig: "wyvern".into(),
            branch: Branch::new(&self.rig.town, worker, &bead.into()).to_string(),
            commit: "c0ffee00".repeat(5),
            target: "main".into(),
            bead: bead.into(),
            worker: self.address(worker),
            instance: instance(worker),
            title: format!("Work on {bead}"),
            created: time::now(),
            attempt: 1,
            priority: 2,
            ..Request::default()
        };
        change(&mut request);
        request.id = beads::random_id("wy");
        self.create(request.to_bead(&self.town.secret().unwrap()));
        request
    }

    fn create(&self, new: NewBead) -> String {
        self.plain(|store| match store.write(&[], &[Change::Create(Box::new(new))]).unwrap() {
            Written::Done(ids) => ids[0].clone(),
            refused => panic!("{refused:?}"),
        })
    }

    /// A bead as it is now.
    pub fn show(&self, id: &str) -> Bead {
        self.plain(|store| {
            store.list(&Filter { ids: vec![id.into()], ..Filter::default() }).unwrap().remove(0)
        })
    }

    /// Who has mail, and its subject.
    pub fn mail(&self) -> Vec<(String, String)> {
        let town = beads::embedded::Embedded::open(&self.town.beads_dir(), "", "test").unwrap();
        let mut found = town.all().unwrap();
        self.plain(|store| found.extend(store.list(&Filter { all: true, ..Filter::default() }).unwrap()));
        found.retain(|bead| bead.is_mail());
        found.into_iter().map(|bead| (bead.assignee.unwrap_or_default(), bead.title)).collect()
    }

    /// Uses the rig's store without a record of it, and without a fault.
    fn plain<T>(&self, work: impl FnOnce(&dyn Store) -> T) -> T {
        work(&beads::embedded::Embedded::open(&self.rig.beads_dir(), "wy", "test").unwrap())
    }
}

/// The instance that [`Fixture::polecat`] gives to a name.
pub fn instance(name: &str) -> InstanceId {
    format!("i-{name}").parse().unwrap()
}

/// An empty repository, as git makes it.
fn repository(dir: &std::path::Path) {
    for folder in [".git/objects", ".git/refs"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    std::fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
}
