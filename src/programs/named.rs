//! Whether a program runs, by its name.

use std::path::Path;

use crate::programs::survivors::Named;

/// Programs that run others, whose name is their first word.
const RUNNERS: [&str; 7] = ["node", "bun", "deno", "sh", "bash", "python3", "python"];

/// A process of a program that has this home folder: where the system tells neither, one of that name.
pub fn running(program: &str, home: &Path) -> Option<Named> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    processes(home).into_iter().find_map(|(pid, words)| {
        (pid != own && runs(program, &words)).then(|| Named { name: program.into(), pid })
    })
}

fn runs(program: &str, words: &[String]) -> bool {
    let is = |word: &String, name: &str| Path::new(word).file_name().is_some_and(|own| own == name);
    let mut words = words.iter();
    let Some(first) = words.next() else { return false };
    let runner = RUNNERS.iter().any(|name| is(first, name));
    is(first, program)
        || (runner && words.find(|word| !word.starts_with('-')).is_some_and(|word| is(word, program)))
}

#[cfg(target_os = "linux")]
fn processes(home: &Path) -> Vec<(i32, Vec<String>)> {
    let texts = |pid: i32, what: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{what}")).ok()?;
        let texts = bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty());
        Some(texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>())
    };
    let own = |pid: i32| {
        let words = texts(pid, "cmdline").filter(|words| !words.is_empty())?;
        // What other users run does not tell.
        let env = texts(pid, "environ")?;
        let there = env.iter().find_map(|one| one.strip_prefix("HOME="));
        there.is_none_or(|there| Path::new(there) == home).then_some((pid, words))
    };
    super::process::stamp::pids().into_iter().filter_map(own).collect()
}

#[cfg(not(target_os = "linux"))]
fn processes(_home: &Path) -> Vec<(i32, Vec<String>)> {
    let ps = crate::programs::Process::new("ps").args(["-xo", "pid=,command="]);
    let text = ps.timeout(crate::base::limits::MOMENT).run().map(|output| output.text()).unwrap_or_default();
    let process = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_string);
        Some((words.next()?.parse().ok()?, words.collect()))
    };
    text.lines().filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_name() {
        let runs = |words: &str| runs("gemini", &words.split(' ').map(str::to_string).collect::<Vec<_>>());
        assert!(runs("/usr/bin/gemini") && runs("gemini -p x") && runs("node --a /usr/bin/gemini -p"));
        assert!(!runs("vim gemini") && !runs("node /usr/bin/codex gemini") && !runs("") && !runs("node"));
    }
}
