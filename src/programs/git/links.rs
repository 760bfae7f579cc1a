//! Links to commits of other repositories inside a tree: submodules, and repositories that were added without a URL. Which
//! ones commits bring, and whether the commits they name can be fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use super::trees::ALL_SUBMODULES;
use super::{Git, last_words};
use crate::base::failure::Failure;
use crate::base::quote::quote;

/// The mode of a link in a tree.
const LINK: &str = "160000";

/// A commit that a path was made to name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The path, from the top of the work tree.
    pub path: String,
    /// The commit of the other repository.
    pub commit: String,
    /// The commit that the path named before; `None` where there was no link.
    pub before: Option<String>,
}

impl Git {
    /// The links that the commits of `tip` bring which `base` lacks, each once. One process.
    ///
    /// # Errors
    /// When git cannot read the commits.
    pub fn links_brought(&self, base: &str, tip: &str) -> Result<Vec<Link>> {
        let range = format!("{base}..{tip}");
        // `-c`: of a merge only what differs from all its parents. Settings that hide submodules from a diff do not count.
        let words = [
            "log",
            "-c",
            "--raw",
            "-z",
            "--no-abbrev",
            "--no-renames",
            "--format=",
            ALL_SUBMODULES,
            &range,
            "--",
        ];
        Ok(read_raw(&self.run("read what the commits change", words)?))
    }

    /// The paths among these that are links in the tree of a commit. No process for none.
    ///
    /// # Errors
    /// When git cannot read the tree.
    pub fn links_at(&self, commit: &str, paths: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let words = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--"];
        let text = self.run("read a tree", words.into_iter().chain(paths.iter().copied()))?;
        let entry = |line: &str| Some(line.strip_prefix(LINK)?.split_once('\t')?.1.to_string());
        Ok(text.split('\0').filter_map(entry).collect())
    }

    /// Where the submodules of a commit come from, by path, as its `.gitmodules` says. A file that is not there or cannot
    /// be read names none.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn submodule_urls(&self, commit: &str) -> Result<BTreeMap<String, String>> {
        let blob = format!("{commit}:.gitmodules");
        let words = ["config", "-z", "--blob", &blob, "--get-regexp", r"^submodule\..*\.(path|url)$"];
        let listed = self.try_run(words)?;
        if !listed.ok() {
            return Ok(BTreeMap::new());
        }
        let origin = self.try_run(["config", "remote.origin.url"])?.text();
        let urls = read_modules(&listed.text());
        Ok(urls.into_iter().map(|(path, url)| (path, resolve(&origin, &url))).collect())
    }

    /// Whether a branch or tag of the repository at `url` reaches the commit. `near` may have its objects already. Asks the
    /// repository: what was seen of it earlier does not count.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn has_at(&self, url: &str, commit: &str, near: Option<&Path>) -> Result<bool> {
        // The URL comes from a commit: it may not name any program that git could be told to run.
        let ask = |words: Vec<&str>| self.process(words).env("GIT_PROTOCOL_FROM_USER", "0").run();
        let unreadable = |output: &crate::programs::Output| {
            Failure::new(format!("cannot ask {url} whether it has {commit}: {}", last_words(output)))
                .hint(format!("see whether git can read it: git ls-remote {}", quote(url)))
        };
        let listed = ask(vec!["ls-remote", "-q", "--", url])?;
        if !listed.ok() {
            return Err(unreadable(&listed).into());
        }
        if listed.text().lines().any(|line| line.split('\t').next() == Some(commit)) {
            return Ok(true);
        }
        // No tip is that commit, one may still reach it: commits alone are enough to tell.
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (to, near) = (scratch.path().to_string_lossy(), near.map(|dir| dir.to_string_lossy()));
        let mut words = vec!["clone", "-q", "--bare", "--filter=tree:0"];
        words.extend(near.iter().flat_map(|dir| ["--reference-if-able", dir]));
        words.extend(["--", url, &to]);
        let cloned = ask(words)?;
        if !cloned.ok() {
            return Err(unreadable(&cloned).into());
        }
        let reached = Git::at(scratch.path()).run("list the commits", ["rev-list", "--all"])?;
        Ok(reached.lines().any(|line| line == commit))
    }
}

/// Reads `git log -c --raw -z`: `:` once for each parent, the modes, the objects, letters; then the path.
fn read_raw(text: &str) -> Vec<Link> {
    let mut links = BTreeSet::new();
    let mut fields = text.split('\0');
    while let Some(field) = fields.next() {
        let field = field.trim_start_matches('\n');
        let parents = field.len() - field.trim_start_matches(':').len();
        if parents == 0 {
            continue;
        }
        let path = fields.next().unwrap_or_default();
        let words: Vec<&str> = field.trim_start_matches(':').split(' ').collect();
        let mode_before = words.first().copied().unwrap_or_default();
        let (Some(mode), Some(before), Some(commit)) =
            (words.get(parents), words.get(parents + 1), words.get(2 * parents + 1))
        else {
            continue;
        };
        if *mode == LINK {
            let before = (mode_before == LINK).then(|| (*before).to_string());
            links.insert(Link { path: path.into(), commit: (*commit).into(), before });
        }
    }
    links.into_iter().collect()
}

/// Reads `git config -z --get-regexp`: key, line break, value. Gives the URL of each path.
fn read_modules(text: &str) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (key, value) in text.split('\0').filter_map(|entry| entry.split_once('\n')) {
        if let Some((name, last)) = key.rsplit_once('.') {
            let module = modules.entry(name).or_default();
            match last {
                "path" => module.0 = Some(value),
                _ => module.1 = Some(value),
            }
        }
    }
    let whole = modules.into_values().filter_map(|(path, url)| Some((path?.to_string(), url?.to_string())));
    whole.collect()
}

/// A submodule's URL. One that begins with `./` or `../` is taken from the project's own, as git does.
fn resolve(origin: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_string();
    }
    let (mut base, mut rest) = (origin.trim_end_matches('/').to_string(), url);
    let mut between = "/";
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            // After the last folder the host of `host:path` is left.
            match base.rfind('/').map(|at| (at, "/")).or_else(|| base.rfind(':').map(|at| (at, ":"))) {
                Some((at, sign)) => {
                    base.truncate(at);
                    between = sign;
                }
                None => return url.to_string(),
            }
        } else {
            return format!("{base}{between}{}", rest.trim_end_matches('/'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_changes_merges_and_odd_paths() {
        let (a, b, c, zero) = ("a".repeat(40), "b".repeat(40), "c".repeat(40), "0".repeat(40));
        let text = format!(
            ":100644 100644 {a} {b} M\0file\0:160000 160000 {a} {b} M\0vendor/lib\0\n:000000 160000 {zero} {c} A\0:odd\0\
             ::160000 160000 160000 {a} {b} {c} MM\0vendor/lib\0:160000 000000 {a} {zero} D\0gone\0"
        );
        let link = |path: &str, commit: &str, before: Option<&str>| Link {
            path: path.into(),
            commit: commit.into(),
            before: before.map(Into::into),
        };
        assert_eq!(
            read_raw(&text),
            [link(":odd", &c, None), link("vendor/lib", &b, Some(&a)), link("vendor/lib", &c, Some(&a))]
        );
        assert_eq!(read_raw(""), []);
    }

    #[test]
    fn a_module_needs_both_path_and_url() {
        let text = "submodule.a.b.path\nvendor/lib\0submodule.a.b.url\n../lib.git\0submodule.c.path\nc\0";
        let read: Vec<_> = read_modules(text).into_iter().collect();
        assert_eq!(read, [("vendor/lib".to_string(), "../lib.git".to_string())]);
    }

    #[test]
    fn relative_urls_are_taken_from_the_projects_own() {
        for (origin, url, wanted) in [
            ("https://x/a/b.git", "https://y/z", "https://y/z"),
            ("https://x/a/b.git", "../c.git", "https://x/a/c.git"),
            ("https://x/a/b.git/", "../../c/d.git", "https://x/c/d.git"),
            ("git@x:a/b.git", "../c.git", "git@x:a/c.git"),
            ("git@x:b.git", "../c.git", "git@x:c.git"),
            ("/srv/b.git", "./c.git", "/srv/b.git/c.git"),
            ("b", "../c", "../c"),
        ] {
            assert_eq!(resolve(origin, url), wanted, "{origin} {url}");
        }
    }
}
