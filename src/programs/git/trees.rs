//! What is in the trees of commits.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Git;
use crate::base::files;

/// Has git compare submodules too: `ignore = all` in a repository's `.gitmodules` hides what a commit changes of them.
pub const ALL_SUBMODULES: &str = "--ignore-submodules=none";

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// `100644`, `120000` (a symbolic link), `160000` (a commit of another repository), `040000` (a folder) …
    pub mode: String,
    /// The id of its content.
    pub id: String,
    /// Its path from the top.
    pub path: String,
}

impl Git {
    /// Every entry of a commit's tree, folders included. One process.
    ///
    /// # Errors
    /// When git cannot read the tree.
    pub fn tree(&self, commit: &str) -> Result<Vec<TreeEntry>> {
        let words = ["ls-tree", "-r", "-t", "-z", "--full-tree", commit];
        Ok(read_tree(&self.run("list the files of a commit", words)?))
    }

    /// The text of blobs, by id; one that is not here has none. One process, or none.
    ///
    /// # Errors
    /// When git fails.
    pub fn texts(&self, ids: &[&str]) -> Result<BTreeMap<String, String>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let output = self.process(["cat-file", "--batch"]).stdin(ids.join("\n") + "\n").run()?;
        if !output.ok() {
            return Err(self.failed("read files", &output).into());
        }
        Ok(read_batch(&output.stdout))
    }

    /// The paths that differ between two commits or trees, once each. One process.
    ///
    /// # Errors
    /// When git cannot compare them.
    pub fn differing(&self, before: &str, after: &str) -> Result<Vec<String>> {
        let words = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", ALL_SUBMODULES];
        let words = words.into_iter().chain([before, after, "--"]);
        let text = self.run("compare two commits", words)?;
        Ok(text.split('\0').filter(|path| !path.is_empty()).map(String::from).collect())
    }

    /// What `tip` changes since it left `base`, as `git diff --stat` shows it; `None` when one of them is not here.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn diffstat(&self, base: &str, tip: &str) -> Result<Option<String>> {
        let range = format!("{base}...{tip}");
        let words = ["diff", "--stat=76", "--no-color", "--no-ext-diff", "--no-renames"];
        let words = words.into_iter().chain([ALL_SUBMODULES, &range, "--"]);
        let output = self.try_run(words)?;
        Ok(output.ok().then(|| output.text()))
    }

    /// The commit that `HEAD` or a full name of a ref stands at, read from the files of the clone; git is asked where
    /// those do not tell.
    ///
    /// # Errors
    /// When there is no clone, or git cannot be started.
    pub fn stands_at(&self, name: &str) -> Result<Option<String>> {
        let own = self.git_dir()?;
        let common = self.common_dir()?;
        let mut name = name.to_string();
        for _ in 0..2 {
            let dir = if name == "HEAD" { &own } else { &common };
            let text = files::text(&dir.join(&name)).ok().flatten().unwrap_or_default();
            match text.trim().strip_prefix("ref: ") {
                Some(next) => name = next.to_string(),
                None if crate::base::grammar::is_object_id(text.trim()) => {
                    return Ok(Some(text.trim().into()));
                }
                None => break,
            }
        }
        let packed = files::text(&common.join("packed-refs")).ok().flatten().unwrap_or_default();
        let mut refs = packed.lines().filter_map(|line| line.split_once(' '));
        match refs.find(|(_, own)| *own == name) {
            Some((commit, _)) => Ok(Some(commit.into())),
            None => self.commit_of(&name),
        }
    }
}

fn read_tree(text: &str) -> Vec<TreeEntry> {
    let entry = |line: &str| {
        let (about, path) = line.split_once('\t')?;
        let mut words = about.split(' ');
        let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
        Some(TreeEntry { mode: mode.into(), id: id.into(), path: path.into() })
    };
    text.split('\0').filter_map(entry).collect()
}

/// Reads `git cat-file --batch`: `ID TYPE SIZE`, a line break, the content, a line break; `ID missing`.
fn read_batch(mut rest: &[u8]) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let words: Vec<&str> = head.split(' ').collect();
        let [id, _, size] = words[..] else { continue };
        let Some(content) = size.parse::<usize>().ok().and_then(|size| rest.get(..size)) else { break };
        texts.insert(id.to_string(), String::from_utf8_lossy(content).into_owned());
        rest = rest.get(content.len() + 1..).unwrap_or_default();
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_blobs_read_whatever_their_names_and_contents_are() {
        let tree = read_tree("100644 blob aa\ta b\n\tc\x00120000 blob bb\t.claude\x00040000 tree cc\td\0");
        let read: Vec<(&str, &str, &str)> =
            tree.iter().map(|one| (one.mode.as_str(), one.id.as_str(), one.path.as_str())).collect();
        assert_eq!(read, [("100644", "aa", "a b\n\tc"), ("120000", "bb", ".claude"), ("040000", "cc", "d")]);
        let texts = read_batch(b"aa blob 5\nx\ny\nz\nbb missing\ncc blob 0\n\ndd blob 9\nshort");
        assert_eq!(texts, [("aa", "x\ny\nz"), ("cc", "")].map(|(id, text)| (id.into(), text.into())).into());
    }
}
