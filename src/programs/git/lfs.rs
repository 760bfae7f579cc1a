//! git-lfs: large files that a repository holds only pointers to.

use std::path::Path;

use anyhow::Result;

use super::Git;

/// What helps where it is missing.
pub const INSTALL: &str = "install git-lfs (https://git-lfs.com), then run: git lfs install";

/// No pointer is larger, in bytes.
const POINTER: u64 = 1024;

/// Whether files of a checkout are with git-lfs, which is not installed here: by the attributes that it tracks, in every folder.
/// No process where it is installed.
///
/// # Errors
/// When git cannot list them.
pub fn is_missing(checkout: &Path) -> Result<bool> {
    if which::which("git-lfs").is_ok() {
        return Ok(false);
    }
    let words = ["ls-files", "-z", "--", ":(top,glob)**/.gitattributes"];
    let listed = Git::at(checkout).run("list attributes", words)?;
    let mut folders = listed.split('\0').filter(|path| !path.is_empty());
    Ok(folders.any(|path| tracks(&checkout.join(path))))
}

/// The same by the attributes at the top of the checkout alone, without a process: every sling asks.
pub fn is_missing_at_top(checkout: &Path) -> bool {
    tracks(&checkout.join(".gitattributes")) && which::which("git-lfs").is_err()
}

/// Whether a file of attributes gives files to git-lfs. A link is not followed: it could lead anywhere.
fn tracks(attributes: &Path) -> bool {
    let is_file = attributes.symlink_metadata().is_ok_and(|data| data.is_file());
    let text = is_file.then(|| std::fs::read(attributes).ok()).flatten().unwrap_or_default();
    String::from_utf8_lossy(&text).lines().any(is_rule)
}

fn is_rule(line: &str) -> bool {
    !line.trim_start().starts_with('#') && line.split_whitespace().any(|word| word == "filter=lfs")
}

impl Git {
    /// The files that `tip` changes since it left `base`, which are to be with git-lfs and whose content is in the commit itself.
    /// Three processes.
    ///
    /// # Errors
    /// When git fails.
    pub fn without_pointers(&self, base: &str, tip: &str) -> Result<Vec<String>> {
        let range = format!("{base}...{tip}");
        let words = ["diff", "--raw", "--no-renames", "--no-abbrev", "--diff-filter=d", "-z", &range, "--"];
        let raw = self.run("list changes", words)?;
        let changes = read_raw(&raw);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let paths: String = changes.iter().map(|(_, path)| format!("{path}\0")).collect();
        let asked = self.process(["check-attr", "-z", "--stdin", "filter"]).stdin(paths).run()?;
        let sizes: String = changes.iter().map(|(blob, _)| format!("{blob}\n")).collect();
        let sized = self.process(["cat-file", "--batch-check=%(objectsize)"]).stdin(sizes).run()?;
        if !asked.ok() || !sized.ok() {
            let failed = if asked.ok() { &sized } else { &asked };
            return Err(self.failed("look at the files of git-lfs", failed).into());
        }
        let asked = asked.text();
        let filters: Vec<&str> = asked.split('\0').skip(2).step_by(3).collect();
        let sized = sized.text();
        let large = sized.lines().map(|size| size.parse::<u64>().is_ok_and(|size| size > POINTER));
        let found = changes.into_iter().zip(filters).zip(large);
        Ok(found
            .filter(|((_, filter), large)| *filter == "lfs" && *large)
            .map(|(((_, path), _), _)| path)
            .collect())
    }
}

/// Reads `git diff --raw -z`: the new blob and the path of each file.
fn read_raw(text: &str) -> Vec<(String, String)> {
    let mut fields = text.split('\0');
    let mut found = Vec::new();
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        found.extend(what.split(' ').nth(3).map(|blob| (blob.to_string(), path.to_string())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_lfs_and_changes_are_read() {
        assert!(is_rule("*.bin filter=lfs diff=lfs merge=lfs -text"));
        assert!(!is_rule("# *.bin filter=lfs") && !is_rule("*.bin -filter=lfs"));
        let raw = ":100644 100644 aaa bbb M\0a b\0:000000 100644 000 ccc A\0new\0";
        assert_eq!(read_raw(raw), [("bbb".into(), "a b".into()), ("ccc".into(), "new".into())]);
        assert_eq!(read_raw(""), []);
    }

    #[test]
    fn content_in_place_of_a_pointer_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(".gitattributes", "*.bin filter=lfs\n");
        let run = |words: &[&str]| git.run("do it", words.iter().copied()).unwrap();
        let commit = |what: &str| {
            run(&["add", "-A"]);
            run(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", what]);
        };
        run(&["init", "-q"]);
        commit("first");
        let base = run(&["rev-parse", "HEAD"]);
        write("pointer.bin", "version https://git-lfs.github.com/spec/v1\n");
        write("content.bin", &"x".repeat(2000));
        write("other.txt", &"x".repeat(2000));
        commit("second");
        assert_eq!(git.without_pointers(&base, "HEAD").unwrap(), ["content.bin"]);
    }
}
