//! The one way to keep what would be lost: commits under recovery refs of the canonical clone, files in a folder beside the
//! place. A ref is only ever created; one that is there is never written over.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::repo::Repo;
use super::{LOGGED, Losses, Tip};
use crate::base::files;
use crate::model::ids::InstanceId;
use crate::model::refs::RecoveryRef;
use crate::programs::git::Git;
use crate::programs::git::keeping::Ref;

/// The folder beside places in which files are kept: one for each end, `<Name>-<instance>`.
pub const FOLDER: &str = ".kept";

/// Where the things of one instance are kept.
#[derive(Clone, Debug)]
pub struct Shelf {
    clone: PathBuf,
    name: String,
    instance: InstanceId,
    folder: PathBuf,
}

/// What was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct KeptWork {
    /// The ref of the last commit that was checked out, or of the branch: work goes on from there.
    #[serde(rename = "recovery")]
    pub main: Option<String>,
    /// The other refs: branches, stashes, repositories inside.
    #[serde(rename = "also_kept", skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The folder with files that are in no ref.
    #[serde(rename = "kept_files", skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Why the place is in that folder as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl KeptWork {
    /// What was kept, in words that follow others; empty when nothing was.
    pub fn said(&self) -> String {
        let mut text =
            self.main.as_ref().map_or(String::new(), |name| format!("; its commits are kept under {name}"));
        match (self.others.as_slice(), &self.main) {
            ([], _) => {}
            ([one], None) => text.push_str(&format!("; kept under {one}")),
            ([one], Some(_)) => text.push_str(&format!(" and {one}")),
            ([one, more @ ..], _) => {
                text.push_str(&format!("; also kept: {one} and {} more refs", more.len()))
            }
        }
        if let Some(folder) = &self.folder {
            text.push_str(&format!("; files are kept in {}", folder.display()));
        }
        if let Some(why) = &self.unreadable {
            text.push_str(&format!(" (git cannot keep them: {why})"));
        }
        text
    }
}

/// A commit that is to be kept: the end of its ref's name, and its id.
type KeptCommit = (String, String);

impl Shelf {
    /// The shelf of one instance of a name. Files are kept beside `place`.
    pub fn new(clone: &Path, name: &str, instance: &InstanceId, place: &Path) -> Shelf {
        let folder = place.parent().unwrap_or(place).join(FOLDER);
        Shelf { clone: clone.into(), name: name.into(), instance: instance.into(), folder }
    }

    /// The name of the first ref.
    pub fn main_ref(&self) -> String {
        RecoveryRef::new(&self.name, &self.instance).to_string()
    }

    /// Keeps every commit that would be lost with a place; with `files` also each file that is in none, and the state of
    /// commands under way.
    ///
    /// # Errors
    /// When git cannot read or write one of them; then nothing may be removed.
    pub fn keep(&self, repo: Option<&Repo>, losses: &Losses, with_files: bool) -> Result<KeptWork> {
        let mut items = Vec::new();
        match repo {
            Some(repo) => self.gather(repo, losses, "", with_files, &mut items)?,
            None => {
                items.extend(losses.tips.iter().map(|tip| (end_of("", tip, &losses.tips), tip.id.clone())))
            }
        }
        let mut names = self.put(&items)?;
        let at_first = items.iter().position(|(end, _)| end.is_empty());
        let main = at_first.map(|index| names.remove(index));
        let folder = match repo.filter(|_| with_files) {
            Some(repo) => self.move_files(repo, losses)?,
            None => None,
        };
        Ok(KeptWork { main, others: names, folder, unreadable: None })
    }

    /// Collects what is to be kept of a repository and those inside, with its objects in the canonical clone.
    fn gather(
        &self,
        repo: &Repo,
        losses: &Losses,
        prefix: &str,
        with_files: bool,
        items: &mut Vec<KeptCommit>,
    ) -> Result<()> {
        let git = Git::alone(&repo.dir);
        let from = items.len();
        let mut known = Vec::new();
        let files = &losses.files;
        let mut tips: Vec<&Tip> = losses.tips.iter().filter(|tip| tip.from != LOGGED).collect();
        if with_files && !files.changed.is_empty() {
            let message = format!("Uncommitted changes of {} at its end", self.name);
            let head = losses.head.as_deref();
            let made = Git::alone(&self.clone).made_under(&RecoveryRef::all_of(&self.name), head)?;
            let changes = git.commit_changes(head, &files.hidden, &files.nested, &message, &made)?;
            known.extend(made.into_iter().map(|one| one.id).filter(|id| *id == changes));
            tips.retain(|tip| Some(tip.id.as_str()) != head);
            items.push((if prefix.is_empty() { String::new() } else { format!("{prefix}HEAD") }, changes));
        }
        let first = items.len() > from;
        items.extend(tips.iter().map(|tip| {
            let end = end_of(prefix, tip, &losses.tips);
            // The commit of the changes has that name.
            let end = if first && end.is_empty() { format!(".{}", own_name(&tip.from)) } else { end };
            (end, tip.id.clone())
        }));
        let logged: Vec<&str> =
            losses.tips.iter().filter(|tip| tip.from == LOGGED).map(|tip| tip.id.as_str()).collect();
        let end = if prefix.is_empty() { ".reflog".to_string() } else { format!("{prefix}reflog") };
        match logged.as_slice() {
            [] => {}
            [one] => items.push((end, (*one).into())),
            many => {
                // One commit that reaches all of them is one ref.
                let git = if repo.is_whole() { git } else { Git::alone(&repo.common) };
                let message = format!("Commits that only the reflog of {} had, as parents", self.name);
                items.push((end, git.commit_kept(&git.empty_tree()?, many, &message)?));
            }
        }
        let ids: Vec<&str> = items[from..]
            .iter()
            .map(|(_, id)| id.as_str())
            .filter(|id| !known.iter().any(|own| own == id))
            .collect();
        if !ids.is_empty() && !self.shares_objects(repo) {
            let from = if repo.is_whole() { &repo.dir } else { &repo.common };
            Git::alone(&self.clone).bring_objects(from, &ids)?;
        }
        for inside in &losses.inside {
            let inner = match Repo::open(&inside.dir)? {
                Some(inner) => inner,
                None => Repo::in_git_dir(&inside.dir, inside.dir.clone()),
            };
            let prefix = match prefix {
                "" => format!(".nested/{}/", as_ref(&inside.path)),
                outer => format!("{outer}nested/{}/", as_ref(&inside.path)),
            };
            self.gather(&inner, &inside.losses, &prefix, with_files, items)?;
        }
        Ok(())
    }

    fn shares_objects(&self, repo: &Repo) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        real(&repo.common).is_some_and(|common| Some(common) == real(&self.clone.join(".git")))
    }

    /// Creates a ref for each: the end of its name, and the commit. One that is there already counts; where another commit
    /// has the name, a number is added. Gives their names.
    ///
    /// # Errors
    /// When git cannot write them.
    pub fn put(&self, items: &[KeptCommit]) -> Result<Vec<String>> {
        let git = Git::alone(&self.clone);
        let mut tries = 0;
        loop {
            if items.is_empty() {
                return Ok(Vec::new());
            }
            let mut there: BTreeMap<String, String> = git
                .refs_with_kinds(&[&RecoveryRef::all_of(&self.name)])?
                .into_iter()
                .map(|one| (one.name, one.id))
                .collect();
            let (mut names, mut new) = (Vec::new(), Vec::new());
            for (end, id) in items {
                let name = free_name(&there, &format!("{}{end}", self.main_ref()), id);
                if there.insert(name.clone(), id.clone()).is_none() {
                    new.push((name.clone(), id.clone()));
                }
                names.push(name);
            }
            match git.create_refs(&new) {
                Ok(()) => return Ok(names),
                // Another command may have taken a name in between.
                Err(error) if tries == 3 => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// Moves ignored files, and the state of commands under way, into a folder of their own.
    fn move_files(&self, repo: &Repo, losses: &Losses) -> Result<Option<PathBuf>> {
        let mut moves = Vec::new();
        to_move(&repo.dir, Path::new(""), losses, &mut moves);
        if moves.is_empty() {
            return Ok(None);
        }
        let folder = self.new_folder()?;
        for (from, to) in moves {
            move_to(&from, &folder.join(to))?;
        }
        Ok(Some(folder))
    }

    /// Moves a place aside as a whole, with what git knows of it: what cannot be kept in refs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn aside(&self, dir: &Path, repo: Option<&Repo>) -> Result<PathBuf> {
        let folder = self.new_folder()?;
        if dir.symlink_metadata().is_ok() {
            move_to(dir, &folder.join("files"))?;
        }
        if let Some(repo) = repo.filter(|repo| !repo.is_whole() && repo.git_dir.exists()) {
            move_to(&repo.git_dir, &folder.join("git"))?;
        }
        Ok(folder)
    }

    fn new_folder(&self) -> Result<PathBuf> {
        let failed = |path: &Path, error| files::error_of(error, format!("cannot make {}", path.display()));
        files::make_dir(&self.folder)?;
        let mut number = 1;
        loop {
            let end = if number == 1 { String::new() } else { format!(".{number}") };
            let path = self.folder.join(format!("{}-{}{end}", self.name, self.instance));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed(&path, error)),
            }
        }
    }
}

/// What is moved of a place: from where, to where in the folder.
fn to_move(dir: &Path, inside: &Path, losses: &Losses, moves: &mut Vec<(PathBuf, PathBuf)>) {
    for path in &losses.files.ignored {
        let path = path.trim_end_matches('/');
        moves.push((dir.join(path), inside.join(path)));
    }
    for (_, state) in &losses.under_way {
        let name = state.file_name().unwrap_or_default().to_string_lossy();
        moves.push((state.clone(), inside.join(format!(".git-{name}"))));
    }
    for one in &losses.inside {
        to_move(&one.dir, &inside.join(&one.path), &one.losses, moves);
    }
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    let failed =
        |error| files::error_of(error, format!("cannot move {} to {}", from.display(), to.display()));
    if let Some(dir) = to.parent() {
        files::make_dir(dir)?;
    }
    match std::fs::rename(from, to) {
        // A program still at work may have taken it away.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(failed),
    }
}

/// The end of the ref's name for a commit: nothing for what work goes on from.
fn end_of(prefix: &str, tip: &Tip, all: &[Tip]) -> String {
    let own = own_name(&tip.from);
    if !prefix.is_empty() {
        return format!("{prefix}{own}");
    }
    let mut firsts = ["HEAD", "refs/heads/polecat/", "refs/heads/"].iter();
    let first = firsts.find_map(|from| all.iter().find(|tip| tip.from.starts_with(from)));
    if first.is_some_and(|first| first == tip) { String::new() } else { format!(".{own}") }
}

fn own_name(from: &str) -> String {
    let name = from.strip_prefix("refs/").unwrap_or(from);
    name.strip_prefix("stash@{")
        .map_or(name.to_string(), |rest| format!("stash-{}", rest.trim_end_matches('}')))
}

/// A path as a part of a ref's name.
fn as_ref(path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-/".contains(c) { c } else { '-' };
    path.chars().map(plain).collect()
}

/// The first name, `wanted` or with a number behind it, that stands for this commit or is free.
fn free_name(there: &BTreeMap<String, String>, wanted: &str, id: &str) -> String {
    let in_the_way = |name: &str| {
        let below = format!("{name}/");
        let above =
            |other: &String| name.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'));
        there.keys().any(|other| other.starts_with(&below) || above(other))
    };
    let is_good = |name: &String| match there.get(name) {
        Some(at) => at == id,
        None => !in_the_way(name),
    };
    let numbered = (2_usize..).map(|number| format!("{wanted}.{number}"));
    std::iter::once(wanted.to_string()).chain(numbered).find(is_good).unwrap_or_default()
}

/// The branches that go with a place, deleted as they were seen.
///
/// # Errors
/// When one has changed meanwhile.
pub fn delete_branches(clone: &Path, going: &[Ref]) -> Result<()> {
    let git = Git::alone(clone);
    going.iter().try_for_each(|one| git.delete_ref(&one.name, &one.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(from: &str, id: &str) -> Tip {
        Tip { from: from.into(), id: id.into(), subject: String::new() }
    }

    #[test]
    fn a_ref_is_never_written_over_and_the_same_commit_has_one_name() {
        let mut there = BTreeMap::new();
        assert_eq!(free_name(&there, "r/Nux/i", "a"), "r/Nux/i");
        there.insert("r/Nux/i".to_string(), "a".to_string());
        assert_eq!(free_name(&there, "r/Nux/i", "a"), "r/Nux/i");
        assert_eq!(free_name(&there, "r/Nux/i", "b"), "r/Nux/i.2");
        there.insert("r/Nux/i.2".to_string(), "c".to_string());
        assert_eq!(free_name(&there, "r/Nux/i", "b"), "r/Nux/i.3");
        // A ref cannot be a folder and a file.
        assert_eq!(free_name(&there, "r/Nux", "b"), "r/Nux.2");
    }

    #[test]
    fn what_work_goes_on_from_has_the_plain_name() {
        let all =
            [tip("refs/heads/wip", "c"), tip("refs/heads/polecat/Nux-wy-1", "a"), tip("stash@{1}", "b")];
        let ends: Vec<String> = all.iter().map(|tip| end_of("", tip, &all)).collect();
        assert_eq!(ends, [".heads/wip", "", ".stash-1"]);
        let all = [tip("HEAD", "h"), tip("refs/heads/polecat/Nux-wy-1", "a")];
        let ends: Vec<String> = all.iter().map(|tip| end_of("", tip, &all)).collect();
        assert_eq!(ends, ["", ".heads/polecat/Nux-wy-1"]);
        assert_eq!(end_of(".nested/a-b/", &all[0], &all), ".nested/a-b/HEAD");
        assert_eq!(as_ref("vendor/.a lib~"), "vendor/-a-lib-");
    }
}
