//! The one push that lands a batch: the target and the branches that go with it, together or not at all.

use anyhow::Result;

use super::answers::server_words;
use super::{Git, hooks, last_words};
use crate::programs::Output;

/// What came of the push that lands a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// The target stands at the new commit and the branches are gone.
    Done,
    /// The target or a branch moved meanwhile: fetch and begin again.
    Moved,
    /// The server looked at it and said no; its words. Nothing was changed.
    Refused(String),
    /// The server would take the target, but not these deletions of branches. Nothing was changed.
    KeepsBranches(Vec<String>),
}

/// A branch of origin that goes with the push, if it still stands at the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its name, without `refs/heads/`.
    pub branch: String,
    /// Where it was seen.
    pub commit: String,
}

impl Git {
    /// Moves the target to `commit` and deletes the branches, together or not at all, and never by force: both only
    /// if they stand where they were seen.
    ///
    /// # Errors
    /// When the remote could not be reached: whether it took the push is not known then.
    pub fn push_landing(&self, target: &str, commit: &str, deletions: &[Deletion]) -> Result<Landing> {
        match self.land(target, landing_words(target, commit, deletions, true))? {
            Ok(landing) => Ok(landing),
            // Without a word about any ref: the server may be one without atomic pushes.
            Err(_) => self.push_in_turn(target, commit, deletions),
        }
    }

    /// Pushes. Gives git's output when the remote said nothing about any ref.
    fn land(&self, target: &str, words: Vec<String>) -> Result<Result<Landing, Output>> {
        let (output, hook) = hooks::run(&self.process(words))?;
        Ok(match (read_landing(&output, target), hook) {
            (Some(landing), _) => Ok(landing),
            (None, Some(hook)) => Ok(Landing::Refused(hooks::words(&output, &hook))),
            (None, None) => Err(output),
        })
    }

    /// For servers without atomic pushes: first the target, then what it makes superfluous.
    fn push_in_turn(&self, target: &str, commit: &str, deletions: &[Deletion]) -> Result<Landing> {
        match self.land(target, landing_words(target, commit, &[], false))? {
            Ok(Landing::Done) => self.delete_branches(deletions).map(|_| Landing::Done),
            Ok(landing) => Ok(landing),
            Err(output) => {
                let mut failure = self.failure(format!("cannot push to {target}: {}", last_words(&output)));
                let again = "nothing is lost: run the same command again when the remote can be reached";
                failure.hint.get_or_insert_with(|| again.into());
                Err(failure.into())
            }
        }
    }

    /// Deletes branches of origin that still stand where they were seen. `false`: one of them was not deleted.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn delete_branches(&self, deletions: &[Deletion]) -> Result<bool> {
        if deletions.is_empty() {
            return Ok(true);
        }
        let mut words = push_words(false);
        words.extend(deletions.iter().map(lease));
        words.push("origin".into());
        words.extend(deletions.iter().map(|deletion| format!(":refs/heads/{}", deletion.branch)));
        Ok(self.try_run(words)?.ok())
    }

    /// Sends a commit to origin under a ref of gt's own; to a server that takes branches only, under that branch. Gives the
    /// one that was taken.
    ///
    /// # Errors
    /// When origin takes neither or cannot be reached.
    pub fn push_aside(&self, commit: &str, name: &str, branch: &str) -> Result<String> {
        let mut last = None;
        for name in [name, branch] {
            let mut words = push_words(false);
            words.extend(["origin".into(), format!("+{commit}:{name}")]);
            let output = self.try_run(words)?;
            if output.ok() {
                return Ok(name.into());
            }
            last.get_or_insert(output);
        }
        let said = last.as_ref().map(last_words).unwrap_or_default();
        crate::fail!("origin does not take {name}: {said}"; "see whether git can write there: git push --dry-run origin")
    }

    /// The refs of origin that fit one of these patterns.
    ///
    /// # Errors
    /// When origin cannot be reached.
    pub fn refs_of_origin(&self, patterns: &[&str]) -> Result<Vec<String>> {
        Ok(self.refs_at_origin(patterns)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The same with the commits that they stand at.
    ///
    /// # Errors
    /// As [`Git::refs_of_origin`].
    pub fn refs_at_origin(&self, patterns: &[&str]) -> Result<Vec<(String, String)>> {
        let mut words = vec!["ls-remote", "--refs", "origin"];
        words.extend(patterns);
        let listed = self.run("list refs of origin", words)?;
        let pair = |line: &str| line.split_once('\t').map(|(commit, name)| (name.into(), commit.into()));
        Ok(listed.lines().filter_map(pair).collect())
    }

    /// Whether a fetch of a branch would work: origin answers and has it. Nothing is fetched. Gives whether origin has one of
    /// these other refs.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_branch(&self, branch: &str, others: &[&str]) -> Result<bool> {
        let wanted = format!("refs/heads/{branch}");
        let there = self.refs_of_origin(&[&[wanted.as_str()], others].concat())?;
        if !there.contains(&wanted) {
            crate::fail!("cannot fetch {branch}: origin has no such branch"; "choose the target: gt config explain merge.target");
        }
        Ok(there.iter().any(|name| others.contains(&name.as_str())))
    }

    /// Deletes refs of origin, wherever they stand. `false`: one of them was not deleted.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn delete_of_origin(&self, names: &[String]) -> Result<bool> {
        if names.is_empty() {
            return Ok(true);
        }
        let mut words = push_words(false);
        words.push("origin".into());
        words.extend(names.iter().map(|name| format!(":{name}")));
        Ok(self.try_run(words)?.ok())
    }
}

fn push_words(atomic: bool) -> Vec<String> {
    let mut words = vec!["push", "--porcelain", "--no-recurse-submodules", "--no-follow-tags"];
    words.extend(atomic.then_some("--atomic"));
    words.into_iter().map(String::from).collect()
}

fn lease(deletion: &Deletion) -> String {
    format!("--force-with-lease=refs/heads/{}:{}", deletion.branch, deletion.commit)
}

fn landing_words(target: &str, commit: &str, deletions: &[Deletion], atomic: bool) -> Vec<String> {
    let mut words = push_words(atomic);
    words.extend(deletions.iter().map(lease));
    words.extend(["origin".to_string(), format!("{commit}:refs/heads/{target}")]);
    words.extend(deletions.iter().map(|deletion| format!(":refs/heads/{}", deletion.branch)));
    words
}

/// Reads `git push --porcelain` of a target and deletions; `None` when the remote gave no answer about any ref.
pub(super) fn read_landing(output: &Output, target: &str) -> Option<Landing> {
    if output.ok() {
        return Some(Landing::Done);
    }
    let listed = output.text();
    let mut kept = Vec::new();
    let mut any = false;
    let mut refused = None;
    for line in listed.lines() {
        let mut fields = line.split('\t');
        let (Some("!"), Some(pair), Some(summary)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        any = true;
        let name = pair.rsplit_once(':').map_or(pair, |(_, name)| name).trim_start_matches("refs/heads/");
        let reason = summary.split_once('(').map_or(summary, |(_, reason)| reason.trim_end_matches(')'));
        if reason.starts_with("atomic push fail") {
            // Not this one's fault; another line says whose.
            continue;
        }
        let moved =
            ["fetch first", "non-fast-forward", "stale info", "needs force", "atomic transaction failed"];
        let lost = ["failed to update ref", "cannot lock ref", "failed to lock", "incorrect old value"];
        if moved.contains(&reason) || lost.iter().any(|words| reason.contains(words)) {
            return Some(Landing::Moved);
        }
        if name == target {
            refused = Some(reason.to_string());
        } else {
            kept.push(name.to_string());
        }
    }
    let said = server_words(&output.error_text());
    match refused {
        Some(reason) if said.is_empty() => Some(Landing::Refused(reason)),
        Some(reason) => Some(Landing::Refused(format!("{reason}: {said}"))),
        None if !kept.is_empty() => Some(Landing::KeepsBranches(kept)),
        None if any => Some(Landing::Refused(if said.is_empty() { last_words(output) } else { said })),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_a_landing_can_go() {
        let to = "To /x/o.git\n";
        let read = |listed: &str, said: &str| {
            read_landing(&Output::of(1, &format!("{to}{listed}Done"), said), "main")
        };
        assert_eq!(read_landing(&Output::of(0, to, ""), "main"), Some(Landing::Done));
        for (listed, said, wanted) in [
            (
                "!\tabc:refs/heads/main\t[rejected] (fetch first)\n!\t(delete):refs/heads/polecat/A\t[rejected] (atomic push failed)\n",
                "",
                Landing::Moved,
            ),
            (
                "!\tabc:refs/heads/main\t[rejected] (atomic push failed)\n!\t(delete):refs/heads/polecat/A\t[rejected] (stale info)\n",
                "",
                Landing::Moved,
            ),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (atomic transaction failed)\n!\t:refs/heads/polecat/A\t[remote rejected] (atomic transaction failed)\n",
                "remote: error: cannot lock ref 'refs/heads/main': is at a but expected b",
                Landing::Moved,
            ),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)\n!\t:refs/heads/polecat/A\t[remote rejected] (pre-receive hook declined)\n",
                "remote: two reviews first   \nerror: failed to push",
                Landing::Refused("pre-receive hook declined: two reviews first".into()),
            ),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (atomic push failure)\n!\t:refs/heads/polecat/A\t[remote rejected] (deletion prohibited)\n",
                "remote: error: denying ref deletion for refs/heads/polecat/A",
                Landing::KeepsBranches(vec!["polecat/A".into()]),
            ),
        ] {
            assert_eq!(read(listed, said), Some(wanted), "{listed}");
        }
        assert_eq!(
            read_landing(&Output::of(128, "", "fatal: Could not read from remote repository."), "main"),
            None
        );
    }
}
