//! Workflows: each reads top to bottom in one file, one step a line (`work.md`).

pub mod adopt;
pub mod agent;
pub mod approval;
pub mod around;
pub mod aside;
pub mod awake;
pub mod bench;
pub mod bringing;
pub mod crew;
pub mod demo;
pub mod doctor;
pub mod done;
pub mod ending;
pub mod exports;
#[cfg(test)]
mod fixture;
mod fold;
pub mod handoff;
pub mod hook;
pub mod hooks;
pub mod install;
pub mod land;
pub mod landing;
pub mod links;
pub mod loss;
pub mod mail;
pub mod migrate;
pub mod names;
pub mod own;
pub mod patrol;
pub mod pieces;
pub mod prompt;
pub mod queue;
pub mod recovery;
pub mod refinery;
pub mod remote;
pub mod request;
pub mod restore;
pub mod rig;
pub mod roles;
pub mod sandbox;
pub mod scene;
pub mod script;
pub mod sling;
pub mod strays;
pub mod submit;
pub mod submodules;
pub mod survey;
pub mod survivors;
pub mod sync;
pub mod testing;
pub mod trust;
pub mod tunnel;
pub mod unsling;
pub mod up;
pub mod who;
pub mod windows;
pub mod worktree;

/// Marks the end of a numbered step, `sling.3` say. Tests name one in `GT_TEST_KILL_AFTER` and the program is killed
/// there, as a power cut would; nothing else looks at that variable.
pub fn step(name: &str) {
    if std::env::var_os("GT_TEST_KILL_AFTER").is_some_and(|wanted| wanted == name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
