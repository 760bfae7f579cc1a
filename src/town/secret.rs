//! `mayor/secret`: the key of the town's proofs. It is made once, can be read by its owner alone, and leaves the town with
//! no export, copy or commit.

use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Result;

use crate::base::files;
use crate::base::proof::Secret;

/// Where it is, inside the town.
pub const FILE: &str = super::SECRET_FILE;

/// The line of the town's `.gitignore` that keeps it out of commits.
pub const IGNORED: &str = "/mayor/secret";

/// The secret of the town at `root`; `None` when there is none yet: nothing was proven then.
///
/// # Errors
/// When its file cannot be read, or is not one of gt's.
pub fn read(root: &Path) -> Result<Option<Secret>> {
    let path = root.join(FILE);
    let Some(text) = files::text(&path)? else { return Ok(None) };
    let made = std::fs::metadata(&path).ok().and_then(|data| data.modified().ok());
    let since = made.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_secs());
    match Secret::parse(text.trim_end()) {
        Some(mut secret) => {
            secret.since = i64::try_from(since).unwrap_or(0);
            secret.over = super::ended::over(root);
            Ok(Some(secret))
        }
        None => crate::fail!(
            "{} does not hold a secret of gt", path.display();
            "restore it from a backup; or remove it, and what was proven with it is foreign: gt adopt"
        ),
    }
}

/// The secret of the town at `root`, made now when there is none.
///
/// # Errors
/// As [`read`], and when it cannot be made.
pub fn of(root: &Path) -> Result<Secret> {
    if let Some(secret) = read(root)? {
        // What is proven from now on is younger than the loss of that file.
        super::ended::begin(root)?;
        return Ok(secret);
    }
    make(root)?;
    match read(root)? {
        Some(secret) => Ok(secret),
        None => crate::fail!("{} is gone as soon as it is made", root.join(FILE).display()),
    }
}

/// Makes a secret where there is none. One that another process makes first stays.
///
/// # Errors
/// When the system gives no random bytes, or the disk does not take the file.
fn make(root: &Path) -> Result<()> {
    ignore(root)?;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        anyhow::Error::msg(error.to_string()).context("no random bytes for the town's secret")
    })?;
    super::ended::begin(root)?;
    files::create_private(&root.join(FILE), Secret::new(bytes).hex() + "\n")?;
    Ok(())
}

/// A town that is older than its secret has no line for it in `.gitignore`.
fn ignore(root: &Path) -> Result<()> {
    let path = root.join(".gitignore");
    let Some(text) = files::text(&path)? else { return Ok(()) };
    if text.lines().any(|line| line.trim_end() == IGNORED) {
        return Ok(());
    }
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    files::write(&path, format!("{text}{gap}{IGNORED}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone_and_kept_out_of_commits() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mayor")).unwrap();
        std::fs::write(dir.path().join(".gitignore"), "mine").unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let secret = of(dir.path()).unwrap();
        make(dir.path()).unwrap();
        assert_eq!(of(dir.path()).unwrap(), secret);
        let file = std::fs::metadata(dir.path().join(FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        let ignored = std::fs::read_to_string(dir.path().join(".gitignore")).unwrap();
        assert_eq!(ignored, "mine\n/mayor/secret\n");
        assert_eq!(files::names_in(&dir.path().join("mayor")).unwrap(), ["ended", "secret"]);
    }

    #[test]
    fn two_towns_have_two_secrets_and_a_broken_one_is_not_replaced() {
        let town = || {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("mayor")).unwrap();
            dir
        };
        let (a, b) = (town(), town());
        assert_ne!(of(a.path()).unwrap(), of(b.path()).unwrap());
        std::fs::write(a.path().join(FILE), "").unwrap();
        let said = of(a.path()).unwrap_err().to_string();
        assert!(said.ends_with("mayor/secret does not hold a secret of gt"), "{said}");
    }
}
