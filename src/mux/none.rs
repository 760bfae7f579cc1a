//! Minimal mode: no sessions. What a person should run by hand is said instead.

use std::path::Path;

use anyhow::Result;

use super::{ByHand, Looking, Mux, Runs, Snapshot, Spec, Started};
use crate::base::quote::quote;
use crate::model::environment::is_public;

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
    fn begin_look(&self) -> Result<Looking> {
        Ok(Looking::Known(Snapshot { minimal: Some(self.why.clone()), ..Snapshot::default() }))
    }

    fn start(&self, spec: &Spec, _taken: &Snapshot) -> Result<Started> {
        Ok(Started {
            name: spec.name.clone(),
            by_hand: Some(ByHand { command: by_hand(spec), why: self.why.clone() }),
            ..Started::default()
        })
    }

    fn mark(&self, _session: &str, _marks: &[(&str, &str)]) -> Result<()> {
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

/// The line a person can paste into a shell to do what the session would have done. What a preset's `env` gives is taken from
/// that shell: it may be a secret, and the line is shown.
pub fn by_hand(spec: &Spec) -> String {
    let mut words = vec!["cd".to_string(), quote_path(&spec.cwd), "&&".into(), "env".into()];
    words.extend(spec.env.iter().map(|(key, value)| match is_public(key) {
        true => quote(&format!("{key}={value}")),
        false => format!("{key}=\"${{{key}?is not set, as the preset has it}}\""),
    }));
    let shell = spec.windows.iter().flat_map(|window| &window.panes).find_map(|pane| match &pane.runs {
        Runs::Shell(text) if !spec.has_agent() => Some(["sh".to_string(), "-c".into(), text.clone()]),
        _ => None,
    });
    // Without an agent, the first of the programs it would have shown.
    words.extend(shell.iter().flatten().chain(&spec.start_line()).map(|word| quote(word)));
    words.join(" ")
}

fn quote_path(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::process::Process;

    #[test]
    fn what_may_be_a_secret_is_in_no_line_and_no_record() {
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        let spec = Spec {
            cwd: "/".into(),
            env: vec![pair("GT_BEAD_TITLE", "it's a $(title)"), pair("API_TOKEN", "ghp_hidden")],
            argv: ["printenv", "API_TOKEN", "GT_BEAD_TITLE"].map(String::from).to_vec(),
            ..Spec::default()
        };
        let line = by_hand(&spec);
        assert!(
            !line.contains("ghp_hidden") && !serde_json::to_string(&spec).unwrap().contains("ghp_hidden")
        );
        let run = |process: Process| process.args(["-c", &line]).run().unwrap();
        let own = run(Process::new("sh").env("API_TOKEN", "mine"));
        assert_eq!(own.text(), "mine\nit's a $(title)");
        let unset = run(Process::new("sh"));
        assert!(!unset.ok() && String::from_utf8_lossy(&unset.stderr).contains("API_TOKEN"));
    }
}
