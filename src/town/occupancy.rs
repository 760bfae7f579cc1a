//! Which agent runs where: a lock that an agent's program and everything it starts hold.
//!
//! The start line of an agent takes the lock before it becomes the agent ([`take`]), on a descriptor that its children
//! inherit. So a held lock means that something of an agent runs there, whatever became of its session, its socket and its
//! name: nothing is started there and nothing removed.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::files;
use crate::model::address::{self, Address};
use crate::model::ids::InstanceId;
use crate::programs::agent_lock::DESCRIPTOR;
use crate::programs::process::stamp::Stamp;
use crate::town::{Rig, Town};

/// The file that is locked: in the git directory of an agent's worktree or clone, else in its own folder.
pub const LOCK: &str = "gt-agent.lock";

/// How long an agent that was just ended may hold its lock.
pub const ENDING: Duration = Duration::from_secs(3);

/// How long [`take`] tries: a look holds the lock for a moment too.
const LOOKS: Duration = Duration::from_secs(1);

/// How often a lock is tried.
const PAUSE: Duration = Duration::from_millis(5);

/// Who took a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The agent's address.
    pub address: String,
    /// Its session's instance.
    pub instance: InstanceId,
    /// Its program, which leads its session and process group. It may have ended: what it started holds the lock then.
    pub process: Option<Stamp>,
    /// The tmux server that its pane is in.
    pub server: Option<TmuxServer>,
}

/// A tmux server, as a pane knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmuxServer {
    /// The path of its socket.
    pub socket: String,
    /// Its process.
    pub process: Stamp,
}

impl TmuxServer {
    /// From the variable `TMUX` of a pane: `SOCKET,PID,SESSION`.
    pub fn of_pane(tmux: &str) -> Option<TmuxServer> {
        let mut parts = tmux.rsplitn(3, ',');
        let (_, pid) = (parts.next()?, parts.next()?.parse().ok()?);
        Some(TmuxServer { socket: parts.next()?.into(), process: Stamp::of(pid)? })
    }
}

impl Holder {
    /// Whether the agent itself has ended, and only what it started goes on.
    fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|stamp| !stamp.alive())
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.process {
            Some(stamp) if stamp.alive() => write!(f, "{} runs there as process {}", self.address, stamp.pid),
            Some(stamp) => {
                write!(f, "something that {} (process {}) started runs there", self.address, stamp.pid)
            }
            None => f.write_str("an agent runs there"),
        }
    }
}

/// Whether something of an agent runs in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// Nothing does.
    No,
    /// Something of this agent does.
    Yes(Holder),
    /// It cannot be told, for this reason: to be treated as yes.
    Unknown(String),
}

impl Occupied {
    /// An error unless nothing runs; `what` is what cannot be done then, like `cannot remove DIR`.
    ///
    /// # Errors
    /// When something runs there, or that cannot be told.
    pub fn refuse(&self, what: &str) -> Result<()> {
        match self {
            Occupied::No => Ok(()),
            Occupied::Unknown(why) => crate::fail!("{what}: {why}"),
            Occupied::Yes(holder) => {
                let mut failure = Failure::new(format!("{what}: {holder}"));
                if let Some(stamp) = holder.process.as_ref().filter(|stamp| stamp.alive()) {
                    failure = failure.hint(format!(
                        "see what it is with: ps -fp {pid}; end it with: kill {pid}",
                        pid = stamp.pid
                    ));
                }
                Err(failure.into())
            }
        }
    }
}

/// The lock file of what works in a folder: in its git directory, in the folder itself when it has none. A worktree of a
/// rig's clone is looked for in that clone: its `.git` names another place when the town was moved or copied.
pub fn lock_in(dir: &Path) -> PathBuf {
    let git = dir.join(".git");
    let link = files::text(&git).ok().flatten().unwrap_or_default();
    let base = match link.strip_prefix("gitdir:").map(|target| dir.join(target.trim())) {
        Some(target) => own_worktree(dir, &target).unwrap_or(target),
        None if git.is_dir() => git,
        // A `.git` that is gone or broken takes no lock away.
        None => own_worktree(dir, dir).unwrap_or_else(|| dir.to_path_buf()),
    };
    base.join(LOCK)
}

/// What the clone of the rig that a polecat's folder is in knows of it.
fn own_worktree(dir: &Path, target: &Path) -> Option<PathBuf> {
    let rig = dir.parent()?.parent()?;
    let known = rig.join("mayor/rig/.git/worktrees").join(target.file_name()?);
    known.is_dir().then_some(known)
}

/// The lock file of an agent.
pub fn lock_of(town: &Town, address: &Address) -> PathBuf {
    let rig = |rig: &str| town.root.join(rig);
    match address {
        Address::Overseer | Address::Mayor => town.root.join("mayor").join(LOCK),
        Address::Deacon => town.root.join("deacon").join(LOCK),
        Address::Witness(own) => rig(own).join("witness").join(LOCK),
        Address::Plugin(own, name) => rig(own).join("plugins").join(name).join(LOCK),
        Address::Refinery(own) => lock_in(&rig(own).join("refinery/rig")),
        Address::Crew(own, name) => lock_in(&rig(own).join("crew").join(name)),
        Address::Polecat(own, name) => lock_in(&rig(own).join("polecats").join(name)),
    }
}

/// Whether something of an agent runs in a worktree or clone.
pub fn is_occupied(dir: &Path) -> Occupied {
    is_held(&lock_in(dir))
}

/// The same by the lock's file; one that is not there is not held.
pub fn is_held(lock: &Path) -> Occupied {
    let mut file = match files::open(lock) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Occupied::No;
        }
        Err(error) => return Occupied::Unknown(format!("cannot open {}: {error}", lock.display())),
    };
    match file.try_lock_shared() {
        Ok(()) => Occupied::No,
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // It is written once the lock is held: a moment later, or never when the disk is full.
            let _ = file.read_to_string(&mut text);
            Occupied::Yes(serde_json::from_str(&text).unwrap_or_default())
        }
        Err(TryLockError::Error(error)) => {
            Occupied::Unknown(format!("cannot lock {}: {error}", lock.display()))
        }
    }
}

/// [`is_held`], once it is not, or the time is up.
pub fn when_free(lock: &Path, patience: Duration) -> Occupied {
    let limit = Instant::now() + patience;
    loop {
        match is_held(lock) {
            Occupied::Yes(_) if Instant::now() < limit => std::thread::sleep(PAUSE),
            found => return found,
        }
    }
}

/// Refuses to remove a worktree or clone that something of an agent runs in; one that was just ended gets a moment to go.
///
/// # Errors
/// When something runs there, or that cannot be told.
pub fn check_removable(dir: &Path) -> Result<()> {
    when_free(&lock_in(dir), ENDING).refuse(&format!("cannot remove {}", dir.display()))
}

/// Takes the lock, and writes down who has it.
///
/// # Errors
/// When something else holds it, or the file cannot be opened.
pub fn take(
    lock: &Path,
    (address, instance): (&str, &InstanceId),
    server: Option<TmuxServer>,
) -> Result<File> {
    let failed = || format!("cannot take the lock {}", lock.display());
    if let Some(dir) = lock.parent() {
        files::make_dir(dir)?;
    }
    let mut file = files::open_private().read(true).open(lock).with_context(failed)?;
    let limit = Instant::now() + LOOKS;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < limit => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => is_held(lock).refuse(&format!("cannot start {address}"))?,
            Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
        }
    }
    let holder = Holder { address: address.into(), instance: instance.into(), process: Stamp::own(), server };
    let text = serde_json::to_string(&holder).with_context(failed)?;
    file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).with_context(failed)?;
    Ok(file)
}

/// Has everything that this process starts or becomes hold a lock that it has.
///
/// # Errors
/// When it has no descriptor left.
pub fn hand_on(lock: &File) -> Result<OwnedFd> {
    let failed = "cannot hand the lock on";
    let kept = fcntl_dupfd_cloexec(lock, DESCRIPTOR).context(failed)?;
    fcntl_setfd(&kept, FdFlags::empty()).context(failed)?;
    Ok(kept)
}

/// A tmux server that runs and that agents of a town are in.
pub fn server(held: &BTreeMap<String, Occupied>) -> Option<&TmuxServer> {
    held.values().find_map(|occupied| match occupied {
        Occupied::Yes(holder) => holder.server.as_ref().filter(|server| server.process.alive()),
        _ => None,
    })
}

/// The agents of a town that run, by address. What an agent that has ended left running is ended before the next start
/// or the removal; these ask the lock itself, as does who finds nothing here because something cannot be read. Of those
/// that are `known` to run nothing is read.
pub fn of_town(town: &Town, known: impl Fn(&str) -> bool) -> BTreeMap<String, Occupied> {
    let mut agents = vec![Address::Mayor, Address::Deacon];
    for rig in town.rig_names().unwrap_or_default() {
        let members = |folder: &str| {
            files::names_in(&town.root.join(&rig).join(folder)).unwrap_or_default().into_iter()
        };
        let polecats = members("polecats").filter(|name| address::is_polecat_name(name));
        agents.extend(polecats.map(|name| Address::Polecat(rig.clone(), name)));
        agents.extend(members("crew").map(|name| Address::Crew(rig.clone(), name)));
        agents.extend(members("plugins").map(|name| Address::Plugin(rig.clone(), name)));
        agents.extend([Address::Witness(rig.clone()), Address::Refinery(rig)]);
    }
    let held = |agent: Address| {
        let address = agent.to_string();
        if known(&address) {
            return None;
        }
        match is_held(&lock_of(town, &agent)) {
            Occupied::No => None,
            Occupied::Yes(holder) if holder.has_ended() => None,
            held => Some((address, held)),
        }
    };
    agents.into_iter().filter_map(held).collect()
}

/// The variables that what runs for a polecat without being started by its agent carries, `worktree.setup` say; for a test
/// run, which has no polecat's name, its mark.
pub fn mark_of(rig: &Rig, polecat: &str) -> Vec<(&'static str, String)> {
    if polecat.is_empty() {
        return vec![(TEST_RUN, rig.root.to_string_lossy().into_owned())];
    }
    vec![
        ("GT_TOWN_ROOT", town_of(rig)),
        ("GT_ADDRESS", Address::Polecat(rig.name.clone(), polecat.into()).to_string()),
    ]
}

/// The variable that says of which rig's test runs a process is.
pub const TEST_RUN: &str = "GT_TEST_RUN";

/// The town of a rig, as its processes' environment names it.
pub fn town_of(rig: &Rig) -> String {
    rig.root.parent().map(|root| root.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_worktree_is_in_the_clone_of_its_own_rig_wherever_its_link_leads() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("wyvern/polecats/Nux");
        let known = dir.path().join("wyvern/mayor/rig/.git/worktrees/Nux");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(".git"), "gitdir: /before/wyvern/mayor/rig/.git/worktrees/Nux\n").unwrap();
        assert_eq!(lock_in(&place), Path::new("/before/wyvern/mayor/rig/.git/worktrees/Nux").join(LOCK));
        std::fs::create_dir_all(&known).unwrap();
        assert_eq!(lock_in(&place), known.join(LOCK));
        std::fs::remove_file(place.join(".git")).unwrap();
        assert_eq!(lock_in(&place), known.join(LOCK));
    }

    #[test]
    fn a_lock_that_is_no_file_is_unknown_and_nothing_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("Nux");
        std::fs::create_dir(&place).unwrap();
        let fifo = |path: &Path| {
            assert!(crate::programs::Process::new("mkfifo").arg(path).run().unwrap().ok());
        };
        fifo(&place.join(".git"));
        assert_eq!(is_occupied(&place), Occupied::No);
        fifo(&place.join(LOCK));
        assert!(matches!(is_occupied(&place), Occupied::Unknown(_)));
    }

    #[test]
    fn the_lock_is_in_the_git_directory_and_says_who_has_it() {
        for relative in [false, true] {
            // A folder for each: a process that another test starts meanwhile inherits the lock, and may hold it a while.
            let dir = tempfile::tempdir().unwrap();
            let place = dir.path().join("Nux");
            let git = dir.path().join("clone/.git/worktrees/Nux");
            for folder in [&place, &git] {
                std::fs::create_dir_all(folder).unwrap();
            }
            assert_eq!(lock_in(&place), place.join(LOCK));
            let link = if relative { "../clone/.git/worktrees/Nux" } else { git.to_str().unwrap() };
            std::fs::write(place.join(".git"), format!("gitdir: {link}\n")).unwrap();
            assert_eq!(is_occupied(&place), Occupied::No);
            let held = take(&lock_in(&place), ("wyvern/Nux", &"ab12".into()), None).unwrap();
            let Occupied::Yes(holder) = is_occupied(&place) else { panic!("not held") };
            assert_eq!((holder.address.as_str(), holder.instance.as_str()), ("wyvern/Nux", "ab12"));
            assert_eq!(holder.process, Stamp::own());
            assert!(git.join(LOCK).exists());
            let second =
                take(&lock_in(&place), ("wyvern/Nux", &"cd34".into()), None).unwrap_err().to_string();
            assert!(
                second.starts_with("cannot start wyvern/Nux: wyvern/Nux runs there as process"),
                "{second}"
            );
            drop(held);
            let clone = dir.path().join("clone");
            assert_eq!(lock_in(&clone), clone.join(".git").join(LOCK));
        }
    }

    #[test]
    fn a_lock_that_cannot_be_opened_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("link");
        std::os::unix::fs::symlink(&lock, &lock).unwrap();
        assert!(matches!(is_held(&lock), Occupied::Unknown(_)));
        assert!(is_held(&lock).refuse("cannot remove it").is_err());
    }

    #[test]
    fn a_pane_knows_its_server() {
        let own = Stamp::own().unwrap();
        let server = TmuxServer::of_pane(&format!("/tmp/a,b/default,{},3", own.pid)).unwrap();
        assert_eq!((server.socket.as_str(), &server.process), ("/tmp/a,b/default", &own));
        assert_eq!(TmuxServer::of_pane("x"), None);
        let holder = |process: Stamp| {
            let server = Some(TmuxServer { process, ..server.clone() });
            Occupied::Yes(Holder { server, ..Holder::default() })
        };
        let of = |process| super::server(&[("a".to_string(), holder(process))].into()).cloned();
        assert_eq!(of(own.clone()), Some(server.clone()));
        assert_eq!(of(Stamp { start: "long ago".into(), ..own }), None, "its number passed on");
    }
}
