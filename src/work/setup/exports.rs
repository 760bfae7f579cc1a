//! A daily export of each embedded store, outside the clone that the store stands in: what is left of the beads when that
//! clone is removed or the file is damaged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

use crate::base::reads::Reads;
use crate::base::{files, time};
use crate::beads::embedded::Embedded;
use crate::beads::{self, Filter, Store, jsonl};
use crate::plan::restore::{BeadSource, covers};
use crate::town::discover;

/// How old an export is when the next one is due.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `_type` of a line that names a foreign bead.
const FOREIGN: &str = "gt:foreign";

/// The name of the town's own export. No rig can have it.
const TOWN: &str = "_town";

/// The last export of a store, and the one before it. `place` is a rig's folder, or the town's.
fn paths(place: &Path) -> Option<[PathBuf; 2]> {
    let (town, name) = if place.join(discover::IDENTITY).is_file() {
        (place, TOWN)
    } else {
        let town = place.parent().filter(|town| town.join(discover::IDENTITY).is_file())?;
        (town, place.file_name()?.to_str()?)
    };
    let dir = town.join("mayor/exports");
    Some([dir.join(format!("{name}.jsonl")), dir.join(format!("{name}.before.jsonl"))])
}

/// Exports the store of a rig's folder, or the town's, when that was not done for a day. An empty store is not exported.
/// One look at a file when nothing is to be done.
///
/// # Errors
/// When the store cannot be read or the export cannot be written.
pub fn keep(place: &Path, reads: &Reads) -> Result<()> {
    keep_config(place, reads)?;
    let dir = place.join(".beads");
    let Some([last, before]) = paths(place) else { return Ok(()) };
    if !is_due(&last) || !beads::kind_of(&dir).is_ok_and(|kind| kind == beads::StoreKind::Embedded) {
        return Ok(());
    }
    let store = Embedded::open(&dir, "", "overseer")?;
    let one = Filter { all: true, limit: Some(1), ..Filter::default() };
    let is_empty = store.list(&one)?.is_empty();
    let Some(folder) = last.parent().filter(|_| !is_empty) else { return Ok(()) };
    files::make_dir(folder)?;
    // Whoever exports at this moment exports the same.
    let Some(_turn) = files::try_lock(&folder.join(".lock"))? else { return Ok(()) };
    if covers(&ids(&last), &ids(&before)) {
        std::fs::rename(&last, &before)
            .map_err(|error| files::error_of(error, format!("cannot rename {}", last.display())))?;
    }
    // Which beads are others' goes along: a store that is restored from here trusts no more than this one.
    files::write_with(&last, |out| {
        store.export_lines(&mut |line| {
            writeln!(out, "{line}")?;
            Ok(true)
        })?;
        for id in store.foreign()? {
            writeln!(out, "{}", json!({ "_type": FOREIGN, "id": id }))?;
        }
        Ok(())
    })
}

/// The copy of a rig's `config.json`.
fn config_copy(place: &Path) -> Option<PathBuf> {
    paths(place).map(|[last, _]| last.with_extension("config.json"))
}

/// Copies a rig's `config.json` beside the exports when it has changed and can be read.
///
/// # Errors
/// When the copy cannot be written.
pub fn keep_config(place: &Path, reads: &Reads) -> Result<()> {
    let (Some(copy), file) = (config_copy(place), place.join("config.json")) else { return Ok(()) };
    let text = reads.text(&file).ok();
    let Some(text) = text.filter(|text| discover::rig_config(&file, text).is_ok()) else { return Ok(()) };
    if files::text(&copy).ok().flatten().as_deref() == Some(&*text) {
        return Ok(());
    }
    copy.parent().map_or(Ok(()), files::make_dir)?;
    files::write(&copy, text.as_bytes())
}

/// The text of the copy of a rig's `config.json`, and where and of when it is. `None`: there is none of this repository.
///
/// # Errors
/// One that is there and cannot be read.
pub fn config(place: &Path, git_url: &str) -> Result<Option<(String, String)>> {
    let Some(copy) = config_copy(place) else { return Ok(None) };
    let Some(text) = files::text(&copy)? else { return Ok(None) };
    if discover::rig_config(&copy, &text)?.git_url != git_url {
        return Ok(None);
    }
    let time = std::fs::metadata(&copy).and_then(|found| found.modified()).ok();
    let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let of = time.map_or(String::new(), |time| format!(" of {time:.0}"));
    Ok(Some((text, format!("{}{of}", copy.display()))))
}

/// The ids of the beads of an export; none of one that is not there or cannot be read.
fn ids(path: &Path) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let read = std::fs::File::open(path).map_err(Into::into).and_then(|file| {
        jsonl::each(std::io::BufReader::new(file), |bead| {
            ids.extend(bead.map(|bead| bead.id));
            Ok(())
        })
    });
    read.map_or_else(|_| BTreeSet::new(), |()| ids)
}

fn is_due(last: &Path) -> bool {
    let Ok(found) = std::fs::metadata(last) else { return true };
    let age = found.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    age.is_some_and(|age| age > DAY) || found.len() == 0
}

/// The exports of a store. A line that is no bead goes to `unread`, and stops itself alone.
///
/// # Errors
/// One that is there and cannot be read.
pub fn sources(place: &Path, unread: &mut Vec<String>) -> Result<Vec<BeadSource>> {
    let mut sources = Vec::new();
    for path in paths(place).into_iter().flatten() {
        let Some(text) = files::text(&path)? else { continue };
        let time = std::fs::metadata(&path).and_then(|found| found.modified()).ok();
        let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
        let time = time.map(|time| format!("{time:.0}"));
        let of = time.as_ref().map_or(String::new(), |time| format!(" of {time}"));
        let mut beads = Vec::new();
        jsonl::lines(text.as_bytes(), |line| {
            match line.bead {
                Ok(bead) => beads.extend(bead),
                Err(error) => {
                    unread.push(format!("line {} of {}: {error:#}", line.number, path.display()));
                }
            }
            Ok(())
        })?;
        let marks: BTreeSet<String> = jsonl::foreign(&text).filter_map(marked).collect();
        beads.iter_mut().for_each(|bead| bead.foreign = marks.contains(&bead.id));
        let from = format!("the export {}{of}", path.display());
        sources.push(BeadSource { from, time, own: true, beads });
    }
    Ok(sources)
}

/// The bead that a line marks as foreign.
fn marked(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(line["id"].as_str().filter(|_| line["_type"] == FOREIGN)?.to_string())
}

/// Takes the exports of a rig that is no more out of the way of a new one of its name.
///
/// # Errors
/// When they cannot be renamed.
pub fn retire(place: &Path) -> Result<()> {
    let all = paths(place).into_iter().flatten().chain(config_copy(place));
    for path in all.filter(|path| path.exists()) {
        let now = time::now();
        let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let kept = path.with_extension(format!("{now}.{end}"));
        std::fs::rename(&path, &kept)
            .map_err(|error| files::error_of(error, format!("cannot rename {}", path.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beads::{Change, Store};
    use crate::model::bead::NewBead;
    use std::os::unix::fs::PermissionsExt;

    fn add(dir: &Path, title: &str) {
        let store = Embedded::open(&dir.join(".beads"), "", "overseer").unwrap();
        let bead = NewBead { title: title.into(), ..NewBead::default() };
        store.write(&[], &[Change::Create(Box::new(bead))]).unwrap();
    }

    fn titles(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let mut titles: Vec<String> =
            jsonl::parse(&text).unwrap().into_iter().map(|bead| bead.title).collect();
        titles.sort();
        titles
    }

    fn age(path: &Path) {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * DAY).unwrap();
    }

    #[test]
    fn an_export_a_day_and_never_over_the_only_good_one() {
        let town = tempfile::tempdir().unwrap();
        std::fs::create_dir(town.path().join("mayor")).unwrap();
        std::fs::write(town.path().join(discover::IDENTITY), "{}").unwrap();
        let (rig, reads) = (town.path().join("wyvern"), Reads::default());
        let [last, before] = paths(&rig).unwrap();
        let new_store = || {
            let _ = std::fs::remove_dir_all(rig.join(".beads"));
            Embedded::create(&rig.join(".beads"), "wy").unwrap();
        };
        new_store();
        keep(&rig, &reads).unwrap();
        assert!(!last.exists(), "an empty store is no export");
        add(&rig, "one");
        keep(&rig, &reads).unwrap();
        assert_eq!(last.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        add(&rig, "two");
        keep(&rig, &reads).unwrap();
        assert_eq!((titles(&last), before.exists()), (vec!["one".to_string()], false), "once a day");
        age(&last);
        keep(&rig, &reads).unwrap();
        assert_eq!((titles(&last).len(), titles(&before).len()), (2, 1));
        // The store was emptied: nothing is exported, then little, for days.
        new_store();
        age(&last);
        keep(&rig, &reads).unwrap();
        assert_eq!(titles(&last), ["one", "two"]);
        for title in ["three", "four", "five"] {
            add(&rig, title);
            age(&last);
            keep(&rig, &reads).unwrap();
        }
        assert_eq!(titles(&last), ["five", "four", "three"]);
        assert_eq!(titles(&before), ["one", "two"], "the only export of these");
        retire(&rig).unwrap();
        assert!(!last.exists() && !before.exists());
    }
}
