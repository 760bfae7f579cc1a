//! The context of a command: its flags, folder and environment; the town, settings, sessions and stores, each found when it is
//! first asked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use super::tell;
use crate::base::failure::{Failure, Failures};
use crate::base::terminal;
use crate::cli::{ColorWhen, Global};
use crate::config::schema::Multiplexer;
use crate::config::{Settings, Sources};
use crate::model::address::{Address, Role};
use crate::mux::Mux;
use crate::mux::hybrid::Hybrid;
use crate::town::checkout::{self, Checkout};
use crate::town::{Rig, Town};
use crate::work::observe::look::TownLook;
use crate::work::observe::own::Me;

/// What a command knows of its surroundings: the one place that reads the environment.
pub struct Ctx {
    /// The flags every command takes.
    pub global: Global,
    /// Where it acts: `-C`, else the working directory.
    pub dir: PathBuf,
    /// The environment at start.
    pub env: HashMap<String, String>,
    /// The rig whose repository this folder is a person's checkout of; empty until it was looked for.
    checkout: OnceLock<Option<Checkout>>,
    /// The town, once it was found.
    town: Arc<OnceLock<Town>>,
    /// Where configuration is looked for, with what was read of it.
    sources: Sources,
}

impl Ctx {
    pub(super) fn new(global: Global) -> Result<Ctx> {
        let here = std::env::current_dir()
            .map_err(|_| Failure::new("the working directory is gone").hint("cd to a folder that exists"))?;
        let dir = match &global.dir {
            Some(dir) => here.join(dir),
            None => here,
        };
        // Variables that are no text cannot configure anything; git and tmux inherit them untouched.
        let env = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let sources = Sources::from_env(&env);
        Ok(Ctx { global, dir, env, checkout: OnceLock::new(), town: Arc::default(), sources })
    }

    /// The same for another look: the town and its settings may have changed.
    #[must_use]
    pub fn again(&self) -> Ctx {
        let (global, sources) = (self.global.clone(), self.sources.again());
        Ctx {
            global,
            sources,
            dir: self.dir.clone(),
            env: self.env.clone(),
            checkout: self.checkout.clone(),
            town: Arc::default(),
        }
    }

    /// A variable, when it is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The town this command is about.
    ///
    /// # Errors
    /// As [`Town::find`].
    pub fn town(&self) -> Result<Town> {
        match self.town.get() {
            Some(town) => Ok(town.clone()),
            None => self.locate()?.town().map(|town| self.town.get_or_init(|| town).clone()),
        }
    }

    /// Where the town is, before its files are believed: the one this folder is in, else the one that has a rig of the
    /// repository that this folder is a checkout of.
    ///
    /// # Errors
    /// When there is none.
    pub fn locate(&self) -> Result<crate::town::discover::FoundTown> {
        let root = if self.global.dir.is_some() { None } else { self.var("GT_TOWN_ROOT").map(PathBuf::from) };
        match (Town::locate(&self.dir, root.as_deref()), root) {
            (Err(error), None) => {
                let town = self.checkout()?.map(|own| own.found.clone());
                town.ok_or_else(|| checkout::naming_towns(|name| self.var(name), error))
            }
            (located, _) => located,
        }
    }

    /// The rig whose repository this folder, outside every town, is a checkout of.
    ///
    /// # Errors
    /// As [`checkout::find`].
    pub fn checkout(&self) -> Result<Option<&Checkout>> {
        if self.checkout.get().is_none() {
            let found = checkout::find(|name| self.var(name), &self.dir)?;
            return Ok(self.checkout.get_or_init(|| found).as_ref());
        }
        Ok(self.checkout.get().and_then(Option::as_ref))
    }

    /// The rig that this folder is in, or whose repository it is a checkout of.
    pub(super) fn rig_here(&self, town: &Town) -> Option<String> {
        let outside = || self.checkout.get()?.as_ref().filter(|own| own.found.root == town.root);
        rig_of_path(town, &self.dir).or_else(|| Some(outside()?.rig.clone()))
    }

    /// Writes down where a town is, so that it is found from checkouts of its rigs.
    pub fn remember(&self, root: &std::path::Path) {
        if let Err(error) = checkout::remember(|name| self.var(name), root) {
            self.note(&format!("warning: this town is not found from your own checkouts: {error:#}"));
        }
    }

    /// The rig that is named (a name, or a path inside it), else the one this directory or this agent is in, else the only
    /// one.
    ///
    /// # Errors
    /// An unknown name, or none given outside a rig.
    pub fn rig(&self, town: &Town, named: Option<&str>) -> Result<Rig> {
        if let Some(name) = named {
            if name.contains('/') || name == "." || name == ".." {
                let path = self.dir.join(name);
                if let Some(rig) = rig_of_path(town, &path) {
                    return town.rig(&rig);
                }
            }
            return town.rig(name);
        }
        match self.var("GT_RIG").map(str::to_string).or_else(|| self.rig_here(town)) {
            Some(name) => town.rig(&name),
            // A town of one rig needs no naming.
            None => match town.rig_names()?.as_slice() {
                [only] => town.rig(only),
                [] => Err(Failure::usage("the town has no rig")
                    .hint("add one with: gt rig add NAME GIT-URL")
                    .into()),
                _ => Err(Failure::usage("which rig? this folder is in none")
                    .hint("name one; see them with: gt rigs")
                    .into()),
            },
        }
    }

    /// The rig that is named, else all that can be read; the others are among the failures.
    ///
    /// # Errors
    /// An unknown name; a list of rigs that cannot be read.
    pub fn rigs(&self, town: &Town, named: Option<&str>, failures: &mut Failures) -> Result<Vec<Rig>> {
        match named {
            Some(_) => Ok(vec![self.rig(town, named)?]),
            None => town.rigs(failures),
        }
    }

    /// The agent that a person means: an address, a bead's id, or a polecat's bare name.
    ///
    /// # Errors
    /// As [`crate::work::observe::who::resolve`].
    pub fn agent(&self, town: &Town, text: &str) -> Result<Address> {
        crate::work::observe::who::resolve(town, &self.sources(town, None), text)
    }

    /// Where configuration is looked for.
    pub fn sources(&self, town: &Town, rig: Option<&Rig>) -> Sources {
        let own = Sources { town: Some(town.root.clone()), ..self.sources.clone() };
        rig.map_or_else(|| own.clone(), |rig| rig.sources(&own))
    }

    /// The settings of the town, or of one of its rigs.
    ///
    /// # Errors
    /// Broken configuration.
    pub fn settings(&self, town: &Town, rig: Option<&Rig>) -> Result<Settings> {
        crate::config::settings(&self.sources(town, rig))
    }

    /// What keeps the town's sessions: tmux on the socket that is configured, or minimal mode; and the daemons of other
    /// machines. Settings are not read as a whole: that can go on while a look is under way.
    ///
    /// # Errors
    /// Broken configuration, as far as it has to be read; as [`crate::mux::open`] and [`Hybrid::open`].
    pub fn mux(&self, town: &Town) -> Result<Box<dyn Mux>> {
        let sources = self.sources(town, None);
        let socket = crate::config::tmux_socket(&sources)?;
        let local = crate::mux::open(Multiplexer::Auto, socket.as_deref())?;
        Ok(Box::new(Hybrid::open(local, town, &sources)?))
    }

    /// Begins a look at the town: its sessions are looked at from now on.
    ///
    /// # Errors
    /// As [`TownLook::begin`]; when `GT_ADDRESS` is no address.
    pub fn look<'a>(&self, town: &'a Town, mux: &'a dyn Mux) -> Result<TownLook<'a>> {
        TownLook::begin(town, self.sources(town, None), self.me()?.address, mux)
    }

    /// Who runs this.
    ///
    /// # Errors
    /// When `GT_ADDRESS` is no address.
    pub fn me(&self) -> Result<Me> {
        let address = match self.var("GT_ADDRESS") {
            Some(text) => Address::parse(text)?,
            None => Address::Overseer,
        };
        Ok(Me {
            address,
            instance: self.var("GT_INSTANCE").map(str::parse).transpose()?,
            bead: self.var("GT_BEAD").map(str::parse).transpose()?,
            session: self.var("GT_SESSION").map(Into::into),
        })
    }

    /// The rig whose store keeps a bead, by the prefix of its id.
    ///
    /// # Errors
    /// As [`crate::work::observe::who::rig_of`].
    pub fn rig_of(&self, town: &Town, id: &str) -> Result<Rig> {
        crate::work::observe::who::rig_of(town, &self.sources(town, None), id)
    }

    /// Whether a person runs this, and no agent.
    pub fn is_person(&self) -> bool {
        self.var("GT_ROLE").is_none()
    }

    /// Asks the person a question that is answered with yes or no; `None` where none can be asked: without a terminal, with
    /// `--json`, and where an agent runs this.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn ask(&self, question: &str) -> Result<Option<bool>> {
        use std::io::{BufRead, IsTerminal};
        let terminal = std::io::stdin().is_terminal() && terminal::is_heard();
        if !terminal || self.global.json || !self.is_person() {
            return Ok(None);
        }
        tell(&format!("{question} [y/N]"));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str())))
    }

    /// Refuses to an agent what the person alone decides: `what` is the command. It keeps agents to their work; it is no
    /// wall, since they run as the same user.
    ///
    /// # Errors
    /// When an agent asks, with whom to write to.
    pub fn person_only(&self, what: &str) -> Result<(), Failure> {
        let Some(role) = self.var("GT_ROLE") else { return Ok(()) };
        let hint = format!("ask the person: gt mail send overseer -s 'please run: {what}' -m WHY");
        Err(Failure::new(format!("{what} is for the person, and this is an agent ({role})")).hint(hint))
    }

    /// Says something beside the result, on standard error, unless `-q`.
    pub fn note(&self, text: &str) {
        if !self.global.quiet {
            tell(text);
        }
    }

    /// Exports the stores of a town and one of its rigs, once a day. What was done stands when that fails.
    pub fn keep_exports(&self, town: &Town, rig: Option<&Rig>) {
        for place in std::iter::once(&town.root).chain(rig.map(|rig| &rig.root)) {
            if let Err(error) = crate::work::setup::exports::keep(place, &town.reads) {
                self.note(&format!("warning: the daily export of {} failed: {error:#}", place.display()));
            }
        }
    }

    /// What standard output can show.
    pub fn screen(&self) -> crate::report::Screen {
        crate::report::Screen::of(self.fancy(), |name| self.var(name))
    }

    /// Whether standard output takes colour and symbols.
    pub fn fancy(&self) -> bool {
        match self.global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                terminal::is_shown() && self.var("NO_COLOR").is_none() && self.var("TERM") != Some("dumb")
            }
        }
    }

    /// Has the limits read from the settings, if one is ever needed.
    pub(super) fn set_limits(&self) {
        let (dir, sources, town) = (self.dir.clone(), self.sources.clone(), Arc::clone(&self.town));
        let root = if self.global.dir.is_some() { None } else { self.var("GT_TOWN_ROOT").map(PathBuf::from) };
        // Looking for a checkout takes a process, which may be what is waited for.
        let read = move || {
            let town = town.get().cloned().or_else(|| Town::find(&dir, root.as_deref()).ok());
            crate::config::limits(&Sources { town: town.map(|town| town.root), ..sources.clone() })
        };
        crate::base::limits::read_by(read, self.global.quiet);
    }
}

pub(in crate::command) fn rig_of_path(town: &Town, path: &std::path::Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let name = path.strip_prefix(&town.root).ok()?.components().next()?.as_os_str().to_str()?.to_string();
    (crate::model::address::is_rig_name(&name)
        && town.root.join(&name).join("config.json").is_file()
        && Role::parse(&name).is_none())
    .then_some(name)
}
