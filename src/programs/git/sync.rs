//! A file on a branch of its own, kept with plumbing alone: nothing is checked out, and no index is touched.

use anyhow::Result;

use super::pushing::{Landing, read_landing};
use super::worktree::fetch_words;
use super::{Git, last_words};
use crate::failure::Failure;
use crate::programs::Output;

/// Where beads stand on their branch: where bd has them too.
pub const FILE: &str = ".beads/issues.jsonl";

/// The branch of a remote that beads travel on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The remote: its name, or a URL.
    pub remote: String,
    /// The branch's name.
    pub branch: String,
}

/// What was found on the branch and at the base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The commit that the branch stands at; empty when there is no such branch.
    pub tip: String,
    /// The file there; empty when there is none.
    pub theirs: String,
    /// The file at the base; `None` when that commit is not here (any more).
    pub base: Option<String>,
}

impl Lane {
    /// The private ref that keeps what was seen of the branch.
    pub fn seen(&self) -> String {
        format!("refs/gt/sync/{}", self.branch)
    }

    fn looked_at(&self) -> String {
        format!("refs/gt/sync-look/{}", self.branch)
    }
}

impl Git {
    /// The lock that makes syncs of one clone wait for each other.
    ///
    /// # Errors
    /// When there is no clone.
    pub fn sync_lock(&self) -> Result<crate::town::files::Lock> {
        crate::town::files::lock(&self.git_dir()?.join("gt-sync.lock"))
    }

    /// Brings the branch, and gives the file on it and at `base`. With `look` no ref is left behind. Two processes;
    /// one more with `look`.
    ///
    /// # Errors
    /// When the remote cannot be read.
    pub fn sync_fetch(&self, lane: &Lane, base: &str, look: bool) -> Result<Found> {
        let seen = if look { lane.looked_at() } else { lane.seen() };
        let refspec = format!("+refs/heads/{}:{seen}", lane.branch);
        let mut words = fetch_words(&lane.remote, &[&refspec]);
        // Only this ref: a person's remote-tracking branches move when that person fetches.
        words.insert(1, "--refmap=");
        let output = self.locked(words)?;
        let there = output.ok();
        if !there && !self.lacks(&lane.remote, &lane.branch)? {
            let hint = "nothing is lost: the beads are in this town's store; run the same command when it can be reached";
            let failure = self.failed(&format!("fetch {} from {}", lane.branch, lane.remote), &output);
            return Err(if failure.hint.is_some() { failure } else { failure.hint(hint) }.into());
        }
        let mut asked = Vec::new();
        if there {
            asked.extend([format!("{seen}^{{commit}}"), format!("{seen}:{FILE}")]);
        }
        if !base.is_empty() {
            asked.push(format!("{base}:{FILE}"));
        }
        let mut texts = self.objects(&asked)?.into_iter();
        let mut found = Found::default();
        if there {
            found.tip = texts.next().flatten().map(|(id, _)| id).unwrap_or_default();
            found.theirs = texts.next().flatten().map(|(_, text)| text).unwrap_or_default();
        }
        found.base = texts.next().flatten().map(|(_, text)| text);
        if look && there {
            self.delete_ref(&seen, &found.tip)?;
        }
        Ok(found)
    }

    /// Whether a remote can be read and has no such branch.
    fn lacks(&self, remote: &str, branch: &str) -> Result<bool> {
        let name = format!("refs/heads/{branch}");
        Ok(self.try_run(["ls-remote", "-q", "--exit-code", remote, &name])?.code == Some(2))
    }

    /// The id and the text of each of these objects; `None` for one that is not here. No process for none.
    fn objects(&self, names: &[String]) -> Result<Vec<Option<(String, String)>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let asked: String = names.iter().map(|name| format!("{name}\n")).collect();
        let output = self.process(["cat-file", "--batch"]).stdin(asked).run()?;
        match read_objects(&output.stdout, names.len()) {
            Some(objects) if output.ok() => Ok(objects),
            _ => Err(self.failed("read the beads of the branch", &output).into()),
        }
    }

    /// Makes a commit on top of `tip` (a first one when that is empty) that differs from it in the file alone, keeps it
    /// under the private ref, and gives its id. Two processes; four for a signed commit.
    ///
    /// # Errors
    /// When git cannot write it.
    pub fn sync_commit(
        &self,
        lane: &Lane,
        tip: &str,
        text: &str,
        message: &str,
        signer: &str,
    ) -> Result<String> {
        let signer = self.signer(signer, None)?;
        let mut stream = format!(
            "commit {}\nmark :1\ncommitter {}\ndata {}\n{message}\n",
            lane.seen(),
            signer.ident,
            message.len()
        );
        if tip.is_empty() {
            // What the ref stands at from earlier is not this commit's past.
            stream = format!("reset {}\n\n{stream}", lane.seen());
        } else {
            stream += &format!("from {tip}\n");
        }
        stream += &format!("M 100644 inline {FILE}\ndata {}\n{text}\nget-mark :1\ndone\n", text.len());
        let words = ["fast-import", "--quiet", "--force", "--done"];
        let output = self.run_unlocked(&self.process(words).stdin(stream))?;
        if !output.ok() {
            return Err(self.failed("commit the beads", &output).into());
        }
        let unsigned = output.text();
        if !signer.signs {
            return Ok(unsigned);
        }
        let parents: Vec<&str> = Some(tip).filter(|tip| !tip.is_empty()).into_iter().collect();
        let tree = format!("{unsigned}^{{tree}}");
        let commit = self.commit_tree(&tree, &parents, message, &signer, None)?;
        self.update_ref(&lane.seen(), &commit, Some(&unsigned))?;
        Ok(commit)
    }

    /// Moves the branch to the commit, never by force. One process.
    ///
    /// # Errors
    /// When the remote could not be reached: whether it took the push is not known then.
    pub fn sync_push(&self, lane: &Lane, commit: &str) -> Result<Landing> {
        let refspec = format!("{commit}:refs/heads/{}", lane.branch);
        // A person's own checks before a push are about code.
        let words = ["push", "--porcelain", "--no-verify", "--no-recurse-submodules", "--no-follow-tags"];
        let output = self.try_run(words.into_iter().chain([lane.remote.as_str(), &refspec]))?;
        read_landing(&output, &lane.branch).ok_or_else(|| unreachable(lane, &output).into())
    }
}

fn unreachable(lane: &Lane, output: &Output) -> Failure {
    Failure::new(format!("cannot push {} to {}: {}", lane.branch, lane.remote, last_words(output))).hint(
        "nothing is lost: the beads are in this town's store; run the same command when it can be reached",
    )
}

/// Reads `git cat-file --batch`: `ID TYPE SIZE`, the object, a line break; or `NAME missing`. `None` for what is cut
/// short or no text.
fn read_objects(bytes: &[u8], count: usize) -> Option<Vec<Option<(String, String)>>> {
    let mut rest = bytes;
    let mut objects = Vec::new();
    for _ in 0..count {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let mut words = line.rsplit(' ');
        let Some(size) = words.next().and_then(|size| size.parse::<usize>().ok()) else {
            objects.push(None);
            continue;
        };
        let id = line.split(' ').next().unwrap_or_default().to_string();
        objects.push(Some((id, String::from_utf8(rest.get(..size)?.to_vec()).ok()?)));
        rest = rest.get(size + 1..)?;
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_whatever_they_hold() {
        let text = b"abc commit 5\nx\ny\nz\nrefs/x:y missing\ndef blob 0\n\n";
        let read = read_objects(text, 3).unwrap();
        assert_eq!(read, [Some(("abc".into(), "x\ny\nz".into())), None, Some(("def".into(), String::new()))]);
        assert_eq!(read_objects(b"abc blob 9\nshort\n", 1), None);
        assert_eq!(read_objects(b"", 1), None);
        assert_eq!(read_objects(b"abc blob 1\n\xff\n", 1), None);
    }
}
