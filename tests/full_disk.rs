//! No room on the disk, at each write of each command: gt says so, loses nothing, and the same command completes once
//! there is room.
//!
//! Where a small file system can be mounted, it is filled up to a few free bytes. Elsewhere the limit on the size of a
//! file stands for it: then a command fails at its first file that would grow beyond that.

use std::fs::File;
use std::io::Write;

use crate::common::{Run, WAITS, World, finish, gt};

/// Free bytes, from none to nearly enough.
const LEVELS: [u64; 7] = [0, 8 << 10, 24 << 10, 48 << 10, 96 << 10, 192 << 10, 384 << 10];

/// A world whose town is to stand in `disk/`.
struct Disk {
    world: World,
    mounted: bool,
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            self.world.run("umount", "", ["-l", "disk"]);
        }
    }
}

impl Disk {
    fn new() -> Disk {
        let world = World::new();
        world.settings(WAITS);
        world.set("GASTOWN_POLECAT__AGENT", "waits");
        world.origin("origin.git", &[("README.md", "# wyvern\n")]);
        std::fs::create_dir(world.path("disk")).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=8m", "gt-test", &world.str("disk")];
        let mounted = world.command("mount", "").args(mount).output();
        let mounted = match mounted {
            Ok(output) if output.status.success() => true,
            Ok(output) => {
                eprintln!(
                    "no file system can be mounted: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                false
            }
            Err(error) => {
                eprintln!("no file system can be mounted: mount: {error}");
                false
            }
        };
        // A server of its own, so that none is started under a limit.
        world.tmux(["new-session", "-d", "-s", "keep", "sleep 600"]).ok();
        Disk { world, mounted }
    }

    /// gt with only this much room.
    fn with(&self, free: u64, dir: &str, words: &[&str]) -> Run {
        if !self.mounted {
            let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", free / 512);
            let mut command = self.world.command("sh", dir);
            return finish(command.args(["-c", &script, "sh", gt()]).args(words));
        }
        let path = self.world.path("disk/ballast");
        let mut ballast = File::create(&path).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        let full = ballast.metadata().unwrap().len();
        ballast.set_len(full - full % 4096 - free).unwrap();
        let run = self.world.gt_in(dir, words);
        // Emptied first: a program that another test is starting may hold it open for a moment.
        ballast.set_len(0).unwrap();
        std::fs::remove_file(path).unwrap();
        run
    }

    /// Runs it with more and more room until it does what it should. Gives that run.
    fn completes(&self, dir: &str, words: &[&str]) -> Run {
        for free in LEVELS {
            let run = self.with(free, dir, words);
            if run.code == Some(0) {
                assert!(free > 0, "{words:?} wrote nothing: {run:#?}");
                return run;
            }
            clear(&run, free);
        }
        self.world.gt_in(dir, words).ok()
    }

    /// Runs it at each level; gives what the runs that were fine said.
    fn each(&self, dir: &str, words: &[&str]) -> Vec<String> {
        let mut said = Vec::new();
        for free in LEVELS {
            let run = self.with(free, dir, words);
            match run.code {
                Some(0) => said.push(run.stdout),
                _ => clear(&run, free),
            }
        }
        said.push(self.world.gt_in(dir, words).ok().stdout);
        assert!(said.len() <= LEVELS.len(), "{words:?} never failed");
        said
    }

    fn healthy(&self, after: &str) {
        let run = self.world.gt_in("disk/town", ["doctor"]);
        assert_eq!(run.code, Some(0), "after {after}: {run:#?}");
    }
}

/// The error says what could not be written, and that room helps.
#[track_caller]
fn clear(run: &Run, free: u64) {
    assert_eq!(run.code, Some(1), "{free} free: {run:#?}");
    let said = &run.stderr;
    assert!(said.lines().any(|line| line.starts_with("gt: ") || line.starts_with("Error: ")), "{run:#?}");
    // Of several things that failed each has its own.
    let hint = said.lines().any(|line| line.trim_start().starts_with("hint: "));
    assert!(hint && said.contains("df -h"), "{free} free: {run:#?}");
    assert!(!said.contains("panicked") && !said.contains("backtrace"), "{run:#?}");
}

#[test]
fn every_command_meets_a_full_disk_and_completes_when_there_is_room() {
    let disk = Disk::new();
    let world = &disk.world;
    let (town, rig) = ("disk/town", "disk/town/wyvern");

    disk.completes("disk", &["install", "town"]);
    disk.healthy("install");
    disk.completes(town, &["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]);
    disk.healthy("rig add");
    disk.completes(town, &["crew", "add", "max", "--rig", "wyvern"]);
    disk.healthy("crew add");

    let long = "x".repeat(9000);
    let made = disk.each(rig, &["bd", "create", "A bead", "-d", &long]);
    // "created wy-1ab: A bead"
    let id = |said: &String| said.split([' ', ':']).nth(1).unwrap().to_string();
    let made: Vec<String> = made.iter().map(id).collect();
    let mails = disk.each(town, &["mail", "send", "mayor/", "-s", "News", "-m", &long]).len();
    let kept = || {
        let export = world.gt_in(rig, ["bd", "export"]).ok().stdout;
        let lost: Vec<_> = made.iter().filter(|id| !export.contains(&format!("\"id\":\"{id}\""))).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let inbox = world.gt_in(town, ["mail", "inbox", "mayor/", "--json"]).ok().json();
        assert_eq!(inbox["messages"].as_array().unwrap().len(), mails);
    };
    kept();
    disk.healthy("writes to the stores");

    let bead = &made[0];
    disk.completes(town, &["sling", bead, "wyvern/Nux"]);
    disk.healthy("sling");
    let place = "disk/town/wyvern/polecats/Nux";
    world.write(format!("{place}/work.txt"), "work\n");
    world.git(place, ["add", "-A"]);
    world.git(place, ["commit", "-q", "-m", "work"]);
    let commit = world.git(place, ["rev-parse", "HEAD"]);
    disk.completes(place, &["done"]);
    let requests = world.gt_in(town, ["mq", "list", "wyvern", "--json"]).ok().json();
    assert_eq!(requests["requests"].as_array().unwrap().len(), 1, "{requests}");
    disk.completes(town, &["witness", "patrol", "wyvern"]);
    assert!(!world.path(place).exists());
    disk.healthy("the end of the polecat");

    disk.completes(town, &["refinery", "process", "wyvern"]);
    assert_eq!(world.git("origin.git", ["show", "main:work.txt"]), "work");
    world.git("origin.git", ["merge-base", "--is-ancestor", &commit, "main"]);
    assert_eq!(world.gt_in(rig, ["bd", "show", bead, "--json"]).ok().json()[0]["status"], "closed");
    kept();
    world.gt_in(town, ["doctor", "--fix"]).ok();
    disk.healthy("everything");
}

/// Whatever room there was: what was said to be made is whole, and what was not made leaves nothing.
#[test]
fn a_town_that_was_made_on_the_last_bytes_is_whole() {
    let disk = Disk::new();
    let world = &disk.world;
    let mut made = 0;
    for page in 0..48 {
        let run = disk.with(page * 4096, "disk", &["install", "town"]);
        if run.code == Some(0) {
            made += 1;
            disk.healthy(&format!("install with {page} free pages"));
            let bead = world.gt_in("disk/town", ["bd", "create", "A bead"]).ok().stdout;
            assert!(bead.starts_with("created hq-"), "{bead}");
            std::fs::remove_dir_all(world.path("disk/town")).unwrap();
        } else {
            clear(&run, page * 4096);
        }
        let left: Vec<_> = std::fs::read_dir(world.path("disk")).unwrap().collect();
        assert!(left.is_empty(), "{page} free pages: {left:?}");
    }
    assert!((1..48).contains(&made), "{made} of 48 were made");
}
