//! gt run by a polecat on another machine (`GT_REMOTE` is set): there its town may be missing, and its store may lack the
//! bead. Its bead is the file that came with it, and its work is handed in by the script that came with it; no store is
//! written.

use std::path::PathBuf;

use anyhow::Result;

use crate::base::failure::{Exit, Failure};
use crate::base::files;
use crate::base::fill;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::ids::{BeadId, InstanceId};
use crate::model::words;
use crate::programs::Process;
use crate::programs::git::Git;
use crate::programs::process::Limit;
use crate::work::agent::hook::{Hook, Note, Prime};
use crate::work::merge::done::DoneReport;

/// What such a polecat is told of its role.
const ROLE: &str = include_str!("../../../templates/polecat-elsewhere.md");

/// Beside the bead's file: the note that a session left to the next one.
const NOTE: &str = "gt-handoff.md";

/// A polecat away from its town, as its environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePolecat {
    /// Who it is.
    pub address: Address,
    /// The machine's name.
    pub remote: String,
    /// Its instance.
    pub instance: InstanceId,
    bead: BeadId,
    branch: String,
    title: String,
    file: PathBuf,
    script: PathBuf,
}

impl RemotePolecat {
    /// Reads the environment; nothing for who is at home, or no polecat.
    pub fn of<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Option<RemotePolecat> {
        let remote = var("GT_REMOTE")?;
        let address = Address::parse(var("GT_ADDRESS")?).ok()?;
        if !matches!(address, Address::Polecat(..)) {
            return None;
        }
        let text = |name: &str| var(name).unwrap_or_default().to_string();
        Some(RemotePolecat {
            address,
            remote: remote.into(),
            instance: text("GT_INSTANCE").parse().ok()?,
            bead: text("GT_BEAD").parse().ok()?,
            branch: text("GT_BRANCH"),
            title: text("GT_BEAD_TITLE"),
            file: text("GT_BEAD_FILE").into(),
            script: text("GT_DONE").into(),
        })
    }

    /// The bead, as it came along.
    ///
    /// # Errors
    /// When its file is gone.
    pub fn bead(&self) -> Result<Bead> {
        let text = files::read(&self.file)?;
        // The file begins with a heading, a line of facts and an empty line.
        let (head, description) = text.split_once("\n\n").unwrap_or(("", &text));
        let facts = head.lines().nth(1).unwrap_or_default();
        let mut facts = facts.split(" · ");
        let kind = facts.next().unwrap_or_default().to_string();
        let priority = facts.next().and_then(|word| word.strip_prefix('P')?.parse().ok());
        Ok(Bead {
            id: self.bead.to_string(),
            title: self.title.clone(),
            description: description.trim_end().into(),
            status: words::IN_PROGRESS.into(),
            priority: priority.unwrap_or(2),
            issue_type: kind,
            assignee: Some(self.address.to_string()),
            ..Bead::default()
        })
    }

    /// Its hook.
    ///
    /// # Errors
    /// As [`RemotePolecat::bead`].
    pub fn hook(&self) -> Result<Hook> {
        Ok(Hook { address: self.address.to_string(), beads: vec![self.bead()?] })
    }

    /// All that it needs to begin.
    ///
    /// # Errors
    /// As [`RemotePolecat::bead`].
    pub fn prime(&self) -> Result<Prime> {
        let bead = self.bead()?;
        let values = [
            ("address", &*self.address.to_string()),
            ("agent", self.address.name()),
            ("rig", self.address.rig().unwrap_or_default()),
            ("remote", &self.remote),
            ("bead", &self.bead),
            ("branch", &self.branch),
        ];
        let note = self.note().filter(|path| path.exists()).map(|path| files::read(&path)).transpose()?;
        let handoff = note.map(|text| {
            let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
            Note { id: String::new(), subject: subject.into(), text: text.trim().into() }
        });
        let mut next = vec![format!("do {}, in this worktree, and commit it", bead.id)];
        if handoff.is_some() {
            next.insert(0, "go on where the note from your last session says".into());
        }
        next.push("hand it in: gt done".into());
        Ok(Prime {
            address: self.address.to_string(),
            role: fill::known(ROLE, &values),
            bead: Some(bead),
            unread: 0,
            mail: Vec::new(),
            handoff,
            next,
            bead_command: "cat \"$GT_BEAD_FILE\"".into(),
        })
    }

    /// Where a note to the next session stands; nowhere without a bead's file.
    fn note(&self) -> Option<PathBuf> {
        Some(self.file.parent()?.join(NOTE)).filter(|_| self.file.is_absolute())
    }

    /// Leaves a note to the next session, which `gt prime` shows it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave_note(&self, subject: &str, text: &str) -> Result<()> {
        match self.note() {
            Some(path) => files::write(&path, format!("{subject}\n{text}\n")),
            None => Err(self.lost("GT_BEAD_FILE").into()),
        }
    }

    fn lost(&self, variable: &str) -> Failure {
        Failure::new(format!("{} is on {}, and {variable} is not set", self.address, self.remote))
            .hint("nothing is lost: your commits stay in this worktree; push them: git push origin HEAD")
    }

    /// What handing in would do, as far as the worktree tells.
    ///
    /// # Errors
    /// When it is no worktree, or not clean.
    pub fn plan(&self, dir: &std::path::Path, no_changes: bool) -> Result<DoneReport> {
        let status = Git::at(dir).status()?;
        if !status.dirty.is_empty() {
            return Err(crate::work::merge::done::dirty(dir, &status).into());
        }
        Ok(DoneReport {
            bead: self.bead.clone(),
            title: self.title.clone(),
            worker: self.address.to_string(),
            branch: status.branch.unwrap_or_default(),
            commit: status.commit,
            state: if no_changes { "closed" } else { "submitted" },
            ..DoneReport::default()
        })
    }

    /// Hands the work in: the branch and a letter go to origin, and the town takes them in from there.
    ///
    /// # Errors
    /// What the script refused, in its words.
    pub fn hand_in(&self, dir: &std::path::Path, no_changes: Option<&str>) -> Result<DoneReport> {
        let done = self.plan(dir, no_changes.is_some())?;
        if !self.script.is_file() {
            return Err(self.lost("GT_DONE").into());
        }
        let limit = Limit::Network("origin, to push the branch".into());
        let mut process = Process::new("sh").arg(&self.script).cwd(dir).limit(limit);
        if let Some(reason) = no_changes {
            process = process.args(["--no-changes", reason]);
        }
        let output = process.run()?;
        if output.ok() {
            return Ok(done);
        }
        let said = output.error_text();
        let said = said.strip_prefix("gt: ").unwrap_or(&said).replace("\ngt: ", "\n");
        Err(Failure { exit: Exit::Failed, ..Failure::new(said) }
            .hint("nothing is lost: your commits stay in this worktree; mend it, then run gt done again")
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bead_is_read_from_the_file_that_came_along() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gt-bead.md");
        let bead = Bead {
            id: "wy-1".into(),
            title: "Fix it".into(),
            issue_type: "bug".into(),
            priority: 1,
            description: "first\n\nsecond".into(),
            ..Bead::default()
        };
        std::fs::write(&file, crate::work::remote::line::bead_text(&bead)).unwrap();
        let env = [
            ("GT_REMOTE", "gaming-pc"),
            ("GT_ADDRESS", "wyvern/Nux"),
            ("GT_BEAD", "wy-1"),
            ("GT_BRANCH", "polecat/gt-1a2b/Nux-wy-1"),
            ("GT_BEAD_TITLE", "Fix it"),
            ("GT_BEAD_FILE", file.to_str().unwrap()),
        ];
        let var = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let away = RemotePolecat::of(var).unwrap();
        let read = away.bead().unwrap();
        assert_eq!((read.title.as_str(), read.priority, read.issue_type.as_str()), ("Fix it", 1, "bug"));
        assert_eq!(read.description, "first\n\nsecond");
        away.leave_note("handoff: go on", "the parser").unwrap();
        let prime = away.prime().unwrap();
        assert!(!prime.role.contains("{{"), "{}", prime.role);
        assert!(prime.role.contains("`polecat/gt-1a2b/Nux-wy-1`"), "{}", prime.role);
        assert_eq!(prime.handoff.unwrap().text, "the parser");
        assert!(RemotePolecat::of(|name| (name != "GT_REMOTE").then(|| var(name))?).is_none());
    }
}
