//! What doctor checks, and what it says and does about what was found: source document 004's lists and words, and the
//! traces that killed commands leave.

use serde::Serialize;

use super::patrol::Move;
use crate::base::time;
use crate::town::FolderLayout;
use crate::town::deacon::SWEEP;

/// One thing that is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// `mayor/town.json`; `config.json` in the older layout.
    Identity,
    /// The Mayor's `state.json`.
    TownState,
    /// The older layout's `mail/`.
    Mail,
    /// The older layout's `boss/state.json`.
    Boss,
    /// The older layout's `rigs/`.
    RigsFolder,
    /// `mayor/rigs.json`.
    RigList,
    /// The settings files, and presets that roles ask for.
    Settings,
    /// The town's `.beads`.
    TownStore,
    /// `bin/bd`.
    Program,
    /// `CLAUDE.md`.
    Prompt,
    /// `config/presets/`.
    Presets,
    /// A rig's folder that the list of rigs does not have.
    Unlisted(String),
    /// A half-made file or folder, by its path inside the town.
    HalfMade(String),
    /// The town's folder, when other users of the machine can look into it.
    Shared,
    /// A file of the town with a name or a token in a URL: its path inside the town.
    Secret(String),
    /// A session of this town whose agent has no place in it: tmux's id, name and address.
    StraySession(String, String, String),
    /// A rig's folder as a whole. Looked for only when it is gone.
    RigFolder,
    /// A rig's `config.json`.
    RigConfig,
    /// A rig's `refinery/`.
    RefineryFolder,
    /// Its `README.md`.
    RefineryReadme,
    /// Its `state.json`.
    RefineryState,
    /// Its `state.json.lock`.
    RefineryLock,
    /// Its clone.
    RefineryClone,
    /// The Mayor's clone of a rig.
    MayorClone,
    /// A setting of a clone with which git does not work on its folder: the file, inside the rig, key and value.
    CloneSetting(String, String, String),
    /// A clone's settings that git cannot read: the file, inside the rig, and why.
    CloneSettings(String, String),
    /// Something that a town or work in a rig needs and that a person has to see to: what, and what helps.
    Want(String, String),
    /// A folder in which gt makes things that cannot be listed, and why.
    Unlistable(String, String),
    /// The lines of a rig in `.gitignore`.
    Ignored,
    /// A rig's store, and the link to it.
    RigStore,
    /// The `state.json` of a rig's witness and of the Mayor there.
    RigStates,
    /// `crew/`, `polecats/`, `plugins/`.
    RigFolders,
    /// A worktree that git knows and that is gone or was never finished: clone and folder, inside the rig.
    StaleWorktree(String, String),
    /// A worktree that git was killed at: clone and folder inside the rig, and what git did not put there.
    HalfWorktree(String, String, Vec<String>),
    /// A lock file of git: its path inside the town, its age and owner in words, whether the owner is gone.
    LockFile(String, String, bool),
    /// A branch at origin that a polecat pushed and that nothing waits for: its name and commit.
    StrayBranch(String, String),
    /// A bead whose holder works on another one: id, address, the other bead.
    SecondClaim(String, String, String),
    /// A worktree with files whose `.git` does not lead to its clone any more: clone and folder, inside the rig.
    LostWorktree(String, String),
    /// A polecat's name, with what a patrol makes of it, its bead, and whether a session is left to look at.
    Polecat(String, Move, Option<String>, bool),
    /// A bead whose holder is no more: id and address.
    HeldByNobody(String, String),
    /// Requests from before there were proofs, by id, which wait to be signed.
    Unproven(Vec<String>),
    /// `mayor/remote.json`. Looked for only when it cannot be read.
    Records,
    /// `mayor/ended`. Looked for only when it was lost or cannot be read.
    Ended,
    /// A completion record at origin that nothing proves: the rig, who it says wrote it, the bead, and its id.
    UnprovenRecord(String, String, String, String),
    /// A prefix of ids that several rigs claim, and those rigs.
    SharedPrefix(String, Vec<String>),
    /// A session elsewhere that the town remembers, of an agent that has no place in it: its address.
    StrayRecord(String),
    /// An agent program that would not begin to work by itself.
    AgentProgram,
    /// A prompt of the town's or a rig's own that `gt prime` cannot print as it is: the file, and why.
    OwnPrompt(String, String),
}

/// What was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good,
    /// Not there.
    Missing,
    /// There, and not as it should be: why, and what helps when that is known. Doctor never overwrites that.
    Broken(String, Option<String>),
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// ✓
    Pass,
    /// ✗
    Fail,
    /// Was ✗.
    Fixed,
}

/// One line of doctor's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    #[serde(skip)]
    pub thing: Thing,
    /// How it came out.
    pub status: CheckStatus,
    /// In words.
    pub message: String,
    /// Whether `--fix` can do something about it.
    pub fixable: bool,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was looked at.
    pub looked_at: String,
}

/// What is checked of every town.
pub fn of_town(layout: FolderLayout) -> Vec<Thing> {
    use Thing::{
        Boss, Identity, Mail, Presets, Program, Prompt, RigList, RigsFolder, Settings, TownState, TownStore,
    };
    match layout {
        FolderLayout::Workspace => vec![Identity, TownState, Mail, Boss, RigsFolder],
        FolderLayout::Present => {
            vec![Identity, TownState, RigList, TownStore, Program, Prompt, Presets, Settings]
        }
    }
}

/// What is checked of every rig.
pub fn of_rig(layout: FolderLayout) -> Vec<Thing> {
    use Thing::{
        Ignored, MayorClone, RefineryClone, RefineryFolder, RefineryLock, RefineryReadme, RefineryState,
        RigConfig, RigFolders, RigStates, RigStore,
    };
    let refinery =
        [RefineryFolder, RefineryReadme, RefineryState, RefineryLock, RefineryClone, MayorClone, Ignored];
    match layout {
        FolderLayout::Workspace => refinery.to_vec(),
        // The clones first: the store stands in one of them.
        FolderLayout::Present => {
            [vec![RigConfig], refinery.to_vec(), vec![RigStore, RigStates, RigFolders]].concat()
        }
    }
}

/// What was seen of the deacon of a town.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeaconSeen {
    /// Its lock is held.
    pub runs: bool,
    /// Its process, where that is known.
    pub process: Option<i32>,
    /// How many seconds ago it looked last; nothing when it does not answer.
    pub looked: Option<i64>,
}

/// What is the matter with a deacon that runs. One that does not is no fault.
pub fn deacon_fault(seen: &DeaconSeen) -> Option<Thing> {
    let who = seen.process.map(|process| format!(", process {process},")).unwrap_or_default();
    let what = match seen.looked {
        _ if !seen.runs => return None,
        None => format!("The deacon{who} does not answer"),
        Some(age) if u64::try_from(age).is_ok_and(|age| age > 2 * SWEEP.as_secs()) => {
            format!("The deacon{who} looked {} ago for the last time", time::short_age(age))
        }
        Some(_) => return None,
    };
    let help = "see its log: gt daemon logs; end it, and start another: gt daemon stop, then gt daemon start";
    Some(Thing::Want(what, help.into()))
}

/// Judges one thing. `rig` names the rig it belongs to, for hints.
pub fn judge(thing: Thing, found: Health, looked_at: String, rig: &str) -> Finding {
    let words = words(&thing);
    let (status, message, fixable, hint) = match found {
        Health::Good => (CheckStatus::Pass, words.good.to_string(), false, None),
        Health::Missing => (CheckStatus::Fail, words.missing.to_string(), words.fixable, None),
        Health::Broken(why, hint) => {
            let hint = hint.unwrap_or_else(|| words.hint_broken.to_string());
            (
                CheckStatus::Fail,
                format!("{}: {why}", words.broken),
                false,
                Some(hint).filter(|hint| !hint.is_empty()),
            )
        }
    };
    let mut finding = Finding { thing, status, message, fixable, hint, looked_at };
    if finding.status == CheckStatus::Fail {
        orphan(&mut finding, rig);
    }
    finding
}

/// The words for one kind of check.
struct Words {
    good: &'static str,
    missing: &'static str,
    broken: &'static str,
    fixable: bool,
    hint_broken: &'static str,
}

fn words(thing: &Thing) -> Words {
    const MEND: &str = "mend it by hand, or move it away and run: gt doctor --fix";
    const STORE: &str = "who may read and write it: ls -l .beads; when it is damaged, keep it aside and restore its beads: \
                         gt doctor --fix --set-aside-stores";
    let made = |good, missing, broken| Words { good, missing, broken, fixable: true, hint_broken: MEND };
    match thing {
        Thing::Identity => Words {
            fixable: false,
            hint_broken: "mend it by hand, or move it away and run: gt install",
            ..made("Workspace config valid", "Missing workspace config", "Workspace config broken")
        },
        Thing::TownState => {
            made("Workspace state valid", "Missing workspace state", "Workspace state broken")
        }
        Thing::Mail => made("Mail directory exists", "Missing mail/ directory", "Mail directory broken"),
        Thing::Boss => made("Boss state valid", "Missing boss/state.json", "Boss state broken"),
        Thing::RigsFolder => {
            made("Rigs directory exists", "Missing rigs/ directory", "Rigs directory broken")
        }
        Thing::RigList => made("Rig list valid", "Missing mayor/rigs.json", "Rig list broken"),
        Thing::Settings => Words {
            hint_broken: "see what is read, in order, with: gt config path",
            ..made("Settings valid", "Missing config/town.toml", "Settings broken")
        },
        Thing::TownStore => Words {
            hint_broken: STORE,
            ..made("Town beads valid", "Missing .beads/ store", "Town beads broken")
        },
        Thing::Program => made("Program bd linked", "Missing link bin/bd", "Link bin/bd broken"),
        Thing::Prompt => made("Mayor prompt exists", "Missing CLAUDE.md", "Mayor prompt broken"),
        Thing::Presets => {
            made("Presets directory exists", "Missing config/presets/", "Presets directory broken")
        }
        Thing::RigConfig => made("Rig config valid", "Missing config.json", "Rig config broken"),
        Thing::RefineryFolder => {
            made("Refinery directory exists", "Missing refinery/ directory", "Refinery directory broken")
        }
        Thing::RefineryReadme => {
            made("Refinery README exists", "Missing refinery/README.md", "Refinery README broken")
        }
        Thing::RefineryState => {
            made("Refinery state valid", "Missing refinery/state.json", "Refinery state broken")
        }
        Thing::RefineryLock => {
            made("Refinery lock exists", "Missing refinery/state.json.lock", "Refinery lock broken")
        }
        Thing::RefineryClone => {
            made("Refinery clone valid", "Missing refinery/rig/ clone", "Refinery clone broken")
        }
        Thing::MayorClone => {
            made("Mayor rig clone exists", "Missing Mayor rig clone", "Mayor rig clone broken")
        }
        Thing::Ignored => made("Gitignore entries present", "Missing gitignore entries", "Gitignore broken"),
        Thing::RigStore => Words {
            hint_broken: STORE,
            ..made("Rig beads valid", "Missing .beads of the rig", "Rig beads broken")
        },
        Thing::RigStates => {
            made("Witness and Mayor state valid", "Missing state.json of witness or Mayor", "State broken")
        }
        Thing::RigFolders => made(
            "Agent directories exist",
            "Missing crew/, polecats/ or plugins/",
            "Agent directories broken",
        ),
        Thing::Unlisted(_)
        | Thing::HalfMade(_)
        | Thing::Secret(_)
        | Thing::Shared
        | Thing::StraySession(..)
        | Thing::StaleWorktree(..)
        | Thing::LostWorktree(..)
        | Thing::HalfWorktree(..)
        | Thing::LockFile(..)
        | Thing::StrayBranch(..)
        | Thing::SecondClaim(..)
        | Thing::CloneSetting(..)
        | Thing::CloneSettings(..)
        | Thing::Want(..)
        | Thing::Unlistable(..)
        | Thing::RigFolder
        | Thing::Polecat(..)
        | Thing::HeldByNobody(..)
        | Thing::SharedPrefix(..)
        | Thing::UnprovenRecord(..)
        | Thing::Unproven(_)
        | Thing::StrayRecord(_)
        | Thing::AgentProgram
        | Thing::OwnPrompt(..) => made("", "", ""),
        Thing::Ended => Words {
            hint_broken: "restore it from a backup; or remove it, run gt doctor --fix, and adopt what is to be merged: gt adopt",
            ..made(
                "",
                "Missing mayor/ended: which requests left the queue is not known, and those from before are foreign",
                "List of requests that left the queue broken, so all open ones are foreign",
            )
        },
        Thing::Records => made("", "", "Record of sessions elsewhere broken"),
    }
}

/// Words and hints for what should not be there at all.
fn orphan(finding: &mut Finding, rig: &str) {
    let (message, hint) = match &finding.thing {
        Thing::Unlisted(name) => (format!("Rig {name} is not in mayor/rigs.json"), None),
        Thing::HalfMade(path) => (format!("Left half-made: {path}"), None),
        Thing::Shared => ("The town's folder is open to other users".into(), None),
        Thing::Secret(path) => (format!("{path} has a name or a token in a URL"), None),
        Thing::StraySession(_, name, address) => (format!("Session {name} has no place: {address}"), None),
        Thing::CloneSetting(file, key, value) => {
            (format!("{file} says {key} = {value}, and git does not work on the clone's own folder"), None)
        }
        Thing::CloneSettings(file, why) => {
            finding.fixable = false;
            let hint = "correct the line in that file; nothing of the clone works until then".to_string();
            (format!("git cannot read {file}: {why}"), Some(hint))
        }
        Thing::Want(what, help) => {
            finding.fixable = false;
            (what.clone(), Some(help.clone()))
        }
        Thing::Unlistable(path, why) => {
            finding.fixable = false;
            (
                format!("{path} cannot be looked into: {why}"),
                Some("make it a folder that you can read".into()),
            )
        }
        Thing::StaleWorktree(clone, path) => (format!("Stale worktree {path} in {clone}"), None),
        Thing::LostWorktree(clone, path) => (format!("Worktree {path} has lost its clone {clone}"), None),
        Thing::HalfWorktree(clone, path, foreign) if foreign.is_empty() => {
            (format!("Half-made worktree {path} in {clone}"), None)
        }
        Thing::HalfWorktree(clone, path, foreign) => {
            finding.fixable = false;
            let hint = format!("move away what you need from {rig}/{path}, then: gt doctor --fix {rig}");
            (format!("Half-made worktree {path} in {clone} holds {}", foreign.join(", ")), Some(hint))
        }
        Thing::StrayBranch(branch, _) => (format!("Branch {branch} at origin is of work taken back"), None),
        Thing::SecondClaim(bead, address, other) => {
            (format!("Bead {bead} is held by {address}, which works on {other}"), None)
        }
        Thing::LockFile(path, what, gone) => {
            finding.fixable = *gone;
            let hint = "end that process, or wait for it; when it is no git: rm FILE";
            (format!("Lock file of git {path}: {what}"), (!gone).then(|| hint.replace("FILE", path)))
        }
        Thing::RigFolder => {
            finding.fixable = false;
            let hint = format!("bring it back, or take it off the list with: gt rig remove {rig} --force");
            (format!("The folder of rig {rig} is gone"), Some(hint))
        }
        Thing::HeldByNobody(bead, address) => {
            (format!("Bead {bead} is held by {address}, who is no more"), None)
        }
        Thing::UnprovenRecord(rig, worker, bead, id) => {
            finding.fixable = false;
            let hint =
                format!("look at it: gt remote sync {rig}; take it in: gt remote sync {rig} --adopt {id}");
            (
                format!("Nothing proves that {worker} handed in {bead}: it waits at origin of {rig}"),
                Some(hint),
            )
        }
        Thing::SharedPrefix(prefix, rigs) => {
            finding.fixable = false;
            let hint = format!(
                "take the prefix out of beads.prefixes in the config.json of the rig whose store has no bead {prefix}-…"
            );
            (format!("The rigs {} share the prefix {prefix} of ids", rigs.join(" and ")), Some(hint))
        }
        Thing::Unproven(ids) => (
            format!("Requests of an earlier version have no proof, and are not merged: {}", ids.join(", ")),
            None,
        ),
        Thing::OwnPrompt(path, why) => {
            finding.fixable = false;
            let hint = "correct it there; see what an agent is told with: gt prime".to_string();
            (format!("Prompt {path}: {why}"), Some(hint))
        }
        Thing::StrayRecord(address) => (format!("Session elsewhere of {address}, who has no place"), None),
        Thing::Polecat(name, decision, bead, session) => {
            let (message, hint) = polecat(rig, name, *decision, bead.as_deref());
            // What its screen says is worth a look; without one the bead can only be given back.
            finding.fixable = !(*decision == Move::Stuck || (*decision == Move::Crashed && *session));
            (message, hint)
        }
        _ => return,
    };
    finding.message = message;
    finding.hint = hint;
}

fn polecat(rig: &str, name: &str, decision: Move, bead: Option<&str>) -> (String, Option<String>) {
    let has_bead = bead.is_some();
    let bead = bead.unwrap_or("its bead");
    match decision {
        Move::FreeName => (format!("Name {name} is taken by nobody"), None),
        Move::End if has_bead => (format!("Polecat {name} is done and was not ended"), None),
        Move::End => (format!("Polecat {name} has no bead, and was not ended"), None),
        Move::Unstarted => (
            format!("Polecat {name} has {bead} and no session"),
            Some(format!("start it with: gt sling {bead}")),
        ),
        Move::Crashed => (
            format!("Polecat {name} ended before {bead} was done"),
            Some(format!(
                "go on with: gt sling {bead} --resume, or take it back, with all that it has kept: \
                 gt polecat release --force {rig}/{name}"
            )),
        ),
        Move::Stuck => (
            format!("Polecat {name} makes no progress on {bead}"),
            Some(format!("look with: gt attach {rig}/{name}")),
        ),
        Move::Leave | Move::Unknown => (format!("Polecat {name}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_source_document_004() {
        let line = |thing, found| judge(thing, found, String::new(), "gastown").message;
        assert_eq!(line(Thing::Identity, Health::Good), "Workspace config valid");
        assert_eq!(line(Thing::Mail, Health::Good), "Mail directory exists");
        assert_eq!(line(Thing::Boss, Health::Good), "Boss state valid");
        assert_eq!(line(Thing::RefineryClone, Health::Missing), "Missing refinery/rig/ clone");
        assert_eq!(line(Thing::MayorClone, Health::Good), "Mayor rig clone exists");
        assert_eq!(line(Thing::Ignored, Health::Good), "Gitignore entries present");
    }

    #[test]
    fn a_deacon_that_is_silent_or_blind_is_a_fault_and_none_is_not() {
        let of = |runs, looked| deacon_fault(&DeaconSeen { runs, process: Some(7), looked });
        assert_eq!((of(false, None), of(true, Some(0)), of(true, Some(1800))), (None, None, None));
        for (looked, says) in [
            (None, "The deacon, process 7, does not answer"),
            (Some(7200), "looked 2h ago for the last time"),
        ] {
            let finding = judge(of(true, looked).unwrap(), Health::Missing, String::new(), "");
            assert!(finding.message.ends_with(says) && !finding.fixable, "{finding:?}");
            assert!(finding.hint.unwrap().contains("gt daemon stop"));
        }
    }

    #[test]
    fn what_is_broken_is_never_overwritten() {
        for thing in
            [of_town(FolderLayout::Present), of_rig(FolderLayout::Present), of_town(FolderLayout::Workspace)]
                .concat()
        {
            let finding = judge(thing.clone(), Health::Broken("line 1".into(), None), String::new(), "x");
            assert!(!finding.fixable && finding.hint.is_some(), "{thing:?}");
        }
    }
}
