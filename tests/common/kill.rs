//! Ending a program from outside while it runs, and what is left running of a world.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Run, World, wait_for, words_of};

/// Starts a program in a process group of its own.
fn start(place: &Path, command: &mut Command) -> (Child, [PathBuf; 2]) {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let paths = ["out", "err"].map(|name| place.join(format!("{number}.{name}")));
    let [out, err] = paths.each_ref().map(|path| Stdio::from(std::fs::File::create(path).unwrap()));
    (command.stdout(out).stderr(err).process_group(0).spawn().unwrap(), paths)
}

/// Waits for its end until `limit`.
fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status),
            None if Instant::now() >= end => return None,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Kills (SIGKILL) a program, or its whole process group, after a delay. `true`: it was still running then.
pub fn after(world: &World, command: &mut Command, delay: Duration, group: bool) -> bool {
    let (mut child, paths) = start(&world.path(""), command);
    let pid = rustix::process::Pid::from_child(&child);
    let ended = wait(&mut child, delay).is_some();
    if !ended && group {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    } else if !ended {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    paths.iter().for_each(|path| drop(std::fs::remove_file(path)));
    !ended && status.signal() == Some(9)
}

/// Runs a program to its end, which has to come within the limit.
#[track_caller]
pub fn within(world: &World, command: &mut Command, limit: Duration) -> Run {
    within_in(&world.path(""), command, limit)
}

/// The same for a thread that has no world; files go to `place`.
#[track_caller]
pub fn within_in(place: &Path, command: &mut Command, limit: Duration) -> Run {
    let (mut child, paths) = start(place, command);
    let status = wait(&mut child, limit);
    let [stdout, stderr] = paths.map(|path| {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        std::fs::remove_file(path).unwrap();
        text
    });
    let Some(status) = status else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{command:?} did not end in {limit:?}:\n{stdout}{stderr}");
    };
    Run { words: words_of(command), code: status.code(), stdout, stderr }
}

/// What runs with the world's home or in one of its folders, but its tmux servers and a person's `sleep 5000`: pid and
/// words. Nothing where the system does not tell (no `/proc`).
pub fn processes(world: &World) -> Vec<(i32, String)> {
    let root = world.real().to_str().unwrap().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let own = |pid: i32| {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ").trim().to_string();
        let folder = std::fs::read_link(format!("/proc/{pid}/cwd"));
        let inside = folder.is_ok_and(|dir| dir.starts_with(&root)) || text(&read("environ")).contains(&root);
        let (comm, words) = (text(&read("comm")), text(&read("cmdline")));
        // What has ended and only waits to be asked for has no words.
        let persons = words.ends_with("sleep 5000");
        (inside && !comm.starts_with("tmux") && !words.is_empty() && !persons).then_some((pid, words))
    };
    pids.filter_map(own).collect()
}

/// Waits until at most so many programs of the world run, and these all with the words `waits`: what goes on by itself
/// (scripts of polecats, patrols at a session's end, what a kill orphaned) is over then.
#[track_caller]
pub fn settle(world: &World, waits: &str, most: usize) {
    let mut left = Vec::new();
    let calm = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for("what runs to end", || {
            left = processes(world);
            let waiting = left.iter().filter(|(_, words)| words == waits).count();
            (left.len() == waiting && waiting <= most).then_some(())
        });
    }));
    assert!(calm.is_ok(), "still runs: {left:#?}");
}
