//! A file on a branch of its own, kept with plumbing alone: nothing is checked out, and no index is touched.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::pushing::{Landing, read_landing};
use super::worktree::fetch_words;
use super::{Git, last_words};
use crate::base::failure::Failure;
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
#[derive(Clone, Debug, Default)]
pub struct BranchAndBase {
    /// The commit that the branch stands at; empty when there is no such branch.
    pub tip: String,
    /// The file there; empty when there is none.
    pub theirs: Blob,
    /// The file at the base; `None` when that commit is not here (any more).
    pub base: Option<Blob>,
}

/// The text of a file in git, on the disk and not in memory: a part of a file that has no name.
#[derive(Clone, Debug, Default)]
pub struct Blob {
    /// Nothing for an empty text.
    file: Option<Arc<File>>,
    start: u64,
    length: u64,
}

impl Blob {
    /// All of a file.
    ///
    /// # Errors
    /// When its length cannot be told.
    pub fn whole(file: Arc<File>) -> Result<Blob> {
        let length = file.metadata()?.len();
        Ok(Blob { file: Some(file), start: 0, length })
    }

    fn from(&self, start: u64) -> Blob {
        Blob { start, length: self.length - start, ..self.clone() }
    }

    /// Reads it from its begin.
    pub fn reader(&self) -> impl BufRead {
        BufReader::new(TextPart { blob: self.clone(), at: 0 })
    }

    /// So many bytes of it from there.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn bytes_at(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut bytes, self.start + start)?;
        }
        Ok(bytes)
    }
}

/// The id and the text of an object; `None` for one that is not here.
type ReadBlob = Option<(String, Blob)>;

/// A text that is being read.
struct TextPart {
    blob: Blob,
    at: u64,
}

impl Read for TextPart {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(file) = &self.blob.file else { return Ok(0) };
        let left = usize::try_from(self.blob.length - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(&mut buffer[..left], self.blob.start + self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A file that is larger is passed on by git piece by piece, and compared with no other.
const STREAMED: &str = "core.bigFileThreshold=1m";

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
    pub fn sync_lock(&self) -> Result<crate::base::files::Lock> {
        crate::base::files::lock(&self.git_dir()?.join("gt-sync.lock"))
    }

    /// Brings the branch, and gives the file on it and at `base`. With `look` no ref is left behind. Two processes;
    /// one more with `look`.
    ///
    /// # Errors
    /// When the remote cannot be read.
    pub fn sync_fetch(&self, lane: &Lane, base: &str, look: bool) -> Result<BranchAndBase> {
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
        let mut blobs = self.objects(&asked)?.into_iter();
        let mut found = BranchAndBase::default();
        if there {
            found.tip = blobs.next().flatten().map(|(id, _)| id).unwrap_or_default();
            found.theirs = blobs.next().flatten().map(|(_, blob)| blob).unwrap_or_default();
        }
        found.base = blobs.next().flatten().map(|(_, blob)| blob);
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
    fn objects(&self, names: &[String]) -> Result<Vec<ReadBlob>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let asked: String = names.iter().map(|name| format!("{name}\n")).collect();
        let file = Arc::new(self.nameless_file()?);
        let words = ["-c", STREAMED, "cat-file", "--batch"];
        let output = self.process(words).stdin(asked).into_file(file.clone()).run()?;
        match read_objects(&Blob::whole(file)?, names.len())? {
            Some(objects) if output.ok() => Ok(objects),
            _ => Err(self.failed("read the beads of the branch", &output).into()),
        }
    }

    /// A file for a while, on the disk of the clone: it goes with whoever has it open.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn nameless_file(&self) -> Result<File> {
        let dir = self.git_dir()?;
        tempfile::tempfile_in(&dir).with_context(|| format!("cannot make a file in {}", dir.display()))
    }

    /// Makes a commit on top of `tip` (a first one when that is empty) that differs from it in the file alone, of which
    /// `fill` writes the text. Keeps it under the private ref, and gives its id. Two processes; four for a signed commit.
    ///
    /// # Errors
    /// When git cannot write it; those of `fill`.
    pub fn sync_commit(
        &self,
        lane: &Lane,
        tip: &str,
        fill: impl FnOnce(&mut dyn Write) -> Result<()>,
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
        stream += &format!("M 100644 inline {FILE}\ndata ");
        // Its length is known when all of it is written.
        let file = Arc::new(self.nameless_file()?);
        let mut out = BufWriter::new(file.as_ref());
        let length_at = stream.len() as u64;
        writeln!(out, "{stream}{:020}", 0)?;
        fill(&mut out)?;
        let end = out.stream_position()?;
        write!(out, "\nget-mark :1\ndone\n")?;
        out.flush()?;
        file.write_all_at(format!("{:020}", end - length_at - 21).as_bytes(), length_at)?;
        let big = format!("--big-file-threshold={}", 1 << 20);
        let process =
            self.process(["fast-import", "--quiet", "--force", "--done", &big]).holding(file.clone());
        let (output, ()) = self.unlocked(|| {
            file.as_ref().seek(SeekFrom::Start(0))?;
            Ok((Git::finish(&process)?, ()))
        })?;
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
        let words = ["-c", STREAMED].into_iter().chain(words);
        let output = self.try_run(words.chain([lane.remote.as_str(), &refspec]))?;
        read_landing(&output, &lane.branch).ok_or_else(|| unreachable(lane, &output).into())
    }
}

fn unreachable(lane: &Lane, output: &Output) -> Failure {
    Failure::new(format!("cannot push {} to {}: {}", lane.branch, lane.remote, last_words(output))).hint(
        "nothing is lost: the beads are in this town's store; run the same command when it can be reached",
    )
}

/// Reads what `git cat-file --batch` wrote: `ID TYPE SIZE`, the object, a line break; or `NAME missing`. `None` for what is
/// cut short.
fn read_objects(all: &Blob, count: usize) -> Result<Option<Vec<ReadBlob>>> {
    let mut at = 0;
    let mut objects = Vec::new();
    for _ in 0..count {
        let mut line = Vec::new();
        all.from(at).reader().read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        at += line.len() as u64 + 1;
        let line = String::from_utf8_lossy(&line);
        let Some(length) = line.rsplit(' ').next().and_then(|size| size.parse::<u64>().ok()) else {
            objects.push(None);
            continue;
        };
        let id = line.split(' ').next().unwrap_or_default().to_string();
        let blob = Blob { length, ..all.from(at) };
        at = at.saturating_add(length).saturating_add(1);
        if at > all.length {
            return Ok(None);
        }
        objects.push(Some((id, blob)));
    }
    Ok(Some(objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_whatever_they_hold() {
        let read = |text: &[u8], count| {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(text, 0).unwrap();
            let objects = read_objects(&Blob::whole(Arc::new(file)).unwrap(), count).unwrap()?;
            let text = |blob: &Blob| std::io::read_to_string(blob.reader()).ok();
            Some(objects.into_iter().map(|one| one.map(|(id, blob)| (id, text(&blob)))).collect::<Vec<_>>())
        };
        let text = b"abc commit 5\nx\ny\nz\nrefs/x:y missing\ndef blob 0\n\n";
        let some = |id: &str, text: &str| Some((id.to_string(), Some(text.to_string())));
        assert_eq!(read(text, 3).unwrap(), [some("abc", "x\ny\nz"), None, some("def", "")]);
        assert_eq!(read(b"abc blob 9\nshort\n", 1), None);
        assert_eq!(read(b"", 1), None);
        assert_eq!(read(b"abc blob 1\n\xff\n", 1).unwrap(), [Some(("abc".into(), None))]);
        let blob = Blob::default();
        assert_eq!(
            (
                std::io::read_to_string(blob.reader()).unwrap(),
                String::from_utf8(blob.bytes_at(0, 0).unwrap()).unwrap()
            ),
            Default::default()
        );
    }
}
