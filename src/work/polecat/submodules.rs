//! The submodules of a new place, at all depths. A commit that a submodule's URL does not have may be one that was kept at
//! the end of a polecat: then the canonical clone has it.

use std::path::Path;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::programs::git::{Git, last_words};

/// Checks the submodules of `place` out.
///
/// # Errors
/// A submodule that cannot be read, or whose commit is neither at its URL nor in the canonical clone.
pub fn check_out(canonical: &Path, place: &Path) -> Result<()> {
    let words = ["submodule", "update", "-q", "--init", "--recursive"];
    match Git::at(place).try_run(words)?.ok() {
        true => Ok(()),
        false => one_by_one(canonical, place, ""),
    }
}

fn one_by_one(canonical: &Path, place: &Path, outer: &str) -> Result<()> {
    let git = Git::at(place);
    let listed = git.run("read the index", ["ls-files", "-z", "--stage"])?;
    if git.try_run(["submodule", "update", "-q", "--init"])?.ok() {
        return links(&listed).try_for_each(|(_, path)| below(canonical, place, outer, path));
    }
    for (commit, path) in links(&listed) {
        let update = ["--literal-pathspecs", "submodule", "update", "-q", "--", path];
        let output = git.try_run(update)?;
        if !output.ok() {
            let inner = place.join(path);
            let kept = Git::alone(canonical).has_commits(&[commit])? == [true];
            if !kept || !inner.join(".git").exists() {
                return Err(
                    nowhere(canonical, &format!("{outer}{path}"), commit, &last_words(&output)).into()
                );
            }
            Git::alone(&inner).bring_objects(canonical, &[commit])?;
            let update = ["--literal-pathspecs", "submodule", "update", "-q", "--no-fetch", "--", path];
            git.run(&format!("check out the submodule {outer}{path}"), update)?;
        }
        below(canonical, place, outer, path)?;
    }
    Ok(())
}

fn below(canonical: &Path, place: &Path, outer: &str, path: &str) -> Result<()> {
    let inner = place.join(path);
    if !inner.join(".git").exists() {
        return Ok(());
    }
    one_by_one(canonical, &inner, &format!("{outer}{path}/"))
}

/// The commit and the path of each link in `git ls-files -z --stage`.
fn links(listed: &str) -> impl Iterator<Item = (&str, &str)> {
    listed.split('\0').filter_map(|line| {
        let (entry, path) = line.strip_prefix("160000 ")?.split_once('\t')?;
        Some((entry.split(' ').next()?, path))
    })
}

fn nowhere(canonical: &Path, path: &str, commit: &str, said: &str) -> Failure {
    Failure::new(format!("cannot check out the submodule {path} at {commit}: {said}")).hint(format!(
        "see whether git can read its URL: git -C {} submodule status; where that lacks the commit, which no recovery ref \
         has either, push it from a repository that has it: git push URL {commit}:refs/heads/kept; then sling again",
        quote(&canonical.to_string_lossy())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_the_index_whatever_their_paths() {
        let text = "100644 aa 0\tREADME.md\x00160000 c0ffee 0\tvendor/a\tlib \n\0";
        assert_eq!(links(text).collect::<Vec<_>>(), [("c0ffee", "vendor/a\tlib \n")]);
        assert_eq!(links("").count(), 0);
    }
}
