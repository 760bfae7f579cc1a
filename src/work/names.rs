//! Names of polecats: one file per taken name under the rig, made exclusively, holding the instance id (`work.md`).

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};

use crate::failure::Failure;
use crate::town::Rig;

/// A name that is taken, and by which instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The polecat's name.
    pub name: String,
    /// The instance id of its session.
    pub instance: String,
}

/// A fresh instance id: time and randomness, 16 characters that fit into refs, marks and file names.
pub fn new_instance() -> String {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    // RandomState is seeded by the system for each process; with the pid and the clock two ids never meet.
    let random =
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), (std::process::id(), nanos));
    format!("{:08x}{:08x}", (nanos / 1_000_000_000) as u32, random as u32)
}

/// Takes the first free name of `pool`, or just `wanted` when given. When the pool is used up, `Name2` and so on.
///
/// # Errors
/// When `wanted` is taken, or the file cannot be made.
pub fn reserve(rig: &Rig, pool: &[String], wanted: Option<&str>, instance: &str) -> Result<Reservation> {
    let dir = rig.names_dir();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    if let Some(name) = wanted {
        if take(rig, name, instance)? {
            return Ok(Reservation { name: name.into(), instance: instance.into() });
        }
        let hint =
            format!("see who is there with: gt polecats {}; without a name a free one is taken", rig.name);
        return Err(Failure::new(format!("the name {name} is taken in {}", rig.name)).hint(hint).into());
    }
    for round in 1..=100 {
        for name in pool {
            let name = if round == 1 { name.clone() } else { format!("{name}{round}") };
            // A folder without a reservation is somebody's leftover: doctor's business, not ours to reuse.
            if !rig.polecat_dir(&name).exists() && take(rig, &name, instance)? {
                return Ok(Reservation { name, instance: instance.into() });
            }
        }
    }
    crate::fail!("no free polecat name in {}", rig.name; "look with: gt doctor {}", rig.name)
}

/// Makes the file of a name, whole or not at all; `false` when it is there already.
fn take(rig: &Rig, name: &str, instance: &str) -> Result<bool> {
    let dir = rig.names_dir();
    let failed = || format!("cannot reserve the name {name} in {}", dir.display());
    let mut file = tempfile::NamedTempFile::new_in(&dir).with_context(failed)?;
    file.write_all(instance.as_bytes()).with_context(failed)?;
    match file.persist_noclobber(dir.join(name)) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error).with_context(failed),
    }
}

/// Gives a name back, if this instance has it. A name that is free already is no error.
///
/// # Errors
/// When the file cannot be removed.
pub fn release(rig: &Rig, name: &str, instance: &str) -> Result<()> {
    let file = rig.names_dir().join(name);
    if holder(rig, name).as_deref() != Some(instance) {
        return Ok(());
    }
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// The instance that has a name.
pub fn holder(rig: &Rig, name: &str) -> Option<String> {
    std::fs::read_to_string(rig.names_dir().join(name)).ok().map(|text| text.trim().to_string())
}

/// All taken names of a rig, with their instances. A rig without the folder has none.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn taken(rig: &Rig) -> Result<BTreeMap<String, String>> {
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
        if crate::address::is_polecat_name(&name) {
            let instance = holder(rig, &name).unwrap_or_default();
            names.insert(name, instance);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rig(dir: &std::path::Path) -> Rig {
        Rig { name: "wyvern".into(), root: dir.to_path_buf(), config: Default::default() }
    }

    #[test]
    fn sixteen_at_once_get_sixteen_names() {
        let dir = tempfile::tempdir().unwrap();
        let rig = rig(dir.path());
        let pool: Vec<String> = ["Nux", "Toast", "Slit"].map(Into::into).to_vec();
        let names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| reserve(&rig, &pool, None, &new_instance()).unwrap().name))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 16);
        assert_eq!(taken(&rig).unwrap().len(), 16);
    }

    #[test]
    fn a_name_is_given_back_only_by_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let rig = rig(dir.path());
        reserve(&rig, &[], Some("Nux"), "one").unwrap();
        assert!(reserve(&rig, &[], Some("Nux"), "two").is_err());
        release(&rig, "Nux", "two").unwrap();
        assert_eq!(holder(&rig, "Nux").as_deref(), Some("one"));
        release(&rig, "Nux", "one").unwrap();
        release(&rig, "Nux", "one").unwrap();
        assert!(taken(&rig).unwrap().is_empty());
    }
}
