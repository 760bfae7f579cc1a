//! `gt install`: a town, all of it or nothing. It is built aside, on the file system where it is to stand, and renamed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::pieces::{self, Piece};
use crate::base::failure::Failure;
use crate::base::{files, time};
use crate::beads;
use crate::config::schema::StoreChoice;
use crate::model::address::Address;
use crate::model::rules;
use crate::programs::git::Git;
use crate::town::discover::{self, FoundTown};
use crate::town::{FolderLayout, TownFile};

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct NewTown {
    /// Where: absolute.
    pub root: PathBuf,
    /// Its name; the folder's when absent.
    pub name: Option<String>,
    /// Make it a git repository.
    pub git: bool,
    /// Its store; none when absent.
    pub store: Option<StoreChoice>,
    /// Prefix of its own ids.
    pub prefix: String,
    /// This program, for `bin/bd`.
    pub gt: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// The town's root, links resolved.
    pub root: PathBuf,
    /// Its name.
    pub name: String,
    /// What was made, by path inside the town.
    pub made: Vec<String>,
    /// What stood there already and was left as it was.
    pub kept: Vec<String>,
    /// The commit was made under this name, because the person has none configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_as: Option<String>,
}

/// What stands where the town is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Nothing: it is made, with the folders above it.
    Nothing,
    /// A folder, empty or not.
    Folder,
    /// A town of the present layout.
    Town(FoundTown),
}

/// Looks at the place, and refuses what cannot become a town.
///
/// # Errors
/// A file in the way, a town above or right below, a town of the older layout.
pub fn survey(root: &Path) -> Result<Ground> {
    if root.exists() && !root.is_dir() {
        crate::fail!("{} is a file", root.display(); "choose another folder: gt install DIR");
    }
    // The nearest folder that exists tells whether this is inside a town.
    let standing = root.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    if let Ok(found) = discover::locate(standing) {
        if Some(&found.root) != root.canonicalize().ok().as_ref() {
            crate::fail!(
                "{} is inside the town {}", root.display(), found.root.display();
                "a town cannot stand in a town: choose another folder, or add a project with: gt rig add NAME URL"
            );
        }
        if found.layout == FolderLayout::Workspace {
            crate::fail!(
                "{} is a town of the older layout", root.display();
                "bring it to the present one with: gt -C {} migrate", root.display()
            );
        }
        return Ok(Ground::Town(found));
    }
    if !root.is_dir() {
        return Ok(Ground::Nothing);
    }
    for name in files::names_in(root)? {
        if !name.starts_with(files::ASIDE) && discover::found_at(&root.join(&name)).is_some() {
            crate::fail!(
                "{} holds the town {name}", root.display();
                "a town cannot stand in a town: choose another folder"
            );
        }
    }
    Ok(Ground::Folder)
}

impl NewTown {
    /// The identity file of the new town.
    ///
    /// # Errors
    /// A name that is none.
    pub fn identity(&self) -> Result<TownFile> {
        let name = self.name.clone().unwrap_or_else(|| discover::folder_name(&self.root));
        if name.trim().is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Err(Failure::usage("a town's name is one line of 1 to 64 characters")
                .hint("name it with: gt install --name NAME")
                .into());
        }
        Ok(TownFile { kind: "town".into(), version: 1, name, created_at: time::now() })
    }

    /// The program for `bin/bd`, when the store will be an embedded one.
    fn gt(&self) -> Result<Option<&Path>> {
        let Some(choice) = self.store else { return Ok(None) };
        let kind = beads::kind_of(&self.root.join(".beads")).or_else(|_| beads::makes(choice))?;
        Ok((kind == beads::StoreKind::Embedded).then_some(self.gt.as_path()))
    }

    /// All that would be made, for `--dry-run`.
    ///
    /// # Errors
    /// As [`NewTown::identity`], or when the store asked for cannot be made.
    pub fn pieces(&self) -> Result<Vec<Piece>> {
        rules::prefix(&self.prefix, &[])?;
        pieces::of_town(&self.identity()?, self.gt()?)
    }
}

/// Installs a town where there is none.
///
/// # Errors
/// Whatever stands in the way; nothing of it is left then, and what stood there stands as before.
pub fn install(wanted: &NewTown) -> Result<Installed> {
    let missing: Vec<PathBuf> =
        wanted.root.ancestors().take_while(|dir| !dir.is_dir()).map(Into::into).collect();
    let new_folder = !missing.is_empty();
    let parent = match missing.last() {
        Some(top) => top.parent().unwrap_or(Path::new("/")).to_path_buf(),
        None => wanted.root.clone(),
    };
    let _turn = files::lock_folder(&parent)?;
    if let (Ground::Town(found), false) = (survey(&wanted.root)?, new_folder) {
        crate::fail!("there is a town already: {}", found.root.display(); "repair it with: gt install --force");
    }
    // What a killed install left; in a folder of others it may not be ours to remove.
    let _ = files::sweep(&parent);
    let aside = files::Aside::new(&parent)?;
    let draft = aside.path("town");
    let signed_as = build(wanted, &draft)?;
    crate::work::step("install.1");
    let mut done = Installed { name: wanted.identity()?.name, signed_as, ..Installed::default() };
    if new_folder {
        done.made = files::names_in(&draft)?;
        place_new(&draft, &aside.path("above"), &missing)?;
    } else {
        place_into(&draft, &wanted.root, &mut done)?;
        files::make_private(&wanted.root)?;
    }
    files::sync_dir(&parent)?;
    drop(aside);
    done.root = wanted.root.canonicalize().with_context(|| wanted.root.display().to_string())?;
    crate::work::step("install.3");
    Ok(done)
}

/// Builds the whole town in `draft`; gives the name its first commit was made under when that was gt's choice.
fn build(wanted: &NewTown, draft: &Path) -> Result<Option<String>> {
    files::make_dir(draft)?;
    for piece in wanted.pieces()? {
        piece.make(draft)?;
    }
    if let Some(choice) = wanted.store {
        let standing = wanted.root.join(".beads");
        // A store that is there already stays the town's.
        if beads::kind_of(&standing).is_err() {
            make_store(&draft.join(".beads"), &wanted.prefix, choice)?;
        }
    }
    if wanted.git && !wanted.root.join(".git").exists() {
        return first_commit(draft, &wanted.identity()?.name);
    }
    Ok(None)
}

/// Makes a store.
///
/// # Errors
/// As [`beads::create`].
pub fn make_store(dir: &Path, prefix: &str, choice: StoreChoice) -> Result<beads::StoreKind> {
    let actor = Address::Overseer.to_string();
    let (dir, prefix, prefixes) = (dir.to_path_buf(), prefix.into(), Vec::new());
    beads::create(&beads::StorePlace { dir, prefix, prefixes, choice, actor, secret: None })
}

/// Makes the town a repository with one commit. Without a name of their own the person gets one for this commit.
fn first_commit(draft: &Path, name: &str) -> Result<Option<String>> {
    let git = Git::at(draft);
    git.run("make a repository", ["init", "-q"])?;
    git.run("add the town", ["add", "-A"])?;
    let nameless =
        !git.try_run(["config", "user.name"])?.ok() || !git.try_run(["config", "user.email"])?.ok();
    let mut words: Vec<String> = Vec::new();
    if nameless {
        words.extend(["-c".into(), "user.name=gt".into(), "-c".into(), "user.email=gt@localhost".into()]);
    }
    words.extend(["commit", "-q", "--no-verify", "-m"].map(String::from));
    words.push(format!("The town {name}"));
    git.run("commit the town", words)?;
    Ok(nameless.then(|| "gt <gt@localhost>".into()))
}

/// Puts the town where nothing was: one rename, whatever folders above it were missing too.
fn place_new(draft: &Path, above: &Path, missing: &[PathBuf]) -> Result<()> {
    let (Some(root), Some(top)) = (missing.first(), missing.last()) else { return Ok(()) };
    let mut source = draft.to_path_buf();
    if root != top {
        let inside = root.strip_prefix(top).unwrap_or(root);
        let target = above.join(inside);
        let failed = || format!("cannot make {}", target.display());
        std::fs::create_dir_all(target.parent().unwrap_or(above)).with_context(failed)?;
        std::fs::rename(draft, &target).with_context(failed)?;
        source = above.to_path_buf();
    }
    crate::work::step("install.2");
    std::fs::rename(&source, top)
        .map_err(|error| files::error_of(error, format!("cannot make {}", top.display())))
}

/// Puts the town into a folder with other things in it. What is there stays; the identity comes last, so that a kill
/// on the way leaves no town, and the same command goes on. A failure takes back what was moved.
fn place_into(draft: &Path, root: &Path, done: &mut Installed) -> Result<()> {
    let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
    plan_moves(draft, root, "", &mut moves, &mut done.kept)?;
    moves.sort_by_key(|(_, to)| (to.ends_with("mayor") || to.ends_with(discover::IDENTITY), to.clone()));
    let ignore = root.join(".gitignore");
    let old_ignore = files::text(&ignore)?;
    let mut moved: Vec<&(PathBuf, PathBuf)> = Vec::new();
    let mut outcome = Ok(());
    if let Some(text) = &old_ignore {
        done.kept.retain(|path| path != ".gitignore");
        outcome = files::write(&ignore, pieces::ignore_text(text, &pieces::IGNORED.map(String::from)));
    }
    for (index, step) in moves.iter().enumerate() {
        if outcome.is_err() {
            break;
        }
        if index + 1 == moves.len() {
            crate::work::step("install.2");
        }
        outcome = std::fs::rename(&step.0, &step.1)
            .map_err(|error| files::error_of(error, format!("cannot make {}", step.1.display())));
        moved.push(step);
    }
    if let Err(error) = outcome {
        for (from, to) in moved.iter().rev() {
            let _ = std::fs::rename(to, from);
        }
        if let Some(text) = old_ignore {
            let _ = files::write(&ignore, text);
        }
        return Err(error);
    }
    let inside = |to: &Path| to.strip_prefix(root).unwrap_or(to).to_string_lossy().into_owned();
    done.made = moves.iter().map(|(_, to)| inside(to)).collect();
    done.made.sort();
    Ok(())
}

/// Which renames bring `draft` into `root`: whole folders where nothing stands, their contents where a folder does.
fn plan_moves(
    draft: &Path,
    root: &Path,
    inside: &str,
    moves: &mut Vec<(PathBuf, PathBuf)>,
    kept: &mut Vec<String>,
) -> Result<()> {
    for name in files::names_in(&draft.join(inside))? {
        let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        let (from, to) = (draft.join(&path), root.join(&path));
        if !to.exists() && !to.is_symlink() {
            moves.push((from, to));
        } else if from.is_dir() && to.is_dir() {
            plan_moves(draft, root, &path, moves, kept)?;
        } else if std::fs::read(&from).ok() != std::fs::read(&to).ok() {
            kept.push(path);
        }
    }
    Ok(())
}

/// Repairs a town: makes what is missing, keeps what is there.
///
/// # Errors
/// When its identity file is broken, or the disk does not take a piece.
pub fn repair(wanted: &NewTown, found: FoundTown) -> Result<Installed> {
    let town = found.town()?;
    let _turn = town.lock()?;
    let mut done = Installed { root: town.root.clone(), name: town.name.clone(), ..Installed::default() };
    let named = NewTown { name: Some(town.name.clone()), ..wanted.clone() };
    // A town without beads has neither; one that has them is not given an empty store in place of a lost one.
    let had_store = town.bin_dir().join("bd").is_symlink()
        || !town.rig_names().is_ok_and(|names| names.is_empty())
        || !super::exports::sources(&town.root, &mut Vec::new()).is_ok_and(|sources| sources.is_empty());
    for piece in named.pieces()? {
        if !piece.stands(&town.root) {
            piece.make(&town.root)?;
            done.made.push(piece.path().into());
        }
    }
    let lost = wanted.store.filter(|_| beads::kind_of(&town.beads_dir()).is_err());
    if let (Some(choice), false) = (lost, had_store) {
        make_store(&town.beads_dir(), &wanted.prefix, choice)?;
        done.made.push(".beads".into());
    }
    if wanted.git && !town.root.join(".git").exists() {
        done.signed_as = first_commit(&town.root, &town.name)?;
        done.made.push(".git".into());
    }
    done.made.sort();
    if lost.is_some() && had_store {
        crate::fail!("the town's store is gone"; "everything else is there; restore it with: gt doctor --fix");
    }
    Ok(done)
}
