//! The one way to ask what would be lost with a worktree, a clone or a rig, and the one way to keep it.
//!
//! Everything that removes a place asks [`look`] first. What git or origin cannot tell is unknown, and counts as lost
//! (law 3). Nothing that is only remembered of origin counts: no tracking ref, no local tag.

pub mod files;
pub mod keep;
pub mod repo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::grammar::short;
use crate::model::refs::RECOVERY;
use crate::programs::git::Git;
use crate::programs::git::keeping::{Loose, Ref};
use files::LooseFiles;
use repo::{Head, Repo};

/// What stays when a place goes.
#[derive(Clone, Debug, Default)]
pub struct Stays {
    /// Objects that refs elsewhere stand at.
    pub objects: Vec<String>,
    /// Refs, name and object, that stand elsewhere just so: a clone has them from there.
    pub refs: BTreeSet<(String, String)>,
    /// The URL of an origin whose refs stand at these objects. What of them is not here yet is fetched before something
    /// counts as lost.
    pub origin: Option<(String, Vec<String>)>,
}

/// A commit (or another object that a ref stands at) that nothing reaches once its place is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// What reaches it now: a ref, `HEAD`, `stash@{1}`, or [`LOGGED`].
    pub from: String,
    /// Its id.
    pub id: String,
    /// Its first line.
    pub subject: String,
}

/// Where a commit is from that only a log or a note of git reaches: amended, rebased or reset away.
pub const LOGGED: &str = "reflog";

/// What would be lost with a place.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// The commit checked out, lost or not.
    pub head: Option<String>,
    /// Commits.
    pub tips: Vec<Tip>,
    /// Files.
    pub files: LooseFiles,
    /// What git is in the middle of, with where its state is.
    pub under_way: Vec<(&'static str, PathBuf)>,
    /// Work trees elsewhere that cannot be used without it.
    pub attached: Vec<PathBuf>,
    /// Repositories inside that would lose something: their paths in the place.
    pub inside: Vec<Inside>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

/// A repository inside a place.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Its path in the place.
    pub path: String,
    /// Where git can be run on it.
    pub dir: PathBuf,
    /// What would be lost with it.
    pub losses: Losses,
}

impl Losses {
    /// Whether nothing would be lost.
    pub fn is_empty(&self) -> bool {
        self.tips.is_empty() && self.attached.is_empty() && self.stops(true).is_empty()
    }

    /// What a person has to decide about before commits can be kept by gt: files that are in no commit, commands under
    /// way, what cannot be read; with `ignored` also files that git ignores.
    pub fn stops(&self, ignored: bool) -> Vec<String> {
        let mut lines: Vec<String> = self.unknown.clone();
        lines.extend(self.under_way.iter().map(|(what, _)| format!("{what} is under way")));
        lines.extend(self.files.changed.iter().cloned());
        if ignored {
            lines.extend(self.files.ignored.iter().map(|path| ignored_line(path)));
        }
        for inside in &self.inside {
            lines.extend(inside.losses.stops(ignored).into_iter().map(|line| inside.line(&line)));
        }
        lines
    }

    /// Whether something in it, or in a repository inside, could not be read.
    pub fn unknown_inside(&self) -> bool {
        !self.unknown.is_empty() || self.inside.iter().any(|inside| inside.losses.unknown_inside())
    }

    /// Every loss, a line each.
    pub fn lines(&self) -> Vec<LossLine> {
        let line = |kind, text| LossLine { kind, text };
        let mut lines: Vec<LossLine> = self.tips.iter().map(|tip| line(tip.kind(), tip.line())).collect();
        let attached = |dir: &PathBuf| format!("the worktree {} cannot be used without it", dir.display());
        lines.extend(self.attached.iter().map(|dir| line(Loss::Worktree, attached(dir))));
        lines.extend(self.unknown.iter().map(|why| LossLine::unknown(why.clone())));
        lines.extend(
            self.under_way.iter().map(|(what, _)| line(Loss::UnderWay, format!("{what} is under way"))),
        );
        lines.extend(self.files.changed.iter().map(|path| line(Loss::File, path.clone())));
        lines.extend(self.files.ignored.iter().map(|path| line(Loss::File, ignored_line(path))));
        for inside in &self.inside {
            lines.extend(inside.losses.lines().into_iter().map(|line| line.in_place(&inside.path)));
        }
        lines
    }
}

fn ignored_line(path: &str) -> String {
    format!("!! {path} (ignored by git)")
}

/// One thing that is in the way of a removal, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossLine {
    /// What it is.
    pub kind: Loss,
    /// What it says.
    pub text: String,
}

/// What can be in the way of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A commit, or a tag.
    Commit,
    /// What gt kept under a recovery ref.
    Recovery,
    /// A file that is in no commit.
    File,
    /// A folder that an end kept.
    Kept,
    /// A worktree elsewhere.
    Worktree,
    /// A command of git.
    UnderWay,
    /// What cannot be told.
    Unknown,
    /// A polecat.
    Polecat,
    /// A session.
    Session,
    /// A bead.
    Bead,
    /// A request.
    Request,
}

impl Loss {
    const ALL: [Loss; 11] = [
        Loss::Commit,
        Loss::Recovery,
        Loss::File,
        Loss::Kept,
        Loss::Worktree,
        Loss::UnderWay,
        Loss::Unknown,
        Loss::Polecat,
        Loss::Session,
        Loss::Bead,
        Loss::Request,
    ];

    /// Its name for one and for several.
    fn nouns(self) -> [&'static str; 2] {
        match self {
            Loss::Commit => ["commit", "commits"],
            Loss::Recovery => ["kept commit", "kept commits"],
            Loss::File => ["file", "files"],
            Loss::Kept => ["kept folder", "kept folders"],
            Loss::Worktree => ["worktree", "worktrees"],
            Loss::UnderWay => ["git command under way", "git commands under way"],
            Loss::Unknown => ["thing that cannot be read", "things that cannot be read"],
            Loss::Polecat => ["polecat", "polecats"],
            Loss::Session => ["open session", "open sessions"],
            Loss::Bead => ["bead in work", "beads in work"],
            Loss::Request => ["open request", "open requests"],
        }
    }

    /// Whether it is lost with the place; the rest only goes on in it.
    fn is_loss(self) -> bool {
        self < Loss::Polecat
    }

    /// What helps.
    fn hint(self, rig: &str) -> String {
        match self {
            Loss::Commit => "push the commits to a branch at origin".into(),
            Loss::Recovery => format!(
                "drop kept commits that are merged: gt gc {rig}; make branches of the others and push them: gt polecat recover {rig}/NAME"
            ),
            Loss::File => "move the files away, or commit and push them".into(),
            Loss::Kept => "move the kept folders away".into(),
            Loss::Worktree => "remove the worktrees: git worktree remove PATH".into(),
            Loss::UnderWay => "complete or abort what git is in the middle of".into(),
            Loss::Unknown => "see what cannot be read: gt doctor".into(),
            Loss::Polecat => {
                format!("see the polecats: gt polecats {rig}; end one: gt polecat release {rig}/NAME")
            }
            Loss::Session => "end the sessions: gt session stop ADDRESS".into(),
            Loss::Bead => "finish the beads, or take them back: gt unsling BEAD".into(),
            Loss::Request => format!(
                "merge the requests: gt refinery process {rig}; take one out: gt mq reject ID; make a foreign one this town's: gt adopt ID"
            ),
        }
    }
}

impl LossLine {
    /// One that says what cannot be told.
    pub fn unknown(text: String) -> LossLine {
        LossLine { kind: Loss::Unknown, text }
    }

    /// The same with the place it is in.
    pub fn in_place(self, place: &str) -> LossLine {
        LossLine { text: format!("{place}: {}", self.text), ..self }
    }
}

/// How many of which kind there are, in words: `1 file, 2 commits would be lost; 1 polecat is in the way`.
pub fn counted(lines: &[LossLine]) -> String {
    let part = |is_loss: bool, verbs: [&str; 2]| {
        let mut all = 0;
        let mut parts = Vec::new();
        for kind in Loss::ALL.into_iter().filter(|kind| kind.is_loss() == is_loss) {
            let number = lines.iter().filter(|line| line.kind == kind).count();
            if number > 0 {
                all += number;
                parts.push(format!("{number} {}", kind.nouns()[usize::from(number > 1)]));
            }
        }
        (all > 0).then(|| format!("{} {}", parts.join(", "), verbs[usize::from(all > 1)]))
    };
    let parts = [part(true, ["would be lost"; 2]), part(false, ["is in the way", "are in the way"])];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What helps with each kind of line.
pub fn hints(lines: &[LossLine], rig: &str) -> String {
    let kinds: BTreeSet<Loss> = lines.iter().map(|line| line.kind).collect();
    kinds.into_iter().map(|kind| kind.hint(rig)).collect::<Vec<_>>().join("; ")
}

/// What the lines say.
pub fn texts(lines: &[LossLine]) -> Vec<String> {
    lines.iter().map(|line| line.text.clone()).collect()
}

impl Inside {
    fn line(&self, line: &str) -> String {
        format!("{}: {line}", self.path)
    }
}

impl Tip {
    fn kind(&self) -> Loss {
        if self.from.starts_with(RECOVERY) { Loss::Recovery } else { Loss::Commit }
    }

    fn line(&self) -> String {
        let id = short(&self.id);
        format!("not at origin: {} {id} {}", plain(&self.from), self.subject).trim_end().into()
    }
}

/// A ref without its folder, for people.
fn plain(name: &str) -> &str {
    ["refs/heads/", "refs/tags/", "refs/remotes/"]
        .iter()
        .find_map(|dir| name.strip_prefix(dir))
        .unwrap_or(name)
}

/// As many lines as a person reads at once, and how many more there are.
pub fn cut(lines: &[String]) -> Vec<String> {
    const MOST: usize = 20;
    let mut shown: Vec<String> = lines.iter().take(MOST).cloned().collect();
    if lines.len() > MOST {
        shown.push(format!("and {} more", lines.len() - MOST));
    }
    shown
}

/// What would be lost with a folder in which a repository may be. A worktree of a clone that stays is one whose own refs
/// are `going`: name and object of branches that are deleted with it.
pub fn look(repo: &Repo, stays: &Stays, going: &[Ref]) -> Losses {
    look_in(repo, stays, going, &repo.dir)
}

fn look_in(repo: &Repo, stays: &Stays, going: &[Ref], place: &Path) -> Losses {
    let mut losses = Losses { under_way: repo.under_way(), ..Losses::default() };
    let note = |unknown: &mut Vec<String>, error: anyhow::Error| unknown.push(format!("{error:#}"));
    match repo.attached() {
        Ok(dirs) => losses.attached = dirs.into_iter().filter(|dir| !dir.starts_with(place)).collect(),
        Err(error) => note(&mut losses.unknown, error),
    }
    let (found, nested) = files::look(repo);
    losses.files = found;
    losses.unknown.append(&mut losses.files.unknown);
    if let Err(error) = look_for_commits(repo, stays, going, &mut losses) {
        note(&mut losses.unknown, error);
    }
    for (path, inner) in nested {
        match inner {
            Ok(inner) => {
                let stays = stays_of(&inner, stays, place);
                let own = look_in(&inner, &stays, &[], place);
                if !own.is_empty() {
                    losses.inside.push(Inside { path, dir: inner.dir, losses: own });
                }
            }
            Err(error) => note(&mut losses.unknown, error),
        }
    }
    losses
}

/// What would be lost with branches of a clone whose work tree is gone.
pub fn look_at_branches(clone: &Path, stays: &Stays, going: &[Ref]) -> Losses {
    let mut losses = Losses::default();
    let repo = Repo::in_git_dir(clone, clone.join(".git"));
    let found: Vec<FoundObject> = going.iter().map(FoundObject::of).collect();
    let logged: Result<Vec<_>> = going.iter().map(|one| repo.logged_of(&one.name)).collect();
    let tips = logged.and_then(|logged| {
        let logged = logged.into_iter().flatten().map(|(_, id)| FoundObject::logged(id));
        tips_of(&Git::alone(clone), found.into_iter().chain(logged).collect(), stays)
    });
    match tips {
        Ok(tips) => losses.tips = tips,
        Err(error) => losses.unknown.push(format!("{error:#}")),
    }
    losses
}

fn look_for_commits(repo: &Repo, stays: &Stays, going: &[Ref], losses: &mut Losses) -> Result<()> {
    let git = Git::alone(if repo.is_whole() { &repo.dir } else { &repo.common });
    let refs = if repo.is_whole() { git.refs_with_kinds(&[])? } else { Vec::new() };
    let all: BTreeMap<&str, &str> =
        refs.iter().chain(going).map(|one| (one.name.as_str(), one.id.as_str())).collect();
    let head = repo.head();
    losses.head = match &head {
        Some(Head::Commit(id)) => Some(id.clone()),
        Some(Head::Branch(name)) => match all.get(name.as_str()) {
            Some(id) => Some((*id).to_string()),
            None if repo.is_whole() => None,
            None => git.commit_of(name)?,
        },
        None => crate::fail!("{} has no HEAD", repo.git_dir.display()),
    };
    let mut found: Vec<FoundObject> = Vec::new();
    // A branch of its own says more than `HEAD` on it.
    let by_branch = repo.is_whole() && matches!(head, Some(Head::Branch(_)));
    found.extend(
        losses.head.iter().filter(|_| !by_branch).map(|id| FoundObject::commit("HEAD".into(), id.clone())),
    );
    let same = |one: &&Ref| !stays.refs.contains(&(one.name.clone(), one.id.clone()));
    found.extend(refs.iter().chain(going).filter(same).map(FoundObject::of));
    let mut logged = repo.logged()?;
    for one in going {
        logged.extend(repo.logged_of(&one.name)?);
    }
    logged.extend(repo.noted()?);
    let (stashed, logged): (Vec<_>, Vec<_>) = logged.into_iter().partition(|(log, _)| log == "refs/stash");
    let mut seen = BTreeSet::new();
    let stashed = stashed.into_iter().filter(|(_, id)| seen.insert(id.clone()));
    let stash =
        |(number, (_, id)): (usize, (String, String))| FoundObject::commit(format!("stash@{{{number}}}"), id);
    found.extend(stashed.enumerate().map(stash));
    found.extend(logged.into_iter().map(|(_, id)| FoundObject::logged(id)));
    losses.tips = tips_of(&git, found, stays)?;
    Ok(())
}

/// An object, what reaches it, and whether it is a commit.
#[derive(Clone, Debug)]
struct FoundObject {
    from: String,
    id: String,
    is_commit: bool,
}

impl FoundObject {
    fn commit(from: String, id: String) -> FoundObject {
        FoundObject { from, id, is_commit: true }
    }

    fn logged(id: String) -> FoundObject {
        FoundObject::commit(LOGGED.into(), id)
    }

    fn of(one: &Ref) -> FoundObject {
        FoundObject { from: one.name.clone(), id: one.id.clone(), is_commit: one.kind == "commit" }
    }
}

/// What of `found` would be lost: one process, or none. When something would, what origin has and the repository has not
/// is fetched, and asked for again.
fn tips_of(git: &Git, found: Vec<FoundObject>, stays: &Stays) -> Result<Vec<Tip>> {
    let ids: BTreeSet<&str> = found.iter().map(|one| one.id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !stays.objects.iter().any(|own| own == id)).collect();
    let loose = || if ids.is_empty() { Ok(Vec::new()) } else { git.only_reached_by(&ids, &stays.objects) };
    let lost = tips(&found, &loose()?, &stays.objects);
    match &stays.origin {
        // What cannot be fetched stays lost.
        Some((url, objects)) if !lost.is_empty() && git.bring_missing(url, objects).unwrap_or(false) => {
            Ok(tips(&found, &loose()?, &stays.objects))
        }
        _ => Ok(lost),
    }
}

/// What of `found` has to be kept: each named commit that is loose, and of those that only logs know the last of each line.
fn tips(found: &[FoundObject], loose: &[Loose], stays: &[String]) -> Vec<Tip> {
    let subjects: BTreeMap<&str, &str> =
        loose.iter().map(|one| (one.id.as_str(), one.subject.as_str())).collect();
    let parents: BTreeSet<&str> = loose.iter().flat_map(|one| &one.parents).map(String::as_str).collect();
    let lost = |one: &FoundObject| match one.is_commit {
        true => {
            let last = one.from != LOGGED || !parents.contains(one.id.as_str());
            subjects.contains_key(one.id.as_str()) && last
        }
        false => !stays.contains(&one.id),
    };
    let mut seen = BTreeSet::new();
    let subject = |id: &str| subjects.get(id).copied().unwrap_or_default().to_string();
    let found = found.iter().filter(|one| lost(one)).filter(|one| seen.insert(one.id.clone()));
    found.map(|one| Tip { subject: subject(&one.id), from: one.from.clone(), id: one.id.clone() }).collect()
}

/// What stays of a repository inside a place: what its own origin has, unless that is inside as well, and, for a worktree
/// of another repository, that one's refs.
fn stays_of(inner: &Repo, stays: &Stays, place: &Path) -> Stays {
    let git = Git::alone(&inner.dir);
    let (mut objects, mut origin) = (stays.objects.clone(), stays.origin.clone());
    let url = git.run("read the origin", ["config", "--get", "remote.origin.url"]).unwrap_or_default();
    let local = inner.dir.join(url.strip_prefix("file://").unwrap_or(&url));
    let goes_too = local.canonicalize().is_ok_and(|real| {
        place.canonicalize().is_ok_and(|place| real.starts_with(place)) || real == inner.dir
    });
    if !url.is_empty() && !goes_too {
        // An origin that cannot be asked has nothing: all of it is kept.
        let there = git.objects_at(&url).unwrap_or_default();
        objects.extend(there.iter().cloned());
        origin = Some((url, there));
    }
    if !inner.is_whole() && !inner.common.starts_with(place) {
        objects.extend(git.refs_with_kinds(&[]).unwrap_or_default().into_iter().map(|one| one.id));
    }
    Stays { objects, refs: BTreeSet::new(), origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(id: &str, parents: &[&str]) -> Loose {
        Loose {
            id: id.into(),
            tree: String::new(),
            parents: parents.iter().map(|id| (*id).into()).collect(),
            subject: id.into(),
        }
    }

    fn found(from: &str, id: &str, is_commit: bool) -> FoundObject {
        FoundObject { from: from.into(), id: id.into(), is_commit }
    }

    #[test]
    fn named_commits_are_lost_each_and_of_logged_ones_the_last_of_a_line() {
        let all = vec![
            found("HEAD", "b", true),
            found("refs/heads/main", "b", true),
            found("refs/heads/old", "a", true),
            found("refs/heads/pushed", "p", true),
            found(LOGGED, "a", true),
            found(LOGGED, "amended", true),
            found(LOGGED, "before", true),
        ];
        let loose =
            [loose("b", &["a"]), loose("a", &["p"]), loose("amended", &["before"]), loose("before", &["a"])];
        let tips = tips(&all, &loose, &[]);
        let shown: Vec<(&str, &str)> = tips.iter().map(|tip| (tip.from.as_str(), tip.id.as_str())).collect();
        assert_eq!(shown, [("HEAD", "b"), ("refs/heads/old", "a"), (LOGGED, "amended")]);
    }

    #[test]
    fn an_object_that_is_no_commit_stays_only_as_itself() {
        let all = vec![found("refs/tags/v1", "t1", false), found("refs/tags/v2", "t2", false)];
        let tips = tips(&all, &[], &["t2".into()]);
        assert_eq!(tips.iter().map(|tip| tip.id.as_str()).collect::<Vec<_>>(), ["t1"]);
    }

    #[test]
    fn a_count_names_what_it_counts() {
        let lines = |kinds: &[Loss]| -> Vec<LossLine> {
            kinds.iter().map(|kind| LossLine { kind: *kind, text: String::new() }).collect()
        };
        let all = lines(&[Loss::File, Loss::Commit, Loss::Session, Loss::Commit]);
        assert_eq!(counted(&all), "2 commits, 1 file would be lost; 1 open session is in the way");
        assert_eq!(counted(&lines(&[Loss::Bead; 2])), "2 beads in work are in the way");
        assert!(hints(&lines(&[Loss::Request]), "wyvern").contains("gt mq reject ID"));
        assert!(hints(&lines(&[Loss::Recovery]), "wyvern").contains("gt gc wyvern"));
    }

    #[test]
    fn long_lists_say_how_many_more_there_are() {
        let lines: Vec<String> = (0..25).map(|number| number.to_string()).collect();
        let cut = cut(&lines);
        assert_eq!((cut.len(), cut[20].as_str()), (21, "and 5 more"));
    }
}
