//! What git answers, read: pure functions over its output.

use super::last_words;
use crate::programs::Output;

/// What `git status` says of a work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorktreeStatus {
    /// The commit checked out; empty before the first.
    pub commit: String,
    /// The branch checked out; `None` while detached (a rebase goes on, say).
    pub branch: Option<String>,
    /// What is not committed: paths, each with git's two letters in front (`?? notes.txt`).
    pub dirty: Vec<String>,
    /// Of what is dirty, the files that differ from their blob in HEAD by nothing but content: path and blob.
    pub contents: Vec<(String, String)>,
    /// What is ignored, where that was asked for: paths, a folder that is ignored as a whole with a slash at its end.
    pub ignored: Vec<String>,
}

/// What came of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// The remote has it.
    Done,
    /// The remote has other commits on that branch.
    Diverged(String),
    /// The server looked at it and said no; its words.
    Refused(String),
    /// This user may not write there; git's words.
    NoRight(String),
    /// A hook of the project, here, said no; its words.
    Hook(String),
}

/// Reads `git status --porcelain=v2 --branch -z`.
pub fn parse_status(text: &str) -> WorktreeStatus {
    let mut status = WorktreeStatus::default();
    let mut fields = text.split('\0');
    while let Some(field) = fields.next() {
        if let Some(commit) = field.strip_prefix("# branch.oid ") {
            status.commit = if commit == "(initial)" { String::new() } else { commit.into() };
        } else if let Some(branch) = field.strip_prefix("# branch.head ") {
            status.branch = (branch != "(detached)").then(|| branch.into());
        } else if let Some(path) = field.strip_prefix("? ") {
            status.dirty.push(format!("?? {path}"));
        } else if let Some(path) = field.strip_prefix("! ") {
            status.ignored.push(path.into());
        } else if let Some((kind, rest)) = field.split_once(' ') {
            // Columns before the path: 7 for a change, 8 for a rename (whose old name follows), 9 for a conflict.
            let columns = match kind {
                "1" => 7,
                "2" => 8,
                "u" => 9,
                _ => continue,
            };
            let letters = rest.split(' ').next().unwrap_or_default();
            let path = rest.splitn(columns + 1, ' ').nth(columns).unwrap_or(rest);
            status.dirty.push(format!("{} {path}", letters.replace('.', " ")));
            if let [".M", "N...", head, index, file, blob, _, _] = rest.splitn(8, ' ').collect::<Vec<_>>()[..]
                && (head, index) == (index, file)
            {
                status.contents.push((path.into(), blob.into()));
            }
            if kind == "2" {
                fields.next();
            }
        }
    }
    status
}

/// Reads `git cat-file --batch='HEADER %(objectname)'`: the content of each blob, in the order they were asked for; `None`
/// when the answer is not whole. No content may hold the header.
pub fn read_blobs<'a>(output: &'a [u8], header: &str, blobs: &[&str]) -> Option<Vec<&'a [u8]>> {
    let next = format!("\n{header} ");
    let mut rest = output;
    let mut contents = Vec::new();
    for (index, blob) in blobs.iter().enumerate() {
        rest = rest.strip_prefix(format!("{header} {blob}\n").as_bytes())?;
        let end = match index + 1 == blobs.len() {
            true => rest.len().checked_sub(1).filter(|end| rest[*end] == b'\n')?,
            false => rest.windows(next.len()).position(|window| window == next.as_bytes())?,
        };
        contents.push(&rest[..end]);
        rest = &rest[end + 1..];
    }
    Some(contents)
}

/// Reads `git push --porcelain` of one ref; `None` when nothing was said about it.
pub fn read_push(output: &Output) -> Option<Push> {
    if output.ok() {
        return Some(Push::Done);
    }
    let listed = output.text();
    // `!`, the refs, and `[kind] (reason)`, apart by tabs
    let summary = listed.lines().find(|line| line.starts_with("!\t"))?.splitn(3, '\t').nth(2)?;
    let (kind, reason) = summary.split_once(" (").unwrap_or((summary, ""));
    let reason = reason.trim_end_matches(')');
    Some(match kind {
        // The server could not write the objects.
        "[remote rejected]" if reason == "unpacker error" => Push::NoRight(last_words(output)),
        "[remote rejected]" | "[remote failure]" => {
            let words = server_words(&output.error_text());
            let said = if words.is_empty() { reason.to_string() } else { format!("{reason}: {words}") };
            Push::Refused(said)
        }
        _ => Push::Diverged(summary.to_string()),
    })
}

/// What the server itself said, on one line.
pub fn server_words(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_what_is_dirty_whatever_the_names_hold() {
        let text = "# branch.oid abc\0# branch.head polecat/Nux-wy-1\0\
                    1 .M N... 100644 100644 100644 aaa bbb a file\0\
                    2 R. N... 100644 100644 100644 aaa bbb R100 new name\0old name\0\
                    u UU N... 100644 100644 100644 100644 aaa bbb ccc both\0? x\ny\0! out/\0";
        let status = parse_status(text);
        assert_eq!(status.commit, "abc");
        assert_eq!(status.branch.as_deref(), Some("polecat/Nux-wy-1"));
        assert_eq!(status.dirty, [" M a file", "R  new name", "UU both", "?? x\ny"]);
        assert_eq!(status.ignored, ["out/"]);
    }

    #[test]
    fn only_a_file_whose_content_alone_differs_may_be_as_checked_out() {
        let text = "1 .M N... 100644 100644 100644 aaa aaa a b\0\
                    1 .M N... 100644 100644 100755 bbb bbb chmod\0\
                    1 MM N... 100644 100644 100644 ccc ddd staged\0\
                    1 .M SC.. 160000 160000 160000 eee eee module\0? new\0";
        assert_eq!(parse_status(text).contents, [("a b".to_string(), "aaa".to_string())]);
    }

    #[test]
    fn blobs_are_told_apart_by_the_header_whatever_is_in_them() {
        let read = |text: &'static str| read_blobs(text.as_bytes(), "H1", &["aaa", "bbb", "ccc"]);
        let text = "H1 aaa\none\n\nH1 bbb\n\nH1 ccc\nH2 ccc\nbbb blob 3\n";
        assert_eq!(read(text), Some(vec![&b"one\n"[..], b"", b"H2 ccc\nbbb blob 3"]));
        for broken in [
            "",
            "H1 aaa\none\nH1 bbb\n\n",
            "H1 aaa\none\nbbb missing\nH1 ccc\n\n",
            "H1 aaa\none\nH1 bbb\n\nH1 ccc\nnot whole",
        ] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_rebase_in_progress_has_no_branch() {
        assert_eq!(parse_status("# branch.oid abc\0# branch.head (detached)\0").branch, None);
    }

    fn push(code: i32, listed: &str, said: &str) -> Option<Push> {
        read_push(&Output::of(code, listed, said))
    }

    #[test]
    fn ways_a_push_can_go_and_one_where_nothing_is_known() {
        assert_eq!(push(0, "", ""), Some(Push::Done));
        let listed = "To /x\n!\tHEAD:refs/heads/a\t[remote rejected] (pre-receive hook declined)\nDone";
        let refused = push(1, listed, "remote: no tests, no merge        \nerror: failed to push some refs");
        assert_eq!(refused, Some(Push::Refused("pre-receive hook declined: no tests, no merge".into())));
        let listed = "To /x\n!\tHEAD:refs/heads/a\t[rejected] (fetch first)\nDone";
        assert!(matches!(push(1, listed, ""), Some(Push::Diverged(_))));
        let listed =
            "To /x\n!\tHEAD:refs/heads/wy-403-read-only\t[remote rejected] (pre-receive hook declined)\nDone";
        assert!(matches!(push(1, listed, "remote: Permission denied to all"), Some(Push::Refused(_))));
        let listed = "To /x\n!\tHEAD:refs/heads/a\t[remote rejected] (unpacker error)\nDone";
        assert!(matches!(push(1, listed, "remote: error: insufficient permission"), Some(Push::NoRight(_))));
        let said = "fatal: unable to access 'https://x/': The requested URL returned error: 403";
        assert_eq!(push(128, "", said), None);
    }
}
