//! Writing into a folder whose content is a repository's: no link in it leads a write out of the folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat};

use crate::base::failure::Failure;
use crate::base::files;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// A folder that is written into.
#[derive(Debug)]
pub struct Within {
    root: PathBuf,
}

/// A place for something new: no link was followed out of the folder on the way there.
#[derive(Debug)]
pub struct Spot {
    folder: OwnedFd,
    name: OsString,
    /// The path inside the folder, with the links that stay in it resolved.
    pub path: PathBuf,
}

impl Within {
    /// The folder at `root`.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(root: &Path) -> Result<Within> {
        let root = root.canonicalize().with_context(|| format!("cannot read {}", root.display()))?;
        Ok(Within { root })
    }

    /// Where `inside` really is, from the folder on: links above it are resolved, `inside` itself is not.
    ///
    /// # Errors
    /// When a link above it leads out of the folder or nowhere.
    pub fn resolve(&self, inside: &Path) -> Result<PathBuf> {
        let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        let Some(name) = inside.file_name().filter(|_| plain) else {
            crate::fail!("'{}' is not a path inside {}", inside.display(), self.root.display());
        };
        let mut above = inside.parent().unwrap_or(Path::new(""));
        while self.root.join(above).symlink_metadata().is_err() && above != Path::new("") {
            above = above.parent().unwrap_or(Path::new(""));
        }
        let real = self.root.join(above).canonicalize().ok();
        let real = real.as_deref().and_then(|real| real.strip_prefix(&self.root).ok());
        let rest = inside.parent().and_then(|folder| folder.strip_prefix(above).ok());
        match (real, rest) {
            (Some(real), Some(rest)) => Ok(real.join(rest).join(name)),
            _ => Err(self.leads_out(inside).into()),
        }
    }

    /// The place for `inside`; folders above it that are missing are made.
    ///
    /// # Errors
    /// As [`Within::resolve`], and what the file system says.
    pub fn spot(&self, inside: &Path) -> Result<Spot> {
        let path = self.resolve(inside)?;
        let failed = || format!("cannot make {} in {}", inside.display(), self.root.display());
        let mut folder = openat(CWD, &self.root, FOLDER, Mode::empty()).with_context(failed)?;
        for part in path.parent().into_iter().flat_map(Path::components) {
            match mkdirat(&folder, part.as_os_str(), Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(Error::from(error)).with_context(failed),
            }
            // A link that came here after the look above is refused.
            folder = openat(&folder, part.as_os_str(), FOLDER, Mode::empty()).with_context(failed)?;
        }
        let name = path.file_name().unwrap_or_default().to_os_string();
        Ok(Spot { folder, name, path })
    }

    /// Writes a new file, and gives where it really is.
    ///
    /// # Errors
    /// As [`Within::spot`], and when something is there.
    pub fn write(&self, inside: &Path, bytes: &[u8]) -> Result<PathBuf> {
        let spot = self.spot(inside)?;
        let written = spot.create(0o666).and_then(|mut file| file.write_all(bytes));
        written.with_context(|| format!("cannot write {}", self.root.join(inside).display()))?;
        Ok(spot.path)
    }

    fn leads_out(&self, inside: &Path) -> Failure {
        let mut above: Vec<&Path> =
            inside.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
        above.reverse();
        let link = above.into_iter().find(|path| self.root.join(path).is_symlink()).unwrap_or(inside);
        let to = std::fs::read_link(self.root.join(link)).unwrap_or_default();
        Failure::new(format!(
            "{} in {} is a link to {}, which is not in that folder: nothing is read or written through it",
            link.display(),
            self.root.display(),
            to.display()
        ))
        .hint(format!("take the link out of the branch, or make it a folder: git rm {}", link.display()))
    }
}

impl Spot {
    /// A new file here.
    fn create(&self, mode: u32) -> std::io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.folder, &self.name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// A new link here.
    ///
    /// # Errors
    /// What the file system says.
    pub fn link(&self, target: &Path) -> std::io::Result<()> {
        Ok(symlinkat(target, &self.folder, &self.name)?)
    }

    /// A copy of a file, a link or a folder with all that is in it. A link stays a link; sockets, devices and FIFOs are left
    /// out, as git leaves them out.
    ///
    /// # Errors
    /// What the file system says.
    pub fn copy(&self, from: &Path) -> std::io::Result<()> {
        let found = from.symlink_metadata()?;
        let kind = found.file_type();
        if kind.is_symlink() {
            return self.link(&std::fs::read_link(from)?);
        }
        if !kind.is_dir() {
            let mut source = files::open(from)?;
            let mut made = self.create(0o600)?;
            std::io::copy(&mut source, &mut made)?;
            return made.set_permissions(found.permissions());
        }
        mkdirat(&self.folder, &self.name, Mode::from_raw_mode(0o777))?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_file() || kind.is_dir() || kind.is_symlink() {
                let folder = openat(&self.folder, &self.name, FOLDER, Mode::empty())?;
                let inner = Spot { folder, name: entry.file_name(), path: self.path.join(entry.file_name()) };
                inner.copy(&entry.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn place() -> (tempfile::TempDir, Within) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("place/real")).unwrap();
        std::fs::create_dir(dir.path().join("victim")).unwrap();
        let within = Within::new(&dir.path().join("place")).unwrap();
        (dir, within)
    }

    #[test]
    fn no_link_leads_a_write_out_and_one_that_stays_inside_is_followed() {
        let (dir, within) = place();
        let path = |inside: &str| dir.path().join("place").join(inside);
        let victim = dir.path().join("victim");
        for (name, to) in
            [("out", victim.as_path()), ("up", Path::new("../victim")), ("none", Path::new("/no/such"))]
        {
            symlink(to, path(name)).unwrap();
            let said = within.write(&Path::new(name).join("deep/a"), b"x").unwrap_err().to_string();
            assert!(said.starts_with(&format!("{name} in ")) && said.contains("is a link to"), "{said}");
        }
        symlink("../up", path("real/hidden")).unwrap();
        assert!(within.write(Path::new("real/hidden/a"), b"x").is_err());
        symlink("real", path("inside")).unwrap();
        assert_eq!(within.write(Path::new("inside/new/a"), b"x").unwrap(), Path::new("real/new/a"));
        assert_eq!(std::fs::read_to_string(path("real/new/a")).unwrap(), "x");
        for bad in ["../a", "/a", "", "a/../../b"] {
            assert!(within.spot(Path::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(files::names_in(&victim).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_there_is_never_written_over_or_through() {
        let (dir, within) = place();
        let victim = dir.path().join("victim/a");
        std::fs::write(&victim, "theirs").unwrap();
        symlink(&victim, dir.path().join("place/a")).unwrap();
        assert!(within.write(Path::new("a"), b"x").is_err());
        assert!(within.spot(Path::new("a")).unwrap().copy(&dir.path().join("victim")).is_err());
        assert_eq!(std::fs::read_to_string(victim).unwrap(), "theirs");
    }

    #[test]
    fn copies_keep_folders_links_and_rights() {
        let (dir, within) = place();
        let from = dir.path().join("from");
        std::fs::create_dir_all(from.join("sub")).unwrap();
        std::fs::write(from.join("sub/a"), "one").unwrap();
        std::fs::set_permissions(from.join("sub/a"), PermissionsExt::from_mode(0o750)).unwrap();
        symlink("a", from.join("sub/b")).unwrap();
        let fifo = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(CWD, from.join("sub/fifo"), rustix::fs::FileType::Fifo, fifo, 0).unwrap();
        within.spot(Path::new("x/sub")).unwrap().copy(&from.join("sub")).unwrap();
        let to = dir.path().join("place/x/sub");
        assert_eq!(std::fs::read_to_string(to.join("b")).unwrap(), "one");
        assert!(to.join("b").is_symlink());
        assert_eq!(std::fs::metadata(to.join("a")).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(files::names_in(&to).unwrap(), ["a", "b"]);
    }
}
