//! Layers on real files, and what is said when one is wrong.

use std::path::Path;

use super::schema::{Multiplexer, Prompt, Restart, Strategy, Where};
use super::*;
use crate::failure::Failure;

/// User, town and rig folders of a test.
struct Files {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Files { dir, env: Vec::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Files {
        self.env.push((name.into(), value.into()));
        self
    }

    fn sources(&self) -> Sources {
        let at = |path: &str| self.dir.path().join(path);
        Sources {
            user: Some(at("user")),
            town: Some(at("town")),
            rig: Some((at("town/wyvern"), "wyvern".into())),
            env: self.env.clone(),
            flags: Vec::new(),
        }
    }

    fn settings(&self) -> Settings {
        settings(&self.sources()).unwrap()
    }

    fn polecat(&self) -> ResolvedRole {
        role(&self.sources(), Role::Polecat, &[], None).unwrap()
    }

    /// What is said about a broken file: message and hint, the test's folder left out.
    fn said(&self, error: &anyhow::Error) -> String {
        let failure = error.downcast_ref::<Failure>().unwrap();
        let hint = failure.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let folder = format!("{}/", self.dir.path().display());
        format!("{}{hint}", failure.message).replace(&folder, "")
    }

    fn settings_error(&self) -> String {
        self.said(&settings(&self.sources()).unwrap_err())
    }

    fn polecat_error(&self) -> String {
        self.said(&role(&self.sources(), Role::Polecat, &[], None).unwrap_err())
    }

    fn asked_error(&self, preset: &str) -> String {
        self.said(&role(&self.sources(), Role::Polecat, &[preset.into()], None).unwrap_err())
    }
}

fn user_settings(toml: &str) -> Files {
    Files::new(&[("user/config.toml", toml)])
}

fn user_polecat(toml: &str) -> Files {
    Files::new(&[("user/presets/polecat.toml", toml)])
}

#[test]
fn the_built_in_settings_are_what_the_types_say_without_any_file() {
    let settings = settings(&Sources::default()).unwrap();
    let plain = Settings::default();
    assert_eq!(settings.merge, plain.merge);
    assert_eq!(settings.worktree, plain.worktree);
    assert_eq!(settings.beads, plain.beads);
    assert_eq!(settings.tmux.socket, None);
    let runtimes: Vec<&str> = settings.agents.keys().map(String::as_str).collect();
    assert_eq!(runtimes, ["aider", "claude", "codex", "gemini", "none", "opencode", "shell"]);
    assert_eq!(settings.agents["shell"].command, ["{{gt}}", "run-script"]);
    assert_eq!(settings.agents["shell"].prompt, Prompt::None);
    assert!(settings.agents["none"].command.is_empty());
}

#[test]
fn every_built_in_file_is_right_by_itself() {
    let sources = Sources::default();
    let layer = sources::built_in().unwrap();
    check::layer(check::Kind::Settings, &layer).unwrap();
    let mut seen = 0;
    for name in presets::list(&sources).unwrap().keys() {
        for layer in presets::files(&sources, name).unwrap() {
            check::layer(check::Kind::Preset, &layer).unwrap();
            assert_eq!(layer.values["name"].as_str(), Some(name.as_str()));
            seen += 1;
        }
        for role in Role::ALL {
            super::role(&sources, role, std::slice::from_ref(name), None).unwrap();
        }
    }
    assert_eq!(seen, 10);
}

#[test]
fn what_the_roles_are_as_built_in() {
    let sources = Sources::default();
    let polecat = role(&sources, Role::Polecat, &[], None).unwrap();
    assert_eq!(polecat.agent, "claude");
    assert_eq!(polecat.runtime.command, ["claude"]);
    assert_eq!(polecat.presets, ["polecat"]);
    assert_eq!(polecat.settings.max_workers, 4);
    assert!(!polecat.settings.unattended);
    assert_eq!(polecat.settings.restart, Restart::Never);
    let mut names = polecat.settings.names.clone();
    names.sort();
    names.dedup();
    assert!(names.len() >= 50 && names.len() == polecat.settings.names.len());
    for role in Role::ALL {
        let resolved = super::role(&sources, role, &[], None).unwrap();
        let wanted = if role == Role::Polecat { Where::Any } else { Where::Local };
        assert_eq!(resolved.settings.placement, wanted, "{role}");
        let minimal = super::role(&sources, role, &["minimal".into()], None).unwrap();
        assert_eq!(minimal.settings.multiplexer, Multiplexer::None, "{role}");
    }
}

#[test]
fn later_layers_of_settings_win_key_by_key() {
    let files = Files::new(&[
        ("user/config.toml", "[merge]\nstrategy = 'squash'\nretries = 1\nbatch_size = 2\n"),
        ("town/config/town.toml", "[merge]\nretries = 2\nbatch_size = 3\n"),
        (
            "town/wyvern/config.json",
            r#"{"type":"rig","merge":{"batch_size":7},"max_workers":9,"odd":{"x":1}}"#,
        ),
    ]);
    let merge = files.settings().merge;
    assert_eq!((merge.strategy, merge.retries, merge.batch_size), (Strategy::Squash, 2, 7));
    assert_eq!(files.polecat().settings.max_workers, 9);
    let files = files.env("GASTOWN_MERGE__BATCH_SIZE", "8").env("GASTOWN_POLECAT__MAX_WORKERS", "10");
    assert_eq!(files.settings().merge.batch_size, 8);
    assert_eq!(files.polecat().settings.max_workers, 10);
    let mut sources = files.sources();
    sources.flags = vec![("merge.batch_size".into(), "9".into()), ("polecat.agent".into(), "codex".into())];
    assert_eq!(settings(&sources).unwrap().merge.batch_size, 9);
    assert_eq!(role(&sources, Role::Polecat, &[], None).unwrap().agent, "codex");
    assert_eq!(role(&sources, Role::Mayor, &[], None).unwrap().agent, "claude");
}
