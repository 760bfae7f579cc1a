//! Names of polecats: one file per taken name under the rig, made exclusively, holding the instance id (`work.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};

use crate::base::failure::Failure;
use crate::base::files;
use crate::model::ids::InstanceId;
use crate::town::{Rig, polecat_state};

/// A name that was just taken. While this value lives the name counts as being set up, and no patrol or doctor frees
/// it; a kill ends that as well, because the system drops the lock.
#[derive(Debug)]
pub struct Reservation {
    /// The polecat's name.
    pub name: String,
    /// The instance id of its session.
    pub instance: InstanceId,
    claim: Option<File>,
}

impl Reservation {
    /// Lets other commands take the name in hand; it stays taken.
    pub fn unlock(&mut self) {
        self.claim = None;
    }
}

/// A fresh instance id: time and randomness, 16 characters that fit into refs, marks and file names.
pub fn new_instance() -> InstanceId {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    // RandomState is seeded by the system for each process; with the pid and the clock two ids never meet.
    let random =
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), (std::process::id(), nanos));
    InstanceId::new((nanos / 1_000_000_000) as u32, random as u32)
}

/// Takes the first free name of `pool` that is not in `avoid`, or just `wanted` when given. When the pool is used up,
/// `Name2` and so on.
///
/// # Errors
/// When `wanted` is taken, or the file cannot be made.
pub fn reserve(
    rig: &Rig,
    pool: &[String],
    avoid: &BTreeSet<String>,
    wanted: Option<&str>,
    instance: &InstanceId,
) -> Result<Reservation> {
    let dir = rig.names_dir();
    files::make_dir(&dir)?;
    if let Some(name) = wanted {
        if let Some(claim) = take(rig, name, instance)? {
            return Ok(Reservation { name: name.into(), instance: instance.clone(), claim: Some(claim) });
        }
        return Err(is_taken(rig, name).into());
    }
    for round in 1..=100 {
        for name in pool {
            let name = if round == 1 { name.clone() } else { format!("{name}{round}") };
            // A folder without a reservation is somebody's leftover: doctor's business, not ours to reuse.
            if avoid.contains(&name) || rig.polecat_dir(&name).exists() {
                continue;
            }
            if let Some(claim) = take(rig, &name, instance)? {
                return Ok(Reservation { name, instance: instance.clone(), claim: Some(claim) });
            }
        }
    }
    crate::fail!("no free polecat name in {}", rig.name; "look with: gt doctor {}", rig.name)
}

/// Why a name cannot be had.
pub fn is_taken(rig: &Rig, name: &str) -> Failure {
    Failure::new(format!("the name {name} is taken in {}", rig.name))
        .hint(format!("see who is there with: gt polecats {}; without a name a free one is taken", rig.name))
}

/// Makes the file of a name, whole and locked, or not at all; `None` when it is there already.
fn take(rig: &Rig, name: &str, instance: &InstanceId) -> Result<Option<File>> {
    let dir = rig.names_dir();
    let failed = || format!("cannot reserve the name {name} in {}", dir.display());
    let draft = tempfile::Builder::new().prefix(crate::base::files::ASIDE).tempfile_in(&dir);
    let mut file = draft.with_context(failed)?;
    file.write_all(instance.as_bytes()).with_context(failed)?;
    file.as_file().lock().with_context(failed)?;
    match file.persist_noclobber(dir.join(name)) {
        Ok(claim) => Ok(Some(claim)),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error.error).with_context(failed),
    }
}

/// Takes a name that is reserved already in hand again (to resume its work), so that nobody frees it meanwhile.
///
/// # Errors
/// When the name is not reserved, or another command has it in hand.
pub fn claim(rig: &Rig, name: &str) -> Result<Reservation> {
    let path = rig.names_dir().join(name);
    let file = files::open(&path)
        .map_err(|_| Failure::new(format!("the name {name} is not reserved in {}", rig.name)))?;
    if file.try_lock().is_err() {
        let hint = format!("look again in a moment with: gt polecats {}", rig.name);
        return Err(Failure::new(format!("{}/{name} is being set up or ended by another command", rig.name))
            .hint(hint)
            .into());
    }
    let instance = holder(rig, name).unwrap_or_default();
    Ok(Reservation { name: name.into(), instance, claim: Some(file) })
}

/// What a polecat was started with by hand (`agent`, `permissions`): its restarts keep it.
pub fn asked(rig: &Rig, name: &str, key: &str) -> Option<String> {
    let state: files::Object = files::read_json(&polecat_state(&rig.root, name)).ok()?;
    Some(state.get(key)?.as_str()?.to_string())
}

/// Writes down what a polecat is started with by hand; it goes with the name.
///
/// # Errors
/// When the file cannot be read or written.
pub fn ask(rig: &Rig, name: &str, asked: &[(&'static str, String)]) -> Result<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let path = polecat_state(&rig.root, name);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    files::change_json(&path, |state| {
        state.extend(asked.iter().map(|(key, value)| ((*key).to_string(), value.as_str().into())));
        Ok(())
    })
}

/// Whether a command that still runs has the name in hand.
pub fn in_hand(rig: &Rig, name: &str) -> bool {
    files::open(&rig.names_dir().join(name)).is_ok_and(|file| file.try_lock_shared().is_err())
}

/// Gives a name back, if this instance or nobody has it. A name that is free already is no error.
///
/// # Errors
/// When the file cannot be removed.
pub fn release(rig: &Rig, name: &str, instance: &InstanceId) -> Result<()> {
    let file = rig.names_dir().join(name);
    if holder(rig, name).is_none_or(|held| !held.is_empty() && held != instance) {
        return Ok(());
    }
    [polecat_state(&rig.root, name), file].iter().try_for_each(|path| match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    })
}

/// The instance that has a name; empty for a file that gt did not write, whose name is nobody's.
pub fn holder(rig: &Rig, name: &str) -> Option<InstanceId> {
    let bytes = files::bytes(&rig.names_dir().join(name)).ok()?;
    // It becomes a part of refs and marks: no other text may pass for one.
    Some(InstanceId::parse(String::from_utf8_lossy(&bytes).trim()).unwrap_or_default())
}

/// All taken names of a rig, with their instances. A rig without the folder has none.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn taken(rig: &Rig) -> Result<BTreeMap<String, InstanceId>> {
    let dir = rig.names_dir();
    let failed = || format!("cannot read {}", dir.display());
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    let mut names = BTreeMap::new();
    for entry in entries {
        let name = entry.with_context(failed)?.file_name().to_string_lossy().into_owned();
        if !crate::model::address::is_polecat_name(&name) {
            continue;
        }
        // One that went since, or a folder that somebody made, is nobody's name.
        if let Some(instance) = holder(rig, &name) {
            names.insert(name, instance);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rig(dir: &std::path::Path) -> Rig {
        Rig {
            name: "wyvern".into(),
            root: dir.to_path_buf(),
            config: Default::default(),
            town: String::new(),
        }
    }

    #[test]
    fn sixteen_at_once_get_sixteen_names() {
        let dir = tempfile::tempdir().unwrap();
        let rig = rig(dir.path());
        let pool: Vec<String> = ["Nux", "Toast", "Slit"].map(Into::into).to_vec();
        let names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope
                        .spawn(|| reserve(&rig, &pool, &BTreeSet::new(), None, &new_instance()).unwrap().name)
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 16);
        assert_eq!(taken(&rig).unwrap().len(), 16);
    }

    #[test]
    fn what_others_put_among_the_names_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let rig = rig(dir.path());
        std::fs::create_dir_all(rig.names_dir().join("Folder")).unwrap();
        for (name, bytes) in [("Empty", &b""[..]), ("Bytes", b"\0\xff"), ("Path", b"../../x\n")] {
            std::fs::write(rig.names_dir().join(name), bytes).unwrap();
            assert_eq!(holder(&rig, name).as_deref(), Some(""), "{name}");
        }
        assert_eq!(taken(&rig).unwrap().len(), 3);
        for name in ["Empty", "Bytes", "Path"] {
            release(&rig, name, &"unknown".into()).unwrap();
        }
        assert!(taken(&rig).unwrap().is_empty());
    }

    #[test]
    fn a_name_is_given_back_only_by_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let rig = rig(dir.path());
        let taken_now = reserve(&rig, &[], &BTreeSet::new(), Some("Nux"), &"one".into()).unwrap();
        assert!(in_hand(&rig, "Nux") && claim(&rig, "Nux").is_err());
        drop(taken_now);
        assert!(!in_hand(&rig, "Nux"));
        assert_eq!(claim(&rig, "Nux").unwrap().instance, "one");
        assert!(reserve(&rig, &[], &BTreeSet::new(), Some("Nux"), &"two".into()).is_err());
        release(&rig, "Nux", &"two".into()).unwrap();
        assert_eq!(holder(&rig, "Nux").as_deref(), Some("one"));
        release(&rig, "Nux", &"one".into()).unwrap();
        release(&rig, "Nux", &"one".into()).unwrap();
        assert!(taken(&rig).unwrap().is_empty());
    }
}
