//! Minimal mode: no sessions. What a person should run by hand is said instead.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{ByHand, Depth, Looking, Mux, Runs, Snapshot, Spec, Started};
use crate::base::files;
use crate::base::quote::quote;

/// No multiplexer, and why.
#[derive(Clone, Debug)]
pub struct None {
    why: String,
}

impl None {
    /// Minimal mode, for this reason.
    pub fn new(why: impl Into<String>) -> None {
        None { why: why.into() }
    }

    fn cannot<T>(&self) -> Result<T> {
        crate::fail!(
            "there are no sessions here: {}", self.why;
            "install tmux 3.2 or later, or run the agent by hand in its folder: gt path ADDR"
        )
    }
}

impl Mux for None {
    fn begin_look(&self, _depth: Depth) -> Result<Looking> {
        Ok(Looking::Known(Snapshot { minimal: Some(self.why.clone()), ..Snapshot::default() }))
    }

    fn start(&self, spec: &Spec, _taken: &Snapshot) -> Result<Started> {
        Ok(Started {
            name: spec.name.clone(),
            by_hand: Some(ByHand { command: by_hand(spec)?, why: self.why.clone() }),
            ..Started::default()
        })
    }

    fn mark(&self, _session: &str, _state: &str, _since: &str) -> Result<()> {
        Ok(())
    }

    fn stop(&self, _sessions: &[&str]) -> Result<()> {
        Ok(())
    }

    fn capture(&self, _pane: &str, _lines: usize) -> Result<String> {
        self.cannot()
    }

    fn paste(&self, _pane: &str, _text: &str) -> Result<()> {
        self.cannot()
    }

    fn keys(&self, _pane: &str, _keys: &[String]) -> Result<()> {
        self.cannot()
    }

    fn attach(&self, _session: &str) -> Result<()> {
        self.cannot()
    }

    fn kind(&self) -> &'static str {
        "none"
    }
}

/// The line a person can paste into a shell to do what the session would have done. The environment is in a file beside the
/// agent's lock that its owner alone can read: what a preset's `env` gives may be a secret, and the line is shown.
fn by_hand(spec: &Spec) -> Result<String> {
    let Some(lock) = &spec.lock else { crate::fail!("{} has no folder on this machine", spec.name) };
    let file = lock.file.with_extension("env");
    if let Some(dir) = file.parent() {
        files::make_dir(dir)?;
    }
    files::write_json(&file, &BTreeMap::from_iter(spec.env.clone()))?;
    let shell = spec.windows.iter().flat_map(|window| &window.panes).find_map(|pane| match &pane.runs {
        Runs::Shell(text) => Some(text),
        _ => None,
    });
    let mut words = match shell {
        _ if spec.has_agent() => spec.start_line(),
        // Without an agent, the first of the programs it would have shown.
        Some(text) => spec.clean_line(&["sh", "-c", text]),
        None => spec.clean_line(&["sh"]),
    };
    words.splice(2..2, ["--env".into(), file.to_string_lossy().into_owned()]);
    let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
    Ok(format!("cd {} && {}", quote(&spec.cwd.to_string_lossy()), line.join(" ")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::mux::{AgentLock, WantedPane, Window};

    #[test]
    fn what_may_be_a_secret_is_in_no_line_and_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("it's");
        let mut spec = Spec {
            cwd: "/".into(),
            env: vec![("API_TOKEN".into(), "ghp_hidden".into())],
            argv: vec!["printenv".into()],
            gt: "gt".into(),
            lock: Some(AgentLock { gt: "gt".into(), file: place.join("gt-agent.lock") }),
            ..Spec::default()
        };
        assert!(!serde_json::to_string(&spec).unwrap().contains("ghp_hidden"));
        let line = by_hand(&spec).unwrap();
        let file = place.join("gt-agent.env");
        let wanted = format!("cd / && gt run-agent --env {} ", quote(file.to_str().unwrap()));
        assert!(line.starts_with(&wanted) && line.ends_with(" -- printenv"), "{line}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(files::read(&file).unwrap().contains("ghp_hidden"));
        // Windows alone: the first that runs something, else a shell.
        spec.argv.clear();
        for (runs, end) in [(Runs::Shell("make".into()), " -- sh -c make"), (Runs::Person, " -- sh")] {
            let panes = vec![WantedPane { runs, ..WantedPane::default() }];
            spec.windows = vec![Window { panes, ..Window::default() }];
            let line = by_hand(&spec).unwrap();
            assert!(line.contains(" run-clean --env ") && line.ends_with(end), "{line}");
        }
    }
}
