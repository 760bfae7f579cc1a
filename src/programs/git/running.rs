//! Which programs of git run in a folder: what tells a lock file or a worktree in the making from a leftover.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// A running git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningGit {
    /// Its process id.
    pub pid: i32,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Its command line, for a person; empty where the system does not tell.
    pub words: String,
    /// Command line and environment; empty where the system does not tell.
    told: Vec<u8>,
}

impl RunningGit {
    /// Whether it works inside a folder, or was told of it.
    pub fn concerns(&self, dir: &Path) -> bool {
        use std::os::unix::ffi::OsStrExt;
        let name = dir.as_os_str().as_bytes();
        self.cwd.starts_with(dir) || self.told.windows(name.len().max(1)).any(|part| part == name)
    }

    /// In words: `git commit (process 12)`.
    pub fn shown(&self) -> String {
        let words = if self.words.is_empty() { "git" } else { &self.words };
        format!("{} (process {})", words.chars().take(60).collect::<String>(), self.pid)
    }
}

/// Every git of this user; `None` when the system does not tell (then nothing may be concluded).
pub fn all() -> Option<Vec<RunningGit>> {
    if Path::new("/proc/self/cwd").exists() { from_proc(Path::new("/proc")) } else { from_lsof() }
}

/// A process that has a file open, in words.
///
/// # Errors
/// When the system does not tell.
pub fn holder(path: &Path) -> Result<Option<String>> {
    if !Path::new("/proc/self/cwd").exists() {
        let run = super::Process::new("lsof").args(["-w", "-t", "--"]).arg(path).run()?;
        return Ok(run.text().lines().next().map(|pid| format!("process {pid}")));
    }
    let entries = std::fs::read_dir("/proc")?;
    for process in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let open = std::fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
        if open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|to| to == path) {
            let pid = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Some(format!("process {pid}")));
        }
    }
    Ok(None)
}

fn from_proc(proc: &Path) -> Option<Vec<RunningGit>> {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::getuid().as_raw();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc).ok()?.filter_map(Result::ok) {
        let dir = entry.path();
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let name = std::fs::read_to_string(dir.join("comm")).unwrap_or_default();
        // One of another user cannot write here, unless that is root or this user is.
        let others = || dir.metadata().is_ok_and(|data| data.uid() != own && data.uid() != 0 && own != 0);
        if !is_git(name.trim()) || others() {
            continue;
        }
        let cwd = match std::fs::read_link(dir.join("cwd")) {
            Ok(cwd) => cwd,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
            // A zombie has none, and one that has ended meanwhile.
            Err(_) => continue,
        };
        let line = std::fs::read(dir.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&line).replace('\0', " ").trim().to_string();
        if words.contains("fsmonitor--daemon") {
            continue;
        }
        let told = [line, std::fs::read(dir.join("environ")).unwrap_or_default()].concat();
        found.push(RunningGit { pid, cwd, words, told });
    }
    Some(found)
}

fn is_git(name: &str) -> bool {
    name == "git" || name.starts_with("git-")
}

/// The same where the system has no `/proc`.
fn from_lsof() -> Option<Vec<RunningGit>> {
    // lsof exits with 1 when there is none.
    let run =
        super::Process::new("lsof").args(["-w", "-a", "-c", "git", "-d", "cwd", "-F", "pn"]).run().ok()?;
    run.code.filter(|code| *code <= 1)?;
    Some(parse_lsof(&run.text()))
}

/// Reads `lsof -F pn`: a line `p12`, then `n/its/folder`.
fn parse_lsof(text: &str) -> Vec<RunningGit> {
    let mut found = Vec::new();
    let mut pid = 0;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix('p') {
            pid = number.parse().unwrap_or_default();
        } else if let Some(cwd) = line.strip_prefix('n') {
            found.push(RunningGit { pid, cwd: cwd.into(), words: String::new(), told: Vec::new() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_concerns_the_folder_it_runs_in_and_those_it_was_told_of() {
        let git = RunningGit {
            pid: 7,
            cwd: "/t/rig".into(),
            words: "git worktree add /t/p/Nux".into(),
            told: b"git\0worktree\0add\0/t/p/Nux\0GIT_DIR=/x\0".to_vec(),
        };
        for (dir, concerned) in [("/t/rig", true), ("/t/p/Nux", true), ("/x", true), ("/t/p/Slit", false)] {
            assert_eq!(git.concerns(Path::new(dir)), concerned, "{dir}");
        }
        assert_eq!(git.shown(), "git worktree add /t/p/Nux (process 7)");
    }

    #[test]
    fn what_lsof_says() {
        let found = parse_lsof("p12\nfcwd\nn/t/rig\np13\nfcwd\nn/home\n");
        assert_eq!(
            found.iter().map(|git| (git.pid, git.cwd.clone())).collect::<Vec<_>>(),
            [(12, PathBuf::from("/t/rig")), (13, PathBuf::from("/home"))]
        );
    }
}
