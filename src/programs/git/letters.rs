//! Refs of origin that hold messages for gt: listed, fetched, read and deleted, whole sets in one process each.

use anyhow::Result;

use super::worktree::fetch_words;
use super::{Git, last_words};
use crate::base::quote::quote;

/// A ref, and what it stands at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefAt {
    /// Its full name.
    pub name: String,
    /// The object.
    pub id: String,
    /// `commit`, `tag`, `blob` or `tree`.
    pub kind: String,
    /// A commit's message, as it was written.
    pub message: Vec<u8>,
}

impl Git {
    /// Refs of origin that match patterns of `git ls-remote`: name and object.
    ///
    /// # Errors
    /// When origin cannot be read.
    pub fn origin_refs(&self, patterns: &[&str]) -> Result<Vec<(String, String)>> {
        let mut words = vec!["ls-remote", "-q", "origin"];
        words.extend(patterns);
        let output = self.try_run(words)?;
        if !output.ok() {
            let dir = quote(&self.dir.to_string_lossy());
            let mut failure = self.failure(format!(
                "cannot read origin of {}: {}",
                self.dir.display(),
                last_words(&output)
            ));
            failure.hint.get_or_insert(format!("see whether git can read it: git -C {dir} ls-remote origin"));
            return Err(failure.into());
        }
        let pair = |line: &str| line.split_once('\t').map(|(id, name)| (name.to_string(), id.to_string()));
        Ok(output.text().lines().filter_map(pair).collect())
    }

    /// Brings refs of origin here, as refspecs say, and drops what is gone there.
    ///
    /// # Errors
    /// When origin cannot be read.
    pub fn mirror(&self, what: &str, refspecs: &[&str]) -> Result<()> {
        let mut words = fetch_words("origin", refspecs);
        words.insert(1, "--prune");
        self.must_locked(&format!("fetch {what}"), words)
    }

    /// Brings refs of origin here, as refspecs say.
    ///
    /// # Errors
    /// When one of them is not there, or would move a ref here that has other commits.
    pub fn bring_refs(&self, what: &str, refspecs: &[&str]) -> Result<()> {
        self.must_locked(&format!("fetch {what}"), fetch_words("origin", refspecs))
    }

    /// Deletes all refs of this clone under prefixes, of any name: one that is no UTF-8 too.
    ///
    /// # Errors
    /// When one of them cannot be deleted; all are there then.
    pub fn forget_refs(&self, what: &str, prefixes: &[&str]) -> Result<()> {
        let mut words = vec!["for-each-ref", "--format=delete %(refname) %(objectname)"];
        words.extend(prefixes);
        let listed = self.try_run(words)?;
        if !listed.ok() {
            crate::fail!("cannot {what} in {}: {}", self.dir.display(), last_words(&listed));
        }
        if listed.stdout.is_empty() {
            return Ok(());
        }
        let output = self.run_unlocked(&self.process(["update-ref", "--stdin"]).stdin(listed.stdout))?;
        if !output.ok() {
            crate::fail!("cannot {what} in {}: {}", self.dir.display(), last_words(&output));
        }
        Ok(())
    }

    /// Brings one commit from origin by its id alone. `false`: it is not there, or the server does not give it.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn fetch_from_origin(&self, commit: &str) -> Result<bool> {
        Ok(self.locked(fetch_words("origin", &[commit]))?.ok())
    }

    /// Refs under prefixes with the messages of their commits, oldest commit first.
    ///
    /// # Errors
    /// When git fails.
    pub fn held(&self, prefixes: &[&str]) -> Result<Vec<RefAt>> {
        // No message holds a NUL: git ends it there.
        let format = "--format=%(refname)%00%(objectname)%00%(objecttype)%00%(contents)%00%00";
        let mut words = vec!["for-each-ref", "--sort=refname", "--sort=committerdate", format];
        words.extend(prefixes);
        let output = self.try_run(words)?;
        if !output.ok() {
            return Err(self.failed("read completion records", &output).into());
        }
        Ok(parse_held(&output.stdout))
    }

    /// The id that git gives to these bytes as a blob, which is not written.
    ///
    /// # Errors
    /// When git fails.
    pub fn hash_of(&self, bytes: &[u8]) -> Result<String> {
        let output = self.process(["hash-object", "--stdin"]).stdin(bytes).run()?;
        if !output.ok() {
            return Err(self.failed("hash a completion record", &output).into());
        }
        Ok(output.text().trim().into())
    }

    /// Deletes refs of origin that still stand where they were seen. Gives those that are still there: another letter
    /// is there by now, or the server keeps them; with what was said.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn delete_at_origin(&self, refs: &[(String, String)]) -> Result<Vec<(String, String)>> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let mut words: Vec<String> =
            ["push", "--porcelain", "--no-recurse-submodules", "--no-follow-tags"].map(String::from).to_vec();
        words.extend(refs.iter().map(|(name, id)| format!("--force-with-lease={name}:{id}")));
        words.push("origin".into());
        words.extend(refs.iter().map(|(name, _)| format!(":{name}")));
        let output = self.try_run(words)?;
        if output.ok() {
            return Ok(Vec::new());
        }
        let kept = parse_kept(&output.text());
        if kept.is_empty() {
            // No word about any ref: origin could not be reached.
            let said = last_words(&output);
            return Ok(refs.iter().map(|(name, _)| (name.clone(), said.clone())).collect());
        }
        Ok(kept)
    }
}

/// Each record ends with two NULs and a line break; no field holds a NUL.
fn parse_held(bytes: &[u8]) -> Vec<RefAt> {
    let mut rest = bytes.split(|byte| *byte == 0);
    let mut all = Vec::new();
    while let (Some(name), Some(id), Some(kind), Some(message), Some(_)) =
        (rest.next(), rest.next(), rest.next(), rest.next(), rest.next())
    {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_start_matches('\n').to_string();
        all.push(RefAt { name: text(name), id: text(id), kind: text(kind), message: message.into() });
    }
    all
}

/// The refs that `git push --porcelain` refused, with why.
fn parse_kept(listed: &str) -> Vec<(String, String)> {
    let kept = |line: &str| {
        let mut fields = line.split('\t');
        let (Some("!"), Some(pair), Some(summary)) = (fields.next(), fields.next(), fields.next()) else {
            return None;
        };
        let name = pair.rsplit_once(':').map_or(pair, |(_, name)| name);
        let why = summary.split_once('(').map_or(summary, |(_, why)| why.trim_end_matches(')'));
        Some((name.to_string(), why.to_string()))
    };
    listed.lines().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_shape_read_apart() {
        let text =
            b"refs/a\0c1\0commit\0{\"a\":1}\n\nmore\n\0\0\nrefs/b\0b1\0blob\0\0\0\nrefs/c\0c3\0commit\0\xff\0\0\n";
        let held = parse_held(text);
        assert_eq!(held.len(), 3);
        assert_eq!(
            (held[0].name.as_str(), held[0].message.as_slice()),
            ("refs/a", &b"{\"a\":1}\n\nmore\n"[..])
        );
        assert_eq!((held[1].kind.as_str(), held[1].message.as_slice()), ("blob", &b""[..]));
        assert_eq!((held[2].id.as_str(), held[2].message.as_slice()), ("c3", &b"\xff"[..]));
        assert!(parse_held(b"").is_empty());
    }

    #[test]
    fn what_a_server_keeps_is_named_with_its_reason() {
        let listed = "To /x/o.git\n-\t:refs/gt/done/w/Nux/i1\t[deleted]\n\
                      !\t(delete):refs/gt/done/w/Toast/i2\t[rejected] (stale info)\n\
                      !\t:refs/gt/done/w/Ace/i3\t[remote rejected] (deletion prohibited)\nDone";
        let kept = parse_kept(listed);
        assert_eq!(kept[0], ("refs/gt/done/w/Toast/i2".into(), "stale info".into()));
        assert_eq!(kept[1], ("refs/gt/done/w/Ace/i3".into(), "deletion prohibited".into()));
    }
}
