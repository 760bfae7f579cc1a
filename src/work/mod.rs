//! Workflows: each reads top to bottom in one file, one step a line (`work.md`).

pub mod agent;
#[cfg(test)]
mod fixture;
pub mod merge;
pub mod observe;
pub mod polecat;
pub mod remote;
pub mod setup;
pub mod talk;

/// Marks the end of a numbered step, `sling.3` say. Tests name one in `GT_TEST_KILL_AFTER` and the program is killed
/// there, as a power cut would; nothing else looks at that variable.
pub fn step(name: &str) {
    if std::env::var_os("GT_TEST_KILL_AFTER").is_some_and(|wanted| wanted == name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
