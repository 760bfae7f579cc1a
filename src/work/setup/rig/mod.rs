//! `gt rig add` and `gt rig remove`: a rig, all of it or nothing.

pub mod remove;
pub mod wants;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::base::{files, repo_url, time};
use crate::beads::{self, embedded};
use crate::config::schema::StoreChoice;
use crate::config::template;
use crate::model::rules;
use crate::plan::proposal;
use crate::programs::git::{Git, credentials};
use crate::town::discover::{change_rigs, kind, read_rig_config};
use crate::town::trust::{self, SeenSettings, Setting};
use crate::town::{Rig, RigBeads, RigConfig, RigEntry, Town};
use crate::work::agent::trust as agent_settings;
use crate::work::setup::{install, pieces};
use crate::work::talk::adopt;

/// A rig that is to be added.
#[derive(Clone, Debug)]
pub struct NewRig {
    /// Its name.
    pub name: String,
    /// Where its code comes from.
    pub source: CodeSource,
    /// Prefix of its ids; made from the name when absent.
    pub prefix: Option<String>,
    /// The branch that work lands on; the remote's default when absent.
    pub branch: Option<String>,
    /// Its store.
    pub store: StoreChoice,
    /// Prefix of the town's own ids.
    pub town_prefix: String,
    /// Its test command.
    pub test: Option<String>,
    /// Names of the agent settings to look for.
    pub names: Vec<String>,
}

/// A rig that was added.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Where its code comes from.
    pub git_url: String,
    /// Prefix of its ids.
    pub prefix: String,
    /// The branch that work lands on.
    pub target: String,
    /// Its test command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_command: Option<String>,
    /// The agent settings that the repository tracks.
    pub agent_settings: Vec<Setting>,
    /// Whether a person trusts them.
    pub trusted: bool,
    /// What is missing for work to begin there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<wants::Want>,
}

/// Where code comes from: what was typed, as git is to take it, and what to know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeSource {
    /// For git, without what is secret.
    pub url: String,
    /// What was secret in it, as git keeps it.
    pub credential: Option<String>,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Reads what was typed as a URL. A local path is made absolute; of a work tree its `origin` counts.
///
/// # Errors
/// A path that is not there.
pub fn source(dir: &Path, typed: &str) -> Result<CodeSource> {
    if typed.is_empty() || typed.starts_with('-') {
        return Err(Failure::usage(format!("'{typed}' is no URL"))
            .hint("give a URL or a path: gt rig add NAME https://host/project.git")
            .into());
    }
    if is_remote(dir, typed) {
        return remote(dir, typed, Vec::new());
    }
    let path = dir.join(typed).canonicalize().map_err(|error| {
        Failure::new(format!("cannot add {typed}: {}", plain_error(&error)))
            .hint("give the path of a repository, or a URL with https:// or ssh://")
    })?;
    let git = Git::at(&path);
    let top = git.try_run(["rev-parse", "--show-toplevel"])?;
    if !top.ok() {
        return Ok(CodeSource::of(&path.to_string_lossy(), Vec::new()));
    }
    let top = top.text();
    let origin = git.try_run(["config", "remote.origin.url"])?;
    if origin.ok() && !origin.text().is_empty() {
        let origin = origin.text();
        let url = if is_remote(Path::new(&top), &origin) {
            origin
        } else {
            // Checkouts are told by this path: it is written as one, without `..`.
            let origin = Path::new(&top).join(origin);
            origin.canonicalize().unwrap_or(origin).to_string_lossy().into_owned()
        };
        let note = format!("{typed} is a work tree: its origin is taken: {}", repo_url::plain(&url));
        return remote(&path, &url, vec![note]);
    }
    let note = format!(
        "{top} has its branch checked out: for work to land there, run: git -C {} config receive.denyCurrentBranch updateInstead",
        quote(&top)
    );
    Ok(CodeSource::of(&top, vec![note]))
}

impl CodeSource {
    fn of(url: &str, mut notes: Vec<String>) -> CodeSource {
        let credential = repo_url::credential(url);
        if credential.is_some() {
            notes.push(
                "the user part of the URL is kept for git alone, in .git/gt-credential of the rig's clone"
                    .into(),
            );
        }
        CodeSource { url: repo_url::plain(url), credential, notes }
    }
}

/// A URL as the person's git takes it: `insteadOf` may be said of one with a name and a password, and leave neither.
fn remote(dir: &Path, url: &str, notes: Vec<String>) -> Result<CodeSource> {
    let plain = repo_url::plain(url);
    let refused = |why: &str, hint: &str| Failure::usage(format!("{why}: {plain}")).hint(hint);
    if url.contains(char::is_control) {
        return Err(refused("a URL holds no control characters", "give it as git takes it").into());
    }
    if repo_url::has_token(url) {
        let hint =
            "git would send it, and show it, with every call: give it as https://TOKEN@host/project.git";
        return Err(refused("a URL with a token in its query cannot be kept secret", hint).into());
    }
    if repo_url::redacted(&plain) != plain {
        let hint = "write a '/' of a password as %2F, and an '@' of a path as %40";
        return Err(refused("cannot tell the user part of a URL from its path", hint).into());
    }
    match repo_url::credential(url) {
        Some(_) => Ok(CodeSource::of(&Git::at(dir).in_place_of(url)?, notes)),
        None => Ok(CodeSource::of(url, notes)),
    }
}

/// `https://…`, `ssh://…`, `host:path`; a path that exists is a path whatever it looks like.
fn is_remote(dir: &Path, typed: &str) -> bool {
    let scp = typed.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'));
    typed.contains("://") || (scp && !dir.join(typed).exists())
}

fn plain_error(error: &std::io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or(&said).to_lowercase()
}

/// Prefixes that are taken: the town's and its rigs'. A rig whose configuration cannot be read has the one that its store
/// was made with. `chosen`: a person chose the new one, and knows those that nothing here tells.
///
/// # Errors
/// When the list of rigs cannot be read, or nothing tells the prefix of a rig.
pub fn prefixes(town: &Town, own: &str, chosen: bool) -> Result<Vec<String>> {
    let mut taken: Vec<String> = vec![own.into()];
    for name in town.rig_names()? {
        let store = || embedded::Embedded::open(&town.root.join(&name).join(".beads"), "", "").ok();
        let of_store = || store().map(|store| store.prefix().to_string()).filter(|prefix| !prefix.is_empty());
        match town.read_rig(&name) {
            Ok(rig) => taken.extend([vec![rig.config.beads.prefix], rig.config.beads.prefixes].concat()),
            Err(error) => match of_store() {
                Some(prefix) => taken.push(prefix),
                None if chosen => {}
                None => {
                    return Err(Failure::new(format!("cannot tell which prefix {name} has: {error:#}"))
                        .hint("mend that first; or choose a prefix that it does not have: --prefix PREFIX")
                        .into());
                }
            },
        }
    }
    Ok(taken)
}

/// Checks what can be checked before anything is made.
///
/// # Errors
/// A name or prefix that cannot be, or is taken.
pub fn check(town: &Town, wanted: &NewRig) -> Result<()> {
    rules::rig_name(&wanted.name)?;
    if town.rig_names()?.contains(&wanted.name) {
        crate::fail!("there is a rig named '{}' already", wanted.name; "see them with: gt rigs");
    }
    let root = town.root.join(&wanted.name);
    if (root.exists() || root.is_symlink()) && !is_unfinished(&root, wanted) {
        crate::fail!("{} is there already, and is no rig", root.display(); "choose another name, or move it away");
    }
    if let Some(prefix) = &wanted.prefix {
        rules::prefix(prefix, &prefixes(town, &wanted.town_prefix, true)?)?;
    }
    beads::makes(wanted.store)?;
    Ok(())
}

/// Whether a folder is the same rig, added but not yet in the list: a kill came between.
fn is_unfinished(root: &Path, wanted: &NewRig) -> bool {
    let path = root.join("config.json");
    kind(&path) == "rig"
        && read_rig_config(&path)
            .is_ok_and(|config| config.name == wanted.name && config.git_url == wanted.source.url)
}

/// Adds a rig: clones aside, then under the town's lock renames and lists it.
///
/// # Errors
/// Whatever stands in the way; nothing of the rig is left then.
pub fn add(town: &Town, wanted: &NewRig) -> Result<Added> {
    check(town, wanted)?;
    let root = town.root.join(&wanted.name);
    files::sweep(&town.root)?;
    if root.exists() {
        let _turn = town.lock()?;
        return enter(town, wanted);
    }
    let aside = files::Aside::new(&town.root)?;
    let draft = aside.path("rig");
    let clone = draft.join("mayor/rig");
    let target = make_clone(wanted, &clone, aside.path("credential"))?;
    let git = Git::at(&clone);
    let commit = git.stands_at("HEAD")?.unwrap_or_default();
    let settings = agent_settings::settings_at(&git, &commit, &wanted.names)?;
    // Before the rig is there: what a kill leaves is not trusted.
    trust::create(&draft, SeenSettings { commit, names: wanted.names.clone(), settings })?;
    crate::work::step("rig-add.1");
    clone_near(&clone, &draft.join("refinery/rig"), &wanted.source.url, &target)?;
    if let Some(credential) = &wanted.source.credential {
        credentials::keep(&draft, credential)?;
    }
    let now = time::now();
    for piece in pieces::of_rig(&wanted.name, &now)? {
        piece.make(&draft)?;
    }
    crate::work::step("rig-add.2");
    let _turn = town.lock()?;
    check(town, wanted)?;
    let taken = prefixes(town, &wanted.town_prefix, wanted.prefix.is_some())?;
    let prefix = wanted.prefix.clone().unwrap_or_else(|| rules::prefix_for(&wanted.name, &taken));
    make_rig_store(&draft, &prefix, wanted.store)?;
    let mut config = config_of(&wanted.name, &wanted.source.url, &prefix, &target);
    if let (Some(test), Some(merge)) = (&wanted.test, &mut config.merge) {
        merge["test_command"] = template::escape(test, true).into();
    }
    files::write_json(&draft.join("config.json"), &config)?;
    crate::work::step("rig-add.3");
    std::fs::rename(&draft, &root)
        .map_err(|error| files::error_of(error, format!("cannot make {}", root.display())))?;
    // Of an earlier rig of that name.
    super::exports::retire(&root)?;
    // Patrols and doctor say what keeps it from being made.
    let _ = super::exports::keep_config(&root, &town.reads);
    crate::work::step("rig-add.4");
    let entered = enter(town, wanted);
    if entered.is_err() {
        // It is not in the list: take it away again, with the folder it was built in.
        let _ = std::fs::rename(&root, &draft);
    }
    entered
}

/// Lists a rig whose folder is complete. The town's lock is held.
fn enter(town: &Town, wanted: &NewRig) -> Result<Added> {
    let config = read_rig_config(&town.rig_config_path(&wanted.name))?;
    adopt::nothing_old(town, &wanted.name)?;
    list(town, &wanted.name, &config.git_url)?;
    crate::work::step("rig-add.5");
    let of_merge = |key: &str| config.merge.as_ref()?.get(key)?.as_str().map(String::from);
    let trust = trust::read(&town.root.join(&wanted.name))?.unwrap_or_default();
    Ok(Added {
        name: wanted.name.clone(),
        target: of_merge("target").unwrap_or_else(|| "main".into()),
        test_command: of_merge("test_command"),
        trusted: trust.open().is_empty(),
        agent_settings: trust.seen.settings,
        git_url: config.git_url,
        prefix: config.beads.prefix,
        // The rig is there; whether something is missing is said, as far as it can be told.
        wants: wants::of_clone(&town.root.join(&wanted.name).join("mayor/rig")).unwrap_or_default(),
    })
}

/// A test command for a rig, from the files at the top of its canonical clone.
pub fn proposed_test(rig: &Path) -> Option<&'static str> {
    let clone = rig.join("mayor/rig");
    let text = |name: &String| -> String {
        let path = clone.join(name);
        // A link could lead anywhere.
        let plain = path.symlink_metadata().is_ok_and(|data| data.is_file());
        let wanted = plain && proposal::READ.contains(&name.as_str());
        wanted.then(|| files::text(&path).ok().flatten()).flatten().unwrap_or_default()
    };
    let names = files::names_in(&clone).unwrap_or_default();
    proposal::test_command(&names.into_iter().map(|name| (name.clone(), text(&name))).collect())
}

/// Writes the test command of a rig into its `config.json`.
///
/// # Errors
/// When the file is broken or cannot be written.
pub fn set_test(rig: &Path, command: &str) -> Result<()> {
    files::change_json(&rig.join("config.json"), |config| {
        let merge = config.entry("merge").or_insert_with(|| json!({}));
        merge["test_command"] = command.into();
        Ok(())
    })
}

/// Puts a rig into `mayor/rigs.json` and its lines into `.gitignore`. The town's lock is held.
///
/// # Errors
/// When one of the files cannot be read or written.
pub fn list(town: &Town, name: &str, git_url: &str) -> Result<()> {
    ignore_lines(town, |text| pieces::ignore_text(text, &pieces::ignored_of_rig(name)))?;
    let entry = RigEntry { git_url: git_url.into(), added_at: time::now(), other: Default::default() };
    change_rigs(town, |file| {
        file.rigs.insert(name.into(), entry);
    })
}

fn ignore_lines(town: &Town, change: impl FnOnce(&str) -> String) -> Result<()> {
    let path = town.root.join(".gitignore");
    let text = files::text(&path)?.unwrap_or_default();
    let changed = change(&text);
    if changed == text { Ok(()) } else { files::write(&path, changed) }
}

/// Clones the canonical clone; gives the branch that work lands on. `file` is where a credential stands meanwhile.
fn make_clone(wanted: &NewRig, clone: &Path, file: PathBuf) -> Result<String> {
    let url = wanted.source.url.as_str();
    let credential = wanted.source.credential.as_ref();
    let file = credential.map(|line| files::write(&file, line).map(|()| file)).transpose()?;
    let parent = clone.parent().unwrap_or(clone);
    files::make_dir(parent)?;
    let mut words = vec!["clone", "-q", "--no-recurse-submodules"];
    if let Some(branch) = &wanted.branch {
        words.extend(["--branch", branch]);
    }
    let target = clone.to_string_lossy();
    words.extend(["--", url, &target]);
    let output = Git::at(parent).with_credential(file).try_run(words)?;
    if !output.ok() {
        return Err(no_clone(parent, url, &output).into());
    }
    let status = Git::at(clone).status()?;
    if status.commit.is_empty() {
        return Err(is_empty(url).into());
    }
    if Git::at(clone).commit_of("refs/remotes/origin/polecat")?.is_some() {
        return Err(blocked_by_polecat(url).into());
    }
    status.branch.ok_or_else(|| no_default(url, &wanted.name).into())
}

fn is_empty(url: &str) -> Failure {
    Failure::new(format!("{url} is empty: there is no branch to work from"))
        .hint("commit and push something there first")
}

fn no_default(url: &str, name: &str) -> Failure {
    Failure::new(format!("{url} does not say which branch is its default"))
        .hint(format!("name the branch that work lands on: gt rig add {name} URL --branch BRANCH"))
}

/// Asks the repository whether [`add`] could clone it; gives the branch that work would land on. Nothing is made.
///
/// # Errors
/// What the clone would fail with.
pub fn ask(town: &Town, wanted: &NewRig) -> Result<String> {
    let url = wanted.source.url.as_str();
    let kept = wanted.source.credential.as_ref().map(|line| -> Result<_> {
        let aside = files::Aside::new(&town.root)?;
        files::write(&aside.path("credential"), line)?;
        Ok(aside)
    });
    let kept = kept.transpose()?;
    let git = Git::at(&town.root).with_credential(kept.as_ref().map(|aside| aside.path("credential")));
    let output = git.try_run(["ls-remote", "-q", "--symref", "--", url, "HEAD", "refs/heads/*"])?;
    if !output.ok() {
        return Err(no_clone(&town.root, url, &output).into());
    }
    let text = output.text();
    let has = |branch: &str| text.lines().any(|line| line.ends_with(&format!("\trefs/heads/{branch}")));
    if !text.contains("\trefs/heads/") {
        return Err(is_empty(url).into());
    }
    if has("polecat") {
        return Err(blocked_by_polecat(url).into());
    }
    let head = text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
    match (&wanted.branch, head) {
        (Some(branch), _) if !has(branch) => {
            crate::fail!("{url} has no branch '{branch}'"; "see them with: git ls-remote --heads {}", quote(url))
        }
        (Some(branch), _) => Ok(branch.clone()),
        (None, Some(head)) => Ok(head.into()),
        (None, None) => Err(no_default(url, &wanted.name).into()),
    }
}

/// A branch of that name leaves no place for those of polecats, `polecat/NAME-BEAD`.
pub fn blocked_by_polecat(origin: &str) -> Failure {
    Failure::new(format!(
        "{origin} has a branch 'polecat', so there can be none of polecats (polecat/NAME-BEAD)"
    ))
    .hint("give it another name, in a clone: git push origin origin/polecat:refs/heads/NEW :polecat")
}

/// What is said of rigs of one repository: they have one branch of beads.
pub fn of_one_repository(rigs: &[Rig]) -> Vec<String> {
    let pairs =
        rigs.iter().enumerate().flat_map(|(at, rig)| rigs.iter().skip(at + 1).map(move |other| (rig, other)));
    let same = pairs.filter(|(rig, other)| rig.config.git_url == other.config.git_url);
    let said = |(rig, other): (&Rig, &Rig)| {
        format!(
            "{} and {} are of one repository: each takes in the beads of both with gt sync, from its branch beads-sync",
            rig.name, other.name
        )
    };
    same.map(said).collect()
}

/// A clone into `parent` that failed.
pub fn no_clone(parent: &Path, url: &str, output: &crate::programs::Output) -> Failure {
    let mut failure = Git::at(parent).failure(format!("cannot clone {url}: {}", why_no_clone(output)));
    let look = || format!("see whether git can read it: git ls-remote {}", quote(url));
    failure.hint.get_or_insert_with(look);
    failure
}

/// Why a clone failed: what git, ssh or the server said first; the end is always that it could not be read.
fn why_no_clone(output: &crate::programs::Output) -> String {
    let said = output.error_text();
    let first = said.lines().find(|line| !line.trim().is_empty() && !line.starts_with("Cloning into"));
    let first = first.unwrap_or("git said nothing");
    first.trim_start_matches("fatal: ").trim_start_matches("error: ").to_string()
}

/// A second clone, made from the one that is here, that fetches from and pushes to the same place as the first.
fn clone_near(clone: &Path, target: &Path, url: &str, branch: &str) -> Result<()> {
    let git = Git::at(clone);
    files::make_dir(target.parent().unwrap_or(target))?;
    let (from, to) = (clone.to_string_lossy(), target.to_string_lossy());
    let words = ["clone", "-q", "--local", "--no-recurse-submodules", "--branch", branch, "--", &from, &to];
    git.run("clone for the refinery", words)?;
    Git::at(target).run("set the origin", ["config", "remote.origin.url", url]).map(drop)
}

/// The rig's store: in the canonical clone, out of git's sight; beside it when the project tracks a `.beads`.
///
/// # Errors
/// As [`beads::create`].
pub fn make_rig_store(root: &Path, prefix: &str, choice: StoreChoice) -> Result<()> {
    let place = store_place(root)?;
    if beads::kind_of(&place).is_err() {
        install::make_store(&place, prefix, choice)?;
    }
    link_store(root, &place)
}

/// Where the store of a rig stands: in the canonical clone, but beside it when the project tracks a `.beads`.
///
/// # Errors
/// When there is no clone.
pub fn store_place(root: &Path) -> Result<PathBuf> {
    let clone = root.join("mayor/rig");
    let inside = clone.join(".beads");
    let tracked = || Git::at(&clone).run("list files", ["ls-files", "--", ".beads"]);
    Ok(if inside.symlink_metadata().is_ok() && !tracked()?.is_empty() { root.join(".beads") } else { inside })
}

/// Takes a store in the clone out of git's sight, and links to it.
///
/// # Errors
/// When the disk refuses.
pub fn link_store(root: &Path, place: &Path) -> Result<()> {
    let link = root.join(".beads");
    if place == link {
        return Ok(());
    }
    Git::at(root.join("mayor/rig")).exclude(&["/.beads".into()])?;
    if !link.is_symlink() {
        std::os::unix::fs::symlink("mayor/rig/.beads", &link)
            .map_err(|error| files::error_of(error, format!("cannot make {}", link.display())))?;
    }
    Ok(())
}

/// The `config.json` of a new rig.
pub fn config_of(name: &str, git_url: &str, prefix: &str, target: &str) -> RigConfig {
    RigConfig {
        kind: "rig".into(),
        version: 1,
        name: name.into(),
        git_url: git_url.into(),
        beads: RigBeads { prefix: prefix.into(), ..RigBeads::default() },
        merge: Some(json!({ "target": target })),
        ..RigConfig::default()
    }
}
